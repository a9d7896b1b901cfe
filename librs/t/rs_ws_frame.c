
/*
 * Copyright (C) rs-gateway contributors
 *
 * RFC 6455, 5: the examples of 5.7, and everything that must be refused.
 * Each stream is read whole and in pieces of several sizes; what comes out is
 * written down and must be the same.
 */


#include "tap.h"
#include "rs_ws_frame.h"

#include <stdlib.h>


#define MAX_MESSAGE  4096
#define MAX_FRAMES   4

#define M            "00000000"            /* a mask that changes nothing */


static char   transcript[65536];
static size_t transcript_len;


static void test_examples(void);
static void test_messages(void);
static void test_control(void);
static void test_refused(void);
static void test_close(void);
static void test_limits(void);
static void test_utf8(void);
static void test_memory(void);
static void test_no_memory(void);
static void test_states(void);
static void test_headers(void);
static void test_mask(void);


__attribute__((format(printf, 1, 2)))
static void
note(const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    transcript_len += (size_t) vsnprintf(transcript + transcript_len,
                                         sizeof(transcript) - transcript_len,
                                         fmt, args);
    va_end(args);
}


/* what a reader says of a stream that comes in pieces of n bytes */

static void
run(int client, const uint8_t *data, size_t len, size_t n)
{
    size_t          piece;
    uint8_t        *copy, *pos;
    rs_err_e        rc;
    rs_ws_event_t   ev;
    rs_ws_reader_t  r;

    if (client) {
        rs_ws_reader_init_client(&r, MAX_MESSAGE, MAX_FRAMES);

    } else {
        rs_ws_reader_init(&r, MAX_MESSAGE, MAX_FRAMES);
    }

    transcript_len = 0;
    transcript[0] = '\0';
    rc = RS_AGAIN;

    while (len && rc == RS_AGAIN) {
        piece = (len < n) ? len : n;
        copy = malloc(piece);
        memcpy(copy, data, piece);
        data += piece;
        len -= piece;

        pos = copy;

        while ((rc = rs_ws_read(&r, &pos, copy + piece, &ev)) == RS_OK) {

            if (ev.opcode == RS_WS_CLOSE) {
                note("close %u ", ev.close_code);

            } else {
                note("%s ", ev.opcode == RS_WS_TEXT ? "text"
                            : ev.opcode == RS_WS_PING ? "ping"
                            : ev.opcode == RS_WS_PONG ? "pong" : "?");
            }

            note("%zu:%.*s; ", ev.len, (int) (ev.len > 200 ? 3 : ev.len),
                 (char *) ev.data);
            rs_ws_reader_release(&r);
        }

        if (rc == RS_AGAIN && pos != copy + piece) {
            note("bytes are left; ");
        }

        free(copy);
    }

    note("%s", rc == RS_AGAIN ? "more" : rs_err_code(rc));
    rs_ws_reader_destroy(&r);
}


static void
reads_raw(int client, const uint8_t *data, size_t len, const char *want,
    const char *what)
{
    size_t  i;

    static const size_t  sizes[] = { 65536, 1, 2, 3, 7, 64, 1000 };

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        run(client, data, len, sizes[i]);

        if (!ok(strcmp(transcript, want) == 0, "%s, by %zu", what, sizes[i])) {
            printf("#   got  \"%s\"\n#   want \"%s\"\n", transcript, want);
        }
    }
}


static void
reads(const char *hex, const char *want, const char *what)
{
    uint8_t  data[2048];

    reads_raw(0, data, tap_hex(data, sizeof(data), hex), want, what);
}


static void
reads_client(const char *hex, const char *want, const char *what)
{
    uint8_t  data[2048];

    reads_raw(1, data, tap_hex(data, sizeof(data), hex), want, what);
}


static void
test_examples(void)
{
    uint8_t  data[300];

    reads("8185 37fa213d 7f9f4d5158", "text 5:Hello; more", "5.7, masked");
    reads_client("8105 48656c6c6f", "text 5:Hello; more", "5.7, unmasked");
    reads_client("0103 48656c 8002 6c6f", "text 5:Hello; more",
                 "5.7, fragmented");
    reads_client("8905 48656c6c6f", "ping 5:Hello; more", "5.7, ping");
    reads("8a85 37fa213d 7f9f4d5158", "pong 5:Hello; more", "5.7, pong");
    reads_client("827e0100", "ws_unsupported", "5.7, binary of 256");

    memset(data, 'a', sizeof(data));
    (void) tap_hex(data, 4, "817e0100");
    reads_raw(1, data, 260, "text 256:aaa; more", "text of 256");
}


