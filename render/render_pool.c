
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the tables of the pool, and who gets which instance: render_pool_work()
 * is called after every change, gives what is there to who has waited longest,
 * starts what is missing, and tells the gateway what has changed by that.
 *
 * An instance serves one session and is never used again.
 */

#define G_LOG_DOMAIN  "rs-pool"

#include "render_pool.h"
#include "render_instance.h"
#include "rs_operator.h"

#include <string.h>


#define RENDER_POOL_TRIES       2           /* instances for one session */
#define RENDER_POOL_BACKOFF_MS  1000        /* after a failure, doubled */
#define RENDER_POOL_SLOW_MS     60000       /* at most */


/* a session that somebody wants here */

typedef struct {
    render_pool_t      *pool;
    char               *id;
    json_t             *invite;             /* the latest; has a secret */
    render_instance_t  *instance;           /* NULL: waits */
    guint               position;           /* that was told; 0: none */
    guint               tries;
    guint               timer;              /* while it waits */
    gint64              since_us;
    gboolean            joined;
} render_want_t;


struct render_pool_s {
    render_pool_limits_t          limits;
    const render_pool_events_t   *events;
    void                         *data;
    render_launcher_t            *launcher;
    render_doors_t               *doors;
    const char                   *device_id;

    GHashTable                   *instances;    /* id -> render_instance_t */
    GHashTable                   *wants;        /* id -> render_want_t */
    GQueue                        waiting;      /* of them: in order */
    guint                         failures;     /* starts in a row */
    guint                         backoff;      /* until another is tried */
    char                         *load;         /* what was said of it */
    gboolean                      working;
    gboolean                      quitting;
};


static void render_pool_gone(void *data, const char *id, const char *why);
static render_instance_t *render_pool_known(void *data, const char *id);
static void render_pool_on_ready(void *data, render_instance_t *instance);
static void render_pool_on_joined(void *data, render_instance_t *instance);
static void render_pool_on_ended(void *data, render_instance_t *instance,
    gboolean failed, const char *reason);
static void render_pool_on_failed(void *data, render_instance_t *instance,
    const char *why);
static char *render_pool_on_sign(void *data, render_instance_t *instance,
    const guint8 *bytes, gsize len, GError **error);
static void render_pool_work(render_pool_t *pool);
static gboolean render_pool_take(render_pool_t *pool, render_want_t *want);
static render_instance_t *render_pool_start(render_pool_t *pool);
static void render_pool_give(render_pool_t *pool, render_want_t *want);
static void render_pool_warm(render_pool_t *pool);
static gboolean render_pool_on_backoff(gpointer data);
static void render_pool_positions(render_pool_t *pool);
static void render_pool_load(render_pool_t *pool);
static void render_pool_reject(render_pool_t *pool, const char *session_id,
    const char *reason, const char *detail);
static void render_pool_lose(render_pool_t *pool, render_instance_t *instance,
    const char *why);
static gboolean render_pool_on_late(gpointer data);
static guint render_pool_used(const render_pool_t *pool);
static void render_want_free(void *data);


static const render_instance_events_t  render_pool_instance_events = {
    render_pool_on_ready,
    render_pool_on_joined,
    render_pool_on_ended,
    render_pool_on_failed,
    render_pool_on_sign
};


render_pool_t *
render_pool_new(const render_pool_limits_t *limits, const char *runtime_dir,
    const char *device_id, render_launcher_t *launcher,
    const render_pool_events_t *events, void *data, GError **error)
{
    guint                   i;
    render_pool_t          *pool;
    render_instance_t      *instance;
    g_autoptr(GPtrArray)    left = NULL;

    pool = g_new0(render_pool_t, 1);
    pool->limits = *limits;
    pool->events = events;
    pool->data = data;
    pool->device_id = device_id;
    pool->launcher = launcher;
    pool->launcher->gone = render_pool_gone;
    pool->launcher->data = pool;
    pool->instances = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                            render_instance_free);
    pool->wants = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                        render_want_free);
    g_queue_init(&pool->waiting);

    left = pool->launcher->ops->list(pool->launcher, error);
    if (left == NULL) {
        render_pool_free(pool);
        return NULL;
    }

    pool->doors = render_doors_open(runtime_dir, limits->max,
                                    render_pool_known, pool, error);
    if (pool->doors == NULL) {
        render_pool_free(pool);
        return NULL;
    }

    for (i = 0; i < left->len; i++) {
        g_message("instance %s is of before: ending it",
                  (char *) left->pdata[i]);
        instance = render_instance_left(left->pdata[i], pool->doors,
                                        pool->launcher, limits->stop_time);
        g_hash_table_insert(pool->instances,
                            (char *) render_instance_id(instance), instance);
    }

    render_pool_work(pool);

    return pool;
}


