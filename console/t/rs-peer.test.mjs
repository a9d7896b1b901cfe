
/*
 * Copyright (C) rs-gateway contributors
 *
 * The path out of statistics, and the lines of RsPeer: generations,
 * candidates before the answer, heartbeat, when to try again.  The browser's
 * part is played by the test; real ones are in e2e/.
 */

import test from "node:test";
import assert from "node:assert/strict";

import { RsError, RsEvent } from "../rs-client.js";
import { RsPeer } from "../rs-peer.js";
import { pathOf, samePath, videoOf } from "../rs-stats.js";
import { HandClock, record } from "./lib.mjs";


const HOST = "par_h";


class TestSession extends EventTarget {
    sent = [];
    paths = [];
    inputs = [];
    state = "open";
    role = "controller";
    peers = [];
    ice = {iceServers: [{urls: ["stun:s.test"]}], iceTransportPolicy: "relay",
           ttl_s: 300};
    reachable = true;
    nudges = 0;

    nudge() {
        this.nudges++;
    }

    get host() {
        return this.peers.find((p) => p.role === "host") ?? null;
    }

    setPeers(peers) {
        this.peers = peers;
        this.dispatchEvent(new RsEvent("peers", peers));
    }

    async freshIce() {
        return this.ice;
    }

    send(data, to) {
        this.sent.push({data, to});
    }

    reportPath(path) {
        if (this.reachable) {
            this.paths.push(path);
        }

        return this.reachable;
    }

    sendInput(data, to) {
        if (this.state === "open") {
            this.inputs.push({data, to});
        }

        return this.state === "open";
    }

    say(data, from = HOST) {
        this.dispatchEvent(new RsEvent("signal", {from, id: 1, data}));
    }
}


function connectionClass() {
    return class TestConnection {
        static all = [];

        static get last() {
            return TestConnection.all.at(-1);
        }

        connectionState = "new";
        added = [];
        channels = {};
        stats = new Map();
        closed = false;

        constructor(configuration) {
            this.configuration = configuration;
            TestConnection.all.push(this);
        }

        addTransceiver(kind, o) {
            this.transceiver ??= [kind, o.direction];
            this.kinds = [...this.kinds ?? [], kind];
            return {receiver: {}};
        }

        createDataChannel(label, o) {
            const channel = {label, ...o, readyState: "connecting",
                             bufferedAmount: 0, sent: [],
                             send(frame) {
                                 this.sent.push(typeof frame === "string"
                                                ? JSON.parse(frame) : frame);
                             },
                             close() {
                                 this.readyState = "closed";
                             }};

            this.channels[label] = channel;
            this.channel ??= channel;

            return channel;
        }

        async createOffer() {
            return {type: "offer", sdp: "sdp" + TestConnection.all.length};
        }

        async setLocalDescription(d) {
            this.localDescription = d;
        }

        async setRemoteDescription(d) {
            if (d.sdp === "bad") {
                throw new Error("bad sdp");
            }

            this.remote = d;
        }

        async addIceCandidate(c) {
            this.added.push([this.remote !== undefined, c.candidate]);
        }

        async getStats() {
            return this.stats;
        }

        close() {
            this.closed = true;
        }

        become(state) {
            this.connectionState = state;
            this.onconnectionstatechange?.();
        }

        open(label = "rs-input") {
            this.channels[label].readyState = "open";
            this.channels[label].onopen();
        }

        hear(message) {
            this.channel.onmessage?.({data: JSON.stringify(message)});
        }
    };
}


const settle = () => new Promise((resolve) => setImmediate(resolve));


/* who proves and believes everything, unless a test says otherwise */
function whoever() {
    return {
        asked: [],
        async prove() {
            return null;
        },
        async check(...args) {
            this.asked.push(args);
            return {how: "pinned", short: "AAAA", at: 1};
        },
    };
}


async function start(host = {id: HOST, role: "host", state: "joined"},
                     who = whoever())
{
    const session = new TestSession();
    const clock = new HandClock();
    const Connection = connectionClass();
    const peer = new RsPeer({session, who, clock,
                             RTCPeerConnection: Connection});
    const seen = record(peer, ["state", "stream", "hello", "told", "path",
                               "video", "verified", "problem"]);

    if (host !== null) {
        session.setPeers([host]);
    }

    await settle();

    return {session, who, clock, Connection, peer, seen,
            of: (type) => seen.filter((e) => e[0] === type)
                              .map((e) => e[1])};
}


