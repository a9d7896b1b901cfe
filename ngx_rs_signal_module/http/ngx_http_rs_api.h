
/*
 * Copyright (C) rs-gateway contributors
 *
 * REST: table of {method, path, scope, handler}, credentials, body, answers.
 */


#ifndef _NGX_HTTP_RS_API_H_INCLUDED_
#define _NGX_HTTP_RS_API_H_INCLUDED_


/*
 * The part of the URI below the location, with one leading slash.
 * NGX_DECLINED: there is none.
 */
ngx_int_t ngx_http_rs_api_path(ngx_http_request_t *r, ngx_str_t *path);

/* path: the URI after the base, beginning with "/" */
ngx_int_t ngx_http_rs_api_handler(ngx_http_request_t *r, ngx_str_t *path);

/*
 * Sends the problem of rs_err (application/problem+json, Retry-After where
 * the table says) and returns what a content handler returns.  Allowed before
 * or instead of ngx_http_rs_api_handler; detail may be NULL.
 */
ngx_int_t ngx_http_rs_api_problem(ngx_http_request_t *r, rs_err_e code,
    const char *detail, const char *pointer);


/* 1: the client's address is banned, which the answer will have to say */
ngx_uint_t ngx_http_rs_api_banned(ngx_http_request_t *r);

#define NGX_HTTP_RS_API_BANNED                                               \
    "too many credentials from this address were not good"


#endif /* _NGX_HTTP_RS_API_H_INCLUDED_ */
