
/*
 * Copyright (C) rs-gateway contributors
 *
 * The upstream and the table without the rest of the daemon, for tests: it is
 * asked over a Unix socket, a line a question, and answers with a line.
 *
 *     turn-upstream SOCKET key=value...    as in rs-turn-authd.conf
 *
 *     verdict USERNAME     what strict mode would say of it
 *     alloc ID USERNAME    coturn made one: the verdict
 *     find ID              state of an allocation, and why it ends
 *     use TENANT SES KEY RCVP RCVB SENTP SENTB DONE      result of the write
 *     stats                name=value ...
 *     quit
 */


#include "turn_upstream.h"
#include "turn_snapshot.h"
#include "turn_log.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>


#define WORDS  10


typedef struct {
    struct event_base     *base;
    struct event          *tick;
    struct bufferevent    *client;
    turn_table_t          *table;
    turn_upstream_t       *up;
    turn_snapshot_t       *snapshot;   /* NULL: no state_dir */
    unsigned               states;     /* how often in sync has changed */
    char                   secrets[2][256];
    rs_str_t               tenant;     /* served; empty: all are */
} tool_t;


static uint64_t
now_ms(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}


static void
die(const char *what, const char *value)
{
    fprintf(stderr, "turn-upstream: %s: %s\n", what, value);
    exit(1);
}


static const char *
secret(char *dst, size_t size, const char *path)
{
    FILE  *f;

    f = fopen(path, "r");

    if (f == NULL || fgets(dst, (int) size, f) == NULL) {
        die("cannot read", path);
    }

    (void) fclose(f);
    dst[strcspn(dst, "\r\n")] = '\0';

    return dst;
}


static void
answer(tool_t *t, const char *text)
{
    if (t->client) {
        (void) evbuffer_add_printf(bufferevent_get_output(t->client), "%s\n",
                                   text);
    }
}


static void
used(void *data, turn_usage_e result)
{
    static const char *const  names[] = {
        "unavailable", "ok", "not_found", "refused"
    };

    answer(data, names[result]);
}


static void
use(tool_t *t, char **word, size_t n)
{
    turn_usage_item_t  item;

    if (n != 9) {
        answer(t, "what?");
        return;
    }

    item.key = rs_str(word[3]);
    item.rcvp = strtoull(word[4], NULL, 10);
    item.rcvb = strtoull(word[5], NULL, 10);
    item.sentp = strtoull(word[6], NULL, 10);
    item.sentb = strtoull(word[7], NULL, 10);
    item.done = atoi(word[8]);

    if (turn_upstream_usage(t->up, rs_str(word[1]), rs_str(word[2]), &item,
                            1, used, t)
        < 0)
    {
        answer(t, "not connected");
    }
}


static void
stats(tool_t *t)
{
    char                   text[1024];
    turn_table_stat_t      table;
    turn_upstream_stats_t  s;
    turn_snapshot_stats_t  snapshot;

    memset(&snapshot, 0, sizeof(snapshot));

    if (t->snapshot) {
        turn_snapshot_stats(t->snapshot, &snapshot);
    }

    turn_upstream_stats(t->up, &s);
    turn_table_stat(t->table, &table);

    (void) snprintf(text, sizeof(text), "in_sync=%d commands_up=%d "
                    "messages_up=%d syncs=%llu sync_failures=%llu "
                    "sync_ms=%llu sync_sessions=%llu sync_tenants=%llu "
                    "messages=%llu messages_bad=%llu beacon_us=%llu "
                    "silences=%llu ups=%llu downs=%llu calls=%llu "
                    "calls_failed=%llu states=%u live=%zu tombstones=%zu "
                    "allocs=%zu waiting=%zu doomed=%zu stale=%d "
                    "synced_at=%llu loaded=%d written=%llu "
                    "write_failed=%llu write_ms=%llu bytes=%llu "
                    "records=%llu",
                    s.in_sync, s.commands_up, s.messages_up,
                    (unsigned long long) s.syncs,
                    (unsigned long long) s.sync_failures,
                    (unsigned long long) s.sync_ms,
                    (unsigned long long) s.sync_sessions,
                    (unsigned long long) s.sync_tenants,
                    (unsigned long long) s.messages,
                    (unsigned long long) s.messages_bad,
                    (unsigned long long) s.beacon_us,
                    (unsigned long long) s.silences,
                    (unsigned long long) s.ups,
                    (unsigned long long) s.downs,
                    (unsigned long long) s.calls,
                    (unsigned long long) s.calls_failed, t->states,
                    table.live, table.tombstones, table.allocs,
                    table.waiting, table.doomed,
                    turn_table_stale(t->table, now_ms()),
                    (unsigned long long) turn_table_synced_at(t->table),
                    snapshot.loaded, (unsigned long long) snapshot.written,
                    (unsigned long long) snapshot.failed,
                    (unsigned long long) snapshot.ms,
                    (unsigned long long) snapshot.bytes,
                    (unsigned long long) snapshot.records);
    answer(t, text);
}


