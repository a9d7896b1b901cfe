
/*
 * Copyright (C) rs-gateway contributors
 *
 * What makes a pipe between two peers of a session theirs alone, whoever
 * forwards it: docs/protocol/peer.md, "Over a pipe"; librs/rs_seal.c is the
 * host's.  An ephemeral P-256 key of each side, the marks that both sign in
 * the place of fingerprints, HKDF-SHA256 over what was signed, AES-256-GCM
 * records with a counter.  No DOM: runs under node.
 */


const CURVE = {name: "ECDH", namedCurve: "P-256"};
const POINT = 65;
const IV = 12;
const KEY_BITS = 256;
const TAG = 16;
const OVERHEAD = TAG + 1;

export const RECORD_MAX = 65507;
export const DATA_MAX = RECORD_MAX - OVERHEAD;
const RECORDS = 1 << 24;            /* of one direction and key */

const NAME = /^[a-z2-7]{26}$/;
const WORDS = /^[a-z0-9,]{1,64}$/;
const MARK = /^rs-pipe [0-9A-F]{2}(:[0-9A-F]{2}){31}$/;
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

const encoder = new TextEncoder();


function join(...parts) {
    const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
    let at = 0;

    for (const part of parts) {
        all.set(part, at);
        at += part.length;
    }

    return all;
}


/** A name for a pipe: 26 characters that nobody guesses. */
export function pipeName(crypto = globalThis.crypto) {
    return [...crypto.getRandomValues(new Uint8Array(26))]
           .map((byte) => BASE32[byte & 31]).join("");
}


async function mark(crypto, label, name, words, ...points) {
    if (!NAME.test(name) || !WORDS.test(words)
        || points.some((p) => p.length !== POINT))
    {
        throw new TypeError("not what a pipe can be agreed on with");
    }

    const text = join(encoder.encode(`${label}\0${name}\0${words}\0`),
                      ...points);
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", text));
    const hex = [...hash].map((b) => b.toString(16).padStart(2, "0"));

    return "rs-pipe " + hex.join(":").toUpperCase();
}


/** What is signed of an offer, in the place of a fingerprint. */
export function offerMark({name, codecs, client}, crypto = globalThis.crypto) {
    return mark(crypto, "rs-pipe-offer-v1", name, codecs, client);
}


/** What is signed of an answer. */
export function answerMark({name, codec, client, host},
                           crypto = globalThis.crypto)
{
    return mark(crypto, "rs-pipe-answer-v1", name, codec, client, host);
}


/** Whether a text is a mark. */
export function isMark(text) {
    return typeof text === "string" && MARK.test(text);
}


/** A key for one pipe; its private half never leaves WebCrypto. */
export class SealKey {
    #crypto;
    #pair;

    constructor(pair, point, crypto) {
        this.#pair = pair;
        this.#crypto = crypto;
        this.point = point;
    }

    static async make(crypto = globalThis.crypto) {
        return SealKey.of(await crypto.subtle.generateKey(CURVE, false,
                                                          ["deriveBits"]),
                          crypto);
    }

    static async of(pair, crypto = globalThis.crypto) {
        const raw = await crypto.subtle.exportKey("raw", pair.publicKey);

        return new SealKey(pair, new Uint8Array(raw), crypto);
    }

    /**
     * Both directions, once the other side's answer was found to be signed.
     *
     * @param {"client"|"host"} side  ours
     * @param {Uint8Array} point      the other side's
     * @param {Uint8Array} signed     the bytes that the device signed
     */
    async start(side, point, signed) {
        const {subtle} = this.#crypto;
        const theirs = await subtle.importKey("raw", point, CURVE, false, []);
        const secret = await subtle.importKey(
            "raw", await subtle.deriveBits({name: "ECDH", public: theirs},
                                           this.#pair.privateKey, 256),
            "HKDF", false, ["deriveBits"]);
        const hash = new Uint8Array(await subtle.digest("SHA-256", signed));
        const way = async (who) => {
            const okm = new Uint8Array(await subtle.deriveBits(
                {name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0),
                 info: join(encoder.encode(`rs-seal-v1 ${who}\0`), hash)},
                secret, KEY_BITS + IV * 8));

            return {key: await subtle.importKey(
                        "raw", okm.slice(0, KEY_BITS / 8), "AES-GCM", false,
                        who === side ? ["encrypt"] : ["decrypt"]),
                    iv: okm.slice(KEY_BITS / 8)};
        };

        const other = side === "client" ? "host" : "client";

        return new RsSeal(await way(side), await way(other), this.#crypto);
    }
}


/** One pipe's records: made and taken in order, one after the other. */
export class RsSeal {
    #crypto;
    #out;
    #in;
    #made = 0;
    #taken = 0;

    /** Use SealKey.start(). */
    constructor(out, inward, crypto) {
        this.#out = out;
        this.#in = inward;
        this.#crypto = crypto;
    }

    #params({iv}, count) {
        const nonce = iv.slice();

        if (count >= RECORDS) {
            throw new RangeError("these keys are used up");
        }

        for (let i = 0; i < 4; i++) {
            nonce[IV - 1 - i] ^= count >>> (8 * i) & 255;
        }

        return {name: "AES-GCM", iv: nonce, tagLength: TAG * 8};
    }

    /** The next record; its number is drawn before this returns.
     *  @returns {Promise<Uint8Array>} */
    async make(data, more = false) {
        if (data.length === 0 || data.length > DATA_MAX) {
            throw new RangeError(`${data.length} bytes are no record's`);
        }

        const params = this.#params(this.#out, this.#made++);

        return new Uint8Array(await this.#crypto.subtle.encrypt(
            params, this.#out.key, join(Uint8Array.of(more ? 1 : 0), data)));
    }

    /** Opens the next record; throws what is not.
     *  @returns {Promise<{data: Uint8Array, more: boolean}>} */
    async take(record) {
        if (record.length <= OVERHEAD || record.length > RECORD_MAX) {
            throw new RangeError(`${record.length} bytes are no record`);
        }

        const params = this.#params(this.#in, this.#taken++);
        const text = new Uint8Array(await this.#crypto.subtle.decrypt(
            params, this.#in.key, record));

        if (text[0] > 1) {
            throw new RangeError("a record of a later version");
        }

        return {data: text.subarray(1), more: text[0] === 1};
    }
}
