
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

import { Browser } from "./lib/browser.mjs";
import { Stack } from "./lib/stack.mjs";
import { TestWindow } from "./lib/testwin.mjs";
import { Trial, sockets } from "./lib/trial.mjs";
import { until } from "./lib/wait.mjs";


const OUTAGE_MS = 5000;

let stack, window, browser, trial;


before(async () => {
    stack = await Stack.up(["--agent", "--nodes", "2", "--balancer"]);
    window = await TestWindow.open(stack.state.desktop);
    browser = await Browser.start(stack);
    trial = new Trial(stack, window, browser);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await window?.close();
    await stack?.down();
}, {timeout: 60000});


test("both nodes are reloaded", {timeout: 120000}, async (t) => {
    await trial.through(t, async (page) => {
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


test("workers are killed one after the other", {timeout: 120000}, async (t) => {
    await trial.through(t, async (page, session) => {
        for (const node of [0, 1]) {
            for (const pid of await stack.workers(node)) {
                process.kill(pid, "SIGKILL");
                await until("another worker", async () => {
                    const now = await stack.workers(node);

                    return now.length === 2 && !now.includes(pid);
                });
                await trial.back(page, session);
            }
        }
    });
});


test("Redis stops for 5 s and starts again", {timeout: 120000}, async (t) => {
    await trial.through(t, async (page) => {
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


test("each node is lost once", {timeout: 120000}, async (t) => {
    await trial.through(t, async (page, session) => {
        for (const [i, node] of stack.state.nodes.entries()) {
            for (const pid of [node.pid, ...await stack.workers(i)]) {
                process.kill(pid, "SIGKILL");
            }

            await trial.back(page, session);
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
