
/*
 * Copyright (C) rs-gateway contributors
 *
 * Whatever a device, a guest or the gateway says is shown as text: strings
 * that are markup, script or both, through each field there is.  A page with
 * them has exactly the elements it has with a plain word, nothing ran, and
 * the content security policy had nothing to refuse.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";

import { fromStack } from "./issuer/sign-in.mjs";
import { Browser, connected } from "./lib/browser.mjs";
import { DevicePage } from "./lib/device.mjs";
import { Stack } from "./lib/stack.mjs";
import { until } from "./lib/wait.mjs";


/* each fits into a tag, 64 characters */
const STRINGS = [
    "<script>rsXss()</script>",
    "<img src=x onerror=rsXss()>",
    "<svg onload=rsXss()>",
    "\"><script>rsXss()</script>",
    "'><img src=x onerror=rsXss()>",
    "</title><script>rsXss()</script>",
    "</textarea><svg/onload=rsXss()>",
    "</script><script>rsXss()</script>",
    "</h2></li></ul><script>rsXss()</script>",
    "<iframe src=javascript:parent.rsXss()>",
    "<iframe srcdoc='<script>parent.rsXss()</script>'>",
    "<body onload=rsXss()>",
    "<input autofocus onfocus=rsXss()>",
    "<details open ontoggle=rsXss()>",
    "<video><source onerror=rsXss()>",
    "<audio src=x onerror=rsXss()>",
    "<marquee onstart=rsXss()>",
    "<object data=javascript:rsXss()>",
    "<embed src=javascript:rsXss()>",
    "<a href=javascript:rsXss()>click</a>",
    "<math><mi xlink:href=javascript:rsXss()>",
    "<form action=javascript:rsXss()><button>",
    "<button formaction=javascript:rsXss() type=submit>",
    "<base href=javascript:rsXss()//>",
    "<link rel=stylesheet href=data:,rsXss()>",
    "<meta http-equiv=refresh content=0;javascript:rsXss()>",
    "<style>@import'javascript:rsXss()'</style>",
    "<div style=background:url(javascript:rsXss())>",
    "<table background=javascript:rsXss()>",
    "<svg><script>rsXss()</script></svg>",
    "<svg><animate onbegin=rsXss() attributeName=x>",
    "<svg><use href=data:image/svg+xml,rsXss()>",
    "javascript:rsXss()",
    "data:text/html,<script>rsXss()</script>",
    "&lt;script&gt;rsXss()&lt;/script&gt;",
    "&#60;img src=x onerror=rsXss()&#62;",
    "%3Cscript%3ErsXss()%3C/script%3E",
    "\\u003cscript\\u003ersXss()\\u003c/script\\u003e",
    "{{constructor.constructor('rsXss()')()}}",
    "${rsXss()}",
    "`${rsXss()}`",
    "<<script>rsXss()//<</script>",
    "<scr<script>ipt>rsXss()</scr</script>ipt>",
    "<IMG SRC=x ONERROR=rsXss()>",
    "<img/src=x/onerror=rsXss()>",
    "<img src=x onerror=\"rsXss()",
    "<!--<img src=\"--><img src=x onerror=rsXss()>",
    "<template><script>rsXss()</script></template>",
    "<xss id=x tabindex=1 onfocus=rsXss()></xss>",
    "');rsXss();//",
    "\";rsXss();\"",
    "<noscript><img src=x onerror=rsXss()></noscript>",
    "<dialog open onclose=rsXss()>",
    "__proto__",
    "constructor",
];
const PLAIN = "plain";

let stack, browser, devices;


before(async () => {
    stack = await Stack.up(["--oidc"]);
    browser = await Browser.start(stack);
    devices = await DevicePage.open(browser, stack);
}, {timeout: 120000});


after(async () => {
    await devices?.close();
    await browser?.close();
    await stack?.down();
}, {timeout: 60000});


