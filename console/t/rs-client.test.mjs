
/*
 * Copyright (C) rs-gateway contributors
 *
 * RsSession and RsApi against docs/protocol: the example messages are what
 * the other end says, and what it must hear.
 */

import test from "node:test";
import assert from "node:assert/strict";

import { RsApi, RsError, RsSession, backoff, comparePosition, resolveBase,
         socketUrl } from "../rs-client.js";
import { HandClock, examples, protocolFile, record, socketClass }
    from "./lib.mjs";


const server = examples("signal", "server");
const client = examples("signal", "client");
const welcome = server.get("welcome");
const HOST = welcome.peers[0].id;
const EVENTS = ["state", "welcome", "peers", "joined", "left", "session",
                "signal", "input", "control", "ack", "refused", "ice", "pipe",
                "notice", "away", "ended", "closed"];


function open(o = {}) {
    const clock = new HandClock();
    const WebSocket = socketClass();
    const session = new RsSession({url: "wss://gw.test/rs/v1/signal",
                                   ticket: "default.ttt", WebSocket, clock});
    const seen = record(session, EVENTS);

    session.connect();

    if (o.welcome !== false) {
        WebSocket.last.say(o.session ? {...welcome, session: o.session}
                                     : welcome);
    }

    return {clock, WebSocket, session, seen,
            of: (type) => seen.filter((e) => e[0] === type)
                              .map((e) => e[1])};
}


test("joins by ticket in the subprotocol, takes the welcome", () => {
    const {WebSocket, session, of} = open();

    assert.deepEqual(WebSocket.last.protocols,
                     ["rs.v1", "rs.ticket.default.ttt"]);
    assert.equal(WebSocket.last.url, "wss://gw.test/rs/v1/signal");
    assert.equal(session.state, "open");
    assert.equal(session.self, welcome.self);
    assert.equal(session.role, "controller");
    assert.equal(session.host.id, HOST);
    assert.equal(session.position, "1-1");
    assert.deepEqual(session.ice, welcome.ice);
    assert.equal(of("welcome")[0].resumed, false);
});


test("every server message of the protocol is understood", () => {
    const told = {joined: "joined", left: "left", signal: "signal",
                  state: "session", ack: "ack", ice: "ice", ended: "ended",
                  error: "refused", input: "input", control: "control",
                  pipe: "pipe"};
    const quiet = new Set(["ping", "pong", "goaway", "resync", "welcome"]);

    for (const [name, message] of server) {
        const {WebSocket, session, seen} = open();

        if (name.startsWith("left")) {
            WebSocket.last.say(server.get(name.replace("left", "joined")));
        }

        seen.length = 0;

        /* the example of a signal is one this client sent */
        WebSocket.last.say(name === "signal" ? {...message, from: HOST}
                                             : message);

        if (quiet.has(name.split(".")[0])) {
            assert.equal(session.state, "open", name);
            continue;
        }

        assert.ok(seen.some((e) => e[0] === told[name.split(".")[0]]),
                  `${name} gave no "${told[name]}"`);
    }
});


test("what it sends is what the protocol's examples are", () => {
    const {WebSocket, session} = open();
    const said = WebSocket.last.sent;

    const direct = client.get("signal");
    const all = client.get("signal.all");
    const input = client.get("input");
    const inputTo = client.get("input.to");

    session.send(direct.data, direct.to);
    session.send(all.data);
    session.sendInput(input.data);
    session.sendInput(inputTo.data, inputTo.to);
    session.reportPath(client.get("state").path);
    session.askControl("request");
    session.askControl("grant", client.get("control.grant").to);
    session.askPipe(client.get("pipe").with, client.get("pipe").name);
    WebSocket.last.say(server.get("ping"));
    session.freshIce(1000);
    session.nudge();
    session.bye("done");

    assert.deepEqual(said, [direct, all, input, inputTo, client.get("state"),
                            client.get("control"),
                            client.get("control.grant"),
                            {...client.get("pipe"), id: 3},
                            client.get("pong"), client.get("ice"),
                            client.get("ping"), client.get("bye")]);
    assert.equal(said.length, client.size);
});


