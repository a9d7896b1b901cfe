
/*
 * Copyright (C) rs-gateway contributors
 *
 * Sessions, running ones and those that have ended, newest first.
 *
 * Event: out RsError (the credential is void).
 */

import { RsEvent } from "../rs-client.js";
import { el, fillFacts, icon } from "../rs-dom.js";
import { RsRecords } from "../rs-records.js";
import { durationWords, endWords, pathWords, peopleWords, stateWords,
         whenWords } from "../rs-words.js";


const SCREEN = "M4 5h16v11H4zM9 20h6M12 16v4";
const PAGE = 100;
const LIVE_MS = 10000;      /* running sessions change by themselves */
const SOON_MS = 500;        /* many changes at once are one */


/* what a query, or a choice, is looked for in */
function heap(session, device) {
    return [device, session.reason, session.external_id, session.id,
            peopleWords(session)].join("\n").toLowerCase();
}


export class HistoryPage extends EventTarget {
    #app;
    #fleet;
    #records;
    #timer = null;

    /** @param {Document} document
     *  @param {{app: any, fleet: import("../rs-fleet.js").Fleet}} o */
    constructor(document, {app, fleet}) {
        super();
        this.#app = app;
        this.#fleet = fleet;
        this.#records = new RsRecords(document.getElementById("history"), {
            id: "history", title: "History",
            lead: "Sessions, the newest first. Ended ones are kept for a "
                  + "while; the audit keeps who did what.",
            search: "Search device, person, reason",
            shows: [["all", "All"], ["running", "Running"],
                    ["ended", "Ended"]],
            empty: ["No sessions yet", "Each session is listed here from its "
                    + "beginning, and for a while after its end."],
            read: (cursor) => app.account.api.sessions({limit: PAGE, cursor}),
            pass: (s, want) => this.#pass(s, want),
            row: (s) => this.#row(s),
            out: (e) => this.dispatchEvent(new RsEvent("out", e)),
        });
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

    /** A session is another one than it was. */
    changed() {
        if (this.#timer !== null) {
            this.#again(SOON_MS);
        }
    }

    #again(ms = LIVE_MS) {
        clearTimeout(this.#timer);

        const mine = this.#timer = setTimeout(async () => {
            await this.#records.refresh();

            if (this.#timer === mine) {
                this.#again();
            }
        }, ms);
    }

    #name({host}) {
        const device = this.#fleet.get(host?.device_id);

        return device?.name || host?.device_id || "A browser";
    }

    #pass(session, {query, show}) {
        const ended = session.state === "ended";

        return (show === "all" || ended === (show === "ended"))
               && query.every((w) => heap(session, this.#name(session))
                                         .includes(w));
    }

    #row(session) {
        const ended = session.state === "ended";
        const now = Date.now() / 1000;
        const facts = el("dl", {class: "facts"});
        const length = durationWords((session.ended_at ?? now)
                                     - session.created_at);
        const rows = [
            ["Began", whenWords(session.created_at)],
            ["Ended", ended ? whenWords(session.ended_at) : "not yet"],
            ["Path", session.path ? pathWords(session.path) : "none"],
            ["Rules", session.policy?.relay_only ? "relay only" : "any path"],
            ["Reason", session.reason ?? "none given"],
            ["Id", session.id],
        ];

        if (ended) {
            rows.splice(2, 0, ["Why", [endWords(session.end_reason).help,
                                       session.end_detail]
                                      .filter((t) => t).join(" ")]);
        }

        fillFacts(facts, rows);

        const people = el("ul", {class: "people"},
            ...(session.participants ?? []).map((p) => el("li", {},
                p.name || (p.role === "host" ? this.#name(session)
                                             : "Unnamed"),
                el("small", {}, ` ${p.role}, ${p.state}`))));

        return {
            key: session.id + session.state, state: session.state,
            glyph: icon(SCREEN),
            title: this.#name(session),
            about: peopleWords(session)
                   || (ended ? "Nobody joined" : "Nobody yet"),
            chip: ended ? endWords(session.end_reason).title
                        : stateWords(session.state),
            kind: ended ? endKind(session.end_reason) : "good",
            when: whenWords(session.created_at), more: length,
            body: el("div", {class: "record-body"}, facts, people,
                     ended ? null : this.#endButton(session)),
        };
    }

    #endButton(session) {
        if (!this.#app.account.can("sessions:write")) {
            return null;
        }

        const button = el("button", {type: "button", class: "danger",
                                     onclick: async () => {
            button.disabled = true;

            try {
                await this.#app.account.api.endSession(session.id);
                await this.#records.refresh();

            } catch (e) {
                button.disabled = false;
                this.#records.error(e);
            }
        }}, "End this session");

        return el("div", {class: "acts"}, button);
    }
}


/* how bad an end was */
function endKind(reason) {
    return reason === "left" || reason === "deleted" ? "plain" : "warn";
}
