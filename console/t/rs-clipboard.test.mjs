
/*
 * Copyright (C) rs-gateway contributors
 *
 * Texts to the device and back in pieces, answers, what is refused, and the
 * typist.
 */

import test from "node:test";
import assert from "node:assert/strict";

import { RsClipboard, pieces } from "../rs-clipboard.js";
import { RsInput } from "../rs-input.js";
import { RsTyper, TYPE_MAX } from "../rs-typer.js";
import { HandClock, TestChannel, record } from "./lib.mjs";


function start(direction = "both") {
    const channel = new TestChannel();
    const clock = new HandClock();
    const it = new RsClipboard(channel, {clock});
    const seen = record(it, ["direction", "text"]);

    if (direction !== null) {
        channel.say({type: "hello", direction, max: 1048576});
    }

    return {channel, clock, it, seen};
}


const settled = (promise) => promise.then(() => "taken", (e) => e.code);


test("pieces: so many bytes of UTF-8 each, no character torn", () => {
    assert.deepEqual([...pieces("abcdef", 4)], ["abcd", "ef"]);
    assert.deepEqual([...pieces("a€b", 4)], ["a€", "b"]);
    assert.deepEqual([...pieces("aa😀b", 4)], ["aa", "😀", "b"]);
    assert.deepEqual([...pieces("", 4)], [""]);
    assert.deepEqual([...pieces("a\ud83d", 8)], ["a\ufffd"]);

    const long = "😀é".repeat(5000);
    const parts = [...pieces(long)];

    assert.equal(parts.join(""), long);
    assert.ok(parts.every((p) => new TextEncoder().encode(p).length <= 8192));
});


test("nothing goes before hello, nor in a forbidden direction", async () => {
    const {channel, it, seen} = start(null);

    assert.equal(await settled(it.send("a")), "no_clipboard");
    channel.say({type: "hello", direction: "from_device", max: 1048576});
    assert.equal(await settled(it.send("a")), "clipboard_direction");
    channel.say({type: "hello", direction: "sideways", max: 1048576});
    assert.equal(await settled(it.send("a")), "no_clipboard");
    channel.say({type: "hello", direction: "to_device", max: 4});
    assert.equal(await settled(it.send("")), "clipboard_empty");
    assert.equal(await settled(it.send("€€")), "clipboard_too_long");
    assert.deepEqual(channel.sent, []);

    /* and nothing comes in one */
    channel.say({type: "text", id: 1, text: "x", last: true});
    assert.deepEqual(seen.map((e) => e[1]),
                     ["from_device", "none", "to_device"]);
});


test("a text is there when the device has taken it", async () => {
    const {channel, it} = start();
    const sent = it.send("hello");
    let done = false;

    sent.then(() => {
        done = true;
    });
    assert.deepEqual(channel.sent,
                     [{type: "text", id: 1, text: "hello", last: true}]);
    channel.say({type: "taken", id: 2});
    await Promise.resolve();
    assert.equal(done, false);
    channel.say({type: "taken", id: 1});
    assert.equal(await settled(sent), "taken");

    const other = settled(it.send("b"));

    channel.say({type: "refused", id: 2, reason: "too_long"});
    assert.equal(await other, "clipboard_too_long");

    const another = settled(it.send("c"));

    channel.say({type: "refused", id: 3, reason: "whatever"});
    assert.equal(await another, "clipboard_unavailable");
});


test("a newer text, silence and a lost line end an older one", async () => {
    const {channel, clock, it, seen} = start();
    const one = settled(it.send("one"));
    const two = settled(it.send("two"));

    assert.equal(await one, "superseded");
    clock.pass(15000);
    assert.equal(await two, "timeout");

    const three = settled(it.send("three"));

    channel.lose();
    assert.equal(await three, "closed");
    assert.deepEqual(seen.map((e) => e[1]), ["both", "none"]);
    assert.equal(await settled(it.send("four")), "no_clipboard");

    /* the next line says what there is by its own hello */
    channel.open = true;
    channel.say({type: "hello", direction: "both", max: 9});
    assert.ok(it.sends && it.receives);
    it.close();
    assert.equal(it.direction, "none");
    channel.say({type: "hello", direction: "both", max: 9});
    assert.equal(it.direction, "none");
});


