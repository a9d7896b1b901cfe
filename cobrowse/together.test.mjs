
/*
 * Copyright (C) rs-gateway contributors
 *
 * "Browse together" as people use it: from the form to the address row, the
 * place in line, the link for a visitor, who may use the row, what is told of
 * a page that was refused and a browser that failed; and that it is said
 * when there is no renderer.  The renderer is played, so that it does what
 * the test wants; the real one is in browse.test.mjs.  Leaves screenshots in
 * build/screens/.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";

import { Browser, connected } from "../e2e/lib/browser.mjs";
import { DevicePage } from "../e2e/lib/device.mjs";
import { look } from "../e2e/lib/look.mjs";
import { Stack } from "../e2e/lib/stack.mjs";
import { until } from "../e2e/lib/wait.mjs";


const PAGE = {url: "https://www.example.com/", title: "Example",
              loading: false, back: false, forward: false, documents: true,
              downloads: false, max_document: 50000000};
const LOAD = {capacity: 2, used: 0, queued: 0, queue: 4};
const DESK = {width: 1440, height: 900};
const PHONE = {width: 390, height: 844};

let stack, browser, devices;


before(async () => {
    stack = await Stack.up([]);
    browser = await Browser.start(stack);
    devices = await DevicePage.open(browser, stack);
}, {timeout: 120000});


after(async () => {
    await devices?.close();
    await browser?.close();
    await stack?.down();
}, {timeout: 60000});


/* somebody who is signed in, at the form */
async function form(o = {viewport: DESK}) {
    const page = await browser.page(o);

    await page.goto(stack.url + "console/#/together");
    await page.fill("#key", stack.key);
    await page.click("#signin-go");
    await page.waitForSelector("#together:not([hidden])");

    return page;
}


async function renderer(more = {}) {
    return devices.enroll({name: "render-1", online: true, load: LOAD,
                           page: PAGE, ...more}, [], "renderer");
}


async function leave(page) {
    assert.deepEqual(page.complaints, []);
    await page.context().close();
}


test("no renderer: the page and the session say so", {timeout: 60000},
     async () => {
    const page = await form();

    await page.waitForSelector("text=No browser service is online");
    await page.click("#together-go");
    await until("why", async () => /No browser service is online/.test(
        await page.textContent("#overlay-title")));
    await leave(page);
});


test("the form: what is wrong is said before anything is asked for",
     {timeout: 60000}, async () => {
    const page = await form();

    for (const [id, text, said] of [
        ["url", "ftp://files.example.com/", /is not an address/],
        ["urls", "example.com", /is not of the kind/],
        ["mask", "a{}", /no braces/]])
    {
        await page.fill(`#together-${id}`, text);
        await page.click("#together-go");
        await until("what is wrong", async () => said.test(
            await page.textContent("#together .error")));
        await page.fill(`#together-${id}`, "");
    }

    assert.equal(await page.isVisible("#stage"), false);
    await leave(page);
});


test("a place in line, then the page, its row, and a visitor",
     {timeout: 180000}, async () => {
    const id = await renderer({queued: 3});
    const page = await form();

    await page.waitForSelector("text=2 of 2 browsers free");
    await look(page, "together");
    await page.fill("#together-url", "www.example.com");
    await page.uncheck("#together-relay");
    await page.click("#together-go");

    /* the link for a visitor is made at once */
    await until("a link", async () => /#guest=/.test(
        await page.inputValue("#invite-link")));

    const link = await page.inputValue("#invite-link");
    const pin = await page.textContent("#invite-pin-text");

    await page.click("#invite [data-close]");
    await until("the place in line", async () => /number 3 in line/.test(
        await page.textContent("#overlay-help")));
    await look(page, "together-queue");
    await devices.place(id, 1);
    await until("the next place", async () => /the next in line/.test(
        await page.textContent("#overlay-help")));

    const [{host, policy, queue}] = (await stack.api.sessions({})).items;

    assert.equal(host.url, "https://www.example.com/");
    assert.equal(policy.relay_only, false);
    assert.equal(queue, 1);

    await devices.place(id, 0);
    await connected(page);
    await page.waitForSelector("#page-bar:not([hidden])");
    assert.equal(await page.inputValue("#page-url"), PAGE.url);
    await row(page, id);
    await visitor(page, id, link, pin);
    await page.click("#stage-leave");
    await page.waitForSelector("#together:not([hidden])");
    await leave(page);
    await stack.api.deleteDevice(id);
});


