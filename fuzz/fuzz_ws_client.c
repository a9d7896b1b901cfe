
/*
 * Copyright (C) rs-gateway contributors
 *
 * A gateway's answer and frames, as a client reads them.  The first byte says
 * how the rest is cut: cut in pieces they mean what they mean in one; an
 * answer is taken at exactly one length.
 */


#include "fuzz.h"
#include "rs_ws_client.h"


#define MAX_MESSAGE  4096


/* order matters, how pieces are cut does not: ends and controls are marks */

typedef struct {
    uint64_t  sum;
    size_t    bytes;
    size_t    messages;
    size_t    controls;
    rs_err_e  rc;
} seen_t;


static void
mark(seen_t *seen, uint64_t v)
{
    seen->sum = (seen->sum ^ v) * UINT64_C(0x100000001b3);
}


static void
run(const uint8_t *data, size_t size, size_t cut, seen_t *seen)
{
    size_t           n, i, message;
    rs_err_e         rc;
    const uint8_t   *pos, *last;
    rs_ws_piece_t    piece;
    rs_ws_pieces_t   r;

    memset(seen, 0, sizeof(*seen));
    rs_ws_pieces_init(&r, MAX_MESSAGE);
    rc = RS_AGAIN;
    message = 0;

    while (size && rc == RS_AGAIN) {
        n = (size < cut) ? size : cut;
        pos = data;
        last = data + n;

        while ((rc = rs_ws_pieces_read(&r, &pos, last, &piece)) == RS_OK) {
            CHECK(pos <= last);

            if (piece.opcode != RS_WS_BINARY) {
                CHECK(piece.len <= RS_WS_CONTROL_MAX);
                seen->controls++;
                mark(seen, 0x100 + piece.opcode);
                mark(seen, piece.close_code);

            } else {
                CHECK(piece.data >= data && piece.data + piece.len <= last);
                CHECK(piece.len != 0 || piece.last);
                message += piece.len;
                CHECK(message <= MAX_MESSAGE);
                seen->bytes += piece.len;
            }

            for (i = 0; i < piece.len; i++) {
                mark(seen, piece.data[i]);
            }

            if (piece.opcode == RS_WS_BINARY && piece.last) {
                seen->messages++;
                message = 0;
                mark(seen, 0x200);
            }
        }

        if (rc == RS_AGAIN) {
            CHECK(pos == last);
        }

        data += n;
        size -= n;
    }

    seen->rc = rc;
}


static void
answer(const uint8_t *data, size_t size)
{
    size_t            i;
    rs_err_e          rc, part;
    rs_str_t          key, protocol;
    rs_ws_response_t  whole, r;

    key = RS_STR("dGhlIHNhbXBsZSBub25jZQ==");
    protocol = RS_STR("rs.v1");
    rc = rs_ws_response((rs_str_t) { data, size }, key, protocol, &whole);

    if (rc == RS_OK) {
        CHECK(whole.status == 101);
    }

    if (rc == RS_OK || rc == RS_E_UNAVAILABLE) {
        CHECK(whole.size <= size && whole.size <= RS_WS_RESPONSE_MAX);

        for (i = 0; i < whole.size; i++) {
            part = rs_ws_response((rs_str_t) { data, i }, key, protocol, &r);
            CHECK(part == RS_AGAIN);
        }

        part = rs_ws_response((rs_str_t) { data, whole.size }, key, protocol,
                              &r);
        CHECK(part == rc && r.size == whole.size);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    seen_t  whole, cut;

    if (size == 0) {
        return 0;
    }

    if (data[0] == 'H') {
        answer(data, size);
        return 0;
    }

    run(data + 1, size - 1, size, &whole);
    run(data + 1, size - 1, (data[0] & 0x3f) + 1u, &cut);
    CHECK(memcmp(&whole.sum, &cut.sum, sizeof(whole.sum)) == 0);
    CHECK(whole.bytes == cut.bytes && whole.messages == cut.messages);
    CHECK(whole.controls == cut.controls && whole.rc == cut.rc);

    return 0;
}
