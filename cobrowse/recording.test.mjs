/*
 * Copyright (C) rs-gateway contributors
 *
 * A session between a technician's browser and a device, recorded by
 * rs-record: what is kept is whole, plays in the console with the duration,
 * the picture and the events it had, can be read by the auditor alone, and a
 * flipped byte is found, and so is one that somebody else made in its name;
 * required recording ends the session within 5 s when its recorder is
 * killed, which keeps what it had; no recorder, no session.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { makeRecording, tar } from "../console/t/recording.mjs";
import { connected } from "../e2e/lib/browser.mjs";
import { TOP } from "../e2e/lib/stack.mjs";
import { TestWindow, SPOTS, TEXT } from "../e2e/lib/testwin.mjs";
import { until } from "../e2e/lib/wait.mjs";
import { World } from "./lib/world.mjs";


const PROGRAM = join(TOP, "build", "record", "rs-record");
const LOST_MS = 5000;

const run = promisify(execFile);

let world, window, browser, dir;


before(async () => {
    dir = await mkdtemp(join(tmpdir(), "rs-recording-"));
    world = await World.open({render: false, record: true, agent: true});
    window = await TestWindow.open(world.stack.state.desktop);
    browser = await world.browser();
}, {timeout: 180000});


after(async () => {
    await window?.close();
    await world?.close();
    await rm(dir, {recursive: true, force: true});
}, {timeout: 60000});


function api(method, path, body) {
    return world.stack.fetch(world.stack.state.base + path, {
        method, body: body && JSON.stringify(body),
        headers: {Authorization: `Bearer ${world.stack.key}`,
                  ...body && {"Content-Type": "application/json"}}});
}


async function get(path) {
    return (await api("GET", path)).json();
}


/* the one recording of a session, when it is what is wanted */
function recordingOf(session, state) {
    return until(`recording that is ${state}`, async () => {
        const {items} = await get(`/recordings?session_id=${session.id}`);

        return items.find((r) => r.state === state && r.sha256);
    });
}


function kept(id) {
    return join(world.stack.state.record.dir, "recordings", id);
}


function auditorKey() {
    return join(world.stack.dir, "secrets", "auditor.key");
}


async function record(...args) {
    try {
        const {stdout} = await run(PROGRAM, args);

        return {status: 0, text: stdout};

    } catch (e) {
        return {status: e.code, text: e.stderr};
    }
}


async function joined(link) {
    const page = await browser.page();

    await page.goto(link);
    await connected(page);

    return page;
}


function recorded(session) {
    return until("recording", async () => {
        const {recording} = await world.stack.api.session(session.id);

        return recording?.state === "on" && recording;
    });
}


/* a pixel of the recording, as it plays */
function pixel(page, {x, y}, of = "#player-video") {
    return page.$eval(of, (video, at) => {
        const canvas = document.createElement("canvas");

        canvas.width = video.videoWidth;
        canvas.height = video.videoHeight;

        const c = canvas.getContext("2d");

        c.drawImage(video, 0, 0);

        return [...c.getImageData(at.x, at.y, 1, 1).data].slice(0, 3);
    }, {x, y});
}


function like(got, want) {
    return got.every((v, i) => Math.abs(v - want[i]) < 40);
}


/* whether the text stands where it was written to */
async function written(page, of) {
    let light = 0;

    for (let i = 0; i < 20; i++) {
        const [r] = await pixel(page, {x: TEXT.x + 20 + 23 * i,
                                       y: TEXT.y + 10 + 5 * i}, of);

        light += r > 120 ? 1 : 0;
    }

    return light > 5;
}


async function seek(page, s) {
    await page.$eval("#player-seek", (input, value) => {
        input.value = String(value);
        input.dispatchEvent(new Event("input"));
    }, s);
    await until(`the place ${s}`, () => page.$eval(
        "#player-video", (v, to) => !v.seeking && v.readyState >= 2
                                    && Math.abs(v.currentTime - to) < 0.6,
        s));
}


