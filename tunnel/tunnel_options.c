
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the options.  Those of ssh and of RDP clients begin with "-" or "/",
 * too: what follows the device's name is theirs, so that options of this
 * program stand before it.  tcp and udp take them anywhere.
 */

#include "tunnel_options.h"
#include "tunnel_addr.h"
#include "tunnel_error.h"

#include <string.h>


typedef struct {
    const char        *name;
    tunnel_command_e   command;
    gboolean           program;     /* has arguments of another one's */
} tunnel_word_t;


static const tunnel_word_t  tunnel_words[] = {
    { "tcp", TUNNEL_TCP, FALSE },
    { "udp", TUNNEL_UDP, FALSE },
    { "ssh", TUNNEL_SSH, TRUE },
    { "rdp", TUNNEL_RDP, TRUE },
    { "run", TUNNEL_RUN, FALSE }
};


static gboolean tunnel_options_read(tunnel_options_t *options, char **direct,
    char **target, gboolean *version, gboolean strict, char ***words,
    GError **error);
static gboolean tunnel_options_direct(tunnel_options_t *options,
    const char *direct, char **words, GError **error);
static gboolean tunnel_options_port(tunnel_options_t *options,
    const tunnel_word_t *word, char **words, GError **error);
static gboolean tunnel_options_program(tunnel_options_t *options,
    const tunnel_word_t *word, const char *target, char **words,
    GError **error);
static gboolean tunnel_options_run(tunnel_options_t *options, char **words,
    GError **error);
static gboolean tunnel_options_usage(GError **error, const char *text);


static gboolean
tunnel_options_usage(GError **error, const char *text)
{
    g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                "%s (rs-tunnel --help)", text);

    return FALSE;
}


/* takes the options out of words, which begin with the program's name */

static gboolean
tunnel_options_read(tunnel_options_t *o, char **direct, char **target,
    gboolean *version, gboolean strict, char ***words, GError **error)
{
    g_autoptr(GError)          why = NULL;
    g_autoptr(GOptionContext)  context = NULL;

    const GOptionEntry  entries[] = {
        { "server", 's', 0, G_OPTION_ARG_STRING, &o->server,
          "The gateway: https://HOST[:PORT]/BASE", "URL" },
        { "key-file", 'k', 0, G_OPTION_ARG_FILENAME, &o->key_file,
          "First line: the API key", "FILE" },
        { "config", 'c', 0, G_OPTION_ARG_FILENAME, &o->config,
          "Configuration (in the place of the usual files)", "FILE" },
        { "local", 'l', 0, G_OPTION_ARG_STRING, &o->local,
          "Where to listen ([ADDRESS:]PORT; any free port of this host's "
          "own)", "LOCAL" },
        { "gateway-port", 0, 0, G_OPTION_ARG_NONE, &o->gateway_port,
          "tcp, udp: open no port here, but one at the gateway, for this "
          "address", NULL },
        { "direct", 'W', 0, G_OPTION_ARG_STRING, direct,
          "Standard input and output are the connection: -W TARGET DEVICE",
          "TARGET" },
        { "target", 't', 0, G_OPTION_ARG_STRING, target,
          "ssh, rdp: where to, as the device sees it (22, 3389)", "TARGET" },
        { "label", 0, 0, G_OPTION_ARG_STRING, &o->label,
          "What for; the person at the device and the audit see it", "TEXT" },
        { "idle", 0, 0, G_OPTION_ARG_STRING, &o->idle_s,
          "End connections on which nothing moves for so long", "SECONDS" },
        { "ttl", 0, 0, G_OPTION_ARG_STRING, &o->ttl_s,
          "End the tunnel after so long", "SECONDS" },
        { "tenant", 0, 0, G_OPTION_ARG_STRING, &o->tenant,
          "Of a credential that is good for several", "NAME" },
        { "ca-file", 0, 0, G_OPTION_ARG_FILENAME, &o->ca_file,
          "CAs to trust, PEM (the system's)", "FILE" },
        { "secret", 0, 0, G_OPTION_ARG_STRING_ARRAY, &o->secrets,
          "run: a parameter that is shown nowhere, the first line of FILE "
          "(-: standard input)", "P=FILE" },
        { "verbose", 'v', 0, G_OPTION_ARG_NONE, &o->verbose,
          "Say more", NULL },
        { "quiet", 'q', 0, G_OPTION_ARG_NONE, &o->quiet,
          "Say only what is wrong", NULL },
        { "version", 'V', 0, G_OPTION_ARG_NONE, version,
          "Print the version", NULL },
        G_OPTION_ENTRY_NULL
    };

    context = g_option_context_new("COMMAND ...");
    g_option_context_set_summary(context,
        "Connections to a device, or to what it reaches, through a "
        "remote-support\ngateway.\n\n"
        "Commands:\n"
        "  tcp DEVICE TARGET         a local port for TCP\n"
        "  udp DEVICE TARGET         a local port for UDP\n"
        "  ssh [USER@]DEVICE [ARGS]  ssh, with its arguments\n"
        "  rdp DEVICE [ARGS]         an RDP client, with its arguments\n"
        "  run DEVICE NAME [P=V...]  a command of the device, with "
        "parameters\n"
        "  -W TARGET DEVICE          for ProxyCommand of ssh\n\n"
        "DEVICE is an id (dev_...) or a name.  TARGET is HOST:PORT, or a "
        "port of the\ndevice itself; [tunnels] of its agent.conf says which "
        "are allowed.");
    g_option_context_set_description(context,
        "The API key comes from --key-file, $RS_TUNNEL_KEY, key_file of "
        "rs-tunnel.conf,\nor a question at the terminal.  See rs-tunnel(1).");
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_strict_posix(context, strict);

    if (!g_option_context_parse_strv(context, words, &why)) {
        return tunnel_options_usage(error, why->message);
    }

    return TRUE;
}


