
/*
 * Copyright (C) rs-gateway contributors
 *
 * Items with their lengths before them.
 */


#include "rs_pack.h"


rs_err_e
rs_pack_put(rs_buf_t *b, rs_str_t item)
{
    if (item.len == 0 || item.len > RS_PACK_ITEM_MAX) {
        return RS_E_INVALID_VALUE;
    }

    if (b->overflow || b->size - b->len < RS_PACK_HEAD + item.len) {
        return RS_E_WS_TOO_BIG;
    }

    rs_buf_char(b, (char) (item.len >> 8));
    rs_buf_char(b, (char) (item.len & 0xff));
    rs_buf_str(b, item);

    return RS_OK;
}


int
rs_pack_next(rs_str_t *rest, rs_str_t *item)
{
    size_t  len;

    if (rest->len == 0) {
        return 0;
    }

    if (rest->len < RS_PACK_HEAD) {
        return -1;
    }

    len = (size_t) rest->data[0] << 8 | rest->data[1];

    if (len == 0 || len > rest->len - RS_PACK_HEAD) {
        return -1;
    }

    item->data = rest->data + RS_PACK_HEAD;
    item->len = len;

    rest->data += RS_PACK_HEAD + len;
    rest->len -= RS_PACK_HEAD + len;

    return 1;
}


size_t
rs_pack_fit(rs_str_t s, size_t max)
{
    size_t    fit;
    rs_str_t  rest, item;

    fit = 0;
    rest = s;

    while (rs_pack_next(&rest, &item) == 1) {

        if (s.len - rest.len > max) {
            break;
        }

        fit = s.len - rest.len;
    }

    return fit;
}
