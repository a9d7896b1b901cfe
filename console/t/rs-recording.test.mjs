
/*
 * Copyright (C) rs-gateway contributors
 *
 * A recording is read and compared: whole, and with each part of it changed,
 * missing, added, exchanged; archives that are none; and what the player
 * needs of WebM.
 */

import test from "node:test";
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";

import { headLength, nearest } from "../rs-player.js";
import { Recording, verdictWords } from "../rs-recording.js";
import { readTar } from "../rs-tar.js";
import { makeRecording, tar } from "./recording.mjs";


globalThis.crypto ??= webcrypto;

const EVENTS = [{t_ms: 20, type: "left", id: "par_a"},
                {t_ms: 10, type: "joined", id: "par_a", name: "A"},
                {t_ms: 15, type: "control", holder: "par_a"},
                {t_ms: 16, type: "control", holder: null}];
const MIME = 'video/webm; codecs="vp8"';


function media(n) {
    return Array.from({length: n}, (_, i) => ({
        bytes: Buffer.from(`segment ${i}`.repeat(100)), t_ms: i * 1000,
        dur_ms: 1000, ...(i === 0 ? {mime: MIME} : {})}));
}


function sample(more = {}) {
    return makeRecording({media: media(3), events: EVENTS,
                          folder: "rec_x/", ...more});
}


async function findings(files) {
    const it = await Recording.open(new Blob([tar(files)]));

    return it.findings.map(({where, text}) => `${where} ${text}`);
}


/* the files, one of them another */
function change(files, name, f) {
    return files.map(([n, bytes]) => [n, n.endsWith(name)
                                         ? f(Buffer.from(bytes)) : bytes]);
}


test("whole: duration, media, gaps, events in order", async () => {
    const {files, publicKey} = sample({
        gaps: [{t_ms: 3000, dur_ms: 500, why: "path"}]});
    const parts = [];
    const it = await Recording.open(new Blob([tar(files)]), {
        progress: (part) => parts.push(part)});

    assert.deepEqual(it.findings, []);
    assert.equal(it.verdict, "unverified");
    assert.equal(it.duration_ms, 3500);
    assert.equal(it.publicKey, publicKey);
    assert.equal(it.media.length, 3);
    assert.deepEqual(it.gaps.map((g) => g.why), ["path"]);
    assert.equal(it.end.reason, "ended");
    assert.equal(it.manifest.auditors[0].subject, "O=X, CN=Ada (auditor)");
    assert.equal(parts.at(-1), 1);
    assert.deepEqual((await it.events(async (b) => b)).map(
        (e) => [e.type, e.name]), [["joined", "A"], ["control", "A"],
                                   ["control", undefined], ["left", "A"]]);
    assert.deepEqual(Buffer.from(await it.bytes("000002.cms")),
                     media(2)[1].bytes);
    await assert.rejects(it.bytes("000009.cms"), {code: "archive_form"});
});


test("a flipped byte is found, and named", async () => {
    const {files} = sample();

    for (const [name, text] of [
        ["000002.cms", /^000002\.cms is not what was signed/],
        ["events.000001.cms", /^events\.000001\.cms is not what was signed/],
        ["manifest.json", /^manifest\.json is not what was signed/]])
    {
        const found = await findings(change(files, name, (bytes) => {
            bytes[5] ^= 1;
            return bytes;
        }));

        assert.equal(found.length, 1, name);
        assert.match(found[0], text);
    }
});


test("a line that is changed, left out, exchanged, or cut off", async () => {
    const {files} = sample();
    const lines = (f) => findings(change(files, "chain.jsonl", (bytes) =>
        Buffer.from(f(bytes.toString().split("\n").slice(0, -1))
                    .map((l) => l + "\n").join(""))));

    assert.match((await lines((all) => all.with(
        2, all[2].replace('"dur_ms":1000', '"dur_ms":9000')))).join("\n"),
        /line 3 has another signature[^]*line 4 does not follow/);
    assert.match((await lines((all) => all.toSpliced(2, 1))).join("\n"),
                 /line 3 does not follow/);
    assert.match((await lines((all) => all.with(2, all[3])
                                          .with(3, all[2])))[0],
                 /line 3 does not follow/);
    assert.match((await lines((all) => all.slice(0, -1)))[0],
                 /does not say that the recording ended/);
    assert.match((await lines((all) => all.with(1, "{}")))[0],
                 /line 2 is not of the form/);
    assert.match((await lines((all) => all.with(0, all[1])))[0],
                 /line 1 is not of the form/);
    assert.match((await findings(change(files, "chain.jsonl",
        (bytes) => bytes.subarray(0, -10)))).join("\n"), /is cut off/);
    assert.match((await lines(() => []))[0],
                 /does not say that the recording ended/);
});


