
/*
 * Copyright (C) rs-gateway contributors
 *
 * Commands of a real agent by "rs-tunnel run": what they write and how they
 * end, what the device refuses, what bounds and cuts them, and what is left in
 * the audit.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";

import { until } from "../e2e/lib/wait.mjs";
import { environment, options, PROGRAM, runOnce } from "./lib/program.mjs";
import { World } from "./lib/world.mjs";


let dir, world, keys = 0;


/* goes on when there is a file of that name */
const WAITS = `echo $$ > "$1.pid"
echo first
while ! test -e "$1"; do sleep 0.1; done
echo second >&2
exit 7
`;


before(async () => {
    dir = await mkdtemp(join(tmpdir(), "rs-commands-"));
    await writeFile(join(dir, "waits"), WAITS);

    const commands = {
        say: {argv: "/usr/bin/printf;<%s>;{text}", "param.text": "text:200"},
        both: {argv: `/bin/sh;${join(dir, "waits")};{file}`,
               "param.file": "text:200"},
        count: {argv: "/usr/bin/seq;{n}", "param.n": "int:1-9"},
        fail: {argv: "/bin/false"},
        sleep: {argv: "/bin/sleep;600", timeout: "1"},
        yes: {argv: "/usr/bin/yes", output: "8"},
        none: {argv: "/no/such/program"},
    };

    world = await World.open({nodes: 2, options: Object.entries(commands)
        .flatMap(([name, keys]) => Object.entries({
            user: userInfo().username, ...keys})
            .flatMap(([key, value]) => ["--agent-conf",
                                        `command ${name}.${key}=${value}`]))});
}, {timeout: 120000});


after(async () => {
    await world?.close();
    await rm(dir, {recursive: true, force: true});
}, {timeout: 60000});


const args = (node, ...words) => [...options(world.stack, node), "run",
                                  world.stack.device, ...words];


async function rest(method, path, body) {
    const res = await world.stack.fetch(world.stack.state.base + path, {
        method, body: body && JSON.stringify(body),
        headers: {Authorization: `Bearer ${world.stack.key}`,
                  ...body && {"Content-Type": "application/json"}}});
    const text = await res.text();

    assert.ok(res.ok, `${method} ${path}: ${res.status} ${text}`);

    return text && JSON.parse(text);
}


const audit = async (verb) => (await rest("GET",
    "/audit?order=newest&limit=200")).items.filter((l) => l.verb === verb);


for (const node of [0, 1]) {
    test(`what is put into an argument is text, node ${node}`,
         {timeout: 60000}, async () => {
        const text = "a;b $(id) `id` && x | y > /z * \"q\" 'r' \\ ä";
        const done = await runOnce(args(node, "say", `text=${text}`));

        assert.equal(done.stderr, "");
        assert.equal(done.stdout, `<${text}>`);
        assert.equal(done.status, 0);
    });
}


test("a command's status is the program's", {timeout: 60000}, async () => {
    assert.equal((await runOnce(args(0, "fail"))).status, 1);
    assert.equal((await runOnce(args(0, "none"))).status, 127);

    const {status, stdout} = await runOnce(args(0, "count", "n=3"));

    assert.deepEqual([status, stdout], [0, "1\n2\n3\n"]);
});


test("output comes while it runs, errors apart", {timeout: 60000},
     async () => {
    const file = join(dir, "go");
    const child = spawn(PROGRAM, args(1, "both", `file=${file}`),
                        {env: environment(), stdio: ["ignore", "pipe",
                                                     "pipe"]});
    let out = "", err = "";

    child.stdout.on("data", (text) => { out += text; });
    child.stderr.on("data", (text) => { err += text; });

    await until("its first line", () => out === "first\n");
    assert.equal(child.exitCode, null, err);

    const {items} = await rest("GET", "/tunnels");

    assert.deepEqual(items.map((t) => [t.target, t.pipes]), [["run both", 1]]);
    await writeFile(file, "");

    const [status] = await once(child, "close");

    assert.deepEqual([status, out, err], [7, "first\n", "second\n"]);
    await until("its tunnel to be over",
                async () => (await rest("GET", "/tunnels")).items.length === 0);
});


