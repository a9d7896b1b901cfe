
/*
 * Copyright (C) rs-gateway contributors
 *
 * The viewer's side of docs/protocol/peer.md: offers to the host of an
 * RsSession, shows what it answers, carries input to it, watches the path.
 * No DOM; RTCPeerConnection and the clock can be handed in.
 *
 * Each attempt to reach the host is a Line: one RTCPeerConnection under a
 * number of its own.  A new line is made when the old one fails or falls
 * silent; the old one keeps showing its last picture until the new one
 * connects, then it is closed.  What carries another line's number is
 * dropped.
 *
 * An offer carries the proof of who offers, and an answer is used only after
 * its device proved itself: RsWho of rs-identity.js.
 *
 * Input goes over the line's data channel.  A line that stands without one
 * sends it by way of the gateway instead, which answers nothing and may lose
 * some; but not where the device has verified who controls it, for a gateway
 * that keeps the channel from opening would read along.
 */

import { RsEvent, RsError, backoff, systemClock } from "./rs-client.js";
import { RsChannel, dataChannel, parseObject } from "./rs-channel.js";
import { bytesOf, pathOf, samePath, videoOf } from "./rs-stats.js";


const CONNECT_TIMEOUT_MS = 20000;
const AGAIN_TIMEOUT_MS = 10000;     /* the same, once one has stood */
const CHANNEL_TIMEOUT_MS = 5000;    /* connected, no data channel */
const DETOUR_MOVE_MS = 50;          /* between moves by the gateway */
const HEARTBEAT_MS = 2000;
const SILENCE_MS = 10000;           /* of the data channel */
const SUSPECT_MS = 5000;            /* of everything */
const AILING_MS = 3000;             /* the same, when the socket broke too */
const SLEPT_MS = 10000;             /* between two heartbeats */
const STATS_MS = 1000;
const DISCONNECTED_MS = 2000;
const ATTEMPTS_MAX = 6;
const AGAIN_MAX_MS = 600000;        /* instead, once one has stood */
const AGAIN_CAP_MS = 3000;          /* between attempts then */
const CONSENT_MAX_S = 600;
const CANDIDATES_MAX = 256;
const SIGNAL_TEXT_MAX = 60000;
const BUFFERED_MAX = 65536;

/* what the host says of a line that another one might do better than; any
 * other reason stands however often it is asked */
const PASSING = new Set(["ice_failed", "closed", "internal"]);

/* passes, too, where there was a path before: the relay is away */
const PASSING_AGAIN = new Set(["no_relay"]);


/** One RTCPeerConnection and what belongs to it. */
class Line {
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

    constructor(n, host, pc, channel) {
        this.n = n;
        this.host = host;
        this.pc = pc;
        this.channel = channel;
        this.timers = new Set();
    }
}


/**
 * Events, each an RsEvent:
 *
 *   state    "waiting" | "connecting" | "asking" | "connected" | "unsteady"
 *            | "failed" | "closed"; asking: the person at the device
 *   verified {how, short, at, operator: {verified, name, reason}|null}   the
 *            device proved itself; operator: what it made of our proof
 *   stream   MediaStream          show this one from now on
 *   sound    MediaStream|null     and play this one: hear()
 *   hello    {width, height, input, features}   of the host: it takes input
 *            from now on; 0 by 0 when input goes by way of the gateway;
 *            features: as in peer.md, {} when it says none
 *   told     object               another message of the host over rs-input
 *   path     Path                 each second
 *   video    {width, height, frames, fps, bytes, dropped, decode_ms}   each
 *            second; frames and what follows: since the line was made
 *   problem  RsError              why the host cannot be reached
 */
export class RsPeer extends EventTarget {
    #session;
    #who;
    #Connection;
    #clock;
    #undo = [];
    #hears = false;
    #channels = new Map();  /* label -> RsChannel */
    #line = null;           /* the newest */
    #old = null;            /* the one still shown, until the newest connects */
    #count = 0;
    #attempts = 0;
    #final = false;         /* what was said will not change */
    #stood = null;          /* the host to whom a line has stood */
    #lostAt = null;         /* since when none stands any more */
    #parked = false;        /* a line is wanted when the socket is back */
    #retry = null;
    #starting = false;
    #reported = null;
    #closed = false;

