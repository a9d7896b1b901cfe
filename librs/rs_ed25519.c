
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a failed call leaves in OpenSSL's queue of errors is taken out again:
 * a TLS server in the same process would find it there.
 */


#include "rs_ed25519.h"

#include <openssl/err.h>
#include <openssl/evp.h>


rs_err_e
rs_ed25519_sign(const uint8_t seed[RS_ED25519_KEY_LEN], const void *data,
    size_t len, uint8_t signature[RS_ED25519_SIGNATURE_LEN])
{
    size_t       n;
    rs_err_e     rc;
    EVP_PKEY    *pkey;
    EVP_MD_CTX  *ctx;

    (void) ERR_set_mark();

    rc = RS_E_INTERNAL;
    n = RS_ED25519_SIGNATURE_LEN;
    pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed,
                                        RS_ED25519_KEY_LEN);
    ctx = EVP_MD_CTX_new();

    if (pkey != NULL && ctx != NULL
        && EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) == 1
        && EVP_DigestSign(ctx, signature, &n, data, len) == 1)
    {
        rc = RS_OK;
    }

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);

    (void) ERR_pop_to_mark();

    return rc;
}


rs_err_e
rs_ed25519_verify(const uint8_t key[RS_ED25519_KEY_LEN], const void *data,
    size_t len, const uint8_t signature[RS_ED25519_SIGNATURE_LEN])
{
    rs_err_e     rc;
    EVP_PKEY    *pkey;
    EVP_MD_CTX  *ctx;

    (void) ERR_set_mark();

    rc = RS_E_INTERNAL;
    pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key,
                                       RS_ED25519_KEY_LEN);
    ctx = EVP_MD_CTX_new();

    if (pkey != NULL && ctx != NULL
        && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1)
    {
        rc = (EVP_DigestVerify(ctx, signature, RS_ED25519_SIGNATURE_LEN, data,
                               len) == 1) ? RS_OK : RS_E_UNAUTHENTICATED;
    }

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);

    (void) ERR_pop_to_mark();

    return rc;
}


rs_err_e
rs_ed25519_public(const uint8_t seed[RS_ED25519_KEY_LEN],
    uint8_t key[RS_ED25519_KEY_LEN])
{
    int        rc;
    size_t     len;
    EVP_PKEY  *pkey;

    (void) ERR_set_mark();

    len = RS_ED25519_KEY_LEN;
    pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed,
                                        RS_ED25519_KEY_LEN);

    rc = pkey != NULL && EVP_PKEY_get_raw_public_key(pkey, key, &len) == 1;

    EVP_PKEY_free(pkey);

    (void) ERR_pop_to_mark();

    return rc ? RS_OK : RS_E_INTERNAL;
}
