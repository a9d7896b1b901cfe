
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns sandbox, debugging pipe and egress of one browser, and restarts the
 * three of them together.
 *
 *     new: sandbox -> its socket: egress -> the window's page is attached
 *          -> set up -> ready -> begin: rules, scripts, first page
 *     crash of the browser -> all of it anew, with the page's address
 *     crash of the page    -> the same address in the same browser
 *
 * Whatever is to hold in a document is set up while it stands still: targets
 * wait for the debugger until everything that was asked of them was answered.
 * There is one window; what a page opens beside it is closed, and shown in it.
 */

#define G_LOG_DOMAIN  "rs-render"

#include "render_browser.h"
#include "agent_version.h"
#include "render_browser_internal.h"
#include "render_docs.h"
#include "render_managed.h"
#include "render_sandbox.h"
#include "render_script.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


#define RENDER_BROWSER_PING_S  5


static gboolean render_browser_agent(render_browser_t *browser,
    GError **error);
static gboolean render_browser_files(render_browser_t *browser,
    GError **error);
static gboolean render_browser_start(render_browser_t *browser,
    GError **error);
static void render_browser_halt(render_browser_t *browser);
static void render_browser_on_listening(void *data, int fd);
static void render_browser_on_exited(void *data, int status);
static void render_browser_on_closed(void *data, const char *why);
static void render_browser_on_refused(void *data, const char *host,
    guint port, rs_egress_e verdict, const char *why);
static void render_browser_on_inside(void *data, int fd);
static gboolean render_browser_again(gpointer data);
static gboolean render_browser_ping(gpointer data);
static void render_browser_on_pong(void *data, const json_t *result,
    const char *error);
static gboolean render_browser_tell(gpointer data);


static const render_sandbox_events_t  render_browser_sandbox_events = {
    render_browser_on_listening,
    render_browser_on_exited
};

static const render_cdp_events_t  render_browser_cdp_events = {
    render_browser_on_event,
    render_browser_on_closed
};

static const render_egress_events_t  render_browser_egress_events = {
    render_browser_on_refused,
    render_browser_on_inside
};


render_browser_t *
render_browser_new(const render_browser_conf_t *conf,
    const render_browser_events_t *events, void *data, GError **error)
{
    render_browser_t  *browser;

    browser = g_new0(render_browser_t, 1);
    browser->conf = *conf;
    browser->events = events;
    browser->data = data;
    browser->page.url = g_strdup("");
    browser->page.title = g_strdup("");
    browser->targets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                             render_target_free);
    browser->downloads = g_hash_table_new_full(g_str_hash, g_str_equal,
                                               g_free, g_free);

    if (!render_browser_agent(browser, error)
        || !render_browser_files(browser, error)
        || !render_browser_start(browser, error))
    {
        render_browser_free(browser);
        return NULL;
    }

    return browser;
}


void
render_browser_free(render_browser_t *browser)
{
    render_browser_halt(browser);
    g_clear_handle_id(&browser->again, g_source_remove);
    g_clear_handle_id(&browser->tell, g_source_remove);

    g_hash_table_unref(browser->targets);
    g_hash_table_unref(browser->downloads);
    g_free(browser->page.url);
    g_free(browser->page.title);
    g_free(browser->shown);
    g_free(browser->agent);
    g_free(browser);
}


/*
 * Pages are told what this is.  The browser's own words come first, so that
 * they serve it what they serve others; which version it is it says itself.
 */

static gboolean
render_browser_agent(render_browser_t *browser, GError **error)
{
    int               status;
    gint64            major;
    char             *argv[3];
    g_autofree char  *out = NULL;

    argv[0] = browser->conf.settings->browser;
    argv[1] = (char *) "--product-version";
    argv[2] = NULL;

    if (!g_spawn_sync(NULL, argv, NULL,
                      G_SPAWN_SEARCH_PATH|G_SPAWN_STDERR_TO_DEV_NULL, NULL,
                      NULL, &out, NULL, &status, error))
    {
        return FALSE;
    }

    major = g_ascii_strtoll(out, NULL, 10);

    if (status != 0 || major <= 0) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                    "%s does not say which version it is", argv[0]);
        return FALSE;
    }

    browser->agent = g_strdup_printf("Mozilla/5.0 (X11; Linux x86_64) "
        "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%" G_GINT64_FORMAT
        ".0.0.0 Safari/537.36 RsRenderingService/" AGENT_VERSION, major);

    return TRUE;
}


