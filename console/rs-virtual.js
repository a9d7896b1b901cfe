
/*
 * Copyright (C) rs-gateway contributors
 *
 * A list of which only the rows near the window are in the page, so that
 * ten thousand of them are as quick as ten.  Rows have one height, that of
 * the first one.  A short list is there as a whole, for the browser's own
 * search; of a long one the row with the focus stays in any case.
 */

const WHOLE_MAX = 100;      /* rows */
const AHEAD = 10;           /* rows above and below the window */


export class RsVirtual {
    #list;
    #make;
    #fill;
    #items = [];
    #rows = new Map();      /* key -> row */
    #height = 0;            /* of a row, pixels */
    #frame = 0;

    /**
     * @param {HTMLElement} list  a <ul>, or whatever takes the rows
     * @param {{make: (key: string) => HTMLElement,
     *          fill: (row: HTMLElement, item: any) => void}} o
     *        items have an id, which is their key
     */
    constructor(list, {make, fill}) {
        const later = () => {
            this.#frame ||= requestAnimationFrame(() => {
                this.#frame = 0;
                this.#render(false);
            });
        };

        this.#list = list;
        this.#make = make;
        this.#fill = fill;
        addEventListener("scroll", later, {passive: true, capture: true});
        addEventListener("resize", () => {
            this.#height = 0;
            later();
        });
    }

    set(items) {
        this.#items = items;
        this.#render(true);
    }

    clear() {
        this.#items = [];
        this.#rows.clear();
        this.#list.replaceChildren();
    }

    /* from, to of what is to be in the page */
    #range() {
        const n = this.#items.length;

        if (n <= WHOLE_MAX) {
            return [0, n];
        }

        const {top} = this.#list.getBoundingClientRect();
        const first = Math.floor(-top / this.#height) - AHEAD;
        const last = Math.ceil((innerHeight - top) / this.#height) + AHEAD;

        return [Math.min(Math.max(first, 0), n),
                Math.min(Math.max(last, AHEAD), n)];
    }

    #row(item) {
        let row = this.#rows.get(item.id);

        if (row === undefined) {
            row = this.#make(item.id);
            this.#rows.set(item.id, row);
            this.#fill(row, item);
        }

        return row;
    }

    /* the places that are to be in the page */
    #places() {
        const [from, to] = this.#range();
        const places = Array.from({length: to - from}, (_, i) => from + i);
        const active = this.#list.ownerDocument.activeElement;

        for (const [key, row] of this.#rows) {
            const at = row.contains(active)
                       ? this.#items.findIndex((item) => item.id === key) : -1;

            if (at >= 0 && at < from) {
                places.unshift(at);

            } else if (at >= to) {
                places.push(at);
            }
        }

        return places;
    }

    /* all: what is shown may have changed, not only where the window is */
    #render(all) {
        const list = this.#list;
        const items = this.#items;
        const long = items.length > WHOLE_MAX;

        if (long && list.offsetParent === null) {
            return;         /* its page is not shown */
        }

        if (long && this.#height === 0) {
            this.#measure(items[0]);
        }

        const shown = this.#places().map((i) => {
            const row = this.#row(items[i]);

            if (all) {
                this.#fill(row, items[i]);
            }

            this.#place(row, i);

            return row;
        });

        list.style.height = long ? `${items.length * this.#height}px` : "";
        list.dataset.long = String(long);
        this.#exchange(shown);
    }

    #place(row, i) {
        const long = this.#items.length > WHOLE_MAX;

        row.style.transform = long ? `translateY(${i * this.#height}px)` : "";
        row.setAttribute("aria-setsize", String(this.#items.length));
        row.setAttribute("aria-posinset", String(i + 1));
    }

    #measure(item) {
        const row = this.#row(item);

        if (row.parentNode !== this.#list) {
            this.#list.prepend(row);
        }

        this.#height = row.getBoundingClientRect().height;

        /* never 0, where a page is not laid out */
        if (this.#height === 0) {
            this.#height = 64;
        }
    }

    /* rows move only when they must: the focus stays where it is */
    #exchange(shown) {
        const list = this.#list;
        const wanted = new Set(shown);

        for (const row of [...list.children]) {
            if (!wanted.has(row)) {
                row.remove();
            }
        }

        shown.forEach((row, i) => {
            if (list.children[i] !== row) {
                list.insertBefore(row, list.children[i] ?? null);
            }
        });

        for (const [key, row] of this.#rows) {
            if (!wanted.has(row)) {
                this.#rows.delete(key);
            }
        }
    }
}
