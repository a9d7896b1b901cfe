
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A local UDP port whose senders have a flow through a tunnel each.
 */

#ifndef _TUNNEL_FLOWS_H_INCLUDED_
#define _TUNNEL_FLOWS_H_INCLUDED_


#include "tunnel_conn.h"


typedef struct tunnel_flows_s  tunnel_flows_t;

/* The tunnel is of no use any more; not called by tunnel_flows_free(). */
typedef void (*tunnel_flows_pt)(void *data, const GError *error);


/* At most max flows; one without a datagram for idle_s is over. */
tunnel_flows_t *tunnel_flows_new(tunnel_gate_t *gate, guint max,
    guint idle_s, tunnel_flows_pt over, void *data);

/* As tunnel_listen_open(). */
gboolean tunnel_flows_open(tunnel_flows_t *flows, const char *local,
    char **said, GError **error);

void tunnel_flows_free(tunnel_flows_t *flows);


#endif /* _TUNNEL_FLOWS_H_INCLUDED_ */
