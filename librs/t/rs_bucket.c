
/*
 * Copyright (C) rs-gateway contributors
 *
 * Token bucket with a clock of the test.
 */


#include "tap.h"
#include "rs_bucket.h"


static void
test_rate(void)
{
    int          i, taken;
    uint64_t     now;
    rs_bucket_t  b;

    rs_bucket_init(&b, 50, 100, 1000);

    for (taken = 0; rs_bucket_take(&b, 1, 1000); taken++) {
        /* void */
    }

    is_int((uint64_t) taken, 100, "the burst and no more");
    is_int(rs_bucket_wait(&b, 1, 1000), 20, "the next one in 20 ms");
    ok(!rs_bucket_take(&b, 1, 1019), "not before");
    ok(rs_bucket_take(&b, 1, 1020), "then it is there");
    ok(!rs_bucket_take(&b, 1, 1020), "once");

    /* looking at it each millisecond loses nothing */

    taken = 0;

    for (i = 1; i <= 10000; i++) {
        now = 1020 + (uint64_t) i;
        taken += rs_bucket_take(&b, 1, now);
    }

    is_int((uint64_t) taken, 500, "50 a second over 10 s");

    ok(rs_bucket_take(&b, 100, 100000), "full again after a while");
    ok(!rs_bucket_take(&b, 1, 100000), "and not more than full");
}


static void
test_amounts(void)
{
    rs_bucket_t  b;

    rs_bucket_init(&b, 262144, 524288, 0);

    ok(rs_bucket_take(&b, 524288, 0), "bytes: the whole burst");
    ok(!rs_bucket_take(&b, 65536, 249), "bytes: too soon");
    ok(rs_bucket_take(&b, 65536, 250), "bytes: after a quarter second");
    ok(rs_bucket_take(&b, 0, 250), "nothing is always there");
    ok(!rs_bucket_take(&b, 524289, 1000000), "never more than the burst");
    ok(rs_bucket_take(&b, 524288, 1000000), "what was refused costs nothing");
    is_int(rs_bucket_wait(&b, 524289, 1000000), UINT64_MAX, "no use waiting");
    is_int(rs_bucket_wait(&b, 262144, 1000000), 1000, "a second for that");
    is_int(rs_bucket_wait(&b, 1, 2000000), 0, "there");
}


static void
test_edges(void)
{
    rs_bucket_t  b;

    rs_bucket_init(&b, 1, 1, 5000);
    ok(rs_bucket_take(&b, 1, 5000), "one");
    ok(!rs_bucket_take(&b, 1, 4000), "a clock that goes back gives none");
    ok(!rs_bucket_take(&b, 1, 5999), "nor does its coming again");
    ok(rs_bucket_take(&b, 1, 6000), "only time that is new");

    rs_bucket_init(&b, 0, 2, 0);
    ok(rs_bucket_take(&b, 2, 0), "rate 0: the burst");
    ok(!rs_bucket_take(&b, 1, UINT64_MAX), "and never again");
    is_int(rs_bucket_wait(&b, 1, UINT64_MAX), UINT64_MAX, "it says so");

    rs_bucket_init(&b, 1, 0, 0);
    ok(!rs_bucket_take(&b, 1, UINT64_MAX), "burst 0: none");

    rs_bucket_init(&b, UINT64_MAX, UINT64_MAX, 0);
    ok(rs_bucket_take(&b, RS_BUCKET_MAX, 0), "cut to the largest burst");
    ok(!rs_bucket_take(&b, 1, 0), "empty");
    ok(rs_bucket_take(&b, RS_BUCKET_MAX, UINT64_MAX), "no wrap over ages");
    ok(!rs_bucket_take(&b, UINT64_MAX, UINT64_MAX), "nor of what is asked");
}


int
main(void)
{
    test_rate();
    test_amounts();
    test_edges();

    return tap_done();
}
