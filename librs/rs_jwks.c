
/*
 * Copyright (C) rs-gateway contributors
 *
 * JSON Web Key Sets.  A key is taken only when all of it is known: its type,
 * its curve, what it may be used for, and that its numbers can be those of
 * such a key.
 */


#include "rs_jwks.h"
#include "rs_json.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#include <stdlib.h>
#include <string.h>


/* "crv":"P-521", "kty":"RSA", quotes, and n of 8192 bits */
#define RS_JWK_CANON_MAX   (RS_BASE64URL_LEN(RS_JWK_RSA_MAX) + 128)

#define RS_JWK_RS_ALGS                                                       \
    (RS_JWS_MASK(RS_JWS_RS256) | RS_JWS_MASK(RS_JWS_RS384)                   \
     | RS_JWS_MASK(RS_JWS_RS512) | RS_JWS_MASK(RS_JWS_PS256)                 \
     | RS_JWS_MASK(RS_JWS_PS384) | RS_JWS_MASK(RS_JWS_PS512))


typedef struct {
    const char     *kty;
    const char     *crv;          /* NULL: RSA */
    size_t          len;          /* of a coordinate */
    uint32_t        algs;
    const char     *group;        /* OpenSSL's; NULL: not by coordinates */
} rs_jwk_kind_t;


static rs_err_e rs_jwk_type(const json_t *json, rs_jwk_t *key,
    const char **why);
static rs_err_e rs_jwk_use(const json_t *json, rs_jwk_t *key,
    const char **why);
static rs_err_e rs_jwk_kid(const json_t *json, rs_jwk_t *key,
    const char **why);
static rs_err_e rs_jwk_rsa(const json_t *json, rs_jwk_t *key,
    const char **why);
static rs_err_e rs_jwk_curve(const json_t *json, rs_jwk_t *key,
    const char **why);
static int rs_jwk_bytes(const json_t *json, const char *name, uint8_t *dst,
    size_t size, size_t *len);
static int rs_jwk_str(const json_t *json, const char *name, rs_str_t *s);
static void rs_jwk_member(rs_buf_t *b, const char *name, const uint8_t *data,
    size_t len);
static EVP_PKEY *rs_jwk_point(const rs_jwk_t *key);
static rs_err_e rs_jwk_bad(const char **why, const char *text);


/* by rs_jwk_type_e */

static const rs_jwk_kind_t  rs_jwk_kinds[] = {
    { "RSA", NULL, 0, RS_JWK_RS_ALGS, NULL },
    { "EC", "P-256", 32, RS_JWS_MASK(RS_JWS_ES256), "prime256v1" },
    { "EC", "P-384", 48, RS_JWS_MASK(RS_JWS_ES384), "secp384r1" },
    { "EC", "P-521", 66, RS_JWS_MASK(RS_JWS_ES512), "secp521r1" },
    { "OKP", "Ed25519", 32, RS_JWS_MASK(RS_JWS_EDDSA), NULL }
};


/* what only a secret key has (RFC 7518, 6.2.2, 6.3.2, 6.4) */

static const char *const  rs_jwk_secrets[] = {
    "d", "p", "q", "dp", "dq", "qi", "oth", "k"
};


rs_err_e
rs_jwks_parse(rs_str_t json, rs_jwks_t **set, const char **why)
{
    size_t            i, n;
    json_t           *obj;
    rs_err_e          rc;
    rs_jwks_t        *s;
    const char       *ignored;
    const json_t     *keys;
    rs_json_error_t   err;

    rc = rs_json_load(json.data, json.len, RS_JWKS_MAX, &obj, &err);

    if (rc == RS_E_INTERNAL) {
        *why = "there is no memory for it";
        return rc;
    }

    if (rc != RS_OK) {
        return rs_jwk_bad(why, rc == RS_E_BODY_TOO_LARGE
                               ? "it is of more than 65536 bytes"
                               : "it is not a JSON object, is nested too "
                                 "deep, or has a name twice");
    }

    keys = json_object_get(obj, "keys");
    n = json_array_size(keys);

    if (!json_is_array(keys) || n > RS_JWKS_KEYS_MAX) {
        json_decref(obj);
        return rs_jwk_bad(why, "its \"keys\" is not an array of at most 32 "
                               "keys");
    }

    s = malloc(sizeof(rs_jwks_t) + n * sizeof(rs_jwk_t));

    if (s == NULL) {
        json_decref(obj);
        *why = "there is no memory for it";
        return RS_E_INTERNAL;
    }

    s->n = 0;
    s->ignored = 0;

    for (i = 0; i < n; i++) {

        if (rs_jwk_read(json_array_get(keys, i), &s->keys[s->n], &ignored)
            == RS_OK)
        {
            s->n++;

        } else {
            s->ignored++;
        }
    }

    json_decref(obj);

    if (s->n == 0) {
        rs_jwks_free(s);
        return rs_jwk_bad(why, "it has no key that can be used here");
    }

    *set = s;

    return RS_OK;
}


