
/*
 * Copyright (C) rs-gateway contributors
 *
 * What upstream tells the table: sessions and revocations, answers to its
 * questions, whole listings; and the same from and for the snapshot.
 */


#include "turn_table_impl.h"

#include <string.h>


static rs_err_e turn_table_check(turn_table_t *t, rs_str_t tenant,
    rs_str_t ses);
static void turn_ask_again(turn_table_t *t, turn_ses_t *s, uint64_t now);


/* ---- what upstream says */


static rs_err_e
turn_table_check(turn_table_t *t, rs_str_t tenant, rs_str_t ses)
{
    if (rs_tenant_check(tenant) != RS_OK
        || rs_id_check(ses, RS_ID_SESSION) != RS_OK)
    {
        return RS_E_INVALID_VALUE;
    }

    return turn_table_serves(t, tenant) ? RS_OK : RS_E_FORBIDDEN;
}


rs_err_e
turn_table_live(turn_table_t *t, rs_str_t tenant, rs_str_t ses,
    uint64_t expires_at, rs_str_t host_par, uint64_t now)
{
    rs_err_e     rc;
    turn_ses_t  *s;

    rc = turn_table_check(t, tenant, ses);

    if (rc != RS_OK) {
        return rc;
    }

    if (expires_at > TURN_TABLE_AT_MAX
        || (host_par.len && rs_id_check(host_par, RS_ID_PARTICIPANT) != RS_OK))
    {
        return RS_E_INVALID_VALUE;
    }

    if (expires_at * 1000 <= now) {
        s = turn_ses_find(t, tenant, ses);

        if (s != NULL && s->state == TURN_SES_NONE) {
            s->expires_at = expires_at;
            turn_ses_over(t, s, TURN_SES_EXPIRED, now);
        }

        return RS_OK;
    }

    s = turn_ses_get(t, tenant, ses, now);

    if (s == NULL) {
        return RS_E_LIMIT_REACHED;
    }

    s->seen = t->seq;
    t->changes++;

    if (s->state == TURN_SES_ENDED
        || (s->state == TURN_SES_EXPIRED && expires_at <= s->expires_at))
    {
        return RS_OK;
    }

    if (expires_at > s->expires_at) {
        s->expires_at = expires_at;
    }

    if (host_par.len) {
        s->has_host = 1;
        memcpy(s->host, host_par.data, RS_ID_LEN);
    }

    turn_ses_unask(t, s);
    turn_ses_set(t, s, TURN_SES_LIVE);
    (void) turn_ses_due(t, s, now);
    turn_ses_settle(t, s, now);

    return RS_OK;
}


rs_err_e
turn_table_end(turn_table_t *t, rs_str_t tenant, rs_str_t ses,
    uint64_t expires_at, uint64_t now)
{
    rs_err_e     rc;
    turn_ses_t  *s;

    rc = turn_table_check(t, tenant, ses);

    if (rc != RS_OK) {
        return rc;
    }

    if (expires_at > TURN_TABLE_AT_MAX) {
        expires_at = TURN_TABLE_AT_MAX;
    }

    s = turn_ses_get(t, tenant, ses, now);

    if (s == NULL) {
        return RS_E_LIMIT_REACHED;
    }

    if (expires_at > s->expires_at) {
        s->expires_at = expires_at;
    }

    t->changes++;
    turn_ses_over(t, s, TURN_SES_ENDED, now);

    return RS_OK;
}


rs_err_e
turn_table_revoke(turn_table_t *t, rs_str_t tenant, rs_str_t ses,
    rs_str_t par, uint64_t until, uint64_t now)
{
    rs_err_e     rc;
    turn_par_t  *p;
    turn_ses_t  *s;

    rc = turn_table_check(t, tenant, ses);

    if (rc != RS_OK) {
        return rc;
    }

    if (rs_id_check(par, RS_ID_PARTICIPANT) != RS_OK) {
        return RS_E_INVALID_VALUE;
    }

    if (until > TURN_TABLE_AT_MAX) {
        until = TURN_TABLE_AT_MAX;
    }

    s = turn_ses_find(t, tenant, ses);

    if (until * 1000 <= now) {
        p = (s != NULL) ? turn_par_find(s, par) : NULL;

        if (p != NULL) {
            turn_par_doom(t, p, TURN_V_REVOKED, now);
        }

        return RS_OK;
    }

    if (s == NULL) {
        s = turn_ses_get(t, tenant, ses, now);
    }

    if (s == NULL) {
        return RS_E_LIMIT_REACHED;
    }

    p = turn_par_get(t, s, par, now);

    if (p == NULL) {
        /* nobody new in this session from now on */
        s->crowded = 1;
        return RS_E_LIMIT_REACHED;
    }

    if (until > p->until) {
        p->until = until;
    }

    t->changes++;

    turn_par_doom(t, p, TURN_V_REVOKED, now);
    (void) turn_ses_due(t, s, now);

    return RS_OK;
}


