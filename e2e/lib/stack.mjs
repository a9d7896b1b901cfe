
/*
 * Copyright (C) rs-gateway contributors
 *
 * A private fleet by util/rs-stack, with an agent, in a folder of its own;
 * and a REST client for it.
 */

import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { isIP } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { webcrypto } from "node:crypto";
import { promisify } from "node:util";
import { fileURLToPath } from "node:url";

import { RsApi } from "../../console/rs-client.js";
import { until } from "./wait.mjs";


const run = promisify(execFile);

export const TOP = fileURLToPath(new URL("../../", import.meta.url));

const TOOL = join(TOP, "util", "rs-stack");

globalThis.crypto ??= webcrypto;


/** fetch() with a CA of one's own, as far as RsApi needs it; whatever name
 *  the gateway has, it is at ip. */
function fetchWith(ca, ip) {
    const lookup = (_, {all}, done) => {
        const family = isIP(ip);

        return all ? done(null, [{address: ip, family}])
                   : done(null, ip, family);
    };

    return (url, init) => new Promise((resolve, reject) => {
        const req = request(url, {ca, lookup, method: init.method,
                                  headers: init.headers,
                                  signal: init.signal}, (res) => {
            const chunks = [];

            res.on("data", (chunk) => chunks.push(chunk));
            res.on("error", reject);
            res.on("end", () => {
                const body = Buffer.concat(chunks);

                resolve(new Response(body.length > 0 ? body : null, {
                    status: res.statusCode,
                    headers: Object.entries(res.headers).map(
                        ([name, value]) => [name, String(value)]),
                }));
            });
        });

        req.on("error", reject);
        req.end(init.body);
    });
}


/* ended, and not waited for by whoever is its parent here */
function zombie(pid) {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
}


export class Stack {
    /** Starts one; options are those of rs-stack up.  RS_TURN_MODE in the
     *  environment is the mode of its TURN plugin, unless they say it. */
    static async up(options = []) {
        const dir = await mkdtemp(join(tmpdir(), "rs-e2e-"));
        const stack = new Stack(dir);
        const mode = process.env.RS_TURN_MODE;

        if (mode) {
            options = ["--turn-mode", mode, ...options];
        }

        try {
            const {stdout} = await run(TOOL, ["up", "--json", "--quiet",
                                              "--dir", dir, "--ip", "auto",
                                              ...options],
                                       {timeout: 90000});

            stack.state = JSON.parse(stdout);
            stack.key = (await readFile(stack.state.api_key_file, "utf8"))
                        .trim();
            stack.fetch = fetchWith(await readFile(stack.state.ca),
                                    stack.state.nodes[0].ip);
            stack.api = stack.apiWith(stack.key);

        } catch (e) {
            await stack.down();
            throw e;
        }

        return stack;
    }

    constructor(dir) {
        this.dir = dir;
    }

    /** A REST client with a credential of one's own. */
    apiWith(key) {
        return new RsApi({base: this.state.base, key, fetch: this.fetch});
    }

    get url() {
        return this.state.url;
    }

    get device() {
        return this.state.agent.device_id;
    }

    /** The pids of a node's workers. */
    async workers(node = 0) {
        const {pid} = this.state.nodes[node];
        const text = await readFile(`/proc/${pid}/task/${pid}/children`,
                                    "utf8");

        return text.trim().split(" ").map(Number);
    }

    /** Whether a process of the stack has ended. */
    gone(pid) {
        return !existsSync(`/proc/${pid}`) || zombie(pid);
    }

    /** A node's error log. */
    log(node = 0) {
        return readFile(this.state.nodes[node].error_log, "utf8");
    }

    /** What the agent said so far. */
    agentLog() {
        return readFile(this.state.agent.log, "utf8");
    }

    /** Starts a part of the stack again that has ended. */
    async start(part) {
        const {stdout} = await run(TOOL, ["start", "--dir", this.dir, part],
                                   {timeout: 30000});
        const {pid} = JSON.parse(stdout);

        for (const node of this.state.nodes) {
            if (node.name === part) {
                node.pid = pid;
            }
        }

        if (["redis", "turn", "agent", "render", "record"].includes(part)) {
            this.state[part].pid = pid;
        }
    }

