
/*
 * Copyright (C) rs-gateway contributors
 *
 * The key of a device, as a console knows it: pinned when it is seen first,
 * followed when the device changed it, refused when somebody else answers,
 * whatever the gateway says, until the user has it forgotten.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";

import { Browser, connected, screenshot } from "./lib/browser.mjs";
import { DevicePage } from "./lib/device.mjs";
import { Stack } from "./lib/stack.mjs";
import { until } from "./lib/wait.mjs";


let stack, browser, devices, page, id;


before(async () => {
    stack = await Stack.up([]);
    browser = await Browser.start(stack);
    devices = await DevicePage.open(browser, stack);
    id = await devices.enroll({name: "desk", online: true,
                               agent: {name: "played"}});

    page = await browser.page();
    await page.goto(stack.url + "console/");
    await page.fill("#key", stack.key);
    await page.click("#signin-go");
    await page.waitForSelector(row() + '[data-online="true"]');
}, {timeout: 120000});


after(async () => {
    assert.deepEqual(page?.complaints, []);
    await devices?.close();
    await browser?.close();
    await stack?.down();
}, {timeout: 60000});


const row = () => `.device[data-device="${id}"]`;


async function connect(level) {
    await page.click(row() + " .connect");
    await connected(page);
    await page.waitForSelector(`#trust[data-level="${level}"]`);

    return page.$eval("#trust-facts", (dl) => dl.textContent);
}


async function back() {
    await page.click(await page.isVisible("#overlay-back")
                     ? "#overlay-back" : "#stage-leave");
    await page.waitForSelector("#devices:not([hidden])");
}


/* it was not used, so nothing was sent to who answered */
async function refused(why) {
    await page.waitForSelector('#stage[data-state="failed"]');

    const text = await page.textContent("#overlay");

    assert.match(text, why);
    assert.equal(await page.evaluate(() =>
        window.rsKept.connections.at(-1).remoteDescription), null);

    return text;
}


const short = (text) => /[A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}/.exec(text)[0];

let first;


test("the first answer's key is known from then on", {timeout: 60000},
     async () => {
    first = short(await connect("first"));
    await back();

    const text = await connect("device");

    assert.match(text, /known since 20/);
    assert.equal(short(text), first);
    await back();
});


test("a key that the device has changed is followed, over several changes",
     {timeout: 60000}, async () => {
    await devices.changeKey(id, {told: true});
    await devices.changeKey(id, {told: true});

    const {data} = await stack.api.device(id);

    assert.equal(data.key_history.length, 2);

    const text = await connect("device");

    assert.match(text, /a new key, to which the one this browser knew leads/);
    assert.notEqual(short(text), first);
    await back();
    assert.match(await connect("device"), /known since 20/);
    await back();
});


test("an answer that is not signed, or for another connection",
     {timeout: 60000}, async () => {
    for (const device of [{signature: "A".repeat(86)}, {signature: null},
                          {public_key: "A".repeat(43)}, {public_key: 7}])
    {
        await devices.set(id, {device});
        await page.click(row() + " .connect");
        await refused(/could not be verified.*device_unverified.*changed/s);
        await back();
    }

    await devices.set(id, {device: {}});
});


test("somebody else who answers is refused; only the user can change that",
     {timeout: 120000}, async () => {
    const known = short(await connect("device"));

    await back();

    const key = await devices.changeKey(id, {told: false});

    /* an honest gateway does not know the key, either */
    await page.click(row() + " .connect");
    await refused(/device_unverified.*names another key/s);
    await back();

    /* one that says the key is right */
    await page.route(`**/devices/${id}`, async (route) => {
        const {data} = await stack.api.device(id);

        await route.fulfill({json: {...data, public_key: key,
                                    key_history: data.key_history.map(
            (s) => ({...s, new: key}))}});
    });
    await page.click(row() + " .connect");

    const text = await refused(/key has changed.*device_changed/s);

    assert.ok(text.includes(`known: ${known}`), text);
    await screenshot(page, "key-changed-1440");

    /* trying again changes nothing, nor does looking */
    const tries = () => page.evaluate(() => window.rsKept.connections.length);
    const before = await tries();

    await page.click("#overlay-retry");
    await until("another try", async () => await tries() > before);
    await refused(/device_changed/);
    await page.click("#overlay-pin");
    assert.equal(await page.isDisabled("#pin-reset"), true);
    assert.ok((await page.textContent("#pin-facts")).includes(known));
    await screenshot(page, "key-compare-1440");
    await page.click("#pin [data-close]");
    await refused(/device_changed/);

    /* saying that both were compared does */
    await page.click("#overlay-pin");
    assert.equal(await page.isChecked("#pin-compared"), false);
    await page.check("#pin-compared");
    await page.click("#pin-reset");
    await connected(page);
    await page.waitForSelector('#trust[data-level="first"]');
    assert.notEqual(short(await page.textContent("#trust-facts")), known);
    await back();
});
