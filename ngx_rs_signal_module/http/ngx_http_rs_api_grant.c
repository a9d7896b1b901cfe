
/*
 * Copyright (C) rs-gateway contributors
 *
 * Grants: a user, a group of the issuer or an API key, and what it may do with
 * a group of devices.  A caller gives nothing that it does not have.
 */


#include "ngx_http_rs_api_internal.h"


typedef struct {
    rs_str_t    subject;
    rs_str_t    group_id;
    json_t     *verbs;
    unsigned    consent;
} ngx_http_rs_api_grant_body_t;


static rs_err_e ngx_http_rs_api_grant_group(rs_str_t s);
static ngx_int_t ngx_http_rs_api_grant_put(ngx_http_rs_api_t *api,
    ngx_http_rs_store_grant_t *g);
static ngx_int_t ngx_http_rs_api_grant_created(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);


/* what concerns a device, and so can be given by groups of them */

#define NGX_HTTP_RS_API_GRANTABLE                                            \
    (RS_VERB_BIT(RS_VERB_DEVICES_READ) | RS_VERB_BIT(RS_VERB_DEVICES_WRITE)  \
     | RS_VERB_BIT(RS_VERB_SESSIONS_READ)                                    \
     | RS_VERB_BIT(RS_VERB_SESSIONS_WRITE)                                   \
     | RS_VERB_BIT(RS_VERB_SESSIONS_VIEW)                                    \
     | RS_VERB_BIT(RS_VERB_SESSIONS_CONTROL)                                 \
     | RS_VERB_BIT(RS_VERB_SESSIONS_INVITE)                                  \
     | RS_VERB_BIT(RS_VERB_TUNNELS_READ)                                     \
     | RS_VERB_BIT(RS_VERB_TUNNELS_WRITE) | RS_VERB_BIT(RS_VERB_TUNNELS_USE)  \
     | RS_VERB_BIT(RS_VERB_COMMANDS_RUN))


static const rs_json_field_t  ngx_http_rs_api_grant_fields[] = {
    { "subject", RS_JSON_STRING, RS_JSON_REQUIRED, 1, RS_SUBJECT_MAX,
      offsetof(ngx_http_rs_api_grant_body_t, subject),
      NULL, rs_subject_check,
      "\"user:usr_...\", \"key:key_...\", or \"group:\" and a group of the "
      "issuer" },
    { "group_id", RS_JSON_STRING, RS_JSON_REQUIRED, 1, RS_ID_LEN,
      offsetof(ngx_http_rs_api_grant_body_t, group_id),
      NULL, ngx_http_rs_api_grant_group,
      "an id \"grp_...\", or \"*\" for all devices" },
    { "verbs", RS_JSON_ARRAY, RS_JSON_REQUIRED, 1, RS_VERB_N,
      offsetof(ngx_http_rs_api_grant_body_t, verbs), NULL, NULL, NULL },
    { "consent", RS_JSON_ENUM, 0, 0, 0,
      offsetof(ngx_http_rs_api_grant_body_t, consent),
      ngx_http_rs_api_consents, NULL, NULL }
};

#define NGX_HTTP_RS_API_GRANT_CONSENT  0x8


static const ngx_http_rs_api_field_t  ngx_http_rs_api_grant_obj[] = {
    { "subject", ngx_http_rs_api_text },
    { "group_id", ngx_http_rs_api_text },
    { "verbs", ngx_http_rs_api_words },
    { "consent", ngx_http_rs_api_text },
    { "created_at", ngx_http_rs_api_number },
    { "created_by", ngx_http_rs_api_text },
    { NULL, NULL }
};

static const ngx_http_rs_api_set_t  ngx_http_rs_api_grants = {
    "/grants", "id", NGX_HTTP_RS_STORE_GRANTS, 0, ngx_http_rs_api_grant_obj
};


/* POST /grants */

ngx_int_t
ngx_http_rs_api_grant_create(ngx_http_rs_api_t *api)
{
    uint32_t                       present;
    ngx_int_t                      rc;
    ngx_http_rs_store_grant_t     *g;
    ngx_http_rs_api_grant_body_t   body;

    g = ngx_pcalloc(api->request->pool, sizeof(ngx_http_rs_store_grant_t));
    if (g == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&body, sizeof(body));

    rc = ngx_http_rs_api_read_body(api, ngx_http_rs_api_grant_fields,
                             NGX_HTTP_RS_API_N(ngx_http_rs_api_grant_fields),
                             &body, &present, NULL);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_read_verbs(api, body.verbs, "/verbs",
                                        NGX_HTTP_RS_API_GRANTABLE, &g->verbs);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_read_idem(api);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    if (ngx_http_rs_api_new_id(api->request->pool, RS_ID_GRANT, &g->id)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    g->subject = ngx_http_rs_str(body.subject);
    g->group_id = ngx_http_rs_str(body.group_id);
    g->idem = api->idem;
    g->body_hash = api->body_hash;

    if (present & NGX_HTTP_RS_API_GRANT_CONSENT) {
        g->consent = ngx_http_rs_str(rs_str(
                                      ngx_http_rs_api_consents[body.consent]));
    }

    return ngx_http_rs_api_grant_put(api, g);
}


static ngx_int_t
ngx_http_rs_api_grant_put(ngx_http_rs_api_t *api,
    ngx_http_rs_store_grant_t *g)
{
    ngx_http_rs_api_op_t  *aop;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_grant_created, g);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_grant_create(aop->op,
                                                        &api->caller, g));
}


static ngx_int_t
ngx_http_rs_api_grant_created(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_store_grant_t *g = data;

    if (code == RS_OK && ngx_http_rs_api_set_again(reply, &g->id)) {
        return ngx_http_rs_api_grant_put(api, g);
    }

    return ngx_http_rs_api_set_made(api, &ngx_http_rs_api_grants, code,
                                    reply);
}


static rs_err_e
ngx_http_rs_api_grant_group(rs_str_t s)
{
    return rs_str_eq(s, RS_STR("*")) ? RS_OK : rs_id_check(s, RS_ID_GROUP);
}


/* GET /grants */

ngx_int_t
ngx_http_rs_api_grant_list(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_set_list(api, &ngx_http_rs_api_grants);
}


/* GET /grants/{id} */

ngx_int_t
ngx_http_rs_api_grant_get(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_set_get(api, &ngx_http_rs_api_grants);
}


/* DELETE /grants/{id} */

ngx_int_t
ngx_http_rs_api_grant_delete(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_set_delete(api, &ngx_http_rs_api_grants);
}
