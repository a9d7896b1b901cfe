
/*
 * Copyright (C) rs-gateway contributors
 *
 * The lines of a chain: what is taken, what is signed, and what is neither.
 */


#include "tap.h"
#include "rs_recording.h"
#include "rs_ed25519.h"


#define HASH0                                                                \
    "0000000000000000000000000000000000000000000000000000000000000000"

#define MEDIA                                                                \
    "{\"v\":1,\"kind\":\"media\",\"n\":1,\"t_ms\":0,\"prev\":\"" HASH0 "\","\
    "\"file\":\"000001.cms\",\"sha256\":\"" HASH0 "\",\"bytes\":9,"            \
    "\"dur_ms\":8000,\"key\":true,\"init\":true,"                            \
    "\"mime\":\"video/webm; codecs=\\\"vp8\\\"\""


static const uint8_t  test_seed[RS_ED25519_KEY_LEN] = "the seed of a key";


static size_t test_sign(char *line, size_t size, const char *text);
static rs_err_e test_parse(const char *text, rs_recording_line_t *line);
static void test_kinds(void);
static void test_signature(void);
static void test_malformed(void);
static void test_names(void);


static size_t
test_sign(char *line, size_t size, const char *text)
{
    char     sig[RS_BASE64URL_LEN(RS_RECORDING_SIGNATURE_LEN) + 1];
    size_t   len;
    uint8_t  raw[RS_RECORDING_SIGNATURE_LEN];
    uint8_t  plain[RS_RECORDING_LINE_MAX + sizeof(RS_RECORDING_CONTEXT)];

    len = rs_recording_signed(plain, text, strlen(text));
    (void) rs_ed25519_sign(test_seed, plain, len, raw);
    sig[rs_base64url_encode(sig, raw, sizeof(raw))] = '\0';

    return (size_t) snprintf(line, size, "%s,\"sig\":\"%s\"}", text, sig);
}


static rs_err_e
test_parse(const char *text, rs_recording_line_t *line)
{
    char              signed_text[RS_RECORDING_LINE_MAX + 256];
    size_t            len;
    json_t           *obj;
    rs_err_e          rc;
    rs_json_error_t   err;

    len = test_sign(signed_text, sizeof(signed_text), text);
    rc = rs_recording_parse(signed_text, len, &obj, line, &err);

    if (rc == RS_OK) {
        json_decref(obj);
    }

    return rc;
}


static void
test_kinds(void)
{
    char                 text[RS_RECORDING_LINE_MAX];
    char                 key[RS_BASE64URL_LEN(RS_RECORDING_KEY_LEN) + 1];
    uint8_t              raw[RS_RECORDING_KEY_LEN];
    rs_recording_line_t  l;

    (void) rs_ed25519_public(test_seed, raw);
    key[rs_base64url_encode(key, raw, sizeof(raw))] = '\0';

    (void) snprintf(text, sizeof(text),
        "{\"v\":1,\"kind\":\"begin\",\"n\":0,\"t_ms\":0,\"prev\":\"" HASH0 "\","
        "\"recording_id\":\"rec_aaaaaaaaaaaaaaaaaaaaaaaaaa\","
        "\"session_id\":\"ses_aaaaaaaaaaaaaaaaaaaaaaaaaa\","
        "\"tenant\":\"default\","
        "\"device_id\":\"dev_aaaaaaaaaaaaaaaaaaaaaaaaaa\","
        "\"public_key\":\"%s\",\"started_at\":1795283672000,"
        "\"manifest_sha256\":\"" HASH0 "\"", key);

    is_rc(test_parse(text, &l), RS_OK, "begin");
    is_int(l.kind, RS_RECORDING_BEGIN, "is its kind");
    ok(memcmp(l.public_key, raw, sizeof(raw)) == 0, "with the key");

    is_rc(test_parse(MEDIA, &l), RS_OK, "media");
    ok(l.kind == RS_RECORDING_MEDIA && l.n == 1 && l.key && l.init
       && l.dur_ms == 8000 && l.bytes == 9, "with what it says");

    is_rc(test_parse("{\"v\":1,\"kind\":\"events\",\"n\":2,\"t_ms\":10,"
                     "\"prev\":\"" HASH0 "\","
                     "\"file\":\"events.000001.cms\",\"sha256\":\""
                     HASH0 "\",\"bytes\":9,\"count\":3", &l), RS_OK,
          "events");
    is_rc(test_parse("{\"v\":1,\"kind\":\"gap\",\"n\":3,\"t_ms\":10,\"prev\":\""
                     HASH0 "\",\"dur_ms\":5,\"why\":\"path\"", &l), RS_OK,
          "gap");
    is_int(l.why, RS_RECORDING_WHY_PATH, "and why");
    is_rc(test_parse("{\"v\":1,\"kind\":\"end\",\"n\":4,\"t_ms\":10,\"prev\":\""
                     HASH0 "\",\"state\":\"kept\",\"reason\":\"ended\","
                     "\"segments\":1,\"gaps\":1,\"bytes\":18", &l), RS_OK,
          "end");
    ok(l.kept, "kept");
}


