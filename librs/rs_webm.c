
/*
 * Copyright (C) rs-gateway contributors
 */


#include "rs_webm.h"

#include <string.h>


/* RFC 9559, 5: the elements that are written */

#define RS_WEBM_EBML             0x1a45dfa3
#define RS_WEBM_EBML_VERSION     0x4286
#define RS_WEBM_EBML_READ        0x42f7
#define RS_WEBM_EBML_ID_LEN      0x42f2
#define RS_WEBM_EBML_SIZE_LEN    0x42f3
#define RS_WEBM_DOC_TYPE         0x4282
#define RS_WEBM_DOC_VERSION      0x4287
#define RS_WEBM_DOC_READ         0x4285
#define RS_WEBM_SEGMENT          0x18538067
#define RS_WEBM_INFO             0x1549a966
#define RS_WEBM_SCALE            0x2ad7b1
#define RS_WEBM_MUXER            0x4d80
#define RS_WEBM_WRITER           0x5741
#define RS_WEBM_TRACKS           0x1654ae6b
#define RS_WEBM_ENTRY            0xae
#define RS_WEBM_NUMBER           0xd7
#define RS_WEBM_UID              0x73c5
#define RS_WEBM_TYPE             0x83
#define RS_WEBM_LACING           0x9c
#define RS_WEBM_CODEC            0x86
#define RS_WEBM_PRIVATE          0x63a2
#define RS_WEBM_DELAY            0x56aa
#define RS_WEBM_PREROLL          0x56bb
#define RS_WEBM_PICTURE          0xe0
#define RS_WEBM_WIDTH            0xb0
#define RS_WEBM_HEIGHT           0xba
#define RS_WEBM_AUDIO            0xe1
#define RS_WEBM_RATE             0xb5
#define RS_WEBM_CHANNELS         0x9f
#define RS_WEBM_CLUSTER          0x1f43b675
#define RS_WEBM_TIME             0xe7
#define RS_WEBM_GROUP            0xa0
#define RS_WEBM_BLOCK            0xa1
#define RS_WEBM_DURATION         0x9b
#define RS_WEBM_REFERENCE        0xfb
#define RS_WEBM_SIMPLE           0xa3

#define RS_WEBM_UNKNOWN          0x00ffffffffffffffULL
#define RS_WEBM_SCALE_NS         1000000            /* so times are in ms */
#define RS_WEBM_PREROLL_NS       80000000           /* RFC 7845, 4.6 */
#define RS_WEBM_NAME             "rs-record"


static void rs_webm_id(rs_buf_t *b, uint32_t id);
static void rs_webm_big(rs_buf_t *b, uint64_t v, unsigned n);
static void rs_webm_size(rs_buf_t *b, uint64_t len);
static void rs_webm_size_8(rs_buf_t *b, uint64_t len);
static void rs_webm_uint(rs_buf_t *b, uint32_t id, uint64_t v);
static void rs_webm_bytes(rs_buf_t *b, uint32_t id, rs_str_t s);
static void rs_webm_video(rs_buf_t *b, const rs_webm_tracks_t *tracks);
static void rs_webm_audio(rs_buf_t *b);
static size_t rs_webm_open(rs_buf_t *b, uint32_t id);
static void rs_webm_close(rs_buf_t *b, size_t at);


/* RFC 7845, 5.1: two channels, no skip of its own, 48 kHz, mapping 0 */

static const uint8_t  rs_webm_opus[] = {
    'O', 'p', 'u', 's', 'H', 'e', 'a', 'd', 1, 2, 0, 0, 0x80, 0xbb, 0, 0,
    0, 0, 0
};


static void
rs_webm_id(rs_buf_t *b, uint32_t id)
{
    unsigned  n;

    n = (id > 0xffffff) ? 4 : (id > 0xffff) ? 3 : (id > 0xff) ? 2 : 1;
    rs_webm_big(b, id, n);
}


static void
rs_webm_big(rs_buf_t *b, uint64_t v, unsigned n)
{
    while (n--) {
        rs_buf_char(b, (char) (v >> (8 * n) & 0xff));
    }
}


/* RFC 8794, 4: all bits of a width set mean "unknown" */

