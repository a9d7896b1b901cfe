
/*
 * Copyright (C) rs-gateway contributors
 *
 * Usage records: of allocations, grouped by session, as that is what one call
 * can write.
 *
 * OPEN -> CLOSED (deleted; waits for its total) -> DONE -> gone when it is
 * acknowledged.  A session is in the heap while something of it is to be
 * sent, and has one call under way at a time.  While upstream fails nothing is
 * tried for half a second, then a second, ... at most 8 s.
 */


#include "turn_usage_impl.h"

#include <stdlib.h>
#include <string.h>


#define TURN_USAGE_MAX        131072
#define TURN_USAGE_FLUSH      5000    /* ms */
#define TURN_USAGE_SOON       20      /* ms, what has ended: with its like */
#define TURN_USAGE_GRACE      2000    /* ms, for a total */
#define TURN_USAGE_PAUSE_MIN  500     /* ms */
#define TURN_USAGE_PAUSE_MAX  8000
#define TURN_USAGE_CALLS      64      /* under way */
#define TURN_USAGE_SAME       10      /* s, see turn_table_alloc() */


static turn_use_ses_t *turn_use_session(turn_usage_t *u,
    const rs_turn_user_t *user);
static void turn_use_tidy(turn_usage_t *u, turn_use_ses_t *s);
static void turn_use_dirty(turn_usage_t *u, turn_use_t *use, uint64_t wait);
static void turn_use_over(turn_usage_t *u, turn_use_t *use);
static void turn_use_count(turn_usage_t *u, turn_use_t *use);
static void turn_use_max(turn_usage_count_t *c,
    const turn_usage_count_t *other);
static int turn_use_make_room(turn_usage_t *u);
static void turn_usage_send(turn_usage_t *u, turn_use_ses_t *s);
static void turn_usage_on_answer(void *data, turn_usage_e result);
static void turn_usage_settle(turn_usage_t *u, turn_use_t *use,
    turn_usage_e result);
static void turn_usage_wait(turn_usage_t *u);


turn_usage_t *
turn_usage_create(const turn_usage_conf_t *conf, char *error, uint64_t now)
{
    turn_usage_t  *u;

    u = calloc(1, sizeof(*u));

    if (u == NULL || (u->relay = strdup(conf->relay)) == NULL) {
        free(u);
        (void) strcpy(error, "out of memory");
        return NULL;
    }

    u->conf = *conf;
    u->conf.max = conf->max ? conf->max : TURN_USAGE_MAX;
    u->conf.flush_ms = conf->flush_ms ? conf->flush_ms : TURN_USAGE_FLUSH;
    u->now = now;
    u->pause = TURN_USAGE_PAUSE_MIN;
    u->fd = -1;
    turn_list_init(&u->orphans);
    turn_list_init(&u->closed);
    turn_list_init(&u->done);

    if (conf->state_dir != NULL && !turn_usage_file_open(u, error)) {
        turn_usage_destroy(u);
        return NULL;
    }

    return u;
}


void
turn_usage_destroy(turn_usage_t *u)
{
    size_t           i;
    turn_hnode_t    *node;
    turn_use_ses_t  *s;

    if (u == NULL) {
        return;
    }

    turn_usage_file_close(u);

    for (i = 0; i < u->sessions.size; i++) {
        while ((node = u->sessions.buckets[i]) != NULL) {
            s = TURN_OF(node, turn_use_ses_t, node);
            s->under_way = 0;

            if (turn_list_empty(&s->uses)) {
                turn_use_tidy(u, s);

            } else {
                turn_use_free(u, TURN_OF(s->uses.next, turn_use_t, in_ses));
            }
        }
    }

    turn_hash_done(&u->uses);
    turn_hash_done(&u->sessions);
    turn_heap_done(&u->due);
    free(u->relay);
    free(u);
}


/* ---- records */


