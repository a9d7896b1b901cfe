
/*
 * Copyright (C) rs-gateway contributors
 *
 * Files over rs-files: both directions, lines that are lost in the middle,
 * what either side does not take.  The host is played by the test; the real
 * one is in e2e/.  And SHA-256, against node's.
 */

import test from "node:test";
import assert from "node:assert/strict";
import { createHash, randomBytes, webcrypto } from "node:crypto";

import { RsEvent } from "../rs-client.js";
import { RsFiles } from "../rs-files.js";
import { Sha256 } from "../rs-sha256.js";
import { HandClock } from "./lib.mjs";


globalThis.crypto ??= webcrypto;

const HEAD = 12;
const PIECE = 16384;
const WINDOW = 1024 * 1024;


function sha(bytes) {
    return createHash("sha256").update(bytes).digest("hex");
}


/* lets everything that waits for nothing outside run */
async function settle() {
    for (let i = 0; i < 20; i++) {
        await new Promise((resolve) => setImmediate(resolve));
    }
}


/* the channel as RsChannel has it, and the host behind it */
class TestChannel extends EventTarget {
    open = true;
    buffered = 0;
    sent = [];
    pieces = [];

    send(message) {
        this.sent.push(structuredClone(message));
        return this.open;
    }

    sendBinary(bytes) {
        this.pieces.push(Uint8Array.from(bytes));
        return this.open;
    }

    say(message) {
        this.dispatchEvent(new RsEvent("message", message));
    }

    hello(more = {}) {
        this.open = true;
        this.say({type: "hello", to_device: true, from_device: true,
                  max: 1e9, folder: "exchange", ...more});
    }

    piece(id, offset, bytes) {
        const frame = new Uint8Array(HEAD + bytes.length);
        const head = new DataView(frame.buffer);

        head.setUint32(0, id);
        head.setBigUint64(4, BigInt(offset));
        frame.set(bytes, HEAD);
        this.dispatchEvent(new RsEvent("binary", frame.buffer));
    }

    lose() {
        this.open = false;
        this.dispatchEvent(new RsEvent("close"));
    }

    of(type) {
        return this.sent.filter((m) => m.type === type);
    }

    last(type) {
        return this.of(type).at(-1);
    }

    /* what pieces of a transfer hold; they must be without a gap */
    bytes(id, from = 0) {
        const parts = [];
        let at = from;

        for (const piece of this.pieces) {
            const head = new DataView(piece.buffer);

            if (head.getUint32(0) === id) {
                assert.equal(Number(head.getBigUint64(4)), at);
                assert.ok(piece.length > HEAD
                          && piece.length <= HEAD + PIECE);
                parts.push(piece.subarray(HEAD));
                at += piece.length - HEAD;
            }
        }

        return Buffer.concat(parts);
    }
}


class TestSink {
    parts = [];
    discarded = false;
    hold = null;            /* a promise: the disk is slow */
    full = false;

    async write(bytes) {
        await this.hold;

        if (this.full) {
            throw new Error("the disk is full");
        }

        this.parts.push(Buffer.from(bytes));
    }

    async finish() {
        return new Blob(this.parts);
    }

    async discard() {
        this.discarded = true;
    }
}


function fileOf(bytes, name = "a.bin") {
    const blob = new Blob([bytes]);

    return {name, size: bytes.length, lastModified: 1700000000123,
            slice: (from, to) => blob.slice(from, to)};
}


function make() {
    const channel = new TestChannel();
    const clock = new HandClock();
    const sinks = [];
    const files = new RsFiles({channel, clock, openSink: async () => {
        sinks.push(new TestSink());
        return sinks.at(-1);
    }});

    return {channel, clock, sinks, files};
}


/* acknowledges what came until all of it did */
async function takeAll(channel, id, size, from = 0) {
    for (let at = from, n = -1; n !== at && at < size;) {
        n = at;
        await settle();
        at = from + channel.bytes(id, from).length;
        channel.say({type: "ack", id, offset: at});
    }

    await settle();
}


test("SHA-256 is node's, in pieces of any size", () => {
    for (const n of [0, 1, 55, 56, 63, 64, 65, 119, 128, 5000]) {
        const bytes = randomBytes(n);
        const hash = new Sha256();

        for (let at = 0, step = 1; at < n; at += step, step = step * 3 % 97) {
            hash.update(bytes.subarray(at, at + step));
            assert.equal(hash.hex(), sha(bytes.subarray(0, at + step)));
        }

        assert.equal(hash.hex(), sha(bytes));
    }
});


