
/*
 * Copyright (C) rs-gateway contributors
 *
 * Help without installing anything: a technician makes a code, somebody types
 * it in a browser of hers, is asked, and shares a page: what is seen, who is
 * named, the pointer and nothing more, pause, stop, no.  Two Chromiums, each
 * with profiles of its own.  Leaves screenshots in build/screens/.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";

import { Browser, connected, place, shows } from "./lib/browser.mjs";
import { look } from "./lib/look.mjs";
import { Stack } from "./lib/stack.mjs";
import { until } from "./lib/wait.mjs";


const SHARED = "rs-shared";     /* the title of what she chooses */
const COLOR = [200, 30, 40];
const OTHER = [20, 60, 200];
const DESK = {width: 1440, height: 900};
const PHONE = {width: 390, height: 844};

let stack, browser, hers;


before(async () => {
    stack = await Stack.up([]);
    browser = await Browser.start(stack);
    hers = await Browser.start(stack, [], [
        `--auto-select-tab-capture-source-by-title=${SHARED}`]);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await hers?.close();
    await stack?.down();
}, {timeout: 60000});


/* a technician with a code: {page, code} */
async function asks() {
    const page = await browser.page();

    await page.goto(stack.url + "console/");
    await page.fill("#key", stack.key);
    await page.click("#signin-go");
    await page.click("#help-open");
    await until("a code", async () => /^\d{4} \d{4}$/.test(
        await page.textContent("#help-code")));

    return {page, code: await page.textContent("#help-code"),
            url: await page.textContent("#help-where")};
}


/* her page, and the one that she shares */
async function visits(url) {
    const page = await hers.page();
    const shared = await page.context().newPage();

    await shared.goto(`data:text/html,<title>${SHARED}</title>`
                      + `<body style="margin:0;background:rgb(${COLOR})">`);
    await page.goto(url);
    await page.bringToFront();

    return {page, shared};
}


async function types(page, code, name = "") {
    await page.fill("#code", code);
    await page.fill("#name", name);
    await page.click("#code-go");
}


function paint(shared, color) {
    return shared.evaluate((rgb) => {
        document.body.style.background = `rgb(${rgb})`;
    }, color);
}


function middle(page) {
    return page.$eval("#screen", (video) => ({
        x: Math.floor(video.videoWidth / 2),
        y: Math.floor(video.videoHeight / 2)}));
}


async function leave(...pages) {
    for (const page of pages) {
        assert.deepEqual(page.complaints, []);
        await page.context().close();
    }
}


test("a code, a question, a picture, a pointer, a pause, a stop",
     {timeout: 180000}, async () => {
    const ann = await asks();

    assert.equal(ann.url, stack.url + "console/help.html");
    await ann.page.waitForSelector("text=Waiting for whoever you help");
    await look(ann.page, "help-code");

    const {page, shared} = await visits(stack.url + "help");

    assert.equal(new URL(page.url()).pathname, "/console/help.html");
    await page.setViewportSize(DESK);
    await look(page, "help");
    await page.setViewportSize(PHONE);
    await look(page, "help");
    await page.setViewportSize(DESK);

    await types(page, ann.code, "Eve");
    await page.waitForSelector("#consent-step:not([hidden])");
    assert.match(await page.textContent("#consent-title"),
                 / asks to see your screen$/);
    await look(page, "help-consent");
    await page.setViewportSize(PHONE);
    await look(page, "help-consent");
    await page.setViewportSize(DESK);

    /* not before she says so */
    const {items: [session]} = await stack.api.sessions({});

    assert.equal(session.state, "waiting_host");
    assert.equal(await ann.page.getAttribute("#stage", "data-state"),
                 "waiting");

    await page.click("#share");
    await connected(ann.page);
    await shows(ann.page, await middle(ann.page), COLOR);

    /* both know what it is, and who sees it */
    await until("who sees it", async () =>
        /sees it/.test(await page.textContent("#watchers")));
    assert.equal(await page.locator('#watchers li[data-watching="true"]')
                           .count(), 1);
    await page.waitForSelector("text=Your screen is being shared");
    assert.match(await page.textContent("#share-step"),
                 /View and pointer only/);
    await until("view and pointer only", async () => /view and pointer only/
        .test(await ann.page.textContent("#stage-state")));
    assert.equal(await ann.page.getAttribute("#stage", "data-control"),
                 "false");
    assert.match(await ann.page.textContent("#trust-facts"),
                 /Nobody has checked who that is/);
    assert.ok(await ann.page.isHidden("#panel-help"));
    await until("her name", async () =>
        (await ann.page.textContent("#people")).includes("Eve"));

    /* the pointer */
    const {x, y} = await middle(ann.page);

    await ann.page.mouse.move(...await place(ann.page,
                                             {x: x / 2, y: y / 2}));
    await page.waitForSelector(".pointer");

    const at = await page.$eval(".pointer", (dot) => [Number(dot.dataset.x),
                                                      Number(dot.dataset.y)]);

    assert.ok(Math.abs(at[0] - 0.25) < 0.02 && Math.abs(at[1] - 0.25) < 0.02,
              `the pointer is at ${at}`);
    await look(page, "help-sharing");
    await look(ann.page, "help-seen");
    await page.setViewportSize(PHONE);
    await look(page, "help-sharing");
    await page.setViewportSize(DESK);
    await ann.page.mouse.move(5, 5);
    await page.waitForSelector(".pointer", {state: "detached"});

    /* a pause is a black picture, whatever is painted meanwhile */
    await page.click("#pause");
    await paint(shared, OTHER);
    await shows(ann.page, await middle(ann.page), [0, 0, 0]);
    await until("paused", async () => /paused by the person there/
        .test(await ann.page.textContent("#stage-state")));
    assert.equal(await page.getAttribute("#pause", "aria-pressed"), "true");
    await page.click("#pause");
    await shows(ann.page, await middle(ann.page), OTHER);

    /* another line: the picture is back without a word of hers */
    await ann.page.evaluate(() => dispatchEvent(new Event("online")));
    await until("another line", () => ann.page.evaluate(
        () => window.rsKept.connections.length > 1
              && window.rsKept.connections.at(-1).connectionState
                 === "connected"));
    await connected(ann.page);
    await paint(shared, COLOR);
    await shows(ann.page, await middle(ann.page), COLOR);

    await page.click("#stop");
    await page.waitForSelector("#over-step:not([hidden])");
    assert.match(await page.textContent("#over-title"), /stopped sharing/);
    await ann.page.waitForSelector('#stage[data-state="over"]');
    assert.equal((await stack.api.session(session.id)).state, "ended");
    await leave(ann.page, page);
});


