
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a network lets through, said on the endpoint by "rs-agent --check":
 * each case is that very network.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { Net } from "./lib/net.mjs";
import { TOP } from "./lib/stack.mjs";
import { until } from "./lib/wait.mjs";

const AGENT = join(TOP, "build", "agent", "rs-agent");

let net, stack;


before(async () => {
    net = await Net.open({tech: {nat: "cone"}, site: {nat: "cone"}});
    stack = await net.stack();
}, {timeout: 120000});


after(async () => {
    await stack?.down();
    await net?.close();
}, {timeout: 60000});


/** rs-agent --check on the device's side: {status, text, lines}, lines being
 *  [ok or FAIL, what]. */
function check(url = stack.state.base) {
    const [command, ...args] = [...net.site.enter, AGENT, "--check",
                                "--ca-file", stack.state.ca, url];

    return new Promise((resolve) => {
        execFile(command, args, {timeout: 60000}, (error, text, err) => {
            resolve({
                status: error === null ? 0 : error.code,
                text: text + err,
                lines: [...text.matchAll(/^(ok|FAIL|skip) +(\S+)/gm)]
                       .map(([, ok, what]) => `${ok} ${what}`),
            });
        });
    });
}


/* another line into the gateway's configuration, then a reload */
async function configure(from, to) {
    const node = stack.state.nodes[0];
    const site = join(node.conf, "..", "rs-site.conf");
    const text = await readFile(site, "utf8");
    const old = await stack.workers();

    assert.match(text, from);
    await writeFile(site, text.replace(from, to));
    process.kill(node.pid, "SIGHUP");

    await until("new workers alone", async () => {
        const now = await stack.workers();

        return now.length === old.length
               && now.every((pid) => !old.includes(pid));
    });
}


test("everything is open", {timeout: 60000}, async () => {
    const said = await check();

    assert.deepEqual(said.lines, ["ok DNS", "ok TCP", "ok HTTPS", "ok WSS",
                                  "ok STUN", "ok TURN/UDP", "ok TURN/TCP",
                                  "ok TURN/TLS"], said.text);
    assert.match(said.text, /^UDP is open/m);
    assert.equal(said.status, 0);

    /* what it allocated reaches nothing, and is gone */
    assert.ok(said.text.includes(`sees ${net.site.outside}:`), said.text);
});


test("UDP is blocked: TURN over TCP and TLS is open", {timeout: 60000},
     async () => {
    await net.site.become({allow: "tcp"});

    const said = await check();

    assert.deepEqual(said.lines, ["ok DNS", "ok TCP", "ok HTTPS", "ok WSS",
                                  "FAIL STUN", "FAIL TURN/UDP",
                                  "ok TURN/TCP", "ok TURN/TLS"], said.text);
    assert.match(said.text, /TURN\/UDP.*nothing came back within/);
    assert.match(said.text, /-> let UDP to that port out of this network/);
    assert.match(said.text, /^UDP is blocked, TURN over TCP is open/m);
    assert.equal(said.status, 0, "sessions work");
});


test("nothing gets out", {timeout: 60000}, async () => {
    await net.site.become({allow: "nothing"});

    const said = await check();

    assert.deepEqual(said.lines, ["ok DNS", "FAIL TCP"], said.text);
    assert.match(said.text, /-> let TCP to gw\.rs\.test port \d+ out/);
    assert.equal(said.status, 1);
});


test("coturn is gone", {timeout: 60000}, async () => {
    await net.site.become({allow: "all"});
    await stack.killTurn();

    const said = await check();

    assert.deepEqual(said.lines.slice(4), ["FAIL STUN", "FAIL TURN/UDP",
                                           "FAIL TURN/TCP", "FAIL TURN/TLS"],
                     said.text);
    assert.match(said.text, /^no TURN server can be reached from here/m);
    assert.equal(said.status, 1);

    await stack.start("turn");
});


test("coturn refuses the credential", {timeout: 60000}, async () => {
    await configure(/rs_turn_realm \S+;/, "rs_turn_realm another.test;");

    const said = await check();

    assert.deepEqual(said.lines.slice(4), ["ok STUN", "FAIL TURN/UDP",
                                           "FAIL TURN/TCP", "FAIL TURN/TLS"],
                     said.text);
    assert.match(said.text, /TURN\/UDP.*the server answers 401/);
    assert.match(said.text, /need the same secret or key, realm and time/);
    assert.match(said.text, /^every TURN server refused the credential/m);
    assert.equal(said.status, 1);
});


test("the gateway's certificate is nobody's this machine knows",
     {timeout: 60000}, async () => {
    const {ca} = stack.state;

    stack.state.ca = "/etc/ssl/certs/ca-certificates.crt";

    const said = await check();

    stack.state.ca = ca;
    assert.deepEqual(said.lines, ["ok DNS", "ok TCP", "FAIL HTTPS"],
                     said.text);
    assert.match(said.text, /-> the certificate is not for that name, not of/);
    assert.equal(said.status, 1);
});


test("no gateway is there, and checks are off", {timeout: 60000}, async () => {
    const nowhere = await check(stack.state.base.replace("/rs/v1", "/x"));

    assert.deepEqual(nowhere.lines.slice(-1), ["FAIL HTTPS"], nowhere.text);
    assert.match(nowhere.text, /is this the gateway's base URL/);
    assert.equal(nowhere.status, 1);

    await configure(/rs_check_rate [^;]*;/, "rs_check_rate off;");

    const said = await check();

    assert.deepEqual(said.lines.slice(-2), ["ok WSS", "skip TURN"],
                     said.text);
    assert.equal(said.status, 0);
});
