
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Commands of agent.conf: what a group may say, what becomes of parameters,
 * and one that runs, with its output, limits and end on a leg.
 */

#define _GNU_SOURCE                     /* setresuid() */

#include "agent_run.h"
#include "agent_config.h"
#include "leg_server.h"

#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>


typedef struct {
    gboolean      closed;
    gboolean      clean;
    guint64       sent;
    agent_run_t  *run;
} leg_t;


static GString  *outputs[2];            /* what the server's side saw */
static GString  *verdict;
static char     *whose;


/* ---- the gateway's side */

static void
serve_read(GIOStream *io)
{
    int      op;
    gsize    len;
    guint8  *data = g_malloc(65536);

    upgrade(io);
    put_frame(io, 0x82, "nobody reads this", 17);

    while ((op = get_frame(io, data, &len)) != -1 && op != RS_WS_CLOSE) {
        if (op == RS_WS_BINARY && len > 0) {
            g_string_append_len(data[0] == 2 ? verdict : outputs[data[0] & 1],
                                (char *) data + 1, (gssize) len - 1);

            if (data[0] == 2) {
                put_close(io, 1000);
            }
        }
    }

    g_free(data);
}


static void
serve_leave(GIOStream *io)
{
    gsize    len;
    guint8  *data = g_malloc(65536);

    upgrade(io);
    (void) get_frame(io, data, &len);
    g_string_append_len(outputs[0], (char *) data + 1, (gssize) len - 1);
    g_free(data);
}


/* ---- the device's */

static gboolean
on_late(gpointer data)
{
    (void) data;
    printf("not ok - not within %d s\n", DEADLINE_S);
    exit(1);
}


static gboolean
on_tick(gpointer data)
{
    (void) data;

    return G_SOURCE_CONTINUE;
}


#define wait_for(cond)                                                       \
    do {                                                                     \
        guint  late = g_timeout_add_seconds(DEADLINE_S, on_late, NULL);      \
        guint  tick = g_timeout_add(5, on_tick, NULL);                       \
                                                                             \
        while (!(cond)) {                                                    \
            g_main_context_iteration(NULL, TRUE);                            \
        }                                                                    \
                                                                             \
        g_source_remove(late);                                               \
        g_source_remove(tick);                                               \
    } while (0)


static void
on_closed(void *data, const agent_run_end_t *end)
{
    leg_t  *leg = data;

    leg->closed = TRUE;
    leg->clean = end->clean;
    leg->sent = end->sent;
    agent_run_free(g_steal_pointer(&leg->run), 0);
}


/* lines of a group "t" that a user is added to */

static agent_config_t *
config_of(const char *lines, GError **error)
{
    agent_config_t    *config = agent_config_new();
    g_autofree char   *text = g_strdup_printf("[command t]\nuser=%s\n%s\n",
                                              whose, lines);

    if (!agent_config_parse(config, text, strlen(text), error)) {
        agent_config_free(config);
        return NULL;
    }

    return config;
}


static void
wrong(const char *lines, const char *says)
{
    agent_config_t     *config;
    g_autoptr(GError)   error = NULL;

    config = config_of(lines, &error);
    ok(config == NULL && strstr(error->message, says) != NULL, "%s",
       error != NULL ? error->message : says);
}


static void
test_config(void)
{
    agent_config_t     *config;
    g_autoptr(GError)   error = NULL;

    config = config_of("argv=/bin/df;-h;{path};\nparam.path=word\n"
                       "timeout=5\noutput=2", &error);
    ok(config != NULL && g_hash_table_size(config->commands) == 1,
       "a command");
    agent_config_free(config);

    wrong("timeout=5", "has no argv");
    wrong("argv=df;-h", "whole path");
    wrong("argv=", "whole path");
    wrong("argv=/bin/{p}\nparam.p=word", "whole path");
    wrong("argv=/bin/df;{path}", "param.NAME");
    wrong("argv=/bin/df;{path\nparam.path=word", "one parameter");
    wrong("argv=/bin/df;{a}{a}\nparam.a=word", "one parameter");
    wrong("argv=/bin/df;}a{\nparam.a=word", "one parameter");
    wrong("argv=/bin/df\nparam.path=word", "argv has no {path}");
    wrong("argv=/bin/df;{p}\nparam.p=file", "param.p");
    wrong("argv=/bin/df;{p}\nparam.p p=word", "param.p p");
    wrong("argv=/bin/df\ntimeout=0", "timeout");
    wrong("argv=/bin/df\noutput=x", "output");
    wrong("argv=/bin/df\nshell=true", "\"shell\"");
    wrong("argv=/bin/df\n[command a/b]\nargv=/bin/ls", "a/b");
    wrong("argv=/bin/df\n[command u]\nargv=/bin/ls", "has no user");
}


