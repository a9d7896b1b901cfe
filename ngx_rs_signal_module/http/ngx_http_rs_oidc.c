
/*
 * Copyright (C) rs-gateway contributors
 *
 * From a bearer's ID token to who he is: form, signature, claims, then
 * tenants and roles by configuration.
 *
 * A check is one function without waiting.  It is done again after a fetch
 * of keys, at most once for a request.
 */


#include "ngx_http_rs.h"
#include "http/ngx_http_rs_oidc.h"
#include "rs_jws.h"
#include "rs_utf8.h"

#include <openssl/sha.h>


#define NGX_HTTP_RS_OIDC_TENANT  "default"     /* without a tenant claim */


typedef struct {
    ngx_http_request_t         *request;
    ngx_http_rs_oidc_conf_t    *conf;
    ngx_http_rs_main_conf_t    *rmcf;
    ngx_str_t                   token;
    ngx_http_rs_bearer_pt     handler;
    void                       *data;
    ngx_http_rs_bearer_t     *bearer;
    const char                 *why;           /* of a refusal */
} ngx_http_rs_oidc_t;


static rs_err_e ngx_http_rs_oidc_check(ngx_http_rs_oidc_t *o);
static rs_err_e ngx_http_rs_oidc_claims(ngx_http_rs_oidc_t *o,
    rs_jwt_t *jwt);
static rs_err_e ngx_http_rs_oidc_identity(ngx_http_rs_oidc_t *o,
    rs_jwt_t *jwt, rs_jwt_claims_t *claims);
static rs_err_e ngx_http_rs_oidc_who(ngx_http_rs_oidc_t *o, rs_jwt_t *jwt);
static rs_err_e ngx_http_rs_oidc_groups(ngx_http_rs_oidc_t *o,
    rs_jwt_t *jwt);
static rs_err_e ngx_http_rs_oidc_tenants(ngx_http_rs_oidc_t *o,
    rs_jwt_t *jwt);
static void ngx_http_rs_oidc_grant(ngx_http_rs_oidc_t *o, ngx_str_t *tenant,
    ngx_http_rs_oidc_role_t *role);
static ngx_uint_t ngx_http_rs_oidc_member(ngx_http_rs_bearer_t *id,
    ngx_str_t *group);
static ngx_int_t ngx_http_rs_oidc_dup(ngx_pool_t *pool, ngx_str_t *dst,
    rs_str_t s);
static void ngx_http_rs_oidc_fetched(void *data);
static rs_err_e ngx_http_rs_oidc_result(ngx_http_rs_oidc_t *o, rs_err_e rc);


ngx_uint_t
ngx_http_rs_oidc_on(ngx_http_request_t *r)
{
    ngx_http_rs_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rs_signal_module);

    return rlcf->oidc.issuer.len != 0;
}


ngx_int_t
ngx_http_rs_oidc_identify(ngx_http_request_t *r, ngx_str_t *token,
    ngx_http_rs_bearer_pt handler, void *data, rs_err_e *code,
    ngx_http_rs_bearer_t **bearer)
{
    rs_err_e                 rc;
    ngx_http_rs_oidc_t      *o;
    ngx_http_rs_jwks_t      *jwks;
    ngx_http_rs_loc_conf_t  *rlcf;

    *bearer = NULL;
    *code = RS_E_INTERNAL;

    o = ngx_pcalloc(r->pool, sizeof(ngx_http_rs_oidc_t));
    if (o == NULL) {
        return NGX_OK;
    }

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rs_signal_module);

    o->request = r;
    o->conf = &rlcf->oidc;
    o->rmcf = ngx_http_get_module_main_conf(r, ngx_http_rs_signal_module);
    o->token = *token;
    o->handler = handler;
    o->data = data;

    jwks = o->conf->jwks;
    rc = ngx_http_rs_oidc_check(o);

    if ((rc == RS_E_UNAVAILABLE || rc == RS_E_NOT_FOUND)
        && ngx_http_rs_jwks_fetch(jwks, r,
                                  rc == RS_E_NOT_FOUND
                                  ? NGX_HTTP_RS_KEYS_UNKNOWN
                                  : NGX_HTTP_RS_KEYS_NONE,
                                  ngx_http_rs_oidc_fetched, o)
           == NGX_AGAIN)
    {
        return NGX_AGAIN;
    }

    if (rc == RS_OK && ngx_http_rs_jwks_old(jwks)) {
        (void) ngx_http_rs_jwks_fetch(jwks, r, NGX_HTTP_RS_KEYS_OLD, NULL,
                                      NULL);
    }

    *code = ngx_http_rs_oidc_result(o, rc);
    *bearer = o->bearer;

    return NGX_OK;
}


