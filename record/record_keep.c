
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the directory of recordings.
 *
 * Age is counted from the end that was signed, and what has no end has none.
 * A clock that leaps makes everything old at once, so what is removed by it is
 * asked of a second clock, one that cannot be set.
 */

#define G_LOG_DOMAIN  "rs-record"

#include "record_keep.h"
#include "record_chain.h"
#include "record_ended.h"
#include "record_error.h"
#include "record_gone.h"
#include "record_msg.h"
#include "record_told.h"

#include "agent_json.h"
#include "rs_id.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>


#define RECORD_KEEP_TOLD     ".told"
#define RECORD_KEEP_CHECK_S  600
#define RECORD_KEEP_LEAP_S   3600
#define RECORD_KEEP_DAY_S    86400


struct record_keep_s {
    char                   *dir;
    record_told_t          *told;
    guint                   retention_days;
    guint                   min_free;
    record_store_params_t   params;
    guint                   timer;
    record_gone_t          *gone;

    gint64                  clock_us;       /* real time when the other one
                                               was 0, as it was at first */
    gboolean                leapt;
    gint64                  now_ms;         /* of the check that goes on */
    GDir                   *list;           /* and where it is; or NULL */
    guint                   step;
};


static void record_keep_found(record_keep_t *keep, const char *id,
    const char *reason);
static void record_keep_recover(record_keep_t *keep, const char *id,
    const char *reason);
static void record_keep_untold(record_keep_t *keep, const char *id);
static char *record_keep_session(record_keep_t *keep, const char *id);
static gint64 record_keep_run_us(void);
static gboolean record_keep_timer(gpointer data);
static gboolean record_keep_step(gpointer data);
static gboolean record_keep_old(record_keep_t *keep, const char *id);
static void record_keep_gone(void *data, const char *id);
static gboolean record_keep_is(const char *name);


static gboolean
record_keep_is(const char *name)
{
    return rs_id_check(rs_str(name), RS_ID_RECORDING) == RS_OK;
}


record_keep_t *
record_keep_new(const record_config_t *config,
    const record_store_params_t *params, record_keep_say_pt say, void *data,
    GError **error)
{
    const char        *name;
    record_keep_t     *keep;
    record_told_t     *told;
    g_autofree char   *path = NULL;
    g_autoptr(GDir)    dir = NULL;

    path = g_build_filename(config->directory, RECORD_KEEP_TOLD, NULL);
    told = record_told_new(path, say, data, error);

    if (told == NULL) {
        return NULL;
    }

    dir = g_dir_open(config->directory, 0, error);

    if (dir == NULL) {
        record_told_free(told);
        return NULL;
    }

    keep = g_new0(record_keep_t, 1);
    keep->dir = g_strdup(config->directory);
    keep->told = told;
    keep->retention_days = config->retention_days;
    keep->min_free = config->min_free;
    keep->params = *params;
    keep->params.dir = keep->dir;
    keep->clock_us = g_get_real_time() - record_keep_run_us();
    keep->gone = record_gone_new(keep->dir, record_keep_gone, keep, error);

    if (keep->gone == NULL) {
        record_keep_free(keep);
        return NULL;
    }

    while ((name = g_dir_read_name(dir)) != NULL) {
        if (record_keep_is(name)) {
            record_keep_found(keep, name, "recovered");
        }
    }

    /* the caller's, who may change it */

    keep->params.public_key = NULL;
    keep->params.data = NULL;
    keep->params.older = NULL;

    /* not at once: a clock that is wrong at start is set soon */

    keep->timer = g_timeout_add_seconds(RECORD_KEEP_CHECK_S,
                                        record_keep_timer, keep);

    return keep;
}


void
record_keep_free(record_keep_t *keep)
{
    g_clear_handle_id(&keep->timer, g_source_remove);
    g_clear_handle_id(&keep->step, g_source_remove);
    g_clear_pointer(&keep->list, g_dir_close);
    g_clear_pointer(&keep->gone, record_gone_free);
    record_told_free(keep->told);
    g_free(keep->dir);
    g_free(keep);
}


