
/*
 * Copyright (C) rs-gateway contributors
 *
 * How many of something a tenant has at this node, over all of its workers.
 * What a worker had that died goes with it.
 */


#ifndef _NGX_HTTP_RS_TALLY_H_INCLUDED_
#define _NGX_HTTP_RS_TALLY_H_INCLUDED_


/*
 * One more; max: of all workers, 0 for any number.  NGX_OK, and *place (NULL
 * if nothing was counted) is given back when it is gone; NGX_BUSY: there are
 * as many, or what is left of the zone cannot count it.
 */
ngx_int_t ngx_http_rs_tally_enter(ngx_http_rs_main_conf_t *rmcf,
    ngx_str_t *tenant, ngx_uint_t max, ngx_http_rs_tally_place_t **place);
void ngx_http_rs_tally_leave(ngx_http_rs_tally_place_t *place);

/* 1: there is no room for one more just now */
ngx_uint_t ngx_http_rs_tally_full(ngx_http_rs_main_conf_t *rmcf,
    ngx_str_t *tenant, ngx_uint_t max);


#endif /* _NGX_HTTP_RS_TALLY_H_INCLUDED_ */
