
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the user of this browser prefers.  Nothing is written before
 * something else than the default was chosen; no secret is among it.
 */

const NAME = "rs-prefs";

const DEFAULTS = {theme: "system", role: "controller", relay: false};

const ALLOWED = {
    theme: ["system", "light", "dark"],
    role: ["controller", "viewer"],
    relay: [false, true],
};


export class RsPrefs {
    #storage;
    #values;

    /** @param {() => Storage} storage  throws where there is none */
    constructor(storage) {
        this.#storage = storage;
        this.#values = {...DEFAULTS, ...this.#read()};
    }

    /* whatever else stands there is not taken */
    #read() {
        const values = {};
        let stored = null;

        try {
            stored = JSON.parse(this.#storage().getItem(NAME));

        } catch {
            /* no storage, or not what was written */
        }

        for (const [name, allowed] of Object.entries(ALLOWED)) {
            if (allowed.includes(stored?.[name])) {
                values[name] = stored[name];
            }
        }

        return values;
    }

    get(name) {
        return this.#values[name];
    }

    /** False: it counts for this page only. */
    set(name, value) {
        this.#values[name] = value;

        const other = Object.entries(this.#values).filter(
            ([key, v]) => v !== DEFAULTS[key]);

        try {
            if (other.length === 0) {
                this.#storage().removeItem(NAME);

            } else {
                this.#storage().setItem(
                    NAME, JSON.stringify(Object.fromEntries(other)));
            }

        } catch {
            return false;
        }

        return true;
    }
}