test("who has control is known, and stays so over a resume", () => {
    const {WebSocket, session, clock, of} = open();
    const last = () => of("control").at(-1);
    const says = (message) => WebSocket.last.say(message);

    assert.deepEqual(session.control, welcome.session.control);
    assert.equal(session.controls, true);
    assert.equal(session.moderator, true);

    says({...server.get("control"), holder: HOST, requests: ["par_x", 7]});
    assert.deepEqual(last(), {holder: HOST, requests: ["par_x"],
                              locked: false, op: "request",
                              by: server.get("control").by});
    assert.equal(session.controls, false);

    /* an old one once more */
    says({type: "control", holder: session.self, requests: [],
          locked: false, position: "1-2"});
    assert.equal(session.control.holder, HOST);

    /* with who comes and goes */
    says({...server.get("joined.control"), position: "1-7"});
    assert.equal(session.control.holder,
                 server.get("joined.control").control.holder);
    says({...server.get("left.control"), position: "1-8"});
    assert.deepEqual(session.control,
                     {holder: null, requests: [], locked: false});

    /* a resumed one is told what it missed, in order: not the end first */
    WebSocket.last.end(1006);
    clock.pass(250);

    const n = of("control").length;

    says({...welcome, resume: "t2"});
    assert.equal(of("control").length, n);
    says({type: "control", holder: HOST, requests: [], locked: true,
          position: "1-9"});
    assert.deepEqual(last(), {holder: HOST, requests: [], locked: true,
                              op: undefined, by: undefined});
});


test("a gateway that says nothing of control leaves it to the role", () => {
    const {session} = open({session: {...welcome.session,
                                      control: undefined}});

    assert.equal(session.control, null);
    assert.equal(session.controls, true);
});


test("resumes with token and position, unacked messages first", () => {
    const {WebSocket, session, clock, of} = open();

    session.send({kind: "a"}, HOST);
    session.send({kind: "b"}, HOST);
    WebSocket.last.say({type: "ack", id: 1});
    WebSocket.last.say({type: "signal", from: HOST, id: 1, position: "1-4",
                        data: 1});
    WebSocket.last.end(1006);

    assert.equal(session.state, "waiting");
    assert.deepEqual(of("away"), [{delay_ms: 250, attempt: 1}]);

    session.send({kind: "c"}, HOST);
    clock.pass(250);

    assert.equal(WebSocket.all.length, 2);
    assert.deepEqual(WebSocket.last.protocols,
                     ["rs.v1", `rs.resume.${welcome.resume}.1-4`]);

    /* the welcome's position is not handled yet: the log comes after it */
    WebSocket.last.say({...welcome, resume: "token2", position: "1-9"});

    assert.deepEqual(WebSocket.last.sent.map((m) => [m.id, m.data.kind]),
                     [[2, "b"], [3, "c"]]);
    assert.equal(session.position, "1-4");
    assert.equal(of("welcome")[1].resumed, true);

    /* replayed: one already handled, one new */
    WebSocket.last.say({type: "signal", from: HOST, id: 1, position: "1-4",
                        data: 1});
    WebSocket.last.say({type: "signal", from: HOST, id: 2, position: "1-6",
                        data: 2});
    assert.deepEqual(of("signal").map((s) => s.data), [1, 2]);

    WebSocket.last.end(1006);
    clock.pass(1000);
    assert.deepEqual(WebSocket.last.protocols,
                     ["rs.v1", "rs.resume.token2.1-6"]);
});


test("a message sent while the welcome is told keeps its place", () => {
    const {WebSocket, session, clock} = open();

    session.send("old", HOST);
    WebSocket.last.end(1006);
    session.addEventListener("state", () => {
        if (session.state === "open") {
            session.send("new", HOST);
        }
    });
    clock.pass(1000);
    WebSocket.last.say({...welcome, resume: "t2"});

    assert.deepEqual(WebSocket.last.sent.map((m) => m.id), [1, 2]);
});


test("resync sends the last 30 s again, acked or not, same ids", () => {
    const {WebSocket, session, clock} = open();

    session.send("stale", HOST);
    WebSocket.last.say({type: "ack", id: 1});
    clock.pass(20000);
    WebSocket.last.say({type: "ping"});
    session.send("acked", HOST);
    WebSocket.last.say({type: "ack", id: 2});
    clock.pass(15000);
    session.send("unacked", HOST);
    WebSocket.last.sent.length = 0;

    WebSocket.last.say({type: "resync", position: "2-0"});

    assert.deepEqual(WebSocket.last.sent.map((m) => [m.id, m.data]),
                     [[2, "acked"], [3, "unacked"]]);
    assert.equal(session.position, "2-0");
    assert.equal(session.unacked, 2);

    /* and what the other side sends again is handed out once */
    const got = record(session, ["signal"]);

    for (const [id, position] of [[5, "2-1"], [5, "2-2"], [4, "2-3"],
                                  [6, "2-4"]])
    {
        WebSocket.last.say({type: "signal", from: HOST, id, position,
                            data: id});
    }

    assert.deepEqual(got.map((e) => e[1].id), [5, 6]);
    assert.equal(session.position, "2-4");
});


