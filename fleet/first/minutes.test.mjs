
/*
 * Copyright (C) rs-gateway contributors
 *
 * The first ten minutes, on two clean Debian hosts: packages, rsctl init, a
 * link to sign in by, one line on the first device, and its desktop in a
 * browser.  The clock starts at the first apt-get, and what it says is
 * printed: how long installing takes is up to the machine.  Runs at the hub of
 * the hosts that fleet/first-ten-minutes boots.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { Browser, connected, shows } from "../../e2e/lib/browser.mjs";
import { until } from "../../e2e/lib/wait.mjs";


const execute = promisify(execFile);

const FQDN = "support.fleet.test";
const GROUND = [0x24, 0x41, 0x5e];
const MINUTE = 60000;
const INIT = `rsctl init --fqdn ${FQDN} --self-signed`;

let state, ca, browser, started;


before(async () => {
    state = JSON.parse(await readFile(
        join(process.env.RS_FIRST_DIR, "hosts.json"), "utf8"));

    /* what a desk has by itself */
    await on("desk", "printf '#!/bin/sh\\nexec \"$@\"\\n' > "
                     + "/usr/local/bin/sudo; chmod 755 /usr/local/bin/sudo");
    await apt("desk", "xvfb x11-xserver-utils");
    await on("desk", "systemd-run -q --unit=desktop Xvfb :0 "
                     + "-screen 0 1280x720x24 -nolisten tcp -noreset -ac");
    await until("the desktop", async () => {
        await on("desk", "DISPLAY=:0 xsetroot -solid '#24415e'");

        return true;
    });
    await source("desk");
}, {timeout: 10 * MINUTE});


after(async () => {
    await browser?.close();
}, {timeout: MINUTE});


/** What a command wrote on a host, as root; throws with all it said. */
async function on(host, command) {
    try {
        const {stdout} = await execute("ssh", [
            "-F", state.ssh_config, host, command], {maxBuffer: 16 << 20});

        return stdout;

    } catch (e) {
        throw new Error(`${host}: ${command}: ${e.stdout}${e.stderr}`);
    }
}


async function apt(host, packages) {
    await on(host, "DEBIAN_FRONTEND=noninteractive apt-get -qq -y install "
                   + `${packages} > /dev/null`);
}


/* the package source, as build/repo/rs-gateway.sources says */
async function source(host) {
    await on(host, "cp /srv/rs-gateway/rs-gateway.asc /etc/apt/keyrings/ && "
        + "sed 's|^URIs: .*|URIs: file:/srv/rs-gateway|' "
        + "/srv/rs-gateway/rs-gateway.sources "
        + "> /etc/apt/sources.list.d/rs-gateway.sources && "
        + "apt-get -qq update");
}


async function active(...units) {
    return on("gw", `systemctl is-active ${units.join(" ")} || :`);
}


/* paths below /etc and what is in them */
async function etc() {
    return on("gw", "cd /etc && find . -path ./mtab -prune -o -type f "
        + "-print0 -o -type l -print0 | sort -z | xargs -0 ls -ld "
        + "--time-style=+ ; find /etc -type f -print0 | sort -z | "
        + "xargs -0 sha256sum");
}


test("packages alone change nothing that served", {timeout: 10 * MINUTE},
     async () => {

    started = Date.now();
    await source("gw");

    /* apt on these hosts takes no recommended ones by itself */
    await apt("gw", "rs-gateway redis-server coturn rs-turn-auth");
    await on("gw", "nginx -t");
    assert.match(await active("nginx", "rs-turn-authd"), /^active\ninactive\n/);
});


test("init changes nothing when nobody says yes", {timeout: 2 * MINUTE},
     async () => {

    const was = await etc();

    await on("gw", `${INIT} --dry-run`);
    assert.equal(await etc(), was);

    await assert.rejects(on("gw", `${INIT} < /dev/null`),
                         /Serve https:.*nobody to ask/s);
    assert.equal(await etc(), was);

    /* what nginx refuses */
    await on("gw", "echo 'no_such_directive;' > /etc/nginx/conf.d/zz.conf");
    await assert.rejects(on("gw", `${INIT} --yes`),
                         /nginx refuses .*no_such_directive/s);
    await on("gw", "rm /etc/nginx/conf.d/zz.conf");
    assert.equal(await etc(), was);
    assert.match(await active("rs-turn-authd", "redis-server@rs-gateway"),
                 /^inactive\ninactive\n/);

    /* options that cannot be right */
    for (const [options, why] of [
        ["--fqdn localhost --self-signed", /not a host name/],
        [`--fqdn ${FQDN}`, /which certificate/],
        [`--fqdn ${FQDN} --self-signed --certificate /x --certificate-key /x`,
         /either/],
        [`--fqdn ${FQDN} --certificate /etc/hosts --certificate-key /x`,
         /\/x: No such file/],
        [`--fqdn ${FQDN} --self-signed --redis redis://10.0.0.1`,
         /belong together/],
        [`--fqdn ${FQDN} --self-signed --relay-address ${
            state.hosts.gw.ip}`, /must be another/]]) {

        await assert.rejects(on("gw", `rsctl init --yes ${options}`), why);
    }

    assert.equal(await etc(), was);
});


