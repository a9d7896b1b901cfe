
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * How far the offered relays are from this device: STUN Binding requests over
 * UDP to each of their hosts, and what was measured, kept for a while.
 */

#ifndef _AGENT_RELAYS_H_INCLUDED_
#define _AGENT_RELAYS_H_INCLUDED_


#include "agent_ice.h"

#include <gio/gio.h>


#define AGENT_RELAYS_HOSTS  8       /* measured at a time */


typedef struct agent_relays_s  agent_relays_t;
typedef struct agent_survey_s  agent_survey_t;


agent_relays_t *agent_relays_new(void);
void agent_relays_free(agent_relays_t *relays);

/* The network is another one: all distances are. */
void agent_relays_forget(agent_relays_t *relays);

/*
 * Orders ice by what is known.  NULL: nothing is left to be measured, for
 * there is one host or all are known; else the probe that does, and orders it
 * then: done() runs once on the main loop, within a second, not inside this
 * call.  ice outlives the probe.
 */
agent_survey_t *agent_relays_order(agent_relays_t *relays, agent_ice_t *ice,
    void (*done)(void *data), void *data);

/* done() runs no more. */
void agent_survey_free(agent_survey_t *probe);


#endif /* _AGENT_RELAYS_H_INCLUDED_ */
