
/*
 * Copyright (C) rs-gateway contributors
 *
 * Signatures: a token against keys of each type, none of which has signed
 * what a fuzzer can make; and bytes as a signature.
 */


#include "fuzz.h"
#include "rs_jws.h"


#define ALL_ALGS  ((uint32_t) RS_JWS_MASK(RS_JWS_ALG_MAX) - 1)


/* RFC 7515, A.3; RFC 8037, A.2; RFC 7638, 3.1 */

static const char  keys[] =
    "{\"keys\":["
    "{\"kty\":\"EC\",\"crv\":\"P-256\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
    "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\""
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86z"
    "wu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5Js"
    "GY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMic"
    "AtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-"
    "bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csF"
    "Cur-kEgU8awapJzKnqDKgw\"}]}";

/* what has been signed by them: A.3 and A.4 */

static const char *const  inputs[] = {
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAs"
    "DQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
};


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned     i, k;
    rs_err_e     rc;
    rs_jwt_t     jwt;
    rs_str_t     text;
    rs_jwks_t   *set;
    const char  *why;

    json_object_seed(1);

    text.data = data;
    text.len = size;

    CHECK(rs_jwks_parse(rs_str(keys), &set, &why) == RS_OK && set->n == 3);

    if (rs_jwt_parse(text, ALL_ALGS, &jwt, &why) == RS_OK) {
        rc = rs_jws_verify_token(&jwt, set, &why);
        CHECK(rc == RS_E_UNAUTHENTICATED || rc == RS_E_NOT_FOUND
              || rs_str_eq(jwt.input, rs_str(inputs[0]))
              || rs_str_eq(jwt.input, rs_str(inputs[1])));
    }

    for (i = 0; i < set->n; i++) {
        for (k = 0; k < RS_JWS_ALG_MAX; k++) {
            CHECK(rs_jws_verify(&set->keys[i], (rs_jws_alg_e) k,
                                RS_STR("rs"), text)
                  == RS_E_UNAUTHENTICATED);
        }
    }

    rs_jwks_free(set);

    return 0;
}
