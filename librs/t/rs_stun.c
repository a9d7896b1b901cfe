
/*
 * Copyright (C) rs-gateway contributors
 *
 * STUN and TURN: the messages of RFC 5769 read and written, frames of
 * datagrams and streams, and what must be refused.
 */


#include "tap.h"
#include "rs_stun.h"


#define PASSWORD  "VOkJxbRl1RmTxUk/WvJxBt"

/* RFC 5769, 2.1 to 2.4 */

#define REQUEST                                                              \
    "00010058 2112a442 b7e7a701bc34d686fa87dfae"                             \
    "80220010 5354554e207465737420636c69656e74"                              \
    "00240004 6e0001ff"                                                      \
    "80290008 932ff9b151263b36"                                              \
    "00060009 6576746a3a68367659202020"                                      \
    "00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"                      \
    "80280004 e57a3bcf"

#define RESPONSE4                                                            \
    "0101003c 2112a442 b7e7a701bc34d686fa87dfae"                             \
    "8022000b 7465737420766563746f7220"                                      \
    "00200008 0001a147e112a643"                                              \
    "00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7"                      \
    "80280004 c07d4c96"

#define RESPONSE6                                                            \
    "01010048 2112a442 b7e7a701bc34d686fa87dfae"                             \
    "8022000b 7465737420766563746f7220"                                      \
    "00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"                      \
    "00080014 a382954e4be67bf11784c97c8292c275bfe3ed41"                      \
    "80280004 c8fb0b4c"

#define LONG_TERM                                                            \
    "00010060 2112a442 78ad3433c6ad72c029da412e"                             \
    "00060012 e3839ee38388e383aae38383e382afe382b90000"                      \
    "0015001c 662f2f3439396b393534643"                                       \
    "64f4c33346f4c39465354767936347341"                                      \
    "0014000b 6578616d706c652e6f726700"                                      \
    "00080014 f67024656dd64a3e02b8e0712e85c9a28ca89666"


static uint8_t  bytes[1024];


static rs_str_t
hex(const char *text)
{
    return (rs_str_t) { bytes, tap_hex(bytes, sizeof(bytes), text) };
}


static rs_err_e
parse(rs_stun_msg_t *m, const char *text)
{
    return rs_stun_parse(hex(text), m);
}


static void
test_request(void)
{
    uint32_t       v;
    rs_str_t       s;
    rs_stun_msg_t  m;

    is_rc(parse(&m, REQUEST), RS_OK, "2.1, a request");
    is_int(m.cls, RS_STUN_REQUEST, "its class");
    is_int(m.method, RS_STUN_BINDING, "its method");
    ok(rs_stun_attr(&m, RS_STUN_A_SOFTWARE, &s), "it has SOFTWARE");
    is_str(s, "STUN test client", "which is");
    ok(rs_stun_attr(&m, RS_STUN_A_USERNAME, &s), "it has USERNAME");
    is_str(s, "evtj:h6vY", "without the padding");
    ok(rs_stun_attr_u32(&m, 0x0024, &v), "it has PRIORITY");
    is_int(v, 0x6e0001ff, "which is");
    ok(!rs_stun_attr_u32(&m, RS_STUN_A_USERNAME, &v), "no number");
    ok(!rs_stun_attr(&m, RS_STUN_A_REALM, &s), "it has no REALM");
    ok(!rs_stun_attr(&m, RS_STUN_A_INTEGRITY, &s)
       && !rs_stun_attr(&m, RS_STUN_A_FINGERPRINT, &s),
       "integrity and fingerprint are not listed");
    is_int(rs_stun_unknown(&m), 0x0024, "PRIORITY is not TURN's");
    is_rc(rs_stun_verify(&m, RS_STR(PASSWORD)), RS_OK, "its integrity");
    is_rc(rs_stun_verify(&m, RS_STR("x" PASSWORD)), RS_E_UNAUTHENTICATED,
          "not with another password");
    is_rc(rs_stun_verify(&m, RS_STR("")), RS_E_UNAUTHENTICATED, "nor none");

    bytes[26] ^= 1;
    is_rc(rs_stun_parse(m.bytes, &m), RS_E_BAD_REQUEST,
          "another bit: the fingerprint is wrong");
}


