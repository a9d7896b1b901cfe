
/*
 * Copyright (C) rs-gateway contributors
 *
 * Addresses, ranges, sets.
 */


#include "tap.h"
#include "rs_ip.h"

#include <arpa/inet.h>


static rs_ip_set_t  set, other, third;


static rs_ip_range_t
range_of(const char *text)
{
    rs_ip_range_t  r;

    if (rs_ip_range_parse(rs_str(text), &r) != RS_OK) {
        printf("not ok - bad range \"%s\"\n", text);
        exit(1);
    }

    return r;
}


static void
add(rs_ip_set_t *s, const char *text)
{
    rs_ip_range_t  r;

    r = range_of(text);
    rs_ip_set_add(s, &r);
}


static void
sub(rs_ip_set_t *s, const char *text)
{
    rs_ip_range_t  r;

    r = range_of(text);
    rs_ip_set_sub(s, &r);
}


static void
shown(const rs_ip_set_t *s, const char *want, const char *what)
{
    char      text[4096], one[RS_IP_RANGE_TEXT_MAX];
    unsigned  i;
    rs_buf_t  b;

    rs_buf_init(&b, text, sizeof(text));

    for (i = 0; i < s->n; i++) {
        if (i) {
            rs_buf_char(&b, ' ');
        }

        rs_buf_put(&b, one, rs_ip_range_format(&s->range[i], one));
    }

    is_str(rs_buf_get(&b), want, what);
}


