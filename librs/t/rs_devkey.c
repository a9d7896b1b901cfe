
/*
 * Copyright (C) rs-gateway contributors
 *
 * Device keys: key pairs of RFC 8032, 7.1, what is signed, and what is
 * refused.
 */


#include "tap.h"
#include "rs_devkey.h"

#include <openssl/err.h>
#include <openssl/evp.h>


#define DEV  "dev_dddddddddddddddddddddddddd"


static void test_vectors(void);
static void test_signed(void);
static void test_verify(void);
static void test_bad_keys(void);


/* RFC 8032, 7.1: seed, public key, message, signature */

static const struct {
    const char  *seed;
    const char  *pub;
    const char  *message;
    const char  *signature;
} vectors[] = {
    { "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
      "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
      "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
    { "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
      "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
    { "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
      "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
      "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" }
};


static void
test_vectors(void)
{
    char         text[RS_DEVKEY_TEXT_LEN];
    size_t       i, len;
    uint8_t      seed[32], pub[32], raw[32], message[4], signature[64];
    EVP_PKEY    *pkey;
    EVP_MD_CTX  *ctx;

    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        (void) tap_hex(seed, sizeof(seed), vectors[i].seed);
        (void) tap_hex(pub, sizeof(pub), vectors[i].pub);
        (void) tap_hex(signature, sizeof(signature), vectors[i].signature);
        len = tap_hex(message, sizeof(message), vectors[i].message);

        is_rc(rs_devkey_public(seed, raw), RS_OK, "RFC 8032, 7.1");
        ok(memcmp(raw, pub, sizeof(raw)) == 0, "its public key");

        (void) rs_base64url_encode(text, pub, sizeof(pub));
        memset(raw, 0, sizeof(raw));
        is_rc(rs_devkey_parse((rs_str_t) { (uint8_t *) text, sizeof(text) },
                              raw), RS_OK, "is a good key");
        ok(memcmp(raw, pub, sizeof(raw)) == 0, "and the same");

        /* OpenSSL as it is used by rs_devkey.c */

        pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, 32);
        ctx = EVP_MD_CTX_new();
        ok(EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1
           && EVP_DigestVerify(ctx, signature, 64, message, len) == 1,
           "its signature verifies");
        EVP_MD_CTX_free(ctx);
        EVP_PKEY_free(pkey);
    }
}


static void
test_signed(void)
{
    char      host[RS_DEVKEY_HOST_MAX + 1];
    size_t    i, len;
    uint8_t   text[RS_DEVKEY_SIGNED_MAX], nonce[32];
    rs_str_t  h;

    static const char  head[] =
        "rs-agent-v1\0support.example.net\0default\0" DEV;

    for (i = 0; i < sizeof(nonce); i++) {
        nonce[i] = (uint8_t) i;
    }

    len = rs_devkey_signed(text, RS_STR("support.example.net"),
                           RS_STR("default"), RS_STR(DEV), nonce);

    ok(len == sizeof(head) + 32 && memcmp(text, head, sizeof(head)) == 0
       && memcmp(text + sizeof(head), nonce, 32) == 0, "what is signed");

    memset(host, 'h', sizeof(host));
    h = (rs_str_t) { (uint8_t *) host, RS_DEVKEY_HOST_MAX };
    len = rs_devkey_signed(text, h,
                           RS_STR("abcdefghijklmnopqrstuvwxyz012345"),
                           RS_STR(DEV), nonce);
    is_int(len, RS_DEVKEY_SIGNED_MAX, "the longest");

    h.len++;
    is_int(rs_devkey_signed(text, h, RS_STR("t"), RS_STR(DEV), nonce), 0,
           "a host that is too long");
    is_int(rs_devkey_signed(text, RS_STR(""), RS_STR("t"), RS_STR(DEV),
                            nonce), 0, "none");
    is_int(rs_devkey_signed(text, RS_STR("a\0b"), RS_STR("t"), RS_STR(DEV),
                            nonce), 0, "one with a zero byte");
    is_int(rs_devkey_signed(text, RS_STR("a"), RS_STR("T"), RS_STR(DEV),
                            nonce), 0, "bad tenant");
    is_int(rs_devkey_signed(text, RS_STR("a"), RS_STR("t"), RS_STR("dev_"),
                            nonce), 0, "bad device");
}


