
/*
 * Copyright (C) rs-gateway contributors
 *
 * A recording from its beginning to its end as people see it in the console:
 * everybody reads that it is recorded; it is listed, opened from its recorder
 * through a pipe, played with an auditor's key, and deleted; and what is said
 * when nothing records, or the recorder is away.  Leaves screenshots in
 * build/screens/.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { join } from "node:path";

import { connected } from "../e2e/lib/browser.mjs";
import { look } from "../e2e/lib/look.mjs";
import { SPOTS, TestWindow } from "../e2e/lib/testwin.mjs";
import { until } from "../e2e/lib/wait.mjs";
import { World } from "./lib/world.mjs";


const DESK = {width: 1440, height: 900};
const PHONE = {width: 390, height: 844};

let world, window, browser;


before(async () => {
    world = await World.open({render: false, record: true, agent: true});
    window = await TestWindow.open(world.stack.state.desktop);
    browser = await world.browser();
}, {timeout: 180000});


after(async () => {
    await window?.close();
    await world?.close();
}, {timeout: 60000});


async function leave(page) {
    assert.deepEqual(page.complaints, []);
    await page.context().close();
}


async function recordings(o = {viewport: DESK}) {
    const page = await browser.page(o);

    await page.goto(world.stack.url + "console/#/recordings");
    await page.fill("#key", world.stack.key);
    await page.click("#signin-go");
    await page.waitForSelector("#recordings:not([hidden])");

    return page;
}


const row = (state) => `#recordings-list .record[data-state="${state}"]`;


test("everybody reads that it is recorded", {timeout: 120000}, async () => {
    const made = await world.stack.session(["controller", "viewer"], {
        policy: {recording: "required"}});

    const pages = [];

    for (const [link, o] of [[made.links[0], {viewport: DESK}],
                             [made.links[1], {viewport: PHONE,
                                              colorScheme: "dark"}]])
    {
        const page = await browser.page(o);

        await page.goto(link);
        await connected(page);
        await page.waitForSelector('#recording[data-recording="on"]');
        assert.equal(await page.textContent("#recording-text"), "Recorded");
        await look(page, "session-recorded");

        /* it is as long as this test is slow */
        await until("some seconds of it", async () => {
            const {items} = await world.api.page("/recordings");

            return Date.now() / 1000 - items[0].started_at > 3;
        });
        pages.push(page);
    }

    await world.api.endSession(made.session.id);

    for (const page of pages) {
        await page.waitForSelector("#recording", {state: "hidden"});
        await leave(page);
    }
});


test("listed, opened from its recorder, and played", {timeout: 120000},
     async () => {
    const page = await recordings();

    await page.waitForSelector(row("kept"));
    await page.click(row("kept") + " summary");
    await look(page, "recordings");
    await page.click(row("kept") + ' [data-act="open"]');
    await page.waitForSelector(".player-key:not([hidden])");
    assert.match(await page.textContent(".player-verdict"), /^Whole/);
    await until("whose key it is", async () => /of the recorder /.test(
        await page.textContent(".player-side .facts")));
    await page.setInputFiles("#player-key", join(world.stack.dir, "secrets",
                                                 "auditor.key"));

    if (await page.isVisible("#player-pass")) {
        throw new Error("the stack's key has a passphrase");
    }

    await page.click("#player-go");
    await page.waitForSelector(".player-screen:not([hidden])");
    await until("the picture", () => page.$eval("#player-video", (v, o) => {
        const canvas = document.createElement("canvas");

        canvas.width = v.videoWidth;
        canvas.height = v.videoHeight;

        const c = canvas.getContext("2d");

        if (v.readyState < 2) {
            return false;
        }

        c.drawImage(v, 0, 0);

        const seen = c.getImageData(o.look.x, o.look.y, 1, 1).data;

        return o.color.every((x, i) => Math.abs(x - seen[i]) < 40);
    }, SPOTS.red));
    assert.match(await page.textContent("#player-events"), /joined/);
    await look(page, "player-opened");
    await leave(page);
});


test("the recorder is away: it cannot be opened, and that is said",
     {timeout: 120000}, async () => {
    const page = await recordings();
    const {pid} = world.stack.state.record;

    await page.waitForSelector(row("kept"));
    process.kill(pid, "SIGTERM");
    await until("the recorder's end", async () => {
        const {items} = await world.api.devices({kind: "recorder"});

        return !items[0].online;
    });
    await page.click(row("kept") + " summary");
    await page.click(row("kept") + ' [data-act="open"]');
    await until("why", async () => /offline/i.test(
        await page.textContent("#player > .error")));
    await page.click("#player-close");

    /* and nobody connects to what must be recorded */
    await assert.rejects(world.stack.session(["viewer"], {
        policy: {recording: "required"}}), {code: "recorder_offline"});
    await world.stack.start("record");
    await until("the recorder's return", async () => {
        const {items} = await world.api.devices({kind: "recorder"});

        return items[0].online;
    });
    await leave(page);
});


test("deleted, by two presses", {timeout: 120000}, async () => {
    const page = await recordings();

    await page.waitForSelector(row("kept"));
    await page.click(row("kept") + " summary");
    await page.click(row("kept") + ' [data-act="delete"]');
    await page.click("text=Delete it for good");
    await page.waitForSelector(row("gone"));
    await page.click('#recordings label:has-text("Gone")');
    await page.click(row("gone") + " summary");
    assert.equal(await page.$(row("gone") + ' [data-act="open"]'), null);
    await leave(page);
});
