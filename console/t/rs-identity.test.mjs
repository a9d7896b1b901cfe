
/*
 * Copyright (C) rs-gateway contributors
 *
 * Proofs, answers and pins, against docs/protocol/vectors/proof.json, which
 * the device's own tests read, too.
 */

import test from "node:test";
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";

import { OperatorKey, Pins, RsWho, base64url, fingerprintOf, fromBase64url,
         shortFingerprint, signedBytes, thumbprint, verifyAnswer }
    from "../rs-identity.js";
import { protocolFile } from "./lib.mjs";


/* node 18 has it under another name */
globalThis.crypto ??= webcrypto;

const {subtle} = globalThis.crypto;

const V = protocolFile("vectors/proof.json");
const LINE = {session_id: V.session_id, device_id: V.device_id,
              participant_id: V.participant_id, pc: V.pc};

const TENANT = "default";
const DEV = {tenant: TENANT, device_id: V.device_id};

const sdp = (fingerprint) => `v=0\r\na=fingerprint:${fingerprint}\r\n`;
const OFFER = sdp(V.offer_fingerprint);
const ANSWER = sdp(V.answer_fingerprint);
const DEVICE = {public_key: V.device.public_key,
                signature: V.device.signature};


class MemoryStore {
    values = new Map();

    async get(name) {
        return this.values.get(name);
    }

    async add(name, value) {
        if (!this.values.has(name)) {
            this.values.set(name, value);
        }

        return this.values.get(name);
    }

    async put(name, value) {
        this.values.set(name, value);
    }

    async delete(name) {
        this.values.delete(name);
    }
}


/* a device's key: its public half, and statements by it */
async function deviceKey(deviceId = V.device_id, tenant = TENANT) {
    const pair = await subtle.generateKey("Ed25519", true, ["sign", "verify"]);
    const raw = await subtle.exportKey("raw", pair.publicKey);
    const public_key = base64url(raw);
    const sign = async (...parts) => base64url(
        await subtle.sign("Ed25519", pair.privateKey, signedBytes(...parts)));

    return {
        public_key,
        answer: async (line, offer, answer) => ({
            public_key,
            signature: await sign("rs-device-v1", line.session_id,
                                  line.device_id, line.participant_id,
                                  line.pc, fingerprintOf(offer),
                                  fingerprintOf(answer)),
        }),
        handOver: async (next) => ({
            old: public_key, new: next.public_key,
            signature: await sign("rs-device-key-v1", tenant, deviceId,
                                  public_key, next.public_key),
        }),
    };
}


const refused = (code, words) => (e) => {
    assert.equal(e.code, code);
    assert.match(e.detail, words);
    return true;
};


for (const {name, sdp, fingerprint} of V.fingerprints) {
    test(`fingerprint of a description: ${name}`, () => {
        assert.equal(fingerprintOf(sdp), fingerprint);
    });
}


test("base64url in its one form", () => {
    const bytes = Uint8Array.from([0xfb, 0xff, 0x01, 0x02]);

    assert.equal(base64url(bytes), "-_8BAg");
    assert.deepEqual(fromBase64url("-_8BAg", 4), bytes);

    for (const bad of ["-_8BAg==", "+/8BAg", "-_8BAh", "-_8BA", "-_8BAgA",
                       " -_8BAg", "", null, 7, undefined])
    {
        assert.equal(fromBase64url(bad, 4), null, String(bad));
    }
});


test("thumbprint, what is signed, and the short fingerprint", async () => {
    const hex = (bytes) => Buffer.from(bytes).toString("hex");

    assert.equal(await thumbprint(V.operator.key), V.operator.thumbprint);
    assert.equal(await thumbprint({...V.operator.private_key, use: "sig"}),
                 V.operator.thumbprint);
    assert.equal(hex(signedBytes("rs-operator-v1", V.session_id, V.device_id,
                                 V.participant_id, V.pc,
                                 V.offer_fingerprint)),
                 V.operator.signed_hex);
    assert.equal(hex(signedBytes("rs-device-v1", V.session_id, V.device_id,
                                 V.participant_id, V.pc, V.offer_fingerprint,
                                 V.answer_fingerprint)),
                 V.device.signed_hex);
    assert.equal(await shortFingerprint(V.device.public_key),
                 V.device.short_fingerprint);
    await assert.rejects(shortFingerprint("AA"),
                         refused("device_unverified", /32 bytes/));
});