/* a page that counts what runs and what its policy refuses */
async function watched() {
    const page = await browser.page();

    await page.addInitScript(() => {
        window.rsRan = 0;
        window.rsRefused = [];
        window.rsXss = () => {
            window.rsRan++;
        };
        addEventListener("securitypolicyviolation", (ev) => {
            window.rsRefused.push(ev.violatedDirective);
        });
    });
    page.on("dialog", (d) => {
        page.complaints.push(`dialog: ${d.message()}`);
        d.dismiss();
    });

    return page;
}


async function clean(page) {
    assert.equal(await page.evaluate(() => window.rsRan), 0, "nothing ran");
    assert.deepEqual(await page.evaluate(() => window.rsRefused), [],
                     "nothing was refused");
    assert.deepEqual(page.complaints, []);
}


/* the page's elements: a name for each, in order; of lists of facts, whose
 * length changes with the picture, only what should not be in them */
function elements(page) {
    return page.evaluate(() => Array.from(document.querySelectorAll(
        "*:not(dl > dt, dl > dd)"), (e) => e.localName));
}


async function signIn(page) {
    await page.goto(stack.url + "console/");
    await page.fill("#key", stack.key);
    await page.click("#signin-go");
    await page.waitForSelector("#devices:not([hidden])");
}


async function signInAs(page, name) {
    const {account, password} = fromStack(stack.state, name);

    await page.goto(stack.url + "console/");
    await page.click("#signin-oidc");
    await page.fill("#login", account);
    await page.fill("#password", password);
    await page.click("#submit");
    await page.waitForSelector("#devices:not([hidden])");
}


const row = (id) => `.device[data-device="${id}"]`;


test("there are enough of them", () => {
    assert.ok(STRINGS.length >= 40);
    assert.equal(new Set(STRINGS).size, STRINGS.length);
    assert.ok(STRINGS.every((s) => s.length <= 64));
});


test("a device's name, tags, metadata and agent, in the list",
     {timeout: 180000}, async () => {
    const all = [PLAIN, ...STRINGS];
    const ids = [];

    for (const text of all) {
        ids.push(await devices.enroll({
            name: text, meta: {os: text, [text]: text}, online: true,
            agent: {name: text, version: text, os: text, instance: text},
        }, [text, "t2"]));
    }

    const page = await watched();

    await signIn(page);
    await page.waitForFunction((n) => document.querySelectorAll(
        '.device[data-online="true"]').length === n, all.length);

    const shape = (id) => page.$eval(row(id), (li) => Array.from(
        li.querySelectorAll("*"), (e) => e.localName));
    const plain = await shape(ids[0]);

    for (const [i, text] of all.entries()) {
        const said = await page.$eval(row(ids[i]), (li) => ({
            name: li.querySelector(".name").textContent,
            about: li.querySelector(".about").textContent,
            tags: Array.from(li.querySelectorAll(".tags li"),
                             (t) => t.textContent),
            label: li.querySelector(".connect").getAttribute("aria-label"),
        }));

        assert.deepEqual(said, {name: text, about: `${text} · ${text} ${text}`,
                                tags: [text, "t2"],
                                label: `Connect to ${text}`});
        assert.deepEqual(await shape(ids[i]), plain, text);
    }

    /* what is typed, and the options' title */
    for (const [i, text] of STRINGS.entries()) {
        await page.fill("#search", text);
        await page.waitForSelector(row(ids[i + 1]));
    }

    await page.fill("#search", "");
    await page.click(row(ids[1]) + " .options");
    assert.equal(await page.textContent("#options-title"),
                 "Connect to " + STRINGS[0]);
    await clean(page);
    await page.context().close();
});


