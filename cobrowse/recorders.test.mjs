/*
 * Copyright (C) rs-gateway contributors
 *
 * Ways in which a session can be recorded: through relays alone; from a
 * browser that shares its screen; with the recorder killed, and back, where
 * the policy only marks that; by a device that takes no recorder.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { Browser, connected } from "../e2e/lib/browser.mjs";
import { TOP } from "../e2e/lib/stack.mjs";
import { SPOTS, TestWindow } from "../e2e/lib/testwin.mjs";
import { until } from "../e2e/lib/wait.mjs";
import { World } from "./lib/world.mjs";


const PROGRAM = join(TOP, "build", "record", "rs-record");
const SHARED = "rs-shared";     /* the title of what she chooses */
const COLOR = [200, 30, 40];

const run = promisify(execFile);

let world, window, browser, dir;


before(async () => {
    dir = await mkdtemp(join(tmpdir(), "rs-recorders-"));
    world = await World.open({render: false, record: true, agent: true,
                              recordConf: ["recorder.silence=5"]});
    window = await TestWindow.open(world.stack.state.desktop);
    browser = await world.browser();
}, {timeout: 180000});


after(async () => {
    await window?.close();
    await world?.close();
    await rm(dir, {recursive: true, force: true});
}, {timeout: 60000});


async function api(method, path, body) {
    return world.stack.fetch(world.stack.state.base + path, {
        method, body: body && JSON.stringify(body),
        headers: {Authorization: `Bearer ${world.stack.key}`,
                  ...body && {"Content-Type": "application/json"}}});
}


function kept(id) {
    return join(world.stack.state.record.dir, "recordings", id);
}


/* the recordings of a session that have ended, the oldest first */
function recordings(session, n = 1) {
    return until(`${n} recordings`, async () => {
        const {items} = await (await api(
            "GET", `/recordings?session_id=${session.id}`)).json();

        return items.length >= n && items.every((r) => r.sha256)
               && items.sort((a, b) => a.started_at - b.started_at);
    });
}


function state(session, wanted) {
    return until(`recording that is ${wanted}`, async () => {
        const {recording} = await world.look(session);

        return recording?.state === wanted && recording;
    });
}


async function joined(link) {
    const page = await browser.page();

    await page.goto(link);
    await connected(page);

    return page;
}


/* its last picture: a pixel of it, and how many there are */
async function last(id, at = null) {
    const webm = join(dir, `${id}.webm`);
    const raw = join(dir, `${id}.rgb`);

    await run(PROGRAM, ["decrypt", kept(id), "--key",
                        join(world.stack.dir, "secrets", "auditor.key"),
                        "--output", webm]);

    const {stdout} = await run("gst-launch-1.0", [
        "-v", "filesrc", `location=${webm}`, "!", "matroskademux", "!",
        "vp8dec", "!", "videoconvert", "!",
        "video/x-raw,format=RGBx", "!", "filesink", `location=${raw}`]);
    const size = [...stdout.matchAll(/width=\(int\)(\d+), height=\(int\)(\d+)/g)]
                 .at(-1).slice(1).map(Number);
    const [width, height] = size;
    const {x, y} = at ?? {x: width >> 1, y: height >> 1};
    const bytes = await readFile(raw);
    const frame = width * height * 4;
    const from = bytes.length - frame + (y * width + x) * 4;

    return {frames: Math.floor((await stat(raw)).size / frame), width, height,
            pixel: [...bytes.subarray(from, from + 3)]};
}


function like(got, want) {
    return got.every((v, i) => Math.abs(v - want[i]) < 40);
}


/* the lines of its chain */
function chain(id) {
    return readFileSync(join(kept(id), "chain.jsonl"), "utf8").trim()
           .split("\n").map((line) => JSON.parse(line));
}


