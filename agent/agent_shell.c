
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns a pty, the process group on it and the leg.
 *
 * Out: what the shell writes goes straight into the wire's buffer; without
 * room there, or while the other side says so, the pty is not read, and who
 * writes to it waits.  In: what is typed stays in the wire's buffer until the
 * pty takes it.
 *
 * The process outlives the struct for the time of its hang-up
 * (agent_child.c).
 */

#define _GNU_SOURCE                     /* ptsname_r() */
#define G_LOG_DOMAIN  "rs-shell"

#include "agent_shell.h"
#include "agent_child.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>


#define AGENT_SHELL_MESSAGE  (1024 * 1024)
#define AGENT_SHELL_LEAST    4096       /* bytes of room worth a read */
#define AGENT_SHELL_MOST     32768
#define AGENT_SHELL_TURN     8
#define AGENT_SHELL_COLUMNS  80
#define AGENT_SHELL_ROWS     24


/* the first byte of a message; others are left aside */

typedef enum {
    AGENT_SHELL_DATA = 0,
    AGENT_SHELL_RESIZE,                 /* columns, rows: 16 bits each */
    AGENT_SHELL_PAUSE                   /* 1: write no more, 0: go on */
} agent_shell_kind_e;


struct agent_shell_s {
    agent_shell_closed_pt   closed;
    void                   *data;
    agent_wire_t           *wire;
    agent_child_t          *child;      /* NULL: it has ended */
    int                     pty;
    guint                   in_watch;
    guint                   out_watch;
    gboolean                open;
    gboolean                paused;
    gboolean                ended;      /* all it wrote was sent */
    gboolean                inside;     /* a message, of kind */
    guint8                  kind;
    guint8                  args[4];
    gsize                   n_args;
    guint64                 sent;
    guint64                 received;
};


static int agent_shell_pty(int *slave, GError **error);
static pid_t agent_shell_fork(const agent_user_t *user, int slave,
    GError **error);
static void agent_shell_exec(const agent_user_t *user, int slave,
    char **argv, char **env) G_GNUC_NORETURN;
static void agent_shell_exited(void *data, int status);
static void agent_shell_hang_up(agent_shell_t *shell);

static void agent_shell_on_open(void *data);
static gboolean agent_shell_on_piece(void *data, const guint8 *bytes,
    gsize len, gboolean last, gsize *taken);
static void agent_shell_on_room(void *data);
static void agent_shell_on_closed(void *data, const agent_wire_end_t *end);
static gboolean agent_shell_type(agent_shell_t *shell, const guint8 *bytes,
    gsize len, gsize *taken);
static void agent_shell_obey(agent_shell_t *shell);
static void agent_shell_size(agent_shell_t *shell, guint columns,
    guint rows);
static gboolean agent_shell_readable(int fd, GIOCondition condition,
    gpointer data);
static gboolean agent_shell_writable(int fd, GIOCondition condition,
    gpointer data);
static gboolean agent_shell_read(agent_shell_t *shell);
static void agent_shell_watch(agent_shell_t *shell);
static void agent_shell_over(agent_shell_t *shell);


static const agent_wire_events_t  agent_shell_events = {
    agent_shell_on_open,
    agent_shell_on_piece,
    agent_shell_on_room,
    agent_shell_on_closed
};


agent_shell_t *
agent_shell_new(const agent_wire_to_t *to, const agent_user_t *user,
    agent_shell_closed_pt closed, void *data, GError **error)
{
    int               pty, slave;
    pid_t             pid;
    agent_shell_t    *shell;
    agent_wire_to_t   wire;

    pty = agent_shell_pty(&slave, error);

    if (pty == -1) {
        return NULL;
    }

    shell = g_new0(agent_shell_t, 1);
    shell->closed = closed;
    shell->data = data;
    shell->pty = pty;
    agent_shell_size(shell, AGENT_SHELL_COLUMNS, AGENT_SHELL_ROWS);

    pid = agent_shell_fork(user, slave, error);
    (void) close(slave);

    if (pid == -1) {
        (void) close(pty);
        g_free(shell);
        return NULL;
    }

    shell->child = agent_child_new(pid, user, agent_shell_exited, shell);

    wire = *to;
    wire.max_message = AGENT_SHELL_MESSAGE;
    shell->wire = agent_wire_new(&wire, &agent_shell_events, shell);

    return shell;
}


