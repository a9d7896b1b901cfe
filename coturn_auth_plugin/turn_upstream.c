
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the gateway's Redis knows of sessions, followed.
 *
 * In sync is: both links are up, they lead to the same server, the
 * subscription answers, and since all of that is so one listing was whole.
 * The subscription is made before the listing is read, so what changes
 * meanwhile is heard; the table puts the two together.
 */


#include "turn_upstream_sync.h"
#include "turn_clock.h"
#include "turn_log.h"
#include "rs_turn_feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define TURN_UPSTREAM_TICK      500    /* ms */
#define TURN_UPSTREAM_BEACON    1000   /* ms */
#define TURN_UPSTREAM_AGAIN     1000   /* ms after a listing that broke off */
#define TURN_UPSTREAM_ASKS      64     /* sessions asked for at once */
#define TURN_UPSTREAM_KEY       128    /* bytes of a key's name */
#define TURN_UPSTREAM_TOMBSTONE 86400  /* s, where the end is not known */
#define TURN_UPSTREAM_FIRST     10000  /* ms until a first listing is missed */


struct turn_upstream_s {
    struct event_base       *base;
    turn_table_t            *table;
    turn_upstream_state_pt   state;
    void                    *data;
    uint64_t                 resync;       /* ms */
    uint64_t                 timeout;      /* ms */

    char                    *text;         /* of url, which points into it */
    rs_redis_url_t           url;
    SSL_CTX                 *tls;
    turn_place_t             place;
    turn_link_conf_t         link_conf;
    turn_link_conf_t         sentinel_conf;

    turn_link_t             *commands;
    turn_link_t             *messages;
    turn_sync_t             *sync;

    struct event            *tick;
    struct event            *again;        /* the next listing */

    unsigned                 in_sync:1;
    unsigned                 closing:1;
    unsigned                 told:1;       /* that a listing broke off */
    unsigned                 stale:1;      /* as it was said last */
    unsigned                 late:1;       /* the beacon got a round more */

    uint64_t                 created;      /* ms */
    uint64_t                 beacon;       /* number of the last one */
    uint64_t                 beacon_sent;  /* us */
    uint64_t                 beacon_back;  /* number that has come back */

    size_t                   asks;         /* under way */
    turn_upstream_stats_t    stats;
};


typedef struct {
    turn_upstream_t         *up;
    rs_str_t                 tenant;       /* into text */
    rs_str_t                 ses;
    rs_str_t                 par;
    uint8_t                  text[RS_TENANT_MAX + 2 * RS_ID_LEN];
} turn_upstream_ask_t;


typedef struct {
    turn_upstream_t         *up;
    turn_usage_pt            callback;
    void                    *data;
} turn_upstream_usage_t;


static const char *turn_upstream_conf(turn_upstream_t *up,
    const turn_upstream_conf_t *conf);
static int turn_upstream_given(const char *s);
static const char *turn_upstream_conf_tls(const turn_upstream_conf_t *conf,
    int tls);
static int turn_upstream_links(turn_upstream_t *up);
static void turn_upstream_state(void *data, int is_up);
static void turn_upstream_again(turn_upstream_t *up, uint64_t ms);
static void turn_upstream_again_handler(evutil_socket_t fd, short what,
    void *data);
static void turn_upstream_synced(void *data, int whole, const char *why);
static void turn_upstream_set(turn_upstream_t *up, int in_sync);
static void turn_upstream_tick(evutil_socket_t fd, short what, void *data);
static void turn_upstream_stale(turn_upstream_t *up);
static void turn_upstream_message(void *data, turn_reply_t *reply);
static void turn_upstream_pong(turn_upstream_t *up, rs_str_t text);
static void turn_upstream_feed(turn_upstream_t *up, rs_str_t text);
static int turn_upstream_question(turn_upstream_t *up,
    const turn_ask_t *ask);
static void turn_upstream_answer(void *data, turn_reply_t *reply);
static void turn_upstream_verdict(turn_upstream_ask_t *ask,
    turn_reply_t *reply);
static void turn_upstream_used(void *data, turn_reply_t *reply);