static void
test_responses(void)
{
    rs_stun_msg_t   m;
    rs_stun_addr_t  a;

    static const uint8_t  ip6[16] = {
        0x20, 0x01, 0x0d, 0xb8, 0x12, 0x34, 0x56, 0x78,
        0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77
    };

    is_rc(parse(&m, RESPONSE4), RS_OK, "2.2, a response");
    is_int(m.cls, RS_STUN_SUCCESS, "its class");
    is_rc(rs_stun_verify(&m, RS_STR(PASSWORD)), RS_OK, "its integrity");
    is_int(rs_stun_unknown(&m), 0, "all is known");
    ok(rs_stun_attr_addr(&m, RS_STUN_A_XOR_MAPPED_ADDRESS, &a),
       "it has an address");
    is_int(a.family, RS_STUN_FAMILY_IPV4, "its family");
    is_int(a.port, 32853, "its port");
    ok(memcmp(a.ip, "\xc0\x00\x02\x01", 4) == 0, "192.0.2.1");
    ok(!rs_stun_attr_addr(&m, RS_STUN_A_SOFTWARE, &a), "no address");
    is_int(a.family, 0, "and none is told");

    is_rc(parse(&m, RESPONSE6), RS_OK, "2.3, with IPv6");
    is_rc(rs_stun_verify(&m, RS_STR(PASSWORD)), RS_OK, "its integrity");
    ok(rs_stun_attr_addr(&m, RS_STUN_A_XOR_MAPPED_ADDRESS, &a),
       "it has an address");
    is_int(a.family, RS_STUN_FAMILY_IPV6, "its family");
    is_int(a.port, 32853, "its port");
    ok(memcmp(a.ip, ip6, 16) == 0, "2001:db8:1234:5678:11:2233:4455:6677");
}


/* 2.4: password after SASLprep */

static void
test_long_term(void)
{
    uint8_t        key[RS_STUN_KEY_LEN], out[256];
    rs_buf_t       b;
    rs_str_t       user, realm, nonce, k;
    rs_stun_msg_t  m;

    k = (rs_str_t) { key, sizeof(key) };

    is_rc(parse(&m, LONG_TERM), RS_OK, "2.4, long-term credentials");
    ok(rs_stun_attr(&m, RS_STUN_A_USERNAME, &user)
       && rs_stun_attr(&m, RS_STUN_A_REALM, &realm)
       && rs_stun_attr(&m, RS_STUN_A_NONCE, &nonce), "name, realm, nonce");
    is_str(realm, "example.org", "the realm");
    is_rc(rs_stun_key(key, user, realm, RS_STR("TheMatrIX")), RS_OK,
          "the key");
    is_rc(rs_stun_verify(&m, k), RS_OK, "its integrity");

    rs_buf_init(&b, out, sizeof(out));
    rs_stun_begin(&b, RS_STUN_REQUEST, RS_STUN_BINDING, m.id.data);
    rs_stun_put(&b, RS_STUN_A_USERNAME, user);
    rs_stun_put(&b, RS_STUN_A_NONCE, nonce);
    rs_stun_put(&b, RS_STUN_A_REALM, realm);
    is_rc(rs_stun_put_integrity(&b, k), RS_OK, "the same is written");
    ok(!b.overflow && rs_str_eq(rs_buf_get(&b), m.bytes), "to the byte");

    is_rc(rs_stun_key(key, user, realm, RS_STR("TheMatrix")), RS_OK,
          "another password");
    is_rc(rs_stun_verify(&m, k), RS_E_UNAUTHENTICATED, "is another key");
    is_rc(rs_stun_verify(&m, RS_STR("0123456789012345678901234567890123456789"
                                    "0123456789012345678901234567890123")),
          RS_E_UNAUTHENTICATED, "a key of more than a block");
}


