
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The order in which a session's parts go: what is still being made ready
 * then is told to none of them.
 */

#define render_host_run  render_host_run_here

#include "../render_host.c"

#include "../../agent/t/tap.h"
#include "render_browser_internal.h"


#define DEADLINE_S  20


int
main(void)
{
    gint64                end_us;
    json_t               *message;
    render_host_t         host;
    render_docs_conf_t    docs;
    render_host_conf_t    conf;
    render_browser_t     *browser;
    g_autofree char      *dir = g_dir_make_tmp("rs-host-t-XXXXXX", NULL);
    g_autofree char      *files = g_build_filename(dir, "files", NULL);
    g_autofree char      *file = g_build_filename(files, "a.pdf", NULL);

    setvbuf(stdout, NULL, _IOLBF, 0);
    memset(&host, 0, sizeof(host));
    memset(&conf, 0, sizeof(conf));
    memset(&docs, 0, sizeof(docs));
    conf.dir = dir;
    docs.folder = files;
    docs.viewer = dir;
    g_assert(g_mkdir(files, 0700) == 0
             && g_file_set_contents(file, "%PDF-1.4\n", -1, NULL));

    browser = g_new0(render_browser_t, 1);
    browser->conf.dir = dir;
    browser->page.url = g_strdup("");
    browser->page.title = g_strdup("");
    browser->shown = g_strdup("http://127.0.0.1/");
    browser->targets = g_hash_table_new(NULL, NULL);
    browser->downloads = g_hash_table_new(NULL, NULL);
    host.conf = &conf;
    host.made = TRUE;
    host.browser = browser;
    host.docs = render_docs_new(&docs);
    host.paged.pages = render_pages_new(browser, host.docs, FALSE, 0);

    message = json_pack("{s:s, s:i, s:s}", "type", "show", "id", 1, "name",
                        "a.pdf");
    ok(render_pages_input(host.paged.pages, message, NULL),
       "a document is asked for");
    json_decref(message);

    /* a thread reads it; that it has is told by the next turn */

    (void) g_main_context_iteration(NULL, FALSE);
    end_us = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;

    while (access(file, F_OK) == 0 && g_get_monotonic_time() < end_us) {
        g_usleep(1000);
    }

    ok(access(file, F_OK) != 0, "it is read");

    while (!g_main_context_pending(NULL) && g_get_monotonic_time() < end_us) {
        g_usleep(1000);
    }

    ok(g_main_context_pending(NULL), "and not told yet");

    render_host_close(&host);
    ok(host.browser == NULL && host.docs == NULL,
       "nobody shows it any more when all of it ends");
    ok(access(files, F_OK) != 0, "and no file is left");
    render_remove(dir);

    return done();
}
