
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * rs-agent: shares this machine's desktop through a gateway.  Owns the
 * command line.
 */

#define G_LOG_DOMAIN  "rs-main"

#include "agent.h"
#include "agent_check.h"
#include "agent_desktop.h"
#include "agent_enroll.h"
#include "agent_identity.h"
#include "agent_log.h"
#include "agent_owner.h"
#include "agent_rotate.h"
#include "agent_version.h"
#include "agent_video.h"
#include "agent_webrtc.h"

#include <glib-unix.h>
#include <gst/gst.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>


#define AGENT_EXIT_USAGE  2

#define AGENT_MAP_BYTES   262144
#define AGENT_HEAPS       2


typedef struct {
    char      *config;
    char      *name;
    char      *state_dir;
    char      *ca_file;
    char      *display;
    char      *token_file;
    gboolean   verbose;
    gboolean   version;
    gboolean   fingerprint;
    gboolean   rotate_key;
    gboolean   check;
    char      *adopt;
    char     **words;               /* command and its arguments */
} agent_options_t;


static void agent_memory(void);
static gboolean agent_options_parse(agent_options_t *options, int *argc,
    char ***argv, GError **error);
static void agent_options_clear(agent_options_t *options);
static agent_config_t *agent_options_config(const agent_options_t *options,
    GError **error);
static int agent_command(const agent_options_t *options, GError **error);
static int agent_command_enroll(agent_config_t *config,
    const agent_options_t *options, GError **error);
static int agent_command_check(agent_config_t *config, GError **error);
static int agent_command_adopt(agent_config_t *config,
    const agent_options_t *options, GError **error);
static int agent_command_join(agent_config_t *config, const char *url,
    const char *token, const char *what, GError **error);
static int agent_command_network(const agent_config_t *config,
    const agent_options_t *options, GError **error);
static int agent_command_run(agent_config_t *config, GError **error);
static int agent_command_rotate(const agent_config_t *config,
    GError **error);
static int agent_command_fingerprint(const agent_config_t *config,
    GError **error);

static gboolean agent_on_signal(gpointer data);


/*
 * Every session brings threads and an encoder's tens of megabytes.  glibc
 * learns from the first of them to take such sizes from the heap of whichever
 * thread asks, which never shrinks: 25 sessions in a row were 400 MB, for one
 * picture.  So what is large is mapped, always, and threads share two heaps.
 */

static void
agent_memory(void)
{
#ifdef __GLIBC__
    (void) mallopt(M_MMAP_THRESHOLD, AGENT_MAP_BYTES);
    (void) mallopt(M_ARENA_MAX, AGENT_HEAPS);
#endif
}


int
main(int argc, char **argv)
{
    int                  status;
    agent_options_t      options;
    g_autoptr(GError)    error = NULL;

    agent_memory();
    setlocale(LC_ALL, "");
    memset(&options, 0, sizeof(options));

    if (!agent_options_parse(&options, &argc, &argv, &error)) {
        fprintf(stderr, "rs-agent: %s\n", error->message);
        agent_options_clear(&options);
        return AGENT_EXIT_USAGE;
    }

    if (options.version) {
        printf("rs-agent %s\n", AGENT_VERSION);
        agent_options_clear(&options);
        return 0;
    }

    agent_log_init(options.verbose);

    status = agent_command(&options, &error);

    if (error != NULL) {
        fprintf(stderr, "rs-agent: %s\n", error->message);
    }

    agent_options_clear(&options);

    return status;
}


static gboolean
agent_options_parse(agent_options_t *options, int *argc, char ***argv,
    GError **error)
{
    g_autoptr(GOptionContext)  context = NULL;

    const GOptionEntry  entries[] = {
        { "config", 'c', 0, G_OPTION_ARG_FILENAME, &options->config,
          "Configuration file (" AGENT_CONFIG_FILE ")", "FILE" },
        { "name", 'n', 0, G_OPTION_ARG_STRING, &options->name,
          "Name to enrol under (host name)", "NAME" },
        { "state-dir", 's', 0, G_OPTION_ARG_FILENAME, &options->state_dir,
          "Where key and identity are kept (" AGENT_STATE_DIR ")", "DIR" },
        { "ca-file", 0, 0, G_OPTION_ARG_FILENAME, &options->ca_file,
          "CAs to trust, PEM (the system's)", "FILE" },
        { "display", 0, 0, G_OPTION_ARG_STRING, &options->display,
          "X display to share ($DISPLAY)", "DISPLAY" },
        { "token-file", 't', 0, G_OPTION_ARG_FILENAME, &options->token_file,
          "enroll: the token; \"-\" is standard input", "FILE" },
        { "verbose", 'v', 0, G_OPTION_ARG_NONE, &options->verbose,
          "Log details", NULL },
        { "fingerprint", 0, 0, G_OPTION_ARG_NONE, &options->fingerprint,
          "Print the short fingerprint of this device's key", NULL },
        { "rotate-key", 0, 0, G_OPTION_ARG_NONE, &options->rotate_key,
          "Make this device's next key, which its agent changes to", NULL },
        { "adopt", 0, 0, G_OPTION_ARG_STRING, &options->adopt,
          "Make this machine a device by a code; \"-\" is standard input",
          "CODE" },
        { "check", 0, 0, G_OPTION_ARG_NONE, &options->check,
          "Say what this network lets through to the gateway", NULL },
        { "version", 'V', 0, G_OPTION_ARG_NONE, &options->version,
          "Print the version", NULL },
        { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY,
          &options->words, NULL, NULL },
        G_OPTION_ENTRY_NULL
    };

    context = g_option_context_new("[run | check | enroll URL | URL]");
    g_option_context_set_summary(context,
        "Shares this machine's desktop through a remote-support gateway.");
    g_option_context_set_description(context,
        "enroll takes the token from --token-file, $RS_ENROLLMENT_TOKEN or "
        "standard input.\nSee rs-agent(1).");
    g_option_context_add_main_entries(context, entries, NULL);

    return g_option_context_parse(context, argc, argv, error);
}


