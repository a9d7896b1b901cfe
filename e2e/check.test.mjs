
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a network lets through, said on the endpoint by "rs-agent --check", in
 * any browser by check.html, and where a session has no path by the console;
 * each case is that very network.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { Browser, screenshot } from "./lib/browser.mjs";
import { Net } from "./lib/net.mjs";
import { LONG } from "./lib/size.mjs";
import { TOP } from "./lib/stack.mjs";
import { until } from "./lib/wait.mjs";

const AGENT = join(TOP, "build", "agent", "rs-agent");

const PATIENCE_MS = 60000;

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


/** check.html on the technician's side: {verdict, state, lines}, lines being
 *  [what, result]. */
async function look() {
    const page = await browser.page();

    await page.goto(new URL("/console/check.html", stack.url).href);
    await page.waitForSelector('#verdict:not([data-state="busy"])',
                               {timeout: PATIENCE_MS});

    const seen = await page.evaluate(() => ({
        verdict: document.getElementById("verdict").textContent,
        state: document.getElementById("verdict").dataset.state,
        lines: [...document.querySelectorAll("#lines li")].map(
            (li) => `${li.dataset.result} ${li.dataset.what}`),
        text: document.querySelector("main").innerText,
    }));

    return {page, ...seen};
}


/** A session for which there is no path: what the console finds out, as
 *  [code, side]. */
async function findings() {
    const {session, links} = await stack.session(["controller"]);
    const page = await browser.page();

    await page.goto(links[0]);
    await page.waitForSelector("#overlay-findings li[data-code]",
                               {timeout: PATIENCE_MS});

    const seen = await page.evaluate(() => ({
        found: [...document.querySelectorAll("#overlay-findings li")].map(
            (li) => `${li.dataset.code} ${li.dataset.side}`),
        text: document.getElementById("overlay-findings").innerText,
    }));

    assert.deepEqual(page.complaints, []);
    await screenshot(page, `diagnosis-${seen.found[0].split(" ")[0]}`);
    await page.context().close();
    await stack.api.endSession(session.id);

    return seen;
}


/* both sides' networks, from now on */
async function both(o) {
    await net.tech.become(o);
    await net.site.become(o);
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

    assert.ok(said.text.includes(`sees ${net.site.outside}:`), said.text);

    const page = await look();

    assert.deepEqual(page.lines, ["ok HTTPS", "ok WSS", "ok STUN",
                                  "ok TURN/UDP", "ok TURN/TCP", "ok TURN/TLS"],
                     page.text);
    assert.equal(page.state, "ok");
    assert.ok(page.text.includes(`sees ${net.tech.outside}`), page.text);
    assert.deepEqual(page.page.complaints, []);
    await screenshot(page.page, "check-open");
    await page.page.context().close();
});


test("UDP is blocked: TURN over TCP and TLS is open", {timeout: 60000},
     async () => {
    await both({allow: "tcp"});

    const [said, page] = await Promise.all([check(), look()]);

    assert.deepEqual(page.lines, ["ok HTTPS", "ok WSS", "silent STUN",
                                  "silent TURN/UDP", "ok TURN/TCP",
                                  "ok TURN/TLS"], page.text);
    assert.match(page.verdict, /^UDP is blocked, \d+ is open: sessions work/);
    assert.equal(page.state, "warn");
    await screenshot(page.page, "check-udp-blocked");
    await page.page.context().close();

    assert.deepEqual(said.lines, ["ok DNS", "ok TCP", "ok HTTPS", "ok WSS",
                                  "FAIL STUN", "FAIL TURN/UDP",
                                  "ok TURN/TCP", "ok TURN/TLS"], said.text);
    assert.match(said.text, /TURN\/UDP.*nothing came back within/);
    assert.match(said.text, /-> let UDP to that port out of this network/);
    assert.match(said.text, /^UDP is blocked, TURN over TCP is open/m);
    assert.equal(said.status, 0, "sessions work");
});


test("UDP is blocked, and there is no TURN over TCP: the console says that",
     {timeout: 120000, ...LONG}, async () => {
    const {turn_urls} = stack.state.turn;

    await stack.setTurn(turn_urls.slice(0, 1));

    const {found, text} = await findings();
    const {port} = new URL(stack.url);

    assert.deepEqual(found, ["udp_blocked here", "udp_blocked device"], text);
    assert.ok(text.includes(`UDP is blocked here, ${port || 443} is open`),
              text);
    assert.ok(text.includes(`UDP is blocked at the device, ${
                             port || 443} is open`), text);

    /* the device's alone */
    await net.tech.become({allow: "all", nat: "symmetric"});

    const one = await findings();

    assert.deepEqual(one.found, ["udp_blocked device"], one.text);
    await stack.setTurn(turn_urls);
});


test("nothing gets out", {timeout: 60000}, async () => {
    await net.site.become({allow: "nothing"});

    const said = await check();

    assert.deepEqual(said.lines, ["ok DNS", "FAIL TCP"], said.text);
    assert.match(said.text, /-> let TCP to gw\.rs\.test port \d+ out/);
    assert.equal(said.status, 1);
});


test("coturn is gone", {timeout: 60000}, async () => {
    await both({allow: "all"});
    await stack.killTurn();

    const [said, page] = await Promise.all([check(), look()]);

    assert.deepEqual(page.lines.slice(2), ["silent STUN", "silent TURN/UDP",
                                           "silent TURN/TCP",
                                           "silent TURN/TLS"], page.text);
    assert.equal(page.state, "bad");
    await page.page.context().close();

    assert.deepEqual(said.lines.slice(4), ["FAIL STUN", "FAIL TURN/UDP",
                                           "FAIL TURN/TCP", "FAIL TURN/TLS"],
                     said.text);
    assert.match(said.text, /^no TURN server can be reached from here/m);
    assert.equal(said.status, 1);

    await stack.start("turn");
});


test("coturn refuses the credential", {timeout: 120000}, async () => {
    await both({nat: "symmetric"});
    await configure(/rs_turn_realm \S+;/, "rs_turn_realm another.test;");

    const [said, page, {found, text}] = await Promise.all([check(), look(),
                                                           findings()]);

    assert.deepEqual(page.lines.slice(2), ["ok STUN", "refused TURN/UDP",
                                           "refused TURN/TCP",
                                           "refused TURN/TLS"], page.text);
    assert.equal(page.verdict, "TURN refused the credential");
    await page.page.context().close();

    assert.deepEqual(found, ["turn_refused here", "turn_refused device"],
                     text);
    assert.match(text, /TURN refused the credential at the device \(401\)/);

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


test("the device is offline: the console says since when",
     {timeout: 120000}, async () => {
    const page = await browser.page();
    const row = `[data-device="${stack.device}"]`;

    await page.goto(stack.url);
    await page.fill("#key", stack.key);
    await page.click("#signin-go");
    await page.waitForSelector(`${row}[data-online="true"]`);

    /* this list stays as it is: what comes after it is held back */
    await page.route(/\/rs\/v1\/(?:devices\?|watch)/, () => {});

    process.kill(stack.state.agent.pid, "SIGKILL");
    await until("device offline", async () =>
        !(await stack.api.device(stack.device)).data.online);
    await page.click(`${row} .connect`);
    await page.waitForSelector(
        '#overlay-findings li[data-code="device_offline"]',
        {timeout: PATIENCE_MS});

    const text = await page.textContent("#overlay-findings");
    const year = new Date().getFullYear();

    assert.match(text, new RegExp(`The device is offline since .*${year}`));
    await screenshot(page, "diagnosis-device_offline");
    await page.context().close();
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
