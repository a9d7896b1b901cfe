
/*
 * Copyright (C) rs-gateway contributors
 *
 * Keeps a Fleet as the gateway has it: reads the list page by page, and
 * then hears of changes; while it does not hear, it reads again, the less
 * often the longer the list is.  No DOM.
 *
 * Events: change; error RsError; out RsError (the credential is void).
 */

import { RsError, RsEvent, systemClock } from "./rs-api.js";


const PAGE = 200;
const MAX = 20000;              /* devices a page keeps */
const POLL_MS = 4000;           /* for each page there is */
const POLL_MAX_MS = 60000;
const SINGLE_MAX = 50;          /* devices read one by one, or all anew */


export class DeviceFeed extends EventTarget {
    #fleet;
    #account;
    #clock;
    #turn = null;               /* who stops or starts anew replaces it */
    #loaded = false;
    #more = false;
    #watch;
    #heard = new Map();         /* id -> fields, null: gone; in this round */
    #wanted = new Set();        /* ids to be read */
    #reading = false;           /* the round, or some of those */

    /**
     * @param {{fleet: import("./rs-fleet.js").Fleet,
     *          account: () => import("./rs-account.js").RsAccount,
     *          watch: import("./rs-watch.js").RsWatch,
     *          clock?: import("./rs-api.js").Clock}} o
     */
    constructor({fleet, account, watch, clock = systemClock}) {
        super();
        this.#watch = watch;
        this.#fleet = fleet;
        this.#account = account;
        this.#clock = clock;

        /* what happened before it was live, or between, is read */
        watch.addEventListener("live", () => this.#turn && this.#again());
        watch.addEventListener("resync", () => this.#turn && this.#again());
        watch.addEventListener("device", (ev) => this.#hear(ev.detail));
    }

    /** Changes are heard of as they happen. */
    get live() {
        return this.#watch.live;
    }

    /** All pages have been read once. */
    get loaded() {
        return this.#loaded;
    }

    /** There are more devices than are kept. */
    get more() {
        return this.#more;
    }

    /** The account, or its tenant, is another one: nothing is known. */
    forget() {
        this.stop();
        this.#fleet.clear();
        this.#loaded = false;
        this.#more = false;
    }

    /** Goes on, if it did not. */
    start() {
        if (this.#turn === null) {
            this.#watch.start();
            this.#again();
        }
    }

    /** All of it is to be read now. */
    refresh() {
        this.#watch.start();
        this.#again();
    }

    stop() {
        this.#end();
        this.#watch.stop();
    }

    #again() {
        this.#end();
        this.#round(this.#turn = {timer: null});
    }

    #end() {
        this.#clock.clearTimeout(this.#turn?.timer);
        this.#turn = null;
        this.#wanted.clear();
        this.#reading = false;
    }

    #say(type, detail) {
        this.dispatchEvent(new RsEvent(type, detail));
    }

    async #round(turn) {
        let wait = POLL_MS;

        this.#heard.clear();
        this.#reading = true;

        try {
            const pages = await this.#read(turn);

            if (this.#turn !== turn) {
                return;
            }

            wait = Math.min(POLL_MS * pages, POLL_MAX_MS);
            this.#reading = false;
            this.#readWanted(turn);

            if (this.#watch.live) {
                return;
            }

        } catch (e) {
            if (this.#turn !== turn) {
                return;
            }

            wait = this.#failed(e);

            if (wait === null) {
                return;
            }
        }

        turn.timer = this.#clock.setTimeout(() => this.#round(turn), wait);
    }

    /* how many pages there are */
    async #read(turn) {
        const {api} = this.#account();
        const seen = new Set();
        let cursor = null;
        let pages = 0;

        do {
            const page = await api.devices({limit: PAGE, cursor});

            if (this.#turn !== turn) {
                return pages;
            }

            for (const device of page.items) {
                /* what was heard meanwhile is newer than the page */
                const heard = this.#heard.get(device.id);

                if (heard !== null) {
                    seen.add(device.id);
                    this.#fleet.put({...device, ...heard});
                }
            }

            cursor = page.next_cursor;
            pages++;

            if (cursor !== null && !this.#loaded) {
                this.#say("change");
            }
        } while (cursor !== null && seen.size < MAX);

        this.#fleet.keep(seen);
        this.#more = cursor !== null;
        this.#loaded = true;
        this.#say("change");

        return pages;
    }

    #hear({id, change, at}) {
        if (this.#turn === null) {
            return;
        }

        if (change === "gone") {
            this.#heard.set(id, null);
            this.#fleet.delete(id);

        } else if (change === "online" || change === "offline") {
            const online = change === "online";
            const fields = {online, last_seen_at: at,
                            ...(online ? {connected_at: at} : {})};

            this.#heard.set(id, {...this.#heard.get(id), ...fields});

            if (!this.#fleet.patch(id, fields)) {
                this.#want(id);
            }

        } else {
            this.#heard.delete(id);
            this.#want(id);
        }

        this.#say("change");
    }

    #want(id) {
        this.#wanted.add(id);
        this.#readWanted(this.#turn);
    }

    /* one after the other; of many of them the list is quicker */
    async #readWanted(turn) {
        if (this.#reading) {
            return;
        }

        this.#reading = true;

        while (this.#wanted.size > 0) {
            const [id] = this.#wanted;

            if (this.#wanted.size > SINGLE_MAX
                || !await this.#readOne(id, turn))
            {
                if (this.#turn === turn) {
                    this.#again();
                }

                return;
            }
        }

        this.#reading = false;
    }

    /* false: it is not known what it is now, or nobody wants to know */
    async #readOne(id, turn) {
        this.#wanted.delete(id);

        try {
            const {data} = await this.#account().api.device(id);

            if (this.#turn === turn) {
                this.#fleet.put(data);
            }

        } catch (e) {
            if (e.code !== "not_found") {
                return false;
            }

            if (this.#turn === turn) {
                this.#fleet.delete(id);
            }
        }

        if (this.#turn === turn) {
            this.#say("change");
        }

        return this.#turn === turn;
    }

    /* when to try again, null: not by itself */
    #failed(e) {
        if (this.#account().expired) {
            /* until it is renewed */
            this.#say("error", new RsError("token_expired"));
            return null;
        }

        if (e.code === "unauthenticated") {
            /* revoked meanwhile */
            this.#say("out", e);
            return null;
        }

        this.#say("error", e);

        /* as long as a busy gateway asks for, and not all pages at once */
        return Math.min(POLL_MAX_MS,
                        Math.max(POLL_MS, (e.retry_after_s ?? 0) * 1000))
               + this.#clock.random() * POLL_MS;
    }
}
