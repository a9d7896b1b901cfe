
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns how an auditor's key is made and kept: PBES2 with PBKDF2-HMAC-SHA256
 * and AES-256-CBC, which a browser's WebCrypto can open, too.
 */

#include "record_keygen.h"
#include "record_error.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>


#define RECORD_KEYGEN_BITS    3072
#define RECORD_KEYGEN_CURVE   "P-256"
#define RECORD_KEYGEN_ROUNDS  600000
#define RECORD_KEYGEN_DAYS    (10 * 365L)
#define RECORD_KEYGEN_SERIAL  16


static gboolean record_keygen_write(const char *path, int mode,
    gboolean (*put)(BIO *bio, void *data), void *data, GError **error);
static gboolean record_keygen_put_key(BIO *bio, void *data);
static gboolean record_keygen_put_cert(BIO *bio, void *data);
static X509 *record_keygen_cert(EVP_PKEY *key, record_keygen_e kind,
    const char *name);
static gboolean record_keygen_extend(X509 *cert, int nid, const char *value);
static X509_SIG *record_keygen_seal(EVP_PKEY *key, const char *passphrase);


/* PKCS#8 as PEM, sealed by our own choice of rounds */

static X509_SIG *
record_keygen_seal(EVP_PKEY *key, const char *passphrase)
{
    X509_SIG             *sealed;
    X509_ALGOR           *algor;
    PKCS8_PRIV_KEY_INFO  *info;

    info = EVP_PKEY2PKCS8(key);
    algor = PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), RECORD_KEYGEN_ROUNDS, NULL,
                              0, NULL, NID_hmacWithSHA256);
    sealed = NULL;

    if (info != NULL && algor != NULL) {
        sealed = PKCS8_set0_pbe(passphrase, (int) strlen(passphrase), info,
                                algor);
    }

    if (sealed == NULL) {
        X509_ALGOR_free(algor);
    }

    PKCS8_PRIV_KEY_INFO_free(info);

    return sealed;
}


static gboolean
record_keygen_put_key(BIO *bio, void *data)
{
    return PEM_write_bio_PKCS8(bio, data) == 1;
}


static gboolean
record_keygen_put_cert(BIO *bio, void *data)
{
    return PEM_write_bio_X509(bio, data) == 1;
}


static gboolean
record_keygen_write(const char *path, int mode,
    gboolean (*put)(BIO *bio, void *data), void *data, GError **error)
{
    int       fd;
    BIO      *bio;
    FILE     *f;
    gboolean  done;

    fd = open(path, O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, mode);

    if (fd == -1) {
        return record_error_errno(error, "cannot make", path);
    }

    f = fdopen(fd, "w");
    bio = BIO_new_fp(f, BIO_NOCLOSE);
    done = bio != NULL && put(bio, data) && BIO_flush(bio) == 1;
    BIO_free(bio);
    done = done && fflush(f) == 0 && fsync(fd) == 0;
    done = (fclose(f) == 0) && done;

    if (!done) {
        (void) unlink(path);
        return record_error_openssl(error, RECORD_ERROR_IO,
                                    "the key cannot be written");
    }

    return TRUE;
}


static gboolean
record_keygen_extend(X509 *cert, int nid, const char *value)
{
    gboolean         done;
    X509V3_CTX       ctx;
    X509_EXTENSION  *extension;

    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    done = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);

    return done;
}


static X509 *
record_keygen_cert(EVP_PKEY *key, record_keygen_e kind, const char *name)
{
    X509       *cert;
    BIGNUM     *bn;
    guint8      serial[RECORD_KEYGEN_SERIAL];
    gboolean    done;
    X509_NAME  *subject;

    cert = X509_new();
    done = cert != NULL && RAND_bytes(serial, sizeof(serial)) == 1;

    if (done) {
        serial[0] = (serial[0] & 0x7f) | 0x40;
        bn = BN_bin2bn(serial, sizeof(serial), NULL);
        done = BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)) != NULL;
        BN_free(bn);
    }

    if (done) {
        subject = X509_get_subject_name(cert);
        done = X509_set_version(cert, X509_VERSION_3) == 1
               && X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                             (const guchar *) name, -1, -1,
                                             0) == 1
               && X509_set_issuer_name(cert, subject) == 1
               && X509_gmtime_adj(X509_getm_notBefore(cert), -60) != NULL
               && X509_gmtime_adj(X509_getm_notAfter(cert),
                                  RECORD_KEYGEN_DAYS * 86400) != NULL
               && X509_set_pubkey(cert, key) == 1
               && record_keygen_extend(cert, NID_basic_constraints,
                                       "critical,CA:FALSE")
               && record_keygen_extend(cert, NID_subject_key_identifier,
                                       "hash")
               && record_keygen_extend(cert, NID_key_usage,
                                       kind == RECORD_KEYGEN_RSA
                                       ? "critical,keyEncipherment"
                                       : "critical,keyAgreement")
               && X509_sign(cert, key, EVP_sha256()) > 0;
    }

    if (!done) {
        X509_free(cert);
        return NULL;
    }

    return cert;
}


gboolean
record_keygen(record_keygen_e kind, const char *name,
    const char *passphrase, const char *key, const char *cert,
    GError **error)
{
    X509      *x509;
    EVP_PKEY  *pkey;
    X509_SIG  *sealed;
    gboolean   done;

    pkey = (kind == RECORD_KEYGEN_RSA)
           ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA",
                               (size_t) RECORD_KEYGEN_BITS)
           : EVP_PKEY_Q_keygen(NULL, NULL, "EC", RECORD_KEYGEN_CURVE);
    x509 = (pkey != NULL) ? record_keygen_cert(pkey, kind, name) : NULL;
    sealed = (x509 != NULL) ? record_keygen_seal(pkey, passphrase) : NULL;

    if (sealed == NULL) {
        done = record_error_openssl(error, RECORD_ERROR_KEY,
                                    "OpenSSL cannot make the key");

    } else {
        done = record_keygen_write(key, 0600, record_keygen_put_key, sealed,
                                   error);

        if (done && !record_keygen_write(cert, 0644, record_keygen_put_cert,
                                         x509, error))
        {
            (void) unlink(key);
            done = FALSE;
        }
    }

    X509_SIG_free(sealed);
    X509_free(x509);
    EVP_PKEY_free(pkey);

    return done;
}
