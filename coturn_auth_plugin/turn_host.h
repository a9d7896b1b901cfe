
/*
 * Copyright (C) rs-gateway contributors
 *
 * Is the host as a relay needs it?  Looked at once, at the start; what is
 * missing is a warning with its cure.  Nothing here makes the daemon wait.
 */


#ifndef _TURN_HOST_H_INCLUDED_
#define _TURN_HOST_H_INCLUDED_


#include <event2/event.h>

#include "turn_conf.h"


#define TURN_HOST_TIMEOUT  5              /* s, for nft */


typedef struct turn_host_s  turn_host_t;


/*
 * Says at once when a relay address is one that coturn listens at; asks nft
 * for the kernel's rules and says later whether one is missing, or that it
 * could not be seen.  NULL: there is nothing to ask for.
 */
turn_host_t *turn_host_check(struct event_base *base,
    const turn_conf_t *conf);
/* ends nft if it still runs */
void turn_host_free(turn_host_t *host);


#endif /* _TURN_HOST_H_INCLUDED_ */
