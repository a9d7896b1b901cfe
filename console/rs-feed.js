
/*
 * Copyright (C) rs-gateway contributors
 *
 * Keeps a Fleet as the gateway has it: reads the list page by page, and
 * again, the less often the longer it is.  No DOM.
 *
 * Events: change; error RsError; out RsError (the credential is void).
 */

import { RsError, RsEvent, systemClock } from "./rs-api.js";


const PAGE = 200;
const MAX = 20000;              /* devices a page keeps */
const POLL_MS = 4000;           /* for each page there is */
const POLL_MAX_MS = 60000;


export class DeviceFeed extends EventTarget {
    #fleet;
    #account;
    #clock;
    #turn = null;               /* who stops or starts anew replaces it */
    #loaded = false;
    #more = false;

    /**
     * @param {{fleet: import("./rs-fleet.js").Fleet,
     *          account: () => import("./rs-account.js").RsAccount,
     *          clock?: import("./rs-api.js").Clock}} o
     */
    constructor({fleet, account, clock = systemClock}) {
        super();
        this.#fleet = fleet;
        this.#account = account;
        this.#clock = clock;
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

    start() {
        this.stop();
        this.#round(this.#turn = {timer: null});
    }

    stop() {
        this.#clock.clearTimeout(this.#turn?.timer);
        this.#turn = null;
    }

    #say(type, detail) {
        this.dispatchEvent(new RsEvent(type, detail));
    }

    async #round(turn) {
        let wait = POLL_MS;

        try {
            const pages = await this.#read(turn);

            if (this.#turn !== turn) {
                return;
            }

            wait = Math.min(POLL_MS * pages, POLL_MAX_MS);

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
                seen.add(device.id);
                this.#fleet.put(device);
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
