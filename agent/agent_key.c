
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns device.key (PKCS#8, PEM) and is the only file that calls OpenSSL.  What
 * is signed is the library's word, the same code as the gateway checks with.
 */

#define G_LOG_DOMAIN  "rs-key"

#include "agent_key.h"
#include "agent_config.h"
#include "rs_devkey.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


struct agent_key_s {
    EVP_PKEY           *pkey;       /* of a foreign one the public half */
    agent_key_sign_pt   sign;       /* NULL: it is here */
    void               *data;
};


static agent_key_t *agent_key_read(const char *path, GError **error);
static gboolean agent_key_error(GError **error, const char *path,
    const char *what);
static void agent_key_raw(const agent_key_t *key,
    guint8 raw[RS_DEVKEY_KEY_LEN]);


static gboolean
agent_key_error(GError **error, const char *path, const char *what)
{
    g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_STATE,
                "%s: %s", path, what);

    return FALSE;
}


gboolean
agent_key_create(const char *path, GError **error)
{
    int        fd, rc;
    FILE      *f;
    EVP_PKEY  *pkey;

    pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (pkey == NULL) {
        return agent_key_error(error, path, "OpenSSL cannot make the key");
    }

    fd = open(path, O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600);

    if (fd == -1) {
        rc = errno;
        EVP_PKEY_free(pkey);
        return agent_key_error(error, path, g_strerror(rc));
    }

    f = fdopen(fd, "w");
    rc = (f != NULL) && PEM_write_PrivateKey(f, pkey, NULL, NULL, 0, NULL,
                                             NULL);

    EVP_PKEY_free(pkey);

    if (f != NULL) {
        rc = rc && fflush(f) == 0 && fsync(fd) == 0;
        rc = (fclose(f) == 0) && rc;

    } else {
        close(fd);
    }

    if (!rc) {
        unlink(path);
        return agent_key_error(error, path, "the key cannot be written");
    }

    return TRUE;
}


static agent_key_t *
agent_key_read(const char *path, GError **error)
{
    int           fd;
    FILE         *f;
    EVP_PKEY     *pkey;
    struct stat   st;
    agent_key_t  *key;

    fd = open(path, O_RDONLY|O_NOFOLLOW|O_CLOEXEC);

    if (fd == -1) {
        agent_key_error(error, path, g_strerror(errno));
        return NULL;
    }

    if (fstat(fd, &st) == -1 || (st.st_mode & 077) != 0) {
        close(fd);
        agent_key_error(error, path,
                        "others may read the key: chmod 600 it");
        return NULL;
    }

    f = fdopen(fd, "r");

    if (f == NULL) {
        close(fd);
        agent_key_error(error, path, g_strerror(errno));
        return NULL;
    }

    pkey = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    fclose(f);
    ERR_clear_error();

    if (pkey == NULL || EVP_PKEY_get_base_id(pkey) != EVP_PKEY_ED25519) {
        EVP_PKEY_free(pkey);
        agent_key_error(error, path, "not an Ed25519 private key in PEM: "
                        "remove it and enrol anew");
        return NULL;
    }

    key = g_new0(agent_key_t, 1);
    key->pkey = pkey;

    return key;
}


agent_key_t *
agent_key_make(const char *state_dir, GError **error)
{
    g_autofree char  *path = NULL;
    g_autofree char  *next = NULL;
    g_autofree char  *old = NULL;

    if (g_mkdir_with_parents(state_dir, 0700) == -1) {
        agent_key_error(error, state_dir, g_strerror(errno));
        return NULL;
    }

    path = g_build_filename(state_dir, AGENT_KEY_FILE, NULL);

    if (g_file_test(path, G_FILE_TEST_EXISTS)) {
        return agent_key_read(path, error);
    }

    /* what is left of a device that was here before is of no use to this one */

    next = g_build_filename(state_dir, AGENT_KEY_NEXT, NULL);
    old = g_build_filename(state_dir, AGENT_KEY_OLD, NULL);
    unlink(next);
    unlink(old);

    return agent_key_create(path, error) ? agent_key_read(path, error) : NULL;
}


agent_key_t *
agent_key_load(const char *state_dir, GError **error)
{
    return agent_key_load_named(state_dir, AGENT_KEY_FILE, error);
}


agent_key_t *
agent_key_load_named(const char *state_dir, const char *name, GError **error)
{
    g_autofree char  *path = NULL;

    path = g_build_filename(state_dir, name, NULL);

    return agent_key_read(path, error);
}


agent_key_t *
agent_key_foreign(const char *public_key, agent_key_sign_pt sign, void *data)
{
    EVP_PKEY            *pkey;
    agent_key_t         *key;
    g_autofree guint8   *raw = NULL;

    raw = agent_base64url_decode(public_key, RS_DEVKEY_KEY_LEN);

    if (raw == NULL) {
        return NULL;
    }

    pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw,
                                       RS_DEVKEY_KEY_LEN);
    ERR_clear_error();

    if (pkey == NULL) {
        return NULL;
    }

    key = g_new0(agent_key_t, 1);
    key->pkey = pkey;
    key->sign = sign;
    key->data = data;

    return key;
}


