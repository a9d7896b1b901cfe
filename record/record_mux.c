
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the segment that is being made.  Its frames are kept until it ends,
 * and written in the order of their times, each picture with the time it was
 * seen: so a player has no hole where nothing moved.  For the same reason
 * silence is put where packets of sound are missing.
 */

#include "record_mux.h"
#include "rs_webm.h"

#include <string.h>


#define RECORD_MUX_FRAMES     20000     /* of a segment */
#define RECORD_MUX_HOLE_MS    60        /* of sound: from here on silence */
#define RECORD_MUX_LATE_MS    500       /* sound may come behind a picture */
#define RECORD_MUX_QUIET_MS   20        /* of a packet of silence */


typedef struct {
    guint     track;
    gint64    t_ms;
    gint64    duration_ms;
    gboolean  key;
    gsize     at;                       /* in blob */
    gsize     len;
    guint     order;
} record_frame_t;


struct record_mux_s {
    record_mux_pt      segment;
    void              *data;

    rs_webm_tracks_t   tracks;
    gboolean           begun;           /* the head was written */
    gboolean           sound;           /* is going to be there */

    gboolean           open;
    gboolean           waits;           /* for a key frame */
    gboolean           key;             /* the segment has one first */
    gint64             start_ms;
    GArray            *frames;
    GByteArray        *blob;

    gint64             video_ms;        /* of the last picture; -1: none */
    gint64             heard_ms;        /* up to here there is sound */
};


/* a packet of Opus, 20 ms, in which nothing is heard */

static const guint8  record_mux_silence[] = { 0xf8, 0xff, 0xfe };


static void record_mux_begin(record_mux_t *mux, gint64 t_ms, gboolean key);
static void record_mux_end(record_mux_t *mux, gint64 end_ms);
static void record_mux_push(record_mux_t *mux, guint track, gint64 t_ms,
    gboolean key, const guint8 *data, gsize len);
static void record_mux_quiet(record_mux_t *mux, gint64 until_ms);
static void record_mux_last(record_mux_t *mux, gint64 end_ms);
static int record_mux_order(gconstpointer a, gconstpointer b);
static void record_mux_write(record_mux_t *mux, gint64 end_ms);


record_mux_t *
record_mux_new(record_mux_pt segment, void *data)
{
    record_mux_t  *mux;

    mux = g_new0(record_mux_t, 1);
    mux->segment = segment;
    mux->data = data;
    mux->waits = TRUE;
    mux->video_ms = -1;
    mux->frames = g_array_new(FALSE, FALSE, sizeof(record_frame_t));
    mux->blob = g_byte_array_new();

    return mux;
}


void
record_mux_free(record_mux_t *mux)
{
    g_array_unref(mux->frames);
    g_byte_array_unref(mux->blob);
    g_free(mux);
}


void
record_mux_sounds(record_mux_t *mux)
{
    if (!mux->begun) {
        mux->sound = TRUE;
    }
}


static void
record_mux_begin(record_mux_t *mux, gint64 t_ms, gboolean key)
{
    mux->open = TRUE;
    mux->key = key;
    mux->start_ms = t_ms;
    mux->heard_ms = MAX(mux->heard_ms, t_ms);
}


static void
record_mux_push(record_mux_t *mux, guint track, gint64 t_ms, gboolean key,
    const guint8 *data, gsize len)
{
    record_frame_t  frame;

    frame.track = track;
    frame.t_ms = t_ms;
    frame.duration_ms = 0;
    frame.key = key;
    frame.at = mux->blob->len;
    frame.len = len;
    frame.order = mux->frames->len;

    g_byte_array_append(mux->blob, data, (guint) len);
    g_array_append_val(mux->frames, frame);
}


gboolean
record_mux_video(record_mux_t *mux, gint64 t_ms, const guint8 *data,
    gsize len)
{
    int       key;
    gint64    age_ms;
    unsigned  width, height;

    if (t_ms < 0 || len > RECORD_MUX_FRAME_MAX
        || !rs_webm_vp8(data, len, &key, &width, &height)
        || (mux->waits && !key))
    {
        return FALSE;
    }

    /* no two pictures at a time, nor one before another */

    t_ms = MAX(t_ms, mux->video_ms + 1);

    if (mux->open) {
        age_ms = t_ms - mux->start_ms;

        if ((key && age_ms >= RECORD_MUX_EARLY_MS)
            || age_ms >= RECORD_MUX_LONG_MS
            || mux->blob->len + len > RECORD_MUX_BYTES
            || mux->frames->len >= RECORD_MUX_FRAMES)
        {
            record_mux_end(mux, t_ms);
        }
    }

    if (!mux->open) {
        record_mux_begin(mux, t_ms, key);
    }

    if (mux->tracks.width == 0) {
        mux->tracks.width = width;
        mux->tracks.height = height;
    }

    mux->waits = FALSE;
    mux->video_ms = t_ms;
    record_mux_push(mux, RS_WEBM_VIDEO, t_ms, key, data, len);

    return TRUE;
}


gboolean
record_mux_sound(record_mux_t *mux, gint64 t_ms, const guint8 *data,
    gsize len)
{
    guint  span_ms;

    record_mux_sounds(mux);
    span_ms = record_mux_opus_ms(data, len);

    if (span_ms == 0 || !mux->open || !mux->sound || t_ms < mux->heard_ms
        || t_ms - mux->start_ms > RECORD_MUX_STILL_MS
        || mux->blob->len + len > 2 * RECORD_MUX_BYTES
        || mux->frames->len >= 2 * RECORD_MUX_FRAMES)
    {
        return FALSE;
    }

    if (t_ms - mux->heard_ms > RECORD_MUX_HOLE_MS) {
        record_mux_quiet(mux, t_ms);
    }

    record_mux_push(mux, RS_WEBM_SOUND, t_ms, TRUE, data, len);
    mux->heard_ms = t_ms + span_ms;

    return TRUE;
}


