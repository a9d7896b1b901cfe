
/*
 * Copyright (C) rs-gateway contributors
 *
 * TURN credentials: the vectors that all implementations share, RFC 2202, and
 * what is minted here verifies here.
 */


#include "tap.h"
#include "rs_turn_cred.h"

#include <jansson.h>


#define SECRETS_MAX  4


static rs_str_t
text_of(const json_t *obj, const char *name)
{
    return rs_str(json_string_value(json_object_get(obj, name)));
}


static void
test_credentials(const json_t *list)
{
    char            made[RS_TURN_USERNAME_MAX];
    size_t          i, k, n;
    json_t         *c, *secret;
    rs_err_e        rc;
    rs_str_t        name, username, secrets[SECRETS_MAX];
    rs_turn_user_t  user;

    ok(json_array_size(list) > 20, "there are vectors");

    json_array_foreach(list, i, c) {
        n = 0;

        json_array_foreach(json_object_get(c, "secrets"), k, secret) {
            secrets[n++] = rs_str(json_string_value(secret));
        }

        name = text_of(c, "name");
        username = text_of(c, "username");

        rc = rs_turn_verify(username, text_of(c, "password"), secrets, n,
                            (uint64_t) json_integer_value(
                                           json_object_get(c, "now")),
                            &user);

        ok(rc == (json_is_true(json_object_get(c, "valid"))
                  ? RS_OK : RS_E_UNAUTHENTICATED),
           "%.*s", (int) name.len, (const char *) name.data);

        if (rc == RS_OK) {
            n = rs_turn_user_format(made, &user);
            ok(rs_str_eq((rs_str_t) { (uint8_t *) made, n }, username),
               "its parts make the same name");
        }
    }
}


static void
test_secrets(const json_t *strong, const json_t *weak)
{
    size_t   i;
    json_t  *s;

    json_array_foreach(strong, i, s) {
        is_rc(rs_turn_secret_check(rs_str(json_string_value(s))), RS_OK,
              json_string_value(s));
    }

    json_array_foreach(weak, i, s) {
        ok(rs_turn_secret_check(rs_str(json_string_value(s)))
           == RS_E_INVALID_VALUE, "weak secret number %zu", i);
    }

    ok(i > 10, "there are weak ones");
}


static void
test_check(void)
{
    rs_turn_user_t  user;

    is_rc(rs_turn_user_parse(RS_STR("1:acme.ses_aaaaaaaaaaaaaaaaaaaaaaaaaa."
                                    RS_TURN_CHECK_PARTICIPANT), &user), RS_OK,
          "a check is well formed");
    ok(rs_turn_user_is_check(&user), "and is one");
    user.participant_id = RS_STR("par_checkcheckcheckcheckcheckb");
    ok(!rs_turn_user_is_check(&user), "another participant is none");
}


/* RFC 2202, 3 */

static void
test_hmac(void)
{
    char       password[RS_TURN_PASSWORD_LEN];
    size_t     i, len;
    uint8_t    key[128], digest[20], want[20];
    rs_str_t   secret;
    uint8_t    data[64];

    static const struct {
        const char  *key;
        const char  *data;
        const char  *digest;
    } cases[] = {
        { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
          "b617318655057264e28bc0b6fb378c8ef146be00" },
        { "4a656665",
          "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
          "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
        { "0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c",
          "546573742057697468205472756e636174696f6e",
          "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04" },
    };

    secret.data = key;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        secret.len = tap_hex(key, sizeof(key), cases[i].key);
        len = tap_hex(data, sizeof(data), cases[i].data);
        (void) tap_hex(want, sizeof(want), cases[i].digest);

        is_rc(rs_turn_password(password, secret,
                               (rs_str_t) { data, len }), RS_OK,
              "HMAC-SHA1");
        ok(rs_base64_decode(digest, sizeof(digest),
                            (rs_str_t) { (uint8_t *) password,
                                         sizeof(password) }, &len)
           && memcmp(digest, want, sizeof(want)) == 0, "its digest");
    }

    secret.len = 0;
    is_rc(rs_turn_password(password, secret, RS_STR("x")),
          RS_E_INVALID_VALUE, "no secret");
    secret.len = RS_TURN_SECRET_MAX + 1;
    is_rc(rs_turn_password(password, secret, RS_STR("x")),
          RS_E_INVALID_VALUE, "one that is too long");
}


static void
test_format(void)
{
    char            text[RS_TURN_USERNAME_MAX];
    rs_turn_user_t  user;

    user.expires_at = 5;
    user.tenant = RS_STR("t");
    user.session_id = RS_STR("ses_aaaaaaaaaaaaaaaaaaaaaaaaaa");
    user.participant_id = RS_STR("par_cccccccccccccccccccccccccc");

    is_str((rs_str_t) { (uint8_t *) text, rs_turn_user_format(text, &user) },
           "5:t.ses_aaaaaaaaaaaaaaaaaaaaaaaaaa."
           "par_cccccccccccccccccccccccccc", "a user name");

    user.tenant = RS_STR("t.");
    is_int(rs_turn_user_format(text, &user), 0, "bad tenant");
    user.tenant = RS_STR("t");
    user.session_id = user.participant_id;
    is_int(rs_turn_user_format(text, &user), 0, "bad session");
    user.session_id = RS_STR("ses_aaaaaaaaaaaaaaaaaaaaaaaaaa");
    user.participant_id.len--;
    is_int(rs_turn_user_format(text, &user), 0, "bad participant");
}


/* who asks again has the same name for a while, and never an older one */

static void
test_expiry(void)
{
    uint64_t  now, ttl, expiry, last, bad, names;

    for (ttl = 1; ttl <= 600; ttl += (ttl < 20) ? 1 : 97) {

        last = 0;
        bad = 0;
        names = 0;

        for (now = 1790000000; now < 1790000000 + 8 * ttl; now++) {
            expiry = rs_turn_expiry(now, ttl, 0);

            bad += expiry < last || expiry > now + ttl
                   || (expiry - now) * 4 < ttl * 3;
            names += expiry != last;
            last = expiry;
        }

        is_int(bad, 0, "neither too short nor too long, nor before");
        ok(ttl < 8 || names <= 48, "%u names in %u s", (unsigned) names,
           (unsigned) (8 * ttl));
    }

    is_int(rs_turn_expiry(1790000000, 300, 1790000100), 1790000100,
           "not longer than the session");
    is_int(rs_turn_expiry(1790000000, 300, 1790009999),
           rs_turn_expiry(1790000000, 300, 0), "which is long");
    is_int(rs_turn_expiry(1790000000, 300, 1789999999), 1789999999,
           "or over");
}


int
main(void)
{
    json_t        *file;
    json_error_t   e;

    file = json_load_file(tap_path("librs/t/vectors/turn_cred.json"), 0, &e);

    if (!ok(file != NULL, "the vectors are read")) {
        return tap_done();
    }

    test_credentials(json_object_get(file, "credentials"));
    test_secrets(json_object_get(file, "strong_secrets"),
                 json_object_get(file, "weak_secrets"));
    test_check();
    test_hmac();
    test_format();
    test_expiry();

    json_decref(file);

    return tap_done();
}
