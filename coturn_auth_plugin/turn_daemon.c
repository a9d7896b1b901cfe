
/*
 * Copyright (C) rs-gateway contributors
 *
 * The parts, tied together.
 */


#include "turn_daemon.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "turn_clock.h"
#include "turn_host.h"
#include "turn_log.h"
#include "turn_metrics.h"
#include "turn_notify.h"


#define TURN_DAEMON_SIGNALS          3

/* ms */
#define TURN_DAEMON_TICK             1000

/* coturn's allocations are listed each so often, ms; the first while it does
 * not tell of them */
#define TURN_DAEMON_LIST_ALONE       1000
#define TURN_DAEMON_LIST_TOLD        60000

/* towards Redis, ms */
#define TURN_DAEMON_TIMEOUT          1500
#define TURN_DAEMON_CONNECT_TIMEOUT  3000


typedef struct {
    struct event_base  *base;
    struct event       *signals[TURN_DAEMON_SIGNALS];
    turn_conf_t        *conf;
    turn_secret_t      *secret;
    turn_policy_t      *policy;
    turn_table_t       *table;
    struct event       *pump;         /* what the table has queued, or is due */
    turn_reaper_t      *reaper;       /* NULL: cli = off */
    turn_usage_t       *usage;        /* NULL: redis = off */
    unsigned            version;      /* of coturn, by its CLI */
    uint64_t            told;         /* connections of statsdb, ever */
    turn_upstream_t    *upstream;     /* NULL: redis = off */
    turn_snapshot_t    *snapshot;     /* NULL: that, or state_dir = off */
    char                redis_password[TURN_CONF_SECRET_MAX + 1];
    char                sentinel_password[TURN_CONF_SECRET_MAX + 1];
    turn_server_t      *userdb_server;
    turn_server_t      *statsdb_server;
    turn_userdb_t       userdb;
    turn_statsdb_t      statsdb;
    turn_http_t        *http;         /* NULL: metrics_listen = off */
    turn_metrics_t      metrics;
    turn_host_t        *host;         /* being looked at; or NULL */
    turn_log_limit_t    limit_guard;
} turn_daemon_t;


static int turn_daemon_init(turn_daemon_t *d, char *error);
static int turn_daemon_table(turn_daemon_t *d, char *error);
static void turn_daemon_table_conf(const turn_conf_t *conf,
    turn_table_conf_t *tc);
static int turn_daemon_snapshot(turn_daemon_t *d, char *error);
static int turn_daemon_usage(turn_daemon_t *d, char *error);
static int turn_daemon_reaper(turn_daemon_t *d, char *error);
static int turn_daemon_upstream(turn_daemon_t *d, char *error);
static int turn_daemon_listen(turn_daemon_t *d, char *error);
static int turn_daemon_metrics(turn_daemon_t *d, char *error);
static int turn_daemon_signals(turn_daemon_t *d);
static void turn_daemon_done(turn_daemon_t *d);
static void turn_daemon_on_stop(evutil_socket_t signo, short what,
    void *data);
static void turn_daemon_on_reload(evutil_socket_t signo, short what,
    void *data);
static int turn_daemon_same(const turn_conf_t *old, const turn_conf_t *conf,
    char *error);
static void turn_daemon_take(turn_daemon_t *d, const turn_conf_t *conf);
static void turn_daemon_on_wake(void *data);
static void turn_daemon_on_pump(evutil_socket_t fd, short what, void *data);
static void turn_daemon_watch_statsdb(turn_daemon_t *d);
static void turn_daemon_on_state(void *data, int in_sync);
static int turn_daemon_on_usage(void *data, rs_str_t tenant, rs_str_t ses,
    const turn_usage_item_t *items, size_t n, turn_usage_pt callback,
    void *cb_data);
static int turn_daemon_on_denies(void *data, rs_str_t peer);
static void turn_daemon_on_seen(void *data, const turn_reaper_seen_t *seen);
static void turn_daemon_on_gone(void *data, uint64_t id);
static void turn_daemon_on_listed(void *data);
static void turn_daemon_on_version(void *data, unsigned version);
static void turn_daemon_on_policy(void *data);
static unsigned turn_daemon_version(void *data);
static int turn_daemon_unguarded_userdb(void *data);
static int turn_daemon_unguarded_statsdb(void *data);
static int turn_daemon_safe(turn_daemon_t *d, const char *what,
    const char *why);


