
/*
 * Copyright (C) rs-gateway contributors
 *
 * What coturn asks of redis-userdb: secrets or keys, quotas, peer lists.
 * Every answer comes from memory.
 *
 *     keys turn/origin/...                     none
 *     keys turn/realm/<any>/allowed-peer-ip    the realm's key; denied too
 *     smembers turn/realm/R/allowed-peer-ip    never empty, whatever happens
 *     smembers turn/realm/R/secret             compat: what signs user names
 *     get turn/realm/R/user/U/key              strict: the key, or nil
 *     get turn/realm/R/user-quota ...          as configured
 *     hgetall ...                              nothing
 */


#ifndef _TURN_USERDB_H_INCLUDED_
#define _TURN_USERDB_H_INCLUDED_


#include "turn_log.h"
#include "turn_policy.h"
#include "turn_secret.h"
#include "turn_server.h"
#include "turn_table.h"


typedef struct {
    const turn_conf_t  *conf;
    turn_secret_t      *secret;
    turn_policy_t      *policy;
    turn_table_t       *table;

    /* counted */

    uint64_t            secrets;      /* compat: secrets asked for */
    uint64_t            withheld;     /* of these, none given: stale */
    uint64_t            verdicts[TURN_V_MAX];   /* strict: keys asked for */
    turn_log_limit_t    limit;
} turn_userdb_t;


/* handler of turn_server_t; data: a turn_userdb_t */
void turn_userdb_command(void *data, turn_connection_t *c,
    const rs_str_t *argv, size_t argc);


#endif /* _TURN_USERDB_H_INCLUDED_ */
