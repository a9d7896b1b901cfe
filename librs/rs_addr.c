
/*
 * Copyright (C) rs-gateway contributors
 *
 * Addresses between text and struct.
 */


#include "rs_addr.h"

#include <string.h>


#define RS_ADDR_INCARNATION_LEN  16


rs_err_e
rs_addr_node_check(rs_str_t node)
{
    size_t   i;
    uint8_t  c;

    if (node.len == 0 || node.len > RS_ADDR_NODE_MAX) {
        return RS_E_INVALID_VALUE;
    }

    for (i = 0; i < node.len; i++) {
        c = node.data[i];

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-') {
            return RS_E_INVALID_VALUE;
        }
    }

    return RS_OK;
}


rs_err_e
rs_addr_set_node(rs_addr_t *addr, rs_str_t node)
{
    if (rs_addr_node_check(node) != RS_OK) {
        return RS_E_INVALID_VALUE;
    }

    memcpy(addr->node, node.data, node.len);
    addr->node_len = (uint8_t) node.len;

    return RS_OK;
}


rs_err_e
rs_addr_parse(rs_str_t s, rs_addr_t *addr)
{
    int        more;
    size_t     i, len;
    uint8_t    raw[RS_ADDR_INCARNATION_LEN / 2];
    uint64_t   worker;
    rs_str_t   node, number, incarnation, rest;

    memset(addr, 0, sizeof(rs_addr_t));

    if (s.len > RS_ADDR_MAX
        || !rs_str_split(s, '.', &node, &rest)
        || rs_addr_set_node(addr, node) != RS_OK
        || !rs_str_split(rest, '.', &number, &rest)
        || !rs_u64_parse(number, RS_ADDR_WORKER_MAX, &worker))
    {
        return RS_E_INVALID_VALUE;
    }

    addr->worker = (uint32_t) worker;

    more = rs_str_split(rest, '.', &incarnation, &rest);

    if (incarnation.len != RS_ADDR_INCARNATION_LEN
        || !rs_hex_decode(raw, sizeof(raw), incarnation, &len))
    {
        return RS_E_INVALID_VALUE;
    }

    for (i = 0; i < len; i++) {
        addr->incarnation = addr->incarnation << 8 | raw[i];
    }

    if (more
        && (!rs_u64_parse(rest, RS_ADDR_CONN_MAX, &addr->conn)
            || addr->conn == 0))
    {
        return RS_E_INVALID_VALUE;
    }

    return RS_OK;
}


size_t
rs_addr_format(const rs_addr_t *addr, char *dst, size_t size)
{
    char      hex[RS_ADDR_INCARNATION_LEN];
    size_t    i;
    uint8_t   raw[RS_ADDR_INCARNATION_LEN / 2];
    rs_buf_t  b;

    for (i = 0; i < sizeof(raw); i++) {
        raw[i] = (uint8_t) (addr->incarnation >> (56 - 8 * i));
    }

    (void) rs_hex_encode(hex, raw, sizeof(raw));

    rs_buf_init(&b, dst, size);
    rs_buf_put(&b, addr->node, addr->node_len);
    rs_buf_char(&b, '.');
    rs_buf_u64(&b, addr->worker);
    rs_buf_char(&b, '.');
    rs_buf_put(&b, hex, sizeof(hex));

    if (addr->conn) {
        rs_buf_char(&b, '.');
        rs_buf_u64(&b, addr->conn);
    }

    return b.overflow ? 0 : b.len;
}


int
rs_addr_same_node(const rs_addr_t *a, const rs_addr_t *b)
{
    return a->node_len == b->node_len
           && memcmp(a->node, b->node, a->node_len) == 0;
}


int
rs_addr_same_worker(const rs_addr_t *a, const rs_addr_t *b)
{
    return a->incarnation == b->incarnation
           && a->worker == b->worker
           && rs_addr_same_node(a, b);
}


int
rs_addr_eq(const rs_addr_t *a, const rs_addr_t *b)
{
    return a->conn == b->conn && rs_addr_same_worker(a, b);
}
