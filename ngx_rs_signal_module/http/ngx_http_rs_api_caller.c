
/*
 * Copyright (C) rs-gateway contributors
 *
 * Who calls REST, in which tenant, and what his address and his tenant may do.
 *
 * An API key names its tenant and is checked by the function of the store that
 * does the work.  A token of the issuer is verified first, for which the
 * issuer's keys may have to be waited for; the store is then told what its
 * roles are worth in the tenant.  Whoever is not known gets one and the same
 * answer, so that nothing can be learnt from it, and a tenant that a caller
 * does not hold is refused without a look at whether there is one.
 */


#include "ngx_http_rs_api_internal.h"


/* bytes of a user's subjects that the store is told of */
#define NGX_HTTP_RS_API_SUBJECTS_MAX  6144


static ngx_int_t ngx_http_rs_api_bearer(ngx_http_rs_api_t *api,
    rs_str_t *text);
static ngx_int_t ngx_http_rs_api_key(ngx_http_rs_api_t *api, rs_str_t text);
static ngx_int_t ngx_http_rs_api_token(ngx_http_rs_api_t *api,
    rs_str_t text);
static void ngx_http_rs_api_identified(void *data, rs_err_e code,
    ngx_http_rs_bearer_t *bearer);
static ngx_int_t ngx_http_rs_api_user(ngx_http_rs_api_t *api, rs_err_e code,
    ngx_http_rs_bearer_t *bearer);
static ngx_int_t ngx_http_rs_api_user_tenant(ngx_http_rs_api_t *api,
    ngx_http_rs_bearer_t *bearer);
static ngx_int_t ngx_http_rs_api_user_subjects(ngx_http_rs_api_t *api,
    ngx_http_rs_bearer_t *bearer);
static ngx_int_t ngx_http_rs_api_subject(ngx_http_rs_api_t *api,
    const char *kind, ngx_str_t *id);
static ngx_int_t ngx_http_rs_api_forbidden(ngx_http_rs_api_t *api);


ngx_int_t
ngx_http_rs_api_credential(ngx_http_rs_api_t *api)
{
    rs_str_t  text;

    if (api->route->verb == NGX_HTTP_RS_API_OPEN) {
        return NGX_OK;
    }

    if (ngx_http_rs_api_bearer(api, &text) != NGX_OK) {
        ngx_http_rs_api_fail(api, RS_E_UNAUTHENTICATED, NULL, NULL);
        return NGX_DECLINED;
    }

    api->caller.verb = (api->route->verb == NGX_HTTP_RS_API_SELF)
                       ? RS_VERB_N : (rs_verb_e) api->route->verb;
    api->caller.addr = api->request->connection->addr_text;
    api->caller.rid = api->ctx->request_id;
    api->caller.reads = api->rlcf->audit_reads;

    if (ngx_http_rs_oidc_on(api->request)
        && !rs_str_starts(text, RS_STR("rsk_")))
    {
        return ngx_http_rs_api_token(api, text);
    }

    return ngx_http_rs_api_key(api, text);
}


/* RFC 6750, 2.1; NGX_DECLINED: there is none */

