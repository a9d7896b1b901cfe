
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the console's unit tests share: the protocol's files, a clock that is
 * moved by hand, a socket whose other end is the test.
 */

import { readFileSync, readdirSync } from "node:fs";

import { RsEvent } from "../rs-api.js";


const PROTOCOL = new URL("../../docs/protocol/", import.meta.url);


export function protocolFile(name) {
    return JSON.parse(readFileSync(new URL(name, PROTOCOL), "utf8"));
}


/** A schema of REST, by its name in openapi.json. */
export function schema(name) {
    const file = new URL("../../ngx_rs_signal_module/http/openapi.json",
                         import.meta.url);

    return JSON.parse(readFileSync(file, "utf8")).components.schemas[name];
}


/** The example messages of one channel and sender: name -> message. */
export function examples(channel, sender) {
    const prefix = `${channel}.${sender}.`;
    const found = new Map();

    for (const file of readdirSync(new URL("messages/", PROTOCOL))) {
        if (file.startsWith(prefix)) {
            found.set(file.slice(prefix.length, -".json".length),
                      protocolFile("messages/" + file));
        }
    }

    return found;
}


/** Time that passes when the test says so; chance is 0.5. */
export class HandClock {
    #now = 1000000;
    #timers = new Map();
    #next = 1;

    now = () => this.#now;
    random = () => 0.5;

    setTimeout = (f, ms) => {
        this.#timers.set(this.#next, {at: this.#now + ms, f});
        return this.#next++;
    };

    clearTimeout = (id) => {
        this.#timers.delete(id);
    };

    pass(ms) {
        const end = this.#now + ms;

        for (;;) {
            const due = [...this.#timers].filter(([, t]) => t.at <= end)
                                         .sort((a, b) => a[1].at - b[1].at)[0];

            if (due === undefined) {
                break;
            }

            this.#timers.delete(due[0]);
            this.#now = Math.max(this.#now, due[1].at);
            due[1].f();
        }

        this.#now = end;
    }

    get armed() {
        return this.#timers.size;
    }
}


/** A WebSocket class whose instances the test drives, newest last. */
export function socketClass() {
    return class TestSocket {
        static all = [];

        static get last() {
            return TestSocket.all.at(-1);
        }

        sent = [];
        closedWith = null;

        constructor(url, protocols) {
            this.url = url;
            this.protocols = protocols;
            TestSocket.all.push(this);
        }

        send(frame) {
            this.sent.push(JSON.parse(frame));
        }

        close(code) {
            this.closedWith = code;
        }

        /* what the gateway does */

        say(message) {
            this.onmessage?.({data: JSON.stringify(message)});
        }

        end(code) {
            this.onclose?.({code});
        }
    };
}


/** Records the events of a target: [type, detail]. */
export function record(target, types) {
    const seen = [];

    for (const type of types) {
        target.addEventListener(type, (ev) => seen.push([type, ev.detail]));
    }

    return seen;
}


/** An RsChannel without a line: what was sent, and what the host says. */
export class TestChannel extends EventTarget {
    open = true;
    buffered = 0;
    sent = [];
    binaries = [];

    #take(list, message) {
        if (!this.open || this.buffered > 262144) {
            return false;
        }

        list.push(message);

        return true;
    }

    send(message) {
        return this.#take(this.sent, message);
    }

    sendBinary(bytes) {
        return this.#take(this.binaries, bytes);
    }

    say(message) {
        this.dispatchEvent(new RsEvent("message", message));
    }

    drain() {
        this.buffered = 0;
        this.dispatchEvent(new RsEvent("drained"));
    }

    lose() {
        this.open = false;
        this.dispatchEvent(new RsEvent("close"));
    }
}