static void
args(agent_config_t *config, const char *json, const char *want)
{
    char                **argv;
    g_autofree char      *line = NULL;
    g_autoptr(GError)     error = NULL;
    g_autoptr(json_t)     obj = json_loads(json, 0, NULL);

    argv = agent_command_argv(g_hash_table_lookup(config->commands, "t"),
                              obj, &error);
    line = (argv != NULL) ? g_strjoinv("|", argv) : g_strdup(error->message);
    g_strfreev(argv);

    if (!ok(strstr(line, want) != NULL, "%s: %s", json, want)) {
        printf("#   got  %s\n", line);
    }
}


static void
test_args(void)
{
    agent_config_t  *config;

    config = config_of("argv=/bin/x;--n={n};{t};{o}.log\nparam.n=int:1-9\n"
                       "param.t=text:20\nparam.o=one:a|b", NULL);

    args(config, "{\"n\":5,\"t\":\"$(id); `ls` | {o}\",\"o\":\"a\"}",
         "/bin/x|--n=5|$(id); `ls` | {o}|a.log");
    args(config, "{\"n\":\"5\",\"t\":\"x\",\"o\":\"b\"}",
         "/bin/x|--n=5|x|b.log");
    args(config, "{\"n\":0,\"t\":\"x\",\"o\":\"b\"}", "\"n\" is missing");
    args(config, "{\"n\":5.5,\"t\":\"x\",\"o\":\"b\"}", "\"n\" is missing");
    args(config, "{\"n\":5,\"t\":\"-x\",\"o\":\"b\"}", "\"t\" is missing");
    args(config, "{\"n\":5,\"t\":[\"x\"],\"o\":\"b\"}", "\"t\" is missing");
    args(config, "{\"n\":5,\"t\":\"x\\ny\",\"o\":\"b\"}", "\"t\" is missing");
    args(config, "{\"n\":5,\"t\":\"x\",\"o\":\"c\"}", "\"o\" is missing");
    args(config, "{\"n\":5,\"t\":\"x\"}", "\"o\" is missing");
    args(config, "{\"n\":5,\"t\":\"x\",\"o\":\"a\",\"p\":1}", "has not");

    agent_config_free(config);
}


static void
start(leg_t *leg, server_t *server, const char *lines)
{
    agent_config_t           *config;
    const agent_command_t    *command;
    agent_wire_to_t           to = { 0 };
    g_auto(GStrv)             argv = NULL;
    g_autofree char          *url = NULL;
    g_autoptr(GError)         error = NULL;
    g_autoptr(agent_user_t)   user = agent_user_find(whose, NULL);

    memset(leg, 0, sizeof(*leg));
    g_string_truncate(outputs[0], 0);
    g_string_truncate(outputs[1], 0);
    g_string_truncate(verdict, 0);

    config = config_of(lines, &error);

    if (config == NULL) {
        printf("not ok - %s\n", error->message);
        exit(1);
    }

    command = g_hash_table_lookup(config->commands, "t");
    argv = agent_command_argv(command, NULL, NULL);
    url = g_strdup_printf("ws://localhost:%u/rs/v1/pipe", server->port);
    to.url = url;
    to.ticket = "default.pip2abc";
    to.side = "host";
    to.program = "test/1";
    leg->run = agent_run_new(&to, command, argv, user, on_closed, leg,
                             &error);

    if (leg->run == NULL) {
        printf("not ok - %s\n", error->message);
        exit(1);
    }

    agent_config_free(config);
}


static void
runs(leg_t *leg, const char *lines)
{
    server_t  *server = server_new_with(serve_read, NULL);

    start(leg, server, lines);
    wait_for(leg->closed);
    server_free(server);
}


static void
test_runs(void)
{
    leg_t             leg;
    g_autofree char  *who = NULL;

    runs(&leg, "argv=/bin/echo;$(id);`id`;a | b > c");
    is_str(outputs[0]->str, "$(id) `id` a | b > c\n", "no shell reads it");
    ok(leg.clean, "a clean end");

    runs(&leg, "argv=/usr/bin/env");
    who = g_strdup_printf("USER=%s\n", whose);
    ok(strstr(outputs[0]->str, who) != NULL, "as the user it is for: %s",
       whose);
    ok(strstr(outputs[0]->str, "LEFT=") == NULL,
       "nothing of the agent's environment");
    is_str(verdict->str, "{\"exit\":0}", "and how it ended");
    is_int((gint64) leg.sent, (gint64) outputs[0]->len, "counted");

    runs(&leg, "argv=/bin/cat;-;/no/such/file");
    is_str(outputs[0]->str, "", "it has nothing to read");
    ok(strstr(outputs[1]->str, "/no/such/file") != NULL,
       "errors are told apart");
    is_str(verdict->str, "{\"exit\":1}", "and its status is");

    runs(&leg, "argv=/no/such/program");
    is_str(verdict->str, "{\"exit\":127}", "no such program");
}


