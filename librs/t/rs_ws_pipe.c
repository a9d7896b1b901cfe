
/*
 * Copyright (C) rs-gateway contributors
 *
 * From leg to leg: each stream is given whole and in pieces of several sizes,
 * each piece with no more room than is promised; messages and control frames
 * that come out are written down and must be the same.
 */


#include "tap.h"
#include "rs_ws_pipe.h"


#define M            "00000000"            /* a mask that changes nothing */
#define BIG          (200 * 1024)


/* what went out, put together again */

typedef struct {
    uint8_t   data[RS_WS_PIPE_MESSAGE];
    size_t    len;
    int       within;
    unsigned  frames;
    unsigned  bad;
} out_t;


static char    transcript[8192];
static size_t  transcript_len;
static out_t   got;


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


static void
note_message(const char *what)
{
    note("%s %zu:%.*s; ", what, got.len, (int) (got.len > 9 ? 3 : got.len),
         (char *) got.data);
    got.len = 0;
}


/* frames without mask, as simple as can be */

static void
collect(const uint8_t *p, const uint8_t *end)
{
    int     fin, opcode;
    size_t  i, n, len;

    while (p < end) {
        fin = p[0] >> 7;
        opcode = p[0] & 0x7f;
        len = p[1];
        n = (len == 126) ? 2 : (len == 127) ? 8 : 0;
        got.frames++;

        if (opcode != (got.within ? RS_WS_CONT : RS_WS_BINARY) || len > 127) {
            got.bad++;
        }

        p += 2;

        if (n) {
            for (len = 0, i = 0; i < n; i++) {
                len = len << 8 | *p++;
            }

            got.bad += len <= (n == 2 ? 125u : 65535u);
        }

        memcpy(got.data + got.len, p, len);
        got.len += len;
        p += len;
        got.within = !fin;

        if (fin) {
            note_message("message");
        }
    }

    got.bad += p != end;
}


static void
run(unsigned bare, const uint8_t *data, size_t len, size_t n)
{
    size_t         piece;
    uint8_t       *region, *from, *out, *pos, *last;
    rs_err_e       rc;
    rs_ws_pipe_t   p;
    rs_ws_event_t  ev;

    rs_ws_pipe_init(&p, bare);
    memset(&got, 0, sizeof(got));
    transcript_len = 0;
    transcript[0] = '\0';
    rc = RS_AGAIN;

    while (len && rc == RS_AGAIN) {
        piece = (len < n) ? len : n;
        region = malloc(RS_WS_PIPE_GAP + piece);
        memcpy(region + RS_WS_PIPE_GAP, data, piece);
        data += piece;
        len -= piece;

        out = region;
        pos = region + RS_WS_PIPE_GAP;
        last = pos + piece;

        do {
            from = out;
            rc = rs_ws_pipe_read(&p, &out, &pos, last, &ev);
            collect(from, out);

            if (out > pos || pos > last) {
                note("beyond; ");
            }

            if (rc == RS_OK) {
                note("%s %zu:%.*s; ", ev.opcode == RS_WS_CLOSE ? "close"
                                      : ev.opcode == RS_WS_PING ? "ping"
                                      : "pong",
                     ev.opcode == RS_WS_CLOSE ? ev.close_code : ev.len,
                     (int) (ev.len > 9 ? 3 : ev.len), (char *) ev.data);
            }

        } while (rc == RS_OK);

        if (rc == RS_AGAIN && pos != last) {
            note("bytes are left; ");
        }

        free(region);
    }

    if (got.len) {
        note_message("part");
    }

    note("%s", rc != RS_AGAIN ? rs_err_code(rc)
               : rs_ws_pipe_within(&p) ? "within" : "between");

    if (got.bad) {
        note(" %u bad", got.bad);
    }
}


static void
goes_raw(unsigned bare, const uint8_t *data, size_t len, const char *want,
    const char *what)
{
    size_t  i;

    static const size_t  sizes[] = { 1 << 20, 1, 2, 3, 7, 64, 1000, 65536 };

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        run(bare, data, len, sizes[i]);

        if (!ok(strcmp(transcript, want) == 0, "%s, by %zu", what, sizes[i])) {
            printf("#   got  \"%s\"\n#   want \"%s\"\n", transcript, want);
        }
    }
}


static void
goes(const char *hex, const char *want, const char *what)
{
    uint8_t  data[2048];

    goes_raw(0, data, tap_hex(data, sizeof(data), hex), want, what);
}


static void
goes_bare(const char *hex, const char *want, const char *what)
{
    uint8_t  data[2048];

    goes_raw(1, data, tap_hex(data, sizeof(data), hex), want, what);
}


