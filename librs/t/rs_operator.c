
/*
 * Copyright (C) rs-gateway contributors
 *
 * Operator and device: the vectors that the console's tests read too, and
 * what is refused.
 */


#include "tap.h"
#include "rs_devkey.h"
#include "rs_operator.h"

#include <openssl/err.h>
#include <openssl/evp.h>


static rs_str_t text_of(const json_t *obj, const char *name);
static json_t *proof_of(const json_t *v);
static rs_operator_line_t line_of(const json_t *v);
static void test_fingerprints(const json_t *v);
static void test_operator(const json_t *v);
static void test_device(const json_t *v);
static void test_lines(const json_t *v);
static void test_proofs(const json_t *v);


/* may have a NUL in it */

static rs_str_t
text_of(const json_t *obj, const char *name)
{
    const json_t  *s;

    s = json_object_get(obj, name);

    return (rs_str_t) { (const uint8_t *) json_string_value(s),
                        json_string_length(s) };
}


static json_t *
proof_of(const json_t *v)
{
    json_t  *op;

    op = json_object_get(v, "operator");

    return json_pack("{s:s, s:O, s:O}", "id_token", "a.b.c",
                     "key", json_object_get(op, "key"),
                     "signature", json_object_get(op, "signature"));
}


static rs_operator_line_t
line_of(const json_t *v)
{
    rs_operator_line_t  line;

    line.session_id = text_of(v, "session_id");
    line.device_id = text_of(v, "device_id");
    line.participant_id = text_of(v, "participant_id");
    line.pc = (uint64_t) json_integer_value(json_object_get(v, "pc"));
    line.offer = text_of(v, "offer_fingerprint");
    line.answer = text_of(v, "answer_fingerprint");
    line.verified = 0;

    return line;
}


static void
test_fingerprints(const json_t *v)
{
    char      got[RS_OPERATOR_FINGERPRINT_LEN + 1];
    size_t    i;
    json_t   *c;
    uint8_t   digest[RS_OPERATOR_DIGEST_LEN];
    rs_err_e  rc;

    got[RS_OPERATOR_FINGERPRINT_LEN] = '\0';

    json_array_foreach(json_object_get(v, "fingerprints"), i, c) {
        rc = rs_operator_fingerprint(text_of(c, "sdp"), got);

        if (json_is_null(json_object_get(c, "fingerprint"))) {
            is_rc(rc, RS_E_INVALID_VALUE,
                  json_string_value(json_object_get(c, "name")));
            continue;
        }

        is_rc(rc, RS_OK, json_string_value(json_object_get(c, "name")));
        is_str(text_of(c, "fingerprint"), got, "its value");
    }

    ok(i > 20, "there are descriptions");

    for (i = 0; i < sizeof(digest); i++) {
        digest[i] = (uint8_t) (0xf8 + i);
    }

    rs_operator_fingerprint_text(digest, got);
    is_str(rs_str(got), "sha-256 F8:F9:FA:FB:FC:FD:FE:FF:00:01:02:03:04:05:"
           "06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17",
           "of a digest");
}


