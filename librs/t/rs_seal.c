
/*
 * Copyright (C) rs-gateway contributors
 *
 * Sealed pipes: the vectors that the console's tests read too, and what is
 * refused.
 */


#include "tap.h"
#include "rs_seal.h"

#include <jansson.h>
#include <openssl/err.h>


typedef struct {
    json_t          *v;
    uint8_t          scalar[2][RS_SEAL_SCALAR_LEN];
    uint8_t          point[2][RS_SEAL_POINT_LEN];
    uint8_t          signed_bytes[RS_OPERATOR_SIGNED_MAX];
    size_t           len;
    rs_seal_deal_t   deal;
} vectors_t;


static const char *const  sides[] = { "client", "host" };


static rs_str_t text_of(const json_t *obj, const char *name);
static size_t bytes_of(const json_t *obj, const char *name, uint8_t *dst,
    size_t size);
static void load(vectors_t *t);
static void start(const vectors_t *t, rs_seal_t s[2]);
static void test_keys(const vectors_t *t);
static void test_marks(const vectors_t *t);
static void test_records(const vectors_t *t);
static void test_limits(const vectors_t *t);
static void test_refused(const vectors_t *t);
static void test_context(const vectors_t *t);


static rs_str_t
text_of(const json_t *obj, const char *name)
{
    return rs_str(json_string_value(json_object_get(obj, name)));
}


static size_t
bytes_of(const json_t *obj, const char *name, uint8_t *dst, size_t size)
{
    return tap_hex(dst, size, json_string_value(json_object_get(obj, name)));
}


static void
load(vectors_t *t)
{
    size_t        i;
    json_t       *part;
    json_error_t  err;

    t->v = json_load_file(tap_path("docs/protocol/vectors/seal.json"), 0,
                          &err);
    if (t->v == NULL) {
        printf("not ok - seal.json: %s\n", err.text);
        exit(1);
    }

    for (i = 0; i < 2; i++) {
        part = json_object_get(t->v, sides[i]);
        bytes_of(part, "scalar_hex", t->scalar[i], RS_SEAL_SCALAR_LEN);
        bytes_of(part, "point_hex", t->point[i], RS_SEAL_POINT_LEN);
    }

    t->len = bytes_of(t->v, "signed_hex", t->signed_bytes,
                      sizeof(t->signed_bytes));
    t->deal.name = text_of(t->v, "name");
    t->deal.codecs = text_of(t->v, "codecs");
    t->deal.codec = text_of(t->v, "codec");
    t->deal.client = t->point[RS_SEAL_CLIENT];
    t->deal.host = t->point[RS_SEAL_HOST];
}


/* both sides */

static void
start(const vectors_t *t, rs_seal_t s[2])
{
    size_t  i;

    for (i = 0; i < 2; i++) {
        if (rs_seal_start(&s[i], (rs_seal_side_e) i, t->scalar[i],
                          t->point[!i], t->signed_bytes, t->len) != RS_OK)
        {
            printf("not ok - no keys for the %s\n", sides[i]);
            exit(1);
        }
    }
}


static void
test_keys(const vectors_t *t)
{
    size_t   i;
    uint8_t  point[RS_SEAL_POINT_LEN], scalar[RS_SEAL_SCALAR_LEN];

    /* SEC 2: the order of the curve */

    static const char  order[] = "FFFFFFFF00000000FFFFFFFFFFFFFFFF"
                                 "BCE6FAADA7179E84F3B9CAC2FC632551";

    for (i = 0; i < 2; i++) {
        is_rc(rs_seal_public(t->scalar[i], point), RS_OK, sides[i]);
        ok(memcmp(point, t->point[i], sizeof(point)) == 0,
           "its public half");
    }

    memset(scalar, 0, sizeof(scalar));
    is_rc(rs_seal_public(scalar, point), RS_E_INVALID_VALUE, "zero");

    tap_hex(scalar, sizeof(scalar), order);
    is_rc(rs_seal_public(scalar, point), RS_E_INVALID_VALUE, "the order");

    scalar[31]--;
    is_rc(rs_seal_public(scalar, point), RS_OK, "one less");

    memset(scalar, 0xff, sizeof(scalar));
    is_rc(rs_seal_public(scalar, point), RS_E_INVALID_VALUE, "above it");
}


