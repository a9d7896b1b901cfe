
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A local port whose connections go through a tunnel, one pipe each.
 */

#ifndef _TUNNEL_LISTEN_H_INCLUDED_
#define _TUNNEL_LISTEN_H_INCLUDED_


#include "tunnel_conn.h"


typedef struct tunnel_listen_s  tunnel_listen_t;

/* The tunnel is of no use any more; not called by tunnel_listen_free(). */
typedef void (*tunnel_listen_pt)(void *data, const GError *error);


/* Opens nothing yet; gate must outlive it. */
tunnel_listen_t *tunnel_listen_new(tunnel_gate_t *gate, guint max,
    tunnel_listen_pt over, void *data);

/*
 * Listens as tunnel_addr_local() reads local; wish: the port to take when
 * local names none, if it is free, or 0.  *said gets the address.
 */
gboolean tunnel_listen_open(tunnel_listen_t *listen, const char *local,
    guint16 wish, char **said, GError **error);

/* Resets what is still connected. */
void tunnel_listen_free(tunnel_listen_t *listen);


#endif /* _TUNNEL_LISTEN_H_INCLUDED_ */
