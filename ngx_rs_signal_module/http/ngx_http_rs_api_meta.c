
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the gateway says of itself: version and features, health, interface.
 */


#include "ngx_http_rs_api_internal.h"


/* GET / */

ngx_int_t
ngx_http_rs_api_root(ngx_http_rs_api_t *api)
{
    json_t                   *json, *oidc;
    ngx_http_rs_oidc_conf_t  *conf;

    json = json_pack("{s:i, s:[s, s, s, s, s, s, s, s, s, s, s, s, s]}",
                     "api_version", NGX_HTTP_RS_API_VERSION,
                     "features", "sessions", "enrollments", "devices", "ice",
                     "resume", "groups", "policies", "grants", "keys",
                     "audit", "watch", "pipes", "render");

    if (json && ngx_http_rs_oidc_on(api->request)) {

        conf = &api->rlcf->oidc;

        oidc = json_pack("{s:o, s:o, s:o}",
                         "issuer", ngx_http_rs_api_text(conf->issuer),
                         "client_id", ngx_http_rs_api_text(conf->client_id),
                         "scope", ngx_http_rs_api_text(conf->scope));

        if (json_object_set_new(json, "oidc", oidc) != 0) {
            json_decref(json);
            return NGX_ERROR;
        }
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_OK, json);
}


ngx_int_t
ngx_http_rs_api_live(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_answer(api, NGX_HTTP_OK,
                                  json_pack("{s:s}", "status", "ok"));
}


ngx_int_t
ngx_http_rs_api_ready(ngx_http_rs_api_t *api)
{
    if (ngx_http_rs_drain_asked(api->rmcf)) {
        return ngx_http_rs_api_fail(api, RS_E_DRAINING, NULL, NULL);
    }

    if (!ngx_http_rs_store_admits(api->rmcf->store)
        || !ngx_http_rs_presence_ready(api->rmcf->presence)
        || !ngx_http_rs_bus_ready(api->rmcf->bus))
    {
        return ngx_http_rs_api_fail(api, RS_E_UNAVAILABLE, NULL, NULL);
    }

    return ngx_http_rs_api_live(api);
}


ngx_int_t
ngx_http_rs_api_openapi(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_answer_text(api, &ngx_http_rs_openapi);
}
