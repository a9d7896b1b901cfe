
/*
 * Copyright (C) rs-gateway contributors
 *
 * The fleet under test: what fleet/run booted, the inventory an operator would
 * write for it, and how a test looks at its hosts.  Runs at the hub.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { TOP } from "../../e2e/lib/stack.mjs";
import { until } from "../../e2e/lib/wait.mjs";
import { Plays } from "./ansible.mjs";
import { call } from "./probe.mjs";


const execute = promisify(execFile);

export const FQDN = "support.fleet.test";

const GROUPS = {
    rs_gateways: /^gw/, rs_balancers: /^lb/, rs_turn: /^turn/,
    rs_redis: /^redis/, rs_agents: /^desk/, rs_events: /^gw/,
};


async function run(...argv) {
    const {stdout} = await execute(argv[0], argv.slice(1),
                                   {maxBuffer: 16 << 20});

    return stdout;
}


/* letters of base32, as the gateway's own keys have them */
function newKey() {
    const letters = "abcdefghijklmnopqrstuvwxyz234567";

    return "rsk_default_" + [...randomBytes(52)].map(
        (b) => letters[b % 32]).join("").slice(0, 51) + "a";
}


/** YAML is also JSON. */
function yaml(value) {
    return JSON.stringify(value, null, 1) + "\n";
}


/** A line of numbers that stays when a test has passed. */
export function say(text) {
    process.stdout.write(`# ${text}\n`);
}


export class Fleet {
    /** dir: where rs-hosts is; versions: {previous, current}. */
    static async open() {
        const fleet = new Fleet();

        fleet.dir = process.env.RS_FLEET_DIR;
        fleet.state = JSON.parse(await readFile(
            join(fleet.dir, "hosts", "hosts.json"), "utf8"));
        fleet.hosts = fleet.state.hosts;
        fleet.url = `https://${FQDN}/rs/v1`;
        await mkdir(join(fleet.dir, "log"), {recursive: true});
        await fleet.#inventory();

        return fleet;
    }

    names(group) {
        return Object.keys(this.hosts).filter((n) => GROUPS[group].test(n));
    }

    path(...names) {
        return join(this.dir, ...names);
    }

    /** Runs a command on a host as root; gives what it wrote. */
    async on(host, command, input = "") {
        const child = execute("ssh", ["-F", this.state.ssh_config, host,
                                      command], {maxBuffer: 16 << 20});

        child.child.stdin.end(input);

        try {
            return (await child).stdout;

        } catch (e) {
            throw new Error(`${host}: ${command}: ${e.stderr || e.message}`);
        }
    }

    /** Makes a certificate for the names of this fleet, by an authority that
     *  is made the first time, and gives it with its key. */
    async certificate() {
        const names = [FQDN, ...Object.values(this.hosts).flatMap(
            (h) => [h.fqdn, h.ip])];

        this.tls = this.path("tls");
        this.ca = join(this.tls, "ca.pem");
        await run("python3", "-c",
                  "import os, sys; sys.path.insert(0, sys.argv[1])\n"
                  + "from rslib import tls\n"
                  + "os.path.exists(sys.argv[2] + '/ca.key')"
                  + " or tls.authority(sys.argv[2])\n"
                  + "tls.sign(sys.argv[2], sys.argv[3:])",
                  join(TOP, "util"), this.tls, ...names);
        this.authority = await readFile(this.ca, "utf8");

        return {certificate: await readFile(join(this.tls, "cert.pem"), "utf8"),
                key: await readFile(join(this.tls, "key.pem"), "utf8")};
    }

    async #inventory() {
        const folder = this.path("inventory");
        const all = join(folder, "group_vars", "all");
        const groups = {};

