
/*
 * Copyright (C) rs-gateway contributors
 *
 * The fingerprint is read without an SDP parser, and must be read alike by
 * whatever parses the SDP afterwards.  So the word "fingerprint" may stand in
 * lines of the one form only: anything else with it, in any letter case, might
 * be another fingerprint to somebody, and the whole is refused.
 */


#include "rs_operator.h"

#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>


#define RS_OPERATOR_COORD     32
#define RS_OPERATOR_DER_MAX   80            /* of a signature */


typedef struct {
    rs_str_t   id_token;
    json_t    *key;
    rs_str_t   signature;
} rs_operator_fields_t;


typedef struct {
    unsigned   kty;
    unsigned   crv;
    rs_str_t   x;
    rs_str_t   y;
} rs_operator_key_fields_t;


static int rs_operator_word(rs_str_t line);
static int rs_operator_line(rs_str_t line,
    char dst[RS_OPERATOR_FINGERPRINT_LEN]);
static int rs_operator_fingerprint_check(rs_str_t s);
static int rs_operator_form(rs_str_t s, rs_str_t head);
static int rs_operator_ends(const rs_operator_line_t *line, int both);
static void rs_operator_text(const char *head, const uint8_t *digest,
    char *dst);
static int rs_operator_coord(uint8_t *dst, rs_str_t s);
static EVP_PKEY *rs_operator_pkey(
    const uint8_t point[RS_OPERATOR_POINT_LEN]);
static size_t rs_operator_der(uint8_t *dst, const uint8_t *signature);
static size_t rs_operator_write(uint8_t *dst, const char *label,
    const rs_operator_line_t *line, int both);


static const char  *rs_operator_kty[] = { "EC", NULL };
static const char  *rs_operator_crv[] = { "P-256", NULL };


static const rs_json_field_t  rs_operator_fields[] = {

    { "id_token", RS_JSON_STRING, RS_JSON_REQUIRED, 1, RS_OPERATOR_TOKEN_MAX,
      offsetof(rs_operator_fields_t, id_token), NULL, NULL, NULL },

    { "key", RS_JSON_OBJECT, RS_JSON_REQUIRED, 0, 512,
      offsetof(rs_operator_fields_t, key), NULL, NULL, NULL },

    { "signature", RS_JSON_STRING, RS_JSON_REQUIRED,
      RS_BASE64URL_LEN(RS_OPERATOR_SIGNATURE_LEN),
      RS_BASE64URL_LEN(RS_OPERATOR_SIGNATURE_LEN),
      offsetof(rs_operator_fields_t, signature), NULL, NULL, NULL }
};


static const rs_json_field_t  rs_operator_key_fields[] = {

    { "kty", RS_JSON_ENUM, RS_JSON_REQUIRED, 0, 0,
      offsetof(rs_operator_key_fields_t, kty), rs_operator_kty, NULL, NULL },

    { "crv", RS_JSON_ENUM, RS_JSON_REQUIRED, 0, 0,
      offsetof(rs_operator_key_fields_t, crv), rs_operator_crv, NULL, NULL },

    { "x", RS_JSON_STRING, RS_JSON_REQUIRED,
      RS_BASE64URL_LEN(RS_OPERATOR_COORD),
      RS_BASE64URL_LEN(RS_OPERATOR_COORD),
      offsetof(rs_operator_key_fields_t, x), NULL, NULL, NULL },

    { "y", RS_JSON_STRING, RS_JSON_REQUIRED,
      RS_BASE64URL_LEN(RS_OPERATOR_COORD),
      RS_BASE64URL_LEN(RS_OPERATOR_COORD),
      offsetof(rs_operator_key_fields_t, y), NULL, NULL, NULL }
};


/* whether "fingerprint" is somewhere in it */

static int
rs_operator_word(rs_str_t line)
{
    size_t    i;
    rs_str_t  part, word;

    word = RS_STR("fingerprint");
    part.len = word.len;

    for (i = 0; i + word.len <= line.len; i++) {
        part.data = line.data + i;

        if (rs_str_eq_ci(part, word)) {
            return 1;
        }
    }

    return 0;
}


