
/*
 * Copyright (C) rs-gateway contributors
 *
 * A narrow network between the host and a browser: a UDP relay that carries
 * so many bits a second from the host, in a queue of so many bytes, and
 * drops what does not fit.  The browser's candidates stay its own, and the
 * host's are rewritten to the relay, so there is no way around it.
 */

import { createSocket } from "node:dgram";
import { once } from "node:events";


const TICK_MS = 5;


export class Narrow {
    bps = 1e9;
    bytes = 200000;         /* the queue's */
    carried = 0;            /* bytes, from the host */
    dropped = 0;            /* datagrams */
    waited = 0;             /* ms, the longest since the last reset() */
    #ip;
    #pipes = new Map();
    #queue = [];
    #queued = 0;
    #credit = 0;
    #at = performance.now();
    #timer;
    #closed = false;

    constructor(ip) {
        this.#ip = ip;
        this.#timer = setInterval(() => this.#carry(), TICK_MS);
    }

    reset() {
        this.carried = 0;
        this.dropped = 0;
        this.waited = 0;
    }

    close() {
        this.#closed = true;
        clearInterval(this.#timer);

        for (const pipe of this.#pipes.values()) {
            pipe.near.close();
            pipe.far.close();
        }
    }

    /** Before the page goes anywhere: its connections take this way. */
    async install(page) {
        await page.exposeFunction("rsNarrow", (ip, port) =>
            this.#port(ip, Number(port)));

        await page.addInitScript(() => {
            const {prototype} = RTCPeerConnection;
            const add = prototype.addIceCandidate;

            prototype.addIceCandidate = async function(init) {
                const parts = (init?.candidate ?? "").split(" ");

                if (parts[2]?.toLowerCase() === "udp") {
                    [parts[4], parts[5]] = await window.rsNarrow(parts[4],
                                                                 parts[5]);
                }

                return add.call(this, {...init, candidate: parts.join(" ")});
            };

            Object.defineProperty(prototype, "onicecandidate", {
                set(f) {
                    this.addEventListener("icecandidate", (ev) => {
                        if (ev.candidate === null) {
                            f?.(ev);
                        }
                    });
                },
            });
        });
    }

    /* the relay's address for one of the host's */
    async #port(ip, port) {
        /* a page that outlives it, as after a failure, finds no way */
        if (this.#closed) {
            return [ip, "9"];
        }

        const key = `${ip} ${port}`;
        let pipe = this.#pipes.get(key);

        if (pipe === undefined) {
            const near = createSocket("udp4");
            const far = createSocket("udp4");

            pipe = {near, far, browser: null};
            this.#pipes.set(key, pipe);

            near.on("message", (bytes, from) => {
                pipe.browser = from;
                far.send(bytes, port, ip);
            });

            far.on("message", (bytes) => this.#push(pipe, bytes));

            for (const socket of [near, far]) {
                socket.on("error", () => {});
                socket.bind(0, this.#ip);
                await once(socket, "listening");
            }
        }

        return [this.#ip, String(pipe.near.address().port)];
    }

    #push(pipe, bytes) {
        if (this.#queued + bytes.length > this.bytes) {
            this.dropped++;
            return;
        }

        this.#queue.push({pipe, bytes, at: performance.now()});
        this.#queued += bytes.length;
        this.#carry();
    }

    #carry() {
        const now = performance.now();

        /* what was not used for a tick or two may be used at once, no more */
        this.#credit = Math.min(
            this.#credit + (now - this.#at) * this.bps / 8000,
            Math.max(1500, this.bps / 8000 * TICK_MS * 2));
        this.#at = now;

        while (this.#queue.length > 0
               && this.#credit >= this.#queue[0].bytes.length)
        {
            const {pipe, bytes, at} = this.#queue.shift();

            this.#credit -= bytes.length;
            this.#queued -= bytes.length;
            this.carried += bytes.length;
            this.waited = Math.max(this.waited, now - at);

            if (pipe.browser !== null) {
                pipe.near.send(bytes, pipe.browser.port,
                               pipe.browser.address);
            }
        }
    }
}
