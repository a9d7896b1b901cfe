
/*
 * Copyright (C) rs-gateway contributors
 *
 * The frame reader and writers.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-------+-+-------------+-------------------------------+
 *     |F|R|R|R| opcode|M| Payload len |    Extended payload length    |
 *     |I|S|S|S|  (4)  |A|     (7)     |         (16 or 64 bits)       |
 *     |N|V|V|V|       |S|             |                               |
 *     | |1|2|3|       |K|             |                               |
 *     +-+-+-+-+-------+-+-------------+-------------------------------+
 *     |  Masking-key, 4 bytes, only if MASK is set, then the payload  |
 *     +---------------------------------------------------------------+
 *
 * Bytes are looked at once, in order, and every check is made with the byte
 * that decides it; so the verdict does not depend on how they were cut.
 */


#include "rs_ws_frame.h"

#include <stdlib.h>
#include <string.h>


#define RS_WS_FIN        0x80
#define RS_WS_RSV        0x70
#define RS_WS_OPCODE     0x0f
#define RS_WS_MASKED     0x80
#define RS_WS_LEN        0x7f
#define RS_WS_LEN16      126
#define RS_WS_LEN64      127

#define RS_WS_IS_CONTROL(opcode)  ((opcode) & 0x8)

#define RS_WS_BUF_MIN    1024     /* first size of the reader's memory */


static void *rs_ws_resize(void *data, void *p, size_t size);
static rs_err_e rs_ws_fail(rs_ws_reader_t *r, rs_err_e rc);
static rs_err_e rs_ws_read_header(rs_ws_reader_t *r, uint8_t **pos,
    uint8_t *last);
static rs_err_e rs_ws_first_bytes(rs_ws_reader_t *r);
static rs_err_e rs_ws_length(rs_ws_reader_t *r);
static rs_err_e rs_ws_control(rs_ws_reader_t *r, uint8_t **pos,
    uint8_t *last, rs_ws_event_t *ev);
static rs_err_e rs_ws_close(rs_ws_reader_t *r, rs_ws_event_t *ev);
static rs_err_e rs_ws_data(rs_ws_reader_t *r, uint8_t **pos, uint8_t *last,
    rs_ws_event_t *ev);
static rs_err_e rs_ws_keep(rs_ws_reader_t *r, const uint8_t *data,
    size_t len);
static size_t rs_ws_put_header(uint8_t *dst, unsigned opcode, uint64_t len,
    unsigned masked);


static void *
rs_ws_resize(void *data, void *p, size_t size)
{
    (void) data;

    if (size == 0) {
        free(p);
        return NULL;
    }

    return realloc(p, size);
}


void
rs_ws_reader_init(rs_ws_reader_t *r, size_t max_message, unsigned max_frames)
{
    memset(r, 0, sizeof(rs_ws_reader_t));

    r->max_message = max_message;
    r->max_frames = max_frames;
    r->resize = rs_ws_resize;
    r->need = 2;

    rs_utf8_init(&r->utf8);
}


void
rs_ws_reader_init_client(rs_ws_reader_t *r, size_t max_message,
    unsigned max_frames)
{
    rs_ws_reader_init(r, max_message, max_frames);
    r->client = 1;
}


void
rs_ws_reader_release(rs_ws_reader_t *r)
{
    if (r->delivered) {
        r->delivered = 0;
        r->len = 0;
    }

    /* what is kept of a message under way has come, so len is not zero */

    if (r->len == 0) {
        rs_ws_reader_destroy(r);
    }
}


void
rs_ws_reader_destroy(rs_ws_reader_t *r)
{
    if (r->buf != NULL) {
        (void) r->resize(r->resize_data, r->buf, 0);
    }

    r->buf = NULL;
    r->size = 0;
    r->len = 0;
    r->delivered = 0;
}


static rs_err_e
rs_ws_fail(rs_ws_reader_t *r, rs_err_e rc)
{
    r->failed = rc;

    return rc;
}


rs_err_e
rs_ws_read(rs_ws_reader_t *r, uint8_t **pos, uint8_t *last, rs_ws_event_t *ev)
{
    rs_err_e  rc;

    if (r->failed != RS_OK) {
        return r->failed;
    }

    if (r->delivered) {
        r->delivered = 0;
        r->len = 0;
    }

    if (r->closed) {
        *pos = last;
        return RS_AGAIN;
    }

    for ( ;; ) {

        if (!r->in_payload) {
            rc = rs_ws_read_header(r, pos, last);

            if (rc != RS_OK) {
                return (rc == RS_AGAIN) ? rc : rs_ws_fail(r, rc);
            }
        }

        if (RS_WS_IS_CONTROL(r->opcode)) {
            rc = rs_ws_control(r, pos, last, ev);

        } else {
            rc = rs_ws_data(r, pos, last, ev);
        }

        if (rc != RS_OK && rc != RS_AGAIN) {
            return rs_ws_fail(r, rc);
        }

        /* a fragment is whole, its message is not: the next frame */

        if (rc == RS_OK || r->in_payload) {
            return rc;
        }
    }
}


