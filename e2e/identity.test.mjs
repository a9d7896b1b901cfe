
/*
 * Copyright (C) rs-gateway contributors
 *
 * A technician signs in at an OpenID provider, and a device that demands a
 * verified operator checks that by itself: connecting, renewing a token that
 * lives for half a minute, signing out, several tenants, and what a token is
 * worth that names no key.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";

import { fromStack, renew, signIn } from "./issuer/sign-in.mjs";
import { Browser, connected, frames, screenshot } from "./lib/browser.mjs";
import { LONG } from "./lib/size.mjs";
import { Stack } from "./lib/stack.mjs";
import { until } from "./lib/wait.mjs";


const TTL_S = 30;           /* of a token */

let stack, browser;


before(async () => {
    stack = await Stack.up(["--agent", "--oidc", "--oidc-ttl", String(TTL_S),
                            "--agent-conf", "require_verified_operator=true"]);
    browser = await Browser.start(stack);

    /* technicians may do what they are granted: here, everything of a group */
    const {id} = await stack.api.post("/groups", {name: "desks"});
    const device = await stack.api.device(stack.device);

    await stack.api.patchDevice(stack.device, {group_id: id}, device.etag);

    for (const group of ["technicians", "observers"]) {
        await stack.api.post("/grants", {
            subject: "group:" + group, group_id: id,
            verbs: ["devices:read", "sessions:read", "sessions:write",
                    "sessions:view", "sessions:control", "sessions:invite"]});
    }
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await stack?.down();
}, {timeout: 60000});


const ROW = () => `.device[data-device="${stack.device}"]`;


/* as somebody does it: the console's button, the issuer's form */
async function come(page, name) {
    const {account, password} = fromStack(stack.state, name);

    await page.goto(stack.url + "console/");
    await page.click("#signin-oidc");
    await page.fill("#login", account);
    await page.fill("#password", password);
    await page.click("#submit");
    await page.waitForSelector("#devices:not([hidden])");
}


async function connect(page) {
    await page.click(ROW() + '[data-online="true"] .connect');
    await connected(page);
    await page.waitForSelector('#trust[data-operator="true"]');
}


function panel(page) {
    return page.$eval("#trust-facts", (dl) => dl.textContent);
}


/* the newest connection has gone through, after a new offer */
async function anotherLine(page) {
    const n = await page.evaluate(() => window.rsKept.connections.length);

    await page.evaluate(() => dispatchEvent(new Event("online")));
    await until("another connection", () => page.evaluate(
        (n) => window.rsKept.connections.length > n
               && window.rsKept.connections.at(-1).connectionState
                  === "connected", n));
}


test("signing in, and a device that has checked it by itself",
     {timeout: 120000}, async () => {
    const page = await browser.page();

    await come(page, "anna");

    assert.equal(page.url(), stack.url + "console/", "no code in the address");
    assert.equal(await page.textContent("#account-name"), "Anna Technician");
    assert.equal(await page.isVisible("#tenant"), false);

    /* tokens are nowhere but in memory, the key cannot be taken out */
    assert.deepEqual(await page.evaluate(async () => {
        const db = await new Promise((resolve) => {
            indexedDB.open("rs-console").onsuccess = (ev) => resolve(
                ev.target.result);
        });
        const {publicKey, privateKey} = await new Promise((resolve) => {
            db.transaction("values").objectStore("values")
              .get("operator-key").onsuccess = (ev) => resolve(
                  ev.target.result);
        });

        db.close();

        return [localStorage.length, sessionStorage.length, document.cookie,
                publicKey.extractable, privateKey.extractable,
                await crypto.subtle.exportKey("jwk", privateKey)
                            .catch((e) => e.name)];
    }), [0, 0, "", true, false, "InvalidAccessError"]);

    await connect(page);
    await page.click("#trust summary");
    assert.match(await panel(page),
                 /checked by itself, at your issuer, that you are Anna Tech/);
    assert.match(await panel(page), /first time.*its word alone/s);
    assert.equal(await page.getAttribute("#trust", "data-level"), "first");

    /* who connects again is known by then */
    await page.click("#stage-leave");
    await page.waitForSelector("#devices:not([hidden])");
    await connect(page);
    assert.equal(await page.getAttribute("#trust", "data-level"), "both");
    assert.match(await panel(page), /known since 20/);
    await screenshot(page, "verified-1440");
    await until("the operator in the agent's log", async () =>
        /Anna Technician/.test(await stack.agentLog()));

    await page.click("#stage-leave");
    await page.waitForSelector("#devices:not([hidden])");
    assert.deepEqual(page.complaints, []);
    await page.context().close();
});


