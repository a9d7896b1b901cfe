
/*
 * Copyright (C) rs-gateway contributors
 *
 * The gateway and a real OpenID provider: sign-in, roles and tenants by
 * claims, renewal, and keys that the provider has changed.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";

import { fromStack, renew, signIn } from "./issuer/sign-in.mjs";
import { Stack } from "./lib/stack.mjs";
import { until } from "./lib/wait.mjs";


/* RFC 7638, 3.1 */
const NONCE = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";

let stack;


before(async () => {
    stack = await Stack.up(["--no-turn", "--oidc"]);
}, {timeout: 120000});


after(async () => {
    await stack?.down();
}, {timeout: 60000});


/* status and body of GET /me */
async function me(token, tenant) {
    const answer = await stack.fetch(`${stack.state.base}/me`, {
        method: "GET",
        headers: {authorization: `Bearer ${token}`,
                  ...(tenant && {"x-rs-tenant": tenant})},
    });

    return {status: answer.status, body: await answer.json()};
}


async function token(account, o = {nonce: NONCE}) {
    return signIn({...fromStack(stack.state, account), ...o});
}


function claims(idToken) {
    return JSON.parse(Buffer.from(idToken.split(".")[1], "base64url"));
}


test("roles and tenants are those of the claims", async () => {
    for (const [account, roles] of [["otto", ["observer"]],
                                    ["anna", ["technician"]],
                                    ["ada", ["admin"]],
                                    ["udo", ["auditor"]]])
    {
        const {status, body} = await me((await token(account)).id_token);

        assert.equal(status, 200, account);
        assert.deepEqual(body.roles, roles, account);
        assert.equal(body.tenant, "default", account);
        assert.match(body.id, /^usr_[a-z2-7]{26}$/);
    }

    const max = (await token("max")).id_token;
    const acme = await me(max, "acme");

    assert.equal(acme.status, 200);
    assert.equal(acme.body.tenant, "acme");
    assert.deepEqual(acme.body.tenants.map((t) => t.tenant).sort(),
                     ["acme", "default"]);
    assert.equal((await me(max, "globex")).status, 403);
    assert.notEqual((await me((await token("nobody")).id_token)).status, 200);
});


test("whoever has no password gets no token", async () => {
    await assert.rejects(token("anna", {nonce: NONCE, password: "x"}),
                         /403/);
});


test("a token is of no use without the thumbprint of a key", async () => {
    for (const o of [{}, {nonce: "n-0S6_WzA2Mj"}]) {
        const {status, body} = await me((await token("anna", o)).id_token);

        assert.equal(status, 401);
        assert.equal(body.code, "unauthenticated");
    }
});


test("a renewed token is good as long as it has the nonce", async () => {
    const o = fromStack(stack.state, "anna");
    const first = await signIn({...o, nonce: NONCE,
                                scope: "openid offline_access"});
    const next = await renew(o, first.refresh_token);

    assert.equal(claims(next.id_token).nonce, NONCE);
    assert.equal((await me(next.id_token)).status, 200);
});


test("new keys of the provider are fetched", async () => {
    const old = (await token("anna")).id_token;
    const {pid, conf} = stack.state.issuer;

    assert.equal((await me(old)).status, 200);

    process.kill(pid, "SIGTERM");
    await until("the provider ends", () => stack.gone(pid));

    assert.equal((await me(old)).status, 200, "nobody needs it for this");

    await rm(join(dirname(conf), "keys.json"));
    await stack.start("issuer");

    const fresh = await until("the provider is back", () => token("anna")
        .then((t) => t.id_token, () => null));

    assert.notEqual(fresh.split(".")[0], old.split(".")[0]);
    assert.equal((await me(fresh)).status, 200, "by a key just made");
    assert.equal((await me(old)).status, 401, "by one that is gone");
});


test("no token is in a log of the gateway", async () => {
    const {id_token: idToken} = await token("anna");

    assert.equal((await me(idToken)).status, 200);

    const log = await stack.log();

    for (const part of idToken.split(".")) {
        assert.ok(!log.includes(part));
    }
});
