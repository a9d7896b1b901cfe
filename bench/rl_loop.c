
/*
 * Copyright (C) rs-gateway contributors
 *
 * The event loop: see rl_loop.h.
 */


#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "rl_loop.h"


#define RL_LOOP_EVENTS         512


static struct {
    int                  epfd;
    int                  stop;
    uint64_t             now;
    uint64_t             seed;

    rl_handler_pt        round;
    void                *round_data;

    struct epoll_event   events[RL_LOOP_EVENTS];
    int                  nevents;

    rl_timer_t         **heap;         /* from 1 */
    size_t               n;
    size_t               size;
} rl_loop = { .epfd = -1 };


static void rl_heap_put(size_t pos, rl_timer_t *t);
static void rl_heap_up(size_t pos);
static void rl_heap_down(size_t pos);
static struct timespec *rl_loop_timers(struct timespec *wait);


uint64_t
rl_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * RL_SEC + (uint64_t) ts.tv_nsec / 1000;
}


uint64_t
rl_loop_now(void)
{
    return rl_loop.now;
}


int
rl_loop_init(void)
{
    rl_loop.epfd = epoll_create1(EPOLL_CLOEXEC);

    if (rl_loop.epfd == -1) {
        return -1;
    }

    rl_loop.now = rl_now();

    if (getrandom(&rl_loop.seed, sizeof(rl_loop.seed), 0)
        != sizeof(rl_loop.seed))
    {
        return -1;
    }

    rl_loop.seed |= 1;

    return 0;
}


void
rl_loop_done(void)
{
    (void) close(rl_loop.epfd);
    free(rl_loop.heap);
    rl_loop.heap = NULL;
}


uint64_t
rl_random(uint64_t n)
{
    uint64_t  x;

    /* xorshift64* */

    x = rl_loop.seed;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    rl_loop.seed = x;
    x *= 0x2545f4914f6cdd1du;

    return n == UINT64_MAX ? x : x % (n + 1);
}


void
rl_loop_on_round(rl_handler_pt handler, void *data)
{
    rl_loop.round = handler;
    rl_loop.round_data = data;
}


int
rl_watch(rl_watch_t *w, uint32_t events)
{
    struct epoll_event  ee;

    ee.events = events;
    ee.data.ptr = w;

    return epoll_ctl(rl_loop.epfd, EPOLL_CTL_ADD, w->fd, &ee);
}


int
rl_watch_change(rl_watch_t *w, uint32_t events)
{
    struct epoll_event  ee;

    ee.events = events;
    ee.data.ptr = w;

    return epoll_ctl(rl_loop.epfd, EPOLL_CTL_MOD, w->fd, &ee);
}


void
rl_unwatch(rl_watch_t *w)
{
    int  i;

    (void) epoll_ctl(rl_loop.epfd, EPOLL_CTL_DEL, w->fd, NULL);

    for (i = 0; i < rl_loop.nevents; i++) {
        if (rl_loop.events[i].data.ptr == w) {
            rl_loop.events[i].data.ptr = NULL;
        }
    }
}


static void
rl_heap_put(size_t pos, rl_timer_t *t)
{
    rl_loop.heap[pos] = t;
    t->pos = pos;
}


static void
rl_heap_up(size_t pos)
{
    rl_timer_t  *t;

    t = rl_loop.heap[pos];

    while (pos > 1 && rl_loop.heap[pos / 2]->at > t->at) {
        rl_heap_put(pos, rl_loop.heap[pos / 2]);
        pos /= 2;
    }

    rl_heap_put(pos, t);
}


static void
rl_heap_down(size_t pos)
{
    size_t       child;
    rl_timer_t  *t;

    t = rl_loop.heap[pos];

    for ( ;; ) {
        child = pos * 2;

        if (child > rl_loop.n) {
            break;
        }

        if (child < rl_loop.n
            && rl_loop.heap[child + 1]->at < rl_loop.heap[child]->at)
        {
            child++;
        }

        if (rl_loop.heap[child]->at >= t->at) {
            break;
        }

        rl_heap_put(pos, rl_loop.heap[child]);
        pos = child;
    }

    rl_heap_put(pos, t);
}


void
rl_timer_del(rl_timer_t *t)
{
    size_t       pos;
    rl_timer_t  *last;

    pos = t->pos;

    if (pos == 0) {
        return;
    }

    t->pos = 0;
    last = rl_loop.heap[rl_loop.n--];

    if (last != t) {
        rl_heap_put(pos, last);
        rl_heap_up(pos);
        rl_heap_down(last->pos);
    }
}


void
rl_timer_at(rl_timer_t *t, uint64_t at)
{
    size_t        size;
    rl_timer_t  **heap;

    rl_timer_del(t);

    if (rl_loop.n + 2 > rl_loop.size) {
        size = rl_loop.size ? rl_loop.size * 2 : 1024;
        heap = realloc(rl_loop.heap, size * sizeof(rl_timer_t *));

        if (heap == NULL) {
            fprintf(stderr, "rs-load: no memory for %zu timers\n", size);
            exit(3);
        }

        rl_loop.heap = heap;
        rl_loop.size = size;
    }

    t->at = at;
    rl_heap_put(++rl_loop.n, t);
    rl_heap_up(rl_loop.n);
}


void
rl_timer_set(rl_timer_t *t, uint64_t delay)
{
    rl_timer_at(t, rl_now() + delay);
}


/* runs what is due; the time until the next, NULL: none is armed */

static struct timespec *
rl_loop_timers(struct timespec *wait)
{
    uint64_t     us;
    rl_timer_t  *t;

    while (rl_loop.n && !rl_loop.stop) {
        t = rl_loop.heap[1];

        if (t->at > rl_loop.now) {
            us = t->at - rl_loop.now;
            wait->tv_sec = (time_t) (us / RL_SEC);
            wait->tv_nsec = (long) (us % RL_SEC) * 1000;

            return wait;
        }

        rl_timer_del(t);
        t->handler(t->data);
    }

    return NULL;
}


void
rl_loop_run(void)
{
    int               i;
    rl_watch_t       *w;
    struct timespec  *wait, ts;

    rl_loop.stop = 0;

    while (!rl_loop.stop) {
        rl_loop.now = rl_now();
        wait = rl_loop_timers(&ts);

        if (rl_loop.round != NULL) {
            rl_loop.round(rl_loop.round_data);
        }

        if (rl_loop.stop) {
            break;
        }

        rl_loop.nevents = epoll_pwait2(rl_loop.epfd, rl_loop.events,
                                       RL_LOOP_EVENTS, wait, NULL);
        rl_loop.now = rl_now();

        for (i = 0; i < rl_loop.nevents; i++) {
            w = rl_loop.events[i].data.ptr;

            if (w != NULL) {
                w->handler(w->data, rl_loop.events[i].events);
            }
        }

        rl_loop.nevents = 0;
    }
}


void
rl_loop_stop(void)
{
    rl_loop.stop = 1;
}
