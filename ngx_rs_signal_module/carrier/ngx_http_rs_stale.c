
/*
 * Copyright (C) rs-gateway contributors
 *
 * One timer, armed while commands or messages are cut off.  Once it has
 * fired, sockets are closed with 1013 a few in each tick, until all have gone
 * or Redis is back; those that stay then catch up.
 */


#include "ngx_http_rs_conn_io.h"
#include "carrier/ngx_http_rs_stale.h"


#define NGX_HTTP_RS_STALE_TICK   50      /* ms */
#define NGX_HTTP_RS_STALE_BATCH  32      /* sockets in one tick */


struct ngx_http_rs_stale_s {
    ngx_http_rs_main_conf_t    *rmcf;
    ngx_event_t                 timer;
    unsigned                    told:1;
};


static void ngx_http_rs_stale_handler(ngx_event_t *ev);
static void ngx_http_rs_stale_close(ngx_http_rs_conns_t *conns);


ngx_http_rs_stale_t *
ngx_http_rs_stale_create(ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log)
{
    ngx_http_rs_stale_t  *stale;

    stale = ngx_calloc(sizeof(ngx_http_rs_stale_t), log);
    if (stale == NULL) {
        return NULL;
    }

    stale->rmcf = rmcf;

    stale->timer.handler = ngx_http_rs_stale_handler;
    stale->timer.data = stale;
    stale->timer.log = log;
    stale->timer.cancelable = 1;

    return stale;
}


void
ngx_http_rs_stale_destroy(ngx_http_rs_stale_t *stale)
{
    if (stale->timer.timer_set) {
        ngx_del_timer(&stale->timer);
    }

    ngx_free(stale);
}


void
ngx_http_rs_stale_check(ngx_http_rs_stale_t *stale)
{
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = stale->rmcf;

    if (ngx_http_rs_store_ready(rmcf->store)
        && ngx_http_rs_bus_ready(rmcf->bus))
    {
        stale->told = 0;

        if (stale->timer.timer_set) {
            ngx_del_timer(&stale->timer);
        }

        return;
    }

    /* the later of two losses does not begin anew */

    if (!stale->timer.timer_set) {
        ngx_add_timer(&stale->timer, rmcf->stale_limit);
    }
}


static void
ngx_http_rs_stale_handler(ngx_event_t *ev)
{
    ngx_http_rs_conns_t  *conns;
    ngx_http_rs_stale_t  *stale;

    stale = ev->data;
    conns = stale->rmcf->conns;

    if (!stale->told && conns->count) {
        stale->told = 1;

        ngx_log_error(NGX_LOG_ERR, ev->log, 0,
                      "rs stale: cut off from Redis for %M ms, "
                      "\"rs_stale_limit\": %ui sockets are closed",
                      stale->rmcf->stale_limit, conns->count);
    }

    /*
     * Nobody is let in while Redis is away, but who has been let in just
     * before may still be on the way into the tree.
     */

    ngx_http_rs_stale_close(conns);

    ngx_add_timer(ev, NGX_HTTP_RS_STALE_TICK);
}


static void
ngx_http_rs_stale_close(ngx_http_rs_conns_t *conns)
{
    ngx_uint_t          n;
    ngx_http_rs_ws_t   *ws;
    ngx_rbtree_node_t  *node;

    n = 0;

    if (conns->count == 0) {
        return;
    }

    for (node = ngx_rbtree_min(conns->tree.root, conns->tree.sentinel);
         node && n < NGX_HTTP_RS_STALE_BATCH;
         node = ngx_rbtree_next(&conns->tree, node))
    {
        ws = ngx_rbtree_data(node, ngx_http_rs_ws_t, node);

        if (!ws->head.closing) {
            ngx_http_rs_conn_close(&ws->head, RS_E_UNAVAILABLE,
                                   "The gateway has been cut off from its "
                                   "store for too long");
            n++;
        }
    }
}
