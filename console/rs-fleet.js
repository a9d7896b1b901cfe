
/*
 * Copyright (C) rs-gateway contributors
 *
 * The devices a page knows, thousands of them: kept sorted by name, searched
 * and counted without the DOM.  Services (renderers, recorders) are devices
 * of another kind: known by their id, in no list and no count.
 */

import { agentWords } from "./rs-words.js";


const collator = new Intl.Collator("en", {numeric: true,
                                          sensitivity: "base"});


function compare(a, b) {
    return collator.compare(a.name, b.name)
           || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}


/* what a device is found by, and ordered by */
function entryOf(device) {
    const tags = Array.isArray(device.tags) ? device.tags : [];

    return {
        id: device.id, device, tags, name: device.name || device.id,
        service: Boolean(device.kind) && device.kind !== "desktop",
        heap: [device.name, device.id, ...tags, agentWords(device)]
              .join("\n").toLowerCase(),
    };
}


/* two sorted lists as one */
function merge(a, b) {
    const all = [];
    let i = 0;
    let j = 0;

    while (i < a.length && j < b.length) {
        all.push(compare(a[i], b[j]) <= 0 ? a[i++] : b[j++]);
    }

    return all.concat(a.slice(i), b.slice(j));
}


export class Fleet {
    #entries = new Map();   /* id -> entry */
    #sorted = [];           /* some of it may be out of date: see #fresh */
    #fresh = new Set();     /* ids whose place in it is not known */

    get size() {
        return this.#entries.size - this.#services;
    }

    get #services() {
        let n = 0;

        for (const {service} of this.#entries.values()) {
            n += service ? 1 : 0;
        }

        return n;
    }

    get(id) {
        return this.#entries.get(id)?.device ?? null;
    }

    clear() {
        this.#entries.clear();
        this.#fresh.clear();
        this.#sorted = [];
    }

    /** A device as the gateway shows it. */
    put(device) {
        const before = this.#entries.get(device.id);
        const entry = entryOf(device);

        if (before?.name === entry.name) {
            Object.assign(before, entry);
            return;
        }

        this.#entries.set(device.id, entry);
        this.#fresh.add(device.id);
    }

    /** Some fields of one that is known.  False: it is not. */
    patch(id, fields) {
        const device = this.get(id);

        if (device !== null) {
            this.put({...device, ...fields});
        }

        return device !== null;
    }

    delete(id) {
        if (this.#entries.delete(id)) {
            this.#fresh.add(id);
        }
    }

    /** Only those of a set of ids stay. */
    keep(ids) {
        for (const id of this.#entries.keys()) {
            if (!ids.has(id)) {
                this.delete(id);
            }
        }
    }

    /* only what is new is sorted */
    #order() {
        if (this.#fresh.size > 0) {
            const fresh = [...this.#fresh].map((id) => this.#entries.get(id))
                                          .filter((e) => e !== undefined)
                                          .sort(compare);

            this.#sorted = merge(
                this.#sorted.filter((e) => !this.#fresh.has(e.id)), fresh);
            this.#fresh.clear();
        }

        return this.#sorted;
    }

    /**
     * Devices by name: those that have every word of the query somewhere.
     *
     * @param {{query?: string, show?: "all"|"online"|"offline",
     *          tag?: string, group?: string}} [want]
     * @returns {any[]}
     */
    list({query = "", show = "all", tag = "", group = ""} = {}) {
        const words = query.toLowerCase().split(/\s+/).filter((w) => w);
        const found = [];

        for (const entry of this.#order()) {
            const {device} = entry;

            if (!entry.service
                && (show === "all" || Boolean(device.online)
                                   === (show === "online"))
                && (tag === "" || entry.tags.includes(tag))
                && (group === "" || device.group_id === group)
                && words.every((word) => entry.heap.includes(word)))
            {
                found.push(device);
            }
        }

        return found;
    }

    get online() {
        let n = 0;

        for (const {device, service} of this.#entries.values()) {
            n += device.online && !service ? 1 : 0;
        }

        return n;
    }

    /** All tags, those of most devices first. */
    tags() {
        const counts = new Map();

        for (const {tags, service} of this.#entries.values()) {
            for (const tag of service ? [] : tags) {
                counts.set(tag, (counts.get(tag) ?? 0) + 1);
            }
        }

        return [...counts].sort(([a, n], [b, m]) => m - n
                                                    || collator.compare(a, b))
                          .map(([tag]) => tag);
    }
}
