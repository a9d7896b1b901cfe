
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the directory of a recording: each file is whole and on the disk
 * before the chain names it, and the chain is before anybody is told.  What a
 * crash leaves behind the last line is nothing that was promised.
 */

#define G_LOG_DOMAIN  "rs-record"

#include "record_store.h"
#include "record_error.h"

#include "agent_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


#define RECORD_STORE_CHAIN_MAX  (256 * 1024 * 1024)


struct record_store_s {
    char                     *dir;
    int                       dirfd;
    int                       chain;
    const record_auditors_t  *auditors;
    record_sign_pt            sign;
    void                     *data;

    gint64                    n;            /* of the next line */
    char                      prev[RECORD_STORE_HEX];
    GChecksum                *sum;          /* of the chain */
    gint64                    bytes;
    guint                     segments;
    guint                     events;       /* files of them */
    guint                     gaps;

    GString                  *said;         /* events not yet kept */
    guint                     said_n;
    gint64                    said_ms;      /* of the first one */
};


static record_store_t *record_store_open(const record_store_params_t *params,
    int flags, GError **error);
static gboolean record_store_begin(record_store_t *store,
    const record_store_params_t *params, GError **error);
static gboolean record_store_file(record_store_t *store, const char *name,
    GBytes *bytes, char hash[RECORD_STORE_HEX], GError **error);
static gboolean record_store_sealed(record_store_t *store, gboolean events,
    guint n, gint64 t_ms, GBytes *plain, json_t *line, GError **error);
static gboolean record_store_line(record_store_t *store, const char *kind,
    gint64 t_ms, json_t *members, GError **error);
static gboolean record_store_keep(record_store_t *store, GError **error);
static gboolean record_store_write(int fd, const void *data, gsize len);
static void record_store_hash(const void *data, gsize len,
    char hash[RECORD_STORE_HEX]);
static void record_store_linked(record_store_t *store, const char *text,
    gsize len);
static gboolean record_store_again(record_store_t *store, const char *text,
    gsize len, gsize *good, gint64 *t_ms, const char *public_key,
    GError **error);
static gboolean record_store_known(record_store_t *store,
    const rs_recording_line_t *line, GError **error);
static void record_store_sweep(record_store_t *store);
static record_store_key_t record_store_key(const record_store_params_t *params,
    const char *text, gsize len);


static const char  record_store_first[] =
    "0000000000000000000000000000000000000000000000000000000000000000";


static void
record_store_hash(const void *data, gsize len, char hash[RECORD_STORE_HEX])
{
    g_autofree char  *text = NULL;

    text = g_compute_checksum_for_data(G_CHECKSUM_SHA256, data, len);
    g_strlcpy(hash, text, RECORD_STORE_HEX);
}


static gboolean
record_store_write(int fd, const void *data, gsize len)
{
    ssize_t        n;
    const guint8  *p = data;

    while (len > 0) {
        n = write(fd, p, len);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            return FALSE;
        }

        p += n;
        len -= (gsize) n;
    }

    return TRUE;
}


