
/*
 * Copyright (C) rs-gateway contributors
 *
 * Readers of GET /events: answers that stay open and are written to as things
 * happen (Server-Sent Events).
 */


#ifndef _NGX_HTTP_RS_EVENTS_H_INCLUDED_
#define _NGX_HTTP_RS_EVENTS_H_INCLUDED_


typedef struct ngx_http_rs_events_s  ngx_http_rs_events_t;


/* NULL: no memory */
ngx_http_rs_events_t *ngx_http_rs_events_create(
    ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log);

/* a line of the fleet's channel; valid during the call */
void ngx_http_rs_events_told(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *line);
/* lines may have been missed */
void ngx_http_rs_events_catch_up(ngx_http_rs_main_conf_t *rmcf);


#endif /* _NGX_HTTP_RS_EVENTS_H_INCLUDED_ */
