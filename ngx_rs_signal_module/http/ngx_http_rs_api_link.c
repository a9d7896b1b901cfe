
/*
 * Copyright (C) rs-gateway contributors
 *
 * Guest links: made for a session by who may let others in, changed for a
 * ticket by whoever has one, with its PIN where it has one.
 *
 * Who uses a link is nobody: what is wrong with it, its session or its PIN is
 * one answer, and that of a text which is no link at all.
 */


#include "ngx_http_rs_api_internal.h"
#include "rs_ws_handshake.h"


#define NGX_HTTP_RS_API_LINK_TTL   3600        /* s */
#define NGX_HTTP_RS_API_LINK_USES  100


typedef struct {
    int                             link;
    unsigned                        role;
    rs_str_t                        name;
    rs_str_t                        external_id;
    rs_str_t                        pin;
    int64_t                         ttl_s;
    int64_t                         max_uses;
} ngx_http_rs_api_link_body_t;


typedef struct {
    rs_str_t                        link;
    rs_str_t                        pin;
    rs_str_t                        name;
    rs_str_t                        origin;
} ngx_http_rs_api_join_body_t;


/* one link that is made, or used */

typedef struct {
    ngx_http_rs_store_link_t        l;
    ngx_http_rs_store_participant_t p;
    rs_str_t                        pin;
    rs_cred_t                       cred;
    ngx_str_t                       secret;        /* the link, the ticket */
    u_char                          pin_hash[RS_ID_HASH_LEN];
    ngx_uint_t                      renew;
} ngx_http_rs_api_link_t;


static ngx_int_t ngx_http_rs_api_link_read(ngx_http_rs_api_t *api,
    ngx_http_rs_api_link_t *link);
static ngx_int_t ngx_http_rs_api_link_secret(ngx_http_rs_api_t *api,
    ngx_http_rs_api_link_t *link);
