
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * rs-record: the command line, and where each command is done.
 */

#define G_LOG_DOMAIN  "rs-record"

#include "record_command.h"
#include "record_config.h"
#include "record_error.h"
#include "record_options.h"
#include "record_run.h"
#include "record_version.h"

#include "agent_log.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>


static int record_main(const record_options_t *options, GError **error);
static int record_usage(GError **error, const char *command, guint n);
static record_config_t *record_main_config(const record_options_t *options,
    GError **error);


int
main(int argc, char **argv)
{
    int                  status;
    record_options_t     options;
    g_autoptr(GError)    error = NULL;

    setlocale(LC_ALL, "");
    signal(SIGPIPE, SIG_IGN);
    g_set_prgname("rs-record");
    memset(&options, 0, sizeof(options));

    if (!record_options_parse(&options, &argc, &argv, &error)) {
        fprintf(stderr, "rs-record: %s\n", error->message);
        record_options_clear(&options);
        return RECORD_EXIT_USAGE;
    }

    if (options.version) {
        printf("rs-record " RECORD_VERSION "\n");
        record_options_clear(&options);
        return 0;
    }

    agent_log_init(options.verbose);
    status = record_main(&options, &error);

    if (error != NULL) {
        fprintf(stderr, "rs-record: %s\n", error->message);
    }

    record_options_clear(&options);

    return status;
}


static record_config_t *
record_main_config(const record_options_t *options, GError **error)
{
    g_autoptr(record_config_t)  config = record_config_new();

    if (!record_config_read(config, (options->config != NULL)
                                    ? options->config : RECORD_CONFIG_FILE,
                            error))
    {
        return NULL;
    }

    return g_steal_pointer(&config);
}


static int
record_usage(GError **error, const char *command, guint n)
{
    g_set_error(error, RECORD_ERROR, RECORD_ERROR_USAGE,
                "\"%s\" with %u arguments is no command: --help", command,
                n ? n - 1 : 0);

    return RECORD_EXIT_USAGE;
}


static int
record_main(const record_options_t *options, GError **error)
{
    guint                         n;
    const char                   *command, *path;
    g_autoptr(record_config_t)    config = NULL;

    n = (options->words != NULL) ? g_strv_length(options->words) : 0;
    command = (n > 0) ? options->words[0] : "run";
    path = (n > 1) ? options->words[1] : NULL;

    if (strcmp(command, "keygen") == 0 && n == 1) {
        return record_command_keygen(options, error);
    }

    if (strcmp(command, "verify") == 0 && n == 2) {
        return record_command_verify(options, path, error);
    }

    if (strcmp(command, "decrypt") == 0 && n == 2) {
        return record_command_decrypt(options, path, error);
    }

    config = record_main_config(options, error);
    if (config == NULL) {
        return RECORD_EXIT_USAGE;
    }

    if (strcmp(command, "list") == 0 && n == 1) {
        return record_command_list(config, error);
    }

    if (strcmp(command, "run") == 0 && n <= 1) {
        return record_run(config, error);
    }

    if ((strcmp(command, "enroll") == 0 || strcmp(command, "enrol") == 0)
        && n <= 2)
    {
        path = (path != NULL) ? path : config->agent->server;

        if (path == NULL) {
            g_set_error(error, RECORD_ERROR, RECORD_ERROR_USAGE,
                        "enroll wants the gateway's URL: rs-record enroll "
                        "https://host/rs/v1");
            return RECORD_EXIT_USAGE;
        }

        return record_enroll(config, options, path, error);
    }

    return record_usage(error, command, n);
}
