
/*
 * Copyright (C) rs-gateway contributors
 *
 * A browser as the host: who gets a picture, under which number, what of a
 * viewer's words counts, and what a pause is.  Real browsers are in e2e/.
 */

import test from "node:test";
import assert from "node:assert/strict";

import { RsEvent } from "../rs-client.js";
import { RsHost, chooseScreen } from "../rs-host.js";
import { HandClock } from "./lib.mjs";


class TestSession extends EventTarget {
    peers = new Map();
    ice = {iceServers: [], iceTransportPolicy: "relay", ttl_s: 300};
    sent = [];

    async freshIce() {
        return this.ice;
    }

    send(data, to) {
        this.sent.push({to, ...data});
    }

    reportPath() {
        return true;
    }

    join(id, role = "controller") {
        this.peers.set(id, {id, name: `name of ${id}`, role,
                            state: "joined"});
        this.dispatchEvent(new RsEvent("peers", []));
    }

    leave(id) {
        this.peers.delete(id);
        this.dispatchEvent(new RsEvent("peers", []));
    }

    say(from, data) {
        this.dispatchEvent(new RsEvent("signal", {from, id: 1, data}));
    }

    of(kind) {
        return this.sent.filter((m) => m.kind === kind);
    }
}


class TestChannel {
    label = "rs-input";
    readyState = "open";
    sent = [];

    constructor(label = "rs-input") {
        this.label = label;
    }

    send(text) {
        this.sent.push(JSON.parse(text));
    }

    say(message) {
        this.onmessage({data: typeof message === "string"
                              ? message : JSON.stringify(message)});
    }
}


function connectionClass() {
    return class TestConnection {
        static all = [];
        connectionState = "new";
        candidates = [];
        tracks = [];
        closed = false;

        constructor(configuration) {
            this.configuration = configuration;
            TestConnection.all.push(this);
        }

        setConfiguration() {}

        async setRemoteDescription({sdp}) {
            if (sdp === "bad") {
                throw new Error("no SDP");
            }
        }

        addTrack(track) {
            const sender = {track, replaceTrack: async (other) => {
                sender.track = other;
            }};

            this.tracks.push(sender);

            return sender;
        }

        async createAnswer() {
            return {type: "answer", sdp: "answer"};
        }

        async setLocalDescription() {}

        async addIceCandidate(candidate) {
            this.candidates.push(candidate);
        }

        async getStats() {
            return new Map();
        }

        become(state) {
            this.connectionState = state;
            this.onconnectionstatechange();
        }

        channel(label) {
            const channel = new TestChannel(label);

            this.ondatachannel({channel});

            return channel;
        }

        close() {
            this.closed = true;
        }
    };
}


function streamOf(width = 640) {
    const track = {enabled: true, getSettings: () => ({width, height: 480})};

    return {track, getVideoTracks: () => [track]};
}


async function settle() {
    for (let i = 0; i < 10; i++) {
        await new Promise((resolve) => setImmediate(resolve));
    }
}


function make() {
    const session = new TestSession();
    const Connection = connectionClass();
    const clock = new HandClock();
    const stream = streamOf();
    const host = new RsHost({session, stream, clock,
                             RTCPeerConnection: Connection});
    const pointers = [];

    host.addEventListener("pointer", (ev) => pointers.push(ev.detail));

    return {session, Connection, clock, stream, host, pointers};
}


async function watch(it, id, role = "controller", pc = 1) {
    if (!it.session.peers.has(id)) {
        it.session.join(id, role);
    }

    it.session.say(id, {kind: "offer", pc, sdp: "offer"});
    await settle();

    const connection = it.Connection.all.at(-1);
    const channel = connection.channel();

    connection.become("connected");

    return {connection, channel};
}


