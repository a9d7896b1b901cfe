
/*
 * Copyright (C) rs-gateway contributors
 *
 * Records carry no number: they are of a pipe that keeps their order, and one
 * that is left out, repeated, moved or from the other direction meets another
 * nonce or another key.  The one byte in front of the data is under the seal,
 * too, so that nobody ends a message in its middle.
 *
 * What a failed call leaves in OpenSSL's queue of errors is taken out again.
 */


#include "rs_seal.h"

#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/sha.h>


#define RS_SEAL_KEY_LEN     32
#define RS_SEAL_IV_LEN      12
#define RS_SEAL_TAG_LEN     16
#define RS_SEAL_SECRET_LEN  32              /* x of the shared point */
#define RS_SEAL_GROUP       "prime256v1"
#define RS_SEAL_INFO_MAX    64

/* the longest of what a mark is made of */
#define RS_SEAL_MARK_MAX    (sizeof("rs-pipe-answer-v1") + RS_SEAL_NAME_LEN  \
                             + 1 + RS_SEAL_CODECS_MAX + 1                    \
                             + 2 * RS_SEAL_POINT_LEN)


static int rs_seal_point(const uint8_t *scalar, uint8_t *point);
static EVP_PKEY *rs_seal_pkey(const uint8_t *scalar, const uint8_t *point);
static int rs_seal_secret(const uint8_t *scalar, const uint8_t *point,
    uint8_t *secret, int *bad);
static int rs_seal_expand(const uint8_t *secret, const char *label,
    const uint8_t *hash, uint8_t *okm);
static int rs_seal_way(rs_seal_way_t *way, const uint8_t *okm, int out);
static void rs_seal_nonce(const rs_seal_way_t *way, uint8_t *nonce);
static int rs_seal_words(rs_str_t s);
static int rs_seal_mark(const char *label, const rs_seal_deal_t *deal,
    int answer, char *dst);


rs_err_e
rs_seal_public(const uint8_t scalar[RS_SEAL_SCALAR_LEN],
    uint8_t point[RS_SEAL_POINT_LEN])
{
    int  rc;

    (void) ERR_set_mark();
    rc = rs_seal_point(scalar, point);
    (void) ERR_pop_to_mark();

    return rc ? RS_OK : RS_E_INVALID_VALUE;
}


static int
rs_seal_point(const uint8_t *scalar, uint8_t *point)
{
    int        rc;
    BIGNUM    *n;
    EC_GROUP  *group;
    EC_POINT  *p;

    rc = 0;
    n = BN_secure_new();
    group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    p = (group != NULL) ? EC_POINT_new(group) : NULL;

    if (n != NULL && p != NULL
        && BN_bin2bn(scalar, RS_SEAL_SCALAR_LEN, n) != NULL
        && !BN_is_zero(n) && BN_cmp(n, EC_GROUP_get0_order(group)) < 0)
    {
        BN_set_flags(n, BN_FLG_CONSTTIME);
        rc = EC_POINT_mul(group, p, n, NULL, NULL, NULL) == 1
             && EC_POINT_point2oct(group, p, POINT_CONVERSION_UNCOMPRESSED,
                                   point, RS_SEAL_POINT_LEN, NULL)
                == RS_SEAL_POINT_LEN;
    }

    EC_POINT_free(p);
    EC_GROUP_free(group);
    BN_clear_free(n);

    return rc;
}


/* scalar: NULL for a public key; a point off the curve is refused */

static EVP_PKEY *
rs_seal_pkey(const uint8_t *scalar, const uint8_t *point)
{
    BIGNUM          *n;
    EVP_PKEY        *pkey;
    OSSL_PARAM      *params;
    EVP_PKEY_CTX    *ctx;
    OSSL_PARAM_BLD  *bld;

    n = NULL;
    pkey = NULL;
    params = NULL;
    bld = OSSL_PARAM_BLD_new();
    ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);

    if (scalar != NULL) {
        n = BN_secure_new();

        if (bld == NULL || n == NULL
            || BN_bin2bn(scalar, RS_SEAL_SCALAR_LEN, n) == NULL
            || !OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, n))
        {
            goto done;
        }
    }

    if (bld == NULL || ctx == NULL
        || !OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
                                            RS_SEAL_GROUP, 0)
        || !OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY,
                                             point, RS_SEAL_POINT_LEN))
    {
        goto done;
    }

    params = OSSL_PARAM_BLD_to_param(bld);

    if (params == NULL || EVP_PKEY_fromdata_init(ctx) != 1
        || EVP_PKEY_fromdata(ctx, &pkey, scalar != NULL
                                         ? EVP_PKEY_KEYPAIR
                                         : EVP_PKEY_PUBLIC_KEY, params) != 1)
    {
        pkey = NULL;
    }

done:

    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    BN_clear_free(n);

    return pkey;
}


/* *bad: it is the other side's fault */

