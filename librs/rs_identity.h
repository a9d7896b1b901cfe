
/*
 * Copyright (C) rs-gateway contributors
 *
 * The fleet's identity: an Ed25519 key that outlives every certificate.  A
 * gateway proves it to a device by the signature over
 *
 *     "rs-gateway-v1" 00 host 00 device's nonce 00 challenge's nonce
 *
 * and passes it on by statements, signed with the old key over
 *
 *     "rs-identity-v1" 00 old 00 new 00 created_at
 *
 * Keys and nonces are signed as the base64url they travel as.
 */


#ifndef _RS_IDENTITY_H_INCLUDED_
#define _RS_IDENTITY_H_INCLUDED_


#include "rs_devkey.h"
#include "rs_json.h"


#define RS_IDENTITY_NONCE_LEN       32
#define RS_IDENTITY_NONCE_TEXT      43       /* base64url of it */
#define RS_IDENTITY_STATEMENTS_MAX  16
#define RS_IDENTITY_FILE_MAX        16384    /* bytes of a file of them */
#define RS_IDENTITY_TIME_MAX        ((int64_t) 1 << 40)    /* s */

/* bytes of a statement as JSON, and of an offer without statements */
#define RS_IDENTITY_JSON_MAX        320


typedef struct {
    uint8_t                   old[RS_ED25519_KEY_LEN];
    uint8_t                   key[RS_ED25519_KEY_LEN];      /* `new` */
    int64_t                   created_at;                   /* s */
    uint8_t                   signature[RS_ED25519_SIGNATURE_LEN];
} rs_identity_statement_t;


/* `identity` of a challenge */

typedef struct {
    uint8_t                   key[RS_ED25519_KEY_LEN];
    uint8_t                   signature[RS_ED25519_SIGNATURE_LEN];
    rs_identity_statement_t   statements[RS_IDENTITY_STATEMENTS_MAX];
    size_t                    n;
} rs_identity_offer_t;


/* base64url of 32 bytes; RS_OK or RS_E_INVALID_VALUE */
rs_err_e rs_identity_nonce_check(rs_str_t text);


/*
 * The proof.  Both nonces as text.  sign: RS_OK, RS_E_INVALID_VALUE (host
 * empty, too long or with a zero byte; a nonce that is none) or
 * RS_E_INTERNAL; verify: RS_E_UNAUTHENTICATED besides.
 */
rs_err_e rs_identity_sign(const uint8_t seed[RS_ED25519_KEY_LEN],
    rs_str_t host, rs_str_t device_nonce, rs_str_t nonce,
    uint8_t signature[RS_ED25519_SIGNATURE_LEN]);
rs_err_e rs_identity_verify(const uint8_t key[RS_ED25519_KEY_LEN],
    rs_str_t host, rs_str_t device_nonce, rs_str_t nonce,
    const uint8_t signature[RS_ED25519_SIGNATURE_LEN]);


/*
 * Statements.  sign() fills st->old and st->signature from the seed of the
 * old key, st->key and st->created_at.  verify(): RS_OK,
 * RS_E_UNAUTHENTICATED or RS_E_INTERNAL.
 */
rs_err_e rs_identity_statement_sign(const uint8_t seed[RS_ED25519_KEY_LEN],
    rs_identity_statement_t *st);
rs_err_e rs_identity_statement_verify(const rs_identity_statement_t *st);

/* {"old","new","created_at","signature"} and nothing else */
void rs_identity_statement_write(rs_buf_t *b,
    const rs_identity_statement_t *st);

/*
 * A file of them, one JSON object a line, empty lines left out; list has
 * room for RS_IDENTITY_STATEMENTS_MAX.  RS_OK, or an error whose text begins
 * with the line's number.  Nothing is verified.
 */
rs_err_e rs_identity_statements(rs_str_t text, rs_identity_statement_t *list,
    size_t *n, rs_json_error_t *err);

/*
 * RS_OK: each of the n statements is good, continues the one before and the
 * last one ends at key.  Else err says which and why.
 */
rs_err_e rs_identity_chain(const rs_identity_statement_t *list, size_t n,
    const uint8_t key[RS_ED25519_KEY_LEN], rs_json_error_t *err);

/*
 * From a pinned key to another one: RS_OK when they are the same or a chain
 * of good statements leads there, in whatever order they come;
 * RS_E_UNAUTHENTICATED when none does.
 */
rs_err_e rs_identity_follow(const uint8_t pinned[RS_ED25519_KEY_LEN],
    const uint8_t key[RS_ED25519_KEY_LEN],
    const rs_identity_statement_t *list, size_t n);


/*
 * `identity` of a challenge, {"key","signature","statements"?}; more
 * statements than RS_IDENTITY_STATEMENTS_MAX are refused.
 */
rs_err_e rs_identity_offer_read(const json_t *obj,
    rs_identity_offer_t *offer, rs_json_error_t *err);
void rs_identity_offer_write(rs_buf_t *b, const rs_identity_offer_t *offer);


#endif /* _RS_IDENTITY_H_INCLUDED_ */
