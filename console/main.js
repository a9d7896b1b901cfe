
/*
 * Copyright (C) rs-gateway contributors
 *
 * The console's wiring: who signs in, what is polled, which page is shown.
 * It owns the one account; the one session is the session page's, what is
 * seen the pages'.
 */

import { RsAccount } from "./rs-account.js";
import { FEATURES } from "./features.js";
import { DevicesPage } from "./pages/devices.js";
import { SessionPage } from "./pages/session.js";
import { SignInPage } from "./pages/signin.js";
import { RsApi, RsError, resolveBase } from "./rs-client.js";
import { Pins } from "./rs-identity.js";
import { RsShell } from "./rs-shell.js";
import { RsSignIn, answerState, handOver, isRedirect, plainUrl }
    from "./rs-signin.js";
import { RsStage } from "./rs-stage.js";
import { RsStore } from "./rs-store.js";
import { RsTrust } from "./rs-trust.js";


const POLL_MS = 4000;
const PAGE = 200;
const POLL_WAIT_MAX_MS = 60000;
const TICKET = /^#join=([a-z0-9-]{1,32}\.[a-z2-7]{20,200})$/;
const GUEST = /^#guest=([A-Za-z0-9._~-]{20,300})$/;


const meta = document.querySelector('meta[name="rs-base"]');
const base = resolveBase(meta?.content || "../rs/v1", location.href);
const store = new RsStore("rs-console");

/* what the pages share */
const app = {base, pins: new Pins(store), account: new RsAccount({base})};

const shell = new RsShell(document);
const front = new SignInPage(document, shell);
const devices = new DevicesPage(document, {
    shell, can: (verb) => app.account.can(verb)});
const session = new SessionPage({app, stage: new RsStage(document),
                                 trust: new RsTrust(document)});

for (const install of FEATURES) {
    install(session);
}

let signIn = null;          /* where the gateway names an issuer */
let link = null;            /* a guest's, until it is used */
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

    app.account = new RsAccount({base, signIn});
    app.account.addEventListener("token", (ev) => onToken(ev.detail));
    app.account.addEventListener("out", (ev) => onOut(ev.detail));
}


/* enter(): becomes somebody, or throws */
async function come(enter) {
    front.signInBusy(true);

    try {
        await enter();
        front.forget();
        shell.setAccount({name: app.account.name,
                          tenants: app.account.tenants});

        showDevices();

    } catch (e) {
        front.signInError(e);

    } finally {
        front.signInBusy(false);
    }
}


async function chooseTenant(tenant) {
    stopPolling();
    devices.setDevices([], false);

    try {
        await app.account.choose(tenant);
        showDevices();

    } catch (e) {
        devices.devicesError(e);
    }
}


async function goToIssuer() {
    front.signInBusy(true);

    try {
        location.assign(await signIn.begin());

    } catch (e) {
        front.signInBusy(false);
        front.signInError(e);
    }
}


async function renew() {
    try {
        await app.account.renew();

    } catch (e) {
        shell.renewError(e);
    }
}


function onToken({state, left_s}) {
    shell.setToken(state === "new" ? null : left_s);

    if (state !== "new") {
        return;
    }

    if (session.run === null) {
        pollNow();

    } else if (session.run.peer?.state === "failed") {
        session.run.peer.restart();
    }
}


async function signOut() {
    stopPolling();

    if (session.run !== null) {
        await session.drop();
    }

    const url = await app.account.signOut();

    if (url !== null) {
        location.assign(url);
    }
}


function onOut(error) {
    stopPolling();
    shell.setToken(null);
    devices.forget();
    front.showSignIn(signIn !== null);

    if (error !== null) {
        front.signInError(error);
    }
}


/* the list of devices */

function showDevices() {
    devices.show();
    poll.pages = 1;
    pollNow();
}


function pollNow() {
    stopPolling();
    loadDevices(app.account.api, poll.timer = {});
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
            devices.setDevices(items, cursor !== null);
        }

    } catch (e) {
        if (poll.timer !== turn) {
            return;
        }

        if (app.account.expired) {
            /* until it is renewed */
            devices.devicesError(new RsError("token_expired"));
            return;
        }

        if (e.code === "unauthenticated") {
            /* revoked meanwhile */
            app.account.leave(e);
            return;
        }

        devices.devicesError(e);

        /* as long as a busy gateway asks for, and not all pages at once */
        wait = Math.min(POLL_WAIT_MAX_MS,
                        Math.max(wait, (e.retry_after_s ?? 0) * 1000))
               + Math.random() * POLL_MS;
    }

    if (poll.timer === turn) {
        turn.id = setTimeout(() => loadDevices(from, turn), wait);
    }
}


/* a session takes the window */
function begin(want) {
    stopPolling();
    devices.hide();
    shell.show("stage");
    session.begin(want);
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

    front.guestBusy(true);

    try {
        const {ticket} = await new RsApi({base}).join(body);

        link = null;
        begin({name: "Remote computer", ticket});

    } catch (e) {
        front.guestError(e);

    } finally {
        front.guestBusy(false);
    }
}


/* wiring */

front.addEventListener("signin",
                       (ev) => come(() => app.account.withKey(ev.detail)));
front.addEventListener("oidc", goToIssuer);
front.addEventListener("guest", (ev) => joinAsGuest(ev.detail));

shell.addEventListener("renew", renew);
shell.addEventListener("signout", signOut);
shell.addEventListener("tenant", (ev) => chooseTenant(ev.detail));

devices.addEventListener("connect", (ev) => begin(ev.detail));
devices.addEventListener("more", () => {
    poll.pages++;
    pollNow();
});
devices.addEventListener("filter", (ev) => {
    poll.query = ev.detail;
    pollNow();
});

session.addEventListener("left", showDevices);
session.addEventListener("failed", (ev) => devices.devicesError(ev.detail));

addEventListener("hashchange", start);


/* what the page was opened for; no secret stays in the address */
async function start() {
    const {hash, href} = location;
    const state = answerState(href);

    if (hash !== "" || state !== null) {
        history.replaceState(null, "", plainUrl(href));
    }

    if (state !== null && !isRedirect(state, sessionStorage)) {
        front.showHanded(false);
        handOver(href, () => {
            front.showHanded(true);
            window.close();
        });
        return;
    }

    if (session.run !== null) {
        return;
    }

    const ticket = TICKET.exec(hash)?.[1];

    if (ticket) {
        begin({name: "Remote computer", ticket});
        return;
    }

    link = GUEST.exec(hash)?.[1] ?? null;

    if (link !== null) {
        front.showGuest();
        return;
    }

    if (app.account.api === null) {
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

    if (session.run !== null) {
        return;
    }

    front.showSignIn(signIn !== null);

    if (failure !== null) {
        front.signInError(failure);

    } else if (answer !== null && signIn !== null) {
        await come(async () => app.account.withToken(
            await signIn.complete(answer)));
    }
}


start();
