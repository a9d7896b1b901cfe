
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * rs-record as a service: its control channel, and the sessions that it is
 * asked to record.
 */

#ifndef _RECORD_RUN_H_INCLUDED_
#define _RECORD_RUN_H_INCLUDED_


#include "record_config.h"
#include "record_options.h"


/* Each gives the status of the process. */
int record_run(record_config_t *config, GError **error);
int record_enroll(record_config_t *config, const record_options_t *options,
    const char *url, GError **error);


#endif /* _RECORD_RUN_H_INCLUDED_ */
