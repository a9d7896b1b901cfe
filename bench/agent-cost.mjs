
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a shared desktop costs its host: memory and processor of rs-agent at
 * rest, with a desktop that stands still, with one that moves, with two
 * viewers.  Prints JSON: for each state its own KiB, and hundredths of a
 * core.
 *
 *     util/with-netns node bench/agent-cost.mjs [SECONDS]
 *
 * After `make all` and `npm ci` in e2e/.
 */

import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

import { Browser, connected } from "../e2e/lib/browser.mjs";
import { Stack } from "../e2e/lib/stack.mjs";
import { TestWindow } from "../e2e/lib/testwin.mjs";


const SECONDS = Number(process.argv[2] ?? 10);
const TICKS = 100;              /* USER_HZ */

if (!(Number.isInteger(SECONDS) && SECONDS >= 1 && SECONDS <= 600)) {
    process.stderr.write("usage: agent-cost.mjs [SECONDS]\n");
    process.exit(2);
}


async function ticks(pid) {
    const text = await readFile(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");

    return Number(fields[11]) + Number(fields[12]);
}


async function memory(pid) {
    const text = await readFile(`/proc/${pid}/status`, "utf8");

    return Number(/^RssAnon:\s+(\d+)/m.exec(text)[1]);
}


async function cost(pid) {
    const before = await ticks(pid);

    await pause(SECONDS * 1000);

    return {kib: await memory(pid),
            cpu: Math.round((await ticks(pid) - before) / TICKS
                            / SECONDS * 100)};
}


const stack = await Stack.up(["--agent"]);
let window, browser;

try {
    const pid = stack.state.processes.find((p) => p.name === "agent").pid;
    const result = {rest: await cost(pid)};

    window = await TestWindow.open(stack.state.desktop);
    browser = await Browser.start(stack);

    const {links} = await stack.session(["controller", "viewer"]);
    const pages = [];

    const watch = async (link) => {
        const page = await browser.page();

        await page.goto(link);
        await connected(page);
        pages.push(page);
    };

    await watch(links[0]);
    result.still = await cost(pid);
    window.order("film");
    result.moving = await cost(pid);
    await watch(links[1]);
    result.moving_two = await cost(pid);

    process.stdout.write(`${JSON.stringify(result)}\n`);

} finally {
    await browser?.close();
    await window?.close();
    await stack.down();
}
