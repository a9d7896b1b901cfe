
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a rendered browser reaches: a host of the internet; and what it does
 * not, by the address row as by the scripts of a page: this machine, its
 * neighbours, the gateway, what clouds keep for their own machines, and a
 * name that led to the internet when it was first looked up.  Servers stand
 * where it must not come, and are not asked for anything.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";

import { connected } from "../e2e/lib/browser.mjs";
import { until } from "../e2e/lib/wait.mjs";
import { Site, SITE } from "./lib/site.mjs";
import { World } from "./lib/world.mjs";


const METADATA = "169.254.169.254";

let world, site, browser, trap, session, page;


before(async () => {
    trap = await listen();
    world = await World.open();
    site = await Site.open({
        "site.example.test": [SITE],
        "rebind.example.test": (n) => [n === 1 ? SITE : "127.0.0.1"],
        "near.example.test": [world.stack.state.nodes[0].ip],
        "metadata.example.test": [METADATA],
        "two.example.test": ["10.0.0.1", SITE],
    });
    browser = await world.browser();

    const made = await world.session(["controller"], {url: site.url()});

    session = made.session;
    page = await browser.page();
    await page.goto(made.links[0]);
    await connected(page);
    await page.waitForSelector('#stage[data-control="true"]');
    await site.hears("a visit", (s) => s.opened);
}, {timeout: 180000});


after(async () => {
    await world?.close();
    await site?.close();
    trap?.close();
}, {timeout: 60000});


/* whoever comes here has reached this machine */
async function listen() {
    const server = createServer((_, response) => {
        server.asked++;
        response.setHeader("Access-Control-Allow-Origin", "*");
        response.end("this machine");
    });

    server.asked = 0;
    server.listen(80, "0.0.0.0");
    await once(server, "listening");

    return server;
}


async function go(url) {
    await page.fill("#page-url", url);
    await page.keyboard.press("Enter");
}


/* the row says that it was not allowed, and where to; of several within a
 * moment it tells of one */
async function refused(url) {
    await until(`refusal of ${url}`, async () => {
        await go(url);
        await new Promise((resolve) => setTimeout(resolve, 500));

        const text = await page.textContent("#page-said");

        return /not within reach/i.test(text) && text.includes(
            new URL(url).host);
    });
}


test("a host of the internet, by its address and by a name",
     {timeout: 60000}, async () => {
    await go("http://site.example.test/page");
    await site.hears("a visit by name", (s) =>
        s.opened === "http://site.example.test/page");
    await until("the address in the row", async () =>
        await page.inputValue("#page-url")
        === "http://site.example.test/page");

    /* one that has an address it must not reach, too */
    await go("http://two.example.test/page");
    await site.hears("a visit", (s) =>
        s.opened === "http://two.example.test/page");
});


test("not this machine, its neighbours, the gateway, or metadata",
     {timeout: 300000}, async () => {
    const {ip, https_port} = world.stack.state.nodes[0];

    const hosts = ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]",
                   "0.0.0.0", "127.1", "10.0.0.1", "192.168.0.1",
                   "172.16.0.1", "100.64.0.1", "[fd00::1]", ip, METADATA,
                   "near.example.test", "metadata.example.test",
                   `${SITE}:25`];

    for (const url of [...hosts.map((host) => `http://${host}/`),
                       `https://${ip}:${https_port}/rs/v1/health/live`])
    {
        await refused(url);
    }

    assert.equal(trap.asked, 0);
});


test("nor by the scripts of a page", {timeout: 60000}, async () => {
    const {ip} = world.stack.state.nodes[0];
    const no = ["http://127.0.0.1/", "http://localhost/", `http://${ip}/`,
                `http://${METADATA}/`, "http://near.example.test/",
                "http://documents.rs.internal:81/"];
    const yes = [`http://${SITE}/who`, "http://site.example.test/who"];
    const query = [...no, ...yes].map((to) =>
        "to=" + encodeURIComponent(to)).join("&");

    await go(site.url(`/probe?${query}`));

    const {tried} = await site.hears("what became of it", (s) => s.tried);

    assert.deepEqual(tried, Object.fromEntries([
        ...no.map((to) => [to, "refused"]),
        ...yes.map((to) => [to, "reached"])]));
    assert.equal(trap.asked, 0);
});


test("a name that leads elsewhere the second time", {timeout: 60000},
     async () => {
    await go("http://rebind.example.test/rebind?report="
             + encodeURIComponent(site.url("/said")));

    const {heard} = await site.hears("what it heard", (s) => s.heard);

    assert.ok(site.asked["rebind.example.test"] > 1,
              "it was looked up again");
    assert.ok(heard.every((who) => who === "site" || who === "refused"),
              heard.join(" "));
    assert.ok(heard.includes("refused"), heard.join(" "));
    assert.equal(trap.asked, 0);
});


test("nor what is no web: files, the browser's own pages",
     {timeout: 60000}, async () => {

    /* the row takes none of them; what is said to the host is another thing */
    for (const url of ["file:///etc/passwd", "chrome://version",
                       "view-source:" + site.url(),
                       "javascript:alert(1)", "data:text/html,x"])
    {
        const shown = new URL(url).href;

        /* several at once are told of once */
        await until(`refusal of ${url}`, async () => {
            await page.evaluate((to) => {
                const channel = window.rsKept.channels
                    .filter((c) => c.label === "rs-page").at(-1);

                channel.send(JSON.stringify({type: "go", url: to}));

                return new Promise((resolve) => setTimeout(resolve, 300));
            }, url);

            const text = await page.textContent("#page-said");

            return text.includes(url) || text.includes(shown);
        });
    }

    assert.match(await page.inputValue("#page-url"), /^http:/);
    assert.deepEqual(page.complaints, []);
    await page.context().close();
    await world.api.endSession(session.id);
});
