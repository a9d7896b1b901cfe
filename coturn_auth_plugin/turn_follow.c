
/*
 * Copyright (C) rs-gateway contributors
 *
 * The table and its sources, tied together.
 */


#include "turn_follow.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "turn_clock.h"
#include "turn_log.h"


/* ms */
#define TURN_FOLLOW_TICK             1000

/* coturn's allocations are listed each so often, ms; the first while it does
 * not tell of them */
#define TURN_FOLLOW_LIST_ALONE       1000
#define TURN_FOLLOW_LIST_TOLD        60000

/* towards Redis, ms */
#define TURN_FOLLOW_TIMEOUT          1500
#define TURN_FOLLOW_CONNECT_TIMEOUT  3000


struct turn_follow_s {
    struct event_base      *base;
    const turn_conf_t      *conf;
    turn_policy_t          *policy;
    const turn_server_t    *statsdb;  /* or NULL */
    struct event           *pump;     /* what the table has queued, or is due */
    turn_follow_parts_t     p;
    unsigned                version;  /* of coturn, by its CLI */
    uint64_t                told;     /* connections of statsdb, ever */
    char                    redis_password[TURN_CONF_SECRET_MAX + 1];
    char                    sentinel_password[TURN_CONF_SECRET_MAX + 1];
};


static int turn_follow_table(turn_follow_t *f, char *error);
static void turn_follow_table_conf(const turn_conf_t *conf,
    turn_table_conf_t *tc);
static int turn_follow_snapshot(turn_follow_t *f, char *error);
static int turn_follow_usage(turn_follow_t *f, char *error);
static int turn_follow_reaper(turn_follow_t *f, char *error);
static int turn_follow_upstream(turn_follow_t *f, char *error);
static int turn_follow_secrets(turn_follow_t *f, char *error);
static int turn_follow_secret(const char *path, char *dst, char *error);
static void turn_follow_upstream_conf(turn_follow_t *f,
    turn_upstream_conf_t *uc);
static void turn_follow_on_wake(void *data);
static void turn_follow_on_pump(evutil_socket_t fd, short what, void *data);
static void turn_follow_watch_statsdb(turn_follow_t *f);
static void turn_follow_on_state(void *data, int in_sync);
static int turn_follow_on_usage(void *data, rs_str_t tenant, rs_str_t ses,
    const turn_usage_item_t *items, size_t n, turn_usage_pt callback,
    void *cb_data);
static int turn_follow_on_denies(void *data, rs_str_t peer);
static void turn_follow_on_seen(void *data, const turn_reaper_seen_t *seen);
static void turn_follow_on_gone(void *data, uint64_t id);
static void turn_follow_on_listed(void *data);
static void turn_follow_on_version(void *data, unsigned version);
static void turn_follow_on_policy(void *data);


turn_follow_t *
turn_follow_create(struct event_base *base, const turn_conf_t *conf,
    turn_policy_t *policy, char *error)
{
    turn_follow_t  *f;

    f = calloc(1, sizeof(turn_follow_t));

    if (f == NULL) {
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "out of memory");
        return NULL;
    }

    f->base = base;
    f->conf = conf;
    f->policy = policy;

    if (!turn_follow_table(f, error) || !turn_follow_snapshot(f, error)) {
        turn_follow_free(f);
        return NULL;
    }

    return f;
}


int
turn_follow_start(turn_follow_t *f, const turn_server_t *statsdb,
    char *error)
{
    f->statsdb = statsdb;

    if (!turn_follow_usage(f, error)
        || !turn_follow_reaper(f, error)
        || !turn_follow_upstream(f, error))
    {
        return 0;
    }

    turn_follow_on_wake(f);

    return 1;
}


