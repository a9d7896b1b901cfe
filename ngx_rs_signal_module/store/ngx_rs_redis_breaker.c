
/*
 * Copyright (C) rs-gateway contributors
 *
 * The breaker of a link.  A server that answers, but slowly,
 * would have every request wait, and more and more of them be under way: when
 * the moving average is above rs_redis_slow the link refuses commands.  After
 * a pause its owner is asked for a probe; one that is answered in half of
 * rs_redis_slow lets commands through again, all at once but with nothing
 * queued up: those refused meanwhile were told so.
 *
 * What counts is how long the server takes, not how long we do: the time this
 * worker has computed meanwhile is left out, and so is a reply that it found
 * only when its time was over.
 *
 * A server that does not answer at all needs no breaker: the first deadline
 * takes the link down, and down it stays until a new connection has got its
 * answers.
 */


#include "ngx_rs_redis_link.h"

#include <time.h>


#define NGX_RS_REDIS_PAUSE    500      /* ms, half of it is jitter */
#define NGX_RS_REDIS_AVERAGE  8        /* replies that move the average */
#define NGX_RS_REDIS_CPU_AGE  1000     /* us */


static void ngx_rs_redis_breaker_open(ngx_rs_redis_t *rd);
static void ngx_rs_redis_breaker_handler(ngx_event_t *ev);
static uint64_t ngx_rs_redis_clock(clockid_t id);


void
ngx_rs_redis_breaker(ngx_rs_redis_t *rd, ngx_rs_redis_probe_pt probe,
    ngx_rs_redis_state_pt slow)
{
    rd->probe = probe;
    rd->slow_handler = slow;

    rd->pause.handler = ngx_rs_redis_breaker_handler;
    rd->pause.data = rd;
    rd->pause.log = rd->log;
    rd->pause.cancelable = 1;
}


ngx_uint_t
ngx_rs_redis_refusing(ngx_rs_redis_t *rd)
{
    return rd->open;
}


void
ngx_rs_redis_breaker_reset(ngx_rs_redis_t *rd)
{
    rd->latency = 0;

    if (!rd->open) {
        return;
    }

    rd->open = 0;
    ngx_del_timer(&rd->pause);

    rd->slow_handler(rd->data, 0);
}


void
ngx_rs_redis_breaker_reply(ngx_rs_redis_t *rd, uint64_t latency,
    uint64_t cpu, ngx_uint_t urgent)
{
    uint64_t  slow, own;

    if (rd->probe == NULL || rd->late) {
        return;
    }

    slow = (uint64_t) rd->conf->slow * 1000;

    if (latency > slow / 2) {
        own = ngx_rs_redis_breaker_cpu(rd) - cpu;
        latency -= ngx_min(latency, own);
    }

    if (rd->open) {

        /* commands from before it opened do not count */

        if (!urgent) {
            return;
        }

        if (latency > slow / 2) {
            return;                  /* the pause goes on */
        }

        ngx_rs_redis_breaker_reset(rd);

        ngx_log_error(NGX_LOG_NOTICE, rd->log, 0,
                      "rs redis: \"%V\" answers in time again, commands are "
                      "taken", &rd->conf->text);
    }

    rd->latency -= rd->latency / NGX_RS_REDIS_AVERAGE;
    rd->latency += latency / NGX_RS_REDIS_AVERAGE;

    if (rd->latency > slow) {
        ngx_rs_redis_breaker_open(rd);
    }
}


static void
ngx_rs_redis_breaker_open(ngx_rs_redis_t *rd)
{
    rd->open = 1;

    ngx_log_error(NGX_LOG_ERR, rd->log, 0,
                  "rs redis: \"%V\" is slow, commands are refused: answers "
                  "take %uL ms on average, \"rs_redis_slow\" is %M ms",
                  &rd->conf->text, rd->latency / 1000,
                  rd->conf->slow);

    ngx_add_timer(&rd->pause, NGX_RS_REDIS_PAUSE / 2
                              + ngx_random() % (NGX_RS_REDIS_PAUSE / 2));

    rd->slow_handler(rd->data, 1);
}


static void
ngx_rs_redis_breaker_handler(ngx_event_t *ev)
{
    ngx_rs_redis_t  *rd;

    rd = ev->data;

    ngx_add_timer(ev, NGX_RS_REDIS_PAUSE / 2
                      + ngx_random() % (NGX_RS_REDIS_PAUSE / 2));

    /* one at a time: nothing is sent while anything is under way */

    if (rd->npending == 0) {
        rd->probe(rd->data);
    }
}


/* us; the event loop's own clock stands still while a round lasts */

uint64_t
ngx_rs_redis_now(void)
{
    return ngx_rs_redis_clock(CLOCK_MONOTONIC);
}


uint64_t
ngx_rs_redis_breaker_cpu(ngx_rs_redis_t *rd)
{
    uint64_t  now;

    now = ngx_rs_redis_now();

    if (now - rd->cpu_at >= NGX_RS_REDIS_CPU_AGE) {
        rd->cpu = ngx_rs_redis_clock(CLOCK_THREAD_CPUTIME_ID);
        rd->cpu_at = now;
    }

    return rd->cpu;
}


static uint64_t
ngx_rs_redis_clock(clockid_t id)
{
    struct timespec  ts;

    clock_gettime(id, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}
