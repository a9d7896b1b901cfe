
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the auditors' certificates, and calls OpenSSL's CMS.
 */

#define G_LOG_DOMAIN  "rs-record"

#include "record_cms.h"
#include "record_error.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>


#define RECORD_CMS_RSA_BITS  2048
#define RECORD_CMS_EC_BITS   256


struct record_auditors_s {
    GPtrArray  *certs;              /* X509 */
    gint        refs;               /* atomic */
};


static gboolean record_auditors_read(record_auditors_t *auditors,
    const char *path, GError **error);
static gboolean record_auditors_fit(X509 *cert, const char *path,
    GError **error);
static char *record_auditors_subject(X509 *cert);
static gboolean record_cms_recipient(CMS_ContentInfo *cms, X509 *cert);
static GBytes *record_cms_taken(BIO *bio);
static int record_cms_passphrase(char *buf, int size, int rwflag, void *u);


record_auditors_t *
record_auditors_load(const char *const *paths, GError **error)
{
    gsize                          i;
    g_autoptr(record_auditors_t)   auditors = NULL;

    auditors = g_new0(record_auditors_t, 1);
    auditors->refs = 1;
    auditors->certs = g_ptr_array_new_with_free_func(
                                                 (GDestroyNotify) X509_free);

    for (i = 0; paths != NULL && paths[i] != NULL; i++) {
        if (!record_auditors_read(auditors, paths[i], error)) {
            return NULL;
        }
    }

    if (auditors->certs->len == 0) {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_KEY,
                    "no auditor: \"auditors\" wants the certificate of who "
                    "may read recordings, see rs-record keygen");
        return NULL;
    }

    if (auditors->certs->len > RECORD_AUDITORS_MAX) {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_KEY,
                    "%u auditors, and %d are the most",
                    auditors->certs->len, RECORD_AUDITORS_MAX);
        return NULL;
    }

    for (i = 0; i < auditors->certs->len; i++) {
        g_autofree char  *subject = NULL;

        subject = record_auditors_subject(auditors->certs->pdata[i]);
        g_message("auditor: %s", subject);
    }

    return g_steal_pointer(&auditors);
}


record_auditors_t *
record_auditors_ref(record_auditors_t *auditors)
{
    g_atomic_int_inc(&auditors->refs);

    return auditors;
}


void
record_auditors_free(record_auditors_t *auditors)
{
    if (!g_atomic_int_dec_and_test(&auditors->refs)) {
        return;
    }

    g_ptr_array_unref(auditors->certs);
    g_free(auditors);
}


static gboolean
record_auditors_read(record_auditors_t *auditors, const char *path,
    GError **error)
{
    BIO           *bio;
    X509          *cert;
    guint          n;
    unsigned long  e;

    bio = BIO_new_file(path, "r");
    if (bio == NULL) {
        ERR_clear_error();
        return record_error_errno(error, "auditor's certificate", path);
    }

    n = 0;
    ERR_clear_error();

    while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        g_ptr_array_add(auditors->certs, cert);
        n++;

        if (!record_auditors_fit(cert, path, error)) {
            BIO_free(bio);
            return FALSE;
        }
    }

    BIO_free(bio);
    e = ERR_peek_last_error();
    ERR_clear_error();

    /* else there is one more, of somebody who could read nothing */

    if (ERR_GET_LIB(e) != ERR_LIB_PEM
        || ERR_GET_REASON(e) != PEM_R_NO_START_LINE)
    {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_KEY,
                    "%s: certificate %u of it is damaged", path, n + 1);
        return FALSE;
    }

    if (n == 0) {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_KEY,
                    "%s: no certificate (PEM)", path);
        return FALSE;
    }

    return TRUE;
}


static gboolean
record_auditors_fit(X509 *cert, const char *path, GError **error)
{
    EVP_PKEY  *key;
    gboolean   fits;

    key = X509_get0_pubkey(cert);
    fits = key != NULL
           && ((EVP_PKEY_is_a(key, "RSA")
                && EVP_PKEY_get_bits(key) >= RECORD_CMS_RSA_BITS)
               || (EVP_PKEY_is_a(key, "EC")
                   && EVP_PKEY_get_bits(key) >= RECORD_CMS_EC_BITS));

    if (!fits) {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_KEY,
                    "%s: an auditor's key is RSA of %d bits and more, or of "
                    "P-256, P-384 or P-521", path, RECORD_CMS_RSA_BITS);
        return FALSE;
    }

    /* nobody else has signed it: a bit that is another one can be found */

    if ((X509_get_extension_flags(cert) & EXFLAG_SS) != 0
        && X509_verify(cert, key) != 1)
    {
        ERR_clear_error();
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_KEY,
                    "%s: the certificate is damaged: it is not what its own "
                    "key signed", path);
        return FALSE;
    }

    if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0) {
        g_set_error(error, RECORD_ERROR, RECORD_ERROR_KEY,
                    "%s: the certificate is over", path);
        return FALSE;
    }

    return TRUE;
}


static char *
record_auditors_subject(X509 *cert)
{
    BIO   *bio;
    char  *text, *subject;
    long   len;

    bio = BIO_new(BIO_s_mem());
    (void) X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0,
                              XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
    len = BIO_get_mem_data(bio, &text);
    subject = g_utf8_make_valid(text, len);
    BIO_free(bio);

    return subject;
}