test("what agent.conf does not list is refused", {timeout: 120000},
     async () => {
    for (const words of [["reboot"], ["say"], ["count", "n=10"],
                         ["count", "n=1;id"], ["count", "n=-1"],
                         ["count", "n=1", "m=2"], ["fail", "x=1"],
                         ["say", "text=-option"],
                         ["say", `text=${"x".repeat(201)}`]]) {
        const done = await runOnce(args(0, ...words));

        assert.equal(done.status, 3, `${words}: ${done.stderr}`);
        assert.equal(done.stdout, "", `${words}`);
        assert.match(done.stderr, /no such \[command\] in agent\.conf/);
    }

    const refused = await audit("pipe:refuse");

    assert.equal(refused.length, 9);
    assert.ok(refused.every((l) => l.outcome === "deny"
                                   && l.reason === "forbidden"));
});


test("a command line that cannot be", {timeout: 60000}, async () => {
    for (const [words, said] of [
        [["say", "text"], /NAME=VALUE is wanted/],
        [["say", "a b=c"], /NAME=VALUE is wanted/],
        [["say", "text=a", "text=b"], /there twice/],
        [["say", "--secret", "text=/no/such/file"], /No such file/],
        [["no command"], /\/command/],
    ]) {
        const done = await runOnce(args(0, ...words));

        assert.equal(done.status, 2, done.stderr);

        if (words[0] === "say") {
            assert.match(done.stderr, said);
        }
    }
});


test("its time and its output are bounded", {timeout: 60000}, async () => {
    const late = await runOnce(args(0, "sleep"));

    assert.equal(late.status, 124, late.stderr);
    assert.match(late.stderr, /its time is used up/);

    const much = await runOnce(args(1, "yes"));

    assert.equal(much.status, 124, much.stderr);
    assert.match(much.stderr, /its output is used up/);
    assert.equal(much.stdout, "y\n".repeat(4096));
});


test("a key that goes ends it, at the device, too", {timeout: 60000},
     async () => {
    const file = join(dir, "never");
    const keyFile = join(dir, `key${++keys}`);
    const key = await rest("POST", "/keys", {
        name: "runs", scopes: ["devices:read", "commands:run"]});

    await writeFile(keyFile, key.key, {mode: 0o600});

    const child = spawn(PROGRAM, [...options(world.stack, 1, keyFile), "run",
                                  world.stack.device, "both", `file=${file}`],
                        {env: environment(), stdio: ["ignore", "pipe",
                                                     "pipe"]});
    let out = "", err = "";

    child.stdout.on("data", (text) => { out += text; });
    child.stderr.on("data", (text) => { err += text; });
    await until("its first line", () => out === "first\n");

    const pid = Number(await readFile(`${file}.pid`, "utf8"));

    process.kill(pid, 0);
    await rest("DELETE", `/keys/${key.id}`);

    const [status] = await once(child, "close");

    assert.equal(status, 3, err);
    await until("its end at the device", () => {
        try {
            process.kill(pid, 0);
            return false;

        } catch {
            return true;
        }
    });
});


test("who interrupts it ends it", {timeout: 60000}, async () => {
    const file = join(dir, "interrupted");
    const child = spawn(PROGRAM, args(0, "both", `file=${file}`),
                        {env: environment(), stdio: ["ignore", "pipe",
                                                     "ignore"]});
    let out = "";

    child.stdout.on("data", (text) => { out += text; });
    await until("its first line", () => out === "first\n");

    const pid = Number(await readFile(`${file}.pid`, "utf8"));

    child.kill("SIGINT");

    const [status] = await once(child, "close");

    assert.equal(status, 130);
    await until("its end at the device", () => {
        try {
            process.kill(pid, 0);
            return false;

        } catch {
            return true;
        }
    });
});


test("the audit has who ran what, but no secrets", {timeout: 60000},
     async () => {
    const secret = join(dir, "secret");

    await writeFile(secret, "hush-hush\n", {mode: 0o600});

    const done = await runOnce([...args(0, "say", "--secret",
                                        `text=${secret}`),
                                "--label", "T-1"]);

    assert.equal(done.stdout, "<hush-hush>", done.stderr);

    const [line] = await audit("commands:run");

    assert.equal(line.outcome, "allow");
    assert.equal(line.actor.kind, "key");
    assert.ok(line.detail.startsWith(`${world.stack.device} pip_`));
    assert.ok(line.detail.endsWith(' say {"text":"***"}'), line.detail);

    await until("its end in the audit", async () =>
        (await audit("pipe:end")).some((l) => l.object === line.object));

    const end = (await audit("pipe:end")).find((l) =>
                                               l.object === line.object);

    assert.equal(end.reason, null);
    assert.match(end.detail, / run say up 0 down \d+ s \d+$/);

    const all = (await audit("commands:run")).map((l) => l.detail).join("\n");

    assert.ok(all.includes('count {"n":"1;id"}'), "what was tried, too");
});