/* "session_id" of the first line; NULL: there is none */

static char *
record_keep_session(record_keep_t *keep, const char *id)
{
    char                 *end, *session;
    json_t               *obj;
    gsize                 len;
    rs_json_error_t       err;
    g_autofree char      *path = NULL;
    g_autofree char      *text = NULL;
    rs_recording_line_t   line;

    path = g_build_filename(keep->dir, id, RECORD_STORE_CHAIN, NULL);

    if (!g_file_get_contents(path, &text, &len, NULL)) {
        return NULL;
    }

    end = memchr(text, '\n', len);

    if (end == NULL
        || rs_recording_parse(text, (size_t) (end - text), &obj, &line, &err)
           != RS_OK)
    {
        return NULL;
    }

    session = (line.session_id.len != 0)
              ? g_strndup((const char *) line.session_id.data,
                          line.session_id.len)
              : NULL;
    json_decref(obj);

    return session;
}


/*
 * One that has ended is left as it is, and not read; of one that never had a
 * line the gateway may have been told that it began.
 */

static void
record_keep_found(record_keep_t *keep, const char *id, const char *reason)
{
    record_chain_t      chain;
    g_autoptr(GError)   error = NULL;

    if (!record_chain_look(keep->dir, id, &chain, &error)) {
        g_warning("%s stays until somebody deletes it: %s", id,
                  error->message);
        return;
    }

    switch (chain.state) {

    case RECORD_CHAIN_NONE:
        g_message("%s has nothing", id);
        record_keep_remove(keep, id);
        break;

    case RECORD_CHAIN_OPEN:
        record_keep_recover(keep, id, reason);
        break;

    case RECORD_CHAIN_ENDED:
        record_keep_untold(keep, id);
        break;
    }
}


static void
record_keep_recover(record_keep_t *keep, const char *id, const char *reason)
{
    record_sum_t        sum;
    g_autofree char    *session = NULL;
    g_autoptr(GError)   error = NULL;

    keep->params.id = id;

    if (!record_store_recover(&keep->params, &sum, &error)) {
        g_warning("%s stays without an end, until somebody deletes it: %s",
                  id, error->message);
        return;
    }

    session = record_keep_session(keep, id);
    g_message("%s was not ended: kept up to %" G_GINT64_FORMAT " s, as "
              "incomplete", id, sum.duration_ms / 1000);

    if (session != NULL) {
        record_keep_ended(keep, id, session, reason, &sum);
    }
}


/* it has ended, and nobody who was told has answered */

static void
record_keep_untold(record_keep_t *keep, const char *id)
{
    record_ended_t  ended;

    if (record_told_knows(keep->told, id)
        || !record_ended_read(keep->dir, id, &ended, NULL))
    {
        return;
    }

    g_message("%s has ended, which is told", id);
    record_keep_ended(keep, id, ended.session_id, ended.reason, &ended.sum);
    record_ended_clear(&ended);
}


void
record_keep_broken(record_keep_t *keep, const char *id,
    const char *public_key, void *key)
{
    keep->params.public_key = public_key;
    keep->params.data = key;
    record_keep_found(keep, id, "disk_full");
    keep->params.public_key = NULL;
    keep->params.data = NULL;
}


gboolean
record_keep_room(const record_keep_t *keep, GError **error)
{
    guint64         free;
    struct statvfs  st;

    if (statvfs(keep->dir, &st) == -1) {
        return record_error_errno(error, "directory", keep->dir);
    }

    free = (guint64) st.f_bavail * st.f_frsize / 1024 / 1024;

    if (free < keep->min_free) {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_FULL,
                    "the disk of %s has %" G_GUINT64_FORMAT " MiB left, and "
                    "min_free is %u", keep->dir, free, keep->min_free);
        return FALSE;
    }

    return TRUE;
}


