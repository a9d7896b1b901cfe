
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The plain launcher with a program of the test's: what it is started with,
 * how it ends, and what is left when the pool was killed.
 */

#include "render_launcher.h"
#include "../agent/t/tap.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>


#define DEADLINE_S  20
#define A           "00000000000a"
#define B           "00000000000b"

#define WAIT(cond)                                                            \
    do {                                                                      \
        gint64  end_ = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;  \
                                                                              \
        while (!(cond) && g_get_monotonic_time() < end_) {                    \
            g_main_context_iteration(NULL, TRUE);                             \
        }                                                                     \
    } while (0)


/* says what it was given; a child of it holds on, too; the second kind will
 * not go by itself */

#define PROGRAM                                                               \
    "#!/bin/sh\n"                                                             \
    "echo \"$@\" > \"$8/args\"\n"                                             \
    "mkdir -p \"$8/profile/deep\"\n"                                          \
    "test $2 = " A " || trap '' TERM\n"                                       \
    "sleep 1000 & echo $! > \"$8/child\"\n"                                   \
    "touch \"$8/up\"\n"                                                       \
    "while :; do wait; done\n"


typedef struct {
    char                 *dir;
    char                 *program;
    render_launcher_t    *launcher;
    GString              *gone;
} fixture_t;


static gboolean
tick(gpointer data)
{
    (void) data;

    return G_SOURCE_CONTINUE;
}


static void
on_gone(void *data, const char *id, const char *why)
{
    fixture_t  *f = data;

    g_string_append_printf(f->gone, "%s%s;", id, why ? "!" : "");
}


static void
launcher(fixture_t *f)
{
    render_plain_conf_t  conf = { f->dir, f->program, NULL, FALSE };

    f->launcher = render_plain_new(&conf);
    f->launcher->gone = on_gone;
    f->launcher->data = f;
    g_string_truncate(f->gone, 0);
}


static gboolean
has(fixture_t *f, const char *name)
{
    g_autofree char  *path = g_build_filename(f->dir, "i", name, NULL);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}


static pid_t
child_of(fixture_t *f, const char *id)
{
    g_autofree char  *path = g_build_filename(f->dir, "i", id, "child", NULL);
    g_autofree char  *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? atoi(text) : 0;
}


/* ended, whoever reaps it */

static gboolean
dead(pid_t pid)
{
    g_autofree char  *path = g_strdup_printf("/proc/%d/stat", (int) pid);
    g_autofree char  *text = NULL;

    return !g_file_get_contents(path, &text, NULL, NULL)
           || strstr(text, ") Z ") != NULL;
}


static void
test_stop(fixture_t *f)
{
    pid_t                  pid;
    g_autofree char       *path = NULL;
    g_autofree char       *text = NULL;
    g_autoptr(GPtrArray)   ids = NULL;

    launcher(f);
    f->launcher->ops->start(f->launcher, A);
    WAIT(has(f, A "/up"));
    path = g_build_filename(f->dir, "i", A, "args", NULL);
    (void) g_file_get_contents(path, &text, NULL, NULL);
    ok(text != NULL && g_str_has_prefix(text, "--id " A " --socket ")
       && strstr(text, "/pool.sock --token-file ") != NULL
       && strstr(text, "/tokens/" A " --runtime-dir ") != NULL,
       "what it is started with");
    ids = f->launcher->ops->list(f->launcher, NULL);
    ok(ids->len == 1 && strcmp(ids->pdata[0], A) == 0, "it is listed");

    pid = child_of(f, A);
    f->launcher->ops->stop(f->launcher, A);
    WAIT(f->gone->len > 0);
    is_str(f->gone->str, A "!;", "stopped");
    WAIT(dead(pid));
    ok(dead(pid), "what it started is gone, too");
    ok(!has(f, A) && !has(f, A ".pid"), "its folder with all in it");
    f->launcher->ops->free(f->launcher);
}


