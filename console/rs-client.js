
/*
 * Copyright (C) rs-gateway contributors
 *
 * The gateway's protocol, version 1, as docs/protocol/README.md has it: the
 * participant's WebSocket (RsSession), and from rs-api.js the REST client
 * (RsApi) and the one error type of both (RsError).  No DOM: it runs in a
 * page and under node; fetch, WebSocket, the clock and chance can be handed
 * in.
 *
 * RsSession keeps these promises:
 *  - a message given to send() has an id for good; it is sent again, under
 *    the same id, after each resume until the gateway acks or refuses it,
 *    and after a resync if it is less than 30 s old, acked or not;
 *  - what it sends never outruns the gateway's rate, a resync of hundreds
 *    neither;
 *  - each logged message is handed out once and in order: what is not above
 *    the position already handled, or not above its sender's last id, is
 *    dropped;
 *  - input is volatile: sent now or not at all, and never twice;
 *  - "closed" is the last event, it comes once, and carries the reason.
 */

import { RsError, RsEvent, parseJson, systemClock, text } from "./rs-api.js";

export { RsApi, RsError, RsEvent, resolveBase, socketUrl, systemClock }
    from "./rs-api.js";

/* what somebody else's page is built with: rs-client.d.ts */

export { RsChat } from "./rs-chat.js";
export { RsClipboard } from "./rs-clipboard.js";
export { CHORDS, RsInput } from "./rs-input.js";
export { Pins } from "./rs-identity.js";
export { RsPage } from "./rs-page.js";
export { RsPeer } from "./rs-peer.js";
export { RsRemote, connect } from "./rs-remote.js";
export { RsTyper } from "./rs-typer.js";

/** Of what rs-client.d.ts describes, by semver.org. */
export const VERSION = "1.1.0";


/** @typedef {{id: string, role: string, name?: string|null, state?: string,
 *             guest?: boolean, path?: Path}} Peer */
/** @typedef {{kind: "direct"|"relay", protocol: "udp"|"tcp"|"tls",
 *             local: string, remote: string, rtt_ms: number,
 *             region?: string}} Path */
/** @typedef {{iceServers: RTCIceServer[], iceTransportPolicy: "all"|"relay",
 *             ttl_s: number}} Ice */
/** @typedef {{holder: string|null, requests: string[], locked: boolean}}
 *           Control */
/** @typedef {import("./rs-api.js").Clock} Clock */


const JOIN_GIVE_UP_MS = 20000;      /* a ticket that never got a welcome */
const RESUME_GIVE_UP_MS = 120000;   /* rs_resume_grace */
const WELCOME_TIMEOUT_MS = 10000;
const RESUMED_TIMEOUT_MS = 6000;    /* the same, of a session that was open */
const CLOSE_TIMEOUT_MS = 2000;
const PONG_TIMEOUT_MS = 10000;
const NUDGE_TIMEOUT_MS = 4000;
const YOUNG_MS = 1000;              /* an attempt that is not given up yet */
const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 5000;
const RESYNC_WINDOW_MS = 30000;
const BEFORE_MS = 60000;            /* a failover may forget a resume */
const ICE_RENEWED_AT = 0.75;        /* of the credentials' life */
const ICE_RENEW_MIN_MS = 10000;
const OUTBOX_MAX = 2048;
const SEND_BURST = 60;              /* below rs_message_rate 50 burst=100 */
const SEND_RATE = 40;               /* a second */
const INPUT_BUFFERED_MAX = 65536;
const MESSAGE_MAX = 65536;
const PEERS_MAX = 1024;

/* a client's own close: neither 1000, which is final, nor a code of the
 * gateway */
const CLOSE_RECONNECT = 4000;

/* close codes after which coming back cannot help */
const FINAL_CODES = new Map([
    [1000, "closed"],
    [1002, "ws_protocol"],
    [1003, "ws_unsupported"],
    [1007, "ws_utf8"],
    [1009, "ws_too_big"],
    [4401, "unauthenticated"],
    [4403, "forbidden"],
    [4404, "not_found"],
    [4409, "replaced"],
    [4410, "session_ended"],
]);

