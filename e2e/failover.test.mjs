
/*
 * Copyright (C) rs-gateway contributors
 *
 * A session through the loss of a Redis primary, with Sentinels that promote
 * a replica: the picture goes on, new sessions can be made soon, and what
 * the failover forgot is said again.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";

import { Browser } from "./lib/browser.mjs";
import { Stack } from "./lib/stack.mjs";
import { TestWindow } from "./lib/testwin.mjs";
import { Trial } from "./lib/trial.mjs";
import { until } from "./lib/wait.mjs";


/* ten times what is promised: by how much it is missed is for faults/ to say */
const AGAIN_MS = 60000;

let stack, window, browser, trial;


before(async () => {
    stack = await Stack.up(["--agent", "--sentinel"]);
    window = await TestWindow.open(stack.state.desktop);
    browser = await Browser.start(stack);
    trial = new Trial(stack, window, browser);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await window?.close();
    await stack?.down();
}, {timeout: 60000});


test("the primary is killed: frames go on, new sessions soon",
     {timeout: 240000}, async (t) => {
    await trial.through(t, async () => {
        const primary = await stack.primary();
        const from = Date.now();

        process.kill(primary.pid, "SIGKILL");

        const {session} = await until("a new session",
                                      () => stack.session(["viewer"]),
                                      AGAIN_MS);
        const took = Date.now() - from;

        t.diagnostic(`a new session after ${took} ms`);

        const now = await stack.primary();

        assert.notEqual(now.port, primary.port);
        await until("a replica of the new primary",
                    () => stack.confirmed(now));
        await stack.api.endSession(session.id);
    }, {});
});
