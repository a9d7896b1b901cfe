
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the small objects that a tenant sets up (groups, policies, grants, API
 * keys) have in common: pages, one object, its removal, and answers made of
 * what the store says.
 */


#include "ngx_http_rs_api_internal.h"


static ngx_int_t ngx_http_rs_api_set_page(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_set_etag(ngx_http_rs_api_t *api,
    const ngx_http_rs_api_set_t *set, ngx_rs_reply_t *obj);
static json_t *ngx_http_rs_api_set_json(const ngx_http_rs_api_set_t *set,
    ngx_rs_reply_t *obj);


ngx_int_t
ngx_http_rs_api_set_list(ngx_http_rs_api_t *api,
    const ngx_http_rs_api_set_t *set)
{
    uint64_t                n;
    ngx_int_t               rc;
    ngx_http_rs_api_op_t   *aop;
    ngx_http_rs_api_arg_t   args[2];

    n = 0;
    ngx_memzero(args, sizeof(args));
    ngx_str_set(&args[0].name, "limit");
    ngx_str_set(&args[1].name, "cursor");

    rc = ngx_http_rs_api_read_args(api, args, 2);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_limit(api, &args[0].value, &n);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_cursor(api, &args[1].value);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_set_page, (void *) set);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_set_list(aop->op,
                                             &api->caller, set->set,
                                             &args[1].value, n));
}


static ngx_int_t
ngx_http_rs_api_set_page(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    const ngx_http_rs_api_set_t *set = data;

    json_t          *items;
    ngx_uint_t       i;
    ngx_rs_reply_t  *list;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    items = json_array();
    list = ngx_rs_reply_at(reply, 2);

    api->json = json_pack("{s:o, s:o}", "items", items, "next_cursor",
                          ngx_http_rs_api_text(ngx_rs_reply_str(reply, 1)));
    if (api->json == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < ngx_rs_reply_count(list); i++) {

        if (json_array_append_new(items,
                                  ngx_http_rs_api_set_json(set,
                                                 ngx_rs_reply_at(list, i)))
            != 0)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_OK, api->json);
}


ngx_int_t
ngx_http_rs_api_set_get(ngx_http_rs_api_t *api,
    const ngx_http_rs_api_set_t *set)
{
    ngx_http_rs_api_op_t  *aop;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_set_got, (void *) set);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop, ngx_http_rs_store_set_get(aop->op,
                                             &api->caller, set->set,
                                             &api->id));
}


ngx_int_t
ngx_http_rs_api_set_got(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    const ngx_http_rs_api_set_t *set = data;

    ngx_rs_reply_t  *obj;

    if (code != RS_OK) {
        return ngx_http_rs_api_missing(api, code, reply);
    }

    obj = ngx_rs_reply_at(reply, 1);

    if (ngx_http_rs_api_set_etag(api, set, obj) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_OK,
                                  ngx_http_rs_api_set_json(set, obj));
}


ngx_int_t
ngx_http_rs_api_set_delete(ngx_http_rs_api_t *api,
    const ngx_http_rs_api_set_t *set)
{
    ngx_http_rs_api_op_t  *aop;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_set_deleted, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop, ngx_http_rs_store_set_delete(aop->op,
                                             &api->caller, set->set,
                                             &api->id));
}


ngx_int_t
ngx_http_rs_api_set_deleted(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    if (code == RS_E_CONFLICT) {
        return ngx_http_rs_api_fail(api, code,
                                    "it is in use: a group as long as it has "
                                    "devices, a policy as long as a group "
                                    "names it", NULL);
    }

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_NO_CONTENT, NULL);
}


ngx_int_t
ngx_http_rs_api_set_made(ngx_http_rs_api_t *api,
    const ngx_http_rs_api_set_t *set, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_str_t        id;
    ngx_rs_reply_t  *obj;

    if (code != RS_OK) {
        return ngx_http_rs_api_missing(api, code, reply);
    }

    obj = ngx_rs_reply_at(reply, 2);
    id = ngx_rs_reply_field(obj, "id");

    if (ngx_http_rs_api_location(api, set->collection, &id) != NGX_OK
        || ngx_http_rs_api_set_etag(api, set, obj) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_CREATED,
                                  ngx_http_rs_api_set_json(set, obj));
}


/* what the body names is not there: the store says which of its fields */

ngx_int_t
ngx_http_rs_api_missing(ngx_http_rs_api_t *api, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    ngx_str_t  what;

    if (code == RS_E_NOT_FOUND && ngx_rs_reply_count(reply) > 1) {

        what = ngx_rs_reply_str(reply, 1);

        if (rs_str_eq(ngx_http_rs_slice(&what), RS_STR("policy"))) {
            return ngx_http_rs_api_fail(api, code, "there is no such policy",
                                        "/policy");
        }

        return ngx_http_rs_api_fail(api, code, "there is no such group",
                                    "/group_id");
    }

    return ngx_http_rs_api_fail(api, code, NULL, NULL);
}


ngx_uint_t
ngx_http_rs_api_set_again(ngx_rs_reply_t *reply, ngx_str_t *id)
{
    ngx_str_t  first;

    first = ngx_rs_reply_str(reply, 2);

    if (ngx_rs_reply_count(ngx_rs_reply_at(reply, 2)) != 0
        || first.len != id->len)
    {
        return 0;
    }

    ngx_memcpy(id->data, first.data, id->len);

    return 1;
}


static ngx_int_t
ngx_http_rs_api_set_etag(ngx_http_rs_api_t *api,
    const ngx_http_rs_api_set_t *set, ngx_rs_reply_t *obj)
{
    ngx_str_t  version;

    if (!set->versioned) {
        return NGX_OK;
    }

    version = ngx_rs_reply_field(obj, "version");

    return ngx_http_rs_api_etag(api, &version);
}


/* NULL: no memory */

static json_t *
ngx_http_rs_api_set_json(const ngx_http_rs_api_set_t *set,
    ngx_rs_reply_t *obj)
{
    json_t  *json;

    json = json_object();

    if (json_object_set_new(json, set->id,
                       ngx_http_rs_api_text(ngx_rs_reply_field(obj, "id")))
        != 0
        || ngx_http_rs_api_fields(json, obj, set->fields) != NGX_OK)
    {
        json_decref(json);
        return NULL;
    }

    return json;
}
