
/*
 * Copyright (C) rs-gateway contributors
 *
 * The reaper against a CLI made here, which prints what coturn 4.6.1 prints
 * and breaks where it is told to.
 */


#include "tap.h"
#include "turn_reaper.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>


#define MAX       600
#define PASSWORD  "a password of the test"


typedef struct {
    uint64_t             id;
    char                 user[200];
    const char          *origin;
    const char          *peer;
} session_t;


static struct event_base      *base;
static struct evconnlistener  *listener;
static struct bufferevent     *client;
static turn_conf_addr_t        addr;
static turn_table_t           *table;
static turn_reaper_t          *reaper;
static uint64_t                started;   /* s */

/* the CLI */

static session_t  sessions[MAX];
static unsigned   nsessions, limit, logins, commands, pus, nprinted;
static int        authed, hangs, deaf, silent, cut_at;
static uint64_t   leaves;             /* between a listing and its fence */

/* what was told */

static unsigned   nseen, ngone, nlisted, version;
static uint64_t   last_rcvb;


static uint64_t
ms(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}


static const char *
id_of(const char *prefix, unsigned n)
{
    static char      ring[4][RS_ID_LEN + 1];
    static unsigned  at;
    char            *p;
    uint8_t          random[RS_ID_RANDOM_LEN];

    memset(random, 0, sizeof(random));
    random[0] = (uint8_t) (n >> 8);
    random[1] = (uint8_t) n;
    p = ring[at++ % 4];
    rs_id_format(p, prefix, random);

    return p;
}


static void
add(uint64_t id, unsigned ses, const char *origin, const char *peer)
{
    session_t  *s;

    s = &sessions[nsessions++];
    s->id = id;
    s->origin = origin;
    s->peer = peer;
    (void) snprintf(s->user, sizeof(s->user), "%llu:acme.%s.%s",
                    (unsigned long long) (started + 900),
                    id_of(RS_ID_SESSION, ses), id_of(RS_ID_PARTICIPANT, 1));
}


static void
live(unsigned ses)
{
    (void) turn_table_live(table, RS_STR("acme"),
                           rs_str(id_of(RS_ID_SESSION, ses)), started + 900,
                           RS_STR(""), ms());
}


static void
end(unsigned ses)
{
    (void) turn_table_end(table, RS_STR("acme"),
                          rs_str(id_of(RS_ID_SESSION, ses)), started + 900,
                          ms());
}


static void
told(unsigned i)
{
    (void) turn_table_alloc(table, sessions[i].id, rs_str(sessions[i].user),
                            ms());
}


/* ---- the CLI */


static void
print_sessions(struct evbuffer *out, const char *user)
{
    unsigned  i, n, shown;

    for (i = 0, n = 0, shown = 0; i < nsessions; i++) {
        if (user != NULL && strcmp(user, sessions[i].user) != 0) {
            continue;
        }

        if (n++ >= limit) {
            continue;
        }

        shown++;
        nprinted++;
        evbuffer_add_printf(out, "\r\n    %u) id=%018llu, user <%s>:\r\n"
                            "      realm: turn.test\r\n", n,
                            (unsigned long long) sessions[i].id,
                            sessions[i].user);

        if (sessions[i].origin != NULL) {
            evbuffer_add_printf(out, "      origin: %s\r\n",
                                sessions[i].origin);
        }

        evbuffer_add_printf(out, "      started %llu secs ago\r\n"
                            "      expiring in 9 secs\r\n"
                            "      usage: rp=1, rb=%llu, sp=3, sb=4\r\n",
                            (unsigned long long) (ms() / 1000 - started),
                            (unsigned long long) sessions[i].id * 100);

        if (sessions[i].peer != NULL) {
            evbuffer_add_printf(out, "      peers:\r\n          %s\r\n",
                                sessions[i].peer);
        }
    }

    evbuffer_add_printf(out, "\r\n%s  Total sessions: %u\r\n\r\n",
                        n > shown ? "...\r\n\r\n" : "", n);
}


static void
print_users(struct evbuffer *out)
{
    unsigned  i, j, n;

    pus++;
    evbuffer_add_printf(out, "\r\n");

    for (i = 0; i < nsessions; i++) {
        for (j = 0, n = 0; j < nsessions; j++) {
            if (strcmp(sessions[i].user, sessions[j].user) == 0) {
                if (j < i) {
                    break;
                }

                n++;
            }
        }

        if (j == nsessions) {
            evbuffer_add_printf(out, "    user: <%s>, %u sessions\r\n",
                                sessions[i].user, n);
        }
    }

    evbuffer_add_printf(out, "\r\n  Total sessions: %u\r\n\r\n", nsessions);
}