void
render_pool_free(render_pool_t *pool)
{
    pool->quitting = TRUE;

    g_clear_handle_id(&pool->backoff, g_source_remove);
    g_queue_clear(&pool->waiting);
    g_hash_table_unref(pool->wants);
    g_hash_table_unref(pool->instances);
    g_clear_pointer(&pool->doors, render_doors_close);
    pool->launcher->ops->free(pool->launcher);
    g_free(pool->load);
    g_free(pool);
}


static void
render_want_free(void *data)
{
    render_want_t  *want = data;

    g_clear_handle_id(&want->timer, g_source_remove);
    json_decref(want->invite);
    g_free(want->id);
    g_free(want);
}


static guint
render_pool_used(const render_pool_t *pool)
{
    return g_hash_table_size(pool->wants) - pool->waiting.length;
}


/* ---- what the gateway wants */

void
render_pool_online(render_pool_t *pool)
{
    GList          *link;
    render_want_t  *want;

    g_clear_pointer(&pool->load, g_free);
    render_pool_load(pool);

    for (link = pool->waiting.head; link != NULL; link = link->next) {
        want = link->data;
        want->position = 0;
    }

    render_pool_positions(pool);
}


void
render_pool_invite(render_pool_t *pool, const agent_msg_t *msg)
{
    guint           room;
    const char     *type;
    render_want_t  *want;

    want = g_hash_table_lookup(pool->wants, msg->session_id);

    if (want != NULL) {
        json_decref(want->invite);
        want->invite = json_incref(msg->json);

        if (want->instance != NULL) {
            pool->events->say(pool->data, agent_msg_accept(want->id));
            render_pool_give(pool, want);

        } else {
            want->position = 0;
            render_pool_positions(pool);
        }

        return;
    }

    type = agent_json_string(agent_json_object(agent_json_object(msg->json,
                                                                 "session"),
                                               "host"), "type", 64);

    if (g_strcmp0(type, "render") != 0) {
        render_pool_reject(pool, msg->session_id, "policy",
                           "this service has rendered sessions only");
        return;
    }

    /* places that are just being left count as free: who gets one waits */

    room = pool->limits.queue + pool->limits.max - render_pool_used(pool);

    if (pool->quitting || pool->waiting.length >= room) {
        render_pool_reject(pool, msg->session_id, "busy",
                           pool->quitting ? "the service is being stopped"
                           : "all places and the queue are taken");
        return;
    }

    want = g_new0(render_want_t, 1);
    want->pool = pool;
    want->id = g_strdup(msg->session_id);
    want->invite = json_incref(msg->json);
    want->since_us = g_get_monotonic_time();
    want->timer = g_timeout_add_seconds(pool->limits.queue_time,
                                        render_pool_on_late, want);

    g_hash_table_insert(pool->wants, want->id, want);
    g_queue_push_tail(&pool->waiting, want);
    render_pool_work(pool);
}


static gboolean
render_pool_on_late(gpointer data)
{
    render_want_t      *want = data;
    render_pool_t      *pool = want->pool;
    g_autofree char    *id = g_strdup(want->id);
    g_autofree char    *detail = NULL;

    want->timer = 0;
    detail = g_strdup_printf("no place became free within %u s",
                             pool->limits.queue_time);
    g_queue_remove(&pool->waiting, want);
    g_hash_table_remove(pool->wants, id);
    render_pool_reject(pool, id, "busy", detail);
    render_pool_work(pool);

    return G_SOURCE_REMOVE;
}


void
render_pool_revoke(render_pool_t *pool, const char *session_id)
{
    render_want_t      *want;
    render_instance_t  *instance;

    want = g_hash_table_lookup(pool->wants, session_id);

    if (want == NULL) {
        return;
    }

    instance = want->instance;
    g_queue_remove(&pool->waiting, want);
    g_hash_table_remove(pool->wants, session_id);

    if (instance != NULL) {
        render_instance_end(instance);
    }

    render_pool_work(pool);
}


static void
render_pool_reject(render_pool_t *pool, const char *session_id,
    const char *reason, const char *detail)
{
    g_message("session %s is rejected: %s: %s", session_id, reason, detail);
    render_pool_load(pool);
    pool->events->say(pool->data, agent_msg_reject(session_id, reason,
                                                   detail));
}


/* ---- what is done about it */

static void
render_pool_work(render_pool_t *pool)
{
    render_want_t  *want;

    if (pool->working) {
        return;
    }

    if (pool->quitting) {
        if (!render_pool_busy(pool)) {
            pool->events->empty(pool->data);
        }

        return;
    }

    pool->working = TRUE;

    while ((want = g_queue_peek_head(&pool->waiting)) != NULL
           && render_pool_take(pool, want))
    {
        (void) g_queue_pop_head(&pool->waiting);
        g_clear_handle_id(&want->timer, g_source_remove);

        /* how busy we are is said before it is answered */

        render_pool_load(pool);
        pool->events->say(pool->data, agent_msg_accept(want->id));
        render_pool_give(pool, want);
    }

    render_pool_warm(pool);
    render_pool_load(pool);
    render_pool_positions(pool);

    pool->working = FALSE;
}


