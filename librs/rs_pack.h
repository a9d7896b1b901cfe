
/*
 * Copyright (C) rs-gateway contributors
 *
 * Several envelopes in one datagram between workers of a node: each one is
 * preceded by its length, two bytes, the higher one first.
 */


#ifndef _RS_PACK_H_INCLUDED_
#define _RS_PACK_H_INCLUDED_


#include "rs_err.h"


#define RS_PACK_HEAD           2
#define RS_PACK_ITEM_MAX       65535


/*
 * Appends one item.  RS_OK; RS_E_INVALID_VALUE: it is empty or longer than
 * RS_PACK_ITEM_MAX; RS_E_WS_TOO_BIG: b has no room.  But for RS_OK b is as
 * it was.
 */
rs_err_e rs_pack_put(rs_buf_t *b, rs_str_t item);

/*
 * 1: *item is the first of *rest, which now begins behind it; 0: *rest is
 * empty; -1: what is there is no whole item.
 */
int rs_pack_next(rs_str_t *rest, rs_str_t *item);

/* the length of as many whole items, from the first on, as fit into max */
size_t rs_pack_fit(rs_str_t s, size_t max);


#endif /* _RS_PACK_H_INCLUDED_ */
