
/*
 * Copyright (C) rs-gateway contributors
 *
 * Sends the sockets of a worker away: `goaway`, then close 1012.
 *
 * The ids of all sockets are taken down and shuffled once, so that neither
 * kind of socket, nor those of one moment, go as a burst.  Each tick sends
 * away those whose share of rs_drain_time has passed, a bounded number in one
 * round of the event loop.  Who went by itself is skipped, and so are legs of
 * pipes.  When the window is over whoever is left in the tree follows.
 *
 * A node that is drained by REST says so in its zone; its workers look there
 * once a second.  They take no new sockets from the moment it is said, or from
 * a later one that was said with it.
 *
 * A worker that ends is kept alive by this timer alone, the only one of the
 * module that is not cancelable besides the last seconds of a socket; it goes
 * with the last socket.
 */


#include "ngx_http_rs_conn_io.h"


#define NGX_HTTP_RS_DRAIN_WATCH    1000   /* ms */
#define NGX_HTTP_RS_DRAIN_TICK     100    /* ms */
#define NGX_HTTP_RS_DRAIN_BATCH    64     /* sockets in one round */

/* before worker_shutdown_timeout, for the last ones to end */
#define NGX_HTTP_RS_DRAIN_SPARE    (NGX_HTTP_RS_CLOSE_TIMEOUT + 500)

/* told to the client: its own share of the spread */
#define NGX_HTTP_RS_DRAIN_JITTER   500    /* ms, when drained slice by slice */
#define NGX_HTTP_RS_BURST_JITTER   2000   /* ms, when all are told at once */


static void ngx_http_rs_drain_look(ngx_event_t *ev);
static ngx_uint_t ngx_http_rs_drain_begun(ngx_http_rs_main_conf_t *rmcf);
static void ngx_http_rs_drain_follow(ngx_http_rs_main_conf_t *rmcf);
static void ngx_http_rs_drain_start(ngx_http_rs_conns_t *conns,
    ngx_msec_t window);
static ngx_msec_t ngx_http_rs_drain_window(ngx_http_rs_main_conf_t *rmcf);
static void ngx_http_rs_drain_collect(ngx_http_rs_conns_t *conns);
static void ngx_http_rs_drain_tick(ngx_event_t *ev);
static ngx_uint_t ngx_http_rs_drain_due(ngx_http_rs_drain_t *drain);
static ngx_uint_t ngx_http_rs_drain_rest(ngx_http_rs_conns_t *conns);


void
ngx_http_rs_drain_init(ngx_http_rs_conns_t *conns, ngx_log_t *log)
{
    conns->drain.tick.handler = ngx_http_rs_drain_tick;
    conns->drain.tick.data = conns;
    conns->drain.tick.log = log;
}


void
ngx_http_rs_drain_watch(ngx_http_rs_main_conf_t *rmcf)
{
    ngx_event_t  *ev;

    ev = &rmcf->conns->drain.watch;

    ev->handler = ngx_http_rs_drain_look;
    ev->data = rmcf;
    ev->log = rmcf->conns->drain.tick.log;
    ev->cancelable = 1;

    ngx_add_timer(ev, NGX_HTTP_RS_DRAIN_WATCH);
}


static void
ngx_http_rs_drain_look(ngx_event_t *ev)
{
    ngx_http_rs_drain_follow(ev->data);

    ngx_add_timer(ev, NGX_HTTP_RS_DRAIN_WATCH);
}


void
ngx_http_rs_drain_node(ngx_http_rs_main_conf_t *rmcf, ngx_uint_t on,
    time_t after)
{
    ngx_atomic_uint_t         from;
    ngx_http_rs_zone_node_t  *node;

    node = ngx_http_rs_zone_node(rmcf->zone);
    from = ngx_time() + after;

    if (on && (!node->draining || from < node->drain_from)) {
        node->drain_from = from;
    }

    if (on && !node->draining) {
        node->draining_at = ngx_time();
    }

    node->draining = on;

    ngx_http_rs_drain_follow(rmcf);
}


