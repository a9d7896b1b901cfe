
/*
 * Copyright (C) rs-gateway contributors
 *
 * The first line of a link.
 */


#include "rs_link.h"
#include "rs_addr.h"

#include <string.h>


static rs_err_e rs_link_check(const rs_link_t *link);


static rs_err_e
rs_link_check(const rs_link_t *link)
{
    if (rs_tenant_check(link->tenant) != RS_OK
        || rs_id_check_pipe(link->pipe_id) != RS_OK
        || rs_secret_check(link->nonce) != RS_OK
        || link->side == RS_WS_SIDE_NONE
        || link->conn == 0 || link->conn > RS_ADDR_CONN_MAX)
    {
        return RS_E_INVALID_VALUE;
    }

    return RS_OK;
}


rs_err_e
rs_link_format(char *dst, const rs_link_t *link)
{
    rs_buf_t  b;

    if (rs_link_check(link) != RS_OK) {
        return RS_E_INVALID_VALUE;
    }

    rs_buf_init(&b, dst, RS_LINK_LEN);
    rs_buf_cstr(&b, "rs-link1 ");
    rs_buf_str(&b, link->tenant);
    rs_buf_char(&b, ' ');
    rs_buf_str(&b, link->pipe_id);
    rs_buf_char(&b, ' ');
    rs_buf_cstr(&b, rs_ws_side_name(link->side));
    rs_buf_char(&b, ' ');
    rs_buf_u64(&b, link->conn);
    rs_buf_char(&b, ' ');
    rs_buf_str(&b, link->nonce);

    while (b.len < RS_LINK_LEN - 1) {
        rs_buf_char(&b, ' ');
    }

    rs_buf_char(&b, '\n');

    return b.overflow ? RS_E_INVALID_VALUE : RS_OK;
}


rs_err_e
rs_link_parse(rs_str_t s, rs_link_t *link)
{
    rs_str_t  word, rest;

    memset(link, 0, sizeof(rs_link_t));

    if (s.len != RS_LINK_LEN || s.data[s.len - 1] != '\n') {
        return RS_E_INVALID_VALUE;
    }

    s.len--;

    while (s.len && s.data[s.len - 1] == ' ') {
        s.len--;
    }

    if (!rs_str_split(s, ' ', &word, &rest)
        || !rs_str_eq(word, RS_STR("rs-link1"))
        || !rs_str_split(rest, ' ', &link->tenant, &rest)
        || !rs_str_split(rest, ' ', &link->pipe_id, &rest)
        || !rs_str_split(rest, ' ', &word, &rest))
    {
        return RS_E_INVALID_VALUE;
    }

    link->side = rs_ws_side(word);

    if (!rs_str_split(rest, ' ', &word, &link->nonce)
        || !rs_u64_parse(word, RS_ADDR_CONN_MAX, &link->conn))
    {
        return RS_E_INVALID_VALUE;
    }

    return rs_link_check(link);
}
