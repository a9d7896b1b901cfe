
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the order of a rendered session:
 *
 *     hello -> display, browser -> ready -> invite -> the agent's session
 *           -> joined ... ended
 *
 * The session itself is the agent's: picture, input, clipboard, files, chat.
 * What is this process's is the page (render_page.c) and who it is for: the
 * device's key is the pool's, which signs.
 *
 * Whatever ends it ends all of it.  Nothing outlives the process: the browser
 * is in namespaces that die with it, the display is told to, and what was on
 * the disk is in one folder.
 */

#define G_LOG_DOMAIN  "rs-render-host"

#include "render_host.h"
#include "agent.h"
#include "agent_chat.h"
#include "agent_clipboard.h"
#include "agent_files.h"
#include "agent_policy.h"
#include "agent_screen.h"
#include "agent_viewer.h"
#include "render_browser.h"
#include "render_launcher.h"
#include "render_page.h"
#include "render_report.h"
#include "rs_file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


#define RENDER_HOST_NAMES  99           /* of files of one name */


typedef struct {
    render_paged_t             paged;   /* first: agent->service_data */
    const render_host_conf_t  *conf;
    GMainLoop                 *loop;
    render_report_t           *report;
    render_display_t          *display;
    render_browser_t          *browser;
    render_docs_t             *docs;
    render_rules_t            *rules;   /* NULL: not invited yet */
    json_t                    *invite;  /* waits for another display */
    agent_config_t            *config;
    agent_t                    agent;
    gboolean                   made;    /* agent is */
    guint                      width;
    guint                      height;
    guint                      idle;
    guint                      people;
    gboolean                   over;
    gboolean                   stuck;   /* the display went under the agent */
    int                        status;
} render_host_t;


static gboolean render_host_open(render_host_t *host, guint width,
    guint height, GError **error);
static void render_host_close(render_host_t *host);
static void render_host_over(render_host_t *host, int status,
    const char *reason);
static void render_host_on_message(void *data, const char *type,
    json_t *msg);
static void render_host_on_gone(void *data);
static void render_host_invited(render_host_t *host, json_t *msg);
static void render_host_begin(render_host_t *host);
static gboolean render_host_agent(render_host_t *host, GError **error);
static gboolean render_host_device(render_host_t *host,
    agent_device_t **device, agent_key_t **key, GError **error);
static gboolean render_host_session(render_host_t *host, GError **error);
static agent_msg_t *render_host_message(const json_t *line, GError **error);
static void render_host_wait(render_host_t *host);
static gboolean render_host_idle(gpointer data);
static gboolean render_host_signal(gpointer data);

static void render_host_on_lost(void *data);
static void render_host_on_ready(void *data);
static void render_host_on_page(void *data, const render_page_t *page);
static void render_host_on_blocked(void *data, const char *url,
    const char *why);
static void render_host_on_crashed(void *data, gboolean restarting);
static void render_host_on_download(void *data, const char *path,
    const char *name);
static void render_host_on_inside(void *data, int fd);

static gboolean render_host_on_input(void *data, agent_viewer_t *viewer,
    const json_t *input);
static void render_host_on_joined(void *data, const char *session_id);
static void render_host_on_members(void *data, const char *session_id,
    const agent_members_t *members);
static void render_host_on_ended(void *data, const char *session_id,
    const char *why);


static const render_report_events_t  render_host_report_events = {
    render_host_on_message,
    render_host_on_gone
};

static const render_browser_events_t  render_host_browser_events = {
    render_host_on_ready,
    render_host_on_page,
    render_host_on_blocked,
    render_host_on_crashed,
    render_host_on_download,
    render_host_on_inside
};

static const agent_channel_kind_t *const  render_host_kinds[] = {
    &agent_viewer_input_kind,
    &agent_files_kind,
    &agent_chat_kind,
    &agent_clipboard_kind,
    &agent_screen_kind,
    &render_page_kind,
    NULL
};

static const agent_service_t  render_host_service = {
    .name = "rs-render-host",
    .kinds = render_host_kinds,
    .input = render_host_on_input,
    .joined = render_host_on_joined,
    .members = render_host_on_members,
    .ended = render_host_on_ended
};