static record_store_t *
record_store_open(const record_store_params_t *params, int flags,
    GError **error)
{
    g_autoptr(record_store_t)  store = NULL;

    store = g_new0(record_store_t, 1);
    store->dir = g_build_filename(params->dir, params->id, NULL);
    store->auditors = params->auditors;
    store->sign = params->sign;
    store->data = params->data;
    store->chain = -1;
    store->sum = g_checksum_new(G_CHECKSUM_SHA256);
    store->said = g_string_new(NULL);
    g_strlcpy(store->prev, record_store_first, sizeof(store->prev));

    store->dirfd = open(store->dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (store->dirfd == -1) {
        record_error_errno(error, "recording", store->dir);
        return NULL;
    }

    store->chain = openat(store->dirfd, RECORD_STORE_CHAIN,
                          flags|O_CLOEXEC|O_NOFOLLOW, 0600);

    if (store->chain == -1) {
        record_error_errno(error, RECORD_STORE_CHAIN, store->dir);
        return NULL;
    }

    return g_steal_pointer(&store);
}


record_store_t *
record_store_new(const record_store_params_t *params, GError **error)
{
    g_autofree char           *dir = NULL;
    g_autoptr(record_store_t)  store = NULL;

    dir = g_build_filename(params->dir, params->id, NULL);

    if (g_mkdir_with_parents(params->dir, 0700) == -1
        || mkdir(dir, 0700) == -1)
    {
        record_error_errno(error, "recording", dir);
        return NULL;
    }

    store = record_store_open(params, O_WRONLY|O_CREAT|O_EXCL|O_APPEND,
                              error);

    if (store == NULL || !record_store_begin(store, params, error)) {
        return NULL;
    }

    return g_steal_pointer(&store);
}


void
record_store_free(record_store_t *store)
{
    if (store->chain != -1) {
        close(store->chain);
    }

    if (store->dirfd != -1) {
        close(store->dirfd);
    }

    g_checksum_free(store->sum);
    g_string_free(store->said, TRUE);
    g_free(store->dir);
    g_free(store);
}


static gboolean
record_store_begin(record_store_t *store,
    const record_store_params_t *params, GError **error)
{
    char              *text;
    char               hash[RECORD_STORE_HEX];
    json_t            *manifest;
    gboolean           done;
    g_autoptr(GBytes)  bytes = NULL;

    manifest = json_pack("{s:i, s:s, s:s, s:s, s:{s:s, s:s}, s:I, s:o, s:o}",
                         "v", 1, "recording_id", params->id, "session_id",
                         params->session_id, "tenant", params->tenant,
                         "recorder", "device_id", params->device_id,
                         "public_key", params->public_key, "started_at",
                         (json_int_t) params->started_at, "auditors",
                         record_auditors_json(params->auditors), "session",
                         params->session ? json_incref(params->session)
                                         : json_object());
    text = json_dumps(manifest, JSON_INDENT(2));
    json_decref(manifest);

    bytes = g_bytes_new_with_free_func(text, strlen(text), free, text);
    done = record_store_file(store, RECORD_STORE_MANIFEST, bytes, hash,
                             error);

    return done
           && record_store_line(store, "begin", 0,
                  json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:s}",
                            "recording_id", params->id, "session_id",
                            params->session_id, "tenant", params->tenant,
                            "device_id", params->device_id, "public_key",
                            params->public_key, "started_at",
                            (json_int_t) params->started_at,
                            "manifest_sha256", hash), error);
}


/* under a name of its own until it is whole */

static gboolean
record_store_file(record_store_t *store, const char *name, GBytes *bytes,
    char hash[RECORD_STORE_HEX], GError **error)
{
    int               fd;
    gsize             len;
    gboolean          done;
    const void       *data;
    g_autofree char  *part = NULL;

    data = g_bytes_get_data(bytes, &len);
    part = g_strconcat(name, ".part", NULL);
    fd = openat(store->dirfd, part,
                O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC|O_NOFOLLOW, 0600);

    if (fd == -1) {
        return record_error_errno(error, part, store->dir);
    }

    done = record_store_write(fd, data, len) && fsync(fd) == 0;
    done = (close(fd) == 0) && done;

    if (!done || renameat(store->dirfd, part, store->dirfd, name) == -1
        || fsync(store->dirfd) == -1)
    {
        record_error_errno(error, name, store->dir);
        (void) unlinkat(store->dirfd, part, 0);
        return FALSE;
    }

    record_store_hash(data, len, hash);
    store->bytes += (gint64) len;

    return TRUE;
}


static void
record_store_linked(record_store_t *store, const char *text, gsize len)
{
    record_store_hash(text, len, store->prev);
    g_checksum_update(store->sum, (const guchar *) text, (gssize) len);
    g_checksum_update(store->sum, (const guchar *) "\n", 1);

    store->n++;
    store->bytes += (gint64) len + 1;
}


