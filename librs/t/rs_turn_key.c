
/*
 * Copyright (C) rs-gateway contributors
 *
 * Derived TURN secrets: the vectors that all implementations share, and the
 * bounds of the key file.
 */


#include "tap.h"
#include "rs_turn_key.h"

#include <jansson.h>


static rs_turn_key_t  key;


/* may have a NUL in it */

static rs_str_t
text_of(const json_t *obj, const char *name)
{
    const json_t  *s;

    s = json_object_get(obj, name);

    return (rs_str_t) { (const uint8_t *) json_string_value(s),
                        json_string_length(s) };
}


static void
test_secrets(const json_t *list)
{
    char      secret[RS_TURN_DERIVED_LEN];
    size_t    i;
    json_t   *c;
    rs_err_e  rc;
    rs_str_t  want;

    json_array_foreach(list, i, c) {
        is_rc(rs_turn_key_parse(&key, text_of(c, "file"), NULL), RS_OK,
              "its file");

        want = text_of(c, "secret");
        rc = rs_turn_key_secret(secret, &key, text_of(c, "realm"),
                                (uint64_t) json_integer_value(
                                               json_object_get(c, "epoch")));

        if (want.len == 0) {
            is_rc(rc, RS_E_NOT_FOUND, json_string_value(
                                          json_object_get(c, "name")));
            continue;
        }

        ok(rc == RS_OK
           && rs_str_eq((rs_str_t) { (uint8_t *) secret, sizeof(secret) },
                        want),
           "%s", json_string_value(json_object_get(c, "name")));

        is_rc(rs_turn_secret_check(want), RS_OK, "and is a strong secret");
    }

    ok(i > 10, "there are secrets");
}


static void
test_passwords(const json_t *list)
{
    char      password[RS_TURN_PASSWORD_LEN];
    size_t    i;
    json_t   *c;
    rs_err_e  rc;
    rs_str_t  want;

    json_array_foreach(list, i, c) {
        is_rc(rs_turn_key_parse(&key, text_of(c, "file"), NULL), RS_OK,
              "its file");

        want = text_of(c, "password");
        rc = rs_turn_key_password(password, &key, text_of(c, "realm"),
                                  text_of(c, "username"));

        ok(want.len == 0
           ? rc == RS_E_NOT_FOUND || rc == RS_E_UNAUTHENTICATED
           : rc == RS_OK
             && rs_str_eq((rs_str_t) { (uint8_t *) password,
                                       sizeof(password) }, want),
           "%s", json_string_value(json_object_get(c, "name")));
    }

    ok(i > 8, "there are passwords");
}


static void
test_files(const json_t *good, const json_t *bad)
{
    size_t               i;
    json_t              *c;
    rs_err_e             rc;
    rs_turn_key_error_t  e;

    json_array_foreach(good, i, c) {
        rc = rs_turn_key_parse(&key, text_of(c, "text"), &e);
        ok(rc == RS_OK && e.line == 0 && e.text == NULL
           && key.n == (size_t) json_integer_value(
                                    json_object_get(c, "keys")),
           "%s", json_string_value(json_object_get(c, "name")));
    }

    ok(i > 8, "there are files");

    json_array_foreach(bad, i, c) {
        rc = rs_turn_key_parse(&key, text_of(c, "text"), &e);
        ok(rc == RS_E_INVALID_VALUE && e.text != NULL && key.n == 0
           && e.line == (unsigned) json_integer_value(
                                       json_object_get(c, "line")),
           "%s", json_string_value(json_object_get(c, "name")));
    }

    ok(i > 20, "there are bad ones");
}


static rs_str_t
file_of(char *text, size_t size, unsigned n)
{
    unsigned  i;
    size_t    len;

    for (i = 0, len = 0; i < n; i++) {
        len += (size_t) snprintf(text + len, size - len,
            "8e1c74f0a95d3b62%04x5f09bd7731ce48a2d6f01b9c835e7a4fd2069c1b7e38"
            " from %u\n", i, i + 1);
    }

    return (rs_str_t) { (uint8_t *) text, len };
}


static void
test_bounds(void)
{
    size_t               i;
    static char          text[RS_TURN_KEY_FILE_MAX + 2];
    rs_str_t             s;
    rs_turn_key_error_t  e;

    is_rc(rs_turn_key_parse(&key, file_of(text, sizeof(text),
                                          RS_TURN_KEYS_MAX), &e),
          RS_OK, "64 keys");
    is_int(key.n, RS_TURN_KEYS_MAX, "all of them");
    is_rc(rs_turn_key_parse(&key, file_of(text, sizeof(text),
                                          RS_TURN_KEYS_MAX + 1), &e),
          RS_E_INVALID_VALUE, "65 keys");
    is_int(e.line, RS_TURN_KEYS_MAX + 1, "at the last one");

    for (i = 0; i < sizeof(key) && ((uint8_t *) &key)[i] == 0; i++) {
        /* void */
    }

    is_int(i, sizeof(key), "nothing is left of them");

    s = file_of(text, sizeof(text), 1);
    memset(text + s.len, '\n', sizeof(text) - s.len);
    s.len = RS_TURN_KEY_FILE_MAX;
    is_rc(rs_turn_key_parse(&key, s, &e), RS_OK, "the largest file");
    s.len++;
    is_rc(rs_turn_key_parse(&key, s, &e), RS_E_INVALID_VALUE,
          "one byte more");
    is_int(e.line, 0, "all of it");
    is_rc(rs_turn_key_parse(&key, s, NULL), RS_E_INVALID_VALUE,
          "nobody wants to know");
}


static void
test_realms(void)
{
    char    secret[RS_TURN_DERIVED_LEN];
    char    name[RS_TURN_REALM_MAX + 1];
    size_t  i;

    static const char *const  good[] = { "r", "example.org", "A_b-9" };
    static const char *const  bad[] = {
        "", "a/b", "a b", "a:b", "a*", "\"a\"", "a\n", "\xc3\xa4", "a\x7f"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        is_rc(rs_turn_realm_check(rs_str(good[i])), RS_OK, good[i]);
    }

    (void) rs_turn_key_parse(&key, RS_STR(""), NULL);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_rc(rs_turn_realm_check(rs_str(bad[i])), RS_E_INVALID_VALUE,
              "no realm");
        is_rc(rs_turn_key_secret(secret, &key, rs_str(bad[i]), 1),
              RS_E_INVALID_VALUE, "nor a secret of it");
    }

    memset(name, 'a', sizeof(name));
    is_rc(rs_turn_realm_check((rs_str_t) { (uint8_t *) name,
                                           sizeof(name) }),
          RS_E_INVALID_VALUE, "128 characters");
    is_rc(rs_turn_realm_check((rs_str_t) { (uint8_t *) name,
                                           sizeof(name) - 1 }),
          RS_OK, "127 characters");
    is_rc(rs_turn_key_secret(secret, &key, RS_STR("r"), 1), RS_E_NOT_FOUND,
          "no keys, no secret");
}


int
main(void)
{
    json_t        *file;
    json_error_t   e;

    file = json_load_file(tap_path("librs/t/vectors/turn_key.json"),
                          JSON_ALLOW_NUL, &e);

    if (!ok(file != NULL, "the vectors are read")) {
        return tap_done();
    }

    test_secrets(json_object_get(file, "secrets"));
    test_passwords(json_object_get(file, "passwords"));
    test_files(json_object_get(file, "files"),
               json_object_get(file, "bad_files"));
    test_bounds();
    test_realms();

    json_decref(file);

    return tap_done();
}
