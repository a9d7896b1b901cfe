
/*
 * Copyright (C) rs-gateway contributors
 *
 *     OPEN    type channel label           letters, digits, "-"
 *     TEXT    type channel text
 *     BINARY  type channel bytes
 *     CLOSE   type channel
 *     SEEN    type flags number first last 4 and 8 and 8 bytes
 *     VIDEO   type flags 0 number time     4 and 8 bytes; the frame follows
 *     START   type
 *
 * Numbers are big endian, flags 1 for a key frame.
 */


#include "rs_carry.h"
#include "rs_utf8.h"

#include <string.h>


#define RS_CARRY_SEEN_LEN  22
#define RS_CARRY_KEY       1


static int rs_carry_label(rs_str_t s);
static int rs_carry_text(rs_str_t s);
static uint64_t rs_carry_get(const uint8_t *p, size_t n);
static size_t rs_carry_put(uint8_t *p, uint64_t v, size_t n);


rs_err_e
rs_carry_read(rs_str_t message, rs_carry_t *carry)
{
    int  ok;

    memset(carry, 0, sizeof(rs_carry_t));

    if (message.len == 0) {
        return RS_E_INVALID_VALUE;
    }

    carry->type = (rs_carry_type_e) message.data[0];

    if (carry->type == RS_CARRY_START) {
        return (message.len == 1) ? RS_OK : RS_E_INVALID_VALUE;
    }

    if (carry->type == RS_CARRY_SEEN) {

        if (message.len != RS_CARRY_SEEN_LEN
            || message.data[1] > RS_CARRY_KEY)
        {
            return RS_E_INVALID_VALUE;
        }

        carry->key = message.data[1];
        carry->number = (uint32_t) rs_carry_get(message.data + 2, 4);
        carry->first_us = rs_carry_get(message.data + 6, 8);
        carry->last_us = rs_carry_get(message.data + 14, 8);

        return RS_OK;
    }

    if (message.len < 2 || message.data[1] >= RS_CARRY_CHANNELS) {
        return RS_E_INVALID_VALUE;
    }

    carry->channel = message.data[1];
    carry->data.len = message.len - 2;
    carry->data.data = (carry->data.len != 0) ? message.data + 2 : NULL;

    switch (carry->type) {

    case RS_CARRY_OPEN:
        ok = rs_carry_label(carry->data);
        break;

    case RS_CARRY_TEXT:
        ok = rs_carry_text(carry->data);
        break;

    case RS_CARRY_BINARY:
        ok = carry->data.len != 0 && carry->data.len <= RS_CARRY_TEXT_MAX;
        break;

    case RS_CARRY_CLOSE:
        ok = carry->data.len == 0;
        break;

    default:
        ok = 0;
        break;
    }

    return ok ? RS_OK : RS_E_INVALID_VALUE;
}


static int
rs_carry_label(rs_str_t s)
{
    size_t   i;
    uint8_t  c;

    if (s.len == 0 || s.len > RS_CARRY_LABEL_MAX) {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
        {
            return 0;
        }
    }

    return 1;
}


static int
rs_carry_text(rs_str_t s)
{
    return s.len != 0 && s.len <= RS_CARRY_TEXT_MAX
           && memchr(s.data, '\0', s.len) == NULL && rs_utf8_valid(s);
}


static uint64_t
rs_carry_get(const uint8_t *p, size_t n)
{
    uint64_t  v;

    for (v = 0; n != 0; n--) {
        v = v << 8 | *p++;
    }

    return v;
}


static size_t
rs_carry_put(uint8_t *p, uint64_t v, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        p[i] = (uint8_t) (v >> (8 * (n - 1 - i)));
    }

    return n;
}


size_t
rs_carry_head(const rs_carry_t *carry, uint8_t *dst)
{
    size_t  n;

    n = 0;
    dst[n++] = (uint8_t) carry->type;

    switch (carry->type) {

    case RS_CARRY_START:
        return n;

    case RS_CARRY_SEEN:
        dst[n++] = carry->key ? RS_CARRY_KEY : 0;
        n += rs_carry_put(dst + n, carry->number, 4);
        n += rs_carry_put(dst + n, carry->first_us, 8);
        return n + rs_carry_put(dst + n, carry->last_us, 8);

    case RS_CARRY_VIDEO:
        dst[n++] = carry->key ? RS_CARRY_KEY : 0;
        dst[n++] = 0;
        n += rs_carry_put(dst + n, carry->number, 4);
        return n + rs_carry_put(dst + n, carry->first_us, 8);

    default:
        dst[n++] = (uint8_t) carry->channel;
        return n;
    }
}
