
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the rest of the host needs, made from the daemon's configuration, so
 * that nothing has to be said twice: turnserver.conf, the kernel rules that
 * keep a relay from the services of its own host, and the ports the kernel
 * must not give to others.
 */


#ifndef _TURN_PRINT_H_INCLUDED_
#define _TURN_PRINT_H_INCLUDED_


#include "turn_conf.h"


/* NUL terminated, the caller's to free; NULL: error[TURN_CONF_ERROR_MAX] */

/*
 * Holds passwords.  Only what coturn of conf->coturn_version knows; when that
 * is 0 (auto) the installed turnserver is asked for its version.  guard: 1 if
 * that one preloads rs-turn-guard.so.
 */
char *turn_print_turnserver_conf(const turn_conf_t *conf, int guard,
    char *error);

/*
 * For nft -f: a table of its own, which it replaces.  user: what turnserver
 * runs as, then the table also says what it may send; NULL: it does not.
 */
char *turn_print_nft(const turn_conf_t *conf, const char *user, char *error);

/* for /etc/sysctl.d */
char *turn_print_sysctl(const turn_conf_t *conf, char *error);

/*
 * To standard output (path NULL), or to a file, which is 0600 if it is new,
 * keeps owner and mode (not for others) if not, and is replaced at once.
 * 1, or 0 and error.
 */
int turn_print_output(const char *path, const char *text, char *error);


#endif /* _TURN_PRINT_H_INCLUDED_ */
