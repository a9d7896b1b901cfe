
/*
 * Copyright (C) rs-gateway contributors
 *
 * The session view's wiring: it owns the one session of the page, from the
 * wish to connect to the last word, and is what features build on.
 *
 * A feature is told by events, each with the run as its detail: begin (a
 * session is to be), made (by this page, under run.id), peer (run.peer and
 * run.session are there, channels may be asked for), hello (run.hello: what
 * the device allows; again on each new line), end.  A run has want, session,
 * peer, input, id (null: somebody else made the session), hello.  page.stage
 * has addButton and addPanel.
 *
 * offline: the device is, which is why there is no session; its record.
 *
 * The page itself says: left (the user wants the devices back), failed error
 * (the end could not be told to the gateway).
 */

import { RsError, RsEvent, RsSession, socketUrl } from "../rs-client.js";
import { RsNobody, RsWho } from "../rs-identity.js";
import { RsInput } from "../rs-input.js";
import { RsPeer } from "../rs-peer.js";


const GUEST_TTL_S = 600;
const REJOINS_MAX = 3;

/* the place in a session is lost, the session need not be */
const LOST = new Set(["lost", "unauthenticated", "resume_too_old",
                      "not_found"]);


/* six digits, each as likely as another */
function newPin() {
    const [n] = crypto.getRandomValues(new Uint32Array(1));

    return n < 4294000000 ? String(n % 1000000).padStart(6, "0") : newPin();
}


/* read at once: the address is cleaned before there is a session */
const asked = new URLSearchParams(location.search).get("carrier");


/* what the address asks for (?carrier=pipe, webrtc), or this browser leaves;
 * null: it can do neither */
function carrierOf() {
    const pipe = typeof VideoDecoder !== "undefined";

    if (typeof RTCPeerConnection === "undefined") {
        return pipe ? "pipe" : null;
    }

    return asked === "webrtc" || (asked === "pipe" && pipe) ? asked : "auto";
}


/* what the session is to show */
function hostOf({device_id, help, render}) {
    return help ? {type: "browser"}
           : render ? {type: "render", ...render}
           : {type: "device", device_id};
}


export class SessionPage extends EventTarget {
    #app;
    #trust;
    #run = null;            /* the session shown on the stage */

    /** @type {import("../rs-files.js").RsFiles|null}  of the session of now,
     *  for features that send some: rs-files-view.js has it */
    files = null;

    /**
     * @param {{app: {base: string, account: any, pins: any},
     *          stage: import("../rs-stage.js").RsStage,
     *          trust: import("../rs-trust.js").RsTrust}} o
     */
    constructor({app, stage, trust}) {
        super();
        this.#app = app;
        this.#trust = trust;
        this.stage = stage;

        stage.addEventListener("leave", () => this.leave());
        stage.addEventListener("retry", () => this.#retry());
        stage.addEventListener("invite", (ev) => this.#invite(ev.detail));
        stage.addEventListener("compare", (ev) => trust.compare(ev.detail));
        trust.addEventListener("unpin", () => this.#unpin());

        addEventListener("online", () => {
            this.#run?.session?.nudge();
            this.#run?.peer?.restart();
        });

        addEventListener("pagehide", () => {
            this.#run?.input.release();
            this.#run?.session?.bye("done");
        });
    }

    /** The session of now, null: none. */
    get run() {
        return this.#run;
    }

    /** What features need of the page: base, account. */
    get app() {
        return this.#app;
    }

    #say(type, detail) {
        this.dispatchEvent(new RsEvent(type, detail));
    }

    /**
     * @param {{name: string, device_id?: string, help?: boolean,
     *          render?: {url?: string, width?: number, height?: number},
     *          ticket?: string, role?: string, relay_only?: boolean,
     *          policy?: object, reason?: string, guest?: string}} want
     *     one of device_id, help, render, ticket; guest: of what role a link
     *     is to be made at once
     */
    begin(want) {
        const {account} = this.#app;
        const mine = {want, session: null, peer: null, input: null, id: null,
                      hello: null, rejoins: 0, had: false};

        this.#run = mine;
        want.role ??= account.can("sessions:control") ? "controller"
                                                      : "viewer";
        mine.input = new RsInput((message) => mine.peer?.send(message));

        const own = want.ticket === undefined;

        this.stage.show({name: want.name, input: mine.input, guest: !own,
                         help: Boolean(want.help),
                         invite: own
                                 && account.can("sessions:invite")});
        this.#trust.begin({kind: !own ? "guest"
                                 : account.oidc ? "oidc" : "key",
                           name: account.name});
        this.#say("begin", mine);

        if (carrierOf() === null) {
            this.stage.over(new RsError("no_webrtc"));
            return;
        }

        if (want.ticket) {
            this.#join(mine, want.ticket);
            return;
        }

        this.#ask(mine);
    }

