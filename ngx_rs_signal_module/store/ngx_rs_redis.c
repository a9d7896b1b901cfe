
/*
 * Copyright (C) rs-gateway contributors
 *
 * The life of one link to Redis.
 *
 *     DOWN -> LOCATING -> CONNECTING -> HANDSHAKE -> UP
 *
 * There is one way in (where is the server?), one way up (the table of steps
 * in ngx_rs_redis_steps.c), all of it under rs_redis_connect_timeout, and one
 * way down (ngx_rs_redis_down).
 *
 * Invariants
 *   - Commands are taken in UP only; the handshake never mixes with them.
 *   - Replies are positional: the queue of pending commands is in the order
 *     they were sent, so the head is always the oldest and one timer is
 *     enough.  A command past its deadline takes the link down, because its
 *     reply could not be skipped.  The server has all of that time: it begins
 *     when the command is sent, and what came by its end is read first, for
 *     a worker that was busy or stopped gets to its timers before its sockets.
 *   - Whoever is called back may destroy or reset the link: the struct stays
 *     until the outermost event handler leaves (wire.busy).
 *   - An exiting worker waits for pending commands, and for nothing else of
 *     this file: the deadline timer is cancelable while nothing is pending,
 *     the others always.
 */


#include "ngx_rs_redis_link.h"


#define NGX_RS_REDIS_BACKOFF_MIN   100     /* ms, half of it is jitter */
#define NGX_RS_REDIS_BACKOFF_MAX   2000    /* ms */
#define NGX_RS_REDIS_BACKOFF_SOON  400     /* ms, where Sentinel is asked */
#define NGX_RS_REDIS_STABLE        5000    /* ms up that clear the backoff */


typedef struct {
    ngx_queue_t                  queue;
    ngx_rs_redis_reply_pt        handler;
    void                        *data;
    ngx_msec_t                   timeout;
    uint64_t                     sent;         /* us; until then: asked for */
    uint64_t                     cpu;          /* us, our own at that time */
    unsigned                     urgent:1;
    unsigned                     left:1;       /* is sent */
} ngx_rs_redis_pending_t;


static ngx_rs_redis_t *ngx_rs_redis_alloc(ngx_rs_redis_conf_t *conf,
    ngx_log_t *log, size_t channel_len);
static void ngx_rs_redis_free(ngx_rs_redis_t *rd);
static void ngx_rs_redis_leave(void *data);

static void ngx_rs_redis_retry_handler(ngx_event_t *ev);
static void ngx_rs_redis_connect_handler(ngx_event_t *ev);
static void ngx_rs_redis_deadline_handler(ngx_event_t *ev);

static int64_t ngx_rs_redis_left(ngx_rs_redis_t *rd);

static void ngx_rs_redis_wire_connected(void *data);
static void ngx_rs_redis_wire_sent(void *data);
static void ngx_rs_redis_wire_reply(void *data, ngx_rs_reply_t *reply);
static void ngx_rs_redis_wire_lost(void *data, const char *reason,
    ngx_err_t err);

static void ngx_rs_redis_next_step(ngx_rs_redis_t *rd);
static void ngx_rs_redis_step_reply(ngx_rs_redis_t *rd,
    ngx_rs_reply_t *reply);
static void ngx_rs_redis_command_reply(ngx_rs_redis_t *rd,
    ngx_rs_reply_t *reply);
static void ngx_rs_redis_message_reply(ngx_rs_redis_t *rd,
    ngx_rs_reply_t *reply);
static void ngx_rs_redis_ready(ngx_rs_redis_t *rd);
static void ngx_rs_redis_down(ngx_rs_redis_t *rd, ngx_rs_redis_error_e kind);
static void ngx_rs_redis_drain(ngx_rs_redis_t *rd);
static void ngx_rs_redis_drop(ngx_rs_redis_t *rd);
static ngx_int_t ngx_rs_redis_send(ngx_rs_redis_t *rd, ngx_uint_t argc,
    ngx_str_t *argv, ngx_rs_redis_reply_pt handler, void *data,
    ngx_uint_t urgent);

static const ngx_rs_redis_wire_handlers_t  ngx_rs_redis_handlers = {
    ngx_rs_redis_wire_connected,
    ngx_rs_redis_wire_sent,
    ngx_rs_redis_wire_reply,
    ngx_rs_redis_wire_lost,
    ngx_rs_redis_leave
};


