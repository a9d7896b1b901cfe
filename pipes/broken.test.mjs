
/*
 * Copyright (C) rs-gateway contributors
 *
 * A pipe that breaks anywhere, at any byte: both ends are told so by a reset,
 * and what came before is the beginning of what was sent.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { randomInt } from "node:crypto";

import { until } from "../e2e/lib/wait.mjs";
import { Bytes, Check } from "./lib/bytes.mjs";
import { ENTRIES } from "./lib/entry.mjs";
import { BREAKS } from "./lib/size.mjs";
import { World } from "./lib/world.mjs";

const TIMEOUT = 600000;
const MOST = 24 * 1024 ** 2;


let world, since_s;


before(async () => {
    world = await World.open();
}, {timeout: 120000});


after(async () => {
    await world?.close();
}, {timeout: 60000});


/* how a socket ends, with what came before checked */
function watch(socket, seed, onEnd = (it) => { it.ended = true; }) {
    const it = {check: new Check(seed), ended: false, error: null,
                closed: false};

    socket.on("data", (chunk) => it.check.take(chunk));
    socket.on("end", () => onEnd(it));
    socket.on("error", (e) => { it.error ??= e.code; });
    socket.on("close", () => { it.closed = true; });

    return it;
}


/*
 * libuv tells a reset right behind some bytes as an end.  The kernel knows
 * better: what is written then fails at once, where an end lets it pass.
 */
function watchBreak(socket, seed) {
    return watch(socket, seed, (it) => socket.write("?", (e) => {
        if (!e) {
            it.ended = true;
            socket.destroy();
        }
    }));
}


/* sends without end, as fast as it goes */
async function pour(socket, bytes) {
    while (!socket.destroyed && !socket.writableEnded) {
        if (!socket.write(bytes.next())) {
            await new Promise((resolve) => {
                const go = () => {
                    socket.off("drain", go);
                    socket.off("close", go);
                    resolve();
                };

                socket.on("drain", go);
                socket.on("close", go);
            });
        }
    }
}


/* a connection through a tunnel, with both of its ends in hand */
async function both({host, port}, watcher = watch) {
    const here = connect({host, port, allowHalfOpen: true});
    const seen = watcher(here, "down");

    here.on("error", () => {});
    await once(here, "connect");

    const there = await world.tcp.next();
    const far = watcher(there, "up");

    there.resume();

    return {here, there, seen, far};
}


async function device() {
    return (await world.stack.api.device(world.stack.device)).data;
}


async function online(after_s = 0) {
    await until("device online", async () => {
        const {online: is, connected_at: at} = await device();

        return is && at > after_s;
    });
}


/* which process, by the way it is found; nodes: where the client's leg is */
const VICTIMS = {
    "rs-tunnel": {
        nodes: [0, 1],
        entries: ["rs-tunnel"],
        kill: (tunnel) => tunnel.child.kill("SIGKILL"),
        mend: async () => {},
    },
    "the agent": {
        nodes: [0, 1],
        kill: () => process.kill(world.stack.state.agent.pid, "SIGKILL"),
        mend: async () => {
            await until("end of the agent", () =>
                world.stack.gone(world.stack.state.agent.pid));
            await until("device offline", async () =>
                !(await device()).online);
            await world.stack.start("agent");
            await online();
        },
    },
    "each worker of the client's node": {
        nodes: [1],
        kill: () => killWorkers(1),
        mend: async () => {},
    },
    "each worker of the device's node": {
        nodes: [1, 0],
        /* who is back came in a later second than before */
        kill: async () => {
            since_s = (await device()).connected_at;
            await until("next second", () => Date.now() / 1000 > since_s + 1);
            await killWorkers(0);
        },
        mend: () => online(since_s),
    },
};


/* one of them has the pipe's leg */
async function killWorkers(node) {
    for (const pid of await world.stack.workers(node)) {
        process.kill(pid, "SIGKILL");
    }
}


async function breaks(t, open, {nodes, kill, mend}, i) {
    const tunnel = await open(world, {node: nodes[(i >> 1) % nodes.length],
                                      port: world.tcp.port});
    const {here, there, seen, far} = await both(tunnel, watchBreak);
    const at = randomInt(MOST);

    /* one way: who writes may read an end behind the error that
     * its write has met, as Linux tells each reset once */

    const [source, seed, reader, writer] = i % 2 === 0
        ? [there, "down", seen, far] : [here, "up", far, seen];

    const bytes = new Bytes(seed);

    source.write(bytes.next(1));
    await until("a byte", () => reader.check.count === 1);

    const way = await world.way();

    pour(source, bytes);
    await until(`byte ${at}`, () => reader.check.count >= at);
    await kill(tunnel);
    await until("both ends", () => seen.closed && far.closed);

    t.diagnostic(`${way}, at ${at}: ${seen.check.count} here (${seen.error}), `
                 + `${far.check.count} there (${far.error})`);

    await tunnel.close("SIGKILL");
    await mend();
    await world.remove(tunnel.id);

    assert.ok(reader.check.right, "a beginning of what was sent");
    assert.equal(reader.ended, false, "no end was told");
    assert.equal(reader.error, "ECONNRESET");
    assert.match(writer.error, /^(ECONNRESET|EPIPE)$/);
}


for (const [entry, open] of Object.entries(ENTRIES)) {
    for (const [name, victim] of Object.entries(VICTIMS)) {
        if (victim.entries?.includes(entry) === false) {
            continue;
        }

        test(`${entry}: ${name} is killed at ${BREAKS} random bytes`,
             {timeout: TIMEOUT}, async (t) => {
            for (let i = 0; i < BREAKS; i++) {
                await breaks(t, open, victim, i);
            }
        });
    }


    test(`${entry}: an end in one direction leaves the other one`,
         {timeout: 60000}, async (t) => {
        const tunnel = await open(world, {port: world.tcp.port});

        t.after(() => tunnel.close());

        const {here, there, seen, far} = await both(tunnel);

        here.end(new Bytes("up").next(1000));
        await until("end there", () => far.ended);
        assert.equal(far.check.count, 1000);
        assert.equal(seen.ended, false);

        there.end(new Bytes("down").next(2000));
        await until("both ends", () => seen.closed && far.closed);

        assert.equal(seen.check.count, 2000);
        assert.ok(seen.check.right && far.check.right);
        assert.deepEqual([seen.ended, seen.error, far.error],
                         [true, null, null]);
    });


    test(`${entry}: what is reset at one end is reset at the other`,
         {timeout: 60000}, async (t) => {
        const tunnel = await open(world, {port: world.tcp.port});

        t.after(() => tunnel.close());

        for (const whose of ["here", "there"]) {
            const pair = await both(tunnel);
            const other = whose === "here" ? pair.far : pair.seen;

            pair.here.write("x");
            await until("a byte there", () => pair.far.check.count === 1);
            pair[whose].resetAndDestroy();
            await until("reset", () => other.closed);
            assert.deepEqual([other.ended, other.error],
                             [false, "ECONNRESET"], whose);
        }
    });
}