void
record_keep_ended(record_keep_t *keep, const char *id,
    const char *session_id, const char *reason, const record_sum_t *sum)
{
    json_t          *text;
    gint64           ended_ms;
    record_chain_t   chain;

    text = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:i, s:s}",
                     "type", "recording", "op", "end", "recording_id", id,
                     "session_id", session_id, "duration_ms",
                     (json_int_t) sum->duration_ms, "bytes",
                     (json_int_t) sum->bytes, "sha256", sum->sha256, "gaps",
                     (int) sum->gaps, "reason", reason);

    if (keep->retention_days != 0) {
        ended_ms = (record_chain_look(keep->dir, id, &chain, NULL)
                    && chain.state == RECORD_CHAIN_ENDED)
                   ? chain.ended_ms : g_get_real_time() / 1000;
        json_object_set_new(text, "expires_at", json_integer(
            ended_ms / 1000
            + (gint64) keep->retention_days * RECORD_KEEP_DAY_S));
    }

    record_told_put(keep->told, id, "end", agent_json_text(text));
}


void
record_keep_remove(record_keep_t *keep, const char *id)
{
    g_autoptr(GError)  error = NULL;

    if (record_keep_is(id) && !record_gone_take(keep->gone, id, &error)) {
        g_warning("%s cannot be removed: %s", id, error->message);
    }
}


static void
record_keep_gone(void *data, const char *id)
{
    record_keep_t  *keep = data;

    g_message("%s is removed", id);
    record_keep_answered(keep, id, "end");
    record_told_put(keep->told, id, "gone", record_msg_gone(id));
}


void
record_keep_answered(record_keep_t *keep, const char *id, const char *op)
{
    record_told_answered(keep->told, id, op);
}


void
record_keep_online(record_keep_t *keep)
{
    record_told_online(keep->told);
}


/* goes on while the machine sleeps */

static gint64
record_keep_run_us(void)
{
    struct timespec  ts;

    if (clock_gettime(CLOCK_BOOTTIME, &ts) == -1) {
        return g_get_monotonic_time();
    }

    return (gint64) ts.tv_sec * G_USEC_PER_SEC + ts.tv_nsec / 1000;
}


static gboolean
record_keep_old(record_keep_t *keep, const char *id)
{
    record_chain_t  chain;

    return record_chain_look(keep->dir, id, &chain, NULL)
           && chain.state == RECORD_CHAIN_ENDED
           && keep->now_ms - chain.ended_ms
              > (gint64) keep->retention_days * RECORD_KEEP_DAY_S * 1000;
}


static gboolean
record_keep_timer(gpointer data)
{
    record_keep_check(data, g_get_real_time() - record_keep_run_us());

    return G_SOURCE_CONTINUE;
}


void
record_keep_check(record_keep_t *keep, gint64 clock_us)
{
    gint64    leap_s;
    gboolean  leapt;

    record_gone_again(keep->gone);

    if (keep->retention_days == 0) {
        return;
    }

    leap_s = (clock_us - keep->clock_us) / G_USEC_PER_SEC;
    leapt = ABS(leap_s) > RECORD_KEEP_LEAP_S;

    if (leapt && !keep->leapt) {
        g_warning("the clock was set by %" G_GINT64_FORMAT " s: no recording "
                  "is removed for its age before it is set back, or this "
                  "service is started again", leap_s);
    }

    keep->leapt = leapt;

    if (leapt || keep->step != 0) {
        return;
    }

    keep->list = g_dir_open(keep->dir, 0, NULL);

    if (keep->list != NULL) {
        keep->now_ms = (clock_us + record_keep_run_us()) / 1000;
        keep->step = g_idle_add(record_keep_step, keep);
    }
}


/* one recording: sessions that are live come before the next one */

static gboolean
record_keep_step(gpointer data)
{
    const char     *name;
    record_keep_t  *keep = data;

    name = g_dir_read_name(keep->list);

    if (name == NULL) {
        g_clear_pointer(&keep->list, g_dir_close);
        keep->step = 0;
        return G_SOURCE_REMOVE;
    }

    if (record_keep_is(name) && record_keep_old(keep, name)) {
        g_message("%s is older than %u days", name, keep->retention_days);
        record_keep_remove(keep, name);
    }

    return G_SOURCE_CONTINUE;
}
