
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The device's end of tunnels: each connection that the gateway asks for is
 * checked, asked for or shown to the person at the device, made, and then
 * joined to a pipe.
 */

#ifndef _AGENT_TUNNEL_H_INCLUDED_
#define _AGENT_TUNNEL_H_INCLUDED_


#include "agent.h"


#define AGENT_TUNNELS         64        /* that are known of at once */
#define AGENT_TUNNEL_SHOWN_S  5         /* on the banner behind its last
                                           connection */
#define AGENT_TUNNEL_KEPT_S   900       /* and known of: a yes of the person
                                           holds so long */


/*
 * say: sends on the control channel, takes text over.  resolver: NULL: the
 * default one.
 */
agent_tunnels_t *agent_tunnels_new(agent_t *agent, GResolver *resolver,
    void (*say)(void *data, char *text), void *data);
void agent_tunnels_free(agent_tunnels_t *tunnels);

/* A connection is wanted; what comes of it is said. */
void agent_tunnels_open(agent_tunnels_t *tunnels, const agent_open_t *open);

/* The gateway ends a tunnel, or one connection. */
void agent_tunnels_cut(agent_tunnels_t *tunnels, const agent_open_t *cut);

/*
 * Ends those that are on the banner.  veto: by the person at the device, so
 * that they stay ended; else the banner is gone.
 */
void agent_tunnels_end(agent_tunnels_t *tunnels, gboolean veto);

/* connections, those that are being made included */
guint agent_tunnels_count(const agent_tunnels_t *tunnels);


#endif /* _AGENT_TUNNEL_H_INCLUDED_ */
