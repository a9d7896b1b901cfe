
/*
 * Copyright (C) rs-gateway contributors
 *
 * URIs, files of credentials and ICE documents; what --denied asks for.
 */


#include "tap.h"
#include "../tc_denied.c"
#include "tc_source.h"

#include <unistd.h>


static char  name[] = "/tmp/rs-t-source-XXXXXX";


static void
file_is(const char *text)
{
    FILE  *f;

    f = fopen(name, "w");

    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0) {
        printf("not ok - %s\n", name);
        exit(1);
    }
}


static void
test_uris(void)
{
    size_t       i;
    tc_error_t   e;
    tc_side_t    side;

    static const struct {
        const char      *uri;
        const char      *host;       /* NULL: refused */
        unsigned         port;
        tc_transport_e   transport;
    } cases[] = {
        { "turn:a.example", "a.example", 3478, TC_UDP },
        { "turn:a.example:5?transport=udp", "a.example", 5, TC_UDP },
        { "turn:a.example:5?transport=tcp", "a.example", 5, TC_TCP },
        { "turns:a.example", "a.example", 5349, TC_TLS },
        { "turns:a.example:443?transport=tcp", "a.example", 443, TC_TLS },
        { "turn:[2001:db8::1]:5", "2001:db8::1", 5, TC_UDP },
        { "turn:192.0.2.1", "192.0.2.1", 3478, TC_UDP },
        { "turns:a.example?transport=udp", NULL, 0, TC_UDP },
        { "stun:a.example", NULL, 0, TC_UDP },
        { "turn:", NULL, 0, TC_UDP },
        { "turn:a.example:0", NULL, 0, TC_UDP },
        { "turn:a.example?transport=sctp", NULL, 0, TC_UDP },
        { "a.example", NULL, 0, TC_UDP },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&side, 0, sizeof(side));

        if (cases[i].host == NULL) {
            ok(!tc_source_uri(&side, cases[i].uri), "%s is refused",
               cases[i].uri);

        } else {
            ok(tc_source_uri(&side, cases[i].uri)
               && strcmp(side.server[0].host, cases[i].host) == 0
               && side.server[0].port == cases[i].port
               && side.server[0].transport == cases[i].transport,
               "%s", cases[i].uri);
        }

        tc_source_free(&side);
    }

    memset(&side, 0, sizeof(side));
    memset(&e, 0, sizeof(e));
    (void) tc_source_uri(&side, "turn:a.example");
    (void) tc_source_uri(&side, "turn:a.example?transport=tcp");
    (void) tc_source_uri(&side, "turn:a.example?transport=udp");
    (void) tc_source_uri(&side, "turns:a.example");
    ok(tc_source_load(&side, 0, &e), "what is offered");
    is_int(side.n, 3, "nothing twice");
    ok(tc_source_load(&side, 1U << TC_TCP, &e), "TCP alone");
    ok(side.n == 1 && side.server[0].transport == TC_TCP, "is one");
    ok(!tc_source_load(&side, 1U << TC_TLS, &e), "TLS is not among them");
    tc_source_free(&side);

    (void) tc_source_uri(&side, "turn:a.example");
    ok(tc_source_load(&side, 1U << TC_TCP | 1U << TC_UDP, &e)
       && side.n == 2, "a URI without a transport has both");
    tc_source_free(&side);
}


static void
test_credentials(void)
{
    tc_side_t   side;
    tc_error_t  e;

    memset(&side, 0, sizeof(side));
    memset(&e, 0, sizeof(e));
    side.credentials = name;

    (void) tc_source_uri(&side, "turn:a.example");
    file_is("# two\n\n1:a one\r\n2:b \t two");
    ok(tc_source_load(&side, 0, &e), "two lines: %s", e.text);
    is_int(side.server[0].ncreds, 2, "are two");
    is_str(rs_str(side.creds[0].username), "1:a", "a username");
    is_str(rs_str(side.creds[0].password), "one", "its password");
    is_str(rs_str(side.creds[1].password), "two", "another one");
    tc_source_free(&side);

    file_is("1:a\n");
    ok(!tc_source_load(&side, 0, &e), "no password");
    ok(strstr(e.text, "line 1") != NULL, "the line is told: %s", e.text);
    ok(strstr(e.text, "1:a") == NULL, "what stands there is not");
    tc_source_free(&side);

    memset(&e, 0, sizeof(e));
    file_is("# nobody\n");
    ok(!tc_source_load(&side, 0, &e), "nobody: %s", e.text);
    tc_source_free(&side);

    memset(&e, 0, sizeof(e));
    side.credentials = "/nowhere/at/all";
    ok(!tc_source_load(&side, 0, &e), "no file: %s", e.text);
    tc_source_free(&side);
}


