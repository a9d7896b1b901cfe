
/*
 * Copyright (C) rs-gateway contributors
 *
 * Somebody else's page, console/example/embed.html, on an origin of its own
 * and under a Content-Security-Policy of its own: a guest joins by a link,
 * sees, has control, lets go of it, reads that it is recorded; a page whose
 * origin is not in rs_origin gets nowhere.  Leaves screenshots in
 * build/screens/.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { Browser } from "../e2e/lib/browser.mjs";
import { look } from "../e2e/lib/look.mjs";
import { Stack, TOP } from "../e2e/lib/stack.mjs";
import { SPOTS, TestWindow } from "../e2e/lib/testwin.mjs";
import { until } from "../e2e/lib/wait.mjs";


const TYPES = {html: "text/html; charset=utf-8", css: "text/css",
               js: "text/javascript"};
const DESK = {width: 1440, height: 900};
const PHONE = {width: 390, height: 844};

let stack, browser, window, known, strange;


/* a host of somebody else's: the example's files, and a strict policy */
async function serve() {
    const server = createServer(async (request, response) => {
        const name = new URL(request.url, "http://x").pathname.slice(1);
        const type = TYPES[name.split(".").at(-1)];

        if (!/^embed\.\w+$/.test(name) || type === undefined) {
            response.writeHead(404).end();
            return;
        }

        const {origin, host} = new URL(stack.url);
        const text = await readFile(join(TOP, "console", "example", name),
                                    "utf8");

        response.writeHead(200, {"Content-Type": type,
            "Content-Security-Policy": "default-src 'none'; style-src "
                + `'self'; script-src 'self' ${origin}; connect-src ${origin}`
                + ` wss://${host}; base-uri 'none'; form-action 'none'; `
                + "frame-ancestors 'none'"});
        response.end(text.replace("https://support.example.net", origin));
    });

    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

    return {server, url: `http://127.0.0.1:${server.address().port}`};
}


before(async () => {
    known = await serve();
    strange = await serve();
    stack = await Stack.up(["--agent", "--http-conf",
                            `rs_origin ${known.url};`]);
    browser = await Browser.start(stack);
    window = await TestWindow.open(stack.state.desktop);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await window?.close();
    await stack?.down();

    for (const one of [known, strange]) {
        one?.server.closeAllConnections();
        one?.server.close();
    }
}, {timeout: 60000});


/* a session of the stack's, and a guest's link to it: what is behind "#" */
async function invited(role = "controller", pin = undefined) {
    const {session} = await stack.session(["viewer"]);
    const {join_url} = await stack.api.addParticipant(session.id, {
        link: true, role, ttl_s: 600, ...(pin ? {pin} : {})});

    return {session, hash: new URL(join_url).hash};
}


async function visit({url}, hash, {name = "Eve", pin = "", ...o} = {}) {
    const page = await browser.page({viewport: DESK, ...o});

    await page.goto(`${url}/embed.html${hash}`);
    await page.fill("#name", name);
    await page.fill("#pin", pin);
    await page.click("form button");

    return page;
}


const log = (page) => page.$$eval("#log li", (all) => all.map(
    (li) => li.textContent));

const logged = (page, text) => until(text, async () =>
    (await log(page)).includes(text));


/* a colour of the picture, as the page could read it itself */
async function shows(page, at, color) {
    await until(`the colour ${color}`, () => page.$eval("rs-view",
        (view, o) => {
            const video = view.shadowRoot.querySelector("video");
            const canvas = document.createElement("canvas");

            canvas.width = video.videoWidth;
            canvas.height = video.videoHeight;

            const c = canvas.getContext("2d");

            if (video.videoWidth === 0) {
                return false;
            }

            c.drawImage(video, 0, 0);

            const seen = c.getImageData(o.at.x, o.at.y, 1, 1).data;

            return o.color.every((v, i) => Math.abs(v - seen[i]) <= 40);
        }, {at, color}));
}


/* where a pixel of the picture is in the page */
function place(page, at) {
    return page.$eval("rs-view", (view, o) => {
        const video = view.shadowRoot.querySelector("video");
        const box = video.getBoundingClientRect();
        const scale = Math.min(box.width / video.videoWidth,
                               box.height / video.videoHeight);

        return [box.left + (box.width - video.videoWidth * scale) / 2
                + (o.x + 0.5) * scale,
                box.top + (box.height - video.videoHeight * scale) / 2
                + (o.y + 0.5) * scale];
    }, at);
}


