
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The ICE servers of one session: renewed before their credentials run out,
 * in the order of their distance.
 */

#ifndef _AGENT_SUPPLY_H_INCLUDED_
#define _AGENT_SUPPLY_H_INCLUDED_


#include "agent_relays.h"


typedef struct agent_supply_s  agent_supply_t;


typedef struct {
    void  (*ask)(void *data);       /* the gateway, for fresh servers */
    void  (*ready)(void *data);     /* they may be used now */
} agent_supply_events_t;


agent_supply_t *agent_supply_new(agent_relays_t *relays,
    const agent_supply_events_t *events, void *data);
void agent_supply_free(agent_supply_t *supply);

/*
 * What the gateway gives; takes ice over.  Afterwards agent_supply_ice() says
 * whether they may be used; if not, ready() comes within a second.
 */
void agent_supply_take(agent_supply_t *supply, agent_ice_t *ice);

/*
 * They will be used.  TRUE: now.  FALSE: their credentials run out; ask() has
 * run, and ready() comes if nothing does for 5 s.
 */
gboolean agent_supply_want(agent_supply_t *supply);

/* The servers in order; NULL before any, and while they are measured. */
const agent_ice_t *agent_supply_ice(const agent_supply_t *supply);

/* Those that were given last, in whatever order; NULL before any. */
const agent_ice_t *agent_supply_last(const agent_supply_t *supply);


#endif /* _AGENT_SUPPLY_H_INCLUDED_ */