test("what somebody else signed is not the recorder's", async () => {
    const one = sample();
    const other = sample();
    const found = await findings(change(one.files, "chain.jsonl", () =>
        Buffer.from([one.lines[0], ...other.lines.slice(1)]
                    .map((l) => l + "\n").join(""))));

    assert.match(found.join("\n"), /line 2 has another signature/);
});


test("files that are missing, too many, of another length", async () => {
    const {files} = sample();

    assert.match((await findings(files.filter(
        ([n]) => !n.endsWith("000003.cms"))))[0], /^000003\.cms is missing/);
    assert.deepEqual(await findings([...files, ["000007.cms",
                                                Buffer.from("x")]]), [],
                     "nobody named it");
    assert.match((await findings(change(files, "000001.cms",
                                        (b) => b.subarray(1))))[0],
                 /^000001\.cms has \d+ bytes, not/);
    assert.match((await findings(files.filter(
        ([n]) => !n.endsWith("manifest.json"))))[0], /manifest.* missing/);
});


/* what comes of it, with what a gateway says of it */
async function judged(files, rows, device = null) {
    const it = await Recording.open(new Blob([tar(files)]));
    const entry = rows.length > 0 ? it.compare(...rows) : "";
    const signer = device === null ? "" : it.signedBy(device);

    return {verdict: it.verdict, entry, signer, words: verdictWords(it),
            findings: it.findings.map((f) => `${f.where} ${f.text}`),
            missing: it.missing.map((f) => f.where)};
}


test("whole: the key is a recorder's, the hash is the catalogue's",
     async () => {
    const {files, row, device, publicKey} = sample();
    const whole = await judged(files, [row], device);

    assert.equal(whole.verdict, "whole");
    assert.equal(whole.entry, "with this hash");
    assert.equal(whole.signer, "of the recorder Keeper");
    assert.deepEqual(whole.missing, []);
    assert.match(whole.words, /^Whole: every part/);
    assert.equal((await judged(files, [{...row, sha256: null}, row], device))
                 .verdict, "whole", "its hash came later");
    assert.equal((await judged(files, [row], {...device, public_key: "new",
        key_history: [{old: publicKey, new: "new"}]})).verdict, "whole",
                 "a key of before");
});


test("consistent alone is not whole: key and hash have to be known",
     async () => {
    const {files, row, device} = sample();

    for (const [rows, who, missing] of [
        [[], null, ["The key", "The gateway's catalogue"]],
        [[row], null, ["The key"]],
        [[], device, ["The gateway's catalogue"]],
        [[{...row, sha256: null}], device, ["The gateway's catalogue"]]])
    {
        const it = await judged(files, rows, who);

        assert.deepEqual(it.findings, []);
        assert.equal(it.verdict, "unverified");
        assert.deepEqual(it.missing, missing);
        assert.match(it.words, /^Consistent, origin not verified/);
    }
});


test("another recording in the place of one is told apart", async () => {
    const {files, row, device} = sample();
    const id = (kind) => `${kind}_${"b".repeat(26)}`;

    for (const [change, text] of [
        [{sha256: "0".repeat(64)}, /not the one that the gateway knows/],
        [{id: id("rec")}, /another recording than/],
        [{session_id: id("ses")}, /another session than/],
        [{recorder_id: id("dev")}, /another recorder than/],
        [{recorder_id: undefined}, /another recorder than/]])
    {
        for (const rows of [[{...row, ...change}], [row, {...row, ...change}],
                            [{...row, ...change}, row]])
        {
            const it = await judged(files, rows, device);

            assert.equal(it.verdict, "wrong");
            assert.equal(it.findings.length, 1);
            assert.match(it.findings[0], text);
            assert.match(it.words, /^One thing is wrong/);
        }
    }

    /* the catalogue's one, of which the files are shown under another id */
    const other = sample({ids: {recording_id: id("rec"),
                                session_id: id("ses")}});

    assert.match((await judged(other.files, [{...row,
        sha256: other.row.sha256}], other.device)).findings.join("\n"),
        /another recording than[^]*another session than/);
});


