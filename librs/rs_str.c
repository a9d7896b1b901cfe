
/*
 * Copyright (C) rs-gateway contributors
 *
 * Slices, the bounded writer, and RFC 4648.
 */


#include "rs_str.h"

#include <string.h>
#include <openssl/crypto.h>


static uint8_t rs_lower(uint8_t c);
static unsigned rs_base_value(uint8_t c, const char *extra);
static size_t rs_base64_chars(char *dst, const uint8_t *src, size_t n,
    const char *alphabet);
static int rs_base64_values(uint8_t *dst, size_t size, rs_str_t s,
    const char *extra, size_t *len);


static const char  rs_alphabet64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char  rs_alphabet64url[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char  rs_alphabet32[] = "abcdefghijklmnopqrstuvwxyz234567";
static const char  rs_alphabet16[] = "0123456789abcdef";


rs_str_t
rs_str(const char *s)
{
    rs_str_t  str;

    str.data = (const uint8_t *) s;
    str.len = (s != NULL) ? strlen(s) : 0;

    return str;
}


int
rs_str_eq(rs_str_t a, rs_str_t b)
{
    return a.len == b.len
           && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


static uint8_t
rs_lower(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') ? (uint8_t) (c | 0x20) : c;
}


int
rs_str_eq_ci(rs_str_t a, rs_str_t b)
{
    size_t  i;

    if (a.len != b.len) {
        return 0;
    }

    for (i = 0; i < a.len; i++) {
        if (rs_lower(a.data[i]) != rs_lower(b.data[i])) {
            return 0;
        }
    }

    return 1;
}


int
rs_str_starts(rs_str_t s, rs_str_t prefix)
{
    return s.len >= prefix.len
           && (prefix.len == 0
               || memcmp(s.data, prefix.data, prefix.len) == 0);
}


int
rs_str_eq_secret(rs_str_t a, rs_str_t b)
{
    return a.len == b.len
           && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}


int
rs_str_split(rs_str_t s, uint8_t sep, rs_str_t *head, rs_str_t *tail)
{
    const uint8_t  *p;

    p = s.len ? memchr(s.data, sep, s.len) : NULL;

    *head = s;
    tail->data = s.data;
    tail->len = 0;

    if (p == NULL) {
        return 0;
    }

    head->len = (size_t) (p - s.data);
    tail->data = p + 1;
    tail->len = s.len - head->len - 1;

    return 1;
}


void
rs_buf_init(rs_buf_t *b, void *data, size_t size)
{
    b->data = data;
    b->len = 0;
    b->size = size;
    b->overflow = 0;
}


void
rs_buf_put(rs_buf_t *b, const void *data, size_t len)
{
    if (b->overflow || len > b->size - b->len) {
        b->overflow = 1;
        return;
    }

    if (len) {
        memcpy(b->data + b->len, data, len);
        b->len += len;
    }
}


void
rs_buf_str(rs_buf_t *b, rs_str_t s)
{
    rs_buf_put(b, s.data, s.len);
}


void
rs_buf_cstr(rs_buf_t *b, const char *s)
{
    rs_buf_put(b, s, strlen(s));
}


void
rs_buf_char(rs_buf_t *b, char c)
{
    rs_buf_put(b, &c, 1);
}


void
rs_buf_u64(rs_buf_t *b, uint64_t v)
{
    char    digits[20];
    size_t  i;

    i = sizeof(digits);

    do {
        digits[--i] = (char) ('0' + v % 10);
        v /= 10;
    } while (v);

    rs_buf_put(b, digits + i, sizeof(digits) - i);
}


void
rs_buf_json(rs_buf_t *b, rs_str_t s)
{
    char      escape[6];
    size_t    i, start;
    uint8_t   c;

    static const char  shorts[] = "\b\t\n\f\r\"\\";
    static const char  letters[] = "btnfr\"\\";
    const char        *p;

    rs_buf_char(b, '"');

    start = 0;

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }

        rs_buf_put(b, s.data + start, i - start);
        start = i + 1;

        p = c ? strchr(shorts, c) : NULL;

        if (p != NULL) {
            escape[0] = '\\';
            escape[1] = letters[p - shorts];
            rs_buf_put(b, escape, 2);
            continue;
        }

        memcpy(escape, "\\u00", 4);
        escape[4] = rs_alphabet16[c >> 4];
        escape[5] = rs_alphabet16[c & 15];
        rs_buf_put(b, escape, sizeof(escape));
    }

    rs_buf_put(b, s.len ? s.data + start : NULL, s.len - start);
    rs_buf_char(b, '"');
}


