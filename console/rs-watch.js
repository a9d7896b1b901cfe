
/*
 * Copyright (C) rs-gateway contributors
 *
 * Hears of changes from the gateway: one WebSocket, opened by a ticket and
 * opened again when it is lost.  Nothing is kept of what was missed: whoever
 * listens reads the lists when it is live, and at each resync.  No DOM.
 *
 * Events: live boolean; device {id, change, at}; session {id, change, at};
 * resync.
 */

import { RsEvent, parseJson, socketUrl, systemClock } from "./rs-api.js";


const BACK_MIN_MS = 1000;
const BACK_MAX_MS = 60000;
const WELCOME_MS = 15000;
const LATE = 1.4;               /* intervals of ping without a word */
const LATE_MS = 10000;

/* of a gateway that has no such thing, or of who may not: lists are polled */
const NEVER = new Set(["not_found", "method_not_allowed", "forbidden"]);


export class RsWatch extends EventTarget {
    #base;
    #api;
    #clock;
    #WebSocket;
    #turn = null;           /* {socket, timer}: who stops replaces it */
    #live = false;
    #failed = 0;            /* times in a row */
    #pingMs = 0;

    /**
     * @param {{base: string, api: () => import("./rs-api.js").RsApi|null,
     *          clock?: import("./rs-api.js").Clock,
     *          WebSocket?: typeof WebSocket}} o
     */
    constructor({base, api, clock = systemClock, WebSocket}) {
        super();
        this.#base = base;
        this.#api = api;
        this.#clock = clock;
        this.#WebSocket = WebSocket ?? globalThis.WebSocket;
    }

    /** Nothing is missed as long as this holds. */
    get live() {
        return this.#live;
    }

    start() {
        if (this.#turn === null) {
            this.#failed = 0;
            this.#open(this.#turn = {socket: null, timer: null});
        }
    }

    stop() {
        const turn = this.#turn;

        this.#turn = null;
        this.#clock.clearTimeout(turn?.timer);
        this.#drop(turn);
        this.#setLive(false);
    }

    #say(type, detail) {
        this.dispatchEvent(new RsEvent(type, detail));
    }

    #setLive(live) {
        if (live !== this.#live) {
            this.#live = live;
            this.#say("live", live);
        }
    }

    #drop(turn) {
        if (turn?.socket) {
            turn.socket.onmessage = turn.socket.onclose = null;
            turn.socket.close();
            turn.socket = null;
        }
    }

    async #open(turn) {
        let ticket;

        try {
            ({ticket} = await this.#api().post("/watch"));

        } catch (e) {
            if (this.#turn === turn && !NEVER.has(e.code)) {
                this.#later(turn, (e.retry_after_s ?? 0) * 1000);
            }

            return;
        }

        if (this.#turn !== turn) {
            return;
        }

        const socket = new this.#WebSocket(socketUrl(this.#base, "/watch"),
                                           ["rs.v1", "rs.ticket." + ticket]);

        turn.socket = socket;
        socket.onmessage = (ev) => this.#hear(turn, parseJson(ev.data));
        socket.onclose = () => this.#lost(turn);
        this.#within(turn, WELCOME_MS);
    }

    /* a word has to come within so long */
    #within(turn, ms) {
        this.#clock.clearTimeout(turn.timer);
        turn.timer = this.#clock.setTimeout(() => this.#lost(turn), ms);
    }

    #lost(turn) {
        if (this.#turn === turn) {
            this.#drop(turn);
            this.#later(turn, 0);
            this.#setLive(false);
        }
    }

    /* with full jitter: all consoles of a worker that ends come back */
    #later(turn, ms) {
        const back = Math.min(BACK_MIN_MS * 2 ** this.#failed++,
                              BACK_MAX_MS);

        this.#clock.clearTimeout(turn.timer);
        turn.timer = this.#clock.setTimeout(
            () => this.#open(turn), ms + back * this.#clock.random());
    }

    #hear(turn, message) {
        if (this.#turn !== turn) {
            return;
        }

        if (this.#pingMs > 0) {
            this.#within(turn, this.#pingMs);
        }

        switch (message?.type) {

        case "welcome":
            this.#failed = 0;
            this.#pingMs = (Number(message.ping_s) || 25) * 1000 * LATE
                           + LATE_MS;
            this.#within(turn, this.#pingMs);
            this.#setLive(true);
            break;

        case "ping":
            turn.socket.send('{"type":"pong"}');
            break;

        case "device":
        case "session":
            this.#say(message.type, message);
            break;

        case "resync":
            this.#say("resync");
            break;

        default: /* pong, error, goaway: a close says what comes of it */
            break;
        }
    }
}
