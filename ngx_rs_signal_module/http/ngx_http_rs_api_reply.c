
/*
 * Copyright (C) rs-gateway contributors
 *
 * Answers of REST: JSON, problems (RFC 9457), and the header fields that each
 * of them carries.
 */


#include "ngx_http_rs_api_internal.h"


#define NGX_HTTP_RS_API_RETRY_AFTER  1           /* s, at least */
#define NGX_HTTP_RS_API_CORS_AGE     "600"       /* s */


static ngx_int_t ngx_http_rs_api_header_str(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);
static void ngx_http_rs_api_failed(ngx_http_request_t *r,
    ngx_http_rs_main_conf_t *rmcf, rs_err_e code);
static void ngx_http_rs_api_denied(ngx_http_request_t *r,
    ngx_http_rs_main_conf_t *rmcf, rs_err_e code);
static json_t *ngx_http_rs_api_problem_json(ngx_http_rs_ctx_t *ctx,
    rs_err_e code, const char *detail, const char *pointer);


static ngx_str_t  ngx_http_rs_api_type_json = ngx_string("application/json");
static ngx_str_t  ngx_http_rs_api_type_problem =
    ngx_string("application/problem+json");


ngx_int_t
ngx_http_rs_api_answer(ngx_http_rs_api_t *api, ngx_uint_t status,
    json_t *json)
{
    if (json == NULL && status != NGX_HTTP_NO_CONTENT) {
        return NGX_ERROR;
    }

    api->status = status;
    api->json = json;

    return NGX_OK;
}


ngx_int_t
ngx_http_rs_api_answer_text(ngx_http_rs_api_t *api, ngx_str_t *text)
{
    api->status = NGX_HTTP_OK;
    api->text = *text;

    return NGX_OK;
}


ngx_int_t
ngx_http_rs_api_fail(ngx_http_rs_api_t *api, rs_err_e code,
    const char *detail, const char *pointer)
{
    if (code == RS_E_UNCERTAIN && detail == NULL) {
        detail = "done here, not yet confirmed by a replica; repeat the call";
    }

    api->status = 0;
    api->code = code;
    api->detail = detail;
    api->pointer = pointer;

    return NGX_OK;
}


ngx_int_t
ngx_http_rs_api_invalid(ngx_http_rs_api_t *api, rs_err_e code)
{
    return ngx_http_rs_api_fail(api, code, api->err.text, api->err.pointer);
}


ngx_int_t
ngx_http_rs_api_location(ngx_http_rs_api_t *api, const char *collection,
    ngx_str_t *id)
{
    size_t  len;

    len = ngx_strlen(collection);

    api->location.data = ngx_pnalloc(api->request->pool,
                                     api->base.len + len + 1 + id->len);
    if (api->location.data == NULL) {
        return NGX_ERROR;
    }

    api->location.len = ngx_sprintf(api->location.data, "%V%s/%V",
                                    &api->base, collection, id)
                        - api->location.data;

    return NGX_OK;
}


