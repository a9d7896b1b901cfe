
/*
 * Copyright (C) rs-gateway contributors
 *
 * Groups of devices: grants name them, and each may name a policy.
 */


#include "ngx_http_rs_api_internal.h"


typedef struct {
    rs_str_t    name;
    rs_str_t    policy;
} ngx_http_rs_api_group_body_t;


static ngx_int_t ngx_http_rs_api_group_put(ngx_http_rs_api_t *api,
    ngx_http_rs_store_group_t *g);
static ngx_int_t ngx_http_rs_api_group_created(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_group_changes(ngx_http_rs_api_t *api,
    ngx_str_t *fields, ngx_uint_t *n);


#define NGX_HTTP_RS_API_POLICY_NAME                                          \
    "a policy's name, 1 to 32 of a-z, 0-9 and -"

static const rs_json_field_t  ngx_http_rs_api_group_new[] = {
    { "name", RS_JSON_STRING, RS_JSON_REQUIRED, 1, NGX_HTTP_RS_API_NAME_MAX,
      offsetof(ngx_http_rs_api_group_body_t, name), NULL, NULL, NULL },
    { "policy", RS_JSON_STRING, 0, 1, RS_TENANT_MAX,
      offsetof(ngx_http_rs_api_group_body_t, policy),
      NULL, rs_tenant_check, NGX_HTTP_RS_API_POLICY_NAME }
};

static const rs_json_field_t  ngx_http_rs_api_group_patch_fields[] = {
    { "name", RS_JSON_STRING, 0, 1, NGX_HTTP_RS_API_NAME_MAX,
      offsetof(ngx_http_rs_api_group_body_t, name), NULL, NULL, NULL },
    { "policy", RS_JSON_STRING, RS_JSON_NULL, 1, RS_TENANT_MAX,
      offsetof(ngx_http_rs_api_group_body_t, policy),
      NULL, rs_tenant_check, NGX_HTTP_RS_API_POLICY_NAME }
};

#define NGX_HTTP_RS_API_GROUP_FIELDS                                         \
    NGX_HTTP_RS_API_N(ngx_http_rs_api_group_patch_fields)

/* bits of the latter */

#define NGX_HTTP_RS_API_GROUP_NAME    0x1
#define NGX_HTTP_RS_API_GROUP_POLICY  0x2


static const ngx_http_rs_api_field_t  ngx_http_rs_api_group_obj[] = {
    { "name", ngx_http_rs_api_text },
    { "policy", ngx_http_rs_api_text },
    { "created_at", ngx_http_rs_api_number },
    { NULL, NULL }
};

static const ngx_http_rs_api_set_t  ngx_http_rs_api_groups = {
    "/groups", "id", NGX_HTTP_RS_STORE_GROUPS, 1, ngx_http_rs_api_group_obj
};


/* POST /groups */

ngx_int_t
ngx_http_rs_api_group_create(ngx_http_rs_api_t *api)
{
    ngx_int_t                      rc;
    ngx_http_rs_store_group_t     *g;
    ngx_http_rs_api_group_body_t   body;

    g = ngx_pcalloc(api->request->pool, sizeof(ngx_http_rs_store_group_t));
    if (g == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&body, sizeof(body));

    rc = ngx_http_rs_api_read_body(api, ngx_http_rs_api_group_new,
                                NGX_HTTP_RS_API_N(ngx_http_rs_api_group_new),
                                &body, NULL, NULL);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_read_idem(api);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    if (ngx_http_rs_api_new_id(api->request->pool, RS_ID_GROUP, &g->id)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    g->name = ngx_http_rs_str(body.name);
    g->policy = ngx_http_rs_str(body.policy);
    g->idem = api->idem;
    g->body_hash = api->body_hash;

    return ngx_http_rs_api_group_put(api, g);
}


static ngx_int_t
ngx_http_rs_api_group_put(ngx_http_rs_api_t *api,
    ngx_http_rs_store_group_t *g)
{
    ngx_http_rs_api_op_t  *aop;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_group_created, g);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_group_create(aop->op,
                                                        &api->caller, g));
}


static ngx_int_t
ngx_http_rs_api_group_created(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_store_group_t *g = data;

    if (code == RS_OK && ngx_http_rs_api_set_again(reply, &g->id)) {
        return ngx_http_rs_api_group_put(api, g);
    }

    return ngx_http_rs_api_set_made(api, &ngx_http_rs_api_groups, code,
                                    reply);
}


/* n pairs of field and value; null clears (RFC 7396) */

static ngx_int_t
ngx_http_rs_api_group_changes(ngx_http_rs_api_t *api, ngx_str_t *fields,
    ngx_uint_t *n)
{
    uint32_t                      present, null_;
    ngx_int_t                     rc;
    ngx_str_t                    *f;
    ngx_http_rs_api_group_body_t  body;

    ngx_memzero(&body, sizeof(body));

    rc = ngx_http_rs_api_read_body(api, ngx_http_rs_api_group_patch_fields,
                                   NGX_HTTP_RS_API_GROUP_FIELDS, &body,
                                   &present, &null_);
    if (rc != NGX_OK) {
        return rc;
    }

    f = fields;

    if (present & NGX_HTTP_RS_API_GROUP_NAME) {
        ngx_str_set(&f[0], "name");
        f[1] = ngx_http_rs_str(body.name);
        f += 2;
    }

    if ((present | null_) & NGX_HTTP_RS_API_GROUP_POLICY) {
        ngx_str_set(&f[0], "policy");
        f[1] = ngx_http_rs_str(body.policy);
        f += 2;
    }

    *n = (f - fields) / 2;

    return NGX_OK;
}


/* GET /groups */

ngx_int_t
ngx_http_rs_api_group_list(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_set_list(api, &ngx_http_rs_api_groups);
}


/* GET /groups/{id} */

ngx_int_t
ngx_http_rs_api_group_get(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_set_get(api, &ngx_http_rs_api_groups);
}


/* PATCH /groups/{id} */

ngx_int_t
ngx_http_rs_api_group_patch(ngx_http_rs_api_t *api)
{
    ngx_int_t              rc;
    ngx_str_t              version;
    ngx_str_t              fields[2 * NGX_HTTP_RS_API_GROUP_FIELDS];
    ngx_uint_t             n;
    ngx_http_rs_api_op_t  *aop;

    n = 0;

    rc = ngx_http_rs_api_version(api, 1, &version);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_group_changes(api, fields, &n);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_set_got,
                             (void *) &ngx_http_rs_api_groups);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_group_patch(aop->op,
                                                 &api->caller, &api->id,
                                                 &version, n, fields));
}


/* DELETE /groups/{id} */

ngx_int_t
ngx_http_rs_api_group_delete(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_set_delete(api, &ngx_http_rs_api_groups);
}
