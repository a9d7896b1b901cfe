
/*
 * Copyright (C) rs-gateway contributors
 *
 * JSON Web Tokens: form, header, claims.  Everything is bounded before it is
 * decoded, and a header that could make anybody fetch or use a key of the
 * sender's choice is refused, not ignored.
 */


#include "rs_jwt.h"
#include "rs_json.h"
#include "rs_utf8.h"

#include <math.h>
#include <string.h>


#define RS_JWT_NAME_MAX    256             /* of a claim, with NUL */
#define RS_JWT_TIME_MAX    9007199254740991.0      /* 2^53 - 1 */


typedef struct {
    const char     *name;
    size_t          signature;    /* its length; 0: that of the RSA key */
} rs_jwt_alg_t;


static int rs_jwt_split(rs_str_t token, rs_jwt_t *jwt, rs_str_t *header,
    rs_str_t *signature);
static int rs_jwt_alphabet(rs_str_t s);
static rs_err_e rs_jwt_header(const json_t *header, uint32_t algs,
    rs_jwt_t *jwt, const char **why);
static rs_err_e rs_jwt_type(const json_t *header, const char **why);
static rs_err_e rs_jwt_kid(const json_t *header, rs_jwt_t *jwt,
    const char **why);
static rs_err_e rs_jwt_load(rs_jwt_t *jwt, const char **why);
static rs_err_e rs_jwt_who(const rs_jwt_t *jwt, const rs_jwt_rules_t *rules,
    rs_jwt_claims_t *claims, const char **why);
static rs_err_e rs_jwt_audience(const rs_jwt_t *jwt,
    const rs_jwt_rules_t *rules, const char **why);
static rs_err_e rs_jwt_when(const rs_jwt_t *jwt, const rs_jwt_rules_t *rules,
    rs_jwt_claims_t *claims, const char **why);
static rs_err_e rs_jwt_nonce(const rs_jwt_t *jwt, const rs_jwt_rules_t *rules,
    rs_jwt_claims_t *claims, const char **why);
static int rs_jwt_time(const json_t *value, int64_t *s);
static int rs_jwt_value(const json_t *value, rs_str_t *s);
static const json_t *rs_jwt_find(const json_t *claims, rs_str_t name);
static int rs_jwt_unescape(rs_str_t s, char name[RS_JWT_NAME_MAX]);
static rs_err_e rs_jwt_bad(const char **why, const char *text);


/* by rs_jws_alg_e */

static const rs_jwt_alg_t  rs_jwt_algs[] = {
    { "RS256", 0 },
    { "RS384", 0 },
    { "RS512", 0 },
    { "PS256", 0 },
    { "PS384", 0 },
    { "PS512", 0 },
    { "ES256", 64 },
    { "ES384", 96 },
    { "ES512", 132 },
    { "EdDSA", 64 }
};


/* of a header: keys of the sender's, and extensions that change its meaning */

static const char *const  rs_jwt_refused[] = {
    "crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "enc", "cty"
};


const char *
rs_jws_alg_name(rs_jws_alg_e alg)
{
    return (unsigned) alg < RS_JWS_ALG_MAX ? rs_jwt_algs[alg].name : "";
}


int
rs_jws_alg_parse(rs_str_t name, rs_jws_alg_e *alg)
{
    unsigned  i;

    for (i = 0; i < RS_JWS_ALG_MAX; i++) {

        if (rs_str_eq(name, rs_str(rs_jwt_algs[i].name))) {
            *alg = (rs_jws_alg_e) i;
            return 1;
        }
    }

    return 0;
}


rs_err_e
rs_jwt_parse(rs_str_t token, uint32_t algs, rs_jwt_t *jwt, const char **why)
{
    size_t           len;
    json_t          *json;
    uint8_t          text[RS_JWT_HEADER_MAX];
    rs_err_e         rc;
    rs_str_t         header, signature;
    rs_json_error_t  err;

    memset(jwt, 0, sizeof(rs_jwt_t));

    if (token.len > RS_JWT_MAX) {
        return rs_jwt_bad(why, "it is too long");
    }

    if (!rs_jwt_split(token, jwt, &header, &signature)) {
        return rs_jwt_bad(why, "it is not three parts of base64url");
    }

    if (!rs_base64url_decode(text, sizeof(text), header, &len)) {
        return rs_jwt_bad(why, "its header is too long or not base64url");
    }

    if (!rs_base64url_decode(jwt->signature, sizeof(jwt->signature),
                             signature, &jwt->signature_len))
    {
        return rs_jwt_bad(why, "its signature is too long or not base64url");
    }

    if (jwt->signature_len == 0) {
        return rs_jwt_bad(why, "it has no signature");
    }

    rc = rs_json_load(text, len, sizeof(text), &json, &err);

    if (rc == RS_E_INTERNAL) {
        *why = "there is no memory for its header";
        return rc;
    }

    if (rc != RS_OK) {
        return rs_jwt_bad(why, "its header is not a JSON object, or has a "
                               "name twice");
    }

    rc = rs_jwt_header(json, algs, jwt, why);

    json_decref(json);

    return rc;
}