static void
test_messages(void)
{
    reads("", "more", "nothing");
    reads("81", "more", "half a header");
    reads("8180 01020304", "text 0:; more", "an empty message");
    reads("0180" M "0080" M "8080" M, "text 0:; more", "of empty fragments");
    reads("8181" M "61 8181" M "62", "text 1:a; text 1:b; more", "two");
    reads("0181" M "61 0081" M "62 8081" M "63 8181" M "64",
          "text 3:abc; text 1:d; more", "fragments, then one");
    reads("0181" M "61 8080" M, "text 1:a; more", "an empty last fragment");
    reads("0180" M "8081" M "61", "text 1:a; more", "an empty first one");
    reads("0181" M "61 0080" M "8081" M "62", "text 2:ab; more",
          "an empty one between");
    reads("0181" M "61 8980" M "8a81" M "7a 8081" M "62",
          "ping 0:; pong 1:z; text 2:ab; more", "control frames between");
    reads("0181" M "61 8882" M "03e8 8081" M "62", "close 1000 0:; more",
          "what follows a close is ignored");
    reads("0181" M "61", "more", "a message that does not end");
    reads("8185 01020304 6867", "more", "a frame that does not end");
}


static void
test_control(void)
{
    char  hex[600], want[256];
    int   i;

    (void) snprintf(hex, sizeof(hex), "89fd" M);
    (void) snprintf(want, sizeof(want), "ping 125:");

    for (i = 0; i < 125; i++) {
        strcat(hex, "62");
        strcat(want, "b");
    }

    strcat(want, "; more");
    reads(hex, want, "a ping of 125");

    reads("89fe007e" M, "ws_protocol", "a ping of 126");
    reads("89ff0000000000000001" M, "ws_protocol", "a ping in 64 bits");
    reads("0980" M, "ws_protocol", "a fragmented ping");
    reads("0a80" M, "ws_protocol", "a fragmented pong");
    reads("0880" M, "ws_protocol", "a fragmented close");
}


static void
test_refused(void)
{
    char  hex[32];
    int   i;

    reads("8105", "ws_protocol", "a bare text from a client");
    reads("8100", "ws_protocol", "also an empty one");
    reads("8900", "ws_protocol", "a bare ping");
    reads("8800", "ws_protocol", "a bare close");
    reads("8181" M "61 8101 62", "text 1:a; ws_protocol", "a later one");
    reads_client("8185", "ws_protocol", "a masked frame from a server");
    reads_client("8980", "ws_protocol", "and a masked ping");

    for (i = 1; i < 8; i++) {
        (void) snprintf(hex, sizeof(hex), "%x180" M, 8 + i);
        reads(hex, "ws_protocol", "RSV bits");
    }

    for (i = 3; i < 16; i++) {
        if (i < 8 || i > 10) {
            (void) snprintf(hex, sizeof(hex), "8%x80" M, i);
            reads(hex, "ws_protocol", "a reserved opcode");
        }
    }

    reads("8280" M, "ws_unsupported", "binary");
    reads("0280" M, "ws_unsupported", "binary, fragmented");
    reads("8080" M, "ws_protocol", "a continuation of nothing");
    reads("8181" M "61 8081" M "62", "text 1:a; ws_protocol",
          "of a message that was whole");
    reads("0181" M "61 8181" M "62", "ws_protocol", "text within a message");
    reads("0181" M "61 8281" M "62", "ws_protocol", "binary within one");

    reads("81fe007d" M, "ws_protocol", "125 in 16 bits");
    reads("81fe0000" M, "ws_protocol", "0 in 16 bits");
    reads("81ff000000000000ffff" M, "ws_protocol", "65535 in 64 bits");
    reads("81ff0000000000000001" M, "ws_protocol", "1 in 64 bits");
    reads("81ff8000000000000000" M, "ws_protocol", "the highest bit");
    reads("81ffffffffffffffffff" M, "ws_protocol", "all bits");
}


