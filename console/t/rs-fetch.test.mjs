
/*
 * Copyright (C) rs-gateway contributors
 *
 * A recording's archive is fetched through a pipe: whole, cut off, given up,
 * and where it cannot be written.
 */

import test from "node:test";
import assert from "node:assert/strict";

import { fetchRecording } from "../rs-fetch.js";
import { RsError } from "../rs-api.js";


/* the recorder's end: what the test lets it say */
class Socket {
    static last = null;
    readyState = 1;
    bufferedAmount = 0;
    sent = [];

    constructor(url, protocols) {
        Object.assign(this, {url, protocols});
        Socket.last = this;
        setImmediate(() => this.onopen());
    }

    send(bytes) {
        this.sent.push(bytes.length);
    }

    close(code) {
        this.readyState = 3;
        this.code = code;
    }

    say(...bytes) {
        this.onmessage({data: Uint8Array.from(bytes).buffer});
    }

    end(code, reason = "") {
        this.onclose({code, reason});
    }
}


const settle = () => new Promise((resolve) => setTimeout(resolve, 5));


function start({fail = false, ticket = "default.abc"} = {}) {
    const parts = [];
    const asked = [];
    const seen = [];
    const abort = new AbortController();
    const out = {discarded: false, async write(bytes) {
        if (fail) {
            throw new Error("disk full");
        }

        parts.push(...bytes);
    }, async finish() {
        return parts;
    }, async discard() {
        this.discarded = true;
    }};
    const api = {async post(path) {
        asked.push(path);

        if (ticket === null) {
            throw new RsError("device_offline");
        }

        return {ticket};
    }};

    Socket.last = null;

    return {asked, seen, out, abort, done: fetchRecording({
        api, base: "https://gw.test/rs/v1", id: "rec_a/b",
        signal: abort.signal, WebSocket: Socket, sink: async () => out,
        progress: (n) => seen.push(n)})};
}


test("whole: what came, to its end, and the end is answered", async () => {
    const it = start();

    await settle();
    assert.deepEqual(it.asked, ["/recordings/rec_a%2Fb/pipes"]);
    assert.equal(Socket.last.url, "wss://gw.test/rs/v1/pipe");
    assert.ok(Socket.last.protocols.includes("rs.ticket.default.abc"));
    Socket.last.say(1, 2, 3);
    Socket.last.say(4);
    Socket.last.say();
    assert.deepEqual(Socket.last.sent, [0]);
    Socket.last.end(1000);
    assert.deepEqual(await it.done, [1, 2, 3, 4]);
    assert.deepEqual(it.seen.slice(0, 1), [3]);
    assert.equal(it.out.discarded, false);
});


test("a part is none: nothing of it is kept", async () => {
    for (const [code, reason, expected] of [
        [1006, "", "lost"], [1000, "", "closed"],
        [4404, "not_found: gone", "not_found"]])
    {
        const it = start();

        await settle();
        Socket.last.say(1);
        Socket.last.end(code, reason);
        await assert.rejects(it.done, {code: expected});
        assert.equal(it.out.discarded, true);
    }
});


test("given up, refused, and a disk that is full", async () => {
    const left = start();

    await settle();
    Socket.last.say(1);
    left.abort.abort();
    await assert.rejects(left.done, {code: "aborted"});
    assert.equal(left.out.discarded, true);

    await assert.rejects(start({ticket: null}).done,
                         {code: "device_offline"});

    const full = start({fail: true});

    await settle();
    Socket.last.say(1);
    await assert.rejects(full.done, /disk full/);
    assert.equal(full.out.discarded, true);
});
