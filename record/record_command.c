
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns what these commands print.
 */

#include "record_command.h"
#include "record_cms.h"
#include "record_error.h"
#include "record_keygen.h"
#include "record_read.h"
#include "record_store.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>


#define RECORD_COMMAND_PASS  1024
#define RECORD_COMMAND_LEAST 8      /* characters of a passphrase */


static char *record_command_passphrase(const record_options_t *options,
    GError **error);
static int record_command_whole(record_read_t *read,
    const record_options_t *options, FILE *out, GError **error);
static void record_command_print(FILE *out, const record_read_sum_t *sum);
static GOutputStream *record_command_file(const char *path, GError **error);
static gboolean record_command_listed(const char *dir, const char *id);


/* a new one, twice from the terminal */

static char *
record_command_passphrase(const record_options_t *options, GError **error)
{
    char   text[RECORD_COMMAND_PASS];
    char  *passphrase;

    if (options->passphrase_file != NULL) {
        passphrase = record_options_secret(options->passphrase_file, error);

    } else if (EVP_read_pw_string_min(text, RECORD_COMMAND_LEAST,
                                      sizeof(text), "Passphrase: ", 1) == 0)
    {
        passphrase = g_strdup(text);

    } else {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_USAGE,
                    "no passphrase: --passphrase-file, or twice the same at "
                    "a terminal");
        passphrase = NULL;
    }

    if (passphrase != NULL
        && g_utf8_strlen(passphrase, -1) < RECORD_COMMAND_LEAST)
    {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_USAGE,
                    "a passphrase has at least %d characters",
                    RECORD_COMMAND_LEAST);
        g_clear_pointer(&passphrase, g_free);
    }

    return passphrase;
}


int
record_command_keygen(const record_options_t *options, GError **error)
{
    record_keygen_e    kind;
    g_autofree char   *passphrase = NULL;

    kind = RECORD_KEYGEN_RSA;

    if (options->key == NULL || options->cert == NULL) {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_USAGE,
                    "keygen wants --key FILE and --cert FILE");
        return RECORD_EXIT_USAGE;
    }

    if (g_strcmp0(options->type, "ec") == 0) {
        kind = RECORD_KEYGEN_EC;

    } else if (options->type != NULL && strcmp(options->type, "rsa") != 0) {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_USAGE,
                    "invalid --type \"%s\": rsa or ec is wanted",
                    options->type);
        return RECORD_EXIT_USAGE;
    }

    passphrase = record_command_passphrase(options, error);
    if (passphrase == NULL) {
        return RECORD_EXIT_USAGE;
    }

    if (!record_keygen(kind, (options->name != NULL) ? options->name
                                                     : "Auditor",
                       passphrase, options->key, options->cert, error))
    {
        return RECORD_EXIT_ERROR;
    }

    printf("%s is the auditor's: keep it and its passphrase apart from the "
           "recorder\n%s is the recorder's: auditors = %s\n", options->key,
           options->cert, options->cert);

    return 0;
}


static void
record_command_print(FILE *out, const record_read_sum_t *sum)
{
    g_autofree char       *at = NULL;
    g_autoptr(GDateTime)   time = NULL;

    time = g_date_time_new_from_unix_utc(sum->started_at / 1000);
    at = g_date_time_format(time, "%Y-%m-%dT%H:%M:%SZ");

    fprintf(out, "recording %s\nsession %s\nstarted %s\n",
            sum->recording_id, sum->session_id, at);
    fprintf(out, "duration %" G_GINT64_FORMAT ".%03d s, %u segments, "
            "%u gaps\n", sum->duration_ms / 1000,
            (int) (sum->duration_ms % 1000), sum->segments, sum->gaps);
    fprintf(out, "state %s\n", !sum->ended ? "not ended" : sum->kept ? "kept"
                               : "incomplete");
    fprintf(out, "signed by %s\nsha256 %s\n", sum->public_key, sum->sha256);
}


/*
 * The status.  What was taken away at the end leaves no trace in what is left,
 * so one without an end is told from one that is whole.
 */