static void
test_close(void)
{
    char      hex[64], want[64];
    size_t    i;
    unsigned  code;

    static const unsigned  good[] = {
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013,
        1014, 3000, 3999, 4000, 4410, 4999
    };
    static const unsigned  bad[] = {
        0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000,
        65535
    };

    reads("8880" M, "close 1005 0:; more", "no code");
    reads("8881" M "03", "ws_protocol", "half a code");
    reads("8885" M "03e8 627965", "close 1000 3:bye; more", "a reason");
    reads("8883" M "03e8 ff", "ws_utf8", "a reason that is not UTF-8");
    reads("8884" M "03e8 e282", "ws_utf8", "one that is cut off");
    reads("8882" M "03e8 8180" M, "close 1000 0:; more", "then nothing");

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        code = good[i];
        (void) snprintf(hex, sizeof(hex), "8882" M "%04x", code);
        (void) snprintf(want, sizeof(want), "close %u 0:; more", code);
        reads(hex, want, "a good code");
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void) snprintf(hex, sizeof(hex), "8882" M "%04x", bad[i]);
        reads(hex, "ws_protocol", "a bad code");
    }
}


static void
test_limits(void)
{
    char      want[64];
    uint8_t  *data;
    size_t    len;

    data = malloc(2 * MAX_MESSAGE + 64);
    memset(data, 'a', 2 * MAX_MESSAGE + 64);

    len = tap_hex(data, 8, "81fe1000" M);
    (void) snprintf(want, sizeof(want), "text %d:aaa; more", MAX_MESSAGE);
    reads_raw(0, data, len + MAX_MESSAGE, want, "a message at the limit");

    len = tap_hex(data, 8, "81fe1001" M);
    reads_raw(0, data, len, "ws_too_big", "one more, by its header");

    len = tap_hex(data, 16, "81ff0000000000010000" M);
    reads_raw(0, data, len, "ws_too_big", "64 KiB");

    len = tap_hex(data, 16, "81ff7fffffffffffffff" M);
    reads_raw(0, data, len, "ws_too_big", "the largest there is");

    len = tap_hex(data, 8, "01fe0fff" M) + MAX_MESSAGE - 1;
    memset(data + 8, 'a', MAX_MESSAGE);
    (void) tap_hex(data + len, 8, "8081" M "61");
    reads_raw(0, data, len + 7, want, "the limit in two fragments");

    (void) tap_hex(data + len, 8, "8082" M "61");
    reads_raw(0, data, len + 6, "ws_too_big", "one more in two fragments");

    free(data);

    reads("0181" M "61 0081" M "61 0081" M "61 8081" M "61",
          "text 4:aaaa; more", "as many fragments as allowed");
    reads("0181" M "61 0081" M "61 0081" M "61 0081" M "61 80",
          "more", "the fifth is not known yet");
    reads("0181" M "61 0081" M "61 0081" M "61 0081" M "61 8080",
          "ws_fragments", "the fifth is one too many");
    reads("0180" M "0080" M "0080" M "0080" M "0080",
          "ws_fragments", "also of empty ones");
    reads("0180" M "0080" M "8980" M "8980" M "0080" M "8080" M
          "0180" M "0080" M "0080" M "8080" M,
          "ping 0:; ping 0:; text 0:; text 0:; more",
          "control frames do not count, each message has its own");
}


static void
test_utf8(void)
{
    reads("8183" M "e282ac", "text 3:\xe2\x82\xac; more", "a euro sign");
    reads("0181" M "e2 0081" M "82 8081" M "ac",
          "text 3:\xe2\x82\xac; more", "over three fragments");
    reads("0181" M "e2 8980" M "8082" M "82ac",
          "ping 0:; text 3:\xe2\x82\xac; more", "with a ping in it");
    reads("8182" M "e282", "ws_utf8", "cut off");
    reads("0182" M "e282 8080" M, "ws_utf8", "cut off, in fragments");
    reads("0182" M "e282 8081" M "41", "ws_utf8", "gone wrong later");
    reads("8181" M "ff", "ws_utf8", "never UTF-8");
    reads("8183" M "eda080", "ws_utf8", "a surrogate");
    reads("8184" M "f4908080", "ws_utf8", "above U+10FFFF");
    reads("0181" M "ff", "ws_utf8", "at once, not at the end");
    reads("8185" M "6162ff", "ws_utf8", "before the frame is whole");
    reads("8182" M "e282 8181" M "61", "ws_utf8", "not made good later");
    reads("8181" M "61 8182" M "c3bc", "text 1:a; text 2:\xc3\xbc; more",
          "each message anew");
}


