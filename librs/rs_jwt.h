
/*
 * Copyright (C) rs-gateway contributors
 *
 * JSON Web Tokens as bytes: the compact serialization (RFC 7515, 3.1), rules
 * of its header and of the claims of an ID token (RFC 7519, OpenID Connect
 * Core 3.1.3.7).  Signatures are checked by rs_jws, between the two calls:
 *
 *   rs_jwt_parse()      the form, and the header; no claim is looked at
 *   rs_jws_verify_token()
 *   rs_jwt_claims()     what the token says and whether it is good here
 *   rs_jwt_done()
 *
 * The algorithms are the caller's list; the token only picks one of it.
 * There is no "none" and no HMAC at all.  *why is a constant, half a sentence
 * about the token ("it has expired") that holds nothing of it.
 */


#ifndef _RS_JWT_H_INCLUDED_
#define _RS_JWT_H_INCLUDED_


#include <jansson.h>

#include "rs_err.h"


#define RS_JWT_MAX             16384   /* bytes of a token */
#define RS_JWT_HEADER_MAX      2048    /* bytes of a header, decoded */
#define RS_JWT_PAYLOAD_MAX     (RS_JWT_MAX / 4 * 3)
#define RS_JWT_SIGNATURE_MAX   1024    /* RSA of 8192 bits */
#define RS_JWT_KID_MAX         256
#define RS_JWT_SUB_MAX         255     /* OpenID Connect Core, 2 */
#define RS_JWT_AUD_MAX         16
#define RS_JWT_NONCE_MAX       256
/* a nonce that is a thumbprint: base64url of a SHA-256 */
#define RS_JWT_THUMBPRINT_LEN  43


typedef enum {
    RS_JWS_RS256 = 0,
    RS_JWS_RS384,
    RS_JWS_RS512,
    RS_JWS_PS256,
    RS_JWS_PS384,
    RS_JWS_PS512,
    RS_JWS_ES256,
    RS_JWS_ES384,
    RS_JWS_ES512,
    RS_JWS_EDDSA,                 /* Ed25519 only */

    RS_JWS_ALG_MAX                /* one past the last */
} rs_jws_alg_e;

#define RS_JWS_MASK(alg)       ((uint32_t) 1 << (alg))
/* what is allowed where nothing else was asked for */
#define RS_JWS_DEFAULT_ALGS                                                  \
    (RS_JWS_MASK(RS_JWS_RS256) | RS_JWS_MASK(RS_JWS_ES256)                   \
     | RS_JWS_MASK(RS_JWS_PS256))

/* "RS256"; "" out of range */
const char *rs_jws_alg_name(rs_jws_alg_e alg);
/* exactly as written in RFC 7518 and 8037: 1 and *alg, else 0 */
int rs_jws_alg_parse(rs_str_t name, rs_jws_alg_e *alg);


/* the slices point into the token, which must live as long */

typedef struct {
    rs_str_t        token;
    rs_str_t        input;        /* what is signed: header "." payload */
    rs_str_t        payload;      /* base64url */
    rs_jws_alg_e    alg;
    uint8_t         signature[RS_JWT_SIGNATURE_MAX];
    size_t          signature_len;
    uint8_t         kid[RS_JWT_KID_MAX];
    size_t          kid_len;      /* 0: it names no key */
    json_t         *claims;       /* set by rs_jwt_claims() */
} rs_jwt_t;


typedef struct {
    rs_str_t        issuer;
    rs_str_t        client_id;
    rs_str_t        audience;     /* empty: client_id */
    int64_t         now_s;
    int64_t         skew_s;
    int64_t         max_age_s;    /* since iat; 0: exp alone decides */
    int             nonce;        /* 1: there must be one, a thumbprint */
} rs_jwt_rules_t;


/* the slices live until rs_jwt_done() */

typedef struct {
    rs_str_t        sub;
    rs_str_t        nonce;        /* empty: none */
    int64_t         exp;
    int64_t         iat;
} rs_jwt_claims_t;


/*
 * algs: RS_JWS_MASK of those allowed.  RS_OK; RS_E_UNAUTHENTICATED and *why;
 * RS_E_INTERNAL: no memory.  After RS_OK jwt->signature has the length that
 * goes with the algorithm where that is fixed.
 */
rs_err_e rs_jwt_parse(rs_str_t token, uint32_t algs, rs_jwt_t *jwt,
    const char **why);

/* of a token whose signature is good; the same results */
rs_err_e rs_jwt_claims(rs_jwt_t *jwt, const rs_jwt_rules_t *rules,
    rs_jwt_claims_t *claims, const char **why);

/* frees the claims; also after an error; twice does nothing */
void rs_jwt_done(rs_jwt_t *jwt);


/*
 * Other claims, after rs_jwt_claims(), by name; a name that begins with "/"
 * is a JSON pointer ("/realm_access/roles").  A string, or an array of
 * strings where arrays are taken: 1 to max values.  Each is printable UTF-8
 * and not empty.
 *
 * The number of values; 0: there is no such claim, or it is null or []; -1:
 * it is of another type, or has more than max values.
 */
int rs_jwt_string(const rs_jwt_t *jwt, rs_str_t name, rs_str_t *value);
int rs_jwt_strings(const rs_jwt_t *jwt, rs_str_t name, rs_str_t *values,
    int max);


#endif /* _RS_JWT_H_INCLUDED_ */