static rs_err_e
rs_ws_read_header(rs_ws_reader_t *r, uint8_t **pos, uint8_t *last)
{
    rs_err_e  rc;

    while (r->have < r->need) {

        if (*pos == last) {
            return RS_AGAIN;
        }

        r->header[r->have++] = *(*pos)++;

        if (r->have == 2) {
            rc = rs_ws_first_bytes(r);

            if (rc != RS_OK) {
                return rc;
            }
        }
    }

    rc = rs_ws_length(r);

    if (rc != RS_OK) {
        return rc;
    }

    r->have = 0;
    r->need = 2;
    r->got = 0;
    r->in_payload = 1;

    return RS_OK;
}


/* 5.2, 5.4, 5.5: all that the first two bytes decide */

static rs_err_e
rs_ws_first_bytes(rs_ws_reader_t *r)
{
    unsigned  opcode, len, masked;

    opcode = r->header[0] & RS_WS_OPCODE;
    masked = r->header[1] & RS_WS_MASKED;
    len = r->header[1] & RS_WS_LEN;

    if ((r->header[0] & RS_WS_RSV)
        || (opcode > RS_WS_BINARY && opcode < RS_WS_CLOSE)
        || opcode > RS_WS_PONG
        || (masked == 0) != (r->client != 0))
    {
        return RS_E_WS_PROTOCOL;
    }

    r->opcode = opcode;
    r->fin = r->header[0] & RS_WS_FIN;

    if (RS_WS_IS_CONTROL(opcode)) {

        if (!r->fin || len > RS_WS_CONTROL_MAX) {
            return RS_E_WS_PROTOCOL;
        }

    } else {

        if ((opcode == RS_WS_CONT) != r->in_message) {
            return RS_E_WS_PROTOCOL;
        }

        if (opcode == RS_WS_BINARY) {
            return RS_E_WS_UNSUPPORTED;
        }

        if (!r->in_message) {
            r->frames = 0;
            rs_utf8_init(&r->utf8);
        }

        if (r->frames++ == r->max_frames) {
            return RS_E_WS_FRAGMENTS;
        }
    }

    r->need = (uint8_t) (2 + (masked ? 4 : 0)
                         + (len == RS_WS_LEN16 ? 2 : 0)
                         + (len == RS_WS_LEN64 ? 8 : 0));

    return RS_OK;
}


/* the header is whole: its length and mask */

static rs_err_e
rs_ws_length(rs_ws_reader_t *r)
{
    uint8_t   *p;
    unsigned   i, n, len;
    uint64_t   payload;

    len = r->header[1] & RS_WS_LEN;
    n = (len == RS_WS_LEN64) ? 8 : (len == RS_WS_LEN16) ? 2 : 0;

    p = r->header + 2;
    payload = n ? 0 : len;

    for (i = 0; i < n; i++) {
        payload = payload << 8 | *p++;
    }

    /* "the minimal number of bytes MUST be used", "the most significant
     * bit MUST be 0" */

    if ((n == 2 && payload < RS_WS_LEN16)
        || (n == 8 && (payload <= 0xffff || payload >> 63)))
    {
        return RS_E_WS_PROTOCOL;
    }

    if (!RS_WS_IS_CONTROL(r->opcode)
        && (r->len > r->max_message || payload > r->max_message - r->len))
    {
        return RS_E_WS_TOO_BIG;
    }

    if (!r->client) {
        memcpy(r->mask, p, sizeof(r->mask));

    } else {
        memset(r->mask, 0, sizeof(r->mask));
    }

    r->payload = payload;

    return RS_OK;
}


static rs_err_e
rs_ws_control(rs_ws_reader_t *r, uint8_t **pos, uint8_t *last,
    rs_ws_event_t *ev)
{
    size_t  n;

    n = (size_t) (last - *pos);

    if (n > r->payload - r->got) {
        n = (size_t) (r->payload - r->got);
    }

    if (n) {
        memcpy(r->control + r->got, *pos, n);
        *pos += n;
        r->got += n;
    }

    if (r->got < r->payload) {
        return RS_AGAIN;
    }

    r->in_payload = 0;

    rs_ws_mask(r->control, (size_t) r->payload, r->mask, 0);

    ev->opcode = r->opcode;
    ev->data = r->control;
    ev->len = (size_t) r->payload;
    ev->close_code = 0;

    return (r->opcode == RS_WS_CLOSE) ? rs_ws_close(r, ev) : RS_OK;
}


/* 5.5.1 */

static rs_err_e
rs_ws_close(rs_ws_reader_t *r, rs_ws_event_t *ev)
{
    r->closed = 1;

    if (ev->len == 0) {
        ev->close_code = RS_WS_NO_STATUS;
        return RS_OK;
    }

    if (ev->len == 1) {
        return RS_E_WS_PROTOCOL;
    }

    ev->close_code = (uint16_t) (ev->data[0] << 8 | ev->data[1]);
    ev->data += 2;
    ev->len -= 2;

    if (!rs_ws_close_code_valid(ev->close_code)) {
        return RS_E_WS_PROTOCOL;
    }

    return rs_utf8_valid((rs_str_t) { ev->data, ev->len })
           ? RS_OK : RS_E_WS_UTF8;
}


