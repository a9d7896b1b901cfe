
/*
 * Copyright (C) rs-gateway contributors
 *
 * A page of records that come newest first, page by page: search, a choice,
 * rows that open, and what is said while there is none.
 */

import { el, fillError, setText } from "./rs-dom.js";


const FIRST = 50;       /* records shown, if there are so many */
const READS_MAX = 5;    /* pages read for one press of "more" */


export class RsRecords {
    #o;
    #parts;
    #items = [];
    #cursor = null;         /* of what is older */
    #state = "new";         /* new, loading, ready */
    #turn = 0;              /* an answer of another turn is too late */
    #shown = FIRST;

    /**
     * @param {HTMLElement} root
     * @param {{id: string, title: string, lead: string, search: string,
     *          shows: [string, string][], empty: [string, string],
     *          read: (cursor: string|null) => Promise<{items: any[],
     *                                           next_cursor: string|null}>,
     *          pass: (item: any, want: {query: string[], show: string})
     *                => boolean,
     *          row: (item: any) => {key: string, state: string,
     *                glyph: Element, title: string, about: string,
     *                chip: string, kind: string, when: string, more: string,
     *                body: Element},
     *          out: (error: any) => void}} o  row() is asked for a record
     *        once; key says whether it is still the same
     */
    constructor(root, o) {
        this.#o = o;
        this.#parts = build(root, o);
        this.#wire();
    }

    #wire() {
        const p = this.#parts;
        const look = () => {
            this.#shown = FIRST;
            this.#render();
        };

        p.search.addEventListener("input", look);
        p.shows.addEventListener("change", look);
        p.more.addEventListener("click", () => this.#older());
        p.again.addEventListener("click", () => this.refresh());
    }

    /** The page appears: what it has is shown, and read anew. */
    show() {
        this.#render();
        this.#parts.title.focus();
        this.refresh();
    }

    forget() {
        this.#turn++;
        this.#items = [];
        this.#cursor = null;
        this.#state = "new";
        this.#shown = FIRST;
        this.#parts.search.value = "";
        this.#parts.list.replaceChildren();
        fillError(this.#parts.error, null);
    }

    error(error) {
        fillError(this.#parts.error, error);
    }

    /** Reads the newest ones, and keeps the older ones that are there. */
    async refresh() {
        await this.#read(null, (page) => {
            const ids = new Set(page.items.map((item) => item.id));
            const last = this.#items.findIndex((item) => ids.has(item.id));

            if (last < 0) {
                /* nothing in common: what is between is not known */
                this.#items = page.items;
                this.#cursor = page.next_cursor;
                return;
            }

            const end = this.#items.findLastIndex((i) => ids.has(i.id));

            if (end === this.#items.length - 1) {
                this.#cursor = page.next_cursor;
            }

            this.#items = [...page.items, ...this.#items.slice(end + 1)];
        });
    }

    async #older() {
        this.#shown += FIRST;

        for (let i = 0; i < READS_MAX; i++) {
            if (this.#cursor === null
                || this.#passing().length >= this.#shown)
            {
                break;
            }

            const done = await this.#read(this.#cursor, (page) => {
                this.#items.push(...page.items);
                this.#cursor = page.next_cursor;
            });