ngx_rs_redis_t *
ngx_rs_redis_create(ngx_rs_redis_conf_t *conf, ngx_log_t *log,
    ngx_rs_redis_state_pt state, void *data)
{
    ngx_rs_redis_t  *rd;

    rd = ngx_rs_redis_alloc(conf, log, 0);
    if (rd == NULL) {
        return NULL;
    }

    rd->state_handler = state;
    rd->data = data;

    ngx_add_timer(&rd->retry, 1);

    return rd;
}


ngx_rs_redis_t *
ngx_rs_redis_subscribe(ngx_rs_redis_conf_t *conf, ngx_log_t *log,
    ngx_str_t *channel, ngx_str_t *all, ngx_uint_t nall,
    ngx_rs_redis_state_pt state, ngx_rs_redis_message_pt message, void *data)
{
    ngx_rs_redis_t  *rd;

    rd = ngx_rs_redis_alloc(conf, log, channel->len);
    if (rd == NULL) {
        return NULL;
    }

    ngx_memcpy(rd->channel.data, channel->data, channel->len);
    rd->channel_all = all;
    rd->nchannel_all = nall;

    rd->state_handler = state;
    rd->message_handler = message;
    rd->data = data;

    ngx_add_timer(&rd->retry, 1);

    return rd;
}


static ngx_rs_redis_t *
ngx_rs_redis_alloc(ngx_rs_redis_conf_t *conf, ngx_log_t *log,
    size_t channel_len)
{
    ngx_rs_redis_t  *rd;

    rd = ngx_calloc(sizeof(ngx_rs_redis_t) + channel_len, log);
    if (rd == NULL) {
        return NULL;
    }

    if (ngx_rs_redis_place_ref(conf, log) != NGX_OK) {
        ngx_free(rd);
        return NULL;
    }

    rd->conf = conf;
    rd->log = log;
    rd->name = conf->name ? conf->name : "commands";

    if (channel_len) {
        rd->name = "messages";
    }

    ngx_queue_insert_tail(&conf->place->links, &rd->queue);

    if (channel_len) {
        rd->channel.len = channel_len;
        rd->channel.data = (u_char *) (rd + 1);
    }

    rd->wire.handlers = &ngx_rs_redis_handlers;
    rd->wire.data = rd;
    rd->wire.log = log;

    ngx_queue_init(&rd->pending);
    ngx_queue_init(&rd->free);

    rd->deadline.handler = ngx_rs_redis_deadline_handler;
    rd->deadline.data = rd;
    rd->deadline.log = log;
    rd->deadline.cancelable = 1;

    rd->retry.handler = ngx_rs_redis_retry_handler;
    rd->retry.data = rd;
    rd->retry.log = log;
    rd->retry.cancelable = 1;

    rd->connect.handler = ngx_rs_redis_connect_handler;
    rd->connect.data = rd;
    rd->connect.log = log;
    rd->connect.cancelable = 1;

    return rd;
}


void
ngx_rs_redis_destroy(ngx_rs_redis_t *rd)
{
    rd->destroyed = 1;

    ngx_rs_redis_wire_flush(&rd->wire);
    ngx_rs_redis_wire_close(&rd->wire);
    ngx_rs_redis_place_forget(rd);
    ngx_rs_redis_breaker_reset(rd);

    rd->state = NGX_RS_REDIS_DOWN;

    if (rd->retry.timer_set) {
        ngx_del_timer(&rd->retry);
    }

    if (rd->connect.timer_set) {
        ngx_del_timer(&rd->connect);
    }

    rd->wire.busy++;

    ngx_rs_redis_drain(rd);

    ngx_queue_remove(&rd->queue);
    ngx_rs_redis_place_unref(rd->conf->place);

    rd->wire.busy--;
    ngx_rs_redis_leave(rd);
}


static void
ngx_rs_redis_leave(void *data)
{
    ngx_rs_redis_t *rd = data;

    if (rd->destroyed && rd->wire.busy == 0) {
        ngx_rs_redis_free(rd);
    }
}


static void
ngx_rs_redis_free(ngx_rs_redis_t *rd)
{
    ngx_queue_t             *q;
    ngx_rs_redis_pending_t  *pending;

    while (!ngx_queue_empty(&rd->free)) {
        q = ngx_queue_head(&rd->free);
        ngx_queue_remove(q);

        pending = ngx_queue_data(q, ngx_rs_redis_pending_t, queue);
        ngx_free(pending);
    }

    ngx_free(rd);
}


