
/*
 * Copyright (C) rs-gateway contributors
 *
 * The table, and everybody who keeps it true: the snapshot of an earlier run,
 * the gateway's Redis, coturn's CLI; and usage, which goes the other way.
 * This file ties them to each other and to the clock; what they do is theirs.
 */


#ifndef _TURN_FOLLOW_H_INCLUDED_
#define _TURN_FOLLOW_H_INCLUDED_


#include "turn_policy.h"
#include "turn_reaper.h"
#include "turn_server.h"
#include "turn_snapshot.h"
#include "turn_table.h"
#include "turn_upstream.h"
#include "turn_usage.h"


typedef struct turn_follow_s  turn_follow_t;


/* for those who tell them something, and for metrics */

typedef struct {
    turn_table_t       *table;
    turn_snapshot_t    *snapshot;     /* NULL: redis or state_dir is off */
    turn_usage_t       *usage;        /* NULL: redis = off */
    turn_reaper_t      *reaper;       /* NULL: cli = off */
    turn_upstream_t    *upstream;     /* NULL: redis = off */
} turn_follow_parts_t;


/*
 * The table, with what was known before the restart; conf and policy outlive
 * it.  NULL: error[TURN_CONF_ERROR_MAX] says why.
 */
turn_follow_t *turn_follow_create(struct event_base *base,
    const turn_conf_t *conf, turn_policy_t *policy, char *error);

/*
 * Begins to follow; statsdb: where coturn tells of its allocations, or NULL.
 * 1, or 0 and error.
 */
int turn_follow_start(turn_follow_t *f, const turn_server_t *statsdb,
    char *error);

void turn_follow_free(turn_follow_t *f);

const turn_follow_parts_t *turn_follow_parts(const turn_follow_t *f);

/*
 * Quotas and times of conf are others now, and what its files towards Redis
 * hold, for connections that are made from now on.
 */
void turn_follow_reconf(turn_follow_t *f);

/*
 * TURN_VERSION() of the coturn that runs; 0: not known.  What its CLI has said
 * holds while that connection lasts, for the next coturn may be an older one.
 */
unsigned turn_follow_coturn(const turn_follow_t *f);


#endif /* _TURN_FOLLOW_H_INCLUDED_ */
