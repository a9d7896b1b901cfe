
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What the sandbox is told, as a program in its place finds it.
 */

#include "../../agent/t/tap.h"
#include "render_launcher.h"
#include "render_sandbox.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


#define DEADLINE_S  20


static void
on_lost(void *data)
{
    (void) data;
}


static void
on_listening(void *data, int fd)
{
    (void) data;
    (void) close(fd);
}


static void
on_exited(void *data, int status)
{
    gboolean  *over = data;

    (void) status;
    *over = TRUE;
}


static const render_sandbox_events_t  events = {
    on_listening, on_exited
};


static gboolean
tick(gpointer data)
{
    (void) data;

    return G_SOURCE_CONTINUE;
}


/* its arguments, a line each; the caller frees */

static char *
told(render_sandbox_conf_t *conf)
{
    int                 in, out;
    char               *text = NULL;
    gint64              end_us;
    gboolean            over = FALSE;
    render_sandbox_t   *sandbox;
    g_autofree char    *path = g_build_filename(conf->dir, "told", NULL);

    sandbox = render_sandbox_new(conf, &events, &over, &in, &out, NULL);
    g_assert_nonnull(sandbox);
    end_us = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;

    while (!over && g_get_monotonic_time() < end_us) {
        g_main_context_iteration(NULL, TRUE);
    }

    render_sandbox_free(sandbox);
    (void) close(in);
    (void) close(out);
    (void) g_file_get_contents(path, &text, NULL, NULL);

    return text;
}


int
main(void)
{
    gsize                   i;
    render_display_t       *display;
    render_sandbox_conf_t   conf;
    g_autofree char        *dir = g_dir_make_tmp("rs-sandbox-t-XXXXXX", NULL);
    g_autofree char        *program = g_build_filename(dir, "program", NULL);

    static const char  script[] =
        "#!/bin/sh\nprintf '%s\\n' \"$@\" >\"${0%/*}/told\"\n";

    static const struct {
        guint        profile;
        const char  *size;
    } cases[] = {
        { 512, "--size\n536870912\n" },
        { 4096, "--size\n4294967296\n" },
        { 5000, "--size\n5242880000\n" }
    };

    g_timeout_add(20, tick, NULL);
    g_assert(g_file_set_contents(program, script, -1, NULL)
             && chmod(program, 0700) == 0);

    display = render_display_new("Xvfb", dir, 64, 64, on_lost, NULL, NULL);
    g_assert_nonnull(display);

    memset(&conf, 0, sizeof(conf));
    conf.program = program;
    conf.browser = "browser";
    conf.inside = "inside";
    conf.dir = dir;
    conf.display = display;
    conf.user_agent = "agent";

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char  *text = NULL;

        conf.profile = cases[i].profile;
        text = told(&conf);
        ok(text != NULL && strstr(text, cases[i].size) != NULL,
           "a profile of %u MiB", cases[i].profile);
    }

    render_display_free(display);
    render_remove(dir);

    return done();
}
