
/*
 * Copyright (C) rs-gateway contributors
 *
 * The public keys of an issuer: out of a file, read with the configuration,
 * or by a subrequest to a location that proxies the issuer, so that TLS,
 * resolver and timeouts are nginx's own.
 */


#ifndef _NGX_HTTP_RS_JWKS_H_INCLUDED_
#define _NGX_HTTP_RS_JWKS_H_INCLUDED_


#include "rs_jwks.h"
#include "store/ngx_http_rs_keys.h"


#define NGX_HTTP_RS_JWKS_WAITERS  1024     /* of a worker and a set */


typedef struct ngx_http_rs_jwks_s         ngx_http_rs_jwks_t;
typedef struct ngx_http_rs_jwks_fetch_s   ngx_http_rs_jwks_fetch_t;

typedef void (*ngx_http_rs_jwks_pt)(void *data);


struct ngx_http_rs_jwks_s {
    /* configuration */

    ngx_str_t                   uri;       /* empty: of a file */
    ngx_http_rs_keys_t          keys;
    ngx_http_rs_main_conf_t    *rmcf;

    /* of this process */

    rs_jwks_t                  *set;       /* NULL: none read yet */
    ngx_uint_t                  generation;
    ngx_http_rs_jwks_fetch_t   *fetch;     /* NULL: not by this process */
    ngx_http_rs_keys_why_e      why;       /* what the waiters wait for */
    ngx_queue_t                 waiters;
    ngx_uint_t                  nwaiters;
    ngx_event_t                 event;     /* deadline, or others' fetch */
};


/* NULL: an error that was logged */
ngx_http_rs_jwks_t *ngx_http_rs_jwks_file(ngx_conf_t *cf, ngx_str_t *name);
/* one for each issuer and URI */
ngx_http_rs_jwks_t *ngx_http_rs_jwks_request(ngx_conf_t *cf,
    ngx_http_rs_main_conf_t *rmcf, ngx_str_t *issuer, ngx_str_t *uri);
/* postconfiguration: takes the answers of such subrequests */
void ngx_http_rs_jwks_init(ngx_http_rs_main_conf_t *rmcf);

/* the newest good ones, until the next event; NULL: there are none */
rs_jwks_t *ngx_http_rs_jwks_get(ngx_http_rs_jwks_t *jwks, ngx_log_t *log);

/*
 * Has newer ones fetched, if that may be, on behalf of r.  Why UNKNOWN or
 * NONE: NGX_AGAIN, and handler is called once when that has ended, whichever
 * way, from an event of its own and with the log of r; not if r ends before.
 * NGX_DECLINED: not now.  Why OLD: nobody waits, handler is NULL.
 */
ngx_int_t ngx_http_rs_jwks_fetch(ngx_http_rs_jwks_t *jwks,
    ngx_http_request_t *r, ngx_http_rs_keys_why_e why,
    ngx_http_rs_jwks_pt handler, void *data);
/* 1: they are older than their issuer said they would be good for */
ngx_uint_t ngx_http_rs_jwks_old(ngx_http_rs_jwks_t *jwks);


#endif /* _NGX_HTTP_RS_JWKS_H_INCLUDED_ */
