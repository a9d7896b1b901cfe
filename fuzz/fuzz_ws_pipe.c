
/*
 * Copyright (C) rs-gateway contributors
 *
 * From leg to leg.  First byte: which kind of leg and how the stream is cut;
 * the rest: the stream.  However it is cut, the same messages and control
 * frames come out; what comes out is frames that a next leg takes, and there
 * the same comes out again.
 */


#include "fuzz.h"
#include "rs_ws_pipe.h"


typedef struct {
    uint8_t     *data;            /* messages: bytes, and where they end */
    size_t       len;
    uint8_t     *out;             /* frames */
    size_t       out_len;
    uint64_t     control;         /* of all control frames, in order */
    unsigned     n;
    rs_err_e     rc;
} result_t;


static void
mix(result_t *r, const void *data, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        r->control = (r->control ^ ((const uint8_t *) data)[i])
                     * 1099511628211u;
    }

    r->control = (r->control ^ len) * 1099511628211u;
}


/* frames as this reads them: the simplest way, not the library's */

static void
collect(result_t *r)
{
    size_t    i, j, n, len;
    unsigned  fin, opcode, within;

    within = 0;
    r->data = malloc(2 * r->out_len + 1);
    r->len = 0;

    for (i = 0; i < r->out_len; i += len) {
        CHECK(r->out_len - i >= 2);
        fin = r->out[i] >> 7;
        opcode = r->out[i] & 0x7f;
        CHECK(opcode == (within ? RS_WS_CONT : RS_WS_BINARY));
        CHECK((r->out[i + 1] & 0x80) == 0);

        len = r->out[i + 1];
        n = (len == 126) ? 2 : (len == 127) ? 8 : 0;
        i += 2;

        if (n) {
            CHECK(r->out_len - i >= n);

            for (len = 0, j = 0; j < n; j++) {
                len = len << 8 | r->out[i++];
            }

            CHECK(len > (n == 2 ? 125u : 65535u));
        }

        CHECK(r->out_len - i >= len);

        for (j = 0; j < len; j++) {
            r->data[r->len++] = 0;
            r->data[r->len++] = r->out[i + j];
        }

        if (fin) {
            r->data[r->len++] = 1;
        }

        within = !fin;
    }
}


static void
run(result_t *r, unsigned bare, const uint8_t *data, size_t size, size_t n)
{
    size_t         piece;
    uint8_t       *region, *out, *pos, *last;
    rs_ws_pipe_t   p;
    rs_ws_event_t  ev;

    memset(r, 0, sizeof(result_t));
    r->rc = RS_AGAIN;
    r->out = malloc(6 * size + 1);

    rs_ws_pipe_init(&p, bare);

    while (size && r->rc == RS_AGAIN) {
        piece = (size < n) ? size : n;

        region = malloc(RS_WS_PIPE_GAP + piece);
        out = region;
        pos = region + RS_WS_PIPE_GAP;
        last = pos + piece;

        memcpy(pos, data, piece);
        data += piece;
        size -= piece;

        while ((r->rc = rs_ws_pipe_read(&p, &out, &pos, last, &ev)) == RS_OK) {
            CHECK(out <= pos && pos <= last);
            CHECK(ev.opcode >= RS_WS_CLOSE && ev.len <= RS_WS_CONTROL_MAX);
            CHECK((ev.opcode == RS_WS_CLOSE) == (ev.close_code != 0));

            mix(r, &ev.opcode, sizeof(ev.opcode));
            mix(r, &ev.close_code, sizeof(ev.close_code));
            mix(r, ev.data, ev.len);
            r->n++;
        }

        CHECK(out <= pos);
        CHECK(r->rc != RS_AGAIN || pos == last);

        memcpy(r->out + r->out_len, region, (size_t) (out - region));
        r->out_len += (size_t) (out - region);
        free(region);
    }

    collect(r);
}


static void
done(result_t *r)
{
    free(r->out);
    free(r->data);
}


static void
same(const result_t *a, const result_t *b)
{
    CHECK(a->rc == b->rc && a->n == b->n && a->control == b->control);
    CHECK(a->len == b->len && memcmp(a->data, b->data, a->len) == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t    n;
    unsigned  bare;
    result_t  whole, cut, next;

    if (size == 0) {
        return 0;
    }

    bare = data[0] & 1;
    n = (size_t) (data[0] >> 1) + 1;
    data++;
    size--;

    run(&whole, bare, data, size, size + 1);

    run(&cut, bare, data, size, n);
    same(&whole, &cut);

    /* a link behind it */

    run(&next, 1, cut.out, cut.out_len, 7);
    CHECK(next.rc == RS_AGAIN && next.n == 0);
    CHECK(next.len == cut.len && memcmp(next.data, cut.data, cut.len) == 0);

    done(&next);
    done(&cut);

    run(&cut, bare, data, size, 1);
    same(&whole, &cut);

    done(&cut);
    done(&whole);

    return 0;
}
