
/*
 * Copyright (C) rs-gateway contributors
 *
 * What was found, for people and for machines.
 */


#ifndef _TC_REPORT_H_INCLUDED_
#define _TC_REPORT_H_INCLUDED_


#include "tc_check.h"
#include "tc_denied.h"
#include "tc_load.h"


typedef struct {
    tc_level_e           level;       /* the worst */
    tc_error_t           error;       /* nothing could be begun */

    tc_result_t         *results;
    unsigned             nresults;
    tc_denied_t         *denied;
    unsigned             ndenied;
    tc_load_result_t    *load;        /* NULL: none */
} tc_report_t;


/* to stdout; 1, or 0: it could not be written */
int tc_report_text(tc_report_t *r);
int tc_report_json(tc_report_t *r);


#endif /* _TC_REPORT_H_INCLUDED_ */