ngx_uint_t
ngx_http_rs_drain_asked(ngx_http_rs_main_conf_t *rmcf)
{
    ngx_http_rs_drain_follow(rmcf);

    return ngx_http_rs_zone_node(rmcf->zone)->draining;
}


/* who asks may take a socket: this worker has to have heard by then */

ngx_uint_t
ngx_http_rs_draining(ngx_http_rs_main_conf_t *rmcf)
{
    ngx_http_rs_drain_follow(rmcf);

    return ngx_http_rs_drain_begun(rmcf);
}


static ngx_uint_t
ngx_http_rs_drain_begun(ngx_http_rs_main_conf_t *rmcf)
{
    ngx_http_rs_zone_node_t  *node;

    node = ngx_http_rs_zone_node(rmcf->zone);

    return node->draining
           && (ngx_atomic_uint_t) ngx_time() >= node->drain_from;
}


static void
ngx_http_rs_drain_follow(ngx_http_rs_main_conf_t *rmcf)
{
    ngx_uint_t            draining;
    ngx_http_rs_drain_t  *drain;

    drain = &rmcf->conns->drain;
    draining = ngx_http_rs_drain_begun(rmcf);

    if (drain->exiting || draining == drain->on) {
        return;
    }

    if (draining) {
        ngx_http_rs_drain_start(rmcf->conns, rmcf->drain_time);
        return;
    }

    drain->on = 0;
    ngx_http_rs_drain_stop(rmcf->conns);

    ngx_log_error(NGX_LOG_NOTICE, drain->tick.log, 0, "rs drain called off");
}


void
ngx_http_rs_drain_exit(ngx_http_rs_main_conf_t *rmcf)
{
    ngx_msec_t            window, passed;
    ngx_http_rs_drain_t  *drain;

    drain = &rmcf->conns->drain;

    if (drain->exiting) {
        return;
    }

    drain->exiting = 1;
    window = ngx_http_rs_drain_window(rmcf);

    if (drain->on) {
        /* the node was being drained already */

        passed = ngx_current_msec - drain->started;
        drain->window = ngx_min(drain->window, passed + window);

        return;
    }

    ngx_http_rs_drain_start(rmcf->conns, window);
}


/* what is left at worker_shutdown_timeout nginx cuts off without a word */

static ngx_msec_t
ngx_http_rs_drain_window(ngx_http_rs_main_conf_t *rmcf)
{
    ngx_msec_t        limit;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);
    limit = ccf->shutdown_timeout;

    if (limit == 0) {
        return rmcf->drain_time;
    }

    limit = limit > NGX_HTTP_RS_DRAIN_SPARE
            ? limit - NGX_HTTP_RS_DRAIN_SPARE : 0;

    return ngx_min(rmcf->drain_time, limit);
}


static void
ngx_http_rs_drain_start(ngx_http_rs_conns_t *conns, ngx_msec_t window)
{
    ngx_http_rs_drain_t  *drain;

    drain = &conns->drain;

    drain->on = 1;
    drain->started = ngx_current_msec;
    drain->window = window;

    ngx_http_rs_drain_collect(conns);

    ngx_add_timer(&drain->tick, 1);

    ngx_log_error(NGX_LOG_NOTICE, drain->tick.log, 0,
                  "rs drain of %ui sockets over %Mms", conns->count, window);
}


/* without memory for the list all go as "the rest" */

