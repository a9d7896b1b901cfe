
/*
 * Copyright (C) rs-gateway contributors
 *
 * One leg of a byte pipe, docs/protocol/pipe.md: binary messages to the other
 * leg and from it, an end for each direction, and one close that says whether
 * it was a clean one.  No DOM, runs under node.
 */

import { RsError, RsEvent, socketUrl, systemClock } from "./rs-api.js";


const CHUNK = 65536;                /* bytes of a stream in one message */
const LOOK_MS = 15;                 /* a socket does not say when it drained */
const OPEN_TIMEOUT_MS = 20000;

const CODES = new Map([
    [1000, "closed"], [1001, "going_away"], [1002, "ws_protocol"],
    [1003, "ws_unsupported"], [1006, "lost"], [1008, "rate_limited"],
    [1009, "ws_too_big"], [1012, "going_away"], [1013, "overloaded"],
    [4401, "unauthenticated"], [4403, "forbidden"], [4404, "not_found"],
    [4410, "session_ended"],
]);


/* the reason is the code of an error, and perhaps a text after it */
function closeError(code, reason) {
    const m = /^([a-z][a-z0-9_]{2,40})(?:: (.*))?$/s.exec(reason);

    return new RsError(m?.[1] ?? CODES.get(code) ?? "lost",
                       {status: code, detail: m?.[2] ?? ""});
}


/**
 * Events, each an RsEvent:
 *
 *   open     it is joined to nobody yet, but what is sent is kept
 *   data     Uint8Array: one message
 *   end      the other side has said all, docs/protocol/pipe.md
 *   close    {clean, error}: once, the last one; clean: both directions ended
 *            before it, else what came may be a part only
 */
export class RsPipe extends EventTarget {
    #socket;
    #clock;
    #stream;
    #timer;
    #ended = false;         /* here */
    #over = false;          /* there */
    #closed = false;

    /**
     * @param {{base: string, ticket: string, side?: "client"|"host",
     *          stream?: boolean, WebSocket?: typeof WebSocket,
     *          clock?: import("./rs-api.js").Clock}} o
     *     stream: bytes, and an empty message is an end; else messages
     */
    constructor({base, ticket, side = "client", stream = true,
                 WebSocket = globalThis.WebSocket, clock = systemClock})
    {
        super();
        this.#clock = clock;
        this.#stream = stream;
        this.#socket = new WebSocket(socketUrl(base, "/pipe"), [
            "rs.v1", `rs.ticket.${ticket}`, `rs.side.${side}`]);
        this.#socket.binaryType = "arraybuffer";
        this.#timer = clock.setTimeout(
            () => this.#finish(new RsError("timeout")), OPEN_TIMEOUT_MS);
        this.#wire();
    }

    #wire() {
        const socket = this.#socket;

        socket.onopen = () => {
            this.#clock.clearTimeout(this.#timer);
            this.#say("open");
        };
        socket.onmessage = (ev) => this.#onMessage(ev.data);
        socket.onclose = (ev) => this.#onClose(ev.code, ev.reason);
    }

    #say(type, detail) {
        this.dispatchEvent(new RsEvent(type, detail));
    }

    #onMessage(data) {
        if (this.#closed) {
            return;
        }

        if (typeof data === "string" || this.#over) {
            this.#finish(new RsError("bad_answer"), 1002);
            return;
        }

        if (this.#stream && data.byteLength === 0) {
            this.#over = true;
            this.#say("end");
            this.#maybeDone();
            return;
        }

        this.#say("data", new Uint8Array(data));
    }

    #onClose(code, reason) {
        const whole = this.#ended && this.#over;

        this.#finish(code === 1000 && (whole || !this.#stream)
                     ? null : closeError(code, reason));
    }

    #maybeDone() {
        if (this.#stream && this.#ended && this.#over) {
            this.#socket.close(1000);
        }
    }

    /* error: null for a clean end */
    #finish(error, code = 1000) {
        if (this.#closed) {
            return;
        }

        this.#closed = true;
        this.#clock.clearTimeout(this.#timer);
        this.#socket.onmessage = null;

        /* what a page may say are 1000 and its own codes */
        this.#socket.close(code === 1000 ? 1000 : 4000);
        this.#say("close", {clean: error === null, error});
    }

    get closed() {
        return this.#closed;
    }

    /** Bytes that this browser has not written yet. */
    get waiting() {
        return this.#socket.bufferedAmount;
    }

    /**
     * One message, or bytes of the stream.  False: it is not sent, since the
     * pipe is not open or this direction has ended.
     * @param {Uint8Array} bytes
     */
    send(bytes) {
        if (this.#closed || this.#ended || this.#socket.readyState !== 1) {
            return false;
        }

        if (!this.#stream) {
            this.#socket.send(bytes);
            return true;
        }

        for (let at = 0; at < bytes.length; at += CHUNK) {
            this.#socket.send(bytes.subarray(at, at + CHUNK));
        }

        return true;
    }

    /** Resolves when at most so many bytes wait, or the pipe has closed. */
    async drained(most = CHUNK) {
        while (!this.#closed && this.waiting > most) {
            await new Promise((go) => this.#clock.setTimeout(go, LOOK_MS));
        }
    }

    /** No more from here; what the other side has to say still comes. */
    end() {
        if (this.#stream && !this.#closed && !this.#ended
            && this.#socket.readyState === 1)
        {
            this.#ended = true;
            this.#socket.send(new Uint8Array(0));
            this.#maybeDone();
        }
    }

    /** Ends both directions at once. */
    close() {
        this.#finish(new RsError("aborted"));
    }
}
