
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns .told/ of the directory of recordings, and the order in which what is
 * there is said.
 */

#define G_LOG_DOMAIN  "rs-record"

#include "record_told.h"
#include "record_error.h"

#include "agent_json.h"
#include "rs_id.h"
#include "rs_recording.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>


#define RECORD_TOLD_KNOWN     ".known"  /* in it: ids whose end was answered */
#define RECORD_TOLD_MAX       100000    /* names that wait in memory */
#define RECORD_TOLD_ANSWER_S  30
#define RECORD_TOLD_AGAIN_S   600       /* what was not answered */


struct record_told_s {
    char                *dir;
    record_told_say_pt   say;
    void                *data;
    GQueue               names;         /* yet to be said */
    GHashTable          *flight;        /* said, not answered */
    gboolean             left;          /* some were not answered in time */
    guint                timer;
};


static char *record_told_path(const record_told_t *told, const char *name);
static char *record_told_mark(const record_told_t *told, const char *id);
static gboolean record_told_name(const char *name);
static void record_told_forget(record_told_t *told);
static void record_told_read(record_told_t *told);
static char *record_told_text(record_told_t *told, const char *name);
static void record_told_send(record_told_t *told);
static gboolean record_told_timer(gpointer data);


record_told_t *
record_told_new(const char *dir, record_told_say_pt say, void *data,
    GError **error)
{
    record_told_t    *told;
    g_autofree char  *known = g_build_filename(dir, RECORD_TOLD_KNOWN, NULL);

    if (g_mkdir_with_parents(known, 0700) == -1) {
        record_error_errno(error, "directory", known);
        return NULL;
    }

    told = g_new0(record_told_t, 1);
    told->dir = g_strdup(dir);
    told->say = say;
    told->data = data;
    g_queue_init(&told->names);
    told->flight = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                         NULL);

    return told;
}


void
record_told_free(record_told_t *told)
{
    record_told_forget(told);
    g_hash_table_unref(told->flight);
    g_free(told->dir);
    g_free(told);
}


static char *
record_told_path(const record_told_t *told, const char *name)
{
    return g_build_filename(told->dir, name, NULL);
}


static char *
record_told_mark(const record_told_t *told, const char *id)
{
    return g_build_filename(told->dir, RECORD_TOLD_KNOWN, id, NULL);
}


/* "<recording id>.end" or ".gone", and nothing else */

static gboolean
record_told_name(const char *name)
{
    const char  *dot;

    dot = strchr(name, '.');

    return dot != NULL
           && (strcmp(dot, ".end") == 0 || strcmp(dot, ".gone") == 0)
           && rs_id_check((rs_str_t) { (const uint8_t *) name,
                                       (size_t) (dot - name) },
                          RS_ID_RECORDING) == RS_OK;
}


static void
record_told_forget(record_told_t *told)
{
    g_clear_handle_id(&told->timer, g_source_remove);
    g_queue_clear_full(&told->names, g_free);
    g_hash_table_remove_all(told->flight);
    told->left = FALSE;
}


/* all there is; what is left of a file that was not whole goes */

static void
record_told_read(record_told_t *told)
{
    const char       *name;
    g_autoptr(GDir)   dir = NULL;

    dir = g_dir_open(told->dir, 0, NULL);

    while (dir != NULL && told->names.length < RECORD_TOLD_MAX
           && (name = g_dir_read_name(dir)) != NULL)
    {
        if (record_told_name(name)) {
            g_queue_push_tail(&told->names, g_strdup(name));

        } else if (strcmp(name, RECORD_TOLD_KNOWN) != 0) {
            g_autofree char  *path = record_told_path(told, name);

            g_warning("%s is none of this service's and is removed", path);
            (void) g_unlink(path);
        }
    }
}


/* NULL: there is none, or none to be said: the gateway would hang up */

static char *
record_told_text(record_told_t *told, const char *name)
{
    json_t            *obj;
    gboolean           whole;
    const char        *op, *id;
    g_autofree char   *path = record_told_path(told, name);
    g_autofree char   *text = NULL;
    g_autofree char   *want = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return NULL;
    }

    obj = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    op = agent_json_string(obj, "op", 32);
    id = agent_json_string(obj, "recording_id", 64);
    want = g_strconcat(id ? id : "", ".", op ? op : "", NULL);
    whole = g_strcmp0(agent_json_string(obj, "type", 32), "recording") == 0
            && strcmp(want, name) == 0;
    json_decref(obj);

    if (!whole) {
        g_warning("%s is no message and is removed", path);
        (void) g_unlink(path);
        return NULL;
    }

    return g_steal_pointer(&text);
}


