
/*
 * Copyright (C) rs-gateway contributors
 *
 * The host's side of docs/protocol/peer.md in a browser: shows a stream of
 * getDisplayMedia() to the viewers of an RsSession, and takes nothing from
 * them but where their pointers are.  No DOM; RTCPeerConnection and the clock
 * can be handed in.
 *
 * Each viewer has a line, one RTCPeerConnection under the number of its
 * offer.  The line before goes on until the new one stands.  A browser has no
 * key that anybody could know it by, so its answers prove nothing: the
 * console says so.
 */

import { RsError, RsEvent, systemClock } from "./rs-client.js";
import { parseObject } from "./rs-channel.js";
import { pathOf, samePath } from "./rs-stats.js";


const VIEWERS_MAX = 15;
const SDP_MAX = 65536;
const EARLY_MAX = 64;       /* candidates before the answer */
const TEXT_MAX = 1024;
const CONNECT_MS = 30000;
const SILENCE_MS = 10000;
const CHECK_MS = 2000;
const UNIT = 65536;


/** One RTCPeerConnection and what belongs to it. */
class Line {
    answered = false;
    connected = false;
    early = [];
    channel = null;
    senders = [];
    before = null;          /* the line it takes the place of */
    pointing = null;        /* {x, y} */

    constructor(viewer, n, pc, now) {
        this.viewer = viewer;
        this.n = n;
        this.pc = pc;
        this.heard = now;
    }
}


function isUnit(value) {
    return Number.isInteger(value) && value >= 0 && value < UNIT;
}


/**
 * Events, each an RsEvent:
 *
 *   watchers  {id, name, role, watching}[]   who is here, after each change
 *   pointer   {id, name, x, y, down}|{id, x: null}   0 to 1 of the picture;
 *             null: it is nowhere any more
 *   problem   RsError
 */
export class RsHost extends EventTarget {
    #session;
    #stream;
    #Connection;
    #clock;
    #undo = [];
    #lines = new Map();     /* viewer -> its newest Line */
    #numbers = new Map();   /* viewer -> the highest number it used */
    #timer = null;
    #reported = null;
    #paused = false;
    #closed = false;

    /**
     * @param {{session: import("./rs-client.js").RsSession,
     *          stream: MediaStream,
     *          RTCPeerConnection?: typeof RTCPeerConnection,
     *          clock?: import("./rs-client.js").Clock}} o
     */
    constructor(o) {
        super();
        this.#session = o.session;
        this.#stream = o.stream;
        this.#Connection = o.RTCPeerConnection
                           ?? globalThis.RTCPeerConnection;
        this.#clock = o.clock ?? systemClock;

        this.#on("signal", (ev) => this.#onSignal(ev.detail));
        this.#on("peers", () => this.#onPeers());
        this.#on("ended", () => this.close());
        this.#on("closed", () => this.close());
        this.#check();
    }

    get paused() {
        return this.#paused;
    }

    /** Who else is here, and whether the picture goes there. */
    get watchers() {
        return [...this.#session.peers.values()]
            .filter((peer) => peer.role !== "host"
                              && peer.state !== "invited")
            .map(({id, name, role}) => ({
                id, name: name ?? "", role,
                watching: this.#lines.get(id)?.connected === true
                          || this.#lines.get(id)?.before?.connected === true,
            }));
    }

    /** A black picture until it goes on. */
    pause(paused) {
        this.#paused = paused;

        for (const track of this.#stream.getVideoTracks()) {
            track.enabled = !paused;
        }

        this.#helloAll();
    }

    /** Another screen or window from now on. */
    async setStream(stream) {
        const [track] = stream.getVideoTracks();

        this.#stream = stream;
        track.enabled = !this.#paused;

        for (const line of this.#lines.values()) {
            for (const sender of [line, line.before].flatMap(
                (one) => one?.senders ?? []))
            {
                await sender.replaceTrack(track);
            }
        }

        this.#helloAll();
    }

    close() {
        if (this.#closed) {
            return;
        }

        this.#closed = true;
        this.#clock.clearTimeout(this.#timer);

        for (const undo of this.#undo.splice(0)) {
            undo();
        }

        for (const id of [...this.#lines.keys()]) {
            this.#drop(id);
        }
    }

    #on(type, f) {
        this.#session.addEventListener(type, f);
        this.#undo.push(() => this.#session.removeEventListener(type, f));
    }

    #say(type, detail) {
        this.dispatchEvent(new RsEvent(type, detail));
    }

