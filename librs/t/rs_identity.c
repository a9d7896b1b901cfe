
/*
 * Copyright (C) rs-gateway contributors
 *
 * The fleet's identity: the proof of a challenge, statements and chains of
 * them, and what must not be followed.
 */


#include "tap.h"
#include "rs_identity.h"


#define NONCE_A  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define NONCE_B  "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA"


static uint8_t                  seed[6][32];
static uint8_t                  key[6][32];
static rs_identity_statement_t  st[5];           /* from key i to i + 1 */
static rs_json_error_t          error;


static void
make_keys(void)
{
    size_t  i;

    for (i = 0; i < 6; i++) {
        memset(seed[i], (int) (i + 1), 32);
        (void) rs_ed25519_public(seed[i], key[i]);
    }

    for (i = 0; i < 5; i++) {
        memcpy(st[i].key, key[i + 1], 32);
        st[i].created_at = 1790000000 + (int64_t) i;
        is_rc(rs_identity_statement_sign(seed[i], &st[i]), RS_OK, "signed");
        ok(memcmp(st[i].old, key[i], 32) == 0, "by the old key");
    }
}


static void
test_proof(void)
{
    uint8_t   sig[64];
    rs_str_t  host, a, b;

    host = RS_STR("support.example.net");
    a = RS_STR(NONCE_A);
    b = RS_STR(NONCE_B);

    is_rc(rs_identity_sign(seed[0], host, a, b, sig), RS_OK, "signed");
    is_rc(rs_identity_verify(key[0], host, a, b, sig), RS_OK, "verified");

    /* what is signed is part of the protocol */

    is_rc(rs_ed25519_verify(key[0], "rs-gateway-v1\0support.example.net\0"
                            NONCE_A "\0" NONCE_B, 14 + 20 + 44 + 43, sig),
          RS_OK, "over the bytes that the protocol names");

    is_rc(rs_identity_verify(key[1], host, a, b, sig), RS_E_UNAUTHENTICATED,
          "another key");
    is_rc(rs_identity_verify(key[0], RS_STR("evil.example.net"), a, b, sig),
          RS_E_UNAUTHENTICATED, "another host");
    is_rc(rs_identity_verify(key[0], host, b, b, sig), RS_E_UNAUTHENTICATED,
          "another nonce of the device");
    is_rc(rs_identity_verify(key[0], host, a, a, sig), RS_E_UNAUTHENTICATED,
          "another nonce of the challenge");
    is_rc(rs_identity_verify(key[0], host, b, a, sig), RS_E_UNAUTHENTICATED,
          "both the other way round");

    sig[63] ^= 1;
    is_rc(rs_identity_verify(key[0], host, a, b, sig), RS_E_UNAUTHENTICATED,
          "a changed signature");

    is_rc(rs_identity_sign(seed[0], RS_STR(""), a, b, sig),
          RS_E_INVALID_VALUE, "no host");
    is_rc(rs_identity_sign(seed[0], RS_STR("a\0b"), a, b, sig),
          RS_E_INVALID_VALUE, "a zero in it");
    is_rc(rs_identity_sign(seed[0], host, RS_STR("AAEC"), b, sig),
          RS_E_INVALID_VALUE, "a short nonce");
    is_rc(rs_identity_verify(key[0], host, a, RS_STR(""), sig),
          RS_E_INVALID_VALUE, "none");
    is_rc(rs_identity_nonce_check(a), RS_OK, "a nonce");
    is_rc(rs_identity_nonce_check(RS_STR(NONCE_A "A")), RS_E_INVALID_VALUE,
          "33 bytes");
}


static void
test_statement(void)
{
    char                     buf[200];
    size_t                   n, len;
    rs_identity_statement_t  bad;

    is_rc(rs_identity_statement_verify(&st[0]), RS_OK, "a statement");

    len = 0;
    memcpy(buf, "rs-identity-v1", 15);
    len = 15;
    len += rs_base64url_encode(buf + len, key[0], 32);
    buf[len++] = '\0';
    len += rs_base64url_encode(buf + len, key[1], 32);
    buf[len++] = '\0';
    n = (size_t) snprintf(buf + len, sizeof(buf) - len, "1790000000");
    is_rc(rs_ed25519_verify(key[0], buf, len + n, st[0].signature), RS_OK,
          "over the bytes that the protocol names");

    bad = st[0];
    bad.created_at++;
    is_rc(rs_identity_statement_verify(&bad), RS_E_UNAUTHENTICATED,
          "another time");

    bad = st[0];
    memcpy(bad.key, key[3], 32);
    is_rc(rs_identity_statement_verify(&bad), RS_E_UNAUTHENTICATED,
          "another new key");

    bad = st[0];
    memcpy(bad.old, key[3], 32);
    is_rc(rs_identity_statement_verify(&bad), RS_E_UNAUTHENTICATED,
          "another old key");
}