async function connect(it, {channel = true} = {}) {
    const pc = it.Connection.last;

    pc.ontrack?.({streams: ["stream" + it.Connection.all.length]});
    pc.become("connected");

    if (channel) {
        pc.open();
    }

    await settle();

    return pc;
}


test("offers video and the input channel to the host, and only then", async () => {
    const it = await start(null);

    assert.equal(it.peer.state, "waiting");
    it.session.setPeers([{id: HOST, role: "host", state: "invited"}]);
    await settle();
    assert.equal(it.Connection.all.length, 0);

    it.session.setPeers([{id: HOST, role: "host", state: "joined"}]);
    await settle();

    const pc = it.Connection.last;

    assert.deepEqual(pc.transceiver, ["video", "recvonly"]);
    assert.equal(pc.channel.label, "rs-input");
    assert.equal(pc.channel.ordered, true);
    assert.equal(pc.configuration.iceTransportPolicy, "relay");
    assert.deepEqual(pc.configuration.iceServers, it.session.ice.iceServers);
    assert.deepEqual(it.session.sent, [
        {to: HOST, data: {kind: "offer", pc: 1, sdp: "sdp1"}}]);
});


test("candidates of the host wait for its answer", async () => {
    const it = await start();
    const pc = it.Connection.last;
    const cand = (n, candidate) => it.session.say(
        {kind: "candidate", pc: n, candidate, sdpMLineIndex: 0});

    cand(1, "one");
    cand(2, "of another line");
    it.session.say({kind: "candidate", pc: 1, candidate: "a stranger's",
                    sdpMLineIndex: 0}, "par_x");
    it.session.say({kind: "answer", pc: 1, sdp: "answer"});
    cand(1, "two");
    await settle();
    cand(1, "three");
    await settle();

    assert.deepEqual(pc.added, [[true, "one"], [true, "two"],
                                [true, "three"]]);
    assert.deepEqual(pc.remote, {type: "answer", sdp: "answer"});
});


test("its own candidates trickle, the end is an empty one", async () => {
    const it = await start();

    it.session.sent.length = 0;
    it.Connection.last.onicecandidate({candidate: {
        candidate: "candidate:1", sdpMLineIndex: 1, sdpMid: "1"}});
    it.Connection.last.onicecandidate({candidate: null});

    assert.deepEqual(it.session.sent.map((s) => s.data), [
        {kind: "candidate", pc: 1, candidate: "candidate:1",
         sdpMLineIndex: 1, sdpMid: "1"},
        {kind: "candidate", pc: 1, candidate: "", sdpMLineIndex: 0,
         sdpMid: ""}]);
});


test("input goes out once the host said hello and takes it", async () => {
    const it = await start();
    const pc = it.Connection.last;

    await connect(it);
    assert.equal(it.peer.send({type: "release"}), false);
    pc.hear({type: "hello", width: 1280, height: 720, input: true});
    assert.deepEqual(it.of("hello"), [{width: 1280, height: 720, input: true,
                                       features: {}}]);
    assert.deepEqual(it.peer.features, {});
    pc.hear({type: "hello", width: 640, height: 480, input: true,
             features: {clipboard: "both"}});
    assert.deepEqual(it.peer.features, {clipboard: "both"});
    pc.hear({type: "hello", width: 640, height: 480, input: true,
             features: ["clipboard"]});
    assert.deepEqual(it.peer.features, {});
    pc.hear({type: "pong", n: 1});
    pc.hear({type: "cursor", shape: "text"});
    assert.deepEqual(it.of("told"), [{type: "cursor", shape: "text"}]);
    pc.channel.sent.length = 0;
    assert.equal(it.peer.send({type: "move", x: 1, y: 2}), true);

    /* a congested channel drops moves, never presses */
    pc.channel.bufferedAmount = 100000;
    assert.equal(it.peer.send({type: "move", x: 3, y: 4}), false);
    assert.equal(it.peer.send({type: "release"}), true);
    assert.deepEqual(pc.channel.sent, [{type: "move", x: 1, y: 2},
                                       {type: "release"}]);
});


