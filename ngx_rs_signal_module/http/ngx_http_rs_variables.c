
/*
 * Copyright (C) rs-gateway contributors
 *
 * The request's context and the $rs_* variables made of it.
 */


#include "ngx_http_rs.h"
#include "ngx_http_rs_variables.h"

#include <openssl/rand.h>


#define NGX_HTTP_RS_REQUEST_ID_MAX  64
#define NGX_HTTP_RS_REQUEST_ID_NEW  16         /* bytes, twice in hex */

#define NGX_HTTP_RS_VARIABLE_MAX    64


static ngx_int_t ngx_http_rs_variable_process(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_rs_variable_ctx(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_rs_variable_error(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_rs_variable_close_code(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_rs_variable_conn(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_rs_variable_resumed(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_rs_variable_redis_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_rs_variable_set(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, const char *fmt, ...);
static ngx_uint_t ngx_http_rs_request_id_good(ngx_str_t *id);
static ngx_int_t ngx_http_rs_request_id_new(ngx_pool_t *pool, ngx_str_t *id);


static ngx_http_variable_t  ngx_http_rs_variables[] = {

    { ngx_string("rs_worker"), NULL, ngx_http_rs_variable_process,
      offsetof(ngx_http_rs_main_conf_t, self_text), 0, 0 },

    { ngx_string("rs_node"), NULL, ngx_http_rs_variable_process,
      offsetof(ngx_http_rs_main_conf_t, node), 0, 0 },

    { ngx_string("rs_request_id"), NULL, ngx_http_rs_variable_ctx,
      offsetof(ngx_http_rs_ctx_t, request_id), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("rs_tenant"), NULL, ngx_http_rs_variable_ctx,
      offsetof(ngx_http_rs_ctx_t, tenant), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("rs_actor"), NULL, ngx_http_rs_variable_ctx,
      offsetof(ngx_http_rs_ctx_t, actor), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("rs_session_id"), NULL, ngx_http_rs_variable_ctx,
      offsetof(ngx_http_rs_ctx_t, session_id), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("rs_pipe_id"), NULL, ngx_http_rs_variable_ctx,
      offsetof(ngx_http_rs_ctx_t, pipe_id), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("rs_device_id"), NULL, ngx_http_rs_variable_ctx,
      offsetof(ngx_http_rs_ctx_t, device_id), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("rs_error"), NULL, ngx_http_rs_variable_error,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("rs_close_code"), NULL, ngx_http_rs_variable_close_code,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("rs_messages_in"), NULL, ngx_http_rs_variable_conn,
      offsetof(ngx_http_rs_conn_t, messages_in), NGX_HTTP_VAR_NOCACHEABLE,
      0 },

    { ngx_string("rs_messages_out"), NULL, ngx_http_rs_variable_conn,
      offsetof(ngx_http_rs_conn_t, messages_out), NGX_HTTP_VAR_NOCACHEABLE,
      0 },

    { ngx_string("rs_bytes_in"), NULL, ngx_http_rs_variable_conn,
      offsetof(ngx_http_rs_conn_t, bytes_in), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("rs_bytes_out"), NULL, ngx_http_rs_variable_conn,
      offsetof(ngx_http_rs_conn_t, bytes_out), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("rs_resumed"), NULL, ngx_http_rs_variable_resumed,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("rs_redis_time"), NULL, ngx_http_rs_variable_redis_time,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_http_rs_ctx_t *
ngx_http_rs_ctx(ngx_http_request_t *r)
{
    ngx_str_t          *id;
    ngx_http_rs_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_rs_signal_module);

    if (ctx) {
        return ctx;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_rs_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    id = ngx_http_rs_header_in(r, "x-request-id", sizeof("x-request-id") - 1);

    if (id && ngx_http_rs_request_id_good(id)) {
        ctx->request_id = *id;

    } else if (ngx_http_rs_request_id_new(r->pool, &ctx->request_id)
               != NGX_OK)
    {
        return NULL;
    }

    ngx_http_set_ctx(r, ctx, ngx_http_rs_signal_module);

    return ctx;
}


ngx_str_t *
ngx_http_rs_header_in(ngx_http_request_t *r, const char *name, size_t len)
{
    ngx_str_t  *first;

    (void) ngx_http_rs_headers_in(r, name, len, &first);

    return first;
}


ngx_uint_t
ngx_http_rs_headers_in(ngx_http_request_t *r, const char *name, size_t len,
    ngx_str_t **first)
{
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;
    *first = NULL;

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len != len
                || ngx_strncmp(h[i].lowcase_key, (u_char *) name, len) != 0)
            {
                continue;
            }

            if (n++ == 0) {
                *first = &h[i].value;
            }
        }
    }

    return n;
}


static ngx_uint_t
ngx_http_rs_request_id_good(ngx_str_t *id)
{
    u_char      ch;
    ngx_uint_t  i;

    if (id->len == 0 || id->len > NGX_HTTP_RS_REQUEST_ID_MAX) {
        return 0;
    }

    for (i = 0; i < id->len; i++) {
        ch = id->data[i];

        if ((ch < 'a' || ch > 'z') && (ch < 'A' || ch > 'Z')
            && (ch < '0' || ch > '9')
            && ch != '.' && ch != '_' && ch != '-')
        {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_http_rs_request_id_new(ngx_pool_t *pool, ngx_str_t *id)
{
    u_char  bytes[NGX_HTTP_RS_REQUEST_ID_NEW];

    id->len = 2 * NGX_HTTP_RS_REQUEST_ID_NEW;
    id->data = ngx_pnalloc(pool, id->len);

    if (id->data == NULL || RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return NGX_ERROR;
    }

    ngx_hex_dump(id->data, bytes, sizeof(bytes));

    return NGX_OK;
}


/* data: offset of a string of the main configuration */

static ngx_int_t
ngx_http_rs_variable_process(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                *s;
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rs_signal_module);

    s = (ngx_str_t *) ((u_char *) rmcf + data);

    v->len = s->len;
    v->data = s->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = (s->len == 0);

    return NGX_OK;
}


/* data: offset of a string of the context, which other locations lack */

static ngx_int_t
ngx_http_rs_variable_ctx(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t          *s;
    ngx_http_rs_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_rs_signal_module);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    s = (ngx_str_t *) ((u_char *) ctx + data);

    /* a device has said over its socket who it is */

    if (s->len == 0 && ctx->conn) {

        if (s == &ctx->tenant) {
            s = &ctx->conn->tenant;

        } else if (s == &ctx->device_id) {
            s = &ctx->conn->device_id;
        }
    }

    v->len = s->len;
    v->data = s->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = (s->len == 0);

    return NGX_OK;
}


/* of the problem that was answered, else what ended the socket */

static ngx_int_t
ngx_http_rs_variable_error(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    rs_err_e            code;
    ngx_http_rs_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_rs_signal_module);

    if (ctx && ctx->conn && ngx_http_rs_conn_ended(ctx->conn, &code)
        && code != RS_OK)
    {
        return ngx_http_rs_variable_set(r, v, "%s", rs_err_code(code));
    }

    return ngx_http_rs_variable_ctx(r, v,
                                    offsetof(ngx_http_rs_ctx_t, error));
}


static ngx_int_t
ngx_http_rs_variable_close_code(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    rs_err_e            code;
    unsigned            status;
    ngx_http_rs_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_rs_signal_module);

    if (ctx == NULL || ctx->conn == NULL
        || !ngx_http_rs_conn_ended(ctx->conn, &code))
    {
        v->not_found = 1;
        return NGX_OK;
    }

    status = (code == RS_OK) ? 1000 : rs_err_ws_close(code);

    if (status == 0) {
        status = rs_err_ws_close(RS_E_INTERNAL);
    }

    return ngx_http_rs_variable_set(r, v, "%ud", status);
}


/* data: offset of a number of the socket */

static ngx_int_t
ngx_http_rs_variable_conn(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_rs_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_rs_signal_module);

    if (ctx == NULL || ctx->conn == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_rs_variable_set(r, v, "%uL",
                                    *(uint64_t *) ((u_char *) ctx->conn
                                                   + data));
}


static ngx_int_t
ngx_http_rs_variable_resumed(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_rs_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_rs_signal_module);

    if (ctx == NULL || ctx->resumed == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_rs_variable_set(r, v, "%s", ctx->resumed);
}


static ngx_int_t
ngx_http_rs_variable_redis_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_rs_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_rs_signal_module);

    if (ctx == NULL || !ctx->redis) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_rs_variable_set(r, v, "%M.%03M",
                                    ctx->redis_time / 1000,
                                    ctx->redis_time % 1000);
}


static ngx_int_t
ngx_http_rs_variable_set(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, const char *fmt, ...)
{
    u_char   *last, text[NGX_HTTP_RS_VARIABLE_MAX];
    va_list   args;

    va_start(args, fmt);
    last = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    v->len = last - text;

    v->data = ngx_pnalloc(r->pool, v->len);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(v->data, text, v->len);

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


ngx_int_t
ngx_http_rs_variables_add(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_rs_variables; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}
