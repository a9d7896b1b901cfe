
/*
 * Copyright (C) rs-gateway contributors
 *
 * The life of one link to Redis, or to a Sentinel.
 *
 *     DOWN -> LOCATING -> CONNECTING -> HANDSHAKE -> UP
 *
 * There is one way in (where is the server?), one way up (the table of
 * steps), all of it under connect_timeout, and one way down (turn_link_down).
 *
 * Replies are positional: the queue of pending commands is in the order they
 * were sent, and a command past its deadline takes the link down, because its
 * reply could not be skipped.  A process that was stopped gets to its timers
 * before its sockets, so a deadline is given one round of the loop more.
 */


#include "turn_upstream_link.h"
#include "turn_clock.h"
#include "turn_log.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>


#define TURN_LINK_BACKOFF_MIN   100        /* ms, half of it is jitter */
#define TURN_LINK_BACKOFF_MAX   2000       /* ms */
#define TURN_LINK_BACKOFF_SOON  400        /* ms, where Sentinel is asked */
#define TURN_LINK_STABLE        5000       /* ms up that clear the backoff */
#define TURN_LINK_LATE          5          /* ms, for one more round */
#define TURN_LINK_FLAPS         3          /* that are worth a word */
#define TURN_LINK_ERROR_LEN     128        /* of Redis' own words in a log */

#define TURN_LINK_E_LINK        1          /* kinds of trouble */
#define TURN_LINK_E_STEP        2
#define TURN_LINK_E_TLS         4


static void turn_link_timer(turn_link_t *link, uint64_t ms);
static void turn_link_timer_handler(evutil_socket_t fd, short what,
    void *data);
static void turn_link_overdue(turn_link_t *link);
static void turn_link_connect_overdue(turn_link_t *link);
static int turn_link_open(turn_link_t *link, const struct sockaddr *sa,
    socklen_t len);
static void turn_link_close(turn_link_t *link);
static void turn_link_event(struct bufferevent *bev, short what, void *data);
static void turn_link_lost(turn_link_t *link, short what, int err);
static void turn_link_read(struct bufferevent *bev, void *data);
static void turn_link_reply(turn_link_t *link, turn_reply_t *reply);
static void turn_link_next_step(turn_link_t *link);
static void turn_link_step_reply(turn_link_t *link, turn_reply_t *reply);
static void turn_link_command_reply(turn_link_t *link, turn_reply_t *reply);
static int turn_link_fatal(rs_str_t text);
static void turn_link_ready(turn_link_t *link);
static void turn_link_down(turn_link_t *link, unsigned kind);
static void turn_link_drain(turn_link_t *link);


uint64_t
turn_upstream_ms(void)
{
    return turn_clock_mono_us() / 1000;
}


/* for jitter */

uint64_t
turn_upstream_random(uint64_t below)
{
    uint64_t  v;

    if (getrandom(&v, sizeof(v), GRND_NONBLOCK) != sizeof(v)) {
        v = turn_clock_mono_us();
    }

    return below ? v % below : 0;
}


turn_link_t *
turn_link_create(struct event_base *base, turn_place_t *place,
    const turn_link_conf_t *conf, const char *name, turn_link_state_pt state,
    turn_link_message_pt message, void *data)
{
    turn_link_t  *link;

    link = calloc(1, sizeof(turn_link_t));
    if (link == NULL) {
        return NULL;
    }

    link->timer = event_new(base, -1, 0, turn_link_timer_handler, link);

    if (link->timer == NULL) {
        free(link);
        return NULL;
    }

    link->base = base;
    link->place = place;
    link->conf = conf;
    link->name = name;
    link->state_handler = state;
    link->message_handler = message;
    link->data = data;

    TAILQ_INIT(&link->pending);
    TAILQ_INSERT_TAIL(&place->links, link, next);

    turn_link_timer(link, 0);

    return link;
}


void
turn_link_destroy(turn_link_t *link)
{
    if (link == NULL) {
        return;
    }

    link->state = TURN_LINK_DOWN;
    link->waiting = 0;

    turn_link_close(link);
    turn_link_drain(link);

    TAILQ_REMOVE(&link->place->links, link, next);
    event_free(link->timer);
    free(link);
}


