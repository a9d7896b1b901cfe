
/*
 * Copyright (C) rs-gateway contributors
 *
 * The console's wiring: who signs in, what is polled, which page is shown.
 * It owns the one account; the one session is the session page's, what is
 * seen the pages'.
 */

import { RsAccount } from "./rs-account.js";
import { FEATURES } from "./features.js";
import { AddDialog } from "./pages/add.js";
import { AuditPage } from "./pages/audit.js";
import { DeviceDialog } from "./pages/device.js";
import { DevicesPage } from "./pages/devices.js";
import { HistoryPage } from "./pages/history.js";
import { RecordingsPage } from "./pages/recordings.js";
import { SessionPage } from "./pages/session.js";
import { SettingsPage } from "./pages/settings.js";
import { SignInPage } from "./pages/signin.js";
import { TogetherPage } from "./pages/together.js";
import { TunnelsPage } from "./pages/tunnels.js";
import { RsApi, RsError, resolveBase } from "./rs-client.js";
import { DeviceFeed } from "./rs-feed.js";
import { Fleet } from "./rs-fleet.js";
import { Pins } from "./rs-identity.js";
import { RsPrefs } from "./rs-prefs.js";
import { RsShell } from "./rs-shell.js";
import { RsSignIn, answerState, handOver, isRedirect, plainUrl }
    from "./rs-signin.js";
import { RsStage } from "./rs-stage.js";
import { RsStore } from "./rs-store.js";
import { RsTrust } from "./rs-trust.js";
import { RsWatch } from "./rs-watch.js";


const TICKET = /^#join=([a-z0-9-]{1,32}\.[a-z2-7]{20,200})$/;
const GUEST = /^#guest=([A-Za-z0-9._~-]{20,300})$/;
const LOGIN = /^#login=(rso_[a-z0-9-]{1,32}_[a-z2-7]{52})$/;
const PAGE = /^#\/([a-z]{1,20})$/;

/* what a page is of no use without; devices may be given at any time */
const NEEDS = {devices: null, together: "sessions:write",
               tunnels: "tunnels:read", history: "sessions:read",
               recordings: "recordings:read", audit: "audit:read",
               settings: null};


const meta = document.querySelector('meta[name="rs-base"]');
const base = resolveBase(meta?.content || "../rs/v1", location.href);
const store = new RsStore("rs-console");

/* what the pages share */
const app = {base, pins: new Pins(store), account: new RsAccount({base})};

const fleet = new Fleet();
const watch = new RsWatch({base, api: () => app.account.api});
const feed = new DeviceFeed({fleet, watch, account: () => app.account});
const prefs = new RsPrefs(() => localStorage);

const shell = new RsShell(document);
const front = new SignInPage(document, shell);
const devices = new DevicesPage(document, {
    fleet, can: (verb) => app.account.can(verb)});
const device = new DeviceDialog(document, {
    app, prefs, groupName: (id) => devices.groupName(id)});
const add = new AddDialog(document, {app, fleet});
const pages = {
    together: new TogetherPage(document, {app}),
    recordings: new RecordingsPage(document, {app, fleet}),
    tunnels: new TunnelsPage(document, {app, fleet}),
    history: new HistoryPage(document, {app, fleet}),
    audit: new AuditPage(document, {app, fleet}),
    settings: new SettingsPage(document, {app, prefs, fleet}),
};
const session = new SessionPage({app, stage: new RsStage(document),
                                 trust: new RsTrust(document)});

for (const install of FEATURES) {
    install(session);
}

let signIn = null;          /* where the gateway names an issuer */
let link = null;            /* a guest's, until it is used */
let opened = false;         /* the page has been shown */
let shown = null;           /* of pages, null: the devices, or none */
const windows = new Map();  /* of what is reached through a pipe, by name */


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
        arrive();

    } catch (e) {
        front.signInError(e);

    } finally {
        front.signInBusy(false);
    }
}


/* an account, or another tenant of it */
function arrive() {
    shell.offer(may);
    loadGroups();
    showPage();
}


async function chooseTenant(tenant) {
    forget();

    try {
        await app.account.choose(tenant);
        arrive();

    } catch (e) {
        devices.error(e);
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
        feed.refresh();

    } else if (session.run.peer?.state === "failed") {
        session.run.peer.restart();
    }
}


async function signOut() {
    feed.stop();

    if (session.run !== null) {
        await session.drop();
    }

    const url = await app.account.signOut();

    if (url !== null) {
        location.assign(url);
    }
}


function onOut(error) {
    forget();
    device.hide();
    add.hide();

    for (const window of windows.values()) {
        window.hide();
    }

    shell.setToken(null);
    front.showSignIn(signIn !== null);

    if (error !== null) {
        front.signInError(error);
    }
}


/* pages */

function may(page) {
    return NEEDS[page] === null || app.account.can(NEEDS[page]);
}


/* what was seen is nobody's any more */
function forget() {
    feed.forget();
    devices.forget();

    for (const page of Object.values(pages)) {
        page.forget();
    }
}


