
/*
 * Copyright (C) rs-gateway contributors
 *
 * Items in and out, and what is no datagram.
 */


#include "tap.h"
#include "rs_pack.h"


static void test_round_trip(void);
static void test_bounds(void);
static void test_malformed(void);
static void test_fit(void);


static void
test_round_trip(void)
{
    char      room[64];
    rs_buf_t  b;
    rs_str_t  rest, item;

    rs_buf_init(&b, room, sizeof(room));
    is_rc(rs_pack_put(&b, RS_STR("one")), RS_OK, "an item");
    is_rc(rs_pack_put(&b, RS_STR("\0\1")), RS_OK, "another one");
    is_int(b.len, 9, "two bytes each besides");
    ok(rs_str_eq(rs_buf_get(&b), RS_STR("\0\3one\0\2\0\1")),
       "the higher byte first");

    rest = rs_buf_get(&b);
    ok(rs_pack_next(&rest, &item) == 1, "the first");
    is_str(item, "one", "is whole");
    ok(rs_pack_next(&rest, &item) == 1, "the second");
    ok(rs_str_eq(item, RS_STR("\0\1")), "is whole");
    ok(rs_pack_next(&rest, &item) == 0, "no third");
}


static void
test_bounds(void)
{
    char      *room, *text;
    rs_buf_t   b;
    rs_str_t   item, rest;

    room = malloc(RS_PACK_HEAD + RS_PACK_ITEM_MAX);
    text = malloc(RS_PACK_ITEM_MAX + 1);
    memset(text, 'x', RS_PACK_ITEM_MAX + 1);

    rs_buf_init(&b, room, RS_PACK_HEAD + RS_PACK_ITEM_MAX);
    is_rc(rs_pack_put(&b, rs_str(NULL)), RS_E_INVALID_VALUE, "nothing");

    item = (rs_str_t) { (uint8_t *) text, RS_PACK_ITEM_MAX + 1 };
    is_rc(rs_pack_put(&b, item), RS_E_INVALID_VALUE, "too much");

    item.len--;
    is_rc(rs_pack_put(&b, item), RS_OK, "the longest");
    is_rc(rs_pack_put(&b, RS_STR("x")), RS_E_WS_TOO_BIG, "no room");
    ok(!b.overflow && b.len == b.size, "leaves all as it was");

    rest = rs_buf_get(&b);
    ok(rs_pack_next(&rest, &item) == 1, "the longest is read");
    is_int(item.len, RS_PACK_ITEM_MAX, "whole");

    rs_buf_init(&b, room, 4);
    is_rc(rs_pack_put(&b, RS_STR("abc")), RS_E_WS_TOO_BIG, "one byte short");
    is_int(b.len, 0, "nothing is written");
    is_rc(rs_pack_put(&b, RS_STR("ab")), RS_OK, "what fits is");

    free(text);
    free(room);
}


static void
test_malformed(void)
{
    size_t    i;
    rs_str_t  rest, item, before;

    static const rs_str_t  bad[] = {
        { (const uint8_t *) "\0", 1 },
        { (const uint8_t *) "\1", 1 },
        { (const uint8_t *) "\0\0", 2 },
        { (const uint8_t *) "\0\0x", 3 },
        { (const uint8_t *) "\0\1", 2 },
        { (const uint8_t *) "\0\4abc", 5 },
        { (const uint8_t *) "\1\3abc", 5 },
        { (const uint8_t *) "\377\377abc", 5 }
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        rest = before = bad[i];
        ok(rs_pack_next(&rest, &item) == -1, "no item");
        ok(rest.data == before.data && rest.len == before.len,
           "nothing is passed");
        is_int(rs_pack_fit(bad[i], 100), 0, "nothing fits");
    }
}


static void
test_fit(void)
{
    rs_str_t  s;

    s = RS_STR("\0\3one\0\1x\0\2yz\0");

    is_int(rs_pack_fit(s, 0), 0, "no room");
    is_int(rs_pack_fit(s, 4), 0, "too little");
    is_int(rs_pack_fit(s, 5), 5, "one");
    is_int(rs_pack_fit(s, 7), 5, "not half of the next");
    is_int(rs_pack_fit(s, 8), 8, "two");
    is_int(rs_pack_fit(s, 12), 12, "three");
    is_int(rs_pack_fit(s, 100), 12, "not what is no item");
    is_int(rs_pack_fit(rs_str(NULL), 100), 0, "nothing of nothing");
}


int
main(void)
{
    test_round_trip();
    test_bounds();
    test_malformed();
    test_fit();

    return tap_done();
}
