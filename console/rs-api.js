
/*
 * Copyright (C) rs-gateway contributors
 *
 * The gateway's REST interface, docs/protocol/README.md, and what RsSession
 * shares with it: the one error type, events, the clock.  rs-client.js hands
 * all of it on.
 */


/** @typedef {{now: () => number, random: () => number,
 *             setTimeout: (f: () => void, ms: number) => any,
 *             clearTimeout: (t: any) => void}} Clock */


const REQUEST_TIMEOUT_MS = 15000;
const BODY_MAX = 4 * 1024 * 1024;

/* what was asked for once, and may be asked for again when a 503 says when */
const PATIENT = new Set(["POST", "DELETE"]);
const PATIENCE_MS = 10000;
const BUSY_BASE_MS = 500;


/** @type {Clock} */
export const systemClock = {
    now: () => performance.now(),
    random: () => Math.random(),
    setTimeout: (f, ms) => globalThis.setTimeout(f, ms),
    clearTimeout: (t) => globalThis.clearTimeout(t),
};


/** An event with a payload, for EventTargets outside of the DOM. */
export class RsEvent extends Event {
    /** @param {string} type @param {any} [detail] */
    constructor(type, detail = null) {
        super(type);
        this.detail = detail;
    }
}


/**
 * What went wrong, under a code of docs/protocol/errors.json, or one of the
 * client's own: "network", "timeout", "bad_answer", "aborted", "closed",
 * "lost", "outbox_full".
 */
export class RsError extends Error {
    /**
     * @param {string} code
     * @param {{status?: number, title?: string, detail?: string,
     *          pointer?: string, request_id?: string,
     *          retry_after_s?: number}} [more]
     */
    constructor(code, more = {}) {
        super(more.detail || more.title || code);
        this.name = "RsError";
        this.code = code;
        this.status = more.status ?? 0;
        this.title = more.title ?? "";
        this.detail = more.detail ?? "";
        this.pointer = more.pointer ?? null;
        this.request_id = more.request_id ?? null;
        this.retry_after_s = more.retry_after_s ?? null;
    }
}


/**
 * The base URL of the API as an absolute URL without a slash at its end.
 * @param {string} base  absolute, or relative to the page
 * @param {string} page  the page's URL
 */
export function resolveBase(base, page) {
    const url = new URL(base, page);

    if (url.protocol !== "https:" && url.protocol !== "http:") {
        throw new RsError("bad_request", {
            detail: `the base "${base}" is not an http URL`,
        });
    }

    url.hash = "";
    url.search = "";

    return url.href.replace(/\/+$/, "");
}


/** The WebSocket URL below an API base. */
export function socketUrl(base, path) {
    return base.replace(/^http/, "ws") + path;
}


/* 128 random bits, for Idempotency-Key */
function randomKey() {
    const bytes = globalThis.crypto.getRandomValues(new Uint8Array(16));

    return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}


/** The REST interface.  Every failure is an RsError. */
export class RsApi {
    #base;
    #key;
    #fetch;
    #clock;
    #newKey;
    #timeoutMs;

    /** The tenant of each call, for who may choose. @type {string|null} */
    tenant = null;

    /**
     * @param {{base: string, key?: string|(() => string),
     *          fetch?: typeof fetch,
     *          clock?: Clock, newKey?: () => string, timeout_ms?: number}} o
     */
    constructor(o) {
        this.#base = o.base.replace(/\/+$/, "");
        this.#key = o.key ?? null;
        this.#fetch = o.fetch ?? globalThis.fetch.bind(globalThis);
        this.#clock = o.clock ?? systemClock;
        this.#newKey = o.newKey ?? randomKey;
        this.#timeoutMs = o.timeout_ms ?? REQUEST_TIMEOUT_MS;
    }

    get base() {
        return this.#base;
    }