test("final close codes end it at once, with their reason", () => {
    const codes = new Map([[4401, "unauthenticated"], [4403, "forbidden"],
                           [4404, "not_found"], [4409, "replaced"],
                           [4410, "session_ended"], [1009, "ws_too_big"],
                           [1000, "closed"]]);

    for (const [code, expected] of codes) {
        const {WebSocket, session, clock, of} = open();

        WebSocket.last.end(code);

        assert.equal(session.state, "closed", String(code));
        assert.equal(of("closed").length, 1);
        assert.equal(of("closed")[0].code, code);
        assert.equal(of("closed")[0].error.code, expected);
        assert.equal(clock.armed, 0);
        assert.throws(() => session.send(1), {code: "closed"});
    }
});


test("a resume that a failover forgot: the token before it, once", () => {
    for (const [code, name] of [[4409, "replaced"], [4401, "unauthenticated"]])
    {
        const a = open();
        const first = ["rs.v1", `rs.resume.${welcome.resume}.1-1`];

        a.WebSocket.last.end(1006);
        a.clock.pass(500);
        a.WebSocket.last.say({...welcome, resume: "t2"});
        a.WebSocket.last.end(code);
        assert.equal(a.session.state, "waiting", String(code));
        a.clock.pass(500);
        assert.deepEqual(a.WebSocket.last.protocols, first);

        /* it is taken: all is as it was */
        a.WebSocket.last.say({...welcome, resume: "t3"});
        assert.equal(a.session.state, "open");

        /* or not: the first reason stands */
        const b = open();

        b.WebSocket.last.end(1006);
        b.clock.pass(500);
        b.WebSocket.last.say({...welcome, resume: "t2"});
        b.WebSocket.last.end(code);
        b.clock.pass(500);
        b.WebSocket.last.end(4401);
        assert.equal(b.of("closed")[0].error.code, name);
        assert.equal(b.WebSocket.all.length, 3);

        /* later it is no failover any more */
        const c = open();

        c.WebSocket.last.end(1006);
        c.clock.pass(500);
        c.WebSocket.last.say({...welcome, resume: "t2"});

        for (let i = 0; i < 7; i++) {
            c.clock.pass(10000);
            c.WebSocket.last.say({type: "ping"});
        }

        c.WebSocket.last.end(code);
        assert.equal(c.session.state, "closed");
    }
});


test("every other close code of the table is come back from", () => {
    const final = new Set([1002, 1003, 1007, 1009, 4401, 4403, 4404, 4409,
                           4410]);
    const codes = new Set(protocolFile("errors.json").errors
                          .map((e) => e.ws_close)
                          .filter((c) => c !== null && !final.has(c)));

    for (const code of [...codes, 1001, 1005, 1006]) {
        const {WebSocket, session} = open();

        WebSocket.last.end(code);
        assert.equal(session.state, "waiting", String(code));
    }
});


test("the error before a close is its reason", () => {
    const {WebSocket, of} = open({welcome: false});

    WebSocket.last.say({type: "error", code: "resume_too_old",
                        message: "1-4 is gone"});
    WebSocket.last.end(4404);

    assert.equal(of("closed")[0].error.code, "resume_too_old");
    assert.equal(of("closed")[0].error.detail, "1-4 is gone");
});


test("ended is told before the close, and also without the message", () => {
    const a = open();

    a.WebSocket.last.say(server.get("ended"));
    assert.deepEqual(a.of("ended"), [{reason: "deleted"}]);
    assert.equal(a.session.session.state, "ended");
    a.WebSocket.last.end(4410);
    assert.deepEqual(a.of("closed").map((c) => c.error.code),
                     ["session_ended"]);
    assert.equal(a.of("ended").length, 1);

    const b = open();

    b.WebSocket.last.say(server.get("ended"));
    b.clock.pass(2000);
    assert.equal(b.of("closed").length, 1);

    const c = open();

    c.WebSocket.last.end(4410);
    assert.deepEqual(c.of("ended"), [{reason: ""}]);
});


