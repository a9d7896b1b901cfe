
/*
 * Copyright (C) rs-gateway contributors
 *
 * Help without installing anything: a session whose host is a browser.  Who
 * asked for it gets a code of eight digits to tell somebody, who changes it
 * for the host's ticket.
 *
 * A code is good once and for ten minutes, and of one address five wrong ones
 * are heard in as long a time: of the 10^8 codes few are in use at once, so
 * that trying them is hopeless.  Whoever tries is nobody: what is wrong with a
 * code or its session is one answer.
 */


#include "ngx_http_rs_api_internal.h"

#include <openssl/rand.h>


#define NGX_HTTP_RS_API_HELP_TTL     600       /* s */
#define NGX_HTTP_RS_API_HELP_DIGITS  8
#define NGX_HTTP_RS_API_HELP_CODES   100000000u
#define NGX_HTTP_RS_API_HELP_TRIES   4         /* codes that others have */


typedef struct {
    rs_str_t                         code;
    rs_str_t                         name;
} ngx_http_rs_api_help_body_t;


/* a code that is made, or used */

typedef struct {
    u_char                           code[NGX_HTTP_RS_API_HELP_DIGITS];
    u_char                           hash_text[RS_ID_HASH_LEN];
    ngx_str_t                        hash;
    ngx_str_t                        old;         /* of the code of before */
    ngx_uint_t                       tries;
    int64_t                          expires;

    ngx_str_t                        session_id;
    ngx_str_t                        ticket;
    ngx_http_rs_store_participant_t  p;
} ngx_http_rs_api_help_t;


static ngx_int_t ngx_http_rs_api_help_new(ngx_http_rs_api_t *api,
    ngx_http_rs_api_help_t *help);