static int
rs_jwt_split(rs_str_t token, rs_jwt_t *jwt, rs_str_t *header,
    rs_str_t *signature)
{
    rs_str_t  rest;

    if (!rs_str_split(token, '.', header, &rest)
        || !rs_str_split(rest, '.', &jwt->payload, signature))
    {
        return 0;
    }

    jwt->token = token;
    jwt->input.data = token.data;
    jwt->input.len = header->len + 1 + jwt->payload.len;

    return header->len != 0 && jwt->payload.len != 0
           && rs_jwt_alphabet(*header) && rs_jwt_alphabet(jwt->payload)
           && rs_jwt_alphabet(*signature);
}


static int
rs_jwt_alphabet(rs_str_t s)
{
    size_t   i;
    uint8_t  c;

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
              || (c >= '0' && c <= '9') || c == '-' || c == '_'))
        {
            return 0;
        }
    }

    return 1;
}


static rs_err_e
rs_jwt_header(const json_t *header, uint32_t algs, rs_jwt_t *jwt,
    const char **why)
{
    size_t    i, want;
    rs_err_e  rc;
    rs_str_t  alg;

    for (i = 0; i < sizeof(rs_jwt_refused) / sizeof(rs_jwt_refused[0]); i++) {

        if (json_object_get(header, rs_jwt_refused[i]) != NULL) {
            return rs_jwt_bad(why, "its header has one of \"crit\", \"jku\", "
                                   "\"jwk\", \"x5u\", \"x5c\", \"b64\", "
                                   "\"zip\", \"enc\", \"cty\"");
        }
    }

    if (!rs_jwt_value(json_object_get(header, "alg"), &alg)
        || !rs_jws_alg_parse(alg, &jwt->alg)
        || !(algs & RS_JWS_MASK(jwt->alg)))
    {
        return rs_jwt_bad(why, "its \"alg\" is none of those allowed here");
    }

    want = rs_jwt_algs[jwt->alg].signature;

    if (want != 0 && jwt->signature_len != want) {
        return rs_jwt_bad(why, "its signature is not of the length that goes "
                               "with its \"alg\"");
    }

    rc = rs_jwt_type(header, why);

    if (rc != RS_OK) {
        return rc;
    }

    return rs_jwt_kid(header, jwt, why);
}


/* RFC 8725, 3.11: a token of another kind ("at+jwt") is none of ours */

static rs_err_e
rs_jwt_type(const json_t *header, const char **why)
{
    rs_str_t       typ;
    const json_t  *value;

    value = json_object_get(header, "typ");

    if (value == NULL) {
        return RS_OK;
    }

    if (rs_jwt_value(value, &typ)
        && (rs_str_eq_ci(typ, RS_STR("JWT"))
            || rs_str_eq_ci(typ, RS_STR("application/jwt"))))
    {
        return RS_OK;
    }

    return rs_jwt_bad(why, "its \"typ\" is not \"JWT\"");
}


static rs_err_e
rs_jwt_kid(const json_t *header, rs_jwt_t *jwt, const char **why)
{
    rs_str_t       kid;
    const json_t  *value;

    value = json_object_get(header, "kid");

    if (value == NULL) {
        return RS_OK;
    }

    if (!rs_jwt_value(value, &kid) || kid.len > RS_JWT_KID_MAX) {
        return rs_jwt_bad(why, "its \"kid\" is not a string of 1 to 256 "
                               "bytes");
    }

    memcpy(jwt->kid, kid.data, kid.len);
    jwt->kid_len = kid.len;

    return RS_OK;
}


rs_err_e
rs_jwt_claims(rs_jwt_t *jwt, const rs_jwt_rules_t *rules,
    rs_jwt_claims_t *claims, const char **why)
{
    rs_err_e  rc;

    memset(claims, 0, sizeof(rs_jwt_claims_t));

    rc = rs_jwt_load(jwt, why);

    if (rc == RS_OK) {
        rc = rs_jwt_who(jwt, rules, claims, why);
    }

    if (rc == RS_OK) {
        rc = rs_jwt_audience(jwt, rules, why);
    }

    if (rc == RS_OK) {
        rc = rs_jwt_when(jwt, rules, claims, why);
    }

    if (rc == RS_OK) {
        rc = rs_jwt_nonce(jwt, rules, claims, why);
    }

    return rc;
}


