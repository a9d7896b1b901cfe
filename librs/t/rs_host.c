
/*
 * Copyright (C) rs-gateway contributors
 *
 * host[:port].
 */


#include "tap.h"
#include "rs_host.h"


#define L63  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"


static const struct {
    const char  *text;
    const char  *host;
    unsigned     port;
} good[] = {
    { "a", "a", 0 },
    { "turn.example.net", "turn.example.net", 0 },
    { "turn.example.net:3478", "turn.example.net", 3478 },
    { "A-b_c.d:65535", "A-b_c.d", 65535 },
    { "1a.2b", "1a.2b", 0 },
    { "192.0.2.1", "192.0.2.1", 0 },
    { "255.255.255.255:1", "255.255.255.255", 1 },
    { L63 "." L63 "." L63, L63 "." L63 "." L63, 0 },
    { "[::]", "[::]", 0 },
    { "[::1]:443", "[::1]", 443 },
    { "[1::]", "[1::]", 0 },
    { "[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:8]", 0 },
    { "[1:2:3:4:5:6:7::]", "[1:2:3:4:5:6:7::]", 0 },
    { "[::2:3:4:5:6:7:8]", "[::2:3:4:5:6:7:8]", 0 },
    { "[2001:DB8::abcd:0]:5", "[2001:DB8::abcd:0]", 5 },
    { "[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]", 0 },
    { "[1:2:3:4:5:6:192.0.2.1]", "[1:2:3:4:5:6:192.0.2.1]", 0 }
};

static const char *const  bad[] = {
    "", ":", ":80", "a:", "a:0", "a:65536", "a:080", "a:80 ", "a:+80",
    "a:80:80", "a b", "a/", "a?b", "a@b", "a,b", "a%41", "-a", "a-", "a..b",
    ".a", "a.", "a.-b", "gr\xc3\xbc\xc3\x9f", L63 "a",
    L63 "." L63 "." L63 "." L63, "1.2.3", "1.2.3.4.5", "256.1.1.1",
    "01.2.3.4", "1.2.3.4.", "0x7f.1", "a.1", "1", "[", "[]", "[]:80",
    "[::1", "::1", "[::1]80", "[::1]:", "[::1]:0", "[::1]a", "[1:]",
    "[:1]", "[1::2::3]", "[:::]", "[1:::2]", "[1:2:3:4:5:6:7]",
    "[1:2:3:4:5:6:7:8:9]", "[1:2:3:4:5:6:7:8::]", "[::1:2:3:4:5:6:7:8]",
    "[12345::]", "[g::]", "[::1%25eth0]", "[::1.2.3]", "[1.2.3.4]",
    "[::1.2.3.4:5]", "[1:2:3:4:5:6:7:1.2.3.4]", "[[::1]]", "[:]", "[a]"
};


int
main(void)
{
    size_t     i;
    rs_host_t  h;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        is_rc(rs_host_parse(rs_str(good[i].text), &h), RS_OK, good[i].text);
        is_str(h.host, good[i].host, "its host");
        is_int(h.port, good[i].port, "its port");
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(rs_host_parse(rs_str(bad[i]), &h) == RS_E_INVALID_VALUE,
           "refused: %s", bad[i]);
    }

    return tap_done();
}
