
/*
 * Copyright (C) rs-gateway contributors
 *
 * Through coturn: a session that may only be relayed; then with nothing but
 * TURN over TLS on offer, where the first byte each side puts on the wire is
 * a TLS handshake's.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";

import { Browser, connected, frames, place, selectedPair, shows }
    from "./lib/browser.mjs";
import { Stack } from "./lib/stack.mjs";
import { TcpWatch, tcpPorts } from "./lib/tcp-watch.mjs";
import { SPOTS, TestWindow } from "./lib/testwin.mjs";
import { until } from "./lib/wait.mjs";


let stack, window, browser;


before(async () => {
    stack = await Stack.up(["--agent"]);
    window = await TestWindow.open(stack.state.desktop);
    browser = await Browser.start(stack);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await window?.close();
    await stack?.down();
}, {timeout: 60000});


/* joins a relay-only session and looks at it from all sides; either side may
 * reach its relay by any of these protocols */
async function relayed(protocols) {
    const {session, links} = await stack.session(["controller"],
                                                 {policy: {relay_only: true}});
    const page = await browser.page();

    await page.goto(links[0]);
    await connected(page);

    await shows(page, SPOTS.yellow.look, SPOTS.yellow.color);

    const before = await frames(page);

    await until("more frames", async () => await frames(page) > before + 3);

    /* a click goes the same way */
    await page.waitForSelector('#stage[data-control="true"]');
    window.clear();
    await page.mouse.click(...await place(page, SPOTS.blue));
    await window.wait({event: "button", button: 1, down: false});

    const pair = await selectedPair(page);

    assert.equal(pair.local.candidateType, "relay");
    assert.equal(pair.remote.candidateType, "relay");
    assert.ok(protocols.includes(pair.local.relayProtocol),
              pair.local.relayProtocol);

    /* nothing but relays was ever offered, by either side */
    const sdp = await page.evaluate(() => {
        const pc = window.rsKept.connections.at(-1);

        return pc.localDescription.sdp + pc.remoteDescription.sdp;
    });
    const types = [...sdp.matchAll(/ typ (\w+)/g)].map((m) => m[1]);

    assert.ok(types.every((type) => type === "relay"), types.join(" "));

    /* the console says what Chromium says */
    await page.waitForSelector(`#path[data-kind="relay"][data-protocol="${
                               pair.local.relayProtocol}"]`);

    const told = await until("paths of both sides", async () => {
        const s = await stack.api.session(session.id);

        return s.participants.every((p) => p.path) && s;
    });

    assert.equal(told.policy.relay_only, true);

    for (const {role, path} of told.participants) {
        assert.deepEqual([role, path.kind, path.local, path.remote,
                          path.region],
                         [role, "relay", "relay", "relay", "default"]);
        assert.ok(protocols.includes(path.protocol),
                  `${role}: ${path.protocol}`);
    }

    assert.deepEqual(page.complaints, []);

    return {page, session};
}


test("relay only: both sides are relay candidates, and only those",
     {timeout: 120000}, async () => {
    /* UDP, TCP and TLS are offered: media suffer over the latter two */
    const {page, session} = await relayed(["udp"]);

    await page.context().close();
    await stack.api.endSession(session.id);
});


test("of two regions the agent takes the one that answers",
     {timeout: 120000}, async () => {
    const {ip, port, turn_urls} = stack.state.turn;

    /* nobody is there, and the gateway names it first */
    await stack.setTurn(turn_urls, [`turn:10.78.255.1:${port}?transport=udp`]);

    const {page, session} = await relayed(["udp"]);

    assert.match(await stack.agentLog(), new RegExp(
        `relays, as far as they are: 10.78.255.1: no answer, ${
         ip.replaceAll(".", "\\.")}: \\d+ ms`));

    await page.context().close();
    await stack.api.endSession(session.id);
    await stack.setTurn(turn_urls);
});


test("TURN over TLS: the agent's first bytes on the wire are 16 03",
     {timeout: 120000}, async (t) => {
    const {ip, tls_port: port} = stack.state.turn;
    const watch = await TcpWatch.open(ip, {ip, port});

    t.after(() => watch.close());

    await stack.setTurn([`turns:${ip}:${watch.port}?transport=tcp`]);

    const {page, session} = await relayed(["tls"]);
    const own = new Set(await tcpPorts(stack.state.agent.pid));
    const agents = watch.connections.filter((c) => own.has(c.port));

    assert.ok(agents.length > 0,
              `${watch.connections.length} connections, none of the agent's`);

    /* and the browser's: no side speaks in the clear */
    for (const {first} of watch.connections) {
        assert.deepEqual([...first.subarray(0, 2)], [0x16, 0x03]);
    }

    await page.context().close();
    await stack.api.endSession(session.id);
});
