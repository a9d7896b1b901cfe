
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * render.conf: what is known, what is refused and how, and the example.
 */

#include "render_pool_conf.h"
#include "render_settings.h"
#include "../agent/t/tap.h"

#include <string.h>


static void
refused(const char *text, const char *says)
{
    g_autoptr(GError)               error = NULL;
    g_autoptr(render_pool_conf_t)   conf = render_pool_conf_new();

    ok(!render_pool_conf_parse(conf, text, strlen(text), &error)
       && strstr(error->message, says) != NULL, "refused: %s", says);

    if (error != NULL) {
        printf("# %s\n", error->message);
    }
}


static void
test_values(void)
{
    g_autoptr(GError)               error = NULL;
    g_autoptr(render_pool_conf_t)   conf = render_pool_conf_new();

    static const char  text[] =
        "[agent]\nserver=https://gw.example.net/rs/v1\nname=browsers\n"
        "[pool]\nlauncher = plain\nmax=8\nwarm=2\nqueue=0\nqueue_time=60\n"
        "start_time=10\nstop_time=3\nruntime_dir=/run/x\nprogram=/bin/x\n"
        "[egress]\nwhatever=1\n";

    ok(render_pool_conf_parse(conf, text, strlen(text), &error), "taken");
    is_str(conf->agent->server, "https://gw.example.net/rs/v1", "server");
    is_str(conf->agent->name, "browsers", "name");
    is_str(conf->agent->state_dir, "/var/lib/rs-render", "state_dir");
    is_str(conf->launcher, "plain", "launcher");
    is_str(conf->runtime_dir, "/run/x", "runtime_dir");
    is_str(conf->program, "/bin/x", "program");
    is_int(conf->limits.max, 8, "max");
    is_int(conf->limits.warm, 2, "warm");
    is_int(conf->limits.queue, 0, "queue");
    is_int(conf->limits.queue_time, 60, "queue_time");
    is_int(conf->limits.start_time, 10, "start_time");
    is_int(conf->limits.stop_time, 3, "stop_time");
}


/* what it shows is what holds without it */

static void
test_example(void)
{
    guint                           i;
    gsize                           len;
    GString                        *all;
    g_auto(GStrv)                   lines = NULL;
    g_autofree char                *text = NULL;
    g_autoptr(GError)               error = NULL;
    g_autoptr(render_pool_conf_t)   conf = render_pool_conf_new();
    g_autoptr(render_pool_conf_t)   plain = render_pool_conf_new();
    g_autoptr(render_settings_t)    host = render_settings_new();
    g_autoptr(render_settings_t)    bare = render_settings_new();

    ok(g_file_get_contents(RENDER_TOP "/render/render.conf.example", &text,
                           &len, &error), "the example is there");
    ok(render_pool_conf_parse(plain, text, len, &error), "and is taken");

    /* and so are the keys that are comments in it */

    all = g_string_new(NULL);
    lines = g_strsplit(text, "\n", -1);

    for (i = 0; lines[i] != NULL; i++) {
        g_string_append_printf(all, "%s\n",
                               lines[i][0] == '#' && lines[i][1] != ' '
                               && strchr(lines[i], '=') ? lines[i] + 1
                                                        : lines[i]);
    }

    ok(render_pool_conf_parse(conf, all->str, all->len, &error),
       "with all of its keys, too");

    if (error != NULL) {
        printf("# %s\n", error->message);
    }

    ok(memcmp(&conf->limits, &plain->limits, sizeof(conf->limits)) == 0
       && strcmp(conf->launcher, plain->launcher) == 0
       && strcmp(conf->runtime_dir, plain->runtime_dir) == 0,
       "what it shows are the defaults");

    ok(render_settings_parse(host, all->str, all->len, &error),
       "instances take it, too");

    if (error != NULL) {
        printf("# %s\n", error->message);
    }

    ok(strcmp(host->browser, bare->browser) == 0
       && strcmp(host->sandbox, bare->sandbox) == 0
       && strcmp(host->display, bare->display) == 0
       && host->width == bare->width && host->height == bare->height
       && host->idle_s == bare->idle_s && host->profile == bare->profile
       && host->files_max == bare->files_max && host->fps == bare->fps
       && host->bitrate_min == bare->bitrate_min
       && host->bitrate == bare->bitrate
       && host->max_viewers == bare->max_viewers
       && host->relay_only == bare->relay_only
       && host->documents == bare->documents
       && !host->egress.listed && host->egress.nallow == 0,
       "and of what it shows of theirs the same is true");
    g_string_free(all, TRUE);
}


int
main(void)
{
    test_values();
    test_example();

    refused("[pool]\nmaximum=3\n", "unknown key \"maximum\" in [pool]");
    refused("[agent]\ndisplay=:0\n", "unknown key \"display\" in [agent]");
    refused("[agent]\nserver=http://x/\n", "server");
    refused("[pools]\n", "unknown group \"[pools]\"");
    refused("[pool]\nmax=0\n", "invalid max \"0\": a number from 1 to 64");
    refused("[pool]\nmax=65\n", "invalid max");
    refused("[pool]\nqueue_time=9\n", "10 to 600");
    refused("[pool]\nmax=2\nwarm=3\n", "warm 3 is more than max 2");
    refused("[pool]\nlauncher=docker\n", "systemd or plain");
    refused("[pool]\nprogram=rs-render-host\n", "an absolute path");
    refused("max=1\n", "");

    return done();
}
