
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * rs-render: has browsers for sessions of a gateway.  Owns the command line,
 * and what joins the control channel to the pool.
 */

#define G_LOG_DOMAIN  "rs-render"

#include "agent.h"
#include "agent_enroll.h"
#include "agent_log.h"
#include "agent_owner.h"
#include "agent_version.h"
#include "render_pool.h"
#include "render_pool_conf.h"

#include <glib-unix.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>


#define RENDER_EXIT_USAGE  2
#define RENDER_QUIT_MS     8000     /* until the last instance is gone */
#define RENDER_LIBEXEC     "../libexec/rs-gateway/rs-render-host"


typedef struct {
    char      *config;
    char      *launcher;
    char      *state_dir;
    char      *ca_file;
    char      *name;
    char      *token_file;
    gboolean   verbose;
    gboolean   version;
    char     **words;               /* command and its arguments */
} render_options_t;


typedef struct {
    agent_t                agent;
    render_pool_conf_t    *conf;
    render_pool_t         *pool;
    char                  *public_key;
} render_service_t;


static gboolean render_options_parse(render_options_t *options, int *argc,
    char ***argv, GError **error);
static void render_options_clear(render_options_t *options);
static render_pool_conf_t *render_options_conf(
    const render_options_t *options, GError **error);
static int render_command(const render_options_t *options, GError **error);
static int render_command_enroll(render_pool_conf_t *conf,
    const render_options_t *options, GError **error);
static int render_command_run(render_pool_conf_t *conf,
    const render_options_t *options, GError **error);
static gboolean render_service_open(render_service_t *service,
    const render_options_t *options, GError **error);
static render_launcher_t *render_service_launcher(render_pool_conf_t *conf,
    const render_options_t *options, GError **error);
static char *render_service_program(const render_pool_conf_t *conf,
    GError **error);
static gboolean render_on_signal(gpointer data);

static void render_on_online(void *data, const agent_msg_t *msg);
static void render_on_invite(void *data, const agent_msg_t *msg);
static void render_on_revoke(void *data, const agent_msg_t *msg);
static void render_on_quit(void *data);
static gboolean render_on_busy(void *data);
static void render_on_say(void *data, char *text);
static void render_on_about(void *data, json_t **server, json_t **device);
static char *render_on_sign(void *data, const guint8 *bytes, gsize len,
    GError **error);
static void render_on_empty(void *data);


static const agent_service_t  render_service = {
    .name = "rs-render",
    .quit_ms = RENDER_QUIT_MS,
    .online = render_on_online,
    .invite = render_on_invite,
    .revoke = render_on_revoke,
    .quit = render_on_quit,
    .busy = render_on_busy
};

static const render_pool_events_t  render_pool_events = {
    render_on_say,
    render_on_about,
    render_on_sign,
    render_on_empty
};


int
main(int argc, char **argv)
{
    int                  status;
    render_options_t     options;
    g_autoptr(GError)    error = NULL;

    setlocale(LC_ALL, "");
    g_set_prgname("rs-render");
    (void) signal(SIGPIPE, SIG_IGN);
    memset(&options, 0, sizeof(options));

    if (!render_options_parse(&options, &argc, &argv, &error)) {
        fprintf(stderr, "rs-render: %s\n", error->message);
        render_options_clear(&options);
        return RENDER_EXIT_USAGE;
    }

    if (options.version) {
        printf("rs-render %s\n", AGENT_VERSION);
        render_options_clear(&options);
        return 0;
    }

    agent_log_init(options.verbose);
    status = render_command(&options, &error);

    if (error != NULL) {
        fprintf(stderr, "rs-render: %s\n", error->message);
    }

    render_options_clear(&options);

    return status;
}


static gboolean
render_options_parse(render_options_t *options, int *argc, char ***argv,
    GError **error)
{
    g_autoptr(GOptionContext)  context = NULL;

    const GOptionEntry  entries[] = {
        { "config", 'c', 0, G_OPTION_ARG_FILENAME, &options->config,
          "Configuration file (" RENDER_CONFIG_FILE ")", "FILE" },
        { "launcher", 'l', 0, G_OPTION_ARG_STRING, &options->launcher,
          "How instances are started: systemd or plain", "NAME" },
        { "name", 'n', 0, G_OPTION_ARG_STRING, &options->name,
          "Name to enrol under (host name)", "NAME" },
        { "state-dir", 's', 0, G_OPTION_ARG_FILENAME, &options->state_dir,
          "Where key and identity are kept (" RENDER_STATE_DIR ")", "DIR" },
        { "ca-file", 0, 0, G_OPTION_ARG_FILENAME, &options->ca_file,
          "CAs to trust, PEM (the system's)", "FILE" },
        { "token-file", 't', 0, G_OPTION_ARG_FILENAME, &options->token_file,
          "enroll: the token; \"-\" is standard input", "FILE" },
        { "verbose", 'v', 0, G_OPTION_ARG_NONE, &options->verbose,
          "Log details", NULL },
        { "version", 'V', 0, G_OPTION_ARG_NONE, &options->version,
          "Print the version", NULL },
        { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY,
          &options->words, NULL, NULL },
        G_OPTION_ENTRY_NULL
    };

    context = g_option_context_new("[run | enroll URL]");
    g_option_context_set_summary(context,
        "Has browsers for sessions that several people look at together.");
    g_option_context_set_description(context,
        "enroll takes the token from --token-file, $RS_ENROLLMENT_TOKEN or "
        "standard input.\nSee rs-render(8).");
    g_option_context_add_main_entries(context, entries, NULL);

    return g_option_context_parse(context, argc, argv, error);
}


