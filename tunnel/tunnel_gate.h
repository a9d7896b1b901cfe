
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A device, and a tunnel to it, as the gateway has them.
 */

#ifndef _TUNNEL_GATE_H_INCLUDED_
#define _TUNNEL_GATE_H_INCLUDED_


#include "tunnel_rest.h"


typedef struct {
    char      *id;
    char      *name;
    gboolean   online;
} tunnel_device_t;

/* what a tunnel shall be */

typedef struct {
    const char  *target;            /* as tunnel_addr_target() gives it */
    gboolean     datagrams;
    gboolean     port;              /* of the gateway, besides */
    const char  *label;             /* NULL: none */
} tunnel_wish_t;

typedef struct tunnel_gate_s  tunnel_gate_t;


/*
 * The device of that id or, exactly so, of that name.  TUNNEL_ERROR_ABSENT:
 * there is none, or there are several of that name, whose ids are told.
 */
tunnel_device_t *tunnel_device_find(tunnel_rest_t *rest, const char *word,
    GError **error);
void tunnel_device_free(tunnel_device_t *device);

/* TUNNEL_ERROR_ABSENT unless it is online. */
gboolean tunnel_device_here(const tunnel_device_t *device, GError **error);

/* Makes a tunnel; rest must outlive it, device and wish need not. */
tunnel_gate_t *tunnel_gate_open(tunnel_rest_t *rest,
    const tunnel_config_t *config, const tunnel_device_t *device,
    const tunnel_wish_t *wish, GError **error);

/* Ends it on the gateway, too, which waits a little. */
void tunnel_gate_close(tunnel_gate_t *gate);

const char *tunnel_gate_id(const tunnel_gate_t *gate);

/* How long it is good, in seconds; 0: not said. */
guint tunnel_gate_ttl(const tunnel_gate_t *gate);

/*
 * Of one with a port: asks to be let in from here, and gives HOST:PORT, or
 * NULL; *address gets the one that is let in, as the gateway sees it.
 */
char *tunnel_gate_port(tunnel_gate_t *gate, char **address, GError **error);

/*
 * A new pipe of the tunnel: what it takes to attach to it.  done runs exactly
 * once, never within the call.
 */
void tunnel_gate_pipe(tunnel_gate_t *gate, GCancellable *cancel,
    GAsyncReadyCallback done, gpointer data);

/* What an answer has of a pipe: the ticket, or NULL; *id gets the pipe's. */
char *tunnel_gate_ticket(json_t *answer, char **id, GError **error);

/* The same of that call. */
char *tunnel_gate_pipe_finish(GAsyncResult *result, char **id,
    GError **error);

/* Where pipes are attached, and what is used for it: borrowed. */
void tunnel_gate_socket(const tunnel_gate_t *gate, const char **url,
    GTlsDatabase **tls, GProxyResolver **proxy);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(tunnel_device_t, tunnel_device_free)


#endif /* _TUNNEL_GATE_H_INCLUDED_ */