static ngx_int_t ngx_http_rs_api_link_hashes(ngx_http_rs_api_link_t *link);
static ngx_int_t ngx_http_rs_api_link_created(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_link_again(ngx_http_rs_api_t *api,
    ngx_http_rs_api_link_t *link, ngx_str_t *id);
static ngx_int_t ngx_http_rs_api_link_listed(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_link_deleted(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_join_parse(ngx_http_rs_api_t *api,
    ngx_http_rs_api_join_body_t *body, ngx_http_rs_api_link_t *link);
static ngx_int_t ngx_http_rs_api_joined(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply);
static json_t *ngx_http_rs_api_link_json(ngx_rs_reply_t *obj);
static json_t *ngx_http_rs_api_link_flag(ngx_str_t s);


static const char *const  ngx_http_rs_api_link_roles[] =
    { "viewer", "controller", NULL };

static ngx_str_t  ngx_http_rs_api_link_role_names[] =
    { ngx_string("viewer"), ngx_string("controller") };


static const rs_json_field_t  ngx_http_rs_api_link_fields[] = {
    { "link", RS_JSON_BOOL, RS_JSON_REQUIRED, 0, 0,
      offsetof(ngx_http_rs_api_link_body_t, link), NULL, NULL, NULL },
    { "role", RS_JSON_ENUM, 0, 0, 0,
      offsetof(ngx_http_rs_api_link_body_t, role),
      ngx_http_rs_api_link_roles, NULL, NULL },
    { "name", RS_JSON_STRING, 0, 1, NGX_HTTP_RS_API_NAME_MAX,
      offsetof(ngx_http_rs_api_link_body_t, name), NULL, NULL, NULL },
    { "external_id", RS_JSON_STRING, 0, 1, NGX_HTTP_RS_API_NAME_MAX,
      offsetof(ngx_http_rs_api_link_body_t, external_id), NULL, NULL, NULL },
    { "pin", RS_JSON_STRING, 0, RS_PIN_MIN, RS_PIN_MAX,
      offsetof(ngx_http_rs_api_link_body_t, pin), NULL, rs_pin_check,
      "a PIN of 4 to 12 digits" },
    { "ttl_s", RS_JSON_INT, 0, 1, NGX_HTTP_RS_API_TICKET_TTL,
      offsetof(ngx_http_rs_api_link_body_t, ttl_s), NULL, NULL, NULL },
    { "max_uses", RS_JSON_INT, 0, 1, NGX_HTTP_RS_API_LINK_USES,
      offsetof(ngx_http_rs_api_link_body_t, max_uses), NULL, NULL, NULL }
};

static const rs_json_field_t  ngx_http_rs_api_join_fields[] = {
    { "link", RS_JSON_STRING, RS_JSON_REQUIRED, 1, 512,
      offsetof(ngx_http_rs_api_join_body_t, link), NULL, NULL, NULL },
    { "pin", RS_JSON_STRING, 0, 1, 64,
      offsetof(ngx_http_rs_api_join_body_t, pin), NULL, NULL, NULL },
    { "name", RS_JSON_STRING, 0, 1, NGX_HTTP_RS_API_NAME_MAX,
      offsetof(ngx_http_rs_api_join_body_t, name), NULL, NULL, NULL },
    { "origin", RS_JSON_STRING, 0, 1, RS_ORIGIN_MAX,
      offsetof(ngx_http_rs_api_join_body_t, origin),
      NULL, rs_ws_origin_check, "an origin, scheme://host[:port]" }
};

static const ngx_http_rs_api_field_t  ngx_http_rs_api_link_obj[] = {
    { "id", ngx_http_rs_api_text },
    { "role", ngx_http_rs_api_text },
    { "name", ngx_http_rs_api_text },
    { "external_id", ngx_http_rs_api_text },
    { "pin", ngx_http_rs_api_link_flag },
    { "locked", ngx_http_rs_api_link_flag },
    { "max_uses", ngx_http_rs_api_number },
    { "uses", ngx_http_rs_api_number },
    { "created_at", ngx_http_rs_api_number },
    { "expires_at", ngx_http_rs_api_number },
    { NULL, NULL }
};


/* POST /sessions/{id}/participants with "link" */

ngx_int_t
ngx_http_rs_api_link_create(ngx_http_rs_api_t *api)
{
    ngx_int_t                rc;
    ngx_http_rs_api_op_t    *aop;
    ngx_http_rs_api_link_t  *link;

    link = ngx_pcalloc(api->request->pool, sizeof(ngx_http_rs_api_link_t));
    if (link == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_rs_api_link_read(api, link);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_read_idem(api);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    link->l.idem = api->idem;
    link->l.body_hash = api->body_hash;
    api->ctx->session_id = api->id;

    if (ngx_http_rs_api_new_id(api->request->pool, RS_ID_LINK, &link->l.id)
        != NGX_OK
        || ngx_http_rs_api_link_secret(api, link) != NGX_OK)
    {
        return NGX_ERROR;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_link_created, link);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_link_create(aop->op,
                                                  &api->caller, &api->id,
                                                  &link->l));
}


static ngx_int_t
ngx_http_rs_api_link_read(ngx_http_rs_api_t *api,
    ngx_http_rs_api_link_t *link)
{
    ngx_int_t                    rc;
    ngx_http_rs_api_link_body_t  body;

    ngx_memzero(&body, sizeof(body));
    body.ttl_s = NGX_HTTP_RS_API_LINK_TTL;
    body.max_uses = 1;

    rc = ngx_http_rs_api_read_body(api, ngx_http_rs_api_link_fields,
                               NGX_HTTP_RS_API_N(ngx_http_rs_api_link_fields),
                               &body, NULL, NULL);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!body.link) {
        ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                             "link is true, or it is not there", "/link");
        return NGX_DECLINED;
    }

    if (rs_str_starts(body.external_id, RS_STR(RS_ID_USER))) {
        ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                             "must not be a user's id: a guest is none",
                             "/external_id");
        return NGX_DECLINED;
    }

    link->l.role = ngx_http_rs_api_link_role_names[body.role];
    link->l.name = ngx_http_rs_str(body.name);
    link->l.external_id = ngx_http_rs_str(body.external_id);
    link->l.ttl = body.ttl_s;
    link->l.max_uses = body.max_uses;
    link->l.ticket_ttl = api->rlcf->ticket_ttl;
    link->pin = body.pin;

    api->caller.also |= RS_VERB_BIT(RS_VERB_SESSIONS_INVITE)
                        | (body.role ? RS_VERB_BIT(RS_VERB_SESSIONS_CONTROL)
                                     : RS_VERB_BIT(RS_VERB_SESSIONS_VIEW));

    return NGX_OK;
}


/* a new secret of link->l.id and what the store keeps of it */

