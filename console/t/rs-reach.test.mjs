
/*
 * Copyright (C) rs-gateway contributors
 *
 * A way to something at a device: the calls it takes, what is left when it
 * fails, and the messages of a terminal.
 */

import test from "node:test";
import assert from "node:assert/strict";

import { RsError } from "../rs-api.js";
import { reach } from "../rs-reach.js";
import { ttyData, ttyOutput, ttyPause, ttyResize } from "../rs-tty.js";


const settle = () => new Promise((resolve) => setImmediate(resolve));


/* a gateway: which calls came, and one that fails */
function gateway(fail = "") {
    const it = {calls: [], sockets: []};

    it.api = {
        post: async (path, body) => {
            it.calls.push(["POST", path, body]);

            if (fail !== "" && path.endsWith(fail)) {
                throw new RsError("forbidden");
            }

            return path.endsWith("/pipes")
                   ? {pipe_id: "pip_x", ticket: "default.t"}
                   : {id: "tun_x"};
        },
        request: async (method, path) => {
            it.calls.push([method, path]);
        },
    };
    it.WebSocket = class {
        readyState = 1;
        bufferedAmount = 0;

        constructor(url, protocols) {
            it.sockets.push(Object.assign(this, {url, protocols}));
        }

        send() {}

        close() {}
    };
    it.open = () => reach({api: it.api, base: "https://gw.example/rs/v1",
                           device_id: "dev_x", target: "shell",
                           stream: false, label: "terminal",
                           WebSocket: it.WebSocket});

    return it;
}


test("a tunnel, a pipe of it, and both go together", async () => {
    const it = gateway();
    const way = it.open();

    await settle();
    it.sockets[0].onopen();

    const {tunnel} = await way;

    assert.equal(tunnel.id, "tun_x");
    assert.deepEqual(it.calls[0], ["POST", "/devices/dev_x/tunnels", {
        target: "shell", protocol: "tcp", idle_s: 3600, label: "terminal"}]);
    assert.deepEqual(it.calls[1], ["POST", "/tunnels/tun_x/pipes", {}]);
    assert.equal(it.sockets[0].protocols[1], "rs.ticket.default.t");

    it.sockets[0].onclose({code: 4410, reason: "tunnel_ended"});
    await settle();
    assert.deepEqual(it.calls.slice(2), [["DELETE", "/tunnels/tun_x"]]);
});


test("refused at the first call: nothing is left to take back", async () => {
    const it = gateway("/tunnels");

    await assert.rejects(it.open(), {code: "forbidden"});
    assert.equal(it.calls.length, 1);
});


test("refused later: the tunnel is taken back", async () => {
    const it = gateway("/pipes");

    await assert.rejects(it.open(), {code: "forbidden"});
    await settle();
    assert.deepEqual(it.calls.at(-1), ["DELETE", "/tunnels/tun_x"]);

    const other = gateway();
    const way = other.open();

    await settle();
    other.sockets[0].onclose({code: 4401, reason: "unauthenticated"});
    await assert.rejects(way, {code: "unauthenticated"});
    await settle();
    assert.deepEqual(other.calls.at(-1), ["DELETE", "/tunnels/tun_x"]);
});


test("messages of a terminal", () => {
    assert.deepEqual(ttyData(new Uint8Array([104, 105])).map((m) => [...m]),
                     [[0, 104, 105]]);
    assert.deepEqual(ttyData(new Uint8Array(0)), []);
    assert.deepEqual(ttyData(new Uint8Array(70000)).map((m) => m.length),
                     [32769, 32769, 4465]);
    assert.deepEqual([...ttyResize(80, 300)], [1, 0, 80, 1, 44]);
    assert.deepEqual([...ttyResize(0, 99999)], [1, 0, 1, 3, 232]);
    assert.deepEqual([...ttyPause(true)], [2, 1]);
    assert.deepEqual([...ttyPause(false)], [2, 0]);
    assert.deepEqual([...ttyOutput(new Uint8Array([0, 1, 2]))], [1, 2]);
    assert.equal(ttyOutput(new Uint8Array([7, 1])), null);
    assert.equal(ttyOutput(new Uint8Array(0)), null);
});
