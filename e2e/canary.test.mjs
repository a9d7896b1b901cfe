
/*
 * Copyright (C) rs-gateway contributors
 *
 * No secret is in a log, in Redis or in the arguments of a process: all parts
 * log at their most talkative level, each kind of secret is used once, well
 * and wrongly, and then everything is searched.
 */

import test from "node:test";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { signIn, fromStack } from "./issuer/sign-in.mjs";
import { Browser, connected, frames } from "./lib/browser.mjs";
import { Canary } from "./lib/canary.mjs";
import { Stack, TOP } from "./lib/stack.mjs";
import { until } from "./lib/wait.mjs";


let stack, browser, canary;


/* what came of a request that may fail: the code of its error, or its data */
async function answer(path, o = {}) {
    const {method = "GET", ...rest} = o;

    try {
        return (await stack.api.request(method, path, rest)).data;

    } catch (e) {
        return e.code;
    }
}


/* one call with another key or token than the stack's */
async function as(key, path) {
    const {RsApi} = await import("../console/rs-client.js");

    return new RsApi({base: stack.state.base, key, fetch: stack.fetch})
        .request("GET", path).then(({status}) => status, (e) => e.status);
}


/* the last letter is another one */
function spoilt(secret) {
    return secret.slice(0, -1) + (secret.endsWith("a") ? "b" : "a");
}


async function enrolls() {
    const {token} = await stack.api.createEnrollment({ttl_s: 300});
    const dir = join(stack.dir, "agent", "second");

    canary.add("enrolment token", token);
    canary.add("wrong enrolment token", spoilt(token));
    await mkdir(dir, {mode: 0o700});

    const enroll = (text) => new Promise((resolve) => {
        const child = execFile(join(TOP, "build", "agent", "rs-agent"), [
            "--verbose", "--config", stack.state.agent.conf, "--state-dir",
            dir, "--token-file", "-", "enroll", stack.state.base,
        ], (e) => resolve(e === null ? 0 : e.code));

        child.stdin.end(text + "\n");
    });

    assert.notEqual(await enroll(spoilt(token)), 0, "a wrong token");
    assert.equal(await enroll(token), 0, "the right one");
}


async function keys() {
    const {secret, key = secret} = await answer("/keys", {
        method: "POST", body: {name: "canary", scopes: ["devices:read"]}});

    canary.add("API key", key);
    canary.add("wrong API key", spoilt(key));
    assert.equal(await as(key, "/devices"), 200);
    assert.equal(await as(key, "/sessions"), 403);
    assert.equal(await as(spoilt(key), "/devices"), 401);
}


async function tokens() {
    const {id_token: idToken, access_token: access} = await signIn({
        ...fromStack(stack.state, "ada"), nonce: "A".repeat(43)});

    for (const [i, part] of idToken.split(".").entries()) {
        canary.add(`ID token, part ${i}`, part);
    }

    canary.add("access token", access);
    canary.add("password at the issuer",
               fromStack(stack.state, "ada").password);
    assert.equal(await as(idToken, "/devices"), 200);
    assert.equal(await as(spoilt(idToken), "/devices"), 401);
    assert.equal(await as(access, "/devices"), 401);
}


function addTurn(servers) {
    for (const {credential} of servers.filter((s) => s.credential)) {
        canary.add("TURN password", credential);
    }
}


/* of the page: tickets, resume tokens, TURN passwords, ICE passwords */
async function addPage(page) {
    const {protocols, servers, sdp} = await page.evaluate(() => ({
        protocols: window.rsKept.sockets.flatMap((s) => s.protocols),
        servers: window.rsKept.connections.flatMap(
            (pc) => pc.getConfiguration().iceServers),
        sdp: window.rsKept.connections.map(
            (pc) => pc.localDescription.sdp + pc.remoteDescription.sdp)
                .join(""),
    }));

    for (const protocol of protocols.filter((p) => p !== "rs.v1")) {
        canary.add(protocol.split(".", 2).join("."), protocol);
    }

    addTurn(servers);

    for (const [, password] of sdp.matchAll(/^a=ice-pwd:(\S+)/mg)) {
        canary.add("ICE password", password, {carried: true});
    }
}


async function rises(page) {
    const from = await frames(page);

    await until(`more than ${from} frames`,
                async () => await frames(page) > from + 3);
}


async function session() {
    const {session: it, links} = await stack.session(
        ["controller", "viewer"], {policy: {relay_only: true}});

    for (const link of links) {
        canary.add("ticket of a link", link);
    }

    const page = await browser.page();

    await page.goto(links[0]);
    await connected(page);
    await rises(page);

    /* the same ticket again, and one that nobody has */

    for (const link of [links[0], spoilt(links[1])]) {
        const other = await browser.page();

        await other.goto(link);
        await other.waitForSelector('#stage[data-state="over"]');
        await other.context().close();
    }

    canary.add("wrong ticket", spoilt(links[1]));

    /* back by its resume token */

    process.kill(stack.state.nodes[0].pid, "SIGHUP");
    await until("a second socket", () => page.evaluate(
        () => window.rsKept.sockets.length > 1));
    await page.waitForSelector('#stage[data-socket="open"]');
    await rises(page);

    await addPage(page);
    await page.context().close();
    await stack.api.endSession(it.id);

    return it;
}


test("what is secret stays so", {timeout: 240000}, async (t) => {
    stack = await Stack.up(["--agent", "--oidc", "--turn-mode", "strict",
                            "--log-level", "debug"]);
    t.after(() => stack.down());
    canary = new Canary(stack);
    t.after(() => canary.close());
    browser = await Browser.start(stack);
    t.after(() => browser.close());

    canary.addFiles();
    await canary.listen();

    await enrolls();
    await keys();
    await tokens();
    addTurn((await stack.api.ice({})).iceServers);

    const {id} = await session();

    /* and that all of that has left its marks where it was looked for */

    await until("the end of the session in the agent's log", async () =>
        (await stack.agentLog()).includes(id));

    t.diagnostic(`${canary.names.length} secrets: `
                 + [...new Set(canary.names.map(
                     (name) => name.replace(/ #\d+$/, "")))].join(", "));

    const wanted = ["ticket of a link", "rs.ticket", "rs.resume", "API key",
                    "TURN password", "ICE password", "ID token, part 2",
                    "enrolment token", "secrets/turn-key"];

    assert.deepEqual(wanted.filter((name) => !canary.names.some(
        (n) => n.startsWith(name))), [], "each kind was used");

    assert.deepEqual(await canary.find([
        {place: /^node1\/error\.log$/, text: id},
        {place: /^node1\/access\.log$/, text: "/rs/v1/signal"},
        {place: /^log\/agent\.log$/, text: id},
        {place: /^log\/turn-authd\.log$/, text: id},
        {place: /^commands to Redis$/, text: id},
        {place: /^what Redis holds$/, text: "rs:{default}:audit"},
        {place: /^arguments of/, text: "rs-agent"},
        {place: /^environment of turn-authd$/, text: "PATH="},
    ]), []);
});
