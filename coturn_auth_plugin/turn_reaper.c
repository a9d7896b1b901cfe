
/*
 * Copyright (C) rs-gateway contributors
 *
 * The connection to coturn's CLI, and what is cancelled on it.
 *
 * Everything the CLI prints goes through turn_reaper_line(); a state ends when
 * the prompt stands at the end of what has come.  That is the end of a `cs`,
 * which prints nothing else; of a listing it is only the moment to send the
 * fence, whose answer is the end.
 */


#include "turn_reaper_impl.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


#define TURN_REAPER_LIST      60000   /* ms */
#define TURN_REAPER_SILENCE   5000    /* ms */
#define TURN_REAPER_RETRY     1000    /* ms, a cancel that had no effect */
#define TURN_REAPER_WAIT_MIN  50      /* ms */
#define TURN_REAPER_WAIT_MAX  1000
#define TURN_REAPER_REFUSED   5000    /* ms, after a wrong password */


static void turn_reaper_connect(turn_reaper_t *r);
static void turn_reaper_down(turn_reaper_t *r, uint64_t wait,
    const char *why);
static void turn_reaper_on_event(struct bufferevent *bev, short what,
    void *data);
static void turn_reaper_on_read(struct bufferevent *bev, void *data);
static void turn_reaper_on_timer(evutil_socket_t fd, short what, void *data);
static void turn_reaper_on_work(evutil_socket_t fd, short what, void *data);
static void turn_reaper_line(turn_reaper_t *r, rs_str_t text);
static void turn_reaper_prompt(turn_reaper_t *r);
static void turn_reaper_login(turn_reaper_t *r);
static void turn_reaper_ready(turn_reaper_t *r);
static void turn_reaper_next(turn_reaper_t *r);
static int turn_reaper_cancel(turn_reaper_t *r);
static void turn_reaper_cancelled(turn_reaper_t *r);
static void turn_reaper_check_flight(turn_reaper_t *r, uint64_t now);
static void turn_reaper_arm(turn_reaper_t *r);


const unsigned  turn_reaper_buckets[TURN_REAPER_BUCKETS] = {
    5, 10, 25, 50, 100, 250, 500, 1000, 5000, UINT_MAX
};


uint64_t
turn_reaper_mono(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}


uint64_t
turn_reaper_wall(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}


turn_reaper_t *
turn_reaper_create(const turn_reaper_conf_t *conf, char *error)
{
    turn_reaper_t  *r;

    r = calloc(1, sizeof(*r));

    if (r == NULL) {
        (void) strcpy(error, "out of memory");
        return NULL;
    }

    r->conf = *conf;

    if (r->conf.max_sessions == 0) {
        r->conf.max_sessions = TURN_REAPER_SESSIONS;
    }

    r->conf.list_ms = conf->list_ms ? conf->list_ms : TURN_REAPER_LIST;
    r->backoff = TURN_REAPER_WAIT_MIN;
    turn_listing_init(r);
    r->timer = evtimer_new(conf->base, turn_reaper_on_timer, r);
    r->work = event_new(conf->base, -1, 0, turn_reaper_on_work, r);

    if (r->timer == NULL || r->work == NULL) {
        turn_reaper_free(r);
        (void) strcpy(error, "out of memory");
        return NULL;
    }

    turn_reaper_connect(r);

    return r;
}


void
turn_reaper_free(turn_reaper_t *r)
{
    if (r == NULL) {
        return;
    }

    if (r->bev != NULL) {
        bufferevent_free(r->bev);
    }

    if (r->timer != NULL) {
        event_free(r->timer);
    }

    if (r->work != NULL) {
        event_free(r->work);
    }

    turn_listing_free(r);
    free(r);
}


void
turn_reaper_wake(turn_reaper_t *r)
{
    if (r != NULL && r->state == TURN_REAPER_IDLE) {
        event_active(r->work, EV_TIMEOUT, 0);
    }
}


void
turn_reaper_kill(turn_reaper_t *r, uint64_t id)
{
    turn_reaper_raw(r, id);
    turn_reaper_wake(r);
}


void
turn_reaper_raw(turn_reaper_t *r, uint64_t id)
{
    if (r->nraw == TURN_REAPER_RAW) {
        r->raw_at = (r->raw_at + 1) % TURN_REAPER_RAW;
        r->nraw--;
    }

    r->raw[(r->raw_at + r->nraw++) % TURN_REAPER_RAW] = id;
}


void
turn_reaper_list(turn_reaper_t *r)
{
    r->list.wanted = 1;
    turn_reaper_wake(r);
}


