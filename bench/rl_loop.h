
/*
 * Copyright (C) rs-gateway contributors
 *
 * The event loop: epoll (level-triggered), a heap of timers, and a hook at
 * the end of each round, where what was queued is written.  One of each for
 * the process, which has one thread.
 *
 * Times are microseconds of CLOCK_MONOTONIC.
 */


#ifndef _RL_LOOP_H_INCLUDED_
#define _RL_LOOP_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>


#define RL_SEC                 ((uint64_t) 1000000)
#define RL_MS                  ((uint64_t) 1000)


typedef void (*rl_handler_pt)(void *data);


typedef struct {
    size_t          pos;          /* in the heap, from 1; 0: not armed */
    uint64_t        at;
    rl_handler_pt   handler;
    void           *data;
} rl_timer_t;


typedef struct {
    int             fd;
    void          (*handler)(void *data, uint32_t events);
    void           *data;
} rl_watch_t;


/* 0, or -1 with errno */
int rl_loop_init(void);
void rl_loop_done(void);

/* runs until rl_loop_stop() */
void rl_loop_run(void);
void rl_loop_stop(void);

/* now, read anew; the start of this round */
uint64_t rl_now(void);
uint64_t rl_loop_now(void);

/* called once after the events of each round */
void rl_loop_on_round(rl_handler_pt handler, void *data);

/* 0, or -1 with errno */
int rl_watch(rl_watch_t *w, uint32_t events);
int rl_watch_change(rl_watch_t *w, uint32_t events);
/* before the descriptor is closed; no event of this round comes after it */
void rl_unwatch(rl_watch_t *w);

/* arms it, or arms it anew; handler and data are the owner's to set */
void rl_timer_set(rl_timer_t *t, uint64_t delay);
void rl_timer_at(rl_timer_t *t, uint64_t at);
void rl_timer_del(rl_timer_t *t);

/* uniform in [0, n]; of a generator seeded by the system, not for secrets */
uint64_t rl_random(uint64_t n);


#endif /* _RL_LOOP_H_INCLUDED_ */
