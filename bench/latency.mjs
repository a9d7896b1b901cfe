
/*
 * Copyright (C) rs-gateway contributors
 *
 * How long it takes from a press in the console to the pixel it changes, on
 * loopback: a stack of its own with an agent, the test window, Chromium.
 *
 *     util/with-netns node bench/latency.mjs [ROUNDS]
 *
 * After `make all` and `npm ci` in e2e/.
 */

import { Browser, connected } from "../e2e/lib/browser.mjs";
import { latencies } from "../e2e/lib/latency.mjs";
import { Stack } from "../e2e/lib/stack.mjs";
import { SPOTS, TestWindow } from "../e2e/lib/testwin.mjs";


const ROUNDS = Number(process.argv[2] ?? 50);

if (!(Number.isInteger(ROUNDS) && ROUNDS >= 1 && ROUNDS <= 10000)) {
    process.stderr.write("usage: latency.mjs [ROUNDS]\n");
    process.exit(2);
}

const stack = await Stack.up(["--agent"]);
let window, browser;

try {
    window = await TestWindow.open(stack.state.desktop);
    browser = await Browser.start(stack);

    const {links} = await stack.session(["controller"]);
    const page = await browser.page();

    await page.goto(links[0]);
    await connected(page);
    await page.waitForSelector('#stage[data-control="true"]');

    const ms = await latencies(page, SPOTS.green, ROUNDS);
    const at = (p) => Math.round(ms[Math.min(ms.length - 1,
                                             Math.floor(ms.length * p))]);

    process.stdout.write(`press to pixel, ${ROUNDS} rounds: least ${
        Math.round(ms[0])} ms, median ${at(0.5)} ms, 95 % ${
        at(0.95)} ms, most ${at(1)} ms\n`);

} finally {
    await browser?.close();
    await window?.close();
    await stack.down();
}