void
turn_reaper_recheck(turn_reaper_t *r)
{
    r->list.recheck = 1;
    turn_reaper_list(r);
}


void
turn_reaper_pace(turn_reaper_t *r, unsigned list_ms)
{
    uint64_t  next;

    list_ms = list_ms ? list_ms : TURN_REAPER_LIST;
    r->conf.list_ms = list_ms;
    next = turn_reaper_mono() + list_ms;

    if (r->list.next > next) {
        r->list.next = next;
        turn_reaper_arm(r);
    }
}


void
turn_reaper_stat(const turn_reaper_t *r, turn_reaper_stat_t *stat)
{
    *stat = r->stat;
    stat->ready = r->state >= TURN_REAPER_IDLE;
}


/* ---- the connection */


static void
turn_reaper_connect(turn_reaper_t *r)
{
    r->state = TURN_REAPER_CONNECTS;
    r->deadline = turn_reaper_mono() + TURN_REAPER_SILENCE;
    r->asked = 0;
    rs_turn_cli_init(&r->cli);

    r->bev = bufferevent_socket_new(r->conf.base, -1, BEV_OPT_CLOSE_ON_FREE);

    if (r->bev == NULL) {
        turn_reaper_down(r, r->backoff, "out of memory");
        return;
    }

    bufferevent_setcb(r->bev, turn_reaper_on_read, NULL, turn_reaper_on_event,
                      r);

    if (bufferevent_enable(r->bev, EV_READ | EV_WRITE) != 0
        || bufferevent_socket_connect(r->bev,
                                (struct sockaddr *) &r->conf.cli->addr,
                                (int) r->conf.cli->len) != 0)
    {
        /* it may have called turn_reaper_on_event() already */

        if (r->state == TURN_REAPER_CONNECTS) {
            turn_reaper_down(r, r->backoff, "cannot connect");
        }

        return;
    }

    turn_reaper_arm(r);
}


static void
turn_reaper_down(turn_reaper_t *r, uint64_t wait, const char *why)
{
    if (r->bev != NULL) {
        bufferevent_free(r->bev);
        r->bev = NULL;
    }

    if (!r->told) {
        r->told = 1;
        turn_log(TURN_LOG_WARN, "coturn's CLI at %s: %s: live allocations "
                 "cannot be ended until it is back", r->conf.cli->text, why);
    }

    if (r->state >= TURN_REAPER_IDLE) {
        r->stat.lost++;
    }

    turn_listing_abort(r);
    r->nflight = 0;
    r->state = TURN_REAPER_DOWN;
    r->deadline = turn_reaper_mono() + wait;
    r->backoff = (r->backoff * 2 < TURN_REAPER_WAIT_MAX)
                 ? r->backoff * 2 : TURN_REAPER_WAIT_MAX;

    turn_table_retry(r->conf.table, 0);
    turn_reaper_arm(r);
}


static void
turn_reaper_on_event(struct bufferevent *bev, short what, void *data)
{
    turn_reaper_t  *r = data;

    if (what & BEV_EVENT_CONNECTED) {
        r->state = TURN_REAPER_GREETING;
        r->deadline = turn_reaper_mono() + TURN_REAPER_SILENCE;
        return;
    }

    /* what came before the end is not read: a command it answers is retried */

    (void) bev;
    turn_reaper_down(r, r->backoff,
                     (r->state == TURN_REAPER_CONNECTS)
                     ? evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR())
                     : (r->state == TURN_REAPER_LOGIN)
                     ? "closed the connection at the password: is "
                       "cli_password_file what cli-password is?"
                     : "closed the connection");
}


static void
turn_reaper_on_read(struct bufferevent *bev, void *data)
{
    size_t          n;
    uint8_t         piece[4096];
    rs_str_t        line;
    const uint8_t  *p;
    turn_reaper_t  *r = data;

    r->deadline = turn_reaper_mono() + TURN_REAPER_SILENCE;

    while ((n = bufferevent_read(bev, piece, sizeof(piece))) != 0) {
        p = piece;

        while (rs_turn_cli_read(&r->cli, &p, &n, &line) == RS_OK) {
            turn_reaper_line(r, line);

            if (r->bev != bev) {
                return;
            }
        }
    }

    if (rs_turn_cli_prompt(&r->cli)) {
        turn_reaper_prompt(r);
    }
}


