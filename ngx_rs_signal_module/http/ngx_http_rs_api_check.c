
/*
 * Copyright (C) rs-gateway contributors
 *
 * What anybody may ask to find out what his network lets through: his address
 * as it is seen here, and ICE servers with credentials that reach nothing.
 *
 * Such a credential names a session that nobody has and the participant of
 * checks (rs_turn_user_is_check()), lives a minute, and is in no store: the
 * TURN plugin lets it allocate, which is what is to be tried, and ends that
 * allocation at once.
 */


#include "ngx_http_rs_api_internal.h"


static ngx_int_t ngx_http_rs_api_check_off(ngx_http_rs_api_t *api);


/* NGX_DECLINED: it is off, the answer is set */

static ngx_int_t
ngx_http_rs_api_check_off(ngx_http_rs_api_t *api)
{
    if (api->rmcf->check_rate.burst) {
        return NGX_OK;
    }

    ngx_http_rs_api_fail(api, RS_E_NOT_FOUND,
                         "checks are off: rs_check_rate is not set", NULL);

    return NGX_DECLINED;
}


/* GET /check */

ngx_int_t
ngx_http_rs_api_check_get(ngx_http_rs_api_t *api)
{
    ngx_connection_t  *c;

    if (ngx_http_rs_api_check_off(api) != NGX_OK) {
        return NGX_OK;
    }

    c = api->request->connection;

    return ngx_http_rs_api_answer(api, NGX_HTTP_OK,
                                  json_pack("{s:o, s:I, s:b}", "address",
                                            ngx_http_rs_api_text(c->addr_text),
                                            "now", (json_int_t) ngx_time(),
                                            "turn", api->rlcf->turn != NULL));
}


/* POST /check */

ngx_int_t
ngx_http_rs_api_check_post(ngx_http_rs_api_t *api)
{
    time_t               wait;
    ngx_str_t            json;
    ngx_pool_t          *pool;
    ngx_http_rs_ice_t    ice;
    ngx_http_request_t  *r;

    if (ngx_http_rs_api_check_off(api) != NGX_OK) {
        return NGX_OK;
    }

    r = api->request;
    pool = r->pool;

    if (ngx_http_rs_limit_check(api->rmcf, r->connection->sockaddr, &wait)
        != NGX_OK)
    {
        api->ctx->retry_after = wait;
        return ngx_http_rs_api_fail(api, RS_E_RATE_LIMITED,
                                    "too many checks from this address",
                                    NULL);
    }

    ngx_memzero(&ice, sizeof(ice));

    switch (ngx_http_rs_api_tenant(api, &ice.tenant)) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        return ngx_http_rs_api_fail(api, RS_E_BAD_REQUEST,
                                    "X-RS-Tenant is not a tenant of this "
                                    "host", NULL);

    default:
        return NGX_ERROR;
    }

    if (ice.tenant.len == 0) {
        ngx_str_set(&ice.tenant, "default");
    }

    ice.rlcf = api->rlcf;
    ice.ttl = RS_TURN_CHECK_TTL;
    ice.until = ngx_time() + RS_TURN_CHECK_TTL;
    ngx_str_set(&ice.participant_id, RS_TURN_CHECK_PARTICIPANT);

    if (ngx_http_rs_ice_region(r, &ice.region) != NGX_OK
        || ngx_http_rs_api_new_id(pool, RS_ID_SESSION, &ice.session_id)
           != NGX_OK
        || ngx_http_rs_ice_json(pool, &ice, &json) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (api->rlcf->turn) {
        ngx_http_rs_count(api->rmcf, NGX_HTTP_RS_STAT_ICE);
    }

    return ngx_http_rs_api_answer_text(api, &json);
}
