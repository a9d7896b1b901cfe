
/*
 * Copyright (C) rs-gateway contributors
 *
 * A host of the internet, as far as anybody here can tell: an address that is
 * of no special use, in a network namespace behind this one's, and names that
 * lead to it, or elsewhere, by a DNS server where this machine looks for one.
 * All of it ends with the test.
 */

import { execFile, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { isIPv4 } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { until } from "../../e2e/lib/wait.mjs";


const run = promisify(execFile);

const HERE = "11.88.0.1";

/** The host's address. */
export const SITE = "11.88.0.2";

const SERVER = fileURLToPath(new URL("site-server.mjs", import.meta.url));


/* the one question of a query: RFC 1035, 4.1.2 */
function question(query) {
    const labels = [];
    let at = 12;

    for ( ; query[at] !== 0; at += query[at] + 1) {
        labels.push(query.toString("latin1", at + 1, at + 1 + query[at]));
    }

    return {name: labels.join(".").toLowerCase(), end: at + 5,
            ipv4: query.readUInt16BE(at + 1) === 1};
}


function answer(query, {end, ipv4}, addresses) {
    const a = ipv4 ? addresses : [];
    const head = Buffer.from(query.subarray(0, 12));

    head.writeUInt16BE(addresses.length === 0 ? 0x8183 : 0x8180, 2);
    head.writeUInt16BE(a.length, 6);
    head.writeUInt32BE(0, 8);

    return Buffer.concat([head, query.subarray(12, end), ...a.map((ip) =>
        Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4,
                     ...ip.split(".").map(Number)]))]);
}


export class Site {
    /** names: name -> addresses; a function of how often it was asked. */
    static async open(names = {}) {
        const it = new Site();

        it.names = names;
        it.asked = {};

        try {
            await it.#host();
            await it.#dns();

        } catch (e) {
            await it.close();
            throw e;
        }

        return it;
    }

    url(path = "/page") {
        return `http://${SITE}${path}`;
    }

    /** What pages said: {said, visits}. */
    async heard() {
        return (await fetch(this.url("/said"))).json();
    }

    /** Waits until a page said something that f likes, and gives that. */
    async hears(what, f, ms) {
        return until(what, async () =>
            (await this.heard()).said.findLast(f), ms);
    }

    async #host() {
        this.holder = spawn("unshare", ["--net", "sleep", "infinity"],
                            {stdio: "ignore"});

        const pid = String(this.holder.pid);
        const inside = (...argv) => run("nsenter", ["-t", pid, "-n", "--",
                                                    ...argv]);
        const mine = readFileSync("/proc/self/net/dev", "utf8");

        await until("network namespace", () =>
            readFileSync(`/proc/${pid}/net/dev`, "utf8") !== mine
            && readFileSync(`/proc/${pid}/comm`, "utf8") === "sleep\n");

        await run("ip", ["link", "add", "site0", "type", "veth", "peer",
                         "name", "site1", "netns", pid]);

        // an IPv6 address of its own comes a second late, and Chromium breaks
        // off what it loads when one does

        await run("ip", ["link", "set", "site0", "addrgenmode", "none"]);
        await run("ip", ["address", "add", `${HERE}/30`, "dev", "site0"]);
        await run("ip", ["link", "set", "site0", "up"]);
        await inside("ip", "link", "set", "lo", "up");
        await inside("ip", "address", "add", `${SITE}/30`, "dev", "site1");
        await inside("ip", "link", "set", "site1", "up");
        await inside("ip", "route", "add", "default", "via", HERE);

        this.server = spawn("nsenter", ["-t", pid, "-n", "--",
                                        process.execPath, SERVER],
                            {stdio: ["ignore", "pipe", "inherit"]});
        await once(this.server.stdout, "data");
    }

    async #dns() {
        const [, ip] = /^nameserver\s+(\S+)/m.exec(
            readFileSync("/etc/resolv.conf", "utf8")) ?? [null, "127.0.0.1"];

        if (!isIPv4(ip)) {
            throw new Error(`a nameserver of IPv4 is wanted, not ${ip}`);
        }

        if (!ip.startsWith("127.")) {
            await run("ip", ["address", "replace", `${ip}/32`, "dev", "lo"]);
        }

        this.socket = createSocket("udp4");
        this.socket.on("message", (query, {address, port}) => {
            const asked = question(query);
            const {name, ipv4} = asked;
            const what = this.names[name] ?? [];

            this.asked[name] = (this.asked[name] ?? 0) + Number(ipv4);
            this.socket.send(answer(query, asked, typeof what === "function"
                ? what(this.asked[name]) : what), port, address);
        });
        this.socket.bind(53, ip);
        await once(this.socket, "listening");
    }

    async close() {
        this.socket?.close();

        for (const child of [this.server, this.holder]) {
            if (child !== undefined && child.exitCode === null) {
                child.kill("SIGKILL");
                await once(child, "exit");
            }
        }
    }
}
