
/*
 * Copyright (C) rs-gateway contributors
 *
 * Bans: what failures at which moments come to, and the fleet's messages.
 */


#include "tap.h"

#include "rs_ban.h"


/* failures=3 window=60s time=10s max=1m */

static const rs_ban_t  conf = { 3, 60, 10, 60 };

/* redis-schema/t/250-ban.t has the same table */

static const struct {
    uint32_t     at;
    uint32_t     ban;
    const char  *what;
} moments[] = {
    { 1000, 0, "the first" },
    { 1000, 0, "the second" },
    { 1000, 10, "the third bans" },
    { 1005, 0, "one that was under way does not count" },
    { 1010, 0, "after it, the first" },
    { 1011, 0, "the second" },
    { 1012, 20, "the third bans for twice as long" },
    { 1032, 0, "the first" },
    { 1033, 0, "the second" },
    { 1092, 0, "after the window it is the first again" },
    { 1093, 0, "the second" },
    { 1094, 40, "but what was is not forgotten" },
    { 1134, 0, "the first" },
    { 1134, 0, "the second" },
    { 1134, 60, "never above max" },
    { 1194, 0, "the first" },
    { 1194, 0, "the second" },
    { 1194, 60, "and again" },
    { 1374, 0, "window and max later, the first" },
    { 1375, 0, "the second" },
    { 1376, 10, "it begins anew" },
    { 0, 0, NULL }
};


static void
test_moments(void)
{
    size_t     i;
    uint32_t   ban;
    uint64_t   state;

    state = 0;

    for (i = 0; moments[i].what; i++) {
        ban = rs_ban_fail(&conf, state, moments[i].at, &state);

        ok(ban == moments[i].ban, "at %u: %s", moments[i].at,
           moments[i].what);

        if (ban) {
            is_int(rs_ban_since(state), moments[i].at + ban,
                   "its end is kept");
        }
    }
}


static void
test_extremes(void)
{
    int       i;
    uint32_t  now, ban;
    uint64_t  state;
    rs_ban_t  c;

    c = (rs_ban_t) { 1, 1, 1, RS_BAN_MAX };
    state = 0;
    now = 1;
    ban = 0;

    for (i = 0; i < 300; i++) {
        ban = rs_ban_fail(&c, state, now, &state);
        now += ban;
    }

    is_int(ban, RS_BAN_MAX, "300 bans do not overflow");

    c = (rs_ban_t) { RS_BAN_FAILURES_MAX, RS_BAN_WINDOW_MAX, 1, 1 };
    state = 0;

    for (i = 1; i < RS_BAN_FAILURES_MAX; i++) {
        if (rs_ban_fail(&c, state, 5, &state) != 0) {
            break;
        }
    }

    is_int((uint64_t) i, RS_BAN_FAILURES_MAX, "as many failures as may be");
    is_int(rs_ban_fail(&c, state, 5, &state), 1, "and the last bans");
}


static void
parses(const char *text, const char *who, uint32_t n)
{
    rs_str_t  subject;
    uint32_t  seconds;

    ok(rs_ban_parse(rs_str(text), &subject, &seconds)
       && rs_str_eq(subject, rs_str(who)) && seconds == n, "\"%s\"", text);
}


static void
refuses(const char *text)
{
    rs_str_t  subject;
    uint32_t  seconds;

    ok(!rs_ban_parse(rs_str(text), &subject, &seconds), "not \"%s\"", text);
}


static void
test_parse(void)
{
    char  text[RS_BAN_SUBJECT_MAX + 8];

    parses("a:192.0.2.1 10", "a:192.0.2.1", 10);
    parses("a:2001:db8::/64 604800", "a:2001:db8::/64", 604800);
    parses("d:default:dev_a:192.0.2.1 0", "d:default:dev_a:192.0.2.1", 0);

    refuses("");
    refuses("a:192.0.2.1");
    refuses("a:192.0.2.1 ");
    refuses("a:192.0.2.1 -1");
    refuses("a:192.0.2.1 604801");
    refuses("a:192.0.2.1 10 10");
    refuses("a:192.0.2.1  10");
    refuses(" 10");
    refuses("a: 10");
    refuses("ab:1 10");
    refuses("a:192.0.2.1\t 10");
    refuses("a:A 10");

    memset(text, 'a', sizeof(text));
    text[1] = ':';
    memcpy(text + RS_BAN_SUBJECT_MAX, " 1", 3);
    ok(rs_ban_parse(rs_str(text), &(rs_str_t) { NULL, 0 }, &(uint32_t) { 0 }),
       "as long as it may be");
    memcpy(text + RS_BAN_SUBJECT_MAX, "a 1", 4);
    refuses(text);
}


int
main(void)
{
    test_moments();
    test_extremes();
    test_parse();

    return tap_done();
}