test("a refused message is not sent again, a failed one is", () => {
    const {WebSocket, session, clock, of} = open();

    session.send("to nobody", "par_x");
    session.send("unlucky", HOST);
    WebSocket.last.say({...server.get("error"), id: 1});
    WebSocket.last.say({type: "error", code: "unavailable", message: "",
                        id: 2});
    WebSocket.last.end(1013);

    assert.deepEqual(of("refused").map((r) => [r.id, r.error.code]),
                     [[1, "unknown_peer"]]);
    clock.pass(1000);
    WebSocket.last.say({...welcome, resume: "t2"});
    assert.deepEqual(WebSocket.last.sent.map((m) => m.id), [2]);
});


test("goaway: comes back when told to, not before and not by backoff", () => {
    const {WebSocket, clock} = open();

    WebSocket.last.say({type: "goaway", after_ms: 1000, jitter_ms: 3000});
    clock.pass(2400);
    assert.equal(WebSocket.all.length, 1);
    clock.pass(200);
    assert.equal(WebSocket.all.length, 2);
    assert.equal(WebSocket.all[0].closedWith, 4000);

    /* a nudge is no reason to forget about it */
    const n = open();

    n.WebSocket.last.say({type: "goaway", after_ms: 1000, jitter_ms: 3000});
    n.session.nudge();
    assert.deepEqual(n.WebSocket.last.sent, []);
    n.clock.pass(2600);
    assert.equal(n.WebSocket.all.length, 2);

    /* instead of a welcome: the ticket is still good */
    const w = open({welcome: false});

    w.WebSocket.last.say({type: "goaway", after_ms: 1000, jitter_ms: 3000});
    w.WebSocket.last.end(1012);
    w.clock.pass(2400);
    assert.equal(w.WebSocket.all.length, 1);
    w.clock.pass(200);
    assert.deepEqual(w.WebSocket.last.protocols,
                     ["rs.v1", "rs.ticket.default.ttt"]);

    /* closed by the gateway first: the jitter still holds */
    const b = open();

    b.WebSocket.last.say({type: "goaway", after_ms: 1000, jitter_ms: 3000});
    b.clock.pass(1000);
    b.WebSocket.last.end(1012);
    b.clock.pass(1400);
    assert.equal(b.WebSocket.all.length, 1);
    b.clock.pass(200);
    assert.equal(b.WebSocket.all.length, 2);
});


test("a silent gateway is asked, then left", () => {
    const {WebSocket, session, clock} = open();

    clock.pass(34000);
    assert.deepEqual(WebSocket.last.sent, []);
    clock.pass(1000);
    assert.deepEqual(WebSocket.last.sent, [{type: "ping"}]);

    /* an answer within the same millisecond is an answer */
    WebSocket.last.say({type: "pong"});
    clock.pass(11000);
    assert.equal(session.state, "open");

    /* 45 s after the last word, whenever that was */
    WebSocket.last.say({type: "pong"});
    clock.pass(44900);
    assert.equal(WebSocket.all[0].closedWith, null);
    clock.pass(200);
    assert.equal(WebSocket.all[0].closedWith, 4000);
});


test("nudged: away comes back at once, a dead socket is left in 4 s", () => {
    const {WebSocket, session, clock} = open();

    /* answered: it stays */
    session.nudge();
    assert.deepEqual(WebSocket.last.sent, [{type: "ping"}]);
    WebSocket.last.say({type: "pong"});
    clock.pass(5000);
    assert.equal(session.state, "open");

    /* however often it is asked, the first question counts */
    for (let i = 0; i < 4; i++) {
        session.nudge();
        clock.pass(990);
    }

    assert.equal(WebSocket.last.sent.length, 2);
    assert.equal(session.state, "open");
    clock.pass(100);
    assert.equal(session.state, "waiting");
    assert.equal(WebSocket.all[0].closedWith, 4000);

    session.nudge();
    assert.equal(session.state, "connecting");
    assert.equal(WebSocket.all.length, 2);

    /* one that has just begun is let be, one that hangs is not */
    session.nudge();
    assert.equal(WebSocket.all.length, 2);
    clock.pass(1100);
    session.nudge();
    assert.equal(WebSocket.all.length, 3);
    assert.equal(session.state, "connecting");

    /* a resume has 6 s */
    clock.pass(5900);
    assert.equal(session.state, "connecting");
    clock.pass(200);
    assert.equal(session.state, "waiting");
});


