
/*
 * Copyright (C) rs-gateway contributors
 *
 * RFC 3629, 4: the table of well formed byte sequences, as bounds of the
 * second byte.
 */


#include "rs_utf8.h"


/*
 * Default ignorable and format characters of Unicode 15 that change how the
 * rest is read or are not seen at all.  Variation selectors are taken: signs
 * and pictures are written with them.
 */

static const struct {
    uint32_t        first;
    uint32_t        last;
} rs_utf8_unseen[] = {
    { 0x0000, 0x001f },           /* C0 */
    { 0x007f, 0x009f },           /* DEL, C1 */
    { 0x00ad, 0x00ad },           /* soft hyphen */
    { 0x034f, 0x034f },           /* grapheme joiner */
    { 0x061c, 0x061c },           /* Arabic letter mark */
    { 0x115f, 0x1160 },           /* Hangul fillers */
    { 0x17b4, 0x17b5 },           /* Khmer inherent vowels */
    { 0x180e, 0x180e },           /* Mongolian vowel separator */
    { 0x200b, 0x200f },           /* no width, joiners, marks of direction */
    { 0x2028, 0x202e },           /* separators, embeddings, overrides */
    { 0x2060, 0x206f },           /* word joiner, isolates, deprecated */
    { 0x3164, 0x3164 },           /* Hangul filler */
    { 0xd800, 0xdfff },           /* surrogates */
    { 0xfdd0, 0xfdef },           /* no characters */
    { 0xfeff, 0xfeff },           /* byte order mark */
    { 0xffa0, 0xffa0 },           /* Hangul filler, half width */
    { 0xfff0, 0xfffb },           /* unassigned, annotations */
    { 0x1bca0, 0x1bca3 },         /* shorthand format */
    { 0x1d173, 0x1d17a },         /* musical format */
    { 0xe0000, 0xe0fff }          /* tags */
};


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


size_t
rs_utf8_next(rs_str_t s, uint32_t *c)
{
    size_t     i, n;
    rs_utf8_t  u;

    rs_utf8_init(&u);

    if (s.len == 0 || !rs_utf8_feed(&u, s.data, 1)) {
        return 0;
    }

    n = (size_t) u.need + 1;

    if (n > s.len || !rs_utf8_feed(&u, s.data + 1, n - 1)) {
        return 0;
    }

    *c = (n == 1) ? s.data[0] : s.data[0] & (0x7fu >> n);

    for (i = 1; i < n; i++) {
        *c = *c << 6 | (s.data[i] & 0x3fu);
    }

    return n;
}


int
rs_utf8_hidden(uint32_t c)
{
    size_t  i;

    for (i = 0; i < sizeof(rs_utf8_unseen) / sizeof(rs_utf8_unseen[0]); i++) {
        if (c >= rs_utf8_unseen[i].first && c <= rs_utf8_unseen[i].last) {
            return 1;
        }
    }

    /* the last two of each plane are no characters */

    return (c & 0xfffe) == 0xfffe || c > 0x10ffff;
}


int
rs_utf8_printable(rs_str_t s)
{
    size_t    n;
    uint32_t  c;

    while (s.len) {
        n = rs_utf8_next(s, &c);

        if (n == 0 || rs_utf8_hidden(c)) {
            return 0;
        }

        s.data += n;
        s.len -= n;
    }

    return 1;
}


size_t
rs_utf8_clean(uint8_t *dst, size_t size, rs_str_t s)
{
    size_t    i, n, len;
    uint32_t  c;

    len = 0;

    while (s.len) {
        n = rs_utf8_next(s, &c);

        if (n && !rs_utf8_hidden(c)) {

            if (n > size - len) {
                break;
            }

            for (i = 0; i < n; i++) {
                dst[len++] = s.data[i];
            }
        }

        n += (n == 0);
        s.data += n;
        s.len -= n;
    }

    return len;
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
