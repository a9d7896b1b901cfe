
/*
 * Copyright (C) rs-gateway contributors
 *
 * A gateway that lies: stands where a node of the stack stood, under its name
 * and with its certificate, hands everything on to another node, and changes
 * on the way what a test wants changed in frames and REST answers.  It sees
 * what a gateway sees.
 */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, request } from "node:https";
import { isIP } from "node:net";
import { connect } from "node:tls";

import { until } from "./wait.mjs";


const TEXT = 1;
const CONTROL = 0x8;
const FIN = 0x80;
const MASK = 0x80;


/* RFC 6455, 5.2: the first frame of some bytes, null: not yet whole */
function frameOf(bytes) {
    if (bytes.length < 2) {
        return null;
    }

    let size = bytes[1] & 0x7f;
    let at = 2;

    if (size === 126 && bytes.length >= 4) {
        size = bytes.readUInt16BE(2);
        at = 4;

    } else if (size === 127 && bytes.length >= 10) {
        size = Number(bytes.readBigUInt64BE(2));
        at = 10;

    } else if (size >= 126) {
        return null;
    }

    const mask = bytes[1] & MASK ? bytes.subarray(at, at + 4) : null;

    at += mask === null ? 0 : 4;

    if (bytes.length < at + size) {
        return null;
    }

    const payload = Buffer.from(bytes.subarray(at, at + size));

    if (mask !== null) {
        xor(payload, mask);
    }

    return {first: bytes[0], masked: mask !== null, payload,
            length: at + size};
}


function xor(payload, mask) {
    for (let i = 0; i < payload.length; i++) {
        payload[i] ^= mask[i % 4];
    }
}


function bytesOf({first, masked, payload}) {
    const {length} = payload;
    const head = Buffer.alloc(length < 126 ? 2 : length < 65536 ? 4 : 10);

    head[0] = first;
    head[1] = (masked ? MASK : 0)
              | (length < 126 ? length : length < 65536 ? 126 : 127);

    if (head.length === 4) {
        head.writeUInt16BE(length, 2);

    } else if (head.length === 10) {
        head.writeBigUInt64BE(BigInt(length), 2);
    }

    if (!masked) {
        return Buffer.concat([head, payload]);
    }

    const mask = randomBytes(4);
    const hidden = Buffer.from(payload);

    xor(hidden, mask);

    return Buffer.concat([head, mask, hidden]);
}


/* each whole text message through change(): another one, the same, or null
 * when it is to be lost; all else as it is */
function pass(from, to, change, see) {
    let rest = Buffer.alloc(0);

    from.on("data", (data) => {
        rest = Buffer.concat([rest, data]);

        for (let f = frameOf(rest); f !== null; f = frameOf(rest)) {
            rest = rest.subarray(f.length);

            if ((f.first & CONTROL) === 0) {
                see(f.payload);
            }

            if (f.first === (FIN | TEXT)) {
                const message = change(JSON.parse(f.payload.toString()));

                if (message === null) {
                    continue;
                }

                f.payload = Buffer.from(JSON.stringify(message));
            }

            to.write(bytesOf(f));
        }
    });

    for (const [one, other] of [[from, to], [to, from]]) {
        one.on("close", () => other.destroy());
        one.on("error", () => other.destroy());
    }
}


export class Hostile {
    /** What is changed on its way; a test replaces these. */
    offer = (data) => data;         /* signal.data of an offer */
    answer = (data) => data;        /* of an answer */
    rest = (path, data) => data;    /* JSON of a REST answer */
    change = (message) => message;  /* any other message */
    see = () => {};                 /* (path, payload) of data frames */

    #node;
    #ca;
    #server;
    #sockets = new Set();