static void
test_write(void)
{
    uint8_t         out[256];
    rs_buf_t        b;
    rs_str_t        s;
    unsigned        code;
    rs_stun_msg_t   m, r;
    rs_stun_addr_t  a;

    (void) parse(&m, RESPONSE6);
    ok(rs_stun_attr_addr(&m, RS_STUN_A_XOR_MAPPED_ADDRESS, &a), "2.3 again");

    rs_buf_init(&b, out, sizeof(out));
    rs_stun_begin(&b, RS_STUN_SUCCESS, RS_STUN_BINDING, m.id.data);
    rs_stun_put(&b, RS_STUN_A_SOFTWARE, RS_STR("test vector"));
    rs_stun_put_addr(&b, RS_STUN_A_XOR_MAPPED_ADDRESS, &a);

    /* the vector pads with a blank */

    out[RS_STUN_HEADER + 4 + 11] = ' ';

    (void) rs_stun_put_integrity(&b, RS_STR(PASSWORD));
    rs_stun_put_fingerprint(&b);
    ok(!b.overflow && rs_str_eq(rs_buf_get(&b), m.bytes),
       "the same is written");

    b.len = 0;
    rs_stun_begin(&b, RS_STUN_ERROR, RS_STUN_CHANNEL_BIND, m.id.data);
    rs_stun_put_error(&b, 486, RS_STR("Allocation Quota Reached"));
    rs_stun_put_addr(&b, RS_STUN_A_ALTERNATE_SERVER, &a);
    rs_stun_put_u32(&b, 0x0000, 7);
    is_rc(rs_stun_parse(rs_buf_get(&b), &r), RS_OK, "an error");
    is_int(r.cls, RS_STUN_ERROR, "its class");
    is_int(r.method, RS_STUN_CHANNEL_BIND, "its method");
    ok(rs_stun_attr_error(&r, &code, &s), "it has a code");
    is_int(code, 486, "the code");
    is_str(s, "Allocation Quota Reached", "the reason");
    ok(rs_stun_attr(&r, RS_STUN_A_ALTERNATE_SERVER, &s)
       && memcmp(s.data + 4, a.ip, 16) == 0, "an address that is not XORed");
    is_int(rs_stun_unknown(&r), 0x10000, "type 0 is an unknown one");

    rs_buf_init(&b, out, 60);
    rs_stun_begin(&b, RS_STUN_REQUEST, 0xfff, m.id.data);
    is_rc(rs_stun_parse(rs_buf_get(&b), &r), RS_OK, "no attributes");
    is_int(r.method, 0xfff, "all bits of a method");
    is_rc(rs_stun_verify(&r, RS_STR("x")), RS_E_UNAUTHENTICATED,
          "no integrity");
    rs_stun_put(&b, RS_STUN_A_DATA, (rs_str_t) { bytes, 36 });
    ok(!b.overflow, "what fits");
    rs_stun_put(&b, RS_STUN_A_DATA, RS_STR(""));
    ok(b.overflow && b.len == 60, "what does not");
    is_rc(rs_stun_put_integrity(&b, RS_STR("x")), RS_OK, "no more then");
    is_int(b.len, 60, "nothing is written");
}


/* name, what comes, is it refused? */