test("an API key opens no device that demands a verified operator",
     {timeout: 120000}, async () => {
    const page = await browser.page();

    await page.goto(stack.url + "console/");
    await page.fill("#key", stack.key);
    await page.click("#signin-go");
    await page.click(ROW() + '[data-online="true"] .connect');
    await page.waitForSelector('#stage[data-state="failed"]');
    assert.match(await page.textContent("#overlay"),
                 /does not accept who you are.*operator_unverified/s);
    await page.context().close();
});


test("a token that ends is renewed in a window, and nothing stops",
     {timeout: 180000, ...LONG}, async () => {
    const page = await browser.page();

    await come(page, "anna");
    await connect(page);
    await page.waitForSelector("#renew:not([hidden])", {timeout: 60000});
    assert.match(await page.textContent("#renew-text"), /ends in 1 minute/);

    const from = await frames(page);
    const [popup] = await Promise.all([page.context().waitForEvent("page"),
                                       page.click("#renew-go")]);

    /* the issuer knows her still; and has no handle on the console */
    await page.waitForSelector("#renew", {state: "hidden"});
    await until("the window closed", () => popup.isClosed());
    assert.ok(await frames(page) > from, "the picture went on");
    await anotherLine(page);
    await page.waitForSelector('#trust[data-level="both"]');

    /* not renewed: what runs goes on, a new line needs a token */
    await page.waitForSelector("#renew:not([hidden])", {timeout: 60000});
    await until("the token's end", async () => /expired/.test(
        await page.textContent("#renew-text")), 60000);

    const then = await frames(page);

    await until("more frames", async () => await frames(page) > then + 3);
    await page.evaluate(() => dispatchEvent(new Event("online")));
    await page.waitForSelector('#stage[data-state="failed"]');
    assert.match(await page.textContent("#overlay"), /sign-in has expired/);
    await screenshot(page, "expired-1440");
    await page.click("#renew-go");
    await page.waitForSelector("#renew", {state: "hidden"});
    await connected(page);
    await page.waitForSelector('#trust[data-level="both"]');
    assert.deepEqual(page.complaints, []);
    await page.click("#stage-leave");
    await page.waitForSelector("#devices:not([hidden])");
    await page.context().close();
});


test("another account in the window does not take the place",
     {timeout: 180000, ...LONG}, async () => {
    const page = await browser.page();

    await come(page, "anna");
    await page.context().clearCookies();
    await page.waitForSelector("#renew:not([hidden])", {timeout: 60000});

    const [popup] = await Promise.all([page.context().waitForEvent("page"),
                                       page.click("#renew-go")]);
    const {account, password} = fromStack(stack.state, "max");

    await popup.fill("#login", account);
    await popup.fill("#password", password);
    await popup.click("#submit");
    await until("the refusal", async () => /did not work/.test(
        await page.textContent("#renew-text")));
    assert.equal(await page.textContent("#account-name"), "Anna Technician");
    await page.context().close();
});


