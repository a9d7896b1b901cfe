
/*
 * Copyright (C) rs-gateway contributors
 *
 * A credential made by hand: for monitoring, and for coming from a plain
 * coturn.
 */


#ifndef _TURN_ISSUE_H_INCLUDED_
#define _TURN_ISSUE_H_INCLUDED_


#include "turn_conf.h"


#define TURN_ISSUE_MAX  256     /* of the text, with its NUL */


/*
 * who: TENANT.SESSION.PARTICIPANT, as user names have it after the colon; or
 * "new" for ids of chance, which only relay that follows no Redis takes.
 * dst: "<username> <password>".  1, or 0 and error[TURN_CONF_ERROR_MAX].
 * note: what the operator should know besides, or NULL.
 */
int turn_issue(const turn_conf_t *conf, const char *who, uint64_t ttl,
    char *dst, const char **note, char *error);


#endif /* _TURN_ISSUE_H_INCLUDED_ */
