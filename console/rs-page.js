
/*
 * Copyright (C) rs-gateway contributors
 *
 * The browser of a rendered session, docs/protocol/peer.md "rs-page": which
 * page it shows, where it is to go, which document it is to show.  No DOM.
 */

import { RsEvent } from "./rs-api.js";


const URL_MAX = 2048;
const TITLE_MAX = 512;
const ID_MAX = 2147483647;

const WHYS = new Set(["policy", "network", "scheme", "submit", "size"]);
const DOCUMENT_STATES = new Set(["converting", "shown", "refused"]);

const NOTHING = Object.freeze({url: "", title: "", loading: false,
                               back: false, forward: false,
                               documents: false, max_document: 0,
                               downloads: false});


function text(value, most) {
    return typeof value === "string" ? value.slice(0, most) : "";
}


/** What somebody typed into an address field: a URL, "" when it is none. */
export function addressOf(typed) {
    const trimmed = typed.trim();

    /* "localhost:8080" has no scheme, "about:blank" has one */
    const named = /^[a-z][a-z0-9+.-]*:(?!\d)/i.test(trimmed);

    try {
        const url = new URL(named ? trimmed : `https://${trimmed}`);

        return (url.protocol === "https:" || url.protocol === "http:")
               && url.href.length <= URL_MAX ? url.href : "";

    } catch {
        return "";
    }
}


/**
 * Events, each an RsEvent:
 *
 *   open      boolean   the host has said hello over the line of now
 *   page      {url, title, loading, back, forward, documents, max_document,
 *             downloads}
 *   blocked   {url, why}
 *   crashed   boolean   whether the browser is started again
 *   downloaded  {name}   a file of a page is in the folder of rs-files
 *   document  {id, name, state, code, message}   of one that show() named
 */
export class RsPage extends EventTarget {
    #channel;
    #detour;
    #id = 0;
    #undo = [];

    open = false;
    state = NOTHING;

    /**
     * @param {import("./rs-channel.js").RsChannel} channel
     *     peer.channel("rs-page")
     * @param {{detour?: (message: object) => boolean}} [o]  the way where
     *     no channel is
     */
    constructor(channel, o = {}) {
        super();
        this.#channel = channel;
        this.#detour = o.detour ?? (() => false);

        const on = (type, f) => {
            channel.addEventListener(type, f);
            this.#undo.push(() => channel.removeEventListener(type, f));
        };

        on("message", (ev) => this.#onMessage(ev.detail));
        on("close", () => this.#setOpen(false));
    }

    /* what the user wants: false, it was not sent */

    go(url) {
        return this.#send({type: "go", url: url.slice(0, URL_MAX)});
    }

    back() {
        return this.#send({type: "back"});
    }

    forward() {
        return this.#send({type: "forward"});
    }

    reload() {
        return this.#send({type: "reload"});
    }

    stop() {
        return this.#send({type: "stop"});
    }

    /** The id that "document" will name; 0: it was not sent. */
    show(name) {
        this.#id = this.#id % ID_MAX + 1;

        return this.#send({type: "show", id: this.#id, name}) ? this.#id : 0;
    }

    /** The session is over. */
    close() {
        for (const undo of this.#undo.splice(0)) {
            undo();
        }

        this.#setOpen(false);
    }

    #send(message) {
        return this.#channel.open ? this.#channel.send(message)
                                  : this.#detour(message);
    }

    #say(type, detail) {
        this.dispatchEvent(new RsEvent(type, detail));
    }

    #setOpen(open) {
        if (this.open !== open) {
            this.open = open;
            this.#say("open", open);
        }
    }

    #onMessage(m) {
        switch (m.type) {

        case "hello":
            this.#onPage(m);
            this.#setOpen(true);
            break;

        case "page":
            this.#onPage(m);
            break;

        case "blocked":
            this.#say("blocked", {url: text(m.url, URL_MAX),
                                  why: WHYS.has(m.why) ? m.why : "other"});
            break;

        case "crashed":
            this.#say("crashed", m.restarting === true);
            break;

        case "downloaded":
            this.#say("downloaded", {name: text(m.name, TITLE_MAX)});
            break;

        case "document":
            if (DOCUMENT_STATES.has(m.state)) {
                this.#say("document", {
                    id: Number(m.id) || 0, name: text(m.name, TITLE_MAX),
                    state: m.state, code: text(m.code, TITLE_MAX),
                    message: text(m.message, TITLE_MAX)});
            }

            break;
        }
    }

    #onPage(m) {
        const most = m.max_document;

        this.state = {
            url: text(m.url, URL_MAX), title: text(m.title, TITLE_MAX),
            loading: m.loading === true, back: m.back === true,
            forward: m.forward === true, documents: m.documents === true,
            max_document: Number.isSafeInteger(most) && most > 0 ? most : 0,
            downloads: m.downloads === true,
        };
        this.#say("page", this.state);
    }
}