test("by a link, and no", {timeout: 120000}, async () => {
    const ann = await asks();
    const code = ann.code.replace(" ", "");
    const {page} = await visits(`${ann.url}#code=${code}`);

    /* the code does not stay in the address */
    await page.waitForSelector("#consent-step:not([hidden])");
    assert.equal(new URL(page.url()).hash, "");

    /* she has a choice of screens open, and says no instead */
    await page.evaluate(() => {
        window.rsChosen = document.createElement("canvas").captureStream();
        navigator.mediaDevices.getDisplayMedia = () =>
            new Promise((resolve) => {
                window.rsChoose = () => resolve(window.rsChosen);
            });
    });
    await page.click("#share");
    await page.click("#decline");
    await page.waitForSelector("#over-step:not([hidden])");
    assert.match(await page.textContent("#over-title"), /Nothing was shared/);
    await ann.page.waitForSelector('#stage[data-state="over"]');

    /* what is chosen then answers no question, that of the next one neither */
    const bob = await asks();

    await page.click("#again");
    await types(page, bob.code);
    await page.waitForSelector("#consent-step:not([hidden])");
    await page.evaluate(() => window.rsChoose());
    await until("what was chosen late is let go", () => page.evaluate(
        () => window.rsChosen.getTracks()[0].readyState === "ended"));
    assert.ok(await page.isVisible("#consent-step"));
    await leave(ann.page, bob.page, page);
});


test("who goes away is told: the technician, the session",
     {timeout: 120000}, async () => {
    const ann = await asks();
    const {page} = await visits(ann.url);

    await types(page, ann.code);
    await page.click("#share");
    await connected(ann.page);

    const {items: [session]} = await stack.api.sessions({});

    await ann.page.click("#stage-leave");
    await page.waitForSelector("#over-step:not([hidden])");
    assert.equal(await page.evaluate(
        () => document.getElementById("preview").srcObject), null);
    await until("ended", async () =>
        (await stack.api.session(session.id)).state === "ended");
    await leave(ann.page, page);
});


test("wrong codes, and too many of them", {timeout: 120000}, async () => {
    const ann = await asks();
    const right = ann.code.replace(" ", "");
    const {page} = await visits(ann.url);
    const wrong = String((Number(right) + 1) % 1e8).padStart(8, "0");

    await types(page, "1234");
    await page.waitForSelector("text=A code has eight digits");

    /* another code, and the one before is none any more */
    await ann.page.click("#help-renew");
    await until("another code", async () =>
        await ann.page.textContent("#help-code") !== ann.code);
    await types(page, right);
    await page.waitForSelector("#code-error:not([hidden])");
    assert.match(await page.textContent("#code-error"), /link_invalid/);

    /* five with that one */

    for (let n = 0; n < 4; n++) {
        const answer = page.waitForResponse(/\/help$/);

        await types(page, wrong);
        assert.equal((await answer).status(), 403);
    }

    await types(page, wrong);
    await until("too many", async () => /rate_limited/.test(
        await page.textContent("#code-error")));
    await leave(ann.page, page);
});
