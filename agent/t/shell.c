
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A terminal, used over its leg by the gateway's side of the test: whose it
 * is, what is typed, its size, much output, a pause, and its end by either
 * side.  Run as root the shell is another user's.
 */

#define _GNU_SOURCE                     /* setresuid() */

#include "agent_shell.h"
#include "leg_server.h"

#include <errno.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>


#define OUTPUT  (10 * 1024 * 1024)


static const char  *whose;


typedef struct {
    gboolean        closed;
    gboolean        clean;
    guint64         sent;
    agent_shell_t  *shell;
} leg_t;


static GString  *screen;                /* what the server's side saw */
static GMutex    lock;


/* ---- the gateway's side */

static void
type(GIOStream *io, const char *text)
{
    g_autofree char  *message = g_strconcat("0", text, NULL);

    message[0] = 0;
    put_frame(io, 0x82, message, strlen(text) + 1);
}


static gboolean
shows(const char *text)
{
    gboolean  there;

    g_mutex_lock(&lock);
    there = (strstr(screen->str, text) != NULL);
    g_mutex_unlock(&lock);

    return there;
}


/* reads until text is on the screen, or to the end without one */

static gboolean
see(GIOStream *io, const char *text)
{
    int      op;
    gsize    len;
    guint8  *data = g_malloc(65536);

    do {
        op = get_frame(io, data, &len);

        if (op == RS_WS_BINARY && len > 0 && data[0] == 0) {
            g_mutex_lock(&lock);
            g_string_append_len(screen, (char *) data + 1, (gssize) len - 1);
            g_mutex_unlock(&lock);
        }

    } while (op != -1 && op != RS_WS_CLOSE
             && (text == NULL || !shows(text)));

    if (op == RS_WS_CLOSE) {
        put_close(io, 1000);
    }

    g_free(data);

    return op != -1;
}


static void
serve_session(GIOStream *io)
{
    upgrade(io);
    put_frame(io, 0x82, "\1\0\144\0\50", 5);
    put_frame(io, 0x82, "\1\0", 2);                     /* not whole */
    put_frame(io, 0x82, "\7unknown", 8);
    put_frame(io, 0x82, "", 0);
    type(io, "echo \"I'm $(id -un), $((6 * 7)), $(stty size), $TERM\"\n");
    see(io, "xterm-256color\r\n");
    type(io, "echo \"caps $(sed -n 's/^CapEff:.//p' /proc/self/status)\"\n");
    see(io, "caps 0");
    type(io, "echo \"left <$LEFT> <$(ls /proc/self/fd | wc -l)> in $PWD\"\n");
    see(io, "> in /");
    type(io, "exit\n");
    see(io, NULL);
}


/* typed in pieces of a byte, a message in fragments */

static void
serve_pieces(GIOStream *io)
{
    upgrade(io);
    put_frame(io, 0x02, "", 0);
    put_frame(io, 0x00, "\0ec", 3);
    put_frame(io, 0x00, "ho pie", 6);
    put_frame(io, 0x80, "ces $((1 + 1))\n", 15);
    see(io, "pieces 2");
    put_frame(io, 0x02, "\1", 1);
    put_frame(io, 0x00, "\1\1", 2);
    put_frame(io, 0x80, "\0\1", 2);
    type(io, "stty size\nexit\n");
    see(io, NULL);
}


static void
serve_much(GIOStream *io)
{
    g_autofree char  *line = NULL;

    upgrade(io);
    line = g_strdup_printf("stty -echo; head -c %d /dev/zero | tr '\\0' x; "
                           "echo done; exit\n", OUTPUT);
    type(io, line);
    see(io, NULL);
}


static void
serve_pause(GIOStream *io)
{
    upgrade(io);
    type(io, "echo pid $$ end; yes\n");
    see(io, " end\r\n");
    put_frame(io, 0x82, "\2\1", 2);
    type(io, "");

    /* it says nothing until it may: a ping's answer comes behind what was
     * under way */

    put_frame(io, 0x89, "x", 1);

    {
        int      op;
        gsize    len;
        guint8  *data = g_malloc(65536);

        while ((op = get_frame(io, data, &len)) == RS_WS_BINARY) { }

        g_atomic_int_set(&server_go, op);
        put_frame(io, 0x89, "y", 1);
        op = get_frame(io, data, &len);
        g_atomic_int_set(&server_bytes, op);
        put_frame(io, 0x82, "\2\0", 2);
        op = get_frame(io, data, &len);
        g_atomic_int_set(&server_code, op);
        g_free(data);
    }
}


