
/*
 * Copyright (C) rs-gateway contributors
 *
 * The Redis protocol, as a server reads it.
 */


#include "rs_resp.h"

#include <string.h>


enum {
    RS_RESP_S_START = 0,              /* "*" */
    RS_RESP_S_COUNT,
    RS_RESP_S_COUNT_LF,
    RS_RESP_S_DOLLAR,                 /* "$" */
    RS_RESP_S_LENGTH,
    RS_RESP_S_LENGTH_LF,
    RS_RESP_S_BYTES,
    RS_RESP_S_CR,
    RS_RESP_S_LF,
    RS_RESP_S_FAILED
};


static rs_resp_e rs_resp_byte(rs_resp_t *r, uint8_t c);
static int rs_resp_digit(rs_resp_t *r, uint8_t c, uint64_t max);
static void rs_resp_argument(rs_resp_t *r);
static size_t rs_resp_bytes(rs_resp_t *r, const uint8_t *data, size_t len);


void
rs_resp_init(rs_resp_t *r)
{
    r->state = RS_RESP_S_START;
    r->argc = 0;
    r->number = 0;
    r->digits = 0;
    r->args = 0;
    r->bytes = 0;
    r->too_large = 0;
    r->used = 0;
}


rs_resp_e
rs_resp_parse(rs_resp_t *r, const uint8_t *data, size_t len, size_t *used)
{
    size_t     i;
    rs_resp_e  rc;

    for (i = 0; i < len; /* void */ ) {

        if (r->state == RS_RESP_S_BYTES) {
            i += rs_resp_bytes(r, data + i, len - i);
            continue;
        }

        rc = rs_resp_byte(r, data[i]);

        if (rc == RS_RESP_ERROR) {
            r->state = RS_RESP_S_FAILED;
            *used = i;
            return rc;
        }

        i++;

        if (rc != RS_RESP_AGAIN) {
            *used = i;
            return rc;
        }
    }

    *used = len;

    return r->state == RS_RESP_S_FAILED ? RS_RESP_ERROR : RS_RESP_AGAIN;
}


static rs_resp_e
rs_resp_byte(rs_resp_t *r, uint8_t c)
{
    switch (r->state) {

    case RS_RESP_S_START:
        rs_resp_init(r);
        r->state = RS_RESP_S_COUNT;

        return c == '*' ? RS_RESP_AGAIN : RS_RESP_ERROR;

    case RS_RESP_S_COUNT:
        if (c == '\r' && r->digits) {
            r->state = RS_RESP_S_COUNT_LF;
            return RS_RESP_AGAIN;
        }

        return rs_resp_digit(r, c, RS_RESP_SKIP_ARGS)
               ? RS_RESP_AGAIN : RS_RESP_ERROR;

    case RS_RESP_S_COUNT_LF:
        r->args = r->number;
        r->too_large = r->args > RS_RESP_ARGS_MAX;
        r->state = r->args ? RS_RESP_S_DOLLAR : RS_RESP_S_START;

        return c == '\n' ? RS_RESP_AGAIN : RS_RESP_ERROR;

    case RS_RESP_S_DOLLAR:
        r->number = 0;
        r->digits = 0;
        r->state = RS_RESP_S_LENGTH;

        return c == '$' ? RS_RESP_AGAIN : RS_RESP_ERROR;

    case RS_RESP_S_LENGTH:
        if (c == '\r' && r->digits) {
            r->state = RS_RESP_S_LENGTH_LF;
            return RS_RESP_AGAIN;
        }

        return rs_resp_digit(r, c, RS_RESP_SKIP_BYTES)
               ? RS_RESP_AGAIN : RS_RESP_ERROR;

    case RS_RESP_S_LENGTH_LF:
        rs_resp_argument(r);

        return c == '\n' ? RS_RESP_AGAIN : RS_RESP_ERROR;

    case RS_RESP_S_CR:
        r->state = RS_RESP_S_LF;

        return c == '\r' ? RS_RESP_AGAIN : RS_RESP_ERROR;

    case RS_RESP_S_LF:
        if (c != '\n') {
            return RS_RESP_ERROR;
        }

        if (--r->args) {
            r->state = RS_RESP_S_DOLLAR;
            return RS_RESP_AGAIN;
        }

        r->state = RS_RESP_S_START;

        if (r->too_large) {
            r->argc = 0;
            return RS_RESP_TOO_LARGE;
        }

        return RS_RESP_REQUEST;

    default: /* RS_RESP_S_FAILED */
        return RS_RESP_ERROR;
    }
}


static int
rs_resp_digit(rs_resp_t *r, uint8_t c, uint64_t max)
{
    if (c < '0' || c > '9') {
        return 0;
    }

    /* max is small and leading zeros are not taken: no overflow */

    if (r->digits && r->number == 0) {
        return 0;
    }

    r->number = r->number * 10 + (uint64_t) (c - '0');
    r->digits++;

    return r->number <= max;
}


/* the length of an argument is known: is there room for it? */

static void
rs_resp_argument(rs_resp_t *r)
{
    rs_str_t  *arg;

    r->bytes = r->number;
    r->state = r->bytes ? RS_RESP_S_BYTES : RS_RESP_S_CR;

    if (r->bytes > RS_RESP_BYTES_MAX - r->used) {
        r->too_large = 1;
    }

    if (r->too_large) {
        return;
    }

    arg = &r->argv[r->argc++];
    arg->data = r->room + r->used;
    arg->len = (size_t) r->bytes;
}


static size_t
rs_resp_bytes(rs_resp_t *r, const uint8_t *data, size_t len)
{
    size_t  n;

    n = len < r->bytes ? len : (size_t) r->bytes;

    if (!r->too_large) {
        memcpy(r->room + r->used, data, n);
        r->used += n;
    }

    r->bytes -= n;

    if (r->bytes == 0) {
        r->state = RS_RESP_S_CR;
    }

    return n;
}
