
/*
 * Copyright (C) rs-gateway contributors
 *
 * One REST call from its path to its handler, and from the store's reply to
 * the answer.
 *
 *     handler -> match -> credential -> go -> (body) -> run -> send
 *                         |      ^                      |      ^
 *                       identify, posted           store op -> done, posted
 *
 * Invariants
 *   * Nothing here waits for a store that is known to be down.
 *   * The API key is parsed here and checked by the function of the store
 *     that does the work, so a call costs one round trip.
 *   * The body goes into one buffer of at most rs_body_size, never to disk:
 *     it is read unbuffered and copied, since nginx would otherwise spill a
 *     chunked one into a file.
 *   * An operation may outlive its call: the cleanup of the request's pool
 *     detaches it.  An answer found in an operation's handler is sent from
 *     the connection's own, posted, write event.
 */


#include "ngx_http_rs_api_internal.h"


static ngx_http_rs_api_t *ngx_http_rs_api_create(ngx_http_request_t *r,
    ngx_str_t *path);
static void ngx_http_rs_api_cleanup(void *data);
static void ngx_http_rs_api_detach(ngx_http_rs_api_t *api);
static ngx_int_t ngx_http_rs_api_check_body(ngx_http_rs_api_t *api);
static void ngx_http_rs_api_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_rs_api_unreadable(ngx_http_rs_api_t *api,
    ngx_int_t rc);
