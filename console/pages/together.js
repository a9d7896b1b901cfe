
/*
 * Copyright (C) rs-gateway contributors
 *
 * Browsing together: a session whose host is a browser of the rendering
 * service.  What it shows first, its rules, and whether a visitor is invited
 * at once.
 *
 * Event: begin {name, render, policy, relay_only, guest} (what SessionPage
 * takes).
 */

import { RsEvent } from "../rs-client.js";
import { el, fillError, setText } from "../rs-dom.js";
import { addressOf } from "../rs-page.js";
import { serviceLoad, placesWords } from "../rs-words.js";


const SIZES = [["1280x720", "1280 × 720"], ["1600x900", "1600 × 900"],
               ["1920x1080", "1920 × 1080"], ["1024x768", "1024 × 768"],
               ["412x914", "412 × 914, a phone"]];
const RECORDING = [["off", "Not recorded"],
                   ["optional", "Recorded, if a recorder is there"],
                   ["required", "Recorded, or it does not begin"]];
const WAYS = [["both", "Both ways"], ["to_device", "To the browser only"],
              ["from_device", "From the browser only"], ["none", "None"]];
const PATTERNS_MAX = 32;
const MASKS_MAX = 16;
const PATTERN = /^(https?|\*):\/\/[^\s/]+(\/\S*)?$/;


/** The lines of a field that say something. */
export function linesOf(text) {
    return text.split("\n").map((line) => line.trim())
               .filter((line) => line !== "");
}


/**
 * The policy of what the form has: only what differs from nothing said.
 *
 * @param {{urls: string, mask: string, no_submit: boolean,
 *          downloads: boolean, clipboard: string, recording: string}} form
 * @returns {{policy: object, wrong: string}}  wrong: what is to be corrected
 */
export function policyOf(form) {
    const urls = linesOf(form.urls);
    const mask = linesOf(form.mask);
    const bad = urls.find((line) => !PATTERN.test(line));
    const long = mask.find((line) => line.length > 256
                                     || /[{}]/.test(line));
    const policy = {downloads: form.downloads ? "both" : "none"};
    let wrong = "";

    if (bad !== undefined) {
        wrong = `“${bad}” is not of the kind https://*.example.com/*`;

    } else if (urls.length > PATTERNS_MAX) {
        wrong = `${PATTERNS_MAX} addresses at most`;

    } else if (mask.length > MASKS_MAX) {
        wrong = `${MASKS_MAX} selectors at most`;

    } else if (long !== undefined) {
        wrong = "A selector has 256 characters at most, and no braces";
    }

    if (urls.length > 0) {
        policy.urls = urls;
    }

    if (mask.length > 0) {
        policy.mask = mask;
    }

    if (form.no_submit) {
        policy.no_submit = true;
    }

    if (form.clipboard !== "both") {
        policy.clipboard = form.clipboard;
    }

    if (form.recording !== "off") {
        policy.recording = form.recording;
    }

    return {policy, wrong};
}


function check(id, on, title, help) {
    return el("label", {class: "check"},
              el("input", {type: "checkbox", id, checked: on}),
              el("span", {}, el("b", {}, title), el("small", {}, help)));
}


function choice(id, label, options) {
    return el("div", {class: "pair"}, el("label", {for: id}, label),
              el("select", {id}, ...options.map(([value, text]) => el(
                  "option", {value}, text))));
}


function area(id, label, help, placeholder) {
    return el("div", {class: "pair"},
              el("label", {for: id}, label),
              el("textarea", {id, rows: "2", spellcheck: "false",
                              maxlength: "66000", placeholder,
                              "aria-describedby": `${id}-note`}),
              el("p", {class: "note", id: `${id}-note`}, help));
}


export class TogetherPage extends EventTarget {
    #app;
    #document;
    #title;
    #error;
    #places;
    #turn = 0;

    /** @param {Document} document  @param {{app: any}} o */
    constructor(document, {app}) {
        super();
        this.#app = app;
        this.#document = document;
        this.#build(document.getElementById("together"));
    }

