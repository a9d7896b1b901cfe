
/*
 * Copyright (C) rs-gateway contributors
 *
 * The console as a technician uses it: signing in, the list, connecting,
 * inviting somebody, disconnecting; and what it says when things are not as
 * they should be.  Leaves screenshots in build/screens/.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";

import { Browser, connected, frames, place, screenshot, shows }
    from "./lib/browser.mjs";
import { Stack } from "./lib/stack.mjs";
import { SPOTS, TestWindow } from "./lib/testwin.mjs";
import { until } from "./lib/wait.mjs";


const DESK = {width: 1440, height: 900};
const PHONE = {width: 390, height: 844};

let stack, window, browser;


before(async () => {
    stack = await Stack.up(["--agent"]);
    window = await TestWindow.open(stack.state.desktop);
    browser = await Browser.start(stack);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await window?.close();
    await stack?.down();
}, {timeout: 60000});


async function signIn(page, key = stack.key) {
    await page.goto(stack.url + "console/");
    await page.fill("#key", key);
    await page.click("#signin-go");
}


function row(id) {
    return `.device[data-device="${id}"]`;
}


async function sessions(state) {
    const {items} = await stack.api.sessions({device_id: stack.device,
                                              state});

    return items;
}


/* nothing reaches over the edge of the window */
async function fits(page) {
    const [content, view] = await page.evaluate(() => [
        document.documentElement.scrollWidth, innerWidth]);

    assert.ok(content <= view, `${content} pixels wide in ${view}`);
}


test("a technician's round: sign in, connect, click, look, disconnect",
     {timeout: 180000}, async () => {
    const page = await browser.page({viewport: DESK});

    await page.goto(stack.url);
    await page.waitForSelector("#signin:not([hidden])");
    assert.equal(new URL(page.url()).pathname, "/console/");
    await screenshot(page, "signin-1440");

    await page.fill("#key", stack.key);
    await page.keyboard.press("Enter");
    await page.waitForSelector(row(stack.device) + '[data-online="true"]');
    assert.match(await page.textContent("#devices-count"), /1 of 1 online/);
    await screenshot(page, "devices-1440");

    /* the key is nowhere it could be read from later */
    assert.deepEqual(await page.evaluate(() => [
        localStorage.length, sessionStorage.length, document.cookie,
        document.getElementById("key").value]), [0, 0, "", ""]);

    /* searching */
    await page.fill("#search", "no such device");
    await page.waitForSelector("#devices-empty:not([hidden])");
    await page.fill("#search", "");

    /* connecting, by the keyboard alone */
    await page.focus(row(stack.device) + " .connect");
    await page.keyboard.press("Enter");
    await connected(page);
    await page.waitForSelector('#stage[data-control="true"]');
    await shows(page, SPOTS.red.look, SPOTS.red.color);

    window.clear();
    await page.mouse.click(...await place(page, SPOTS.red));
    await window.wait({event: "button", button: 1, down: false});
    await page.keyboard.press("k");
    await window.wait({event: "key", keysym: "k", down: false});

    /* keys the browser keeps for itself, from the menu */
    await page.click("#keys summary");
    await page.click('[data-chord="ctrl-alt-del"]');
    await window.wait({event: "key", keysym: "Delete", down: true});
    await window.wait({event: "key", keysym: "Control_L", down: false});

    await page.waitForSelector('#path[data-kind="direct"]');
    await until("active session",
                async () => /^Connected/.test(
                    await page.textContent("#stage-state")));
    await screenshot(page, "session-1440");
    await page.click("#path summary");
    await until("facts of the path", async () =>
        /Picture1280 × 720/.test(await page.textContent("#path-facts")));
    await screenshot(page, "session-path-1440");
    await page.keyboard.press("Escape");

    assert.equal((await sessions("active")).length, 1);
    await page.click("#stage-leave");
    await page.waitForSelector("#devices:not([hidden])");
    await until("no session left",
                async () => (await sessions("active")).length === 0);

    await page.click("#signout");
    await page.waitForSelector("#signin:not([hidden])");
    assert.equal(await page.$$eval(".device", (rows) => rows.length), 0);

    assert.deepEqual(page.complaints, []);
    await page.context().close();
});


test("a place that was lost: the technician's console takes another one",
     {timeout: 120000}, async () => {
    const page = await browser.page({viewport: DESK});

    await signIn(page);
    await page.click(row(stack.device) + '[data-online="true"] .connect');
    await connected(page);

    const [session] = await until("session", () => sessions("active"));

    /* the gateway does not know the token the console comes back with */
    await page.evaluate(() => {
        window.rsKept.without.resume = true;
    });

    for (const pid of await stack.workers()) {
        process.kill(pid, "SIGKILL");
    }

    await until("ticket after a refused resume", () => page.evaluate(
        () => window.rsKept.sockets.some((s) => s.code === 4401)));
    await connected(page);
    await page.waitForSelector('#stage[data-control="true"]');

    const {state, participants} = await stack.api.session(session.id);

    /* the lost place is the gateway's to clear away */
    assert.equal(state, "active");
    assert.deepEqual(participants.map((p) => p.role).sort(),
                     ["controller", "controller", "host"]);

    await page.click("#stage-leave");
    await page.waitForSelector("#devices:not([hidden])");
    await until("no session left",
                async () => (await sessions("active")).length === 0);
    assert.deepEqual(page.complaints, []);
    await page.context().close();
});


