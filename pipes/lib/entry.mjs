
/*
 * Copyright (C) rs-gateway contributors
 *
 * The ways into a tunnel: rs-tunnel, and the gateway's port.  Each opens one
 * to a port of 127.0.0.1 as the device sees it, and gives {host, port, id,
 * close()}: what connects there has a pipe.
 *
 * at: {node, port, protocol (tcp), keyFile, ttl}
 */

import { readFile } from "node:fs/promises";

import { options, Tunnel } from "./program.mjs";


/** A tunnel with a port, by REST from 127.0.0.1, which is admitted so. */
export class Port {
    static async open(world, {node = 0, port, protocol = "tcp", keyFile,
                              ttl}) {
        const it = new Port();
        const key = keyFile && (await readFile(keyFile, "utf8")).trim();
        const {data} = await world.ask(
            "POST", `/devices/${world.stack.device}/tunnels`,
            {node, key, body: {target: `127.0.0.1:${port}`, protocol,
                               port: true, ...ttl && {ttl_s: ttl}}});

        it.world = world;
        it.host = world.stack.state.nodes[node].tunnel_ip;
        it.port = data.port;
        it.id = data.id;

        return it;
    }

    close() {
        return this.world.remove(this.id);
    }
}


export const ENTRIES = {
    "rs-tunnel": (world, {node = 0, port, protocol = "tcp", keyFile, ttl}) =>
        Tunnel.open([...options(world.stack, node, keyFile),
                     ...ttl ? ["--ttl", String(ttl)] : [],
                     protocol, world.stack.device, `127.0.0.1:${port}`]),
    "a gateway's port": Port.open,
};
