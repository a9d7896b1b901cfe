
/*
 * Copyright (C) rs-gateway contributors
 *
 * Webhooks: where a tenant is told what happens.  rs-eventd delivers; here
 * they are set up, and the secret that signs is shown, by the call that makes
 * it and by none after it.
 *
 * Daemons find webhooks by a table of tenants, which is of another slot: so a
 * tenant is put there by a call of its own before its webhook is made, when
 * the caller is known to be allowed that.
 */


#include "ngx_http_rs_api_internal.h"
#include "rs_webhook.h"


typedef struct {
    rs_str_t    name;
    rs_str_t    url;
    json_t     *types;
    int         enabled;
} ngx_http_rs_api_webhook_body_t;


static ngx_int_t ngx_http_rs_api_webhook_read(ngx_http_rs_api_t *api,
    const rs_json_field_t *fields, ngx_http_rs_store_webhook_t *w,
    uint32_t *present);
static ngx_int_t ngx_http_rs_api_webhook_types(ngx_http_rs_api_t *api,
    json_t *types, ngx_str_t *text);
static ngx_uint_t ngx_http_rs_api_webhook_off(ngx_http_rs_api_t *api);
static ngx_int_t ngx_http_rs_api_webhook_allowed(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_webhook_listed(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_webhook_put(ngx_http_rs_api_t *api,
    ngx_http_rs_store_webhook_t *w);
static ngx_int_t ngx_http_rs_api_webhook_created(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_webhook_rotated(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_webhook_show(ngx_http_rs_api_t *api,
    ngx_rs_reply_t *obj);


#define NGX_HTTP_RS_API_WEBHOOK_URL                                          \
    "\"https://\" or \"http://\", a host, and no user or fragment"

static const rs_json_field_t  ngx_http_rs_api_webhook_new[] = {
    { "name", RS_JSON_STRING, 0, 1, NGX_HTTP_RS_API_NAME_MAX,
      offsetof(ngx_http_rs_api_webhook_body_t, name), NULL, NULL, NULL },
    { "url", RS_JSON_STRING, RS_JSON_REQUIRED, 1, RS_WEBHOOK_URL_MAX,
      offsetof(ngx_http_rs_api_webhook_body_t, url),
      NULL, rs_webhook_url_check, NGX_HTTP_RS_API_WEBHOOK_URL },
    { "types", RS_JSON_ARRAY, 0, 0, 64,
      offsetof(ngx_http_rs_api_webhook_body_t, types), NULL, NULL, NULL },
    { "enabled", RS_JSON_BOOL, 0, 0, 0,
      offsetof(ngx_http_rs_api_webhook_body_t, enabled), NULL, NULL, NULL }
};

static const rs_json_field_t  ngx_http_rs_api_webhook_changed[] = {
    { "name", RS_JSON_STRING, RS_JSON_NULL, 1, NGX_HTTP_RS_API_NAME_MAX,
      offsetof(ngx_http_rs_api_webhook_body_t, name), NULL, NULL, NULL },
    { "url", RS_JSON_STRING, 0, 1, RS_WEBHOOK_URL_MAX,
      offsetof(ngx_http_rs_api_webhook_body_t, url),
      NULL, rs_webhook_url_check, NGX_HTTP_RS_API_WEBHOOK_URL },
    { "types", RS_JSON_ARRAY, 0, 0, 64,
      offsetof(ngx_http_rs_api_webhook_body_t, types), NULL, NULL, NULL },
    { "enabled", RS_JSON_BOOL, 0, 0, 0,
      offsetof(ngx_http_rs_api_webhook_body_t, enabled), NULL, NULL, NULL }
};

#define NGX_HTTP_RS_API_WEBHOOK_FIELDS                                       \
    NGX_HTTP_RS_API_N(ngx_http_rs_api_webhook_new)

/* bits of both */

#define NGX_HTTP_RS_API_WEBHOOK_NAME     0x1
#define NGX_HTTP_RS_API_WEBHOOK_PLACE    0x2
#define NGX_HTTP_RS_API_WEBHOOK_TYPES    0x4
#define NGX_HTTP_RS_API_WEBHOOK_ENABLED  0x8


static const ngx_http_rs_api_field_t  ngx_http_rs_api_webhook_obj[] = {
    { "name", ngx_http_rs_api_text },
    { "url", ngx_http_rs_api_text },
    { "types", ngx_http_rs_api_words },
    { "enabled", ngx_http_rs_api_flag },
    { "created_at", ngx_http_rs_api_number },
    { "created_by", ngx_http_rs_api_text },
    { "secret_at", ngx_http_rs_api_number },
    { "delivered", ngx_http_rs_api_number },
    { "given_up", ngx_http_rs_api_number },
    { "failures", ngx_http_rs_api_number },
    { "failing_since", ngx_http_rs_api_number },
    { "tried_at", ngx_http_rs_api_number },
    { "delivered_at", ngx_http_rs_api_number },
    { "status", ngx_http_rs_api_number },
    { "error", ngx_http_rs_api_text },
    { NULL, NULL }
};

static const ngx_http_rs_api_set_t  ngx_http_rs_api_webhooks = {
    "/webhooks", "id", NGX_HTTP_RS_STORE_WEBHOOKS, 1,
    ngx_http_rs_api_webhook_obj
};


/* POST /webhooks */

ngx_int_t
ngx_http_rs_api_webhook_create(ngx_http_rs_api_t *api)
{
    ngx_int_t                     rc;
    ngx_str_t                     first;
    ngx_http_rs_api_op_t         *aop;
    ngx_http_rs_store_webhook_t  *w;

    if (ngx_http_rs_api_webhook_off(api)) {
        return NGX_OK;
    }

    w = ngx_pcalloc(api->request->pool, sizeof(ngx_http_rs_store_webhook_t));
    if (w == NULL) {
        return NGX_ERROR;
    }

    w->enabled = 1;

    rc = ngx_http_rs_api_webhook_read(api, ngx_http_rs_api_webhook_new, w,
                                      NULL);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_read_idem(api);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    if (ngx_http_rs_api_new_id(api->request->pool, RS_ID_WEBHOOK, &w->id)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    w->idem = api->idem;
    w->body_hash = api->body_hash;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_webhook_allowed, w);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    /* looking is no act: what comes of it has the line in the audit */

    ngx_str_null(&first);
    api->caller.list = 1;
    rc = ngx_http_rs_store_set_list(aop->op, &api->caller,
                                    NGX_HTTP_RS_STORE_WEBHOOKS, &first, 1);
    api->caller.list = 0;

    return ngx_http_rs_api_wait(aop, rc);
}


static ngx_int_t
ngx_http_rs_api_webhook_allowed(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_store_webhook_t *w = data;

    ngx_http_rs_api_op_t  *aop;

    if (code != RS_OK) {
        return ngx_http_rs_api_webhook_put(api, w);
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_webhook_listed, w);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_webhook_tenant(aop->op,
                                                      &api->caller.tenant));
}


static ngx_int_t
ngx_http_rs_api_webhook_listed(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    return ngx_http_rs_api_webhook_put(api, data);
}


static ngx_int_t
ngx_http_rs_api_webhook_put(ngx_http_rs_api_t *api,
    ngx_http_rs_store_webhook_t *w)
{
    ngx_http_rs_api_op_t  *aop;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_webhook_created, w);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_webhook_create(aop->op,
                                                        &api->caller, w));
}


static ngx_int_t
ngx_http_rs_api_webhook_created(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_store_webhook_t *w = data;

    ngx_int_t  rc;

    if (code == RS_OK && ngx_http_rs_api_set_again(reply, &w->id)) {
        return ngx_http_rs_api_webhook_put(api, w);
    }

    rc = ngx_http_rs_api_set_made(api, &ngx_http_rs_api_webhooks, code,
                                  reply);

    if (rc != NGX_OK || code != RS_OK) {
        return rc;
    }

    return ngx_http_rs_api_webhook_show(api, ngx_rs_reply_at(reply, 2));
}


/* POST /webhooks/{id}/secret */

ngx_int_t
ngx_http_rs_api_webhook_secret(ngx_http_rs_api_t *api)
{
    ngx_str_t              field[2], any;
    ngx_http_rs_api_op_t  *aop;

    if (ngx_http_rs_api_webhook_off(api)) {
        return NGX_OK;
    }

    ngx_str_null(&any);
    ngx_str_set(&field[0], "secret");
    ngx_str_null(&field[1]);

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_webhook_rotated, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_webhook_patch(aop->op,
                                                 &api->caller, &api->id, &any,
                                                 1, field));
}


