
/*
 * Copyright (C) rs-gateway contributors
 *
 * A real ssh to a real sshd behind the device, by "rs-tunnel ssh" and as
 * ProxyCommand; and what the program says and exits with when it cannot.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { userInfo } from "node:os";
import { join } from "node:path";
import { chmod, copyFile, readFile, writeFile } from "node:fs/promises";

import { until } from "../e2e/lib/wait.mjs";
import { Check, pourInto } from "./lib/bytes.mjs";
import { environment, options, PROGRAM, runOnce, Tunnel }
    from "./lib/program.mjs";
import { port } from "./lib/servers.mjs";
import { BYTES } from "./lib/size.mjs";
import { World } from "./lib/world.mjs";


let world, closed, known, ssh;


before(async () => {
    closed = await port();
    world = await World.open({ssh: true, nodes: 1,
                              allow: [`127.0.0.1:${closed}`]});
    known = join(world.dir, "known");
    ssh = ["-F", "/dev/null", "-i", world.sshd.key, "-o", "IdentitiesOnly=yes",
           "-o", "StrictHostKeyChecking=accept-new", "-o",
           `UserKnownHostsFile=${known}`, "-o", "BatchMode=yes", "-T"];
}, {timeout: 120000});


after(async () => {
    await world?.close();
}, {timeout: 60000});


async function run(program, args, {env = {}, input = null} = {}) {
    const child = spawn(program, args, {env: environment(env)});
    const out = [];
    let stderr = "";

    child.stdout.on("data", (chunk) => out.push(chunk));
    child.stderr.on("data", (text) => { stderr += text; });
    child.stdin.on("error", () => {});
    child.stdin.end(input);

    const [status] = await once(child, "close");

    return {status, out: Buffer.concat(out), stderr};
}


const target = () => ["-t", `127.0.0.1:${world.sshd.port}`];
const me = () => `${userInfo().username}@${world.stack.device}`;


test("rs-tunnel ssh: output, exit status, and the host's key by the id",
     {timeout: 120000}, async () => {
    const done = await run(PROGRAM, [
        ...options(world.stack), "ssh", ...target(), me(), ...ssh,
        "echo here; exit 7"]);

    assert.equal(done.out.toString(), "here\n", done.stderr);
    assert.equal(done.status, 7);
    assert.match(await readFile(known, "utf8"),
                 new RegExp(`^${world.stack.device}\\+127\\.0\\.0\\.1:`));
});


test("rs-tunnel ssh: the device by its name, the key by the environment",
     {timeout: 120000}, async () => {
    const done = await run(PROGRAM, [
        ...options(world.stack).filter((word, i, all) =>
            word !== "-k" && all[i - 1] !== "-k"),
        "ssh", ...target(), `${userInfo().username}@Demo desktop`, ...ssh,
        "id -u"], {env: {RS_TUNNEL_KEY: world.stack.key}});

    assert.equal(done.out.toString(), `${process.getuid()}\n`, done.stderr);
    assert.equal(done.status, 0);
});


test(`ProxyCommand: ${BYTES / 1024 ** 2} MiB each way are the same bytes`,
     {timeout: 1200000}, async (t) => {
    const proxy = [PROGRAM, ...options(world.stack), "-W",
                   `127.0.0.1:${world.sshd.port}`, "%n"].join(" ");
    const child = spawn("ssh", [
        ...ssh, "-o", `ProxyCommand=${proxy}`, "-l", userInfo().username,
        world.stack.device, "cat"], {env: environment()});
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


test("-W: standard input's end is the connection's, and the end of both ends "
     + "the program", {timeout: 60000}, async () => {
    const args = [...options(world.stack), "-W",
                  `127.0.0.1:${world.tcp.port}`, world.stack.device];
    const going = run(PROGRAM, args, {input: "all there is"});
    const there = await world.tcp.next();
    let got = "";

    there.on("data", (text) => { got += text; });
    there.resume();
    await once(there, "end");
    assert.equal(got, "all there is");
    there.end("and back");

    const done = await going;

    assert.equal(done.out.toString(), "and back");
    assert.equal(done.status, 0, done.stderr);
});


test("rs-tunnel rdp: a client at a local port, and its exit status",
     {timeout: 60000}, async () => {
    const client = join(world.dir, "client");
    const conf = join(world.dir, "rdp.conf");

    await writeFile(client, `#!/bin/bash
                             at=\${1#/v:}
                             exec 3<>"/dev/tcp/\${at%:*}/\${at##*:}"
                             echo "$2 \${RS_TUNNEL_KEY-no key}" >&3
                             cat <&3
                             exit 5\n`, {mode: 0o755});
    await writeFile(conf, `[rs-tunnel]\nrdp=${client}\n`);

    const going = run(PROGRAM, [
        ...options(world.stack).filter((word, i, all) =>
            word !== "-k" && all[i - 1] !== "-k"), "-c", conf, "rdp", "-t",
        `127.0.0.1:${world.tcp.port}`, world.stack.device, "/u:me"],
                      {env: {RS_TUNNEL_KEY: world.stack.key}});
    const there = await world.tcp.next();

    there.pipe(there);
    there.once("data", () => there.end());

    const done = await going;

    assert.equal(done.out.toString(), "/u:me no key\n", done.stderr);
    assert.equal(done.status, 5);
});


/* what is refused, by whom, and how that is said */
const REFUSED = [
    ["a device nobody knows", () => ["-W", "22", "nobody"], 4,
     /no device is called "nobody"/],
    ["a target that is not listed", () => ["-W", "127.0.0.1:1",
                                           world.stack.device], 3,
     /target_refused.*\[tunnels\]/],
    ["a target that is never open", () => ["-W", "169.254.169.254:80",
                                           world.stack.device], 3,
     /target_refused/],
    ["the same, inside of IPv6", () => ["-W", "[::ffff:169.254.169.254]:80",
                                        world.stack.device], 3, /target_refused/],
    ["a target where nobody listens", () => ["-W", `127.0.0.1:${closed}`,
                                             world.stack.device], 4,
     /target_unreachable/],
    ["port 0", () => ["-W", "127.0.0.1:0", world.stack.device], 2,
     /invalid target/],
];

