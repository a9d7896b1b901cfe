
/*
 * Copyright (C) rs-gateway contributors
 *
 * A device whose network has no way out but an HTTP proxy: its sockets and its
 * relays go by CONNECT.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { Browser } from "./lib/browser.mjs";
import { NAMES, Net, PUB } from "./lib/net.mjs";
import { Proxy } from "./lib/proxy.mjs";
import { ANY, assertRelayed, close, noPath, open } from "./lib/route.mjs";
import { LONG } from "./lib/size.mjs";
import { TOP } from "./lib/stack.mjs";
import { until } from "./lib/wait.mjs";

const AGENT = join(TOP, "build", "agent", "rs-agent");


let net, stack, browser, first, second;


before(async () => {
    const hosts = {[NAMES.gateway]: PUB.gateway, [NAMES.turn]: PUB.turn};

    net = await Net.open({tech: {nat: "cone"},
                          site: {nat: "cone", allow: "proxy"}});
    first = await Proxy.open(PUB.proxy, hosts);
    second = await Proxy.open(PUB.proxy, hosts);

    /* enrolled through it, too */
    stack = await net.stack(["--agent-env", `https_proxy=${first.url}`,
                             "--agent-env", "no_proxy="]);
    browser = await Browser.start(stack, net.tech.enter);
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await stack?.down();
    await first?.close();
    await second?.close();
    await net?.close();
}, {timeout: 60000});


/* TURN URLs of one kind beside those over UDP */
function turn(kind) {
    const [udp, tcp, tls] = stack.state.turn.turn_urls;

    return [udp, kind === "tcp" ? tcp : tls];
}


async function online(wanted) {
    await until(wanted ? "device online" : "device offline", async () =>
        (await stack.api.device(stack.device)).data.online === wanted);
}


/* the agent again, with that proxy in agent.conf */
async function restart(proxy) {
    const {conf, pid} = stack.state.agent;
    const text = await readFile(conf, "utf8");

    await writeFile(conf, text.replace(/^proxy=.*\n/m, "")
                          + `proxy=${proxy}\n`);
    process.kill(pid, "SIGTERM");
    await until("end of the agent", () => stack.gone(pid));
    await online(false);
    await stack.start("agent");
}


test("the environment's proxy: WSS and TURN over TCP", {timeout: 120000},
     async () => {
    const gateway = new URL(stack.url).host;
    const {ip, port} = stack.state.turn;

    assert.ok(first.asked.includes(gateway), first.asked.join(" "));
    await stack.setTurn(turn("tcp"));

    const opened = await open(stack, browser);

    await assertRelayed(stack, opened, {browser: ANY, agent: "tcp"});
    assert.ok(first.asked.includes(`${ip}:${port}`), first.asked.join(" "));
    await close(stack, opened);
});


test("the same: TURN over TLS, by the server's name", {timeout: 120000},
     async () => {
    const {tls_port: port} = stack.state.turn;

    await stack.setTurn(turn("tls"));

    const opened = await open(stack, browser);

    await assertRelayed(stack, opened, {browser: ANY, agent: "tls"});
    assert.ok(first.asked.includes(`${NAMES.turn}:${port}`),
              first.asked.join(" "));
    await close(stack, opened);
});


test("rs-agent --check says what the proxy lets through",
     {timeout: 120000, ...LONG}, async () => {
    const {code, text} = await new Promise((resolve) => {
        const [command, ...args] = [
            ...net.site.enter, AGENT, "--check", "--ca-file", stack.state.ca,
            stack.state.base];

        execFile(command, args, {
            env: {...process.env, https_proxy: first.url, no_proxy: ""},
            timeout: 60000,
        }, (error, out, err) => resolve({code: error?.code ?? 0,
                                         text: out + err}));
    });

    assert.match(text, /^ok +TCP .* through the proxy$/m);
    assert.deepEqual([...text.matchAll(/^(ok|FAIL) +(\S+)/gm)].map(
        ([, result, what]) => `${result} ${what}`),
        ["ok TCP", "ok HTTPS", "ok WSS", "FAIL STUN", "FAIL TURN/UDP",
         "ok TURN/TLS"], text);
    assert.equal(code, 0, text);
});


test("a proxy in agent.conf goes before the environment's", {timeout: 120000},
     async () => {
    assert.deepEqual(second.asked, []);
    await restart(second.url);
    await online(true);

    const opened = await open(stack, browser);

    await assertRelayed(stack, opened, {browser: ANY, agent: "tls"});
    assert.ok(second.asked.length >= 2, second.asked.join(" "));
    await close(stack, opened);
});


test("a proxy that lets nobody to TURN: no path, and that is said",
     {timeout: 120000, ...LONG}, async () => {
    second.allowed = (to) => to === new URL(stack.url).host;
    await noPath(stack, browser);
});


test("no proxy: the device stays offline, and its log says why",
     {timeout: 120000}, async () => {
    const asked = second.asked.length;

    await restart("direct");
    await until("attempt of the agent that failed", async () =>
        /control channel down .*next attempt/.test(
            (await stack.agentLog()).split("rs-agent: ").at(-1)));
    assert.equal((await stack.api.device(stack.device)).data.online, false);
    assert.equal(second.asked.length, asked);
});