static gboolean
render_browser_files(render_browser_t *browser, GError **error)
{
    g_autofree char  *path = NULL;
    g_autofree char  *text = NULL;

    path = g_build_filename(browser->conf.dir, "policy.json", NULL);
    text = render_managed_policy();

    return g_file_set_contents(path, text, -1, error);
}


static gboolean
render_browser_start(render_browser_t *browser, GError **error)
{
    int                     in, out;
    render_sandbox_conf_t   conf;

    if (!render_downloads_new(browser, error)) {
        return FALSE;
    }

    conf.program = browser->conf.settings->sandbox;
    conf.browser = browser->conf.settings->browser;
    conf.inside = browser->conf.inside;
    conf.dir = browser->conf.dir;
    conf.display = browser->conf.display;
    conf.profile = browser->conf.settings->profile;
    conf.width = browser->conf.width;
    conf.height = browser->conf.height;
    conf.user_agent = browser->agent;

    browser->sandbox = render_sandbox_new(&conf,
                                          &render_browser_sandbox_events,
                                          browser, &in, &out, error);
    if (browser->sandbox == NULL) {
        return FALSE;
    }

    browser->cdp = render_cdp_new(in, out, &render_browser_cdp_events,
                                  browser);
    browser->heard_us = g_get_monotonic_time();
    browser->started_us = browser->heard_us;
    browser->ping = g_timeout_add_seconds(RENDER_BROWSER_PING_S,
                                          render_browser_ping, browser);
    render_browser_attach(browser);

    return TRUE;
}


/* the three of them, and what was known of what was in there */

static void
render_browser_halt(render_browser_t *browser)
{
    g_clear_handle_id(&browser->ping, g_source_remove);
    g_clear_pointer(&browser->cdp, render_cdp_free);
    g_clear_pointer(&browser->sandbox, render_sandbox_free);
    g_clear_pointer(&browser->egress, render_egress_free);
    g_hash_table_remove_all(browser->targets);
    render_downloads_end(browser);
    browser->main = NULL;
    browser->up = FALSE;
    browser->opening = FALSE;
    browser->back_id = 0;
    browser->forward_id = 0;
}


static void
render_browser_on_listening(void *data, int fd)
{
    render_browser_t         *browser = data;
    render_egress_policy_t    policy;

    memset(&policy, 0, sizeof(policy));
    policy.rules = &browser->conf.settings->egress;
    browser->egress = render_egress_new(&policy, fd,
                                        &render_browser_egress_events,
                                        browser);
}


static void
render_browser_on_refused(void *data, const char *host, guint port,
    rs_egress_e verdict, const char *why)
{
    (void) data;

    /* the page that was to come from there is told of when it fails */

    g_message("%s:%u refused (%s): it %s", host, port, rs_egress_code(verdict),
              why);
}


static void
render_browser_on_inside(void *data, int fd)
{
    render_browser_t  *browser = data;

    if (browser->events->inside != NULL) {
        browser->events->inside(browser->data, fd);

    } else {
        (void) close(fd);
    }
}


static void
render_browser_on_exited(void *data, int status)
{
    g_warning("the browser ended (status %d)", status);
    render_browser_crashed(data, TRUE);
}


static void
render_browser_on_closed(void *data, const char *why)
{
    g_warning("%s", why);
    render_browser_crashed(data, TRUE);
}


/* all: the browser itself, and not its page alone */

void
render_browser_crashed(render_browser_t *browser, gboolean all)
{
    guint   i;
    gint64  now_us;

    now_us = g_get_monotonic_time();

    if (all) {
        render_browser_halt(browser);
    }

    for (i = RENDER_BROWSER_CRASHES - 1; i > 0; i--) {
        browser->crashes[i] = browser->crashes[i - 1];
    }

    browser->crashes[0] = now_us;

    if (!browser->readied
        || (browser->crashes[RENDER_BROWSER_CRASHES - 1] != 0
            && now_us - browser->crashes[RENDER_BROWSER_CRASHES - 1]
               < RENDER_BROWSER_WITHIN_S * G_USEC_PER_SEC))
    {
        render_browser_halt(browser);
        g_clear_handle_id(&browser->again, g_source_remove);
        browser->events->crashed(browser->data, FALSE);
        return;
    }

    if (browser->again == 0) {
        browser->again = g_idle_add(render_browser_again, browser);
    }

    browser->events->crashed(browser->data, TRUE);
}


