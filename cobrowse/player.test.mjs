
/*
 * Copyright (C) rs-gateway contributors
 *
 * A recording that was saved as a file, looked at in Chromium under the
 * console's Content-Security-Policy: what is seen without a key, and what it
 * is said to be by what the gateway knows of it, keys that fit and that do
 * not, duration, picture and event times, seeking, speed, a gap; a flipped
 * byte, which is named and takes nothing else with it.  The recordings are
 * made here; a recorder's are looked at in recording.test.mjs.  Leaves
 * screenshots in build/screens/.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { makeRecording, sealer, tar } from "../console/t/recording.mjs";
import { Browser } from "../e2e/lib/browser.mjs";
import { look } from "../e2e/lib/look.mjs";
import { Stack } from "../e2e/lib/stack.mjs";
import { until } from "../e2e/lib/wait.mjs";
import { COLORS, segments } from "./lib/media.mjs";


const ORDER = ["red", "green", "blue", "white", "black"];
const SECONDS = 4;
const WHOLE_S = ORDER.length * SECONDS;
const EVENTS = [{t_ms: 0, type: "joined", id: "par_a", name: "Ada Lovelace",
                 role: "controller", guest: false},
                {t_ms: 5000, type: "joined", id: "par_b", name: "Eve <b>",
                 role: "viewer", guest: true},
                {t_ms: 9000, type: "control", holder: "par_b"},
                {t_ms: 17000, type: "left", id: "par_b", reason: "left"}];
const PHRASE = "see-saw";
const DESK = {width: 1440, height: 900};
const PHONE = {width: 390, height: 844};

let stack, browser, dir, media;
const made = new Map();     /* file: what a gateway would know of it */


function openssl(...args) {
    return execFileSync("openssl", args, {cwd: dir, stdio: "pipe"});
}


function auditor(name, passphrase) {
    openssl("req", "-new", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-noenc", "-subj", `/CN=${name}`,
            "-keyout", `${name}.plain`, "-out", `${name}.crt`);
    openssl("pkcs8", "-topk8", "-in", `${name}.plain`, "-out",
            `${name}.key`, ...(passphrase ? ["-passout",
                                             `pass:${passphrase}`]
                                          : ["-nocrypt"]));
}


before(async () => {
    dir = await mkdtemp(join(tmpdir(), "rs-player-"));
    auditor("ada", PHRASE);
    auditor("other");
    media = await segments(ORDER, SECONDS);
    stack = await Stack.up([]);
    browser = await Browser.start(stack);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await stack?.down();
    await rm(dir, {recursive: true, force: true});
}, {timeout: 60000});


/* the name of the file; change: of its files, before they are packed */
async function recording(name, more = {}, change = (files) => files) {
    const {files, row, device} = makeRecording({
        media, events: EVENTS, seal: sealer(join(dir, "ada.crt")), ...more});
    const path = join(dir, name);

    made.set(path, {row, device});
    await writeFile(path, tar(change(files)));

    return path;
}


/* as if the gateway had said it; it does not know what is made here */
async function answers(page, {row, device}) {
    for (const [path, json] of [["recordings", row], ["devices", device]]) {
        if (json) {
            await page.route(new RegExp(`/${path}/(?:rec|dev)_`), (route) =>
                route.fulfill({json}));
        }
    }
}


/* a page with the window of that recording, and what a gateway knows */
async function opened(path, o = {viewport: DESK, colorScheme: "light"},
                      known = {})
{
    const page = await browser.page(o);

    await answers(page, known);
    await page.goto(stack.url + "console/#/recordings");
    await page.fill("#key", stack.key);
    await page.click("#signin-go");
    await page.waitForSelector("#recordings:not([hidden])");
    await page.setInputFiles("#recordings-file", path);
    await page.waitForSelector("#player[open] .player-key:not([hidden])");

    return page;
}


async function unlock(page, name = "ada", phrase = PHRASE) {
    await page.setInputFiles("#player-key", join(dir, `${name}.key`));

    if (phrase) {
        await page.fill("#player-pass", phrase);
    }

    await page.click("#player-go");
}


async function shown(page) {
    await page.waitForSelector(".player-screen:not([hidden])");
    await until("a picture", () => page.$eval("#player-video",
                                              (v) => v.readyState >= 2));
}


/* the colour that is shown, by its name */
function color(page) {
    return page.$eval("#player-video", (video, colors) => {
        const canvas = document.createElement("canvas");

        canvas.width = canvas.height = 8;

        const c = canvas.getContext("2d");

        c.drawImage(video, 0, 0, 8, 8);

        const [r, g, b] = c.getImageData(4, 4, 1, 1).data;

        return Object.entries(colors).find(([, rgb]) => Math.max(
            ...[r, g, b].map((v, i) => Math.abs(v - rgb[i]))) < 70)?.[0]
               ?? `${r} ${g} ${b}`;
    }, COLORS);
}


