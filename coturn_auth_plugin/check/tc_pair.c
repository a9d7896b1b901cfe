
/*
 * Copyright (C) rs-gateway contributors
 *
 * Pairs.  The end of a phase is always told from the pair's own timer, so
 * that done() is never below a client that still works, nor inside the call
 * that started the phase.
 */


#include "tc_pair.h"

#include <stdlib.h>
#include <string.h>


#define TC_PAIR_CHANNEL      RS_STUN_CHANNEL_MIN
#define TC_PAIR_BURST        256           /* packets of one tick */
#define TC_PAIR_TICK_US      500           /* not more often */
#define TC_PAIR_REBIND_US    240000000     /* permissions last 300 s */


static void tc_pair_begin(tc_pair_t *p, tc_pair_phase_e phase);
static void tc_pair_finish(tc_pair_t *p);
static void tc_pair_after(tc_pair_t *p, uint64_t us);
static void tc_pair_error(tc_end_t *end, const tc_error_t *e);
static void tc_pair_settle(tc_end_t *end);
static void tc_pair_on_allocated(void *ctx);
static void tc_pair_on_data(void *ctx, unsigned channel, rs_str_t data);
static void tc_pair_on_failed(void *ctx, const tc_error_t *e);
static void tc_pair_on_permitted(void *data, const tc_error_t *e);
static void tc_pair_on_bound(void *data, const tc_error_t *e);
static void tc_pair_on_rebound(void *data, const tc_error_t *e);
static void tc_pair_on_released(void *data, const tc_error_t *e);
static void tc_pair_on_rebind(evutil_socket_t fd, short what, void *data);
static void tc_pair_on_timer(evutil_socket_t fd, short what, void *data);
static void tc_pair_bind_end(tc_end_t *end);
static void tc_pair_tick(tc_pair_t *p);
static uint64_t tc_pair_due(const tc_pair_t *p, uint64_t now);
static void tc_pair_send(tc_pair_t *p, uint64_t now);
static void tc_pair_echo(tc_end_t *end, uint64_t stamp);
static tc_end_t *tc_pair_other(const tc_end_t *end);


static const tc_turn_ops_t  tc_pair_ops = {
    tc_pair_on_allocated,
    tc_pair_on_data,
    tc_pair_on_failed
};


tc_pair_t *
tc_pair_open(tc_env_t *env, const tc_server_t *server[2],
    const tc_cred_t *cred[2], size_t size, tc_stat_t *rtt,
    tc_pair_done_pt done, void *ctx, tc_error_t *e)
{
    unsigned    i;
    tc_end_t   *end;
    tc_pair_t  *p;

    p = calloc(1, sizeof(tc_pair_t));

    if (p == NULL) {
        tc_error_text(e, "connect", "no memory");
        return NULL;
    }

    p->env = env;
    p->done = done;
    p->ctx = ctx;
    p->size = size;
    p->rtt = rtt;
    p->timer = evtimer_new(env->base, tc_pair_on_timer, p);
    p->rebind = evtimer_new(env->base, tc_pair_on_rebind, p);

    if (p->timer == NULL || p->rebind == NULL) {
        tc_error_text(e, "connect", "no memory");
        tc_pair_free(p);
        return NULL;
    }

    tc_pair_begin(p, TC_PAIR_OPEN);
    p->pending = 2;

    for (i = 0; i < 2; i++) {
        end = &p->end[i];
        end->pair = p;
        end->server = server[i];
        end->cred = cred[i];
        end->srtp = tc_srtp_new(size);

        if (end->srtp == NULL) {
            tc_error_text(e, "connect", "no memory, or libsrtp failed");
            tc_pair_free(p);
            return NULL;
        }

        end->turn = tc_turn_open(env, server[i], cred[i], env->relay_family,
                                 &tc_pair_ops, end, e);
        if (end->turn == NULL) {
            tc_pair_free(p);
            return NULL;
        }
    }

    return p;
}


void
tc_pair_free(tc_pair_t *p)
{
    unsigned  i;

    for (i = 0; i < 2; i++) {
        if (p->end[i].turn != NULL) {
            tc_turn_free(p->end[i].turn);
        }

        tc_srtp_free(p->end[i].srtp);
    }

    if (p->timer != NULL) {
        event_free(p->timer);
    }

    if (p->rebind != NULL) {
        event_free(p->rebind);
    }

    free(p);
}


/* ---- phases */


static void
tc_pair_begin(tc_pair_t *p, tc_pair_phase_e phase)
{
    p->phase = phase;
    p->pending = 0;
    p->active = 1;
    p->finished = 0;

    if (p->error.step != NULL && phase != TC_PAIR_CLOSE) {
        tc_pair_finish(p);
    }
}


static void
tc_pair_finish(tc_pair_t *p)
{
    if (p->active && !p->finished) {
        p->finished = 1;
        tc_pair_after(p, 0);
    }
}


