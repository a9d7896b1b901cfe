
/*
 * Copyright (C) rs-gateway contributors
 *
 * TLS of links: 1.3, both ends known by a key that nodes share, no
 * certificates.  Included by ngx_http_rs_link*.c only.
 */


#ifndef _NGX_HTTP_RS_LINK_TLS_H_INCLUDED_
#define _NGX_HTTP_RS_LINK_TLS_H_INCLUDED_


#include "ngx_http_rs.h"


/* c->data has to be something whose first member is this, until done */

typedef struct {
    ngx_http_rs_main_conf_t    *rmcf;
} ngx_http_rs_link_head_t;


/* of the configuration: NGX_CONF_OK, or NGX_CONF_ERROR and it was logged */
char *ngx_http_rs_link_tls_init(ngx_conf_t *cf,
    ngx_http_rs_main_conf_t *rmcf);
/* NGX_OK: done; NGX_AGAIN: handler is called; NGX_ERROR */
ngx_int_t ngx_http_rs_link_tls_start(ngx_http_rs_main_conf_t *rmcf,
    ngx_connection_t *c, ngx_uint_t client, ngx_connection_handler_pt handler);
/* 1: the handshake is done, and by the key */
ngx_uint_t ngx_http_rs_link_tls_good(ngx_connection_t *c);


#endif /* _NGX_HTTP_RS_LINK_TLS_H_INCLUDED_ */
