
/*
 * Copyright (C) rs-gateway contributors
 *
 * Calls whose effect must not be forgotten by a failover: a used ticket, an
 * ended session, a deleted object, a device's new owner.  Their handlers run
 * when enough replicas have confirmed them, or with RS_E_UNCERTAIN.
 *
 * WAIT blocks the connection it is sent on, hence a link of its own, and
 * what comes meanwhile is gathered: calls go in batches,
 *
 *     FCALL ... FCALL ... FCALL, and when all are answered: WAIT
 *
 * A refusal has changed nothing: it is told at once, and when there is nothing
 * else no WAIT is sent, so that wrong tickets keep nobody waiting.  What comes
 * before the WAIT joins the batch, what comes after is queued for the next
 * one.  So the number of WAITs is bounded by how fast replicas answer, not by
 * how many calls there are.
 *
 * Deadlines: of the time that "rs_redis_timeout" leaves beside the WAIT, one
 * half is for waiting in the queue (what is older is not sent), the rest for
 * the batch.  Together a call ends within "rs_redis_timeout", like all others.
 *
 * Invariants
 *   - ncalls is not zero from the first call of a batch until its end; what is
 *     queued then is either more than a batch, or came after the WAIT.
 *   - owed is the number of replies to come.  A lost link gives them, too:
 *     what was answered by then has happened, and is uncertain.
 *   - A batch is told in turns, for its handlers are many and other sockets
 *     wait; an exiting worker waits for these turns.
 */


#include "ngx_http_rs.h"
#include "store/ngx_http_rs_store_call.h"


#define NGX_HTTP_RS_DURABLE_BATCH  128
#define NGX_HTTP_RS_DURABLE_TURN   32      /* handlers run at once */


struct ngx_http_rs_durable_s {
    ngx_http_rs_store_t        *store;
    ngx_rs_redis_t             *redis;
    ngx_rs_redis_conf_t         conf;          /* with deadlines of its own */

    ngx_uint_t                  max;           /* calls in the queue */
    ngx_msec_t                  patience;      /* of a call there */
    ngx_msec_t                  limit;         /* of a batch */

    ngx_queue_t                 queued;
    ngx_uint_t                  nqueued;

    ngx_queue_t                 batch;         /* sent, not refused */
    ngx_uint_t                  ncalls;        /* sent, of this batch */
    ngx_uint_t                  owed;
    ngx_msec_t                  started;
    ngx_uint_t                  waiting;       /* its WAIT was sent */

    ngx_queue_t                 told;          /* to be told, oldest first */
    ngx_event_t                 turn;

    time_t                      logged;        /* last one at WARN */
};


static void ngx_http_rs_durable_state(void *data, ngx_uint_t up);
static ngx_int_t ngx_http_rs_durable_queue(ngx_http_rs_durable_t *d,
    ngx_http_rs_store_op_t *op, ngx_uint_t argc, ngx_str_t *argv);
static ngx_int_t ngx_http_rs_durable_call(ngx_http_rs_durable_t *d,
    ngx_http_rs_store_op_t *op, ngx_uint_t argc, ngx_str_t *argv);
static void ngx_http_rs_durable_reply(void *data, ngx_rs_reply_t *reply);
static void ngx_http_rs_durable_commit(ngx_http_rs_durable_t *d);
static ngx_int_t ngx_http_rs_durable_wait(ngx_http_rs_durable_t *d);
static ngx_msec_t ngx_http_rs_durable_left(ngx_http_rs_durable_t *d);
static void ngx_http_rs_durable_waited(void *data, ngx_rs_reply_t *reply);
static void ngx_http_rs_durable_done(ngx_http_rs_durable_t *d,
    ngx_uint_t confirmed);
static void ngx_http_rs_durable_next(ngx_http_rs_durable_t *d);
static void ngx_http_rs_durable_turn(ngx_event_t *ev);
static void ngx_http_rs_durable_tell(ngx_http_rs_durable_t *d, ngx_uint_t n);


ngx_http_rs_durable_t *
ngx_http_rs_durable_create(ngx_http_rs_store_t *store,
    ngx_rs_redis_conf_t *conf)
{
    ngx_http_rs_durable_t  *d;

    d = ngx_calloc(sizeof(ngx_http_rs_durable_t), store->log);
    if (d == NULL) {
        return NULL;
    }

    d->store = store;
    d->max = conf->inflight;
    d->patience = (conf->timeout - conf->wait_timeout) / 2;
    d->limit = conf->timeout - d->patience;

    d->conf = *conf;
    d->conf.name = "confirmed commands";
    d->conf.inflight = NGX_HTTP_RS_DURABLE_BATCH;

    ngx_queue_init(&d->queued);
    ngx_queue_init(&d->batch);
    ngx_queue_init(&d->told);

    d->turn.handler = ngx_http_rs_durable_turn;
    d->turn.data = d;
    d->turn.log = store->log;

    d->redis = ngx_rs_redis_create(&d->conf, store->log,
                                   ngx_http_rs_durable_state, d);
    if (d->redis == NULL) {
        ngx_free(d);
        return NULL;
    }

    return d;
}


