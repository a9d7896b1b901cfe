
/*
 * Copyright (C) rs-gateway contributors
 *
 * Enrolments: what a device shows once to become one.
 */


#include "ngx_http_rs_api_internal.h"
#include "rs_code.h"

#include <openssl/rand.h>


#define NGX_HTTP_RS_API_USES_MAX  10000
#define NGX_HTTP_RS_API_ENR_TTL   3600        /* s */
#define NGX_HTTP_RS_API_ENR_MAX   2592000     /* s */


typedef struct {
    int64_t                         max_uses;
    int64_t                         ttl_s;
    rs_str_t                        group_id;
    json_t                         *tags;
    unsigned                        approval;
    int                             code;
    unsigned                        kind;
} ngx_http_rs_api_enrollment_body_t;


/* one POST /enrollments */

typedef struct {
    ngx_http_rs_store_enrollment_t  e;
    ngx_str_t                       token;
    u_char                          hash[RS_ID_HASH_LEN];
    ngx_uint_t                      renew;
    ngx_uint_t                      code;         /* instead of a token */
} ngx_http_rs_api_enroll_t;


static ngx_int_t ngx_http_rs_api_enrollment_read(ngx_http_rs_api_t *api,
    ngx_http_rs_api_enroll_t *en);
static ngx_int_t ngx_http_rs_api_enrollment_short(ngx_http_rs_api_t *api,
    ngx_http_rs_api_enrollment_body_t *body);
static ngx_int_t ngx_http_rs_api_enrollment_code(ngx_http_rs_api_t *api,
    ngx_http_rs_api_enroll_t *en);
static ngx_int_t ngx_http_rs_api_enrollment_token(ngx_http_rs_api_t *api,
    ngx_http_rs_api_enroll_t *en);
