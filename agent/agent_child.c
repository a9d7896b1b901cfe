
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the wait for a child.  As long as that has not ended its number is its
 * own, and so is that of its group.
 */

#include "agent_child.h"

#include <signal.h>


struct agent_child_s {
    pid_t                   pid;
    pid_t                   group;      /* another one, or 0 */
    guint                   timer;
    agent_child_exited_pt   exited;     /* NULL: nobody waits for it */
    void                   *data;
};


static void agent_child_exited(GPid pid, int status, gpointer data);
static gboolean agent_child_kill(gpointer data);
static void agent_child_signal(const agent_child_t *child, int signal);


agent_child_t *
agent_child_new(pid_t pid, agent_child_exited_pt exited, void *data)
{
    agent_child_t  *child;

    child = g_new0(agent_child_t, 1);
    child->pid = pid;
    child->exited = exited;
    child->data = data;
    g_child_watch_add(pid, agent_child_exited, child);

    return child;
}


static void
agent_child_exited(GPid pid, int status, gpointer data)
{
    void                   *owner;
    agent_child_t          *child = data;
    agent_child_exited_pt   exited;

    (void) pid;

    /*
     * What it started does not outlive one that was to end: nor does what was
     * in front.  A group has its number for as long as anybody is in it.
     */

    if (child->timer != 0) {
        (void) kill(-child->pid, SIGKILL);

        if (child->group != 0) {
            (void) kill(-child->group, SIGKILL);
        }
    }

    exited = child->exited;
    owner = child->data;
    g_clear_handle_id(&child->timer, g_source_remove);
    g_free(child);

    if (exited != NULL) {
        exited(owner, status);
    }
}


static void
agent_child_signal(const agent_child_t *child, int signal)
{
    (void) kill(-child->pid, signal);
    (void) kill(-child->pid, SIGCONT);

    if (child->group != 0) {
        (void) kill(-child->group, signal);
        (void) kill(-child->group, SIGCONT);
    }
}


static gboolean
agent_child_kill(gpointer data)
{
    agent_child_t  *child = data;

    child->timer = 0;
    agent_child_signal(child, SIGKILL);

    return G_SOURCE_REMOVE;
}


void
agent_child_stop(agent_child_t *child, int signal)
{
    agent_child_signal(child, signal);

    if (child->timer == 0) {
        child->timer = g_timeout_add_seconds(AGENT_CHILD_S, agent_child_kill,
                                             child);
    }
}


void
agent_child_end(agent_child_t *child, int signal, pid_t group)
{
    child->exited = NULL;
    child->group = (group > 1 && group != child->pid) ? group : 0;
    agent_child_stop(child, signal);
}
