
/*
 * Copyright (C) rs-gateway contributors
 *
 * A shared rate of bytes with a clock of the test.
 */


#include "tap.h"
#include "rs_pace.h"


#define S  ((uint64_t) 1000000)


static uint64_t
take(const rs_pace_t *pace, uint64_t *state, uint64_t now, size_t n)
{
    uint64_t  next, wait;

    ok(rs_pace(pace, *state, now, n, &next, &wait), "a place");
    *state = next;

    return wait;
}


static void
test_quantum(void)
{
    rs_pace_t  pace = { RS_PACE_RATE_MIN, 1 };

    is_int(rs_pace_quantum(&pace), 1024, "of a small rate");

    pace.rate = 1024 * 1024;
    is_int(rs_pace_quantum(&pace), 16384, "1/64 s");

    pace.rate = RS_PACE_RATE_MAX;
    is_int(rs_pace_quantum(&pace), 65536, "not above a buffer");
}


static void
test_one(void)
{
    int        i;
    uint64_t   state, now, wait, bytes;
    rs_pace_t  pace = { 1000000, 100000 };

    state = 0;
    now = 5 * S;

    for (i = 0; i < 10; i++) {
        is_int(take(&pace, &state, now, 10000), 0, "of the burst");
    }

    is_int(take(&pace, &state, now, 10000), 10000, "then 10 ms for 10 KB");
    is_int(take(&pace, &state, now, 10000), 20000, "the next one behind it");
    is_int(take(&pace, &state, now + 15000, 10000), 15000,
           "and time counts for it");

    /* who is late loses nothing: ten seconds, woken 7 ms too late each time */

    bytes = 0;
    state = 0;
    now = 100 * S;

    while (now < 110 * S) {
        wait = take(&pace, &state, now, 10000);
        now += wait ? wait + 7000 : 0;
        bytes += 10000;
    }

    ok(bytes >= 10000000 && bytes <= 10150000, "1 MB a second, and the burst");

    take(&pace, &state, 200 * S, 10000);
    is_int(state, 200 * S + 10000, "a pause gives the burst back, no more");
}


static void
test_many(void)
{
    int        i;
    uint64_t   state, wait[4];
    rs_pace_t  pace = { 65536, 1 };

    state = 1;

    for (i = 0; i < 4; i++) {
        wait[i] = take(&pace, &state, S, 1024);
    }

    for (i = 1; i < 4; i++) {
        is_int(wait[i] - wait[i - 1], 15625, "one behind the other");
    }
}


static void
test_long(void)
{
    int        n;
    uint64_t   state, next, wait;
    rs_pace_t  pace = { RS_PACE_RATE_MIN, 1 };

    state = 0;
    n = 0;

    while (n < 100000 && rs_pace(&pace, state, S, 1024, &next, &wait)) {
        state = next;
        n++;
    }

    ok(n > 900 && n < 1000, "a minute of it may wait");
    is_int(wait, RS_PACE_AHEAD, "who comes then comes again");
    is_int(next, state, "and takes no place");
    ok(rs_pace(&pace, state, 2 * S, 1024, &next, &wait), "later there is one");

    /* another rate has left it, or another name */

    ok(rs_pace(&pace, 1000 * S, S, 1024, &next, &wait), "far ahead");
    ok(next < 2 * S, "is begun anew");
}


static void
test_bounds(void)
{
    uint64_t   next, wait;
    rs_pace_t  pace = { RS_PACE_RATE_MAX, RS_PACE_BURST_MAX };

    ok(rs_pace(&pace, 0, UINT64_MAX >> 2, 1, &next, &wait), "the largest");
    ok(next > UINT64_MAX >> 2, "one byte is not free of charge");
    is_int(wait, 0, "and comes at once");
}


int
main(void)
{
    test_quantum();
    test_one();
    test_many();
    test_long();
    test_bounds();

    return tap_done();
}