static void
ngx_http_rs_drain_collect(ngx_http_rs_conns_t *conns)
{
    uint64_t              id;
    ngx_uint_t            i, n;
    ngx_http_rs_ws_t     *ws;
    ngx_rbtree_node_t    *node;
    ngx_http_rs_drain_t  *drain;

    drain = &conns->drain;

    drain->n = 0;
    drain->next = 0;

    if (conns->count == 0) {
        return;
    }

    drain->ids = ngx_alloc(conns->count * sizeof(uint64_t), drain->tick.log);
    if (drain->ids == NULL) {
        return;
    }

    for (node = ngx_rbtree_min(conns->tree.root, conns->tree.sentinel);
         node && drain->n < conns->count;
         node = ngx_rbtree_next(&conns->tree, node))
    {
        ws = ngx_rbtree_data(node, ngx_http_rs_ws_t, node);
        drain->ids[drain->n++] = ws->head.id;
    }

    for (n = drain->n; n > 1; n--) {
        i = (ngx_uint_t) ngx_random() % n;

        id = drain->ids[i];
        drain->ids[i] = drain->ids[n - 1];
        drain->ids[n - 1] = id;
    }
}


void
ngx_http_rs_drain_stop(ngx_http_rs_conns_t *conns)
{
    ngx_http_rs_drain_t  *drain;

    drain = &conns->drain;

    if (drain->tick.timer_set) {
        ngx_del_timer(&drain->tick);
    }

    if (drain->ids) {
        ngx_free(drain->ids);
        drain->ids = NULL;
    }

    drain->n = 0;
    drain->next = 0;
}


static void
ngx_http_rs_drain_tick(ngx_event_t *ev)
{
    ngx_http_rs_conns_t *conns = ev->data;

    ngx_uint_t            i, due, jitter;
    ngx_http_rs_ws_t     *ws;
    ngx_http_rs_drain_t  *drain;

    drain = &conns->drain;

    if (conns->count == 0) {
        ngx_http_rs_drain_stop(conns);
        return;
    }

    jitter = drain->window ? NGX_HTTP_RS_DRAIN_JITTER
                           : NGX_HTTP_RS_BURST_JITTER;

    due = ngx_http_rs_drain_due(drain);

    for (i = 0; i < NGX_HTTP_RS_DRAIN_BATCH && drain->next < due; i++) {

        ws = ngx_http_rs_conn_lookup(conns, drain->ids[drain->next++]);

        /* a pipe cannot be taken up again: it has all of the window */

        if (ws && (ws->head.handlers->leg == NULL || drain->window == 0)) {
            ngx_http_rs_conn_goaway(ws, jitter);
        }
    }

    if (drain->next < due
        || (drain->next == drain->n
            && ngx_http_rs_drain_rest(conns) == NGX_HTTP_RS_DRAIN_BATCH))
    {
        /* other events first */
        ngx_add_timer(&drain->tick, 1);
        return;
    }

    ngx_add_timer(&drain->tick, NGX_HTTP_RS_DRAIN_TICK);
}


static ngx_uint_t
ngx_http_rs_drain_due(ngx_http_rs_drain_t *drain)
{
    ngx_msec_t  passed;

    passed = ngx_current_msec - drain->started;

    if (passed >= drain->window) {
        return drain->n;
    }

    return (ngx_uint_t) ((uint64_t) drain->n * passed / drain->window);
}


/* those that are not on the list; the number that was told now */

static ngx_uint_t
ngx_http_rs_drain_rest(ngx_http_rs_conns_t *conns)
{
    ngx_uint_t          n;
    ngx_http_rs_ws_t   *ws;
    ngx_rbtree_node_t  *node;

    if (ngx_current_msec - conns->drain.started < conns->drain.window
        && conns->drain.n)
    {
        return 0;
    }

    n = 0;

    for (node = ngx_rbtree_min(conns->tree.root, conns->tree.sentinel);
         node && n < NGX_HTTP_RS_DRAIN_BATCH;
         node = ngx_rbtree_next(&conns->tree, node))
    {
        ws = ngx_rbtree_data(node, ngx_http_rs_ws_t, node);

        if (!ws->head.closing) {
            ngx_http_rs_conn_goaway(ws, NGX_HTTP_RS_BURST_JITTER);
            n++;
        }
    }

    return n;
}
