
/*
 * Copyright (C) rs-gateway contributors
 *
 * Participants who are asked for by REST, with the tickets they join by.
 */


#include "ngx_http_rs_api_internal.h"
#include "rs_utf8.h"
#include "rs_ws_handshake.h"


typedef struct {
    unsigned                          role;
    rs_str_t                          name;
    rs_str_t                          external_id;
    rs_str_t                          origin;
    int64_t                           ttl_s;
    int                               guest;
} ngx_http_rs_api_participant_body_t;


/* one POST /sessions/{id}/participants */

typedef struct {
    ngx_http_rs_store_participant_t   p;
    ngx_str_t                         ticket;
} ngx_http_rs_api_guest_t;


static ngx_int_t ngx_http_rs_api_participant_fill(ngx_http_rs_api_t *api,
    ngx_http_rs_api_participant_body_t *body,
    ngx_http_rs_store_participant_t *p, const char *base);
static ngx_int_t ngx_http_rs_api_participant_who(ngx_http_rs_api_t *api,
    ngx_http_rs_api_participant_body_t *body, const char *base);
static ngx_int_t ngx_http_rs_api_console(ngx_http_rs_api_t *api,
    ngx_str_t *url);
static ngx_int_t ngx_http_rs_api_participant_added(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);


/* those that can be asked for */
static const char *const  ngx_http_rs_api_roles[] =
    { "controller", "viewer", NULL };

static ngx_str_t  ngx_http_rs_api_role_names[] =
    { ngx_string("controller"), ngx_string("viewer") };

static const uint32_t  ngx_http_rs_api_role_verbs[] =
    { RS_VERB_BIT(RS_VERB_SESSIONS_CONTROL),
      RS_VERB_BIT(RS_VERB_SESSIONS_VIEW) };


static const rs_json_field_t  ngx_http_rs_api_participant_fields[] = {
    { "role", RS_JSON_ENUM, RS_JSON_REQUIRED, 0, 0,
      offsetof(ngx_http_rs_api_participant_body_t, role),
      ngx_http_rs_api_roles, NULL, NULL },
    { "name", RS_JSON_STRING, 0, 1, NGX_HTTP_RS_API_NAME_MAX,
      offsetof(ngx_http_rs_api_participant_body_t, name), NULL, NULL, NULL },
    { "external_id", RS_JSON_STRING, 0, 1, NGX_HTTP_RS_API_NAME_MAX,
      offsetof(ngx_http_rs_api_participant_body_t, external_id),
      NULL, NULL, NULL },
    { "ttl_s", RS_JSON_INT, 0, 1, NGX_HTTP_RS_API_TICKET_TTL,
      offsetof(ngx_http_rs_api_participant_body_t, ttl_s), NULL, NULL, NULL },
    { "origin", RS_JSON_STRING, 0, 1, RS_ORIGIN_MAX,
      offsetof(ngx_http_rs_api_participant_body_t, origin),
      NULL, rs_ws_origin_check, "an origin, scheme://host[:port]" },
    { "guest", RS_JSON_BOOL, 0, 0, 0,
      offsetof(ngx_http_rs_api_participant_body_t, guest), NULL, NULL, NULL }
};

static const ngx_http_rs_api_field_t  ngx_http_rs_api_participant_obj[] = {
    { "id", ngx_http_rs_api_text },
    { "role", ngx_http_rs_api_text },
    { "name", ngx_http_rs_api_text },
    { "external_id", ngx_http_rs_api_text },
    { "state", ngx_http_rs_api_text },
    { "joined_at", ngx_http_rs_api_number },
    { "left_at", ngx_http_rs_api_number },
    { "path", ngx_http_rs_api_stored },
    { "guest", ngx_http_rs_api_flag },
    { NULL, NULL }
};


ngx_int_t
ngx_http_rs_api_participant_read(ngx_http_rs_api_t *api, json_t *json,
    const char *base, ngx_http_rs_store_participant_t *p)
{
    ngx_int_t                           rc;
    ngx_http_rs_api_participant_body_t  body;

    ngx_memzero(&body, sizeof(body));
    body.ttl_s = api->rlcf->ticket_ttl;

    rc = ngx_http_rs_api_read_object(api, json,
                       ngx_http_rs_api_participant_fields,
                       NGX_HTTP_RS_API_N(ngx_http_rs_api_participant_fields),
                       &body, base);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_rs_api_participant_fill(api, &body, p, base);
}


/*
 * What a participant may is what its maker may, so the store is asked for that
 * besides.  A user who asks for one without a name means himself; who it is
 * then, nobody else can be called.  NGX_DECLINED: the answer is set.
 */

