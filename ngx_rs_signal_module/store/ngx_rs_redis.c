
/*
 * Copyright (C) rs-gateway contributors
 *
 * The life of one link to Redis.
 *
 *     DOWN -> CONNECT -> AUTH -> SELECT -> SETNAME -> INFO -> UP      commands
 *                                               \-> SUBSCRIBE -> UP   channel
 *
 * There is one way in (connect), one way up (the table of steps, all of it
 * under rs_redis_connect_timeout) and one way down (ngx_rs_redis_down).
 *
 * Invariants
 *   - Commands are taken in UP only; the handshake never mixes with them.
 *   - Replies are positional: the queue of pending commands is in the order
 *     they were sent, so the head is always the oldest and one timer is
 *     enough.  A command past its deadline takes the link down, because its
 *     reply could not be skipped.
 *   - Whoever is called back may destroy or reset the link: the struct stays
 *     until the outermost event handler leaves (wire.busy).
 *   - An exiting worker waits for pending commands, and for nothing else of
 *     this file: the deadline timer is cancelable while nothing is pending,
 *     the others always.
 */


#include "ngx_rs_redis_adapter.h"


#define NGX_RS_REDIS_BACKOFF_MIN  100      /* ms, half of it is jitter */
#define NGX_RS_REDIS_BACKOFF_MAX  2000     /* ms */
#define NGX_RS_REDIS_STABLE       5000     /* ms up that clear the backoff */
#define NGX_RS_REDIS_REASON       256
#define NGX_RS_REDIS_ERROR_LEN    128      /* of Redis' own words in a log */
#define NGX_RS_REDIS_DB_MAX       65535
#define NGX_RS_REDIS_ARGS         4        /* of a step of the handshake */
#define NGX_RS_REDIS_REPLID_LEN   40


typedef enum {
    NGX_RS_REDIS_DOWN = 0,
    NGX_RS_REDIS_CONNECTING,
    NGX_RS_REDIS_HANDSHAKE,
    NGX_RS_REDIS_UP
} ngx_rs_redis_state_e;


/* what is wrong, for saying each kind once while the link is down */

typedef enum {
    NGX_RS_REDIS_E_LINK = 0x1,
    NGX_RS_REDIS_E_STEP = 0x2
} ngx_rs_redis_error_e;


typedef struct {
    ngx_queue_t                  queue;
    ngx_rs_redis_reply_pt        handler;
    void                        *data;
    ngx_msec_t                   deadline;
} ngx_rs_redis_pending_t;


struct ngx_rs_redis_s {
    ngx_rs_redis_wire_t          wire;
    ngx_rs_redis_conf_t         *conf;
    ngx_log_t                   *log;

    ngx_rs_redis_state_pt        state_handler;
    ngx_rs_redis_message_pt      message_handler;
    void                        *data;

    ngx_rs_redis_state_e         state;
    ngx_uint_t                   step;         /* in HANDSHAKE */

    ngx_queue_t                  pending;      /* oldest first */
    ngx_queue_t                  free;
    ngx_uint_t                   npending;

    ngx_event_t                  deadline;     /* of the oldest pending */
    ngx_event_t                  retry;        /* in DOWN: connect again */
    ngx_event_t                  connect;      /* until UP: give up */

    ngx_uint_t                   attempts;     /* since it was stably up */
    ngx_msec_t                   up_at;
    ngx_uint_t                   told;         /* ngx_rs_redis_error_e */

    ngx_str_t                    channel;      /* empty: for commands */
    ngx_str_t                    replid;
    u_char                       replid_text[NGX_RS_REDIS_REPLID_LEN];
    u_char                       reason[NGX_RS_REDIS_REASON];

    unsigned                     destroyed:1;
};


/*
 * One step of the handshake.  build fills argv and returns how many, 0 to
 * leave the step out.  check looks at a reply that is no error; NGX_ERROR:
 * rd->reason says why the link cannot be used.
 */

typedef struct {
    const char                  *name;
    ngx_uint_t                 (*build)(ngx_rs_redis_t *rd, ngx_str_t *argv,
                                    u_char *number);
    ngx_int_t                  (*check)(ngx_rs_redis_t *rd,
                                    ngx_rs_reply_t *reply);
    ngx_uint_t                   optional;     /* an error does not matter */
} ngx_rs_redis_step_t;


static ngx_rs_redis_t *ngx_rs_redis_alloc(ngx_rs_redis_conf_t *conf,
    ngx_log_t *log, size_t channel_len);
