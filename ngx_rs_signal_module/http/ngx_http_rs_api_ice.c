
/*
 * Copyright (C) rs-gateway contributors
 *
 * ICE servers and TURN credentials for callers who bring their own
 * signalling: each call makes a session of kind "turn", so that a credential
 * can be told apart and revoked like any other.  There are three shapes of
 * the answer: our own, that of draft-uberti-behave-turn-rest, and that of
 * Cloudflare's TURN service, whose clients need another base URL only.
 */


#include "ngx_http_rs_api_internal.h"


/* s: what was relayed is reported when it is over */
#define NGX_HTTP_RS_API_TURN_RETAIN  60


typedef struct {
    int64_t    ttl_s;
    int        relay_only;
} ngx_http_rs_api_ice_body_t;


typedef struct {
    int64_t    ttl;
    rs_str_t   custom_identifier;
} ngx_http_rs_api_generate_body_t;


/* what a session of kind turn is made of; the rest is of the call */

typedef struct {
    int64_t      ttl;
    ngx_uint_t   relay_only;
    ngx_str_t    key_id;                       /* must be the caller's */
    ngx_str_t    external_id;
} ngx_http_rs_api_ice_t;


static ngx_int_t ngx_http_rs_api_ice_start(ngx_http_rs_api_t *api,
    ngx_http_rs_api_ice_t *what, ngx_http_rs_api_done_pt done);