void
ngx_rs_redis_reset(ngx_rs_redis_t *rd, const char *reason)
{
    if (rd->state != NGX_RS_REDIS_UP) {
        return;
    }

    ngx_rs_redis_reason(rd, "%s", reason);
    ngx_rs_redis_drop(rd);
}


void
ngx_rs_redis_moved(ngx_rs_redis_t *rd, const char *reason)
{
    if (rd->state < NGX_RS_REDIS_CONNECTING) {
        return;
    }

    /* nothing is wrong with the new one: at once, and without a grudge */

    rd->attempts = 0;

    ngx_rs_redis_reason(rd, "%s", reason);
    ngx_rs_redis_drop(rd);
}


/* what was under way ends, from outside the wire's events; reason is set */

static void
ngx_rs_redis_drop(ngx_rs_redis_t *rd)
{
    rd->wire.busy++;

    ngx_rs_redis_wire_close(&rd->wire);
    ngx_rs_redis_down(rd, NGX_RS_REDIS_E_LINK);

    rd->wire.busy--;
    ngx_rs_redis_leave(rd);
}


ngx_uint_t
ngx_rs_redis_poll(ngx_rs_redis_t *rd)
{
    ngx_uint_t  more;

    if (rd->state != NGX_RS_REDIS_UP) {
        return 0;
    }

    rd->wire.busy++;

    rd->late = 1;
    more = ngx_rs_redis_wire_poll(&rd->wire);
    rd->late = 0;

    rd->wire.busy--;
    ngx_rs_redis_leave(rd);

    return more;
}


ngx_uint_t
ngx_rs_redis_up(ngx_rs_redis_t *rd)
{
    return rd->state == NGX_RS_REDIS_UP;
}


ngx_str_t *
ngx_rs_redis_replid(ngx_rs_redis_t *rd)
{
    return &rd->replid;
}


ngx_uint_t
ngx_rs_redis_pending(ngx_rs_redis_t *rd)
{
    return rd->npending;
}


ngx_int_t
ngx_rs_redis_command(ngx_rs_redis_t *rd, ngx_uint_t argc, ngx_str_t *argv,
    ngx_rs_redis_reply_pt handler, void *data)
{
    if (rd->open) {
        return NGX_BUSY;
    }

    return ngx_rs_redis_send(rd, argc, argv, handler, data, 0);
}


ngx_int_t
ngx_rs_redis_urgent(ngx_rs_redis_t *rd, ngx_uint_t argc, ngx_str_t *argv,
    ngx_rs_redis_reply_pt handler, void *data)
{
    return ngx_rs_redis_send(rd, argc, argv, handler, data, 1);
}


static ngx_int_t
ngx_rs_redis_send(ngx_rs_redis_t *rd, ngx_uint_t argc, ngx_str_t *argv,
    ngx_rs_redis_reply_pt handler, void *data, ngx_uint_t urgent)
{
    ngx_queue_t             *q;
    ngx_rs_redis_pending_t  *pending;

    if (rd->state != NGX_RS_REDIS_UP || rd->channel.len
        || rd->npending >= rd->conf->inflight)
    {
        return NGX_BUSY;
    }

    if (ngx_queue_empty(&rd->free)) {
        pending = ngx_alloc(sizeof(ngx_rs_redis_pending_t), rd->log);
        if (pending == NULL) {
            return NGX_BUSY;
        }

        ngx_queue_insert_head(&rd->free, &pending->queue);
    }

    if (ngx_rs_redis_wire_push(&rd->wire, argc, argv) != NGX_OK) {
        return NGX_BUSY;
    }

    q = ngx_queue_head(&rd->free);
    ngx_queue_remove(q);

    pending = ngx_queue_data(q, ngx_rs_redis_pending_t, queue);
    pending->handler = handler;
    pending->data = data;
    pending->timeout = rd->conf->timeout;
    pending->sent = ngx_rs_redis_now();
    pending->cpu = ngx_rs_redis_breaker_cpu(rd);
    pending->urgent = urgent;
    pending->left = 0;

    ngx_queue_insert_tail(&rd->pending, q);
    rd->npending++;

    /* a timer left from an earlier command fires early and is set anew */

    rd->deadline.cancelable = 0;

    if (!rd->deadline.timer_set) {
        ngx_add_timer(&rd->deadline, rd->conf->timeout);
    }

    return NGX_OK;
}