    /** Kills coturn; start("turn") is its return. */
    async killTurn() {
        const {pid} = this.state.turn;

        process.kill(pid, "SIGKILL");
        await until("end of coturn", () => this.gone(pid));
    }

    /** Of a stack with Sentinels: the Redis that is primary now. */
    async primary() {
        const {sentinels, servers} = this.state.redis;
        const {stdout} = await run("redis-cli", [
            "-p", String(sentinels[0].port), "--raw",
            "SENTINEL", "get-master-addr-by-name", "rs"]);
        const port = Number(stdout.trim().split("\n")[1]);

        return servers.find((s) => s.port === port);
    }

    /**
     * Whether a replica of a server follows it, so that tickets used up there
     * can be confirmed: until then a join is `uncertain`, and a page that has
     * the one ticket cannot ask for another.
     */
    async confirmed(server) {
        const {admin_password_file} = this.state.redis;
        const password = (await readFile(admin_password_file, "utf8")).trim();
        const {stdout} = await run("redis-cli", [
            "-p", String(server.port), "INFO", "replication"],
            {env: {...process.env, REDISCLI_AUTH: password}});

        return /^slave\d+:.*state=online/m.test(stdout);
    }

    /** Ends Redis as an operator does, with what it holds on disk. */
    async stopRedis() {
        const {socket, pid, admin_password_file} = this.state.redis;
        const password = (await readFile(admin_password_file, "utf8")).trim();

        await run("redis-cli", ["-s", socket, "SHUTDOWN", "SAVE"],
                  {env: {...process.env, REDISCLI_AUTH: password},
                   timeout: 10000});
        await until("end of Redis", () => this.gone(pid));
    }

    /**
     * Ends exactly what up() started, and removes its folder.  nginx must
     * not have complained of itself, a worker killed by a test apart.
     */
    async down() {
        await run(TOOL, ["down", "--quiet", "--dir", this.dir],
                  {timeout: 60000});

        const logs = await Promise.all(
            (this.state?.nodes ?? []).map((_, i) => this.log(i)));
        const complaints = logs.join("").split("\n").filter(
            (line) => /\[(?:alert|crit|emerg)\]|Sanitizer/.test(line)
                      && !/exited on signal 9/.test(line));

        await rm(this.dir, {recursive: true, force: true});

        if (complaints.length > 0) {
            throw new Error(complaints.join("\n"));
        }
    }

    /** A session with the stack's device: session and join_url per role. */
    async session(roles, more = {}) {
        const session = await this.api.createSession({
            host: {type: "device", device_id: this.device},
            participants: roles.map((role) => ({role})),
            ...more,
        });

        return {session, links: session.participants
                                       .filter((p) => p.join_url)
                                       .map((p) => p.join_url)};
    }

    /**
     * As an operator does it: other TURN URLs into the configuration, or none,
     * then a reload.  Back when a new worker hands them out and has the
     * device.  far: those of another region, which is named first.
     */
    async setTurn(urls, far = []) {
        const node = this.state.nodes[0];
        const site = join(node.conf, "..", "rs-site.conf");
        const text = (await readFile(site, "utf8"))
                     .replace(/^rs_turn_server far .*\n/m, "");
        const {connected_at} = (await this.api.device(this.device)).data;

        /* so that coming back can be told by the second */
        await until("next second", () => Date.now() / 1000
                                         > connected_at + 1);

        await writeFile(site, text.replace(/^(# )?rs_turn_server .*$/m,
            (far.length > 0 ? `rs_turn_server far ${far.join(" ")};\n` : "")
            + (urls.length > 0 ? "" : "# ")
            + `rs_turn_server default ${urls.join(" ")};`));

        process.kill(node.pid, "SIGHUP");

        await until("reloaded configuration", async () => {
            const {iceServers} = await this.api.ice({});
            const given = iceServers.flatMap((s) => s.urls)
                                    .filter((url) => /^turns?:/.test(url));

            return JSON.stringify(given) === JSON.stringify([...far, ...urls]);
        });

        await until("device at a new worker", async () => {
            const {data} = await this.api.device(this.device);

            return data.online && data.connected_at > connected_at;
        });
    }
}
