
/*
 * Copyright (C) rs-gateway contributors
 *
 * Load: many allocations at once.
 */


#ifndef _TC_LOAD_H_INCLUDED_
#define _TC_LOAD_H_INCLUDED_


#include "tc_options.h"
#include "tc_pair.h"


#define TC_LOAD_ERRORS  16


typedef struct {
    tc_error_t           error;
    uint64_t             count;
} tc_load_error_t;


typedef struct {
    tc_level_e           level;
    tc_error_t           error;       /* it could not be begun */

    unsigned             asked;
    unsigned             made;
    unsigned             lost;        /* pairs, after they were made */
    double               seconds;     /* from the first to the last of them */
    double               per_second;
    tc_stat_t            allocate;

    double               kept;        /* s */
    tc_counts_t          counts;
    double               loss;        /* percent */
    tc_stat_t            rtt;

    unsigned             nerrors;     /* different ones */
    tc_load_error_t      errors[TC_LOAD_ERRORS];
    uint64_t             other_errors;
} tc_load_result_t;


/* runs the loop until it is done */
void tc_load_run(tc_env_t *env, tc_options_t *o, tc_load_result_t *r);
void tc_load_result_free(tc_load_result_t *r);


#endif /* _TC_LOAD_H_INCLUDED_ */