turn_upstream_t *
turn_upstream_create(struct event_base *base,
    const turn_upstream_conf_t *conf, turn_table_t *table,
    turn_upstream_state_pt state, void *data, char *error, size_t size)
{
    const char       *wrong;
    turn_upstream_t  *up;

    up = calloc(1, sizeof(turn_upstream_t));
    if (up == NULL) {
        (void) snprintf(error, size, "no memory");
        return NULL;
    }

    up->base = base;
    up->table = table;
    up->state = state;
    up->data = data;
    up->resync = conf->resync * 1000;
    up->timeout = conf->timeout;
    up->created = turn_upstream_ms();

    wrong = turn_upstream_conf(up, conf);

    if (wrong) {
        (void) snprintf(error, size, "redis = %s: %s", conf->redis, wrong);
        goto failed;
    }

    if (up->url.tls) {
        up->tls = turn_tls_create(conf, error, size);

        if (up->tls == NULL) {
            goto failed;
        }

        up->link_conf.tls = up->tls;
        up->sentinel_conf.tls = up->tls;
    }

    turn_place_init(&up->place, base, &up->url, 0, conf->resolver,
                    conf->connect_timeout / 2);

    if (turn_upstream_links(up) < 0) {
        (void) snprintf(error, size, "no memory");
        turn_upstream_destroy(up);
        return NULL;
    }

    return up;

failed:

    free(up->text);
    free(up);

    return NULL;
}


/* NULL: good */

static const char *
turn_upstream_conf(turn_upstream_t *up, const turn_upstream_conf_t *conf)
{
    const char        *wrong;
    turn_link_conf_t  *link;

    up->text = strdup(conf->redis);
    if (up->text == NULL) {
        return "no memory";
    }

    wrong = rs_redis_url_parse(rs_str(up->text), &up->url);

    if (wrong == NULL) {
        wrong = turn_upstream_conf_tls(conf, up->url.tls);
    }

    if (wrong) {
        return wrong;
    }

    if (turn_upstream_given(conf->user)
        && !turn_upstream_given(conf->password))
    {
        return "redis_user needs redis_password_file";
    }

    if (turn_upstream_given(conf->sentinel_user)
        && !turn_upstream_given(conf->sentinel_password))
    {
        return "sentinel_user needs sentinel_password_file";
    }

    if (turn_upstream_given(conf->sentinel_password) && !up->url.sentinel) {
        return "there is a sentinel_password_file, but no \"sentinel://\"";
    }

    link = &up->link_conf;
    link->text = up->text;
    link->user = conf->user;
    link->password = conf->password;
    link->server_name = conf->server_name;
    link->db = up->url.db;
    link->timeout = conf->timeout;
    link->connect_timeout = conf->connect_timeout;
    link->soon = up->url.sentinel;

    up->sentinel_conf = *link;
    up->sentinel_conf.user = conf->sentinel_user;
    up->sentinel_conf.password = conf->sentinel_password;

    return NULL;
}


static int
turn_upstream_given(const char *s)
{
    return s && *s;
}


static const char *
turn_upstream_conf_tls(const turn_upstream_conf_t *conf, int tls)
{
    if (!tls && (turn_upstream_given(conf->ca_file)
                 || turn_upstream_given(conf->server_name)
                 || turn_upstream_given(conf->certificate)
                 || turn_upstream_given(conf->certificate_key)))
    {
        return "redis_ca_file, redis_server_name and redis_certificate are "
               "of TLS: say \"rediss://\" or \"sentinel+tls://\"";
    }

    if (turn_upstream_given(conf->certificate)
        != turn_upstream_given(conf->certificate_key))
    {
        return "redis_certificate and redis_certificate_key go together";
    }

    return NULL;
}


/* -1: no memory */

static int
turn_upstream_links(turn_upstream_t *up)
{
    struct timeval  tv;

    if (up->url.sentinel) {
        up->place.sentinel = turn_sentinel_create(&up->place, &up->url,
                                                  &up->sentinel_conf);
        if (up->place.sentinel == NULL) {
            return -1;
        }
    }

    up->messages = turn_link_create(up->base, &up->place, &up->link_conf,
                                    "messages", turn_upstream_state,
                                    turn_upstream_message, up);
    up->commands = turn_link_create(up->base, &up->place, &up->link_conf,
                                    "commands", turn_upstream_state, NULL,
                                    up);
    up->tick = event_new(up->base, -1, EV_PERSIST, turn_upstream_tick, up);
    up->again = event_new(up->base, -1, 0, turn_upstream_again_handler, up);

    if (up->messages == NULL || up->commands == NULL || up->tick == NULL
        || up->again == NULL)
    {
        return -1;
    }

    up->sync = turn_sync_create(up->commands, up->table,
                                turn_upstream_synced, up);
    if (up->sync == NULL) {
        return -1;
    }

    tv.tv_sec = 0;
    tv.tv_usec = TURN_UPSTREAM_TICK * 1000;

    return event_add(up->tick, &tv);
}


