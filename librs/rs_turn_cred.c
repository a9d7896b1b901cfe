
/*
 * Copyright (C) rs-gateway contributors
 *
 * TURN REST credentials.
 */


#include "rs_turn_cred.h"

#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>


#define RS_TURN_DIGEST_LEN    20
#define RS_TURN_DISTINCT_MIN  8


static int rs_turn_secret_has(rs_str_t secret, rs_str_t word);
static int rs_turn_secret_repeats(rs_str_t secret);
static int rs_turn_secret_counts(rs_str_t secret);
static unsigned rs_turn_secret_distinct(rs_str_t secret);
static rs_err_e rs_turn_user_check(const rs_turn_user_t *user);


/* of manuals, examples and placeholders; lower case */

static const char *const  rs_turn_words[] = {
    "changeme", "change-me", "change_me", "changethis", "change-this",
    "change_this", "example", "replace", "placeholder", "your-secret",
    "your_secret", "yoursecret", "my-secret", "my_secret", "mysecret",
    "long-and-cryptic", "password", "northlogen", "north-logen",
    NULL
};


rs_err_e
rs_turn_secret_check(rs_str_t secret)
{
    size_t              i;
    const char *const  *word;

    if (secret.len < RS_TURN_SECRET_MIN || secret.len > RS_TURN_SECRET_MAX) {
        return RS_E_INVALID_VALUE;
    }

    for (i = 0; i < secret.len; i++) {
        if (secret.data[i] <= 0x20 || secret.data[i] >= 0x7f) {
            return RS_E_INVALID_VALUE;
        }
    }

    for (word = rs_turn_words; *word != NULL; word++) {
        if (rs_turn_secret_has(secret, rs_str(*word))) {
            return RS_E_INVALID_VALUE;
        }
    }

    if (rs_turn_secret_distinct(secret) < RS_TURN_DISTINCT_MIN
        || rs_turn_secret_repeats(secret)
        || rs_turn_secret_counts(secret))
    {
        return RS_E_INVALID_VALUE;
    }

    return RS_OK;
}


static int
rs_turn_secret_has(rs_str_t secret, rs_str_t word)
{
    size_t    i;
    rs_str_t  piece;

    for (i = 0; i + word.len <= secret.len; i++) {
        piece.data = secret.data + i;
        piece.len = word.len;

        if (rs_str_eq_ci(piece, word)) {
            return 1;
        }
    }

    return 0;
}


static unsigned
rs_turn_secret_distinct(rs_str_t secret)
{
    size_t    i;
    uint8_t   seen[256];
    unsigned  n;

    memset(seen, 0, sizeof(seen));
    n = 0;

    for (i = 0; i < secret.len; i++) {
        n += !seen[secret.data[i]];
        seen[secret.data[i]] = 1;
    }

    return n;
}


/* one piece again and again, the last one perhaps cut off */

static int
rs_turn_secret_repeats(rs_str_t secret)
{
    size_t  period;

    for (period = 1; period <= secret.len / 2; period++) {
        if (memcmp(secret.data, secret.data + period, secret.len - period)
            == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* three quarters of its steps go to the next character: "0123456789abc..." */

static int
rs_turn_secret_counts(rs_str_t secret)
{
    size_t  i, n;

    n = 0;

    for (i = 1; i < secret.len; i++) {
        n += secret.data[i] == secret.data[i - 1] + 1;
    }

    return n >= secret.len * 3 / 4;
}


static rs_err_e
rs_turn_user_check(const rs_turn_user_t *user)
{
    if (rs_tenant_check(user->tenant) != RS_OK
        || rs_id_check(user->session_id, RS_ID_SESSION) != RS_OK
        || rs_id_check(user->participant_id, RS_ID_PARTICIPANT) != RS_OK)
    {
        return RS_E_UNAUTHENTICATED;
    }

    return RS_OK;
}


rs_err_e
rs_turn_user_parse(rs_str_t username, rs_turn_user_t *user)
{
    rs_str_t  expiry, rest;

    memset(user, 0, sizeof(rs_turn_user_t));

    if (username.len > RS_TURN_USERNAME_MAX
        || !rs_str_split(username, ':', &expiry, &rest)
        || !rs_u64_parse(expiry, UINT64_MAX, &user->expires_at)
        || !rs_str_split(rest, '.', &user->tenant, &rest)
        || !rs_str_split(rest, '.', &user->session_id,
                         &user->participant_id))
    {
        return RS_E_UNAUTHENTICATED;
    }

    return rs_turn_user_check(user);
}


int
rs_turn_user_is_check(const rs_turn_user_t *user)
{
    return rs_str_eq(user->participant_id, RS_STR(RS_TURN_CHECK_PARTICIPANT));
}


size_t
rs_turn_user_format(char *dst, const rs_turn_user_t *user)
{
    rs_buf_t  b;

    if (rs_turn_user_check(user) != RS_OK) {
        return 0;
    }

    rs_buf_init(&b, dst, RS_TURN_USERNAME_MAX);
    rs_buf_u64(&b, user->expires_at);
    rs_buf_char(&b, ':');
    rs_buf_str(&b, user->tenant);
    rs_buf_char(&b, '.');
    rs_buf_str(&b, user->session_id);
    rs_buf_char(&b, '.');
    rs_buf_str(&b, user->participant_id);

    return b.len;
}


uint64_t
rs_turn_expiry(uint64_t now, uint64_t ttl, uint64_t until)
{
    uint64_t  step, expiry;

    step = ttl / 4;
    expiry = (step ? now - now % step : now) + ttl;

    return (until && until < expiry) ? until : expiry;
}


rs_err_e
rs_turn_password(char *dst, rs_str_t secret, rs_str_t username)
{
    uint8_t   digest[EVP_MAX_MD_SIZE];
    unsigned  len;

    if (secret.len == 0 || secret.len > RS_TURN_SECRET_MAX) {
        return RS_E_INVALID_VALUE;
    }

    if (HMAC(EVP_sha1(), secret.data, (int) secret.len, username.data,
             username.len, digest, &len)
        == NULL)
    {
        return RS_E_INTERNAL;
    }

    (void) rs_base64_encode(dst, digest, RS_TURN_DIGEST_LEN);
    OPENSSL_cleanse(digest, sizeof(digest));

    return RS_OK;
}


rs_err_e
rs_turn_verify(rs_str_t username, rs_str_t password, const rs_str_t *secrets,
    size_t n, uint64_t now, rs_turn_user_t *user)
{
    int       good;
    char      right[RS_TURN_PASSWORD_LEN];
    size_t    i;
    rs_str_t  text;

    if (rs_turn_user_parse(username, user) != RS_OK
        || now > user->expires_at)
    {
        return RS_E_UNAUTHENTICATED;
    }

    good = 0;
    text.data = (uint8_t *) right;
    text.len = sizeof(right);

    for (i = 0; i < n; i++) {
        if (rs_turn_password(right, secrets[i], username) == RS_OK) {
            good |= rs_str_eq_secret(text, password);
        }
    }

    OPENSSL_cleanse(right, sizeof(right));

    return good ? RS_OK : RS_E_UNAUTHENTICATED;
}