static void
tc_pair_after(tc_pair_t *p, uint64_t us)
{
    struct timeval  tv;

    tv = tc_timeval(us);
    (void) event_add(p->timer, &tv);
}


static void
tc_pair_on_timer(evutil_socket_t fd, short what, void *data)
{
    tc_pair_t  *p;

    (void) fd;
    (void) what;
    p = data;

    if (p->finished) {
        p->finished = 0;
        p->active = 0;
        p->done(p->ctx, p);

    } else if (p->phase == TC_PAIR_RELAY && p->active) {
        tc_pair_tick(p);
    }
}


/*
 * The first error is the one that is told; it ends the phase.  But while they
 * allocate, the other end's answer is waited for: what it is given without our
 * knowing could not be given back, and the server would keep it for minutes.
 */

static void
tc_pair_error(tc_end_t *end, const tc_error_t *e)
{
    tc_pair_t  *p;

    p = end->pair;

    if (p->error.step == NULL) {
        p->error = *e;
        p->failed_end = end == &p->end[1];
    }

    if (p->phase == TC_PAIR_OPEN) {
        tc_pair_settle(end);
        return;
    }

    tc_pair_finish(p);
}


/* it has its allocation, or will have none */

static void
tc_pair_settle(tc_end_t *end)
{
    if (!end->settled) {
        end->settled = 1;

        if (--end->pair->pending == 0) {
            tc_pair_finish(end->pair);
        }
    }
}


static void
tc_pair_on_failed(void *ctx, const tc_error_t *e)
{
    tc_pair_error(ctx, e);
}


static void
tc_pair_on_allocated(void *ctx)
{
    tc_end_t  *end;

    end = ctx;
    end->allocated = 1;
    tc_pair_settle(end);
}


static tc_end_t *
tc_pair_other(const tc_end_t *end)
{
    return &end->pair->end[end == &end->pair->end[0]];
}


void
tc_pair_bind(tc_pair_t *p, int permissions)
{
    unsigned              i;
    tc_end_t             *end;
    const rs_stun_addr_t *peer;

    tc_pair_begin(p, TC_PAIR_BIND);

    for (i = 0; i < 2 && !p->finished; i++) {
        end = &p->end[i];
        p->pending++;

        if (!permissions) {
            tc_pair_bind_end(end);
            continue;
        }

        peer = tc_turn_relayed(tc_pair_other(end)->turn);

        if (!tc_turn_permit(end->turn, peer, 1, tc_pair_on_permitted, end)) {
            tc_error_text(&p->error, "permission",
                          "the request cannot be made");
            tc_pair_finish(p);
        }
    }
}


static void
tc_pair_on_permitted(void *data, const tc_error_t *e)
{
    if (e != NULL) {
        tc_pair_error(data, e);
        return;
    }

    tc_pair_bind_end(data);
}


static void
tc_pair_bind_end(tc_end_t *end)
{
    if (!tc_turn_bind(end->turn, TC_PAIR_CHANNEL,
                      tc_turn_relayed(tc_pair_other(end)->turn),
                      tc_pair_on_bound, end))
    {
        tc_error_text(&end->pair->error, "channel",
                      "the request cannot be made");
        tc_pair_finish(end->pair);
    }
}


static void
tc_pair_on_bound(void *data, const tc_error_t *e)
{
    tc_end_t        *end;
    struct timeval   tv;

    end = data;

    if (e != NULL) {
        tc_pair_error(end, e);
        return;
    }

    if (--end->pair->pending == 0) {
        tv = tc_timeval(TC_PAIR_REBIND_US);
        (void) event_add(end->pair->rebind, &tv);
        tc_pair_finish(end->pair);
    }
}


static void
tc_pair_on_rebind(evutil_socket_t fd, short what, void *data)
{
    unsigned         i;
    tc_pair_t       *p;
    struct timeval   tv;

    (void) fd;
    (void) what;
    p = data;

    for (i = 0; i < 2 && p->error.step == NULL; i++) {
        (void) tc_turn_bind(p->end[i].turn, TC_PAIR_CHANNEL,
                            tc_turn_relayed(p->end[1 - i].turn),
                            tc_pair_on_rebound, &p->end[i]);
    }

    tv = tc_timeval(TC_PAIR_REBIND_US);
    (void) event_add(p->rebind, &tv);
}


static void
tc_pair_on_rebound(void *data, const tc_error_t *e)
{
    if (e != NULL) {
        tc_pair_error(data, e);
    }
}


void
tc_pair_close(tc_pair_t *p)
{
    unsigned   i;
    tc_end_t  *end;

    tc_pair_begin(p, TC_PAIR_CLOSE);
    (void) event_del(p->rebind);

    for (i = 0; i < 2; i++) {
        end = &p->end[i];

        /* a server that does not answer is not asked once more */

        if (!end->allocated
            || (p->error.step != NULL && p->error.code == 0
                && p->failed_end == i))
        {
            continue;
        }

        p->pending += (unsigned) tc_turn_release(end->turn,
                                                 tc_pair_on_released, end);
    }

    if (p->pending == 0) {
        tc_pair_finish(p);
    }
}