static int
record_command_whole(record_read_t *read, const record_options_t *options,
    FILE *out, GError **error)
{
    record_read_sum_t  sum;

    if (!record_read_verify(read, options->public_key, options->sha256, &sum,
                            error))
    {
        return g_error_matches(*error, RECORD_ERROR, RECORD_ERROR_CHANGED)
               ? RECORD_EXIT_CHANGED : RECORD_EXIT_ERROR;
    }

    record_command_print(out, &sum);

    if (options->public_key == NULL) {
        fprintf(out, "whoever has this key wrote it: --public-key compares "
                "it with the recorder's\n");
    }

    if (sum.ended) {
        return 0;
    }

    if (options->allow_incomplete) {
        fprintf(out, "it has no end: there may have been more\n");
        return 0;
    }

    g_set_error(error, RECORD_ERROR, RECORD_ERROR_FORM,
                "it has no end: it is still being recorded, or what followed "
                "was taken away; --allow-incomplete takes it as it is");

    return RECORD_EXIT_ENDLESS;
}


int
record_command_verify(const record_options_t *options, const char *path,
    GError **error)
{
    g_autoptr(record_read_t)  read = NULL;

    read = record_read_open(path, error);

    return (read != NULL) ? record_command_whole(read, options, stdout, error)
                          : RECORD_EXIT_ERROR;
}


static GOutputStream *
record_command_file(const char *path, GError **error)
{
    g_autoptr(GFile)  file = g_file_new_for_path(path);

    return G_OUTPUT_STREAM(g_file_create(file, G_FILE_CREATE_PRIVATE, NULL,
                                         error));
}


int
record_command_decrypt(const record_options_t *options, const char *path,
    GError **error)
{
    int                         status;
    EVP_PKEY                   *key;
    gboolean                    done;
    GError                     *failed = NULL;
    g_autofree char            *passphrase = NULL;
    g_autoptr(record_read_t)    read = NULL;
    g_autoptr(GOutputStream)    media = NULL;
    g_autoptr(GOutputStream)    events = NULL;

    if (options->key == NULL
        || (options->output == NULL && options->events == NULL))
    {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_USAGE,
                    "decrypt wants --key FILE, and --output FILE or "
                    "--events FILE");
        return RECORD_EXIT_USAGE;
    }

    passphrase = record_options_secret(options->passphrase_file, &failed);

    if (failed != NULL) {
        g_propagate_error(error, failed);
        return RECORD_EXIT_USAGE;
    }

    read = record_read_open(path, error);
    status = (read != NULL) ? record_command_whole(read, options, stderr,
                                                   error)
                            : RECORD_EXIT_ERROR;

    if (status != 0) {
        return status;
    }

    key = record_cms_key(options->key, passphrase, error);
    if (key == NULL) {
        return RECORD_EXIT_ERROR;
    }

    done = (options->output == NULL
            || (media = record_command_file(options->output, error)) != NULL)
           && (options->events == NULL
               || (events = record_command_file(options->events, error))
                  != NULL)
           && record_read_decrypt(read, key, media, events, error)
           && (media == NULL || g_output_stream_close(media, NULL, error))
           && (events == NULL || g_output_stream_close(events, NULL, error));
    EVP_PKEY_free(key);

    /* half of one says nothing of being half */

    if (!done && media != NULL) {
        (void) unlink(options->output);
    }

    if (!done && events != NULL) {
        (void) unlink(options->events);
    }

    return done ? 0
           : g_error_matches(*error, RECORD_ERROR, RECORD_ERROR_CHANGED)
             ? RECORD_EXIT_CHANGED : RECORD_EXIT_ERROR;
}


static gboolean
record_command_listed(const char *dir, const char *id)
{
    record_read_sum_t         sum;
    g_autofree char          *path = NULL;
    g_autoptr(GError)         error = NULL;
    g_autoptr(record_read_t)  read = NULL;

    path = g_build_filename(dir, id, NULL);
    read = record_read_open(path, &error);

    if (read == NULL || !record_read_verify(read, NULL, NULL, &sum, &error)) {
        printf("%s  broken: %s\n", id, error->message);
        return FALSE;
    }

    printf("%s  %s  %6" G_GINT64_FORMAT " s  %s\n", id, sum.session_id,
           sum.duration_ms / 1000, !sum.ended ? "recording" : sum.kept
           ? "kept" : "incomplete");

    return TRUE;
}


int
record_command_list(const record_config_t *config, GError **error)
{
    gboolean          good;
    const char       *name;
    g_autoptr(GDir)   dir = NULL;

    dir = g_dir_open(config->directory, 0, error);
    if (dir == NULL) {
        return RECORD_EXIT_ERROR;
    }

    good = TRUE;

    while ((name = g_dir_read_name(dir)) != NULL) {
        if (g_str_has_prefix(name, RS_ID_RECORDING)) {
            good = record_command_listed(config->directory, name) && good;
        }
    }

    return good ? 0 : RECORD_EXIT_CHANGED;
}
