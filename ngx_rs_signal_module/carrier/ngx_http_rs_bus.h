
/*
 * Copyright (C) rs-gateway contributors
 *
 * This worker's Redis channel: receives envelopes and hands each, decoded, to
 * the one handler wired at start.  A beacon that does not come back
 * in time (lost subscription that TCP does not notice) makes it subscribe
 * anew.  On the same link bans are heard of, and what consoles watch.
 */


#ifndef _NGX_HTTP_RS_BUS_H_INCLUDED_
#define _NGX_HTTP_RS_BUS_H_INCLUDED_


typedef struct ngx_http_rs_bus_s  ngx_http_rs_bus_t;


/* env is valid during the call */
typedef void (*ngx_http_rs_bus_env_pt)(ngx_http_rs_main_conf_t *rmcf,
    rs_env_t *env);

/* a line of what consoles watch; the same */
typedef void (*ngx_http_rs_bus_watch_pt)(ngx_http_rs_main_conf_t *rmcf,
    ngx_str_t *line);

/*
 * up = 1: the subscription stands, the first time too: what came before was
 * missed; up = 0: lost.  Never called inside create.
 */
typedef void (*ngx_http_rs_bus_up_pt)(ngx_http_rs_main_conf_t *rmcf,
    ngx_uint_t up);


/* NULL: no memory */
ngx_http_rs_bus_t *ngx_http_rs_bus_create(ngx_http_rs_main_conf_t *rmcf,
    ngx_log_t *log, ngx_http_rs_bus_env_pt on_env,
    ngx_http_rs_bus_watch_pt on_watch, ngx_http_rs_bus_up_pt on_up);
void ngx_http_rs_bus_destroy(ngx_http_rs_bus_t *bus);
ngx_uint_t ngx_http_rs_bus_ready(ngx_http_rs_bus_t *bus);
/*
 * One envelope, copied, to the channel of another worker: NGX_OK, or NGX_BUSY
 * and it is dropped.  Whether anybody listens is not told.
 */
ngx_int_t ngx_http_rs_bus_send(ngx_http_rs_bus_t *bus, rs_addr_t *worker,
    ngx_str_t *envelope);
/* told by presence: this beacon was published; resubscribes if it is late */
void ngx_http_rs_bus_expect(ngx_http_rs_bus_t *bus, uint64_t beacon);


#endif /* _NGX_HTTP_RS_BUS_H_INCLUDED_ */
