
/*
 * Copyright (C) rs-gateway contributors
 *
 * Asks the gateway for something new all the time, each time over a new
 * connection, and writes down whatever was not given: a session with a device,
 * TURN credentials and, where a TURN server is, a relay with them.
 */

import { execFile } from "node:child_process";
import { request } from "node:https";
import { promisify } from "node:util";

import { until } from "../../e2e/lib/wait.mjs";


const run = promisify(execFile);
const EVERY_MS = 250;
const TIMEOUT_MS = 10000;


/** One call over a connection of its own: {status, body}. */
export function call({url, ca, key}, method, path, body) {
    return new Promise((resolve, reject) => {
        const req = request(url + path, {
            method, ca, agent: false, timeout: TIMEOUT_MS,
            headers: {"Authorization": `Bearer ${key}`,
                      ...(body ? {"Content-Type": "application/json"} : {})},
        }, (res) => {
            let text = "";

            res.setEncoding("utf8");
            res.on("data", (chunk) => {
                text += chunk;
            });
            res.on("error", reject);
            res.on("end", () => {
                try {
                    resolve({status: res.statusCode,
                             body: text === "" ? null : JSON.parse(text)});

                } catch {
                    resolve({status: res.statusCode, body: text});
                }
            });
        });

        req.on("timeout", () => req.destroy(new Error("no answer")));
        req.on("error", reject);
        req.end(body && JSON.stringify(body));
    });
}


/** What POST /ice answered, for each TURN server by itself; another one is
 *  the first each time. */
function servers(ice) {
    const hosts = new Map();

    for (const server of ice.iceServers) {
        for (const url of [server.urls].flat()) {
            const host = /^turns?:([^:?]+)/.exec(url)?.[1];

            if (host) {
                hosts.set(host, [...hosts.get(host) ?? [],
                                 {...server, urls: [url]}]);
            }
        }
    }

    return [...hosts.values()].map((iceServers) => ({...ice, iceServers}))
                              .sort(() => Math.random() - 0.5);
}


export class Probe {
    /** where: {url, ca, key}, may change; device: whom sessions are with;
     *  check: the path of rs-turn-check, or null for none. */
    constructor(where, device, check) {
        Object.assign(this, {where, device, check});
        this.asked = {sessions: 0, ice: 0, relays: 0, away: 0};
        this.refused = [];
        this.ended = new Set();
        this.started = Date.now();
        this.stopped = false;
        this.under = new Set();
        this.done = Promise.all([
            this.#every(() => this.#session()),
            this.#every(() => this.#ice()),
        ]);
    }

    async #every(f) {
        while (!this.stopped) {
            const next = Date.now() + EVERY_MS;
            const it = {};

            this.under.add(it);
            await f();
            this.under.delete(it);
            await new Promise((resolve) => setTimeout(
                resolve, Math.max(0, next - Date.now())));
        }
    }

    /* what is not given is told with the second it was asked in */
    async #ask(what, method, path, body, good) {
        const at = ((Date.now() - this.started) / 1000).toFixed(1);

        try {
            const answer = await call(this.where, method, path, body);

            if (answer.status === good) {
                return answer.body;
            }

            this.refused.push(`${what} at ${at} s: ${answer.status} ${
                answer.body?.code ?? ""} ${answer.body?.detail ?? ""}`);

        } catch (e) {
            this.refused.push(`${what} at ${at} s: ${e.message}`);
        }

        return null;
    }

    async #session() {
        const session = await this.#ask("session", "POST", "/sessions", {
            host: {type: "device", device_id: this.device}}, 201);

        this.asked.sessions++;

        if (session) {
            await this.#ask("its end", "DELETE", `/sessions/${session.id}`,
                            null, 204);
            this.ended.add(session.id);
        }
    }

    async #ice() {
        const ice = await this.#ask("ice", "POST", "/ice", {}, 200);

        this.asked.ice++;

        if (ice && this.check) {
            await this.#relay(ice);
        }
    }

    /* A browser has all TURN servers and takes what it gets: it is refused
     * when none gives it a relay.  One that does not is told. */
    async #relay(ice) {
        const at = ((Date.now() - this.started) / 1000).toFixed(1);
        const why = [];

        this.asked.relays++;

        for (const server of servers(ice)) {
            try {
                await this.#through(server);
                this.asked.away += why.length;

                return;

            } catch (e) {
                why.push((e.stdout + e.stderr).trim().slice(-300));
            }
        }

        this.refused.push(`relay at ${at} s: ${why.join("; ")}`);
    }

    /* an allocation, and packets through it and back */
    async #through(server) {
        const child = run(this.check, ["--ice", "-", "--transport", "udp",
                                       "--count", "5"], {timeout: TIMEOUT_MS});

        child.child.stdin.end(JSON.stringify(server));
        await child;
    }

    /** Resolves when nothing that was begun before is under way. */
    async idle() {
        const before = new Set(this.under);

        await until("end of what was asked", () => ![...before].some(
            (it) => this.under.has(it)));
    }

    /** Ends it; what it asked for, and what it was refused. */
    async stop() {
        this.stopped = true;
        await this.done;

        return {asked: this.asked, refused: this.refused};
    }
}
