
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a rendered session costs: how long until its browser is there, warm and
 * cold, and how much memory it has; and ten of them at once, or as many as this
 * machine has memory for.  Prints what it measured.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { cpus } from "node:os";

import { connected, frames } from "../e2e/lib/browser.mjs";
import { until } from "../e2e/lib/wait.mjs";
import { FULL } from "./lib/size.mjs";
import { World } from "./lib/world.mjs";


const WANTED = FULL ? 10 : 3;
const EACH_MIB = 600;           /* not to be tried where it is not there */

let world, most;


/* MiB */
function available() {
    const [, kib] = /^MemAvailable:\s+(\d+)/m.exec(
        readFileSync("/proc/meminfo", "latin1"));

    return Number(kib) / 1024;
}


/* MiB that a process has of its own, shared pages by who shares them */
function memory({pid}) {
    try {
        const [, kib] = /^Pss:\s+(\d+)/m.exec(
            readFileSync(`/proc/${pid}/smaps_rollup`, "latin1"));

        return Number(kib) / 1024;

    } catch {
        return 0;
    }
}


/* seconds from invite to the browser that is in the session, of each so far */
function started() {
    return [...world.log().matchAll(/, ([\d.]+) s after its invite/g)]
           .map(([, s]) => Number(s));
}


before(async () => {
    most = Math.max(1, Math.min(WANTED, Math.floor(available() / EACH_MIB)));
    world = await World.open({renderConf: [`pool.max=${most}`, "pool.warm=1",
                                           "pool.start_time=120"]});
}, {timeout: 120000});


after(async () => {
    await world?.close();
}, {timeout: 60000});


test("a warm one is there at once", {timeout: 120000}, async () => {
    await until("a warm one", () => /is ready after/.test(world.log()));

    const [, cold] = /is ready after ([\d.]+) s/.exec(world.log());
    const {session} = await world.session(["controller"]);

    await until("the browser", () => started().length === 1);
    console.log(`# a browser is ready ${cold} s after its start; a session has`
                + ` a warm one ${started()[0]} s after its invite`);
    assert.ok(started()[0] < 5);
    await world.api.endSession(session.id);
    await world.gone(1);
});


test("as many at once as there may be", {timeout: 300000}, async () => {
    await until("a warm one", () =>
        (world.log().match(/is ready after/g) ?? []).length >= 2, 60000);

    const before = started().length;
    const sessions = await Promise.all(
        Array.from({length: most}, () => world.session(["viewer"])));

    await until("all browsers", () => started().length === before + most,
                120000);

    const page = await (await world.browser()).page();

    await page.goto(sessions[0].links[0]);
    await connected(page);
    await until("a picture", async () => await frames(page) > 1);

    const all = world.instances();
    const mib = all.processes.reduce((sum, p) => sum + memory(p), 0) / most;
    const times = started().slice(before).sort((a, b) => a - b);

    assert.equal(all.hosts.length, most);
    console.log(`# ${most} at once on ${cpus().length} processors, `
                + (most < WANTED ? "the memory's limit; " : "")
                + `${mib.toFixed(0)} MiB each; the browser is there after `
                + `${times[0]} s (a warm one) to ${times.at(-1)} s, median `
                + `${times[most >> 1]} s`);

    await page.context().close();
    await Promise.all(sessions.map(({session}) =>
        world.api.endSession(session.id)));
    await world.gone(1, 20000);
});