turn_use_t *
turn_use_find(const turn_usage_t *u, uint64_t id)
{
    turn_use_t    *use;
    turn_hnode_t  *node;

    node = turn_hash_first(&u->uses, turn_hash_u64(0, id));

    for ( /* void */ ; node != NULL; node = turn_hash_next(node)) {
        use = TURN_OF(node, turn_use_t, node);

        if (use->id == id) {
            return use;
        }
    }

    return NULL;
}


static turn_use_ses_t *
turn_use_session(turn_usage_t *u, const rs_turn_user_t *user)
{
    uint64_t         hash;
    turn_hnode_t    *node;
    turn_use_ses_t  *s;

    hash = turn_hash_str(turn_hash_str(0, user->tenant), user->session_id);

    for (node = turn_hash_first(&u->sessions, hash);
         node != NULL;
         node = turn_hash_next(node))
    {
        s = TURN_OF(node, turn_use_ses_t, node);

        if (memcmp(s->id, user->session_id.data, RS_ID_LEN) == 0
            && s->tenant_len == user->tenant.len
            && memcmp(s->tenant, user->tenant.data, s->tenant_len) == 0)
        {
            return s;
        }
    }

    s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }

    s->usage = u;
    s->tenant_len = (uint8_t) user->tenant.len;
    memcpy(s->tenant, user->tenant.data, user->tenant.len);
    memcpy(s->id, user->session_id.data, RS_ID_LEN);
    turn_list_init(&s->uses);

    if (!turn_hash_add(&u->sessions, &s->node, hash)) {
        free(s);
        return NULL;
    }

    return s;
}


static void
turn_use_tidy(turn_usage_t *u, turn_use_ses_t *s)
{
    if (turn_list_empty(&s->uses) && !s->under_way) {
        turn_heap_del(&u->due, &s->due);
        turn_hash_del(&u->sessions, &s->node);
        free(s);
    }
}


/* the one that ended first and was not acknowledged is given up */

static int
turn_use_make_room(turn_usage_t *u)
{
    turn_use_t   *use;
    turn_list_t  *l;

    if (u->n < u->conf.max) {
        return 1;
    }

    u->stat.lost++;

    for (l = u->done.next; l != &u->done; l = l->next) {
        use = TURN_OF(l, turn_use_t, in_wait);

        if (!use->under_way) {
            turn_usage_file_over(u, use);
            turn_use_free(u, use);
            return 1;
        }
    }

    return 0;
}


turn_use_t *
turn_use_create(turn_usage_t *u, uint64_t id, const rs_turn_user_t *user,
    uint64_t started_at)
{
    turn_use_t      *use;
    turn_use_ses_t  *s;

    if (!turn_use_make_room(u)) {
        return NULL;
    }

    s = turn_use_session(u, user);

    if (s == NULL) {
        return NULL;
    }

    use = calloc(1, sizeof(*use));

    if (use == NULL
        || !turn_hash_add(&u->uses, &use->node, turn_hash_u64(0, id)))
    {
        free(use);
        turn_use_tidy(u, s);
        return NULL;
    }

    turn_list_init(&use->in_wait);
    turn_list_add(&s->uses, &use->in_ses);
    use->ses = s;
    use->id = id;
    use->started_at = started_at;
    memcpy(use->par, user->participant_id.data, RS_ID_LEN);
    u->n++;
    u->stat.open++;

    return use;
}


void
turn_use_done(turn_usage_t *u, turn_use_t *use)
{
    if (use->state == TURN_USE_DONE) {
        return;
    }

    use->state = TURN_USE_DONE;
    turn_hash_del(&u->uses, &use->node);
    turn_list_del(&use->in_wait);
    turn_list_add(&u->done, &use->in_wait);
    u->stat.open--;
    u->stat.pending++;
}


void
turn_use_free(turn_usage_t *u, turn_use_t *use)
{
    turn_use_ses_t  *s;

    if (use->state != TURN_USE_DONE) {
        turn_hash_del(&u->uses, &use->node);
        u->stat.open--;

    } else {
        u->stat.pending--;
    }

    s = use->ses;
    turn_list_del(&use->in_wait);
    turn_list_del(&use->in_ses);
    u->n--;
    free(use);
    turn_use_tidy(u, s);
}


