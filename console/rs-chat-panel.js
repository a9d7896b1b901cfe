
/*
 * Copyright (C) rs-gateway contributors
 *
 * The chat's panel in the session view.
 */

import { RsChat } from "./rs-chat.js";
import { el, fillError, setText } from "./rs-dom.js";


const ICON = "M4 5h16v11H9l-5 4zM8 9h8M8 12h5";
const LINES_MAX = 300;


class Panel {
    #page;
    #panel;
    #parts = {};
    #chat = null;
    #unread = 0;

    constructor(page) {
        this.#page = page;
        this.#panel = page.stage.addPanel({
            id: "chat", icon: ICON, title: "Chat", order: 30, hidden: true,
            build: (element) => this.#build(element),
            opened: () => this.#opened(),
        });

        page.addEventListener("peer", (ev) => this.#begin(ev.detail));
        page.addEventListener("end", () => this.#end());
    }

    #build(element) {
        const p = this.#parts;

        p.lines = el("ol", {id: "chat-lines", class: "chat-lines",
                            role: "log", tabindex: "0",
                            "aria-label": "What was said"});
        p.note = el("p", {class: "muted", id: "chat-note"});
        p.error = el("div", {class: "error", id: "chat-error", role: "alert",
                             hidden: true});
        p.text = el("input", {type: "text", id: "chat-text",
                              autocomplete: "off", maxlength: 1000,
                              "aria-label": "Message"});
        p.send = el("button", {type: "submit", class: "primary",
                               id: "chat-send"}, "Send");
        p.form = el("form", {class: "chat-form",
                             onsubmit: (ev) => this.#send(ev)},
                    p.text, p.send);
        element.append(p.lines, p.note, p.error, p.form);
    }

    #begin(run) {
        this.#end();
        this.#chat = new RsChat(run.peer.channel("rs-chat"));
        this.#chat.addEventListener("open", () => this.#render());
        this.#chat.addEventListener("said", (ev) => this.#said(ev.detail));
        this.#render();
    }

    #end() {
        this.#chat?.close();
        this.#chat = null;
        this.#parts.lines.replaceChildren();
        this.#parts.text.value = "";
        fillError(this.#parts.error, null);
        this.#count(0);
        this.#render();
    }

    #count(unread) {
        this.#unread = unread;
        this.#panel.badge(unread === 0 ? "" : String(unread));
    }

    #opened() {
        this.#count(0);
        this.#parts.text.focus();
    }

    /* what was said stays to be read while a line is being replaced */
    #render() {
        const p = this.#parts;
        const open = this.#chat?.open === true;

        this.#panel.button.hidden = !open
                                    && p.lines.childElementCount === 0;
        p.text.disabled = !open;
        p.send.disabled = !open;
        setText(p.note, !open ? "Not connected."
                : this.#chat.person
                  ? "Everybody in this session and the person at the device can read it."
                  : "Everybody in this session can read it.");
    }

    #said({text, name, device, mine}) {
        const {lines} = this.#parts;
        const who = mine ? "You" : device ? "At the device"
                                          : name || "Somebody";

        lines.append(el("li", {dataset: {from: mine ? "me" : device
                                               ? "device" : "other"}},
                        el("b", {}, who), el("span", {}, text)));

        while (lines.childElementCount > LINES_MAX) {
            lines.firstElementChild.remove();
        }

        lines.scrollTop = lines.scrollHeight;

        if (!mine && !this.#panel.isOpen()) {
            this.#count(this.#unread + 1);
        }
    }

    async #send(ev) {
        const {text, error} = this.#parts;
        const said = text.value;

        ev.preventDefault();
        fillError(error, null);

        if (said.trim() === "") {
            return;
        }

        try {
            text.value = "";
            await this.#chat.say(said);

        } catch (e) {
            text.value ||= said;
            fillError(error, e);
        }
    }
}


/** @param {import("./pages/session.js").SessionPage} page */
export function installChat(page) {
    new Panel(page);
}
