
/*
 * Copyright (C) rs-gateway contributors
 *
 * How much each allocation has moved, on its way to the session's record.
 *
 * Counters are absolute and each allocation has a name of its own,
 * <participant>/<relay>/<id>-<started_at>, so a call that is repeated changes
 * nothing.  What is dirty is sent each flush_ms, what has ended at once, and
 * again until it is acknowledged.  coturn's total at the end wins over what
 * was added up.
 *
 * The names must be the same after a restart, or bytes count twice: they and
 * totals that were not acknowledged yet stand in state_dir/usage, which is
 * written before the first call that has the name in it.
 *
 * The clock is an argument (ms since the epoch, "now").
 */


#ifndef _TURN_USAGE_H_INCLUDED_
#define _TURN_USAGE_H_INCLUDED_


#include "turn_conf.h"
#include "turn_upstream.h"


typedef struct turn_usage_s  turn_usage_t;


typedef struct {
    uint64_t            rcvp;
    uint64_t            rcvb;
    uint64_t            sentp;
    uint64_t            sentb;
} turn_usage_count_t;


typedef struct {
    const char         *relay;        /* the name of this one */
    const char         *state_dir;    /* NULL: nothing survives a restart */
    size_t              max;          /* allocations; 0: 131072 */
    unsigned            flush_ms;     /* 0: 5000 */

    /* as turn_upstream_usage() */
    int               (*send)(void *data, rs_str_t tenant, rs_str_t ses,
                              const turn_usage_item_t *items, size_t n,
                              turn_usage_pt callback, void *cb_data);
    /* turn_usage_due() is another one now; may be NULL */
    void              (*wake)(void *data);
    void               *data;
} turn_usage_conf_t;


typedef struct {
    size_t              open;         /* allocations that go on */
    size_t              pending;      /* ended, not acknowledged */
    size_t              under_way;    /* calls */
    uint64_t            acked;        /* allocations, ended and recorded */
    uint64_t            not_found;    /* their session is gone */
    uint64_t            lost;         /* no room, or refused */
    uint64_t            failures;     /* of writing the file */
} turn_usage_stat_t;


/* NULL: error[TURN_CONF_ERROR_MAX] says why */
turn_usage_t *turn_usage_create(const turn_usage_conf_t *conf, char *error,
    uint64_t now);
/* after the upstream, which owes it answers */
void turn_usage_destroy(turn_usage_t *u);

/*
 * An allocation has begun (the new event), or was found by a listing.  Known
 * already: nothing, unless coturn has started anew since.  A user name that
 * is not of our form leaves no record.
 */
void turn_usage_open(turn_usage_t *u, uint64_t id, rs_str_t username,
    uint64_t started_at, uint64_t now);

/* of numbers that were opened; others are ignored */

/* moved since the last time */
void turn_usage_add(turn_usage_t *u, uint64_t id,
    const turn_usage_count_t *count, uint64_t now);
/* moved so far, by a listing: the greater of that and what was added up */
void turn_usage_seen(turn_usage_t *u, uint64_t id,
    const turn_usage_count_t *count, uint64_t now);
/* moved in its whole life: it is over */
void turn_usage_total(turn_usage_t *u, uint64_t id,
    const turn_usage_count_t *count, uint64_t now);
/* it is over; the total follows, or does not come within 2 s */
void turn_usage_close(turn_usage_t *u, uint64_t id, uint64_t now);

/*
 * A listing was complete: what an earlier daemon had and coturn has not any
 * more is over.
 */
void turn_usage_listed(turn_usage_t *u, uint64_t now);
/* upstream is there again: what waits is sent */
void turn_usage_resume(turn_usage_t *u, uint64_t now);

/* sends what is due; call it when turn_usage_due() (ms) has come */
void turn_usage_tick(turn_usage_t *u, uint64_t now);
uint64_t turn_usage_due(const turn_usage_t *u);

void turn_usage_stat(const turn_usage_t *u, turn_usage_stat_t *stat);


#endif /* _TURN_USAGE_H_INCLUDED_ */
