
/*
 * Copyright (C) rs-gateway contributors
 *
 * The table's records of tenants, sessions and participants; time.
 *
 * A session's record is NONE (asked for, or known by a revocation only), LIVE,
 * EXPIRED or ENDED.  The last two are tombstones: they stay until the session
 * would be over anyway, so that an old listing or a late event brings nothing
 * back.  When all records are taken the oldest tombstone makes room; when
 * there is none, the new session is refused and stays unknown, which is a
 * verdict against it.
 */


#include "turn_table_impl.h"

#include <stdlib.h>
#include <string.h>


#define TURN_MAX_SESSIONS      131072
#define TURN_MAX_ALLOCS        65536
#define TURN_MAX_TENANTS       4096
#define TURN_MAX_PARTICIPANTS  256
#define TURN_MAX_ASKS          1024

#define TURN_ASK_RATE          50      /* a second, strict */
#define TURN_ASK_KEPT          60000   /* ms, a question without allocation */
#define TURN_RECHECK           5000    /* ms, a tombstone with allocations */
#define TURN_TICK_MAX          4096    /* sessions in one call */


static void turn_table_conf(turn_table_t *t, const turn_table_conf_t *conf);
static void turn_ses_free(turn_table_t *t, turn_ses_t *s);
static void turn_ses_count(turn_table_t *t, turn_ses_state_e state, int n);
static uint64_t turn_ses_hash(turn_table_t *t, rs_str_t tenant, rs_str_t ses);
static void turn_par_free(turn_table_t *t, turn_par_t *par);
static int turn_par_idle(const turn_par_t *par, uint64_t now);
static void turn_ses_waits(turn_table_t *t, turn_ses_t *s, uint64_t now);


turn_table_t *
turn_table_create(const turn_table_conf_t *conf)
{
    size_t         i;
    uint8_t       *text;
    turn_table_t  *t;

    t = calloc(1, sizeof(*t));

    if (t == NULL) {
        return NULL;
    }

    turn_list_init(&t->to_ask);
    turn_list_init(&t->asked);
    turn_list_init(&t->tombs);
    turn_list_init(&t->doomed[0]);
    turn_list_init(&t->doomed[1]);
    turn_list_init(&t->dying);

    turn_table_conf(t, conf);
    t->conf.tenants = NULL;
    t->conf.ntenants = 0;
    rs_bucket_init(&t->asks, TURN_ASK_RATE, TURN_ASK_RATE, 0);

    if (conf->ntenants == 0) {
        return t;
    }

    /* one block: the slices, then their text */

    t->served = calloc(conf->ntenants, sizeof(rs_str_t) + RS_TENANT_MAX);

    if (t->served == NULL) {
        turn_table_destroy(t);
        return NULL;
    }

    text = (uint8_t *) (t->served + conf->ntenants);

    for (i = 0; i < conf->ntenants; i++) {
        t->served[i].data = text;
        t->served[i].len = conf->tenants[i].len;

        if (t->served[i].len > RS_TENANT_MAX) {
            t->served[i].len = RS_TENANT_MAX;
        }

        memcpy(text, conf->tenants[i].data, t->served[i].len);
        text += RS_TENANT_MAX;
    }

    t->conf.ntenants = conf->ntenants;

    return t;
}


static void
turn_table_conf(turn_table_t *t, const turn_table_conf_t *conf)
{
    t->conf = *conf;

    if (t->conf.max_sessions == 0) {
        t->conf.max_sessions = TURN_MAX_SESSIONS;
    }

    if (t->conf.max_allocs == 0) {
        t->conf.max_allocs = TURN_MAX_ALLOCS;
    }

    if (t->conf.max_tenants == 0) {
        t->conf.max_tenants = TURN_MAX_TENANTS;
    }

    if (t->conf.max_participants == 0) {
        t->conf.max_participants = TURN_MAX_PARTICIPANTS;
    }

    if (t->conf.max_asks == 0) {
        t->conf.max_asks = TURN_MAX_ASKS;
    }
}


void
turn_table_reconf(turn_table_t *t, const turn_table_conf_t *conf)
{
    t->conf.quota = conf->quota;
    t->conf.host_quota = conf->host_quota;
    t->conf.credential_ttl_s = conf->credential_ttl_s;
    t->conf.skew_s = conf->skew_s;
    t->conf.stale_limit_s = conf->stale_limit_s;
}