static ngx_int_t
ngx_http_rs_api_link_secret(ngx_http_rs_api_t *api,
    ngx_http_rs_api_link_t *link)
{
    char      secret[RS_ID_SECRET_LEN];
    rs_str_t  s;

    link->secret.data = ngx_pnalloc(api->request->pool, RS_ID_GUEST_MAX);

    if (link->secret.data == NULL
        || ngx_http_rs_api_new_secret(secret) != NGX_OK)
    {
        return NGX_ERROR;
    }

    s.data = (u_char *) secret;
    s.len = RS_ID_SECRET_LEN;

    link->secret.len = rs_guest_format((char *) link->secret.data,
                                       ngx_http_rs_slice(&api->caller.tenant),
                                       ngx_http_rs_slice(&api->id),
                                       ngx_http_rs_slice(&link->l.id), s);

    if (rs_guest_parse(ngx_http_rs_slice(&link->secret), &link->cred)
        != RS_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_link_hashes(link);
}


static ngx_int_t
ngx_http_rs_api_link_hashes(ngx_http_rs_api_link_t *link)
{
    link->l.secret_hash.data = (u_char *) link->cred.hash;
    link->l.secret_hash.len = RS_ID_HASH_LEN;

    if (link->pin.len == 0) {
        return NGX_OK;
    }

    if (rs_hash_pair(link->cred.secret, link->pin, (char *) link->pin_hash)
        != RS_OK)
    {
        return NGX_ERROR;
    }

    link->l.pin_hash.data = link->pin_hash;
    link->l.pin_hash.len = RS_ID_HASH_LEN;

    return NGX_OK;
}


/* of rs_link_create, or of rs_link_renew after it */

static ngx_int_t
ngx_http_rs_api_link_created(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_link_t *link = data;

    ngx_str_t        id, url;
    ngx_rs_reply_t  *obj;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    obj = ngx_rs_reply_at(reply, link->renew ? 1 : 2);

    if (!link->renew && ngx_rs_reply_count(obj) == 0) {
        id = ngx_rs_reply_str(reply, 2);

        return ngx_http_rs_api_link_again(api, link, &id);
    }

    api->json = ngx_http_rs_api_link_json(obj);

    if (ngx_http_rs_api_join_url(api, "guest", &link->secret, &url) != NGX_OK
        || json_object_set_new(api->json, "link",
                               ngx_http_rs_api_text(link->secret))
           != 0
        || json_object_set_new(api->json, "join_url",
                               ngx_http_rs_api_text(url))
           != 0)
    {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_CREATED, api->json);
}


/* the Idempotency-Key stands for this link */

static ngx_int_t
ngx_http_rs_api_link_again(ngx_http_rs_api_t *api,
    ngx_http_rs_api_link_t *link, ngx_str_t *id)
{
    ngx_http_rs_api_op_t  *aop;

    if (id->len != RS_ID_LEN) {
        return NGX_ERROR;
    }

    ngx_memcpy(link->l.id.data, id->data, RS_ID_LEN);
    link->renew = 1;

    if (ngx_http_rs_api_link_secret(api, link) != NGX_OK) {
        return NGX_ERROR;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_link_created, link);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_link_renew(aop->op,
                                                  &api->caller, &api->id,
                                                  &link->l));
}


/* GET /sessions/{id}/links */

ngx_int_t
ngx_http_rs_api_link_list(ngx_http_rs_api_t *api)
{
    ngx_http_rs_api_op_t  *aop;

    api->ctx->session_id = api->id;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_link_listed, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_link_list(aop->op,
                                                  &api->caller, &api->id));
}


static ngx_int_t
ngx_http_rs_api_link_listed(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    json_t          *items;
    ngx_uint_t       i;
    ngx_rs_reply_t  *list;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    list = ngx_rs_reply_at(reply, 1);
    items = json_array();

    for (i = 0; i < ngx_rs_reply_count(list); i++) {
        if (json_array_append_new(items,
                        ngx_http_rs_api_link_json(ngx_rs_reply_at(list, i)))
            != 0)
        {
            json_decref(items);
            return NGX_ERROR;
        }
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_OK,
                                  json_pack("{s:o, s:n}", "items", items,
                                            "next_cursor"));
}


/* DELETE /sessions/{id}/links/{link} */