ngx_int_t
ngx_http_rs_api_etag(ngx_http_rs_api_t *api, ngx_str_t *version)
{
    api->etag.len = version->len + 2;
    api->etag.data = ngx_pnalloc(api->request->pool, api->etag.len);

    if (api->etag.data == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(api->etag.data, "\"%V\"", version);

    return NGX_OK;
}


ngx_int_t
ngx_http_rs_api_send(ngx_http_rs_api_t *api)
{
    ngx_http_request_t  *r;

    r = api->request;

    if (api->status == 0) {
        return ngx_http_rs_api_problem(r, api->code, api->detail,
                                       api->pointer);
    }

    if (ngx_http_rs_api_creates(api)) {
        (void) ngx_http_rs_limit_tenant(api->rmcf, &api->caller.tenant,
                                        RS_RATE_CHARGE, NULL);
    }

    if (api->location.len
        && ngx_http_rs_api_header_str(r, "Location", &api->location)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (api->etag.len
        && ngx_http_rs_api_header_str(r, "ETag", &api->etag) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (api->status == NGX_HTTP_NO_CONTENT) {
        return ngx_http_rs_api_send_text(r, api->status, NULL, NULL);
    }

    if (api->text.len == 0
        && ngx_http_rs_api_dump(r->pool, api->json, 0, &api->text) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_rs_api_send_text(r, api->status,
                                     &ngx_http_rs_api_type_json, &api->text);
}


ngx_int_t
ngx_http_rs_api_problem(ngx_http_request_t *r, rs_err_e code,
    const char *detail, const char *pointer)
{
    size_t                    len;
    u_char                    retry[NGX_TIME_T_LEN];
    json_t                   *json;
    ngx_int_t                 rc;
    ngx_str_t                 text;
    ngx_http_rs_ctx_t        *ctx;
    ngx_http_rs_main_conf_t  *rmcf;

    ctx = ngx_http_rs_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rs_signal_module);
    ngx_http_rs_count(rmcf, NGX_HTTP_RS_STAT_PROBLEM + code);

    if (code == RS_E_UNAUTHENTICATED || code == RS_E_ENROLLMENT_INVALID
        || code == RS_E_LINK_INVALID)
    {
        ngx_http_rs_api_failed(r, rmcf, code);
    }

    ctx->code = code;
    ctx->error.data = (u_char *) rs_err_code(code);
    ctx->error.len = ngx_strlen(ctx->error.data);

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "rs api answers %ui %V, request_id: %V",
                  (ngx_uint_t) rs_err_http(code), &ctx->error,
                  &ctx->request_id);

    json = ngx_http_rs_api_problem_json(ctx, code, detail, pointer);
    if (json == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_rs_api_dump(r->pool, json, 0, &text);
    json_decref(json);

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    len = ngx_sprintf(retry, "%T",
                      ngx_max(ctx->retry_after, NGX_HTTP_RS_API_RETRY_AFTER))
          - retry;

    if (rs_err_retry_after(code)
        && ngx_http_rs_api_header(r, "Retry-After", (char *) retry, len)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (code == RS_E_UNAUTHENTICATED
        && ngx_http_rs_api_header(r, "WWW-Authenticate", "Bearer",
                                  sizeof("Bearer") - 1)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (code == RS_E_BODY_TOO_LARGE) {

        /* no "100 Continue" for it, and the rest may be long */

        r->expect_tested = 1;
        r->keepalive = 0;
    }

    return ngx_http_rs_api_send_text(r, rs_err_http(code),
                                     &ngx_http_rs_api_type_problem, &text);
}


/*
 * A call without any credential tries none, and a token of the issuer that is
 * void since its user signed out is no guess.
 */

static void
ngx_http_rs_api_failed(ngx_http_request_t *r, ngx_http_rs_main_conf_t *rmcf,
    rs_err_e code)
{
    ngx_http_rs_ctx_t      *ctx;
    ngx_http_rs_api_t      *api;
    ngx_http_rs_ban_who_t   who;

    (void) ngx_http_rs_limit_address(rmcf, r->connection->sockaddr,
                                     RS_RATE_CHARGE, NULL);

    if (r->headers_in.authorization == NULL && r->request_body == NULL) {
        return;
    }

    ctx = ngx_http_rs_ctx(r);
    api = ctx ? ctx->api : NULL;

    if (api == NULL || api->bearer == NULL) {
        ngx_memzero(&who, sizeof(ngx_http_rs_ban_who_t));
        who.sockaddr = r->connection->sockaddr;

        ngx_http_rs_ban_failed(rmcf, &who, r->connection->log);
    }

    ngx_http_rs_api_denied(r, rmcf, code);
}


/*
 * A line of the fleet's, whatever tenant was named; it does not matter whether
 * the store takes it now.
 */

static void
ngx_http_rs_api_denied(ngx_http_request_t *r, ngx_http_rs_main_conf_t *rmcf,
    rs_err_e code)
{
    ngx_str_t           detail;
    ngx_http_rs_ctx_t  *ctx;
    ngx_http_rs_api_t  *api;

    ctx = ngx_http_rs_ctx(r);

    if (ctx == NULL || ctx->api == NULL || rmcf->store == NULL) {
        return;
    }

    api = ctx->api;

    /* a pattern: what a client wrote into its path is not repeated */

    detail.data = (u_char *) api->route->path;
    detail.len = ngx_strlen(detail.data);

    ngx_http_rs_store_denied(rmcf->store,
                             (code == RS_E_ENROLLMENT_INVALID)
                             ? "enrolment token"
                             : (code == RS_E_LINK_INVALID)
                             ? "guest link" : "bearer",
                             code, &r->connection->addr_text,
                             &ctx->request_id, &detail);
}


static json_t *
ngx_http_rs_api_problem_json(ngx_http_rs_ctx_t *ctx, rs_err_e code,
    const char *detail, const char *pointer)
{
    json_t  *json, *text;

    text = json_string(detail ? detail : rs_err_title(code));

    if (text == NULL) {
        /* not UTF-8 */
        text = json_string(rs_err_title(code));
    }

    json = json_pack("{s:s, s:s, s:i, s:o, s:s, s:s%}",
                     "type", "about:blank",
                     "title", rs_err_title(code),
                     "status", (int) rs_err_http(code),
                     "detail", text,
                     "code", rs_err_code(code),
                     "request_id", (char *) ctx->request_id.data,
                     ctx->request_id.len);

    if (json && pointer && *pointer
        && json_object_set_new(json, "pointer", json_string(pointer)) != 0)
    {
        json_decref(json);
        return NULL;
    }

    return json;
}


ngx_int_t
ngx_http_rs_api_send_text(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, ngx_str_t *text)
{
    ngx_int_t                 rc;
    ngx_buf_t                *b;
    ngx_chain_t               out;
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rs_signal_module);

    if (ngx_http_rs_drain_asked(rmcf)) {

        /* the next call comes by the balancer, which looks elsewhere */

        r->keepalive = 0;
    }

    if (r->request_body == NULL) {

        rc = ngx_http_discard_request_body(r);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ngx_http_rs_api_headers(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = status;

    /* If-Match is ours, not of the filter that knows files */

    r->disable_not_modified = 1;

    if (text == NULL) {
        r->headers_out.content_length_n = 0;
        r->header_only = 1;

        return ngx_http_send_header(r);
    }

    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_length_n = text->len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = text->data;
    b->last = text->data + text->len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


/* CORS when a page of an allowed origin asks */

ngx_int_t
ngx_http_rs_api_headers(ngx_http_request_t *r)
{
    ngx_str_t          *origin;
    ngx_http_rs_ctx_t  *ctx;

    ctx = ngx_http_rs_ctx(r);

    if (ctx == NULL
        || ngx_http_rs_api_header_str(r, "X-Request-Id", &ctx->request_id)
           != NGX_OK
        || ngx_http_rs_api_header(r, "Cache-Control", "no-store",
                                  sizeof("no-store") - 1)
           != NGX_OK
        || ngx_http_rs_api_header(r, "X-Content-Type-Options", "nosniff",
                                  sizeof("nosniff") - 1)
           != NGX_OK
        || ngx_http_rs_api_header(r, "Vary", "Origin", sizeof("Origin") - 1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    origin = ngx_http_rs_header_in(r, "origin", sizeof("origin") - 1);

    if (origin == NULL || !ngx_http_rs_upgrade_origin(r)) {
        return NGX_OK;
    }

#define NGX_HTTP_RS_API_EXPOSED  "ETag, Location, Retry-After, X-Request-Id"

    if (ngx_http_rs_api_header_str(r, "Access-Control-Allow-Origin", origin)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_header(r, "Access-Control-Expose-Headers",
                                  NGX_HTTP_RS_API_EXPOSED,
                                  sizeof(NGX_HTTP_RS_API_EXPOSED) - 1);
}


ngx_int_t
ngx_http_rs_api_preflight(ngx_http_request_t *r, ngx_str_t *allow)
{
#define NGX_HTTP_RS_API_ASKED                                                \
    "Authorization, Content-Type, Idempotency-Key, If-Match, "               \
    "Last-Event-ID, X-Request-Id, X-RS-Tenant"

    if (ngx_http_rs_api_header_str(r, "Allow", allow) != NGX_OK
        || ngx_http_rs_api_header_str(r, "Access-Control-Allow-Methods",
                                      allow)
           != NGX_OK
        || ngx_http_rs_api_header(r, "Access-Control-Allow-Headers",
                                  NGX_HTTP_RS_API_ASKED,
                                  sizeof(NGX_HTTP_RS_API_ASKED) - 1)
           != NGX_OK
        || ngx_http_rs_api_header(r, "Access-Control-Max-Age",
                                  NGX_HTTP_RS_API_CORS_AGE,
                                  sizeof(NGX_HTTP_RS_API_CORS_AGE) - 1)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_rs_api_send_text(r, NGX_HTTP_NO_CONTENT, NULL, NULL);
}


static ngx_int_t
ngx_http_rs_api_header_str(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    return ngx_http_rs_api_header(r, name, (char *) value->data, value->len);
}


/* name is a constant; value is copied */

ngx_int_t
ngx_http_rs_api_header(ngx_http_request_t *r, const char *name,
    const char *value, size_t len)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->value.data = ngx_pnalloc(r->pool, ngx_max(len, 1));
    if (h->value.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(h->value.data, value, len);

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.len = len;

    return NGX_OK;
}


json_t *
ngx_http_rs_api_text(ngx_str_t s)
{
    return s.len ? json_stringn((char *) s.data, s.len) : json_null();
}


json_t *
ngx_http_rs_api_number(ngx_str_t s)
{
    ngx_int_t  n;

    if (s.len == 0) {
        return json_null();
    }

    n = ngx_atoi(s.data, s.len);

    return (n == NGX_ERROR) ? json_null() : json_integer(n);
}


json_t *
ngx_http_rs_api_flag(ngx_str_t s)
{
    return json_boolean(s.len && s.data[0] == '1');
}


json_t *
ngx_http_rs_api_words(ngx_str_t s)
{
    json_t    *json;
    rs_str_t   word, rest;

    json = json_array();
    rest = ngx_http_rs_slice(&s);

    while (rest.len) {

        rs_str_split(rest, ' ', &word, &rest);

        if (word.len
            && json_array_append_new(json, json_stringn((char *) word.data,
                                                        word.len))
               != 0)
        {
            json_decref(json);
            return NULL;
        }
    }

    return json;
}


json_t *
ngx_http_rs_api_stored(ngx_str_t s)
{
    json_t  *json;

    if (s.len == 0) {
        return json_null();
    }

    json = json_loadb((char *) s.data, s.len, JSON_DECODE_ANY, NULL);

    return json ? json : json_null();
}


ngx_int_t
ngx_http_rs_api_dump(ngx_pool_t *pool, json_t *json, size_t flags,
    ngx_str_t *text)
{
    flags |= JSON_COMPACT;

    text->len = json_dumpb(json, NULL, 0, flags);
    if (text->len == 0) {
        return NGX_ERROR;
    }

    text->data = ngx_pnalloc(pool, text->len);

    if (text->data == NULL
        || json_dumpb(json, (char *) text->data, text->len, flags)
           != text->len)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_rs_api_fields(json_t *json, ngx_rs_reply_t *obj,
    const ngx_http_rs_api_field_t *fields)
{
    ngx_str_t                       s;
    const ngx_http_rs_api_field_t  *f;

    for (f = fields; f->name; f++) {

        s = ngx_rs_reply_field(obj, f->name);

        if (json_object_set_new(json, f->name, f->value(s)) != 0) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
