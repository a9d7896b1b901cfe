
/*
 * Copyright (C) rs-gateway contributors
 *
 * An OpenID provider for the stack and the tests: oidc-provider over https,
 * with a sign-in page and accounts out of a file.  Nothing of it is for use
 * in earnest: everything is in memory, and passwords stand in the file.
 *
 *   issuer.mjs CONFIG
 *
 * CONFIG is JSON:
 *
 *   host, port           where it listens
 *   issuer               its name, "https://host:port"
 *   cert, key            files (PEM)
 *   accounts             a file, read at each sign-in:
 *                        {"anna": {"password": "...", "name": "Anna",
 *                                  "groups": [...], "tenants": [...]}}
 *   keys                 a file for its signing keys, made if there is none
 *   clients              [{client_id, redirect_uris,
 *                          post_logout_redirect_uris}]: public ones, PKCE
 *   alg                  of ID tokens: RS256 (default), PS256 or ES256
 *   id_token_ttl_s       default 3600
 *   session_ttl_s        of the sign-in at the issuer; default 86400
 *
 * An account's name is the `sub` of its tokens.
 */

import { generateKeyPairSync, randomBytes, timingSafeEqual, createHash }
    from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";

import Provider, { errors } from "oidc-provider";

import { loginPage, signedOutPage, signOutPage } from "./pages.mjs";


const ALGS = ["RS256", "PS256", "ES256"];
const CLAIMS = ["sub", "name", "groups", "tenants"];
const BODY_MAX = 4096;
const TOKEN_TTL_S = 3600;
const SESSION_TTL_S = 86400;


function readJson(path) {
    return JSON.parse(readFileSync(path, "utf8"));
}


function signingKey(kid, type, options) {
    const {privateKey} = generateKeyPairSync(type, options);

    return {...privateKey.export({format: "jwk"}), kid, use: "sig"};
}


/* one of each type: the client's algorithm says which signs */
function signingKeys(path) {
    try {
        return readJson(path);

    } catch (e) {
        if (e.code !== "ENOENT") {
            throw e;
        }
    }

    const id = randomBytes(6).toString("hex");
    const keys = [
        signingKey(`rsa-${id}`, "rsa", {modulusLength: 2048}),
        signingKey(`ec-${id}`, "ec", {namedCurve: "P-256"}),
    ];

    writeFileSync(path, JSON.stringify(keys), {mode: 0o600});

    return keys;
}


function same(a, b) {
    const hash = (s) => createHash("sha256").update(String(s)).digest();

    return timingSafeEqual(hash(a), hash(b));
}


async function readForm(req) {
    let text = "";

    for await (const chunk of req) {
        text += chunk;

        if (text.length > BODY_MAX) {
            throw new Error("the form is too long");
        }
    }

    return new URLSearchParams(text);
}


/* who signed in has agreed: there is no page that asks */
async function grantAll(ctx) {
    const {session, client, params} = ctx.oidc;
    const old = session.grantIdFor(client.clientId);
    const grant = (old && await ctx.oidc.provider.Grant.find(old))
                  || new ctx.oidc.provider.Grant({
                      clientId: client.clientId,
                      accountId: session.accountId,
                  });

    grant.addOIDCScope(params.scope);
    grant.addOIDCClaims(CLAIMS);
    await grant.save();

    return grant;
}


