
/*
 * Copyright (C) rs-gateway contributors
 *
 * Strict JSON: what is loaded, what a table of fields reads, and what an
 * error says.
 */


#include "tap.h"
#include "rs_json.h"
#include "rs_id.h"
#include "rs_utf8.h"


typedef struct {
    rs_str_t    name;
    rs_str_t    text;
    int64_t     ttl_s;
    int         relay;
    unsigned    role;
    json_t     *meta;
    json_t     *tags;
    json_t     *any;
    rs_str_t    id;
} target_t;


static void test_load(void);
static void test_depth(void);
static void test_read(void);
static void test_types(void);
static void test_strings(void);
static void test_unknown(void);
static void test_null(void);
static void test_errors(void);
static void test_plain(void);
static void test_dump(void);


static const char *const  roles[] = { "controller", "viewer", NULL };


static const rs_json_field_t  fields[] = {
    { .name = "name", .type = RS_JSON_STRING, .flags = RS_JSON_REQUIRED,
      .min = 1, .max = 4, .offset = offsetof(target_t, name) },
    { .name = "text", .type = RS_JSON_TEXT, .min = 0, .max = 10,
      .offset = offsetof(target_t, text) },
    { .name = "ttl_s", .type = RS_JSON_INT, .min = 1, .max = 86400,
      .offset = offsetof(target_t, ttl_s) },
    { .name = "relay", .type = RS_JSON_BOOL,
      .offset = offsetof(target_t, relay) },
    { .name = "role", .type = RS_JSON_ENUM, .names = roles,
      .offset = offsetof(target_t, role) },
    { .name = "meta", .type = RS_JSON_OBJECT, .max = 16,
      .offset = offsetof(target_t, meta) },
    { .name = "tags", .type = RS_JSON_ARRAY, .flags = RS_JSON_NULL,
      .min = 1, .max = 2, .offset = offsetof(target_t, tags) },
    { .name = "any", .type = RS_JSON_ANY,
      .offset = offsetof(target_t, any) },
    { .name = "id", .type = RS_JSON_STRING, .min = 0, .max = 100,
      .offset = offsetof(target_t, id), .check = rs_id_check_session,
      .what = "a session's id" }
};

#define NFIELDS  (sizeof(fields) / sizeof(fields[0]))


static rs_json_error_t  error;
static target_t         target;
static uint32_t         present, nulls;
static json_t          *object;


/* the object stays until the next call, for target borrows from it */

static rs_err_e
read_text(const char *text)
{
    rs_err_e  rc;

    json_decref(object);
    object = NULL;
    memset(&target, 0, sizeof(target));
    memset(&error, 0, sizeof(error));

    rc = rs_json_load(text, strlen(text), 65536, &object, &error);

    if (rc != RS_OK) {
        return rc;
    }

    return rs_json_read(object, fields, NFIELDS, &target, "/p/0", &present,
                        &nulls, &error);
}


static void
refused(const char *text, rs_err_e want, const char *pointer,
    const char *sentence)
{
    is_rc(read_text(text), want, text);
    is_str(rs_str(error.pointer), pointer, "its pointer");
    is_str(rs_str(error.text), sentence, "its sentence");
}


