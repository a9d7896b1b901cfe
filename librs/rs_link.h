
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a link between two workers begins with: which leg of which pipe comes,
 * for which socket of the other worker, and the nonce that the store gave for
 * this once.  One line of a fixed length, so that no byte behind it is read
 * with it:
 *
 *     rs-link1 <tenant> <pipe> <side> <conn> <nonce> [blanks] LF
 */


#ifndef _RS_LINK_H_INCLUDED_
#define _RS_LINK_H_INCLUDED_


#include "rs_id.h"
#include "rs_ws_handshake.h"


#define RS_LINK_LEN            160


typedef struct {
    rs_str_t        tenant;
    rs_str_t        pipe_id;          /* with prefix */
    rs_ws_side_e    side;             /* the one that comes */
    uint64_t        conn;             /* of the socket that waits */
    rs_str_t        nonce;            /* as a secret */
} rs_link_t;


/* dst: RS_LINK_LEN.  RS_OK, or RS_E_INVALID_VALUE: it would not be read */
rs_err_e rs_link_format(char *dst, const rs_link_t *link);

/* s: RS_LINK_LEN bytes, into which link points.  RS_OK or RS_E_INVALID_VALUE */
rs_err_e rs_link_parse(rs_str_t s, rs_link_t *link);


#endif /* _RS_LINK_H_INCLUDED_ */
