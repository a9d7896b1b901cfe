
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the files of a recording as they are read: by name, out of a directory
 * or out of a tar archive, one at a time in memory.
 */

#define G_LOG_DOMAIN  "rs-record"

#include "record_read.h"
#include "record_cms.h"
#include "record_error.h"
#include "record_store.h"

#include "rs_tar.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


#define RECORD_READ_ENTRIES  (2 * RS_RECORDING_FILES_MAX + 16)


typedef struct {
    goffset  at;
    gsize    size;
} record_entry_t;


/* a file that a line names */

typedef struct {
    char      name[RS_RECORDING_EVENTS_LEN + 1];
    gboolean  events;
    gint64    bytes;
    guint8    sha256[RS_RECORDING_HASH_LEN];
} record_named_t;


struct record_read_s {
    char        *path;
    int          fd;                /* of the archive or the directory */
    GHashTable  *entries;           /* name -> record_entry_t; NULL: a
                                       directory */
    GArray      *files;             /* record_named_t, in their order */

    char        *recording_id;
    char        *session_id;
    char        *public_key;
    char         prev[RECORD_STORE_HEX];
    char         sha256[RECORD_STORE_HEX];
};


static gboolean record_read_index(record_read_t *read, GError **error);
static gboolean record_read_pread(record_read_t *read, void *data,
    gsize len, goffset at, GError **error);
static GBytes *record_read_file(record_read_t *read, const char *name,
    gsize max, GError **error);
static gboolean record_read_lines(record_read_t *read, GBytes *chain,
    const char *key, record_read_sum_t *sum, GError **error);
static gboolean record_read_line(record_read_t *read, const char *text,
    gsize len, gint64 n, const rs_recording_line_t *line, const char *key,
    record_read_sum_t *sum, GError **error);
static GBytes *record_read_signed(record_read_t *read, const char *name,
    gint64 bytes, const guint8 hash[RS_RECORDING_HASH_LEN], GError **error);
static gboolean record_read_same(record_read_t *read, const char *name,
    gint64 bytes, const guint8 hash[RS_RECORDING_HASH_LEN], GError **error);
static gboolean record_read_begin(record_read_t *read,
    const rs_recording_line_t *line, const char *key,
    record_read_sum_t *sum, GError **error);
static gboolean record_read_changed(GError **error, const char *what,
    gint64 n);


record_read_t *
record_read_open(const char *path, GError **error)
{
    struct stat               st;
    g_autoptr(record_read_t)  read = NULL;

    read = g_new0(record_read_t, 1);
    read->path = g_strdup(path);
    read->files = g_array_new(FALSE, TRUE, sizeof(record_named_t));
    read->fd = open(path, O_RDONLY|O_CLOEXEC);

    if (read->fd == -1 || fstat(read->fd, &st) == -1) {
        record_error_errno(error, "recording", path);
        return NULL;
    }

    if (!S_ISDIR(st.st_mode)) {
        read->entries = g_hash_table_new_full(g_str_hash, g_str_equal,
                                              g_free, g_free);

        if (!record_read_index(read, error)) {
            return NULL;
        }
    }

    return g_steal_pointer(&read);
}


void
record_read_free(record_read_t *read)
{
    if (read->fd != -1) {
        close(read->fd);
    }

    g_clear_pointer(&read->entries, g_hash_table_unref);
    g_array_unref(read->files);
    g_free(read->recording_id);
    g_free(read->session_id);
    g_free(read->public_key);
    g_free(read->path);
    g_free(read);
}


static gboolean
record_read_pread(record_read_t *read, void *data, gsize len, goffset at,
    GError **error)
{
    ssize_t   n;
    guint8   *p = data;

    while (len > 0) {
        n = pread(read->fd, p, len, at);

        if (n == -1) {
            return record_error_errno(error, "reading", read->path);
        }

        if (n == 0) {
            g_set_error(error, RECORD_ERROR, RECORD_ERROR_FORM,
                        "%s is cut off", read->path);
            return FALSE;
        }

        p += n;
        at += n;
        len -= (gsize) n;
    }

    return TRUE;
}


/* names without the directory that all of them are in */

static gboolean
record_read_index(record_read_t *read, GError **error)
{
    guint            n;
    goffset          at;
    guint8           block[RS_TAR_BLOCK];
    rs_err_e         rc;
    rs_tar_entry_t   entry;
    record_entry_t  *found;

    at = 0;

    for (n = 0; n < RECORD_READ_ENTRIES; n++) {
        g_autofree char  *name = NULL;

        if (!record_read_pread(read, block, sizeof(block), at, error)) {
            return FALSE;
        }

        rc = rs_tar_parse(block, &entry);

        if (rc == RS_AGAIN) {
            return TRUE;
        }

        if (rc != RS_OK) {
            break;
        }

        at += RS_TAR_BLOCK;

        if (!entry.dir) {
            name = g_strndup((const char *) entry.name.data, entry.name.len);
            found = g_new(record_entry_t, 1);
            found->at = at;
            found->size = entry.size;
            g_hash_table_replace(read->entries, g_path_get_basename(name),
                                 found);
        }

        at += (goffset) (entry.size + RS_TAR_PAD(entry.size));
    }

    g_set_error(error, RECORD_ERROR, RECORD_ERROR_FORM,
                "%s is no recording: neither a directory nor a tar archive",
                read->path);

    return FALSE;
}