test("a welcome that was lost: the token before it is used again", () => {
    const {WebSocket, clock} = open();
    const resume = ["rs.v1", `rs.resume.${welcome.resume}.1-1`];

    WebSocket.last.end(1006);
    clock.pass(500);
    assert.deepEqual(WebSocket.last.protocols, resume);
    WebSocket.last.end(1006);
    clock.pass(1000);
    assert.equal(WebSocket.all.length, 3);
    assert.deepEqual(WebSocket.last.protocols, resume);
});


test("it never sends faster than the gateway takes, and all of it", () => {
    const {WebSocket, session, clock} = open();
    const ids = () => WebSocket.last.sent.filter((m) => m.type === "signal")
                                         .map((m) => m.id);
    const all = Array.from({length: 200}, (_, i) => i + 1);

    for (const n of all) {
        session.send(n, HOST);
    }

    assert.equal(ids().length, 60);
    clock.pass(1000);
    assert.equal(ids().length, 100);
    WebSocket.last.say({type: "ping"});
    clock.pass(3000);
    assert.deepEqual(ids(), all);

    /* the same for what goes out again */
    WebSocket.last.end(1006);
    clock.pass(1000);
    WebSocket.last.say({...welcome, resume: "t2"});
    assert.deepEqual(ids(), all.slice(0, 60));
    assert.equal(session.send("more", HOST), 201);
    clock.pass(1000);
    assert.equal(ids().length, 100);

    /* a socket that breaks over it */
    WebSocket.last.end(1006);
    clock.pass(1000);
    WebSocket.last.say({...welcome, resume: "t3"});
    WebSocket.last.say({type: "resync", position: "2-0"});
    clock.pass(10000);
    assert.deepEqual(ids(), [...all.slice(0, 60), ...all, 201]);
});


test("input is volatile: now or never", () => {
    const {WebSocket, session, clock, of} = open();

    assert.equal(session.sendInput({type: "release"}), true);
    WebSocket.last.say({type: "input", from: HOST, data: {n: 1}});
    assert.deepEqual(of("input"), [{from: HOST, data: {n: 1}}]);

    WebSocket.last.bufferedAmount = 70000;
    assert.equal(session.sendInput({type: "release"}), false);
    assert.equal(WebSocket.last.sent.length, 1);
    assert.equal(session.unacked, 0);

    WebSocket.last.end(1006);
    assert.equal(session.sendInput({type: "release"}), false);
    clock.pass(1000);
    WebSocket.last.say({...welcome, resume: "t2"});
    assert.deepEqual(WebSocket.last.sent, []);
});


test("what failed for a while is sent again, whatever the code", () => {
    for (const code of ["unavailable", "uncertain", "overloaded", "draining",
                        "internal", "rate_limited", "going_away"])
    {
        const {WebSocket, session, clock, of} = open();

        session.send("a", HOST);
        WebSocket.last.say({type: "error", code, message: "", id: 1});
        WebSocket.last.end(1013);
        assert.deepEqual(of("refused"), [], code);
        assert.equal(session.state, "waiting");
        clock.pass(1000);
        WebSocket.last.say({...welcome, resume: "t2"});
        assert.deepEqual(WebSocket.last.sent.map((m) => m.id), [1], code);
    }
});


test("gives up: a ticket after 20 s, a session after its grace", () => {
    const a = open({welcome: false});

    for (let i = 0; i < 60 && a.session.state !== "closed"; i++) {
        a.WebSocket.last.end(1006);
        a.clock.pass(1000);
    }

    assert.equal(a.session.state, "closed");
    assert.equal(a.of("closed")[0].error.code, "lost");
    assert.ok(a.clock.now() - 1000000 <= 21000);

    const b = open();

    for (let i = 0; i < 600 && b.session.state !== "closed"; i++) {
        b.WebSocket.last.end(1006);
        b.clock.pass(1000);
    }

    assert.equal(b.of("closed")[0].error.code, "lost");
    assert.ok(b.clock.now() - 1000000 > 100000);
});


test("no welcome within 10 s is a broken socket", () => {
    const {WebSocket, clock} = open({welcome: false});

    clock.pass(10300);
    assert.equal(WebSocket.all.length, 2);
    assert.equal(WebSocket.all[0].closedWith, 4000);
});


