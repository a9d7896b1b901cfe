
/*
 * Copyright (C) rs-gateway contributors
 *
 * The listing of all sessions that live and all participants that are
 * revoked: page by page, several tenants at once, into the table.
 */


#ifndef _TURN_UPSTREAM_SYNC_H_INCLUDED_
#define _TURN_UPSTREAM_SYNC_H_INCLUDED_


#include "turn_upstream_link.h"


typedef struct turn_sync_s  turn_sync_t;


/* whole 0: it broke off; why is said then */
typedef void (*turn_sync_done_pt)(void *data, int whole, const char *why);


/* NULL: no memory */
turn_sync_t *turn_sync_create(turn_link_t *link, turn_table_t *table,
    turn_sync_done_pt done, void *data);
/* done is not called; the link has no command of it under way any more */
void turn_sync_destroy(turn_sync_t *sync);

/* begins, unless it is under way; done follows, maybe inside this call */
void turn_sync_start(turn_sync_t *sync);
/*
 * The link that listens was lost: what comes is not believed to be whole.
 * done follows, maybe inside this call.
 */
void turn_sync_abort(turn_sync_t *sync, const char *why);
int turn_sync_running(const turn_sync_t *sync);

/* of the last whole one */
uint64_t turn_sync_ms(const turn_sync_t *sync);
uint64_t turn_sync_entries(const turn_sync_t *sync);
uint64_t turn_sync_tenants(const turn_sync_t *sync);


#endif /* _TURN_UPSTREAM_SYNC_H_INCLUDED_ */
