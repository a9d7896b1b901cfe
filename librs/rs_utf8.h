
/*
 * Copyright (C) rs-gateway contributors
 *
 * Incremental UTF-8 check (RFC 3629): no surrogates, no overlong forms,
 * nothing above U+10FFFF.
 */


#ifndef _RS_UTF8_H_INCLUDED_
#define _RS_UTF8_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "rs_err.h"


/* what is owed by a sequence cut between two pieces; zeroed = start */

typedef struct {
    uint8_t  need;             /* continuation bytes still to come */
    uint8_t  lower;            /* bounds of the next one */
    uint8_t  upper;
} rs_utf8_t;


/* RS_OK, also in the midst of a sequence; RS_E_WS_UTF8 at the first wrong */
rs_err_e rs_utf8_feed(rs_utf8_t *u, const uint8_t *data, size_t len);
/* RS_OK when nothing is owed */
rs_err_e rs_utf8_end(const rs_utf8_t *u);
/* the whole at once */
rs_err_e rs_utf8_check(const uint8_t *data, size_t len);


#endif /* _RS_UTF8_H_INCLUDED_ */