void
turn_upstream_destroy(turn_upstream_t *up)
{
    if (up == NULL) {
        return;
    }

    up->closing = 1;

    turn_link_destroy(up->messages);
    turn_link_destroy(up->commands);
    turn_sync_destroy(up->sync);
    turn_place_done(&up->place);

    if (up->tick) {
        event_free(up->tick);
    }

    if (up->again) {
        event_free(up->again);
    }

    SSL_CTX_free(up->tls);
    free(up->text);
    free(up);
}


int
turn_upstream_reload(turn_upstream_t *up, const turn_upstream_conf_t *conf,
    char *error, size_t size)
{
    SSL_CTX  *tls;

    if (!up->url.tls) {
        return 0;
    }

    tls = turn_tls_create(conf, error, size);

    if (tls == NULL) {
        return -1;
    }

    /* links that stand have a part of the old one each */

    SSL_CTX_free(up->tls);

    up->tls = tls;
    up->link_conf.tls = tls;
    up->sentinel_conf.tls = tls;

    if (up->place.sentinel) {
        turn_sentinel_tls(up->place.sentinel, tls);
    }

    return 0;
}


static void
turn_upstream_state(void *data, int is_up)
{
    turn_upstream_t *up = data;

    (void) event_del(up->again);

    /* also when it is up again: the one before it has ended */

    up->late = 0;
    up->beacon_back = up->beacon;

    if (!is_up) {
        turn_upstream_set(up, 0);
        turn_sync_abort(up->sync, "a link was lost");
        return;
    }

    if (up->commands->state != TURN_LINK_UP
        || up->messages->state != TURN_LINK_UP)
    {
        return;
    }

    up->told = 0;
    turn_upstream_again(up, 0);
}


static void
turn_upstream_again(turn_upstream_t *up, uint64_t ms)
{
    struct timeval  tv;

    tv.tv_sec = (time_t) (ms / 1000);
    tv.tv_usec = (suseconds_t) (ms % 1000 * 1000);

    (void) event_add(up->again, &tv);
}


static void
turn_upstream_again_handler(evutil_socket_t fd, short what, void *data)
{
    turn_upstream_t *up = data;

    (void) fd;
    (void) what;

    if (up->commands->state != TURN_LINK_UP
        || up->messages->state != TURN_LINK_UP)
    {
        return;
    }

    /* one of them was moved while the other was not, as behind one address */

    if (strcmp(up->commands->run_id, up->messages->run_id) != 0) {
        turn_link_reset(up->messages, "it leads to another Redis than the "
                        "link for commands");
        turn_link_reset(up->commands, "it leads to another Redis than the "
                        "link for messages");
        return;
    }

    turn_sync_start(up->sync);
}


static void
turn_upstream_synced(void *data, int whole, const char *why)
{
    turn_upstream_t *up = data;

    if (up->closing) {
        return;
    }

    if (!whole) {
        up->stats.sync_failures++;

        turn_log(up->told ? TURN_LOG_DEBUG : TURN_LOG_WARN,
                 "redis: the listing of sessions broke off: %s", why);
        up->told = 1;

        turn_upstream_again(up, TURN_UPSTREAM_AGAIN);
        return;
    }

    up->told = 0;
    up->stats.syncs++;

    /* not all relays at the same time */

    turn_upstream_again(up, up->resync
                            - turn_upstream_random(up->resync / 10 + 1));

    if (!up->in_sync) {
        turn_log(TURN_LOG_NOTICE, "redis: in sync: %llu entries of %llu "
                 "tenants in %llu ms",
                 (unsigned long long) turn_sync_entries(up->sync),
                 (unsigned long long) turn_sync_tenants(up->sync),
                 (unsigned long long) turn_sync_ms(up->sync));
    }

    turn_upstream_set(up, 1);
    turn_upstream_ask(up);
}


