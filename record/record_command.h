
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What rs-record does without a gateway: keys, and recordings that are there.
 * Each gives the status of the process.
 */

#ifndef _RECORD_COMMAND_H_INCLUDED_
#define _RECORD_COMMAND_H_INCLUDED_


#include "record_config.h"
#include "record_options.h"


int record_command_keygen(const record_options_t *options, GError **error);
int record_command_verify(const record_options_t *options, const char *path,
    GError **error);
int record_command_decrypt(const record_options_t *options, const char *path,
    GError **error);
int record_command_list(const record_config_t *config, GError **error);


#endif /* _RECORD_COMMAND_H_INCLUDED_ */
