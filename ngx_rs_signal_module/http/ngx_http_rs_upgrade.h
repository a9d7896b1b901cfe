
/*
 * Copyright (C) rs-gateway contributors
 *
 * GET -> 101: checks the handshake, the Origin and that the store is up, sends
 * 101, hands the connection to session or device.
 */


#ifndef _NGX_HTTP_RS_UPGRADE_H_INCLUDED_
#define _NGX_HTTP_RS_UPGRADE_H_INCLUDED_


ngx_int_t ngx_http_rs_upgrade_signal(ngx_http_request_t *r);
ngx_int_t ngx_http_rs_upgrade_agent(ngx_http_request_t *r);
ngx_int_t ngx_http_rs_upgrade_watch(ngx_http_request_t *r);
ngx_int_t ngx_http_rs_upgrade_pipe(ngx_http_request_t *r);

/* counts one that was answered with a status */
void ngx_http_rs_upgrade_refused(ngx_http_request_t *r);

/* 1 when the Origin header (if any) is on the list; used by REST too */
ngx_uint_t ngx_http_rs_upgrade_origin(ngx_http_request_t *r);


#endif /* _NGX_HTTP_RS_UPGRADE_H_INCLUDED_ */