static gboolean
tunnel_options_direct(tunnel_options_t *options, const char *direct,
    char **words, GError **error)
{
    options->command = TUNNEL_STDIO;

    if (options->gateway_port) {
        return tunnel_options_usage(error, "--gateway-port is of tcp and "
                                    "udp, not of -W");
    }

    if (g_strv_length(words) != 2) {
        return tunnel_options_usage(error, "-W TARGET wants one device "
                                    "behind it");
    }

    options->device = g_strdup(words[1]);
    options->target = tunnel_addr_target(direct, error);

    return options->target != NULL;
}


/* words: the program, DEVICE, TARGET */

static gboolean
tunnel_options_port(tunnel_options_t *options, const tunnel_word_t *word,
    char **words, GError **error)
{
    g_autofree char  *text = NULL;

    if (g_strv_length(words) != 3) {
        text = g_strdup_printf("%s wants a device and a target: rs-tunnel %s "
                               "DEVICE HOST:PORT", word->name, word->name);
        return tunnel_options_usage(error, text);
    }

    if (options->gateway_port && options->local != NULL) {
        return tunnel_options_usage(error, "--local and --gateway-port do not "
                                    "go together");
    }

    options->device = g_strdup(words[1]);
    options->target = tunnel_addr_target(words[2], error);

    return options->target != NULL;
}


static gboolean
tunnel_options_program(tunnel_options_t *options, const tunnel_word_t *word,
    const char *target, char **words, GError **error)
{
    const char        *at;
    g_autofree char   *text = NULL;

    if (g_strv_length(words) < 2) {
        text = g_strdup_printf("%s wants a device: rs-tunnel %s DEVICE",
                               word->name, word->name);
        return tunnel_options_usage(error, text);
    }

    if (options->gateway_port) {
        text = g_strdup_printf("--gateway-port is of tcp and udp, not of %s",
                               word->name);
        return tunnel_options_usage(error, text);
    }

    at = (word->command == TUNNEL_SSH) ? strrchr(words[1], '@') : NULL;

    if (at != NULL) {
        options->user = g_strndup(words[1], (gsize) (at - words[1]));
        options->device = g_strdup(at + 1);

    } else {
        options->device = g_strdup(words[1]);
    }

    options->args = g_strdupv(words + 2);

    if (target == NULL) {
        target = (word->command == TUNNEL_SSH) ? "22" : "3389";
    }

    options->target = tunnel_addr_target(target, error);

    return options->target != NULL;
}


/* words: the program, DEVICE, NAME, P=V... */

static gboolean
tunnel_options_run(tunnel_options_t *options, char **words, GError **error)
{
    if (g_strv_length(words) < 3) {
        return tunnel_options_usage(error, "run wants a device and a command: "
                                    "rs-tunnel run DEVICE NAME [P=V...]");
    }

    if (options->gateway_port) {
        return tunnel_options_usage(error, "--gateway-port is of tcp and udp, "
                                    "not of run");
    }

    options->device = g_strdup(words[1]);
    options->args = g_strdupv(words + 2);

    return TRUE;
}


