
/*
 * Copyright (C) rs-gateway contributors
 *
 * Rules of allow and of deny, a host and an address, a line each: no rule
 * opens what is never open, and more of deny never opens anything.
 */


#include "fuzz.h"
#include "rs_egress.h"


static rs_egress_t  with, without;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int           own;
    rs_ip_t       ip, inner;
    rs_str_t      all, allow, deny, host;
    const char   *cure;
    rs_egress_e   verdict, less;
    rs_target_t   target;

    all = (rs_str_t) { data, size };
    (void) rs_str_split(all, '\n', &allow, &all);
    (void) rs_str_split(all, '\n', &deny, &all);
    (void) rs_str_split(all, '\n', &host, &all);

    rs_egress_init(&with);
    rs_egress_init(&without);
    with.listed = without.listed = size & 1;

    (void) rs_egress_add(&with, RS_STR("allow"), allow, &cure);
    (void) rs_egress_add(&without, RS_STR("allow"), allow, &cure);
    (void) rs_egress_add(&without, RS_STR("deny"), deny, &cure);
    (void) rs_egress_add(&with, RS_STR("ports"), deny, &cure);
    without.nports = with.nports;
    memcpy(without.ports, with.ports, sizeof(with.ports));

    CHECK(with.nallow <= RS_EGRESS_RULES_MAX && with.nports
          <= RS_EGRESS_PORTS_MAX);

    if (rs_target_parse(host, 443, 0, &target) != RS_OK) {
        return 0;
    }

    if (rs_ip_parse(all, &ip) != RS_OK) {
        ip = target.ip;
    }

    if (ip.len == 0) {
        return 0;
    }

    for (own = 0; own < 2; own++) {
        verdict = rs_egress_check(&with, &target, &ip, own);
        less = rs_egress_check(&without, &target, &ip, own);

        CHECK(less == verdict || less == RS_EGRESS_DENIED);
        CHECK(rs_egress_why(verdict) != NULL
              && rs_egress_code(verdict) != NULL);

        rs_target_unwrap(&ip, &inner);

        if (inner.len == RS_IP_V4
            && (inner.b[0] == 0 || inner.b[0] >= 224
                || (inner.b[0] == 169 && inner.b[1] == 254)))
        {
            CHECK(verdict == RS_EGRESS_NEVER);
        }

        if (with.nallow == 0 && (own || inner.b[0] == 127)
            && inner.len == RS_IP_V4)
        {
            CHECK(verdict != RS_EGRESS_ALLOWED);
        }

        if (verdict == RS_EGRESS_ALLOWED && !own) {
            CHECK(rs_egress_hopeful(&with, &target) == RS_EGRESS_ALLOWED
                  || target.name.len == 0);
        }
    }

    return 0;
}