static void
test_follow(void)
{
    rs_identity_statement_t  list[6];

    is_rc(rs_identity_follow(key[0], key[0], NULL, 0), RS_OK, "the same");
    is_rc(rs_identity_follow(key[0], key[1], st, 5), RS_OK, "one step");
    is_rc(rs_identity_follow(key[0], key[5], st, 5), RS_OK, "five");
    is_rc(rs_identity_follow(key[2], key[4], st, 5), RS_OK, "within");
    is_rc(rs_identity_follow(key[0], key[2], st, 1), RS_E_UNAUTHENTICATED,
          "a statement too few");
    is_rc(rs_identity_follow(key[1], key[0], st, 5), RS_E_UNAUTHENTICATED,
          "never back");
    is_rc(rs_identity_follow(key[0], key[1], NULL, 0), RS_E_UNAUTHENTICATED,
          "no statements");

    list[0] = st[1];
    list[1] = st[0];
    is_rc(rs_identity_follow(key[0], key[2], list, 2), RS_OK,
          "in another order");

    list[0] = st[0];
    list[0].signature[0] ^= 1;
    list[1] = st[1];
    is_rc(rs_identity_follow(key[0], key[2], list, 2), RS_E_UNAUTHENTICATED,
          "one of them is not good");

    list[2] = st[0];
    is_rc(rs_identity_follow(key[0], key[2], list, 3), RS_OK,
          "beside the good one it does no harm");

    /* a -> b -> a, and c is asked for */

    list[0] = st[0];
    memcpy(list[1].key, key[0], 32);
    list[1].created_at = 1;
    (void) rs_identity_statement_sign(seed[1], &list[1]);
    is_rc(rs_identity_follow(key[0], key[2], list, 2), RS_E_UNAUTHENTICATED,
          "a circle ends");
}


static void
test_chain(void)
{
    rs_identity_statement_t  list[3];

    is_rc(rs_identity_chain(st, 0, key[0], &error), RS_OK, "no statements");
    is_rc(rs_identity_chain(st, 5, key[5], &error), RS_OK, "all of them");
    is_rc(rs_identity_chain(st, 4, key[5], &error), RS_E_INVALID_VALUE,
          "not at the identity");
    is_str(rs_str(error.text), "the last statement leads to another key than "
           "the identity", "the sentence");

    list[0] = st[0];
    list[1] = st[2];
    is_rc(rs_identity_chain(list, 2, key[3], &error), RS_E_INVALID_VALUE,
          "a gap");
    is_str(rs_str(error.text), "statement 2 does not continue the one before:"
           " its \"old\" is another key than that one's \"new\"", "where");

    list[1] = st[1];
    list[1].signature[5] ^= 1;
    is_rc(rs_identity_chain(list, 2, key[2], &error), RS_E_UNAUTHENTICATED,
          "not signed");
    is_str(rs_str(error.text), "statement 2 is not signed by the key its "
           "\"old\" names", "which one");
}


static void
bad_file(const char *text, const char *want)
{
    size_t                   n;
    rs_identity_statement_t  list[RS_IDENTITY_STATEMENTS_MAX];

    ok(rs_identity_statements(rs_str(text), list, &n, &error) != RS_OK,
       "refused");
    is_str(rs_str(error.text), want, "why");
}


static void
test_file(void)
{
    char                     line[RS_IDENTITY_JSON_MAX + 10];
    uint8_t                  text[RS_IDENTITY_FILE_MAX + 1];
    size_t                   i, n;
    rs_buf_t                 b;
    rs_identity_statement_t  list[RS_IDENTITY_STATEMENTS_MAX];

    rs_buf_init(&b, text, sizeof(text));
    rs_buf_cstr(&b, "\n");

    for (i = 0; i < 5; i++) {
        rs_identity_statement_write(&b, &st[i]);
        rs_buf_cstr(&b, (i % 2) ? "\r\n" : "\n\n");
    }

    is_rc(rs_identity_statements(rs_buf_get(&b), list, &n, &error), RS_OK,
          "a file");
    is_int(n, 5, "five statements");
    ok(memcmp(list, st, sizeof(st)) == 0, "as they were written");

    rs_buf_init(&b, text, sizeof(text));

    for (i = 0; i < RS_IDENTITY_STATEMENTS_MAX + 1; i++) {
        rs_identity_statement_write(&b, &st[0]);
        rs_buf_char(&b, '\n');
    }

    is_rc(rs_identity_statements(rs_buf_get(&b), list, &n, &error),
          RS_E_INVALID_VALUE, "one too many");
    is_str(rs_str(error.text), "line 17: more than 16 statements: remove the "
           "oldest ones", "and the cure");

    memset(text, '\n', sizeof(text));
    is_rc(rs_identity_statements((rs_str_t) { text, sizeof(text) }, list, &n,
                                 &error), RS_E_INVALID_VALUE, "too large");

    bad_file("{}", "line 1: old is required and must be an Ed25519 public "
             "key, base64url of 32 bytes");
    bad_file("\n[]", "line 2: the JSON must be an object, {...}");
    bad_file("{", "line 1: the JSON cannot be read at byte 1: it ends too "
             "early");

    rs_buf_init(&b, line, sizeof(line) - 1);
    rs_identity_statement_write(&b, &st[0]);
    line[b.len - 1] = '\0';
    snprintf((char *) text, sizeof(text), "%s,\"x\":1}", line);
    bad_file((char *) text, "line 1: the field \"x\" is not known here: "
             "remove it");

    *strstr(line, "created_at") = 'x';
    snprintf((char *) text, sizeof(text), "%s}", line);
    bad_file((char *) text, "line 1: the field \"xreated_at\" is not known "
             "here: remove it");

    /* a key of low order signs what anybody likes */

    memset(list[0].old, 0, 32);
    list[0].key[0] = 0;
    memcpy(list[0].key, key[0], 32);
    list[0].created_at = 1;
    rs_buf_init(&b, text, sizeof(text));
    rs_identity_statement_write(&b, &list[0]);
    text[b.len] = '\0';
    bad_file((char *) text, "line 1: old is required and must be an Ed25519 "
             "public key, base64url of 32 bytes");
}


