
/*
 * Copyright (C) rs-gateway contributors
 *
 * A whole fleet, from packages and roles, on booted hosts: it converges, a
 * second run changes nothing, a browser sees a desktop through the balancer,
 * and while a load of messages, sessions and relays goes on it is upgraded,
 * each of its secrets is changed, and it is taken back: nobody is refused,
 * and nothing acknowledged is lost.
 *
 * The tests stand on each other, in their order.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { connect } from "node:tls";

import { Browser, connected, frames, place, shows }
    from "../e2e/lib/browser.mjs";
import { TOP } from "../e2e/lib/stack.mjs";
import { until } from "../e2e/lib/wait.mjs";
import { changes } from "./lib/ansible.mjs";
import { FQDN, Fleet, say } from "./lib/fleet.mjs";
import { Hook } from "./lib/hook.mjs";
import { Load, kept, line } from "./lib/load.mjs";
import { Probe, call } from "./lib/probe.mjs";


const FULL = process.env.FLEET !== "short";
const PREVIOUS = process.env.RS_FLEET_PREVIOUS;
const CURRENT = process.env.RS_FLEET_CURRENT;
const MINUTE = 60000;
const LOAD = FULL ? {sessions: 30, rate: 150} : {sessions: 10, rate: 50};

/* a device whose own agent is upgraded is away while that starts: sessions
 * with it are not asked for then */
const SERVERS = ["--limit", "all:!rs_agents"];

const GROUND = [0x24, 0x41, 0x5e];
const GREEN = [0x20, 0x90, 0x40];

let fleet, device, load, hook, failed;


before(async () => {
    fleet = await Fleet.open();
}, {timeout: MINUTE});


after(async () => {
    load?.kill();
    hook?.kill();
}, {timeout: MINUTE});


/* one that has failed leaves nothing for the next to stand on */
function step(name, minutes, f) {
    test(name, {timeout: 4 * minutes * MINUTE}, async (t) => {
        if (failed) {
            t.skip(`after "${failed}"`);
            return;
        }

        failed = name;
        await f();
        failed = undefined;
    });
}


/* an X server on the device, as a desk has one */
async function desktop(host) {
    await fleet.on(host, "DEBIAN_FRONTEND=noninteractive apt-get -qq -y install "
        + "xvfb x11-xserver-utils xdotool > /dev/null");
    await fleet.on(host, "systemctl is-active -q desktop || systemd-run -q "
        + "--unit=desktop Xvfb :0 -screen 0 1280x720x24 -nolisten tcp -ac "
        + "-noreset");
    await until(`desktop of ${host}`, async () => {
        await fleet.on(host, "DISPLAY=:0 xsetroot -solid '#24415e'");

        return true;
    });
}


/**
 * Does something to the fleet while a load goes on, and nobody may notice.
 *
 * @param {(probe: Probe) => Promise<void>} f
 */
async function unnoticed(what, f) {
    load = await Load.start({url: fleet.url, ca: fleet.ca,
                             keyFile: fleet.keyFile, ...LOAD});

    const probe = new Probe(fleet.where(fleet.probeKey), device,
                            join(TOP, "build", "turn", "rs-turn-check"));
    const start = Date.now();
    let told, report;

    try {
        await f(probe);

    } finally {
        told = await probe.stop();
        report = await load.stop();
        load = undefined;
        say(`${what}: ${((Date.now() - start) / 1000).toFixed(0)} s, ${
            line(report)}`);
        say(`${what}: asked for ${told.asked.sessions} sessions, ${
            told.asked.ice} ICE configurations, ${told.asked.relays} relays: ${
            told.refused.length} refused; a TURN server was away for ${
            told.asked.away} of them`);
    }

    assert.deepEqual(told.refused, []);
    kept(report);

    if (hook) {
        await heard(what, probe.ended);
    }
}


/* a webhook is told of the end of each of these sessions */
async function heard(what, sessions) {
    const missing = () => [...sessions].filter((id) => !hook.ended.has(id));

    try {
        await until("what a webhook is told", () => missing().length === 0);

    } catch {
        assert.fail(`${what}: a webhook was not told of the end of ${
            missing().length} of ${sessions.size} sessions: ${
            JSON.stringify(await hook.told())}`);
    }

    say(`${what}: a webhook was told of the end of all ${
        sessions.size} sessions`);
}


