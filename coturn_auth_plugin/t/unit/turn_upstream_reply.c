
/*
 * Copyright (C) rs-gateway contributors
 *
 * Replies of Redis: bounds, types that surprise, bytes one by one.
 */


#include "tap.h"
#include "turn_upstream_reply.h"


/* the first reply of these bytes; NULL: more are wanted or (*rc -1) none */

static turn_reply_t *
parse(const char *bytes, size_t len, size_t step, int *rc)
{
    size_t          i, n;
    turn_reply_t   *reply;
    turn_reader_t  *reader;

    reader = turn_reader_create();
    reply = NULL;
    *rc = 0;

    for (i = 0; i < len && *rc == 0 && reply == NULL; i += n) {
        n = (len - i < step) ? len - i : step;

        *rc = turn_reader_feed(reader, bytes + i, n);

        if (*rc == 0) {
            *rc = turn_reader_next(reader, &reply);
        }
    }

    turn_reader_free(reader);

    return reply;
}


static void
types(void)
{
    int            rc;
    size_t         step;
    uint64_t       v;
    rs_str_t       text;
    turn_reply_t  *r;

    static const char  list[] =
        "*7\r\n$5\r\nfirst\r\n:42\r\n$2\r\n17\r\n*2\r\n+a\r\n+b\r\n"
        "$-1\r\n-ERR no\r\n:-1\r\n";

    for (step = 1; step <= sizeof(list); step += sizeof(list) - 2) {
        r = parse(list, sizeof(list) - 1, step, &rc);

        is_int(turn_reply_count(r), 7, "an array");
        is_str(turn_reply_str(r, 0), "first", "a string");
        ok(turn_reply_u64(r, 1, &v) && v == 42, "a number");
        ok(turn_reply_u64(r, 2, &v) && v == 17, "a number as text");
        is_str(turn_reply_str(turn_reply_at(r, 3), 1), "b", "in an array");
        is_int(turn_reply_str(r, 4).len, 0, "nil reads as nothing");
        is_int(turn_reply_str(r, 5).len, 0, "an error is no string");
        ok(!turn_reply_u64(r, 6, &v) && v == 0, "negative is no number");
        ok(!turn_reply_u64(r, 0, &v), "text is no number");
        ok(turn_reply_at(r, 7) == NULL, "there is no more");
        ok(!turn_reply_error(r, &text), "it is no error");
        ok(turn_reply_error(turn_reply_at(r, 5), &text), "that is one");
        is_str(text, "ERR no", "its text");
        turn_reply_free(r);
    }

    is_int(turn_reply_count(NULL), 0, "nothing has no elements");
    is_int(turn_reply_str(NULL, 0).len, 0, "nor text");
    ok(turn_reply_at(NULL, 0) == NULL, "nor parts");
    turn_reply_free(NULL);
}


static void
fields(void)
{
    int            rc;
    char           bytes[256];
    turn_reply_t  *r;

    static const char  list[] = "*5\r\n+name\r\n+x\r\n+epoch\r\n+7\r\n"
                                "+odd\r\n";
    static const char  info[] = "# Server\r\nrun_id:abc\r\nrole:master\r\n"
                                "role_x:1\r\nlast:9";

    (void) snprintf(bytes, sizeof(bytes), "$%zu\r\n%s\r\n", strlen(info),
                    info);
    r = parse(bytes, strlen(bytes), 7, &rc);
    is_str(turn_reply_info(r, "role:"), "master", "a line of INFO");
    is_str(turn_reply_info(r, "run_id:"), "abc", "another");
    is_str(turn_reply_info(r, "last:"), "9", "the last one");
    is_int(turn_reply_info(r, "ole:").len, 0, "not in the middle of one");
    turn_reply_free(r);

    r = parse(list, sizeof(list) - 1, sizeof(list), &rc);
    is_str(turn_reply_field(r, "epoch"), "7", "a field");
    is_int(turn_reply_field(r, "odd").len, 0, "without a value");
    is_int(turn_reply_field(r, "x").len, 0, "a value is no name");
    is_int(turn_reply_info(r, "name").len, 0, "it is no INFO");
    turn_reply_free(r);
}


