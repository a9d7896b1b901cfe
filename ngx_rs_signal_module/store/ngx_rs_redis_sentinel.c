
/*
 * Copyright (C) rs-gateway contributors
 *
 * Which Redis is the primary, as the Sentinels say.
 *
 * There is a link to each Sentinel.  All of them are asked at once when a
 * link wants to know, and each second: the first good answer counts, so one
 * that is gone together with the primary costs nothing, and links that lead
 * to a primary which was cut off from the others are dropped soon.
 *
 * An answer has the number of the failover that led to it (config-epoch).
 * A higher one moves all links.  An equal one answers those that ask.  A
 * lower one comes from a Sentinel that lags behind: it counts only where a
 * link asks and most Sentinels agree that there is nothing newer (they were
 * set up anew).
 */


#include "ngx_rs_redis_link.h"


#define NGX_RS_REDIS_SENTINEL_POLL      1000   /* ms */
#define NGX_RS_REDIS_SENTINEL_INFLIGHT  16


typedef struct {
    ngx_rs_redis_sentinel_t     *sentinel;
    ngx_rs_redis_t              *link;
    ngx_rs_redis_conf_t          conf;         /* of the link */

    ngx_uint_t                   pending;      /* replies */

    /* its last answer */

    uint64_t                     epoch;
    in_port_t                    port;
    ngx_str_t                    host;         /* empty: none */
    u_char                       text[NGX_RS_REDIS_HOST_MAX];
} ngx_rs_redis_watch_t;


struct ngx_rs_redis_sentinel_s {
    ngx_rs_redis_place_t        *place;
    ngx_event_t                  poll;
    uint64_t                     epoch;        /* of what place says */
    unsigned                     known:1;
    unsigned                     closing:1;

    ngx_uint_t                   n;
    ngx_rs_redis_watch_t         watches[1];
};


static ngx_int_t ngx_rs_redis_sentinel_watch(ngx_rs_redis_watch_t *watch,
    ngx_rs_redis_server_t *server);
static void ngx_rs_redis_sentinel_state(void *data, ngx_uint_t up);
static void ngx_rs_redis_sentinel_poll_handler(ngx_event_t *ev);
static void ngx_rs_redis_sentinel_question(ngx_rs_redis_watch_t *watch);
static void ngx_rs_redis_sentinel_address(void *data,
    ngx_rs_reply_t *reply);
static void ngx_rs_redis_sentinel_master(void *data, ngx_rs_reply_t *reply);
static void ngx_rs_redis_sentinel_answer(ngx_rs_redis_watch_t *watch);
static void ngx_rs_redis_sentinel_accept(ngx_rs_redis_watch_t *watch);
static ngx_rs_redis_watch_t *ngx_rs_redis_sentinel_best(
    ngx_rs_redis_sentinel_t *st);


ngx_rs_redis_sentinel_t *
ngx_rs_redis_sentinel_create(ngx_rs_redis_place_t *place)
{
    ngx_uint_t                i, n;
    ngx_rs_redis_server_t    *servers;
    ngx_rs_redis_sentinel_t  *st;

    n = place->conf->servers.nelts;
    servers = place->conf->servers.elts;

    st = ngx_calloc(sizeof(ngx_rs_redis_sentinel_t)
                    + (n - 1) * sizeof(ngx_rs_redis_watch_t), place->log);
    if (st == NULL) {
        return NULL;
    }

    st->place = place;

    st->poll.handler = ngx_rs_redis_sentinel_poll_handler;
    st->poll.data = st;
    st->poll.log = place->log;
    st->poll.cancelable = 1;

    for (i = 0; i < n; i++) {
        st->watches[i].sentinel = st;

        if (ngx_rs_redis_sentinel_watch(&st->watches[i], &servers[i])
            != NGX_OK)
        {
            ngx_rs_redis_sentinel_destroy(st);
            return NULL;
        }

        st->n++;
    }

    ngx_add_timer(&st->poll, NGX_RS_REDIS_SENTINEL_POLL);

    return st;
}