test("an offer is answered with the picture, and proves nothing", async () => {
    const it = make();
    const {connection, channel} = await watch(it, "par_a");
    const [answer] = it.session.of("answer");

    assert.deepEqual(answer, {
        to: "par_a", kind: "answer", pc: 1, sdp: "answer",
        operator: {verified: false,
                   reason: "it is a browser, which verifies nobody"}});
    assert.equal(connection.configuration.iceTransportPolicy, "relay");
    assert.equal(connection.tracks[0].track, it.stream.track);
    assert.deepEqual(channel.sent, [{
        type: "hello", width: 640, height: 480, input: false,
        features: {pointer: true, paused: false}}]);
    assert.deepEqual(it.host.watchers, [{id: "par_a", name: "name of par_a",
                                         role: "controller",
                                         watching: true}]);
});


test("candidates wait for the answer; those of other numbers are dropped",
     async () => {
    const it = make();
    const say = (pc, candidate) => it.session.say("par_a", {
        kind: "candidate", pc, candidate, sdpMLineIndex: 0});

    it.session.join("par_a");
    it.session.say("par_a", {kind: "offer", pc: 2, sdp: "offer"});
    say(1, "old");
    say(3, "new");

    for (let i = 0; i < 70; i++) {
        say(2, `early ${i}`);
    }

    const [connection] = it.Connection.all;

    assert.equal(connection.candidates.length, 0);
    await settle();
    assert.equal(connection.candidates.length, 64, "bounded");
    say(2, "later");
    say(2, "");
    say(2, 5);
    assert.equal(connection.candidates.at(-1).candidate, "later");
    assert.equal(connection.candidates.length, 65);
});


test("a new number takes the place of the old one when it stands",
     async () => {
    const it = make();
    const first = await watch(it, "par_a");

    it.session.say("par_a", {kind: "offer", pc: 1, sdp: "offer"});
    await settle();
    assert.equal(it.Connection.all.length, 1, "an old number is dropped");

    it.session.say("par_a", {kind: "offer", pc: 2, sdp: "offer"});
    await settle();

    const [, second] = it.Connection.all;

    assert.ok(!first.connection.closed, "the picture goes on");
    assert.ok(it.host.watchers[0].watching);
    second.become("connected");
    assert.ok(first.connection.closed);

    /* one that never stood is of no use */
    it.session.say("par_a", {kind: "offer", pc: 3, sdp: "offer"});
    await settle();
    it.session.say("par_a", {kind: "offer", pc: 4, sdp: "offer"});
    await settle();
    assert.ok(it.Connection.all[2].closed);
    assert.ok(!second.closed, "and the one before goes on");
});


test("nothing but pointers is taken, and of controllers only", async () => {
    const it = make();
    const {channel} = await watch(it, "par_a");

    channel.say({type: "ping", n: 7});
    assert.deepEqual(channel.sent.at(-1), {type: "pong", n: 7});

    channel.say({type: "move", x: 32768, y: 16384});
    channel.say({type: "button", button: 0, down: true, x: 0, y: 65535});
    assert.deepEqual(it.pointers.map(({x, y, down}) => [x, y, down]),
                     [[0.5, 0.25, false], [0, 65535 / 65536, true]]);
    assert.equal(it.pointers[0].name, "name of par_a");

    it.pointers.length = 0;

    for (const bad of ["", "no JSON", "[]", "null",
                       {type: "move"}, {type: "move", x: 65536, y: 0},
                       {type: "move", x: -1, y: 0},
                       {type: "move", x: 0.5, y: 0},
                       {type: "move", x: "1", y: 0},
                       {type: "key", key: "a", code: "KeyA", down: true},
                       {type: "move", x: 1, y: 1, pad: "x".repeat(2000)}])
    {
        channel.say(bad);
    }

    channel.onmessage({data: new ArrayBuffer(5)});
    assert.deepEqual(it.pointers, []);

    channel.say({type: "release"});
    assert.deepEqual(it.pointers, [{id: "par_a", x: null}]);

    it.pointers.length = 0;

    const viewer = await watch(it, "par_b", "viewer");

    assert.equal(viewer.channel.sent[0].features.pointer, false);
    viewer.channel.say({type: "move", x: 1, y: 1});
    assert.deepEqual(it.pointers, []);
});


