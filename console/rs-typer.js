
/*
 * Copyright (C) rs-gateway contributors
 *
 * Types a text on the device, for programs that do not paste: sign-in
 * screens, consoles of other machines.  As fast as a keyboard there can
 * follow that has to learn characters which its layout lacks.
 */

import { RsError, systemClock } from "./rs-client.js";


const STEP_MS = 40;
const STEP_CHARACTERS = 4;

/** Characters of one text. */
export const TYPE_MAX = 10000;


export class RsTyper {
    #input;
    #clock;
    #job = null;            /* {characters, at, resolve, reject, timer} */

    /**
     * @param {import("./rs-input.js").RsInput} input
     * @param {import("./rs-client.js").Clock} [clock]
     */
    constructor(input, clock = systemClock) {
        this.#input = input;
        this.#clock = clock;
    }

    get typing() {
        return this.#job !== null;
    }

    /**
     * Resolves when all of it was typed.
     *
     * @param {string} text
     * @returns {Promise<void>}  RsError: type_too_long, aborted
     */
    type(text) {
        this.stop();

        const characters = [...text.replace(/\r\n?/g, "\n")];

        if (characters.length > TYPE_MAX) {
            return Promise.reject(new RsError("type_too_long"));
        }

        this.#input.release();

        return new Promise((resolve, reject) => {
            this.#job = {characters, at: 0, resolve, reject, timer: null};
            this.#step();
        });
    }

    /** Stops where it is. */
    stop() {
        const job = this.#job;

        if (job !== null) {
            this.#job = null;
            this.#clock.clearTimeout(job.timer);
            job.reject(new RsError("aborted"));
        }
    }

    #step() {
        const job = this.#job;
        const end = job.at + STEP_CHARACTERS;

        this.#input.text(job.characters.slice(job.at, end).join(""));
        job.at = end;

        if (end < job.characters.length) {
            job.timer = this.#clock.setTimeout(() => this.#step(), STEP_MS);
            return;
        }

        this.#job = null;
        job.resolve();
    }
}
