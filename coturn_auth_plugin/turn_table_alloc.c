
/*
 * Copyright (C) rs-gateway contributors
 *
 * The table's allocations: verdicts, quotas, the queue of those to end, and
 * what coturn's own listing says.
 *
 * LIVE -> DOOMED (queued) -> DYING (the reaper's) -> freed; WAITS stands in
 * front of LIVE while upstream is asked.  A doomed one counts in no quota.
 */


#include "turn_table_impl.h"

#include <stdlib.h>
#include <string.h>


static turn_verdict_e turn_user_verdict(turn_table_t *t,
    const rs_turn_user_t *user, turn_ses_t *s, turn_par_t *p, uint64_t at,
    uint64_t now);
static turn_verdict_e turn_check_verdict(const turn_table_t *t,
    const rs_turn_user_t *user, uint64_t now);
static int turn_par_superseded(const turn_par_t *p, uint64_t expiry,
    uint64_t at);
static void turn_par_uses(turn_table_t *t, turn_par_t *p, uint64_t expiry,
    uint64_t at);
static turn_verdict_e turn_alloc_judge(turn_table_t *t, turn_alloc_t *a,
    rs_str_t username, uint64_t now);
static turn_verdict_e turn_alloc_add(turn_table_t *t, uint64_t id,
    rs_str_t username, uint64_t started_at, int adopted, uint64_t now);
static turn_alloc_t *turn_alloc_find(turn_table_t *t, uint64_t id);
static int turn_alloc_is(turn_table_t *t, turn_alloc_t *a, rs_str_t username,
    uint64_t started_at);
static void turn_alloc_counts(turn_table_t *t, turn_alloc_t *a,
    turn_alloc_state_e state);
static void turn_alloc_info(turn_alloc_t *a, turn_alloc_info_t *info);
static int turn_alloc_rank(const turn_alloc_t *a);
static void turn_alloc_requeue(turn_table_t *t, turn_alloc_t *a);
static int turn_table_was_freed(turn_table_t *t, uint64_t id);


static const char *const  turn_verdicts[] = {
    "ok", "bad_grammar", "other_tenant", "unknown_session", "ended",
    "revoked", "expired", "too_far", "superseded", "over_quota", "stale",
    "full", "policy", "check"
};


const char *
turn_verdict_name(turn_verdict_e v)
{
    return ((unsigned) v < TURN_V_MAX) ? turn_verdicts[v] : "unknown";
}


/* ---- verdicts */


/*
 * Allocations made one after the other may be told of in another order, by two
 * threads of coturn, or by a listing: for a while the name used before counts
 * as well.
 */

static int
turn_par_superseded(const turn_par_t *p, uint64_t expiry, uint64_t at)
{
    return expiry < ((at > p->newest_at + TURN_TABLE_ORDER) ? p->newest
                                                            : p->before);
}


static void
turn_par_uses(turn_table_t *t, turn_par_t *p, uint64_t expiry, uint64_t at)
{
    if (expiry <= p->newest) {
        return;
    }

    if (at > p->newest_at + TURN_TABLE_ORDER) {
        p->before = p->newest;
    }

    p->newest = expiry;
    p->newest_at = at;
    t->changes++;
}


/*
 * Of a session that lives, for an allocation of this second.  One found by ps
 * was let in at its time, at 0 here: only what holds for ever is asked again.
 */

static turn_verdict_e
turn_user_verdict(turn_table_t *t, const rs_turn_user_t *user, turn_ses_t *s,
    turn_par_t *p, uint64_t at, uint64_t now)
{
    int       host;
    uint64_t  cap;
    unsigned  quota;

    cap = now / 1000 + t->conf.credential_ttl_s;
    cap = (cap > s->expires_at) ? cap : s->expires_at;

    if (user->expires_at > cap + t->conf.skew_s) {
        return TURN_V_TOO_FAR;
    }

    if (p == NULL) {
        return s->crowded ? TURN_V_REVOKED : TURN_V_OK;
    }

    if (p->until * 1000 > now) {
        return TURN_V_REVOKED;
    }

    if (at && turn_par_superseded(p, user->expires_at, at)) {
        return TURN_V_SUPERSEDED;
    }

    host = s->has_host && memcmp(s->host, p->id, RS_ID_LEN) == 0;
    quota = host ? t->conf.host_quota : t->conf.quota;

    return (quota && p->nallocs >= quota) ? TURN_V_OVER_QUOTA : TURN_V_OK;
}


