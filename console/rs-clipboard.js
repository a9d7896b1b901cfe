
/*
 * Copyright (C) rs-gateway contributors
 *
 * The clipboard of a session, docs/protocol/peer.md "rs-clipboard": texts to
 * the device and back, in pieces.  No DOM: where a text comes from and where
 * it goes on this side is the page's.
 */

import { RsError, RsEvent, systemClock } from "./rs-client.js";


const PIECE_BYTES = 8192;
const TEXT_MAX = 1048576;   /* bytes, whatever the device says */
const ANSWER_MS = 15000;
const ID_MAX = 2147483647;

const DIRECTIONS = new Set(["both", "to_device", "from_device", "none"]);


/**
 * A text as pieces of at most so many bytes of UTF-8, none of them with half
 * a character; what is no character becomes U+FFFD.
 *
 * @param {string} text
 * @returns {Generator<string>}
 */
export function* pieces(text, bytes = PIECE_BYTES) {
    const encoder = new TextEncoder();
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(bytes);
    let at = 0;

    do {
        const {read, written} = encoder.encodeInto(
            text.slice(at, at + bytes), buffer);

        at += read;
        yield decoder.decode(buffer.subarray(0, written));
    } while (at < text.length);
}


/**
 * Events, each an RsEvent:
 *
 *   direction  "both" | "to_device" | "from_device" | "none"   what there is
 *              from now on; none, too, while there is no line
 *   text       string      somebody at the device has copied it
 */
export class RsClipboard extends EventTarget {
    #channel;
    #clock;
    #id = 0;
    #waiting = null;        /* {id, resolve, reject, timer}: the newest */
    #queue = null;          /* its pieces not sent yet */
    #max = 0;
    #coming = {id: 0, parts: [], length: 0};
    #undo = [];

    direction = "none";

    /**
     * @param {import("./rs-channel.js").RsChannel} channel
     *     peer.channel("rs-clipboard")
     * @param {{clock?: import("./rs-client.js").Clock}} [o]
     */
    constructor(channel, o = {}) {
        super();
        this.#channel = channel;
        this.#clock = o.clock ?? systemClock;

        const on = (type, f) => {
            channel.addEventListener(type, f);
            this.#undo.push(() => channel.removeEventListener(type, f));
        };

        on("message", (ev) => this.#onMessage(ev.detail));
        on("drained", () => this.#pump());
        on("close", () => this.#onClose());
    }

    /** A text of this side may go to the device. */
    get sends() {
        return this.direction === "both" || this.direction === "to_device";
    }

    /** A text of the device may come. */
    get receives() {
        return this.direction === "both" || this.direction === "from_device";
    }

    /**
     * Makes a text the device's clipboard.  Resolves when it can be pasted
     * there; a newer text makes an older one end with "superseded".
     *
     * @param {string} text
     * @returns {Promise<void>}  RsError: no_clipboard, clipboard_direction,
     *     clipboard_too_long, clipboard_empty, clipboard_unavailable,
     *     superseded, timeout, closed
     */
    send(text) {
        if (this.direction === "none") {
            return Promise.reject(new RsError("no_clipboard"));
        }

        if (!this.sends) {
            return Promise.reject(new RsError("clipboard_direction"));
        }

        if (text === "") {
            return Promise.reject(new RsError("clipboard_empty"));
        }

        if (text.length > this.#max
            || new TextEncoder().encode(text).length > this.#max)
        {
            return Promise.reject(new RsError("clipboard_too_long"));
        }

        this.#settle("superseded");
        this.#id = this.#id % ID_MAX + 1;

        return new Promise((resolve, reject) => {
            this.#waiting = {
                id: this.#id, resolve, reject,
                timer: this.#clock.setTimeout(() => this.#settle("timeout"),
                                              ANSWER_MS),
            };
            this.#queue = [...pieces(text)];
            this.#pump();
        });
    }

    /** The session is over. */
    close() {
        for (const undo of this.#undo.splice(0)) {
            undo();
        }

        this.#onClose();
    }

    /* as much as may be unsent, the rest when that has left */
    #pump() {
        while (this.#queue !== null && this.#queue.length > 0) {
            const sent = this.#channel.send({
                type: "text", id: this.#id, text: this.#queue[0],
                last: this.#queue.length === 1});

            if (!sent) {
                return;
            }

            this.#queue.shift();
        }
    }

    #settle(code) {
        const waiting = this.#waiting;

        if (waiting === null) {
            return;
        }

        this.#waiting = null;
        this.#queue = null;
        this.#clock.clearTimeout(waiting.timer);

        if (code === null) {
            waiting.resolve();

        } else {
            waiting.reject(new RsError(code));
        }
    }

    #setDirection(direction) {
        if (this.direction !== direction) {
            this.direction = direction;
            this.dispatchEvent(new RsEvent("direction", direction));
        }
    }

    #onClose() {
        this.#coming = {id: 0, parts: [], length: 0};
        this.#settle("closed");
        this.#setDirection("none");
    }

    #onMessage(message) {
        switch (message.type) {

        case "hello":
            this.#max = message.max > 0 ? Math.min(message.max, TEXT_MAX) : 0;
            this.#setDirection(DIRECTIONS.has(message.direction)
                               ? message.direction : "none");
            break;

        case "taken":
        case "refused":
            if (this.#waiting !== null && message.id === this.#waiting.id) {
                this.#settle(message.type === "taken" ? null
                             : refusal(message.reason));
            }

            break;

        case "text":
            this.#onText(message);
            break;
        }
    }

    #onText({id, text, last}) {
        let coming = this.#coming;

        if (!this.receives || !Number.isInteger(id)
            || typeof text !== "string" || typeof last !== "boolean")
        {
            return;
        }

        if (coming.id !== id) {
            coming = {id, parts: [], length: 0};
            this.#coming = coming;
        }

        coming.length += text.length;

        if (text !== "" && coming.length <= this.#max) {
            coming.parts.push(text);
        }

        if (last) {
            this.#coming = {id: 0, parts: [], length: 0};

            if (coming.length <= this.#max) {
                this.dispatchEvent(new RsEvent("text",
                                               coming.parts.join("")));
            }
        }
    }
}


const REFUSALS = new Set(["direction", "too_long", "empty"]);


function refusal(reason) {
    return REFUSALS.has(reason) ? `clipboard_${reason}`
                                : "clipboard_unavailable";
}