static int
rs_operator_line(rs_str_t line, char dst[RS_OPERATOR_FINGERPRINT_LEN])
{
    char      c;
    size_t    i;
    rs_str_t  head, hash;

    head = RS_STR("a=fingerprint:");
    hash = RS_STR("sha-256 ");

    if (line.len != head.len + RS_OPERATOR_FINGERPRINT_LEN
        || !rs_str_starts(line, head))
    {
        return 0;
    }

    line.data += head.len;
    line.len -= head.len;

    if (!rs_str_eq_ci((rs_str_t) { line.data, hash.len }, hash)) {
        return 0;
    }

    memcpy(dst, hash.data, hash.len);

    for (i = hash.len; i < line.len; i++) {
        c = (char) line.data[i];

        if (c >= 'a' && c <= 'f') {
            c = (char) (c - 'a' + 'A');
        }

        dst[i] = c;
    }

    return rs_operator_fingerprint_check((rs_str_t) { (uint8_t *) dst,
                                              RS_OPERATOR_FINGERPRINT_LEN });
}


static int
rs_operator_fingerprint_check(rs_str_t s)
{
    return rs_operator_form(s, RS_STR("sha-256 "));
}


/* the one form: as this file writes it */

static int
rs_operator_form(rs_str_t s, rs_str_t head)
{
    size_t   i;
    uint8_t  c;

    if (s.len != RS_OPERATOR_FINGERPRINT_LEN || !rs_str_starts(s, head)) {
        return 0;
    }

    for (i = head.len; i < s.len; i++) {
        c = s.data[i];

        if ((i - head.len) % 3 == 2) {
            if (c != ':') {
                return 0;
            }

        } else if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'))) {
            return 0;
        }
    }

    return 1;
}


rs_err_e
rs_operator_fingerprint(rs_str_t sdp, char dst[RS_OPERATOR_FINGERPRINT_LEN])
{
    char      one[RS_OPERATOR_FINGERPRINT_LEN];
    size_t    i, start, found;
    rs_str_t  line;

    found = 0;
    start = 0;

    for (i = 0; i <= sdp.len; i++) {

        if (i < sdp.len && sdp.data[i] == '\0') {
            return RS_E_INVALID_VALUE;
        }

        if (i < sdp.len && sdp.data[i] != '\r' && sdp.data[i] != '\n') {
            continue;
        }

        line.len = i - start;
        line.data = (line.len != 0) ? sdp.data + start : NULL;
        start = i + 1;

        if (!rs_operator_word(line)) {
            continue;
        }

        if (!rs_operator_line(line, one)
            || (found != 0 && memcmp(one, dst, sizeof(one)) != 0))
        {
            return RS_E_INVALID_VALUE;
        }

        memcpy(dst, one, sizeof(one));
        found++;
    }

    return (found != 0) ? RS_OK : RS_E_INVALID_VALUE;
}


/* both ends of a line are certificates, or both are marks of a pipe */

static int
rs_operator_ends(const rs_operator_line_t *line, int both)
{
    rs_str_t  head;

    head = RS_STR("sha-256 ");

    if (!rs_str_starts(line->offer, head)) {
        head = RS_STR("rs-pipe ");
    }

    return rs_operator_form(line->offer, head)
           && (!both || rs_operator_form(line->answer, head));
}


void
rs_operator_fingerprint_text(const uint8_t digest[RS_OPERATOR_DIGEST_LEN],
    char dst[RS_OPERATOR_FINGERPRINT_LEN])
{
    rs_operator_text("sha-256 ", digest, dst);
}


void
rs_operator_mark_text(const uint8_t digest[RS_OPERATOR_DIGEST_LEN],
    char dst[RS_OPERATOR_FINGERPRINT_LEN])
{
    rs_operator_text("rs-pipe ", digest, dst);
}


static void
rs_operator_text(const char *head, const uint8_t *digest, char *dst)
{
    size_t  i;

    static const char  hex[] = "0123456789ABCDEF";

    memcpy(dst, head, 8);
    dst += 8;

    for (i = 0; i < RS_OPERATOR_DIGEST_LEN; i++) {

        if (i != 0) {
            *dst++ = ':';
        }

        *dst++ = hex[digest[i] >> 4];
        *dst++ = hex[digest[i] & 15];
    }
}