static void ngx_rs_redis_free(ngx_rs_redis_t *rd);
static void ngx_rs_redis_leave(void *data);

static void ngx_rs_redis_retry_handler(ngx_event_t *ev);
static void ngx_rs_redis_connect_handler(ngx_event_t *ev);
static void ngx_rs_redis_deadline_handler(ngx_event_t *ev);

static void ngx_rs_redis_wire_connected(void *data);
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
static void ngx_rs_redis_reason(ngx_rs_redis_t *rd, const char *fmt, ...);
static const char *ngx_rs_redis_name(ngx_rs_redis_t *rd);

static ngx_uint_t ngx_rs_redis_build_auth(ngx_rs_redis_t *rd,
    ngx_str_t *argv, u_char *number);
static ngx_uint_t ngx_rs_redis_build_select(ngx_rs_redis_t *rd,
    ngx_str_t *argv, u_char *number);
static ngx_uint_t ngx_rs_redis_build_setname(ngx_rs_redis_t *rd,
    ngx_str_t *argv, u_char *number);
static ngx_uint_t ngx_rs_redis_build_info(ngx_rs_redis_t *rd,
    ngx_str_t *argv, u_char *number);
static ngx_uint_t ngx_rs_redis_build_subscribe(ngx_rs_redis_t *rd,
    ngx_str_t *argv, u_char *number);
static ngx_int_t ngx_rs_redis_check_info(ngx_rs_redis_t *rd,
    ngx_rs_reply_t *reply);


static const ngx_rs_redis_wire_handlers_t  ngx_rs_redis_handlers = {
    ngx_rs_redis_wire_connected,
    ngx_rs_redis_wire_reply,
    ngx_rs_redis_wire_lost,
    ngx_rs_redis_leave
};


static const ngx_rs_redis_step_t  ngx_rs_redis_steps[] = {
    { "AUTH", ngx_rs_redis_build_auth, NULL, 0 },
    { "SELECT", ngx_rs_redis_build_select, NULL, 0 },
    { "CLIENT SETNAME", ngx_rs_redis_build_setname, NULL, 1 },
    { "INFO", ngx_rs_redis_build_info, ngx_rs_redis_check_info, 0 },
    { "SUBSCRIBE", ngx_rs_redis_build_subscribe, NULL, 0 }
};

#define NGX_RS_REDIS_STEPS                                                    \
    (sizeof(ngx_rs_redis_steps) / sizeof(ngx_rs_redis_steps[0]))


ngx_int_t
ngx_rs_redis_parse_url(ngx_pool_t *pool, ngx_str_t *url,
    ngx_rs_redis_conf_t *conf, char **err)
{
    u_char     *p, *last;
    ngx_int_t   db;
    ngx_url_t   u;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *url;
    u.default_port = 6379;
    db = 0;

    if (url->len > 8 && ngx_strncmp(url->data, "redis://", 8) == 0) {

        u.url.data += 8;
        u.url.len -= 8;
        last = u.url.data + u.url.len;

        if (ngx_strlchr(u.url.data, last, '@')) {
            *err = "no password belongs into the URL: give \"user=\" and "
                   "\"password_file=\"";
            return NGX_ERROR;
        }

        p = ngx_strlchr(u.url.data, last, '/');

        if (p) {
            u.url.len = p - u.url.data;
            p++;
            db = (p == last) ? 0 : ngx_atoi(p, last - p);
        }

        if (db == NGX_ERROR || db > NGX_RS_REDIS_DB_MAX) {
            *err = "the database after \"/\" must be a number";
            return NGX_ERROR;
        }

    } else if (url->len <= 5 || ngx_strncmp(url->data, "unix:", 5) != 0) {
        *err = "must be redis://host[:port][/db] or unix:/path";
        return NGX_ERROR;
    }

    if (ngx_parse_url(pool, &u) != NGX_OK) {
        *err = u.err ? u.err : "no memory";
        return NGX_ERROR;
    }

    if (u.naddrs == 0) {
        *err = "the host has no address";
        return NGX_ERROR;
    }

    conf->text = *url;
    conf->addr = u.addrs[0];
    conf->db = db;

    return NGX_OK;
}


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
    ngx_str_t *channel, ngx_rs_redis_state_pt state,
    ngx_rs_redis_message_pt message, void *data)
{
    ngx_rs_redis_t  *rd;

    rd = ngx_rs_redis_alloc(conf, log, channel->len);
    if (rd == NULL) {
        return NULL;
    }

    ngx_memcpy(rd->channel.data, channel->data, channel->len);

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

    rd->conf = conf;
    rd->log = log;

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

    rd->state = NGX_RS_REDIS_DOWN;

    if (rd->retry.timer_set) {
        ngx_del_timer(&rd->retry);
    }

    if (rd->connect.timer_set) {
        ngx_del_timer(&rd->connect);
    }

    rd->wire.busy++;

    ngx_rs_redis_drain(rd);

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

    rd->wire.busy++;

    ngx_rs_redis_wire_close(&rd->wire);
    ngx_rs_redis_reason(rd, "%s", reason);
    ngx_rs_redis_down(rd, NGX_RS_REDIS_E_LINK);

    rd->wire.busy--;
    ngx_rs_redis_leave(rd);
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
    pending->deadline = ngx_current_msec + rd->conf->timeout;

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
    ngx_err_t        err;
    const char      *reason;
    ngx_rs_redis_t  *rd;

    rd = ev->data;

    ngx_log_error(NGX_LOG_INFO, rd->log, 0,
                  "rs redis: connecting to \"%V\" for %s, attempt %ui",
                  &rd->conf->text, ngx_rs_redis_name(rd), rd->attempts + 1);

    rd->wire.busy++;

    rd->state = NGX_RS_REDIS_CONNECTING;
    ngx_add_timer(&rd->connect, rd->conf->connect_timeout);

    if (ngx_rs_redis_wire_open(&rd->wire, &rd->conf->addr, &reason, &err)
        != NGX_OK)
    {
        ngx_rs_redis_wire_lost(rd, reason, err);
    }

    rd->wire.busy--;
    ngx_rs_redis_leave(rd);
}


