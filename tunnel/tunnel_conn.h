
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * One connection or flow through a tunnel: it asks for a pipe of its own, and
 * is this side's leg of it.
 */

#ifndef _TUNNEL_CONN_H_INCLUDED_
#define _TUNNEL_CONN_H_INCLUDED_


#include "tunnel_gate.h"


typedef struct tunnel_conn_s  tunnel_conn_t;


typedef struct {
    /* its pipe stands; may be NULL */
    void  (*open)(void *data);

    /* of datagrams: one came */
    void  (*datagram)(void *data, const guint8 *bytes, gsize len);

    /*
     * Called once; nothing after it, and the owner has to free conn.  error:
     * NULL when both ends have said all they had.
     */
    void  (*done)(void *data, tunnel_conn_t *conn, const GError *error);
} tunnel_conn_events_t;


/*
 * Takes over in and out, the same one of a socket, and closes them; a
 * connection that did not end well is reset.  Of datagrams both are -1.  gate
 * must outlive it.  Events never run inside this call.
 */
tunnel_conn_t *tunnel_conn_new(tunnel_gate_t *gate, gboolean datagrams,
    int in, int out, const tunnel_conn_events_t *events, void *data);

/* FALSE: there is no room for it just now. */
gboolean tunnel_conn_push(tunnel_conn_t *conn, const guint8 *bytes,
    gsize len);

/* No event runs any more; what has not ended is broken off. */
void tunnel_conn_free(tunnel_conn_t *conn);


#endif /* _TUNNEL_CONN_H_INCLUDED_ */
