
/*
 * Copyright (C) rs-gateway contributors
 *
 * The ways into a tunnel.  Each opens one to a port of 127.0.0.1 as the device
 * sees it, and gives {host, port, id, close()}: what connects there has a
 * pipe.
 *
 * at: {node, port, protocol (tcp), keyFile, ttl}
 */

import { options, Tunnel } from "./program.mjs";

export const ENTRIES = {
    "rs-tunnel": (world, {node = 0, port, protocol = "tcp", keyFile, ttl}) =>
        Tunnel.open([...options(world.stack, node, keyFile),
                     ...ttl ? ["--ttl", String(ttl)] : [],
                     protocol, world.stack.device, `127.0.0.1:${port}`]),
};
