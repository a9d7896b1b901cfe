
/*
 * Copyright (C) rs-gateway contributors
 *
 * Frames from leg to leg.
 *
 * Why it fits: of the frames whose header came with these bytes the one that
 * goes out is never longer, since it has no mask and as many bytes or fewer.
 * Only the first one may have had its header before, so the gap has to hold
 * one header, once.
 */


#include "rs_ws_pipe.h"

#include <string.h>


#define RS_WS_FIN        0x80
#define RS_WS_RSV        0x70
#define RS_WS_OPCODE     0x0f
#define RS_WS_MASKED     0x80
#define RS_WS_LEN        0x7f
#define RS_WS_LEN16      126
#define RS_WS_LEN64      127

#define RS_WS_IS_CONTROL(opcode)  ((opcode) & 0x8)


static rs_err_e rs_ws_pipe_fail(rs_ws_pipe_t *p, rs_err_e rc);
static rs_err_e rs_ws_pipe_header(rs_ws_pipe_t *p, uint8_t **pos,
    uint8_t *last);
static rs_err_e rs_ws_pipe_first(rs_ws_pipe_t *p);
static rs_err_e rs_ws_pipe_length(rs_ws_pipe_t *p);
static rs_err_e rs_ws_pipe_control(rs_ws_pipe_t *p, uint8_t **pos,
    uint8_t *last, rs_ws_event_t *ev);
static rs_err_e rs_ws_pipe_close(rs_ws_pipe_t *p, rs_ws_event_t *ev);
static rs_err_e rs_ws_pipe_data(rs_ws_pipe_t *p, uint8_t **out,
    uint8_t **pos, uint8_t *last);
static void rs_ws_pipe_move(uint8_t *dst, const uint8_t *src, size_t len,
    const uint8_t mask[4], uint64_t offset);


void
rs_ws_pipe_init(rs_ws_pipe_t *p, unsigned bare)
{
    memset(p, 0, sizeof(rs_ws_pipe_t));

    p->bare = bare;
    p->need = 2;
}


int
rs_ws_pipe_within(const rs_ws_pipe_t *p)
{
    return p->in_message || p->in_payload || p->have;
}


static rs_err_e
rs_ws_pipe_fail(rs_ws_pipe_t *p, rs_err_e rc)
{
    p->failed = rc;

    return rc;
}


rs_err_e
rs_ws_pipe_read(rs_ws_pipe_t *p, uint8_t **out, uint8_t **pos, uint8_t *last,
    rs_ws_event_t *ev)
{
    rs_err_e  rc;

    if (p->failed != RS_OK) {
        return p->failed;
    }

    if (p->closed) {
        *pos = last;
        return RS_AGAIN;
    }

    for ( ;; ) {

        if (!p->in_payload) {
            rc = rs_ws_pipe_header(p, pos, last);

            if (rc != RS_OK) {
                return (rc == RS_AGAIN) ? rc : rs_ws_pipe_fail(p, rc);
            }
        }

        if (RS_WS_IS_CONTROL(p->opcode)) {
            rc = rs_ws_pipe_control(p, pos, last, ev);

            return (rc == RS_OK || rc == RS_AGAIN) ? rc
                                                   : rs_ws_pipe_fail(p, rc);
        }

        if (rs_ws_pipe_data(p, out, pos, last) == RS_AGAIN) {
            return RS_AGAIN;
        }
    }
}


static rs_err_e
rs_ws_pipe_header(rs_ws_pipe_t *p, uint8_t **pos, uint8_t *last)
{
    rs_err_e  rc;

    while (p->have < p->need) {

        if (*pos == last) {
            return RS_AGAIN;
        }

        p->header[p->have++] = *(*pos)++;

        if (p->have == 2) {
            rc = rs_ws_pipe_first(p);

            if (rc != RS_OK) {
                return rc;
            }
        }
    }

    rc = rs_ws_pipe_length(p);

    if (rc != RS_OK) {
        return rc;
    }

    p->have = 0;
    p->need = 2;
    p->got = 0;
    p->in_payload = 1;

    return RS_OK;
}


/* 5.2, 5.4, 5.5: all that the first two bytes decide */

static rs_err_e
rs_ws_pipe_first(rs_ws_pipe_t *p)
{
    unsigned  opcode, len, masked;

    opcode = p->header[0] & RS_WS_OPCODE;
    masked = p->header[1] & RS_WS_MASKED;
    len = p->header[1] & RS_WS_LEN;

    if ((p->header[0] & RS_WS_RSV)
        || (opcode > RS_WS_BINARY && opcode < RS_WS_CLOSE)
        || opcode > RS_WS_PONG
        || (masked == 0) != (p->bare != 0))
    {
        return RS_E_WS_PROTOCOL;
    }

    p->opcode = opcode;
    p->fin = (p->header[0] >> 7) & 1u;

    if (RS_WS_IS_CONTROL(opcode)) {

        if (!p->fin || len > RS_WS_CONTROL_MAX) {
            return RS_E_WS_PROTOCOL;
        }

    } else {

        if ((opcode == RS_WS_CONT) != p->in_message) {
            return RS_E_WS_PROTOCOL;
        }

        if (opcode == RS_WS_TEXT) {
            return RS_E_WS_UNSUPPORTED;
        }
    }

    p->need = (uint8_t) (2 + (masked ? 4 : 0)
                         + (len == RS_WS_LEN16 ? 2 : 0)
                         + (len == RS_WS_LEN64 ? 8 : 0));

    return RS_OK;
}


