
/*
 * Copyright (C) rs-gateway contributors
 *
 * rs-tunnel, as a technician runs it.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { TOP } from "../../e2e/lib/stack.mjs";
import { until } from "../../e2e/lib/wait.mjs";
import { end } from "./servers.mjs";

export const PROGRAM = join(TOP, "build", "tunnel", "rs-tunnel");


/** What stands before the command: which gateway, by whose key. */
export function options(stack, node = 0,
                        keyFile = stack.state.api_key_file) {
    return ["-c", "/dev/null", "--ca-file", stack.state.ca, "-s",
            stack.state.nodes[node].base, "-k", keyFile];
}


/** The environment of a technician without a proxy. */
export function environment(more = {}) {
    const env = {...process.env, no_proxy: "*", ...more};

    delete env.RS_TUNNEL_KEY;

    return {...env, ...more};
}


/** Runs it to its end: status, what it said. */
export async function runOnce(args, input = "") {
    const child = spawn(PROGRAM, args, {env: environment()});
    let stdout = "", stderr = "";

    child.stdout.on("data", (text) => { stdout += text; });
    child.stderr.on("data", (text) => { stderr += text; });
    child.stdin.on("error", () => {});
    child.stdin.end(input);

    const [status] = await once(child, "close");

    return {status, stdout, stderr};
}


/** A local port. */
export class Tunnel {
    static async open(args) {
        const it = new Tunnel();

        it.said = "";
        it.line = "";
        it.child = spawn(PROGRAM, args, {env: environment(),
                                         stdio: ["ignore", "pipe", "pipe"]});
        it.child.stdout.on("data", (text) => { it.line += text; });
        it.child.stderr.on("data", (text) => { it.said += text; });

        await until("port of rs-tunnel", () => it.line.endsWith("\n")
                                               || it.child.exitCode !== null);

        if (it.child.exitCode !== null) {
            throw new Error(it.said);
        }

        it.host = "127.0.0.1";
        it.port = Number(it.line.trim().split(":").at(-1));
        it.id = /tun_[a-z2-7]{26}/.exec(it.said)?.[0];

        return it;
    }

    /** Its arguments, as everybody on the machine can read them. */
    get shown() {
        return readFileSync(`/proc/${this.child.pid}/cmdline`, "utf8");
    }

    close(signal) {
        return end(this.child, signal);
    }
}