/* one that is ready, one that will be, or a new one */

static gboolean
render_pool_take(render_pool_t *pool, render_want_t *want)
{
    gpointer            value;
    GHashTableIter      iter;
    render_instance_t  *instance, *found;

    found = NULL;
    g_hash_table_iter_init(&iter, pool->instances);

    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        instance = value;

        if (render_instance_free_p(instance)
            && (found == NULL || render_instance_ready(instance)))
        {
            found = instance;
        }
    }

    if (found == NULL) {
        found = render_pool_start(pool);
    }

    if (found == NULL) {
        return FALSE;
    }

    want->instance = found;
    want->tries++;
    want->position = 0;
    render_instance_reserve(found, want->id);

    return TRUE;
}


static render_instance_t *
render_pool_start(render_pool_t *pool)
{
    render_instance_t   *instance;
    g_autoptr(GError)    error = NULL;

    if (g_hash_table_size(pool->instances) >= pool->limits.max
        || pool->backoff != 0)
    {
        return NULL;
    }

    instance = render_instance_start(pool->doors, pool->launcher,
                                     pool->limits.start_time,
                                     pool->limits.stop_time,
                                     &render_pool_instance_events, pool,
                                     &error);
    if (instance == NULL) {
        g_critical("no instance can be started: %s", error->message);
        pool->failures++;
        pool->backoff = g_timeout_add(RENDER_POOL_SLOW_MS,
                                      render_pool_on_backoff, pool);
        return NULL;
    }

    g_hash_table_insert(pool->instances,
                        (char *) render_instance_id(instance), instance);

    return instance;
}


static void
render_pool_warm(render_pool_t *pool)
{
    guint           n;
    gpointer        value;
    GHashTableIter  iter;

    n = 0;
    g_hash_table_iter_init(&iter, pool->instances);

    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        n += render_instance_free_p(value) ? 1 : 0;
    }

    while (n < pool->limits.warm && render_pool_start(pool) != NULL) {
        n++;
    }
}


static gboolean
render_pool_on_backoff(gpointer data)
{
    render_pool_t  *pool = data;

    pool->backoff = 0;
    render_pool_work(pool);

    return G_SOURCE_REMOVE;
}


/* also again, with a newer ticket */

static void
render_pool_give(render_pool_t *pool, render_want_t *want)
{
    json_t  *server, *device;

    if (want->instance == NULL || !render_instance_ready(want->instance)) {
        return;
    }

    pool->events->about(pool->data, &server, &device);
    render_instance_invite(want->instance, want->invite, server, device);
}


static void
render_pool_positions(render_pool_t *pool)
{
    guint           n;
    GList          *link;
    json_t         *msg;
    render_want_t  *want;

    n = 0;

    for (link = pool->waiting.head; link != NULL; link = link->next) {
        want = link->data;

        if (want->position != ++n) {
            want->position = n;
            msg = json_pack("{s:s, s:s, s:i}", "type", "queued",
                            "session_id", want->id, "position", (int) n);
            pool->events->say(pool->data, agent_json_text(msg));
        }
    }
}


static void
render_pool_load(render_pool_t *pool)
{
    g_autofree char  *text = NULL;

    text = agent_json_text(json_pack("{s:s, s:i, s:i, s:i, s:i}",
               "type", "load",
               "capacity", (int) pool->limits.max,
               "used", (int) render_pool_used(pool),
               "queued", (int) pool->waiting.length,
               "queue", (int) pool->limits.queue));

    if (g_strcmp0(text, pool->load) != 0) {
        g_free(pool->load);
        pool->load = g_strdup(text);
        pool->events->say(pool->data, g_steal_pointer(&text));
    }
}


/* ---- what instances say */

static render_instance_t *
render_pool_known(void *data, const char *id)
{
    render_pool_t  *pool = data;

    return g_hash_table_lookup(pool->instances, id);
}


static void
render_pool_on_ready(void *data, render_instance_t *instance)
{
    const char     *session_id;
    render_want_t  *want;
    render_pool_t  *pool = data;

    pool->failures = 0;
    session_id = render_instance_session(instance);
    want = (session_id != NULL) ? g_hash_table_lookup(pool->wants, session_id)
                                : NULL;
    if (want != NULL) {
        render_pool_give(pool, want);
    }

    render_pool_work(pool);
}