static GBytes *
record_read_file(record_read_t *read, const char *name, gsize max,
    GError **error)
{
    gsize             len;
    void             *data;
    GError           *failed = NULL;
    record_entry_t   *entry;
    g_autofree char  *path = NULL;
    g_autofree char  *text = NULL;

    if (read->entries == NULL) {
        struct stat  st;

        path = g_build_filename(read->path, name, NULL);

        if (lstat(path, &st) == -1 || !S_ISREG(st.st_mode)) {
            g_set_error(error, RECORD_ERROR, RECORD_ERROR_FORM,
                        "%s is missing", name);
            return NULL;
        }

        if ((gsize) st.st_size > max
            || !g_file_get_contents(path, &text, &len, &failed))
        {
            g_set_error(error, RECORD_ERROR, RECORD_ERROR_FORM, "%s: %s",
                        name, failed ? failed->message : "too large");
            g_clear_error(&failed);
            return NULL;
        }

        return g_bytes_new_take(g_steal_pointer(&text), len);
    }

    entry = g_hash_table_lookup(read->entries, name);

    if (entry == NULL || entry->size > max) {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_FORM, "%s is %s", name,
                    entry ? "too large" : "missing");
        return NULL;
    }

    data = g_malloc(MAX(entry->size, 1));

    if (!record_read_pread(read, data, entry->size, entry->at, error)) {
        g_free(data);
        return NULL;
    }

    return g_bytes_new_take(data, entry->size);
}


static gboolean
record_read_changed(GError **error, const char *what, gint64 n)
{
    g_set_error(error, RECORD_ERROR, RECORD_ERROR_CHANGED,
                RECORD_STORE_CHAIN ", line %" G_GINT64_FORMAT ": %s", n + 1,
                what);

    return FALSE;
}


/* bytes: -1: as many as there are */

static GBytes *
record_read_signed(record_read_t *read, const char *name, gint64 bytes,
    const guint8 hash[RS_RECORDING_HASH_LEN], GError **error)
{
    gsize              len, size;
    guint8             found[RS_RECORDING_HASH_LEN];
    const void        *data;
    GChecksum         *sum;
    g_autoptr(GBytes)  file = NULL;

    file = record_read_file(read, name, RECORD_READ_FILE_MAX, error);
    if (file == NULL) {
        return NULL;
    }

    data = g_bytes_get_data(file, &size);
    len = sizeof(found);
    sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(sum, data, (gssize) size);
    g_checksum_get_digest(sum, found, &len);
    g_checksum_free(sum);

    if ((bytes >= 0 && (gint64) size != bytes)
        || memcmp(found, hash, sizeof(found)) != 0)
    {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_CHANGED,
                    "%s is not what was signed", name);
        return NULL;
    }

    return g_steal_pointer(&file);
}


static gboolean
record_read_same(record_read_t *read, const char *name, gint64 bytes,
    const guint8 hash[RS_RECORDING_HASH_LEN], GError **error)
{
    g_autoptr(GBytes)  file = record_read_signed(read, name, bytes, hash,
                                                 error);

    return file != NULL;
}


static gboolean
record_read_begin(record_read_t *read, const rs_recording_line_t *line,
    const char *key, record_read_sum_t *sum, GError **error)
{
    char  text[RS_BASE64URL_LEN(RS_RECORDING_KEY_LEN) + 1];

    text[rs_base64url_encode(text, line->public_key,
                             sizeof(line->public_key))] = '\0';

    if (key != NULL && strcmp(key, text) != 0) {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_CHANGED,
                    "signed by %s, which is another key", text);
        return FALSE;
    }

    g_free(read->public_key);
    g_free(read->recording_id);
    g_free(read->session_id);
    read->public_key = g_strdup(text);
    read->recording_id = g_strndup((const char *) line->recording_id.data,
                                   line->recording_id.len);
    read->session_id = g_strndup((const char *) line->session_id.data,
                                 line->session_id.len);

    sum->public_key = read->public_key;
    sum->recording_id = read->recording_id;
    sum->session_id = read->session_id;
    sum->started_at = line->started_at;

    return TRUE;
}


