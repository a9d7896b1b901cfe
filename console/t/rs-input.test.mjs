
/*
 * Copyright (C) rs-gateway contributors
 *
 * Positions, buttons, wheel and keys: what a page's events become.
 */

import test from "node:test";
import assert from "node:assert/strict";

import { CHORDS, RsInput, pictureRect, toPicture, unit }
    from "../rs-input.js";


function input(box = [1280, 720], video = [1280, 720]) {
    const sent = [];
    const it = new RsInput((message) => sent.push(message));

    it.setGeometry(...box, ...video);

    return {it, sent};
}


const key = (k, code, more = {}) => ({key: k, code, ...more});


test("a pixel survives the way there and back, for every pixel", () => {
    for (const size of [1, 3, 719, 720, 1080, 1280, 1366, 3840, 8192]) {
        for (let pixel = 0; pixel < size; pixel++) {
            const u = unit(pixel, size);

            assert.ok(u >= 0 && u <= 65535);
            assert.equal(Math.floor(u * size / 65536), pixel);
        }
    }
});


test("the example of the protocol: the middle", () => {
    assert.deepEqual(toPicture(640, 360, 1280, 720, 1280, 720),
                     {x: 32793, y: 32813, inside: true});
    assert.equal(Math.floor(32768 * 1280 / 65536), 640);
});


test("the picture is centred between its bars", () => {
    /* bars left and right */
    assert.deepEqual(pictureRect(2000, 720, 1280, 720),
                     {left: 360, top: 0, width: 1280, height: 720});
    /* above and below, at half size */
    assert.deepEqual(pictureRect(640, 1000, 1280, 720),
                     {left: 0, top: 320, width: 640, height: 360});
    assert.equal(pictureRect(0, 720, 1280, 720), null);
    assert.equal(pictureRect(640, 360, 0, 0), null);
});


test("positions are of the picture, not of the element", () => {
    const at = toPicture(360 + 1279.5, 719.5, 2000, 720, 1280, 720);

    assert.deepEqual(at, {x: unit(1279, 1280), y: unit(719, 720),
                          inside: true});
    assert.deepEqual(toPicture(0, -5, 2000, 720, 1280, 720),
                     {x: unit(0, 1280), y: unit(0, 720), inside: false});
    assert.equal(toPicture(2000, 1, 2000, 720, 1280, 720).inside, false);
});


test("moves: once per pixel, not from the bars", () => {
    const {it, sent} = input([2000, 720]);

    it.move(460, 100);
    it.move(460.4, 100.2);
    it.move(10, 100);

    assert.deepEqual(sent, [{type: "move", x: unit(100, 1280),
                             y: unit(100, 720)}]);
});


test("a press outside is not sent, a release outside ends the drag", () => {
    const {it, sent} = input([2000, 720]);

    assert.equal(it.buttonDown(0, 5, 5), false);
    assert.equal(it.buttonUp(0, 5, 5), false);
    assert.deepEqual(sent, []);

    assert.equal(it.buttonDown(2, 360, 0), true);
    it.move(5, 100);
    assert.equal(it.buttonUp(2, -50, 9999), true);
    assert.deepEqual(sent, [
        {type: "button", button: 2, down: true, x: unit(0, 1280),
         y: unit(0, 720)},
        {type: "move", x: unit(0, 1280), y: unit(100, 720)},
        {type: "button", button: 2, down: false, x: unit(0, 1280),
         y: unit(719, 720)},
    ]);
    assert.equal(it.buttonDown(5, 400, 5), false);
});


test("wheel: pixels, lines and pages become notches", () => {
    const {it, sent} = input();
    const notches = () => sent.splice(0).map((m) => [m.dx, m.dy]);

    it.wheel(0, 100, 0, 10, 10);
    it.wheel(0, -3, 1, 10, 10);
    it.wheel(1, 1, 2, 10, 10);
    assert.deepEqual(notches(), [[0, 1], [0, -1], [1, 1]]);

    /* a touchpad: parts add up, and a turn forgets them */
    it.wheel(0, 60, 0, 10, 10);
    it.wheel(0, 60, 0, 10, 10);
    assert.deepEqual(notches(), [[0, 1]]);
    it.wheel(0, -90, 0, 10, 10);
    assert.deepEqual(notches(), []);
    it.wheel(0, -10, 0, 10, 10);
    assert.deepEqual(notches(), [[0, -1]]);

    /* bounded, and nothing for nonsense */
    it.wheel(0, 1e9, 0, 10, 10);
    assert.deepEqual(notches(), [[0, 10]]);
    it.wheel(NaN, 0, 0, 10, 10);
    it.wheel(0, 500, 9, 10, 10);
    it.wheel(0, 500, 0, -10, 10);
    assert.deepEqual(notches(), []);
});