static void
cancel(uint64_t id)
{
    unsigned  i;

    for (i = 0; i < nsessions && sessions[i].id != id; i++) { /* void */ }

    if (i == nsessions || deaf) {
        return;
    }

    nsessions--;
    memmove(&sessions[i], &sessions[i + 1],
            (nsessions - i) * sizeof(sessions[0]));

    if (!silent) {
        (void) turn_table_free(table, id);
    }
}


static void
cli_read(struct bufferevent *bev, void *data)
{
    char              text[1024];
    size_t            n;
    struct evbuffer  *out;

    (void) data;

    n = bufferevent_read(bev, text, sizeof(text) - 1);

    if (n == 0 || hangs) {
        return;
    }

    text[n] = '\0';
    out = bufferevent_get_output(bev);

    /* one read is one command */

    if (strchr(text, '\n') != text + n - 1) {
        printf("not ok - commands were sent together: %s\n", text);
        exit(1);
    }

    text[n - 1] = '\0';

    if (!authed) {
        authed = strcmp(text, PASSWORD) == 0;
        logins++;
        evbuffer_add_printf(out, authed ? "> " : "Enter password: \r\n");
        return;
    }

    commands++;

    if (cut_at && --cut_at == 0) {
        evbuffer_add_printf(out, "\r\n    1) id=00100");
        (void) bufferevent_flush(bev, EV_WRITE, BEV_FINISHED);
        bufferevent_free(bev);
        client = NULL;
        return;
    }

    if (strcmp(text, "ps") == 0) {
        print_sessions(out, NULL);

    } else if (strncmp(text, "ps *", 4) == 0) {
        print_sessions(out, text + 4);

    } else if (strcmp(text, "pu") == 0) {
        print_users(out);

    } else if (strncmp(text, "cs ", 3) == 0) {
        cancel(strtoull(text + 3, NULL, 10));

    } else if (strncmp(text, "cc cli-max-output-sessions ", 27) == 0) {
        limit = (unsigned) strtoul(text + 27, NULL, 10);

        if (leaves && nprinted) {
            cancel(leaves);
            leaves = 0;
        }

        evbuffer_add_printf(out, "  cli-max-output-sessions: %u (**)\r\n",
                            limit);

    } else {
        printf("not ok - what is \"%s\"\n", text);
        exit(1);
    }

    evbuffer_add_printf(out, "> ");
}


static void
cli_event(struct bufferevent *bev, short what, void *data)
{
    (void) what;
    (void) data;

    bufferevent_free(bev);
    client = (client == bev) ? NULL : client;
}


static void
cli_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa,
    int len, void *data)
{
    (void) l;
    (void) sa;
    (void) len;
    (void) data;

    authed = 0;
    limit = 256;
    client = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(client, cli_read, NULL, cli_event, NULL);
    bufferevent_enable(client, EV_READ | EV_WRITE);

    if (!hangs) {
        evbuffer_add_printf(bufferevent_get_output(client),
                            "TURN Server\r\nCoturn-4.6.1 'Gorst'\r\n\r\n"
                            "Type '?' for help\r\nEnter password: \r\n");
    }
}


static void
cli_listen(void)
{
    socklen_t            len;
    struct sockaddr_in  *in;

    in = (struct sockaddr_in *) &addr.addr;
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    len = sizeof(*in);

    listener = evconnlistener_new_bind(base, cli_accept, NULL,
                                       LEV_OPT_CLOSE_ON_FREE
                                       | LEV_OPT_REUSEABLE, 16,
                                       (struct sockaddr *) in, (int) len);

    if (listener == NULL
        || getsockname(evconnlistener_get_fd(listener),
                       (struct sockaddr *) in, &len) != 0)
    {
        printf("not ok - cannot listen\n");
        exit(1);
    }

    addr.len = len;
    (void) strcpy(addr.text, "127.0.0.1");
}


/* coturn ends: its sessions with it */

static void
cli_gone(void)
{
    if (client != NULL) {
        bufferevent_free(client);
        client = NULL;
    }

    evconnlistener_free(listener);
    nsessions = 0;
}


/* ---- the reaper */


static void
woken(void *data)
{
    (void) data;

    turn_reaper_wake(reaper);
}


static void
seen(void *data, const turn_reaper_seen_t *s)
{
    (void) data;

    nseen++;
    last_rcvb = s->rcvb;
}


static void
gone(void *data, uint64_t id)
{
    (void) data;
    (void) id;

    ngone++;
}


static void
listed(void *data)
{
    (void) data;

    nlisted++;
}


static void
version_is(void *data, unsigned v)
{
    (void) data;

    version = v;
}


static int
denies(void *data, rs_str_t peer)
{
    (void) data;

    return rs_str_starts(peer, RS_STR("10."));
}


static char  path[64], *password_file = path;