static void
agent_options_clear(agent_options_t *options)
{
    g_free(options->config);
    g_free(options->name);
    g_free(options->state_dir);
    g_free(options->ca_file);
    g_free(options->display);
    g_free(options->token_file);
    g_free(options->adopt);
    g_strfreev(options->words);
}


static void
agent_options_over(char **field, char *value)
{
    if (value != NULL) {
        g_free(*field);
        *field = value;
    }
}


/* what is given on the command line comes before the file */

static agent_config_t *
agent_options_config(const agent_options_t *options, GError **error)
{
    const char                  *path;
    g_autoptr(agent_config_t)    config = NULL;

    config = agent_config_new();
    path = (options->config != NULL) ? options->config : AGENT_CONFIG_FILE;

    if ((options->config != NULL || g_file_test(path, G_FILE_TEST_EXISTS))
        && !agent_config_read(config, path, error))
    {
        return NULL;
    }

    agent_options_over(&config->name, g_strdup(options->name));
    agent_options_over(&config->display, g_strdup(options->display));

    if (options->state_dir != NULL) {
        agent_options_over(&config->state_dir,
                           agent_config_absolute(options->state_dir));
    }

    if (options->ca_file != NULL) {
        agent_options_over(&config->ca_file,
                           agent_config_absolute(options->ca_file));
    }

    return g_steal_pointer(&config);
}


static int
agent_command(const agent_options_t *options, GError **error)
{
    guint                        n;
    const char                  *command;
    g_autoptr(agent_config_t)    config = NULL;

    config = agent_options_config(options, error);

    if (config == NULL) {
        return AGENT_EXIT_USAGE;
    }

    n = (options->words != NULL) ? g_strv_length(options->words) : 0;
    command = (n > 0) ? options->words[0] : "run";

    if (options->rotate_key && n == 0) {
        return agent_command_rotate(config, error);
    }

    if (options->adopt != NULL && n <= 1) {
        return agent_command_adopt(config, options, error);
    }

    if (options->check && n <= 1) {
        return agent_command_network(config, options, error);
    }

    if (options->fingerprint && n == 0) {
        return agent_command_fingerprint(config, error);
    }

    if (strcmp(command, "run") == 0 && n <= 1) {
        return agent_command_run(config, error);
    }

    if (strcmp(command, "check") == 0 && n == 1) {
        return agent_command_check(config, error);
    }

    if ((strcmp(command, "enroll") == 0 || strcmp(command, "enrol") == 0)
        && n <= 2)
    {
        return agent_command_enroll(config, options, error);
    }

    g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                "\"%s\" with %u arguments is no command: run, check or "
                "enroll URL is wanted (--help)", command, n ? n - 1 : 0);

    return AGENT_EXIT_USAGE;
}


static int
agent_command_enroll(agent_config_t *config, const agent_options_t *options,
    GError **error)
{
    const char        *url;
    g_autofree char   *token = NULL;

    url = (options->words[1] != NULL) ? options->words[1] : config->server;

    if (url == NULL) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "enroll wants the gateway's URL: "
                    "rs-agent enroll https://host/rs/v1");
        return AGENT_EXIT_USAGE;
    }

    token = agent_enroll_token(options->token_file, error);

    return (token != NULL)
           ? agent_command_join(config, url, token, "enrolled", error) : 1;
}


/* a code is good once and for minutes, so it may be an argument */

static int
agent_command_adopt(agent_config_t *config, const agent_options_t *options,
    GError **error)
{
    const char        *url;
    g_autofree char   *code = NULL;

    url = (options->words != NULL && options->words[0] != NULL)
          ? options->words[0] : config->server;

    if (url == NULL) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "--adopt wants the gateway's URL, here or as \"server\" in "
                    "agent.conf: rs-agent --adopt ABCDE-FGHJK "
                    "https://host/rs/v1");
        return AGENT_EXIT_USAGE;
    }

    code = (strcmp(options->adopt, "-") == 0)
           ? agent_enroll_token("-", error) : g_strdup(options->adopt);

    return (code != NULL)
           ? agent_command_join(config, url, code, "adopted", error) : 1;
}


/* what is written is the service's: by root, too */