static rs_err_e
rs_jwt_load(rs_jwt_t *jwt, const char **why)
{
    size_t           len;
    uint8_t          text[RS_JWT_PAYLOAD_MAX];
    rs_err_e         rc;
    rs_json_error_t  err;

    rs_jwt_done(jwt);

    if (!rs_base64url_decode(text, sizeof(text), jwt->payload, &len)) {
        return rs_jwt_bad(why, "its payload is not base64url");
    }

    rc = rs_json_load(text, len, sizeof(text), &jwt->claims, &err);

    if (rc == RS_E_INTERNAL) {
        *why = "there is no memory for its claims";
        return rc;
    }

    if (rc != RS_OK) {
        return rs_jwt_bad(why, "its claims are not a JSON object, or have a "
                               "name twice");
    }

    return RS_OK;
}


static rs_err_e
rs_jwt_who(const rs_jwt_t *jwt, const rs_jwt_rules_t *rules,
    rs_jwt_claims_t *claims, const char **why)
{
    rs_str_t  iss;

    if (!rs_jwt_value(json_object_get(jwt->claims, "iss"), &iss)
        || !rs_str_eq(iss, rules->issuer))
    {
        return rs_jwt_bad(why, "its \"iss\" is not the issuer configured");
    }

    if (!rs_jwt_value(json_object_get(jwt->claims, "sub"), &claims->sub)
        || claims->sub.len > RS_JWT_SUB_MAX)
    {
        return rs_jwt_bad(why, "its \"sub\" is not a string of 1 to 255 "
                               "bytes");
    }

    return RS_OK;
}


static rs_err_e
rs_jwt_audience(const rs_jwt_t *jwt, const rs_jwt_rules_t *rules,
    const char **why)
{
    int       i, n;
    rs_str_t  want, azp, aud[RS_JWT_AUD_MAX];

    want = rules->audience.len ? rules->audience : rules->client_id;
    n = rs_jwt_strings(jwt, RS_STR("aud"), aud, RS_JWT_AUD_MAX);

    for (i = 0; i < n && !rs_str_eq(aud[i], want); i++) {
        /* void */
    }

    if (n <= 0 || i == n) {
        return rs_jwt_bad(why, "its \"aud\" is not the audience configured");
    }

    /* OpenID Connect Core 3.1.3.7, 4 and 5 */

    if (json_object_get(jwt->claims, "azp") == NULL) {

        if (n > 1) {
            return rs_jwt_bad(why, "it is for several audiences and has no "
                                   "\"azp\"");
        }

        return RS_OK;
    }

    if (!rs_jwt_value(json_object_get(jwt->claims, "azp"), &azp)
        || !rs_str_eq(azp, rules->client_id))
    {
        return rs_jwt_bad(why, "its \"azp\" is not the client configured");
    }

    return RS_OK;
}


static rs_err_e
rs_jwt_when(const rs_jwt_t *jwt, const rs_jwt_rules_t *rules,
    rs_jwt_claims_t *claims, const char **why)
{
    int64_t        nbf;
    const json_t  *value;

    if (!rs_jwt_time(json_object_get(jwt->claims, "exp"), &claims->exp)) {
        return rs_jwt_bad(why, "its \"exp\" is not a time");
    }

    if (!rs_jwt_time(json_object_get(jwt->claims, "iat"), &claims->iat)) {
        return rs_jwt_bad(why, "its \"iat\" is not a time");
    }

    value = json_object_get(jwt->claims, "nbf");
    nbf = claims->iat;

    if (value != NULL && !rs_jwt_time(value, &nbf)) {
        return rs_jwt_bad(why, "its \"nbf\" is not a time");
    }

    if (claims->exp <= rules->now_s - rules->skew_s) {
        return rs_jwt_bad(why, "it has expired");
    }

    if (claims->iat > rules->now_s + rules->skew_s) {
        return rs_jwt_bad(why, "it is issued in the future");
    }

    if (nbf > rules->now_s + rules->skew_s) {
        return rs_jwt_bad(why, "it is not valid yet");
    }

    if (claims->exp <= claims->iat) {
        return rs_jwt_bad(why, "it expires before it is issued");
    }

    if (rules->max_age_s
        && claims->iat < rules->now_s - rules->skew_s - rules->max_age_s)
    {
        return rs_jwt_bad(why, "it was issued too long ago");
    }

    return RS_OK;
}


