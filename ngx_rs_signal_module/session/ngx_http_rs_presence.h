
/*
 * Copyright (C) rs-gateway contributors
 *
 * This worker's lease, renewed every third of rs_lease_ttl, the table of live
 * workers its answer brings, and what else it says: that another node has this
 * one's name, that this worker was called dead, that another one is.
 */


#ifndef _NGX_HTTP_RS_PRESENCE_H_INCLUDED_
#define _NGX_HTTP_RS_PRESENCE_H_INCLUDED_


typedef struct ngx_http_rs_presence_s  ngx_http_rs_presence_t;


ngx_http_rs_presence_t *ngx_http_rs_presence_create(
    ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log);

/*
 * What tells this node from another one of the same name, for all processes
 * of one master and of the one that takes over from it; runs as root.
 */
void ngx_http_rs_presence_identify(ngx_http_rs_main_conf_t *rmcf,
    ngx_cycle_t *cycle);

/* the store is usable (again): renew at once */
void ngx_http_rs_presence_up(ngx_http_rs_presence_t *pr);
/* renew before it is time, there may be news */
void ngx_http_rs_presence_soon(ngx_http_rs_presence_t *pr);

/* this worker may own something: its lease was taken, its name is its own */
ngx_uint_t ngx_http_rs_presence_ready(ngx_http_rs_presence_t *pr);

/*
 * address: of a worker or of a socket; anything else is not live.  1: its
 * worker holds a lease by the last table read, or is this worker, or was
 * never asked for before and may be younger than that table: the next table,
 * asked for at once, settles it.
 */
ngx_uint_t ngx_http_rs_presence_live(ngx_http_rs_presence_t *pr,
    ngx_str_t *address);

/* clean exit: gives the lease back and frees pr */
void ngx_http_rs_presence_drop(ngx_http_rs_presence_t *pr);


#endif /* _NGX_HTTP_RS_PRESENCE_H_INCLUDED_ */
