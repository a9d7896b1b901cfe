
/*
 * Copyright (C) rs-gateway contributors
 *
 * May the client of a pipe still?  Asked by the worker that has his leg: when
 * it has come, when a line of the fleet's channel concerns it, when lines may
 * have been missed, and each five minutes, which keeps the pipe in the store.
 * Rights are computed there and nowhere else.
 *
 * A no cuts it.  No answer does so before the first yes; later it is asked
 * again each second: a store that is away ends nothing that is there, but
 * "rs_stale_limit" does.
 */


#include "session/ngx_http_rs_pipe_internal.h"
#include "rs_watch.h"


#define NGX_HTTP_RS_PIPE_CHECK     300000      /* ms */
#define NGX_HTTP_RS_PIPE_RETRY     1000        /* ms, Redis being away */
#define NGX_HTTP_RS_PIPE_TIMER     86400000    /* ms: no timer is longer */


static void ngx_http_rs_pipe_check(ngx_http_rs_pipe_t *p);
static void ngx_http_rs_pipe_unanswered(ngx_http_rs_pipe_t *p);
static void ngx_http_rs_pipe_checked(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_pipe_until(ngx_http_rs_pipe_t *p, ngx_str_t at);
static void ngx_http_rs_pipe_ends_handler(ngx_event_t *ev);
static void ngx_http_rs_pipe_check_handler(ngx_event_t *ev);
static ngx_uint_t ngx_http_rs_pipe_concerns(ngx_http_rs_pipe_t *p,
    rs_watch_t *told);


void
ngx_http_rs_pipe_guard_init(ngx_http_rs_pipe_t *p)
{
    p->ends.handler = ngx_http_rs_pipe_ends_handler;
    p->check.handler = ngx_http_rs_pipe_check_handler;

    p->ends.data = p->check.data = p;
    p->ends.log = p->check.log = p->pipes->log;
    p->ends.cancelable = 1;
    p->check.cancelable = 1;
}


void
ngx_http_rs_pipe_guard(ngx_http_rs_pipe_t *p)
{
    p->guarded = 1;

    if (p->ends_at) {
        ngx_http_rs_pipe_ends_handler(&p->ends);
    }

    ngx_http_rs_pipe_check(p);
}


void
ngx_http_rs_pipe_guard_stop(ngx_http_rs_pipe_t *p)
{
    p->guarded = 0;

    if (p->ends.timer_set) {
        ngx_del_timer(&p->ends);
    }

    if (p->check.timer_set) {
        ngx_del_timer(&p->check);
    }
}


static void
ngx_http_rs_pipe_check(ngx_http_rs_pipe_t *p)
{
    ngx_http_rs_store_op_t    *op;
    ngx_http_rs_store_pipe_t   pipe;

    if (!p->guarded || p->relay.ending) {
        return;
    }

    if (p->asked) {
        p->again = 1;
        return;
    }

    ngx_add_timer(&p->check, NGX_HTTP_RS_PIPE_CHECK);

    ngx_memzero(&pipe, sizeof(ngx_http_rs_store_pipe_t));
    pipe.id = p->id;
    pipe.object = p->object;
    pipe.device_id = p->device_id;
    pipe.session = p->session;
    pipe.peer = ngx_http_rs_pipe_seat(p, RS_WS_SIDE_CLIENT)->peer;

    op = ngx_http_rs_store_op(p->pipes->rmcf->store,
                              ngx_http_rs_pipe_checked, p);

    if (op == NULL
        || ngx_http_rs_store_pipe_check(op, &p->who, &pipe) != NGX_OK)
    {
        ngx_http_rs_pipe_unanswered(p);
        return;
    }

    p->asked = 1;
    p->again = 0;
    p->refs++;
}


static void
ngx_http_rs_pipe_checked(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_pipe_t *p = data;

    p->asked = 0;

    if (p->guarded) {

        if (code == RS_OK) {
            p->allowed = 1;
            ngx_http_rs_pipe_until(p, ngx_rs_reply_str(reply, 1));
            ngx_http_rs_pipe_open(p);

        } else if (code == RS_E_UNAVAILABLE || code == RS_E_OVERLOADED) {
            ngx_http_rs_pipe_unanswered(p);

        } else {
            ngx_log_error(NGX_LOG_INFO, p->pipes->log, 0,
                          "rs pipe %V is cut: %s", &p->id,
                          rs_err_code(code));
            ngx_http_rs_relay_cut(&p->relay, code);
        }

        if (p->again) {
            ngx_http_rs_pipe_check(p);
        }
    }

    ngx_http_rs_pipe_unref(p);
}


static void
ngx_http_rs_pipe_unanswered(ngx_http_rs_pipe_t *p)
{
    if (!p->allowed) {
        ngx_http_rs_relay_cut(&p->relay, RS_E_UNAVAILABLE);
        return;
    }

    ngx_add_timer(&p->check, NGX_HTTP_RS_PIPE_RETRY);
}


/* the earlier of two ends counts */

static void
ngx_http_rs_pipe_until(ngx_http_rs_pipe_t *p, ngx_str_t at)
{
    uint64_t  s;

    if (!rs_u64_parse(ngx_http_rs_slice(&at), NGX_MAX_INT_T_VALUE, &s)
        || s == 0 || (p->ends_at && (time_t) s >= p->ends_at))
    {
        return;
    }

    p->ends_at = (time_t) s;

    ngx_http_rs_pipe_ends_handler(&p->ends);
}


static void
ngx_http_rs_pipe_ends_handler(ngx_event_t *ev)
{
    time_t               left;
    ngx_http_rs_pipe_t  *p;

    p = ev->data;
    left = p->ends_at - ngx_time();

    if (left > 0) {
        ngx_add_timer(ev, ngx_min((ngx_msec_t) left * 1000,
                                  NGX_HTTP_RS_PIPE_TIMER));
        return;
    }

    ngx_http_rs_relay_cut(&p->relay, p->session ? RS_E_SESSION_ENDED
                                                : RS_E_TUNNEL_ENDED);
}


static void
ngx_http_rs_pipe_check_handler(ngx_event_t *ev)
{
    ngx_http_rs_pipe_check(ev->data);
}


void
ngx_http_rs_pipe_told(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *line)
{
    rs_watch_t           told;
    ngx_queue_t         *q;
    ngx_http_rs_pipe_t  *p;

    /* one that is malformed was told as such by the watchers */

    if (!rs_watch_parse(ngx_http_rs_slice(line), &told)) {
        return;
    }

    for (q = ngx_queue_head(&rmcf->pipes->all);
         q != ngx_queue_sentinel(&rmcf->pipes->all);
         q = ngx_queue_next(q))
    {
        p = ngx_queue_data(q, ngx_http_rs_pipe_t, queue);

        if (p->guarded && ngx_http_rs_pipe_concerns(p, &told)) {
            ngx_http_rs_pipe_check(p);
        }
    }
}


static ngx_uint_t
ngx_http_rs_pipe_concerns(ngx_http_rs_pipe_t *p, rs_watch_t *told)
{
    if (!rs_str_eq(ngx_http_rs_slice(&p->tenant), told->tenant)) {
        return 0;
    }

    switch (told->what) {

    case RS_WATCH_RIGHTS:
        return 1;

    case RS_WATCH_DEVICE:
        return rs_str_eq(ngx_http_rs_slice(&p->device_id), told->id);

    default: /* a tunnel or a session */
        return rs_str_eq(ngx_http_rs_slice(&p->object), told->id);
    }
}


void
ngx_http_rs_pipe_catch_up(ngx_http_rs_main_conf_t *rmcf)
{
    ngx_queue_t         *q;
    ngx_http_rs_pipe_t  *p;

    for (q = ngx_queue_head(&rmcf->pipes->all);
         q != ngx_queue_sentinel(&rmcf->pipes->all);
         q = ngx_queue_next(q))
    {
        p = ngx_queue_data(q, ngx_http_rs_pipe_t, queue);

        if (p->guarded) {
            ngx_http_rs_pipe_check(p);
        }
    }
}
