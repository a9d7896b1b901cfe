
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns what is known of a session's control token.  Pure.
 */

#include "agent_control.h"


struct agent_control_s {
    gboolean   known;           /* the gateway has it at all */
    gboolean   taking;          /* by the person; the gateway is silent */
    char      *holder;          /* NULL: nobody */
    char      *self;
};


agent_control_t *
agent_control_new(void)
{
    return g_new0(agent_control_t, 1);
}


void
agent_control_free(agent_control_t *control)
{
    g_free(control->holder);
    g_free(control->self);
    g_free(control);
}


void
agent_control_self(agent_control_t *control, const char *id)
{
    g_free(control->self);
    control->self = g_strdup(id);
}


void
agent_control_told(agent_control_t *control, const char *holder)
{
    g_free(control->holder);
    control->holder = g_strdup(holder);
    control->known = TRUE;

    if (holder != NULL && g_strcmp0(holder, control->self) == 0) {
        control->taking = FALSE;
    }
}


void
agent_control_take(agent_control_t *control, gboolean own)
{
    control->taking = own;
}


gboolean
agent_control_taking(const agent_control_t *control)
{
    return control->taking;
}


gboolean
agent_control_holds(const agent_control_t *control, const char *id)
{
    return !control->taking
           && (!control->known || g_strcmp0(control->holder, id) == 0);
}


gboolean
agent_control_taken(const agent_control_t *control)
{
    return control->taking
           || (control->known && control->holder != NULL
               && g_strcmp0(control->holder, control->self) == 0);
}
