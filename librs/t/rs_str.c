
/*
 * Copyright (C) rs-gateway contributors
 *
 * Slices, writer, numbers, and the test vectors of RFC 4648, 10.
 */


#include "tap.h"
#include "rs_str.h"


static void test_slices(void);
static void test_writer(void);
static void test_json(void);
static void test_numbers(void);
static void test_rfc4648(void);
static void test_strict(void);
static void test_room(void);


static void
test_slices(void)
{
    rs_str_t  a, head, tail;

    a = RS_STR("Abc");

    ok(rs_str_eq(a, rs_str("Abc")), "equal");
    ok(!rs_str_eq(a, RS_STR("abc")), "case counts");
    ok(!rs_str_eq(a, RS_STR("Abcd")), "length counts");
    ok(rs_str_eq(rs_str(NULL), RS_STR("")), "NULL is the empty slice");
    ok(rs_str_eq_ci(a, RS_STR("aBC")), "case does not count");
    ok(!rs_str_eq_ci(RS_STR("[@`{"), RS_STR("{`@[")),
       "neighbours of the letters are no letters");
    ok(!rs_str_eq_ci(a, RS_STR("abcd")), "length counts there too");
    ok(rs_str_eq_secret(a, RS_STR("Abc")), "secrets: equal");
    ok(!rs_str_eq_secret(a, RS_STR("Abd")), "secrets: not equal");
    ok(!rs_str_eq_secret(a, RS_STR("Ab")), "secrets: other length");
    ok(rs_str_eq_secret(RS_STR(""), rs_str(NULL)), "secrets: both empty");
    ok(rs_str_starts(a, RS_STR("Ab")), "starts");
    ok(!rs_str_starts(a, RS_STR("Abcd")), "prefix too long");
    ok(!rs_str_starts(a, RS_STR("b")), "other prefix");
    ok(rs_str_starts(rs_str(NULL), RS_STR("")), "empty starts empty");

    ok(rs_str_split(RS_STR("a.b.c"), '.', &head, &tail), "split");
    is_str(head, "a", "its head");
    is_str(tail, "b.c", "its tail");
    ok(!rs_str_split(RS_STR("abc"), '.', &head, &tail), "nothing to split");
    is_str(head, "abc", "all is head");
    is_int(tail.len, 0, "and no tail");
    ok(rs_str_split(RS_STR("."), '.', &head, &tail) && head.len == 0
       && tail.len == 0, "both sides empty");
    ok(!rs_str_split(rs_str(NULL), '.', &head, &tail), "split of nothing");
}


static void
test_writer(void)
{
    char      room[8];
    rs_buf_t  b;

    rs_buf_init(&b, room, sizeof(room));
    rs_buf_cstr(&b, "abc");
    rs_buf_char(&b, '-');
    rs_buf_u64(&b, 1234);
    is_str(rs_buf_get(&b), "abc-1234", "exactly full");
    ok(!b.overflow, "is no overflow");

    rs_buf_put(&b, NULL, 0);
    ok(!b.overflow, "nothing still fits");

    rs_buf_char(&b, 'x');
    ok(b.overflow && b.len == 8, "one more does not");

    rs_buf_init(&b, room, sizeof(room));
    rs_buf_cstr(&b, "123456789");
    rs_buf_cstr(&b, "1");
    ok(b.overflow && b.len == 0, "overflow stays");

    rs_buf_init(&b, NULL, 0);
    rs_buf_str(&b, RS_STR(""));
    ok(!b.overflow, "no room, nothing written");

    rs_buf_init(&b, room, sizeof(room));
    rs_buf_u64(&b, 0);
    is_str(rs_buf_get(&b), "0", "zero");
}


