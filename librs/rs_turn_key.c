
/*
 * Copyright (C) rs-gateway contributors
 *
 * Derived TURN secrets: the key file and the derivation.
 */


#include "rs_turn_key.h"

#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>


#define RS_TURN_SHA256_LEN  32
#define RS_TURN_INFO        "rs-turn"
#define RS_TURN_INFO_LEN    (sizeof(RS_TURN_INFO) - 1)


static const char *rs_turn_key_line(rs_turn_key_t *key, rs_str_t line);
static const char *rs_turn_key_add(rs_turn_key_t *key, rs_str_t word,
    uint64_t from);
static rs_str_t rs_turn_key_word(rs_str_t *rest);
static int rs_turn_key_start(rs_str_t word, uint64_t *epoch);
static int rs_turn_key_digits(rs_str_t word, size_t from, size_t n,
    unsigned *v);
static const rs_turn_master_t *rs_turn_key_of(const rs_turn_key_t *key,
    uint64_t epoch);


rs_err_e
rs_turn_key_parse(rs_turn_key_t *key, rs_str_t text, rs_turn_key_error_t *e)
{
    int                  more;
    rs_str_t             line;
    rs_turn_key_error_t  none;

    e = (e != NULL) ? e : &none;
    e->line = 0;
    e->text = NULL;

    memset(key, 0, sizeof(rs_turn_key_t));

    if (text.len > RS_TURN_KEY_FILE_MAX) {
        e->text = "a key file has at most 16384 bytes";
        return RS_E_INVALID_VALUE;
    }

    do {
        more = rs_str_split(text, '\n', &line, &text);
        e->line++;
        e->text = rs_turn_key_line(key, line);
    } while (more && e->text == NULL);

    if (e->text == NULL && key->n == 0) {
        e->line = 0;
        e->text = "there is no key in it: write a line with what "
                  "\"openssl rand -hex 32\" prints";
    }

    if (e->text != NULL) {
        rs_turn_key_clear(key);
        return RS_E_INVALID_VALUE;
    }

    e->line = 0;

    return RS_OK;
}


/* NULL: taken, or nothing is in it */

static const char *
rs_turn_key_line(rs_turn_key_t *key, rs_str_t line)
{
    uint64_t  from;
    rs_str_t  word, keyword, start, comment;

    (void) rs_str_split(line, '#', &line, &comment);

    word = rs_turn_key_word(&line);
    keyword = rs_turn_key_word(&line);
    start = rs_turn_key_word(&line);

    if (word.len == 0) {
        return NULL;
    }

    from = 0;

    if (keyword.len != 0) {
        if (!rs_str_eq(keyword, RS_STR("from"))
            || !rs_turn_key_start(start, &from)
            || rs_turn_key_word(&line).len != 0)
        {
            return "after the key may only stand \"from YYYY-MM-DD\", or "
                   "\"from\" and that day's number since 1970-01-01";
        }

    } else if (key->n != 0) {
        return "only the first key may be without a start: write \"from "
               "YYYY-MM-DD\" after it";
    }

    if (key->n != 0 && from <= key->list[key->n - 1].from) {
        return "each key must start later than the one before it";
    }

    return rs_turn_key_add(key, word, from);
}


static const char *
rs_turn_key_add(rs_turn_key_t *key, rs_str_t word, uint64_t from)
{
    size_t             i, len;
    rs_turn_master_t  *m;

    if (key->n == RS_TURN_KEYS_MAX) {
        return "a key file has at most 64 keys: remove the oldest";
    }

    m = &key->list[key->n];

    if (!rs_hex_decode(m->master, sizeof(m->master), word, &len)
        || len != RS_TURN_MASTER_LEN)
    {
        return "a key is 64 lower-case hexadecimal digits, as \"openssl rand "
               "-hex 32\" prints them";
    }

    if (rs_turn_secret_check(word) != RS_OK) {
        return "this key can be guessed: use what \"openssl rand -hex 32\" "
               "prints";
    }

    for (i = 0; i < key->n; i++) {
        if (CRYPTO_memcmp(key->list[i].master, m->master, sizeof(m->master))
            == 0)
        {
            return "this key is in the file already: a new start needs a new "
                   "key";
        }
    }

    m->from = from;
    key->n++;

    return NULL;
}


/* up to the next blank; a line may end with a CR */

static rs_str_t
rs_turn_key_word(rs_str_t *rest)
{
    size_t    i, n;
    rs_str_t  word;

    for (i = 0; i < rest->len; i++) {
        if (memchr(" \t\r", rest->data[i], 3) == NULL) {
            break;
        }
    }

    for (n = i; n < rest->len; n++) {
        if (memchr(" \t\r", rest->data[n], 3) != NULL) {
            break;
        }
    }

    word = (rs_str_t) { rest->data + i, n - i };
    *rest = (rs_str_t) { rest->data + n, rest->len - n };

    return word;
}


