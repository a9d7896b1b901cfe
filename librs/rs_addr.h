
/*
 * Copyright (C) rs-gateway contributors
 *
 * node.worker.incarnation.conn: the only way to name a live socket, and
 * without the last part, a worker.
 */


#ifndef _RS_ADDR_H_INCLUDED_
#define _RS_ADDR_H_INCLUDED_


#include "rs_str.h"


#define RS_ADDR_NODE_MAX    32
/* node . worker . 16 hex . conn */
#define RS_ADDR_MAX         (RS_ADDR_NODE_MAX + 1 + 5 + 1 + 16 + 1 + 16)
#define RS_ADDR_WORKER_MAX  65535
#define RS_ADDR_CONN_MAX    (1ULL << 53)


typedef struct {
    char      node[RS_ADDR_NODE_MAX];
    size_t    node_len;
    uint32_t  worker;
    uint64_t  incarnation;
    uint64_t  conn;            /* 0: the worker itself */
} rs_addr_t;


int rs_addr_node_valid(rs_str_t node);
/* takes both forms; RS_E_INVALID_VALUE when it is neither */
rs_err_e rs_addr_parse(rs_str_t s, rs_addr_t *a);
/* at most RS_ADDR_MAX bytes, no NUL; the length */
size_t rs_addr_format(const rs_addr_t *a, char *out);
int rs_addr_same_worker(const rs_addr_t *a, const rs_addr_t *b);


#endif /* _RS_ADDR_H_INCLUDED_ */
