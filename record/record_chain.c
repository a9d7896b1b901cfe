
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns how a line of a chain is taken for signed, and what its two ends say by
 * two reads, however much is between.
 */

#define G_LOG_DOMAIN  "rs-record"

#include "record_chain.h"
#include "record_error.h"
#include "record_store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


#define RECORD_CHAIN_LINE  (RS_RECORDING_LINE_MAX + 1)      /* with "\n" */


static gboolean record_chain_lines(int fd, const char *dir, goffset size,
    record_chain_t *chain, GError **error);
static gboolean record_chain_empty(const char *dir);


json_t *
record_chain_line(const char *text, gsize len, const guint8 *key,
    rs_recording_line_t *line)
{
    json_t           *obj;
    rs_json_error_t   err;

    if (rs_recording_parse(text, len, &obj, line, &err) != RS_OK) {
        return NULL;
    }

    if ((key == NULL && line->kind != RS_RECORDING_BEGIN)
        || rs_recording_verify(key ? key : line->public_key, text, line)
           != RS_OK)
    {
        json_decref(obj);
        return NULL;
    }

    return obj;
}


/* no media and no events, of which a chain that is missing would have told */

static gboolean
record_chain_empty(const char *dir)
{
    int                 events;
    unsigned            n;
    const char         *name;
    g_autoptr(GDir)     list = NULL;
    g_autoptr(GError)   error = NULL;

    list = g_dir_open(dir, 0, &error);

    while (list != NULL && (name = g_dir_read_name(list)) != NULL) {
        if (rs_recording_file(rs_str(name), &events, &n)) {
            return FALSE;
        }
    }

    return list != NULL
           || g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
}


/* what a crash left behind the last line makes it one that is open */

static gboolean
record_chain_lines(int fd, const char *dir, goffset size,
    record_chain_t *chain, GError **error)
{
    char                  head[RECORD_CHAIN_LINE];
    char                  tail[RECORD_CHAIN_LINE + 1];
    json_t               *obj;
    goffset               at;
    ssize_t               n, m;
    const char           *end, *last;
    rs_recording_line_t   line, final;

    at = MAX(size - (goffset) sizeof(tail), 0);
    n = pread(fd, head, sizeof(head), 0);
    m = pread(fd, tail, sizeof(tail), at);

    if (n == -1 || m == -1) {
        return record_error_errno(error, "reading", dir);
    }

    end = memchr(head, '\n', (size_t) n);

    if (end == NULL && n < (ssize_t) sizeof(head) && record_chain_empty(dir))
    {
        return TRUE;
    }

    obj = (end != NULL) ? record_chain_line(head, (gsize) (end - head), NULL,
                                            &line)
                        : NULL;

    if (obj == NULL) {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_FORM,
                    "%s: the first line of " RECORD_STORE_CHAIN " is none",
                    dir);
        return FALSE;
    }

    json_decref(obj);           /* key and time are line's own */
    chain->state = RECORD_CHAIN_OPEN;

    if (m == 0 || tail[m - 1] != '\n') {
        return TRUE;
    }

    last = memrchr(tail, '\n', (size_t) m - 1);
    last = (last != NULL) ? last + 1 : tail;

    obj = record_chain_line(last, (gsize) (tail + m - 1 - last),
                            line.public_key, &final);

    if (obj != NULL && final.kind == RS_RECORDING_END) {
        chain->state = RECORD_CHAIN_ENDED;
        chain->ended_ms = line.started_at + final.t_ms;
    }

    json_decref(obj);

    return TRUE;
}


gboolean
record_chain_look(const char *dir, const char *id, record_chain_t *chain,
    GError **error)
{
    int               fd, failed;
    gboolean          done;
    struct stat       st;
    g_autofree char  *own = NULL;
    g_autofree char  *path = NULL;

    memset(chain, 0, sizeof(*chain));
    own = g_build_filename(dir, id, NULL);
    path = g_build_filename(own, RECORD_STORE_CHAIN, NULL);
    fd = open(path, O_RDONLY|O_CLOEXEC|O_NOFOLLOW);

    if (fd == -1) {
        failed = errno;

        if (failed == ENOENT && record_chain_empty(own)) {
            return TRUE;
        }

        errno = failed;
        return record_error_errno(error, "recording", path);
    }

    if (fstat(fd, &st) == -1) {
        done = record_error_errno(error, "recording", path);

    } else {
        done = record_chain_lines(fd, own, st.st_size, chain, error);
    }

    close(fd);

    return done;
}
