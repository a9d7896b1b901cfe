
/*
 * Copyright (C) rs-gateway contributors
 *
 * From the events of a page to the input messages of docs/protocol/peer.md.
 * Pure: it takes plain values with the names of DOM events and gives messages
 * to a function; no DOM, no sockets, no timers of its own.
 *
 * RsInput knows what this viewer holds down, so that nothing stays pressed
 * on the other side: a key is let go under the name it was pressed with,
 * and release() lets go of all.
 */


const PIXELS_PER_NOTCH = 100;
const LINES_PER_NOTCH = 3;
const NOTCHES_MAX = 10;
const HELD_MAX = 32;
const KEY_TEXT_MAX = 32;

/* KeyboardEvent.key of what is not a key press of its own */
const NOT_KEYS = new Set(["", "Process", "Unidentified"]);

const MODIFIERS = new Set(["Shift", "Control", "Alt", "AltGraph", "Meta",
                           "CapsLock", "NumLock"]);

/* characters that are keys with names */
const TEXT_KEYS = {"\n": "Enter", "\t": "Tab"};

/** What can be sent from a menu, because the browser keeps it for itself. */
export const CHORDS = [
    {id: "ctrl-alt-del", label: "Ctrl + Alt + Delete",
     keys: [["Control", "ControlLeft"], ["Alt", "AltLeft"],
            ["Delete", "Delete"]]},
    {id: "ctrl-shift-esc", label: "Ctrl + Shift + Esc",
     keys: [["Control", "ControlLeft"], ["Shift", "ShiftLeft"],
            ["Escape", "Escape"]]},
    {id: "escape", label: "Escape", keys: [["Escape", "Escape"]]},
    {id: "tab", label: "Tab", keys: [["Tab", "Tab"]]},
    {id: "super", label: "Super (Windows) key",
     keys: [["Meta", "MetaLeft"]]},
    {id: "alt-tab", label: "Alt + Tab",
     keys: [["Alt", "AltLeft"], ["Tab", "Tab"]]},
    {id: "alt-f4", label: "Alt + F4",
     keys: [["Alt", "AltLeft"], ["F4", "F4"]]},
    {id: "ctrl-w", label: "Ctrl + W",
     keys: [["Control", "ControlLeft"], ["w", "KeyW"]]},
    {id: "ctrl-alt-t", label: "Ctrl + Alt + T",
     keys: [["Control", "ControlLeft"], ["Alt", "AltLeft"], ["t", "KeyT"]]},
    {id: "ctrl-c", label: "Ctrl + C",
     keys: [["Control", "ControlLeft"], ["c", "KeyC"]]},
    {id: "ctrl-v", label: "Ctrl + V",
     keys: [["Control", "ControlLeft"], ["v", "KeyV"]]},
    {id: "print", label: "Print Screen",
     keys: [["PrintScreen", "PrintScreen"]]},
];


/**
 * Where the picture lies in a box that shows it whole (object-fit: contain).
 * @returns {{left: number, top: number, width: number, height: number}|null}
 */
export function pictureRect(boxWidth, boxHeight, videoWidth, videoHeight) {
    if (!(boxWidth > 0 && boxHeight > 0 && videoWidth > 0
          && videoHeight > 0))
    {
        return null;
    }

    const scale = Math.min(boxWidth / videoWidth, boxHeight / videoHeight);
    const width = videoWidth * scale;
    const height = videoHeight * scale;

    return {left: (boxWidth - width) / 2, top: (boxHeight - height) / 2,
            width, height};
}


/**
 * A pixel of the picture as 0 to 65535: its middle, so that
 * floor(u * size / 65536) is the pixel again.
 */
export function unit(pixel, size) {
    return Math.floor((pixel + 0.5) * 65536 / size);
}


/**
 * A point of the box as a position in the picture, held to its edges.
 * @returns {{x: number, y: number, inside: boolean}|null}
 */
export function toPicture(x, y, boxWidth, boxHeight, videoWidth,
    videoHeight)
{
    const rect = pictureRect(boxWidth, boxHeight, videoWidth, videoHeight);

    if (rect === null) {
        return null;
    }

    const px = Math.floor((x - rect.left) * videoWidth / rect.width);
    const py = Math.floor((y - rect.top) * videoHeight / rect.height);

    return {
        x: unit(clamp(px, 0, videoWidth - 1), videoWidth),
        y: unit(clamp(py, 0, videoHeight - 1), videoHeight),
        inside: px >= 0 && px < videoWidth && py >= 0 && py < videoHeight,
    };
}


function clamp(n, low, high) {
    return Math.min(Math.max(n, low), high);
}


export class RsInput {
    #send;
    #geometry = {boxWidth: 0, boxHeight: 0, videoWidth: 0, videoHeight: 0};
    #keys = new Map();          /* code -> key it was pressed with */
    #buttons = new Set();
    #last = {x: 32768, y: 32768};
    #wheel = {dx: 0, dy: 0};

    /** @param {(message: object) => any} send */
    constructor(send) {
        this.#send = send;
    }

    /** Sizes of the element that shows the picture, and of the picture. */
    setGeometry(boxWidth, boxHeight, videoWidth, videoHeight) {
        this.#geometry = {boxWidth, boxHeight, videoWidth, videoHeight};
    }

    /** Something is held down. */
    get holding() {
        return this.#keys.size + this.#buttons.size > 0;
    }

    #at(x, y) {
        const g = this.#geometry;