static void
test_marks(const vectors_t *t)
{
    char                 got[RS_OPERATOR_FINGERPRINT_LEN + 1];
    size_t               n;
    uint8_t              bytes[RS_OPERATOR_SIGNED_MAX];
    rs_seal_deal_t       deal;
    rs_operator_line_t   line;

    got[RS_OPERATOR_FINGERPRINT_LEN] = '\0';

    ok(rs_seal_offer_mark(&t->deal, got), "the mark of the offer");
    is_str(text_of(t->v, "offer_mark"), got, "its value");
    ok(rs_seal_answer_mark(&t->deal, got), "the mark of the answer");
    is_str(text_of(t->v, "answer_mark"), got, "its value");

    line.session_id = text_of(t->v, "session_id");
    line.device_id = text_of(t->v, "device_id");
    line.participant_id = text_of(t->v, "participant_id");
    line.pc = 3;
    line.offer = text_of(t->v, "offer_mark");
    line.answer = text_of(t->v, "answer_mark");
    line.verified = 1;
    n = rs_operator_device_signed(bytes, &line);
    ok(n == t->len && memcmp(bytes, t->signed_bytes, n) == 0,
       "what the device signs");
    ok(rs_operator_signed(bytes, &line) != 0, "an operator signs a mark");

    line.answer = RS_STR("sha-256 F8:F9:FA:FB:FC:FD:FE:FF:00:01:02:03:04:05:"
                         "06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16"
                         ":17");
    is_int(rs_operator_device_signed(bytes, &line), 0,
           "a mark and a certificate are no line");

    line.offer = line.answer;
    line.answer = text_of(t->v, "answer_mark");
    is_int(rs_operator_device_signed(bytes, &line), 0,
           "nor the other way round");

    deal = t->deal;
    deal.name = RS_STR("abcdefghijklmnopqrstuvwx2");
    ok(!rs_seal_offer_mark(&deal, got), "a name that is too short");
    deal.name = RS_STR("abcdefghijklmnopqrstuvwx2A");
    ok(!rs_seal_offer_mark(&deal, got), "another alphabet");

    deal = t->deal;
    deal.codecs = RS_STR("");
    ok(!rs_seal_offer_mark(&deal, got), "no codecs");
    deal.codecs = RS_STR("vp8;h264");
    ok(!rs_seal_offer_mark(&deal, got), "other characters in codecs");
    deal.codec = RS_STR("VP8");
    ok(!rs_seal_answer_mark(&deal, got), "a codec in capitals");
}


static void
test_records(const vectors_t *t)
{
    int         more, want;
    size_t      i, n, len;
    json_t     *r;
    uint8_t     data[256], record[256], got[256];
    rs_str_t    text;
    rs_seal_t   s[2];
    unsigned    from;

    start(t, s);

    json_array_foreach(json_object_get(t->v, "records"), i, r) {
        from = !rs_str_eq(text_of(r, "side"), RS_STR("client"));
        len = bytes_of(r, "data_hex", data, sizeof(data));
        n = bytes_of(r, "record_hex", record, sizeof(record));
        want = json_is_true(json_object_get(r, "more"));

        ok(rs_seal_make(&s[from], (rs_str_t) { data, len }, want, got) == n
           && memcmp(got, record, n) == 0, "record %zu", i);

        is_rc(rs_seal_take(&s[!from], got, n, &text, &more), RS_OK,
              "is taken");
        ok(more == want && text.len == len
           && memcmp(text.data, data, len) == 0, "and is what was said");
    }

    ok(i >= 5, "there are records");
    rs_seal_end(&s[0]);
    rs_seal_end(&s[1]);
}


static void
test_limits(const vectors_t *t)
{
    int         more;
    size_t      n;
    uint8_t    *data, *record;
    rs_str_t    text;
    rs_seal_t   s[2];

    start(t, s);
    data = calloc(1, RS_SEAL_DATA_MAX + 1);
    record = malloc(RS_SEAL_RECORD_MAX + 1);

    is_int(rs_seal_make(&s[0], (rs_str_t) { data, 0 }, 0, record), 0,
           "nothing is no record");
    is_int(rs_seal_make(&s[0], (rs_str_t) { data, RS_SEAL_DATA_MAX + 1 }, 0,
                        record), 0, "nor what is too long");

    n = rs_seal_make(&s[0], (rs_str_t) { data, RS_SEAL_DATA_MAX }, 0, record);
    is_int(n, RS_SEAL_RECORD_MAX, "the longest");
    is_rc(rs_seal_take(&s[1], record, n, &text, &more), RS_OK, "is taken");
    is_int(text.len, RS_SEAL_DATA_MAX, "whole");

    s[0].out.count = RS_SEAL_RECORDS - 1;
    s[1].in.count = RS_SEAL_RECORDS - 1;
    n = rs_seal_make(&s[0], (rs_str_t) { data, 1 }, 0, record);
    is_rc(rs_seal_take(&s[1], record, n, &text, &more), RS_OK,
          "the last one of these keys");
    is_int(rs_seal_make(&s[0], (rs_str_t) { data, 1 }, 0, record), 0,
           "there is none behind it");
    is_rc(rs_seal_take(&s[1], record, n, &text, &more), RS_E_UNAUTHENTICATED,
          "to take, either");

    rs_seal_end(&s[0]);
    rs_seal_end(&s[1]);
    is_int(rs_seal_make(&s[0], (rs_str_t) { data, 1 }, 0, record), 0,
           "nothing after the end");
    is_rc(rs_seal_take(&s[1], record, 18, &text, &more),
          RS_E_UNAUTHENTICATED, "neither way");

    free(record);
    free(data);
}


