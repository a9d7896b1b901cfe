
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the names of options.
 */

#include "record_options.h"
#include "record_config.h"
#include "record_error.h"

#include <string.h>


#define RECORD_OPTIONS_SECRET  4096


gboolean
record_options_parse(record_options_t *options, int *argc, char ***argv,
    GError **error)
{
    gboolean                   done;
    GError                    *failed = NULL;
    g_autoptr(GOptionContext)  context = NULL;

    const GOptionEntry  entries[] = {
        { "config", 'c', 0, G_OPTION_ARG_FILENAME, &options->config,
          "Configuration file (" RECORD_CONFIG_FILE ")", "FILE" },
        { "token-file", 't', 0, G_OPTION_ARG_FILENAME, &options->token_file,
          "enroll: the token; \"-\" is standard input", "FILE" },
        { "key", 'k', 0, G_OPTION_ARG_FILENAME, &options->key,
          "decrypt: the auditor's key; keygen: made there", "FILE" },
        { "cert", 0, 0, G_OPTION_ARG_FILENAME, &options->cert,
          "keygen: the certificate for \"auditors\"", "FILE" },
        { "type", 0, 0, G_OPTION_ARG_STRING, &options->type,
          "keygen: rsa (default) or ec", "TYPE" },
        { "name", 'n', 0, G_OPTION_ARG_STRING, &options->name,
          "keygen: who the auditor is", "NAME" },
        { "passphrase-file", 0, 0, G_OPTION_ARG_FILENAME,
          &options->passphrase_file,
          "Of the auditor's key (asked for); \"-\" is standard input",
          "FILE" },
        { "public-key", 0, 0, G_OPTION_ARG_STRING, &options->public_key,
          "verify, decrypt: the recorder's, as the gateway has it", "KEY" },
        { "sha256", 0, 0, G_OPTION_ARG_STRING, &options->sha256,
          "verify, decrypt: the recording's, as the gateway has it", "HASH" },
        { "allow-incomplete", 0, 0, G_OPTION_ARG_NONE,
          &options->allow_incomplete,
          "verify, decrypt: one without an end, too (status 6 else)", NULL },
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &options->output,
          "decrypt: the WebM file, which must not exist", "FILE" },
        { "events", 'e', 0, G_OPTION_ARG_FILENAME, &options->events,
          "decrypt: the events, one JSON object a line", "FILE" },
        { "verbose", 'v', 0, G_OPTION_ARG_NONE, &options->verbose,
          "Log details", NULL },
        { "version", 'V', 0, G_OPTION_ARG_NONE, &options->version,
          "Print the version", NULL },
        { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY,
          &options->words, NULL, NULL },
        G_OPTION_ENTRY_NULL
    };

    context = g_option_context_new("[run | enroll URL | list | keygen | "
                                   "verify PATH | decrypt PATH]");
    g_option_context_set_summary(context,
        "Records sessions of a remote-support gateway, for auditors to "
        "read.");
    g_option_context_set_description(context,
        "PATH is a recording: a directory, or a tar archive from the "
        "console.\nSee rs-record(1).");
    g_option_context_add_main_entries(context, entries, NULL);

    done = g_option_context_parse(context, argc, argv, &failed);

    if (!done) {
        g_set_error_literal(error, RECORD_ERROR, RECORD_ERROR_USAGE,
                            failed->message);
        g_error_free(failed);
    }

    return done;
}


void
record_options_clear(record_options_t *options)
{
    g_free(options->config);
    g_free(options->token_file);
    g_free(options->key);
    g_free(options->cert);
    g_free(options->type);
    g_free(options->name);
    g_free(options->passphrase_file);
    g_free(options->public_key);
    g_free(options->sha256);
    g_free(options->output);
    g_free(options->events);
    g_strfreev(options->words);
}


char *
record_options_secret(const char *path, GError **error)
{
    gsize              len;
    char               line[RECORD_OPTIONS_SECRET];
    g_autofree char   *text = NULL;

    if (path == NULL) {
        return NULL;
    }

    if (strcmp(path, "-") != 0) {
        if (!g_file_get_contents(path, &text, &len, error)) {
            return NULL;
        }

        text[strcspn(text, "\r\n")] = '\0';

        return g_steal_pointer(&text);
    }

    if (fgets(line, sizeof(line), stdin) == NULL) {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_USAGE,
                    "nothing on standard input");
        return NULL;
    }

    line[strcspn(line, "\r\n")] = '\0';

    return g_strdup(line);
}
