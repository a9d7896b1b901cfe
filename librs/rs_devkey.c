
/*
 * Copyright (C) rs-gateway contributors
 *
 * Device keys.  OpenSSL takes any 32 bytes for a public key and finds out at
 * the first signature; a key is checked here when it is enrolled, so that who
 * enrols a broken one is told at once, and none of low order gets in.
 */


#include "rs_devkey.h"

#include <string.h>
#include <openssl/bn.h>
#include <openssl/sha.h>


static int rs_devkey_on_curve(const uint8_t *raw);
static int rs_devkey_low_order(const uint8_t *raw);
static int rs_devkey_canonical(const uint8_t *raw);


/*
 * y of the points of order 1, 2, 4 and 8, little endian, sign bit 0; the
 * non-canonical ones (y >= p) are refused by rs_devkey_canonical().
 */

static const uint8_t  rs_devkey_small[][RS_DEVKEY_KEY_LEN] = {
    { 0x00 },
    { 0x01 },
    { 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0,
      0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
      0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39,
      0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
    { 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f,
      0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
      0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6,
      0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
    { 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f }
};


static int
rs_devkey_low_order(const uint8_t *raw)
{
    size_t   i;
    uint8_t  y[RS_DEVKEY_KEY_LEN];

    memcpy(y, raw, sizeof(y));
    y[31] &= 0x7f;

    for (i = 0; i < sizeof(rs_devkey_small) / sizeof(y); i++) {
        if (memcmp(y, rs_devkey_small[i], sizeof(y)) == 0) {
            return 1;
        }
    }

    return 0;
}


/* y < p = 2^255 - 19 */

static int
rs_devkey_canonical(const uint8_t *raw)
{
    size_t  i;

    if ((raw[31] & 0x7f) != 0x7f) {
        return 1;
    }

    for (i = 30; i > 0; i--) {
        if (raw[i] != 0xff) {
            return 1;
        }
    }

    return raw[0] < 0xed;
}


/*
 * RFC 8032, 5.1.3: x^2 = (y^2 - 1) / (d y^2 + 1) must be a square mod p, that
 * is ((y^2 - 1) (d y^2 + 1)) ^ ((p - 1) / 2) must be 1; it is 0 for y = 1 and
 * y = -1 only, which are of low order.  1 yes, 0 no, -1 no memory.
 */

static int
rs_devkey_on_curve(const uint8_t *raw)
{
    int      rc;
    BIGNUM  *p, *d, *u, *v, *e;
    BN_CTX  *ctx;
    uint8_t  y[RS_DEVKEY_KEY_LEN];

    memcpy(y, raw, sizeof(y));
    y[31] &= 0x7f;

    rc = -1;
    p = NULL;
    d = NULL;
    u = BN_lebin2bn(y, sizeof(y), NULL);
    v = BN_new();
    e = BN_new();
    ctx = BN_CTX_new();

    if (u != NULL && v != NULL && e != NULL && ctx != NULL
        && BN_hex2bn(&p, "7fffffffffffffffffffffffffffffff"
                         "ffffffffffffffffffffffffffffffed")
        && BN_hex2bn(&d, "52036cee2b6ffe738cc740797779e898"
                         "00700a4d4141d8ab75eb4dca135978a3")
        && BN_mod_sqr(u, u, p, ctx)
        && BN_mod_mul(v, u, d, p, ctx)
        && BN_add_word(v, 1)
        && BN_mod_sub(u, u, BN_value_one(), p, ctx)
        && BN_mod_mul(u, u, v, p, ctx)
        && BN_rshift1(e, p)
        && BN_mod_exp(u, u, e, p, ctx))
    {
        rc = BN_is_one(u);
    }

    BN_free(p);
    BN_free(d);
    BN_free(u);
    BN_free(v);
    BN_free(e);
    BN_CTX_free(ctx);

    return rc;
}


rs_err_e
rs_devkey_parse(rs_str_t text, uint8_t raw[RS_DEVKEY_KEY_LEN])
{
    int      rc;
    size_t   len;
    uint8_t  key[RS_DEVKEY_KEY_LEN];

    if (text.len != RS_DEVKEY_TEXT_LEN
        || !rs_base64url_decode(key, sizeof(key), text, &len)
        || !rs_devkey_canonical(key) || rs_devkey_low_order(key))
    {
        return RS_E_INVALID_VALUE;
    }

    rc = rs_devkey_on_curve(key);

    if (rc != 1) {
        return (rc == 0) ? RS_E_INVALID_VALUE : RS_E_INTERNAL;
    }

    if (raw != NULL) {
        memcpy(raw, key, sizeof(key));
    }

    return RS_OK;
}


rs_err_e
rs_devkey_check(rs_str_t text)
{
    return rs_devkey_parse(text, NULL);
}


void
rs_devkey_short(const uint8_t raw[RS_DEVKEY_KEY_LEN],
    char dst[RS_DEVKEY_SHORT_LEN])
{
    char     text[RS_BASE32_LEN(10)];
    size_t   i;
    uint8_t  digest[SHA256_DIGEST_LENGTH];

    SHA256(raw, RS_DEVKEY_KEY_LEN, digest);
    rs_base32_encode(text, digest, 10);

    for (i = 0; i < sizeof(text); i++) {

        if (i != 0 && i % 4 == 0) {
            *dst++ = '-';
        }

        *dst++ = (char) ((text[i] >= 'a') ? text[i] - 'a' + 'A' : text[i]);
    }
}


size_t
rs_devkey_signed(uint8_t *dst, rs_str_t host, rs_str_t tenant,
    rs_str_t device_id, const uint8_t nonce[RS_DEVKEY_NONCE_LEN])
{
    rs_buf_t  b;

    if (host.len == 0 || host.len > RS_DEVKEY_HOST_MAX
        || memchr(host.data, '\0', host.len) != NULL
        || rs_tenant_check(tenant) != RS_OK
        || rs_id_check(device_id, RS_ID_DEVICE) != RS_OK)
    {
        return 0;
    }

    rs_buf_init(&b, dst, RS_DEVKEY_SIGNED_MAX);
    rs_buf_cstr(&b, "rs-agent-v1");
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, host);
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, tenant);
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, device_id);
    rs_buf_char(&b, '\0');
    rs_buf_put(&b, nonce, RS_DEVKEY_NONCE_LEN);

    return b.len;
}