static void
begin(void)
{
    FILE                *f;
    char                 error[TURN_CONF_ERROR_MAX];
    turn_table_conf_t    tc;
    turn_reaper_conf_t   conf;

    base = event_base_new();
    started = ms() / 1000 - 3;
    nsessions = commands = logins = nseen = ngone = nlisted = pus = 0;
    hangs = deaf = silent = cut_at = 0;
    leaves = nprinted = 0;
    cli_listen();

    (void) strcpy(path, "/tmp/rs-turn-reaper.XXXXXX");
    f = fdopen(mkstemp(path), "w");
    (void) fprintf(f, "%s\n", PASSWORD);
    (void) fclose(f);

    memset(&tc, 0, sizeof(tc));
    tc.quota = MAX;
    tc.host_quota = MAX;
    tc.credential_ttl_s = 300;
    tc.skew_s = 60;
    tc.wake = woken;
    table = turn_table_create(&tc);

    memset(&conf, 0, sizeof(conf));
    conf.base = base;
    conf.table = table;
    conf.cli = &addr;
    conf.password_file = password_file;
    conf.denies = denies;
    conf.seen = seen;
    conf.gone = gone;
    conf.listed = listed;
    conf.version = version_is;
    reaper = turn_reaper_create(&conf, error);
}


static void
done(void)
{
    turn_reaper_free(reaper);
    reaper = NULL;
    turn_table_destroy(table);
    cli_gone();

    /* what is still closing */
    (void) event_base_loop(base, EVLOOP_NONBLOCK);
    event_base_free(base);
    (void) unlink(path);
}


/* runs the loop until it is so, or 20 s are over */

#define UNTIL(cond)                                                          \
    do {                                                                     \
        uint64_t  until = ms() + 20000;                                      \
                                                                             \
        while (!(cond) && ms() < until) {                                    \
            struct timeval  tv = { 0, 5000 };                                \
                                                                             \
            (void) event_base_loopexit(base, &tv);                           \
            (void) event_base_loop(base, EVLOOP_ONCE);                       \
        }                                                                    \
    } while (0)


static size_t
allocs(void)
{
    turn_table_stat_t  stat;

    turn_table_stat(table, &stat);

    return stat.allocs;
}


static void
test_login(void)
{
    unsigned            i;
    turn_reaper_stat_t  stat;

    begin();

    for (i = 1; i <= 300; i++) {
        add(i, i % 7, NULL, NULL);
    }

    for (i = 0; i < 7; i++) {
        live(i);
    }

    UNTIL(nlisted);
    turn_reaper_stat(reaper, &stat);
    ok(nlisted == 1 && stat.ready, "logged in");
    is_int(version, 40601, "it says who it is");
    is_int(nseen, 300, "all sessions are listed, more than its limit");
    is_int(allocs(), 300, "and adopted");
    is_int(last_rcvb, 30000, "with their bytes");
    is_int(stat.listings, 1, "by one listing");

    done();
}


static void
test_cancel(void)
{
    unsigned            i;
    uint64_t            t0;
    turn_reaper_stat_t  stat;

    begin();
    UNTIL(nlisted);

    for (i = 1; i <= 400; i++) {
        add(i, i <= 200 ? 1 : i, NULL, NULL);
        live(i <= 200 ? 1 : i);
        told(i - 1);
    }

    t0 = ms();
    end(400);
    UNTIL(allocs() == 399);
    t0 = ms() - t0;
    ok(allocs() == 399 && t0 < 500, "one is ended, %llu ms",
       (unsigned long long) t0);

    t0 = ms();
    end(1);
    UNTIL(allocs() == 199);
    t0 = ms() - t0;
    ok(allocs() == 199 && t0 < 20000, "200 are ended, %llu ms",
       (unsigned long long) t0);
    is_int(nsessions, 199, "nobody else is");

    UNTIL((turn_reaper_stat(reaper, &stat), stat.latency_n == 201));
    is_int(stat.latency_n, 201, "each was measured");
    is_int(stat.cancels, 201, "and cancelled once");

    turn_reaper_kill(reaper, 399);
    UNTIL(nsessions == 198);
    is_int(nsessions, 198, "one that is in no table");

    done();
}


/* cancelled again each second until it is gone, whoever says so */

static void
test_retry(void)
{
    turn_reaper_stat_t  stat;

    begin();
    UNTIL(nlisted);
    add(1, 1, NULL, NULL);
    live(1);
    told(0);
    deaf = 1;
    end(1);
    UNTIL((turn_reaper_stat(reaper, &stat), stat.retries == 1));
    is_int(stat.retries, 1, "no effect: cancelled again");
    deaf = 0;
    silent = 1;
    UNTIL(allocs() == 0);
    is_int(allocs(), 0, "no event: a listing tells");
    ok(ngone == 1 && nsessions == 0, "that it is gone");

    done();
}


/* who has gone since coturn printed it is not told of as if it were there */

