
/*
 * Copyright (C) rs-gateway contributors
 *
 * A shared rate with a clock of the test.
 */


#include "tap.h"
#include "rs_rate.h"


static int
take(const rs_rate_t *rate, uint64_t *state, uint64_t now)
{
    int       rc;
    uint64_t  next, wait;

    rc = rs_rate(rate, RS_RATE_TAKE, *state, now, &next, &wait);
    *state = next;

    return rc;
}


static void
test_take(void)
{
    int        i, taken;
    uint64_t   state, next, wait;
    rs_rate_t  rate = { 20000, 100 };            /* 50 a second */

    state = 0;

    for (taken = 0; taken < 1000 && take(&rate, &state, 5000000); taken++) {
        /* void */
    }

    is_int((uint64_t) taken, 100, "the burst and no more");

    ok(!rs_rate(&rate, RS_RATE_LOOK, state, 5000000, &next, &wait),
       "nothing is left");
    is_int(wait, 20000, "the next one in 20 ms");
    ok(!take(&rate, &state, 5019999), "not before");
    ok(take(&rate, &state, 5020000), "then it is there");
    ok(!take(&rate, &state, 5020000), "once");

    taken = 0;

    for (i = 1; i <= 10000; i++) {
        taken += take(&rate, &state, 5020000 + (uint64_t) i * 1000);
    }

    is_int((uint64_t) taken, 500, "50 a second over 10 s");

    for (taken = 0; taken < 1000 && take(&rate, &state, 900000000); taken++) {
        /* void */
    }

    is_int((uint64_t) taken, 100, "full again, and not more than full");
}


static void
test_look(void)
{
    uint64_t   state, next, wait;
    rs_rate_t  rate = { 1000000, 1 };

    ok(rs_rate(&rate, RS_RATE_LOOK, 0, 7, &next, &wait), "one is there");
    ok(rs_rate(&rate, RS_RATE_LOOK, next, 7, &next, &wait),
       "and still is: looking takes none");
    is_int(wait, 0, "no wait");

    state = next;

    ok(take(&rate, &state, 7), "taken");
    ok(!rs_rate(&rate, RS_RATE_LOOK, state, 8, &next, &wait), "gone");
    is_int(next, state, "a refusal changes nothing");
    is_int(wait, 999999, "a second, but for what has passed");
}


static void
test_charge(void)
{
    int        i;
    uint64_t   state, next, wait;
    rs_rate_t  rate = { 1000000, 3 };

    state = 0;

    for (i = 0; i < 100; i++) {
        (void) rs_rate(&rate, RS_RATE_CHARGE, state, 50, &next, &wait);
        state = next;
    }

    ok(!take(&rate, &state, 50), "charged: nothing is left");
    ok(!take(&rate, &state, 1000049), "for the time of one token");
    ok(take(&rate, &state, 1000050), "and no longer, however often");
}


static void
test_bounds(void)
{
    uint64_t   state, next, wait;
    rs_rate_t  rate = { 1000, 10 };
    rs_rate_t  large = { RS_RATE_MAX, RS_RATE_MAX };

    /* left by a slower rate, or by a clock that began anew */

    state = UINT64_MAX;

    ok(!rs_rate(&rate, RS_RATE_TAKE, state, 500, &next, &wait),
       "a state far ahead is refused");
    is_int(wait, 1000, "but only for the time of this rate");
    is_int(next, 500 + 10 * 1000, "and is cut");

    ok(rs_rate(&large, RS_RATE_TAKE, 0, (uint64_t) 1 << 60, &next, &wait),
       "the largest rate does not overflow");
    is_int(next, ((uint64_t) 1 << 60) + RS_RATE_MAX, "nor its state");
}


int
main(void)
{
    test_take();
    test_look();
    test_charge();
    test_bounds();

    return tap_done();
}