test("nothing is said before hello, and nothing that it does not allow",
     async () => {
    const {channel, files} = make();

    files.send([fileOf(randomBytes(10))]);
    files.fetch({name: "x", size: 5});
    await settle();
    assert.deepEqual(channel.sent, []);
    assert.deepEqual(files.transfers.map((t) => t.state),
                     ["waiting", "waiting"]);

    channel.hello({to_device: false});
    await settle();
    assert.deepEqual(channel.sent.map((m) => m.type), ["get"]);
    assert.equal(files.state.folder, "exchange");

    channel.hello({to_device: true, from_device: "yes"});
    assert.equal(files.state.from_device, false);
});


test("a file goes to the host, a window at a time", async () => {
    const {channel, files} = make();
    const bytes = randomBytes(3 * WINDOW + 1234);

    channel.hello();
    files.send([fileOf(bytes)]);

    const [t] = files.transfers;
    const {id, key, ...put} = channel.last("put");

    assert.match(key, /^[0-9a-f]{32}$/);
    assert.deepEqual(put, {type: "put", name: "a.bin", size: bytes.length,
                           mtime: 1700000000});
    assert.equal(t.state, "checking");

    channel.say({type: "ready", id, offset: 0, sha256: sha("")});
    await settle();
    assert.equal(t.state, "running");
    assert.equal(channel.bytes(id).length, WINDOW);
    assert.equal(t.done, 0, "done is what the host has");

    /* what cannot be is no acknowledgement */
    channel.say({type: "ack", id, offset: bytes.length});
    channel.say({type: "ack", id, offset: -1});
    channel.say({type: "ack", id: id + 1, offset: WINDOW});
    await settle();
    assert.equal(channel.bytes(id).length, WINDOW);

    /* the channel's own queue counts, too */
    channel.buffered = 200000;
    channel.say({type: "ack", id, offset: WINDOW});
    await settle();
    assert.equal(channel.bytes(id).length, WINDOW);
    assert.equal(t.done, WINDOW);
    channel.buffered = 0;
    channel.dispatchEvent(new RsEvent("drained"));
    await settle();
    assert.equal(channel.bytes(id).length, 2 * WINDOW);

    await takeAll(channel, id, bytes.length);
    assert.ok(channel.bytes(id).equals(bytes));
    assert.deepEqual(channel.last("end"), {type: "end", id,
                                           sha256: sha(bytes)});
    assert.equal(t.state, "finishing");

    channel.say({type: "done", id, name: "a (1).bin"});
    assert.equal(t.state, "done");
    assert.equal(t.arrived, "a (1).bin");
});


test("several files go one after the other, an empty one too", async () => {
    const {channel, files} = make();

    channel.hello();
    files.send([fileOf(Buffer.alloc(0), "empty"), fileOf(randomBytes(3), "b")]);
    assert.equal(channel.of("put").length, 1);

    const {id} = channel.last("put");

    channel.say({type: "ready", id, offset: 0, sha256: sha("")});
    await settle();
    assert.deepEqual(channel.last("end"), {type: "end", id, sha256: sha("")});
    channel.say({type: "done", id, name: "empty"});
    assert.equal(channel.of("put").length, 2);
    assert.equal(channel.last("put").name, "b");
    assert.notEqual(channel.last("put").key, channel.of("put")[0].key);
});


test("a line that is lost: it goes on where both agree", async () => {
    const {channel, files} = make();
    const bytes = randomBytes(2 * WINDOW);
    const half = WINDOW + 777;

    channel.hello();
    files.send([fileOf(bytes)]);
    channel.say({type: "ready", id: 1, offset: 0, sha256: sha("")});
    await settle();

    const [t] = files.transfers;
    const {key} = channel.last("put");

    channel.lose();
    assert.equal(t.state, "waiting");
    assert.equal(files.state.open, false);
    channel.pieces.length = 0;

    channel.hello();

    const put = channel.last("put");

    assert.equal(put.key, key);
    assert.equal(put.anew, undefined);
    channel.say({type: "ready", id: put.id, offset: half,
                 sha256: sha(bytes.subarray(0, half))});
    await takeAll(channel, put.id, bytes.length, half);
    assert.ok(channel.bytes(put.id, half).equals(bytes.subarray(half)));
    assert.equal(channel.last("end").sha256, sha(bytes));
});


test("what the host has is not of this file: anew", async () => {
    const {channel, files} = make();
    const bytes = randomBytes(5000);

    channel.hello();
    files.send([fileOf(bytes)]);
    channel.say({type: "ready", id: 1, offset: 100, sha256: sha("other")});
    await settle();

    const puts = channel.of("put");

    assert.equal(puts.length, 2);
    assert.equal(puts[1].anew, true);
    assert.ok(puts[1].id > puts[0].id);
    assert.equal(channel.pieces.length, 0);

    channel.say({type: "ready", id: puts[1].id, offset: 0, sha256: sha("")});
    await settle();
    assert.ok(channel.bytes(puts[1].id).equals(bytes));
});


