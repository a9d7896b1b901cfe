
/*
 * Copyright (C) rs-gateway contributors
 *
 * Waiting for a state with a deadline, the only way these tests wait.  Time in
 * which somebody waited for a processor does not count, as in t/lib/RS/Util.pm:
 * nine times the deadline at most.
 */

import { readFileSync } from "node:fs";


const STEP_MS = 50;
const PATIENCE = 10;

export const DEADLINE_MS = 30000;


/** How long somebody has waited for a processor so far, on this machine. */
function pressureMs() {
    try {
        const some = /^some .*total=(\d+)/.exec(
            readFileSync("/proc/pressure/cpu", "latin1"));

        return some === null ? NaN : Number(some[1]) / 1000;

    } catch {
        return NaN;
    }
}


/** @returns {() => boolean} whether ms are over; asked while time goes on */
function deadline(ms) {
    const start = Date.now();
    const before = pressureMs();

    return () => {
        const waited = pressureMs() - before;
        const most = ms * PATIENCE;

        return Date.now() - start
               > (Number.isNaN(waited) ? most : Math.min(ms + waited, most));
    };
}


/**
 * Asks f until it gives something truthy, and gives that.
 *
 * @param {string} what      for the message when it does not happen
 * @param {() => any} f      may be async; what it throws is "not yet"
 * @param {number} [ms]
 */
export async function until(what, f, ms = DEADLINE_MS) {
    const over = deadline(ms);
    let last = null;

    for (;;) {
        try {
            const value = await f();

            if (value) {
                return value;
            }

            last = null;

        } catch (e) {
            last = e;
        }

        if (over()) {
            throw new Error(`within ${ms} ms: no ${what}`
                            + (last === null ? "" : ` (${last.message})`));
        }

        await new Promise((resolve) => setTimeout(resolve, STEP_MS));
    }
}