static ngx_int_t
ngx_http_rs_api_webhook_rotated(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_int_t  rc;

    rc = ngx_http_rs_api_set_got(api, (void *) &ngx_http_rs_api_webhooks,
                                 code, reply);

    if (rc != NGX_OK || code != RS_OK) {
        return rc;
    }

    return ngx_http_rs_api_webhook_show(api, ngx_rs_reply_at(reply, 1));
}


/* the secret of obj besides the answer that is set */

static ngx_int_t
ngx_http_rs_api_webhook_show(ngx_http_rs_api_t *api, ngx_rs_reply_t *obj)
{
    char        secret[RS_WEBHOOK_SECRET_LEN];
    json_t     *json;
    uint64_t    n;
    rs_err_e    code;
    ngx_str_t   id, no;

    id = ngx_rs_reply_field(obj, "id");
    no = ngx_rs_reply_field(obj, "secret_no");

    if (!rs_u64_parse(ngx_http_rs_slice(&no), NGX_MAX_INT_T_VALUE, &n)) {
        return NGX_ERROR;
    }

    code = rs_webhook_secret(secret,
                             ngx_http_rs_slice(&api->rlcf->webhook_key),
                             ngx_http_rs_slice(&api->caller.tenant),
                             ngx_http_rs_slice(&id), n);
    if (code != RS_OK) {
        return NGX_ERROR;
    }

    json = json_stringn(secret, sizeof(secret));
    ngx_explicit_memzero(secret, sizeof(secret));

    return json_object_set_new(api->json, "secret", json) == 0 ? NGX_OK
                                                               : NGX_ERROR;
}