static void
render_options_clear(render_options_t *options)
{
    g_free(options->config);
    g_free(options->launcher);
    g_free(options->state_dir);
    g_free(options->ca_file);
    g_free(options->name);
    g_free(options->token_file);
    g_strfreev(options->words);
}


static void
render_options_over(char **field, char *value)
{
    if (value != NULL) {
        g_free(*field);
        *field = value;
    }
}


/* what is given on the command line comes before the file */

static render_pool_conf_t *
render_options_conf(const render_options_t *options, GError **error)
{
    const char                     *path;
    g_autoptr(render_pool_conf_t)   conf = NULL;

    conf = render_pool_conf_new();
    path = (options->config != NULL) ? options->config : RENDER_CONFIG_FILE;

    if ((options->config != NULL || g_file_test(path, G_FILE_TEST_EXISTS))
        && !render_pool_conf_read(conf, path, error))
    {
        return NULL;
    }

    if (options->launcher != NULL
        && !render_pool_conf_launcher(conf, options->launcher, error))
    {
        return NULL;
    }

    render_options_over(&conf->agent->name, g_strdup(options->name));

    if (options->state_dir != NULL) {
        render_options_over(&conf->agent->state_dir,
                            agent_config_absolute(options->state_dir));
    }

    if (options->ca_file != NULL) {
        render_options_over(&conf->agent->ca_file,
                            agent_config_absolute(options->ca_file));
    }

    return g_steal_pointer(&conf);
}


static int
render_command(const render_options_t *options, GError **error)
{
    guint                           n;
    const char                     *command;
    g_autoptr(render_pool_conf_t)   conf = NULL;

    conf = render_options_conf(options, error);

    if (conf == NULL) {
        return RENDER_EXIT_USAGE;
    }

    n = (options->words != NULL) ? g_strv_length(options->words) : 0;
    command = (n > 0) ? options->words[0] : "run";

    if (strcmp(command, "run") == 0 && n <= 1) {
        return render_command_run(conf, options, error);
    }

    if ((strcmp(command, "enroll") == 0 || strcmp(command, "enrol") == 0)
        && n <= 2)
    {
        return render_command_enroll(conf, options, error);
    }

    g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                "\"%s\" with %u arguments is no command: run or enroll URL "
                "is wanted (--help)", command, n ? n - 1 : 0);

    return RENDER_EXIT_USAGE;
}


/* what is written is the service's: by root, too */

static int
render_command_enroll(render_pool_conf_t *conf,
    const render_options_t *options, GError **error)
{
    const char                  *url;
    g_autofree char             *token = NULL;
    g_autoptr(GTlsDatabase)      tls = NULL;
    g_autoptr(GProxyResolver)    proxy = NULL;
    g_autoptr(SoupSession)       soup = NULL;
    g_autoptr(agent_device_t)    device = NULL;

    url = (options->words[1] != NULL) ? options->words[1]
                                      : conf->agent->server;

    if (url == NULL) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "enroll wants the gateway's URL: "
                    "rs-render enroll https://host/rs/v1");
        return RENDER_EXIT_USAGE;
    }

    token = agent_enroll_token(options->token_file, error);
    if (token == NULL) {
        return 1;
    }

    soup = agent_soup(conf->agent, &tls, &proxy, error);

    if (soup == NULL || !agent_owner_become(conf->agent->state_dir, error)) {
        return 1;
    }

    device = agent_enroll(conf->agent, soup, url, token, error);
    if (device == NULL) {
        return 1;
    }

    printf("enrolled as %s at %s\n", device->id, device->server);

    return 0;
}


static int
render_command_run(render_pool_conf_t *conf, const render_options_t *options,
    GError **error)
{
    int               status;
    guint             int_id, term_id;
    render_service_t  service;

    memset(&service, 0, sizeof(service));
    service.conf = conf;

    if (!render_service_open(&service, options, error)) {
        g_clear_pointer(&service.pool, render_pool_free);
        agent_done(&service.agent);
        g_free(service.public_key);
        return 1;
    }

    int_id = g_unix_signal_add(SIGINT, render_on_signal, &service);
    term_id = g_unix_signal_add(SIGTERM, render_on_signal, &service);

    service.agent.signal = agent_signal_new(&service.agent);
    g_main_loop_run(service.agent.loop);

    status = service.agent.status;

    g_source_remove(int_id);
    g_source_remove(term_id);
    g_clear_pointer(&service.pool, render_pool_free);
    agent_done(&service.agent);
    g_free(service.public_key);

    return status;
}


