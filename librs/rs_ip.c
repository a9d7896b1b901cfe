
/*
 * Copyright (C) rs-gateway contributors
 *
 * Addresses, ranges, sets.
 */


#include "rs_ip.h"

#include <string.h>


static int rs_ip4_parse(rs_str_t s, uint8_t *b);
static rs_err_e rs_ip6_parse(rs_str_t s, rs_ip_t *ip);
static int rs_ip6_group(const uint8_t *p, const uint8_t *end, unsigned *v);
static rs_err_e rs_ip_cidr_parse(rs_str_t s, rs_str_t bits,
    rs_ip_range_t *range);
static void rs_ip_set_insert(rs_ip_set_t *set, unsigned at,
    const rs_ip_range_t *range);
static void rs_ip_set_remove(rs_ip_set_t *set, unsigned at, unsigned n);


rs_err_e
rs_ip_parse(rs_str_t s, rs_ip_t *ip)
{
    size_t  i;

    memset(ip, 0, sizeof(rs_ip_t));

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == ':') {
            return rs_ip6_parse(s, ip);
        }
    }

    if (!rs_ip4_parse(s, ip->b)) {
        return RS_E_INVALID_VALUE;
    }

    ip->len = RS_IP_V4;

    return RS_OK;
}


static int
rs_ip4_parse(rs_str_t s, uint8_t *b)
{
    int        more;
    unsigned   i;
    uint64_t   v;
    rs_str_t   number;

    for (i = 0; i < 4; i++) {
        more = rs_str_split(s, '.', &number, &s);

        if (more != (i < 3) || !rs_u64_parse(number, 255, &v)) {
            return 0;
        }

        b[i] = (uint8_t) v;
    }

    return 1;
}


static rs_err_e
rs_ip6_parse(rs_str_t s, rs_ip_t *ip)
{
    int             len;
    uint8_t         tail[4];
    unsigned        n, v;
    int             gap;
    const uint8_t  *p, *end;

    p = s.data;
    end = s.data + s.len;
    gap = -1;
    n = 0;

    if (s.len >= 2 && p[0] == ':' && p[1] == ':') {
        gap = 0;
        p += 2;
    }

    while (p < end) {
        if (n == RS_IP_V6) {
            return RS_E_INVALID_VALUE;
        }

        if (n <= RS_IP_V6 - 4
            && rs_ip4_parse((rs_str_t) { p, (size_t) (end - p) }, tail))
        {
            memcpy(ip->b + n, tail, 4);
            n += 4;
            p = end;
            break;
        }

        len = rs_ip6_group(p, end, &v);

        if (len == 0) {
            return RS_E_INVALID_VALUE;
        }

        ip->b[n++] = (uint8_t) (v >> 8);
        ip->b[n++] = (uint8_t) v;
        p += len;

        if (p == end) {
            break;
        }

        if (*p++ != ':' || p == end) {
            return RS_E_INVALID_VALUE;
        }

        if (*p == ':') {
            if (gap >= 0) {
                return RS_E_INVALID_VALUE;
            }

            gap = (int) n;
            p++;
        }
    }

    if (gap < 0 ? n != RS_IP_V6 : n > RS_IP_V6 - 2) {
        return RS_E_INVALID_VALUE;
    }

    if (gap >= 0) {
        memmove(ip->b + RS_IP_V6 - (n - (unsigned) gap), ip->b + gap,
                n - (unsigned) gap);
        memset(ip->b + gap, 0, RS_IP_V6 - n);
    }

    ip->len = RS_IP_V6;

    return RS_OK;
}


/* 1 to 4 hexadecimal digits, followed by ':' or nothing: how many */

static int
rs_ip6_group(const uint8_t *p, const uint8_t *end, unsigned *v)
{
    int      n;
    uint8_t  c;

    *v = 0;

    for (n = 0; p + n < end && p[n] != ':'; n++) {
        c = p[n];

        if (n == 4) {
            return 0;
        }

        if (c >= '0' && c <= '9') {
            *v = *v << 4 | (unsigned) (c - '0');

        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            *v = *v << 4 | (unsigned) ((c | 0x20) - 'a' + 10);

        } else {
            return 0;
        }
    }

    return n;
}


