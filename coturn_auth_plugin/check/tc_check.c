
/*
 * Copyright (C) rs-gateway contributors
 *
 * One check: a pair through its phases, and what is to be thought of it.
 */


#include "tc_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>


#define TC_CHECK_DRAIN_US  1000000     /* at most, after the last packet */
#define TC_CHECK_DAY       86400


typedef struct {
    tc_env_t            *env;
    const tc_options_t  *o;
    tc_result_t         *r;
    tc_pair_t           *pair;
    struct event        *tick;
} tc_run_t;


static void tc_check_pair(tc_run_t *run);
static void tc_check_on_done(void *ctx, tc_pair_t *p);
static void tc_check_on_stop(void *ctx);
static void tc_check_on_tick(evutil_socket_t fd, short what, void *data);
static void tc_check_take(tc_run_t *run, tc_pair_t *p);
static void tc_check_judge(tc_run_t *run);
static void tc_check_judge_cert(tc_run_t *run, unsigned i);
static void tc_check_judge_relay(tc_run_t *run);
static void tc_check_note(tc_result_t *r, tc_level_e level,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));


void
tc_check_run(tc_env_t *env, const tc_options_t *o, tc_server_t *server,
    tc_server_t *peer, tc_result_t *r)
{
    tc_run_t  run;

    memset(r, 0, sizeof(tc_result_t));
    memset(&run, 0, sizeof(tc_run_t));

    r->server = server;
    r->peer = peer;
    run.env = env;
    run.o = o;
    run.r = r;

    if (tc_server_resolve(server, o->family, &r->error)
        && (peer == server || tc_server_resolve(peer, o->family, &r->error)))
    {
        tc_check_pair(&run);
    }

    tc_check_judge(&run);
}


static void
tc_check_pair(tc_run_t *run)
{
    struct timeval      second;
    const tc_cred_t    *creds[2];
    const tc_server_t  *servers[2];

    servers[0] = run->r->server;
    servers[1] = run->r->peer;
    creds[0] = &servers[0]->creds[0];
    creds[1] = &servers[1]->creds[servers[1]->ncreds > 1 ? 1 : 0];

    run->pair = tc_pair_open(run->env, servers, creds, run->o->size,
                             &run->r->rtt, tc_check_on_done, run,
                             &run->r->error);
    if (run->pair == NULL) {
        return;
    }

    run->tick = event_new(run->env->base, -1, EV_PERSIST, tc_check_on_tick,
                          run);
    second = tc_timeval(1000000);

    if (run->tick != NULL && run->env->progress) {
        (void) event_add(run->tick, &second);
    }

    run->env->stop = tc_check_on_stop;
    run->env->stop_ctx = run;

    (void) event_base_dispatch(run->env->base);

    run->env->stop = NULL;

    if (run->tick != NULL) {
        event_free(run->tick);
    }

    tc_pair_free(run->pair);
}


static void
tc_check_on_done(void *ctx, tc_pair_t *p)
{
    uint64_t   count;
    tc_run_t  *run;

    run = ctx;

    if (p->phase == TC_PAIR_OPEN || p->phase == TC_PAIR_RELAY) {
        tc_check_take(run, p);
    }

    if (p->phase == TC_PAIR_CLOSE) {

        /* what could not be given back was gone */

        run->r->error = p->error;
        run->r->failed_end = p->failed_end;
        (void) event_base_loopbreak(run->env->base);
        return;
    }

    if (p->error.step != NULL || p->phase == TC_PAIR_RELAY
        || !run->o->relay || run->env->stopped)
    {
        tc_check_take(run, p);
        tc_pair_close(p);
        return;
    }

    if (p->phase == TC_PAIR_OPEN) {
        tc_pair_bind(p, 1);
        return;
    }

    count = run->o->count;

    if (run->o->seconds > 0) {
        count = (uint64_t) (run->o->seconds * run->o->rate);
    }

    tc_pair_relay(p, count ? count : 1, run->o->rate, 0, TC_CHECK_DRAIN_US);
}


