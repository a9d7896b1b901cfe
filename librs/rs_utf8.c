
/*
 * Copyright (C) rs-gateway contributors
 *
 * RFC 3629, 4: the table of well formed byte sequences, as bounds of the
 * second byte.
 */


#include "rs_utf8.h"


void
rs_utf8_init(rs_utf8_t *u)
{
    u->need = 0;
    u->low = 0x80;
    u->high = 0xbf;
}


int
rs_utf8_feed(rs_utf8_t *u, const uint8_t *data, size_t len)
{
    size_t   i;
    uint8_t  c;

    for (i = 0; i < len; i++) {
        c = data[i];

        if (u->need) {
            if (c < u->low || c > u->high) {
                return 0;
            }

            u->need--;
            u->low = 0x80;
            u->high = 0xbf;
            continue;
        }

        if (c < 0x80) {
            continue;
        }

        if (c < 0xc2 || c > 0xf4) {
            return 0;
        }

        u->need = (c < 0xe0) ? 1 : (c < 0xf0) ? 2 : 3;

        switch (c) {
        case 0xe0: u->low = 0xa0; break;      /* not overlong */
        case 0xed: u->high = 0x9f; break;     /* no surrogates */
        case 0xf0: u->low = 0x90; break;      /* not overlong */
        case 0xf4: u->high = 0x8f; break;     /* up to U+10FFFF */
        default: break;
        }
    }

    return 1;
}


int
rs_utf8_done(const rs_utf8_t *u)
{
    return u->need == 0;
}


int
rs_utf8_valid(rs_str_t s)
{
    rs_utf8_t  u;

    rs_utf8_init(&u);

    return rs_utf8_feed(&u, s.data, s.len) && rs_utf8_done(&u);
}


int
rs_utf8_printable(rs_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {

        if (s.data[i] < 0x20 || s.data[i] == 0x7f) {
            return 0;
        }

        if (s.data[i] == 0xc2 && i + 1 < s.len && s.data[i + 1] < 0xa0) {
            return 0;
        }
    }

    return rs_utf8_valid(s);
}


size_t
rs_utf8_count(rs_str_t s)
{
    size_t  i, n;

    n = 0;

    for (i = 0; i < s.len; i++) {
        n += (s.data[i] & 0xc0) != 0x80;
    }

    return n;
}


rs_str_t
rs_utf8_cut(rs_str_t s, size_t max)
{
    if (s.len <= max) {
        return s;
    }

    while (max && (s.data[max] & 0xc0) == 0x80) {
        max--;
    }

    s.len = max;

    return s;
}
