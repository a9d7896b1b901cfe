
/*
 * Copyright (C) rs-gateway contributors
 *
 * /metrics in Prometheus' text format 0.0.4, and /health, out of what the
 * parts count.  docs/operating/turn.md lists the families, util/doc-check
 * compares.  "relay" is on every series; no label has values from outside.
 */


#ifndef _TURN_METRICS_H_INCLUDED_
#define _TURN_METRICS_H_INCLUDED_


#include "turn_http.h"
#include "turn_statsdb.h"
#include "turn_userdb.h"


/* who is asked; statsdb and its server may be NULL */

typedef struct {
    const turn_conf_t          *conf;
    const turn_policy_t        *policy;
    const turn_userdb_t        *userdb;
    const turn_statsdb_t       *statsdb;
    const turn_server_t        *userdb_server;
    const turn_server_t        *statsdb_server;
    const turn_follow_t        *follow;
    const turn_follow_parts_t  *parts;
} turn_metrics_t;


/* turn_http_get_pt; data: a turn_metrics_t */
int turn_metrics_get(void *data, rs_str_t path, struct evbuffer *body,
    const char **type);


#endif /* _TURN_METRICS_H_INCLUDED_ */
