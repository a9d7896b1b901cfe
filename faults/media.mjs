
/*
 * Copyright (C) rs-gateway contributors
 *
 * A picture that goes on: an agent, a Chromium, and Redis stopped for some
 * seconds.  Prints what became of the frames and of the sockets, as JSON.
 *
 *   media.mjs SECONDS
 */

import { Browser, connected } from "../e2e/lib/browser.mjs";
import { Stack } from "../e2e/lib/stack.mjs";
import { until } from "../e2e/lib/wait.mjs";


const seconds = Number(process.argv[2]);


/* in the page: when each frame was shown */
function watch() {
    const video = document.querySelector("#screen");

    window.rsFrames = [];

    const shown = () => {
        window.rsFrames.push(performance.now());
        video.requestVideoFrameCallback(shown);
    };

    video.requestVideoFrameCallback(shown);
}


/* frames of the next so many seconds: how many, and the longest pause */
async function frames(page, ms) {
    return page.evaluate(async (time) => {
        const from = performance.now();

        await new Promise((resolve) => setTimeout(resolve, time));

        const to = performance.now();
        const at = window.rsFrames.filter((t) => t >= from);
        let pause = 0;

        [...at, to].reduce((last, t) => {
            pause = Math.max(pause, t - last);
            return t;
        }, from);

        return {count: at.length, pause_ms: Math.round(pause)};
    }, ms);
}


/* the status of health/ready */
async function ready(api) {
    try {
        return (await api.request("GET", "/health/ready")).status;

    } catch (e) {
        return e.status ?? String(e);
    }
}


let stack, browser;

try {
    stack = await Stack.up(["--agent", "--apps"]);
    browser = await Browser.start(stack);

    const {links} = await stack.session(["controller"]);
    const page = await browser.page();

    await page.goto(links[0]);
    await connected(page);
    await page.evaluate(watch);
    await until("frames", () => page.evaluate(() => window.rsFrames.length
                                                    > 10));

    const result = {before: await frames(page, 3000)};
    const redis = stack.state.redis.pid;

    process.kill(redis, "SIGSTOP");

    try {
        result.during = await frames(page, seconds * 1000);

        result.ready = await ready(stack.api);

    } finally {
        process.kill(redis, "SIGCONT");
    }

    result.after = await frames(page, 3000);
    result.closed = await page.evaluate(() => window.rsKept.sockets.filter(
        (s) => s.code !== null).length);
    result.connections = await page.evaluate(
        () => window.rsKept.connections.map((c) => c.connectionState));

    console.log(JSON.stringify(result));

} finally {
    await browser?.close();
    await stack?.down();
}
