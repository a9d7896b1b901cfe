
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
import { options, Tunnel } from "./lib/program.mjs";
import { World } from "./lib/world.mjs";

const SOON_MS = 2000;


let world, keys = 0;


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
async function open(t, node, more = []) {
    const {data} = await rest("POST", "/keys", {
        name: `cut ${++keys}`,
        scopes: ["devices:read", "tunnels:read", "tunnels:write",
                 "tunnels:use"]});
    const file = join(world.dir, `key${keys}`);

    await writeFile(file, data.key, {mode: 0o600});

    const tunnel = await Tunnel.open([
        ...options(world.stack, node).slice(0, -1), file, ...more, "tcp",
        world.stack.device, String(world.tcp.port)]);
    const here = connect({host: "127.0.0.1", port: tunnel.port});

    t.after(() => tunnel.close());
    here.on("error", (e) => { here.code = e.code; });
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

for (const [name, cut] of Object.entries(CUTS)) {
    for (const node of [0, 1]) {
        test(`${name}, the legs at ${node + 1} node(s)`, {timeout: 60000},
             async (t) => {
            const all = await open(t, node);
            const from = Date.now();

            await cut(all);
            await until("both ends", () => all.here.closed && all.there.closed,
                        SOON_MS);
            t.diagnostic(`${Date.now() - from} ms`);

            assert.equal(all.here.code, "ECONNRESET");
            assert.equal(all.there.code, "ECONNRESET");

            await until("line of the audit", async () => {
                const {data} = await rest("GET",
                                          "/audit?order=newest&limit=50");

                return data.items.some((line) => line.verb === "pipe:end"
                    && JSON.stringify(line).includes(all.tunnel.id));
            });
        });
    }
}


test("a tunnel's time is over", {timeout: 180000}, async (t) => {
    const all = await open(t, 1, ["--ttl", "10"]);
    const {data} = await rest("GET", `/tunnels/${all.tunnel.id}`);

    await until("both ends", () => all.here.closed && all.there.closed,
                data.expires_at * 1000 - Date.now() + SOON_MS);
    assert.ok(Date.now() / 1000 >= data.expires_at - 1);
    await until("end of rs-tunnel", () => all.tunnel.child.exitCode !== null);
    assert.equal(all.tunnel.child.exitCode, 4);
});