void
rs_jwks_free(rs_jwks_t *set)
{
    free(set);
}


rs_err_e
rs_jwk_parse(rs_str_t json, rs_jwk_t *key, const char **why)
{
    json_t           *obj;
    rs_err_e          rc;
    rs_json_error_t   err;

    rc = rs_json_load(json.data, json.len, RS_JWK_MAX, &obj, &err);

    if (rc == RS_E_INTERNAL) {
        *why = "there is no memory for it";
        return rc;
    }

    if (rc != RS_OK) {
        return rs_jwk_bad(why, "it is too long, not a JSON object, or has a "
                               "name twice");
    }

    rc = rs_jwk_read(obj, key, why);

    json_decref(obj);

    return rc;
}


rs_err_e
rs_jwk_read(const json_t *json, rs_jwk_t *key, const char **why)
{
    size_t    i;
    rs_err_e  rc;

    memset(key, 0, sizeof(rs_jwk_t));

    for (i = 0; i < sizeof(rs_jwk_secrets) / sizeof(rs_jwk_secrets[0]); i++) {

        if (json_object_get(json, rs_jwk_secrets[i]) != NULL) {
            return rs_jwk_bad(why, "it is a secret key");
        }
    }

    rc = rs_jwk_type(json, key, why);

    if (rc == RS_OK) {
        rc = rs_jwk_use(json, key, why);
    }

    if (rc == RS_OK) {
        rc = rs_jwk_kid(json, key, why);
    }

    if (rc != RS_OK) {
        return rc;
    }

    return (key->type == RS_JWK_RSA) ? rs_jwk_rsa(json, key, why)
                                     : rs_jwk_curve(json, key, why);
}


static rs_err_e
rs_jwk_type(const json_t *json, rs_jwk_t *key, const char **why)
{
    unsigned              i;
    rs_str_t              kty, crv;
    const rs_jwk_kind_t  *kind;

    for (i = 0; i < RS_JWK_TYPE_MAX && rs_jwk_str(json, "kty", &kty); i++) {
        kind = &rs_jwk_kinds[i];

        if (rs_str_eq(kty, rs_str(kind->kty))
            && (kind->crv == NULL
                || (rs_jwk_str(json, "crv", &crv)
                    && rs_str_eq(crv, rs_str(kind->crv)))))
        {
            key->type = (rs_jwk_type_e) i;
            key->algs = kind->algs;

            return RS_OK;
        }
    }

    return rs_jwk_bad(why, "its \"kty\" and \"crv\" are not RSA, a NIST "
                           "curve or Ed25519");
}


static rs_err_e
rs_jwk_use(const json_t *json, rs_jwk_t *key, const char **why)
{
    size_t         i;
    rs_str_t       s;
    const json_t  *ops;
    rs_jws_alg_e   alg;

    if (json_object_get(json, "use") != NULL
        && !(rs_jwk_str(json, "use", &s) && rs_str_eq(s, RS_STR("sig"))))
    {
        return rs_jwk_bad(why, "its \"use\" is not \"sig\"");
    }

    ops = json_object_get(json, "key_ops");

    for (i = 0; i < json_array_size(ops); i++) {

        if (json_is_string(json_array_get(ops, i))
            && strcmp(json_string_value(json_array_get(ops, i)), "verify")
               == 0)
        {
            break;
        }
    }

    /* not an array: of size 0 */

    if (ops != NULL && i == json_array_size(ops)) {
        return rs_jwk_bad(why, "its \"key_ops\" does not have \"verify\"");
    }

    if (json_object_get(json, "alg") == NULL) {
        return RS_OK;
    }

    if (!rs_jwk_str(json, "alg", &s) || !rs_jws_alg_parse(s, &alg)
        || !(key->algs & RS_JWS_MASK(alg)))
    {
        return rs_jwk_bad(why, "its \"alg\" is not one of its type");
    }

    key->algs = RS_JWS_MASK(alg);

    return RS_OK;
}


