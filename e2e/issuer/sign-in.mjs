
/*
 * Copyright (C) rs-gateway contributors
 *
 * Signs an account in at the test issuer as a browser does (authorisation
 * code, PKCE, the form), without one.  For tests that need a token, and by
 * hand:
 *
 *   sign-in.mjs STACK.json ACCOUNT [NONCE] [SCOPE]    prints the tokens
 *
 * STACK.json: of rs-stack up --oidc.
 */

import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { pathToFileURL } from "node:url";


const HOPS_MAX = 10;


function fetchOnce(url, {ca, method = "GET", form, cookies}) {
    const body = form === undefined ? undefined
                                    : new URLSearchParams(form).toString();
    const headers = {cookie: [...cookies].map(([k, v]) => `${k}=${v}`)
                                         .join("; ")};

    if (body !== undefined) {
        headers["content-type"] = "application/x-www-form-urlencoded";
        headers["content-length"] = Buffer.byteLength(body);
    }

    return new Promise((resolve, reject) => {
        const req = request(url, {ca, method, headers, agent: false},
                            (res) => {
            let text = "";

            for (const line of res.headers["set-cookie"] ?? []) {
                const [pair] = line.split(";");
                const at = pair.indexOf("=");

                cookies.set(pair.slice(0, at), pair.slice(at + 1));
            }

            res.setEncoding("utf8");
            res.on("data", (chunk) => {
                text += chunk;
            });
            res.on("error", reject);
            res.on("end", () => resolve({
                status: res.statusCode, text,
                location: res.headers.location
                    && new URL(res.headers.location, url).href,
            }));
        });

        req.on("error", reject);
        req.end(body);
    });
}


async function json(url, o) {
    const answer = await fetchOnce(url, o);

    if (answer.status !== 200) {
        throw new Error(`${url}: ${answer.status} ${answer.text}`);
    }

    return JSON.parse(answer.text);
}


/* the redirect to the client, whose page is not asked for */
async function authorize(url, redirectUri, o, {account, password}) {
    let answer = await fetchOnce(url, o);

    for (let i = 0; i < HOPS_MAX; i++) {
        if (answer.location?.startsWith(redirectUri)) {
            return new URL(answer.location).searchParams;
        }

        if (answer.location !== undefined) {
            url = answer.location;
            answer = await fetchOnce(url, o);
            continue;
        }

        if (answer.status !== 200) {
            throw new Error(`${account}: ${answer.status} ${answer.text}`);
        }

        answer = await fetchOnce(url, {...o, method: "POST",
                                       form: {login: account, password}});
    }

    throw new Error("the issuer redirects for ever");
}


/**
 * @param {object} o  issuer, client_id, redirect_uri, ca (PEM), account,
 *                    password, nonce?, scope?
 * @returns {Promise<object>}  the token endpoint's answer: id_token, ...
 */
export async function signIn(o) {
    const http = {ca: o.ca, cookies: new Map()};
    const found = await json(
        `${o.issuer}/.well-known/openid-configuration`, http);
    const verifier = randomBytes(32).toString("base64url");
    const state = randomBytes(16).toString("base64url");
    const query = new URLSearchParams({
        client_id: o.client_id, redirect_uri: o.redirect_uri,
        response_type: "code", scope: o.scope ?? "openid", state,
        code_challenge_method: "S256",
        code_challenge: createHash("sha256").update(verifier)
                                            .digest("base64url"),
        ...(o.nonce && {nonce: o.nonce}),
        ...(o.scope?.includes("offline_access") && {prompt: "consent"}),
    });
    const back = await authorize(`${found.authorization_endpoint}?${query}`,
                                 o.redirect_uri, http, o);

    if (back.get("state") !== state || !back.has("code")) {
        throw new Error(`refused: ${back}`);
    }

    return json(found.token_endpoint, {
        ...http, method: "POST",
        form: {grant_type: "authorization_code", code: back.get("code"),
               client_id: o.client_id, redirect_uri: o.redirect_uri,
               code_verifier: verifier},
    });
}


/** What a refresh token is good for. */
export async function renew(o, refreshToken) {
    const http = {ca: o.ca, cookies: new Map()};
    const found = await json(
        `${o.issuer}/.well-known/openid-configuration`, http);

    return json(found.token_endpoint, {
        ...http, method: "POST",
        form: {grant_type: "refresh_token", client_id: o.client_id,
               refresh_token: refreshToken},
    });
}


/** For signIn(), of the state of rs-stack and an account's name. */
export function fromStack(state, account) {
    const {issuer} = state;
    const accounts = JSON.parse(readFileSync(issuer.accounts_file, "utf8"));

    return {issuer: issuer.url, client_id: issuer.client_id,
            redirect_uri: issuer.redirect_uris[0],
            ca: readFileSync(state.ca), account,
            password: accounts[account].password};
}


if (import.meta.url === pathToFileURL(process.argv[1]).href) {
    const [, , path, account, nonce, scope] = process.argv;

    if (account === undefined) {
        console.error("usage: sign-in.mjs STACK.json ACCOUNT [NONCE] "
                      + "[SCOPE]");
        process.exit(2);
    }

    const state = JSON.parse(readFileSync(path, "utf8"));

    console.log(JSON.stringify(await signIn(
        {...fromStack(state, account), nonce, scope}), null, 1));
}