static int
agent_command_join(agent_config_t *config, const char *url,
    const char *token, const char *what, GError **error)
{
    g_autoptr(GTlsDatabase)      tls = NULL;
    g_autoptr(GProxyResolver)    proxy = NULL;
    g_autoptr(SoupSession)       soup = NULL;
    g_autoptr(agent_device_t)    device = NULL;

    soup = agent_soup(config, &tls, &proxy, error);

    if (soup == NULL || !agent_owner_become(config->state_dir, error)) {
        return 1;
    }

    device = agent_enroll(config, soup, url, token, error);
    if (device == NULL) {
        return 1;
    }

    printf("%s as %s at %s\n", what, device->id, device->server);

    return 0;
}


/* of the server that is named, configured or enrolled at, in this order */

static int
agent_command_network(const agent_config_t *config,
    const agent_options_t *options, GError **error)
{
    g_autofree char             *url = NULL;
    g_autoptr(GTlsDatabase)      tls = NULL;
    g_autoptr(GProxyResolver)    proxy = NULL;
    g_autoptr(SoupSession)       soup = NULL;
    g_autoptr(agent_device_t)    device = NULL;

    if (options->words != NULL && options->words[0] != NULL) {
        url = agent_config_url(options->words[0], NULL, error);

        if (url == NULL) {
            return AGENT_EXIT_USAGE;
        }

    } else if (config->server != NULL) {
        url = g_strdup(config->server);

    } else {
        device = agent_device_load(config->state_dir, NULL);

        if (device == NULL) {
            g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                        "--check wants the gateway's URL: "
                        "rs-agent --check https://host/rs/v1");
            return AGENT_EXIT_USAGE;
        }

        url = g_strdup(device->server);
    }

    soup = agent_soup(config, &tls, &proxy, error);
    if (soup == NULL) {
        return 1;
    }

    return agent_check(soup, tls, proxy, url);
}


/* the same text as the console shows of the key it has pinned */

static int
agent_command_fingerprint(const agent_config_t *config, GError **error)
{
    g_autofree char           *text = NULL;
    g_autoptr(agent_key_t)     key = NULL;

    key = agent_key_load(config->state_dir, error);
    if (key == NULL) {
        return 1;
    }

    text = agent_key_short(key);
    printf("%s\n", text);

    return 0;
}


/* an agent that runs sees the file; another one will when it is started */

static int
agent_command_rotate(const agent_config_t *config, GError **error)
{
    g_autofree char           *text = NULL;
    g_autoptr(agent_device_t)  device = NULL;

    device = agent_device_load(config->state_dir, error);
    if (device == NULL) {
        return 1;
    }

    if (!agent_owner_become(config->state_dir, error)) {
        return 1;
    }

    text = agent_rotate_make(config->state_dir, error);
    if (text == NULL) {
        return 1;
    }

    printf("the next key is %s: the agent changes to it when its channel "
           "stands\n", text);

    return 0;
}


static int
agent_command_check(agent_config_t *config, GError **error)
{
    int                width, height;
    agent_t            agent;
    g_autofree char   *identity = NULL;

    memset(&agent, 0, sizeof(agent));
    gst_init(NULL, NULL);

    if (!agent_init(&agent, config, &agent_desktop, &agent, error)) {
        agent_done(&agent);
        return 1;
    }

    identity = agent_identity_short(agent_identity_pinned(config,
                                                          agent.device));

    printf("device %s, tenant %s, server %s\n", agent.device->id,
           agent.device->tenant,
           config->server ? config->server : agent.device->server);
    printf("gateway's identity %s\n", identity);

    if (!agent_display(&agent, error)) {
        agent_done(&agent);
        return 1;
    }

    agent_platform_size(agent.platform, &width, &height);
    printf("display %s %dx%d\n", agent.platform->ops->name, width, height);
    printf("codecs%s%s\n",
           (agent_video_codecs() & AGENT_CODEC_VP8) ? " vp8" : "",
           (agent_video_codecs() & AGENT_CODEC_H264) ? " h264" : "");

    agent_done(&agent);

    return 0;
}


static int
agent_command_run(agent_config_t *config, GError **error)
{
    int      status;
    guint    int_id, term_id;
    agent_t  agent;

    memset(&agent, 0, sizeof(agent));
    gst_init(NULL, NULL);

    if (!agent_init(&agent, config, &agent_desktop, &agent, error)) {
        agent_done(&agent);
        return 1;
    }

    agent_webrtc_warm();

    int_id = g_unix_signal_add(SIGINT, agent_on_signal, &agent);
    term_id = g_unix_signal_add(SIGTERM, agent_on_signal, &agent);

    agent.signal = agent_signal_new(&agent);
    g_main_loop_run(agent.loop);

    status = agent.status;

    if (status == AGENT_EXIT_DISPLAY) {

        /* capture threads are stuck inside Xlib and cannot be joined */

        fflush(NULL);
        _exit(status);
    }

    g_source_remove(int_id);
    g_source_remove(term_id);
    agent_done(&agent);

    return status;
}


static gboolean
agent_on_signal(gpointer data)
{
    g_message("asked to stop");
    agent_quit(data, 0);

    return G_SOURCE_CONTINUE;
}
