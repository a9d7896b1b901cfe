
/*
 * Copyright (C) rs-gateway contributors
 *
 * Fingers on the remote screen, as calls of an RsInput: a tap is a click, a
 * finger held still is a right click, a moved one a drag, two fingers are
 * the wheel.  Pure: positions and times in, the timers handed in.
 */


const HOLD_MS = 550;
const STILL_PX = 10;


export class RsTouch {
    #input;
    #clock;
    #fingers = new Map();   /* pointer id -> {x, y} */
    #start = null;          /* where the first finger came down */
    #hold = null;
    #mode = "idle";         /* idle, tap, drag, wheel, done */

    /**
     * @param {import("./rs-input.js").RsInput} input
     * @param {import("./rs-client.js").Clock} clock
     */
    constructor(input, clock) {
        this.#input = input;
        this.#clock = clock;
    }

    down(id, x, y) {
        this.#fingers.set(id, {x, y});
        this.#forgetHold();

        if (this.#fingers.size === 1) {
            this.#mode = "tap";
            this.#start = {x, y};
            this.#hold = this.#clock.setTimeout(() => this.#held(), HOLD_MS);
            return;
        }

        if (this.#mode === "tap" && this.#fingers.size === 2) {
            this.#mode = "wheel";
            return;
        }

        this.#stop();
    }

    move(id, x, y) {
        const finger = this.#fingers.get(id);

        if (finger === undefined) {
            return;
        }

        if (this.#mode === "wheel") {
            /* half of it each: both fingers tell */
            this.#input.wheel((finger.x - x) / 2, (finger.y - y) / 2, 0,
                              this.#start.x, this.#start.y);
        }

        finger.x = x;
        finger.y = y;

        if (this.#mode === "tap"
            && Math.hypot(x - this.#start.x, y - this.#start.y) > STILL_PX)
        {
            this.#forgetHold();
            this.#mode = "drag";
            this.#input.buttonDown(0, this.#start.x, this.#start.y);
        }

        if (this.#mode === "drag") {
            this.#input.move(x, y);
        }
    }

    up(id, x, y) {
        if (!this.#fingers.delete(id)) {
            return;
        }

        this.#forgetHold();

        if (this.#mode === "tap") {
            this.#click(0);

        } else if (this.#mode === "drag") {
            this.#input.buttonUp(0, x, y);
        }

        this.#mode = this.#fingers.size === 0 ? "idle" : "done";
    }

    /** The browser took the fingers away, or the picture is gone. */
    cancel() {
        this.#fingers.clear();
        this.#stop();
        this.#mode = "idle";
    }

    #held() {
        this.#hold = null;
        this.#mode = "done";
        this.#click(2);
    }

    #click(button) {
        const {x, y} = this.#start;

        this.#input.move(x, y);
        this.#input.buttonDown(button, x, y);
        this.#input.buttonUp(button, x, y);
    }

    #stop() {
        this.#forgetHold();

        if (this.#mode === "drag") {
            this.#input.release();
        }

        this.#mode = "done";
    }

    #forgetHold() {
        this.#clock.clearTimeout(this.#hold);
        this.#hold = null;
    }
}