static void
tc_pair_on_released(void *data, const tc_error_t *e)
{
    tc_end_t  *end;

    end = data;
    end->allocated = 0;

    if (e != NULL && end->pair->error.step == NULL) {
        end->pair->error = *e;
        end->pair->failed_end = end == &end->pair->end[1];
    }

    if (--end->pair->pending == 0) {
        tc_pair_finish(end->pair);
    }
}


/* ---- packets */


void
tc_pair_relay(tc_pair_t *p, uint64_t count, double rate, uint64_t delay_us,
    uint64_t drain_us)
{
    tc_pair_begin(p, TC_PAIR_RELAY);

    if (p->finished) {
        return;
    }

    p->count = count;
    p->rate = rate;
    p->drain_us = drain_us;
    p->started = tc_now_us() + delay_us;
    p->until = 0;

    tc_pair_after(p, delay_us);
}


/* what is under way is waited for */

void
tc_pair_stop(tc_pair_t *p)
{
    if (p->phase == TC_PAIR_RELAY && p->active && !p->finished
        && p->until == 0)
    {
        p->count = p->counts.sent + p->counts.blocked;
        p->until = tc_now_us() + p->drain_us;
        tc_pair_after(p, 0);
    }
}


static void
tc_pair_tick(tc_pair_t *p)
{
    uint64_t  now, next, number;
    unsigned  i;

    now = tc_now_us();

    if (p->until == 0) {
        next = tc_pair_due(p, now);
        number = p->counts.sent + p->counts.blocked;

        for (i = 0; number < next && i < TC_PAIR_BURST; i++, number++) {
            tc_pair_send(p, now);
        }

        if (p->count == 0 || number < p->count) {
            next = p->started + (uint64_t) ((double) number * 1e6 / p->rate);
            tc_pair_after(p, next > now + TC_PAIR_TICK_US ? next - now
                                                          : TC_PAIR_TICK_US);
            return;
        }

        p->until = now + p->drain_us;
    }

    if (p->counts.back >= p->counts.sent || now >= p->until) {
        tc_pair_finish(p);
        return;
    }

    tc_pair_after(p, p->until - now);
}


/* how many should have been sent by now */

static uint64_t
tc_pair_due(const tc_pair_t *p, uint64_t now)
{
    uint64_t  n;

    if (now < p->started) {
        return 0;
    }

    n = (uint64_t) ((double) (now - p->started) * p->rate / 1e6) + 1;

    return p->count && n > p->count ? p->count : n;
}


static void
tc_pair_send(tc_pair_t *p, uint64_t now)
{
    size_t   len;
    uint8_t  packet[TC_SRTP_PACKET_MAX];

    len = tc_srtp_write(p->end[0].srtp, packet,
                        p->counts.sent + p->counts.blocked + 1, now);

    if (len && tc_turn_send(p->end[0].turn, TC_PAIR_CHANNEL,
                            (rs_str_t) { packet, len }))
    {
        p->counts.sent++;

    } else {
        p->counts.blocked++;
    }
}


static void
tc_pair_on_data(void *ctx, unsigned channel, rs_str_t data)
{
    tc_end_t   *end, *from;
    uint64_t    number, stamp, now;
    tc_pair_t  *p;

    end = ctx;
    p = end->pair;
    from = tc_pair_other(end);

    if (channel != TC_PAIR_CHANNEL) {
        p->counts.broken++;
        return;
    }

    switch (tc_srtp_read(from->srtp, data, &number, &stamp)) {

    case TC_SRTP_OK:
        break;

    case TC_SRTP_DUPLICATE:
        p->counts.duplicates++;
        return;

    default:
        p->counts.broken++;
        return;
    }

    if (number < end->highest) {
        p->counts.reordered++;

    } else {
        end->highest = number;
    }

    if (end == &p->end[1]) {
        p->counts.there++;
        tc_pair_echo(end, stamp);

        return;
    }

    now = tc_now_us();
    p->counts.back++;
    (void) tc_stat_add(p->rtt, now > stamp ? now - stamp : 0);

    if (p->until && p->counts.back >= p->counts.sent) {
        tc_pair_finish(p);
    }
}


/* numbered by itself, in the order of arrival */

static void
tc_pair_echo(tc_end_t *end, uint64_t stamp)
{
    size_t       len;
    uint8_t      packet[TC_SRTP_PACKET_MAX];
    tc_pair_t   *p;

    p = end->pair;
    len = tc_srtp_write(end->srtp, packet, p->counts.there, stamp);

    if (len == 0
        || !tc_turn_send(end->turn, TC_PAIR_CHANNEL,
                         (rs_str_t) { packet, len }))
    {
        p->counts.unsent++;
    }
}
