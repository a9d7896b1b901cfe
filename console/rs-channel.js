
/*
 * Copyright (C) rs-gateway contributors
 *
 * A data channel to the host that outlives the lines it runs over.  RsPeer
 * makes one of each label that is asked for (peer.channel(label)), and gives
 * it a data channel of each of its lines: when a line is replaced, "close"
 * comes, and "open" once the next one stands.  What was under way by then is
 * lost; whoever needs it goes on over the new one.
 *
 * An open channel says nothing of the host: one that does not know a label
 * leaves it unanswered.  A feature is there after its own hello.
 */

import { RsEvent } from "./rs-client.js";


const TEXT_MAX = 65536;
const BUFFERED_MAX = 262144;
const BUFFERED_LOW = 65536;


/**
 * Events, each an RsEvent:
 *
 *   open                          it can be sent to
 *   message  object               a JSON object of the host
 *   binary   ArrayBuffer          bytes of the host
 *   drained                       little is unsent: room for more
 *   close                         the line broke, or another takes its place
 */
export class RsChannel extends EventTarget {
    #channel = null;

    /** @param {string} label */
    constructor(label) {
        super();
        this.label = label;
    }

    /** It can be sent to. */
    get open() {
        return this.#channel?.readyState === "open";
    }

    /** Bytes that were sent and have not left. */
    get buffered() {
        return this.#channel?.bufferedAmount ?? 0;
    }

    /** Sends an object as JSON. False: not open, or too much is unsent. */
    send(message) {
        return this.#send(JSON.stringify(message));
    }

    /** @param {ArrayBuffer|ArrayBufferView} bytes  at most 16 KiB */
    sendBinary(bytes) {
        return this.#send(bytes);
    }

    #send(frame) {
        if (!this.open || this.buffered > BUFFERED_MAX) {
            return false;
        }

        this.#channel.send(frame);

        return true;
    }

    /** For RsPeer: over this connection from now on; null: over none. */
    attach(pc) {
        const before = this.#channel;

        this.#channel = null;

        if (before !== null) {
            before.onopen = null;
            before.onmessage = null;
            before.onclose = null;
            before.onbufferedamountlow = null;

            if (before.readyState !== "connecting") {
                this.dispatchEvent(new RsEvent("close"));
            }

            if (before.readyState === "open") {
                before.close();
            }
        }

        const channel = (pc === null) ? null : dataChannel(pc, this.label);

        if (channel === null) {
            return;
        }

        this.#channel = channel;
        channel.binaryType = "arraybuffer";
        channel.bufferedAmountLowThreshold = BUFFERED_LOW;
        channel.onopen = () => this.dispatchEvent(new RsEvent("open"));
        channel.onmessage = (ev) => this.#onMessage(ev.data);
        channel.onbufferedamountlow = () => {
            this.dispatchEvent(new RsEvent("drained"));
        };
        channel.onclose = () => {
            this.#channel = null;
            this.dispatchEvent(new RsEvent("close"));
        };
    }

    #onMessage(data) {
        if (typeof data !== "string") {
            this.dispatchEvent(new RsEvent("binary", data));
            return;
        }

        const message = parseObject(data);

        if (message !== null) {
            this.dispatchEvent(new RsEvent("message", message));
        }
    }
}


/** null where the browser has none to give. */
export function dataChannel(pc, label) {
    try {
        return pc.createDataChannel(label, {ordered: true});

    } catch {
        return null;
    }
}


/** The JSON object of a frame of the host, or null. */
export function parseObject(text) {
    if (typeof text !== "string" || text.length > TEXT_MAX) {
        return null;
    }

    try {
        const value = JSON.parse(text);

        return value !== null && typeof value === "object"
               && !Array.isArray(value) ? value : null;

    } catch {
        return null;
    }
}