static void
render_pool_on_joined(void *data, render_instance_t *instance)
{
    const char     *session_id;
    render_want_t  *want;
    render_pool_t  *pool = data;

    session_id = render_instance_session(instance);
    want = (session_id != NULL) ? g_hash_table_lookup(pool->wants, session_id)
                                : NULL;

    if (want != NULL && !want->joined) {
        want->joined = TRUE;
        g_message("session %s has instance %s, %.1f s after its invite",
                  want->id, render_instance_id(instance),
                  (double) (g_get_monotonic_time() - want->since_us)
                  / G_USEC_PER_SEC);
    }
}


static void
render_pool_on_ended(void *data, render_instance_t *instance,
    gboolean failed, const char *reason)
{
    const char     *session_id;
    render_want_t  *want;
    render_pool_t  *pool = data;

    session_id = render_instance_session(instance);
    want = (session_id != NULL) ? g_hash_table_lookup(pool->wants, session_id)
                                : NULL;

    /* of a session that it never was in nobody else has heard */

    if (failed || (want != NULL && !want->joined)) {
        render_pool_lose(pool, instance, reason);

    } else if (want != NULL) {
        g_message("session %s has ended: %s", session_id, reason);
        g_hash_table_remove(pool->wants, session_id);
    }

    render_instance_end(instance);
    render_pool_work(pool);
}


static void
render_pool_on_failed(void *data, render_instance_t *instance,
    const char *why)
{
    render_pool_t  *pool = data;

    render_pool_lose(pool, instance, why);
    render_instance_end(instance);
    render_pool_work(pool);
}


/*
 * Its session is tried with another one while nobody can have seen it; else
 * the gateway is told, which would wait for the host to come back.
 */

static void
render_pool_lose(render_pool_t *pool, render_instance_t *instance,
    const char *why)
{
    guint              delay_ms;
    const char        *session_id;
    render_want_t     *want;
    g_autofree char   *id = NULL;

    g_warning("instance %s is lost: %s", render_instance_id(instance), why);

    if (!render_instance_was_ready(instance) && pool->backoff == 0) {
        delay_ms = MIN((guint) RENDER_POOL_BACKOFF_MS
                       << MIN(pool->failures, 6u), RENDER_POOL_SLOW_MS);
        pool->failures++;
        pool->backoff = g_timeout_add(delay_ms, render_pool_on_backoff, pool);
    }

    session_id = render_instance_session(instance);
    want = (session_id != NULL) ? g_hash_table_lookup(pool->wants, session_id)
                                : NULL;
    if (want == NULL) {
        return;
    }

    want->instance = NULL;

    if (!want->joined && want->tries < RENDER_POOL_TRIES && !pool->quitting) {
        g_queue_push_head(&pool->waiting, want);
        want->timer = g_timeout_add_seconds(pool->limits.queue_time,
                                            render_pool_on_late, want);
        return;
    }

    id = g_strdup(want->id);
    g_hash_table_remove(pool->wants, id);
    render_pool_reject(pool, id, "failed", why);
}


static char *
render_pool_on_sign(void *data, render_instance_t *instance,
    const guint8 *bytes, gsize len, GError **error)
{
    const char     *session_id;
    render_pool_t  *pool = data;

    session_id = render_instance_session(instance);

    if (session_id == NULL
        || !g_hash_table_contains(pool->wants, session_id)
        || !rs_operator_device_of((rs_str_t) { bytes, len },
                                  rs_str(session_id), rs_str(pool->device_id)))
    {
        g_warning("instance %s wants something signed that is no answer of "
                  "its session: refused", render_instance_id(instance));
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                    "no answer of this instance's session");
        return NULL;
    }

    return pool->events->sign(pool->data, bytes, len, error);
}


/* of the launcher: nothing is left of it */

static void
render_pool_gone(void *data, const char *id, const char *why)
{
    render_pool_t      *pool = data;
    render_instance_t  *instance;

    instance = g_hash_table_lookup(pool->instances, id);

    if (instance == NULL) {
        return;
    }

    if (!render_instance_ending(instance)) {
        render_pool_lose(pool, instance, why ? why : "it has ended");
    }

    g_hash_table_remove(pool->instances, id);
    render_pool_work(pool);
}


/* ---- the end */

void
render_pool_quit(render_pool_t *pool)
{
    gpointer        value;
    GHashTableIter  iter;

    pool->quitting = TRUE;
    g_clear_handle_id(&pool->backoff, g_source_remove);

    /* who waits is placed elsewhere when the channel is closed */

    g_queue_clear(&pool->waiting);
    g_hash_table_remove_all(pool->wants);

    g_hash_table_iter_init(&iter, pool->instances);

    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        render_instance_end(value);
    }

    render_pool_work(pool);
}


gboolean
render_pool_busy(const render_pool_t *pool)
{
    return g_hash_table_size(pool->instances) != 0;
}