static gboolean
record_read_line(record_read_t *read, const char *text, gsize len, gint64 n,
    const rs_recording_line_t *line, const char *key,
    record_read_sum_t *sum, GError **error)
{
    char             hex[RECORD_STORE_HEX];
    guint8           raw[RS_RECORDING_KEY_LEN];
    size_t           size;
    record_named_t   named;
    g_autofree char *hash = NULL;

    hex[rs_hex_encode(hex, line->prev, sizeof(line->prev))] = '\0';

    if (line->n != n || strcmp(hex, read->prev) != 0) {
        return record_read_changed(error, "not the one that followed", n);
    }

    if ((line->kind == RS_RECORDING_BEGIN) != (n == 0) || sum->ended) {
        return record_read_changed(error, "not where it may stand", n);
    }

    if (n == 0 && !record_read_begin(read, line, key, sum, error)) {
        return FALSE;
    }

    (void) rs_base64url_decode(raw, sizeof(raw), rs_str(read->public_key),
                               &size);

    if (rs_recording_verify(raw, text, line) != RS_OK) {
        return record_read_changed(error, "its signature is wrong", n);
    }

    if (n == 0 && !record_read_same(read, RECORD_STORE_MANIFEST, -1,
                                    line->sha256, error))
    {
        return FALSE;
    }

    if (line->file.len != 0) {
        memcpy(named.name, line->file.data, line->file.len);
        named.name[line->file.len] = '\0';
        named.events = (line->kind == RS_RECORDING_EVENTS);
        named.bytes = line->bytes;
        memcpy(named.sha256, line->sha256, sizeof(named.sha256));

        if (!record_read_same(read, named.name, line->bytes, line->sha256,
                              error))
        {
            return FALSE;
        }

        g_array_append_val(read->files, named);
    }

    sum->duration_ms = MAX(sum->duration_ms, line->t_ms + line->dur_ms);
    sum->segments += (line->kind == RS_RECORDING_MEDIA);
    sum->gaps += (line->kind == RS_RECORDING_GAP);
    sum->ended = (line->kind == RS_RECORDING_END);
    sum->kept = sum->ended && line->kept;

    if (sum->ended && (line->segments != sum->segments
                       || line->gaps != sum->gaps))
    {
        return record_read_changed(error, "counts other files", n);
    }

    hash = g_compute_checksum_for_data(G_CHECKSUM_SHA256,
                                       (const guchar *) text, len);
    g_strlcpy(read->prev, hash, sizeof(read->prev));

    return TRUE;
}


static gboolean
record_read_lines(record_read_t *read, GBytes *chain, const char *key,
    record_read_sum_t *sum, GError **error)
{
    gsize                 len, at;
    gint64                n;
    json_t               *obj;
    gboolean              good;
    const char           *text, *end;
    rs_json_error_t       err;
    rs_recording_line_t   line;

    text = g_bytes_get_data(chain, &len);
    at = 0;

    for (n = 0; at < len; n++) {
        end = memchr(text + at, '\n', len - at);

        if (end == NULL) {
            return record_read_changed(error, "is cut off", n);
        }

        if (rs_recording_parse(text + at, (size_t) (end - text) - at, &obj,
                               &line, &err)
            != RS_OK)
        {
            return record_read_changed(error, err.text, n);
        }

        good = record_read_line(read, text + at, (gsize) (end - text) - at,
                                n, &line, key, sum, error);
        json_decref(obj);

        if (!good) {
            return FALSE;
        }

        at = (gsize) (end - text) + 1;
    }

    return n > 0 || record_read_changed(error, "is missing", 0);
}


gboolean
record_read_verify(record_read_t *read, const char *key, const char *sha256,
    record_read_sum_t *sum, GError **error)
{
    gsize              len;
    const void        *data;
    g_autofree char   *hash = NULL;
    g_autoptr(GBytes)  chain = NULL;

    memset(sum, 0, sizeof(*sum));
    memset(read->prev, '0', sizeof(read->prev) - 1);
    g_array_set_size(read->files, 0);

    chain = record_read_file(read, RECORD_STORE_CHAIN, RECORD_READ_CHAIN_MAX,
                             error);

    if (chain == NULL || !record_read_lines(read, chain, key, sum, error)) {
        return FALSE;
    }

    data = g_bytes_get_data(chain, &len);
    hash = g_compute_checksum_for_data(G_CHECKSUM_SHA256, data, len);
    g_strlcpy(read->sha256, hash, sizeof(read->sha256));
    sum->sha256 = read->sha256;

    if (sha256 != NULL && g_ascii_strcasecmp(sha256, hash) != 0) {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_CHANGED,
                    RECORD_STORE_CHAIN " has the hash %s, not the one that "
                    "was asked for", hash);
        return FALSE;
    }

    return TRUE;
}


gboolean
record_read_decrypt(record_read_t *read, EVP_PKEY *key,
    GOutputStream *media, GOutputStream *events, GError **error)
{
    guint            i;
    gsize            len;
    const void      *data;
    GOutputStream   *out;
    record_named_t  *named;

    for (i = 0; i < read->files->len; i++) {
        g_autoptr(GBytes)  sealed = NULL;
        g_autoptr(GBytes)  plain = NULL;

        named = &g_array_index(read->files, record_named_t, i);
        out = named->events ? events : media;

        if (out == NULL) {
            continue;
        }

        /* it may be another one by now */

        sealed = record_read_signed(read, named->name, named->bytes,
                                    named->sha256, error);

        if (sealed == NULL) {
            return FALSE;
        }

        plain = record_cms_open(key, sealed, error);

        if (plain == NULL) {
            g_prefix_error(error, "%s: ", named->name);
            return FALSE;
        }

        data = g_bytes_get_data(plain, &len);

        if (!g_output_stream_write_all(out, data, len, NULL, NULL, error)) {
            return FALSE;
        }
    }

    return TRUE;
}