static void
turn_reaper_line(turn_reaper_t *r, rs_str_t text)
{
    rs_turn_cli_line_t  line;

    rs_turn_cli_line(text, &line);

    switch (r->state) {

    case TURN_REAPER_GREETING:
    case TURN_REAPER_LOGIN:
        if (line.type == RS_TURN_CLI_BANNER && r->conf.version != NULL) {
            r->conf.version(r->conf.data, (unsigned) line.n);

        } else if (line.type == RS_TURN_CLI_PASSWORD) {
            turn_reaper_login(r);
        }

        break;

    case TURN_REAPER_FENCE:
        if (line.type == RS_TURN_CLI_LIMIT && line.n == r->fence) {
            r->fenced = 1;
            break;
        }

        /* fall through */

    case TURN_REAPER_LISTS:
        if (!r->fenced) {
            turn_listing_line(r, &line);
        }

        break;

    default:
        break;
    }
}


static void
turn_reaper_prompt(turn_reaper_t *r)
{
    switch (r->state) {

    case TURN_REAPER_GREETING:
    case TURN_REAPER_LOGIN:
        turn_reaper_ready(r);
        break;

    case TURN_REAPER_CANCELS:
        turn_reaper_cancelled(r);
        break;

    case TURN_REAPER_LISTS:
        turn_reaper_fence(r);
        return;

    case TURN_REAPER_FENCE:
        if (!r->fenced) {
            /* a prompt in the middle, somebody's ORIGIN */
            return;
        }

        r->state = TURN_REAPER_IDLE;
        turn_listing_fenced(r);
        break;

    default:
        return;
    }

    r->state = TURN_REAPER_IDLE;
    turn_reaper_next(r);
}


static void
turn_reaper_login(turn_reaper_t *r)
{
    char    text[TURN_CONF_SECRET_MAX + 2], error[TURN_CONF_ERROR_MAX];
    size_t  len;

    if (r->asked) {
        r->told = 0;
        turn_reaper_down(r, TURN_REAPER_REFUSED,
                         "refuses the password: cli_password_file has to hold "
                         "what cli-password is in turnserver.conf");
        return;
    }

    if (r->conf.password_file == NULL) {
        turn_reaper_down(r, TURN_REAPER_REFUSED,
                         "asks for a password: name a file that holds what "
                         "cli-password is in turnserver.conf: "
                         "cli_password_file");
        return;
    }

    if (!turn_conf_secret(r->conf.password_file, text, &len, error)) {
        turn_reaper_down(r, TURN_REAPER_REFUSED, error);
        return;
    }

    r->asked = 1;
    text[len++] = '\n';
    turn_reaper_send(r, text, len, TURN_REAPER_LOGIN);
    OPENSSL_cleanse(text, sizeof(text));
}


static void
turn_reaper_ready(turn_reaper_t *r)
{
    r->told = 0;
    r->backoff = TURN_REAPER_WAIT_MIN;
    r->stat.connects++;
    turn_log(TURN_LOG_NOTICE, "coturn's CLI at %s: logged in%s",
             r->conf.cli->text,
             r->asked ? "" : " without a password: anybody on this host can "
             "end sessions, set cli-password in turnserver.conf");

    /* coturn may be another one: what is it that it has? */

    r->list.wanted = 1;
}


void
turn_reaper_send(turn_reaper_t *r, const char *text, size_t len,
    turn_reaper_state_e state)
{
    rs_turn_cli_sent(&r->cli);
    r->fenced = 0;
    r->state = state;
    r->deadline = turn_reaper_mono() + TURN_REAPER_SILENCE;

    if (bufferevent_write(r->bev, text, len) != 0) {
        turn_reaper_down(r, r->backoff, "out of memory");
        return;
    }

    turn_reaper_arm(r);
}


void
turn_reaper_fence(turn_reaper_t *r)
{
    char      text[RS_TURN_CLI_CMD_MAX];
    size_t    len;
    uint32_t  random;

    if (RAND_bytes((uint8_t *) &random, sizeof(random)) != 1) {
        turn_reaper_down(r, r->backoff, "no random numbers");
        return;
    }

    len = rs_turn_cli_fence(text, random, &r->fence);
    turn_reaper_send(r, text, len, TURN_REAPER_FENCE);
}


/* ---- what is next */


static void
turn_reaper_next(turn_reaper_t *r)
{
    if (r->state != TURN_REAPER_IDLE) {
        return;
    }

    if (!turn_reaper_cancel(r) && !turn_listing_go(r)) {
        turn_reaper_arm(r);
    }
}


/* 1: one was sent */