test("a key that is not the recorder's", async () => {
    const {files, row, device} = sample();

    for (const [change, text] of [
        [{public_key: sample().publicKey}, /not a key of the recorder Keep/],
        [{kind: "desktop"}, /of Keeper, which is no recorder/],
        [{kind: undefined}, /of Keeper, which is no recorder/]])
    {
        const it = await judged(files, [row], {...device, ...change});

        assert.equal(it.verdict, "wrong");
        assert.equal(it.findings.length, 1);
        assert.match(it.findings[0], text);
    }
});


test("a first line without an id of each", async () => {
    for (const name of ["recording_id", "session_id", "device_id"]) {
        for (const id of [undefined, 7, "..", `tun_${"a".repeat(26)}`]) {
            assert.match((await findings(sample({ids: {[name]: id}}).files))[0],
                         /line 1 is not of the form/, `${name} ${id}`);
        }
    }
});


test("a recording that never ended can be looked at", async () => {
    const {files} = sample({end: false});
    const it = await Recording.open(new Blob([tar(files)]));

    assert.equal(it.end, null);
    assert.equal(it.duration_ms, 3000);
    assert.equal(it.findings.length, 1);
});


test("archives that are none", async () => {
    const {files} = sample();
    const good = tar(files);
    const broken = Buffer.from(good);

    broken[0] ^= 1;

    for (const [what, bytes] of [
        ["nothing", Buffer.alloc(0)], ["text", Buffer.from("hello")],
        ["a head", good.subarray(0, 512)], ["a sum", broken],
        ["a half", good.subarray(0, 3000)],
        ["twice", tar([...files, files.at(-1)])]])
    {
        await assert.rejects(readTar(new Blob([bytes])),
                             {code: "archive_form"}, what);
    }

    await assert.rejects(Recording.open(new Blob([tar([])])),
                         {code: "archive_form"});
    assert.equal((await readTar(new Blob([good]))).size, files.length);
});


/* ---- WebM */

const ebml = (id, size, body = []) => [...id, ...size, ...body];
const EBML = [0x1a, 0x45, 0xdf, 0xa3];
const SEGMENT = [0x18, 0x53, 0x80, 0x67];
const TRACKS = [0x16, 0x54, 0xae, 0x6b];
const CLUSTER = [0x1f, 0x43, 0xb6, 0x75];
const OPEN = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];


test("the head of a WebM file is what comes before its first cluster", () => {
    const head = [...ebml(EBML, [0x82], [1, 2]), ...ebml(SEGMENT, OPEN),
                  ...ebml(TRACKS, [0x40, 0x03], [1, 2, 3])];
    const file = [...head, ...ebml(CLUSTER, [0x81], [9])];

    assert.equal(headLength(Uint8Array.from(file)), head.length);
    assert.equal(headLength(Uint8Array.from(head)), 0);
    assert.equal(headLength(Uint8Array.from(ebml(CLUSTER, [0x81], [9]))), 0);
    assert.equal(headLength(new Uint8Array(0)), 0);
    assert.equal(headLength(new Uint8Array(16)), 0);

    for (let i = 0; i < head.length; i++) {
        assert.equal(headLength(Uint8Array.from(file.slice(0, i))), 0);
    }
});


test("seeking begins at a key frame before the place", () => {
    const all = [[0, true], [1000, true], [2000, false], [3000, true]].map(
        ([t_ms, key]) => ({t_ms, key}));

    assert.equal(nearest(all, 0), 0);
    assert.equal(nearest(all, 999), 0);
    assert.equal(nearest(all, 1000), 1);
    assert.equal(nearest(all, 2500), 1);
    assert.equal(nearest(all, 9000), 3);
    assert.equal(nearest([{t_ms: 500, key: true}], 0), 0);
    assert.equal(nearest([], 0), 0);
});
