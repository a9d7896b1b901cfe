
/*
 * Copyright (C) rs-gateway contributors
 *
 * The socket on which changes are heard of, against the example messages:
 * how it is opened, kept, lost and opened again.
 */

import test from "node:test";
import assert from "node:assert/strict";

import { RsError } from "../rs-api.js";
import { RsWatch } from "../rs-watch.js";
import { HandClock, examples, record, socketClass } from "./lib.mjs";


const TYPES = ["live", "device", "session", "resync"];

const said = examples("watch", "server");

const settle = () => new Promise((resolve) => setImmediate(resolve));


function watchOf() {
    const it = {clock: new HandClock(), Socket: socketClass(), tickets: 0,
                fail: null};
    const api = {post: async (path) => {
        assert.equal(path, "/watch");

        if (it.fail !== null) {
            throw it.fail;
        }

        return {ticket: `default.${++it.tickets}`};
    }};

    it.watch = new RsWatch({base: "https://gw.example/rs/v1",
                            api: () => api, clock: it.clock,
                            WebSocket: it.Socket});
    it.seen = record(it.watch, TYPES);
    it.hear = (message) => it.Socket.last.onmessage(
        {data: JSON.stringify(message)});

    return it;
}


async function live() {
    const it = watchOf();

    it.watch.start();
    await settle();
    it.hear(said.get("welcome"));

    return it;
}


test("it is opened by a ticket, and says what it hears", async () => {
    const it = await live();

    assert.equal(it.Socket.last.url, "wss://gw.example/rs/v1/watch");
    assert.deepEqual(it.Socket.last.protocols,
                     ["rs.v1", "rs.ticket.default.1"]);
    assert.equal(it.watch.live, true);

    for (const name of ["device", "session", "resync"]) {
        it.hear(said.get(name));
    }

    it.hear({type: "ping"});
    it.hear({type: "what is not known"});
    it.hear(null);

    assert.deepEqual(it.seen, [["live", true], ["device", said.get("device")],
                               ["session", said.get("session")],
                               ["resync", null]]);
    assert.deepEqual(it.Socket.last.sent.map((s) => s.type),
                     ["pong"]);

    /* once is enough */
    it.watch.start();
    await settle();
    assert.equal(it.tickets, 1);
});


test("a lost one is opened again, the later the more often", async () => {
    const it = await live();
    const waits = [];

    for (let i = 0; i < 8; i++) {
        const from = it.clock.now();
        const {tickets} = it;

        it.Socket.last.onclose({code: 1006});

        while (it.tickets === tickets) {
            it.clock.pass(100);
            await settle();
        }

        waits.push(it.clock.now() - from);
    }

    assert.deepEqual(it.seen, [["live", true], ["live", false]]);
    assert.ok(waits[0] <= 600, `${waits}`);
    assert.ok(waits[7] >= 29000 && waits[7] <= 61000, `${waits}`);

    /* good again: from the beginning */
    it.hear(said.get("welcome"));
    assert.equal(it.watch.live, true);
});


test("silence is an end, too", async () => {
    const it = await live();

    it.clock.pass(40000);
    assert.equal(it.watch.live, true);
    it.hear({type: "ping"});
    it.clock.pass(40000);
    assert.equal(it.watch.live, true);
    it.clock.pass(10000);
    assert.equal(it.watch.live, false);

    /* a socket that never gets its welcome */
    const other = watchOf();

    other.watch.start();
    await settle();
    other.clock.pass(16000);
    await settle();
    other.clock.pass(2000);
    await settle();
    assert.equal(other.tickets, 2);
});


test("a gateway without it, or not for this caller, is left alone",
     async () => {
    for (const code of ["not_found", "method_not_allowed", "forbidden"]) {
        const it = watchOf();

        it.fail = new RsError(code);
        it.watch.start();
        await settle();
        assert.equal(it.clock.armed, 0, code);
    }

    /* a busy one is asked again when it wants to be */
    const it = watchOf();

    it.fail = new RsError("unavailable", {retry_after_s: 20});
    it.watch.start();
    await settle();
    it.fail = null;
    it.clock.pass(19000);
    await settle();
    assert.equal(it.tickets, 0);
    it.clock.pass(2000);
    await settle();
    assert.equal(it.tickets, 1);
});


test("a stopped one says nothing more", async () => {
    const it = await live();
    const socket = it.Socket.last;

    it.watch.stop();
    assert.equal(it.watch.live, false);
    assert.equal(socket.onmessage, null);
    assert.equal(it.clock.armed, 0);

    /* nor does one that is stopped while it asks for its ticket */
    it.watch.start();
    it.watch.stop();
    await settle();
    assert.equal(it.Socket.all.length, 1);
});