static void
turn_upstream_set(turn_upstream_t *up, int in_sync)
{
    if (up->closing || up->in_sync == (unsigned) in_sync) {
        return;
    }

    up->in_sync = (unsigned) in_sync & 1;

    if (up->state) {
        up->state(up->data, in_sync);
    }
}


/* does the subscription live?  TCP would tell after minutes, or never */

static void
turn_upstream_tick(evutil_socket_t fd, short what, void *data)
{
    turn_upstream_t *up = data;

    char      text[24];
    uint64_t  passed;

    (void) fd;
    (void) what;

    turn_upstream_stale(up);

    if (up->messages->state != TURN_LINK_UP) {
        return;
    }

    passed = (turn_clock_mono_us() - up->beacon_sent) / 1000;

    if (up->beacon_back != up->beacon) {

        if (passed < up->timeout) {
            return;
        }

        /* a process that was stopped gets to its timers first */

        if (!up->late) {
            up->late = 1;
            return;
        }

        up->stats.silences++;
        turn_link_reset(up->messages, "the subscription is silent: no answer "
                        "to PING within %llu ms",
                        (unsigned long long) passed);
        return;
    }

    if (passed < TURN_UPSTREAM_BEACON) {
        return;
    }

    (void) snprintf(text, sizeof(text), "%llu",
                    (unsigned long long) ++up->beacon);

    up->late = 0;
    up->beacon_sent = turn_clock_mono_us();
    (void) turn_link_ping(up->messages, rs_str(text));
}


/* the table knows; an operator has to know, too */

static void
turn_upstream_stale(turn_upstream_t *up)
{
    int       stale;
    uint64_t  at, now;

    now = turn_clock_ms();
    stale = turn_table_stale(up->table, now);

    if (stale == up->stale
        || (stale && turn_upstream_ms() - up->created < TURN_UPSTREAM_FIRST))
    {
        return;
    }

    up->stale = (unsigned) stale & 1;

    if (!stale) {
        turn_log(TURN_LOG_NOTICE, "redis: what is known is not stale any "
                 "more");
        return;
    }

    at = turn_table_synced_at(up->table);

    if (at == 0) {
        turn_log(TURN_LOG_ERR, "redis: never in sync, and no snapshot: new "
                 "credentials are refused until it is reached");

    } else {
        turn_log(TURN_LOG_ERR, "redis: out of sync for %llu s, which is "
                 "stale_limit: new credentials are refused until it is "
                 "reached", (unsigned long long) ((now - at) / 1000));
    }
}


static void
turn_upstream_message(void *data, turn_reply_t *reply)
{
    turn_upstream_t *up = data;

    rs_str_t  kind;

    kind = turn_reply_str(reply, 0);

    if (rs_str_eq(kind, RS_STR("message"))) {
        turn_upstream_feed(up, turn_reply_str(reply, 2));
        return;
    }

    if (rs_str_eq(kind, RS_STR("pong"))) {
        turn_upstream_pong(up, turn_reply_str(reply, 1));
        return;
    }

    /* it is not subscribed any more, or not to this alone */

    turn_link_reset(up->messages, "something else than messages came");
}


static void
turn_upstream_pong(turn_upstream_t *up, rs_str_t text)
{
    uint64_t  n;

    if (!rs_u64_parse(text, UINT64_MAX, &n) || n != up->beacon) {
        turn_link_reset(up->messages, "the answer to PING is of another");
        return;
    }

    up->beacon_back = n;
    up->stats.beacon_us = turn_clock_mono_us() - up->beacon_sent;
}


static void
turn_upstream_feed(turn_upstream_t *up, rs_str_t text)
{
    uint64_t        now;
    rs_turn_feed_t  feed;

    up->stats.messages++;

    if (rs_turn_feed_parse(text, &feed) != RS_OK) {
        up->stats.messages_bad++;
        return;
    }

    now = turn_clock_ms();

    switch (feed.kind) {

    case RS_TURN_LIVE:
        (void) turn_table_live(up->table, feed.tenant, feed.session_id,
                               feed.expires_at, feed.participant_id, now);
        break;

    case RS_TURN_END:
        (void) turn_table_end(up->table, feed.tenant, feed.session_id,
                              feed.expires_at, now);
        break;

    default: /* RS_TURN_REV */
        (void) turn_table_revoke(up->table, feed.tenant, feed.session_id,
                                 feed.participant_id, feed.expires_at, now);
        break;
    }
}