/* many of these one after the other; -1: refused before the end */

static int
pour(const char *head, const char *bytes, size_t len, size_t times)
{
    int             rc;
    size_t          i;
    turn_reply_t   *reply;
    turn_reader_t  *reader;

    reader = turn_reader_create();
    reply = NULL;
    rc = turn_reader_feed(reader, head, strlen(head));

    for (i = 0; i < times && rc == 0 && reply == NULL; i++) {
        rc = turn_reader_feed(reader, bytes, len);

        if (rc == 0) {
            rc = turn_reader_next(reader, &reply);
        }
    }

    turn_reply_free(reply);
    turn_reader_free(reader);

    return rc;
}


static void
bounds(void)
{
    int            i, rc;
    char           room[1024], text[32];
    turn_reply_t  *r;

    static const char *const  bad[] = {
        "*4097\r\n", "*2147483647\r\n", "*99999999999999999999\r\n",
        "hello\r\n", "\r\n", "$x\r\n", "*-5\r\n", "$-2\r\n", ":x\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"
    };

    for (i = 0; i < (int) (sizeof(bad) / sizeof(bad[0])); i++) {
        r = parse(bad[i], strlen(bad[i]), 3, &rc);
        ok(rc == -1 && r == NULL, "refused: number %d", i);
        turn_reply_free(r);
    }

    memset(room, 'x', sizeof(room));

    is_int((uint64_t) -pour("$1000000\r\n", room, sizeof(room), 1000), 1,
           "a string of a megabyte");
    is_int((uint64_t) -pour("+", room, sizeof(room), 1000), 1,
           "a line without an end");
    is_int((uint64_t) -pour("$60000\r\n", room, sizeof(room), 60), 0,
           "60 KB are a string");

    /* each below its bound, together above theirs */

    (void) snprintf(text, sizeof(text), "$%zu\r\n", sizeof(room) - 64);
    memcpy(room, text, strlen(text));
    memcpy(room + strlen(text) + sizeof(room) - 64, "\r\n", 2);

    is_int((uint64_t) -pour("*4096\r\n", room,
                            strlen(text) + sizeof(room) - 64 + 2, 4096), 1,
           "a reply of four megabytes");
}


/* any byte changed: read or refused, and nothing else */

static void
damaged(void)
{
    int            rc;
    char           copy[128];
    size_t         i, n, len;
    unsigned       c;
    turn_reply_t  *r;

    static const char  good[] =
        "*4\r\n$2\r\nok\r\n$3\r\nabc\r\n*2\r\n$1\r\na\r\n:5\r\n-ERR x\r\n";

    len = sizeof(good) - 1;
    n = 0;

    for (i = 0; i < len; i++) {
        for (c = 0; c < 256; c++) {
            memcpy(copy, good, len);
            copy[i] = (char) c;

            r = parse(copy, len, 5, &rc);
            n += (rc == 0 || r == NULL);
            (void) turn_reply_field(r, "ok");
            (void) turn_reply_info(r, "ok");
            turn_reply_free(r);
        }
    }

    is_int(n, len * 256, "each is read, or refused");
}


static void
commands(void)
{
    char              text[64];
    rs_str_t          argv[3];
    struct evbuffer  *out;

    out = evbuffer_new();
    argv[0] = RS_STR("GET");
    argv[1] = RS_STR("");
    argv[2] = RS_STR("a\r\nb");

    is_int((uint64_t) turn_reply_command(out, argv, 3), 0, "a command");
    is_str((rs_str_t) { evbuffer_pullup(out, -1), evbuffer_get_length(out) },
           "*3\r\n$3\r\nGET\r\n$0\r\n\r\n$4\r\na\r\nb\r\n",
           "as Redis wants it");
    (void) evbuffer_remove(out, text, sizeof(text));
    evbuffer_free(out);
}


int
main(void)
{
    types();
    fields();
    bounds();
    damaged();
    commands();

    return tap_done();
}
