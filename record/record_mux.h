
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Frames, as the host encoded them, into segments of WebM: pieces of one file
 * that can be kept one by one.  No I/O, and no clock but that of the frames.
 */

#ifndef _RECORD_MUX_H_INCLUDED_
#define _RECORD_MUX_H_INCLUDED_


#include <glib.h>


#define RECORD_MUX_KEY_MS      8000     /* a key frame is wanted after so
                                           much of a segment */
#define RECORD_MUX_EARLY_MS    5000     /* and taken for the next one's first
                                           after so much */
#define RECORD_MUX_LONG_MS     10000    /* with or without one */
#define RECORD_MUX_STILL_MS    12000    /* with or without another frame */
#define RECORD_MUX_BYTES       (4 * 1024 * 1024)
#define RECORD_MUX_FRAME_MAX   (3 * 1024 * 1024)


typedef struct record_mux_s  record_mux_t;


typedef struct {
    GBytes      *bytes;         /* a head, if init, and a cluster */
    gint64       t_ms;          /* of its first frame */
    gint64       dur_ms;
    gboolean     key;           /* which is a key frame */
    gboolean     init;          /* the first one */
    const char  *mime;          /* of the recording; static */
} record_segment_t;


typedef void (*record_mux_pt)(void *data, const record_segment_t *segment);


record_mux_t *record_mux_new(record_mux_pt segment, void *data);
void record_mux_free(record_mux_t *mux);

/*
 * There is going to be sound.  What was said up to the end of the first
 * segment is what the recording has.
 */
void record_mux_sounds(record_mux_t *mux);

/*
 * One frame of VP8, one packet of Opus.  FALSE: it is none, or cannot be
 * used, as nothing stands before it.
 */
gboolean record_mux_video(record_mux_t *mux, gint64 t_ms, const guint8 *data,
    gsize len);
gboolean record_mux_sound(record_mux_t *mux, gint64 t_ms,
    const guint8 *data, gsize len);

/* No frame has come up to now. */
void record_mux_tick(record_mux_t *mux, gint64 now_ms);

/* What is open is a segment; the next frame has to be a key frame. */
void record_mux_flush(record_mux_t *mux, gint64 now_ms);

/* Whether the host should send a key frame. */
gboolean record_mux_wants(const record_mux_t *mux, gint64 now_ms);

/* ms of a packet of Opus (RFC 6716, 3.1); 0: it is none. */
guint record_mux_opus_ms(const guint8 *data, gsize len);


#endif /* _RECORD_MUX_H_INCLUDED_ */