        for (const group of Object.keys(GROUPS)) {
            groups[group] = {hosts: Object.fromEntries(
                this.names(group).map((name) => [name, this.#variables(name)]))};
        }

        this.all = all;
        this.vault = join(all, "vault.yml");
        this.vaultPassword = this.path("vault-password");
        this.plays = new Plays({
            dir: this.path("log"), inventory: folder,
            vaultPassword: this.vaultPassword,
            sshConfig: this.state.ssh_config});

        /* hosts that are up already have the secrets of before */
        this.key = await this.#apiKey("key");
        this.probeKey = await this.#apiKey("probe-key");
        await mkdir(all, {recursive: true});
        await writeFile(join(folder, "hosts.yml"), yaml(groups));
        await writeFile(this.vaultPassword, "of this test only\n",
                        {mode: 0o600});

        if (!existsSync(this.vault)) {
            await run(join(TOP, "ansible", "new-vault"),
                      "--vault-password-file", this.vaultPassword, this.vault);
        }

        await this.write("site.yml", {
            rs_address: "{{ ansible_host }}",
            rs_fqdn: FQDN,
            rs_repo_url: `file:${this.state.repo}`,
            rs_repo_key: await readFile(join(this.state.repo_from,
                                             "rs-gateway.asc"), "utf8"),
            rs_agent_settings: {display: ":0", consent: "none"},

            /* the receiver of these tests */
            rs_eventd_allow_networks: [`${this.state.hub}/32`],
            rs_eventd_settings: {allow_http: true},

            /* as many files as any machine lets a host have, and its clock */
            rs_nginx_nofile: 16384,
            rs_nginx_worker_connections: 4096,
            rs_balancer_nofile: 16384,
            rs_coturn_nofile: 16384,
            rs_time_sync: false,

            /* ten devices need no half minute to go elsewhere */
            rs_nginx_drain_time: 5,
        });
        await this.writeCertificate();
        await this.writeKeys();
    }

    /** A file of the inventory's variables. */
    async write(name, variables) {
        await writeFile(join(this.all, name), yaml(variables), {mode: 0o600});
    }

    async writeCertificate() {
        const {certificate, key} = await this.certificate();

        await this.write("certificate.yml", {
            rs_certificate: certificate, rs_certificate_key: key,
            rs_agent_ca: this.authority});

        return certificate;
    }

    /** The API keys there are: those of the roles, and of this test. */
    async writeKeys() {
        await this.write("keys.yml", {rs_redis_api_keys: [
            {key: "{{ vault_rs_node_key }}", name: "ansible-drain",
             scopes: ["node:drain"]},
            {key: "{{ vault_rs_enroll_key }}", name: "ansible-enroll",
             scopes: ["enrollments:write"]},
            {key: this.key, name: "test", scopes: ["*"]},
            {key: this.probeKey, name: "probe", scopes: ["*"]},
        ]});
    }

    /* kept in a file, as rs-load wants it */
    async #apiKey(name) {
        const path = this.path(name);

        if (!existsSync(path)) {
            await writeFile(path, newKey() + "\n", {mode: 0o600});
        }

        return (await readFile(path, "utf8")).trim();
    }

    /** Another key for the probe, in the inventory only. */
    async nextProbeKey() {
        this.probeKey = newKey();
        await writeFile(this.path("probe-key"), this.probeKey + "\n",
                        {mode: 0o600});
        await this.writeKeys();
    }

    get keyFile() {
        return this.path("key");
    }

    /** What an operator does before a play of rotation. */
    async changeVault(...what) {
        await run(join(TOP, "ansible", "change-vault"),
                  "--vault-password-file", this.vaultPassword, ...what,
                  this.vault);
    }

    #variables(name) {
        const {ip, relay_ip} = this.hosts[name];
        const more = {};

        if (relay_ip) {
            more.rs_coturn_relay_ip = relay_ip;
        }

        return {ansible_host: ip, ansible_user: "root", ...more};
    }

    /** Which version of a package a host has. */
    async version(host, name) {
        return (await this.on(host, `dpkg-query -W -f '\${Version}' ${name}`))
               .replace(/~.*$/, "");
    }

    /** What calls have to know. */
    where(key) {
        return {url: this.url, ca: this.authority, key};
    }

    async rest(key, method, path, body) {
        const answer = await call(this.where(key), method, path, body);

        assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${
            JSON.stringify(answer.body)}`);

        return answer.body;
    }

    /** Waits until the balancer has a gateway that is ready. */
    async ready() {
        await until("gateway behind the balancer", async () => (await call(
            this.where(this.key), "GET", "/health/ready")).status === 200);
    }
}