static int
rs_seal_secret(const uint8_t *scalar, const uint8_t *point, uint8_t *secret,
    int *bad)
{
    int            rc;
    size_t         len;
    uint8_t        own[RS_SEAL_POINT_LEN];
    EVP_PKEY      *mine, *other;
    EVP_PKEY_CTX  *ctx, *check;

    rc = 0;
    len = RS_SEAL_SECRET_LEN;
    ctx = NULL;
    mine = rs_seal_point(scalar, own) ? rs_seal_pkey(scalar, own) : NULL;

    /* the uncompressed form alone, in which nothing has two spellings */

    other = (point[0] == 0x04) ? rs_seal_pkey(NULL, point) : NULL;
    check = (other != NULL)
            ? EVP_PKEY_CTX_new_from_pkey(NULL, other, NULL) : NULL;

    *bad = (other == NULL || (check != NULL
                              && EVP_PKEY_public_check(check) != 1));

    if (mine != NULL && check != NULL && !*bad) {
        ctx = EVP_PKEY_CTX_new_from_pkey(NULL, mine, NULL);
        rc = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1
             && EVP_PKEY_derive_set_peer(ctx, other) == 1
             && EVP_PKEY_derive(ctx, secret, &len) == 1
             && len == RS_SEAL_SECRET_LEN;
    }

    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_CTX_free(check);
    EVP_PKEY_free(other);
    EVP_PKEY_free(mine);

    return rc;
}


/* RFC 5869, extract without a salt and expand: key and iv of a direction */

static int
rs_seal_expand(const uint8_t *secret, const char *label, const uint8_t *hash,
    uint8_t *okm)
{
    int            rc;
    uint8_t        info[RS_SEAL_INFO_MAX];
    EVP_KDF       *kdf;
    rs_buf_t       b;
    OSSL_PARAM     params[4];
    EVP_KDF_CTX   *ctx;

    rs_buf_init(&b, info, sizeof(info));
    rs_buf_cstr(&b, label);
    rs_buf_char(&b, '\0');
    rs_buf_put(&b, hash, SHA256_DIGEST_LENGTH);

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                                 (char *) "SHA256", 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
                                                  (void *) secret,
                                                  RS_SEAL_SECRET_LEN);
    params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
                                                  b.data, b.len);
    params[3] = OSSL_PARAM_construct_end();

    kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    ctx = (kdf != NULL) ? EVP_KDF_CTX_new(kdf) : NULL;

    rc = ctx != NULL && !b.overflow
         && EVP_KDF_derive(ctx, okm, RS_SEAL_KEY_LEN + RS_SEAL_IV_LEN,
                           params) == 1;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);

    return rc;
}


static int
rs_seal_way(rs_seal_way_t *way, const uint8_t *okm, int out)
{
    EVP_CIPHER_CTX  *ctx;

    ctx = EVP_CIPHER_CTX_new();

    if (ctx == NULL
        || EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, okm, NULL, out)
           != 1)
    {
        EVP_CIPHER_CTX_free(ctx);
        return 0;
    }

    way->ctx = ctx;
    way->count = 0;
    memcpy(way->iv, okm + RS_SEAL_KEY_LEN, RS_SEAL_IV_LEN);

    return 1;
}


rs_err_e
rs_seal_start(rs_seal_t *s, rs_seal_side_e side,
    const uint8_t scalar[RS_SEAL_SCALAR_LEN],
    const uint8_t point[RS_SEAL_POINT_LEN], const uint8_t *signed_bytes,
    size_t len)
{
    int       ok, bad;
    uint8_t   secret[RS_SEAL_SECRET_LEN], hash[SHA256_DIGEST_LENGTH];
    uint8_t   okm[2][RS_SEAL_KEY_LEN + RS_SEAL_IV_LEN];

    memset(s, 0, sizeof(rs_seal_t));
    SHA256(signed_bytes, len, hash);

    (void) ERR_set_mark();

    ok = rs_seal_secret(scalar, point, secret, &bad)
         && rs_seal_expand(secret, "rs-seal-v1 client", hash,
                           okm[RS_SEAL_CLIENT])
         && rs_seal_expand(secret, "rs-seal-v1 host", hash,
                           okm[RS_SEAL_HOST])
         && rs_seal_way(&s->out, okm[side], 1)
         && rs_seal_way(&s->in, okm[!side], 0);

    (void) ERR_pop_to_mark();

    OPENSSL_cleanse(secret, sizeof(secret));
    OPENSSL_cleanse(okm, sizeof(okm));

    if (!ok) {
        rs_seal_end(s);
        return bad ? RS_E_INVALID_VALUE : RS_E_INTERNAL;
    }

    return RS_OK;
}


void
rs_seal_end(rs_seal_t *s)
{
    EVP_CIPHER_CTX_free(s->out.ctx);
    EVP_CIPHER_CTX_free(s->in.ctx);
    OPENSSL_cleanse(s, sizeof(rs_seal_t));
}


/* RFC 8446, 5.3 */

static void
rs_seal_nonce(const rs_seal_way_t *way, uint8_t *nonce)
{
    size_t  i;

    memcpy(nonce, way->iv, RS_SEAL_IV_LEN);

    for (i = 0; i < sizeof(way->count); i++) {
        nonce[RS_SEAL_IV_LEN - 1 - i] ^= (uint8_t) (way->count >> (8 * i));
    }
}


