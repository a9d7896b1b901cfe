
/*
 * Copyright (C) rs-gateway contributors
 *
 * Every page of the console as people see it: at 1440 and at 390 pixels,
 * light and dark, with something to show, without, and while it loads.
 * Nothing reaches over the edge, axe-core finds nothing serious, and the
 * list of ten thousand devices is as quick as one of ten.  Leaves
 * screenshots in build/screens/.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

import { Browser, connected, screenshot } from "./lib/browser.mjs";
import { DevicePage } from "./lib/device.mjs";
import { Stack } from "./lib/stack.mjs";
import { until } from "./lib/wait.mjs";


const DESK = {width: 1440, height: 900};
const PHONE = {width: 390, height: 844};

/* each width and each scheme once: colours do not depend on the width */
const LOOKS = [{viewport: DESK, colorScheme: "light"},
               {viewport: PHONE, colorScheme: "dark"}];
const MANY = 10000;
const QUICK_MS = 1000;      /* ten times what is promised */

const OFFICE = [
    ["Reception PC", "Debian 12", ["berlin", "front"], true],
    ["Till 1", "Debian 12", ["shop", "till"], true],
    ["Till 2", "Debian 12", ["shop", "till"], false],
    ["Till 10", "Debian 12", ["shop", "till"], true],
    ["Meeting room, 3rd floor, the one with the large screen and the plant",
     "Ubuntu 24.04 LTS (Noble Numbat)", ["hamburg", "screens", "third floor"],
     true],
    ["Warehouse scanner 4", "Raspberry Pi OS", ["warehouse"], false],
    ["Ada's workstation", "Fedora 42", ["berlin"], true],
    ["Signage, entrance", "Debian 13", ["screens"], true],
    ["Lab bench", "Debian 12", [], false],
    ["Bookkeeping", "Ubuntu 24.04 LTS", ["berlin"], false],
];

let stack, browser, devices, axe;


before(async () => {
    const axePath = createRequire(import.meta.url).resolve("axe-core");

    axe = await readFile(axePath, "utf8");
    stack = await Stack.up(["--agent"]);
    browser = await Browser.start(stack);
    devices = await DevicePage.open(browser, stack);
}, {timeout: 120000});


after(async () => {
    await devices?.close();
    await browser?.close();
    await stack?.down();
}, {timeout: 60000});


async function signIn(page) {
    await page.goto(stack.url + "console/");
    await page.fill("#key", stack.key);
    await page.click("#signin-go");
    await page.waitForSelector("#devices:not([hidden])");
}


async function goTo(page, name) {
    await page.click(`[data-page="${name}"]`);
    await page.waitForSelector(`#${name}:not([hidden])`);
}


/* the page that is shown, asked for once more, is read anew */
async function again(page) {
    await goTo(page, "devices");
    await page.click('[data-page="devices"]');
}


/* what is seen fits, can be used by everybody, and is kept as a picture */
async function look(page, name) {
    const {width} = page.viewportSize();
    const [content, view] = await page.evaluate(() => [
        document.documentElement.scrollWidth, innerWidth]);

    await page.evaluate(() => Promise.all(document.getAnimations()
        .filter((a) => a.effect.getComputedTiming().iterations === 1)
        .map((a) => a.finished)));
    await screenshot(page, `${name}-${width}`);
    assert.ok(content <= view, `${name}: ${content} pixels wide in ${view}`);

    await page.evaluate(axe);

    const found = await page.evaluate(async () => {
        const {violations} = await window.axe.run(document);

        return violations.filter((v) => v.impact === "serious"
                                        || v.impact === "critical")
                         .map((v) => [v.id, v.nodes.map((n) => [
                             n.html.slice(0, 120),
                             n.any[0]?.message].join(" "))]);
    });

    assert.deepEqual(found, [], `${name} at ${width}`);
}


const row = (id) => `.device[data-device="${id}"]`;


/* a fleet that is there for the browser only: the gateway's part is told by
 * tests of its own */