static void
test_messages(void)
{
    goes("", "between", "nothing");
    goes("82", "within", "half a header");
    goes("8285 37fa213d 7f9f4d5158", "message 5:Hello; between", "5.7, masked");
    goes_bare("0203 48656c 8002 6c6f", "message 5:Hello; between",
              "5.7, fragmented, without mask");
    goes("8280 01020304", "message 0:; between", "an end");
    goes("8281" M "61 8280" M "8281" M "62",
         "message 1:a; message 0:; message 1:b; between", "borders stay");
    goes("0280" M "0080" M "8080" M, "message 0:; between",
         "an end of empty fragments");
    goes("0281" M "61 0080" M "8081" M "62 8281" M "63",
         "message 2:ab; message 1:c; between", "fragments");
    goes("0281" M "61", "part 1:a; within", "a message that does not end");
    goes("8285 01020304 6067", "part 2:ae; within",
         "a frame that does not end");
    goes("8285" M, "within", "a frame of which nothing came");
}


static void
test_control(void)
{
    goes("8980" M, "ping 0:; between", "a ping");
    goes("8a85 37fa213d 7f9f4d5158", "pong 5:Hello; between", "5.7, a pong");
    goes("0281" M "61 8981" M "7a 8081" M "62",
         "ping 1:z; message 2:ab; between", "a ping between fragments");
    goes("8880" M, "close 1005:; between", "a close without code");
    goes("8884" M "03e86869", "close 1000:hi; between", "a close");
    goes("0281" M "61 8882" M "03e8 8081" M "62",
         "close 1000:; part 1:a; within", "what follows a close is ignored");
    goes("0980" M, "ws_protocol", "a fragmented ping");
    goes("89fe007e" M, "ws_protocol", "a ping of 126");
    goes("8881" M "03", "ws_protocol", "half a close code");
    goes("8882" M "03ed", "ws_protocol", "a close code nobody may send");
    goes("8883" M "03e8ff", "ws_utf8", "a reason that is no text");
}


static void
test_refused(void)
{
    goes("8181" M "61", "ws_unsupported", "text");
    goes("8281" M "61 8181" M "62", "message 1:a; ws_unsupported",
         "text after a message, which is good");
    goes("8201 61", "ws_protocol", "a client without mask");
    goes_bare("8281" M "61", "ws_protocol", "a link with one");
    goes("c281" M "61", "ws_protocol", "a reserved bit");
    goes("8381" M "61", "ws_protocol", "a reserved opcode");
    goes("8b80" M, "ws_protocol", "a reserved control frame");
    goes("8081" M "61", "ws_protocol", "a continuation of nothing");
    goes("0281" M "61 8281" M "62", "part 1:a; ws_protocol",
         "a message within one");
    goes("82fe0001" M "61", "ws_protocol", "16 bits for one byte");
    goes("82ff0000000000000001" M "61", "ws_protocol", "64 bits for one");
    goes("82ff8000000000000000" M, "ws_protocol", "the highest bit");
    goes("82ff7fffffffffffffff" M, "ws_too_big", "as long as can be said");
    goes("82ff0000000000100001" M, "ws_too_big", "one more than may be");
    goes("0281" M "61 80ff0000000000100000" M, "part 1:a; ws_too_big",
         "one more, by a fragment");
}


static void
test_state(void)
{
    uint8_t        region[64], *out, *pos;
    rs_ws_pipe_t   p;
    rs_ws_event_t  ev;

    rs_ws_pipe_init(&p, 0);
    out = region;
    pos = region + RS_WS_PIPE_GAP;
    (void) tap_hex(pos, 16, "8181" M "61");

    is_rc(rs_ws_pipe_read(&p, &out, &pos, pos + 7, &ev), RS_E_WS_UNSUPPORTED,
          "text");
    (void) tap_hex(pos, 16, "8281" M "61");
    is_rc(rs_ws_pipe_read(&p, &out, &pos, pos + 7, &ev), RS_E_WS_UNSUPPORTED,
          "what was wrong stays wrong");
    ok(out == region, "and nothing comes out");
}


/* lengths around those where a header changes, masked, whole and in pieces */

static void
test_lengths(void)
{
    char      want[96];
    size_t    i, j, n, len;
    uint8_t  *data;

    static const uint8_t  mask[4] = { 0x12, 0x34, 0x56, 0x78 };
    static const size_t   lens[] = { 1, 125, 126, 127, 65535, 65536, BIG };

    for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        len = lens[i];
        data = malloc(2 * (RS_WS_HEADER_MAX + len));

        n = rs_ws_header_masked(data, RS_WS_BINARY, len, mask);

        for (j = 0; j < len; j++) {
            data[n + j] = (uint8_t) ('a' + j % 23);
        }

        rs_ws_mask(data + n, len, mask, 0);
        memcpy(data + n + len, data, n + len);

        (void) snprintf(want, sizeof(want),
                        "message %zu:%s; message %zu:%s; between",
                        len, len == 1 ? "a" : "abc", len,
                        len == 1 ? "a" : "abc");
        goes_raw(0, data, 2 * (n + len), want, "a length");

        for (j = 0; j < len && got.data[j] == 'a' + j % 23; j++) {
            /* void */
        }

        is_int(j, len, "every byte of it");
        free(data);
    }
}


int
main(void)
{
    test_messages();
    test_control();
    test_refused();
    test_state();
    test_lengths();

    return tap_done();
}