        return toPicture(x, y, g.boxWidth, g.boxHeight, g.videoWidth,
                         g.videoHeight);
    }

    /** Positions are of the element: 0, 0 is its upper left corner. */
    move(x, y) {
        const at = this.#at(x, y);

        if (at === null || !(at.inside || this.#buttons.size > 0)
            || (at.x === this.#last.x && at.y === this.#last.y))
        {
            return;
        }

        this.#last = {x: at.x, y: at.y};
        this.#send({type: "move", x: at.x, y: at.y});
    }

    /** True when it was for the picture. */
    buttonDown(button, x, y) {
        const at = this.#at(x, y);

        if (at === null || !at.inside || !(button >= 0 && button <= 4)) {
            return false;
        }

        this.#buttons.add(button);
        this.#last = {x: at.x, y: at.y};
        this.#send({type: "button", button, down: true, x: at.x, y: at.y});

        return true;
    }

    /** Also outside of the picture: a drag may end there. */
    buttonUp(button, x, y) {
        const at = this.#at(x, y) ?? this.#last;

        if (!this.#buttons.delete(button)) {
            return false;
        }

        this.#last = {x: at.x, y: at.y};
        this.#send({type: "button", button, down: false, x: at.x, y: at.y});

        return true;
    }

    /**
     * Wheel events of any unit become notches; what is less than one is kept
     * for the next event, until the direction turns.
     */
    wheel(deltaX, deltaY, deltaMode, x, y) {
        const at = this.#at(x, y);

        if (at === null || !at.inside) {
            return;
        }

        const dx = this.#notches("dx", deltaX, deltaMode);
        const dy = this.#notches("dy", deltaY, deltaMode);

        if (dx !== 0 || dy !== 0) {
            this.#send({type: "wheel", dx, dy, x: at.x, y: at.y});
        }
    }

    #notches(axis, delta, mode) {
        const per = [PIXELS_PER_NOTCH, LINES_PER_NOTCH, 1][mode];

        if (per === undefined || !Number.isFinite(delta) || delta === 0) {
            return 0;
        }

        if (delta * this.#wheel[axis] < 0) {
            this.#wheel[axis] = 0;
        }

        const sum = this.#wheel[axis] + delta / per;
        const whole = Math.trunc(sum);

        this.#wheel[axis] = sum - whole;

        return clamp(whole, -NOTCHES_MAX, NOTCHES_MAX);
    }

    /**
     * A key went down.  True when it is the picture's, and the page must not
     * act on it.
     *
     * @param {{key: string, code: string, repeat?: boolean,
     *          isComposing?: boolean}} ev
     */
    keyDown(ev) {
        const {key, code} = ev;

        if (ev.isComposing || !isKey(key) || !isCode(code)) {
            return false;
        }

        /* the X server repeats what is held by itself */

        if (ev.repeat || this.#keys.has(code)) {
            return true;
        }

        if (this.#keys.size >= HELD_MAX) {
            return false;
        }

        /* Windows shows AltGr as ControlLeft and AltRight */

        if (key === "AltGraph" && this.#keys.has("ControlLeft")) {
            this.#key("ControlLeft", false);
        }

        this.#keys.set(code, key);
        this.#send({type: "key", key, code, down: true});

        return true;
    }

    /** @param {{key: string, code: string}} ev */
    keyUp(ev) {
        if (!this.#keys.has(ev.code)) {
            return false;
        }

        this.#key(ev.code, false);

        /* macOS tells no keyup of what is pressed together with Command */

        if (ev.key === "Meta") {
            for (const [code, key] of [...this.#keys]) {
                if (!MODIFIERS.has(key)) {
                    this.#key(code, false);
                }
            }
        }

        return true;
    }

    #key(code, down) {
        const key = this.#keys.get(code);

        this.#keys.delete(code);
        this.#send({type: "key", key, code, down});
    }

    /** Control, Alt and Shift are held: the way out of the picture. */
    get escaping() {
        const held = new Set(this.#keys.values());

        return held.has("Control") && held.has("Alt") && held.has("Shift");
    }

    /** One of CHORDS: pressed in order, let go in reverse. */
    chord(keys) {
        this.release();

        for (const [key, code] of keys) {
            this.#send({type: "key", key, code, down: true});
        }

        for (const [key, code] of [...keys].reverse()) {
            this.#send({type: "key", key, code, down: false});
        }
    }

    /** A key down and up again. */
    press(key, code) {
        this.#send({type: "key", key, code, down: true});
        this.#send({type: "key", key, code, down: false});
    }

    /** Text typed on a keyboard without key events (a phone's). */
    text(string) {
        for (const character of string) {
            const named = TEXT_KEYS[character];

            if (named === undefined) {
                this.press(character, "");

            } else {
                this.press(named, named);
            }
        }
    }

    /** Control + V, with the Control that is held, or one of its own. */
    paste() {
        if (new Set(this.#keys.values()).has("Control")) {
            this.press("v", "KeyV");

        } else {
            this.chord([["Control", "ControlLeft"], ["v", "KeyV"]]);
        }
    }

    /** Lets go of everything: the window lost the focus, the line is new. */
    release() {
        const held = this.holding;

        this.#keys.clear();
        this.#buttons.clear();
        this.#wheel = {dx: 0, dy: 0};

        if (held) {
            this.#send({type: "release"});
        }
    }
}


function isKey(key) {
    return typeof key === "string" && key.length <= KEY_TEXT_MAX
           && !NOT_KEYS.has(key);
}


function isCode(code) {
    return typeof code === "string" && code !== ""
           && code.length <= KEY_TEXT_MAX;
}