    /** In the place of the stack's second node, in front of its first. */
    static async open(stack) {
        const [node, gone] = stack.state.nodes;
        const hostile = new Hostile();
        const tls = stack.dir + "/tls";

        hostile.#node = node;
        hostile.#ca = readFileSync(stack.state.ca);
        hostile.url = gone.url;
        hostile.#server = createServer({
            cert: readFileSync(`${tls}/cert.pem`),
            key: readFileSync(`${tls}/key.pem`),
        }, (req, res) => hostile.#serve(req, res));
        hostile.#server.on("upgrade", (...args) => hostile.#upgrade(...args));
        hostile.#server.on("connection", (s) => hostile.#keep(s));

        process.kill(gone.pid, "SIGTERM");
        await until("place of the second node", async () => {
            hostile.#server.listen(gone.https_port, gone.ip);
            await Promise.race([
                once(hostile.#server, "listening"),
                once(hostile.#server, "error").then(([e]) => {
                    throw e;
                }),
            ]);

            return true;
        });

        return hostile;
    }

    async close() {
        for (const socket of this.#sockets) {
            socket.destroy();
        }

        this.#server.close();
        await once(this.#server, "close");
    }

    /** Says and changes nothing any more. */
    behave() {
        this.offer = this.answer = (data) => data;
        this.rest = (path, data) => data;
        this.change = (message) => message;
        this.see = () => {};
    }

    /* where the node is, to be known by its certificate */
    get #onward() {
        const {hostname} = new URL(this.#node.url);

        return {host: this.#node.ip, port: this.#node.https_port,
                ca: this.#ca,
                ...(isIP(hostname) ? {} : {servername: hostname})};
    }

    #keep(socket) {
        this.#sockets.add(socket);
        socket.on("close", () => this.#sockets.delete(socket));
        socket.on("error", () => socket.destroy());
    }

    /* as if the client had come to the node itself */
    #headers({headers}) {
        const {host, origin} = new URL(this.#node.url);
        const sent = {...headers, host};

        if (headers.origin) {
            sent.origin = origin;
        }

        delete sent["accept-encoding"];
        delete sent["sec-websocket-extensions"];

        return sent;
    }

    #serve(req, res) {
        const path = req.url.replace(/\?.*/, "");
        const onward = request({
            ...this.#onward, method: req.method, path: req.url,
            headers: this.#headers(req),
        }, (answer) => {
            const chunks = [];

            answer.on("data", (chunk) => chunks.push(chunk));
            answer.on("end", () => {
                const headers = {...answer.headers};
                let body = Buffer.concat(chunks);

                if (/^application\/json/.test(headers["content-type"])) {
                    body = Buffer.from(JSON.stringify(
                        this.rest(path, JSON.parse(body.toString()))));
                    delete headers["transfer-encoding"];
                    headers["content-length"] = body.length;
                }

                res.writeHead(answer.statusCode, headers);
                res.end(body);
            });
        });

        onward.on("error", () => res.destroy());
        req.pipe(onward);
    }

    #upgrade(req, client, head) {
        const server = connect(this.#onward);
        let answer = Buffer.alloc(0);

        this.#keep(server);
        server.write(`GET ${req.url} HTTP/1.1\r\n`
                     + Object.entries(this.#headers(req)).map(
                         ([name, value]) => `${name}: ${value}\r\n`).join("")
                     + "\r\n");
        client.on("close", () => server.destroy());

        const onData = (data) => {
            answer = Buffer.concat([answer, data]);

            const end = answer.indexOf("\r\n\r\n");

            if (end < 0) {
                return;
            }

            server.off("data", onData);
            client.write(answer.subarray(0, end + 4));
            const see = (payload) => this.see(req.url, payload);

            pass(server, client, (m) => this.#change(m, "answer"), see);
            pass(client, server, (m) => this.#change(m, "offer"), see);

            for (const [socket, rest] of [[server, answer.subarray(end + 4)],
                                          [client, head]]) {
                if (rest.length > 0) {
                    socket.emit("data", rest);
                }
            }
        };

        server.on("data", onData);
    }

    #change(message, kind) {
        if (message.type !== "signal" || message.data?.kind !== kind) {
            return this.change(message);
        }

        const data = this[kind](message.data);

        return data === null ? null : {...message, data};
    }
}
