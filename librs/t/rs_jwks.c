
/*
 * Copyright (C) rs-gateway contributors
 *
 * Key sets: what is taken, what is left out, what is refused, and the
 * thumbprints of RFC 7638 and 8037.
 */


#include "tap.h"
#include "jose_vectors.h"
#include "rs_jwks.h"


#define P256_X   "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define P256_Y   "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define P256(more)                                                           \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\","                \
    "\"y\":\"" P256_Y "\"" more "}"
#define RSA(more)                                                            \
    "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RFC7638_N "\"" more "}"


static void test_thumbprints(void);
static void test_keys(void);
static void test_sets(void);
static void test_many(void);
static void test_select(void);


static const struct {
    const char  *key;
    const char  *print;
    const char  *name;
} prints[] = {
    { RSA(",\"alg\":\"RS256\",\"kid\":\"2011-04-29\""),
      "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "RFC 7638, 3.1" },
    { RFC8037_KEY, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
      "RFC 8037, A.3" },
    { P256(",\"kid\":\"1\",\"use\":\"sig\""),
      "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U", "a key of P-256" }
};


static void
test_thumbprints(void)
{
    char         dst[RS_JWT_THUMBPRINT_LEN];
    size_t       i;
    rs_jwk_t     key;
    const char  *why;

    for (i = 0; i < sizeof(prints) / sizeof(prints[0]); i++) {
        is_rc(rs_jwk_parse(rs_str(prints[i].key), &key, &why), RS_OK,
              "it is read");
        is_rc(rs_jwk_thumbprint(&key, dst), RS_OK, "it has a thumbprint");
        is_str((rs_str_t) { (uint8_t *) dst, sizeof(dst) }, prints[i].print,
               prints[i].name);
    }
}


/* NULL: it is good */

static const struct {
    const char  *key;
    const char  *why;
} keys[] = {
    { P256(""), NULL },
    { P256(",\"use\":\"sig\",\"alg\":\"ES256\",\"x5c\":[\"MII\"]"), NULL },
    { P256(",\"key_ops\":[\"sign\",\"verify\"]"), NULL },
    { RSA(",\"alg\":\"PS512\""), NULL },
    { RSA(",\"unknown\":{\"a\":[1,2]}"), NULL },

    { "[]", "JSON" },
    { "{", "JSON" },
    { P256(",\"x\":\"" P256_X "\""), "twice" },
    { "{}", "kty" },
    { "{\"kty\":1}", "kty" },
    { "{\"kty\":\"ec\"}", "kty" },
    { "{\"kty\":\"EC\"}", "kty" },
    { "{\"kty\":\"EC\",\"crv\":\"secp256k1\"}", "kty" },
    { "{\"kty\":\"OKP\",\"crv\":\"X25519\"}", "kty" },
    { "{\"kty\":\"oct\"}", "kty" },
    { "{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}", "secret" },
    { P256(",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\""),
      "secret" },
    { P256(",\"use\":\"enc\""), "use" },
    { P256(",\"use\":[\"sig\"]"), "use" },
    { P256(",\"key_ops\":[]"), "key_ops" },
    { P256(",\"key_ops\":\"verify\""), "key_ops" },
    { P256(",\"key_ops\":[\"deriveKey\",3]"), "key_ops" },
    { P256(",\"alg\":\"ES384\""), "alg" },
    { P256(",\"alg\":\"HS256\""), "alg" },
    { P256(",\"alg\":\"ECDH-ES\""), "alg" },
    { RSA(",\"alg\":\"RSA-OAEP\""), "alg" },
    { RSA(",\"alg\":7"), "alg" },
    { P256(",\"kid\":\"\""), "kid" },
    { P256(",\"kid\":7"), "kid" },
    { "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\"}", "\"y\"" },
    { "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" P256_X "\","
      "\"y\":\"" P256_Y "\"}", "\"x\"" },
    { "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\","
      "\"y\":\"" P256_X "\"}", "point" },
    { "{\"kty\":\"EC\",\"crv\":\"P-256\","
      "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
      "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", "point" },
    { "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "=\","
      "\"y\":\"" P256_Y "\"}", "\"x\"" },
    { "{\"kty\":\"RSA\",\"e\":\"AQAB\"}", "\"n\"" },
    { "{\"kty\":\"RSA\",\"n\":\"" RFC7638_N "\"}", "\"e\"" },
    { "{\"kty\":\"RSA\",\"e\":\"AQ\",\"n\":\"" RFC7638_N "\"}", "\"e\"" },
    { "{\"kty\":\"RSA\",\"e\":\"Ag\",\"n\":\"" RFC7638_N "\"}", "\"e\"" },
    { "{\"kty\":\"RSA\",\"e\":\"AAEAAQ\",\"n\":\"" RFC7638_N "\"}",
      "\"e\"" },
    { "{\"kty\":\"RSA\",\"e\":\"AQAAAAE\",\"n\":\"" RFC7638_N "\"}",
      "\"e\"" },
    /* 1023 bits and something */
    { "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"AQAB\"}", "\"n\"" }
};


static void
test_keys(void)
{
    size_t       i;
    rs_err_e     rc;
    rs_jwk_t     key;
    const char  *why;

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        why = "";
        rc = rs_jwk_parse(rs_str(keys[i].key), &key, &why);

        if (keys[i].why == NULL) {
            ok(rc == RS_OK, "taken: %.50s (%s)", keys[i].key, why);

        } else {
            ok(rc == RS_E_INVALID_VALUE && strstr(why, keys[i].why) != NULL,
               "refused: %.50s (%s)", keys[i].key, why);
        }
    }
}


