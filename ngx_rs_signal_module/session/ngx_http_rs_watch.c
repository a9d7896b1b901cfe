
/*
 * Copyright (C) rs-gateway contributors
 *
 * Watchers of this worker.  Each line of the fleet's channel is looked at
 * once and sent to those of the tenant whose groups have what changed; a
 * watcher keeps nothing but the groups.  Who does not read fast enough runs
 * into rs_send_queue and is closed; coming back he reads the lists anew.
 *
 * What a watcher may see is the store's to say, with the caller that his
 * ticket holds: when he comes, and again when rights have changed.  Until it
 * has answered he hears of nothing, and then that the lists are to be read
 * anew; an answer that does not come closes him.
 */


#include "ngx_http_rs.h"
#include "session/ngx_http_rs_session_log.h"
#include "rs_watch.h"


#define NGX_HTTP_RS_WATCH_POOL     1024
#define NGX_HTTP_RS_WATCH_MESSAGE  192
#define NGX_HTTP_RS_WATCH_TIMER    86400000    /* ms: no timer is longer */
#define NGX_HTTP_RS_WATCH_USER     32          /* sockets of one user */


struct ngx_http_rs_watches_s {
    ngx_http_rs_main_conf_t    *rmcf;
    ngx_log_t                  *log;
    ngx_queue_t                 all;
};


typedef struct {
    ngx_queue_t                 queue;
    ngx_pool_t                 *pool;
    ngx_http_rs_watches_t      *watches;
    ngx_http_rs_conn_t         *rc;        /* NULL: the socket is gone */
    ngx_uint_t                  refs;      /* the socket, an operation */

    rs_bucket_t                 messages;
    ngx_str_t                   tenant;
    char                        hash[RS_ID_HASH_LEN];
    char                        bound[RS_ID_HASH_LEN];

    ngx_http_rs_store_watcher_t who;       /* since the ticket was taken */

    ngx_pool_t                 *rights;    /* what the next two are in */
    ngx_str_t                   devices;   /* groups, as rs_watch_covers() */
    ngx_str_t                   sessions;

    time_t                      ends_at;   /* of key or token; 0: never */
    ngx_event_t                 ends;

    unsigned                    live:1;    /* it has its welcome */
    unsigned                    asked:1;   /* a check is under way */
    unsigned                    again:1;   /* and another one is wanted */
    unsigned                    missed:1;  /* something happened meanwhile */
} ngx_http_rs_watcher_t;


static void ngx_http_rs_watches_cleanup(void *data);

static ngx_http_rs_watcher_t *ngx_http_rs_watch_create(ngx_http_request_t *r,
    rs_cred_t *cred);
