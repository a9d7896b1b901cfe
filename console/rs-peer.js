
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
 * Where no line is found a pipe is opened beside them: the same picture and
 * the same channels, sealed, through the gateway (rs-duct.js).  Lines are
 * tried on, and the first that stands takes over, as the pipe does from a
 * line that broke.  Input is numbered, where the host counts: what it has not
 * taken by then is said again.
 *
 * Input goes over the line's data channel.  A line that stands without one
 * sends it by way of the gateway instead, which answers nothing and may lose
 * some; but not where the device has verified who controls it, for a gateway
 * that keeps the channel from opening would read along.
 */

import { RsEvent, RsError, backoff, recordingOf, systemClock }
    from "./rs-client.js";
import { RsChannel, dataChannel, parseObject } from "./rs-channel.js";
import { Detour, Line, PipeLine, objectOf, operatorOf, shortText }
    from "./rs-line.js";
import { RsSequence } from "./rs-sequence.js";
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
const PIPE_AFTER_MS = 5000;         /* an answer, and no path */
const PIPE_WAIT_MS = 1000;          /* for an answer to the other offer */
const UPGRADE_MS = 5000;            /* between lines beside a pipe, doubled */
const UPGRADE_CAP_MS = 60000;
const BRIDGE_MS = 8000;             /* from one line to the next */
const CONSENT_MAX_S = 600;
const CANDIDATES_MAX = 256;
const SIGNAL_TEXT_MAX = 60000;
const BUFFERED_MAX = 65536;

/* what the host says of a line that another one might do better than; any
 * other reason stands however often it is asked */
const PASSING = new Set(["ice_failed", "closed", "internal", "no_pipe"]);