function settings(config) {
    const account = (name) => {
        const all = readJson(config.accounts);

        return Object.hasOwn(all, name) ? all[name] : undefined;
    };

    return {
        clients: config.clients.map((c) => ({
            client_id: c.client_id,
            redirect_uris: c.redirect_uris,
            post_logout_redirect_uris: c.post_logout_redirect_uris,
            token_endpoint_auth_method: "none",
            grant_types: ["authorization_code", "refresh_token"],
            response_types: ["code"],
            id_token_signed_response_alg: config.alg ?? ALGS[0],
        })),
        jwks: {keys: signingKeys(config.keys)},
        enabledJWA: {idTokenSigningAlgValues: ALGS},
        pkce: {methods: ["S256"], required: () => true},
        scopes: ["openid", "offline_access"],
        claims: {openid: CLAIMS},
        conformIdTokenClaims: false,
        features: {
            devInteractions: {enabled: false},
            rpInitiatedLogout: {
                enabled: true,
                logoutSource: (ctx, form) => {
                    ctx.body = signOutPage(form);
                },
                postLogoutSuccessSource: (ctx) => {
                    ctx.body = signedOutPage();
                },
            },
        },
        interactions: {url: (ctx, i) => `/interaction/${i.uid}`},
        cookies: {keys: [randomBytes(16).toString("hex")]},
        ttl: {
            IdToken: config.id_token_ttl_s ?? TOKEN_TTL_S,
            AccessToken: config.id_token_ttl_s ?? TOKEN_TTL_S,
            AuthorizationCode: 60,
            Interaction: 600,
            RefreshToken: config.session_ttl_s ?? SESSION_TTL_S,
            Grant: config.session_ttl_s ?? SESSION_TTL_S,
            Session: config.session_ttl_s ?? SESSION_TTL_S,
        },
        clientBasedCORS: (ctx, origin, client) =>
            client.redirectUris.some((u) => new URL(u).origin === origin),
        findAccount: (ctx, name) => {
            const a = account(name);

            return a && {
                accountId: name,
                claims: () => ({sub: name, name: a.name, groups: a.groups,
                                tenants: a.tenants}),
            };
        },
        loadExistingGrant: grantAll,
    };
}


/* GET /interaction/ID: the form; POST: what was typed */
async function interaction(provider, config, req, res) {
    const {params, prompt} = await provider.interactionDetails(req, res);

    if (prompt.name === "consent") {
        await provider.interactionFinished(req, res, {consent: {}},
                                           {mergeWithLastSubmission: true});
        return;
    }

    let failed = false;

    if (req.method === "POST") {
        const form = await readForm(req);
        const name = form.get("login") ?? "";
        const all = readJson(config.accounts);

        if (Object.hasOwn(all, name)
            && same(all[name].password, form.get("password") ?? ""))
        {
            await provider.interactionFinished(req, res, {
                login: {accountId: name},
            }, {mergeWithLastSubmission: false});

            return;
        }

        failed = true;
    }

    res.writeHead(failed ? 403 : 200, {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
    });
    res.end(loginPage({client: params.client_id, failed}));
}


function main() {
    if (process.argv.length !== 3) {
        console.error("usage: issuer.mjs CONFIG");
        process.exit(2);
    }

    const config = readJson(process.argv[2]);
    const provider = new Provider(config.issuer, settings(config));
    const rest = provider.callback();

    provider.on("server_error", (ctx, e) => console.error(e));
    provider.on("grant.error", (ctx, e) => console.error(
        `refused: ${e.error}: ${e.error_description ?? ""}`));
    provider.on("authorization.error", (ctx, e) => console.error(
        `refused: ${e.error}: ${e.error_description ?? ""}`));

    const server = createServer({
        cert: readFileSync(config.cert),
        key: readFileSync(config.key),
    }, (req, res) => {
        if (!req.url.startsWith("/interaction/")) {
            rest(req, res);
            return;
        }

        interaction(provider, config, req, res).catch((e) => {
            if (!(e instanceof errors.SessionNotFound)) {
                console.error(e);
            }

            res.writeHead(400, {"content-type": "text/plain"});
            res.end("begin again\n");
        });
    });

    for (const signal of ["SIGINT", "SIGTERM"]) {
        process.on(signal, () => process.exit(0));
    }

    server.listen(config.port, config.host, () => console.log(
        `issuer ${config.issuer}, on ${config.host}:${config.port}`));
}


main();