static void
test_operator(const json_t *v)
{
    char                  thumb[RS_OPERATOR_THUMBPRINT_LEN];
    size_t                n, len;
    json_t               *op, *obj;
    uint8_t               got[RS_OPERATOR_SIGNED_MAX];
    uint8_t               want[RS_OPERATOR_SIGNED_MAX];
    rs_json_error_t       err;
    rs_operator_line_t    line, other;
    rs_operator_proof_t   proof;

    op = json_object_get(v, "operator");
    line = line_of(v);

    n = rs_operator_signed(got, &line);
    len = tap_hex(want, sizeof(want),
                  json_string_value(json_object_get(op, "signed_hex")));
    ok(n == len && memcmp(got, want, n) == 0, "what the operator signs");

    obj = proof_of(v);
    is_rc(rs_operator_proof_read(obj, &proof, &err), RS_OK, "the proof");
    is_str(proof.id_token, "a.b.c", "its token");

    rs_operator_thumbprint(&proof, thumb);
    ok(rs_str_eq((rs_str_t) { (uint8_t *) thumb, sizeof(thumb) },
                 text_of(op, "thumbprint")), "its thumbprint");

    is_rc(rs_operator_verify(&proof, &line), RS_OK, "its signature");

    other = line;
    other.pc++;
    is_rc(rs_operator_verify(&proof, &other), RS_E_UNAUTHENTICATED,
          "of another connection");

    other = line;
    other.session_id = RS_STR("ses_aaaaaaaaaaaaaaaaaaaaaaaaab");
    is_rc(rs_operator_verify(&proof, &other), RS_E_UNAUTHENTICATED,
          "of another session");

    other = line;
    other.device_id = RS_STR("dev_bbbbbbbbbbbbbbbbbbbbbbbbbc");
    is_rc(rs_operator_verify(&proof, &other), RS_E_UNAUTHENTICATED,
          "for another device");

    other = line;
    other.participant_id = RS_STR("par_cccccccccccccccccccccccccd");
    is_rc(rs_operator_verify(&proof, &other), RS_E_UNAUTHENTICATED,
          "of another participant");

    other = line;
    other.offer = line.answer;
    is_rc(rs_operator_verify(&proof, &other), RS_E_UNAUTHENTICATED,
          "of another fingerprint");

    for (n = 0; n < sizeof(proof.signature); n += 21) {
        proof.signature[n] ^= 1;
        is_rc(rs_operator_verify(&proof, &line), RS_E_UNAUTHENTICATED,
              "a changed signature");
        proof.signature[n] ^= 1;
    }

    memset(proof.signature, 0, sizeof(proof.signature));
    is_rc(rs_operator_verify(&proof, &line), RS_E_UNAUTHENTICATED,
          "r = s = 0");
    memset(proof.signature, 0xff, sizeof(proof.signature));
    is_rc(rs_operator_verify(&proof, &line), RS_E_UNAUTHENTICATED,
          "r, s above the order");

    other = line;
    other.pc = 0;
    is_rc(rs_operator_verify(&proof, &other), RS_E_UNAUTHENTICATED,
          "no line at all");

    ok(ERR_peek_error() == 0, "OpenSSL's queue of errors is empty");

    json_decref(obj);
}


static void
test_device(const json_t *v)
{
    char                 text[RS_DEVKEY_SHORT_LEN];
    size_t               n, len;
    json_t              *dev;
    uint8_t              got[RS_OPERATOR_SIGNED_MAX];
    uint8_t              want[RS_OPERATOR_SIGNED_MAX];
    uint8_t              seed[RS_DEVKEY_KEY_LEN], raw[RS_DEVKEY_KEY_LEN];
    uint8_t              sig[RS_DEVKEY_SIGNATURE_LEN];
    EVP_PKEY            *pkey;
    EVP_MD_CTX          *ctx;
    rs_operator_line_t   line;

    dev = json_object_get(v, "device");
    line = line_of(v);

    n = rs_operator_device_signed(got, &line);
    len = tap_hex(want, sizeof(want),
                  json_string_value(json_object_get(dev, "signed_hex")));
    ok(n == len && memcmp(got, want, n) == 0, "what the device signs");

    line.verified = 1;
    n = rs_operator_device_signed(got, &line);
    len = tap_hex(want, sizeof(want),
                  json_string_value(json_object_get(dev, "verified_hex")));
    ok(n == len && memcmp(got, want, n) == 0, "of a verified operator");
    ok(rs_operator_signed(got, &line) != 0
       && rs_operator_signed(got, &line) < n, "who does not say so himself");

    line.verified = 0;
    n = rs_operator_device_signed(got, &line);

    (void) tap_hex(seed, sizeof(seed),
                   json_string_value(json_object_get(dev, "seed_hex")));
    is_rc(rs_devkey_parse(text_of(dev, "public_key"), raw), RS_OK,
          "its key");

    rs_devkey_short(raw, text);
    ok(rs_str_eq((rs_str_t) { (uint8_t *) text, sizeof(text) },
                 text_of(dev, "short_fingerprint")),
       "as people compare it");

    ok(rs_base64url_decode(sig, sizeof(sig), text_of(dev, "signature"),
                           &len), "a signature");

    pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed,
                                        sizeof(seed));
    ctx = EVP_MD_CTX_new();
    ok(EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1
       && EVP_DigestVerify(ctx, sig, sizeof(sig), got, n) == 1,
       "which verifies");
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
}