function fleet(n) {
    return Array.from({length: n}, (_, i) => ({
        id: "dev_" + i.toString(32).padStart(26, "0"),
        name: `Workstation ${String(i).padStart(5, "0")}`,
        tags: [`floor ${i % 40}`, i % 7 === 0 ? "laptop" : "desk"],
        group_id: null, meta: {os: i % 2 ? "Debian 12" : "Ubuntu 24.04"},
        online: i % 3 !== 0, created_at: 1790000000,
        connected_at: 1790000000, last_seen_at: 1790000000,
        agent: {name: "rs-agent", version: "0.1.0"}, public_key: "",
        key_history: [],
    }));
}


async function serve(page, all) {
    await page.route(/\/rs\/v1\/devices\?/, (route) => {
        const query = new URL(route.request().url()).searchParams;
        const from = Number(query.get("cursor") ?? 0);
        const to = from + Number(query.get("limit"));

        return route.fulfill({json: {
            items: all.slice(from, to),
            next_cursor: to < all.length ? String(to) : null}});
    });
}


test("before somebody is signed in", {timeout: 120000}, async () => {
    for (const o of LOOKS) {
        const page = await browser.page(o);

        await page.goto(stack.url + "console/");
        await page.waitForSelector("#signin:not([hidden])");
        await look(page, "page-signin");
        await page.goto(stack.url + "console/#guest=rsl_default_"
                        + "a".repeat(100));
        await page.waitForSelector("#guest:not([hidden])");
        await look(page, "page-guest");
        assert.deepEqual(page.complaints, []);
        await page.context().close();
    }
});


test("an empty tenant, a list on its way, a gateway that fails",
     {timeout: 120000}, async () => {
    for (const o of LOOKS) {
        const page = await browser.page(o);
        let answer = null;

        await page.route(/\/rs\/v1\/devices\?/,
                         (route) => (answer === null
                                     ? new Promise(() => {})
                                     : route.fulfill(answer)));
        await signIn(page);
        await page.waitForSelector("#devices-loading:not([hidden])");
        assert.match(await page.textContent("#devices-count"), /Loading/);
        await look(page, "page-devices-loading");

        answer = {json: {items: [], next_cursor: null}};
        await again(page);
        await page.waitForSelector("#devices-empty:not([hidden])");
        await look(page, "page-devices-empty");

        answer = {status: 503, contentType: "application/problem+json",
                  headers: {"Retry-After": "1"},
                  body: JSON.stringify({code: "unavailable"})};
        await again(page);
        await page.waitForSelector("#devices-error:not([hidden])");
        await look(page, "page-devices-error");

        await page.route(/\/rs\/v1\/sessions\?/, (route) => route.fulfill(
            {json: {items: [], next_cursor: null}}));
        await goTo(page, "history");
        await page.waitForSelector("#history .empty:not([hidden])");
        await look(page, "page-history-empty");
        await page.context().close();
    }
});


test("every page, with something to show", {timeout: 240000}, async () => {
    const ids = [];

    for (const [name, os, tags, online] of OFFICE) {
        ids.push(await devices.enroll(
            {name, meta: {os}, online, agent: {name: "rs-agent",
                                               version: "0.1.0"}}, tags));
    }

    /* sessions that ended, well and badly, and one that runs */
    await devices.set(ids[3], {reject: {reason: "consent_denied"}});

    for (const id of [ids[0], ids[3], ids[6]]) {
        await stack.api.createSession({
            host: {type: "device", device_id: id}, reason: "Printer jams",
            participants: [{role: "controller", name: "Ada Lovelace"}]});
    }

    await until("a refusal", async () => (await stack.api.sessions({}))
        .items.some((s) => s.end_reason === "consent_denied"));
    await stack.api.endSession((await stack.api.sessions({})).items.find(
        (s) => s.host.device_id === ids[6]).id);

    for (const o of LOOKS) {
        const page = await browser.page(o);

        await round(page, ids);
        assert.deepEqual(page.complaints, []);
        await page.context().close();
    }
});


