
/*
 * Copyright (C) rs-gateway contributors
 *
 * RFC 3629: edges of each length, and what must be refused; whole, and byte
 * by byte.
 */


#include "tap.h"
#include "rs_utf8.h"


static int
valid_bytewise(rs_str_t s)
{
    size_t     i;
    rs_utf8_t  u;

    rs_utf8_init(&u);

    for (i = 0; i < s.len; i++) {
        if (!rs_utf8_feed(&u, s.data + i, 1)) {
            return 0;
        }
    }

    return rs_utf8_done(&u);
}


static void
check(const char *hex, int want)
{
    uint8_t   raw[32];
    rs_str_t  s;

    s.data = raw;
    s.len = tap_hex(raw, sizeof(raw), hex);

    ok(rs_utf8_valid(s) == want, "%s is %svalid", hex, want ? "" : "not ");
    ok(valid_bytewise(s) == want, "%s byte by byte", hex);
}


/* every code point and every two-byte sequence against the definition */

static void
test_exhaustive(void)
{
    int       good;
    uint8_t   c[4];
    size_t    n;
    uint32_t  cp;
    rs_str_t  s;

    good = 1;
    s.data = c;

    for (cp = 0; cp < 0x200000; cp++) {

        if (cp < 0x80) {
            c[0] = (uint8_t) cp;
            n = 1;

        } else if (cp < 0x800) {
            c[0] = (uint8_t) (0xc0 | cp >> 6);
            c[1] = (uint8_t) (0x80 | (cp & 0x3f));
            n = 2;

        } else if (cp < 0x10000) {
            c[0] = (uint8_t) (0xe0 | cp >> 12);
            c[1] = (uint8_t) (0x80 | (cp >> 6 & 0x3f));
            c[2] = (uint8_t) (0x80 | (cp & 0x3f));
            n = 3;

        } else {
            c[0] = (uint8_t) (0xf0 | cp >> 18);
            c[1] = (uint8_t) (0x80 | (cp >> 12 & 0x3f));
            c[2] = (uint8_t) (0x80 | (cp >> 6 & 0x3f));
            c[3] = (uint8_t) (0x80 | (cp & 0x3f));
            n = 4;
        }

        s.len = n;
        good &= rs_utf8_valid(s)
                == (cp < 0x110000 && (cp < 0xd800 || cp > 0xdfff));
    }

    ok(good, "each code point, surrogates and U+110000 and up refused");

    good = 1;
    s.len = 2;

    for (cp = 0; cp < 0x10000; cp++) {
        c[0] = (uint8_t) (cp >> 8);
        c[1] = (uint8_t) cp;
        good &= rs_utf8_valid(s)
                == ((c[0] < 0x80 && c[1] < 0x80)
                    || (c[0] >= 0xc2 && c[0] < 0xe0 && c[1] >= 0x80
                        && c[1] < 0xc0));
    }

    ok(good, "each pair of bytes");
}


static void
test_printable(void)
{
    ok(rs_utf8_printable(RS_STR("Gr\xc3\xbc\xc3\x9f dich")), "text");
    ok(rs_utf8_printable(RS_STR("")), "nothing");
    ok(!rs_utf8_printable(RS_STR("a\nb")), "newline");
    ok(!rs_utf8_printable(RS_STR("\0")), "zero");
    ok(!rs_utf8_printable(RS_STR("\x7f")), "DEL");
    ok(!rs_utf8_printable(RS_STR("\xc2\x80")), "U+0080");
    ok(!rs_utf8_printable(RS_STR("\xc2\x9f")), "U+009F");
    ok(rs_utf8_printable(RS_STR("\xc2\xa0")), "U+00A0");
    ok(rs_utf8_printable(RS_STR("\xe2\x82\x80")), "a later byte of 80");
    ok(!rs_utf8_printable(RS_STR("\xff")), "not UTF-8");
    ok(!rs_utf8_printable(RS_STR("\xc2")), "cut off");
    ok(rs_utf8_printable(RS_STR("\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d "
                                "\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85")),
       "Hebrew and Arabic");
    ok(rs_utf8_printable(RS_STR("\xe2\x9d\xa4\xef\xb8\x8f "
                                "\xf0\x9f\x96\xa8")), "pictures");
}


/* what must not get in, one by one, within a name; what is left of it */

