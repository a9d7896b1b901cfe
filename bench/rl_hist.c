
/*
 * Copyright (C) rs-gateway contributors
 *
 * Histogram: see rl_hist.h.
 */


#include <math.h>
#include <string.h>

#include "rl_hist.h"


static unsigned rl_hist_index(uint64_t value);
static uint64_t rl_hist_upper(unsigned index);


void
rl_hist_init(rl_hist_t *h)
{
    memset(h, 0, sizeof(rl_hist_t));
    h->min = UINT64_MAX;
}


/*
 * Below 2 * SUB each value has a bucket of its own; above, each power of two
 * is cut into SUB of them.
 */

static unsigned
rl_hist_index(uint64_t value)
{
    unsigned  shift;

    if (value < 2 * RL_HIST_SUB) {
        return (unsigned) value;
    }

    shift = 63 - (unsigned) __builtin_clzll(value) - RL_HIST_SUB_BITS;

    return shift * RL_HIST_SUB + (unsigned) (value >> shift);
}


/* the greatest value of a bucket */

static uint64_t
rl_hist_upper(unsigned index)
{
    unsigned  shift;
    uint64_t  top;

    if (index < 2 * RL_HIST_SUB) {
        return index;
    }

    shift = index / RL_HIST_SUB - 1;
    top = index - shift * RL_HIST_SUB;

    return (top << shift) + (((uint64_t) 1 << shift) - 1);
}


void
rl_hist_add(rl_hist_t *h, uint64_t value)
{
    h->buckets[rl_hist_index(value)]++;
    h->count++;
    h->sum += (double) value;

    if (value < h->min) {
        h->min = value;
    }

    if (value > h->max) {
        h->max = value;
    }
}


uint64_t
rl_hist_at(const rl_hist_t *h, double p)
{
    unsigned  i;
    uint64_t  seen, want, upper;

    if (h->count == 0) {
        return 0;
    }

    if (p >= 1) {
        return h->max;
    }

    want = (uint64_t) ceil(p * (double) h->count);

    if (want == 0) {
        return h->min;
    }

    seen = 0;

    for (i = 0; i < RL_HIST_BUCKETS; i++) {
        seen += h->buckets[i];

        if (seen >= want) {
            upper = rl_hist_upper(i);

            return upper < h->max ? upper : h->max;
        }
    }

    return h->max;
}


double
rl_hist_mean(const rl_hist_t *h)
{
    return h->count ? h->sum / (double) h->count : 0;
}
