
/*
 * Copyright (C) rs-gateway contributors
 *
 * The listing.  A page of tenants is read; up to TURN_SYNC_SLOTS of them are
 * listed at the same time; when all of the page are done, the next is read.
 *
 * It is whole when every page of every tenant came.  Anything else ends it
 * at once: answers that are still under way are thrown away.
 */


#include "turn_upstream_sync.h"
#include "turn_clock.h"
#include "rs_turn_feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define TURN_SYNC_SLOTS       8        /* tenants listed at once */
#define TURN_SYNC_PAGE        500      /* entries of a page */
#define TURN_SYNC_PAGES       4096     /* of one list */
#define TURN_SYNC_CURSOR      160      /* bytes */


typedef struct {
    turn_sync_t        *sync;
    char                tenant[RS_TENANT_MAX + 1];  /* "": free */
    char                cursor[TURN_SYNC_CURSOR];
    unsigned            pages;
    unsigned            revoked:1;     /* the second list */
} turn_sync_slot_t;


struct turn_sync_s {
    turn_link_t        *link;
    turn_table_t       *table;
    turn_sync_done_pt   done;
    void               *data;

    unsigned            running:1;
    unsigned            broken:1;      /* only waits for its answers */
    unsigned            last:1;        /* there is no page of them left */
    const char         *why;

    size_t              pending;       /* answers */

    char                cursor[TURN_SYNC_CURSOR];
    unsigned            pages;
    size_t              n;             /* tenants of this page */
    size_t              next;
    char              (*tenants)[RS_TENANT_MAX + 1];

    uint64_t            began;         /* ms */
    uint64_t            nentries;
    uint64_t            ntenants;

    uint64_t            ms;
    uint64_t            entries;
    uint64_t            whole_tenants;

    turn_sync_slot_t    slots[TURN_SYNC_SLOTS];
};


static int turn_sync_call(turn_sync_t *sync, const char *function,
    const char *key, const char *cursor, turn_link_reply_pt handler,
    void *data);
static int turn_sync_cursor(char *dst, turn_reply_t *reply);
static int turn_sync_wrong(turn_sync_t *sync, turn_reply_t *reply);
static void turn_sync_tenants_reply(void *data, turn_reply_t *reply);
static int turn_sync_page(turn_sync_t *sync, turn_reply_t *list);
static void turn_sync_go(turn_sync_t *sync);
static const char *turn_sync_begin(turn_sync_slot_t *slot,
    const char *tenant);
static int turn_sync_list(turn_sync_slot_t *slot);
static void turn_sync_list_reply(void *data, turn_reply_t *reply);
static const char *turn_sync_entry(turn_sync_slot_t *slot, rs_str_t member,
    uint64_t at);
static void turn_sync_break(turn_sync_t *sync, const char *why);
static void turn_sync_finish(turn_sync_t *sync);


turn_sync_t *
turn_sync_create(turn_link_t *link, turn_table_t *table,
    turn_sync_done_pt done, void *data)
{
    size_t        i;
    turn_sync_t  *sync;

    sync = calloc(1, sizeof(turn_sync_t));
    if (sync == NULL) {
        return NULL;
    }

    sync->tenants = calloc(TURN_SYNC_PAGE, sizeof(sync->tenants[0]));

    if (sync->tenants == NULL) {
        free(sync);
        return NULL;
    }

    sync->link = link;
    sync->table = table;
    sync->done = done;
    sync->data = data;

    for (i = 0; i < TURN_SYNC_SLOTS; i++) {
        sync->slots[i].sync = sync;
    }

    return sync;
}


void
turn_sync_destroy(turn_sync_t *sync)
{
    if (sync) {
        free(sync->tenants);
        free(sync);
    }
}


int
turn_sync_running(const turn_sync_t *sync)
{
    return sync->running;
}


uint64_t
turn_sync_ms(const turn_sync_t *sync)
{
    return sync->ms;
}


uint64_t
turn_sync_entries(const turn_sync_t *sync)
{
    return sync->entries;
}


uint64_t
turn_sync_tenants(const turn_sync_t *sync)
{
    return sync->whole_tenants;
}


void
turn_sync_start(turn_sync_t *sync)
{
    if (sync->running) {
        return;
    }

    sync->running = 1;
    sync->broken = 0;
    sync->last = 0;
    sync->why = "";
    sync->cursor[0] = '\0';
    sync->pages = 0;
    sync->n = 0;
    sync->next = 0;
    sync->nentries = 0;
    sync->ntenants = 0;
    sync->began = turn_upstream_ms();

    turn_table_round_begin(sync->table);

    turn_sync_go(sync);
}


