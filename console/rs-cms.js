
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a recording is sealed in: CMS AuthEnvelopedData (RFC 5083) of AES-GCM
 * (RFC 5084) for recipients of RSA-OAEP (RFC 3560) or ECDH (RFC 5753), opened
 * with an auditor's private key by WebCrypto.  No DOM, runs under node.
 *
 * The key is read out of PKCS#8, plain or under a passphrase (PBES2, RFC
 * 8018), becomes a CryptoKey that nothing can be read out of, and that is all
 * that is kept of it.
 */

import { RsError } from "./rs-api.js";
import { Der, DerError, TAG, context, der } from "./rs-der.js";


const AUTH_ENVELOPED = "1.2.840.113549.1.9.16.1.23";
const OAEP = "1.2.840.113549.1.1.7";
const MGF1 = "1.2.840.113549.1.1.8";
const RSA = "1.2.840.113549.1.1.1";
const EC = "1.2.840.10045.2.1";
const PBES2 = "1.2.840.113549.1.5.13";
const PBKDF2 = "1.2.840.113549.1.5.12";

const PEM_MAX = 65536;
const ROUNDS_MAX = 10000000;
const RECIPIENTS_MAX = 256;

const GCM = new Map([["2.16.840.1.101.3.4.1.6", 16],
                     ["2.16.840.1.101.3.4.1.26", 24],
                     ["2.16.840.1.101.3.4.1.46", 32]]);

const CBC = new Map([["2.16.840.1.101.3.4.1.2", 16],
                     ["2.16.840.1.101.3.4.1.22", 24],
                     ["2.16.840.1.101.3.4.1.42", 32]]);

const WRAPS = new Map([["2.16.840.1.101.3.4.1.5", 16],
                       ["2.16.840.1.101.3.4.1.25", 24],
                       ["2.16.840.1.101.3.4.1.45", 32]]);

const HASHES = new Map([["1.3.14.3.2.26", "SHA-1"],
                        ["2.16.840.1.101.3.4.2.1", "SHA-256"],
                        ["2.16.840.1.101.3.4.2.2", "SHA-384"],
                        ["2.16.840.1.101.3.4.2.3", "SHA-512"]]);

const PRFS = new Map([["1.2.840.113549.2.7", "SHA-1"],
                      ["1.2.840.113549.2.9", "SHA-256"],
                      ["1.2.840.113549.2.10", "SHA-384"],
                      ["1.2.840.113549.2.11", "SHA-512"]]);

/* of ECDH, with and without cofactor: it is 1 on these curves */
const SCHEMES = new Map([["1.3.133.16.840.63.0.2", "SHA-1"],
                         ["1.3.132.1.11.1", "SHA-256"],
                         ["1.3.132.1.11.2", "SHA-384"],
                         ["1.3.132.1.11.3", "SHA-512"],
                         ["1.3.133.16.840.63.0.3", "SHA-1"],
                         ["1.3.132.1.14.1", "SHA-256"],
                         ["1.3.132.1.14.2", "SHA-384"],
                         ["1.3.132.1.14.3", "SHA-512"]]);

const CURVES = new Map([["1.2.840.10045.3.1.7", ["P-256", 256]],
                        ["1.3.132.0.34", ["P-384", 384]],
                        ["1.3.132.0.35", ["P-521", 528]]]);


function refuse(code, detail) {
    return new RsError(code, {detail});
}


/* what f reads; whatever else is wrong with it is of no known form */
async function reading(code, f) {
    try {
        return await f();

    } catch (e) {
        throw e instanceof RsError ? e : refuse(code, String(e?.message));
    }
}


function lookUp(table, oid, what) {
    const found = table.get(oid);

    if (found === undefined) {
        throw new DerError(`${what} ${oid} is not known here`);
    }

    return found;
}


/* ---- the key */