test("bye leaves for good, heard or not", () => {
    const a = open();

    a.session.bye("done");
    a.WebSocket.last.end(1000);
    assert.deepEqual(a.of("closed"), [{code: 1000, error: null}]);

    const b = open();

    b.session.bye();
    b.clock.pass(2000);
    assert.deepEqual(b.of("closed"), [{code: 1000, error: null}]);

    const c = open();

    c.WebSocket.last.end(1006);
    c.session.bye();
    c.clock.pass(60000);
    assert.equal(c.session.state, "closed");
    assert.equal(c.WebSocket.all.length, 1);
});


test("fresh servers are asked for when the credentials are old", async () => {
    const {WebSocket, session, clock} = open();

    assert.equal(await session.freshIce(), session.ice);
    clock.pass(30000);
    WebSocket.last.say({type: "ping"});
    assert.deepEqual(WebSocket.last.sent, [{type: "pong"}]);

    const fresh = session.freshIce(290);

    assert.deepEqual(WebSocket.last.sent.at(-1), {type: "ice"});
    WebSocket.last.say(server.get("ice"));
    assert.deepEqual(await fresh, server.get("ice").ice);

    const late = session.freshIce(1000);

    clock.pass(5000);
    assert.deepEqual(await late, server.get("ice").ice);
});


test("servers are renewed before their credentials run out", () => {
    const {WebSocket, session, clock, of} = open();
    const asked = () => WebSocket.last.sent.filter((m) => m.type === "ice")
                                           .length;
    const pass = (ms) => {
        for (; ms > 0; ms -= 5000) {
            clock.pass(5000);
            WebSocket.last.say({type: "ping"});
        }
    };
    const {ice} = server.get("ice");

    WebSocket.last.say({type: "ice", ice: {...ice, ttl_s: 200}});
    pass(145000);
    assert.equal(asked(), 0);
    pass(10000);
    assert.equal(asked(), 1);

    WebSocket.last.say({type: "ice", ice: {...ice, ttl_s: 2}});
    pass(5000);
    assert.equal(asked(), 1);
    pass(5000);
    assert.equal(asked(), 2);
    assert.equal(session.ice.ttl_s, 2);
    assert.equal(of("ice").length, 3);

    session.bye();
    WebSocket.last.end(1000);
    assert.equal(clock.armed, 0);
});


test("membership follows joined, left and state", () => {
    const {WebSocket, session, of} = open();

    WebSocket.last.say(server.get("joined"));
    assert.deepEqual([...session.peers.keys()],
                     [HOST, server.get("joined").peer.id]);

    WebSocket.last.say({type: "state", session_state: "active", peer: HOST,
                        path: client.get("state").path, position: "1-7"});
    assert.equal(session.session.state, "active");
    assert.equal(session.host.path.kind, "relay");

    WebSocket.last.say({type: "left", peer: HOST, reason: "lost",
                        position: "1-8"});
    assert.equal(session.host, null);
    assert.equal(of("left")[0].peer.id, HOST);
});


test("what was handled before is not handled again", () => {
    const {WebSocket, of} = open();
    const joined = server.get("joined");

    for (const position of ["1-3", "1-3", "1-2", "0-9"]) {
        WebSocket.last.say({...joined, position});
    }

    assert.equal(of("joined").length, 1);
    WebSocket.last.say({...joined, position: "1-4"});
    assert.equal(of("joined").length, 2);
});


test("noise is ignored: no JSON, no type, before the welcome, binary", () => {
    const {WebSocket, session, seen} = open({welcome: false});
    const socket = WebSocket.last;

    seen.length = 0;
    socket.onmessage({data: "{"});
    socket.onmessage({data: "[]"});
    socket.onmessage({data: new ArrayBuffer(4)});
    socket.say({type: 7});
    socket.say(server.get("joined"));
    socket.say(server.get("ended"));

    assert.deepEqual(seen, []);
    assert.equal(session.state, "connecting");
});


test("bounds: message size, waiting messages", () => {
    const {session} = open({welcome: false});

    assert.throws(() => session.send("x".repeat(65536)),
                  {code: "ws_too_big"});
    assert.equal(session.send("x"), 1);

    for (let i = 0; i < 2047; i++) {
        session.send(i);
    }

    assert.throws(() => session.send("x"), {code: "outbox_full"});
});


test("positions are compared as numbers, epoch first", () => {
    assert.ok(comparePosition("1-9", "1-10") < 0);
    assert.ok(comparePosition("2-0", "1-10") > 0);
    assert.equal(comparePosition("3-3", "3-3"), 0);
    assert.ok(comparePosition("nonsense", "0-0") < 0);
});


