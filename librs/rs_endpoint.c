
/*
 * Copyright (C) rs-gateway contributors
 *
 * Targets of tunnels.
 */


#include "rs_endpoint.h"
#include "rs_host.h"

#include <string.h>


rs_err_e
rs_endpoint_parse(rs_str_t s, rs_endpoint_t *t)
{
    rs_host_t  h;

    memset(t, 0, sizeof(rs_endpoint_t));

    if (rs_str_eq(s, RS_STR(RS_ENDPOINT_SHELL))) {
        t->shell = 1;
        return RS_OK;
    }

    if (s.len > RS_ENDPOINT_MAX || rs_host_parse(s, &h) != RS_OK
        || h.port == 0)
    {
        return RS_E_INVALID_VALUE;
    }

    t->host = h.host;
    t->port = h.port;

    if (h.host.data[0] == '[') {
        t->host.data++;
        t->host.len -= 2;
    }

    return RS_OK;
}


rs_err_e
rs_endpoint_check(rs_str_t s)
{
    rs_endpoint_t  t;

    return rs_endpoint_parse(s, &t);
}