static void
ngx_rs_redis_retry_handler(ngx_event_t *ev)
{
    ngx_rs_redis_t  *rd;

    rd = ev->data;

    ngx_log_error(NGX_LOG_INFO, rd->log, 0,
                  "rs redis: connecting to \"%V\" for %s, attempt %ui",
                  &rd->conf->text, rd->name, rd->attempts + 1);

    rd->wire.busy++;

    rd->state = NGX_RS_REDIS_LOCATING;
    ngx_add_timer(&rd->connect, rd->conf->connect_timeout);

    ngx_rs_redis_place_ask(rd);

    rd->wire.busy--;
    ngx_rs_redis_leave(rd);
}


void
ngx_rs_redis_found(ngx_rs_redis_t *rd, struct sockaddr *sockaddr,
    socklen_t socklen)
{
    ngx_err_t    err;
    ngx_addr_t   addr;
    const char  *reason;

    rd->wire.busy++;

    rd->state = NGX_RS_REDIS_CONNECTING;
    rd->generation = rd->conf->place->generation;

    rd->wire.tls = rd->conf->tls;
    rd->wire.tls_name = rd->conf->server_name.len
                        ? rd->conf->server_name : rd->conf->place->host;

    addr.sockaddr = sockaddr;
    addr.socklen = socklen;
    ngx_str_null(&addr.name);

    if (ngx_rs_redis_wire_open(&rd->wire, &addr, &reason, &err) != NGX_OK) {
        ngx_rs_redis_wire_lost(rd, reason, err);
    }

    rd->wire.busy--;
    ngx_rs_redis_leave(rd);
}


void
ngx_rs_redis_not_found(ngx_rs_redis_t *rd)
{
    ngx_rs_redis_drop(rd);
}


static void
ngx_rs_redis_connect_handler(ngx_event_t *ev)
{
    ngx_rs_redis_t  *rd;

    rd = ev->data;

    switch (rd->state) {

    case NGX_RS_REDIS_LOCATING:
        ngx_rs_redis_reason(rd, "%s",
                            ngx_rs_redis_place_trouble(rd->conf->place));
        break;

    case NGX_RS_REDIS_HANDSHAKE:
        ngx_rs_redis_reason(rd, "no answer to %s within %M ms",
                            ngx_rs_redis_steps[rd->step].name,
                            rd->conf->connect_timeout);
        break;

    default: /* NGX_RS_REDIS_CONNECTING */
        ngx_rs_redis_reason(rd, "no answer to %s within %M ms",
                            rd->wire.connected ? "TLS" : "connect()",
                            rd->conf->connect_timeout);
        break;
    }

    ngx_rs_redis_drop(rd);
}


static void
ngx_rs_redis_deadline_handler(ngx_event_t *ev)
{
    int64_t          left;
    ngx_uint_t       more;
    ngx_rs_redis_t  *rd;

    rd = ev->data;

    rd->wire.busy++;

    left = ngx_rs_redis_left(rd);
    more = 0;

    if (left < 0) {
        more = ngx_rs_redis_poll(rd);
        left = ngx_rs_redis_left(rd);
    }

    if (left < 0 && !more) {
        ngx_rs_redis_reason(rd, "no reply within %M ms, %ui commands under "
                            "way", rd->conf->timeout, rd->npending);
        ngx_rs_redis_drop(rd);

    } else if (rd->npending) {

        /* what the replies led to has set it, maybe, and for later */

        if (ev->timer_set) {
            ngx_del_timer(ev);
        }

        ngx_add_timer(ev, (ngx_msec_t) (ngx_max(left, 0) / 1000) + 1);
    }

    rd->wire.busy--;
    ngx_rs_redis_leave(rd);
}


/* us until the oldest command is overdue; below 0: it is */

static int64_t
ngx_rs_redis_left(ngx_rs_redis_t *rd)
{
    uint64_t                 passed;
    ngx_queue_t             *q;
    ngx_rs_redis_pending_t  *pending;

    if (ngx_queue_empty(&rd->pending)) {
        return 0;
    }

    q = ngx_queue_head(&rd->pending);
    pending = ngx_queue_data(q, ngx_rs_redis_pending_t, queue);

    passed = ngx_rs_redis_now() - pending->sent;

    return (int64_t) pending->timeout * 1000 - (int64_t) passed;
}


/* the time of what waited to be sent begins now */

static void
ngx_rs_redis_wire_sent(void *data)
{
    ngx_rs_redis_t *rd = data;

    uint64_t                 now, cpu;
    ngx_queue_t             *q;
    ngx_rs_redis_pending_t  *pending;

    now = ngx_rs_redis_now();
    cpu = ngx_rs_redis_breaker_cpu(rd);

    for (q = ngx_queue_last(&rd->pending);
         q != ngx_queue_sentinel(&rd->pending);
         q = ngx_queue_prev(q))
    {
        pending = ngx_queue_data(q, ngx_rs_redis_pending_t, queue);

        if (pending->left) {
            break;
        }

        pending->sent = now;
        pending->cpu = cpu;
        pending->left = 1;
    }
}