/*
 * Only in sync: a session that is asked for is not given again before the end
 * of the next listing, which answers most of them.
 */

void
turn_upstream_ask(turn_upstream_t *up)
{
    turn_ask_t  ask;

    while (up->in_sync && up->asks < TURN_UPSTREAM_ASKS
           && turn_table_next_ask(up->table, &ask))
    {
        if (turn_upstream_question(up, &ask) < 0) {
            return;
        }
    }
}


static int
turn_upstream_question(turn_upstream_t *up, const turn_ask_t *ask)
{
    char                  ses[TURN_UPSTREAM_KEY], trev[TURN_UPSTREAM_KEY];
    uint8_t              *p;
    rs_str_t              argv[6];
    turn_upstream_ask_t  *a;

    if (ask->tenant.len > RS_TENANT_MAX || ask->session_id.len != RS_ID_LEN
        || ask->participant_id.len > RS_ID_LEN)
    {
        return 0;
    }

    a = calloc(1, sizeof(turn_upstream_ask_t));
    if (a == NULL) {
        return -1;
    }

    p = a->text;
    memcpy(p, ask->tenant.data, ask->tenant.len);
    a->tenant = (rs_str_t) { p, ask->tenant.len };
    p += ask->tenant.len;

    memcpy(p, ask->session_id.data, ask->session_id.len);
    a->ses = (rs_str_t) { p, ask->session_id.len };
    p += ask->session_id.len;

    if (ask->participant_id.len) {
        memcpy(p, ask->participant_id.data, ask->participant_id.len);
    }

    a->par = (rs_str_t) { p, ask->participant_id.len };
    a->up = up;

    (void) snprintf(ses, sizeof(ses), "rs:{%.*s}:ses:%.*s",
                    (int) a->tenant.len, (const char *) a->tenant.data,
                    (int) a->ses.len, (const char *) a->ses.data);
    (void) snprintf(trev, sizeof(trev), "rs:{%.*s}:trev",
                    (int) a->tenant.len, (const char *) a->tenant.data);

    argv[0] = RS_STR("FCALL_RO");
    argv[1] = RS_STR("rs_turn_check");
    argv[2] = RS_STR("2");
    argv[3] = rs_str(ses);
    argv[4] = rs_str(trev);
    argv[5] = a->par;

    if (turn_link_command(up->commands, argv, 6, turn_upstream_answer, a)
        < 0)
    {
        free(a);
        return -1;
    }

    up->asks++;
    up->stats.calls++;

    return 0;
}


static void
turn_upstream_answer(void *data, turn_reply_t *reply)
{
    turn_upstream_ask_t *ask = data;

    turn_upstream_t  *up;

    up = ask->up;
    up->asks--;

    if (rs_str_eq(turn_reply_str(reply, 0), RS_STR("ok"))) {
        turn_upstream_verdict(ask, reply);

    } else {
        up->stats.calls_failed++;
    }

    free(ask);

    if (!up->closing) {
        turn_upstream_ask(up);
    }
}


static void
turn_upstream_verdict(turn_upstream_ask_t *ask, turn_reply_t *reply)
{
    uint64_t       at, now;
    rs_str_t       verdict, host;
    turn_table_t  *table;

    table = ask->up->table;
    now = turn_clock_ms();
    verdict = turn_reply_str(reply, 1);
    host = turn_reply_str(reply, 3);
    (void) turn_reply_u64(reply, 2, &at);

    if (rs_id_check_participant(host) != RS_OK) {
        host = RS_STR("");
    }

    if (at == 0) {
        at = now / 1000 + TURN_UPSTREAM_TOMBSTONE;
    }

    if (rs_str_eq(verdict, RS_STR("live"))) {
        (void) turn_table_live(table, ask->tenant, ask->ses, at, host, now);

    } else if (rs_str_eq(verdict, RS_STR("revoked"))) {
        (void) turn_table_revoke(table, ask->tenant, ask->ses, ask->par, at,
                                 now);
        (void) turn_table_live(table, ask->tenant, ask->ses, at, host, now);

    } else if (rs_str_eq(verdict, RS_STR("ended"))) {
        (void) turn_table_end(table, ask->tenant, ask->ses, at, now);

    } else {
        (void) turn_table_unknown(table, ask->tenant, ask->ses, now);
    }
}


