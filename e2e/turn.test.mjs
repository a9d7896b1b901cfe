
/*
 * Copyright (C) rs-gateway contributors
 *
 * A relayed session and the TURN plugin, in both its modes: a session's end
 * takes its allocations along, by coturn's own word, though its host does not
 * so much as hear of it; those of another session stay, and the agent and the
 * console go on.
 */

import test from "node:test";
import assert from "node:assert/strict";

import { Browser, connected, frames, selectedPair } from "./lib/browser.mjs";
import { allocations } from "./lib/coturn.mjs";
import { Stack } from "./lib/stack.mjs";
import { until } from "./lib/wait.mjs";

const END_MS = 5000;


async function relayed(stack, browser) {
    const {session, links} = await stack.session(["controller"],
                                                 {policy: {relay_only: true}});
    const page = await browser.page();

    await page.goto(links[0]);
    await connected(page);

    const pair = await selectedPair(page);

    assert.deepEqual([pair.local.candidateType, pair.remote.candidateType],
                     ["relay", "relay"]);
    await rises(page);

    return {page, session};
}


async function rises(page) {
    const from = await frames(page);

    await until(`more than ${from} frames`,
                async () => await frames(page) > from + 3);
}


/* the sides of a session that have allocations */
async function sides(stack, session) {
    const users = await allocations(stack, session.id);

    return [...new Set(users.map((user) => user.split(".")[2]))].sort();
}


for (const mode of ["compat", "strict"]) {

    test(`${mode}: a session's end takes its allocations along`,
         {timeout: 180000}, async (t) => {
        const stack = await Stack.up(["--agent", "--turn-mode", mode]);

        t.after(() => stack.down());

        const browser = await Browser.start(stack);

        t.after(() => browser.close());

        const one = await relayed(stack, browser);
        const two = await relayed(stack, browser);
        const before = await sides(stack, one.session);
        const others = await sides(stack, two.session);

        assert.equal(before.length, 2, "both sides allocated");
        assert.equal(others.length, 2, "both sides of the other, too");

        /* so that it is not the agent that gives them back */
        const {pid} = stack.state.agent;

        process.kill(pid, "SIGSTOP");

        try {
            const from = Date.now();

            await stack.api.endSession(one.session.id);
            await until("end of the allocations", async () =>
                (await sides(stack, one.session)).length === 0, END_MS);
            t.diagnostic(`allocations ended within ${Date.now() - from} ms`);

        } finally {
            process.kill(pid, "SIGCONT");
        }

        /* the other session goes on */
        await rises(two.page);
        assert.deepEqual(await sides(stack, two.session), others);

        /* the page says that it is over, and asks for nothing more */
        await one.page.waitForSelector('#stage[data-state="over"]');
        assert.deepEqual(one.page.complaints, []);

        /* the agent serves the next one */
        const {data} = await stack.api.device(stack.device);

        assert.equal(data.online, true);

        const three = await relayed(stack, browser);

        for (const {page, session} of [two, three]) {
            await page.context().close();
            await stack.api.endSession(session.id);
        }
    });
}
