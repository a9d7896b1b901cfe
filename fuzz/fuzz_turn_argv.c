
/*
 * Copyright (C) rs-gateway contributors
 *
 * Commands of old coturns: arguments are slices of the text, in its order,
 * with nothing but spaces between them, and a name never makes more of them.
 */


#include "fuzz.h"
#include "rs_turn_argv.h"


static void check(const rs_turn_argv_t *argv, size_t n, rs_str_t text);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t         *buf;
    rs_str_t         text, value;
    rs_turn_argv_t   argv;

    text = (rs_str_t) { data, size };
    value = RS_STR("deleted");

    if (rs_turn_argv_command(&argv, text) == RS_OK) {
        check(&argv, argv.n, text);

    } else {
        CHECK(argv.n == 0);
    }

    if (rs_turn_argv_event(&argv, text, value) == RS_OK) {
        CHECK(argv.n == 3);
        CHECK(argv.list[2].data == value.data);
        check(&argv, 2, text);

    } else {
        CHECK(argv.n == 0);
    }

    /* whatever is in the place of a name */

    buf = malloc(size + 16);
    CHECK(buf != NULL);
    memcpy(buf, "get a/", 6);

    if (size != 0) {
        memcpy(buf + 6, data, size);
    }

    memcpy(buf + 6 + size, "/key", 4);

    text = (rs_str_t) { buf, size + 10 };

    CHECK(rs_turn_argv_command(&argv, text) == RS_OK);
    CHECK(argv.n == 2 && argv.list[1].len == size + 6);

    free(buf);

    return 0;
}


static void
check(const rs_turn_argv_t *argv, size_t n, rs_str_t text)
{
    size_t          i;
    const uint8_t  *p;

    CHECK(n >= 1 && n <= RS_TURN_ARGV_MAX && argv->list[0].len != 0);

    p = text.data;

    for (i = 0; i < n; i++) {
        CHECK(argv->list[i].data >= p);

        for ( /* void */ ; p < argv->list[i].data; p++) {
            CHECK(*p == ' ');
        }

        p += argv->list[i].len;
        CHECK(p <= text.data + text.len);
    }
}
