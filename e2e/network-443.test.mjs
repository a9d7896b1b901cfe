
/*
 * Copyright (C) rs-gateway contributors
 *
 * Networks that let nothing out but TCP to port 443: HTTPS and TURN over TLS
 * share it, told apart by name or by protocol.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

import { Browser } from "./lib/browser.mjs";
import { NAMES, Net, PUB } from "./lib/net.mjs";
import { assertRelayed, close, noPath, open, way } from "./lib/route.mjs";
import { LONG } from "./lib/size.mjs";


let net, stack, browser;


before(async () => {
    net = await Net.open({tech: {nat: "cone", allow: "443"},
                          site: {nat: "cone", allow: "443"}, port443: true});

    /* open, so that one side's relay is enough where only that is tested */
    stack = await net.stack(["--turn-peers", "open"]);
    browser = await Browser.start(stack, net.tech.enter);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await stack?.down();
    await net?.close();
}, {timeout: 60000});


test("only 443 on both sides: TURN over TLS, told apart by its name",
     {timeout: 120000}, async () => {
    assert.equal(stack.url, `https://${NAMES.gateway}/`);
    assert.deepEqual(stack.state.turn.turn_urls.filter((url) =>
        url.startsWith("turns:")), [`turns:${NAMES.turn}:443?transport=tcp`]);

    const opened = await open(stack, browser);

    await assertRelayed(stack, opened, {browser: "tls", agent: "tls"});
    await close(stack, opened);

    /* HTTPS came by the same port, and nginx knows from where */
    const log = await readFile(stack.state.nodes[0].access_log, "utf8");

    assert.ok(log.includes(`\n${net.tech.outside} `), "the browser's router");
    assert.ok(log.includes(`\n${net.site.outside} `), "the agent's router");
});


test("only 443, and TURN without a name: the agent's is told apart by ALPN",
     {timeout: 120000}, async () => {
    await net.tech.become({allow: "all"});
    await stack.setTurn([`turns:${PUB.gateway}:443?transport=tcp`]);

    const opened = await open(stack, browser);
    const {pair, paths} = await way(stack, opened);

    assert.equal(pair.remote.candidateType, "relay");
    assert.deepEqual([paths.host.local, paths.host.protocol],
                     ["relay", "tls"]);

    /* the browser does not say that, and reached HTTPS there */
    assert.notEqual(pair.local.candidateType, "relay");
    await close(stack, opened);
});


test("only 443, and TURN over TLS on another port: no path, and that is said",
     {timeout: 120000, ...LONG}, async () => {
    const {ip, tls_port: port} = stack.state.turn;

    await net.tech.become({allow: "443"});
    await stack.setTurn([`turns:${ip}:${port}?transport=tcp`]);
    await noPath(stack, browser);
});
