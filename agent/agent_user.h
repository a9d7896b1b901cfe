
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Another user's name, as what a child process has to become.
 */

#ifndef _AGENT_USER_H_INCLUDED_
#define _AGENT_USER_H_INCLUDED_


#include <gio/gio.h>
#include <sys/types.h>


#define AGENT_USER_GROUPS  64


typedef struct {
    char    *name;
    char    *home;
    char    *shell;
    uid_t    uid;
    gid_t    gid;
    gid_t    groups[AGENT_USER_GROUPS];
    int      n_groups;
    gboolean own;                       /* it is who this process is */
} agent_user_t;


/*
 * NULL and *error: there is no such user, or this process may not become it.
 * shell is that of the user, /bin/sh where that lets nobody in.
 */
agent_user_t *agent_user_find(const char *name, GError **error);
void agent_user_free(agent_user_t *user);

/* What a program of this user's has as its environment; g_strfreev(). */
char **agent_user_environment(const agent_user_t *user);

/*
 * In a child, between fork() and exec(): a terminal or no more of this
 * process's descriptors than 0, 1 and 2, its signals as they were at the
 * beginning, no capabilities, and the user.  FALSE: exec() must not follow.
 */
gboolean agent_user_become(const agent_user_t *user);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(agent_user_t, agent_user_free)


#endif /* _AGENT_USER_H_INCLUDED_ */
