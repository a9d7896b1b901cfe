
/*
 * Copyright (C) rs-gateway contributors
 *
 * Peer policy: lines of "key value".  Whatever they say, no list is empty,
 * every entry is a range that coturn reads as one, and nothing that no rule
 * may allow is allowed.
 */


#include "fuzz.h"
#include "rs_turn_peer.h"


typedef struct {
    const rs_ip_set_t  *set;
    rs_ip_set_t         sum;
    unsigned            n;
    unsigned            nobody;
} lines_t;


static rs_turn_peer_conf_t  conf;
static rs_turn_peer_t       peer;


static void
line(void *data, rs_str_t text)
{
    char            again[RS_IP_RANGE_TEXT_MAX];
    size_t          len;
    lines_t        *l = data;
    rs_ip_range_t   range;

    CHECK(rs_ip_range_parse(text, &range) == RS_OK);

    len = rs_ip_range_format(&range, again);
    CHECK(rs_str_eq(text, (rs_str_t) { (uint8_t *) again, len }));

    l->n++;
    l->nobody = (unsigned) rs_str_eq(text, RS_STR("0.0.0.1"));
    rs_ip_set_add(&l->sum, &range);
}


static void
check(const rs_ip_set_t *set)
{
    unsigned          i;
    rs_ip_range_t     any;
    static lines_t    l;

    static const char *const  any_texts[] = { "0.0.0.0", "::" };

    l.set = set;
    l.n = 0;
    rs_ip_set_init(&l.sum);
    rs_turn_peer_lines(set, line, &l);

    CHECK(l.n > 0 && l.n <= RS_TURN_PEER_LINES_MAX);

    if (l.n == 1 && l.nobody) {
        return;
    }

    for (i = 0; i < 2; i++) {
        (void) rs_ip_range_parse(rs_str(any_texts[i]), &any);
        CHECK(!rs_ip_set_has(&l.sum, &any.first));

        if (rs_ip_set_has(set, &any.first)) {
            rs_ip_set_add(&l.sum, &any);
        }
    }

    CHECK(rs_ip_set_eq(&l.sum, set));
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rs_ip_t      ip;
    unsigned     i;
    rs_str_t     rest, text, key, value;
    const char  *cure;

    static const char *const  never[] = {
        "0.0.0.1", "127.0.0.2", "169.254.169.254", "224.0.0.1",
        "255.255.255.255", "::ffff:7f00:1", "::a00:1", "64:ff9b::a00:1",
        "2002:a00:1::1", "2001::1", "fe80::1", "ff02::1", "100.100.100.200"
    };

    rest.data = data;
    rest.len = size;
    rs_turn_peer_conf_init(&conf);

    while (rest.len) {
        (void) rs_str_split(rest, '\n', &text, &rest);

        if (rs_str_split(text, ' ', &key, &value)
            && rs_turn_peer_conf_add(&conf, key, value, &cure) != RS_OK
            && !rs_str_eq(key, RS_STR("peers")))
        {
            CHECK(cure != NULL
                  || rs_turn_peer_conf_add(&conf, key, value, &cure)
                     == RS_E_UNKNOWN_FIELD);
        }
    }

    if (rs_turn_peer_build(&conf, &peer, &cure) != RS_OK) {
        CHECK(cure != NULL);
        return 0;
    }

    check(&peer.allowed);
    check(&peer.denied);

    for (i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        CHECK(rs_ip_parse(rs_str(never[i]), &ip) == RS_OK);
        CHECK(rs_turn_peer_denies(&peer, &ip)
              || rs_ip_set_has(&conf.own, &ip)
              || rs_ip_set_has(&conf.relay, &ip));
    }

    return 0;
}
