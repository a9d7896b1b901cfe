
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a tunnel leads to, as text: "host:port", or "shell".  Whether a device
 * goes there is the device's business.
 */


#ifndef _RS_ENDPOINT_H_INCLUDED_
#define _RS_ENDPOINT_H_INCLUDED_


#include "rs_err.h"


#define RS_ENDPOINT_MAX    262        /* a name of 255, ":65535", one more */
#define RS_ENDPOINT_SHELL  "shell"


typedef struct {
    rs_str_t        host;             /* IPv6: without brackets; of a shell
                                         empty */
    unsigned        port;             /* 1 to 65535; of a shell 0 */
    int             shell;
} rs_endpoint_t;


/* RS_OK or RS_E_INVALID_VALUE; host points into s */
rs_err_e rs_endpoint_parse(rs_str_t s, rs_endpoint_t *t);
/* the same as a check of rs_json_field_t */
rs_err_e rs_endpoint_check(rs_str_t s);


#endif /* _RS_ENDPOINT_H_INCLUDED_ */