static int
turn_reaper_cancel(turn_reaper_t *r)
{
    char               text[RS_TURN_CLI_CMD_MAX];
    size_t             len;
    turn_alloc_info_t  info;

    if (r->nraw) {
        r->cancelled = r->raw[r->raw_at];
        r->raw_at = (r->raw_at + 1) % TURN_REAPER_RAW;
        r->nraw--;
        r->doomed_at = 0;

    } else if (r->nflight < TURN_REAPER_FLIGHT
               && turn_table_next_doomed(r->conf.table, &info))
    {
        r->cancelled = info.id;
        r->doomed_at = info.doomed_at;
        r->tries = info.tries;

        turn_log_limited(&r->limit_ended, TURN_LOG_INFO,
                         "ends allocation %018llu of %.*s: %s",
                         (unsigned long long) info.id,
                         info.session_id.len ? (int) info.session_id.len : 7,
                         info.session_id.len
                         ? (const char *) info.session_id.data : "nobody",
                         turn_verdict_name(info.why));

    } else {
        return 0;
    }

    len = rs_turn_cli_cancel(text, r->cancelled);
    r->stat.cancels++;
    turn_reaper_send(r, text, len, TURN_REAPER_CANCELS);

    return 1;
}


static void
turn_reaper_cancelled(turn_reaper_t *r)
{
    size_t                 i;
    uint64_t               ms, now;
    turn_alloc_info_t      info;
    turn_reaper_flight_t  *f;

    if (r->doomed_at == 0) {
        return;
    }

    if (r->tries == 1) {
        now = turn_reaper_wall();
        ms = (now > r->doomed_at) ? now - r->doomed_at : 0;

        for (i = 0; ms > turn_reaper_buckets[i]; i++) {
            /* void */
        }

        r->stat.latency[i]++;
        r->stat.latency_n++;
        r->stat.latency_ms += ms;
        r->stat.latency_max = (ms > r->stat.latency_max) ? ms
                                                    : r->stat.latency_max;

    } else {
        r->stat.retries++;
    }

    /* told already that it has gone, or still to be seen */

    if (turn_table_find(r->conf.table, r->cancelled, &info)) {
        f = &r->flight[(r->flight_at + r->nflight++) % TURN_REAPER_FLIGHT];
        f->id = r->cancelled;
        f->at = turn_reaper_mono();
    }
}


/*
 * What was cancelled a second ago and is there still is cancelled again; a
 * listing tells whether it is only the deleted event that was lost.
 */

static void
turn_reaper_check_flight(turn_reaper_t *r, uint64_t now)
{
    turn_alloc_info_t      info;
    turn_reaper_flight_t  *f;

    while (r->nflight) {
        f = &r->flight[r->flight_at];

        if (f->at + TURN_REAPER_RETRY > now) {
            return;
        }

        r->flight_at = (r->flight_at + 1) % TURN_REAPER_FLIGHT;
        r->nflight--;

        if (turn_table_find(r->conf.table, f->id, &info)
            && info.state == TURN_ALLOC_DYING)
        {
            turn_table_retry(r->conf.table, f->id);
            r->list.wanted = 1;
        }
    }
}


/* ---- time */


static void
turn_reaper_arm(turn_reaper_t *r)
{
    uint64_t        at, due, now;
    struct timeval  tv;

    at = r->deadline;

    if (r->state == TURN_REAPER_IDLE) {
        at = turn_listing_due(r);
    }

    if (r->state >= TURN_REAPER_IDLE && r->nflight) {
        due = r->flight[r->flight_at].at + TURN_REAPER_RETRY;
        at = (due < at) ? due : at;
    }

    now = turn_reaper_mono();
    at = (at > now) ? at - now : 0;
    tv.tv_sec = (time_t) (at / 1000);
    tv.tv_usec = (suseconds_t) (at % 1000 * 1000);
    (void) evtimer_add(r->timer, &tv);
}


static void
turn_reaper_on_timer(evutil_socket_t fd, short what, void *data)
{
    uint64_t        now;
    turn_reaper_t  *r = data;

    (void) fd;
    (void) what;

    now = turn_reaper_mono();

    if (r->state >= TURN_REAPER_IDLE) {
        turn_reaper_check_flight(r, now);
    }

    if (r->state == TURN_REAPER_IDLE) {
        turn_reaper_next(r);
        return;
    }

    if (now < r->deadline) {
        turn_reaper_arm(r);
        return;
    }

    if (r->state == TURN_REAPER_DOWN) {
        turn_reaper_connect(r);
        return;
    }

    turn_reaper_down(r, r->backoff, "does not answer");
}


static void
turn_reaper_on_work(evutil_socket_t fd, short what, void *data)
{
    turn_reaper_t  *r = data;

    (void) fd;
    (void) what;

    turn_reaper_next(r);
}
