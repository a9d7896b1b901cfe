
/*
 * Copyright (C) rs-gateway contributors
 *
 * What ngx_http_rs_reap.c (tenants, duties that are due) and
 * ngx_http_rs_reap_walk.c (duties of a dead worker) share.  Nobody else
 * includes this.
 */


#ifndef _NGX_HTTP_RS_REAP_INTERNAL_H_INCLUDED_
#define _NGX_HTTP_RS_REAP_INTERNAL_H_INCLUDED_


#include "ngx_http_rs.h"


#define NGX_HTTP_RS_REAP_RETRY  1000     /* ms, and as much at random */
#define NGX_HTTP_RS_REAP_STEP   100      /* duties, or tenants, of one call */

/* "p." session "." participant */
#define NGX_HTTP_RS_DUTY_MAX    (2 + RS_ID_LEN + 1 + RS_ID_LEN)


typedef struct ngx_http_rs_walk_s  ngx_http_rs_walk_t;


struct ngx_http_rs_reap_s {
    ngx_http_rs_main_conf_t    *rmcf;
    ngx_log_t                  *log;

    ngx_rbtree_t                tree;          /* of tenants */
    ngx_rbtree_node_t           sentinel;
    ngx_uint_t                  ntenants;

    ngx_queue_t                 told;          /* the store knows of them */
    ngx_queue_t                 telling;       /* a call is under way */
    ngx_queue_t                 untold;
    ngx_event_t                 tell;

    ngx_event_t                 keep;          /* their lists */
    ngx_uint_t                  round;         /* of keeping */

    ngx_queue_t                 admits;        /* under way */

    ngx_http_rs_walk_t         *walk;
};


/* splits the name of a duty, whose slices point into it; NGX_ERROR: none */
ngx_int_t ngx_http_rs_reap_duty(ngx_str_t *name, ngx_http_rs_duty_t *duty);
ngx_msec_t ngx_http_rs_reap_retry(void);
/* ms until the instant "at" when the store's clock says "now" */
ngx_msec_t ngx_http_rs_reap_until(int64_t now, int64_t at);


/* ngx_http_rs_reap_walk.c */

ngx_http_rs_walk_t *ngx_http_rs_walk_create(ngx_http_rs_reap_t *reap);
void ngx_http_rs_walk_destroy(ngx_http_rs_walk_t *walk);


#endif /* _NGX_HTTP_RS_REAP_INTERNAL_H_INCLUDED_ */
