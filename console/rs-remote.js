
/*
 * Copyright (C) rs-gateway contributors
 *
 * A remote screen for somebody else's page: joins a session, reaches its
 * device, and keeps both through whatever happens to the network.  What the
 * console is built of (RsSession, RsPeer, RsWho, RsInput, RsClipboard, RsChat)
 * put together in the usual way.  No DOM: the page shows the stream, and
 * hands its events to `input`.
 *
 * docs/operating/client.md says how; rs-client.d.ts has the types.
 */

import { RsApi, RsError, RsEvent, RsSession, recordingOf, resolveBase,
         socketUrl } from "./rs-client.js";
import { RsChat } from "./rs-chat.js";
import { RsClipboard } from "./rs-clipboard.js";
import { Pins, RsNobody, RsWho } from "./rs-identity.js";
import { RsInput } from "./rs-input.js";
import { RsPage } from "./rs-page.js";
import { RsPeer } from "./rs-peer.js";
import { RsTyper } from "./rs-typer.js";


const TICKET = /^[a-z0-9-]{1,32}\.[a-z2-7]{20,200}$/;


/** Keys of devices for as long as the page lives: a store of Pins. */
class Memory {
    #values = new Map();

    async get(name) {
        return this.#values.get(name);
    }

    async add(name, value) {
        if (!this.#values.has(name)) {
            this.#values.set(name, value);
        }

        return this.#values.get(name);
    }

    async put(name, value) {
        this.#values.set(name, value);
    }

    async delete(name) {
        this.#values.delete(name);
    }

    async entries(prefix) {
        return [...this.#values].filter(([name]) => name.startsWith(prefix));
    }
}


/* one for the page: a second session knows the device of the first */
const memory = new Memory();


export class RsRemote extends EventTarget {
    #o;
    #base;
    #api;
    #made = null;           /* id of a session of our own */
    #tenant = "";
    #left = false;
    #queue = null;

    state = "joining";
    session = null;
    peer = null;
    clipboard = null;
    chat = null;
    page = null;
    stream = null;
    control = false;
    recording = "off";

