
/*
 * Copyright (C) rs-gateway contributors
 *
 * Files to the host and from it, over the channel rs-files of
 * docs/protocol/peer.md.  No DOM; the channel, the clock and where bytes go
 * can be handed in.
 *
 * Any number of files may be asked for; one in each direction is under way.
 * A line that is lost interrupts it, and it goes on over the next one from
 * where both sides agree on the hash of what is there.  A file to the host is
 * read and hashed again for that, since it may have changed; a file from the
 * host was hashed when it came.
 */

import { RsEvent, systemClock } from "./rs-client.js";
import { Sha256 } from "./rs-sha256.js";
import { openSink } from "./rs-sink.js";


const HEAD = 12;
const PIECE = 16384;
const WINDOW = 1024 * 1024;
const ACK = 256 * 1024;
const READ = 1024 * 1024;
const UNSENT = 128 * 1024;  /* less than RsChannel allows: words go, too */
const BUSY_MS = 1000;
const BUSY_MAX = 30;
const ID_MAX = 0x7fffffff;


/** Why a transfer failed, where the host did not say it. */
const WORDS = {
    read: "this browser cannot read the file any more",
    write: "this browser cannot keep the file",
    hash_mismatch: "the file that came is not the one that was sent",
    protocol: "the other side does not keep to the protocol",
};


/** One file on its way, or waiting for its turn. */
export class Transfer {
    /** "waiting" | "checking" | "running" | "paused" | "finishing" | "done"
     *  | "failed" | "cancelled" */
    state = "waiting";
    done = 0;               /* bytes that the receiver has */
    size = 0;
    blob = null;            /* down, done: the file */
    arrived = null;         /* up, done: the name it got */
    error = null;           /* failed: {code, message} */

    /* the rest is RsFiles' */
    id = 0;                 /* over this line */
    turn = 0;               /* what an older turn still does counts no more */
    acked = 0;
    sent = 0;
    busy = 0;
    anew = false;
    key = null;
    hash = null;
    sink = null;
    wake = null;
    writing = Promise.resolve();
    written = 0;
    unwritten = 0;

    constructor(direction, name, size, source) {
        this.direction = direction;
        this.name = name;
        this.size = size;
        this.source = source;
    }

    get over() {
        return this.state === "done" || this.state === "failed"
               || this.state === "cancelled";
    }
}


/** The digits of 16 random bytes. */
function newKey() {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)),
                      (byte) => byte.toString(16).padStart(2, "0")).join("");
}


function isCount(value) {
    return Number.isSafeInteger(value) && value >= 0;
}


function textOf(value, fallback) {
    return typeof value === "string" && value !== "" ? value.slice(0, 1024)
                                                     : fallback;
}


/**
 * Events, each an RsEvent:
 *
 *   state    {open, to_device, from_device, max, folder}   what the host
 *            allows; open: it is there now
 *   change   Transfer             a new one, or something of it changed
 *   removed  Transfer
 */
export class RsFiles extends EventTarget {
    #channel;
    #clock;
    #openSink;
    #undo = [];
    #ids = 0;
    #lists = new Map();     /* id -> {resolve, reject} */
    #timers = new Set();
    #transfers = [];
    #active = {up: null, down: null};

    /** What hello said last; open: over the line of now. */
    state = {open: false, to_device: false, from_device: false, max: 0,
             folder: ""};

    /**
     * @param {{channel: import("./rs-channel.js").RsChannel,
     *          clock?: import("./rs-client.js").Clock,
     *          openSink?: typeof openSink}} o
     */
    constructor(o) {
        super();
        this.#channel = o.channel;
        this.#clock = o.clock ?? systemClock;
        this.#openSink = o.openSink ?? openSink;

        this.#on("message", (ev) => this.#onMessage(ev.detail));
        this.#on("binary", (ev) => this.#onPiece(ev.detail));
        this.#on("drained", () => this.#active.up?.wake?.());
        this.#on("close", () => this.#onClose());
    }

    /** All that were asked for and not removed. */
    get transfers() {
        return [...this.#transfers];
    }

    #on(type, f) {
        this.#channel.addEventListener(type, f);
        this.#undo.push(() => this.#channel.removeEventListener(type, f));
    }