/** What a PEM file has: {encrypted, bytes}. */
function pemOf(text) {
    if (text.length > PEM_MAX) {
        throw refuse("key_form", "that is no key: it is too long");
    }

    const m = new RegExp("-----BEGIN ((?:[A-Z0-9]+ )*)PRIVATE" + " KEY-----"
                         + "([A-Za-z0-9+/=\\s]+)-----END ").exec(text);

    if (m === null) {
        throw refuse("key_form", "there is no private key in PEM in it");
    }

    if (m[1] !== "" && m[1] !== "ENCRYPTED ") {
        throw refuse("key_form", `a key of the form “${m[1].trim()}”: `
                     + "\"openssl pkcs8 -topk8\" makes one that is read");
    }

    return {encrypted: m[1] !== "",
            bytes: Uint8Array.from(atob(m[2].replace(/\s/g, "")),
                                   (c) => c.charCodeAt(0))};
}


/** Whether a key file asks for a passphrase. @param {string} pem */
export function wantsPassphrase(pem) {
    return pemOf(pem).encrypted;
}


async function decryptKey(crypto, bytes, passphrase) {
    const [algorithm, data] = Der.read(bytes).is(TAG.SEQUENCE).children;
    const [scheme, params] = algorithm.children;

    if (scheme.oid !== PBES2) {
        throw new DerError("a key under an old scheme: \"openssl pkcs8 "
                           + "-topk8 -v2 aes-256-cbc\" makes a newer one");
    }

    const [kdf, cipher] = params.children;
    const [name, how] = kdf.children;

    if (name.oid !== PBKDF2) {
        throw new DerError("a key whose passphrase is not used by PBKDF2: "
                           + "\"openssl pkcs8 -topk8\" makes one that is");
    }

    const [salt, rounds, ...rest] = how.children;
    const prf = rest.find((part) => part.tag === TAG.SEQUENCE);
    const hash = prf === undefined ? "SHA-1" : lookUp(
        PRFS, prf.children[0].oid, "the hash");
    const [mode, iv] = cipher.children;
    const length = lookUp(CBC, mode.oid, "the cipher");

    if (rounds.number > ROUNDS_MAX) {
        throw new DerError("too many rounds");
    }

    const secret = await crypto.subtle.importKey(
        "raw", new TextEncoder().encode(passphrase), "PBKDF2", false,
        ["deriveKey"]);
    const key = await crypto.subtle.deriveKey(
        {name: "PBKDF2", salt: salt.is(TAG.OCTET_STRING).body, hash,
         iterations: rounds.number}, secret,
        {name: "AES-CBC", length: length * 8}, false, ["decrypt"]);

    try {
        return new Uint8Array(await crypto.subtle.decrypt(
            {name: "AES-CBC", iv: iv.is(TAG.OCTET_STRING).body}, key,
            data.is(TAG.OCTET_STRING).body));

    } catch {
        throw refuse("passphrase", "");
    }
}


/** An auditor's private key, in this page only. */
export class AuditorKey {
    #crypto;
    #rsa = new Map();       /* hash -> CryptoKey */
    #ec = null;             /* {key, curve, bits} */

    constructor(crypto) {
        this.#crypto = crypto;
    }

    /**
     * @param {string} pem  @param {string} [passphrase]
     * @returns {Promise<AuditorKey>}  RsError: key_form, passphrase
     */
    static load(pem, passphrase = "", crypto = globalThis.crypto) {
        return reading("key_form", async () => {
            const {encrypted, bytes} = pemOf(pem);
            const plain = encrypted
                          ? await decryptKey(crypto, bytes, passphrase)
                          : bytes;
            const key = new AuditorKey(crypto);

            try {
                await key.#take(plain);

            } catch (e) {
                if (encrypted && !(e instanceof RsError)) {
                    /* a wrong passphrase that looked right by chance */
                    throw refuse("passphrase", "");
                }

                throw e;

            } finally {
                plain.fill(0);
            }

            return key;
        });
    }

    async #take(bytes) {
        const [, algorithm] = Der.read(bytes).is(TAG.SEQUENCE).children;
        const [kind, params] = algorithm.is(TAG.SEQUENCE).children;
        const {subtle} = this.#crypto;

