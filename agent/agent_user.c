
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns what it takes to be another user: everything is looked up before the
 * fork, since a child of a process with threads may do little.
 */

#define _GNU_SOURCE                     /* setresuid() */

#include "agent_user.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>


#define AGENT_USER_BYTES  16384
#define AGENT_USER_SHELL  "/bin/sh"
#define AGENT_USER_PATH   "/usr/local/bin:/usr/bin:/bin"
#define AGENT_USER_SUPER  "/usr/local/sbin:/usr/sbin:/sbin:" AGENT_USER_PATH


static gboolean agent_user_may(void);
static const char *agent_user_shell(const char *shell);
static gboolean agent_user_harmless(void);


agent_user_t *
agent_user_find(const char *name, GError **error)
{
    agent_user_t     *user;
    struct passwd     entry, *found;
    g_autofree char  *bytes = g_malloc(AGENT_USER_BYTES);

    if (getpwnam_r(name, &entry, bytes, AGENT_USER_BYTES, &found) != 0
        || found == NULL)
    {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                    "this device has no user \"%s\"", name);
        return NULL;
    }

    if (entry.pw_uid != geteuid() && !agent_user_may()) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                    "the agent may not become \"%s\": it needs CAP_SETUID "
                    "and CAP_SETGID, or to run as that user", name);
        return NULL;
    }

    user = g_new0(agent_user_t, 1);
    user->name = g_strdup(entry.pw_name);
    user->home = g_strdup(entry.pw_dir);
    user->shell = g_strdup(agent_user_shell(entry.pw_shell));
    user->uid = entry.pw_uid;
    user->gid = entry.pw_gid;
    user->own = (entry.pw_uid == geteuid());
    user->n_groups = AGENT_USER_GROUPS;

    if (getgrouplist(user->name, user->gid, user->groups, &user->n_groups)
        == -1)
    {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                    "\"%s\" is in more than %d groups", name,
                    AGENT_USER_GROUPS);
        agent_user_free(user);
        return NULL;
    }

    return user;
}


void
agent_user_free(agent_user_t *user)
{
    g_free(user->name);
    g_free(user->home);
    g_free(user->shell);
    g_free(user);
}


/* root, or who was given just these two */

static gboolean
agent_user_may(void)
{
    guint32                          want;
    struct __user_cap_header_struct  header = {
        _LINUX_CAPABILITY_VERSION_3, 0
    };
    struct __user_cap_data_struct    data[2];

    want = (1u << CAP_SETUID) | (1u << CAP_SETGID);

    return syscall(SYS_capget, &header, data) == 0
           && (data[0].effective & want) == want;
}


/* who is named in agent.conf is let in, whatever logins are for */

static const char *
agent_user_shell(const char *shell)
{
    if (shell == NULL || shell[0] != '/' || access(shell, X_OK) != 0
        || g_str_has_suffix(shell, "/nologin")
        || g_str_has_suffix(shell, "/false"))
    {
        return AGENT_USER_SHELL;
    }

    return shell;
}


char **
agent_user_environment(const agent_user_t *user)
{
    char  **env;

    env = g_new0(char *, 1);
    env = g_environ_setenv(env, "HOME", user->home, TRUE);
    env = g_environ_setenv(env, "USER", user->name, TRUE);
    env = g_environ_setenv(env, "LOGNAME", user->name, TRUE);
    env = g_environ_setenv(env, "SHELL", user->shell, TRUE);
    env = g_environ_setenv(env, "PATH", user->uid == 0 ? AGENT_USER_SUPER
                                                       : AGENT_USER_PATH,
                           TRUE);
    env = g_environ_setenv(env, "LANG", "C.UTF-8", TRUE);

    return env;
}


gboolean
agent_user_become(const agent_user_t *user)
{
    int       i;
    sigset_t  none;

    (void) sigemptyset(&none);
    (void) sigprocmask(SIG_SETMASK, &none, NULL);

    for (i = 1; i < NSIG; i++) {
        (void) signal(i, SIG_DFL);
    }

    if (syscall(SYS_close_range, 3, ~0u, 0) != 0) {
        return FALSE;
    }

    if (!user->own
        && (setgroups((size_t) user->n_groups, user->groups) != 0
            || setresgid(user->gid, user->gid, user->gid) != 0
            || setresuid(user->uid, user->uid, user->uid) != 0))
    {
        return FALSE;
    }

    /* a user may change to another, not to nobody, and keeps what he may */

    if (user->uid != 0 && !agent_user_harmless()) {
        return FALSE;
    }

    if (getuid() != user->uid || geteuid() != user->uid
        || (!user->own && getegid() != user->gid))
    {
        return FALSE;
    }

    if (chdir(user->home) != 0 && chdir("/") != 0) {
        return FALSE;
    }

    return TRUE;
}


static gboolean
agent_user_harmless(void)
{
    struct __user_cap_header_struct  header = {
        _LINUX_CAPABILITY_VERSION_3, 0
    };
    struct __user_cap_data_struct    data[2];

    memset(data, 0, sizeof(data));

    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0
           && syscall(SYS_capset, &header, data) == 0;
}
