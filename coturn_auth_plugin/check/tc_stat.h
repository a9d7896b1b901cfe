
/*
 * Copyright (C) rs-gateway contributors
 *
 * Durations, in microseconds, and their percentiles.
 */


#ifndef _TC_STAT_H_INCLUDED_
#define _TC_STAT_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define TC_STAT_MAX  (1 << 18)        /* samples kept; even */


/* zeroed: empty */

typedef struct {
    uint32_t       *v;
    size_t          n;                /* kept */
    size_t          size;
    uint64_t        count;            /* seen */
    uint64_t        stride;           /* each so many-th is kept */
    uint32_t        max;
} tc_stat_t;


/* 0: no memory, the sample is only counted */
int tc_stat_add(tc_stat_t *s, uint64_t us);
/* p: 0 to 1; 0 if there is none.  Sorts what is kept. */
uint32_t tc_stat_percentile(tc_stat_t *s, double p);
void tc_stat_free(tc_stat_t *s);


#endif /* _TC_STAT_H_INCLUDED_ */