static void
test_signature(void)
{
    char                 text[RS_RECORDING_LINE_MAX + 256];
    size_t               len;
    json_t              *obj;
    uint8_t              raw[RS_RECORDING_KEY_LEN];
    rs_json_error_t      err;
    rs_recording_line_t  l;

    (void) rs_ed25519_public(test_seed, raw);
    len = test_sign(text, sizeof(text), MEDIA);

    is_rc(rs_recording_parse(text, len, &obj, &l, &err), RS_OK, "a line");
    is_int(l.signed_len, strlen(MEDIA), "is signed up to its signature");
    is_rc(rs_recording_verify(raw, text, &l), RS_OK, "by this key");
    text[17]++;
    is_rc(rs_recording_verify(raw, text, &l), RS_E_UNAUTHENTICATED,
          "not if a byte is another one");
    text[17]--;
    raw[0] ^= 1;
    ok(rs_recording_verify(raw, text, &l) != RS_OK, "not by another key");
    json_decref(obj);
}


static void
test_malformed(void)
{
    char                 text[RS_RECORDING_LINE_MAX + 256];
    size_t               len, i;
    json_t              *obj;
    rs_json_error_t      err;
    rs_recording_line_t  l;

    static const char *const  bad[] = {
        "{\"v\":1,\"kind\":\"other\",\"n\":1",
        "{\"v\":1,\"n\":1",
        "{\"v\":2,\"kind\":\"gap\",\"n\":3,\"t_ms\":10,\"prev\":\"" HASH0
        "\",\"dur_ms\":5,\"why\":\"path\"",
        "{\"v\":1,\"kind\":\"gap\",\"n\":-1,\"t_ms\":10,\"prev\":\"" HASH0
        "\",\"dur_ms\":5,\"why\":\"path\"",
        "{\"v\":1,\"kind\":\"gap\",\"n\":3,\"t_ms\":10,\"prev\":\"" HASH0
        "\",\"dur_ms\":5,\"why\":\"other\"",
        "{\"v\":1,\"kind\":\"events\",\"n\":2,\"t_ms\":10,\"prev\":\"" HASH0
        "\",\"file\":\"000001.cms\",\"sha256\":\"" HASH0
        "\",\"bytes\":9,\"count\":3",
        "{\"v\":1,\"kind\":\"events\",\"n\":2,\"t_ms\":10,\"prev\":\"" HASH0
        "\",\"file\":\"../000001.cms\",\"sha256\":\"" HASH0
        "\",\"bytes\":9,\"count\":3",
        MEDIA ",\"more\":1"
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(test_parse(bad[i], &l) != RS_OK, "refused: %.60s", bad[i]);
    }

    len = test_sign(text, sizeof(text), MEDIA);
    ok(rs_recording_parse(text, len - 1, &obj, &l, &err) != RS_OK,
       "cut off");
    text[len] = ' ';
    ok(rs_recording_parse(text, len + 1, &obj, &l, &err) != RS_OK,
       "a blank behind it");
    ok(rs_recording_parse(text, 0, &obj, &l, &err) != RS_OK, "nothing");
}


static void
test_names(void)
{
    int       events;
    char      name[RS_RECORDING_EVENTS_LEN + 1];
    size_t    i;
    unsigned  n;

    static const char *const  bad[] = {
        "", "1.cms", "000000.cms", "00001.cms", "000001.cmS", "00000a.cms",
        "000001.cms0", "event.000001.cms", "events.events.000001.cms",
        "events.000000.cms", "/00001.cms"
    };

    rs_recording_file_name(name, 0, 42);
    ok(rs_recording_file(rs_str(name), &events, &n) && !events && n == 42,
       "%s", name);
    rs_recording_file_name(name, 1, 999999);
    ok(rs_recording_file(rs_str(name), &events, &n) && events && n == 999999,
       "%s", name);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(!rs_recording_file(rs_str(bad[i]), &events, &n), "not \"%s\"",
           bad[i]);
    }
}


int
main(void)
{
    test_kinds();
    test_signature();
    test_malformed();
    test_names();

    return tap_done();
}
