
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the order of an archive: what tells of the files comes before them,
 * so that a reader can check each as it comes.
 */

#define G_LOG_DOMAIN  "rs-record"

#include "record_tar.h"
#include "record_error.h"
#include "record_store.h"

#include "rs_tar.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


#define RECORD_TAR_PIECE  65536


typedef struct {
    const char  *dir;
    const char  *id;
    int          fd;
} record_tar_t;


static gboolean record_tar_put(record_tar_t *tar, const void *data,
    gsize len, GError **error);
static gboolean record_tar_file(record_tar_t *tar, const char *name,
    GError **error);
static gboolean record_tar_copy(record_tar_t *tar, int fd, guint64 size,
    const char *name, GError **error);
static gboolean record_tar_chain(record_tar_t *tar, GError **error);


static gboolean
record_tar_put(record_tar_t *tar, const void *data, gsize len,
    GError **error)
{
    ssize_t        n;
    const guint8  *p = data;

    while (len > 0) {
        n = write(tar->fd, p, len);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            return record_error_errno(error, "sending", tar->id);
        }

        p += n;
        len -= (gsize) n;
    }

    return TRUE;
}


/* so many bytes, whatever happens to the file meanwhile */

static gboolean
record_tar_copy(record_tar_t *tar, int fd, guint64 size, const char *name,
    GError **error)
{
    ssize_t  n;
    guint8   piece[RECORD_TAR_PIECE];

    while (size > 0) {
        n = read(fd, piece, MIN(size, sizeof(piece)));

        if (n <= 0) {
            return record_error_errno(error, "reading", name);
        }

        if (!record_tar_put(tar, piece, (gsize) n, error)) {
            return FALSE;
        }

        size -= (guint64) n;
    }

    return TRUE;
}


static gboolean
record_tar_file(record_tar_t *tar, const char *name, GError **error)
{
    int                   fd;
    guint8                block[RS_TAR_BLOCK];
    gboolean              done;
    struct stat           st;
    g_autofree char      *path = NULL;
    g_autofree char      *inner = NULL;
    static const guint8   zero[RS_TAR_BLOCK];

    path = g_build_filename(tar->dir, tar->id, name, NULL);
    inner = g_strconcat(tar->id, "/", name, NULL);
    fd = open(path, O_RDONLY|O_CLOEXEC|O_NOFOLLOW);

    if (fd == -1 || fstat(fd, &st) == -1) {
        record_error_errno(error, "reading", path);

        if (fd != -1) {
            close(fd);
        }

        return FALSE;
    }

    done = rs_tar_head(block, rs_str(inner), (guint64) st.st_size, 0,
                       (guint64) st.st_mtime) == RS_OK
           && record_tar_put(tar, block, sizeof(block), error)
           && record_tar_copy(tar, fd, (guint64) st.st_size, path, error)
           && record_tar_put(tar, zero, RS_TAR_PAD((guint64) st.st_size),
                             error);
    close(fd);

    return done;
}


static gboolean
record_tar_chain(record_tar_t *tar, GError **error)
{
    guint                i;
    json_t              *obj;
    gboolean             done;
    rs_json_error_t      err;
    g_autofree char     *path = NULL;
    g_autofree char     *text = NULL;
    g_auto(GStrv)        lines = NULL;
    rs_recording_line_t  line;

    path = g_build_filename(tar->dir, tar->id, RECORD_STORE_CHAIN, NULL);

    if (!g_file_get_contents(path, &text, NULL, error)) {
        return FALSE;
    }

    lines = g_strsplit(text, "\n", -1);

    for (i = 0; lines[i] != NULL; i++) {
        g_autofree char  *name = NULL;

        if (rs_recording_parse(lines[i], strlen(lines[i]), &obj, &line, &err)
            != RS_OK)
        {
            continue;
        }

        name = (line.file.len != 0)
               ? g_strndup((const char *) line.file.data, line.file.len)
               : NULL;
        json_decref(obj);
        done = (name == NULL) || record_tar_file(tar, name, error);

        if (!done) {
            return FALSE;
        }
    }

    return TRUE;
}


gboolean
record_tar_write(const char *dir, const char *id, int fd, GError **error)
{
    record_tar_t          tar = { dir, id, fd };
    static const guint8   end[RS_TAR_END_LEN];

    return record_tar_file(&tar, RECORD_STORE_MANIFEST, error)
           && record_tar_file(&tar, RECORD_STORE_CHAIN, error)
           && record_tar_chain(&tar, error)
           && record_tar_put(&tar, end, sizeof(end), error);
}
