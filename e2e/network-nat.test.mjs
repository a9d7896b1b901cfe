
/*
 * Copyright (C) rs-gateway contributors
 *
 * Browser and agent in networks of their own: which way a session takes there.
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
    net = await Net.open({tech: {nat: "cone"}, site: {nat: "cone"}});
    stack = await net.stack();
    browser = await Browser.start(stack, net.tech.enter);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await stack?.down();
    await net?.close();
}, {timeout: 60000});


/* the NAT of both sides, from now on */
async function both(o) {
    await net.tech.become(o);
    await net.site.become(o);
}


test("cone and cone: direct, by the addresses of the routers",
     {timeout: 120000}, async () => {
    const opened = await open(stack, browser);
    const {pair} = await assertDirect(stack, opened);

    assert.equal(pair.remote.address, net.site.outside);
    await close(stack, opened);
});


test("symmetric and symmetric: relay to relay, for peers are relays only",
     {timeout: 120000}, async () => {
    await both({nat: "symmetric"});

    const opened = await open(stack, browser);
    const {pair} = await assertRelayed(stack, opened,
                                       {browser: ANY, agent: ANY});

    assert.deepEqual([pair.local.address, pair.remote.address],
                     [PUB.relay, PUB.relay]);
    await close(stack, opened);
});


test("relay only between cones: nothing else is tried", {timeout: 120000},
     async () => {
    await both({nat: "cone"});

    const opened = await open(stack, browser, {policy: {relay_only: true}});

    await assertRelayed(stack, opened, {browser: ANY, agent: ANY});
    await close(stack, opened);
});


test("UDP is blocked on both sides: TURN over TCP", {timeout: 120000},
     async () => {
    const [udp, tcp] = stack.state.turn.turn_urls;

    await both({allow: "tcp"});
    await stack.setTurn([udp, tcp]);

    const opened = await open(stack, browser);

    await assertRelayed(stack, opened, {browser: "tcp", agent: "tcp"});
    await close(stack, opened);
});


test("UDP is blocked on the device's side: TURN over TCP there",
     {timeout: 120000}, async () => {
    await net.tech.become({allow: "all"});

    const opened = await open(stack, browser);

    await assertRelayed(stack, opened, {browser: ANY, agent: "tcp"});
    await close(stack, opened);
});


/* ---- controls: the same networks without what carried a session above */

test("UDP is blocked, and TURN has only UDP: no path, and that is said",
     {timeout: 120000}, async () => {
    const [udp] = stack.state.turn.turn_urls;

    await both({allow: "tcp"});
    await stack.setTurn([udp]);
    await noPath(stack, browser);
});


test("symmetric and symmetric without TURN: no path, and that is said",
     {timeout: 120000, ...LONG}, async () => {
    await both({nat: "symmetric", allow: "all"});
    await stack.setTurn([]);
    await noPath(stack, browser);
});


test("relay only without TURN: no path, and that is said", {timeout: 120000},
     async () => {
    await both({nat: "cone", allow: "all"});
    await stack.setTurn([]);

    const said = await noPath(stack, browser, {policy: {relay_only: true}});

    assert.match(said, /no_relay/);
});