    /**
     * One call.  It is tried once more when the answer did not arrive: a
     * POST carries an Idempotency-Key, and that stays the same.  A POST and a
     * DELETE wait for a gateway that is busy, as long as its Retry-After
     * says and up to 10 s in all; who reads asks again by himself.
     *
     * @param {string} method
     * @param {string} path
     * @param {{query?: object, body?: any, ifMatch?: string,
     *          signal?: AbortSignal, idempotencyKey?: string,
     *          keepalive?: boolean}} [o]  keepalive: also when the page goes
     * @returns {Promise<{status: number, etag: string|null, data: any}>}
     */
    async request(method, path, o = {}) {
        const headers = {Accept: "application/json"};
        const init = {method, headers, cache: "no-store",
                      credentials: "omit", redirect: "error"};

        if (this.#key !== null) {
            headers.Authorization = "Bearer "
                + (typeof this.#key === "function" ? this.#key() : this.#key);
        }

        if (this.tenant !== null) {
            headers["X-RS-Tenant"] = this.tenant;
        }

        if (o.body !== undefined) {
            headers["Content-Type"] = "application/json";
            init.body = JSON.stringify(o.body);
        }

        if (o.keepalive) {
            init.keepalive = true;
        }

        if (o.ifMatch !== undefined) {
            headers["If-Match"] = o.ifMatch;
        }

        if (method === "POST") {
            headers["Idempotency-Key"] = o.idempotencyKey ?? this.#newKey();
        }

        const url = this.#base + path + queryString(o.query);

        const end = this.#clock.now() + (PATIENT.has(method) ? PATIENCE_MS
                                                             : 0);
        let lost = false;

        for (let attempt = 0;; attempt++) {
            try {
                return await this.#once(url, init, o.signal);

            } catch (e) {
                const wait = this.#wait(e, attempt);

                if (method === "DELETE" && attempt > 0 && e.status === 404) {
                    /* the one before did it: "uncertain", or not heard of */
                    return {status: 204, data: null, etag: null};
                }

                if (e.code === "network" && !lost) {
                    lost = true;
                    continue;
                }

                if (wait === null || this.#clock.now() + wait > end) {
                    throw e;
                }

                await this.#sleep(wait, o.signal);
            }
        }
    }

    /* how long to leave a busy gateway alone: what it asks for, and jitter */
    #wait(e, attempt) {
        return e.status === 503 && e.retry_after_s !== null
               ? e.retry_after_s * 1000
                 + this.#clock.random() * BUSY_BASE_MS * 2 ** attempt
               : null;
    }

    #sleep(ms, signal) {
        return new Promise((resolve, reject) => {
            const aborted = () => {
                this.#clock.clearTimeout(timer);
                reject(new RsError("aborted"));
            };
            const timer = this.#clock.setTimeout(() => {
                signal?.removeEventListener("abort", aborted);
                resolve();
            }, ms);

            signal?.addEventListener("abort", aborted, {once: true});
        });
    }

    async #once(url, init, signal) {
        const abort = new AbortController();
        const onAbort = () => abort.abort();
        let late = false;

        const timer = this.#clock.setTimeout(() => {
            late = true;
            abort.abort();
        }, this.#timeoutMs);

        if (signal?.aborted) {
            abort.abort();
        }

        signal?.addEventListener("abort", onAbort);

        try {
            const response = await this.#fetch(url, {...init,
                                                     signal: abort.signal});
            return await readAnswer(response);

        } catch (e) {
            if (e instanceof RsError) {
                throw e;
            }

            if (late) {
                throw new RsError("timeout", {
                    detail: `no answer within ${this.#timeoutMs / 1000} s`,
                });
            }

            throw new RsError(signal?.aborted ? "aborted" : "network",
                              {detail: String(e?.message ?? e)});

        } finally {
            this.#clock.clearTimeout(timer);
            signal?.removeEventListener("abort", onAbort);
        }
    }

    async #data(method, path, o) {
        return (await this.request(method, path, o)).data;
    }

    /**
     * One page of a list; next_cursor is null at the end.
     * @returns {Promise<{items: any[], next_cursor: string|null}>}
     */
    async page(path, query = {}, o = {}) {
        const data = await this.#data("GET", path, {...o, query});

        if (!Array.isArray(data?.items)) {
            throw new RsError("bad_answer", {
                detail: `the list at ${path} has no items`,
            });
        }

        return {items: data.items, next_cursor: data.next_cursor ?? null};
    }

    /** All items of a list, page by page. */
    async *items(path, query = {}, o = {}) {
        let cursor = null;

        do {
            const page = await this.page(path, cursor === null
                                         ? query : {...query, cursor}, o);
            yield* page.items;
            cursor = page.next_cursor;
        } while (cursor !== null);
    }

    /** An object made below path, of which there is no call of its own. */
    post(path, body, o) {
        return this.#data("POST", path, {...o, body});
    }

    features(o) {
        return this.#data("GET", "/", o);
    }

    /** Who calls, and what that one may do. */
    me(o) {
        return this.#data("GET", "/me", o);
    }

    /** Ends the caller's sessions and tokens. */
    signOut(o) {
        return this.#data("POST", "/me/sign-out", o);
    }

    /** The token of a link of "rsctl login-link" for an API key. */
    login(body, o) {
        return this.#data("POST", "/login", {...o, body});
    }

    /** A guest's link for a ticket: {link, pin?, name?}. */
    join(body, o) {
        return this.#data("POST", "/join", {...o, body});
    }

    /** A code to tell somebody, whose browser is to be a session's host. */
    helpCode(id, o) {
        return this.#data("POST", `/sessions/${segment(id)}/help`, o);
    }

    /** A code that somebody was told, for a place as the host. */
    help(body, o) {
        return this.#data("POST", "/help", {...o, body});
    }

    devices(query, o) {
        return this.page("/devices", query, o);
    }

    device(id, o) {
        return this.request("GET", "/devices/" + segment(id), o);
    }

    patchDevice(id, patch, etag, o) {
        return this.request("PATCH", "/devices/" + segment(id),
                            {...o, body: patch, ifMatch: etag});
    }

    deleteDevice(id, o) {
        return this.#data("DELETE", "/devices/" + segment(id), o);
    }

    sessions(query, o) {
        return this.page("/sessions", query, o);
    }

    session(id, o) {
        return this.#data("GET", "/sessions/" + segment(id), o);
    }

    createSession(body, o) {
        return this.#data("POST", "/sessions", {...o, body});
    }

    endSession(id, o) {
        return this.#data("DELETE", "/sessions/" + segment(id), o);
    }

    addParticipant(id, body, o) {
        return this.#data("POST", `/sessions/${segment(id)}/participants`,
                          {...o, body});
    }

    audit(query, o) {
        return this.page("/audit", query, o);
    }

    groups(query, o) {
        return this.page("/groups", query, o);
    }

    enrollments(query, o) {
        return this.page("/enrollments", query, o);
    }

    createEnrollment(body, o) {
        return this.#data("POST", "/enrollments", {...o, body});
    }

    deleteEnrollment(id, o) {
        return this.#data("DELETE", "/enrollments/" + segment(id), o);
    }

    ice(body, o) {
        return this.#data("POST", "/ice", {...o, body});
    }
}


