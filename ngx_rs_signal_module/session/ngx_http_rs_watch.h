
/*
 * Copyright (C) rs-gateway contributors
 *
 * Watchers: sockets on which a console hears of changes of devices and
 * sessions that its caller may see.  Opened by a ticket of POST /watch; what
 * he may see is asked again whenever rights of his tenant have changed.
 */


#ifndef _NGX_HTTP_RS_WATCH_H_INCLUDED_
#define _NGX_HTTP_RS_WATCH_H_INCLUDED_


typedef struct ngx_http_rs_watches_s  ngx_http_rs_watches_t;


/* NULL: no memory */
ngx_http_rs_watches_t *ngx_http_rs_watches_create(
    ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log);

/*
 * Takes the connection over after the 101; cred NULL: what was shown is not a
 * ticket.  NGX_DONE, or NGX_ERROR.
 */
ngx_int_t ngx_http_rs_watch_start(ngx_http_request_t *r, rs_cred_t *cred,
    ngx_http_rs_conn_t **rcp);

/* a line of the fleet's channel; valid during the call */
void ngx_http_rs_watch_told(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *line);
/* lines may have been missed */
void ngx_http_rs_watch_catch_up(ngx_http_rs_main_conf_t *rmcf);


#endif /* _NGX_HTTP_RS_WATCH_H_INCLUDED_ */