/* its session has something to send, wait ms from now at the latest */

static void
turn_use_dirty(turn_usage_t *u, turn_use_t *use, uint64_t wait)
{
    uint64_t         due, before;
    turn_use_ses_t  *s;

    s = use->ses;
    due = u->now + wait;
    use->dirty = 1;

    if (s->due.at == 0 || due < s->due.key) {
        before = turn_usage_due(u);

        /* no memory: the next change tries again */
        (void) turn_heap_set(&u->due, &s->due, due);

        if (turn_usage_due(u) < before && u->conf.wake != NULL) {
            u->conf.wake(u->conf.data);
        }
    }
}


/* nothing more will be told of it */

static void
turn_use_over(turn_usage_t *u, turn_use_t *use)
{
    turn_use_done(u, use);

    if (use->useless && !use->under_way) {
        turn_usage_file_over(u, use);
        turn_use_free(u, use);
        return;
    }

    turn_use_dirty(u, use, TURN_USAGE_SOON);
}


/* ---- what coturn tells */


void
turn_usage_open(turn_usage_t *u, uint64_t id, rs_str_t username,
    uint64_t started_at, uint64_t now)
{
    turn_use_t      *use;
    rs_turn_user_t   user;

    u->now = now;
    use = turn_use_find(u, id);

    if (rs_turn_user_parse(username, &user) != RS_OK) {
        if (use != NULL) {
            turn_usage_close(u, id, now);
        }

        return;
    }

    if (use != NULL) {
        if (use->state == TURN_USE_OPEN
            && memcmp(use->par, user.participant_id.data, RS_ID_LEN) == 0
            && use->started_at <= started_at + TURN_USAGE_SAME
            && started_at <= use->started_at + TURN_USAGE_SAME)
        {
            turn_list_del(&use->in_wait);
            use->orphan = 0;
            return;
        }

        /* the same number again: no total will come */

        turn_use_over(u, use);
    }

    use = turn_use_create(u, id, &user, started_at);

    if (use != NULL) {
        turn_usage_file_begun(u, use);
    }
}


void
turn_usage_add(turn_usage_t *u, uint64_t id, const turn_usage_count_t *count,
    uint64_t now)
{
    turn_use_t  *use;

    u->now = now;
    use = turn_use_find(u, id);

    if (use == NULL || use->total) {
        return;
    }

    use->added.rcvp += count->rcvp;
    use->added.rcvb += count->rcvb;
    use->added.sentp += count->sentp;
    use->added.sentb += count->sentb;
    turn_use_count(u, use);
}


void
turn_usage_seen(turn_usage_t *u, uint64_t id, const turn_usage_count_t *count,
    uint64_t now)
{
    turn_use_t  *use;

    u->now = now;
    use = turn_use_find(u, id);

    if (use == NULL || use->total) {
        return;
    }

    use->seen = *count;
    turn_use_count(u, use);
}


/*
 * What was added up misses what an earlier daemon was told; a listing is of
 * some time ago.  Both are at most what it is, and they overlap: the greater
 * one holds.
 */

static void
turn_use_count(turn_usage_t *u, turn_use_t *use)
{
    turn_usage_count_t  c;

    c = use->count;
    turn_use_max(&c, &use->added);
    turn_use_max(&c, &use->seen);

    if (memcmp(&c, &use->count, sizeof(c)) != 0) {
        use->count = c;
        turn_use_dirty(u, use, u->conf.flush_ms);
    }
}


static void
turn_use_max(turn_usage_count_t *c, const turn_usage_count_t *other)
{
    c->rcvp = (other->rcvp > c->rcvp) ? other->rcvp : c->rcvp;
    c->rcvb = (other->rcvb > c->rcvb) ? other->rcvb : c->rcvb;
    c->sentp = (other->sentp > c->sentp) ? other->sentp : c->sentp;
    c->sentb = (other->sentb > c->sentb) ? other->sentb : c->sentb;
}


