
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Frames into segments: where these begin and end, what is in them, and that
 * nothing is without a picture or a sound.
 */

#include "fixture.h"
#include "rs_webm.h"


typedef struct {
    guint      n;
    gint64     t_ms[8];
    gint64     dur_ms[8];
    gboolean   key[8];
    gboolean   init[8];
    gsize      len[8];
    guint      silent[8];
    char      *mime;
    GBytes    *last;
} kept_t;


static void
on_segment(void *data, const record_segment_t *segment)
{
    gsize          i, len;
    guint          n;
    kept_t        *kept = data;
    const guint8  *p;

    n = kept->n++;
    kept->t_ms[n] = segment->t_ms;
    kept->dur_ms[n] = segment->dur_ms;
    kept->key[n] = segment->key;
    kept->init[n] = segment->init;
    kept->mime = (char *) segment->mime;
    p = g_bytes_get_data(segment->bytes, &len);
    kept->len[n] = len;
    kept->silent[n] = 0;

    for (i = 0; i + 3 <= len; i++) {
        kept->silent[n] += (memcmp(p + i, "\xf8\xff\xfe", 3) == 0);
    }

    g_clear_pointer(&kept->last, g_bytes_unref);
    kept->last = g_bytes_ref(segment->bytes);
}


static void
test_cuts(void)
{
    kept_t         kept = { 0 };
    gint64         t;
    record_mux_t  *mux;

    mux = record_mux_new(on_segment, &kept);

    ok(record_mux_wants(mux, 0), "a key frame is wanted first");
    ok(!fixture_frame(mux, 0, FALSE, 0), "nothing else is taken");
    ok(fixture_frame(mux, 10, TRUE, 1), "a key frame is");
    ok(!record_mux_wants(mux, 20), "another one is not wanted soon");

    for (t = 110; t < 4000; t += 100) {
        fixture_frame(mux, t, FALSE, 2);
    }

    fixture_frame(mux, 4010, TRUE, 3);
    ok(kept.n == 0, "one that comes early ends nothing");
    ok(record_mux_wants(mux, 8010), "wanted after 8 s");
    fixture_frame(mux, 8100, FALSE, 4);
    fixture_frame(mux, 8200, TRUE, 5);
    ok(kept.n == 1, "it ends the segment");
    ok(kept.t_ms[0] == 10 && kept.dur_ms[0] == 8190 && kept.key[0]
       && kept.init[0], "which is known by its times");
    is_str(kept.mime, "video/webm; codecs=\"vp8\"", "and what it is");

    for (t = 8300; t < 18200; t += 100) {
        fixture_frame(mux, t, FALSE, 2);
    }

    ok(kept.n == 1, "no key frame comes");
    fixture_frame(mux, 18200, FALSE, 2);
    ok(kept.n == 2 && kept.key[1] && !kept.init[1], "10 s are the most");

    record_mux_tick(mux, 30199);
    ok(kept.n == 2, "nor any frame");
    record_mux_tick(mux, 30200);
    ok(kept.n == 3 && !kept.key[2] && kept.t_ms[2] == 18200
       && kept.dur_ms[2] == 12000, "unless nothing comes at all");

    fixture_frame(mux, 31000, FALSE, 2);
    record_mux_flush(mux, 31500);
    ok(kept.n == 4 && kept.dur_ms[3] == 500, "what is open is flushed");
    ok(!fixture_frame(mux, 31600, FALSE, 2), "then a key frame is wanted");

    record_mux_free(mux);
    g_clear_pointer(&kept.last, g_bytes_unref);
}


static void
test_size(void)
{
    gsize              i;
    kept_t             kept = { 0 };
    record_mux_t      *mux;
    g_autofree guint8 *frame = NULL;

    frame = g_malloc0(RECORD_MUX_FRAME_MAX + 1);
    memcpy(frame, "\x10\2\0\x9d\1\x2a\x40\1\xc8", 10);
    mux = record_mux_new(on_segment, &kept);

    ok(!record_mux_video(mux, 0, frame, RECORD_MUX_FRAME_MAX + 1),
       "a frame that is too large");

    for (i = 0; i < 10; i++) {
        record_mux_video(mux, (gint64) i * 100, frame, 1000000);
    }

    ok(kept.n == 2 && kept.len[0] > 4000000
       && kept.len[0] < RECORD_MUX_BYTES + 1000,
       "4 MiB are the most of a segment");

    record_mux_free(mux);
    g_clear_pointer(&kept.last, g_bytes_unref);
}


