
/*
 * Copyright (C) rs-gateway contributors
 *
 * Rules of targets, what they allow, and what nothing does.
 */


#include "tap.h"
#include "rs_target.h"


#define RULES  8


static rs_target_rule_t  rules[RULES];
static size_t            n_rules;


/* rules with blanks between them */

static void
set_rules(const char *text)
{
    int       more;
    rs_str_t  rest, one;

    n_rules = 0;
    rest = rs_str(text);

    do {
        more = rs_str_split(rest, ' ', &one, &rest);

        if (one.len && rs_target_rule_parse(one, &rules[n_rules++]) != RS_OK)
        {
            printf("not ok - rule \"%.*s\"\n", (int) one.len, one.data);
            exit(1);
        }

    } while (more);
}


static void
rule(const char *text, rs_err_e want)
{
    rs_target_rule_t  r;

    is_rc(rs_target_rule_parse(rs_str(text), &r), want, text);
}


static rs_target_e
verdict(const char *host, unsigned port, unsigned udp, const char *found,
    int own)
{
    rs_ip_t      ip;
    rs_target_t  t;

    if (rs_target_parse(rs_str(host), port, udp, &t) != RS_OK) {
        return (rs_target_e) -1;
    }

    ip = t.ip;

    if (found != NULL && rs_ip_parse(rs_str(found), &ip) != RS_OK) {
        printf("not ok - address \"%s\"\n", found);
        exit(1);
    }

    return rs_target_check(rules, n_rules, &t, &ip, own);
}


static void
found(const char *host, unsigned port, unsigned udp, const char *address,
    int own, rs_target_e want)
{
    rs_target_e  got;

    got = verdict(host, port, udp, address, own);
    ok(got == want, "%s:%u%s at %s%s: %s", host, port, udp ? "/udp" : "",
       address ? address : "itself", own ? ", its own" : "",
       rs_target_why(want));
}


static void
is_target(const char *host, unsigned port, rs_err_e want, const char *what)
{
    rs_target_t  t;

    is_rc(rs_target_parse(rs_str(host), port, 0, &t), want, what);
}


static void
test_rules(void)
{
    rule("127.0.0.1:22", RS_OK);
    rule("10.0.0.0/8:1-65535", RS_OK);
    rule("[::1]:22", RS_OK);
    rule("[fd00::/8]:5900-5910/udp", RS_OK);
    rule("printer.lan:9100/tcp", RS_OK);
    rule("*.lan:443", RS_OK);
    rule("_x-1.example:1", RS_OK);

    rule("", RS_E_INVALID_VALUE);
    rule("127.0.0.1", RS_E_INVALID_VALUE);
    rule("127.0.0.1:", RS_E_INVALID_VALUE);
    rule("127.0.0.1:0", RS_E_INVALID_VALUE);
    rule("127.0.0.1:0-22", RS_E_INVALID_VALUE);
    rule("127.0.0.1:65536", RS_E_INVALID_VALUE);
    rule("127.0.0.1:23-22", RS_E_INVALID_VALUE);
    rule("127.0.0.1:22-", RS_E_INVALID_VALUE);
    rule("127.0.0.1:22/sctp", RS_E_INVALID_VALUE);
    rule("127.0.0.1:22/udp/udp", RS_E_INVALID_VALUE);
    rule("127.0.0.1-127.0.0.9:22", RS_E_INVALID_VALUE);
    rule("10.0.0.1/8:22", RS_E_INVALID_VALUE);
    rule("::1:22", RS_E_INVALID_VALUE);
    rule("[::1]22", RS_E_INVALID_VALUE);
    rule("[::1]", RS_E_INVALID_VALUE);
    rule("[127.0.0.1]:22", RS_E_INVALID_VALUE);
    rule("[printer]:22", RS_E_INVALID_VALUE);
    rule("*:22", RS_E_INVALID_VALUE);
    rule("*.:22", RS_E_INVALID_VALUE);
    rule("a.*.lan:22", RS_E_INVALID_VALUE);
    rule(".lan:22", RS_E_INVALID_VALUE);
    rule("a..lan:22", RS_E_INVALID_VALUE);
    rule("127.1:22", RS_E_INVALID_VALUE);
    rule("a b:22", RS_E_INVALID_VALUE);
    rule("a/8:22", RS_E_INVALID_VALUE);
}


