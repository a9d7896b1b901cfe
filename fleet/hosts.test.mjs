
/*
 * Copyright (C) rs-gateway contributors
 *
 * util/rs-hosts: hosts boot, are apart, and nothing of them is left, whether
 * they were ended or whoever wanted them was killed.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { TOP } from "../e2e/lib/stack.mjs";
import { until } from "../e2e/lib/wait.mjs";


const execute = promisify(execFile);
const TOOL = join(TOP, "util", "rs-hosts");
const MINUTES = 60000;

let base;


before(async () => {
    await mkdir(join(TOP, "build"), {recursive: true});
    base = await mkdtemp(join(TOP, "build", "hosts-"));
});


after(async () => {
    for (const name of readdirSync(base)) {
        await hosts("down", name);
    }

    await rm(base, {recursive: true, force: true});
}, {timeout: MINUTES});


async function hosts(command, name, ...more) {
    const {stdout} = await execute(TOOL, [command, "--dir", join(base, name),
                                          ...more], {maxBuffer: 1 << 24});

    return stdout;
}


async function on(name, host, ...command) {
    return (await hosts("exec", name, "--host", host, "--", ...command)).trim();
}


/* what of a fleet this machine still has */
async function left(state) {
    const found = [];
    const mounts = await readFile("/proc/self/mounts", "utf8");

    for (const {pid, start} of [state.keeper, state.inner,
                                ...Object.values(state.hosts)
                                         .map((h) => h.record)]) {
        const stat = existsSync(`/proc/${pid}/stat`)
            ? (await readFile(`/proc/${pid}/stat`, "utf8")).replace(
                /^.*\) /s, "").split(" ") : null;

        if (stat && stat[0] !== "Z" && Number(stat[19]) === start) {
            found.push(`process ${pid}`);
        }
    }

    if (mounts.includes(base)) {
        found.push("a mount");
    }

    return found;
}


test("two hosts boot, reach each other, and end", {timeout: 10 * MINUTES},
     async () => {
    const state = JSON.parse(await hosts("up", "a", "--quiet", "--hosts",
                                         "one,two+relay", "--name",
                                         "www.fleet.test=two"));

    assert.equal(state.hosts.two.relay_ip, "10.80.1.12");
    assert.equal(await on("a", "one", "hostname", "-f"), "one.fleet.test");
    assert.equal(await on("a", "one", "systemctl", "is-system-running"),
                 "running");

    /* by name, with that host's own key */
    assert.match(await on("a", "one", "ssh-keyscan", "-t", "ed25519",
                          "www.fleet.test"),
                 new RegExp((await readFile(join(base, "a", "ssh",
                                                 "two-host-key.pub"), "utf8"))
                            .split(" ")[1].replace(/[+/]/g, "\\$&")));

    /* what was not asked for cannot be installed, and the rest can */
    await on("a", "two", "apt-get", "-qq", "update");
    await on("a", "two", "sh", "-c",
             "apt-get -qq -y install logrotate > /dev/null 2>&1");

    /* each stops what is its own */
    await on("a", "one", "systemctl", "stop", "dbus.service", "dbus.socket");
    assert.equal(await on("a", "two", "systemctl", "is-active", "ssh"),
                 "active");

    await hosts("down", "a");
    assert.deepEqual(await left(state), []);
    assert.ok(!existsSync(join(base, "a", "fs")));
});


test("who wanted them is killed", {timeout: 10 * MINUTES}, async () => {
    const owner = spawn("sleep", ["infinity"]);
    const state = JSON.parse(await hosts("up", "b", "--quiet", "--hosts",
                                         "one", "--owner",
                                         String(owner.pid)));

    owner.kill("SIGKILL");
    await until("end of all", async () => (await left(state)).length === 0);

    await assert.rejects(hosts("status", "b"), (e) => e.code === 3);

    /* the next one takes over what was left in the folder */
    const next = JSON.parse(await hosts("up", "b", "--quiet", "--hosts",
                                        "one"));

    await hosts("down", "b");
    assert.deepEqual(await left(next), []);
});
