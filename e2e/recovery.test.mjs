
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a session survives: another address of the device, of the browser, of
 * a router before them; cut lines; a relay that was killed; sleep.  Each time
 * the picture comes back by itself, an input event arrives, and what was held
 * down is let go.  How long that took is printed; ten times what is promised
 * fails.  E2E=short takes half of them.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";

import { Browser, place } from "./lib/browser.mjs";
import { Net } from "./lib/net.mjs";
import { close, open } from "./lib/route.mjs";
import { SPOTS, TestWindow } from "./lib/testwin.mjs";
import { until } from "./lib/wait.mjs";


const BACK_MS = 15000;
const FAIL_MS = 10 * BACK_MS;

/* the rest takes as long as the silence it waits for */
const SHORT = process.env.E2E === "short";


let net, stack, window, browser;


before(async () => {
    net = await Net.open({tech: {nat: "cone"}, site: {nat: "cone"}});
    stack = await net.stack();
    window = await TestWindow.open(stack.state.desktop);
    browser = await Browser.start(stack, net.tech.enter);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await window?.close();
    await stack?.down();
    await net?.close();
}, {timeout: 60000});


/* a session whose viewer holds a key down */
async function held(more = {}) {
    const opened = await open(stack, browser, more);
    const {page} = opened;

    await page.evaluate(() => { window.rsMark = "not reloaded"; });
    await page.waitForSelector('#stage[data-control="true"]');
    await arrives(page);
    window.clear();
    await page.keyboard.down("h");
    await window.wait({event: "key", down: true});

    return opened;
}


/* clicks until one arrives */
async function arrives(page) {
    const clicked = () => window.events.some((e) => e.event === "button"
                                                    && !e.down);

    window.clear();

    await until("click on the device", async () => {
        await page.mouse.click(...await place(page, SPOTS.blue));

        return until("click", clicked, 200);
    }, FAIL_MS);
}


/* peer connections the page has made so far */
function connections(page) {
    return page.evaluate(() => window.rsKept.connections.length);
}


/* frames of the newest connection that stands: others only look for a path */
function shown(page) {
    return page.evaluate(async () => {
        const all = window.rsKept.connections;
        const n = all.findLastIndex((pc) => pc.connectionState === "connected"
            && pc.getReceivers().length > 0);
        let frames = 0;

        for (const s of n < 0 ? [] : (await all[n].getStats()).values()) {
            if (s.type === "inbound-rtp" && s.kind === "video") {
                frames = s.framesDecoded;
            }
        }

        return {n, frames};
    });
}


async function rises(page) {
    let from = await shown(page);

    await until("more frames", async () => {
        const to = await shown(page);

        if (to.n !== from.n) {
            from = to;
        }

        return to.frames > from.frames + 2;
    }, FAIL_MS);
}


function released() {
    return until("end of the key", () => window.events.some(
        (e) => e.event === "key" && !e.down), FAIL_MS);
}


/* breaks something, and has it whole again when that returns */
async function survives(t, {page}, breaks) {
    const before = await connections(page);

    await breaks(page);

    const from = Date.now();

    await released();

    const letGo = Date.now() - from;

    await arrives(page);
    await rises(page);

    t.diagnostic(`${t.name}: back after ${Date.now() - from} ms (${BACK_MS
                 } promised), keys let go after ${letGo} ms, ${
                 await connections(page) - before} more connections`);

    assert.equal(await page.evaluate(() => window.rsMark), "not reloaded");
    await page.waitForSelector('#stage[data-state="connected"]');
}


/* the agent has given the connection up since it had said so much */
function dropped(from) {
    return until("end of the connection at the device", async () =>
        /nothing heard for 10 s/.test((await stack.agentLog()).slice(from)),
        FAIL_MS);
}


async function killRelay() {
    const {pid} = stack.state.turn;

    process.kill(pid, "SIGKILL");
    await until("end of coturn", () => stack.gone(pid));
}


function parent(pid) {
    try {
        return /^PPid:\s+(\d+)/m.exec(
            readFileSync(`/proc/${pid}/status`, "utf8"))[1];

    } catch {
        return null;
    }
}


/* the processes of the browser: the one that has its home, and what came of
 * it, which hides its own environment */
function chromium() {
    const own = (pid) => {
        try {
            return readFileSync(`/proc/${pid}/environ`, "latin1")
                   .includes(`HOME=${browser.home}`);

        } catch {
            return false;
        }
    };
    const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    const found = new Set(all.filter(own));

    for (let size = 0; size !== found.size;) {
        size = found.size;
        all.filter((pid) => found.has(parent(pid)))
           .forEach((pid) => found.add(pid));
    }

    return [...found].map(Number);
}


test("the device's address changes", {timeout: 300000}, async (t) => {
    const opened = await held();

    await survives(t, opened, () => net.site.move());
    await close(stack, opened);
});


test("the browser's address changes", {timeout: 300000}, async (t) => {
    const opened = await held();

    await survives(t, opened, () => net.tech.move());
    await close(stack, opened);
});


test("packets of the device vanish for a while", {timeout: 300000, skip: SHORT},
     async (t) => {
    const opened = await held();
    const {length} = await stack.agentLog();

    await survives(t, opened, async () => {
        await net.site.cut();
        await dropped(length);
        await net.site.mend();
    });
    await close(stack, opened);
});


test("the browser's cable is out for a while", {timeout: 300000, skip: SHORT},
     async (t) => {
    const opened = await held();
    const {length} = await stack.agentLog();

    await survives(t, opened, async (page) => {
        await net.tech.unplug();
        await dropped(length);
        await page.waitForSelector('#stage:not([data-socket="open"])');
        await net.tech.plug();
    });
    await close(stack, opened);
});


test("the relay is killed and comes back", {timeout: 300000}, async (t) => {
    const opened = await held({policy: {relay_only: true}});

    await survives(t, opened, async () => {
        await killRelay();
        await stack.start("turn");
    });
    await close(stack, opened);
});


test("the relay is away until nobody can reach it",
     {timeout: 300000, skip: SHORT}, async (t) => {
    const opened = await held({policy: {relay_only: true}});
    const before = await connections(opened.page);

    await survives(t, opened, async (page) => {
        await killRelay();
        await until("attempts without it", async () =>
            await connections(page) > before + 3, FAIL_MS);
        await stack.start("turn");
    });
    await close(stack, opened);
});


test("the device sleeps", {timeout: 300000}, async (t) => {
    const opened = await held();
    const before = await connections(opened.page);
    const {pid} = stack.state.agent;

    await survives(t, opened, async (page) => {
        process.kill(pid, "SIGSTOP");

        try {
            await until("attempts nobody answers", async () =>
                await connections(page) > before + 1, FAIL_MS);

        } finally {
            process.kill(pid, "SIGCONT");
        }
    });
    await close(stack, opened);
});


test("the browser sleeps", {timeout: 300000, skip: SHORT}, async (t) => {
    const opened = await held();
    const {length} = await stack.agentLog();
    const pids = chromium();

    assert.ok(pids.length > 4, "Chromium is several processes");

    await survives(t, opened, async () => {
        try {
            pids.forEach((pid) => process.kill(pid, "SIGSTOP"));
            await dropped(length);

        } finally {
            pids.forEach((pid) => process.kill(pid, "SIGCONT"));
        }
    });
    await close(stack, opened);
});
