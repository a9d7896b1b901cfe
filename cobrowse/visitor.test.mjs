
/*
 * Copyright (C) rs-gateway contributors
 *
 * A visitor of somebody else's page and an adviser, at one rendered browser
 * that is recorded: both are at console/example/embed.html on an origin of
 * its own, both see the same page under relay-only and read that it is
 * recorded; the visitor gets control and goes on to another page, which the
 * adviser sees.  Leaves a screenshot in build/screens/.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { join } from "node:path";

import { look } from "../e2e/lib/look.mjs";
import { TOP } from "../e2e/lib/stack.mjs";
import { until } from "../e2e/lib/wait.mjs";
import { World } from "./lib/world.mjs";


const TYPES = {html: "text/html; charset=utf-8", css: "text/css",
               js: "text/javascript"};
const COLORS = {"/one": [200, 30, 40], "/two": [20, 60, 200]};

let world, server, port, ip;


/* the page of somebody else, and what is looked at */
async function answer(request, response) {
    const {pathname} = new URL(request.url, "http://x");
    const [, kind] = /^\/embed\.(\w+)$/.exec(pathname) ?? [];

    if (kind !== undefined) {
        const text = await readFile(join(TOP, "console", "example",
                                         `embed.${kind}`), "utf8");

        response.writeHead(200, {"Content-Type": TYPES[kind]});
        response.end(text.replace("https://support.example.net",
                                  new URL(world.stack.url).origin));
        return;
    }

    response.writeHead(COLORS[pathname] ? 200 : 404,
                       {"Content-Type": "text/html"});
    response.end(`<title>${pathname}</title><body style="background:rgb(${
                 COLORS[pathname]})">`);
}


before(async () => {
    ip = Object.values(networkInterfaces()).flat().find(
        (one) => one.family === "IPv4" && !one.internal)?.address
         ?? "127.0.0.1";
    server = createServer(answer);
    await new Promise((resolve) => server.listen(0, "0.0.0.0", resolve));
    ({port} = server.address());
    world = await World.open({
        record: true, renderConf: [`egress.allow=${ip}`],
        options: ["--http-conf", `rs_origin http://127.0.0.1:${port};`]});
}, {timeout: 180000});


after(async () => {
    await world?.close();
    server?.closeAllConnections();
    server?.close();
}, {timeout: 60000});


async function visit(link, name) {
    const page = await (await world.browser()).page({
        viewport: {width: 1200, height: 900}});

    await page.goto(`http://127.0.0.1:${port}/embed.html${
                       new URL(link).hash}`);
    await page.fill("#name", name);
    await page.click("form button");
    await logged(page, "rs-state: connected");

    return page;
}


function logged(page, text) {
    return until(text, () => page.$$eval("#log li", (all, wanted) =>
        all.some((li) => li.textContent === wanted), text));
}


/* the middle of the picture */
function shows(page, color) {
    return until(`the colour ${color}`, () => page.$eval("rs-view",
        (view, wanted) => {
            const video = view.shadowRoot.querySelector("video");
            const canvas = document.createElement("canvas");

            canvas.width = canvas.height = 8;

            const c = canvas.getContext("2d");

            c.drawImage(video, 0, 0, 8, 8);

            const seen = c.getImageData(4, 5, 1, 1).data;

            return wanted.every((v, i) => Math.abs(v - seen[i]) <= 40);
        }, color));
}


test("a visitor and an adviser, a page of another origin, a recording",
     {timeout: 180000}, async () => {
    const {session, links: [link]} = await world.session(["controller"], {
        url: `http://${ip}:${port}/one`, policy: {recording: "required"}});
    const {join_url} = await world.api.addParticipant(session.id, {
        link: true, role: "controller", ttl_s: 600});
    const adviser = await visit(link, "");
    const visitor = await visit(join_url, "Eve");

    for (const page of [adviser, visitor]) {
        await logged(page, "rs-recording: on");
        await logged(page, `rs-page: http://${ip}:${port}/one`);
        await shows(page, COLORS["/one"]);
        assert.equal(await page.isVisible("rs-view >> text=Recorded"), true);
    }

    await look(visitor, "visitor");
    assert.equal((await world.look(session)).policy.relay_only, true);

    /* control goes over, and with it the address row */
    await adviser.click("rs-view >> text=Let go of control");
    await logged(adviser, "rs-control: false");
    await visitor.click("rs-view >> text=Ask for control");
    await logged(visitor, "rs-control: true");
    await visitor.fill("rs-view >> input", `http://${ip}:${port}/two`);
    await visitor.keyboard.press("Enter");

    for (const page of [adviser, visitor]) {
        await logged(page, `rs-page: http://${ip}:${port}/two`);
        await shows(page, COLORS["/two"]);
    }

    await world.api.endSession(session.id);

    for (const page of [adviser, visitor]) {
        await logged(page, "rs-closed: deleted");
        assert.deepEqual(page.complaints, []);
        await page.context().close();
    }

    await until("what was kept", async () =>
        (await world.api.page("/recordings")).items.some(
            (r) => r.session_id === session.id && r.state === "kept"));
});
