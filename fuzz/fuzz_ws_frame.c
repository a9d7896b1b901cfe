
/*
 * Copyright (C) rs-gateway contributors
 *
 * Frames.  First byte: role and how the stream is cut; the rest: the stream.
 * However it is cut, the same comes out; memory stays below the limit; text is
 * UTF-8; and a frame that is built is read as what it was.
 */


#include "fuzz.h"
#include "rs_ws_frame.h"


#define MAX_MESSAGE  2000
#define MAX_FRAMES   5


typedef struct {
    uint64_t     sum;             /* of all that came out */
    unsigned     n;
    rs_err_e     rc;
} result_t;


static size_t  held;


static void *
resize(void *data, void *p, size_t size)
{
    (void) data;

    held = size;
    CHECK(size <= MAX_MESSAGE);

    if (size == 0) {
        free(p);
        return NULL;
    }

    return realloc(p, size);
}


static void
mix(result_t *r, const void *data, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        r->sum = (r->sum ^ ((const uint8_t *) data)[i]) * 1099511628211u;
    }

    r->sum = (r->sum ^ len) * 1099511628211u;
}


static result_t
run(int client, const uint8_t *data, size_t size, size_t n)
{
    size_t          piece;
    uint8_t        *copy, *pos;
    result_t        res;
    rs_ws_event_t   ev;
    rs_ws_reader_t  r;

    memset(&res, 0, sizeof(res));
    res.rc = RS_AGAIN;

    if (client) {
        rs_ws_reader_init_client(&r, MAX_MESSAGE, MAX_FRAMES);

    } else {
        rs_ws_reader_init(&r, MAX_MESSAGE, MAX_FRAMES);
    }

    r.resize = resize;

    while (size && res.rc == RS_AGAIN) {
        piece = (size < n) ? size : n;
        copy = malloc(piece);
        memcpy(copy, data, piece);
        data += piece;
        size -= piece;
        pos = copy;

        while ((res.rc = rs_ws_read(&r, &pos, copy + piece, &ev)) == RS_OK) {
            CHECK(pos <= copy + piece);
            CHECK(rs_utf8_valid((rs_str_t) { ev.data, ev.len })
                  || ev.opcode == RS_WS_PING || ev.opcode == RS_WS_PONG);
            CHECK(ev.len <= (ev.opcode == RS_WS_TEXT ? MAX_MESSAGE
                                                     : RS_WS_CONTROL_MAX));
            CHECK((ev.opcode == RS_WS_CLOSE) == (ev.close_code != 0));

            mix(&res, &ev.opcode, sizeof(ev.opcode));
            mix(&res, &ev.close_code, sizeof(ev.close_code));
            mix(&res, ev.data, ev.len);
            memset(ev.data, 0xff, ev.len);
            res.n++;

            if (n & 1) {
                rs_ws_reader_release(&r);
            }
        }

        CHECK(res.rc != RS_AGAIN || pos == copy + piece);
        free(copy);
    }

    rs_ws_reader_destroy(&r);
    CHECK(held == 0);

    return res;
}


static void
round_trip(const uint8_t *data, size_t size)
{
    size_t          n;
    uint8_t        *frame, *pos, mask[4];
    rs_err_e        rc;
    rs_ws_event_t   ev;
    rs_ws_reader_t  r;

    if (size < 4 || size - 4 > MAX_MESSAGE) {
        return;
    }

    memcpy(mask, data, 4);
    data += 4;
    size -= 4;

    frame = malloc(RS_WS_HEADER_MAX + size);
    n = rs_ws_header_masked(frame, RS_WS_TEXT, size, mask);

    if (size) {
        memcpy(frame + n, data, size);
    }

    rs_ws_mask(frame + n, size, mask, 0);

    rs_ws_reader_init(&r, MAX_MESSAGE, MAX_FRAMES);
    pos = frame;
    rc = rs_ws_read(&r, &pos, frame + n + size, &ev);

    if (rs_utf8_valid((rs_str_t) { data, size })) {
        CHECK(rc == RS_OK && ev.len == size && pos == frame + n + size);
        CHECK(size == 0 || memcmp(ev.data, data, size) == 0);

    } else {
        CHECK(rc == RS_E_WS_UTF8);
    }

    rs_ws_reader_destroy(&r);
    free(frame);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int       client;
    size_t    n;
    result_t  whole, cut;

    held = 0;

    if (size == 0) {
        return 0;
    }

    client = data[0] & 1;
    n = (size_t) (data[0] >> 1) + 1;
    data++;
    size--;

    whole = run(client, data, size, size + 1);
    cut = run(client, data, size, n);
    CHECK(whole.rc == cut.rc && whole.n == cut.n && whole.sum == cut.sum);

    cut = run(client, data, size, 1);
    CHECK(whole.rc == cut.rc && whole.n == cut.n && whole.sum == cut.sum);

    round_trip(data, size);

    return 0;
}