static ngx_int_t
ngx_rs_redis_sentinel_watch(ngx_rs_redis_watch_t *watch,
    ngx_rs_redis_server_t *server)
{
    ngx_rs_redis_conf_t   *conf;
    ngx_rs_redis_place_t  *place;

    place = watch->sentinel->place;
    conf = &watch->conf;

    *conf = *place->conf;

    conf->text = server->text;
    conf->servers.elts = server;
    conf->servers.nelts = 1;
    ngx_str_null(&conf->master);
    conf->db = 0;
    conf->user = place->conf->sentinel_user;
    conf->password = place->conf->sentinel_password;
    conf->inflight = NGX_RS_REDIS_SENTINEL_INFLIGHT;
    conf->sentinel = 1;
    conf->name = "Sentinel";
    conf->place = NULL;

    watch->link = ngx_rs_redis_create(conf, place->log,
                                      ngx_rs_redis_sentinel_state, watch);

    return watch->link ? NGX_OK : NGX_ERROR;
}


void
ngx_rs_redis_sentinel_destroy(ngx_rs_redis_sentinel_t *st)
{
    ngx_uint_t  i;

    st->closing = 1;

    if (st->poll.timer_set) {
        ngx_del_timer(&st->poll);
    }

    for (i = 0; i < st->n; i++) {
        ngx_rs_redis_destroy(st->watches[i].link);
    }

    ngx_free(st);
}


static void
ngx_rs_redis_sentinel_state(void *data, ngx_uint_t up)
{
    ngx_rs_redis_watch_t *watch = data;

    if (up && !ngx_queue_empty(&watch->sentinel->place->waiting)) {
        ngx_rs_redis_sentinel_question(watch);
    }
}


static void
ngx_rs_redis_sentinel_poll_handler(ngx_event_t *ev)
{
    ngx_rs_redis_sentinel_t  *st;

    st = ev->data;

    ngx_add_timer(ev, NGX_RS_REDIS_SENTINEL_POLL);

    ngx_rs_redis_sentinel_ask(st);
}


void
ngx_rs_redis_sentinel_ask(ngx_rs_redis_sentinel_t *st)
{
    ngx_uint_t  i;

    for (i = 0; i < st->n; i++) {
        ngx_rs_redis_sentinel_question(&st->watches[i]);
    }
}


/*
 * Two questions: the address is the promoted one as early as this Sentinel
 * knows of it, and SENTINEL MASTER has the epoch that goes with it.
 */

static void
ngx_rs_redis_sentinel_question(ngx_rs_redis_watch_t *watch)
{
    ngx_str_t  words[3];

    if (watch->pending) {
        return;                      /* its answer is on the way */
    }

    watch->host.len = 0;

    ngx_str_set(&words[0], "SENTINEL");
    ngx_str_set(&words[1], "GET-MASTER-ADDR-BY-NAME");
    words[2] = watch->sentinel->place->conf->master;

    if (ngx_rs_redis_command(watch->link, 3, words,
                             ngx_rs_redis_sentinel_address, watch)
        != NGX_OK)
    {
        return;
    }

    watch->pending++;

    ngx_str_set(&words[1], "MASTER");

    if (ngx_rs_redis_command(watch->link, 3, words,
                             ngx_rs_redis_sentinel_master, watch)
        == NGX_OK)
    {
        watch->pending++;
    }
}


static void
ngx_rs_redis_sentinel_address(void *data, ngx_rs_reply_t *reply)
{
    ngx_rs_redis_watch_t *watch = data;

    int64_t    port;
    ngx_str_t  host;

    watch->pending--;

    host = ngx_rs_reply_str(reply, 0);
    port = ngx_rs_reply_int(reply, 1);

    if (host.len == 0 || host.len > NGX_RS_REDIS_HOST_MAX
        || port < 1 || port > 65535)
    {
        return;
    }

    watch->host.len = host.len;
    watch->host.data = watch->text;
    watch->port = (in_port_t) port;

    ngx_memcpy(watch->text, host.data, host.len);
}