test("backoff is full jitter under a cap", () => {
    assert.equal(backoff(0, () => 0.999999), 499);
    assert.equal(backoff(50, () => 0.999999), 4999);
    assert.equal(backoff(5, () => 0), 0);
});


test("the base is derived from the page", () => {
    assert.equal(resolveBase("../rs/v1",
                             "https://h.test:8443/console/?a#join=x"),
                 "https://h.test:8443/rs/v1");
    assert.equal(resolveBase("https://api.test/rs/v1/", "https://h.test/"),
                 "https://api.test/rs/v1");
    assert.equal(socketUrl("https://h.test/rs/v1", "/signal"),
                 "wss://h.test/rs/v1/signal");
    assert.throws(() => resolveBase("file:///etc", "https://h.test/"),
                  {code: "bad_request"});
});


/* REST */

function api(answers, o = {}) {
    const calls = [];
    const fetch = async (url, init) => {
        const answer = answers.shift();

        calls.push({url, ...init});

        if (answer instanceof Error) {
            throw answer;
        }

        return answer(init);
    };

    return {calls, api: new RsApi({base: "https://h.test/rs/v1",
                                   key: "rsk_default_x", fetch,
                                   newKey: () => "idem", ...o})};
}


const json = (status, body, headers = {}) => () => new Response(
    body === null ? null : JSON.stringify(body),
    {status, headers: {"Content-Type": status >= 400
                       ? "application/problem+json; charset=utf-8"
                       : "application/json", ...headers}});


test("a call carries the key, JSON and an Idempotency-Key", async () => {
    const {api: a, calls} = api([json(201, {id: "ses_a"})]);

    assert.deepEqual(await a.createSession({host: 1}), {id: "ses_a"});
    assert.equal(calls[0].url, "https://h.test/rs/v1/sessions");
    assert.equal(calls[0].method, "POST");
    assert.equal(calls[0].body, '{"host":1}');
    assert.equal(calls[0].headers.Authorization, "Bearer rsk_default_x");
    assert.equal(calls[0].headers["Content-Type"], "application/json");
    assert.equal(calls[0].headers["Idempotency-Key"], "idem");
});


test("every error of the protocol arrives as an RsError", async () => {
    for (const e of protocolFile("errors.json").errors) {
        const {api: a} = api([json(e.http, {
            type: "about:blank", title: e.title, status: e.http,
            detail: "why", code: e.code, pointer: "/a",
            request_id: "req1"}, e.retry_after ? {"Retry-After": "2"} : {})]);

        await assert.rejects(a.session("ses_a"), (got) => {
            assert.ok(got instanceof RsError);
            assert.equal(got.code, e.code);
            assert.equal(got.status, e.http);
            assert.equal(got.title, e.title);
            assert.equal(got.detail, "why");
            assert.equal(got.pointer, "/a");
            assert.equal(got.request_id, "req1");
            assert.equal(got.retry_after_s, e.retry_after ? 2 : null);
            return true;
        });
    }
});


test("a lost answer is asked for again under the same key, once", async () => {
    const {api: a, calls} = api([new TypeError("reset"),
                                 json(201, {id: "ses_a"})]);

    await a.createSession({});
    assert.equal(calls.length, 2);
    assert.equal(calls[0].headers["Idempotency-Key"],
                 calls[1].headers["Idempotency-Key"]);

    const b = api([new TypeError("reset"), new TypeError("reset")]);

    await assert.rejects(b.api.devices(), {code: "network", status: 0});
});


/* lets promises run, and time pass, until p is settled */
async function waitFor(p, clock, ms) {
    let settled = false;

    p.then(() => { settled = true; }, () => { settled = true; });

    for (let t = 0; t < ms && !settled; t += 100) {
        await new Promise((resolve) => setImmediate(resolve));

        if (!settled) {
            clock.pass(100);
        }
    }

    return p;
}


