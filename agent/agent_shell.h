
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A terminal: a login shell on a pty, joined to a leg of a pipe.  The messages
 * are those of docs/protocol/pipe.md, "A terminal".
 */

#ifndef _AGENT_SHELL_H_INCLUDED_
#define _AGENT_SHELL_H_INCLUDED_


#include "agent_user.h"
#include "agent_wire.h"


#define AGENT_SHELL_SIDE_MAX  1000      /* columns, rows */


typedef struct agent_shell_s  agent_shell_t;


typedef struct {
    gboolean     clean;                 /* the shell has ended */
    guint64      sent;                  /* bytes it wrote */
    guint64      received;
    const char  *why;
} agent_shell_end_t;


/* Called once; nothing after it.  The shell may be freed here. */
typedef void (*agent_shell_closed_pt)(void *data,
    const agent_shell_end_t *end);


/*
 * Starts the shell, then opens the leg; to->max_message is not looked at.
 * closed() is never called inside.  NULL and *error: there is no pty.
 */
agent_shell_t *agent_shell_new(const agent_wire_to_t *to,
    const agent_user_t *user, agent_shell_closed_pt closed, void *data,
    GError **error);

/*
 * closed() is not called any more.  Its processes are hung up on, and killed
 * AGENT_CHILD_S later; the leg is closed with code.
 */
void agent_shell_free(agent_shell_t *shell, guint code);


#endif /* _AGENT_SHELL_H_INCLUDED_ */
