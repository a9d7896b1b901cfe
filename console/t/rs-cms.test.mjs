
/*
 * Copyright (C) rs-gateway contributors
 *
 * What openssl seals is opened: RSA-OAEP of several hashes, ECDH of three
 * curves, several recipients, keys with and without a passphrase; and what is
 * changed, is for somebody else, or of another form is told apart.
 */

import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { webcrypto } from "node:crypto";

import { AuditorKey, openSealed, wantsPassphrase } from "../rs-cms.js";
import { Der, TAG, der } from "../rs-der.js";


globalThis.crypto ??= webcrypto;

const TEXT = Buffer.from("a picture\n".repeat(5000));
const CURVES = ["P-256", "P-384", "P-521"];

let dir;


function openssl(...args) {
    return execFileSync("openssl", args, {cwd: dir, stdio: "pipe"});
}


function make(name, ...algorithm) {
    openssl("genpkey", ...algorithm, "-out", `${name}.key`);
    openssl("req", "-new", "-x509", "-key", `${name}.key`, "-subj",
            `/CN=${name}`, "-out", `${name}.crt`);
}


/* recipients: [certificate's name, ...keyopt] */
function seal(...recipients) {
    openssl("cms", "-encrypt", "-binary", "-aes-256-gcm", "-in", "text",
            "-outform", "DER", "-out", "sealed",
            ...recipients.flatMap(([name, ...o]) => [
                "-recip", `${name}.crt`,
                ...o.flatMap((opt) => ["-keyopt", opt])]));

    return new Uint8Array(readFileSync(join(dir, "sealed")));
}


function load(name, passphrase) {
    return AuditorKey.load(readFileSync(join(dir, `${name}.key`), "utf8"),
                           passphrase);
}