async function versions(expected) {
    const hooks = expected.localeCompare("0.2.0", "en", {numeric: true}) >= 0;

    for (const [group, name] of [
        ["rs_gateways", "libnginx-mod-http-rs-signal"],
        ["rs_turn", "rs-turn-auth"], ["rs_agents", "rs-agent"],
        ...(hooks ? [["rs_events", "rs-eventd"]] : [])]) {

        for (const host of fleet.names(group)) {
            assert.equal(await fleet.version(host, name), expected,
                         `${name} of ${host}`);
        }
    }

    /* a version that has no webhooks leaves no daemon for them behind */

    for (const host of hooks ? [] : fleet.names("rs_events")) {
        await fleet.on(host, "! systemctl -q is-active rs-eventd && "
                             + "test ! -e /usr/sbin/rs-eventd");
    }
}


/* the fingerprint of the certificate that clients are shown */
function shown() {
    return new Promise((resolve, reject) => {
        const socket = connect({host: FQDN, port: 443, servername: FQDN,
                                ca: fleet.authority}, () => {
            resolve(socket.getPeerX509Certificate().fingerprint256);
            socket.destroy();
        });

        socket.on("error", reject);
    });
}


/* the id of the device, once it is there */
function online() {
    return until("a device that is online", async () => {
        const {items} = await fleet.rest(fleet.key, "GET", "/devices");

        return items.find((d) => d.name === "desk1" && d.online)?.id;
    });
}


/* a person at the balancer's name sees the desk and moves its pointer */
async function session() {
    const browser = await Browser.start({state: {ca: fleet.ca}});

    try {
        const s = await fleet.rest(fleet.key, "POST", "/sessions", {
            host: {type: "device", device_id: device},
            participants: [{role: "controller"}]});
        const page = await browser.page();
        const [desk] = fleet.names("rs_agents");

        await page.goto(s.participants.find((p) => p.join_url).join_url);
        await connected(page);
        await shows(page, {x: 640, y: 360}, GROUND);
        await fleet.on(desk, "DISPLAY=:0 xsetroot -solid '#209040'");
        await shows(page, {x: 640, y: 360}, GREEN);

        await page.waitForSelector('#stage[data-control="true"]');
        await page.mouse.move(...await place(page, {x: 321, y: 123}));
        await until("pointer of the desk", async () => /x:321 y:123 /.test(
            await fleet.on(desk, "DISPLAY=:0 xdotool getmouselocation")));

        const n = await frames(page);

        await fleet.on(desk, "DISPLAY=:0 xsetroot -solid '#24415e'");
        await shows(page, {x: 640, y: 360}, GROUND);
        assert.ok(await frames(page) > n);
        await fleet.rest(fleet.key, "DELETE", `/sessions/${s.id}`);
        assert.deepEqual(page.complaints, []);

    } finally {
        await browser.close();
    }
}


step("the inventory converges", 20, async () => {
    await Promise.all(fleet.names("rs_agents").map(desktop));

    const done = await fleet.plays.run("site.yml", {rs_version: PREVIOUS});

    say(`converged ${done.hosts} hosts to ${PREVIOUS}: ${
        done.seconds.toFixed(0)} s, ok=${done.ok} changed=${done.changed}`);
    assert.equal(done.hosts, Object.keys(fleet.hosts).length);
    await fleet.ready();
    await versions(PREVIOUS);
});


step("a second run changes nothing", 10, async () => {
    const done = await fleet.plays.run("site.yml", {rs_version: PREVIOUS});

    say(`second run: ${done.seconds.toFixed(0)} s, ok=${done.ok} changed=${
        done.changed}`);
    assert.deepEqual(changes(done.text), []);
    assert.equal(done.changed, 0);
});


step("the device is online", 2, async () => {
    device = await online();
});


step("a session through the balancer", 3, session);


step(`upgrade from ${PREVIOUS} to ${CURRENT}`, 15, async () => {
    await unnoticed("upgrade", () => fleet.plays.run(
        "plays/upgrade.yml", {rs_version: CURRENT}, SERVERS));
    await fleet.plays.run("plays/upgrade.yml", {rs_version: CURRENT},
                          ["--limit", "rs_agents"]);
    await versions(CURRENT);
});


step("a session after the upgrade", 3, session);


/* from here on, and what is done under load is told, too */
step("a webhook is told", 3, async () => {
    hook = await Hook.open(fleet);

    const {id} = await fleet.rest(fleet.key, "POST", "/sessions", {
        host: {type: "device", device_id: device}});

    await fleet.rest(fleet.key, "DELETE", `/sessions/${id}`);
    await heard("upgrade", new Set([id]));
});


/* ---- each secret, while the load goes on */