json_t *
record_auditors_json(const record_auditors_t *auditors)
{
    guint          i, n;
    guint8         hash[EVP_MAX_MD_SIZE];
    json_t        *list;

    list = json_array();

    for (i = 0; i < auditors->certs->len; i++) {
        X509               *cert = auditors->certs->pdata[i];
        g_autofree char    *subject = record_auditors_subject(cert);
        g_autoptr(GString)  hex = g_string_new(NULL);

        n = 0;
        (void) X509_digest(cert, EVP_sha256(), hash, &n);

        for (guint k = 0; k < n; k++) {
            g_string_append_printf(hex, "%02x", hash[k]);
        }

        json_array_append_new(list, json_pack("{s:s, s:s}", "subject",
                                              subject, "sha256", hex->str));
    }

    return list;
}


/* RFC 4055 and RFC 5753 leave SHA-1 as what is meant if nothing is said */

static gboolean
record_cms_recipient(CMS_ContentInfo *cms, X509 *cert)
{
    EVP_PKEY_CTX       *ctx;
    CMS_RecipientInfo  *ri;

    ri = CMS_add1_recipient_cert(cms, cert, CMS_KEY_PARAM);
    ctx = (ri != NULL) ? CMS_RecipientInfo_get0_pkey_ctx(ri) : NULL;

    if (ctx == NULL) {
        return FALSE;
    }

    if (EVP_PKEY_is_a(X509_get0_pubkey(cert), "RSA")) {
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0
               && EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) > 0
               && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) > 0;
    }

    return EVP_PKEY_CTX_set_ecdh_kdf_md(ctx, EVP_sha256()) > 0;
}


static GBytes *
record_cms_taken(BIO *bio)
{
    char  *data;
    long   len;

    len = BIO_get_mem_data(bio, &data);

    return g_bytes_new(data, (gsize) len);
}


GBytes *
record_cms_seal(const record_auditors_t *auditors, GBytes *plain,
    GError **error)
{
    BIO              *in, *out;
    gsize             len;
    guint             i;
    GBytes           *sealed;
    gboolean          done;
    const void       *data;
    CMS_ContentInfo  *cms;

    data = g_bytes_get_data(plain, &len);
    in = BIO_new_mem_buf(data, (int) len);
    out = BIO_new(BIO_s_mem());
    cms = CMS_AuthEnvelopedData_create(EVP_aes_256_gcm());
    done = (in != NULL && out != NULL && cms != NULL);

    if (done) {
        CMS_set_detached(cms, 0);
    }

    for (i = 0; done && i < auditors->certs->len; i++) {
        done = record_cms_recipient(cms, auditors->certs->pdata[i]);
    }

    done = done && CMS_final(cms, in, NULL, CMS_BINARY) == 1
           && i2d_CMS_bio(out, cms) == 1;
    sealed = done ? record_cms_taken(out) : NULL;

    CMS_ContentInfo_free(cms);
    BIO_free(in);
    BIO_free(out);

    if (sealed == NULL) {
        record_error_openssl(error, RECORD_ERROR_KEY,
                             "a segment cannot be encrypted");
    }

    return sealed;
}


GBytes *
record_cms_open(EVP_PKEY *key, GBytes *sealed, GError **error)
{
    BIO              *in, *out;
    gsize             len;
    GBytes           *plain;
    const void       *data;
    CMS_ContentInfo  *cms;

    data = g_bytes_get_data(sealed, &len);
    in = BIO_new_mem_buf(data, (int) len);
    out = BIO_new(BIO_s_mem());
    cms = d2i_CMS_bio(in, NULL);
    plain = NULL;

    if (cms != NULL
        && CMS_decrypt(cms, key, NULL, NULL, out, CMS_BINARY) == 1)
    {
        plain = record_cms_taken(out);
    }

    CMS_ContentInfo_free(cms);
    BIO_free(in);
    BIO_free(out);

    if (plain == NULL) {
        record_error_openssl(error, RECORD_ERROR_KEY,
                             (cms == NULL) ? "no CMS"
                             : "not for this key, or changed");
    }

    return plain;
}


static int
record_cms_passphrase(char *buf, int size, int rwflag, void *u)
{
    const char  *passphrase = u;

    if (passphrase == NULL) {
        return PEM_def_callback(buf, size, rwflag, NULL);
    }

    g_strlcpy(buf, passphrase, (gsize) size);

    return (int) strlen(buf);
}


EVP_PKEY *
record_cms_key(const char *path, const char *passphrase, GError **error)
{
    BIO       *bio;
    EVP_PKEY  *key;

    bio = BIO_new_file(path, "r");
    if (bio == NULL) {
        ERR_clear_error();
        record_error_errno(error, "auditor's key", path);
        return NULL;
    }

    key = PEM_read_bio_PrivateKey(bio, NULL, record_cms_passphrase,
                                  (void *) passphrase);
    BIO_free(bio);

    if (key == NULL) {
        record_error_openssl(error, RECORD_ERROR_KEY,
                             "the auditor's key cannot be read: no private "
                             "key (PEM), or another passphrase");
    }

    return key;
}
