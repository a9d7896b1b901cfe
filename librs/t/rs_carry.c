
/*
 * Copyright (C) rs-gateway contributors
 *
 * What travels inside of a sealed pipe.
 */


#include "tap.h"
#include "rs_carry.h"


static rs_err_e read_hex(const char *hex, rs_carry_t *carry);
static void test_taken(void);
static void test_refused(void);
static void test_lengths(void);
static void test_heads(void);


static uint8_t  buffer[RS_CARRY_CLIENT_MAX + 1];


static rs_err_e
read_hex(const char *hex, rs_carry_t *carry)
{
    return rs_carry_read((rs_str_t) { buffer, tap_hex(buffer, sizeof(buffer),
                                                      hex) }, carry);
}


static void
test_taken(void)
{
    rs_carry_t  c;

    is_rc(read_hex("01 03 72732d696e707574", &c), RS_OK, "open");
    ok(c.type == RS_CARRY_OPEN && c.channel == 3, "its number");
    is_str(c.data, "rs-input", "its label");

    is_rc(read_hex("02 00 7b7d", &c), RS_OK, "a text");
    is_str(c.data, "{}", "what it says");

    is_rc(read_hex("03 0f 00", &c), RS_OK, "bytes");
    is_int(c.data.len, 1, "one of them");

    is_rc(read_hex("04 01", &c), RS_OK, "close");
    is_int(c.channel, 1, "of that channel");

    is_rc(read_hex("05 01 00000102 0000000000000304 8000000000000005", &c),
          RS_OK, "seen");
    ok(c.key == 1 && c.number == 258 && c.first_us == 772
       && c.last_us == 0x8000000000000005, "what was");

    is_rc(read_hex("07", &c), RS_OK, "start");
}


static void
test_refused(void)
{
    size_t      i;
    rs_carry_t  c;

    static const char *const  bad[] = {
        "", "00", "0000", "08", "0800", "06 00 00 00000000 0000000000000000",
        "01", "01 00", "01 10 61", "01 00 41", "01 00 61 00", "01 00 61 20",
        "02 00", "02 00 00", "02 00 61 00 62", "02 00 ff", "02 00 c3",
        "02 10 61", "03 00", "04", "04 00 00", "04 10", "05",
        "05 00 00000001 0000000000000000 00000000000000",
        "05 00 00000001 0000000000000000 000000000000000000",
        "05 02 00000001 0000000000000000 0000000000000000", "07 00"
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_rc(read_hex(bad[i], &c), RS_E_INVALID_VALUE, bad[i]);
    }
}


static void
test_lengths(void)
{
    rs_carry_t  c;

    memset(buffer, 'a', sizeof(buffer));
    buffer[0] = RS_CARRY_TEXT;
    buffer[1] = 0;
    is_rc(rs_carry_read((rs_str_t) { buffer, RS_CARRY_CLIENT_MAX }, &c),
          RS_OK, "the longest text");
    is_rc(rs_carry_read((rs_str_t) { buffer, RS_CARRY_CLIENT_MAX + 1 }, &c),
          RS_E_INVALID_VALUE, "a longer one");

    buffer[0] = RS_CARRY_BINARY;
    is_rc(rs_carry_read((rs_str_t) { buffer, RS_CARRY_CLIENT_MAX }, &c),
          RS_OK, "the most bytes");
    is_rc(rs_carry_read((rs_str_t) { buffer, RS_CARRY_CLIENT_MAX + 1 }, &c),
          RS_E_INVALID_VALUE, "more of them");

    buffer[0] = RS_CARRY_OPEN;
    is_rc(rs_carry_read((rs_str_t) { buffer, 2 + RS_CARRY_LABEL_MAX }, &c),
          RS_OK, "the longest label");
    is_rc(rs_carry_read((rs_str_t) { buffer, 3 + RS_CARRY_LABEL_MAX }, &c),
          RS_E_INVALID_VALUE, "a longer one");
}


static void
test_heads(void)
{
    size_t      n;
    uint8_t     got[RS_CARRY_HEAD_MAX], want[RS_CARRY_HEAD_MAX];
    rs_carry_t  c;

    memset(&c, 0, sizeof(c));
    c.type = RS_CARRY_VIDEO;
    c.key = 1;
    c.number = 0x01020304;
    c.first_us = 0x1122334455667788;
    n = tap_hex(want, sizeof(want), "06 01 00 01020304 1122334455667788");
    ok(rs_carry_head(&c, got) == n && memcmp(got, want, n) == 0, "a frame's");
    is_int(n, RS_CARRY_VIDEO_LEN, "as long as it says");

    c.type = RS_CARRY_TEXT;
    c.channel = 9;
    ok(rs_carry_head(&c, got) == 2 && memcmp(got, "\2\11", 2) == 0,
       "a text's");

    c.type = RS_CARRY_SEEN;
    c.last_us = 7;
    n = rs_carry_head(&c, got);
    is_rc(rs_carry_read((rs_str_t) { got, n }, &c), RS_OK, "seen, again");
    ok(c.key && c.number == 0x01020304 && c.last_us == 7, "is the same");

    c.type = RS_CARRY_START;
    ok(rs_carry_head(&c, got) == 1 && got[0] == RS_CARRY_START, "start");
}


int
main(void)
{
    test_taken();
    test_refused();
    test_lengths();
    test_heads();

    return tap_done();
}
