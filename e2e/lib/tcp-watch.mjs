
/*
 * Copyright (C) rs-gateway contributors
 *
 * A TCP proxy that tells who connected and what the first bytes on the wire
 * were.
 */

import { createServer, connect } from "node:net";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { readdir, readlink } from "node:fs/promises";


export class TcpWatch {
    /** {port: of the client, first: Buffer} per connection */
    connections = [];
    #sockets = new Set();

    static async open(ip, target) {
        const watch = new TcpWatch();

        watch.ip = ip;
        watch.server = createServer((client) => watch.#serve(client, target));
        watch.server.listen(0, ip);
        await once(watch.server, "listening");
        watch.port = watch.server.address().port;

        return watch;
    }

    #serve(client, target) {
        const seen = {port: client.remotePort, first: null};
        const server = connect(target.port, target.ip);

        this.connections.push(seen);

        for (const [a, b] of [[client, server], [server, client]]) {
            this.#sockets.add(a);
            a.on("close", () => this.#sockets.delete(a));
            a.on("error", () => b.destroy());
            a.pipe(b);
        }

        client.once("data", (bytes) => {
            seen.first = bytes.subarray(0, 8);
        });
    }

    async close() {
        for (const socket of this.#sockets) {
            socket.destroy();
        }

        this.server.close();
        await once(this.server, "close");
    }
}


/** The local TCP ports a process has connections from. */
export async function tcpPorts(pid) {
    const fds = await readdir(`/proc/${pid}/fd`);
    const inodes = new Set();

    for (const fd of fds) {
        const link = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => "");
        const inode = /^socket:\[(\d+)\]$/.exec(link);

        if (inode) {
            inodes.add(inode[1]);
        }
    }

    const ports = [];

    /* Node.js 18's asynchronous readFile() stops at the first short read,
     * and these files give one page at a time */
    for (const file of ["tcp", "tcp6"]) {
        const text = readFileSync(`/proc/${pid}/net/${file}`, "utf8");

        for (const line of text.trim().split("\n").slice(1)) {
            const field = line.trim().split(/\s+/);

            if (inodes.has(field[9])) {
                ports.push(parseInt(field[1].split(":")[1], 16));
            }
        }
    }

    return ports;
}
