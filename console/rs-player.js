
/*
 * Copyright (C) rs-gateway contributors
 *
 * Plays the media files of a recording in a <video>, by MediaSource, one
 * after the other: each is opened when it is near, and dropped when it is
 * long past, so that a recording of hours plays like a short one.  Seeking
 * begins at the file with a key frame before the place; where nothing was
 * recorded it goes on behind.
 *
 * headLength() and nearest() are pure.
 */

import { RsError, RsEvent } from "./rs-api.js";


const AHEAD_S = 30;
const BEHIND_S = 60;
const EDGE_S = 0.05;        /* the end of what is there */
const STALL_S = 0.5;        /* the same, once the browser waits for more */
const CLUSTER = 0x1f43b675;
const SEGMENT = 0x18538067;
const UNKNOWN = -1;


/* an EBML number at a place: [value, bytes]; the marker stays in an id */
function vint(bytes, at, keep) {
    const first = bytes[at] ?? 0;
    const length = first === 0 ? 9 : Math.clz32(first) - 23;

    if (length > 8 || at + length > bytes.length) {
        return [0, 0];
    }

    let value = keep ? first : first & (0xff >> length);
    let ones = (first & (0xff >> length)) === (0xff >> length);

    for (let i = 1; i < length; i++) {
        value = value * 256 + bytes[at + i];
        ones = ones && bytes[at + i] === 0xff;
    }

    return [!keep && ones ? UNKNOWN : value, length];
}


/**
 * How long the head of a WebM file is: what comes before its first cluster.
 * 0: there is none, or no cluster.
 *
 * @param {Uint8Array} bytes
 */
export function headLength(bytes) {
    let at = 0;

    while (at < bytes.length) {
        const [id, i] = vint(bytes, at, true);
        const [size, s] = vint(bytes, at + i, false);

        if (i === 0 || s === 0) {
            return 0;
        }

        if (id === CLUSTER) {
            return at;
        }

        /* what is in a segment follows at once */
        at += i + s + (id === SEGMENT ? 0 : size);

        if (size === UNKNOWN && id !== SEGMENT) {
            return 0;
        }
    }

    return 0;
}


/**
 * The number of the file to begin with for a place: the last one with a key
 * frame that does not begin behind it, or the first one.
 *
 * @param {Array<{t_ms: number, key: boolean}>} media
 */
export function nearest(media, ms) {
    const i = media.findLastIndex((m) => m.t_ms <= ms && m.key);

    return i < 0 ? Math.max(0, media.findIndex((m) => m.key)) : i;
}


/**
 * Events, each an RsEvent: problem RsError, of one file, which is left out.
 */
export class RsPlayer extends EventTarget {
    #video;
    #media;
    #duration;
    #unseal;
    #source = new MediaSource();
    #url;
    #buffer = null;
    #heads = new Map();     /* number of a file with a head -> the head */
    #run = -1;              /* number of the file whose head counts now */
    #next = 0;              /* file to be appended */
    #busy = false;
    #stalled = false;
    #closed = false;
    #undo = [];

    /**
     * @param {{video: HTMLVideoElement,
     *          media: Array<{file: string, t_ms: number, dur_ms: number,
     *                        key: boolean, init: boolean, mime?: string}>,
     *          duration_ms: number,
     *          unseal: (file: string) => Promise<Uint8Array>}} o
     */
    constructor({video, media, duration_ms, unseal}) {
        super();
        this.#video = video;
        this.#media = media;
        this.#duration = duration_ms / 1000;
        this.#unseal = unseal;
        this.#url = URL.createObjectURL(this.#source);
    }

    /** Resolves when there is a picture to look at. RsError: no_media */
    async open() {
        const mime = this.#media.find((m) => m.init)?.mime ?? "";

        if (!MediaSource.isTypeSupported(mime)) {
            throw new RsError("no_media", {detail: mime});
        }

        await new Promise((resolve) => {
            this.#source.addEventListener("sourceopen", () => resolve(),
                                          {once: true});
            this.#video.src = this.#url;
        });

        this.#buffer = this.#source.addSourceBuffer(mime);
        this.#source.duration = this.#duration;

        const on = (type, f) => {
            this.#video.addEventListener(type, f);
            this.#undo.push(() => this.#video.removeEventListener(type, f));
        };

        on("seeking", () => {
            this.#stalled = false;
            this.#seek();
        });
        on("playing", () => {
            this.#stalled = false;
        });
        on("timeupdate", () => this.#feed());
        on("waiting", () => {
            this.#stalled = true;
            this.#feed();
        });
        await this.#feed();
    }