static void
find(tool_t *t, const char *id)
{
    char               text[128];
    turn_alloc_info_t  info;

    static const char *const  states[] = {
        "live", "waits", "doomed", "dying"
    };

    if (!turn_table_find(t->table, strtoull(id, NULL, 10), &info)) {
        answer(t, "none");
        return;
    }

    (void) snprintf(text, sizeof(text), "%s %s", states[info.state],
                    turn_verdict_name(info.why));
    answer(t, text);
}


static void
question(tool_t *t, char *line)
{
    char    *word[WORDS], *rest;
    size_t   n;

    for (n = 0; n < WORDS; n++) {
        word[n] = strtok_r(n ? NULL : line, " ", &rest);

        if (word[n] == NULL) {
            break;
        }
    }

    if (n == 2 && strcmp(word[0], "verdict") == 0) {
        answer(t, turn_verdict_name(turn_table_verdict(t->table,
                      rs_str(word[1]), NULL, now_ms())));
        turn_upstream_ask(t->up);

    } else if (n == 3 && strcmp(word[0], "alloc") == 0) {
        answer(t, turn_verdict_name(turn_table_alloc(t->table,
                      strtoull(word[1], NULL, 10), rs_str(word[2]),
                      now_ms())));
        turn_upstream_ask(t->up);

    } else if (n == 2 && strcmp(word[0], "find") == 0) {
        find(t, word[1]);

    } else if (n && strcmp(word[0], "use") == 0) {
        use(t, word, n);

    } else if (n == 1 && strcmp(word[0], "stats") == 0) {
        stats(t);

    } else if (n == 1 && strcmp(word[0], "quit") == 0) {
        (void) event_base_loopexit(t->base, NULL);

    } else {
        answer(t, "what?");
    }
}


static void
client_read(struct bufferevent *bev, void *data)
{
    char  *line;

    while ((line = evbuffer_readln(bufferevent_get_input(bev), NULL,
                                   EVBUFFER_EOL_LF))
           != NULL)
    {
        question(data, line);
        free(line);
    }
}


static void
client_event(struct bufferevent *bev, short what, void *data)
{
    tool_t *t = data;

    (void) what;

    bufferevent_free(bev);
    t->client = NULL;
}


static void
client_accept(struct evconnlistener *listener, evutil_socket_t fd,
    struct sockaddr *sa, int len, void *data)
{
    tool_t *t = data;

    (void) listener;
    (void) sa;
    (void) len;

    if (t->client) {
        bufferevent_free(t->client);
    }

    t->client = bufferevent_socket_new(t->base, fd, BEV_OPT_CLOSE_ON_FREE);

    if (t->client == NULL) {
        die("no memory", "for a client");
    }

    bufferevent_setcb(t->client, client_read, NULL, client_event, t);
    (void) bufferevent_enable(t->client, EV_READ|EV_WRITE);
}


static void
state(void *data, int in_sync)
{
    tool_t *t = data;

    (void) in_sync;

    t->states++;
}


static void
tick(evutil_socket_t fd, short what, void *data)
{
    tool_t *t = data;

    (void) fd;
    (void) what;

    turn_table_tick(t->table, now_ms());
    turn_upstream_ask(t->up);
}


static void
terminated(evutil_socket_t fd, short what, void *data)
{
    tool_t *t = data;

    (void) fd;
    (void) what;

    (void) event_base_loopexit(t->base, NULL);
}