static void
test_lines(const json_t *v)
{
    char                 low[RS_OPERATOR_FINGERPRINT_LEN];
    uint8_t              got[RS_OPERATOR_SIGNED_MAX];
    rs_operator_line_t   line;

    line = line_of(v);
    line.pc = RS_OPERATOR_PC_MAX;
    is_int(rs_operator_device_signed(got, &line),
           12 + 3 * 31 + 1 + 10 + 1 + 2 * RS_OPERATOR_FINGERPRINT_LEN + 1,
           "the longest");
    line.pc++;
    is_int(rs_operator_signed(got, &line), 0, "a number above");

    line = line_of(v);
    line.session_id = line.device_id;
    is_int(rs_operator_signed(got, &line), 0, "a session that is a device");

    line = line_of(v);
    line.device_id = RS_STR("dev_bbbbbbbbbbbbbbbbbbbbbbbbb\0");
    is_int(rs_operator_signed(got, &line), 0, "a zero byte in the device");

    line = line_of(v);
    line.participant_id.len--;
    is_int(rs_operator_signed(got, &line), 0, "a cut participant");

    line = line_of(v);
    memcpy(low, line.offer.data, sizeof(low));
    low[8] = 'a';
    line.offer.data = (uint8_t *) low;
    is_int(rs_operator_signed(got, &line), 0, "a fingerprint in lower case");

    line = line_of(v);
    line.answer.len = 0;
    is_int(rs_operator_device_signed(got, &line), 0, "no answer");
    ok(rs_operator_signed(got, &line) != 0, "which the operator has not");
}


/* who signs for others signs only what is of the session they have */

static void
test_of(const json_t *v)
{
    size_t               n;
    uint8_t              got[RS_OPERATOR_SIGNED_MAX + 1];
    rs_operator_line_t   line;

    line = line_of(v);
    memset(got, 0, sizeof(got));
    n = rs_operator_device_signed(got, &line);

    ok(rs_operator_device_of((rs_str_t) { got, n }, line.session_id,
                             line.device_id), "an answer of the session");
    ok(!rs_operator_device_of((rs_str_t) { got, 12 + 1 + 2 * 31 },
                              line.session_id, line.device_id),
       "its beginning alone");
    ok(!rs_operator_device_of((rs_str_t) { got, sizeof(got) },
                              line.session_id, line.device_id), "too long");
    ok(!rs_operator_device_of((rs_str_t) { got, n },
                              RS_STR("ses_zzzzzzzzzzzzzzzzzzzzzzzzzz"),
                              line.device_id), "of another session");
    ok(!rs_operator_device_of((rs_str_t) { got, n }, line.session_id,
                              RS_STR("dev_zzzzzzzzzzzzzzzzzzzzzzzzzz")),
       "of another device");
    ok(!rs_operator_device_of((rs_str_t) { got, n }, line.device_id,
                              line.device_id), "a session that is none");

    n = rs_operator_signed(got, &line);
    ok(!rs_operator_device_of((rs_str_t) { got, n }, line.session_id,
                              line.device_id), "what an operator signs");
    ok(!rs_operator_device_of(RS_STR("rs-agent-v1"), line.session_id,
                              line.device_id), "a device's proof");
}