/* errors that name a message which may be sent again */
const TRANSIENT = new Set(["unavailable", "uncertain", "overloaded",
                           "internal", "rate_limited", "going_away",
                           "draining"]);


/** Full jitter: anything between 0 and the capped exponential. */
export function backoff(attempt, random) {
    const top = Math.min(BACKOFF_CAP_MS,
                         BACKOFF_BASE_MS * 2 ** Math.min(attempt, 16));

    return Math.floor(random() * top);
}


/**
 * Positions are "<epoch>-<n>".  Negative, 0, positive as a is before, at,
 * after b; what is not a position is before all.
 */
export function comparePosition(a, b) {
    const [x, y] = [parsePosition(a), parsePosition(b)];

    return x[0] - y[0] || x[1] - y[1];
}


/**
 * Whether a session is recorded: "on", "lost" (it was, and is to be again),
 * "off".
 */
export function recordingOf(session) {
    const told = session?.recording;
    const state = typeof told === "string" ? told : told?.state;

    return state === "on" || state === "lost" ? state : "off";
}


function parsePosition(text) {
    const m = /^(\d{1,15})-(\d{1,15})$/.exec(text ?? "");

    return m ? [Number(m[1]), Number(m[2])] : [-1, -1];
}


/**
 * A participant's place in a session.  Events, each an RsEvent:
 *
 *   state    the state below has changed
 *   welcome  {message, resumed}   joined, or back again
 *   peers    Peer[]               who else is here, after each change
 *   joined   Peer                 left {peer, reason}
 *   session  {state, expires_at, policy, host, queue, recording}   after
 *            each change; recordingOf() reads the last
 *   control  {holder, requests, locked, op?, by?}   who may use mouse and
 *            keyboard, after each change; op, by: what was done, by whom
 *   signal   {from, id, data}     in order, once
 *   input    {from, data}         volatile: may be lost, never repeated
 *   ack      {id}                 refused {id, error: RsError}
 *   ice      Ice                  fresh servers and credentials
 *   notice   RsError              an error that closes nothing
 *   away     {delay_ms, attempt}  the socket is lost, coming back by itself
 *   ended    {reason}             the session is over
 *   closed   {code, error: RsError|null}   the last event; null after bye()
 *
 * States: "new", "connecting", "open", "waiting", "closed".
 */
export class RsSession extends EventTarget {
    #url;
    #ticket;
    #WebSocket;
    #clock;

    #socket = null;
    #timer = null;          /* connect, reconnect, watch or close: one runs */
    #attempt = 0;
    #deadline = 0;          /* when to give up coming back */
    #lastHeard = 0;
    #openedAt = 0;          /* this socket */
    #asked = 0;             /* a ping is out: until when it is waited for */
    #pingMs = 25000;
    #welcomed = false;      /* this socket has had its welcome */
    #leaving = false;
    #lastError = null;
    #goawayAt = 0;          /* when the gateway asked to come back */

    #resume = null;
    #before = null;         /* {token, until}: the one that #resume replaced */
    #verdict = null;        /* what was said before it is tried */
    #position = null;
    #nextId = 1;
    #outbox = [];           /* {id, frame, at, sent, acked}, by id; sent: on
                             * this socket */
    #allowance = SEND_BURST;
    #allowedAt = 0;
    #flushTimer = null;
    #lastIds = new Map();   /* sender -> last id handed out */
    #ended = null;
    #iceAt = 0;
    #iceTimer = null;
    #iceWaiters = [];

    /** @type {"new"|"connecting"|"open"|"waiting"|"closed"} */
    state = "new";
    /** @type {string|null} */
    self = null;
    /** @type {string|null} */
    role = null;
    /** May take and lock control. */
    moderator = false;
    /** @type {Control|null}   null: the gateway leaves it to the roles */
    control = null;
    /** @type {any} */
    session = null;
    /** @type {Ice|null} */
    ice = null;
    /** @type {Map<string, Peer>} */
    peers = new Map();

    /**
     * @param {{url: string, ticket: string, WebSocket?: typeof WebSocket,
     *          clock?: Clock}} o   url: of /signal, ws: or wss:
     */
    constructor(o) {
        super();
        this.#url = o.url;
        this.#ticket = o.ticket;
        this.#WebSocket = o.WebSocket ?? globalThis.WebSocket;
        this.#clock = o.clock ?? systemClock;
    }

