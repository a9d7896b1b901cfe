
/*
 * Copyright (C) rs-gateway contributors
 *
 * connect(): by ticket, by link, with a session of one's own; control, the
 * end; and that rs-client.d.ts names what there is, no more and no less.
 */

import test from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import * as client from "../rs-client.js";
import { HandClock, TestChannel, examples, record, socketClass }
    from "./lib.mjs";


const welcome = examples("signal", "server").get("welcome");
const TICKET = "default.aaaaaaaaaaaaaaaaaaaaaaaa";
const EVENTS = ["state", "joined", "control", "features", "people", "problem",
                "closed"];


/* a line that never answers, whose channel the test opens */
class Connection {
    static all = [];
    channels = new Map();
    connectionState = "new";

    constructor() {
        Connection.all.push(this);
    }

    addTransceiver() {
        return {receiver: {}};
    }

    createDataChannel(label) {
        const channel = {label, readyState: "connecting", bufferedAmount: 0,
                         sent: [], send(frame) {
                             this.sent.push(JSON.parse(frame));
                         }, close() {
                             this.readyState = "closed";
                         }};

        this.channels.set(label, channel);

        return channel;
    }

    async createOffer() {
        return {type: "offer", sdp: "v=0"};
    }

    async setLocalDescription(d) {
        this.localDescription = d;
    }

    async getStats() {
        return new Map();
    }

    close() {
        this.closed = true;
    }
}


const settle = () => new Promise((resolve) => setImmediate(resolve));


/* answers of the gateway, by "METHOD /path" */
function gateway(answers) {
    const asked = [];

    return {asked, async fetch(url, {method, body}) {
        const path = new URL(url).pathname.replace("/rs/v1", "");
        const data = answers[`${method} ${path}`];

        asked.push([`${method} ${path}`, body && JSON.parse(body)]);

        return new Response(data === null ? null : JSON.stringify(
            data ?? {code: "link_invalid", status: 404}), {
            status: data === null ? 204 : data === undefined ? 404 : 200,
            headers: {"Content-Type": "application/json"}});
    }};
}


function start(options, answers = {}) {
    const WebSocket = socketClass();
    const clock = new HandClock();
    const {asked, fetch} = gateway(answers);
    const remote = client.connect({base: "https://gw.test/rs/v1", WebSocket,
                                   clock, fetch,
                                   RTCPeerConnection: Connection, ...options});
    const seen = record(remote, EVENTS);

    Connection.all.length = 0;

    return {remote, WebSocket, clock, asked, seen,
            of: (type) => seen.filter((e) => e[0] === type)
                              .map((e) => e[1])};
}


test("a ticket: joins, offers, has input once the device takes it", async () => {
    const it = start({ticket: TICKET});

    await settle();
    assert.equal(it.WebSocket.last.url, "wss://gw.test/rs/v1/signal");
    assert.ok(it.WebSocket.last.protocols.includes("rs.ticket." + TICKET));
    assert.throws(() => it.remote.channel("rs-own"), {code: "conflict"});
    it.WebSocket.last.say(welcome);
    await settle();
    assert.deepEqual(it.of("joined"), [it.remote]);
    assert.equal(it.remote.state, "connecting");

    const pc = Connection.all[0];
    const input = pc.channels.get("rs-input");

    assert.deepEqual([...pc.channels.keys()],
                     ["rs-input", "rs-clipboard", "rs-chat"]);
    assert.equal(it.remote.channel("rs-own").label, "rs-own");
    it.remote.input.text("x");
    assert.deepEqual(input.sent, []);

    pc.connectionState = "connected";
    pc.onconnectionstatechange();
    input.readyState = "open";
    input.onopen();
    input.onmessage({data: JSON.stringify({
        type: "hello", width: 2, height: 2, input: true,
        features: {clipboard: "both"}})});
    assert.equal(it.remote.state, "connected");
    assert.deepEqual(it.of("control"), [true]);
    assert.deepEqual(it.of("features"), [{clipboard: "both"}]);
    it.remote.input.text("x");
    assert.deepEqual(input.sent.filter((m) => m.type === "key").length, 2);

    await it.remote.leave();
    assert.deepEqual(it.of("closed"), [{reason: "left", error: null}]);
    assert.equal(it.remote.state, "closed");
    assert.equal(it.remote.control, false);
    assert.equal(pc.closed, true);
    await it.remote.leave();
    assert.equal(it.of("closed").length, 1);
});


test("a rendered browser: its page; a recording; a place in line", async () => {
    const it = start({ticket: TICKET});
    const more = record(it.remote, ["recording", "queue"]);

    await settle();
    it.WebSocket.last.say({...welcome, session: {
        ...welcome.session, host: {type: "render", device_id: "dev_1"},
        state: "waiting_host", queue: 2}});
    await settle();
    assert.ok(it.remote.page instanceof client.RsPage);
    assert.deepEqual(more, [["queue", 2]]);
    it.WebSocket.last.say({type: "state", position: "1-99", queue: null,
                           recording: "on", session_state: "connecting"});
    assert.deepEqual(more.slice(1), [["recording", "on"], ["queue", null]]);
    assert.equal(it.remote.recording, "on");
    it.WebSocket.last.say({type: "state", position: "1-100",
                           recording: "lost"});
    assert.equal(it.remote.recording, "lost");
    await it.remote.leave();
});


