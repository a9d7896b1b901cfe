
/*
 * Copyright (C) rs-gateway contributors
 *
 * Waiting for a state with a deadline, the only way these tests wait.
 */

const STEP_MS = 50;

export const DEADLINE_MS = 30000;


/**
 * Asks f until it gives something truthy, and gives that.
 *
 * @param {string} what      for the message when it does not happen
 * @param {() => any} f      may be async; what it throws is "not yet"
 * @param {number} [ms]
 */
export async function until(what, f, ms = DEADLINE_MS) {
    const end = Date.now() + ms;
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

        if (Date.now() > end) {
            throw new Error(`within ${ms} ms: no ${what}`
                            + (last === null ? "" : ` (${last.message})`));
        }

        await new Promise((resolve) => setTimeout(resolve, STEP_MS));
    }
}
