
/*
 * Copyright (C) rs-gateway contributors
 *
 * Networks that let nothing out but TCP to the gateway: no UDP, no TURN of any
 * kind.  The session goes through a pipe; when the network opens it goes on
 * over a connection, and back when that is gone, and nothing is lost or done
 * twice meanwhile.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";

import { Browser, connected, place, shows } from "./lib/browser.mjs";
import { Net } from "./lib/net.mjs";
import { SPOTS, TestWindow } from "./lib/testwin.mjs";
import { until } from "./lib/wait.mjs";


const SWITCH_MS = 60000;
const LETTERS = "abcdefghijklmnopqrstuvwxyz";

let net, stack, window, browser, session, page;


before(async () => {
    net = await Net.open({tech: {nat: "cone", allow: "gateway"},
                          site: {nat: "cone", allow: "gateway"}});
    stack = await net.stack();
    window = await TestWindow.open(stack.state.desktop);

    /* a key that is held while the network is away is one press */
    window.order("repeat");
    browser = await Browser.start(stack, net.tech.enter);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await window?.close();
    await stack?.down();
    await net?.close();
}, {timeout: 60000});


function kind() {
    return page.$eval("#path", (el) => el.dataset.kind);
}


/* does one thing after the other until it is told to stop, and a few more
 * then; gives what the desktop should have seen */
function busy(act) {
    const want = [];
    let stop = false;

    const done = (async () => {
        for (let i = 0, more = 20; more > 0; i++, more -= stop ? 1 : 0) {
            want.push(...await act(i));
        }

        return want;
    })();

    return () => {
        stop = true;
        return done;
    };
}


async function letter(i) {
    const key = LETTERS[i % LETTERS.length];

    await page.keyboard.press(key, {delay: 20});

    return [`+${key}`, `-${key}`];
}


function pressed() {
    return window.presses.filter((e) => e.event === "key")
                         .map((e) => (e.down ? "+" : "-") + e.keysym);
}


/* the desktop saw each of them once, in order */
async function arrived(want) {
    await until(`${want.length} presses on the desktop`,
                () => pressed().length >= want.length, SWITCH_MS);
    assert.deepEqual(pressed(), want);
}


async function focus() {
    await page.mouse.click(...await place(page, SPOTS.ground));
    await window.wait({event: "button", down: false});
    window.clear();
}


/* REST has it of both sides */
async function told(kinds) {
    await until(`paths ${kinds} of both sides`, async () => {
        const s = await stack.api.session(session.id);
        const paths = s.participants.map((p) => p.path?.kind);

        if (!paths.every((k) => kinds.includes(k))) {
            throw new Error(`they are ${paths}`);
        }

        return true;
    });
}


test("no UDP, no TURN: picture and input come through the gateway",
     {timeout: 180000}, async () => {
    const made = await stack.session(["controller"]);

    session = made.session;
    page = await browser.page({pipe: true});
    await page.goto(made.links[0]);
    await connected(page);
    await page.waitForSelector('#path[data-kind="pipe"][data-protocol="tls"]');
    assert.match(await page.textContent("#path-text"), /^By the gateway · /);

    for (const {look, color} of Object.values(SPOTS)) {
        await shows(page, look, color);
    }

    await page.waitForSelector('#stage[data-control="true"]');
    await focus();

    const [x, y] = await place(page, SPOTS.red);

    await page.mouse.click(x, y);
    await window.wait({event: "button", button: 1, down: true});
    window.clear();

    const end = busy(letter);

    await arrived(await end());
    await told(["pipe"]);
    assert.deepEqual(page.complaints, []);
});


test("the network opens: a connection takes over, and no key is lost",
     {timeout: 180000}, async () => {
    await focus();

    const end = busy(letter);

    await net.tech.become({allow: "all"});
    await net.site.become({allow: "all"});
    await page.evaluate(() => dispatchEvent(new Event("online")));
    await until("path of a connection",
                async () => ["direct", "relay"].includes(await kind()),
                SWITCH_MS);

    await arrived(await end());
    await told(["direct", "relay"]);

    /* the picture is another connection's now, and goes on */
    const {look, color} = SPOTS.yellow;

    await shows(page, look, color);
    await until("frames of it", () => page.evaluate(async () => {
        const all = window.rsKept.connections.map((pc) => pc.getStats());

        return (await Promise.all(all)).some((stats) =>
            [...stats.values()].some((s) => s.type === "inbound-rtp"
                                            && s.framesDecoded > 0));
    }));
});


test("the network closes: back to the pipe, and no key is lost",
     {timeout: 180000}, async () => {
    await focus();

    const end = busy(letter);

    await net.tech.become({allow: "gateway"});
    await net.site.become({allow: "gateway"});
    await until("path by the gateway",
                async () => await kind() === "pipe", SWITCH_MS);

    await arrived(await end());
    await told(["pipe"]);

    const {look, color} = SPOTS.green;

    await shows(page, look, color);
    assert.deepEqual(page.complaints, []);
    await page.context().close();
    await stack.api.endSession(session.id);
});