void
turn_table_destroy(turn_table_t *t)
{
    size_t         i;
    turn_hnode_t  *node;

    if (t == NULL) {
        return;
    }

    for (i = 0; i < t->allocs.size; i++) {
        while ((node = t->allocs.buckets[i]) != NULL) {
            turn_alloc_free(t, TURN_OF(node, turn_alloc_t, node));
        }
    }

    for (i = 0; i < t->sessions.size; i++) {
        while ((node = t->sessions.buckets[i]) != NULL) {
            turn_ses_free(t, TURN_OF(node, turn_ses_t, node));
        }
    }

    for (i = 0; i < t->tenants.size; i++) {
        while ((node = t->tenants.buckets[i]) != NULL) {
            turn_hash_del(&t->tenants, node);
            free(TURN_OF(node, turn_tenant_t, node));
        }
    }

    turn_hash_done(&t->allocs);
    turn_hash_done(&t->sessions);
    turn_hash_done(&t->tenants);
    turn_heap_done(&t->due);
    free(t->served);
    free(t);
}


void
turn_table_wake(turn_table_t *t)
{
    if (t->conf.wake != NULL) {
        t->conf.wake(t->conf.data);
    }
}


/* ---- tenants */


int
turn_table_serves(const turn_table_t *t, rs_str_t tenant)
{
    size_t  i;

    for (i = 0; i < t->conf.ntenants; i++) {
        if (rs_str_eq(t->served[i], tenant)) {
            return 1;
        }
    }

    return t->conf.ntenants == 0;
}


turn_tenant_t *
turn_tenant_find(turn_table_t *t, rs_str_t name)
{
    turn_hnode_t   *node;
    turn_tenant_t  *tenant;

    node = turn_hash_first(&t->tenants, turn_hash_str(t->conf.seed, name));

    for ( /* void */ ; node != NULL; node = turn_hash_next(node)) {
        tenant = TURN_OF(node, turn_tenant_t, node);

        if (rs_str_eq((rs_str_t) { (uint8_t *) tenant->name, tenant->len },
                      name))
        {
            return tenant;
        }
    }

    return NULL;
}


turn_tenant_t *
turn_tenant_get(turn_table_t *t, rs_str_t name)
{
    turn_tenant_t  *tenant;

    tenant = turn_tenant_find(t, name);

    if (tenant != NULL) {
        return tenant;
    }

    if (t->tenants.n >= t->conf.max_tenants) {
        t->stat.full++;
        return NULL;
    }

    tenant = calloc(1, sizeof(*tenant));

    if (tenant == NULL) {
        return NULL;
    }

    turn_list_init(&tenant->sessions);
    tenant->len = (uint8_t) name.len;
    memcpy(tenant->name, name.data, name.len);

    if (!turn_hash_add(&t->tenants, &tenant->node,
                       turn_hash_str(t->conf.seed, name)))
    {
        free(tenant);
        return NULL;
    }

    return tenant;
}


void
turn_tenant_tidy(turn_table_t *t, turn_tenant_t *tenant)
{
    if (turn_list_empty(&tenant->sessions) && !tenant->listing) {
        turn_hash_del(&t->tenants, &tenant->node);
        free(tenant);
    }
}


rs_str_t
turn_ses_tenant(const turn_ses_t *s)
{
    return (rs_str_t) { (const uint8_t *) s->tenant->name, s->tenant->len };
}


/* ---- records of sessions */


static uint64_t
turn_ses_hash(turn_table_t *t, rs_str_t tenant, rs_str_t ses)
{
    return turn_hash_str(turn_hash_str(t->conf.seed, tenant), ses);
}


turn_ses_t *
turn_ses_find(turn_table_t *t, rs_str_t tenant, rs_str_t ses)
{
    turn_ses_t    *s;
    turn_hnode_t  *node;

    node = turn_hash_first(&t->sessions, turn_ses_hash(t, tenant, ses));

    for ( /* void */ ; node != NULL; node = turn_hash_next(node)) {
        s = TURN_OF(node, turn_ses_t, node);

        if (memcmp(s->id, ses.data, RS_ID_LEN) == 0
            && rs_str_eq(turn_ses_tenant(s), tenant))
        {
            return s;
        }
    }

    return NULL;
}


