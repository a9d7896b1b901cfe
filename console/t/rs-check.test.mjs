
/*
 * Copyright (C) rs-gateway contributors
 *
 * Checks of a network and what they come to, with connections and a clock of
 * the test.
 */

import test from "node:test";
import assert from "node:assert/strict";

import { askGateway, kindOf, portOf, sumUp, tryServer, tryServers, trySocket }
    from "../rs-check.js";
import { askDevice, diagnose, reportOf, RsDiagnosis } from "../rs-diagnose.js";
import { checkWords, findingWords, networkWords } from "../rs-words.js";
import { HandClock, socketClass } from "./lib.mjs";


/* an RTCPeerConnection that the test drives */
function connections() {
    return class TestConnection {
        static all = [];
        closed = false;

        constructor(conf) {
            this.conf = conf;
            TestConnection.all.push(this);
        }

        createDataChannel() {}
        createOffer() { return Promise.resolve({}); }
        setLocalDescription() { return Promise.resolve(); }
        close() { this.closed = true; }

        candidate(typ) {
            this.onicecandidate({candidate: typ === null ? null
                : {candidate: `candidate:1 1 udp 1 192.0.2.1 9 typ ${typ}`}});
        }

        error(errorCode) {
            this.onicecandidateerror({errorCode});
        }
    };
}


const UDP = "turn:t.test:3478?transport=udp";
const TCP = "turn:t.test:3478?transport=tcp";
const TLS = "turns:t.test:443?transport=tcp";

const of = (url, result, more = {}) => ({...kindOf(url), url, result, ...more});


test("URLs", () => {
    assert.deepEqual(kindOf("stun:a"), {kind: "stun", protocol: "udp"});
    assert.deepEqual(kindOf("turn:a"), {kind: "turn", protocol: "udp"});
    assert.deepEqual(kindOf(UDP), {kind: "turn", protocol: "udp"});
    assert.deepEqual(kindOf(TCP), {kind: "turn", protocol: "tcp"});
    assert.deepEqual(kindOf(TLS), {kind: "turn", protocol: "tls"});
    assert.equal(portOf("turn:a"), 3478);
    assert.equal(portOf("turns:a?transport=tcp"), 5349);
    assert.equal(portOf("turns:[2001:db8::1]:443"), 443);
    assert.equal(portOf("turn:[2001:db8::1]"), 3478);
    assert.equal(portOf(TLS), 443);
});


test("a server that relays", async () => {
    const C = connections();
    const clock = new HandClock();
    const check = tryServer({url: UDP, username: "u", credential: "c"},
                            {RTCPeerConnection: C, clock});
    const [pc] = C.all;

    assert.deepEqual(pc.conf, {
        iceServers: [{urls: [UDP], username: "u", credential: "c"}],
        iceTransportPolicy: "relay"});
    pc.candidate("host");
    clock.pass(40);
    pc.candidate("relay");

    assert.deepEqual(await check, of(UDP, "ok", {ms: 40}));
    assert.ok(pc.closed);
    assert.equal(clock.armed, 0);
});


test("one that refuses, one that says nothing, and for how long", async () => {
    const C = connections();
    const clock = new HandClock();
    const o = {RTCPeerConnection: C, clock};
    const all = [tryServer({url: UDP}, o), tryServer({url: TCP}, o),
                 tryServer({url: TLS}, o)];
    const [refused, silent, slow] = C.all;

    refused.error(401);
    refused.candidate(null);
    silent.error(701);
    silent.candidate(null);

    assert.deepEqual(await all[0], of(UDP, "refused", {code: 401}));
    assert.deepEqual(await all[1], of(TCP, "silent"));

    clock.pass(12000);
    assert.deepEqual(await all[2], of(TLS, "silent"));
    assert.ok(slow.closed);
    slow.candidate("relay");        /* too late to matter */
});


test("STUN, with NAT, without, and blocked", async () => {
    const C = connections();
    const clock = new HandClock();
    const o = {RTCPeerConnection: C, clock};
    const url = "stun:t.test:3478";
    const all = [1, 2, 3, 4].map(() => tryServer({url}, o));
    const [nat, none, blocked, late] = C.all;

    assert.equal(nat.conf.iceTransportPolicy, "all");
    nat.candidate("srflx");
    none.candidate("host");
    none.candidate(null);
    blocked.error(701);
    clock.pass(9500);
    late.candidate(null);

    assert.deepEqual((await Promise.all(all)).map((c) => c.result),
                     ["ok", "ok", "silent", "silent"]);
});


