
/*
 * Copyright (C) rs-gateway contributors
 *
 * What coturn tells redis-statsdb: allocations that begin, go on and end,
 * and their bytes.  Every command is answered; an event is counted, and put
 * into the table.  coturn 4.6 also tells of clients that never authenticated,
 * by names they chose: what has no allocation that began means nothing.
 */


#ifndef _TURN_STATSDB_H_INCLUDED_
#define _TURN_STATSDB_H_INCLUDED_


#include "rs_turn_event.h"
#include "turn_follow.h"
#include "turn_server.h"


typedef struct {
    const turn_conf_t          *conf;
    const turn_follow_parts_t  *parts;

    /* counted */

    uint64_t        events[RS_TURN_EVENT_TOTAL_PEER + 1];
    uint64_t        malformed;
    uint64_t        other_realm;
    uint64_t        unknown;          /* no allocation */
    uint64_t        verdicts[TURN_V_MAX];   /* of those that began */
    uint64_t        received;         /* bytes, from clients */
    uint64_t        sent;             /* to clients */
} turn_statsdb_t;


/* handler of turn_server_t; data: a turn_statsdb_t */
void turn_statsdb_command(void *data, turn_connection_t *c,
    const rs_str_t *argv, size_t argc);


#endif /* _TURN_STATSDB_H_INCLUDED_ */
