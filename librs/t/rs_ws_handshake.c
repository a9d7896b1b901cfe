
/*
 * Copyright (C) rs-gateway contributors
 *
 * RFC 6455, 1.3 and 4.2, and origins.
 */


#include "tap.h"
#include "rs_ws_handshake.h"


static void test_key(void);
static void test_tokens(void);
static void test_protocols(void);
static void test_origin_syntax(void);
static void test_origin_match(void);


static void
test_key(void)
{
    char    accept[RS_WS_ACCEPT_LEN];
    size_t  i;

    static const char  *bad[] = {
        "", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ==\n", " dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25jZSE=",
        "dGhlIHNhbXBsZSBub25jZSEh", "dGhlIHNhbXBsZSBub25_ZQ==",
        "dGhlIHNhbXBsZSBub24===="
    };

    is_rc(rs_ws_key_check(RS_STR("dGhlIHNhbXBsZSBub25jZQ==")), RS_OK,
          "the key of 1.3");
    is_rc(rs_ws_accept(RS_STR("dGhlIHNhbXBsZSBub25jZQ=="), accept), RS_OK,
          "its accept");
    is_str((rs_str_t) { (uint8_t *) accept, sizeof(accept) },
           "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "is that of 1.3");
    is_rc(rs_ws_accept(RS_STR("dGhlIHNhbXBsZSBub25jZQ==x"), accept),
          RS_E_INTERNAL, "no room for a key that was not checked");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(rs_ws_key_check(rs_str(bad[i])) == RS_E_BAD_HANDSHAKE,
           "key %zu is refused", i);
    }

    is_rc(rs_ws_version_check(RS_STR("13")), RS_OK, "version 13");
    is_rc(rs_ws_version_check(RS_STR("8")), RS_E_UPGRADE_REQUIRED, "not 8");
    is_rc(rs_ws_version_check(RS_STR("13, 8")), RS_E_UPGRADE_REQUIRED,
          "no list");
    is_rc(rs_ws_version_check(RS_STR("")), RS_E_UPGRADE_REQUIRED, "not none");
}


static void
test_tokens(void)
{
    rs_str_t  upgrade;

    upgrade = RS_STR("upgrade");

    ok(rs_ws_has_token(RS_STR("Upgrade"), upgrade), "alone, any case");
    ok(rs_ws_has_token(RS_STR("keep-alive, Upgrade"), upgrade), "in a list");
    ok(rs_ws_has_token(RS_STR("a,\t UPGRADE \t,b"), upgrade), "with blanks");
    ok(rs_ws_has_token(RS_STR(",,upgrade"), upgrade), "after empty ones");
    ok(!rs_ws_has_token(RS_STR("upgrades"), upgrade), "not a longer one");
    ok(!rs_ws_has_token(RS_STR("up grade"), upgrade), "not two words");
    ok(!rs_ws_has_token(RS_STR("x-upgrade, no"), upgrade), "not a part");
    ok(!rs_ws_has_token(RS_STR(""), upgrade), "not in nothing");
}


static void
test_protocols(void)
{
    char               many[64];
    size_t             i;
    rs_ws_protocols_t  p;

    static const char  *bad[] = {
        "rs.v1, rs.v1", "rs.ticket.a, rs.ticket.b", "rs.ticket.a, rs.resume.b",
        "rs.resume.b,rs.resume.b", "rs v1", "rs.v1;q=1", "\"rs.v1\"",
        "rs.v1, rs.ticket.a/b", "rs.v1, \xc3\xbc", "rs.v1, a=b",
        "rs.nonce.a, rs.nonce.b", "rs.nonce., rs.nonce.b",
        "rs.side.client, rs.side.host", "rs.side.host, rs.side.host",
        "rs.side.", "rs.side.Host", "rs.side.hosts"
    };

    memset(&p, 0, sizeof(p));
    is_rc(rs_ws_protocols(RS_STR("rs.v1, rs.ticket.default.abc"), &p), RS_OK,
          "a ticket");
    ok(p.rs_v1, "rs.v1 was there");
    is_int(p.kind, RS_WS_CRED_TICKET, "its kind");
    is_str(p.credential, "default.abc", "and what follows");

    memset(&p, 0, sizeof(p));
    is_rc(rs_ws_protocols(RS_STR("rs.resume.d.a.b.c.1-2"), &p), RS_OK,
          "one header each");
    is_rc(rs_ws_protocols(RS_STR(" chat ,\trs.v1"), &p), RS_OK, "the other");
    ok(p.rs_v1 && p.kind == RS_WS_CRED_RESUME, "both are seen");
    is_str(p.credential, "d.a.b.c.1-2", "the resume token");

    is_rc(rs_ws_protocols(RS_STR("rs.ticket.x"), &p), RS_E_BAD_HANDSHAKE,
          "a second credential in another header");

    memset(&p, 0, sizeof(p));
    is_rc(rs_ws_protocols(RS_STR("rs.v2, RS.V1, rs.v11"), &p), RS_OK,
          "others are ignored");
    ok(!p.rs_v1 && p.kind == RS_WS_CRED_NONE, "and are not ours");

    memset(&p, 0, sizeof(p));
    is_rc(rs_ws_protocols(RS_STR(", rs.v1 ,,rs.ticket."), &p), RS_OK,
          "empty entries");
    ok(p.kind == RS_WS_CRED_TICKET && p.credential.len == 0,
       "an empty ticket is one, to be refused after the upgrade");

    memset(&p, 0, sizeof(p));
    is_rc(rs_ws_protocols(RS_STR("rs.v1, rs.nonce.AAEC_w"), &p), RS_OK,
          "a device's nonce");
    is_str(p.nonce, "AAEC_w", "what follows");
    ok(p.kind == RS_WS_CRED_NONE, "it is no credential");
    ok(p.side == RS_WS_SIDE_NONE, "nor a side");

    memset(&p, 0, sizeof(p));
    is_rc(rs_ws_protocols(RS_STR("rs.v1, rs.ticket.t, rs.side.host"), &p),
          RS_OK, "the host's leg of a pipe");
    ok(p.side == RS_WS_SIDE_HOST && p.kind == RS_WS_CRED_TICKET,
       "its side and ticket");
    is_str(rs_str(rs_ws_side_name(p.side)), "host", "the side's name");

    memset(&p, 0, sizeof(p));
    is_rc(rs_ws_protocols(RS_STR("rs.side.client"), &p), RS_OK, "the other");
    ok(p.side == RS_WS_SIDE_CLIENT, "its side");
    is_str(rs_str(rs_ws_side_name(p.side)), "client", "the side's name");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memset(&p, 0, sizeof(p));
        ok(rs_ws_protocols(rs_str(bad[i]), &p) == RS_E_BAD_HANDSHAKE,
           "refused: %s", bad[i]);
    }

    memset(many, 'a', sizeof(many));

    for (i = 1; i < 33; i += 2) {
        many[i] = ',';
    }

    memset(&p, 0, sizeof(p));
    is_rc(rs_ws_protocols((rs_str_t) { (uint8_t *) many, 31 }, &p), RS_OK,
          "16 entries");
    memset(&p, 0, sizeof(p));
    is_rc(rs_ws_protocols((rs_str_t) { (uint8_t *) many, 33 }, &p),
          RS_E_BAD_HANDSHAKE, "17 entries");
}


