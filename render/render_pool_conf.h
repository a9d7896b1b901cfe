
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What the pool takes from render.conf: the groups [agent], its connection to
 * the gateway, and [pool].  All others are rs-render-host's.
 */

#ifndef _RENDER_POOL_CONF_H_INCLUDED_
#define _RENDER_POOL_CONF_H_INCLUDED_


#include "agent_config.h"
#include "render_pool.h"


#define RENDER_CONFIG_FILE  "/etc/rs-gateway/render.conf"
#define RENDER_STATE_DIR    "/var/lib/rs-render"
#define RENDER_RUNTIME_DIR  "/run/rs-render"


typedef struct {
    agent_config_t        *agent;
    render_pool_limits_t   limits;
    char                  *launcher;        /* "systemd", "plain" */
    char                  *runtime_dir;
    char                  *program;         /* rs-render-host; NULL: the one
                                               that was installed with us */
} render_pool_conf_t;


/* The defaults of every key. */
render_pool_conf_t *render_pool_conf_new(void);

/*
 * Reads path over it.  An unknown group, an unknown key of its own groups and
 * a value out of range is an error that names it.
 */
gboolean render_pool_conf_read(render_pool_conf_t *conf, const char *path,
    GError **error);
gboolean render_pool_conf_parse(render_pool_conf_t *conf, const char *text,
    gsize len, GError **error);

gboolean render_pool_conf_launcher(render_pool_conf_t *conf,
    const char *value, GError **error);

void render_pool_conf_free(render_pool_conf_t *conf);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(render_pool_conf_t, render_pool_conf_free)


#endif /* _RENDER_POOL_CONF_H_INCLUDED_ */