test("a URL that a browser does not take ends nothing", async () => {
    class Strict {
        constructor() {
            throw new SyntaxError("no");
        }
    }

    const each = [];
    const checks = await tryServers([{urls: ["turn:x"]}, {urls: "stun:y"}],
                                    {RTCPeerConnection: Strict,
                                     each: (c, i) => each.push([i, c.result])});

    assert.deepEqual(checks.map((c) => c.result), ["closed", "closed"]);
    assert.deepEqual(each.sort(), [[0, "closed"], [1, "closed"]]);
    assert.deepEqual(await tryServers(undefined), []);
});


test("the gateway by WSS and HTTPS", async () => {
    const Socket = socketClass();
    const clock = new HandClock();
    const o = {WebSocket: Socket, clock};
    const all = [1, 2, 3].map(() => trySocket("https://a.test/rs/v1", o));
    const [speaks, closes, mute] = Socket.all;

    assert.equal(speaks.url, "wss://a.test/rs/v1/agent");
    speaks.say({type: "challenge"});
    closes.end(1006);
    clock.pass(8000);
    assert.deepEqual((await Promise.all(all)).map((c) => c.result),
                     ["ok", "closed", "silent"]);
    assert.equal(mute.closedWith, 1000);

    const answer = (status) => async () => new Response(
        '{"address":"192.0.2.1"}', {status});
    const ask = async (fetch) => (await askGateway(
        "https://a.test/rs/v1", "GET", {fetch, clock})).result;

    assert.equal(await ask(answer(200)), "ok");
    assert.equal(await ask(answer(404)), "off");
    assert.equal(await ask(answer(429)), "limited");
    assert.equal(await ask(answer(500)), "closed");
    assert.equal(await ask(() => Promise.reject(new Error("no"))), "closed");
});


test("what the checks of one side come to", () => {
    const sum = (...checks) => sumUp(checks, 8443);

    assert.deepEqual(sum(of(UDP, "ok"), of(TCP, "silent")), {code: "open"});
    assert.deepEqual(sum(of(TCP, "ok")), {code: "open"});
    assert.deepEqual(sum(of(UDP, "silent"), of(TCP, "ok"), of(TLS, "ok")),
                     {code: "udp_blocked", usable: true, open: 443});
    assert.deepEqual(sum(of(UDP, "silent"), of(TCP, "ok")),
                     {code: "udp_blocked", usable: true, open: 3478});
    assert.deepEqual(sum(of("stun:t", "silent"), of(UDP, "silent")),
                     {code: "udp_blocked", usable: false, open: 8443});
    assert.deepEqual(sum(of("stun:t", "ok"), of(UDP, "silent")),
                     {code: "turn_silent"}, "UDP gets through, TURN is down");
    assert.deepEqual(sum(of(UDP, "silent"), of(TLS, "silent")),
                     {code: "turn_silent"});
    assert.deepEqual(sum(of(UDP, "silent"), of(TCP, "refused", {code: 401})),
                     {code: "turn_refused", number: 401});
    assert.deepEqual(sum(of(UDP, "name")), {code: "turn_name"});
    assert.deepEqual(sum(of(UDP, "silent"), of(TLS, "tls")),
                     {code: "turn_tls"});
    assert.deepEqual(sum(of("stun:t", "ok")), {code: "no_turn"});
    assert.deepEqual(sum(), {code: "no_turn"});
});


test("both sides together", () => {
    const good = [of(UDP, "ok")];
    const blocked = [of(UDP, "silent")];
    const half = [of(UDP, "silent"), of(TLS, "ok")];
    const find = (here, there, device = null) => diagnose(
        {here, there, device, port: 443}).map((f) => `${f.side} ${f.code}`);

    assert.deepEqual(find(good, good), ["null no_route"]);
    assert.deepEqual(find(blocked, good), ["here udp_blocked"]);
    assert.deepEqual(find(good, blocked), ["device udp_blocked"]);
    assert.deepEqual(find(half, blocked),
                     ["device udp_blocked", "here udp_blocked"],
                     "what cannot be used at all goes first");
    assert.deepEqual(find(good, null), ["device device_silent"]);
    assert.deepEqual(find([], []), ["here no_turn", "device no_turn"]);
    assert.deepEqual(find(null, null, {online: false, last_seen_at: 7}),
                     ["device device_offline"]);
    assert.deepEqual(find(good, good, {online: true}), ["null no_route"]);
});


