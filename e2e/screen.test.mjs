
/*
 * Copyright (C) rs-gateway contributors
 *
 * The picture as one works with it: over a network that is narrow for a
 * while, with text on it, with a pointer that is the browser's own, one
 * monitor of several, in other sizes, and kept as a file.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";

import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

import { Browser, connected, frames, place, screenshot, shows }
    from "./lib/browser.mjs";
import { Narrow } from "./lib/narrow.mjs";
import { LONG } from "./lib/size.mjs";
import { Sound } from "./lib/sound.mjs";
import { Stack } from "./lib/stack.mjs";
import { MAGENTA, SPOTS, TEXT, TestWindow, inked } from "./lib/testwin.mjs";
import { until } from "./lib/wait.mjs";


const run = promisify(execFile);

const NARROW_BPS = 600000;
const WIDE_BPS = 1e9;
const LIMITED = 8;          /* frames in two seconds for a slow decoder */


let stack, window, browser, sound;


before(async () => {
    sound = await Sound.start();
    stack = await Stack.up(["--agent", "--agent-env",
                            `PULSE_SERVER=${sound.server}`]);
    window = await TestWindow.open(stack.state.desktop);
    browser = await Browser.start(stack);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await window?.close();
    await stack?.down();
    await sound?.stop();
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


/* what comes to a page in two seconds, by way of a network that is told */
async function look(page, narrow) {
    const bytes = () => page.evaluate(async () => {
        const pc = window.rsKept.connections.at(-1);

        for (const s of (await pc.getStats()).values()) {
            if (s.type === "inbound-rtp" && s.kind === "video") {
                return s.bytesReceived;
            }
        }

        return 0;
    });
    const from = [performance.now(), await bytes(), await frames(page)];

    narrow?.reset();
    await new Promise((resolve) => setTimeout(resolve, 2000));

    const n = await frames(page) - from[2];

    return {bps: (await bytes() - from[1]) * 8000
                 / (performance.now() - from[0]),
            frames: n, dropped: narrow?.dropped ?? 0,
            waited: narrow?.waited ?? 0};
}


/* waits until f of one look or several is so, and tells what was seen */
function when(t, what, looks, f) {
    return until(what, async () => {
        const seen = await Promise.all(looks.map((it) => look(...it)));

        if (!f(...seen)) {
            throw new Error(JSON.stringify(seen));
        }

        t.diagnostic(`${what}: ${seen.map((s) =>
            `${Math.round(s.bps / 1000)} kbit/s, ${s.frames} frames, ${
            Math.round(s.waited)} ms`).join("; ")}`);
        return true;
    }, 60000);
}


/* more than a line begins with, too */
const much = ({bps, frames: n}) => bps > 1300000 && n > 0;

const fits = ({bps, frames: n, dropped, waited}) => bps > NARROW_BPS / 4
    && bps < 1.2 * NARROW_BPS && n > 0 && dropped === 0 && waited < 800;


test("a narrow network: the rate follows, down and up, and text gets sharp",
     {timeout: 180000}, async (t) => {
    const narrow = new Narrow(stack.state.ip);
    const {session, links} = await stack.session(["controller"]);
    const page = await browser.page();

    t.after(() => narrow.close());
    await narrow.install(page);
    await page.goto(links[0]);
    await connected(page);

    window.order("film");
    await when(t, "much of a film, before", [[page, narrow]], much);

    narrow.bps = NARROW_BPS;
    await when(t, "a film that fits, and does not wait", [[page, narrow]],
               fits);

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
    await when(t, "much of a film, afterwards", [[page, narrow]], much);

    window.order("film");
    await shows(page, SPOTS.red.look, SPOTS.red.color);
    assert.deepEqual(page.complaints, []);

    await page.context().close();
    await stack.api.endSession(session.id);
});


test("one of two viewers is on a narrow network: the other keeps his picture",
     {timeout: 120000, ...LONG}, async (t) => {
    const narrow = new Narrow(stack.state.ip);
    const {session, links} = await stack.session(["controller", "viewer"]);
    const wide = await join(links[0]);
    const slow = await browser.page();

    t.after(() => narrow.close());
    await narrow.install(slow);
    await slow.goto(links[1]);
    await connected(slow);

    window.order("film");
    await when(t, "much of a film for both", [[wide], [slow, narrow]],
               (a, b) => much(a) && much(b));

    narrow.bps = NARROW_BPS;
    await when(t, "much for one, what fits for the other",
               [[wide], [slow, narrow]], (a, b) => much(a) && fits(b));
    await shows(slow, SPOTS.green.look, SPOTS.green.color);

    /* both by one encoder again */
    narrow.bps = WIDE_BPS;
    await when(t, "much of a film for both, again", [[wide], [slow, narrow]],
               (a, b) => much(a) && much(b));

    window.order("film");
    await shows(slow, SPOTS.red.look, SPOTS.red.color);
    await shows(wide, SPOTS.red.look, SPOTS.red.color);
    assert.deepEqual([...wide.complaints, ...slow.complaints], []);

    await wide.context().close();
    await slow.context().close();
    await stack.api.endSession(session.id);
});


test("a decoder that is slow gets fewer frames, and more again later",
     {timeout: 120000, ...LONG}, async (t) => {
    const {session, links} = await stack.session(["controller"]);
    const page = await join(links[0]);

    await page.waitForSelector('#stage[data-control="true"]');
    await when(t, "frames, before", [[page]], ({frames: n}) => n > LIMITED);

    /* as a page says that decodes for all of its time; the page's own words
     * that it has time come between, and are overruled by more of these */
    const slow = setInterval(() => page.evaluate(() => {
        const channel = window.rsKept.channels.findLast(
            (c) => c.label === "rs-screen");

        channel.send(JSON.stringify({type: "decoder", span_ms: 2000,
                                     frames: 6, dropped: 40,
                                     decode_ms: 2000}));
    }).catch(() => {}), 100);

    t.after(() => clearInterval(slow));
    await when(t, "fewer frames", [[page]],
               ({frames: n}) => n > 0 && n <= LIMITED);
    clearInterval(slow);
    await when(t, "more again", [[page]], ({frames: n}) => n > LIMITED);

    await page.context().close();
    await stack.api.endSession(session.id);
});


async function join(link, o = {}) {
    const page = await browser.page(o);

    await page.goto(link);
    await connected(page);

    return page;
}


/* the shape that the page's own pointer has over the picture: its colour in
 * the middle, its size, the point that clicks */
function pointerOf(page) {
    return page.$eval("#screen", async (video) => {
        const {cursor} = getComputedStyle(video);
        const [, url, x, y] = /^url\("(data:image\/png[^"]+)"\) (\d+) (\d+)/
                              .exec(cursor) ?? [];

        if (url === undefined) {
            throw new Error(`it is ${cursor.slice(0, 60)}`);
        }

        const image = new Image();

        image.src = url;
        await image.decode();

        const canvas = document.createElement("canvas");
        const c = canvas.getContext("2d");

        c.drawImage(image, 0, 0);

        return {size: [image.width, image.height], at: [Number(x), Number(y)],
                color: [...c.getImageData(image.width / 2, image.height / 2,
                                          1, 1).data]};
    });
}


test("the pointer is the browser's own, in the remote shape; who watches sees it",
     {timeout: 120000}, async () => {
    const {session, links} = await stack.session(["controller", "viewer"]);
    const page = await join(links[0]);
    const other = await join(links[1]);
    const half = MAGENTA.size / 2;

    await page.waitForSelector('#stage[data-control="true"]');
    window.order("cursor");
    await page.mouse.move(...await place(page, SPOTS.green.look));
    await window.wait({event: "move", ...SPOTS.green.look});

    await until("the remote shape", async () => {
        const {size, at, color} = await pointerOf(page);

        assert.deepEqual(size, [MAGENTA.size, MAGENTA.size]);
        assert.deepEqual(at, [half, half]);
        assert.deepEqual(color, [...MAGENTA.color, 255]);
        return true;
    });

    /* it is not in the picture, of neither */
    for (const p of [page, other]) {
        await shows(p, SPOTS.green.look, SPOTS.green.color);
    }

    /* where the mouse is ours it is not drawn a second time */
    assert.equal(await page.isVisible(".remote-pointer"), false);

    const [x, y] = await place(other, SPOTS.green.look);

    await until("the pointer where it is, drawn for who watches", () =>
        other.$eval(".remote-pointer", (image, at) => {
            const box = image.getBoundingClientRect();

            return !image.hidden && Math.abs(box.left + at.half - at.x) < 3
                   && Math.abs(box.top + at.half - at.y) < 3;
        }, {x, y, half}));

    assert.deepEqual([...page.complaints, ...other.complaints], []);
    await other.context().close();
    await page.context().close();
    await stack.api.endSession(session.id);
});


test("one monitor of several: its picture alone, clicks where they are made",
     {timeout: 120000}, async () => {
    const {display, xauthority} = stack.state.desktop;
    const xrandr = (...args) => run("xrandr", args, {
        env: {...process.env, DISPLAY: display, XAUTHORITY: xauthority}});

    await xrandr("--setmonitor", "west", "640/160x720/180+0+0", "none");
    await xrandr("--setmonitor", "east", "640/160x720/180+640+0", "none");

    const {session, links} = await stack.session(["controller"]);
    const page = await join(links[0]);
    const width = (n) => until(`a picture ${n} wide`, () => page.$eval(
        "#screen", (video, want) => video.videoWidth === want, n));

    await page.waitForSelector('#stage[data-control="true"]');
    await page.click("#tool-screen");
    await screenshot(page, "screen-panel-1440");
    await page.click('#monitors input[value="east"]');
    await width(640);

    const {green} = SPOTS;
    const there = {x: green.x - 640, y: green.y};

    await shows(page, {x: green.look.x - 640, y: green.look.y}, green.color);
    window.clear();
    await until("a click where it was made", async () => {
        await page.mouse.click(...await place(page, there));
        return window.presses.some((e) => Math.abs(e.x - green.x) <= 2
                                          && Math.abs(e.y - green.y) <= 2);
    });

    /* another line of this viewer begins with the same monitor */
    await page.evaluate(() => dispatchEvent(new Event("online")));
    await until("second line", () => page.evaluate(() =>
        window.rsKept.connections[1]?.connectionState === "connected"));
    await until("the same monitor", () => page.$eval("#screen", (video) =>
        video.srcObject !== null && video.videoWidth === 640));

    await until("the choice of the whole screen", async () => {
        await page.click('#monitors input[value="screen"]');
        return page.$eval("#screen", (video) => video.videoWidth === 1280);
    });
    await shows(page, SPOTS.red.look, SPOTS.red.color);

    await xrandr("--delmonitor", "west");
    await xrandr("--delmonitor", "east");
    assert.deepEqual(page.complaints, []);
    await page.context().close();
    await stack.api.endSession(session.id);
});


test("three sizes, and a screenshot", {timeout: 120000}, async () => {
    const {session, links} = await stack.session(["controller"]);
    const page = await join(links[0], {viewport: {width: 900, height: 600}});
    const size = () => page.$eval("#screen", (video) => {
        const box = video.getBoundingClientRect();

        return [Math.round(box.width), Math.round(box.height)];
    });

    await page.waitForSelector('#stage[data-control="true"]');
    await page.click("#tool-screen");

    /* all of it is in sight */
    const [width, height] = await size();

    assert.ok(width <= 900 && height <= 600, `${width} by ${height}`);

    await page.click('input[name="scale"][value="actual"]');
    await until("a pixel for a pixel", async () =>
        String(await size()) === "1280,720");

    /* what is beyond the edge comes when the pointer goes there */
    await page.click("#side-close");
    await page.mouse.move(896, 400);
    await until("what was beyond the edge", () => page.$eval(
        ".canvas", (canvas) => canvas.scrollLeft
                               === canvas.scrollWidth - canvas.clientWidth
                               && canvas.scrollLeft > 300));
    await page.mouse.move(450, 300);

    await page.click("#tool-screen");
    await page.click('input[name="scale"][value="fit"]');
    await until("all of it", async () =>
        String(await size()) === `${width},${height}`);

    const [download] = await Promise.all([
        page.waitForEvent("download"), page.click("#screenshot")]);
    const png = await readFile(await download.path());

    assert.match(download.suggestedFilename(), /^.+ \d{4}-\d\d-\d\dT.+\.png$/);
    assert.equal(png.subarray(1, 4).toString(), "PNG");
    assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)],
                     [1280, 720]);

    await page.setViewportSize({width: 390, height: 844});
    await screenshot(page, "screen-panel-390");
    assert.deepEqual(page.complaints, []);
    await page.context().close();
    await stack.api.endSession(session.id);
});


