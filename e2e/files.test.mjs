
/*
 * Copyright (C) rs-gateway contributors
 *
 * Files to the device and from it, each over a line that is replaced in the
 * middle; what policy forbids carries nothing; nothing outside the folder is
 * reached.  200 MB; 20 with E2E=short.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, open, readFile, readdir, rm, symlink, writeFile }
    from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Browser, connected } from "./lib/browser.mjs";
import { look } from "./lib/look.mjs";
import { FULL } from "./lib/size.mjs";
import { Stack } from "./lib/stack.mjs";
import { until } from "./lib/wait.mjs";


const SIZE = (FULL ? 200 : 20) * 1000 * 1000;
const TRANSFER_MS = 240000;


let dir, folder, stack, browser;


before(async () => {
    dir = await mkdtemp(join(tmpdir(), "rs-e2e-files-"));
    folder = join(dir, "exchange");
    await mkdir(folder);
    await writeFile(join(dir, "secret"), "secret");
    stack = await Stack.up(["--agent",
                            "--agent-conf", `files_dir=${folder}`]);
    browser = await Browser.start(stack);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await stack?.down();
    await rm(dir, {recursive: true, force: true});
}, {timeout: 60000});


async function sha(path) {
    const hash = createHash("sha256");

    for await (const bytes of createReadStream(path)) {
        hash.update(bytes);
    }

    return hash.digest("hex");
}


/* bytes that no place of the file shares with another one */
async function make(path, size) {
    const file = await open(path, "w");

    for (let at = 0; at < size; at += 1000000) {
        await file.write(randomBytes(Math.min(1000000, size - at)));
    }

    await file.close();

    return sha(path);
}


async function enter(role, policy = {}) {
    const {session, links} = await stack.session([role], {policy});
    const page = await browser.page();

    await page.goto(links[0]);
    await connected(page);
    page.session = session;

    return page;
}


async function withPanel(role, policy) {
    const page = await enter(role, policy);

    await page.click("#tool-files");
    await page.waitForSelector('#panel-files[data-open="true"]');

    return page;
}


async function leave(page) {
    assert.deepEqual(page.complaints, []);
    await page.context().close();
    await stack.api.endSession(page.session.id);
}


function row(name) {
    return `#files-under li[data-name="${name}"]`;
}


/* a new line as soon as a third of it is there */
function breakInTheMiddle(page, name) {
    return page.evaluate((selector) => new Promise((resolve) => {
        const look = setInterval(() => {
            const bar = document.querySelector(`${selector} progress`);

            if (bar !== null && bar.value > bar.max / 3) {
                clearInterval(look);
                dispatchEvent(new Event("online"));
                resolve(bar.value / bar.max);
            }
        }, 2);
    }), row(name));
}


async function done(page, name) {
    await page.waitForSelector(`${row(name)}[data-state="done"]`,
                               {timeout: TRANSFER_MS})
              .catch(async () => {
        throw new Error(`${name}: `
                        + await page.$eval(row(name), (li) => li.dataset.state
                                                       + li.innerText));
    });
}


async function lines(page) {
    return page.evaluate(() => window.rsKept.connections.length);
}


/* "goes on at N": where the agent took it up */
async function wentOn(pattern) {
    const log = await stack.agentLog();

    return Number(log.match(pattern)?.[1] ?? 0);
}


/* over the page's own channel, past what the panel would do; the answer */
function raw(page, message) {
    return page.evaluate((m) => new Promise((resolve) => {
        const ch = window.rsKept.channels.filter(
            (c) => c.label === "rs-files" && c.readyState === "open").at(-1);

        ch.addEventListener("message", (ev) => {
            const said = typeof ev.data === "string" ? JSON.parse(ev.data)
                                                     : {type: "bytes"};

            if (said.type === "bytes" || said.id === m.id) {
                resolve(said);
            }
        });
        ch.addEventListener("close", () => resolve({type: "close"}));
        ch.send(JSON.stringify(m));
    }), message);
}


