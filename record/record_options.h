
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * The command line of rs-record.
 */

#ifndef _RECORD_OPTIONS_H_INCLUDED_
#define _RECORD_OPTIONS_H_INCLUDED_


#include <glib.h>


#define RECORD_EXIT_ERROR    1
#define RECORD_EXIT_USAGE    2
#define RECORD_EXIT_CHANGED  5      /* verify: not what was signed */
#define RECORD_EXIT_ENDLESS  6      /* it is, and has no end */


typedef struct {
    char      *config;
    char      *token_file;
    char      *key;             /* decrypt: to read; keygen: to be made */
    char      *cert;
    char      *type;
    char      *name;
    char      *passphrase_file;
    char      *public_key;
    char      *sha256;
    char      *output;
    char      *events;
    gboolean   allow_incomplete;
    gboolean   verbose;
    gboolean   version;
    char     **words;           /* command and its arguments */
} record_options_t;


/* RECORD_ERROR_USAGE */
gboolean record_options_parse(record_options_t *options, int *argc,
    char ***argv, GError **error);
void record_options_clear(record_options_t *options);

/*
 * What a file holds up to its first newline, "-": standard input; NULL and no
 * error: no file is named.
 */
char *record_options_secret(const char *path, GError **error);


#endif /* _RECORD_OPTIONS_H_INCLUDED_ */