size_t
rs_seal_make(rs_seal_t *s, rs_str_t data, int more, uint8_t *dst)
{
    int             n, end, ok;
    uint8_t         nonce[RS_SEAL_IV_LEN];
    const uint8_t   head = (more != 0);
    rs_seal_way_t  *way = &s->out;

    if (way->ctx == NULL || data.len == 0 || data.len > RS_SEAL_DATA_MAX
        || way->count == RS_SEAL_RECORDS)
    {
        return 0;
    }

    rs_seal_nonce(way, nonce);
    way->count++;

    (void) ERR_set_mark();

    ok = EVP_CipherInit_ex(way->ctx, NULL, NULL, NULL, nonce, 1) == 1
         && EVP_CipherUpdate(way->ctx, dst, &n, &head, 1) == 1 && n == 1
         && EVP_CipherUpdate(way->ctx, dst + 1, &n, data.data,
                             (int) data.len) == 1
         && n == (int) data.len
         && EVP_CipherFinal_ex(way->ctx, dst + 1 + n, &end) == 1 && end == 0
         && EVP_CIPHER_CTX_ctrl(way->ctx, EVP_CTRL_AEAD_GET_TAG,
                                RS_SEAL_TAG_LEN, dst + 1 + data.len) == 1;

    (void) ERR_pop_to_mark();

    return ok ? data.len + RS_SEAL_OVERHEAD : 0;
}


rs_err_e
rs_seal_take(rs_seal_t *s, uint8_t *record, size_t len, rs_str_t *data,
    int *more)
{
    int             n, end, ok;
    size_t          body;
    uint8_t         nonce[RS_SEAL_IV_LEN];
    rs_seal_way_t  *way = &s->in;

    if (way->ctx == NULL || len <= RS_SEAL_OVERHEAD
        || len > RS_SEAL_RECORD_MAX || way->count == RS_SEAL_RECORDS)
    {
        return RS_E_UNAUTHENTICATED;
    }

    body = len - RS_SEAL_TAG_LEN;
    rs_seal_nonce(way, nonce);
    way->count++;

    (void) ERR_set_mark();

    ok = EVP_CipherInit_ex(way->ctx, NULL, NULL, NULL, nonce, 0) == 1
         && EVP_CIPHER_CTX_ctrl(way->ctx, EVP_CTRL_AEAD_SET_TAG,
                                RS_SEAL_TAG_LEN, record + body) == 1
         && EVP_CipherUpdate(way->ctx, record, &n, record, (int) body) == 1
         && n == (int) body
         && EVP_CipherFinal_ex(way->ctx, record + n, &end) == 1
         && record[0] <= 1;

    (void) ERR_pop_to_mark();

    if (!ok) {

        /* what was opened of it is nobody's business */

        OPENSSL_cleanse(record, len);

        EVP_CIPHER_CTX_free(way->ctx);
        way->ctx = NULL;

        return RS_E_UNAUTHENTICATED;
    }

    *more = record[0];
    data->data = record + 1;
    data->len = body - 1;

    return RS_OK;
}


/* names of codecs with commas between them, or one */

static int
rs_seal_words(rs_str_t s)
{
    size_t   i;
    uint8_t  c;

    if (s.len == 0 || s.len > RS_SEAL_CODECS_MAX) {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == ','))
        {
            return 0;
        }
    }

    return 1;
}


static int
rs_seal_mark(const char *label, const rs_seal_deal_t *deal, int answer,
    char *dst)
{
    size_t     i;
    uint8_t    c, text[RS_SEAL_MARK_MAX], digest[SHA256_DIGEST_LENGTH];
    rs_buf_t   b;
    rs_str_t   codecs;

    codecs = answer ? deal->codec : deal->codecs;

    if (deal->name.len != RS_SEAL_NAME_LEN || !rs_seal_words(codecs)) {
        return 0;
    }

    for (i = 0; i < deal->name.len; i++) {
        c = deal->name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '2' && c <= '7'))) {
            return 0;
        }
    }

    rs_buf_init(&b, text, sizeof(text));
    rs_buf_cstr(&b, label);
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, deal->name);
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, codecs);
    rs_buf_char(&b, '\0');
    rs_buf_put(&b, deal->client, RS_SEAL_POINT_LEN);

    if (answer) {
        rs_buf_put(&b, deal->host, RS_SEAL_POINT_LEN);
    }

    SHA256(b.data, b.len, digest);
    rs_operator_mark_text(digest, dst);

    return !b.overflow;
}


int
rs_seal_offer_mark(const rs_seal_deal_t *deal,
    char dst[RS_OPERATOR_FINGERPRINT_LEN])
{
    return rs_seal_mark("rs-pipe-offer-v1", deal, 0, dst);
}


int
rs_seal_answer_mark(const rs_seal_deal_t *deal,
    char dst[RS_OPERATOR_FINGERPRINT_LEN])
{
    return rs_seal_mark("rs-pipe-answer-v1", deal, 1, dst);
}