int
turn_daemon_run(turn_conf_t *conf)
{
    int            rc;
    char           error[TURN_CONF_ERROR_MAX];
    turn_daemon_t  d;

    memset(&d, 0, sizeof(d));
    d.conf = conf;

    /* a socket the other side has closed is found by write() */

    (void) signal(SIGPIPE, SIG_IGN);

    rc = 1;

    if (!turn_daemon_init(&d, error)) {
        turn_log(TURN_LOG_ERR, "%s", error);

    } else {
        turn_log(TURN_LOG_NOTICE, "serves realm \"%s\" (%s) at %s", conf->realm,
                 conf->mode == TURN_MODE_STRICT ? "strict" : "compat",
                 conf->userdb_listen.text);
        turn_daemon_on_wake(&d);
        turn_notify("READY=1");
        d.host = turn_host_check(d.base, conf);

        (void) event_base_dispatch(d.base);

        turn_notify("STOPPING=1");
        rc = 0;
    }

    turn_daemon_done(&d);

    return rc;
}


static int
turn_daemon_init(turn_daemon_t *d, char *error)
{
    turn_log_level(d->conf->log_level);

    d->base = event_base_new();

    if (d->base == NULL || !turn_daemon_signals(d)) {
        (void) strcpy(error, "out of memory");
        return 0;
    }

    d->secret = turn_secret_create(d->conf, error);

    if (d->secret == NULL) {
        return 0;
    }

    d->policy = turn_policy_create(d->conf, error);

    if (d->policy == NULL) {
        return 0;
    }

    if (!turn_daemon_table(d, error) || !turn_daemon_snapshot(d, error)) {
        return 0;
    }

    d->userdb.policy = d->policy;
    d->userdb.table = d->table;
    d->userdb.conf = d->conf;
    d->userdb.secret = d->secret;
    d->statsdb.conf = d->conf;
    d->statsdb.table = d->table;

    /* coturn first: the policy is served whatever upstream does */

    return turn_daemon_listen(d, error)
           && turn_daemon_usage(d, error)
           && turn_daemon_reaper(d, error)
           && turn_daemon_upstream(d, error)
           && turn_daemon_metrics(d, error);
}


static int
turn_daemon_table(turn_daemon_t *d, char *error)
{
    size_t             i;
    rs_str_t           tenants[TURN_CONF_LIST_MAX];
    turn_table_conf_t  tc;

    turn_daemon_table_conf(d->conf, &tc);

    for (i = 0; i < d->conf->tenants.n; i++) {
        tenants[i] = rs_str(d->conf->tenants.item[i]);
    }

    tc.tenants = tenants;
    tc.ntenants = d->conf->tenants.n;
    tc.wake = turn_daemon_on_wake;
    tc.data = d;

    d->pump = event_new(d->base, -1, 0, turn_daemon_on_pump, d);

    if (d->pump == NULL
        || RAND_bytes((unsigned char *) &tc.seed, sizeof(tc.seed)) != 1
        || (d->table = turn_table_create(&tc)) == NULL)
    {
        (void) strcpy(error, "out of memory");
        return 0;
    }

    return 1;
}


/* what may change while the daemon runs */

static void
turn_daemon_table_conf(const turn_conf_t *conf, turn_table_conf_t *tc)
{
    memset(tc, 0, sizeof(*tc));

    tc->quota = conf->quota;
    tc->host_quota = conf->host_quota;
    tc->credential_ttl_s = conf->credential_ttl;
    tc->skew_s = conf->skew;
    tc->stale_limit_s = conf->redis != NULL ? conf->stale_limit : 0;
}


/* before coturn can ask: what was known is known again */

static int
turn_daemon_snapshot(turn_daemon_t *d, char *error)
{
    const turn_conf_t  *conf = d->conf;

    if (conf->redis == NULL || conf->state_dir == NULL) {
        return 1;
    }

    d->snapshot = turn_snapshot_create(d->base, conf->state_dir, d->table,
                                       error, TURN_CONF_ERROR_MAX);

    return d->snapshot != NULL;
}