static rs_err_e
rs_jwt_nonce(const rs_jwt_t *jwt, const rs_jwt_rules_t *rules,
    rs_jwt_claims_t *claims, const char **why)
{
    size_t         len;
    uint8_t        hash[32];
    const json_t  *value;

    value = json_object_get(jwt->claims, "nonce");

    if (value == NULL && !rules->nonce) {
        return RS_OK;
    }

    if (!rs_jwt_value(value, &claims->nonce)
        || claims->nonce.len > RS_JWT_NONCE_MAX)
    {
        return rs_jwt_bad(why, value ? "its \"nonce\" is not a string of 1 "
                                       "to 256 bytes"
                                     : "it has no \"nonce\"");
    }

    if (rules->nonce
        && (claims->nonce.len != RS_JWT_THUMBPRINT_LEN
            || !rs_base64url_decode(hash, sizeof(hash), claims->nonce, &len)))
    {
        return rs_jwt_bad(why, "its \"nonce\" is not the thumbprint of a "
                               "key");
    }

    return RS_OK;
}


/* NumericDate: a number, with or without a fraction */

static int
rs_jwt_time(const json_t *value, int64_t *s)
{
    double  d;

    if (!json_is_number(value)) {
        return 0;
    }

    d = floor(json_number_value(value));

    if (!(d >= 0 && d <= RS_JWT_TIME_MAX)) {
        return 0;
    }

    *s = (int64_t) d;

    return 1;
}


static int
rs_jwt_value(const json_t *value, rs_str_t *s)
{
    if (!json_is_string(value)) {
        return 0;
    }

    s->data = (const uint8_t *) json_string_value(value);
    s->len = json_string_length(value);

    return s->len != 0 && rs_utf8_printable(*s);
}


int
rs_jwt_string(const rs_jwt_t *jwt, rs_str_t name, rs_str_t *value)
{
    const json_t  *json;

    json = rs_jwt_find(jwt->claims, name);

    if (json == NULL || json_is_null(json)) {
        return 0;
    }

    return rs_jwt_value(json, value) ? 1 : -1;
}


int
rs_jwt_strings(const rs_jwt_t *jwt, rs_str_t name, rs_str_t *values, int max)
{
    int            i, n;
    const json_t  *json;

    json = rs_jwt_find(jwt->claims, name);

    if (json == NULL || json_is_null(json)) {
        return 0;
    }

    if (!json_is_array(json)) {
        return max > 0 && rs_jwt_value(json, values) ? 1 : -1;
    }

    if (max < 0 || json_array_size(json) > (size_t) max) {
        return -1;
    }

    n = (int) json_array_size(json);

    for (i = 0; i < n; i++) {

        if (!rs_jwt_value(json_array_get(json, (size_t) i), &values[i])) {
            return -1;
        }
    }

    return n;
}


static const json_t *
rs_jwt_find(const json_t *claims, rs_str_t name)
{
    int            more;
    char           key[RS_JWT_NAME_MAX];
    rs_str_t       part, rest;
    const json_t  *value;

    if (name.len == 0 || name.len >= RS_JWT_NAME_MAX) {
        return NULL;
    }

    if (name.data[0] != '/') {
        memcpy(key, name.data, name.len);
        key[name.len] = '\0';

        return json_object_get(claims, key);
    }

    rest.data = name.data + 1;
    rest.len = name.len - 1;
    value = claims;

    do {
        more = rs_str_split(rest, '/', &part, &rest);

        if (!rs_jwt_unescape(part, key)) {
            return NULL;
        }

        /* NULL of what is no object */
        value = json_object_get(value, key);

    } while (more && value != NULL);

    return value;
}


/* RFC 6901, 4 */

static int
rs_jwt_unescape(rs_str_t s, char name[RS_JWT_NAME_MAX])
{
    char    *p;
    size_t   i;

    p = name;

    for (i = 0; i < s.len; i++) {

        if (s.data[i] != '~') {
            *p++ = (char) s.data[i];
            continue;
        }

        i++;

        if (i == s.len || (s.data[i] != '0' && s.data[i] != '1')) {
            return 0;
        }

        *p++ = (s.data[i] == '0') ? '~' : '/';
    }

    *p = '\0';

    return 1;
}


void
rs_jwt_done(rs_jwt_t *jwt)
{
    json_decref(jwt->claims);
    jwt->claims = NULL;
}


static rs_err_e
rs_jwt_bad(const char **why, const char *text)
{
    *why = text;

    return RS_E_UNAUTHENTICATED;
}
