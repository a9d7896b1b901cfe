
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * TLS to TURN servers for libnice, which has none and would send turns: in
 * plaintext: listeners on loopback that carry the bytes over verified TLS.
 */

#ifndef _AGENT_TURN_SHIM_H_INCLUDED_
#define _AGENT_TURN_SHIM_H_INCLUDED_


#include <gio/gio.h>


/*
 * Of the loopback network, but nobody else's address: what libnice reaches
 * there goes over TLS.
 */

#define AGENT_SHIM_ADDRESS  "127.82.83.1"


typedef struct agent_shim_s  agent_shim_t;


/* tls: the CAs to verify with, NULL for the system's. */
agent_shim_t *agent_shim_new(GTlsDatabase *tls);

/* Closes the listeners and every connection. */
void agent_shim_free(agent_shim_t *shim);

/*
 * The port on AGENT_SHIM_ADDRESS that leads to host:port, opened when it is
 * not yet; 0 and *error when it cannot be.
 */
guint16 agent_shim_port(agent_shim_t *shim, const char *host, guint16 port,
    GError **error);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(agent_shim_t, agent_shim_free)


#endif /* _AGENT_TURN_SHIM_H_INCLUDED_ */