static int
agent_shell_pty(int *slave, GError **error)
{
    int   pty;
    char  name[64];

    pty = posix_openpt(O_RDWR|O_NOCTTY|O_CLOEXEC|O_NONBLOCK);

    if (pty != -1 && grantpt(pty) == 0 && unlockpt(pty) == 0
        && ptsname_r(pty, name, sizeof(name)) == 0)
    {
        *slave = open(name, O_RDWR|O_NOCTTY|O_CLOEXEC);

        if (*slave != -1) {
            return pty;
        }
    }

    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "no terminal: %s",
                g_strerror(errno));

    if (pty != -1) {
        (void) close(pty);
    }

    return -1;
}


static pid_t
agent_shell_fork(const agent_user_t *user, int slave, GError **error)
{
    pid_t               pid;
    char               *argv[2] = { NULL, NULL };
    g_auto(GStrv)       env = NULL;
    g_autofree char    *base = g_path_get_basename(user->shell);
    g_autofree char    *login = g_strconcat("-", base, NULL);

    argv[0] = login;
    env = agent_user_environment(user);
    env = g_environ_setenv(env, "TERM", "xterm-256color", TRUE);

    /* whose terminal it is, where that can be said */

    if (!user->own && fchown(slave, user->uid, (gid_t) -1) != 0) {
        g_debug("the terminal stays the agent's: %s", g_strerror(errno));
    }

    pid = fork();

    if (pid == 0) {
        agent_shell_exec(user, slave, argv, env);
    }

    if (pid == -1) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "no process: %s",
                    g_strerror(errno));
    }

    return pid;
}


static void
agent_shell_exec(const agent_user_t *user, int slave, char **argv,
    char **env)
{
    if (setsid() == -1 || ioctl(slave, TIOCSCTTY, 0) != 0
        || dup2(slave, 0) == -1 || dup2(slave, 1) == -1
        || dup2(slave, 2) == -1)
    {
        _exit(126);
    }

    if (!agent_user_become(user)) {
        _exit(126);
    }

    (void) execve(user->shell, argv, env);
    _exit(127);
}


/* ---- its processes */

static void
agent_shell_exited(void *data, int status)
{
    agent_shell_t  *shell = data;

    (void) status;

    shell->child = NULL;

    while (agent_shell_read(shell)) { }

    agent_shell_over(shell);
}


static void
agent_shell_hang_up(agent_shell_t *shell)
{
    pid_t  group;

    group = tcgetpgrp(shell->pty);
    (void) close(shell->pty);

    if (shell->child != NULL) {
        agent_child_end(g_steal_pointer(&shell->child), SIGHUP, group);
    }
}


/* ---- from the shell */

static void
agent_shell_on_open(void *data)
{
    agent_shell_t  *shell = data;

    shell->open = TRUE;
    agent_shell_watch(shell);
}


static void
agent_shell_on_room(void *data)
{
    agent_shell_t  *shell = data;

    if (shell->child == NULL) {
        while (agent_shell_read(shell)) { }

        agent_shell_over(shell);
        return;
    }

    agent_shell_watch(shell);
}


static void
agent_shell_watch(agent_shell_t *shell)
{
    if (shell->in_watch == 0 && shell->open && !shell->paused
        && !shell->ended)
    {
        shell->in_watch = g_unix_fd_add(shell->pty,
                                        G_IO_IN|G_IO_HUP|G_IO_ERR,
                                        agent_shell_readable, shell);
    }
}


static gboolean
agent_shell_readable(int fd, GIOCondition condition, gpointer data)
{
    guint           n;
    agent_shell_t  *shell = data;

    (void) fd;
    (void) condition;

    for (n = 0; n < AGENT_SHELL_TURN && agent_shell_read(shell); n++) { }

    /* who stopped reading has removed the watch already */

    return G_SOURCE_CONTINUE;
}


/* FALSE: not now, or nothing comes any more */

static gboolean
agent_shell_read(agent_shell_t *shell)
{
    gsize    room;
    gssize   n;
    guint8  *to;

    if (shell->ended || shell->paused || !shell->open) {
        return FALSE;
    }

    to = agent_wire_space(shell->wire, AGENT_SHELL_LEAST, &room);

    if (to == NULL) {
        g_clear_handle_id(&shell->in_watch, g_source_remove);
        return FALSE;
    }

    n = read(shell->pty, to + 1, MIN(room, AGENT_SHELL_MOST) - 1);

    if (n > 0) {
        to[0] = AGENT_SHELL_DATA;
        shell->sent += (guint64) n;
        agent_wire_send(shell->wire, (gsize) n + 1);
        return TRUE;
    }

    if (n < 0 && errno == EINTR) {
        return TRUE;
    }

    if (n < 0 && errno == EAGAIN) {

        /* the shell is gone, what it left behind writes nothing now */

        shell->ended = (shell->child == NULL);
        return FALSE;
    }

    /* EIO: nobody has the terminal open any more */

    g_clear_handle_id(&shell->in_watch, g_source_remove);
    shell->ended = TRUE;
    agent_shell_over(shell);

    return FALSE;
}