static void
ngx_rs_redis_connect_handler(ngx_event_t *ev)
{
    ngx_rs_redis_t  *rd;

    rd = ev->data;

    rd->wire.busy++;

    ngx_rs_redis_wire_close(&rd->wire);

    ngx_rs_redis_reason(rd, "no answer to %s within %M ms",
                        rd->state == NGX_RS_REDIS_HANDSHAKE
                        ? ngx_rs_redis_steps[rd->step].name : "connect()",
                        rd->conf->connect_timeout);

    ngx_rs_redis_down(rd, NGX_RS_REDIS_E_LINK);

    rd->wire.busy--;
    ngx_rs_redis_leave(rd);
}


static void
ngx_rs_redis_deadline_handler(ngx_event_t *ev)
{
    ngx_queue_t             *q;
    ngx_msec_int_t           left;
    ngx_rs_redis_t          *rd;
    ngx_rs_redis_pending_t  *pending;

    rd = ev->data;

    if (ngx_queue_empty(&rd->pending)) {
        return;
    }

    q = ngx_queue_head(&rd->pending);
    pending = ngx_queue_data(q, ngx_rs_redis_pending_t, queue);

    left = (ngx_msec_int_t) (pending->deadline - ngx_current_msec);

    if (left > 0) {
        ngx_add_timer(ev, (ngx_msec_t) left);
        return;
    }

    rd->wire.busy++;

    ngx_rs_redis_wire_close(&rd->wire);

    ngx_rs_redis_reason(rd, "no reply within %M ms, %ui commands under way",
                        rd->conf->timeout, rd->npending);

    ngx_rs_redis_down(rd, NGX_RS_REDIS_E_LINK);

    rd->wire.busy--;
    ngx_rs_redis_leave(rd);
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
    u_char      number[NGX_INT_T_LEN];
    ngx_str_t   argv[NGX_RS_REDIS_ARGS];
    ngx_uint_t  argc;

    for ( /* void */ ; rd->step < NGX_RS_REDIS_STEPS; rd->step++) {

        argc = ngx_rs_redis_steps[rd->step].build(rd, argv, number);

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
                  &rd->conf->text, ngx_rs_redis_name(rd));

    rd->state_handler(rd->data, 1);
}


/*
 * The one way down.  The wire is closed already, rd->reason is set, and the
 * caller holds wire.busy.
 */

