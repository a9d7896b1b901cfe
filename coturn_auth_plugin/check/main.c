
/*
 * Copyright (C) rs-gateway contributors
 *
 * rs-turn-check: do the TURN servers relay, refuse what they must, and how
 * fast?  See rs-turn-check(1).
 */


#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tc_report.h"


#define TC_SIGNALS  2


static int main_begin(tc_env_t *env, tc_options_t *o, tc_error_t *e);
static int main_signals(tc_env_t *env, struct event **events);
static void main_on_signal(evutil_socket_t number, short what, void *data);
static void main_run(tc_env_t *env, tc_options_t *o, tc_report_t *r);
static void main_check(tc_env_t *env, tc_options_t *o, tc_report_t *r);
static void main_denied(tc_env_t *env, tc_options_t *o, tc_report_t *r);
static tc_server_t *main_peer(tc_options_t *o, tc_server_t *s);


int
main(int argc, char **argv)
{
    int            status;
    unsigned       i;
    tc_env_t       env;
    tc_report_t    report;
    tc_options_t   o;
    struct event  *signals[TC_SIGNALS];

    memset(&env, 0, sizeof(tc_env_t));
    memset(&report, 0, sizeof(tc_report_t));
    memset(signals, 0, sizeof(signals));
    (void) setlocale(LC_ALL, "C");

    if (!tc_options_parse(&o, argc, argv, &status)) {
        tc_options_free(&o);
        return status;
    }

    report.level = TC_LEVEL_UNKNOWN;

    if (main_begin(&env, &o, &report.error)) {
        if (main_signals(&env, signals)) {
            main_run(&env, &o, &report);

        } else {
            tc_error_text(&report.error, "usage", "no memory");
        }
    }

    if (!(o.json ? tc_report_json(&report) : tc_report_text(&report))) {
        report.level = TC_LEVEL_UNKNOWN;
    }

    for (i = 0; i < report.nresults; i++) {
        tc_result_free(&report.results[i]);
    }

    if (report.load != NULL) {
        tc_load_result_free(report.load);
    }

    free(report.load);
    free(report.results);
    free(report.denied);

    for (i = 0; i < TC_SIGNALS; i++) {
        if (signals[i] != NULL) {
            event_free(signals[i]);
        }
    }

    if (env.base != NULL) {
        event_base_free(env.base);
    }

    SSL_CTX_free(env.tls);
    tc_options_free(&o);

    return (int) report.level;
}


static int
main_begin(tc_env_t *env, tc_options_t *o, tc_error_t *e)
{
    struct sigaction  sa;

    memset(&sa, 0, sizeof(sa));
    sa.sa_handler = SIG_IGN;
    (void) sigaction(SIGPIPE, &sa, NULL);

    if (!tc_options_load(o, e)) {
        return 0;
    }

    if (!tc_srtp_init()) {
        tc_error_text(e, "usage", "libsrtp cannot be initialised");
        return 0;
    }

    env->tls = tc_io_tls(o->ca, e);

    if (env->tls == NULL) {
        return 0;
    }

    env->base = event_base_new();

    if (env->base == NULL) {
        tc_error_text(e, "usage", "no event loop");
        return 0;
    }

    env->insecure = o->insecure;
    env->tls_name = o->tls_name;
    env->realm = o->realm;
    env->timeout_ms = o->timeout_ms;
    env->progress = o->progress == -1 ? isatty(STDERR_FILENO) : o->progress;

    if (o->relay_family) {
        env->relay_family = o->relay_family == 4 ? RS_STUN_FAMILY_IPV4
                                                 : RS_STUN_FAMILY_IPV6;
    }

    return 1;
}


static int
main_signals(tc_env_t *env, struct event **events)
{
    unsigned  i;

    static const int  numbers[TC_SIGNALS] = { SIGINT, SIGTERM };

    for (i = 0; i < TC_SIGNALS; i++) {
        events[i] = evsignal_new(env->base, numbers[i], main_on_signal, env);

        if (events[i] == NULL || event_add(events[i], NULL) != 0) {
            return 0;
        }
    }

    return 1;
}


/* the first one ends what is under way, and allocations are given back */

static void
main_on_signal(evutil_socket_t number, short what, void *data)
{
    tc_env_t  *env;

    (void) number;
    (void) what;
    env = data;

    if (env->stopped++) {
        exit(TC_LEVEL_UNKNOWN);
    }

    if (env->stop != NULL) {
        env->stop(env->stop_ctx);
    }
}


static void
main_run(tc_env_t *env, tc_options_t *o, tc_report_t *r)
{
    r->level = TC_LEVEL_OK;

    if (o->load) {
        r->load = calloc(1, sizeof(tc_load_result_t));

        if (r->load != NULL) {
            tc_load_run(env, o, r->load);
            r->level = r->load->level;
            return;
        }
    }

    r->results = calloc(o->here.n, sizeof(tc_result_t));
    r->denied = calloc(o->here.n, sizeof(tc_denied_t));

    if (r->results == NULL || r->denied == NULL || o->load) {
        r->level = TC_LEVEL_UNKNOWN;
        tc_error_text(&r->error, "usage", "no memory");
        return;
    }

    main_check(env, o, r);

    if (o->denied) {
        main_denied(env, o, r);
    }
}


static void
main_check(tc_env_t *env, tc_options_t *o, tc_report_t *r)
{
    unsigned      i;
    tc_server_t  *s;
    tc_result_t  *result;

    for (i = 0; i < o->here.n && !env->stopped; i++) {
        s = &o->here.server[i];
        result = &r->results[r->nresults++];

        tc_check_run(env, o, s, main_peer(o, s), result);
        r->level = tc_level_worse(r->level, result->level);
    }
}


/* the second server's entry of the same transport, or its first */

static tc_server_t *
main_peer(tc_options_t *o, tc_server_t *s)
{
    unsigned  i;

    for (i = 0; i < o->peer.n; i++) {
        if (o->peer.server[i].transport == s->transport) {
            return &o->peer.server[i];
        }
    }

    return o->peer.n ? &o->peer.server[0] : s;
}


/* the policy is the server's, not the transport's: each host once */

static void
main_denied(tc_env_t *env, tc_options_t *o, tc_report_t *r)
{
    unsigned      i, k, seen;
    tc_denied_t  *d;

    for (i = 0; i < o->here.n && !env->stopped; i++) {
        seen = 0;

        for (k = 0; k < i; k++) {
            seen |= strcmp(o->here.server[k].host, o->here.server[i].host)
                    == 0 && r->results[k].error.step == NULL;
        }

        if (seen || r->results[i].error.step != NULL) {
            continue;
        }

        d = &r->denied[r->ndenied++];
        tc_denied_run(env, o, &o->here.server[i], d);
        r->level = tc_level_worse(r->level, d->level);
    }
}
