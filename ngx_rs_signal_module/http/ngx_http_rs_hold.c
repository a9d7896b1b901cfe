
/*
 * Copyright (C) rs-gateway contributors
 *
 * Holds requests of a worker that has only just started, until its links
 * stand, rs_redis_connect_timeout after its start at latest.  Later losses of
 * the store are answered at once: who waits then would wait for long.
 */


#include "ngx_http_rs.h"


#define NGX_HTTP_RS_HOLD_STEP  10      /* ms */


static ngx_int_t ngx_http_rs_hold_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_http_rs_hold_live(ngx_http_request_t *r);
static void ngx_http_rs_hold_delay(ngx_http_request_t *r);


static ngx_int_t
ngx_http_rs_hold_handler(ngx_http_request_t *r)
{
    ngx_event_t              *wev;
    ngx_http_rs_loc_conf_t   *rlcf;
    ngx_http_rs_main_conf_t  *rmcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rs_signal_module);

    if (!rlcf->gateway || r != r->main) {
        return NGX_DECLINED;
    }

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rs_signal_module);

    if (rmcf->store == NULL
        || ngx_current_msec - rmcf->started >= rmcf->redis.connect_timeout
        || (ngx_http_rs_store_admits(rmcf->store)
            && ngx_http_rs_presence_ready(rmcf->presence)
            && ngx_http_rs_bus_ready(rmcf->bus))
        || ngx_http_rs_hold_live(r))
    {
        return NGX_DECLINED;
    }

    wev = r->connection->write;

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_rs_hold_delay;

    wev->delayed = 1;
    ngx_add_timer(wev, NGX_HTTP_RS_HOLD_STEP);

    return NGX_AGAIN;
}


/* it lives, whatever its links do */

static ngx_uint_t
ngx_http_rs_hold_live(ngx_http_request_t *r)
{
    ngx_str_t  path;

    return ngx_http_rs_api_path(r, &path) == NGX_OK
           && path.len == sizeof("/health/live") - 1
           && ngx_memcmp(path.data, "/health/live", path.len) == 0;
}


static void
ngx_http_rs_hold_delay(ngx_http_request_t *r)
{
    ngx_event_t  *wev;

    wev = r->connection->write;

    if (wev->delayed && !wev->timedout) {

        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        }

        return;
    }

    wev->delayed = 0;
    wev->timedout = 0;

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
}


ngx_int_t
ngx_http_rs_hold_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_rs_hold_handler;

    return NGX_OK;
}