static void
rs_webm_size(rs_buf_t *b, uint64_t len)
{
    unsigned  n;

    for (n = 1; n < 8 && len >= (1ULL << (7 * n)) - 1; n++) { /* void */ }

    rs_webm_big(b, len | 1ULL << (7 * n), n);
}


static void
rs_webm_size_8(rs_buf_t *b, uint64_t len)
{
    rs_webm_big(b, len | 1ULL << 56, 8);
}


static void
rs_webm_uint(rs_buf_t *b, uint32_t id, uint64_t v)
{
    unsigned  n;

    for (n = 1; n < 8 && v >> (8 * n) != 0; n++) { /* void */ }

    rs_webm_id(b, id);
    rs_webm_size(b, n);
    rs_webm_big(b, v, n);
}


static void
rs_webm_bytes(rs_buf_t *b, uint32_t id, rs_str_t s)
{
    rs_webm_id(b, id);
    rs_webm_size(b, s.len);
    rs_buf_str(b, s);
}


/* an element whose size is filled in when it is closed */

static size_t
rs_webm_open(rs_buf_t *b, uint32_t id)
{
    size_t  at;

    rs_webm_id(b, id);
    at = b->len;
    rs_webm_size_8(b, 0);

    return at;
}


static void
rs_webm_close(rs_buf_t *b, size_t at)
{
    rs_buf_t  size;

    if (b->overflow) {
        return;
    }

    rs_buf_init(&size, b->data + at, 8);
    rs_webm_size_8(&size, b->len - at - 8);
}


static void
rs_webm_video(rs_buf_t *b, const rs_webm_tracks_t *tracks)
{
    size_t  entry, picture;

    entry = rs_webm_open(b, RS_WEBM_ENTRY);
    rs_webm_uint(b, RS_WEBM_NUMBER, RS_WEBM_VIDEO);
    rs_webm_uint(b, RS_WEBM_UID, RS_WEBM_VIDEO);
    rs_webm_uint(b, RS_WEBM_TYPE, 1);
    rs_webm_uint(b, RS_WEBM_LACING, 0);
    rs_webm_bytes(b, RS_WEBM_CODEC, RS_STR("V_VP8"));

    picture = rs_webm_open(b, RS_WEBM_PICTURE);
    rs_webm_uint(b, RS_WEBM_WIDTH, tracks->width);
    rs_webm_uint(b, RS_WEBM_HEIGHT, tracks->height);
    rs_webm_close(b, picture);

    rs_webm_close(b, entry);
}


static void
rs_webm_audio(rs_buf_t *b)
{
    size_t  entry, audio;

    static const uint8_t  rate[] = { 0x47, 0x3b, 0x80, 0 };  /* 48000.0 */

    entry = rs_webm_open(b, RS_WEBM_ENTRY);
    rs_webm_uint(b, RS_WEBM_NUMBER, RS_WEBM_SOUND);
    rs_webm_uint(b, RS_WEBM_UID, RS_WEBM_SOUND);
    rs_webm_uint(b, RS_WEBM_TYPE, 2);
    rs_webm_uint(b, RS_WEBM_LACING, 0);
    rs_webm_bytes(b, RS_WEBM_CODEC, RS_STR("A_OPUS"));
    rs_webm_bytes(b, RS_WEBM_PRIVATE,
                  (rs_str_t) { rs_webm_opus, sizeof(rs_webm_opus) });
    rs_webm_uint(b, RS_WEBM_DELAY, 0);
    rs_webm_uint(b, RS_WEBM_PREROLL, RS_WEBM_PREROLL_NS);

    audio = rs_webm_open(b, RS_WEBM_AUDIO);
    rs_webm_bytes(b, RS_WEBM_RATE, (rs_str_t) { rate, sizeof(rate) });
    rs_webm_uint(b, RS_WEBM_CHANNELS, 2);
    rs_webm_close(b, audio);

    rs_webm_close(b, entry);
}


