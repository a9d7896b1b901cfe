
/*
 * Copyright (C) rs-gateway contributors
 *
 * Newer user names of a participant, and the older ones.
 */


#include "table.h"


static void
test_newest(void)
{
    turn_table_t  *t;

    t = table(NULL);
    (void) turn_table_live(t, ACME, ses(1), T0 + 600, NONE, NOW);

    is_v(turn_table_verdict(t, user("acme", 1, 1, T0 + 99), NULL, NOW),
         TURN_V_OK, "to ask with a newer name");
    is_v(turn_table_alloc(t, 1, user("acme", 1, 1, T0 + 60), NOW), TURN_V_OK,
         "supersedes nothing");
    is_v(turn_table_alloc(t, 2, user("acme", 1, 1, T0 + 70), NOW), TURN_V_OK,
         "to allocate with it");
    is_v(turn_table_verdict(t, user("acme", 1, 1, T0 + 60), NULL, LATER),
         TURN_V_SUPERSEDED, "does");
    is_v(turn_table_alloc(t, 3, user("acme", 1, 1, T0 + 60), LATER),
         TURN_V_SUPERSEDED, "in both modes");
    is_v(turn_table_verdict(t, user("acme", 1, 1, T0 + 70), NULL, LATER),
         TURN_V_OK, "the newest goes on");
    is_v(turn_table_verdict(t, user("acme", 1, 2, T0 + 60), NULL, LATER),
         TURN_V_OK, "another participant is another one");
    is_int(doomed(t), 1, "what was allocated before lives on");

    turn_table_ps_begin(t, LATER);
    is_v(turn_table_ps_seen(t, 4, user("acme", 1, 1, T0 + 60), T0 - 9, LATER),
         TURN_V_OK, "one found by ps may be older");
    turn_table_ps_end(t, 1, NULL, NULL);
    turn_table_ps_begin(t, LATER + 2000);
    is_v(turn_table_ps_seen(t, 5, user("acme", 1, 1, T0 + 60), T0 - 9,
                            LATER + 2000),
         TURN_V_OK, "at any time");
    is_v(turn_table_ps_seen(t, 6, user("acme", 1, 1, T0 + 60),
                            LATER / 1000 + 1, LATER + 2000),
         TURN_V_SUPERSEDED, "but not one that began since the last ps");

    turn_table_destroy(t);
}


/* coturn's threads overtake each other, and ps has an order of its own */

static void
test_overtaken(void)
{
    static const struct {
        unsigned         expiry, at;      /* s after T0 */
        turn_verdict_e   v;
        const char      *name;
    } told[] = {
        { 62, 0, TURN_V_OK, "the second one is told of first" },
        { 61, 0, TURN_V_OK, "then the first one, with its older name" },
        { 64, 3, TURN_V_OK, "a third" },
        { 63, 5, TURN_V_OK, "and again" },
        { 63, 9, TURN_V_SUPERSEDED, "later it is too late" },
        { 80, 20, TURN_V_OK, "a newer one after a while" },
        { 64, 20, TURN_V_OK, "with the one before it goes on for a moment" },
        { 63, 20, TURN_V_SUPERSEDED, "but with none before that" },
    };

    unsigned       i;
    turn_table_t  *t;

    t = table(NULL);
    (void) turn_table_live(t, ACME, ses(1), T0 + 600, NONE, NOW);

    for (i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        is_v(turn_table_alloc(t, 1 + i, user("acme", 1, 1, T0 + told[i].expiry),
                              NOW + told[i].at * 1000),
             told[i].v, told[i].name);
    }

    turn_table_ps_begin(t, LATER);
    turn_table_ps_end(t, 1, NULL, NULL);
    turn_table_ps_begin(t, LATER + 9000);

    for (i = 0; i < 2; i++) {
        is_v(turn_table_ps_seen(t, 30 - i, user("acme", 1, 1, T0 + 90 - i),
                                T0 + 24 - i, LATER + 9000),
             TURN_V_OK, "of two found by ps, the newer first");
    }

    turn_table_destroy(t);
}


int
main(void)
{
    test_newest();
    test_overtaken();

    return tap_done();
}