static ngx_int_t
ngx_http_rs_api_participant_fill(ngx_http_rs_api_t *api,
    ngx_http_rs_api_participant_body_t *body,
    ngx_http_rs_store_participant_t *p, const char *base)
{
    if (ngx_http_rs_api_participant_who(api, body, base) != NGX_OK) {
        return NGX_DECLINED;
    }

    api->caller.also |= ngx_http_rs_api_role_verbs[body->role];

    p->role = ngx_http_rs_api_role_names[body->role];
    p->name = ngx_http_rs_str(body->name);
    p->external_id = ngx_http_rs_str(body->external_id);
    p->ticket_ttl = body->ttl_s;
    p->origin = ngx_http_rs_str(body->origin);
    p->guest = body->guest;

    if (p->origin.len == 0) {
        p->origin = ngx_http_rs_api_origin(api);
    }

    return ngx_http_rs_api_new_id(api->request->pool, RS_ID_PARTICIPANT,
                                  &p->id);
}


static ngx_int_t
ngx_http_rs_api_participant_who(ngx_http_rs_api_t *api,
    ngx_http_rs_api_participant_body_t *body, const char *base)
{
    char       pointer[RS_JSON_POINTER_MAX];
    rs_err_e   rc;

    if (api->caller.kind != NGX_HTTP_RS_CALLER_USER) {
        return NGX_OK;
    }

    if (body->name.len == 0 && body->external_id.len == 0) {
        body->name = rs_utf8_cut(ngx_http_rs_slice(&api->caller.name),
                                 NGX_HTTP_RS_API_NAME_MAX);
        body->external_id = ngx_http_rs_slice(&api->caller.user_id);

        return NGX_OK;
    }

    if (rs_str_starts(body->external_id, RS_STR(RS_ID_USER))) {
        ngx_sprintf((u_char *) pointer, "%s/external_id%Z", base);

        rc = rs_json_fail(&api->err, RS_E_INVALID_VALUE, pointer,
                          "must not be a user's id: ask for a participant "
                          "without name and external_id to be it yourself");
        ngx_http_rs_api_invalid(api, rc);

        return NGX_DECLINED;
    }

    api->caller.also |= RS_VERB_BIT(RS_VERB_SESSIONS_INVITE);

    return NGX_OK;
}