static void
record_told_send(record_told_t *told)
{
    char   *text;
    guint   after_s;

    while (g_hash_table_size(told->flight) < RECORD_TOLD_FLIGHT
           && told->names.length != 0)
    {
        g_autofree char  *name = g_queue_pop_head(&told->names);

        text = g_hash_table_contains(told->flight, name)
               ? NULL : record_told_text(told, name);

        if (text == NULL) {
            continue;
        }

        if (!told->say(told->data, text)) {
            /* record_told_online() begins anew */
            record_told_forget(told);
            return;
        }

        g_hash_table_add(told->flight, g_steal_pointer(&name));
        g_clear_handle_id(&told->timer, g_source_remove);
    }

    if (told->timer != 0
        || (g_hash_table_size(told->flight) == 0 && !told->left))
    {
        return;
    }

    after_s = (g_hash_table_size(told->flight) != 0) ? RECORD_TOLD_ANSWER_S
                                                     : RECORD_TOLD_AGAIN_S;
    told->timer = g_timeout_add_seconds(after_s, record_told_timer, told);
}


static gboolean
record_told_timer(gpointer data)
{
    record_told_t  *told = data;

    told->timer = 0;
    record_told_late(told);

    return G_SOURCE_REMOVE;
}


void
record_told_late(record_told_t *told)
{
    g_clear_handle_id(&told->timer, g_source_remove);

    if (g_hash_table_size(told->flight) != 0) {
        g_message("%u messages of recordings have no answer",
                  g_hash_table_size(told->flight));
        g_hash_table_remove_all(told->flight);
        told->left = TRUE;

    } else {
        told->left = FALSE;
        record_told_read(told);
    }

    record_told_send(told);
}


void
record_told_put(record_told_t *told, const char *id, const char *op,
    char *text)
{
    char               *name = g_strconcat(id, ".", op, NULL);
    g_autofree char    *path = record_told_path(told, name);
    g_autoptr(GError)   error = NULL;

    if (!g_file_set_contents_full(path, text, -1,
                                  G_FILE_SET_CONTENTS_CONSISTENT
                                  |G_FILE_SET_CONTENTS_DURABLE, 0600,
                                  &error))
    {
        g_warning("%s: %s", path, error->message);
        (void) told->say(told->data, text);
        g_free(name);
        return;
    }

    g_free(text);
    g_queue_push_tail(&told->names, name);
    record_told_send(told);
}


gboolean
record_told_knows(const record_told_t *told, const char *id)
{
    g_autofree char  *name = g_strconcat(id, ".end", NULL);
    g_autofree char  *path = record_told_path(told, name);
    g_autofree char  *mark = record_told_mark(told, id);

    return g_file_test(path, G_FILE_TEST_EXISTS)
           || g_file_test(mark, G_FILE_TEST_EXISTS);
}


void
record_told_answered(record_told_t *told, const char *id, const char *op)
{
    int               fd;
    g_autofree char  *name = g_strconcat(id, ".", op, NULL);
    g_autofree char  *path = NULL;
    g_autofree char  *mark = NULL;

    if (!record_told_name(name)) {
        return;
    }

    /* a mark that a crash loses is told once more, which changes nothing */

    mark = record_told_mark(told, id);

    if (strcmp(op, "end") == 0) {
        fd = g_open(mark, O_WRONLY|O_CREAT|O_CLOEXEC, 0600);

        if (fd != -1) {
            close(fd);
        }

    } else {
        (void) g_unlink(mark);
    }

    path = record_told_path(told, name);
    (void) g_unlink(path);

    if (g_hash_table_remove(told->flight, name)) {

        if (g_hash_table_size(told->flight) == 0) {
            g_clear_handle_id(&told->timer, g_source_remove);
        }

        record_told_send(told);
    }
}


void
record_told_online(record_told_t *told)
{
    record_told_forget(told);
    record_told_read(told);
    record_told_send(told);
}
