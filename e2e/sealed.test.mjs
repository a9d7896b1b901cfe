
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a gateway sees of a session that goes through it: everything that
 * comes and goes on the technician's side is read in the clear, and neither
 * the picture nor a key is in it.
 */

import test, { after, afterEach, before } from "node:test";
import assert from "node:assert/strict";

import { Browser, connected, shows } from "./lib/browser.mjs";
import { Hostile } from "./lib/hostile.mjs";
import { Stack } from "./lib/stack.mjs";
import { SPOTS, TestWindow } from "./lib/testwin.mjs";
import { until } from "./lib/wait.mjs";


/* the head of a key frame of 1280 by 720, RFC 6386, 9.1 */
const PICTURE = Buffer.from("9d012a0005d002", "hex");
const KEY = Buffer.from('"code":"KeyQ"');

let stack, hostile, window, browser;


before(async () => {
    stack = await Stack.up(["--agent", "--nodes", "2"]);
    hostile = await Hostile.open(stack);
    window = await TestWindow.open(stack.state.desktop);
    browser = await Browser.start(stack);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await window?.close();
    await hostile?.close();
    await stack?.down();
}, {timeout: 60000});


afterEach(() => hostile.behave());


/* all that is seen from now on, and how much of it by pipes */
function capture() {
    const seen = {piped: 0, all: []};

    hostile.see = (path, payload) => {
        seen.piped += path.endsWith("/pipe") ? payload.length : 0;
        seen.all.push(payload);
    };

    return seen;
}


async function visit(carrier, without = {}) {
    const {session, links} = await stack.session(["controller"]);
    const page = await browser.page({pipe: true});

    await page.addInitScript((names) => {
        Object.assign(window.rsKept.without, names);
    }, without);
    await page.goto(`${hostile.url}console/?carrier=${carrier}${
                    new URL(links[0]).hash}`);

    return {page, async end() {
        assert.deepEqual(page.complaints, []);
        await page.context().close();
        await stack.api.endSession(session.id);
    }};
}


async function type(page) {
    await page.waitForSelector('#stage[data-control="true"]');
    window.clear();
    await page.focus("#screen");
    await page.keyboard.press("q");
    await window.wait({event: "key", keysym: "q", down: false});
}


test("through the gateway: it sees neither picture nor keys",
     {timeout: 120000}, async () => {
    const seen = capture();
    const {page, end} = await visit("pipe");

    await connected(page);
    await page.waitForSelector('#path[data-kind="pipe"]');

    for (const {look, color} of Object.values(SPOTS)) {
        await shows(page, look, color);
    }

    await type(page);
    await until("a picture's bytes", () => seen.piped > 5000);

    const all = Buffer.concat(seen.all);

    assert.ok(!all.includes(PICTURE), "no key frame");
    assert.ok(!all.includes(KEY), "no key");
    assert.ok(!all.includes('"type":"hello"'), "no word of the device");
    await end();
});


/* the same look finds what is not sealed */
test("input by way of the gateway is seen", {timeout: 120000}, async () => {
    const seen = capture();
    const {page, end} = await visit("webrtc", {channels: true});

    await connected(page);
    await type(page);
    assert.ok(Buffer.concat(seen.all).includes(KEY), "the key");
    assert.equal(seen.piped, 0, "no pipe");
    await end();
});


test("whoever changes the key of the answer gets nothing", {timeout: 120000},
     async () => {
    const seen = capture();

    hostile.change = (message) => message.data?.kind !== "piped" ? message
        : {...message, data: {...message.data,
                              key: message.data.key.slice(0, -4) + "AAAA"}};

    const {page, end} = await visit("pipe");

    await page.waitForSelector('#stage[data-state="failed"]');
    assert.match(await page.textContent("#stage"), /signature does not fit/);
    assert.equal(seen.piped, 0, "nothing was said over a pipe");
    await end();
});