test("other channels are left unanswered, a second one too", async () => {
    const it = make();
    const {connection} = await watch(it, "par_a");

    for (const label of ["rs-files", "rs-clipboard", "rs-input"]) {
        const other = connection.channel(label);

        assert.equal(other.onmessage, undefined, label);
        assert.deepEqual(other.sent, []);
    }
});


test("a pause is a black picture for everybody, and is said", async () => {
    const it = make();
    const {channel} = await watch(it, "par_a");

    it.host.pause(true);
    assert.equal(it.stream.track.enabled, false);
    assert.equal(channel.sent.at(-1).features.paused, true);

    /* what is chosen during a pause is not seen either */
    const other = streamOf(800);

    await it.host.setStream(other);
    assert.equal(other.track.enabled, false);
    assert.equal(it.Connection.all[0].tracks[0].track, other.track);
    assert.equal(channel.sent.at(-1).width, 800);

    it.host.pause(false);
    assert.equal(other.track.enabled, true);
    assert.equal(channel.sent.at(-1).features.paused, false);
});


test("who leaves, falls silent or is refused has no line", async () => {
    const it = make();
    const a = await watch(it, "par_a");

    it.session.leave("par_a");
    assert.ok(a.connection.closed);
    assert.deepEqual(it.pointers.at(-1), {id: "par_a", x: null});
    assert.deepEqual(it.host.watchers, []);

    const b = await watch(it, "par_b");

    it.clock.pass(9000);
    b.channel.say({type: "ping", n: 1});
    it.clock.pass(9000);
    assert.ok(!b.connection.closed);
    it.clock.pass(4000);
    assert.ok(b.connection.closed, "10 s of silence");
    assert.equal(it.session.of("failed")[0].code, "ice_failed");

    const c = await watch(it, "par_c");

    c.connection.become("failed");
    assert.ok(c.connection.closed);

    it.session.join("par_d");
    it.session.say("par_d", {kind: "offer", pc: 1, sdp: "bad"});
    await settle();
    assert.equal(it.session.of("failed").at(-1).code, "bad_offer");
    it.session.say("par_d", {kind: "offer", pc: 2, sdp: 5});
    assert.equal(it.session.of("failed").at(-1).code, "bad_offer");

    /* nobody the gateway has not named, and no second host */
    const n = it.Connection.all.length;

    it.session.say("par_x", {kind: "offer", pc: 1, sdp: "offer"});
    it.session.join("par_h", "host");
    it.session.say("par_h", {kind: "offer", pc: 1, sdp: "offer"});
    it.session.say("par_d", null);
    it.session.say("par_d", {kind: "offer", pc: "3", sdp: "offer"});
    assert.equal(it.Connection.all.length, n);
});


test("bounded: so many viewers, and no more", async () => {
    const it = make();

    for (let i = 0; i < 16; i++) {
        it.session.join(`par_${i}`);
        it.session.say(`par_${i}`, {kind: "offer", pc: 1, sdp: "offer"});
    }

    await settle();
    assert.equal(it.Connection.all.length, 15);
    assert.equal(it.session.of("failed")[0].code, "busy");
});


test("closed: no line is left, nothing is answered", async () => {
    const it = make();
    const {connection} = await watch(it, "par_a");

    it.host.close();
    assert.ok(connection.closed);
    it.session.say("par_a", {kind: "offer", pc: 2, sdp: "offer"});
    await settle();
    assert.equal(it.Connection.all.length, 1);
});


test("choosing a screen: no, cannot, and yes", async () => {
    const asked = (f) => chooseScreen({getDisplayMedia: f});
    const denied = Object.assign(new Error("no"), {name: "NotAllowedError"});

    await assert.rejects(chooseScreen({}), {code: "no_screen"});
    await assert.rejects(asked(async () => {
        throw denied;
    }), {code: "screen_denied"});
    await assert.rejects(asked(async () => {
        throw new Error("no source");
    }), {code: "no_screen"});

    const stream = streamOf();
    let wish;

    assert.equal(await asked(async (o) => {
        wish = o;
        return stream;
    }), stream);
    assert.equal(wish.audio, false);
    assert.equal(stream.track.contentHint, "detail");
});
