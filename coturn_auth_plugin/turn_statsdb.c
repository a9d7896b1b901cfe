
/*
 * Copyright (C) rs-gateway contributors
 *
 * What is told to redis-statsdb.
 */


#include "turn_statsdb.h"

#include "turn_clock.h"


static void turn_statsdb_event(turn_statsdb_t *db, rs_str_t key,
    rs_str_t value);
static void turn_statsdb_new(turn_statsdb_t *db, const rs_turn_event_t *e);
static void turn_statsdb_traffic(turn_statsdb_t *db,
    const rs_turn_event_t *e);


void
turn_statsdb_command(void *data, turn_connection_t *c, const rs_str_t *argv,
    size_t argc)
{
    turn_statsdb_t  *db = data;

    if (rs_str_eq_ci(argv[0], RS_STR("publish")) && argc == 3) {
        turn_statsdb_event(db, argv[1], argv[2]);
        turn_answer_int(c, 1);

    } else if (rs_str_eq_ci(argv[0], RS_STR("set")) && argc == 3) {

        /* the same as what is published, and before it */

        turn_answer_ok(c);

    } else if (rs_str_eq_ci(argv[0], RS_STR("del")) && argc >= 2) {
        turn_answer_int(c, 0);

    } else if (rs_str_eq_ci(argv[0], RS_STR("keys")) && argc == 2) {

        /* what an earlier coturn has left: nothing is kept here */

        turn_answer_array(c, 0);

    } else {
        turn_answer_unknown(c);
    }
}


static void
turn_statsdb_event(turn_statsdb_t *db, rs_str_t key, rs_str_t value)
{
    rs_turn_event_t  e;

    if (rs_turn_event_parse(&e, key, value) != RS_OK) {

        /* coturn's way to ask whether anybody is there */

        if (!rs_str_eq(key, RS_STR("__XXX__"))) {
            db->malformed++;
        }

        return;
    }

    db->events[e.type]++;

    if (!rs_str_eq(e.realm, rs_str(db->conf->realm))) {
        db->other_realm++;
        return;
    }

    switch (e.type) {

    case RS_TURN_EVENT_NEW:
        turn_statsdb_new(db, &e);
        break;

    case RS_TURN_EVENT_DELETED:
        if (!turn_table_free(db->parts->table, e.id)) {
            db->unknown++;
        }

        if (db->parts->usage != NULL) {
            turn_usage_close(db->parts->usage, e.id, turn_clock_ms());
        }

        break;

    case RS_TURN_EVENT_TRAFFIC:
    case RS_TURN_EVENT_TOTAL:
        turn_statsdb_traffic(db, &e);
        break;

    default:
        break;
    }
}


static void
turn_statsdb_new(turn_statsdb_t *db, const rs_turn_event_t *e)
{
    uint64_t        now;
    turn_verdict_e  v;

    now = turn_clock_ms();
    v = turn_table_alloc(db->parts->table, e->id, e->user, now);
    db->verdicts[v]++;

    if (v == TURN_V_FULL && db->parts->reaper != NULL) {
        turn_reaper_kill(db->parts->reaper, e->id);
    }

    if (db->parts->usage != NULL) {
        turn_usage_open(db->parts->usage, e->id, e->user, now / 1000, now);
    }
}


static void
turn_statsdb_traffic(turn_statsdb_t *db, const rs_turn_event_t *e)
{
    uint64_t            now;
    turn_alloc_info_t   info;
    turn_usage_count_t  count;

    now = turn_clock_ms();
    count.rcvp = e->rcvp;
    count.rcvb = e->rcvb;
    count.sentp = e->sentp;
    count.sentb = e->sentb;

    /* a total comes when the table has forgotten it; usage knows whose it is */

    if (e->type == RS_TURN_EVENT_TOTAL) {

        if (db->parts->usage != NULL) {
            turn_usage_total(db->parts->usage, e->id, &count, now);
        }

        return;
    }

    if (!turn_table_find(db->parts->table, e->id, &info)) {
        db->unknown++;
        return;
    }

    db->received += e->rcvb;
    db->sent += e->sentb;

    if (db->parts->usage != NULL) {
        turn_usage_add(db->parts->usage, e->id, &count, now);
    }
}