static void
tc_check_on_stop(void *ctx)
{
    tc_run_t  *run;

    run = ctx;
    tc_pair_stop(run->pair);
}


static void
tc_check_on_tick(evutil_socket_t fd, short what, void *data)
{
    tc_run_t           *run;
    const tc_counts_t  *c;

    (void) fd;
    (void) what;
    run = data;
    c = &run->pair->counts;

    fprintf(stderr, "rs-turn-check: %s: %llu packets sent, %llu back\n",
            run->r->server->uri, (unsigned long long) c->sent,
            (unsigned long long) c->back);
}


static void
tc_check_take(tc_run_t *run, tc_pair_t *p)
{
    unsigned      i;
    rs_str_t      realm;
    tc_turn_t    *turn;
    tc_result_t  *r;

    r = run->r;
    r->error = p->error;
    r->failed_end = p->failed_end;
    r->counts = p->counts;

    for (i = 0; i < 2; i++) {
        turn = p->end[i].turn;
        r->cert[i] = *tc_turn_cert(turn);
        r->connect_us[i] = tc_turn_connect_us(turn);
        r->allocate_us[i] = tc_turn_allocate_us(turn);
        r->allocated[i] = r->allocate_us[i] != 0;
        r->relayed[i] = *tc_turn_relayed(turn);
        r->mapped[i] = *tc_turn_mapped(turn);
    }

    /*
     * Both ends greet at once, and the first to fail ends both.  One server
     * has one certificate, whichever of them saw it.
     */

    if (r->peer == r->server && !r->cert[0].known) {
        r->cert[0] = r->cert[1];
    }

    realm = tc_turn_realm(p->end[0].turn);
    (void) snprintf(r->realm, sizeof(r->realm), "%.*s", (int) realm.len,
                    (const char *) realm.data);
}


/* ---- verdicts */


static void
tc_check_judge(tc_run_t *run)
{
    unsigned            i;
    double              ms;
    tc_result_t        *r;
    const tc_server_t  *s;

    r = run->r;

    if (r->error.step != NULL) {
        s = r->failed_end ? r->peer : r->server;
        r->level = TC_LEVEL_CRITICAL;
        r->hint = tc_hint(&r->error, s->creds, time(NULL));
    }

    tc_check_judge_cert(run, 0);

    if (r->peer != r->server) {
        tc_check_judge_cert(run, 1);
    }

    for (i = 0; i < 2; i++) {
        ms = (double) r->allocate_us[i] / 1000;

        if (run->o->warn_allocate_ms > 0 && ms > run->o->warn_allocate_ms) {
            tc_check_note(r, TC_LEVEL_WARNING, "the %s allocation took "
                          "%.1f ms", i ? "second" : "first", ms);
        }
    }

    if (r->counts.sent + r->counts.blocked) {
        tc_check_judge_relay(run);
    }
}


static void
tc_check_judge_cert(tc_run_t *run, unsigned i)
{
    double            days;
    tc_result_t      *r;
    const tc_cert_t  *c;

    r = run->r;
    c = &r->cert[i];

    if (c->problem[0] != '\0' && r->error.step == NULL) {
        tc_check_note(r, TC_LEVEL_WARNING, "certificate: %s", c->problem);
    }

    if (!c->known) {
        return;
    }

    days = tc_cert_days(c, time(NULL));

    if (days < 0) {
        tc_check_note(r, TC_LEVEL_CRITICAL, "the certificate ended %.1f days "
                      "ago", -days);

    } else if (days < run->o->warn_days) {
        tc_check_note(r, TC_LEVEL_WARNING, "the certificate ends in %.1f "
                      "days", days);
    }
}


