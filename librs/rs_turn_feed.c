
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the gateway tells TURN servers.
 */


#include "rs_turn_feed.h"


#define RS_TURN_TIME_MAX  9999999999999ULL     /* s; no score is above it */


static int rs_turn_feed_par(rs_str_t text, int none, rs_str_t *par);


rs_err_e
rs_turn_feed_parse(rs_str_t text, rs_turn_feed_t *feed)
{
    size_t    n;
    rs_str_t  word[5], par, at;

    *feed = (rs_turn_feed_t) { .kind = RS_TURN_LIVE };

    for (n = 0; n < 5; n++) {
        if (!rs_str_split(text, ' ', &word[n], &text)) {
            n++;
            break;
        }

        if (n == 4) {
            return RS_E_INVALID_VALUE;
        }
    }

    if (n < 4) {
        return RS_E_INVALID_VALUE;
    }

    par = RS_STR("");
    at = word[3];

    if (n == 5 && rs_str_eq(word[0], RS_STR("live"))) {
        par = word[4];

    } else if (n == 5 && rs_str_eq(word[0], RS_STR("rev"))) {
        feed->kind = RS_TURN_REV;
        par = word[3];
        at = word[4];

    } else if (n == 4 && rs_str_eq(word[0], RS_STR("end"))) {
        feed->kind = RS_TURN_END;

    } else {
        return RS_E_INVALID_VALUE;
    }

    if (rs_tenant_check(word[1]) != RS_OK
        || rs_id_check_session(word[2]) != RS_OK
        || !rs_u64_parse(at, RS_TURN_TIME_MAX, &feed->expires_at))
    {
        return RS_E_INVALID_VALUE;
    }

    if (feed->kind != RS_TURN_END
        && !rs_turn_feed_par(par, feed->kind == RS_TURN_LIVE,
                             &feed->participant_id))
    {
        return RS_E_INVALID_VALUE;
    }

    feed->tenant = word[1];
    feed->session_id = word[2];

    return RS_OK;
}


rs_err_e
rs_turn_member_parse(rs_str_t text, int none, rs_str_t *ses, rs_str_t *par)
{
    rs_str_t  rest;

    *par = RS_STR("");

    if (!rs_str_split(text, '.', ses, &rest)
        || rs_id_check_session(*ses) != RS_OK
        || !rs_turn_feed_par(rest, none, par))
    {
        return RS_E_INVALID_VALUE;
    }

    return RS_OK;
}


static int
rs_turn_feed_par(rs_str_t text, int none, rs_str_t *par)
{
    if (none && rs_str_eq(text, RS_STR("-"))) {
        *par = RS_STR("");
        return 1;
    }

    if (rs_id_check_participant(text) != RS_OK) {
        return 0;
    }

    *par = text;

    return 1;
}
