
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the sessions, by their ids, and what the gateway is told of places.
 */

#define G_LOG_DOMAIN  "rs-record"

#include "record_run.h"
#include "record_cms.h"
#include "record_error.h"
#include "record_keep.h"
#include "record_msg.h"
#include "record_serve.h"
#include "record_session.h"

#include "agent.h"
#include "agent_enroll.h"
#include "agent_owner.h"
#include "agent_webrtc.h"

#include <glib-unix.h>
#include <gst/gst.h>
#include <stdio.h>
#include <string.h>


typedef struct {
    agent_t              agent;
    record_config_t     *config;
    record_auditors_t   *auditors;
    record_keep_t       *keep;
    record_serve_t      *serve;
    GHashTable          *sessions;      /* id -> record_session_t */
    agent_key_t         *key;           /* ends what a crash left */
    gboolean             full;          /* of the disk */
    gboolean             hangs;
    guint                left;          /* sessions it did not let go of */
    guint                timer;
} record_t;


typedef struct {
    record_t            *r;
    record_session_t    *session;
} record_over_t;


static gboolean record_init(record_t *r, record_config_t *config,
    GError **error);
static void record_done(record_t *r);
static void record_online(void *data, const agent_msg_t *msg);
static void record_invite(void *data, const agent_msg_t *msg);
static void record_revoke(void *data, const agent_msg_t *msg);
static void record_tunnel(void *data, const agent_msg_t *msg);
static void record_other(void *data, const agent_msg_t *msg);
static void record_quit(void *data);
static gboolean record_busy(void *data);
static void record_network(void *data, agent_network_e what);
static void record_load(record_t *r);
static gboolean record_check(gpointer data);
static record_session_t *record_recording(record_t *r, const char *id);
static void record_say(void *data, char *text);
static gboolean record_keep_say(void *data, char *text);
static void record_kept(void *data, record_session_t *session,
    const char *reason, const record_sum_t *sum);
static void record_over(void *data, record_session_t *session);
static gboolean record_forget(gpointer data);
static void record_drop(record_t *r, record_session_t *session);
static void record_closed(void *data, const char *broken, agent_key_t *key);
static char *record_sign(void *data, const guint8 *text, gsize len,
    GError **error);
static void record_older_clear(gpointer key);
static GArray *record_older(const char *state_dir, GPtrArray *keys);
static gboolean record_on_signal(gpointer data);


#define RECORD_QUIT_MS   10000      /* segments and ends, on a slow disk */
#define RECORD_CHECK_S   30
#define RECORD_AGAIN_MS  100        /* between two sessions */


static const agent_service_t  record_service = {
    .name = "rs-record",
    .quit_ms = RECORD_QUIT_MS,
    .online = record_online,
    .invite = record_invite,
    .revoke = record_revoke,
    .tunnel = record_tunnel,
    .other = record_other,
    .quit = record_quit,
    .busy = record_busy,
    .network = record_network
};

static const record_session_events_t  record_session_events = {
    record_say,
    record_kept,
    record_over,
    record_closed
};


static char *
record_sign(void *data, const guint8 *text, gsize len, GError **error)
{
    return agent_key_sign(data, text, len, error);
}


static void
record_older_clear(gpointer key)
{
    g_free((char *) ((record_store_key_t *) key)->public_key);
}


/* a crash may have been before the key was changed, or a change taken back */

static GArray *
record_older(const char *state_dir, GPtrArray *keys)
{
    gsize                     i;
    GArray                   *older;
    agent_key_t              *key;
    record_store_key_t        entry;
    static const char *const  names[] = { AGENT_KEY_OLD, AGENT_KEY_NEXT };

    older = g_array_new(TRUE, TRUE, sizeof(record_store_key_t));
    g_array_set_clear_func(older, record_older_clear);

    for (i = 0; i < G_N_ELEMENTS(names); i++) {
        key = agent_key_load_named(state_dir, names[i], NULL);

        if (key != NULL) {
            g_ptr_array_add(keys, key);
            entry.public_key = agent_key_public(key);
            entry.data = key;
            g_array_append_val(older, entry);
        }
    }

    return older;
}