static int
turn_daemon_usage(turn_daemon_t *d, char *error)
{
    turn_usage_conf_t  uc;

    if (d->conf->redis == NULL) {
        return 1;
    }

    memset(&uc, 0, sizeof(uc));
    uc.relay = d->conf->name;
    uc.state_dir = d->conf->state_dir;
    uc.send = turn_daemon_on_usage;
    uc.wake = turn_daemon_on_wake;
    uc.data = d;

    d->usage = turn_usage_create(&uc, error, turn_clock_ms());
    d->statsdb.usage = d->usage;

    return d->usage != NULL;
}


static int
turn_daemon_reaper(turn_daemon_t *d, char *error)
{
    turn_reaper_conf_t  rc;

    if (d->conf->cli.len == 0) {
        turn_log(TURN_LOG_WARN, "cli = off: no allocation can be ended");
        return 1;
    }

    memset(&rc, 0, sizeof(rc));
    rc.base = d->base;
    rc.table = d->table;
    rc.cli = &d->conf->cli;
    rc.password_file = d->conf->cli_password_file;
    rc.list_ms = TURN_DAEMON_LIST_ALONE;
    rc.denies = turn_daemon_on_denies;
    rc.seen = turn_daemon_on_seen;
    rc.gone = turn_daemon_on_gone;
    rc.listed = turn_daemon_on_listed;
    rc.version = turn_daemon_on_version;
    rc.data = d;

    d->reaper = turn_reaper_create(&rc, error);
    d->statsdb.reaper = d->reaper;

    if (d->reaper != NULL) {
        turn_policy_on_change(d->policy, turn_daemon_on_policy, d);
    }

    return d->reaper != NULL;
}


static int
turn_daemon_upstream(turn_daemon_t *d, char *error)
{
    size_t                len;
    const turn_conf_t    *conf = d->conf;
    turn_upstream_conf_t  uc;

    if (conf->redis == NULL) {
        turn_log(TURN_LOG_WARN, "redis = off: no session is followed, and "
                 "nothing is revoked");
        return 1;
    }

    if ((conf->redis_password_file != NULL
         && !turn_conf_secret(conf->redis_password_file, d->redis_password,
                              &len, error))
        || (conf->sentinel_password_file != NULL
            && !turn_conf_secret(conf->sentinel_password_file,
                                 d->sentinel_password, &len, error)))
    {
        return 0;
    }

    memset(&uc, 0, sizeof(uc));
    uc.redis = conf->redis;
    uc.user = conf->redis_user;
    uc.password = d->redis_password;
    uc.sentinel_user = conf->sentinel_user;
    uc.sentinel_password = d->sentinel_password;
    uc.ca_file = conf->redis_ca_file;
    uc.server_name = conf->redis_server_name;
    uc.certificate = conf->redis_certificate;
    uc.certificate_key = conf->redis_certificate_key;
    uc.timeout = TURN_DAEMON_TIMEOUT;
    uc.connect_timeout = TURN_DAEMON_CONNECT_TIMEOUT;
    uc.resync = conf->resync;

    d->upstream = turn_upstream_create(d->base, &uc, d->table,
                                       turn_daemon_on_state, d, error,
                                       TURN_CONF_ERROR_MAX);

    return d->upstream != NULL;
}


static int
turn_daemon_listen(turn_daemon_t *d, char *error)
{
    char                   text[TURN_CONF_SECRET_MAX + 1];
    size_t                 len;
    rs_str_t               password;
    turn_server_handler_t  h;

    if (!turn_conf_secret(d->conf->password_file, text, &len, error)) {
        return 0;
    }

    password = (rs_str_t) { (uint8_t *) text, len };

    h.what = "userdb";
    h.command = turn_userdb_command;
    h.unguarded = turn_daemon_unguarded_userdb;
    h.data = &d->userdb;
    h.guard = d;

    d->userdb_server = turn_server_create(d->base, &d->conf->userdb_listen,
                                          password, d->conf->max_connections,
                                          &h, error);

    if (d->userdb_server != NULL && d->conf->statsdb_listen.len) {
        h.what = "statsdb";
        h.command = turn_statsdb_command;
        h.unguarded = turn_daemon_unguarded_statsdb;
        h.data = &d->statsdb;

        d->statsdb_server = turn_server_create(d->base,
                                               &d->conf->statsdb_listen,
                                               password,
                                               d->conf->max_connections,
                                               &h, error);
    }

    OPENSSL_cleanse(text, sizeof(text));

    return d->userdb_server != NULL
           && (d->statsdb_server != NULL || d->conf->statsdb_listen.len == 0);
}


