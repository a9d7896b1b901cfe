
/*
 * Copyright (C) rs-gateway contributors
 *
 * Secrets against docs/protocol/vectors/webhook.json, places, types.
 */


#include "tap.h"
#include "rs_webhook.h"

#include <jansson.h>

#include <string.h>


static void
test_secrets(void)
{
    char      dst[RS_WEBHOOK_SECRET_LEN];
    size_t    i;
    json_t   *v, *item;
    rs_str_t  key;

    v = json_load_file(tap_path("docs/protocol/vectors/webhook.json"), 0,
                       NULL);
    key = rs_str(json_string_value(json_object_get(v, "key")));

    json_array_foreach(json_object_get(v, "secrets"), i, item) {
        is_rc(rs_webhook_secret(dst, key,
                  rs_str(json_string_value(json_object_get(item, "tenant"))),
                  rs_str(json_string_value(json_object_get(item, "id"))),
                  (uint64_t) json_integer_value(json_object_get(item, "n"))),
              RS_OK, "a secret");
        is_str((rs_str_t) { (uint8_t *) dst, sizeof(dst) },
               json_string_value(json_object_get(item, "secret")),
               "as in the vectors");
    }

    ok(i == 4, "all of them");
    json_decref(v);

    key.len = RS_WEBHOOK_KEY_MIN - 1;
    is_rc(rs_webhook_secret(dst, key, RS_STR("t"), RS_STR("i"), 1),
          RS_E_INVALID_VALUE, "a short key");
}


static void
test_urls(void)
{
    char    text[RS_WEBHOOK_URL_MAX + 2];
    size_t  i;

    static const char *const  good[] = {
        "https://a", "https://a.example.net/x?y=1&z=%20", "http://[::1]:80/",
        "https://a:8443", "https://a?x@y", "https://a/@x"
    };

    static const char *const  bad[] = {
        "", "a", "https://", "https:///x", "https://?x", "ftp://a",
        "HTTPS://a", "https:/a", "https://u:p@a/", "https://u@a",
        "https://a/#f", "https://a b", "https://a/\r\nx: y", "https://a/\x7f",
        "https://a/\xc3\xbc", "https://:80/", "https://a/\"", "https://a/\\"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        is_rc(rs_webhook_url_check(rs_str(good[i])), RS_OK, good[i]);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_rc(rs_webhook_url_check(rs_str(bad[i])), RS_E_INVALID_VALUE,
              "no place for a webhook");
    }

    is_rc(rs_webhook_url_check((rs_str_t) { (const uint8_t *) "https://a\0b",
                                            11 }),
          RS_E_INVALID_VALUE, "NUL");

    memset(text, 'a', sizeof(text));
    memcpy(text, "https://", 8);
    text[RS_WEBHOOK_URL_MAX] = '\0';
    is_rc(rs_webhook_url_check(rs_str(text)), RS_OK, "the longest");
    text[RS_WEBHOOK_URL_MAX] = 'a';
    text[RS_WEBHOOK_URL_MAX + 1] = '\0';
    is_rc(rs_webhook_url_check(rs_str(text)), RS_E_INVALID_VALUE,
          "one longer");
}


static void
test_types(void)
{
    int     i;
    size_t  len;

    len = 0;

    for (i = 0; rs_event_types[i]; i++) {
        ok(rs_event_type(rs_str(rs_event_types[i])) == i, "%s",
           rs_event_types[i]);
        len += strlen(rs_event_types[i]) + 1;
    }

    ok(len <= RS_WEBHOOK_TYPES_MAX, "all of them have room");
    ok(rs_event_type(RS_STR("session")) == -1, "no type");
    ok(rs_event_type(RS_STR("")) == -1, "nothing");
}


int
main(void)
{
    test_secrets();
    test_urls();
    test_types();

    return tap_done();
}