static void
configure(tool_t *t, turn_upstream_conf_t *conf, turn_table_conf_t *tconf,
    const char **state_dir, char *arg)
{
    size_t  i;
    char   *value;

    const struct {
        const char   *name;
        const char  **slot;
    } texts[] = {
        { "redis", &conf->redis }, { "redis_user", &conf->user },
        { "redis_ca_file", &conf->ca_file },
        { "redis_server_name", &conf->server_name },
        { "redis_certificate", &conf->certificate },
        { "redis_certificate_key", &conf->certificate_key },
        { "sentinel_user", &conf->sentinel_user },
        { "resolver", &conf->resolver }, { "state_dir", state_dir }
    };

    const struct {
        const char   *name;
        uint64_t     *slot;
    } numbers[] = {
        { "redis_timeout", &conf->timeout }, { "resync", &conf->resync },
        { "redis_connect_timeout", &conf->connect_timeout },
        { "stale_limit", &tconf->stale_limit_s }
    };

    value = strchr(arg, '=');

    if (value == NULL) {
        die("not key=value", arg);
    }

    *value++ = '\0';

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(arg, texts[i].name) == 0) {
            *texts[i].slot = value;
            return;
        }
    }

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strcmp(arg, numbers[i].name) == 0) {
            *numbers[i].slot = strtoull(value, NULL, 10);
            return;
        }
    }

    if (strcmp(arg, "tenants") == 0) {
        t->tenant = rs_str(value);
        tconf->tenants = &t->tenant;
        tconf->ntenants = 1;

    } else if (strcmp(arg, "redis_password_file") == 0) {
        conf->password = secret(t->secrets[0], sizeof(t->secrets[0]), value);

    } else if (strcmp(arg, "sentinel_password_file") == 0) {
        conf->sentinel_password = secret(t->secrets[1],
                                         sizeof(t->secrets[1]), value);

    } else {
        die("unknown key", arg);
    }
}


int
main(int argc, char **argv)
{
    int                     i;
    char                    error[512];
    tool_t                  t;
    const char             *state_dir;
    struct event           *term;
    struct timeval          tv = { 0, 20000 };
    struct sockaddr_un      sun;
    turn_table_conf_t       tconf;
    turn_upstream_conf_t    conf;
    struct evconnlistener  *listener;

    memset(&t, 0, sizeof(t));
    memset(&conf, 0, sizeof(conf));
    memset(&tconf, 0, sizeof(tconf));

    conf.timeout = 800;
    conf.connect_timeout = 500;
    conf.resync = 30;

    tconf.quota = 12;
    tconf.host_quota = 48;
    tconf.credential_ttl_s = 300;
    tconf.skew_s = 60;
    tconf.stale_limit_s = 3600;
    tconf.seed = now_ms();

    state_dir = NULL;

    if (argc < 2) {
        die("usage", "turn-upstream SOCKET key=value...");
    }

    for (i = 2; i < argc; i++) {
        configure(&t, &conf, &tconf, &state_dir, argv[i]);
    }

    (void) signal(SIGPIPE, SIG_IGN);
    turn_log_level(TURN_LOG_DEBUG);

    t.base = event_base_new();
    t.table = turn_table_create(&tconf);
    t.tick = event_new(t.base, -1, EV_PERSIST, tick, &t);
    term = evsignal_new(t.base, SIGTERM, terminated, &t);
    (void) event_add(term, NULL);

    if (state_dir) {
        t.snapshot = turn_snapshot_create(t.base, state_dir, t.table, error,
                                          sizeof(error));
        if (t.snapshot == NULL) {
            die("configuration", error);
        }
    }

    t.up = turn_upstream_create(t.base, &conf, t.table, state, &t, error,
                                sizeof(error));
    if (t.up == NULL) {
        die("configuration", error);
    }

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;
    (void) snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", argv[1]);

    listener = evconnlistener_new_bind(t.base, client_accept, &t,
                   LEV_OPT_CLOSE_ON_FREE, 4, (struct sockaddr *) &sun,
                   sizeof(sun));

    if (listener == NULL) {
        die("cannot listen on", argv[1]);
    }

    (void) event_add(t.tick, &tv);
    (void) event_base_dispatch(t.base);

    evconnlistener_free(listener);
    event_free(t.tick);
    event_free(term);

    /* who was owed an answer gets one before the end */

    turn_upstream_destroy(t.up);
    turn_snapshot_destroy(t.snapshot);

    if (t.client) {
        (void) bufferevent_flush(t.client, EV_WRITE, BEV_FINISHED);
        (void) event_base_loop(t.base, EVLOOP_NONBLOCK);
        bufferevent_free(t.client);
    }

    (void) event_base_loop(t.base, EVLOOP_NONBLOCK);
    turn_table_destroy(t.table);
    event_base_free(t.base);
    (void) unlink(argv[1]);
    printf("turn-upstream: ended\n");

    return 0;
}
