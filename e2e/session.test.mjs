
/*
 * Copyright (C) rs-gateway contributors
 *
 * A session over a direct path, by guests' links: the picture, mouse and
 * keyboard, two viewers at once, the end by REST.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";

import { Browser, connected, frames, oneToOne, place, screenshot,
         selectedPair, shows } from "./lib/browser.mjs";
import { Stack } from "./lib/stack.mjs";
import { RED, SPOTS, TestWindow } from "./lib/testwin.mjs";
import { until } from "./lib/wait.mjs";


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


async function join(link) {
    const page = await browser.page();

    await page.goto(link);
    await connected(page);

    return page;
}


async function controls(page) {
    await page.waitForSelector('#stage[data-control="true"]');
}


/* frames go on, by the decoder's own count */
async function rises(page) {
    const from = await frames(page);

    await until(`more than ${from} frames`,
                async () => await frames(page) > from + 3);
}


async function leave(page, session) {
    await page.context().close();
    await stack.api.endSession(session.id);
}


test("direct: the picture is the desktop, pixel for pixel",
     {timeout: 120000}, async () => {
    const {session, links} = await stack.session(["controller"]);
    const page = await join(links[0]);

    /* the ticket did not stay in the address */
    assert.equal(new URL(page.url()).hash, "");

    assert.deepEqual(await page.$eval("#screen",
                                      (v) => [v.videoWidth, v.videoHeight]),
                     [1280, 720]);
    await rises(page);

    for (const {look, color} of Object.values(SPOTS)) {
        await shows(page, look, color);
    }

    /* the window's edges are where they are on the desktop */
    const [left, top] = [RED.x, RED.y];
    const [right, bottom] = [left + RED.width, top + RED.height];
    const {color: red} = SPOTS.red;
    const {color: ground} = SPOTS.ground;

    await shows(page, {x: left + 6, y: top + 6}, red);
    await shows(page, {x: right - 7, y: bottom - 7}, red);
    await shows(page, {x: left - 7, y: top + 6}, ground);
    await shows(page, {x: left + 6, y: top - 7}, ground);
    await shows(page, {x: right + 6, y: bottom - 7}, ground);
    await shows(page, {x: right - 7, y: bottom + 6}, ground);

    const pair = await selectedPair(page);

    assert.notEqual(pair.local.candidateType, "relay");
    assert.notEqual(pair.remote.candidateType, "relay");

    /* the console says so, and the gateway knows it from both sides */
    await page.waitForSelector('#path[data-kind="direct"][data-protocol="udp"]');
    assert.match(await page.textContent("#path-text"),
                 /^Direct · UDP · (?:\d+|< 1)\u00a0ms$/);

    const told = await until("active session with paths", async () => {
        const s = await stack.api.session(session.id);

        return s.state === "active"
               && s.participants.every((p) => p.path) && s;
    });

    for (const participant of told.participants) {
        assert.equal(participant.state, "joined");
        assert.equal(participant.path.kind, "direct");
        assert.equal(participant.path.protocol, "udp");
    }

    assert.deepEqual(page.complaints, []);
    await leave(page, session);
});


test("mouse: a click, a drag and the wheel arrive where they were made",
     {timeout: 120000}, async () => {
    const {session, links} = await stack.session(["controller"]);
    const page = await join(links[0]);

    await controls(page);
    await oneToOne(page);
    window.clear();

    const {green, blue} = SPOTS;

    /* a press is seen: the rectangle turns white, beside the pointer */
    await page.mouse.move(...await place(page, green));
    await page.mouse.down();
    await window.wait({event: "button", button: 1, down: true,
                       x: green.x, y: green.y});
    await shows(page, green.look, [0xff, 0xff, 0xff]);

    await page.mouse.move(...await place(page, blue), {steps: 5});
    await page.mouse.up();
    await window.wait({event: "button", button: 1, down: false,
                       x: blue.x, y: blue.y});

    await page.mouse.click(...await place(page, blue), {button: "right"});
    await window.wait({event: "button", button: 3, down: false,
                       x: blue.x, y: blue.y});

    /* X buttons 4 and 5 are the wheel */
    await page.mouse.wheel(0, 100);
    await window.wait({event: "button", button: 5, down: true});
    await page.mouse.wheel(0, -100);
    await window.wait({event: "button", button: 4, down: true});

    /* the corners are reachable, and not beyond */
    for (const corner of [{x: 0, y: 0}, {x: 1279, y: 719}]) {
        await page.mouse.click(...await place(page, corner));
        await window.wait({event: "button", button: 1, ...corner});
    }

    /* at another size the pixel is hit within the rounding of the page */
    await page.setViewportSize({width: 900, height: 700});
    await until("smaller picture", () => page.$eval("#screen",
        (video) => video.getBoundingClientRect().width === 900));
    window.clear();
    await page.mouse.click(...await place(page, green));

    const hit = await window.wait({event: "button", down: true});

    assert.ok(Math.abs(hit.x - green.x) <= 2 && Math.abs(hit.y - green.y) <= 2,
              `hit ${hit.x}, ${hit.y}`);

    await leave(page, session);
});