step("another TURN key", 15, () => unnoticed(
    "TURN key", async () => {
    await fleet.changeVault("turn-key");
    await fleet.plays.run("plays/rotate_turn_key.yml");

    for (const host of fleet.names("rs_turn")) {
        const keys = await fleet.on(host, "cat /etc/rs-turn-authd/key");

        assert.equal(keys.trim().split("\n").length, 2, host);
    }
}));


step("other API keys", 15, () => unnoticed(
    "API keys", async (probe) => {
    const old = fleet.probeKey;

    await fleet.changeVault("api-keys");
    await fleet.nextProbeKey();
    await fleet.plays.run("plays/rotate_api_keys.yml",
                          {rs_rotate_keep: true});

    /* as programs do that are not of the inventory */
    probe.where = fleet.where(fleet.probeKey);
    await probe.idle();
    await fleet.plays.run("plays/rotate_api_keys.yml");

    const {status} = await call(fleet.where(old), "GET", "/devices");

    assert.equal(status, 401, "the old key");
}));


step("another certificate", 15, () => unnoticed(
    "TLS", async () => {
    const certificate = await fleet.writeCertificate();

    await fleet.plays.run("plays/rotate_tls.yml");
    assert.equal(await shown(), new X509Certificate(certificate).fingerprint256);
}));


step("other passwords of Redis", 20, () => unnoticed(
    "Redis passwords", async () => {
    const password = () => fleet.on(fleet.names("rs_gateways")[0],
                                    "cat /etc/nginx/rs/redis.password");
    const old = await password();

    await fleet.changeVault("redis-passwords");
    await fleet.plays.run("plays/rotate_redis_passwords.yml");
    await fleet.changeVault("redis-passwords", "--finish");
    await fleet.plays.run("plays/rotate_redis_passwords.yml");
    assert.notEqual(await password(), old);

    for (const host of fleet.names("rs_redis")) {
        const answer = await fleet.on(host, "read p; redis-cli -h $(hostname -i)"
            + " --user rs-gateway -a \"$p\" --no-auth-warning ping 2>&1 || :",
            old);

        assert.match(answer, /WRONGPASS|AUTH failed|NOAUTH/, host);
    }
}));


step("another identity", 15, () => unnoticed(
    "identity", async () => {
    await fleet.changeVault("identity");
    await fleet.plays.run("plays/rotate_identity.yml");
}));


/* files that are news to who reads them, as where a run broke off behind them:
 * the next one tells those, with nothing else to change */
step("what a run has left that broke off", 15, async () => {
    const left = {
        rs_turn: ["/etc/turnserver.conf /etc/rs-turn-authd/key "
                  + "/etc/rs-turn-authd/rs-turn.nft /etc/coturn/tls/cert.pem",
                  ["Load the kernel rules", "Restart coturn",
                   "Have coturn read its certificate"]],
        rs_balancers: ["/etc/haproxy/haproxy.cfg", ["Reload haproxy"]],
        rs_events: ["/etc/rs-eventd/redis.password", ["Restart rs-eventd"]],
        rs_agents: ["/etc/rs-agent/agent.conf", ["Restart the agent"]],
    };
    const hosts = Object.keys(left).map((group) => [group,
                                                    fleet.names(group)[0]]);

    for (const [group, host] of hosts) {
        await fleet.on(host, `touch ${left[group][0]}`);
    }

    const limit = ["--limit", hosts.map(([, host]) => host).join()];
    const done = await fleet.plays.run("site.yml", {rs_version: CURRENT},
                                       limit);
    const told = changes(done.text);

    for (const [group, host] of hosts) {
        for (const handler of left[group][1]) {
            assert.ok(told.some((c) => c.endsWith(`${handler} (${host})`)),
                      `${handler} of ${host}: ${told.join(", ")}`);
        }
    }

    const next = await fleet.plays.run("site.yml", {rs_version: CURRENT},
                                       limit);

    say(`broken off: ${told.length} things were made good, then ${
        next.changed}`);
    assert.deepEqual(changes(next.text), []);
    await online();
});


step(`back to ${PREVIOUS}`, 15, async () => {
    await hook?.close();
    hook = undefined;
    await unnoticed("rollback", () => fleet.plays.run(
        "plays/rollback.yml", {rs_version: PREVIOUS}, SERVERS));
    await fleet.plays.run("plays/rollback.yml", {rs_version: PREVIOUS},
                          ["--limit", "rs_agents"]);
    await versions(PREVIOUS);
});


step("a session after all of it", 3, session);


step("and the inventory is as it was", 15, async () => {
    const done = await fleet.plays.run("site.yml", {rs_version: PREVIOUS});

    assert.deepEqual(changes(done.text), []);
});
