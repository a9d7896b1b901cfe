
/*
 * Copyright (C) rs-gateway contributors
 *
 * Networks between a browser, an agent and the gateway: namespaces, routers
 * with NAT and packet filters.
 *
 *     tech --- router ---+--- pub ---+--- router --- site
 *     Chromium                gateway, coturn        agent
 *
 * "pub" is a bridge in the namespace the test itself is in, which
 * util/with-netns has made.  The others are held by processes that only
 * sleep, so they end with the test, whatever becomes of it.  Addresses of
 * "pub" are such as coturn's open policy takes for public ones; no packet of
 * them ever leaves the machine.
 */

import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { Stack, TOP } from "./stack.mjs";
import { until } from "./wait.mjs";


const run = promisify(execFile);

/** Where things are in "pub"; relay hosts nothing but relays. */
export const PUB = {
    gateway: "11.77.0.1", turn: "11.77.0.2", relay: "11.77.0.3",
    proxy: "11.77.0.4",
    gateway6: "2a0f:77::1", turn6: "2a0f:77::2", relay6: "2a0f:77::3",
    proxy6: "2a0f:77::4",
};

/** Names, looked up in hosts files of both sides. */
export const NAMES = {gateway: "gw.rs.test", turn: "turn.rs.test"};

const RELAY_RULES = join(TOP, "build", "turn", "rs-turn-authd");

const NOBODY = "02:00:00:00:00:01";

/* what a side's router lets out; the rest vanishes without a word */
const ALLOW = {
    all: "accept",
    tcp: "meta l4proto tcp accept",
    443: "tcp dport 443 accept",
    proxy: `ip daddr ${PUB.proxy} meta l4proto tcp accept`,
    gateway: `ip daddr ${PUB.gateway} meta l4proto tcp accept`,
    nothing: "drop",
};

const NAT = {none: null, cone: "masquerade",
             symmetric: "masquerade fully-random"};


/* feeds a program inside a process's namespaces, or here */
function feed(pid, argv, text) {
    const all = pid === null ? argv
        : ["nsenter", "-t", String(pid), "-n", "--", ...argv];

    return new Promise((resolve, reject) => {
        const child = execFile(all[0], all.slice(1), (error, out, err) => {
            if (error) {
                reject(new Error(`${argv.join(" ")}: ${err || error.message}`
                                 + `\n${text}`));

            } else {
                resolve(out);
            }
        });

        child.stdin.on("error", () => {});      /* it says so itself */
        child.stdin.end(text);
    });
}


function ip(pid, lines) {
    return feed(pid, ["ip", "-batch", "-"], lines.join("\n") + "\n");
}


function nft(pid, text) {
    return feed(pid, ["nft", "-f", "-"], text);
}


function forwarding(pid) {
    return feed(pid, ["sh", "-s"],
                "echo 1 > /proc/sys/net/ipv4/ip_forward\n"
                + "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding\n");
}


/**
 * A namespace, held by a process.  With a folder of hosts and resolv.conf it
 * has mounts of its own, private ones: were they not, the whole machine would
 * get those files.
 */
class Space {
    static async make(hosts = null) {
        const space = new Space();
        const hold = hosts === null
            ? ["--net", "sleep", "infinity"]
            : ["--net", "--mount", "--propagation", "unchanged", "sh", "-c",
               "mount --make-rprivate / 2>/dev/null;"
               + ' mount --bind "$1/hosts" /etc/hosts'
               + ' && mount --bind "$1/resolv.conf" /etc/resolv.conf'
               + " && exec sleep infinity", "hold", hosts];

        space.holder = spawn("unshare", hold, {stdio: "ignore"});
        space.ended = new Promise((resolve) => {
            space.holder.once("exit", resolve);
            space.holder.once("error", resolve);
        });

        await until("namespace", async () =>
            await readFile(`/proc/${space.pid}/comm`, "utf8") === "sleep\n"
            && await readlink(`/proc/${space.pid}/ns/net`)
               !== await readlink("/proc/self/ns/net"));

        if (hosts !== null && / \/etc\/hosts /.test(
            await readFile("/proc/self/mountinfo", "utf8")))
        {
            await run("umount", ["/etc/hosts", "/etc/resolv.conf"]);
            await space.end();
            throw new Error("mounts are shared here, and / is no mount point");
        }

        return space;
    }

    get pid() {
        return this.holder.pid;
    }

    async end() {
        this.holder.kill("SIGKILL");
        await this.ended;
    }
}


/** One side: a host, and the router before it. */
class Side {
    constructor(name, number, family) {
        this.name = name;
        this.number = number;
        this.family = family;
        this.host = null;
        this.router = null;
        this.nat = "none";
        this.allow = "all";
        this.down = false;
        this.moves = 0;
    }