/* the leg breaks; the shell and what it runs does not want to go */

static void
serve_gone(GIOStream *io)
{
    upgrade(io);
    type(io, "set -m; trap '' HUP; sh -c 'trap \"\" HUP; echo child $$ end; "
             "while :; do sleep 1; done' & echo pid $$ end; wait\n");
    see(io, NULL);
}


/* the shell goes at once, what it has behind it does not want to */

static void
serve_job(GIOStream *io)
{
    upgrade(io);
    type(io, "set -m; (trap '' HUP; nohup sh -c 'echo child $$ end >/dev/tty; "
             "while :; do sleep 1; done' >/dev/null 2>&1 &) ; "
             "echo pid $$ end\n");
    see(io, NULL);
}


static void
serve_refuse(GIOStream *io)
{
    g_autofree char  *request = get_request(io);

    put(io, "HTTP/1.1 404 No\r\n\r\n", 20);
}


/* ---- the device's */

static gboolean
on_late(gpointer data)
{
    (void) data;
    printf("not ok - not within %d s: %s\n", DEADLINE_S, screen->str);
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
on_closed(void *data, const agent_shell_end_t *end)
{
    leg_t  *leg = data;

    leg->closed = TRUE;
    leg->clean = end->clean;
    leg->sent = end->sent;
    printf("# %s, %" G_GUINT64_FORMAT " bytes\n", end->why, end->sent);
    agent_shell_free(g_steal_pointer(&leg->shell), 0);
}


static void
leg_start(leg_t *leg, server_t *server)
{
    agent_wire_to_t           to = { 0 };
    g_autofree char          *url = NULL;
    g_autoptr(GError)         error = NULL;
    g_autoptr(agent_user_t)   user = agent_user_find(whose, &error);

    memset(leg, 0, sizeof(*leg));
    g_string_truncate(screen, 0);
    url = g_strdup_printf("ws://localhost:%u/rs/v1/pipe", server->port);
    to.url = url;
    to.ticket = "default.pip2abc";
    to.side = "host";
    to.program = "test/1";

    /* the prompt is no matter, a profile of this machine's neither */

    g_free(user->shell);
    user->shell = g_strdup("/bin/sh");
    leg->shell = agent_shell_new(&to, user, on_closed, leg, &error);

    if (leg->shell == NULL) {
        printf("not ok - %s\n", error->message);
        exit(1);
    }
}


/* the number behind a word on the screen; 0: none */

static pid_t
number(const char *word)
{
    char   *at;
    pid_t   pid = 0;

    g_mutex_lock(&lock);
    at = screen->str;

    while (pid == 0 && (at = strstr(at, word)) != NULL) {
        at += strlen(word);
        pid = (pid_t) strtol(at, NULL, 10);
    }

    g_mutex_unlock(&lock);

    return pid;
}


/* one that nobody has waited for yet lives no more */

static gboolean
lives(pid_t pid)
{
    const char       *p;
    g_autofree char  *path = g_strdup_printf("/proc/%d/stat", (int) pid);
    g_autofree char  *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL)
           && (p = strrchr(text, ')')) != NULL && p[2] != 'Z';
}


static void
test_session(void)
{
    leg_t             leg;
    server_t         *server = server_new_with(serve_session, NULL);
    g_autofree char  *who = NULL;

    g_setenv("LEFT", "something of the agent's", TRUE);
    leg_start(&leg, server);
    wait_for(leg.closed);
    server_free(server);

    who = g_strdup_printf("I'm %s, 42, 40 100, xterm-256color", whose);
    ok(shows(who), "%s", who);
    ok(shows("caps 0000000000000000") || geteuid() != 0, "no capabilities");
    ok(shows("left <> <4> in /"), "nothing of the agent's environment, no "
       "descriptors of its");
    ok(leg.clean, "exit is a clean end");
    is_int(server_code, 1000, "and says so");
}


static void
test_pieces(void)
{
    leg_t      leg;
    server_t  *server = server_new_with(serve_pieces, NULL);

    leg_start(&leg, server);
    wait_for(leg.closed);
    server_free(server);

    ok(shows("pieces 2\r\n"), "a message in fragments is what was typed");
    ok(shows("1 257\r\n"), "a resize in fragments is one");
}


