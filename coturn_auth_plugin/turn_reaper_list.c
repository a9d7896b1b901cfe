
/*
 * Copyright (C) rs-gateway contributors
 *
 * Listings of coturn's sessions: fence (so that nothing is cut), ps, fence.
 * What came is kept until it may be believed, and only then told to the table.
 *
 * A listing that is not believed holds a session with lines of its own in its
 * ORIGIN.  pu prints user names alone; then ps of each user, which only that
 * user can have forged.  The first header of such a listing is coturn's, as
 * nothing stands before it: that session is ended, and the next listing finds
 * the next, if there is one.
 */


#include "turn_reaper_impl.h"

#include <stdlib.h>
#include <string.h>


#define TURN_LIST_AGAIN   200     /* ms, after a lie; doubles while they lie */
#define TURN_LIST_EACH    4       /* sessions that make the next 1 ms later */
#define TURN_LIST_GAP     20      /* ms, at least, between two */


static void turn_listing_end(turn_reaper_t *r, int complete, uint64_t wait);
static void turn_listing_commit(turn_reaper_t *r);
static void turn_listing_forged(turn_reaper_t *r);
static void turn_listing_ps(turn_reaper_t *r, const rs_turn_cli_line_t *line,
    int odd);
static int turn_listing_next_user(turn_reaper_t *r);
static int turn_listing_grow(void **p, size_t *size, size_t n, size_t each,
    size_t max);


uint64_t
turn_listing_due(const turn_reaper_t *r)
{
    if (r->list.step != TURN_LIST_NONE) {
        return 0;
    }

    if (r->list.wanted) {
        return r->list.began + TURN_LIST_GAP;
    }

    return r->list.next;
}


int
turn_listing_go(turn_reaper_t *r)
{
    uint64_t             now;
    turn_reaper_list_t  *l;

    l = &r->list;
    now = turn_reaper_mono();

    switch (l->step) {

    case TURN_LIST_NONE:
        if (now < turn_listing_due(r)) {
            return 0;
        }

        l->peers = l->recheck;
        l->wanted = 0;
        l->recheck = 0;
        l->partial = 0;
        l->lied = 0;
        l->began = now;
        l->n = 0;
        l->text_len = 0;
        l->step = TURN_LIST_RAISE;
        turn_table_ps_begin(r->conf.table, turn_reaper_wall());
        turn_reaper_fence(r);

        return 1;

    case TURN_LIST_RAISE:
        l->step = TURN_LIST_PS;

        /* fall through */

    case TURN_LIST_PS:
        l->n = 0;
        l->text_len = 0;
        l->first = 0;
        l->began_at = turn_reaper_wall() / 1000;
        rs_turn_cli_list_init(&l->check, 0);
        turn_reaper_send(r, "ps\n", 3, TURN_REAPER_LISTS);

        return 1;

    case TURN_LIST_PU:
        l->nusers = 0;
        l->names_len = 0;
        rs_turn_cli_list_init(&l->check, 1);
        turn_reaper_send(r, "pu\n", 3, TURN_REAPER_LISTS);

        return 1;

    case TURN_LIST_USERS:
        return turn_listing_next_user(r);
    }

    return 0;
}


/* 1: a command was sent; else the listing is over */

static int
turn_listing_next_user(turn_reaper_t *r)
{
    char                 text[RS_TURN_CLI_CMD_MAX];
    size_t               len;
    rs_str_t             name;
    turn_reaper_list_t  *l;

    l = &r->list;

    for ( /* void */ ; l->user < l->nusers; l->user++) {
        name.data = (uint8_t *) l->names + l->users[l->user * 2];
        name.len = l->users[l->user * 2 + 1];
        len = rs_turn_cli_of_user(text, name);

        if (len) {
            l->first = l->n;
            l->began_at = turn_reaper_wall() / 1000;
            rs_turn_cli_list_init(&l->check, 0);
            turn_reaper_send(r, text, len, TURN_REAPER_LISTS);

            return 1;
        }

        l->partial = 1;
    }

    turn_listing_commit(r);

    return 0;
}


