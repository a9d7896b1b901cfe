
/*
 * Copyright (C) rs-gateway contributors
 *
 * The audit: who did what, and who was refused, newest first.
 *
 * Event: out RsError (the credential is void).
 */

import { RsEvent } from "../rs-client.js";
import { el, fillFacts, icon } from "../rs-dom.js";
import { RsRecords } from "../rs-records.js";
import { actorWords, whenWords, verbWords } from "../rs-words.js";


const DONE = "M5 12.5l4.5 4.5L19 7.5";
const DENIED = "M6 6l12 12M18 6 6 18";
const PAGE = 100;


export class AuditPage extends EventTarget {
    #records;
    #fleet;

    /** @param {Document} document
     *  @param {{app: any, fleet: import("../rs-fleet.js").Fleet}} o */
    constructor(document, {app, fleet}) {
        super();
        this.#fleet = fleet;
        this.#records = new RsRecords(document.getElementById("audit"), {
            id: "audit", title: "Audit",
            lead: "Who did what, and who was refused. Nothing here can be "
                  + "changed from this page.",
            search: "Search person, action, object, address",
            shows: [["all", "All"], ["allow", "Allowed"],
                    ["deny", "Refused"]],
            empty: ["Nothing is recorded yet", "Every change, and every "
                    + "refusal, leaves a line here."],
            read: (cursor) => app.account.api.audit(
                {order: "newest", limit: PAGE, cursor}),
            pass: (line, want) => this.#pass(line, want),
            row: (line) => this.#row(line),
            out: (e) => this.dispatchEvent(new RsEvent("out", e)),
        });
    }

    show() {
        this.#records.show();
    }

    hide() {
    }

    forget() {
        this.#records.forget();
    }

    #object(line) {
        return this.#fleet.get(line.object)?.name || line.object || "";
    }

    #pass(line, {query, show}) {
        const heap = [actorWords(line.actor), line.actor?.id, line.verb,
                      verbWords(line.verb), line.object, this.#object(line),
                      line.address, line.reason, line.detail]
                     .join("\n").toLowerCase();

        return (show === "all" || line.outcome === show)
               && query.every((w) => heap.includes(w));
    }

    #row(line) {
        const denied = line.outcome === "deny";
        const facts = el("dl", {class: "facts"});

        fillFacts(facts, [
            ["Action", line.verb], ["Object", line.object],
            ["By", [line.actor?.kind, line.actor?.id].filter((t) => t)
                                                     .join(" ")],
            ["From", line.address], ["Reason", line.reason],
            ["Detail", line.detail], ["Request", line.request_id],
            ["Line", line.id],
        ].filter(([, value]) => value));

        return {
            key: line.id, state: line.outcome,
            glyph: icon(denied ? DENIED : DONE),
            title: verbWords(line.verb),
            about: [actorWords(line.actor), this.#object(line)]
                   .filter((t) => t).join(" · "),
            chip: denied ? "Refused" : line.reason ? "Failed" : "Done",
            kind: denied ? "bad" : line.reason ? "warn" : "good",
            when: whenWords(line.at), more: line.address ?? "",
            body: el("div", {class: "record-body"}, facts),
        };
    }
}