static void
test_limits(void)
{
    leg_t  leg;

    runs(&leg, "argv=/bin/sleep;1000\ntimeout=1");
    is_str(verdict->str, "{\"limit\":\"time\"}", "the time is used up");

    runs(&leg, "argv=/usr/bin/yes\noutput=100");
    is_str(verdict->str, "{\"limit\":\"output\"}", "the output is used up");
    is_int((gint64) outputs[0]->len, 100 * 1024, "all of it came");
    ok(leg.clean, "and that is a clean end, too");
}


/* what it has started, and what would go on without it */

static void
test_behind(void)
{
    leg_t  leg;
    pid_t  pid;

    runs(&leg, "argv=/bin/sh;-c;trap '' TERM && exec sleep 1000 & echo $! && "
         "exec sleep 1000\ntimeout=1");
    is_str(verdict->str, "{\"limit\":\"time\"}", "the time is used up");
    pid = (pid_t) strtol(outputs[0]->str, NULL, 10);
    ok(pid > 0, "of process %d, too", (int) pid);
    wait_for(waitpid(pid, NULL, WNOHANG) == pid);
    ok(TRUE, "which goes with it");
}


static void
test_alone(void)
{
    leg_t  leg;
    pid_t  pid;

    runs(&leg, "argv=/bin/sh;-c;sleep 1000 >/dev/null 2>&1 & echo $!");
    is_str(verdict->str, "{\"exit\":0}", "it ends by itself");
    pid = (pid_t) strtol(outputs[0]->str, NULL, 10);
    ok(pid > 0, "and leaves process %d", (int) pid);
    wait_for(waitpid(pid, NULL, WNOHANG) == pid);
    ok(TRUE, "which does not stay");
}


/*
 * The same by an agent that may become another user and nothing else, as the
 * service is set up: it cannot kill what is his.
 */

static void
test_caps(void)
{
    int                              status;
    pid_t                            pid;
    struct __user_cap_data_struct    data[2];
    struct __user_cap_header_struct  header = {
        _LINUX_CAPABILITY_VERSION_3, 0
    };

    if (geteuid() != 0) {
        ok(TRUE, "# SKIP not root");
        return;
    }

    (void) fflush(stdout);
    pid = fork();

    if (pid == 0) {
        memset(data, 0, sizeof(data));
        data[0].permitted = (1u << CAP_SETUID) | (1u << CAP_SETGID);
        data[0].effective = data[0].permitted;

        if (freopen("/dev/null", "w", stdout) == NULL
            || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0
            || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0
            || setresgid(65533, 65533, 65533) != 0
            || setresuid(65533, 65533, 65533) != 0
            || syscall(SYS_capset, &header, data) != 0)
        {
            _exit(2);
        }

        test_limits();
        test_behind();
        test_alone();
        _exit(done() != 0);
    }

    ok(waitpid(pid, &status, 0) == pid && status == 0,
       "and so for an agent without CAP_KILL: %d", status);
}


/* who asked for it goes */

static void
test_left(void)
{
    leg_t      leg;
    server_t  *server = server_new_with(serve_leave, NULL);
    pid_t      pid;

    start(&leg, server, "argv=/bin/sh;-c;trap '' TERM && echo $$ && exec "
          "sleep 1000");
    wait_for(leg.closed);
    server_free(server);
    ok(!leg.clean, "the leg breaks");
    pid = (pid_t) strtol(outputs[0]->str, NULL, 10);
    ok(pid > 0, "of process %d", (int) pid);
    wait_for(kill(pid, 0) == -1);
    ok(TRUE, "which goes, though it does not want to");
}


int
main(void)
{
    struct passwd  *self = getpwuid(geteuid());

    whose = g_strdup(geteuid() == 0 ? "nobody" : self->pw_name);
    outputs[0] = g_string_new(NULL);
    outputs[1] = g_string_new(NULL);
    verdict = g_string_new(NULL);
    signal(SIGPIPE, SIG_IGN);
    g_setenv("LEFT", "something of the agent's", TRUE);

    /* what loses its parent becomes this one's */
    (void) prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);

    test_caps();                        /* while there are no threads */
    test_config();
    test_args();
    test_runs();
    test_limits();
    test_behind();
    test_alone();
    test_left();

    g_string_free(outputs[0], TRUE);
    g_string_free(outputs[1], TRUE);
    g_string_free(verdict, TRUE);
    g_free(whose);

    return done();
}
