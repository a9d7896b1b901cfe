
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the gateway tells TURN servers: messages of the channel "rs:turn", and
 * members of the lists that rs_turn_list reads.  docs/design/redis.md.
 *
 *     live <tenant> <session> <expires_at> <host or ->
 *     end <tenant> <session> <expires_at>
 *     rev <tenant> <session> <participant> <expires_at>
 *
 *     <session>.<host or ->     <session>.<participant>
 */


#ifndef _RS_TURN_FEED_H_INCLUDED_
#define _RS_TURN_FEED_H_INCLUDED_


#include "rs_id.h"


typedef enum {
    RS_TURN_LIVE = 0,
    RS_TURN_END,
    RS_TURN_REV
} rs_turn_feed_e;


/* slices of the text; ids with prefix, seconds since the epoch */

typedef struct {
    rs_turn_feed_e      kind;
    rs_str_t            tenant;
    rs_str_t            session_id;
    rs_str_t            participant_id;    /* live: the host, or empty */
    uint64_t            expires_at;
} rs_turn_feed_t;


/* RS_OK or RS_E_INVALID_VALUE: not of this form, to the letter */
rs_err_e rs_turn_feed_parse(rs_str_t text, rs_turn_feed_t *feed);

/* the same; none: 1 if "-" may stand for no participant (par is empty) */
rs_err_e rs_turn_member_parse(rs_str_t text, int none, rs_str_t *ses,
    rs_str_t *par);


#endif /* _RS_TURN_FEED_H_INCLUDED_ */