        if (kind.oid === RSA) {
            for (const hash of HASHES.values()) {
                this.#rsa.set(hash, await subtle.importKey(
                    "pkcs8", bytes, {name: "RSA-OAEP", hash}, false,
                    ["decrypt"]));
            }

            return;
        }

        if (kind.oid !== EC) {
            throw new DerError(`a key of the kind ${kind.oid}`);
        }

        const [curve, bits] = lookUp(CURVES, params.oid, "the curve");

        this.#ec = {curve, bits, key: await subtle.importKey(
            "pkcs8", bytes, {name: "ECDH", namedCurve: curve}, false,
            ["deriveBits"])};
    }

    /** The content key, null: none of the recipients is this key. */
    async contentKey(recipients, length) {
        for (const recipient of recipients) {
            const raw = recipient.tag === TAG.SEQUENCE
                        ? await this.#byRsa(recipient)
                        : recipient.tag === context(1)
                        ? await this.#byEc(recipient) : null;

            if (raw?.length === length) {
                return raw;
            }
        }

        return null;
    }

    async #byRsa(recipient) {
        const [, , algorithm, sealed] = recipient.children;
        const {hash, label} = oaepOf(algorithm);
        const key = this.#rsa.get(hash);

        if (key === undefined) {
            return null;
        }

        try {
            return new Uint8Array(await this.#crypto.subtle.decrypt(
                {name: "RSA-OAEP", ...(label ? {label} : {})}, key,
                sealed.is(TAG.OCTET_STRING).body));

        } catch {
            return null;    /* somebody else's */
        }
    }

    async #byEc(recipient) {
        if (this.#ec === null) {
            return null;
        }

        const [, originator, ...rest] = recipient.children;
        const ukm = rest[0].tag === context(1) ? rest.shift().child : null;
        const [algorithm, keys] = rest;
        const [scheme, wrap] = algorithm.children;
        const hash = lookUp(SCHEMES, scheme.oid, "the key agreement");
        const size = lookUp(WRAPS, wrap.children[0].oid, "the key wrap");
        const [, point] = originator.is(context(0)).child.is(context(1))
                                    .children;
        let secret;

        try {
            secret = await this.#shared(point.bits);

        } catch {
            return null;    /* of another curve */
        }

        const kek = await this.#wrapKey(secret, {hash, wrap, size, ukm});

        for (const entry of keys.children.slice(0, RECIPIENTS_MAX)) {
            const raw = await this.#unwrap(
                kek, entry.children[1].is(TAG.OCTET_STRING).body);

            if (raw !== null) {
                return raw;
            }
        }

        return null;
    }

    async #shared(point) {
        const {subtle} = this.#crypto;
        const {curve, bits, key} = this.#ec;
        const other = await subtle.importKey(
            "raw", point, {name: "ECDH", namedCurve: curve}, false, []);

        return new Uint8Array(await subtle.deriveBits(
            {name: "ECDH", public: other}, key, bits));
    }

    /* ANSI X9.63, over the SharedInfo of RFC 5753, 7.2 */
    async #wrapKey(secret, {hash, wrap, size, ukm}) {
        const {subtle} = this.#crypto;
        const bits = new Uint8Array(4);

        new DataView(bits.buffer).setUint32(0, size * 8);

        const info = der(TAG.SEQUENCE, wrap.whole,
            ...(ukm === null ? [] : [der(context(0), ukm.whole)]),
            der(context(2), der(TAG.OCTET_STRING, bits)));
        const made = [];

        for (let n = 1; made.length < size; n++) {
            const counter = new Uint8Array(4);

            new DataView(counter.buffer).setUint32(0, n);

            const block = new Uint8Array(await subtle.digest(
                hash, concat(secret, counter, info)));

            made.push(...block);
        }

        return subtle.importKey("raw", new Uint8Array(made.slice(0, size)),
                                "AES-KW", false, ["unwrapKey"]);
    }

    async #unwrap(kek, sealed) {
        const {subtle} = this.#crypto;

        try {
            const key = await subtle.unwrapKey(
                "raw", sealed, kek, "AES-KW", {name: "HMAC", hash: "SHA-256"},
                true, ["sign"]);

            return new Uint8Array(await subtle.exportKey("raw", key));

        } catch {
            return null;    /* somebody else's */
        }
    }
}


