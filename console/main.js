
/*
 * Copyright (C) rs-gateway contributors
 *
 * The console's wiring: who signs in, what is polled, which session runs.
 * It owns the one account and the one session of the page; what is seen is
 * the views', what is said the client's.
 */

import { RsAccount } from "./rs-account.js";
import { RsApi, RsError, RsSession, resolveBase, socketUrl }
    from "./rs-client.js";
import { Pins, RsWho } from "./rs-identity.js";
import { RsPeer } from "./rs-peer.js";
import { RsInput } from "./rs-input.js";
import { RsSignIn, answerState, handOver, isRedirect, plainUrl }
    from "./rs-signin.js";
import { RsStage } from "./rs-stage.js";
import { RsStore } from "./rs-store.js";
import { RsTrust } from "./rs-trust.js";
import { RsView } from "./rs-view.js";


const POLL_MS = 4000;
const PAGE = 200;
const GUEST_TTL_S = 600;
const REJOINS_MAX = 3;
const POLL_WAIT_MAX_MS = 60000;
const TICKET = /^#join=([a-z0-9-]{1,32}\.[a-z2-7]{20,200})$/;
const GUEST = /^#guest=([A-Za-z0-9._~-]{20,300})$/;


const meta = document.querySelector('meta[name="rs-base"]');
const base = resolveBase(meta?.content || "../rs/v1", location.href);
const view = new RsView(document);
const stage = new RsStage(document);
const trust = new RsTrust(document);
const store = new RsStore("rs-console");
const pins = new Pins(store);

/* the place in a session is lost, the session need not be */
const LOST = new Set(["lost", "unauthenticated", "resume_too_old",
                      "not_found"]);

let signIn = null;          /* where the gateway names an issuer */
let account = new RsAccount({base});
let link = null;            /* a guest's, until it is used */
let run = null;             /* the session shown on the stage */
let poll = {timer: null, pages: 1, query: {}};


/* signing in and out */

/* what the gateway says of itself: without it there are API keys only */
async function findIssuer() {
    const {oidc} = await new RsApi({base}).features();

    if (typeof oidc?.issuer === "string"
        && typeof oidc.client_id === "string")
    {
        signIn = new RsSignIn(oidc, {store});
    }

    account = new RsAccount({base, signIn});
    account.addEventListener("token", (ev) => onToken(ev.detail));
    account.addEventListener("out", (ev) => onOut(ev.detail));
}


/* enter(): becomes somebody, or throws */
async function come(enter) {
    view.signInBusy(true);

    try {
        await enter();
        view.setAccount({name: account.name, tenants: account.tenants,
                         can: (verb) => account.can(verb)});

        showDevices();

    } catch (e) {
        view.signInError(e);

    } finally {
        view.signInBusy(false);
    }
}


async function chooseTenant(tenant) {
    stopPolling();
    view.setDevices([], false);

    try {
        await account.choose(tenant);
        showDevices();

    } catch (e) {
        view.devicesError(e);
    }
}


async function goToIssuer() {
    view.signInBusy(true);

    try {
        location.assign(await signIn.begin());

    } catch (e) {
        view.signInBusy(false);
        view.signInError(e);
    }
}


async function renew() {
    try {
        await account.renew();

    } catch (e) {
        view.renewError(e);
    }
}


function onToken({state, left_s}) {
    view.setToken(state === "new" ? null : left_s);

    if (state !== "new") {
        return;
    }

    if (run === null) {
        pollNow();

    } else if (run.peer?.state === "failed") {
        run.peer.restart();
    }
}


async function signOut() {
    const mine = run;

    stopPolling();

    if (mine !== null) {
        await drop();
    }

    const url = await account.signOut();

    if (url !== null) {
        location.assign(url);
    }
}


function onOut(error) {
    stopPolling();
    view.setToken(null);
    view.showSignIn(signIn !== null);

    if (error !== null) {
        view.signInError(error);
    }
}


/* the list of devices */

function showDevices() {
    stage.hide();
    view.showDevices();
    poll.pages = 1;
    pollNow();
}


function pollNow() {
    stopPolling();
    loadDevices(account.api, poll.timer = {});
}


function stopPolling() {
    clearTimeout(poll.timer?.id);
    poll.timer = null;
}


