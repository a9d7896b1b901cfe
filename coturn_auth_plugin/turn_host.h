
/*
 * Copyright (C) rs-gateway contributors
 *
 * Is the host as a relay needs it?  Tried once, at the start; what is missing
 * is a warning with its cure.  Nothing here makes the daemon wait, and
 * nothing needs a right it has not.
 */


#ifndef _TURN_HOST_H_INCLUDED_
#define _TURN_HOST_H_INCLUDED_


#include <event2/event.h>

#include "turn_conf.h"


/* what does not come within this time was dropped */
#define TURN_HOST_TIMEOUT  500            /* ms */


typedef struct turn_host_s  turn_host_t;


/*
 * Says at once when a relay address is one that coturn listens at.  To each
 * other one a packet is sent from itself, as from a relay, to a port that no
 * relay has: when it comes, no kernel rule closes the address.  NULL: there
 * is nothing to try.
 */
turn_host_t *turn_host_check(struct event_base *base,
    const turn_conf_t *conf);
void turn_host_free(turn_host_t *host);


#endif /* _TURN_HOST_H_INCLUDED_ */