gboolean
tunnel_options_parse(tunnel_options_t *options, int argc, char **argv,
    GError **error)
{
    gsize                  i;
    gboolean               version;
    g_auto(GStrv)          words = NULL;
    g_autofree char       *direct = NULL;
    g_autofree char       *target = NULL;
    g_autofree char       *text = NULL;
    g_autoptr(GStrvBuilder)  builder = g_strv_builder_new();
    const tunnel_word_t   *word;

    for (i = 0; i < (gsize) argc; i++) {
        g_strv_builder_add(builder, argv[i]);
    }

    words = g_strv_builder_end(builder);
    version = FALSE;

    if (!tunnel_options_read(options, &direct, &target, &version, TRUE,
                             &words, error))
    {
        return FALSE;
    }

    if (version) {
        options->command = TUNNEL_VERSION_ONLY;
        return TRUE;
    }

    if (direct != NULL) {
        return tunnel_options_direct(options, direct, words, error);
    }

    if (words[1] == NULL) {
        return tunnel_options_usage(error, "a command is wanted: tcp, udp, "
                                    "ssh, rdp, run or -W");
    }

    for (i = 0; i < G_N_ELEMENTS(tunnel_words); i++) {
        word = &tunnel_words[i];

        if (strcmp(words[1], word->name) != 0) {
            continue;
        }

        options->command = word->command;

        /* the command's name stands for the program's */

        g_free(words[0]);
        memmove(&words[0], &words[1],
                g_strv_length(words + 1) * sizeof(char *)
                + sizeof(char *));

        if (!tunnel_options_read(options, &direct, &target, &version,
                                 word->program, &words, error))
        {
            return FALSE;
        }

        if (word->command == TUNNEL_RUN) {
            return tunnel_options_run(options, words, error);
        }

        if (options->secrets != NULL) {
            return tunnel_options_usage(error, "--secret is of run");
        }

        return word->program
               ? tunnel_options_program(options, word, target, words, error)
               : tunnel_options_port(options, word, words, error);
    }

    text = g_strdup_printf("\"%s\" is no command: tcp, udp, ssh, rdp, run "
                           "or -W is wanted", words[1]);

    return tunnel_options_usage(error, text);
}


void
tunnel_options_clear(tunnel_options_t *options)
{
    g_free(options->device);
    g_free(options->user);
    g_free(options->target);
    g_strfreev(options->args);
    g_strfreev(options->secrets);
    g_free(options->label);
    g_free(options->config);
    g_free(options->server);
    g_free(options->tenant);
    g_free(options->key_file);
    g_free(options->ca_file);
    g_free(options->local);
    g_free(options->idle_s);
    g_free(options->ttl_s);
    memset(options, 0, sizeof(*options));
}


tunnel_config_t *
tunnel_options_config(const tunnel_options_t *o, GError **error)
{
    gsize                         i;
    g_autofree char              *own = NULL;
    g_autoptr(tunnel_config_t)    config = tunnel_config_new();

    const struct {
        const char  *key;
        const char  *value;
    } over[] = {
        { "server", o->server },
        { "tenant", o->tenant },
        { "ca_file", o->ca_file },
        { "local", o->local },
        { "idle_s", o->idle_s },
        { "ttl_s", o->ttl_s }
    };

    own = g_build_filename(g_get_user_config_dir(), TUNNEL_CONFIG_NAME, NULL);

    if (o->config != NULL) {
        if (!tunnel_config_read(config, o->config, error)) {
            return NULL;
        }

    } else if ((g_file_test(TUNNEL_CONFIG_SYSTEM, G_FILE_TEST_EXISTS)
                && !tunnel_config_read(config, TUNNEL_CONFIG_SYSTEM, error))
               || (g_file_test(own, G_FILE_TEST_EXISTS)
                   && !tunnel_config_read(config, own, error)))
    {
        return NULL;
    }

    for (i = 0; i < G_N_ELEMENTS(over); i++) {
        if (over[i].value != NULL
            && !tunnel_config_set(config, over[i].key, over[i].value, error))
        {
            return NULL;
        }
    }

    if (config->server == NULL) {
        g_set_error(error, TUNNEL_ERROR, TUNNEL_ERROR_USAGE,
                    "which gateway?  --server URL, or server= in "
                    "rs-tunnel.conf");
        return NULL;
    }

    return g_steal_pointer(&config);
}
