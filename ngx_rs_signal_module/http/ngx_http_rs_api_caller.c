
/*
 * Copyright (C) rs-gateway contributors
 *
 * Who calls REST, in which tenant, and what his address and his tenant may do.
 *
 * An API key names its tenant and is checked by the function of the store that
 * does the work.  Whoever is not known gets one and the same answer, so that
 * nothing can be learnt from it, and a tenant that a caller does not hold is
 * refused without a look at whether there is one.
 */


#include "ngx_http_rs_api_internal.h"


static ngx_int_t ngx_http_rs_api_bearer(ngx_http_rs_api_t *api,
    rs_str_t *text);
static ngx_int_t ngx_http_rs_api_key(ngx_http_rs_api_t *api, rs_str_t text);
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


/* of a tenant that is not held, whether there is one or not */

static ngx_int_t
ngx_http_rs_api_forbidden(ngx_http_rs_api_t *api)
{
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
        && api->route->body == NGX_HTTP_RS_API_NO_BODY)
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
