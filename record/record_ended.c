
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns what the gateway is told of a chain: its first line says whose it is,
 * its last one what it became.  What is between is verified by who reads it,
 * with the hash that is told.
 */

#define G_LOG_DOMAIN  "rs-record"

#include "record_chain.h"
#include "record_ended.h"
#include "record_error.h"

#include <string.h>


static gboolean record_ended_begin(record_ended_t *ended, const char *id,
    const char *text, gsize len, guint8 key[RS_RECORDING_KEY_LEN]);
static gboolean record_ended_end(record_ended_t *ended, const char *text,
    gsize len, const guint8 key[RS_RECORDING_KEY_LEN]);
static const char *record_ended_reason(rs_str_t reason);


/* words of the chain that are those of the protocol */

static const char *const  record_ended_reasons[] = {
    "ended", "lost", "disk_full", "error"
};


static const char *
record_ended_reason(rs_str_t reason)
{
    gsize  i;

    for (i = 0; i < G_N_ELEMENTS(record_ended_reasons); i++) {
        if (rs_str_eq(reason, rs_str(record_ended_reasons[i]))) {
            return record_ended_reasons[i];
        }
    }

    return rs_str_eq(reason, RS_STR("recorder_crashed")) ? "recovered"
                                                         : "error";
}


static gboolean
record_ended_begin(record_ended_t *ended, const char *id, const char *text,
    gsize len, guint8 key[RS_RECORDING_KEY_LEN])
{
    json_t               *obj;
    gboolean              its;
    rs_recording_line_t   line;

    obj = record_chain_line(text, len, NULL, &line);
    its = obj != NULL && rs_str_eq(line.recording_id, rs_str(id));

    if (its) {
        memcpy(key, line.public_key, RS_RECORDING_KEY_LEN);
        ended->session_id = g_strndup((const char *) line.session_id.data,
                                      line.session_id.len);
    }

    json_decref(obj);

    return its;
}


static gboolean
record_ended_end(record_ended_t *ended, const char *text, gsize len,
    const guint8 key[RS_RECORDING_KEY_LEN])
{
    json_t               *obj;
    gboolean              ends;
    rs_recording_line_t   line;

    obj = record_chain_line(text, len, key, &line);
    ends = obj != NULL && line.kind == RS_RECORDING_END;

    if (ends) {
        ended->reason = record_ended_reason(line.reason);
        ended->sum.duration_ms = line.t_ms;
        ended->sum.bytes = line.bytes + (gint64) len + 1;
        ended->sum.segments = (guint) line.segments;
        ended->sum.gaps = (guint) line.gaps;
    }

    json_decref(obj);

    return ends;
}


gboolean
record_ended_read(const char *dir, const char *id, record_ended_t *ended,
    GError **error)
{
    gsize              len;
    guint8             key[RS_RECORDING_KEY_LEN];
    const char        *end, *last;
    g_autofree char   *path = NULL;
    g_autofree char   *text = NULL;
    g_autofree char   *hash = NULL;

    memset(ended, 0, sizeof(*ended));
    path = g_build_filename(dir, id, RECORD_STORE_CHAIN, NULL);

    if (!g_file_get_contents(path, &text, &len, error)) {
        return FALSE;
    }

    end = memchr(text, '\n', len);
    last = (end != NULL && text[len - 1] == '\n')
           ? memrchr(text, '\n', len - 1) : NULL;

    if (last == NULL
        || !record_ended_begin(ended, id, text, (gsize) (end - text), key)
        || !record_ended_end(ended, last + 1,
                             (gsize) (text + len - 1 - (last + 1)), key))
    {
        record_ended_clear(ended);
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_FORM, "%s has no end",
                    path);
        return FALSE;
    }

    hash = g_compute_checksum_for_data(G_CHECKSUM_SHA256,
                                       (const guchar *) text, len);
    g_strlcpy(ended->sum.sha256, hash, sizeof(ended->sum.sha256));

    return TRUE;
}


void
record_ended_clear(record_ended_t *ended)
{
    g_clear_pointer(&ended->session_id, g_free);
}