test("signing out ends what runs elsewhere, too, within two seconds",
     {timeout: 120000}, async () => {
    const here = await browser.page();
    const there = await browser.page();

    await come(there, "anna");
    await connect(there);
    await come(here, "anna");

    const began = await there.evaluate(() => Date.now());

    await here.click("#signout");

    const {code, at} = await until("the other socket closed", () =>
        there.evaluate(() => {
            const {code, at} = window.rsKept.sockets.at(-1);

            return code !== null && {code, at};
        }));

    assert.ok(at - began <= 2000, `closed after ${at - began} ms`);
    assert.equal(code, 4410);
    await there.waitForSelector('#stage[data-state="over"]');
    console.log(`closed ${at - began} ms after the click`);

    /* by the issuer, who forgets her, back to the first screen */
    await here.waitForSelector("#signin:not([hidden])");
    assert.equal(here.url(), stack.url + "console/");
    assert.deepEqual(await here.evaluate(async () => [
        sessionStorage.length,
        (await indexedDB.databases()).map((d) => d.name)]),
                     [0, ["rs-console"]]);
    await here.click("#signin-oidc");
    await here.waitForSelector("#login");

    /* the other page's token is refused from now on */
    await there.click("#overlay-back");
    await there.waitForSelector("#signin:not([hidden])");
    assert.match(await there.textContent("#signin-error"), /unauthenticated/);
    await here.context().close();
    await there.context().close();
});


test("a token without a nonce, or for another key, is not enough",
     {timeout: 120000}, async () => {
    const who = fromStack(stack.state, "anna");
    const nonce = randomBytes(32).toString("base64url");
    const ask = (token) => stack.apiWith(token).me();
    const claims = (token) => JSON.parse(Buffer.from(token.split(".")[1],
                                                     "base64url"));

    /* tokens of before the last second are refused since the sign-out */
    const good = await until("a token that is taken", async () => {
        const tokens = await signIn({...who, nonce,
                                     scope: "openid offline_access"});

        return (await ask(tokens.id_token)).name && tokens;
    });

    const bare = await signIn(who);

    assert.equal(claims(bare.id_token).nonce, undefined);
    await assert.rejects(ask(bare.id_token), {code: "unauthenticated"});

    /* what a refresh token gives: as good as its nonce, no more */
    const again = await renew(who, good.refresh_token);

    if (claims(again.id_token).nonce === undefined) {
        await assert.rejects(ask(again.id_token), {code: "unauthenticated"});

    } else {
        assert.equal(claims(again.id_token).nonce, nonce);
    }

    /* the console takes neither, though its issuer gives it */
    for (const token of [bare.id_token, good.id_token]) {
        const page = await browser.page();

        await page.route(stack.state.issuer.url + "/token", (route) =>
            route.fulfill({
                headers: {"Access-Control-Allow-Origin": "*"},
                json: {id_token: token, access_token: "a",
                       token_type: "Bearer", expires_in: 60},
            }));
        await page.goto(stack.url + "console/");
        await page.click("#signin-oidc");
        await page.fill("#login", who.account);
        await page.fill("#password", who.password);
        await page.click("#submit");
        await page.waitForSelector("#signin-error:not([hidden])");
        assert.match(await page.textContent("#signin-error"),
                     /Signing in did not work.*(?:nonce|key of this browser)/s);
        await page.context().close();
    }
});


test("several tenants: one after the other", {timeout: 120000}, async () => {
    const page = await browser.page();

    await come(page, "max");
    assert.deepEqual(await page.$$eval("#tenant option", (all) => all.map(
        (o) => o.value)), ["default", "acme"]);
    await page.waitForSelector(ROW());

    await page.selectOption("#tenant", "acme");
    await page.waitForSelector("#devices-empty:not([hidden])");
    assert.equal(await page.$$eval(".device", (all) => all.length), 0);
    await page.selectOption("#tenant", "default");
    await page.waitForSelector(ROW());
    await connect(page);
    await page.click("#stage-leave");
    await page.waitForSelector("#devices:not([hidden])");
    assert.deepEqual(page.complaints, []);
    await page.context().close();
});


test("who is known and may nothing is told so", {timeout: 60000}, async () => {
    const page = await browser.page();
    const {account, password} = fromStack(stack.state, "nobody");

    await page.goto(stack.url + "console/");
    await page.click("#signin-oidc");
    await page.fill("#login", account);
    await page.fill("#password", password);
    await page.click("#submit");
    await page.waitForSelector("#signin-error:not([hidden])");
    assert.match(await page.textContent("#signin-error"), /forbidden/);
    await page.context().close();
});