typedef struct {
    size_t  size;                 /* held now */
    size_t  calls;
    size_t  fail_at;              /* call that fails; 0 never */
} account_t;


static void *
account_resize(void *data, void *p, size_t size)
{
    account_t *a = data;

    if (size && ++a->calls == a->fail_at) {
        return NULL;
    }

    a->size = size;

    if (size == 0) {
        free(p);
        return NULL;
    }

    return realloc(p, size);
}


static void
test_memory(void)
{
    size_t           i, len;
    uint8_t          data[MAX_MESSAGE + 16], *pos;
    account_t        a;
    rs_ws_event_t    ev;
    rs_ws_reader_t   r;

    memset(&a, 0, sizeof(a));
    rs_ws_reader_init(&r, MAX_MESSAGE, MAX_FRAMES);
    r.resize = account_resize;
    r.resize_data = &a;

    len = tap_hex(data, sizeof(data), "8185 37fa213d 7f9f4d5158");
    pos = data;
    is_rc(rs_ws_read(&r, &pos, data + len, &ev), RS_OK, "in one piece");
    ok(ev.data == data + 6 && ev.len == 5, "it is where it was");
    is_int(a.calls, 0, "and took no memory");

    /* a header that claims much makes nothing happen */

    len = tap_hex(data, sizeof(data), "81fe1000" M "61");
    pos = data;
    is_rc(rs_ws_read(&r, &pos, data + len, &ev), RS_AGAIN, "a claim of 4096");
    ok(a.size > 0 && a.size <= 1024, "memory for what has come");

    rs_ws_reader_release(&r);
    ok(a.size > 0, "what has come stays");

    memset(data, 'a', sizeof(data));

    for (i = 1; i < MAX_MESSAGE; i++) {
        pos = data;

        if (rs_ws_read(&r, &pos, data + 1, &ev) == RS_OK) {
            break;
        }
    }

    is_int(i, MAX_MESSAGE - 1, "it came with its last byte");
    is_int(ev.len, MAX_MESSAGE, "whole");
    is_int(a.size, MAX_MESSAGE, "and never took more than the limit");

    rs_ws_reader_release(&r);
    is_int(a.size, 0, "it is given back");
    rs_ws_reader_release(&r);

    len = tap_hex(data, sizeof(data), "0181" M "61 8081" M "62");
    pos = data;
    is_rc(rs_ws_read(&r, &pos, data + len, &ev), RS_OK, "fragments");
    ok(a.size > 0, "take some");
    rs_ws_reader_destroy(&r);
    is_int(a.size, 0, "the end of it");
    rs_ws_reader_destroy(&r);
}


static void
test_no_memory(void)
{
    size_t          len;
    uint8_t         data[64], *pos;
    account_t       a;
    rs_ws_event_t   ev;
    rs_ws_reader_t  r;

    memset(&a, 0, sizeof(a));
    a.fail_at = 1;
    rs_ws_reader_init(&r, MAX_MESSAGE, MAX_FRAMES);
    r.resize = account_resize;
    r.resize_data = &a;

    len = tap_hex(data, sizeof(data), "0181" M "61");
    pos = data;
    is_rc(rs_ws_read(&r, &pos, data + len, &ev), RS_E_INTERNAL, "no memory");
    is_rc(rs_ws_read(&r, &pos, data + len, &ev), RS_E_INTERNAL, "for ever");
    rs_ws_reader_destroy(&r);
}


