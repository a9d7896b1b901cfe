
/*
 * Copyright (C) rs-gateway contributors
 *
 * The picture as one works with it: over a network that is narrow for a
 * while, and with text on it.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";

import { Browser, connected, frames, shows } from "./lib/browser.mjs";
import { Narrow } from "./lib/narrow.mjs";
import { Stack } from "./lib/stack.mjs";
import { SPOTS, TEXT, TestWindow, inked } from "./lib/testwin.mjs";
import { until } from "./lib/wait.mjs";


const NARROW_BPS = 600000;
const WIDE_BPS = 1e9;


let stack, window, browser;


before(async () => {
    stack = await Stack.up(["--agent"]);
    window = await TestWindow.open(stack.state.desktop);
    browser = await Browser.start(stack);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await window?.close();
    await stack?.down();
}, {timeout: 60000});


/* how far the text of the picture is from black and white, 0 to 255 */
function blur(page) {
    const points = [];

    for (let y = 0; y < TEXT.height; y += 3) {
        for (let x = 0; x < TEXT.width; x += 7) {
            points.push([TEXT.x + x, TEXT.y + y, inked(x, y) ? 0 : 255]);
        }
    }

    return page.$eval("#screen", (video, list) => {
        const canvas = document.createElement("canvas");

        canvas.width = video.videoWidth;
        canvas.height = video.videoHeight;

        const c = canvas.getContext("2d");

        c.drawImage(video, 0, 0);

        const {data} = c.getImageData(0, 0, canvas.width, canvas.height);
        let sum = 0;

        for (const [x, y, want] of list) {
            const at = (y * canvas.width + x) * 4;

            sum += Math.abs(data[at + 1] - want);
        }

        return sum / list.length;
    }, points);
}


test("a narrow network: the rate follows, down and up, and text gets sharp",
     {timeout: 180000}, async (t) => {
    const narrow = new Narrow(stack.state.ip);
    const {session, links} = await stack.session(["controller"]);
    const page = await browser.page();

    await narrow.install(page);
    await page.goto(links[0]);
    await connected(page);

    /* what goes through in two seconds */
    const look = async () => {
        const from = await frames(page);
        const at = performance.now();

        narrow.reset();
        await new Promise((resolve) => setTimeout(resolve, 2000));

        return {bps: narrow.carried * 8000 / (performance.now() - at),
                frames: await frames(page) - from,
                dropped: narrow.dropped, waited: narrow.waited};
    };

    const when = (what, f) => until(what, async () => {
        const seen = await look();

        if (!f(seen)) {
            throw new Error(JSON.stringify(seen));
        }

        t.diagnostic(`${what}: ${Math.round(seen.bps / 1000)} kbit/s, ${
                     seen.frames} frames, ${Math.round(seen.waited)} ms`);
        return true;
    }, 60000);

    window.order("film");
    await when("much of a film, before",
               ({bps, frames: n}) => bps > 1.5 * NARROW_BPS && n > 0);

    narrow.bps = NARROW_BPS;
    await when("a film that fits, and does not wait",
               ({bps, frames: n, dropped, waited}) => bps > NARROW_BPS / 4
                   && n > 0 && dropped === 0 && waited < 800);

    /* fine print is clear in the end, however little is carried */
    window.order("film");
    window.order("text");
    await until("sharp text", async () => {
        const far = await blur(page);

        if (far > 8) {
            throw new Error(`${far.toFixed(1)} off`);
        }

        t.diagnostic(`text: ${far.toFixed(1)} of 255 off`);
        return true;
    });

    window.order("text");
    window.order("film");
    narrow.bps = WIDE_BPS;
    await when("much of a film, afterwards",
               ({bps, frames: n}) => bps > 1.5 * NARROW_BPS && n > 0);

    window.order("film");
    await shows(page, SPOTS.red.look, SPOTS.red.color);
    assert.deepEqual(page.complaints, []);

    await page.context().close();
    await stack.api.endSession(session.id);
    narrow.close();
});