/* 1: no secrets can be made here, which the answer says */

static ngx_uint_t
ngx_http_rs_api_webhook_off(ngx_http_rs_api_t *api)
{
    if (api->rlcf->webhook_key.len) {
        return 0;
    }

    ngx_http_rs_api_fail(api, RS_E_NOT_FOUND,
                         "this gateway has no \"rs_webhook_key_file\", of "
                         "which the secrets of webhooks are made", NULL);

    return 1;
}


static ngx_int_t
ngx_http_rs_api_webhook_read(ngx_http_rs_api_t *api,
    const rs_json_field_t *fields, ngx_http_rs_store_webhook_t *w,
    uint32_t *present)
{
    uint32_t                        null_;
    ngx_int_t                       rc;
    ngx_http_rs_api_webhook_body_t  body;

    null_ = 0;
    ngx_memzero(&body, sizeof(body));
    body.enabled = w->enabled;

    rc = ngx_http_rs_api_read_body(api, fields,
                                   NGX_HTTP_RS_API_WEBHOOK_FIELDS, &body,
                                   present, &null_);
    if (rc != NGX_OK) {
        return rc;
    }

    if (present) {
        *present |= null_;
    }

    w->name = ngx_http_rs_str(body.name);
    w->url = ngx_http_rs_str(body.url);
    w->enabled = body.enabled;

    return ngx_http_rs_api_webhook_types(api, body.types, &w->types);
}


/* an array of names -> text with blanks; none, or an empty one, is all */

static ngx_int_t
ngx_http_rs_api_webhook_types(ngx_http_rs_api_t *api, json_t *types,
    ngx_str_t *text)
{
    int        n;
    size_t     i;
    json_t    *item;
    rs_buf_t   b;
    rs_str_t   s;
    uint32_t   set;

    set = 0;

    json_array_foreach(types, i, item) {

        s.data = (u_char *) json_string_value(item);
        s.len = json_string_length(item);

        n = s.data ? rs_event_type(s) : -1;

        if (n == -1 || (set & ((uint32_t) 1 << n))) {
            return ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                                        "\"types\" has names of events, each "
                                        "once; none: all", "/types")
                   == NGX_OK ? NGX_DECLINED : NGX_ERROR;
        }

        set |= (uint32_t) 1 << n;
    }

    text->data = ngx_pnalloc(api->request->pool, RS_WEBHOOK_TYPES_MAX);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    rs_buf_init(&b, text->data, RS_WEBHOOK_TYPES_MAX);

    for (n = 0; rs_event_types[n]; n++) {

        if (set & ((uint32_t) 1 << n)) {

            if (b.len) {
                rs_buf_char(&b, ' ');
            }

            rs_buf_cstr(&b, rs_event_types[n]);
        }
    }

    text->len = b.len;

    return NGX_OK;
}


/* PATCH /webhooks/{id} */

ngx_int_t
ngx_http_rs_api_webhook_patch(ngx_http_rs_api_t *api)
{
    uint32_t                     present;
    ngx_int_t                    rc;
    ngx_str_t                    version, *f;
    ngx_str_t                    fields[2 * NGX_HTTP_RS_API_WEBHOOK_FIELDS];
    ngx_http_rs_api_op_t        *aop;
    ngx_http_rs_store_webhook_t  w;

    present = 0;
    ngx_memzero(&w, sizeof(w));

    rc = ngx_http_rs_api_version(api, 1, &version);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_webhook_read(api, ngx_http_rs_api_webhook_changed,
                                          &w, &present);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    f = fields;

    if (present & NGX_HTTP_RS_API_WEBHOOK_NAME) {
        ngx_str_set(&f[0], "name");
        f[1] = w.name;
        f += 2;
    }

    if (present & NGX_HTTP_RS_API_WEBHOOK_PLACE) {
        ngx_str_set(&f[0], "url");
        f[1] = w.url;
        f += 2;
    }

    if (present & NGX_HTTP_RS_API_WEBHOOK_TYPES) {
        ngx_str_set(&f[0], "types");
        f[1] = w.types;
        f += 2;
    }

    if (present & NGX_HTTP_RS_API_WEBHOOK_ENABLED) {
        ngx_str_set(&f[0], "enabled");
        ngx_str_set(&f[1], "0");
        f[1].data = (u_char *) (w.enabled ? "1" : "0");
        f += 2;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_set_got,
                             (void *) &ngx_http_rs_api_webhooks);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_webhook_patch(aop->op,
                                                 &api->caller, &api->id,
                                                 &version, (f - fields) / 2,
                                                 fields));
}


/* GET /webhooks */

ngx_int_t
ngx_http_rs_api_webhook_list(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_set_list(api, &ngx_http_rs_api_webhooks);
}


/* GET /webhooks/{id} */

ngx_int_t
ngx_http_rs_api_webhook_get(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_set_get(api, &ngx_http_rs_api_webhooks);
}


/* DELETE /webhooks/{id} */

ngx_int_t
ngx_http_rs_api_webhook_delete(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_set_delete(api, &ngx_http_rs_api_webhooks);
}
