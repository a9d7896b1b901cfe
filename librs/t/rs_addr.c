
/*
 * Copyright (C) rs-gateway contributors
 *
 * Addresses.
 */


#include "tap.h"
#include "rs_addr.h"


#define NODE32  "abcdefghijklmnopqrstuvwxyz-01234"


static void
round_trip(const char *text)
{
    char       out[RS_ADDR_MAX];
    size_t     len;
    rs_addr_t  a;

    is_rc(rs_addr_parse(rs_str(text), &a), RS_OK, text);
    len = rs_addr_format(&a, out, sizeof(out));
    is_str((rs_str_t) { (uint8_t *) out, len }, text, "comes back");
    is_int(rs_addr_format(&a, out, len - 1), 0, "does not fit");
}


int
main(void)
{
    size_t     i;
    rs_addr_t  a, b;

    static const char  *bad[] = {
        "", "n", "n.0", "n.0.", "n.0.0123456789abcde",
        "n.0.0123456789abcdef0", "n.0.0123456789ABCDEF",
        "n.0.0123456789abcdeg", "n.00.0123456789abcdef",
        "n.65536.0123456789abcdef", "n.-1.0123456789abcdef",
        ".0.0123456789abcdef", "N.0.0123456789abcdef",
        "n_.0.0123456789abcdef", NODE32 "5.0.0123456789abcdef",
        "n.0.0123456789abcdef.", "n.0.0123456789abcdef.0",
        "n.0.0123456789abcdef.01", "n.0.0123456789abcdef.9007199254740993",
        "n.0.0123456789abcdef.1.1", "n.0.0123456789abcdef.1 ",
        " n.0.0123456789abcdef.1", "n..0123456789abcdef.1"
    };

    round_trip("n.0.0000000000000000");
    round_trip("n.0.0000000000000001.1");
    round_trip(NODE32 ".65535.fedcba9876543210.9007199254740992");
    round_trip("a-b.3.0123456789abcdef.42");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(rs_addr_parse(rs_str(bad[i]), &a) == RS_E_INVALID_VALUE,
           "\"%s\" is none", bad[i]);
    }

    (void) rs_addr_parse(RS_STR("n.1.0123456789abcdef.7"), &a);
    is_int(a.worker, 1, "worker");
    is_int(a.incarnation, 0x0123456789abcdef, "incarnation");
    is_int(a.conn, 7, "conn");

    (void) rs_addr_parse(RS_STR("n.1.0123456789abcdef.8"), &b);
    ok(rs_addr_same_worker(&a, &b), "two sockets of a worker");
    ok(!rs_addr_eq(&a, &b), "are not one");
    ok(rs_addr_eq(&a, &a), "a socket is itself");

    (void) rs_addr_parse(RS_STR("n.1.0123456789abcdef"), &b);
    ok(rs_addr_same_worker(&a, &b), "a worker has its sockets");

    (void) rs_addr_parse(RS_STR("n.1.0123456789abcdee.7"), &b);
    ok(!rs_addr_same_worker(&a, &b), "another incarnation");

    (void) rs_addr_parse(RS_STR("n.2.0123456789abcdef.7"), &b);
    ok(!rs_addr_same_worker(&a, &b), "another worker");
    ok(rs_addr_same_node(&a, &b), "of the same node");

    (void) rs_addr_parse(RS_STR("m.1.0123456789abcdef.7"), &b);
    ok(!rs_addr_same_worker(&a, &b), "another node");
    ok(!rs_addr_same_node(&a, &b), "is another node");

    (void) rs_addr_parse(RS_STR("nn.1.0123456789abcdef.7"), &b);
    ok(!rs_addr_same_worker(&a, &b), "a longer name");

    is_rc(rs_addr_set_node(&a, RS_STR("node-1")), RS_OK, "set a node");
    is_rc(rs_addr_set_node(&a, RS_STR("node.1")), RS_E_INVALID_VALUE,
          "no dots in it");
    is_rc(rs_addr_node_check(RS_STR("")), RS_E_INVALID_VALUE, "nor nothing");

    return tap_done();
}
