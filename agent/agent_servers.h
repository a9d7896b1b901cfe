
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * ICE servers and policy, as webrtcbin and libnice are told them.
 */

#ifndef _AGENT_SERVERS_H_INCLUDED_
#define _AGENT_SERVERS_H_INCLUDED_


#include "agent_ice.h"
#include "agent_turn_shim.h"

#include <gst/gst.h>


/* A server that cannot be used is logged and left out. */
void agent_servers_add(GstElement *webrtc, const agent_ice_t *ice,
    gboolean relay_only, agent_shim_t *shim);

/*
 * To be called before webrtcbin, in state NULL, is dropped: gives its
 * allocations on TURN servers back, and holds it until that is done.
 */
void agent_servers_release(GstElement *webrtc);


#endif /* _AGENT_SERVERS_H_INCLUDED_ */
