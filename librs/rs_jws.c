
/*
 * Copyright (C) rs-gateway contributors
 *
 * Signatures.  cjose 0.6 takes any length for an ECDSA signature, any curve
 * with any ES algorithm, HMAC where it is given a symmetric key, a header
 * with a name twice, and finds the second dot only; it is given nothing that
 * rs_jwt_parse() did not pass, one public key of the type and curve that the
 * algorithm asks for, and nothing else.
 */


#include "rs_jws.h"

#include <cjose/cjose.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>

#include <stdlib.h>
#include <string.h>


static rs_err_e rs_jws_token(const rs_jwt_t *jwt, const rs_jwk_t *key);
static cjose_jwk_t *rs_jws_key(const rs_jwk_t *key);
static size_t rs_jws_der(rs_str_t raw, uint8_t **der);


/* by rs_jws_alg_e; NULL: the algorithm has a hash of its own */

static const char *const  rs_jws_hash[] = {
    "SHA256", "SHA384", "SHA512", "SHA256", "SHA384", "SHA512",
    "SHA256", "SHA384", "SHA512", NULL
};


rs_err_e
rs_jws_verify_token(const rs_jwt_t *jwt, const rs_jwks_t *set,
    const char **why)
{
    unsigned         i, n;
    rs_err_e         rc;
    const rs_jwk_t  *keys[RS_JWKS_TRIES];

    n = rs_jwks_select(set, jwt->alg, (rs_str_t) { jwt->kid, jwt->kid_len },
                       keys);

    if (n == 0) {
        *why = "the issuer has no key of its \"kid\" and \"alg\"";
        return RS_E_NOT_FOUND;
    }

    for (i = 0; i < n; i++) {
        rc = rs_jws_token(jwt, keys[i]);

        if (rc == RS_OK) {
            return RS_OK;
        }

        if (rc == RS_E_INTERNAL) {
            *why = "there is no memory to check its signature";
            return rc;
        }
    }

    *why = "its signature is not of the issuer's key";

    return RS_E_UNAUTHENTICATED;
}


static rs_err_e
rs_jws_token(const rs_jwt_t *jwt, const rs_jwk_t *key)
{
    rs_err_e      rc;
    rs_str_t      signature;
    cjose_err     err;
    cjose_jwk_t  *jwk;
    cjose_jws_t  *jws;

    signature.data = jwt->signature;
    signature.len = jwt->signature_len;

    if (jwt->alg == RS_JWS_EDDSA) {
        return rs_jws_verify(key, jwt->alg, jwt->input, signature);
    }

    if (key->type == RS_JWK_RSA && signature.len != key->n_len) {
        return RS_E_UNAUTHENTICATED;
    }

    jwk = rs_jws_key(key);
    jws = cjose_jws_import((const char *) jwt->token.data, jwt->token.len,
                           &err);
    rc = RS_E_UNAUTHENTICATED;

    if (jwk == NULL) {
        rc = RS_E_INTERNAL;

    } else if (jws == NULL) {
        rc = (err.code == CJOSE_ERR_NO_MEMORY) ? RS_E_INTERNAL : rc;

    } else if (cjose_jws_verify(jws, jwk, &err)) {
        rc = RS_OK;
    }

    cjose_jws_release(jws);
    (void) cjose_jwk_release(jwk);
    ERR_clear_error();

    return rc;
}


static cjose_jwk_t *
rs_jws_key(const rs_jwk_t *key)
{
    cjose_err               err;
    cjose_jwk_ec_keyspec    ec;
    cjose_jwk_rsa_keyspec   rsa;

    static const cjose_jwk_ec_curve  curves[] = {
        [RS_JWK_P256] = CJOSE_JWK_EC_P_256,
        [RS_JWK_P384] = CJOSE_JWK_EC_P_384,
        [RS_JWK_P521] = CJOSE_JWK_EC_P_521
    };

    if (key->type == RS_JWK_RSA) {
        memset(&rsa, 0, sizeof(rsa));
        rsa.n = (uint8_t *) key->n;
        rsa.nlen = key->n_len;
        rsa.e = (uint8_t *) key->e;
        rsa.elen = key->e_len;

        return cjose_jwk_create_RSA_spec(&rsa, &err);
    }

    memset(&ec, 0, sizeof(ec));
    ec.crv = curves[key->type];
    ec.x = (uint8_t *) key->x;
    ec.xlen = key->xy_len;
    ec.y = (uint8_t *) key->y;
    ec.ylen = key->xy_len;

    return cjose_jwk_create_EC_spec(&ec, &err);
}


rs_err_e
rs_jws_verify(const rs_jwk_t *key, rs_jws_alg_e alg, rs_str_t data,
    rs_str_t signature)
{
    int          ok;
    size_t       len;
    uint8_t     *der;
    EVP_PKEY    *pkey;
    EVP_MD_CTX  *ctx;

    if (key->type == RS_JWK_RSA || !(key->algs & RS_JWS_MASK(alg))
        || signature.len != 2 * key->xy_len)
    {
        return RS_E_UNAUTHENTICATED;
    }

    der = NULL;
    len = signature.len;

    if (alg != RS_JWS_EDDSA) {
        len = rs_jws_der(signature, &der);
    }

    pkey = rs_jwk_pkey(key);
    ctx = EVP_MD_CTX_new();
    ok = -1;

    if (len != 0 && pkey != NULL && ctx != NULL
        && EVP_DigestVerifyInit_ex(ctx, NULL, rs_jws_hash[alg], NULL, NULL,
                                   pkey, NULL) == 1)
    {
        ok = EVP_DigestVerify(ctx, der ? der : signature.data, len,
                              data.data, data.len) == 1;
    }

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    OPENSSL_free(der);
    ERR_clear_error();

    if (ok < 0) {
        return RS_E_INTERNAL;
    }

    return ok ? RS_OK : RS_E_UNAUTHENTICATED;
}


/* r || s as OpenSSL takes it; 0: no memory.  r, s of 0 are its to refuse */

static size_t
rs_jws_der(rs_str_t raw, uint8_t **der)
{
    int         len;
    size_t      half;
    BIGNUM     *r, *s;
    ECDSA_SIG  *sig;

    half = raw.len / 2;
    sig = ECDSA_SIG_new();
    r = BN_bin2bn(raw.data, (int) half, NULL);
    s = BN_bin2bn(raw.data + half, (int) half, NULL);

    if (sig == NULL || r == NULL || s == NULL) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(sig);
        return 0;
    }

    (void) ECDSA_SIG_set0(sig, r, s);

    len = i2d_ECDSA_SIG(sig, der);

    ECDSA_SIG_free(sig);

    return len > 0 ? (size_t) len : 0;
}