static rs_err_e
rs_ws_data(rs_ws_reader_t *r, uint8_t **pos, uint8_t *last, rs_ws_event_t *ev)
{
    size_t     n;
    uint8_t   *p;
    rs_err_e   rc;
    unsigned   whole;

    p = *pos;
    n = (size_t) (last - p);

    if (n > r->payload - r->got) {
        n = (size_t) (r->payload - r->got);
    }

    rs_ws_mask(p, n, r->mask, r->got);

    if (!rs_utf8_feed(&r->utf8, p, n)) {
        return RS_E_WS_UTF8;
    }

    whole = r->fin && !r->in_message && r->got == 0 && n == r->payload;

    if (!whole) {
        rc = rs_ws_keep(r, p, n);

        if (rc != RS_OK) {
            return rc;
        }
    }

    *pos += n;
    r->got += n;

    if (r->got < r->payload) {
        return RS_AGAIN;
    }

    r->in_payload = 0;

    if (!r->fin) {
        r->in_message = 1;
        return RS_AGAIN;
    }

    r->in_message = 0;

    if (!rs_utf8_done(&r->utf8)) {
        return RS_E_WS_UTF8;
    }

    ev->opcode = RS_WS_TEXT;
    ev->close_code = 0;

    if (whole || r->len == 0) {
        /* also an empty message, which has no memory of its own */
        ev->data = p;
        ev->len = n;
        return RS_OK;
    }

    ev->data = r->buf;
    ev->len = r->len;
    r->delivered = 1;

    return RS_OK;
}


/* len + r->len <= max_message, as the header was checked */

static rs_err_e
rs_ws_keep(rs_ws_reader_t *r, const uint8_t *data, size_t len)
{
    void    *p;
    size_t   size;

    if (len == 0) {
        return RS_OK;
    }

    if (len > r->size - r->len) {
        size = r->size ? r->size : RS_WS_BUF_MIN;

        while (size - r->len < len) {
            size = (size > r->max_message / 2) ? r->max_message : size * 2;
        }

        p = r->resize(r->resize_data, r->buf, size);

        if (p == NULL) {
            return RS_E_INTERNAL;
        }

        r->buf = p;
        r->size = size;
    }

    memcpy(r->buf + r->len, data, len);
    r->len += len;

    return RS_OK;
}


static size_t
rs_ws_put_header(uint8_t *dst, unsigned opcode, uint64_t len, unsigned masked)
{
    size_t    i, n;
    uint8_t  *p;

    n = (len < RS_WS_LEN16) ? 0 : (len <= 0xffff) ? 2 : 8;

    p = dst;
    *p++ = (uint8_t) (RS_WS_FIN | opcode);
    *p++ = (uint8_t) (masked | (n == 0 ? len
                                       : n == 2 ? RS_WS_LEN16 : RS_WS_LEN64));

    for (i = n; i > 0; i--) {
        *p++ = (uint8_t) (len >> (8 * (i - 1)));
    }

    return (size_t) (p - dst);
}


size_t
rs_ws_header(uint8_t *dst, unsigned opcode, uint64_t len)
{
    return rs_ws_put_header(dst, opcode, len, 0);
}


size_t
rs_ws_header_masked(uint8_t *dst, unsigned opcode, uint64_t len,
    const uint8_t mask[4])
{
    size_t  n;

    n = rs_ws_put_header(dst, opcode, len, RS_WS_MASKED);
    memcpy(dst + n, mask, 4);

    return n + 4;
}


void
rs_ws_mask(uint8_t *data, size_t len, const uint8_t mask[4], uint64_t offset)
{
    size_t    i;
    uint8_t   key[8];
    uint64_t  key64, word;

    for (i = 0; i < sizeof(key); i++) {
        key[i] = mask[(offset + i) & 3];
    }

    memcpy(&key64, key, sizeof(key64));

    if (key64 == 0) {
        return;
    }

    for (i = 0; len - i >= sizeof(word); i += sizeof(word)) {
        memcpy(&word, data + i, sizeof(word));
        word ^= key64;
        memcpy(data + i, &word, sizeof(word));
    }

    for ( /* void */ ; i < len; i++) {
        data[i] ^= key[i & 7];
    }
}


/*
 * 7.4.1, 7.4.2 and the registry of close codes: 1004, 1005, 1006, 1015 are
 * never on the wire, 1016 to 2999 are not given out.
 */

int
rs_ws_close_code_valid(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014)
           || (code >= 3000 && code <= 4999);
}


size_t
rs_ws_close_payload(uint8_t *dst, unsigned code, rs_str_t reason)
{
    if (code == 0 || code == RS_WS_NO_STATUS) {
        return 0;
    }

    reason = rs_utf8_cut(reason, RS_WS_REASON_MAX);

    dst[0] = (uint8_t) (code >> 8);
    dst[1] = (uint8_t) code;

    if (reason.len) {
        memcpy(dst + 2, reason.data, reason.len);
    }

    return reason.len + 2;
}
