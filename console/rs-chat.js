
/*
 * Copyright (C) rs-gateway contributors
 *
 * The chat of a session, docs/protocol/peer.md "rs-chat": with who else
 * watches, and with the person at the device.  No DOM.
 */

import { RsError, RsEvent, systemClock } from "./rs-client.js";


const ANSWER_MS = 15000;
const WAITING_MAX = 16;
const ID_MAX = 2147483647;
const NAME_MAX = 200;

const REFUSALS = new Set(["empty", "too_many"]);


/**
 * Events, each an RsEvent:
 *
 *   open  boolean   it can be written to; person and max are known then
 *   said  {text, name, from, device, mine}   from: participant id, "" of the
 *         person at the device; mine: this page has said it
 */
export class RsChat extends EventTarget {
    #channel;
    #clock;
    #id = 0;
    #waiting = new Map();   /* id -> {resolve, reject, timer} */
    #undo = [];

    open = false;

    /** There may be somebody at the device who reads it. */
    person = false;

    /** Characters of one message. */
    max = 0;

    /**
     * @param {import("./rs-channel.js").RsChannel} channel
     *     peer.channel("rs-chat")
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
        on("close", () => this.#onClose());
    }

    /**
     * Resolves when the others have it; "said" has told it by then.
     *
     * @param {string} text  one line; what follows max is cut off
     * @returns {Promise<void>}  RsError: no_chat, chat_empty, chat_too_many,
     *     timeout, closed
     */
    say(text) {
        if (!this.open) {
            return Promise.reject(new RsError("no_chat"));
        }

        if (this.#waiting.size >= WAITING_MAX) {
            return Promise.reject(new RsError("chat_too_many"));
        }

        const cut = [...text].slice(0, this.max).join("").trim();

        if (cut === "") {
            return Promise.reject(new RsError("chat_empty"));
        }

        this.#id = this.#id % ID_MAX + 1;

        const id = this.#id;

        if (!this.#channel.send({type: "say", id, text: cut})) {
            return Promise.reject(new RsError("chat_too_many"));
        }

        return new Promise((resolve, reject) => {
            this.#waiting.set(id, {
                resolve, reject,
                timer: this.#clock.setTimeout(
                    () => this.#settle(id, "timeout"), ANSWER_MS),
            });
        });
    }

    /** The session is over. */
    close() {
        for (const undo of this.#undo.splice(0)) {
            undo();
        }

        this.#onClose();
    }

    #settle(id, code) {
        const waiting = this.#waiting.get(id);

        if (waiting === undefined) {
            return;
        }

        this.#waiting.delete(id);
        this.#clock.clearTimeout(waiting.timer);

        if (code === null) {
            waiting.resolve();

        } else {
            waiting.reject(new RsError(code));
        }
    }

    #setOpen(open) {
        if (this.open !== open) {
            this.open = open;
            this.dispatchEvent(new RsEvent("open", open));
        }
    }

    #onClose() {
        for (const id of [...this.#waiting.keys()]) {
            this.#settle(id, "closed");
        }

        this.#setOpen(false);
    }

    #onMessage(message) {
        switch (message.type) {

        case "hello":
            this.person = message.person === true;
            this.max = Number(message.max) || 0;
            this.#setOpen(true);
            break;

        case "said":
            this.#onSaid(message);
            break;

        case "refused":
            this.#settle(message.id, REFUSALS.has(message.reason)
                                     ? `chat_${message.reason}`
                                     : "chat_too_many");
            break;
        }
    }

    #onSaid({text, name, from, device, id}) {
        if (!this.open || typeof text !== "string"
            || typeof from !== "string")
        {
            return;
        }

        const mine = this.#waiting.has(id);

        this.dispatchEvent(new RsEvent("said", {
            text: text.slice(0, 2 * this.max),
            name: typeof name === "string" ? name.slice(0, NAME_MAX) : "",
            from, device: device === true, mine}));

        if (mine) {
            this.#settle(id, null);
        }
    }
}
