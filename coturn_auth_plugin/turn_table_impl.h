
/*
 * Copyright (C) rs-gateway contributors
 *
 * Inside of the table; for turn_table*.c only.
 */


#ifndef _TURN_TABLE_IMPL_H_INCLUDED_
#define _TURN_TABLE_IMPL_H_INCLUDED_


#include "rs_bucket.h"
#include "turn_hash.h"
#include "turn_table.h"


/* s: coturn says "started N secs ago", by a clock it reads now and then */
#define TURN_TABLE_SAME       10

#define TURN_TABLE_LATE       2       /* s, by the same clock */

/* s: coturn's threads tell of allocations each for itself */
#define TURN_TABLE_ORDER      5

#define TURN_TABLE_FREED_MAX  4096    /* during one ps */
#define TURN_TABLE_AT_MAX     (UINT64_MAX / 4000)   /* s: no product wraps */


typedef enum {
    TURN_SES_NONE = 0,            /* never heard of, or only of revocations */
    TURN_SES_LIVE,
    TURN_SES_EXPIRED,             /* by its own time: a later one revives it */
    TURN_SES_ENDED                /* for good */
} turn_ses_state_e;


typedef struct {
    turn_hnode_t        node;
    turn_list_t         sessions;
    uint64_t            begin;        /* seq at the begin of its listing */
    uint64_t            listed;       /* round of the last complete one */
    unsigned            listing:1;
    uint8_t             len;
    char                name[RS_TENANT_MAX];
} turn_tenant_t;


typedef struct {
    turn_hnode_t        node;
    turn_hpnode_t       due;          /* ms */
    turn_list_t         in_tenant;
    turn_list_t         in_asks;      /* to_ask, asked or none */
    turn_list_t         in_tombs;
    turn_list_t         pars;

    turn_tenant_t      *tenant;
    turn_ses_state_e    state;
    uint64_t            expires_at;   /* s */
    uint64_t            seen;         /* seq when it was last said to live */
    uint64_t            asked_at;     /* ms; 0: no question */
    unsigned            npars;
    unsigned            nallocs;      /* all of them */
    unsigned            crowded:1;    /* a revocation found no room */
    unsigned            has_host:1;
    char                id[RS_ID_LEN];
    char                host[RS_ID_LEN];
    char                ask_par[RS_ID_LEN];
} turn_ses_t;


typedef struct {
    turn_list_t         in_ses;
    turn_list_t         allocs;
    turn_ses_t         *ses;
    uint64_t            until;        /* s, revoked; 0: not */
    uint64_t            newest;       /* expiry of its newest user name */
    uint64_t            newest_at;    /* s, when it was used first */
    uint64_t            before;       /* what newest was until then */
    unsigned            nallocs;      /* neither doomed nor dying */
    char                id[RS_ID_LEN];
} turn_par_t;


typedef struct {
    turn_hnode_t        node;
    turn_list_t         in_par;
    turn_list_t         in_queue;     /* of the doomed, or of the dying */
    turn_par_t         *par;          /* NULL: user name not of our form */
    uint64_t            id;
    uint64_t            user;         /* hash of the user name */
    uint64_t            expiry;       /* in the user name, s */
    uint64_t            started_at;   /* s */
    uint64_t            doomed_at;    /* ms */
    uint64_t            ps;           /* last ps that knew it */
    unsigned            tries;
    turn_alloc_state_e  state;
    turn_verdict_e      why;
    unsigned            adopted:1;    /* found by ps */
} turn_alloc_t;


struct turn_table_s {
    turn_table_conf_t   conf;
    rs_str_t           *served;

    turn_hash_t         tenants;
    turn_hash_t         sessions;
    turn_hash_t         allocs;
    turn_heap_t         due;
    turn_list_t         to_ask;
    turn_list_t         asked;
    turn_list_t         tombs;        /* oldest first */
    turn_list_t         doomed[2];
    turn_list_t         dying;
    rs_bucket_t         asks;

    uint64_t            seq;
    uint64_t            changes;      /* of what a snapshot holds */
    uint64_t            round;
    uint64_t            synced_at;    /* ms */

    uint64_t            ps;
    uint64_t            ps_began;     /* s, the one that runs */
    uint64_t            ps_at;        /* s, the last complete one; 0: none */
    unsigned            ps_runs:1;
    unsigned            ps_blind:1;   /* freed did not hold all */
    size_t              nfreed;
    uint64_t            freed[TURN_TABLE_FREED_MAX];

    size_t              nasks;
    turn_table_stat_t   stat;
};


/* turn_table.c */

turn_tenant_t *turn_tenant_find(turn_table_t *t, rs_str_t name);
turn_tenant_t *turn_tenant_get(turn_table_t *t, rs_str_t name);
void turn_tenant_tidy(turn_table_t *t, turn_tenant_t *tenant);
turn_ses_t *turn_ses_find(turn_table_t *t, rs_str_t tenant, rs_str_t ses);
/* finds or makes one; NULL: full */
turn_ses_t *turn_ses_get(turn_table_t *t, rs_str_t tenant, rs_str_t ses,
    uint64_t now);
turn_par_t *turn_par_find(turn_ses_t *s, rs_str_t par);
turn_par_t *turn_par_get(turn_table_t *t, turn_ses_t *s, rs_str_t par,
    uint64_t now);
int turn_table_serves(const turn_table_t *t, rs_str_t tenant);
void turn_ses_set(turn_table_t *t, turn_ses_t *s, turn_ses_state_e state);
/* sets when it is due: 1: that is in the future; 0: nothing keeps it */
int turn_ses_due(turn_table_t *t, turn_ses_t *s, uint64_t now);
/* ended or expired; it may be gone afterwards */
void turn_ses_over(turn_table_t *t, turn_ses_t *s, turn_ses_state_e state,
    uint64_t now);
/* drops it when nothing is worth keeping */
void turn_ses_tidy(turn_table_t *t, turn_ses_t *s, uint64_t now);
void turn_table_wake(turn_table_t *t);
rs_str_t turn_ses_tenant(const turn_ses_t *s);

/* turn_table_sync.c */

/* joins the questions; 0: too many */
int turn_ses_ask(turn_table_t *t, turn_ses_t *s, rs_str_t par, uint64_t now);
void turn_ses_unask(turn_table_t *t, turn_ses_t *s);

/* turn_table_alloc.c */

void turn_alloc_doom(turn_table_t *t, turn_alloc_t *a, turn_verdict_e why,
    uint64_t now);
void turn_par_doom(turn_table_t *t, turn_par_t *par, turn_verdict_e why,
    uint64_t now);
void turn_ses_doom(turn_table_t *t, turn_ses_t *s, turn_verdict_e why,
    uint64_t now);
/* its session lives now: those that waited are looked at again */
void turn_ses_settle(turn_table_t *t, turn_ses_t *s, uint64_t now);
void turn_alloc_free(turn_table_t *t, turn_alloc_t *a);


#endif /* _TURN_TABLE_IMPL_H_INCLUDED_ */
