
/*
 * Copyright (C) rs-gateway contributors
 *
 * The load generator.  All pairs go through a phase before any is in the
 * next: allocate, bind, relay, release; so that the rate of allocations is
 * not mixed with packets.  But for packets, `parallel` bounds what is under
 * way.
 */


#include "tc_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tc_check.h"


#define TC_LOAD_SPARE_FDS  64
#define TC_LOAD_DRAIN_US   2000000


typedef struct {
    tc_env_t            *env;
    tc_options_t        *o;
    tc_load_result_t    *r;

    tc_pair_t          **pair;        /* NULL: failed, or over */
    unsigned             n;
    tc_pair_phase_e      phase;
    unsigned             next;        /* pair to start in this phase */
    unsigned             pending;

    struct event        *end;         /* of the packets */
    struct event        *tick;
    uint64_t             first;
    uint64_t             last;
    uint64_t             kept;
} tc_load_t;


static int tc_load_limits(unsigned n, tc_error_t *e);
static int tc_load_init(tc_load_t *l, tc_load_result_t *r);
static void tc_load_fill(tc_load_t *l);
static int tc_load_start(tc_load_t *l, unsigned i);
static int tc_load_open(tc_load_t *l, unsigned i);
static void tc_load_next_phase(tc_load_t *l);
static void tc_load_on_done(void *ctx, tc_pair_t *p);
static void tc_load_drop(tc_load_t *l, tc_pair_t *p);
static void tc_load_on_end(evutil_socket_t fd, short what, void *data);
static void tc_load_on_tick(evutil_socket_t fd, short what, void *data);
static void tc_load_on_stop(void *ctx);
static void tc_load_error(tc_load_result_t *r, const tc_error_t *e);
static void tc_load_add(tc_counts_t *to, const tc_counts_t *c);
static void tc_load_judge(tc_load_t *l);


void
tc_load_run(tc_env_t *env, tc_options_t *o, tc_load_result_t *r)
{
    unsigned   i;
    tc_load_t  l;

    memset(r, 0, sizeof(tc_load_result_t));
    memset(&l, 0, sizeof(tc_load_t));

    r->asked = o->load;
    r->level = TC_LEVEL_UNKNOWN;
    l.env = env;
    l.o = o;
    l.r = r;
    l.n = o->load / 2;

    for (i = 0; i < o->here.n + o->peer.n; i++) {
        if (!tc_server_resolve(i < o->here.n
                               ? &o->here.server[i]
                               : &o->peer.server[i - o->here.n], o->family,
                               &r->error))
        {
            r->level = TC_LEVEL_CRITICAL;
            return;
        }
    }

    if (tc_load_limits(o->load, &r->error) && tc_load_init(&l, r)) {
        r->level = TC_LEVEL_OK;
        l.first = tc_now_us();
        tc_load_fill(&l);

        if (l.phase != TC_PAIR_CLOSE || l.pending) {
            (void) event_base_dispatch(env->base);
        }

        tc_load_judge(&l);
    }

    env->stop = NULL;

    for (i = 0; l.pair != NULL && i < l.n; i++) {
        if (l.pair[i] != NULL) {
            tc_pair_free(l.pair[i]);
        }
    }

    if (l.end != NULL) {
        event_free(l.end);
    }

    if (l.tick != NULL) {
        event_free(l.tick);
    }

    free(l.pair);
}


/* a socket for each allocation */

static int
tc_load_limits(unsigned n, tc_error_t *e)
{
    struct rlimit  rl;

    if (getrlimit(RLIMIT_NOFILE, &rl) == 0
        && rl.rlim_cur < n + TC_LOAD_SPARE_FDS)
    {
        if (rl.rlim_max < n + TC_LOAD_SPARE_FDS) {
            tc_error_text(e, "usage", "%u allocations need as many open "
                          "files, and the limit is %llu (ulimit -Hn)", n,
                          (unsigned long long) rl.rlim_max);
            return 0;
        }

        rl.rlim_cur = rl.rlim_max;

        if (setrlimit(RLIMIT_NOFILE, &rl) == -1) {
            tc_error_text(e, "usage", "the limit of open files: %s",
                          strerror(errno));
            return 0;
        }
    }

    return 1;
}


