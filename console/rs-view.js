
/*
 * Copyright (C) rs-gateway contributors
 *
 * <rs-view>: a remote screen as an element for somebody else's page: picture,
 * mouse, keys and fingers, the address row of a rendered browser, and what
 * everybody must see (that it is recorded).  rs-remote.js does the work; this
 * is what is seen of it.  docs/operating/client.md says how it is used.
 *
 * Its style is a sheet that is constructed, so that the page's
 * Content-Security-Policy needs nothing for it.
 */

import { RsError, connect, systemClock } from "./rs-client.js";
import { el, icon, setText } from "./rs-dom.js";
import { addressOf } from "./rs-page.js";
import { RsTouch } from "./rs-touch.js";
import { blockedWords, endWords, errorWords, queueWords, recordedWords }
    from "./rs-words.js";


/* what is told to the page: event of RsRemote -> event of the element */
const TOLD = ["state", "control", "people", "recording", "queue", "problem",
              "closed", "features", "verified", "path"];

const STATES = {
    __proto__: null,
    joining: "Joining…", waiting: "Waiting for the other side…",
    connecting: "Connecting…", asking: "Waiting for consent…",
    unsteady: "The picture stopped. Looking for another path…",
};

const ICONS = {back: "M15 5l-7 7 7 7", forward: "M9 5l7 7-7 7",
               reload: "M20 11a8 8 0 1 0-2.3 6.3M20 5v6h-6",
               stop: "M6 6l12 12M18 6 6 18"};

const STYLE = `
:host { display: grid; grid-template-rows: auto auto minmax(0, 1fr);
        min-height: 12rem; background: #0a0f13; color: #e7eef3;
        font: 15px/1.4 system-ui, sans-serif; color-scheme: dark; }
:host([hidden]) { display: none; }
[hidden] { display: none !important; }
* { box-sizing: border-box; }
.bar, .address { display: flex; align-items: center; gap: 8px;
                 padding: 6px 10px; background: #141d24;
                 border-bottom: 1px solid #2b3a46; }
.state { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis;
         white-space: nowrap; color: #9db0be; }
.recorded { padding: 2px 10px; border: 1px solid #fb8a7f; border-radius: 99px;
            font-size: 13px; font-weight: 600; white-space: nowrap; }
.recorded::before { content: "\\25cf  "; color: #ef4444; }
button { min-height: 34px; padding: 0 12px; border: 1px solid #2b3a46;
         border-radius: 8px; background: transparent; color: inherit;
         font: inherit; cursor: pointer; white-space: nowrap; }
button:hover { background: #16332f; }
button:disabled { opacity: 0.5; cursor: not-allowed; }
.square { width: 36px; padding: 0; }
.icon { width: 18px; height: 18px; fill: none; stroke: currentColor;
        stroke-width: 1.8; vertical-align: middle; }
form { display: flex; flex: 1; min-width: 0; margin: 0; }
input { width: 100%; min-height: 34px; padding: 0 12px;
        border: 1px solid #2b3a46; border-radius: 99px; background: #0a0f13;
        color: inherit; font: inherit; }
:focus-visible { outline: none; box-shadow: 0 0 0 3px rgb(45 212 191 / 55%); }
.bar { grid-row: 1; }
.address { grid-row: 2; }
.box { grid-row: 3; position: relative; min-height: 0; overflow: hidden; }
video { display: block; width: 100%; height: 100%; object-fit: contain;
        background: #000; touch-action: none; user-select: none; }
.control video:focus { outline: 2px solid #2dd4bf; outline-offset: -2px; }
.over { position: absolute; inset: 0; display: grid; place-content: center;
        gap: 6px; padding: 16px; background: rgb(6 10 13 / 72%);
        text-align: center; }
.over p { margin: 0; color: #9db0be; }
.over b { font-size: 17px; }
.said { position: absolute; inset: auto 0 0; margin: 0; padding: 8px 12px;
        background: #33290c; color: #facc15; overflow-wrap: anywhere; }
`;


let sheet = null;


/* one for all of them */
function styleSheet() {
    if (sheet === null) {
        sheet = new CSSStyleSheet();
        sheet.replaceSync(STYLE);
    }

    return sheet;
}