function at(page) {
    return page.$eval("#player-video", (v) => v.currentTime);
}


/* as a person does: the slider, by its keys or a press */
async function seek(page, s) {
    await page.$eval("#player-seek", (input, value) => {
        input.value = String(value);
        input.dispatchEvent(new Event("input"));
    }, s);
    await until(`the place ${s}`, () => page.$eval(
        "#player-video", (v, to) => !v.seeking && v.readyState >= 2
                                    && Math.abs(v.currentTime - to) < 0.5,
        s));
}


async function leave(page) {
    assert.deepEqual(page.complaints, []);
    await page.context().close();
}


test("a whole one: what is known, the key, picture, time, events",
     {timeout: 180000}, async () => {
    const path = await recording("whole.tar");

    for (const o of [{viewport: DESK, colorScheme: "light"},
                     {viewport: PHONE, colorScheme: "dark"}])
    {
        const page = await opened(path, o, made.get(path));

        assert.match(await page.textContent(".player-verdict"), /^Whole/);
        assert.equal(await page.textContent(".player-findings"), "");
        assert.match(await page.textContent(".player-side .facts"),
                     /That keyof the recorder Keeper/);
        assert.equal(await page.textContent("#player-state"), "0:20");
        await look(page, "player-key");
        await unlock(page);
        await shown(page);
        await seek(page, 9.5);
        await look(page, "player");
        await leave(page);
    }

    const page = await opened(path);

    await unlock(page);
    await shown(page);

    const duration = await page.$eval("#player-video", (v) => v.duration);

    console.log(`# duration ${duration} s of ${WHOLE_S}`);
    assert.ok(Math.abs(duration - WHOLE_S) < 0.2, `${duration} s`);

    /* each place has its picture, forwards and backwards */
    for (const s of [1, 13.5, 5.5, 18, 9.5, 0.5]) {
        await seek(page, s);
        await until(`${ORDER[Math.floor(s / SECONDS)]} at ${s}`, async () =>
            await color(page) === ORDER[Math.floor(s / SECONDS)]);
    }

    /* events are where they happened, and lead there */
    const events = await page.$$eval("#player-events button", (all) =>
        all.map((b) => [b.querySelector("time").textContent,
                        b.querySelector("span").textContent]));

    assert.deepEqual(events, [["0:00", "Ada Lovelace joined (controller)"],
                              ["0:05", "Eve <b> joined (viewer, guest)"],
                              ["0:09", "Eve <b> has control"],
                              ["0:17", "Eve <b> left"]]);
    await page.click("#player-events li:nth-child(3) button");
    await until("the place of the event", async () =>
        Math.abs(await at(page) - 9) < 0.3);
    await until("its picture", async () => await color(page) === "blue");
    await leave(page);
});


