
/*
 * Copyright (C) rs-gateway contributors
 *
 * The pool of a rendering service behind a gateway: places, the queue, what
 * becomes of sessions whose instance dies or never comes, and of instances
 * whose pool was killed.  The instances are played: no browsers here.
 */

import test, { after, afterEach, before } from "node:test";
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { until } from "../e2e/lib/wait.mjs";
import { GONE_MS, World } from "./lib/world.mjs";


const PROGRAM = fileURLToPath(new URL("lib/played-instance.mjs",
                                      import.meta.url));

let world, dir;
const made = [];


before(async () => {
    dir = await mkdtemp(join(tmpdir(), "rs-pool-"));
    process.env.RS_PLAYED = join(dir, "mood");
    world = await World.open({
        renderConf: [`pool.program=${PROGRAM}`, "pool.max=2", "pool.warm=1",
                     "pool.queue=1", "pool.start_time=2"],
        options: ["--no-turn"]});
}, {timeout: 120000});


/* each test begins with one warm instance and nothing else */
afterEach(async () => {
    await mood("");

    for (const {id} of made.splice(0)) {
        await world.api.endSession(id).catch(() => {});
    }

    await world.gone(1, 30000);
});


after(async () => {
    await world?.close();
    await rm(dir, {recursive: true, force: true});
}, {timeout: 60000});


function mood(word) {
    return writeFile(process.env.RS_PLAYED, word);
}


async function begin() {
    const {session} = await world.session(["controller"]);

    made.push(session);

    return session;
}


async function load() {
    const {data} = await world.api.device(world.stack.state.render.device_id);

    return data.load;
}


test("places, a queue with positions, and no room", {timeout: 60000},
     async () => {
    await until("load", async () => (await load())?.capacity === 2);
    assert.deepEqual(await load(), {capacity: 2, used: 0, queued: 0,
                                    queue: 1});

    const one = await begin();
    const two = await begin();

    await until("both placed", async () => (await load()).used === 2);

    const three = await begin();

    await until("a position", async () => (await world.look(three)).queue
                                          === 1);
    assert.equal((await world.look(one)).queue, null);
    assert.deepEqual(await load(), {capacity: 2, used: 2, queued: 1,
                                    queue: 1});

    await assert.rejects(begin(), (e) => {
        assert.equal(e.status, 503);
        assert.equal(e.code, "renderers_full");

        return true;
    });

    await world.api.endSession(two.id);
    await until("its turn", async () => (await world.look(three)).queue
                                        === null);
    await until("its place", async () => {
        const {used, queued} = await load();

        return used === 2 && queued === 0;
    });
});


test("who leaves the queue is not given a place", {timeout: 60000},
     async () => {
    await begin();
    await begin();

    const three = await begin();

    await until("a position", async () => (await world.look(three)).queue
                                          === 1);
    await world.api.endSession(three.id);
    await until("nobody waits", async () => (await load()).queued === 0);
    assert.equal((await load()).used, 2);
});


test("an instance that dies ends its session within 5 s", {timeout: 60000},
     async () => {
    await mood("dies");

    const one = await begin();
    const from = Date.now();

    await until("the end", async () => (await world.look(one)).state
                                       === "ended", GONE_MS);
    assert.equal((await world.look(one)).end_reason, "host_lost");
    console.log(`# ended ${Date.now() - from} ms after it began`);
});


test("one that is never ready is given up, and so is its session",
     {timeout: 90000}, async () => {
    /* the warm one is ready, those after it are not */
    await mood("mute");
    await begin();

    const two = await begin();

    await until("the end", async () => (await world.look(two)).state
                                       === "ended", 40000);
    assert.equal((await world.look(two)).end_reason, "host_lost");
    assert.match(world.log(), /was not ready in time/);
});


test("what a killed pool left is ended by the next one", {timeout: 60000},
     async () => {
    await begin();
    await until("two instances", () => world.instances().hosts.length === 2);

    const before = world.instances().hosts.map(({pid}) => pid);

    process.kill(world.stack.state.render.pid, "SIGKILL");
    await until("its end", () => world.stack.gone(
        world.stack.state.render.pid));
    await world.stack.start("render");

    await until("another warm one", () => {
        const {hosts} = world.instances();

        return hosts.length >= 1
               && hosts.every(({pid}) => !before.includes(pid));
    });
    await until("load", async () => (await load())?.capacity === 2);
});
