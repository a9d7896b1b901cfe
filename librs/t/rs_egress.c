
/*
 * Copyright (C) rs-gateway contributors
 *
 * Egress: what is reached by default, what rules open, and what none does.
 */


#include "tap.h"
#include "rs_egress.h"


static rs_egress_t  egress;


static void
rules(const char *key, const char *value)
{
    const char  *cure;

    if (rs_egress_add(&egress, rs_str(key), rs_str(value), &cure) != RS_OK) {
        printf("not ok - %s = %s\n", key, value);
        exit(1);
    }
}


static void
bad(const char *key, const char *value)
{
    const char   *cure;
    rs_egress_t   e;

    rs_egress_init(&e);
    is_rc(rs_egress_add(&e, rs_str(key), rs_str(value), &cure),
          RS_E_INVALID_VALUE, value);
    ok(cure != NULL, "... and there is a cure");
}


/* found: NULL: of an address, itself */

static void
is(const char *host, unsigned port, const char *found, int own,
    rs_egress_e want)
{
    rs_ip_t      ip;
    rs_egress_e  got;
    rs_target_t  t;

    if (rs_target_parse(rs_str(host), port, 0, &t) != RS_OK) {
        ok(want == RS_EGRESS_INVALID, "%s is invalid", host);
        return;
    }

    ip = t.ip;

    if (found != NULL && rs_ip_parse(rs_str(found), &ip) != RS_OK) {
        printf("not ok - address \"%s\"\n", found);
        exit(1);
    }

    got = rs_egress_check(&egress, &t, &ip, own);

    ok(got == want, "%s:%u at %s%s: %s", host, port, found ? found : "itself",
       own ? ", its own" : "", rs_egress_why(want));

    if (got != want) {
        printf("#   got %s\n", rs_egress_code(got));
    }
}


static void
hopeful(const char *host, unsigned port, rs_egress_e want)
{
    rs_target_t  t;

    (void) rs_target_parse(rs_str(host), port, 0, &t);
    ok(rs_egress_hopeful(&egress, &t) == want, "before a look-up, %s:%u: %s",
       host, port, rs_egress_code(want));
}


static void
test_default(void)
{
    size_t                    i;

    static const char *const  nets[] = {
        "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "100.64.0.1", "198.18.0.1", "192.0.2.1", "203.0.113.9",
        "fd00::1", "fc00::1", "2001:db8::1", "::ffff:10.0.0.1",
        "64:ff9b::c0a8:101", "3fff::1", "4000::1"
    };

    static const char *const  never[] = {
        "0.0.0.0", "169.254.169.254", "169.254.1.1", "224.0.0.1",
        "255.255.255.255", "100.100.100.200", "168.63.129.16", "fe80::1",
        "ff02::1", "fd00:ec2::254", "2002:7f00:1::", "2002:a00:1::1",
        "2001:0:1::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1", "::7f00:1", "::"
    };

    static const char *const  self[] = {
        "127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1",
        "64:ff9b::7f00:1"
    };

    rs_egress_init(&egress);

    is("8.8.8.8", 443, NULL, 0, RS_EGRESS_ALLOWED);
    is("2606:4700::1", 443, NULL, 0, RS_EGRESS_ALLOWED);
    is("[2606:4700::1]", 443, NULL, 0, RS_EGRESS_ALLOWED);
    is("www.example", 80, "8.8.8.8", 0, RS_EGRESS_ALLOWED);
    is("www.example", 80, "64:ff9b::808:808", 0, RS_EGRESS_ALLOWED);
    is("www.example", 25, "8.8.8.8", 0, RS_EGRESS_PORT);
    is("www.example", 22, "8.8.8.8", 0, RS_EGRESS_PORT);
    is("www.example", 8443, "8.8.8.8", 0, RS_EGRESS_ALLOWED);

    for (i = 0; i < sizeof(nets) / sizeof(nets[0]); i++) {
        is(nets[i], 80, NULL, 0, RS_EGRESS_PRIVATE);
        is("rebind.example", 80, nets[i], 0, RS_EGRESS_PRIVATE);
    }

    for (i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        is(never[i], 80, NULL, 0, RS_EGRESS_NEVER);
        is("rebind.example", 80, never[i], 0, RS_EGRESS_NEVER);
    }

    for (i = 0; i < sizeof(self) / sizeof(self[0]); i++) {
        is("rebind.example", 80, self[i], 0, RS_EGRESS_SELF);
    }

    is("rebind.example", 80, "9.9.9.9", 1, RS_EGRESS_SELF);
    is("127.1", 80, NULL, 0, RS_EGRESS_INVALID);
    is("0x7f000001", 80, NULL, 0, RS_EGRESS_INVALID);
    is("2130706433", 80, NULL, 0, RS_EGRESS_INVALID);
    is("a b", 80, NULL, 0, RS_EGRESS_INVALID);

    hopeful("www.example", 443, RS_EGRESS_ALLOWED);
    hopeful("www.example", 25, RS_EGRESS_PORT);
    hopeful("127.0.0.1", 80, RS_EGRESS_SELF);
    hopeful("10.0.0.1", 80, RS_EGRESS_PRIVATE);
}