static gboolean
record_init(record_t *r, record_config_t *config, GError **error)
{
    g_autofree char        *public_key = NULL;
    g_autoptr(GPtrArray)    keys = NULL;
    g_autoptr(GArray)       older = NULL;
    record_store_params_t   params;

    r->config = config;
    r->auditors = record_auditors_load((const char *const *) config->auditors,
                                       error);

    if (r->auditors == NULL
        || !agent_init(&r->agent, config->agent, &record_service, r, error))
    {
        return FALSE;
    }

    r->key = agent_key_load(config->agent->state_dir, error);
    if (r->key == NULL) {
        return FALSE;
    }

    public_key = agent_key_public(r->key);
    memset(&params, 0, sizeof(params));
    params.public_key = public_key;
    params.auditors = r->auditors;
    params.sign = record_sign;
    params.data = r->key;

    keys = g_ptr_array_new_with_free_func((GDestroyNotify) agent_key_free);
    older = record_older(config->agent->state_dir, keys);
    params.older = (record_store_key_t *) older->data;

    r->keep = record_keep_new(config, &params, record_keep_say, r, error);
    if (r->keep == NULL) {
        return FALSE;
    }

    r->serve = record_serve_new(&r->agent, config->directory);
    r->sessions = g_hash_table_new(g_str_hash, g_str_equal);
    r->timer = g_timeout_add_seconds(RECORD_CHECK_S, record_check, r);
    r->full = !record_keep_room(r->keep, NULL);

    return TRUE;
}


static void
record_done(record_t *r)
{
    gpointer        session;
    GHashTableIter  iter;

    g_clear_handle_id(&r->timer, g_source_remove);

    if (r->sessions != NULL) {
        g_hash_table_iter_init(&iter, r->sessions);

        while (g_hash_table_iter_next(&iter, NULL, &session)) {
            g_hash_table_iter_steal(&iter);
            record_drop(r, session);
        }
    }

    g_clear_pointer(&r->sessions, g_hash_table_unref);
    g_clear_pointer(&r->serve, record_serve_free);
    g_clear_pointer(&r->keep, record_keep_free);
    agent_done(&r->agent);
    g_clear_pointer(&r->key, agent_key_free);
    g_clear_pointer(&r->auditors, record_auditors_free);
}


/* ---- what is said */

static void
record_say(void *data, char *text)
{
    (void) record_keep_say(data, text);
}


static gboolean
record_keep_say(void *data, char *text)
{
    record_t  *r = data;

    if (r->agent.signal == NULL) {
        g_free(text);
        return FALSE;
    }

    return agent_signal_say(r->agent.signal, text);
}


/* a disk without room has no places, nor has one that does not answer */

static void
record_load(record_t *r)
{
    guint  used, capacity;

    used = g_hash_table_size(r->sessions);
    capacity = (r->full || r->hangs) ? used
                                      : MAX(r->config->max_sessions, used);
    record_say(r, record_msg_load(capacity, used));
}


static gboolean
record_check(gpointer data)
{
    gboolean             full;
    record_t            *r = data;
    g_autoptr(GError)    error = NULL;

    if (r->hangs) {
        return G_SOURCE_CONTINUE;
    }

    full = !record_keep_room(r->keep, &error);

    if (full != r->full) {
        r->full = full;
        g_warning("%s", full ? error->message : "the disk has room again");
        record_load(r);
    }

    return G_SOURCE_CONTINUE;
}


/* NULL: it is not being written */

static record_session_t *
record_recording(record_t *r, const char *id)
{
    gpointer         session;
    GHashTableIter   iter;

    g_hash_table_iter_init(&iter, r->sessions);

    while (g_hash_table_iter_next(&iter, NULL, &session)) {
        if (g_strcmp0(record_session_recording(session), id) == 0) {
            return session;
        }
    }

    return NULL;
}


/* ---- what the gateway wants */