static void
test_much(void)
{
    char       *p;
    gsize       n = 0;
    leg_t       leg;
    server_t   *server = server_new_with(serve_much, NULL);

    leg_start(&leg, server);
    wait_for(leg.closed);
    server_free(server);

    for (p = screen->str; *p != '\0'; p++) {
        n += (*p == 'x');
    }

    ok(n >= OUTPUT && n < OUTPUT + 64, "10 MiB of output: %" G_GSIZE_FORMAT,
       n);
    ok(shows("xdone\r\n") && leg.clean, "and what follows it: %s",
       screen->len < 64 ? screen->str : screen->str + screen->len - 64);
    ok(leg.sent >= OUTPUT, "counted");
}


static void
test_pause(void)
{
    pid_t      pid;
    leg_t      leg;
    server_t  *server = server_new_with(serve_pause, NULL);

    leg_start(&leg, server);
    wait_for(leg.closed);
    server_free(server);

    is_int(server_go, RS_WS_PONG, "a pause: what was under way comes");
    is_int(server_bytes, RS_WS_PONG, "and nothing else");
    is_int(server_code, RS_WS_BINARY, "it goes on when it may");
    ok(!leg.clean, "a leg that breaks is no clean end");
    pid = number("pid ");
    ok(pid > 0, "it was process %d", (int) pid);
    wait_for(!lives(pid));
    ok(TRUE, "which is gone");
}


static void
test_gone(void)
{
    pid_t      pid, child;
    leg_t      leg;
    server_t  *server = server_new_with(serve_gone, NULL);

    leg_start(&leg, server);
    wait_for((pid = number("pid ")) > 0 && (child = number("child ")) > 0);
    ok(lives(pid), "a shell that does not want to go");
    agent_shell_free(g_steal_pointer(&leg.shell), 4410);
    wait_for(!lives(pid));
    ok(TRUE, "is gone when its terminal is freed");
    server_free(server);
    is_int(server_code, 4410, "the gateway is told");

    wait_for(!lives(child));
    ok(TRUE, "and with it what it has in the background");
}


static void
test_job(void)
{
    pid_t      pid, child;
    leg_t      leg;
    server_t  *server = server_new_with(serve_job, NULL);

    leg_start(&leg, server);
    wait_for((pid = number("pid ")) > 0 && (child = number("child ")) > 0);
    ok(lives(child) && getpgid(child) != pid && getsid(child) == pid,
       "a job in a group of its own");
    agent_shell_free(g_steal_pointer(&leg.shell), 4403);
    wait_for(!lives(pid) && !lives(child));
    ok(TRUE, "does not outlive the hang-up");
    server_free(server);
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
            || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0
            || setresgid(65533, 65533, 65533) != 0
            || setresuid(65533, 65533, 65533) != 0
            || syscall(SYS_capset, &header, data) != 0)
        {
            _exit(2);
        }

        test_gone();
        test_job();
        _exit(done() != 0);
    }

    ok(waitpid(pid, &status, 0) == pid && status == 0,
       "and so for an agent without CAP_KILL: %d", status);
}


static void
test_refused(void)
{
    leg_t      leg;
    server_t  *server = server_new_with(serve_refuse, NULL);

    leg_start(&leg, server);
    wait_for(leg.closed);
    ok(!leg.clean, "no leg, no terminal");
    server_free(server);
}


static void
test_users(void)
{
    g_autoptr(GError)         error = NULL;
    g_autoptr(agent_user_t)   user = NULL;

    user = agent_user_find("no-such-user", &error);
    ok(user == NULL && strstr(error->message, "no-such-user") != NULL,
       "nobody of that name: %s", error->message);

    user = agent_user_find(whose, NULL);
    ok(user != NULL && strcmp(user->name, whose) == 0, "%s is there", whose);
    ok(!g_str_has_suffix(user->shell, "nologin"), "and has a shell: %s",
       user->shell);
}


int
main(void)
{
    struct passwd  *self = getpwuid(geteuid());

    whose = (geteuid() == 0) ? "nobody" : g_strdup(self->pw_name);
    screen = g_string_new(NULL);
    signal(SIGPIPE, SIG_IGN);

    test_caps();                        /* while there are no threads */
    test_users();
    test_session();
    test_pieces();
    test_much();
    test_pause();
    test_gone();
    test_job();
    test_refused();

    g_string_free(screen, TRUE);

    return done();
}
