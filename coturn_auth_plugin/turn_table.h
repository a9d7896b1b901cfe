
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the plugin knows: sessions that live or have ended, participants that
 * were revoked, coturn's allocations, and the verdict on a user name.  Pure
 * state: no I/O, the clock is an argument (milliseconds since the epoch,
 * "now"), everything bounded.  docs/design/turn.md, "The table".
 *
 *     tenant --- session --- participant --- allocation
 *                (due: heap)  (newest, until)  (state, doomed queue)
 *
 * Nothing here is called back while it works on the table: what has to be
 * done is queued and fetched (turn_table_next_doomed(), turn_table_next_ask()),
 * and the one callback, wake(), only says that there is something to fetch.
 */


#ifndef _TURN_TABLE_H_INCLUDED_
#define _TURN_TABLE_H_INCLUDED_


#include "rs_turn_cred.h"


typedef struct turn_table_s  turn_table_t;


/* on a user name, or why an allocation is ended */

typedef enum {
    TURN_V_OK = 0,
    TURN_V_BAD_GRAMMAR,
    TURN_V_OTHER_TENANT,
    TURN_V_UNKNOWN_SESSION,
    TURN_V_ENDED,                 /* session ended, or its time is over */
    TURN_V_REVOKED,               /* participant */
    TURN_V_EXPIRED,               /* the credential */
    TURN_V_TOO_FAR,               /* its expiry is beyond the cap */
    TURN_V_SUPERSEDED,            /* a newer user name has been used */
    TURN_V_OVER_QUOTA,
    TURN_V_STALE,                 /* upstream silent beyond the limit */
    TURN_V_FULL,                  /* a table is full: refused */
    TURN_V_POLICY,                /* allocations only: a peer is denied now */
    TURN_V_CHECK,                 /* allocations only: it was tried, /check */

    TURN_V_MAX                    /* one past the last */
} turn_verdict_e;

/* "ok", "bad_grammar", ... as metrics and logs say it; never NULL */
const char *turn_verdict_name(turn_verdict_e v);


typedef struct {
    unsigned          quota;          /* of a participant; 0: none */
    unsigned          host_quota;     /* of the session's host */
    uint64_t          credential_ttl_s;
    uint64_t          skew_s;
    uint64_t          stale_limit_s;  /* 0: never stale */

    /* bounds; 0: the default in brackets */

    size_t            max_sessions;   /* live and tombstones [131072] */
    size_t            max_allocs;     /* [65536] */
    size_t            max_tenants;    /* [4096] */
    size_t            max_participants;  /* of one session [256] */
    size_t            max_asks;       /* questions to upstream [1024] */

    int               alone;          /* no upstream: all sessions live */

    uint64_t          seed;           /* of the hash tables: random */

    const rs_str_t   *tenants;        /* served; copied */
    size_t            ntenants;       /* 0: all */

    /*
     * Something was queued: fetch it, later, not from within.  May be NULL.
     */

    void            (*wake)(void *data);
    void             *data;
} turn_table_conf_t;


/* NULL: no memory */
turn_table_t *turn_table_create(const turn_table_conf_t *conf);
void turn_table_destroy(turn_table_t *t);

/* quotas and times of conf; bounds, seed and tenants stay */
void turn_table_reconf(turn_table_t *t, const turn_table_conf_t *conf);


/*
 * Sessions.  Ids with prefix ("ses_...", "par_..."), instants in seconds.
 *
 * RS_OK; RS_E_INVALID_VALUE: malformed, ignored; RS_E_FORBIDDEN: a tenant
 * that is not served, ignored; RS_E_LIMIT_REACHED: the table is full (or no
 * memory).  A live that is refused leaves the session unknown.  An end or a
 * revocation that cannot be stored has ended what was there, and is lost as a
 * tombstone only.
 */

/*
 * A session lives; from an event, a listing, an answer or the snapshot.
 * Ignored when it has ended, or is overdue: that is sticky.  host_par: empty
 * for none.  Known already: the later expires_at holds.
 */
rs_err_e turn_table_live(turn_table_t *t, rs_str_t tenant, rs_str_t ses,
    uint64_t expires_at, rs_str_t host_par, uint64_t now);