/* takes members over; the signature is of the bytes before it */

static gboolean
record_store_line(record_store_t *store, const char *kind, gint64 t_ms,
    json_t *members, GError **error)
{
    char                *json;
    gsize                len;
    json_t              *line;
    guint8               plain[RS_RECORDING_LINE_MAX
                               + sizeof(RS_RECORDING_CONTEXT)];
    g_autofree char     *sig = NULL;
    g_autoptr(GString)   text = NULL;

    line = json_pack("{s:i, s:s, s:I, s:I, s:s}", "v", 1, "kind", kind, "n",
                     (json_int_t) store->n, "t_ms", (json_int_t) t_ms,
                     "prev", store->prev);
    (void) json_object_update(line, members);
    json_decref(members);

    json = json_dumps(line, JSON_COMPACT);
    json_decref(line);
    text = g_string_new(json);
    free(json);

    g_string_truncate(text, text->len - 1);
    len = rs_recording_signed(plain, text->str, text->len);
    sig = (len != 0) ? store->sign(store->data, plain, len, error) : NULL;

    if (sig == NULL) {
        return FALSE;
    }

    g_string_append_printf(text, ",\"sig\":\"%s\"}", sig);
    record_store_linked(store, text->str, text->len);
    g_string_append_c(text, '\n');

    if (!record_store_write(store->chain, text->str, text->len)
        || fsync(store->chain) == -1)
    {
        return record_error_errno(error, RECORD_STORE_CHAIN, store->dir);
    }

    return TRUE;
}


/* takes line over, the members of what is said of the file */

static gboolean
record_store_sealed(record_store_t *store, gboolean events, guint n,
    gint64 t_ms, GBytes *plain, json_t *line, GError **error)
{
    char               hash[RECORD_STORE_HEX];
    char               name[RS_RECORDING_EVENTS_LEN + 1];
    g_autoptr(GBytes)  sealed = NULL;

    rs_recording_file_name(name, events, n);

    if (n > RS_RECORDING_FILES_MAX) {
        json_decref(line);
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_FULL,
                    "%s has %d files, the most there can be", store->dir,
                    RS_RECORDING_FILES_MAX);
        return FALSE;
    }

    sealed = record_cms_seal(store->auditors, plain, error);

    if (sealed == NULL
        || !record_store_file(store, name, sealed, hash, error))
    {
        json_decref(line);
        return FALSE;
    }

    json_object_set_new(line, "file", json_string(name));
    json_object_set_new(line, "sha256", json_string(hash));
    json_object_set_new(line, "bytes",
                        json_integer((json_int_t) g_bytes_get_size(sealed)));

    return record_store_line(store, events ? "events" : "media", t_ms, line,
                             error);
}


gboolean
record_store_media(record_store_t *store, const record_segment_t *segment,
    GError **error)
{
    json_t  *line;

    line = json_pack("{s:I, s:b, s:b}", "dur_ms",
                     (json_int_t) segment->dur_ms, "key", segment->key,
                     "init", segment->init);

    if (segment->init) {
        json_object_set_new(line, "mime", json_string(segment->mime));
    }

    if (!record_store_sealed(store, FALSE, store->segments + 1,
                             segment->t_ms, segment->bytes, line, error))
    {
        return FALSE;
    }

    store->segments++;

    return record_store_keep(store, error);
}


gboolean
record_store_gap(record_store_t *store, gint64 t_ms, gint64 dur_ms,
    guint why, GError **error)
{
    store->gaps++;

    return record_store_line(store, "gap", t_ms,
                             json_pack("{s:I, s:s}", "dur_ms",
                                       (json_int_t) dur_ms, "why",
                                       rs_recording_why[why]), error);
}


