
/*
 * Copyright (C) rs-gateway contributors
 *
 * Which Redis is the primary, as the Sentinels say: the same rules as the
 * gateway's (docs/design/redis.md, "Links").
 *
 * There is a link to each Sentinel.  All of them are asked at once when a
 * link wants to know, and each second: the first good answer counts, so one
 * that is gone together with the primary costs nothing, and links that lead
 * to a primary which was cut off from the others are dropped soon.
 *
 * An answer has the number of the failover that led to it (config-epoch).
 * A higher one moves all links.  An equal one answers those that ask.  A
 * lower one comes from a Sentinel that lags behind: it counts only where a
 * link asks and most Sentinels agree that there is nothing newer.
 */


#include "turn_upstream_link.h"
#include "turn_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define TURN_SENTINEL_POLL   1             /* s */
#define TURN_SENTINEL_ERROR  128           /* of its own words in a log */


typedef struct {
    turn_sentinel_t        *sentinel;
    turn_place_t            place;         /* of the Sentinel itself */
    turn_link_t            *link;
    turn_link_conf_t        conf;
    char                    text[TURN_LINK_HOST_MAX + 16];

    unsigned                pending;       /* replies */

    /* its last answer */

    uint64_t                epoch;
    unsigned                port;
    char                    host[TURN_LINK_HOST_MAX + 1];    /* "": none */
} turn_watch_t;


struct turn_sentinel_s {
    turn_place_t           *place;         /* of the primary */
    rs_str_t                master;
    struct event           *poll;
    uint64_t                epoch;         /* of what place says */
    unsigned                known:1;
    unsigned                closing:1;

    size_t                  n;
    turn_watch_t            watches[];
};


static int turn_sentinel_watch(turn_watch_t *watch, const rs_redis_url_t *url,
    size_t i, const turn_link_conf_t *conf);
static void turn_sentinel_state(void *data, int up);
static void turn_sentinel_poll_handler(evutil_socket_t fd, short what,
    void *data);
static void turn_sentinel_question(turn_watch_t *watch);
static void turn_sentinel_address(void *data, turn_reply_t *reply);
static void turn_sentinel_master(void *data, turn_reply_t *reply);
static void turn_sentinel_answer(turn_watch_t *watch);
static void turn_sentinel_accept(turn_watch_t *watch);
static turn_watch_t *turn_sentinel_best(turn_sentinel_t *st);


turn_sentinel_t *
turn_sentinel_create(turn_place_t *place, const rs_redis_url_t *url,
    const turn_link_conf_t *conf)
{
    size_t            i;
    struct timeval    tv;
    turn_sentinel_t  *st;

    st = calloc(1, sizeof(turn_sentinel_t) + url->n * sizeof(turn_watch_t));
    if (st == NULL) {
        return NULL;
    }

    st->place = place;
    st->master = url->master;
    st->poll = event_new(place->base, -1, EV_PERSIST,
                         turn_sentinel_poll_handler, st);

    if (st->poll == NULL) {
        free(st);
        return NULL;
    }

    for (i = 0; i < url->n; i++) {
        st->watches[i].sentinel = st;

        if (turn_sentinel_watch(&st->watches[i], url, i, conf) < 0) {
            turn_sentinel_destroy(st);
            return NULL;
        }

        st->n++;
    }

    tv.tv_sec = TURN_SENTINEL_POLL;
    tv.tv_usec = 0;
    (void) event_add(st->poll, &tv);

    return st;
}


static int
turn_sentinel_watch(turn_watch_t *watch, const rs_redis_url_t *url, size_t i,
    const turn_link_conf_t *conf)
{
    turn_place_t  *place;

    place = watch->sentinel->place;

    (void) snprintf(watch->text, sizeof(watch->text), "%.*s",
                    (int) url->servers[i].text.len,
                    (const char *) url->servers[i].text.data);

    watch->conf = *conf;
    watch->conf.text = watch->text;
    watch->conf.db = 0;
    watch->conf.sentinel = 1;
    watch->conf.soon = 1;

    turn_place_init(&watch->place, place->base, url, i, place->resolver,
                    place->timeout);

    watch->link = turn_link_create(place->base, &watch->place, &watch->conf,
                                   "Sentinel", turn_sentinel_state, NULL,
                                   watch);

    return watch->link ? 0 : -1;
}


void
turn_sentinel_destroy(turn_sentinel_t *st)
{
    size_t  i;

    st->closing = 1;

    event_free(st->poll);

    for (i = 0; i < st->n; i++) {
        turn_link_destroy(st->watches[i].link);
        turn_place_done(&st->watches[i].place);
    }

    free(st);
}


void
turn_sentinel_tls(turn_sentinel_t *st, SSL_CTX *tls)
{
    size_t  i;

    for (i = 0; i < st->n; i++) {
        st->watches[i].conf.tls = tls;
    }
}


static void
turn_sentinel_state(void *data, int up)
{
    turn_watch_t *watch = data;

    if (up && turn_place_waiting(watch->sentinel->place)) {
        turn_sentinel_question(watch);
    }
}


