
/*
 * Copyright (C) rs-gateway contributors
 *
 * A file through a tunnel from an HTTP server behind the device and to it,
 * with both legs at one worker, at two, and at two nodes: the same bytes.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { Agent, request } from "node:http";

import { until } from "../e2e/lib/wait.mjs";
import { hashOf, pourInto } from "./lib/bytes.mjs";
import { ENTRIES } from "./lib/entry.mjs";
import { BYTES } from "./lib/size.mjs";
import { World } from "./lib/world.mjs";

const TIMEOUT = 1200000;


let world;


before(async () => {
    world = await World.open({http: BYTES});
}, {timeout: 300000});


after(async () => {
    await world?.close();
}, {timeout: 60000});


/* one call by a connection that stays; the body is sent by send() */
async function call(agent, {host, port}, method, path,
                    send = (req) => req.end()) {
    const req = request({host, port, method, path, agent});

    req.on("error", () => {});

    const response = once(req, "response");

    await send(req);

    const [res] = await response;
    const hash = createHash("sha256");
    let length = 0;

    for await (const chunk of res) {
        hash.update(chunk);
        length += chunk.length;
    }

    return {status: res.statusCode, length, hash: hash.digest("hex")};
}


/* a connection whose pipe takes that way: another one until it does */
async function connection(tunnel, way) {
    return until(`pipe by ${way}`, async () => {
        const agent = new Agent({keepAlive: true, maxSockets: 1});

        await call(agent, tunnel, "HEAD", "/blob");

        if (await world.way() === way) {
            return agent;
        }

        agent.destroy();
        await until("end of the pipe", async () =>
            (await world.count("pipe")).every((n) => n === 0));

        return null;
    }, 120000);
}


async function bothWays(t, open, node, way) {
    const tunnel = await open(world, {node, port: world.http.port});

    t.after(() => tunnel.close());

    const agent = await connection(tunnel, way);

    t.after(() => agent.destroy());

    const from = Date.now();
    const down = await call(agent, tunnel, "GET", "/blob");
    const between = Date.now();
    const up = await call(agent, tunnel, "PUT", `/${way}`,
                          (req) => pourInto(req, "upload", BYTES));
    const rate = (ms) => Math.round(BYTES / 1e3 / ms);

    t.diagnostic(`${rate(between - from)} MB/s down, `
                 + `${rate(Date.now() - between)} MB/s up`);

    assert.deepEqual(down, {status: 200, length: BYTES,
                            hash: world.http.hash});
    assert.equal(up.status, 201);
    assert.equal(await world.http.taken(way), hashOf("upload", BYTES));

    /* all of it by the one connection */
    assert.equal(await world.way(), way);

    return tunnel;
}


for (const [entry, open] of Object.entries(ENTRIES)) {
    /* the agent is at the first node */
    for (const [way, node] of [["worker", 0], ["workers", 0], ["nodes", 1]]) {
        test(`${entry}: ${BYTES / 1024 ** 2} MiB each way, by ${way}`,
             {timeout: TIMEOUT}, async (t) => {
            const tunnel = await bothWays(t, open, node, way);

            assert.ok(!tunnel.shown?.includes(world.stack.key));
        });
    }
}