test("to the device, over a line that is replaced in the middle",
     {timeout: 300000}, async (t) => {
    const page = await withPanel("controller");
    const path = join(dir, "up.bin");
    const hash = await make(path, SIZE);

    assert.match(await page.textContent("#files-where"), /“exchange”/);

    const from = Date.now();
    const broken = breakInTheMiddle(page, "up.bin");

    await page.setInputFiles("#files-choice", path);

    const part = await broken;

    assert.ok(part < 1, "it was not over yet");
    await done(page, "up.bin");
    t.diagnostic(`${SIZE / 1e6} MB in ${Date.now() - from} ms, broken at ${
        Math.round(part * 100)} %`);

    assert.ok(await lines(page) > 1, "there is another line");
    assert.equal(await sha(join(folder, "up.bin")), hash);
    assert.deepEqual(await readdir(folder), ["up.bin"]);

    const at = await wentOn(/"up\.bin" goes on at (\d+)/);

    assert.ok(at > SIZE / 4 && at < SIZE, `went on at ${at}`);
    await look(page, "files");
    await page.setViewportSize({width: 390, height: 844});
    await look(page, "files");
    await leave(page);
});


test("from the device, over a line that is replaced in the middle",
     {timeout: 300000}, async (t) => {
    const hash = await make(join(folder, "down.bin"), SIZE);
    const page = await withPanel("viewer");
    const from = Date.now();
    const broken = breakInTheMiddle(page, "down.bin");
    const saved = page.waitForEvent("download", {timeout: TRANSFER_MS});

    await page.click('#files-list li[data-name="down.bin"] button');

    const part = await broken;

    await done(page, "down.bin");
    t.diagnostic(`${SIZE / 1e6} MB in ${Date.now() - from} ms, broken at ${
        Math.round(part * 100)} %`);

    const download = await saved;

    assert.equal(download.suggestedFilename(), "down.bin");
    assert.equal(await sha(await download.path()), hash);
    assert.ok(await lines(page) > 1, "there is another line");

    const at = await wentOn(/"down\.bin" is sent from (\d+) on/);

    assert.ok(at > SIZE / 4 && at < SIZE, `went on at ${at}`);
    await rm(join(folder, "down.bin"));
    await leave(page);
});


test("several, dropped on the picture; nothing is overwritten; cancelled",
     {timeout: 120000}, async () => {
    const page = await withPanel("controller");

    await writeFile(join(folder, "note.txt"), "was here before");
    await page.evaluate(() => {
        const data = new DataTransfer();

        data.items.add(new File(["dropped"], "note.txt"));
        data.items.add(new File([], "empty.txt"));
        document.getElementById("screen").dispatchEvent(
            new DragEvent("drop", {dataTransfer: data, bubbles: true,
                                   cancelable: true}));
    });
    await done(page, "note.txt");
    await done(page, "empty.txt");
    assert.match(await page.textContent(`${row("note.txt")} .words`),
                 /note \(1\)\.txt/);
    assert.equal(await readFile(join(folder, "note.txt"), "utf8"),
                 "was here before");
    assert.equal(await readFile(join(folder, "note (1).txt"), "utf8"),
                 "dropped");
    assert.equal(await readFile(join(folder, "empty.txt"), "utf8"), "");

    /* the list has what came */
    await page.waitForSelector('#files-list li[data-name="note (1).txt"]');

    /* paused, a part is there; cancelled, it is not */
    await page.evaluate((selector) => {
        const look = setInterval(() => {
            const bar = document.querySelector(`${selector} progress`);

            if (bar !== null && bar.value > 0) {
                clearInterval(look);
                document.querySelector(`${selector} [data-act="pause"]`)
                        .click();
            }
        }, 2);
    }, row("up.bin"));
    await page.setInputFiles("#files-choice", join(dir, "up.bin"));
    await page.waitForSelector(`${row("up.bin")}[data-state="paused"]`);

    const parts = async () => (await readdir(folder)).filter(
        (name) => name.endsWith(".part"));

    await until("a part", async () => (await parts()).length === 1);
    await page.click(`${row("up.bin")} [data-act="resume"]`);
    await page.click(`${row("up.bin")} [data-act="cancel"]`);
    await page.waitForSelector(`${row("up.bin")}[data-state="cancelled"]`);
    await until("no part", async () => (await parts()).length === 0);
    await leave(page);
});