static void
ngx_http_rs_oidc_fetched(void *data)
{
    ngx_http_rs_oidc_t *o = data;

    rs_err_e  code;

    code = ngx_http_rs_oidc_result(o, ngx_http_rs_oidc_check(o));

    o->handler(o->data, code, o->bearer);
}


/* what the caller is told, counted and logged */

static rs_err_e
ngx_http_rs_oidc_result(ngx_http_rs_oidc_t *o, rs_err_e rc)
{
    ngx_log_t  *log;

    log = o->request->connection->log;

    switch (rc) {

    case RS_OK:
        ngx_http_rs_count(o->rmcf, NGX_HTTP_RS_STAT_TOKEN_GOOD);
        return RS_OK;

    case RS_E_UNAVAILABLE:
        ngx_http_rs_count(o->rmcf, NGX_HTTP_RS_STAT_TOKEN_UNCHECKED);
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "rs oidc: a token could not be checked: %s", o->why);
        break;

    case RS_E_UNAUTHENTICATED:
    case RS_E_NOT_FOUND:
        ngx_http_rs_count(o->rmcf, NGX_HTTP_RS_STAT_TOKEN_REFUSED);
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "rs oidc: a token was refused: %s", o->why);
        rc = RS_E_UNAUTHENTICATED;
        break;

    default:
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "rs oidc: a token could not be checked: %s", o->why);
        rc = RS_E_INTERNAL;
        break;
    }

    o->bearer = NULL;

    return rc;
}


/*
 * RS_OK and the bearer; RS_E_UNAUTHENTICATED; RS_E_NOT_FOUND: no key of
 * this name; RS_E_UNAVAILABLE: no keys; RS_E_INTERNAL.  why but for RS_OK.
 */

static rs_err_e
ngx_http_rs_oidc_check(ngx_http_rs_oidc_t *o)
{
    rs_jwt_t    jwt;
    rs_err_e    rc;
    rs_jwks_t  *set;

    o->why = "there is no memory";

    rc = rs_jwt_parse(ngx_http_rs_slice(&o->token), (uint32_t) o->conf->algs,
                      &jwt, &o->why);
    if (rc != RS_OK) {
        return rc;
    }

    set = ngx_http_rs_jwks_get(o->conf->jwks, o->request->connection->log);

    if (set == NULL) {
        o->why = "there are no keys of the issuer";
        return RS_E_UNAVAILABLE;
    }

    rc = rs_jws_verify_token(&jwt, set, &o->why);

    if (rc == RS_OK) {
        rc = ngx_http_rs_oidc_claims(o, &jwt);
        rs_jwt_done(&jwt);
    }

    return rc;
}


static rs_err_e
ngx_http_rs_oidc_claims(ngx_http_rs_oidc_t *o, rs_jwt_t *jwt)
{
    rs_err_e                  rc;
    rs_jwt_rules_t            rules;
    rs_jwt_claims_t           claims;
    ngx_http_rs_oidc_conf_t  *conf;

    conf = o->conf;

    rules.issuer = ngx_http_rs_slice(&conf->issuer);
    rules.client_id = ngx_http_rs_slice(&conf->client_id);
    rules.audience = ngx_http_rs_slice(&conf->audience);
    rules.now_s = ngx_time();
    rules.skew_s = conf->skew;
    rules.max_age_s = conf->max_age;
    rules.nonce = (conf->nonce != 0);

    rc = rs_jwt_claims(jwt, &rules, &claims, &o->why);
    if (rc != RS_OK) {
        return rc;
    }

    return ngx_http_rs_oidc_identity(o, jwt, &claims);
}