void
turn_link_reset(turn_link_t *link, const char *fmt, ...)
{
    va_list  args;

    if (link->state != TURN_LINK_UP) {
        return;
    }

    va_start(args, fmt);
    (void) vsnprintf(link->reason, sizeof(link->reason), fmt, args);
    va_end(args);

    turn_link_down(link, TURN_LINK_E_LINK);
}


void
turn_link_moved(turn_link_t *link, const char *where)
{
    if (link->state < TURN_LINK_CONNECTING) {
        return;
    }

    /* nothing is wrong with the new one: at once, and without a grudge */

    link->attempts = 0;

    turn_link_reason(link, "Sentinel names another primary, %s", where);
    turn_link_down(link, TURN_LINK_E_LINK);
}


void
turn_link_reason(turn_link_t *link, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(link->reason, sizeof(link->reason), fmt, args);
    va_end(args);
}


static void
turn_link_timer(turn_link_t *link, uint64_t ms)
{
    struct timeval  tv;

    tv.tv_sec = (time_t) (ms / 1000);
    tv.tv_usec = (suseconds_t) (ms % 1000 * 1000);

    (void) event_add(link->timer, &tv);
}


static void
turn_link_timer_handler(evutil_socket_t fd, short what, void *data)
{
    turn_link_t *link = data;

    (void) fd;
    (void) what;

    switch (link->state) {

    case TURN_LINK_DOWN:
        turn_log(TURN_LOG_DEBUG, "redis: connecting to \"%s\" for %s, "
                 "attempt %u", link->conf->text, link->name,
                 link->attempts + 1);

        link->state = TURN_LINK_LOCATING;
        link->waiting = 1;
        link->late = 0;
        turn_link_timer(link, link->conf->connect_timeout);

        turn_place_ask(link->place, link);
        break;

    case TURN_LINK_UP:
        turn_link_overdue(link);
        break;

    default:
        turn_link_connect_overdue(link);
        break;
    }
}


static void
turn_link_connect_overdue(turn_link_t *link)
{
    const char  *what;

    if (!link->late) {
        link->late = 1;
        turn_link_timer(link, TURN_LINK_LATE);
        return;
    }

    if (link->state == TURN_LINK_LOCATING) {
        turn_link_reason(link, "%s", turn_place_trouble(link->place));
        turn_link_down(link, TURN_LINK_E_LINK);
        return;
    }

    what = link->conf->tls ? "connect() and TLS" : "connect()";

    if (link->state == TURN_LINK_HANDSHAKE) {
        what = turn_link_steps[link->step].name;
    }

    turn_link_reason(link, "no answer to %s within %llu ms", what,
                     (unsigned long long) link->conf->connect_timeout);
    turn_link_down(link, TURN_LINK_E_LINK);
}


static void
turn_link_overdue(turn_link_t *link)
{
    uint64_t         now;
    turn_pending_t  *pending;

    pending = TAILQ_FIRST(&link->pending);

    if (pending == NULL) {
        return;
    }

    now = turn_upstream_ms();

    if (now < pending->due) {
        link->late = 0;
        turn_link_timer(link, pending->due - now);
        return;
    }

    if (!link->late) {
        link->late = 1;
        turn_link_timer(link, TURN_LINK_LATE);
        return;
    }

    turn_link_reason(link, "no reply within %llu ms, %zu commands under way",
                     (unsigned long long) link->conf->timeout,
                     link->npending);
    turn_link_down(link, TURN_LINK_E_LINK);
}


void
turn_link_found(turn_link_t *link, const struct sockaddr *sa, socklen_t len,
    const char *host)
{
    link->waiting = 0;
    link->state = TURN_LINK_CONNECTING;
    link->generation = link->place->generation;

    (void) snprintf(link->host, sizeof(link->host), "%s", host);

    if (turn_link_open(link, sa, len) < 0) {
        turn_link_down(link, TURN_LINK_E_LINK);
    }
}


void
turn_link_not_found(turn_link_t *link)
{
    link->waiting = 0;

    turn_link_reason(link, "%s", turn_place_trouble(link->place));
    turn_link_down(link, TURN_LINK_E_LINK);
}


/* -1: link->reason is set */

