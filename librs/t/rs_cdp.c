
/*
 * Copyright (C) rs-gateway contributors
 *
 * A browser's pipe in pieces, at its bounds, and what is no message.
 */


#include "tap.h"
#include "rs_cdp.h"


static int
feed(rs_cdp_buf_t *b, const char *data, size_t len)
{
    uint8_t  *at;

    if (rs_cdp_buf_room(b, &at) < len) {
        return 0;
    }

    memcpy(at, data, len);
    rs_cdp_buf_add(b, len);

    return 1;
}


static void
test_pieces(void)
{
    char          memory[32];
    size_t        i, n;
    uint8_t      *at;
    rs_str_t      m;
    rs_cdp_buf_t  b;

    static const char  all[] = "{\"id\":1}\0{}\0\0{\"x\":2}";   /* and NUL */

    rs_cdp_buf_init(&b, memory, sizeof(memory));
    n = 0;

    for (i = 0; i < sizeof(all); i++) {
        ok(feed(&b, all + i, 1), "byte %d", (int) i);

        while (rs_cdp_buf_next(&b, &m)) {
            static const char *const  want[] = { "{\"id\":1}", "{}", "",
                                                 "{\"x\":2}" };

            is_str(m, want[n], "a message, a byte at a time");
            n++;
        }
    }

    is_int(n, 4, "all of them");

    ok(feed(&b, all, sizeof(all)) && rs_cdp_buf_next(&b, &m), "all at once");
    is_str(m, "{\"id\":1}", "the first one");
    ok(rs_cdp_buf_room(&b, &at) == sizeof(memory) - (sizeof(all) - 9),
       "its room is there again");
    ok(rs_cdp_buf_next(&b, &m) && m.len == 2, "the second one is kept");

    rs_cdp_buf_init(&b, memory, sizeof(memory));

    for (i = 0; i < 3; i++) {
        n = rs_cdp_buf_room(&b, &at);
        ok(n == sizeof(memory), "there is room");
        memset(at, 'x', n);
        rs_cdp_buf_add(&b, n);
        ok(!rs_cdp_buf_next(&b, &m), "for a message that has no end");
    }

    ok(feed(&b, "xx\0{}\0{\"x\"", 10) && rs_cdp_buf_next(&b, &m)
       && m.len == 2, "which is left out, and the next one is there");
    ok(!rs_cdp_buf_next(&b, &m) && feed(&b, ":2}", 4)
       && rs_cdp_buf_next(&b, &m), "as is the one behind it");
    is_str(m, "{\"x\":2}", "whole");
}


static void
test_messages(void)
{
    size_t        i;
    rs_cdp_msg_t  msg;

    static const char *const  bad[] = {
        "", "[]", "1", "{", "{}", "{\"id\":0}", "{\"id\":-1}",
        "{\"id\":\"1\"}", "{\"id\":1,\"method\":\"a\"}", "{\"method\":1}",
        "{\"method\":\"\"}", "{\"method\":\"a\",\"sessionId\":7}",
        "{\"id\":1,\"id\":2}", "{\"id\":1}x", "{\"id\":1,\"error\":\"x\"}",
        "{\"method\":\"a\",\"error\":{}}",
        "{\"method\":\"a\",\"params\":{\"x\":\"\\u0000\"}}"
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(rs_cdp_read(rs_str(bad[i]), &msg) != RS_OK && msg.root == NULL,
           "no message: %s", bad[i]);
    }

    ok(rs_cdp_read(RS_STR("{\"method\":\"Page.x\",\"sessionId\":\"S\","
                          "\"params\":{\"a\":1}}"), &msg) == RS_OK,
       "an event");
    is_str(msg.method, "Page.x", "its method");
    is_str(msg.session, "S", "its session");
    ok(msg.id == 0 && json_object_get(msg.value, "a") != NULL, "its values");
    json_decref(msg.root);

    ok(rs_cdp_read(RS_STR("{\"id\":7,\"result\":{}}"), &msg) == RS_OK
       && msg.id == 7 && !msg.failed && json_is_object(msg.value),
       "an answer");
    json_decref(msg.root);

    ok(rs_cdp_read(RS_STR("{\"id\":7,\"error\":{\"message\":\"no\"}}"), &msg)
       == RS_OK && msg.failed && msg.value == NULL, "a no");
    is_str(msg.error, "no", "and why");
    json_decref(msg.root);

    ok(rs_cdp_read(RS_STR("{\"id\":7,\"result\":[1]}"), &msg) == RS_OK
       && msg.value == NULL, "a result that is no object is none");
    json_decref(msg.root);
}


int
main(void)
{
    test_pieces();
    test_messages();

    return tap_done();
}