function segment(id) {
    return encodeURIComponent(id);
}


function queryString(query) {
    const params = new URLSearchParams();

    for (const [name, value] of Object.entries(query ?? {})) {
        if (value !== undefined && value !== null && value !== "") {
            params.append(name, String(value));
        }
    }

    const text = params.toString();

    return text === "" ? "" : "?" + text;
}


async function readAnswer(response) {
    const type = (response.headers.get("Content-Type") ?? "")
                 .split(";")[0].trim().toLowerCase();
    const id = response.headers.get("X-Request-Id");
    let data = null;

    if (response.status !== 204) {
        const text = await response.text();

        if (text.length > BODY_MAX) {
            throw new RsError("bad_answer", {
                status: response.status, request_id: id,
                detail: `an answer of ${text.length} characters`,
            });
        }

        if (type === "application/json"
            || type === "application/problem+json")
        {
            data = parseJson(text);
        }
    }

    if (response.ok) {
        if (response.status !== 204 && data === null) {
            throw new RsError("bad_answer", {
                status: response.status, request_id: id,
                detail: `the answer is ${type || "of no type"}, not JSON`,
            });
        }

        return {status: response.status, data,
                etag: response.headers.get("ETag")};
    }

    throw problem(response, data, id);
}


function problem(response, data, id) {
    const more = {status: response.status, request_id: id,
                  retry_after_s: retryAfter(response)};

    if (typeof data?.code !== "string") {
        /* not the gateway speaking: a proxy, or another server */
        return new RsError(response.status === 503 ? "unavailable"
                                                   : "bad_answer",
                           {...more,
                            detail: `HTTP status ${response.status}`});
    }

    return new RsError(data.code, {
        ...more,
        title: text(data.title),
        detail: text(data.detail),
        pointer: data.pointer === undefined ? null : text(data.pointer),
        request_id: text(data.request_id) || id,
    });
}


function retryAfter(response) {
    const value = response.headers.get("Retry-After");

    return /^\d{1,6}$/.test(value ?? "") ? Number(value) : null;
}


/** "" for what is not a string. */
export function text(value) {
    return typeof value === "string" ? value : "";
}


/** null for what is not JSON */
export function parseJson(bytes) {
    try {
        return JSON.parse(bytes);

    } catch {
        return null;
    }
}
