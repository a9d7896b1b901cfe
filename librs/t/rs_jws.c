
/*
 * Copyright (C) rs-gateway contributors
 *
 * Signatures: tokens of RFC 7515 and 8037, and what cjose alone would take:
 * other lengths, other curves, DER, zeros.
 */


#include "tap.h"
#include "jose_vectors.h"
#include "rs_jws.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/core_names.h>


#define ALL_ALGS  ((uint32_t) RS_JWS_MASK(RS_JWS_ALG_MAX) - 1)
#define SET(key)  "{\"keys\":[" key "]}"


static void test_vectors(void);
static void test_changed(void);
static void test_confused(void);
static void test_raw(void);
static void test_edwards(void);
static EVP_PKEY *make_key(const char *group, rs_jwk_t *jwk);
static size_t sign_raw(EVP_PKEY *pkey, const char *hash, rs_str_t data,
    uint8_t *raw, size_t half);


static rs_err_e
verify(rs_str_t token, const char *keys, uint32_t algs, const char **why)
{
    rs_err_e    rc;
    rs_jwt_t    jwt;
    rs_jwks_t  *set;

    rc = rs_jwks_parse(rs_str(keys), &set, why);

    if (rc != RS_OK) {
        printf("not ok - %s\n", *why);
        exit(1);
    }

    rc = rs_jwt_parse(token, algs, &jwt, why);

    if (rc == RS_OK) {
        rc = rs_jws_verify_token(&jwt, set, why);
    }

    rs_jwt_done(&jwt);
    rs_jwks_free(set);

    return rc;
}


static const struct {
    const char    *name;
    const char    *token;
    const char    *keys;
    rs_jws_alg_e   alg;
} vectors[] = {
    { "RFC 7515, A.2, RS256", RFC7515_RS256_TOKEN,
      SET("{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RFC7515_RS256_N "\"}"),
      RS_JWS_RS256 },
    { "RFC 7515, A.3, ES256", RFC7515_ES256_TOKEN, SET(RFC7515_ES256_KEY),
      RS_JWS_ES256 },
    { "RFC 7515, A.4, ES512", RFC7515_ES512_TOKEN, SET(RFC7515_ES512_KEY),
      RS_JWS_ES512 },
    { "RFC 8037, A.4, EdDSA", RFC8037_TOKEN, SET(RFC8037_KEY),
      RS_JWS_EDDSA }
};


static void
test_vectors(void)
{
    size_t       i;
    const char  *why;

    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        is_rc(verify(rs_str(vectors[i].token), vectors[i].keys,
                     RS_JWS_MASK(vectors[i].alg), &why),
              RS_OK, vectors[i].name);
    }
}


/* every byte of a token changed to another of the alphabet */

static void
test_changed(void)
{
    char         token[1024];
    size_t       i, n, len, bad;
    const char  *why;

    for (n = 0; n < sizeof(vectors) / sizeof(vectors[0]); n++) {
        len = strlen(vectors[n].token);
        bad = 0;

        for (i = 0; i < len; i++) {
            memcpy(token, vectors[n].token, len);

            if (token[i] == '.') {
                continue;
            }

            token[i] = (token[i] == 'A') ? 'B' : 'A';

            bad += verify((rs_str_t) { (uint8_t *) token, len },
                          vectors[n].keys, ALL_ALGS, &why) == RS_OK;
        }

        ok(bad == 0, "%s: no changed byte passes", vectors[n].name);
    }
}


/* the keys of one with the tokens of another */

static void
test_confused(void)
{
    size_t       i, k;
    rs_err_e     rc;
    const char  *why;

    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        for (k = 0; k < sizeof(vectors) / sizeof(vectors[0]); k++) {

            if (i == k) {
                continue;
            }

            rc = verify(rs_str(vectors[i].token), vectors[k].keys, ALL_ALGS,
                        &why);

            is_rc(rc, RS_E_NOT_FOUND, "the key is of another type");
        }

        rc = verify(rs_str(vectors[i].token), vectors[i].keys,
                    ALL_ALGS & ~RS_JWS_MASK(vectors[i].alg), &why);

        ok(rc == RS_E_UNAUTHENTICATED && strstr(why, "\"alg\"") != NULL,
           "%s: not of the list", vectors[i].name);
    }

    ok(ERR_peek_error() == 0, "nothing is left in OpenSSL's queue");
}


/* what is signed by curves, over any bytes */

static const struct {
    rs_jws_alg_e   alg;
    const char    *group;
    const char    *hash;
    size_t         half;
} curves[] = {
    { RS_JWS_ES256, "P-256", "SHA256", 32 },
    { RS_JWS_ES384, "P-384", "SHA384", 48 },
    { RS_JWS_ES512, "P-521", "SHA512", 66 }
};