static void
ngx_rs_redis_sentinel_master(void *data, ngx_rs_reply_t *reply)
{
    ngx_rs_redis_watch_t *watch = data;

    uint64_t               epoch;
    ngx_str_t              text;
    ngx_rs_redis_place_t  *place;

    watch->pending--;

    if (reply == NULL || watch->sentinel->closing) {
        watch->host.len = 0;
        return;
    }

    place = watch->sentinel->place;

    if (ngx_rs_reply_error(reply, &text)) {
        text.len = ngx_min(text.len, NGX_RS_REDIS_ERROR_LEN);
        ngx_rs_redis_place_set_trouble(place, "Sentinel \"%V\" does not tell "
                                       "where \"%V\" is: %V",
                                       &watch->conf.text,
                                       &place->conf->master, &text);
        watch->host.len = 0;
        return;
    }

    text = ngx_rs_reply_field(reply, "config-epoch");

    if (watch->host.len == 0
        || !rs_u64_parse((rs_str_t) { text.data, text.len }, UINT64_MAX,
                         &epoch))
    {
        watch->host.len = 0;
        return;
    }

    watch->epoch = epoch;

    /* those dropped by it may be the last that hold the place */

    place->refs++;
    ngx_rs_redis_sentinel_answer(watch);
    ngx_rs_redis_place_unref(place);
}


static void
ngx_rs_redis_sentinel_answer(ngx_rs_redis_watch_t *watch)
{
    ngx_rs_redis_sentinel_t  *st;

    st = watch->sentinel;

    if (!st->known || watch->epoch > st->epoch) {
        ngx_rs_redis_sentinel_accept(watch);
        return;
    }

    if (ngx_queue_empty(&st->place->waiting)) {
        return;
    }

    if (watch->epoch < st->epoch) {
        watch = ngx_rs_redis_sentinel_best(st);

        if (watch == NULL) {
            ngx_rs_redis_place_set_trouble(st->place, "no Sentinel is as far "
                                           "as failover %uL, which was "
                                           "known already", st->epoch);
            return;
        }
    }

    ngx_rs_redis_sentinel_accept(watch);
}


/* the newest of the answers, when most have answered; NULL: wait for others */

static ngx_rs_redis_watch_t *
ngx_rs_redis_sentinel_best(ngx_rs_redis_sentinel_t *st)
{
    ngx_uint_t             i, answers;
    ngx_rs_redis_watch_t  *watch, *best;

    best = NULL;
    answers = 0;

    for (i = 0; i < st->n; i++) {
        watch = &st->watches[i];

        if (watch->host.len == 0 || watch->pending) {
            continue;
        }

        answers++;

        if (best == NULL || watch->epoch > best->epoch) {
            best = watch;
        }
    }

    return (answers > st->n / 2) ? best : NULL;
}


static void
ngx_rs_redis_sentinel_accept(ngx_rs_redis_watch_t *watch)
{
    ngx_uint_t                moved;
    ngx_rs_redis_place_t     *place;
    ngx_rs_redis_sentinel_t  *st;

    st = watch->sentinel;
    place = st->place;

    moved = place->port != watch->port
            || place->host.len != watch->host.len
            || ngx_memcmp(place->host.data, watch->host.data,
                          watch->host.len)
               != 0;

    if (moved) {
        ngx_log_error(NGX_LOG_NOTICE, place->log, 0,
                      "rs redis: the primary of \"%V\" is %V:%d, says "
                      "Sentinel \"%V\"", &place->conf->master, &watch->host,
                      watch->port, &watch->conf.text);
    }

    st->known = 1;
    st->epoch = watch->epoch;

    ngx_rs_redis_place_set(place, &watch->host, watch->port, moved);
}