void
ngx_http_rs_durable_destroy(ngx_http_rs_durable_t *d)
{
    /* ends what is under way, and by that what is queued */

    ngx_rs_redis_destroy(d->redis);

    while (!ngx_queue_empty(&d->told)) {
        ngx_http_rs_durable_tell(d, NGX_HTTP_RS_DURABLE_TURN);
    }

    if (d->turn.timer_set) {
        ngx_del_timer(&d->turn);
    }

    ngx_free(d);
}


ngx_uint_t
ngx_http_rs_durable_up(ngx_http_rs_durable_t *d)
{
    return ngx_rs_redis_up(d->redis);
}


ngx_str_t *
ngx_http_rs_durable_replid(ngx_http_rs_durable_t *d)
{
    return ngx_rs_redis_replid(d->redis);
}


/* who needs the link asks for it; a lost one ends its batch by itself */

static void
ngx_http_rs_durable_state(void *data, ngx_uint_t up)
{
}


ngx_int_t
ngx_http_rs_durable_send(ngx_http_rs_durable_t *d,
    ngx_http_rs_store_op_t *op, ngx_uint_t argc, ngx_str_t *argv)
{
    if (!ngx_rs_redis_up(d->redis)) {
        return NGX_BUSY;
    }

    if (d->waiting || d->ncalls == NGX_HTTP_RS_DURABLE_BATCH) {
        return ngx_http_rs_durable_queue(d, op, argc, argv);
    }

    return ngx_http_rs_durable_call(d, op, argc, argv);
}