test("links: a participant's has its ticket, a guest's is asked for", async () => {
    for (const link of [`https://gw.test/console/#join=${TICKET}`,
                        `#join=${TICKET}`, TICKET])
    {
        const it = start({link});

        await settle();
        assert.ok(it.WebSocket.last.protocols.includes("rs.ticket." + TICKET));
        assert.deepEqual(it.asked, []);
        await it.remote.leave();
    }

    const guest = start({link: "#guest=abcdefghijklmnopqrstuvwx", pin: "123456",
                         name: "G"}, {"POST /join": {ticket: TICKET}});

    await settle();
    await settle();
    assert.deepEqual(guest.asked, [["POST /join", {
        link: "abcdefghijklmnopqrstuvwx", pin: "123456", name: "G"}]]);
    assert.ok(guest.WebSocket.last.protocols.includes("rs.ticket." + TICKET));
    await guest.remote.leave();

    const bad = start({link: "#guest=abcdefghijklmnopqrstuvwx"});

    await settle();
    await settle();
    assert.equal(bad.of("closed")[0].reason, "error");
    assert.equal(bad.of("closed")[0].error.code, "link_invalid");
});


test("a key and a device: a session of one's own, ended by leaving", async () => {
    const it = start({key: "k", device_id: "dev_1", role: "viewer"}, {
        "POST /sessions": {id: "ses_1", participants: [
            {role: "viewer", ticket: TICKET}]},
        "DELETE /sessions/ses_1": null});

    await settle();
    await settle();
    it.WebSocket.last.say(welcome);
    await it.remote.leave();
    assert.deepEqual(it.asked, [
        ["POST /sessions", {host: {type: "device", device_id: "dev_1"},
                            participants: [{role: "viewer"}]}],
        ["DELETE /sessions/ses_1", undefined]]);
});


test("what cannot be: neither ticket nor link; a base that is no URL", async () => {
    const it = start({});

    await settle();
    assert.equal(it.of("closed")[0].error.code, "bad_request");
    assert.throws(() => client.connect({base: "ftp://x", ticket: TICKET}),
                  {code: "bad_request"});
});


test("an ended session and a lost one say why", async () => {
    const ended = start({ticket: TICKET});

    await settle();
    ended.WebSocket.last.say(welcome);
    ended.WebSocket.last.say({type: "ended", reason: "ended"});
    ended.WebSocket.last.end(4410);
    assert.deepEqual(ended.of("closed"), [{reason: "ended", error: null}]);

    const lost = start({ticket: TICKET});

    await settle();
    lost.WebSocket.last.end(4401);
    assert.equal(lost.of("closed")[0].reason, "error");
    assert.equal(lost.of("closed")[0].error.code, "unauthenticated");
});


/* ---- rs-client.d.ts */

const types = readFileSync(new URL("../rs-client.d.ts", import.meta.url),
                           "utf8");


/* name -> its members, of each exported class */
function declared() {
    const classes = new Map();

    for (const [, name, body] of types.matchAll(
        /^export class (\w+)[^{]*\{\n(.*?)^\}/gms))
    {
        const members = [...body.matchAll(
            /^ {4}(?:readonly )?(\w+)(?=[(:])/gm)].map((m) => m[1]);

        classes.set(name, new Set(members.filter(
            (m) => m !== "constructor" && m !== "private")));
    }

    return classes;
}


/* what an object has for others, its own class's alone */
function members(object) {
    const names = [...Object.getOwnPropertyNames(object),
                   ...Object.getOwnPropertyNames(
                       Object.getPrototypeOf(object))];

    return new Set(names.filter((n) => n !== "constructor"));
}


test("rs-client.d.ts names what there is", () => {
    const classes = declared();
    const channel = new TestChannel();
    const input = new client.RsInput(() => undefined);
    const {remote} = start({ticket: TICKET});
    const objects = {RsInput: input, RsTyper: new client.RsTyper(input),
                     RsClipboard: new client.RsClipboard(channel),
                     RsChat: new client.RsChat(channel),
                     RsPage: new client.RsPage(channel), RsRemote: remote};

    for (const [name, object] of Object.entries(objects)) {
        assert.deepEqual([...members(object)].sort(),
                         [...classes.get(name)].sort(), name);
    }

    for (const name of classes.keys()) {
        assert.equal(typeof client[name], "function", name);
    }

    for (const member of classes.get("RsPeer")) {
        assert.ok(member in client.RsPeer.prototype || member === "state",
                  member);
    }

    for (const [, name] of types.matchAll(/^export (?:const|function) (\w+)/gm))
    {
        assert.ok(client[name] !== undefined, name);
    }

    assert.match(client.VERSION, /^\d+\.\d+\.\d+$/);

    /* exported, and said to be so: the rest is the console's own */
    const own = new Set(["RsApi", "RsSession", "backoff", "comparePosition",
                         "recordingOf", "resolveBase", "socketUrl",
                         "systemClock"]);

    for (const name of Object.keys(client)) {
        assert.ok(own.has(name) || types.includes(` ${name}`), name);
    }

    remote.leave();
});