before(() => {
    dir = mkdtempSync(join(tmpdir(), "rs-cms-"));
    writeFileSync(join(dir, "text"), TEXT);
    make("rsa", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048");
    make("other", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048");

    for (const curve of CURVES) {
        make(curve, "-algorithm", "EC", "-pkeyopt",
             `ec_paramgen_curve:${curve}`, "-pkeyopt",
             "ec_param_enc:named_curve");
    }
});


after(() => rmSync(dir, {recursive: true, force: true}));


test("RSA-OAEP, of the hashes there are", async () => {
    const key = await load("rsa");

    for (const more of [[], ["rsa_oaep_md:sha256"], ["rsa_oaep_md:sha384"],
                        ["rsa_oaep_md:sha512"]])
    {
        const sealed = seal(["rsa", "rsa_padding_mode:oaep", ...more]);

        assert.deepEqual(Buffer.from(await openSealed(sealed, key)), TEXT);
    }
});


test("ECDH, of the curves there are", async () => {
    for (const curve of CURVES) {
        for (const more of [[], ["ecdh_kdf_md:sha256"],
                            ["ecdh_kdf_md:sha512"]])
        {
            const sealed = seal([curve, ...more]);

            assert.deepEqual(Buffer.from(await openSealed(
                sealed, await load(curve))), TEXT, `${curve} ${more}`);
        }
    }
});


test("one of several recipients, and none of them", async () => {
    const sealed = seal(["other", "rsa_padding_mode:oaep"], ["P-384"],
                        ["rsa", "rsa_padding_mode:oaep",
                         "rsa_oaep_md:sha256"], ["P-256"]);

    for (const name of ["rsa", "P-256", "P-384", "other"]) {
        assert.deepEqual(Buffer.from(await openSealed(
            sealed, await load(name))), TEXT, name);
    }

    await assert.rejects(openSealed(sealed, await load("P-521")),
                         {code: "not_for_key"});
    await assert.rejects(openSealed(
        seal(["other", "rsa_padding_mode:oaep"]), await load("rsa")),
        {code: "not_for_key"});
});


test("a flipped byte, wherever it is", async () => {
    const key = await load("P-256");
    const sealed = seal(["P-256"]);

    for (const at of [sealed.length - 1, sealed.length - 40, 300,
                      sealed.length >> 1])
    {
        const changed = Uint8Array.from(sealed);

        changed[at] ^= 1;
        await assert.rejects(openSealed(changed, key), (e) =>
            ["sealed_broken", "sealed_form", "not_for_key"].includes(e.code),
            String(at));
    }

    for (const cut of [0, 1, 5, 100, sealed.length - 1]) {
        await assert.rejects(openSealed(sealed.subarray(0, cut), key),
                             {code: "sealed_form"});
    }
});


test("what is sealed in another way is not opened", async () => {
    openssl("cms", "-encrypt", "-binary", "-aes-256-cbc", "-in", "text",
            "-outform", "DER", "-out", "cbc", "-recip", "rsa.crt");
    await assert.rejects(
        openSealed(new Uint8Array(readFileSync(join(dir, "cbc"))),
                   await load("rsa")), {code: "sealed_form"});
    await assert.rejects(openSealed(seal(["rsa"]), await load("rsa")),
                         {code: "sealed_form"});
    await assert.rejects(openSealed(TEXT, await load("rsa")),
                         {code: "sealed_form"});
});


test("keys under a passphrase", async () => {
    const sealed = seal(["P-256"]);
    const under = (name, ...o) => {
        openssl("pkcs8", "-topk8", "-in", "P-256.key", "-passout",
                "pass:see-saw", "-out", `${name}.key`, ...o);

        return readFileSync(join(dir, `${name}.key`), "utf8");
    };

    assert.equal(wantsPassphrase(readFileSync(join(dir, "P-256.key"),
                                              "utf8")), false);

    for (const [name, ...o] of [["usual"], ["aes128", "-v2", "aes-128-cbc"],
                                ["sha512", "-v2prf", "hmacWithSHA512"],
                                ["sha1", "-v2prf", "hmacWithSHA1"]])
    {
        assert.equal(wantsPassphrase(under(name, ...o)), true);
        assert.deepEqual(Buffer.from(await openSealed(
            sealed, await load(name, "see-saw"))), TEXT, name);
        await assert.rejects(load(name, "swing"), {code: "passphrase"});
    }

    under("scrypt", "-scrypt");
    await assert.rejects(load("scrypt", "see-saw"), {code: "key_form"});
    under("old", "-v1", "PBE-SHA1-3DES");
    await assert.rejects(load("old", "see-saw"), {code: "key_form"});
});


test("what is no key, or none that is known", async () => {
    make("ed", "-algorithm", "ED25519");
    openssl("rsa", "-in", "rsa.key", "-traditional", "-out",
            "traditional.key");
    writeFileSync(join(dir, "text.key"), "neither key nor PEM");
    writeFileSync(join(dir, "long.key"), "-".repeat(70000));
    writeFileSync(join(dir, "crt.key"), readFileSync(join(dir, "rsa.crt")));

    for (const name of ["ed", "traditional", "text", "long", "crt"]) {
        await assert.rejects(load(name), {code: "key_form"}, name);
    }
});


test("DER: lengths, depth, what was written is read", () => {
    const long = new Uint8Array(70000).fill(7);
    const it = Der.read(der(TAG.SEQUENCE, der(TAG.OCTET_STRING, long),
                            der(TAG.OID, Uint8Array.of(0x2a, 0x86, 0x48)),
                            der(TAG.INTEGER, Uint8Array.of(1, 0))));

    assert.equal(it.children[0].body.length, 70000);
    assert.equal(it.children[1].oid, "1.2.840");
    assert.equal(it.children[2].number, 256);

    for (const bytes of [[], [0x30], [0x30, 0x80], [0x30, 0x02, 0x05],
                         [0x1f, 0x01, 0x00], [0x30, 0x85, 1, 1, 1, 1, 1],
                         [0x30, 0x00, 0x00], [0x04, 0x84, 255, 255, 255,
                                              255]])
    {
        assert.throws(() => Der.read(Uint8Array.from(bytes)),
                      {name: "DerError"}, String(bytes));
    }

    let deep = new Uint8Array(0);

    for (let i = 0; i < 40; i++) {
        deep = der(TAG.SEQUENCE, deep);
    }

    assert.throws(() => {
        for (let at = Der.read(deep);;) {
            [at] = at.children;
        }
    }, {name: "DerError"});
    assert.throws(() => Der.read(Uint8Array.of(0x04, 0)).children,
                  {name: "DerError"});
});