static int
turn_link_open(turn_link_t *link, const struct sockaddr *sa, socklen_t len)
{
    SSL         *ssl;
    const char  *name;

    link->reader = turn_reader_create();

    if (link->reader == NULL) {
        goto nomem;
    }

    if (link->conf->tls) {
        name = link->conf->server_name && *link->conf->server_name
               ? link->conf->server_name : link->host;

        ssl = turn_tls_start(link->conf->tls, name);

        if (ssl == NULL) {
            turn_link_reason(link, "\"%s\" is no name for TLS", name);
            return -1;
        }

        link->bev = bufferevent_openssl_socket_new(link->base, -1, ssl,
                        BUFFEREVENT_SSL_CONNECTING,
                        BEV_OPT_CLOSE_ON_FREE|BEV_OPT_DEFER_CALLBACKS);

        if (link->bev == NULL) {
            SSL_free(ssl);
            goto nomem;
        }

        bufferevent_openssl_set_allow_dirty_shutdown(link->bev, 1);

    } else {
        link->bev = bufferevent_socket_new(link->base, -1,
                        BEV_OPT_CLOSE_ON_FREE|BEV_OPT_DEFER_CALLBACKS);

        if (link->bev == NULL) {
            goto nomem;
        }
    }

    bufferevent_setcb(link->bev, turn_link_read, NULL, turn_link_event, link);
    bufferevent_setwatermark(link->bev, EV_READ, 0, TURN_REPLY_BULK_MAX);

    if (bufferevent_socket_connect(link->bev, sa, (int) len) < 0) {
        turn_link_reason(link, "connect() failed: %s", strerror(errno));
        return -1;
    }

    return 0;

nomem:

    turn_link_reason(link, "no memory");

    return -1;
}


static void
turn_link_close(turn_link_t *link)
{
    if (link->bev) {
        bufferevent_free(link->bev);
        link->bev = NULL;
    }

    turn_reader_free(link->reader);
    link->reader = NULL;
}


static void
turn_link_event(struct bufferevent *bev, short what, void *data)
{
    turn_link_t *link = data;

    int  err, one;

    err = EVUTIL_SOCKET_ERROR();

    if (link->bev != bev) {
        return;
    }

    if (!(what & BEV_EVENT_CONNECTED)) {
        turn_link_lost(link, what, err);
        return;
    }

    one = 1;
    (void) setsockopt(bufferevent_getfd(bev), IPPROTO_TCP, TCP_NODELAY, &one,
                      sizeof(one));

    if (bufferevent_enable(bev, EV_READ|EV_WRITE) < 0) {
        turn_link_reason(link, "the event method refused the socket");
        turn_link_down(link, TURN_LINK_E_LINK);
        return;
    }

    link->state = TURN_LINK_HANDSHAKE;
    link->step = 0;

    turn_link_next_step(link);
}


static void
turn_link_lost(turn_link_t *link, short what, int err)
{
    SSL            *ssl;
    unsigned        kind;
    unsigned long   code;

    /* with TLS 1.3 a server looks at our certificate when we are done */

    ssl = link->conf->tls ? bufferevent_openssl_get_ssl(link->bev) : NULL;
    code = ssl ? bufferevent_get_openssl_error(link->bev) : 0;
    kind = TURN_LINK_E_LINK;

    if (ssl && (link->state == TURN_LINK_CONNECTING || code)) {

        if (link->state == TURN_LINK_CONNECTING && code == 0 && err
            && !(what & BEV_EVENT_EOF))
        {
            turn_link_reason(link, "connect() failed: %s", strerror(err));

        } else {
            kind = TURN_LINK_E_TLS;
            turn_tls_reason(ssl, link->conf->server_name
                                 && *link->conf->server_name
                                 ? link->conf->server_name : link->host,
                            link->reason, sizeof(link->reason));
        }

    } else if (what & BEV_EVENT_EOF) {
        turn_link_reason(link, "Redis closed the connection");

    } else {
        turn_link_reason(link, "%s failed: %s",
                         link->state == TURN_LINK_CONNECTING
                         ? "connect()" : "the socket", strerror(err));
    }

    turn_link_down(link, kind);
}