/* its session is nobody's, so nothing but its time can be wrong */

static turn_verdict_e
turn_check_verdict(const turn_table_t *t, const rs_turn_user_t *user,
    uint64_t now)
{
    return (user->expires_at > now / 1000 + RS_TURN_CHECK_TTL
                               + t->conf.skew_s)
           ? TURN_V_TOO_FAR : TURN_V_OK;
}


turn_verdict_e
turn_table_verdict(turn_table_t *t, rs_str_t username, rs_turn_user_t *user,
    uint64_t now)
{
    turn_ses_t      *s;
    rs_turn_user_t   u;

    if (rs_turn_user_parse(username, &u) != RS_OK) {
        return TURN_V_BAD_GRAMMAR;
    }

    if (user != NULL) {
        *user = u;
    }

    if (!turn_table_serves(t, u.tenant)) {
        return TURN_V_OTHER_TENANT;
    }

    if (turn_table_stale(t, now)) {
        return TURN_V_STALE;
    }

    if (u.expires_at < now / 1000) {
        return TURN_V_EXPIRED;
    }

    if (rs_turn_user_is_check(&u)) {
        return turn_check_verdict(t, &u, now);
    }

    s = turn_ses_find(t, u.tenant, u.session_id);

    if (s == NULL || s->state == TURN_SES_NONE) {
        if ((s == NULL || !s->asked_at) && t->nasks < t->conf.max_asks
            && rs_bucket_take(&t->asks, 1, now))
        {
            s = turn_ses_get(t, u.tenant, u.session_id, now);

            if (s != NULL) {
                (void) turn_ses_ask(t, s, u.participant_id, now);
            }
        }

        return TURN_V_UNKNOWN_SESSION;
    }

    if (s->state != TURN_SES_LIVE || s->expires_at * 1000 <= now) {
        return TURN_V_ENDED;
    }

    return turn_user_verdict(t, &u, s, turn_par_find(s, u.participant_id),
                             now / 1000, now);
}


/* a is in the table, counted nowhere yet; OK: it lives or waits */

static turn_verdict_e
turn_alloc_judge(turn_table_t *t, turn_alloc_t *a, rs_str_t username,
    uint64_t now)
{
    turn_ses_t      *s;
    turn_par_t      *p;
    rs_turn_user_t   u;
    turn_verdict_e   v;

    if (rs_turn_user_parse(username, &u) != RS_OK) {
        return TURN_V_BAD_GRAMMAR;
    }

    if (!turn_table_serves(t, u.tenant)) {
        return TURN_V_OTHER_TENANT;
    }

    if (!a->adopted) {
        if (turn_table_stale(t, now)) {
            return TURN_V_STALE;
        }

        /* one that was listed may have begun a while ago */

        if (u.expires_at + t->conf.skew_s < a->started_at) {
            return TURN_V_EXPIRED;
        }
    }

    /* it was let in, which is all that was to be known */

    if (rs_turn_user_is_check(&u)) {
        return TURN_V_CHECK;
    }

    a->expiry = u.expires_at;
    s = turn_ses_get(t, u.tenant, u.session_id, now);

    if (s == NULL) {
        return TURN_V_FULL;
    }

    p = turn_par_find(s, u.participant_id);

    if (p == NULL && !s->crowded) {
        p = turn_par_get(t, s, u.participant_id, now);
    }

    if (p == NULL) {
        v = s->crowded ? TURN_V_REVOKED : TURN_V_FULL;
        turn_ses_tidy(t, s, now);
        return v;
    }

    a->par = p;
    turn_list_add(&p->allocs, &a->in_par);
    s->nallocs++;

    if (s->state == TURN_SES_NONE) {
        if (p->until * 1000 > now) {
            return TURN_V_REVOKED;
        }

        if (t->conf.alone) {
            return TURN_V_OK;
        }

        a->state = TURN_ALLOC_WAITS;

        return turn_ses_ask(t, s, u.participant_id, now) ? TURN_V_OK
                                                         : TURN_V_FULL;
    }

    if (s->state != TURN_SES_LIVE || s->expires_at * 1000 <= now) {
        return TURN_V_ENDED;
    }

    v = turn_user_verdict(t, &u, s, p, a->adopted ? 0 : a->started_at, now);

    if (v == TURN_V_OK) {
        turn_par_uses(t, p, u.expires_at, a->started_at);
    }

    return v;
}