static void
test_ice(void)
{
    size_t       i;
    tc_side_t    side;
    tc_error_t   e;

    static const char *const  wrong[] = {
        "", "[]", "{}", "{\"iceServers\":[]}",
        "{\"iceServers\":[{\"urls\":[\"stun:a.example\"]}]}",
        "{\"iceServers\":[{\"urls\":\"turn:a.example\",\"username\":\"u\"}]}",
        "{\"iceServers\":[{\"urls\":\"turn:\",\"username\":\"u\","
        "\"credential\":\"c\"}]}",
        "{\"iceServers\":[{\"urls\":[7],\"username\":\"u\","
        "\"credential\":\"c\"}]}",
        "{\"iceServers\":7}", "{\"iceServers\":[7]}", "{",
    };

    memset(&side, 0, sizeof(side));
    memset(&e, 0, sizeof(e));
    side.ice = name;

    file_is("{\"iceServers\":[{\"urls\":[\"stun:a.example\"]},"
            "{\"urls\":[\"turn:a.example?transport=udp\","
            "\"turns:a.example:443?transport=tcp\"],"
            "\"username\":\"u1\",\"credential\":\"c1\"},"
            "{\"urls\":\"turn:b.example\",\"username\":\"u2\","
            "\"credential\":\"c2\"}],\"ttl_s\":300}");

    ok(tc_source_load(&side, 0, &e), "an ICE document: %s", e.text);
    is_int(side.n, 3, "has three servers");
    is_str(rs_str(side.server[1].host), "a.example", "a host");
    is_str(rs_str(side.server[1].creds->username), "u1", "its username");
    is_str(rs_str(side.server[2].creds->password), "c2", "another's password");
    tc_source_free(&side);

    file_is("{\"iceServers\":{\"urls\":[\"turn:a.example\"],"
            "\"username\":\"u1\",\"credential\":\"c1\"}}");
    ok(tc_source_load(&side, 0, &e) && side.n == 1, "one object, no list");
    tc_source_free(&side);

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        memset(&e, 0, sizeof(e));
        file_is(wrong[i]);
        ok(!tc_source_load(&side, 0, &e), "'%s': %s", wrong[i], e.text);
        tc_source_free(&side);
    }
}


static void
is_addr(const rs_stun_addr_t *a, const char *want)
{
    char            text[TC_ADDR_TEXT];
    rs_stun_addr_t  b;

    (void) tc_addr_parse(&b, want);
    b.port = a->port;
    ok(tc_addr_eq(a, &b), "%s is %s", tc_addr_text(text, a), want);
}


static void
test_denied(void)
{
    size_t          i;
    unsigned        form, sample;
    tc_cidr_t       c;
    rs_stun_addr_t  a, v4;

    static const char *const  forms[TC_DENIED_FORMS] = {
        "10.1.2.3", "::ffff:10.1.2.3", "::10.1.2.3", "::ffff:0:10.1.2.3",
        "64:ff9b::10.1.2.3", "64:ff9b:1::10.1.2.3", "2002:a01:203::1",
        "2001::f5fe:fdfc", "fe80::5efe:10.1.2.3"
    };

    (void) tc_addr_parse(&v4, "10.1.2.3");

    for (form = 0; form < TC_DENIED_FORMS; form++) {
        tc_denied_form(&a, &v4, form);
        is_addr(&a, forms[form]);
    }

    tc_denied_sample(&a, "172.16.0.0/12", 0);
    is_addr(&a, "172.16.0.0");
    tc_denied_sample(&a, "172.16.0.0/12", 1);
    is_addr(&a, "172.31.255.255");
    tc_denied_sample(&a, "fe80::/10", 1);
    is_addr(&a, "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff");

    for (i = 0; i < TC_DENIED_N4 + TC_DENIED_N6; i++) {
        const char  *text;
        char         addr[TC_ADDR_TEXT];

        text = i < TC_DENIED_N4 ? tc_denied_v4[i]
                                : tc_denied_v6[i - TC_DENIED_N4];
        (void) snprintf(addr, sizeof(addr), "%.*s",
                        (int) strcspn(text, "/"), text);

        if (!tc_addr_parse(&c.addr, addr)) {
            ok(0, "%s is no address", text);
            continue;
        }

        c.bits = (unsigned) atoi(text + strcspn(text, "/") + 1);

        for (sample = 0; sample < TC_DENIED_SAMPLES; sample++) {
            tc_denied_sample(&a, text, sample);

            if (!tc_cidr_has(&c, &a)) {
                ok(0, "sample %u of %s is outside", sample, text);
            }
        }
    }

    ok(i > 50, "samples are inside of their ranges");
}


int
main(void)
{
    int  fd;

    fd = mkstemp(name);

    if (fd == -1) {
        printf("not ok - no file\n");
        return 1;
    }

    (void) close(fd);

    test_uris();
    test_credentials();
    test_ice();
    test_denied();

    (void) unlink(name);

    return tap_done();
}
