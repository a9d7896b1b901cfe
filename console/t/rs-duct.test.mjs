
/*
 * Copyright (C) rs-gateway contributors
 *
 * A sealed pipe in the shape of a connection, its host played with the same
 * seal; frames into a decoder that is played; numbers of input.
 */

import test from "node:test";
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";

import { RsEvent } from "../rs-api.js";
import { RsDecoder, codecsOf, h264Name } from "../rs-decoder.js";
import { RsDuct } from "../rs-duct.js";
import { SealKey } from "../rs-seal.js";
import { RsSequence } from "../rs-sequence.js";


/* node 18 has it under another name */
globalThis.crypto ??= webcrypto;

const text = (s) => new TextEncoder().encode(s);
const SIGNED = text("what the device signed");


class Pipe extends EventTarget {
    waiting = 0;
    sent = [];
    closed = false;

    send(record) {
        this.sent.push(record);
        return true;
    }

    async drained() {}

    close() {
        this.closed = true;
    }

    say(type, detail) {
        this.dispatchEvent(new RsEvent(type, detail));
    }
}


class Screen {
    frames = [];
    lost = false;
    stream = {};
    figures = {frames: 0};

    push(key, time, bytes) {
        this.frames.push([key, time, Buffer.from(bytes).toString()]);
    }

    close() {
        this.over = true;
    }
}


async function made() {
    const [a, b] = [await SealKey.make(), await SealKey.make()];
    const pipe = new Pipe();
    const screen = new Screen();
    let clock = 1000;
    const seal = await a.start("client", b.point, SIGNED);
    const take = seal.take.bind(seal);
    let said = 0;
    let taken = 0;

    seal.take = (record) => take(record).finally(() => taken++);

    const duct = new RsDuct({pipe, screen, seal, now: () => clock++});
    const host = await b.start("host", a.point, SIGNED);

    return {
        pipe, screen, duct, states: [],
        async say(bytes, more = false) {
            said++;
            pipe.say("data", await host.make(bytes, more));
            await until(() => taken === said);
        },
        async spoil() {
            said++;
            pipe.say("data", new Uint8Array(40));
            await until(() => taken === said);
        },
        /* so many records */
        async heard(n) {
            await until(() => pipe.sent.length >= n);

            const all = [];

            for (const record of pipe.sent.splice(0)) {
                const {data, more} = await host.take(record);

                all.push([Buffer.from(data), more]);
            }

            return all;
        },
    };
}


/* and what follows from it in the same breath */
async function until(f) {
    while (!f()) {
        await new Promise((go) => setImmediate(go));
    }

    await new Promise((go) => setImmediate(go));
}


const bytesOf = (...parts) => Buffer.concat(parts.map((p) =>
    typeof p === "string" ? Buffer.from(p) : Buffer.from([p].flat())));


test("it begins with start, and stands by the host's first record",
     async () => {
    const t = await made();
    const input = t.duct.createDataChannel("rs-input");
    const heard = [];

    input.onopen = () => heard.push("open");
    input.onmessage = ({data}) => heard.push(data);
    t.pipe.say("open");
    assert.deepEqual(await t.heard(1), [[Buffer.from([7]), false]]);
    assert.equal(input.readyState, "connecting");
    input.send("too early");
    assert.deepEqual(await t.heard(0), []);

    await t.say(bytesOf(9, 9));
    assert.equal(t.duct.connectionState, "connected");
    assert.deepEqual(heard, ["open"]);
    assert.deepEqual(await t.heard(1), [[bytesOf(1, 0, "rs-input"), false]]);

    await t.say(bytesOf(2, 0, "{\"a\":"), true);
    await t.say(bytesOf("1}"));
    assert.deepEqual(heard, ["open", "{\"a\":1}"]);

    input.send("{}");
    input.send(Uint8Array.of(1, 2));
    assert.deepEqual(await t.heard(2), [[bytesOf(2, 0, "{}"), false],
                                       [bytesOf(3, 0, 1, 2), false]]);

    const other = t.duct.createDataChannel("rs-chat");

    assert.deepEqual(await t.heard(1), [[bytesOf(1, 1, "rs-chat"), false]]);
    assert.equal(other.readyState, "open");
    other.onclose = () => heard.push("closed");
    await t.say(bytesOf(4, 1));
    assert.equal(heard.at(-1), "closed");
    await t.say(bytesOf(2, 1, "x"));
    assert.equal(heard.at(-1), "closed", "nothing comes behind it");

    t.duct.close();
    assert.ok(t.pipe.closed && t.screen.over);
});