static ngx_int_t ngx_http_rs_api_help_code(ngx_http_rs_api_help_t *help);
static ngx_int_t ngx_http_rs_api_help_hash(ngx_http_rs_api_help_t *help);
static ngx_int_t ngx_http_rs_api_help_made(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_help_put(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply);
static rs_err_e ngx_http_rs_api_help_check(rs_str_t s);
static ngx_int_t ngx_http_rs_api_help_taken(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_help_used(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static json_t *ngx_http_rs_api_help_session(ngx_rs_reply_t *obj,
    ngx_str_t requester);


static const rs_json_field_t  ngx_http_rs_api_help_fields[] = {
    { "code", RS_JSON_STRING, RS_JSON_REQUIRED, NGX_HTTP_RS_API_HELP_DIGITS,
      NGX_HTTP_RS_API_HELP_DIGITS,
      offsetof(ngx_http_rs_api_help_body_t, code), NULL,
      ngx_http_rs_api_help_check, "a code of 8 digits" },
    { "name", RS_JSON_STRING, 0, 1, NGX_HTTP_RS_API_NAME_MAX,
      offsetof(ngx_http_rs_api_help_body_t, name), NULL, NULL, NULL }
};


/* POST /sessions/{id}/help */

ngx_int_t
ngx_http_rs_api_help_create(ngx_http_rs_api_t *api)
{
    ngx_http_rs_api_help_t  *help;

    help = ngx_pcalloc(api->request->pool, sizeof(ngx_http_rs_api_help_t));
    if (help == NULL) {
        return NGX_ERROR;
    }

    help->session_id = api->id;
    api->ctx->session_id = api->id;

    return ngx_http_rs_api_help_new(api, help);
}


static ngx_int_t
ngx_http_rs_api_help_new(ngx_http_rs_api_t *api, ngx_http_rs_api_help_t *help)
{
    ngx_http_rs_api_op_t  *aop;

    if (ngx_http_rs_api_help_code(help) != NGX_OK
        || ngx_http_rs_api_help_hash(help) != NGX_OK)
    {
        return NGX_ERROR;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_help_made, help);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_help_create(aop->op,
                                             &api->caller, &help->session_id,
                                             &help->hash,
                                             NGX_HTTP_RS_API_HELP_TTL));
}


/* each code is as likely as another: what is above a multiple is not used */

static ngx_int_t
ngx_http_rs_api_help_code(ngx_http_rs_api_help_t *help)
{
    uint32_t    n;
    ngx_uint_t  i;

    do {
        if (RAND_bytes((u_char *) &n, sizeof(n)) != 1) {
            return NGX_ERROR;
        }

    } while (n >= UINT32_MAX / NGX_HTTP_RS_API_HELP_CODES
                  * NGX_HTTP_RS_API_HELP_CODES);

    for (i = NGX_HTTP_RS_API_HELP_DIGITS; i > 0; i--) {
        help->code[i - 1] = '0' + n % 10;
        n /= 10;
    }

    return NGX_OK;
}


/* not that of any other secret which has the same digits */

static ngx_int_t
ngx_http_rs_api_help_hash(ngx_http_rs_api_help_t *help)
{
    rs_str_t  code;

    code.data = help->code;
    code.len = NGX_HTTP_RS_API_HELP_DIGITS;

    if (rs_hash_pair(RS_STR("help"), code, (char *) help->hash_text)
        != RS_OK)
    {
        return NGX_ERROR;
    }

    help->hash.data = help->hash_text;
    help->hash.len = RS_ID_HASH_LEN;

    return NGX_OK;
}


/* the session knows it: now the fleet */

static ngx_int_t
ngx_http_rs_api_help_made(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_help_t *help = data;

    ngx_str_t              old;
    ngx_http_rs_api_op_t  *aop;

    if (code == RS_E_CONFLICT) {
        return ngx_http_rs_api_fail(api, code,
                                    "the host of this session is a device, "
                                    "or it is here already", NULL);
    }

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    help->expires = ngx_rs_reply_int(reply, 1);

    if (help->tries == 0) {

        /* later it is one that another session has */

        old = ngx_rs_reply_str(reply, 2);

        help->old.len = old.len;
        help->old.data = ngx_pstrdup(api->request->pool, &old);

        if (help->old.data == NULL) {
            return NGX_ERROR;
        }
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_help_put, help);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_help_put(aop->op,
                                             &api->caller.tenant,
                                             &help->session_id, &help->hash,
                                             &help->old,
                                             NGX_HTTP_RS_API_HELP_TTL));
}


static ngx_int_t
ngx_http_rs_api_help_put(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_help_t *help = data;

    ngx_str_t  url, text;

    if (code == RS_E_CONFLICT && help->tries++ < NGX_HTTP_RS_API_HELP_TRIES) {
        return ngx_http_rs_api_help_new(api, help);
    }

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, (code == RS_E_CONFLICT)
                                         ? RS_E_UNAVAILABLE : code, NULL,
                                    NULL);
    }

    text.data = help->code;
    text.len = NGX_HTTP_RS_API_HELP_DIGITS;

    if (ngx_http_rs_api_help_url(api, &url) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_CREATED,
                                  json_pack("{s:o, s:o, s:I}", "code",
                                            ngx_http_rs_api_text(text), "url",
                                            ngx_http_rs_api_text(url),
                                            "expires_at",
                                            (json_int_t) help->expires));
}


static rs_err_e
ngx_http_rs_api_help_check(rs_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return RS_E_INVALID_VALUE;
        }
    }

    return RS_OK;
}


/* POST /help */

ngx_int_t
ngx_http_rs_api_help(ngx_http_rs_api_t *api)
{
    u_char                        subject_text[RS_BAN_SUBJECT_MAX];
    ngx_int_t                     rc;
    ngx_str_t                     tenant, subject;
    ngx_http_rs_api_op_t         *aop;
    ngx_http_rs_api_help_t       *help;
    ngx_http_rs_api_help_body_t   body;

    ngx_memzero(&body, sizeof(body));

    help = ngx_pcalloc(api->request->pool, sizeof(ngx_http_rs_api_help_t));
    if (help == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_rs_api_read_body(api, ngx_http_rs_api_help_fields,
                               NGX_HTTP_RS_API_N(ngx_http_rs_api_help_fields),
                               &body, NULL, NULL);
    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    rc = ngx_http_rs_api_tenant(api, &tenant);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc != NGX_OK) {
        return ngx_http_rs_api_fail(api, RS_E_LINK_INVALID, NULL, "/code");
    }

    ngx_memcpy(help->code, body.code.data, NGX_HTTP_RS_API_HELP_DIGITS);
    help->p.name = ngx_http_rs_str(body.name);
    help->p.origin = ngx_http_rs_api_origin(api);
    help->p.ticket_ttl = NGX_HTTP_RS_API_HELP_TTL;

    ngx_http_rs_ban_address_subject(api->request->connection->sockaddr,
                                    subject_text, &subject);

    if (ngx_http_rs_api_help_hash(help) != NGX_OK) {
        return NGX_ERROR;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_help_taken, help);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_help_take(aop->op, &tenant,
                                                  &subject, &help->hash));
}


