
/*
 * Copyright (C) rs-gateway contributors
 *
 * What is written is WebM: sizes are those of what they stand before, and
 * nothing goes beyond a cluster's span or the buffer.
 */


#include "tap.h"
#include "rs_webm.h"


static size_t test_find(const rs_buf_t *b, const char *bytes, size_t n);
static uint64_t test_size(const uint8_t *p, size_t *n);
static void test_head(void);
static void test_cluster(void);
static void test_bounds(void);
static void test_vp8(void);


static const rs_webm_tracks_t  test_tracks = { 1280, 720, 1 };


static size_t
test_find(const rs_buf_t *b, const char *bytes, size_t n)
{
    size_t  i;

    for (i = 0; i + n <= b->len; i++) {
        if (memcmp(b->data + i, bytes, n) == 0) {
            return i;
        }
    }

    return b->len;
}


static uint64_t
test_size(const uint8_t *p, size_t *n)
{
    size_t    i;
    uint64_t  v;

    for (*n = 1; *n < 8 && !(p[0] & (0x80 >> (*n - 1))); (*n)++) { }

    v = p[0] & (0xff >> *n);

    for (i = 1; i < *n; i++) {
        v = v << 8 | p[i];
    }

    return v;
}


static void
test_head(void)
{
    size_t    n, at;
    char      room[RS_WEBM_HEAD_MAX];
    rs_buf_t  b;

    rs_buf_init(&b, room, sizeof(room));
    rs_webm_head(&b, &test_tracks);

    ok(!b.overflow, "fits");
    ok(memcmp(b.data, "\x1a\x45\xdf\xa3", 4) == 0, "begins as EBML");

    at = 4 + test_size(b.data + 4, &n) + n;
    ok(memcmp(b.data + at, "\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff",
              12) == 0, "a segment without an end behind it");

    at += 12;
    ok(memcmp(b.data + at, "\x15\x49\xa9\x66", 4) == 0, "Info");
    at += 4 + test_size(b.data + at + 4, &n) + n;
    ok(memcmp(b.data + at, "\x16\x54\xae\x6b", 4) == 0, "Tracks");
    at += 4 + test_size(b.data + at + 4, &n) + n;
    is_int(at, b.len, "and no more");

    ok(test_find(&b, "\x86\x85V_VP8", 7) < b.len, "a picture");
    ok(test_find(&b, "\xb0\x82\x05\x00\xba\x82\x02\xd0", 8) < b.len,
       "of its size");
    ok(test_find(&b, "\x86\x86" "A_OPUS", 8) < b.len, "sound");
    ok(test_find(&b, "OpusHead", 8) < b.len, "with its head");

    rs_buf_init(&b, room, sizeof(room));
    rs_webm_head(&b, &(rs_webm_tracks_t) { 320, 200, 0 });
    ok(test_find(&b, "A_OPUS", 6) == b.len, "no sound where there is none");
}


static void
test_cluster(void)
{
    size_t             n;
    char               room[256];
    rs_buf_t           b;
    const uint8_t     *p;
    rs_webm_cluster_t  c;
    rs_webm_frame_t    f = { RS_WEBM_VIDEO, 5250, 40, 1,
                             (const uint8_t *) "abc", 3 };

    rs_buf_init(&b, room, sizeof(room));
    rs_webm_cluster(&b, &c, 5000);
    is_int(b.len, RS_WEBM_CLUSTER_LEN, "a cluster's beginning");
    ok(memcmp(b.data + 12, "\xe7\x88\0\0\0\0\0\0\x13\x88", 10) == 0,
       "its time");

    ok(rs_webm_frame(&b, &c, &f), "a key frame");
    f.key = 0;
    f.t_ms = 5290;
    ok(rs_webm_frame(&b, &c, &f), "a frame");
    f.track = RS_WEBM_SOUND;
    f.key = 1;
    f.duration_ms = 0;
    ok(rs_webm_frame(&b, &c, &f), "sound");

    rs_webm_cluster_end(&b, &c);
    is_int(test_size(b.data + 4, &n), b.len - 12, "its size");

    p = b.data + RS_WEBM_CLUSTER_LEN;
    ok(memcmp(p, "\xa0", 1) == 0, "a group");
    n = 0;
    ok(memcmp(p + 9, "\xa1\x87\x81\x00\xfa\0abc\x9b\x81\x28", 12) == 0,
       "its block, after 250 ms, of 40 ms");
    p += 9 + test_size(p + 1, &n);
    ok(memcmp(p + 9, "\xa1\x87\x81\x01\x22\0abc\x9b\x81\x28\xfb\x81\xff", 15)
       == 0, "the next refers to another one");
    p += 9 + test_size(p + 1, &n);
    ok(memcmp(p, "\xa3\x87\x82\x01\x22\x80" "abc", 9) == 0,
       "sound is a simple block");
    is_int((size_t) (p + 9 - b.data), b.len, "the last");
}


static void
test_bounds(void)
{
    char               room[128];
    rs_buf_t           b;
    rs_webm_cluster_t  c;
    rs_webm_frame_t    f = { RS_WEBM_VIDEO, 999, 40, 1,
                             (const uint8_t *) "abc", 3 };

    rs_buf_init(&b, room, sizeof(room));
    rs_webm_cluster(&b, &c, 1000);
    ok(!rs_webm_frame(&b, &c, &f), "not before its cluster");
    f.t_ms = 1000 + RS_WEBM_SPAN_MS + 1;
    ok(!rs_webm_frame(&b, &c, &f), "not beyond its span");
    f.t_ms--;
    ok(rs_webm_frame(&b, &c, &f), "the last one that fits");
    ok(!b.overflow, "no overflow");
    ok(rs_webm_frame(&b, &c, &f) || !b.overflow, "nothing that overflows");

    rs_buf_init(&b, room, 10);
    rs_webm_cluster(&b, &c, 1000);
    ok(b.overflow, "no room");
    rs_webm_cluster_end(&b, &c);
    f.t_ms = 1000;
    ok(!rs_webm_frame(&b, &c, &f), "then nothing is written");
}


static void
test_vp8(void)
{
    int       key;
    unsigned  w, h;

    static const uint8_t  frame[] = { 0x10, 2, 0, 0x9d, 1, 0x2a, 0, 0x45,
                                      0xd0, 0x02 };

    w = h = 0;
    ok(rs_webm_vp8(frame, sizeof(frame), &key, &w, &h) && key,
       "a key frame");
    is_int(w, 1280, "its width, without the scale");
    is_int(h, 720, "its height");
    ok(rs_webm_vp8((const uint8_t *) "\x11\0\0", 3, &key, &w, &h) && !key,
       "another frame");
    ok(!rs_webm_vp8(frame, 9, &key, &w, &h), "cut off");
    ok(!rs_webm_vp8(frame, 2, &key, &w, &h), "too short");
    ok(!rs_webm_vp8((const uint8_t *) "\x10\0\0xxxxxxx", 10, &key, &w, &h),
       "no start code");
}


int
main(void)
{
    test_head();
    test_cluster();
    test_bounds();
    test_vp8();

    return tap_done();
}