static void
test_raw(void)
{
    size_t       i, k, len;
    uint8_t      raw[2 * RS_JWK_COORD_MAX + 2];
    EVP_PKEY    *pkey;
    rs_jwk_t     key;
    rs_str_t     data, sig;
    const char  *name;

    data = RS_STR("rs-operator-v1\0some bytes");

    for (i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
        name = curves[i].group;
        pkey = make_key(name, &key);
        len = sign_raw(pkey, curves[i].hash, data, raw, curves[i].half);
        sig.data = raw;
        sig.len = len;

        is_rc(rs_jws_verify(&key, curves[i].alg, data, sig), RS_OK, name);

        for (k = 0; k < sizeof(curves) / sizeof(curves[0]); k++) {

            if (k != i) {
                is_rc(rs_jws_verify(&key, curves[k].alg, data, sig),
                      RS_E_UNAUTHENTICATED, "another algorithm");
            }
        }

        is_rc(rs_jws_verify(&key, curves[i].alg,
                            RS_STR("rs-operator-v1\0Some bytes"), sig),
              RS_E_UNAUTHENTICATED, "other bytes");

        sig.len = len - 1;
        is_rc(rs_jws_verify(&key, curves[i].alg, data, sig),
              RS_E_UNAUTHENTICATED, "one byte short");

        raw[len] = 0;
        raw[len + 1] = 0;
        sig.len = len + 2;
        is_rc(rs_jws_verify(&key, curves[i].alg, data, sig),
              RS_E_UNAUTHENTICATED, "two bytes long");

        memset(raw, 0, len);
        sig.len = len;
        is_rc(rs_jws_verify(&key, curves[i].alg, data, sig),
              RS_E_UNAUTHENTICATED, "r = s = 0");

        memset(raw, 0xff, len);
        is_rc(rs_jws_verify(&key, curves[i].alg, data, sig),
              RS_E_UNAUTHENTICATED, "r and s beyond the order");

        EVP_PKEY_free(pkey);
    }

    ok(ERR_peek_error() == 0, "nothing is left in OpenSSL's queue");
}


static EVP_PKEY *
make_key(const char *group, rs_jwk_t *jwk)
{
    char         json[512], x[128], y[128];
    size_t       len, half;
    uint8_t      point[1 + 2 * RS_JWK_COORD_MAX];
    EVP_PKEY    *pkey;
    const char  *why;

    pkey = EVP_EC_gen(group);

    if (pkey == NULL
        || EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY,
                                           point, sizeof(point), &len) != 1)
    {
        printf("not ok - no key\n");
        exit(1);
    }

    half = len / 2;
    x[rs_base64url_encode(x, point + 1, half)] = '\0';
    y[rs_base64url_encode(y, point + 1 + half, half)] = '\0';

    (void) snprintf(json, sizeof(json),
                    "{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\","
                    "\"y\":\"%s\"}", group, x, y);

    is_rc(rs_jwk_parse(rs_str(json), jwk, &why), RS_OK, "a key is read");

    return pkey;
}


static size_t
sign_raw(EVP_PKEY *pkey, const char *hash, rs_str_t data, uint8_t *raw,
    size_t half)
{
    size_t          len;
    uint8_t         der[256];
    ECDSA_SIG      *sig;
    EVP_MD_CTX     *ctx;
    const uint8_t  *p;

    len = sizeof(der);
    ctx = EVP_MD_CTX_new();

    if (EVP_DigestSignInit_ex(ctx, NULL, hash, NULL, NULL, pkey, NULL) != 1
        || EVP_DigestSign(ctx, der, &len, data.data, data.len) != 1)
    {
        printf("not ok - no signature\n");
        exit(1);
    }

    EVP_MD_CTX_free(ctx);

    p = der;
    sig = d2i_ECDSA_SIG(NULL, &p, (long) len);
    (void) BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, (int) half);
    (void) BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + half, (int) half);
    ECDSA_SIG_free(sig);

    return 2 * half;
}


/* RFC 8032, 7.1, test 2 */

static void
test_edwards(void)
{
    uint8_t      sig[64];
    rs_jwk_t     key;
    rs_str_t     s;
    const char  *why;

    is_rc(rs_jwk_parse(RS_STR(
              "{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
              "\"x\":\"PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw\"}"),
                       &key, &why), RS_OK, "a key of RFC 8032");

    s.data = sig;
    s.len = tap_hex(sig, sizeof(sig),
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");

    is_rc(rs_jws_verify(&key, RS_JWS_EDDSA, RS_STR("\x72"), s), RS_OK,
          "its signature");
    is_rc(rs_jws_verify(&key, RS_JWS_EDDSA, RS_STR("\x73"), s),
          RS_E_UNAUTHENTICATED, "over another byte");
    is_rc(rs_jws_verify(&key, RS_JWS_ES256, RS_STR("\x72"), s),
          RS_E_UNAUTHENTICATED, "as if it were of another algorithm");
}


int
main(void)
{
    test_vectors();
    test_changed();
    test_confused();
    test_raw();
    test_edwards();

    return tap_done();
}
