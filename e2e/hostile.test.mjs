
/*
 * Copyright (C) rs-gateway contributors
 *
 * A gateway in the middle that wants to see the screen, or to be somebody: a
 * technician who is signed in, a device that demands verified operators, and
 * a gateway that changes what they say to each other.  One of the two ends
 * refuses each attempt, and says why.
 */

import test, { after, afterEach, before, beforeEach } from "node:test";
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign }
    from "node:crypto";

import { signIn, fromStack } from "./issuer/sign-in.mjs";
import { Browser, connected, stageText } from "./lib/browser.mjs";
import { Hostile } from "./lib/hostile.mjs";
import { Stack } from "./lib/stack.mjs";
import { until } from "./lib/wait.mjs";


const OTHER = "AB:".repeat(31) + "AB";

const NOT_ACCEPTED = "The device does not accept who you are.*";
const ON_THE_WAY = /the signature is not of this connection: somebody on/;
const OTHER_KEY = /the ID token was made for another browser's key/;

let stack, hostile, browser, page;
let logged = 0;             /* so much the agent had said before this test */


before(async () => {
    stack = await Stack.up(["--agent", "--nodes", "2", "--oidc",
                            "--agent-conf", "require_verified_operator=true",
                            "--log-level", "debug"]);
    hostile = await Hostile.open(stack);
    browser = await Browser.start(stack);
    page = await browser.page();

    const {account, password} = fromStack(stack.state, "ada");

    await page.goto(hostile.url + "console/");
    await page.click("#signin-oidc");
    await page.fill("#login", account);
    await page.fill("#password", password);
    await page.click("#submit");
    await page.waitForSelector(row());
}, {timeout: 120000});


after(async () => {
    await browser?.close();
    await hostile?.close();
    await stack?.down();
}, {timeout: 60000});


beforeEach(async () => {
    logged = (await stack.agentLog()).length;
});


afterEach(async () => {
    hostile.behave();

    if (await page.isVisible("#overlay-back")) {
        await page.click("#overlay-back");

    } else if (await page.isVisible("#stage-leave")) {
        await page.click("#stage-leave");

        if (await page.isVisible("#overlay-back")) {
            await page.click("#overlay-back");
        }
    }

    await page.waitForSelector(row());
});


function row() {
    return `.device[data-device="${stack.device}"]`;
}


async function connect() {
    await page.click(`${row()} .connect`);
}


/* the session ends, or is not made, for this reason; nothing was shown */
async function refused(why) {
    await until(`"${why}" on the stage`, async () => {
        const text = await stageText(page);

        if (!why.test(text)) {
            throw new Error(text);
        }

        return true;
    });

    assert.notEqual(await page.getAttribute("#stage", "data-state"),
                    "connected");
    assert.equal(await page.$eval("#screen", (v) => v.videoWidth), 0);
}


/* what the agent has said about it */
async function said(why) {
    await until(`${why} in the agent's log`, async () =>
        why.test((await stack.agentLog()).slice(logged)));
}


/* what the console says of both ends */
async function trusted(of) {
    assert.equal(await page.getAttribute("#trust", "data-operator"), "true");
    assert.match(await page.textContent("#trust-facts"), of);
}


/* told to the technician, and in the log */
async function refusedByDevice(why) {
    await refused(new RegExp(NOT_ACCEPTED + why.source));
    await said(why);
}


function swapped(sdp) {
    return sdp.replace(/^(a=fingerprint:sha-256 ).*$/mg, "$1" + OTHER);
}


/* a key of the gateway's own, as a proof has it, and its thumbprint */
function ownKey() {
    const {publicKey, privateKey} = generateKeyPairSync("ec", {
        namedCurve: "P-256"});
    const {x, y} = publicKey.export({format: "jwk"});
    const key = {kty: "EC", crv: "P-256", x, y};
    const thumbprint = createHash("sha256").update(JSON.stringify(
        {crv: key.crv, kty: key.kty, x, y})).digest("base64url");

    return {key, privateKey, thumbprint};
}


function bytesOf(...parts) {
    return Buffer.from(parts.join("\0"));
}


/* a whole proof by the gateway's key, of what it is going to say */
function proofBy({key, privateKey}, idToken, session, data) {
    const fingerprint = "sha-256 " + /^a=fingerprint:sha-256 (\S+)/m
        .exec(data.sdp)[1].toUpperCase();
    const self = session.participants.find((p) => p.role !== "host");
    const signature = sign("sha256", bytesOf(
        "rs-operator-v1", session.id, stack.device, self.id, data.pc,
        fingerprint), {key: privateKey, dsaEncoding: "ieee-p1363"});

    return {id_token: idToken, key,
            signature: signature.toString("base64url")};
}


/* the session that the console has made, as the gateway knows it */
function watchSession() {
    const seen = {session: null};

    hostile.rest = (path, data) => {
        if (/\/sessions$/.test(path) && data.participants) {
            seen.session = data;
        }

        return data;
    };

    return seen;
}


