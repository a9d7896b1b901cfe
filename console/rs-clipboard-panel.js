
/*
 * Copyright (C) rs-gateway contributors
 *
 * The clipboard in the session view.  Control + V on the picture brings this
 * computer's text to the device before the keys go there; what is copied
 * there is put into this computer's clipboard, or offered where the browser
 * does not let a page do so.  The panel shows both, and types a text where
 * nothing can be pasted.
 */

import { RsClipboard } from "./rs-clipboard.js";
import { RsTyper } from "./rs-typer.js";
import { el, fillError, setText } from "./rs-dom.js";


const ICON = "M9 4h6v4H9zM9 6H6v15h12V6h-3M9 12h6M9 16h6";
const SHOWN_MAX = 4000;
const PASTE_MS = 400;       /* a browser that makes no paste event of the keys */

const WORDS = {
    both: "Texts go both ways.",
    to_device: "Texts go to the device. What is copied there stays there.",
    from_device: "What is copied on the device comes here. Texts do not go there.",
    none: "This session has no clipboard.",
};


/* a field with a megabyte in it holds up the picture */
function shown(text) {
    return text.length <= SHOWN_MAX ? text
        : `${text.slice(0, SHOWN_MAX)}\n… ${text.length - SHOWN_MAX} more`;
}


class Panel {
    #page;
    #panel;
    #parts = {};
    #clipboard = null;
    #typer = null;
    #known = null;          /* what both sides have */
    #theirs = "";           /* copied on the device, whole */
    #pending = null;        /* the same, waiting for a gesture */