static void
test_hosts(void)
{
    is_target("127.0.0.1", 22, RS_OK, "an address");
    is_target("::1", 22, RS_OK, "one of IPv6");
    is_target("[::1]", 22, RS_OK, "the same in brackets");
    is_target("a.lan", 65535, RS_OK, "a name");
    is_target("a.lan.", 1, RS_OK, "with a dot at its end");

    is_target("2nd-printer", 1, RS_OK, "a digit first");
    is_target("a.0b", 1, RS_OK, "a zero first");

    is_target("127.0.0.1", 0, RS_E_INVALID_VALUE, "port 0");
    is_target("127.0.0.1", 65536, RS_E_INVALID_VALUE, "port 65536");
    is_target("127.1", 22, RS_E_INVALID_VALUE, "a short address");
    is_target("0x7f000001", 22, RS_E_INVALID_VALUE, "one in hexadecimal");
    is_target("2130706433", 22, RS_E_INVALID_VALUE, "one number");
    is_target("a.0x7f", 22, RS_E_INVALID_VALUE, "a number at its end");
    is_target("0177.0.0.1", 22, RS_E_INVALID_VALUE, "an octal one");
    is_target("::1%lo", 22, RS_E_INVALID_VALUE, "a scope");
    is_target("[127.0.0.1]", 22, RS_E_INVALID_VALUE, "IPv4 in brackets");
    is_target("", 22, RS_E_INVALID_VALUE, "nothing");
    is_target(".", 22, RS_E_INVALID_VALUE, "a dot");
    is_target("a..b", 22, RS_E_INVALID_VALUE, "an empty label");
    is_target("a.lan..", 22, RS_E_INVALID_VALUE, "two dots");
    is_target("a123456789b123456789c123456789d123456789e123456789f123456789"
              "abc.lan", 22, RS_OK, "a label of 63");
    is_target("a123456789b123456789c123456789d123456789e123456789f123456789"
              "abcd.lan", 22, RS_E_INVALID_VALUE, "and one of 64");
    is_target("a\nb", 22, RS_E_INVALID_VALUE, "two lines");
}


static void
test_nothing_listed(void)
{
    set_rules("");
    found("127.0.0.1", 22, 0, NULL, 0, RS_TARGET_UNLISTED);
    found("::1", 22, 0, NULL, 0, RS_TARGET_UNLISTED);
    found("a.lan", 22, 0, "10.0.0.1", 0, RS_TARGET_UNLISTED);
}


static void
test_never(void)
{
    size_t  i;

    static const char *const  never[] = {
        "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "224.0.0.1",
        "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.0.0.192",
        "100.100.100.200", "::", "fe80::1", "febf::1", "ff02::1",
        "fd00:ec2::254", "fd20:ce::254", "fd00:c1::a9fe:a9fe",
        "168.63.129.16", "::ffff:168.63.129.16", "64:ff9b:1::a9fe:a9fe",
        "2001::1", "2002:a9fe:a9fe::",
        "::169.254.169.254", "::10.0.0.1", "::ffff:169.254.169.254",
        "::ffff:0.0.0.0", "64:ff9b::a9fe:a9fe", "64:ff9b::e000:1"
    };

    set_rules("0.0.0.0/0:1-65535 [::/0]:1-65535 *.lan:1-65535");

    for (i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        found(never[i], 80, 0, NULL, 0, RS_TARGET_NEVER);
        found("a.lan", 80, 0, never[i], 0, RS_TARGET_NEVER);
    }

    /* their neighbours are not */

    found("169.253.255.255", 80, 0, NULL, 0, RS_TARGET_ALLOWED);
    found("223.255.255.255", 80, 0, NULL, 0, RS_TARGET_ALLOWED);
    found("fec0::1", 80, 0, NULL, 0, RS_TARGET_ALLOWED);
    found("2001:db8::1", 80, 0, NULL, 0, RS_TARGET_ALLOWED);
    found("::1", 80, 0, NULL, 0, RS_TARGET_ALLOWED);
}


