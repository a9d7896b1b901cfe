
/*
 * Copyright (C) rs-gateway contributors
 *
 * The window of something that is reached through a pipe: what and whom it is
 * of, how it stands, an error with the way to try again.  What is shown in it
 * is pages/terminal.js's and pages/vnc.js's.
 */

import { reach } from "../rs-reach.js";
import { el, fillError, setText } from "../rs-dom.js";


export class ReachWindow {
    #app;
    #o;
    #dialog;
    #parts = {};
    #device = null;
    #pipe = null;
    #view = null;           /* what show() gave */
    #turn = 0;              /* an answer of another turn is too late */

    /**
     * @param {HTMLDialogElement} dialog
     * @param {{app: any, kind: string, stream: boolean,
     *          show: (box: HTMLElement,
     *                 pipe: import("../rs-pipe.js").RsPipe)
     *                => {close: () => void, focus: () => void}}} o
     *     kind: "Terminal"; stream: as RsPipe has it
     */
    constructor(dialog, o) {
        this.#app = o.app;
        this.#o = o;
        this.#dialog = dialog;
        this.#build();
    }

    #build() {
        const p = this.#parts;
        const button = (kind, text, f) => el(
            "button", {type: "button", class: kind, onclick: f}, text);

        p.title = el("h2", {id: `${this.#dialog.id}-title`});
        p.state = el("p", {class: "muted", role: "status"});
        p.error = el("div", {class: "error", role: "alert", hidden: true});
        p.again = button("primary", "Connect again", () => this.#begin());
        p.box = el("div", {class: "reach-box"});

        this.#dialog.append(
            el("header", {}, p.title, p.state, p.again,
               button("quiet", "Close", () => this.#dialog.close())),
            p.error, p.box);

        /* Escape is the terminal's, or the remote screen's */
        this.#dialog.addEventListener("cancel", (ev) => ev.preventDefault());
        this.#dialog.addEventListener("close", () => this.#end());
        addEventListener("pagehide", () => this.#end());
    }

    /** @param {any} device  @param {string} target */
    open(device, target) {
        this.#device = {...device, target};
        setText(this.#parts.title,
                `${this.#o.kind} \u00b7 ${device.name || device.id}`);
        this.#dialog.showModal();
        this.#begin();
    }

    hide() {
        this.#dialog.close();
    }

    #end() {
        this.#turn++;
        this.#view?.close();
        this.#view = null;
        this.#pipe?.close();
        this.#pipe = null;
        this.#parts.box.replaceChildren();
    }

    async #begin() {
        const p = this.#parts;
        const {account, base} = this.#app;

        this.#end();

        const turn = this.#turn;

        fillError(p.error, null);
        p.again.hidden = true;
        setText(p.state, "Connecting…");
        this.#dialog.dataset.state = "connecting";

        try {
            const {pipe} = await reach({
                api: account.api, base, device_id: this.#device.id,
                target: this.#device.target, stream: this.#o.stream,
                label: `${this.#o.kind.toLowerCase()} of the console`});

            if (turn !== this.#turn) {
                pipe.close();
                return;
            }

            this.#pipe = pipe;
            pipe.addEventListener("close", (ev) => this.#over(turn,
                                                              ev.detail));
            this.#view = this.#o.show(p.box, pipe);
            setText(p.state, this.#device.target === "shell"
                             ? "" : this.#device.target);
            this.#dialog.dataset.state = "open";
            this.#view.focus();

        } catch (e) {
            this.#over(turn, {error: e});
        }
    }

    /* what it showed last stays to be read */
    #over(turn, {error}) {
        if (turn !== this.#turn) {
            return;
        }

        setText(this.#parts.state, error === null ? "It has ended."
                                                  : "Not connected.");
        fillError(this.#parts.error, error);
        this.#parts.again.hidden = false;
        this.#dialog.dataset.state = "closed";
    }
}