static void
turn_link_read(struct bufferevent *bev, void *data)
{
    turn_link_t *link = data;

    int                    n, rc;
    turn_reply_t          *reply;
    struct evbuffer       *in;
    struct evbuffer_iovec  v;

    in = bufferevent_get_input(bev);

    while (link->bev == bev && evbuffer_get_length(in)) {

        n = evbuffer_peek(in, -1, NULL, &v, 1);

        if (n < 1) {
            return;
        }

        rc = turn_reader_feed(link->reader, v.iov_base, v.iov_len);
        (void) evbuffer_drain(in, v.iov_len);

        while (rc == 0) {
            rc = turn_reader_next(link->reader, &reply);

            if (rc < 0 || reply == NULL) {
                break;
            }

            turn_link_reply(link, reply);
            turn_reply_free(reply);

            if (link->bev != bev) {
                return;
            }
        }

        if (rc < 0) {
            turn_link_reason(link, "a reply breaks the protocol or our "
                             "limits");
            turn_link_down(link, TURN_LINK_E_LINK);
            return;
        }
    }
}


static void
turn_link_reply(turn_link_t *link, turn_reply_t *reply)
{
    rs_str_t  text;

    if (link->state == TURN_LINK_HANDSHAKE) {
        turn_link_step_reply(link, reply);
        return;
    }

    if (link->message_handler == NULL) {
        turn_link_command_reply(link, reply);
        return;
    }

    if (turn_reply_error(reply, &text)) {
        turn_link_reason(link, "error while subscribed: %.*s",
                         (int) (text.len < TURN_LINK_ERROR_LEN
                                ? text.len : TURN_LINK_ERROR_LEN),
                         (const char *) text.data);
        turn_link_down(link, TURN_LINK_E_STEP);
        return;
    }

    link->message_handler(link->data, reply);
}


/* sends the command of this step or of the next one that has any */

static void
turn_link_next_step(turn_link_t *link)
{
    char      text[TURN_LINK_HOST_MAX];
    size_t    argc;
    rs_str_t  argv[TURN_LINK_ARGS];

    for ( /* void */ ; turn_link_steps[link->step].name; link->step++) {

        argc = turn_link_steps[link->step].build(link, argv, text,
                                                 sizeof(text));
        if (argc == 0) {
            continue;
        }

        if (turn_reply_command(bufferevent_get_output(link->bev), argv, argc)
            < 0)
        {
            turn_link_reason(link, "no memory");
            turn_link_down(link, TURN_LINK_E_LINK);
        }

        return;
    }

    turn_link_ready(link);
}


static void
turn_link_step_reply(turn_link_t *link, turn_reply_t *reply)
{
    rs_str_t                 text;
    const turn_link_step_t  *step;

    step = &turn_link_steps[link->step];

    if (step->name == NULL) {
        return;
    }

    if (turn_reply_error(reply, &text)) {

        if (!step->optional) {
            turn_link_reason(link, "%s is refused: %.*s", step->name,
                             (int) (text.len < TURN_LINK_ERROR_LEN
                                    ? text.len : TURN_LINK_ERROR_LEN),
                             (const char *) text.data);
            turn_link_down(link, TURN_LINK_E_STEP);
            return;
        }

    } else if (step->check && step->check(link, reply) < 0) {
        turn_link_down(link, TURN_LINK_E_STEP);
        return;
    }

    link->step++;
    turn_link_next_step(link);
}


static void
turn_link_ready(turn_link_t *link)
{
    turn_log_e  level;

    (void) event_del(link->timer);

    link->state = TURN_LINK_UP;
    link->up_at = turn_upstream_ms();
    link->late = 0;
    link->ups++;

    level = link->conf->sentinel ? TURN_LOG_INFO : TURN_LOG_NOTICE;

    turn_log(link->flaps > TURN_LINK_FLAPS ? TURN_LOG_DEBUG : level,
             "redis: link to \"%s\" for %s is up", link->conf->text,
             link->name);

    link->state_handler(link->data, 1);
}


int
turn_link_command(turn_link_t *link, const rs_str_t *argv, size_t argc,
    turn_link_reply_pt handler, void *data)
{
    turn_pending_t   *pending;
    struct evbuffer  *out;

    if (link->state != TURN_LINK_UP || link->message_handler
        || link->npending >= TURN_LINK_INFLIGHT)
    {
        return -1;
    }

    out = bufferevent_get_output(link->bev);

    if (evbuffer_get_length(out) > TURN_LINK_OUT_MAX) {
        return -1;
    }

    pending = calloc(1, sizeof(turn_pending_t));
    if (pending == NULL) {
        return -1;
    }

    pending->handler = handler;
    pending->data = data;
    pending->due = turn_upstream_ms() + link->conf->timeout;

    TAILQ_INSERT_TAIL(&link->pending, pending, next);
    link->npending++;

    if (link->npending == 1) {
        turn_link_timer(link, link->conf->timeout);
    }

    /* half a command would mix with the next: its deadline ends the link */

    (void) turn_reply_command(out, argv, argc);

    return 0;
}