test("what is forbidden carries nothing", {timeout: 120000}, async () => {
    const before = (await readdir(folder)).sort();
    const put = {type: "put", id: 1000, name: "evil.txt", size: 5,
                 key: "00112233445566778899aabbccddeeff"};
    const get = {type: "get", id: 1001, name: "note.txt"};
    const list = {type: "list", id: 1002};

    /* by the policy of the session, then by the role */
    for (const [role, policy] of [["controller", {files: "from_device"}],
                                  ["viewer", {}]])
    {
        const page = await withPanel(role, policy);

        assert.ok(await page.isHidden(".files-up"));
        assert.ok(await page.isVisible(".files-down"));
        assert.equal((await raw(page, put)).code, "forbidden");
        assert.deepEqual((await readdir(folder)).sort(), before);
        await leave(page);
    }

    let page = await withPanel("controller", {files: "to_device"});

    assert.ok(await page.isVisible(".files-up"));
    assert.ok(await page.isHidden(".files-down"));
    assert.equal((await raw(page, get)).code, "forbidden");
    assert.equal((await raw(page, list)).code, "forbidden");
    await leave(page);

    /* nothing at all: there is no such thing as files */
    page = await enter("controller", {files: "none"});
    await page.waitForSelector('#stage[data-control="true"]');
    assert.ok(await page.isHidden("#tool-files"));
    await page.evaluate((m) => {
        const ch = window.rsKept.channels.filter(
            (c) => c.label === "rs-files").at(-1);

        window.rsHeard = [];
        ch.addEventListener("message", (ev) => window.rsHeard.push(ev.data));
        ch.send(JSON.stringify(m));
    }, put);

    /* a key that arrives after it on the same connection */
    await page.evaluate(() => new Promise((resolve) => {
        const ch = window.rsKept.channels.filter(
            (c) => c.label === "rs-input").at(-1);

        ch.addEventListener("message", (ev) => {
            if (JSON.parse(ev.data).n === 424242) {
                resolve();
            }
        });
        ch.send(JSON.stringify({type: "ping", n: 424242}));
    }));
    assert.deepEqual(await page.evaluate(() => window.rsHeard), []);
    assert.deepEqual((await readdir(folder)).sort(), before);
    await leave(page);
});


test("nothing outside the folder", {timeout: 120000}, async () => {
    const page = await withPanel("controller");

    await symlink("../secret", join(folder, "link"));
    assert.equal((await raw(page, {type: "get", id: 1000, name: "link"}))
                 .code, "not_found");

    const {files} = await raw(page, {type: "list", id: 1001});

    assert.ok(files.length > 0 && files.every((f) => f.name !== "link"));

    /* a path ends the channel, in both directions */
    assert.equal((await raw(page, {type: "get", id: 1002,
                                   name: "../secret"})).type, "close");
    await until("closed", async () =>
        (await stack.agentLog()).includes('a file\'s name without a path'));
    await leave(page);

    const other = await withPanel("controller");

    assert.equal((await raw(other, {type: "put", id: 1000, size: 5,
                                    name: "../evil",
                                    key: "00112233445566778899aabbccddeeff"}))
                 .type, "close");
    assert.deepEqual((await readdir(dir)).sort(),
                     ["exchange", "secret", "up.bin"]);
    assert.equal(await readFile(join(dir, "secret"), "utf8"), "secret");
    await leave(other);
});