rs_err_e
turn_table_unknown(turn_table_t *t, rs_str_t tenant, rs_str_t ses,
    uint64_t now)
{
    rs_err_e     rc;
    turn_ses_t  *s;

    rc = turn_table_check(t, tenant, ses);

    if (rc != RS_OK) {
        return rc;
    }

    s = turn_ses_find(t, tenant, ses);

    if (s != NULL && s->state == TURN_SES_NONE) {
        turn_ses_unask(t, s);
        turn_ses_doom(t, s, TURN_V_UNKNOWN_SESSION, now);
        turn_ses_tidy(t, s, now);
    }

    return RS_OK;
}


/* ---- questions */


int
turn_ses_ask(turn_table_t *t, turn_ses_t *s, rs_str_t par, uint64_t now)
{
    if (s->asked_at) {
        return 1;
    }

    if (t->nasks >= t->conf.max_asks) {
        t->stat.full++;
        return 0;
    }

    t->nasks++;
    s->asked_at = now;
    memcpy(s->ask_par, par.data, RS_ID_LEN);
    turn_list_add(&t->to_ask, &s->in_asks);
    (void) turn_ses_due(t, s, now);
    turn_table_wake(t);

    return 1;
}


void
turn_ses_unask(turn_table_t *t, turn_ses_t *s)
{
    if (s->asked_at) {
        s->asked_at = 0;
        t->nasks--;
        turn_list_del(&s->in_asks);
    }
}


int
turn_table_next_ask(turn_table_t *t, turn_ask_t *ask)
{
    turn_ses_t  *s;

    if (turn_list_empty(&t->to_ask)) {
        return 0;
    }

    s = TURN_OF(t->to_ask.next, turn_ses_t, in_asks);
    turn_list_del(&s->in_asks);
    turn_list_add(&t->asked, &s->in_asks);

    ask->tenant = turn_ses_tenant(s);
    ask->session_id = (rs_str_t) { (uint8_t *) s->id, RS_ID_LEN };
    ask->participant_id = (rs_str_t) { (uint8_t *) s->ask_par, RS_ID_LEN };

    return 1;
}


/* the round is over, and it was not in a listing that should have had it */

static void
turn_ask_again(turn_table_t *t, turn_ses_t *s, uint64_t now)
{
    if (s->tenant->listed == t->round && s->seen < s->tenant->begin) {
        turn_ses_unask(t, s);
        turn_ses_doom(t, s, TURN_V_UNKNOWN_SESSION, now);
        turn_ses_tidy(t, s, now);
        return;
    }

    if (s->nallocs == 0) {
        turn_ses_unask(t, s);
        turn_ses_tidy(t, s, now);
        return;
    }

    turn_list_del(&s->in_asks);
    turn_list_add(&t->to_ask, &s->in_asks);
}


/* ---- resync */


void
turn_table_round_begin(turn_table_t *t)
{
    size_t          i;
    turn_hnode_t   *node, *next;
    turn_tenant_t  *tenant;

    t->round++;

    for (i = 0; i < t->tenants.size; i++) {
        for (node = t->tenants.buckets[i]; node != NULL; node = next) {
            next = node->next;
            tenant = TURN_OF(node, turn_tenant_t, node);
            tenant->listing = 0;
            turn_tenant_tidy(t, tenant);
        }
    }
}


rs_err_e
turn_table_tenant_begin(turn_table_t *t, rs_str_t name)
{
    turn_tenant_t  *tenant;

    if (rs_tenant_check(name) != RS_OK) {
        return RS_E_INVALID_VALUE;
    }

    if (!turn_table_serves(t, name)) {
        return RS_E_FORBIDDEN;
    }

    tenant = turn_tenant_get(t, name);

    if (tenant == NULL) {
        return RS_E_LIMIT_REACHED;
    }

    tenant->listing = 1;
    tenant->begin = ++t->seq;

    return RS_OK;
}


void
turn_table_tenant_end(turn_table_t *t, rs_str_t name, int complete,
    uint64_t now)
{
    turn_ses_t     *s;
    turn_list_t    *l, *next;
    turn_tenant_t  *tenant;

    tenant = turn_tenant_find(t, name);

    if (tenant == NULL || !tenant->listing) {
        return;
    }

    if (complete) {
        tenant->listed = t->round;

        for (l = tenant->sessions.next; l != &tenant->sessions; l = next) {
            next = l->next;
            s = TURN_OF(l, turn_ses_t, in_tenant);

            if (s->state == TURN_SES_LIVE && s->seen < tenant->begin) {
                turn_ses_over(t, s, TURN_SES_ENDED, now);
            }
        }
    }

    /* last: it holds the tenant while its sessions may go */
    tenant->listing = 0;
    turn_tenant_tidy(t, tenant);
}


