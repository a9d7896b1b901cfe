
/*
 * Copyright (C) rs-gateway contributors
 *
 * The parts, tied together.
 */


#include "turn_daemon.h"

#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "turn_follow.h"
#include "turn_host.h"
#include "turn_log.h"
#include "turn_metrics.h"
#include "turn_notify.h"


#define TURN_DAEMON_SIGNALS          3


typedef struct {
    struct event_base  *base;
    struct event       *signals[TURN_DAEMON_SIGNALS];
    struct event       *watchdog;     /* NULL: systemd does not watch */
    turn_conf_t        *conf;
    turn_secret_t      *secret;
    turn_policy_t      *policy;
    turn_follow_t      *follow;
    turn_server_t      *userdb_server;
    turn_server_t      *statsdb_server;
    turn_userdb_t       userdb;
    turn_statsdb_t      statsdb;
    turn_http_t        *http;         /* NULL: metrics_listen = off */
    turn_metrics_t      metrics;
    turn_host_t        *host;         /* being looked at; or NULL */
    turn_log_limit_t    limit_guard;
    unsigned            reloads;      /* asked for */
} turn_daemon_t;


static int turn_daemon_init(turn_daemon_t *d, char *error);
static int turn_daemon_listen(turn_daemon_t *d, char *error);
static int turn_daemon_metrics(turn_daemon_t *d, char *error);
static int turn_daemon_signals(turn_daemon_t *d);
static int turn_daemon_watchdog(turn_daemon_t *d);
static void turn_daemon_on_watchdog(evutil_socket_t fd, short what,
    void *data);
static void turn_daemon_done(turn_daemon_t *d);
static void turn_daemon_on_stop(evutil_socket_t signo, short what,
    void *data);
static void turn_daemon_on_reload(evutil_socket_t signo, short what,
    void *data);
static void turn_daemon_tell(turn_daemon_t *d, const char *error);
static int turn_daemon_same(const turn_conf_t *old, const turn_conf_t *conf,
    char *error);
static const char *turn_daemon_text(const char *s);
static const char *turn_daemon_changed(const turn_conf_t *old,
    const turn_conf_t *conf);