static rs_err_e
ngx_http_rs_oidc_identity(ngx_http_rs_oidc_t *o, rs_jwt_t *jwt,
    rs_jwt_claims_t *claims)
{
    rs_err_e                 rc;
    ngx_http_rs_bearer_t  *id;

    id = ngx_pcalloc(o->request->pool, sizeof(ngx_http_rs_bearer_t));
    if (id == NULL) {
        return RS_E_INTERNAL;
    }

    o->bearer = id;

    id->issuer = o->conf->issuer;
    id->iat = claims->iat;
    id->exp = claims->exp;

    rc = ngx_http_rs_oidc_who(o, jwt);

    if (rc == RS_OK) {
        rc = ngx_http_rs_oidc_groups(o, jwt);
    }

    if (rc == RS_OK) {
        rc = ngx_http_rs_oidc_tenants(o, jwt);
    }

    return rc;
}


/* the id is made of issuer and subject: no other issuer can have it */

static rs_err_e
ngx_http_rs_oidc_who(ngx_http_rs_oidc_t *o, rs_jwt_t *jwt)
{
    u_char                    hash[SHA256_DIGEST_LENGTH];
    u_char                    text[2 * NGX_HTTP_RS_OIDC_TEXT_MAX + 1], *p;
    rs_str_t                  s;
    ngx_pool_t               *pool;
    ngx_http_rs_bearer_t   *id;

    id = o->bearer;
    pool = o->request->pool;

    if (rs_jwt_string(jwt, ngx_http_rs_slice(&o->conf->user_claim), &s) != 1
        || s.len > NGX_HTTP_RS_OIDC_TEXT_MAX)
    {
        o->why = "the claim of \"rs_oidc_user_claim\" is not a string of 1 "
                 "to 512 bytes";
        return RS_E_UNAUTHENTICATED;
    }

    p = ngx_cpymem(text, id->issuer.data, id->issuer.len);
    *p++ = '\0';
    p = ngx_cpymem(p, s.data, s.len);
    (void) SHA256(text, p - text, hash);

    id->user_id.len = NGX_HTTP_RS_USER_ID_LEN;
    id->user_id.data = ngx_pnalloc(pool, NGX_HTTP_RS_USER_ID_LEN);

    if (id->user_id.data == NULL
        || ngx_http_rs_oidc_dup(pool, &id->subject, s) != NGX_OK)
    {
        return RS_E_INTERNAL;
    }

    p = ngx_cpymem(id->user_id.data, "usr_", 4);
    (void) rs_base32_encode((char *) p, hash, 16);

    s = ngx_http_rs_slice(&id->subject);
    (void) rs_jwt_string(jwt, ngx_http_rs_slice(&o->conf->name_claim), &s);

    /* people are shown it: whoever chose it is not locked out by it */

    id->name.data = ngx_pnalloc(pool, NGX_HTTP_RS_OIDC_NAME_MAX);
    if (id->name.data == NULL) {
        return RS_E_INTERNAL;
    }

    id->name.len = rs_utf8_clean(id->name.data, NGX_HTTP_RS_OIDC_NAME_MAX, s);

    if (id->name.len == 0) {
        id->name = id->user_id;
    }

    return RS_OK;
}


/* one that cannot be named by rs_oidc_role or a grant is left out */

static rs_err_e
ngx_http_rs_oidc_groups(ngx_http_rs_oidc_t *o, rs_jwt_t *jwt)
{
    int                      i, n;
    rs_str_t                 groups[NGX_HTTP_RS_OIDC_GROUPS];
    ngx_pool_t              *pool;
    ngx_http_rs_bearer_t  *id;

    id = o->bearer;
    pool = o->request->pool;

    n = rs_jwt_strings(jwt, ngx_http_rs_slice(&o->conf->groups_claim),
                       groups, NGX_HTTP_RS_OIDC_GROUPS);

    if (n == -1) {
        o->why = "the claim of \"rs_oidc_groups_claim\" is not an array of "
                 "at most 200 strings";
        return RS_E_UNAUTHENTICATED;
    }

    id->groups = ngx_palloc(pool, (n + 1) * sizeof(ngx_str_t));
    if (id->groups == NULL) {
        return RS_E_INTERNAL;
    }

    for (i = 0; i < n; i++) {

        if (groups[i].len > NGX_HTTP_RS_OIDC_TEXT_MAX) {
            continue;
        }

        if (ngx_http_rs_oidc_dup(pool, &id->groups[id->ngroups], groups[i])
            != NGX_OK)
        {
            return RS_E_INTERNAL;
        }

        id->ngroups++;
    }

    return RS_OK;
}


