
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * One instance as the pool sees it, and the socket they all report at.
 */

#ifndef _RENDER_INSTANCE_H_INCLUDED_
#define _RENDER_INSTANCE_H_INCLUDED_


#include "agent_json.h"
#include "render_launcher.h"


typedef struct render_instance_s  render_instance_t;
typedef struct render_doors_s     render_doors_t;


/* None of these frees the instance but by its owner. */

typedef struct {
    void   (*ready)(void *data, render_instance_t *instance);
    void   (*joined)(void *data, render_instance_t *instance);

    /* by itself; failed: nobody in its session was told */
    void   (*ended)(void *data, render_instance_t *instance, gboolean failed,
                    const char *reason);

    /* it has to be ended: late, silent, or says what it may not */
    void   (*failed)(void *data, render_instance_t *instance,
                     const char *why);

    /* NULL: *error; base64url */
    char  *(*sign)(void *data, render_instance_t *instance,
                   const guint8 *bytes, gsize len, GError **error);
} render_instance_events_t;


/* known: the instance of an id, or NULL. */
render_doors_t *render_doors_open(const char *runtime_dir, guint max,
    render_instance_t *(*known)(void *data, const char *id), void *data,
    GError **error);
void render_doors_close(render_doors_t *doors);

/* A new one, with an id and a token of its own.  NULL: *error. */
render_instance_t *render_instance_start(render_doors_t *doors,
    render_launcher_t *launcher, guint start_s, guint stop_s,
    const render_instance_events_t *events, void *data, GError **error);

/* One of an earlier pool, which is being ended. */
render_instance_t *render_instance_left(const char *id,
    render_doors_t *doors, render_launcher_t *launcher, guint stop_s);

const char *render_instance_id(const render_instance_t *instance);

/* the session it is for, or NULL */
const char *render_instance_session(const render_instance_t *instance);

/* for nobody yet, and not ending */
gboolean render_instance_free_p(const render_instance_t *instance);

/* takes an invite now */
gboolean render_instance_ready(const render_instance_t *instance);
gboolean render_instance_was_ready(const render_instance_t *instance);
gboolean render_instance_ending(const render_instance_t *instance);

void render_instance_reserve(render_instance_t *instance,
    const char *session_id);

/* Takes server and device over. */
void render_instance_invite(render_instance_t *instance, json_t *invite,
    json_t *server, json_t *device);

/*
 * It is asked, then told, then forced to end; the launcher says when it is
 * gone.  Again: nothing.
 */
void render_instance_end(render_instance_t *instance);

void render_instance_free(void *instance);


#endif /* _RENDER_INSTANCE_H_INCLUDED_ */