/* it has ended: a tombstone until expires_at, its allocations are doomed */
rs_err_e turn_table_end(turn_table_t *t, rs_str_t tenant, rs_str_t ses,
    uint64_t expires_at, uint64_t now);

/* a participant was revoked or has left: until then no allocations of it */
rs_err_e turn_table_revoke(turn_table_t *t, rs_str_t tenant, rs_str_t ses,
    rs_str_t par, uint64_t until, uint64_t now);

/* upstream does not know it: allocations that waited for it are doomed */
rs_err_e turn_table_unknown(turn_table_t *t, rs_str_t tenant, rs_str_t ses,
    uint64_t now);


/*
 * Resync.  A round goes through the tenants; a tenant's listing is complete
 * when it was read from its first page to its last.  What lived before the
 * listing of its tenant began and was not in it has ended; a tenant that was
 * missed, or whose listing broke off, loses nothing.
 *
 *     turn_table_round_begin()
 *         turn_table_tenant_begin(tenant)
 *             turn_table_live() / _revoke() for each entry
 *         turn_table_tenant_end(tenant, complete)
 *     turn_table_round_end(complete)
 *
 * One round at a time; a new one abandons the one before.  Several tenants
 * may be listed at the same time.
 */
void turn_table_round_begin(turn_table_t *t);
rs_err_e turn_table_tenant_begin(turn_table_t *t, rs_str_t tenant);
void turn_table_tenant_end(turn_table_t *t, rs_str_t tenant, int complete,
    uint64_t now);
/* complete: every tenant was listed; from now on the table is not stale */
void turn_table_round_end(turn_table_t *t, int complete, uint64_t now);

/* 1: no complete round within stale_limit_s (or none ever) */
int turn_table_stale(const turn_table_t *t, uint64_t now);
/* of the last complete round, ms; 0: none.  The setter is for a snapshot */
uint64_t turn_table_synced_at(const turn_table_t *t);
void turn_table_set_synced_at(turn_table_t *t, uint64_t at);


/*
 * Questions for upstream: sessions that were never heard of and have an
 * allocation or an attempt.  1: *ask is set, and is not given again before
 * the end of the next round; 0: none.  Valid until the table changes.
 * Answer with one of turn_table_live(), _end(), _revoke(), _unknown(); an
 * answer that never comes is asked for after the next round.
 */
typedef struct {
    rs_str_t          tenant;
    rs_str_t          session_id;
    rs_str_t          participant_id;
} turn_ask_t;

int turn_table_next_ask(turn_table_t *t, turn_ask_t *ask);


/*
 * Verdict on a user name that asks for a key (strict mode).  Changes nothing
 * but the queue of questions, which a session that is not known joins (with
 * a bucket of 50 a second: anybody can ask).  user, if not NULL, is set
 * unless the verdict is TURN_V_BAD_GRAMMAR; slices of username.
 */
turn_verdict_e turn_table_verdict(turn_table_t *t, rs_str_t username,
    rs_turn_user_t *user, uint64_t now);


/*
 * Allocations, by coturn's number.
 *
 * turn_table_alloc(): coturn has authenticated and made one.  The verdict is
 * that of turn_table_verdict() with this allocation counted; not TURN_V_OK:
 * it is doomed already.  A session that is not known gives TURN_V_OK for now:
 * the allocation waits for the answer.  TURN_V_FULL: not stored; end it by
 * its number.  A number that is known already: coturn has started anew, the
 * old one is gone; but one with the same user name that began within 10 s is
 * the same, and nothing changes.
 */
turn_verdict_e turn_table_alloc(turn_table_t *t, uint64_t id,
    rs_str_t username, uint64_t now);

/* it is gone (deleted event).  1: it was known */
int turn_table_free(turn_table_t *t, uint64_t id);

/*
 * Listing of coturn's own (ps).  What was there before begin and is not seen
 * has gone; what is seen and was not known is adopted: like
 * turn_table_alloc(), but it may be older than the newest user name, unless
 * it began after the last complete listing.
 * complete 0: the listing broke off or was cut, nothing has gone.
 * gone, if not NULL, is called for each that has.
 */