void
rs_webm_head(rs_buf_t *b, const rs_webm_tracks_t *tracks)
{
    size_t  at;

    at = rs_webm_open(b, RS_WEBM_EBML);
    rs_webm_uint(b, RS_WEBM_EBML_VERSION, 1);
    rs_webm_uint(b, RS_WEBM_EBML_READ, 1);
    rs_webm_uint(b, RS_WEBM_EBML_ID_LEN, 4);
    rs_webm_uint(b, RS_WEBM_EBML_SIZE_LEN, 8);
    rs_webm_bytes(b, RS_WEBM_DOC_TYPE, RS_STR("webm"));
    rs_webm_uint(b, RS_WEBM_DOC_VERSION, 4);
    rs_webm_uint(b, RS_WEBM_DOC_READ, 2);
    rs_webm_close(b, at);

    rs_webm_id(b, RS_WEBM_SEGMENT);
    rs_webm_size_8(b, RS_WEBM_UNKNOWN);

    at = rs_webm_open(b, RS_WEBM_INFO);
    rs_webm_uint(b, RS_WEBM_SCALE, RS_WEBM_SCALE_NS);
    rs_webm_bytes(b, RS_WEBM_MUXER, RS_STR(RS_WEBM_NAME));
    rs_webm_bytes(b, RS_WEBM_WRITER, RS_STR(RS_WEBM_NAME));
    rs_webm_close(b, at);

    at = rs_webm_open(b, RS_WEBM_TRACKS);

    if (tracks->width != 0) {
        rs_webm_video(b, tracks);
    }

    if (tracks->sound) {
        rs_webm_audio(b);
    }

    rs_webm_close(b, at);
}


/* the time in 8 bytes: so that RS_WEBM_CLUSTER_LEN is exact */

void
rs_webm_cluster(rs_buf_t *b, rs_webm_cluster_t *cluster, int64_t t_ms)
{
    cluster->t_ms = t_ms;
    cluster->at = rs_webm_open(b, RS_WEBM_CLUSTER);

    rs_webm_id(b, RS_WEBM_TIME);
    rs_webm_size(b, 8);
    rs_webm_big(b, (uint64_t) t_ms, 8);
}


void
rs_webm_cluster_end(rs_buf_t *b, const rs_webm_cluster_t *cluster)
{
    rs_webm_close(b, cluster->at);
}


int
rs_webm_frame(rs_buf_t *b, const rs_webm_cluster_t *cluster,
    const rs_webm_frame_t *frame)
{
    size_t   group;
    int64_t  after_ms;

    after_ms = frame->t_ms - cluster->t_ms;

    if (after_ms < 0 || after_ms > RS_WEBM_SPAN_MS || b->overflow
        || b->size - b->len < frame->len + RS_WEBM_BLOCK_MAX)
    {
        return 0;
    }

    group = 0;

    if (frame->duration_ms > 0) {
        group = rs_webm_open(b, RS_WEBM_GROUP);
        rs_webm_id(b, RS_WEBM_BLOCK);

    } else {
        rs_webm_id(b, RS_WEBM_SIMPLE);
    }

    rs_webm_size(b, frame->len + 4);
    rs_webm_big(b, 0x80 | frame->track, 1);
    rs_webm_big(b, (uint64_t) after_ms, 2);
    rs_webm_big(b, (frame->key && frame->duration_ms <= 0) ? 0x80 : 0, 1);
    rs_buf_put(b, frame->data, frame->len);

    if (frame->duration_ms > 0) {
        rs_webm_uint(b, RS_WEBM_DURATION, (uint64_t) frame->duration_ms);

        /* whatever stands before: that there is one makes it no key frame */

        if (!frame->key) {
            rs_webm_bytes(b, RS_WEBM_REFERENCE, RS_STR("\377"));
        }

        rs_webm_close(b, group);
    }

    return !b->overflow;
}


int
rs_webm_vp8(const uint8_t *data, size_t len, int *key, unsigned *width,
    unsigned *height)
{
    if (len < 3) {
        return 0;
    }

    *key = !(data[0] & 1);

    if (!*key) {
        return 1;
    }

    if (len < 10 || memcmp(data + 3, "\x9d\x01\x2a", 3) != 0) {
        return 0;
    }

    *width = ((unsigned) data[7] << 8 | data[6]) & 0x3fff;
    *height = ((unsigned) data[9] << 8 | data[8]) & 0x3fff;

    return *width != 0 && *height != 0;
}
