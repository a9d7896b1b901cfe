
/*
 * Copyright (C) rs-gateway contributors
 *
 * What is said of the people in a session, and which buttons there are: for
 * who has control, who waits for it, who may take it, and who only watches.
 */

import test from "node:test";
import assert from "node:assert/strict";

import { peopleOf, personWords, presenceWords } from "../rs-people.js";


const HOST = {id: "h", role: "host", name: "reception-pc", state: "joined"};
const BO = {id: "b", role: "controller", name: "Bo", state: "joined"};
const VI = {id: "v", role: "viewer", name: "Vi", state: "away"};


function of(o = {}) {
    const peers = o.peers ?? [HOST, BO, VI];

    return peopleOf({
        self: "a", role: o.role ?? "controller",
        moderator: o.moderator ?? false,
        session: {host: {type: o.host ?? "device"}},
        peers: new Map(peers.map((p) => [p.id, p])),
        control: o.control === null ? null
                 : {holder: null, requests: [], locked: false, ...o.control},
    });
}


const gives = (now) => now.people.filter((p) => p.give).map((p) => p.id);


test("a gateway without control: who is there, and no buttons", () => {
    const now = of({control: null});

    assert.deepEqual(now.people.map((p) => p.name),
                     ["You", "reception-pc", "Bo", "Vi"]);
    assert.deepEqual([now.mine, now.lock, gives(now)], [[], null, []]);
    assert.deepEqual(now.people.map(personWords),
                     ["may control", "at the device", "may control",
                      "watches, away"]);
});


test("who has it gives it, to who may have it, or lets it go", () => {
    const now = of({control: {holder: "a", requests: ["b"]}});

    assert.deepEqual(now.mine, ["release"]);
    assert.deepEqual(gives(now), ["h", "b"]);
    assert.equal(now.lock, null);
    assert.deepEqual(now.people.map(personWords),
                     ["have control", "at the device",
                      "may control, asks for control", "watches, away"]);

    assert.deepEqual(gives(of({control: {holder: "a", locked: true}})), []);
});


test("a rendered browser is nobody to give it to", () => {
    const now = of({host: "render", moderator: true,
                    control: {holder: "a", requests: ["b"]}});

    assert.deepEqual(gives(now), ["b"]);
    assert.equal(personWords(now.people[1]), "the browser");
    assert.equal(presenceWords(now.people), "You have control · with Bo, Vi");
});


test("who has it not asks once, and not while it is locked", () => {
    assert.deepEqual(of({control: {holder: "b"}}).mine, ["request"]);
    assert.deepEqual(of({control: {holder: "b", requests: ["x", "a"]}}).mine,
                     ["withdraw"]);
    assert.deepEqual(of({control: {holder: "b", locked: true}}).mine, []);
    assert.deepEqual(gives(of({control: {holder: "b"}})), []);
});


test("a moderator takes, gives and locks it", () => {
    const now = of({moderator: true, control: {holder: "b"}});

    assert.deepEqual([now.mine, now.lock, gives(now)], [["take"], true, []]);
    assert.equal(of({moderator: true, control: {holder: "b", locked: true}})
                 .lock, false);
    assert.deepEqual(gives(of({moderator: true, control: {locked: true}})),
                     ["b"]);
});


test("who watches has no buttons", () => {
    const now = of({role: "viewer", control: {holder: "b"}});

    assert.deepEqual([now.mine, now.lock, gives(now)], [[], null, []]);
});


test("who is not there yet is not shown", () => {
    assert.equal(of({peers: [HOST, {...BO, state: "invited"}]}).people.length,
                 2);
});


test("in a word: who else is there, and who has control", () => {
    const words = (control, peers) =>
        presenceWords(of({control, peers}).people);

    assert.equal(words({holder: "a"}),
                 "You have control · with Bo, Vi");
    assert.equal(words({holder: "b"}, [HOST, BO]),
                 "Bo has control");
    assert.equal(words({holder: "h"}, [HOST]),
                 "The person at the device has control");
    assert.equal(words({}, [HOST]), "Nobody has control");
    assert.equal(presenceWords(of({role: "viewer", control: null,
                                   peers: [HOST]}).people), "");
});
