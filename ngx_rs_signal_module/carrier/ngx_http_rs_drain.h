
/*
 * Copyright (C) rs-gateway contributors
 *
 * How the sockets of a worker are sent away: all of them, in equal slices
 * over rs_drain_time, because nginx told the worker to end or because its
 * node was told to drain.
 */


#ifndef _NGX_HTTP_RS_DRAIN_H_INCLUDED_
#define _NGX_HTTP_RS_DRAIN_H_INCLUDED_


/*
 * Each worker looks once a second whether its node is being drained: a
 * cancelable timer, begun here.
 */
void ngx_http_rs_drain_watch(ngx_http_rs_main_conf_t *rmcf);

/* tells the whole node; this worker at once, the others within a second */
void ngx_http_rs_drain_node(ngx_http_rs_main_conf_t *rmcf, ngx_uint_t on);

/* 1: no new sockets, probes are told to look elsewhere */
ngx_uint_t ngx_http_rs_draining(ngx_http_rs_main_conf_t *rmcf);

/* the worker ends when its last socket has gone; may be called again */
void ngx_http_rs_drain_exit(ngx_http_rs_main_conf_t *rmcf);


#endif /* _NGX_HTTP_RS_DRAIN_H_INCLUDED_ */
