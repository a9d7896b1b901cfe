
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * A recording that is there, a directory or a tar archive: verified, and
 * decrypted for an auditor.
 */

#ifndef _RECORD_READ_H_INCLUDED_
#define _RECORD_READ_H_INCLUDED_


#include <gio/gio.h>
#include <openssl/evp.h>


#define RECORD_READ_CHAIN_MAX  (64 * 1024 * 1024)
#define RECORD_READ_FILE_MAX   (32 * 1024 * 1024)


typedef struct record_read_s  record_read_t;


/* What was verified; strings are the reader's. */

typedef struct {
    const char  *recording_id;
    const char  *session_id;
    const char  *public_key;        /* who signed it, base64url */
    gint64       started_at;        /* ms of 1970 */
    gint64       duration_ms;
    guint        segments;
    guint        gaps;
    gboolean     ended;             /* else there may have been more */
    gboolean     kept;              /* ended, and not by a crash */
    const char  *sha256;            /* of the chain, as the gateway has it */
} record_read_sum_t;


record_read_t *record_read_open(const char *path, GError **error);
void record_read_free(record_read_t *read);

/*
 * Every line, signature, hash and file.  key: the recorder's public key as
 * base64url, NULL: whoever signed it.  sha256: of the chain, NULL: any.
 * RECORD_ERROR_CHANGED names the file or the line that is not what was
 * signed, RECORD_ERROR_FORM what is missing.
 */
gboolean record_read_verify(record_read_t *read, const char *key,
    const char *sha256, record_read_sum_t *sum, GError **error);

/*
 * Behind record_read_verify(), whatever became of the files since:
 * RECORD_ERROR_CHANGED.  media and events may be NULL.
 */
gboolean record_read_decrypt(record_read_t *read, EVP_PKEY *key,
    GOutputStream *media, GOutputStream *events, GError **error);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(record_read_t, record_read_free)


#endif /* _RECORD_READ_H_INCLUDED_ */
