
/*
 * Copyright (C) rs-gateway contributors
 *
 * Signing in at the OIDC issuer the gateway names: authorisation code with
 * PKCE, by redirect or, to renew, in a window.  The nonce of each request is
 * the thumbprint of this browser's key, so a token proves whose it is to a
 * device that does not believe the gateway.  Tokens are handed out, never
 * stored; what is kept for the way there and back is kept in the session
 * storage for a redirect, in memory for a window.
 *
 * The window needs no opener, which Cross-Origin-Opener-Policy takes from it:
 * back at this origin it says where it came back to on a channel, and whoever
 * waits for that answer takes it.
 */

import { RsError } from "./rs-api.js";
import { OperatorKey } from "./rs-identity.js";


/** @typedef {{id_token: string, sub: string, name: string, life_s: number,
 *             key: OperatorKey}} Token  life_s: from now on */


const CHANNEL = "rs-signin";
const FEATURES = "popup,width=480,height=680";
const WINDOW_MS = 300000;
const PREFIX = "rs-oidc.";
const STALE_S = 900;


/** A page's address without what an issuer added to it. */
export function plainUrl(href) {
    const url = new URL(href);

    return url.origin + url.pathname;
}


/** The state of an issuer's answer in an address, null in any other. */
export function answerState(href) {
    const params = new URL(href).searchParams;
    const state = params.get("state");

    return state !== null && (params.has("code") || params.has("error"))
           ? state : null;
}


/** Whether an answer is one to a redirect, rather than to a window. */
export function isRedirect(state, storage) {
    return storage.getItem(PREFIX + state) !== null;
}


/* an issuer's refusal, or what the library says of an answer */
function signInFailed(e) {
    return e instanceof RsError ? e : new RsError("signin_failed", {
        detail: String(e?.error_description || e?.message || e)
                .slice(0, 512),
    });
}


/* the claims of a token that its issuer gave to this page itself */
function claimsOf(idToken) {
    const part = String(idToken).split(".")[1] ?? "";
    const text = atob(part.replace(/-/g, "+").replace(/_/g, "/"));

    return JSON.parse(new TextDecoder().decode(
        Uint8Array.from(text, (c) => c.charCodeAt(0))));
}


/**
 * A token that names another key than this browser's, or none, proves
 * nothing to a device.
 * @returns {Token}
 */
export function tokenOf(idToken, key) {
    let claims = null;

    try {
        claims = claimsOf(idToken);

    } catch (e) {
        throw signInFailed(e);
    }

    if (claims?.nonce !== key.thumbprint) {
        throw new RsError("signin_failed", {
            detail: "the token is not for the key of this browser",
        });
    }

    if (!(claims.exp > claims.iat)) {
        throw new RsError("signin_failed", {
            detail: "the token does not say how long it is valid",
        });
    }

    return {id_token: idToken, sub: String(claims.sub), key,
            name: String(claims.name ?? claims.preferred_username
                         ?? claims.sub),
            life_s: claims.exp - claims.iat};
}


export class RsSignIn {
    #settings;
    #store;
    #load;
    #window;
    #clients = new Map();
    #key = null;

    /**
     * @param {{issuer: string, client_id: string, scope?: string}} oidc
     * @param {{store: import("./rs-identity.js").Store, window?: Window,
     *          load?: () => Promise<any>}} o   load: the library
     */
    constructor(oidc, o) {
        this.#store = o.store;
        this.#window = o.window ?? globalThis.window;
        this.#load = o.load ?? (() => import("./vendor/oidc-client-ts.js"));

        const page = plainUrl(this.#window.location.href);

        this.#settings = {
            authority: oidc.issuer,
            client_id: oidc.client_id,
            scope: oidc.scope || "openid",
            redirect_uri: page,
            post_logout_redirect_uri: page,
            response_type: "code",
            loadUserInfo: false,
            staleStateAgeInSeconds: STALE_S,
        };
    }

    /* one for redirects, whose state survives the page, one for windows */
    async #client(kind) {
        let client = this.#clients.get(kind);

        if (client === undefined) {
            const {InMemoryWebStorage, OidcClient, WebStorageStateStore}
                = await this.#load();

            client = new OidcClient({
                ...this.#settings,
                stateStore: new WebStorageStateStore({
                    prefix: PREFIX,
                    store: kind === "redirect" ? this.#window.sessionStorage
                                               : new InMemoryWebStorage(),
                }),
            });
            this.#clients.set(kind, client);
        }

        return client;
    }

    async #operatorKey() {
        this.#key ??= await OperatorKey.load(this.#store);

        return this.#key;
    }

    async #request(kind) {
        try {
            const client = await this.#client(kind);
            const {thumbprint} = await this.#operatorKey();

            return await client.createSigninRequest({nonce: thumbprint});

        } catch (e) {
            throw signInFailed(e);
        }
    }

    /** Where to go to sign in.  This page ends there. */
    async begin() {
        return (await this.#request("redirect")).url;
    }

    /** The token of an answer to begin(). @returns {Promise<Token>} */
    complete(href) {
        return this.#complete("redirect", href);
    }

    async #complete(kind, href) {
        const key = await this.#operatorKey();
        let response;

        try {
            const client = await this.#client(kind);

            response = await client.processSigninResponse(href);

        } catch (e) {
            throw signInFailed(e);
        }

        return tokenOf(response.id_token, key);
    }

    /**
     * A new token for the same key, from a window the user's click may open.
     * @returns {Promise<Token>}
     */
    async renew() {
        /* before anything is waited for: a click opens one window, at once */
        const popup = this.#window.open("", CHANNEL, FEATURES);

        if (popup === null) {
            throw new RsError("popup_blocked");
        }

        let request;

        try {
            request = await this.#request("window");

        } catch (e) {
            popup.close();
            throw e;
        }

        const answer = this.#answer(request.state.id);

        popup.location.replace(request.url);

        return this.#complete("window", await answer);
    }

    #answer(state) {
        return new Promise((resolve, reject) => {
            const channel = new BroadcastChannel(CHANNEL);
            const timer = setTimeout(() => {
                channel.close();
                reject(new RsError("signin_failed", {
                    detail: `no answer within ${WINDOW_MS / 60000} minutes`,
                }));
            }, WINDOW_MS);

            channel.onmessage = ({data}) => {
                if (typeof data === "string" && answerState(data) === state) {
                    channel.postMessage({taken: state});
                    channel.close();
                    clearTimeout(timer);
                    resolve(data);
                }
            };
        });
    }

    /** Where to go to end the session at the issuer, null where it has none;
     *  it is told which client this is, not the token: that stays out of
     *  addresses. */
    async end() {
        const {client_id, post_logout_redirect_uri} = this.#settings;

        try {
            const client = await this.#client("redirect");

            return (await client.createSignoutRequest({
                client_id, post_logout_redirect_uri})).url;

        } catch {
            return null;
        }
    }

    /** Tokens of before are worth nothing from now on. */
    async forget() {
        this.#key = null;
        this.#clients.clear();

        for (const name of Object.keys(this.#window.sessionStorage)) {
            if (name.startsWith(PREFIX)) {
                this.#window.sessionStorage.removeItem(name);
            }
        }

        await OperatorKey.forget(this.#store);
    }
}


/** In the window of renew(): hands the answer to the page that waits, and
 *  goes.  taken: a page has it. */
export function handOver(href, taken) {
    const channel = new BroadcastChannel(CHANNEL);
    const state = answerState(href);

    channel.onmessage = ({data}) => {
        if (data?.taken === state) {
            channel.close();
            taken();
        }
    };

    channel.postMessage(href);
}
