
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A command that runs, its output on a leg of a pipe.  The messages are those
 * of docs/protocol/pipe.md, "A command".
 */

#ifndef _AGENT_RUN_H_INCLUDED_
#define _AGENT_RUN_H_INCLUDED_


#include "agent_command.h"
#include "agent_user.h"
#include "agent_wire.h"


typedef struct agent_run_s  agent_run_t;


typedef struct {
    gboolean     clean;                 /* it has ended, and all was said */
    guint64      sent;                  /* bytes it wrote */
    const char  *why;
} agent_run_end_t;


/* Called once; nothing after it.  The run may be freed here. */
typedef void (*agent_run_closed_pt)(void *data, const agent_run_end_t *end);


/*
 * Starts argv by command's limits, then opens the leg; to->max_message is not
 * looked at.  closed() is never called inside.  NULL and *error: no process.
 */
agent_run_t *agent_run_new(const agent_wire_to_t *to,
    const agent_command_t *command, char **argv, const agent_user_t *user,
    agent_run_closed_pt closed, void *data, GError **error);

/* closed() is not called any more; what runs is ended. */
void agent_run_free(agent_run_t *run, guint code);


#endif /* _AGENT_RUN_H_INCLUDED_ */