for (const [name, args, status, says] of REFUSED) {
    test(`refused: ${name}`, {timeout: 60000}, async () => {
        const done = await runOnce([...options(world.stack), ...args()]);

        assert.match(done.stderr, says);
        assert.equal(done.status, status, done.stderr);
        assert.equal(done.stdout, "");
    });
}


test("a key the gateway does not know", {timeout: 60000}, async () => {
    const file = join(world.dir, "wrong");
    const wrong = world.stack.key.replace(/.{5}$/, "aaaaa");

    await writeFile(file, wrong, {mode: 0o600});

    const done = await runOnce([...options(world.stack).slice(0, -1), file,
                                "-W", "22", world.stack.device]);

    assert.equal(done.status, 3);
    assert.match(done.stderr, /401 unauthenticated/);
    assert.ok(!done.stderr.includes(wrong));
});


test("a key file that others can read", {timeout: 60000}, async () => {
    const file = join(world.dir, "open");

    await copyFile(world.stack.state.api_key_file, file);
    await chmod(file, 0o644);

    const done = await runOnce([...options(world.stack).slice(0, -1), file,
                                "-W", "22", world.stack.device]);

    assert.equal(done.status, 2);
    assert.match(done.stderr, /others can read it/);
});


test("a tunnel ends with the program, and the program with the tunnel",
     {timeout: 60000}, async () => {
    const open = () => Tunnel.open([
        ...options(world.stack), "tcp", world.stack.device,
        String(world.sshd.port)]);
    const ask = async (id) => (await fetchTunnel(id)).status;
    const first = await open();

    assert.equal(await ask(first.id), 200);
    await first.close();
    assert.equal(first.child.exitCode, 0);
    assert.equal(await ask(first.id), 404);

    /* it is told at the next connection */
    const second = await open();

    await fetchTunnel(second.id, "DELETE");
    await run("ssh", [...ssh, "-p", String(second.port), "127.0.0.1", "true"]);
    await until("end of rs-tunnel", () => second.child.exitCode !== null);
    assert.equal(second.child.exitCode, 4);
    assert.match(second.said, /not_found|tunnel_ended/);
});


function fetchTunnel(id, method = "GET") {
    return world.stack.fetch(`${world.stack.state.base}/tunnels/${id}`, {
        method, headers: {Authorization: `Bearer ${world.stack.key}`}});
}
