
/*
 * Copyright (C) rs-gateway contributors
 *
 * The console's wiring: who signs in, what is polled, which session runs.
 * It owns the API key, in memory and nowhere else, and the one session of
 * the page; what is seen is the views', what is said the client's.
 */

import { RsApi, RsError, RsSession, resolveBase, socketUrl }
    from "./rs-client.js";
import { Pins, RsWho } from "./rs-identity.js";
import { RsPeer } from "./rs-peer.js";
import { RsInput } from "./rs-input.js";
import { RsView } from "./rs-view.js";
import { RsStage } from "./rs-stage.js";
import { RsStore } from "./rs-store.js";


const POLL_MS = 4000;
const PAGE = 200;
const GUEST_TTL_S = 600;
const REJOINS_MAX = 3;
const POLL_WAIT_MAX_MS = 60000;
const TICKET = /^#join=([a-z0-9-]{1,32}\.[a-z2-7]{20,200})$/;


const meta = document.querySelector('meta[name="rs-base"]');
const base = resolveBase(meta?.content || "../rs/v1", location.href);
const view = new RsView(document);
const stage = new RsStage(document);
const store = new RsStore("rs-console");
const pins = new Pins(store);

/* the place in a session is lost, the session need not be */
const LOST = new Set(["lost", "unauthenticated", "resume_too_old",
                      "not_found"]);

let api = null;
let run = null;             /* the session shown on the stage */
let poll = {timer: null, pages: 1, query: {}};


/* signing in and out */

async function signIn(key) {
    const candidate = new RsApi({base, key});

    view.signInBusy(true);

    try {
        await candidate.devices({limit: 1});
        api = candidate;
        showDevices();

    } catch (e) {
        view.signInError(e);

    } finally {
        view.signInBusy(false);
    }
}


function signOut() {
    stopPolling();
    api = null;
    view.showSignIn();
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
    loadDevices(api, poll.timer = {});
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

        if (e.code === "unauthenticated") {
            /* revoked meanwhile */
            signOut();
            view.signInError(e);
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
    run.input = new RsInput((message) => mine.peer?.send(message));
    stage.show({name: want.name, input: run.input, guest: !want.device_id,
                invite: Boolean(want.device_id)});

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
        participants: [{role: role ?? "controller"}],
    };

    if (reason) {
        body.reason = reason;
    }

    try {
        const session = await api.createSession(body);

        if (run !== mine) {
            /* disconnected while asking */
            await api?.endSession(session.id);
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
        const role = mine.want.role ?? "controller";
        const made = await api.addParticipant(mine.id, {role});

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
        device: () => deviceRecord(device_id),
    });
    const peer = new RsPeer({session, who});

    mine.peer = peer;

    const on = (type, f) => peer.addEventListener(type, (ev) => {
        if (run === mine) {
            f(ev.detail);
        }
    });

    on("state", (state) => {
        if (state !== "connected") {
            mine.input.release();
        }

        stage.setPeer(state);
    });
    on("stream", (stream) => stage.setStream(stream));
    on("hello", (hello) => stage.setControl(hello.input
                                            && session.role === "controller"));
    on("path", (path) => stage.setPath(path));
    on("video", (video) => stage.setVideo(video));
    on("problem", (error) => stage.problem(error));

    stage.setPeer(peer.state);
}


/* as the gateway has it; what it does not say proves nothing */
async function deviceRecord(id) {
    try {
        return api === null ? null : (await api.device(id)).data;

    } catch {
        return null;
    }
}


/* the session of whoever made it ends when they leave */
function drop() {
    const mine = run;

    run = null;
    mine.input.release();
    mine.peer?.close();
    mine.session?.bye("done");

    if (mine.id !== null) {
        api?.endSession(mine.id).catch((e) => view.devicesError(e));
    }
}


function leave() {
    if (run !== null) {
        drop();
    }

    if (api !== null) {
        showDevices();
        return;
    }

    stage.guestOver();
}


async function invite(role) {
    try {
        const made = await api.addParticipant(run.id, {role,
                                                       ttl_s: GUEST_TTL_S});
        stage.inviteMade(made.join_url);

    } catch (e) {
        stage.inviteError(e);
    }
}


/* wiring */

view.addEventListener("signin", (ev) => signIn(ev.detail));
view.addEventListener("signout", signOut);
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


/* a guest's link joins at once; its secret does not stay in the address */
function start() {
    const ticket = TICKET.exec(location.hash)?.[1];

    if (location.hash !== "") {
        history.replaceState(null, "", location.pathname + location.search);
    }

    if (ticket && run === null) {
        begin({name: "Remote computer", ticket});
        return;
    }

    if (run === null && api === null) {
        view.showSignIn();
    }
}


start();
