
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The commands that agent.conf allows, a group [command NAME] each: an exact
 * list of arguments with typed parameters in it.  No shell has anything to do
 * with them.  Pure.
 */

#ifndef _AGENT_COMMAND_H_INCLUDED_
#define _AGENT_COMMAND_H_INCLUDED_


#include "agent_json.h"
#include "rs_param.h"

#include <gio/gio.h>


#define AGENT_COMMANDS         64
#define AGENT_COMMAND_NAME     64       /* bytes, of one and of a parameter */
#define AGENT_COMMAND_WORDS    64       /* arguments */
#define AGENT_COMMAND_PARAMS   16
#define AGENT_COMMAND_PREFIX   "command "


typedef struct {
    char        *name;
    char        *text;                  /* that type points into */
    rs_param_t   type;
} agent_param_t;


typedef struct {
    char        *name;
    char       **argv;                  /* "{NAME}" stands for a parameter */
    char        *user;
    guint        timeout_s;
    guint        output;                /* KiB of both outputs */
    GPtrArray   *params;                /* agent_param_t */
} agent_command_t;


/* NULL and *error: that is no name */
agent_command_t *agent_command_new(const char *name, GError **error);
void agent_command_free(void *command);

/* one key of its group */
gboolean agent_command_set(agent_command_t *command, const char *key,
    const char *value, GError **error);

/* what no key says by itself */
gboolean agent_command_whole(const agent_command_t *command, GError **error);

/*
 * The arguments with args in them, g_strfreev(); args: an object, or NULL.
 * Each parameter is needed, as a string or a number, and no other one may be
 * there.  NULL and *error.
 */
char **agent_command_argv(const agent_command_t *command, const json_t *args,
    GError **error);


#endif /* _AGENT_COMMAND_H_INCLUDED_ */