void
turn_listing_line(turn_reaper_t *r, const rs_turn_cli_line_t *line)
{
    int                  odd;
    size_t               at;
    turn_reaper_list_t  *l;

    l = &r->list;

    if (l->step == TURN_LIST_NONE || l->step == TURN_LIST_RAISE) {
        return;
    }

    odd = rs_turn_cli_list_line(&l->check, line) == RS_TURN_CLI_ODD;

    if (l->step != TURN_LIST_PU) {
        turn_listing_ps(r, line, odd);
        return;
    }

    if (line->type != RS_TURN_CLI_USER || odd) {
        return;
    }

    if (!turn_listing_grow((void **) &l->users, &l->users_size, l->nusers + 1,
                        2 * sizeof(size_t), r->conf.max_sessions)
        || !turn_listing_grow((void **) &l->names, &l->names_size,
                           l->names_len + line->text.len, 1,
                           r->conf.max_sessions * RS_TURN_CLI_USER_MAX))
    {
        l->partial = 1;
        return;
    }

    at = l->nusers++ * 2;
    l->users[at] = l->names_len;
    l->users[at + 1] = line->text.len;
    memcpy(l->names + l->names_len, line->text.data, line->text.len);
    l->names_len += line->text.len;
}


static void
turn_listing_ps(turn_reaper_t *r, const rs_turn_cli_line_t *line, int odd)
{
    turn_list_entry_t   *e;
    turn_reaper_list_t  *l;

    l = &r->list;
    e = (l->n > l->first) ? &l->entries[l->n - 1] : NULL;

    if (odd && e != NULL) {
        e->odd = 1;
    }

    switch (line->type) {

    case RS_TURN_CLI_SESSION:
        if (odd) {
            return;
        }

        if (line->text.len > RS_TURN_CLI_USER_MAX
            || !turn_listing_grow((void **) &l->entries, &l->size, l->n + 1,
                               sizeof(*e), r->conf.max_sessions)
            || !turn_listing_grow((void **) &l->text, &l->text_size,
                               l->text_len + line->text.len, 1,
                               r->conf.max_sessions * RS_TURN_CLI_USER_MAX))
        {
            l->partial = 1;
            return;
        }

        e = &l->entries[l->n++];
        memset(e, 0, sizeof(*e));
        e->id = line->id;
        e->user = l->text_len;
        e->user_len = (unsigned) line->text.len & 0xffff;
        memcpy(l->text + l->text_len, line->text.data, line->text.len);
        l->text_len += line->text.len;
        break;

    case RS_TURN_CLI_STARTED:
        if (e != NULL) {
            e->ago = line->n;
        }

        break;

    case RS_TURN_CLI_USAGE:
        if (e != NULL) {
            e->rcvp = line->rcvp;
            e->rcvb = line->rcvb;
            e->sentp = line->sentp;
            e->sentb = line->sentb;
        }

        break;

    case RS_TURN_CLI_PEER:
        if (e != NULL && l->peers && r->conf.denies != NULL
            && r->conf.denies(r->conf.data, line->text))
        {
            e->denied = 1;
        }

        break;

    default:
        break;
    }
}


/* 1: there is room for n */

static int
turn_listing_grow(void **p, size_t *size, size_t n, size_t each, size_t max)
{
    void    *more;
    size_t   want;

    if (n <= *size) {
        return 1;
    }

    if (n > max) {
        return 0;
    }

    want = *size ? *size * 2 : 256;
    want = (want < n) ? n : want;
    want = (want > max) ? max : want;
    more = realloc(*p, want * each);

    if (more == NULL) {
        return 0;
    }

    *p = more;
    *size = want;

    return 1;
}


void
turn_listing_fenced(turn_reaper_t *r)
{
    rs_turn_cli_end_e    end;
    turn_reaper_list_t  *l;

    l = &r->list;

    if (l->step == TURN_LIST_RAISE) {
        return;
    }

    end = rs_turn_cli_list_end(&l->check);

    switch (l->step) {

    case TURN_LIST_PS:
        if (end == RS_TURN_CLI_COMPLETE) {
            turn_listing_commit(r);

        } else if (end == RS_TURN_CLI_FORGED) {
            r->stat.forged++;
            l->n = 0;
            l->text_len = 0;
            l->step = TURN_LIST_PU;
        }

        /* too many: once more, the fence has raised the limit */

        break;

    case TURN_LIST_PU:
        if (end != RS_TURN_CLI_COMPLETE) {
            turn_log_limited(&r->limit_forged, TURN_LOG_ERR,
                             "coturn's CLI: a listing of users that does not "
                             "add up: coturn's version is not known well "
                             "enough, allocations it had before this daemon "
                             "began may go on");
            turn_listing_end(r, 0, r->conf.list_ms);
            break;
        }

        l->user = 0;
        l->step = TURN_LIST_USERS;
        break;

    case TURN_LIST_USERS:
        if (end != RS_TURN_CLI_COMPLETE) {
            turn_listing_forged(r);
        }

        l->user++;
        break;

    default:
        break;
    }
}