gboolean
record_store_event(record_store_t *store, gint64 t_ms, json_t *event,
    GError **error)
{
    char    *text;
    json_t  *timed;

    timed = json_pack("{s:I}", "t_ms", (json_int_t) t_ms);
    (void) json_object_update(timed, event);
    json_decref(event);
    text = json_dumps(timed, JSON_COMPACT);
    json_decref(timed);

    if (store->said_n++ == 0) {
        store->said_ms = t_ms;
    }

    g_string_append(store->said, text);
    g_string_append_c(store->said, '\n');
    free(text);

    return store->said->len < RECORD_STORE_EVENTS_MAX
           || record_store_keep(store, error);
}


static gboolean
record_store_keep(record_store_t *store, GError **error)
{
    gboolean           done;
    g_autoptr(GBytes)  bytes = NULL;

    if (store->said_n == 0) {
        return TRUE;
    }

    bytes = g_bytes_new(store->said->str, store->said->len);
    done = record_store_sealed(store, TRUE, ++store->events, store->said_ms,
                               bytes, json_pack("{s:i}", "count",
                                                (int) store->said_n), error);
    g_string_truncate(store->said, 0);
    store->said_n = 0;

    return done;
}


gboolean
record_store_tick(record_store_t *store, gint64 now_ms, GError **error)
{
    return store->said_n == 0
           || now_ms - store->said_ms < RECORD_STORE_EVENTS_MS
           || record_store_keep(store, error);
}


gboolean
record_store_end(record_store_t *store, gint64 t_ms, gboolean kept,
    const char *reason, record_sum_t *sum, GError **error)
{
    json_t  *line;

    if (!record_store_keep(store, error)) {
        return FALSE;
    }

    line = json_pack("{s:s, s:s, s:i, s:i, s:I}", "state",
                     kept ? "kept" : "incomplete", "reason", reason,
                     "segments", (int) store->segments, "gaps",
                     (int) store->gaps, "bytes", (json_int_t) store->bytes);

    if (!record_store_line(store, "end", t_ms, line, error)) {
        return FALSE;
    }

    sum->duration_ms = t_ms;
    sum->bytes = store->bytes;
    sum->segments = store->segments;
    sum->gaps = store->gaps;
    g_strlcpy(sum->sha256, g_checksum_get_string(store->sum),
              sizeof(sum->sha256));

    return TRUE;
}


/* a line is one that holds, and its file is there with that size */

static gboolean
record_store_known(record_store_t *store, const rs_recording_line_t *line,
    GError **error)
{
    struct stat       st;
    g_autofree char  *name = NULL;

    if (line->kind == RS_RECORDING_GAP) {
        store->gaps++;
    }

    if (line->kind == RS_RECORDING_END) {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_FORM,
                    "%s has ended", store->dir);
        return FALSE;
    }

    if (line->file.len == 0) {
        return TRUE;
    }

    name = g_strndup((const char *) line->file.data, line->file.len);

    if (fstatat(store->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1
        || st.st_size != line->bytes)
    {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_FORM,
                    "%s/%s is missing or of another size", store->dir, name);
        return FALSE;
    }

    store->bytes += st.st_size;

    if (line->kind == RS_RECORDING_MEDIA) {
        store->segments++;

    } else {
        store->events++;
    }

    return TRUE;
}


/* *good: bytes of whole lines; *t_ms: how far they go */