test("a wrong key is said so", {timeout: 60000}, async () => {
    const page = await browser.page({viewport: PHONE});

    await signIn(page, "rsk_default_" + "a".repeat(52));
    await page.waitForSelector("#signin-error:not([hidden])");
    assert.match(await page.textContent("#signin-error"),
                 /not valid.*unauthenticated/);
    assert.equal(await page.getAttribute("#key", "aria-invalid"), "true");
    await fits(page);
    await screenshot(page, "wrong-key-390");

    /* the right one, after all */
    await page.fill("#key", stack.key);
    await page.click("#signin-go");
    await page.waitForSelector(row(stack.device));
    await page.context().close();
});


test("a technician invites somebody, who sees and cannot touch",
     {timeout: 120000}, async () => {
    const page = await browser.page({viewport: DESK});

    await signIn(page);
    await page.click(row(stack.device) + " .connect");
    await connected(page);
    await page.click("#stage-invite");
    await page.click("#invite-make");

    const link = await until("link", () => page.inputValue("#invite-link"));
    const pin = await page.textContent("#invite-pin-text");

    assert.match(link, /\/console\/#guest=rsl_default_/);
    assert.match(pin, /^\d{6}$/);
    await screenshot(page, "invite-1440");

    const guest = await browser.page({viewport: PHONE, colorScheme: "light"});

    await guest.goto(link);
    await guest.waitForSelector("#guest:not([hidden])");
    assert.equal(new URL(guest.url()).hash, "", "the link is not kept");
    await fits(guest);
    await screenshot(guest, "guest-join-390");

    /* a name is all that is asked for, until the link wants a PIN: none, a
     * wrong one, the right one */
    assert.equal(await guest.isVisible("#guest-pin"), false);
    await guest.fill("#guest-name", "Gast <b>");
    await guest.click("#guest-go");
    await guest.waitForSelector("#guest-error:not([hidden])");
    assert.equal(await guest.isVisible("#guest-pin"), true);
    await fits(guest);
    await screenshot(guest, "guest-pin-390");
    assert.match(await guest.textContent("#guest-error"), /pin_required/);
    await guest.fill("#guest-pin", pin === "000000" ? "111111" : "000000");
    await guest.click("#guest-go");
    await until("the refusal", async () => /link_invalid/.test(
        await guest.textContent("#guest-error")));
    await guest.fill("#guest-pin", pin);
    await guest.click("#guest-go");
    await connected(guest);
    await until("the guest in the list", async () =>
        /Gast <b> viewer/.test(await page.textContent("#people")));
    assert.equal(await page.textContent("#people-said"),
                 "You have control · with Gast <b>");
    await page.keyboard.press("Escape");
    await page.click("#tool-people");
    await screenshot(page, "people-1440");
    await guest.click("#tool-people");
    await fits(guest);
    await screenshot(guest, "people-390");
    await guest.click("#tool-people");
    await shows(guest, SPOTS.blue.look, SPOTS.blue.color);
    assert.equal(await guest.getAttribute("#stage", "data-control"),
                 "false");
    await guest.waitForSelector('#path[data-kind="direct"]');
    await fits(guest);
    await screenshot(guest, "guest-390");

    /* the guest goes, the technician stays */
    await guest.click("#stage-leave");
    await guest.waitForSelector('#overlay:not([hidden])');
    assert.match(await guest.textContent("#overlay-title"), /have left/);

    const from = await frames(page);

    await until("more frames", async () => await frames(page) > from + 3);
    await page.keyboard.press("Escape");
    await page.click("#stage-leave");
    await page.waitForSelector("#devices:not([hidden])");

    assert.deepEqual([...page.complaints, ...guest.complaints], []);
    await guest.context().close();
    await page.context().close();
});


test("options: view only, relay only, a reason", {timeout: 120000},
     async () => {
    const page = await browser.page({viewport: DESK, colorScheme: "dark"});

    await signIn(page);
    await page.click(row(stack.device) + " .options");
    await page.check('input[name="role"][value="viewer"]');
    await page.check("#options-relay");
    await page.fill("#options-reason", "printer does not print");
    await screenshot(page, "options-dark-1440");
    await page.click('#options button[value="connect"]');
    await connected(page);
    await page.waitForSelector('#path[data-kind="relay"]');
    assert.match(await page.textContent("#stage-state"),
                 /relay only · view only/);

    const [session] = await sessions("active");

    assert.equal(session.reason, "printer does not print");
    assert.equal(session.policy.relay_only, true);

    /* ended from elsewhere */
    await stack.api.endSession(session.id);
    await page.waitForSelector('#stage[data-state="over"]');
    await screenshot(page, "ended-1440");
    await page.click("#overlay-back");
    await page.waitForSelector("#devices:not([hidden])");
    await page.context().close();
});


/* last: it ends the agent */
test("a device that is offline is said so", {timeout: 120000}, async () => {
    const page = await browser.page({viewport: PHONE, colorScheme: "dark"});
    const device = row(stack.device);

    /* it is not told at once, so that the click comes too late */
    await page.route("**/watch", () => {});
    await signIn(page);
    await page.waitForSelector(device + '[data-online="true"]');
    await fits(page);
    await screenshot(page, "devices-dark-390");

    /* the click and the agent's end cross: hold the list back meanwhile */
    await page.route("**/devices?*", () => {});
    process.kill(stack.state.agent.pid, "SIGTERM");
    await until("device offline", async () =>
        !(await stack.api.device(stack.device)).data.online);
    await page.click(device + " .connect");
    await page.waitForSelector('#overlay[data-kind="error"]');
    assert.match(await page.textContent("#overlay"),
                 /The device is offline.*device_offline/s);
    await screenshot(page, "offline-390");

    await page.unrouteAll();
    await page.click("#overlay-back");
    await page.waitForSelector(device + '[data-online="false"]');
    assert.equal(await page.isDisabled(device + " .connect"), true);
    assert.deepEqual(page.complaints, []);
    await page.context().close();
});
