
/*
 * Copyright (C) rs-gateway contributors
 *
 * Time-limited TURN credentials (draft-uberti-behave-turn-rest): username
 * <expiry>:<tenant>.<session>.<participant>, password
 * base64(HMAC-SHA1(secret, username)), as coturn's use-auth-secret checks.
 */


#ifndef _RS_TURN_CRED_H_INCLUDED_
#define _RS_TURN_CRED_H_INCLUDED_


#include "rs_str.h"
#include "rs_id.h"


#define RS_TURN_USER_MAX    (20 + 1 + RS_ID_TENANT_MAX + 2 * (1 + RS_ID_LEN))
#define RS_TURN_PASS_LEN    28
#define RS_TURN_SECRET_MIN  32


typedef struct {
    uint64_t  expiry;          /* seconds since the epoch */
    rs_str_t  tenant;
    rs_str_t  session_id;
    rs_str_t  participant_id;
} rs_turn_user_t;


/* RS_OK, or RS_E_INVALID_VALUE: short, or an example everybody knows */
rs_err_e rs_turn_secret_check(rs_str_t secret);

/* at most RS_TURN_USER_MAX bytes, no NUL; the length */
size_t rs_turn_user_format(char *out, const rs_turn_user_t *u);
/* exactly this grammar; RS_E_INVALID_VALUE.  Slices into s */
rs_err_e rs_turn_user_parse(rs_str_t s, rs_turn_user_t *u);

/* RS_TURN_PASS_LEN bytes, no NUL; RS_E_INTERNAL when OpenSSL fails */
rs_err_e rs_turn_password(rs_str_t secret, rs_str_t user, char *out);

/*
 * RS_OK when password fits user under one of the n secrets and user has not
 * expired at now; RS_E_UNAUTHENTICATED.  Tries every secret.
 */
rs_err_e rs_turn_verify(const rs_str_t *secrets, size_t n, rs_str_t user,
    rs_str_t password, uint64_t now, rs_turn_user_t *u);


#endif /* _RS_TURN_CRED_H_INCLUDED_ */
