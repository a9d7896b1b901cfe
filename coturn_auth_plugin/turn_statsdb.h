
/*
 * Copyright (C) rs-gateway contributors
 *
 * What coturn tells redis-statsdb: allocations that begin, go on and end,
 * and their bytes.  Every command is answered; what it means is handed on.
 */


#ifndef _TURN_STATSDB_H_INCLUDED_
#define _TURN_STATSDB_H_INCLUDED_


#include "turn_server.h"


typedef struct {
    const turn_conf_t  *conf;

    uint64_t            events;
} turn_statsdb_t;


/* handler of turn_server_t; data: a turn_statsdb_t */
void turn_statsdb_command(void *data, turn_connection_t *c,
    const rs_str_t *argv, size_t argc);


#endif /* _TURN_STATSDB_H_INCLUDED_ */