static void
test_addresses(void)
{
    set_rules("127.0.0.1:22 10.0.0.0/24:80-81 [fd00::/8]:443 "
              "10.0.0.9:53/udp");

    found("127.0.0.1", 22, 0, NULL, 0, RS_TARGET_ALLOWED);
    found("127.0.0.1", 23, 0, NULL, 0, RS_TARGET_UNLISTED);
    found("127.0.0.1", 22, 1, NULL, 0, RS_TARGET_UNLISTED);
    found("127.0.0.2", 22, 0, NULL, 0, RS_TARGET_UNLISTED);
    found("10.0.0.7", 80, 0, NULL, 0, RS_TARGET_ALLOWED);
    found("10.0.0.7", 80, 0, NULL, 1, RS_TARGET_ALLOWED);
    found("10.0.0.7", 81, 0, NULL, 0, RS_TARGET_ALLOWED);
    found("10.0.0.7", 82, 0, NULL, 0, RS_TARGET_UNLISTED);
    found("10.0.1.7", 80, 0, NULL, 0, RS_TARGET_UNLISTED);
    found("fdab::1", 443, 0, NULL, 0, RS_TARGET_ALLOWED);
    found("fc00::1", 443, 0, NULL, 0, RS_TARGET_UNLISTED);
    found("10.0.0.9", 53, 1, NULL, 0, RS_TARGET_ALLOWED);
    found("10.0.0.9", 53, 0, NULL, 0, RS_TARGET_UNLISTED);

    /* wrapped ones are what is in them */

    found("::ffff:10.0.0.1", 80, 0, NULL, 0, RS_TARGET_ALLOWED);
    found("::ffff:10.0.1.1", 80, 0, NULL, 0, RS_TARGET_UNLISTED);
    found("::ffff:127.0.0.1", 80, 0, NULL, 0, RS_TARGET_UNLISTED);
    found("64:ff9b::10.0.1.1", 80, 0, NULL, 0, RS_TARGET_UNLISTED);

    set_rules("[::/0]:80");
    found("::ffff:10.0.0.1", 80, 0, NULL, 0, RS_TARGET_UNLISTED);
    found("64:ff9b::10.0.0.1", 80, 0, NULL, 0, RS_TARGET_UNLISTED);
}


static void
test_names(void)
{
    set_rules("printer.lan:9100 *.corp.example:443");

    found("printer.lan", 9100, 0, "10.0.0.5", 0, RS_TARGET_ALLOWED);
    found("Printer.LAN.", 9100, 0, "10.0.0.5", 0, RS_TARGET_ALLOWED);
    found("printer.lan", 9101, 0, "10.0.0.5", 0, RS_TARGET_UNLISTED);
    found("xprinter.lan", 9100, 0, "10.0.0.5", 0, RS_TARGET_UNLISTED);
    found("10.0.0.5", 9100, 0, NULL, 0, RS_TARGET_UNLISTED);
    found("a.corp.example", 443, 0, "10.0.0.5", 0, RS_TARGET_ALLOWED);
    found("a.b.corp.example", 443, 0, "10.0.0.5", 0, RS_TARGET_ALLOWED);
    found("corp.example", 443, 0, "10.0.0.5", 0, RS_TARGET_UNLISTED);
    found("acorp.example", 443, 0, "10.0.0.5", 0, RS_TARGET_UNLISTED);

    /* a name that comes back as something else */

    found("printer.lan", 9100, 0, "127.0.0.1", 0, RS_TARGET_SELF);
    found("printer.lan", 9100, 0, "127.9.9.9", 0, RS_TARGET_SELF);
    found("printer.lan", 9100, 0, "::1", 0, RS_TARGET_SELF);
    found("printer.lan", 9100, 0, "::ffff:127.0.0.1", 0, RS_TARGET_SELF);
    found("printer.lan", 9100, 0, "10.0.0.5", 1, RS_TARGET_SELF);
    found("printer.lan", 9100, 0, "169.254.169.254", 0, RS_TARGET_NEVER);

    /* unless that address is listed by itself */

    set_rules("printer.lan:9100 127.0.0.1:9100");
    found("printer.lan", 9100, 0, "127.0.0.1", 0, RS_TARGET_ALLOWED);
    found("other.lan", 9100, 0, "127.0.0.1", 0, RS_TARGET_ALLOWED);
    found("other.lan", 9100, 0, "127.0.0.2", 0, RS_TARGET_UNLISTED);
}


static void
hopeful(const char *host, unsigned port, int want)
{
    rs_target_t  t;

    (void) rs_target_parse(rs_str(host), port, 0, &t);
    ok(rs_target_hopeful(rules, n_rules, &t) == want, "%s:%u is %s a look-up",
       host, port, want ? "worth" : "not worth");
}


static void
test_hopeful(void)
{
    set_rules("printer.lan:9100 10.0.0.0/8:22 [::1]:23");
    hopeful("printer.lan", 9100, 1);
    hopeful("other.lan", 9100, 0);
    hopeful("other.lan", 22, 1);
    hopeful("other.lan", 80, 0);
    hopeful("10.0.0.1", 22, 1);
    hopeful("11.0.0.1", 22, 0);
    hopeful("::1", 23, 1);
}


int
main(void)
{
    test_rules();
    test_hosts();
    test_nothing_listed();
    test_never();
    test_addresses();
    test_names();
    test_hopeful();

    return tap_done();
}