void
turn_follow_free(turn_follow_t *f)
{
    if (f == NULL) {
        return;
    }

    /* what upstream owes to usage it gives back here */

    if (f->p.upstream != NULL) {
        turn_upstream_destroy(f->p.upstream);
        f->p.upstream = NULL;
    }

    turn_snapshot_destroy(f->p.snapshot);
    turn_reaper_free(f->p.reaper);
    f->p.reaper = NULL;

    if (f->p.usage != NULL) {
        turn_usage_destroy(f->p.usage);
    }

    if (f->pump != NULL) {
        event_free(f->pump);
    }

    if (f->p.table != NULL) {
        turn_table_destroy(f->p.table);
    }

    OPENSSL_cleanse(f, sizeof(turn_follow_t));
    free(f);
}


const turn_follow_parts_t *
turn_follow_parts(const turn_follow_t *f)
{
    return &f->p;
}


void
turn_follow_reconf(turn_follow_t *f)
{
    char                  error[TURN_CONF_ERROR_MAX];
    turn_table_conf_t     tc;
    turn_upstream_conf_t  uc;

    turn_follow_table_conf(f->conf, &tc);
    turn_table_reconf(f->p.table, &tc);

    if (f->p.upstream == NULL) {
        return;
    }

    turn_follow_upstream_conf(f, &uc);

    if (turn_upstream_reload(f->p.upstream, &uc, error, sizeof(error)) < 0
        || !turn_follow_secrets(f, error))
    {
        turn_log(TURN_LOG_ERR, "redis: not reloaded: %s", error);
    }
}


unsigned
turn_follow_coturn(const turn_follow_t *f)
{
    turn_reaper_stat_t  stat;

    if (f->conf->coturn_version != 0) {
        return f->conf->coturn_version;
    }

    if (f->p.reaper == NULL) {
        return 0;
    }

    turn_reaper_stat(f->p.reaper, &stat);

    return stat.ready ? f->version : 0;
}


static int
turn_follow_table(turn_follow_t *f, char *error)
{
    size_t             i;
    rs_str_t           tenants[TURN_CONF_LIST_MAX];
    turn_table_conf_t  tc;

    turn_follow_table_conf(f->conf, &tc);

    for (i = 0; i < f->conf->tenants.n; i++) {
        tenants[i] = rs_str(f->conf->tenants.item[i]);
    }

    tc.tenants = tenants;
    tc.ntenants = f->conf->tenants.n;
    tc.alone = f->conf->redis == NULL;
    tc.wake = turn_follow_on_wake;
    tc.data = f;

    f->pump = event_new(f->base, -1, 0, turn_follow_on_pump, f);

    if (f->pump == NULL
        || RAND_bytes((unsigned char *) &tc.seed, sizeof(tc.seed)) != 1
        || (f->p.table = turn_table_create(&tc)) == NULL)
    {
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "out of memory");
        return 0;
    }

    return 1;
}


/* what may change while the daemon runs */

static void
turn_follow_table_conf(const turn_conf_t *conf, turn_table_conf_t *tc)
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
turn_follow_snapshot(turn_follow_t *f, char *error)
{
    const turn_conf_t  *conf = f->conf;

    if (conf->redis == NULL || conf->state_dir == NULL) {
        return 1;
    }

    f->p.snapshot = turn_snapshot_create(f->base, conf->state_dir,
                                         f->p.table, error,
                                         TURN_CONF_ERROR_MAX);

    return f->p.snapshot != NULL;
}


static int
turn_follow_usage(turn_follow_t *f, char *error)
{
    turn_usage_conf_t  uc;

    if (f->conf->redis == NULL) {
        return 1;
    }

    memset(&uc, 0, sizeof(uc));
    uc.relay = f->conf->name;
    uc.state_dir = f->conf->state_dir;
    uc.send = turn_follow_on_usage;
    uc.wake = turn_follow_on_wake;
    uc.data = f;

    f->p.usage = turn_usage_create(&uc, error, turn_clock_ms());

    return f->p.usage != NULL;
}


