
/*
 * Copyright (C) rs-gateway contributors
 *
 * Who is there, as docs/protocol/peer.md has it: the key of this browser and
 * what it signs, the answer of a device and the keys pinned for devices.
 * Whatever cannot be checked is refused, with a sentence that says why.  No
 * DOM: runs under node; WebCrypto and the store can be handed in.
 *
 * A store keeps values that outlive the page, shared by the pages of this
 * origin: get, put and delete by name, and add, which puts unless there is
 * one and gives the one that is there then; all async.  rs-store.js has the
 * browser's.
 */

import { RsError } from "./rs-api.js";
import { isMark } from "./rs-seal.js";


/** @typedef {{get: (name: string) => Promise<any>,
 *             add: (name: string, value: any) => Promise<any>,
 *             put: (name: string, value: any) => Promise<void>,
 *             delete: (name: string) => Promise<void>}} Store */
/** @typedef {{old: string, new: string, signature: string}} Statement  one key
 *             of a device, by the one before */
/** @typedef {{tenant: string, device_id: string}} Device */
/** @typedef {{session_id: string, device_id: string, participant_id: string,
 *             pc: number}} Line  what a signature is about */


const ES256 = {name: "ECDSA", namedCurve: "P-256"};
const SIGN = {name: "ECDSA", hash: "SHA-256"};
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const OPERATOR_KEY = "operator-key";
const HISTORY_MAX = 8;
const SDP_MAX = 60000;

const encoder = new TextEncoder();


/* bytes and text */

export function base64url(bytes) {
    return btoa(String.fromCharCode(...new Uint8Array(bytes)))
           .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}


/** The bytes, or null for what is not exactly size bytes in canonical form. */
export function fromBase64url(value, size) {
    if (typeof value !== "string" || !/^[A-Za-z0-9_-]*$/.test(value)
        || value.length !== Math.ceil(size * 4 / 3))
    {
        return null;
    }

    const text = atob(value.replace(/-/g, "+").replace(/_/g, "/"));
    const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));

    return base64url(bytes) === value ? bytes : null;
}


/** What is signed: parts with one zero byte between them. */
export function signedBytes(...parts) {
    return encoder.encode(parts.join("\0"));
}


/**
 * The fingerprint of a description, "sha-256 AA:BB:...", or null for one that
 * has none, several, or anything that could be read in two ways.
 */
export function fingerprintOf(sdp) {
    let found = null;

    if (typeof sdp !== "string" || sdp.length > SDP_MAX
        || sdp.includes("\0"))
    {
        return null;
    }

    for (const line of sdp.split(/\r\n|\r|\n/)) {
        if (!/fingerprint/i.test(line)) {
            continue;
        }

        const m = /^a=fingerprint:(\S+) ([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){31})$/
                  .exec(line);

        if (m === null || m[1].toLowerCase() !== "sha-256") {
            return null;
        }

        const value = "sha-256 " + m[2].toUpperCase();

        if (found !== null && found !== value) {
            return null;
        }

        found = value;
    }

    return found;
}


/** What is signed of one end: a description's fingerprint, or a pipe's mark
 *  as it is (rs-seal.js). */
function endOf(end) {
    return isMark(end) ? end : fingerprintOf(end);
}


/**
 * What people compare: the first 80 bits of the SHA-256 of a device's key,
 * "AB12-CD34-EF56-GH78".
 */
export async function shortFingerprint(publicKey, crypto = globalThis.crypto) {
    const raw = fromBase64url(publicKey, 32);

    if (raw === null) {
        throw new RsError("device_unverified", {
            detail: "the device's key is not 32 bytes in base64url",
        });
    }

    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", raw));
    let value = 0n;

    for (const byte of hash.subarray(0, 10)) {
        value = value << 8n | BigInt(byte);
    }

    let text = "";

    for (let shift = 75n; shift >= 0n; shift -= 5n) {
        text += BASE32[Number(value >> shift & 31n)];
    }

    return text.match(/.{4}/g).join("-");
}


/* the operator: this browser's key */

/** RFC 7638, SHA-256, of an EC key. */
export async function thumbprint({crv, kty, x, y},
                                 crypto = globalThis.crypto)
{
    /* the members in this order and nothing between them: section 3.2 */
    const text = JSON.stringify({crv, kty, x, y});

    return base64url(await crypto.subtle.digest("SHA-256",
                                                encoder.encode(text)));
}


/**
 * The key an operator's console signs with.  Its private half is not
 * extractable: neither this page nor who copies the store can have it.
 */
export class OperatorKey {
    #crypto;
    #pair;

    constructor(pair, jwk, print, crypto) {
        this.#pair = pair;
        this.#crypto = crypto;
        this.jwk = jwk;
        this.thumbprint = print;
    }

