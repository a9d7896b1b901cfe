
/*
 * Copyright (C) rs-gateway contributors
 *
 * A client's handshake, and frames of a server read in pieces: whatever way
 * the bytes are cut, they say the same.
 */


#include "tap.h"
#include "rs_ws_client.h"


#define KEY     "dGhlIHNhbXBsZSBub25jZQ=="          /* RFC 6455, 1.3 */
#define ACCEPT  "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

#define START   "HTTP/1.1 101 Switching Protocols\r\n"
#define UP      "Upgrade: websocket\r\nConnection: upgrade\r\n"
#define ANSWER  "Sec-WebSocket-Accept: " ACCEPT "\r\n"
#define OURS    "Sec-WebSocket-Protocol: rs.v1\r\n"


static char    said[4096];
static size_t  said_len;


__attribute__((format(printf, 1, 2)))
static void
note(const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    said_len += (size_t) vsnprintf(said + said_len, sizeof(said) - said_len,
                                   fmt, args);
    va_end(args);
}


/* neighbouring pieces of a message are one, so cuts do not show */

static void
run(const uint8_t *data, size_t len, size_t cut)
{
    size_t           n;
    rs_err_e         rc;
    const uint8_t   *pos;
    rs_ws_piece_t    piece;
    rs_ws_pieces_t   r;

    said_len = 0;
    said[0] = '\0';
    rs_ws_pieces_init(&r, 300);
    rc = RS_AGAIN;

    while (len && rc == RS_AGAIN) {
        n = (len < cut) ? len : cut;
        pos = data;

        while ((rc = rs_ws_pieces_read(&r, &pos, data + n, &piece)) == RS_OK)
        {
            if (piece.opcode == RS_WS_BINARY) {
                note("%.*s%s", (int) piece.len, (const char *) piece.data,
                     piece.last ? "|" : "");

            } else {
                note("<%x:%.*s:%u>", piece.opcode, (int) piece.len,
                     (const char *) piece.data, piece.close_code);
            }
        }

        data += n;
        len -= n;
    }

    note("%s", rc == RS_AGAIN ? "" : rs_err_code(rc));
}


static void
reads_bytes(const uint8_t *data, size_t len, const char *want,
    const char *what)
{
    size_t  i;

    static const size_t  cuts[] = { 4096, 1, 2, 3, 7 };

    for (i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        run(data, len, cuts[i]);

        if (!ok(strcmp(said, want) == 0, "%s, by %zu", what, cuts[i])) {
            printf("#   got  \"%s\"\n#   want \"%s\"\n", said, want);
        }
    }
}


static void
reads(const char *hex, const char *want, const char *what)
{
    uint8_t  data[1024];

    reads_bytes(data, tap_hex(data, sizeof(data), hex), want, what);
}


static void
test_pieces(void)
{
    reads("8203 616263", "abc|", "a message");
    reads("8203 616263 8200 820164", "abc||d|", "an empty one between two");
    reads("0202 6162 0000 8900 8001 63", "ab<9::0>c|",
          "fragments, an empty one, a ping inside");
    reads("0200 8000", "|", "an empty message of two fragments");
    reads("0201 61 8000", "a|", "a message whose last fragment is empty");
    reads("8a02 6869", "<a:hi:0>", "a pong");
    reads("8805 03e8 627965 820161", "<8:bye:1000>",
          "nothing counts after a close frame");
    reads("8800", "<8::1005>", "a close frame without code");

    reads("8101 61", "ws_unsupported", "text");
    reads("8281 00000000 61", "ws_protocol", "a masked frame");
    reads("c201 61", "ws_protocol", "a reserved bit");
    reads("8301 61", "ws_protocol", "a reserved opcode");
    reads("8001 61", "ws_protocol", "a continuation of nothing");
    reads("0201 61 8201 62", "aws_protocol", "a message inside a message");
    reads("0900", "ws_protocol", "a control frame in fragments");
    reads("897e 007e", "ws_protocol", "a control frame of 126 bytes");
    reads("827e 007d", "ws_protocol", "a length longer than need be");
    reads("827f 000000000000ffff", "ws_protocol",
          "and one of eight bytes");
    reads("827f 8000000000000000", "ws_protocol", "a negative length");
    reads("8801 03", "ws_protocol", "half a close code");
    reads("8802 03ee", "ws_protocol", "a close code not for the wire");
    reads("8803 03e8 ff", "ws_utf8", "a reason that is no text");
    reads("827e 012d", "ws_too_big", "a message over the bound");
    reads("827f 7fffffffffffffff", "ws_too_big", "and far over it");
}


static void
test_bound(void)
{
    uint8_t  data[400];
    char     want[400];

    /* 300 in two fragments are in, one more is not */

    memset(data, 'x', sizeof(data));
    memcpy(data, "\x02\x7e\x00\xc8", 4);
    memcpy(data + 204, "\x80\x64", 2);
    memset(want, 'x', 300);
    strcpy(want + 300, "|");
    reads_bytes(data, 306, want, "a message of the bound");

    data[205] = 0x65;
    strcpy(want + 200, "ws_too_big");
    reads_bytes(data, 307, want, "one byte more in its second fragment");
}


