
/*
 * Copyright (C) rs-gateway contributors
 *
 * The node itself: whether it is being drained before maintenance.  The word
 * is in the node's shared memory; each worker finds it there and sends its
 * sockets away.  Nothing of it is in the store.
 */


#include "ngx_http_rs_api_internal.h"


/* longer is no time of a balancer any more */
#define NGX_HTTP_RS_API_DRAIN_AFTER_MAX  300   /* s */


typedef enum {
    NGX_HTTP_RS_API_DRAIN_SHOW = 0,
    NGX_HTTP_RS_API_DRAIN_ON,
    NGX_HTTP_RS_API_DRAIN_OFF
} ngx_http_rs_api_drain_e;


/* of the query; after_s of POST alone */

enum {
    NGX_HTTP_RS_API_DRAIN_NODE = 0,
    NGX_HTTP_RS_API_DRAIN_AFTER,
    NGX_HTTP_RS_API_DRAIN_ARGS
};


typedef struct {
    ngx_http_rs_api_drain_e     what;
    uint64_t                    after;         /* s */
    ngx_http_rs_api_arg_t       args[NGX_HTTP_RS_API_DRAIN_ARGS];
} ngx_http_rs_api_drain_t;


static ngx_int_t ngx_http_rs_api_drain(ngx_http_rs_api_t *api,
    ngx_http_rs_api_drain_e what);
static ngx_int_t ngx_http_rs_api_drain_allowed(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);
static json_t *ngx_http_rs_api_drain_json(ngx_http_rs_api_t *api);


/* GET /drain */

ngx_int_t
ngx_http_rs_api_drain_get(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_drain(api, NGX_HTTP_RS_API_DRAIN_SHOW);
}


/* POST /drain */

ngx_int_t
ngx_http_rs_api_drain_start(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_drain(api, NGX_HTTP_RS_API_DRAIN_ON);
}


/* DELETE /drain */

ngx_int_t
ngx_http_rs_api_drain_end(ngx_http_rs_api_t *api)
{
    return ngx_http_rs_api_drain(api, NGX_HTTP_RS_API_DRAIN_OFF);
}


static ngx_int_t
ngx_http_rs_api_drain(ngx_http_rs_api_t *api, ngx_http_rs_api_drain_e what)
{
    ngx_int_t                 rc;
    ngx_str_t                *after;
    ngx_http_rs_api_op_t     *aop;
    ngx_http_rs_api_drain_t  *drain;

    drain = ngx_pcalloc(api->request->pool, sizeof(ngx_http_rs_api_drain_t));
    if (drain == NULL) {
        return NGX_ERROR;
    }

    drain->what = what;
    ngx_str_set(&drain->args[NGX_HTTP_RS_API_DRAIN_NODE].name, "node");
    ngx_str_set(&drain->args[NGX_HTTP_RS_API_DRAIN_AFTER].name, "after_s");

    rc = ngx_http_rs_api_read_args(api, drain->args,
                                   (what == NGX_HTTP_RS_API_DRAIN_ON)
                                   ? NGX_HTTP_RS_API_DRAIN_ARGS
                                   : NGX_HTTP_RS_API_DRAIN_AFTER);
    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    after = &drain->args[NGX_HTTP_RS_API_DRAIN_AFTER].value;

    if (after->len
        && !rs_u64_parse(ngx_http_rs_slice(after),
                         NGX_HTTP_RS_API_DRAIN_AFTER_MAX, &drain->after))
    {
        return ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                                    "\"after_s\" must be 0 to 300", NULL);
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_drain_allowed, drain);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop, ngx_http_rs_store_auth(aop->op,
                                                            &api->caller));
}


static ngx_int_t
ngx_http_rs_api_drain_allowed(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_drain_t *drain = data;

    ngx_str_t  *name;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    name = &drain->args[NGX_HTTP_RS_API_DRAIN_NODE].value;

    if (name->len
        && !rs_str_eq(ngx_http_rs_slice(name),
                      ngx_http_rs_slice(&api->rmcf->node)))
    {
        /* a balancer chose another node than the operator meant */

        return ngx_http_rs_api_fail(api, RS_E_WRONG_NODE, NULL, NULL);
    }

    if (drain->what != NGX_HTTP_RS_API_DRAIN_SHOW) {
        ngx_http_rs_drain_node(api->rmcf,
                               drain->what == NGX_HTTP_RS_API_DRAIN_ON,
                               (time_t) drain->after);
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_OK,
                                  ngx_http_rs_api_drain_json(api));
}


static json_t *
ngx_http_rs_api_drain_json(ngx_http_rs_api_t *api)
{
    json_t                   *since;
    ngx_http_rs_sums_t       *sums;
    ngx_http_rs_zone_node_t  *node;

    sums = ngx_palloc(api->request->pool, sizeof(ngx_http_rs_sums_t));
    if (sums == NULL) {
        return NULL;
    }

    ngx_http_rs_zone_sum(api->rmcf->zone, sums);
    node = ngx_http_rs_zone_node(api->rmcf->zone);

    since = node->draining ? json_integer((json_int_t) node->draining_at)
                           : json_null();

    return json_pack("{ss%sbsos{sIsI}}",
                     "node", api->rmcf->node.data, api->rmcf->node.len,
                     "draining", node->draining ? 1 : 0,
                     "draining_at", since, "connections",
                     "participants",
                     (json_int_t)
                         sums->gauges[NGX_HTTP_RS_GAUGE_PARTICIPANTS],
                     "agents",
                     (json_int_t) sums->gauges[NGX_HTTP_RS_GAUGE_AGENTS]);
}