test("a session between peers, recorded, played, and read by nobody else",
     {timeout: 300000}, async () => {
    const {session, links} = await world.stack.session(
        ["controller", "viewer"], {policy: {recording: "required"}});
    const page = await joined(links[0]);
    const {recording_id: id} = await recorded(session);
    const {started_at} = JSON.parse(
        readFileSync(join(kept(id), "manifest.json"), "utf8"));
    const at = () => (Date.now() - started_at) / 1000;

    /* everybody sees it */
    await until("that it is recorded", async () =>
        /record/i.test(await page.textContent("body")));

    const other = await joined(links[1]);
    const cameAt = at();

    await until("12 s of it", () => at() > Math.max(12, cameAt + 3));
    window.order("text");
    await until("it is written", () => written(page, "#screen"));

    const wroteAt = at();

    await until("9 s more", () => at() > wroteAt + 9);
    await other.context().close();
    await page.context().close();
    await world.stack.api.endSession(session.id);

    const endedAt = at();
    const recording = await recordingOf(session, "kept");

    assert.equal(recording.id, id);
    assert.equal(recording.session_id, session.id);
    assert.equal(recording.gaps, 0);
    assert.ok(Math.abs(recording.duration_ms / 1000 - endedAt) < 3,
              `${recording.duration_ms} ms, ended at ${endedAt} s`);

    /* whole, by the key and the hash the gateway has */
    const device = await world.stack.api.device(recording.recorder_id);
    const {public_key} = device.data ?? device;
    const known = ["--public-key", public_key, "--sha256",
                   recording.sha256];
    const whole = await record("verify", kept(id), ...known);

    assert.equal(whole.status, 0, whole.text);
    assert.match(whole.text, /state kept/);

    /* nobody's name, and no picture, is there to be read */
    for (const name of readdirSync(kept(id))) {
        const bytes = readFileSync(join(kept(id), name));

        assert.equal(bytes.includes("par_") || bytes.includes("V_VP8"),
                     false, name);
    }

    /* the auditor reads it, and no other key does */
    const webm = join(dir, "out.webm");
    const events = join(dir, "out.jsonl");
    const read = await record("decrypt", kept(id), ...known, "--key",
                              auditorKey(), "--output", webm, "--events",
                              events);

    assert.equal(read.status, 0, read.text);
    await run("openssl", ["genpkey", "-algorithm", "RSA", "-out",
                          join(dir, "other.key")]);

    const refused = await record("decrypt", kept(id), "--key",
                                 join(dir, "other.key"), "--output",
                                 join(dir, "no.webm"));

    assert.equal(refused.status, 1);
    assert.match(refused.text, /not for this key/);
    assert.equal(existsSync(join(dir, "no.webm")), false);

    const lines = readFileSync(events, "utf8").trim().split("\n")
                  .map((line) => JSON.parse(line));
    const second = lines.find((e) => e.type === "joined"
                                     && e.role === "viewer");

    console.log(`# ${JSON.stringify(lines.map(({t_ms, type}) =>
        [t_ms, type]))}`);
    assert.ok(second.t_ms / 1000 < cameAt + 1
              && second.t_ms / 1000 > cameAt - 10, `${second.t_ms} ms`);
    assert.ok(lines.some((e) => e.type === "control"));
    assert.ok(lines.some((e) => e.type === "path"));
    assert.ok(lines.every((e, i) => i === 0
                                    || e.t_ms >= lines[i - 1].t_ms));

    /* the console plays it: duration, picture, times */
    const player = await browser.page();

    await player.goto(`${world.stack.url}console/#/recordings`);
    await player.fill("#key", world.stack.key);
    await player.click("#signin-go");
    await player.waitForSelector("#recordings:not([hidden])");

    /* fetched from the recorder, through the gateway */
    await player.click("#recordings summary");
    await player.click('#recordings [data-act="open"]');
    await player.waitForSelector("#player[open] .player-key:not([hidden])");
    assert.match(await player.textContent(".player-verdict"), /^Whole/);
    await player.setInputFiles("#player-key", auditorKey());
    await player.click("#player-go");
    await player.waitForSelector(".player-screen:not([hidden])");

    const duration = await until("a duration", () => player.$eval(
        "#player-video", (v) => Number.isFinite(v.duration) && v.duration));

    console.log(`# duration ${duration} s, recorded for ${
        endedAt.toFixed(1)} s`);
    assert.ok(Math.abs(duration - recording.duration_ms / 1000) < 2,
              `${duration} s`);

    assert.deepEqual(await player.$eval("#player-video", (v) =>
        [v.videoWidth, v.videoHeight]), [1280, 720]);

    for (const s of [wroteAt + 3, wroteAt - 6, 2, wroteAt + 6]) {
        await seek(player, s);
        await until(`the desktop at ${s} s`, async () =>
            like(await pixel(player, SPOTS.red.look), SPOTS.red.color)
            && like(await pixel(player, SPOTS.blue.look), SPOTS.blue.color));
        await until(`the text at ${s} s: ${s > wroteAt}`, async () =>
            await written(player) === s > wroteAt);
    }

    /* and to its end, without a hole */
    await player.selectOption("#player-speed", "8");
    await seek(player, 0);
    await player.click("#player-play");
    await until("the end", () => player.$eval("#player-video",
                                              (v) => v.ended));
    assert.deepEqual(player.complaints, []);

    /* the file, saved; and what others make with a key of their own */
    const saved = join(dir, "saved.tar");
    const [download] = await Promise.all([player.waitForEvent("download"),
                                          player.click("#player-save")]);
    const verdict = async (path) => {
        await player.click("#player-close");
        await player.setInputFiles("#recordings-file", path);
        await player.waitForSelector(
            "#player[open] .player-key:not([hidden])");

        return [await player.textContent(".player-verdict"),
                await player.textContent(".player-findings")].join("\n");
    };
    const forged = async (ids) => {
        const path = join(dir, "forged.tar");
        const {files} = makeRecording({
            media: [{bytes: Buffer.from("no picture"), t_ms: 0, dur_ms: 1000}],
            ids});

        await writeFile(path, tar(files));

        return verdict(path);
    };
    const ids = {recording_id: id, session_id: session.id,
                 device_id: recording.recorder_id};

    await download.saveAs(saved);
    assert.match(await verdict(saved), /^Whole/);
    assert.match(await forged({}), /^Consistent, origin not verified/);
    assert.match(await forged(ids),
                 /^2 things are wrong[^]*not a key of the recorder[^]*not the/);
    assert.match(await forged({...ids, device_id: world.stack.device}),
                 /which is no recorder[^]*of another recorder/);
    await player.context().close();

    /* one bit, anywhere */
    const file = join(kept(id), "000002.cms");
    const bytes = await readFile(file);

    bytes[bytes.length >> 1] ^= 1;
    await writeFile(file, bytes);

    const flipped = await record("verify", kept(id), ...known);

    assert.equal(flipped.status, 5);
    assert.match(flipped.text, /000002\.cms is not what was signed/);
    window.order("text");
});


