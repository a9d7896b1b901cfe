
/*
 * Copyright (C) rs-gateway contributors
 *
 * One call of a library function while it is put together; private to
 * ngx_http_rs_store*.c.  Lives on the stack of the verb: nothing is taken
 * from a pool, and the link copies it into its output buffer.
 *
 *     ngx_http_rs_store_begin(&call, op, "rs_device_get", 1);
 *     ngx_http_rs_store_key(&call, &tenant, "dev", &id);
 *     ngx_http_rs_store_arg(&call, &scope);
 *     return ngx_http_rs_store_send(&call);
 *
 * All keys come before the first argument.
 */


#ifndef _NGX_HTTP_RS_STORE_CALL_H_INCLUDED_
#define _NGX_HTTP_RS_STORE_CALL_H_INCLUDED_


/*
 * rs_session_create with 64 participants: 3 words, 9 + 64 keys and
 * 14 + 5 x 64 arguments; a key is at most 112 bytes long
 */

#define NGX_HTTP_RS_STORE_WORDS  416
#define NGX_HTTP_RS_STORE_TEXT   12288


typedef struct {
    ngx_http_rs_store_op_t     *op;
    ngx_uint_t                  nkeys;
    ngx_uint_t                  nwords;
    ngx_uint_t                  overflow;      /* did not fit */
    u_char                     *last;          /* free part of text */
    ngx_str_t                   words[NGX_HTTP_RS_STORE_WORDS];
    u_char                      text[NGX_HTTP_RS_STORE_TEXT];
} ngx_http_rs_store_call_t;


/* ro: the function is marked so in docs/design/redis.md */
void ngx_http_rs_store_begin(ngx_http_rs_store_call_t *call,
    ngx_http_rs_store_op_t *op, const char *function, ngx_uint_t ro);

/* rs:{tenant}:kind:id */
void ngx_http_rs_store_key(ngx_http_rs_store_call_t *call, ngx_str_t *tenant,
    const char *kind, ngx_str_t *id);
/* rs:{tenant}:kind */
void ngx_http_rs_store_index(ngx_http_rs_store_call_t *call,
    ngx_str_t *tenant, const char *kind);
/* the key named auth, and the first argument that belongs to it */
void ngx_http_rs_store_auth_key(ngx_http_rs_store_call_t *call,
    ngx_http_rs_caller_t *caller);

/* arg: only pointed to, until send */
void ngx_http_rs_store_arg(ngx_http_rs_store_call_t *call, ngx_str_t *arg);
void ngx_http_rs_store_arg_text(ngx_http_rs_store_call_t *call,
    const char *text);
void ngx_http_rs_store_arg_number(ngx_http_rs_store_call_t *call, uint64_t n);
/* the replication id of the server this link leads to */
void ngx_http_rs_store_arg_replid(ngx_http_rs_store_call_t *call);

/* "ended" in the reply unlinks session from the device it names */
ngx_int_t ngx_http_rs_store_unlinks(ngx_http_rs_store_op_t *op,
    ngx_str_t *tenant, ngx_str_t *session_id);

/* NGX_OK or NGX_BUSY, as every verb */
ngx_int_t ngx_http_rs_store_send(ngx_http_rs_store_call_t *call);

/* frees an op whose call was never sent; returns NGX_BUSY */
ngx_int_t ngx_http_rs_store_refuse(ngx_http_rs_store_op_t *op);


#endif /* _NGX_HTTP_RS_STORE_CALL_H_INCLUDED_ */