static void
test_json(void)
{
    char      room[64];
    size_t    i;
    rs_buf_t  b;

    static const struct {
        rs_str_t     in;
        const char  *out;
    } cases[] = {
        { RS_STR(""), "\"\"" },
        { RS_STR("a\"b\\c/"), "\"a\\\"b\\\\c/\"" },
        { RS_STR("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\"" },
        { RS_STR("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\"" },
        { RS_STR("gr\xc3\xbc\xc3\x9f"), "\"gr\xc3\xbc\xc3\x9f\"" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rs_buf_init(&b, room, sizeof(room));
        rs_buf_json(&b, cases[i].in);
        is_str(rs_buf_get(&b), cases[i].out, "JSON string");
    }

    rs_buf_init(&b, room, 6);
    rs_buf_json(&b, RS_STR("\x01"));
    ok(b.overflow, "an escape that does not fit");
}


static void
test_numbers(void)
{
    size_t    i;
    uint64_t  v;

    static const char  *bad[] = {
        "", "-1", "+1", " 1", "1 ", "00", "01", "1a", "0x1", "1.0",
        "18446744073709551616", "99999999999999999999",
        "184467440737095516150"
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(!rs_u64_parse(rs_str(bad[i]), UINT64_MAX, &v), "\"%s\" is no "
           "number", bad[i]);
    }

    ok(rs_u64_parse(RS_STR("0"), 0, &v) && v == 0, "zero");
    ok(rs_u64_parse(RS_STR("18446744073709551615"), UINT64_MAX, &v)
       && v == UINT64_MAX, "the largest one");
    ok(rs_u64_parse(RS_STR("100"), 100, &v) && v == 100, "at the limit");
    ok(!rs_u64_parse(RS_STR("101"), 100, &v), "above the limit");
}


typedef struct {
    const char  *plain;
    const char  *base64;
    const char  *base32;
    const char  *base16;
} vector_t;


static const vector_t  vectors[] = {
    { "", "", "", "" },
    { "f", "Zg==", "my", "66" },
    { "fo", "Zm8=", "mzxq", "666f" },
    { "foo", "Zm9v", "mzxw6", "666f6f" },
    { "foob", "Zm9vYg==", "mzxw6yq", "666f6f62" },
    { "fooba", "Zm9vYmE=", "mzxw6ytb", "666f6f6261" },
    { "foobar", "Zm9vYmFy", "mzxw6ytboi", "666f6f626172" }
};


static void
test_rfc4648(void)
{
    char             out[64], bare[16];
    size_t           i, n, len;
    uint8_t          raw[16];
    const uint8_t   *in;
    const vector_t  *v;

    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        v = &vectors[i];
        in = (const uint8_t *) v->plain;
        n = strlen(v->plain);

        len = rs_base64_encode(out, in, n);
        is_str((rs_str_t) { (uint8_t *) out, len }, v->base64, "base64");
        is_int(len, RS_BASE64_LEN(n), "its length");
        ok(rs_base64_decode(raw, sizeof(raw), rs_str(v->base64), &len)
           && len == n && memcmp(raw, in, n) == 0, "and back");

        (void) snprintf(bare, sizeof(bare), "%s", v->base64);
        bare[strcspn(bare, "=")] = '\0';

        len = rs_base64url_encode(out, in, n);
        is_str((rs_str_t) { (uint8_t *) out, len }, bare, "base64url");
        is_int(len, RS_BASE64URL_LEN(n), "its length");
        ok(rs_base64url_decode(raw, sizeof(raw), rs_str(bare), &len)
           && len == n && memcmp(raw, in, n) == 0, "and back");

        len = rs_base32_encode(out, in, n);
        is_str((rs_str_t) { (uint8_t *) out, len }, v->base32, "base32");
        is_int(len, RS_BASE32_LEN(n), "its length");
        ok(rs_base32_decode(raw, sizeof(raw), rs_str(v->base32), &len)
           && len == n && memcmp(raw, in, n) == 0, "and back");

        len = rs_hex_encode(out, in, n);
        is_str((rs_str_t) { (uint8_t *) out, len }, v->base16, "hex");
        is_int(len, RS_HEX_LEN(n), "its length");
        ok(rs_hex_decode(raw, sizeof(raw), rs_str(v->base16), &len)
           && len == n && memcmp(raw, in, n) == 0, "and back");
    }

    in = (const uint8_t *) "\xfb\xff\xbf";
    ok(rs_base64_encode(out, in, 3) == 4 && memcmp(out, "+/+/", 4) == 0,
       "62 and 63 of base64");
    ok(rs_base64url_encode(out, in, 3) == 4 && memcmp(out, "-_-_", 4) == 0,
       "62 and 63 of base64url");
    ok(rs_base64_decode(raw, 3, RS_STR("+/+/"), &len)
       && memcmp(raw, in, 3) == 0, "base64 takes its own");
    ok(rs_base64url_decode(raw, 3, RS_STR("-_-_"), &len)
       && memcmp(raw, in, 3) == 0, "base64url takes its own");
}


static void
test_strict(void)
{
    size_t   i, len;
    uint8_t  raw[16];

    static const char  *bad64[] = {
        "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "=", "==", "====", "A===",
        "Zg==Zg==", "Zm 8", "Zm8=\n", "-_-_", "Zm9v=", "Zg=a"
    };
    static const char  *bad64url[] = {
        "Z", "Zg==", "Zh", "Zm9", "+/+/", "Zm 8", "ZmZmZ"
    };
    static const char  *bad32[] = {
        "m", "mz", "mzx", "mzxw6y", "MY", "m1", "m8", "my======", "mzxr",
        "mzxw6ytbo"
    };
    static const char  *badhex[] = { "6", "6g", "6F", "66 ", "0x66" };

    for (i = 0; i < sizeof(bad64) / sizeof(bad64[0]); i++) {
        ok(!rs_base64_decode(raw, sizeof(raw), rs_str(bad64[i]), &len),
           "base64 refuses \"%s\"", bad64[i][0] == 'Z' ? bad64[i] : "...");
    }

    for (i = 0; i < sizeof(bad64url) / sizeof(bad64url[0]); i++) {
        ok(!rs_base64url_decode(raw, sizeof(raw), rs_str(bad64url[i]), &len),
           "base64url refuses \"%s\"", bad64url[i]);
    }

    for (i = 0; i < sizeof(bad32) / sizeof(bad32[0]); i++) {
        ok(!rs_base32_decode(raw, sizeof(raw), rs_str(bad32[i]), &len),
           "base32 refuses \"%s\"", bad32[i]);
    }

    for (i = 0; i < sizeof(badhex) / sizeof(badhex[0]); i++) {
        ok(!rs_hex_decode(raw, sizeof(raw), rs_str(badhex[i]), &len),
           "hex refuses \"%s\"", badhex[i]);
    }

    ok(!rs_hex_decode(raw, sizeof(raw), RS_STR("\0\0"), &len),
       "a zero byte is no hex digit");
}


static void
test_room(void)
{
    size_t   len;
    uint8_t  raw[3];

    ok(rs_base64_decode(raw, 2, RS_STR("Zm8="), &len), "base64 just fits");
    ok(!rs_base64_decode(raw, 1, RS_STR("Zm8="), &len), "and does not");
    ok(rs_base64url_decode(raw, 1, RS_STR("Zg"), &len), "base64url fits");
    ok(!rs_base64url_decode(raw, 2, RS_STR("Zm9v"), &len), "and does not");
    ok(rs_base32_decode(raw, 3, RS_STR("mzxw6"), &len), "base32 just fits");
    ok(!rs_base32_decode(raw, 2, RS_STR("mzxw6"), &len), "and does not");
    ok(!rs_base32_decode(raw, 0, RS_STR("my"), &len), "nor in nothing");
    ok(rs_hex_decode(raw, 3, RS_STR("666f6f"), &len), "hex just fits");
    ok(!rs_hex_decode(raw, 2, RS_STR("666f6f"), &len), "and does not");
}


int
main(void)
{
    test_slices();
    test_writer();
    test_json();
    test_numbers();
    test_rfc4648();
    test_strict();
    test_room();

    return tap_done();
}