test("required, and the recorder is killed: the end within 5 s",
     {timeout: 180000}, async () => {
    const {session, links} = await world.stack.session(
        ["controller"], {policy: {recording: "required"}});
    const page = await joined(links[0]);
    const {recording_id: id} = await recorded(session);
    const began = Date.now();

    await until("a segment", () => existsSync(join(kept(id), "000001.cms")));
    process.kill(world.stack.state.record.pid, "SIGKILL");

    const killed = Date.now();
    const ended = await until("the end", async () => {
        const s = await world.stack.api.session(session.id);

        return s.state === "ended" && s;
    });
    const took = Date.now() - killed;

    console.log(`# recorded for ${killed - began} ms, ended ${took} ms after `
                + "the recorder was killed");
    assert.equal(ended.end_reason, "recorder_lost");
    assert.ok(took < LOST_MS, `${took} ms`);
    await page.context().close();

    /* nobody else records here */
    const none = await api("POST", "/sessions", {
        host: {type: "device", device_id: world.stack.device},
        policy: {recording: "required"}});

    assert.equal(none.status, 409);
    assert.equal((await none.json()).code, "recorder_offline");

    /* what it had is whole, and ended when it comes back */
    const before = await record("verify", kept(id));

    assert.equal(before.status, 6, before.text);
    assert.match(before.text, /it has no end/);

    await world.stack.start("record");

    const recording = await recordingOf(session, "incomplete");
    const after = await record("verify", kept(id), "--sha256",
                               recording.sha256);

    assert.equal(recording.id, id);
    assert.equal(after.status, 0, after.text);
    assert.match(after.text, /state incomplete/);
    assert.ok(recording.duration_ms >= 4000, `${recording.duration_ms} ms`);
});


test("deleted by REST: gone from the recorder, too", {timeout: 120000},
     async () => {
    const {items} = await get("/recordings");

    assert.ok(items.length >= 2);

    for (const {id} of items) {
        assert.ok((await api("DELETE", `/recordings/${id}`)).status < 300);
        await until("its end on the disk", () => !existsSync(kept(id)));
        await until("its end in the catalogue", async () =>
            (await get(`/recordings/${id}`)).state === "gone");
    }
});