            if (!done) {
                return;
            }
        }

        this.#render();
    }

    async #read(cursor, take) {
        const turn = ++this.#turn;

        this.#state = this.#state === "new" ? "loading" : this.#state;
        this.#parts.again.disabled = this.#parts.more.disabled = true;
        this.#render();

        try {
            const page = await this.#o.read(cursor);

            if (turn !== this.#turn) {
                return false;
            }

            take(page);
            this.#state = "ready";
            this.error(null);

        } catch (e) {
            if (turn !== this.#turn) {
                return false;
            }

            if (e.code === "unauthenticated") {
                this.#o.out(e);
                return false;
            }

            this.#state = this.#state === "loading" ? "new" : this.#state;
            this.error(e);
        }

        this.#parts.again.disabled = this.#parts.more.disabled = false;
        this.#render();

        return true;
    }

    #want() {
        const p = this.#parts;

        return {
            query: p.search.value.toLowerCase().split(/\s+/)
                    .filter((w) => w),
            show: p.shows.querySelector("input:checked").value,
        };
    }

    #passing() {
        const want = this.#want();

        return this.#items.filter((item) => this.#o.pass(item, want));
    }

    #render() {
        const p = this.#parts;
        const passing = this.#passing();
        const rows = passing.slice(0, this.#shown);
        const none = this.#items.length === 0;

        this.#exchange(rows);
        p.loading.hidden = this.#state !== "loading" || !none;
        p.more.hidden = passing.length <= this.#shown
                        && this.#cursor === null;
        p.empty.hidden = this.#state !== "ready" || rows.length > 0;

        const [title, help] = none ? this.#o.empty
            : ["Nothing matches", this.#cursor === null
                                  ? "No record has all of that."
                                  : "None of those that were read. There "
                                    + "are older ones."];

        setText(p.empty.querySelector("h2"), title);
        setText(p.empty.querySelector("p"), help);
        setText(p.count, this.#state !== "ready" ? "" : none ? ""
                : `${passing.length}${this.#cursor === null ? "" : "+"}`
                  + (passing.length === 1 ? " record" : " records"));
    }

    /* rows that are as they were stay, and stay open */
    #exchange(items) {
        const {list} = this.#parts;
        const before = new Map([...list.children].map(
            (row) => [row.dataset.key, row]));

        items.forEach((item, i) => {
            const made = this.#o.row(item);
            const row = before.get(made.key) ?? rowOf(made);

            before.delete(made.key);
            setText(row.querySelector(".more-words"), made.more);
            setText(row.querySelector(".title"), made.title);

            if (list.children[i] !== row) {
                list.insertBefore(row, list.children[i] ?? null);
            }
        });

        for (const row of before.values()) {
            row.remove();
        }
    }
}


function rowOf(r) {
    return el("li", {class: "record", dataset: {key: r.key, state: r.state,
                                                kind: r.kind}},
        el("details", {},
           el("summary", {},
              el("span", {class: "glyph"}, r.glyph),
              el("span", {class: "what"}, el("b", {class: "title"}, r.title),
                 el("span", {class: "about muted"}, r.about)),
              el("span", {class: "outcome"}, r.chip),
              el("span", {class: "when"}, el("span", {}, r.when),
                 el("span", {class: "more-words muted"}, r.more))),
           r.body));
}


function build(root, o) {
    const p = {
        title: el("h1", {id: `${o.id}-title`, tabindex: "-1"}, o.title),
        count: el("p", {class: "muted", role: "status"}),
        again: el("button", {type: "button", class: "quiet"}, "Read again"),
        search: el("input", {type: "search", id: `${o.id}-search`,
                             placeholder: o.search, maxlength: "200",
                             spellcheck: "false"}),
        error: el("div", {class: "error", role: "alert", hidden: true}),
        list: el("ul", {class: "list", id: `${o.id}-list`,
                        "aria-labelledby": `${o.id}-title`}),
        loading: el("ul", {class: "list skeleton", "aria-hidden": "true",
                           hidden: true},
                    ...Array.from({length: 6}, () => el("li"))),
        empty: el("div", {class: "empty", hidden: true}, el("h2"), el("p")),
        more: el("button", {type: "button", class: "more", hidden: true},
                 "Show older ones"),
    };

    p.shows = el("fieldset", {class: "segments"},
        el("legend", {class: "visually-hidden"}, "Show"),
        ...o.shows.map(([value, text], i) => el("label", {},
            el("input", {type: "radio", name: `${o.id}-show`, value,
                         checked: i === 0}), el("span", {}, text))));

    root.append(
        el("div", {class: "heading"},
           el("div", {}, p.title, el("p", {class: "muted"}, o.lead)),
           p.again),
        el("div", {class: "tools", role: "search"},
           el("div", {class: "search"},
              el("label", {class: "visually-hidden",
                           for: `${o.id}-search`}, o.search), p.search),
           p.shows),
        p.count, p.error, p.loading, p.list, p.empty, p.more);

    return p;
}
