
/*
 * Copyright (C) rs-gateway contributors
 *
 * Who is signed in: by an API key, or by an ID token of the issuer.  Owns
 * the credential, in memory and nowhere else, and the client that uses it.
 * No DOM.
 *
 * Events: "token" {state, left_s}   it is "new", is to be renewed "soon", or
 * has "expired";  "out" RsError|null   the account is gone, for that reason
 * or because the user wanted it.
 */

import { RsApi, RsError, RsEvent, systemClock } from "./rs-api.js";


const REMIND_S = 120;           /* before a token ends, or a quarter of it */
const CHECK_MS = 1000;
const CLOCK_S = 5;              /* ours against the issuer's */


/* what can be done somewhere at least: a verb of the whole tenant, or one
 * that a grant gives; null of a gateway that does not say, which decides */
function verbsOf({verbs, granted, grants}) {
    if (!Array.isArray(verbs)) {
        return null;
    }

    const list = (it) => (Array.isArray(it) ? it : []);
    const only = new Set(list(granted));
    const given = new Set(list(grants).flatMap((g) => list(g?.verbs)));

    return new Set(verbs.filter((v) => !only.has(v) || given.has(v)));
}


export class RsAccount extends EventTarget {
    #base;
    #fetch;
    #signIn;
    #clock;
    #token = null;
    #endsAt = 0;
    #timer = null;
    #told = "";
    #verbs = null;

    /** @type {RsApi|null} null: nobody is signed in */
    api = null;
    /** Tenants to choose from; empty when there is nothing to choose. */
    tenants = [];
    name = "";

    /**
     * @param {{base: string, signIn?: import("./rs-signin.js").RsSignIn,
     *          fetch?: typeof fetch,
     *          clock?: import("./rs-api.js").Clock}} o
     *        signIn: where the gateway names an issuer
     */
    constructor(o) {
        super();
        this.#base = o.base;
        this.#signIn = o.signIn ?? null;
        this.#fetch = o.fetch;
        this.#clock = o.clock ?? systemClock;
    }

    /** Signed in at the issuer, rather than by an API key. */
    get oidc() {
        return this.#token !== null;
    }

    can(verb) {
        const verbs = this.#verbs;

        /* "*", of an API key: all that is the tenant's */
        return verbs === null || verbs.has(verb)
               || (verbs.has("*") && !verb.startsWith("node:"));
    }

    /* signing in */

    async withKey(key) {
        await this.#enter(new RsApi({base: this.#base, key,
                                     fetch: this.#fetch}));
    }

    /** By a link to sign in by, which is used up then. */
    async withLink(token) {
        const {key} = await new RsApi({base: this.#base, fetch: this.#fetch})
                            .login({token});

        await this.withKey(key);
    }

    /** @param {import("./rs-signin.js").Token} token */
    async withToken(token) {
        const api = new RsApi({base: this.#base, fetch: this.#fetch,
                               key: () => this.#token.id_token});

        this.#take(token);

        try {
            await this.#enter(api);

        } catch (e) {
            this.#drop();
            throw e;
        }
    }

    async #enter(api) {
        const me = await api.me();
        const tenants = (Array.isArray(me.tenants) ? me.tenants : [])
                        .map((t) => t?.tenant)
                        .filter((t) => typeof t === "string");

        if (tenants.length > 1) {
            /* each call says which, from now on; this answer is of the first */
            api.tenant = typeof me.tenant === "string" ? me.tenant
                                                       : tenants[0];
        }

        this.api = api;
        this.name = typeof me.name === "string" && me.name !== ""
                    ? me.name : this.#token?.name ?? "";
        this.tenants = tenants.length > 1 ? tenants : [];
        this.#verbs = verbsOf(me);
    }

    /** @param {string} tenant  one of tenants */
    async choose(tenant) {
        const {api} = this;

        if (!this.tenants.includes(tenant)) {
            throw new RsError("forbidden", {detail: tenant});
        }

        api.tenant = tenant;

        const me = await api.me();

        if (this.api === api && api.tenant === tenant) {
            this.#verbs = verbsOf(me);
        }
    }

    /* tokens */

    #take(token) {
        this.#token = token;
        this.#endsAt = this.#clock.now() + (token.life_s - CLOCK_S) * 1000;
        this.#told = "";
        this.#watch();
    }

    /* looked at each second, for a machine that slept knows no timers */
    #watch() {
        const left_s = (this.#endsAt - this.#clock.now()) / 1000;
        const soon = Math.min(REMIND_S, this.#token.life_s / 4);
        const state = left_s <= 0 ? "expired" : left_s <= soon ? "soon" : "";

        this.#clock.clearTimeout(this.#timer);
        this.#timer = this.#clock.setTimeout(() => this.#watch(), CHECK_MS);

        if (state !== this.#told) {
            this.#told = state;
            this.dispatchEvent(new RsEvent("token", {state, left_s}));
        }
    }

    /** The token has ended; what needs one waits for another. */
    get expired() {
        return this.#token !== null && this.#clock.now() >= this.#endsAt;
    }

    /** For RsWho: who offers.  Throws when nobody can say so any more. */
    operator() {
        if (this.#token === null) {
            return null;
        }

        if (this.expired) {
            throw new RsError("token_expired");
        }

        const {key, id_token} = this.#token;

        return {key, id_token};
    }

    /** By the user's click: a window opens. */
    async renew() {
        const token = await this.#signIn.renew();

        if (this.#token === null) {
            return;     /* signed out meanwhile */
        }

        if (token.sub !== this.#token.sub) {
            throw new RsError("signin_failed", {
                detail: "that is another account: sign out first",
            });
        }

        this.#take(token);
        this.dispatchEvent(new RsEvent("token", {state: "new",
                                                 left_s: token.life_s}));
    }

    /* signing out */

    #drop() {
        this.#clock.clearTimeout(this.#timer);
        this.#timer = null;
        this.#token = null;
        this.#verbs = null;
        this.tenants = [];
        this.name = "";
        this.api = null;
    }

    /** The credential is worth nothing any more, or is to be forgotten. */
    leave(error = null) {
        this.#drop();
        this.dispatchEvent(new RsEvent("out", error));
    }

    /**
     * Ends what this account has at the gateway, forgets it here, and gives
     * the address where the issuer's own session ends: null if there is none.
     */
    async signOut() {
        const {api} = this;
        const {oidc} = this;
        let error = null;

        if (api === null) {
            return null;
        }

        if (oidc) {
            try {
                await api.signOut();

            } catch (e) {
                error = new RsError("signout_failed", {
                    detail: [e.code, e.detail].join(" ")});
            }
        }

        this.leave(error);

        if (!oidc) {
            return null;
        }

        await this.#signIn.forget();

        return error === null ? this.#signIn.end() : null;
    }
}