/* the one of the address, if it may be seen */
function showPage() {
    const [, wanted] = PAGE.exec(location.hash) ?? [];
    const name = Object.hasOwn(NEEDS, wanted ?? "") && may(wanted) ? wanted
                 : "devices";

    shown?.hide();
    shown = pages[name] ?? null;
    shell.showPage(name);

    if (shown === null) {
        devices.render();
        document.getElementById("devices-title").focus();

    } else {
        shown.show();
    }

    feed.start();
}


/* their names are told where there are some, and no more hangs on them */
async function loadGroups() {
    const {api} = app.account;
    const groups = [];

    if (!app.account.can("groups:read")) {
        return;
    }

    try {
        for await (const group of api.items("/groups", {limit: 200})) {
            groups.push(group);
        }

        if (app.account.api === api) {
            devices.setGroups(groups);
        }

    } catch {
        /* ids are shown nowhere: there is no choice by group, then */
    }
}


/* a session takes the window */
function begin(want) {
    feed.stop();
    shown?.hide();
    device.hide();
    shell.show("stage");
    session.begin(want);
}


/* terminal, VNC and player: they come when somebody asks for them */

const WINDOWS = {
    terminal: async () => (await import("./pages/terminal.js"))
                          .terminalWindow(document, {app}),
    player: async () => new (await import("./pages/player.js"))
                            .PlayerDialog(document, {app}),
    vnc: async () => new (await import("./pages/vnc.js"))
                         .VncDialog(document, {app}),
};


async function openWindow(name, record) {
    device.hide();

    try {
        if (!windows.has(name)) {
            windows.set(name, await WINDOWS[name]());
        }

        windows.get(name).open(record, "shell");

    } catch (e) {
        devices.error(new RsError("network", {detail: String(e.message)}));
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

shell.addEventListener("again", () => {
    showPage();
    feed.refresh();
});
shell.addEventListener("renew", renew);
shell.addEventListener("signout", signOut);
shell.addEventListener("tenant", (ev) => chooseTenant(ev.detail));

/* without options: as the user prefers it */
for (const page of [add, devices, device]) {
    page.addEventListener("connect", ({detail}) => {
        const viewer = prefs.get("role") === "viewer";

        begin({relay_only: prefs.get("relay"), ...detail,
               role: detail.role ?? (viewer ? "viewer" : undefined)});
    });
}

/* somebody whose device is not one of these */
devices.addEventListener("help", () => begin({help: true,
                                              name: "Somebody you help"}));
devices.addEventListener("add", () => add.open());
devices.addEventListener("open", (ev) => device.open(fleet.get(ev.detail)));
devices.addEventListener("options",
                         (ev) => device.openOptions(fleet.get(ev.detail)));

for (const name of ["terminal", "vnc"]) {
    device.addEventListener(name, (ev) => openWindow(name, ev.detail));
}

/* a recording of the gateway, or a file */
pages.recordings.addEventListener("play",
                                  (ev) => openWindow("player", ev.detail));
pages.together.addEventListener("begin", (ev) => begin(ev.detail));

device.addEventListener("changed", (ev) => {
    fleet.put(ev.detail);
    onFleet();
});
device.addEventListener("removed", (ev) => {
    fleet.delete(ev.detail);
    onFleet();
});

feed.addEventListener("change", () => {
    devices.error(null);
    onFleet();
});
watch.addEventListener("live", onFleet);
watch.addEventListener("session", () => pages.history.changed());
watch.addEventListener("resync", () => pages.history.changed());

feed.addEventListener("error", (ev) => {
    devices.error(ev.detail);
    devices.changed();
});

for (const source of [feed, ...Object.values(pages)]) {
    source.addEventListener("out", (ev) => app.account.leave(ev.detail));
}

pages.settings.addEventListener("signout", signOut);

session.addEventListener("left", showPage);
session.addEventListener("failed", (ev) => devices.error(ev.detail));


function onFleet() {
    devices.setState({loaded: feed.loaded, more: feed.more,
                      live: feed.live});
    devices.changed();
    device.update(fleet.get(device.shown));
    add.update();
}


addEventListener("hashchange", start);


/* what the page was opened for; no secret stays in the address */
async function start() {
    const {hash, href} = location;
    const state = answerState(href);

    if (PAGE.test(hash) && state === null) {
        /* where one is, not a secret */
        if (app.account.api !== null && session.run === null) {
            showPage();
        }

        if (opened) {
            return;
        }

    } else if (hash !== "" || state !== null) {
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
        await open(state === null ? null : href, LOGIN.exec(hash)?.[1]);
    }
}


/* answer: the address an issuer sent back to; login: of a link, for once */
async function open(answer, login) {
    let failure = null;

    opened = true;

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

    } else if (login) {
        await come(() => app.account.withLink(login));

    } else if (answer !== null && signIn !== null) {
        await come(async () => app.account.withToken(
            await signIn.complete(answer)));
    }
}


start();