void
turn_sync_abort(turn_sync_t *sync, const char *why)
{
    if (sync->running) {
        turn_sync_break(sync, why);
    }
}


/* the next steps that can be made; maybe the last one */

static void
turn_sync_go(turn_sync_t *sync)
{
    size_t             i;
    const char        *wrong;
    turn_sync_slot_t  *slot;

    for (i = 0; i < TURN_SYNC_SLOTS && !sync->broken; i++) {
        slot = &sync->slots[i];

        while (slot->tenant[0] == '\0' && sync->next < sync->n
               && !sync->broken)
        {
            wrong = turn_sync_begin(slot, sync->tenants[sync->next++]);

            if (wrong) {
                turn_sync_break(sync, wrong);
            }
        }
    }

    if (sync->broken || sync->pending) {
        return;
    }

    if (sync->last) {
        turn_sync_finish(sync);
        return;
    }

    if (++sync->pages > TURN_SYNC_PAGES) {
        turn_sync_break(sync, "the list of tenants has no end");
        return;
    }

    if (turn_sync_call(sync, "rs_turn_tenants", "rs:{w}:tens", sync->cursor,
                       turn_sync_tenants_reply, sync)
        < 0)
    {
        turn_sync_break(sync, "a call was refused");
    }
}


static int
turn_sync_call(turn_sync_t *sync, const char *function, const char *key,
    const char *cursor, turn_link_reply_pt handler, void *data)
{
    char      count[8];
    rs_str_t  argv[6];

    (void) snprintf(count, sizeof(count), "%d", TURN_SYNC_PAGE);

    argv[0] = RS_STR("FCALL_RO");
    argv[1] = rs_str(function);
    argv[2] = RS_STR("1");
    argv[3] = rs_str(key);
    argv[4] = rs_str(cursor);
    argv[5] = rs_str(count);

    if (turn_link_command(sync->link, argv, 6, handler, data) < 0) {
        return -1;
    }

    sync->pending++;

    return 0;
}


/* the answer is of no use: it has been broken off, or is now.  1: so it is */

static int
turn_sync_wrong(turn_sync_t *sync, turn_reply_t *reply)
{
    if (sync->broken) {
        turn_sync_break(sync, sync->why);
        return 1;
    }

    if (reply == NULL) {
        turn_sync_break(sync, "the link was lost");
        return 1;
    }

    if (!rs_str_eq(turn_reply_str(reply, 0), RS_STR("ok"))) {
        turn_sync_break(sync, "Redis refused to list");
        return 1;
    }

    return 0;
}


/* 1: there is another page, 0: there is none, -1: too long */

static int
turn_sync_cursor(char *dst, turn_reply_t *reply)
{
    rs_str_t  s;

    s = turn_reply_str(reply, 1);

    if (s.len >= TURN_SYNC_CURSOR
        || (s.len && memchr(s.data, '\0', s.len) != NULL))
    {
        return -1;
    }

    if (s.len) {
        memcpy(dst, s.data, s.len);
    }

    dst[s.len] = '\0';

    return s.len != 0;
}


static void
turn_sync_tenants_reply(void *data, turn_reply_t *reply)
{
    turn_sync_t *sync = data;

    int  more;

    sync->pending--;

    if (turn_sync_wrong(sync, reply)) {
        return;
    }

    more = turn_sync_cursor(sync->cursor, reply);

    if (more < 0 || turn_sync_page(sync, turn_reply_at(reply, 2)) < 0) {
        turn_sync_break(sync, "the list of tenants is not of its form");
        return;
    }

    sync->last = (more == 0);

    turn_sync_go(sync);
}


static int
turn_sync_page(turn_sync_t *sync, turn_reply_t *list)
{
    size_t    i, n;
    rs_str_t  tenant;

    n = turn_reply_count(list);

    if (n > TURN_SYNC_PAGE) {
        return -1;
    }

    for (i = 0; i < n; i++) {
        tenant = turn_reply_str(list, i);

        if (rs_tenant_check(tenant) != RS_OK) {
            return -1;
        }

        memcpy(sync->tenants[i], tenant.data, tenant.len);
        sync->tenants[i][tenant.len] = '\0';
    }

    sync->n = n;
    sync->next = 0;

    return 0;
}


/* of a tenant that is not served nothing is read; NULL: good */

