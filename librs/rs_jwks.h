
/*
 * Copyright (C) rs-gateway contributors
 *
 * Public keys of an issuer: JSON Web Key Sets (RFC 7517, 7518, 8037) read
 * strictly and by bounds, the keys that may have signed a token, and the
 * thumbprint of a key (RFC 7638).
 *
 * A set is refused as a whole when its form is wrong.  A key in it that is
 * of no use here (another type, another use, too short, not on its curve, a
 * secret one) is left out and counted.
 */


#ifndef _RS_JWKS_H_INCLUDED_
#define _RS_JWKS_H_INCLUDED_


#include <openssl/evp.h>

#include "rs_jwt.h"


#define RS_JWKS_MAX            65536   /* bytes of a set */
#define RS_JWKS_KEYS_MAX       32
#define RS_JWKS_TRIES          4       /* keys tried for one token */
#define RS_JWK_MAX             8192    /* bytes of a key by itself */
#define RS_JWK_RSA_MIN         256     /* bytes of n: 2048 bits */
#define RS_JWK_RSA_MAX         1024    /* 8192 bits */
#define RS_JWK_E_MAX           4       /* bytes of e */
#define RS_JWK_COORD_MAX       66      /* P-521 */


typedef enum {
    RS_JWK_RSA = 0,
    RS_JWK_P256,
    RS_JWK_P384,
    RS_JWK_P521,
    RS_JWK_ED25519,

    RS_JWK_TYPE_MAX
} rs_jwk_type_e;


typedef struct {
    rs_jwk_type_e   type;
    uint32_t        algs;         /* RS_JWS_MASK: by type and its "alg" */
    size_t          kid_len;      /* 0: none */
    uint8_t         kid[RS_JWT_KID_MAX];

    /* RSA; without leading zeros */
    size_t          n_len;
    uint8_t         n[RS_JWK_RSA_MAX];
    size_t          e_len;
    uint8_t         e[RS_JWK_E_MAX];

    /* curves; of the length of the field.  Ed25519 has x only */
    size_t          xy_len;
    uint8_t         x[RS_JWK_COORD_MAX];
    uint8_t         y[RS_JWK_COORD_MAX];
} rs_jwk_t;


typedef struct {
    unsigned        n;
    unsigned        ignored;      /* keys of no use here */
    rs_jwk_t        keys[];
} rs_jwks_t;


/*
 * RS_OK: *set is the caller's to rs_jwks_free(), and has a key at least.
 * RS_E_INVALID_VALUE: *why says what is wrong, half a sentence.
 * RS_E_INTERNAL: no memory.
 */
rs_err_e rs_jwks_parse(rs_str_t json, rs_jwks_t **set, const char **why);
void rs_jwks_free(rs_jwks_t *set);

/* one public key; as above */
rs_err_e rs_jwk_parse(rs_str_t json, rs_jwk_t *key, const char **why);
/* the same of what was read already */
rs_err_e rs_jwk_read(const json_t *json, rs_jwk_t *key, const char **why);

/*
 * The keys that may have signed by alg: those of this kid (several may have
 * the same), without a kid all that fit.  At most RS_JWKS_TRIES; the number.
 */
unsigned rs_jwks_select(const rs_jwks_t *set, rs_jws_alg_e alg, rs_str_t kid,
    const rs_jwk_t *keys[RS_JWKS_TRIES]);

/* RFC 7638 with SHA-256, base64url, no NUL; RS_OK or RS_E_INTERNAL */
rs_err_e rs_jwk_thumbprint(const rs_jwk_t *key,
    char dst[RS_JWT_THUMBPRINT_LEN]);

/* of a curve; the caller's to EVP_PKEY_free(); NULL: not on it, or failed */
EVP_PKEY *rs_jwk_pkey(const rs_jwk_t *key);


#endif /* _RS_JWKS_H_INCLUDED_ */
