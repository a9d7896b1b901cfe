
/*
 * Copyright (C) rs-gateway contributors
 *
 * Rates that all workers of a node share: of a client address and of a
 * tenant, and of the bytes of its pipes.  Kept in the zone; what is forgotten
 * there was far from its limit.
 */


#ifndef _NGX_HTTP_RS_LIMIT_H_INCLUDED_
#define _NGX_HTTP_RS_LIMIT_H_INCLUDED_


#include "rs_pace.h"
#include "rs_rate.h"


/*
 * NGX_OK or NGX_BUSY, then *wait (NULL: of no interest) is the time in
 * seconds until there is room.  Nothing is limited without its directive, or
 * for a client on a unix socket.
 *
 * An IPv6 address stands for its /64.
 */
ngx_int_t ngx_http_rs_limit_address(ngx_http_rs_main_conf_t *rmcf,
    struct sockaddr *sa, rs_rate_e what, time_t *wait);
/* one more check of a client's network, /check */
ngx_int_t ngx_http_rs_limit_check(ngx_http_rs_main_conf_t *rmcf,
    struct sockaddr *sa, time_t *wait);
ngx_int_t ngx_http_rs_limit_tenant(ngx_http_rs_main_conf_t *rmcf,
    ngx_str_t *tenant, rs_rate_e what, time_t *wait);

/*
 * A place for n bytes of a tenant's pipes, in *wait_us from now on; NGX_BUSY:
 * none, to be asked for again then.  key: of limit_pipes().
 */
ngx_int_t ngx_http_rs_limit_bytes(ngx_http_rs_main_conf_t *rmcf,
    ngx_atomic_uint_t key, size_t n, uint64_t *wait_us);
ngx_atomic_uint_t ngx_http_rs_limit_pipes(ngx_http_rs_main_conf_t *rmcf,
    ngx_str_t *tenant);

/* of a name, never 0: that is an empty place's */
ngx_atomic_uint_t ngx_http_rs_limit_hash(ngx_http_rs_limits_t *limits,
    u_char kind, u_char *name, size_t len);

/* directives: "rate [burst=number]" or "off", at cmd->offset */
char *ngx_http_rs_limit_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
/* the same of bytes: "size [burst=size]" or "off" */
char *ngx_http_rs_limit_pipe_rate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* _NGX_HTTP_RS_LIMIT_H_INCLUDED_ */
