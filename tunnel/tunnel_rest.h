
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Calls of the gateway's REST interface.
 */

#ifndef _TUNNEL_REST_H_INCLUDED_
#define _TUNNEL_REST_H_INCLUDED_


#include "tunnel_config.h"

#include <gio/gio.h>
#include <jansson.h>


typedef struct tunnel_rest_s  tunnel_rest_t;


/* config must have a server, and outlive it; key is copied. */
tunnel_rest_t *tunnel_rest_new(const tunnel_config_t *config,
    const char *key, GError **error);
void tunnel_rest_free(tunnel_rest_t *rest);

/* From here on a gateway that is busy is not asked again. */
void tunnel_rest_once(tunnel_rest_t *rest);

/* For who else connects to the gateway; NULL: the system's, none. */
GTlsDatabase *tunnel_rest_tls(const tunnel_rest_t *rest);
GProxyResolver *tunnel_rest_proxy(const tunnel_rest_t *rest);

/*
 * One call; path is below the server's URL, body is taken over and may be
 * NULL.  A gateway that is busy is asked again, three times in all.  done runs
 * exactly once, never within the call; what was cancelled ends so, too.
 */
void tunnel_rest_call(tunnel_rest_t *rest, const char *method,
    const char *path, json_t *body, GCancellable *cancel,
    GAsyncReadyCallback done, gpointer data);

/*
 * The answer, an object (empty where there is none), or NULL.  TUNNEL_ERROR
 * has the gateway's own words and what helps.
 */
json_t *tunnel_rest_finish(GAsyncResult *result, GError **error);

/* The same for who has nothing else to do: runs the main context meanwhile. */
json_t *tunnel_rest_wait(tunnel_rest_t *rest, const char *method,
    const char *path, json_t *body, guint limit_s, GError **error);


#endif /* _TUNNEL_REST_H_INCLUDED_ */