/* the header is whole: its length and mask */

static rs_err_e
rs_ws_pipe_length(rs_ws_pipe_t *p)
{
    uint8_t   *b;
    unsigned   i, n, len;
    uint64_t   payload;

    len = p->header[1] & RS_WS_LEN;
    n = (len == RS_WS_LEN64) ? 8 : (len == RS_WS_LEN16) ? 2 : 0;

    b = p->header + 2;
    payload = n ? 0 : len;

    for (i = 0; i < n; i++) {
        payload = payload << 8 | *b++;
    }

    /* "the minimal number of bytes MUST be used", "the most significant
     * bit MUST be 0" */

    if ((n == 2 && payload < RS_WS_LEN16)
        || (n == 8 && (payload <= 0xffff || payload >> 63)))
    {
        return RS_E_WS_PROTOCOL;
    }

    p->payload = payload;

    memset(p->mask, 0, sizeof(p->mask));

    if (!p->bare) {
        memcpy(p->mask, b, sizeof(p->mask));
    }

    if (RS_WS_IS_CONTROL(p->opcode)) {
        return RS_OK;
    }

    if (!p->in_message) {
        p->in_message = 1;
        p->told = 0;
        p->message = 0;
    }

    if (payload > RS_WS_PIPE_MESSAGE - p->message) {
        return RS_E_WS_TOO_BIG;
    }

    p->message += payload;

    return RS_OK;
}


static rs_err_e
rs_ws_pipe_control(rs_ws_pipe_t *p, uint8_t **pos, uint8_t *last,
    rs_ws_event_t *ev)
{
    size_t  n;

    n = (size_t) (last - *pos);

    if (n > p->payload - p->got) {
        n = (size_t) (p->payload - p->got);
    }

    if (n) {
        memcpy(p->control + p->got, *pos, n);
        *pos += n;
        p->got += n;
    }

    if (p->got < p->payload) {
        return RS_AGAIN;
    }

    p->in_payload = 0;

    rs_ws_mask(p->control, (size_t) p->payload, p->mask, 0);

    ev->opcode = p->opcode;
    ev->data = p->control;
    ev->len = (size_t) p->payload;
    ev->close_code = 0;

    return (p->opcode == RS_WS_CLOSE) ? rs_ws_pipe_close(p, ev) : RS_OK;
}


/* 5.5.1 */

static rs_err_e
rs_ws_pipe_close(rs_ws_pipe_t *p, rs_ws_event_t *ev)
{
    if (ev->len == 1) {
        return RS_E_WS_PROTOCOL;
    }

    if (ev->len == 0) {
        ev->close_code = RS_WS_NO_STATUS;

    } else {
        ev->close_code = (uint16_t) (ev->data[0] << 8 | ev->data[1]);
        ev->data += 2;
        ev->len -= 2;

        if (!rs_ws_close_code_valid(ev->close_code)) {
            return RS_E_WS_PROTOCOL;
        }

        if (!rs_utf8_valid((rs_str_t) { ev->data, ev->len })) {
            return RS_E_WS_UTF8;
        }
    }

    p->closed = 1;

    return RS_OK;
}


/* RS_OK: the frame is done; RS_AGAIN: all was taken */

static rs_err_e
rs_ws_pipe_data(rs_ws_pipe_t *p, uint8_t **out, uint8_t **pos, uint8_t *last)
{
    size_t    n, len;
    unsigned  end;

    n = (size_t) (last - *pos);

    if (n > p->payload - p->got) {
        n = (size_t) (p->payload - p->got);
    }

    if (n == 0 && p->payload) {
        return RS_AGAIN;
    }

    end = (p->got + n == p->payload);

    len = rs_ws_header(*out, p->told ? RS_WS_CONT : RS_WS_BINARY, n);

    if (!end || !p->fin) {
        **out &= (uint8_t) ~RS_WS_FIN;
    }

    *out += len;

    rs_ws_pipe_move(*out, *pos, n, p->mask, p->got);

    *out += n;
    *pos += n;
    p->got += n;
    p->bytes += n;
    p->told = 1;

    if (!end) {
        return RS_AGAIN;
    }

    p->in_payload = 0;
    p->in_message = !p->fin;

    return RS_OK;
}


/*
 * 5.3, while it is moved down.  dst <= src, which may overlap: each word is
 * read before it, or one before it, is written.
 */

static void
rs_ws_pipe_move(uint8_t *dst, const uint8_t *src, size_t len,
    const uint8_t mask[4], uint64_t offset)
{
    size_t    i;
    uint8_t   key[8];
    uint64_t  key64, a, b;

    for (i = 0; i < sizeof(key); i++) {
        key[i] = mask[(offset + i) & 3];
    }

    memcpy(&key64, key, sizeof(key64));

    if (key64 == 0) {
        memmove(dst, src, len);
        return;
    }

    for (i = 0; len - i >= 2 * sizeof(a); i += 2 * sizeof(a)) {
        memcpy(&a, src + i, sizeof(a));
        memcpy(&b, src + i + sizeof(a), sizeof(b));
        a ^= key64;
        b ^= key64;
        memcpy(dst + i, &a, sizeof(a));
        memcpy(dst + i + sizeof(a), &b, sizeof(b));
    }

    for ( /* void */ ; i < len; i++) {
        dst[i] = src[i] ^ key[i & 7];
    }
}