static gboolean
record_store_again(record_store_t *store, const char *text, gsize len,
    gsize *good, gint64 *t_ms, const char *public_key, GError **error)
{
    char                  hex[RECORD_STORE_HEX];
    json_t               *obj;
    guint8                key[RS_RECORDING_KEY_LEN];
    gboolean              holds;
    const char           *end;
    rs_json_error_t       err;
    rs_recording_line_t   line;
    size_t                n;

    *good = 0;
    *t_ms = 0;

    if (!rs_base64url_decode(key, sizeof(key), rs_str(public_key), &n)) {
        return FALSE;
    }

    while ((end = memchr(text + *good, '\n', len - *good)) != NULL) {
        const char  *p = text + *good;

        if (rs_recording_parse(p, (size_t) (end - p), &obj, &line, &err)
            != RS_OK)
        {
            break;
        }

        hex[rs_hex_encode(hex, line.prev, sizeof(line.prev))] = '\0';
        holds = line.n == store->n && strcmp(hex, store->prev) == 0
                && rs_recording_verify(key, p, &line) == RS_OK;

        if (!holds) {
            json_decref(obj);
            break;
        }

        if (!record_store_known(store, &line, error)) {
            json_decref(obj);
            return FALSE;
        }

        *t_ms = MAX(*t_ms, line.t_ms + line.dur_ms);
        json_decref(obj);
        record_store_linked(store, p, (gsize) (end - p));
        *good += (gsize) (end - p) + 1;
    }

    if (*good == 0) {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_FORM,
                    "%s: no line of this recorder's key", store->dir);
        return FALSE;
    }

    return TRUE;
}


/* what no line names */

static void
record_store_sweep(record_store_t *store)
{
    int              events;
    unsigned         n;
    const char      *name;
    g_autoptr(GDir)  dir = NULL;

    dir = g_dir_open(store->dir, 0, NULL);

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {

        if (g_str_has_suffix(name, ".part")
            || (rs_recording_file(rs_str(name), &events, &n)
                && n > (events ? store->events : store->segments)))
        {
            g_message("%s/%s was not finished and is removed", store->dir,
                      name);
            (void) unlinkat(store->dirfd, name, 0);
        }
    }
}


/* that of the first line, when it is one of them */

static record_store_key_t
record_store_key(const record_store_params_t *params, const char *text,
    gsize len)
{
    json_t                    *obj;
    const char                *end;
    rs_json_error_t            err;
    record_store_key_t         key = { params->public_key, params->data };
    const record_store_key_t  *older;
    rs_recording_line_t        line;
    g_autofree char           *begun = NULL;

    end = memchr(text, '\n', len);

    if (end == NULL
        || rs_recording_parse(text, (size_t) (end - text), &obj, &line, &err)
           != RS_OK)
    {
        return key;
    }

    begun = agent_base64url(line.public_key, RS_RECORDING_KEY_LEN);
    json_decref(obj);

    for (older = params->older;
         older != NULL && older->public_key != NULL;
         older++)
    {
        if (strcmp(older->public_key, begun) == 0) {
            key = *older;
        }
    }

    return key;
}


gboolean
record_store_recover(const record_store_params_t *params, record_sum_t *sum,
    GError **error)
{
    gsize                      len, good;
    gint64                     t_ms;
    struct stat                st;
    record_store_key_t         key;
    g_autofree char           *path = NULL;
    g_autofree char           *text = NULL;
    g_autoptr(record_store_t)  store = NULL;

    store = record_store_open(params, O_RDWR|O_APPEND, error);
    if (store == NULL) {
        return FALSE;
    }

    path = g_build_filename(store->dir, RECORD_STORE_CHAIN, NULL);

    if (fstat(store->chain, &st) == -1
        || st.st_size > RECORD_STORE_CHAIN_MAX
        || !g_file_get_contents(path, &text, &len, error))
    {
        return FALSE;
    }

    if (fstatat(store->dirfd, RECORD_STORE_MANIFEST, &st, 0) == 0) {
        store->bytes += st.st_size;
    }

    key = record_store_key(params, text, len);
    store->data = key.data;

    if (!record_store_again(store, text, len, &good, &t_ms, key.public_key,
                            error))
    {
        return FALSE;
    }

    if (good < len && ftruncate(store->chain, (off_t) good) == -1) {
        return record_error_errno(error, RECORD_STORE_CHAIN, store->dir);
    }

    record_store_sweep(store);

    return record_store_end(store, t_ms, FALSE, "recorder_crashed", sum,
                            error);
}