static int
turn_follow_reaper(turn_follow_t *f, char *error)
{
    turn_reaper_conf_t  rc;

    if (f->conf->cli.len == 0) {
        turn_log(TURN_LOG_WARN, "cli = off: no allocation can be ended");
        return 1;
    }

    memset(&rc, 0, sizeof(rc));
    rc.base = f->base;
    rc.table = f->p.table;
    rc.cli = &f->conf->cli;
    rc.password_file = f->conf->cli_password_file;
    rc.list_ms = TURN_FOLLOW_LIST_ALONE;
    rc.denies = turn_follow_on_denies;
    rc.seen = turn_follow_on_seen;
    rc.gone = turn_follow_on_gone;
    rc.listed = turn_follow_on_listed;
    rc.version = turn_follow_on_version;
    rc.data = f;

    f->p.reaper = turn_reaper_create(&rc, error);

    if (f->p.reaper != NULL) {
        turn_policy_on_change(f->policy, turn_follow_on_policy, f);
    }

    return f->p.reaper != NULL;
}


static int
turn_follow_upstream(turn_follow_t *f, char *error)
{
    turn_upstream_conf_t  uc;

    if (f->conf->redis == NULL) {
        turn_log(TURN_LOG_WARN, "redis = off: no session is followed, and "
                 "nothing is revoked");
        return 1;
    }

    if (!turn_follow_secrets(f, error)) {
        return 0;
    }

    turn_follow_upstream_conf(f, &uc);

    f->p.upstream = turn_upstream_create(f->base, &uc, f->p.table,
                                         turn_follow_on_state, f, error,
                                         TURN_CONF_ERROR_MAX);

    return f->p.upstream != NULL;
}


/* both or none; the upstream looks at them where they are */

static int
turn_follow_secrets(turn_follow_t *f, char *error)
{
    int   good;
    char  redis[TURN_CONF_SECRET_MAX + 1];
    char  sentinel[TURN_CONF_SECRET_MAX + 1];

    good = turn_follow_secret(f->conf->redis_password_file, redis, error)
           && turn_follow_secret(f->conf->sentinel_password_file, sentinel,
                                 error);

    if (good) {
        memcpy(f->redis_password, redis, sizeof(redis));
        memcpy(f->sentinel_password, sentinel, sizeof(sentinel));
    }

    OPENSSL_cleanse(redis, sizeof(redis));
    OPENSSL_cleanse(sentinel, sizeof(sentinel));

    return good;
}


static int
turn_follow_secret(const char *path, char *dst, char *error)
{
    size_t  len;

    memset(dst, 0, TURN_CONF_SECRET_MAX + 1);

    return path == NULL || turn_conf_secret(path, dst, &len, error);
}


static void
turn_follow_upstream_conf(turn_follow_t *f, turn_upstream_conf_t *uc)
{
    const turn_conf_t  *conf = f->conf;

    memset(uc, 0, sizeof(*uc));

    uc->redis = conf->redis;
    uc->user = conf->redis_user;
    uc->password = f->redis_password;
    uc->sentinel_user = conf->sentinel_user;
    uc->sentinel_password = f->sentinel_password;
    uc->ca_file = conf->redis_ca_file;
    uc->server_name = conf->redis_server_name;
    uc->certificate = conf->redis_certificate;
    uc->certificate_key = conf->redis_certificate_key;
    uc->resolver = conf->resolver;
    uc->timeout = TURN_FOLLOW_TIMEOUT;
    uc->connect_timeout = TURN_FOLLOW_CONNECT_TIMEOUT;
    uc->resync = conf->resync;
}


/* the table has queued something: not from within */

static void
turn_follow_on_wake(void *data)
{
    turn_follow_t  *f = data;

    event_active(f->pump, EV_TIMEOUT, 0);

    if (f->p.reaper != NULL) {
        turn_reaper_wake(f->p.reaper);
    }
}


