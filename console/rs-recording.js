
/*
 * Copyright (C) rs-gateway contributors
 *
 * A recording, docs/design/recording.md: what its chain says, and whether all
 * of it is still what the recorder signed; and whether it is the recording
 * that a gateway knows, signed by a recorder that it knows.  No DOM, runs
 * under node; reads from Blobs, so that a recording of hours needs no memory.
 *
 * What is wrong is listed, never thrown: a recording of which one file was
 * changed is still to be looked at.
 */

import { RsError } from "./rs-api.js";
import { verifyEd25519 } from "./rs-identity.js";
import { readTar } from "./rs-tar.js";


const CONTEXT = "rs-recording-v1\0";
const CHAIN = "chain.jsonl";
const MANIFEST = "manifest.json";
const CHAIN_MAX = 64 * 1024 * 1024;
const LINE_MAX = 2048;
const TAIL = /,"sig":"([A-Za-z0-9_-]{86})"\}$/;
const NAME = /^(events\.)?\d{6}\.cms$/;
const HASH = /^[0-9a-f]{64}$/;
const ID = /^(?:rec|ses|dev)_[a-z2-7]{26}$/;
const FILE_MAX = 64 * 1024 * 1024;
const EVENTS_MAX = 100000;
const ZEROS = "0".repeat(64);


function hex(buffer) {
    return Array.from(new Uint8Array(buffer),
                      (byte) => byte.toString(16).padStart(2, "0")).join("");
}


function whole(value) {
    return Number.isSafeInteger(value) && value >= 0;
}


function parse(text) {
    try {
        const value = JSON.parse(text);

        return value !== null && typeof value === "object" ? value : null;

    } catch {
        return null;
    }
}


/* what a line of each kind has besides */
const FORMS = {
    __proto__: null,
    begin: (l) => typeof l.public_key === "string" && whole(l.started_at)
                  && HASH.test(l.manifest_sha256)
                  && [l.recording_id, l.session_id, l.device_id].every(
                      (id) => ID.test(id)),
    media: (l) => isFile(l) && whole(l.dur_ms),
    events: isFile,
    gap: (l) => whole(l.dur_ms),
    end: (l) => typeof l.state === "string",
};


function isFile(line) {
    return NAME.test(line.file) && HASH.test(line.sha256)
           && whole(line.bytes);
}


function isLine(line) {
    return line !== null && typeof line.kind === "string" && whole(line.n)
           && whole(line.t_ms) && HASH.test(line.prev)
           && FORMS[line.kind]?.(line) === true;
}


/* of the catalogue's row; of the first line; what differs */
const SAME = [
    ["id", "recording_id", "is another recording than the gateway's "
                           + "catalogue has under this id"],
    ["session_id", "session_id", "is of another session than the gateway's "
                                 + "catalogue says"],
    ["recorder_id", "device_id", "is of another recorder than the gateway's "
                                 + "catalogue says"],
];


/* what has to be known before it is said to be whole */
const KEY = {where: "The key", text: "it was signed with could not be "
             + "compared with a recorder's: it may be anybody's"};
const CATALOGUE = {where: "The gateway's catalogue", text: "gave no hash to "
                   + "compare it with: another recording may be in its "
                   + "place"};


/**
 * What a recording is said to be, in one sentence.
 * @param {Recording} it
 */
export function verdictWords({verdict, findings}) {
    return verdict === "whole"
        ? "Whole: every part is what the recorder signed."
        : verdict === "unverified"
        ? "Consistent, origin not verified: its parts fit, but it may be "
          + "another recording, or somebody else's."
        : findings.length === 1 ? "One thing is wrong with it:"
        : `${findings.length} things are wrong with it:`;
}


/* events say who it was once, and by the id from then on */
function withNames(events) {
    const names = new Map();

    for (const {type, id, name} of events) {
        if (type === "joined" && typeof id === "string"
            && typeof name === "string")
        {
            names.set(id, name);
        }
    }

    return events.map((event) => ({
        ...event, name: names.get(event.holder ?? event.id) ?? event.name}));
}