static void
test_allow(void)
{
    rs_egress_init(&egress);
    rules("allow", "10.1.0.0/16, intranet.example:8443 *.corp.example");
    rules("allow", "127.0.0.1:3000");
    rules("allow", "[fd00::/8]:443");
    rules("allow", "169.254.169.254 0.0.0.0/0:9000");

    is("10.1.2.3", 443, NULL, 0, RS_EGRESS_ALLOWED);
    is("10.1.2.3", 22, NULL, 0, RS_EGRESS_PRIVATE);
    is("10.2.2.3", 443, NULL, 0, RS_EGRESS_PRIVATE);
    is("x.example", 443, "10.1.2.3", 0, RS_EGRESS_ALLOWED);
    is("intranet.example", 8443, "192.168.1.1", 0, RS_EGRESS_ALLOWED);
    is("INTRANET.example", 8443, "192.168.1.1", 0, RS_EGRESS_ALLOWED);
    is("intranet.example", 443, "192.168.1.1", 0, RS_EGRESS_PRIVATE);
    is("a.corp.example", 443, "192.168.1.1", 0, RS_EGRESS_ALLOWED);
    is("corp.example", 443, "192.168.1.1", 0, RS_EGRESS_PRIVATE);
    is("evilcorp.example", 443, "192.168.1.1", 0, RS_EGRESS_PRIVATE);
    is("fd00::1", 443, NULL, 0, RS_EGRESS_ALLOWED);
    is("fd00::1", 80, NULL, 0, RS_EGRESS_PRIVATE);
    is("1.1.1.1", 443, NULL, 0, RS_EGRESS_ALLOWED);

    /* a single address opens this machine, names and networks do not */

    is("127.0.0.1", 3000, NULL, 0, RS_EGRESS_ALLOWED);
    is("127.0.0.1", 3001, NULL, 0, RS_EGRESS_SELF);
    is("127.0.0.1", 9000, NULL, 0, RS_EGRESS_SELF);
    is("10.1.2.3", 443, NULL, 1, RS_EGRESS_SELF);
    is("intranet.example", 8443, "127.0.0.1", 0, RS_EGRESS_SELF);
    is("intranet.example", 8443, "9.9.9.9", 1, RS_EGRESS_SELF);

    /* and metadata stays shut */

    is("169.254.169.254", 80, NULL, 0, RS_EGRESS_NEVER);
    is("169.254.169.254", 9000, NULL, 0, RS_EGRESS_NEVER);
    is("a.corp.example", 443, "169.254.169.254", 0, RS_EGRESS_NEVER);
    is("a.corp.example", 443, "fd00:ec2::254", 0, RS_EGRESS_NEVER);
}