static void
record_online(void *data, const agent_msg_t *msg)
{
    guint            n;
    gpointer         session;
    record_t        *r = data;
    GHashTableIter   iter;

    (void) msg;

    record_load(r);
    n = 0;
    g_hash_table_iter_init(&iter, r->sessions);

    while (g_hash_table_iter_next(&iter, NULL, &session)) {
        if (record_session_again(session, n * RECORD_AGAIN_MS)) {
            n++;
        }
    }

    record_keep_online(r->keep);
}


static void
record_invite(void *data, const agent_msg_t *msg)
{
    record_t            *r = data;
    record_session_t    *session;
    g_autoptr(GError)    error = NULL;

    session = g_hash_table_lookup(r->sessions, msg->session_id);

    if (session != NULL) {
        record_session_invited(session, msg);
        record_say(r, agent_msg_accept(msg->session_id));
        return;
    }

    if (r->hangs) {
        g_set_error(&error, RECORD_ERROR, RECORD_ERROR_FULL,
                    "the disk of %s does not answer", r->config->directory);

    } else {
        r->full = !record_keep_room(r->keep, &error);
    }

    if (error == NULL
        && g_hash_table_size(r->sessions) >= r->config->max_sessions)
    {
        g_set_error(&error, RECORD_ERROR, RECORD_ERROR_FULL,
                    "%u sessions are recorded, and max_sessions is %u",
                    g_hash_table_size(r->sessions), r->config->max_sessions);
    }

    if (error != NULL || r->agent.quitting) {
        g_message("invite to %s rejected: %s", msg->session_id,
                  error ? error->message : "stopping");
        record_load(r);
        record_say(r, agent_msg_reject(msg->session_id, "busy",
                                       error ? error->message : "stopping"));
        return;
    }

    g_message("invite to %s accepted", msg->session_id);
    session = record_session_new(&r->agent, r->config, r->auditors, msg,
                                 &record_session_events, r);
    g_hash_table_insert(r->sessions, (char *) record_session_id(session),
                        session);
    record_load(r);
    record_say(r, agent_msg_accept(msg->session_id));
}


static void
record_revoke(void *data, const agent_msg_t *msg)
{
    record_t          *r = data;
    record_session_t  *session;

    session = g_hash_table_lookup(r->sessions, msg->session_id);

    if (session != NULL) {
        record_session_end(session, "ended");
    }
}


static void
record_tunnel(void *data, const agent_msg_t *msg)
{
    record_t  *r = data;

    if (msg->open.cut) {
        record_serve_cut(r->serve, &msg->open);

    } else if (!r->agent.quitting) {
        record_serve_open(r->serve, &msg->open,
                          record_recording(r, msg->open.recording) != NULL);
    }
}


static void
record_other(void *data, const agent_msg_t *msg)
{
    record_t          *r = data;
    const char        *op, *to, *id;
    record_session_t  *session;

    if (g_strcmp0(msg->name, "recording") != 0) {
        return;
    }

    op = agent_json_string(msg->json, "op", 32);
    to = agent_json_string(msg->json, "to", 32);
    id = agent_json_string(msg->json, "recording_id", 64);

    if (op == NULL || id == NULL) {
        return;
    }

    session = record_recording(r, id);

    if (strcmp(op, "ok") == 0 && to != NULL) {
        record_keep_answered(r->keep, id, to);

        if (session != NULL && strcmp(to, "begin") == 0) {
            record_session_known(session);
        }

    } else if (strcmp(op, "delete") == 0 && session == NULL) {
        record_keep_remove(r->keep, id);
    }
}


static void
record_quit(void *data)
{
    GList              *link;
    record_t           *r = data;
    g_autoptr(GList)    sessions = g_hash_table_get_values(r->sessions);

    for (link = sessions; link != NULL; link = link->next) {
        record_session_end(link->data, "error");
    }
}


static gboolean
record_busy(void *data)
{
    record_t  *r = data;

    return g_hash_table_size(r->sessions) != 0;
}


