
/*
 * Copyright (C) rs-gateway contributors
 *
 * What is told to redis-statsdb.
 */


#include "turn_statsdb.h"


void
turn_statsdb_command(void *data, turn_connection_t *c, const rs_str_t *argv,
    size_t argc)
{
    turn_statsdb_t  *db = data;

    if (rs_str_eq_ci(argv[0], RS_STR("publish")) && argc == 3) {
        db->events++;
        turn_reply_int(c, 1);

    } else if (rs_str_eq_ci(argv[0], RS_STR("set")) && argc == 3) {
        turn_reply_ok(c);

    } else if (rs_str_eq_ci(argv[0], RS_STR("del")) && argc >= 2) {
        turn_reply_int(c, 0);

    } else if (rs_str_eq_ci(argv[0], RS_STR("keys")) && argc == 2) {
        turn_reply_array(c, 0);

    } else {
        turn_reply_unknown(c);
    }
}
