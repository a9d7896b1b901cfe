
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the daemon says: one line each on standard error, which systemd takes
 * into the journal with its level.  Secrets, passwords and whole user names
 * of strangers are never given to it.
 */


#ifndef _TURN_LOG_H_INCLUDED_
#define _TURN_LOG_H_INCLUDED_


#include "rs_str.h"


/* as syslog's, so that a line of the journal has the right priority */

typedef enum {
    TURN_LOG_ERR = 3,                 /* the daemon cannot do its work */
    TURN_LOG_WARN,                    /* an operator should look */
    TURN_LOG_NOTICE,                  /* a change of state */
    TURN_LOG_INFO,                    /* one thing done */
    TURN_LOG_DEBUG
} turn_log_e;


/* nothing below this level is written; at first TURN_LOG_INFO */
void turn_log_level(turn_log_e level);

/*
 * lower case, no full stop, no newline; what is not printable in it is
 * written as \xHH, so a stranger's bytes make no line of their own
 */
__attribute__((format(printf, 2, 3)))
void turn_log(turn_log_e level, const char *fmt, ...);

/*
 * At most one line a second of each limit (all zero at first); what was left
 * out is counted in the next one.
 */
typedef struct {
    uint64_t        last;             /* ms */
    uint64_t        dropped;
} turn_log_limit_t;

__attribute__((format(printf, 3, 4)))
void turn_log_limited(turn_log_limit_t *limit, turn_log_e level,
    const char *fmt, ...);


#endif /* _TURN_LOG_H_INCLUDED_ */
