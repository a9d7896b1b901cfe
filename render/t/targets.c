
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
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>


#define MIB  1048576


typedef struct {
    render_browser_t  *browser;
    char              *dir;
    int                in;          /* what the browser would write to */
    int                out;         /* and read from */
    guint              crashed;
    gboolean           over;
    char              *blocked;     /* why, the last time */
    GString           *names;       /* of downloads: "NAME;" */
} fixture_t;


static void
on_crashed(void *data, gboolean restarting)
{
    fixture_t  *f = data;

    f->crashed++;
    f->over = !restarting;
}


static void
on_blocked(void *data, const char *url, const char *why)
{
    fixture_t  *f = data;

    (void) url;

    g_free(f->blocked);
    f->blocked = g_strdup(why);
}


/* as a session does */

static void
on_download(void *data, const char *path, const char *name)
{
    fixture_t        *f = data;
    g_autofree char  *to = g_build_filename(f->dir, "files", name, NULL);

    g_string_append_printf(f->names, "%s;", name);
    g_assert(rename(path, to) == 0);
}


static const render_browser_events_t  events = {
    .blocked = on_blocked,
    .crashed = on_crashed,
    .download = on_download
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
    static const char *const  folders[] = { "downloads", "files" };

    int                in[2], out[2];
    gsize              i;
    render_browser_t  *browser;

    g_assert(g_unix_open_pipe(in, FD_CLOEXEC, NULL)
             && g_unix_open_pipe(out, FD_CLOEXEC, NULL)
             && g_unix_set_fd_nonblocking(out[0], TRUE, NULL));

    memset(f, 0, sizeof(*f));
    f->dir = g_dir_make_tmp("rs-targets-t-XXXXXX", NULL);
    f->in = in[1];
    f->out = out[0];
    f->names = g_string_new(NULL);

    for (i = 0; i < G_N_ELEMENTS(folders); i++) {
        g_autofree char  *path = g_build_filename(f->dir, folders[i], NULL);

        g_assert(g_mkdir(path, 0700) == 0);
    }

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
    g_free(f->blocked);
    g_string_free(f->names, TRUE);
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


/* a download, as far as it is there */

static char *
begins(fixture_t *f, const char *guid, gsize size)
{
    char             *path;
    g_autofree char  *bytes = g_malloc0(size);

    path = g_build_filename(f->dir, "downloads", guid, NULL);
    g_assert(g_file_set_contents(path, bytes, (gssize) size, NULL));
    says(f, "Browser.downloadWillBegin",
         json_pack("{s:s, s:s}", "guid", guid, "suggestedFilename", guid));

    return path;
}


static void
goes_on(fixture_t *f, const char *guid, gsize size, const char *state)
{
    says(f, "Browser.downloadProgress",
         json_pack("{s:s, s:s, s:f}", "guid", guid, "state", state,
                   "receivedBytes", (double) size));
}


static gboolean
there(const char *path)
{
    return g_file_test(path, G_FILE_TEST_EXISTS);
}


static void
test_large(const render_settings_t *settings)
{
    fixture_t         f;
    g_autofree char  *a = NULL;
    g_autofree char  *b = NULL;

    start(&f, settings);
    a = begins(&f, "a", MIB + 1);
    goes_on(&f, "a", MIB + 1, "completed");
    is_str(f.names->str, "", "one that is whole, and too large, is not kept");
    is_str(f.blocked, "size", "that is told");
    ok(!there(a), "nothing is left of it");
    g_clear_pointer(&f.blocked, g_free);

    b = begins(&f, "b", MIB + 1);
    goes_on(&f, "b", MIB + 1, "inProgress");
    is_str(f.blocked, "size", "one that is on its way is ended");
    g_clear_pointer(&f.blocked, g_free);
    goes_on(&f, "b", MIB + 2, "inProgress");
    ok(f.blocked == NULL, "that is told once");
    goes_on(&f, "b", MIB + 2, "canceled");
    ok(!there(b), "nothing is left of that either");
    is_int(g_hash_table_size(f.browser->downloads), 0, "nor a place taken");
    stop(&f);
}


static void
test_total(const render_settings_t *settings)
{
    guint      i;
    fixture_t  f;

    static const char  *guids[] = { "a", "b", "c", "d", "e" };

    start(&f, settings);

    for (i = 0; i < G_N_ELEMENTS(guids); i++) {
        g_free(begins(&f, guids[i], MIB * 9 / 10));
        goes_on(&f, guids[i], MIB * 9 / 10, "inProgress");
        goes_on(&f, guids[i], MIB * 9 / 10, i < 4 ? "completed" : "canceled");
    }

    is_str(f.names->str, "a;b;c;d;", "four times as much as one may have");
    is_str(f.blocked, "size", "the one after that is told of");
    is_int(g_hash_table_size(f.browser->downloads), 0, "no place is taken");
    stop(&f);
}


static void
test_left(const render_settings_t *settings)
{
    fixture_t         f;
    g_autofree char  *path = NULL;

    start(&f, settings);
    path = begins(&f, "a", 1000);
    render_browser_crashed(f.browser, TRUE);
    ok(!there(path), "what a crashed browser had of a file is removed");
    stop(&f);
}


/* its page crashes twice; before it is there again the browser ends */

static void
test_end(const render_settings_t *settings)
{
    fixture_t  f;

    start(&f, settings);
    attached(&f, "A", "page", "page");
    render_browser_crashed(f.browser, FALSE);
    render_browser_crashed(f.browser, FALSE);
    ok(!f.over && f.browser->again != 0, "its page is opened again");
    render_browser_crashed(f.browser, TRUE);
    ok(f.over && f.crashed == 3, "the third time is the end");
    is_int(f.browser->again, 0, "after which nothing is started");
    stop(&f);
}


int
main(void)
{
    g_autoptr(render_settings_t)  settings = render_settings_new();

    settings->files_max = 1;

    test_session(settings);
    test_large(settings);
    test_total(settings);
    test_left(settings);
    test_end(settings);

    return done();
}