static void
test_verify(void)
{
    char      text[RS_DEVKEY_TEXT_LEN], other[RS_DEVKEY_TEXT_LEN];
    size_t    i;
    uint8_t   seed[32], raw[32], nonce[32], signature[64];
    rs_str_t  key, key2, h, t, d;

    (void) tap_hex(seed, sizeof(seed), vectors[1].seed);
    (void) tap_hex(raw, sizeof(raw), vectors[1].pub);
    (void) rs_base64url_encode(text, raw, sizeof(raw));
    key = (rs_str_t) { (uint8_t *) text, sizeof(text) };

    (void) tap_hex(raw, sizeof(raw), vectors[2].pub);
    (void) rs_base64url_encode(other, raw, sizeof(raw));
    key2 = (rs_str_t) { (uint8_t *) other, sizeof(other) };

    memset(nonce, 7, sizeof(nonce));
    h = RS_STR("support.example.net");
    t = RS_STR("default");
    d = RS_STR(DEV);

    is_rc(rs_devkey_sign(seed, h, t, d, nonce, signature), RS_OK, "signed");
    is_rc(rs_devkey_verify(key, h, t, d, nonce, signature), RS_OK,
          "verifies");

    is_rc(rs_devkey_verify(key2, h, t, d, nonce, signature),
          RS_E_UNAUTHENTICATED, "not with another key");
    is_rc(rs_devkey_verify(key, RS_STR("evil.example"), t, d, nonce,
                           signature), RS_E_UNAUTHENTICATED, "another host");
    is_rc(rs_devkey_verify(key, h, RS_STR("defaulu"), d, nonce, signature),
          RS_E_UNAUTHENTICATED, "another tenant");
    is_rc(rs_devkey_verify(key, h, t,
                           RS_STR("dev_eeeeeeeeeeeeeeeeeeeeeeeeee"), nonce,
                           signature), RS_E_UNAUTHENTICATED, "device");
    is_rc(rs_devkey_verify(key, h, t, RS_STR("dev"), nonce, signature),
          RS_E_UNAUTHENTICATED, "no device");

    nonce[0] ^= 1;
    is_rc(rs_devkey_verify(key, h, t, d, nonce, signature),
          RS_E_UNAUTHENTICATED, "another nonce");
    nonce[0] ^= 1;

    for (i = 0; i < sizeof(signature); i += 21) {
        signature[i] ^= 1;
        is_rc(rs_devkey_verify(key, h, t, d, nonce, signature),
              RS_E_UNAUTHENTICATED, "a changed signature");
        signature[i] ^= 1;
    }

    memset(signature, 0xff, sizeof(signature));
    is_rc(rs_devkey_verify(key, h, t, d, nonce, signature),
          RS_E_UNAUTHENTICATED, "no signature at all");
    is_rc(rs_devkey_verify(RS_STR("x"), h, t, d, nonce, signature),
          RS_E_INTERNAL, "a stored key that is none");
    is_rc(rs_devkey_sign(seed, RS_STR(""), t, d, nonce, signature),
          RS_E_INVALID_VALUE, "nothing is signed without a host");

    ok(ERR_peek_error() == 0, "OpenSSL's queue of errors is empty");
}