test("keyboard: letters, shift, named keys, and nothing stays held",
     {timeout: 120000}, async () => {
    const {session, links} = await stack.session(["controller"]);
    const page = await join(links[0]);
    const keys = () => window.events.filter((e) => e.event === "key");

    await controls(page);
    await page.focus("#screen");
    window.clear();

    await page.keyboard.press("a");
    await window.wait({event: "key", keysym: "a", down: false});

    await page.keyboard.down("Shift");
    await page.keyboard.press("KeyA");
    await page.keyboard.up("Shift");
    await window.wait({event: "key", keysym: "A", down: true});

    for (const [name, keysym] of [["Enter", "Return"], ["F5", "F5"],
                                  ["ArrowLeft", "Left"], ["Tab", "Tab"],
                                  ["Escape", "Escape"], ["1", "1"],
                                  ["Backspace", "BackSpace"]])
    {
        await page.keyboard.press(name);
        await window.wait({event: "key", keysym, down: true});
        await window.wait({event: "key", keysym, down: false});
    }

    /* the page itself did nothing with them */
    assert.equal(await page.$eval("#screen",
                                  (v) => document.activeElement === v), true);

    /* the window loses the focus with a key down: it is let go */
    await page.keyboard.down("x");
    await window.wait({event: "key", keysym: "x", down: true});
    await page.$eval("#screen", (video) => video.blur());
    await window.wait({event: "key", keysym: "x", down: false});
    await page.keyboard.up("x");

    /* the way out for those without a mouse */
    await page.focus("#screen");

    for (const name of ["Control", "Alt", "Shift"]) {
        await page.keyboard.down(name);
    }

    await until("focus outside of the picture", () => page.evaluate(
        () => document.activeElement.id === "stage-leave"));

    for (const name of ["Shift", "Alt", "Control"]) {
        await page.keyboard.up(name);
    }

    await until("all keys let go", () => {
        const held = new Set();

        for (const e of keys()) {
            if (e.down) {
                held.add(e.keycode);

            } else {
                held.delete(e.keycode);
            }
        }

        return held.size === 0;
    });

    await leave(page, session);
});


test("a phone: a tap is a click, typed text arrives",
     {timeout: 120000}, async () => {
    const {session, links} = await stack.session(["controller"]);
    const page = await browser.page({viewport: {width: 390, height: 844},
                                     hasTouch: true, isMobile: true});

    await page.goto(links[0]);
    await connected(page);
    await controls(page);
    window.clear();

    await page.touchscreen.tap(...await place(page, SPOTS.yellow));

    const hit = await window.wait({event: "button", button: 1, down: true});

    await window.wait({event: "button", button: 1, down: false});
    assert.ok(Math.abs(hit.x - SPOTS.yellow.x) <= 4
              && Math.abs(hit.y - SPOTS.yellow.y) <= 4,
              `hit ${hit.x}, ${hit.y}`);
    assert.equal(window.presses.length, 2);

    /* what a phone's keyboard gives is text: also what no key here has */
    await page.tap("#stage-type");
    await page.keyboard.insertText("b\u00e9");
    await window.wait({event: "key", keysym: "b", down: false});
    await window.wait({event: "key", keysym: "eacute", down: true});

    await screenshot(page, "controller-390");
    await leave(page, session);
});


