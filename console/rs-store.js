
/*
 * Copyright (C) rs-gateway contributors
 *
 * What outlives the page, in IndexedDB: the key of this browser, which a
 * string could not hold, and the keys pinned for devices.
 */

import { RsError } from "./rs-api.js";


const TABLE = "values";


/* of a request its result, of a transaction its end */
function done(it) {
    return new Promise((resolve, reject) => {
        it.onsuccess = it.oncomplete = () => resolve(it.result);
        it.onerror = it.onabort = () => reject(it.error);
    });
}


/** A store of rs-identity.js.  Opened by its first use. */
export class RsStore {
    #name;
    #opened = null;

    constructor(name) {
        this.#name = name;
    }

    #open() {
        this.#opened ??= new Promise((resolve, reject) => {
            const request = indexedDB.open(this.#name, 1);

            request.onupgradeneeded = () => {
                request.result.createObjectStore(TABLE);
            };
            request.onsuccess = () => resolve(request.result);
            request.onerror = () => reject(request.error);
        });

        return this.#opened;
    }

    async #run(mode, f) {
        try {
            const db = await this.#open();

            return await done(f(db.transaction(TABLE, mode)
                                  .objectStore(TABLE)));

        } catch (e) {
            this.#opened = null;
            throw new RsError("no_store", {detail: String(e?.message ?? e)});
        }
    }

    get(name) {
        return this.#run("readonly", (table) => table.get(name));
    }

    async add(name, value) {
        await this.#run("readwrite", (table) => {
            const found = table.count(name);

            found.onsuccess = () => {
                if (found.result === 0) {
                    table.put(value, name);
                }
            };

            return found.transaction;
        });

        return this.get(name);
    }

    put(name, value) {
        return this.#run("readwrite", (table) => table.put(value, name));
    }

    /** Names that begin so, each with its value. */
    async entries(prefix) {
        const range = IDBKeyRange.bound(prefix, prefix + "\uffff");
        let names, values;

        await this.#run("readonly", (table) => {
            names = table.getAllKeys(range);
            values = table.getAll(range);

            return table.transaction;
        });

        return names.result.map((name, i) => [name, values.result[i]]);
    }

    delete(name) {
        return this.#run("readwrite", (table) => table.delete(name));
    }
}
