
/*
 * Copyright (C) rs-gateway contributors
 *
 * Sealed pipes, against docs/protocol/vectors/seal.json, which the device's
 * own tests read, too.
 */

import test from "node:test";
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";

import { OperatorKey, RsWho, Pins, verifyAnswer, base64url }
    from "../rs-identity.js";
import { DATA_MAX, RECORD_MAX, SealKey, answerMark, isMark, offerMark,
         pipeName } from "../rs-seal.js";
import { protocolFile } from "./lib.mjs";


/* node 18 has it under another name */
globalThis.crypto ??= webcrypto;

const {subtle} = globalThis.crypto;

const V = protocolFile("vectors/seal.json");
const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
const text = (s) => new TextEncoder().encode(s);
const SIGNED = bytes(V.signed_hex);
const POINTS = {client: bytes(V.client.point_hex),
                host: bytes(V.host.point_hex)};
const DEAL = {name: V.name, codecs: V.codecs, codec: V.codec, ...POINTS};
const LINE = {session_id: V.session_id, device_id: V.device_id,
              participant_id: V.participant_id, pc: V.pc};


async function keyOf(side) {
    const {d, ...jwk} = V[side].jwk;
    const ecdh = {name: "ECDH", namedCurve: "P-256"};

    return SealKey.of({
        privateKey: await subtle.importKey("jwk", {...jwk, d}, ecdh, false,
                                           ["deriveBits"]),
        publicKey: await subtle.importKey("jwk", jwk, ecdh, true, []),
    });
}


async function pair(signed = SIGNED) {
    return {client: await (await keyOf("client")).start("client", POINTS.host,
                                                        signed),
            host: await (await keyOf("host")).start("host", POINTS.client,
                                                    signed)};
}


test("marks are those of the vectors, and no fingerprints", async () => {
    assert.equal(await offerMark(DEAL), V.offer_mark);
    assert.equal(await answerMark(DEAL), V.answer_mark);
    assert.ok(isMark(V.offer_mark));
    assert.ok(!isMark(V.offer_mark.replace("rs-pipe", "sha-256")));
    assert.ok(!isMark(V.offer_mark + "\n"));

    for (const wrong of [{name: "x"}, {codecs: ""}, {codecs: "VP8"},
                         {client: new Uint8Array(64)}])
    {
        await assert.rejects(async () => offerMark({...DEAL, ...wrong}),
                             TypeError);
    }
});


test("a name has 26 characters, and is another one each time", () => {
    assert.match(pipeName(), /^[a-z2-7]{26}$/);
    assert.notEqual(pipeName(), pipeName());
});


test("records are those of the vectors", async () => {
    const sides = await pair();

    for (const r of V.records) {
        const other = r.side === "client" ? sides.host : sides.client;
        const made = await sides[r.side].make(bytes(r.data_hex), r.more);

        assert.equal(Buffer.from(made).toString("hex"), r.record_hex);
        assert.deepEqual(await other.take(made),
                         {data: bytes(r.data_hex), more: r.more});
    }
});


test("records that are made at once keep their order", async () => {
    const {client, host} = await pair();
    const made = await Promise.all([..."abcdef"].map((c) =>
        client.make(text(c))));

    assert.deepEqual((await Promise.all(made.map((r) => host.take(r))))
                     .map(({data}) => String.fromCharCode(...data)).join(""),
                     "abcdef");
});


test("bounds of a record", async () => {
    const {client, host} = await pair();
    const most = await client.make(new Uint8Array(DATA_MAX));

    assert.equal(most.length, RECORD_MAX);
    assert.equal((await host.take(most)).data.length, DATA_MAX);
    await assert.rejects(client.make(new Uint8Array(0)), RangeError);
    await assert.rejects(client.make(new Uint8Array(DATA_MAX + 1)),
                         RangeError);
    await assert.rejects(host.take(new Uint8Array(17)), RangeError);
    await assert.rejects(host.take(new Uint8Array(RECORD_MAX + 1)),
                         RangeError);
});


test("what is not the next record is refused", async () => {
    const change = (record, i) => {
        const other = record.slice();

        other[i < 0 ? other.length + i : i] ^= 1;

        return other;
    };

    for (const [what, make] of [
        ["changed in front", (a) => change(a, 0)],
        ["changed at its end", (a) => change(a, -1)],
        ["cut", (a) => a.slice(0, -1)],
        ["the second one first", (a, b) => b],
        ["one's own", async (a, b, host) => host.make(text("abc"))]])
    {
        const {client, host} = await pair();
        const a = await client.make(text("abc"));
        const b = await client.make(text("def"));

        await assert.rejects(async () => host.take(await make(a, b, host)),
                             undefined, what);
    }

    const {client, host} = await pair();
    const a = await client.make(text("abc"));

    await host.take(a);
    await assert.rejects(host.take(a), undefined, "once more");
});


test("other words, other keys", async () => {
    const {client} = await pair();
    const {host} = await pair(SIGNED.slice(0, -1));

    await assert.rejects(host.take(await client.make(text("abc"))));

    const key = await keyOf("client");
    const off = POINTS.host.slice();

    off[64] ^= 1;
    await assert.rejects(key.start("client", off, SIGNED), undefined,
                         "a point that is not on the curve");
});


test("both ends of a pipe are proven as those of a connection", async () => {
    const operator = await OperatorKey.of(await subtle.generateKey(
        {name: "ECDSA", namedCurve: "P-256"}, false, ["sign"]));
    const proof = await operator.proof(LINE, V.offer_mark, "a.b.c");
    const device = await subtle.generateKey("Ed25519", true,
                                            ["sign", "verify"]);
    const public_key = base64url(await subtle.exportKey("raw",
                                                        device.publicKey));
    const signature = base64url(await subtle.sign("Ed25519",
                                                  device.privateKey, SIGNED));
    const who = new RsWho({...LINE, tenant: "t", pins: new Pins(new Map())});

    assert.match(proof.signature, /^[A-Za-z0-9_-]{86}$/);
    assert.deepEqual(who.signed(V.pc, V.offer_mark, V.answer_mark, true),
                     SIGNED);
    assert.equal(await verifyAnswer(LINE, V.offer_mark, V.answer_mark,
                                    {public_key, signature}, true),
                 public_key);

    const sdp = "v=0\r\na=fingerprint:"
                + V.answer_mark.replace("rs-pipe", "sha-256") + "\r\n";

    for (const [offer, answer, verified] of [
        [V.offer_mark, V.answer_mark, false],
        [V.offer_mark, sdp, true], [sdp, V.answer_mark, true],
        [V.answer_mark, V.answer_mark, true]])
    {
        await assert.rejects(verifyAnswer(LINE, offer, answer,
                                          {public_key, signature}, verified),
                             {code: "device_unverified"});
    }
});