static void
test_sound(void)
{
    gint64         t;
    kept_t         kept = { 0 };
    record_mux_t  *mux;
    guint8         packet[] = { 0xfc, 1, 2 };

    mux = record_mux_new(on_segment, &kept);
    record_mux_sounds(mux);
    ok(!record_mux_sound(mux, 0, packet, 3), "no sound before a picture");
    fixture_frame(mux, 0, TRUE, 1);

    for (t = 0; t < 2000; t += 20) {
        record_mux_sound(mux, t, packet, sizeof(packet));
    }

    ok(!record_mux_sound(mux, 1000, packet, 3), "none twice");

    for (t = 3000; t < 9000; t += 20) {
        record_mux_sound(mux, t, packet, sizeof(packet));
    }

    fixture_frame(mux, 9000, TRUE, 1);
    is_str(kept.mime, "video/webm; codecs=\"vp8,opus\"", "sound");
    ok(kept.silent[0] == 50, "1 s of silence is where none came");

    fixture_frame(mux, 18000, TRUE, 1);
    ok(kept.silent[1] == 425, "and where none comes any more");
    fixture_frame(mux, 18000 + 24 * 3600 * 1000, FALSE, 1);
    ok(kept.n == 3 && kept.silent[2] == RS_WEBM_SPAN_MS / 20,
       "a clock that leaps makes no silence of hours");
    record_mux_flush(mux, 18500);
    record_mux_free(mux);
    g_clear_pointer(&kept.last, g_bytes_unref);

    ok(record_mux_opus_ms((const guint8 *) "\xfc", 1) == 20, "20 ms");
    ok(record_mux_opus_ms((const guint8 *) "\xe0", 1) == 2, "2.5 ms");
    ok(record_mux_opus_ms((const guint8 *) "\x01", 1) == 20, "two of 10 ms");
    ok(record_mux_opus_ms((const guint8 *) "\xff\x06", 2) == 120, "six");
    ok(record_mux_opus_ms((const guint8 *) "\xff\x07", 2) == 0, "too many");
    ok(record_mux_opus_ms((const guint8 *) "\xff", 1) == 0, "none");
}


/* blocks are in the order of their times, pictures last until the next */

static void
test_order(void)
{
    gsize              len, at;
    kept_t             kept = { 0 };
    record_mux_t      *mux;
    const guint8      *p;
    guint8             packet[] = { 0xfc, 1, 2 };

    mux = record_mux_new(on_segment, &kept);
    record_mux_sounds(mux);
    fixture_frame(mux, 100, TRUE, 1);
    fixture_frame(mux, 200, FALSE, 2);
    record_mux_sound(mux, 120, packet, sizeof(packet));
    fixture_frame(mux, 200, FALSE, 3);
    record_mux_flush(mux, 500);

    p = g_bytes_get_data(kept.last, &len);

    for (at = 0; at + 4 < len && memcmp(p + at, "\x1f\x43\xb6\x75", 4);
         at++) { }

    at += RS_WEBM_CLUSTER_LEN;
    ok(p[at] == 0xa0 && p[at + 12] == 0 && p[at + 13] == 0, "first a picture");
    at += 9 + p[at + 8];
    ok(p[at] == 0xa3 && p[at + 2] == 0x82 && p[at + 4] == 20,
       "then the sound that came later");
    at += 2 + (p[at + 1] & 0x7f);
    ok(p[at] == 0xa0 && p[at + 13] == 100 && p[at + 33] == 1,
       "then a picture of 1 ms");
    at += 9 + p[at + 8];
    ok(p[at] == 0xa0 && p[at + 13] == 101
       && p[at + 31] == 0x9b && p[at + 32] == 0x82,
       "and the last until the end");

    record_mux_free(mux);
    g_clear_pointer(&kept.last, g_bytes_unref);
}


int
main(void)
{
    test_cuts();
    test_size();
    test_sound();
    test_order();

    return done();
}