test("what the gateway itself might say: names that it refuses, and errors",
     {timeout: 120000}, async () => {
    const page = await watched();

    await signIn(page);

    /* a gateway that checks nothing */
    let text = PLAIN;

    const device = () => ({
        id: "dev_x" + text, name: text, online: false, tags: [text, text],
        meta: {os: text}, last_seen_at: text, connected_at: text,
        agent: {name: text, version: text}});

    await page.route("**/devices?*", (route) => route.fulfill({
        contentType: "application/json",
        body: JSON.stringify({items: [device()], next_cursor: null})}));

    const seen = (what) => page.waitForFunction(
        (what) => document.querySelector("#device-list .name")?.textContent
                  === what, what);
    const again = () => page.click('[data-page="devices"]');

    await again();      /* goes there by address, and from then on stays */
    await again();
    await seen(PLAIN);

    const plain = await elements(page);

    for (text of ["\u202egnp.exe\u0000\u0007\u009b31m", ...STRINGS]) {
        await again();
        await seen(text);
        assert.deepEqual(await elements(page), plain, text);
    }

    /* problems, of the gateway or of whatever answers in its place */
    await page.unrouteAll();

    const failed = (what) => page.waitForFunction((what) =>
        document.getElementById("devices-error").textContent.includes(what),
        what);

    await page.route("**/devices?*", (route) => route.fulfill({
        status: 500, contentType: "application/problem+json",
        body: JSON.stringify({code: text, title: text, detail: text,
                              request_id: text})}));
    text = PLAIN;
    await again();
    await failed(PLAIN);

    const shape = await elements(page);

    for (text of STRINGS) {
        await again();
        await failed(`${text} · ${text} · request ${text}`);
        assert.deepEqual(await elements(page), shape, text);
    }

    await page.unrouteAll();
    await clean(page);
    await page.context().close();
});


test("why a device fails: code and message, and its own words of rejection",
     {timeout: 180000}, async () => {
    const id = await devices.enroll({name: "failing", online: true,
                                     agent: {name: "x"}});
    const page = await watched();

    await devices.set(id, {reply: {code: "busy", message: PLAIN}});
    await signIn(page);
    await page.click(row(id) + '[data-online="true"] .connect');

    const told = (what) => until(`"${what}" in the overlay`, async () =>
        (await page.textContent("#overlay-detail")).includes(what)
        && await page.getAttribute("#stage", "data-state") === "failed");

    await told(`busy · ${PLAIN}`);

    const plain = await elements(page);

    for (const text of STRINGS) {
        await devices.set(id, {reply: {code: "busy", message: text}});
        await page.click("#overlay-retry");
        await told(`busy · ${text}`);
        assert.deepEqual(await elements(page), plain, text);
    }

    for (const text of STRINGS) {
        await devices.set(id, {reply: {code: text, message: "m"}});
        await page.click("#overlay-retry");
        await told(`${text} · m`);
    }

    await page.click("#overlay-back");

    for (const detail of STRINGS.slice(0, 8)) {
        await devices.set(id, {reject: {reason: "busy", detail}});
        await page.click(row(id) + " .connect");
        await page.waitForSelector('#stage[data-state="over"]');
        assert.doesNotMatch(await page.textContent("#stage"), /rsXss/);
        await page.click("#overlay-back");
    }

    await clean(page);
    await page.context().close();
});