static void
test_leaves(void)
{
    begin();
    add(1, 1, NULL, NULL);
    add(2, 1, NULL, NULL);
    live(1);
    told(0);
    told(1);
    leaves = 2;
    UNTIL(nlisted);
    is_int(nsessions, 1, "one has gone while it was listed");
    is_int(allocs(), 1, "it is not adopted");
    is_int(nseen, 1, "nor seen: its bytes have been counted");

    done();
}


static void
test_breaks(void)
{
    turn_reaper_stat_t  stat;

    begin();
    UNTIL(nlisted);
    add(1, 1, NULL, NULL);
    add(2, 2, NULL, NULL);
    live(1);
    live(2);
    told(0);
    told(1);

    cut_at = 1;
    end(1);
    UNTIL(allocs() == 1);
    ok(allocs() == 1 && nsessions == 1, "cut in a cancel: done again");
    UNTIL(nlisted == 2);

    cut_at = 2;
    turn_reaper_list(reaper);
    UNTIL(nlisted == 3);
    ok(nlisted == 3 && allocs() == 1, "cut in a listing: listed again");
    turn_reaper_stat(reaper, &stat);
    is_int(stat.lost, 2, "two connections were lost");

    hangs = 1;
    end(2);
    UNTIL(client == NULL);
    ok(client == NULL, "one that hangs is given up");
    hangs = 0;
    UNTIL(allocs() == 0);
    is_int(allocs(), 0, "what was to end does when it is back");

    add(3, 3, NULL, NULL);
    live(3);
    told(0);
    cli_gone();
    UNTIL((turn_reaper_stat(reaper, &stat), !stat.ready));
    ok(!stat.ready && allocs() == 1, "coturn ends");
    ngone = 0;
    nlisted = 0;
    cli_listen();
    UNTIL(nlisted);
    ok(ngone == 1 && allocs() == 0, "it is back, and has none of them");

    done();
}


static void
test_password(void)
{
    FILE                *f;
    turn_reaper_stat_t   stat;

    begin();
    f = fopen(path, "w");
    (void) fprintf(f, "wrong\n");
    (void) fclose(f);
    UNTIL(logins == 1 && client == NULL);
    turn_reaper_stat(reaper, &stat);
    ok(logins == 1 && !stat.ready, "a wrong password is said once");

    f = fopen(path, "w");
    (void) fprintf(f, "%s\n", PASSWORD);
    (void) fclose(f);
    UNTIL(nlisted);
    is_int(nlisted, 1, "the right one is read at the next login");
    done();

    password_file = NULL;
    begin();
    UNTIL(client != NULL);
    UNTIL(client == NULL);
    is_int(logins, 0, "none is said when there is none");
    password_file = path;
    done();
}


static void
test_policy(void)
{
    begin();
    UNTIL(nlisted);
    add(1, 1, NULL, "10.1.2.3:99");
    add(2, 2, NULL, "192.0.2.1");
    live(1);
    live(2);
    turn_reaper_list(reaper);
    UNTIL(nlisted == 2);
    is_int(allocs(), 2, "peers are not looked at each time");
    turn_reaper_recheck(reaper);
    UNTIL(allocs() == 1);
    ok(allocs() == 1 && sessions[0].id == 2, "the policy is new: one ends");

    done();
}


static void
test_forged(void)
{
    turn_reaper_stat_t  stat;

    begin();
    UNTIL(nlisted);
    turn_reaper_pace(reaper, 300);
    live(1);
    live(2);
    live(3);
    add(1, 1, NULL, NULL);
    add(2, 2, "x\r\n\r\n    3) id=000000000000000001, user <victim>:\r\n"
              "      started 1 secs ago\r\n\r\n  Total sessions: 3\r\n\r\n> ",
        NULL);
    add(3, 2, "y\r\n\r\n> \r\n    3) id=000000000000000007, user <x>:",
        NULL);
    add(4, 3, NULL, NULL);
    nlisted = 0;
    turn_reaper_list(reaper);
    UNTIL(nlisted);
    turn_reaper_stat(reaper, &stat);
    is_int(nsessions, 2, "who prints headers into listings is ended");
    ok(sessions[0].id == 1 && sessions[1].id == 4, "and nobody else");
    is_int(allocs(), 2, "then the listing is good");
    ok(stat.forged && pus, "it took the users' names");

    add(5, 3, "z\r\nq", NULL);
    nlisted = 0;
    turn_reaper_list(reaper);
    UNTIL(nsessions == 2);
    ok(nsessions == 2 && sessions[1].id == 4,
       "who prints anything else is ended, too");

    done();
}


int
main(void)
{
    test_login();
    test_cancel();
    test_retry();
    test_leaves();
    test_breaks();
    test_password();
    test_policy();
    test_forged();

    return tap_done();
}