static void
test_load(void)
{
    size_t           i;
    json_t          *json;
    rs_json_error_t  e;

    static const struct {
        const char  *text;
        const char  *error;
    } bad[] = {
        { "", "the JSON cannot be read at byte 0: it ends too early" },
        { "{", "the JSON cannot be read at byte 1: it ends too early" },
        { "{\"a\":1,}", "the JSON cannot be read at byte 8: "
                        "it does not follow the grammar" },
        { "{\"a\":1}x", "the JSON cannot be read at byte 8: "
                        "something follows its end" },
        { "{\"a\":1,\"a\":2}", "the JSON cannot be read at byte 10: "
                               "a name comes twice in one object" },
        { "{\"b\":{\"a\":1,\"\\u0061\":2}}",
          "the JSON cannot be read at byte 20: "
          "a name comes twice in one object" },
        { "{\"a\":\"\xff\"}", "the JSON cannot be read at byte 6: "
                              "it is not UTF-8" },
        { "{\"a\":\"\\u0000\"}", "the JSON cannot be read at byte 13: "
                                 "it has a zero character" },
        { "{\"a\":1e999}", "the JSON cannot be read at byte 10: "
                           "a number is too large" },
        { "{\"a\":9223372036854775808}",
          "the JSON cannot be read at byte 24: a number is too large" },
        { "{'a':1}", "the JSON cannot be read at byte 2: "
                     "it does not follow the grammar" },
        { "{\"a\":NaN}", "the JSON cannot be read at byte 8: "
                         "it does not follow the grammar" },
        { "{\"a\":\"\\ud800\"}", "the JSON cannot be read at byte 13: "
                                 "it does not follow the grammar" },
        { "[1]", "the JSON must be an object, {...}" },
        { "1", "the JSON cannot be read at byte 1: "
               "it does not follow the grammar" }
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json = NULL;
        ok(rs_json_load(bad[i].text, strlen(bad[i].text), 4096, &json, &e)
           == RS_E_INVALID_JSON && json == NULL, "refused: number %zu", i);
        is_str(rs_str(e.text), bad[i].error, "its sentence");
        is_int(strlen(e.pointer), 0, "its pointer is the whole");
    }

    is_rc(rs_json_load("{}", 2, 2, &json, &e), RS_OK, "at the limit");
    json_decref(json);

    is_rc(rs_json_load("{ }", 3, 2, &json, &e), RS_E_BODY_TOO_LARGE,
          "above the limit");
    is_str(rs_str(e.text), "the JSON is of 3 bytes, at most 2 are taken",
           "it says so");
    is_rc(rs_json_load("{}\0", 3, 9, &json, &e), RS_E_INVALID_JSON,
          "a zero byte behind");
    is_rc(rs_json_load(NULL, 0, 9, &json, &e), RS_E_INVALID_JSON, "nothing");
    is_rc(rs_json_load(" {} \n", 5, 9, &json, &e), RS_OK, "blanks around");
    json_decref(json);
}


static void
test_depth(void)
{
    char             text[200000];
    size_t           i, n;
    json_t          *json;
    rs_json_error_t  e;

    for (n = 15; n <= 16; n++) {
        /* {"a":[[...]]}, the object being the first level */

        memcpy(text, "{\"a\":", 5);
        memset(text + 5, '[', n);
        memset(text + 5 + n, ']', n);
        text[5 + 2 * n] = '}';

        if (n == 15) {
            is_rc(rs_json_load(text, 6 + 2 * n, 4096, &json, &e), RS_OK,
                  "16 levels");
            json_decref(json);

        } else {
            is_rc(rs_json_load(text, 6 + 2 * n, 4096, &json, &e),
                  RS_E_INVALID_JSON, "17 levels");
            is_str(rs_str(e.text), "the JSON cannot be read at byte 21: it "
                   "is nested deeper than 16 levels", "it says so");
        }
    }

    memset(text, '[', sizeof(text));
    is_rc(rs_json_load(text, sizeof(text), sizeof(text), &json, &e),
          RS_E_INVALID_JSON, "very deep");

    n = (size_t) snprintf(text, sizeof(text), "{\"a\":\"");

    for (i = 0; i < 100; i++) {
        n += (size_t) snprintf(text + n, sizeof(text) - n, "[{\\\"");
    }

    n += (size_t) snprintf(text + n, sizeof(text) - n, "\"}");
    is_rc(rs_json_load(text, n, 4096, &json, &e), RS_OK,
          "brackets in a string do not count");
    json_decref(json);

    n = (size_t) snprintf(text, sizeof(text), "{\"a\":[");

    for (i = 0; i < 100; i++) {
        n += (size_t) snprintf(text + n, sizeof(text) - n, "{},[],");
    }

    n += (size_t) snprintf(text + n, sizeof(text) - n, "1]}");
    is_rc(rs_json_load(text, n, 4096, &json, &e), RS_OK,
          "nor do those that were closed");
    json_decref(json);
}


