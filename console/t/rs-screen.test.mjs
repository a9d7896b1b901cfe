
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the device may say of its screen, and where the pointer is drawn.
 */

import test from "node:test";
import assert from "node:assert/strict";

import { cursorOf, decoderOf, drawn, monitorsOf, pictureIn } from "../rs-screen.js";


const CURSOR = {width: 24, height: 32, x: 3, y: 4, png: "iVBORw0KGgo="};


test("a cursor", () => {
    const {url, x, y, css} = cursorOf(CURSOR);

    assert.equal(url, "data:image/png;base64,iVBORw0KGgo=");
    assert.deepEqual([x, y], [3, 4]);
    assert.equal(css, `url("${url}") 3 4, crosshair`);
});


test("what is no cursor", () => {
    for (const wrong of [
        {width: 0}, {width: 97}, {width: 1.5}, {width: "24"}, {height: 0},
        {height: 4096}, {x: -1}, {x: 24}, {y: 32}, {y: NaN}, {x: undefined},
        {png: ""}, {png: 'a") 0 0, url("https://x.example/'}, {png: 7},
        {png: undefined}, {png: "a=b"}, {png: "iVBOR w0"}, {png: "a\n"},
    ]) {
        assert.equal(cursorOf({...CURSOR, ...wrong}), null,
                     JSON.stringify(wrong));
    }
});


test("monitors to choose from", () => {
    const m = (id, more = {}) => ({id, name: id, x: 0, y: 0, width: 800,
                                   height: 600, primary: false, ...more});

    assert.deepEqual(monitorsOf({monitors: [m("A"), m("B", {primary: true})]}),
                     [{id: "A", name: "A · 800 × 600"},
                      {id: "B", name: "B · 800 × 600, primary"}]);

    /* one is no choice */
    assert.deepEqual(monitorsOf({monitors: [m("A")]}), []);
    assert.deepEqual(monitorsOf({monitors: [m("screen"), m("A")]}), []);

    for (const features of [undefined, null, {}, {monitors: 7},
                            {monitors: [null, 1, m(5), m(""), m("A")]},
                            {monitors: [m("A"), m("B", {width: -1})]}])
    {
        assert.deepEqual(monitorsOf(features), []);
    }

    assert.equal(monitorsOf({monitors: Array.from(
        {length: 100}, (_, i) => m(`M${i}`))}).length, 16);
});


test("what is told of the decoder", () => {
    const before = {frames: 100, dropped: 3, decode_ms: 900};

    assert.deepEqual(
        decoderOf(before, {frames: 150, dropped: 5, decode_ms: 1300}, 2000.4),
        {type: "decoder", span_ms: 2000, frames: 50, dropped: 2,
         decode_ms: 400});

    /* another line counts from nothing; a still picture says nothing */
    assert.equal(decoderOf(before, {frames: 2, dropped: 0, decode_ms: 5},
                           2000), null);
    assert.equal(decoderOf(before, before, 2000), null);
    assert.equal(decoderOf(before, {...before, frames: 120}, 70000), null);
    assert.equal(decoderOf(before, {...before, frames: 120}, 20), null);
});


test("the picture keeps its proportions", () => {
    assert.deepEqual(pictureIn(800, 600, 1600, 900),
                     {x: 0, y: 75, width: 800, height: 450, scale: 0.5});
    assert.deepEqual(pictureIn(1000, 500, 500, 500),
                     {x: 250, y: 0, width: 500, height: 500, scale: 1});
    assert.equal(pictureIn(800, 600, 0, 0).scale, 0);
});


test("the pointer is drawn where no mouse of ours is it", () => {
    const mine = {x: 1000, y: 1000};
    const o = {control: true, over: true, mine, minedAt: 0,
               told: {x: 1000, y: 1000}, now: 10000};

    assert.equal(drawn(o), false, "there by our own mouse");
    assert.equal(drawn({...o, told: null}), false, "not in the picture");
    assert.equal(drawn({...o, control: false}), true, "we only watch");
    assert.equal(drawn({...o, over: false}), true, "our mouse is elsewhere");
    assert.equal(drawn({...o, mine: null}), true, "we have none");

    const other = {...o, told: {x: 9000, y: 1000}};

    assert.equal(drawn(other), true, "somebody else moved it");
    assert.equal(drawn({...other, minedAt: 9800}), false,
                 "we moved just now: what is told is old");
});
