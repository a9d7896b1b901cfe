
/*
 * Copyright (C) rs-gateway contributors
 *
 * Key sets, and a key by itself.
 */


#include "fuzz.h"
#include "rs_jwks.h"


static void fuzz_key(const rs_jwk_t *key);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned         i, n;
    rs_err_e         rc;
    rs_jwk_t         key;
    rs_str_t         text;
    rs_jwks_t       *set;
    const char      *why;
    const rs_jwk_t  *found[RS_JWKS_TRIES];

    json_object_seed(1);

    text.data = data;
    text.len = size;
    why = NULL;

    rc = rs_jwk_parse(text, &key, &why);
    CHECK(rc == RS_OK || (rc == RS_E_INVALID_VALUE && why != NULL));

    if (rc == RS_OK) {
        fuzz_key(&key);
    }

    why = NULL;
    rc = rs_jwks_parse(text, &set, &why);
    CHECK(rc == RS_OK || (rc == RS_E_INVALID_VALUE && why != NULL));

    if (rc != RS_OK) {
        return 0;
    }

    CHECK(set->n != 0 && set->n + set->ignored <= RS_JWKS_KEYS_MAX);

    for (i = 0; i < set->n; i++) {
        fuzz_key(&set->keys[i]);
    }

    for (i = 0; i < RS_JWS_ALG_MAX; i++) {
        n = rs_jwks_select(set, (rs_jws_alg_e) i, RS_STR("a"), found);
        CHECK(n <= RS_JWKS_TRIES);
        CHECK(n <= rs_jwks_select(set, (rs_jws_alg_e) i, RS_STR(""), found)
              || n == RS_JWKS_TRIES);
    }

    rs_jwks_free(set);

    return 0;
}


static void
fuzz_key(const rs_jwk_t *key)
{
    char       print[RS_JWT_THUMBPRINT_LEN];
    EVP_PKEY  *pkey;

    CHECK(key->type < RS_JWK_TYPE_MAX && key->algs != 0);
    CHECK(key->kid_len <= RS_JWT_KID_MAX);
    CHECK(rs_jwk_thumbprint(key, print) == RS_OK);

    if (key->type == RS_JWK_RSA) {
        CHECK(key->n_len >= RS_JWK_RSA_MIN && key->n_len <= RS_JWK_RSA_MAX);
        return;
    }

    pkey = rs_jwk_pkey(key);
    CHECK(pkey != NULL);
    EVP_PKEY_free(pkey);
}