static void
test_read(void)
{
    is_rc(read_text("{\"any\":null,\"tags\":[1],\"meta\":{\"a\":1},"
                    "\"role\":\"viewer\",\"relay\":true,\"ttl_s\":86400,"
                    "\"text\":\"a\\nb\",\"name\":\"gr\xc3\xbc\xc3\x9f\","
                    "\"id\":\"ses_aaaaaaaaaaaaaaaaaaaaaaaaaa\"}"), RS_OK,
          "all fields");
    is_str(target.name, "gr\xc3\xbc\xc3\x9f", "a string");
    is_str(target.text, "a\nb", "a text");
    is_int((uint64_t) target.ttl_s, 86400, "a number");
    is_int((uint64_t) target.relay, 1, "a boolean");
    is_int(target.role, 1, "a word");
    ok(json_is_object(target.meta), "an object");
    ok(json_is_array(target.tags), "an array");
    ok(json_is_null(target.any), "anything");
    is_int(target.id.len, 30, "an id");
    is_int(present, 0x1ff, "all were there");
    is_int(nulls, 0, "none was null");

    is_rc(read_text("{\"name\":\"a\",\"relay\":false}"), RS_OK, "few fields");
    is_int(present, 0x9, "those were there");
    ok(target.meta == NULL && target.ttl_s == 0, "others are left alone");
}


static void
test_types(void)
{
    refused("{}", RS_E_INVALID_VALUE, "/p/0/name",
            "name is required and must be a string of 1 to 4 characters "
            "without control or invisible ones");
    refused("{\"name\":\"a\",\"ttl_s\":0}", RS_E_INVALID_VALUE, "/p/0/ttl_s",
            "ttl_s must be a whole number from 1 to 86400");
    refused("{\"name\":\"a\",\"ttl_s\":\"3600\"}", RS_E_INVALID_VALUE,
            "/p/0/ttl_s", "ttl_s must be a whole number from 1 to 86400");
    refused("{\"name\":\"a\",\"ttl_s\":86401}", RS_E_INVALID_VALUE,
            "/p/0/ttl_s", "ttl_s must be a whole number from 1 to 86400");
    refused("{\"name\":\"a\",\"ttl_s\":-1}", RS_E_INVALID_VALUE,
            "/p/0/ttl_s", "ttl_s must be a whole number from 1 to 86400");
    refused("{\"name\":\"a\",\"ttl_s\":60.0}", RS_E_INVALID_VALUE,
            "/p/0/ttl_s", "ttl_s must be a whole number from 1 to 86400");
    refused("{\"name\":\"a\",\"ttl_s\":true}", RS_E_INVALID_VALUE,
            "/p/0/ttl_s", "ttl_s must be a whole number from 1 to 86400");
    refused("{\"name\":\"a\",\"relay\":1}", RS_E_INVALID_VALUE,
            "/p/0/relay", "relay must be true or false");
    refused("{\"name\":\"a\",\"relay\":\"true\"}", RS_E_INVALID_VALUE,
            "/p/0/relay", "relay must be true or false");
    refused("{\"name\":\"a\",\"role\":\"host\"}", RS_E_INVALID_VALUE,
            "/p/0/role", "role must be one of \"controller\", \"viewer\"");
    refused("{\"name\":\"a\",\"role\":1}", RS_E_INVALID_VALUE,
            "/p/0/role", "role must be one of \"controller\", \"viewer\"");
    refused("{\"name\":\"a\",\"meta\":[]}", RS_E_INVALID_VALUE,
            "/p/0/meta", "meta must be an object of at most 16 bytes");
    refused("{\"name\":\"a\",\"meta\":{\"a\":\"12345678901\"}}",
            RS_E_INVALID_VALUE, "/p/0/meta",
            "meta must be an object of at most 16 bytes");
    refused("{\"name\":\"a\",\"tags\":{}}", RS_E_INVALID_VALUE,
            "/p/0/tags", "tags must be an array of 1 to 2 elements or null");
    refused("{\"name\":\"a\",\"tags\":[]}", RS_E_INVALID_VALUE,
            "/p/0/tags", "tags must be an array of 1 to 2 elements or null");
    refused("{\"name\":\"a\",\"tags\":[1,2,3]}", RS_E_INVALID_VALUE,
            "/p/0/tags", "tags must be an array of 1 to 2 elements or null");
    refused("{\"name\":\"a\",\"id\":\"ses_a\"}", RS_E_INVALID_VALUE,
            "/p/0/id", "id must be a session's id");

    is_rc(read_text("{\"name\":\"a\",\"meta\":{\"a\":\"1234567890\"}}"),
          RS_E_INVALID_VALUE, "17 bytes are too many");
    is_rc(read_text("{\"name\":\"a\",\"meta\":{ \"a\" : \"12345678\" }}"),
          RS_OK, "16 are not, blanks do not count");
}


