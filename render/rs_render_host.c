
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * rs-render-host: one rendered session, started by rs-render.  Owns the
 * command line.
 */

#define G_LOG_DOMAIN  "rs-render-host"

#include "render_host.h"
#include "render_launcher.h"
#include "agent_log.h"
#include "agent_version.h"

#include <gst/gst.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>


#define RENDER_USAGE     2
#define RENDER_TOKEN     4096           /* bytes of the file */
#define RENDER_MAP       262144
#define RENDER_HEAPS     2


typedef struct {
    char      *config;
    char      *socket;
    char      *id;
    char      *token_file;
    char      *dir;
    gboolean   verbose;
    gboolean   version;
} render_options_t;


static gboolean render_options_parse(render_options_t *options, int *argc,
    char ***argv, GError **error);
static void render_options_clear(render_options_t *options);
static int render_run(const render_options_t *options, GError **error);
static char *render_token(const render_options_t *options, GError **error);
static char *render_inside(void);


int
main(int argc, char **argv)
{
    int                         status;
    render_options_t            options;
    g_autoptr(GError)           error = NULL;
    static const struct rlimit  none = { 0, 0 };

    /* as of rs-agent: what is large is mapped, and given back */

    (void) mallopt(M_MMAP_THRESHOLD, RENDER_MAP);
    (void) mallopt(M_ARENA_MAX, RENDER_HEAPS);

    /* what pages show is in it */

    (void) setrlimit(RLIMIT_CORE, &none);
    (void) signal(SIGPIPE, SIG_IGN);
    (void) umask(077);
    setlocale(LC_ALL, "");
    memset(&options, 0, sizeof(options));

    if (!render_options_parse(&options, &argc, &argv, &error)) {
        fprintf(stderr, "rs-render-host: %s\n", error->message);
        render_options_clear(&options);
        return RENDER_USAGE;
    }

    if (options.version) {
        printf("rs-render-host %s\n", AGENT_VERSION);
        render_options_clear(&options);
        return 0;
    }

    g_set_prgname("rs-render-host");
    agent_log_init(options.verbose);
    status = render_run(&options, &error);

    if (error != NULL) {
        fprintf(stderr, "rs-render-host: %s\n", error->message);
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
        { "socket", 0, 0, G_OPTION_ARG_FILENAME, &options->socket,
          "The pool's socket", "PATH" },
        { "id", 0, 0, G_OPTION_ARG_STRING, &options->id,
          "Which instance this is", "ID" },
        { "token-file", 0, 0, G_OPTION_ARG_FILENAME, &options->token_file,
          "What it shows the pool ($CREDENTIALS_DIRECTORY/token)", "FILE" },
        { "config", 'c', 0, G_OPTION_ARG_FILENAME, &options->config,
          "Configuration file (" RENDER_SETTINGS_FILE ")", "FILE" },
        { "runtime-dir", 0, 0, G_OPTION_ARG_FILENAME, &options->dir,
          "Where its files are ($RUNTIME_DIRECTORY)", "DIR" },
        { "verbose", 'v', 0, G_OPTION_ARG_NONE, &options->verbose,
          "Log details", NULL },
        { "version", 'V', 0, G_OPTION_ARG_NONE, &options->version,
          "Print the version", NULL },
        G_OPTION_ENTRY_NULL
    };

    context = g_option_context_new(NULL);
    g_option_context_set_summary(context,
        "One rendered session; rs-render starts it, see rs-render(8).");
    g_option_context_add_main_entries(context, entries, NULL);

    if (!g_option_context_parse(context, argc, argv, error)) {
        return FALSE;
    }

    if (!options->version && (options->socket == NULL || options->id == NULL
                              || *argc > 1))
    {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                    "--socket and --id are wanted, and nothing else: "
                    "rs-render starts this program");
        return FALSE;
    }

    return TRUE;
}


static void
render_options_clear(render_options_t *options)
{
    g_free(options->config);
    g_free(options->socket);
    g_free(options->id);
    g_free(options->token_file);
    g_free(options->dir);
}


static int
render_run(const render_options_t *options, GError **error)
{
    int                            status;
    const char                    *given;
    render_host_conf_t             conf;
    g_autofree char               *own = NULL;
    g_autofree char               *token = NULL;
    g_autofree char               *inside = NULL;
    g_autoptr(render_settings_t)   settings = render_settings_new();

    if ((options->config != NULL
         || g_file_test(RENDER_SETTINGS_FILE, G_FILE_TEST_EXISTS))
        && !render_settings_read(settings, options->config != NULL
                                           ? options->config
                                           : RENDER_SETTINGS_FILE, error))
    {
        return RENDER_USAGE;
    }

    token = render_token(options, error);

    if (token == NULL) {
        return RENDER_USAGE;
    }

    given = (options->dir != NULL) ? options->dir
                                   : g_getenv("RUNTIME_DIRECTORY");

    if (given == NULL) {
        own = g_dir_make_tmp("rs-render-XXXXXX", error);
        given = own;
    }

    if (given == NULL) {
        return RENDER_HOST_FAILED;
    }

    gst_init(NULL, NULL);
    inside = render_inside();
    conf.settings = settings;
    conf.socket = options->socket;
    conf.id = options->id;
    conf.token = token;
    conf.dir = given;
    conf.inside = inside;
    status = render_host_run(&conf, error);

    if (own != NULL) {
        render_remove(own);
    }

    return status;
}


static char *
render_token(const render_options_t *options, GError **error)
{
    gsize              len;
    const char        *dir;
    char              *token;
    g_autofree char   *path = NULL;

    dir = g_getenv("CREDENTIALS_DIRECTORY");

    if (options->token_file == NULL && dir == NULL) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                    "--token-file is wanted, or a credential \"token\"");
        return NULL;
    }

    path = (options->token_file != NULL) ? g_strdup(options->token_file)
                                         : g_build_filename(dir, "token",
                                                            NULL);

    if (!g_file_get_contents(path, &token, &len, error)) {
        return NULL;
    }

    if (len > RENDER_TOKEN) {
        g_free(token);
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                    "%s: longer than %d bytes", path, RENDER_TOKEN);
        return NULL;
    }

    return g_strstrip(token);
}


/* beside this program, wherever that is */

static char *
render_inside(void)
{
    g_autofree char  *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char  *dir = g_path_get_dirname(self != NULL ? self : ".");

    return g_build_filename(dir, "rs-render-inside", NULL);
}
