
/*
 * Copyright (C) rs-gateway contributors
 *
 * Secrets of the realm.
 */


#include "turn_secret.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>


#define TURN_SECRET_MD5  16


struct turn_secret_s {
    rs_str_t        realm;            /* of realm_text */
    char            realm_text[RS_TURN_REALM_MAX + 1];
    unsigned        derived;
    size_t          len;              /* of the static one */
    char            text[TURN_CONF_SECRET_MAX + 1];
    rs_turn_key_t   key;

    /* those of turn_secret_list(), which are of days */

    uint64_t        epoch;
    size_t          n;                /* 0: none yet */
    char            list[TURN_SECRETS_MAX][RS_TURN_DERIVED_LEN];
};


static int turn_secret_read(turn_secret_t *s, const turn_conf_t *conf,
    char *error);
static int turn_secret_read_key(rs_turn_key_t *key, const char *path,
    char *error);


turn_secret_t *
turn_secret_create(const turn_conf_t *conf, char *error)
{
    turn_secret_t  *s;

    s = calloc(1, sizeof(turn_secret_t));

    if (s == NULL) {
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "out of memory");
        return NULL;
    }

    (void) snprintf(s->realm_text, sizeof(s->realm_text), "%s", conf->realm);
    s->realm = rs_str(s->realm_text);

    if (!turn_secret_read(s, conf, error)) {
        turn_secret_free(s);
        return NULL;
    }

    return s;
}


void
turn_secret_free(turn_secret_t *s)
{
    if (s != NULL) {
        OPENSSL_cleanse(s, sizeof(*s));
        free(s);
    }
}


static int
turn_secret_read(turn_secret_t *s, const turn_conf_t *conf, char *error)
{
    rs_str_t  secret;

    if (conf->key_file != NULL) {
        s->derived = 1;
        return turn_secret_read_key(&s->key, conf->key_file, error);
    }

    if (!turn_conf_secret(conf->secret_file, s->text, &s->len, error)) {
        return 0;
    }

    secret = (rs_str_t) { (uint8_t *) s->text, s->len };

    if (rs_turn_secret_check(secret) != RS_OK) {
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "%s: the secret is weak: "
                        "take the output of openssl rand -hex 32, here and "
                        "in the gateway's rs_turn_secret_file",
                        conf->secret_file);
        return 0;
    }

    return 1;
}


static int
turn_secret_read_key(rs_turn_key_t *key, const char *path, char *error)
{
    FILE                *f;
    char                 text[RS_TURN_KEY_FILE_MAX + 1];
    size_t               n;
    rs_err_e             rc;
    struct stat          st;
    rs_turn_key_error_t  e;

    f = fopen(path, "re");

    if (f == NULL || fstat(fileno(f), &st) != 0) {
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "%s: %s", path,
                        strerror(errno));

        if (f != NULL) {
            (void) fclose(f);
        }

        return 0;
    }

    if (st.st_mode & S_IRWXO) {
        (void) fclose(f);
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "%s: everybody may read "
                        "or write it: chmod 600, or 640 with the group of "
                        "the daemon", path);
        return 0;
    }

    setbuf(f, NULL);
    n = fread(text, 1, sizeof(text), f);
    (void) fclose(f);

    rc = rs_turn_key_parse(key, (rs_str_t) { (uint8_t *) text, n }, &e);
    OPENSSL_cleanse(text, sizeof(text));

    if (rc != RS_OK) {
        (void) snprintf(error, TURN_CONF_ERROR_MAX, "%s:%u: %s", path,
                        e.line, e.text);
        return 0;
    }

    return 1;
}


size_t
turn_secret_list(turn_secret_t *s, uint64_t now,
    rs_str_t list[TURN_SECRETS_MAX])
{
    size_t    i;
    uint64_t  epoch;

    /* coturn tries them in turn: today's is what most are made with */

    static const int  days[TURN_SECRETS_MAX] = { 0, 1, -1 };

    if (!s->derived) {
        list[0] = (rs_str_t) { (uint8_t *) s->text, s->len };
        return 1;
    }

    epoch = now / RS_TURN_EPOCH;

    if (s->n == 0 || s->epoch != epoch) {
        s->n = 0;
        s->epoch = epoch;

        for (i = 0; i < TURN_SECRETS_MAX; i++) {
            if ((epoch > 0 || days[i] >= 0)
                && rs_turn_key_secret(s->list[s->n], &s->key, s->realm,
                                      epoch + (uint64_t) days[i]) == RS_OK)
            {
                s->n++;
            }
        }
    }

    for (i = 0; i < s->n; i++) {
        list[i] = (rs_str_t) { (uint8_t *) s->list[i], RS_TURN_DERIVED_LEN };
    }

    return s->n;
}


rs_err_e
turn_secret_password(const turn_secret_t *s, char *dst, rs_str_t username)
{
    rs_str_t        secret;
    rs_turn_user_t  user;

    if (s->derived) {
        return rs_turn_key_password(dst, &s->key, s->realm, username);
    }

    if (rs_turn_user_parse(username, &user) != RS_OK) {
        return RS_E_UNAUTHENTICATED;
    }

    secret = (rs_str_t) { (const uint8_t *) s->text, s->len };

    return rs_turn_password(dst, secret, username);
}


rs_err_e
turn_secret_key(const turn_secret_t *s, char *dst, rs_str_t username)
{
    char       password[RS_TURN_PASSWORD_LEN];
    uint8_t    text[RS_TURN_USERNAME_MAX + RS_TURN_REALM_MAX
                    + RS_TURN_PASSWORD_LEN + 2];
    uint8_t    md[EVP_MAX_MD_SIZE];
    rs_buf_t   b;
    unsigned   n;
    rs_err_e   rc;

    rc = turn_secret_password(s, password, username);

    if (rc != RS_OK) {
        return rc;
    }

    rs_buf_init(&b, text, sizeof(text));
    rs_buf_str(&b, username);
    rs_buf_char(&b, ':');
    rs_buf_str(&b, s->realm);
    rs_buf_char(&b, ':');
    rs_buf_put(&b, password, sizeof(password));

    /* MD5 is what RFC 8489, 9.2.2, says, and all that coturn stores */

    if (b.overflow || !EVP_Digest(text, b.len, md, &n, EVP_md5(), NULL)
        || n != TURN_SECRET_MD5)
    {
        rc = RS_E_INTERNAL;

    } else {
        (void) rs_hex_encode(dst, md, n);
    }

    OPENSSL_cleanse(password, sizeof(password));
    OPENSSL_cleanse(text, sizeof(text));

    return rc;
}