static int
turn_daemon_metrics(turn_daemon_t *d, char *error)
{
    turn_metrics_t  *m = &d->metrics;

    if (d->conf->metrics_listen.len == 0) {
        return 1;
    }

    m->conf = d->conf;
    m->policy = d->policy;
    m->table = d->table;
    m->userdb = &d->userdb;
    m->userdb_server = d->userdb_server;
    m->statsdb = d->statsdb_server != NULL ? &d->statsdb : NULL;
    m->statsdb_server = d->statsdb_server;
    m->upstream = d->upstream;
    m->snapshot = d->snapshot;
    m->reaper = d->reaper;
    m->usage = d->usage;
    m->coturn_version = turn_daemon_version;
    m->data = d;

    d->http = turn_http_create(d->base, &d->conf->metrics_listen,
                               turn_metrics_get, m, error);

    return d->http != NULL;
}


static int
turn_daemon_signals(turn_daemon_t *d)
{
    size_t  i;

    static const struct {
        int                signo;
        event_callback_fn  handler;
    } list[TURN_DAEMON_SIGNALS] = {
        { SIGTERM, turn_daemon_on_stop },
        { SIGINT, turn_daemon_on_stop },
        { SIGHUP, turn_daemon_on_reload },
    };

    for (i = 0; i < TURN_DAEMON_SIGNALS; i++) {
        d->signals[i] = evsignal_new(d->base, list[i].signo, list[i].handler,
                                     d);

        if (d->signals[i] == NULL || evsignal_add(d->signals[i], NULL) != 0) {
            return 0;
        }
    }

    return 1;
}


static void
turn_daemon_done(turn_daemon_t *d)
{
    size_t  i;

    turn_http_free(d->http);
    turn_server_free(d->statsdb_server);
    turn_server_free(d->userdb_server);

    if (d->upstream != NULL) {
        turn_upstream_destroy(d->upstream);
        d->upstream = NULL;
    }

    turn_snapshot_destroy(d->snapshot);
    turn_reaper_free(d->reaper);
    d->reaper = NULL;

    if (d->usage != NULL) {
        turn_usage_destroy(d->usage);
    }

    if (d->pump != NULL) {
        event_free(d->pump);
    }

    if (d->table != NULL) {
        turn_table_destroy(d->table);
    }

    OPENSSL_cleanse(d->redis_password, sizeof(d->redis_password));
    OPENSSL_cleanse(d->sentinel_password, sizeof(d->sentinel_password));

    turn_host_free(d->host);
    turn_policy_free(d->policy);
    turn_secret_free(d->secret);

    for (i = 0; i < TURN_DAEMON_SIGNALS; i++) {
        if (d->signals[i] != NULL) {
            event_free(d->signals[i]);
        }
    }

    if (d->base != NULL) {
        event_base_free(d->base);
    }

    turn_conf_free(d->conf);
    libevent_global_shutdown();
}


static void
turn_daemon_on_stop(evutil_socket_t signo, short what, void *data)
{
    turn_daemon_t  *d = data;

    (void) what;

    turn_log(TURN_LOG_NOTICE, "signal %d: ends", (int) signo);
    (void) event_base_loopbreak(d->base);
}


/* the table has queued something: not from within */

static void
turn_daemon_on_wake(void *data)
{
    turn_daemon_t  *d = data;

    event_active(d->pump, EV_TIMEOUT, 0);

    if (d->reaper != NULL) {
        turn_reaper_wake(d->reaper);
    }
}


static void
turn_daemon_on_pump(evutil_socket_t fd, short what, void *data)
{
    uint64_t        now, due, ms;
    turn_daemon_t  *d = data;
    struct timeval  tv;

    (void) fd;
    (void) what;

    now = turn_clock_ms();
    turn_table_tick(d->table, now);

    if (d->upstream != NULL) {
        turn_upstream_ask(d->upstream);
    }

    turn_daemon_watch_statsdb(d);

    due = turn_table_due(d->table);

    if (d->usage != NULL) {
        turn_usage_tick(d->usage, now);

        if (turn_usage_due(d->usage) < due) {
            due = turn_usage_due(d->usage);
        }
    }

    /* the clock may be set: look again after a second at the latest */

    ms = due <= now ? 1 : due - now;

    if (ms > TURN_DAEMON_TICK) {
        ms = TURN_DAEMON_TICK;
    }

    tv.tv_sec = (time_t) (ms / 1000);
    tv.tv_usec = (suseconds_t) (ms % 1000 * 1000);

    (void) event_add(d->pump, &tv);
}