    /* host part of addresses: a move takes the next one */
    #last() {
        return 2 + this.moves % 100;
    }

    #wan() {
        const moves = this.nat === "none" ? 0 : this.moves % 50;

        return `11.77.0.${this.number * 100 + moves}`;
    }

    get #wan6() {
        return `2a0f:77::${this.number}:1`;
    }

    /* behind NAT nobody else knows the net; without it has a public one */
    #lan() {
        return this.nat === "none" ? `11.77.${this.number}`
                                   : `10.${this.number}.0`;
    }

    #lan6() {
        return `2a0f:77:${this.number}:`;
    }

    /** The host's own address, and the one others see. */
    get address() {
        return this.family === 6 ? `${this.#lan6()}:${this.#last()}`
                                 : `${this.#lan()}.${this.#last()}`;
    }

    get outside() {
        return this.nat === "none" ? this.address : this.#wan();
    }

    /** In front of a command that runs on the host. */
    get enter() {
        return ["nsenter", "-t", String(this.host.pid), "-n", "-m", "-r",
                "--"];
    }

    /** The route that leads to the host when there is no NAT. */
    routes(other) {
        return this.family === 6
            ? [`route add ${this.#lan6()}:/64 via ${this.#wan6} dev ${other}`]
            : this.nat !== "none" ? []
            : [`route add ${this.#lan()}.0/24 via ${this.#wan()} dev ${other}`];
    }

    async make(o, hosts) {
        this.nat = o.nat ?? "none";
        this.allow = o.allow ?? "all";
        this.router = await Space.make();
        this.host = await Space.make(hosts);

        await ip(null, [
            `link add w-${this.name} type veth peer name wan netns ${
                this.router.pid}`,
            `link set w-${this.name} master pub addrgenmode none`,
            `link set w-${this.name} up`]);
        await ip(this.router.pid, [
            "link set lo up",
            `link add lan type veth peer name eth0 netns ${this.host.pid}`,
            "link set lan addrgenmode none",
            "link set wan addrgenmode none",
            "link set lan up",
            "link set wan up",
            ...this.#routerAddresses(),
            ...(this.family === 6 ? [] : [
                `neighbour add 11.77.0.254 lladdr ${NOBODY} dev wan nud permanent`,
                "route add default via 11.77.0.254 dev wan"])]);
        await forwarding(this.router.pid);
        await ip(this.host.pid, ["link set lo up",
                                 "link set eth0 addrgenmode none"]);
        await this.#hostUp();
        await this.#rules();
    }

    #routerAddresses() {
        return this.family === 6
            ? [`address add fe80::${this.number}:1/64 dev wan nodad`,
               "address add fe80::1/64 dev lan nodad",
               `address add ${this.#wan6}/64 dev wan nodad`,
               `address add ${this.#lan6()}:1/64 dev lan nodad`]
            : [`address add ${this.#wan()}/24 dev wan`,
               `address add ${this.#lan()}.1/24 dev lan`];
    }

    #hostUp() {
        return ip(this.host.pid, this.family === 6
            ? ["link set eth0 up",
               "address replace fe80::2/64 dev eth0 nodad",
               `address add ${this.address}/64 dev eth0 nodad`,
               `route add default via ${this.#lan6()}:1 dev eth0`]
            : ["link set eth0 up",
               `address add ${this.address}/24 dev eth0`,
               `route add default via ${this.#lan()}.1 dev eth0`]);
    }

    #rules() {
        const nat = NAT[this.nat];
        const open = this.nat === "none"
                     ? '        iifname "wan" accept\n' : "";

        return nft(this.router.pid, `flush ruleset

table inet rs {
    chain input {
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        meta l4proto ipv6-icmp accept
        meta l4proto icmp accept
    }

    chain outbound {
        ${ALLOW[this.allow]}
    }

    chain passing {
        type filter hook forward priority 0; policy drop;
        ${this.down ? "drop" : "iifname \"lan\" jump outbound"}
        iifname "lan" drop
        ct state established,related accept
${open}    }
}
${nat === null ? "" : `
table ip rsnat {
    chain out {
        type nat hook postrouting priority srcnat;
        oifname "wan" ${nat}
    }
}
`}`);
    }

    /** From now on the router is like that; cone and symmetric can change,
     *  for connections that are new. */
    async become({nat, allow}) {
        this.nat = nat ?? this.nat;
        this.allow = allow ?? this.allow;
        await this.#rules();
    }

    /** Packets vanish, both ways; nobody is told.  And no longer. */
    async cut() {
        this.down = true;
        await this.#rules();
    }

    async mend() {
        this.down = false;
        await this.#rules();
    }

    /** The cable is out: the host sees that, and has no address left. */
    async unplug() {
        await ip(this.host.pid, ["link set eth0 down",
                                 "address flush dev eth0"]);
    }

    async plug() {
        await this.#hostUp();
    }

    /**
     * The host is in another network all of a sudden: another address of its
     * own, and another one that others see; what went by the old ones is lost.
     */
    async move() {
        const old = this.address;
        const oldWan = this.#wan();

        if (this.family === 6) {
            this.moves++;
            await ip(this.host.pid, [
                `address add ${this.address}/64 dev eth0 nodad`,
                `address del ${old}/64 dev eth0`]);
            return;
        }

        await this.unplug();
        this.moves++;
        await ip(this.router.pid, [
            `address del ${oldWan}/24 dev wan`,
            `address add ${this.#wan()}/24 dev wan`,
            "route replace default via 11.77.0.254 dev wan"]);
        await this.plug();
    }

    async end() {
        await this.host?.end();
        await this.router?.end();
    }
}


