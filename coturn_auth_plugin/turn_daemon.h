
/*
 * Copyright (C) rs-gateway contributors
 *
 * The daemon: makes the parts, ties them together, runs the event loop.
 */


#ifndef _TURN_DAEMON_H_INCLUDED_
#define _TURN_DAEMON_H_INCLUDED_


#include "turn_conf.h"


/*
 * Runs until SIGTERM or SIGINT; takes conf.  The exit status: 0, or 1 when
 * it could not begin, and the log has said why.
 */
int turn_daemon_run(turn_conf_t *conf);


#endif /* _TURN_DAEMON_H_INCLUDED_ */
