
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the gateway tells TURN servers.
 */


#include "tap.h"
#include "rs_turn_feed.h"


#define SES  "ses_aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PAR  "par_cccccccccccccccccccccccccc"


static const char *const  bad[] = {
    "", "live", "live default", "live default " SES, "live default " SES " 5",
    "live default " SES " 5 - ", "live default " SES " 5 - x",
    "live  default " SES " 5 -", " live default " SES " 5 -",
    "live Default " SES " 5 -", "live default " PAR " 5 -",
    "live default " SES " -5 -", "live default " SES " 05 -",
    "live default " SES " 10000000000000 -", "live default " SES " 5 " SES,
    "live default " SES " 5 " PAR " ", "live default " SES " 5.5 -",
    "end default " SES, "end default " SES " 5 -", "end default " SES " ",
    "end default " SES " 5\n", "rev default " SES " 5 " PAR,
    "rev default " SES " - 5", "rev default " SES " " PAR,
    "rev default " SES " " PAR " 5 6", "LIVE default " SES " 5 -",
    "gone default " SES " 5"
};

static const char *const  bad_members[] = {
    "", SES, SES ".", SES ".." PAR, PAR "." SES, SES "." SES, SES "." PAR ".",
    "." PAR, SES " " PAR, SES "." PAR " "
};


int
main(void)
{
    size_t          i;
    rs_str_t        ses, par;
    rs_turn_feed_t  f;

    is_rc(rs_turn_feed_parse(RS_STR("live default " SES " 1700000000 " PAR),
                             &f), RS_OK, "live");
    is_int(f.kind, RS_TURN_LIVE, "its kind");
    is_str(f.tenant, "default", "its tenant");
    is_str(f.session_id, SES, "its session");
    is_str(f.participant_id, PAR, "its host");
    is_int(f.expires_at, 1700000000, "its end");

    is_rc(rs_turn_feed_parse(RS_STR("live a-1 " SES " 0 -"), &f), RS_OK,
          "live without a host");
    is_str(f.tenant, "a-1", "its tenant");
    is_int(f.participant_id.len, 0, "no host");

    is_rc(rs_turn_feed_parse(RS_STR("end default " SES " 9999999999999"),
                             &f), RS_OK, "end");
    is_int(f.kind, RS_TURN_END, "its kind");
    is_int(f.expires_at, 9999999999999ULL, "its end");

    is_rc(rs_turn_feed_parse(RS_STR("rev default " SES " " PAR " 7"), &f),
          RS_OK, "rev");
    is_int(f.kind, RS_TURN_REV, "its kind");
    is_str(f.participant_id, PAR, "its participant");
    is_int(f.expires_at, 7, "until");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(rs_turn_feed_parse(rs_str(bad[i]), &f) == RS_E_INVALID_VALUE,
           "refused: \"%s\"", strchr(bad[i], '\n') ? "a line end" : bad[i]);
    }

    is_rc(rs_turn_member_parse(RS_STR(SES "." PAR), 0, &ses, &par), RS_OK,
          "a member");
    is_str(ses, SES, "its session");
    is_str(par, PAR, "its participant");
    is_rc(rs_turn_member_parse(RS_STR(SES ".-"), 1, &ses, &par), RS_OK,
          "a member without a host");
    is_int(par.len, 0, "none");
    is_rc(rs_turn_member_parse(RS_STR(SES ".-"), 0, &ses, &par),
          RS_E_INVALID_VALUE, "which a revocation must have");

    for (i = 0; i < sizeof(bad_members) / sizeof(bad_members[0]); i++) {
        is_rc(rs_turn_member_parse(rs_str(bad_members[i]), 1, &ses, &par),
              RS_E_INVALID_VALUE, bad_members[i]);
    }

    return tap_done();
}
