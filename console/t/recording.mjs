
/*
 * Copyright (C) rs-gateway contributors
 *
 * A recorder for tests: the archive that a recording is fetched as, of
 * whatever media it is given, as docs/design/recording.md has it.
 */

import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { execFileSync } from "node:child_process";


const ID = "a".repeat(26);

export const ZEROS = "0".repeat(64);


export function sha256(bytes) {
    return createHash("sha256").update(bytes).digest("hex");
}


/** A tar archive. @param {Array<[string, Uint8Array]>} files */
export function tar(files) {
    const parts = [];

    for (const [name, bytes] of files) {
        const head = Buffer.alloc(512);

        head.write(name, 0);
        head.write("0000600\0", 100);
        head.write("0000000\0", 108);
        head.write("0000000\0", 116);
        head.write(bytes.length.toString(8).padStart(11, "0") + "\0", 124);
        head.write("00000000000\0", 136);
        head.write("        ", 148);
        head.write("0", 156);
        head.write("ustar\0", 257);
        head.write("00", 263);

        const sum = head.reduce((n, byte) => n + byte, 0);

        head.write(sum.toString(8).padStart(6, "0") + "\0 ", 148);
        parts.push(head, Buffer.from(bytes),
                   Buffer.alloc((512 - bytes.length % 512) % 512));
    }

    return Buffer.concat([...parts, Buffer.alloc(1024)]);
}


/** What a certificate's auditor alone can open: bytes -> bytes. */
export function sealer(certificate) {
    return (bytes) => execFileSync("openssl", [
        "cms", "-encrypt", "-binary", "-aes-256-gcm", "-outform", "DER",
        "-recip", certificate, "-keyopt", "ecdh_kdf_md:sha256"],
        {input: bytes, maxBuffer: 1 << 28});
}


/**
 * @param {{media: Array<{bytes: Uint8Array, t_ms: number, dur_ms: number,
 *                        key?: boolean, init?: boolean, mime?: string}>,
 *          events?: object[], gaps?: object[], end?: boolean,
 *          seal?: (bytes: Uint8Array) => Uint8Array,
 *          ids?: {recording_id?: string, session_id?: string,
 *                 device_id?: string},
 *          started_at?: number, folder?: string}} o
 * @returns {{files: Array<[string, Uint8Array]>, lines: string[],
 *            publicKey: string, row: any, device: any}}  row, device: what a
 *     gateway knows of it that has it all from its recorder
 */
export function makeRecording(o) {
    const seal = o.seal ?? ((bytes) => bytes);
    const {privateKey, publicKey} = generateKeyPairSync("ed25519");
    const raw = publicKey.export({format: "jwk"}).x;
    const ids = {recording_id: `rec_${ID}`, session_id: `ses_${ID}`,
                 device_id: `dev_${ID}`, ...o.ids};
    const manifest = Buffer.from(JSON.stringify({
        v: 1, recording_id: ids.recording_id, auditors: [{subject: "O=X, CN=Ada (auditor)", sha256: ZEROS}]}));
    const files = [];
    const lines = [];
    let prev = ZEROS;

    const add = (line) => {
        const text = JSON.stringify({v: 1, n: lines.length, ...line, prev})
                         .slice(0, -1);
        const sig = sign(null, Buffer.from(`rs-recording-v1\0${text}`),
                         privateKey).toString("base64url");

        lines.push(`${text},"sig":"${sig}"}`);
        prev = sha256(lines.at(-1));
    };

    const put = (name, bytes) => {
        const sealed = seal(bytes);

        files.push([name, sealed]);

        return {file: name, sha256: sha256(sealed), bytes: sealed.length};
    };

    add({kind: "begin", t_ms: 0, ...ids, tenant: "default",
         public_key: raw, started_at: o.started_at ?? 1795000000000,
         manifest_sha256: sha256(manifest)});

    const media = o.media.map((m) => ["media", m]);
    const gaps = (o.gaps ?? []).map((g) => ["gap", g]);
    let n = 0;
    let last = 0;

    for (const [kind, m] of [...media, ...gaps].sort(
        ([, a], [, b]) => a.t_ms - b.t_ms))
    {
        last = m.t_ms + m.dur_ms;

        if (kind === "gap") {
            add({kind, ...m});
            continue;
        }

        const {bytes, ...rest} = m;

        n++;
        add({kind, key: true, init: n === 1, ...rest,
             ...put(`${String(n).padStart(6, "0")}.cms`, bytes)});
    }

    if (o.events) {
        add({kind: "events", t_ms: last, count: o.events.length,
             ...put("events.000001.cms", Buffer.from(
                 o.events.map((e) => JSON.stringify(e) + "\n").join("")))});
    }

    if (o.end !== false) {
        add({kind: "end", t_ms: last, state: "kept", reason: "ended",
             segments: n, gaps: gaps.length, bytes: 0});
    }

    const folder = o.folder ?? "";
    const chain = Buffer.from(lines.map((l) => l + "\n").join(""));

    return {lines, publicKey: raw,
            row: {id: ids.recording_id, session_id: ids.session_id,
                  recorder_id: ids.device_id, state: "kept",
                  sha256: sha256(chain)},
            device: {id: ids.device_id, kind: "recorder", name: "Keeper",
                     public_key: raw, key_history: []},
            files: [
        ["manifest.json", manifest],
        ["chain.jsonl", chain],
        ...files].map(([name, bytes]) => [folder + name, bytes])};
}
