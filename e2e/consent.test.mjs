
/*
 * Copyright (C) rs-gateway contributors
 *
 * The person at the device is asked: allows, denies, says nothing, and ends
 * it; and sees who is there, on the desktop and so in the picture.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";

import { fromStack } from "./issuer/sign-in.mjs";
import { Browser, connected, place, screenshot, shows, stageText }
    from "./lib/browser.mjs";
import { BANNER_RED, Person } from "./lib/person.mjs";
import { Stack } from "./lib/stack.mjs";
import { until } from "./lib/wait.mjs";


const TIMEOUT_S = 15;

let stack, browser, person;


before(async () => {
    stack = await Stack.up(["--agent", "--oidc",
                            "--agent-conf", "consent=required",
                            "--agent-conf", `consent_timeout=${TIMEOUT_S}`]);
    browser = await Browser.start(stack);
    person = new Person(stack.state.desktop);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await stack?.down();
}, {timeout: 60000});


async function open(link) {
    const page = await browser.page();

    await page.goto(link);

    return page;
}


function state(session) {
    return stack.api.session(session.id);
}


async function endedBy(session, reason) {
    const ended = await until("end of the session", async () => {
        const s = await state(session);

        return s.state === "ended" && s;
    });

    assert.equal(ended.end_reason, reason);
}


async function leave(session, ...pages) {
    for (const page of pages) {
        await page.context().close();
    }

    await stack.api.endSession(session.id);
    await until("end of the banner", async () =>
        await person.banner() === null);
}


test("allowed: the picture, and the banner in it", {timeout: 120000},
     async () => {
    const {session, links} = await stack.session(["controller"]);
    const page = await open(links[0]);

    await person.asked();
    assert.equal((await state(session)).state, "waiting_consent");
    await until("console that says so", async () =>
        /Waiting for consent/.test(await stageText(page)));
    assert.equal(await person.banner(), null, "nobody is there yet");
    await screenshot(page, "consent-waiting");

    await person.answer("allow");
    await connected(page);

    assert.match(await until("banner", () => person.banner()),
                 /^not verified: .* controls$/);

    const {x, y, width} = await person.bannerPlace();

    assert.ok(y <= 1 && Math.abs(x + width / 2 - 640) < 3,
              "at the top, in the middle");
    await shows(page, {x: x + 4, y: y + 4}, BANNER_RED);
    await screenshot(page, "consent-banner");
    await until("active session", async () =>
        (await state(session)).state === "active");

    /* another network: the same person is not asked about again */
    await page.evaluate(() => dispatchEvent(new Event("online")));
    await until("another connection", () => page.evaluate(
        () => window.rsKept.connections.length > 1
              && window.rsKept.connections.at(-1).connectionState
                 === "connected"));
    assert.equal(await person.questions(), 0);

    await leave(session, page);
});


test("denied", {timeout: 60000}, async () => {
    const {session, links} = await stack.session(["viewer"]);
    const page = await open(links[0]);

    await person.answer("deny");
    await endedBy(session, "consent_denied");
    await until("console that says so", async () =>
        /declined/.test(await stageText(page)));
    assert.equal(await person.banner(), null);
    await page.context().close();
});


test("nobody answers: that is a no", {timeout: 60000}, async () => {
    const {session, links} = await stack.session(["viewer"]);
    const page = await open(links[0]);

    await person.asked();
    await endedBy(session, "consent_timeout");
    await until("end of the question", async () =>
        await person.questions() === 0);
    await until("console that says so", async () =>
        /Nobody answered/.test(await stageText(page)));
    await page.context().close();
});


test("each one is asked about, and the first cannot answer for the second",
     {timeout: 120000}, async () => {
    const {session, links} = await stack.session(["controller", "viewer"]);
    const first = await open(links[0]);

    await person.answer("allow");
    await connected(first);
    await first.waitForSelector('#stage[data-control="true"]');

    const second = await open(links[1]);

    await person.asked();
    assert.equal((await state(session)).state, "active",
                 "the first one goes on");

    /* "Allow" is at the window's lower right */
    const box = await person.questionPlace();

    await first.mouse.click(...await place(first, {
        x: box.x + box.width - 50, y: box.y + box.height - 35}));
    await first.keyboard.press("Alt+a");

    await until("input that was not taken", async () =>
        /not taken while a question is on/.test(await stack.agentLog()));
    assert.equal(await person.questions(), 1, "still asked");

    await person.answer("deny");
    await until("refusal of the second", async () =>
        /declined/.test(await stageText(second)));
    assert.match(await person.banner(), /^[^,]* controls$/,
                 "the first is there, alone");
    assert.equal((await state(session)).state, "active");

    /* and a veto at any time */
    await person.end();
    await endedBy(session, "consent_denied");
    await until("end of the banner", async () =>
        await person.banner() === null);
    await until("console that says so", async () =>
        /declined/.test(await stageText(first)));
    await first.context().close();
    await second.context().close();
});


test("a verified operator's name, in the question and on the banner",
     {timeout: 120000}, async () => {
    const page = await browser.page();
    const {account, password} = fromStack(stack.state, "ada");

    await page.goto(stack.url + "console/");
    await page.click("#signin-oidc");
    await page.fill("#login", account);
    await page.fill("#password", password);
    await page.click("#submit");
    await page.click(`.device[data-device="${stack.device}"]`
                     + '[data-online="true"] .connect');

    await person.answer("allow");
    await connected(page);

    assert.equal(await until("banner", () => person.banner()),
                 "Ada Admin (verified) controls");
    assert.match(await stack.agentLog(),
                 /the operator is Ada Admin \(ada of https:/);
    await screenshot(page, "consent-verified");

    /* the person there takes control, and gives it back */
    await page.waitForSelector('#stage[data-control="true"]');
    await person.take();
    await page.waitForSelector('#stage[data-control="false"]');
    assert.equal(await page.textContent("#people-said"),
                 "The person at the device has control");
    await until("banner that says so", async () =>
        await person.banner() === "You have control. Ada Admin (verified) "
                                  + "watches");
    await person.take();
    await page.waitForSelector('#stage[data-control="true"]');
    await until("banner as before", async () =>
        await person.banner() === "Ada Admin (verified) controls");

    await person.end();
    await until("console that says so", async () =>
        /declined/.test(await stageText(page)));
    await page.context().close();
});
