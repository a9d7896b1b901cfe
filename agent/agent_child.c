
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the wait for a child.  As long as that has not ended its number is its
 * own, and so is that of its group.
 *
 * A shell gives each of its jobs a group of its own, so the whole session is
 * signalled: whoever is in it, by /proc.  The agent may neither see nor signal
 * another user's processes; a helper that becomes him may, and can reach
 * nothing of anybody else.  Who has made a session of his own is out of reach,
 * as a daemon is.
 */

#define _GNU_SOURCE                     /* getdents64() */

#include "agent_child.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>


#define AGENT_CHILD_ROUNDS  3           /* for those that are being forked */


struct agent_child_s {
    pid_t                   pid;
    pid_t                   group;      /* another one, or 0 */
    uid_t                   uid;
    gid_t                   gid;
    gboolean                own;        /* he is who the agent is */
    gboolean                alone;      /* nobody of its session stays */
    guint                   timer;
    agent_child_exited_pt   exited;     /* NULL: nobody waits for it */
    void                   *data;
};


static void agent_child_exited(GPid pid, int status, gpointer data);
static gboolean agent_child_kill(gpointer data);
static void agent_child_signal(const agent_child_t *child, int signal);
static void agent_child_sweep(const agent_child_t *child, int signal);
static void agent_child_swept(GPid pid, int status, gpointer data);
static void agent_child_session(pid_t session, int signal);
static guint agent_child_members(pid_t session, int signal);
static gboolean agent_child_member(pid_t pid, pid_t session);


agent_child_t *
agent_child_new(pid_t pid, const agent_user_t *user,
    agent_child_exited_pt exited, void *data)
{
    agent_child_t  *child;

    child = g_new0(agent_child_t, 1);
    child->pid = pid;
    child->uid = user->uid;
    child->gid = user->gid;
    child->own = user->own;
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
     * What it started does not outlive one that was to end, or any.  Group
     * and session have their number for as long as anybody is in them.
     */

    if (child->timer != 0 || child->alone) {
        agent_child_signal(child, SIGKILL);
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

    agent_child_sweep(child, signal);
}


static void
agent_child_sweep(const agent_child_t *child, int signal)
{
    pid_t  helper;

    if (child->own) {
        agent_child_session(child->pid, signal);
        return;
    }

    helper = fork();

    if (helper == 0) {
        /* not libc's, which tells threads that there are not here */

        if (syscall(SYS_setresgid, child->gid, child->gid, child->gid) != 0
            || syscall(SYS_setresuid, child->uid, child->uid, child->uid)
               != 0)
        {
            _exit(1);
        }

        agent_child_session(child->pid, signal);
        _exit(0);
    }

    if (helper != -1) {
        g_child_watch_add(helper, agent_child_swept, NULL);
    }
}


static void
agent_child_swept(GPid pid, int status, gpointer data)
{
    (void) data;

    g_debug("process %d: %d", (int) pid, status);
}


/* from here on as after fork(): nothing allocates, nothing locks */

static void
agent_child_session(pid_t session, int signal)
{
    guint  n;

    for (n = 0; n < AGENT_CHILD_ROUNDS; n++) {
        if (agent_child_members(session, signal) == 0 || signal != SIGKILL) {
            break;
        }
    }
}


/* how many there were that could be signalled */

static guint
agent_child_members(pid_t session, int signal)
{
    int                      fd;
    guint                    found;
    pid_t                    pid;
    ssize_t                  n, at;
    const struct dirent64   *entry;
    char                     buf[4096]
                                 __attribute__((aligned(sizeof(guint64))));

    fd = open("/proc", O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    found = 0;

    while (fd != -1 && (n = getdents64(fd, buf, sizeof(buf))) > 0) {

        for (at = 0; at < n; at += entry->d_reclen) {
            entry = (const struct dirent64 *) (buf + at);
            pid = (pid_t) strtol(entry->d_name, NULL, 10);

            if (pid > 1 && agent_child_member(pid, session)
                && kill(pid, signal) == 0)
            {
                (void) kill(pid, SIGCONT);
                found++;
            }
        }
    }

    if (fd != -1) {
        (void) close(fd);
    }

    return found;
}


/* proc(5): "pid (name) state ppid pgrp session", name being anything at all */

static gboolean
agent_child_member(pid_t pid, pid_t session)
{
    int      i, fd;
    char     path[32], text[512], *p;
    ssize_t  n;

    (void) snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
    fd = open(path, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        return FALSE;
    }

    n = read(fd, text, sizeof(text) - 1);
    (void) close(fd);

    text[MAX(n, 0)] = '\0';
    p = strrchr(text, ')');

    if (p == NULL || p[1] != ' ' || p[2] == 'Z' || p[2] == 'X') {
        return FALSE;
    }

    for (i = 0, p += 3; i < 2; i++) {
        (void) strtol(p, &p, 10);
    }

    return strtol(p, NULL, 10) == session;
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
agent_child_alone(agent_child_t *child)
{
    child->alone = TRUE;
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