    /** The position of the last logged message handled. */
    get position() {
        return this.#position;
    }

    /** Messages the gateway has neither acked nor refused. */
    get unacked() {
        return this.#outbox.filter((m) => !m.acked).length;
    }

    /** The host of the session, if it is here. @returns {Peer|null} */
    get host() {
        for (const peer of this.peers.values()) {
            if (peer.role === "host") {
                return peer;
            }
        }

        return null;
    }

    /** Has control, as far as the gateway says so. */
    get controls() {
        return this.role === "controller"
               && (this.control === null || this.control.holder === this.self);
    }

    /** Joins with the ticket.  Once. */
    connect() {
        if (this.state !== "new") {
            throw new RsError("conflict", {
                detail: "connect() was called before",
            });
        }

        this.#deadline = this.#clock.now() + JOIN_GIVE_UP_MS;
        this.#open();
    }

    /**
     * Sends data to one participant, or to all others.  Returns the
     * message's id; it is delivered now, or after the next resume.
     *
     * @param {any} data
     * @param {string} [to]
     */
    send(data, to) {
        this.#prune();

        if (this.#leaving || this.#ended || this.state === "closed") {
            throw new RsError("closed", {detail: "the session is over"});
        }

        if (this.#outbox.length >= OUTBOX_MAX) {
            throw new RsError("outbox_full", {
                detail: `${OUTBOX_MAX} messages are waiting`,
            });
        }

        const id = this.#nextId;
        const frame = JSON.stringify(to === undefined
                                     ? {type: "signal", id, data}
                                     : {type: "signal", to, id, data});

        if (byteLength(frame) > MESSAGE_MAX) {
            throw new RsError("ws_too_big", {
                detail: `a message of more than ${MESSAGE_MAX} bytes`,
            });
        }

        this.#nextId++;
        this.#outbox.push({id, frame, at: this.#clock.now(), sent: false,
                           acked: false});
        this.#flush();

        return id;
    }

    /**
     * Sends volatile data to one participant, or to the host.  False when it
     * was dropped: the socket is away, or so slow that much waits already.
     *
     * @param {any} data
     * @param {string} [to]
     */
    sendInput(data, to) {
        if (this.#socket?.bufferedAmount > INPUT_BUFFERED_MAX) {
            return false;
        }

        return this.#sendNow(to === undefined ? {type: "input", data}
                                              : {type: "input", to, data});
    }

    /** Of the API, as a socket has it. */
    get base() {
        return this.#url.replace(/\/signal$/, "");
    }

    /**
     * Asks for a ticket of the pipe of that name with another participant:
     * the event "pipe" with this id, or "refused".  0: the socket is away.
     */
    askPipe(peer, name) {
        const id = this.#nextId++;

        return this.#sendNow({type: "pipe", with: peer, name, id}) ? id : 0;
    }

    /** Tells the path in use.  Dropped while the socket is away. */
    reportPath(path) {
        return this.#sendNow({type: "state", path});
    }

    /**
     * Asks for control, lets it go, gives it away ("request", "release",
     * "grant" to a participant), and as a moderator "take", "lock" and
     * "unlock".  The answer is a control event, or a notice.  False when it
     * was dropped: the socket is away.
     *
     * @param {string} op
     * @param {string} [to]
     */
    askControl(op, to) {
        return this.#sendNow(to === undefined ? {type: "control", op}
                                              : {type: "control", op, to});
    }

    /**
     * ICE servers whose credentials have at least margin_s to live: those at
     * hand, or new ones.  Falls back on those at hand after 5 s.
     * @returns {Promise<Ice|null>}
     */
    freshIce(margin_s = 60) {
        const age = (this.#clock.now() - this.#iceAt) / 1000;

        if (this.ice && age + margin_s <= this.ice.ttl_s) {
            return Promise.resolve(this.ice);
        }

        return new Promise((resolve) => {
            const waiter = {resolve, timer: null};

            waiter.timer = this.#clock.setTimeout(() => {
                this.#iceWaiters = this.#iceWaiters
                                       .filter((w) => w !== waiter);
                resolve(this.ice);
            }, 5000);

            this.#iceWaiters.push(waiter);
            this.#sendNow({type: "ice"});
        });
    }

    /**
     * The network may be another one: comes back at once if away, asks the
     * gateway for a sign of life if not.
     */
    nudge() {
        if (this.state === "waiting") {
            this.#attempt = 0;
            this.#open();

        } else if (this.state === "connecting"
                   && this.#clock.now() - this.#openedAt > YOUNG_MS)
        {
            this.#forget(CLOSE_RECONNECT);
            this.#open();

        } else if (this.state === "open" && this.#goawayAt === 0
                   && !this.#ended && !this.#leaving)
        {
            this.#ping(NUDGE_TIMEOUT_MS);
        }
    }

    /** Leaves for good. */
    bye(reason) {
        if (this.#leaving || this.state === "closed") {
            return;
        }

        this.#leaving = true;

        if (this.state === "open") {
            this.#socket.send(JSON.stringify(reason ? {type: "bye", reason}
                                                    : {type: "bye"}));
            this.#arm(CLOSE_TIMEOUT_MS, () => this.#finish(1000, null));
            return;
        }

        this.#finish(1000, null);
    }

    /* sockets */

    #open() {
        const credential = this.#resume === null
                           ? "rs.ticket." + this.#ticket
                           : `rs.resume.${this.#resume}.${this.#position}`;
        let socket;

        this.#setState("connecting");
        this.#welcomed = false;
        this.#goawayAt = 0;
        this.#lastError = null;

        try {
            socket = new this.#WebSocket(this.#url, ["rs.v1", credential]);

        } catch (e) {
            this.#finish(0, new RsError("bad_request", {
                detail: String(e?.message ?? e),
            }));
            return;
        }

        this.#socket = socket;

        socket.onmessage = (ev) => {
            if (this.#socket === socket) {
                this.#onMessage(ev.data);
            }
        };

        socket.onclose = (ev) => {
            if (this.#socket === socket) {
                this.#onClose(ev.code);
            }
        };

        this.#openedAt = this.#clock.now();
        this.#arm(this.#resume === null ? WELCOME_TIMEOUT_MS
                                        : RESUMED_TIMEOUT_MS,
                  () => this.#drop());
    }

    /* gives a socket up and behaves as if it had broken */
    #drop() {
        this.#forget(CLOSE_RECONNECT);
        this.#onClose(1006);
    }

    /* a socket that is forgotten says nothing more */
    #forget(code) {
        const socket = this.#socket;

        if (socket === null) {
            return;
        }

        this.#socket = null;
        socket.onmessage = null;
        socket.onclose = null;
        socket.close(code);
    }

    #onClose(code) {
        this.#socket = null;
        this.#clock.clearTimeout(this.#flushTimer);
        this.#flushTimer = null;

        if (this.#leaving) {
            this.#finish(code, null);
            return;
        }

        if (this.#ended) {
            this.#finish(4410, new RsError("session_ended", {
                detail: this.#ended.reason,
            }));
            return;
        }

        if (code === 4410) {
            this.#ended = {reason: ""};
            this.dispatchEvent(new RsEvent("ended", this.#ended));
        }

        if (FINAL_CODES.has(code) && !this.#forgotten(code)) {
            const error = this.#lastError ?? new RsError(FINAL_CODES.get(code));

            this.#finish(code, this.#verdict ?? error);
            return;
        }

        this.#comeBack(code);
    }

    /*
     * A failover of the store can forget the newest resume: then it knows the
     * socket and the token before it, and this one is a stranger.  They are
     * tried once.
     */
    #forgotten(code) {
        const before = this.#before;

        if (before === null || (code !== 4401 && code !== 4409)
            || this.#clock.now() > before.until)
        {
            return false;
        }

        this.#verdict = this.#lastError ?? new RsError(FINAL_CODES.get(code));
        this.#resume = before.token;
        this.#before = null;

        return true;
    }

    #comeBack(code) {
        const now = this.#clock.now();
        let delay = this.#goawayAt > 0
                    ? Math.max(0, this.#goawayAt - now)
                    : backoff(this.#attempt, this.#clock.random);

        if (this.state === "open") {
            this.#deadline = now + RESUME_GIVE_UP_MS;
        }

        if (now >= this.#deadline) {
            this.#finish(code, this.#lastError ?? new RsError("lost", {
                detail: "the gateway could not be reached",
            }));
            return;
        }

        delay = Math.min(delay, this.#deadline - now);
        this.#attempt++;
        this.#setState("waiting");
        this.#arm(delay, () => this.#open());
        this.dispatchEvent(new RsEvent("away", {delay_ms: delay,
                                                attempt: this.#attempt}));
    }

    #finish(code, error) {
        if (this.state === "closed") {
            return;
        }

        this.#disarm();
        this.#clock.clearTimeout(this.#flushTimer);
        this.#clock.clearTimeout(this.#iceTimer);
        this.#forget(1000);
        this.#outbox = [];

        for (const waiter of this.#iceWaiters.splice(0)) {
            this.#clock.clearTimeout(waiter.timer);
            waiter.resolve(this.ice);
        }

        this.#setState("closed");
        this.dispatchEvent(new RsEvent("closed", {code, error}));
    }

    #setState(state) {
        if (this.state !== state) {
            this.state = state;
            this.dispatchEvent(new RsEvent("state", state));
        }
    }

    #arm(ms, f) {
        this.#disarm();

        this.#timer = this.#clock.setTimeout(() => {
            this.#timer = null;
            f();
        }, ms);
    }

    #disarm() {
        if (this.#timer !== null) {
            this.#clock.clearTimeout(this.#timer);
            this.#timer = null;
        }
    }

    #sendNow(message) {
        if (this.state !== "open" || this.#leaving) {
            return false;
        }

        this.#socket.send(JSON.stringify(message));

        return true;
    }

    /* liveness: the gateway pings every ping_s; a longer silence is asked
     * about, and an unanswered question ends the socket */

    #watch() {
        const left = this.#lastHeard + this.#pingMs * 1.4
                     - this.#clock.now();

        if (left > 0) {
            this.#arm(left, () => this.#watch());
            return;
        }

        this.#ping();
    }

    #ping(timeout_ms = PONG_TIMEOUT_MS) {
        const until = this.#clock.now() + timeout_ms;

        if ((this.#asked > 0 && this.#asked <= until)
            || !this.#sendNow({type: "ping"}))
        {
            return;
        }

        this.#asked = until;

        this.#arm(timeout_ms, () => {
            if (this.#asked > 0) {
                this.#drop();
                return;
            }

            this.#watch();
        });
    }

    /* what waits goes out in order, as fast as the gateway takes it */

    #flush() {
        if (this.state !== "open" || this.#flushTimer !== null) {
            return;
        }

        const now = this.#clock.now();

        this.#allowance = Math.min(SEND_BURST, this.#allowance
                                   + (now - this.#allowedAt)
                                     * SEND_RATE / 1000);
        this.#allowedAt = now;

        for (const entry of this.#outbox) {
            if (entry.sent || entry.acked) {
                continue;
            }

            if (this.#allowance < 1) {
                this.#flushTimer = this.#clock.setTimeout(() => {
                    this.#flushTimer = null;
                    this.#flush();
                }, Math.ceil((1 - this.#allowance) * 1000 / SEND_RATE));
                return;
            }

            this.#allowance--;
            entry.sent = true;
            this.#socket.send(entry.frame);
        }
    }

    /* messages */

    #onMessage(frame) {
        const message = typeof frame === "string" ? parseJson(frame) : null;
        const type = message?.type;

        this.#lastHeard = this.#clock.now();
        this.#asked = 0;

        if (typeof type !== "string") {
            return;
        }

        if (type === "welcome") {
            this.#onWelcome(message);
            return;
        }

        if (type === "error") {
            this.#onError(message);
            return;
        }

        /* a worker that ends may say so instead of a welcome */
        if (this.#welcomed || type === "goaway") {
            this.#dispatch(type, message);
        }
    }

    #dispatch(type, message) {
        switch (type) {

        case "ping":
            this.#sendNow({type: "pong"});
            return;

        case "ack":
            this.#onAck(message.id);
            return;

        case "ice":
            this.#onIce(message.ice);
            return;

        case "input":
            this.dispatchEvent(new RsEvent("input", {from: message.from,
                                                     data: message.data}));
            return;

        case "pipe":
            this.dispatchEvent(new RsEvent("pipe", {id: message.id,
                                                    ticket: message.ticket}));
            return;

        case "goaway":
            this.#onGoaway(message);
            return;

        case "resync":
            this.#onResync(message.position);
            return;
        }

        /* what is left is logged */

        if (this.#position !== null && message.position !== undefined
            && comparePosition(message.position, this.#position) <= 0)
        {
            return;
        }

        switch (type) {

        case "signal":
            this.#onSignal(message);
            break;

        case "joined":
            this.#onJoined(message.peer);
            this.#onControl(message.control);
            break;

        case "left":
            this.#onLeft(message);
            this.#onControl(message.control);
            break;

        case "control":
            this.#onControl(message);
            break;

        case "state":
            this.#onState(message);
            break;

        case "ended":
            this.#onEnded(message);
            break;

        default:
            return;
        }

        if (typeof message.position === "string") {
            this.#position = message.position;
        }
    }

    #onWelcome(m) {
        const resumed = this.#resume !== null;

        if (this.#welcomed) {
            return;
        }

        this.#welcomed = true;
        this.self = m.self;
        this.role = m.role;
        this.moderator = m.moderator === true;
        this.session = m.session ?? {};
        this.#before = resumed ? {token: this.#resume,
                                  until: this.#clock.now() + BEFORE_MS}
                               : null;
        this.#verdict = null;
        this.#resume = m.resume;
        this.#pingMs = (m.ping_s ?? 25) * 1000;
        this.#attempt = 0;

        if (!resumed) {
            /* a resumed client is about to get all after its own position */
            this.#position = m.position;
        }

        this.peers = new Map((m.peers ?? []).slice(0, PEERS_MAX)
                                            .map((p) => [p.id, p]));
        this.state = "open";
        this.#watch();

        for (const entry of this.#outbox) {
            entry.sent = false;
        }

        /* a new socket, a new allowance */
        this.#allowance = SEND_BURST;
        this.#allowedAt = this.#clock.now();
        this.#flush();

        this.#onIce(m.ice);

        this.dispatchEvent(new RsEvent("state", this.state));
        this.dispatchEvent(new RsEvent("welcome", {message: m, resumed}));
        this.dispatchEvent(new RsEvent("session", this.session));
        this.#peersChanged();

        /* resumed: what has changed since is about to be told, in order */

        if (!resumed || this.control === null) {
            this.#onControl(this.session.control);
        }
    }

    #onError(m) {
        const error = new RsError(text(m.code) || "internal",
                                  {detail: text(m.message)});

        if (Number.isInteger(m.id) && !TRANSIENT.has(error.code)) {
            this.#outbox = this.#outbox.filter((e) => e.id !== m.id);
            this.dispatchEvent(new RsEvent("refused", {id: m.id, error}));
            return;
        }

        /* the close that may follow is told with this as its reason */
        this.#lastError = error;
        this.dispatchEvent(new RsEvent("notice", error));
    }

    #onAck(id) {
        for (const entry of this.#outbox) {
            if (entry.id === id) {
                entry.acked = true;
            }
        }

        this.#prune();
        this.dispatchEvent(new RsEvent("ack", {id}));
    }

    /* acked messages are kept for a resync, no longer */
    #prune() {
        const old = this.#clock.now() - RESYNC_WINDOW_MS;

        this.#outbox = this.#outbox.filter((e) => !e.acked || e.at > old);

        if (this.#outbox.length >= OUTBOX_MAX) {
            this.#outbox = this.#outbox.filter((e) => !e.acked);
        }
    }

    #onIce(ice) {
        if (!Array.isArray(ice?.iceServers)) {
            return;
        }

        this.ice = ice;
        this.#iceAt = this.#clock.now();
        this.#renewIce(ice);

        for (const waiter of this.#iceWaiters.splice(0)) {
            this.#clock.clearTimeout(waiter.timer);
            waiter.resolve(ice);
        }

        this.dispatchEvent(new RsEvent("ice", ice));
    }

    /* before they run out, so that they are at hand when a path breaks, and
     * the gateway perhaps with it; a socket that is away gets others with its
     * welcome */
    #renewIce({ttl_s}) {
        this.#clock.clearTimeout(this.#iceTimer);

        if (ttl_s > 0) {
            this.#iceTimer = this.#clock.setTimeout(
                () => this.#sendNow({type: "ice"}),
                Math.max(ttl_s * 1000 * ICE_RENEWED_AT, ICE_RENEW_MIN_MS));
        }
    }

    #onGoaway(m) {
        const delay = Math.min(Math.max(Number(m.after_ms) || 0, 0)
                               + this.#clock.random()
                                 * Math.max(Number(m.jitter_ms) || 0, 0),
                               RESUME_GIVE_UP_MS / 2);

        this.#goawayAt = this.#clock.now() + delay;
        this.#attempt = 0;
        this.#arm(delay, () => this.#drop());
    }

    #onResync(position) {
        this.#prune();

        if (typeof position === "string") {
            this.#position = position;
        }

        const since = this.#clock.now() - RESYNC_WINDOW_MS;

        for (const entry of this.#outbox) {
            if (!entry.acked || entry.at > since) {
                entry.acked = false;
                entry.sent = false;
            }
        }

        this.#flush();
    }

    #onSignal(m) {
        const last = this.#lastIds.get(m.from) ?? 0;

        if (m.from === this.self || !(m.id > last)) {
            return;
        }

        if (this.#lastIds.size < PEERS_MAX || this.#lastIds.has(m.from)) {
            this.#lastIds.set(m.from, m.id);
        }

        this.dispatchEvent(new RsEvent("signal", {from: m.from, id: m.id,
                                                  data: m.data}));
    }

    #onJoined(peer) {
        if (typeof peer?.id !== "string" || peer.id === this.self
            || this.peers.size >= PEERS_MAX)
        {
            return;
        }

        this.peers.set(peer.id, {...this.peers.get(peer.id), ...peer});
        this.dispatchEvent(new RsEvent("joined", peer));
        this.#peersChanged();
    }

    #onLeft(m) {
        const peer = this.peers.get(m.peer);

        if (peer === undefined) {
            return;
        }

        this.peers.delete(m.peer);
        this.dispatchEvent(new RsEvent("left", {peer, reason: m.reason}));
        this.#peersChanged();
    }

    #onControl(m) {
        if (m === null || typeof m !== "object") {
            return;
        }

        this.control = {
            holder: typeof m.holder === "string" ? m.holder : null,
            requests: (Array.isArray(m.requests) ? m.requests : [])
                      .filter((id) => typeof id === "string")
                      .slice(0, PEERS_MAX),
            locked: m.locked === true,
        };

        this.dispatchEvent(new RsEvent("control", {
            ...this.control, op: text(m.op) || undefined,
            by: text(m.by) || undefined,
        }));
    }

    #onState(m) {
        const peer = this.peers.get(m.peer);

        if (peer !== undefined && m.path) {
            peer.path = m.path;
            this.#peersChanged();
        }

        this.#amend({
            ...(typeof m.session_state === "string"
                ? {state: m.session_state} : {}),
            ...(m.host !== null && typeof m.host === "object"
                ? {host: m.host} : {}),
            ...(m.queue === undefined ? {} : {queue: m.queue}),
            ...(m.recording === undefined ? {} : {recording: m.recording}),
        });
    }

    /* what of the session is another one now */
    #amend(fields) {
        if (Object.keys(fields).length > 0) {
            this.session = {...this.session, ...fields};
            this.dispatchEvent(new RsEvent("session", this.session));
        }
    }

    #onEnded(m) {
        this.#ended = {reason: text(m.reason)};
        this.session = {...this.session, state: "ended"};
        this.#outbox = [];
        this.#arm(CLOSE_TIMEOUT_MS, () => this.#drop());
        this.dispatchEvent(new RsEvent("session", this.session));
        this.dispatchEvent(new RsEvent("ended", this.#ended));
    }

    #peersChanged() {
        this.dispatchEvent(new RsEvent("peers", [...this.peers.values()]));
    }
}


function byteLength(string) {
    return new TextEncoder().encode(string).length;
}