static void
test_origin_syntax(void)
{
    size_t  i;

    static const char  *good[] = {
        "https://a.example", "http://localhost:8080", "HTTPS://A.example",
        "https://[::1]:8443", "https://127.0.0.1", "moz-extension://a-b-c",
        "app+x.1://host"
    };
    static const char  *bad[] = {
        "", "null", "any", "https", "https:", "https:/", "https://",
        "https:///", "https://a.example/", "https://a.example/x",
        "https://a.example?x", "https://a.example#x", "https://u@a.example",
        "https://a.example:", "https://a.example:0", "https://*.example",
        " https://a.example", "https://a.example ", "https:// a.example",
        "1ttp://a.example", "ht_tp://a.example", "://a.example",
        "//a.example", "a.example", "https://a.example,https://b.example",
        "https://a.example https://b.example"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        is_rc(rs_ws_origin_check(rs_str(good[i])), RS_OK, good[i]);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(rs_ws_origin_check(rs_str(bad[i])) == RS_E_INVALID_VALUE,
           "no origin: \"%s\"", bad[i]);
    }
}


static void
test_origin_match(void)
{
    size_t    i;
    rs_str_t  list[3];

    static const char  *in[] = {
        "https://a.example", "HTTPS://A.EXAMPLE", "https://a.example:443",
        "http://b.example:8080", "http://[::1]", "http://[::1]:80"
    };
    static const char  *out[] = {
        "http://a.example", "https://a.example:444", "https://a.example.evil",
        "https://evil.a.example", "https://xa.example", "https://a",
        "https://a.example@evil.example", "https://a.example/", "null", "",
        "http://b.example", "http://b.example:80", "https://b.example:8080",
        "http://[::2]", "https://a.example https://a.example"
    };

    list[0] = RS_STR("https://a.example");
    list[1] = RS_STR("http://b.example:8080");
    list[2] = RS_STR("http://[::1]:80");

    for (i = 0; i < sizeof(in) / sizeof(in[0]); i++) {
        ok(rs_ws_origin_match(rs_str(in[i]), list, 3), "on the list: %s",
           in[i]);
    }

    for (i = 0; i < sizeof(out) / sizeof(out[0]); i++) {
        ok(!rs_ws_origin_match(rs_str(out[i]), list, 3), "not on it: \"%s\"",
           out[i]);
    }

    list[0] = RS_STR("null");
    ok(!rs_ws_origin_match(RS_STR("null"), list, 1), "null is nobody's");
    ok(!rs_ws_origin_match(RS_STR("https://a.example"), list, 0),
       "an empty list has none");

    ok(rs_ws_origin_same(RS_STR("https://A.example"), RS_STR("https"),
                         RS_STR("a.example")), "the page's own host");
    ok(rs_ws_origin_same(RS_STR("https://a.example"), RS_STR("https"),
                         RS_STR("a.example:443")), "with its port");
    ok(rs_ws_origin_same(RS_STR("https://a.example:8443"), RS_STR("https"),
                         RS_STR("a.example:8443")), "another port");
    ok(!rs_ws_origin_same(RS_STR("https://a.example"), RS_STR("https"),
                          RS_STR("a.example:8443")), "not another port");
    ok(!rs_ws_origin_same(RS_STR("http://a.example"), RS_STR("https"),
                          RS_STR("a.example")), "not another scheme");
    ok(!rs_ws_origin_same(RS_STR("https://b.example"), RS_STR("https"),
                          RS_STR("a.example")), "not another host");
    ok(!rs_ws_origin_same(RS_STR("https://a.example"), RS_STR("https"),
                          RS_STR("a.example/")), "not a broken Host");
    ok(!rs_ws_origin_same(RS_STR("null"), RS_STR("https"),
                          RS_STR("a.example")), "not null");
}


int
main(void)
{
    test_key();
    test_tokens();
    test_protocols();
    test_origin_syntax();
    test_origin_match();

    return tap_done();
}
