
/*
 * Copyright (C) rs-gateway contributors
 *
 * Two allocations, and packets from relay to relay.  The first one sends;
 * the second one verifies each packet and sends it back under another key;
 * the first one verifies that, and has the round trip.
 */


#ifndef _TC_PAIR_H_INCLUDED_
#define _TC_PAIR_H_INCLUDED_


#include "tc_srtp.h"
#include "tc_stat.h"
#include "tc_turn.h"


typedef enum {
    TC_PAIR_OPEN = 0,             /* both allocate */
    TC_PAIR_BIND,                 /* permissions and channels, both ways */
    TC_PAIR_RELAY,
    TC_PAIR_CLOSE                 /* both are released */
} tc_pair_phase_e;


typedef struct {
    uint64_t             sent;        /* by the first one */
    uint64_t             blocked;     /* there was no room in the stream */
    uint64_t             there;       /* verified by the second one */
    uint64_t             back;        /* verified by the first one */
    uint64_t             duplicates;
    uint64_t             reordered;
    uint64_t             broken;
    uint64_t             unsent;      /* could not be sent back */
} tc_counts_t;


typedef struct tc_pair_s  tc_pair_t;


/*
 * End of a phase, once for each; p->error.step says whether it failed.  May
 * free the pair, or start the next phase.
 */
typedef void (*tc_pair_done_pt)(void *ctx, tc_pair_t *p);


typedef struct {
    tc_pair_t           *pair;
    const tc_server_t   *server;
    const tc_cred_t     *cred;
    tc_turn_t           *turn;        /* NULL: not open */
    tc_srtp_t           *srtp;        /* of what it sends */
    uint64_t             highest;     /* number received */
    unsigned             settled:1;   /* allocated, or failed to */
    unsigned             allocated:1;
} tc_end_t;


struct tc_pair_s {
    tc_env_t            *env;
    tc_pair_done_pt      done;
    void                *ctx;

    tc_end_t             end[2];
    tc_pair_phase_e      phase;
    unsigned             pending;     /* requests of this phase */
    unsigned             active:1;    /* in a phase */
    unsigned             finished:1;  /* ...whose end is to be told */
    struct event        *timer;
    struct event        *rebind;

    uint64_t             count;       /* packets to send; 0: no end */
    double               rate;        /* packets/s */
    size_t               size;
    uint64_t             drain_us;
    uint64_t             started;
    uint64_t             until;       /* end of waiting for the last ones */

    tc_counts_t          counts;
    tc_stat_t           *rtt;         /* the caller's */
    tc_error_t           error;
    unsigned             failed_end;  /* 0 or 1: whose error it is */
    unsigned             told;        /* the owner's: error was counted */
};


/*
 * Starts the first phase; rtt, servers and creds stay.  NULL: *e says why.
 * done() is not called before it returned.
 */
tc_pair_t *tc_pair_open(tc_env_t *env, const tc_server_t *server[2],
    const tc_cred_t *cred[2], size_t size, tc_stat_t *rtt,
    tc_pair_done_pt done, void *ctx, tc_error_t *e);

void tc_pair_bind(tc_pair_t *p, int permissions);

/*
 * count packets (0: until tc_pair_stop()), rate a second, the first one
 * after delay; then up to drain_us for those under way.
 */
void tc_pair_relay(tc_pair_t *p, uint64_t count, double rate,
    uint64_t delay_us, uint64_t drain_us);
void tc_pair_stop(tc_pair_t *p);

void tc_pair_close(tc_pair_t *p);
void tc_pair_free(tc_pair_t *p);


#endif /* _TC_PAIR_H_INCLUDED_ */