test("who takes part, what the device says of us, paths, reasons",
     {timeout: 180000}, async () => {
    const id = await devices.enroll({name: "talking", online: true,
                                     agent: {name: "x"}});
    const page = await watched();

    await devices.set(id, {operator: {verified: false, reason: PLAIN}});
    await signIn(page);
    await page.click(row(id) + '[data-online="true"] .connect');
    await connected(page);

    const [session] = (await stack.api.sessions({device_id: id})).items;
    const hear = (message) => page.evaluate((m) => window.rsKept.sockets
        .findLast((s) => s.url.endsWith("/signal")).hear(m), message);
    const people = () => page.$$eval("#people li", (all) => all.map(
        (li) => [li.textContent, li.querySelectorAll("*").length]));

    /* a real guest, by the gateway */
    const {join_url} = await stack.api.addParticipant(session.id, {
        role: "viewer", name: STRINGS[0]});
    const guest = await watched();

    await guest.goto(join_url);
    await connected(guest);
    await until("the guest in the list", async () =>
        (await people()).some(([text]) => text.startsWith(STRINGS[0])));
    assert.equal(await guest.textContent("#stage-name"), "talking");
    await clean(guest);
    await guest.context().close();
    await until("the guest away", async () => !(await people()).some(
        ([text]) => text === `${STRINGS[0]} viewer`));

    /* and all the others, as if the gateway had said it */
    const shape = (await people()).at(-1)[1];

    for (const text of STRINGS) {
        await hear({type: "joined", peer: {id: "par_x", role: text,
                                           name: text, state: "joined"}});
        assert.deepEqual((await people()).at(-1), [`${text} ${text}`, shape]);
        await hear({type: "state", peer: "par_x", session_state: text,
                    path: {kind: text, protocol: text, local: text,
                           remote: text, rtt_ms: text}});
        await hear({type: "error", code: text, message: text});
        await hear({type: "left", peer: "par_x", reason: text});
        await hear({type: "input", from: text, data: {type: text}});
    }

    await clean(page);

    /* the host's own name, of which a guest's page makes its title */
    const viewer = await watched();
    const {join_url: other} = await stack.api.addParticipant(session.id, {
        role: "viewer"});
    const {participants} = await stack.api.session(session.id);
    const host = participants.find((p) => p.role === "host").id;

    await viewer.goto(other);
    await connected(viewer);

    const plain = await elements(viewer);

    for (const text of STRINGS) {
        await viewer.evaluate(([id, name]) => window.rsKept.sockets.at(-1)
            .hear({type: "joined", peer: {id, role: "host", name,
                                          state: "joined"}}), [host, text]);
        assert.equal(await viewer.textContent("#stage-name"), text);
        assert.equal(await viewer.title(), `${text} · Remote support`);
        assert.equal(await viewer.getAttribute("#screen", "aria-label"),
                     `Screen of ${text}`);
        assert.deepEqual(await elements(viewer), plain, text);
    }

    await viewer.evaluate((reason) => window.rsKept.sockets.at(-1).hear(
        {type: "ended", reason}), STRINGS[1]);
    await viewer.waitForSelector('#stage[data-state="over"]');
    await clean(viewer);
    await viewer.context().close();
    await page.context().close();
});


test("what a device says of the operator's proof, and what an issuer calls us",
     {timeout: 180000}, async () => {
    const id = await devices.enroll({name: "checking", online: true,
                                     agent: {name: "x"}});
    const page = await watched();

    await devices.set(id, {operator: {verified: false, reason: PLAIN}});
    await signInAs(page, "ada");
    await page.click(row(id) + '[data-online="true"] .connect');
    await connected(page);
    await page.click("#trust summary");

    const told = (what) => page.waitForFunction((what) =>
        document.getElementById("trust-facts").textContent.includes(what),
        what);

    await told(PLAIN);

    const plain = await elements(page);

    for (const [i, text] of STRINGS.entries()) {
        await devices.set(id, {operator: i % 2 === 0
                                         ? {verified: true, name: text}
                                         : {verified: false, reason: text}});
        await page.evaluate(() => dispatchEvent(new Event("online")));
        await told(text);
        await connected(page);
        assert.deepEqual(await elements(page), plain, text);
    }

    await page.click("#stage-leave");
    await page.waitForSelector("#devices:not([hidden])");
    await clean(page);

    /* the gateway's word for the name, and for tenants */
    for (const text of STRINGS.slice(0, 8)) {
        await page.route("**/me", (route) => route.fulfill({json: {
            kind: "user", id: text, name: text, tenant: text,
            tenants: [{tenant: text}, {tenant: "b"}], verbs: [text],
            granted: [text], grants: [{verbs: [text]}]}}));
        await page.goto(stack.url + "console/");
        await page.click("#signin-oidc");
        await page.waitForSelector("#devices:not([hidden])");
        assert.equal(await page.textContent("#account-name"), text);
        assert.deepEqual(await page.$$eval("#tenant option", (all) => all.map(
            (o) => o.textContent)), [text, "b"]);
        assert.equal(await page.$$eval("#tenant *, #account-name *",
                                       (all) => all.length), 2);
    }

    await clean(page);
    await page.context().close();
});
