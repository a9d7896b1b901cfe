
/*
 * Copyright (C) rs-gateway contributors
 *
 * UTF-8 (RFC 3629), checked piece by piece: the state is carried over the
 * fragments of a message.  Overlong forms, surrogates and code points above
 * U+10FFFF are refused at the first byte that proves them.
 */


#ifndef _RS_UTF8_H_INCLUDED_
#define _RS_UTF8_H_INCLUDED_


#include "rs_str.h"


typedef struct {
    uint8_t         need;         /* continuation bytes still to come */
    uint8_t         low;          /* bounds of the next one */
    uint8_t         high;
} rs_utf8_t;


void rs_utf8_init(rs_utf8_t *u);
/* 0: invalid; do not go on with this state */
int rs_utf8_feed(rs_utf8_t *u, const uint8_t *data, size_t len);
/* 1: what was fed does not end within a character */
int rs_utf8_done(const rs_utf8_t *u);

/* a whole string */
int rs_utf8_valid(rs_str_t s);
/*
 * Valid, and without what is not seen or makes what is seen another text:
 * controls (C0, DEL, C1), line and paragraph separators, marks, embeddings,
 * overrides and isolates of the direction, characters without width (the
 * joiners and the soft hyphen among them), tags, and what is no character.
 * Every text that a device, a guest or a token brings is held to it.
 */
int rs_utf8_printable(rs_str_t s);

/* 1: rs_utf8_printable() refuses a text with this code point */
int rs_utf8_hidden(uint32_t c);

/*
 * For texts that cannot be refused: what is printable of s, cut between
 * characters to at most size bytes, into dst, which may be s.data.  Bytes
 * that are no UTF-8 are left out one by one.  The length.
 */
size_t rs_utf8_clean(uint8_t *dst, size_t size, rs_str_t s);

/*
 * One character at s.data: its length and *c, or 0: there is none that is
 * well formed.
 */
size_t rs_utf8_next(rs_str_t s, uint32_t *c);
/* characters of a valid string */
size_t rs_utf8_count(rs_str_t s);
/* the longest prefix of at most max bytes that ends between characters */
rs_str_t rs_utf8_cut(rs_str_t s, size_t max);


#endif /* _RS_UTF8_H_INCLUDED_ */
