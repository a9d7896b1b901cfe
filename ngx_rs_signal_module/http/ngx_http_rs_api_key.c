
/*
 * Copyright (C) rs-gateway contributors
 *
 * API keys.  Each is kept as a hash and shown once, by the call that makes it;
 * it never has a scope that its maker has not.
 */


#include "ngx_http_rs_api_internal.h"


#define NGX_HTTP_RS_API_KEY_TTL  315360000     /* s, ten years */


typedef struct {
    rs_str_t    name;
    json_t     *scopes;
    int         granted;
    int64_t     ttl_s;
} ngx_http_rs_api_key_body_t;


typedef struct {
    rs_str_t    token;
    rs_str_t    name;
} ngx_http_rs_api_once_body_t;


/* one POST /keys, /bootstrap or /login */

typedef struct {
    ngx_http_rs_store_api_key_t     k;
    ngx_str_t                   text;          /* the key itself */
    rs_cred_t                   cred;
} ngx_http_rs_api_new_key_t;


static ngx_int_t ngx_http_rs_api_key_read(ngx_http_rs_api_t *api,
    ngx_http_rs_store_api_key_t *k);
static ngx_http_rs_api_new_key_t *ngx_http_rs_api_key_once(
    ngx_http_rs_api_t *api, const rs_json_field_t *fields, size_t n,
    rs_err_e (*parse)(rs_str_t s, rs_cred_t *c), ngx_int_t *rc);
static ngx_int_t ngx_http_rs_api_key_secret(ngx_http_rs_api_t *api,
    ngx_http_rs_api_new_key_t *key);