/* ---- allocations */


static turn_alloc_t *
turn_alloc_find(turn_table_t *t, uint64_t id)
{
    turn_alloc_t  *a;
    turn_hnode_t  *node;

    node = turn_hash_first(&t->allocs, turn_hash_u64(t->conf.seed, id));

    for ( /* void */ ; node != NULL; node = turn_hash_next(node)) {
        a = TURN_OF(node, turn_alloc_t, node);

        if (a->id == id) {
            return a;
        }
    }

    return NULL;
}


/* moves the counts from its state to the new one */

static void
turn_alloc_counts(turn_table_t *t, turn_alloc_t *a, turn_alloc_state_e state)
{
    if (a->state == TURN_ALLOC_WAITS) {
        t->stat.waiting--;

    } else if (a->state != TURN_ALLOC_LIVE) {
        t->stat.doomed--;
    }

    if (a->state <= TURN_ALLOC_WAITS && state > TURN_ALLOC_WAITS
        && a->par != NULL)
    {
        a->par->nallocs--;
    }

    if (state == TURN_ALLOC_WAITS) {
        t->stat.waiting++;

    } else if (state != TURN_ALLOC_LIVE) {
        t->stat.doomed++;
    }

    a->state = state;
}


static turn_verdict_e
turn_alloc_add(turn_table_t *t, uint64_t id, rs_str_t username,
    uint64_t started_at, int adopted, uint64_t now)
{
    turn_alloc_t    *a;
    turn_verdict_e   v;

    if (t->allocs.n >= t->conf.max_allocs) {
        t->stat.full++;
        return TURN_V_FULL;
    }

    a = calloc(1, sizeof(*a));

    if (a == NULL) {
        return TURN_V_FULL;
    }

    if (!turn_hash_add(&t->allocs, &a->node,
                       turn_hash_u64(t->conf.seed, id)))
    {
        free(a);
        return TURN_V_FULL;
    }

    turn_list_init(&a->in_par);
    turn_list_init(&a->in_queue);
    a->id = id;
    a->user = turn_hash_str(t->conf.seed, username);
    a->started_at = started_at;
    a->adopted = adopted ? 1 : 0;
    a->ps = t->ps;

    v = turn_alloc_judge(t, a, username, now);

    /* from "nowhere" into the counts of its first state */

    if (a->state == TURN_ALLOC_WAITS) {
        t->stat.waiting++;
    }

    if (a->par != NULL) {
        a->par->nallocs++;
    }

    if (v != TURN_V_OK) {
        turn_alloc_doom(t, a, v, now);
    }

    return v;
}


/* coturn counts from one again when it has started anew */

static int
turn_alloc_is(turn_table_t *t, turn_alloc_t *a, rs_str_t username,
    uint64_t started_at)
{
    return a->user == turn_hash_str(t->conf.seed, username)
           && a->started_at <= started_at + TURN_TABLE_SAME
           && started_at <= a->started_at + TURN_TABLE_SAME;
}


turn_verdict_e
turn_table_alloc(turn_table_t *t, uint64_t id, rs_str_t username,
    uint64_t now)
{
    turn_alloc_t  *a;

    a = turn_alloc_find(t, id);

    if (a != NULL) {
        if (turn_alloc_is(t, a, username, now / 1000)) {
            return (a->state >= TURN_ALLOC_DOOMED) ? a->why : TURN_V_OK;
        }

        turn_alloc_free(t, a);
    }

    return turn_alloc_add(t, id, username, now / 1000, 0, now);
}


void
turn_alloc_free(turn_table_t *t, turn_alloc_t *a)
{
    turn_alloc_counts(t, a, TURN_ALLOC_DYING);
    t->stat.doomed--;

    if (a->par != NULL) {
        a->par->ses->nallocs--;
    }

    turn_list_del(&a->in_par);
    turn_list_del(&a->in_queue);
    turn_hash_del(&t->allocs, &a->node);
    free(a);
}


