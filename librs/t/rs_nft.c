
/*
 * Copyright (C) rs-gateway contributors
 *
 * Kernel rules; the texts are what nft prints.
 */


#include "tap.h"
#include "rs_nft.h"


#define CHAIN(hook)                                                          \
    "{\"nftables\": [{\"metainfo\": {\"json_schema_version\": 1}}, "         \
    "{\"table\": {\"family\": \"inet\", \"name\": \"rs_turn\"}}, "           \
    "{\"chain\": {\"family\": \"inet\", \"table\": \"rs_turn\", "            \
    "\"name\": \"input\", \"type\": \"filter\", " hook                       \
    "\"prio\": -10, \"policy\": \"accept\"}}, "
#define RULE(expr)                                                           \
    "{\"rule\": {\"family\": \"inet\", \"table\": \"rs_turn\", "             \
    "\"chain\": \"input\", \"handle\": 4, \"expr\": [" expr "]}}]}"
#define MATCH(proto, field, right)                                           \
    "{\"match\": {\"op\": \"==\", \"left\": {\"payload\": {\"protocol\": \"" \
    proto "\", \"field\": \"" field "\"}}, \"right\": " right "}}"
#define INPUT  CHAIN("\"hook\": \"input\", ")
#define DROP   ", {\"drop\": null}"
#define TO(r)  MATCH("ip", "daddr", r)


static void
closed(const char *text, const char *addr, rs_err_e want, const char *what)
{
    rs_ip_t  ip;

    (void) rs_ip_parse(rs_str(addr), &ip);
    is_rc(rs_nft_closed(rs_str(text), &ip), want, what);
}


int
main(void)
{
    rs_ip_t        ip;
    static char    large[RS_NFT_MAX + 1];

    static const char  *open[][2] = {
        { INPUT RULE(TO("\"10.0.0.11\"") ", {\"accept\": null}"),
          "accepted" },
        { INPUT RULE(TO("\"10.0.0.11\"")), "no verdict" },
        { INPUT RULE("{\"drop\": null}"), "no address" },
        { INPUT RULE(TO("\"10.0.0.12\"") DROP), "another address" },
        { INPUT RULE(MATCH("ip", "saddr", "\"10.0.0.11\"") DROP), "from it" },
        { INPUT RULE(MATCH("ip6", "daddr", "\"10.0.0.11\"") DROP),
          "another family" },
        { INPUT RULE(TO("\"10.0.0.11\"") ", "
                     MATCH("tcp", "dport", "22") DROP), "a further condition" },
        { INPUT RULE(TO("\"10.0.0.11\"") ", {\"limit\": {\"rate\": 1}}" DROP),
          "a limit" },
        { INPUT RULE(TO("\"@relays\"") DROP), "a named set" },
        { INPUT RULE(TO("{\"set\": []}") DROP), "an empty set" },
        { INPUT RULE(TO("{\"prefix\": {\"addr\": \"10.0.0.0\", \"len\": 0}}")
                     DROP), "a prefix of nothing" },
        { INPUT RULE(TO("{\"range\": [\"10.0.0.12\"]}") DROP),
          "half a range" },
        { INPUT RULE(TO("11") DROP), "a number" },
        { CHAIN("\"hook\": \"forward\", ") RULE(TO("\"10.0.0.11\"") DROP),
          "another hook" },
        { CHAIN("") RULE(TO("\"10.0.0.11\"") DROP), "a chain without hook" },
        { "{\"nftables\": []}", "no rules" },
        { "{\"nftables\": [null, 1, \"a\", {\"rule\": 3}, {\"rule\": {}}, "
          "{\"rule\": {\"expr\": {}}}]}", "strange rules" }
    };

    static const char  *shut[] = {
        INPUT RULE(TO("\"10.0.0.11\"") DROP),
        INPUT RULE(TO("\"10.0.0.11\"")
                   ", {\"counter\": {\"packets\": 0, \"bytes\": 0}}" DROP),
        INPUT RULE(TO("\"10.0.0.11\"") ", {\"reject\": null}"),
        INPUT RULE(TO("{\"set\": [\"10.0.0.1\", \"10.0.0.11\"]}") DROP),
        INPUT RULE(TO("{\"prefix\": {\"addr\": \"10.0.0.8\", \"len\": 29}}")
                   DROP),
        INPUT RULE(TO("{\"set\": [{\"range\": [\"10.0.0.11\", "
                      "\"10.0.0.12\"]}]}") DROP)
    };

    static const char  *bad[] = {
        "", "x", "[]", "{}", "{\"nftables\": {}}", "{\"nftables\": [}"
    };

    size_t  i;

    for (i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
        closed(open[i][0], "10.0.0.11", RS_E_NOT_FOUND, open[i][1]);
    }

    for (i = 0; i < sizeof(shut) / sizeof(shut[0]); i++) {
        closed(shut[i], "10.0.0.11", RS_OK, "closed");
        closed(shut[i], "10.0.0.16", RS_E_NOT_FOUND, "but another is open");
    }

    closed(INPUT RULE(MATCH("ip6", "daddr", "\"2001:db8::11\"") DROP),
           "2001:db8::11", RS_OK, "IPv6");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        closed(bad[i], "10.0.0.11", RS_E_INVALID_JSON, bad[i]);
    }

    (void) rs_ip_parse(RS_STR("10.0.0.11"), &ip);
    memset(large, ' ', sizeof(large));
    is_rc(rs_nft_closed((rs_str_t) { (uint8_t *) large, sizeof(large) }, &ip),
          RS_E_BODY_TOO_LARGE, "too large");

    return tap_done();
}
