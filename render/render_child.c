
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns fork() and waitpid() of the display server and the sandbox.  To be
 * called from the main thread: the kernel's word that a parent is gone is
 * about the thread that forked.
 */

#define G_LOG_DOMAIN  "rs-render"

#include "render_child.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>


#define RENDER_CHILD_FDS     8
#define RENDER_CHILD_ABOVE   64         /* where none of "as" is */
#define RENDER_CHILD_STEP_US 2000


struct render_child_s {
    pid_t                    pid;
    int                      signal;
    gboolean                 gone;
    guint                    watch;
    render_child_exited_pt   exited;
    void                    *data;
};


static void render_child_exec(char **argv, char **env,
    const render_fd_t *fds, guint n, int sig, pid_t parent)
    G_GNUC_NORETURN;
static void render_child_watch(GPid pid, int status, gpointer data);


render_child_t *
render_child_new(char **argv, char **env, const render_fd_t *fds, guint n,
    int sig, render_child_exited_pt exited, void *data, GError **error)
{
    pid_t             pid, parent;
    render_child_t   *child;
    g_autofree char  *program = NULL;

    g_return_val_if_fail(n <= RENDER_CHILD_FDS, NULL);

    program = g_find_program_in_path(argv[0]);

    if (program == NULL) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                    "the program %s is not here: install it", argv[0]);
        return NULL;
    }

    parent = getpid();
    pid = fork();

    if (pid == 0) {
        argv[0] = program;
        render_child_exec(argv, env, fds, n, sig, parent);
    }

    if (pid == -1) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s: %s", argv[0],
                    g_strerror(errno));
        return NULL;
    }

    child = g_new0(render_child_t, 1);
    child->pid = pid;
    child->signal = sig;
    child->exited = exited;
    child->data = data;
    child->watch = g_child_watch_add(pid, render_child_watch, child);

    return child;
}


/* standard input and output are nobody's; errors are the log's */

static void
render_child_exec(char **argv, char **env, const render_fd_t *fds, guint n,
    int sig, pid_t parent)
{
    int                         null, high[RENDER_CHILD_FDS];
    guint                       i;
    sigset_t                    set;
    static const struct rlimit  none = { 0, 0 };

    (void) setsid();
    (void) setrlimit(RLIMIT_CORE, &none);
    (void) signal(SIGPIPE, SIG_DFL);
    (void) sigemptyset(&set);
    (void) sigprocmask(SIG_SETMASK, &set, NULL);

    null = open("/dev/null", O_RDWR|O_CLOEXEC);

    if (null == -1 || dup2(null, 0) == -1 || dup2(null, 1) == -1) {
        _exit(126);
    }

    for (i = 0; i < n; i++) {
        high[i] = fcntl(fds[i].fd, F_DUPFD_CLOEXEC, RENDER_CHILD_ABOVE);

        if (high[i] == -1) {
            _exit(126);
        }
    }

    /* what it does not get it does not get by accident either */

    (void) close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);

    for (i = 0; i < n; i++) {
        if (dup2(high[i], fds[i].as) == -1) {
            _exit(126);
        }
    }

    /* who was gone before this is not told of */

    if (prctl(PR_SET_PDEATHSIG, sig) != 0 || getppid() != parent) {
        _exit(126);
    }

    if (env != NULL) {
        (void) execve(argv[0], argv, env);

    } else {
        (void) execv(argv[0], argv);
    }

    _exit(127);
}


static void
render_child_watch(GPid pid, int status, gpointer data)
{
    render_child_t  *child = data;

    (void) pid;

    child->watch = 0;
    child->gone = TRUE;
    child->exited(child->data, status);
}


void
render_child_free(render_child_t *child, guint wait_ms)
{
    gint64  end_us;

    g_clear_handle_id(&child->watch, g_source_remove);

    if (!child->gone) {
        (void) kill(child->pid, child->signal);
        (void) kill(-child->pid, child->signal);
        end_us = g_get_monotonic_time() + (gint64) wait_ms * 1000;

        while (waitpid(child->pid, NULL, WNOHANG) == 0) {

            if (g_get_monotonic_time() >= end_us) {
                (void) kill(child->pid, SIGKILL);
                (void) kill(-child->pid, SIGKILL);
                (void) waitpid(child->pid, NULL, 0);
                break;
            }

            g_usleep(RENDER_CHILD_STEP_US);
        }
    }

    g_free(child);
}


int
render_child_pid(const render_child_t *child)
{
    return child->pid;
}