static ngx_int_t ngx_http_rs_api_key_created(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_key_found(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);


static const rs_json_field_t  ngx_http_rs_api_key_fields[] = {
    { "name", RS_JSON_STRING, RS_JSON_REQUIRED, 1, NGX_HTTP_RS_API_NAME_MAX,
      offsetof(ngx_http_rs_api_key_body_t, name), NULL, NULL, NULL },
    { "scopes", RS_JSON_ARRAY, RS_JSON_REQUIRED, 1, RS_VERB_N,
      offsetof(ngx_http_rs_api_key_body_t, scopes), NULL, NULL, NULL },
    { "granted", RS_JSON_BOOL, 0, 0, 0,
      offsetof(ngx_http_rs_api_key_body_t, granted), NULL, NULL, NULL },
    { "ttl_s", RS_JSON_INT, 0, 1, NGX_HTTP_RS_API_KEY_TTL,
      offsetof(ngx_http_rs_api_key_body_t, ttl_s), NULL, NULL, NULL }
};

static const rs_json_field_t  ngx_http_rs_api_bootstrap_fields[] = {
    { "token", RS_JSON_STRING, RS_JSON_REQUIRED, 1, 512,
      offsetof(ngx_http_rs_api_once_body_t, token), NULL, NULL, NULL },
    { "name", RS_JSON_STRING, RS_JSON_REQUIRED, 1, NGX_HTTP_RS_API_NAME_MAX,
      offsetof(ngx_http_rs_api_once_body_t, name), NULL, NULL, NULL }
};

static const rs_json_field_t  ngx_http_rs_api_login_fields[] = {
    { "token", RS_JSON_STRING, RS_JSON_REQUIRED, 1, 512,
      offsetof(ngx_http_rs_api_once_body_t, token), NULL, NULL, NULL }
};

static const ngx_http_rs_api_field_t  ngx_http_rs_api_key_obj[] = {
    { "name", ngx_http_rs_api_text },
    { "scopes", ngx_http_rs_api_words },
    { "granted", ngx_http_rs_api_flag },
    { "created_at", ngx_http_rs_api_number },
    { "expires_at", ngx_http_rs_api_number },
    { NULL, NULL }
};

static const ngx_http_rs_api_set_t  ngx_http_rs_api_keys = {
    "/keys", "id", NGX_HTTP_RS_STORE_KEYS, 0, ngx_http_rs_api_key_obj
};


/* POST /keys */

ngx_int_t
ngx_http_rs_api_key_create(ngx_http_rs_api_t *api)
{
    ngx_int_t                   rc;
    ngx_http_rs_api_op_t       *aop;
    ngx_http_rs_api_new_key_t  *key;

    key = ngx_pcalloc(api->request->pool, sizeof(ngx_http_rs_api_new_key_t));
    if (key == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_rs_api_key_read(api, &key->k);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_read_idem(api);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    key->k.idem = api->idem;
    key->k.body_hash = api->body_hash;

    if (ngx_http_rs_api_new_id(api->request->pool, RS_ID_KEY, &key->k.id)
        != NGX_OK
        || ngx_http_rs_api_key_secret(api, key) != NGX_OK)
    {
        return NGX_ERROR;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_key_created, key);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_key_create(aop->op,
                                                    &api->caller, &key->k));
}


static ngx_int_t
ngx_http_rs_api_key_read(ngx_http_rs_api_t *api,
    ngx_http_rs_store_api_key_t *k)
{
    ngx_int_t                   rc;
    ngx_http_rs_api_key_body_t  body;

    ngx_memzero(&body, sizeof(body));

    rc = ngx_http_rs_api_read_body(api, ngx_http_rs_api_key_fields,
                               NGX_HTTP_RS_API_N(ngx_http_rs_api_key_fields),
                               &body, NULL, NULL);
    if (rc != NGX_OK) {
        return rc;
    }

    k->name = ngx_http_rs_str(body.name);
    k->granted = body.granted;
    k->expires_at = body.ttl_s ? ngx_time() + body.ttl_s : 0;

    return ngx_http_rs_api_read_verbs(api, body.scopes, "/scopes",
                                      RS_VERBS_ALL, &k->scopes);
}


/* a new one, and what the store keeps of it */

static ngx_int_t
ngx_http_rs_api_key_secret(ngx_http_rs_api_t *api,
    ngx_http_rs_api_new_key_t *key)
{
    char      secret[RS_ID_SECRET_LEN];
    rs_str_t  s;

    key->text.data = ngx_pnalloc(api->request->pool, RS_ID_API_KEY_MAX);

    if (key->text.data == NULL
        || ngx_http_rs_api_new_secret(secret) != NGX_OK)
    {
        return NGX_ERROR;
    }

    s.data = (u_char *) secret;
    s.len = RS_ID_SECRET_LEN;

    key->text.len = rs_api_key_format((char *) key->text.data,
                                      ngx_http_rs_slice(&api->caller.tenant),
                                      s);

    ngx_explicit_memzero(secret, sizeof(secret));

    if (rs_api_key_parse(ngx_http_rs_slice(&key->text), &key->cred) != RS_OK)
    {
        return NGX_ERROR;
    }

    key->k.hash.data = (u_char *) key->cred.hash;
    key->k.hash.len = RS_ID_HASH_LEN;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rs_api_key_created(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_new_key_t *key = data;

    ngx_int_t  rc;
    ngx_str_t  what;

    if (code == RS_OK) {
        what = ngx_rs_reply_str(reply, 1);

        if (rs_str_eq(ngx_http_rs_slice(&what), RS_STR("repeated"))) {
            return ngx_http_rs_api_fail(api, RS_E_CONFLICT,
                                        "this Idempotency-Key made a key "
                                        "before, which was shown then; delete "
                                        "that one and make another", NULL);
        }
    }

    rc = ngx_http_rs_api_set_made(api, &ngx_http_rs_api_keys, code, reply);

    if (rc != NGX_OK || code != RS_OK) {
        return rc;
    }

    if (json_object_set_new(api->json, "key",
                            ngx_http_rs_api_text(key->text))
        != 0)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* POST /bootstrap: a tenant's first key, by a token that rs-key has made */

ngx_int_t
ngx_http_rs_api_bootstrap(ngx_http_rs_api_t *api)
{
    ngx_int_t                   rc;
    ngx_str_t                   hash;
    ngx_http_rs_api_op_t       *aop;
    ngx_http_rs_api_new_key_t  *key;

    key = ngx_http_rs_api_key_once(api, ngx_http_rs_api_bootstrap_fields,
                        NGX_HTTP_RS_API_N(ngx_http_rs_api_bootstrap_fields),
                        rs_bootstrap_parse, &rc);

    if (key == NULL) {
        return rc;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_key_created, key);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    hash.data = (u_char *) api->key.hash;
    hash.len = RS_ID_HASH_LEN;

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_bootstrap(aop->op,
                                                    &api->caller, &hash,
                                                    &key->k));
}


/* POST /login: a key for a while, by a link that "rsctl login-link" has made */

ngx_int_t
ngx_http_rs_api_login(ngx_http_rs_api_t *api)
{
    ngx_int_t                   rc;
    ngx_str_t                   hash;
    ngx_http_rs_api_op_t       *aop;
    ngx_http_rs_api_new_key_t  *key;

    key = ngx_http_rs_api_key_once(api, ngx_http_rs_api_login_fields,
                            NGX_HTTP_RS_API_N(ngx_http_rs_api_login_fields),
                            rs_login_parse, &rc);

    if (key == NULL) {
        return rc;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_key_created, key);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    hash.data = (u_char *) api->key.hash;
    hash.len = RS_ID_HASH_LEN;

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_login(aop->op, &api->caller,
                                                        &hash, &key->k));
}


/*
 * A key to be made for who shows a token in the body and is nobody else: the
 * caller is its tenant's, api->key has its hash.  NULL: *rc is what to return.
 */

static ngx_http_rs_api_new_key_t *
ngx_http_rs_api_key_once(ngx_http_rs_api_t *api,
    const rs_json_field_t *fields, size_t n,
    rs_err_e (*parse)(rs_str_t s, rs_cred_t *c), ngx_int_t *rc)
{
    ngx_str_t                    tenant;
    ngx_http_rs_api_new_key_t   *key;
    ngx_http_rs_api_once_body_t  body;

    ngx_memzero(&body, sizeof(body));

    *rc = ngx_http_rs_api_read_body(api, fields, n, &body, NULL, NULL);

    if (*rc != NGX_OK) {
        *rc = (*rc == NGX_DECLINED) ? NGX_OK : *rc;
        return NULL;
    }

    *rc = ngx_http_rs_api_tenant(api, &tenant);

    if (*rc == NGX_ERROR) {
        return NULL;
    }

    if (*rc != NGX_OK || parse(body.token, &api->key) != RS_OK
        || (tenant.len
            && !rs_str_eq(ngx_http_rs_slice(&tenant), api->key.tenant)))
    {
        *rc = ngx_http_rs_api_fail(api, RS_E_UNAUTHENTICATED, NULL, NULL);
        return NULL;
    }

    *rc = NGX_ERROR;

    key = ngx_pcalloc(api->request->pool, sizeof(ngx_http_rs_api_new_key_t));
    if (key == NULL) {
        return NULL;
    }

    tenant = ngx_http_rs_str(api->key.tenant);
    ngx_http_rs_caller_self(&api->caller, &tenant);

    api->caller.addr = api->request->connection->addr_text;
    api->caller.rid = api->ctx->request_id;
    api->ctx->tenant = tenant;

    key->k.name = ngx_http_rs_str(body.name);

    if (ngx_http_rs_api_new_id(api->request->pool, RS_ID_KEY, &key->k.id)
        != NGX_OK
        || ngx_http_rs_api_key_secret(api, key) != NGX_OK)
    {
        return NULL;
    }

    return key;
}


/* GET /keys */

ngx_int_t
ngx_http_rs_api_key_list(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_set_list(api, &ngx_http_rs_api_keys);
}


/* GET /keys/{id} */

ngx_int_t
ngx_http_rs_api_key_get(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_set_get(api, &ngx_http_rs_api_keys);
}


/* DELETE /keys/{id}: its record is found by a hash, so that is asked for */

ngx_int_t
ngx_http_rs_api_key_delete(ngx_http_rs_api_t *api)
{
    ngx_http_rs_api_op_t  *aop;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_key_found, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_set_get(aop->op,
                                                     &api->caller,
                                                     NGX_HTTP_RS_STORE_KEYS,
                                                     &api->id));
}


static ngx_int_t
ngx_http_rs_api_key_found(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    ngx_str_t              hash;
    ngx_http_rs_api_op_t  *aop;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    hash = ngx_rs_reply_str(reply, 2);

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_set_deleted, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_key_revoke(aop->op,
                                                 &api->caller, &api->id,
                                                 &hash));
}
