
/*
 * Copyright (C) rs-gateway contributors
 *
 * The chat: what is said and heard, what is refused, a line that breaks.
 */

import test from "node:test";
import assert from "node:assert/strict";

import { RsChat } from "../rs-chat.js";
import { HandClock, TestChannel, record } from "./lib.mjs";


function start(hello = {person: true, max: 10}) {
    const channel = new TestChannel();
    const clock = new HandClock();
    const it = new RsChat(channel, {clock});
    const seen = record(it, ["open", "said"]);

    if (hello !== null) {
        channel.say({type: "hello", ...hello});
    }

    return {channel, clock, it, seen};
}


const settled = (promise) => promise.then(() => "said", (e) => e.code);


test("nothing is said before hello", async () => {
    const {channel, it} = start(null);

    assert.equal(await settled(it.say("a")), "no_chat");
    channel.say({type: "said", text: "x", from: "par_b"});
    assert.deepEqual(channel.sent, []);
    channel.say({type: "hello", person: false, max: 10});
    assert.deepEqual([it.open, it.person], [true, false]);
});


test("what one says comes back, to him as his own", async () => {
    const {channel, it, seen} = start();
    const one = settled(it.say("  hello there!"));

    assert.deepEqual(channel.sent, [{type: "say", id: 1, text: "hello th"}]);
    channel.say({type: "said", text: "by another", name: "Bob",
                 from: "par_b", device: false, id: 9});
    channel.say({type: "said", text: "hello th", name: "Anna",
                 from: "par_a", device: false, id: 1});
    channel.say({type: "said", text: "yes?", name: "", from: "",
                 device: true});
    assert.equal(await one, "said");
    assert.deepEqual(seen.slice(1).map((e) => e[1]), [
        {text: "by another", name: "Bob", from: "par_b", device: false,
         mine: false},
        {text: "hello th", name: "Anna", from: "par_a", device: false,
         mine: true},
        {text: "yes?", name: "", from: "", device: true, mine: false}]);
});


test("refused, late, and over", async () => {
    const {channel, clock, it, seen} = start();

    assert.equal(await settled(it.say(" ")), "chat_empty");

    const one = settled(it.say("a"));

    channel.say({type: "refused", id: 1, reason: "too_many"});
    assert.equal(await one, "chat_too_many");

    const two = settled(it.say("b"));

    clock.pass(15000);
    assert.equal(await two, "timeout");

    const three = settled(it.say("c"));

    channel.lose();
    assert.equal(await three, "closed");
    assert.equal(it.open, false);

    channel.open = true;
    channel.say({type: "hello", person: true, max: 10});
    channel.buffered = 1e6;
    assert.equal(await settled(it.say("d")), "chat_too_many");
    channel.buffered = 0;

    const many = Array.from({length: 17}, () => settled(it.say("e")));

    assert.equal(await many[16], "chat_too_many");
    it.close();
    assert.deepEqual(new Set(await Promise.all(many.slice(0, 16))),
                     new Set(["closed"]));
    assert.deepEqual(seen.map((e) => e[1]), [true, false, true, false]);
});


test("what is no message is left aside, long texts are cut", () => {
    const {channel, seen} = start();

    for (const bad of [{type: "said"}, {type: "said", text: 1, from: "a"},
                       {type: "said", text: "x"}, {type: "what"}])
    {
        channel.say(bad);
    }

    channel.say({type: "said", text: "x".repeat(100), from: "p",
                 name: "n".repeat(300), device: "yes"});
    assert.equal(seen.length, 2);
    assert.equal(seen[1][1].text.length, 20);
    assert.equal(seen[1][1].name.length, 200);
    assert.equal(seen[1][1].device, false);
});
