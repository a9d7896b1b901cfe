
/*
 * Copyright (C) rs-gateway contributors
 *
 * How long somebody is sent away who shows credentials that are not good.
 * The whole state is one number, so that processes can share it by
 * compare-and-swap.  rs_ban_fail of redis-schema/lib/rs.lua is the same for
 * the fleet; librs/t/rs_ban.c and redis-schema/t/250-ban.t have one table.
 */


#ifndef _RS_BAN_H_INCLUDED_
#define _RS_BAN_H_INCLUDED_


#include "rs_str.h"


#define RS_BAN_FAILURES_MAX    1000
#define RS_BAN_WINDOW_MAX      86400       /* s */
#define RS_BAN_MAX             604800      /* s: the longest ban */

/* who: "a:<address>", "d:<tenant>:<device>:<address>" */
#define RS_BAN_SUBJECT_MAX     128


typedef struct {
    uint32_t        failures;     /* 1 to RS_BAN_FAILURES_MAX; 0: off */
    uint32_t        window_s;     /* 1 to RS_BAN_WINDOW_MAX */
    uint32_t        time_s;       /* of the first ban; 1 to max_s */
    uint32_t        max_s;        /* 1 to RS_BAN_MAX */
} rs_ban_t;


/*
 * One more failure.  Returns for how many seconds it bans, 0: not.  So many
 * failures within the window ban, each time for twice as long as the last, up
 * to max_s; who has none for window_s and max_s begins anew.  Failures of who
 * is banned do not count.  state: 0 at first; *next what it is now.  now_s: of
 * any clock that starts above 0 and does not go back, below 2^32.
 */
uint32_t rs_ban_fail(const rs_ban_t *conf, uint64_t state, uint32_t now_s,
    uint64_t *next);

/* when state was touched last, or when its ban ends */
uint32_t rs_ban_since(uint64_t state);

/*
 * A message of the fleet, "<subject> <seconds>": 1, and subject is a slice of
 * it, or 0.  0 seconds: the ban is lifted.
 */
int rs_ban_parse(rs_str_t s, rs_str_t *subject, uint32_t *seconds);


#endif /* _RS_BAN_H_INCLUDED_ */