    /**
     * The one in the store, or a new one.
     * @param {Store} store
     */
    static async load(store, crypto = globalThis.crypto) {
        const pair = await store.get(OPERATOR_KEY)
                     ?? await store.add(OPERATOR_KEY,
                                        await crypto.subtle.generateKey(
                                            ES256, false, ["sign"]));

        return OperatorKey.of(pair, crypto);
    }

    static async of(pair, crypto = globalThis.crypto) {
        const {kty, crv, x, y} = await crypto.subtle.exportKey(
            "jwk", pair.publicKey);
        const jwk = {kty, crv, x, y};

        return new OperatorKey(pair, jwk, await thumbprint(jwk, crypto),
                               crypto);
    }

    /** After it, tokens that name this key are worth nothing. */
    static forget(store) {
        return store.delete(OPERATOR_KEY);
    }

    /**
     * The proof of an offer.
     * @param {Line} line
     * @param {string} offer   a description, or a pipe's mark
     * @param {string} idToken its nonce is this key's thumbprint
     */
    async proof(line, offer, idToken) {
        const fingerprint = endOf(offer);

        if (fingerprint === null) {
            throw new RsError("peer_failed", {
                detail: "this browser's offer has not exactly one SHA-256 "
                        + "fingerprint",
            });
        }

        const signature = await this.#crypto.subtle.sign(
            SIGN, this.#pair.privateKey,
            signedBytes("rs-operator-v1", line.session_id, line.device_id,
                        line.participant_id, String(line.pc), fingerprint));

        return {id_token: idToken, key: this.jwk,
                signature: base64url(signature)};
    }
}


/* the device: its answer and its key */

function unverified(detail) {
    return new RsError("device_unverified", {detail});
}


/** Whether that key signed those bytes; key and signature as base64url. */
export async function verifyEd25519(crypto, publicKey, signature, bytes) {
    const raw = fromBase64url(publicKey, 32);
    const sig = fromBase64url(signature, 64);

    if (raw === null || sig === null) {
        return false;
    }

    let key;

    try {
        key = await crypto.subtle.importKey("raw", raw, "Ed25519", false,
                                            ["verify"]);

    } catch (e) {
        if (e?.name === "NotSupportedError") {
            throw unverified("this browser cannot check Ed25519 signatures: "
                             + "update it");
        }

        return false;       /* not a point of the curve */
    }

    return crypto.subtle.verify("Ed25519", key, sig, bytes);
}


/** What the device signs of a connection with these two ends. */
function deviceBytes(line, fingerprints, verified) {
    return signedBytes("rs-device-v1", line.session_id, line.device_id,
                       line.participant_id, String(line.pc), ...fingerprints,
                       ...(verified ? ["verified"] : []));
}


/**
 * Throws unless an answer is of the device whose key it names, and of this
 * very offer and answer.  Gives that key; whether it is the right one is the
 * pins' to say.
 *
 * @param {Line} line
 * @param {string} offer  @param {string} answer    descriptions, or both
 *                        marks of a pipe
 * @param {any} device    of the answer, as it came
 * @param {boolean} verified  whether it is said that the device verified us:
 *                        it signs that, too
 */
export async function verifyAnswer(line, offer, answer, device, verified,
                                   crypto = globalThis.crypto)
{
    const fingerprints = [endOf(offer), endOf(answer)];

    if (device === undefined || device === null) {
        throw unverified("the answer is not signed by a device");
    }

    if (fingerprints[1] === null || isMark(offer) !== isMark(answer)) {
        throw unverified("the answer has not exactly one SHA-256 fingerprint");
    }

    const bytes = deviceBytes(line, fingerprints, verified);

    if (!await verifyEd25519(crypto, device.public_key, device.signature,
                             bytes))
    {
        throw unverified("the signature does not fit: the offer or the answer "
                         + "was changed on the way, or somebody else answered");
    }

    return device.public_key;
}


/** Whether a statement hands its device from one key on to the next. */
function verifyStatement(crypto, {tenant, device_id}, statement) {
    return verifyEd25519(crypto, statement.old, statement.signature,
                         signedBytes("rs-device-key-v1", tenant, device_id,
                                     String(statement.old),
                                     String(statement.new)));
}


/** The keys this browser knows devices by: the first one seen, and those that
 *  one handed the device on to. */
export class Pins {
    #store;
    #crypto;

    /** @param {Store} store */
    constructor(store, crypto = globalThis.crypto) {
        this.#store = store;
        this.#crypto = crypto;
    }

    /** @returns {Promise<{public_key: string, at: number}|null>} */
    async get(deviceId) {
        return await this.#store.get("pin:" + deviceId) ?? null;
    }