static void
record_network(void *data, agent_network_e what)
{
    record_t        *r = data;
    gpointer         session;
    GHashTableIter   iter;

    (void) what;

    g_hash_table_iter_init(&iter, r->sessions);

    while (g_hash_table_iter_next(&iter, NULL, &session)) {
        record_session_nudge(session);
    }
}


/* ---- what sessions tell */

static void
record_kept(void *data, record_session_t *session, const char *reason,
    const record_sum_t *sum)
{
    record_t  *r = data;

    g_message("%s: %" G_GINT64_FORMAT " ms, %" G_GINT64_FORMAT " bytes, %u "
              "gaps", record_session_recording(session), sum->duration_ms,
              sum->bytes, sum->gaps);
    record_keep_ended(r->keep, record_session_recording(session),
                      record_session_id(session), reason, sum);
}


/* not below its own callback */

static void
record_over(void *data, record_session_t *session)
{
    record_t       *r = data;
    record_over_t  *over;

    if (g_hash_table_steal(r->sessions, record_session_id(session))) {
        over = g_new(record_over_t, 1);
        over->r = r;
        over->session = session;
        g_idle_add(record_forget, over);
    }

    if (!r->agent.quitting) {
        record_load(r);
    }

    agent_quit_check(&r->agent);
}


static gboolean
record_forget(gpointer data)
{
    record_over_t  *over = data;

    record_drop(over->r, over->session);
    g_free(over);

    return G_SOURCE_REMOVE;
}


static void
record_drop(record_t *r, record_session_t *session)
{
    r->left++;
    record_session_free(session);

    if (r->left != 0 && !r->hangs) {
        r->hangs = TRUE;
        record_load(r);
    }
}


/*
 * What has no end gets one, by the key that it was begun with: the device's
 * may be another one by now.
 */

static void
record_closed(void *data, const char *broken, agent_key_t *key)
{
    record_t           *r = data;
    g_autofree char    *public_key = NULL;

    r->left--;

    if (broken != NULL) {
        public_key = agent_key_public(key);
        record_keep_broken(r->keep, broken, public_key, key);
    }

    if (r->left == 0 && r->hangs) {
        g_message("the disk answers again");
        r->hangs = FALSE;
        record_load(r);
    }
}


/* ---- commands */

static gboolean
record_on_signal(gpointer data)
{
    g_message("asked to stop");
    agent_quit(data, 0);

    return G_SOURCE_CONTINUE;
}


int
record_run(record_config_t *config, GError **error)
{
    int        status;
    guint      int_id, term_id;
    record_t   r;

    memset(&r, 0, sizeof(r));
    gst_init(NULL, NULL);

    if (!record_init(&r, config, error)) {
        record_done(&r);
        return RECORD_EXIT_ERROR;
    }

    int_id = g_unix_signal_add(SIGINT, record_on_signal, &r.agent);
    term_id = g_unix_signal_add(SIGTERM, record_on_signal, &r.agent);

    agent_webrtc_warm();
    r.agent.signal = agent_signal_new(&r.agent);
    g_main_loop_run(r.agent.loop);

    status = r.agent.status;
    g_source_remove(int_id);
    g_source_remove(term_id);
    record_done(&r);

    return status;
}


int
record_enroll(record_config_t *config, const record_options_t *options,
    const char *url, GError **error)
{
    g_autofree char             *token = NULL;
    g_autoptr(GTlsDatabase)      tls = NULL;
    g_autoptr(GProxyResolver)    proxy = NULL;
    g_autoptr(SoupSession)       soup = NULL;
    g_autoptr(agent_device_t)    device = NULL;

    token = agent_enroll_token(options->token_file, error);

    if (token == NULL) {
        return RECORD_EXIT_ERROR;
    }

    soup = agent_soup(config->agent, &tls, &proxy, error);

    if (soup == NULL
        || !agent_owner_become(config->agent->state_dir, error))
    {
        return RECORD_EXIT_ERROR;
    }

    device = agent_enroll(config->agent, soup, url, token, error);
    if (device == NULL) {
        return RECORD_EXIT_ERROR;
    }

    printf("enrolled as %s at %s\n", device->id, device->server);

    return 0;
}