static void
test_force(fixture_t *f)
{
    pid_t   pid;
    gint64  start_us;

    launcher(f);
    f->launcher->ops->start(f->launcher, B);
    WAIT(has(f, B "/up"));
    pid = child_of(f, B);
    start_us = g_get_monotonic_time();
    f->launcher->ops->stop(f->launcher, B);
    WAIT(f->gone->len > 0);
    is_str(f->gone->str, B "!;", "one that will not go is forced");
    ok(g_get_monotonic_time() - start_us > 1500000, "after a while");
    WAIT(dead(pid));
    ok(dead(pid), "with what it started");

    f->launcher->ops->start(f->launcher, B);
    WAIT(has(f, B "/up"));
    start_us = g_get_monotonic_time();
    f->launcher->ops->stop(f->launcher, B);
    f->launcher->ops->stop(f->launcher, B);
    g_string_truncate(f->gone, 0);
    WAIT(f->gone->len > 0);
    ok(g_get_monotonic_time() - start_us < 1500000, "told twice: at once");
    f->launcher->ops->free(f->launcher);
}


static void
test_start(fixture_t *f)
{
    g_autofree char  *program = f->program;

    f->program = (char *) "/nonexistent/rs-render-host";
    launcher(f);
    f->launcher->ops->start(f->launcher, A);
    is_str(f->gone->str, "", "not before it returns");
    WAIT(f->gone->len > 0);
    is_str(f->gone->str, A "!;", "one that cannot be started is gone");
    ok(!has(f, A), "without a folder");
    f->launcher->ops->free(f->launcher);
    f->program = g_steal_pointer(&program);
}


/* the pool is killed: what it had dies, or is ended by the next one */

static void
test_left(fixture_t *f)
{
    int                    status;
    pid_t                  pool, pid, other;
    g_autoptr(GPtrArray)   ids = NULL;

    pool = fork();

    if (pool == 0) {
        launcher(f);
        f->launcher->ops->start(f->launcher, A);
        f->launcher->ops->start(f->launcher, B);
        for ( ;; ) {
            g_main_context_iteration(NULL, TRUE);
        }
    }

    WAIT(has(f, A "/up") && has(f, B "/up"));
    pid = child_of(f, B);
    other = child_of(f, A);
    (void) kill(pool, SIGKILL);
    (void) waitpid(pool, &status, 0);

    launcher(f);
    ids = f->launcher->ops->list(f->launcher, NULL);
    is_int(ids->len, 2, "both are listed");
    ok(!dead(pid), "one runs on");
    f->launcher->ops->stop(f->launcher, A);
    f->launcher->ops->stop(f->launcher, B);
    WAIT(strstr(f->gone->str, A) && strstr(f->gone->str, B));
    ok(strstr(f->gone->str, A) && strstr(f->gone->str, B), "ended");
    WAIT(dead(pid) && dead(other));
    ok(dead(pid) && dead(other), "with what they started");
    ok(!has(f, A) && !has(f, B) && !has(f, A ".pid") && !has(f, B ".pid"),
       "nothing is left of them");
    f->launcher->ops->free(f->launcher);
}


int
main(void)
{
    fixture_t  f;

    setvbuf(stdout, NULL, _IOLBF, 0);
    memset(&f, 0, sizeof(f));
    g_timeout_add(20, tick, NULL);
    f.gone = g_string_new(NULL);
    f.dir = g_dir_make_tmp("rs-plain-XXXXXX", NULL);
    f.program = g_build_filename(f.dir, "program", NULL);
    (void) g_file_set_contents_full(f.program, PROGRAM, -1,
                                    G_FILE_SET_CONTENTS_NONE, 0700, NULL);

    test_stop(&f);
    test_force(&f);
    test_start(&f);
    test_left(&f);

    g_string_free(f.gone, TRUE);
    g_free(f.program);
    render_remove(f.dir);
    g_free(f.dir);

    return done();
}