static void
test_bad_keys(void)
{
    char     text[64];
    size_t   i, len;
    uint8_t  raw[32];

    /* low order, both signs; not canonical; not on the curve */

    static const char  *bad[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0200000000000000000000000000000000000000000000000000000000000000",
        "0700000000000000000000000000000000000000000000000000000000000000"
    };
    static const char  *good[] = {
        "0300000000000000000000000000000000000000000000000000000000000000",
        "0400000000000000000000000000000000000000000000000000000000000080",
        "5866666666666666666666666666666666666666666666666666666666666666",
        "00fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe7f"
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void) tap_hex(raw, sizeof(raw), bad[i]);
        len = rs_base64url_encode(text, raw, sizeof(raw));
        ok(rs_devkey_check((rs_str_t) { (uint8_t *) text, len })
           == RS_E_INVALID_VALUE, "no key: %s", bad[i]);
    }

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        (void) tap_hex(raw, sizeof(raw), good[i]);
        len = rs_base64url_encode(text, raw, sizeof(raw));
        is_rc(rs_devkey_check((rs_str_t) { (uint8_t *) text, len }), RS_OK,
              good[i]);
    }

    (void) tap_hex(raw, sizeof(raw), vectors[0].pub);
    len = rs_base64url_encode(text, raw, 31);
    is_rc(rs_devkey_check((rs_str_t) { (uint8_t *) text, len }),
          RS_E_INVALID_VALUE, "31 bytes");

    len = rs_base64_encode(text, raw, 32);
    is_rc(rs_devkey_check((rs_str_t) { (uint8_t *) text, len }),
          RS_E_INVALID_VALUE, "padded");

    len = rs_base64url_encode(text, raw, 32);
    text[10] = '+';
    is_rc(rs_devkey_check((rs_str_t) { (uint8_t *) text, len }),
          RS_E_INVALID_VALUE, "the other alphabet");
    is_rc(rs_devkey_check(rs_str(NULL)), RS_E_INVALID_VALUE, "nothing");
}


static void
test_rotation(void)
{
    char      old[64], new[64];
    size_t    len;
    uint8_t   a[32], b[32], raw[32], sig[64], proof[64];
    uint8_t   text[RS_DEVKEY_ROTATION_MAX];
    rs_str_t  t, d, o, n;

    memset(a, 1, 32);
    memset(b, 2, 32);
    (void) rs_ed25519_public(a, raw);
    o = (rs_str_t) { (uint8_t *) old, rs_base64url_encode(old, raw, 32) };
    (void) rs_ed25519_public(b, raw);
    n = (rs_str_t) { (uint8_t *) new, rs_base64url_encode(new, raw, 32) };

    t = RS_STR("default");
    d = RS_STR("dev_dddddddddddddddddddddddddd");

    len = rs_devkey_rotation(text, t, d, o, n);
    is_int(len, 17 + 8 + 31 + 44 + 43, "what is signed");
    ok(memcmp(text, "rs-device-key-v1\0default\0"
              "dev_dddddddddddddddddddddddddd\0", 56) == 0
       && memcmp(text + 56, old, 43) == 0 && text[99] == 0
       && memcmp(text + 100, new, 43) == 0, "as the protocol has it");

    (void) rs_ed25519_sign(a, text, len, sig);
    (void) rs_ed25519_sign(b, text, len, proof);

    is_rc(rs_devkey_rotation_verify(t, d, o, n, sig, proof), RS_OK,
          "by both keys");
    is_rc(rs_devkey_rotation_verify(t, d, o, n, sig, NULL), RS_OK,
          "a statement of the past");
    is_rc(rs_devkey_rotation_verify(t, d, o, n, proof, proof),
          RS_E_UNAUTHENTICATED, "not by the old one");
    is_rc(rs_devkey_rotation_verify(t, d, o, n, sig, sig),
          RS_E_UNAUTHENTICATED, "not by the new one");
    is_rc(rs_devkey_rotation_verify(t, d, n, o, sig, NULL),
          RS_E_UNAUTHENTICATED, "the other way round");
    is_rc(rs_devkey_rotation_verify(RS_STR("other"), d, o, n, sig, NULL),
          RS_E_UNAUTHENTICATED, "another tenant");
    is_rc(rs_devkey_rotation_verify(t,
                                    RS_STR("dev_eeeeeeeeeeeeeeeeeeeeeeeeee"),
                                    o, n, sig, NULL),
          RS_E_UNAUTHENTICATED, "another device");
    is_rc(rs_devkey_rotation_verify(t, d, o, o, sig, NULL),
          RS_E_INVALID_VALUE, "the same key again");
    is_rc(rs_devkey_rotation_verify(t, d, o, RS_STR("x"), sig, NULL),
          RS_E_INVALID_VALUE, "no key");
    is_int(rs_devkey_rotation(text, t, RS_STR("dev"), o, n), 0, "no device");
}


int
main(void)
{
    test_vectors();
    test_signed();
    test_verify();
    test_bad_keys();
    test_rotation();

    return tap_done();
}
