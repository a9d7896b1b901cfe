
/*
 * Copyright (C) rs-gateway contributors
 *
 * rs-load against the fleet, from before something is done to it until after;
 * and what it must not have seen.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { join } from "node:path";

import { TOP } from "../../e2e/lib/stack.mjs";


const PROGRAM = join(TOP, "build", "bench", "rs-load");


export class Load {
    /** Resolves when all are connected and messages are under way. */
    static async start({url, ca, keyFile, sessions, rate}) {
        const load = new Load();

        load.it = spawn(PROGRAM, [
            "pairs", "--json", "--any-address", "--url", url, "--ca-file", ca,
            "--key-file", keyFile, "--sessions", String(sessions),
            "--rate", String(rate), "--seconds", "3600",
            "--drain-seconds", "30", "--connecting", "8"],
            {stdio: ["ignore", "pipe", "pipe"]});
        load.said = [];
        load.out = "";
        load.it.stdout.on("data", (chunk) => {
            load.out += chunk;
        });
        load.ended = new Promise((resolve) => load.it.on("close", resolve));

        await new Promise((resolve, reject) => {
            createInterface(load.it.stderr).on("line", (line) => {
                if (line === "rs-load: running") {
                    resolve();

                } else {
                    load.said.push(line);
                }
            });
            load.it.on("error", reject);
            load.ended.then((code) => reject(new Error(
                `rs-load: exit ${code}: ${load.said.join("; ")}`)));
        });

        return load;
    }

    /** Ends it and gives its report. */
    async stop() {
        this.it.kill("SIGTERM");

        const status = await this.ended;

        if (status > 1 || status === null) {
            throw new Error(`rs-load: exit ${status}: ${
                this.said.join("; ")}`);
        }

        return {...JSON.parse(this.out), status, said: this.said};
    }

    kill() {
        this.it.kill("SIGKILL");
    }
}


/** One line of what a report says. */
export function line(r) {
    const m = r.messages;
    const back = r.latency_us.peer_back ?? r.latency_us.agent_back;

    return `${m.acked} acked, ${m.lost} lost, ${m.duplicates} twice, ${
        m.reordered} reordered, ${m.foreign} foreign; connects: ${
        r.connects_refused} refused, ${r.connects_failed} failed; broken ${
        r.broken_sessions}, gone ${r.devices_gone}; goaways ${
        r.goaways ?? 0}; back after at most ${
        ((back?.max ?? 0) / 1e6).toFixed(1)} s`;
}


/** Nothing acknowledged was lost, nobody was refused. */
export function kept(r) {
    const told = `${line(r)}\n${r.said.join("\n")}`;

    assert.ok(r.messages.acked > 0, told);

    for (const name of ["lost", "duplicates", "reordered", "foreign"]) {
        assert.equal(r.messages[name], 0, `${name}: ${told}`);
    }

    for (const name of ["connects_refused", "broken_sessions", "devices_gone",
                        "devices_away", "participants_away"]) {
        assert.equal(r[name], 0, `${name}: ${told}`);
    }

    assert.equal(r.status, 0, told);
}