static void
turn_sentinel_poll_handler(evutil_socket_t fd, short what, void *data)
{
    (void) fd;
    (void) what;

    turn_sentinel_ask(data);
}


void
turn_sentinel_ask(turn_sentinel_t *st)
{
    size_t  i;

    for (i = 0; i < st->n; i++) {
        turn_sentinel_question(&st->watches[i]);
    }
}


/*
 * Two questions: the address is the promoted one as early as this Sentinel
 * knows of it, and SENTINEL MASTER has the epoch that goes with it.
 */

static void
turn_sentinel_question(turn_watch_t *watch)
{
    rs_str_t  words[3];

    if (watch->pending) {
        return;                      /* its answer is on the way */
    }

    watch->host[0] = '\0';

    words[0] = RS_STR("SENTINEL");
    words[1] = RS_STR("GET-MASTER-ADDR-BY-NAME");
    words[2] = watch->sentinel->master;

    if (turn_link_command(watch->link, words, 3, turn_sentinel_address,
                          watch)
        < 0)
    {
        return;
    }

    watch->pending++;

    words[1] = RS_STR("MASTER");

    if (turn_link_command(watch->link, words, 3, turn_sentinel_master, watch)
        == 0)
    {
        watch->pending++;
    }
}


static void
turn_sentinel_address(void *data, turn_reply_t *reply)
{
    turn_watch_t *watch = data;

    uint64_t  port;
    rs_str_t  host;

    watch->pending--;

    host = turn_reply_str(reply, 0);

    if (host.len == 0 || host.len > TURN_LINK_HOST_MAX
        || memchr(host.data, '\0', host.len) != NULL
        || !turn_reply_u64(reply, 1, &port) || port < 1 || port > 65535)
    {
        return;
    }

    memcpy(watch->host, host.data, host.len);
    watch->host[host.len] = '\0';
    watch->port = (unsigned) port;
}


static void
turn_sentinel_master(void *data, turn_reply_t *reply)
{
    turn_watch_t *watch = data;

    int            good;
    uint64_t       epoch;
    rs_str_t       text;
    turn_place_t  *place;

    watch->pending--;

    if (reply == NULL || watch->sentinel->closing) {
        watch->host[0] = '\0';
        return;
    }

    place = watch->sentinel->place;

    if (turn_reply_error(reply, &text)) {
        turn_place_set_trouble(place, "Sentinel \"%s\" does not tell where "
                               "\"%.*s\" is: %.*s", watch->text,
                               (int) watch->sentinel->master.len,
                               (const char *) watch->sentinel->master.data,
                               (int) (text.len < TURN_SENTINEL_ERROR
                                      ? text.len : TURN_SENTINEL_ERROR),
                               (const char *) text.data);
        watch->host[0] = '\0';
        return;
    }

    text = turn_reply_field(reply, "config-epoch");
    good = rs_u64_parse(text, UINT64_MAX, &epoch);

    if (watch->host[0] == '\0' || !good) {
        watch->host[0] = '\0';
        return;
    }

    watch->epoch = epoch;

    turn_sentinel_answer(watch);
}


static void
turn_sentinel_answer(turn_watch_t *watch)
{
    turn_sentinel_t  *st;

    st = watch->sentinel;

    if (!st->known || watch->epoch > st->epoch) {
        turn_sentinel_accept(watch);
        return;
    }

    if (!turn_place_waiting(st->place)) {
        return;
    }

    if (watch->epoch < st->epoch) {
        watch = turn_sentinel_best(st);

        if (watch == NULL) {
            turn_place_set_trouble(st->place, "no Sentinel is as far as "
                                   "failover %llu, which was known already",
                                   (unsigned long long) st->epoch);
            return;
        }
    }

    turn_sentinel_accept(watch);
}


/* the newest of the answers, when most have answered; NULL: wait for others */

static turn_watch_t *
turn_sentinel_best(turn_sentinel_t *st)
{
    size_t         i, answers;
    turn_watch_t  *watch, *best;

    best = NULL;
    answers = 0;

    for (i = 0; i < st->n; i++) {
        watch = &st->watches[i];

        if (watch->host[0] == '\0' || watch->pending) {
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
turn_sentinel_accept(turn_watch_t *watch)
{
    int               moved;
    turn_place_t     *place;
    turn_sentinel_t  *st;

    st = watch->sentinel;
    place = st->place;

    moved = place->port != watch->port
            || strcmp(place->host, watch->host) != 0;

    if (moved) {
        turn_log(TURN_LOG_NOTICE, "redis: the primary of \"%.*s\" is %s:%u, "
                 "says Sentinel \"%s\"", (int) st->master.len,
                 (const char *) st->master.data, watch->host, watch->port,
                 watch->text);
    }

    st->known = 1;
    st->epoch = watch->epoch;

    turn_place_set(place, watch->host, watch->port, moved);
}
