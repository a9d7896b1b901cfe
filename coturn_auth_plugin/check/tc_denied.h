
/*
 * Copyright (C) rs-gateway contributors
 *
 * Does the peer policy hold?  Asks for permissions and channels to addresses
 * that no relay may reach; each must be refused.
 */


#ifndef _TC_DENIED_H_INCLUDED_
#define _TC_DENIED_H_INCLUDED_


#include "tc_options.h"
#include "tc_turn.h"


#define TC_HOLES_MAX   32
#define TC_HOLE_TEXT   384


typedef struct {
    const tc_server_t   *server;
    tc_level_e           level;
    tc_error_t           error;       /* it could not be found out */
    const char          *hint;

    unsigned             probes;      /* answered */
    unsigned             refused;     /* 403 */
    unsigned             family;      /* 443: no relay of that family */
    unsigned             skipped;     /* the relay's own, and --allowed */
    int                  ipv6;        /* there was an IPv6 relay to ask, too */

    unsigned             nholes;      /* all of them */
    char                 holes[TC_HOLES_MAX][TC_HOLE_TEXT];
} tc_denied_t;


/* runs the loop until it is done */
void tc_denied_run(tc_env_t *env, const tc_options_t *o, tc_server_t *server,
    tc_denied_t *d);


#endif /* _TC_DENIED_H_INCLUDED_ */
