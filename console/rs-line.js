
/*
 * Copyright (C) rs-gateway contributors
 *
 * What belongs to one way to the host: an RTCPeerConnection (Line) or a sealed
 * pipe (PipeLine), under a number of its own.  rs-peer.js says when there is
 * which.  No DOM.
 */

import { RsError } from "./rs-api.js";
import { RsDecoder, codecsOf } from "./rs-decoder.js";
import { RsDuct } from "./rs-duct.js";
import { base64url, fromBase64url } from "./rs-identity.js";
import { RsPipe } from "./rs-pipe.js";
import { SealKey, answerMark, offerMark, pipeName } from "./rs-seal.js";


const TICKET_TIMEOUT_MS = 5000;
const POINT = 65;


/** One way to the host, and what belongs to it. */
export class Line {
    candidates = [];        /* of the host, before its answer */
    answered = false;
    verified = false;       /* whose offer it is, by its device */
    connected = false;
    stream = null;
    sound = null;
    hello = null;
    lastHeard = 0;          /* over the data channel */
    lastBytes = 0;          /* when any came */
    bytes = 0;
    beatAt = 0;
    gathered = 0;           /* candidates of this side */
    patience = null;        /* its timer */
    pings = 0;
    detour = false;         /* input goes by the gateway */
    move = null;            /* the newest one, waiting for its turn there */
    movedAt = 0;
    piped = false;

    constructor(n, host, pc, channel) {
        this.n = n;
        this.host = host;
        this.pc = pc;
        this.channel = channel;
        this.timers = new Set();
    }
}


/** The gateway's ticket of a pipe with the host. */
function ticketOf(session, host, name, clock) {
    return new Promise((resolve, reject) => {
        const id = session.askPipe(host, name);
        const undo = [];
        const done = (f, value) => {
            undo.forEach((g) => g());
            f(value);
        };
        const on = (type, f) => {
            const g = (ev) => ev.detail.id === id && f(ev.detail);

            session.addEventListener(type, g);
            undo.push(() => session.removeEventListener(type, g));
        };
        const timer = clock.setTimeout(
            () => done(reject, new Error("the gateway gives no pipe")),
            TICKET_TIMEOUT_MS);

        undo.push(() => clock.clearTimeout(timer));
        on("pipe", ({ticket}) => done(resolve, ticket));
        on("refused", ({error}) => done(reject, error));
    });
}


/** A sealed pipe.  Until it is answered there is no pc. */
export class PipeLine extends Line {
    #session;
    #who;
    #clock;
    #globals;
    #key;
    #deal;
    #mark;
    #ticket;

    constructor(n, {host, session, who, clock, globals}) {
        super(n, host, null, null);
        this.piped = true;
        this.rtt_ms = 0;
        this.pingAt = 0;
        this.over = false;
        this.#session = session;
        this.#who = who;
        this.#clock = clock;
        this.#globals = globals;
    }

    /** The offer, for the host. */
    async offer() {
        const codecs = await codecsOf(this.#globals);

        if (codecs === "") {
            throw new RsError("no_codec", {
                detail: "this browser decodes no video by itself"});
        }

        const name = pipeName();

        this.#key = await SealKey.make();
        this.#deal = {name, codecs, client: this.#key.point};
        this.#ticket = await ticketOf(this.#session, this.host, name,
                                      this.#clock);
        this.#mark = await offerMark(this.#deal);

        const proof = await this.#who.prove(this.n, this.#mark);

        return {kind: "pipe", pc: this.n, name, codecs,
                key: base64url(this.#key.point),
                ...(proof === null ? {} : {proof})};
    }

    /** What the host answered: throws unless it is this device's. */
    async answer({key, codec, device, operator}) {
        const host = fromBase64url(key, POINT);

        if (host === null || !this.#deal.codecs.split(",").includes(codec)) {
            throw new RsError("peer_failed", {
                detail: "the answer to the pipe is none"});
        }

        const mark = await answerMark({...this.#deal, codec, host});
        const verified = operator?.verified === true;
        const verdict = await this.#who.check(this.n, this.#mark, mark,
                                              device, verified);
        const seal = await this.#key.start(
            "client", host, this.#who.signed(this.n, this.#mark, mark,
                                             verified));

        if (!this.over) {
            const pipe = new RsPipe({
                base: this.#session.base, ticket: this.#ticket,
                side: "client", stream: false, clock: this.#clock,
                WebSocket: this.#globals.WebSocket});

            this.verified = verified;
            this.pc = new RsDuct({
                pipe, seal,
                screen: new RsDecoder({codec, globals: this.#globals})});
            this.stream = this.pc.stream;
            this.channel = this.pc.createDataChannel("rs-input");
        }

        return verdict;
    }

    /** As the gateway is told it. */
    get path() {
        return {kind: "pipe", rtt_ms: this.rtt_ms,
                protocol: this.#session.base.startsWith("wss:") ? "tls"
                                                                : "tcp"};
    }
}


/** Input by way of the gateway: moves are thinned out; what follows one finds
 *  the pointer there. */
export class Detour {
    #line;
    #session;
    #clock;
    #later;

    constructor(line, session, clock, later) {
        this.#line = line;
        this.#session = session;
        this.#clock = clock;
        this.#later = later;
    }

    send(message, every_ms) {
        const line = this.#line;
        const now = this.#clock.now();

        if (message.type !== "move") {
            this.#sendMove(now);
            return this.#session.sendInput(message, line.host);
        }

        const waiting = line.move !== null;

        line.move = message;

        if (now - line.movedAt >= every_ms) {
            this.#sendMove(now);

        } else if (!waiting) {
            this.#later(line.movedAt + every_ms - now,
                        () => this.#sendMove(this.#clock.now()));
        }

        return true;
    }

    #sendMove(now) {
        const line = this.#line;

        if (line.detour && line.move !== null) {
            this.#session.sendInput(line.move, line.host);
            line.move = null;
            line.movedAt = now;
        }
    }
}


/** What the device made of the proof, for people. */
export function operatorOf(told) {
    return told === null || typeof told !== "object" ? null : {
        verified: told.verified === true,
        name: shortText(told.name),
        reason: shortText(told.reason),
    };
}


export function objectOf(value) {
    return value !== null && typeof value === "object"
           && !Array.isArray(value) ? value : {};
}


export function shortText(value) {
    return typeof value === "string" ? value.slice(0, 4096) : "";
}