static void turn_daemon_take(turn_daemon_t *d, const turn_conf_t *conf);
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

    if (d->base == NULL || !turn_daemon_signals(d)
        || !turn_daemon_watchdog(d))
    {
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

    d->follow = turn_follow_create(d->base, d->conf, d->policy, error);

    if (d->follow == NULL) {
        return 0;
    }

    d->userdb.policy = d->policy;
    d->userdb.table = turn_follow_parts(d->follow)->table;
    d->userdb.conf = d->conf;
    d->userdb.secret = d->secret;

    /* coturn first: the policy is served whatever upstream does */

    if (!turn_daemon_listen(d, error)
        || !turn_follow_start(d->follow, d->statsdb_server, error))
    {
        return 0;
    }

    d->statsdb.conf = d->conf;
    d->statsdb.parts = turn_follow_parts(d->follow);

    return turn_daemon_metrics(d, error);
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
    h.tells = 0;
    h.data = &d->userdb;
    h.guard = d;

    d->userdb_server = turn_server_create(d->base, &d->conf->userdb_listen,
                                          password, d->conf->max_connections,
                                          &h, error);

    if (d->userdb_server != NULL && d->conf->statsdb_listen.len) {
        h.what = "statsdb";
        h.command = turn_statsdb_command;
        h.unguarded = turn_daemon_unguarded_statsdb;
        h.tells = 1;
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
    m->parts = turn_follow_parts(d->follow);
    m->userdb = &d->userdb;
    m->userdb_server = d->userdb_server;
    m->statsdb = d->statsdb_server != NULL ? &d->statsdb : NULL;
    m->statsdb_server = d->statsdb_server;
    m->follow = d->follow;

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


/* a daemon that hangs would hang coturn: better one that begins again */

static int
turn_daemon_watchdog(turn_daemon_t *d)
{
    unsigned        ms;
    struct timeval  tv;

    ms = turn_notify_watchdog();

    if (ms == 0) {
        return 1;
    }

    tv.tv_sec = (time_t) (ms / 1000);
    tv.tv_usec = (suseconds_t) (ms % 1000 * 1000);

    d->watchdog = event_new(d->base, -1, EV_PERSIST, turn_daemon_on_watchdog,
                            NULL);

    return d->watchdog != NULL && event_add(d->watchdog, &tv) == 0;
}


static void
turn_daemon_on_watchdog(evutil_socket_t fd, short what, void *data)
{
    (void) fd;
    (void) what;
    (void) data;

    turn_notify("WATCHDOG=1");
}


static void
turn_daemon_done(turn_daemon_t *d)
{
    size_t  i;

    turn_http_free(d->http);
    turn_server_free(d->statsdb_server);
    turn_server_free(d->userdb_server);

    turn_follow_free(d->follow);
    turn_host_free(d->host);
    turn_policy_free(d->policy);
    turn_secret_free(d->secret);

    for (i = 0; i < TURN_DAEMON_SIGNALS; i++) {
        if (d->signals[i] != NULL) {
            event_free(d->signals[i]);
        }
    }

    if (d->watchdog != NULL) {
        event_free(d->watchdog);
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
        turn_daemon_tell(d, error);

    } else {
        turn_secret_free(d->secret);
        d->secret = secret;
        d->userdb.secret = secret;
        turn_daemon_take(d, conf);

        turn_log(TURN_LOG_NOTICE, "reloaded");
        turn_daemon_tell(d, NULL);
    }

    turn_conf_free(conf);
}


/*
 * What systemctl status shows.  Each text differs from the one before, so that
 * whoever asked for a reload knows whether it was done, and when not, why.
 */

static void
turn_daemon_tell(turn_daemon_t *d, const char *error)
{
    char  state[TURN_CONF_ERROR_MAX + 64];

    d->reloads++;
    (void) snprintf(state, sizeof(state), "STATUS=reload %u: %s%s",
                    d->reloads, error != NULL ? "failed: " : "done",
                    error != NULL ? error : "");
    turn_notify(state);
}


/* 1: of what cannot change while the daemon runs, nothing has */

static int
turn_daemon_same(const turn_conf_t *old, const turn_conf_t *conf,
    char *error)
{
    size_t       i;
    const char  *key;

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
        { "redis", old->redis, conf->redis },
        { "redis_user", old->redis_user, conf->redis_user },
        { "redis_password_file", old->redis_password_file,
          conf->redis_password_file },
        { "redis_ca_file", old->redis_ca_file, conf->redis_ca_file },
        { "redis_server_name", old->redis_server_name,
          conf->redis_server_name },
        { "redis_certificate", old->redis_certificate,
          conf->redis_certificate },
        { "redis_certificate_key", old->redis_certificate_key,
          conf->redis_certificate_key },
        { "sentinel_user", old->sentinel_user, conf->sentinel_user },
        { "sentinel_password_file", old->sentinel_password_file,
          conf->sentinel_password_file },
        { "password_file", old->password_file, conf->password_file },
        { "cli_password_file", old->cli_password_file,
          conf->cli_password_file },
        { "resolver", old->resolver, conf->resolver },
        { "state_dir", old->state_dir, conf->state_dir },
    };

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        if (strcmp(turn_daemon_text(list[i].was),
                   turn_daemon_text(list[i].is)) != 0)
        {
            (void) snprintf(error, TURN_CONF_ERROR_MAX, "%s: %s was \"%.64s\" "
                            "and is \"%.64s\": that needs a restart",
                            conf->path, list[i].name,
                            turn_daemon_text(list[i].was),
                            turn_daemon_text(list[i].is));
            return 0;
        }
    }

    key = turn_daemon_changed(old, conf);

    if (key != NULL) {
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "%s: %s has changed: that "
                        "needs a restart", conf->path, key);
    }

    return key == NULL;
}


static const char *
turn_daemon_text(const char *s)
{
    return s != NULL ? s : "off";
}


/* as above, of keys that are no text; NULL: none */

static const char *
turn_daemon_changed(const turn_conf_t *old, const turn_conf_t *conf)
{
    size_t  i;

    if (old->resync != conf->resync) {
        return "resync";
    }

    if (old->max_connections != conf->max_connections) {
        return "max_connections";
    }

    if (old->tenants.n != conf->tenants.n) {
        return "tenants";
    }

    for (i = 0; i < old->tenants.n; i++) {
        if (strcmp(old->tenants.item[i], conf->tenants.item[i]) != 0) {
            return "tenants";
        }
    }

    return NULL;
}


/* numbers; everything that is pointed to stays that of the start */

static void
turn_daemon_take(turn_daemon_t *d, const turn_conf_t *conf)
{
    turn_conf_t  *c = d->conf;

    c->quota = conf->quota;
    c->host_quota = conf->host_quota;
    c->total_quota = conf->total_quota;
    c->max_bps = conf->max_bps;
    c->credential_ttl = conf->credential_ttl;
    c->skew = conf->skew;
    c->stale_limit = conf->stale_limit;
    c->coturn_version = conf->coturn_version;
    c->log_level = conf->log_level;

    turn_follow_reconf(d->follow);
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

    v = turn_follow_coturn(d->follow);

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