test("busy: a POST waits as long as Retry-After says, 10 s at most", async () => {
    const busy = (code, after) => json(503, {code, title: "busy"},
                                       after ? {"Retry-After": after} : {});
    const clock = new HandClock();
    const a = api([busy("unavailable", "1"), busy("draining", "2"),
                   json(201, {id: "ses_a"})], {clock});
    const from = clock.now();

    assert.deepEqual(await waitFor(a.api.createSession({}), clock, 20000),
                     {id: "ses_a"});
    assert.equal(new Set(a.calls.map((c) => c.headers["Idempotency-Key"]))
                 .size, 1);
    assert.equal(a.calls.length, 3);
    assert.ok(clock.now() - from >= 3750 && clock.now() - from < 4500,
              String(clock.now() - from));

    /* too long to wait, not said how long, or only read: told at once */
    for (const [after, call] of [["30", (x) => x.createSession({})],
                                 [null, (x) => x.createSession({})],
                                 ["1", (x) => x.devices()]])
    {
        const b = api([busy("unavailable", after)], {clock: new HandClock()});

        await assert.rejects(call(b.api), {code: "unavailable"});
        assert.equal(b.calls.length, 1);
    }

    /* what was ended by an attempt before is ended */
    const ended = api([busy("uncertain", "1"),
                       json(404, {code: "not_found"})], {clock});

    assert.equal(await waitFor(ended.api.endSession("ses_a"), clock, 9000),
                 null);
    await assert.rejects(api([json(404, {code: "not_found"})])
                         .api.endSession("ses_a"), {code: "not_found"});

    /* and not for ever */
    const always = () => Array.from({length: 50},
                                    () => busy("overloaded", "1"));
    const patient = new HandClock();
    const began = patient.now();
    const d = api(always(), {clock: patient});

    await assert.rejects(waitFor(d.api.endSession("ses_a"), patient, 60000),
                         {code: "overloaded"});
    assert.ok(patient.now() - began <= 10000);
    assert.ok(d.calls.length >= 3);

    /* given up by the user */
    const abort = new AbortController();
    const stopped = api(always(), {clock: new HandClock()})
                    .api.createSession({}, {signal: abort.signal});

    await new Promise((resolve) => setImmediate(resolve));
    abort.abort();
    await assert.rejects(stopped, {code: "aborted"});
});


test("what is not the gateway's answer is said so", async () => {
    const html = (status) => () => new Response("<h1>", {
        status, headers: {"Content-Type": "text/html",
                          "X-Request-Id": "r7"}});

    await assert.rejects(api([html(502)]).api.devices(),
                         {code: "bad_answer", status: 502, request_id: "r7"});
    await assert.rejects(api([html(503)]).api.devices(),
                         {code: "unavailable", status: 503});
    await assert.rejects(api([html(200)]).api.devices(),
                         {code: "bad_answer", status: 200});
    await assert.rejects(api([json(200, {})]).api.devices(),
                         {code: "bad_answer"});
});


test("an answer that takes too long is a timeout; abort is abort", async () => {
    const clock = new HandClock();
    const hang = (init) => new Promise((_, reject) => {
        init.signal.addEventListener("abort",
                                     () => reject(new Error("aborted")));
    });
    const slow = api([hang], {clock}).api.devices();

    clock.pass(15000);
    await assert.rejects(slow, {code: "timeout"});

    const abort = new AbortController();
    const stopped = api([hang]).api.devices({}, {signal: abort.signal});

    abort.abort();
    await assert.rejects(stopped, {code: "aborted"});
});


test("lists go from cursor to cursor; ids are escaped; 204 is null", async () => {
    const {api: a, calls} = api([
        json(200, {items: [1, 2], next_cursor: "c 1"}),
        json(200, {items: [3], next_cursor: null}),
        json(204, null),
    ]);
    const items = [];

    for await (const item of a.items("/devices", {online: true, tag: ""})) {
        items.push(item);
    }

    assert.deepEqual(items, [1, 2, 3]);
    assert.equal(calls[0].url, "https://h.test/rs/v1/devices?online=true");
    assert.equal(calls[1].url,
                 "https://h.test/rs/v1/devices?online=true&cursor=c+1");

    assert.equal(await a.endSession("../x"), null);
    assert.equal(calls[2].url, "https://h.test/rs/v1/sessions/..%2Fx");
    assert.equal(calls[2].method, "DELETE");
});


test("PATCH carries If-Match, an answer its ETag", async () => {
    const {api: a, calls} = api([json(200, {id: "dev_a"}, {ETag: '"4"'})]);
    const answer = await a.patchDevice("dev_a", {name: "n"}, '"3"');

    assert.equal(answer.etag, '"4"');
    assert.equal(calls[0].headers["If-Match"], '"3"');
    assert.equal(calls[0].headers["Idempotency-Key"], undefined);
});