test("a gateway that behaves: verified by both", {timeout: 60000},
     async (t) => {
    let proof = null;
    let answer = null;

    hostile.offer = (data) => {
        proof = data.proof;
        return data;
    };
    hostile.answer = (data) => {
        answer = data;
        return data;
    };

    await connect();
    await connected(page);

    await trusted(/saw it for the first time/);
    assert.equal(answer.operator.verified, true);
    assert.equal(answer.operator.name, "Ada Admin");
    await said(/Ada Admin/);
    t.diagnostic(await page.textContent("#trust-text"));

    /* for those that want to use it again */
    hostile.proof = proof;
});


test("another fingerprint in the offer", {timeout: 60000}, async () => {
    hostile.offer = (data) => ({...data, sdp: swapped(data.sdp)});
    await connect();
    await refusedByDevice(ON_THE_WAY);
});


test("an offer of the gateway's own, without a proof", {timeout: 60000},
     async () => {
    hostile.offer = ({proof, ...data}) => ({...data, sdp: swapped(data.sdp)});
    await connect();
    await refusedByDevice(/the offer proves nothing: sign in/);
});


test("the proof of an earlier session", {timeout: 60000}, async () => {
    hostile.offer = (data) => ({...data, proof: hostile.proof});
    await connect();
    await refusedByDevice(ON_THE_WAY);
});


test("another user's token in the technician's proof", {timeout: 60000},
     async () => {
    const {id_token: idToken} = await signIn({
        ...fromStack(stack.state, "anna"), nonce: ownKey().thumbprint});

    hostile.offer = (data) => ({...data, proof: {...data.proof,
                                                 id_token: idToken}});
    await connect();
    await refusedByDevice(OTHER_KEY);
});


test("the technician's token with a key of the gateway's",
     {timeout: 60000}, async () => {
    const own = ownKey();
    const seen = watchSession();

    hostile.offer = (data) => {
        const changed = {...data, sdp: swapped(data.sdp)};

        return {...changed, proof: proofBy(own, data.proof.id_token,
                                           seen.session, changed)};
    };
    await connect();
    await refusedByDevice(OTHER_KEY);
});


test("a token of somebody the device does not accept", {timeout: 60000},
     async () => {
    const own = ownKey();
    const seen = watchSession();
    const {id_token: idToken} = await signIn({
        ...fromStack(stack.state, "otto"), nonce: own.thumbprint});

    hostile.offer = (data) => ({...data, proof: proofBy(
        own, idToken, seen.session, data)});
    await connect();
    await refusedByDevice(/this device does not accept Otto Observer/);
});


test("another fingerprint in the answer", {timeout: 60000}, async () => {
    hostile.answer = (data) => ({...data, sdp: swapped(data.sdp)});
    await connect();
    await refused(/could not be verified.*the signature does not fit/);
});


test("an answer without the device's word", {timeout: 60000}, async () => {
    hostile.answer = ({device, ...data}) => data;
    await connect();
    await refused(/could not be verified.*not signed by a device/);
});


test("what the device makes of the proof, said otherwise", {timeout: 60000},
     async () => {
    hostile.answer = (data) => ({...data, operator: {
        verified: false, reason: "no proof"}});
    await connect();
    await refused(/could not be verified.*the signature does not fit/);
});


/* to be given what is typed */
test("another port for the channel of mouse and keys",
     {timeout: 60000}, async () => {
    hostile.answer = (data) => ({...data, sdp: data.sdp.replace(
        /^a=sctp-port:\d+/m, "a=sctp-port:5999")});
    await connect();
    await until("a word of it on the stage", async () =>
        /Mouse and keys do not reach/.test(await stageText(page)));
    assert.doesNotMatch(await page.textContent("#trust-facts"),
                        /They go by way of the gateway/);
});


for (const [name, told, why] of [
    ["by a key of the gateway's", false,
     /could not be verified.*names another key for this device/],
    ["by a key that the gateway says is the device's", true,
     /The device's key has changed/],
]) {
    test(`an answer ${name}`, {timeout: 60000}, async () => {
        const {publicKey, privateKey} = generateKeyPairSync("ed25519");
        const {x} = publicKey.export({format: "jwk"});
        let session = null;
        let offer = null;

        hostile.rest = (path, data) => {
            if (/\/sessions$/.test(path) && data.participants) {
                session = data;
            }

            if (path.endsWith(`/devices/${stack.device}`) && told) {
                return {...data, public_key: x};
            }

            return data;
        };
        hostile.offer = (data) => {
            offer = data;
            return data;
        };
        hostile.answer = (data) => {
            const sdp = swapped(data.sdp);
            const self = session.participants.find((p) => p.role !== "host");
            const print = ({sdp: text}) => "sha-256 "
                + /^a=fingerprint:sha-256 (\S+)/m.exec(text)[1].toUpperCase();
            const signature = sign(null, bytesOf(
                "rs-device-v1", session.id, stack.device, self.id, data.pc,
                print(offer), print({sdp}), "verified"), privateKey);

            return {...data, sdp, device: {
                public_key: x, signature: signature.toString("base64url")}};
        };

        await connect();
        await refused(why);
    });
}


test("nothing of it stays: as at the beginning", {timeout: 60000},
     async () => {
    await connect();
    await connected(page);
    await trusted(/the key this browser has known since/);
});