test("a guest joins from a page of another origin, sees and controls",
     {timeout: 120000}, async () => {
    const {session, hash} = await invited("controller", "123456");
    const page = await visit(known, hash, {pin: "123456"});

    await logged(page, "rs-state: connected");
    assert.equal(new URL(page.url()).hash, "", "the link stays nowhere");
    await shows(page, SPOTS.red.look, SPOTS.red.color);

    /* nobody has control: it is asked for by the element's own button */
    if (!(await log(page)).includes("rs-control: true")) {
        await page.click("rs-view >> text=Ask for control");
        await logged(page, "rs-control: true");
    }

    window.clear();
    await page.mouse.click(...await place(page, SPOTS.blue));

    const hit = await window.wait({event: "button", button: 1, down: false});

    assert.ok(Math.abs(hit.x - SPOTS.blue.x) <= 3
              && Math.abs(hit.y - SPOTS.blue.y) <= 3, `${hit.x}, ${hit.y}`);
    await page.keyboard.press("k");
    await window.wait({event: "key", keysym: "k", down: false});
    await look(page, "embed");

    /* the keyboard is no trap */
    await page.keyboard.press("Control+Alt+Shift");
    assert.equal(await page.$eval("rs-view", (view) =>
        view.shadowRoot.activeElement?.textContent), "Leave");

    await page.click("rs-view >> text=Let go of control");
    await logged(page, "rs-control: false");
    await page.click("rs-view >> text=Leave");
    await logged(page, "rs-closed: left");
    assert.deepEqual(page.complaints, []);
    await page.context().close();
    await stack.api.endSession(session.id);
});


test("that it is recorded is said, bar or none; and the end",
     {timeout: 120000}, async () => {
    const {session, hash} = await invited("viewer");
    const page = await visit(known, hash, {viewport: PHONE,
                                           colorScheme: "dark"});

    await logged(page, "rs-state: connected");
    await page.$eval("rs-view", (view) => view.toggleAttribute("plain",
                                                               true));
    assert.equal(await page.isVisible("rs-view >> .bar"), false);

    /* as the gateway says it */
    await page.evaluate(() => window.rsKept.sockets.at(-1).hear(
        {type: "state", recording: "on"}));
    await logged(page, "rs-recording: on");
    assert.equal(await page.isVisible("rs-view >> text=Recorded"), true);
    await look(page, "embed-recorded");
    await page.$eval("rs-view", (view) => view.toggleAttribute("plain",
                                                               false));
    assert.equal(await page.isVisible("rs-view >> text=Recorded"), true);

    await stack.api.endSession(session.id);
    await logged(page, "rs-closed: deleted");
    await page.waitForSelector("rs-view >> text=The session was ended");
    assert.deepEqual(page.complaints, []);
    await page.context().close();
});


test("a wrong PIN, a link that is none, an origin that is not let in",
     {timeout: 120000}, async () => {
    const {session, hash} = await invited("viewer", "123456");

    for (const [where, link, pin, text] of [
        [known, hash, "000000", "This link or PIN is not valid"],
        [known, "#guest=" + "a".repeat(40), "",
         "This link or PIN is not valid"],
        [strange, hash, "123456", "The gateway cannot be reached"]])
    {
        const page = await visit(where, link, {pin});

        await logged(page, "rs-closed: error");
        await page.waitForSelector(`rs-view >> text=${text}`);
        assert.deepEqual(page.complaints, []);
        await page.context().close();
    }

    await stack.api.endSession(session.id);
});


test("attributes alone, taken away and given back", {timeout: 120000},
     async () => {
    const first = await stack.session(["viewer"]);
    const second = await stack.session(["viewer"]);
    const page = await browser.page({viewport: DESK});

    await page.goto(`${known.url}/embed.html`);

    const give = (link, more = {}) => page.$eval("rs-view", (view, o) => {
        view.hidden = false;

        for (const [name, value] of Object.entries(o)) {
            view.setAttribute(name, value);
        }
    }, {base: stack.url + "rs/v1", link, ...more});

    await give(first.links[0], {"view-only": ""});
    await logged(page, "rs-state: connected");
    await page.$eval("rs-view", (view) => {
        window.kept = view;
        view.remove();
    });
    await until("the place is given up", async () => {
        const {state} = await stack.api.session(first.session.id);

        return state === "ended";       /* its last viewer left */
    });

    const before = (await log(page)).length;

    await page.evaluate(() => {
        window.kept.removeAttribute("link");
        document.querySelector("main").append(window.kept);
    });
    await give(second.links[0]);
    await until("another connection", async () =>
        (await log(page)).slice(before).includes("rs-state: connected"));
    assert.deepEqual(page.complaints, []);
    await page.context().close();
    await stack.api.endSession(second.session.id);
});