/**
 * Attributes: base (the API), link or ticket, pin, name; view-only: takes no
 * input; plain: neither bar nor address row, but what is recorded is said.
 *
 * Properties: provider (a function that gives {ticket} or {link, pin?, name?},
 * or a promise of it: asked when it starts), pins, remote (RsRemote, null).
 *
 * Events, each a CustomEvent that bubbles: rs-state, rs-control, … (those of
 * RsRemote), and of a rendered browser rs-page, rs-blocked, rs-crashed,
 * rs-downloaded, rs-document.
 */
export class RsView extends HTMLElement {
    static observedAttributes = ["base", "link", "ticket", "view-only",
                                 "plain"];

    #parts = null;
    #touch = null;
    #turn = 0;

    /** @type {import("./rs-remote.js").RsRemote|null} */
    remote = null;
    /* a page may have set them before the element was what it is */

    /** @type {(() => any)|null} */
    provider = this.provider ?? null;
    /** @type {import("./rs-identity.js").Pins|null} */
    pins = this.pins ?? null;

    connectedCallback() {
        this.#parts ??= this.#build();
        this.#render();
        this.#startSoon();
    }

    disconnectedCallback() {
        this.leave();
    }

    attributeChangedCallback(name, before, now) {
        if (this.#parts === null || before === now) {
            return;
        }

        if (name === "view-only" || name === "plain") {
            this.#render();
            return;
        }

        this.leave();
        this.#startSoon();
    }

    /* several attributes that are set one after the other are one start */
    #startSoon() {
        const turn = ++this.#turn;