test("the operator's key stays, and cannot be taken out", async () => {
    const store = new MemoryStore();
    const key = await OperatorKey.load(store);
    const again = await OperatorKey.load(store);

    assert.equal(again.thumbprint, key.thumbprint);
    assert.deepEqual(Object.keys(key.jwk).sort(), ["crv", "kty", "x", "y"]);

    for (const {privateKey} of store.values.values()) {
        assert.equal(privateKey.extractable, false);
        await assert.rejects(subtle.exportKey("jwk", privateKey));
    }

    await OperatorKey.forget(store);
    assert.equal(store.values.size, 0);
    assert.notEqual((await OperatorKey.load(store)).thumbprint,
                    key.thumbprint);
});


test("two pages that start at once have one key", async () => {
    const store = new MemoryStore();
    const [a, b] = await Promise.all([OperatorKey.load(store),
                                      OperatorKey.load(store)]);

    assert.equal(a.thumbprint, b.thumbprint);
});


test("a proof verifies with the key it carries; so does the vector's",
     async () => {
    const key = await OperatorKey.load(new MemoryStore());
    const proof = await key.proof(LINE, OFFER, "a.b.c");
    const verify = async (jwk, signature) => subtle.verify(
        {name: "ECDSA", hash: "SHA-256"},
        await subtle.importKey("jwk", jwk, {name: "ECDSA",
                                            namedCurve: "P-256"},
                               false, ["verify"]),
        fromBase64url(signature, 64), Buffer.from(V.operator.signed_hex,
                                                  "hex"));

    assert.deepEqual(Object.keys(proof).sort(),
                     ["id_token", "key", "signature"]);
    assert.equal(proof.id_token, "a.b.c");
    assert.equal(await thumbprint(proof.key), key.thumbprint);
    assert.equal(await verify(proof.key, proof.signature), true);
    assert.equal(await verify(V.operator.key, V.operator.signature), true);
    assert.equal(await verify(V.operator.key, proof.signature), false);
    await assert.rejects(key.proof(LINE, "v=0\r\n", "a.b.c"),
                         refused("peer_failed", /fingerprint/));
});


test("an answer of the device, of this very offer and answer", async () => {
    assert.equal(await verifyAnswer(LINE, OFFER, ANSWER, DEVICE),
                 V.device.public_key);

    /* so is that it verified us, which nobody can add or take away */
    const sure = {...DEVICE, signature: V.device.verified_signature};

    assert.equal(await verifyAnswer(LINE, OFFER, ANSWER, sure, true),
                 V.device.public_key);
    await assert.rejects(verifyAnswer(LINE, OFFER, ANSWER, DEVICE, true),
                         refused("device_unverified", /changed/));
    await assert.rejects(verifyAnswer(LINE, OFFER, ANSWER, sure, false),
                         refused("device_unverified", /changed/));

    const other = sdp(V.answer_fingerprint.replace("0D", "0E"));
    const flipped = (DEVICE.signature[0] === "A" ? "B" : "A")
                    + DEVICE.signature.slice(1);
    const stranger = await deviceKey();

    for (const [what, line, offer, answer, device, words] of [
        ["the offer was changed", LINE, other, ANSWER, DEVICE, /changed/],
        ["the answer was changed", LINE, OFFER, other, DEVICE, /changed/],
        ["another line", {...LINE, pc: 4}, OFFER, ANSWER, DEVICE, /changed/],
        ["another session", {...LINE, session_id: "ses_x"}, OFFER, ANSWER,
         DEVICE, /changed/],
        ["another device", {...LINE, device_id: "dev_x"}, OFFER, ANSWER,
         DEVICE, /changed/],
        ["another viewer", {...LINE, participant_id: "par_x"}, OFFER, ANSWER,
         DEVICE, /changed/],
        ["another signature", LINE, OFFER, ANSWER,
         {...DEVICE, signature: flipped}, /changed/],
        ["another key", LINE, OFFER, ANSWER,
         {...DEVICE, public_key: stranger.public_key}, /changed/],
        ["no signature", LINE, OFFER, ANSWER,
         {public_key: DEVICE.public_key}, /changed/],
        ["a key of no length", LINE, OFFER, ANSWER,
         {...DEVICE, public_key: ""}, /changed/],
        ["a key that is no point", LINE, OFFER, ANSWER,
         {...DEVICE, public_key: base64url(new Uint8Array(32).fill(0xff))},
         /changed/],
        ["no device", LINE, OFFER, ANSWER, undefined, /not signed/],
        ["null", LINE, OFFER, ANSWER, null, /not signed/],
        ["text", LINE, OFFER, ANSWER, "device", /changed/],
        ["two fingerprints", LINE, OFFER,
         ANSWER + `a=fingerprint:${V.offer_fingerprint}\r\n`, DEVICE,
         /exactly one/],
    ]) {
        await assert.rejects(verifyAnswer(line, offer, answer, device),
                             refused("device_unverified", words), what);
    }
});