    constructor(page) {
        this.#page = page;
        this.#panel = page.stage.addPanel({
            id: "clipboard", icon: ICON, title: "Clipboard", order: 20,
            hidden: true, build: (element) => this.#build(element),
            opened: () => this.#panel.badge(""),
        });

        this.#wirePaste();
        this.#wireGesture();

        page.addEventListener("peer", (ev) => this.#begin(ev.detail));
        page.addEventListener("hello", () => this.#render());
        page.addEventListener("end", () => this.#end());
    }

    #build(element) {
        const p = this.#parts;

        p.words = el("p", {class: "muted", id: "clip-words"});
        p.text = el("textarea", {id: "clip-text", rows: 6, spellcheck: "false",
                                 autocomplete: "off"});
        p.send = el("button", {type: "button", class: "primary",
                               id: "clip-send",
                               onclick: () => this.#send(p.text.value)},
                    "To its clipboard");
        p.type = el("button", {type: "button", class: "quiet",
                               id: "clip-type",
                               onclick: () => this.#type()}, "Type it");
        p.said = el("p", {role: "status", id: "clip-said", class: "muted"});
        p.error = el("div", {class: "error", id: "clip-error", role: "alert",
                             hidden: true});
        p.to = el("section", {class: "clip-part"},
                  el("label", {for: "clip-text"}, "Text for the device"),
                  p.text, el("div", {class: "clip-row"}, p.send, p.type));
        p.theirs = el("textarea", {id: "clip-theirs", rows: 6,
                                   readonly: true, spellcheck: "false"});
        p.copy = el("button", {type: "button", class: "quiet",
                               id: "clip-copy", disabled: true,
                               onclick: () => this.#copy()}, "Copy here");
        p.from = el("section", {class: "clip-part"},
                    el("label", {for: "clip-theirs"}, "Copied on the device"),
                    p.theirs, el("div", {class: "clip-row"}, p.copy));

        element.append(p.words, p.to, p.said, p.error, p.from);
    }

    #begin(run) {
        this.#end();
        this.#clipboard = new RsClipboard(run.peer.channel("rs-clipboard"));
        this.#typer = new RsTyper(run.input);
        this.#clipboard.addEventListener("direction", () => this.#render());
        this.#clipboard.addEventListener("text",
                                         (ev) => this.#arrived(ev.detail));
        this.#render();
    }

    #end() {
        const p = this.#parts;

        this.#clipboard?.close();
        this.#typer?.stop();
        this.#clipboard = null;
        this.#typer = null;
        this.#known = null;
        this.#theirs = "";
        this.#pending = null;
        p.text.value = "";
        p.theirs.value = "";
        p.copy.disabled = true;
        this.#say("");
        fillError(p.error, null);
        this.#panel.badge("");
        this.#render();
    }

    get #controls() {
        return this.#page.run?.peer?.ready === true
               && this.#page.run.session.role === "controller";
    }

    #render() {
        const p = this.#parts;
        const clipboard = this.#clipboard;
        const direction = clipboard?.direction ?? "none";

        setText(p.words, WORDS[direction]);
        p.words.dataset.direction = direction;
        p.send.hidden = !clipboard?.sends;
        p.to.hidden = !clipboard?.sends && !this.#controls;
        p.from.hidden = !clipboard?.receives;
        p.type.hidden = !this.#controls;
        this.#panel.button.hidden = p.to.hidden && p.from.hidden;
    }

    #say(text) {
        setText(this.#parts.said, text);
    }

    #failed(error) {
        this.#say("");

        if (error.code !== "superseded" && error.code !== "aborted") {
            fillError(this.#parts.error, error);
        }
    }

    /* to the device */

    async #send(text) {
        fillError(this.#parts.error, null);
        this.#say("Sending");

        try {
            await this.#clipboard.send(text);
            this.#known = text;
            this.#say("It can be pasted on the device.");

        } catch (e) {
            this.#failed(e);
        }
    }

    async #type() {
        fillError(this.#parts.error, null);
        this.#say("Typing");

        try {
            await this.#typer.type(this.#parts.text.value);
            this.#say("Typed.");

        } catch (e) {
            this.#failed(e);
        }
    }

    /*
     * Control + V on the picture.  The browser gives the text to a paste
     * event, without asking anybody; the keys follow once the device has it.
     */
    #wirePaste() {
        const {video} = this.#page.stage;
        let timer = null;

        const keys = () => {
            clearTimeout(timer);
            timer = null;
            this.#page.run?.input.paste();
        };

        video.addEventListener("keydown", (ev) => {
            if (!this.#clipboard?.sends || !this.#controls || ev.altKey
                || ev.shiftKey || !(ev.ctrlKey || ev.metaKey)
                || ev.key.toLowerCase() !== "v")
            {
                return;
            }

            ev.stopImmediatePropagation();

            if (ev.repeat || timer !== null) {
                ev.preventDefault();
                return;
            }

            timer = setTimeout(keys, PASTE_MS);
        }, {capture: true});

        document.addEventListener("paste", async (ev) => {
            if (timer === null || document.activeElement !== video) {
                return;
            }

            const text = ev.clipboardData?.getData("text/plain") ?? "";

            ev.preventDefault();
            clearTimeout(timer);

            if (text !== "" && text !== this.#known) {
                try {
                    await this.#clipboard.send(text);
                    this.#known = text;

                } catch (e) {
                    /* what the device has is not what would be expected */
                    timer = null;
                    this.#failed(e);
                    this.#panel.badge("!");
                    return;
                }
            }

            keys();
        });
    }

    /* from the device */

    #arrived(text) {
        const p = this.#parts;

        this.#known = text;
        this.#pending = text;
        this.#theirs = text;
        p.theirs.value = shown(text);
        p.copy.disabled = false;

        if (!this.#panel.isOpen()) {
            this.#panel.badge("1");
        }

        this.#write();
    }

    /* a browser may want a gesture for it, or the focus */
    async #write() {
        const text = this.#pending;

        if (text === null) {
            return;
        }

        try {
            await navigator.clipboard.writeText(text);

            if (this.#pending === text) {
                this.#pending = null;
                this.#panel.badge("");
            }

        } catch {
            /* it stays in the panel, and is tried at the next gesture */
        }
    }

    #wireGesture() {
        for (const type of ["pointerup", "focus"]) {
            addEventListener(type, () => this.#write(), {capture: true});
        }
    }

    async #copy() {
        this.#pending = this.#theirs;
        await this.#write();

        if (this.#pending === null) {
            setText(this.#parts.copy, "Copied");
            setTimeout(() => setText(this.#parts.copy, "Copy here"), 2000);

        } else {
            this.#parts.theirs.select();
        }
    }
}


/** @param {import("./pages/session.js").SessionPage} page */
export function installClipboard(page) {
    new Panel(page);
}
