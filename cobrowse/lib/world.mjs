/*
 * Copyright (C) rs-gateway contributors
 *
 * A stack with a rendering service, or a recorder, or both; sessions there;
 * and what is left of one: processes, namespaces, files.
 */

import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

import { Browser } from "../../e2e/lib/browser.mjs";
import { Stack } from "../../e2e/lib/stack.mjs";
import { until } from "../../e2e/lib/wait.mjs";


/** What a session has to be gone within. */
export const GONE_MS = 5000;


/* all processes here: pid -> {pid, parent, name, args} */
function processes() {
    const all = new Map();

    for (const pid of readdirSync("/proc").filter((n) => /^\d+$/.test(n))) {
        try {
            const args = readFileSync(`/proc/${pid}/cmdline`, "latin1")
                         .split("\0");
            const [, parent] = /^PPid:\s+(\d+)/m.exec(
                readFileSync(`/proc/${pid}/status`, "latin1"));

            all.set(Number(pid), {pid: Number(pid), parent: Number(parent),
                                  args, name: args[0].split("/").pop()});

        } catch {

            /* has just ended */
        }
    }

    return all;
}


export class World {
    /**
     * what: {render, record, agent: bool, renderConf, recordConf: ["pool.max=2",
     * ...], options: of rs-stack up}; render is what there is unless said.
     */
    static async open({render = true, record = false, agent = false,
                       renderConf = [], recordConf = [], options = []} = {}) {
        const it = new World();

        it.stack = await Stack.up([
            ...render ? ["--render"] : [],
            ...record ? ["--record"] : [],
            ...agent ? ["--agent"] : [],
            ...renderConf.flatMap((pair) => ["--render-conf", pair]),
            ...recordConf.flatMap((pair) => ["--record-conf", pair]),
            ...options]);

        return it;
    }

    /** A Chromium for the people; one for the world. */
    async browser() {
        this.people ??= await Browser.start(this.stack);

        return this.people;
    }

    get api() {
        return this.stack.api;
    }

    /** What rs-render, or rs-record, said so far. */
    log(name = "render") {
        return readFileSync(this.stack.state[name].log, "utf8");
    }

    /** A rendered session: session, and a join_url for each role. */
    async session(roles, {url, width, height, ...more} = {}) {
        const host = {type: "render", ...url && {url}, ...width && {width},
                      ...height && {height}};
        const session = await this.api.createSession({
            host, participants: roles.map((role) => ({role})), ...more});

        return {session, links: session.participants
                                       .filter((p) => p.join_url)
                                       .map((p) => p.join_url)};
    }

    /** A session as it is now. */
    look(session) {
        return this.api.session(session.id);
    }

    /**
     * What instances of the rendering service there are: rs-render-host of
     * each; everything that descends from rs-render, or that says whose it is
     * where its parents are gone; the network namespaces of these, and folders.
     */
    instances() {
        const {pid: pool, dir} = this.stack.state.render;
        const folder = join(dir, "run", "i");
        const all = processes();
        const below = ({parent}) => parent === pool
                                    || (all.has(parent)
                                        && below(all.get(parent)));
        const own = [...all.values()].filter((p) => p.pid !== pool
            && (below(p) || p.args.some((a) => a.includes(folder)
                                        || a.includes("RsRenderingService"))));
        const here = readlinkSync("/proc/self/ns/net");
        const namespaces = new Set(own.flatMap(({pid}) => {
            try {
                return [readlinkSync(`/proc/${pid}/ns/net`)];

            } catch {
                return [];
            }
        }).filter((ns) => ns !== here));

        /* an instance is started with its folder, and nothing in it is */

        return {hosts: own.filter(({args}) => args.includes("--runtime-dir")
                                  && args.includes("--token-file")),
                processes: own, namespaces: [...namespaces],
                folders: !existsSync(folder) ? []
                         : readdirSync(folder).filter(
                             (name) => !name.endsWith(".pid"))};
    }

    /** Nothing of any instance is left, so many warm ones apart. */
    async gone(warm = 0, ms = GONE_MS) {
        await until("end of the instances", () => {
            const {hosts, processes: left, namespaces, folders}
                = this.instances();

            return hosts.length === warm && folders.length <= warm
                   && (warm > 0 || (left.length === 0
                                    && namespaces.length === 0));
        }, ms);
    }

    async close() {
        await this.people?.close();
        await this.stack?.down();
    }
}