static void
ngx_rs_redis_down(ngx_rs_redis_t *rd, ngx_rs_redis_error_e kind)
{
    ngx_msec_t  base, delay;
    ngx_uint_t  level, was_up;

    was_up = (rd->state == NGX_RS_REDIS_UP);

    rd->state = NGX_RS_REDIS_DOWN;

    if (rd->connect.timer_set) {
        ngx_del_timer(&rd->connect);
    }

    if (was_up && ngx_current_msec - rd->up_at >= NGX_RS_REDIS_STABLE) {
        rd->attempts = 0;
    }

    base = NGX_RS_REDIS_BACKOFF_MIN << ngx_min(rd->attempts, 5);
    base = ngx_min(base, NGX_RS_REDIS_BACKOFF_MAX);
    delay = base / 2 + ngx_random() % (base / 2 + 1);

    rd->attempts++;
    ngx_add_timer(&rd->retry, delay);

    level = (rd->told & kind) ? NGX_LOG_INFO : NGX_LOG_ERR;
    rd->told |= kind;

    ngx_log_error(level, rd->log, 0,
                  "rs redis: link to \"%V\" for %s is down: %s",
                  &rd->conf->text, ngx_rs_redis_name(rd), rd->reason);

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


static void
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


static const char *
ngx_rs_redis_name(ngx_rs_redis_t *rd)
{
    if (rd->channel.len) {
        return "messages";
    }

    return rd->conf->name ? rd->conf->name : "commands";
}


static ngx_uint_t
ngx_rs_redis_build_auth(ngx_rs_redis_t *rd, ngx_str_t *argv, u_char *number)
{
    ngx_uint_t  n;

    if (rd->conf->password.len == 0) {
        return 0;
    }

    n = 0;

    ngx_str_set(&argv[n], "AUTH");
    n++;

    if (rd->conf->user.len) {
        argv[n++] = rd->conf->user;
    }

    argv[n++] = rd->conf->password;

    return n;
}


static ngx_uint_t
ngx_rs_redis_build_select(ngx_rs_redis_t *rd, ngx_str_t *argv,
    u_char *number)
{
    if (rd->conf->db == 0) {
        return 0;
    }

    ngx_str_set(&argv[0], "SELECT");

    argv[1].data = number;
    argv[1].len = ngx_sprintf(number, "%ui", rd->conf->db) - number;

    return 2;
}


/* for CLIENT LIST only */

static ngx_uint_t
ngx_rs_redis_build_setname(ngx_rs_redis_t *rd, ngx_str_t *argv,
    u_char *number)
{
    ngx_str_set(&argv[0], "CLIENT");
    ngx_str_set(&argv[1], "SETNAME");

    if (rd->channel.len) {
        ngx_str_set(&argv[2], "rs-gateway-messages");

    } else if (rd->conf->name) {
        ngx_str_set(&argv[2], "rs-gateway-confirmed");

    } else {
        ngx_str_set(&argv[2], "rs-gateway-commands");
    }

    return 3;
}


static ngx_uint_t
ngx_rs_redis_build_info(ngx_rs_redis_t *rd, ngx_str_t *argv, u_char *number)
{
    if (rd->channel.len) {
        return 0;
    }

    ngx_str_set(&argv[0], "INFO");
    ngx_str_set(&argv[1], "replication");
    ngx_str_set(&argv[2], "memory");

    return 3;
}


static ngx_uint_t
ngx_rs_redis_build_subscribe(ngx_rs_redis_t *rd, ngx_str_t *argv,
    u_char *number)
{
    if (rd->channel.len == 0) {
        return 0;
    }

    ngx_str_set(&argv[0], "SUBSCRIBE");
    argv[1] = rd->channel;

    return 2;
}


static ngx_int_t
ngx_rs_redis_check_info(ngx_rs_redis_t *rd, ngx_rs_reply_t *reply)
{
    ngx_str_t  role, replid, policy;

    role = ngx_rs_reply_info(reply, "role:");

    if (role.len != 6 || ngx_memcmp(role.data, "master", 6) != 0) {
        ngx_rs_redis_reason(rd, "its role is \"%V\": \"rs_redis\" must name "
                            "the primary", &role);
        return NGX_ERROR;
    }

    replid = ngx_rs_reply_info(reply, "master_replid:");

    if (replid.len != NGX_RS_REDIS_REPLID_LEN) {
        ngx_rs_redis_reason(rd, "INFO gives no master_replid");
        return NGX_ERROR;
    }

    ngx_memcpy(rd->replid_text, replid.data, replid.len);
    rd->replid.data = rd->replid_text;
    rd->replid.len = replid.len;

    if (!rd->conf->noeviction) {
        return NGX_OK;
    }

    policy = ngx_rs_reply_info(reply, "maxmemory_policy:");

    if (policy.len != 10 || ngx_memcmp(policy.data, "noeviction", 10) != 0) {
        ngx_rs_redis_reason(rd, "its maxmemory-policy is \"%V\", which may "
                            "evict sessions: set it to noeviction, or "
                            "\"rs_redis_noeviction off\"", &policy);
        return NGX_ERROR;
    }

    return NGX_OK;
}
