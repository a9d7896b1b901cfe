
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * One recording being written: docs/design/recording.md.  Everything waits
 * for the disk, so nothing here belongs on the main loop: record_writer.h.
 */

#ifndef _RECORD_STORE_H_INCLUDED_
#define _RECORD_STORE_H_INCLUDED_


#include "record_cms.h"
#include "record_mux.h"

#include "rs_recording.h"


#define RECORD_STORE_EVENTS_MS   10000      /* kept in memory so long */
#define RECORD_STORE_EVENTS_MAX  65536      /* and so many bytes */
#define RECORD_STORE_MANIFEST    "manifest.json"
#define RECORD_STORE_CHAIN       "chain.jsonl"
#define RECORD_STORE_HEX         65         /* of a hash, with NUL */


typedef struct record_store_s  record_store_t;


/* signs by the service's key; base64url, or NULL */
typedef char *(*record_sign_pt)(void *data, const guint8 *text, gsize len,
    GError **error);


/* a key that recordings were begun with before, and what sign takes for it */

typedef struct {
    const char              *public_key;    /* base64url */
    void                    *data;
} record_store_key_t;


typedef struct {
    const char              *dir;           /* of all recordings */
    const char              *id;            /* rec_... */
    const char              *session_id;
    const char              *tenant;
    const char              *device_id;
    const char              *public_key;    /* base64url */
    gint64                   started_at;    /* ms of 1970 */
    json_t                  *session;       /* for people; or NULL */
    const record_auditors_t *auditors;      /* outlives the store */
    record_sign_pt           sign;
    void                    *data;

    /* of record_store_recover(), or NULL; the last one has no public_key */
    const record_store_key_t  *older;
} record_store_params_t;


/* What a recording is when it has ended. */

typedef struct {
    gint64     duration_ms;
    gint64     bytes;                       /* of all its files */
    guint      segments;
    guint      gaps;
    char       sha256[RECORD_STORE_HEX];    /* of chain.jsonl */
} record_sum_t;


record_store_t *record_store_new(const record_store_params_t *params,
    GError **error);

/* FALSE: nothing more can be written to it. */
gboolean record_store_media(record_store_t *store,
    const record_segment_t *segment, GError **error);
gboolean record_store_gap(record_store_t *store, gint64 t_ms, gint64 dur_ms,
    guint why, GError **error);

/* Takes event over, which gets "t_ms". */
gboolean record_store_event(record_store_t *store, gint64 t_ms,
    json_t *event, GError **error);

/* What was said of events is on the disk when it is old enough. */
gboolean record_store_tick(record_store_t *store, gint64 now_ms,
    GError **error);

gboolean record_store_end(record_store_t *store, gint64 t_ms, gboolean kept,
    const char *reason, record_sum_t *sum, GError **error);

/* Leaves what is there as it is. */
void record_store_free(record_store_t *store);

/*
 * Ends a recording that nobody ended, as "incomplete": what no line names is
 * removed, a line that was cut off too.  By the key that it was begun with.
 * FALSE: it is none, or of a key that is not among those.
 */
gboolean record_store_recover(const record_store_params_t *params,
    record_sum_t *sum, GError **error);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(record_store_t, record_store_free)


#endif /* _RECORD_STORE_H_INCLUDED_ */
