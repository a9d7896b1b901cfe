
/*
 * Copyright (C) rs-gateway contributors
 *
 * What user names of the realm are signed with: the static secret of
 * secret_file, or the derived ones of key_file.
 */


#ifndef _TURN_SECRET_H_INCLUDED_
#define _TURN_SECRET_H_INCLUDED_


#include "rs_turn_key.h"
#include "turn_conf.h"


/* previous, current and next epoch */
#define TURN_SECRETS_MAX       3


typedef struct turn_secret_s  turn_secret_t;


/* NULL: error[TURN_CONF_ERROR_MAX] says why */
turn_secret_t *turn_secret_create(const turn_conf_t *conf, char *error);
void turn_secret_free(turn_secret_t *s);

/*
 * The secrets that may be in use at now (s), at least one unless the key file
 * has none for these days.  Valid until the next call.
 */
size_t turn_secret_list(turn_secret_t *s, uint64_t now,
    rs_str_t list[TURN_SECRETS_MAX]);

/*
 * The password of a user name of our grammar; dst: RS_TURN_PASSWORD_LEN.  As
 * rs_turn_key_password().
 */
rs_err_e turn_secret_password(const turn_secret_t *s, char *dst,
    rs_str_t username);

/*
 * What coturn keeps for a user name, hex(MD5(username:realm:password)); dst:
 * TURN_SECRET_KEY_LEN, no NUL.  As turn_secret_password().
 */
#define TURN_SECRET_KEY_LEN    32

rs_err_e turn_secret_key(const turn_secret_t *s, char *dst,
    rs_str_t username);


#endif /* _TURN_SECRET_H_INCLUDED_ */
