
/*
 * Copyright (C) rs-gateway contributors
 *
 * The open peer policy: between symmetric NATs one relay is enough, since it
 * may talk to the other side's router.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";

import { Browser } from "./lib/browser.mjs";
import { Net } from "./lib/net.mjs";
import { close, open, way } from "./lib/route.mjs";


let net, stack, browser;


before(async () => {
    net = await Net.open({tech: {nat: "symmetric"}, site: {nat: "symmetric"}});
    stack = await net.stack(["--turn-peers", "open"]);
    browser = await Browser.start(stack, net.tech.enter);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await stack?.down();
    await net?.close();
}, {timeout: 60000});


test("symmetric and symmetric: over one relay", {timeout: 120000},
     async () => {
    const opened = await open(stack, browser);
    const {pair, paths} = await way(stack, opened);
    const relays = [pair.local, pair.remote].filter(
        (candidate) => candidate.candidateType === "relay");

    assert.equal(relays.length, 1,
                 `${pair.local.candidateType}, ${pair.remote.candidateType}`);

    /* the relay's other end is the router of the other side */
    const ends = [pair.local, pair.remote];
    const router = ends[relays[0] === ends[0] ? 1 : 0];

    assert.equal(router.candidateType, "prflx");
    assert.equal(paths.controller.kind, "relay");
    assert.equal(paths.host.kind, "relay");
    await opened.page.waitForSelector('#path[data-kind="relay"]');
    await close(stack, opened);
});
