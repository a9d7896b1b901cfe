
/*
 * Copyright (C) rs-gateway contributors
 *
 * Participants with a socket on this worker: join, resume, signalling through
 * the session's log, cursors and gap filling, leaving, ending.
 */


#ifndef _NGX_HTTP_RS_SESSION_H_INCLUDED_
#define _NGX_HTTP_RS_SESSION_H_INCLUDED_


typedef struct ngx_http_rs_sessions_s  ngx_http_rs_sessions_t;


ngx_http_rs_sessions_t *ngx_http_rs_sessions_create(
    ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log);

/*
 * The socket of r is upgraded: starts the join by ticket (resume = 0) or by
 * resume token.  cred: the credential taken apart, copied; NULL: there was
 * none or it was malformed, which the client is told over the socket.
 * rid: the request's id, copied.
 * Returns what a content handler returns; *rcp: the socket, if there is one.
 */
ngx_int_t ngx_http_rs_session_start(ngx_http_request_t *r,
    ngx_uint_t resume, rs_cred_t *cred, ngx_str_t *rid,
    ngx_http_rs_conn_t **rcp);

/* sig, evt, end */
void ngx_http_rs_session_env(ngx_http_rs_main_conf_t *rmcf, rs_env_t *env);

/* the subscription was away: every live session catches up from its log */
void ngx_http_rs_session_catch_up(ngx_http_rs_main_conf_t *rmcf);


#endif /* _NGX_HTTP_RS_SESSION_H_INCLUDED_ */