static rs_err_e
rs_jwk_kid(const json_t *json, rs_jwk_t *key, const char **why)
{
    rs_str_t  kid;

    if (json_object_get(json, "kid") == NULL) {
        return RS_OK;
    }

    if (!rs_jwk_str(json, "kid", &kid) || kid.len == 0
        || kid.len > RS_JWT_KID_MAX)
    {
        return rs_jwk_bad(why, "its \"kid\" is not a string of 1 to 256 "
                               "bytes");
    }

    memcpy(key->kid, kid.data, kid.len);
    key->kid_len = kid.len;

    return RS_OK;
}


/* no even number is a modulus or an exponent; 1 would sign everything */

static rs_err_e
rs_jwk_rsa(const json_t *json, rs_jwk_t *key, const char **why)
{
    if (!rs_jwk_bytes(json, "n", key->n, sizeof(key->n), &key->n_len)
        || key->n[0] == 0 || !(key->n[key->n_len - 1] & 1)
        || key->n_len < RS_JWK_RSA_MIN
        || (key->n_len == RS_JWK_RSA_MIN && !(key->n[0] & 0x80)))
    {
        return rs_jwk_bad(why, "its \"n\" is not an odd number of 2048 to "
                               "8192 bits");
    }

    if (!rs_jwk_bytes(json, "e", key->e, sizeof(key->e), &key->e_len)
        || key->e[0] == 0 || !(key->e[key->e_len - 1] & 1)
        || (key->e_len == 1 && key->e[0] < 3))
    {
        return rs_jwk_bad(why, "its \"e\" is not an odd number of 3 to "
                               "4294967295");
    }

    return RS_OK;
}


static rs_err_e
rs_jwk_curve(const json_t *json, rs_jwk_t *key, const char **why)
{
    size_t     len, want;
    EVP_PKEY  *pkey;

    want = rs_jwk_kinds[key->type].len;

    if (!rs_jwk_bytes(json, "x", key->x, sizeof(key->x), &len)
        || len != want)
    {
        return rs_jwk_bad(why, "its \"x\" is not of the length of its "
                               "curve");
    }

    if (key->type != RS_JWK_ED25519
        && (!rs_jwk_bytes(json, "y", key->y, sizeof(key->y), &len)
            || len != want))
    {
        return rs_jwk_bad(why, "its \"y\" is not of the length of its "
                               "curve");
    }

    key->xy_len = want;

    pkey = rs_jwk_pkey(key);

    if (pkey == NULL) {
        return rs_jwk_bad(why, "it is not a point of its curve");
    }

    EVP_PKEY_free(pkey);

    return RS_OK;
}


static int
rs_jwk_bytes(const json_t *json, const char *name, uint8_t *dst, size_t size,
    size_t *len)
{
    rs_str_t  s;

    return rs_jwk_str(json, name, &s)
           && rs_base64url_decode(dst, size, s, len) && *len != 0;
}


static int
rs_jwk_str(const json_t *json, const char *name, rs_str_t *s)
{
    const json_t  *value;

    value = json_object_get(json, name);

    if (!json_is_string(value)) {
        return 0;
    }

    s->data = (const uint8_t *) json_string_value(value);
    s->len = json_string_length(value);

    return 1;
}