test("what it is said to be, by what the gateway knows of it",
     {timeout: 180000}, async () => {
    const path = await recording("known.tar");
    const {row, device} = made.get(path);
    const id = (kind) => `${kind}_${"b".repeat(26)}`;

    for (const [name, known, verdict, findings] of [
        ["nothing", {}, /^Consistent, origin not verified/,
         /The key it was signed[^]*The gateway's catalogue gave no hash/],
        ["the key", {device}, /^Consistent/, /^The gateway's catalogue/],
        ["the hash", {row}, /^Consistent/, /^The key/],
        ["no hash yet", {device, row: {...row, sha256: null}}, /^Consistent/,
         /^The gateway's catalogue/],
        ["both", {device, row}, /^Whole/, /^$/],
        ["a desktop", {row, device: {...device, kind: "desktop"}},
         /^One thing is wrong/, /of Keeper, which is no recorder/],
        ["another key", {row, device: {...device, public_key: "other"}},
         /^One thing is wrong/, /not a key of the recorder Keeper/],
        ["another hash", {device, row: {...row, sha256: "0".repeat(64)}},
         /^One thing is wrong/, /not the one that the gateway knows/],
        ["another session", {device, row: {...row, session_id: id("ses")}},
         /^One thing is wrong/, /of another session/]])
    {
        const page = await opened(path, undefined, known);
        const look = (of) => page.textContent(of);

        assert.match(await look(".player-verdict"), verdict, name);
        assert.match(await look(".player-findings"), findings, name);
        await leave(page);
    }
});


test("a list that was read before the hash was there", {timeout: 120000},
     async () => {
    const path = await recording("late.tar");
    const {row, device} = made.get(path);
    const listed = {...row, state: "incomplete", sha256: null, bytes: 0};
    let items = [listed];
    const page = await browser.page({viewport: DESK});
    const facts = () => page.textContent("#recordings-list .facts");

    await answers(page, {row, device});
    await page.route(/\/recordings\?/, (route) => route.fulfill(
        {json: {items, next_cursor: null}}));
    await page.goto(stack.url + "console/#/recordings");
    await page.fill("#key", stack.key);
    await page.click("#signin-go");
    await page.waitForSelector("#recordings-list summary");
    assert.doesNotMatch(await facts(), /SHA-256/);

    /* its state stays: the row is another one all the same */
    items = [{...listed, sha256: row.sha256}];
    await page.click("#recordings .heading button");
    await until("its hash", async () => (await facts()).includes(row.sha256));
    await leave(page);
});


test("playing, at eight times the speed, to the end", {timeout: 120000},
     async () => {
    const page = await opened(await recording("speed.tar"));

    await unlock(page);
    await shown(page);
    await page.selectOption("#player-speed", "8");

    const began = Date.now();

    await page.click("#player-play");
    await until("half of it", async () => await at(page) > WHOLE_S / 2);
    await until("the end", () => page.$eval("#player-video",
                                            (v) => v.ended));

    const took = (Date.now() - began) / 1000;

    console.log(`# ${WHOLE_S} s played in ${took.toFixed(1)} s`);
    assert.ok(took < WHOLE_S / 2, `${took} s`);
    assert.match(await page.textContent("#player-time"), /0:(19|20) \/ 0:20/);
    assert.equal(await page.getAttribute("#player-play", "title"), "Play");

    /* and once more from before the end */
    await seek(page, 5);
    await until("green", async () => await color(page) === "green");
    await leave(page);
});


test("a gap: it is named, and playing goes over it", {timeout: 120000},
     async () => {
    const path = await recording("gap.tar", {
        media: media.filter((m) => m.t_ms !== 8000),
        gaps: [{t_ms: 8000, dur_ms: 4000, why: "path"}]});
    const page = await opened(path);

    await unlock(page);
    await shown(page);
    assert.match(await page.textContent('#player-events [data-kind="gap"]'),
                 /0:08.*Nothing was recorded for 0:04: it had no path/);
    await seek(page, 7);
    await page.selectOption("#player-speed", "4");
    await page.click("#player-play");
    await until("what is behind the gap", async () => await at(page) > 12);
    await until("white", async () => await color(page) === "white");
    await look(page, "player-gap");
    await leave(page);
});


test("without the auditor's key nothing is seen", {timeout: 120000},
     async () => {
    const page = await opened(await recording("key.tar"));
    const error = () => page.textContent("#player > .error");

    await unlock(page, "ada", "swing");
    await until("an answer", async () => /passphrase is wrong/i.test(
        await error()));
    await unlock(page, "other", null);
    await until("an answer", async () => /sealed for other keys/i.test(
        await error()));
    await look(page, "player-refused");
    await page.setInputFiles("#player-key", join(dir, "ada.crt"));
    await until("an answer", async () => /no key/i.test(await error()));
    assert.equal(await page.isVisible(".player-screen"), false);

    /* the key is forgotten with the window */
    await unlock(page);
    await shown(page);
    await page.click("#player-close");
    await page.setInputFiles("#recordings-file", join(dir, "key.tar"));
    await page.waitForSelector(".player-key:not([hidden])");
    assert.equal(await page.inputValue("#player-pass"), "");
    assert.equal(await page.isDisabled("#player-go"), true);

    /* neither is in what was saved */
    const sealed = await readFile(join(dir, "key.tar"));

    for (const {bytes} of media) {
        assert.equal(sealed.includes(bytes.subarray(100, 132)), false);
    }

    assert.equal(sealed.includes("Lovelace"), false);
    await leave(page);
});


test("a flipped byte is found, named, and takes nothing else with it",
     {timeout: 120000}, async () => {
    const page = await opened(await recording("flipped.tar", {},
        (files) => files.map(([name, bytes]) => {
            const copy = Buffer.from(bytes);

            if (name === "000003.cms") {
                copy[copy.length >> 1] ^= 1;
            }

            return [name, copy];
        })));

    assert.match(await page.textContent(".player-verdict"),
                 /^One thing is wrong/);
    assert.match(await page.textContent(".player-findings"),
                 /^000003\.cms is not what was signed/);
    await unlock(page);
    await shown(page);
    await look(page, "player-flipped");
    await seek(page, 17);
    await until("black", async () => await color(page) === "black");
    await seek(page, 5);
    await until("green", async () => await color(page) === "green");
    await leave(page);
});


test("what is no recording", {timeout: 60000}, async () => {
    const page = await browser.page();

    await writeFile(join(dir, "text.tar"), "no archive at all");
    await page.goto(stack.url + "console/#/recordings");
    await page.fill("#key", stack.key);
    await page.click("#signin-go");
    await page.setInputFiles("#recordings-file", join(dir, "text.tar"));
    await until("an answer", async () => /no recording/i.test(
        await page.textContent("#player > .error")));
    await leave(page);
});