const CHANNEL_EVENTS = ["open", "message", "binary", "drained", "close"];


test("a channel goes over whatever line there is", async () => {
    const it = await start();
    const early = it.peer.channel("rs-early");
    const first = it.Connection.last;
    const seen = record(early, CHANNEL_EVENTS);

    assert.equal(it.peer.channel("rs-early"), early);
    assert.equal(early.send({type: "too soon"}), false);

    await connect(it);
    first.open("rs-early");

    const late = it.peer.channel("rs-late");

    first.open("rs-late");
    assert.ok(early.open && late.open);
    assert.equal(first.channels["rs-early"].ordered, true);
    assert.equal(early.send({type: "a"}), true);
    assert.equal(late.sendBinary(new Uint8Array(2)), true);
    assert.deepEqual(first.channels["rs-early"].sent, [{type: "a"}]);
    assert.deepEqual(first.channels["rs-late"].sent, [new Uint8Array(2)]);
    assert.equal(first.channel.sent.every((m) => m.type === "ping"), true);

    for (const data of ['{"type":"b"}', "[1]", "{", "null", '"x"',
                        '{"long":"' + "x".repeat(65536) + '"}',
                        new ArrayBuffer(3)])
    {
        first.channels["rs-early"].onmessage({data});
    }

    assert.deepEqual(seen, [["open", null], ["message", {type: "b"}],
                            ["binary", new ArrayBuffer(3)]]);
    seen.length = 0;

    /* another line: what the old one says does not count any more */
    const old = first.channels["rs-early"];

    first.become("failed");
    it.clock.pass(500);
    await settle();
    assert.deepEqual(seen, [["close", null]]);
    assert.equal(old.onmessage, null);
    assert.equal(early.send({type: "c"}), false);

    const second = await connect(it);

    second.open("rs-early");
    assert.equal(early.send({type: "d"}), true);
    assert.deepEqual(second.channels["rs-early"].sent, [{type: "d"}]);
    assert.deepEqual(old.sent, [{type: "a"}]);

    it.peer.close();
    assert.deepEqual(seen.map((e) => e[0]), ["close", "open", "close"]);
    assert.equal(early.open, false);
});


test("a congested channel says so, and when there is room", async () => {
    const it = await start();
    const channel = it.peer.channel("rs-bulk");
    const seen = record(channel, CHANNEL_EVENTS);
    const {channels} = await connect(it);
    const bulk = channels["rs-bulk"];

    bulk.readyState = "open";
    bulk.onopen();
    bulk.bufferedAmount = 300000;
    assert.equal(channel.buffered, 300000);
    assert.equal(channel.sendBinary(new ArrayBuffer(1)), false);
    assert.deepEqual(bulk.sent, []);
    assert.ok(bulk.bufferedAmountLowThreshold > 0);
    bulk.bufferedAmount = 0;
    bulk.onbufferedamountlow();
    assert.deepEqual(seen.map((e) => e[0]), ["open", "drained"]);

    /* the host may close it: the line stays */
    bulk.onclose();
    assert.equal(channel.open, false);
    assert.equal(seen.at(-1)[0], "close");
    assert.equal(it.peer.state, "connected");
});


test("a failed line is replaced; the old picture stays until then", async () => {
    const it = await start();
    const first = it.Connection.last;

    await connect(it);
    assert.equal(it.peer.state, "connected");
    first.become("failed");
    assert.equal(it.peer.state, "unsteady");
    it.clock.pass(500);
    await settle();

    const second = it.Connection.last;

    assert.equal(it.Connection.all.length, 2);
    assert.equal(it.session.sent.at(-1).data.pc, 2);
    assert.equal(first.closed, false);

    /* the first is no longer heard */
    it.session.say({kind: "answer", pc: 1, sdp: "late"});
    await settle();
    assert.equal(second.remote, undefined);

    await connect(it);
    assert.equal(first.closed, true);
    assert.deepEqual(it.of("stream"), ["stream1", "stream2"]);
    assert.equal(it.peer.state, "connected");
});


