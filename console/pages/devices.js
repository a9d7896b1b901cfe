
/*
 * Copyright (C) rs-gateway contributors
 *
 * The list of devices: what is searched and shown of a Fleet, as rows of
 * which only those near the window exist.  DOM only.
 *
 * Events: open id; options id; connect {name, device_id}; help; add.
 */

import { RsEvent } from "../rs-client.js";
import { el, fillError, setText } from "../rs-dom.js";
import { RsVirtual } from "../rs-virtual.js";
import { agentWords, presenceWords } from "../rs-words.js";


const RENDER_MS = 100;      /* many changes at once are one */
const TAGS_MAX = 200;       /* to choose from */


export class DevicesPage extends EventTarget {
    #document;
    #fleet;
    #can;
    #rows;
    #state = {loaded: false, more: false};
    #groups = new Map();    /* id -> name */
    #tags = "";
    #timer = null;

    /** @param {Document} document
     *  @param {{fleet: import("../rs-fleet.js").Fleet,
     *           can: (verb: string) => boolean}} o */
    constructor(document, {fleet, can}) {
        super();
        this.#document = document;
        this.#fleet = fleet;
        this.#can = can;
        this.#rows = new RsVirtual(this.#get("device-list"), {
            make: (id) => this.#newRow(id),
            fill: (row, device) => this.#fillRow(row, device),
        });
        this.#wire();
    }

    #get(id) {
        return this.#document.getElementById(id);
    }

    #say(type, detail) {
        this.dispatchEvent(new RsEvent(type, detail));
    }

    #wire() {
        const search = this.#get("search");

        search.addEventListener("input", () => this.#look());

        for (const id of ["show-group", "show-tag"]) {
            this.#get(id).addEventListener("change", () => this.#look());
        }

        for (const radio of this.#radios()) {
            radio.addEventListener("change", () => this.#look());
        }

        this.#get("help-open").addEventListener("click",
                                                () => this.#say("help"));

        for (const id of ["add-open", "devices-first"]) {
            this.#get(id).addEventListener("click", () => this.#say("add"));
        }

        this.#get("devices-clear").addEventListener("click", () => {
            this.#reset();
            this.render();
            search.focus();
        });

        /* as in a terminal's pager */
        this.#document.addEventListener("keydown", (ev) => {
            if (ev.key === "/" && !ev.ctrlKey && !ev.altKey && !ev.metaKey
                && !this.#get("app").hidden && !this.#get("devices").hidden
                && !this.#document.querySelector("dialog[open]")
                && !ev.target.closest?.("input, textarea, select"))
            {
                ev.preventDefault();
                search.select();
            }
        });
    }

    #radios() {
        return this.#document.querySelectorAll('input[name="show"]');
    }

    #reset() {
        this.#get("search").value = "";
        this.#get("show-tag").value = this.#get("show-group").value = "";
        this.#document.querySelector('input[name="show"][value="all"]')
                      .checked = true;
    }

    #want() {
        return {
            query: this.#get("search").value,
            show: this.#document.querySelector('input[name="show"]:checked')
                      .value,
            tag: this.#get("show-tag").value,
            group: this.#get("show-group").value,
        };
    }

    /* something else is wanted: from its top */
    #look() {
        this.render();
        this.#document.scrollingElement.scrollTop = 0;
    }

    /** The account left: what it saw is gone. */
    forget() {
        this.#reset();
        this.#rows.clear();
        this.#groups.clear();
        this.#tags = "";
        this.setState({loaded: false, more: false, live: false});
        this.error(null);
    }

    /** @param {{id: string, name: string}[]} groups */
    setGroups(groups) {
        this.#groups = new Map(groups.map((g) => [g.id, g.name]));
        this.#options("show-group", "All groups",
                      groups.map((g) => [g.id, g.name]));
    }

    /** A group's name, "" of one that is not known. */
    groupName(id) {
        return this.#groups.get(id) ?? "";
    }

    #options(id, none, options) {
        const select = this.#get(id);
        const {value} = select;

        select.replaceChildren(el("option", {value: ""}, none),
                               ...options.map(([key, text]) => el(
                                   "option", {value: key}, text)));
        select.hidden = options.length === 0;
        select.value = options.some(([key]) => key === value) ? value : "";
    }

    /** @param {{loaded: boolean, more: boolean, live: boolean}} state */
    setState(state) {
        const live = this.#get("devices-live");

        this.#state = state;
        live.dataset.live = String(state.live);
        live.hidden = !state.loaded;
        setText(live.querySelector("span"),
                state.live ? "Live" : "Checked now and then");
    }

    /** Something of the fleet has changed. */
    changed() {
        this.#timer ??= setTimeout(() => this.render(), RENDER_MS);
    }

    error(error) {
        fillError(this.#get("devices-error"), error);
    }

    render() {
        clearTimeout(this.#timer);
        this.#timer = null;
        this.#get("help-open").hidden = !this.#can("sessions:write");
        this.#get("add-open").hidden = !this.#can("enrollments:write")
                                       || this.#fleet.size === 0;
        this.#renderTags();

        const want = this.#want();
        const shown = this.#fleet.list(want);
        const loading = !this.#state.loaded && this.#fleet.size === 0;

        this.#rows.set(shown);
        this.#get("devices-loading").hidden = !loading
            || !this.#get("devices-error").hidden;
        this.#renderCount(shown.length);
        this.#renderEmpty(want, shown.length);
    }

    #renderTags() {
        const tags = this.#fleet.tags().slice(0, TAGS_MAX).sort();
        const text = tags.join("\n");

        if (text !== this.#tags) {
            this.#tags = text;
            this.#options("show-tag", "All tags", tags.map((t) => [t, t]));
        }
    }

    #renderCount(shown) {
        const n = this.#fleet.size;
        const all = n.toLocaleString("en") + (this.#state.more ? "+" : "");
        let text = "Loading…";

        if (!this.#state.loaded && n > 0) {
            text = `Loading… ${all}`;

        } else if (this.#state.loaded && shown < n) {
            text = `${shown.toLocaleString("en")} of ${all} shown`;

        } else if (this.#state.loaded) {
            text = n === 0 ? ""
                   : `${this.#fleet.online.toLocaleString("en")} of ${
                        all} online`;
        }

        setText(this.#get("devices-count"), text);
    }

    #renderEmpty(want, shown) {
        const box = this.#get("devices-empty");
        const filtered = want.query.trim() !== "" || want.tag !== ""
                         || want.group !== "";
        let words = ["No devices yet", this.#can("enrollments:write")
                     ? "One line on a computer, and it appears here as soon "
                       + "as it connects."
                     : "An administrator can give you some: they appear "
                       + "here then."];

        if (this.#fleet.size > 0 && filtered) {
            words = ["Nothing matches",
                     "No device has all of these words in its name, tags or "
                     + "system, and is what is chosen besides."];

        } else if (this.#fleet.size > 0 && want.show === "online") {
            words = ["Nothing is online",
                     "Devices show up here while rs-agent is connected."];

        } else if (this.#fleet.size > 0) {
            words = ["Nothing is offline",
                     "Every device is connected to the gateway."];
        }

        box.hidden = !this.#state.loaded || shown > 0;
        setText(box.querySelector("h2"), words[0]);
        setText(box.querySelector("p"), words[1]);
        this.#get("devices-clear").hidden = this.#fleet.size === 0;
        this.#get("devices-first").hidden = this.#fleet.size > 0
            || !this.#can("enrollments:write");
    }

    #newRow(id) {
        const row = this.#get("device-row").content.firstElementChild
                        .cloneNode(true);
        const on = (selector, f) => row.querySelector(selector)
                                       .addEventListener("click", f);

        row.dataset.device = id;
        on(".name", () => this.#say("open", id));
        on(".options", () => this.#say("options", id));
        on(".connect", () => {
            const {name} = this.#fleet.get(id) ?? {};

            this.#say("connect", {name: name || id, device_id: id});
        });

        return row;
    }

    #fillRow(row, device) {
        const name = device.name || device.id;
        const set = (selector, text) => {
            const element = row.querySelector(selector);

            if (element.textContent !== text) {
                element.textContent = text;
                element.title = text;
            }
        };

        row.dataset.online = String(Boolean(device.online));
        set(".name", name);
        set(".about", agentWords(device));
        set(".presence", presenceWords(device, Date.now() / 1000));

        const connect = row.querySelector(".connect");
        const options = row.querySelector(".options");

        connect.disabled = options.disabled = !device.online;
        connect.hidden = options.hidden = !this.#can("sessions:write");
        connect.setAttribute("aria-label", `Connect to ${name}`);
        options.setAttribute("aria-label", `Connect to ${name} with options`);
        fillTags(row.querySelector(".tags"), device.tags ?? []);
    }
}


/** Fills a list of tags, where it has other ones. */
export function fillTags(list, tags) {
    if (list.children.length !== tags.length
        || tags.some((t, i) => list.children[i].textContent !== t))
    {
        list.replaceChildren(...tags.map((tag) => el("li", {}, tag)));
    }
}
