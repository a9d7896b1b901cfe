
/*
 * Copyright (C) rs-gateway contributors
 *
 * Ends the sockets of a worker that has been cut off from Redis for longer
 * than rs_stale_limit: whatever was revoked meanwhile could not reach them.
 */


#ifndef _NGX_HTTP_RS_STALE_H_INCLUDED_
#define _NGX_HTTP_RS_STALE_H_INCLUDED_


typedef struct ngx_http_rs_stale_s  ngx_http_rs_stale_t;


/* NULL: no memory */
ngx_http_rs_stale_t *ngx_http_rs_stale_create(ngx_http_rs_main_conf_t *rmcf,
    ngx_log_t *log);
void ngx_http_rs_stale_destroy(ngx_http_rs_stale_t *stale);
/* the store or the bus has come or gone */
void ngx_http_rs_stale_check(ngx_http_rs_stale_t *stale);


#endif /* _NGX_HTTP_RS_STALE_H_INCLUDED_ */