test("in words", () => {
    const title = (f) => findingWords(f).title;

    assert.equal(title({code: "udp_blocked", side: "here", open: 443}),
                 "UDP is blocked here, 443 is open");
    assert.equal(title({code: "turn_refused", side: "device", number: 401}),
                 "TURN refused the credential at the device (401)");
    assert.match(title({code: "device_offline", since: 1795283672}),
                 /^The device is offline since .*2026/);
    assert.equal(title({code: "device_offline", since: null}),
                 "The device has never been online");

    for (const code of ["udp_blocked", "turn_refused", "turn_silent",
                        "turn_name", "turn_tls", "no_turn", "no_route",
                        "device_silent"])
    {
        const words = findingWords({code, side: "here"});

        assert.ok(words.title && words.cure, code);
    }

    assert.deepEqual(networkWords({code: "udp_blocked", open: 443,
                                   usable: true}),
                     {title: "UDP is blocked, 443 is open: sessions work, and may stutter",
                      state: "warn"});
    assert.equal(networkWords({code: "open"}, "closed").state, "bad");
    assert.equal(networkWords({code: "open"}).state, "ok");
    assert.deepEqual(checkWords("TURN/UDP", "refused", {code: 401}).how,
                     "refused the credential (401)");
    assert.ok(checkWords("TURN/UDP", "silent").cure);
    assert.equal(checkWords("WSS", "ok").cure, "");
});


test("a device's report is a stranger's", () => {
    assert.equal(reportOf(null), null);
    assert.equal(reportOf({kind: "report"}), null);
    assert.equal(reportOf({kind: "answer", checks: []}), null);
    assert.equal(reportOf({kind: "report", checks: Array(33).fill({})}), null);
    assert.deepEqual(reportOf({kind: "report", checks: [
        of(UDP, "refused", {code: 401, evil: "<b>"}), null, 7,
        {...of(UDP, "ok"), kind: "x"}, {...of(UDP, "ok"), result: "x"},
        {...of(UDP, "ok"), url: "x".repeat(513)},
        {...of(UDP, "ok"), protocol: "sctp"},
        of(TLS, "silent", {code: "401"}),
    ]}), [of(UDP, "refused", {code: 401}), of(TLS, "silent")]);
});


class TestSession extends EventTarget {
    host = {id: "par_h"};
    state = "open";
    ice = {iceServers: [{urls: [UDP]}]};
    sent = [];

    freshIce() { return Promise.resolve(this.ice); }
    send(data, to) { this.sent.push([data, to]); }

    say(data, from = "par_h") {
        this.dispatchEvent(Object.assign(new Event("signal"),
                                         {detail: {from, data}}));
    }
}


test("the device is asked, and may stay silent", async () => {
    const clock = new HandClock();
    const session = new TestSession();
    const asked = askDevice(session, {clock});

    assert.deepEqual(session.sent, [[{kind: "diagnose", pc: 1}, "par_h"]]);
    session.say({kind: "report", checks: []}, "par_x");
    session.say({kind: "candidate"});
    session.say({kind: "report", checks: [of(UDP, "ok")]});
    assert.deepEqual(await asked, [of(UDP, "ok")]);
    assert.equal(clock.armed, 0);

    const silent = askDevice(session, {clock});

    clock.pass(15000);
    assert.equal(await silent, null);

    session.host = null;
    assert.equal(await askDevice(session, {clock}), null);
});


test("an examination of both, and one that was given up", async () => {
    const C = connections();
    const clock = new HandClock();
    const session = new TestSession();
    const o = {session, port: 443, RTCPeerConnection: C, clock,
               device: async () => ({online: true})};
    const found = [];
    const d = new RsDiagnosis(o);
    const turn = () => new Promise((resolve) => setImmediate(resolve));

    d.addEventListener("found", (ev) => found.push(ev.detail));
    await turn();
    C.all[0].error(401);
    C.all[0].candidate(null);
    session.say({kind: "report", checks: [of(UDP, "ok")]});
    await turn();
    assert.deepEqual(found, [[{side: "here", code: "turn_refused",
                               number: 401}]]);

    const over = new RsDiagnosis(o);

    over.addEventListener("found", () => assert.fail("it is over"));
    over.end();
    await turn();
    C.all[1].candidate("relay");
    session.say({kind: "report", checks: []});
    await turn();

    const offline = new RsDiagnosis({...o, device: async () => ({
        online: false, last_seen_at: 5})});

    offline.addEventListener("found", (ev) => found.push(ev.detail));
    await turn();
    assert.deepEqual(found[1], [{code: "device_offline", side: "device",
                                 since: 5}]);
    assert.equal(C.all.length, 2, "nothing else is tried then");
});
