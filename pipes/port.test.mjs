
/*
 * Copyright (C) rs-gateway contributors
 *
 * Who gets into a tunnel by a gateway's port: addresses that somebody who may
 * has called from, as long as he may, and nobody else; and a real ssh there.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";

import { until } from "../e2e/lib/wait.mjs";
import { Check, pourInto } from "./lib/bytes.mjs";
import { Port } from "./lib/entry.mjs";
import { environment, options, Tunnel } from "./lib/program.mjs";
import { BYTES } from "./lib/size.mjs";
import { World } from "./lib/world.mjs";

const MINE = "127.0.0.1";
const FOREIGN = "127.0.0.9";


let world;


before(async () => {
    world = await World.open({ssh: true});
}, {timeout: 120000});


after(async () => {
    await world?.close();
}, {timeout: 60000});


/* what becomes of a connection from an address that says something at once */
async function tried({host, port}, from) {
    const socket = connect({host, port, localAddress: from});
    const it = {socket, got: "", error: null, closed: false};

    socket.on("error", (e) => { it.error ??= e.code; });
    socket.on("close", () => { it.closed = true; });
    socket.on("data", (text) => { it.got += text; });
    socket.write("hello");

    return it;
}


async function refused(tunnel, from) {
    const it = await tried(tunnel, from);

    await until("end", () => it.closed);
    assert.equal(it.error, "ECONNRESET");
    assert.equal(it.got, "");
}


async function works(tunnel, from) {
    const it = await tried(tunnel, from);
    const there = await world.tcp.next();

    there.pipe(there);
    await until("echo", () => it.got === "hello");

    return it;
}


/* who may or may not come to it, by the audit */
async function audited(tunnel, outcome, address) {
    await until(`${outcome} in the audit`, async () => {
        const {data} = await world.ask("GET", "/audit?order=newest&limit=50");

        return data.items.some((line) => line.verb === "tunnels:use"
            && line.outcome === outcome
            && JSON.stringify(line).includes(`"${tunnel.id}"`)
            && JSON.stringify(line).includes(`"${address}"`));
    });
}


async function opened(t, at) {
    const tunnel = await Port.open(world, at);

    t.after(() => tunnel.close());

    return tunnel;
}


for (const node of [0, 1]) {
    test(`ssh to a port of node ${node + 1}: ${BYTES / 1024 ** 2} MiB each way`,
         {timeout: 1200000}, async (t) => {
        const {host, port} = await opened(t, {node, port: world.sshd.port});
        const child = spawn("ssh", [
            "-F", "/dev/null", "-i", world.sshd.key, "-T",
            "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
            "-o", "StrictHostKeyChecking=accept-new",
            "-o", `UserKnownHostsFile=${join(world.dir, "known")}`,
            "-l", userInfo().username, "-p", String(port), host, "cat"],
            {env: environment()});
        const back = new Check("ssh");
        const from = Date.now();
        let stderr = "";

        child.stdout.on("data", (chunk) => back.take(chunk));
        child.stderr.on("data", (text) => { stderr += text; });
        child.stdin.on("error", () => {});
        pourInto(child.stdin, "ssh", BYTES).catch(() => {});

        const [status] = await once(child, "close");

        t.diagnostic(`${Math.round(BYTES / 1e3 / (Date.now() - from))} MB/s `
                     + "there and back");
        assert.equal(status, 0, stderr);
        assert.equal(back.count, BYTES);
        assert.ok(back.right);
    });
}


test("an address gets in when who may has called from it",
     {timeout: 60000}, async (t) => {
    for (const node of [0, 1]) {
        const tunnel = await opened(t, {node, port: world.tcp.port});

        await refused(tunnel, FOREIGN);
        await audited(tunnel, "deny", FOREIGN);

        const {data} = await world.ask("POST", `/tunnels/${tunnel.id}/port`,
                                       {node, from: FOREIGN, body: {}});

        assert.equal(data.port, tunnel.port);
        assert.equal(data.address, FOREIGN);
        await audited(tunnel, "allow", FOREIGN);

        for (const from of [FOREIGN, MINE]) {
            (await works(tunnel, from)).socket.destroy();
        }
    }
});


test("a port leads nowhere before and after its tunnel", {timeout: 60000},
     async () => {
    const tunnel = await Port.open(world, {port: world.tcp.port});
    const {host, port} = tunnel;

    await refused({host, port: port + 1}, MINE);

    const open = await works(tunnel, MINE);

    await tunnel.close();
    await until("end", () => open.closed);
    assert.equal(open.error, "ECONNRESET");
    await refused(tunnel, MINE);
});


test("rs-tunnel --gateway-port holds one as long as it runs",
     {timeout: 60000}, async (t) => {
    const tunnel = await Tunnel.open([
        ...options(world.stack), "tcp", world.stack.device,
        String(world.tcp.port), "--gateway-port"]);

    t.after(() => tunnel.close());

    /* it comes to the gateway from there */
    const {ip, tunnel_ip: host} = world.stack.state.nodes[0];
    const at = {host, port: tunnel.port};

    await until("whom it is for", () =>
        tunnel.said.includes(`for all who come from ${ip}, as`));
    await refused(at, FOREIGN);

    const open = await works(at, ip);

    await tunnel.close();
    assert.equal(tunnel.child.exitCode, 0);
    await until("end", () => open.closed);
    assert.equal(open.error, "ECONNRESET");
    await refused(at, ip);
});


test("who is not on the list admits nobody", {timeout: 60000}, async (t) => {
    const tunnel = await opened(t, {port: world.tcp.port});
    const {data} = await world.ask("POST", "/keys", {
        body: {name: "somebody else",
               scopes: ["devices:read", "tunnels:read",
                        "tunnels:use"]}});

    await world.ask("POST", `/tunnels/${tunnel.id}/port`, {
        from: FOREIGN, key: data.key, body: {}, fails: 403});
    await refused(tunnel, FOREIGN);
});


test("datagrams of strangers go nowhere", {timeout: 60000}, async (t) => {
    const {host, port, id} = await opened(t, {port: world.echo.port,
                                              protocol: "udp"});
    const socket = createSocket("udp4");
    const got = [];

    t.after(() => socket.close());
    socket.on("message", (bytes) => got.push(String(bytes)));
    socket.bind(0, FOREIGN);
    await once(socket, "listening");
    world.echo.senders.clear();

    socket.send("stranger", port, host);
    await audited({id}, "deny", FOREIGN);
    assert.equal(world.echo.senders.size, 0);

    await world.ask("POST", `/tunnels/${id}/port`, {from: FOREIGN, body: {}});

    await until("echo", () => {
        if (got.length === 0) {
            socket.send("friend", port, host);
        }

        return got.length > 0;
    });

    assert.deepEqual([...new Set(got)], ["friend"]);
    assert.equal(world.echo.senders.size, 1);
});
