
/*
 * Copyright (C) rs-gateway contributors
 *
 * What coturn tells redis-statsdb of an allocation:
 *
 *     turn/realm/<realm>/user/<user>/allocation/<id>/<kind>
 *
 *     status                "new lifetime=600, type=UDP, local=..., ..."
 *                           "refreshed lifetime=...", "deleted"
 *     traffic               "rcvp=1, rcvb=2, sentp=3, sentb=4", since the
 *                           last one: between client and relay
 *     traffic/peer          the same between relay and peers
 *     total_traffic, total_traffic/peer     the same of its whole life, after
 *                           "deleted"
 *
 * The user name is a stranger's: it may have slashes in it, so a key is read
 * from both ends and what is left in the middle is the name.  coturn cuts
 * keys that are too long for it, which then are of no kind.
 */


#ifndef _RS_TURN_EVENT_H_INCLUDED_
#define _RS_TURN_EVENT_H_INCLUDED_


#include "rs_err.h"


typedef enum {
    RS_TURN_EVENT_NEW = 0,
    RS_TURN_EVENT_REFRESHED,
    RS_TURN_EVENT_DELETED,
    RS_TURN_EVENT_TRAFFIC,
    RS_TURN_EVENT_TRAFFIC_PEER,
    RS_TURN_EVENT_TOTAL,
    RS_TURN_EVENT_TOTAL_PEER
} rs_turn_event_e;


/* slices of the key and the value */

typedef struct {
    rs_turn_event_e  type;
    rs_str_t         realm;
    rs_str_t         user;            /* any bytes; may be empty */
    uint64_t         id;

    /* new, refreshed */

    uint64_t         lifetime;        /* s */
    rs_str_t         transport;       /* "UDP", ...; empty: not told */
    rs_str_t         remote;          /* the client's ADDRESS:PORT, or empty */

    /* traffic and totals */

    uint64_t         rcvp;
    uint64_t         rcvb;
    uint64_t         sentp;
    uint64_t         sentb;
} rs_turn_event_t;


/* RS_OK; RS_E_INVALID_VALUE: nothing of the above */
rs_err_e rs_turn_event_parse(rs_turn_event_t *e, rs_str_t key,
    rs_str_t value);


#endif /* _RS_TURN_EVENT_H_INCLUDED_ */