test("a frame is shown, and seen: when it began to come and when it was there",
     async () => {
    const t = await made();
    const head = Buffer.alloc(15);

    head[0] = 6;
    head[1] = 1;
    head.writeUInt32BE(7, 3);
    head.writeBigUInt64BE(99n, 7);
    t.pipe.say("open");
    await t.heard(1);
    t.screen.lost = true;
    await t.say(head, true);
    await t.say(bytesOf("frame"));
    assert.deepEqual(t.screen.frames, [[true, 99, "frame"]]);

    const [[seen]] = await t.heard(1);

    assert.equal(seen.length, 22);
    assert.deepEqual([seen[0], seen[1], seen.readUInt32BE(2)], [5, 1, 7]);
    assert.equal(seen.readBigUInt64BE(6), 1000000n);
    assert.equal(seen.readBigUInt64BE(14), 1001000n);
    assert.equal(t.screen.lost, false, "asked for once");
});


test("a long message goes in records; what is not the host's ends it",
     async () => {
    const t = await made();
    const channel = t.duct.createDataChannel("rs-files");
    let closed = 0;

    t.pipe.say("open");
    await t.say(bytesOf(9, 9));
    await t.heard(2);
    channel.onclose = () => closed++;
    channel.send(new Uint8Array(70000));

    const records = await t.heard(2);

    assert.deepEqual(records.map(([data, more]) => [data.length, more]),
                     [[65490, true], [4512, false]]);

    await t.spoil();
    assert.equal(t.duct.connectionState, "failed");
    assert.equal(closed, 1);
    assert.ok(t.pipe.closed);
});


test("a decoder begins with a key frame, and wants another when it breaks",
     async () => {
    const all = [];
    let fail = null;
    const globals = {
        performance, MediaStream: class {},
        MediaStreamTrackGenerator: class {
            writable = {getWriter: () => ({write: async () => {}})};
            stop() {}
        },
        EncodedVideoChunk: class {
            constructor(o) {
                Object.assign(this, o);
            }
        },
        VideoDecoder: class {
            static isConfigSupported({codec}) {
                return {supported: codec === "vp8"};
            }
            decodeQueueSize = 0;
            state = "configured";
            constructor(o) {
                fail = o.error;
            }
            configure({codec}) {
                all.push(codec);
            }
            decode({type}) {
                all.push(type);
            }
            close() {
                this.state = "closed";
            }
        },
    };
    const decoder = new RsDecoder({codec: "vp8", globals});

    assert.equal(await codecsOf(globals), "vp8");
    assert.equal(await codecsOf({}), "");
    decoder.push(false, 1, Uint8Array.of(1));
    decoder.push(true, 2, Uint8Array.of(1));
    decoder.push(false, 3, Uint8Array.of(1));
    assert.deepEqual(all, ["vp8", "key", "delta"]);
    fail();
    assert.ok(decoder.lost);
    decoder.push(false, 4, Uint8Array.of(1));
    decoder.push(true, 5, Uint8Array.of(1));
    assert.deepEqual(all.slice(3), ["key"]);
    assert.equal(decoder.figures.dropped, 2);
    decoder.close();
});


test("H.264 is named by its parameter set", () => {
    assert.equal(h264Name(Uint8Array.of(0, 0, 0, 1, 9, 16, 0, 0, 0, 1, 0x67,
                                        0x42, 0xc0, 0x1f, 1)), "avc1.42c01f");
    assert.equal(h264Name(Uint8Array.of(0, 0, 1, 0x65, 1, 2, 3, 4)), null);
});


test("numbers: what was not taken is said again, and nothing else", () => {
    const s = new RsSequence();

    assert.deepEqual(s.hello(undefined), []);
    assert.ok(!s.on);
    assert.deepEqual(s.hello(0), []);
    assert.ok(s.on);

    const frames = ["a", "b", "c"].map((key) => s.number({key}));

    assert.equal(frames[2], '{"key":"c","seq":3}');
    s.taken(1);
    assert.deepEqual(s.hello(2), [frames[2]]);
    assert.deepEqual(s.hello(3), []);
    assert.equal(s.number({}), '{"seq":4}');

    /* a host that knows nothing of us any more, or more than we do */
    assert.deepEqual(s.hello(0), []);
    assert.equal(s.number({}), '{"seq":1}');
    assert.deepEqual(s.hello(40), []);
    assert.equal(s.number({}), '{"seq":41}');

    while (s.number({}) !== null) {
        /* as many as may wait */
    }

    assert.equal(s.waiting, 4096);
});