void
agent_key_swap(agent_key_t *a, agent_key_t *b)
{
    agent_key_t  key;

    key = *a;
    *a = *b;
    *b = key;
}


void
agent_key_free(agent_key_t *key)
{
    EVP_PKEY_free(key->pkey);
    g_free(key);
}


static void
agent_key_raw(const agent_key_t *key, guint8 raw[RS_DEVKEY_KEY_LEN])
{
    size_t  len;

    len = RS_DEVKEY_KEY_LEN;

    if (EVP_PKEY_get_raw_public_key(key->pkey, raw, &len) != 1
        || len != RS_DEVKEY_KEY_LEN)
    {
        g_error("OpenSSL does not give the public key");
    }
}


char *
agent_key_public(const agent_key_t *key)
{
    guint8  raw[RS_DEVKEY_KEY_LEN];

    agent_key_raw(key, raw);

    return agent_base64url(raw, sizeof(raw));
}


char *
agent_key_short(const agent_key_t *key)
{
    char    text[RS_DEVKEY_SHORT_LEN];
    guint8  raw[RS_DEVKEY_KEY_LEN];

    agent_key_raw(key, raw);
    rs_devkey_short(raw, text);

    return g_strndup(text, sizeof(text));
}


char *
agent_key_sign(const agent_key_t *key, const guint8 *data, gsize len,
    GError **error)
{
    int          rc;
    size_t       n;
    guint8       sig[RS_DEVKEY_SIGNATURE_LEN];
    EVP_MD_CTX  *ctx;

    if (key->sign != NULL) {
        return key->sign(key->data, data, len, error);
    }

    n = sizeof(sig);
    ctx = EVP_MD_CTX_new();

    rc = ctx != NULL
         && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) == 1
         && EVP_DigestSign(ctx, sig, &n, data, len) == 1;

    EVP_MD_CTX_free(ctx);
    ERR_clear_error();

    if (!rc) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_STATE,
                    "OpenSSL cannot sign with the device's key");
        return NULL;
    }

    return agent_base64url(sig, n);
}


char *
agent_key_prove(const agent_key_t *key, const char *host, const char *tenant,
    const char *device_id, const char *nonce, GError **error)
{
    size_t               n;
    guint8               data[RS_DEVKEY_SIGNED_MAX];
    g_autofree guint8   *raw = NULL;

    raw = agent_base64url_decode(nonce, RS_DEVKEY_NONCE_LEN);

    if (raw == NULL) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_INVALID,
                    "the challenge's nonce is not base64url of %d bytes",
                    RS_DEVKEY_NONCE_LEN);
        return NULL;
    }

    n = rs_devkey_signed(data, rs_str(host), rs_str(tenant),
                         rs_str(device_id), raw);
    if (n == 0) {
        g_set_error(error, AGENT_CONFIG_ERROR, AGENT_CONFIG_ERROR_STATE,
                    "tenant \"%s\" or device id \"%s\" is not well formed: "
                    "enrol anew", tenant, device_id);
        return NULL;
    }

    return agent_key_sign(key, data, n, error);
}


char *
agent_key_nonce(void)
{
    guint8  raw[RS_DEVKEY_NONCE_LEN];

    if (RAND_bytes(raw, sizeof(raw)) != 1) {
        return NULL;
    }

    return agent_base64url(raw, sizeof(raw));
}


char *
agent_base64url(const guint8 *data, gsize len)
{
    char  *text, *p;

    text = g_base64_encode(data, len);

    for (p = text; *p != '\0'; p++) {

        if (*p == '+') {
            *p = '-';

        } else if (*p == '/') {
            *p = '_';

        } else if (*p == '=') {
            *p = '\0';
            break;
        }
    }

    return text;
}


guint8 *
agent_base64url_decode(const char *text, gsize want)
{
    gsize               i, len;
    g_autofree char    *plain = NULL;
    g_autofree guint8  *data = NULL;

    len = strlen(text);

    if (len != (want * 4 + 2) / 3
        || strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                        "0123456789-_") != len)
    {
        return NULL;
    }

    plain = g_strdup_printf("%s%s", text,
                            (len % 4 == 0) ? "" : &"==="[(len % 4) - 1]);

    for (i = 0; i < len; i++) {

        if (plain[i] == '-') {
            plain[i] = '+';

        } else if (plain[i] == '_') {
            plain[i] = '/';
        }
    }

    data = g_base64_decode(plain, &len);

    return (len == want) ? g_steal_pointer(&data) : NULL;
}