    /** All of them: {device_id, short, at}, the latest first. */
    async list() {
        const all = await this.#store.entries("pin:");
        const pins = await Promise.all(all.map(async ([name, pin]) => ({
            device_id: name.slice("pin:".length), at: pin.at,
            short: await shortFingerprint(pin.public_key, this.#crypto)})));

        return pins.sort((a, b) => b.at - a.at);
    }

    /** Of a device that proved it has this key.  Throws when another one is
     *  pinned and nothing leads from that one to this.
     *
     *  @param {Device} device  @param {string} publicKey
     *  @param {Statement[]} history  @param {number} now  seconds
     *  @returns {Promise<{how: "first"|"pinned"|"rotated", short: string,
     *                     at: number}>}  at: pinned since
     */
    async check(device, publicKey, history, now) {
        const name = "pin:" + device.device_id;
        const mine = {public_key: publicKey, at: now};
        const before = await this.get(device.device_id);
        const pin = before ?? await this.#store.add(name, mine);
        const short = await shortFingerprint(publicKey, this.#crypto);

        if (pin.public_key === publicKey) {
            return {how: before === null ? "first" : "pinned", short,
                    at: pin.at};
        }

        if (!await this.#leads(device, pin.public_key, publicKey, history)) {
            const known = await shortFingerprint(pin.public_key,
                                                 this.#crypto);

            throw Object.assign(new RsError("device_changed", {
                detail: `known: ${known}, now: ${short}`,
            }), {known, short});
        }

        await this.#store.put(name, mine);

        return {how: "rotated", short, at: now};
    }

    /** Only by an explicit act: the next key is taken as the first one. */
    reset(deviceId) {
        return this.#store.delete("pin:" + deviceId);
    }

    /* statements need not be in order, and each is followed once */
    async #leads(device, from, to, history) {
        const left = (Array.isArray(history) ? history : [])
                     .slice(0, HISTORY_MAX);

        while (from !== to) {
            const i = left.findIndex((s) => s?.old === from);

            if (i < 0) {
                return false;
            }

            const [statement] = left.splice(i, 1);

            if (await verifyStatement(this.#crypto, device, statement)) {
                from = statement.new;
            }
        }

        return true;
    }
}


/**
 * Both ends of one place in a session, for RsPeer: proves who offers, and
 * checks who answers.
 */
export class RsWho {
    #about;
    #tenant;
    #operator;
    #pins;
    #device;
    #now;
    #crypto;

    /**
     * @param {{tenant: string, session_id: string,
     *          device_id: string|(() => string),
     *          participant_id: string, pins: Pins,
     *          operator?: () => {key: OperatorKey, id_token: string}|null,
     *          device?: () => Promise<{public_key?: string,
     *                                  key_history?: Statement[]}|null>,
     *          now?: () => number, crypto?: Crypto}} o
     *        device_id: a function where it may become another one before
     *        anything stands; operator: who is signed in, asked at each
     *        offer; throws when the sign-in has expired; device: as the gateway has it
     */
    constructor(o) {
        const {session_id, device_id, participant_id} = o;

        this.#about = {
            session_id, participant_id,
            get device_id() {
                return typeof device_id === "function" ? device_id()
                                                       : device_id;
            },
        };
        this.#tenant = o.tenant;
        this.#operator = o.operator ?? (() => null);
        this.#device = o.device ?? (async () => null);
        this.#pins = o.pins;
        this.#now = o.now ?? (() => Math.floor(Date.now() / 1000));
        this.#crypto = o.crypto ?? globalThis.crypto;
    }

    /** The proof of an offer, null of somebody who is not signed in. */
    async prove(pc, offer) {
        const operator = this.#operator();

        return operator === null ? null
               : operator.key.proof({...this.#about, pc}, offer,
                                    operator.id_token);
    }

    /** What the device signed of a pipe: its keys are of this, too. */
    signed(pc, offer, answer, verified) {
        return deviceBytes({...this.#about, pc}, [offer, answer], verified);
    }

    /**
     * Throws unless the answer is of the device that was asked for.
     * @returns {Promise<{how: string, short: string, at: number}>}
     */
    async check(pc, offer, answer, device, verified) {
        const {device_id} = this.#about;
        const key = await verifyAnswer({...this.#about, pc}, offer, answer,
                                       device, verified, this.#crypto);
        const pin = await this.#pins.get(device_id);
        let history = [];

        if (pin?.public_key !== key) {
            const told = await this.#device();

            /* a gateway that says one key and lets another one answer */
            if (typeof told?.public_key === "string"
                && told.public_key !== key)
            {
                throw unverified("the gateway names another key for this "
                                 + "device than the one that answered");
            }

            history = told?.key_history;
        }

        return this.#pins.check({tenant: this.#tenant, device_id}, key,
                                history, this.#now());
    }
}


/**
 * Both ends where the host is a browser (rs-host.js): it has no key that
 * anybody could know it by and verifies nobody, so there is nothing to prove
 * to it and nothing to check.  Only for who asked for such a host, or was
 * told of no device by the session.
 */
export class RsNobody {
    async prove() {
        return null;
    }

    async check() {
        return {how: "browser", short: "", at: 0};
    }
}