static const struct {
    const char  *set;
    unsigned     n;               /* 0: refused */
    unsigned     ignored;
} sets[] = {
    { "{\"keys\":[" P256("") "]}", 1, 0 },
    { "{\"keys\":[" P256("") "," RSA("") "," RFC8037_KEY "]}", 3, 0 },
    { "{\"keys\":[" P256("") ",7,{\"kty\":\"oct\",\"k\":\"AA\"}]}", 1, 2 },
    { "{\"keys\":[" P256(",\"use\":\"enc\"") "," RSA("") "]}", 1, 1 },
    { "{\"keys\":[" P256("") "],\"more\":null}", 1, 0 },

    { "", 0, 0 },
    { "{}", 0, 0 },
    { "null", 0, 0 },
    { "<html>", 0, 0 },
    { "{\"keys\":[]}", 0, 0 },
    { "{\"keys\":{}}", 0, 0 },
    { "{\"keys\":\"x\"}", 0, 0 },
    { "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}", 0, 0 },
    { "[" P256("") "]", 0, 0 },
    { "{\"keys\":[" P256("") "]} ]", 0, 0 },
    { "{\"keys\":[" P256("") "],\"keys\":[" RSA("") "]}", 0, 0 },
    { "{\"keys\":[" P256("") "],\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}",
      0, 0 }
};


static void
test_sets(void)
{
    size_t       i;
    rs_err_e     rc;
    rs_jwks_t   *set;
    const char  *why;

    for (i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        why = "";
        rc = rs_jwks_parse(rs_str(sets[i].set), &set, &why);

        if (sets[i].n == 0) {
            ok(rc == RS_E_INVALID_VALUE && why[0] != '\0',
               "refused: %.40s (%s)", sets[i].set, why);
            continue;
        }

        if (ok(rc == RS_OK, "taken: %.40s (%s)", sets[i].set, why)) {
            is_int(set->n, sets[i].n, "keys");
            is_int(set->ignored, sets[i].ignored, "keys of no use");
            rs_jwks_free(set);
        }
    }
}


/* the bounds: 32 keys, 65536 bytes */

static void
test_many(void)
{
    char        *text;
    rs_buf_t     b;
    unsigned     i, n;
    rs_err_e     rc;
    rs_jwks_t   *set;
    const char  *why;

    text = malloc(RS_JWKS_MAX + 1);

    for (n = RS_JWKS_KEYS_MAX; n <= RS_JWKS_KEYS_MAX + 1; n++) {
        rs_buf_init(&b, text, RS_JWKS_MAX);
        rs_buf_cstr(&b, "{\"keys\":[");

        for (i = 0; i < n; i++) {
            rs_buf_cstr(&b, i ? "," : "");
            rs_buf_cstr(&b, P256(""));
        }

        rs_buf_cstr(&b, "]}");

        rc = rs_jwks_parse(rs_buf_get(&b), &set, &why);

        if (n == RS_JWKS_KEYS_MAX) {
            is_rc(rc, RS_OK, "32 keys");
            is_int(set->n, n, "all of them");
            rs_jwks_free(set);

        } else {
            is_rc(rc, RS_E_INVALID_VALUE, "33 keys");
        }
    }

    rs_buf_init(&b, text, RS_JWKS_MAX + 1);
    rs_buf_cstr(&b, "{\"keys\":[" P256("") "]");

    while (b.len < RS_JWKS_MAX - 1) {
        rs_buf_char(&b, ' ');
    }

    rs_buf_char(&b, '}');
    is_rc(rs_jwks_parse(rs_buf_get(&b), &set, &why), RS_OK, "65536 bytes");
    rs_jwks_free(set);

    rs_buf_char(&b, ' ');
    is_rc(rs_jwks_parse(rs_buf_get(&b), &set, &why), RS_E_INVALID_VALUE,
          "65537 bytes");

    free(text);
}


static void
test_select(void)
{
    rs_jwks_t       *set;
    const char      *why;
    const rs_jwk_t  *found[RS_JWKS_TRIES];

    is_rc(rs_jwks_parse(RS_STR(
              "{\"keys\":["
              P256(",\"kid\":\"a\"") "," P256(",\"kid\":\"b\"") ","
              RSA(",\"kid\":\"a\"") "," RSA(",\"kid\":\"a\"") ","
              RSA(",\"kid\":\"c\",\"alg\":\"PS256\"") "," RSA("") ","
              RSA("") "]}"), &set, &why), RS_OK, "a set");

    is_int(rs_jwks_select(set, RS_JWS_ES256, RS_STR("a"), found), 1,
           "a kid belongs to a type");
    ok(found[0] == &set->keys[0], "and is the right one");
    is_int(rs_jwks_select(set, RS_JWS_RS256, RS_STR("a"), found), 2,
           "two of one kid");
    is_int(rs_jwks_select(set, RS_JWS_RS256, RS_STR("b"), found), 0,
           "none of this type");
    is_int(rs_jwks_select(set, RS_JWS_RS256, RS_STR("c"), found), 0,
           "the key's alg is another");
    is_int(rs_jwks_select(set, RS_JWS_PS256, RS_STR("c"), found), 1,
           "the key's alg");
    is_int(rs_jwks_select(set, RS_JWS_ES384, RS_STR("a"), found), 0,
           "another curve");
    is_int(rs_jwks_select(set, RS_JWS_ES256, RS_STR("../../b"), found), 0,
           "a path is a kid like any other");
    is_int(rs_jwks_select(set, RS_JWS_ES256, RS_STR(""), found), 2,
           "without a kid all that fit");
    is_int(rs_jwks_select(set, RS_JWS_PS256, RS_STR(""), found),
           RS_JWKS_TRIES, "but no more than are tried");

    rs_jwks_free(set);
}


int
main(void)
{
    test_thumbprints();
    test_keys();
    test_sets();
    test_many();
    test_select();

    return tap_done();
}
