
/*
 * Copyright (C) rs-gateway contributors
 *
 * A network that swallows everything: an agent and a Chromium with a session
 * whose sockets all end at one node, whose side towards them is cut.  Prints,
 * as JSON, after how many seconds each was there again, at the other node,
 * and what became of the picture.
 */

import { execFile } from "node:child_process";
import { createConnection } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

import { Browser, connected, frames } from "../e2e/lib/browser.mjs";
import { Stack, TOP } from "../e2e/lib/stack.mjs";
import { until } from "../e2e/lib/wait.mjs";


const GIVE_UP_MS = 120000;

const run = promisify(execFile);

let stack, browser;


/* one command of haproxy's own */
function balancer(command) {
    return new Promise((resolve, reject) => {
        const socket = createConnection(stack.state.balancer.socket);

        socket.on("error", reject);
        socket.on("close", resolve);
        socket.resume();
        socket.end(command + "\n");
    });
}


/* all sockets go to node1, then node2 may have some again */
async function gather(page, session) {
    await balancer("set server nodes/node2 state maint");
    await balancer("shutdown sessions server nodes/node2");
    await back(page, session);
    await balancer("set server nodes/node2 state ready");
}


async function back(page, session) {
    await page.waitForSelector('#stage[data-socket="open"]');
    await until("everybody joined", async () => {
        const {participants} = await stack.api.session(session.id);

        return participants.every((p) => p.state === "joined");
    });
    await until("device online", async () =>
        (await stack.api.device(stack.device)).data.online);
}


function count(text, what) {
    return text.split(what).length - 1;
}


/* of each: how often it has come so far */
async function arrivals(page) {
    const log = await stack.agentLog();

    return {
        device: count(log, ": online as "),
        host: count(log, ": joined as host"),
        browser: await page.evaluate(
            () => document.getElementById("stage").dataset.socket === "open"
                  ? window.rsKept.sockets.length : 0),
    };
}


try {
    stack = await Stack.up(["--agent", "--nodes", "2", "--balancer",
                            "--netns"]);
    browser = await Browser.start(stack);

    const {session, links} = await stack.session(["controller"]);
    const page = await browser.page();

    /* Chromium starts over when it sees the namespaces' interfaces come */
    await until("page", async () => await page.goto(links[0]) !== null);
    await connected(page);
    await gather(page, session);

    const had = await arrivals(page);
    const shown = await frames(page);
    const from = Date.now();
    const seconds = {};

    await run(join(TOP, "util", "rs-stack"),
              ["cut", "--dir", stack.dir, "node1", "clients"]);

    await until("everybody back", async () => {
        const now = await arrivals(page);

        for (const who of Object.keys(had)) {
            if (now[who] > had[who]) {
                seconds[who] ??= (Date.now() - from) / 1000;
            }
        }

        return Object.keys(seconds).length === Object.keys(had).length;
    }, GIVE_UP_MS);

    await back(page, session);

    console.log(JSON.stringify({
        seconds,
        frames: (await frames(page) - shown) / ((Date.now() - from) / 1000),
        connections: await page.evaluate(
            () => window.rsKept.connections.map((c) => c.connectionState)),
    }));

} finally {
    await browser?.close();
    await stack?.down();
}