static ngx_int_t ngx_http_rs_api_read(ngx_http_rs_api_t *api);
static ngx_int_t ngx_http_rs_api_take(ngx_http_rs_api_t *api);
static ngx_int_t ngx_http_rs_api_parse(ngx_http_rs_api_t *api);
static void ngx_http_rs_api_run(ngx_http_rs_api_t *api);
static void ngx_http_rs_api_finish(ngx_http_rs_api_t *api);
static void ngx_http_rs_api_op_handler(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_api_write_handler(ngx_http_request_t *r);


ngx_int_t
ngx_http_rs_api_path(ngx_http_request_t *r, ngx_str_t *path)
{
    ngx_str_t                 *name;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    name = &clcf->name;

    /* "rewrite ... break" leaves the location and changes the URI */

    if (r->uri.len < name->len
        || ngx_memcmp(r->uri.data, name->data, name->len) != 0)
    {
        return NGX_DECLINED;
    }

    path->data = r->uri.data + name->len;
    path->len = r->uri.len - name->len;

    if (name->data[name->len - 1] == '/') {
        path->data--;
        path->len++;
    }

    if (path->len == 0) {
        ngx_str_set(path, "/");
    }

    return path->data[0] == '/' ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_rs_api_handler(ngx_http_request_t *r, ngx_str_t *path)
{
    u_char                          text[NGX_HTTP_RS_API_ALLOW_MAX];
    ngx_int_t                       rc;
    ngx_str_t                       found[NGX_HTTP_RS_API_SEGMENTS], allow;
    ngx_http_rs_api_t              *api;
    const ngx_http_rs_api_route_t  *route;

    if (!ngx_http_rs_upgrade_origin(r)) {
        return ngx_http_rs_api_problem(r, RS_E_ORIGIN_FORBIDDEN, NULL, NULL);
    }

    allow.data = text;
    allow.len = 0;

    route = ngx_http_rs_api_match(r, path, found, &allow);

    if (allow.len == 0) {
        return ngx_http_rs_api_problem(r, RS_E_NOT_FOUND, NULL, NULL);
    }

    if (r->method == NGX_HTTP_OPTIONS) {
        return ngx_http_rs_api_preflight(r, &allow);
    }

    if (route == NULL) {
        if (ngx_http_rs_api_header(r, "Allow", (char *) allow.data, allow.len)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_rs_api_problem(r, RS_E_METHOD_NOT_ALLOWED, NULL,
                                       NULL);
    }

    /* before anything of a credential is looked at */

    if ((route->verb != NGX_HTTP_RS_API_OPEN
         || route->body != NGX_HTTP_RS_API_NO_BODY)
        && ngx_http_rs_api_banned(r))
    {
        return ngx_http_rs_api_problem(r, RS_E_RATE_LIMITED,
                                       NGX_HTTP_RS_API_BANNED, NULL);
    }

    api = ngx_http_rs_api_create(r, path);
    if (api == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    api->route = route;
    api->id = found[0];
    api->username = found[1];

    rc = ngx_http_rs_api_address_rate(api);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_credential(api);
    }

    if (rc == NGX_AGAIN) {
        return NGX_DONE;
    }

    return ngx_http_rs_api_go(api, rc);
}


ngx_int_t
ngx_http_rs_api_go(ngx_http_rs_api_t *api, ngx_int_t rc)
{
    ngx_http_request_t  *r;

    r = api->request;

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_tenant_rate(api);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_check_body(api);
    }

    if (rc == NGX_ERROR) {
        ngx_http_rs_api_fail(api, RS_E_INTERNAL, NULL, NULL);
    }

    if (rc != NGX_OK) {
        return ngx_http_rs_api_send(api);
    }

    if (api->route->body == NGX_HTTP_RS_API_NO_BODY) {

        rc = ngx_http_discard_request_body(r);
        if (rc != NGX_OK) {
            return rc;
        }

        r->main->count++;
        ngx_http_rs_api_run(api);

        return NGX_DONE;
    }

    r->request_body_no_buffering = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_rs_api_body_handler);

    if (rc < NGX_HTTP_SPECIAL_RESPONSE) {
        return NGX_DONE;
    }

    if (ngx_http_rs_api_unreadable(api, rc) == NGX_DECLINED) {
        return ngx_http_rs_api_send(api);
    }

    return rc;
}


static ngx_http_rs_api_t *
ngx_http_rs_api_create(ngx_http_request_t *r, ngx_str_t *path)
{
    ngx_http_rs_api_t   *api;
    ngx_pool_cleanup_t  *cln;

    api = ngx_pcalloc(r->pool, sizeof(ngx_http_rs_api_t));
    if (api == NULL) {
        return NULL;
    }

    api->ctx = ngx_http_rs_ctx(r);
    if (api->ctx == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_rs_api_cleanup;
    cln->data = api;

    api->request = r;
    api->ctx->api = api;
    api->rmcf = ngx_http_get_module_main_conf(r, ngx_http_rs_signal_module);
    api->rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rs_signal_module);

    /* the path is the end of the URI; "/" may stand for an empty one */

    api->path = *path;
    api->base = r->uri;

    if (path->data > r->uri.data && path->data < r->uri.data + r->uri.len) {
        api->base.len = path->data - r->uri.data;
    }

    ngx_queue_init(&api->ops);

    return api;
}


static void
ngx_http_rs_api_cleanup(void *data)
{
    ngx_http_rs_api_t *api = data;

    ngx_http_rs_api_detach(api);

    json_decref(api->body);
    json_decref(api->json);
}


static void
ngx_http_rs_api_detach(ngx_http_rs_api_t *api)
{
    ngx_queue_t           *q;
    ngx_http_rs_api_op_t  *aop;

    while (!ngx_queue_empty(&api->ops)) {
        q = ngx_queue_head(&api->ops);
        ngx_queue_remove(q);

        aop = ngx_queue_data(q, ngx_http_rs_api_op_t, queue);
        ngx_http_rs_store_detach(aop->op);
    }
}


/* what can be said before the body is read; NGX_DECLINED: the answer is set */

static ngx_int_t
ngx_http_rs_api_check_body(ngx_http_rs_api_t *api)
{
    u_char                 *p, *last;
    ngx_str_t               type;
    ngx_uint_t              good;
    ngx_http_request_t     *r;
    ngx_http_rs_api_body_e  body;

    r = api->request;
    body = api->route->body;

    if (api->route->verb != NGX_HTTP_RS_API_OPEN
        || body != NGX_HTTP_RS_API_NO_BODY)
    {

        if (!ngx_http_rs_store_ready(api->rmcf->store)
            || !ngx_http_rs_presence_ready(api->rmcf->presence))
        {
            ngx_http_rs_api_fail(api, RS_E_UNAVAILABLE, NULL, NULL);
            return NGX_DECLINED;
        }
    }

    if (body == NGX_HTTP_RS_API_NO_BODY
        || (r->headers_in.content_length_n <= 0 && !r->headers_in.chunked))
    {
        return NGX_OK;
    }

    ngx_str_null(&type);

    if (r->headers_in.content_type) {
        type = r->headers_in.content_type->value;

        last = type.data + type.len;
        p = ngx_strlchr(type.data, last, ';');

        if (p == NULL) {
            p = last;
        }

        while (p > type.data && (p[-1] == ' ' || p[-1] == '\t')) {
            p--;
        }

        type.len = p - type.data;
    }

    good = rs_str_eq_ci(ngx_http_rs_slice(&type), RS_STR("application/json"))
           || (body == NGX_HTTP_RS_API_PATCH
               && rs_str_eq_ci(ngx_http_rs_slice(&type),
                               RS_STR("application/merge-patch+json")));

    if (!good) {
        ngx_http_rs_api_fail(api, RS_E_UNSUPPORTED_MEDIA_TYPE, NULL, NULL);
        return NGX_DECLINED;
    }

    if (r->headers_in.content_length_n > (off_t) api->rlcf->body_size) {
        ngx_http_rs_api_fail(api, RS_E_BODY_TOO_LARGE, NULL, NULL);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* called by nginx when the body can be read, then for each read event */

static void
ngx_http_rs_api_body_handler(ngx_http_request_t *r)
{
    ngx_int_t           rc;
    ngx_http_rs_ctx_t  *ctx;
    ngx_http_rs_api_t  *api;

    ctx = ngx_http_get_module_ctx(r, ngx_http_rs_signal_module);
    api = ctx->api;

    r->read_event_handler = ngx_http_rs_api_body_handler;

    rc = ngx_http_rs_api_read(api);

    if (rc == NGX_AGAIN) {
        return;
    }

    r->read_event_handler = ngx_http_block_reading;

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        rc = ngx_http_rs_api_unreadable(api, rc);
    }

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_parse(api);
    }

    if (rc == NGX_OK) {
        ngx_http_rs_api_run(api);

    } else {
        ngx_http_rs_api_finish(api);
    }
}


/* what nginx says of a body: NGX_DECLINED, the answer is set, or rc */

static ngx_int_t
ngx_http_rs_api_unreadable(ngx_http_rs_api_t *api, ngx_int_t rc)
{
    api->request->keepalive = 0;

    if (rc == NGX_HTTP_BAD_REQUEST) {
        ngx_http_rs_api_fail(api, RS_E_BAD_REQUEST,
                             "the body is not framed as RFC 9112 says", NULL);
        return NGX_DECLINED;
    }

    if (rc == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE) {
        ngx_http_rs_api_fail(api, RS_E_BODY_TOO_LARGE, NULL, NULL);
        return NGX_DECLINED;
    }

    return rc;
}


/*
 * NGX_OK: all of it is there; NGX_AGAIN; NGX_DECLINED: the answer is set; or
 * what nginx says of the connection or of the framing.
 */

static ngx_int_t
ngx_http_rs_api_read(ngx_http_rs_api_t *api)
{
    size_t               size;
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = api->request;

    if (api->buf == NULL) {

        size = r->headers_in.chunked
               ? api->rlcf->body_size
               : (size_t) ngx_max(r->headers_in.content_length_n, 0);

        api->buf = ngx_create_temp_buf(r->pool, ngx_max(size, 1));
        if (api->buf == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    for ( ;; ) {

        rc = ngx_http_rs_api_take(api);

        if (rc == NGX_DECLINED) {
            return rc;
        }

        if (!r->reading_body) {
            return NGX_OK;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            return rc;
        }

        if (r->reading_body && r->request_body->bufs == NULL) {
            return NGX_AGAIN;
        }
    }
}


/* copies what has come; its buffers are free for nginx to read into again */

static ngx_int_t
ngx_http_rs_api_take(ngx_http_rs_api_t *api)
{
    size_t               n;
    ngx_buf_t           *b;
    ngx_chain_t         *cl;
    ngx_http_request_t  *r;

    r = api->request;

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        b = cl->buf;
        n = b->last - b->pos;

        if (n > (size_t) (api->buf->end - api->buf->last)) {
            ngx_http_rs_api_fail(api, RS_E_BODY_TOO_LARGE, NULL, NULL);
            return NGX_DECLINED;
        }

        api->buf->last = ngx_cpymem(api->buf->last, b->pos, n);
        b->pos = b->last;
    }

    r->request_body->bufs = NULL;

    return NGX_OK;
}


/* NGX_DECLINED: the answer is set */

static ngx_int_t
ngx_http_rs_api_parse(ngx_http_rs_api_t *api)
{
    size_t    len;
    rs_err_e  rc;

    len = api->buf->last - api->buf->pos;

    if (len == 0) {
        if (api->route->body == NGX_HTTP_RS_API_MAY_BODY) {
            return NGX_OK;
        }

        ngx_http_rs_api_fail(api, RS_E_INVALID_JSON,
                             "there is no body; send a JSON object", NULL);
        return NGX_DECLINED;
    }

    rc = rs_json_load(api->buf->pos, len, api->rlcf->body_size, &api->body,
                      &api->err);

    if (rc != RS_OK) {
        api->body = NULL;
        ngx_http_rs_api_invalid(api, rc);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_http_rs_api_run(ngx_http_rs_api_t *api)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    rc = api->route->handler(api);

    if (rc == NGX_DONE) {

        r = api->request;

        /* notices when the client leaves */

        if (!r->discard_body) {
            r->read_event_handler = ngx_http_test_reading;
        }

        r->connection->log->action = "waiting for the store";

        return;
    }

    if (rc != NGX_OK) {
        ngx_http_rs_api_fail(api, RS_E_INTERNAL, NULL, NULL);
    }

    ngx_http_rs_api_finish(api);
}


static void
ngx_http_rs_api_finish(ngx_http_rs_api_t *api)
{
    ngx_http_rs_api_detach(api);

    if (api->status && api->stream) {
        api->stream(api);
        return;
    }

    ngx_http_finalize_request(api->request, ngx_http_rs_api_send(api));
}


ngx_http_rs_api_op_t *
ngx_http_rs_api_op(ngx_http_rs_api_t *api, ngx_http_rs_api_done_pt done,
    void *data)
{
    ngx_http_rs_api_op_t  *aop;

    aop = ngx_palloc(api->request->pool, sizeof(ngx_http_rs_api_op_t));
    if (aop == NULL) {
        return NULL;
    }

    aop->api = api;
    aop->done = done;
    aop->data = data;

    aop->op = ngx_http_rs_store_op(api->rmcf->store,
                                   ngx_http_rs_api_op_handler, aop);
    if (aop->op == NULL) {
        return NULL;
    }

    if (!api->ctx->asked) {
        api->ctx->asked = ngx_current_msec;
    }

    ngx_http_rs_store_rest(aop->op);

    ngx_queue_insert_tail(&api->ops, &aop->queue);

    return aop;
}


ngx_int_t
ngx_http_rs_api_wait(ngx_http_rs_api_op_t *aop, ngx_int_t rc)
{
    if (rc == NGX_OK) {
        return NGX_DONE;
    }

    /* the store has freed it */

    ngx_queue_remove(&aop->queue);

    return ngx_http_rs_api_fail(aop->api, RS_E_UNAVAILABLE, NULL, NULL);
}


static void
ngx_http_rs_api_op_handler(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_op_t *aop = data;

    ngx_int_t            rc;
    ngx_http_rs_api_t   *api;
    ngx_http_request_t  *r;

    api = aop->api;
    r = api->request;

    ngx_queue_remove(&aop->queue);

    api->ctx->redis = 1;
    api->ctx->redis_time = ngx_current_msec - api->ctx->asked;

    rc = aop->done(api, aop->data, code, reply);

    if (rc == NGX_DONE && !ngx_queue_empty(&api->ops)) {
        return;
    }

    if (rc != NGX_OK) {
        ngx_http_rs_api_fail(api, RS_E_INTERNAL, NULL, NULL);
    }

    ngx_http_rs_api_detach(api);

    r->write_event_handler = ngx_http_rs_api_write_handler;
    ngx_post_event(r->connection->write, &ngx_posted_events);
}


static void
ngx_http_rs_api_write_handler(ngx_http_request_t *r)
{
    ngx_http_rs_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_rs_signal_module);

    ngx_http_rs_api_finish(ctx->api);
}