static int
tc_load_init(tc_load_t *l, tc_load_result_t *r)
{
    struct timeval  second;

    second = tc_timeval(1000000);

    l->pair = calloc(l->n, sizeof(tc_pair_t *));
    l->end = evtimer_new(l->env->base, tc_load_on_end, l);
    l->tick = event_new(l->env->base, -1, EV_PERSIST, tc_load_on_tick, l);

    if (l->pair == NULL || l->end == NULL || l->tick == NULL) {
        tc_error_text(&r->error, "usage", "no memory");
        return 0;
    }

    if (l->env->progress) {
        (void) event_add(l->tick, &second);
    }

    l->env->stop = tc_load_on_stop;
    l->env->stop_ctx = l;

    return 1;
}


/* ---- phases */


/* starts as many as may be under way; the end of the last is the phase's */

static void
tc_load_fill(tc_load_t *l)
{
    unsigned  window;

    for ( ;; ) {
        window = l->phase == TC_PAIR_RELAY ? l->n : l->o->parallel / 2;

        while (l->next < l->n && l->pending < window) {
            l->pending += (unsigned) tc_load_start(l, l->next++);
        }

        if (l->pending || l->next < l->n) {
            return;
        }

        if (l->phase == TC_PAIR_CLOSE) {
            (void) event_base_loopbreak(l->env->base);
            return;
        }

        tc_load_next_phase(l);
    }
}


static void
tc_load_next_phase(tc_load_t *l)
{
    struct timeval  tv;

    l->next = 0;

    if (l->env->stopped || l->o->seconds <= 0) {
        l->phase = TC_PAIR_CLOSE;

    } else {
        l->phase++;
    }

    if (l->phase == TC_PAIR_RELAY) {
        l->kept = tc_now_us();
        tv = tc_timeval((uint64_t) (l->o->seconds * 1e6));
        (void) event_add(l->end, &tv);

    } else if (l->phase == TC_PAIR_CLOSE && l->kept) {
        l->r->kept = (double) (tc_now_us() - l->kept) / 1e6;
    }
}


/* 1: it is under way; 0: there is nothing to wait for */

static int
tc_load_start(tc_load_t *l, unsigned i)
{
    uint64_t  delay;

    if (l->phase == TC_PAIR_OPEN) {
        return !l->env->stopped && tc_load_open(l, i);
    }

    if (l->pair[i] == NULL) {
        return 0;
    }

    switch (l->phase) {

    case TC_PAIR_BIND:
        tc_pair_bind(l->pair[i], 0);
        break;

    case TC_PAIR_RELAY:
        /* not all at the same moment */

        delay = (uint64_t) (1e6 / l->o->rate * i / l->n);
        tc_pair_relay(l->pair[i], 0, l->o->rate, delay, TC_LOAD_DRAIN_US);
        break;

    default:
        tc_pair_close(l->pair[i]);
        break;
    }

    return 1;
}


static int
tc_load_open(tc_load_t *l, unsigned i)
{
    unsigned            k;
    tc_error_t          e;
    const tc_cred_t    *cred[2];
    const tc_server_t  *server[2];

    memset(&e, 0, sizeof(tc_error_t));

    server[0] = &l->o->here.server[i % l->o->here.n];
    server[1] = l->o->peer.n ? &l->o->peer.server[i % l->o->peer.n]
                             : server[0];

    for (k = 0; k < 2; k++) {
        cred[k] = &server[k]->creds[(2 * i + k) % server[k]->ncreds];
    }

    l->pair[i] = tc_pair_open(l->env, server, cred, l->o->size, &l->r->rtt,
                              tc_load_on_done, l, &e);
    if (l->pair[i] == NULL) {
        tc_load_error(l->r, &e);
        return 0;
    }

    return 1;
}