/* passes, too, where there was a path before: the relay is away */
const PASSING_AGAIN = new Set(["no_relay"]);


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
    #pipe = null;           /* a PipeLine, beside it */
    #usesPipe = false;      /* it is what is shown and spoken over */
    #pipeWanted = false;    /* once the line's offer is answered */
    #pipeTries = 0;
    #pipeRetry = null;
    #upgrades = 0;          /* lines that were tried beside it */
    #carrier;
    #globals;
    #sequence = new RsSequence();
    #bridge = 0;            /* until when input is kept for the next one */
    #old = null;            /* the one still shown, until the newest connects */
    #count = 0;
    #attempts = 0;
    #final = false;         /* what was said will not change */
    #stood = null;          /* the host to whom a line has stood */
    #lostAt = null;         /* since when none stands any more */
    #parked = false;        /* a line is wanted when the socket is back */
    #held = false;          /* or when the recorder records */
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
     *          carrier?: "auto"|"pipe"|"webrtc", globals?: object,
     *          clock?: import("./rs-client.js").Clock}} o
     *        carrier: auto: a pipe where there is no connection; pipe: and
     *        no connection is tried
     */
    constructor(o) {
        super();
        this.#session = o.session;
        this.#who = o.who;
        this.#Connection = o.RTCPeerConnection
                           ?? globalThis.RTCPeerConnection;
        this.#clock = o.clock ?? systemClock;
        this.#carrier = o.carrier ?? "auto";
        this.#globals = o.globals ?? globalThis;

        this.#on("signal", (ev) => this.#onSignal(ev.detail));
        this.#on("peers", () => this.#onPeers());
        this.#on("session", () => this.#onSession());
        this.#on("refused", (ev) => this.#onRefused(ev.detail));
        this.#on("welcome", () => this.#onBack());
        this.#on("notice", (ev) => this.#onNotice(ev.detail));
        this.#on("ended", () => this.close());
        this.#on("closed", () => this.close());

        this.#onPeers();
    }

    /* what is shown and spoken over */
    get #use() {
        return this.#usesPipe ? this.#pipe : this.#line;
    }

    #speaks(line) {
        return line?.hello?.input === true
               && (line.detour ? this.#session.state === "open"
                               : line.channel?.readyState === "open");
    }

    /** The host takes input now, or will as soon as it is reached again. */
    get ready() {
        return this.#speaks(this.#use)
               || (this.#sequence.on && this.#clock.now() < this.#bridge);
    }

    /**
     * Where the pointer is, for a host that shows it and takes nothing else
     * (features.pointer of its hello).  False when it was dropped.
     */
    point(message) {
        const line = this.#use;

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
        return !this.#usesPipe && this.#line?.detour === true;
    }

    /**
     * Sends one input message of peer.md.  False when it was dropped: no
     * way to the host, or a move while the channel is congested.
     */
    send(message) {
        const line = this.#use;
        const speaks = this.#speaks(line);

        if (!this.ready) {
            return false;
        }

        if (speaks && line.detour) {
            return new Detour(line, this.#session, this.#clock,
                              (ms, f) => this.#later(line, ms, f))
                   .send(message, DETOUR_MOVE_MS);
        }

        if (message.type === "move"
            && (!speaks || line.channel.bufferedAmount > BUFFERED_MAX))
        {
            return false;
        }

        const frame = this.#sequence.on ? this.#sequence.number(message)
                                        : JSON.stringify(message);

        if (speaks && frame !== null) {
            line.channel.send(frame);
        }

        return frame !== null;
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
            channel.attach(this.#use?.pc ?? null);
        }

        return channel;
    }

    /** What the host has besides the picture: "features" of its hello. */
    get features() {
        return this.#use?.hello?.features ?? {};
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
            this.#upgrades = 0;
            this.#start();
        }
    }

    #anew() {
        this.#attempts = 0;
        this.#pipeTries = 0;
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
        this.#held = false;
        this.#stood = null;
        this.#bridge = 0;
        this.#attach(null);
        this.#dropPipe();
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

    /* lines that are tried beside a pipe are nobody's business */
    #setState(state) {
        if (this.#usesPipe && (state === "connecting" || state === "unsteady"
                               || state === "failed" || state === "asking"))
        {
            return;
        }

        if (this.state !== state) {
            this.state = state;
            this.dispatchEvent(new RsEvent("state", state));
        }
    }

    #problem(code, detail) {
        this.#tellProblem(new RsError(code, {detail}));
    }

    #tellProblem(error) {
        if (!this.#usesPipe) {
            this.dispatchEvent(new RsEvent("problem", error));
        }
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
        line.over = true;

        if (line.pc === null) {
            return;
        }

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

        if (this.#starting || this.#hold()) {
            return;
        }

        if (this.#carrier === "pipe") {
            this.#wantPipe();
            return;
        }

        if (this.#pipe?.answered === false) {
            /* the host looks at one offer after the other */
            this.#retry = this.#clock.setTimeout(() => this.#start(),
                                                 PIPE_WAIT_MS);
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

    /* nobody is told of before the recorder records: the gateway refuses it */
    #hold() {
        if (this.#waitsForRecorder) {
            this.#held = true;
            this.#setState("waiting");
        }

        return this.#held;
    }

    get #waitsForRecorder() {
        return this.#session.session?.state === "waiting_recorder";
    }

    #onSession() {
        if (this.#held && !this.#closed && !this.#waitsForRecorder
            && this.#session.host !== null)
        {
            this.#held = false;
            this.#anew();
            this.#start();
        }
    }

    /* said before it was known that this waits for a recorder */
    #onNotRecorded() {
        this.#end(this.#line);
        this.#line = null;
        this.#dropPipe();
        this.#cancelRetry();
        this.#held = true;
        this.#setState("waiting");

        if (recordingOf(this.#session.session) === "on") {
            this.#retry = this.#clock.setTimeout(() => this.#onSession(),
                                                 PIPE_WAIT_MS);
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

        if (!this.#usesPipe) {
            this.#attach(pc);
        }

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
        if (line === null || !this.#lives(line)) {
            return;
        }

        if (e instanceof RsError) {
            this.#tellProblem(e);
            this.#final = !this.#usesPipe;

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

    /* is not replaced, or beside another one that is */
    #lives(line) {
        return line === this.#line || line === this.#pipe;
    }

    #show(line) {
        if (line === this.#use && line.connected && line.stream) {
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
                this.#show(line);
                this.#measure(line);
                this.#later(line, line.channel === null
                                  ? 0 : CHANNEL_TIMEOUT_MS,
                            () => this.#onNoChannel(line));
            }

            if (!this.#usesPipe) {
                this.#reported = null;
                this.#dropPipe();
                this.#anew();
                this.#setState("connected");
            }

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
        if (line !== null && line === this.#pipe) {
            this.#pipeLost(line);
            return;
        }

        if (this.#closed || line === null || line !== this.#line
            || this.#retry !== null || this.#starting)
        {
            return;
        }

        if (this.#usesPipe) {
            this.#upgrade();
            return;
        }

        if (this.#sequence.on && line.hello !== null) {
            this.#bridge = this.#clock.now() + BRIDGE_MS;
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
        this.#wantPipe();
    }

    /* who never had a path is told soon why; who had one wants it back */
    #exhausted() {
        return this.#stood === null
               ? this.#attempts >= ATTEMPTS_MAX
               : this.#clock.now() - this.#lostAt > AGAIN_MAX_MS;
    }

    /* what the host says */

    #onSignal({from, data}) {
        const line = data?.pc === this.#pipe?.n ? this.#pipe : this.#line;

        if (line === null || from !== line.host || data?.pc !== line.n) {
            return;
        }

        switch (data.kind) {

        case "piped":
            this.#onPiped(line, data);
            break;

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
            line.answered = true;

            this.#final ||= !this.#usesPipe
                            && !PASSING.has(data.code)
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
        if (line.answered || line.piped || typeof sdp !== "string"
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

            if (this.#pipeWanted) {
                this.#wantPipe();
            }

            this.#later(line, PIPE_AFTER_MS, () => {
                if (!line.connected && line === this.#line) {
                    this.#wantPipe();
                }
            });

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
        if (error.code === "not_recorded") {
            this.#onNotRecorded();
            return;
        }

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
            || line.channel?.readyState === "closed" || this.#usesPipe
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

    #onChannel(line, frame) {
        const message = parseObject(frame);

        line.lastHeard = this.#clock.now();

        if (message === null || !this.#lives(line)) {
            return;
        }

        if (message.type === "pong" || message.type === "taken") {
            if (message.type === "pong" && line.piped) {
                line.rtt_ms = Math.round(line.lastHeard - line.pingAt);
            }

            this.#sequence.taken(message.sequence);
            return;
        }

        if (message.type !== "hello") {
            this.dispatchEvent(new RsEvent("told", message));
            return;
        }

        const first = line.hello === null;

        line.hello = {
            width: Number(message.width) || 0,
            height: Number(message.height) || 0,
            input: message.input === true,
            features: objectOf(message.features),
        };

        if (line === this.#line && this.#usesPipe) {
            this.#takeOver(line);
        }

        /* a hello comes again whenever something of it changes */
        for (const said of first ? this.#sequence.hello(message.sequence)
                                 : [])
        {
            line.channel.send(said);
        }

        this.#bridge = 0;
        this.dispatchEvent(new RsEvent("hello", line.hello));
    }

    #heartbeat(line) {
        if (!this.#lives(line) || line.channel.readyState !== "open") {
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

        line.pingAt = now;
        line.channel.send(JSON.stringify({type: "ping", n: ++line.pings}));
        this.#later(line, HEARTBEAT_MS, () => this.#heartbeat(line));
    }

    /* the pipe beside the lines */

    #wantPipe() {
        const host = this.#session.host;

        this.#pipeWanted = false;

        if (this.#closed || this.#carrier === "webrtc" || this.#pipe !== null
            || this.#pipeRetry !== null || host?.type === "browser"
            || host === null || this.#session.state !== "open"
            || this.#globals.VideoDecoder === undefined
            || this.#session.askPipe === undefined)
        {
            return;
        }

        if (this.#line?.answered === false && this.#retry === null
            && this.#carrier !== "pipe")
        {
            /* the host looks at one offer after the other */
            this.#pipeWanted = true;
            return;
        }

        this.#setState(this.#stood === null ? "connecting" : "unsteady");
        this.#startPipe(host.id);
    }

    async #startPipe(host) {
        const line = new PipeLine(++this.#count, {
            host, session: this.#session, who: this.#who,
            clock: this.#clock, globals: this.#globals});

        this.#pipe = line;
        this.#expect(line, CONNECT_TIMEOUT_MS);

        try {
            const offer = await line.offer();

            if (line === this.#pipe) {
                this.#tell(line, offer);
            }

        } catch (e) {
            this.#pipeFailed(line, e);
        }
    }

    #pipeFailed(line, e) {
        if (line === this.#pipe) {
            this.#tellProblem(e instanceof RsError ? e : new RsError(
                "peer_failed", {detail: String(e?.message ?? e)}));
            this.#pipeLost(line);
        }
    }

    async #onPiped(line, data) {
        if (line !== this.#pipe || line.answered) {
            return;
        }

        line.answered = true;

        try {
            const verdict = await line.answer(data);

            if (line !== this.#pipe) {
                line.pc?.close();
                return;
            }

            this.dispatchEvent(new RsEvent("verified", {
                ...verdict, operator: operatorOf(data.operator)}));
            line.pc.onconnectionstatechange = () => this.#onDuct(line);
            line.channel.onopen = () => this.#heartbeat(line);
            line.channel.onmessage = (ev) => this.#onChannel(line, ev.data);
            line.channel.onclose = () => this.#onShut(line);

        } catch (e) {
            this.#pipeFailed(line, e);
        }
    }

    /* the host has given a line that stood up by now */
    #onDuct(line) {
        if (line !== this.#pipe) {
            return;
        }

        if (line.pc.connectionState !== "connected") {
            this.#problem("peer_failed", "the pipe broke");
            this.#pipeLost(line);
            return;
        }

        line.connected = true;
        line.lastHeard = this.#clock.now();
        line.lastBytes = line.lastHeard;
        this.#stood = line.host;
        this.#usesPipe = true;
        this.#reported = null;
        this.#end(this.#old);
        this.#old = null;
        this.#attach(line.pc);
        this.#show(line);
        this.#setState("connected");
        this.#anew();
        this.#measurePipe(line);

        if (this.#line === null || this.#line.connected
            || this.#line.over === true)
        {
            this.#end(this.#line);
            this.#line = null;
            this.#upgrade();
        }
    }

    /* the host took another way: the hello of that one tells */
    #onShut(line) {
        if (line === this.#pipe && this.#usesPipe) {
            this.#bridge = this.#clock.now() + BRIDGE_MS;
            this.#later(line, BRIDGE_MS, () => this.#pipeLost(line));
        }
    }

    /* a line stands, and the host listens to it */
    #takeOver(line) {
        this.#usesPipe = false;
        this.#reported = null;
        this.#attach(line.pc);
        this.#show(line);
        this.#dropPipe();
        this.#anew();
        this.#upgrades = 0;
        this.#setState("connected");
    }

    #dropPipe() {
        const line = this.#pipe;

        this.#clock.clearTimeout(this.#pipeRetry);
        this.#pipeRetry = null;
        this.#pipeWanted = false;
        this.#pipe = null;
        this.#usesPipe = false;
        this.#end(line);
    }

    #pipeLost(line) {
        if (line !== this.#pipe || this.#closed) {
            return;
        }

        const used = this.#usesPipe;

        this.#dropPipe();
        this.#lostAt ??= this.#clock.now();

        if (used) {
            if (this.#sequence.on) {
                this.#bridge = this.#clock.now() + BRIDGE_MS;
            }

            this.#attach(this.#line?.pc ?? null);
            this.#setState("unsteady");
        }

        if (this.#final || this.#exhausted()
            || ++this.#pipeTries > ATTEMPTS_MAX)
        {
            if (this.#carrier === "pipe" || this.#final) {
                this.#setState("failed");
            }

            return;
        }

        const delay = Math.min(backoff(this.#pipeTries - 1,
                                       this.#clock.random), AGAIN_CAP_MS);

        this.#pipeRetry = this.#clock.setTimeout(() => {
            this.#pipeRetry = null;

            if (!this.#line?.connected) {
                this.#wantPipe();
            }
        }, delay);
    }

    /* another line beside the pipe, later each time */
    #upgrade() {
        if (this.#carrier === "pipe" || this.#retry !== null
            || this.#starting || this.#closed)
        {
            return;
        }

        const delay = Math.min(UPGRADE_MS * 2 ** this.#upgrades++,
                               UPGRADE_CAP_MS);

        this.#end(this.#line);
        this.#line = null;
        this.#retry = this.#clock.setTimeout(() => {
            this.#retry = null;
            this.#start();
        }, delay);
    }

    #measurePipe(line) {
        if (line !== this.#pipe || !this.#usesPipe) {
            return;
        }

        const {bytes, video} = line.pc.figures;

        if (bytes > line.bytes) {
            line.bytes = bytes;
            line.lastBytes = this.#clock.now();
        }

        video.fps = video.frames - (line.frames ?? 0);
        line.frames = video.frames;

        if (line.pings > 1) {
            this.#report(line.path);
        }

        this.dispatchEvent(new RsEvent("path", line.path));
        this.dispatchEvent(new RsEvent("video", video));
        this.#later(line, STATS_MS, () => this.#measurePipe(line));
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

        if (path !== null && !this.#usesPipe) {
            this.#report(path);
            this.dispatchEvent(new RsEvent("path", path));
        }

        if (video !== null && !this.#usesPipe) {
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
