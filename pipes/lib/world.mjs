
/*
 * Copyright (C) rs-gateway contributors
 *
 * Two nodes with two workers each, a device whose agent lets tunnels lead to
 * the servers behind it, and which way a pipe takes.
 */

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Stack } from "../../e2e/lib/stack.mjs";
import { Echo, Http, Sshd, Tcp } from "./servers.mjs";


export class World {
    /** what: {http: bytes} with an HTTP server of a file of that size. */
    static async open(what = {}) {
        const it = new World();

        try {
            await it.#open(what);

        } catch (e) {
            await it.close();
            throw e;
        }

        return it;
    }

    async #open(what) {
        this.dir = await mkdtemp(join(tmpdir(), "rs-pipes-"));
        this.tcp = await Tcp.open();
        this.echo = await Echo.open();

        if (what.http) {
            this.http = await Http.open(this.dir, what.http);
        }

        if (what.ssh) {
            this.sshd = await Sshd.open(this.dir);
        }

        const allow = [`127.0.0.1:${this.tcp.port}`,
                       `127.0.0.1:${this.echo.port}/udp`,
                       ...[this.http, this.sshd].filter(Boolean)
                          .map((s) => `127.0.0.1:${s.port}`),
                       ...what.allow ?? []];

        this.stack = await Stack.up([
            "--no-turn", "--agent", "--nodes", String(what.nodes ?? 2),
            "--workers", "2",
            "--tunnel-ports",
            "--agent-conf", `tunnels.allow=${allow.join(";")}`,
            ...what.options ?? []]);
        this.ca = await readFile(this.stack.state.ca);
    }

    /* what a node answers to an address of this machine */
    #call(node, from, method, path, headers = {}, body = "") {
        const {https_port: port} = this.stack.state.nodes[node];

        return new Promise((resolve, reject) => {
            const req = request({host: "127.0.0.1", port, path, method,
                                 headers, localAddress: from, ca: this.ca,
                                 agent: false,
                                 checkServerIdentity: () => {}}, (res) => {
                let text = "";

                res.on("data", (chunk) => { text += chunk; });
                res.on("error", reject);
                res.on("end", () => resolve({status: res.statusCode, text}));
            });

            req.on("error", reject);
            req.end(body);
        });
    }

    /** The metrics of a node, by its own text: only who is there may ask. */
    async metrics(node) {
        return (await this.#call(node, "127.0.0.1", "GET", "/metrics")).text;
    }

    /**
     * A call of REST that must succeed, unless fails says with which status:
     * {status, data}.
     */
    async ask(method, path, {node = 0, from = "127.0.0.1", body, fails,
                             key = this.stack.key} = {}) {
        const {status, text} = await this.#call(
            node, from, method, `/rs/v1${path}`,
            {Authorization: `Bearer ${key}`,
             ...body && {"Content-Type": "application/json"}},
            body && JSON.stringify(body));

        if (fails ? status !== fails : status >= 300) {
            throw new Error(`${method} ${path}: ${status} ${text}`);
        }

        return {status, data: text ? JSON.parse(text) : null};
    }

    /** How many connections of a kind each node has. */
    async count(kind) {
        return Promise.all(this.stack.state.nodes.map(async (_, i) => {
            const found = new RegExp(`^rs_connections\\{[^}]*kind="${kind}"\\} `
                                     + "(\\d+)$", "m")
                          .exec(await this.metrics(i));

            if (found === null) {
                throw new Error(`no connections of kind ${kind} are counted`);
            }

            return Number(found[1]);
        }));
    }

    /**
     * Which way the only pipe there is takes: "worker" (both legs at one),
     * "workers" (two of one node), "nodes".
     */
    async way() {
        const links = await this.count("link");
        const sum = links.reduce((a, b) => a + b, 0);

        if (sum === 0) {
            return "worker";
        }

        return links.filter((n) => n > 0).length > 1 ? "nodes" : "workers";
    }

    /** Removes a tunnel whose maker is no more, or cannot. */
    async remove(id) {
        const {status} = await this.stack.fetch(
            `${this.stack.state.base}/tunnels/${id}`,
            {method: "DELETE",
             headers: {Authorization: `Bearer ${this.stack.key}`}});

        if (status !== 204 && status !== 404) {
            throw new Error(`tunnel ${id}: ${status}`);
        }
    }

    async close() {
        await this.stack?.down();
        await this.http?.close();
        await this.sshd?.close();
        this.echo?.close();
        await this.tcp?.close();
        await rm(this.dir, {recursive: true, force: true});
    }
}
