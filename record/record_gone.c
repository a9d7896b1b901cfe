
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the directory .gone, and the thread that is at one recording of it.
 * The thread leaves the empty directory: it is removed when gone() has made
 * sure that the gateway will be told, or the next start would not know.
 */

#define G_LOG_DOMAIN  "rs-record"

#include "record_gone.h"
#include "record_error.h"

#include "rs_id.h"
#include "rs_recording.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>


#define RECORD_GONE  ".gone"


struct record_gone_s {
    char             *dir;          /* of all recordings */
    char             *own;          /* .gone in it */
    record_gone_pt    gone;
    void             *data;
    GHashTable       *waiting;      /* ids */

    GThread          *thread;       /* or NULL */
    char             *path;         /* the thread's, of one in .gone */
    GError           *error;        /* the thread's, until it has ended */
    gint              stop;         /* atomic */
    guint             idle;
};


static void record_gone_wait(record_gone_t *gone, const char *id);
static void record_gone_next(record_gone_t *gone);
static gboolean record_gone_unlink(record_gone_t *gone, GError **error);
static gpointer record_gone_run(gpointer data);
static gboolean record_gone_done(gpointer data);
static gboolean record_gone_sync(const char *dir, GError **error);


record_gone_t *
record_gone_new(const char *dir, record_gone_pt told, void *data,
    GError **error)
{
    record_gone_t    *gone;
    g_autofree char  *own = g_build_filename(dir, RECORD_GONE, NULL);

    if (g_mkdir_with_parents(own, 0700) == -1) {
        record_error_errno(error, "directory", own);
        return NULL;
    }

    gone = g_new0(record_gone_t, 1);
    gone->dir = g_strdup(dir);
    gone->own = g_steal_pointer(&own);
    gone->gone = told;
    gone->data = data;
    gone->waiting = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                          NULL);
    record_gone_again(gone);

    return gone;
}


void
record_gone_free(record_gone_t *gone)
{
    g_atomic_int_set(&gone->stop, TRUE);

    if (gone->thread != NULL) {
        g_thread_join(gone->thread);
        g_clear_handle_id(&gone->idle, g_source_remove);
    }

    g_clear_error(&gone->error);
    g_hash_table_unref(gone->waiting);
    g_free(gone->path);
    g_free(gone->own);
    g_free(gone->dir);
    g_free(gone);
}


void
record_gone_again(record_gone_t *gone)
{
    const char       *name;
    g_autoptr(GDir)   dir = NULL;

    dir = g_dir_open(gone->own, 0, NULL);

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        if (rs_id_check(rs_str(name), RS_ID_RECORDING) == RS_OK) {
            record_gone_wait(gone, name);
        }
    }

    record_gone_next(gone);
}


static gboolean
record_gone_sync(const char *dir, GError **error)
{
    int       fd;
    gboolean  done;

    fd = open(dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    done = fd != -1 && fsync(fd) == 0;

    if (!done) {
        record_error_errno(error, "directory", dir);
    }

    if (fd != -1) {
        close(fd);
    }

    return done;
}


gboolean
record_gone_take(record_gone_t *gone, const char *id, GError **error)
{
    g_autofree char  *from = g_build_filename(gone->dir, id, NULL);
    g_autofree char  *to = g_build_filename(gone->own, id, NULL);

    if (rename(from, to) == -1) {
        if (errno != ENOENT) {
            return record_error_errno(error, "removing", from);
        }

        if (!g_file_test(to, G_FILE_TEST_IS_DIR)) {
            gone->gone(gone->data, id);
            return TRUE;
        }
    }

    record_gone_wait(gone, id);
    record_gone_next(gone);

    return TRUE;
}


/* unless it is the one the thread is at */

static void
record_gone_wait(record_gone_t *gone, const char *id)
{
    if (gone->thread == NULL || !g_str_has_suffix(gone->path, id)) {
        g_hash_table_add(gone->waiting, g_strdup(id));
    }
}


/* one at a time: between two the loop has done what else there is */

static void
record_gone_next(record_gone_t *gone)
{
    gpointer         id;
    GHashTableIter   iter;

    if (gone->thread != NULL) {
        return;
    }

    g_hash_table_iter_init(&iter, gone->waiting);

    if (g_hash_table_iter_next(&iter, &id, NULL)) {
        gone->path = g_build_filename(gone->own, id, NULL);
        g_hash_table_iter_remove(&iter);
        gone->thread = g_thread_new("gone", record_gone_run, gone);
    }
}


/* until nothing is found: a list that is read may miss what is behind */

static gboolean
record_gone_unlink(record_gone_t *gone, GError **error)
{
    guint             n;
    const char       *name;
    g_autoptr(GDir)   dir = NULL;

    dir = g_dir_open(gone->path, 0, error);

    if (dir == NULL) {
        return FALSE;
    }

    do {
        g_dir_rewind(dir);

        for (n = 0; (name = g_dir_read_name(dir)) != NULL; n++) {
            g_autofree char  *file = g_build_filename(gone->path, name, NULL);

            if (g_atomic_int_get(&gone->stop)) {
                return TRUE;
            }

            if (unlink(file) == -1 && errno != ENOENT) {
                return record_error_errno(error, "removing", file);
            }
        }

    } while (n > 0);

    return TRUE;
}


/* the rename comes first on the disk, too */

static gpointer
record_gone_run(gpointer data)
{
    record_gone_t  *gone = data;

    (void) (record_gone_sync(gone->own, &gone->error)
            && record_gone_sync(gone->dir, &gone->error)
            && record_gone_unlink(gone, &gone->error));

    gone->idle = g_idle_add(record_gone_done, gone);

    return NULL;
}


/* the main loop again */

static gboolean
record_gone_done(gpointer data)
{
    record_gone_t    *gone = data;
    g_autofree char  *id = NULL;
    g_autofree char  *path = NULL;

    g_thread_join(g_steal_pointer(&gone->thread));
    gone->idle = 0;
    path = g_steal_pointer(&gone->path);
    id = g_path_get_basename(path);

    if (gone->error != NULL) {
        g_warning("%s cannot be removed: %s", id, gone->error->message);
        g_clear_error(&gone->error);

    } else {
        gone->gone(gone->data, id);

        if (rmdir(path) == -1) {
            g_warning("%s: %s", path, g_strerror(errno));
        }
    }

    record_gone_next(gone);

    return G_SOURCE_REMOVE;
}
