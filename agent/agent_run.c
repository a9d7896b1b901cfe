
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns a process without a terminal, its two outputs and the leg.  It reads
 * nothing.  An output is read when the wire has room; who writes more waits,
 * while the time goes on.  Time or output that is used up ends the process
 * (SIGTERM, then SIGKILL), and is said as its end.  What it has left running
 * in its session ends with it.
 *
 * The client closes when it has all: a command may be over before he comes,
 * and a leg that is gone by then takes along what waits for him.
 */

#define _GNU_SOURCE                     /* pipe2() */
#define G_LOG_DOMAIN  "rs-run"

#include "agent_run.h"
#include "agent_child.h"
#include "agent_json.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>


#define AGENT_RUN_LEAST    4096         /* bytes of room worth a read */
#define AGENT_RUN_MOST     32768
#define AGENT_RUN_TURN     8
#define AGENT_RUN_MESSAGE  4096         /* of the other side's, left aside */
#define AGENT_RUN_OUTPUTS  2
#define AGENT_RUN_END      2            /* first byte: 0 and 1 are outputs */
#define AGENT_RUN_KEPT_S   120          /* for a client that does not close */


typedef struct {
    agent_run_t            *run;
    guint8                  number;     /* 0: standard output, 1: error */
    int                     fd;         /* -1: at its end */
    guint                   watch;
} agent_run_output_t;


struct agent_run_s {
    agent_run_closed_pt     closed;
    void                   *data;
    agent_wire_t           *wire;
    agent_child_t          *child;      /* NULL: it has ended */
    agent_run_output_t      outputs[AGENT_RUN_OUTPUTS];
    guint                   timer;      /* its time, then the leg's */
    guint64                 left;       /* bytes it may still write */
    guint64                 sent;
    const char             *limit;      /* that it met, or NULL */
    int                     status;
    gboolean                open;
    gboolean                said;       /* its end */
};


static pid_t agent_run_fork(char **argv, const agent_user_t *user,
    int fds[AGENT_RUN_OUTPUTS], GError **error);
static void agent_run_exec(char **argv, char **env, const agent_user_t *user,
    int null, int out, int err) G_GNUC_NORETURN;
static void agent_run_exited(void *data, int status);
static gboolean agent_run_late(gpointer data);
static gboolean agent_run_alone(gpointer data);
static void agent_run_limit(agent_run_t *run, const char *limit);

static void agent_run_on_open(void *data);
static gboolean agent_run_on_piece(void *data, const guint8 *bytes,
    gsize len, gboolean last, gsize *taken);
static void agent_run_on_room(void *data);
static void agent_run_on_closed(void *data, const agent_wire_end_t *end);
static gboolean agent_run_readable(int fd, GIOCondition condition,
    gpointer data);
static gboolean agent_run_read(agent_run_output_t *output);
static void agent_run_shut(agent_run_output_t *output);
static void agent_run_over(agent_run_t *run);
static char *agent_run_verdict(const agent_run_t *run);


static const agent_wire_events_t  agent_run_events = {
    agent_run_on_open,
    agent_run_on_piece,
    agent_run_on_room,
    agent_run_on_closed
};


agent_run_t *
agent_run_new(const agent_wire_to_t *to, const agent_command_t *command,
    char **argv, const agent_user_t *user, agent_run_closed_pt closed,
    void *data, GError **error)
{
    int               fds[AGENT_RUN_OUTPUTS];
    guint8            i;
    pid_t             pid;
    agent_run_t      *run;
    agent_wire_to_t   wire;

    pid = agent_run_fork(argv, user, fds, error);

    if (pid == -1) {
        return NULL;
    }

    run = g_new0(agent_run_t, 1);
    run->closed = closed;
    run->data = data;
    run->left = (guint64) command->output * 1024;
    run->child = agent_child_new(pid, user, agent_run_exited, run);
    agent_child_alone(run->child);
    run->timer = g_timeout_add_seconds(command->timeout_s, agent_run_late,
                                       run);

    for (i = 0; i < AGENT_RUN_OUTPUTS; i++) {
        run->outputs[i].run = run;
        run->outputs[i].number = i;
        run->outputs[i].fd = fds[i];
    }

    wire = *to;
    wire.max_message = AGENT_RUN_MESSAGE;
    run->wire = agent_wire_new(&wire, &agent_run_events, run);

    return run;
}