void
turn_table_round_end(turn_table_t *t, int complete, uint64_t now)
{
    turn_list_t  todo, *l;

    if (complete) {
        t->synced_at = now;
        t->changes++;
    }

    /* those that are asked again must not be met a second time */

    turn_list_init(&todo);

    while (!turn_list_empty(&t->asked)) {
        l = t->asked.next;
        turn_list_del(l);
        turn_list_add(&todo, l);
    }

    while (!turn_list_empty(&todo)) {
        turn_ask_again(t, TURN_OF(todo.next, turn_ses_t, in_asks), now);
    }

    if (!turn_list_empty(&t->to_ask)) {
        turn_table_wake(t);
    }
}


int
turn_table_stale(const turn_table_t *t, uint64_t now)
{
    if (t->conf.stale_limit_s == 0) {
        return 0;
    }

    return t->synced_at == 0
           || (now > t->synced_at
               && (now - t->synced_at) / 1000 >= t->conf.stale_limit_s);
}


uint64_t
turn_table_synced_at(const turn_table_t *t)
{
    return t->synced_at;
}


void
turn_table_set_synced_at(turn_table_t *t, uint64_t at)
{
    t->synced_at = at;
}


/* ---- snapshot, numbers */


uint64_t
turn_table_changes(const turn_table_t *t)
{
    return t->changes;
}


void
turn_table_walk(const turn_table_t *t,
    void (*entry)(void *data, const turn_entry_t *e), void *data)
{
    size_t         i;
    turn_ses_t    *s;
    turn_par_t    *p;
    turn_list_t   *l;
    turn_entry_t   e;
    turn_hnode_t  *node;

    for (i = 0; i < t->sessions.size; i++) {
        for (node = t->sessions.buckets[i]; node != NULL; node = node->next) {
            s = TURN_OF(node, turn_ses_t, node);
            e.tenant = turn_ses_tenant(s);
            e.session_id = (rs_str_t) { (uint8_t *) s->id, RS_ID_LEN };
            e.participant_id = (rs_str_t) { (uint8_t *) s->host,
                                            s->has_host ? RS_ID_LEN : 0 };
            e.at = s->expires_at;
            e.type = (s->state == TURN_SES_LIVE) ? TURN_ENTRY_LIVE
                                                 : TURN_ENTRY_ENDED;

            if (s->state == TURN_SES_LIVE || s->state == TURN_SES_ENDED) {
                entry(data, &e);
            }

            for (l = s->pars.next; l != &s->pars; l = l->next) {
                p = TURN_OF(l, turn_par_t, in_ses);
                e.participant_id = (rs_str_t) { (uint8_t *) p->id, RS_ID_LEN };

                if (p->until) {
                    e.type = TURN_ENTRY_REVOKED;
                    e.at = p->until;
                    entry(data, &e);
                }

                if (p->newest) {
                    e.type = TURN_ENTRY_NEWEST;
                    e.at = p->newest;
                    entry(data, &e);
                }
            }
        }
    }
}


rs_err_e
turn_table_restore(turn_table_t *t, const turn_entry_t *e, uint64_t now)
{
    rs_err_e     rc;
    turn_par_t  *p;
    turn_ses_t  *s;

    switch (e->type) {

    case TURN_ENTRY_LIVE:
        return turn_table_live(t, e->tenant, e->session_id, e->at,
                               e->participant_id, now);

    case TURN_ENTRY_ENDED:
        return turn_table_end(t, e->tenant, e->session_id, e->at, now);

    case TURN_ENTRY_REVOKED:
        return turn_table_revoke(t, e->tenant, e->session_id,
                                 e->participant_id, e->at, now);

    case TURN_ENTRY_NEWEST:
        break;
    }

    rc = turn_table_check(t, e->tenant, e->session_id);

    if (rc != RS_OK) {
        return rc;
    }

    if (rs_id_check(e->participant_id, RS_ID_PARTICIPANT) != RS_OK
        || e->at > TURN_TABLE_AT_MAX)
    {
        return RS_E_INVALID_VALUE;
    }

    s = turn_ses_find(t, e->tenant, e->session_id);

    if (s == NULL || s->state != TURN_SES_LIVE) {
        return RS_OK;
    }

    p = turn_par_get(t, s, e->participant_id, now);

    if (p == NULL) {
        return RS_E_LIMIT_REACHED;
    }

    p->newest = (e->at > p->newest) ? e->at : p->newest;

    return RS_OK;
}