static rs_err_e
read_offer(const char *text, rs_identity_offer_t *offer)
{
    json_t    *obj;
    rs_err_e   rc;

    rc = rs_json_load(text, strlen(text), 100000, &obj, &error);

    if (rc == RS_OK) {
        rc = rs_identity_offer_read(json_object_get(obj, "i"), offer, &error);
        json_decref(obj);
    }

    return rc;
}


static void
test_offer(void)
{
    char                 text[8192];
    rs_buf_t             b;
    rs_identity_offer_t  in, out;

    memset(&in, 0, sizeof(in));
    memcpy(in.key, key[2], 32);
    memset(in.signature, 7, 64);
    memcpy(in.statements, st, 2 * sizeof(st[0]));
    in.n = 2;

    rs_buf_init(&b, text, sizeof(text));
    rs_buf_cstr(&b, "{\"i\":");
    rs_identity_offer_write(&b, &in);
    rs_buf_cstr(&b, "}");
    rs_buf_char(&b, '\0');

    memset(&out, 0, sizeof(out));
    is_rc(read_offer(text, &out), RS_OK, "an offer");
    ok(memcmp(&in, &out, sizeof(in)) == 0, "as it was");

    in.n = 0;
    rs_buf_init(&b, text, sizeof(text));
    rs_buf_cstr(&b, "{\"i\":");
    rs_identity_offer_write(&b, &in);
    b.len--;
    rs_buf_cstr(&b, ",\"later\":[1]}}");
    rs_buf_char(&b, '\0');
    is_rc(read_offer(text, &out), RS_OK,
          "without statements, with what is not known yet");
    is_int(out.n, 0, "none");

    *strstr(text, "signature") = 'S';
    is_rc(read_offer(text, &out), RS_E_INVALID_VALUE, "no signature");
    is_rc(read_offer("{\"i\":[]}", &out), RS_E_INVALID_VALUE, "no object");
    is_rc(read_offer("{}", &out), RS_E_INVALID_VALUE, "nothing");

    in.n = RS_IDENTITY_STATEMENTS_MAX;
    rs_buf_init(&b, text, sizeof(text));
    rs_buf_cstr(&b, "{\"i\":");
    rs_identity_offer_write(&b, &in);
    ok(!b.overflow, "all statements fit");
}


/* the example of the protocol, which is a real one */

static void
test_example(void)
{
    json_t               *msg;
    rs_str_t              host, nonce;
    rs_identity_offer_t   offer;

    msg = json_load_file(tap_path("docs/protocol/messages/"
                                  "agent.server.challenge.identity.json"),
                         0, NULL);

    is_rc(rs_identity_offer_read(json_object_get(msg, "identity"), &offer,
                                 &error), RS_OK, "the example");

    host = rs_str(json_string_value(json_object_get(msg, "host")));
    nonce = rs_str(json_string_value(json_object_get(msg, "nonce")));

    is_rc(rs_identity_verify(offer.key, host, RS_STR(NONCE_B), nonce,
                             offer.signature), RS_OK, "its signature");
    is_rc(rs_identity_follow(key[0], offer.key, offer.statements, offer.n),
          RS_OK, "its statement");

    json_decref(msg);
}


int
main(void)
{
    make_keys();
    test_proof();
    test_statement();
    test_follow();
    test_chain();
    test_file();
    test_offer();
    test_example();

    return tap_done();
}