    /** @type {string} */
    state = "waiting";

    /**
     * @param {{session: import("./rs-client.js").RsSession,
     *          who: import("./rs-identity.js").RsWho,
     *          RTCPeerConnection?: typeof RTCPeerConnection,
     *          clock?: import("./rs-client.js").Clock}} o
     */
    constructor(o) {
        super();
        this.#session = o.session;
        this.#who = o.who;
        this.#Connection = o.RTCPeerConnection
                           ?? globalThis.RTCPeerConnection;
        this.#clock = o.clock ?? systemClock;

        this.#on("signal", (ev) => this.#onSignal(ev.detail));
        this.#on("peers", () => this.#onPeers());
        this.#on("refused", (ev) => this.#onRefused(ev.detail));
        this.#on("welcome", () => this.#onBack());
        this.#on("notice", (ev) => this.#onNotice(ev.detail));
        this.#on("ended", () => this.close());
        this.#on("closed", () => this.close());

        this.#onPeers();
    }

    /** The host takes input now. */
    get ready() {
        return this.#line?.hello?.input === true
               && (this.#line.detour
                   ? this.#session.state === "open"
                   : this.#line.channel.readyState === "open");
    }

    /**
     * Where the pointer is, for a host that shows it and takes nothing else
     * (features.pointer of its hello).  False when it was dropped.
     */
    point(message) {
        const line = this.#line;

        if (line?.hello?.features.pointer !== true
            || line.channel?.readyState !== "open"
            || line.channel.bufferedAmount > BUFFERED_MAX)
        {
            return false;
        }

        line.channel.send(JSON.stringify(message));

        return true;
    }

    /** Input goes by way of the gateway, for the line has no data channel. */
    get detour() {
        return this.#line?.detour === true;
    }

    /**
     * Sends one input message of peer.md.  False when it was dropped: no
     * way to the host, or a move while the channel is congested.
     */
    send(message) {
        const line = this.#line;

        if (!this.ready) {
            return false;
        }

        if (line.detour) {
            return this.#sendDetour(line, message);
        }

        if (message.type === "move"
            && line.channel.bufferedAmount > BUFFERED_MAX)
        {
            return false;
        }

        line.channel.send(JSON.stringify(message));

        return true;
    }

    /**
     * The data channel of this label to the host, over whatever line there
     * is: the same one however often it is asked for.
     *
     * @param {string} label  of peer.md
     * @returns {RsChannel}
     */
    channel(label) {
        let channel = this.#channels.get(label);

        if (channel === undefined) {
            channel = new RsChannel(label);
            this.#channels.set(label, channel);
            channel.attach(this.#line?.pc ?? null);
        }

        return channel;
    }

    /** What the host has besides the picture: "features" of its hello. */
    get features() {
        return this.#line?.hello?.features ?? {};
    }

    /**
     * Asks for the host's sound, or for none, by another line: what was never
     * asked for is never sent.
     */
    hear(on) {
        if (this.#hears !== on) {
            this.#hears = on;
            this.restart();
        }
    }

    /** Sound is asked for. */
    get hears() {
        return this.#hears;
    }

    /** Reaches for the host anew, for example after a network change. */
    restart() {
        if (!this.#closed && this.#session.host) {
            this.#anew();
            this.#start();
        }
    }

    #anew() {
        this.#attempts = 0;
        this.#final = false;
        this.#lostAt = null;
    }

    close() {
        if (this.#closed) {
            return;
        }

        this.#closed = true;

        for (const undo of this.#undo.splice(0)) {
            undo();
        }

        this.#endAll();
        this.#setState("closed");
    }

    #endAll() {
        this.#cancelRetry();
        this.#parked = false;
        this.#stood = null;
        this.#attach(null);
        this.#end(this.#line);
        this.#end(this.#old);
        this.#line = null;
        this.#old = null;
    }

