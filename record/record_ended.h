
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What the gateway is told of a recording that has ended, from its chain: who
 * ended it may have died before anybody was told.
 */

#ifndef _RECORD_ENDED_H_INCLUDED_
#define _RECORD_ENDED_H_INCLUDED_


#include "record_store.h"


typedef struct {
    char         *session_id;
    const char   *reason;               /* of the protocol */
    record_sum_t  sum;
} record_ended_t;


/* FALSE: it has no end, or is none of what it says. */
gboolean record_ended_read(const char *dir, const char *id,
    record_ended_t *ended, GError **error);
void record_ended_clear(record_ended_t *ended);


#endif /* _RECORD_ENDED_H_INCLUDED_ */
