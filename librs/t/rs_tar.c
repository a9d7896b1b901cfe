
/*
 * Copyright (C) rs-gateway contributors
 *
 * Heads out and in, and what is no head.
 */


#include "tap.h"
#include "rs_tar.h"


static void test_round_trip(void);
static void test_bounds(void);
static void test_malformed(void);


static void
test_round_trip(void)
{
    uint8_t         block[RS_TAR_BLOCK];
    rs_tar_entry_t  e;

    is_rc(rs_tar_head(block, RS_STR("rec/chain.jsonl"), 1234, 0, 1795283672),
          RS_OK, "a file");
    ok(memcmp(block + 124, "00000002322", 12) == 0, "its size in octal");
    ok(memcmp(block + 257, "ustar\00000", 8) == 0, "of POSIX");
    is_rc(rs_tar_parse(block, &e), RS_OK, "is read");
    is_str(e.name, "rec/chain.jsonl", "its name");
    is_int(e.size, 1234, "its size");
    ok(!e.dir, "a file");

    is_rc(rs_tar_head(block, RS_STR("rec/"), 0, 1, 0), RS_OK, "a directory");
    is_rc(rs_tar_parse(block, &e), RS_OK, "is read");
    ok(e.dir, "as one");

    is_int(RS_TAR_PAD(0), 0, "nothing behind nothing");
    is_int(RS_TAR_PAD(1), 511, "behind a byte");
    is_int(RS_TAR_PAD(512), 0, "behind a block");

    memset(block, 0, sizeof(block));
    is_rc(rs_tar_parse(block, &e), RS_AGAIN, "the end");
}


static void
test_bounds(void)
{
    char            name[RS_TAR_NAME_MAX + 1];
    uint8_t         block[RS_TAR_BLOCK];
    rs_str_t        s = { (const uint8_t *) name, sizeof(name) };
    rs_tar_entry_t  e;

    memset(name, 'x', sizeof(name));
    is_rc(rs_tar_head(block, s, 0, 0, 0), RS_E_INVALID_VALUE, "too long");
    s.len--;
    is_rc(rs_tar_head(block, s, RS_TAR_SIZE_MAX, 0, 0), RS_OK, "the longest");
    is_rc(rs_tar_parse(block, &e), RS_OK, "is read");
    is_int(e.name.len, RS_TAR_NAME_MAX, "whole");
    is_int(e.size, RS_TAR_SIZE_MAX, "the largest");

    is_rc(rs_tar_head(block, s, RS_TAR_SIZE_MAX + 1, 0, 0),
          RS_E_INVALID_VALUE, "too large");
    is_rc(rs_tar_head(block, RS_STR(""), 0, 0, 0), RS_E_INVALID_VALUE,
          "no name");
    is_rc(rs_tar_head(block, RS_STR("a\0b"), 0, 0, 0), RS_E_INVALID_VALUE,
          "a NUL");
    is_rc(rs_tar_head(block, RS_STR("a"), 1, 1, 0), RS_E_INVALID_VALUE,
          "a directory has no size");
}


static void
test_malformed(void)
{
    size_t          i;
    uint8_t         block[RS_TAR_BLOCK], good[RS_TAR_BLOCK];
    rs_tar_entry_t  e;

    static const size_t  at[] = { 0, 100, 124, 148, 156, 257, 345, 511 };

    (void) rs_tar_head(good, RS_STR("a"), 1, 0, 0);

    for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        memcpy(block, good, sizeof(block));
        block[at[i]] ^= 1;
        is_rc(rs_tar_parse(block, &e), RS_E_INVALID_VALUE, "another byte");
    }
}


int
main(void)
{
    test_round_trip();
    test_bounds();
    test_malformed();

    return tap_done();
}