static ngx_int_t ngx_http_rs_api_turn_none(ngx_http_rs_api_t *api);
static ngx_int_t ngx_http_rs_api_turn_generated(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static json_t *ngx_http_rs_api_turn_servers(ngx_http_rs_api_t *api,
    ngx_str_t username, ngx_str_t password, ngx_array_t *uris);
static ngx_int_t ngx_http_rs_api_turn_revoked(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
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


static const rs_json_field_t  ngx_http_rs_api_generate_fields[] = {
    { "ttl", RS_JSON_INT, 0, 1, NGX_MAX_INT32_VALUE,
      offsetof(ngx_http_rs_api_generate_body_t, ttl), NULL, NULL, NULL },
    { "customIdentifier", RS_JSON_STRING, 0, 1, NGX_HTTP_RS_API_NAME_MAX,
      offsetof(ngx_http_rs_api_generate_body_t, custom_identifier),
      NULL, NULL, NULL }
};


/* POST /ice */

ngx_int_t
ngx_http_rs_api_ice(ngx_http_rs_api_t *api)
{
    ngx_int_t                   rc;
    ngx_http_rs_api_ice_t       what;
    ngx_http_rs_api_ice_body_t  body;

    ngx_memzero(&body, sizeof(body));
    body.ttl_s = api->rlcf->turn_ttl;

    rc = ngx_http_rs_api_read_body(api, ngx_http_rs_api_ice_fields,
                               NGX_HTTP_RS_API_N(ngx_http_rs_api_ice_fields),
                               &body, NULL, NULL);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_check_ttl(api, "/ttl_s", body.ttl_s,
                                       api->rlcf->turn_ttl);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_read_idem(api);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    ngx_memzero(&what, sizeof(what));
    what.ttl = body.ttl_s;
    what.relay_only = body.relay_only;

    return ngx_http_rs_api_ice_start(api, &what, ngx_http_rs_api_ice_made);
}


/* GET /turn?service=turn */

ngx_int_t
ngx_http_rs_api_turn(ngx_http_rs_api_t *api)
{
    ngx_int_t              rc;
    ngx_http_rs_api_arg_t  arg;
    ngx_http_rs_api_ice_t  what;

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
        return ngx_http_rs_api_turn_none(api);
    }

    ngx_memzero(&what, sizeof(what));
    what.ttl = api->rlcf->turn_ttl;

    return ngx_http_rs_api_ice_start(api, &what, ngx_http_rs_api_turn_made);
}


static ngx_int_t
ngx_http_rs_api_turn_none(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_fail(api, RS_E_NOT_FOUND,
                                "no TURN server is configured here", NULL);
}


static ngx_int_t
ngx_http_rs_api_ice_start(ngx_http_rs_api_t *api,
    ngx_http_rs_api_ice_t *what, ngx_http_rs_api_done_pt done)
{
    ngx_uint_t             max_sessions;
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
    ice->relay_only = what->relay_only;
    ice->ttl = what->ttl;

    if (ngx_http_rs_api_quota(api, api->rlcf->max_sessions, &max_sessions)
        != NGX_OK
        || ngx_http_rs_ice_region(r, &ice->region) != NGX_OK
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

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_turn_session(aop->op,
                                             &api->caller, &ice->session_id,
                                             &what->key_id, ice->ttl,
                                             NGX_HTTP_RS_API_TURN_RETAIN,
                                             &what->external_id,
                                             max_sessions));
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


/* POST /turn/keys/{id}/credentials/generate-ice-servers */

ngx_int_t
ngx_http_rs_api_turn_generate(ngx_http_rs_api_t *api)
{
    ngx_int_t                        rc;
    ngx_http_rs_api_ice_t            what;
    ngx_http_rs_api_generate_body_t  body;

    ngx_memzero(&body, sizeof(body));
    body.ttl = api->rlcf->turn_ttl;

    rc = ngx_http_rs_api_read_body(api, ngx_http_rs_api_generate_fields,
                          NGX_HTTP_RS_API_N(ngx_http_rs_api_generate_fields),
                          &body, NULL, NULL);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_check_ttl(api, "/ttl", body.ttl,
                                       api->rlcf->turn_ttl);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_read_idem(api);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    if (api->rlcf->turn == NULL) {
        return ngx_http_rs_api_turn_none(api);
    }

    ngx_memzero(&what, sizeof(what));
    what.ttl = body.ttl;
    what.key_id = api->id;
    what.external_id = ngx_http_rs_str(body.custom_identifier);

    return ngx_http_rs_api_ice_start(api, &what,
                                     ngx_http_rs_api_turn_generated);
}


static ngx_int_t
ngx_http_rs_api_turn_generated(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_ice_t *ice = data;

    ngx_str_t     username, password;
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

    return ngx_http_rs_api_answer(api, NGX_HTTP_CREATED,
                                  ngx_http_rs_api_turn_servers(api, username,
                                                       password, uris));
}


/* STUN, if there is any, then all of TURN in one; NULL: no memory */

static json_t *
ngx_http_rs_api_turn_servers(ngx_http_rs_api_t *api, ngx_str_t username,
    ngx_str_t password, ngx_array_t *uris)
{
    json_t      *list, *stun, *turn;
    rs_str_t    *url;
    ngx_str_t   *uri;
    ngx_uint_t   i;

    list = json_array();
    stun = json_array();
    turn = json_array();

    uri = uris->elts;

    for (i = 0; i < uris->nelts; i++) {
        if (json_array_append_new(turn, ngx_http_rs_api_text(uri[i])) != 0) {
            goto failed;
        }
    }

    if (api->rlcf->stun) {
        url = api->rlcf->stun->elts;

        for (i = 0; i < api->rlcf->stun->nelts; i++) {
            if (json_array_append_new(stun, json_stringn((char *) url[i].data,
                                                         url[i].len))
                != 0)
            {
                goto failed;
            }
        }
    }

    if ((json_array_size(stun)
         && json_array_append_new(list, json_pack("{s:O}", "urls", stun))
            != 0)
        || json_array_append_new(list,
                                 json_pack("{s:O, s:o, s:o}", "urls", turn,
                                           "username",
                                           ngx_http_rs_api_text(username),
                                           "credential",
                                           ngx_http_rs_api_text(password)))
           != 0)
    {
        goto failed;
    }

    json_decref(stun);
    json_decref(turn);

    return json_pack("{s:o}", "iceServers", list);

failed:

    json_decref(stun);
    json_decref(turn);
    json_decref(list);

    return NULL;
}


/* POST /turn/keys/{id}/credentials/{username}/revoke */

ngx_int_t
ngx_http_rs_api_turn_revoke(ngx_http_rs_api_t *api)
{
    ngx_str_t              session_id, participant_id;
    rs_turn_user_t         user;
    ngx_http_rs_api_op_t  *aop;

    /* what is no user name of ours, or another tenant's, names nothing */

    if (rs_turn_user_parse(ngx_http_rs_slice(&api->username), &user) != RS_OK
        || !rs_str_eq(user.tenant, ngx_http_rs_slice(&api->caller.tenant)))
    {
        return ngx_http_rs_api_fail(api, RS_E_NOT_FOUND, NULL, NULL);
    }

    session_id = ngx_http_rs_str(user.session_id);
    participant_id = ngx_http_rs_str(user.participant_id);

    api->ctx->session_id = session_id;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_turn_revoked, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_turn_revoke(aop->op,
                                             &api->caller, &session_id,
                                             &api->id, &participant_id,
                                             RS_VERB_SESSIONS_WRITE));
}


static ngx_int_t
ngx_http_rs_api_turn_revoked(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_NO_CONTENT, NULL);
}
