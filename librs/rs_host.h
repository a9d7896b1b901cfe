
/*
 * Copyright (C) rs-gateway contributors
 *
 * host[:port] as it stands in origins, Host headers and STUN and TURN URLs:
 * a DNS name, an IPv4 address, or an IPv6 address in brackets (RFC 3986,
 * 3.2.2, without percent-encoding and zones).
 */


#ifndef _RS_HOST_H_INCLUDED_
#define _RS_HOST_H_INCLUDED_


#include "rs_err.h"


typedef struct {
    rs_str_t        host;             /* IPv6: with its brackets */
    unsigned        port;             /* 0: none was given */
} rs_host_t;


/* RS_OK or RS_E_INVALID_VALUE; host points into s */
rs_err_e rs_host_parse(rs_str_t s, rs_host_t *h);


#endif /* _RS_HOST_H_INCLUDED_ */