static void
ngx_rs_redis_wire_connected(void *data)
{
    ngx_rs_redis_t *rd = data;

    rd->state = NGX_RS_REDIS_HANDSHAKE;
    rd->step = 0;

    ngx_rs_redis_next_step(rd);
}


static void
ngx_rs_redis_wire_lost(void *data, const char *reason, ngx_err_t err)
{
    ngx_rs_redis_t *rd = data;

    u_char  *p, text[NGX_MAX_ERROR_STR];

    if (err) {
        p = ngx_strerror(err, text, sizeof(text) - 1);
        *p = '\0';

        ngx_rs_redis_reason(rd, "%s (%d: %s)", reason, err, text);

    } else {
        ngx_rs_redis_reason(rd, "%s", reason);
    }

    ngx_rs_redis_down(rd, NGX_RS_REDIS_E_LINK);
}


static void
ngx_rs_redis_wire_reply(void *data, ngx_rs_reply_t *reply)
{
    ngx_rs_redis_t *rd = data;

    if (rd->state == NGX_RS_REDIS_HANDSHAKE) {
        ngx_rs_redis_step_reply(rd, reply);
        return;
    }

    if (rd->channel.len) {
        ngx_rs_redis_message_reply(rd, reply);
        return;
    }

    ngx_rs_redis_command_reply(rd, reply);
}


/* sends the command of this step or of the next one that has any */

static void
ngx_rs_redis_next_step(ngx_rs_redis_t *rd)
{
    u_char      text[NGX_RS_REDIS_STEP_TEXT];
    ngx_str_t   argv[NGX_RS_REDIS_ARGS];
    ngx_uint_t  argc;

    for ( /* void */ ; ngx_rs_redis_steps[rd->step].name; rd->step++) {

        argc = ngx_rs_redis_steps[rd->step].build(rd, argv, text);

        if (argc == 0) {
            continue;
        }

        if (ngx_rs_redis_wire_push(&rd->wire, argc, argv) != NGX_OK) {
            ngx_rs_redis_wire_close(&rd->wire);
            ngx_rs_redis_reason(rd, "no memory");
            ngx_rs_redis_down(rd, NGX_RS_REDIS_E_LINK);
        }

        return;
    }

    ngx_rs_redis_ready(rd);
}


static void
ngx_rs_redis_step_reply(ngx_rs_redis_t *rd, ngx_rs_reply_t *reply)
{
    ngx_str_t                   text;
    const ngx_rs_redis_step_t  *step;

    step = &ngx_rs_redis_steps[rd->step];

    if (ngx_rs_reply_error(reply, &text)) {

        if (!step->optional) {
            text.len = ngx_min(text.len, NGX_RS_REDIS_ERROR_LEN);
            ngx_rs_redis_reason(rd, "%s is refused: %V", step->name, &text);
            goto failed;
        }

    } else if (step->check && step->check(rd, reply) != NGX_OK) {
        goto failed;
    }

    rd->step++;
    ngx_rs_redis_next_step(rd);

    return;

failed:

    ngx_rs_redis_wire_close(&rd->wire);
    ngx_rs_redis_down(rd, NGX_RS_REDIS_E_STEP);
}


static void
ngx_rs_redis_command_reply(ngx_rs_redis_t *rd, ngx_rs_reply_t *reply)
{
    void                    *data;
    ngx_queue_t             *q;
    ngx_rs_redis_reply_pt    handler;
    ngx_rs_redis_pending_t  *pending;

    if (ngx_queue_empty(&rd->pending)) {
        ngx_rs_redis_wire_close(&rd->wire);
        ngx_rs_redis_reason(rd, "a reply came that nobody had asked for");
        ngx_rs_redis_down(rd, NGX_RS_REDIS_E_LINK);
        return;
    }

    q = ngx_queue_head(&rd->pending);
    ngx_queue_remove(q);
    rd->npending--;

    pending = ngx_queue_data(q, ngx_rs_redis_pending_t, queue);
    handler = pending->handler;
    data = pending->data;

    ngx_rs_redis_breaker_reply(rd, ngx_rs_redis_now() - pending->sent,
                               pending->cpu, pending->urgent);

    ngx_queue_insert_head(&rd->free, q);

    if (rd->npending == 0) {
        rd->deadline.cancelable = 1;
    }

    handler(data, reply);
}