int
render_host_run(const render_host_conf_t *conf, GError **error)
{
    guint           term, interrupt;
    render_host_t   host;

    memset(&host, 0, sizeof(host));
    host.conf = conf;
    host.loop = g_main_loop_new(NULL, FALSE);
    host.status = RENDER_HOST_FAILED;
    term = g_unix_signal_add(SIGTERM, render_host_signal, &host);
    interrupt = g_unix_signal_add(SIGINT, render_host_signal, &host);

    host.report = render_report_new(conf->socket, &render_host_report_events,
                                    &host, error);

    if (host.report != NULL) {
        render_report_say(host.report,
                          json_pack("{s:s, s:s, s:s, s:i}", "type", "hello",
                                    "id", conf->id, "token", conf->token,
                                    "pid", (int) getpid()));

        if (render_host_open(&host, conf->settings->width,
                             conf->settings->height, error))
        {
            g_main_loop_run(host.loop);

        } else {
            host.status = RENDER_HOST_BROWSER;
        }
    }

    render_host_close(&host);
    g_clear_pointer(&host.report, render_report_free);
    g_clear_pointer(&host.rules, render_rules_free);
    g_clear_pointer(&host.config, agent_config_free);
    json_decref(host.invite);
    g_source_remove(term);
    g_source_remove(interrupt);
    g_main_loop_unref(host.loop);

    return host.status;
}


/* a display of that size, and a browser on it */

static gboolean
render_host_open(render_host_t *host, guint width, guint height,
    GError **error)
{
    render_docs_conf_t          docs;
    render_browser_conf_t       conf;
    g_autofree char            *files = NULL;
    g_autofree char            *missing = NULL;
    const render_settings_t    *settings = host->conf->settings;

    host->width = width;
    host->height = height;
    host->display = render_display_new(settings->display, host->conf->dir,
                                       width, height, render_host_on_lost,
                                       host, error);
    if (host->display == NULL) {
        return FALSE;
    }

    g_setenv("XAUTHORITY", render_display_cookie(host->display), TRUE);
    memset(&conf, 0, sizeof(conf));
    conf.settings = settings;
    conf.display = host->display;
    conf.inside = host->conf->inside;
    conf.dir = host->conf->dir;
    conf.width = width;
    conf.height = height;
    host->browser = render_browser_new(&conf, &render_host_browser_events,
                                       host, error);
    if (host->browser == NULL) {
        return FALSE;
    }

    files = g_build_filename(host->conf->dir, "files", NULL);

    if (g_mkdir_with_parents(files, 0700) != 0) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s: %s", files,
                    g_strerror(errno));
        return FALSE;
    }

    memset(&docs, 0, sizeof(docs));
    docs.folder = files;
    docs.viewer = settings->viewer;
    docs.converter = settings->converter;
    docs.sandbox = settings->sandbox;
    docs.max = (guint64) settings->document_max * 1024 * 1024;
    docs.convert_s = settings->convert_s;
    docs.memory = (guint64) settings->convert_memory * 1024 * 1024;
    missing = settings->documents ? render_docs_missing(&docs) : NULL;

    if (missing != NULL) {
        g_message("no documents: %s", missing);

    } else if (settings->documents) {
        host->docs = render_docs_new(&docs);
    }

    return TRUE;
}


/*
 * Documents first: one that becomes ready is shown in the browser, and the
 * loop runs once more below.  Then the browser: it draws, and nothing is to be
 * drawn any more.
 */

static void
render_host_close(render_host_t *host)
{
    static const char *const  names[] = { "files", "downloads" };

    gsize             i;
    g_autofree char  *policy = NULL;

    g_clear_handle_id(&host->idle, g_source_remove);
    g_clear_pointer(&host->docs, render_docs_free);
    g_clear_pointer(&host->browser, render_browser_free);

    if (host->made && !host->stuck) {
        host->made = FALSE;
        agent_done(&host->agent);
    }

    g_clear_pointer(&host->paged.pages, render_pages_free);
    g_clear_pointer(&host->display, render_display_free);

    for (i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char  *path = NULL;

        path = g_build_filename(host->conf->dir, names[i], NULL);
        render_remove(path);
    }

    policy = g_build_filename(host->conf->dir, "policy.json", NULL);
    (void) g_unlink(policy);

    if (host->stuck) {

        /* capture threads are stuck inside Xlib and cannot be joined */

        fflush(NULL);
        _exit(host->status);
    }
}


