
/*
 * Copyright (C) rs-gateway contributors
 *
 * What outlives a worker: the tenants it has duties in, the duties it took
 * over, and the walk over those of a dead one.
 */


#ifndef _NGX_HTTP_RS_REAP_H_INCLUDED_
#define _NGX_HTTP_RS_REAP_H_INCLUDED_


typedef struct ngx_http_rs_reap_s  ngx_http_rs_reap_t;

/* RS_OK, RS_E_UNAUTHENTICATED (no such session), RS_E_UNAVAILABLE */
typedef void (*ngx_http_rs_reap_admit_pt)(void *data, rs_err_e code);


/* NULL: no memory */
ngx_http_rs_reap_t *ngx_http_rs_reap_create(ngx_http_rs_main_conf_t *rmcf,
    ngx_log_t *log);
/* the process ends: handlers still owed do not run */
void ngx_http_rs_reap_destroy(ngx_http_rs_reap_t *reap);

/* the store is usable (again): it may have forgotten this worker's tenants */
void ngx_http_rs_reap_up(ngx_http_rs_reap_t *reap);

/*
 * Before anything of a tenant is owned here: NGX_OK, the store knows that this
 * worker has duties in it; NGX_AGAIN, handler will be called, exactly once;
 * NGX_BUSY.  A stranger may name any tenant: session_id has to exist, unless
 * it is NULL because the tenant is known to.
 */
ngx_int_t ngx_http_rs_reap_admit(ngx_http_rs_reap_t *reap, ngx_str_t *tenant,
    ngx_str_t *session_id, ngx_http_rs_reap_admit_pt handler, void *data);

/* some duty of this worker in an admitted tenant is due in ms */
void ngx_http_rs_reap_due(ngx_http_rs_reap_t *reap, ngx_str_t *tenant,
    ngx_msec_t ms);

/* presence: what to say in a lease call, and the worker it was given */
ngx_str_t *ngx_http_rs_reap_walked(ngx_http_rs_reap_t *reap);
void ngx_http_rs_reap_claim(ngx_http_rs_reap_t *reap, ngx_str_t *dead,
    uint64_t since);


#endif /* _NGX_HTTP_RS_REAP_H_INCLUDED_ */