async function round(page, ids) {
    await signIn(page);
    await page.waitForSelector(row(stack.device));
    await page.waitForSelector(row(ids[0]) + '[data-online="true"]');
    assert.match(await page.textContent("#devices-count"), /7 of 11 online/);
    await look(page, "page-devices");

    await page.click(row(ids[6]) + " .name");
    await page.waitForSelector("#device[open] .lines li");
    await look(page, "page-device");
    await page.keyboard.press("Escape");

    await page.fill("#search", "nothing like this");
    await page.waitForSelector("#devices-empty:not([hidden])");
    await look(page, "page-devices-none");
    await page.click("#devices-clear");

    await goTo(page, "history");
    await page.waitForSelector('.record[data-state="ended"]');
    await page.click('.record[data-state="ended"] summary');
    await look(page, "page-history");

    await goTo(page, "audit");
    await page.waitForSelector("#audit-list .record");
    await look(page, "page-audit");

    await goTo(page, "settings");
    await page.waitForSelector("#settings .facts dd");
    await look(page, "page-settings");

    await goTo(page, "devices");
    await page.click(row(stack.device) + " .connect");
    await connected(page);
    await page.waitForSelector('#path[data-kind="direct"]');
    await look(page, "page-session");
    await page.click("#path summary");
    await look(page, "page-session-path");
    await page.keyboard.press("Escape");
    await page.click("#tool-people");
    await page.waitForSelector("#side:not([hidden])");
    await look(page, "page-session-panel");
    await page.keyboard.press("Escape");
    await page.waitForSelector("#side", {state: "hidden"});
    assert.equal(await page.evaluate(() => document.activeElement.id),
                 "tool-people", "the focus is back at the button");
    await page.click("#stage-leave");
    await page.waitForSelector("#devices:not([hidden])");
}


test("a device is renamed, tagged and removed", {timeout: 120000},
     async () => {
    const id = await devices.enroll({name: "Misnamed"}, ["old"]);
    const page = await browser.page({viewport: DESK});

    await signIn(page);
    await page.click(row(id) + " .name");
    await page.fill("#device-name", "Named <b>well</b>");
    await page.fill("#device-tags", "new, new ,  other");
    await page.click('#device button[type="submit"]');
    await until("the new name in the list", async () =>
        await page.textContent(row(id) + " .name") === "Named <b>well</b>");

    const {data} = await stack.api.device(id);

    assert.equal(data.name, "Named <b>well</b>");
    assert.deepEqual(data.tags, ["new", "other"]);

    await page.click("text=Remove this device…");
    await page.click("text=Remove it for good");
    await until("the row's end", async () =>
        await page.$(row(id)) === null);
    await assert.rejects(stack.api.device(id), {code: "not_found"});
    await page.context().close();
});


test("pages by address, by keyboard, and what is preferred",
     {timeout: 120000}, async () => {
    const page = await browser.page({viewport: DESK, colorScheme: "light"});
    const ground = () => page.evaluate(
        () => getComputedStyle(document.body).backgroundColor);

    await page.goto(stack.url + "console/#/settings");
    await page.fill("#key", stack.key);
    await page.keyboard.press("Enter");
    await page.waitForSelector("#settings:not([hidden])");
    assert.match(await page.title(), /^Settings/);

    const light = await ground();

    await page.check('input[name="set-theme"][value="dark"]',
                     {force: true});
    assert.notEqual(await ground(), light);

    /* "/" searches, and the browser's own way back works */
    await goTo(page, "devices");
    await page.keyboard.press("/");
    await page.keyboard.type("none of them");
    await page.waitForSelector("#devices-empty:not([hidden])");
    await page.goBack();
    await page.waitForSelector("#settings:not([hidden])");

    /* kept, and no secret with it */
    assert.deepEqual(await page.evaluate(() => Object.entries(localStorage)),
                     [["rs-prefs", '{"theme":"dark"}']]);
    await page.reload();
    assert.notEqual(await ground(), light);
    assert.deepEqual(page.complaints, []);
    await page.context().close();
});