int
turn_table_free(turn_table_t *t, uint64_t id)
{
    turn_alloc_t  *a;

    if (t->ps_runs) {
        if (t->nfreed < TURN_TABLE_FREED_MAX) {
            t->freed[t->nfreed++] = id;

        } else {
            t->ps_blind = 1;
        }
    }

    a = turn_alloc_find(t, id);

    if (a == NULL) {
        return 0;
    }

    turn_alloc_free(t, a);

    return 1;
}


/* ---- the doomed */


/* what has lost its right goes before what never had one */

static int
turn_alloc_rank(const turn_alloc_t *a)
{
    return !(a->why == TURN_V_ENDED || a->why == TURN_V_REVOKED);
}


void
turn_alloc_doom(turn_table_t *t, turn_alloc_t *a, turn_verdict_e why,
    uint64_t now)
{
    if (a->state >= TURN_ALLOC_DOOMED) {
        return;
    }

    turn_alloc_counts(t, a, TURN_ALLOC_DOOMED);
    a->why = why;
    a->doomed_at = now;
    t->stat.ended[why]++;

    turn_list_add(&t->doomed[turn_alloc_rank(a)], &a->in_queue);
    turn_table_wake(t);
}


void
turn_par_doom(turn_table_t *t, turn_par_t *par, turn_verdict_e why,
    uint64_t now)
{
    turn_list_t  *l;

    for (l = par->allocs.next; l != &par->allocs; l = l->next) {
        turn_alloc_doom(t, TURN_OF(l, turn_alloc_t, in_par), why, now);
    }
}


void
turn_ses_doom(turn_table_t *t, turn_ses_t *s, turn_verdict_e why,
    uint64_t now)
{
    turn_list_t  *l;

    for (l = s->pars.next; l != &s->pars; l = l->next) {
        turn_par_doom(t, TURN_OF(l, turn_par_t, in_ses), why, now);
    }
}


void
turn_ses_settle(turn_table_t *t, turn_ses_t *s, uint64_t now)
{
    turn_par_t      *p;
    turn_list_t     *l, *m;
    turn_alloc_t    *a;
    rs_turn_user_t   u;
    turn_verdict_e   v;

    memset(&u, 0, sizeof(u));

    for (l = s->pars.next; l != &s->pars; l = l->next) {
        p = TURN_OF(l, turn_par_t, in_ses);

        for (m = p->allocs.next; m != &p->allocs; m = m->next) {
            a = TURN_OF(m, turn_alloc_t, in_par);

            if (a->state != TURN_ALLOC_WAITS) {
                continue;
            }

            /* counted already: the quota is asked without it */

            u.expires_at = a->expiry;
            p->nallocs--;
            v = turn_user_verdict(t, &u, s, p,
                                  a->adopted ? 0 : a->started_at, now);
            p->nallocs++;

            if (v != TURN_V_OK) {
                turn_alloc_doom(t, a, v, now);
                continue;
            }

            turn_alloc_counts(t, a, TURN_ALLOC_LIVE);
            turn_par_uses(t, p, a->expiry, a->started_at);
            t->changes++;
        }
    }
}


void
turn_table_doom(turn_table_t *t, uint64_t id, turn_verdict_e why,
    uint64_t now)
{
    turn_alloc_t  *a;

    a = turn_alloc_find(t, id);

    if (a != NULL) {
        turn_alloc_doom(t, a, why, now);
    }
}


static void
turn_alloc_info(turn_alloc_t *a, turn_alloc_info_t *info)
{
    memset(info, 0, sizeof(*info));

    info->id = a->id;
    info->state = a->state;
    info->why = a->why;
    info->doomed_at = a->doomed_at;
    info->started_at = a->started_at;
    info->tries = a->tries;

    if (a->par != NULL) {
        memcpy(info->ids[0], a->par->ses->id, RS_ID_LEN);
        memcpy(info->ids[1], a->par->id, RS_ID_LEN);
        info->tenant = turn_ses_tenant(a->par->ses);
        info->session_id = (rs_str_t) { (uint8_t *) info->ids[0], RS_ID_LEN };
        info->participant_id = (rs_str_t) { (uint8_t *) info->ids[1],
                                            RS_ID_LEN };
    }
}