size_t
rs_ip_format(const rs_ip_t *ip, char *dst)
{
    unsigned            i, j, v, gap, len;
    rs_buf_t            b;

    static const char   hex[] = "0123456789abcdef";

    rs_buf_init(&b, dst, RS_IP_TEXT_MAX);

    if (ip->len == RS_IP_V4) {
        for (i = 0; i < 4; i++) {
            if (i) {
                rs_buf_char(&b, '.');
            }

            rs_buf_u64(&b, ip->b[i]);
        }

        return b.len;
    }

    /* the first longest run of at least two groups of zero */

    gap = 8;
    len = 1;

    for (i = 0; i < 8; i++) {
        for (j = i; j < 8 && !ip->b[2 * j] && !ip->b[2 * j + 1]; j++) { }

        if (j - i > len) {
            gap = i;
            len = j - i;
        }
    }

    for (i = 0; i < 8; i++) {
        if (i == gap) {
            rs_buf_cstr(&b, "::");
            i += len - 1;
            continue;
        }

        if (i && i != gap + len) {
            rs_buf_char(&b, ':');
        }

        v = (unsigned) ip->b[2 * i] << 8 | ip->b[2 * i + 1];

        for (j = 12; j > 0 && v >> j == 0; j -= 4) { }

        for ( ;; j -= 4) {
            rs_buf_char(&b, hex[v >> j & 0xf]);

            if (j == 0) {
                break;
            }
        }
    }

    return b.len;
}


size_t
rs_ip_key(const rs_ip_t *ip, char *dst)
{
    size_t          len;
    const uint8_t  *b;

    static const uint8_t  mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                         0xff, 0xff };

    b = ip->b;
    len = ip->len;

    if (len == RS_IP_V6 && memcmp(b, mapped, sizeof(mapped)) == 0) {
        b += sizeof(mapped);
        len = RS_IP_V4;
    }

    dst[0] = (len == RS_IP_V4) ? '4' : '6';

    return 1 + rs_hex_encode(dst + 1, b, len);
}


rs_err_e
rs_ip_range_parse(rs_str_t s, rs_ip_range_t *range)
{
    rs_str_t  head, tail;

    if (rs_str_split(s, '/', &head, &tail)) {
        return rs_ip_cidr_parse(head, tail, range);
    }

    if (rs_str_split(s, '-', &head, &tail)) {
        if (rs_ip_parse(head, &range->first) != RS_OK
            || rs_ip_parse(tail, &range->last) != RS_OK
            || range->first.len != range->last.len
            || rs_ip_cmp(&range->first, &range->last) > 0)
        {
            return RS_E_INVALID_VALUE;
        }

        return RS_OK;
    }

    if (rs_ip_parse(s, &range->first) != RS_OK) {
        return RS_E_INVALID_VALUE;
    }

    range->last = range->first;

    return RS_OK;
}


static rs_err_e
rs_ip_cidr_parse(rs_str_t s, rs_str_t text, rs_ip_range_t *range)
{
    uint8_t   mask;
    uint64_t  bits;
    unsigned  i;

    if (rs_ip_parse(s, &range->first) != RS_OK
        || !rs_u64_parse(text, range->first.len * 8u, &bits))
    {
        return RS_E_INVALID_VALUE;
    }

    range->last = range->first;

    for (i = 0; i < range->first.len; i++) {
        if (bits >= 8) {
            bits -= 8;
            continue;
        }

        mask = (uint8_t) (0xff >> bits);
        bits = 0;

        if (range->first.b[i] & mask) {
            return RS_E_INVALID_VALUE;
        }

        range->last.b[i] |= mask;
    }

    return RS_OK;
}


size_t
rs_ip_range_format(const rs_ip_range_t *range, char *dst)
{
    size_t  len;

    len = rs_ip_format(&range->first, dst);

    if (rs_ip_cmp(&range->first, &range->last) != 0) {
        dst[len++] = '-';
        len += rs_ip_format(&range->last, dst + len);
    }

    return len;
}


int
rs_ip_range_bits(const rs_ip_range_t *range)
{
    int       bits, i, n;
    unsigned  a, z;

    n = range->first.len * 8;
    bits = n;

    for (i = 0; i < n; i++) {
        a = (unsigned) range->first.b[i / 8] >> (7 - i % 8) & 1u;
        z = (unsigned) range->last.b[i / 8] >> (7 - i % 8) & 1u;

        if (bits == n && a != z) {
            bits = i;
        }

        if (bits < n && (a != 0 || z != 1)) {
            return -1;
        }
    }

    return bits;
}


int
rs_ip_cmp(const rs_ip_t *a, const rs_ip_t *b)
{
    if (a->len != b->len) {
        return a->len - b->len;
    }

    return memcmp(a->b, b->b, RS_IP_V6);
}


int
rs_ip_inc(rs_ip_t *ip)
{
    unsigned  i;

    for (i = ip->len; i > 0; i--) {
        if (++ip->b[i - 1] != 0) {
            return 1;
        }
    }

    memset(ip->b, 0xff, ip->len);

    return 0;
}


int
rs_ip_dec(rs_ip_t *ip)
{
    unsigned  i;

    for (i = ip->len; i > 0; i--) {
        if (ip->b[i - 1]-- != 0) {
            return 1;
        }
    }

    memset(ip->b, 0, ip->len);

    return 0;
}


void
rs_ip_set_init(rs_ip_set_t *set)
{
    set->n = 0;
    set->overflow = 0;
}


