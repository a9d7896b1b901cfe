
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the gateway tells TURN servers: slices of well-formed ids.
 */


#include "fuzz.h"
#include "rs_turn_feed.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char            text[256];
    rs_buf_t        b;
    rs_str_t        s, ses, par;
    rs_turn_feed_t  f;

    static const char *const  kinds[] = { "live ", "end ", "rev " };

    s = (rs_str_t) { data, size };

    if (rs_turn_member_parse(s, 1, &ses, &par) == RS_OK) {
        CHECK(rs_id_check_session(ses) == RS_OK);
        CHECK(size == ses.len + 1 + (par.len ? par.len : 1));
    }

    if (rs_turn_feed_parse(s, &f) != RS_OK) {
        return 0;
    }

    /* written again it is the same */

    rs_buf_init(&b, text, sizeof(text));
    rs_buf_cstr(&b, kinds[f.kind]);
    rs_buf_str(&b, f.tenant);
    rs_buf_char(&b, ' ');
    rs_buf_str(&b, f.session_id);
    rs_buf_char(&b, ' ');

    if (f.kind == RS_TURN_REV) {
        rs_buf_str(&b, f.participant_id);
        rs_buf_char(&b, ' ');
    }

    rs_buf_u64(&b, f.expires_at);

    if (f.kind == RS_TURN_LIVE) {
        rs_buf_char(&b, ' ');
        rs_buf_str(&b, f.participant_id.len ? f.participant_id
                                            : RS_STR("-"));
    }

    CHECK(!b.overflow && rs_str_eq(rs_buf_get(&b), s));

    return 0;
}