static const char *
turn_sync_begin(turn_sync_slot_t *slot, const char *tenant)
{
    rs_err_e  rc;

    rc = turn_table_tenant_begin(slot->sync->table, rs_str(tenant));

    if (rc == RS_E_FORBIDDEN) {
        return NULL;
    }

    if (rc != RS_OK) {
        return "the table has no room for another tenant: say which are "
               "served by \"tenants\"";
    }

    memcpy(slot->tenant, tenant, strlen(tenant) + 1);
    slot->cursor[0] = '\0';
    slot->revoked = 0;
    slot->pages = 0;

    return turn_sync_list(slot) < 0 ? "a call was refused" : NULL;
}


static int
turn_sync_list(turn_sync_slot_t *slot)
{
    char  key[RS_TENANT_MAX + 16];

    if (++slot->pages > TURN_SYNC_PAGES) {
        return -1;
    }

    (void) snprintf(key, sizeof(key), "rs:{%s}:%s", slot->tenant,
                    slot->revoked ? "trev" : "turn");

    return turn_sync_call(slot->sync, "rs_turn_list", key, slot->cursor,
                          turn_sync_list_reply, slot);
}


static void
turn_sync_list_reply(void *data, turn_reply_t *reply)
{
    turn_sync_slot_t *slot = data;

    int            more;
    size_t         i, n;
    uint64_t       at;
    const char    *wrong;
    turn_sync_t   *sync;
    turn_reply_t  *list;

    sync = slot->sync;
    sync->pending--;

    if (turn_sync_wrong(sync, reply)) {
        return;
    }

    more = turn_sync_cursor(slot->cursor, reply);
    list = turn_reply_at(reply, 2);
    n = turn_reply_count(list);

    if (more < 0 || n % 2) {
        turn_sync_break(sync, "a list is not of its form");
        return;
    }

    for (i = 0; i < n; i += 2) {
        wrong = "an instant is no number";

        if (turn_reply_u64(list, i + 1, &at)) {
            wrong = turn_sync_entry(slot, turn_reply_str(list, i), at);
        }

        if (wrong) {
            turn_sync_break(sync, wrong);
            return;
        }
    }

    if (more == 0 && !slot->revoked) {
        slot->revoked = 1;
        slot->pages = 0;
        more = 1;
    }

    if (more) {
        if (turn_sync_list(slot) < 0) {
            turn_sync_break(sync, "a call was refused, or a list has no "
                            "end");
        }

        return;
    }

    turn_table_tenant_end(sync->table, rs_str(slot->tenant), 1,
                          turn_clock_ms());
    slot->tenant[0] = '\0';
    sync->ntenants++;

    turn_sync_go(sync);
}


/* NULL: good.  A table that is full has said so in its own counts */

static const char *
turn_sync_entry(turn_sync_slot_t *slot, rs_str_t member, uint64_t at)
{
    rs_err_e       rc;
    rs_str_t       ses, par, tenant;
    turn_table_t  *table;

    if (rs_turn_member_parse(member, !slot->revoked, &ses, &par) != RS_OK) {
        return "a member of a list is not of its form";
    }

    table = slot->sync->table;
    tenant = rs_str(slot->tenant);
    slot->sync->nentries++;

    rc = slot->revoked
         ? turn_table_revoke(table, tenant, ses, par, at, turn_clock_ms())
         : turn_table_live(table, tenant, ses, at, par, turn_clock_ms());

    return rc == RS_E_INVALID_VALUE ? "the table refuses an entry" : NULL;
}


/* answers that are under way are waited for: they have the slots */

static void
turn_sync_break(turn_sync_t *sync, const char *why)
{
    size_t             i;
    turn_sync_slot_t  *slot;

    if (!sync->broken) {
        sync->broken = 1;
        sync->why = why;

        for (i = 0; i < TURN_SYNC_SLOTS; i++) {
            slot = &sync->slots[i];

            if (slot->tenant[0]) {
                turn_table_tenant_end(sync->table, rs_str(slot->tenant), 0,
                                      turn_clock_ms());
                slot->tenant[0] = '\0';
            }
        }
    }

    if (sync->pending == 0) {
        turn_sync_finish(sync);
    }
}


static void
turn_sync_finish(turn_sync_t *sync)
{
    int  whole;

    whole = !sync->broken;
    sync->running = 0;

    if (whole) {
        sync->ms = turn_upstream_ms() - sync->began;
        sync->entries = sync->nentries;
        sync->whole_tenants = sync->ntenants;
    }

    turn_table_round_end(sync->table, whole, turn_clock_ms());

    sync->done(sync->data, whole, sync->why);
}
