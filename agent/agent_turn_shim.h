
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * TLS and proxies to TURN servers for libnice, which has neither and would
 * send turns: in plaintext: listeners on loopback that carry the bytes over
 * verified TLS, by HTTP's CONNECT where there is a proxy.
 */

#ifndef _AGENT_TURN_SHIM_H_INCLUDED_
#define _AGENT_TURN_SHIM_H_INCLUDED_


#include <gio/gio.h>


/*
 * Of the loopback network, but nobody else's address: what libnice reaches
 * there goes over TLS.
 */

#define AGENT_SHIM_ADDRESS  "127.82.83.1"
#define AGENT_SHIM_PLAIN    "127.82.83.2"   /* over TCP, as it is */


typedef struct agent_shim_s  agent_shim_t;


/*
 * tls: the CAs to verify with, NULL for the system's.  proxy: of connections
 * to TURN servers, NULL for none.
 */
agent_shim_t *agent_shim_new(GTlsDatabase *tls, GProxyResolver *proxy);

/* Whether TURN over TCP has to come here, too. */
gboolean agent_shim_proxied(const agent_shim_t *shim);

/* Closes the listeners and every connection. */
void agent_shim_free(agent_shim_t *shim);

/*
 * The port that leads to host:port, opened when it is not yet: on
 * AGENT_SHIM_ADDRESS over TLS, else on AGENT_SHIM_PLAIN; 0 and *error when it
 * cannot be.
 */
guint16 agent_shim_port(agent_shim_t *shim, const char *host, guint16 port,
    gboolean tls, GError **error);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(agent_shim_t, agent_shim_free)


#endif /* _AGENT_TURN_SHIM_H_INCLUDED_ */
