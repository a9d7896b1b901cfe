
/*
 * Copyright (C) rs-gateway contributors
 *
 * A browser's pipe, in pieces as long as its first byte says: the messages
 * are those of the whole, and none is outside of what came.
 */


#include "fuzz.h"
#include "rs_cdp.h"


#define SIZE  256


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t         n, room, step, at;
    uint8_t       *to, memory[SIZE];
    rs_str_t       text, head, rest;
    rs_cdp_buf_t   b;
    rs_cdp_msg_t   msg;

    if (size == 0) {
        return 0;
    }

    step = (size_t) data[0] + 1;
    rest = (rs_str_t) { data + 1, size - 1 };
    rs_cdp_buf_init(&b, memory, sizeof(memory));

    for (at = 1; at < size; at += n) {
        room = rs_cdp_buf_room(&b, &to);

        CHECK(room != 0);
        CHECK(to >= memory && to + room <= memory + SIZE);

        n = (room < step) ? room : step;
        n = (n < size - at) ? n : size - at;
        memcpy(to, data + at, n);
        rs_cdp_buf_add(&b, n);

        while (rs_cdp_buf_next(&b, &text)) {
            /* one without an end within the buffer is left out */

            do {
                CHECK(rs_str_split(rest, 0, &head, &rest));
            } while (head.len >= SIZE);

            CHECK(rs_str_eq(head, text));

            if (rs_cdp_read(text, &msg) == RS_OK) {
                CHECK((msg.id != 0) != (msg.method.len != 0));
                CHECK(msg.method.len <= RS_CDP_NAME_MAX);
                json_decref(msg.root);
            }
        }
    }

    return 0;
}