static void
rs_ip_set_insert(rs_ip_set_t *set, unsigned at, const rs_ip_range_t *range)
{
    if (set->n == RS_IP_SET_MAX) {
        set->overflow = 1;
        return;
    }

    memmove(&set->range[at + 1], &set->range[at],
            (set->n - at) * sizeof(rs_ip_range_t));
    set->range[at] = *range;
    set->n++;
}


static void
rs_ip_set_remove(rs_ip_set_t *set, unsigned at, unsigned n)
{
    memmove(&set->range[at], &set->range[at + n],
            (set->n - at - n) * sizeof(rs_ip_range_t));
    set->n -= n;
}


void
rs_ip_set_add(rs_ip_set_t *set, const rs_ip_range_t *range)
{
    unsigned       i, n;
    rs_ip_t        before, after;
    rs_ip_range_t  sum;

    sum = *range;
    before = range->first;
    after = range->last;

    /* what touches it becomes one with it */

    (void) rs_ip_dec(&before);
    (void) rs_ip_inc(&after);

    for (i = 0; i < set->n && rs_ip_cmp(&set->range[i].last, &before) < 0;
         i++) { }

    for (n = 0; i + n < set->n
                && rs_ip_cmp(&set->range[i + n].first, &after) <= 0; n++)
    {
        if (rs_ip_cmp(&set->range[i + n].first, &sum.first) < 0) {
            sum.first = set->range[i + n].first;
        }

        if (rs_ip_cmp(&set->range[i + n].last, &sum.last) > 0) {
            sum.last = set->range[i + n].last;
        }
    }

    rs_ip_set_remove(set, i, n);
    rs_ip_set_insert(set, i, &sum);
}


void
rs_ip_set_sub(rs_ip_set_t *set, const rs_ip_range_t *range)
{
    unsigned       i;
    rs_ip_range_t  left, right, *r;

    i = 0;

    while (i < set->n) {
        r = &set->range[i];

        if (rs_ip_cmp(&r->last, &range->first) < 0) {
            i++;
            continue;
        }

        if (rs_ip_cmp(&r->first, &range->last) > 0) {
            return;
        }

        left = *r;
        right = *r;
        rs_ip_set_remove(set, i, 1);

        if (rs_ip_cmp(&left.first, &range->first) < 0) {
            left.last = range->first;
            (void) rs_ip_dec(&left.last);
            rs_ip_set_insert(set, i++, &left);
        }

        if (rs_ip_cmp(&right.last, &range->last) > 0) {
            right.first = range->last;
            (void) rs_ip_inc(&right.first);
            rs_ip_set_insert(set, i++, &right);
        }
    }
}


void
rs_ip_set_add_set(rs_ip_set_t *set, const rs_ip_set_t *other)
{
    unsigned  i;

    for (i = 0; i < other->n; i++) {
        rs_ip_set_add(set, &other->range[i]);
    }

    set->overflow |= other->overflow;
}


void
rs_ip_set_sub_set(rs_ip_set_t *set, const rs_ip_set_t *other)
{
    unsigned  i;

    for (i = 0; i < other->n; i++) {
        rs_ip_set_sub(set, &other->range[i]);
    }

    set->overflow |= other->overflow;
}


void
rs_ip_set_not(rs_ip_set_t *dst, const rs_ip_set_t *set)
{
    rs_ip_range_t  all;

    memset(&all, 0, sizeof(rs_ip_range_t));

    rs_ip_set_init(dst);

    all.first.len = RS_IP_V4;
    all.last.len = RS_IP_V4;
    memset(all.last.b, 0xff, RS_IP_V4);
    rs_ip_set_add(dst, &all);

    all.first.len = RS_IP_V6;
    all.last.len = RS_IP_V6;
    memset(all.last.b, 0xff, RS_IP_V6);
    rs_ip_set_add(dst, &all);

    rs_ip_set_sub_set(dst, set);
}


int
rs_ip_set_has(const rs_ip_set_t *set, const rs_ip_t *ip)
{
    rs_ip_range_t  one;

    one.first = *ip;
    one.last = *ip;

    return rs_ip_set_meets(set, &one);
}


int
rs_ip_set_meets(const rs_ip_set_t *set, const rs_ip_range_t *range)
{
    unsigned  lo, hi, mid;

    lo = 0;
    hi = set->n;

    /* the first that does not end before the range begins */

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;

        if (rs_ip_cmp(&set->range[mid].last, &range->first) < 0) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    return lo < set->n
           && rs_ip_cmp(&set->range[lo].first, &range->last) <= 0;
}


int
rs_ip_set_eq(const rs_ip_set_t *a, const rs_ip_set_t *b)
{
    return a->n == b->n
           && memcmp(a->range, b->range, a->n * sizeof(rs_ip_range_t)) == 0;
}
