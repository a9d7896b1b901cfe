
/*
 * Copyright (C) rs-gateway contributors
 *
 * A rule, a host and an address, a line each: what parses stays inside of
 * what came, and no rule opens what is never open.
 */


#include "fuzz.h"
#include "rs_target.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rs_ip_t            ip;
    rs_str_t           all, rule, host, address;
    rs_target_e        verdict;
    rs_target_t        target;
    rs_target_rule_t   rules[2];

    all = (rs_str_t) { data, size };
    (void) rs_str_split(all, '\n', &rule, &all);
    (void) rs_str_split(all, '\n', &host, &address);

    CHECK(rs_target_rule_parse(RS_STR("[::/0]:1-65535"), &rules[1]) == RS_OK);

    if (rs_target_rule_parse(rule, &rules[0]) != RS_OK) {
        rules[0] = rules[1];
    }

    CHECK(rules[0].first >= 1 && rules[0].first <= rules[0].last
          && rules[0].last <= 65535);
    CHECK(rules[0].name.len <= RS_TARGET_NAME_MAX);

    if (rules[0].name.len != 0) {
        CHECK(rules[0].name.data >= rule.data
              && rules[0].name.data + rules[0].name.len
                 <= rule.data + rule.len);

        /* a rule's own name matches, unless it is for those below */

        CHECK(rs_target_parse(rules[0].name, rules[0].first, rules[0].udp,
                              &target) == RS_OK);
        CHECK(rs_target_hopeful(rules, 1, &target) == !rules[0].below);
    }

    if (rs_target_parse(host, 22, 0, &target) != RS_OK) {
        return 0;
    }

    CHECK(target.name.len != 0 || target.ip.len != 0);

    if (rs_ip_parse(address, &ip) != RS_OK) {
        ip = target.ip;
    }

    if (ip.len == 0) {
        return 0;
    }

    verdict = rs_target_check(rules, 2, &target, &ip, 0);

    /* allowed for somebody else is not less than for this device */

    if (rs_target_check(rules, 2, &target, &ip, 1) == RS_TARGET_ALLOWED
        && ip.b[0] != 0)
    {
        CHECK(verdict == RS_TARGET_ALLOWED);
    }

    if (ip.len == RS_IP_V4 && ip.b[0] == 169 && ip.b[1] == 254) {
        CHECK(verdict == RS_TARGET_NEVER);
    }

    if (target.name.len == 0
        && rs_target_check(rules, 2, &target, &target.ip, 0)
           == RS_TARGET_ALLOWED)
    {
        CHECK(rs_target_hopeful(rules, 2, &target));
    }

    return 0;
}
