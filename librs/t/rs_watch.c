
/*
 * Copyright (C) rs-gateway contributors
 *
 * What consoles watch: lines of the store, and whose they are.
 */


#include "tap.h"

#include "rs_watch.h"


#define DEV  "dev_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SES  "ses_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define TUN  "tun_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define GRP  "grp_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define GRB  "grp_bbbbbbbbbbbbbbbbbbbbbbbbbb"


static void
parses(const char *text, rs_watch_what_e what, const char *id,
    const char *group, const char *change)
{
    rs_watch_t  w;

    ok(rs_watch_parse(rs_str(text), &w) && w.what == what
       && rs_str_eq(w.tenant, RS_STR("acme"))
       && rs_str_eq(w.id, rs_str(id)) && rs_str_eq(w.group, rs_str(group))
       && rs_str_eq(w.change, rs_str(change)), "\"%s\"", text);
}


static void
refuses(const char *text)
{
    rs_watch_t  w;

    ok(!rs_watch_parse(rs_str(text), &w), "not \"%s\"", text);
}


static void
test_parse(void)
{
    parses("acme dev " DEV " - online", RS_WATCH_DEVICE, DEV, "", "online");
    parses("acme dev " DEV " " GRP " gone", RS_WATCH_DEVICE, DEV, GRP,
           "gone");
    parses("acme ses " SES " - ended", RS_WATCH_SESSION, SES, "", "ended");
    parses("acme tun " TUN " " GRP " changed", RS_WATCH_TUNNEL, TUN, GRP,
           "changed");
    parses("acme who - - changed", RS_WATCH_RIGHTS, "", "", "changed");

    refuses("");
    refuses("acme");
    refuses("acme dev");
    refuses("acme dev " DEV);
    refuses("acme dev " DEV " -");
    refuses("acme dev " DEV " - ");
    refuses("acme dev " DEV " - online ");
    refuses("acme dev " DEV " - ended");
    refuses("acme dev " SES " - online");
    refuses("acme dev - - online");
    refuses("acme dev " DEV " " DEV " online");
    refuses("acme dev " DEV "  online");
    refuses("acme ses " SES " - online");
    refuses("acme ses " SES " - gone");
    refuses("acme tun " TUN " - gone");
    refuses("acme tun " SES " - new");
    refuses("acme who " DEV " - changed");
    refuses("acme who - - gone");
    refuses("acme xyz - - changed");
    refuses("Acme who - - changed");
    refuses(" who - - changed");
}


static void
test_covers(void)
{
    ok(rs_watch_covers(RS_STR("*"), RS_STR(GRP)), "all have each group");
    ok(rs_watch_covers(RS_STR("*"), RS_STR("")), "and what is in none");
    ok(rs_watch_covers(RS_STR(GRP), RS_STR(GRP)), "one");
    ok(rs_watch_covers(RS_STR(GRB " " GRP), RS_STR(GRP)), "the second");
    ok(!rs_watch_covers(RS_STR(GRB), RS_STR(GRP)), "another");
    ok(!rs_watch_covers(RS_STR(GRP), RS_STR("")), "what is in none");
    ok(!rs_watch_covers(RS_STR(""), RS_STR("")), "nobody sees that");
    ok(!rs_watch_covers(RS_STR(""), RS_STR(GRP)), "nor anything else");
    ok(!rs_watch_covers(RS_STR(GRP "a"), RS_STR(GRP)), "no beginning");
}


int
main(void)
{
    test_parse();
    test_covers();

    return tap_done();
}