ngx_int_t
ngx_http_rs_api_link_delete(ngx_http_rs_api_t *api)
{
    ngx_http_rs_api_op_t  *aop;

    api->ctx->session_id = api->id;

    if (rs_id_check(ngx_http_rs_slice(&api->username), RS_ID_LINK) != RS_OK) {
        return ngx_http_rs_api_fail(api, RS_E_NOT_FOUND, NULL, NULL);
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_link_deleted, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_link_delete(aop->op,
                                                  &api->caller, &api->id,
                                                  &api->username));
}


static ngx_int_t
ngx_http_rs_api_link_deleted(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_NO_CONTENT, NULL);
}


/* POST /join */

ngx_int_t
ngx_http_rs_api_join(ngx_http_rs_api_t *api)
{
    ngx_int_t                    rc;
    ngx_str_t                    session_id;
    ngx_http_rs_api_op_t        *aop;
    ngx_http_rs_api_link_t      *link;
    ngx_http_rs_api_join_body_t  body;

    ngx_memzero(&body, sizeof(body));

    link = ngx_pcalloc(api->request->pool, sizeof(ngx_http_rs_api_link_t));
    if (link == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_rs_api_read_body(api, ngx_http_rs_api_join_fields,
                               NGX_HTTP_RS_API_N(ngx_http_rs_api_join_fields),
                               &body, NULL, NULL);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_join_parse(api, &body, link);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    session_id = ngx_http_rs_str(link->cred.session_id);
    api->ctx->session_id = session_id;

    if (ngx_http_rs_api_new_id(api->request->pool, RS_ID_PARTICIPANT,
                               &link->p.id)
        != NGX_OK
        || ngx_http_rs_api_ticket(api, &session_id, &link->p, &link->secret)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_joined, link);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_link_use(aop->op,
                                                  &api->caller, &session_id,
                                                  &link->l, &link->p));
}


/* NGX_DECLINED: the answer is set */

static ngx_int_t
ngx_http_rs_api_join_parse(ngx_http_rs_api_t *api,
    ngx_http_rs_api_join_body_t *body, ngx_http_rs_api_link_t *link)
{
    ngx_int_t  rc;
    ngx_str_t  tenant;

    rc = ngx_http_rs_api_tenant(api, &tenant);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc != NGX_OK
        || rs_guest_parse(body->link, &link->cred) != RS_OK
        || (tenant.len
            && !rs_str_eq(ngx_http_rs_slice(&tenant), link->cred.tenant)))
    {
        ngx_http_rs_api_fail(api, RS_E_LINK_INVALID, NULL, "/link");
        return NGX_DECLINED;
    }

    link->l.id = ngx_http_rs_str(link->cred.link_id);
    link->pin = body->pin;

    link->p.name = ngx_http_rs_str(body->name);
    link->p.origin = ngx_http_rs_str(body->origin);

    if (link->p.origin.len == 0) {
        link->p.origin = ngx_http_rs_api_origin(api);
    }

    ngx_http_rs_caller_self(&api->caller, &(ngx_str_t) {
                                link->cred.tenant.len,
                                (u_char *) link->cred.tenant.data });

    api->caller.addr = api->request->connection->addr_text;
    api->caller.rid = api->ctx->request_id;
    api->ctx->tenant = api->caller.tenant;

    return ngx_http_rs_api_link_hashes(link);
}


static ngx_int_t
ngx_http_rs_api_joined(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_link_t *link = data;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL,
                                    (code == RS_E_LINK_INVALID) ? "/link"
                                    : (code == RS_E_PIN_REQUIRED) ? "/pin"
                                    : NULL);
    }

    api->json = ngx_http_rs_api_guest_json(api, ngx_rs_reply_at(reply, 1),
                                           &link->secret,
                                           ngx_rs_reply_int(reply, 2));

    return ngx_http_rs_api_answer(api, NGX_HTTP_CREATED, api->json);
}


/* NULL: no memory */

static json_t *
ngx_http_rs_api_link_json(ngx_rs_reply_t *obj)
{
    json_t  *json;

    json = json_object();

    if (ngx_http_rs_api_fields(json, obj, ngx_http_rs_api_link_obj)
        != NGX_OK)
    {
        json_decref(json);
        return NULL;
    }

    return json;
}


static json_t *
ngx_http_rs_api_link_flag(ngx_str_t s)
{
    return json_boolean(s.len == 1 && s.data[0] == '1');
}