static void
test_request(void)
{
    char             text[512];
    rs_buf_t         b;
    rs_str_t         protocols[2];
    rs_ws_request_t  r;

    protocols[0] = RS_STR("rs.v1");
    protocols[1] = RS_STR("rs.ticket.t.abc");
    r = (rs_ws_request_t) { RS_STR("/rs/v1/pipe"), RS_STR("a.example:8443"),
                            RS_STR("rs-agent/1"), RS_STR(KEY), protocols, 2 };

    rs_buf_init(&b, text, sizeof(text));
    is_rc(rs_ws_request(&b, &r), RS_OK, "a request");
    is_str(rs_buf_get(&b),
           "GET /rs/v1/pipe HTTP/1.1\r\nHost: a.example:8443\r\n"
           "User-Agent: rs-agent/1\r\nUpgrade: websocket\r\n"
           "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: " KEY "\r\n"
           "Sec-WebSocket-Protocol: rs.v1, rs.ticket.t.abc\r\n\r\n",
           "its text");

    rs_buf_init(&b, text, 100);
    is_rc(rs_ws_request(&b, &r), RS_E_INVALID_VALUE, "no room");

    rs_buf_init(&b, text, sizeof(text));
    protocols[1] = RS_STR("rs.ticket.a\r\nX: y");
    is_rc(rs_ws_request(&b, &r), RS_E_INVALID_VALUE, "a ticket of two lines");

    protocols[1] = RS_STR("rs.ticket.a,b");
    is_rc(rs_ws_request(&b, &r), RS_E_INVALID_VALUE, "a ticket of two values");

    protocols[1] = RS_STR("rs.ticket.a");
    r.path = RS_STR("/a b");
    is_rc(rs_ws_request(&b, &r), RS_E_INVALID_VALUE, "a path with a blank");

    r.path = RS_STR("/a");
    r.host = RS_STR("");
    is_rc(rs_ws_request(&b, &r), RS_E_INVALID_VALUE, "no host");
}


static void
answers(const char *text, rs_err_e want, unsigned status, unsigned retry,
    const char *what)
{
    size_t            i, len;
    rs_err_e          rc;
    rs_ws_response_t  r;

    len = strlen(text);
    rc = rs_ws_response(rs_str(text), RS_STR(KEY), RS_STR("rs.v1"), &r);
    is_rc(rc, want, what);
    ok(r.status == status && r.retry_after == retry, "%s: status %u, %u s",
       what, r.status, r.retry_after);

    if (want != RS_OK) {
        return;
    }

    for (i = 0; i < r.size; i++) {
        rc = rs_ws_response((rs_str_t) { (const uint8_t *) text, i },
                            RS_STR(KEY), RS_STR("rs.v1"), &r);
        if (rc != RS_AGAIN) {
            break;
        }

        (void) rs_ws_response(rs_str(text), RS_STR(KEY), RS_STR("rs.v1"), &r);
    }

    ok(i == r.size && r.size <= len, "%s: no byte less does", what);
}


static void
test_response(void)
{
    char              text[RS_WS_RESPONSE_MAX + 512];
    rs_ws_response_t  r;

    answers(START UP ANSWER OURS "\r\n", RS_OK, 101, 0, "an answer");
    answers(START "UPGRADE:WebSocket\r\nconnection: keep-alive, Upgrade \r\n"
            ANSWER OURS "X: y\r\n\r\n\x82", RS_OK, 101, 0,
            "other case, a frame behind it");
    answers("HTTP/1.1 503 No\r\nRetry-After: 9\r\n\r\n", RS_E_UNAVAILABLE,
            503, 9, "refused");
    answers("HTTP/1.1 404\r\nRetry-After: 900\r\n\r\n", RS_E_UNAVAILABLE,
            404, 0, "no reason; waits that long are none");
    answers(START UP OURS "\r\n", RS_E_BAD_HANDSHAKE, 101, 0, "no proof");
    answers(START UP OURS "Sec-WebSocket-Accept: T" ACCEPT "\r\n\r\n",
            RS_E_BAD_HANDSHAKE, 101, 0, "another key's");
    answers(START UP ANSWER "\r\n", RS_E_BAD_HANDSHAKE, 101, 0,
            "no protocol");
    answers(START UP ANSWER OURS "Sec-WebSocket-Extensions: x\r\n\r\n",
            RS_E_BAD_HANDSHAKE, 101, 0, "an extension nobody wanted");
    answers(START UP ANSWER OURS OURS "\r\n", RS_E_BAD_HANDSHAKE, 101, 0,
            "a field twice");
    answers(START "Connection: upgrade\r\n" ANSWER OURS "\r\n",
            RS_E_BAD_HANDSHAKE, 101, 0, "no Upgrade");
    answers(START "Upgrade: websocket\r\n" ANSWER OURS "\r\n",
            RS_E_BAD_HANDSHAKE, 101, 0, "no Connection");
    answers("HTTP/1.0 101 X\r\n\r\n", RS_E_BAD_HANDSHAKE, 0, 0, "HTTP/1.0");
    answers("SSH-2.0-x\r\n", RS_E_BAD_HANDSHAKE, 0, 0, "no HTTP at all");
    answers(START "no colon\r\n", RS_E_BAD_HANDSHAKE, 101, 0,
            "a line that is none");

    memset(text, 'x', sizeof(text));
    memcpy(text, START "X: ", strlen(START "X: "));
    is_rc(rs_ws_response((rs_str_t) { (uint8_t *) text,
                                      RS_WS_RESPONSE_MAX - 1 },
                         RS_STR(KEY), RS_STR("rs.v1"), &r),
          RS_AGAIN, "a header up to the bound");
    is_rc(rs_ws_response((rs_str_t) { (uint8_t *) text, RS_WS_RESPONSE_MAX },
                         RS_STR(KEY), RS_STR("rs.v1"), &r),
          RS_E_BAD_HANDSHAKE, "and over it");
}


int
main(void)
{
    test_pieces();
    test_bound();
    test_request();
    test_response();

    return tap_done();
}
