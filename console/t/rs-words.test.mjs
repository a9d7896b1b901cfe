
/*
 * Copyright (C) rs-gateway contributors
 *
 * Every error of the protocol has words of its own; times and paths read
 * like times and paths.
 */

import test from "node:test";
import assert from "node:assert/strict";

import { actorWords, agentWords, agoWords, blockedWords, byteWords,
         documentWords, durationWords, endWords, errorWords, fileErrorWords,
         gapWords, knownCodes, lengthWords, loadWords, pathWords, peopleWords,
         placesWords, presenceWords, queueWords, recordedWords,
         recordingFacts, recordingWords, serviceLoad, sessionWords,
         stateWords, whenWords, tokenWords, trackWords, transferWords,
         trustWords, tunnelFacts, tunnelMaker, tunnelWords, verbWords }
    from "../rs-words.js";
import { protocolFile, schema } from "./lib.mjs";


test("each code of errors.json has words", () => {
    const known = new Set(knownCodes());

    for (const {code} of protocolFile("errors.json").errors) {
        assert.ok(known.has(code), `no words for ${code}`);
    }
});


test("each reason and state of the protocol has words", () => {
    const page = ["deleted", "left", "expired", "consent_denied",
                  "consent_timeout", "host_lost", "device_removed", "policy",
                  "recorder_lost"];
    const none = endWords("no such reason");

    for (const reason of page) {
        assert.notDeepEqual(endWords(reason), none, reason);
    }

    for (const state of ["waiting_host", "waiting_consent", "connecting",
                         "active", "ended"])
    {
        assert.notEqual(stateWords(state), "Unknown", state);
    }
});


test("an error tells what happened, what to do, and what to report", () => {
    assert.deepEqual(errorWords({code: "unavailable", detail: "no Redis",
                                 request_id: "r1", retry_after_s: 2}), {
        title: "The gateway is not available right now",
        help: "Sessions that are running go on. Try again in a moment."
              + " The gateway asks to wait 2 s.",
        detail: "unavailable · no Redis · request r1",
    });

    /* of a newer gateway: its own title */
    assert.equal(errorWords({code: "teapot", title: "I am a teapot"}).title,
                 "I am a teapot");
});


test("the path in one line", () => {
    assert.equal(pathWords({kind: "relay", protocol: "tls", local: "relay",
                            remote: "relay", rtt_ms: 31}),
                 "Relayed · TLS · 31\u00a0ms");
    assert.equal(pathWords({kind: "direct", protocol: "udp", local: "host",
                            remote: "host", rtt_ms: 0}),
                 "Direct · UDP · < 1\u00a0ms");
});


test("presence", () => {
    const now = 1000000;

    assert.equal(presenceWords({online: true}, now), "Online");
    assert.equal(presenceWords({online: false}, now), "Never connected");
    assert.equal(presenceWords({online: false, last_seen_at: now - 7200},
                               now), "Seen 2 h ago");
    assert.equal(agoWords(now + 5, now), "just now");
    assert.equal(agoWords(now - 59 * 60, now), "59 min ago");
    assert.equal(agoWords(now - 86400, now), "yesterday");
    assert.equal(agoWords(now - 86400 * 9, now), "9 days ago");
});


test("what runs on a device", () => {
    assert.equal(agentWords({meta: {os: "Debian 12"},
                             agent: {name: "rs-agent", version: "0.1.0"}}),
                 "Debian 12 · rs-agent 0.1.0");
    assert.equal(agentWords({meta: {os: 5}, agent: {name: {}}}), "");
});


test("lengths, instants, people, verbs", () => {
    assert.equal(durationWords(59.9), "59 s");
    assert.equal(durationWords(60), "1 min");
    assert.equal(durationWords(3900), "1 h 5 min");
    assert.equal(durationWords(-5), "0 s");
    assert.equal(durationWords(NaN), "");
    assert.equal(whenWords(null), "never");
    assert.equal(whenWords(0), "never");
    assert.match(whenWords(Date.now() / 1000), /^today, \d\d:\d\d$/);
    assert.match(whenWords(1e9), /^[89] Sept? 2001, /);

    const session = {state: "ended", created_at: 100, ended_at: 190,
                     end_reason: "left", participants: [
        {role: "host", name: "PC", joined_at: 101},
        {role: "controller", name: "Ada", joined_at: 101},
        {role: "viewer", name: null, joined_at: 102},
        {role: "viewer", name: "Never", joined_at: null}]};

    assert.equal(peopleWords(session), "Ada (controller), Unnamed (viewer)");
    assert.equal(sessionWords(session), "Ada (controller), Unnamed (viewer) "
                 + "· 1 min · The session has ended");
    assert.equal(verbWords("sessions:write sessions:control"),
                 "Session: write");
    assert.equal(verbWords("device_key_mismatch"), "Device key mismatch");
    assert.equal(verbWords("constructor:x"), "Constructor: x");
    assert.equal(verbWords(null), "Something");
    assert.equal(actorWords({kind: "key", id: "key_a", name: null}),
                 "API key key_a");
    assert.equal(actorWords({kind: "user", id: "usr_a", name: "Ada"}), "Ada");
    assert.equal(actorWords(null), "");
});