test("the key seen first is the key", async () => {
    const store = new MemoryStore();
    const pins = new Pins(store);
    const [a, b] = [await deviceKey(), await deviceKey()];
    const short = await shortFingerprint(a.public_key);
    const check = (key, history = []) => pins.check(DEV, key,
                                                    history, 7);

    assert.deepEqual(await check(a.public_key), {how: "first", short, at: 7});
    assert.deepEqual(await pins.check(DEV, a.public_key, [], 9),
                     {how: "pinned", short, at: 7});
    await assert.rejects(check(b.public_key),
                         refused("device_changed", new RegExp(short)));

    /* of another device it says nothing */
    assert.equal((await pins.check({...DEV, device_id: "dev_x"}, b.public_key, [], 8)).how,
                 "first");

    /* nobody but the user forgets it */
    await pins.reset(V.device_id);
    assert.equal((await check(b.public_key)).how, "first");
});


test("a key that the pinned one leads to takes its place", async () => {
    const keys = await Promise.all([0, 1, 2].map(() => deviceKey()));
    const [a, b, c] = keys;
    const history = [await b.handOver(c), await a.handOver(b)];
    const pins = new Pins(new MemoryStore());
    const check = (key, given) => pins.check(DEV, key.public_key,
                                             given, 7);

    await check(a, []);

    /* nothing that is less than the whole chain */
    const forged = {...history[0], old: a.public_key};
    const foreign = await (await deviceKey()).handOver(c);
    const x = await deviceKey("dev_x");
    const y = await deviceKey(V.device_id, "other");

    for (const [what, given] of [
        ["none", []],
        ["not a list", "history"],
        ["no list", undefined],
        ["junk", [null, 7, {}, {old: a.public_key}]],
        ["the half of it", [history[0]]],
        ["the other half", [history[1]]],
        ["forged", [forged]],
        ["by a stranger", [{...foreign, old: a.public_key}]],
        ["in circles", [await a.handOver(b), await b.handOver(a),
                        await a.handOver(b)]],
        ["too long", [...Array(8).fill({old: "x"}), ...history]],
    ]) {
        await assert.rejects(check(c, given), {code: "device_changed"}, what);
    }

    /* a statement counts for its device and tenant only */
    for (const key of [x, y]) {
        const pins = new Pins(new MemoryStore());

        await pins.check(DEV, key.public_key, [], 7);
        await assert.rejects(pins.check(DEV, c.public_key,
                                        [await key.handOver(c)], 7),
                             {code: "device_changed"});
    }

    assert.equal((await check(c, history)).how, "rotated");
    assert.equal((await check(c, [])).how, "pinned");

    /* and back leads no way */
    await assert.rejects(check(a, history), {code: "device_changed"});
});


test("both ends of a place: proof, check, what the gateway says", async () => {
    const store = new MemoryStore();
    const key = await OperatorKey.load(store);
    const device = await deviceKey();
    const {pc, ...about} = LINE;
    let operator = null;
    let told = null;
    const who = new RsWho({...about, tenant: TENANT, pins: new Pins(store), now: () => 5,
                           operator: () => operator,
                           device: async () => told});
    const answer = await device.answer(LINE, OFFER, ANSWER);

    assert.equal(await who.prove(pc, OFFER), null);
    operator = {key, id_token: "t"};
    assert.equal((await who.prove(pc, OFFER)).id_token, "t");

    /* a gateway that contradicts itself */
    told = {public_key: V.device.public_key};
    await assert.rejects(who.check(pc, OFFER, ANSWER, answer),
                         refused("device_unverified", /names another key/));

    await assert.rejects(who.check(pc, OFFER, ANSWER, undefined),
                         refused("device_unverified", /not signed/));

    told = {public_key: device.public_key, key_history: []};
    assert.equal((await who.check(pc, OFFER, ANSWER, answer)).how, "first");

    /* once pinned, its word is not asked for */
    told = {public_key: V.device.public_key};
    assert.equal((await who.check(pc, OFFER, ANSWER, answer)).how, "pinned");
    await assert.rejects(who.check(pc + 1, OFFER, ANSWER, answer),
                         refused("device_unverified", /changed/));

    const next = await deviceKey();

    told = {public_key: next.public_key,
            key_history: [await device.handOver(next)]};
    assert.equal((await who.check(pc, OFFER, ANSWER,
                                  await next.answer(LINE, OFFER, ANSWER)))
                 .how, "rotated");
});