static pid_t
agent_run_fork(char **argv, const agent_user_t *user,
    int fds[AGENT_RUN_OUTPUTS], GError **error)
{
    int             null, out[2], err[2];
    pid_t           pid;
    g_auto(GStrv)   env = agent_user_environment(user);

    null = open("/dev/null", O_RDONLY|O_CLOEXEC);
    out[0] = out[1] = err[0] = err[1] = -1;
    pid = -1;

    if (null != -1 && pipe2(out, O_CLOEXEC) == 0
        && pipe2(err, O_CLOEXEC) == 0
        && fcntl(out[0], F_SETFL, O_NONBLOCK) == 0
        && fcntl(err[0], F_SETFL, O_NONBLOCK) == 0)
    {
        pid = fork();

        if (pid == 0) {
            agent_run_exec(argv, env, user, null, out[1], err[1]);
        }
    }

    if (pid == -1) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "no process: %s",
                    g_strerror(errno));

        if (out[0] != -1) {
            (void) close(out[0]);
        }

        if (err[0] != -1) {
            (void) close(err[0]);
        }
    }

    if (null != -1) {
        (void) close(null);
    }

    if (out[1] != -1) {
        (void) close(out[1]);
    }

    if (err[1] != -1) {
        (void) close(err[1]);
    }

    fds[0] = out[0];
    fds[1] = err[0];

    return pid;
}


static void
agent_run_exec(char **argv, char **env, const agent_user_t *user, int null,
    int out, int err)
{
    static const struct rlimit  none = { 0, 0 };

    if (setsid() == -1 || dup2(null, 0) == -1 || dup2(out, 1) == -1
        || dup2(err, 2) == -1 || setrlimit(RLIMIT_CORE, &none) != 0
        || !agent_user_become(user))
    {
        _exit(126);
    }

    (void) execve(argv[0], argv, env);
    _exit(127);
}


/* ---- the process */

static void
agent_run_exited(void *data, int status)
{
    agent_run_t  *run = data;

    run->child = NULL;
    run->status = status;
    g_clear_handle_id(&run->timer, g_source_remove);
    agent_run_on_room(run);
}


static gboolean
agent_run_late(gpointer data)
{
    agent_run_t  *run = data;

    run->timer = 0;
    agent_run_limit(run, "time");

    return G_SOURCE_REMOVE;
}


static gboolean
agent_run_alone(gpointer data)
{
    agent_run_t  *run = data;

    run->timer = 0;
    agent_wire_close(run->wire, AGENT_WIRE_DONE, "");

    return G_SOURCE_REMOVE;
}


static void
agent_run_limit(agent_run_t *run, const char *limit)
{
    if (run->limit == NULL) {
        run->limit = limit;
    }

    if (run->child != NULL) {
        agent_child_stop(run->child, SIGTERM);
    }
}


/* ---- its output */

static void
agent_run_on_open(void *data)
{
    agent_run_t  *run = data;

    run->open = TRUE;
    agent_run_on_room(run);
}


static void
agent_run_on_room(void *data)
{
    guint                i, n;
    agent_run_t         *run = data;
    agent_run_output_t  *output;

    if (!run->open) {
        return;
    }

    for (i = 0; i < AGENT_RUN_OUTPUTS; i++) {
        output = &run->outputs[i];

        for (n = 0; n < AGENT_RUN_TURN && agent_run_read(output); n++) { }

        if (output->fd != -1 && output->watch == 0) {
            output->watch = g_unix_fd_add(output->fd,
                                          G_IO_IN|G_IO_HUP|G_IO_ERR,
                                          agent_run_readable, output);
        }
    }

    agent_run_over(run);
}


static gboolean
agent_run_readable(int fd, GIOCondition condition, gpointer data)
{
    guint                n;
    agent_run_t         *run;
    agent_run_output_t  *output = data;

    (void) fd;
    (void) condition;

    run = output->run;

    for (n = 0; n < AGENT_RUN_TURN && agent_run_read(output); n++) { }

    agent_run_over(run);

    /* who stopped reading has removed the watch already */

    return G_SOURCE_CONTINUE;
}


