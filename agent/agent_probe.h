
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Tries a STUN or TURN server from here, over the network: DNS, the way there,
 * TLS, the credential.  An allocation that is made is given back at once.
 */

#ifndef _AGENT_PROBE_H_INCLUDED_
#define _AGENT_PROBE_H_INCLUDED_


#include "agent_stun.h"

#include <gio/gio.h>


#define AGENT_PROBE_S  5            /* until nothing more is waited for */


typedef struct {
    GTlsDatabase    *tls;           /* CAs; NULL: the system's */
    GProxyResolver  *proxy;         /* of TCP and TLS; NULL: none */
} agent_probe_way_t;


/*
 * turn is copied.  binding: STUN is asked, without a credential.  callback
 * runs on the main loop of the caller, and gets the probe by
 * agent_probe_finish(): always one, which the caller clears.  Cancelled, the
 * callback still comes, soon.
 */
void agent_probe_start(const agent_turn_t *turn, gboolean binding,
    const agent_probe_way_t *way, GCancellable *cancel,
    GAsyncReadyCallback callback, gpointer data);
void agent_probe_finish(GAsyncResult *result, agent_probe_t *probe);


#endif /* _AGENT_PROBE_H_INCLUDED_ */
