
/*
 * Copyright (C) rs-gateway contributors
 *
 * Sessions in a row, each with a relayed picture and a click: what is resident
 * of the agent and of the gateway's worker grows no more once they are warm,
 * and coturn is left without an allocation.  E2E=short takes a few sessions
 * less.
 */

import test from "node:test";
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";

import { Browser, connected, frames, place } from "./lib/browser.mjs";
import { allocations } from "./lib/coturn.mjs";
import { Stack } from "./lib/stack.mjs";
import { SPOTS, TestWindow } from "./lib/testwin.mjs";
import { until } from "./lib/wait.mjs";


const SHORT = process.env.E2E === "short";
const SESSIONS = SHORT ? 12 : 100;
const WARM = SHORT ? 6 : 25;
const WINDOW = 5;
const RESTING = 10;         /* threads without a session; with one it is 25 */

/* KiB a session.  In the agent a connection that is not freed is several
 * hundred, and so was what malloc kept; in a worker a session is a few */
const MOST = {agent: SHORT ? 512 : 96, workers: SHORT ? 64 : 8,
              files: SHORT ? 1 : 0.1, threads: SHORT ? 1 : 0.1};


/* KiB that are the process's own: the pages of files come and go */
async function resident(pid) {
    const text = await readFile(`/proc/${pid}/status`, "utf8");

    return Number(/^RssAnon:\s+(\d+)/m.exec(text)[1]);
}


async function opened(pid) {
    return (await readdir(`/proc/${pid}/fd`)).length;
}


async function threads(pid) {
    return (await readdir(`/proc/${pid}/task`)).length;
}


/* one relayed session: a picture, a click that arrives, the end */
async function sit(stack, page, window) {
    const {session, links} = await stack.session(["controller"],
                                                 {policy: {relay_only: true}});

    await page.goto("about:blank");
    await page.goto(links[0]);
    await connected(page);
    await page.waitForSelector('#stage[data-control="true"]');

    const before = await frames(page);

    await until("more frames", async () => await frames(page) > before + 1);

    window.clear();
    await page.mouse.click(...await place(page, SPOTS.blue));
    await window.wait({event: "button", button: 1, down: false});

    await stack.api.endSession(session.id);
    await page.waitForSelector('#stage[data-state="over"]');

    return session.id;
}


test(`${SESSIONS} sessions in a row leave nothing behind`,
     {timeout: 1800000}, async (t) => {
    const stack = await Stack.up(["--agent"]);

    t.after(() => stack.down());

    const window = await TestWindow.open(stack.state.desktop);

    t.after(() => window.close());

    const browser = await Browser.start(stack);

    t.after(() => browser.close());

    const page = await browser.page();
    const {pid} = stack.state.agent;
    const workers = await stack.workers();
    const seen = [];

    const look = async () => ({
        agent: await resident(pid),
        workers: (await Promise.all(workers.map(resident)))
                     .reduce((sum, n) => sum + n, 0),
        files: await opened(pid),
        threads: await threads(pid),
    });

    for (let n = 1; n <= SESSIONS; n++) {
        const id = await sit(stack, page, window);

        await until("end of the session's allocations", async () =>
            (await allocations(stack, id)).length === 0);

        /* a session that ends has threads for a moment more */
        if (n > WARM - WINDOW && (n <= WARM || n > SESSIONS - WINDOW)) {
            await until("an agent at rest", async () =>
                await threads(pid) <= RESTING);
            seen.push(await look());
        }
    }

    const warm = seen.slice(0, WINDOW);
    const last = seen.slice(-WINDOW);
    const least = (looks, what) => Math.min(...looks.map((l) => l[what]));
    const said = [];

    for (const what of Object.keys(MOST)) {
        said.push(`${what} ${least(warm, what)} -> ${least(last, what)}`);
    }

    t.diagnostic(`sessions ${WARM} to ${SESSIONS}: ${said.join(", ")}`);

    for (const [what, most] of Object.entries(MOST)) {
        const growth = (least(last, what) - least(warm, what))
                       / (SESSIONS - WARM);

        assert.ok(growth <= most, `${what}: ${growth} a session`);
    }

    assert.deepEqual(page.complaints, []);
});