static void
texts(void)
{
    char           text[RS_IP_TEXT_MAX], full[INET6_ADDRSTRLEN];
    size_t         i, len;
    rs_ip_t        ip, back;
    struct in6_addr  theirs;

    static const char  *good[][2] = {
        { "0.0.0.0", "0.0.0.0" },
        { "255.255.255.255", "255.255.255.255" },
        { "192.0.2.1", "192.0.2.1" },
        { "::", "::" },
        { "::1", "::1" },
        { "1::", "1::" },
        { "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8" },
        { "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
        { "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8" },
        { "1:0:0:2:0:0:0:3", "1:0:0:2::3" },
        { "1:0:0:2:3:0:0:4", "1::2:3:0:0:4" },
        { "2001:DB8::A", "2001:db8::a" },
        { "0001:0020::0300", "1:20::300" },
        { "::192.0.2.1", "::c000:201" },
        { "::ffff:192.0.2.1", "::ffff:c000:201" },
        { "64:ff9b::192.0.2.1", "64:ff9b::c000:201" },
        { "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304" },
        { "1:2:3:4:5::1.2.3.4", "1:2:3:4:5:0:102:304" },
        { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" }
    };

    static const char  *bad[] = {
        "", " ", "1", "1.2", "1.2.3", "1.2.3.", ".1.2.3", "1.2.3.4.",
        "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.04", "0x1.2.3.4",
        "1.2.3.-4", "+1.2.3.4", " 1.2.3.4", "1.2.3.4 ", "1.2.3.4:80",
        "1..2.3", "localhost", "a.example", ":", ":::", "1:", ":1", "1:::2",
        "1::2::3", "::1::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8",
        "12345::", "g::", "::1%eth0", "[::1]", "fe80::1%1", "::1.2.3",
        "::01.2.3.4", "1.2.3.4::", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4",
        "1:2:3:4:5:6::1.2.3.4", "::1/128", "10.0.0.0/8", "::-::1", "-", "/"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        is_rc(rs_ip_parse(rs_str(good[i][0]), &ip), RS_OK, good[i][0]);
        len = rs_ip_format(&ip, text);
        is_str((rs_str_t) { (uint8_t *) text, len }, good[i][1], "its text");
        ok(rs_ip_parse((rs_str_t) { (uint8_t *) text, len }, &back) == RS_OK
           && rs_ip_cmp(&ip, &back) == 0, "which says the same");

        (void) snprintf(full, sizeof(full), "%.*s", (int) len, text);
        ok(inet_pton(ip.len == RS_IP_V4 ? AF_INET : AF_INET6, full, &theirs)
           == 1 && memcmp(&theirs, ip.b, ip.len) == 0, "to others as well");
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(rs_ip_parse(rs_str(bad[i]), &ip) == RS_E_INVALID_VALUE,
           "\"%s\" is no address", bad[i]);
    }

    ok(rs_ip_parse((rs_str_t) { (uint8_t *) "1.2.3.4\0", 8 }, &ip)
       == RS_E_INVALID_VALUE, "nor is one with a NUL");
}


static void
ranges(void)
{
    char           text[RS_IP_RANGE_TEXT_MAX];
    size_t         i;
    rs_ip_range_t  r;

    static const struct {
        const char  *in;
        const char  *out;
        int          bits;
    } good[] = {
        { "10.0.0.0/8", "10.0.0.0-10.255.255.255", 8 },
        { "0.0.0.0/0", "0.0.0.0-255.255.255.255", 0 },
        { "10.1.2.3/32", "10.1.2.3", 32 },
        { "10.1.2.3", "10.1.2.3", 32 },
        { "100.64.0.0/10", "100.64.0.0-100.127.255.255", 10 },
        { "10.0.0.1-10.0.0.2", "10.0.0.1-10.0.0.2", -1 },
        { "10.0.0.0-10.0.0.1", "10.0.0.0-10.0.0.1", 31 },
        { "10.0.0.1-10.0.0.1", "10.0.0.1", 32 },
        { "::/0", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0 },
        { "3fff::/20", "3fff::-3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", 20 },
        { "fe80::/10", "fe80::-febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 10 },
        { "::1/128", "::1", 128 },
        { "::1-::ffff", "::1-::ffff", -1 }
    };

    static const char  *bad[] = {
        "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/", "/8",
        "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/255.0.0.0", "::/129",
        "2001:db8::1/32", "10.0.0.2-10.0.0.1", "10.0.0.1-::1", "1-2",
        "10.0.0.0-", "-10.0.0.0", "10.0.0.0 - 10.0.0.1", "10.0.0.0-5",
        "10.0.0.0/8-11.0.0.0/8", "10/8", "a-b", "10.0.0.*", ""
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        is_rc(rs_ip_range_parse(rs_str(good[i].in), &r), RS_OK, good[i].in);
        is_str((rs_str_t) { (uint8_t *) text, rs_ip_range_format(&r, text) },
               good[i].out, "its text");
        is_int((uint64_t) rs_ip_range_bits(&r), (uint64_t) good[i].bits,
               "its bits");
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(rs_ip_range_parse(rs_str(bad[i]), &r) == RS_E_INVALID_VALUE,
           "\"%s\" is no range", bad[i]);
    }
}


static void
sets(void)
{
    rs_ip_range_t  r;

    rs_ip_set_init(&set);
    shown(&set, "", "empty");
    add(&set, "10.0.0.0/24");
    add(&set, "10.0.2.0/24");
    shown(&set, "10.0.0.0-10.0.0.255 10.0.2.0-10.0.2.255", "two");
    add(&set, "10.0.1.0/24");
    shown(&set, "10.0.0.0-10.0.2.255", "what touches is one");
    add(&set, "10.0.1.7");
    shown(&set, "10.0.0.0-10.0.2.255", "already there");
    sub(&set, "10.0.1.0/24");
    shown(&set, "10.0.0.0-10.0.0.255 10.0.2.0-10.0.2.255", "taken out");
    sub(&set, "10.0.0.128-10.0.2.127");
    shown(&set, "10.0.0.0-10.0.0.127 10.0.2.128-10.0.2.255", "from both");
    add(&set, "::1");
    add(&set, "255.255.255.255");
    add(&set, "::");
    add(&set, "0.0.0.0");
    shown(&set, "0.0.0.0 10.0.0.0-10.0.0.127 10.0.2.128-10.0.2.255 "
          "255.255.255.255 ::-::1", "families stay apart");
    add(&set, "0.0.0.0/0");
    shown(&set, "0.0.0.0-255.255.255.255 ::-::1", "all of one");
    rs_ip_set_not(&other, &set);
    shown(&other, "::2-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
          "all but these");
    rs_ip_set_not(&third, &other);
    ok(rs_ip_set_eq(&third, &set), "and back");
    sub(&set, "0.0.0.0/0");
    sub(&set, "::/0");
    shown(&set, "", "nothing again");
    rs_ip_set_not(&other, &set);
    shown(&other, "0.0.0.0-255.255.255.255 "
          "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "everything");

    r = range_of("10.0.0.5");
    rs_ip_set_sub(&other, &r);
    ok(!rs_ip_set_has(&other, &r.first), "without one");
    (void) rs_ip_inc(&r.first);
    ok(rs_ip_set_has(&other, &r.first), "but with the next");
    r = range_of("10.0.0.4-10.0.0.6");
    ok(rs_ip_set_meets(&other, &r), "a range meets it");
    sub(&other, "10.0.0.0/24");
    ok(!rs_ip_set_meets(&other, &r), "or does not");
}


static void
bounds(void)
{
    unsigned       i;
    rs_ip_range_t  r;

    rs_ip_set_init(&set);

    for (i = 0; i < RS_IP_SET_MAX; i++) {
        r = range_of("10.0.0.1");
        r.first.b[2] = (uint8_t) (i >> 7);
        r.first.b[3] = (uint8_t) (i << 1);
        r.last = r.first;
        rs_ip_set_add(&set, &r);
    }

    is_int(set.n, RS_IP_SET_MAX, "a set that is full");
    ok(!set.overflow, "is no error");
    add(&set, "10.0.0.1");
    is_int(set.n, RS_IP_SET_MAX - 1, "and takes what joins two");
    add(&set, "11.0.0.1");
    ok(!set.overflow, "and one more");
    add(&set, "12.0.0.1");
    ok(set.overflow, "not a second one");

    rs_ip_set_init(&other);
    rs_ip_set_add_set(&other, &set);
    ok(other.overflow, "what is made of it knows");
}


/* against one bit an address of a small universe */

static void
model(void)
{
    int            wrong;
    uint8_t        bits[256], had;
    unsigned       i, j, a, z, n;
    uint32_t       seed;
    rs_ip_range_t  r;

    seed = 12345;
    wrong = 0;
    memset(bits, 0, sizeof(bits));
    rs_ip_set_init(&set);

    for (i = 0; i < 20000; i++) {
        seed = seed * 1664525 + 1013904223;
        a = seed >> 8 & 0xff;
        z = a + (seed >> 16 & 0xf);
        z = z > 255 ? 255 : z;

        r = range_of("0.0.0.0");
        r.first.b[3] = (uint8_t) a;
        r.last.b[3] = (uint8_t) z;

        had = 0;

        for (j = a; j <= z; j++) {
            had |= bits[j];
        }

        wrong += rs_ip_set_meets(&set, &r) != had;

        if (seed >> 31) {
            rs_ip_set_add(&set, &r);

        } else {
            rs_ip_set_sub(&set, &r);
        }

        memset(bits + a, (int) (seed >> 31), z - a + 1);

        for (n = 0, j = 0; j < 256; j++) {
            r.first.b[3] = (uint8_t) j;
            wrong += rs_ip_set_has(&set, &r.first) != bits[j];
            n += bits[j] && (j == 0 || !bits[j - 1]);
        }

        wrong += set.n != n;
    }

    is_int((uint64_t) wrong, 0, "20,000 additions and subtractions");
}


static void
keys(void)
{
    size_t    i;
    char      buf[RS_IP_KEY_MAX];
    rs_ip_t   ip;
    rs_str_t  key;

    static const char  *const  text[][2] = {
        { "10.0.0.1", "40a000001" },
        { "::ffff:10.0.0.1", "40a000001" },
        { "255.255.255.255", "4ffffffff" },
        { "::", "600000000000000000000000000000000" },
        { "::fffe:10.0.0.1", "600000000000000000000fffe0a000001" },
        { "2001:db8::1", "620010db8000000000000000000000001" }
    };

    for (i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
        is_rc(rs_ip_parse(rs_str(text[i][0]), &ip), RS_OK, text[i][0]);
        key.data = (uint8_t *) buf;
        key.len = rs_ip_key(&ip, buf);
        is_str(key, text[i][1], "its key");
    }
}


int
main(void)
{
    texts();
    keys();
    ranges();
    sets();
    bounds();
    model();

    return tap_done();
}