test("busy: asked again, and not for ever", async () => {
    const {channel, clock, files} = make();

    channel.hello();
    files.send([fileOf(randomBytes(5))]);

    for (let n = 1; n <= 30; n++) {
        assert.equal(channel.of("put").length, n);
        channel.say({type: "error", id: channel.last("put").id, code: "busy",
                     message: "another one"});
        clock.pass(1000);
    }

    channel.say({type: "error", id: channel.last("put").id, code: "busy",
                 message: "another one"});
    clock.pass(60000);
    assert.equal(channel.of("put").length, 31);

    const [t] = files.transfers;

    assert.equal(t.state, "failed");
    assert.deepEqual(t.error, {code: "busy", message: "another one"});

    files.resume(t);
    assert.equal(channel.of("put").length, 32);
});


test("pause, go on, cancel, remove", async () => {
    const {channel, files} = make();
    const bytes = randomBytes(2 * WINDOW);

    channel.hello();
    files.send([fileOf(bytes), fileOf(bytes, "b.bin")]);
    channel.say({type: "ready", id: 1, offset: 0, sha256: sha("")});
    await settle();

    const [a, b] = files.transfers;
    const before = channel.pieces.length;

    files.pause(a);
    assert.deepEqual(channel.last("cancel"), {type: "cancel", id: 1,
                                              keep: true});
    assert.equal(a.state, "paused");
    assert.equal(b.state, "checking", "the next one has its turn");

    channel.say({type: "ack", id: 1, offset: 16384});
    await settle();
    assert.equal(channel.pieces.length, before, "no more of the first");

    files.cancel(b);
    assert.deepEqual(channel.last("cancel"), {type: "cancel", id: 2});
    assert.equal(b.state, "cancelled");
    files.remove(a);
    files.remove(b);
    assert.deepEqual(files.transfers, [a], "only what is over goes");

    files.resume(a);
    assert.equal(channel.last("put").key, channel.of("put")[0].key);
});


test("a file that cannot be read any more fails", async () => {
    const {channel, files} = make();
    const file = fileOf(randomBytes(5));

    file.slice = () => ({arrayBuffer: () => Promise.reject(
        new Error("not readable"))});
    channel.hello();
    files.send([file]);
    channel.say({type: "ready", id: 1, offset: 0, sha256: sha("")});
    await settle();
    assert.equal(files.transfers[0].error.code, "read");
    assert.deepEqual(channel.last("cancel"), {type: "cancel", id: 1});

    file.slice = () => new Blob(["ab"]);
    files.resume(files.transfers[0]);
    channel.say({type: "ready", id: channel.last("put").id, offset: 0,
                 sha256: sha("")});
    await settle();
    assert.equal(files.transfers[0].error.code, "read", "nor a shorter one");
});


test("a file comes from the host, acknowledged when it was written",
     async () => {
    const {channel, sinks, files} = make();
    const bytes = randomBytes(WINDOW + 5);
    let release;

    channel.hello();
    files.fetch({name: "g.bin", size: 1});
    await settle();
    assert.deepEqual(channel.last("get"), {type: "get", id: 1,
                                           name: "g.bin"});

    sinks[0].hold = new Promise((resolve) => {
        release = resolve;
    });
    channel.say({type: "sending", id: 1, size: bytes.length, mtime: 0,
                 offset: 0});

    for (let at = 0; at < bytes.length; at += PIECE) {
        channel.piece(1, at, bytes.subarray(at, at + PIECE));
    }

    await settle();
    assert.equal(channel.of("ack").length, 0, "nothing is written yet");

    release();
    await settle();
    assert.equal(channel.last("ack").offset, bytes.length);
    assert.ok(channel.of("ack").length <= 5, "not each piece");

    const [t] = files.transfers;

    channel.say({type: "end", id: 1, sha256: sha(bytes)});
    await settle();
    assert.equal(t.state, "done");
    assert.ok(Buffer.from(await t.blob.arrayBuffer()).equals(bytes));
});


test("from the host, over a lost line: only what is missing", async () => {
    const {channel, sinks, files} = make();
    const bytes = randomBytes(50000);

    channel.hello();
    files.fetch({name: "g.bin", size: bytes.length});
    await settle();
    channel.say({type: "sending", id: 1, size: bytes.length, offset: 0});
    channel.piece(1, 0, bytes.subarray(0, PIECE));
    channel.lose();
    channel.hello();
    await settle();

    const get = channel.last("get");

    assert.deepEqual(get, {type: "get", id: get.id, name: "g.bin",
                           offset: PIECE,
                           sha256: sha(bytes.subarray(0, PIECE))});
    channel.say({type: "sending", id: get.id, size: bytes.length,
                 offset: PIECE});

    for (let at = PIECE; at < bytes.length; at += PIECE) {
        channel.piece(get.id, at, bytes.subarray(at, at + PIECE));
    }

    channel.say({type: "end", id: get.id, sha256: sha(bytes)});
    await settle();

    const [t] = files.transfers;

    assert.equal(t.state, "done");
    assert.ok(Buffer.from(await t.blob.arrayBuffer()).equals(bytes));
    assert.equal(sinks.length, 1);
});


