
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A command of a device: asked for once, its output as it comes, its status.
 */

#ifndef _TUNNEL_COMMAND_H_INCLUDED_
#define _TUNNEL_COMMAND_H_INCLUDED_


#include "tunnel_gate.h"


#define TUNNEL_COMMAND_LIMIT   124      /* the device ended it: time, output */
#define TUNNEL_COMMAND_SIGNAL  128      /* and its number */


/*
 * What is asked for: name, then NAME=VALUE words, and NAME=FILE words of
 * secrets, whose values are the first lines of files ("-": standard input);
 * the last two may be NULL.  The body of the call, or NULL: *error.
 */
json_t *tunnel_command_body(const char *name, char **args, char **secrets,
    GError **error);

/*
 * Runs it: body is taken over.  The status of the command, or *error.  SIGINT,
 * SIGTERM and SIGHUP end it, with TUNNEL_COMMAND_SIGNAL and the number.
 */
int tunnel_command_run(tunnel_rest_t *rest, const tunnel_config_t *config,
    const tunnel_device_t *device, json_t *body, GError **error);


#endif /* _TUNNEL_COMMAND_H_INCLUDED_ */
