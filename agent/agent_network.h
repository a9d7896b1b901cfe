
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What happens to the network under the agent: the kernel's word that this
 * machine's addresses are others now, and that it has slept.
 */

#ifndef _AGENT_NETWORK_H_INCLUDED_
#define _AGENT_NETWORK_H_INCLUDED_


#include <gio/gio.h>


typedef struct agent_network_s  agent_network_t;


typedef enum {
    AGENT_NETWORK_GAINED = 0,       /* addresses came, none went */
    AGENT_NETWORK_LOST,             /* one that was there is not any more */
    AGENT_NETWORK_SLEPT             /* nothing ran for a while */
} agent_network_e;


/*
 * changed() runs on the main loop, once for changes that come together.
 * Without netlink only sleep is told.
 */
agent_network_t *agent_network_new(void (*changed)(void *data,
    agent_network_e what), void *data);
void agent_network_free(agent_network_t *network);

/*
 * Whether an address is one of this machine's now, loopback included; TRUE
 * also when that cannot be told.
 */
gboolean agent_network_own(GInetAddress *address);

/* Of two lists in order: what the second one makes of the first. */
gboolean agent_network_compare(GPtrArray *before, GPtrArray *after,
    agent_network_e *what);


#endif /* _AGENT_NETWORK_H_INCLUDED_ */