test("what is verified, and by whom, no more than was", () => {
    const operator = {verified: true, name: "Anna", reason: ""};
    const verdict = {how: "pinned", short: "AB12-CD34", at: 1790000000,
                     operator};
    const facts = {kind: "oidc", name: "Anna T.", verdict, path: null,
                   detour: false};
    const row = (f, name) => trustWords(f).rows.find(([n]) => n === name)?.[1];

    assert.equal(trustWords(facts).level, "both");
    assert.match(row(facts, "You"), /checked by itself.*you are Anna\./);
    assert.match(row(facts, "The device"), /known since 2026-09-21/);
    assert.equal(row(facts, "Its key"), "AB12-CD34");
    assert.match(row(facts, "The gateway"), /cannot see/);

    /* the device alone */
    for (const told of [null, {verified: false, name: "", reason: "no proof"}])
    {
        const f = {...facts, verdict: {...verdict, operator: told}};

        assert.equal(trustWords(f).level, "device");
        assert.match(row(f, "The gateway"), /is believed/);
        assert.doesNotMatch(row(f, "You"), /checked by itself/);
    }

    /* who proves nothing is not called verified by a device's word alone */
    assert.match(row({...facts, kind: "key"}, "You"), /proves nothing/);
    assert.match(row({...facts, kind: "guest"}, "You"), /nobody has checked/);

    assert.equal(trustWords({...facts, verdict: {...verdict,
                                                 how: "rotated"}}).level,
                 "both");

    /* a device that nobody has seen before may be anybody's */
    const first = {...facts, verdict: {...verdict, how: "first"}};

    assert.equal(trustWords(first).level, "first");
    assert.match(row(first, "The gateway"), /its word alone/);

    /* no answer yet */
    const none = {...facts, verdict: null};

    assert.equal(trustWords(none).level, "none");
    assert.equal(row(none, "Its key"), undefined);

    /* whatever was verified, the gateway reads along */
    const detour = {...facts, detour: true};

    assert.equal(trustWords(detour).level, "none");
    assert.match(trustWords(detour).chip, /gateway/);
    assert.match(row(detour, "Mouse and keys"), /gateway.*read/);
    assert.doesNotMatch(row(detour, "The gateway"), /cannot see/);
    assert.match(row({...facts, path: {kind: "relay"}}, "The path"), /relay/);
});


test("how long a sign-in is good", () => {
    assert.match(tokenWords(60), /in 1 minute\./);
    assert.match(tokenWords(61), /in 2 minutes\./);
    assert.match(tokenWords(0), /expired/);
    assert.match(tokenWords(-5), /expired/);
});


test("names that every object has are no codes", () => {
    for (const code of ["__proto__", "constructor", "toString"]) {
        assert.match(errorWords({code}).title, /went wrong/);
        assert.equal(stateWords(code), "Unknown");
        assert.match(endWords(code).title, /has ended/);
        assert.match(pathWords({kind: code, protocol: code, rtt_ms: 1}),
                     /^Direct/);
    }
});


test("bytes read like bytes", () => {
    for (const [bytes, words] of [[0, "0 bytes"], [999, "999 bytes"],
                                  [1000, "1.0 kB"], [12345, "12.3 kB"],
                                  [123456, "123 kB"], [999999, "1.0 MB"],
                                  [209715200, "210 MB"],
                                  [4294967296, "4.3 GB"],
                                  [9e15, "9000 TB"]])
    {
        assert.equal(byteWords(bytes).replace("\u00a0", " "), words);
    }
});


test("a file says how far it is, and why it failed", () => {
    const t = {state: "running", done: 5e6, size: 1e7, name: "a",
               arrived: null};

    assert.equal(transferWords(t), "5.0\u00a0MB of 10.0\u00a0MB");
    assert.match(transferWords({...t, state: "done", arrived: "a (1)"}),
                 /a \(1\)/);

    const states = ["waiting", "checking", "running", "paused", "finishing",
                    "done", "cancelled"];

    assert.equal(new Set(states.map((state) => transferWords({...t, state})))
                 .size, states.length);
    assert.match(fileErrorWords({code: "no_space", message: "1 MB free"}),
                 /no room for it\. \(1 MB free\)/);
    assert.match(fileErrorWords({code: "later", message: "x"}),
                 /did not arrive\. \(x\)/);
});


