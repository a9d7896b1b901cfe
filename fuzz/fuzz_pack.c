
/*
 * Copyright (C) rs-gateway contributors
 *
 * Datagrams between workers: items are inside of what came, and packed again
 * they are the same bytes.
 */


#include "fuzz.h"
#include "rs_pack.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int        rc;
    char      *room;
    size_t     max;
    rs_str_t   s, rest, item;
    rs_buf_t   b;

    s = rest = (rs_str_t) { data, size };
    room = malloc(size + 1);
    rs_buf_init(&b, room, size);

    while ((rc = rs_pack_next(&rest, &item)) == 1) {
        CHECK(item.len && item.data > data);
        CHECK(item.data + item.len == rest.data);
        CHECK(rs_pack_put(&b, item) == RS_OK);
        CHECK(rs_pack_fit(s, b.len) == b.len);
        CHECK(rs_pack_fit(s, b.len - 1) < b.len);
    }

    CHECK(rc == 0 || rc == -1);
    CHECK(memcmp(room, data, b.len) == 0);
    CHECK(rc == -1 || b.len == size);
    CHECK(rs_pack_fit(s, size) == b.len);

    max = size ? data[0] : 0;
    CHECK(rs_pack_fit(s, max) <= max);

    free(room);

    return 0;
}