ngx_int_t
ngx_http_rs_api_ticket(ngx_http_rs_api_t *api, ngx_str_t *session_id,
    ngx_http_rs_store_participant_t *p, ngx_str_t *ticket)
{
    char       secret[RS_ID_SECRET_LEN];
    rs_str_t   s;
    rs_cred_t  cred;

    ticket->data = ngx_pnalloc(api->request->pool, RS_ID_TICKET_MAX);

    if (ticket->data == NULL
        || ngx_http_rs_api_new_secret(secret) != NGX_OK)
    {
        return NGX_ERROR;
    }

    s.data = (u_char *) secret;
    s.len = RS_ID_SECRET_LEN;

    ticket->len = rs_ticket_format((char *) ticket->data,
                                   ngx_http_rs_slice(&api->caller.tenant),
                                   ngx_http_rs_slice(session_id), s);

    /* the store looks up what a parser makes of it */

    if (rs_ticket_parse(ngx_http_rs_slice(ticket), &cred) != RS_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(p->ticket_hash, cred.hash, RS_ID_HASH_LEN);

    if (p->origin.len
        && rs_ticket_bind(s, ngx_http_rs_slice(&p->origin),
                          (char *) p->ticket_hash)
           != RS_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_str_t
ngx_http_rs_api_origin(ngx_http_rs_api_t *api)
{
    ngx_str_t  *origin, none;

    origin = ngx_http_rs_header_in(api->request, "origin",
                                   sizeof("origin") - 1);

    if (origin && origin->len <= RS_ORIGIN_MAX) {
        return *origin;
    }

    ngx_str_null(&none);

    return none;
}


/* POST /sessions/{id}/participants */

ngx_int_t
ngx_http_rs_api_participant_add(ngx_http_rs_api_t *api)
{
    ngx_int_t                 rc;
    ngx_http_rs_api_op_t     *aop;
    ngx_http_rs_api_guest_t  *guest;

    if (json_object_get(api->body, "link")) {
        return ngx_http_rs_api_link_create(api);
    }

    guest = ngx_pcalloc(api->request->pool, sizeof(ngx_http_rs_api_guest_t));
    if (guest == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_rs_api_participant_read(api, api->body, "", &guest->p);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_read_idem(api);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    api->ctx->session_id = api->id;

    if (ngx_http_rs_api_ticket(api, &api->id, &guest->p, &guest->ticket)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_participant_added, guest);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_participant_add(aop->op,
                                             &api->caller, &api->id,
                                             &guest->p, &api->idem,
                                             &api->body_hash));
}


static ngx_int_t
ngx_http_rs_api_participant_added(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_guest_t *guest = data;

    ngx_str_t              id;
    ngx_http_rs_api_op_t  *aop;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    if (ngx_rs_reply_count(reply) > 3) {
        return ngx_http_rs_api_answer(api, NGX_HTTP_CREATED,
                              ngx_http_rs_api_guest_json(api,
                                                 ngx_rs_reply_at(reply, 2),
                                                 &guest->ticket,
                                                 ngx_rs_reply_int(reply, 3)));
    }

    /* the Idempotency-Key stands for this participant */

    id = ngx_rs_reply_str(reply, 2);

    if (id.len != RS_ID_LEN) {
        return NGX_ERROR;
    }

    ngx_memcpy(guest->p.id.data, id.data, RS_ID_LEN);

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_participant_added, guest);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_participant_retry(aop->op,
                                             &api->caller, &api->id,
                                             &guest->p));
}


json_t *
ngx_http_rs_api_participant_json(ngx_rs_reply_t *obj)
{
    json_t  *json;

    json = json_object();

    if (ngx_http_rs_api_fields(json, obj, ngx_http_rs_api_participant_obj)
        != NGX_OK)
    {
        json_decref(json);
        return NULL;
    }

    return json;
}


json_t *
ngx_http_rs_api_guest_json(ngx_http_rs_api_t *api, ngx_rs_reply_t *obj,
    ngx_str_t *ticket, int64_t expires)
{
    json_t     *json;
    ngx_str_t   join;

    json = ngx_http_rs_api_participant_json(obj);

    if (json == NULL
        || ngx_http_rs_api_join_url(api, "join", ticket, &join) != NGX_OK)
    {
        goto failed;
    }

    if (json_object_set_new(json, "ticket", ngx_http_rs_api_text(*ticket))
        != 0
        || json_object_set_new(json, "ticket_expires_at",
                               json_integer(expires))
           != 0
        || json_object_set_new(json, "join_url", ngx_http_rs_api_text(join))
           != 0)
    {
        goto failed;
    }

    return json;

failed:

    json_decref(json);

    return NULL;
}


ngx_int_t
ngx_http_rs_api_join_url(ngx_http_rs_api_t *api, const char *kind,
    ngx_str_t *secret, ngx_str_t *join)
{
    ngx_str_t  url;

    if (ngx_http_rs_api_console(api, &url) != NGX_OK) {
        return NGX_ERROR;
    }

    join->data = ngx_pnalloc(api->request->pool,
                             url.len + 2 + ngx_strlen(kind) + secret->len);
    if (join->data == NULL) {
        return NGX_ERROR;
    }

    join->len = ngx_sprintf(join->data, "%V#%s=%V", &url, kind, secret)
                - join->data;

    return NGX_OK;
}


/* beside the console's own page */

ngx_int_t
ngx_http_rs_api_help_url(ngx_http_rs_api_t *api, ngx_str_t *help)
{
    ngx_str_t  url;

    if (ngx_http_rs_api_console(api, &url) != NGX_OK) {
        return NGX_ERROR;
    }

    while (url.len && url.data[url.len - 1] != '/') {
        url.len--;
    }

    help->data = ngx_pnalloc(api->request->pool,
                             url.len + sizeof("help.html") - 1);
    if (help->data == NULL) {
        return NGX_ERROR;
    }

    help->len = ngx_sprintf(help->data, "%Vhelp.html", &url) - help->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rs_api_console(ngx_http_rs_api_t *api, ngx_str_t *url)
{
    ngx_str_t            host;
    const char          *scheme;
    ngx_http_request_t  *r;

    r = api->request;

    if (api->rlcf->console_url) {
        return ngx_http_complex_value(r, api->rlcf->console_url, url);
    }

    host = r->headers_in.host ? r->headers_in.host->value
                              : r->headers_in.server;

#if (NGX_HTTP_SSL)
    scheme = r->connection->ssl ? "https" : "http";
#else
    scheme = "http";
#endif

    url->data = ngx_pnalloc(r->pool, sizeof("https:///console/") - 1
                                     + host.len);
    if (url->data == NULL) {
        return NGX_ERROR;
    }

    url->len = ngx_sprintf(url->data, "%s://%V/console/", scheme, &host)
               - url->data;

    return NGX_OK;
}
