
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A recording being written, off the main loop: everything is queued for a
 * thread of its own, in order, and what comes of it is told on the main loop.
 */

#ifndef _RECORD_WRITER_H_INCLUDED_
#define _RECORD_WRITER_H_INCLUDED_


#include "record_store.h"


#define RECORD_WRITER_MAX      (64 * 1024 * 1024)   /* bytes that wait */
#define RECORD_WRITER_LATE_MS  20000                /* and so long */


typedef struct record_writer_s  record_writer_t;


typedef struct {
    /*
     * Nothing more can be written, what is there stays as it is; or the disk
     * takes less than what comes, or nothing.  The last event.
     */
    void  (*failed)(void *data, const GError *error);

    /* Behind record_writer_end(), unless it failed; the last event. */
    void  (*ended)(void *data, const record_sum_t *sum);
} record_writer_events_t;


/*
 * params are copied; but what they point to by data outlives the writer, and
 * sign is called on its thread.
 */
record_writer_t *record_writer_new(const record_store_params_t *params,
    const record_writer_events_t *events, void *data);

void record_writer_media(record_writer_t *writer,
    const record_segment_t *segment);
void record_writer_gap(record_writer_t *writer, gint64 t_ms, gint64 dur_ms,
    guint why);
void record_writer_event(record_writer_t *writer, gint64 t_ms,
    json_t *event);
void record_writer_tick(record_writer_t *writer, gint64 now_ms);
void record_writer_end(record_writer_t *writer, gint64 t_ms, gboolean kept,
    const char *reason);

/* Other than RECORD_WRITER_LATE_MS. */
void record_writer_patience(record_writer_t *writer, guint late_ms);

/*
 * Waits for what is queued, if the disk does not hang; no event runs any more.
 * freed, or NULL: its files are closed, what params point to is of no use any
 * more: at once, or on the main loop when a disk that hangs lets go of them.
 */
void record_writer_free(record_writer_t *writer, GDestroyNotify freed,
    void *data);


#endif /* _RECORD_WRITER_H_INCLUDED_ */
