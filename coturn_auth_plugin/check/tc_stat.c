
/*
 * Copyright (C) rs-gateway contributors
 *
 * Samples are kept as they are until there are TC_STAT_MAX; then every second
 * one goes, and from there on only every second one is taken in, and so on:
 * bounded, and still of the whole time.
 */


#include "tc_stat.h"

#include <stdlib.h>
#include <string.h>


static int tc_stat_compare(const void *a, const void *b);


int
tc_stat_add(tc_stat_t *s, uint64_t us)
{
    size_t     i, size;
    uint32_t  *v, value;

    value = us > UINT32_MAX ? UINT32_MAX : (uint32_t) us;

    if (s->stride == 0) {
        s->stride = 1;
    }

    if (value > s->max) {
        s->max = value;
    }

    if (s->count++ % s->stride) {
        return 1;
    }

    if (s->n == TC_STAT_MAX) {
        for (i = 0; i < s->n / 2; i++) {
            s->v[i] = s->v[2 * i];
        }

        s->n /= 2;
        s->stride *= 2;
    }

    if (s->n == s->size) {
        size = s->size ? s->size * 2 : 256;
        v = realloc(s->v, size * sizeof(uint32_t));

        if (v == NULL) {
            return 0;
        }

        s->v = v;
        s->size = size;
    }

    s->v[s->n++] = value;

    return 1;
}


uint32_t
tc_stat_percentile(tc_stat_t *s, double p)
{
    size_t  i;

    if (s->n == 0) {
        return 0;
    }

    qsort(s->v, s->n, sizeof(uint32_t), tc_stat_compare);

    i = (size_t) (p * (double) s->n);

    return s->v[i < s->n ? i : s->n - 1];
}


static int
tc_stat_compare(const void *a, const void *b)
{
    uint32_t  x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));

    return x < y ? -1 : x > y;
}


void
tc_stat_free(tc_stat_t *s)
{
    free(s->v);
    memset(s, 0, sizeof(tc_stat_t));
}
