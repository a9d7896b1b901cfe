
/*
 * Copyright (C) rs-gateway contributors
 *
 * The generic cell rate algorithm (ITU-T I.371, A.1): each token moves the
 * moment when all are back by one interval; it may be one burst ahead.
 */


#include "rs_rate.h"


int
rs_rate(const rs_rate_t *rate, rs_rate_e what, uint64_t state,
    uint64_t now_us, uint64_t *next, uint64_t *wait_us)
{
    uint64_t  limit, back;

    limit = now_us + rate->interval_us * rate->burst;

    back = (state > now_us) ? state : now_us;

    if (back > limit) {
        back = limit;
    }

    *next = back;
    *wait_us = 0;

    if (back + rate->interval_us > limit) {
        *wait_us = back + rate->interval_us - limit;

        if (what == RS_RATE_CHARGE) {
            *next = limit;
        }

        return 0;
    }

    if (what != RS_RATE_LOOK) {
        *next = back + rate->interval_us;
    }

    return 1;
}
