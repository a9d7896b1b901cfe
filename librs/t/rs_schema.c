
/*
 * Copyright (C) rs-gateway contributors
 *
 * Which library goes with which client.
 */


#include "tap.h"
#include "rs_schema.h"

#include <string.h>


static rs_schema_e
check(const char *version, const char *serves, uint64_t mine)
{
    rs_schema_t  s = { 77, 77 };

    return rs_schema_check(&s, rs_str(version), rs_str(serves), mine);
}


static void
test_range(void)
{
    rs_schema_t  s;

    ok(check("5", "5", 5) == RS_SCHEMA_OK, "the same");
    ok(check("6", "5", 5) == RS_SCHEMA_OK, "a newer one that serves us");
    ok(check("6", "5", 6) == RS_SCHEMA_OK, "and its own clients");
    ok(check("9", "2", 5) == RS_SCHEMA_OK, "in between");
    ok(check("6", "6", 5) == RS_SCHEMA_NEW, "a newer one that does not");
    ok(check("5", "5", 6) == RS_SCHEMA_OLD, "an older one");
    ok(check("5", "1", 6) == RS_SCHEMA_OLD, "which has not what is new");

    ok(check("5", "", 5) == RS_SCHEMA_OK, "one number is both");
    ok(check("6", "", 5) == RS_SCHEMA_NEW, "one number, newer");
    ok(check("4", "", 5) == RS_SCHEMA_OLD, "one number, older");

    ok(rs_schema_check(&s, RS_STR("7"), RS_STR("3"), 2) == RS_SCHEMA_NEW
       && s.version == 7 && s.serves == 3, "both are told");
    ok(rs_schema_check(&s, RS_STR("4"), RS_STR(""), 5) == RS_SCHEMA_OLD
       && s.version == 4 && s.serves == 4, "the second follows the first");
}


static void
test_unknown(void)
{
    size_t       i;
    rs_schema_t  s = { 77, 78 };

    static const char *const  bad[][2] = {
        { "", "" }, { "", "5" }, { "x", "5" }, { "5", "x" }, { "05", "5" },
        { "5", "05" }, { "-5", "5" }, { "5", "6" }, { " 5", "5" },
        { "5.0", "5" }, { "1000000", "5" }, { "18446744073709551621", "5" },
        { "5", "1000000" }
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(rs_schema_check(&s, rs_str(bad[i][0]), rs_str(bad[i][1]), 5)
           == RS_SCHEMA_UNKNOWN
           && s.version == 77 && s.serves == 78,
           "\"%s\", \"%s\"", bad[i][0], bad[i][1]);
    }
}


static void
test_text(void)
{
    rs_buf_t     b;
    uint8_t      text[RS_SCHEMA_TEXT];
    rs_schema_t  s = { RS_SCHEMA_MAX, RS_SCHEMA_MAX };

    rs_buf_init(&b, text, sizeof(text));
    rs_schema_text(&b, RS_SCHEMA_NEW, &s, RS_SCHEMA_MAX);
    ok(!b.overflow, "the longest has room");

    s.version = 7;
    s.serves = 6;

    rs_buf_init(&b, text, sizeof(text));
    rs_schema_text(&b, RS_SCHEMA_NEW, &s, 5);
    is_str(rs_buf_get(&b), "Redis holds version 7 of the library \"rs\", which "
           "serves versions 6 to 7; version 5 is needed: upgrade this program, "
           "or load the library of its release when nothing newer runs any "
           "more", "a newer one");

    rs_buf_init(&b, text, sizeof(text));
    rs_schema_text(&b, RS_SCHEMA_OLD, &s, 8);
    is_str(rs_buf_get(&b), "Redis holds version 7 of the library \"rs\", which "
           "serves versions 6 to 7; version 8 is needed: load that of this "
           "release with \"redis-schema/load\"", "an older one");

    rs_buf_init(&b, text, sizeof(text));
    rs_schema_text(&b, RS_SCHEMA_UNKNOWN, NULL, 5);
    is_str(rs_buf_get(&b), "the library \"rs\" in Redis does not say its "
           "version, version 5 is needed: load it with \"redis-schema/load\"",
           "none of ours");
}


int
main(void)
{
    test_range();
    test_unknown();
    test_text();

    return tap_done();
}