test("through relays alone", {timeout: 180000}, async () => {
    const {session, links} = await world.stack.session(
        ["controller"], {policy: {recording: "required", relay_only: true}});
    const page = await joined(links[0]);
    const {recording_id: id} = await state(session, "on");

    await until("the path", () => new RegExp(
        `${session.id}: path relay/relay`).test(world.log("record")));
    await until("three segments", () =>
        existsSync(join(kept(id), "000003.cms")));
    await page.context().close();
    await world.stack.api.endSession(session.id);

    const [recording] = await recordings(session);
    const media = chain(id).filter(({kind}) => kind === "media");

    console.log(`# ${media.map((m) => `${m.dur_ms} ms ${m.bytes} bytes${
        m.key ? " key" : ""}`).join(", ")}`);
    assert.equal(recording.state, "kept");

    /* each begins with a key frame, and where the one before ended */
    assert.ok(media.every((m) => m.key));
    assert.ok(media.every((m, i) => i === 0 || m.t_ms
              === media[i - 1].t_ms + media[i - 1].dur_ms));
    assert.ok(media.every((m) => m.dur_ms <= 12000));

    const picture = await last(id, SPOTS.red.look);

    assert.deepEqual([picture.width, picture.height], [1280, 720]);
    assert.ok(like(picture.pixel, SPOTS.red.color), `${picture.pixel}`);
});


test("a browser that shares its screen", {timeout: 180000}, async () => {
    const hers = await Browser.start(world.stack, [], [
        `--auto-select-tab-capture-source-by-title=${SHARED}`]);

    try {
        const ann = await browser.page();

        assert.ok((await api("PUT", "/policies/default",
                             {recording: "required"})).status < 300);
        await ann.goto(world.stack.url + "console/");
        await ann.fill("#key", world.stack.key);
        await ann.click("#signin-go");
        await ann.click("#help-open");
        await until("a code", async () => /^\d{4} \d{4}$/.test(
            await ann.textContent("#help-code")));

        const page = await hers.page();
        const shared = await page.context().newPage();

        await shared.goto(`data:text/html,<title>${SHARED}</title>`
            + `<body style="margin:0;background:rgb(${COLOR})">`);
        await page.goto(world.stack.url + "help");
        await page.bringToFront();
        await page.fill("#code", await ann.textContent("#help-code"));
        await page.fill("#name", "Eve");
        await page.click("#code-go");
        await page.waitForSelector("#consent-step:not([hidden])");
        await page.click("#share");
        await connected(ann);

        const {items: [session]} = await world.stack.api.sessions({});
        const {recording_id: id} = await state(session, "on");

        await until("two segments", () =>
            existsSync(join(kept(id), "000002.cms")));
        await world.stack.api.endSession(session.id);

        const [recording] = await recordings(session);

        assert.equal(recording.state, "kept");

        const picture = await last(id);

        console.log(`# ${picture.frames} frames of ${picture.width}x${
            picture.height} in ${recording.duration_ms} ms`);
        assert.ok(like(picture.pixel, COLOR), `${picture.pixel}`);

    } finally {
        await api("DELETE", "/policies/default");
        await hers.close();
    }
});


test("a lost recorder that is only marked: the session goes on, and so does "
     + "the recording", {timeout: 180000}, async () => {
    const {session, links} = await world.stack.session(
        ["controller"],
        {policy: {recording: "required", recorder_lost: "mark"}});
    const page = await joined(links[0]);
    const {recording_id: id} = await state(session, "on");

    await until("a segment", () => existsSync(join(kept(id), "000001.cms")));
    process.kill(world.stack.state.record.pid, "SIGKILL");
    await state(session, "lost");
    await world.stack.start("record");

    const {recording_id: again} = await state(session, "on");

    assert.notEqual(again, id);
    await until("a segment of it", () =>
        existsSync(join(kept(again), "000001.cms")));
    await page.context().close();
    await world.stack.api.endSession(session.id);

    const both = await recordings(session, 2);

    assert.deepEqual(both.map((r) => r.id), [id, again]);
    assert.deepEqual(both.map((r) => r.state), ["incomplete", "kept"]);
    assert.ok(like((await last(again, SPOTS.red.look)).pixel,
                   SPOTS.red.color));
});


test("optional, and nobody records: a session all the same",
     {timeout: 120000}, async () => {
    process.kill(world.stack.state.record.pid, "SIGTERM");
    await until("the recorder offline", async () => {
        const id = world.stack.state.record.device_id;
        const device = await world.stack.api.device(id);

        return (device.data ?? device).online === false;
    });

    const {session, links} = await world.stack.session(
        ["controller"], {policy: {recording: "optional"}});
    const page = await joined(links[0]);

    assert.notEqual((await world.look(session)).recording?.state, "on");
    await page.context().close();
    await world.stack.api.endSession(session.id);
    await world.stack.start("record");

    /* what was sent was taken: nothing is told twice */
    await until("nothing left to be told", () => readdirSync(
        join(world.stack.state.record.dir, "recordings", ".told"))
        .every((name) => name === ".known"));
});