/* turn is this round's: whoever stops polling or starts anew replaces it */
async function loadDevices(from, turn) {
    let wait = POLL_MS;

    try {
        const items = [];
        let cursor = null;
        let pages = 0;

        do {
            const page = await from.devices({...poll.query, limit: PAGE,
                                             cursor});
            items.push(...page.items);
            cursor = page.next_cursor;
        } while (cursor !== null && ++pages < poll.pages);

        if (poll.timer === turn) {
            view.setDevices(items, cursor !== null);
        }

    } catch (e) {
        if (poll.timer !== turn) {
            return;
        }

        if (account.expired) {
            /* until it is renewed */
            view.devicesError(new RsError("token_expired"));
            return;
        }

        if (e.code === "unauthenticated") {
            /* revoked meanwhile */
            account.leave(e);
            return;
        }

        view.devicesError(e);

        /* as long as a busy gateway asks for, and not all pages at once */
        wait = Math.min(POLL_WAIT_MAX_MS,
                        Math.max(wait, (e.retry_after_s ?? 0) * 1000))
               + Math.random() * POLL_MS;
    }

    if (poll.timer === turn) {
        turn.id = setTimeout(() => loadDevices(from, turn), wait);
    }
}


/* a session */

/**
 * @param {{name: string, device_id?: string, ticket?: string, role?: string,
 *          relay_only?: boolean, reason?: string}} want
 */
function begin(want) {
    stopPolling();
    view.hide();

    const mine = {want, session: null, peer: null, input: null, id: null,
                  rejoins: 0};

    run = mine;
    want.role ??= account.can("sessions:control") ? "controller" : "viewer";
    run.input = new RsInput((message) => mine.peer?.send(message));
    stage.show({name: want.name, input: run.input, guest: !want.device_id,
                invite: Boolean(want.device_id)
                        && account.can("sessions:invite")});
    trust.begin({kind: !want.device_id ? "guest"
                       : account.oidc ? "oidc" : "key",
                 name: account.name});

    if (typeof RTCPeerConnection === "undefined") {
        stage.over(new RsError("no_webrtc"));
        return;
    }

    if (want.ticket) {
        join(mine, want.ticket);
        return;
    }

    ask(mine);
}


async function ask(mine) {
    const {device_id, role, relay_only, reason} = mine.want;
    const body = {
        host: {type: "device", device_id},
        policy: {relay_only: Boolean(relay_only)},
        participants: [{role}],
    };

    if (reason) {
        body.reason = reason;
    }

    try {
        const session = await account.api.createSession(body);

        if (run !== mine) {
            /* disconnected while asking */
            await account.api?.endSession(session.id);
            return;
        }

        mine.id = session.id;
        stage.setSession(session);
        join(mine, session.participants.find((p) => p.ticket).ticket);

    } catch (e) {
        if (run === mine) {
            stage.over(e);
        }
    }
}


function join(mine, ticket) {
    const session = new RsSession({url: socketUrl(base, "/signal"), ticket});

    mine.session = session;
    mine.tenant = ticket.slice(0, ticket.indexOf("."));

    const on = (type, f) => session.addEventListener(type, (ev) => {
        if (run === mine) {
            f(ev.detail);
        }
    });

    on("state", (state) => {
        if (state !== "open" && mine.peer?.detour) {
            mine.input.release();
        }

        stage.setSocket(state);
    });
    on("session", (s) => stage.setSession(s));
    on("peers", (peers) => stage.setPeople(peers, session.self, session.role));
    on("ended", ({reason}) => stage.ended(reason));
    on("closed", ({error}) => {
        if (error !== null && error.code !== "session_ended") {
            rejoin(mine, error);
        }
    });

    on("welcome", ({resumed}) => {
        if (!resumed) {
            watchPeer(mine, session);
        }
    });

    session.connect();
}


/* whoever made the session can make another place in it */
async function rejoin(mine, error) {
    if (mine.id === null || !LOST.has(error.code)
        || mine.rejoins === REJOINS_MAX)
    {
        stage.over(error);
        return;
    }

    mine.rejoins++;

    try {
        const {role} = mine.want;
        const made = await account.api.addParticipant(mine.id, {role});

        if (run === mine) {
            join(mine, made.ticket);
        }

    } catch {
        if (run === mine) {
            stage.over(error);      /* why it was lost says more */
        }
    }
}


function watchPeer(mine, session) {
    const device_id = mine.want.device_id ?? session.session.host?.device_id;
    const who = new RsWho({
        tenant: mine.tenant,
        session_id: session.session.id,
        device_id,
        participant_id: session.self,
        pins,
        operator: () => account.operator(),
        device: () => deviceRecord(device_id),
    });
    const peer = new RsPeer({session, who});

    mine.peer = peer;
    mine.device_id = device_id;

    const on = (type, f) => peer.addEventListener(type, (ev) => {
        if (run === mine) {
            f(ev.detail);
        }
    });

    on("state", (state) => {
        if (state !== "connected") {
            mine.input.release();
        }

        if (state === "failed") {
            trust.set({verdict: null, path: null});
        }

        stage.setPeer(state);
    });
    on("stream", (stream) => stage.setStream(stream));
    on("hello", (hello) => {
        stage.setControl(hello.input && session.role === "controller");
        trust.set({detour: peer.detour});
    });
    on("verified", (verdict) => trust.set({verdict}));
    on("path", (path) => {
        stage.setPath(path);
        trust.set({path});
    });
    on("video", (video) => stage.setVideo(video));
    on("problem", (error) => stage.problem(error));

    stage.setPeer(peer.state);
}


