
/*
 * Copyright (C) rs-gateway contributors
 *
 * The parts, tied together.
 */


#include "turn_daemon.h"

#include <openssl/crypto.h>
#include <signal.h>
#include <string.h>

#include "turn_log.h"
#include "turn_notify.h"
#include "turn_statsdb.h"
#include "turn_userdb.h"


#define TURN_DAEMON_SIGNALS  3


typedef struct {
    struct event_base  *base;
    struct event       *signals[TURN_DAEMON_SIGNALS];
    turn_conf_t        *conf;
    turn_secret_t      *secret;
    turn_policy_t      *policy;
    turn_server_t      *userdb_server;
    turn_server_t      *statsdb_server;
    turn_userdb_t       userdb;
    turn_statsdb_t      statsdb;
    turn_log_limit_t    limit_guard;
} turn_daemon_t;


static int turn_daemon_init(turn_daemon_t *d, char *error);
static int turn_daemon_listen(turn_daemon_t *d, char *error);
static int turn_daemon_signals(turn_daemon_t *d);
static void turn_daemon_done(turn_daemon_t *d);
static void turn_daemon_on_stop(evutil_socket_t signo, short what,
    void *data);
static void turn_daemon_on_reload(evutil_socket_t signo, short what,
    void *data);
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

    d->userdb.policy = d->policy;
    d->userdb.conf = d->conf;
    d->userdb.secret = d->secret;
    d->statsdb.conf = d->conf;

    return turn_daemon_listen(d, error);
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

    turn_server_free(d->statsdb_server);
    turn_server_free(d->userdb_server);
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


/*
 * Secrets are read again; what a file has wrong leaves everything as it was.
 */

static void
turn_daemon_on_reload(evutil_socket_t signo, short what, void *data)
{
    char            error[TURN_CONF_ERROR_MAX];
    turn_daemon_t  *d = data;

    (void) signo;
    (void) what;

    (void) turn_policy_reload(d->policy, d->conf->path);

    if (!turn_secret_reload(d->secret, d->conf, error)) {
        turn_log(TURN_LOG_ERR, "not reloaded: %s", error);
        return;
    }

    turn_log(TURN_LOG_NOTICE, "reloaded");
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

    v = d->conf->coturn_version;

    if (v >= TURN_VERSION_SAFE) {
        return 1;
    }

    turn_log_limited(&d->limit_guard, TURN_LOG_ERR,
                     "refused coturn %u.%u.%u without the guard: %s on "
                     "coturn before 4.13 lets anybody crash it by a user "
                     "name: preload rs-turn-guard.so into turnserver, upgrade "
                     "coturn (and name it: coturn_version), or %s",
                     v / 10000, v / 100 % 100, v % 100, what, instead);

    return 0;
}
