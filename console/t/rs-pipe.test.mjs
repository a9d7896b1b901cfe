
/*
 * Copyright (C) rs-gateway contributors
 *
 * One leg of a pipe in the browser: what is sent, how each end is told from a
 * break, docs/protocol/pipe.md.
 */

import test from "node:test";
import assert from "node:assert/strict";

import { RsPipe } from "../rs-pipe.js";
import { HandClock, record } from "./lib.mjs";


const TYPES = ["open", "data", "end", "close"];


/* a socket whose other end is the test */
class BinarySocket {
    static last = null;

    readyState = 0;
    bufferedAmount = 0;
    sent = [];
    closedWith = null;

    constructor(url, protocols) {
        Object.assign(this, {url, protocols});
        BinarySocket.last = this;
    }

    send(bytes) {
        this.sent.push(bytes.slice());
    }

    close(code) {
        this.closedWith ??= code;
        this.readyState = 2;
    }

    opens() {
        this.readyState = 1;
        this.onopen();
    }

    says(...bytes) {
        this.onmessage?.({data: new Uint8Array(bytes).buffer});
    }

    ends(code, reason = "") {
        this.readyState = 3;
        this.onclose?.({code, reason});
    }
}


function pipeOf(more = {}) {
    const clock = new HandClock();
    const pipe = new RsPipe({base: "https://gw.example/rs/v1",
                             ticket: "default.abc", clock,
                             WebSocket: BinarySocket, ...more});
    const socket = BinarySocket.last;

    return {pipe, socket, clock, seen: record(pipe, TYPES)};
}


const last = (seen) => seen.at(-1);


test("what it says at the handshake", () => {
    const {socket} = pipeOf();

    assert.equal(socket.url, "wss://gw.example/rs/v1/pipe");
    assert.deepEqual(socket.protocols, ["rs.v1", "rs.ticket.default.abc",
                                        "rs.side.client"]);
    assert.deepEqual(pipeOf({side: "host"}).socket.protocols[2],
                     "rs.side.host");
});


test("both directions end: a clean close", () => {
    const {pipe, socket, seen} = pipeOf();

    assert.equal(pipe.send(new Uint8Array([1])), false);
    socket.opens();
    assert.equal(pipe.send(new Uint8Array([1, 2])), true);
    socket.says(3, 4);
    pipe.end();
    assert.equal(pipe.send(new Uint8Array([9])), false);
    assert.equal(socket.closedWith, null);
    socket.says(5);
    socket.says();
    assert.equal(socket.closedWith, 1000);
    socket.ends(1000);

    assert.deepEqual(socket.sent.map((b) => [...b]), [[1, 2], []]);
    assert.deepEqual(seen.map(([type]) => type),
                     ["open", "data", "data", "end", "close"]);
    assert.deepEqual(last(seen)[1], {clean: true, error: null});
});


test("a close before both ends is a break, whatever its code", () => {
    for (const [code, reason, word] of [[1000, "", "closed"],
                                        [1006, "", "lost"],
                                        [4410, "", "session_ended"],
                                        [1011, "pipe_broken", "pipe_broken"],
                                        [4403, "target_refused: port 0",
                                         "target_refused"]])
    {
        const {pipe, socket, seen} = pipeOf();

        socket.opens();
        pipe.end();
        socket.says(1);
        socket.ends(code, reason);

        assert.equal(last(seen)[0], "close");
        assert.equal(last(seen)[1].clean, false);
        assert.equal(last(seen)[1].error.code, word);
    }
});


test("a stream is cut into messages of 64 KiB, a message is not", () => {
    const bytes = new Uint8Array(150000).fill(7);
    const stream = pipeOf();
    const messages = pipeOf({stream: false});

    stream.socket.opens();
    stream.pipe.send(bytes);
    assert.deepEqual(stream.socket.sent.map((b) => b.length),
                     [65536, 65536, 18928]);

    messages.socket.opens();
    messages.pipe.send(bytes);
    messages.pipe.send(new Uint8Array(0));
    assert.deepEqual(messages.socket.sent.map((b) => b.length), [150000, 0]);
    messages.socket.says();
    messages.socket.ends(1000);
    assert.deepEqual(messages.seen.map(([type]) => type),
                     ["open", "data", "close"]);
    assert.equal(last(messages.seen)[1].clean, true);
});


test("text, and bytes after an end, are refused", () => {
    const text = pipeOf();

    text.socket.opens();
    text.socket.onmessage({data: "hello"});
    assert.equal(last(text.seen)[1].error.code, "bad_answer");

    const late = pipeOf();

    late.socket.opens();
    late.socket.says();
    late.socket.says(1);
    assert.equal(last(late.seen)[1].error.code, "bad_answer");
    assert.equal(late.socket.closedWith, 4000);
    assert.equal(late.seen.filter(([type]) => type === "close").length, 1);
});


test("drained() waits until little is left, or until the end", async () => {
    const {pipe, socket, clock} = pipeOf();

    socket.opens();
    socket.bufferedAmount = 100000;

    let done = false;
    const wait = pipe.drained(1000).then(() => {
        done = true;
    });

    clock.pass(100);
    await Promise.resolve();
    assert.equal(done, false);
    socket.bufferedAmount = 1000;
    clock.pass(100);
    await wait;

    socket.bufferedAmount = 100000;
    const other = pipe.drained(1000);

    pipe.close();
    clock.pass(100);
    await other;
});


test("one that never opens is given up", () => {
    const {socket, clock, seen} = pipeOf();

    clock.pass(21000);
    assert.equal(last(seen)[1].error.code, "timeout");
    socket.ends(1006);
    assert.equal(seen.length, 1);
});