/* of the sound that comes: {packets, energy}, null when there is no track */
function heard(page) {
    return page.evaluate(async () => {
        const pc = window.rsKept.connections.at(-1);

        for (const s of (await pc.getStats()).values()) {
            if (s.type === "inbound-rtp" && s.kind === "audio") {
                return {packets: s.packetsReceived,
                        energy: s.totalAudioEnergy ?? 0};
            }
        }

        return null;
    });
}


test("sound: none until it is asked for, and none after",
     {timeout: 120000}, async () => {
    const {session, links} = await stack.session(["controller"]);
    const page = await join(links[0]);

    await sound.play();
    await page.waitForSelector("#tool-sound:not([hidden])");
    assert.equal(await page.evaluate(() => window.rsKept.connections[0]
        .localDescription.sdp.includes("m=audio")), false);
    assert.ok(!(await sound.clients()).includes("rs-agent"));

    await page.click("#tool-sound");
    await until("a tone in the browser", async () => {
        const {energy, packets} = await heard(page);

        return packets > 20 && energy > 0.001;
    });
    assert.equal(await page.getAttribute("#tool-sound", "aria-pressed"),
                 "true");
    assert.ok(await page.$eval("#sound", (audio) => audio.srcObject !== null
                                                    && !audio.paused));
    await shows(page, SPOTS.red.look, SPOTS.red.color);

    await page.click("#tool-sound");
    await until("a line without sound", async () => await page.evaluate(
        () => window.rsKept.connections.length === 3
              && window.rsKept.connections[2].connectionState === "connected")
        && await heard(page) === null);
    await until("end of the capture", async () =>
        (await sound.clients()).every((name) => name !== "rs-agent"));
    await shows(page, SPOTS.red.look, SPOTS.red.color);

    assert.deepEqual(page.complaints, []);
    await page.context().close();
    await stack.api.endSession(session.id);
});


test("sound that the policy forbids is not offered, and not sent if asked for",
     {timeout: 120000}, async () => {
    const {session, links} = await stack.session(["controller"],
                                                 {policy: {sound: false}});
    const page = await join(links[0]);

    await page.waitForSelector('#stage[data-control="true"]');
    assert.equal(await page.isVisible("#tool-sound"), false);

    /* a page that asks all the same gets the picture, and silence */
    await page.$eval("#tool-sound", (button) => button.click());
    await until("a second line", () => page.evaluate(
        () => window.rsKept.connections[1]?.connectionState === "connected"));

    const sdp = await page.evaluate(() => window.rsKept.connections[1]
                                                .remoteDescription.sdp);

    assert.match(sdp.slice(sdp.indexOf("m=audio")), /a=inactive/);
    await shows(page, SPOTS.red.look, SPOTS.red.color);
    assert.equal((await heard(page))?.packets ?? 0, 0);

    await page.context().close();
    await stack.api.endSession(session.id);
});
