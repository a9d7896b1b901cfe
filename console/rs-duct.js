
/*
 * Copyright (C) rs-gateway contributors
 *
 * A sealed pipe to a session's host, in the shape of an RTCPeerConnection as
 * far as rs-peer.js and rs-channel.js use one: data channels, a stream, a
 * state.  "Over a pipe" of docs/protocol/peer.md.  No DOM.
 */

import { DATA_MAX } from "./rs-seal.js";


const OPEN = 1;
const TEXT = 2;
const BINARY = 3;
const CLOSE = 4;
const SEEN = 5;
const VIDEO = 6;
const START = 7;

const CHANNELS = 16;
const MESSAGE_MAX = 4 * 1024 * 1024;        /* of the host: a frame */
const VIDEO_HEAD = 15;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", {fatal: true});


/** In the shape of an RTCDataChannel. */
class DuctChannel {
    #duct;

    readyState = "connecting";
    binaryType = "arraybuffer";
    bufferedAmountLowThreshold = 0;
    onopen = null;
    onmessage = null;
    onclose = null;
    onbufferedamountlow = null;

    constructor(duct, label, number) {
        this.#duct = duct;
        this.label = label;
        this.number = number;
    }

    /* of all channels: they share a pipe */
    get bufferedAmount() {
        return this.#duct.waiting;
    }

    send(data) {
        if (this.readyState === "open") {
            this.#duct.say(typeof data === "string" ? TEXT : BINARY,
                           this.number, typeof data === "string"
                                        ? encoder.encode(data) : bytesOf(data));
        }
    }

    close() {
        this.#duct.shut(this);
    }
}


function bytesOf(data) {
    return ArrayBuffer.isView(data)
           ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
           : new Uint8Array(data);
}


export class RsDuct {
    #pipe;
    #seal;
    #screen;
    #now;
    #channels = [];
    #out = Promise.resolve();
    #in = Promise.resolve();
    #pending = 0;           /* bytes that are being sealed */
    #full = false;
    #parts = [];            /* of a message of the host */
    #size = 0;
    #firstAt = 0;
    #bytes = 0;

    connectionState = "connecting";
    onconnectionstatechange = null;

