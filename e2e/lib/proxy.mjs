
/*
 * Copyright (C) rs-gateway contributors
 *
 * An HTTP proxy that knows CONNECT and nothing else, and remembers whither.
 */

import { createServer } from "node:http";
import { connect } from "node:net";


export class Proxy {
    /** hosts: names that are known here, with their addresses. */
    static async open(address, hosts = {}) {
        const proxy = new Proxy();

        proxy.asked = [];
        proxy.allowed = () => true;
        proxy.sockets = new Set();
        proxy.server = createServer((_, res) => res.writeHead(405).end());
        proxy.server.on("connect", (req, near) => proxy.#connect(req, near,
                                                                 hosts));
        await new Promise((resolve, reject) => {
            proxy.server.once("error", reject);
            proxy.server.listen(0, address, resolve);
        });
        proxy.url = `http://${address}:${proxy.server.address().port}`;

        return proxy;
    }

    #connect(req, near, hosts) {
        const [, host, port] = /^\[?([^\]]*)\]?:(\d+)$/.exec(req.url) ?? [];

        this.asked.push(req.url);
        this.#keep(near);

        if (host === undefined || !this.allowed(req.url)) {
            near.end("HTTP/1.1 403 Forbidden\r\n\r\n");
            return;
        }

        const far = connect(Number(port), hosts[host] ?? host, () => {
            near.write("HTTP/1.1 200 Connection established\r\n\r\n");
            near.pipe(far).pipe(near);
        });

        this.#keep(far);
        near.on("close", () => far.destroy());
        far.on("close", () => near.destroy());
    }

    #keep(socket) {
        this.sockets.add(socket);
        socket.on("error", () => {});           /* "close" follows */
        socket.on("close", () => this.sockets.delete(socket));
    }

    async close() {
        for (const socket of this.sockets) {
            socket.destroy();
        }

        await new Promise((resolve) => this.server.close(resolve));
    }
}
