
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What a browser says that was taken over, or that does not end as browsers
 * do: the test is the browser, and there is no process.
 */

#include "../../agent/t/tap.h"
#include "render_browser_internal.h"
#include "render_launcher.h"

#include <glib-unix.h>
#include <string.h>
#include <unistd.h>


typedef struct {
    render_browser_t  *browser;
    char              *dir;
    int                in;          /* what the browser would write to */
    int                out;         /* and read from */
    guint              crashed;
    gboolean           over;
} fixture_t;


static void
on_crashed(void *data, gboolean restarting)
{
    fixture_t  *f = data;

    f->crashed++;
    f->over = !restarting;
}


static const render_browser_events_t  events = {
    .crashed = on_crashed
};


static void
on_closed(void *data, const char *why)
{
    (void) data;
    (void) why;
}


static const render_cdp_events_t  cdp_events = {
    .event = render_browser_on_event,
    .closed = on_closed
};


/* one that is up */

static void
start(fixture_t *f, const render_settings_t *settings)
{
    int                in[2], out[2];
    render_browser_t  *browser;

    g_assert(g_unix_open_pipe(in, FD_CLOEXEC, NULL)
             && g_unix_open_pipe(out, FD_CLOEXEC, NULL)
             && g_unix_set_fd_nonblocking(out[0], TRUE, NULL));

    memset(f, 0, sizeof(*f));
    f->dir = g_dir_make_tmp("rs-targets-t-XXXXXX", NULL);
    f->in = in[1];
    f->out = out[0];

    browser = g_new0(render_browser_t, 1);
    browser->conf.settings = settings;
    browser->conf.dir = f->dir;
    browser->events = &events;
    browser->data = f;
    browser->page.url = g_strdup("");
    browser->page.title = g_strdup("");
    browser->targets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                             render_target_free);
    browser->downloads = g_hash_table_new_full(g_str_hash, g_str_equal,
                                               g_free, g_free);
    browser->readied = TRUE;
    browser->up = TRUE;
    browser->cdp = render_cdp_new(in[0], out[1], &cdp_events, browser);
    f->browser = browser;
}


static void
stop(fixture_t *f)
{
    render_browser_free(f->browser);
    (void) close(f->in);
    (void) close(f->out);
    render_remove(f->dir);
    g_free(f->dir);
}


static void
says(fixture_t *f, const char *method, json_t *params)
{
    render_browser_on_event(f->browser, "", method, params);
    json_decref(params);
}


static void
attached(fixture_t *f, const char *session, const char *id, const char *type)
{
    says(f, "Target.attachedToTarget",
         json_pack("{s:s, s:{s:s, s:s, s:s}}", "sessionId", session,
                   "targetInfo", "targetId", id, "type", type, "url",
                   "about:blank"));
}


static void
test_session(const render_settings_t *settings)
{
    fixture_t  f;

    start(&f, settings);
    attached(&f, "A", "page", "page");
    attached(&f, "B", "frame", "iframe");
    ok(f.browser->main != NULL && f.crashed == 0, "a page with a frame");

    attached(&f, "A", "other", "iframe");
    is_int(f.crashed, 1, "who says that a frame is the page has crashed");
    ok(f.browser->main == NULL, "and nothing is left of the page");
    stop(&f);
}


int
main(void)
{
    g_autoptr(render_settings_t)  settings = render_settings_new();

    test_session(settings);

    return done();
}
