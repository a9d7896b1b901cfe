
/*
 * Copyright (C) rs-gateway contributors
 *
 * Fingers: tap, hold, drag, two for the wheel.
 */

import test from "node:test";
import assert from "node:assert/strict";

import { RsInput } from "../rs-input.js";
import { RsTouch } from "../rs-touch.js";
import { HandClock } from "./lib.mjs";


function touch() {
    const sent = [];
    const clock = new HandClock();
    const input = new RsInput((message) => sent.push(message));

    input.setGeometry(65536, 65536, 65536, 65536);

    const it = new RsTouch(input, clock);

    return {it, clock, said: () => sent.splice(0).map((m) => [
        m.type, m.button ?? m.dy ?? null, m.down ?? null, m.x, m.y])};
}


test("a tap is a click where the finger came down", () => {
    const {it, clock, said} = touch();

    it.down(1, 100, 200);
    it.move(1, 104, 203);
    it.up(1, 104, 203);
    assert.deepEqual(said(), [["move", null, null, 100, 200],
                              ["button", 0, true, 100, 200],
                              ["button", 0, false, 100, 200]]);
    clock.pass(1000);
    assert.deepEqual(said(), []);
    assert.equal(clock.armed, 0);
});


test("a finger held still is a right click, once", () => {
    const {it, clock, said} = touch();

    it.down(1, 100, 200);
    clock.pass(600);
    it.move(1, 300, 300);
    it.up(1, 300, 300);
    assert.deepEqual(said(), [["move", null, null, 100, 200],
                              ["button", 2, true, 100, 200],
                              ["button", 2, false, 100, 200]]);
});


test("a moved finger drags from where it came down", () => {
    const {it, clock, said} = touch();

    it.down(1, 100, 200);
    it.move(1, 150, 200);
    clock.pass(1000);
    it.up(1, 160, 210);
    assert.deepEqual(said(), [["button", 0, true, 100, 200],
                              ["move", null, null, 150, 200],
                              ["button", 0, false, 160, 210]]);
});


test("two fingers are the wheel, lifting them no click", () => {
    const {it, said} = touch();

    it.down(1, 100, 500);
    it.down(2, 200, 500);
    it.move(1, 100, 400);
    it.move(2, 200, 400);
    it.up(1, 100, 400);
    it.move(2, 200, 300);
    it.up(2, 200, 400);
    assert.deepEqual(said(), [["wheel", 1, null, 100, 500]]);

    it.down(3, 5, 5);
    it.up(3, 5, 5);
    assert.equal(said().length, 3);
});


test("a second finger in a drag, or a cancel, lets go", () => {
    const {it, said} = touch();

    it.down(1, 100, 200);
    it.move(1, 150, 200);
    said();
    it.down(2, 300, 300);
    assert.deepEqual(said().map((m) => m[0]), ["release"]);
    it.up(1, 150, 200);
    it.up(2, 300, 300);
    assert.deepEqual(said(), []);

    it.down(1, 100, 200);
    it.move(1, 150, 200);
    said();
    it.cancel();
    it.up(1, 150, 200);
    assert.deepEqual(said().map((m) => m[0]), ["release"]);
});
