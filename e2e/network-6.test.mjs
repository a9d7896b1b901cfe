
/*
 * Copyright (C) rs-gateway contributors
 *
 * Networks without IPv4: the gateway, the path and the relays have IPv6 only.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";

import { Browser } from "./lib/browser.mjs";
import { Net, PUB } from "./lib/net.mjs";
import { ANY, assertDirect, assertRelayed, close, noPath, open }
    from "./lib/route.mjs";
import { LONG } from "./lib/size.mjs";


let net, stack, browser;


before(async () => {
    net = await Net.open({tech: {family: 6}, site: {family: 6}});
    stack = await net.stack();
    browser = await Browser.start(stack, net.tech.enter);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await stack?.down();
    await net?.close();
}, {timeout: 60000});


test("IPv6 only: direct, host to host", {timeout: 120000}, async () => {
    const opened = await open(stack, browser);
    const {pair} = await assertDirect(stack, opened);

    assert.deepEqual([pair.local.address, pair.remote.address],
                     [net.tech.address, net.site.address]);
    await close(stack, opened);
});


test("IPv6 only, relay only: relay to relay, by relays of IPv6",
     {timeout: 120000}, async () => {
    const opened = await open(stack, browser, {policy: {relay_only: true}});
    const {pair} = await assertRelayed(stack, opened,
                                       {browser: ANY, agent: ANY});

    assert.deepEqual([pair.local.address, pair.remote.address],
                     [PUB.relay6, PUB.relay6]);
    await close(stack, opened);
});


test("IPv6 only, UDP blocked: TURN over TCP", {timeout: 120000, ...LONG},
     async () => {
    const [udp, tcp] = stack.state.turn.turn_urls;

    await net.tech.become({allow: "tcp"});
    await net.site.become({allow: "tcp"});
    await stack.setTurn([udp, tcp]);

    const opened = await open(stack, browser);

    await assertRelayed(stack, opened, {browser: "tcp", agent: "tcp"});
    await close(stack, opened);
});


test("IPv6 only, and TURN has only IPv4: no path, and that is said",
     {timeout: 120000, ...LONG}, async () => {
    const {port} = stack.state.turn;

    await stack.setTurn([`turn:${PUB.turn}:${port}?transport=tcp`]);
    await noPath(stack, browser);
});
