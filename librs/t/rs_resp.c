
/*
 * Copyright (C) rs-gateway contributors
 */


#include "rs_resp.h"
#include "tap.h"


static rs_resp_t  r;


static rs_resp_e
whole(const char *text, size_t *used)
{
    rs_resp_init(&r);

    return rs_resp_parse(&r, (const uint8_t *) text, strlen(text), used);
}


static void
requests(void)
{
    size_t  used;

    is_int(whole("*2\r\n$3\r\nget\r\n$5\r\nhello\r\n", &used),
           RS_RESP_REQUEST, "a request");
    is_int(used, 24, "all of it was used");
    is_int(r.argc, 2, "two arguments");
    is_str(r.argv[0], "get", "the first");
    is_str(r.argv[1], "hello", "the second");

    is_int(whole("*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPONG\r\n", &used),
           RS_RESP_REQUEST, "the first of two");
    is_int(used, 14, "only that one was used");

    is_int(whole("*3\r\n$3\r\ndel\r\n$1\r\nk\r\n$0\r\n\r\n", &used),
           RS_RESP_REQUEST, "an empty argument");
    is_int(r.argc, 3, "is one");
    is_str(r.argv[2], "", "and empty");

    is_int(whole("*1\r\n$4\r\na\r\nb\r\n", &used), RS_RESP_REQUEST,
           "line ends in an argument");
    is_str(r.argv[0], "a\r\nb", "are of it");

    is_int(whole("*0\r\n*1\r\n$1\r\nx\r\n", &used), RS_RESP_REQUEST,
           "no arguments at all are passed over");
    is_str(r.argv[0], "x", "up to the next request");

    is_int(whole("*1\r\n$4\r\nPI", &used), RS_RESP_AGAIN, "half a request");
    is_int(used, 10, "was used");
}


static void
pieces(void)
{
    size_t      i, used, n;
    rs_resp_e   rc;
    const char  text[] = "*2\r\n$3\r\nget\r\n$5\r\nhello\r\n"
                         "*1\r\n$4\r\nPING\r\n";

    rs_resp_init(&r);
    n = 0;

    for (i = 0; i < sizeof(text) - 1; i++) {
        rc = rs_resp_parse(&r, (const uint8_t *) text + i, 1, &used);

        if (used != 1 || rc == RS_RESP_ERROR || rc == RS_RESP_TOO_LARGE) {
            break;
        }

        if (rc == RS_RESP_REQUEST) {
            n = n * 10 + r.argc;

            if (n == 2) {
                is_str(r.argv[1], "hello", "byte by byte");
            }
        }
    }

    is_int(i, sizeof(text) - 1, "every byte was taken");
    is_int(n, 21, "both requests were there");
}


static void
errors(void)
{
    size_t       i, used;

    static const struct {
        const char  *text;
        const char  *what;
    } list[] = {
        { "PING\r\n", "inline commands" },
        { "$3\r\nget\r\n", "no array" },
        { "*\r\n", "no number" },
        { "*-1\r\n", "a negative number" },
        { "*+1\r\n", "a sign" },
        { "*01\r\n", "a leading zero" },
        { "*1\n", "no CR" },
        { "*1\rx", "no LF" },
        { "*1\r\n:3\r\n", "an argument that is no bulk string" },
        { "*1\r\n$-1\r\n", "nil as an argument" },
        { "*1\r\n$\r\n", "no length" },
        { "*1\r\n$3\r\ngetx\r\n", "more than the length" },
        { "*1\r\n$3\r\nget\rx", "no LF after an argument" },
        { "*1025\r\n", "more arguments than can be skipped" },
        { "*99999999999999999999999999\r\n", "a number that wraps" },
        { "*1\r\n$65537\r\n", "a longer argument than can be skipped" },
        { "*1\r\n$18446744073709551616\r\n", "a length that wraps" },
    };

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        is_int(whole(list[i].text, &used), RS_RESP_ERROR, list[i].what);
    }

    is_int(rs_resp_parse(&r, (const uint8_t *) "*0\r\n", 4, &used),
           RS_RESP_ERROR, "an error stays one");
    is_int(rs_resp_parse(&r, (const uint8_t *) "", 0, &used), RS_RESP_ERROR,
           "even without bytes");
}


/* n arguments of len bytes, and a PING behind */

static rs_resp_e
large(unsigned n, size_t len)
{
    char      *text, *p;
    size_t     used;
    unsigned   i;
    rs_resp_e  rc;

    text = malloc(n * (len + 16) + 64);
    p = text + sprintf(text, "*%u\r\n", n);

    for (i = 0; i < n; i++) {
        p += sprintf(p, "$%zu\r\n", len);
        memset(p, 'x', len);
        p += len;
        *p++ = '\r';
        *p++ = '\n';
    }

    *p = '\0';
    strcpy(p, "*1\r\n$4\r\nPING\r\n");

    rc = whole(text, &used);

    if (rc != RS_RESP_ERROR) {
        ok(used == (size_t) (p - text), "%u of %zu bytes: read to their end",
           n, len);
        ok(rs_resp_parse(&r, (uint8_t *) text + used, 14, &used)
           == RS_RESP_REQUEST && r.argc == 1, "and the next one is read");
    }

    free(text);

    return rc;
}


static void
bounds(void)
{
    is_int(large(RS_RESP_ARGS_MAX, 10), RS_RESP_REQUEST,
           "as many arguments as there may be");
    is_int(large(RS_RESP_ARGS_MAX + 1, 10), RS_RESP_TOO_LARGE,
           "one more");
    is_int(large(RS_RESP_SKIP_ARGS, 1), RS_RESP_TOO_LARGE, "a thousand");
    is_int(large(1, RS_RESP_BYTES_MAX), RS_RESP_REQUEST,
           "as many bytes as there may be");
    is_int(large(1, RS_RESP_BYTES_MAX + 1), RS_RESP_TOO_LARGE, "one more");
    is_int(large(2, RS_RESP_BYTES_MAX / 2 + 1), RS_RESP_TOO_LARGE,
           "in two arguments");
    is_int(large(3, RS_RESP_SKIP_BYTES), RS_RESP_TOO_LARGE,
           "as many as can be skipped");
}


int
main(void)
{
    requests();
    pieces();
    errors();
    bounds();

    return tap_done();
}
