
/*
 * Copyright (C) rs-gateway contributors
 *
 * Signatures of tokens (by cjose, EdDSA by OpenSSL), and those of a curve's
 * key over other bytes (by OpenSSL).  Whoever calls says the algorithm; the
 * type and the curve of the key and the length of the signature must fit it.
 * Links libcjose.
 */


#ifndef _RS_JWS_H_INCLUDED_
#define _RS_JWS_H_INCLUDED_


#include "rs_jwks.h"


/*
 * jwt: of rs_jwt_parse().  RS_OK; RS_E_NOT_FOUND: the set has no key that may
 * have signed it, a newer one may have; RS_E_UNAUTHENTICATED: the signature
 * is not of such a key; RS_E_INTERNAL: no memory.  *why but for RS_OK.
 */
rs_err_e rs_jws_verify_token(const rs_jwt_t *jwt, const rs_jwks_t *set,
    const char **why);

/*
 * ES256, ES384, ES512 (signature: r || s, as in JWS, never DER) and EdDSA
 * over any bytes.  RS_OK, RS_E_UNAUTHENTICATED or RS_E_INTERNAL.
 */
rs_err_e rs_jws_verify(const rs_jwk_t *key, rs_jws_alg_e alg, rs_str_t data,
    rs_str_t signature);


#endif /* _RS_JWS_H_INCLUDED_ */
