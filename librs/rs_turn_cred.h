
/*
 * Copyright (C) rs-gateway contributors
 *
 * TURN credentials as coturn's use-auth-secret checks them:
 *
 *     username  <expiry>:<tenant>.<session>.<participant>
 *     password  base64(HMAC-SHA1(secret, username))
 *
 * The module mints, a TURN server or its plugin verifies; both are tested
 * with t/vectors/turn_cred.json.
 */


#ifndef _RS_TURN_CRED_H_INCLUDED_
#define _RS_TURN_CRED_H_INCLUDED_


#include "rs_id.h"


#define RS_TURN_PASSWORD_LEN   28
/* 20 digits : tenant . session . participant; no NUL */
#define RS_TURN_USERNAME_MAX   (20 + 1 + RS_TENANT_MAX + 1 + RS_ID_LEN + 1   \
                                + RS_ID_LEN)
#define RS_TURN_SECRET_MIN     32
#define RS_TURN_SECRET_MAX     1024


/* slices of the username */

typedef struct {
    uint64_t        expires_at;       /* seconds since the epoch */
    rs_str_t        tenant;
    rs_str_t        session_id;
    rs_str_t        participant_id;
} rs_turn_user_t;


/*
 * RS_OK: strong enough.  RS_E_INVALID_VALUE: shorter than 32 characters,
 * longer than 1024, not visible ASCII, with a word of examples and
 * placeholders in it, of less than 8 different characters, a piece repeated,
 * or counting up.
 */
rs_err_e rs_turn_secret_check(rs_str_t secret);

/* RS_OK or RS_E_UNAUTHENTICATED: not of the form above, to the letter */
rs_err_e rs_turn_user_parse(rs_str_t username, rs_turn_user_t *user);
/* dst: RS_TURN_USERNAME_MAX; the length, 0: a part is not well formed */
size_t rs_turn_user_format(char *dst, const rs_turn_user_t *user);

/*
 * Who only tries whether a server can be reached is this participant, of a
 * session that nobody has: his credential lives RS_TURN_CHECK_TTL at most, and
 * the plugin ends what he allocates.
 */

#define RS_TURN_CHECK_PARTICIPANT  "par_checkcheckcheckcheckchecka"
#define RS_TURN_CHECK_TTL          60

int rs_turn_user_is_check(const rs_turn_user_t *user);

/*
 * When a credential asked for at now runs out: the same for all who ask within
 * a quarter of ttl, so that a participant who resumes elsewhere or asks again
 * keeps his user name, and never less for who asks later; between three
 * quarters of ttl and all of it from now, and at most until (0: no bound).
 */
uint64_t rs_turn_expiry(uint64_t now, uint64_t ttl, uint64_t until);

/*
 * Password of any username; dst: RS_TURN_PASSWORD_LEN, no NUL.  RS_OK,
 * RS_E_INVALID_VALUE (empty secret) or RS_E_INTERNAL (OpenSSL failed).
 */
rs_err_e rs_turn_password(char *dst, rs_str_t secret, rs_str_t username);

/*
 * Verifies against n secrets (rotation).  RS_OK: *user is set.
 * RS_E_UNAUTHENTICATED: malformed, expired before now, or the password is of
 * none of them.  All secrets are tried, and compared in constant time.
 */
rs_err_e rs_turn_verify(rs_str_t username, rs_str_t password,
    const rs_str_t *secrets, size_t n, uint64_t now, rs_turn_user_t *user);


#endif /* _RS_TURN_CRED_H_INCLUDED_ */