test("presence is told as it changes, and looked up when it is not",
     {timeout: 120000}, async () => {
    const page = await browser.page({viewport: DESK});
    const live = (is) => page.waitForSelector(
        `#devices-live[data-live="${is}"]`);
    const hangUp = (id) => devices.page.evaluate(
        (id) => window.rsDevices.get(id).socket.close(), id);
    let lists = 0;

    page.on("request", (r) => {
        lists += /\/devices\?/.test(r.url()) ? 1 : 0;
    });

    await signIn(page);
    await live(true);
    await page.waitForSelector(row(stack.device));

    const before = lists;
    const one = await devices.enroll({name: "Live one", online: true}, []);

    await page.waitForSelector(row(one) + '[data-online="true"]');
    await hangUp(one);
    await page.waitForSelector(row(one) + '[data-online="false"]');
    assert.equal(lists, before, "by no list");

    /* the socket goes, and cannot come back: lists are read */
    await page.route("**/watch", (route) => route.abort());

    for (const pid of await stack.workers()) {
        process.kill(pid, "SIGKILL");
    }

    await live(false);

    const two = await devices.enroll({name: "Polled one"}, []);

    await page.waitForSelector(row(two));
    assert.ok(lists > before);

    /* and it does come back */
    await page.unroute("**/watch");
    await live(true);
    await stack.api.deleteDevice(two);
    await until("the row's end", async () =>
        await page.$(row(two)) === null);
    await page.context().close();
});


test("ten thousand devices: scrolling, searching, changes",
     {timeout: 180000}, async () => {
    const all = fleet(MANY);
    const page = await browser.page({viewport: DESK});

    await serve(page, all);

    const began = Date.now();

    await signIn(page);
    await page.waitForFunction(() => /6,666 of 10,000 online/.test(
        document.getElementById("devices-count").textContent));
    console.log(`# 10,000 devices in the list: ${Date.now() - began} ms`);
    await look(page, "page-devices-many");

    /* few of them are in the page, wherever it is scrolled to */
    const rows = () => page.$$eval(".device", (all) => all.length);

    assert.ok(await rows() < 60, `${await rows()} rows`);

    const search = await timed(page, (text) => {
        const field = document.getElementById("search");

        field.value = text;
        field.dispatchEvent(new Event("input"));
    }, "workstation 04242");

    assert.equal(await page.textContent("#devices-count"),
                 "1 of 10,000 shown");
    await page.fill("#search", "");

    const scroll = await timed(page, () => {
        document.scrollingElement.scrollTop = 1e9;
    });

    await page.waitForSelector(row(all.at(-1).id));
    assert.ok(await rows() < 60);

    console.log(`# a search ${search} ms, a jump to the end ${scroll} ms`);
    assert.ok(search < QUICK_MS, `a search takes ${search} ms`);
    assert.ok(scroll < QUICK_MS, `a jump takes ${scroll} ms`);

    /* by keyboard: the row with the focus stays, and the next one comes */
    await page.focus(row(all.at(-1).id) + " .name");
    await page.evaluate(() => {
        document.scrollingElement.scrollTop = 0;
    });
    await page.waitForSelector(row(all[0].id));
    assert.equal(await page.evaluate(
        () => document.activeElement.textContent), all.at(-1).name);
    await page.focus(row(all[0].id) + " .name");

    for (let i = 0; i < 60; i++) {
        await page.keyboard.press("Tab");
    }

    assert.match(await page.evaluate(
        () => document.activeElement.closest(".device").dataset.device),
        /^dev_/);
    assert.deepEqual(page.complaints, []);
    await page.context().close();
});


/* how long until what f changes is painted */
async function timed(page, f, arg) {
    const from = await page.evaluate(() => performance.now());

    await page.evaluate(f, arg);

    return page.evaluate((from) => new Promise((resolve) => {
        requestAnimationFrame(() => requestAnimationFrame(
            () => resolve(Math.round(performance.now() - from))));
    }), from);
}
