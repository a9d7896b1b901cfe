
/*
 * Copyright (C) rs-gateway contributors
 *
 * Who does not read holds who writes, within bounds, and nobody else; UDP
 * through the same gateways.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";

import { until } from "../e2e/lib/wait.mjs";
import { Bytes, Check } from "./lib/bytes.mjs";
import { ENTRIES } from "./lib/entry.mjs";
import { World } from "./lib/world.mjs";

/* sockets of six hops, each with what the kernel gives it, and our buffers */
const BOUND = 128 * 1024 ** 2;
const MORE = 32 * 1024 ** 2;


let world;


before(async () => {
    world = await World.open();
}, {timeout: 120000});


after(async () => {
    await world?.close();
}, {timeout: 60000});


/* until nothing moves any more for a while */
async function stalled(f) {
    let last = -1, since = Date.now();

    await until("stop", () => {
        const now = f();

        if (now !== last) {
            last = now;
            since = Date.now();
        }

        return Date.now() - since > 2000;
    }, 60000);

    return last;
}


async function holds(t, open) {
    const tunnel = await open(world, {node: 1, port: world.tcp.port});

    t.after(() => tunnel.close());

    const {host, port} = tunnel;
    const here = connect({host, port});

    await once(here, "connect");
    here.pause();

    const there = await world.tcp.next();
    const bytes = new Bytes("down");
    let sent = 0;

    there.on("error", () => {});

    const room = () => {
        while (!there.writableNeedDrain && !there.writableEnded) {
            const piece = bytes.next();

            sent += piece.length;
            there.write(piece);
        }
    };

    there.on("drain", room);
    room();

    const held = await stalled(() => sent);

    t.diagnostic(`${held} bytes were taken`);
    assert.ok(held > 0 && held < BOUND, `${held} bytes were taken`);

    /* another one through the same processes */
    const other = connect({host, port, allowHalfOpen: true});

    await once(other, "connect");

    const target = await world.tcp.next();
    const check = new Check("other");
    const source = new Bytes("other");

    target.pipe(target);
    other.on("data", (chunk) => check.take(chunk));

    for (let left = MORE; left > 0; left -= 65536) {
        if (!other.write(source.next())) {
            await once(other, "drain");
        }
    }

    other.end();
    await once(other, "close");
    assert.equal(check.count, MORE);
    assert.ok(check.right);
    assert.equal(sent, held);

    /* and it goes on, with nothing lost */
    const all = new Check("down");

    here.on("data", (chunk) => all.take(chunk));
    here.resume();
    await until("more", () => sent > held + MORE);
    there.removeListener("drain", room);
    there.end();
    await once(here, "close");
    assert.equal(all.count, sent);
    assert.ok(all.right);
}


/* one datagram there and back; UDP may lose some, so it is sent again */
async function echoed(socket, {host, port}, bytes) {
    let found = false;
    const look = (got) => { found ||= got.equals(bytes); };

    socket.on("message", look);

    await until(`echo of ${bytes.length} bytes`, () => {
        if (!found) {
            socket.send(bytes, port, host);
        }

        return found;
    });

    socket.off("message", look);
}


async function echoes(t, open) {
    for (const node of [0, 1]) {
        const tunnel = await open(world, {node, port: world.echo.port,
                                          protocol: "udp"});

        t.after(() => tunnel.close());

        const sockets = [];

        for (const seed of ["a", "b"]) {
            const socket = createSocket("udp4");

            socket.bind(0, "127.0.0.1");
            await once(socket, "listening");
            socket.seed = seed;
            sockets.push(socket);
            t.after(() => socket.close());
        }

        world.echo.senders.clear();

        for (const len of [1, 1400, 9000, 65507]) {
            await Promise.all(sockets.map((socket) => echoed(
                socket, tunnel, new Bytes(`${socket.seed}${len}`).next(len))));
        }

        assert.equal(world.echo.senders.size, 2, "a flow for each");
    }
}


for (const [entry, open] of Object.entries(ENTRIES)) {
    test(`${entry}: a reader that stops holds its writer, and nobody else`,
         {timeout: 300000}, (t) => holds(t, open));

    test(`${entry}: datagrams come back whole, to who sent them`,
         {timeout: 120000}, (t) => echoes(t, open));
}