static void
turn_follow_on_pump(evutil_socket_t fd, short what, void *data)
{
    uint64_t        now, due, ms;
    turn_follow_t  *f = data;
    struct timeval  tv;

    (void) fd;
    (void) what;

    now = turn_clock_ms();
    turn_table_tick(f->p.table, now);

    if (f->p.upstream != NULL) {
        turn_upstream_ask(f->p.upstream);
    }

    turn_follow_watch_statsdb(f);

    due = turn_table_due(f->p.table);

    if (f->p.usage != NULL) {
        turn_usage_tick(f->p.usage, now);

        if (turn_usage_due(f->p.usage) < due) {
            due = turn_usage_due(f->p.usage);
        }
    }

    /* the clock may be set: look again after a second at the latest */

    ms = due <= now ? 1 : due - now;

    if (ms > TURN_FOLLOW_TICK) {
        ms = TURN_FOLLOW_TICK;
    }

    tv.tv_sec = (time_t) (ms / 1000);
    tv.tv_usec = (suseconds_t) (ms % 1000 * 1000);

    (void) event_add(f->pump, &tv);
}


/*
 * Without its statsdb coturn has to be asked; and what it told before there
 * was a connection nobody heard.
 */

static void
turn_follow_watch_statsdb(turn_follow_t *f)
{
    const turn_server_stats_t  *s;

    if (f->p.reaper == NULL || f->statsdb == NULL) {
        return;
    }

    s = turn_server_stats(f->statsdb);

    if (s->authorized != f->told) {
        f->told = s->authorized;
        turn_reaper_list(f->p.reaper);
    }

    turn_reaper_pace(f->p.reaper, s->serving ? TURN_FOLLOW_LIST_TOLD
                                           : TURN_FOLLOW_LIST_ALONE);
}


static void
turn_follow_on_state(void *data, int in_sync)
{
    turn_follow_t  *f = data;

    if (in_sync) {
        turn_usage_resume(f->p.usage, turn_clock_ms());
    }
}


static int
turn_follow_on_usage(void *data, rs_str_t tenant, rs_str_t ses,
    const turn_usage_item_t *items, size_t n, turn_usage_pt callback,
    void *cb_data)
{
    turn_follow_t  *f = data;

    if (f->p.upstream == NULL) {
        return -1;
    }

    return turn_upstream_usage(f->p.upstream, tenant, ses, items, n, callback,
                               cb_data);
}


static void
turn_follow_on_seen(void *data, const turn_reaper_seen_t *seen)
{
    uint64_t             now;
    turn_follow_t       *f = data;
    turn_usage_count_t   count;

    if (f->p.usage == NULL) {
        return;
    }

    now = turn_clock_ms();
    count.rcvp = seen->rcvp;
    count.rcvb = seen->rcvb;
    count.sentp = seen->sentp;
    count.sentb = seen->sentb;

    turn_usage_open(f->p.usage, seen->id, seen->user, seen->started_at, now);
    turn_usage_seen(f->p.usage, seen->id, &count, now);
}


static void
turn_follow_on_gone(void *data, uint64_t id)
{
    turn_follow_t  *f = data;

    if (f->p.usage != NULL) {
        turn_usage_close(f->p.usage, id, turn_clock_ms());
    }
}


static void
turn_follow_on_listed(void *data)
{
    turn_follow_t  *f = data;

    if (f->p.usage != NULL) {
        turn_usage_listed(f->p.usage, turn_clock_ms());
    }
}


static int
turn_follow_on_denies(void *data, rs_str_t peer)
{
    turn_follow_t  *f = data;

    return turn_policy_denies(f->policy, peer);
}


static void
turn_follow_on_version(void *data, unsigned version)
{
    turn_follow_t  *f = data;

    if (version != f->version) {
        turn_log(TURN_LOG_NOTICE, "coturn is %u.%u.%u", version / 10000,
                 version / 100 % 100, version % 100);
    }

    f->version = version;
}


/* existing channels are looked at by nobody else */

static void
turn_follow_on_policy(void *data)
{
    turn_follow_t  *f = data;

    turn_reaper_recheck(f->p.reaper);
}
