
/*
 * Copyright (C) rs-gateway contributors
 *
 * A WebSocket that comes back: backoff with full jitter, Retry-After, goaway;
 * an error after which it makes no sense to try again ends it.
 */


#ifndef _RL_LINK_H_INCLUDED_
#define _RL_LINK_H_INCLUDED_


#include "rl_msg.h"
#include "rl_ws.h"


#define RL_LINK_SILENCE        (60 * RL_SEC)    /* as the gateway's own */
#define RL_LINK_PROTOCOLS      320


typedef struct rl_link_s  rl_link_t;

struct rl_link_s {
    rl_ws_t             ws;
    struct rl_run_s    *run;
    const char         *path;         /* "/signal" */

    rl_timer_t          again;
    unsigned            attempts;
    unsigned            up:1;
    unsigned            ever:1;       /* was up once */
    unsigned            wanted:1;     /* come back when it is lost */
    unsigned            final:1;      /* an error said: do not */
    uint64_t            opened_at;
    uint64_t            lost_at;      /* 0: not lost */

    rl_hist_t          *first;        /* connect -> welcome */
    rl_hist_t          *back;         /* lost -> welcome */

    void               *data;
    /* more subprotocols, or NULL; may be NULL itself */
    const char       *(*protocols)(void *data, char *buf, size_t size);
    /* all but ping and goaway; the link may be stopped in here */
    void              (*on_msg)(void *data, const rl_msg_t *m);
    /* the socket is gone; again: the link comes back by itself */
    void              (*on_down)(void *data, int was_up, int again);
};


void rl_link_start(rl_link_t *l);
/* the welcome came: attempts and times are set straight */
void rl_link_up(rl_link_t *l);
/* the socket is dropped, the link comes back with backoff */
void rl_link_break(rl_link_t *l);
/* for good; on_down does not run */
void rl_link_stop(rl_link_t *l);
/* a link that heard nothing for too long is broken; called now and then */
void rl_link_check(rl_link_t *l);


#endif /* _RL_LINK_H_INCLUDED_ */