function concat(...parts) {
    const bytes = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
    let at = 0;

    for (const part of parts) {
        bytes.set(part, at);
        at += part.length;
    }

    return bytes;
}


/* RFC 8017, A.2.1: WebCrypto has one hash for both places */
function oaepOf(algorithm) {
    const [kind, params] = algorithm.is(TAG.SEQUENCE).children;
    let hash = "SHA-1";
    let mask = "SHA-1";
    let label = null;

    if (kind.oid !== OAEP) {
        throw new DerError(`a key sealed by ${kind.oid}, not by RSA-OAEP`);
    }

    for (const part of params?.children ?? []) {
        const [name, more] = part.child.children;

        if (part.tag === context(0)) {
            hash = lookUp(HASHES, name.oid, "the hash");

        } else if (part.tag === context(1) && name.oid === MGF1) {
            mask = lookUp(HASHES, more.children[0].oid, "the hash");

        } else if (part.tag === context(2)) {
            label = more.is(TAG.OCTET_STRING).body;

        } else {
            throw new DerError("parameters of RSA-OAEP that are not known");
        }
    }

    if (hash !== mask) {
        throw new DerError("RSA-OAEP of two hashes");
    }

    return {hash, label};
}


/* ---- what it opens */


function enveloped(bytes) {
    const [kind, content] = Der.read(bytes).is(TAG.SEQUENCE).children;

    if (kind.oid !== AUTH_ENVELOPED) {
        throw new DerError(`an envelope of the kind ${kind.oid}`);
    }

    const parts = content.is(context(0)).child.is(TAG.SEQUENCE).children;

    parts.shift();          /* version */

    if (parts[0]?.tag === context(0)) {
        parts.shift();      /* certificates of an originator */
    }

    const recipients = parts.shift().is(TAG.SET).children;
    const [, algorithm, data] = parts.shift().is(TAG.SEQUENCE).children;
    const attributes = parts[0]?.tag === context(1) ? parts.shift() : null;
    const mac = parts.shift().is(TAG.OCTET_STRING).body;
    const [cipher, params] = algorithm.is(TAG.SEQUENCE).children;
    const [nonce] = params.is(TAG.SEQUENCE).children;

    if (recipients.length > RECIPIENTS_MAX) {
        throw new DerError("too many recipients");
    }

    return {recipients, mac,
            length: lookUp(GCM, cipher.oid, "the cipher"),
            iv: nonce.is(TAG.OCTET_STRING).body,
            data: data.is(context(0, false)).body,
            aad: attributes === null ? new Uint8Array(0)
                                     : der(TAG.SET, attributes.body)};
}


/**
 * What the file has sealed.  RsError: not_for_key (it is for others),
 * sealed_form (not such a file), sealed_broken (it was changed).
 *
 * @param {Uint8Array} bytes  @param {AuditorKey} auditor
 * @returns {Promise<Uint8Array>}
 */
export function openSealed(bytes, auditor, crypto = globalThis.crypto) {
    return reading("sealed_form", async () => {
        const it = enveloped(bytes);
        const raw = await auditor.contentKey(it.recipients, it.length);

        if (raw === null) {
            throw refuse("not_for_key", "");
        }

        const key = await crypto.subtle.importKey("raw", raw, "AES-GCM",
                                                  false, ["decrypt"]);

        raw.fill(0);

        try {
            return new Uint8Array(await crypto.subtle.decrypt(
                {name: "AES-GCM", iv: it.iv, additionalData: it.aad,
                 tagLength: it.mac.length * 8}, key,
                concat(it.data, it.mac)));

        } catch {
            throw refuse("sealed_broken", "");
        }
    });
}
