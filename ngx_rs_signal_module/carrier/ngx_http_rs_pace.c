
/*
 * Copyright (C) rs-gateway contributors
 *
 * "rs_pipe_rate": what comes from the legs of a tenant at this node, over all
 * of its workers.
 *
 * A leg that is about to be read books a piece of 1/64 s of the rate.  The
 * queue for it is one number in shared memory (rs_pace), so legs of all
 * workers take turns, piece by piece, and a leg that has much to say stands
 * behind each one that has little.  What it may not read yet stays in its
 * socket, and TCP tells who sends.
 *
 * What a leg has booked and not read is its own, at most one piece: bytes cost
 * an atomic operation for each piece, and none without the directive.
 */


#include "ngx_http_rs.h"


#define NGX_HTTP_RS_PACE_LEAST  512      /* bytes: less is not worth a read */


void
ngx_http_rs_pace_init(ngx_http_rs_pace_t *pace, ngx_event_handler_pt handler,
    void *data, ngx_log_t *log)
{
    ngx_memzero(pace, sizeof(ngx_http_rs_pace_t));

    pace->timer.handler = handler;
    pace->timer.data = data;
    pace->timer.log = log;
    pace->timer.cancelable = 1;
}


size_t
ngx_http_rs_pace(ngx_http_rs_main_conf_t *rmcf, ngx_http_rs_pace_t *pace,
    ngx_str_t *tenant, size_t room)
{
    size_t      n;
    uint64_t    us;
    ngx_int_t   rc;

    if (rmcf->pipe_rate.rate == 0) {
        return room;
    }

    if (pace->timer.timer_set) {
        return 0;
    }

    if (pace->credit < NGX_HTTP_RS_PACE_LEAST) {

        if (pace->key == 0) {
            pace->key = ngx_http_rs_limit_pipes(rmcf, tenant);
        }

        n = rs_pace_quantum(&rmcf->pipe_rate);
        rc = ngx_http_rs_limit_bytes(rmcf, pace->key, n, &us);

        if (rc != NGX_OK || us) {
            pace->booked = (rc == NGX_OK) ? n : 0;

            ngx_add_timer(&pace->timer, (us + 999) / 1000);
            ngx_http_rs_count(rmcf, NGX_HTTP_RS_STAT_PIPE_WAIT);
            ngx_http_rs_gauge(rmcf, NGX_HTTP_RS_GAUGE_PIPE_WAITING, 1);

            return 0;
        }

        pace->credit += n;
    }

    return ngx_min(room, pace->credit);
}


void
ngx_http_rs_pace_spend(ngx_http_rs_pace_t *pace, size_t n)
{
    /* without the directive there never was any */

    pace->credit -= ngx_min(n, pace->credit);
}


void
ngx_http_rs_pace_wake(ngx_http_rs_main_conf_t *rmcf, ngx_http_rs_pace_t *pace)
{
    pace->credit += pace->booked;
    pace->booked = 0;

    ngx_http_rs_gauge(rmcf, NGX_HTTP_RS_GAUGE_PIPE_WAITING, -1);
}


void
ngx_http_rs_pace_stop(ngx_http_rs_main_conf_t *rmcf, ngx_http_rs_pace_t *pace)
{
    if (pace->timer.timer_set) {
        ngx_del_timer(&pace->timer);
        ngx_http_rs_gauge(rmcf, NGX_HTTP_RS_GAUGE_PIPE_WAITING, -1);
    }
}