test("keys held by a viewer who vanishes are let go",
     {timeout: 120000}, async () => {
    const {session, links} = await stack.session(["controller", "viewer"]);
    const other = await join(links[1]);
    const page = await join(links[0]);

    await controls(page);
    await page.focus("#screen");
    window.clear();
    await page.keyboard.down("q");
    await window.wait({event: "key", keysym: "q", down: true});
    await page.context().close();
    await window.wait({event: "key", keysym: "q", down: false});

    await rises(other);
    await leave(other, session);
});


test("a browser without data channels: keys go by way of the gateway",
     {timeout: 120000}, async () => {
    const {session, links} = await stack.session(["controller"]);
    const page = await browser.page();

    await page.addInitScript(() => {
        window.rsKept.without.channels = true;
    });
    await page.goto(links[0]);
    await connected(page);
    await controls(page);
    await oneToOne(page);
    assert.equal(await page.evaluate(() => window.rsKept.channels.length), 0);
    window.clear();

    await page.focus("#screen");
    await page.keyboard.press("d");
    await window.wait({event: "key", keysym: "d", down: false});

    const {blue} = SPOTS;

    await page.mouse.click(...await place(page, blue));
    await window.wait({event: "button", button: 1, down: false,
                       x: blue.x, y: blue.y});

    /* a key held is held, for longer than the host waits for a sign of life;
     * it is let go with the session's socket gone for good */
    await page.keyboard.down("e");
    await window.wait({event: "key", keysym: "e", down: true});

    for (const pid of await stack.workers()) {
        process.kill(pid, "SIGKILL");
    }

    await window.wait({event: "key", keysym: "e", down: false});
    await page.keyboard.up("e");
    await page.waitForSelector('#stage[data-socket="open"]');
    await rises(page);
    window.clear();
    await until("keys again", async () => {
        await page.keyboard.press("f");
        return window.presses.some((e) => e.keysym === "f" && !e.down);
    });
    assert.equal(await page.evaluate(
        () => window.rsKept.connections.length), 1);

    await leave(page, session);
});


test("two viewers: one leaves, the other's frames go on; a viewer has no hands",
     {timeout: 120000}, async () => {
    const {session, links} = await stack.session(["controller", "viewer"]);
    const [first, second] = await Promise.all(links.map(join));

    await controls(first);
    await Promise.all([rises(first), rises(second)]);

    /* who is here, as the other sees it */
    await until("two others", () => second.$$eval("#people li",
                                                  (li) => li.length === 3));
    assert.equal(await second.getAttribute("#stage", "data-control"),
                 "false");
    assert.match(await second.textContent("#stage-state"), /view only/);

    /* the host itself refuses input of a viewer, whatever its page sends;
     * what a controller does afterwards is the first thing that arrives */
    window.clear();
    await second.evaluate(() => {
        const channel = window.rsKept.channels.findLast(
            (c) => c.label === "rs-input");
        const at = {x: 100, y: 100};

        for (const down of [true, false]) {
            channel.send(JSON.stringify({type: "button", button: 0, down,
                                         ...at}));
            channel.send(JSON.stringify({type: "key", key: "v",
                                         code: "KeyV", down}));
        }

        channel.send(JSON.stringify({type: "ping", n: 1000}));

        return new Promise((resolve) => {
            channel.addEventListener("message", (ev) => {
                if (JSON.parse(ev.data).n === 1000) {
                    resolve();
                }
            });
        });
    });
    await first.focus("#screen");
    await first.keyboard.press("z");
    await window.wait({event: "key", keysym: "z", down: false});
    assert.deepEqual(window.presses.map((e) => e.keysym), ["z", "z"]);

    await first.context().close();
    await until("one other", () => second.$$eval("#people li",
                                                 (li) => li.length === 2));
    await rises(second);
    await shows(second, SPOTS.red.look, SPOTS.red.color);

    await leave(second, session);
});