static gboolean
render_service_open(render_service_t *service,
    const render_options_t *options, GError **error)
{
    render_launcher_t   *launcher;
    render_pool_conf_t  *conf = service->conf;

    if (!agent_init(&service->agent, conf->agent, &render_service, service,
                    error))
    {
        return FALSE;
    }

    service->public_key = agent_key_public(service->agent.key);

    launcher = render_service_launcher(conf, options, error);
    if (launcher == NULL) {
        return FALSE;
    }

    service->pool = render_pool_new(&conf->limits, conf->runtime_dir,
                                    service->agent.device->id, launcher,
                                    &render_pool_events, service, error);
    if (service->pool == NULL) {
        return FALSE;
    }

    g_message("%u instances at most, %u of them warm, %u may wait; by %s",
              conf->limits.max, conf->limits.warm, conf->limits.queue,
              conf->launcher);

    return TRUE;
}


static render_launcher_t *
render_service_launcher(render_pool_conf_t *conf,
    const render_options_t *options, GError **error)
{
    render_plain_conf_t   plain;
    g_autofree char      *config = NULL;
    g_autofree char      *program = NULL;

    if (strcmp(conf->launcher, "systemd") == 0) {
        return render_systemd_new(error);
    }

    program = render_service_program(conf, error);
    if (program == NULL) {
        return NULL;
    }

    if (options->config != NULL) {
        config = agent_config_absolute(options->config);
    }

    plain.runtime_dir = conf->runtime_dir;
    plain.program = program;
    plain.config = config;
    plain.verbose = options->verbose;

    return render_plain_new(&plain);
}


/* beside this program, or where it is installed */

static char *
render_service_program(const render_pool_conf_t *conf, GError **error)
{
    guint              i;
    g_autofree char   *self = NULL;
    g_autofree char   *dir = NULL;

    static const char *const  places[] = { "rs-render-host", RENDER_LIBEXEC };

    if (conf->program != NULL) {
        return g_strdup(conf->program);
    }

    self = g_file_read_link("/proc/self/exe", error);
    if (self == NULL) {
        return NULL;
    }

    dir = g_path_get_dirname(self);

    for (i = 0; i < G_N_ELEMENTS(places); i++) {
        g_autofree char  *path = g_canonicalize_filename(places[i], dir);

        if (g_file_test(path, G_FILE_TEST_IS_EXECUTABLE)) {
            return g_steal_pointer(&path);
        }
    }

    g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                "no rs-render-host beside %s, nor in libexec: set \"program\" "
                "in [pool]", self);

    return NULL;
}


static gboolean
render_on_signal(gpointer data)
{
    render_service_t  *service = data;

    g_message("asked to stop");
    agent_quit(&service->agent, 0);

    return G_SOURCE_CONTINUE;
}


/* ---- the control channel's */

static void
render_on_online(void *data, const agent_msg_t *msg)
{
    render_service_t  *service = data;

    (void) msg;
    render_pool_online(service->pool);
}


static void
render_on_invite(void *data, const agent_msg_t *msg)
{
    render_service_t  *service = data;

    render_pool_invite(service->pool, msg);
}


static void
render_on_revoke(void *data, const agent_msg_t *msg)
{
    render_service_t  *service = data;

    render_pool_revoke(service->pool, msg->session_id);
}


static void
render_on_quit(void *data)
{
    render_service_t  *service = data;

    render_pool_quit(service->pool);
}


static gboolean
render_on_busy(void *data)
{
    render_service_t  *service = data;

    return service->pool != NULL && render_pool_busy(service->pool);
}


/* ---- the pool's */

/* while there is no channel nothing is lost: online() says it all again */

static void
render_on_say(void *data, char *text)
{
    render_service_t  *service = data;

    if (service->agent.signal != NULL) {
        (void) agent_signal_say(service->agent.signal, text);

    } else {
        g_free(text);
    }
}


static void
render_on_about(void *data, json_t **server, json_t **device)
{
    render_service_t  *service = data;
    agent_t           *agent = &service->agent;

    *server = json_pack("{s:s, s:s*, s:s*}",
                        "url", agent->servers[agent->server],
                        "ca_file", agent->config->ca_file,
                        "proxy", agent->config->proxy);
    *device = json_pack("{s:s, s:s, s:s}",
                        "device_id", agent->device->id,
                        "tenant", agent->device->tenant,
                        "public_key", service->public_key);
}


static char *
render_on_sign(void *data, const guint8 *bytes, gsize len, GError **error)
{
    render_service_t  *service = data;

    return agent_key_sign(service->agent.key, bytes, len, error);
}


static void
render_on_empty(void *data)
{
    render_service_t  *service = data;

    agent_quit_check(&service->agent);
}
