
/*
 * Copyright (C) rs-gateway contributors
 *
 * POST /watch: a ticket for a socket on which the caller hears of changes.
 */


#include "ngx_http_rs_api_internal.h"


typedef struct {
    ngx_http_rs_store_participant_t  p;        /* its hash and origin */
    ngx_str_t                        ticket;
} ngx_http_rs_api_watch_t;


static ngx_int_t ngx_http_rs_api_watch_created(ngx_http_rs_api_t *api,
    void *data, rs_err_e code, ngx_rs_reply_t *reply);


ngx_int_t
ngx_http_rs_api_watch_create(ngx_http_rs_api_t *api)
{
    ngx_str_t                 id, hash;
    ngx_http_rs_api_op_t     *aop;
    ngx_http_rs_api_watch_t  *watch;

    watch = ngx_pcalloc(api->request->pool, sizeof(ngx_http_rs_api_watch_t));
    if (watch == NULL) {
        return NGX_ERROR;
    }

    /* a ticket names something: of this kind it is nobody's session */

    watch->p.origin = ngx_http_rs_api_origin(api);

    if (ngx_http_rs_api_new_id(api->request->pool, RS_ID_SESSION, &id)
        != NGX_OK
        || ngx_http_rs_api_ticket(api, &id, &watch->p, &watch->ticket)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    aop = ngx_http_rs_api_op(api, ngx_http_rs_api_watch_created, watch);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    hash.data = watch->p.ticket_hash;
    hash.len = sizeof(watch->p.ticket_hash);

    return ngx_http_rs_api_wait(aop,
               ngx_http_rs_store_watch_create(aop->op, &api->caller, &hash,
                                              api->rlcf->ticket_ttl,
                                              api->bearer ? api->bearer->exp
                                                          : 0));
}


static ngx_int_t
ngx_http_rs_api_watch_created(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_api_watch_t *watch = data;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    return ngx_http_rs_api_answer(api, NGX_HTTP_CREATED,
               json_pack("{s:o, s:I}",
                         "ticket", ngx_http_rs_api_text(watch->ticket),
                         "ticket_expires_at",
                         (json_int_t) (ngx_time() + api->rlcf->ticket_ttl)));
}