test("another network: a new line takes over, the old one is closed",
     {timeout: 120000}, async () => {
    const {session, links} = await stack.session(["controller"]);
    const page = await join(links[0]);

    await controls(page);
    await page.evaluate(() => dispatchEvent(new Event("online")));
    await until("second line", () => page.evaluate(() => {
        const [first, second] = window.rsKept.connections;

        return second?.connectionState === "connected"
               && first.connectionState === "closed";
    }));
    await rises(page);
    await shows(page, SPOTS.green.look, SPOTS.green.color);

    /* and takes input */
    window.clear();
    await until("hands", async () => {
        await page.focus("#screen");
        await page.keyboard.press("n");
        return window.presses.some((e) => e.keysym === "n" && !e.down);
    });

    await leave(page, session);
});


test("every worker is killed: the picture stays, the session is resumed",
     {timeout: 120000}, async () => {
    const {session, links} = await stack.session(["controller"]);
    const page = await join(links[0]);

    await controls(page);

    for (const pid of await stack.workers()) {
        process.kill(pid, "SIGKILL");
    }

    await until("second socket, open", () => page.evaluate(
        () => window.rsKept.sockets.length > 1
              && document.getElementById("stage").dataset.socket === "open"));
    assert.equal(await page.evaluate(
        () => window.rsKept.connections.length), 1);
    await rises(page);

    /* signalling works on: somebody else can join */
    const {join_url} = await until("one more participant", () =>
        stack.api.addParticipant(session.id, {role: "viewer"}));
    const other = await join(join_url);

    await rises(other);
    await until("the other one", () => page.$$eval("#people li",
                                                   (li) => li.length === 3));

    const told = await stack.api.session(session.id);

    assert.equal(told.state, "active");
    assert.deepEqual(told.participants.map((p) => p.state),
                     ["joined", "joined", "joined"]);

    await other.context().close();
    await leave(page, session);
    await until("device at a new worker", async () =>
        (await stack.api.device(stack.device)).data.online);
});


test("ended by REST: all sockets close with 4410, the video within a second",
     {timeout: 120000}, async () => {
    const {session, links} = await stack.session(["controller", "viewer"]);
    const pages = await Promise.all(links.map(join));
    const closes = async () =>
        (await stack.log()).split("closes with 4410").length;

    await Promise.all(pages.map(rises));

    const closed = await closes();

    await stack.api.endSession(session.id);

    const ended = Date.now();

    for (const page of pages) {
        const seen = await page.waitForFunction(() => {
            const socket = window.rsKept.sockets.at(-1);
            const pc = window.rsKept.connections.at(-1);

            return socket.code !== null && pc.connectionState === "closed"
                   && {code: socket.code, at: socket.at, now: Date.now()};
        }, null, {polling: 20});
        const {code, at, now} = await seen.jsonValue();

        assert.equal(code, 4410);
        assert.ok(at - ended < 1000, `closed after ${at - ended} ms`);
        assert.ok(now - ended < 1000, `video for ${now - ended} ms`);
        await page.waitForSelector('#stage[data-state="over"]');
        assert.match(await page.textContent("#overlay-title"),
                     /The session was ended/);

        /* it does not come back */
        assert.equal(await page.evaluate(() => window.rsKept.sockets.length),
                     1);
    }

    /* the host's too */
    assert.equal(await closes(), closed + 3);

    const told = await stack.api.session(session.id);

    assert.equal(told.state, "ended");
    assert.equal(told.end_reason, "deleted");
    assert.ok(told.participants.every((p) => p.state !== "joined"),
              JSON.stringify(told.participants));

    await Promise.all(pages.map((page) => page.context().close()));
});


test("a ticket is good once", {timeout: 60000}, async () => {
    const {session, links} = await stack.session(["controller"]);
    const page = await join(links[0]);
    const late = await browser.page();

    await late.goto(links[0]);
    await late.waitForSelector('#stage[data-state="over"]');
    assert.match(await late.textContent("#overlay"), /not valid/);
    assert.deepEqual(await late.evaluate(
        () => window.rsKept.sockets.map((s) => s.code)), [4401]);

    /* and the first one is not disturbed */
    await rises(page);
    await late.context().close();
    await leave(page, session);
});