export class Recording {
    #files;
    #crypto;
    #sha256 = "";           /* of its chain */
    #listed = false;        /* the catalogue's hash is this one */
    #known = false;         /* the key is of a recorder of the gateway */

    /** What is wrong: {where, text}. */
    findings = [];
    /** Of chain.jsonl, those that are well formed. */
    lines = [];
    manifest = {};
    /** @type {any}  the first line, and the last one */
    begin = null;
    end = null;

    constructor(files, crypto) {
        this.#files = files;
        this.#crypto = crypto;
    }

    /**
     * Reads the archive and compares all of it with what was signed.  Who
     * signed, and whether it is the recording it is said to be: compare()
     * and signedBy().
     *
     * @param {Blob} blob
     * @param {{crypto?: Crypto, progress?: (part: number) => void}} [o]
     *     progress: from 0 to 1
     * @returns {Promise<Recording>}  RsError: archive_form
     */
    static async open(blob, o = {}) {
        const files = await readTar(blob);
        const chain = files.get(CHAIN);

        if (chain === undefined || chain.size > CHAIN_MAX) {
            throw new RsError("archive_form",
                              {detail: "there is no chain.jsonl in it"});
        }

        const it = new Recording(files, o.crypto ?? globalThis.crypto);

        it.#sha256 = await it.#digest(await chain.arrayBuffer());
        await it.#readChain(await chain.text());
        await it.#readFiles(o.progress ?? (() => {}));

        return it;
    }