test("from the host, another file by now: all of it, in another place",
     async () => {
    const {channel, sinks, files} = make();

    channel.hello();
    files.fetch({name: "g.bin", size: 10});
    await settle();
    channel.say({type: "sending", id: 1, size: 10, offset: 0});
    channel.piece(1, 0, Buffer.from("hello"));
    await settle();
    channel.lose();
    channel.hello();
    await settle();

    const get = channel.last("get");

    channel.say({type: "error", id: get.id, code: "changed", message: "m"});
    await settle();
    assert.deepEqual(channel.last("get"), {type: "get", id: get.id + 1,
                                           name: "g.bin"});
    assert.equal(sinks.length, 2);
    assert.ok(sinks[0].discarded);
});


test("from the host: what is wrong is not kept", async () => {
    const wrong = {
        "another hash": (c) => {
            c.piece(1, 0, Buffer.from("hello"));
            c.say({type: "end", id: 1, sha256: sha("hullo")});
            return "hash_mismatch";
        },
        "too little": (c) => {
            c.piece(1, 0, Buffer.from("hell"));
            c.say({type: "end", id: 1, sha256: sha("hell")});
            return "hash_mismatch";
        },
        "too much": (c) => {
            c.piece(1, 0, Buffer.from("hello!"));
            return "protocol";
        },
        "a gap": (c) => {
            c.piece(1, 1, Buffer.from("ello"));
            return "protocol";
        },
    };

    for (const [what, play] of Object.entries(wrong)) {
        const {channel, sinks, files} = make();

        channel.hello();
        files.fetch({name: "g", size: 5});
        await settle();
        channel.say({type: "sending", id: 1, size: 5, offset: 0});

        const code = play(channel);

        await settle();

        const [t] = files.transfers;

        assert.equal(t.state, "failed", what);
        assert.equal(t.error.code, code, what);
        assert.ok(sinks[0].discarded, what);
        assert.equal(t.blob, null);
    }
});


test("from the host: a disk that is full, and one that sends too fast",
     async () => {
    const {channel, sinks, files} = make();

    channel.hello();
    files.fetch({name: "g", size: 5});
    await settle();
    sinks[0].full = true;
    channel.say({type: "sending", id: 1, size: 5, offset: 0});
    channel.piece(1, 0, Buffer.from("hello"));
    await settle();

    const [t] = files.transfers;

    assert.equal(t.error.code, "write");
    assert.match(t.error.message, /the disk is full/);

    files.resume(t);
    await settle();

    const {id} = channel.last("get");
    const size = 4 * WINDOW;

    sinks[1].hold = new Promise(() => {});
    channel.say({type: "sending", id, size, offset: 0});

    for (let at = 0; at < size && t.state === "running"; at += PIECE) {
        channel.piece(id, at, new Uint8Array(PIECE));
    }

    assert.equal(t.error.code, "protocol");
    assert.ok(t.sent <= 3 * WINDOW, "bounded");
});


test("lists", async () => {
    const {channel, files} = make();

    await assert.rejects(files.list(), /no connection/);
    channel.hello();

    const list = files.list("b");
    const {id} = channel.last("list");

    assert.equal(channel.last("list").after, "b");
    channel.say({type: "files", id, more: true, files: [
        {name: "c", size: 5, mtime: 7}, {name: 5, size: 5}, null,
        {name: "d", size: -1}, {name: "e", size: 0}]});
    assert.deepEqual(await list, {more: true, files: [
        {name: "c", size: 5, mtime: 7}, {name: "e", size: 0, mtime: 0}]});

    const refused = files.list();

    channel.say({type: "error", id: channel.last("list").id,
                 code: "forbidden", message: "not for you"});
    await assert.rejects(refused, /not for you/);

    const lost = files.list();

    channel.lose();
    await assert.rejects(lost, /no connection/);
});


test("closed: nothing goes on, and what was kept is dropped", async () => {
    const {channel, sinks, files} = make();

    channel.hello();
    files.fetch({name: "g", size: 5});
    await settle();
    files.close();
    await settle();
    assert.ok(sinks[0].discarded);

    const n = channel.sent.length;

    channel.hello();
    await settle();
    assert.equal(channel.sent.length, n);
});
