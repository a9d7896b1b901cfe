
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A child process with a session of its own, waited for by the main loop; and
 * its end, which may take longer than whoever started it is there.
 */

#ifndef _AGENT_CHILD_H_INCLUDED_
#define _AGENT_CHILD_H_INCLUDED_


#include "agent_user.h"

#include <glib.h>
#include <sys/types.h>


#define AGENT_CHILD_S  2                /* from a signal to SIGKILL */


typedef struct agent_child_s  agent_child_t;


/* status: as of waitpid(); the child is gone then, and so is the struct. */
typedef void (*agent_child_exited_pt)(void *data, int status);


/* user: whom it has become */
agent_child_t *agent_child_new(pid_t pid, const agent_user_t *user,
    agent_child_exited_pt exited, void *data);

/* What it leaves behind gets SIGKILL, however it ends. */
void agent_child_alone(agent_child_t *child);

/*
 * Its process group and all of its session get signal now, and SIGKILL
 * AGENT_CHILD_S later or, what is left of them, when the child has exited.
 */
void agent_child_stop(agent_child_t *child, int signal);

/*
 * The same, and exited() is not called any more.  group: another one that
 * is to go with it, or 0.
 */
void agent_child_end(agent_child_t *child, int signal, pid_t group);


#endif /* _AGENT_CHILD_H_INCLUDED_ */