test("a silent host is noticed by its data channel", async () => {
    const it = await start();
    const pc = it.Connection.last;

    await connect(it);

    for (let i = 0; i < 10; i++) {
        it.clock.pass(2000);
        pc.hear({type: "pong", n: i + 1});
    }

    assert.deepEqual(pc.channel.sent.map((m) => m.n),
                     [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    assert.equal(it.peer.state, "connected");

    it.clock.pass(12000);
    assert.equal(it.peer.state, "unsteady");
    await settle();
    it.clock.pass(500);
    await settle();
    assert.equal(it.Connection.all.length, 2);
});


test("bytes are a sign of life for a while, but not of the channel", async () => {
    const it = await start();
    const pc = it.Connection.last;

    await connect(it);
    pc.hear({type: "pong", n: 1});

    for (let i = 1; i <= 10; i++) {
        pc.stats.set("p", {id: "p", type: "candidate-pair",
                           bytesReceived: i * 1000});
        it.clock.pass(1000);
        await settle();
    }

    assert.equal(it.peer.state, "connected");
    assert.equal(it.session.nudges, 0);

    it.clock.pass(2100);
    assert.equal(it.peer.state, "unsteady");
    assert.equal(it.session.nudges, 1);
});


test("nothing at all for 5 s is a line that broke", async () => {
    const it = await start();
    const pc = it.Connection.last;

    await connect(it);
    pc.hear({type: "pong", n: 1});
    it.clock.pass(5000);
    assert.equal(it.peer.state, "connected");
    it.clock.pass(2000);
    assert.equal(it.peer.state, "unsteady");
    assert.equal(it.session.nudges, 1);
});


test("who had a path is tried for longer, and when no relay is there, too",
     async () => {
    const it = await start();
    const from = it.clock.now();

    await connect(it);
    it.Connection.last.become("failed");

    for (let i = 0; i < 30; i++) {
        it.clock.pass(3000);
        await settle();
        it.session.say({kind: "failed", pc: it.session.sent.at(-1).data.pc,
                        code: "no_relay", message: ""});
    }

    assert.equal(it.peer.state, "unsteady");
    assert.ok(it.Connection.all.length > 20);

    for (let i = 0; i < 1000 && it.peer.state !== "failed"; i++) {
        it.clock.pass(13000);
        await settle();
    }

    assert.equal(it.peer.state, "failed");
    assert.ok(it.clock.now() - from > 600000);

    /* what is final stays final */
    it.peer.restart();
    await settle();
    await connect(it);
    it.session.say({kind: "failed", pc: it.session.sent.at(-1).data.pc,
                    code: "busy", message: ""});
    assert.equal(it.peer.state, "failed");
});


test("no candidate of its own, where there was a path: the next one", async () => {
    const it = await start();

    await connect(it);
    it.Connection.last.become("failed");
    it.clock.pass(500);
    await settle();
    assert.equal(it.Connection.all.length, 2);

    it.Connection.last.onicecandidate({candidate: null});
    it.clock.pass(1000);
    await settle();
    assert.equal(it.Connection.all.length, 3);

    it.Connection.last.onicecandidate({candidate: {
        candidate: "candidate:1", sdpMLineIndex: 0, sdpMid: "0"}});
    it.Connection.last.onicecandidate({candidate: null});
    it.clock.pass(2000);
    await settle();
    assert.equal(it.Connection.all.length, 3);
});


test("while the socket is away nothing is offered; when it is back, at once",
     async () => {
    const it = await start();
    const pc = it.Connection.last;

    await connect(it);
    pc.hear({type: "pong", n: 1});
    it.session.state = "waiting";
    pc.become("failed");
    it.clock.pass(60000);
    await settle();
    assert.equal(it.Connection.all.length, 1);
    assert.equal(it.peer.state, "unsteady");

    it.session.state = "open";
    it.session.dispatchEvent(new RsEvent("welcome", {resumed: true}));
    await settle();
    assert.equal(it.Connection.all.length, 2);

    /* the socket was lost and the line was not */
    await connect(it);
    it.Connection.last.hear({type: "pong", n: 1});
    it.session.dispatchEvent(new RsEvent("welcome", {resumed: true}));
    await settle();
    assert.equal(it.Connection.all.length, 2);

    /* or has been silent since */
    it.clock.pass(3500);
    it.session.dispatchEvent(new RsEvent("welcome", {resumed: true}));
    await settle();
    assert.equal(it.Connection.all.length, 3);
});


test("tries six times more, then says failed", async () => {
    const it = await start();

    for (let i = 0; i < 20 && it.peer.state !== "failed"; i++) {
        it.clock.pass(20000);
        it.clock.pass(10000);
        await settle();
    }

    assert.equal(it.peer.state, "failed");
    assert.equal(it.Connection.all.length, 7);
    assert.equal(it.of("problem").at(-1).code, "peer_timeout");

    /* the user may ask again */
    it.peer.restart();
    await settle();
    assert.equal(it.Connection.all.length, 8);
    assert.equal(it.peer.state, "connecting");
});


test("what the host refuses for good is not tried again", async () => {
    const it = await start();

    it.session.say({kind: "failed", pc: 1, code: "no_codec",
                    message: "no encoder"});
    assert.equal(it.peer.state, "failed");
    assert.equal(it.of("problem")[0].code, "no_codec");
    assert.equal(it.of("problem")[0].detail, "no encoder");
});


test("the last word stays: no timer speaks after it", async () => {
    const it = await start();

    it.session.say({kind: "failed", pc: 1, code: "operator_unverified",
                    message: "the token has expired"});
    it.clock.pass(60000);
    await settle();
    assert.deepEqual(it.of("problem").map((e) => e.code),
                     ["operator_unverified"]);
    assert.equal(it.peer.state, "failed");
});


test("an offer carries its proof, and goes out before any candidate",
     async () => {
    const proof = {id_token: "a.b.c", key: {}, signature: "s"};
    const who = {...whoever(), prove: async (...args) => [args, proof][1]};
    const it = await start(undefined, who);

    assert.deepEqual(it.session.sent, [
        {to: HOST, data: {kind: "offer", pc: 1, sdp: "sdp1", proof}}]);
});


test("no proof to be had is told, and nothing is offered", async () => {
    const who = {...whoever(), async prove() {
        throw new RsError("token_expired");
    }};
    const it = await start(undefined, who);

    assert.deepEqual(it.session.sent, []);
    assert.equal(it.peer.state, "failed");
    assert.equal(it.of("problem")[0].code, "token_expired");
});


test("an answer is checked before it is used", async () => {
    const it = await start();
    const device = {public_key: "k", signature: "s"};

    it.session.say({kind: "answer", pc: 1, sdp: "answer", device,
                    operator: {verified: true, name: "Anna", reason: 7}});
    await settle();
    assert.deepEqual(it.who.asked, [[1, "sdp1", "answer", device, true]]);
    assert.deepEqual(it.of("verified"), [{
        how: "pinned", short: "AAAA", at: 1,
        operator: {verified: true, name: "Anna", reason: ""}}]);
    assert.equal(it.Connection.last.remote.sdp, "answer");
});


test("an answer of somebody else is not used, and that is final", async () => {
    const who = {...whoever(), async check() {
        throw new RsError("device_changed", {detail: "another key"});
    }};
    const it = await start(undefined, who);

    it.session.say({kind: "answer", pc: 1, sdp: "answer", device: {}});
    await settle();
    assert.equal(it.Connection.last.remote, undefined);
    assert.deepEqual(it.of("verified"), []);
    assert.equal(it.peer.state, "failed");
    assert.equal(it.of("problem")[0].code, "device_changed");
    it.clock.pass(60000);
    await settle();
    assert.equal(it.Connection.all.length, 1);
});


test("while somebody is asked, the line waits as long", async () => {
    const it = await start();

    it.session.say({kind: "waiting", pc: 1, for: "consent", timeout_s: 60});
    assert.equal(it.peer.state, "asking");
    it.clock.pass(79000);
    await settle();
    assert.equal(it.Connection.all.length, 1);

    it.session.say({kind: "answer", pc: 1, sdp: "answer", device: {}});
    await settle();
    assert.equal(it.peer.state, "connecting");
    it.clock.pass(1000);
    assert.equal(it.of("problem")[0].code, "peer_timeout");
});


test("a line the host lost is replaced", async () => {
    const it = await start();

    it.session.say({kind: "failed", pc: 1, code: "ice_failed",
                    message: "it broke"});
    assert.equal(it.of("problem")[0].code, "ice_failed");
    it.clock.pass(500);
    await settle();
    assert.equal(it.Connection.all.length, 2);
});


test("a broken answer counts as a failed line", async () => {
    const it = await start();

    it.session.say({kind: "answer", pc: 1, sdp: "bad"});
    await settle();
    assert.equal(it.of("problem")[0].code, "peer_failed");
    it.clock.pass(500);
    await settle();
    assert.equal(it.Connection.all.length, 2);
});


test("nothing is offered before the recorder records", async () => {
    const it = await start(null);
    const offers = () => it.session.sent.filter(
        (m) => m.data.kind === "offer").length;
    const told = (session) => {
        it.session.session = session;
        it.session.dispatchEvent(new RsEvent("session", session));
        return settle();
    };

    await told({state: "waiting_recorder", recording: "waiting"});
    it.session.setPeers([{id: HOST, role: "host", state: "joined"}]);
    await settle();
    assert.deepEqual([offers(), it.peer.state], [0, "waiting"]);
    await told({state: "connecting", recording: "on"});
    assert.deepEqual([offers(), it.peer.state], [1, "connecting"]);

    /* one that was offered before it was known is offered again then */
    it.session.dispatchEvent(new RsEvent("refused", {
        id: 1, error: new RsError("not_recorded")}));
    assert.equal(it.peer.state, "waiting");
    await told({state: "waiting_recorder", recording: "waiting"});
    assert.equal(offers(), 1);
    await told({state: "connecting", recording: "on"});
    assert.equal(offers(), 2);

    /* and soon where that was told before the refusal */
    it.session.dispatchEvent(new RsEvent("refused", {
        id: 2, error: new RsError("not_recorded")}));
    it.clock.pass(1000);
    await settle();
    assert.equal(offers(), 3);
});


test("the host leaves: everything is let go; it ends with the session", async () => {
    const it = await start();

    await connect(it);
    it.session.setPeers([]);
    assert.equal(it.Connection.last.closed, true);
    assert.equal(it.peer.state, "waiting");
    assert.equal(it.clock.armed, 0);

    it.session.setPeers([{id: "par_h2", role: "host", state: "joined"}]);
    await settle();
    assert.equal(it.session.sent.at(-1).to, "par_h2");

    it.session.dispatchEvent(new RsEvent("ended", {}));
    assert.equal(it.peer.state, "closed");
    assert.equal(it.Connection.last.closed, true);
    assert.equal(it.clock.armed, 0);
});


function report(local, remote, rtt) {
    return [
        {id: "T", type: "transport", selectedCandidatePairId: "P"},
        {id: "Q", type: "candidate-pair", localCandidateId: "R"},
        {id: "P", type: "candidate-pair", localCandidateId: "L",
         remoteCandidateId: "R", currentRoundTripTime: rtt},
        {id: "L", type: "local-candidate", ...local},
        {id: "R", type: "remote-candidate", ...remote},
    ];
}


test("the path: direct, relayed by either side, protocol to the relay", () => {
    assert.deepEqual(pathOf(report({candidateType: "host", protocol: "udp"},
                                   {candidateType: "prflx"}, 0.0124)),
                     {kind: "direct", protocol: "udp", local: "host",
                      remote: "prflx", rtt_ms: 12});
    assert.deepEqual(pathOf(report({candidateType: "relay", protocol: "udp",
                                    relayProtocol: "tls"},
                                   {candidateType: "relay"}, 0.03)),
                     {kind: "relay", protocol: "tls", local: "relay",
                      remote: "relay", rtt_ms: 30});
    assert.equal(pathOf(report({candidateType: "srflx", protocol: "udp"},
                               {candidateType: "relay"}, 0.03)).kind,
                 "relay");

    const ice = {iceServers: [{urls: ["turn:a.test", "turns:a.test"],
                               region: "eu"},
                              {urls: "turn:b.test", region: "us"},
                              {urls: ["turn:c.test"], region: "<b>"},
                              {urls: ["turn:d.test"]}]};

    for (const [url, region] of [["turns:a.test", "eu"],
                                 ["turn:b.test", "us"],
                                 ["turn:c.test", undefined],
                                 ["turn:d.test", undefined],
                                 ["turn:e.test", undefined]]) {
        assert.equal(pathOf(report({candidateType: "relay", protocol: "udp",
                                    url},
                                   {candidateType: "relay"}, 0.03),
                            ice).region, region);
    }

    assert.equal(pathOf([{id: "T", type: "transport"}]), null);
    assert.equal(pathOf([]), null);
});


test("the video's figures", () => {
    assert.equal(videoOf([]), null);
    assert.deepEqual(videoOf([{id: "i", type: "inbound-rtp", kind: "video",
                               frameWidth: 1280, frameHeight: 720,
                               framesDecoded: 9, framesPerSecond: 14.6,
                               bytesReceived: 5, framesDropped: 2,
                               totalDecodeTime: 1.2345}]),
                     {width: 1280, height: 720, frames: 9, fps: 15,
                      bytes: 5, dropped: 2, decode_ms: 1235});
});


test("the path is shown each second, reported when it changes", async () => {
    const it = await start();
    const pc = it.Connection.last;
    const set = (local, rtt) => {
        pc.stats = new Map(report(local, {candidateType: "host"}, rtt)
                           .map((s) => [s.id, s]));
    };
    const second = async () => {
        it.clock.pass(1000);
        await settle();
    };
    const direct = {candidateType: "host", protocol: "udp"};

    set(direct, 0.01);
    await connect(it);
    set(direct, 0.05);
    await second();
    it.session.reachable = false;
    set({candidateType: "relay", relayProtocol: "udp"}, 0.05);
    await second();
    it.session.reachable = true;
    await second();
    await second();

    assert.deepEqual(it.of("path").map((p) => [p.kind, p.rtt_ms]),
                     [["direct", 10], ["direct", 50], ["relay", 50],
                      ["relay", 50], ["relay", 50]]);
    assert.deepEqual(it.session.paths.map((p) => p.kind),
                     ["direct", "relay"]);
    assert.ok(!samePath(null, null));
});


test("a path report that the store could not take is repeated", async () => {
    const it = await start();
    const pc = await connect(it);

    pc.stats = new Map([
        ["T", {id: "T", type: "transport", selectedCandidatePairId: "P"}],
        ["P", {id: "P", type: "candidate-pair", localCandidateId: "L",
               remoteCandidateId: "R", currentRoundTripTime: 0.01}],
        ["L", {id: "L", candidateType: "host", protocol: "udp"}],
        ["R", {id: "R", candidateType: "host", protocol: "udp"}],
    ]);

    const second = async () => {
        it.clock.pass(1000);
        await settle();
    };

    await second();
    await second();
    assert.equal(it.session.paths.length, 1);
    it.session.dispatchEvent(new RsEvent("notice", {code: "unavailable"}));
    await second();
    await second();
    assert.equal(it.session.paths.length, 2);
});


test("no data channel: input goes by the gateway until there is one", async () => {
    const it = await start();
    const pc = await connect(it, {channel: false});
    const {session, peer, clock} = it;
    const said = () => session.inputs.map((i) => i.data.type);

    assert.equal(peer.send({type: "release"}), false);
    clock.pass(5000);
    assert.deepEqual(it.of("hello"), [{width: 0, height: 0, input: true,
                                       features: {}}]);
    assert.equal(peer.detour, true);
    assert.equal(peer.ready, true);

    /* a sign of life each 2 s, so that what is held stays held */
    clock.pass(4000);
    assert.deepEqual(said(), ["ping", "ping", "ping"]);
    assert.equal(session.inputs[0].to, HOST);
    session.inputs.length = 0;

    /* of many moves few go out; the last one does, and before a click */
    for (let x = 0; x < 10; x++) {
        assert.equal(peer.send({type: "move", x, y: 0}), true);
    }

    assert.deepEqual(session.inputs.map((i) => i.data.x), [0]);
    peer.send({type: "button", button: 0, down: true, x: 9, y: 0});
    assert.deepEqual(session.inputs.map((i) => [i.data.type, i.data.x]),
                     [["move", 0], ["move", 9], ["button", 9]]);
    peer.send({type: "move", x: 11, y: 0});
    clock.pass(50);
    assert.equal(session.inputs.at(-1).data.x, 11);

    /* while the gateway is away nothing goes, then nothing is held */
    session.state = "waiting";
    assert.equal(peer.ready, false);
    assert.equal(peer.send({type: "release"}), false);
    session.state = "open";
    session.inputs.length = 0;
    session.dispatchEvent(new RsEvent("welcome", {resumed: true}));
    assert.deepEqual(said(), ["release"]);

    /* the channel after all */
    pc.open();
    assert.equal(peer.detour, false);
    assert.equal(peer.ready, false);
    pc.hear({type: "hello", width: 640, height: 480, input: true});
    assert.equal(peer.ready, true);
    session.inputs.length = 0;
    peer.send({type: "release"});
    clock.pass(3000);
    assert.deepEqual(session.inputs, []);
    assert.ok(pc.channel.sent.some((m) => m.type === "release"));
    assert.equal(it.Connection.all.length, 1);
});


test("nor for who is verified: the gateway could have closed the channel",
     async () => {
    const it = await start();

    it.session.say({kind: "answer", pc: 1, sdp: "answer", device: {},
                    operator: {verified: true}});
    await settle();
    await connect(it, {channel: false});
    it.clock.pass(30000);
    assert.equal(it.peer.detour, false);
    assert.equal(it.peer.ready, false);
    assert.deepEqual(it.session.inputs, []);
    assert.deepEqual(it.of("problem").map((e) => e.code), ["no_channel"]);
    assert.equal(it.peer.state, "failed");
});


test("no way round for viewers, nor where the channel stands", async () => {
    const viewer = await start();

    viewer.session.role = "viewer";
    await connect(viewer, {channel: false});
    viewer.clock.pass(30000);
    assert.deepEqual(viewer.session.inputs, []);
    assert.equal(viewer.peer.ready, false);

    const usual = await start();
    const pc = await connect(usual);

    pc.hear({type: "hello", width: 640, height: 480, input: true});
    usual.clock.pass(6000);
    assert.deepEqual(usual.session.inputs, []);
    assert.equal(usual.peer.detour, false);
});


test("a browser without data channels at all", async () => {
    const session = new TestSession();
    const clock = new HandClock();
    const Connection = connectionClass();

    Connection.prototype.createDataChannel = () => {
        throw new Error("NotSupportedError");
    };

    const peer = new RsPeer({session, who: whoever(), clock,
                             RTCPeerConnection: Connection});

    session.setPeers([{id: HOST, role: "host", state: "joined"}]);
    await settle();
    assert.equal(session.sent[0].data.kind, "offer");
    Connection.last.become("connected");
    clock.pass(0);
    assert.equal(peer.ready, true);
    assert.equal(peer.send({type: "release"}), true);
    peer.restart();
    await settle();
    assert.equal(Connection.all.length, 2);
    assert.equal(peer.ready, false);
    peer.close();
    assert.equal(clock.armed, 0);
});


test("sound is asked for by another line, and by none before", async (t) => {
    globalThis.MediaStream = class {
        constructor(tracks) {
            this.tracks = tracks;
        }
    };
    t.after(() => delete globalThis.MediaStream);

    const it = await start();
    const sounds = [];

    it.peer.addEventListener("sound", (ev) => sounds.push(ev.detail));

    const first = await connect(it);

    assert.deepEqual(first.kinds, ["video"]);
    assert.equal(it.peer.hears, false);
    assert.deepEqual(new Set(sounds), new Set([null]));

    it.peer.hear(true);
    it.peer.hear(true);
    await settle();
    assert.equal(it.Connection.all.length, 2);

    const second = await connect(it);
    const track = {kind: "audio"};

    assert.deepEqual(second.kinds, ["video", "audio"]);
    assert.equal(first.closed, true);
    second.ontrack({track, streams: ["sound"]});
    assert.deepEqual(sounds.at(-1).tracks, [track]);

    /* and again without, on the next */
    it.peer.hear(false);
    await settle();

    const third = await connect(it);

    assert.deepEqual(third.kinds, ["video"]);
    assert.equal(sounds.at(-1), null);
});
