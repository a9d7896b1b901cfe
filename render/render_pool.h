
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The pool: which instances there are, which sessions they have, and who
 * waits for one.
 *
 *     an instance:  starting -> warm -> busy -> ending
 *     a session:    waiting -> given (accepted) -> over
 */

#ifndef _RENDER_POOL_H_INCLUDED_
#define _RENDER_POOL_H_INCLUDED_


#include "agent_msg.h"
#include "render_launcher.h"


typedef struct {
    guint   max;                    /* instances, whatever they do */
    guint   warm;                   /* that are ready for nobody yet */
    guint   queue;                  /* sessions that wait */
    guint   queue_time;             /* s, one of them */
    guint   start_time;             /* s, until an instance is ready */
    guint   stop_time;              /* s, until it has gone by itself */
} render_pool_limits_t;


typedef struct {
    /* to the gateway; takes text over */
    void    (*say)(void *data, char *text);

    /* "server" and "device" of an invite: two new objects */
    void    (*about)(void *data, json_t **server, json_t **device);

    /* with the device's key, base64url; NULL: *error */
    char   *(*sign)(void *data, const guint8 *bytes, gsize len,
                    GError **error);

    /* nothing is left of the pool, which was asked to quit */
    void    (*empty)(void *data);
} render_pool_events_t;


typedef struct render_pool_s  render_pool_t;


/*
 * Listens below runtime_dir, ends what an earlier pool left, and starts warm
 * instances.  launcher is taken over, device_id borrowed.  NULL: *error.
 */
render_pool_t *render_pool_new(const render_pool_limits_t *limits,
    const char *runtime_dir, const char *device_id,
    render_launcher_t *launcher, const render_pool_events_t *events,
    void *data, GError **error);

/* The gateway is there, again: it is told how busy we are. */
void render_pool_online(render_pool_t *pool);

void render_pool_invite(render_pool_t *pool, const agent_msg_t *msg);
void render_pool_revoke(render_pool_t *pool, const char *session_id);

/* Ends everything; empty() comes, maybe before it returns. */
void render_pool_quit(render_pool_t *pool);

/* Whether anything is there still. */
gboolean render_pool_busy(const render_pool_t *pool);

void render_pool_free(render_pool_t *pool);


#endif /* _RENDER_POOL_H_INCLUDED_ */
