
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
/* valid, and free of C0, DEL and C1 controls (U+0000-1F, U+007F-9F) */
int rs_utf8_printable(rs_str_t s);
/* characters of a valid string */
size_t rs_utf8_count(rs_str_t s);
/* the longest prefix of at most max bytes that ends between characters */
rs_str_t rs_utf8_cut(rs_str_t s, size_t max);


#endif /* _RS_UTF8_H_INCLUDED_ */
