
/*
 * Copyright (C) rs-gateway contributors
 *
 * The histogram against exact percentiles of the same values.
 */


#include "tap.h"

#include "rl_hist.h"


static rl_hist_t  h;


static int
near(uint64_t got, uint64_t want)
{
    return got >= want && got <= want + want / 100 + 1;
}


static int
compare(const void *a, const void *b)
{
    const uint64_t  *x, *y;

    x = a;
    y = b;

    return *x < *y ? -1 : *x > *y;
}


static void
test_empty(void)
{
    rl_hist_init(&h);

    is_int(rl_hist_at(&h, 0.5), 0, "empty: no median");
    is_int(rl_hist_at(&h, 1), 0, "empty: no maximum");
    ok(rl_hist_mean(&h) == 0, "empty: no mean");
}


static void
test_one(void)
{
    rl_hist_init(&h);
    rl_hist_add(&h, 123456789);

    is_int(rl_hist_at(&h, 0), 123456789, "one value: the least");
    is_int(rl_hist_at(&h, 0.5), 123456789, "one value: the median");
    is_int(rl_hist_at(&h, 0.999), 123456789, "one value: p99.9");
    is_int(rl_hist_at(&h, 1), 123456789, "one value: the greatest");
}


static void
test_small(void)
{
    uint64_t  i;

    rl_hist_init(&h);

    for (i = 1; i <= 100; i++) {
        rl_hist_add(&h, i);
    }

    is_int(rl_hist_at(&h, 0.5), 50, "1 to 100: p50 is exact");
    is_int(rl_hist_at(&h, 0.9), 90, "1 to 100: p90 is exact");
    is_int(rl_hist_at(&h, 0.99), 99, "1 to 100: p99 is exact");
    is_int(rl_hist_at(&h, 0.999), 100, "1 to 100: p99.9 is the last");
    ok(rl_hist_mean(&h) == 50.5, "1 to 100: the mean");
}


/* each power of two and its neighbours land within 1 % */

static void
test_edges(void)
{
    int       bad;
    unsigned  i, k;
    uint64_t  v;

    bad = 0;

    for (i = 1; i < 64; i++) {
        for (k = 0; k < 3; k++) {
            v = ((uint64_t) 1 << i) + k - 1;

            rl_hist_init(&h);
            rl_hist_add(&h, v);
            rl_hist_add(&h, UINT64_MAX);

            if (!near(rl_hist_at(&h, 0.5), v)) {
                printf("# %llu gave %llu\n", (unsigned long long) v,
                       (unsigned long long) rl_hist_at(&h, 0.5));
                bad++;
            }
        }
    }

    is_int((uint64_t) bad, 0, "powers of two and their neighbours");
    is_int(rl_hist_at(&h, 1), UINT64_MAX, "the greatest of all values");
}


static void
test_sorted(void)
{
    static uint64_t  v[100000];

    size_t          i, n;
    uint64_t        x;
    unsigned        k;
    const double    p[] = { 0.5, 0.9, 0.99, 0.999 };

    n = sizeof(v) / sizeof(v[0]);
    x = 88172645463325252u;

    rl_hist_init(&h);

    for (i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;

        /* over seven orders of magnitude */

        v[i] = (x >> 40) >> (x & 15);
        rl_hist_add(&h, v[i]);
    }

    qsort(v, n, sizeof(v[0]), compare);

    for (k = 0; k < 4; k++) {
        i = (size_t) (p[k] * (double) n) - 1;

        ok(near(rl_hist_at(&h, p[k]), v[i]), "p%g of 100,000: %llu for %llu",
           p[k] * 100, (unsigned long long) rl_hist_at(&h, p[k]),
           (unsigned long long) v[i]);
    }

    is_int(rl_hist_at(&h, 1), v[n - 1], "the greatest is exact");
    is_int(h.min, v[0], "so is the least");
    is_int(h.count, n, "none is left out");
}


int
main(void)
{
    test_empty();
    test_one();
    test_small();
    test_edges();
    test_sorted();

    return tap_done();
}
