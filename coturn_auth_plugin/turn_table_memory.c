
/*
 * Copyright (C) rs-gateway contributors
 *
 * When allocations began, as a snapshot remembers it.  The bytes of an
 * allocation are counted under its number and that instant; coturn's listing
 * says it by the second, and after a restart of the daemon it must be the same
 * as before.  Remembered only: an allocation is there when coturn says so.
 */


#include "turn_table_impl.h"

#include <stdlib.h>
#include <string.h>


#define TURN_MEMORY_APART  10         /* s: coturn's word against ours */


typedef struct {
    turn_hnode_t    node;
    uint64_t        id;
    uint64_t        user;             /* hash of the user name */
    uint64_t        started_at;       /* s */
} turn_memory_t;


rs_err_e
turn_memory_add(turn_table_t *t, const turn_entry_t *e)
{
    char             text[RS_TURN_USERNAME_MAX];
    rs_str_t         name;
    turn_memory_t   *m;
    rs_turn_user_t   u;

    u.expires_at = e->at;
    u.tenant = e->tenant;
    u.session_id = e->session_id;
    u.participant_id = e->participant_id;

    name = (rs_str_t) { (uint8_t *) text, rs_turn_user_format(text, &u) };

    if (name.len == 0) {
        return RS_E_INVALID_VALUE;
    }

    m = (t->memory.n < t->conf.max_allocs) ? calloc(1, sizeof(*m)) : NULL;

    if (m == NULL) {
        return RS_E_LIMIT_REACHED;
    }

    m->id = e->id;
    m->user = turn_hash_str(t->conf.seed, name);
    m->started_at = e->started_at;

    if (!turn_hash_add(&t->memory, &m->node,
                       turn_hash_u64(t->conf.seed, m->id)))
    {
        free(m);
        return RS_E_LIMIT_REACHED;
    }

    return RS_OK;
}


uint64_t
turn_memory_started(const turn_table_t *t, uint64_t id, uint64_t user,
    uint64_t started_at)
{
    uint64_t        apart;
    turn_hnode_t   *node;
    turn_memory_t  *m;

    node = turn_hash_first(&t->memory, turn_hash_u64(t->conf.seed, id));

    for ( /* void */ ; node != NULL; node = turn_hash_next(node)) {
        m = TURN_OF(node, turn_memory_t, node);

        apart = (m->started_at > started_at) ? m->started_at - started_at
                                             : started_at - m->started_at;

        if (m->id == id && m->user == user && apart <= TURN_MEMORY_APART) {
            return m->started_at;
        }
    }

    return started_at;
}


void
turn_memory_done(turn_table_t *t)
{
    size_t         i;
    turn_hnode_t  *node;

    for (i = 0; i < t->memory.size; i++) {
        while ((node = t->memory.buckets[i]) != NULL) {
            turn_hash_del(&t->memory, node);
            free(TURN_OF(node, turn_memory_t, node));
        }
    }

    turn_hash_done(&t->memory);
    memset(&t->memory, 0, sizeof(t->memory));
}


void
turn_memory_entry(const turn_alloc_t *a, turn_entry_t *e)
{
    e->type = TURN_ENTRY_ALLOC;
    e->participant_id = (rs_str_t) { (uint8_t *) a->par->id, RS_ID_LEN };
    e->at = a->expiry;
    e->id = a->id;
    e->started_at = a->started_at;
}