static int
rs_operator_coord(uint8_t *dst, rs_str_t s)
{
    size_t  len;

    return rs_base64url_decode(dst, RS_OPERATOR_COORD, s, &len)
           && len == RS_OPERATOR_COORD;
}


rs_err_e
rs_operator_proof_read(const json_t *obj, rs_operator_proof_t *proof,
    rs_json_error_t *err)
{
    size_t                    len;
    rs_err_e                  rc;
    EVP_PKEY                 *pkey;
    rs_operator_fields_t      f;
    rs_operator_key_fields_t  k;

    if (!json_is_object(obj)) {
        return rs_json_fail(err, RS_E_INVALID_VALUE, "/proof",
                            "\"proof\" must be an object");
    }

    rc = rs_json_read(obj, rs_operator_fields,
                      sizeof(rs_operator_fields) / sizeof(rs_json_field_t),
                      &f, "/proof", NULL, NULL, err);
    if (rc != RS_OK) {
        return rc;
    }

    rc = rs_json_read(f.key, rs_operator_key_fields,
                      sizeof(rs_operator_key_fields)
                      / sizeof(rs_json_field_t),
                      &k, "/proof/key", NULL, NULL, err);
    if (rc != RS_OK) {
        return rc;
    }

    if (!rs_base64url_decode(proof->signature, sizeof(proof->signature),
                             f.signature, &len))
    {
        return rs_json_fail(err, RS_E_INVALID_VALUE, "/proof/signature",
                            "\"signature\" must be base64url of %d bytes",
                            RS_OPERATOR_SIGNATURE_LEN);
    }

    proof->id_token = f.id_token;
    proof->point[0] = POINT_CONVERSION_UNCOMPRESSED;

    if (!rs_operator_coord(proof->point + 1, k.x)
        || !rs_operator_coord(proof->point + 1 + RS_OPERATOR_COORD, k.y))
    {
        return rs_json_fail(err, RS_E_INVALID_VALUE, "/proof/key",
                            "\"x\" and \"y\" must be base64url of %d bytes",
                            RS_OPERATOR_COORD);
    }

    (void) ERR_set_mark();
    pkey = rs_operator_pkey(proof->point);
    (void) ERR_pop_to_mark();

    if (pkey == NULL) {
        return rs_json_fail(err, RS_E_INVALID_VALUE, "/proof/key",
                            "\"x\" and \"y\" are no point of P-256");
    }

    EVP_PKEY_free(pkey);

    return RS_OK;
}


/* NULL: not on the curve, or no memory; with an error in the queue */

static EVP_PKEY *
rs_operator_pkey(const uint8_t point[RS_OPERATOR_POINT_LEN])
{
    uint8_t        pub[RS_OPERATOR_POINT_LEN];
    EVP_PKEY      *pkey;
    OSSL_PARAM     params[3];
    EVP_PKEY_CTX  *ctx;

    char  group[] = "P-256";

    memcpy(pub, point, sizeof(pub));

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                 group, 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                                  pub, sizeof(pub));
    params[2] = OSSL_PARAM_construct_end();

    pkey = NULL;
    ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);

    if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1) {
        (void) EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params);
    }

    EVP_PKEY_CTX_free(ctx);

    return pkey;
}


void
rs_operator_thumbprint(const rs_operator_proof_t *proof,
    char dst[RS_OPERATOR_THUMBPRINT_LEN])
{
    char      coord[RS_BASE64URL_LEN(RS_OPERATOR_COORD)];
    uint8_t   text[160], digest[RS_OPERATOR_DIGEST_LEN];
    rs_buf_t  b;

    rs_buf_init(&b, text, sizeof(text));

    rs_buf_cstr(&b, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"");
    rs_base64url_encode(coord, proof->point + 1, RS_OPERATOR_COORD);
    rs_buf_put(&b, coord, sizeof(coord));
    rs_buf_cstr(&b, "\",\"y\":\"");
    rs_base64url_encode(coord, proof->point + 1 + RS_OPERATOR_COORD,
                        RS_OPERATOR_COORD);
    rs_buf_put(&b, coord, sizeof(coord));
    rs_buf_cstr(&b, "\"}");

    SHA256(b.data, b.len, digest);
    rs_base64url_encode(dst, digest, sizeof(digest));
}


