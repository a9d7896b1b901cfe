
/*
 * Copyright (C) rs-gateway contributors
 *
 * The person at the device: sees the agent's windows on the stack's desktop,
 * answers its questions by keyboard, clicks its banner.
 */

import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { until } from "./wait.mjs";


const run = promisify(execFile);

const QUESTION = "^Remote support request$";
const CHAT = "^Remote support chat$";
const BANNER = "^(You have control[.] )?Remote support: ";

/** The banner's ground. */
export const BANNER_RED = [0xb3, 0x26, 0x1e];


export class Person {
    constructor(desktop) {
        this.env = {...process.env, DISPLAY: desktop.display,
                    XAUTHORITY: desktop.xauthority};
    }

    async #x(...args) {
        const {stdout} = await run("xdotool", args, {env: this.env});

        return stdout.trim();
    }

    /* ids of windows, none is no error */
    async #windows(name) {
        try {
            return (await this.#x("search", "--onlyvisible", "--name", name))
                   .split("\n").filter((id) => id !== "");

        } catch (e) {
            if (e.code === 1) {
                return [];
            }

            throw e;
        }
    }

    async questions() {
        return (await this.#windows(QUESTION)).length;
    }

    /** Once it is asked: the window's id. */
    asked() {
        return until("question on the desktop", async () =>
            (await this.#windows(QUESTION))[0]);
    }

    /** "allow" or "deny", by the button's letter. */
    async answer(word) {
        const id = await this.asked();

        await this.#x("windowactivate", "--sync", id, "key",
                      `alt+${word[0]}`);
        await until("end of the question", async () =>
            !(await this.#windows(QUESTION)).includes(id));
    }

    /** What the banner says, null: there is none. */
    async banner() {
        const [id] = await this.#windows(BANNER);

        return id === undefined ? null
               : (await this.#x("getwindowname", id))
                 .replace("Remote support: ", "");
    }

    /** x, y, width and height of a window. */
    async #place(id) {
        const text = await this.#x("getwindowgeometry", "--shell", id);
        const value = (name) => Number(
            new RegExp(`^${name}=(-?\\d+)$`, "m").exec(text)[1]);

        return {x: value("X"), y: value("Y"), width: value("WIDTH"),
                height: value("HEIGHT")};
    }

    async bannerPlace() {
        return this.#place((await this.#windows(BANNER))[0]);
    }

    async questionPlace() {
        return this.#place(await this.asked());
    }

    /* by how far it is from the banner's right end */
    async #press(left) {
        const {x, y, width, height} = await this.bannerPlace();

        await this.#x("mousemove", String(x + width - left),
                      String(y + Math.round(height / 2)), "click", "1");
    }

    /** The banner's button that ends it. */
    async end() {
        await this.#press(40);
    }

    /** The one that takes control, or gives it. */
    async take() {
        await this.#press(170);
    }

    /** Writes into the chat's window; said() tells when it was heard. */
    async reply(text, said) {
        const id = await until("chat window", async () =>
            (await this.#windows(CHAT))[0]);

        await until("answer", async () => {
            await this.#x("windowactivate", id, "key", "ctrl+a", "key",
                          "BackSpace", "type", "--delay", "5", text);
            await this.#x("key", "Return");

            return said();
        });
    }
}