test("init makes a gateway of it", {timeout: 3 * MINUTE}, async () => {
    /* a directive of rs-http.conf that nginx.conf has by itself */
    await on("gw", "echo 'send_timeout 20s;' > /etc/nginx/conf.d/aa.conf");

    const said = await on("gw", `${INIT} --yes 2>&1`);

    assert.match(said, /^\+ {4}listen 443 ssl;$/m);
    assert.match(said, /nginx.conf has send_timeout already/);
    assert.match(said, /^https:\/\/support\.fleet\.test\/ serves\.$/m);
    assert.doesNotMatch(said, /[0-9a-f]{64}|PRIVATE KEY/, "no secret");
    assert.equal(await active("nginx", "redis-server@rs-gateway",
                              "rs-turn-authd", "coturn"),
                 "active\n".repeat(4));

    /* nobody but root reads what it wrote */
    for (const path of ["/etc/rs-gateway/rsctl.key",
                        "/etc/nginx/rs/turn.key",
                        "/etc/nginx/rs/identity.pem",
                        "/etc/nginx/rs/redis.password",
                        "/etc/nginx/rs/tls/key.pem"]) {

        assert.equal(await on("gw", `stat -c '%a %U' ${path}`),
                     "600 root\n", path);
    }

    ca = await on("gw", "cat /etc/nginx/rs/tls/ca.pem");
});


test("a second init has nothing to do", {timeout: 2 * MINUTE}, async () => {
    const was = await etc();
    const said = await on("gw", `${INIT} --yes 2>&1`);

    assert.match(said, /all files are as they should be/);
    assert.equal(await etc(), was);
});


test("the first device, by one line, and its picture",
     {timeout: 20 * MINUTE}, async () => {

    const file = join(process.env.RS_FIRST_DIR, "first-ca.pem");

    await writeFile(file, ca);
    browser = await Browser.start({state: {ca: file}});

    /* a site with an authority of its own gives it to its computers */
    await on("desk", "cat > /usr/local/share/ca-certificates/site.crt << 'E'\n"
                     + `${ca}E\nupdate-ca-certificates > /dev/null 2>&1`);

    const page = await browser.page();

    await page.goto((await on("gw", "rsctl login-link")).trim());
    await page.click("#devices-first:not([hidden])");

    const line = await until("the line", () => page.inputValue("#add-line"));

    /* pasted, by the shell of somebody */
    await on("desk", `DEBIAN_FRONTEND=noninteractive bash -c '${line}' 2>&1`);
    await page.waitForSelector("#add-connect:not([hidden])",
                               {timeout: 5 * MINUTE});
    assert.match(await page.textContent("#add-state"), /^desk is online/);
    await page.click("#add-connect");
    await connected(page);

    /* beside the banner that tells whoever sits there */
    await shows(page, {x: 100, y: 600}, GROUND);

    const s = (Date.now() - started) / 1000;

    process.stdout.write(`# from packages to a picture: ${s.toFixed(0)} s\n`);

    assert.match(await on("gw", "rsctl sessions list"),
                 /^ses_\w+  active .*direct\/udp/m);
    assert.match(await on("gw", "rsctl devices list --online"), / desk +online /);
    await on("gw", "rsctl end --all --yes");
    assert.deepEqual(page.complaints, []);
});


test("the doctor finds nothing but a clock nobody keeps",
     {timeout: 2 * MINUTE}, async () => {

    const said = await on("gw", "rsctl doctor; test $? -le 1");

    assert.deepEqual((said.match(/^(?:warn|FAULT) .*$/gm) ?? [])
                     .filter((l) => !/^warn +clock/.test(l)), []);
    assert.match(said, /^ok +TURN path /m);
    assert.match(said, /^ok +TURN peers /m);
});