rs_str_t
rs_buf_get(const rs_buf_t *b)
{
    return (rs_str_t) { b->data, b->len };
}


int
rs_u64_parse(rs_str_t s, uint64_t max, uint64_t *v)
{
    size_t    i;
    uint64_t  value, digit;

    if (s.len == 0 || s.len > 20 || (s.len > 1 && s.data[0] == '0')) {
        return 0;
    }

    value = 0;

    for (i = 0; i < s.len; i++) {

        if (s.data[i] < '0' || s.data[i] > '9') {
            return 0;
        }

        digit = (uint64_t) (s.data[i] - '0');

        if (value > (UINT64_MAX - digit) / 10) {
            return 0;
        }

        value = value * 10 + digit;
    }

    if (value > max) {
        return 0;
    }

    *v = value;

    return 1;
}


/* of a base64 character; extra: those for 62 and 63.  64: none of them */

static unsigned
rs_base_value(uint8_t c, const char *extra)
{
    if (c >= 'A' && c <= 'Z') {
        return (unsigned) c - 'A';
    }

    if (c >= 'a' && c <= 'z') {
        return (unsigned) c - 'a' + 26;
    }

    if (c >= '0' && c <= '9') {
        return (unsigned) c - '0' + 52;
    }

    if (c == (uint8_t) extra[0]) {
        return 62;
    }

    return (c == (uint8_t) extra[1]) ? 63 : 64;
}


/* without padding */

static size_t
rs_base64_chars(char *dst, const uint8_t *src, size_t n, const char *alphabet)
{
    char      *p;
    size_t     i;
    uint32_t   bits;

    p = dst;

    for (i = 0; i + 2 < n; i += 3) {
        bits = (uint32_t) src[i] << 16 | (uint32_t) src[i + 1] << 8
               | src[i + 2];
        *p++ = alphabet[bits >> 18];
        *p++ = alphabet[(bits >> 12) & 63];
        *p++ = alphabet[(bits >> 6) & 63];
        *p++ = alphabet[bits & 63];
    }

    if (n - i == 2) {
        bits = (uint32_t) src[i] << 16 | (uint32_t) src[i + 1] << 8;
        *p++ = alphabet[bits >> 18];
        *p++ = alphabet[(bits >> 12) & 63];
        *p++ = alphabet[(bits >> 6) & 63];

    } else if (n - i == 1) {
        bits = (uint32_t) src[i] << 16;
        *p++ = alphabet[bits >> 18];
        *p++ = alphabet[(bits >> 12) & 63];
    }

    return (size_t) (p - dst);
}


static int
rs_base64_values(uint8_t *dst, size_t size, rs_str_t s, const char *extra,
    size_t *len)
{
    size_t    i, n;
    uint32_t  bits, nbits;
    unsigned  v;

    if (s.len % 4 == 1 || s.len / 4 * 3 + (s.len % 4) * 3 / 4 > size) {
        return 0;
    }

    n = 0;
    bits = 0;
    nbits = 0;

    for (i = 0; i < s.len; i++) {
        v = rs_base_value(s.data[i], extra);

        if (v == 64) {
            return 0;
        }

        bits = bits << 6 | v;
        nbits += 6;

        if (nbits >= 8) {
            nbits -= 8;
            dst[n++] = (uint8_t) (bits >> nbits);
            bits &= (1u << nbits) - 1;
        }
    }

    *len = n;

    return bits == 0;
}