    #get(id) {
        return this.#document.getElementById(`together-${id}`);
    }

    #build(root) {
        this.#title = el("h1", {id: "together-title", tabindex: "-1"},
                         "Browse together");
        this.#error = el("div", {class: "error", role: "alert",
                                 hidden: true});
        this.#places = el("p", {class: "live", id: "together-places",
                                "data-live": "false", hidden: true},
                          el("i", {class: "dot"}), el("span"));
        root.append(
            el("div", {class: "heading"},
               el("div", {}, this.#title, el("p", {class: "muted"},
                  "One browser for all who take part: it runs with the "
                  + "gateway, is made for this session alone, and is gone "
                  + "with it. Nobody installs anything.")),
               this.#places),
            el("form", {class: "together", autocomplete: "off",
                        onsubmit: (ev) => {
                            ev.preventDefault();
                            this.#begin();
                        }},
               this.#buildFirst(), this.#buildRules()));
    }

    #buildFirst() {
        return el("section", {class: "tile"},
            el("h2", {}, "What to look at"),
            el("label", {for: "together-url"}, "Address ",
               el("span", {class: "muted"}, "(may be typed later, too)")),
            el("div", {class: "field"},
               el("input", {type: "text", id: "together-url",
                            inputmode: "url", autocapitalize: "none",
                            spellcheck: "false", maxlength: "2048",
                            placeholder: "https://"}),
               el("button", {type: "submit", class: "primary",
                             id: "together-go"}, "Start")),
            this.#error,
            check("together-invite", true, "Make a link for a visitor",
                  "Whoever opens it takes part, in any browser. Ten minutes, "
                  + "once, with a PIN."),
            check("together-relay", true, "Use a relay only",
                  "Nobody learns anybody's address."),
            choice("together-recording", "Recording", RECORDING),
            choice("together-size", "Size", SIZES));
    }

    #buildRules() {
        return el("section", {class: "tile"},
            el("h2", {}, "Rules"),
            el("p", {class: "note"}, "For this session, besides those of "
               + "your administrators: the stricter ones count."),
            area("together-urls", "Addresses that may be opened",
                 "One in a line; *.example.com are the names below it, "
                 + "/shop* what begins so. None: all.",
                 "https://*.example.com/*"),
            area("together-mask", "Parts nobody sees",
                 "CSS selectors, one in a line. They are covered before the "
                 + "picture is made; so is whatever has data-rs-mask.",
                 "#card-number"),
            check("together-submit", false, "Only visitors send forms",
                  "What is filled in together, guests send themselves."),
            check("together-downloads", false, "Downloads",
                  "What pages offer goes into the session's files."),
            choice("together-clipboard", "Clipboard", WAYS));
    }

    show() {
        fillError(this.#error, null);
        this.#get("url").focus();
        this.#count();
    }

    hide() {
        this.#turn++;
    }

    forget() {
        this.hide();
        this.#get("url").value = "";
        this.#places.hidden = true;
    }

    /* whether there is a browser to be had; nothing hangs on it */
    async #count() {
        const turn = ++this.#turn;
        const {api} = this.#app.account;

        if (!this.#app.account.can("devices:read")) {
            return;
        }

        try {
            const {items} = await api.devices({kind: "renderer", limit: 64});

            if (turn === this.#turn) {
                const load = serviceLoad(items.filter(
                    (d) => d.kind === "renderer"));

                this.#places.hidden = false;
                this.#places.dataset.live = String(load.free > 0);
                setText(this.#places.querySelector("span"),
                        placesWords(load));
            }

        } catch {
            this.#places.hidden = true;
        }
    }

    #wrong(text) {
        this.#error.replaceChildren(el("b", {}, "Correct that first"),
                                    el("span", {}, text));
        this.#error.hidden = false;
    }

    #begin() {
        const typed = this.#get("url").value.trim();
        const url = typed === "" ? null : addressOf(typed);
        const [width, height] = this.#get("size").value.split("x")
                                                        .map(Number);
        const {policy, wrong} = policyOf({
            urls: this.#get("urls").value, mask: this.#get("mask").value,
            no_submit: this.#get("submit").checked,
            downloads: this.#get("downloads").checked,
            clipboard: this.#get("clipboard").value,
            recording: this.#get("recording").value,
        });

        fillError(this.#error, null);

        if (url === "" || wrong !== "") {
            this.#wrong(wrong || `“${typed}” is not an address of http or `
                                 + "https");
            return;
        }

        this.dispatchEvent(new RsEvent("begin", {
            name: url === null ? "Browser" : new URL(url).hostname,
            render: {...(url === null ? {} : {url}), width, height},
            relay_only: this.#get("relay").checked, policy,
            guest: this.#get("invite").checked
                   && this.#app.account.can("sessions:invite")
                   ? "controller" : undefined,
        }));
    }
}