void
turn_usage_total(turn_usage_t *u, uint64_t id, const turn_usage_count_t *count,
    uint64_t now)
{
    turn_use_t  *use;

    u->now = now;
    use = turn_use_find(u, id);

    if (use == NULL) {
        return;
    }

    use->count = *count;
    use->total = 1;
    turn_usage_file_total(u, use);
    turn_use_over(u, use);
}


void
turn_usage_close(turn_usage_t *u, uint64_t id, uint64_t now)
{
    uint64_t     before;
    turn_use_t  *use;

    u->now = now;
    use = turn_use_find(u, id);

    if (use == NULL || use->state != TURN_USE_OPEN) {
        return;
    }

    before = turn_usage_due(u);
    use->state = TURN_USE_CLOSED;
    use->closed_at = now;
    use->orphan = 0;
    turn_list_del(&use->in_wait);
    turn_list_add(&u->closed, &use->in_wait);

    if (turn_usage_due(u) < before && u->conf.wake != NULL) {
        u->conf.wake(u->conf.data);
    }
}


void
turn_usage_listed(turn_usage_t *u, uint64_t now)
{
    turn_use_t  *use;

    while (!turn_list_empty(&u->orphans)) {
        use = TURN_OF(u->orphans.next, turn_use_t, in_wait);
        turn_usage_close(u, use->id, now);
    }
}


/* ---- to upstream */


static void
turn_usage_send(turn_usage_t *u, turn_use_ses_t *s)
{
    char                keys[TURN_UPSTREAM_USAGE_MAX]
                            [TURN_UPSTREAM_USAGE_KEY_MAX];
    size_t              n;
    rs_buf_t            b;
    turn_use_t         *use;
    turn_list_t        *l;
    turn_usage_item_t   items[TURN_UPSTREAM_USAGE_MAX], *item;

    turn_heap_del(&u->due, &s->due);

    if (s->under_way) {
        /* its answer looks for what is dirty */
        return;
    }

    for (l = s->uses.next, n = 0;
         l != &s->uses && n < TURN_UPSTREAM_USAGE_MAX;
         l = l->next)
    {
        use = TURN_OF(l, turn_use_t, in_ses);

        if (!use->dirty || use->useless) {
            continue;
        }

        rs_buf_init(&b, keys[n], TURN_UPSTREAM_USAGE_KEY_MAX);
        rs_buf_put(&b, use->par, RS_ID_LEN);
        rs_buf_char(&b, '/');
        rs_buf_cstr(&b, u->relay);
        rs_buf_char(&b, '/');
        rs_buf_u64(&b, use->id);
        rs_buf_char(&b, '-');
        rs_buf_u64(&b, use->started_at);

        item = &items[n++];
        item->key = rs_buf_get(&b);
        item->rcvp = use->count.rcvp;
        item->rcvb = use->count.rcvb;
        item->sentp = use->count.sentp;
        item->sentb = use->count.sentb;
        item->done = use->total;
        use->dirty = 0;
        use->under_way = 1;
    }

    if (n == 0) {
        return;
    }

    turn_usage_file_flush(u);
    s->under_way = 1;
    u->stat.under_way++;

    if (u->conf.send(u->conf.data,
                     (rs_str_t) { (uint8_t *) s->tenant, s->tenant_len },
                     (rs_str_t) { (uint8_t *) s->id, RS_ID_LEN },
                     items, n, turn_usage_on_answer, s) != 0)
    {
        turn_usage_on_answer(s, TURN_USAGE_UNAVAILABLE);
    }
}