static void
test_states(void)
{
    size_t          len;
    uint8_t         data[64], *pos;
    rs_ws_event_t   ev;
    rs_ws_reader_t  r;

    rs_ws_reader_init(&r, MAX_MESSAGE, MAX_FRAMES);

    len = tap_hex(data, sizeof(data), "c180" M);
    pos = data;
    is_rc(rs_ws_read(&r, &pos, data + len, &ev), RS_E_WS_PROTOCOL, "bad");

    len = tap_hex(data, sizeof(data), "8181" M "61");
    pos = data;
    is_rc(rs_ws_read(&r, &pos, data + len, &ev), RS_E_WS_PROTOCOL,
          "stays bad");
    ok(pos == data, "and takes nothing");
    rs_ws_reader_destroy(&r);

    rs_ws_reader_init(&r, MAX_MESSAGE, MAX_FRAMES);
    pos = NULL;
    is_rc(rs_ws_read(&r, &pos, NULL, &ev), RS_AGAIN, "no bytes at all");
    rs_ws_reader_destroy(&r);
}


static void
test_headers(void)
{
    size_t    i, n;
    uint8_t   h[RS_WS_HEADER_MAX], want[RS_WS_HEADER_MAX], mask[4];
    uint8_t   payload[RS_WS_CONTROL_MAX];
    char      text[200];
    rs_str_t  s;

    static const struct {
        unsigned     opcode;
        uint64_t     len;
        const char  *bare;
        const char  *masked;
    } cases[] = {
        { RS_WS_TEXT, 0, "8100", "818001020304" },
        { RS_WS_TEXT, 125, "817d", "81fd01020304" },
        { RS_WS_TEXT, 126, "817e007e", "81fe007e01020304" },
        { RS_WS_TEXT, 65535, "817effff", "81feffff01020304" },
        { RS_WS_TEXT, 65536, "817f0000000000010000",
          "81ff000000000001000001020304" },
        { RS_WS_PING, 3, "8903", "898301020304" },
        { RS_WS_CLOSE, 2, "8802", "888201020304" }
    };

    (void) tap_hex(mask, 4, "01020304");

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        n = tap_hex(want, sizeof(want), cases[i].bare);
        ok(rs_ws_header(h, cases[i].opcode, cases[i].len) == n
           && memcmp(h, want, n) == 0, "header %s", cases[i].bare);

        n = tap_hex(want, sizeof(want), cases[i].masked);
        ok(rs_ws_header_masked(h, cases[i].opcode, cases[i].len, mask) == n
           && memcmp(h, want, n) == 0, "header %s", cases[i].masked);
    }

    n = rs_ws_close_payload(payload, 4410, RS_STR("ended"));
    ok(n == 7 && memcmp(payload, "\x11\x3a" "ended", 7) == 0, "close");
    is_int(rs_ws_close_payload(payload, 1000, rs_str(NULL)), 2, "no reason");
    is_int(rs_ws_close_payload(payload, 0, RS_STR("x")), 0, "no code");
    is_int(rs_ws_close_payload(payload, RS_WS_NO_STATUS, RS_STR("x")), 0,
           "1005 is never sent");

    memset(text, 'a', sizeof(text));
    s = (rs_str_t) { (uint8_t *) text, sizeof(text) };
    is_int(rs_ws_close_payload(payload, 1000, s), 125, "a long reason");
    memcpy(text + 121, "\xe2\x82\xac", 3);
    is_int(rs_ws_close_payload(payload, 1000, s), 123,
           "is cut between characters");
}


static void
test_mask(void)
{
    int      good;
    size_t   i, len, offset, from;
    uint8_t  data[64], mask[4];

    (void) tap_hex(mask, 4, "37fa213d");
    good = 1;

    for (offset = 0; offset < 8; offset++) {
        for (len = 0; len < 40; len++) {
            for (from = 0; from < 3; from++) {
                memset(data, 'x', sizeof(data));
                rs_ws_mask(data + from, len, mask, offset);

                for (i = 0; i < sizeof(data); i++) {
                    good &= data[i]
                            == (i < from || i >= from + len
                                ? 'x'
                                : ('x' ^ mask[(i - from + offset) % 4]));
                }
            }
        }
    }

    ok(good, "masked byte by byte, at any offset and alignment");
}


int
main(void)
{
    test_examples();
    test_messages();
    test_control();
    test_refused();
    test_close();
    test_limits();
    test_utf8();
    test_memory();
    test_no_memory();
    test_states();
    test_headers();
    test_mask();

    return tap_done();
}