static gboolean
render_browser_again(gpointer data)
{
    render_browser_t    *browser = data;
    g_autoptr(GError)    error = NULL;

    browser->again = 0;

    if (browser->sandbox != NULL) {
        render_browser_open(browser, browser->shown);
        return G_SOURCE_REMOVE;
    }

    if (!render_browser_start(browser, &error)) {
        g_critical("the browser does not come back: %s", error->message);
        browser->events->crashed(browser->data, FALSE);
    }

    return G_SOURCE_REMOVE;
}


/* one that does not answer is as good as dead */

static gboolean
render_browser_ping(gpointer data)
{
    gint64             now_us;
    render_browser_t  *browser = data;

    now_us = g_get_monotonic_time();

    if (now_us - browser->heard_us > RENDER_BROWSER_HANGS_S * G_USEC_PER_SEC
        || (!browser->up && now_us - browser->started_us
                            > RENDER_BROWSER_START_S * G_USEC_PER_SEC))
    {
        g_warning("the browser does not answer");
        browser->ping = 0;
        render_browser_crashed(browser, TRUE);
        return G_SOURCE_REMOVE;
    }

    render_cdp_send(browser->cdp, NULL, "Browser.getVersion", NULL,
                    render_browser_on_pong, browser, NULL);

    return G_SOURCE_CONTINUE;
}


static void
render_browser_on_pong(void *data, const json_t *result, const char *error)
{
    render_browser_t  *browser = data;

    (void) result;
    (void) error;

    browser->heard_us = g_get_monotonic_time();
}


/* ---- what the session asks for */

void
render_browser_begin(render_browser_t *browser, const render_rules_t *rules)
{
    browser->rules = rules;
    browser->held = rules->no_submit;
    g_free(browser->shown);
    browser->shown = g_strdup(rules->url);

    render_browser_enforce(browser);
}


void
render_browser_hold(render_browser_t *browser, gboolean forms)
{
    if (browser->held != forms) {
        browser->held = forms;
        render_browser_forms(browser);
    }
}


const render_page_t *
render_browser_page(const render_browser_t *browser)
{
    return &browser->page;
}


/* several changes are one word */

void
render_browser_changed(render_browser_t *browser)
{
    if (browser->tell == 0) {
        browser->tell = g_idle_add(render_browser_tell, browser);
    }
}


static gboolean
render_browser_tell(gpointer data)
{
    render_browser_t  *browser = data;

    browser->tell = 0;
    browser->events->page(browser->data, &browser->page);

    return G_SOURCE_REMOVE;
}


void
render_browser_blocked(render_browser_t *browser, const char *url,
    const char *why)
{
    g_message("a page was not opened: %s", why);
    browser->events->blocked(browser->data, url, why);
}


/* "example.com" is what people type */

void
render_browser_go(render_browser_t *browser, const char *url)
{
    const char        *p;
    g_autofree char   *whole = NULL;

    for (p = url; g_ascii_isalnum(*p) || *p == '+' || *p == '-' || *p == '.';
         p++) { }

    whole = (*p == ':' && !g_ascii_isdigit(p[1])) ? g_strdup(url)
                                  : g_strconcat("https://", url, NULL);

    if (!g_str_has_prefix(whole, "http://")
        && !g_str_has_prefix(whole, "https://"))
    {
        render_browser_blocked(browser, url, "scheme");
        return;
    }

    if (browser->rules == NULL || !render_rules_allow(browser->rules, whole)) {
        render_browser_blocked(browser, url, "policy");
        return;
    }

    render_browser_open(browser, whole);
}


void
render_browser_show(render_browser_t *browser, const char *url)
{
    if (!g_str_has_prefix(url, "http://")
        && !g_str_has_prefix(url, "https://"))
    {
        render_browser_blocked(browser, url, "scheme");
        return;
    }

    render_browser_open(browser, url);
}


int
render_browser_pid(const render_browser_t *browser)
{
    return (browser->sandbox != NULL) ? render_sandbox_pid(browser->sandbox)
                                      : 0;
}
