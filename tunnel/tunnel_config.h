
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * rs-tunnel.conf: what need not be said on each command line.
 */

#ifndef _TUNNEL_CONFIG_H_INCLUDED_
#define _TUNNEL_CONFIG_H_INCLUDED_


#include <glib.h>


#define TUNNEL_CONFIG_SYSTEM  "/etc/rs-tunnel/rs-tunnel.conf"
#define TUNNEL_CONFIG_NAME    "rs-tunnel/rs-tunnel.conf"


typedef struct {
    char   *server;             /* https://host[:port]/base, no slash at the
                                   end; NULL: not said */
    char   *tenant;             /* NULL: the credential's only one */
    char   *key_file;           /* absolute, or NULL */
    char   *ca_file;            /* absolute, or NULL: the system's */
    char   *proxy;              /* as of the agent, or NULL */
    char   *local;              /* address and port, or NULL */
    char   *ssh;                /* program */
    char   *rdp;                /* program, or NULL: what there is */
    guint   max_connections;    /* of one tunnel at a time */
    guint   idle_s;             /* 0: what the gateway has */
    guint   ttl_s;              /* 0: what the gateway has */
    guint   flow_idle_s;        /* of UDP, 5 to 3600 */
} tunnel_config_t;


tunnel_config_t *tunnel_config_new(void);
void tunnel_config_free(tunnel_config_t *config);

/*
 * Reads path over what config holds.  An unknown group or key, and a value
 * out of range, is TUNNEL_ERROR_USAGE that names it.
 */
gboolean tunnel_config_read(tunnel_config_t *config, const char *path,
    GError **error);
gboolean tunnel_config_parse(tunnel_config_t *config, const char *text,
    gsize len, GError **error);

/* One key, from wherever it is. */
gboolean tunnel_config_set(tunnel_config_t *config, const char *name,
    const char *value, GError **error);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(tunnel_config_t, tunnel_config_free)


#endif /* _TUNNEL_CONFIG_H_INCLUDED_ */
