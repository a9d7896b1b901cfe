
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Who may read recordings, and the CMS (RFC 5652, RFC 5083) around each file
 * of one: AES-256-GCM, its key for each auditor by RSA-OAEP or by ECDH.
 */

#ifndef _RECORD_CMS_H_INCLUDED_
#define _RECORD_CMS_H_INCLUDED_


#include <glib.h>
#include <jansson.h>
#include <openssl/evp.h>


#define RECORD_AUDITORS_MAX  16


typedef struct record_auditors_s  record_auditors_t;


/*
 * Certificates, PEM, one or more a file; whose they are is logged.  NULL: none
 * at all, one that is damaged, cannot be used (RSA of 2048 bits or P-256,
 * P-384, P-521 are wanted) or is over.
 */
record_auditors_t *record_auditors_load(const char *const *paths,
    GError **error);

/* On any thread; each is let go by record_auditors_free(). */
record_auditors_t *record_auditors_ref(record_auditors_t *auditors);
void record_auditors_free(record_auditors_t *auditors);

/* [{"subject":…,"sha256":…}], the hash of the certificate as DER. */
json_t *record_auditors_json(const record_auditors_t *auditors);

/* On any thread.  NULL: OpenSSL cannot. */
GBytes *record_cms_seal(const record_auditors_t *auditors, GBytes *plain,
    GError **error);
GBytes *record_cms_open(EVP_PKEY *key, GBytes *sealed, GError **error);

/*
 * An auditor's private key, PEM.  passphrase: of a key that has one; NULL:
 * asked for at the terminal.
 */
EVP_PKEY *record_cms_key(const char *path, const char *passphrase,
    GError **error);


G_DEFINE_AUTOPTR_CLEANUP_FUNC(record_auditors_t, record_auditors_free)


#endif /* _RECORD_CMS_H_INCLUDED_ */