/*
 * Without its statsdb coturn has to be asked; and what it told before there
 * was a connection nobody heard.
 */

static void
turn_daemon_watch_statsdb(turn_daemon_t *d)
{
    const turn_server_stats_t  *s;

    if (d->reaper == NULL || d->statsdb_server == NULL) {
        return;
    }

    s = turn_server_stats(d->statsdb_server);

    if (s->authorized != d->told) {
        d->told = s->authorized;
        turn_reaper_list(d->reaper);
    }

    turn_reaper_pace(d->reaper, s->connections ? TURN_DAEMON_LIST_TOLD
                                               : TURN_DAEMON_LIST_ALONE);
}


static int
turn_daemon_on_usage(void *data, rs_str_t tenant, rs_str_t ses,
    const turn_usage_item_t *items, size_t n, turn_usage_pt callback,
    void *cb_data)
{
    turn_daemon_t  *d = data;

    if (d->upstream == NULL) {
        return -1;
    }

    return turn_upstream_usage(d->upstream, tenant, ses, items, n, callback,
                               cb_data);
}


static void
turn_daemon_on_seen(void *data, const turn_reaper_seen_t *seen)
{
    uint64_t             now;
    turn_daemon_t       *d = data;
    turn_usage_count_t   count;

    if (d->usage == NULL) {
        return;
    }

    now = turn_clock_ms();
    count.rcvp = seen->rcvp;
    count.rcvb = seen->rcvb;
    count.sentp = seen->sentp;
    count.sentb = seen->sentb;

    turn_usage_open(d->usage, seen->id, seen->user, seen->started_at, now);
    turn_usage_seen(d->usage, seen->id, &count, now);
}


static void
turn_daemon_on_gone(void *data, uint64_t id)
{
    turn_daemon_t  *d = data;

    if (d->usage != NULL) {
        turn_usage_close(d->usage, id, turn_clock_ms());
    }
}


static void
turn_daemon_on_listed(void *data)
{
    turn_daemon_t  *d = data;

    if (d->usage != NULL) {
        turn_usage_listed(d->usage, turn_clock_ms());
    }
}


static int
turn_daemon_on_denies(void *data, rs_str_t peer)
{
    turn_daemon_t  *d = data;

    return turn_policy_denies(d->policy, peer);
}


static void
turn_daemon_on_version(void *data, unsigned version)
{
    turn_daemon_t  *d = data;

    if (version != d->version) {
        turn_log(TURN_LOG_NOTICE, "coturn is %u.%u.%u", version / 10000,
                 version / 100 % 100, version % 100);
    }

    d->version = version;
}


/* existing channels are looked at by nobody else */

static void
turn_daemon_on_policy(void *data)
{
    turn_daemon_t  *d = data;

    turn_reaper_recheck(d->reaper);
}


/*
 * Of the coturn that runs now; 0: not known.  What the CLI has said holds
 * while that connection lasts, for the next coturn may be an older one.
 */

static unsigned
turn_daemon_version(void *data)
{
    turn_daemon_t       *d = data;
    turn_reaper_stat_t   stat;

    if (d->conf->coturn_version != 0) {
        return d->conf->coturn_version;
    }

    if (d->reaper == NULL) {
        return 0;
    }

    turn_reaper_stat(d->reaper, &stat);

    return stat.ready ? d->version : 0;
}


static void
turn_daemon_on_state(void *data, int in_sync)
{
    turn_daemon_t  *d = data;

    if (in_sync) {
        turn_usage_resume(d->usage, turn_clock_ms());
    }
}


/*
 * The file is read again: secrets and keys, the peer policy, quotas and times.
 * All of it or, when something in it is wrong, nothing.
 */

