
/*
 * Copyright (C) rs-gateway contributors
 *
 * coturn's CLI: ends what the table has doomed, and reads back what coturn
 * has.  docs/design/turn.md, "The CLI".
 *
 * One connection, one command at a time, its prompt awaited.  What is doomed
 * goes before listings.  An allocation counts as ended when the table has it
 * no more: the deleted event took it away, or a listing without it; until then
 * it is cancelled again each second.  A connection that says nothing for 5 s
 * is given up; a new one is tried after 50 ms, doubling to 1 s, for ever.
 */


#ifndef _TURN_REAPER_H_INCLUDED_
#define _TURN_REAPER_H_INCLUDED_


#include <event2/event.h>

#include "turn_conf.h"
#include "turn_table.h"


/* upper bounds of the latency histogram, ms; the last one is without end */
#define TURN_REAPER_BUCKETS    10


typedef struct turn_reaper_s  turn_reaper_t;


/* a session of a listing that may be believed */

typedef struct {
    uint64_t            id;
    uint64_t            started_at;   /* s since the epoch, by coturn's word */
    rs_str_t            user;
    turn_verdict_e      verdict;      /* of the table */
    uint64_t            rcvp;         /* so far */
    uint64_t            rcvb;
    uint64_t            sentp;
    uint64_t            sentb;
} turn_reaper_seen_t;


typedef struct {
    struct event_base  *base;
    turn_table_t       *table;

    const turn_conf_addr_t  *cli;
    const char         *password_file;    /* NULL: none; read at each login */
    unsigned            list_ms;      /* a listing each so often, and later
                                         by 1 ms for 4 sessions; 0: 60 s */
    size_t              max_sessions; /* of a listing; 0: 65536 */

    /* each may be NULL */

    /* 1: the policy denies this peer, as the CLI shows it */
    int               (*denies)(void *data, rs_str_t peer);
    /* of each in a listing, after the table has seen it */
    void              (*seen)(void *data, const turn_reaper_seen_t *seen);
    /* the table had it, coturn has not; it is not in the table any more */
    void              (*gone)(void *data, uint64_t id);
    /* coturn's version, TURN_VERSION(); at each connect */
    void              (*version)(void *data, unsigned version);
    /* a listing was complete: the table is what coturn has */
    void              (*listed)(void *data);
    void               *data;
} turn_reaper_conf_t;


typedef struct {
    int                 ready;        /* logged in */
    uint64_t            connects;
    uint64_t            lost;         /* connections */
    uint64_t            cancels;      /* commands, repeated ones too */
    uint64_t            retries;
    uint64_t            listings;     /* complete */
    uint64_t            forged;       /* listings that were not believed */
    uint64_t            listed_at;    /* ms since the epoch; 0: never */

    /* from doomed to the prompt after its first cancel */

    uint64_t            latency[TURN_REAPER_BUCKETS];   /* not cumulative */
    uint64_t            latency_n;
    uint64_t            latency_ms;   /* sum */
    uint64_t            latency_max;
} turn_reaper_stat_t;

extern const unsigned  turn_reaper_buckets[TURN_REAPER_BUCKETS];  /* ms */


/* begins to connect; NULL: error[TURN_CONF_ERROR_MAX] says why */
turn_reaper_t *turn_reaper_create(const turn_reaper_conf_t *conf,
    char *error);
void turn_reaper_free(turn_reaper_t *r);

/* the table has something; may be called from its wake() */
void turn_reaper_wake(turn_reaper_t *r);
/* ends one the table could not store; the last 1024 of them are kept */
void turn_reaper_kill(turn_reaper_t *r, uint64_t id);
/* a listing, as soon as possible */
void turn_reaper_list(turn_reaper_t *r);
/* the policy is new: a listing that ends sessions with a denied peer */
void turn_reaper_recheck(turn_reaper_t *r);
/* from now on a listing each so often */
void turn_reaper_pace(turn_reaper_t *r, unsigned list_ms);

void turn_reaper_stat(const turn_reaper_t *r, turn_reaper_stat_t *stat);


#endif /* _TURN_REAPER_H_INCLUDED_ */