test("a tunnel says whose it is, and what went through", () => {
    const tunnel = {
        id: "tun_x", device_id: "dev_x", target: "192.0.2.7:80",
        protocol: "tcp", label: "printer", group_id: null,
        acl: {addresses: [], users: ["key_x"]},
        created_by: {kind: "key", id: "key_x", name: "help desk"}, idle_s: 0,
        created_at: 1, expires_at: 2, used_at: null, pipes: 1, opened: 2,
        port: 20017, bytes_up: 1234, bytes_down: 0,
    };

    /* as REST gives it, and no field that it does not have */

    assert.deepEqual(Object.keys(tunnel).sort(),
                     Object.keys(schema("Tunnel").properties).sort());

    const facts = new Map(tunnelFacts(tunnel));

    assert.equal(facts.get("Made by"), "help desk");
    assert.equal(facts.get("To the device"), "1.2\u00a0kB");
    assert.equal(facts.get("From the device"), "0\u00a0bytes");
    assert.equal(facts.get("Port of the gateway"), "20017");
    assert.equal(facts.get("Open connections"), "1");
    assert.ok(!new Map(tunnelFacts({...tunnel, port: null}))
              .has("Port of the gateway"));
    assert.equal(tunnelMaker({created_by: {...tunnel.created_by, name: null}}),
                 "key_x");
    assert.equal(tunnelWords(tunnel), "printer \u00b7 192.0.2.7:80");
    assert.equal(tunnelWords({...tunnel, label: null, protocol: "udp"}),
                 "192.0.2.7:80 (UDP)");
});


test("services and the line for them", () => {
    const load = {capacity: 8, used: 3, queued: 0, queue: 16};
    const sum = (...all) => placesWords(serviceLoad(all));

    assert.equal(sum(), "No browser service is online");
    assert.equal(sum({online: false, load}), "No browser service is online");
    assert.equal(sum({online: true, load}, {online: true, load}),
                 "10 of 16 browsers free");
    assert.equal(sum({online: true, load: {...load, used: 8, queued: 2}}),
                 "All 8 browsers are in use, 2 in line");
    assert.equal(sum({online: true, load: null}),
                 "All 0 browsers are in use");
    assert.equal(loadWords({online: true, load}), "3 of 8 in use");
    assert.equal(loadWords({online: true, load: {...load, queued: 2}}),
                 "3 of 8 in use, 2 of 16 in line");
    assert.equal(loadWords({online: true, load: null}), "Online");
    assert.equal(loadWords({online: false, load}), "Offline");
    assert.match(queueWords({queue: 3}), /number 3 in line/);
    assert.match(queueWords({queue: 1}), /next in line/);
    assert.equal(queueWords({queue: null}), "");
    assert.equal(queueWords({}), "");
});


test("what a rendered browser did not do, and documents", () => {
    for (const why of ["policy", "network", "scheme", "submit", "size"]) {
        assert.notEqual(blockedWords(why).title, blockedWords("x").title);
    }

    assert.equal(documentWords({state: "converting"}), "Being prepared…");
    assert.equal(documentWords({state: "shown"}), "Shown");
    assert.match(documentWords({state: "refused", code: "bomb",
                                message: "a.docx: 9 GB"}),
                 /unpacks .* \(a\.docx: 9 GB\)$/);
    assert.equal(documentWords({state: "refused", code: "constructor",
                                message: ""}), "It cannot be shown.");
});


test("recordings: states, facts, places, what happened", () => {
    assert.deepEqual(["on", "lost", "off", "constructor"].map(
        (s) => recordedWords(s).chip),
        ["Recorded", "Recording interrupted", "", ""]);

    for (const state of ["recording", "kept", "incomplete", "gone"]) {
        assert.notEqual(recordingWords(state).chip, "Unknown", state);
    }

    assert.deepEqual([0, 61000, 3723000].map(lengthWords),
                     ["0:00", "1:01", "1:02:03"]);
    assert.deepEqual(recordingFacts({
        id: "rec_1", session_id: "ses_1", started_at: 0, ended_at: null,
        duration_ms: 0, bytes: 0, gaps: 0, expires_at: null}),
        [["Began", "never"], ["Ended", "not yet"], ["Session", "ses_1"],
         ["Id", "rec_1"]]);
    assert.equal(gapWords({dur_ms: 3000, why: "path"}), "Nothing was recorded"
                 + " for 0:03: it had no path to the device");
    assert.equal(trackWords({type: "joined", name: "Ada", role: "viewer"}),
                 "Ada joined (viewer)");
    assert.equal(trackWords({type: "joined", name: "Eve", role: "controller",
                             guest: true}), "Eve joined (controller, guest)");
    assert.equal(trackWords({type: "left"}), "Somebody left");
    assert.equal(trackWords({type: "control", holder: null}),
                 "Nobody has control");
    assert.equal(trackWords({type: "path", path: {kind: "relay",
                                                  protocol: "tls"}}),
                 "Path: relayed, TLS");
    assert.equal(trackWords({type: "state", state: "active"}), "Connected");
    assert.equal(trackWords({type: "end", reason: "left"}),
                 "The session has ended");
    assert.equal(trackWords({type: "something_new"}), "");
});