    #say(type, detail) {
        this.dispatchEvent(new RsEvent(type, detail));
    }

    #change(t, state = t.state) {
        t.state = state;
        this.#say("change", t);
    }

    #later(ms, f) {
        const timer = this.#clock.setTimeout(() => {
            this.#timers.delete(timer);
            f();
        }, ms);

        this.#timers.add(timer);
    }

    #nextId() {
        this.#ids = this.#ids % ID_MAX + 1;
        return this.#ids;
    }

    /* what the user wants */

    /** @param {Iterable<File>} files */
    send(files) {
        for (const file of files) {
            const t = new Transfer("up", file.name, file.size, file);

            t.key = newKey();
            this.#add(t);
        }
    }

    /** @param {{name: string, size: number}} file  of a list */
    fetch(file) {
        this.#add(new Transfer("down", file.name, file.size, null));
    }

    #add(t) {
        this.#transfers.push(t);
        this.#change(t);
        this.#turn(t.direction);
    }

    /** The host's files behind a name, in the order of their bytes. */
    list(after = "") {
        if (!this.state.open) {
            return Promise.reject(new Error("no connection"));
        }

        const id = this.#nextId();

        return new Promise((resolve, reject) => {
            this.#lists.set(id, {resolve, reject});

            if (!this.#channel.send({type: "list", id,
                                     ...(after === "" ? {} : {after})}))
            {
                this.#lists.delete(id);
                reject(new Error("no connection"));
            }
        });
    }

    pause(t) {
        if (t.state === "running" || t.state === "checking"
            || t.state === "waiting")
        {
            this.#stop(t, true);
            this.#change(t, "paused");
            this.#turn(t.direction);
        }
    }

    /** Goes on with one that was paused or has failed. */
    resume(t) {
        if (t.state === "paused" || t.state === "failed") {
            t.error = null;
            t.busy = 0;
            this.#change(t, "waiting");
            this.#turn(t.direction);
        }
    }

    cancel(t) {
        if (!t.over && t.state !== "finishing") {
            this.#stop(t, false);
            this.#drop(t);
            this.#change(t, "cancelled");
            this.#turn(t.direction);
        }
    }

    /** One that is over goes from the list. */
    remove(t) {
        if (t.over) {
            this.#transfers = this.#transfers.filter((other) => other !== t);
            this.#drop(t);
            t.blob = null;
            this.#say("removed", t);
        }
    }

    close() {
        for (const undo of this.#undo.splice(0)) {
            undo();
        }

        this.#onClose();

        for (const t of this.#transfers) {
            t.turn++;
            this.#drop(t);
        }
    }

    /* turns */

    #turn(direction) {
        const allowed = direction === "up" ? this.state.to_device
                                           : this.state.from_device;

        if (!this.state.open || !allowed || this.#active[direction] !== null) {
            return;
        }

        const t = this.#transfers.find((one) => one.direction === direction
                                                && one.state === "waiting");

        if (t === undefined) {
            return;
        }

        this.#active[direction] = t;
        t.id = this.#nextId();
        t.turn++;

        if (direction === "up") {
            this.#put(t);

        } else {
            this.#get(t);
        }
    }

    #tell(message) {
        return this.#channel.send(message);
    }

    /* ends its turn, whatever is under way */
    #stop(t, keep) {
        if (this.#active[t.direction] !== t) {
            return;
        }

        this.#tell({type: "cancel", id: t.id, ...(keep ? {keep} : {})});
        this.#leave(t);
    }

    #leave(t) {
        if (this.#active[t.direction] === t) {
            this.#active[t.direction] = null;
        }

        t.turn++;
        t.wake?.();
    }

    #drop(t) {
        const {sink} = t;

        t.sink = null;
        t.hash = null;
        t.done = 0;

        if (sink !== null) {
            t.writing = t.writing.then(() => sink.discard(), () =>
                sink.discard());
        }
    }

    #fail(t, code, message) {
        this.#leave(t);

        if (t.direction === "down") {
            this.#drop(t);
        }

        t.error = {code, message: textOf(message, WORDS[code] ?? code)};
        this.#change(t, "failed");
        this.#turn(t.direction);
    }

    /* what is wrong on this side is told to the other */
    #giveUp(t, code, message) {
        this.#tell({type: "cancel", id: t.id});
        this.#fail(t, code, message);
    }

    #onClose() {
        const {open} = this.state;

        for (const timer of this.#timers) {
            this.#clock.clearTimeout(timer);
        }

        this.#timers.clear();

        for (const {reject} of this.#lists.values()) {
            reject(new Error("no connection"));
        }

        this.#lists.clear();

        for (const t of [this.#active.up, this.#active.down]) {
            if (t !== null) {
                this.#leave(t);
                this.#change(t, "waiting");
            }
        }

        for (const t of this.#transfers) {
            t.busy = 0;
        }

        if (open) {
            this.state = {...this.state, open: false};
            this.#say("state", this.state);
        }
    }

    /* what the host says */

    #onMessage(m) {
        switch (m.type) {

        case "hello":
            this.#onHello(m);
            break;

        case "files":
            this.#onList(m);
            break;

        case "ready":
            this.#onReady(m);
            break;

        case "sending":
            this.#onSending(m);
            break;

        case "ack":
            this.#onAck(m);
            break;

        case "end":
            this.#onEnd(m);
            break;

        case "done":
            this.#onDone(m);
            break;

        case "error":
            this.#onError(m);
            break;
        }
    }

    #onHello(m) {
        this.state = {
            open: true,
            to_device: m.to_device === true,
            from_device: m.from_device === true,
            max: isCount(m.max) ? m.max : 0,
            folder: textOf(m.folder, ""),
        };
        this.#ids = 0;
        this.#say("state", this.state);
        this.#turn("up");
        this.#turn("down");
    }

    #onList(m) {
        const list = this.#lists.get(m.id);
        const files = Array.isArray(m.files) ? m.files : [];

        this.#lists.delete(m.id);
        list?.resolve({
            more: m.more === true,
            files: files.filter((f) => typeof f?.name === "string"
                                       && isCount(f.size))
                        .map(({name, size, mtime}) => ({
                            name, size, mtime: isCount(mtime) ? mtime : 0})),
        });
    }

    /* the one of this direction, if it is the one that is meant */
    #of(direction, id) {
        const t = this.#active[direction];

        return t !== null && t.id === id ? t : null;
    }

    #onError(m) {
        const list = this.#lists.get(m.id);
        const t = this.#of("up", m.id) ?? this.#of("down", m.id);

        if (list !== undefined) {
            this.#lists.delete(m.id);
            list.reject(new Error(textOf(m.message, "refused")));
            return;
        }

        if (t === null) {
            return;
        }

        /* the line of before is not gone yet, or its file not on the disk */
        if (m.code === "busy" && t.busy++ < BUSY_MAX) {
            const {turn} = t;

            this.#later(BUSY_MS, () => {
                if (t.turn === turn) {
                    this.#leave(t);
                    t.state = "waiting";
                    this.#turn(t.direction);
                }
            });

            return;
        }

        /* another file by now: all of it, once */
        if (m.code === "changed" && t.direction === "down" && t.done > 0) {
            this.#leave(t);
            this.#drop(t);
            this.#change(t, "waiting");
            this.#turn("down");
            return;
        }

        this.#fail(t, textOf(m.code, "refused"), m.message);
    }

    #onAck(m) {
        const t = this.#of("up", m.id);

        if (t !== null && isCount(m.offset) && m.offset > t.acked
            && m.offset <= t.sent)
        {
            t.acked = m.offset;
            t.done = m.offset;
            t.wake?.();
            this.#change(t);
        }
    }

    /* to the host */

    #put(t) {
        const {anew} = t;
        const mtime = Math.floor((t.source.lastModified ?? 0) / 1000);

        t.anew = false;
        t.size = t.source.size;
        this.#change(t, "checking");
        this.#tell({type: "put", id: t.id, name: t.name, key: t.key,
                    size: t.size, ...(mtime > 0 ? {mtime} : {}),
                    ...(anew ? {anew} : {})});
    }

    async #onReady(m) {
        const t = this.#of("up", m.id);

        if (t === null || t.state !== "checking") {
            return;
        }

        const {turn} = t;

        if (!isCount(m.offset) || m.offset > t.size) {
            this.#giveUp(t, "protocol");
            return;
        }

        try {
            t.hash = new Sha256();
            t.sent = 0;
            t.acked = 0;

            for await (const bytes of this.#read(t, 0, m.offset)) {
                t.hash.update(bytes);

                if (t.turn !== turn) {
                    return;
                }
            }

            if (m.offset > 0 && t.hash.hex() !== m.sha256) {
                this.#leave(t);
                t.anew = true;
                t.state = "waiting";
                this.#turn("up");
                return;
            }

            t.sent = m.offset;
            t.acked = m.offset;
            t.done = m.offset;
            this.#change(t, "running");
            await this.#pour(t, turn);

        } catch (e) {
            if (t.turn === turn) {
                this.#giveUp(t, "read", `${WORDS.read}: ${e.message}`);
            }
        }
    }

    async *#read(t, from, to) {
        for (let at = from; at < to; at += READ) {
            const end = Math.min(at + READ, to);
            const bytes = await t.source.slice(at, end).arrayBuffer();

            if (bytes.byteLength !== end - at) {
                throw new Error("it became shorter");
            }

            yield new Uint8Array(bytes);
        }
    }

    async #pour(t, turn) {
        const frame = new Uint8Array(HEAD + PIECE);
        const head = new DataView(frame.buffer);

        for await (const bytes of this.#read(t, t.sent, t.size)) {
            for (let at = 0; at < bytes.length; at += PIECE) {
                const piece = bytes.subarray(at, at + PIECE);

                await this.#room(t, turn);

                if (t.turn !== turn) {
                    return;
                }

                t.hash.update(piece);
                head.setUint32(0, t.id);
                head.setBigUint64(4, BigInt(t.sent));
                frame.set(piece, HEAD);
                t.sent += piece.length;

                if (!this.#channel.sendBinary(
                        frame.subarray(0, HEAD + piece.length)))
                {
                    return;     /* it closed: the next line goes on */
                }
            }
        }

        if (t.turn === turn) {
            this.#change(t, "finishing");
            this.#tell({type: "end", id: t.id, sha256: t.hash.hex()});
        }
    }

    /* waits until another piece may go, or its turn is over */
    async #room(t, turn) {
        while (t.turn === turn
               && (t.sent - t.acked > WINDOW - PIECE
                   || this.#channel.buffered > UNSENT))
        {
            await new Promise((resolve) => {
                t.wake = resolve;
            });
            t.wake = null;
        }
    }

    #onDone(m) {
        const t = this.#of("up", m.id);

        if (t !== null && t.state === "finishing") {
            this.#leave(t);
            t.done = t.size;
            t.hash = null;
            t.arrived = textOf(m.name, t.name);
            this.#change(t, "done");
            this.#turn("up");
        }
    }

    /* from the host */

    async #get(t) {
        const {turn} = t;

        this.#change(t, "checking");

        try {
            await t.writing;

            if (t.sink === null) {
                t.hash = new Sha256();
                t.sent = 0;
                t.written = 0;
                t.unwritten = 0;
                t.sink = await this.#openSink();
            }

        } catch (e) {
            if (t.turn === turn) {
                this.#fail(t, "write", `${WORDS.write}: ${e.message}`);
            }

            return;
        }

        if (t.turn !== turn) {
            return;
        }

        /* what came is what was hashed: t.sent */
        this.#tell({type: "get", id: t.id, name: t.name,
                    ...(t.sent > 0 ? {offset: t.sent,
                                      sha256: t.hash.hex()} : {})});
    }

    #onSending(m) {
        const t = this.#of("down", m.id);

        if (t === null || t.state !== "checking") {
            return;
        }

        if (!isCount(m.size) || m.offset !== t.sent || m.size < t.sent) {
            this.#giveUp(t, "protocol");
            return;
        }

        t.size = m.size;
        t.acked = t.sent;
        this.#change(t, "running");
    }

    #onPiece(data) {
        if (!(data instanceof ArrayBuffer) || data.byteLength <= HEAD) {
            return;
        }

        const head = new DataView(data);
        const t = this.#of("down", head.getUint32(0));
        const bytes = new Uint8Array(data, HEAD);

        if (t === null || t.state !== "running") {
            return;
        }

        t.unwritten += bytes.length;

        if (head.getBigUint64(4) !== BigInt(t.sent)
            || t.sent + bytes.length > t.size || t.unwritten > 2 * WINDOW)
        {
            this.#giveUp(t, "protocol");
            return;
        }

        const {turn, sink} = t;

        t.hash.update(bytes);
        t.sent += bytes.length;
        t.writing = t.writing.then(() => sink.write(bytes)).then(
            () => this.#wrote(t, sink, bytes.length),
            (e) => {
                if (t.turn === turn) {
                    this.#giveUp(t, "write", `${WORDS.write}: ${e.message}`);
                }
            });
    }

    #wrote(t, sink, n) {
        if (t.sink !== sink) {
            return;
        }

        t.written += n;
        t.unwritten -= n;
        t.done = t.written;

        if (this.#active.down === t && t.state === "running"
            && (t.written - t.acked >= ACK || t.written === t.size))
        {
            t.acked = t.written;
            this.#tell({type: "ack", id: t.id, offset: t.written});
            this.#change(t);
        }
    }

    async #onEnd(m) {
        const t = this.#of("down", m.id);

        if (t === null || t.state !== "running") {
            return;
        }

        if (t.sent !== t.size || t.hash.hex() !== m.sha256) {
            this.#fail(t, "hash_mismatch");
            return;
        }

        const {sink} = t;

        /* nothing is needed of the line any more */
        this.#leave(t);
        this.#change(t, "finishing");
        this.#turn("down");

        try {
            await t.writing;
            t.blob = await sink.finish();
            t.hash = null;
            t.done = t.size;
            this.#change(t, "done");

        } catch (e) {
            this.#fail(t, "write", `${WORDS.write}: ${e.message}`);
        }
    }
}