    close() {
        this.#closed = true;

        for (const undo of this.#undo.splice(0)) {
            undo();
        }

        this.#video.pause();
        this.#video.removeAttribute("src");
        this.#video.load();
        URL.revokeObjectURL(this.#url);
    }

    /* a place that is there already needs nothing but what follows it */
    #seek() {
        const t = this.#video.currentTime;
        const ranges = this.#buffer.buffered;

        for (let i = 0; i < ranges.length; i++) {
            if (ranges.start(i) <= t && t < ranges.end(i)) {
                const end = ranges.end(i) * 1000;
                const next = this.#media.findIndex(
                    (m) => m.t_ms + m.dur_ms > end + 1);

                this.#next = next < 0 ? this.#media.length : next;
                this.#feed();
                return;
            }
        }

        this.#next = nearest(this.#media, t * 1000);
        this.#feed();
    }

    /* one at a time; what changes meanwhile is seen in the next round */
    async #feed() {
        if (this.#busy || this.#closed) {
            return;
        }

        this.#busy = true;

        try {
            while (!this.#closed && this.#wanted()) {
                const i = this.#next++;

                await this.#append(i);
            }

        } finally {
            this.#busy = false;
        }

        this.#jump();
        this.#finish();
    }

    #wanted() {
        const m = this.#media[this.#next];

        return m !== undefined
               && (m.t_ms <= (this.#video.currentTime + AHEAD_S) * 1000
                   || (!this.#inside && this.#behind < 0));
    }

    /* there is a picture at the place of now */
    get #inside() {
        const t = this.#video.currentTime;
        const ranges = this.#buffer.buffered;
        const edge = this.#stalled
                     ? STALL_S * Math.max(1, this.#video.playbackRate)
                     : EDGE_S;

        for (let i = 0; i < ranges.length; i++) {
            if (ranges.start(i) <= t && t < ranges.end(i) - edge) {
                return true;
            }
        }

        return false;
    }

    /* where the next one is that is buffered, -1: nowhere */
    get #behind() {
        const t = this.#video.currentTime;
        const ranges = this.#buffer.buffered;

        for (let i = 0; i < ranges.length; i++) {
            if (ranges.start(i) > t) {
                return ranges.start(i);
            }
        }

        return -1;
    }

    async #append(i) {
        const m = this.#media[i];

        try {
            const bytes = await this.#unseal(m.file);
            const run = m.init ? i : this.#media.findLastIndex(
                (other, at) => at < i && other.init);

            if (run !== this.#run) {
                await this.#change(run, m.init ? bytes : null);
            }

            await this.#write(m.init ? bytes.subarray(headLength(bytes))
                                     : bytes);

        } catch (e) {
            if (!this.#closed) {
                this.dispatchEvent(new RsEvent("problem",
                    e instanceof RsError ? e : new RsError("sealed_form", {
                        detail: `${m.file}: ${e?.message ?? e}`})));
            }
        }
    }

    /* another picture size, or other tracks: another head */
    async #change(run, bytes) {
        const first = this.#media[run];

        if (first === undefined) {
            throw new RsError("sealed_form", {detail: "without a head"});
        }

        if (!this.#heads.has(run)) {
            const whole = bytes ?? await this.#unseal(first.file);

            this.#heads.set(run, whole.slice(0, headLength(whole)));
        }

        if (this.#run >= 0 && this.#source.readyState === "open") {
            this.#buffer.abort();
        }

        this.#buffer.changeType(first.mime);
        await this.#write(this.#heads.get(run));
        this.#run = run;
    }

    async #write(bytes) {
        if (this.#closed || bytes.length === 0) {
            return;
        }

        try {
            await this.#settled(() => this.#buffer.appendBuffer(bytes));

        } catch (e) {
            if (e.name !== "QuotaExceededError") {
                throw e;
            }

            await this.#drop();
            await this.#settled(() => this.#buffer.appendBuffer(bytes));
        }
    }

    /* what is long past, and what a seek left far ahead */
    async #drop() {
        const t = this.#video.currentTime;

        if (t > BEHIND_S) {
            await this.#settled(() => this.#buffer.remove(0, t - BEHIND_S));
        }

        if (t + 2 * AHEAD_S < this.#duration) {
            await this.#settled(() => this.#buffer.remove(
                t + 2 * AHEAD_S, this.#duration));
        }
    }

    #settled(f) {
        return new Promise((resolve, reject) => {
            const done = () => {
                this.#buffer.removeEventListener("updateend", done);
                this.#buffer.removeEventListener("error", failed);
                resolve();
            };
            const failed = () => {
                this.#buffer.removeEventListener("updateend", done);
                this.#buffer.removeEventListener("error", failed);
                reject(new Error("the browser cannot read it"));
            };

            f();
            this.#buffer.addEventListener("updateend", done);
            this.#buffer.addEventListener("error", failed);
        });
    }

    /* over what was not recorded */
    #jump() {
        if (!this.#closed && !this.#inside && this.#behind >= 0) {
            this.#video.currentTime = this.#behind + EDGE_S / 5;
        }
    }

    /* the last file is there: the browser may come to the end */
    #finish() {
        if (!this.#closed && this.#next >= this.#media.length
            && this.#source.readyState === "open" && !this.#buffer.updating)
        {
            this.#source.endOfStream();
        }
    }
}