static ngx_int_t
ngx_http_rs_api_help_taken(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_help_t *help = data;

    ngx_pool_t            *pool;
    ngx_str_t              tenant, id;
    ngx_http_rs_api_op_t  *aop;

    if (code == RS_E_RATE_LIMITED) {
        api->ctx->retry_after = (reply != NULL) ? ngx_rs_reply_int(reply, 1)
                                                : NGX_HTTP_RS_API_HELP_TTL;
        return ngx_http_rs_api_fail(api, code,
                                    "too many wrong codes from this address",
                                    NULL);
    }

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL,
                                    (code == RS_E_LINK_INVALID) ? "/code"
                                                                : NULL);
    }

    pool = api->request->pool;
    tenant = ngx_rs_reply_str(reply, 1);
    id = ngx_rs_reply_str(reply, 2);

    /* the reply is gone after this call */

    tenant.data = ngx_pstrdup(pool, &tenant);
    help->session_id.data = ngx_pstrdup(pool, &id);
    help->session_id.len = id.len;

    if (tenant.data == NULL || help->session_id.data == NULL) {
        return NGX_ERROR;
    }

    ngx_http_rs_caller_self(&api->caller, &tenant);

    api->caller.addr = api->request->connection->addr_text;
    api->caller.rid = api->ctx->request_id;
    api->ctx->tenant = api->caller.tenant;
    api->ctx->session_id = help->session_id;

    if (ngx_http_rs_api_ticket(api, &help->session_id, &help->p,
                               &help->ticket)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_help_used, help);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_help_use(aop->op,
                                             &api->caller, &help->session_id,
                                             &help->hash, &help->p));
}


static ngx_int_t
ngx_http_rs_api_help_used(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_help_t *help = data;

    json_t  *json, *session;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL,
                                    (code == RS_E_LINK_INVALID) ? "/code"
                                                                : NULL);
    }

    json = ngx_http_rs_api_participant_json(ngx_rs_reply_at(reply, 2));
    session = ngx_http_rs_api_help_session(ngx_rs_reply_at(reply, 1),
                                           ngx_rs_reply_str(reply, 4));

    if (json == NULL
        || json_object_set_new(json, "session", session) != 0
        || json_object_set_new(json, "ticket",
                               ngx_http_rs_api_text(help->ticket))
           != 0
        || json_object_set_new(json, "ticket_expires_at",
                               json_integer(ngx_rs_reply_int(reply, 3)))
           != 0)
    {
        json_decref(json);
        return NGX_ERROR;
    }

    api->json = json;

    return ngx_http_rs_api_answer(api, NGX_HTTP_CREATED, json);
}


/* what somebody who is asked has to know; NULL: no memory */

static json_t *
ngx_http_rs_api_help_session(ngx_rs_reply_t *obj, ngx_str_t requester)
{
    ngx_str_t  id, reason, expires;

    id = ngx_rs_reply_field(obj, "id");
    reason = ngx_rs_reply_field(obj, "reason");
    expires = ngx_rs_reply_field(obj, "expires_at");

    return json_pack("{s:o, s:o, s:o, s:{s:o}}",
                     "id", ngx_http_rs_api_text(id),
                     "reason", ngx_http_rs_api_text(reason),
                     "expires_at", ngx_http_rs_api_number(expires),
                     "requester", "name", ngx_http_rs_api_text(requester));
}