/* once; the loop ends with it */

static void
render_host_over(render_host_t *host, int status, const char *reason)
{
    if (host->over) {
        return;
    }

    host->over = TRUE;
    host->status = status;
    g_message("over: %s", reason);
    render_report_say(host->report,
                      json_pack("{s:s, s:s, s:b}", "type", "ended",
                                "reason", reason,
                                "failed", status != RENDER_HOST_DONE));
    g_main_loop_quit(host->loop);
}


/* ---- the pool */

static void
render_host_on_message(void *data, const char *type, json_t *msg)
{
    agent_session_t  *session;
    render_host_t    *host = data;

    if (strcmp(type, "invite") == 0) {
        render_host_invited(host, msg);

    } else if (strcmp(type, "end") == 0) {
        session = host->made
                  ? g_hash_table_lookup(host->agent.sessions,
                                        host->rules->session_id) : NULL;

        if (session != NULL) {
            agent_session_bye(session);

        } else {
            render_host_over(host, RENDER_HOST_DONE, "asked to");
        }
    }
}


static void
render_host_on_gone(void *data)
{
    render_host_over(data, RENDER_HOST_DONE, "the pool is gone");
}


static gboolean
render_host_signal(gpointer data)
{
    render_host_over(data, RENDER_HOST_DONE, "asked to stop");

    return G_SOURCE_CONTINUE;
}


static agent_msg_t *
render_host_message(const json_t *line, GError **error)
{
    g_autofree char  *text = NULL;

    text = json_dumps(json_object_get(line, "invite"), JSON_COMPACT);

    if (text == NULL) {
        g_set_error(error, AGENT_JSON_ERROR, 0, "there is no invite in it");
        return NULL;
    }

    return agent_msg_parse(AGENT_CHANNEL_AGENT, text, strlen(text),
                           g_get_monotonic_time(), error);
}


static void
render_host_invited(render_host_t *host, json_t *msg)
{
    guint                    width, height;
    agent_session_t         *session;
    g_autoptr(GError)        error = NULL;
    g_autoptr(agent_msg_t)   invite = render_host_message(msg, &error);

    if (invite == NULL || invite->type != AGENT_MSG_INVITE) {
        g_warning("an invite that is none%s%s", error ? ": " : "",
                  error ? error->message : "");
        render_host_over(host, RENDER_HOST_FAILED, "bad invite");
        return;
    }

    if (host->rules != NULL) {
        session = host->made
                  ? g_hash_table_lookup(host->agent.sessions,
                                        invite->session_id) : NULL;

        if (session != NULL) {
            agent_session_invited(session, invite->ticket);
        }

        return;
    }

    host->rules = render_rules_new(agent_json_object(invite->json, "session"),
                                   &error);
    if (host->rules == NULL) {
        g_warning("%s", error->message);
        render_host_over(host, RENDER_HOST_FAILED, "bad invite");
        return;
    }

    host->invite = json_incref(msg);
    width = host->rules->width ? host->rules->width
                               : host->conf->settings->width;
    height = host->rules->height ? host->rules->height
                                 : host->conf->settings->height;

    if (width == host->width && height == host->height) {
        render_host_begin(host);
        return;
    }

    /* the one that was warm has another size */

    render_host_close(host);

    if (!render_host_open(host, width, height, &error)) {
        g_warning("%s", error->message);
        render_host_over(host, RENDER_HOST_BROWSER, "browser");
    }
}


/* there are a browser of the right size, and an invite */