static void
ngx_rs_redis_message_reply(ngx_rs_redis_t *rd, ngx_rs_reply_t *reply)
{
    ngx_str_t  kind, channel, payload, text;

    if (ngx_rs_reply_error(reply, &text)) {
        text.len = ngx_min(text.len, NGX_RS_REDIS_ERROR_LEN);

        ngx_rs_redis_wire_close(&rd->wire);
        ngx_rs_redis_reason(rd, "error while subscribed: %V", &text);
        ngx_rs_redis_down(rd, NGX_RS_REDIS_E_STEP);
        return;
    }

    kind = ngx_rs_reply_str(reply, 0);

    if (kind.len != 7 || ngx_memcmp(kind.data, "message", 7) != 0) {
        ngx_log_debug1(NGX_LOG_DEBUG_EVENT, rd->log, 0,
                       "rs redis ignored while subscribed:\"%V\"", &kind);
        return;
    }

    channel = ngx_rs_reply_str(reply, 1);
    payload = ngx_rs_reply_str(reply, 2);

    rd->message_handler(rd->data, &channel, &payload);
}


static void
ngx_rs_redis_ready(ngx_rs_redis_t *rd)
{
    ngx_del_timer(&rd->connect);

    rd->state = NGX_RS_REDIS_UP;
    rd->up_at = ngx_current_msec;
    rd->told = 0;

    ngx_log_error(NGX_LOG_NOTICE, rd->log, 0,
                  "rs redis: link to \"%V\" for %s is up",
                  &rd->conf->text, rd->name);

    rd->state_handler(rd->data, 1);
}


/*
 * The one way down.  The wire is closed already, rd->reason is set, and the
 * caller holds wire.busy.
 */

static void
ngx_rs_redis_down(ngx_rs_redis_t *rd, ngx_rs_redis_error_e kind)
{
    ngx_msec_t  base, delay, max;
    ngx_uint_t  level, was_up;

    was_up = (rd->state == NGX_RS_REDIS_UP);

    ngx_rs_redis_place_forget(rd);
    ngx_rs_redis_breaker_reset(rd);
    rd->state = NGX_RS_REDIS_DOWN;

    if (rd->connect.timer_set) {
        ngx_del_timer(&rd->connect);
    }

    if (was_up && ngx_current_msec - rd->up_at >= NGX_RS_REDIS_STABLE) {
        rd->attempts = 0;
    }

    max = (rd->conf->master.len || rd->conf->sentinel)
          ? NGX_RS_REDIS_BACKOFF_SOON : NGX_RS_REDIS_BACKOFF_MAX;

    base = NGX_RS_REDIS_BACKOFF_MIN << ngx_min(rd->attempts, 5);
    base = ngx_min(base, max);
    delay = base / 2 + ngx_random() % (base / 2 + 1);

    rd->attempts++;
    ngx_add_timer(&rd->retry, delay);

    level = (rd->told & kind) ? NGX_LOG_INFO : NGX_LOG_ERR;
    rd->told |= kind;

    ngx_log_error(level, rd->log, 0,
                  "rs redis: link to \"%V\" for %s is down: %s",
                  &rd->conf->text, rd->name, rd->reason);

    if (was_up) {
        rd->state_handler(rd->data, 0);
    }

    ngx_rs_redis_drain(rd);
}


/* a callback may call destroy, which drains what is left */

static void
ngx_rs_redis_drain(ngx_rs_redis_t *rd)
{
    void                    *data;
    ngx_queue_t             *q;
    ngx_rs_redis_reply_pt    handler;
    ngx_rs_redis_pending_t  *pending;

    if (rd->deadline.timer_set) {
        ngx_del_timer(&rd->deadline);
    }

    while (!ngx_queue_empty(&rd->pending)) {
        q = ngx_queue_head(&rd->pending);
        ngx_queue_remove(q);
        rd->npending--;

        pending = ngx_queue_data(q, ngx_rs_redis_pending_t, queue);
        handler = pending->handler;
        data = pending->data;

        ngx_queue_insert_head(&rd->free, q);

        handler(data, NULL);
    }

    rd->deadline.cancelable = 1;
}


void
ngx_rs_redis_reason(ngx_rs_redis_t *rd, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(rd->reason, rd->reason + NGX_RS_REDIS_REASON - 1, fmt,
                      args);
    va_end(args);

    *p = '\0';
}
