
/*
 * Copyright (C) rs-gateway contributors
 *
 * Tokens: the input is one, and the claims of one whose form is good.
 */


#include "fuzz.h"
#include "rs_jwt.h"
#include "rs_utf8.h"


static void fuzz_token(rs_str_t token);
static void fuzz_claims(rs_str_t payload);
static void fuzz_rules(rs_jwt_t *jwt);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_object_seed(1);

    fuzz_token((rs_str_t) { data, size });

    if (size != 0 && size <= RS_JWT_PAYLOAD_MAX / 2) {
        fuzz_claims((rs_str_t) { data, size });
    }

    return 0;
}


static void
fuzz_token(rs_str_t token)
{
    rs_err_e     rc;
    rs_jwt_t     jwt;
    const char  *why;

    why = NULL;
    rc = rs_jwt_parse(token, RS_JWS_DEFAULT_ALGS, &jwt, &why);

    CHECK(rc == RS_OK || (rc == RS_E_UNAUTHENTICATED && why != NULL));

    if (rc == RS_OK) {
        CHECK(token.len <= RS_JWT_MAX);
        CHECK(RS_JWS_MASK(jwt.alg) & RS_JWS_DEFAULT_ALGS);
        CHECK(jwt.alg != RS_JWS_ES256 || jwt.signature_len == 64);
        CHECK(jwt.signature_len != 0);
        CHECK(jwt.input.len < token.len);
        CHECK(jwt.kid_len <= RS_JWT_KID_MAX);
        fuzz_rules(&jwt);
    }

    rs_jwt_done(&jwt);
}


/* as the payload of a token that is good otherwise */

static void
fuzz_claims(rs_str_t payload)
{
    char         text[RS_JWT_MAX];
    size_t       n;
    rs_jwt_t     jwt;
    const char  *why;

    n = (size_t) sprintf(text, "eyJhbGciOiJSUzI1NiJ9.");
    n += rs_base64url_encode(text + n, payload.data, payload.len);
    n += (size_t) sprintf(text + n, ".AAAA");

    CHECK(rs_jwt_parse((rs_str_t) { (uint8_t *) text, n },
                       RS_JWS_DEFAULT_ALGS, &jwt, &why) == RS_OK);
    fuzz_rules(&jwt);
    rs_jwt_done(&jwt);
}


static void
fuzz_rules(rs_jwt_t *jwt)
{
    int              i, n;
    rs_err_e         rc;
    rs_str_t         v[4];
    const char      *why;
    rs_jwt_rules_t   rules;
    rs_jwt_claims_t  c;

    memset(&rules, 0, sizeof(rules));
    rules.issuer = RS_STR("https://id.example");
    rules.client_id = RS_STR("console");
    rules.now_s = 1800000000;
    rules.skew_s = 60;
    rules.max_age_s = 3600;
    rules.nonce = 1;

    why = NULL;
    rc = rs_jwt_claims(jwt, &rules, &c, &why);

    CHECK(rc == RS_OK || (rc == RS_E_UNAUTHENTICATED && why != NULL));

    if (rc != RS_OK) {
        return;
    }

    CHECK(c.exp > rules.now_s - 60 && c.iat <= rules.now_s + 60);
    CHECK(c.iat >= rules.now_s - 3660 && c.exp > c.iat);
    CHECK(c.sub.len != 0 && c.sub.len <= RS_JWT_SUB_MAX);
    CHECK(c.nonce.len == RS_JWT_THUMBPRINT_LEN);

    n = rs_jwt_strings(jwt, RS_STR("/realm_access/roles"), v, 4);
    CHECK(n >= -1 && n <= 4);

    for (i = 0; i < n; i++) {
        CHECK(v[i].len != 0 && rs_utf8_printable(v[i]));
    }

    CHECK(rs_jwt_string(jwt, RS_STR("name"), v) <= 1);
}