int
turn_link_ping(turn_link_t *link, rs_str_t text)
{
    rs_str_t  argv[2];

    if (link->state != TURN_LINK_UP || link->message_handler == NULL) {
        return -1;
    }

    argv[0] = RS_STR("PING");
    argv[1] = text;

    return turn_reply_command(bufferevent_get_output(link->bev), argv, 2);
}


static void
turn_link_command_reply(turn_link_t *link, turn_reply_t *reply)
{
    void                *data;
    rs_str_t             text;
    turn_pending_t      *pending;
    turn_link_reply_pt   handler;

    pending = TAILQ_FIRST(&link->pending);

    if (pending == NULL) {
        turn_link_reason(link, "a reply came that nobody had asked for");
        turn_link_down(link, TURN_LINK_E_LINK);
        return;
    }

    /* what a Sentinel does not answer is no trouble of its link */

    if (!link->conf->sentinel && turn_reply_error(reply, &text)
        && turn_link_fatal(text))
    {
        turn_link_reason(link, "%.*s",
                         (int) (text.len < TURN_LINK_ERROR_LEN
                                ? text.len : TURN_LINK_ERROR_LEN),
                         (const char *) text.data);
        turn_link_down(link, TURN_LINK_E_STEP);
        return;
    }

    TAILQ_REMOVE(&link->pending, pending, next);
    link->npending--;
    link->late = 0;

    handler = pending->handler;
    data = pending->data;
    free(pending);

    if (link->npending == 0) {
        (void) event_del(link->timer);
    }

    handler(data, reply);
}


/* the handshake will say what is wrong: another role, password, library */

static int
turn_link_fatal(rs_str_t text)
{
    size_t  i;

    static const char *const  words[] = {
        "READONLY", "NOAUTH", "NOPERM", "WRONGPASS", "ERR Function not found"
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (rs_str_starts(text, rs_str(words[i]))) {
            return 1;
        }
    }

    return 0;
}


/* the one way down; link->reason is set */

static void
turn_link_down(turn_link_t *link, unsigned kind)
{
    int       was_up;
    unsigned  shift;
    uint64_t  base, max;

    was_up = (link->state == TURN_LINK_UP);

    link->state = TURN_LINK_DOWN;
    link->waiting = 0;
    turn_link_close(link);
    ERR_clear_error();

    if (was_up) {
        link->downs++;

        /* one that comes up only to be lost is still the same trouble */

        if (turn_upstream_ms() - link->up_at >= TURN_LINK_STABLE) {
            link->attempts = 0;
            link->flaps = 0;
            link->told = 0;

        } else {
            link->flaps++;
        }
    }

    max = link->conf->soon ? TURN_LINK_BACKOFF_SOON : TURN_LINK_BACKOFF_MAX;
    shift = link->attempts < 5 ? link->attempts : 5;
    base = (uint64_t) TURN_LINK_BACKOFF_MIN << shift;

    if (base > max) {
        base = max;
    }

    link->attempts++;
    turn_link_timer(link, base / 2 + turn_upstream_random(base / 2 + 1));

    turn_log((link->told & kind) ? TURN_LOG_DEBUG : TURN_LOG_ERR,
             "redis: link to \"%s\" for %s is down: %s", link->conf->text,
             link->name, link->reason);

    link->told |= kind & 7;

    if (was_up) {
        link->state_handler(link->data, 0);
    }

    turn_link_drain(link);
}


/* what is called may ask again, and is refused: the link is down */

static void
turn_link_drain(turn_link_t *link)
{
    void                *data;
    turn_pending_t      *pending;
    turn_link_reply_pt   handler;

    while ((pending = TAILQ_FIRST(&link->pending)) != NULL) {
        TAILQ_REMOVE(&link->pending, pending, next);
        link->npending--;

        handler = pending->handler;
        data = pending->data;
        free(pending);

        handler(data, NULL);
    }
}
