
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

/*
 * Tells the whole node; this worker at once, the others within a second.
 * after: so many seconds new sockets are still taken and none is sent away,
 * for balancers to look elsewhere first; of two calls the earlier end counts.
 */
void ngx_http_rs_drain_node(ngx_http_rs_main_conf_t *rmcf, ngx_uint_t on,
    time_t after);

/* 1: probes are told to look elsewhere */
ngx_uint_t ngx_http_rs_drain_asked(ngx_http_rs_main_conf_t *rmcf);

/* 1: no new sockets */
ngx_uint_t ngx_http_rs_draining(ngx_http_rs_main_conf_t *rmcf);

/* the worker ends when its last socket has gone; may be called again */
void ngx_http_rs_drain_exit(ngx_http_rs_main_conf_t *rmcf);


#endif /* _NGX_HTTP_RS_DRAIN_H_INCLUDED_ */