static void
test_refused(const vectors_t *t)
{
    int         more;
    size_t      i, n;
    uint8_t     one[32], two[32], bad[32];
    rs_str_t    text;
    rs_seal_t   s[2];

    static const char *const  names[] = {
        "changed in front", "changed in the middle", "changed at the end",
        "cut", "longer", "empty", "the tag alone", "the second one first",
        "a record of one's own", "the first one again"
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        start(t, s);
        n = rs_seal_make(&s[0], RS_STR("abc"), 0, one);
        (void) rs_seal_make(&s[0], RS_STR("def"), 0, two);
        memcpy(bad, one, sizeof(bad));

        switch (i) {
        case 0: bad[0] ^= 1; break;
        case 1: bad[2] ^= 0x80; break;
        case 2: bad[n - 1] ^= 1; break;
        case 3: n--; break;
        case 4: bad[n++] = 0; break;
        case 5: n = 0; break;
        case 6: n = RS_SEAL_OVERHEAD; break;
        case 7: memcpy(bad, two, sizeof(bad)); break;
        case 8: n = rs_seal_make(&s[1], RS_STR("abc"), 0, bad); break;

        default:
            is_rc(rs_seal_take(&s[1], bad, n, &text, &more), RS_OK,
                  "once is right");
            memcpy(bad, one, sizeof(bad));
            break;
        }

        is_rc(rs_seal_take(&s[1], bad, n, &text, &more),
              RS_E_UNAUTHENTICATED, names[i]);

        rs_seal_end(&s[0]);
        rs_seal_end(&s[1]);
    }

    start(t, s);
    n = rs_seal_make(&s[0], RS_STR("abc"), 0, one);
    memcpy(bad, one, sizeof(bad));
    bad[0] ^= 1;
    (void) rs_seal_take(&s[1], bad, n, &text, &more);
    (void) rs_seal_make(&s[0], RS_STR("def"), 0, two);
    is_rc(rs_seal_take(&s[1], two, n, &text, &more), RS_E_UNAUTHENTICATED,
          "nothing is taken behind what was refused");
    is_int(ERR_peek_error(), 0, "OpenSSL's queue is as it was");
    rs_seal_end(&s[0]);
    rs_seal_end(&s[1]);
}


/* other bytes signed, another point: other keys */

static void
test_context(const vectors_t *t)
{
    int         more;
    size_t      n;
    uint8_t     record[32], point[RS_SEAL_POINT_LEN];
    rs_str_t    text;
    rs_seal_t   s[2], other;

    start(t, s);
    is_rc(rs_seal_start(&other, RS_SEAL_HOST, t->scalar[1], t->point[0],
                        t->signed_bytes, t->len - 1), RS_OK, "other words");
    n = rs_seal_make(&s[0], RS_STR("abc"), 0, record);
    is_rc(rs_seal_take(&other, record, n, &text, &more),
          RS_E_UNAUTHENTICATED, "are other keys");
    rs_seal_end(&other);

    is_rc(rs_seal_start(&other, RS_SEAL_HOST, t->scalar[0], t->point[0],
                        t->signed_bytes, t->len), RS_OK, "another scalar");
    n = rs_seal_make(&s[0], RS_STR("abc"), 0, record);
    is_rc(rs_seal_take(&other, record, n, &text, &more),
          RS_E_UNAUTHENTICATED, "is other keys");
    rs_seal_end(&other);

    memcpy(point, t->point[0], sizeof(point));
    point[64] ^= 1;
    is_rc(rs_seal_start(&other, RS_SEAL_HOST, t->scalar[1], point,
                        t->signed_bytes, t->len), RS_E_INVALID_VALUE,
          "a point that is not on the curve");

    memcpy(point, t->point[0], sizeof(point));
    point[0] = (uint8_t) (6 | (point[64] & 1));
    is_rc(rs_seal_start(&other, RS_SEAL_HOST, t->scalar[1], point,
                        t->signed_bytes, t->len), RS_E_INVALID_VALUE,
          "another spelling of one that is");

    memset(point, 0, sizeof(point));
    is_rc(rs_seal_start(&other, RS_SEAL_HOST, t->scalar[1], point,
                        t->signed_bytes, t->len), RS_E_INVALID_VALUE,
          "the point at infinity");
    is_int(rs_seal_make(&other, RS_STR("abc"), 0, record), 0,
           "no records of no keys");

    rs_seal_end(&s[0]);
    rs_seal_end(&s[1]);
}


int
main(void)
{
    vectors_t  t;

    load(&t);

    test_keys(&t);
    test_marks(&t);
    test_records(&t);
    test_limits(&t);
    test_refused(&t);
    test_context(&t);

    json_decref(t.v);

    return tap_done();
}