static ngx_int_t
ngx_http_rs_api_bearer(ngx_http_rs_api_t *api, rs_str_t *text)
{
    ngx_table_elt_t  *h;

    h = api->request->headers_in.authorization;

    if (h == NULL
        || h->value.len < sizeof("Bearer ") - 1
        || ngx_strncasecmp(h->value.data, (u_char *) "Bearer ",
                           sizeof("Bearer ") - 1)
           != 0)
    {
        return NGX_DECLINED;
    }

    *text = ngx_http_rs_slice(&h->value);

    text->data += sizeof("Bearer ") - 1;
    text->len -= sizeof("Bearer ") - 1;

    while (text->len && *text->data == ' ') {
        text->data++;
        text->len--;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rs_api_key(ngx_http_rs_api_t *api, rs_str_t text)
{
    ngx_int_t  rc;
    ngx_str_t  wanted;

    if (rs_api_key_parse(text, &api->key) != RS_OK) {
        ngx_http_rs_api_fail(api, RS_E_UNAUTHENTICATED, NULL, NULL);
        return NGX_DECLINED;
    }

    api->caller.kind = NGX_HTTP_RS_CALLER_KEY;
    api->caller.tenant = ngx_http_rs_str(api->key.tenant);
    api->caller.key_hash.data = (u_char *) api->key.hash;
    api->caller.key_hash.len = RS_ID_HASH_LEN;

    rc = ngx_http_rs_api_tenant(api, &wanted);

    if (rc == NGX_OK && wanted.len
        && !rs_str_eq(ngx_http_rs_slice(&wanted), api->key.tenant))
    {
        rc = NGX_DECLINED;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_rs_api_forbidden(api);
    }

    api->ctx->tenant = api->caller.tenant;

    return rc;
}


/* NGX_AGAIN: the caller has to be waited for, and has a reference on r */

static ngx_int_t
ngx_http_rs_api_token(ngx_http_rs_api_t *api, rs_str_t text)
{
    rs_err_e                 code;
    ngx_str_t                token;
    ngx_http_request_t      *r;
    ngx_http_rs_bearer_t  *bearer;

    r = api->request;
    token = ngx_http_rs_str(text);

    r->main->count++;

    if (ngx_http_rs_oidc_identify(r, &token, ngx_http_rs_api_identified, api,
                                  &code, &bearer)
        == NGX_AGAIN)
    {
        /* notices when the client leaves; the body stays where it is */

        r->read_event_handler = ngx_http_test_reading;
        r->connection->log->action = "waiting for the keys of the issuer";

        return NGX_AGAIN;
    }

    r->main->count--;

    return ngx_http_rs_api_user(api, code, bearer);
}


static void
ngx_http_rs_api_identified(void *data, rs_err_e code,
    ngx_http_rs_bearer_t *bearer)
{
    ngx_http_rs_api_t *api = data;

    ngx_http_request_t  *r;

    r = api->request;

    r->read_event_handler = ngx_http_block_reading;

    ngx_http_finalize_request(r,
                              ngx_http_rs_api_go(api,
                                                 ngx_http_rs_api_user(api,
                                                             code, bearer)));
}


static ngx_int_t
ngx_http_rs_api_user(ngx_http_rs_api_t *api, rs_err_e code,
    ngx_http_rs_bearer_t *bearer)
{
    ngx_int_t  rc;

    if (code != RS_OK) {
        ngx_http_rs_api_fail(api, code, NULL, NULL);
        return NGX_DECLINED;
    }

    api->caller.kind = NGX_HTTP_RS_CALLER_USER;
    api->caller.user_id = bearer->user_id;
    api->caller.name = bearer->name;
    api->caller.iat = bearer->iat;
    api->bearer = bearer;
    api->ctx->actor = bearer->user_id;

    rc = ngx_http_rs_api_user_tenant(api, bearer);

    if (rc == NGX_OK) {
        rc = ngx_http_rs_api_user_subjects(api, bearer);
    }

    return rc;
}


/*
 * The tenant of the call, and what the user's roles are there.  Whose token
 * holds several has to say which, but for what is about himself.
 */

static ngx_int_t
ngx_http_rs_api_user_tenant(ngx_http_rs_api_t *api,
    ngx_http_rs_bearer_t *bearer)
{
    ngx_int_t                     rc;
    ngx_str_t                     wanted;
    ngx_uint_t                    i;
    ngx_http_rs_bearer_tenant_t  *t, *held;

    rc = ngx_http_rs_api_tenant(api, &wanted);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED || bearer->ntenants == 0) {
        return ngx_http_rs_api_forbidden(api);
    }

    held = NULL;

    for (i = 0; i < bearer->ntenants; i++) {

        t = &bearer->tenants[i];

        if (held == NULL
            && (wanted.len == 0
                || rs_str_eq(ngx_http_rs_slice(&wanted),
                             ngx_http_rs_slice(&t->name))))
        {
            held = t;
        }
    }

    if (held == NULL) {
        return ngx_http_rs_api_forbidden(api);
    }

    if (wanted.len == 0 && bearer->ntenants > 1
        && api->route->verb != NGX_HTTP_RS_API_SELF)
    {
        ngx_http_rs_api_fail(api, RS_E_BAD_REQUEST,
                             "the token holds several tenants: name one in "
                             "X-RS-Tenant (GET /me lists them)", NULL);
        return NGX_DECLINED;
    }

    api->caller.tenant = held->name;
    api->ctx->tenant = held->name;
    api->roles = held->roles;

    rs_role_verbs(held->roles, &api->caller.tenant_verbs,
                  &api->caller.granted_verbs);

    return NGX_OK;
}


/* what grants may name him by; what does not fit gives him nothing */

static ngx_int_t
ngx_http_rs_api_user_subjects(ngx_http_rs_api_t *api,
    ngx_http_rs_bearer_t *bearer)
{
    size_t      size;
    ngx_uint_t  i;

    api->caller.subjects = ngx_array_create(api->request->pool,
                                            bearer->ngroups + 1,
                                            sizeof(ngx_str_t));
    if (api->caller.subjects == NULL
        || ngx_http_rs_api_subject(api, "user:", &bearer->user_id)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    size = 0;

    for (i = 0; i < bearer->ngroups; i++) {

        size += sizeof("group:") + bearer->groups[i].len;

        if (size > NGX_HTTP_RS_API_SUBJECTS_MAX) {
            ngx_log_error(NGX_LOG_WARN, api->request->connection->log, 0,
                          "rs api: %ui of %ui groups of %V are not looked up "
                          "in grants, there is no room for more than %d bytes",
                          bearer->ngroups - i, bearer->ngroups,
                          &bearer->user_id, NGX_HTTP_RS_API_SUBJECTS_MAX);
            break;
        }

        if (ngx_http_rs_api_subject(api, "group:", &bearer->groups[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rs_api_subject(ngx_http_rs_api_t *api, const char *kind,
    ngx_str_t *id)
{
    size_t      len;
    ngx_str_t  *subject;

    len = ngx_strlen(kind);
    subject = ngx_array_push(api->caller.subjects);

    if (subject == NULL) {
        return NGX_ERROR;
    }

    subject->len = len + id->len;
    subject->data = ngx_pnalloc(api->request->pool, subject->len);

    if (subject->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(ngx_cpymem(subject->data, kind, len), id->data, id->len);

    return NGX_OK;
}


/*
 * Of a tenant that is not held, whether there is one or not.  A user's try is
 * a line of the fleet's; of a key nobody knows yet whether there is one.
 */

static ngx_int_t
ngx_http_rs_api_forbidden(ngx_http_rs_api_t *api)
{
    if (api->bearer && api->rmcf->store) {
        ngx_http_rs_store_denied(api->rmcf->store, "tenant", RS_E_FORBIDDEN,
                                 &api->caller.addr, &api->caller.rid,
                                 &api->bearer->user_id);
    }

    ngx_http_rs_api_fail(api, RS_E_FORBIDDEN,
                         "the credential does not hold the tenant that the "
                         "call is for", NULL);
    return NGX_DECLINED;
}


ngx_int_t
ngx_http_rs_api_tenant(ngx_http_rs_api_t *api, ngx_str_t *tenant)
{
    ngx_str_t           *header;
    ngx_http_request_t  *r;

    r = api->request;
    ngx_str_null(tenant);

    if (api->rlcf->tenant
        && ngx_http_complex_value(r, api->rlcf->tenant, tenant) != NGX_OK)
    {
        return NGX_ERROR;
    }

    header = ngx_http_rs_header_in(r, "x-rs-tenant",
                                   sizeof("x-rs-tenant") - 1);
    if (header) {

        /* what the operator says is not the client's to change */

        if (tenant->len
            && !rs_str_eq(ngx_http_rs_slice(tenant),
                          ngx_http_rs_slice(header)))
        {
            return NGX_DECLINED;
        }

        *tenant = *header;

        if (tenant->len == 0) {
            return NGX_DECLINED;
        }
    }

    if (tenant->len
        && rs_tenant_check(ngx_http_rs_slice(tenant)) != RS_OK)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_rs_api_creates(ngx_http_rs_api_t *api)
{
    return api->route->method == NGX_HTTP_POST
           && api->route->verb != NGX_HTTP_RS_API_OPEN
           && api->route->body != NGX_HTTP_RS_API_NO_BODY;
}


ngx_uint_t
ngx_http_rs_api_banned(ngx_http_request_t *r)
{
    ngx_http_rs_ctx_t        *ctx;
    ngx_http_rs_ban_who_t     who;
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rs_signal_module);
    ctx = ngx_http_rs_ctx(r);

    ngx_memzero(&who, sizeof(ngx_http_rs_ban_who_t));
    who.sockaddr = r->connection->sockaddr;

    if (ctx == NULL || !ngx_http_rs_banned(rmcf, &who, &ctx->retry_after)) {
        return 0;
    }

    ctx->banned = 1;

    return 1;
}


/*
 * A stranger's call costs his address a token, a wrong credential another one
 * (ngx_http_rs_api_problem() takes it).  What a tenant's key may is known when
 * the store has answered: ngx_http_rs_api_send() takes that token, for anybody
 * can name a tenant.
 */

ngx_int_t
ngx_http_rs_api_address_rate(ngx_http_rs_api_t *api)
{
    time_t            wait;
    rs_rate_e         what;
    struct sockaddr  *sa;

    if (api->route->verb == NGX_HTTP_RS_API_OPEN
        && api->route->body == NGX_HTTP_RS_API_NO_BODY
        && api->route->method == NGX_HTTP_GET)
    {
        return NGX_OK;
    }

    what = (api->route->verb == NGX_HTTP_RS_API_OPEN) ? RS_RATE_TAKE
                                                      : RS_RATE_LOOK;
    sa = api->request->connection->sockaddr;

    if (ngx_http_rs_limit_address(api->rmcf, sa, what, &wait) == NGX_OK) {
        return NGX_OK;
    }

    api->ctx->retry_after = wait;
    ngx_http_rs_api_fail(api, RS_E_RATE_LIMITED,
                         "too much from this address", NULL);

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_rs_api_tenant_rate(ngx_http_rs_api_t *api)
{
    time_t  wait;

    if (!ngx_http_rs_api_creates(api)
        || ngx_http_rs_limit_tenant(api->rmcf, &api->caller.tenant,
                                    RS_RATE_LOOK, &wait)
           == NGX_OK)
    {
        return NGX_OK;
    }

    api->ctx->retry_after = wait;
    ngx_http_rs_api_fail(api, RS_E_RATE_LIMITED, "too much of this tenant",
                         NULL);

    return NGX_DECLINED;
}