static ngx_int_t
ngx_http_rs_durable_queue(ngx_http_rs_durable_t *d,
    ngx_http_rs_store_op_t *op, ngx_uint_t argc, ngx_str_t *argv)
{
    size_t       size;
    u_char      *p;
    ngx_uint_t   i;

    if (d->nqueued >= d->max) {
        return NGX_BUSY;
    }

    size = argc * sizeof(ngx_str_t);

    for (i = 0; i < argc; i++) {
        size += argv[i].len;
    }

    op->argv = ngx_alloc(size, d->store->log);
    if (op->argv == NULL) {
        return NGX_BUSY;
    }

    op->argc = argc;
    op->since = ngx_current_msec;

    p = (u_char *) (op->argv + argc);

    for (i = 0; i < argc; i++) {
        op->argv[i].data = p;
        op->argv[i].len = argv[i].len;

        if (argv[i].len) {
            p = ngx_cpymem(p, argv[i].data, argv[i].len);
        }
    }

    ngx_queue_insert_tail(&d->queued, &op->queue);
    d->nqueued++;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rs_durable_call(ngx_http_rs_durable_t *d, ngx_http_rs_store_op_t *op,
    ngx_uint_t argc, ngx_str_t *argv)
{
    if (d->ncalls == 0) {
        d->started = ngx_current_msec;
    }

    /* the link has the conf to look at, and this is its deadline */

    d->conf.timeout = ngx_http_rs_durable_left(d);

    if (ngx_rs_redis_command(d->redis, argc, argv, ngx_http_rs_durable_reply,
                             op)
        != NGX_OK)
    {
        return NGX_BUSY;
    }

    ngx_queue_insert_tail(&d->batch, &op->queue);
    d->ncalls++;
    d->owed++;

    return NGX_OK;
}


static void
ngx_http_rs_durable_reply(void *data, ngx_rs_reply_t *reply)
{
    ngx_http_rs_store_op_t *op = data;

    ngx_uint_t              flags;
    ngx_http_rs_store_t    *store;
    ngx_http_rs_durable_t  *d;

    store = op->store;
    d = store->durable;

    d->owed--;

    op->rc = ngx_http_rs_store_status(store, reply, &flags);

    if (op->rc == RS_OK || (op->rc == RS_E_NOT_FOUND && op->gone)) {

        op->reply = ngx_rs_reply_copy(reply, store->log);

        if (op->reply == NULL) {
            op->rc = RS_E_UNCERTAIN;
        }

    } else if (reply) {
        ngx_queue_remove(&op->queue);
        ngx_http_rs_store_tell(op, op->rc, reply);
    }

    if (d->owed == 0) {
        ngx_http_rs_durable_commit(d);
    }

    ngx_http_rs_store_act(store, d->redis, flags);
}


/* all calls of the batch are answered */

static void
ngx_http_rs_durable_commit(ngx_http_rs_durable_t *d)
{
    if (ngx_queue_empty(&d->batch)
        || ngx_http_rs_durable_wait(d) != NGX_OK)
    {
        ngx_http_rs_durable_done(d, 0);
    }
}


static ngx_int_t
ngx_http_rs_durable_wait(ngx_http_rs_durable_t *d)
{
    u_char      replicas[NGX_INT_T_LEN], timeout[NGX_INT_T_LEN];
    ngx_str_t   argv[3];
    ngx_msec_t  left;

    /* its answer comes before its deadline, and 0 would be for ever */

    left = ngx_http_rs_durable_left(d);
    left = ngx_max(left - left / 4, 1);

    ngx_str_set(&argv[0], "WAIT");

    argv[1].data = replicas;
    argv[1].len = ngx_sprintf(replicas, "%ui", d->conf.wait_replicas)
                  - replicas;

    argv[2].data = timeout;
    argv[2].len = ngx_sprintf(timeout, "%M",
                              ngx_min(d->conf.wait_timeout, left))
                  - timeout;

    d->conf.timeout = ngx_http_rs_durable_left(d);

    if (ngx_rs_redis_command(d->redis, 3, argv, ngx_http_rs_durable_waited, d)
        != NGX_OK)
    {
        return NGX_BUSY;
    }

    d->waiting = 1;
    d->owed++;

    return NGX_OK;
}


static ngx_msec_t
ngx_http_rs_durable_left(ngx_http_rs_durable_t *d)
{
    ngx_msec_t  passed;

    passed = ngx_current_msec - d->started;

    return passed < d->limit ? d->limit - passed : 1;
}


static void
ngx_http_rs_durable_waited(void *data, ngx_rs_reply_t *reply)
{
    ngx_http_rs_durable_t *d = data;

    int64_t     n, wanted;
    ngx_str_t   text;
    ngx_uint_t  level, flags;

    n = ngx_rs_reply_number(reply);
    wanted = d->conf.wait_replicas;

    if (ngx_rs_reply_error(reply, &text)) {
        /* says so in the log */
        (void) ngx_http_rs_store_status(d->store, reply, &flags);

    } else if (n >= 0 && n < wanted) {

        level = (d->logged == ngx_time()) ? NGX_LOG_INFO : NGX_LOG_WARN;
        d->logged = ngx_time();

        ngx_log_error(level, d->store->log, 0,
                      "rs store: %L replicas have confirmed within %M ms, "
                      "\"rs_redis_wait\" wants %L", n, d->conf.wait_timeout,
                      wanted);
    }

    d->owed--;
    d->waiting = 0;

    ngx_http_rs_durable_done(d, n >= wanted);
}


/* the batch is over; the next one is sent before anybody is told */

static void
ngx_http_rs_durable_done(ngx_http_rs_durable_t *d, ngx_uint_t confirmed)
{
    ngx_queue_t             *q;
    ngx_http_rs_store_op_t  *op;

    while (!ngx_queue_empty(&d->batch)) {
        q = ngx_queue_head(&d->batch);
        ngx_queue_remove(q);

        op = ngx_queue_data(q, ngx_http_rs_store_op_t, queue);

        if (!confirmed && op->rc != RS_E_UNAVAILABLE) {
            op->rc = RS_E_UNCERTAIN;
        }

        ngx_queue_insert_tail(&d->told, q);
    }

    d->ncalls = 0;

    ngx_http_rs_durable_next(d);

    if (!d->turn.timer_set) {
        ngx_http_rs_durable_turn(&d->turn);
    }
}


static void
ngx_http_rs_durable_next(ngx_http_rs_durable_t *d)
{
    ngx_queue_t             *q;
    ngx_http_rs_store_op_t  *op;

    while (d->nqueued && d->ncalls < NGX_HTTP_RS_DURABLE_BATCH) {
        q = ngx_queue_head(&d->queued);
        ngx_queue_remove(q);
        d->nqueued--;

        op = ngx_queue_data(q, ngx_http_rs_store_op_t, queue);

        if (ngx_current_msec - op->since > d->patience
            || ngx_http_rs_durable_call(d, op, op->argc, op->argv) != NGX_OK)
        {
            op->rc = RS_E_UNAVAILABLE;
            ngx_queue_insert_tail(&d->told, q);
        }

        ngx_free(op->argv);
        op->argv = NULL;
    }
}


static void
ngx_http_rs_durable_turn(ngx_event_t *ev)
{
    ngx_http_rs_durable_t *d = ev->data;

    ngx_http_rs_durable_tell(d, NGX_HTTP_RS_DURABLE_TURN);

    if (!ngx_queue_empty(&d->told) && !ev->timer_set) {
        ngx_add_timer(ev, 1);
    }
}


static void
ngx_http_rs_durable_tell(ngx_http_rs_durable_t *d, ngx_uint_t n)
{
    ngx_queue_t             *q;
    ngx_rs_reply_t          *reply;
    ngx_http_rs_store_op_t  *op;

    while (n-- && !ngx_queue_empty(&d->told)) {
        q = ngx_queue_head(&d->told);
        ngx_queue_remove(q);

        op = ngx_queue_data(q, ngx_http_rs_store_op_t, queue);
        reply = op->reply;

        ngx_http_rs_store_tell(op, op->rc, reply);

        if (reply) {
            ngx_free(reply);
        }
    }
}