static void
turn_usage_on_answer(void *data, turn_usage_e result)
{
    turn_list_t     *l, *next;
    turn_usage_t    *u;
    turn_use_t      *use;
    turn_use_ses_t  *s = data;

    u = s->usage;
    u->stat.under_way--;

    for (l = s->uses.next; l != &s->uses; l = next) {
        next = l->next;
        use = TURN_OF(l, turn_use_t, in_ses);

        if (use->under_way) {
            use->under_way = 0;
            turn_usage_settle(u, use, result);
        }
    }

    s->under_way = 0;

    if (result == TURN_USAGE_UNAVAILABLE) {
        turn_usage_wait(u);

    } else {
        u->pause = TURN_USAGE_PAUSE_MIN;
    }

    /* what did not fit, or has changed since */

    for (l = s->uses.next; l != &s->uses; l = l->next) {
        use = TURN_OF(l, turn_use_t, in_ses);

        if (use->dirty && !use->useless) {
            turn_use_dirty(u, use, (use->state == TURN_USE_DONE)
                                   ? TURN_USAGE_SOON : u->conf.flush_ms);
        }
    }

    turn_use_tidy(u, s);
}


static void
turn_usage_settle(turn_usage_t *u, turn_use_t *use, turn_usage_e result)
{
    switch (result) {

    case TURN_USAGE_UNAVAILABLE:
        use->dirty = 1;
        return;

    case TURN_USAGE_OK:
        u->stat.acked += use->state == TURN_USE_DONE && !use->dirty;
        break;

    case TURN_USAGE_NOT_FOUND:
        u->stat.not_found += !use->useless;
        use->useless = 1;
        break;

    case TURN_USAGE_REFUSED:
        u->stat.lost += !use->useless;
        use->useless = 1;
        break;
    }

    if (use->state == TURN_USE_DONE && (!use->dirty || use->useless)) {
        turn_usage_file_over(u, use);
        turn_use_free(u, use);
    }
}


static void
turn_usage_wait(turn_usage_t *u)
{
    if (u->paused > u->now) {
        return;
    }

    u->paused = u->now + u->pause;
    u->pause = (u->pause * 2 < TURN_USAGE_PAUSE_MAX) ? u->pause * 2
                                                     : TURN_USAGE_PAUSE_MAX;
}


void
turn_usage_resume(turn_usage_t *u, uint64_t now)
{
    u->now = now;
    u->paused = 0;
    u->pause = TURN_USAGE_PAUSE_MIN;

    if (u->conf.wake != NULL) {
        u->conf.wake(u->conf.data);
    }
}


void
turn_usage_tick(turn_usage_t *u, uint64_t now)
{
    turn_use_t      *use;
    turn_hpnode_t   *top;

    u->now = now;

    while (!turn_list_empty(&u->closed)) {
        use = TURN_OF(u->closed.next, turn_use_t, in_wait);

        if (use->closed_at + TURN_USAGE_GRACE > now) {
            break;
        }

        turn_use_over(u, use);
    }

    while ((top = turn_heap_top(&u->due)) != NULL && top->key <= now
           && u->paused <= now && u->stat.under_way < TURN_USAGE_CALLS)
    {
        turn_usage_send(u, TURN_OF(top, turn_use_ses_t, due));
    }

    turn_usage_file_flush(u);
}


uint64_t
turn_usage_due(const turn_usage_t *u)
{
    uint64_t        due, at;
    turn_use_t     *use;
    turn_hpnode_t  *top;

    due = UINT64_MAX;
    top = turn_heap_top(&u->due);

    if (top != NULL && u->stat.under_way < TURN_USAGE_CALLS) {
        due = (top->key > u->paused) ? top->key : u->paused;
    }

    if (!turn_list_empty(&u->closed)) {
        use = TURN_OF(u->closed.next, turn_use_t, in_wait);
        at = use->closed_at + TURN_USAGE_GRACE;
        due = (at < due) ? at : due;
    }

    return due;
}


void
turn_usage_stat(const turn_usage_t *u, turn_usage_stat_t *stat)
{
    *stat = u->stat;
}
