
/*
 * Copyright (C) rs-gateway contributors
 *
 * The tunnels there are: whose, where to, what went through; and their end.
 *
 * Event: out RsError (the credential is void).
 */

import { RsEvent } from "../rs-client.js";
import { el, fillFacts, icon } from "../rs-dom.js";
import { RsRecords } from "../rs-records.js";
import { byteWords, tunnelFacts, tunnelMaker, tunnelWords, whenWords }
    from "../rs-words.js";


const PIPE = "M3 9h5v6H3zM16 9h5v6h-5zM8 12h8";
const PAGE = 100;
const LIVE_MS = 5000;       /* what went through changes by itself */


/* what a query is looked for in */
function heap(tunnel, device) {
    return [device, tunnel.target, tunnel.label, tunnelMaker(tunnel),
            tunnel.port, tunnel.id].join("\n").toLowerCase();
}


export class TunnelsPage extends EventTarget {
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
        this.#records = new RsRecords(document.getElementById("tunnels"), {
            id: "tunnels", title: "Tunnels",
            lead: "Ways to a port at a device or behind it, as long as they "
                  + "are open. The audit keeps what was.",
            search: "Search device, target, person",
            shows: [["all", "All"], ["used", "In use"]],
            empty: ["No tunnels", "“rs-tunnel ssh DEVICE” makes one, and so "
                    + "does a terminal in a device's panel."],
            read: (cursor) => app.account.api.page(
                "/tunnels", {limit: PAGE, cursor}),
            pass: (t, {query, show}) => (show === "all" || t.pipes > 0)
                && query.every((w) => heap(t, this.#name(t)).includes(w)),
            row: (t) => this.#row(t),
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
        return this.#fleet.get(device_id)?.name || device_id;
    }

    #row(tunnel) {
        const facts = el("dl", {class: "facts"});

        fillFacts(facts, tunnelFacts(tunnel));

        return {
            key: [tunnel.id, tunnel.pipes, tunnel.bytes_up,
                  tunnel.bytes_down].join(" "),
            state: tunnel.pipes > 0 ? "active" : "idle",
            glyph: icon(PIPE),
            title: this.#name(tunnel),
            about: tunnelWords(tunnel),
            chip: tunnel.pipes > 0 ? "In use" : "Idle",
            kind: tunnel.pipes > 0 ? "good" : "plain",
            when: whenWords(tunnel.created_at),
            more: byteWords(tunnel.bytes_up + tunnel.bytes_down),
            body: el("div", {class: "record-body"}, facts,
                     this.#endButton(tunnel)),
        };
    }

    #endButton(tunnel) {
        if (!this.#app.account.can("tunnels:write")) {
            return null;
        }

        const button = el("button", {type: "button", class: "danger",
                                     onclick: async () => {
            button.disabled = true;

            try {
                await this.#app.account.api.request("DELETE",
                                                    `/tunnels/${tunnel.id}`);
                await this.#records.refresh();

            } catch (e) {
                button.disabled = false;
                this.#records.error(e);
            }
        }}, "Close this tunnel");

        return el("div", {class: "acts"}, button);
    }
}
