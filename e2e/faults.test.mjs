
/*
 * Copyright (C) rs-gateway contributors
 *
 * A session through faults of the fleet, on two nodes of two workers behind a
 * balancer: reload, killed workers, Redis stopped and started, a node lost.
 * Each time the picture goes on, console and agent come back by themselves,
 * and the session is as good as before: somebody else joins, a new line is
 * made, keys arrive.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";

import { Browser, connected, frames } from "./lib/browser.mjs";
import { Stack } from "./lib/stack.mjs";
import { TestWindow } from "./lib/testwin.mjs";
import { until } from "./lib/wait.mjs";


const GAP_MS = 3000;        /* longest time without a new frame */
const OUTAGE_MS = 5000;

let stack, window, browser;


before(async () => {
    stack = await Stack.up(["--agent", "--nodes", "2", "--balancer"]);
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


/* notes the longest time without a new frame, from now on */
function watch(page) {
    return page.evaluate(() => {
        const pc = window.rsKept.connections.at(-1);
        const seen = {frames: 0, at: performance.now(), gap: 0};

        window.rsFrames = seen;
        seen.timer = setInterval(async () => {
            for (const s of (await pc.getStats()).values()) {
                if (s.type === "inbound-rtp" && s.framesDecoded > seen.frames)
                {
                    seen.frames = s.framesDecoded;
                    seen.at = performance.now();
                }
            }

            seen.gap = Math.max(seen.gap, performance.now() - seen.at);
        }, 100);
    });
}


async function longestGap(page) {
    return page.evaluate(() => {
        clearInterval(window.rsFrames.timer);
        return window.rsFrames.gap;
    });
}


function sockets(page) {
    return page.evaluate(() => window.rsKept.sockets.length);
}


/* how often a socket of the agent's session was lost */
async function losses() {
    return (await stack.agentLog()).split(": socket down (").length - 1;
}


/* both are there, by their own word and the gateway's */
async function back(page, session) {
    await page.waitForSelector('#stage[data-socket="open"]');
    await until("everybody joined", async () => {
        const {participants, state} = await stack.api.session(session.id);

        return state === "active" && participants.every(
            (p) => p.state === "joined" || p.state === "left");
    });
    await until("device online", async () =>
        (await stack.api.device(stack.device)).data.online);
}


/* somebody else gets the picture, then the keyboard works on a new line */
async function asGoodAsBefore(page, session) {
    const {join_url} = await until("one more participant", () =>
        stack.api.addParticipant(session.id, {role: "viewer"}));
    const other = await join(join_url);
    const from = await frames(other);

    await until("frames of the other one",
                async () => await frames(other) > from);
    await until("the other one in the list", () => page.$$eval(
        "#people li", (li) => li.length === 3));
    await other.context().close();

    const lines = await page.evaluate(
        () => window.rsKept.connections.length);

    await page.evaluate(() => dispatchEvent(new Event("online")));
    await until("a new line", () => page.evaluate(
        (n) => window.rsKept.connections.length > n
               && window.rsKept.connections.at(-1).connectionState
                  === "connected", lines));
    window.clear();
    await until("keys", async () => {
        await page.focus("#screen");
        await page.keyboard.press("g");
        return window.presses.some((e) => e.keysym === "g" && !e.down);
    });
}


/**
 * A session that goes through a fault.  `lost` tells who must have lost a
 * socket over it.
 */
async function through(fault, lost = {browser: true, agent: true}) {
    const {session, links} = await stack.session(["controller"]);
    const page = await join(links[0]);

    await page.waitForSelector('#stage[data-control="true"]');
    await until("session that is active", async () =>
        (await stack.api.session(session.id)).state === "active");
    await watch(page);

    const had = await losses();

    await fault(page, session);
    await back(page, session);

    /* the media were left alone: one connection, and it never stopped */
    const gap = await longestGap(page);

    assert.ok(gap < GAP_MS, `${Math.round(gap)} ms without a frame`);
    assert.equal(await page.evaluate(
        () => window.rsKept.connections.length), 1);

    if (lost.browser) {
        assert.ok(await sockets(page) > 1, "the browser lost no socket");
    }

    if (lost.agent) {
        assert.ok(await losses() > had, "the agent lost no socket");
    }

    await asGoodAsBefore(page, session);
    assert.deepEqual(page.complaints, []);
    await page.context().close();
    await stack.api.endSession(session.id);
}


test("both nodes are reloaded", {timeout: 120000}, async () => {
    await through(async (page) => {
        const old = (await Promise.all([stack.workers(0), stack.workers(1)]))
                    .flat();

        for (const node of stack.state.nodes) {
            process.kill(node.pid, "SIGHUP");
        }

        await until("end of the old workers", async () => {
            const now = (await Promise.all([stack.workers(0),
                                            stack.workers(1)])).flat();

            return now.every((pid) => !old.includes(pid));
        });
        await until("second socket", async () => await sockets(page) > 1);
    });
});


test("workers are killed one after the other", {timeout: 120000}, async () => {
    await through(async (page, session) => {
        for (const node of [0, 1]) {
            for (const pid of await stack.workers(node)) {
                process.kill(pid, "SIGKILL");
                await until("another worker", async () => {
                    const now = await stack.workers(node);

                    return now.length === 2 && !now.includes(pid);
                });
                await back(page, session);
            }
        }
    });
});


test("Redis stops for 5 s and starts again", {timeout: 120000}, async () => {
    await through(async (page) => {
        const from = Date.now();

        await stack.stopRedis();
        await until("refusal of a new session",
                    () => fetchStatus("/sessions").then((s) => s === 503));
        await until("end of the outage",
                    () => Date.now() - from >= OUTAGE_MS);

        /* nobody was sent away over it */
        assert.equal(await page.getAttribute("#stage", "data-socket"),
                     "open");
        await stack.start("redis");
        await until("sessions again",
                    () => fetchStatus("/sessions").then((s) => s === 200));
    }, {});
});


test("each node is lost once", {timeout: 120000}, async () => {
    await through(async (page, session) => {
        for (const [i, node] of stack.state.nodes.entries()) {
            for (const pid of [node.pid, ...await stack.workers(i)]) {
                process.kill(pid, "SIGKILL");
            }

            await back(page, session);
            await stack.start(node.name);
            await until("a node that is ready", () => fetchStatus("/sessions")
                .then((s) => s === 200));
        }
    });
});


/* a reading call's status, whatever it is */
async function fetchStatus(path) {
    try {
        await stack.api.page(path);
        return 200;

    } catch (e) {
        return e.status;
    }
}