/* as the gateway has it; what it does not say proves nothing */
async function deviceRecord(id) {
    try {
        return account.api === null ? null
                                    : (await account.api.device(id)).data;

    } catch {
        return null;
    }
}


/* the session of whoever made it ends when they leave */
async function drop() {
    const mine = run;

    run = null;
    mine.input.release();
    mine.peer?.close();
    mine.session?.bye("done");
    trust.end();

    if (mine.id !== null) {
        try {
            await account.api?.endSession(mine.id);

        } catch (e) {
            view.devicesError(e);
        }
    }
}


function leave() {
    if (run !== null) {
        drop();
    }

    if (account.api !== null) {
        showDevices();
        return;
    }

    stage.guestOver();
}


/* six digits, each as likely as another */
function newPin() {
    const [n] = crypto.getRandomValues(new Uint32Array(1));

    return n < 4294000000 ? String(n % 1000000).padStart(6, "0") : newPin();
}


async function invite(want) {
    const body = {link: true, role: want.role, ttl_s: GUEST_TTL_S};

    if (want.pin) {
        body.pin = newPin();
    }

    try {
        const made = await account.api.addParticipant(run.id, body);

        stage.inviteMade(made.join_url, body.pin ?? null);

    } catch (e) {
        stage.inviteError(e);
    }
}


/* by the user's explicit act only */
async function unpin() {
    const mine = run;

    try {
        await pins.reset(mine.device_id);

        if (run === mine) {
            mine.peer.restart();
        }

    } catch (e) {
        stage.problem(e);
    }
}


/* guests */

async function joinAsGuest({name, pin}) {
    const body = {link};

    if (name !== "") {
        body.name = name;
    }

    if (pin !== "") {
        body.pin = pin;
    }

    view.guestBusy(true);

    try {
        const {ticket} = await new RsApi({base}).join(body);

        link = null;
        begin({name: "Remote computer", ticket});

    } catch (e) {
        view.guestError(e);

    } finally {
        view.guestBusy(false);
    }
}


/* wiring */

view.addEventListener("signin",
                      (ev) => come(() => account.withKey(ev.detail)));
view.addEventListener("oidc", goToIssuer);
view.addEventListener("renew", renew);
view.addEventListener("signout", signOut);
view.addEventListener("guest", (ev) => joinAsGuest(ev.detail));
view.addEventListener("tenant", (ev) => chooseTenant(ev.detail));
view.addEventListener("connect", (ev) => begin(ev.detail));
view.addEventListener("more", () => {
    poll.pages++;
    pollNow();
});
view.addEventListener("filter", (ev) => {
    poll.query = ev.detail;
    pollNow();
});

stage.addEventListener("leave", leave);
stage.addEventListener("invite", (ev) => invite(ev.detail));
stage.addEventListener("compare", (ev) => trust.compare(ev.detail));
trust.addEventListener("unpin", unpin);
stage.addEventListener("retry", () => {
    const {want, session, peer} = run;

    if (session?.state === "open") {
        peer.restart();
        return;
    }

    drop();
    begin(want);
});

addEventListener("online", () => {
    run?.session?.nudge();
    run?.peer?.restart();
});

addEventListener("pagehide", () => {
    run?.input.release();
    run?.session?.bye("done");
});

addEventListener("hashchange", start);


/* what the page was opened for; no secret stays in the address */
async function start() {
    const {hash, href} = location;
    const state = answerState(href);

    if (hash !== "" || state !== null) {
        history.replaceState(null, "", plainUrl(href));
    }

    if (state !== null && !isRedirect(state, sessionStorage)) {
        view.showHanded(false);
        handOver(href, () => {
            view.showHanded(true);
            window.close();
        });
        return;
    }

    if (run !== null) {
        return;
    }

    const ticket = TICKET.exec(hash)?.[1];

    if (ticket) {
        begin({name: "Remote computer", ticket});
        return;
    }

    link = GUEST.exec(hash)?.[1] ?? null;

    if (link !== null) {
        view.showGuest();
        return;
    }

    if (account.api === null) {
        await open(state === null ? null : href);
    }
}


/* answer: the address an issuer sent back to */
async function open(answer) {
    let failure = null;

    try {
        await findIssuer();

    } catch (e) {
        failure = e;
    }

    if (run !== null) {
        return;
    }

    view.showSignIn(signIn !== null);

    if (failure !== null) {
        view.signInError(failure);

    } else if (answer !== null && signIn !== null) {
        await come(async () => account.withToken(
            await signIn.complete(answer)));
    }
}


start();