static void ngx_http_rs_watch_open(ngx_http_rs_watcher_t *w);
static void ngx_http_rs_watch_opened(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_watch_unknown(ngx_http_rs_conn_t *rc);
static ngx_int_t ngx_http_rs_watch_take(ngx_http_rs_watcher_t *w,
    ngx_rs_reply_t *reply);
static ngx_uint_t ngx_http_rs_watch_full(ngx_http_rs_watcher_t *w);
static void ngx_http_rs_watch_check(ngx_http_rs_watcher_t *w);
static void ngx_http_rs_watch_checked(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_watch_rights(ngx_http_rs_watcher_t *w,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_watch_welcome(ngx_http_rs_watcher_t *w);
static void ngx_http_rs_watch_until(ngx_http_rs_watcher_t *w, ngx_str_t at);
static void ngx_http_rs_watch_ends(ngx_event_t *ev);
static void ngx_http_rs_watch_resync(ngx_http_rs_watcher_t *w);

static void ngx_http_rs_watch_message(ngx_http_rs_conn_t *rc, u_char *data,
    size_t len);
static void ngx_http_rs_watch_closed(ngx_http_rs_conn_t *rc, rs_err_e code);
static void ngx_http_rs_watch_unref(ngx_http_rs_watcher_t *w);


static const ngx_http_rs_conn_handlers_t  ngx_http_rs_watch_handlers = {
    ngx_http_rs_watch_message,
    ngx_http_rs_watch_closed,
    NULL
};


ngx_http_rs_watches_t *
ngx_http_rs_watches_create(ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_rs_watches_t  *watches;

    cln = ngx_pool_cleanup_add(ngx_cycle->pool,
                               sizeof(ngx_http_rs_watches_t));
    if (cln == NULL) {
        return NULL;
    }

    watches = cln->data;
    watches->rmcf = rmcf;
    watches->log = log;
    ngx_queue_init(&watches->all);

    cln->handler = ngx_http_rs_watches_cleanup;

    return watches;
}


/* the process ends: sockets may be open still, nothing runs any more */

static void
ngx_http_rs_watches_cleanup(void *data)
{
    ngx_http_rs_watches_t *watches = data;

    ngx_queue_t            *q;
    ngx_http_rs_watcher_t  *w;

    while (!ngx_queue_empty(&watches->all)) {
        q = ngx_queue_head(&watches->all);
        w = ngx_queue_data(q, ngx_http_rs_watcher_t, queue);

        ngx_queue_remove(q);

        if (w->rights) {
            ngx_destroy_pool(w->rights);
        }

        ngx_destroy_pool(w->pool);
    }
}


ngx_int_t
ngx_http_rs_watch_start(ngx_http_request_t *r, rs_cred_t *cred,
    ngx_http_rs_conn_t **rcp)
{
    ngx_http_rs_conn_t     *rc;
    ngx_http_rs_watcher_t  *w;

    w = ngx_http_rs_watch_create(r, cred);
    if (w == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_rs_conn_create(r, &ngx_http_rs_watch_handlers, w);
    if (rc == NULL) {
        ngx_destroy_pool(w->pool);
        return NGX_ERROR;
    }

    /* from here on the close handler ends w */

    *rcp = rc;

    w->rc = rc;
    w->refs = 1;
    ngx_queue_insert_tail(&w->watches->all, &w->queue);

    ngx_http_rs_count(rc->rmcf, NGX_HTTP_RS_STAT_CONN_WATCHER);
    ngx_http_rs_gauge(rc->rmcf, NGX_HTTP_RS_GAUGE_WATCHERS, 1);

    if (rc->closing) {
        /* the worker ends: the ticket is good for another one */
        return NGX_DONE;
    }

    ngx_http_rs_conn_deadline(rc, rc->rlcf->hello_timeout);

    if (cred == NULL) {
        ngx_log_error(NGX_LOG_INFO, rc->log, 0,
                      "rs watch ticket is missing or malformed");
        ngx_http_rs_watch_unknown(rc);
        ngx_http_rs_conn_close(rc, RS_E_UNAUTHENTICATED, NULL);
        return NGX_DONE;
    }

    ngx_http_rs_watch_open(w);

    return NGX_DONE;
}


static ngx_http_rs_watcher_t *
ngx_http_rs_watch_create(ngx_http_request_t *r, rs_cred_t *cred)
{
    ngx_pool_t               *pool;
    ngx_http_rs_watcher_t    *w;
    ngx_http_rs_loc_conf_t   *rlcf;
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rs_signal_module);
    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rs_signal_module);

    pool = ngx_create_pool(NGX_HTTP_RS_WATCH_POOL, rmcf->watches->log);
    if (pool == NULL) {
        return NULL;
    }

    w = ngx_pcalloc(pool, sizeof(ngx_http_rs_watcher_t));

    if (w == NULL
        || (cred
            && ngx_http_rs_session_copy(pool, &w->tenant, cred->tenant)
               != NGX_OK))
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    w->pool = pool;
    w->watches = rmcf->watches;
    w->ends.handler = ngx_http_rs_watch_ends;
    w->ends.data = w;
    w->ends.log = rmcf->watches->log;
    w->ends.cancelable = 1;

    rs_bucket_init(&w->messages, rlcf->message_rate, rlcf->message_burst,
                   ngx_current_msec);

    if (cred) {
        ngx_memcpy(w->hash, cred->hash, sizeof(w->hash));
        ngx_memcpy(w->bound, cred->bound, sizeof(w->bound));
    }

    return w;
}


/* whose it is, and what he may see */

static void
ngx_http_rs_watch_open(ngx_http_rs_watcher_t *w)
{
    ngx_str_t                hash, bound;
    ngx_http_rs_store_op_t  *op;

    op = ngx_http_rs_store_op(w->watches->rmcf->store,
                              ngx_http_rs_watch_opened, w);

    hash.data = (u_char *) w->hash;
    hash.len = sizeof(w->hash);
    bound.data = (u_char *) w->bound;
    bound.len = sizeof(w->bound);

    if (op == NULL
        || ngx_http_rs_store_watch_open(op, &w->tenant, &hash, &bound)
           != NGX_OK)
    {
        ngx_http_rs_conn_close(w->rc, RS_E_UNAVAILABLE, NULL);
        return;
    }

    w->refs++;
}


static void
ngx_http_rs_watch_opened(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_watcher_t *w = data;

    if (w->rc && !w->rc->closing) {

        if (code == RS_OK && ngx_http_rs_watch_take(w, reply) != NGX_OK) {
            code = RS_E_INTERNAL;
        }

        if (code == RS_OK && ngx_http_rs_watch_full(w)) {
            ngx_http_rs_conn_close(w->rc, RS_E_OVERLOADED,
                                   "this user watches on as many sockets as "
                                   "one may: close some");

        } else if (code == RS_OK) {
            ngx_http_rs_watch_check(w);

        } else {
            ngx_log_error(NGX_LOG_INFO, w->rc->log, 0,
                          "rs watch of %V is refused: %s", &w->tenant,
                          rs_err_code(code));

            if (code == RS_E_UNAUTHENTICATED) {
                ngx_http_rs_watch_unknown(w->rc);
            }

            ngx_http_rs_conn_close(w->rc, code, NULL);
        }
    }

    ngx_http_rs_watch_unref(w);
}


/* a ticket that is none counts as any wrong credential of its address */

static void
ngx_http_rs_watch_unknown(ngx_http_rs_conn_t *rc)
{
    ngx_http_rs_ban_who_t  who;

    (void) ngx_http_rs_limit_address(rc->rmcf, rc->connection->sockaddr,
                                     RS_RATE_CHARGE, NULL);

    ngx_memzero(&who, sizeof(ngx_http_rs_ban_who_t));
    who.sockaddr = rc->connection->sockaddr;

    ngx_http_rs_ban_failed(rc->rmcf, &who, rc->log);
}


static ngx_int_t
ngx_http_rs_watch_take(ngx_http_rs_watcher_t *w, ngx_rs_reply_t *reply)
{
    ngx_uint_t  i;
    ngx_str_t   s, *to[3];

    to[0] = &w->who.kind;
    to[1] = &w->who.id;
    to[2] = &w->who.caller;

    for (i = 0; i < 3; i++) {
        s = ngx_rs_reply_str(reply, 1 + i);

        if (s.len == 0
            || ngx_http_rs_session_copy(w->pool, to[i], ngx_http_rs_slice(&s))
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    w->who.tenant = w->tenant;

    ngx_http_rs_watch_until(w, ngx_rs_reply_str(reply, 4));

    return NGX_OK;
}


/*
 * Sockets that were let in are never closed to make room for others
 * (ngx_http_rs_conn_room()), so one user does not get them all.  A key may
 * stand for many people.
 */

static ngx_uint_t
ngx_http_rs_watch_full(ngx_http_rs_watcher_t *w)
{
    ngx_uint_t              n;
    ngx_queue_t            *q, *all;
    ngx_http_rs_watcher_t  *other;

    if (!rs_str_eq(ngx_http_rs_slice(&w->who.kind), RS_STR("usr"))) {
        return 0;
    }

    n = 0;
    all = &w->watches->all;

    for (q = ngx_queue_head(all); q != ngx_queue_sentinel(all);
         q = ngx_queue_next(q))
    {
        other = ngx_queue_data(q, ngx_http_rs_watcher_t, queue);

        if (other->rc && !other->rc->closing
            && rs_str_eq(ngx_http_rs_slice(&other->who.id),
                         ngx_http_rs_slice(&w->who.id))
            && rs_str_eq(ngx_http_rs_slice(&other->tenant),
                         ngx_http_rs_slice(&w->tenant)))
        {
            n++;
        }
    }

    /* it is one of them */

    return n > NGX_HTTP_RS_WATCH_USER;
}


static void
ngx_http_rs_watch_check(ngx_http_rs_watcher_t *w)
{
    ngx_http_rs_store_op_t  *op;

    if (w->asked) {
        w->again = 1;
        return;
    }

    op = ngx_http_rs_store_op(w->watches->rmcf->store,
                              ngx_http_rs_watch_checked, w);

    if (op == NULL
        || ngx_http_rs_store_watch_check(op, &w->who) != NGX_OK)
    {
        /* what he may see is not known any more */
        ngx_http_rs_conn_close(w->rc, RS_E_UNAVAILABLE, NULL);
        return;
    }

    w->asked = 1;
    w->again = 0;
    w->refs++;
}


static void
ngx_http_rs_watch_checked(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_watcher_t *w = data;

    ngx_int_t  rc;

    w->asked = 0;

    if (w->rc && !w->rc->closing) {
        rc = (code == RS_OK) ? ngx_http_rs_watch_rights(w, reply) : NGX_OK;

        if (rc == NGX_ERROR) {
            code = RS_E_INTERNAL;
        }

        if (code != RS_OK) {
            ngx_log_error(NGX_LOG_INFO, w->rc->log, 0,
                          "rs watch of %V ends: %s", &w->tenant,
                          rs_err_code(code));
            ngx_http_rs_conn_close(w->rc, code, NULL);

        } else if (!w->live) {
            ngx_http_rs_watch_welcome(w);

        } else if (rc == NGX_DONE || w->missed) {
            w->missed = 0;
            ngx_http_rs_watch_resync(w);
        }

        if (w->again && !w->rc->closing) {
            ngx_http_rs_watch_check(w);
        }
    }

    ngx_http_rs_watch_unref(w);
}


/* NGX_OK: as they were; NGX_DONE: others; or NGX_ERROR */

static ngx_int_t
ngx_http_rs_watch_rights(ngx_http_rs_watcher_t *w, ngx_rs_reply_t *reply)
{
    ngx_str_t    devices, sessions;
    ngx_pool_t  *pool;

    devices = ngx_rs_reply_str(reply, 2);
    sessions = ngx_rs_reply_str(reply, 3);

    ngx_http_rs_watch_until(w, ngx_rs_reply_str(reply, 4));

    if (w->rights
        && rs_str_eq(ngx_http_rs_slice(&devices),
                     ngx_http_rs_slice(&w->devices))
        && rs_str_eq(ngx_http_rs_slice(&sessions),
                     ngx_http_rs_slice(&w->sessions)))
    {
        return NGX_OK;
    }

    pool = ngx_create_pool(NGX_HTTP_RS_WATCH_POOL, w->watches->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    if (w->rights) {
        ngx_destroy_pool(w->rights);
    }

    w->rights = pool;
    ngx_str_null(&w->devices);
    ngx_str_null(&w->sessions);

    if (ngx_http_rs_session_copy(pool, &w->devices,
                                 ngx_http_rs_slice(&devices))
        != NGX_OK
        || ngx_http_rs_session_copy(pool, &w->sessions,
                                    ngx_http_rs_slice(&sessions))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_DONE;
}


static void
ngx_http_rs_watch_welcome(ngx_http_rs_watcher_t *w)
{
    w->live = 1;

    ngx_http_rs_conn_admit(w->rc);
    ngx_http_rs_conn_deadline(w->rc, 0);

    (void) ngx_http_rs_conn_send_json(w->rc,
               json_pack("{s:s, s:i, s:b, s:i}", "type", "welcome",
                         "api_version", NGX_HTTP_RS_API_VERSION,
                         "sessions", w->sessions.len != 0,
                         "ping_s", ngx_http_rs_conn_ping_s(w->rc)));
}


/* the credential behind it ends: the earlier of two ends counts */

static void
ngx_http_rs_watch_until(ngx_http_rs_watcher_t *w, ngx_str_t at)
{
    uint64_t  s;

    if (!rs_u64_parse(ngx_http_rs_slice(&at), NGX_MAX_INT_T_VALUE, &s)
        || s == 0 || (w->ends_at && (time_t) s >= w->ends_at))
    {
        return;
    }

    w->ends_at = (time_t) s;

    ngx_http_rs_watch_ends(&w->ends);
}


static void
ngx_http_rs_watch_ends(ngx_event_t *ev)
{
    time_t                  left;
    ngx_http_rs_watcher_t  *w;

    w = ev->data;
    left = w->ends_at - ngx_time();

    if (left > 0) {
        ngx_add_timer(ev, ngx_min((ngx_msec_t) left * 1000,
                                  NGX_HTTP_RS_WATCH_TIMER));
        return;
    }

    ngx_http_rs_conn_close(w->rc, RS_E_UNAUTHENTICATED, NULL);
}


/* the lists are to be read anew */

static void
ngx_http_rs_watch_resync(ngx_http_rs_watcher_t *w)
{
    (void) ngx_http_rs_conn_send(w->rc, (u_char *) "{\"type\":\"resync\"}",
                                 sizeof("{\"type\":\"resync\"}") - 1);
}


void
ngx_http_rs_watch_told(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *line)
{
    u_char                  *p, buf[NGX_HTTP_RS_WATCH_MESSAGE];
    rs_str_t                 groups;
    ngx_str_t                id, change;
    rs_watch_t               told;
    ngx_queue_t             *q;
    ngx_http_rs_watcher_t   *w;

    if (!rs_watch_parse(ngx_http_rs_slice(line), &told)) {
        ngx_http_rs_count(rmcf, NGX_HTTP_RS_STAT_ENV_BAD);
        ngx_log_error(NGX_LOG_WARN, rmcf->watches->log, 0,
                      "rs watch: a line of %uz bytes is malformed",
                      line->len);
        return;
    }

    id = ngx_http_rs_str(told.id);
    change = ngx_http_rs_str(told.change);

    p = ngx_snprintf(buf, sizeof(buf),
                     "{\"type\":\"%s\",\"id\":\"%V\",\"change\":\"%V\","
                     "\"at\":%T}",
                     told.what == RS_WATCH_DEVICE ? "device" : "session",
                     &id, &change, ngx_time());

    for (q = ngx_queue_head(&rmcf->watches->all);
         q != ngx_queue_sentinel(&rmcf->watches->all);
         q = ngx_queue_next(q))
    {
        w = ngx_queue_data(q, ngx_http_rs_watcher_t, queue);

        if (w->rc == NULL || w->rc->closing || w->who.caller.len == 0
            || !rs_str_eq(ngx_http_rs_slice(&w->tenant), told.tenant))
        {
            continue;
        }

        if (told.what == RS_WATCH_RIGHTS) {
            ngx_http_rs_watch_check(w);
            continue;
        }

        if (told.what == RS_WATCH_TUNNEL) {
            /* of pipes, not of consoles */
            continue;
        }

        groups = ngx_http_rs_slice(told.what == RS_WATCH_DEVICE
                                   ? &w->devices : &w->sessions);

        if (!w->live || !rs_watch_covers(groups, told.group)) {
            continue;
        }

        if (w->asked) {
            /* perhaps not his any more */
            w->missed = 1;

        } else {
            (void) ngx_http_rs_conn_send(w->rc, buf, p - buf);
        }
    }
}


void
ngx_http_rs_watch_catch_up(ngx_http_rs_main_conf_t *rmcf)
{
    ngx_queue_t            *q;
    ngx_http_rs_watcher_t  *w;

    for (q = ngx_queue_head(&rmcf->watches->all);
         q != ngx_queue_sentinel(&rmcf->watches->all);
         q = ngx_queue_next(q))
    {
        w = ngx_queue_data(q, ngx_http_rs_watcher_t, queue);

        if (w->rc && !w->rc->closing && w->live) {
            ngx_http_rs_watch_resync(w);
            ngx_http_rs_watch_check(w);
        }
    }
}


/* a watcher listens: it has nothing to say but that it is there */

static void
ngx_http_rs_watch_message(ngx_http_rs_conn_t *rc, u_char *data, size_t len)
{
    ngx_http_rs_watcher_t *w = rc->data;

    rs_buf_t  b;
    rs_err_e  code;
    rs_msg_t  msg;
    u_char    buf[RS_MSG_WRITE_MAX];

    if (!w->live) {
        ngx_http_rs_conn_close(rc, RS_E_BEFORE_WELCOME, NULL);
        return;
    }

    if (!rs_bucket_take(&w->messages, 1, ngx_current_msec)) {
        ngx_http_rs_conn_close(rc, RS_E_RATE_LIMITED, NULL);
        return;
    }

    code = rs_msg_parse(&msg, RS_CHANNEL_SIGNAL, data, len);

    ngx_http_rs_count(rc->rmcf, code == RS_OK
                                ? NGX_HTTP_RS_STAT_MESSAGE + msg.type
                                : NGX_HTTP_RS_STAT_MESSAGE_BAD);

    if (code != RS_OK) {
        ngx_http_rs_conn_close(rc, code, msg.error.text);
        return;
    }

    switch (msg.type) {

    case RS_MSG_PING:
        rs_buf_init(&b, buf, sizeof(buf));
        rs_msg_write_pong(&b);
        (void) ngx_http_rs_conn_send(rc, b.data, b.len);
        break;

    case RS_MSG_PONG:
        if (rc->pings) {
            rc->pings--;
        }

        break;

    case RS_MSG_BYE:
        ngx_http_rs_conn_close(rc, RS_OK, NULL);
        break;

    default:
        ngx_http_rs_conn_error(rc, RS_E_UNKNOWN_TYPE,
                               "a watcher sends ping, pong and bye", msg.id);
        break;
    }

    rs_msg_free(&msg);
}


static void
ngx_http_rs_watch_closed(ngx_http_rs_conn_t *rc, rs_err_e code)
{
    ngx_http_rs_watcher_t *w = rc->data;

    ngx_http_rs_count_closed(rc->rmcf, code);
    ngx_http_rs_gauge(rc->rmcf, NGX_HTTP_RS_GAUGE_WATCHERS, -1);

    w->rc = NULL;

    if (w->ends.timer_set) {
        ngx_del_timer(&w->ends);
    }

    ngx_http_rs_watch_unref(w);
}


static void
ngx_http_rs_watch_unref(ngx_http_rs_watcher_t *w)
{
    if (--w->refs) {
        return;
    }

    ngx_queue_remove(&w->queue);

    if (w->rights) {
        ngx_destroy_pool(w->rights);
    }

    ngx_destroy_pool(w->pool);
}