static void
test_refused(void)
{
    size_t         i;
    rs_str_t       s;
    unsigned       code;
    rs_stun_msg_t  m;

#define HEAD  " 2112a442 b7e7a701bc34d686fa87dfae "
#define MAC   "9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"

    static const struct {
        const char  *name;
        const char  *text;
    } cases[] = {
        { "nothing", "" },
        { "a header that is cut", "0001 0000 2112a442 b7e7a701bc34d686fa87df" },
        { "another cookie", "0001 0000 2112a443 b7e7a701bc34d686fa87dfae" },
        { "the first bits", "4001 0000" HEAD },
        { "a length that is too long", "0001 0004" HEAD },
        { "a length that is too short", "0001 0000" HEAD "80220000" },
        { "a length that is odd", "0001 0002" HEAD "8022" },
        { "an attribute past the end", "0001 0008" HEAD "80220005 61626364" },
        { "one of 65535", "0001 0008" HEAD "8022ffff 61626364" },
        { "integrity of another length", "0001 0008" HEAD
          "00080004 61626364" },
        { "a fingerprint that is not the last", "0001 000c" HEAD
          "80280004 61626364 80220000" },
        { "a fingerprint of another length", "0001 0004" HEAD "80280000" },
        { "a wrong fingerprint", "0001 0008" HEAD "80280004 61626364" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_rc(parse(&m, cases[i].text), RS_E_BAD_REQUEST, cases[i].name);
    }

    is_rc(parse(&m, "0001 0024" HEAD "80220000 00080014" MAC
                "00060001 61000000"), RS_OK, "behind the integrity");
    ok(rs_stun_attr(&m, RS_STUN_A_SOFTWARE, &s) && s.len == 0, "one before");
    ok(!rs_stun_attr(&m, RS_STUN_A_USERNAME, &s), "is not looked at");

    is_rc(parse(&m, "0111 0008" HEAD "00090004 00000701"), RS_OK, "a code");
    ok(!rs_stun_attr_error(&m, &code, &s), "of 701");
    is_rc(parse(&m, "0111 0008" HEAD "00090004 00000464"), RS_OK, "a code");
    ok(!rs_stun_attr_error(&m, &code, &s), "of 400 + 100");
    is_rc(parse(&m, "0111 0008" HEAD "00090003 00000400"), RS_OK, "a code");
    ok(!rs_stun_attr_error(&m, &code, &s), "of three bytes");
}


static void
test_many(void)
{
    size_t         i;
    uint8_t        out[512];
    rs_buf_t       b;
    rs_stun_msg_t  m;

    rs_buf_init(&b, out, sizeof(out));
    rs_stun_begin(&b, RS_STUN_REQUEST, RS_STUN_BINDING,
                  (const uint8_t *) "abcdefghijkl");

    for (i = 0; i < RS_STUN_ATTRS_MAX; i++) {
        rs_stun_put(&b, RS_STUN_A_SOFTWARE, RS_STR(""));
    }

    is_rc(rs_stun_parse(rs_buf_get(&b), &m), RS_OK, "as many as may be");
    rs_stun_put(&b, RS_STUN_A_SOFTWARE, RS_STR(""));
    is_rc(rs_stun_parse(rs_buf_get(&b), &m), RS_E_BAD_REQUEST, "one more");
}


static void
test_frames(void)
{
    size_t           i, n;
    rs_str_t         s, cut;
    rs_stun_frame_t  f;

    s = hex("4001 0005 68656c6c6f 000000 " RESPONSE4);

    for (n = 0; n < 12; n++) {
        cut = (rs_str_t) { s.data, n };

        if (!ok(rs_stun_frame(cut, 1, &f) == RS_AGAIN
                && f.size == (n < 4 ? 4 : 12), "%zu bytes of a stream", n))
        {
            break;
        }
    }

    is_rc(rs_stun_frame(s, 1, &f), RS_OK, "ChannelData in a stream");
    is_int(f.channel, 0x4001, "its channel");
    is_int(f.size, 12, "with padding");
    is_str(f.body, "hello", "its data");

    s.data += 12;
    s.len -= 12;
    is_rc(rs_stun_frame(s, 1, &f), RS_OK, "a message behind it");
    ok(f.channel == 0 && rs_str_eq(f.body, s) && f.size == s.len, "whole");
    cut = (rs_str_t) { s.data, s.len - 1 };
    is_rc(rs_stun_frame(cut, 1, &f), RS_AGAIN, "a byte is missing");
    is_int(f.size, s.len, "what is needed");
    is_rc(rs_stun_frame(cut, 0, &f), RS_E_BAD_REQUEST, "in a datagram");
    is_rc(rs_stun_frame(s, 0, &f), RS_OK, "a message in a datagram");

    s = hex("4fff 0005 68656c6c6f 00000000");

    for (i = 8; i <= 13; i++) {
        cut = (rs_str_t) { s.data, i };
        is_rc(rs_stun_frame(cut, 0, &f),
              i < 9 || i > 12 ? RS_E_BAD_REQUEST : RS_OK,
              "ChannelData in a datagram, and padding");
    }

    is_rc(rs_stun_frame(hex("4000 0000"), 0, &f), RS_OK, "no data");
    ok(f.channel == 0x4000 && f.body.len == 0 && f.size == 4, "of no bytes");
    is_rc(rs_stun_frame(hex("5000 0000"), 1, &f), RS_E_BAD_REQUEST,
          "a channel there is not");
    is_rc(rs_stun_frame(hex("8000 0000"), 1, &f), RS_E_BAD_REQUEST, "RTP");
    is_rc(rs_stun_frame(hex("0001 0003"), 1, &f), RS_E_BAD_REQUEST,
          "a message of an odd length");
    is_rc(rs_stun_frame(hex("0001 fffc"), 1, &f), RS_AGAIN, "the longest");
    is_int(f.size, RS_STUN_FRAME_MAX, "is bounded");

    rs_stun_channel_header(bytes, 0x4abc, 0x1234);
    ok(memcmp(bytes, "\x4a\xbc\x12\x34", 4) == 0, "a header");
}


int
main(void)
{
    test_request();
    test_responses();
    test_long_term();
    test_write();
    test_refused();
    test_many();
    test_frames();

    return tap_done();
}