    #attach(pc) {
        for (const channel of this.#channels.values()) {
            channel.attach(pc);
        }
    }

    #cancelRetry() {
        this.#clock.clearTimeout(this.#retry);
        this.#retry = null;
    }

    #on(type, f) {
        this.#session.addEventListener(type, f);
        this.#undo.push(() => this.#session.removeEventListener(type, f));
    }

    #setState(state) {
        if (this.state !== state) {
            this.state = state;
            this.dispatchEvent(new RsEvent("state", state));
        }
    }

    #problem(code, detail) {
        this.dispatchEvent(new RsEvent("problem",
                                       new RsError(code, {detail})));
    }

    /* a timer that dies with its line */
    #later(line, ms, f) {
        const timer = this.#clock.setTimeout(() => {
            line.timers.delete(timer);
            f();
        }, ms);

        line.timers.add(timer);

        return timer;
    }

    #end(line) {
        if (line === null) {
            return;
        }

        for (const timer of line.timers) {
            this.#clock.clearTimeout(timer);
        }

        line.timers.clear();
        line.pc.onconnectionstatechange = null;
        line.pc.onicecandidate = null;
        line.pc.ontrack = null;

        if (line.channel !== null) {
            line.channel.onmessage = null;
            line.channel.onopen = null;
            line.channel.onclose = null;
        }

        line.pc.close();
    }

    /* who is here */

    #onPeers() {
        const host = this.#session.host;

        if (this.#closed) {
            return;
        }

        if (host === null) {
            this.#endAll();
            this.#setState("waiting");
            return;
        }

        if ((this.#line === null || this.#line.host !== host.id)
            && host.state !== "invited" && !this.#starting)
        {
            this.#anew();
            this.#start();
        }
    }

    /* lines */

    /* an offer that nobody can be told of would wait with addresses of a
     * network that may be gone by then */
    async #start() {
        this.#cancelRetry();

        if (this.#starting) {
            return;
        }

        this.#parked = this.#session.state !== "open";

        if (this.#parked) {
            this.#setState(this.#stood === null ? "connecting" : "unsteady");
            return;
        }

        this.#starting = true;
        this.#setState(this.#stood === null ? "connecting" : "unsteady");

        const ice = await this.#session.freshIce();
        const host = this.#session.host;

        this.#starting = false;

        if (this.#closed || host === null || host.state === "invited") {
            return;
        }

        try {
            await this.#offer(this.#open(host.id, ice));

        } catch (e) {
            this.#failed(this.#line, e);
        }
    }

    #open(host, ice) {
        const pc = new this.#Connection({
            iceServers: ice?.iceServers ?? [],
            iceTransportPolicy: ice?.iceTransportPolicy ?? "all",
            bundlePolicy: "max-bundle",
        });

        const {receiver} = pc.addTransceiver("video",
                                             {direction: "recvonly"});

        if (this.#hears) {
            pc.addTransceiver("audio", {direction: "recvonly"});
        }

        const channel = dataChannel(pc, "rs-input");
        const line = new Line(++this.#count, host, pc, channel);

        /* a desktop wants the newest picture, not the smoothest film */
        if ("jitterBufferTarget" in receiver) {
            receiver.jitterBufferTarget = 0;
        }

        if (this.#old === null && this.#line?.connected) {
            this.#old = this.#line;

        } else {
            this.#end(this.#line);
        }

        this.#line = line;

        pc.onicecandidate = (ev) => this.#onLocalCandidate(line, ev.candidate);
        pc.onconnectionstatechange = () => this.#onConnection(line);
        pc.ontrack = (ev) => {
            if (ev.track?.kind === "audio") {
                line.sound = new MediaStream([ev.track]);

            } else {
                line.stream = ev.streams[0] ?? new MediaStream([ev.track]);
            }

            this.#show(line);
        };

        if (channel !== null) {
            channel.onopen = () => this.#onOpen(line);
            channel.onmessage = (ev) => this.#onChannel(line, ev.data);
            channel.onclose = () => this.#again(line);
        }

        this.#attach(pc);
        this.#expect(line, this.#stood === null ? CONNECT_TIMEOUT_MS
                                                : AGAIN_TIMEOUT_MS);

        return line;
    }

    /* a path within ms, or another line */
    #expect(line, ms) {
        this.#clock.clearTimeout(line.patience);
        line.timers.delete(line.patience);

        line.patience = this.#later(line, ms, () => {
            if (!line.connected) {
                this.#problem("peer_timeout", `no path within ${ms / 1000} s`);
                this.#again(line);
            }
        });
    }

    /* what is proven is in the offer before it is the local description, so
     * that no candidate overtakes it */
    async #offer(line) {
        const offer = await line.pc.createOffer();
        const proof = await this.#who.prove(line.n, offer.sdp);

        if (line !== this.#line) {
            return;
        }

        await line.pc.setLocalDescription(offer);

        if (line === this.#line) {
            const {sdp} = line.pc.localDescription;

            this.#tell(line, {kind: "offer", pc: line.n, sdp,
                              ...(proof === null ? {} : {proof})});
        }
    }

    /* what nobody said a code of may be better next time; the rest is final */
    #failed(line, e) {
        if (line === null || line !== this.#line) {
            return;
        }

        if (e instanceof RsError) {
            this.dispatchEvent(new RsEvent("problem", e));
            this.#final = true;

        } else {
            this.#problem("peer_failed", String(e?.message ?? e));
        }

        this.#again(line);
    }

    #tell(line, data) {
        try {
            this.#session.send(data, line.host);

        } catch (e) {
            this.dispatchEvent(new RsEvent("problem", e));
        }
    }

    #show(line) {
        if (line === this.#line && line.connected && line.stream) {
            this.dispatchEvent(new RsEvent("stream", line.stream));
            this.dispatchEvent(new RsEvent("sound", line.sound));
        }
    }

    #onLocalCandidate(line, candidate) {
        if (line !== this.#line) {
            return;
        }

        if (candidate?.candidate) {
            line.gathered++;

        } else if (line.gathered === 0 && this.#stood !== null) {
            this.#problem("peer_failed", "no server gave a relay address");
            this.#again(line);
            return;
        }

        this.#tell(line, {
            kind: "candidate",
            pc: line.n,
            candidate: candidate?.candidate ?? "",
            sdpMLineIndex: candidate?.sdpMLineIndex ?? 0,
            sdpMid: candidate?.sdpMid ?? "",
        });
    }

    #onConnection(line) {
        if (line !== this.#line) {
            return;
        }

        switch (line.pc.connectionState) {

        case "connected":
            if (!line.connected) {
                line.connected = true;
                line.lastHeard = this.#clock.now();
                line.lastBytes = line.lastHeard;
                this.#stood = line.host;
                this.#end(this.#old);
                this.#old = null;
                this.#reported = null;
                this.#show(line);
                this.#measure(line);
                this.#later(line, line.channel === null
                                  ? 0 : CHANNEL_TIMEOUT_MS,
                            () => this.#onNoChannel(line));
            }

            this.#anew();
            this.#setState("connected");
            break;

        case "disconnected":
            this.#setState("unsteady");
            this.#session.nudge();
            this.#later(line, DISCONNECTED_MS, () => {
                if (line.pc.connectionState === "disconnected") {
                    this.#again(line);
                }
            });
            break;

        case "failed":
            this.#problem("peer_failed", "no path to the other side");
            this.#again(line);
            break;
        }
    }

    /* a line is no good: another one, a little later */
    #again(line) {
        if (this.#closed || line === null || line !== this.#line
            || this.#retry !== null || this.#starting)
        {
            return;
        }

        this.#lostAt ??= this.#clock.now();

        if (this.#final || this.#exhausted()) {
            /* the reason that was told is the last word */
            this.#clock.clearTimeout(line.patience);
            line.timers.delete(line.patience);
            this.#setState("failed");
            return;
        }

        this.#setState(this.#stood === null ? "connecting" : "unsteady");

        const delay = backoff(this.#attempts++, this.#clock.random);

        this.#retry = this.#clock.setTimeout(() => {
            this.#retry = null;
            this.#start();
        }, this.#stood === null ? delay : Math.min(delay, AGAIN_CAP_MS));
    }

    /* who never had a path is told soon why; who had one wants it back */
    #exhausted() {
        return this.#stood === null
               ? this.#attempts >= ATTEMPTS_MAX
               : this.#clock.now() - this.#lostAt > AGAIN_MAX_MS;
    }

    /* what the host says */

    #onSignal({from, data}) {
        const line = this.#line;

        if (line === null || from !== line.host || data?.pc !== line.n) {
            return;
        }

        switch (data.kind) {

        case "answer":
            this.#onAnswer(line, data);
            break;

        case "waiting":
            this.#onWaiting(line, data);
            break;

        case "candidate":
            this.#onRemoteCandidate(line, data);
            break;

        case "failed":
            this.#problem(shortText(data.code) || "peer_failed",
                          shortText(data.message));

            this.#final ||= !PASSING.has(data.code)
                            && !(PASSING_AGAIN.has(data.code)
                                 && this.#stood !== null);

            this.#again(line);
            break;
        }
    }

    /* the person at the device is being asked: no answer until then */
    #onWaiting(line, {timeout_s}) {
        if (line.answered || !(timeout_s > 0)) {
            return;
        }

        this.#setState("asking");
        this.#expect(line, CONNECT_TIMEOUT_MS
                           + Math.min(timeout_s, CONSENT_MAX_S) * 1000);
    }

    async #onAnswer(line, {sdp, device, operator}) {
        if (line.answered || typeof sdp !== "string"
            || sdp.length > SIGNAL_TEXT_MAX)
        {
            return;
        }

        line.answered = true;

        try {
            const verdict = await this.#who.check(
                line.n, line.pc.localDescription.sdp, sdp, device,
                operator?.verified === true);

            if (line !== this.#line) {
                return;
            }

            line.verified = operator?.verified === true;

            if (this.state === "asking") {
                this.#setState("connecting");
            }

            this.dispatchEvent(new RsEvent("verified", {
                ...verdict, operator: operatorOf(operator)}));

            await line.pc.setRemoteDescription({type: "answer", sdp});

            while (line.candidates.length > 0) {
                await this.#addCandidate(line, line.candidates.shift());
            }

            line.candidates = null;

        } catch (e) {
            this.#failed(line, e);
        }
    }

    #onRemoteCandidate(line, data) {
        const candidate = {
            candidate: shortText(data.candidate),
            sdpMLineIndex: Number.isInteger(data.sdpMLineIndex)
                           ? data.sdpMLineIndex : 0,
        };

        /* webrtcbin's mids are its own; the index is what both mean */

        if (line.candidates === null) {
            this.#addCandidate(line, candidate);

        } else if (line.candidates.length < CANDIDATES_MAX) {
            line.candidates.push(candidate);
        }
    }

    async #addCandidate(line, candidate) {
        try {
            await line.pc.addIceCandidate(candidate);

        } catch {
            /*
             * A candidate this browser cannot use, a host name that does not
             * resolve or a late one of a closed connection: the others count.
             */
        }
    }

    #onRefused({error}) {
        /* the host left while we spoke: "peers" tells the rest */
        if (error.code !== "unknown_peer") {
            this.dispatchEvent(new RsEvent("problem", error));
        }
    }

    /* the data channel, and the way round when there is none */

    #onOpen(line) {
        if (line.detour) {
            /* the host lets go of what came that way, and says hello here */
            line.detour = false;
            line.move = null;
            line.hello = null;
            line.pings = 0;
        }

        this.#heartbeat(line);
    }

    #onNoChannel(line) {
        if (line !== this.#line || line.channel?.readyState === "open"
            || line.channel?.readyState === "closed"
            || this.#session.role !== "controller")
        {
            return;
        }

        if (line.verified) {
            this.#failed(line, new RsError("no_channel"));
            return;
        }

        line.detour = true;
        line.hello = {width: 0, height: 0, input: true, features: {}};
        this.#beat(line);
        this.dispatchEvent(new RsEvent("hello", line.hello));
    }

    /* without it the host lets go of what is held */
    #beat(line) {
        if (line !== this.#line || !line.detour) {
            return;
        }

        this.#session.sendInput({type: "ping", n: ++line.pings}, line.host);
        this.#later(line, HEARTBEAT_MS, () => this.#beat(line));
    }

    /* the store was away: a report may be lost, the next one tells */
    #onNotice(error) {
        if (error.code === "unavailable") {
            this.#reported = null;
        }
    }

    /* a key let go while the gateway was away would stay down; and what cost
     * us the socket may have cost us the line */
    #onBack() {
        if (this.detour) {
            this.#session.sendInput({type: "release"}, this.#line.host);
        }

        if (this.#parked || (this.#stood !== null && this.#ailing())) {
            this.#anew();
            this.#start();
        }
    }

    #ailing() {
        const line = this.#line;
        const since = this.#clock.now() - AILING_MS;

        return line !== null && !line.detour
               && (!line.connected || line.pc.connectionState !== "connected"
                   || Math.max(line.lastHeard, line.lastBytes) < since);
    }

    /* moves are thinned out; what follows one finds the pointer there */
    #sendDetour(line, message) {
        const now = this.#clock.now();

        if (message.type !== "move") {
            this.#sendMove(line, now);
            return this.#session.sendInput(message, line.host);
        }

        const waiting = line.move !== null;

        line.move = message;

        if (now - line.movedAt >= DETOUR_MOVE_MS) {
            this.#sendMove(line, now);

        } else if (!waiting) {
            this.#later(line, line.movedAt + DETOUR_MOVE_MS - now,
                        () => this.#sendMove(line, this.#clock.now()));
        }

        return true;
    }

    #sendMove(line, now) {
        if (line.detour && line.move !== null) {
            this.#session.sendInput(line.move, line.host);
            line.move = null;
            line.movedAt = now;
        }
    }

    #onChannel(line, frame) {
        const message = parseObject(frame);

        line.lastHeard = this.#clock.now();

        if (message === null || line !== this.#line
            || message.type === "pong")
        {
            return;
        }

        if (message.type !== "hello") {
            this.dispatchEvent(new RsEvent("told", message));
            return;
        }

        line.hello = {
            width: Number(message.width) || 0,
            height: Number(message.height) || 0,
            input: message.input === true,
            features: objectOf(message.features),
        };
        this.dispatchEvent(new RsEvent("hello", line.hello));
    }

    #heartbeat(line) {
        if (line !== this.#line || line.channel.readyState !== "open") {
            return;
        }

        if (line.pings === 0) {
            line.lastHeard = this.#clock.now();
        }

        const now = this.#clock.now();
        const slept = line.beatAt > 0 && now - line.beatAt > SLEPT_MS;

        line.beatAt = now;

        if (slept || now - line.lastHeard > SILENCE_MS
            || now - Math.max(line.lastHeard, line.lastBytes) > SUSPECT_MS)
        {
            this.#problem("peer_timeout", "the other side fell silent");
            this.#session.nudge();
            this.#again(line);
            return;
        }

        line.channel.send(JSON.stringify({type: "ping", n: ++line.pings}));
        this.#later(line, HEARTBEAT_MS, () => this.#heartbeat(line));
    }

    /* statistics */

    async #measure(line) {
        let stats;

        try {
            stats = [...(await line.pc.getStats()).values()];

        } catch {
            return;         /* closed meanwhile */
        }

        if (line !== this.#line || this.#closed) {
            return;
        }

        const bytes = bytesOf(stats);

        if (bytes > line.bytes) {
            line.bytes = bytes;
            line.lastBytes = this.#clock.now();
        }

        const path = pathOf(stats, this.#session.ice);
        const video = videoOf(stats);

        if (path !== null) {
            this.#report(path);
            this.dispatchEvent(new RsEvent("path", path));
        }

        if (video !== null) {
            this.dispatchEvent(new RsEvent("video", video));
        }

        this.#later(line, STATS_MS, () => this.#measure(line));
    }

    /* tells the gateway the path when it changed; a socket that is away is
     * told at the next measurement after it is back */
    #report(path) {
        if (!samePath(path, this.#reported)
            && this.#session.reportPath(path))
        {
            this.#reported = path;
        }
    }
}


/* what the device made of the proof, for people */
function operatorOf(told) {
    return told === null || typeof told !== "object" ? null : {
        verified: told.verified === true,
        name: shortText(told.name),
        reason: shortText(told.reason),
    };
}


function objectOf(value) {
    return value !== null && typeof value === "object"
           && !Array.isArray(value) ? value : {};
}


function shortText(value) {
    return typeof value === "string" ? value.slice(0, 4096) : "";
}