/* r, s -> ECDSA-Sig-Value; 0: no memory */

static size_t
rs_operator_der(uint8_t *dst, const uint8_t *signature)
{
    int         len;
    BIGNUM     *r, *s;
    ECDSA_SIG  *sig;

    len = 0;
    sig = ECDSA_SIG_new();
    r = BN_bin2bn(signature, RS_OPERATOR_COORD, NULL);
    s = BN_bin2bn(signature + RS_OPERATOR_COORD, RS_OPERATOR_COORD, NULL);

    if (sig == NULL || r == NULL || s == NULL
        || !ECDSA_SIG_set0(sig, r, s))
    {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(sig);
        return 0;
    }

    if (i2d_ECDSA_SIG(sig, NULL) <= RS_OPERATOR_DER_MAX) {
        len = i2d_ECDSA_SIG(sig, &dst);
    }

    ECDSA_SIG_free(sig);

    return (len > 0) ? (size_t) len : 0;
}


rs_err_e
rs_operator_verify(const rs_operator_proof_t *proof,
    const rs_operator_line_t *line)
{
    size_t       n, len;
    uint8_t      text[RS_OPERATOR_SIGNED_MAX], der[RS_OPERATOR_DER_MAX];
    rs_err_e     rc;
    EVP_PKEY    *pkey;
    EVP_MD_CTX  *ctx;

    n = rs_operator_signed(text, line);

    if (n == 0) {
        return RS_E_UNAUTHENTICATED;
    }

    (void) ERR_set_mark();

    rc = RS_E_INTERNAL;
    len = rs_operator_der(der, proof->signature);
    pkey = rs_operator_pkey(proof->point);
    ctx = EVP_MD_CTX_new();

    if (len != 0 && pkey != NULL && ctx != NULL
        && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1)
    {
        rc = (EVP_DigestVerify(ctx, der, len, text, n) == 1)
             ? RS_OK : RS_E_UNAUTHENTICATED;
    }

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);

    (void) ERR_pop_to_mark();

    return rc;
}


static size_t
rs_operator_write(uint8_t *dst, const char *label,
    const rs_operator_line_t *line, int both)
{
    rs_buf_t  b;

    if (rs_id_check_session(line->session_id) != RS_OK
        || rs_id_check_device(line->device_id) != RS_OK
        || rs_id_check_participant(line->participant_id) != RS_OK
        || line->pc == 0 || line->pc > RS_OPERATOR_PC_MAX
        || !rs_operator_ends(line, both))
    {
        return 0;
    }

    rs_buf_init(&b, dst, RS_OPERATOR_SIGNED_MAX);
    rs_buf_cstr(&b, label);
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, line->session_id);
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, line->device_id);
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, line->participant_id);
    rs_buf_char(&b, '\0');
    rs_buf_u64(&b, line->pc);
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, line->offer);

    if (both) {
        rs_buf_char(&b, '\0');
        rs_buf_str(&b, line->answer);

        if (line->verified) {
            rs_buf_char(&b, '\0');
            rs_buf_cstr(&b, "verified");
        }
    }

    return b.overflow ? 0 : b.len;
}


size_t
rs_operator_signed(uint8_t *dst, const rs_operator_line_t *line)
{
    return rs_operator_write(dst, "rs-operator-v1", line, 0);
}


size_t
rs_operator_device_signed(uint8_t *dst, const rs_operator_line_t *line)
{
    return rs_operator_write(dst, "rs-device-v1", line, 1);
}


int
rs_operator_device_of(rs_str_t bytes, rs_str_t session_id,
    rs_str_t device_id)
{
    rs_buf_t  b;
    uint8_t   want[16 + 2 * (RS_ID_LEN + 1)];

    if (rs_id_check_session(session_id) != RS_OK
        || rs_id_check_device(device_id) != RS_OK)
    {
        return 0;
    }

    rs_buf_init(&b, want, sizeof(want));
    rs_buf_cstr(&b, "rs-device-v1");
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, session_id);
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, device_id);
    rs_buf_char(&b, '\0');

    return !b.overflow && bytes.len > b.len
           && bytes.len <= RS_OPERATOR_SIGNED_MAX
           && memcmp(bytes.data, want, b.len) == 0;
}