turn_ses_t *
turn_ses_get(turn_table_t *t, rs_str_t tenant, rs_str_t ses, uint64_t now)
{
    turn_ses_t     *s;
    turn_list_t    *l;
    turn_tenant_t  *owner;

    s = turn_ses_find(t, tenant, ses);

    if (s != NULL) {
        return s;
    }

    /* the oldest tombstone without allocations makes room */

    for (l = t->tombs.next;
         t->sessions.n >= t->conf.max_sessions && l != &t->tombs;
         /* void */)
    {
        s = TURN_OF(l, turn_ses_t, in_tombs);
        l = l->next;

        if (s->nallocs == 0) {
            t->stat.full++;
            turn_ses_free(t, s);
        }
    }

    if (t->sessions.n >= t->conf.max_sessions) {
        t->stat.full++;
        return NULL;
    }

    owner = turn_tenant_get(t, tenant);

    if (owner == NULL) {
        return NULL;
    }

    s = calloc(1, sizeof(*s));

    if (s == NULL) {
        turn_tenant_tidy(t, owner);
        return NULL;
    }

    if (!turn_heap_set(&t->due, &s->due, now + TURN_ASK_KEPT)) {
        goto failed;
    }

    if (!turn_hash_add(&t->sessions, &s->node, turn_ses_hash(t, tenant, ses))) {
        turn_heap_del(&t->due, &s->due);
        goto failed;
    }

    turn_list_init(&s->in_asks);
    turn_list_init(&s->in_tombs);
    turn_list_init(&s->pars);
    turn_list_add(&owner->sessions, &s->in_tenant);
    memcpy(s->id, ses.data, RS_ID_LEN);
    s->tenant = owner;
    s->seen = t->seq;

    return s;

failed:

    free(s);
    turn_tenant_tidy(t, owner);

    return NULL;
}


/* its allocations, if any, are without participant from now on */

static void
turn_ses_free(turn_table_t *t, turn_ses_t *s)
{
    while (!turn_list_empty(&s->pars)) {
        turn_par_free(t, TURN_OF(s->pars.next, turn_par_t, in_ses));
    }

    turn_ses_unask(t, s);
    turn_ses_count(t, s->state, -1);
    turn_list_del(&s->in_tombs);
    turn_list_del(&s->in_tenant);
    turn_heap_del(&t->due, &s->due);
    turn_hash_del(&t->sessions, &s->node);
    turn_tenant_tidy(t, s->tenant);
    free(s);
}


static void
turn_ses_count(turn_table_t *t, turn_ses_state_e state, int n)
{
    if (state == TURN_SES_LIVE) {
        t->stat.live += (size_t) n;

    } else if (state != TURN_SES_NONE) {
        t->stat.tombstones += (size_t) n;
    }
}


void
turn_ses_set(turn_table_t *t, turn_ses_t *s, turn_ses_state_e state)
{
    turn_ses_count(t, s->state, -1);
    turn_ses_count(t, state, 1);
    s->state = state;

    turn_list_del(&s->in_tombs);

    if (state == TURN_SES_ENDED || state == TURN_SES_EXPIRED) {
        turn_list_add(&t->tombs, &s->in_tombs);
    }
}


/* 1: *s is due in the future; 0: nothing keeps it */

int
turn_ses_due(turn_table_t *t, turn_ses_t *s, uint64_t now)
{
    uint64_t      due, at;
    turn_par_t   *par;
    turn_list_t  *l;

    if (s->state == TURN_SES_LIVE) {
        due = s->expires_at * 1000;

    } else if (s->nallocs) {
        due = now + TURN_RECHECK;

    } else if (s->state != TURN_SES_NONE) {
        due = (s->expires_at + t->conf.skew_s) * 1000;

    } else {
        due = s->asked_at ? s->asked_at + TURN_ASK_KEPT : 0;

        for (l = s->pars.next; l != &s->pars; l = l->next) {
            par = TURN_OF(l, turn_par_t, in_ses);
            at = (par->until > par->newest) ? par->until : par->newest;
            due = (at * 1000 > due) ? at * 1000 : due;
        }
    }

    (void) turn_heap_set(&t->due, &s->due, due);

    return s->state == TURN_SES_LIVE || due > now;
}


void
turn_ses_tidy(turn_table_t *t, turn_ses_t *s, uint64_t now)
{
    if (!turn_ses_due(t, s, now)) {
        turn_ses_free(t, s);
    }
}