static void
test_deny(void)
{
    rs_egress_init(&egress);
    rules("allow", "10.0.0.0/8 bad.example");
    rules("deny", "bad.example *.ads.example:443 8.8.8.0/24 10.9.0.0/16:80");

    is("bad.example", 443, "1.1.1.1", 0, RS_EGRESS_DENIED);
    is("x.ads.example", 443, "1.1.1.1", 0, RS_EGRESS_DENIED);
    is("x.ads.example", 80, "1.1.1.1", 0, RS_EGRESS_ALLOWED);
    is("8.8.8.8", 443, NULL, 0, RS_EGRESS_DENIED);
    is("::ffff:8.8.8.8", 443, NULL, 0, RS_EGRESS_DENIED);
    is("other.example", 443, "8.8.8.8", 0, RS_EGRESS_DENIED);
    is("10.9.0.1", 80, NULL, 0, RS_EGRESS_DENIED);
    is("10.9.0.1", 443, NULL, 0, RS_EGRESS_ALLOWED);

    hopeful("bad.example", 443, RS_EGRESS_DENIED);
    hopeful("good.example", 443, RS_EGRESS_ALLOWED);
}


static void
test_listed(void)
{
    rs_egress_init(&egress);
    rules("mode", "listed");
    rules("allow", "*.example:443");

    is("www.example", 443, "1.1.1.1", 0, RS_EGRESS_ALLOWED);
    is("www.example", 80, "1.1.1.1", 0, RS_EGRESS_UNLISTED);
    is("1.1.1.1", 443, NULL, 0, RS_EGRESS_UNLISTED);
    is("www.test", 443, "10.0.0.1", 0, RS_EGRESS_PRIVATE);
    hopeful("www.test", 443, RS_EGRESS_UNLISTED);
    hopeful("www.example", 443, RS_EGRESS_ALLOWED);

    rules("allow", "9.9.9.9");
    hopeful("www.test", 443, RS_EGRESS_ALLOWED);
    is("www.test", 443, "9.9.9.9", 0, RS_EGRESS_ALLOWED);
    is("www.test", 443, "9.9.9.8", 0, RS_EGRESS_UNLISTED);
}


static void
test_lines(void)
{
    char          text[400];
    unsigned      i;
    rs_err_e      rc;
    const char   *cure;

    rs_egress_init(&egress);
    rules("ports", "80 8000-8010,443");
    is("1.1.1.1", 8005, NULL, 0, RS_EGRESS_ALLOWED);
    is("1.1.1.1", 8080, NULL, 0, RS_EGRESS_PORT);

    bad("mode", "open");
    bad("ports", "0");
    bad("ports", "80-79");
    bad("ports", "65536");
    bad("allow", "10.0.0.1/8");
    bad("allow", "http://www.example/");
    bad("allow", "www.example:53/udp");
    bad("allow", "www.example:");
    bad("allow", "[::1");
    bad("deny", "127.1");

    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    bad("deny", text);

    is_rc(rs_egress_add(&egress, RS_STR("color"), RS_STR("red"), &cure),
          RS_E_UNKNOWN_FIELD, "no such key");

    rc = RS_OK;
    rs_egress_init(&egress);

    for (i = 0; i < RS_EGRESS_RULES_MAX; i++) {
        rc |= rs_egress_add(&egress, RS_STR("deny"), RS_STR("a.example"),
                            &cure);
    }

    is_rc(rc, RS_OK, "as many rules as there is room for");
    is_rc(rs_egress_add(&egress, RS_STR("deny"), RS_STR("a.example"), &cure),
          RS_E_LIMIT_REACHED, "one more");

    ok(strcmp(rs_egress_code(RS_EGRESS_INVALID), "invalid") == 0,
       "the last one has a code");
}


int
main(void)
{
    test_default();
    test_allow();
    test_deny();
    test_listed();
    test_lines();

    return tap_done();
}