unsigned
rs_jwks_select(const rs_jwks_t *set, rs_jws_alg_e alg, rs_str_t kid,
    const rs_jwk_t *keys[RS_JWKS_TRIES])
{
    unsigned         i, n;
    const rs_jwk_t  *key;

    n = 0;

    for (i = 0; i < set->n && n < RS_JWKS_TRIES; i++) {
        key = &set->keys[i];

        if ((key->algs & RS_JWS_MASK(alg))
            && (kid.len == 0
                || rs_str_eq(kid, (rs_str_t) { key->kid, key->kid_len })))
        {
            keys[n++] = key;
        }
    }

    return n;
}


/* RFC 7638, 3: the members that make the key, in the order of their names */

rs_err_e
rs_jwk_thumbprint(const rs_jwk_t *key, char dst[RS_JWT_THUMBPRINT_LEN])
{
    char                  text[RS_JWK_CANON_MAX];
    uint8_t               hash[SHA256_DIGEST_LENGTH];
    rs_buf_t              b;
    const rs_jwk_kind_t  *kind;

    kind = &rs_jwk_kinds[key->type];

    rs_buf_init(&b, text, sizeof(text));

    if (key->type == RS_JWK_RSA) {
        rs_buf_char(&b, '{');
        rs_jwk_member(&b, "e", key->e, key->e_len);
        rs_buf_cstr(&b, ",\"kty\":\"RSA\",");
        rs_jwk_member(&b, "n", key->n, key->n_len);

    } else {
        rs_buf_cstr(&b, "{\"crv\":\"");
        rs_buf_cstr(&b, kind->crv);
        rs_buf_cstr(&b, "\",\"kty\":\"");
        rs_buf_cstr(&b, kind->kty);
        rs_buf_cstr(&b, "\",");
        rs_jwk_member(&b, "x", key->x, key->xy_len);

        if (key->type != RS_JWK_ED25519) {
            rs_buf_char(&b, ',');
            rs_jwk_member(&b, "y", key->y, key->xy_len);
        }
    }

    rs_buf_char(&b, '}');

    if (b.overflow || SHA256(b.data, b.len, hash) == NULL) {
        return RS_E_INTERNAL;
    }

    (void) rs_base64url_encode(dst, hash, sizeof(hash));

    return RS_OK;
}


static void
rs_jwk_member(rs_buf_t *b, const char *name, const uint8_t *data, size_t len)
{
    char  text[RS_BASE64URL_LEN(RS_JWK_RSA_MAX)];

    rs_buf_char(b, '"');
    rs_buf_cstr(b, name);
    rs_buf_cstr(b, "\":\"");
    rs_buf_put(b, text, rs_base64url_encode(text, data, len));
    rs_buf_char(b, '"');
}


EVP_PKEY *
rs_jwk_pkey(const rs_jwk_t *key)
{
    EVP_PKEY  *pkey;

    if (key->type == RS_JWK_RSA) {
        return NULL;
    }

    if (key->type == RS_JWK_ED25519) {
        pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->x,
                                           key->xy_len);

    } else {
        pkey = rs_jwk_point(key);
    }

    /* what went wrong must not be found by somebody else's call */
    ERR_clear_error();

    return pkey;
}


/* OpenSSL looks whether the point is on the curve */

static EVP_PKEY *
rs_jwk_point(const rs_jwk_t *key)
{
    uint8_t        point[1 + 2 * RS_JWK_COORD_MAX];
    EVP_PKEY      *pkey;
    OSSL_PARAM     params[3];
    EVP_PKEY_CTX  *ctx;

    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    memcpy(point + 1, key->x, key->xy_len);
    memcpy(point + 1 + key->xy_len, key->y, key->xy_len);

    params[0] = OSSL_PARAM_construct_utf8_string(
                    OSSL_PKEY_PARAM_GROUP_NAME,
                    (char *) rs_jwk_kinds[key->type].group, 0);
    params[1] = OSSL_PARAM_construct_octet_string(
                    OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * key->xy_len);
    params[2] = OSSL_PARAM_construct_end();

    pkey = NULL;
    ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);

    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1
        || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
    {
        pkey = NULL;
    }

    EVP_PKEY_CTX_free(ctx);

    return pkey;
}


static rs_err_e
rs_jwk_bad(const char **why, const char *text)
{
    *why = text;

    return RS_E_INVALID_VALUE;
}