    #find(where, text) {
        this.findings.push({where, text});
    }

    /**
     * Compares it with the catalogue's row of it; several are of one
     * recording, as it was listed and as it is now, and each counts.
     *
     * @param {...{id: string, session_id: string, recorder_id: string,
     *             sha256: string|null}} rows
     * @returns {string}  what the catalogue has, in words
     */
    compare(...rows) {
        const wrong = new Set();

        for (const row of rows) {
            for (const [name, member, text] of SAME) {
                if (row[name] !== this.begin?.[member]) {
                    wrong.add(text);
                }
            }
        }

        const hashes = rows.map((row) => row.sha256).filter(Boolean);
        const other = hashes.some((hash) => hash !== this.#sha256);

        if (other) {
            wrong.add("is not the one that the gateway knows of this "
                      + "recording");
        }

        for (const text of wrong) {
            this.#find(CHAIN, text);
        }

        this.#listed = hashes.length > 0 && !other;

        return other ? "with another hash"
               : this.#listed ? "with this hash" : "without a hash";
    }

    /**
     * Compares its key with the device that is said to have signed it.
     *
     * @param {any} device  as GET /devices/{id} has it
     * @returns {string}  whose key that is, in words
     */
    signedBy(device) {
        const name = device.name || device.id;
        const keys = [device.public_key,
                      ...(device.key_history ?? []).map((was) => was.old)];
        let words = `of the recorder ${name}`;

        if (device.kind !== "recorder") {
            words = `of ${name}, which is no recorder`;

        } else if (keys.includes(this.publicKey)) {
            this.#known = true;
            return words;

        } else {
            words = `not a key of the recorder ${name}`;
        }

        this.#find("The key", `it was signed with is ${words}`);

        return words;
    }

    /**
     * whole: nothing is wrong, the key is a recorder's that the gateway
     * knows, and the catalogue has this hash.  unverified: nothing is wrong
     * in itself, one of these is not known.  wrong: see findings.
     */
    get verdict() {
        return this.findings.length > 0 ? "wrong"
               : this.#known && this.#listed ? "whole" : "unverified";
    }

    /** What could not be compared: {where, text}. */
    get missing() {
        return [...this.#known ? [] : [KEY],
                ...this.#listed ? [] : [CATALOGUE]];
    }

    /** Media files, in order. */
    get media() {
        return this.lines.filter((l) => l.kind === "media");
    }

    /** When nothing was recorded: {t_ms, dur_ms, why}. */
    get gaps() {
        return this.lines.filter((l) => l.kind === "gap");
    }

    get duration_ms() {
        return this.lines.reduce(
            (most, l) => Math.max(most, l.t_ms + (l.dur_ms ?? 0)), 0);
    }

    get publicKey() {
        return this.begin?.public_key ?? "";
    }

    /** A file's bytes, sealed. RsError: not_found */
    async bytes(name) {
        const blob = this.#files.get(name);

        if (blob === undefined || blob.size > FILE_MAX) {
            throw new RsError("archive_form",
                              {detail: `${name} is not there`});
        }

        return new Uint8Array(await blob.arrayBuffer());
    }

    /**
     * The event track.
     * @param {(bytes: Uint8Array) => Promise<Uint8Array>} unseal
     */
    async events(unseal) {
        const found = [];

        for (const {file} of this.lines.filter((l) => l.kind === "events")) {
            const text = new TextDecoder().decode(
                await unseal(await this.bytes(file)));

            for (const line of text.split("\n")) {
                const event = parse(line);

                if (event !== null && whole(event.t_ms)
                    && found.length < EVENTS_MAX)
                {
                    found.push(event);
                }
            }
        }

        return withNames(found.sort((a, b) => a.t_ms - b.t_ms));
    }

    async #digest(bytes) {
        return hex(await this.#crypto.subtle.digest("SHA-256", bytes));
    }

    /* each line: its form, its number, the one before, the signature */
    async #readChain(text) {
        const lines = text.split("\n");
        let prev = ZEROS;

        if (lines.pop() !== "") {
            this.#find(CHAIN, "its last line is cut off");
        }

        for (const [n, raw] of lines.entries()) {
            const where = `${CHAIN}, line ${n + 1}`;
            const bytes = new TextEncoder().encode(raw);
            const line = bytes.length > LINE_MAX ? null : parse(raw);

            if (!isLine(line) || (line.kind === "begin") !== (n === 0)) {
                this.#find(where, "is not of the form of such a line");
                return;
            }

            this.begin ??= line;

            if (line.n !== n || line.prev !== prev) {
                this.#find(where, "does not follow the line before it");
            }

            if (!await this.#signed(raw)) {
                this.#find(where, "has another signature than the "
                                  + "recorder's");
            }

            this.lines.push(line);
            prev = await this.#digest(bytes);
        }

        this.end = this.lines.at(-1)?.kind === "end" ? this.lines.at(-1)
                                                     : null;

        if (this.end === null) {
            this.#find(CHAIN, "does not say that the recording ended: "
                              + "something behind it may be missing");
        }
    }

    async #signed(raw) {
        const m = TAIL.exec(raw);

        return m !== null && verifyEd25519(
            this.#crypto, this.begin.public_key, m[1],
            new TextEncoder().encode(CONTEXT + raw.slice(0, m.index)));
    }

    /* each file is there, of that length and hash; others are nothing */
    async #readFiles(progress) {
        const named = this.lines.filter((l) => l.file !== undefined);
        let done = 0;

        await this.#readManifest();

        for (const line of named) {
            await this.#compare(line);
            progress(++done / named.length);
        }
    }

    async #readManifest() {
        const blob = this.#files.get(MANIFEST);

        if (blob === undefined || blob.size > FILE_MAX) {
            this.#find(MANIFEST, "is missing");
            return;
        }

        const bytes = new Uint8Array(await blob.arrayBuffer());

        if (await this.#digest(bytes) !== this.begin?.manifest_sha256) {
            this.#find(MANIFEST, "is not what was signed");
        }

        this.manifest = parse(new TextDecoder().decode(bytes)) ?? {};
    }

    async #compare({file, bytes, sha256}) {
        const blob = this.#files.get(file);

        if (blob === undefined) {
            this.#find(file, "is missing");
            return;
        }

        if (blob.size !== bytes || blob.size > FILE_MAX) {
            this.#find(file, `has ${blob.size} bytes, not ${bytes}`);
            return;
        }

        if (await this.#digest(await blob.arrayBuffer()) !== sha256) {
            this.#find(file, "is not what was signed: a byte of it, or "
                             + "more, is another one");
        }
    }
}
