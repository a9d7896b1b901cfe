
/*
 * Copyright (C) rs-gateway contributors
 *
 * Derived TURN secrets.  A master key, which the gateways and the TURN
 * plugins have in a file, gives each realm another secret each day:
 *
 *     epoch   floor(expiry / 86400), expiry being that of the user name
 *     secret  hex(HKDF-SHA256(master, salt = realm,
 *                             info = "rs-turn" || epoch), 32 bytes)
 *
 * epoch is 8 bytes there, big endian, so that no realm or day can be read as
 * another.  The secret's 64 characters are what coturn has as its secret, and
 * the key of the HMAC of rs_turn_cred.h.
 *
 * The file has a key a line, in the order they come into force:
 *
 *     # comment
 *     <64 hex>
 *     <64 hex> from 2026-12-01
 *     <64 hex> from 20819
 *
 * The master of an epoch is the last one that starts not after it.  A date is
 * its epoch, which is a day of UTC.  Only the first line may be without a
 * start; when it has one, there is no master before.  Both sides read the
 * start from the file, so nobody has to change at the same moment: the file
 * must only be everywhere before the first user name of that day is given
 * out, which is as long before it as credentials live.
 *
 * All of it is tested with t/vectors/turn_key.json.
 */


#ifndef _RS_TURN_KEY_H_INCLUDED_
#define _RS_TURN_KEY_H_INCLUDED_


#include "rs_turn_cred.h"


#define RS_TURN_EPOCH          86400   /* s */
#define RS_TURN_EPOCH_MAX      2932896 /* 9999-12-31; of a start */
#define RS_TURN_MASTER_LEN     32
#define RS_TURN_DERIVED_LEN    64      /* of a secret; no NUL */
#define RS_TURN_KEYS_MAX       64
#define RS_TURN_KEY_FILE_MAX   16384
#define RS_TURN_REALM_MAX      127     /* coturn's own limit */


typedef struct {
    uint64_t        from;             /* epoch */
    uint8_t         master[RS_TURN_MASTER_LEN];
} rs_turn_master_t;


typedef struct {
    size_t            n;
    rs_turn_master_t  list[RS_TURN_KEYS_MAX];
} rs_turn_key_t;


/* what is wrong, and the cure; it never has a piece of the file in it */

typedef struct {
    unsigned        line;             /* 0: the whole file */
    const char     *text;             /* a constant, without full stop */
} rs_turn_key_error_t;


/*
 * RS_OK or RS_E_INVALID_VALUE and *e (may be NULL): then *key is empty.  A key
 * is refused as rs_turn_secret_check() refuses a secret.
 */
rs_err_e rs_turn_key_parse(rs_turn_key_t *key, rs_str_t text,
    rs_turn_key_error_t *e);

/* forgets the masters */
void rs_turn_key_clear(rs_turn_key_t *key);

/* RS_OK or RS_E_INVALID_VALUE: 1 to 127 of [A-Za-z0-9._-] */
rs_err_e rs_turn_realm_check(rs_str_t realm);

/*
 * The secret of a realm; dst: RS_TURN_DERIVED_LEN, no NUL.  RS_OK,
 * RS_E_NOT_FOUND (no master for that epoch), RS_E_INVALID_VALUE (the realm)
 * or RS_E_INTERNAL (OpenSSL failed).
 */
rs_err_e rs_turn_key_secret(char *dst, const rs_turn_key_t *key,
    rs_str_t realm, uint64_t epoch);

/*
 * The password of a user name of ours, whose expiry says the epoch; dst:
 * RS_TURN_PASSWORD_LEN, no NUL.  As rs_turn_key_secret(), and
 * RS_E_UNAUTHENTICATED: not the grammar of rs_turn_cred.h.
 */
rs_err_e rs_turn_key_password(char *dst, const rs_turn_key_t *key,
    rs_str_t realm, rs_str_t username);


#endif /* _RS_TURN_KEY_H_INCLUDED_ */
