
/*
 * Copyright (C) rs-gateway contributors
 *
 * Pipes: a leg comes with a ticket, is joined to the other one wherever that
 * is, and is cut when its client may not any more.
 */


#ifndef _NGX_HTTP_RS_PIPE_H_INCLUDED_
#define _NGX_HTTP_RS_PIPE_H_INCLUDED_


typedef struct ngx_http_rs_pipes_s  ngx_http_rs_pipes_t;


/* who comes; valid during the call */

typedef struct {
    ngx_str_t                   addr;      /* of the client, as text */
    ngx_str_t                   rid;       /* the request's id, or the like */
    rs_cred_t                  *cred;      /* tenant, pipe_id, hash and bound;
                                              NULL: none */
} ngx_http_rs_pipe_from_t;


/* NULL: no memory */
ngx_http_rs_pipes_t *ngx_http_rs_pipes_create(ngx_http_rs_main_conf_t *rmcf,
    ngx_log_t *log);

/*
 * Takes the connection over after the 101; cred NULL: what was shown is no
 * ticket of a pipe, or no side was said.  rid: the request's id.  NGX_DONE, or
 * NGX_ERROR.
 */
ngx_int_t ngx_http_rs_pipe_start(ngx_http_request_t *r, rs_cred_t *cred,
    rs_ws_side_e side, ngx_str_t *rid, ngx_http_rs_conn_t **rcp);

/* 1: this node has "rs_max_pipes" of the tenant, so another one is refused */
ngx_uint_t ngx_http_rs_pipe_full(ngx_http_rs_main_conf_t *rmcf,
    ngx_str_t *tenant);

/*
 * The client's leg by a connection that is no request: NGX_OK, c is taken
 * over; or NGX_ERROR, it is still the caller's.  rlcf: of whom it is served
 * as.
 */
ngx_int_t ngx_http_rs_pipe_adopt(ngx_http_rs_main_conf_t *rmcf,
    ngx_http_rs_loc_conf_t *rlcf, ngx_connection_t *c,
    ngx_http_rs_pipe_from_t *from);

/* an envelope `pip` for a leg of this worker */
void ngx_http_rs_pipe_env(ngx_http_rs_main_conf_t *rmcf, rs_env_t *env);
/* another worker's leg comes by c: NGX_OK, c is taken over; or NGX_DECLINED */
ngx_int_t ngx_http_rs_pipe_link(ngx_http_rs_main_conf_t *rmcf,
    rs_link_t *hello, ngx_connection_t *c);

/* a line of the fleet's channel; valid during the call */
void ngx_http_rs_pipe_told(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *line);
/* lines may have been missed */
void ngx_http_rs_pipe_catch_up(ngx_http_rs_main_conf_t *rmcf);


#endif /* _NGX_HTTP_RS_PIPE_H_INCLUDED_ */
