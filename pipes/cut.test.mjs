
/*
 * Copyright (C) rs-gateway contributors
 *
 * What takes the leave away takes the connection away, too, within 2 s: both
 * ends are reset, and the audit has a line of it.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";

import { until } from "../e2e/lib/wait.mjs";
import { ENTRIES } from "./lib/entry.mjs";
import { World } from "./lib/world.mjs";

const SOON_MS = 2000;


let world, keys = 0;

const timed = {};


before(async () => {
    world = await World.open();
}, {timeout: 120000});


after(async () => {
    await world?.close();
}, {timeout: 60000});


async function rest(method, path, body, headers = {}) {
    const res = await world.stack.fetch(world.stack.state.base + path, {
        method, body: body && JSON.stringify(body),
        headers: {Authorization: `Bearer ${world.stack.key}`,
                  ...body && {"Content-Type": "application/json"}, ...headers}});
    const text = await res.text();

    assert.ok(res.ok, `${method} ${path}: ${res.status} ${text}`);

    return {etag: res.headers.get("etag"), data: text && JSON.parse(text)};
}


/* a tunnel by a key of its own, with a connection that is open */
async function opened(open, node, more = {}) {
    const {data} = await rest("POST", "/keys", {
        name: `cut ${++keys}`,
        scopes: ["devices:read", "tunnels:read", "tunnels:write",
                 "tunnels:use"]});
    const keyFile = join(world.dir, `key${keys}`);

    await writeFile(keyFile, data.key, {mode: 0o600});

    const tunnel = await open(world, {node, port: world.tcp.port, keyFile,
                                      ...more});
    const {host, port} = tunnel;
    const here = connect({host, port});

    here.on("error", (e) => { here.code = e.code; });
    here.on("close", () => { here.at = Date.now(); });
    here.resume();
    await once(here, "connect");

    const there = await world.tcp.next();

    there.on("error", (e) => { there.code = e.code; });
    here.write("x");
    await once(there.resume(), "data");

    return {tunnel, here, there, key: data.id};
}


const CUTS = {
    "the tunnel is deleted": ({tunnel}) => rest("DELETE",
                                                `/tunnels/${tunnel.id}`),
    "its list is edited": async ({tunnel}) => {
        const {etag} = await rest("GET", `/tunnels/${tunnel.id}`);

        await rest("PATCH", `/tunnels/${tunnel.id}`,
                   {acl: {users: [`key_${"a".repeat(26)}`]}},
                   {"If-Match": etag});
    },
    "its addresses are edited": async ({tunnel}) => {
        const {etag} = await rest("GET", `/tunnels/${tunnel.id}`);

        await rest("PATCH", `/tunnels/${tunnel.id}`,
                   {acl: {addresses: ["192.0.2.0/24"]}},
                   {"If-Match": etag});
    },
    "the key is deleted": ({key}) => rest("DELETE", `/keys/${key}`),
};

/* both ends are told, within that time */
async function isCut({tunnel, here, there}, ms) {
    await until("both ends", () => here.closed && there.closed, ms);

    assert.equal(here.code, "ECONNRESET");
    assert.equal(there.code, "ECONNRESET");

    await until("line of the audit", async () => {
        const {data} = await rest("GET", "/audit?order=newest&limit=50");

        return data.items.some((line) => line.verb === "pipe:end"
            && JSON.stringify(line).includes(tunnel.id));
    });
}


for (const [entry, open] of Object.entries(ENTRIES)) {
    /* its time goes by while the others have their turn */
    test(`${entry}: a tunnel with little time`, {timeout: 60000}, async () => {
        const all = await opened(open, 1, {ttl: 10});
        const {data} = await rest("GET", `/tunnels/${all.tunnel.id}`);

        timed[entry] = {...all, ends_ms: data.expires_at * 1000};
    });
}


for (const [entry, open] of Object.entries(ENTRIES)) {
    for (const [name, cut] of Object.entries(CUTS)) {
        for (const node of [0, 1]) {
            test(`${entry}: ${name}, the legs at ${node + 1} node(s)`,
                 {timeout: 60000}, async (t) => {
                const all = await opened(open, node);

                t.after(() => all.tunnel.close());

                const from = Date.now();

                await cut(all);
                await isCut(all, SOON_MS);
                t.diagnostic(`${all.here.at - from} ms`);
            });
        }
    }
}


for (const entry of Object.keys(ENTRIES)) {
    test(`${entry}: a tunnel's time is over`, {timeout: 60000}, async (t) => {
        const {tunnel, here, ends_ms} = timed[entry];

        t.after(() => tunnel.close());

        await isCut(timed[entry],
                    Math.max(0, ends_ms - Date.now()) + SOON_MS);
        t.diagnostic(`${here.at - ends_ms} ms after it`);
        assert.ok(here.at >= ends_ms - 1000);

        if (tunnel.child) {
            await until("end of rs-tunnel",
                        () => tunnel.child.exitCode !== null);
            assert.equal(tunnel.child.exitCode, 4);
        }
    });
}