/* FALSE: not now, or nothing comes any more */

static gboolean
agent_run_read(agent_run_output_t *output)
{
    gsize         room;
    gssize        n;
    guint8       *to;
    agent_run_t  *run = output->run;

    if (output->fd == -1) {
        return FALSE;
    }

    to = agent_wire_space(run->wire, AGENT_RUN_LEAST, &room);

    if (to == NULL) {
        g_clear_handle_id(&output->watch, g_source_remove);
        return FALSE;
    }

    n = read(output->fd, to + 1, MIN(room, AGENT_RUN_MOST) - 1);

    if (n < 0 && errno == EINTR) {
        return TRUE;
    }

    /* what it left running may hold its output, and is not waited for */

    if (n == 0 || (n < 0 && (errno != EAGAIN || run->child == NULL))) {
        agent_run_shut(output);
        return FALSE;
    }

    if (n < 0) {
        return FALSE;
    }

    if ((guint64) n > run->left) {
        n = (gssize) run->left;
        agent_run_limit(run, "output");
    }

    run->left -= (guint64) n;
    run->sent += (guint64) n;

    if (n != 0) {
        to[0] = output->number;
        agent_wire_send(run->wire, (gsize) n + 1);
    }

    if (run->limit != NULL && run->left == 0) {
        agent_run_shut(&run->outputs[0]);
        agent_run_shut(&run->outputs[1]);
        return FALSE;
    }

    return TRUE;
}


static void
agent_run_shut(agent_run_output_t *output)
{
    g_clear_handle_id(&output->watch, g_source_remove);

    if (output->fd != -1) {
        (void) close(output->fd);
        output->fd = -1;
    }
}


/* ---- the end */

static void
agent_run_over(agent_run_t *run)
{
    gsize             len, room;
    guint8           *to;
    g_autofree char  *text = NULL;

    if (run->said || run->child != NULL || run->outputs[0].fd != -1
        || run->outputs[1].fd != -1)
    {
        return;
    }

    to = agent_wire_space(run->wire, AGENT_RUN_LEAST, &room);

    if (to == NULL) {
        return;
    }

    text = agent_run_verdict(run);
    len = strlen(text);
    to[0] = AGENT_RUN_END;
    memcpy(to + 1, text, len);
    run->said = TRUE;
    agent_wire_send(run->wire, len + 1);
    run->timer = g_timeout_add_seconds(AGENT_RUN_KEPT_S, agent_run_alone,
                                       run);
}


static char *
agent_run_verdict(const agent_run_t *run)
{
    if (run->limit != NULL) {
        return agent_json_text(json_pack("{s:s}", "limit", run->limit));
    }

    if (WIFSIGNALED(run->status)) {
        return agent_json_text(json_pack("{s:i}", "signal",
                                         WTERMSIG(run->status)));
    }

    return agent_json_text(json_pack("{s:i}", "exit",
                                     WEXITSTATUS(run->status)));
}


/* nothing is taken from the other side */

static gboolean
agent_run_on_piece(void *data, const guint8 *bytes, gsize len, gboolean last,
    gsize *taken)
{
    (void) data;
    (void) bytes;
    (void) last;

    *taken = len;

    return TRUE;
}


static void
agent_run_on_closed(void *data, const agent_wire_end_t *wire)
{
    agent_run_t       *run = data;
    agent_run_end_t    end;
    g_autofree char   *verdict = NULL;

    end.clean = (run->said && wire->code == AGENT_WIRE_DONE);
    end.sent = run->sent;
    verdict = end.clean ? agent_run_verdict(run) : NULL;
    end.why = end.clean ? verdict : wire->why;
    run->closed(run->data, &end);
}


void
agent_run_free(agent_run_t *run, guint code)
{
    agent_run_shut(&run->outputs[0]);
    agent_run_shut(&run->outputs[1]);
    g_clear_handle_id(&run->timer, g_source_remove);

    if (run->child != NULL) {
        agent_child_end(run->child, SIGTERM, 0);
    }

    agent_wire_free(run->wire, code);
    g_free(run);
}
