
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Who of a session may use mouse and keyboard, as the gateway said last.  A
 * gateway that says nothing of it leaves it to the roles.
 */

#ifndef _AGENT_CONTROL_H_INCLUDED_
#define _AGENT_CONTROL_H_INCLUDED_


#include <glib.h>


typedef struct agent_control_s  agent_control_t;


agent_control_t *agent_control_new(void);
void agent_control_free(agent_control_t *control);

/* This device's own participant. */
void agent_control_self(agent_control_t *control, const char *id);

/* holder: a participant, or NULL for nobody. */
void agent_control_told(agent_control_t *control, const char *holder);

gboolean agent_control_holds(const agent_control_t *control, const char *id);

/* The person at the device takes it, or no more: the gateway need not know. */
void agent_control_take(agent_control_t *control, gboolean own);
/* The gateway has not said so yet. */
gboolean agent_control_taking(const agent_control_t *control);

/* The person at the device has it. */
gboolean agent_control_taken(const agent_control_t *control);


#endif /* _AGENT_CONTROL_H_INCLUDED_ */