static ngx_int_t ngx_http_rs_api_enrollment_created(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_enrollment_again(ngx_http_rs_api_t *api,
    ngx_http_rs_api_enroll_t *en, ngx_str_t *id);
static json_t *ngx_http_rs_api_enrollment_make(ngx_http_rs_api_t *api,
    ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_enrollment_got(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_api_enrollment_deleted(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static json_t *ngx_http_rs_api_enrollment_json(ngx_rs_reply_t *obj);


static const char *const  ngx_http_rs_api_approvals[] = { "auto", NULL };

/* the first one is meant where none is named */

const char *const  ngx_http_rs_api_kinds[] =
    { "desktop", "renderer", "recorder", NULL };

static const rs_json_field_t  ngx_http_rs_api_enrollment_fields[] = {
    { "max_uses", RS_JSON_INT, 0, 1, NGX_HTTP_RS_API_USES_MAX,
      offsetof(ngx_http_rs_api_enrollment_body_t, max_uses),
      NULL, NULL, NULL },
    { "ttl_s", RS_JSON_INT, 0, 1, NGX_HTTP_RS_API_ENR_MAX,
      offsetof(ngx_http_rs_api_enrollment_body_t, ttl_s), NULL, NULL, NULL },
    { "group_id", RS_JSON_STRING, 0, 1, RS_ID_LEN,
      offsetof(ngx_http_rs_api_enrollment_body_t, group_id),
      NULL, rs_id_check_group, "an id \"grp_...\"" },
    { "tags", RS_JSON_ARRAY, 0, 0, NGX_HTTP_RS_API_TAGS_MAX,
      offsetof(ngx_http_rs_api_enrollment_body_t, tags), NULL, NULL, NULL },
    { "approval", RS_JSON_ENUM, 0, 0, 0,
      offsetof(ngx_http_rs_api_enrollment_body_t, approval),
      ngx_http_rs_api_approvals, NULL, NULL },
    { "code", RS_JSON_BOOL, 0, 0, 0,
      offsetof(ngx_http_rs_api_enrollment_body_t, code), NULL, NULL, NULL },
    { "kind", RS_JSON_ENUM, 0, 0, 0,
      offsetof(ngx_http_rs_api_enrollment_body_t, kind),
      ngx_http_rs_api_kinds, NULL, NULL }
};

static const ngx_http_rs_api_field_t  ngx_http_rs_api_enrollment_obj[] = {
    { "id", ngx_http_rs_api_text },
    { "max_uses", ngx_http_rs_api_number },
    { "uses", ngx_http_rs_api_number },
    { "created_at", ngx_http_rs_api_number },
    { "expires_at", ngx_http_rs_api_number },
    { "group_id", ngx_http_rs_api_text },
    { "tags", ngx_http_rs_api_stored },
    { "approval", ngx_http_rs_api_text },
    { "kind", ngx_http_rs_api_text },
    { NULL, NULL }
};

static const ngx_http_rs_api_list_t  ngx_http_rs_api_enrollments = {
    NGX_HTTP_RS_STORE_ENROLLMENTS,
    { ngx_null_string, ngx_null_string, ngx_null_string, ngx_null_string },
    NULL,
    ngx_http_rs_store_enrollment_get,
    NULL,
    ngx_http_rs_api_enrollment_make
};


/* POST /enrollments */

ngx_int_t
ngx_http_rs_api_enrollment_create(ngx_http_rs_api_t *api)
{
    ngx_int_t                  rc;
    ngx_http_rs_api_op_t      *aop;
    ngx_http_rs_api_enroll_t  *en;

    en = ngx_pcalloc(api->request->pool, sizeof(ngx_http_rs_api_enroll_t));
    if (en == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_rs_api_enrollment_read(api, en);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_read_idem(api);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    en->e.idem = api->idem;
    en->e.body_hash = api->body_hash;

    if (ngx_http_rs_api_quota(api, api->rlcf->max_enrollments,
                              &en->e.max_enrollments)
        != NGX_OK
        || ngx_http_rs_api_new_id(api->request->pool, RS_ID_ENROLLMENT,
                                  &en->e.id)
           != NGX_OK
        || (en->code ? ngx_http_rs_api_enrollment_code(api, en)
                     : ngx_http_rs_api_enrollment_token(api, en))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_enrollment_created, en);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_enrollment_create(aop->op,
                                                    &api->caller, &en->e));
}


static ngx_int_t
ngx_http_rs_api_enrollment_read(ngx_http_rs_api_t *api,
    ngx_http_rs_api_enroll_t *en)
{
    ngx_int_t                          rc;
    ngx_http_rs_store_enrollment_t    *e;
    ngx_http_rs_api_enrollment_body_t  body;

    e = &en->e;

    ngx_memzero(&body, sizeof(body));
    body.max_uses = 1;
    body.ttl_s = 0;

    rc = ngx_http_rs_api_read_body(api, ngx_http_rs_api_enrollment_fields,
                        NGX_HTTP_RS_API_N(ngx_http_rs_api_enrollment_fields),
                        &body, NULL, NULL);
    if (rc != NGX_OK) {
        return rc;
    }

    if (body.code) {
        rc = ngx_http_rs_api_enrollment_short(api, &body);

        if (rc != NGX_OK) {
            return rc;
        }

        en->code = 1;
        e->tries = RS_CODE_TRIES;
    }

    e->max_uses = body.max_uses;
    e->ttl = body.ttl_s ? body.ttl_s
             : body.code ? RS_CODE_TTL : NGX_HTTP_RS_API_ENR_TTL;
    e->group_id = ngx_http_rs_str(body.group_id);
    e->kind = ngx_http_rs_str(rs_str(ngx_http_rs_api_kinds[body.kind]));

    ngx_str_set(&e->approval, "auto");
    ngx_str_set(&e->tags, "[]");

    return body.tags ? ngx_http_rs_api_read_tags(api, body.tags, &e->tags)
                     : NGX_OK;
}


/* a code is for one machine, and for now */

static ngx_int_t
ngx_http_rs_api_enrollment_short(ngx_http_rs_api_t *api,
    ngx_http_rs_api_enrollment_body_t *body)
{
    if (body->max_uses != 1) {
        ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                             "must be 1 for a code", "/max_uses");
        return NGX_DECLINED;
    }

    if (body->ttl_s > RS_CODE_TTL) {
        ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                             "must be 600 at most for a code", "/ttl_s");
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* a new code, which is its token, and the id that is made of it */

static ngx_int_t
ngx_http_rs_api_enrollment_code(ngx_http_rs_api_t *api,
    ngx_http_rs_api_enroll_t *en)
{
    u_char     *p;
    uint8_t     random[RS_CODE_RANDOM_LEN];
    rs_code_t   c;
    ngx_str_t  *tenant;

    tenant = &api->caller.tenant;

    p = ngx_pnalloc(api->request->pool, tenant->len + 1 + RS_CODE_TEXT);

    if (p == NULL || RAND_bytes(random, sizeof(random)) != 1) {
        return NGX_ERROR;
    }

    en->token.data = p;

    if (!rs_str_eq(ngx_http_rs_slice(tenant), RS_STR("default"))) {
        p = ngx_cpymem(p, tenant->data, tenant->len);
        *p++ = '/';
    }

    rs_code_format((char *) p, random);
    en->token.len = p + RS_CODE_TEXT - en->token.data;

    if (rs_code_parse(ngx_http_rs_slice(&en->token), rs_str(""), &c)
        != RS_OK)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(en->e.id.data, c.id, RS_ID_LEN);
    ngx_memcpy(en->hash, c.hash, RS_ID_HASH_LEN);

    en->e.secret_hash.data = en->hash;
    en->e.secret_hash.len = RS_ID_HASH_LEN;

    return NGX_OK;
}


/* a new token of en->e.id and what the store keeps of it */

static ngx_int_t
ngx_http_rs_api_enrollment_token(ngx_http_rs_api_t *api,
    ngx_http_rs_api_enroll_t *en)
{
    char       secret[RS_ID_SECRET_LEN];
    rs_str_t   s;
    rs_cred_t  cred;

    en->token.data = ngx_pnalloc(api->request->pool, RS_ID_ENROLL_MAX);

    if (en->token.data == NULL
        || ngx_http_rs_api_new_secret(secret) != NGX_OK)
    {
        return NGX_ERROR;
    }

    s.data = (u_char *) secret;
    s.len = RS_ID_SECRET_LEN;

    en->token.len = rs_enroll_format((char *) en->token.data,
                                     ngx_http_rs_slice(&api->caller.tenant),
                                     ngx_http_rs_slice(&en->e.id), s);

    if (rs_enroll_parse(ngx_http_rs_slice(&en->token), &cred) != RS_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(en->hash, cred.hash, RS_ID_HASH_LEN);

    en->e.secret_hash.data = en->hash;
    en->e.secret_hash.len = RS_ID_HASH_LEN;

    return NGX_OK;
}


/* of rs_enrollment_create, or of rs_enrollment_renew after it */

static ngx_int_t
ngx_http_rs_api_enrollment_created(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_enroll_t *en = data;

    ngx_str_t        id;
    ngx_rs_reply_t  *obj;

    if (code != RS_OK) {
        return ngx_http_rs_api_missing(api, code, reply);
    }

    obj = ngx_rs_reply_at(reply, en->renew ? 1 : 2);

    if (!en->renew && ngx_rs_reply_count(obj) == 0) {
        if (en->code) {
            return ngx_http_rs_api_fail(api, RS_E_CONFLICT,
                                        "a code is shown once: ask for "
                                        "another one", NULL);
        }

        id = ngx_rs_reply_str(reply, 2);

        return ngx_http_rs_api_enrollment_again(api, en, &id);
    }

    api->json = ngx_http_rs_api_enrollment_json(obj);

    if (json_object_set_new(api->json, "token",
                            ngx_http_rs_api_text(en->token))
        != 0
        || ngx_http_rs_api_location(api, "/enrollments", &en->e.id) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_CREATED, api->json);
}


/* the Idempotency-Key stands for this enrolment */

static ngx_int_t
ngx_http_rs_api_enrollment_again(ngx_http_rs_api_t *api,
    ngx_http_rs_api_enroll_t *en, ngx_str_t *id)
{
    ngx_http_rs_api_op_t  *aop;

    if (id->len != RS_ID_LEN) {
        return NGX_ERROR;
    }

    ngx_memcpy(en->e.id.data, id->data, RS_ID_LEN);
    en->renew = 1;

    if (ngx_http_rs_api_enrollment_token(api, en) != NGX_OK) {
        return NGX_ERROR;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_enrollment_created, en);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_enrollment_renew(aop->op,
                                                    &api->caller, &en->e.id,
                                                    &en->e.secret_hash));
}


/* GET /enrollments */

ngx_int_t
ngx_http_rs_api_enrollment_list(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_list(api, &ngx_http_rs_api_enrollments);
}


static json_t *
ngx_http_rs_api_enrollment_make(ngx_http_rs_api_t *api,
    ngx_rs_reply_t *reply)
{
    return ngx_http_rs_api_enrollment_json(ngx_rs_reply_at(reply, 1));
}


/* GET /enrollments/{id} */

ngx_int_t
ngx_http_rs_api_enrollment_get(ngx_http_rs_api_t *api)
{
    ngx_http_rs_api_op_t  *aop;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_enrollment_got, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_enrollment_get(aop->op,
                                                 &api->caller, &api->id));
}


static ngx_int_t
ngx_http_rs_api_enrollment_got(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_OK,
                                  ngx_http_rs_api_enrollment_make(api,
                                                                  reply));
}


/* DELETE /enrollments/{id} */

ngx_int_t
ngx_http_rs_api_enrollment_delete(ngx_http_rs_api_t *api)
{
    ngx_http_rs_api_op_t  *aop;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_enrollment_deleted, NULL);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_enrollment_delete(aop->op,
                                                 &api->caller, &api->id));
}


static ngx_int_t
ngx_http_rs_api_enrollment_deleted(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_NO_CONTENT, NULL);
}


/* NULL: no memory */

static json_t *
ngx_http_rs_api_enrollment_json(ngx_rs_reply_t *obj)
{
    json_t  *json;

    json = json_object();

    if (ngx_http_rs_api_fields(json, obj, ngx_http_rs_api_enrollment_obj)
        != NGX_OK)
    {
        json_decref(json);
        return NULL;
    }

    return json;
}