    /** Use connect(). */
    constructor(o) {
        super();
        this.#o = o;
        this.#base = resolveBase(o.base, globalThis.location?.href
                                         ?? "https://invalid/");
        this.#api = new RsApi({base: this.#base, key: o.key ?? null,
                               ...(o.fetch ? {fetch: o.fetch} : {})});
        this.input = new RsInput((message) => this.control
                                              && this.peer.send(message));
        this.typer = new RsTyper(this.input, o.clock);
        this.#begin();
    }

    get features() {
        return this.peer?.features ?? {};
    }

    channel(label) {
        if (this.peer === null) {
            throw new RsError("conflict", {
                detail: "there are channels from the event \"joined\" on"});
        }

        return this.peer.channel(label);
    }

    askControl(op = "request", to = undefined) {
        return this.session?.askControl(op, to) ?? false;
    }

    restart() {
        this.session?.nudge();
        this.peer?.restart();
    }

    /** Resolves when the gateway was told. */
    async leave() {
        if (this.#left) {
            return;
        }

        this.#left = true;
        this.typer.stop();
        this.input.release();
        this.peer?.close();
        this.session?.bye("done");
        this.#closed({reason: "left", error: null});

        if (this.#made !== null) {
            await this.#api.endSession(this.#made);
        }
    }

    #say(type, detail) {
        this.dispatchEvent(new RsEvent(type, detail));
    }

    #setState(state) {
        if (this.state !== state && this.state !== "closed") {
            this.state = state;
            this.#say("state", state);
        }
    }

    #closed(how) {
        if (this.state !== "closed") {
            this.clipboard?.close();
            this.chat?.close();
            this.page?.close();
            this.#setControl();
            this.#setState("closed");
            this.#say("closed", how);
        }
    }

    #setControl() {
        const control = !this.#left && this.peer?.ready === true
                        && this.session.controls;

        if (control !== this.control) {
            if (!control) {
                this.input.release();
            }

            this.control = control;
            this.#say("control", control);
        }
    }

    /* what everybody must be able to see, and a place in line */
    #setSession(session) {
        const recording = recordingOf(session);
        const queue = Number.isInteger(session.queue) ? session.queue : null;

        if (recording !== this.recording) {
            this.recording = recording;
            this.#say("recording", recording);
        }

        if (queue !== this.#queue) {
            this.#queue = queue;
            this.#say("queue", queue);
        }
    }

    async #begin() {
        try {
            const ticket = await this.#ticket();

            if (!this.#left) {
                this.#join(ticket);
                return;
            }

            if (this.#made !== null) {
                await this.#api.endSession(this.#made);
            }

        } catch (e) {
            this.#closed({reason: "error",
                          error: e instanceof RsError ? e : new RsError(
                              "bad_request", {detail: String(e)})});
        }
    }

    /* a ticket as it is, a guest's link, or a session of our own */
    async #ticket() {
        const {ticket, link, pin, name, device_id, role} = this.#o;

        if (ticket !== undefined) {
            return ticket;
        }

        if (link !== undefined) {
            const text = link.slice(link.indexOf("#") + 1);
            const [, kind, value] = /^(?:(join|guest)=)?(.*)$/.exec(text);

            if (kind !== "guest" && TICKET.test(value)) {
                return value;
            }

            const joined = await this.#api.join({
                link: value, ...(pin ? {pin} : {}), ...(name ? {name} : {})});

            return joined.ticket;
        }

        if (device_id === undefined) {
            throw new RsError("bad_request", {
                detail: "connect() wants a ticket, a link, or key and "
                        + "device_id"});
        }

        const session = await this.#api.createSession({
            host: {type: "device", device_id},
            participants: [{role: role ?? "controller"}]});

        this.#made = session.id;

        return session.participants.find((p) => p.ticket).ticket;
    }

    #join(ticket) {
        const {WebSocket, clock} = this.#o;
        const session = new RsSession({
            url: socketUrl(this.#base, "/signal"), ticket,
            ...(WebSocket ? {WebSocket} : {}), ...(clock ? {clock} : {})});
        const on = (type, f) => session.addEventListener(
            type, (ev) => f(ev.detail));

        this.#tenant = ticket.slice(0, ticket.indexOf("."));
        this.session = session;

        on("welcome", ({resumed}) => {
            if (!resumed) {
                this.#watch();
            }
        });
        on("state", () => this.#setControl());
        on("control", () => this.#setControl());
        on("session", (s) => this.#setSession(s));
        on("peers", (peers) => this.#say("people", peers));
        on("ended", ({reason}) => this.#closed({reason, error: null}));
        on("closed", ({error}) => this.#closed({
            reason: error === null ? "left" : "error", error}));

        session.connect();
    }

    #watch() {
        const {session} = this;
        const {carrier, clock, operator, pins, RTCPeerConnection} = this.#o;
        const device_id = () => this.#o.device_id
                                ?? session.session.host?.device_id;
        const browser = this.#o.device_id === undefined
                        && session.session.host?.type === "browser";
        const who = browser ? new RsNobody() : new RsWho({
            tenant: this.#tenant, session_id: session.session.id, device_id,
            participant_id: session.self,
            pins: pins ?? new Pins(memory),
            ...(operator ? {operator} : {})});
        const peer = new RsPeer({
            session, who, ...(clock ? {clock} : {}),
            ...(carrier ? {carrier} : {}),
            ...(RTCPeerConnection ? {RTCPeerConnection} : {})});
        const on = (type, f) => peer.addEventListener(type,
                                                      (ev) => f(ev.detail));

        this.peer = peer;
        this.clipboard = new RsClipboard(peer.channel("rs-clipboard"),
                                         {clock});
        this.chat = new RsChat(peer.channel("rs-chat"), {clock});

        if (session.session.host?.type === "render") {
            this.page = new RsPage(peer.channel("rs-page"), {
                detour: (message) => peer.detour && peer.send(message)});
        }

        on("state", (state) => {
            this.#setControl();

            if (state !== "closed") {
                this.#setState(state);
            }
        });
        on("stream", (stream) => {
            this.stream = stream;
            this.#say("stream", stream);
        });
        on("hello", () => {
            this.#setControl();
            this.#say("features", peer.features);
        });

        for (const type of ["verified", "path", "video", "told", "problem"]) {
            on(type, (detail) => this.#say(type, detail));
        }

        this.#say("joined", this);
        this.#setState(peer.state);
    }
}


/**
 * Joins a session and reaches its device.  Nothing is thrown: what fails ends
 * in the event "closed".
 *
 * @param {import("./rs-client.js").ConnectOptions} options
 * @returns {RsRemote}
 */
export function connect(options) {
    return new RsRemote(options);
}