typedef void (*turn_table_gone_pt)(void *data, uint64_t id);

void turn_table_ps_begin(turn_table_t *t, uint64_t now);
turn_verdict_e turn_table_ps_seen(turn_table_t *t, uint64_t id,
    rs_str_t username, uint64_t started_at, uint64_t now);
void turn_table_ps_end(turn_table_t *t, int complete,
    turn_table_gone_pt gone, void *data);

/* coturn is another one than before: all of them are gone */
void turn_table_ps_reset(turn_table_t *t, turn_table_gone_pt gone, void *data);


typedef enum {
    TURN_ALLOC_LIVE = 0,
    TURN_ALLOC_WAITS,             /* for what upstream says of its session */
    TURN_ALLOC_DOOMED,            /* queued */
    TURN_ALLOC_DYING              /* fetched: the reaper is at it */
} turn_alloc_state_e;


typedef struct {
    uint64_t            id;
    turn_alloc_state_e  state;
    turn_verdict_e      why;          /* doomed, dying */
    uint64_t            doomed_at;    /* ms, doomed, dying */
    uint64_t            started_at;   /* s */
    unsigned            tries;        /* times it was fetched */
    /* empty when its user name is not of our form */
    rs_str_t            tenant;
    rs_str_t            session_id;
    rs_str_t            participant_id;
    char                ids[2][RS_ID_LEN];
} turn_alloc_info_t;

/* 1: known, *info is set (and points into itself and into the table) */
int turn_table_find(turn_table_t *t, uint64_t id, turn_alloc_info_t *info);

/* ends one; nothing when it is not known or doomed already */
void turn_table_doom(turn_table_t *t, uint64_t id, turn_verdict_e why,
    uint64_t now);

/*
 * Next allocation to end, sessions' ends before everything else, then in the
 * order they were doomed.  1: *info; it is dying until turn_table_free() or
 * turn_table_retry().
 */
int turn_table_next_doomed(turn_table_t *t, turn_alloc_info_t *info);
/* back to the end of its queue; id 0: all that are dying */
void turn_table_retry(turn_table_t *t, uint64_t id);


/* ends what is due, drops what is over; bounded work, call again if due */
void turn_table_tick(turn_table_t *t, uint64_t now);
/* instant (ms) of the next thing that is due; UINT64_MAX: nothing */
uint64_t turn_table_due(const turn_table_t *t);


/* for the snapshot: sessions, then participants with something to remember */

typedef enum {
    TURN_ENTRY_LIVE,              /* at: expires_at, par: host or empty */
    TURN_ENTRY_ENDED,             /* at: expires_at */
    TURN_ENTRY_REVOKED,           /* at: until */
    TURN_ENTRY_NEWEST             /* at: expiry of the newest user name */
} turn_entry_e;

typedef struct {
    turn_entry_e        type;
    rs_str_t            tenant;
    rs_str_t            session_id;
    rs_str_t            participant_id;
    uint64_t            at;           /* s */
} turn_entry_t;

/* the table must not be changed by entry(); slices valid during the call */
void turn_table_walk(const turn_table_t *t,
    void (*entry)(void *data, const turn_entry_t *e), void *data);

/* puts one back; as the four above.  Not a listing: nothing is swept by it */
rs_err_e turn_table_restore(turn_table_t *t, const turn_entry_t *e,
    uint64_t now);


/* grows with each change of what turn_table_walk() and synced_at give */
uint64_t turn_table_changes(const turn_table_t *t);


typedef struct {
    size_t              live;         /* sessions */
    size_t              tombstones;
    size_t              asked;        /* sessions not known, waiting */
    size_t              participants;
    size_t              tenants;
    size_t              allocs;
    size_t              waiting;
    size_t              doomed;       /* and dying */
    uint64_t            full;         /* refused by a bound */
    uint64_t            ended[TURN_V_MAX];  /* allocations doomed, by why */
} turn_table_stat_t;

void turn_table_stat(const turn_table_t *t, turn_table_stat_t *stat);


#endif /* _TURN_TABLE_H_INCLUDED_ */