    /**
     * @param {{pipe: import("./rs-pipe.js").RsPipe,
     *          seal: import("./rs-seal.js").RsSeal,
     *          screen: import("./rs-decoder.js").RsDecoder,
     *          now?: () => number}} o  now: in ms
     */
    constructor({pipe, seal, screen, now = () => performance.now()}) {
        this.#pipe = pipe;
        this.#seal = seal;
        this.#screen = screen;
        this.#now = now;

        pipe.addEventListener("open", () => this.#record(
            Uint8Array.of(START)));
        pipe.addEventListener("data", (ev) => this.#onData(ev.detail));
        pipe.addEventListener("close", () => this.#end("failed"));
    }

    get stream() {
        return this.#screen.stream;
    }

    /** Bytes of the host, and what became of its frames. */
    get figures() {
        return {bytes: this.#bytes, video: {...this.#screen.figures}};
    }

    /** Bytes that have not left. */
    get waiting() {
        return this.#pending + this.#pipe.waiting;
    }

    createDataChannel(label) {
        const number = [...Array(CHANNELS).keys()].find(
            (n) => this.#channels.every((ch) => ch.number !== n));

        if (number === undefined) {
            throw new RangeError(`${CHANNELS} channels are there`);
        }

        const channel = new DuctChannel(this, label, number);

        this.#channels.push(channel);

        if (this.connectionState === "connected") {
            queueMicrotask(() => this.#open(channel));
        }

        return channel;
    }

    #open(channel) {
        if (channel.readyState === "connecting"
            && this.connectionState === "connected")
        {
            this.say(OPEN, channel.number, encoder.encode(channel.label));
            channel.readyState = "open";
            channel.onopen?.();
        }
    }

    /** For channels. */
    say(type, number, bytes) {
        const all = new Uint8Array(2 + bytes.length);

        all[0] = type;
        all[1] = number;
        all.set(bytes, 2);
        this.#record(all);
    }

    shut(channel) {
        if (channel.readyState === "open") {
            this.say(CLOSE, channel.number, new Uint8Array(0));
        }

        this.#gone(channel);
    }

    #gone(channel) {
        channel.readyState = "closed";
        this.#channels = this.#channels.filter((ch) => ch !== channel);
    }

    #record(message) {
        for (let at = 0; at < message.length; at += DATA_MAX) {
            const part = message.subarray(at, at + DATA_MAX);
            const made = this.#seal.make(part,
                                         at + DATA_MAX < message.length);

            this.#pending += part.length;
            made.catch(() => {});
            this.#out = this.#out.then(async () => {
                const record = await made;

                this.#pending -= part.length;
                this.#pipe.send(record);
                this.#drain();

            }).catch(() => this.#end("failed"));
        }
    }

    #drain() {
        const low = (n) => this.#channels.filter(
            (ch) => ch.readyState === "open"
                    && n <= ch.bufferedAmountLowThreshold);

        if (this.waiting > 0) {
            this.#full = true;
        }

        if (this.#full && this.#pending === 0) {
            this.#full = false;
            this.#pipe.drained(0).then(() => {
                for (const channel of low(this.waiting)) {
                    channel.onbufferedamountlow?.();
                }
            });
        }
    }

    #onData(record) {
        const at = this.#now();

        this.#bytes += record.length;
        this.#in = this.#in.then(async () => {
            const {data, more} = await this.#seal.take(record);

            if (this.connectionState !== "closed") {
                this.#onRecord(data, more, at);
            }

        }).catch(() => this.#end("failed"));
    }

    #onRecord(data, more, at) {
        if (this.connectionState === "connecting") {
            this.connectionState = "connected";
            this.onconnectionstatechange?.();
            this.#channels.slice().forEach((ch) => this.#open(ch));
        }

        if (this.#parts.length === 0) {
            this.#firstAt = at;
        }

        this.#parts.push(data);
        this.#size += data.length;

        if (this.#size > MESSAGE_MAX) {
            throw new RangeError("a message of the host is too long");
        }

        if (more) {
            return;
        }

        const message = new Uint8Array(this.#size);
        let end = 0;

        for (const part of this.#parts) {
            message.set(part, end);
            end += part.length;
        }

        this.#parts = [];
        this.#size = 0;
        this.#onMessage(message, at);
    }

    #onMessage(message, at) {
        if (message[0] === VIDEO && message.length > VIDEO_HEAD) {
            this.#onVideo(message, at);
            return;
        }

        const channel = this.#channels.find((ch) => ch.number === message[1]);

        /* of a channel that is closed here, or a later version's */
        if (channel === undefined || channel.readyState !== "open") {
            return;
        }

        switch (message[0]) {

        case TEXT:
            channel.onmessage?.({data: decoder.decode(message.subarray(2))});
            break;

        case BINARY:
            channel.onmessage?.({data: message.slice(2).buffer});
            break;

        case CLOSE:
            this.#gone(channel);
            channel.onclose?.();
            break;
        }
    }

    #onVideo(message, at) {
        const view = new DataView(message.buffer);
        const seen = new DataView(new ArrayBuffer(22));

        this.#screen.push((message[1] & 1) === 1,
                          Number(view.getBigUint64(7)),
                          message.subarray(VIDEO_HEAD));

        seen.setUint8(0, SEEN);
        seen.setUint8(1, this.#screen.lost ? 1 : 0);
        seen.setUint32(2, view.getUint32(3));
        seen.setBigUint64(6, BigInt(Math.round(this.#firstAt * 1000)));
        seen.setBigUint64(14, BigInt(Math.round(at * 1000)));
        this.#screen.lost = false;
        this.#record(new Uint8Array(seen.buffer));
    }

    #end(state) {
        if (this.connectionState === "closed"
            || this.connectionState === "failed")
        {
            return;
        }

        this.connectionState = state;
        this.#pipe.close();
        this.#screen.close();

        for (const channel of this.#channels.splice(0)) {
            channel.readyState = "closed";

            if (state === "failed") {
                channel.onclose?.();
            }
        }

        if (state === "failed") {
            this.onconnectionstatechange?.();
        }
    }

    /* without a word, as an RTCPeerConnection */
    close() {
        this.#end("closed");
    }
}
