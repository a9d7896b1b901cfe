
/*
 * Copyright (C) rs-gateway contributors
 *
 * Targets: what is one, and what is not.
 */


#include "tap.h"
#include "rs_endpoint.h"


static void
good(const char *text, const char *host, unsigned port)
{
    rs_endpoint_t  t;

    is_rc(rs_endpoint_parse(rs_str(text), &t), RS_OK, text);
    is_str(t.host, host, "its host");
    is_int(t.port, port, "its port");
    is_int((uint64_t) t.shell, port == 0, "a shell or not");
    is_rc(rs_endpoint_check(rs_str(text)), RS_OK, "checked");
}


static void
bad(const char *text)
{
    rs_endpoint_t  t;

    is_rc(rs_endpoint_parse(rs_str(text), &t), RS_E_INVALID_VALUE, text);
    is_rc(rs_endpoint_check(rs_str(text)), RS_E_INVALID_VALUE, "checked");
}


static void
lengths(void)
{
    char    name[300];
    size_t  i;

    for (i = 0; i < sizeof(name); i++) {
        name[i] = (i % 32 == 31) ? '.' : 'a';
    }

    memcpy(name + 255, ":1", 3);
    bad(name);

    memcpy(name + RS_ENDPOINT_MAX, ":1", 3);
    bad(name);
}


int
main(void)
{
    good("127.0.0.1:22", "127.0.0.1", 22);
    good("printer.lan:65535", "printer.lan", 65535);
    good("[::1]:80", "::1", 80);
    good("[2001:db8::1]:443", "2001:db8::1", 443);
    good("shell", "", 0);
    good("shell:22", "shell", 22);

    bad("");
    bad("Shell");
    bad("127.0.0.1");
    bad("127.0.0.1:");
    bad("127.0.0.1:0");
    bad("127.0.0.1:65536");
    bad("127.0.0.1:22 ");
    bad("127.0.0.1:22/udp");
    bad(":22");
    bad("::1:22");
    bad("[::1]");
    bad("[fe80::1%eth0]:22");
    bad("a b:22");
    bad("user@host:22");
    lengths();

    return tap_done();
}