static void
test_hidden(void)
{
    size_t    i, len;
    uint8_t   out[64];
    rs_str_t  s;

    static const struct {
        const char  *text;
        const char  *what;
    } cases[] = {
        { "a\xe2\x80\xae" "b", "right-to-left override" },
        { "a\xe2\x80\xad" "b", "left-to-right override" },
        { "a\xe2\x80\xaa" "b", "embedding" },
        { "a\xe2\x80\xac" "b", "pop" },
        { "a\xe2\x81\xa6" "b", "isolate" },
        { "a\xe2\x81\xa9" "b", "pop isolate" },
        { "a\xe2\x80\x8e" "b", "left-to-right mark" },
        { "a\xd8\x9c" "b", "Arabic letter mark" },
        { "a\xe2\x80\x8b" "b", "zero width space" },
        { "a\xe2\x80\x8c" "b", "zero width non-joiner" },
        { "a\xe2\x80\x8d" "b", "zero width joiner" },
        { "a\xe2\x81\xa0" "b", "word joiner" },
        { "a\xef\xbb\xbf" "b", "byte order mark" },
        { "a\xc2\xad" "b", "soft hyphen" },
        { "a\xe2\x80\xa8" "b", "line separator" },
        { "a\xe3\x85\xa4" "b", "Hangul filler" },
        { "a\xf3\xa0\x81\x81" "b", "tag letter" },
        { "a\xef\xbf\xbe" "b", "no character" },
        { "a\xf4\x8f\xbf\xbf" "b", "the last no character" },
        { "a\x1b" "b", "escape" },
        { "a\xc2\x9b" "b", "CSI" },
        { "a\xed\xa0\x80" "b", "lone surrogate" },
        { "a\xff" "b", "no UTF-8" },
        { "ab\xe2\x80", "cut off" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        s = rs_str(cases[i].text);

        ok(!rs_utf8_printable(s), "refused: %s", cases[i].what);
        len = rs_utf8_clean(out, sizeof(out), s);
        is_str((rs_str_t) { out, len }, "ab", "taken out");
    }

    len = rs_utf8_clean(out, 4, RS_STR("a\0\xe2\x82\xac\xe2\x82\xac"));
    is_str((rs_str_t) { out, len }, "a\xe2\x82\xac", "cut at a character");
    is_int(rs_utf8_clean(out, 2, RS_STR("\xe2\x82\xac" "a")), 0,
           "nothing after what does not fit");

    memcpy(out, "x\x01y\x02z", 5);
    len = rs_utf8_clean(out, 5, (rs_str_t) { out, 5 });
    is_str((rs_str_t) { out, len }, "xyz", "in its place");
}


static void
test_next(void)
{
    uint32_t  c;

    c = 0;
    is_int(rs_utf8_next(RS_STR("\xf0\x9f\x96\xa8x"), &c), 4, "four bytes");
    is_int(c, 0x1f5a8, "its number");
    is_int(rs_utf8_next(RS_STR("\xdf\xbf"), &c), 2, "two bytes");
    is_int(c, 0x7ff, "its number");
    is_int(rs_utf8_next(RS_STR("\xef\xbf\xbd"), &c), 3, "three bytes");
    is_int(c, 0xfffd, "its number");
    is_int(rs_utf8_next(RS_STR("\xe2\x82"), &c), 0, "cut off");
    is_int(rs_utf8_next(RS_STR(""), &c), 0, "nothing");
    ok(rs_utf8_hidden(0x110000), "beyond the last");
}


static void
test_cut(void)
{
    rs_str_t  s;

    s = RS_STR("a\xe2\x82\xac" "b");

    is_int(rs_utf8_count(s), 3, "characters");
    is_int(rs_utf8_cut(s, 5).len, 5, "not cut");
    is_int(rs_utf8_cut(s, 9).len, 5, "nor here");
    is_int(rs_utf8_cut(s, 4).len, 4, "cut after a character");
    is_int(rs_utf8_cut(s, 3).len, 1, "within it: before it");
    is_int(rs_utf8_cut(s, 2).len, 1, "and again");
    is_int(rs_utf8_cut(s, 0).len, 0, "to nothing");
}


int
main(void)
{
    check("", 1);
    check("00", 1);
    check("7f", 1);
    check("c2 80", 1);
    check("df bf", 1);
    check("e0 a0 80", 1);
    check("ed 9f bf", 1);
    check("ee 80 80", 1);
    check("ef bf bf", 1);
    check("f0 90 80 80", 1);
    check("f4 8f bf bf", 1);
    check("41 e2 89 a2 ce 91 2e", 1);          /* RFC 3629, 7 */
    check("ed 95 9c ea b5 ad ec 96 b4", 1);
    check("e6 97 a5 e6 9c ac e8 aa 9e", 1);
    check("ef bb bf f0 a3 8e b4", 1);

    check("80", 0);
    check("bf", 0);
    check("c0 80", 0);                         /* overlong */
    check("c1 bf", 0);
    check("e0 80 80", 0);
    check("e0 9f bf", 0);
    check("f0 80 80 80", 0);
    check("f0 8f bf bf", 0);
    check("ed a0 80", 0);                      /* surrogates */
    check("ed bf bf", 0);
    check("f4 90 80 80", 0);                   /* above U+10FFFF */
    check("f5 80 80 80", 0);
    check("f8 88 80 80 80", 0);
    check("fe", 0);
    check("ff", 0);
    check("c2", 0);                            /* cut off */
    check("e2 82", 0);
    check("f0 9f 98", 0);
    check("c2 41", 0);
    check("e2 82 41", 0);
    check("e2 41 ac", 0);
    check("ce ba e1 bd b9 cf 83 ce bc ce b5 f4 90 80 80 65 64", 0);

    test_exhaustive();
    test_printable();
    test_hidden();
    test_next();
    test_cut();

    return tap_done();
}