int
turn_table_find(turn_table_t *t, uint64_t id, turn_alloc_info_t *info)
{
    turn_alloc_t  *a;

    a = turn_alloc_find(t, id);

    if (a == NULL) {
        return 0;
    }

    turn_alloc_info(a, info);

    return 1;
}


int
turn_table_next_doomed(turn_table_t *t, turn_alloc_info_t *info)
{
    turn_list_t   *queue;
    turn_alloc_t  *a;

    queue = &t->doomed[turn_list_empty(&t->doomed[0]) ? 1 : 0];

    if (turn_list_empty(queue)) {
        return 0;
    }

    a = TURN_OF(queue->next, turn_alloc_t, in_queue);
    turn_list_del(&a->in_queue);
    turn_list_add(&t->dying, &a->in_queue);
    turn_alloc_counts(t, a, TURN_ALLOC_DYING);
    a->tries++;
    turn_alloc_info(a, info);

    return 1;
}


static void
turn_alloc_requeue(turn_table_t *t, turn_alloc_t *a)
{
    turn_list_del(&a->in_queue);
    turn_list_add(&t->doomed[turn_alloc_rank(a)], &a->in_queue);
    turn_alloc_counts(t, a, TURN_ALLOC_DOOMED);
    turn_table_wake(t);
}


void
turn_table_retry(turn_table_t *t, uint64_t id)
{
    turn_alloc_t  *a;

    if (id) {
        a = turn_alloc_find(t, id);

        if (a != NULL && a->state == TURN_ALLOC_DYING) {
            turn_alloc_requeue(t, a);
        }

        return;
    }

    while (!turn_list_empty(&t->dying)) {
        turn_alloc_requeue(t, TURN_OF(t->dying.next, turn_alloc_t, in_queue));
    }
}


/* ---- coturn's listing */


void
turn_table_ps_begin(turn_table_t *t, uint64_t now)
{
    t->ps++;
    t->ps_began = now / 1000;
    t->ps_runs = 1;
    t->ps_blind = 0;
    t->nfreed = 0;
}


static int
turn_table_was_freed(turn_table_t *t, uint64_t id)
{
    size_t  i;

    for (i = 0; i < t->nfreed; i++) {
        if (t->freed[i] == id) {
            return 1;
        }
    }

    return t->ps_blind;
}


turn_verdict_e
turn_table_ps_seen(turn_table_t *t, uint64_t id, rs_str_t username,
    uint64_t started_at, uint64_t now)
{
    int            adopted;
    turn_alloc_t  *a;

    a = turn_alloc_find(t, id);

    if (a != NULL) {
        if (turn_alloc_is(t, a, username, started_at)) {
            a->ps = t->ps;
            return (a->state >= TURN_ALLOC_DOOMED) ? a->why : TURN_V_OK;
        }

        turn_alloc_free(t, a);

    } else if (turn_table_was_freed(t, id)) {
        /* it has gone since coturn printed it */
        return TURN_V_OK;
    }

    /* younger than what was listed last: its event is late, or was lost */

    adopted = t->ps_at == 0 || started_at + TURN_TABLE_LATE < t->ps_at;

    return turn_alloc_add(t, id, username, started_at, adopted, now);
}


void
turn_table_ps_end(turn_table_t *t, int complete, turn_table_gone_pt gone,
    void *data)
{
    size_t         i;
    uint64_t       id;
    turn_hnode_t  *node, *next;
    turn_alloc_t  *a;

    t->ps_runs = 0;

    if (complete) {
        t->ps_at = t->ps_began;
    }

    for (i = 0; complete && i < t->allocs.size; i++) {
        for (node = t->allocs.buckets[i]; node != NULL; node = next) {
            next = node->next;
            a = TURN_OF(node, turn_alloc_t, node);

            if (a->ps != t->ps) {
                id = a->id;
                turn_alloc_free(t, a);

                if (gone != NULL) {
                    gone(data, id);
                }
            }
        }
    }
}


void
turn_table_ps_reset(turn_table_t *t, turn_table_gone_pt gone, void *data)
{
    t->ps++;
    turn_table_ps_end(t, 1, gone, data);
    t->ps_at = 0;
}