static int
rs_turn_key_start(rs_str_t word, uint64_t *epoch)
{
    unsigned  y, m, d, era, doy;

    static const unsigned  days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    if (rs_u64_parse(word, RS_TURN_EPOCH_MAX, epoch)) {
        return 1;
    }

    if (word.len != 10 || word.data[4] != '-' || word.data[7] != '-'
        || !rs_turn_key_digits(word, 0, 4, &y)
        || !rs_turn_key_digits(word, 5, 2, &m)
        || !rs_turn_key_digits(word, 8, 2, &d)
        || y < 1970 || m < 1 || m > 12 || d < 1)
    {
        return 0;
    }

    if (d > days[m - 1]
        && !(m == 2 && d == 29
             && y % 4 == 0 && (y % 100 != 0 || y % 400 == 0)))
    {
        return 0;
    }

    /* years begin with March, so that the leap day is their last */

    y -= (m <= 2);
    era = y / 400;
    doy = (153 * (m + (m > 2 ? 0U : 12U) - 3) + 2) / 5 + d - 1;
    y %= 400;

    *epoch = (uint64_t) era * 146097 + y * 365 + y / 4 - y / 100 + doy
             - 719468;

    return 1;
}


static int
rs_turn_key_digits(rs_str_t word, size_t from, size_t n, unsigned *v)
{
    size_t  i;

    *v = 0;

    for (i = from; i < from + n; i++) {
        if (word.data[i] < '0' || word.data[i] > '9') {
            return 0;
        }

        *v = *v * 10 + (unsigned) (word.data[i] - '0');
    }

    return 1;
}


void
rs_turn_key_clear(rs_turn_key_t *key)
{
    OPENSSL_cleanse(key, sizeof(rs_turn_key_t));
}


rs_err_e
rs_turn_realm_check(rs_str_t realm)
{
    size_t   i;
    uint8_t  c;

    if (realm.len == 0 || realm.len > RS_TURN_REALM_MAX) {
        return RS_E_INVALID_VALUE;
    }

    for (i = 0; i < realm.len; i++) {
        c = realm.data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
              || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-'))
        {
            return RS_E_INVALID_VALUE;
        }
    }

    return RS_OK;
}


static const rs_turn_master_t *
rs_turn_key_of(const rs_turn_key_t *key, uint64_t epoch)
{
    size_t  i;

    for (i = key->n; i-- > 0; /* void */ ) {
        if (key->list[i].from <= epoch) {
            return &key->list[i];
        }
    }

    return NULL;
}


/* RFC 5869; 32 bytes are the first block of its second step */

rs_err_e
rs_turn_key_secret(char *dst, const rs_turn_key_t *key, rs_str_t realm,
    uint64_t epoch)
{
    int                      i, done;
    uint8_t                  info[RS_TURN_INFO_LEN + 8 + 1];
    uint8_t                  prk[EVP_MAX_MD_SIZE], okm[EVP_MAX_MD_SIZE];
    const rs_turn_master_t  *m;

    if (rs_turn_realm_check(realm) != RS_OK) {
        return RS_E_INVALID_VALUE;
    }

    m = rs_turn_key_of(key, epoch);
    if (m == NULL) {
        return RS_E_NOT_FOUND;
    }

    memcpy(info, RS_TURN_INFO, RS_TURN_INFO_LEN);

    for (i = 0; i < 8; i++) {
        info[RS_TURN_INFO_LEN + (size_t) i] =
                                       (uint8_t) (epoch >> (56 - 8 * i));
    }

    info[sizeof(info) - 1] = 1;

    done = HMAC(EVP_sha256(), realm.data, (int) realm.len, m->master,
                RS_TURN_MASTER_LEN, prk, NULL) != NULL
           && HMAC(EVP_sha256(), prk, RS_TURN_SHA256_LEN, info, sizeof(info),
                   okm, NULL) != NULL;

    if (done) {
        (void) rs_hex_encode(dst, okm, RS_TURN_SHA256_LEN);
    }

    OPENSSL_cleanse(prk, sizeof(prk));
    OPENSSL_cleanse(okm, sizeof(okm));

    return done ? RS_OK : RS_E_INTERNAL;
}


rs_err_e
rs_turn_key_password(char *dst, const rs_turn_key_t *key, rs_str_t realm,
    rs_str_t username)
{
    char            secret[RS_TURN_DERIVED_LEN];
    rs_err_e        rc;
    rs_turn_user_t  user;

    if (rs_turn_user_parse(username, &user) != RS_OK) {
        return RS_E_UNAUTHENTICATED;
    }

    rc = rs_turn_key_secret(secret, key, realm,
                            user.expires_at / RS_TURN_EPOCH);
    if (rc != RS_OK) {
        return rc;
    }

    rc = rs_turn_password(dst, (rs_str_t) { (uint8_t *) secret,
                                            sizeof(secret) }, username);
    OPENSSL_cleanse(secret, sizeof(secret));

    return rc;
}