static void
render_host_begin(render_host_t *host)
{
    g_autoptr(GError)  error = NULL;

    host->paged.pages = render_pages_new(host->browser, host->docs,
                                host->rules->downloads,
                                host->docs != NULL
                                ? (host->conf->settings->document_max != 0
                                   ? (gint64) 1048576
                                     * host->conf->settings->document_max
                                   : RENDER_DOCS_MAX)
                                : 0);
    render_browser_begin(host->browser, host->rules);

    if (!render_host_agent(host, &error)
        || !render_host_session(host, &error))
    {
        g_critical("%s", error->message);
        render_host_over(host, RENDER_HOST_FAILED, "cannot join");
    }
}


/* ---- the agent's part */

static gboolean
render_host_agent(render_host_t *host, GError **error)
{
    agent_key_t              *key;
    agent_config_t           *config;
    agent_device_t           *device;
    const render_settings_t  *settings = host->conf->settings;

    if (!render_host_device(host, &device, &key, error)) {
        return FALSE;
    }

    config = agent_config_new();
    host->config = config;
    g_free(config->state_dir);
    config->state_dir = g_strdup(host->conf->dir);
    config->display = g_strdup(render_display_name(host->display));
    config->files_dir = g_build_filename(host->conf->dir, "files", NULL);
    config->files_max = settings->files_max;
    config->max_viewers = settings->max_viewers;
    config->max_sessions = 1;
    config->fps = settings->fps;
    config->bitrate = settings->bitrate;
    config->bitrate_min = settings->bitrate_min;
    config->relay_only = settings->relay_only;
    config->consent = AGENT_CONSENT_NONE;
    config->sound = FALSE;
    config->ca_file = g_strdup(agent_json_string(
                                   agent_json_object(host->invite, "server"),
                                   "ca_file", 4096));
    config->proxy = g_strdup(agent_json_string(
                                   agent_json_object(host->invite, "server"),
                                   "proxy", 4096));
    host->made = TRUE;

    return agent_init_as(&host->agent, config, &render_host_service, host,
                         device, key, error)
           && agent_display(&host->agent, error);
}


static gboolean
render_host_device(render_host_t *host, agent_device_t **device,
    agent_key_t **key, GError **error)
{
    const char    *url, *id, *tenant, *public_key;
    const json_t  *said;

    said = agent_json_object(host->invite, "device");
    id = agent_json_string(said, "device_id", 64);
    tenant = agent_json_string(said, "tenant", 64);
    public_key = agent_json_string(said, "public_key", 64);
    url = agent_json_string(agent_json_object(host->invite, "server"), "url",
                            2048);
    *key = (public_key != NULL)
           ? agent_key_foreign(public_key, render_report_sign, host->report)
           : NULL;

    if (id == NULL || tenant == NULL || url == NULL || *key == NULL) {
        g_clear_pointer(key, agent_key_free);
        g_set_error(error, AGENT_JSON_ERROR, 0,
                    "the pool does not say whose session it is");
        return FALSE;
    }

    *device = g_new0(agent_device_t, 1);
    (*device)->server = g_strdup(url);
    (*device)->tenant = g_strdup(tenant);
    (*device)->id = g_strdup(id);

    return TRUE;
}


static gboolean
render_host_session(render_host_t *host, GError **error)
{
    g_autoptr(agent_msg_t)  invite = NULL;

    invite = render_host_message(host->invite, error);

    if (invite == NULL) {
        return FALSE;
    }

    agent_session_start(&host->agent, invite->session_id, invite->ticket,
                        &invite->rights);
    render_host_wait(host);

    return TRUE;
}


static gboolean
render_host_on_input(void *data, agent_viewer_t *viewer, const json_t *input)
{
    render_host_t  *host = data;

    return host->paged.pages != NULL && agent_viewer_controls(viewer)
           && render_pages_input(host->paged.pages, input, NULL);
}


static void
render_host_on_joined(void *data, const char *session_id)
{
    render_host_t  *host = data;

    (void) session_id;

    render_report_say(host->report, json_pack("{s:s}", "type", "joined"));
}


static void
render_host_on_members(void *data, const char *session_id,
    const agent_members_t *members)
{
    render_host_t  *host = data;

    (void) session_id;

    host->people = members->people;
    render_host_wait(host);

    if (host->browser != NULL) {
        render_browser_hold(host->browser,
                            host->rules->no_submit && !members->guest);
    }
}


