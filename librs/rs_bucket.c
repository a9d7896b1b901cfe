
/*
 * Copyright (C) rs-gateway contributors
 *
 * Token bucket in thousandths of a token: a rate of one per second gives one
 * thousandth each millisecond, so nothing is ever rounded away.
 */


#include "rs_bucket.h"


static void rs_bucket_refill(rs_bucket_t *b, uint64_t now_ms);


void
rs_bucket_init(rs_bucket_t *b, uint64_t rate, uint64_t burst, uint64_t now_ms)
{
    b->rate = (rate < RS_BUCKET_MAX) ? rate : RS_BUCKET_MAX;
    b->size = ((burst < RS_BUCKET_MAX) ? burst : RS_BUCKET_MAX) * 1000;
    b->level = b->size;
    b->at_ms = now_ms;
}


static void
rs_bucket_refill(rs_bucket_t *b, uint64_t now_ms)
{
    uint64_t  passed;

    if (now_ms <= b->at_ms) {
        return;
    }

    passed = now_ms - b->at_ms;
    b->at_ms = now_ms;

    if (b->rate && passed >= (b->size - b->level) / b->rate + 1) {
        b->level = b->size;

    } else {
        b->level += passed * b->rate;
    }
}


int
rs_bucket_take(rs_bucket_t *b, uint64_t n, uint64_t now_ms)
{
    rs_bucket_refill(b, now_ms);

    if (n > b->level / 1000) {
        return 0;
    }

    b->level -= n * 1000;

    return 1;
}


uint64_t
rs_bucket_wait(rs_bucket_t *b, uint64_t n, uint64_t now_ms)
{
    uint64_t  missing;

    rs_bucket_refill(b, now_ms);

    if (n <= b->level / 1000) {
        return 0;
    }

    if (n > b->size / 1000 || b->rate == 0) {
        return UINT64_MAX;
    }

    missing = n * 1000 - b->level;

    return (missing + b->rate - 1) / b->rate;
}