static void
agent_shell_over(agent_shell_t *shell)
{
    if (shell->child == NULL && shell->ended) {
        g_clear_handle_id(&shell->in_watch, g_source_remove);
        agent_wire_close(shell->wire, AGENT_WIRE_DONE, "");
    }
}


/* ---- to the shell */

static gboolean
agent_shell_on_piece(void *data, const guint8 *bytes, gsize len,
    gboolean last, gsize *taken)
{
    agent_shell_t  *shell = data;

    if (!shell->inside && len != 0) {
        shell->inside = TRUE;
        shell->kind = bytes[0];
        shell->n_args = 0;
        (*taken)++;
    }

    if (shell->inside && shell->kind == AGENT_SHELL_DATA) {

        if (!agent_shell_type(shell, bytes, len, taken)) {
            return FALSE;
        }

    } else {
        while (*taken < len) {

            if (shell->n_args < sizeof(shell->args)) {
                shell->args[shell->n_args++] = bytes[*taken];
            }

            (*taken)++;
        }
    }

    if (last) {
        agent_shell_obey(shell);
        shell->inside = FALSE;
    }

    return TRUE;
}


static gboolean
agent_shell_type(agent_shell_t *shell, const guint8 *bytes, gsize len,
    gsize *taken)
{
    gssize  n;

    while (*taken < len) {
        n = write(shell->pty, bytes + *taken, len - *taken);

        if (n > 0) {
            *taken += (gsize) n;
            shell->received += (guint64) n;
            continue;
        }

        if (errno == EAGAIN) {

            if (shell->out_watch == 0) {
                shell->out_watch = g_unix_fd_add(shell->pty,
                                                 G_IO_OUT|G_IO_HUP|G_IO_ERR,
                                                 agent_shell_writable, shell);
            }

            return FALSE;
        }

        if (errno != EINTR) {
            *taken = len;               /* nobody reads it any more */
        }
    }

    return TRUE;
}


static gboolean
agent_shell_writable(int fd, GIOCondition condition, gpointer data)
{
    agent_shell_t  *shell = data;

    (void) fd;
    (void) condition;

    shell->out_watch = 0;
    agent_wire_more(shell->wire);

    return G_SOURCE_REMOVE;
}


/* what is not whole says nothing */

static void
agent_shell_obey(agent_shell_t *shell)
{
    if (!shell->inside) {
        return;
    }

    if (shell->kind == AGENT_SHELL_RESIZE && shell->n_args == 4) {
        agent_shell_size(shell, (guint) shell->args[0] << 8 | shell->args[1],
                         (guint) shell->args[2] << 8 | shell->args[3]);

    } else if (shell->kind == AGENT_SHELL_PAUSE && shell->n_args == 1) {
        shell->paused = (shell->args[0] != 0);

        if (shell->paused) {
            g_clear_handle_id(&shell->in_watch, g_source_remove);

        } else {
            agent_shell_on_room(shell);
        }
    }
}


static void
agent_shell_size(agent_shell_t *shell, guint columns, guint rows)
{
    struct winsize  size;

    memset(&size, 0, sizeof(size));
    size.ws_col = (unsigned short) CLAMP(columns, 1, AGENT_SHELL_SIDE_MAX);
    size.ws_row = (unsigned short) CLAMP(rows, 1, AGENT_SHELL_SIDE_MAX);

    (void) ioctl(shell->pty, TIOCSWINSZ, &size);
}


/* ---- the end */

static void
agent_shell_on_closed(void *data, const agent_wire_end_t *wire)
{
    agent_shell_t      *shell = data;
    agent_shell_end_t   end;

    end.clean = (shell->ended && wire->code == AGENT_WIRE_DONE);
    end.sent = shell->sent;
    end.received = shell->received;
    end.why = end.clean ? "the shell has ended" : wire->why;
    shell->closed(shell->data, &end);
}


void
agent_shell_free(agent_shell_t *shell, guint code)
{
    g_clear_handle_id(&shell->in_watch, g_source_remove);
    g_clear_handle_id(&shell->out_watch, g_source_remove);
    agent_shell_hang_up(shell);
    agent_wire_free(shell->wire, code);
    g_free(shell);
}