/* whoever has control uses the row */
async function row(page, id) {
    await page.waitForSelector('#stage[data-control="true"]');
    assert.equal(await page.isDisabled("#page-back"), true);
    await devices.say(id, {type: "page", ...PAGE, back: true,
                           loading: true});
    await page.click("#page-back");
    assert.equal(await page.getAttribute("#page-reload", "title"), "Stop");
    await page.click("#page-reload");
    await devices.say(id, {type: "page", ...PAGE, back: true});
    await page.click('#page-reload[title="Reload"]');
    await page.fill("#page-url", "docs.example.com/a");
    await page.keyboard.press("Enter");
    await until("what was asked for", async () =>
        (await devices.asked(id)).length === 4);
    assert.deepEqual(await devices.asked(id), [
        {type: "back"}, {type: "stop"}, {type: "reload"},
        {type: "go", url: "https://docs.example.com/a"}]);

    await page.fill("#page-url", "javascript:alert(1)");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=That is not an address");

    /* what was typed is let go of */
    await page.keyboard.press("Escape");
    assert.equal(await page.inputValue("#page-url"), PAGE.url);

    /* told under the row, until another page is there */
    await devices.say(id, {type: "blocked", why: "network",
                           url: "http://127.0.0.1/"});
    await page.waitForSelector("text=not within reach");

    /* the browser's own page on it changes nothing */
    await devices.say(id, {type: "page", ...PAGE, url: "http://127.0.0.1/"});
    await page.waitForFunction(() => document.getElementById("page-url")
                                             .value === "http://127.0.0.1/");
    assert.equal(await page.isVisible("#page-said"), true);
    await look(page, "together-blocked");
    await devices.say(id, {type: "crashed", restarting: true});
    await page.waitForSelector("text=The browser failed");
    await devices.say(id, {type: "page", ...PAGE});
    await page.waitForSelector("#page-said", {state: "hidden"});
}


/* a visitor reads the row, and uses it with control alone */
async function visitor(page, id, link, pin) {
    const hers = await browser.page({viewport: PHONE, colorScheme: "dark"});

    await hers.goto(link);
    await hers.fill("#guest-name", "Eve");
    await hers.click("#guest-go");

    if (await hers.waitForSelector("#guest-pin", {state: "visible"})) {
        await hers.fill("#guest-pin", pin);
        await hers.click("#guest-go");
    }

    await connected(hers);
    await hers.waitForSelector("#page-bar:not([hidden])");
    assert.equal(await hers.inputValue("#page-url"), PAGE.url);
    assert.equal(await hers.getAttribute("#page-url", "readonly"), "");
    assert.equal(await hers.isDisabled("#page-reload"), true);
    await look(hers, "together-visitor");

    await hers.click("#tool-people");
    await hers.click('#panel-people button[data-op="request"]');
    await page.click("#tool-people");
    await page.click('#panel-people button[data-op="grant"]');
    await hers.waitForSelector('#stage[data-control="true"]');
    await hers.waitForSelector("#page-reload:not([disabled])");
    await page.waitForSelector("#page-reload[disabled]");
    await leave(hers);
}


test("services are none of the devices, and stand in the settings",
     {timeout: 60000}, async () => {
    const id = await renderer({load: {...LOAD, used: 1}});
    const page = await form();

    await page.click('[data-page="devices"]');
    await page.waitForSelector("text=No devices yet");
    await page.click('[data-page="settings"]');
    await page.waitForSelector('#settings-services [data-kind="renderer"]');
    assert.match(await page.textContent("#settings-services"),
                 /render-1.*1 of 2 in use/);
    await leave(page);
    await stack.api.deleteDevice(id);
});