static rs_err_e
ngx_http_rs_oidc_tenants(ngx_http_rs_oidc_t *o, rs_jwt_t *jwt)
{
    int                       i, n;
    rs_str_t                  names[NGX_HTTP_RS_OIDC_TENANTS];
    ngx_str_t                 tenant;
    ngx_uint_t                k, nroles;
    ngx_http_rs_bearer_t   *id;
    ngx_http_rs_oidc_role_t  *roles;

    id = o->bearer;
    nroles = o->conf->roles ? o->conf->roles->nelts : 0;
    roles = nroles ? o->conf->roles->elts : NULL;

    n = 1;
    names[0] = RS_STR(NGX_HTTP_RS_OIDC_TENANT);

    if (o->conf->tenant_claim.len) {
        n = rs_jwt_strings(jwt, ngx_http_rs_slice(&o->conf->tenant_claim),
                           names, NGX_HTTP_RS_OIDC_TENANTS);
    }

    if (n == -1) {
        o->why = "the claim of \"rs_oidc_tenant_claim\" is not a string or "
                 "an array of at most 128 strings";
        return RS_E_UNAUTHENTICATED;
    }

    id->tenants = ngx_pcalloc(o->request->pool,
                              (n + nroles + 1)
                              * sizeof(ngx_http_rs_bearer_tenant_t));
    if (id->tenants == NULL) {
        return RS_E_INTERNAL;
    }

    for (k = 0; k < nroles; k++) {

        if (!ngx_http_rs_oidc_member(id, &roles[k].group)) {
            continue;
        }

        if (roles[k].tenant.len) {
            ngx_http_rs_oidc_grant(o, &roles[k].tenant, &roles[k]);
            continue;
        }

        for (i = 0; i < n; i++) {

            if (rs_tenant_check(names[i]) != RS_OK) {
                continue;
            }

            tenant = ngx_http_rs_str(names[i]);
            ngx_http_rs_oidc_grant(o, &tenant, &roles[k]);
        }
    }

    for (k = 0; k < id->ntenants; k++) {

        if (ngx_http_rs_oidc_dup(o->request->pool, &id->tenants[k].name,
                                 ngx_http_rs_slice(&id->tenants[k].name))
            != NGX_OK)
        {
            return RS_E_INTERNAL;
        }
    }

    return RS_OK;
}


/* there is room for all that the token and the configuration name */

static void
ngx_http_rs_oidc_grant(ngx_http_rs_oidc_t *o, ngx_str_t *tenant,
    ngx_http_rs_oidc_role_t *role)
{
    ngx_uint_t                      i;
    ngx_http_rs_bearer_t         *id;
    ngx_http_rs_bearer_tenant_t  *t;

    id = o->bearer;

    for (i = 0; i < id->ntenants; i++) {
        t = &id->tenants[i];

        if (t->name.len == tenant->len
            && ngx_memcmp(t->name.data, tenant->data, tenant->len) == 0)
        {
            break;
        }
    }

    t = &id->tenants[i];

    if (i == id->ntenants) {
        id->ntenants++;
        t->name = *tenant;
    }

    t->roles |= RS_ROLE_BIT(role->role);
}


static ngx_uint_t
ngx_http_rs_oidc_member(ngx_http_rs_bearer_t *id, ngx_str_t *group)
{
    ngx_uint_t  i;

    if (group->len == 1 && group->data[0] == '*') {
        return 1;
    }

    for (i = 0; i < id->ngroups; i++) {

        if (id->groups[i].len == group->len
            && ngx_memcmp(id->groups[i].data, group->data, group->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_rs_oidc_dup(ngx_pool_t *pool, ngx_str_t *dst, rs_str_t s)
{
    u_char  *p;

    p = ngx_pnalloc(pool, s.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, s.data, s.len);

    dst->data = p;
    dst->len = s.len;

    return NGX_OK;
}
