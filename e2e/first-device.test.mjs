
/*
 * Copyright (C) rs-gateway contributors
 *
 * The first minutes of a console: a link that rsctl prints signs it in, once;
 * it knows no device and leads to the first one, which is there as soon as
 * the line was run on a computer.  Leaves screenshots in build/screens/.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { Browser, connected, screenshot, shows } from "./lib/browser.mjs";
import { Stack, TOP } from "./lib/stack.mjs";
import { SPOTS, TestWindow } from "./lib/testwin.mjs";
import { until } from "./lib/wait.mjs";


const run = promisify(execFile);
const AGENT = join(TOP, "build", "agent", "rs-agent");
const LINE = new RegExp(
    "^\\{ command -v rs-agent >/dev/null \\|\\| sudo apt-get install -y "
    + "rs-agent; \\} && sudo rs-agent --adopt ([A-Z0-9]{5}-[A-Z0-9]{5}) "
    + "(https:\\S+)$");

let stack, window, browser, agent, conf;


before(async () => {
    stack = await Stack.up(["--desktop", "--apps"]);
    window = await TestWindow.open(stack.state.desktop);
    browser = await Browser.start(stack);

    conf = join(stack.dir, "rsctl.conf");
    await writeFile(conf, `[gateway]
url = ${stack.state.base}
[redis]
url = unix:${stack.state.redis.socket}
password_file = ${stack.state.redis.users["rs-deploy"]}
`);
    await writeFile(join(stack.dir, "agent.conf"), `[agent]
ca_file=${stack.state.ca}
state_dir=${join(stack.dir, "agent-state")}
name=reception
consent=none
`);
}, {timeout: 120000});


after(async () => {
    if (agent) {
        const over = new Promise((done) => agent.once("exit", done));

        agent.kill();
        await over;
    }

    await browser?.close();
    await window?.close();
    await stack?.down();
}, {timeout: 60000});


async function link(...options) {
    const {stdout} = await run(join(TOP, "tools", "rsctl"),
                               ["--config", conf, "login-link", ...options]);

    return stdout.trim();
}


/* what the line does on a computer */
function agentRuns(args, options = {}) {
    const {display, xauthority} = stack.state.desktop;

    return [AGENT, ["--config", join(stack.dir, "agent.conf"), ...args],
            {...options, env: {...process.env, DISPLAY: display,
                               XAUTHORITY: xauthority, no_proxy: "*"}}];
}


test("a link signs in, once, and leaves no secret anywhere", {timeout: 60000},
     async () => {

    const url = await link("--name", "Ada");
    const page = await browser.page();
    const token = url.split("#login=")[1];
    const sent = [];

    page.on("request", (r) => sent.push(r.url()));
    await page.goto(url);
    await page.waitForSelector("#devices-empty:not([hidden])");
    assert.equal(await page.textContent("#account-name"), "link: Ada");
    assert.equal(new URL(page.url()).hash, "");
    assert.ok(sent.length > 10);
    assert.deepEqual(sent.filter((u) => u.includes(token)), []);
    assert.deepEqual(await page.evaluate(() => [
        localStorage.length, sessionStorage.length, document.cookie]),
        [0, 0, ""]);

    const again = await browser.page();

    await again.goto(url);
    await again.waitForSelector("#signin-error:not([hidden])");
    assert.match(await again.textContent("#signin-error"), /not valid/);
    await again.context().close();
    await page.context().close();
});


test("who may not add devices is told so", {timeout: 60000}, async () => {
    const page = await browser.page();

    await page.goto(await link("--scopes", "devices:read"));
    await page.waitForSelector("#devices-empty:not([hidden])");
    assert.match(await page.textContent("#devices-empty"), /administrator/);
    assert.equal(await page.isVisible("#devices-first"), false);
    assert.equal(await page.isVisible("#add-open"), false);
    await page.context().close();
});


test("an empty console leads to the first device, and to its picture",
     {timeout: 120000}, async () => {

    const page = await browser.page({viewport: {width: 1280, height: 800}});

    await page.goto(await link());
    await page.waitForSelector("#devices-first:not([hidden])");
    await screenshot(page, "first-empty");
    await page.click("#devices-first");

    const [, code, base] = LINE.exec(await until("the line", async () => {
        const line = await page.inputValue("#add-line");

        return line !== "" && line;
    }));

    assert.equal(base, stack.state.base);
    assert.match(await page.textContent("#add-state"),
                 /^Waiting for the computer.* \d\d:\d\d\.$/);
    await screenshot(page, "first-line");

    await run(...agentRuns(["--adopt", code, base]));
    await until("it is in the dialog", async () =>
        /^reception is enrolled/.test(await page.textContent("#add-state")));
    assert.equal(await page.isVisible("#add-connect"), false);

    agent = spawn(...agentRuns(["run"], {stdio: "ignore"}));
    await page.waitForSelector("#add-connect:not([hidden])");
    assert.equal(await page.textContent("#add-state"), "reception is online.");
    await screenshot(page, "first-online");

    await page.click("#add-connect");
    await connected(page);
    await shows(page, SPOTS.red.look, SPOTS.red.color);
    await page.click("#stage-leave");

    /* the next one */
    await page.waitForSelector("#add-open:not([hidden])");
    assert.equal(await page.isVisible("#devices-first"), false);
    await page.click("#add-open");
    await page.waitForSelector("#add[open]");
    await until("another line", async () =>
        LINE.test(await page.inputValue("#add-line")));
    assert.equal(await page.isVisible("#add-connect"), false);

    const open = async () => (await stack.api.enrollments()).items.filter(
        (e) => e.uses < e.max_uses).length;

    assert.equal(await open(), 1);
    await page.click("#add menu button:first-child");
    await until("a code nobody used is void", async () => await open() === 0);
    await page.context().close();
});
