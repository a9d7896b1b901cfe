
/*
 * Copyright (C) rs-gateway contributors
 *
 * Who calls REST: the credential a call carries, and what his address and his
 * tenant may do.
 */


#include "ngx_http_rs_api_internal.h"


ngx_int_t
ngx_http_rs_api_credential(ngx_http_rs_api_t *api)
{
    rs_str_t             text;
    ngx_table_elt_t     *h;
    ngx_http_request_t  *r;

    if (api->route->verb == NGX_HTTP_RS_API_OPEN) {
        return NGX_OK;
    }

    r = api->request;
    h = r->headers_in.authorization;

    if (h == NULL) {
        ngx_http_rs_api_fail(api, RS_E_UNAUTHENTICATED,
                             "send \"Authorization: Bearer <API key>\"",
                             NULL);
        return NGX_DECLINED;
    }

    text = ngx_http_rs_slice(&h->value);

    if (text.len < sizeof("Bearer ") - 1
        || ngx_strncasecmp(h->value.data, (u_char *) "Bearer ",
                           sizeof("Bearer ") - 1)
           != 0)
    {
        goto malformed;
    }

    text.data += sizeof("Bearer ") - 1;
    text.len -= sizeof("Bearer ") - 1;

    while (text.len && *text.data == ' ') {
        text.data++;
        text.len--;
    }

    if (rs_api_key_parse(text, &api->key) != RS_OK) {
        goto malformed;
    }

    api->caller.kind = NGX_HTTP_RS_CALLER_KEY;
    api->caller.tenant.data = (u_char *) api->key.tenant.data;
    api->caller.tenant.len = api->key.tenant.len;
    api->caller.key_hash.data = (u_char *) api->key.hash;
    api->caller.key_hash.len = RS_ID_HASH_LEN;
    api->caller.verb = api->route->verb;
    api->caller.addr = r->connection->addr_text;
    api->caller.rid = api->ctx->request_id;

    api->ctx->tenant = api->caller.tenant;

    return NGX_OK;

malformed:

    ngx_http_rs_api_fail(api, RS_E_UNAUTHENTICATED,
                         "this is not an API key of this gateway", NULL);
    return NGX_DECLINED;
}


ngx_uint_t
ngx_http_rs_api_creates(ngx_http_rs_api_t *api)
{
    return api->route->method == NGX_HTTP_POST
           && api->route->verb != NGX_HTTP_RS_API_OPEN
           && api->route->body != NGX_HTTP_RS_API_NO_BODY;
}


/*
 * A stranger's call costs his address a token, a wrong credential another one
 * (ngx_http_rs_api_problem() takes it).  What a tenant's key may is known when
 * the store has answered: ngx_http_rs_api_send() takes that token, for anybody
 * can name a tenant.  NGX_DECLINED: the answer is set.
 */

ngx_int_t
ngx_http_rs_api_rates(ngx_http_rs_api_t *api)
{
    time_t            wait;
    rs_rate_e         what;
    const char       *detail;
    struct sockaddr  *sa;

    if (api->route->verb == NGX_HTTP_RS_API_OPEN
        && api->route->body == NGX_HTTP_RS_API_NO_BODY)
    {
        return NGX_OK;
    }

    what = (api->route->verb == NGX_HTTP_RS_API_OPEN) ? RS_RATE_TAKE
                                                      : RS_RATE_LOOK;
    sa = api->request->connection->sockaddr;

    if (ngx_http_rs_limit_address(api->rmcf, sa, what, &wait) != NGX_OK) {
        detail = "too much from this address";

    } else if (ngx_http_rs_api_creates(api)
               && ngx_http_rs_limit_tenant(api->rmcf, &api->caller.tenant,
                                           RS_RATE_LOOK, &wait)
                  != NGX_OK)
    {
        detail = "too much of this tenant";

    } else {
        return NGX_OK;
    }

    api->ctx->retry_after = wait;
    ngx_http_rs_api_fail(api, RS_E_RATE_LIMITED, detail, NULL);

    return NGX_DECLINED;
}
