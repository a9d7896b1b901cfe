
/*
 * Copyright (C) rs-gateway contributors
 *
 * The recordings there are: of which session, how long, until when they are
 * kept; opened, and deleted.  One that was saved as a file is opened, too.
 *
 * Events: out RsError (the credential is void); play {recording} or {file}.
 */

import { RsEvent } from "../rs-client.js";
import { el, fillFacts, icon } from "../rs-dom.js";
import { RsRecords } from "../rs-records.js";
import { byteWords, lengthWords, recordingFacts, recordingWords, whenWords }
    from "../rs-words.js";


const CAMERA = "M3 6h12v12H3zM15 10.5l6-3v9l-6-3";
const PAGE = 100;
const LIVE_MS = 10000;      /* running ones change by themselves */
const WORTH = new Set(["kept", "incomplete"]);


export class RecordingsPage extends EventTarget {
    #app;
    #fleet;
    #records;
    #choice;
    #timer = null;

    /** @param {Document} document
     *  @param {{app: any, fleet: import("../rs-fleet.js").Fleet}} o */
    constructor(document, {app, fleet}) {
        super();
        this.#app = app;
        this.#fleet = fleet;

        const root = document.getElementById("recordings");

        this.#records = new RsRecords(root, {
            id: "recordings", title: "Recordings",
            lead: "Sealed for your auditors: whoever opens one needs an "
                  + "auditor's key, and the audit says who did.",
            search: "Search device, session, id",
            shows: [["all", "All"], ["kept", "Kept"],
                    ["incomplete", "Incomplete"], ["gone", "Gone"]],
            empty: ["No recordings", "A session is recorded where its "
                    + "policy says so, and a recorder is enrolled."],
            read: (cursor) => app.account.api.page(
                "/recordings", {limit: PAGE, cursor}),
            pass: (r, {query, show}) => (show === "all" || r.state === show)
                && query.every((w) => this.#heap(r).includes(w)),
            row: (r) => this.#row(r),
            out: (e) => this.dispatchEvent(new RsEvent("out", e)),
        });
        this.#addFile(root.querySelector(".tools"));
    }

    #addFile(tools) {
        this.#choice = el("input", {
            type: "file", class: "visually-hidden", id: "recordings-file",
            tabindex: "-1", "aria-hidden": "true", accept: ".tar",
            onchange: () => {
                const [file] = this.#choice.files;

                if (file !== undefined) {
                    this.dispatchEvent(new RsEvent("play", {file}));
                }

                this.#choice.value = "";
            }});
        tools.append(this.#choice, el("button", {
            type: "button", class: "quiet", id: "recordings-open",
            onclick: () => this.#choice.click()}, "Open a file…"));
    }

    show() {
        this.#records.show();
        this.#again();
    }

    hide() {
        clearTimeout(this.#timer);
        this.#timer = null;
    }

    forget() {
        this.hide();
        this.#records.forget();
    }

    #again() {
        clearTimeout(this.#timer);

        const mine = this.#timer = setTimeout(async () => {
            await this.#records.refresh();

            if (this.#timer === mine) {
                this.#again();
            }
        }, LIVE_MS);
    }

    #name({device_id}) {
        return this.#fleet.get(device_id)?.name || device_id || "A browser";
    }

    #heap(r) {
        return [this.#name(r), r.id, r.session_id, r.device_id].join("\n")
               .toLowerCase();
    }

    #row(r) {
        const facts = el("dl", {class: "facts"});
        const words = recordingWords(r.state);

        fillFacts(facts, recordingFacts(r));

        return {
            /* its hash may come later than its state */
            key: r.id + r.state + (r.sha256 ?? ""), state: r.state, glyph: icon(CAMERA),
            title: this.#name(r),
            about: r.bytes > 0 ? byteWords(r.bytes) : "",
            chip: words.chip, kind: words.kind,
            when: whenWords(r.started_at),
            more: r.duration_ms > 0 ? lengthWords(r.duration_ms) : "",
            body: el("div", {class: "record-body"}, facts,
                     words.help ? el("p", {class: "note"}, words.help) : null,
                     this.#acts(r)),
        };
    }

    #acts(r) {
        const open = el("button", {
            type: "button", class: "primary", dataset: {act: "open"},
            onclick: () => this.dispatchEvent(
                new RsEvent("play", {recording: r, title: this.#name(r)}))},
            "Open");

        if (!WORTH.has(r.state)) {
            return null;
        }

        return el("div", {class: "acts"}, open,
                  this.#app.account.can("recordings:delete")
                  ? this.#deleteButton(r) : null);
    }

    /* asked for twice: it cannot be had back */
    #deleteButton(r) {
        const button = el("button", {type: "button", class: "quiet",
                                     dataset: {act: "delete"},
                                     onclick: async () => {
            if (button.className === "quiet") {
                button.className = "danger";
                button.textContent = "Delete it for good";
                return;
            }

            button.disabled = true;

            try {
                await this.#app.account.api.request(
                    "DELETE", `/recordings/${encodeURIComponent(r.id)}`);
                await this.#records.refresh();

            } catch (e) {
                button.disabled = false;
                this.#records.error(e);
            }
        }}, "Delete…");

        return button;
    }
}
