
/*
 * Copyright (C) rs-gateway contributors
 *
 * A session over some network, and which way it took: by Chromium's
 * statistics, by the console, and by what both sides told the gateway.
 */

import assert from "node:assert/strict";

import { connected, frames, selectedPair, stageText } from "./browser.mjs";
import { until } from "./wait.mjs";

const NO_PATH_MS = 60000;


/**
 * Opens a session as a controller and waits for its picture.
 *
 * @returns {{page, session}}
 */
export async function open(stack, browser, more = {}) {
    const {session, links} = await stack.session(["controller"], more);
    const page = await browser.page();

    await page.goto(links[0]);
    await connected(page);

    const from = await frames(page);

    await until("more frames", async () => await frames(page) > from + 3);

    return {page, session};
}


export async function close(stack, {page, session}) {
    assert.deepEqual(page.complaints, []);
    await page.context().close();
    await stack.api.endSession(session.id);
}


/* bytes that went by the selected pair of the newest connection */
function counters(page) {
    return page.evaluate(async () => {
        const stats = await window.rsKept.connections.at(-1).getStats();
        const t = [...stats.values()].find((s) => s.type === "transport");
        const pair = stats.get(t.selectedCandidatePairId);

        return {sent: pair.bytesSent, received: pair.bytesReceived};
    });
}


/**
 * The way taken, once everybody knows it: {pair, paths}; paths: what REST says
 * of controller and host.
 */
export async function way(stack, {page, session}) {
    const pair = await selectedPair(page);
    const from = await counters(page);

    await until("bytes by the selected pair", async () => {
        const now = await counters(page);

        return now.received > from.received && now.sent > from.sent;
    });

    const told = await until("paths of both sides", async () => {
        const s = await stack.api.session(session.id);

        return s.participants.every((p) => p.path) && s;
    });
    const paths = Object.fromEntries(
        told.participants.map((p) => [p.role, p.path]));

    assert.ok(told.path, "the session has a path");

    return {pair, paths};
}


/** Both say a direct path over UDP, and Chromium found none of relays. */
export async function assertDirect(stack, opened) {
    const {pair, paths} = await way(stack, opened);

    for (const {candidateType, protocol} of [pair.local, pair.remote]) {
        assert.notEqual(candidateType, "relay");
        assert.equal(protocol, "udp");
    }

    for (const path of Object.values(paths)) {
        assert.deepEqual([path.kind, path.protocol], ["direct", "udp"]);
    }

    await opened.page.waitForSelector(
        '#path[data-kind="direct"][data-protocol="udp"]');

    return {pair, paths};
}


/** Where it does not matter how a relay is reached: UDP is preferred, and a
 *  busy machine may have it later than the others. */
export const ANY = ["udp", "tcp", "tls"];


/**
 * The same for relays.  o: protocols by which browser and agent may reach
 * theirs, one or several; a better path may be taken while one looks.
 */
export async function assertRelayed(stack, opened, o) {
    const browser = [o.browser].flat();
    const agent = [o.agent].flat();

    return until("path by relays", async () => {
        const {pair, paths} = await way(stack, opened);
        const {controller, host} = paths;
        const by = pair.local.relayProtocol;

        assert.deepEqual([pair.local.candidateType,
                          pair.remote.candidateType], ["relay", "relay"]);
        assert.ok(browser.includes(by), `the browser's by ${by}`);
        assert.deepEqual([controller.kind, controller.local,
                          controller.protocol], ["relay", "relay", by]);
        assert.deepEqual([host.kind, host.local], ["relay", "relay"]);
        assert.ok(agent.includes(host.protocol), `the agent's by ${
                  host.protocol}`);
        assert.equal(await opened.page.$eval("#path", (el) =>
            `${el.dataset.kind} ${el.dataset.protocol}`), `relay ${by}`);

        return {pair, paths};
    });
}


/**
 * Opens a session for which there is no path, and gives what is said once it
 * is said: the console goes on trying for a while.
 */
export async function noPath(stack, browser, more = {}) {
    const {session, links} = await stack.session(["controller"], more);
    const page = await browser.page();

    await page.goto(links[0]);

    const text = await until("word that there is no path", async () => {
        const said = await stageText(page);

        return /\b(ice_failed|peer_failed|no_relay)\b/.test(said) && said;
    }, NO_PATH_MS);

    assert.equal(await page.$eval("#path", (el) => el.dataset.kind), "");
    const {path, participants} = await stack.api.session(session.id);

    assert.equal(path ?? null, null);
    assert.ok(participants.every((p) => !p.path), "nobody has a path");

    await page.context().close();
    await stack.api.endSession(session.id);

    return text;
}
