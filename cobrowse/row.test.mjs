
/*
 * Copyright (C) rs-gateway contributors
 *
 * Many rendered sessions: one after the other, with nothing left of any; more
 * than there is room for, so that one waits and is served; several at once,
 * with what each takes of memory and time.
 */

import test from "node:test";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { promisify } from "node:util";

import { until } from "../e2e/lib/wait.mjs";
import { FULL, LONG } from "./lib/size.mjs";
import { World } from "./lib/world.mjs";


const run = promisify(execFile);

const IN_A_ROW = FULL ? 50 : 5;
const AT_ONCE = 10;

/* what the machine has to have for one */
const MEMORY = 600 * 1024 * 1024;


/* what has ended, and waits for whoever reaps orphans here, is no process */
function alive(pid) {
    try {
        return /^\d+$/.test(pid)
               && readFileSync(`/proc/${pid}/cmdline`, "latin1") !== "";

    } catch {
        return false;
    }
}


/* what grows when something is forgotten */
async function held(world) {
    const {pid} = world.stack.state.render;
    const mounts = readFileSync("/proc/self/mountinfo", "utf8");
    const {stdout} = await run("lsns", ["-t", "net", "-n", "-o", "NS"]);

    return {
        files: readdirSync(`/proc/${pid}/fd`).length,
        processes: readdirSync("/proc").filter(alive).length,
        mounts: mounts.trim().split("\n").length,
        namespaces: stdout.trim().split("\n").length,
        temporary: readdirSync("/tmp").filter((n) => !/^rs-e2e-/.test(n))
                                      .length,
        memory: Number(/VmRSS:\s+(\d+)/.exec(
            readFileSync(`/proc/${pid}/status`, "utf8"))[1]),
    };
}


/* of a session whose host is there: {session, ms} */
async function begun(world, more = {}) {
    const start = Date.now();
    const {session} = await world.session([], more);

    await until("the host of a session", async () =>
        !/waiting/.test((await world.look(session)).state));

    return {session, ms: Date.now() - start};
}


/* proportional set size of all that is an instance's, MiB */
function memory(world) {
    let sum = 0;

    for (const {pid} of world.instances().processes) {
        try {
            sum += Number(/^Pss:\s+(\d+)/m.exec(
                readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))[1]);

        } catch {

            /* has just ended */
        }
    }

    return sum / 1024;
}


test(`${IN_A_ROW} in a row, and nothing is left`,
     {timeout: IN_A_ROW * 30000}, async () => {
    const world = await World.open({renderConf: ["pool.warm=0", "pool.max=1"]});

    try {
        let before = null;
        const took = [];

        for (let i = 0; i < IN_A_ROW; i++) {
            const {session, ms} = await begun(world);

            took.push(ms);
            await world.api.endSession(session.id);
            await world.gone();

            /* the first one made what stays: caches, a log's buffer */
            before ??= await held(world);
        }

        const now = await held(world);

        took.sort((a, b) => a - b);
        console.log(`# ${IN_A_ROW} sessions, cold start ${took[0]} to `
                    + `${took.at(-1)} ms, half of them in `
                    + `${took[took.length >> 1]} ms`);
        console.log(`# before ${JSON.stringify(before)}`);
        console.log(`# after  ${JSON.stringify(now)}`);

        for (const what of ["files", "mounts", "namespaces", "processes"]) {
            assert.ok(now[what] <= before[what] + 1, `${what}: `
                      + `${before[what]}, then ${now[what]}`);
        }

        assert.ok(now.memory < before.memory + 8192, "memory of rs-render");

    } finally {
        await world.close();
    }
});


test("when all places are taken one waits, and is served",
     {timeout: 120000}, async () => {
    const world = await World.open({renderConf: ["pool.warm=0", "pool.max=1",
                                                 "pool.queue=1"]});

    try {
        const {session: first} = await begun(world);
        const {session: second} = await world.session([]);

        await until("a place in the queue", async () =>
            (await world.look(second)).queue === 1);
        assert.equal((await world.look(second)).state, "waiting_host");

        /* no room in the queue, either */
        await until("refusal", async () => {
            try {
                const {session} = await world.session([]);

                await world.api.endSession(session.id);
                return false;

            } catch (e) {
                assert.equal(e.status, 503, e.message);
                assert.equal(e.code, "renderers_full");
                return true;
            }
        });

        await world.api.endSession(first.id);
        await until("its turn", async () => {
            const {state, queue} = await world.look(second);

            return !/waiting/.test(state) && queue === null;
        });
        await world.api.endSession(second.id);
        await world.gone();

    } finally {
        await world.close();
    }
});


test(`${AT_ONCE} at once, or what this machine bears`,
     {...LONG, timeout: 300000}, async () => {
    const n = Math.max(1, Math.min(AT_ONCE, Math.floor(totalmem() / MEMORY),
                                   cpus().length * 4));
    const world = await World.open({renderConf: [
        "pool.warm=0", `pool.max=${n}`, "pool.start_time=120"]});

    try {
        const start = Date.now();
        const all = await Promise.all(Array.from({length: n},
                                                 () => begun(world)));
        const mib = memory(world);

        console.log(`# ${n} at once on ${cpus().length} processors: all there `
                    + `after ${Date.now() - start} ms, the first after `
                    + `${Math.min(...all.map(({ms}) => ms))} ms`);
        console.log(`# ${Math.round(mib)} MiB (PSS) in all, `
                    + `${Math.round(mib / n)} MiB for each`);
        assert.equal(world.instances().hosts.length, n);

        for (const {session} of all) {
            await world.api.endSession(session.id);
        }

        await world.gone(0, 5000);

    } finally {
        await world.close();
    }
});
