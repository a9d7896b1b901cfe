
/*
 * Copyright (C) rs-gateway contributors
 *
 * Envelopes and addresses: what decodes is encoded to the same bytes.
 */


#include "fuzz.h"
#include "rs_addr.h"
#include "rs_env.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char       text[RS_ADDR_MAX], *room;
    size_t     len;
    rs_str_t   s;
    rs_env_t   e;
    rs_buf_t   b;
    rs_addr_t  a, again;

    s = (rs_str_t) { data, size };

    if (rs_env_decode(s, &e) == RS_OK) {
        room = malloc(size);
        rs_buf_init(&b, room, size);
        CHECK(rs_env_encode(&b, &e) == RS_OK);
        CHECK(rs_str_eq(rs_buf_get(&b), s));
        free(room);
    }

    if (rs_addr_parse(s, &a) == RS_OK) {
        len = rs_addr_format(&a, text, sizeof(text));
        CHECK(rs_str_eq((rs_str_t) { (uint8_t *) text, len }, s));
        CHECK(rs_addr_parse(s, &again) == RS_OK && rs_addr_eq(&a, &again));
    }

    (void) rs_env_kind(s);

    return 0;
}
