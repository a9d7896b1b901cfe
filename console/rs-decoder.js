
/*
 * Copyright (C) rs-gateway contributors
 *
 * Encoded frames into a MediaStream, by WebCodecs: what a video element shows
 * as it shows that of a connection.  The browser's classes can be handed in.
 */


const QUEUE_MAX = 30;               /* frames a decoder may have waiting */

const NAMES = new Map([["vp8", "vp8"], ["h264", "avc1.42e01f"]]);


/** The codecs of a pipe that this browser decodes, "vp8,h264"; "": none. */
export async function codecsOf({VideoDecoder} = globalThis) {
    const found = [];

    for (const [name, codec] of NAMES) {
        try {
            const {supported} = await VideoDecoder.isConfigSupported({codec});

            if (supported) {
                found.push(name);
            }

        } catch {
            /* no WebCodecs, or not this one */
        }
    }

    return found.join(",");
}


/** "avc1.…" of the parameter set in a key frame, RFC 6381; null: there is
 *  none. */
export function h264Name(bytes) {
    for (let i = 0; i + 6 < bytes.length; i++) {
        if (bytes[i] === 0 && bytes[i + 1] === 0 && bytes[i + 2] === 1
            && (bytes[i + 3] & 31) === 7)
        {
            return "avc1." + [...bytes.subarray(i + 4, i + 7)]
                   .map((b) => b.toString(16).padStart(2, "0")).join("");
        }
    }

    return null;
}


/* frames into a track: the browser's own way, or a canvas that is captured */
function screenOf({MediaStreamTrackGenerator, MediaStream, document}) {
    if (MediaStreamTrackGenerator !== undefined) {
        const track = new MediaStreamTrackGenerator({kind: "video"});
        const writer = track.writable.getWriter();

        return {
            stream: new MediaStream([track]),
            show: (frame) => writer.write(frame).catch(() => frame.close()),
            close: () => track.stop(),
        };
    }

    const canvas = document.createElement("canvas");
    const context = canvas.getContext("2d", {alpha: false});
    const stream = canvas.captureStream();

    return {
        stream,
        show: (frame) => {
            if (canvas.width !== frame.displayWidth
                || canvas.height !== frame.displayHeight)
            {
                canvas.width = frame.displayWidth;
                canvas.height = frame.displayHeight;
            }

            context.drawImage(frame, 0, 0);
            frame.close();
        },
        close: () => stream.getTracks().forEach((track) => track.stop()),
    };
}


export class RsDecoder {
    #codec;
    #globals;
    #screen;
    #decoder = null;
    #name = null;
    #waits = true;          /* for a key frame */
    #began = new Map();     /* time of a frame -> when it was given */
    #closed = false;

    /** A key frame is needed: what was given before is not shown. */
    lost = false;
    figures = {width: 0, height: 0, frames: 0, fps: 0, bytes: 0, dropped: 0,
               decode_ms: 0};

    /** @param {{codec: "vp8"|"h264", globals?: object}} o */
    constructor({codec, globals = globalThis}) {
        this.#codec = codec;
        this.#globals = globals;
        this.#screen = screenOf(globals);
    }

    get stream() {
        return this.#screen.stream;
    }

    #configure(bytes) {
        const name = this.#codec === "h264" ? h264Name(bytes)
                                            : NAMES.get(this.#codec);

        if (name === null) {
            return false;
        }

        if (this.#decoder === null || this.#decoder.state === "closed") {
            this.#decoder = new this.#globals.VideoDecoder({
                output: (frame) => this.#onFrame(frame),
                error: () => this.#lose(),
            });
            this.#name = null;
        }

        if (this.#name !== name) {
            this.#decoder.configure({codec: name, optimizeForLatency: true});
            this.#name = name;
        }

        return true;
    }

    #lose() {
        this.#waits = true;
        this.lost = true;
        this.#began.clear();
    }

    #onFrame(frame) {
        const began = this.#began.get(frame.timestamp);

        if (this.#closed) {
            frame.close();
            return;
        }

        if (began !== undefined) {
            this.figures.decode_ms += this.#globals.performance.now() - began;
            this.#began.delete(frame.timestamp);
        }

        this.figures.width = frame.displayWidth;
        this.figures.height = frame.displayHeight;
        this.figures.frames++;
        this.#screen.show(frame);
    }

    /** One frame; lost tells whether a key frame is wanted after it. */
    push(key, time, bytes) {
        this.figures.bytes += bytes.length;

        if (this.#closed || (this.#waits && !key)) {
            this.figures.dropped++;
            return;
        }

        try {
            if (key && !this.#configure(bytes)) {
                this.#lose();
                return;
            }

            if (!key && this.#decoder.decodeQueueSize > QUEUE_MAX) {
                this.figures.dropped++;
                this.#lose();
                return;
            }

            this.#began.set(time, this.#globals.performance.now());
            this.#decoder.decode(new this.#globals.EncodedVideoChunk({
                type: key ? "key" : "delta", timestamp: time, data: bytes}));
            this.#waits = false;

        } catch {
            this.#lose();
        }
    }

    close() {
        if (!this.#closed) {
            this.#closed = true;
            this.#screen.close();

            if (this.#decoder !== null && this.#decoder.state !== "closed") {
                this.#decoder.close();
            }
        }
    }
}
