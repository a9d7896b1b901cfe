
/*
 * Copyright (C) rs-gateway contributors
 *
 * SOCKS 5: what a server reads, whole and byte by byte, and what it says.
 */


#include "tap.h"
#include "rs_socks.h"


static void
greeting(const char *hex, rs_err_e want, size_t used, int none)
{
    int       got_none;
    size_t    len, got;
    uint8_t   bytes[300];
    rs_err_e  rc;

    len = tap_hex(bytes, sizeof(bytes), hex);
    got = 0;
    got_none = 0;
    rc = rs_socks_greeting((rs_str_t) { bytes, len }, &got, &got_none);

    ok(rc == want && (rc != RS_OK || (got == used && got_none == none)),
       "greeting \"%s\"", hex);
}


static void
request(const char *hex, const char *host, unsigned port, unsigned command)
{
    size_t              len, used, i;
    uint8_t             bytes[300];
    rs_err_e            rc;
    rs_socks_request_t  r;

    len = tap_hex(bytes, sizeof(bytes), hex);

    for (i = 0; i < len; i++) {
        if (rs_socks_request((rs_str_t) { bytes, i }, &used, &r) != RS_AGAIN)
        {
            break;
        }
    }

    ok(i == len, "%s: nothing before its end", host);

    bytes[len] = 'x';
    used = 0;
    rc = rs_socks_request((rs_str_t) { bytes, len + 1 }, &used, &r);

    ok(rc == RS_OK && used == len && r.known && r.port == port
       && r.command == command
       && rs_str_eq((rs_str_t) { (uint8_t *) r.host, r.len }, rs_str(host)),
       "%s, port %u, and what follows is left", host, port);
}


static void
broken(const char *hex, rs_err_e want, const char *what)
{
    size_t              len, used;
    uint8_t             bytes[300];
    rs_socks_request_t  r;

    len = tap_hex(bytes, sizeof(bytes), hex);
    is_rc(rs_socks_request((rs_str_t) { bytes, len }, &used, &r), want, what);
}


static void
test_greeting(void)
{
    greeting("", RS_AGAIN, 0, 0);
    greeting("05", RS_AGAIN, 0, 0);
    greeting("05 01", RS_AGAIN, 0, 0);
    greeting("05 01 00", RS_OK, 3, 1);
    greeting("05 02 02 00", RS_OK, 4, 1);
    greeting("05 02 02 00 05", RS_OK, 4, 1);
    greeting("05 01 02", RS_OK, 3, 0);
    greeting("05 00", RS_OK, 2, 0);
    greeting("04 01 00", RS_E_INVALID_VALUE, 0, 0);
    greeting("47 45 54", RS_E_INVALID_VALUE, 0, 0);
}


static void
test_request(void)
{
    size_t              used;
    uint8_t             bytes[RS_SOCKS_REQUEST_MAX];
    rs_socks_request_t  r;

    request("05 01 00 01 c0 00 02 01 01 bb", "192.0.2.1", 443, 1);
    request("05 01 00 03 03 61 2e 62 00 50", "a.b", 80, 1);
    request("05 01 00 04 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01"
            "1f 90", "2001:db8::1", 8080, 1);
    request("05 03 00 01 c0 00 02 01 00 35", "192.0.2.1", 53, 3);

    broken("04 01 00 01 c0 00 02 01 01 bb", RS_E_INVALID_VALUE, "SOCKS 4");
    broken("05 01 01", RS_E_INVALID_VALUE, "a reserved byte that is set");
    broken("05 01 00 03 00 00 50", RS_E_INVALID_VALUE, "a name of nothing");

    is_rc(rs_socks_request(RS_STR("\x05\x01\x00\x02\x00\x00"), &used, &r),
          RS_OK, "an unknown type of address is read");
    ok(!r.known, "... and is not known");

    memset(bytes, 'a', sizeof(bytes));
    memcpy(bytes, "\x05\x01\x00\x03\xff", 5);
    is_rc(rs_socks_request((rs_str_t) { bytes, sizeof(bytes) - 1 }, &used,
                           &r),
          RS_AGAIN, "the longest name but one byte");
    is_rc(rs_socks_request((rs_str_t) { bytes, sizeof(bytes) }, &used, &r),
          RS_OK, "the longest name");
    is_int(r.len, 255, "... has 255 bytes");
    is_int(used, RS_SOCKS_REQUEST_MAX, "... and there is nothing longer");
}


static void
test_answers(void)
{
    uint8_t  dst[RS_SOCKS_REPLY_LEN];

    rs_socks_method(dst, 1);
    ok(memcmp(dst, "\x05\x00", 2) == 0, "go on without authentication");

    rs_socks_method(dst, 0);
    ok(memcmp(dst, "\x05\xff", 2) == 0, "no method of these");

    rs_socks_reply(dst, RS_SOCKS_DENIED);
    ok(memcmp(dst, "\x05\x02\x00\x01\0\0\0\0\0\0", 10) == 0,
       "not allowed by the rules");
}


int
main(void)
{
    test_greeting();
    test_request();
    test_answers();

    return tap_done();
}
