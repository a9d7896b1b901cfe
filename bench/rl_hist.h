
/*
 * Copyright (C) rs-gateway contributors
 *
 * A histogram in the manner of HdrHistogram: values of 64 bits in buckets
 * whose width is at most 1/128 of the value, so a percentile is right to
 * 0.8 %.  Of fixed size; recording costs a few instructions.
 */


#ifndef _RL_HIST_H_INCLUDED_
#define _RL_HIST_H_INCLUDED_


#include <stdint.h>


#define RL_HIST_SUB_BITS       7
#define RL_HIST_SUB            (1 << RL_HIST_SUB_BITS)
#define RL_HIST_BUCKETS        ((64 - RL_HIST_SUB_BITS + 1) * RL_HIST_SUB)


typedef struct {
    uint64_t        count;
    uint64_t        min;
    uint64_t        max;
    double          sum;
    uint64_t        buckets[RL_HIST_BUCKETS];
} rl_hist_t;


void rl_hist_init(rl_hist_t *h);
void rl_hist_add(rl_hist_t *h, uint64_t value);

/*
 * The least value v such that the share p (0 to 1) of all values is at most
 * v, to the upper edge of its bucket; the exact maximum for 1.  0 when empty.
 */
uint64_t rl_hist_at(const rl_hist_t *h, double p);
double rl_hist_mean(const rl_hist_t *h);


#endif /* _RL_HIST_H_INCLUDED_ */