static void
test_proofs(const json_t *v)
{
    char                 *big;
    size_t                i;
    json_t               *obj, *key;
    rs_json_error_t       err;
    rs_operator_proof_t   proof;

    static const struct {
        const char  *pointer;
        const char  *name;
        const char  *value;         /* of the key; NULL: none */
    } bad[] = {
        { "/proof/key/kty", "kty", "RSA" },
        { "/proof/key/kty", "kty", NULL },
        { "/proof/key/crv", "crv", "P-384" },
        { "/proof/key/x", "x", "AA" },
        { "/proof/key/x", "x", NULL },
        { "/proof/key/y", "y", NULL },
        { "/proof/key", "y", "****************************************123" },
        { "/proof/key", "y", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
        { "/proof/key", "x", "__________________________________________8" },
        { "/proof/key/d", "d", "lqHtTrV3b2vq-wW1ahNLFJ_DdWz5AwU9aXgSTzIyn6M" },
        { "/proof/key/kid", "kid", "1" },
        { "/proof/key/jku", "jku", "https://evil.example/" }
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        obj = json_deep_copy(json_object_get(v, "operator"));
        key = json_object_get(obj, "key");

        if (bad[i].value != NULL) {
            json_object_set_new(key, bad[i].name,
                                json_string(bad[i].value));

        } else {
            json_object_del(key, bad[i].name);
        }

        key = json_pack("{s:s, s:O, s:O}", "id_token", "a.b.c", "key", key,
                        "signature", json_object_get(obj, "signature"));

        ok(rs_operator_proof_read(key, &proof, &err) != RS_OK
           && strcmp(err.pointer, bad[i].pointer) == 0,
           "%s = %s: %s: %s", bad[i].name,
           bad[i].value ? bad[i].value : "none", err.pointer, err.text);

        json_decref(key);
        json_decref(obj);
    }

    obj = proof_of(v);
    json_object_set_new(obj, "more", json_true());
    is_rc(rs_operator_proof_read(obj, &proof, &err), RS_E_UNKNOWN_FIELD,
          "another member");
    json_decref(obj);

    obj = proof_of(v);
    json_object_set_new(obj, "signature",
                        json_string("MEUCIQDx0123456789abcdefghijklmnopqrst"
                                    "uvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
                                    "6789+/"));
    is_rc(rs_operator_proof_read(obj, &proof, &err), RS_E_INVALID_VALUE,
          "a signature of another length");
    json_decref(obj);

    big = malloc(RS_OPERATOR_TOKEN_MAX + 1);
    memset(big, 'a', RS_OPERATOR_TOKEN_MAX + 1);
    obj = proof_of(v);
    json_object_set_new(obj, "id_token",
                        json_stringn(big, RS_OPERATOR_TOKEN_MAX));
    is_rc(rs_operator_proof_read(obj, &proof, &err), RS_OK,
          "the longest token");
    json_object_set_new(obj, "id_token",
                        json_stringn(big, RS_OPERATOR_TOKEN_MAX + 1));
    is_rc(rs_operator_proof_read(obj, &proof, &err), RS_E_INVALID_VALUE,
          "one longer");
    json_object_set_new(obj, "id_token", json_string(""));
    is_rc(rs_operator_proof_read(obj, &proof, &err), RS_E_INVALID_VALUE,
          "none");
    json_decref(obj);
    free(big);

    is_rc(rs_operator_proof_read(NULL, &proof, &err), RS_E_INVALID_VALUE,
          "no proof");

    obj = json_array();
    is_rc(rs_operator_proof_read(obj, &proof, &err), RS_E_INVALID_VALUE,
          "no object");
    json_decref(obj);

    ok(ERR_peek_error() == 0, "OpenSSL's queue of errors is empty");
}


int
main(void)
{
    json_t        *v;
    json_error_t   err;

    v = json_load_file(tap_path("docs/protocol/vectors/proof.json"),
                       JSON_ALLOW_NUL, &err);
    if (v == NULL) {
        fprintf(stderr, "proof.json: %s\n", err.text);
        return 2;
    }

    test_fingerprints(v);
    test_operator(v);
    test_device(v);
    test_lines(v);
    test_of(v);
    test_proofs(v);

    json_decref(v);

    return tap_done();
}
