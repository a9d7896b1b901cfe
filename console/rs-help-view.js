
/*
 * Copyright (C) rs-gateway contributors
 *
 * A session whose host is a browser, for who asked for it: the code to tell,
 * in a panel until it is used, and the own pointer, which the person there
 * sees on a picture of hers.
 */

import { el, setText } from "./rs-dom.js";
import { toPicture } from "./rs-input.js";
import { errorWords } from "./rs-words.js";


const ICON = "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM9.5 9.5a2.5 2.5 0 1 1 3.6"
             + " 2.2c-.7.4-1.1.9-1.1 1.8M12 17h.01";


/** "1234 5678": as it is read to somebody. */
export function codeText(code) {
    return `${code.slice(0, 4)} ${code.slice(4)}`;
}


class HelpView {
    #page;
    #panel;
    #run = null;
    #told = null;           /* the code of now */

    /* elements */
    #code;
    #where;
    #until;
    #copied;

    constructor(page) {
        this.#page = page;
        this.#panel = page.stage.addPanel({
            id: "help", icon: ICON, title: "Code for whoever you help",
            label: "Code", order: 5, hidden: true,
            build: (element) => this.#build(element),
        });

        page.addEventListener("begin", (ev) => this.#begin(ev.detail));
        page.addEventListener("made", (ev) => this.#made(ev.detail));
        page.addEventListener("hello", (ev) => this.#hello(ev.detail));
        page.addEventListener("end", () => this.#end());
        this.#wirePointer(page.stage.video);
    }

    #build(element) {
        this.#code = el("output", {class: "help-code", id: "help-code",
                                   "aria-label": "The code"});
        this.#where = el("b", {id: "help-where"});
        this.#until = el("p", {class: "note", id: "help-until"});
        this.#copied = el("p", {class: "note", role: "status"});
        element.append(
            el("p", {}, "Have them open ", this.#where,
               " in any browser and type"),
            this.#code,
            this.#until,
            el("button", {type: "button", class: "quiet", id: "help-copy",
                          onclick: () => this.#copy()}, "Copy the link"),
            el("button", {type: "button", class: "quiet", id: "help-renew",
                          onclick: () => this.#renew(this.#run)},
               "Another code"),
            this.#copied,
            el("p", {class: "note"}, "They are asked before anything is "
               + "shared, choose a screen or a window, and can pause and "
               + "stop. You see it and can point; you cannot click or "
               + "type."));
    }

    #begin(run) {
        this.#end();
        this.#run = run;
    }

    #made(run) {
        if (!run.want.help) {
            return;
        }

        this.#panel.button.hidden = false;
        this.#panel.open();
        this.#renew(run);
    }

    /* another code; the one before is void */
    async #renew(run) {
        let made;

        setText(this.#copied, "");

        try {
            made = await this.#page.app.account.api.helpCode(run.id);

        } catch (e) {
            if (run === this.#run) {
                setText(this.#copied, errorWords(e).title);
            }

            return;
        }

        if (run !== this.#run) {
            return;
        }

        const {code, url, expires_at} = made;
        const time = new Date(expires_at * 1000).toLocaleTimeString(
            [], {hour: "2-digit", minute: "2-digit"});

        setText(this.#code, codeText(code));
        setText(this.#where, url);
        setText(this.#until, `It is good once, until ${time}.`);
        this.#told = made;
    }

    async #copy() {
        if (this.#told === null) {
            return;
        }

        const {code, url} = this.#told;

        try {
            await navigator.clipboard.writeText(`${url}#code=${code}`);
            setText(this.#copied, "Copied. Whoever has the link has the code.");

        } catch {
            setText(this.#copied, `${url}#code=${code}`);
        }
    }

    /* it was used: there is nothing to tell any more */
    #hello(run) {
        const {pointer, paused} = run.hello.features ?? {};

        this.#page.stage.setBrowser({pointer: pointer === true,
                                     paused: paused === true});

        if (run.want.help) {
            this.#panel.close();
            this.#panel.button.hidden = true;
        }
    }

    #end() {
        this.#run = null;
        this.#told = null;
        setText(this.#code, "");
        setText(this.#until, "");
        setText(this.#copied, "");
        this.#panel.close();
        this.#panel.button.hidden = true;
    }

    #wirePointer(video) {
        let last = null;

        const point = (type, more = {}) => (ev) => {
            const box = video.getBoundingClientRect();
            const at = toPicture(ev.clientX - box.left, ev.clientY - box.top,
                                 box.width, box.height, video.videoWidth,
                                 video.videoHeight);

            if (at === null || !at.inside
                || (type === "move" && at.x === last?.x && at.y === last?.y))
            {
                return;
            }

            last = at;
            this.#run?.peer?.point({type, x: at.x, y: at.y, ...more});
        };

        video.addEventListener("pointermove", point("move"));
        video.addEventListener("pointerdown",
                               point("button", {button: 0, down: true}));
        video.addEventListener("pointerup",
                               point("button", {button: 0, down: false}));
        video.addEventListener("pointerleave", () => {
            last = null;
            this.#run?.peer?.point({type: "release"});
        });
    }
}


/** For features.js. */
export function installHelp(page) {
    new HelpView(page);
}
