
/*
 * Copyright (C) rs-gateway contributors
 *
 * Runs a play as an operator does, and reads its recap.
 */

import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { TOP } from "../../e2e/lib/stack.mjs";


const RECAP = /^(\S+)\s*: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)/gm;


/** What a play told at its end, all hosts together. */
export function recap(text) {
    const at = text.lastIndexOf("PLAY RECAP");
    const sum = {hosts: 0, ok: 0, changed: 0, unreachable: 0, failed: 0};

    for (const m of at < 0 ? [] : text.slice(at).matchAll(RECAP)) {
        sum.hosts++;
        ["ok", "changed", "unreachable", "failed"].forEach((name, i) => {
            sum[name] += Number(m[i + 2]);
        });
    }

    return sum;
}


/** The names of tasks that changed something, with their hosts. */
export function changes(text) {
    const found = [];
    let task = "";

    for (const line of text.split("\n")) {
        task = /^(?:TASK|RUNNING HANDLER) \[(.*)\] \**$/.exec(line)?.[1]
               ?? task;

        const host = /^changed: \[([^\]]+)\]/.exec(line)?.[1];

        if (host) {
            found.push(`${task} (${host})`);
        }
    }

    return found;
}


/* the end of it, from the first failure on */
function failure(text) {
    const lines = text.split("\n");
    const at = lines.findIndex((l) => /^(fatal|failed|ERROR|\[ERROR)/.test(l));

    return lines.slice(at < 0 ? -20 : Math.max(0, at - 2)).slice(0, 30)
                .map((l) => l.slice(0, 1500)).join("\n");
}


export class Plays {
    /** dir: where logs go; inventory, vaultPassword: files. */
    constructor({dir, inventory, vaultPassword, sshConfig}) {
        Object.assign(this, {dir, inventory, vaultPassword, sshConfig});
        this.count = 0;
    }

    /**
     * Runs ansible/PLAY with extra variables; rejects if it fails.
     *
     * @returns {Promise<{hosts, ok, changed, failed, seconds, text}>}
     */
    async run(play, vars = {}, more = []) {
        const start = Date.now();
        const name = play.replace(/^.*\//, "").replace(/\.yml$/, "");
        const log = join(this.dir, `${String(++this.count).padStart(2, "0")}-${
            name}.log`);

        const status = await this.#play(log, [
            "-i", this.inventory, "--vault-password-file", this.vaultPassword,
            "-e", JSON.stringify(vars), ...more, play]);
        const text = await readFile(log, "utf8");
        const result = {...recap(text), text, log,
                        seconds: (Date.now() - start) / 1000};

        if (status !== 0) {
            throw new Error(`${play}: exit ${status}, see ${log}\n${
                failure(text)}`);
        }

        return result;
    }

    #play(log, args) {
        return new Promise((resolve, reject) => {
            const out = createWriteStream(log);
            const child = spawn("ansible-playbook", args, {
                cwd: join(TOP, "ansible"), stdio: ["ignore", "pipe", "pipe"],
                env: {...process.env, ANSIBLE_NOCOLOR: "1",
                      ANSIBLE_CONFIG: join(TOP, "ansible", "ansible.cfg"),
                      ANSIBLE_SSH_ARGS: `-F ${this.sshConfig
                          } -o ControlMaster=auto -o ControlPersist=60s`,

                      /* nothing of what is gathered changes meanwhile */
                      ANSIBLE_GATHERING: "smart",
                      ANSIBLE_CACHE_PLUGIN: "jsonfile",
                      ANSIBLE_CACHE_PLUGIN_CONNECTION: join(this.dir, "facts"),
                      ANSIBLE_LOCAL_TEMP: join(this.dir, "tmp"),
                      ANSIBLE_SSH_CONTROL_PATH_DIR: join(this.dir, "cp"),
                      PYTHONDONTWRITEBYTECODE: "1"}});

            child.stdout.pipe(out, {end: false});
            child.stderr.pipe(out, {end: false});
            child.on("error", reject);
            child.on("close", (code) => out.end(() => resolve(code)));
        });
    }
}