/* the bridge, with what the gateway's machine has there */
function bridge() {
    const pub4 = [PUB.gateway, PUB.turn, PUB.relay, PUB.proxy];
    const pub6 = [PUB.gateway6, PUB.turn6, PUB.relay6, PUB.proxy6];

    return ip(null, [
        "link add pub type bridge",
        "link set pub addrgenmode none",
        "link set pub up",
        ...pub4.map((a) => `address add ${a}/24 dev pub`),
        /* link-local ones: routers look for neighbours by them */
        "address add fe80::1/64 dev pub nodad",
        ...pub6.map((a) => `address add ${a}/64 dev pub nodad`),
        /* as over IPv4: peers that are nowhere do not make sendto() fail */
        `neighbour add 2a0f:77::fe lladdr ${NOBODY} dev pub nud permanent`,
        "route add default via 2a0f:77::fe dev pub"]);
}


export class Net {
    /**
     * @param {{tech?: {nat?, allow?, family?}, site?: {nat?, allow?, family?},
     *          port443?: boolean}} o
     *     nat: none, cone, symmetric; allow: all, tcp, 443, proxy, gateway
     *     (TCP to it, no relay), nothing;
     *     family: 4 or 6; port443: the gateway's address takes TURN, too, on
     *     that port
     */
    static async open(o = {}) {
        const net = new Net();
        const {stdout} = await run("ip", ["address", "show", "rs0"]).catch(
            () => ({stdout: ""}));

        if (!stdout.includes("10.77.0.1/") || process.getuid() !== 0) {
            throw new Error("networks are made by root inside a namespace:"
                            + " util/with-netns node --test ...");
        }

        net.port443 = o.port443 === true;
        net.dir = await mkdtemp(join(tmpdir(), "rs-net-"));

        try {
            await bridge();
            await net.#sides(o);

        } catch (e) {
            await net.close();
            throw e;
        }

        return net;
    }

    async #sides(o) {
        this.tech = new Side("tech", 1, o.tech?.family ?? 4);
        this.site = new Side("site", 2, o.site?.family ?? 4);

        for (const side of [this.tech, this.site]) {
            await side.make(o[side.name] ?? {}, await this.#names(side));
            await ip(null, side.routes("pub"));
        }

        /* without NAT each router knows the other's net, too */
        if (this.tech.family === this.site.family) {
            await ip(this.tech.router.pid, this.site.routes("wan"));
            await ip(this.site.router.pid, this.tech.routes("wan"));
        }
    }

    /* a side's hosts file, and none of what would ask a name server: other
     * names are unknown at once */
    async #names(side) {
        const dir = join(this.dir, side.name);
        const six = side.family === 6 ? "6" : "";
        const turn = PUB[(this.port443 ? "gateway" : "turn") + six];

        await mkdir(dir);
        await writeFile(join(dir, "resolv.conf"), "nameserver 127.0.0.1\n");
        await writeFile(join(dir, "hosts"),
                        `127.0.0.1 localhost\n${six ? "::1 localhost\n" : ""}`
                        + `${PUB["gateway" + six]} ${NAMES.gateway}\n`
                        + `${turn} ${NAMES.turn}\n`);

        return dir;
    }

    /** Options of Stack.up() for a fleet in "pub" and an agent in "site". */
    options(more = []) {
        const families = new Set([this.tech.family, this.site.family]);
        const turn = [
            ...families.has(4) ? ["--turn-ip", PUB.turn,
                                  "--relay-ip", PUB.relay] : [],
            ...families.has(6) ? ["--turn-ip", PUB.turn6,
                                  "--relay-ip", PUB.relay6] : []];

        return ["--ip", PUB.gateway, "--ip6", PUB.gateway6,
                "--host", NAMES.gateway, "--turn-host", NAMES.turn,
                ...turn,
                "--agent-netns", String(this.site.host.pid), "--agent",
                ...this.port443 ? ["--port-443"] : [], ...more];
    }

    /** Such a fleet; with the kernel rules that an operator's relay has. */
    async stack(more = []) {
        const stack = await Stack.up(this.options(more));
        const {authd} = stack.state.turn;

        try {
            const {stdout} = await run(RELAY_RULES, ["-c", authd.conf,
                                                     "--print-nft"]);

            await nft(null, stdout);

        } catch (e) {
            await stack.down();
            throw e;
        }

        return stack;
    }

    async close() {
        await this.tech?.end();
        await this.site?.end();

        /* the sides' cables go with their other end; this one is ours */
        await run("ip", ["link", "del", "pub"]).catch(() => {});
        await rm(this.dir, {recursive: true, force: true});
    }
}