rs_err_e
rs_devkey_verify(rs_str_t key, rs_str_t host, rs_str_t tenant,
    rs_str_t device_id, const uint8_t nonce[RS_DEVKEY_NONCE_LEN],
    const uint8_t signature[RS_DEVKEY_SIGNATURE_LEN])
{
    size_t   len;
    uint8_t  raw[RS_DEVKEY_KEY_LEN], text[RS_DEVKEY_SIGNED_MAX];

    if (rs_devkey_parse(key, raw) != RS_OK) {
        return RS_E_INTERNAL;
    }

    len = rs_devkey_signed(text, host, tenant, device_id, nonce);

    if (len == 0) {
        return RS_E_UNAUTHENTICATED;
    }

    return rs_ed25519_verify(raw, text, len, signature);
}


rs_err_e
rs_devkey_sign(const uint8_t seed[RS_DEVKEY_KEY_LEN], rs_str_t host,
    rs_str_t tenant, rs_str_t device_id,
    const uint8_t nonce[RS_DEVKEY_NONCE_LEN],
    uint8_t signature[RS_DEVKEY_SIGNATURE_LEN])
{
    size_t   len;
    uint8_t  text[RS_DEVKEY_SIGNED_MAX];

    len = rs_devkey_signed(text, host, tenant, device_id, nonce);

    if (len == 0) {
        return RS_E_INVALID_VALUE;
    }

    return rs_ed25519_sign(seed, text, len, signature);
}


rs_err_e
rs_devkey_public(const uint8_t seed[RS_DEVKEY_KEY_LEN],
    uint8_t raw[RS_DEVKEY_KEY_LEN])
{
    return rs_ed25519_public(seed, raw);
}


size_t
rs_devkey_rotation(uint8_t *dst, rs_str_t tenant, rs_str_t device_id,
    rs_str_t old, rs_str_t key)
{
    rs_buf_t  b;

    if (rs_tenant_check(tenant) != RS_OK
        || rs_id_check(device_id, RS_ID_DEVICE) != RS_OK
        || rs_devkey_check(old) != RS_OK || rs_devkey_check(key) != RS_OK
        || rs_str_eq(old, key))
    {
        return 0;
    }

    rs_buf_init(&b, dst, RS_DEVKEY_ROTATION_MAX);
    rs_buf_cstr(&b, "rs-device-key-v1");
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, tenant);
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, device_id);
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, old);
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, key);

    return b.len;
}


rs_err_e
rs_devkey_rotation_verify(rs_str_t tenant, rs_str_t device_id, rs_str_t old,
    rs_str_t key, const uint8_t signature[RS_DEVKEY_SIGNATURE_LEN],
    const uint8_t *proof)
{
    size_t    len;
    uint8_t   raw[RS_DEVKEY_KEY_LEN], text[RS_DEVKEY_ROTATION_MAX];
    rs_err_e  rc;

    len = rs_devkey_rotation(text, tenant, device_id, old, key);

    if (len == 0) {
        return RS_E_INVALID_VALUE;
    }

    rc = rs_devkey_parse(old, raw);

    if (rc == RS_OK) {
        rc = rs_ed25519_verify(raw, text, len, signature);
    }

    if (rc == RS_OK && proof != NULL) {
        rc = rs_devkey_parse(key, raw);

        if (rc == RS_OK) {
            rc = rs_ed25519_verify(raw, text, len, proof);
        }
    }

    return rc;
}
