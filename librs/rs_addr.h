
/*
 * Copyright (C) rs-gateway contributors
 *
 * `node.worker.incarnation.conn`: the only way to name a live socket;
 * `node.worker.incarnation` names a worker (conn 0).  docs/design/redis.md,
 * "Addresses".
 */


#ifndef _RS_ADDR_H_INCLUDED_
#define _RS_ADDR_H_INCLUDED_


#include "rs_err.h"


#define RS_ADDR_NODE_MAX       32
#define RS_ADDR_WORKER_MAX     65535
#define RS_ADDR_CONN_MAX       ((uint64_t) 1 << 53)
/* longest text, no NUL: node . 65535 . 16 hex . 9007199254740992 */
#define RS_ADDR_MAX            (RS_ADDR_NODE_MAX + 1 + 5 + 1 + 16 + 1 + 16)


typedef struct {
    char            node[RS_ADDR_NODE_MAX];
    uint8_t         node_len;
    uint32_t        worker;
    uint64_t        incarnation;
    uint64_t        conn;             /* 0: the worker itself */
} rs_addr_t;


/* [a-z0-9-]{1,32}: RS_OK or RS_E_INVALID_VALUE */
rs_err_e rs_addr_node_check(rs_str_t node);
rs_err_e rs_addr_set_node(rs_addr_t *addr, rs_str_t node);

/* of a socket or of a worker: RS_OK or RS_E_INVALID_VALUE */
rs_err_e rs_addr_parse(rs_str_t s, rs_addr_t *addr);
/* without conn when it is 0; no NUL; the length, 0 if it does not fit */
size_t rs_addr_format(const rs_addr_t *addr, char *dst, size_t size);

/* 1: both are of one node */
int rs_addr_same_node(const rs_addr_t *a, const rs_addr_t *b);
/* 1: both are of one process, whatever the conn */
int rs_addr_same_worker(const rs_addr_t *a, const rs_addr_t *b);
int rs_addr_eq(const rs_addr_t *a, const rs_addr_t *b);


#endif /* _RS_ADDR_H_INCLUDED_ */
