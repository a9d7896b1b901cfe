
/*
 * Copyright (C) rs-gateway contributors
 *
 * The values of a handshake.  What is accepted has the form it should have,
 * and matching an origin never goes beyond what its own parser takes.
 */


#include "fuzz.h"
#include "rs_ws_handshake.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char               accept[RS_WS_ACCEPT_LEN];
    int                more;
    size_t             len;
    uint8_t            raw[16];
    rs_str_t           s, head, tail, list[2];
    rs_ws_protocols_t  p;

    s = (rs_str_t) { data, size };

    if (rs_ws_key_check(s) == RS_OK) {
        CHECK(rs_base64_decode(raw, sizeof(raw), s, &len) && len == 16);
        CHECK(rs_ws_accept(s, accept) == RS_OK);
    }

    (void) rs_ws_version_check(s);

    memset(&p, 0, sizeof(p));

    if (rs_ws_protocols(s, &p) == RS_OK) {
        CHECK(p.n <= RS_WS_PROTOCOLS_MAX);
        CHECK(p.credential.len == 0
              || (p.credential.data >= data
                  && p.credential.data + p.credential.len <= data + size));
        CHECK(p.nonce.len == 0
              || (p.nonce.data >= data
                  && p.nonce.data + p.nonce.len <= data + size));
        CHECK(p.rs_v1 == rs_ws_has_token(s, RS_STR("rs.v1"))
              || !p.rs_v1);
        CHECK(memchr(p.credential.data ? p.credential.data : data, ',',
                     p.credential.len) == NULL);
    }

    /* "<allowed>\n<origin>" */

    more = rs_str_split(s, '\n', &head, &tail);
    list[0] = head;
    list[1] = RS_STR("https://a.example");

    CHECK(rs_ws_origin_match(head, list, 1)
          == (rs_ws_origin_check(head) == RS_OK));

    if (more && rs_ws_origin_match(tail, list, 2)) {
        CHECK(rs_ws_origin_check(tail) == RS_OK);
        CHECK(rs_ws_origin_match(head, &tail, 1)
              || rs_ws_origin_match(list[1], &tail, 1));
        CHECK(memchr(tail.data, '@', tail.len) == NULL);
        CHECK(memchr(tail.data, ' ', tail.len) == NULL);
    }

    (void) rs_ws_origin_same(tail, RS_STR("https"), head);

    return 0;
}