        queueMicrotask(() => {
            if (turn === this.#turn && this.isConnected
                && this.remote === null && this.hasAttribute("base")
                && (this.hasAttribute("link") || this.hasAttribute("ticket")
                    || this.provider !== null))
            {
                this.start();
            }
        });
    }

    /** Joins, by the provider or the attributes. */
    async start() {
        const turn = ++this.#turn;
        const get = (name) => this.getAttribute(name) ?? undefined;
        let place = {link: get("link"), ticket: get("ticket"),
                     pin: get("pin"), name: get("name")};

        await this.leave();
        this.#turn = turn;
        this.#say({title: STATES.joining});

        try {
            if (this.provider !== null) {
                place = await this.provider();
            }

            if (turn === this.#turn) {
                this.#begin({base: get("base") ?? "", ...place});
            }

        } catch (e) {
            if (turn === this.#turn) {
                this.#closed({reason: "error", error: e instanceof RsError
                    ? e : new RsError("bad_request", {detail: String(e)})});
                this.#tell("closed", {reason: "error", error: e});
            }
        }
    }

    /** Resolves when the gateway was told. */
    async leave() {
        const {remote} = this;

        this.#turn++;
        this.remote = null;
        this.#touch?.cancel();
        this.#touch = null;

        if (this.#parts !== null) {
            this.#parts.video.srcObject = null;
            this.#parts.said.hidden = true;
            this.#render();
        }

        await remote?.leave();
    }

    #tell(type, detail) {
        this.dispatchEvent(new CustomEvent(`rs-${type}`, {
            detail, bubbles: true, composed: true}));
    }

    #begin(options) {
        const remote = connect({...options,
                                ...(this.pins ? {pins: this.pins} : {})});
        const on = (type, f) => remote.addEventListener(type, (ev) => {
            if (this.remote === remote) {
                f(ev.detail);
            }
        });

        this.remote = remote;
        this.#touch = new RsTouch(remote.input, systemClock);
        on("stream", (stream) => {
            this.#parts.video.srcObject = stream;
            this.#parts.video.play().catch(() => {
                /* the next one replaced it before it played */
            });
        });
        on("joined", () => this.#watchPage(remote));
        on("closed", (how) => this.#closed(how));

        for (const type of TOLD) {
            on(type, (detail) => {
                if (type !== "closed") {
                    this.#render();
                }

                this.#tell(type, detail);
            });
        }

        remote.addEventListener("people", () => this.#render());
        this.#render();
    }

    #watchPage({page}) {
        if (page === null) {
            return;
        }

        page.addEventListener("page", (ev) => {
            /* unless it is the browser's own word on what was refused */
            if (!this.#parts.said.textContent.endsWith(ev.detail.url)) {
                this.#parts.said.hidden = true;
            }

            this.#render();
            this.#tell("page", ev.detail);
        });
        page.addEventListener("open", () => this.#render());
        page.addEventListener("blocked", (ev) => {
            const {title} = blockedWords(ev.detail.why);

            this.#note(`${title}: ${ev.detail.url}`);
            this.#tell("blocked", ev.detail);
        });
        page.addEventListener("crashed", (ev) => {
            this.#note("The browser failed"
                       + (ev.detail ? ", and is started again" : ""));
            this.#tell("crashed", ev.detail);
        });
        page.addEventListener("downloaded",
                              (ev) => this.#tell("downloaded", ev.detail));
        page.addEventListener("document",
                              (ev) => this.#tell("document", ev.detail));
    }

    #note(text) {
        setText(this.#parts.said, text);
        this.#parts.said.hidden = false;
    }

    #say({title, help = ""}) {
        setText(this.#parts.title, title);
        setText(this.#parts.help, help);
        this.#parts.over.hidden = title === "";
        setText(this.#parts.state, title);
    }

    #closed({reason, error}) {
        this.#say(reason === "left"
                  ? {title: "You have left"}
                  : error ? errorWords(error) : endWords(reason));
        this.#parts.ask.hidden = true;
        this.#parts.leave.hidden = true;
        this.#parts.address.hidden = true;
        this.#parts.recorded.hidden = true;
        this.#parts.bar.hidden = this.hasAttribute("plain");
    }

    /* elements */

    #build() {
        const p = {};
        const root = this.attachShadow({mode: "open"});
        const button = (part, name, f) => el("button", {
            type: "button", class: "square", part, title: name,
            "aria-label": name, onclick: f}, icon(ICONS[part]));
        const page = (f) => () => f(this.remote.page);

        p.state = el("span", {class: "state", role: "status"});
        p.recorded = el("span", {class: "recorded", part: "recorded",
                                 role: "status", hidden: true});
        p.ask = el("button", {type: "button", part: "ask", hidden: true,
                              onclick: () => this.#ask()});
        p.leave = el("button", {type: "button", part: "leave",
                                onclick: () => this.#left()}, "Leave");
        p.bar = el("div", {class: "bar", part: "bar"}, p.state, p.recorded,
                   p.ask, p.leave);
        p.back = button("back", "Back", page((it) => it.back()));
        p.forward = button("forward", "Forward", page((it) => it.forward()));
        p.reload = button("reload", "Reload", page((it) => it.reload()));
        p.field = el("input", {type: "text", inputmode: "url",
                               "aria-label": "Address", maxlength: "2048",
                               autocapitalize: "none", spellcheck: "false"});
        p.address = el("div", {class: "address", part: "address",
                               hidden: true}, p.back, p.forward, p.reload,
                       el("form", {onsubmit: (ev) => this.#go(ev)}, p.field));
        p.video = el("video", {part: "video", tabindex: "0", autoplay: true,
                               playsinline: true, "aria-label":
                               "Remote screen. Control, Alt and Shift "
                               + "together give the keyboard back"});
        p.video.muted = true;
        p.title = el("b");
        p.help = el("p");
        p.over = el("div", {class: "over", part: "over", role: "status",
                            hidden: true}, p.title, p.help);
        p.said = el("p", {class: "said", part: "said", role: "status",
                          hidden: true});
        p.box = el("div", {class: "box"}, p.video, p.over, p.said);
        root.adoptedStyleSheets = [styleSheet()];
        root.append(p.bar, p.address, p.box);
        this.#wirePointer(p.video);
        this.#wireKeys(p.video, p);

        return p;
    }

    get #takes() {
        return this.remote?.control === true
               && !this.hasAttribute("view-only");
    }

    #render() {
        const p = this.#parts;
        const {remote} = this;
        const plain = this.hasAttribute("plain");
        const recorded = recordedWords(remote?.recording ?? "off");

        setText(p.recorded, recorded.chip);
        p.recorded.title = recorded.help;
        p.recorded.hidden = recorded.chip === "";

        /* plain: but never without a word that it is recorded */
        p.bar.hidden = plain && p.recorded.hidden;
        p.leave.hidden = plain || remote === null;
        p.ask.hidden = plain || !this.#mayAsk;
        setText(p.ask, this.remote?.control ? "Let go of control"
                                            : "Ask for control");
        p.box.classList.toggle("control", this.#takes);
        this.#renderPage();

        if (remote !== null) {
            this.#renderState(remote);
        }
    }

    get #mayAsk() {
        const {remote} = this;

        return remote?.state === "connected"
               && remote.session?.role === "controller"
               && remote.session.control !== null
               && !this.hasAttribute("view-only");
    }

    #renderState({state, session}) {
        const queue = queueWords(session?.session ?? {});

        if (state === "connected") {
            this.#say({title: ""});
            setText(this.#parts.state, this.#takes ? "You have control"
                                                   : "You are watching");

        } else if (state === "failed") {
            this.#say({title: "No connection",
                       help: "No path to the other side was found."});

        } else if (state !== "closed") {
            this.#say({title: queue === "" ? STATES[state] ?? ""
                              : "Waiting for a free browser", help: queue});
        }
    }

    #renderPage() {
        const p = this.#parts;
        const page = this.remote?.page ?? null;

        p.address.hidden = page === null || !page.open
                           || this.hasAttribute("plain");

        if (p.address.hidden) {
            return;
        }

        const takes = this.#takes;
        const {url, title, back, forward} = page.state;

        p.back.disabled = !takes || !back;
        p.forward.disabled = !takes || !forward;
        p.reload.disabled = !takes;
        p.field.readOnly = !takes;

        if (this.shadowRoot.activeElement !== p.field || !takes) {
            p.field.value = url;
            p.field.title = title;
        }
    }

    #ask() {
        this.remote.askControl(this.remote.control ? "release" : "request");
    }

    async #left() {
        await this.leave();
        this.#closed({reason: "left", error: null});
        this.#tell("closed", {reason: "left", error: null});
    }

    #go(ev) {
        const url = addressOf(this.#parts.field.value);

        ev.preventDefault();

        if (url === "") {
            this.#note("That is not an address of http or https");

        } else if (this.#takes) {
            this.remote.page.go(url);
            this.#parts.video.focus();
        }
    }

    /* mouse, fingers and keys */

    #wirePointer(video) {
        const at = (ev) => {
            const box = video.getBoundingClientRect();

            return [ev.clientX - box.left, ev.clientY - box.top];
        };
        const on = (type, f) => video.addEventListener(type, (ev) => {
            if (!this.#takes) {
                return;
            }

            this.remote.input.setGeometry(
                video.clientWidth, video.clientHeight, video.videoWidth,
                video.videoHeight);
            f(ev, this.remote.input);
        }, {passive: false});

        on("pointermove", (ev, input) => (ev.pointerType === "touch"
            ? this.#touch.move(ev.pointerId, ...at(ev))
            : input.move(...at(ev))));
        on("pointerdown", (ev) => {
            video.setPointerCapture(ev.pointerId);

            if (ev.pointerType === "touch") {
                ev.preventDefault();
                this.#touch.down(ev.pointerId, ...at(ev));
            }
        });
        on("pointerup", (ev) => {
            if (ev.pointerType === "touch") {
                this.#touch.up(ev.pointerId, ...at(ev));
            }
        });
        on("pointercancel", (ev, input) => {
            this.#touch.cancel();
            input.release();
        });
        on("mousedown", (ev, input) => {
            ev.preventDefault();
            video.focus();
            input.buttonDown(ev.button, ...at(ev));
        });
        on("mouseup", (ev, input) => {
            ev.preventDefault();
            input.buttonUp(ev.button, ...at(ev));
        });
        on("wheel", (ev, input) => {
            ev.preventDefault();
            input.wheel(ev.deltaX, ev.deltaY, ev.deltaMode, ...at(ev));
        });

        for (const type of ["contextmenu", "auxclick", "dragstart"]) {
            on(type, (ev) => ev.preventDefault());
        }
    }

    /* the keyboard is no trap: Control + Alt + Shift leads to the bar */
    #wireKeys(video, p) {
        video.addEventListener("keydown", (ev) => {
            if (!this.#takes) {
                return;
            }

            if (this.remote.input.keyDown(ev)) {
                ev.preventDefault();
            }

            if (this.remote.input.escaping) {
                this.remote.input.release();
                video.blur();
                p.leave.focus();
            }
        });
        video.addEventListener("keyup", (ev) => {
            if (this.#takes && this.remote.input.keyUp(ev)) {
                ev.preventDefault();
            }
        });
        video.addEventListener("blur", () => this.remote?.input.release());
    }
}


if (!customElements.get("rs-view")) {
    customElements.define("rs-view", RsView);
}