    async #ask(mine) {
        const {role, relay_only, policy, reason} = mine.want;
        const body = {
            host: hostOf(mine.want),
            policy: {relay_only: Boolean(relay_only), ...policy},
            participants: [{role}],
        };

        if (reason) {
            body.reason = reason;
        }

        try {
            const session = await this.#app.account.api.createSession(body);

            if (this.#run !== mine) {
                /* disconnected while asking */
                await this.#app.account.api?.endSession(session.id);
                return;
            }

            mine.id = session.id;
            this.stage.setSession(session);
            this.#join(mine,
                       session.participants.find((p) => p.ticket).ticket);
            this.#say("made", mine);

            if (mine.want.guest) {
                this.stage.inviteNow(mine.want.guest);
            }

        } catch (e) {
            if (this.#run === mine) {
                this.stage.over(mine.want.render
                                && e.code === "device_offline"
                                ? new RsError("no_renderer") : e);
                this.#offline(mine, e);
            }
        }
    }

    /* since when, as the gateway knows it */
    async #offline(mine, error) {
        const device = error.code === "device_offline"
                       && mine.want.device_id !== undefined
                       ? await this.#deviceRecord(mine.want.device_id) : null;

        if (this.#run === mine && device?.online === false) {
            this.#say("offline", device);
        }
    }

    #join(mine, ticket) {
        const session = new RsSession({
            url: socketUrl(this.#app.base, "/signal"), ticket});

        mine.session = session;
        mine.tenant = ticket.slice(0, ticket.indexOf("."));

        const on = (type, f) => session.addEventListener(type, (ev) => {
            if (this.#run === mine) {
                f(ev.detail);
            }
        });

        on("state", (state) => {
            if (state !== "open" && mine.peer?.detour) {
                mine.input.release();
            }

            this.stage.setSocket(state);
        });
        on("session", (s) => this.stage.setSession(s));
        on("peers", (peers) => this.stage.setPeople(peers, session.self,
                                                    session.role));
        on("control", () => this.#hands(mine));
        on("closed", () => {
            /* another place in it has what this one had */
            mine.had = session.controls && session.control !== null;
        });
        on("ended", ({reason}) => this.stage.ended(reason));
        on("closed", ({error}) => {
            if (error !== null && error.code !== "session_ended") {
                this.#rejoin(mine, error);
            }
        });

        on("welcome", ({resumed}) => {
            if (!resumed) {
                if (mine.had && session.moderator) {
                    session.askControl("take");
                }

                this.#watchPeer(mine, session);
            }
        });

        session.connect();
    }

    /* the device takes input, and from this page */
    #hands(mine) {
        const has = Boolean(mine.hello?.input) && mine.session.controls;

        if (!has) {
            mine.input.release();
        }

        this.stage.setControl(has);
    }

    /* whoever made the session can make another place in it */
    async #rejoin(mine, error) {
        if (mine.id === null || !LOST.has(error.code)
            || mine.rejoins === REJOINS_MAX)
        {
            this.stage.over(error);
            return;
        }

        mine.rejoins++;

        try {
            const {role} = mine.want;
            const made = await this.#app.account.api.addParticipant(mine.id,
                                                                    {role});

            if (this.#run === mine) {
                this.#join(mine, made.ticket);
            }

        } catch {
            if (this.#run === mine) {
                this.stage.over(error);     /* why it was lost says more */
            }
        }
    }

    #watchPeer(mine, session) {
        const device_id = () => mine.want.device_id
                                ?? session.session.host?.device_id;
        const browser = mine.want.help
                        || (!mine.want.device_id
                            && session.session.host?.type === "browser");
        const who = browser ? new RsNobody() : new RsWho({
            tenant: mine.tenant,
            session_id: session.session.id,
            device_id,
            participant_id: session.self,
            pins: this.#app.pins,
            operator: () => this.#app.account.operator(),
            device: () => this.#deviceRecord(device_id()),
        });
        const peer = new RsPeer({session, who, carrier: carrierOf()});

        mine.peer = peer;
        mine.deviceId = device_id;

        const on = (type, f) => peer.addEventListener(type, (ev) => {
            if (this.#run === mine) {
                f(ev.detail);
            }
        });

        on("state", (state) => {
            if (state !== "connected") {
                mine.input.release();
            }

            if (state === "failed") {
                this.#trust.set({verdict: null, path: null});
            }

            this.stage.setPeer(state);
        });
        on("stream", (stream) => this.stage.setStream(stream));
        on("hello", (hello) => {
            this.#trust.set({detour: peer.detour});
            mine.hello = hello;
            this.#hands(mine);
            this.#say("hello", mine);
        });
        on("verified", (verdict) => this.#trust.set({verdict}));
        on("path", (path) => {
            this.stage.setPath(path);
            this.#trust.set({path});
        });
        on("video", (video) => this.stage.setVideo(video));
        on("problem", (error) => this.stage.problem(error));

        this.#say("peer", mine);
        this.stage.setPeer(peer.state);
    }

    /* as the gateway has it; what it does not say proves nothing */
    async #deviceRecord(id) {
        const {api} = this.#app.account;

        try {
            return api === null ? null : (await api.device(id)).data;

        } catch {
            return null;
        }
    }

    /** The session of whoever made it ends when they leave. */
    async drop() {
        const mine = this.#run;

        this.#run = null;
        mine.input.release();
        mine.peer?.close();
        mine.session?.bye("done");
        this.#trust.end();
        this.#say("end", mine);

        if (mine.id !== null) {
            try {
                await this.#app.account.api?.endSession(mine.id);

            } catch (e) {
                this.#say("failed", e);
            }
        }
    }

    leave() {
        if (this.#run !== null) {
            this.drop();
        }

        if (this.#app.account.api !== null) {
            this.stage.hide();
            this.#say("left");
            return;
        }

        this.stage.guestOver();
    }

    #retry() {
        const {want, session, peer} = this.#run;

        if (session?.state === "open") {
            peer.restart();
            return;
        }

        this.drop();
        this.begin(want);
    }

    async #invite(want) {
        const body = {link: true, role: want.role, ttl_s: GUEST_TTL_S};

        if (want.pin) {
            body.pin = newPin();
        }

        try {
            const made = await this.#app.account.api.addParticipant(
                this.#run.id, body);

            this.stage.inviteMade(made.join_url, body.pin ?? null);

        } catch (e) {
            this.stage.inviteError(e);
        }
    }

    /* by the user's explicit act only */
    async #unpin() {
        const mine = this.#run;

        try {
            await this.#app.pins.reset(mine.deviceId());

            if (this.#run === mine) {
                mine.peer.restart();
            }

        } catch (e) {
            this.stage.problem(e);
        }
    }
}
