
/*
 * Copyright (C) rs-gateway contributors
 *
 * Who is signed in: keys and tokens, tenants and verbs, when a token ends,
 * what is left after signing out.  The issuer's part is played by the test;
 * a real one is in e2e/.
 */

import test from "node:test";
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";

import { RsAccount } from "../rs-account.js";
import { OperatorKey, base64url } from "../rs-identity.js";
import { RsError } from "../rs-api.js";
import { RsSignIn, answerState, isRedirect, plainUrl, tokenOf } from "../rs-signin.js";
import { HandClock, record } from "./lib.mjs";


globalThis.crypto ??= webcrypto;


function memoryStore() {
    const values = new Map();

    return {
        values,
        get: async (name) => values.get(name),
        add: async (name, value) => values.get(name)
                                    ?? values.set(name, value).get(name),
        put: async (name, value) => void values.set(name, value),
        delete: async (name) => void values.delete(name),
    };
}


/* a token as an issuer would make it; who signed it is not the page's to
 * check, for it came from the issuer itself */
function jws(claims) {
    const part = (o) => base64url(new TextEncoder().encode(
        JSON.stringify(o)));

    return `${part({alg: "ES256"})}.${part(claims)}.c2ln`;
}


const ME = {kind: "user", id: "usr_a", name: "Anna", tenant: "acme",
            tenants: [{tenant: "acme"}], roles: ["technician"],
            verbs: ["ice", "devices:read", "sessions:control",
                    "sessions:write"],
            granted: ["devices:read", "sessions:control", "sessions:write"],
            grants: [{group_id: "grp_a", verbs: ["devices:read"]},
                     {group_id: "grp_b",
                      verbs: ["devices:write", "sessions:control"]}]};


/* answers by "METHOD path", and keeps what was asked */
function gateway(answers) {
    const asked = [];

    return {
        asked,
        async fetch(url, {method, headers}) {
            const path = new URL(url).pathname.slice("/rs/v1".length);
            let answer = answers[`${method} ${path}`] ?? {code: "not_found"};

            if (typeof answer === "function") {
                answer = answer(headers["X-RS-Tenant"]);
            }

            asked.push([`${method} ${path}`, headers.Authorization,
                        headers["X-RS-Tenant"]]);

            if (answer.code) {
                return new Response(JSON.stringify(answer), {
                    status: answer.status ?? 404,
                    headers: {"Content-Type": "application/problem+json"}});
            }

            return new Response(JSON.stringify(answer), {
                headers: {"Content-Type": "application/json"}});
        },
    };
}


function start(answers, signIn) {
    const clock = new HandClock();
    const it = gateway(answers);
    const account = new RsAccount({base: "https://gw.test/rs/v1",
                                   fetch: it.fetch, clock, signIn});

    return {...it, clock, account, seen: record(account, ["token", "out"])};
}


async function token(life_s = 300, sub = "anna") {
    const key = await OperatorKey.load(memoryStore());

    return tokenOf(jws({sub, nonce: key.thumbprint, iat: 1000,
                        exp: 1000 + life_s, name: "Anna"}), key);
}


test("an API key: its name and verbs, no proof, nothing to end", async () => {
    const it = start({"GET /me": {kind: "key", name: "ci", tenant: "acme",
                                  tenants: [{tenant: "acme"}], grants: [],
                                  verbs: ["devices:read"], granted: []}});

    await it.account.withKey("rsk_a");
    assert.equal(it.account.oidc, false);
    assert.equal(it.account.name, "ci");
    assert.deepEqual(it.account.tenants, []);
    assert.equal(it.account.can("devices:read"), true);
    assert.equal(it.account.can("sessions:control"), false);
    assert.equal(it.account.operator(), null);

    assert.equal(await it.account.signOut(), null);
    assert.equal(it.account.api, null);
    assert.deepEqual(it.asked, [["GET /me", "Bearer rsk_a", undefined]]);
    assert.deepEqual(it.seen, [["out", null]]);
});


test("an API key for everything of the tenant", async () => {
    const it = start({"GET /me": {...ME, kind: "key", grants: [],
                                  verbs: ["*"], granted: []}});

    await it.account.withKey("rsk_a");
    assert.equal(it.account.can("sessions:control"), true);
    assert.equal(it.account.can("node:drain"), false);
});


test("a link to sign in by is changed for a key, once", async () => {
    const it = start({"POST /login": {id: "key_a", key: "rsk_l"},
                      "GET /me": {...ME, kind: "key", grants: [],
                                  verbs: ["*"], granted: []}});

    await it.account.withLink("rso_acme_x");
    assert.equal(it.account.can("sessions:control"), true);
    assert.deepEqual(it.asked, [["POST /login", undefined, undefined],
                                ["GET /me", "Bearer rsk_l", undefined]]);

    const used = start({"POST /login": {code: "unauthenticated",
                                        status: 401}});

    await assert.rejects(used.account.withLink("rso_acme_x"),
                         {code: "unauthenticated"});
    assert.equal(used.account.api, null);
});


