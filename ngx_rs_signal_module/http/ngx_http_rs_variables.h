
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the HTTP layer knows of one request, and the variables that show it
 * to access_log.  None holds a credential.
 */


#ifndef _NGX_HTTP_RS_VARIABLES_H_INCLUDED_
#define _NGX_HTTP_RS_VARIABLES_H_INCLUDED_


/* the module's context of a request; strings are empty until known */

typedef struct {
    ngx_str_t                   request_id;    /* never empty */
    ngx_str_t                   tenant;
    ngx_str_t                   actor;         /* a user's id */
    ngx_str_t                   session_id;
    ngx_str_t                   pipe_id;
    ngx_str_t                   device_id;
    ngx_str_t                   error;         /* code of the problem sent */
    time_t                      retry_after;   /* s; 0: as always */
    rs_err_e                    code;          /* the same as error */
    void                       *api;           /* the REST call, if it is one */

    ngx_http_rs_conn_t         *conn;          /* the socket, if it is one */
    const char                 *resumed;       /* "1", "0"; NULL: no ticket */

    ngx_msec_t                  asked;         /* the store, first */
    ngx_msec_t                  redis_time;    /* from then to the last reply */
    unsigned                    redis:1;       /* there is such a time */
    unsigned                    banned:1;
} ngx_http_rs_ctx_t;


/* made on first use; NULL: no memory */
ngx_http_rs_ctx_t *ngx_http_rs_ctx(ngx_http_request_t *r);

/* a header line of r by its lower-case name; NULL: absent, the first one */
ngx_str_t *ngx_http_rs_header_in(ngx_http_request_t *r, const char *name,
    size_t len);

/* how many there are of that name */
ngx_uint_t ngx_http_rs_headers_in(ngx_http_request_t *r, const char *name,
    size_t len, ngx_str_t **first);

/* for preconfiguration */
ngx_int_t ngx_http_rs_variables_add(ngx_conf_t *cf);


#endif /* _NGX_HTTP_RS_VARIABLES_H_INCLUDED_ */
