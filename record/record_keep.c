
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the directory of recordings.
 */

#define G_LOG_DOMAIN  "rs-record"

#include "record_keep.h"
#include "record_ended.h"
#include "record_error.h"
#include "record_msg.h"
#include "record_told.h"

#include "agent_json.h"
#include "rs_id.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>


#define RECORD_KEEP_TOLD     ".told"
#define RECORD_KEEP_CHECK_S  600
#define RECORD_KEEP_DAY_S    86400


struct record_keep_s {
    char                   *dir;
    record_told_t          *told;
    guint                   retention_days;
    guint                   min_free;
    record_store_params_t   params;
    guint                   timer;
};


static void record_keep_recover(record_keep_t *keep, const char *id,
    const char *reason);
static void record_keep_untold(record_keep_t *keep, const char *id);
static char *record_keep_session(record_keep_t *keep, const char *id);
static gboolean record_keep_check(gpointer data);
static gboolean record_keep_old(record_keep_t *keep, const char *id);
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

    while ((name = g_dir_read_name(dir)) != NULL) {
        if (record_keep_is(name)) {
            record_keep_recover(keep, name, "recovered");
            record_keep_untold(keep, name);
        }
    }

    /* the caller's, who may change it */

    keep->params.public_key = NULL;
    keep->params.data = NULL;
    keep->params.older = NULL;

    record_keep_check(keep);
    keep->timer = g_timeout_add_seconds(RECORD_KEEP_CHECK_S,
                                        record_keep_check, keep);

    return keep;
}


void
record_keep_free(record_keep_t *keep)
{
    g_clear_handle_id(&keep->timer, g_source_remove);
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


/* one that has ended is left as it is */

static void
record_keep_recover(record_keep_t *keep, const char *id, const char *reason)
{
    record_sum_t        sum;
    g_autofree char    *session = NULL;
    g_autoptr(GError)   error = NULL;

    keep->params.id = id;

    if (!record_store_recover(&keep->params, &sum, &error)) {
        g_debug("%s: %s", id, error->message);
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
    record_keep_recover(keep, id, "disk_full");
    record_keep_untold(keep, id);
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
    json_t  *text;

    text = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:i, s:s}",
                     "type", "recording", "op", "end", "recording_id", id,
                     "session_id", session_id, "duration_ms",
                     (json_int_t) sum->duration_ms, "bytes",
                     (json_int_t) sum->bytes, "sha256", sum->sha256, "gaps",
                     (int) sum->gaps, "reason", reason);

    if (keep->retention_days != 0) {
        json_object_set_new(text, "expires_at", json_integer(
            g_get_real_time() / G_USEC_PER_SEC
            + (gint64) keep->retention_days * RECORD_KEEP_DAY_S));
    }

    record_told_put(keep->told, id, "end", agent_json_text(text));
}


void
record_keep_remove(record_keep_t *keep, const char *id)
{
    g_autofree char    *path = NULL;
    g_autoptr(GError)   error = NULL;

    if (!record_keep_is(id)) {
        return;
    }

    path = g_build_filename(keep->dir, id, NULL);

    if (g_file_test(path, G_FILE_TEST_EXISTS)
        && !record_store_remove(keep->dir, id, &error))
    {
        g_warning("%s cannot be removed: %s", id, error->message);
        return;
    }

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


/* counted from its last line */

static gboolean
record_keep_old(record_keep_t *keep, const char *id)
{
    GStatBuf          st;
    g_autofree char  *path = NULL;

    path = g_build_filename(keep->dir, id, RECORD_STORE_CHAIN, NULL);

    return g_stat(path, &st) == 0
           && g_get_real_time() / G_USEC_PER_SEC - st.st_mtime
              > (gint64) keep->retention_days * RECORD_KEEP_DAY_S;
}


static gboolean
record_keep_check(gpointer data)
{
    const char       *name;
    record_keep_t    *keep = data;
    g_autoptr(GDir)   dir = NULL;

    if (keep->retention_days == 0) {
        return G_SOURCE_CONTINUE;
    }

    dir = g_dir_open(keep->dir, 0, NULL);

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        if (record_keep_is(name) && record_keep_old(keep, name)) {
            g_message("%s is older than %u days", name,
                      keep->retention_days);
            record_keep_remove(keep, name);
        }
    }

    return G_SOURCE_CONTINUE;
}