test("a long text waits for the channel", async () => {
    const {channel, it} = start();
    const text = "x".repeat(100000);

    channel.buffered = 1000000;

    const sent = settled(it.send(text));

    assert.equal(channel.sent.length, 0);
    channel.drain();
    assert.equal(channel.sent.map((m) => m.text).join(""), text);
    assert.deepEqual(channel.sent.map((m) => m.last),
                     [...Array(12).fill(false), true]);
    channel.say({type: "taken", id: 1});
    assert.equal(await sent, "taken");
});


test("a text of the device, in pieces, within its bounds", () => {
    const {channel, it, seen} = start();
    const texts = () => seen.filter((e) => e[0] === "text").map((e) => e[1]);

    channel.say({type: "text", id: 1, text: "old", last: false});
    channel.say({type: "text", id: 2, text: "one ", last: false});
    channel.say({type: "text", id: 2, text: "two", last: true});
    assert.deepEqual(texts(), ["one two"]);

    for (const bad of [{type: "text"}, {type: "text", id: "1", text: "x",
                                        last: true},
                       {type: "text", id: 3, text: 1, last: true},
                       {type: "text", id: 3, text: "x", last: 1},
                       {type: "what"}])
    {
        channel.say(bad);
    }

    channel.say({type: "hello", direction: "both", max: 10});
    channel.say({type: "text", id: 4, text: "12345", last: false});
    channel.say({type: "text", id: 4, text: "678901", last: true});
    channel.say({type: "text", id: 5, text: "1234567890", last: true});
    assert.deepEqual(texts(), ["one two", "1234567890"]);

    /* a device that has no bounds does not have this side's memory */
    channel.say({type: "hello", direction: "both", max: JSON.parse("1e999")});
    channel.say({type: "text", id: 6, text: "x".repeat(1048577), last: true});
    assert.equal(texts().length, 2);

    channel.say({type: "hello", direction: "both", max: -1});
    channel.say({type: "text", id: 7, text: "x", last: true});
    assert.equal(texts().length, 2);
    it.close();
});


function typist() {
    const sent = [];
    const clock = new HandClock();
    const input = new RsInput((m) => sent.push(m));
    const typer = new RsTyper(input, clock);
    const typed = () => sent.filter((m) => m.down).map((m) => m.key).join(" ");

    return {sent, clock, input, typer, typed};
}


test("typing: a few characters at a time, keys by their names", async () => {
    const {clock, typer, typed} = typist();
    const done = settled(typer.type("ab\r\nc\td€😀"));

    assert.equal(typed(), "a b Enter c");
    assert.equal(typer.typing, true);
    clock.pass(40);
    assert.equal(typed(), "a b Enter c Tab d € 😀");
    assert.equal(await done, "taken");
    assert.equal(typer.typing, false);
});


test("typing stops when it is told to, and is bounded", async () => {
    const {sent, clock, input, typer, typed} = typist();

    input.keyDown({key: "Shift", code: "ShiftLeft"});
    sent.length = 0;

    const done = settled(typer.type("abcdefgh"));

    assert.deepEqual(sent[0], {type: "release"});
    typer.stop();
    assert.equal(await done, "aborted");
    clock.pass(1000);
    assert.equal(typed(), "a b c d");

    assert.equal(await settled(typer.type("x".repeat(TYPE_MAX + 1))),
                 "type_too_long");
    assert.equal(typed(), "a b c d");
});


test("pasting: Control + V, with the Control that is held", () => {
    const {sent, input} = typist();
    const keys = () => sent.filter((m) => m.type === "key")
                           .map((m) => (m.down ? "+" : "-") + m.code)
                           .join(" ");

    input.paste();
    assert.equal(keys(), "+ControlLeft +KeyV -KeyV -ControlLeft");
    sent.length = 0;
    input.keyDown({key: "Control", code: "ControlRight"});
    input.paste();
    assert.equal(keys(), "+ControlRight +KeyV -KeyV");
    assert.equal(input.holding, true);
});
