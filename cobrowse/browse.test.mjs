
/*
 * Copyright (C) rs-gateway contributors
 *
 * Two people and a browser that is made for them, nothing but relays between
 * all three: both see the same page, one scrolls and clicks, control is handed
 * over, the other types; a third leaves.  The session ends, and nothing of it
 * is left: no process, no namespace, no file.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";

import { connected, place, screenshot, selectedPair, shows }
    from "../e2e/lib/browser.mjs";
import { until } from "../e2e/lib/wait.mjs";
import { Site, SITE } from "./lib/site.mjs";
import { World } from "./lib/world.mjs";


const RED = [255, 0, 0];
const GREEN = [0, 255, 0];
const BLUE = [0, 0, 255];
const YELLOW = [255, 255, 0];

const OPEN = {x: 900, y: 500};
const BUTTON = {x: 200, y: 150};
const FIELD = {x: 200, y: 315};

let world, site, browser;


before(async () => {
    site = await Site.open();
    world = await World.open();
    browser = await world.browser();
}, {timeout: 120000});


after(async () => {
    await world?.close();
    await site?.close();
}, {timeout: 60000});


async function join(link) {
    const page = await browser.page();

    await page.goto(link);
    await connected(page);

    return page;
}


const has = (page, yes) =>
    page.waitForSelector(`#stage[data-control="${yes}"]`);


/* nothing else than relays was offered, and one is used */
async function relayed(page) {
    const pair = await selectedPair(page);

    assert.equal(pair.local.candidateType, "relay");

    const sdp = await page.evaluate(() => {
        const pc = window.rsKept.connections.at(-1);

        return pc.localDescription.sdp + pc.remoteDescription.sdp;
    });

    assert.deepEqual([...new Set([...sdp.matchAll(/ typ (\w+)/g)]
                                 .map((m) => m[1]))], ["relay"]);
}


async function click(page, at) {
    await page.mouse.click(...await place(page, at));
}


test("two people at one browser, and a third who leaves",
     {timeout: 240000}, async () => {
    const start = Date.now();
    const {session, links} = await world.session([], {
        url: site.url(), participants: [
            {role: "controller", name: "Ana"},
            {role: "controller", name: "Bo"},
            {role: "viewer", name: "Cy"}]});

    assert.equal(session.policy.relay_only, true);

    const first = await join(links[0]);

    console.log(`# picture after ${((Date.now() - start) / 1000).toFixed(1)} `
                + "s, with a warm instance");

    const second = await join(links[1]);
    const third = await join(links[2]);

    for (const page of [first, second, third]) {
        await shows(page, OPEN, RED);
        await shows(page, BUTTON, YELLOW);
        await relayed(page);
    }

    await screenshot(first, "browse-first");

    /* the browser says what it is */
    const {agent, size} = await site.hears("a visit", (s) => s.opened);

    assert.match(agent, / RsRenderingService\/\d/);
    assert.ok(Math.abs(size[0] - 1280) <= 1 && Math.abs(size[1] - 720) <= 1,
              `${size} is no 1280 by 720`);

    const {visits} = await site.heard();

    assert.match(visits.at(-1)["user-agent"], / RsRenderingService\/\d/);
    assert.equal(await first.inputValue("#page-url"), site.url());

    await hands(first, second);

    /* somebody who only looks leaves, and nobody notices */
    await third.click("#stage-leave");
    await third.context().close();
    await until("one less", async () =>
        (await world.look(session)).participants
            .filter((p) => p.connected ?? p.online).length <= 3);
    await first.bringToFront();
    await shows(first, OPEN, BLUE);

    assert.equal(world.instances().folders.length >= 1, true);
    assert.equal(world.instances().namespaces.length >= 1, true);
    assert.deepEqual([...first.complaints, ...second.complaints], []);

    await ends(session, [first, second]);
});


/* one scrolls and clicks, the other one types */
async function hands(first, second) {
    await has(first, true);
    await has(second, false);

    await click(first, BUTTON);
    await site.hears("the click", (s) => s.clicked);
    await shows(first, BUTTON, GREEN);
    await shows(second, BUTTON, GREEN);

    await first.mouse.move(...await place(first, OPEN));
    await until("the scrolled page", async () => {
        await first.mouse.wheel(0, 600);

        return (await site.heard()).said.some((s) => s.scrolled > 1500);
    });
    await shows(first, OPEN, BLUE);
    await shows(second, OPEN, BLUE);

    /* who has no control does nothing */
    await click(second, FIELD);
    await second.keyboard.type("nothing");

    await second.click("#tool-people");
    await second.click('#panel-people button[data-op="request"]');
    await first.click("#tool-people");
    await first.click('#panel-people li[data-role="controller"] '
                      + 'button[data-op="grant"]');
    await has(second, true);
    await has(first, false);
    await first.click("#side-close");
    await second.click("#side-close");

    await click(second, FIELD);
    await second.keyboard.type("Hello, 42");
    await site.hears("what was typed", (s) => s.typed === "Hello, 42");

    const {said} = await site.heard();

    assert.ok(said.every((s) => !s.typed || "Hello, 42".startsWith(s.typed)),
              JSON.stringify(said.filter((s) => s.typed)));
}


/* and everything is gone, but for who waits for the next session */
async function ends(session, pages) {
    const before = world.instances();
    const at = Date.now();

    await world.api.endSession(session.id);
    await Promise.all(pages.map((page) =>
        page.waitForSelector('#stage[data-state="over"]')));
    await until("end of the instance", () => {
        const now = world.instances();
        const left = (name, id) => before[name].map(id).filter((one) =>
            now[name].map(id).includes(one));
        const used = before.hosts.map((p) => p.pid);

        return used.some((pid) =>
                   !now.processes.some((p) => p.pid === pid
                                       || p.parent === pid))
               && left("namespaces", (n) => n).length
                  < before.namespaces.length
               && left("folders", (f) => f).length < before.folders.length;
    }, 5000);

    console.log(`# gone after ${Date.now() - at} ms`);
    await Promise.all(pages.map((page) => page.context().close()));
}


test("the site was never asked by anybody else", {timeout: 30000},
     async () => {
    const {visits} = await site.heard();

    assert.ok(visits.length >= 1);
    assert.ok(visits.every((v) => v.host === SITE
                           && / RsRenderingService\//.test(v["user-agent"])));
});