test("a key that is not valid leaves nothing behind", async () => {
    const it = start({"GET /me": {code: "unauthenticated", status: 401}});

    await assert.rejects(it.account.withKey("rsk_b"),
                         {code: "unauthenticated"});
    assert.equal(it.account.api, null);
    await assert.rejects(it.account.withToken(await token()),
                         {code: "unauthenticated"});
    assert.equal(it.account.oidc, false);
    assert.equal(it.account.operator(), null);
    assert.equal(it.clock.armed, 0);
});


test("what may be done: of the tenant, or granted and given by a grant",
     async () => {
    const it = start({"GET /me": ME});

    await it.account.withToken(await token());
    assert.equal(it.account.name, "Anna");

    for (const [verb, can] of [["ice", true], ["devices:read", true],
                               ["sessions:control", true],
                               ["devices:write", false],
                               ["sessions:write", false]])
    {
        assert.equal(it.account.can(verb), can, verb);
    }
});


test("several tenants: one is chosen, with what may be done there",
     async () => {
    const verbs = {acme: ["sessions:control"], beta: []};
    const it = start({
        "GET /me": (tenant = "acme") => ({
            ...ME, tenant, tenants: [{tenant: "acme"}, {tenant: "beta"}],
            grants: [], verbs: verbs[tenant], granted: ["devices:write"]}),
        "GET /devices": {items: []}});

    await it.account.withToken(await token());
    assert.deepEqual(it.account.tenants, ["acme", "beta"]);
    assert.equal(it.account.can("sessions:control"), true);
    await it.account.api.devices();
    await assert.rejects(it.account.choose("gamma"), {code: "forbidden"});

    await it.account.choose("beta");
    assert.equal(it.account.can("sessions:control"), false);
    await it.account.api.devices();
    assert.deepEqual(it.asked.map((a) => [a[0], a[2]]), [
        ["GET /me", undefined], ["GET /devices", "acme"], ["GET /me", "beta"],
        ["GET /devices", "beta"]]);
});


test("a token is asked to be renewed in time, and no proof is made after it",
     async () => {
    const first = await token(300);
    const second = {...first, id_token: "second"};
    const it = start({"GET /me": ME}, {renew: async () => second});

    await it.account.withToken(first);
    assert.equal(it.account.operator().id_token, first.id_token);
    it.clock.pass(219000);
    assert.deepEqual(it.seen, []);
    it.clock.pass(2000);
    assert.equal(it.seen.length, 1);
    assert.ok(it.seen[0][1].left_s > 70);

    it.clock.pass(75000);
    assert.equal(it.seen.length, 2);
    assert.ok(it.seen[1][1].left_s <= 0);
    assert.throws(() => it.account.operator(), {code: "token_expired"});

    await it.account.renew();
    assert.equal(it.account.operator().id_token, "second");
    await it.account.api.me();
    assert.equal(it.asked.at(-1)[1], "Bearer second");
});


test("another account does not take this one's place", async () => {
    const other = await token(300, "bert");
    const it = start({"GET /me": ME}, {renew: async () => other});
    const first = await token();

    await it.account.withToken(first);
    await assert.rejects(it.account.renew(), {code: "signin_failed"});
    assert.equal(it.account.operator().id_token, first.id_token);
});


test("signing out: told to the gateway, forgotten here, then the issuer",
     async () => {
    const done = [];
    const it = start({"GET /me": ME, "POST /me/sign-out": {sessions: 1}}, {
        forget: async () => done.push("forget"),
        end: async () => {
            done.push("end");
            return "https://id.test/end";
        },
    });

    await it.account.withToken(await token());
    assert.equal(await it.account.signOut(), "https://id.test/end");
    assert.equal(it.asked.at(-1)[0], "POST /me/sign-out");
    assert.deepEqual(done, ["forget", "end"]);
    assert.equal(it.account.operator(), null);
    assert.equal(it.clock.armed, 0);
    assert.deepEqual(it.seen, [["out", null]]);
});


test("a gateway that does not hear of it: signed out here, and told so",
     async () => {
    const it = start({"GET /me": ME,
                      "POST /me/sign-out": {code: "internal", status: 500}},
                     {forget: async () => {}});

    await it.account.withToken(await token());
    assert.equal(await it.account.signOut(), null);
    assert.equal(it.account.api, null);
    assert.equal(it.seen[0][1].code, "signout_failed");
});


/* tokens */

test("a token is this browser's by its nonce, and says when it ends",
     async () => {
    const key = await OperatorKey.load(memoryStore());
    const good = {sub: "a", nonce: key.thumbprint, iat: 10, exp: 310};

    assert.equal(tokenOf(jws(good), key).life_s, 300);
    assert.equal(tokenOf(jws({...good, name: "Zoë"}), key).name, "Zoë");

    for (const [what, text] of [
        ["no nonce", jws({...good, nonce: undefined})],
        ["another's nonce", jws({...good, nonce: "x".repeat(43)})],
        ["no end", jws({...good, exp: undefined})],
        ["an end that is text", jws({...good, exp: "soon"})],
        ["over before it began", jws({...good, exp: 10})],
        ["no token", undefined],
        ["no JSON", "a.b.c"],
        ["null", jws(null)],
    ]) {
        assert.throws(() => tokenOf(text, key), {code: "signin_failed"}, what);
    }
});


