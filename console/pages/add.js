
/*
 * Copyright (C) rs-gateway contributors
 *
 * The way of a computer into the list: one line to paste on it, with a code
 * that is good once, and the moment it is there.  A code that nobody used is
 * void when the dialog closes.
 *
 * Events: connect {name, device_id}.
 */

import { RsEvent } from "../rs-client.js";
import { el, fillError, setText } from "../rs-dom.js";


const CODE_S = 600;


/** What is run on the computer: installs the agent where there is none. */
export function adoptLine(code, base) {
    return "{ command -v rs-agent >/dev/null || sudo apt-get install -y "
           + `rs-agent; } && sudo rs-agent --adopt ${code} ${base}`;
}


export class AddDialog extends EventTarget {
    #app;
    #fleet;
    #dialog;
    #parts = {};
    #known = new Set();     /* who was there before */
    #enrollment = null;     /* the one shown, until its device is there */
    #device = null;
    #turn = 0;              /* of what is asked for: the last one counts */

    /**
     * @param {Document} document
     * @param {{app: any, fleet: import("../rs-fleet.js").Fleet}} o
     */
    constructor(document, {app, fleet}) {
        super();
        this.#app = app;
        this.#fleet = fleet;
        this.#dialog = document.getElementById("add");
        this.#build();
    }

    #build() {
        const p = this.#parts;
        const button = (kind, text, f) => el(
            "button", {type: "button", class: kind, onclick: f}, text);

        p.lead = el("p", {class: "muted"},
                    "Paste this line into a terminal on the computer that is "
                    + "to be helped. It needs an X11 desktop, and the "
                    + "package source of this gateway.");
        p.line = el("textarea", {id: "add-line", rows: "3", readonly: true,
                                 spellcheck: "false"});
        p.line.addEventListener("focus", () => p.line.select());
        p.copy = button("quiet", "Copy", () => this.#copy());
        p.state = el("p", {id: "add-state", role: "status"});
        p.error = el("div", {class: "error", role: "alert", hidden: true});
        p.again = button("quiet", "Another code", () => this.#make());
        p.connect = button("primary", "Connect", () => {
            const {id, name} = this.#device;

            this.hide();
            this.dispatchEvent(new RsEvent("connect", {name: name || id,
                                                       device_id: id}));
        });
        p.connect.id = "add-connect";

        this.#dialog.append(el(
            "form", {method: "dialog"},
            el("h2", {id: "add-title"}, "Add a device"), p.lead,
            el("label", {for: "add-line"}, "One line"), p.line, p.copy,
            p.state, p.error,
            el("menu", {}, button("quiet", "Close", () => this.hide()),
               p.again, p.connect)));
        this.#dialog.addEventListener("close", () => this.#drop());
    }

    open() {
        this.#known = new Set(this.#fleet.list({}).map((d) => d.id));
        this.#device = null;
        this.#dialog.showModal();
        this.#make();
    }

    hide() {
        this.#dialog.close();
    }

    async #make() {
        const p = this.#parts;
        const turn = ++this.#turn;
        const {api} = this.#app.account;

        this.#drop();
        p.line.value = "";
        p.copy.disabled = true;
        p.again.hidden = p.connect.hidden = true;
        fillError(p.error, null);
        setText(p.state, "Asking for a code…");

        try {
            const made = await api.createEnrollment({code: true,
                                                     ttl_s: CODE_S});

            if (turn !== this.#turn || !this.#dialog.open) {
                await api.deleteEnrollment(made.id);
                return;
            }

            this.#enrollment = {api, id: made.id};
            p.line.value = adoptLine(made.token, this.#app.base);
            p.copy.disabled = p.again.hidden = false;
            p.line.focus();
            setText(p.state, "Waiting for the computer. The code is good for "
                             + `one, until ${clock(made.expires_at)}.`);
            this.update();

        } catch (e) {
            if (turn === this.#turn) {
                setText(p.state, "");
                p.again.hidden = false;
                fillError(p.error, e);
            }
        }
    }

    async #copy() {
        const p = this.#parts;

        try {
            await navigator.clipboard.writeText(p.line.value);
            p.copy.textContent = "Copied";

        } catch {
            p.line.focus();
            p.copy.textContent = "Copy it with Ctrl + C";
        }

        setTimeout(() => { p.copy.textContent = "Copy"; }, 3000);
    }

    /* what nobody used; of one that was used nothing is left to delete */
    #drop() {
        const one = this.#enrollment;

        this.#enrollment = null;
        one?.api.deleteEnrollment(one.id).catch(() => {
            /* it ends by itself, in ten minutes at most */
        });
    }

    /** The fleet has changed: is it there? */
    update() {
        const p = this.#parts;

        if (!this.#dialog.open) {
            return;
        }

        if (this.#device === null && this.#enrollment !== null) {
            const found = this.#fleet.list({})
                              .find((d) => !this.#known.has(d.id));

            if (found) {
                this.#device = found;
                this.#enrollment = null;
                p.copy.disabled = true;
            }
        }

        if (this.#device === null) {
            return;
        }

        const device = this.#fleet.get(this.#device.id) ?? this.#device;
        const name = device.name || device.id;

        setText(p.state, device.online ? `${name} is online.`
                         : `${name} is enrolled, and not connected yet.`);
        p.connect.hidden = !device.online
                           || !this.#app.account.can("sessions:write");
        this.#device = device;
    }
}


function clock(at) {
    return new Date(at * 1000).toLocaleTimeString("en", {
        hour: "2-digit", minute: "2-digit", hour12: false});
}