static void
render_host_on_ended(void *data, const char *session_id, const char *why)
{
    (void) session_id;

    render_host_over(data, RENDER_HOST_DONE, why);
}


/* nobody is left, or has come yet */

static void
render_host_wait(render_host_t *host)
{
    if (host->people != 0) {
        g_clear_handle_id(&host->idle, g_source_remove);

    } else if (host->idle == 0) {
        host->idle = g_timeout_add_seconds(host->conf->settings->idle_s,
                                           render_host_idle, host);
    }
}


static gboolean
render_host_idle(gpointer data)
{
    render_host_t    *host = data;
    agent_session_t  *session;

    host->idle = 0;
    session = g_hash_table_lookup(host->agent.sessions,
                                  host->rules->session_id);
    g_message("nobody is there for %u s", host->conf->settings->idle_s);

    if (session != NULL) {
        agent_session_bye(session);

    } else {
        render_host_over(host, RENDER_HOST_DONE, "nobody is there");
    }

    return G_SOURCE_REMOVE;
}


/* ---- the browser */

static void
render_host_on_lost(void *data)
{
    render_host_t  *host = data;

    host->stuck = host->made;
    render_host_over(host, RENDER_HOST_BROWSER, "display");
}


static void
render_host_on_ready(void *data)
{
    render_host_t  *host = data;

    if (host->invite != NULL) {
        render_host_begin(host);
        return;
    }

    render_report_say(host->report, json_pack("{s:s}", "type", "ready"));
}


static void
render_host_on_page(void *data, const render_page_t *page)
{
    render_host_t  *host = data;

    (void) page;

    if (host->paged.pages != NULL) {
        render_pages_changed(host->paged.pages);
    }
}


static void
render_host_on_blocked(void *data, const char *url, const char *why)
{
    render_host_t  *host = data;

    if (host->paged.pages != NULL) {
        render_pages_blocked(host->paged.pages, url, why);
    }
}


static void
render_host_on_crashed(void *data, gboolean restarting)
{
    render_host_t    *host = data;
    agent_session_t  *session;

    if (host->paged.pages != NULL) {
        render_pages_crashed(host->paged.pages, restarting);
    }

    if (restarting) {
        return;
    }

    session = host->made ? g_hash_table_lookup(host->agent.sessions,
                                               host->rules->session_id)
                         : NULL;

    /* what was said is to arrive before the goodbye does */

    host->status = RENDER_HOST_BROWSER;

    if (session != NULL) {
        agent_session_bye(session);

    } else {
        render_host_over(host, RENDER_HOST_BROWSER, "browser");
    }
}


static void
render_host_on_inside(void *data, int fd)
{
    render_host_t  *host = data;

    if (host->docs != NULL) {
        render_docs_serve(host->docs, fd);

    } else {
        (void) close(fd);
    }
}


/* what the page called it, as a name that a file may have here */

static void
render_host_on_download(void *data, const char *path, const char *name)
{
    gsize              len;
    guint              n;
    struct stat        st;
    rs_str_t           wanted;
    render_host_t     *host = data;
    uint8_t            number[RS_FILE_NAME_MAX + 16];
    g_autofree char   *to = NULL;
    g_autofree char   *got = NULL;

    wanted = rs_str(name);

    if (rs_file_check_name(wanted) != RS_OK) {
        wanted = RS_STR("download");
    }

    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1) {
        (void) g_unlink(path);
        return;
    }

    for (n = 1; n <= RENDER_HOST_NAMES; n++) {
        len = (n == 1) ? 0 : rs_file_numbered(number, wanted, n);
        g_free(got);
        g_free(to);
        got = (n == 1) ? g_strndup((const char *) wanted.data, wanted.len)
                       : g_strndup((const char *) number, len);
        to = g_build_filename(host->conf->dir, "files", got, NULL);

        /* a link, for it does not take the place of another */

        if (link(path, to) == 0) {
            break;
        }
    }

    (void) g_unlink(path);

    if (n <= RENDER_HOST_NAMES && host->paged.pages != NULL) {
        (void) chmod(to, 0600);
        render_pages_downloaded(host->paged.pages, got);
    }
}