static void
test_strings(void)
{
    is_rc(read_text("{\"name\":\"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
                    "\xe2\x82\xac\"}"), RS_OK, "characters, not bytes");
    is_rc(read_text("{\"name\":\"\"}"), RS_E_INVALID_VALUE, "too short");
    is_rc(read_text("{\"name\":\"abcde\"}"), RS_E_INVALID_VALUE, "too long");
    is_rc(read_text("{\"name\":1}"), RS_E_INVALID_VALUE, "no string");
    is_rc(read_text("{\"name\":\"a\\n\"}"), RS_E_INVALID_VALUE, "newline");
    is_rc(read_text("{\"name\":\"\\u007f\"}"), RS_E_INVALID_VALUE, "DEL");
    is_rc(read_text("{\"name\":\"\\u0085\"}"), RS_E_INVALID_VALUE, "C1");
    is_rc(read_text("{\"name\":\"\\u001b\"}"), RS_E_INVALID_VALUE, "ESC");
    is_rc(read_text("{\"name\":\"\\u00a0\"}"), RS_OK, "no-break space");

    is_rc(read_text("{\"name\":\"a\",\"text\":\"\\r\\n\\t\"}"), RS_OK,
          "a text has lines");
    is_rc(read_text("{\"name\":\"a\",\"text\":\"a\\u0007\"}"),
          RS_E_INVALID_VALUE, "but does not ring");
    is_rc(read_text("{\"name\":\"a\",\"text\":\"\\n\\u009b\"}"),
          RS_E_INVALID_VALUE, "nor in its second line");
}


static void
test_unknown(void)
{
    char    text[400], want[400];
    size_t  n;

    refused("{\"name\":\"a\",\"Name\":1,\"x\":1}", RS_E_UNKNOWN_FIELD,
            "/p/0/Name", "the field \"Name\" is not known here: remove it");
    refused("{\"x\":1}", RS_E_UNKNOWN_FIELD, "/p/0/x",
            "the field \"x\" is not known here: remove it");
    refused("{\"name\":\"a\",\"\":1}", RS_E_UNKNOWN_FIELD, "/p/0/",
            "the field \"\" is not known here: remove it");
    refused("{\"name\":\"a\",\"a/b~c\":1}", RS_E_UNKNOWN_FIELD,
            "/p/0/a~1b~0c", "the field \"a/b~c\" is not known here: "
            "remove it");
    refused("{\"name\":\"a\",\"a\\n\\u0085\\u007f\":1}", RS_E_UNKNOWN_FIELD,
            "/p/0/a????", "the field \"a????\" is not known here: "
            "remove it");

    /* 31 and 64 letters before a character of three bytes */

    n = (size_t) snprintf(text, sizeof(text), "{\"name\":\"a\",\"");
    memset(text + n, 'x', 63);
    (void) snprintf(text + n + 63, sizeof(text) - n - 63,
                    "\xe2\x82\xac\":1}");
    memset(want, 0, sizeof(want));
    memcpy(want, "/p/0/", 5);
    memset(want + 5, 'x', 63);
    is_rc(read_text(text), RS_E_UNKNOWN_FIELD, "a long name");
    is_str(rs_str(error.pointer), want, "is cut between characters");
    ok(rs_utf8_printable(rs_str(error.text)), "so is the sentence");
}


static void
test_null(void)
{
    is_rc(read_text("{\"name\":\"a\",\"tags\":null}"), RS_OK, "null");
    is_int(present, 1, "is not there");
    is_int(nulls, 1 << 6, "but told");
    ok(target.tags == NULL, "and nothing is set");

    refused("{\"name\":null}", RS_E_INVALID_VALUE, "/p/0/name",
            "name is required and must be a string of 1 to 4 characters "
            "without control or invisible ones");
    is_rc(read_text("{\"name\":\"a\",\"ttl_s\":null}"), RS_E_INVALID_VALUE,
          "null where it is not allowed");

    ok(read_text("{\"name\":\"a\"}") == RS_OK
       && rs_json_read(object, fields, NFIELDS, &target, "", NULL, NULL,
                       &error) == RS_OK, "nobody needs to be told");
}