size_t
rs_base64_encode(char *dst, const uint8_t *src, size_t n)
{
    size_t  len;

    len = rs_base64_chars(dst, src, n, rs_alphabet64);

    while (len % 4) {
        dst[len++] = '=';
    }

    return len;
}


int
rs_base64_decode(uint8_t *dst, size_t size, rs_str_t s, size_t *len)
{
    unsigned  i;

    if (s.len % 4) {
        return 0;
    }

    for (i = 0; i < 2 && s.len && s.data[s.len - 1] == '='; i++) {
        s.len--;
    }

    return rs_base64_values(dst, size, s, "+/", len);
}


size_t
rs_base64url_encode(char *dst, const uint8_t *src, size_t n)
{
    return rs_base64_chars(dst, src, n, rs_alphabet64url);
}


int
rs_base64url_decode(uint8_t *dst, size_t size, rs_str_t s, size_t *len)
{
    return rs_base64_values(dst, size, s, "-_", len);
}


size_t
rs_base32_encode(char *dst, const uint8_t *src, size_t n)
{
    char      *p;
    size_t     i;
    uint32_t   bits, nbits;

    p = dst;
    bits = 0;
    nbits = 0;

    for (i = 0; i < n; i++) {
        bits = bits << 8 | src[i];
        nbits += 8;

        while (nbits >= 5) {
            nbits -= 5;
            *p++ = rs_alphabet32[(bits >> nbits) & 31];
        }

        bits &= (1u << nbits) - 1;
    }

    if (nbits) {
        *p++ = rs_alphabet32[(bits << (5 - nbits)) & 31];
    }

    return (size_t) (p - dst);
}


int
rs_base32_decode(uint8_t *dst, size_t size, rs_str_t s, size_t *len)
{
    size_t    i, n;
    uint32_t  bits, nbits, v;

    n = 0;
    bits = 0;
    nbits = 0;

    if (s.len % 8 == 1 || s.len % 8 == 3 || s.len % 8 == 6
        || s.len / 8 * 5 + (s.len % 8) * 5 / 8 > size)
    {
        return 0;
    }

    for (i = 0; i < s.len; i++) {

        if (s.data[i] >= 'a' && s.data[i] <= 'z') {
            v = (uint32_t) (s.data[i] - 'a');

        } else if (s.data[i] >= '2' && s.data[i] <= '7') {
            v = (uint32_t) (s.data[i] - '2') + 26;

        } else {
            return 0;
        }

        bits = bits << 5 | v;
        nbits += 5;

        if (nbits >= 8) {
            nbits -= 8;
            dst[n++] = (uint8_t) (bits >> nbits);
            bits &= (1u << nbits) - 1;
        }
    }

    *len = n;

    return bits == 0;
}


size_t
rs_hex_encode(char *dst, const uint8_t *src, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        dst[i * 2] = rs_alphabet16[src[i] >> 4];
        dst[i * 2 + 1] = rs_alphabet16[src[i] & 15];
    }

    return n * 2;
}


int
rs_hex_decode(uint8_t *dst, size_t size, rs_str_t s, size_t *len)
{
    size_t       i;
    const char  *high, *low;

    if (s.len % 2 || s.len / 2 > size) {
        return 0;
    }

    for (i = 0; i < s.len; i += 2) {
        high = memchr(rs_alphabet16, s.data[i], 16);
        low = memchr(rs_alphabet16, s.data[i + 1], 16);

        if (high == NULL || low == NULL) {
            return 0;
        }

        dst[i / 2] = (uint8_t) ((high - rs_alphabet16) << 4
                                | (low - rs_alphabet16));
    }

    *len = s.len / 2;

    return 1;
}