    #tell(viewer, data) {
        try {
            this.#session.send(data, viewer);

        } catch (e) {
            this.#say("problem", e);
        }
    }

    #refuse(viewer, pc, code, message) {
        this.#tell(viewer, {kind: "failed", pc, code, message});
    }

    /* who is here */

    #onPeers() {
        for (const id of [...this.#lines.keys()]) {
            if (!this.#session.peers.has(id)) {
                this.#drop(id);
            }
        }

        this.#say("watchers", this.watchers);
    }

    #drop(id) {
        const line = this.#lines.get(id);

        this.#lines.delete(id);
        this.#end(line?.before);
        this.#end(line);
        this.#say("pointer", {id, x: null});
        this.#say("watchers", this.watchers);
    }

    #end(line) {
        if (!line) {
            return;
        }

        line.pc.onicecandidate = null;
        line.pc.onconnectionstatechange = null;
        line.pc.ondatachannel = null;

        if (line.channel !== null) {
            line.channel.onmessage = null;
            line.channel.onopen = null;
        }

        line.connected = false;
        line.before = null;
        line.pc.close();
    }

    /* a line that fell silent, or never stood */
    #check() {
        const now = this.#clock.now();

        for (const [id, line] of this.#lines) {
            const limit = line.connected ? SILENCE_MS : CONNECT_MS;

            if (now - line.heard > limit
                && (line.channel !== null || !line.connected))
            {
                this.#refuse(id, line.n, "ice_failed",
                             "nothing was heard over the connection");
                this.#drop(id);

            } else if (line.connected) {
                this.#measure(line);
            }
        }

        this.#timer = this.#clock.setTimeout(() => this.#check(), CHECK_MS);
    }

    async #measure(line) {
        try {
            const path = pathOf((await line.pc.getStats()).values());

            if (path !== null && !this.#closed
                && !samePath(path, this.#reported)
                && this.#session.reportPath(path))
            {
                this.#reported = path;
            }

        } catch {
            /* closed meanwhile */
        }
    }

    /* what viewers say */

    #onSignal({from, data}) {
        const peer = this.#session.peers.get(from);

        if (this.#closed || peer === undefined || peer.role === "host"
            || data === null || typeof data !== "object"
            || !Number.isSafeInteger(data.pc))
        {
            return;
        }

        if (data.kind === "offer") {
            this.#onOffer(peer, data);

        } else if (data.kind === "candidate") {
            this.#onCandidate(this.#lines.get(from), data);
        }
    }

    async #onOffer(peer, {pc: n, sdp}) {
        const {id} = peer;

        if (n < 1 || n <= (this.#numbers.get(id) ?? 0)) {
            return;
        }

        this.#numbers.set(id, n);

        if (typeof sdp !== "string" || sdp.length > SDP_MAX) {
            this.#refuse(id, n, "bad_offer", "no description, or too long");
            return;
        }

        if (!this.#lines.has(id) && this.#lines.size >= VIEWERS_MAX) {
            this.#refuse(id, n, "busy", "too many are watching");
            return;
        }

        const line = this.#open(peer, n);

        try {
            await this.#answer(line, sdp);

        } catch (e) {
            if (this.#lines.get(id) === line) {
                this.#refuse(id, n, "bad_offer", String(e?.message ?? e));
                this.#drop(id);
            }
        }
    }

    /* at once, so that candidates that follow find it */
    #open(peer, n) {
        const ice = this.#session.ice;
        const pc = new this.#Connection({
            iceServers: ice?.iceServers ?? [],
            iceTransportPolicy: ice?.iceTransportPolicy ?? "all",
            bundlePolicy: "max-bundle",
        });
        const line = new Line(peer.id, n, pc, this.#clock.now());
        const before = this.#lines.get(peer.id) ?? null;

        if (before?.connected) {
            this.#end(before.before);
            line.before = before;

        } else {
            line.before = before?.before ?? null;

            if (before !== null) {
                before.before = null;
                this.#end(before);
            }
        }

        this.#lines.set(peer.id, line);

        pc.onicecandidate = ({candidate}) => {
            this.#tell(peer.id, {
                kind: "candidate", pc: n,
                candidate: candidate?.candidate ?? "",
                sdpMLineIndex: candidate?.sdpMLineIndex ?? 0,
                sdpMid: candidate?.sdpMid ?? ""});
        };
        pc.onconnectionstatechange = () => this.#onState(line);
        pc.ondatachannel = ({channel}) => this.#onChannel(line, channel);

        return line;
    }

    async #answer(line, sdp) {
        const {pc, viewer, n} = line;
        const fresh = await this.#session.freshIce();
        const current = () => this.#lines.get(viewer) === line;

        if (!current()) {
            return;
        }

        if (fresh !== null && fresh !== undefined) {
            pc.setConfiguration({
                iceServers: fresh.iceServers ?? [],
                iceTransportPolicy: fresh.iceTransportPolicy ?? "all",
                bundlePolicy: "max-bundle",
            });
        }

        await pc.setRemoteDescription({type: "offer", sdp});

        for (const track of this.#stream.getVideoTracks()) {
            line.senders.push(pc.addTrack(track, this.#stream));
        }

        const answer = await pc.createAnswer();

        if (!current()) {
            return;
        }

        /* the answer goes before the candidates it makes */
        this.#tell(viewer, {
            kind: "answer", pc: n, sdp: answer.sdp,
            operator: {verified: false,
                       reason: "it is a browser, which verifies nobody"}});
        await pc.setLocalDescription(answer);
        line.answered = true;

        for (const candidate of line.early.splice(0)) {
            this.#add(line, candidate);
        }
    }

    #onCandidate(line, data) {
        if (line === undefined || data.pc !== line.n
            || typeof data.candidate !== "string" || data.candidate === "")
        {
            return;
        }

        const candidate = {
            candidate: data.candidate,
            sdpMLineIndex: Number.isInteger(data.sdpMLineIndex)
                           ? data.sdpMLineIndex : 0,
        };

        if (line.answered) {
            this.#add(line, candidate);

        } else if (line.early.length < EARLY_MAX) {
            line.early.push(candidate);
        }
    }

    #add(line, candidate) {
        line.pc.addIceCandidate(candidate).catch(() => {
            /* one of many; a path is found without it or not at all */
        });
    }

    #onState(line) {
        const {viewer, n, pc} = line;

        if (this.#lines.get(viewer) !== line) {
            return;
        }

        if (pc.connectionState === "connected" && !line.connected) {
            line.connected = true;
            line.heard = this.#clock.now();
            this.#end(line.before);
            line.before = null;
            this.#say("watchers", this.watchers);

        } else if (pc.connectionState === "failed") {
            this.#refuse(viewer, n, "ice_failed",
                         "no path to the viewer was found, or it broke");
            this.#drop(viewer);
        }
    }

    /* rs-input; a browser has nothing to say over others */

    #onChannel(line, channel) {
        if (channel.label !== "rs-input" || line.channel !== null) {
            return;
        }

        line.channel = channel;
        channel.onopen = () => this.#hello(line);
        channel.onmessage = ({data}) => this.#onMessage(line, data);

        if (channel.readyState === "open") {
            this.#hello(line);
        }
    }

    #hello(line) {
        const {channel, viewer} = line;
        const [track] = this.#stream.getVideoTracks();
        const {width, height} = track?.getSettings() ?? {};
        const {role} = this.#session.peers.get(viewer) ?? {};

        if (channel?.readyState === "open") {
            channel.send(JSON.stringify({
                type: "hello", width: width ?? 0, height: height ?? 0,
                input: false,
                features: {pointer: role === "controller",
                           paused: this.#paused}}));
        }
    }

    #helloAll() {
        for (const line of this.#lines.values()) {
            this.#hello(line);
        }
    }

    #onMessage(line, text) {
        const {viewer} = line;

        if (this.#lines.get(viewer) !== line || typeof text !== "string"
            || text.length > TEXT_MAX)
        {
            return;
        }

        const m = parseObject(text);

        line.heard = this.#clock.now();

        if (m?.type === "ping" && Number.isSafeInteger(m.n)) {
            line.channel.send(JSON.stringify({type: "pong", n: m.n}));
            return;
        }

        const peer = this.#session.peers.get(viewer);

        if (peer?.role !== "controller") {
            return;
        }

        if ((m?.type === "move" || m?.type === "button")
            && isUnit(m.x) && isUnit(m.y))
        {
            this.#say("pointer", {
                id: viewer, name: peer.name ?? "", x: m.x / UNIT,
                y: m.y / UNIT,
                down: m.type === "button" && m.down === true});
        }

        if (m?.type === "release") {
            this.#say("pointer", {id: viewer, x: null});
        }
    }
}


/**
 * Asks the person here for a screen or a window.  Throws an RsError: she said
 * no, or this browser cannot.
 */
export async function chooseScreen(devices = navigator.mediaDevices) {
    if (typeof devices?.getDisplayMedia !== "function") {
        throw new RsError("no_screen", {
            detail: "this browser cannot share a screen"});
    }

    let stream;

    try {
        stream = await devices.getDisplayMedia({
            video: {frameRate: {max: 30}}, audio: false});

    } catch (e) {
        throw new RsError(e?.name === "NotAllowedError" ? "screen_denied"
                                                        : "no_screen",
                          {detail: String(e?.message ?? e)});
    }

    for (const track of stream.getVideoTracks()) {
        track.contentHint = "detail";
    }

    return stream;
}