/* strings inside what is kept as JSON */

static void
test_plain(void)
{
    size_t            i;
    json_t           *obj;
    rs_json_error_t   e;
    rs_json_field_t   f = { .name = "v", .type = RS_JSON_OBJECT,
                            .flags = RS_JSON_PLAIN, .max = 1000 };

    static const struct {
        const char  *text;
        int          plain;
    } cases[] = {
        { "{\"v\":{}}", 1 },
        { "{\"v\":{\"a\":[1,2.5,null,true,{\"b\":\"\xc3\xbc\xc3\x9f\"}]}}", 1 },
        { "{\"v\":{\"a\":\"x\\n\"}}", 0 },
        { "{\"v\":{\"a\\t\":1}}", 0 },
        { "{\"v\":{\"a\":{\"b\":[[\"\\u202e\"]]}}}", 0 },
        { "{\"v\":{\"a\":[{\"\\u200b\":1}]}}", 0 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_rc(rs_json_load(cases[i].text, strlen(cases[i].text), 1000, &obj,
                           &e), RS_OK, "loaded");
        is_rc(rs_json_read(obj, &f, 1, &(json_t *) { NULL }, "", NULL, NULL,
                           &e),
              cases[i].plain ? RS_OK : RS_E_INVALID_VALUE, cases[i].text);
        json_decref(obj);
    }

    is_str(rs_str(e.text), "v must be an object of at most 1000 bytes "
           "without control or invisible characters", "what is wrong");
}


static void
test_errors(void)
{
    char             text[1000];
    rs_json_error_t  e;

    is_rc(rs_json_fail(&e, RS_E_CONFLICT, NULL, "%d %s", 5, "x"),
          RS_E_CONFLICT, "gives back the code");
    is_str(rs_str(e.pointer), "", "no pointer");
    is_str(rs_str(e.text), "5 x", "the sentence");

    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    memcpy(text + RS_JSON_TEXT_MAX - 3, "\xe2\x82\xac", 3);
    memcpy(text + RS_JSON_POINTER_MAX - 2, "\xe2\x82\xac", 3);
    (void) rs_json_fail(&e, RS_E_CONFLICT, text, "%s", text);
    is_int(strlen(e.pointer), RS_JSON_POINTER_MAX - 2, "a long pointer");
    is_int(strlen(e.text), RS_JSON_TEXT_MAX - 3, "a long sentence");
    ok(rs_utf8_valid(rs_str(e.text)) && rs_utf8_valid(rs_str(e.pointer)),
       "both are cut between characters");

    (void) rs_json_fail(&e, RS_E_CONFLICT, "/a", "a\nb\x7f\xc2\x85" "c");
    is_str(rs_str(e.text), "a?b???c", "no control characters");

    (void) rs_json_fail(&e, RS_E_CONFLICT, "/a", "a\xe2\x80\xae" "b\xff" "c");
    is_str(rs_str(e.text), "a???b", "nothing hidden, and cut at what is none");
    (void) rs_json_fail(&e, RS_E_CONFLICT, "/a", "a\xff" "b");
    is_str(rs_str(e.text), "a", "nor broken ones");
}


static void
test_dump(void)
{
    char    *text;
    size_t   i, len;
    json_t  *v;

    static const char  *cases[] = {
        "null", "true", "\"a\\\"\\n\xe2\x82\xac\"", "[]", "{}", "12",
        "{\"b\":1,\"a\":[1,{\"c\":null}]}"
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        v = json_loads(cases[i], JSON_DECODE_ANY, NULL);
        text = rs_json_dump(v, strlen(cases[i]), &len);
        ok(text != NULL && strcmp(text, cases[i]) == 0
           && len == strlen(cases[i]), "compact: %s", cases[i]);
        free(text);
        ok(rs_json_dump(v, strlen(cases[i]) - 1, &len) == NULL
           && len == strlen(cases[i]), "too long, and how long");
        json_decref(v);
    }
}


int
main(void)
{
    test_load();
    test_depth();
    test_read();
    test_types();
    test_strings();
    test_unknown();
    test_null();
    test_plain();
    test_errors();
    test_dump();

    json_decref(object);

    return tap_done();
}
