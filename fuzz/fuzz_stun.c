
/*
 * Copyright (C) rs-gateway contributors
 *
 * STUN and TURN: a stream and a datagram give frames inside of what came;
 * a message that parses gives attributes inside of it, and those written
 * again, with integrity and fingerprint, parse and verify.
 */


#include "fuzz.h"
#include "rs_stun.h"


static void
inside(rs_str_t outer, rs_str_t inner)
{
    CHECK(inner.data >= outer.data);
    CHECK(inner.len <= outer.len);
    CHECK((size_t) (inner.data - outer.data) <= outer.len - inner.len);
}


static void
again(const rs_stun_msg_t *m)
{
    size_t           at;
    uint8_t         *room;
    unsigned         type, code;
    rs_buf_t         b;
    rs_str_t         value, reason, key;
    rs_stun_msg_t    r;
    rs_stun_addr_t   a, back;

    room = malloc(m->bytes.len + 64);
    key = RS_STR("a key of sixteen");
    rs_buf_init(&b, room, m->bytes.len + 64);
    rs_stun_begin(&b, m->cls, m->method, m->id.data);

    at = 0;

    while (rs_stun_next(m, &at, &type, &value)) {
        inside(m->bytes, value);
        rs_stun_put(&b, type, value);

        if (rs_stun_attr_addr(m, type, &a)) {
            rs_buf_t  o;
            uint8_t   small[64];

            rs_buf_init(&o, small, sizeof(small));
            rs_stun_begin(&o, m->cls, m->method, m->id.data);
            rs_stun_put_addr(&o, type, &a);
            CHECK(!o.overflow);
            CHECK(rs_stun_parse(rs_buf_get(&o), &r) == RS_OK);
            CHECK(rs_stun_attr_addr(&r, type, &back));
            CHECK(memcmp(&a, &back, sizeof(a)) == 0);
        }
    }

    if (rs_stun_attr_error(m, &code, &reason)) {
        CHECK(code >= 300 && code <= 699);
        inside(m->bytes, reason);
    }

    CHECK(rs_stun_unknown(m) <= 0x10000);
    (void) rs_stun_verify(m, key);

    if (m->bytes.len < 60000) {
        CHECK(rs_stun_put_integrity(&b, key) == RS_OK);
        rs_stun_put_fingerprint(&b);
        CHECK(!b.overflow);

        /* the two may be one too many */

        if (rs_stun_parse(rs_buf_get(&b), &r) == RS_OK) {
            CHECK(r.cls == m->cls && r.method == m->method);
            CHECK(rs_stun_verify(&r, key) == RS_OK);
            CHECK(rs_stun_verify(&r, RS_STR("another")) != RS_OK);
        }
    }

    free(room);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rs_err_e         rc;
    rs_str_t         s, rest;
    rs_stun_msg_t    m;
    rs_stun_frame_t  f, g;

    s = rest = (rs_str_t) { data, size };

    while ((rc = rs_stun_frame(rest, 1, &f)) == RS_OK) {
        inside(rest, f.body);
        CHECK(f.size >= RS_STUN_CHANNEL_HEADER && f.size <= rest.len);
        CHECK(f.size <= RS_STUN_FRAME_MAX);

        /* no byte less would do */

        CHECK(rs_stun_frame((rs_str_t) { rest.data, f.size - 1 }, 1, &g)
              == RS_AGAIN);
        CHECK(g.size <= f.size);

        if (f.channel == 0 && rs_stun_parse(f.body, &m) == RS_OK) {
            again(&m);
        }

        rest.data += f.size;
        rest.len -= f.size;
    }

    if (rc == RS_AGAIN) {
        CHECK(f.size > rest.len && f.size <= RS_STUN_FRAME_MAX);
    }

    if (rs_stun_frame(s, 0, &f) == RS_OK) {
        inside(s, f.body);
        CHECK(f.size == size);
    }

    if (rs_stun_parse(s, &m) == RS_OK) {
        CHECK(rs_stun_frame(s, 0, &f) == RS_OK && f.channel == 0);
        again(&m);
    }

    return 0;
}
