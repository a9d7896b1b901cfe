
/*
 * Copyright (C) rs-gateway contributors
 *
 * What must not be read anywhere, and where it is looked for: logs and other
 * files of a stack, all that Redis is told and holds, arguments and
 * environments of processes.
 */

import { execFile, spawn } from "node:child_process";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { once } from "node:events";
import { join, relative } from "node:path";
import { promisify } from "node:util";

import { until } from "./wait.mjs";


const run = promisify(execFile);

const SHORTEST = 12;        /* what is shorter may stand somewhere by chance */

/* nginx itself, not the module, writes each header field of a request into a
 * log of level debug */
const OF_NGINX = /http header: "|http2? output header: "/;

/* what others' programs do: coturn 4.6 writes the connection to
 * its statsdb into its log, with the password; for its owner only, then */
const KNOWN = [{name: /^secrets\/turn-db /, place: /^log\/turn\.log$/}];

/* everything in Redis as text; streams as they are */
const DUMP = `
local out = {}

local function put(v)
    if type(v) == 'table' then
        for _, x in ipairs(v) do put(x) end
    else
        out[#out + 1] = tostring(v)
    end
end

local read = {
    string = {'GET'}, hash = {'HGETALL'}, list = {'LRANGE', 0, -1},
    set = {'SMEMBERS'}, zset = {'ZRANGE', 0, -1}, stream = {'XRANGE', '-', '+'}
}

for _, key in ipairs(redis.call('KEYS', '*')) do
    local with = read[redis.call('TYPE', key).ok]

    put(key)
    put(redis.call(with[1], key, unpack(with, 2)))
end

return table.concat(out, '\\n')`;


function* filesBelow(dir) {
    for (const entry of readdirSync(dir, {withFileTypes: true})) {
        const path = join(dir, entry.name);

        if (entry.isDirectory()) {
            yield* filesBelow(path);

        } else if (entry.isFile()) {
            yield path;
        }
    }
}


export class Canary {
    #stack;
    #secrets = new Map();
    #monitor;
    #told = "";

    constructor(stack) {
        this.#stack = stack;
    }

    /** Names of what is looked for. */
    get names() {
        return [...this.#secrets.keys()];
    }

    /**
     * One more secret; of a token its secret part.  carried: Redis has it
     * inside of what peers say to each other, and may.
     */
    add(name, value, {carried = false} = {}) {
        const secret = /[a-z2-7]{52}(?![a-z2-7])/.exec(value)?.[0] ?? value;

        if (secret.length < SHORTEST) {
            throw new Error(`${name}: "${secret}" is too short to be found`);
        }

        this.#secrets.set(`${name} #${this.#secrets.size}`,
                          {secret, carried});
    }

    /** All that is in files of secrets, as rs-stack made them. */
    addFiles() {
        const {dir} = this.#stack;

        for (const part of ["secrets", "agent/state"]) {
            for (const path of filesBelow(join(dir, part))) {
                this.#addLines(relative(dir, path), path);
            }
        }

        this.#addLines("TLS key", join(dir, "tls", "key.pem"));
    }

    #addLines(name, path) {
        if (path.endsWith(".conf")) {
            return;         /* says who and where, nothing secret */
        }

        for (const line of readFileSync(path, "utf8").split("\n")) {
            if (line.length >= SHORTEST && !line.startsWith("-----")) {
                this.add(name, line.trim());
            }
        }
    }

    #redis(args, o = {}) {
        const {socket, admin_password_file} = this.#stack.state.redis;
        const password = readFileSync(admin_password_file, "utf8").trim();

        return [["-s", socket, ...args],
                {...o, env: {...process.env, REDISCLI_AUTH: password}}];
    }

    /** From now on each command that Redis gets is seen. */
    async listen() {
        this.#monitor = spawn("redis-cli", ...this.#redis(["MONITOR"]));
        this.#monitor.stdout.setEncoding("latin1");
        this.#monitor.stdout.on("data", (data) => { this.#told += data; });
        await until("MONITOR", () => this.#told.startsWith("OK"));
    }

    async close() {
        if (this.#monitor && this.#monitor.exitCode === null) {
            const end = once(this.#monitor, "exit");

            this.#monitor.kill();
            await end;
        }
    }

    /* {place, text, redis?, open?}: open is what others may read */
    async * #places() {
        const {dir, state} = this.#stack;

        for (const path of filesBelow(dir)) {
            const log = path.endsWith(".log");
            const open = (statSync(path).mode & 0o077) !== 0;

            /* a file of its owner's may hold what he has to know */

            if (log || open) {
                yield {place: relative(dir, path), open,
                       text: readFileSync(path, "latin1").split("\n")
                           .filter((line) => !OF_NGINX.test(line))
                           .join("\n")};
            }
        }

        yield {place: "commands to Redis", text: this.#told, redis: true};

        const {stdout} = await run("redis-cli", ...this.#redis(
            ["--raw", "EVAL", DUMP, "0"], {maxBuffer: 1 << 28}));

        yield {place: "what Redis holds", text: stdout, redis: true};

        const {stdout: info} = await run("redis-cli", ...this.#redis(
            ["--raw", "CLIENT", "LIST"]));

        yield {place: "clients of Redis", text: info};

        for (const pid of readdirSync("/proc").filter((n) => /^\d+$/.test(n)))
        {
            yield {place: `arguments of ${pid}`, text: proc(pid, "cmdline")};
        }

        for (const {name, pid} of state.processes) {
            yield {place: `environment of ${name}`,
                   text: proc(pid, "environ")};
        }
    }

    /**
     * Where something is that must not be, as "NAME in PLACE: LINE"; and that
     * the search looks at all into what it says: each of seen is in a place
     * that matches.
     */
    async find(seen) {
        const found = [];
        const missing = new Map(seen.map(({place, text}) => [place + text,
                                                             {place, text}]));

        for await (const {place, text, redis = false, open = true}
                   of this.#places())
        {
            for (const [name, {secret, carried}] of this.#secrets) {
                const at = carried && redis ? -1 : text.indexOf(secret);
                const known = !open && KNOWN.some(
                    (k) => k.name.test(name) && k.place.test(place));

                if (at >= 0 && !known) {
                    found.push(`${name} in ${place}: ${line(text, at)}`);
                }
            }

            for (const [key, want] of missing) {
                if (want.place.test(place) && text.includes(want.text)) {
                    missing.delete(key);
                }
            }
        }

        return [...found, ...[...missing.values()].map(
            ({place, text}) => `no "${text}" in ${place}`)];
    }
}


function proc(pid, name) {
    try {
        return readFileSync(`/proc/${pid}/${name}`, "latin1")
            .replaceAll("\0", " ");

    } catch (e) {
        if (e.code === "ENOENT" || e.code === "ESRCH") {
            return "";      /* it has ended */
        }

        throw e;
    }
}


function line(text, at) {
    const from = text.lastIndexOf("\n", at) + 1;
    const to = text.indexOf("\n", at);

    return text.slice(from, to < 0 ? undefined : to).slice(0, 300);
}