test("addresses: the page's own, and those an issuer sends back to", () => {
    assert.equal(plainUrl("https://a.test/console/?code=1&state=2#x"),
                 "https://a.test/console/");
    assert.equal(answerState("https://a.test/?code=1&state=2"), "2");
    assert.equal(answerState("https://a.test/?error=no&state=2"), "2");
    assert.equal(answerState("https://a.test/?state=2"), null);
    assert.equal(answerState("https://a.test/?code=2"), null);
    assert.equal(answerState("https://a.test/#join=x"), null);
});


/* the way to the issuer and back, with a library that keeps what it is told */

function library() {
    const made = [];

    return {
        made,
        InMemoryWebStorage: class {},
        WebStorageStateStore: class {
            constructor(o) {
                Object.assign(this, o);
            }
        },
        OidcClient: class {
            constructor(settings) {
                this.settings = settings;
                made.push(this);
            }

            async createSigninRequest(o) {
                this.request = o;
                return {url: "https://id.test/auth", state: {id: "s1"}};
            }

            async processSigninResponse(href) {
                if (href.includes("error=")) {
                    throw Object.assign(new Error("access_denied"), {
                        error_description: "the user said no"});
                }

                return {id_token: jws({sub: "a", iat: 1, exp: 61,
                                       nonce: this.nonce
                                              ?? this.request.nonce})};
            }

            async createSignoutRequest(o) {
                this.out = o;
                return {url: "https://id.test/end"};
            }
        },
    };
}


function issuer(popup = null) {
    const lib = library();
    const store = memoryStore();
    const storage = new Map();
    const window = {
        location: {href: "https://a.test/console/?x=1#y"},
        sessionStorage: {getItem: (name) => storage.get(name) ?? null},
        open: () => popup,
    };
    const signIn = new RsSignIn({issuer: "https://id.test",
                                 client_id: "console"},
                                {store, window, load: async () => lib});

    return {lib, store, storage, window, signIn};
}


test("by redirect: the key's thumbprint is the nonce, and is looked for",
     async () => {
    const it = issuer();

    assert.equal(await it.signIn.begin(), "https://id.test/auth");

    const [client] = it.lib.made;
    const {thumbprint} = await OperatorKey.load(it.store);

    assert.deepEqual(client.request, {nonce: thumbprint});
    assert.equal(client.settings.redirect_uri, "https://a.test/console/");
    assert.equal(client.settings.stateStore.store, it.window.sessionStorage);

    const token = await it.signIn.complete("https://a.test/?code=1&state=s1");

    assert.equal(token.key.thumbprint, thumbprint);
    client.nonce = "another";
    await assert.rejects(it.signIn.complete("https://a.test/?code=1&state=s1"),
                         {code: "signin_failed", detail: /not for the key/});
    await assert.rejects(it.signIn.complete("https://a.test/?error=1&state=1"),
                         {code: "signin_failed", detail: /said no/});
    assert.equal(isRedirect("s1", it.window.sessionStorage), false);
    it.storage.set("rs-oidc.s1", "{}");
    assert.equal(isRedirect("s1", it.window.sessionStorage), true);
});


test("in a window: the answer with its state, from whichever page, once",
     async () => {
    const went = [];
    const it = issuer({location: {replace: (url) => went.push(url)},
                       close() {}});
    const channel = new BroadcastChannel("rs-signin");
    const heard = [];

    channel.onmessage = ({data}) => heard.push(data);

    const renewed = it.signIn.renew();

    while (went.length === 0) {
        await new Promise((resolve) => setImmediate(resolve));
    }

    assert.notEqual(it.lib.made[0].settings.stateStore.store,
                    it.window.sessionStorage);
    channel.postMessage({junk: 1});
    channel.postMessage("https://a.test/?code=1&state=another");
    channel.postMessage("https://a.test/?code=1&state=s1");
    assert.equal((await renewed).life_s, 60);

    while (heard.length === 0) {
        await new Promise((resolve) => setImmediate(resolve));
    }

    assert.deepEqual(heard, [{taken: "s1"}]);
    channel.close();
});


test("a window that may not open is said so", async () => {
    await assert.rejects(issuer().signIn.renew(), {code: "popup_blocked"});
});


test("signing out at the issuer names the client, not the token",
     async () => {
    const it = issuer();

    await it.signIn.begin();
    assert.equal(it.store.values.size, 1);
    await it.signIn.forget();
    assert.equal(it.store.values.size, 0);
    assert.equal(await it.signIn.end(), "https://id.test/end");
    assert.deepEqual(it.lib.made.at(-1).out, {
        client_id: "console",
        post_logout_redirect_uri: "https://a.test/console/"});
});


test("an issuer that cannot be reached is said so", async () => {
    const it = issuer();

    it.lib.OidcClient.prototype.createSigninRequest = async () => {
        throw new TypeError("Failed to fetch");
    };
    await assert.rejects(it.signIn.begin(), (e) => e instanceof RsError
                         && e.code === "signin_failed"
                         && /Failed to fetch/.test(e.detail));
});
