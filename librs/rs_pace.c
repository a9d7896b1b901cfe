
/*
 * Copyright (C) rs-gateway contributors
 *
 * The generic cell rate algorithm (ITU-T I.371, A.1) as a shaper: what does
 * not conform is not refused, it is told when it will.
 */


#include "rs_pace.h"


static uint64_t rs_pace_us(const rs_pace_t *pace, uint64_t n);


size_t
rs_pace_quantum(const rs_pace_t *pace)
{
    uint64_t  n;

    n = pace->rate / 64;

    if (n < RS_PACE_QUANTUM_MIN) {
        return RS_PACE_QUANTUM_MIN;
    }

    return (n < RS_PACE_QUANTUM_MAX) ? (size_t) n : RS_PACE_QUANTUM_MAX;
}


int
rs_pace(const rs_pace_t *pace, uint64_t state, uint64_t now_us, size_t n,
    uint64_t *next, uint64_t *wait_us)
{
    uint64_t  limit, back;

    limit = now_us + rs_pace_us(pace, pace->burst);

    back = (state > now_us) ? state : now_us;

    if (back > limit + 2 * RS_PACE_AHEAD) {
        /* not of this rate: nobody takes a place so far ahead */
        back = now_us;
    }

    if (back > limit + RS_PACE_AHEAD) {
        *next = back;
        *wait_us = RS_PACE_AHEAD;
        return 0;
    }

    back += rs_pace_us(pace, n);

    *next = back;
    *wait_us = (back > limit) ? back - limit : 0;

    return 1;
}


/* rounded up: never more than the rate */

static uint64_t
rs_pace_us(const rs_pace_t *pace, uint64_t n)
{
    return (n * 1000000 + pace->rate - 1) / pace->rate;
}
