
/*
 * Copyright (C) rs-gateway contributors
 *
 * The head of an HTTP/1.1 answer, as much of it as a client of this gateway
 * needs.  Pure: bytes in, a struct out.
 */


#ifndef _RL_HTTP_H_INCLUDED_
#define _RL_HTTP_H_INCLUDED_


#include "rs_err.h"


typedef struct {
    unsigned        status;
    size_t          len;              /* of the head, empty line included */
    uint64_t        content_length;
    uint64_t        retry_after_s;    /* 0: none */
    unsigned        has_length:1;
    unsigned        chunked:1;
    unsigned        keepalive:1;
    rs_str_t        accept;           /* Sec-WebSocket-Accept */
    rs_str_t        protocol;         /* Sec-WebSocket-Protocol */
} rl_http_t;


/*
 * RS_OK; RS_AGAIN: the head is not whole; RS_E_BAD_REQUEST: it is none.  The
 * caller bounds what it collects.  Slices point into s.
 */
rs_err_e rl_http_parse(rs_str_t s, rl_http_t *h);


#endif /* _RL_HTTP_H_INCLUDED_ */