int
turn_upstream_usage(turn_upstream_t *up, rs_str_t tenant, rs_str_t ses,
    const turn_usage_item_t *items, size_t n, turn_usage_pt callback,
    void *data)
{
    char                    ses_key[TURN_UPSTREAM_KEY];
    char                    use_key[TURN_UPSTREAM_KEY];
    char                    text[TURN_UPSTREAM_USAGE_MAX][4][24];
    size_t                  i, k, argc;
    uint64_t                v[4];
    rs_str_t                argv[5 + TURN_UPSTREAM_USAGE_MAX * 6];
    turn_upstream_usage_t  *usage;

    if (n == 0 || n > TURN_UPSTREAM_USAGE_MAX || tenant.len > RS_TENANT_MAX
        || ses.len > RS_ID_LEN)
    {
        return -1;
    }

    (void) snprintf(ses_key, sizeof(ses_key), "rs:{%.*s}:ses:%.*s",
                    (int) tenant.len, (const char *) tenant.data,
                    (int) ses.len, (const char *) ses.data);
    (void) snprintf(use_key, sizeof(use_key), "rs:{%.*s}:use:%.*s",
                    (int) tenant.len, (const char *) tenant.data,
                    (int) ses.len, (const char *) ses.data);

    argv[0] = RS_STR("FCALL");
    argv[1] = RS_STR("rs_turn_usage");
    argv[2] = RS_STR("2");
    argv[3] = rs_str(ses_key);
    argv[4] = rs_str(use_key);
    argc = 5;

    for (i = 0; i < n; i++) {
        v[0] = items[i].rcvp;
        v[1] = items[i].rcvb;
        v[2] = items[i].sentp;
        v[3] = items[i].sentb;

        argv[argc++] = items[i].key;

        for (k = 0; k < 4; k++) {
            (void) snprintf(text[i][k], sizeof(text[i][k]), "%llu",
                            (unsigned long long) v[k]);
            argv[argc++] = rs_str(text[i][k]);
        }

        argv[argc++] = items[i].done ? RS_STR("1") : RS_STR("0");
    }

    usage = calloc(1, sizeof(turn_upstream_usage_t));
    if (usage == NULL) {
        return -1;
    }

    usage->up = up;
    usage->callback = callback;
    usage->data = data;

    if (turn_link_command(up->commands, argv, argc, turn_upstream_used,
                          usage)
        < 0)
    {
        free(usage);
        return -1;
    }

    up->stats.calls++;

    return 0;
}


static void
turn_upstream_used(void *data, turn_reply_t *reply)
{
    turn_upstream_usage_t *usage = data;

    rs_str_t        code, text;
    turn_usage_e    result;

    code = turn_reply_str(reply, 0);
    result = TURN_USAGE_UNAVAILABLE;

    if (rs_str_eq(code, RS_STR("ok"))) {
        result = TURN_USAGE_OK;

    } else if (rs_str_eq(code, RS_STR("not_found"))) {
        result = TURN_USAGE_NOT_FOUND;

    } else if (turn_reply_error(reply, &text)
               && rs_str_starts(text, RS_STR("ERR")))
    {
        result = TURN_USAGE_REFUSED;
    }

    if (result == TURN_USAGE_UNAVAILABLE || result == TURN_USAGE_REFUSED) {
        usage->up->stats.calls_failed++;
    }

    usage->callback(usage->data, result);
    free(usage);
}


int
turn_upstream_in_sync(const turn_upstream_t *up)
{
    return up->in_sync;
}


void
turn_upstream_stats(const turn_upstream_t *up, turn_upstream_stats_t *stats)
{
    *stats = up->stats;

    stats->in_sync = up->in_sync;
    stats->commands_up = up->commands->state == TURN_LINK_UP;
    stats->messages_up = up->messages->state == TURN_LINK_UP;
    stats->sync_ms = turn_sync_ms(up->sync);
    stats->sync_sessions = turn_sync_entries(up->sync);
    stats->sync_tenants = turn_sync_tenants(up->sync);
    stats->ups = up->commands->ups + up->messages->ups;
    stats->downs = up->commands->downs + up->messages->downs;
}
