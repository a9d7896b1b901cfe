
/*
 * Copyright (C) rs-gateway contributors
 *
 * Inside of the usage counters; for turn_usage*.c only.
 */


#ifndef _TURN_USAGE_IMPL_H_INCLUDED_
#define _TURN_USAGE_IMPL_H_INCLUDED_


#include "turn_hash.h"
#include "turn_usage.h"


typedef enum {
    TURN_USE_OPEN = 0,
    TURN_USE_CLOSED,              /* over; its total may follow */
    TURN_USE_DONE                 /* nothing follows; until acknowledged */
} turn_use_e;


typedef struct turn_use_ses_s  turn_use_ses_t;


/* an allocation */

typedef struct {
    turn_hnode_t        node;         /* by id, until done */
    turn_list_t         in_ses;
    turn_list_t         in_wait;      /* orphans, closed or done; or none */
    turn_use_ses_t     *ses;
    uint64_t            id;
    uint64_t            started_at;   /* s */
    uint64_t            closed_at;    /* ms */
    turn_usage_count_t  count;        /* the greater of the two, or the total */
    turn_usage_count_t  added;
    turn_usage_count_t  seen;         /* by a listing */
    turn_use_e          state;
    unsigned            total:1;      /* count is coturn's total */
    unsigned            orphan:1;     /* of the file, not claimed yet */
    unsigned            dirty:1;      /* count was not sent */
    unsigned            under_way:1;
    unsigned            useless:1;    /* upstream does not want it */
    char                par[RS_ID_LEN];
} turn_use_t;


struct turn_use_ses_s {
    turn_hnode_t        node;
    turn_hpnode_t       due;          /* ms; not in the heap: nothing is */
    turn_list_t         uses;
    turn_usage_t       *usage;
    unsigned            under_way:1;
    uint8_t             tenant_len;
    char                tenant[RS_TENANT_MAX];
    char                id[RS_ID_LEN];
};


struct turn_usage_s {
    turn_usage_conf_t   conf;
    char               *relay;
    turn_hash_t         uses;         /* open and closed, by id */
    turn_hash_t         sessions;
    turn_heap_t         due;
    turn_list_t         orphans;
    turn_list_t         closed;       /* oldest first */
    turn_list_t         done;         /* oldest first */
    uint64_t            now;          /* the last one told */
    uint64_t            paused;       /* ms: no calls before */
    uint64_t            pause;        /* ms */
    size_t              n;
    turn_usage_stat_t   stat;

    /* the file */

    char               *path;         /* NULL: none */
    char               *next;         /* its successor */
    int                 fd;
    size_t              lines;
    size_t              len;
    char                buf[8192];
};


/* turn_usage.c */

/* finds or makes it; NULL: full */
turn_use_t *turn_use_create(turn_usage_t *u, uint64_t id,
    const rs_turn_user_t *user, uint64_t started_at);
void turn_use_done(turn_usage_t *u, turn_use_t *use);
void turn_use_free(turn_usage_t *u, turn_use_t *use);
turn_use_t *turn_use_find(const turn_usage_t *u, uint64_t id);

/* turn_usage_file.c; a failure is logged once and costs only the file */

/* 1, or 0 and error */
int turn_usage_file_open(turn_usage_t *u, char *error);
void turn_usage_file_close(turn_usage_t *u);
void turn_usage_file_begun(turn_usage_t *u, const turn_use_t *use);
void turn_usage_file_total(turn_usage_t *u, const turn_use_t *use);
void turn_usage_file_over(turn_usage_t *u, const turn_use_t *use);
void turn_usage_file_flush(turn_usage_t *u);


#endif /* _TURN_USAGE_IMPL_H_INCLUDED_ */
