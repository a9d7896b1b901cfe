
/*
 * Copyright (C) rs-gateway contributors
 *
 * A technician with IPv6 only and a device with IPv4 only: a coturn that has
 * both is where they meet.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";

import { Browser } from "./lib/browser.mjs";
import { Net, PUB } from "./lib/net.mjs";
import { ANY, assertRelayed, close, noPath, open } from "./lib/route.mjs";


let net, stack, browser;


before(async () => {
    net = await Net.open({tech: {family: 6}, site: {family: 4, nat: "cone"}});
    stack = await net.stack();
    browser = await Browser.start(stack, net.tech.enter);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await stack?.down();
    await net?.close();
}, {timeout: 60000});


test("IPv6 only to IPv4 only: relay to relay, by relays of IPv4",
     {timeout: 120000}, async () => {
    const {port} = stack.state.turn;

    await stack.setTurn([`turn:${PUB.turn}:${port}?transport=udp`,
                         `turn:[${PUB.turn6}]:${port}?transport=udp`]);

    const opened = await open(stack, browser);
    const {pair} = await assertRelayed(stack, opened,
                                       {browser: ANY, agent: ANY});

    assert.deepEqual([pair.local.address, pair.remote.address],
                     [PUB.relay, PUB.relay]);
    await close(stack, opened);
});


test("and TURN has only IPv4: no path, and that is said", {timeout: 120000},
     async () => {
    const {port} = stack.state.turn;

    await stack.setTurn([`turn:${PUB.turn}:${port}?transport=udp`]);
    await noPath(stack, browser);
});