static void
tc_check_judge_relay(tc_run_t *run)
{
    double        median;
    tc_counts_t  *c;
    tc_result_t  *r;

    r = run->r;
    c = &r->counts;

    if (c->sent) {
        r->loss = c->back < c->sent
                  ? 100.0 * (double) (c->sent - c->back) / (double) c->sent
                  : 0;
    }

    if (c->broken) {
        tc_check_note(r, TC_LEVEL_CRITICAL, "%llu packets arrived that were "
                      "not sent so", (unsigned long long) c->broken);
    }

    if (r->loss >= run->o->crit_loss && r->loss > 0) {
        tc_check_note(r, TC_LEVEL_CRITICAL, "%.2f %% of the packets were "
                      "lost", r->loss);

    } else if (r->loss > run->o->warn_loss) {
        tc_check_note(r, TC_LEVEL_WARNING, "%.2f %% of the packets were "
                      "lost", r->loss);
    }

    if (c->blocked || c->unsent) {
        tc_check_note(r, TC_LEVEL_WARNING, "%llu packets could not be sent: "
                      "less --rate", (unsigned long long) (c->blocked
                                                           + c->unsent));
    }

    median = tc_stat_percentile(&r->rtt, 0.5) / 1000.0;

    if (run->o->warn_rtt_ms > 0 && median > run->o->warn_rtt_ms) {
        tc_check_note(r, TC_LEVEL_WARNING, "the median round trip is %.1f ms",
                      median);
    }

    if (run->env->stopped) {
        tc_check_note(r, TC_LEVEL_UNKNOWN, "it was stopped before its end");
    }
}


static void
tc_check_note(tc_result_t *r, tc_level_e level, const char *fmt, ...)
{
    va_list  args;

    r->level = tc_level_worse(r->level, level);

    if (r->nnotes == TC_NOTES_MAX) {
        return;
    }

    va_start(args, fmt);
    (void) vsnprintf(r->notes[r->nnotes++], TC_TEXT_MAX, fmt, args);
    va_end(args);
}


tc_level_e
tc_level_worse(tc_level_e a, tc_level_e b)
{
    static const unsigned  rank[] = { 0, 1, 3, 2 };

    return rank[a] > rank[b] ? a : b;
}


const char *
tc_level_name(tc_level_e level)
{
    static const char *const  names[] = {
        "ok", "warning", "critical", "unknown"
    };

    return names[level];
}


double
tc_cert_days(const tc_cert_t *c, time_t now)
{
    return difftime(c->not_after, now) / TC_CHECK_DAY;
}


const char *
tc_hint(const tc_error_t *e, const tc_cred_t *cred, time_t now)
{
    uint64_t  expiry;
    rs_str_t  head, rest;

    if (cred != NULL && (e->code == 401 || e->code == 441)
        && rs_str_split(rs_str(cred->username), ':', &head, &rest)
        && rs_u64_parse(head, UINT64_MAX, &expiry)
        && expiry < (uint64_t) now)
    {
        return "the username's own expiry has passed: get a new credential";
    }

    switch (e->code) {

    case 0:
        return NULL;

    case 300:
        return "the server sends its clients elsewhere";

    case 400:
        return strcmp(e->step, "allocate") == 0
               ? NULL
               : "coturn says so when it has just ended the allocation: its "
                 "session may be over";

    case 401:
        return "wrong password, or a credential of another realm or tenant, "
               "or of a session that has ended";

    case 403:
        return strcmp(e->step, "allocate") == 0
               ? "the server refuses this client"
               : "the peer policy refuses a relay's address: closed mode "
                 "needs every relay of the fleet in relay=";

    case 437:
        return strcmp(e->step, "allocate") == 0
               ? "the server still has an allocation of this address and port"
               : "the allocation is gone: its session may have ended";

    case 438:
        return "the nonce is stale again and again: are there two servers "
               "behind one address?";

    case 440:
        return "the server has no relay addresses of this family";

    case 443:
        return "the peer's address is of the other family";

    case 486:
        return "the participant has as many allocations as its quota allows";

    case 508:
        return "no relay port is free: see min-port and max-port";

    default:
        return NULL;
    }
}


void
tc_result_free(tc_result_t *r)
{
    tc_stat_free(&r->rtt);
}