/* of one user, so it is that user's own doing */

static void
turn_listing_forged(turn_reaper_t *r)
{
    turn_reaper_list_t  *l;

    l = &r->list;
    l->lied = 1;

    if (l->n > l->first) {
        turn_log_limited(&r->limit_forged, TURN_LOG_WARN,
                         "coturn's CLI: allocation %018llu prints lines of "
                         "its own into listings: ended",
                         (unsigned long long) l->entries[l->first].id);
        turn_reaper_raw(r, l->entries[l->first].id);
    }

    l->n = l->first;
}


static void
turn_listing_commit(turn_reaper_t *r)
{
    size_t               i;
    uint64_t             now;
    turn_list_entry_t   *e;
    turn_alloc_info_t    info;
    turn_reaper_list_t  *l;
    turn_reaper_seen_t   seen;

    l = &r->list;
    now = turn_reaper_wall();

    for (i = 0; i < l->n; i++) {
        e = &l->entries[i];
        seen.id = e->id;
        seen.started_at = (l->began_at > e->ago) ? l->began_at - e->ago : 0;
        seen.user = (rs_str_t) { (uint8_t *) l->text + e->user, e->user_len };
        seen.rcvp = e->rcvp;
        seen.rcvb = e->rcvb;
        seen.sentp = e->sentp;
        seen.sentb = e->sentb;
        seen.verdict = turn_table_ps_seen(r->conf.table, seen.id, seen.user,
                                          seen.started_at, now);

        if (seen.verdict == TURN_V_FULL) {
            turn_reaper_raw(r, e->id);
        }

        if (e->odd) {
            turn_table_doom(r->conf.table, e->id, TURN_V_BAD_GRAMMAR, now);

        } else if (e->denied) {
            turn_table_doom(r->conf.table, e->id, TURN_V_POLICY, now);
        }

        /* who has gone since has been counted, under the name it had */

        if (r->conf.seen != NULL
            && turn_table_find(r->conf.table, e->id, &info))
        {
            r->conf.seen(r->conf.data, &seen);
        }
    }

    if (!l->lied) {
        l->again = TURN_LIST_AGAIN;
        turn_listing_end(r, !l->partial,
                         r->conf.list_ms + l->n / TURN_LIST_EACH);
        return;
    }

    now = l->again;
    l->again = (now * 2 < r->conf.list_ms) ? now * 2 : r->conf.list_ms;
    turn_listing_end(r, 0, now);
}


static void
turn_listing_end(turn_reaper_t *r, int complete, uint64_t wait)
{
    turn_reaper_list_t  *l;

    l = &r->list;
    l->step = TURN_LIST_NONE;
    l->next = turn_reaper_mono() + wait;

    turn_table_ps_end(r->conf.table, complete, r->conf.gone, r->conf.data);

    if (!complete) {
        /* whom it did not see is to be looked at next time */
        l->recheck |= l->peers;
        return;
    }

    r->stat.listings++;
    r->stat.listed_at = turn_reaper_wall();

    if (r->conf.listed != NULL) {
        r->conf.listed(r->conf.data);
    }
}


void
turn_listing_abort(turn_reaper_t *r)
{
    if (r->list.step != TURN_LIST_NONE) {
        turn_listing_end(r, 0, 0);
    }
}


void
turn_listing_init(turn_reaper_t *r)
{
    r->list.again = TURN_LIST_AGAIN;
}


void
turn_listing_free(turn_reaper_t *r)
{
    free(r->list.entries);
    free(r->list.text);
    free(r->list.users);
    free(r->list.names);
}