static void
tc_load_on_done(void *ctx, tc_pair_t *p)
{
    unsigned    i;
    tc_load_t  *l;

    l = ctx;
    l->pending--;

    if (p->phase == TC_PAIR_OPEN) {
        for (i = 0; i < 2; i++) {
            if (p->end[i].allocated) {
                l->r->made++;
                (void) tc_stat_add(&l->r->allocate,
                                   tc_turn_allocate_us(p->end[i].turn));
                l->last = tc_now_us();
            }
        }
    }

    if (p->error.step != NULL && !p->told) {
        p->told = 1;
        tc_load_error(l->r, &p->error);

        if (p->phase != TC_PAIR_OPEN) {
            l->r->lost++;
        }

        /* what there is of it is given back */

        if (p->phase != TC_PAIR_CLOSE) {
            l->pending++;
            tc_pair_close(p);

            return;
        }
    }

    if (p->phase == TC_PAIR_CLOSE) {
        tc_load_drop(l, p);
    }

    tc_load_fill(l);
}


static void
tc_load_drop(tc_load_t *l, tc_pair_t *p)
{
    unsigned  i;

    tc_load_add(&l->r->counts, &p->counts);

    for (i = 0; i < l->n; i++) {
        if (l->pair[i] == p) {
            l->pair[i] = NULL;
            break;
        }
    }

    tc_pair_free(p);
}


static void
tc_load_on_end(evutil_socket_t fd, short what, void *data)
{
    unsigned    i;
    tc_load_t  *l;

    (void) fd;
    (void) what;
    l = data;

    for (i = 0; i < l->n; i++) {
        if (l->pair[i] != NULL) {
            tc_pair_stop(l->pair[i]);
        }
    }
}


static void
tc_load_on_stop(void *ctx)
{
    tc_load_on_end(-1, 0, ctx);
}


static void
tc_load_on_tick(evutil_socket_t fd, short what, void *data)
{
    unsigned     i;
    tc_load_t   *l;
    tc_counts_t  c;

    static const char *const  phases[] = {
        "allocating", "binding", "relaying", "releasing"
    };

    (void) fd;
    (void) what;
    l = data;
    c = l->r->counts;

    for (i = 0; i < l->n; i++) {
        if (l->pair[i] != NULL) {
            tc_load_add(&c, &l->pair[i]->counts);
        }
    }

    fprintf(stderr, "rs-turn-check: %s: %u of %u pairs, %u allocations, "
            "%llu packets sent, %llu back\n", phases[l->phase],
            l->next - l->pending, l->n, l->r->made,
            (unsigned long long) c.sent, (unsigned long long) c.back);
}


/* ---- the sum */


static void
tc_load_error(tc_load_result_t *r, const tc_error_t *e)
{
    unsigned  i;

    for (i = 0; i < r->nerrors; i++) {
        if (r->errors[i].error.code == e->code
            && strcmp(r->errors[i].error.step, e->step) == 0
            && strcmp(r->errors[i].error.text, e->text) == 0)
        {
            r->errors[i].count++;
            return;
        }
    }

    if (r->nerrors == TC_LOAD_ERRORS) {
        r->other_errors++;
        return;
    }

    r->errors[r->nerrors].error = *e;
    r->errors[r->nerrors++].count = 1;
}


static void
tc_load_add(tc_counts_t *to, const tc_counts_t *c)
{
    to->sent += c->sent;
    to->blocked += c->blocked;
    to->there += c->there;
    to->back += c->back;
    to->duplicates += c->duplicates;
    to->reordered += c->reordered;
    to->broken += c->broken;
    to->unsent += c->unsent;
}


static void
tc_load_judge(tc_load_t *l)
{
    tc_counts_t       *c;
    tc_load_result_t  *r;

    r = l->r;
    c = &r->counts;

    if (l->last > l->first) {
        r->seconds = (double) (l->last - l->first) / 1e6;
        r->per_second = r->made / r->seconds;
    }

    if (c->sent > c->back) {
        r->loss = 100.0 * (double) (c->sent - c->back) / (double) c->sent;
    }

    if (r->made < r->asked || r->lost || c->broken
        || (r->loss > 0 && r->loss >= l->o->crit_loss))
    {
        r->level = TC_LEVEL_CRITICAL;

    } else if (r->loss > l->o->warn_loss || c->blocked || c->unsent) {
        r->level = TC_LEVEL_WARNING;
    }

    if (l->env->stopped && r->level < TC_LEVEL_CRITICAL) {
        r->level = TC_LEVEL_UNKNOWN;
    }
}


void
tc_load_result_free(tc_load_result_t *r)
{
    tc_stat_free(&r->allocate);
    tc_stat_free(&r->rtt);
}
