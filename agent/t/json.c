
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * What the strict loader takes and refuses, and the getters' bounds.
 */

#include "agent_json.h"
#include "tap.h"

#include <string.h>


static gboolean
loads(const char *text, gsize len)
{
    g_autoptr(json_t)  obj = NULL;
    g_autoptr(GError)  error = NULL;

    obj = agent_json_load(text, len, 1024, &error);

    if (obj == NULL && error == NULL) {
        return TRUE;                    /* no error set: a failure as well */
    }

    return obj != NULL;
}


static void
test_depth(void)
{
    char   text[256];
    guint  n;

    for (n = AGENT_JSON_DEPTH - 1; n <= AGENT_JSON_DEPTH; n++) {
        strcpy(text, "{\"a\":");
        memset(text + 5, '[', n);
        memset(text + 5 + n, ']', n);
        strcpy(text + 5 + 2 * n, "}");

        ok(loads(text, strlen(text)) == (n + 1 <= AGENT_JSON_DEPTH),
           "depth %u", n + 1);
    }

    strcpy(text, "{\"a\":\"[[[[[[[[[[[[[[[[[[[[\\\"[[[[[\"}");
    ok(loads(text, strlen(text)), "brackets in a string do not nest");
}


static void
test_getters(void)
{
    double              d;
    gint64              n;
    gboolean            flag;
    const char         *text;
    g_autoptr(json_t)   obj = NULL;

    text = "{\"s\":\"abc\",\"z\":\"a\\u0000b\",\"i\":5,\"r\":1.5,\"t\":true,"
           "\"o\":{},\"a\":[1,2]}";
    obj = agent_json_load(text, strlen(text), 1024, NULL);

    /* jansson itself refuses a NUL unless told otherwise */

    ok(obj == NULL, "a NUL in a string is refused");

    text = "{\"s\":\"abc\",\"i\":5,\"r\":1.5,\"t\":true,\"o\":{},"
           "\"a\":[1,2]}";
    obj = agent_json_load(text, strlen(text), 1024, NULL);

    is_str(agent_json_string(obj, "s", 3), "abc", "a string of the bound");
    ok(agent_json_string(obj, "s", 2) == NULL, "a string over the bound");
    ok(agent_json_string(obj, "i", 9) == NULL, "a number is no string");
    ok(agent_json_string(NULL, "i", 9) == NULL, "no object, no string");

    ok(agent_json_int(obj, "i", 5, 5, &n) && n == 5, "an integer");
    ok(!agent_json_int(obj, "i", 6, 9, &n), "an integer below the range");
    ok(!agent_json_int(obj, "i", 0, 4, &n), "an integer above the range");
    ok(!agent_json_int(obj, "r", 0, 9, &n), "a real is no integer");

    ok(agent_json_number(obj, "r", 0, 2, &d) && d > 1.4, "a real");
    ok(!agent_json_number(obj, "r", 2, 3, &d), "a real out of range");
    ok(!agent_json_number(obj, "t", 0, 2, &d), "true is no number");

    ok(agent_json_bool(obj, "t", &flag) && flag, "a boolean");
    ok(!agent_json_bool(obj, "i", &flag), "a number is no boolean");

    ok(agent_json_object(obj, "o") != NULL, "an object");
    ok(agent_json_object(obj, "a") == NULL, "an array is no object");
    ok(agent_json_array(obj, "a", 2) != NULL, "an array of the bound");
    ok(agent_json_array(obj, "a", 1) == NULL, "an array over the bound");
}


int
main(void)
{
    gsize              len;
    g_autofree char   *big = NULL;

    static const char *const  good[] = {
        "{}", " {\"a\": 1} ", "{\"a\":\"\xc3\xa4\"}"
    };
    static const char *const  bad[] = {
        "", "[]", "1", "null", "{\"a\":1,\"a\":2}", "{} {}", "{\"a\":01}",
        "{'a':1}", "{\"a\":\"\xff\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":",
        "{\"a\":NaN}"
    };

    for (len = 0; len < G_N_ELEMENTS(good); len++) {
        ok(loads(good[len], strlen(good[len])), "taken: %s", good[len]);
    }

    for (len = 0; len < G_N_ELEMENTS(bad); len++) {
        ok(!loads(bad[len], strlen(bad[len])), "refused: case %" G_GSIZE_FORMAT,
           len);
    }

    big = g_strnfill(1025, ' ');
    memcpy(big, "{}", 2);
    ok(loads(big, 1024), "a message of the bound");
    ok(!loads(big, 1025), "a message over the bound");

    test_depth();
    test_getters();

    return done();
}