static void
turn_daemon_on_reload(evutil_socket_t signo, short what, void *data)
{
    char            error[TURN_CONF_ERROR_MAX];
    turn_conf_t    *conf;
    turn_daemon_t  *d = data;
    turn_secret_t  *secret;

    (void) signo;
    (void) what;

    secret = NULL;
    conf = turn_conf_read(d->conf->path, error);

    if (conf == NULL
        || !turn_daemon_same(d->conf, conf, error)
        || (secret = turn_secret_create(conf, error)) == NULL
        || turn_policy_update(d->policy, conf, error) == TURN_POLICY_FAILED)
    {
        turn_log(TURN_LOG_ERR, "not reloaded, everything stays: %s", error);
        turn_secret_free(secret);

    } else {
        turn_secret_free(d->secret);
        d->secret = secret;
        d->userdb.secret = secret;
        turn_daemon_take(d, conf);

        turn_log(TURN_LOG_NOTICE, "reloaded");
    }

    turn_conf_free(conf);
}


/* 1: of what cannot change while the daemon runs, nothing has */

static int
turn_daemon_same(const turn_conf_t *old, const turn_conf_t *conf,
    char *error)
{
    size_t  i;

    const struct {
        const char  *name;
        const char  *was;
        const char  *is;
    } list[] = {
        { "name", old->name, conf->name },
        { "realm", old->realm, conf->realm },
        { "mode", old->mode ? "strict" : "compat",
          conf->mode ? "strict" : "compat" },
        { "userdb_listen", old->userdb_listen.text,
          conf->userdb_listen.text },
        { "statsdb_listen", old->statsdb_listen.text,
          conf->statsdb_listen.text },
        { "metrics_listen", old->metrics_listen.text,
          conf->metrics_listen.text },
        { "cli", old->cli.text, conf->cli.text },
        { "redis", old->redis ? old->redis : "off",
          conf->redis ? conf->redis : "off" },
    };

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        if (strcmp(list[i].was, list[i].is) != 0) {
            (void) snprintf(error, TURN_CONF_ERROR_MAX, "%s: %s was \"%.64s\" "
                            "and is \"%.64s\": that needs a restart",
                            conf->path, list[i].name, list[i].was,
                            list[i].is);
            return 0;
        }
    }

    return 1;
}


/* numbers; everything that is pointed to stays that of the start */

static void
turn_daemon_take(turn_daemon_t *d, const turn_conf_t *conf)
{
    turn_conf_t        *c = d->conf;
    turn_table_conf_t   tc;

    c->quota = conf->quota;
    c->host_quota = conf->host_quota;
    c->total_quota = conf->total_quota;
    c->max_bps = conf->max_bps;
    c->credential_ttl = conf->credential_ttl;
    c->skew = conf->skew;
    c->stale_limit = conf->stale_limit;
    c->coturn_version = conf->coturn_version;
    c->log_level = conf->log_level;

    turn_daemon_table_conf(c, &tc);
    turn_table_reconf(d->table, &tc);
    turn_log_level(c->log_level);
}


/* strict puts user names into the format of the request */

static int
turn_daemon_unguarded_userdb(void *data)
{
    turn_daemon_t  *d = data;

    return d->conf->mode != TURN_MODE_STRICT
           || turn_daemon_safe(d, "mode = strict", "take mode = compat");
}


static int
turn_daemon_unguarded_statsdb(void *data)
{
    return turn_daemon_safe(data, "redis-statsdb",
                            "remove redis-statsdb from turnserver.conf");
}


static int
turn_daemon_safe(turn_daemon_t *d, const char *what, const char *instead)
{
    unsigned  v;

    v = turn_daemon_version(d);

    if (v >= TURN_VERSION_SAFE) {
        return 1;
    }

    if (v == 0) {
        turn_log_limited(&d->limit_guard, TURN_LOG_WARN,
                         "refused coturn as long as its version is not "
                         "known: the CLI does not answer, or name it: "
                         "coturn_version");
        return 0;
    }

    turn_log_limited(&d->limit_guard, TURN_LOG_ERR,
                     "refused coturn %u.%u.%u without the guard: %s on "
                     "coturn before 4.13 lets anybody crash it by a user "
                     "name: preload rs-turn-guard.so into turnserver, upgrade "
                     "coturn, or %s", v / 10000, v / 100 % 100, v % 100, what,
                     instead);

    return 0;
}