test("keys: repeats are dropped, up carries the name of down", () => {
    const {it, sent} = input();

    assert.equal(it.keyDown(key("Shift", "ShiftLeft")), true);
    assert.equal(it.keyDown(key("A", "KeyA")), true);
    assert.equal(it.keyDown(key("A", "KeyA", {repeat: true})), true);
    it.keyUp(key("Shift", "ShiftLeft"));
    it.keyUp(key("a", "KeyA"));
    assert.equal(it.keyUp(key("b", "KeyB")), false);

    assert.deepEqual(sent.map((m) => [m.key, m.code, m.down]), [
        ["Shift", "ShiftLeft", true], ["A", "KeyA", true],
        ["Shift", "ShiftLeft", false], ["A", "KeyA", false]]);
    assert.equal(it.holding, false);
});


test("keys: composing and nameless ones stay in the page", () => {
    const {it, sent} = input();

    assert.equal(it.keyDown(key("Process", "KeyA")), false);
    assert.equal(it.keyDown(key("a", "KeyA", {isComposing: true})), false);
    assert.equal(it.keyDown(key("Unidentified", "")), false);
    assert.equal(it.keyDown(key("x".repeat(40), "KeyX")), false);
    assert.deepEqual(sent, []);
});


test("keys: AltGr of Windows loses its Control", () => {
    const {it, sent} = input();

    it.keyDown(key("Control", "ControlLeft"));
    it.keyDown(key("AltGraph", "AltRight"));
    it.keyDown(key("@", "KeyQ"));

    assert.deepEqual(sent.map((m) => [m.key, m.down]), [
        ["Control", true], ["Control", false], ["AltGraph", true],
        ["@", true]]);
});


test("keys: letting go of Command lets go of what was with it", () => {
    const {it, sent} = input();

    it.keyDown(key("Meta", "MetaLeft"));
    it.keyDown(key("Shift", "ShiftLeft"));
    it.keyDown(key("c", "KeyC"));
    sent.length = 0;
    it.keyUp(key("Meta", "MetaLeft"));

    assert.deepEqual(sent.map((m) => [m.key, m.down]),
                     [["Meta", false], ["c", false]]);
    assert.equal(it.holding, true);
});


test("release: once, only when something is held", () => {
    const {it, sent} = input();

    it.release();
    it.keyDown(key("a", "KeyA"));
    it.buttonDown(0, 5, 5);
    sent.length = 0;
    it.release();
    it.release();

    assert.deepEqual(sent, [{type: "release"}]);
    assert.equal(it.keyUp(key("a", "KeyA")), false);
    assert.equal(it.buttonUp(0, 5, 5), false);
});


test("Control, Alt and Shift together are the way out", () => {
    const {it} = input();

    it.keyDown(key("Control", "ControlRight"));
    it.keyDown(key("Shift", "ShiftLeft"));
    assert.equal(it.escaping, false);
    it.keyDown(key("Alt", "AltLeft"));
    assert.equal(it.escaping, true);
});


test("a chord is pressed in order and let go in reverse", () => {
    const {it, sent} = input();
    const {keys} = CHORDS.find((c) => c.id === "ctrl-alt-del");

    it.keyDown(key("x", "KeyX"));
    sent.length = 0;
    it.chord(keys);

    assert.deepEqual(sent.map((m) => [m.type, m.code, m.down]), [
        ["release", undefined, undefined],
        ["key", "ControlLeft", true], ["key", "AltLeft", true],
        ["key", "Delete", true], ["key", "Delete", false],
        ["key", "AltLeft", false], ["key", "ControlLeft", false]]);
});


test("text becomes key presses, character by character", () => {
    const {it, sent} = input();

    it.text("aé😀");
    assert.deepEqual(sent.map((m) => [m.key, m.code, m.down]), [
        ["a", "", true], ["a", "", false], ["é", "", true], ["é", "", false],
        ["😀", "", true], ["😀", "", false]]);
});
