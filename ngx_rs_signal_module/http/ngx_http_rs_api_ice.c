
/*
 * Copyright (C) rs-gateway contributors
 *
 * ICE servers and TURN credentials for callers who bring their own
 * signalling: each call makes a session of kind "turn", so that a credential
 * can be told apart and revoked like any other.
 */


#include "ngx_http_rs_api_internal.h"


/* s: what was relayed is reported when it is over */
#define NGX_HTTP_RS_API_TURN_RETAIN  60


typedef struct {
    int64_t    ttl_s;
    int        relay_only;
} ngx_http_rs_api_ice_body_t;


static ngx_int_t ngx_http_rs_api_ice_start(ngx_http_rs_api_t *api,
    int64_t ttl, ngx_uint_t relay_only, ngx_http_rs_api_done_pt done);
static ngx_int_t ngx_http_rs_api_ice_made(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_turn_made(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply);


static const rs_json_field_t  ngx_http_rs_api_ice_fields[] = {
    { "ttl_s", RS_JSON_INT, 0, 1, NGX_MAX_INT32_VALUE,
      offsetof(ngx_http_rs_api_ice_body_t, ttl_s), NULL, NULL, NULL },
    { "relay_only", RS_JSON_BOOL, 0, 0, 0,
      offsetof(ngx_http_rs_api_ice_body_t, relay_only), NULL, NULL, NULL }
};


/* POST /ice */

ngx_int_t
ngx_http_rs_api_ice(ngx_http_rs_api_t *api)
{
    ngx_int_t                   rc;
    ngx_http_rs_api_ice_body_t  body;

    ngx_memzero(&body, sizeof(body));
    body.ttl_s = api->rlcf->turn_ttl;

    rc = ngx_http_rs_api_read_body(api, ngx_http_rs_api_ice_fields,
                               NGX_HTTP_RS_API_N(ngx_http_rs_api_ice_fields),
                               &body, NULL, NULL);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_check_ttl(api, body.ttl_s, api->rlcf->turn_ttl);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_read_idem(api);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    return ngx_http_rs_api_ice_start(api, body.ttl_s, body.relay_only,
                                     ngx_http_rs_api_ice_made);
}


/* GET /turn?service=turn */

ngx_int_t
ngx_http_rs_api_turn(ngx_http_rs_api_t *api)
{
    ngx_int_t              rc;
    ngx_http_rs_api_arg_t  arg;

    ngx_str_set(&arg.name, "service");
    ngx_str_null(&arg.value);

    rc = ngx_http_rs_api_read_args(api, &arg, 1);
    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    if (!rs_str_eq(ngx_http_rs_slice(&arg.value), RS_STR("turn"))) {
        return ngx_http_rs_api_fail(api, RS_E_BAD_REQUEST,
                                    "the query must be \"service=turn\"",
                                    NULL);
    }

    if (api->rlcf->turn == NULL) {
        return ngx_http_rs_api_fail(api, RS_E_NOT_FOUND,
                                    "no TURN server is configured here",
                                    NULL);
    }

    return ngx_http_rs_api_ice_start(api, api->rlcf->turn_ttl, 0,
                                     ngx_http_rs_api_turn_made);
}


static ngx_int_t
ngx_http_rs_api_ice_start(ngx_http_rs_api_t *api, int64_t ttl,
    ngx_uint_t relay_only, ngx_http_rs_api_done_pt done)
{
    ngx_str_t              key_id;
    ngx_http_request_t    *r;
    ngx_http_rs_ice_t     *ice;
    ngx_http_rs_api_op_t  *aop;

    r = api->request;

    ice = ngx_pcalloc(r->pool, sizeof(ngx_http_rs_ice_t));
    if (ice == NULL) {
        return NGX_ERROR;
    }

    ice->rlcf = api->rlcf;
    ice->tenant = api->caller.tenant;
    ice->relay_only = relay_only;
    ice->ttl = ttl;

    if (ngx_http_rs_ice_region(r, &ice->region) != NGX_OK
        || ngx_http_rs_api_new_id(r->pool, RS_ID_SESSION, &ice->session_id)
           != NGX_OK
        || ngx_http_rs_api_new_id(r->pool, RS_ID_PARTICIPANT,
                                  &ice->participant_id)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    api->ctx->session_id = ice->session_id;

    aop = ngx_http_rs_api_op(api, done, ice);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    ngx_str_null(&key_id);

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_turn_session(aop->op,
                                             &api->caller, &ice->session_id,
                                             &key_id, ice->ttl,
                                             NGX_HTTP_RS_API_TURN_RETAIN));
}


static ngx_int_t
ngx_http_rs_api_ice_made(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    ngx_http_rs_ice_t *ice = data;

    ngx_str_t  json;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    ice->until = ngx_rs_reply_int(reply, 2);

    if (ngx_http_rs_ice_json(api->request->pool, ice, &json) != NGX_OK) {
        return NGX_ERROR;
    }

    if (api->rlcf->turn) {
        ngx_http_rs_count(api->rmcf, NGX_HTTP_RS_STAT_ICE);
    }

    return ngx_http_rs_api_answer_text(api, &json);
}


static ngx_int_t
ngx_http_rs_api_turn_made(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    ngx_http_rs_ice_t *ice = data;

    json_t       *list;
    ngx_str_t     username, password, *uri;
    ngx_uint_t    i;
    ngx_array_t  *uris;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    ice->until = ngx_rs_reply_int(reply, 2);

    if (ngx_http_rs_ice_credential(api->request->pool, ice, &username,
                                   &password, &uris)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_rs_count(api->rmcf, NGX_HTTP_RS_STAT_ICE);

    list = json_array();

    api->json = json_pack("{s:o, s:o, s:I, s:o}",
                          "username", ngx_http_rs_api_text(username),
                          "password", ngx_http_rs_api_text(password),
                          "ttl", (json_int_t) ice->ttl, "uris", list);
    if (api->json == NULL) {
        return NGX_ERROR;
    }

    uri = uris->elts;

    for (i = 0; i < uris->nelts; i++) {
        if (json_array_append_new(list, ngx_http_rs_api_text(uri[i])) != 0) {
            return NGX_ERROR;
        }
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_OK, api->json);
}