static void
record_mux_quiet(record_mux_t *mux, gint64 until_ms)
{
    while (mux->heard_ms + RECORD_MUX_QUIET_MS <= until_ms) {
        record_mux_push(mux, RS_WEBM_SOUND, mux->heard_ms, TRUE,
                        record_mux_silence, sizeof(record_mux_silence));
        mux->heard_ms += RECORD_MUX_QUIET_MS;
    }
}


void
record_mux_tick(record_mux_t *mux, gint64 now_ms)
{
    if (mux->open && now_ms - mux->start_ms >= RECORD_MUX_STILL_MS) {
        record_mux_end(mux, now_ms);
    }
}


void
record_mux_flush(record_mux_t *mux, gint64 now_ms)
{
    if (mux->open) {
        record_mux_end(mux, CLAMP(now_ms, mux->video_ms + 1,
                                  mux->start_ms + RS_WEBM_SPAN_MS));
    }

    mux->waits = TRUE;
}


gboolean
record_mux_wants(const record_mux_t *mux, gint64 now_ms)
{
    return mux->waits
           || (mux->open && now_ms - mux->start_ms >= RECORD_MUX_KEY_MS);
}


static int
record_mux_order(gconstpointer a, gconstpointer b)
{
    const record_frame_t  *x = a, *y = b;

    if (x->t_ms != y->t_ms) {
        return (x->t_ms < y->t_ms) ? -1 : 1;
    }

    return (x->order < y->order) ? -1 : 1;
}


/* each picture is seen until the next one is */

static void
record_mux_last(record_mux_t *mux, gint64 end_ms)
{
    guint            i;
    gint64           next_ms;
    record_frame_t  *frame;

    next_ms = end_ms;

    for (i = mux->frames->len; i > 0; i--) {
        frame = &g_array_index(mux->frames, record_frame_t, i - 1);

        if (frame->track == RS_WEBM_VIDEO) {
            frame->duration_ms = MAX(next_ms - frame->t_ms, 1);
            next_ms = frame->t_ms;
        }
    }
}


/* a host's clock may leap: no cluster is longer than it may be */

static void
record_mux_end(record_mux_t *mux, gint64 end_ms)
{
    if (mux->sound && end_ms - mux->heard_ms > 2 * RECORD_MUX_LATE_MS) {
        record_mux_quiet(mux, MIN(end_ms - RECORD_MUX_LATE_MS,
                                  mux->start_ms + RS_WEBM_SPAN_MS));
    }

    g_array_sort(mux->frames, record_mux_order);
    record_mux_last(mux, end_ms);
    record_mux_write(mux, end_ms);

    mux->open = FALSE;
    g_array_set_size(mux->frames, 0);
    g_byte_array_set_size(mux->blob, 0);
}


static void
record_mux_write(record_mux_t *mux, gint64 end_ms)
{
    gsize               size;
    guint               i;
    rs_buf_t            b;
    record_frame_t     *frame;
    rs_webm_frame_t     out;
    record_segment_t    segment;
    rs_webm_cluster_t   cluster;
    g_autoptr(GBytes)   bytes = NULL;

    size = RS_WEBM_HEAD_MAX + RS_WEBM_CLUSTER_LEN + mux->blob->len
           + (gsize) mux->frames->len * RS_WEBM_BLOCK_MAX;
    rs_buf_init(&b, g_malloc(size), size);

    if (!mux->begun) {
        mux->tracks.sound = mux->sound;
        rs_webm_head(&b, &mux->tracks);
    }

    frame = &g_array_index(mux->frames, record_frame_t, 0);
    segment.t_ms = frame->t_ms;
    rs_webm_cluster(&b, &cluster, frame->t_ms);

    for (i = 0; i < mux->frames->len; i++) {
        frame = &g_array_index(mux->frames, record_frame_t, i);
        out.track = frame->track;
        out.t_ms = frame->t_ms;
        out.duration_ms = frame->duration_ms;
        out.key = frame->key;
        out.data = mux->blob->data + frame->at;
        out.len = frame->len;

        (void) rs_webm_frame(&b, &cluster, &out);
    }

    rs_webm_cluster_end(&b, &cluster);
    bytes = g_bytes_new_take(b.data, b.len);

    segment.bytes = bytes;
    segment.dur_ms = MAX(end_ms - segment.t_ms, 0);
    segment.key = mux->key;
    segment.init = !mux->begun;
    segment.mime = mux->sound ? "video/webm; codecs=\"vp8,opus\""
                              : "video/webm; codecs=\"vp8\"";
    mux->begun = TRUE;
    mux->segment(mux->data, &segment);
}


guint
record_mux_opus_ms(const guint8 *data, gsize len)
{
    guint  config, frames, tenths;

    static const guint  silk[] = { 100, 200, 400, 600 };
    static const guint  celt[] = { 25, 50, 100, 200 };

    if (len == 0) {
        return 0;
    }

    config = data[0] >> 3;
    tenths = (config < 12) ? silk[config & 3]
             : (config < 16) ? ((config & 1) ? 200 : 100) : celt[config & 3];

    switch (data[0] & 3) {

    case 0:
        frames = 1;
        break;

    case 3:
        frames = (len > 1) ? data[1] & 0x3f : 0;
        break;

    default:
        frames = 2;
    }

    tenths *= frames;

    return (tenths <= 1200) ? MAX(tenths / 10, frames ? 1 : 0) : 0;
}