void
turn_ses_over(turn_table_t *t, turn_ses_t *s, turn_ses_state_e state,
    uint64_t now)
{
    turn_ses_unask(t, s);
    turn_ses_set(t, s, state);
    turn_ses_doom(t, s, TURN_V_ENDED, now);
    turn_ses_tidy(t, s, now);
}


/* ---- participants */


turn_par_t *
turn_par_find(turn_ses_t *s, rs_str_t par)
{
    turn_par_t   *p;
    turn_list_t  *l;

    for (l = s->pars.next; l != &s->pars; l = l->next) {
        p = TURN_OF(l, turn_par_t, in_ses);

        if (memcmp(p->id, par.data, RS_ID_LEN) == 0) {
            return p;
        }
    }

    return NULL;
}


static int
turn_par_idle(const turn_par_t *par, uint64_t now)
{
    return turn_list_empty(&par->allocs) && par->until * 1000 <= now
           && par->newest * 1000 <= now;
}


/* NULL: the session has no room for it, or there is no memory */

turn_par_t *
turn_par_get(turn_table_t *t, turn_ses_t *s, rs_str_t par, uint64_t now)
{
    turn_par_t   *p;
    turn_list_t  *l, *next;

    p = turn_par_find(s, par);

    if (p != NULL) {
        return p;
    }

    if (s->npars >= t->conf.max_participants) {
        for (l = s->pars.next; l != &s->pars; l = next) {
            next = l->next;
            p = TURN_OF(l, turn_par_t, in_ses);

            if (turn_par_idle(p, now)) {
                turn_par_free(t, p);
            }
        }
    }

    if (s->npars >= t->conf.max_participants
        || t->stat.participants >= t->conf.max_sessions * 2)
    {
        t->stat.full++;
        return NULL;
    }

    p = calloc(1, sizeof(*p));

    if (p == NULL) {
        return NULL;
    }

    turn_list_init(&p->allocs);
    turn_list_add(&s->pars, &p->in_ses);
    memcpy(p->id, par.data, RS_ID_LEN);
    p->ses = s;
    s->npars++;
    t->stat.participants++;

    return p;
}


static void
turn_par_free(turn_table_t *t, turn_par_t *par)
{
    turn_alloc_t  *a;

    while (!turn_list_empty(&par->allocs)) {
        a = TURN_OF(par->allocs.next, turn_alloc_t, in_par);
        turn_list_del(&a->in_par);
        a->par = NULL;
        par->ses->nallocs--;
    }

    turn_list_del(&par->in_ses);
    par->ses->npars--;
    t->stat.participants--;
    free(par);
}


/* ---- time */


void
turn_table_tick(turn_table_t *t, uint64_t now)
{
    unsigned        n;
    turn_ses_t     *s;
    turn_hpnode_t  *top;

    for (n = 0; n < TURN_TICK_MAX; n++) {
        top = turn_heap_top(&t->due);

        if (top == NULL || top->key > now) {
            return;
        }

        s = TURN_OF(top, turn_ses_t, due);

        if (s->state == TURN_SES_LIVE) {
            turn_ses_over(t, s, TURN_SES_EXPIRED, now);

        } else {
            turn_ses_waits(t, s, now);
            turn_ses_tidy(t, s, now);
        }
    }
}


/*
 * Nobody says what it is waited for, nor when that would be over: not longer
 * than anything else that is known of upstream is believed.
 */

static void
turn_ses_waits(turn_table_t *t, turn_ses_t *s, uint64_t now)
{
    if (s->state == TURN_SES_NONE && s->asked_at && turn_table_stale(t, now)
        && now >= s->asked_at + t->conf.stale_limit_s * 1000)
    {
        turn_ses_unask(t, s);
        turn_ses_doom(t, s, TURN_V_STALE, now);
    }
}


uint64_t
turn_table_due(const turn_table_t *t)
{
    turn_hpnode_t  *top;

    top = turn_heap_top(&t->due);

    return (top != NULL) ? top->key : UINT64_MAX;
}


/* ---- numbers */


void
turn_table_stat(const turn_table_t *t, turn_table_stat_t *stat)
{
    *stat = t->stat;
    stat->asked = t->nasks;
    stat->tenants = t->tenants.n;
    stat->allocs = t->allocs.n;
}
