
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the folder downloads, which is memory: how much comes into it, and
 * that nothing stays there that the session did not get.
 */

#define G_LOG_DOMAIN  "rs-render"

#include "render_browser_internal.h"
#include "render_launcher.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


#define RENDER_DOWNLOADS_TOTAL  4       /* times files_max */
#define RENDER_DOWNLOADS_FILE   4096    /* bytes that each takes besides */


static guint64 render_downloads_size(const render_browser_t *browser,
    const char *folder);
static gboolean render_downloads_fit(const render_browser_t *browser,
    const char *path, const json_t *params);
static void render_downloads_cancel(render_browser_t *browser,
    const char *guid);
static void render_downloads_refuse(render_browser_t *browser,
    const char *guid);


gboolean
render_downloads_new(const render_browser_t *browser, GError **error)
{
    g_autofree char  *path = NULL;

    path = g_build_filename(browser->conf.dir, "downloads", NULL);

    if (g_mkdir_with_parents(path, 0700) != 0) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s: %s", path,
                    g_strerror(errno));
        return FALSE;
    }

    return TRUE;
}


void
render_downloads_end(render_browser_t *browser)
{
    g_autofree char  *path = NULL;

    g_hash_table_remove_all(browser->downloads);
    path = g_build_filename(browser->conf.dir, "downloads", NULL);
    render_remove(path);
}


/* of what is in one of the session's folders */

static guint64
render_downloads_size(const render_browser_t *browser, const char *folder)
{
    guint64            size;
    const char        *name;
    struct stat        st;
    g_autoptr(GDir)    dir = NULL;
    g_autofree char   *path = NULL;

    size = 0;
    path = g_build_filename(browser->conf.dir, folder, NULL);
    dir = g_dir_open(path, 0, NULL);

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char  *file = g_build_filename(path, name, NULL);

        if (lstat(file, &st) == 0) {
            size += (guint64) st.st_size + RENDER_DOWNLOADS_FILE;
        }
    }

    return size;
}


/* it alone, and with what was sent or downloaded before */

static gboolean
render_downloads_fit(const render_browser_t *browser, const char *path,
    const json_t *params)
{
    double        received;
    guint64       max;
    struct stat   st;

    max = (guint64) browser->conf.settings->files_max << 20;

    if (agent_json_number(params, "receivedBytes", 0, 1e18, &received)
        && received > (double) max)
    {
        return FALSE;
    }

    if (lstat(path, &st) == 0 && (guint64) st.st_size > max) {
        return FALSE;
    }

    return render_downloads_size(browser, "downloads")
           + render_downloads_size(browser, "files")
           <= RENDER_DOWNLOADS_TOTAL * max;
}


static void
render_downloads_cancel(render_browser_t *browser, const char *guid)
{
    render_cdp_send(browser->cdp, NULL, "Browser.cancelDownload",
                    json_pack("{s:s}", "guid", guid), NULL, NULL, NULL);
}


/* it has no name from now on: whatever becomes of it is removed */

static void
render_downloads_refuse(render_browser_t *browser, const char *guid)
{
    g_message("a download is larger than %u MiB, or all are larger than %u",
              browser->conf.settings->files_max,
              browser->conf.settings->files_max * RENDER_DOWNLOADS_TOTAL);
    g_hash_table_replace(browser->downloads, g_strdup(guid), g_strdup(""));
    render_browser_blocked(browser, browser->page.url, "size");
}


void
render_download_begins(render_browser_t *browser, const char *session,
    const json_t *params)
{
    const char  *guid, *name;

    (void) session;

    guid = agent_json_string(params, "guid", 64);
    name = agent_json_string(params, "suggestedFilename", 1024);

    if (guid == NULL
        || guid[strspn(guid, "0123456789abcdefABCDEF-")] != '\0')
    {
        return;
    }

    if (g_hash_table_size(browser->downloads) >= RENDER_BROWSER_DOWNLOADS) {
        render_downloads_cancel(browser, guid);
        return;
    }

    g_hash_table_replace(browser->downloads, g_strdup(guid),
                         g_strdup(name != NULL && name[0] != '\0'
                                  ? name : "download"));
}


void
render_download_goes_on(render_browser_t *browser, const char *session,
    const json_t *params)
{
    const char       *guid, *state, *name;
    g_autofree char  *path = NULL;
    g_autofree char  *key = NULL;

    (void) session;

    guid = agent_json_string(params, "guid", 64);
    state = agent_json_string(params, "state", 32);
    name = (guid != NULL) ? g_hash_table_lookup(browser->downloads, guid)
                          : NULL;

    if (name == NULL || state == NULL) {
        return;
    }

    path = g_build_filename(browser->conf.dir, "downloads", guid, NULL);

    if (name[0] != '\0' && strcmp(state, "canceled") != 0
        && !render_downloads_fit(browser, path, params))
    {
        render_downloads_refuse(browser, guid);
        name = "";

        if (strcmp(state, "inProgress") == 0) {
            render_downloads_cancel(browser, guid);
        }
    }

    if (strcmp(state, "inProgress") == 0) {
        return;
    }

    key = g_strdup(guid);

    if (strcmp(state, "completed") == 0 && name[0] != '\0'
        && browser->events->download != NULL)
    {
        browser->events->download(browser->data, path, name);

    } else {
        (void) remove(path);
    }

    g_hash_table_remove(browser->downloads, key);
}
