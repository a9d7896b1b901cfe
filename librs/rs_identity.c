
/*
 * Copyright (C) rs-gateway contributors
 *
 * A statement is read by one table, whether it comes from a file of the
 * gateway or from a gateway to a device.  Reading checks the form, and that
 * keys are keys; what is signed is checked by who follows it.
 */


#include "rs_identity.h"

#include <string.h>


#define RS_IDENTITY_PROOF_MAX      (14 + RS_DEVKEY_HOST_MAX + 1              \
                                    + 2 * RS_IDENTITY_NONCE_TEXT + 1)
#define RS_IDENTITY_STATEMENT_MAX  (15 + 2 * (RS_DEVKEY_TEXT_LEN + 1) + 20)
#define RS_IDENTITY_SIGNATURE_TEXT 86       /* base64url of 64 bytes */


typedef struct {
    rs_str_t        old;
    rs_str_t        key;
    int64_t         created_at;
    rs_str_t        signature;
    json_t         *statements;
} rs_identity_fields_t;


static size_t rs_identity_proof(uint8_t *dst, rs_str_t host,
    rs_str_t device_nonce, rs_str_t nonce);
static size_t rs_identity_statement_text(uint8_t *dst,
    const rs_identity_statement_t *st);
static rs_err_e rs_identity_statement_read(const json_t *obj,
    const char *base, rs_identity_statement_t *st, rs_json_error_t *err);
static rs_err_e rs_identity_take(const rs_identity_fields_t *f,
    rs_identity_statement_t *st, rs_json_error_t *err);
static rs_err_e rs_identity_known(const json_t *obj,
    const rs_json_field_t *fields, size_t n, rs_identity_fields_t *f,
    const char *base, rs_json_error_t *err);
static rs_err_e rs_identity_check_signature(rs_str_t text);
static void rs_identity_signature(rs_str_t text,
    uint8_t signature[RS_ED25519_SIGNATURE_LEN]);
static void rs_identity_put(rs_buf_t *b, const uint8_t *raw, size_t len);
static const rs_identity_statement_t *rs_identity_step(const uint8_t *from,
    const rs_identity_statement_t *list, size_t n);


#define RS_IDENTITY_N(fields)  (sizeof(fields) / sizeof((fields)[0]))

#define RS_IDENTITY_KEY(field, member)                                       \
    { .name = field, .type = RS_JSON_STRING, .flags = RS_JSON_REQUIRED,      \
      .min = RS_DEVKEY_TEXT_LEN, .max = RS_DEVKEY_TEXT_LEN,                  \
      .offset = offsetof(rs_identity_fields_t, member),                      \
      .check = rs_devkey_check,                                              \
      .what = "an Ed25519 public key, base64url of 32 bytes" }

#define RS_IDENTITY_SIGNATURE                                                \
    { .name = "signature", .type = RS_JSON_STRING,                           \
      .flags = RS_JSON_REQUIRED, .min = RS_IDENTITY_SIGNATURE_TEXT,          \
      .max = RS_IDENTITY_SIGNATURE_TEXT,                                     \
      .offset = offsetof(rs_identity_fields_t, signature),                   \
      .check = rs_identity_check_signature,                                  \
      .what = "base64url of 64 bytes, unpadded" }


static const rs_json_field_t  rs_identity_statement_fields[] = {
    RS_IDENTITY_KEY("old", old),
    RS_IDENTITY_KEY("new", key),
    { .name = "created_at", .type = RS_JSON_INT, .flags = RS_JSON_REQUIRED,
      .min = 0, .max = RS_IDENTITY_TIME_MAX,
      .offset = offsetof(rs_identity_fields_t, created_at) },
    RS_IDENTITY_SIGNATURE
};


static const rs_json_field_t  rs_identity_offer_fields[] = {
    RS_IDENTITY_KEY("key", key),
    RS_IDENTITY_SIGNATURE,
    { .name = "statements", .type = RS_JSON_ARRAY, .min = 0,
      .max = RS_IDENTITY_STATEMENTS_MAX,
      .offset = offsetof(rs_identity_fields_t, statements) }
};


rs_err_e
rs_identity_nonce_check(rs_str_t text)
{
    size_t   len;
    uint8_t  raw[RS_IDENTITY_NONCE_LEN];

    if (text.len != RS_IDENTITY_NONCE_TEXT
        || !rs_base64url_decode(raw, sizeof(raw), text, &len))
    {
        return RS_E_INVALID_VALUE;
    }

    return RS_OK;
}


static size_t
rs_identity_proof(uint8_t *dst, rs_str_t host, rs_str_t device_nonce,
    rs_str_t nonce)
{
    rs_buf_t  b;

    if (host.len == 0 || host.len > RS_DEVKEY_HOST_MAX
        || memchr(host.data, '\0', host.len) != NULL
        || rs_identity_nonce_check(device_nonce) != RS_OK
        || rs_identity_nonce_check(nonce) != RS_OK)
    {
        return 0;
    }

    rs_buf_init(&b, dst, RS_IDENTITY_PROOF_MAX);
    rs_buf_cstr(&b, "rs-gateway-v1");
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, host);
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, device_nonce);
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, nonce);

    return b.len;
}


rs_err_e
rs_identity_sign(const uint8_t seed[RS_ED25519_KEY_LEN], rs_str_t host,
    rs_str_t device_nonce, rs_str_t nonce,
    uint8_t signature[RS_ED25519_SIGNATURE_LEN])
{
    size_t   len;
    uint8_t  text[RS_IDENTITY_PROOF_MAX];

    len = rs_identity_proof(text, host, device_nonce, nonce);

    if (len == 0) {
        return RS_E_INVALID_VALUE;
    }

    return rs_ed25519_sign(seed, text, len, signature);
}


rs_err_e
rs_identity_verify(const uint8_t key[RS_ED25519_KEY_LEN], rs_str_t host,
    rs_str_t device_nonce, rs_str_t nonce,
    const uint8_t signature[RS_ED25519_SIGNATURE_LEN])
{
    size_t   len;
    uint8_t  text[RS_IDENTITY_PROOF_MAX];

    len = rs_identity_proof(text, host, device_nonce, nonce);

    if (len == 0) {
        return RS_E_INVALID_VALUE;
    }

    return rs_ed25519_verify(key, text, len, signature);
}


static void
rs_identity_put(rs_buf_t *b, const uint8_t *raw, size_t len)
{
    char  text[RS_IDENTITY_SIGNATURE_TEXT];

    rs_buf_put(b, text, rs_base64url_encode(text, raw, len));
}


static size_t
rs_identity_statement_text(uint8_t *dst, const rs_identity_statement_t *st)
{
    rs_buf_t  b;

    rs_buf_init(&b, dst, RS_IDENTITY_STATEMENT_MAX);
    rs_buf_cstr(&b, "rs-identity-v1");
    rs_buf_char(&b, '\0');
    rs_identity_put(&b, st->old, sizeof(st->old));
    rs_buf_char(&b, '\0');
    rs_identity_put(&b, st->key, sizeof(st->key));
    rs_buf_char(&b, '\0');
    rs_buf_u64(&b, (uint64_t) st->created_at);

    return b.len;
}


rs_err_e
rs_identity_statement_sign(const uint8_t seed[RS_ED25519_KEY_LEN],
    rs_identity_statement_t *st)
{
    size_t    len;
    uint8_t   text[RS_IDENTITY_STATEMENT_MAX];
    rs_err_e  rc;

    rc = rs_ed25519_public(seed, st->old);

    if (rc != RS_OK) {
        return rc;
    }

    len = rs_identity_statement_text(text, st);

    return rs_ed25519_sign(seed, text, len, st->signature);
}


rs_err_e
rs_identity_statement_verify(const rs_identity_statement_t *st)
{
    size_t   len;
    uint8_t  text[RS_IDENTITY_STATEMENT_MAX];

    len = rs_identity_statement_text(text, st);

    return rs_ed25519_verify(st->old, text, len, st->signature);
}


void
rs_identity_statement_write(rs_buf_t *b, const rs_identity_statement_t *st)
{
    rs_buf_cstr(b, "{\"old\":\"");
    rs_identity_put(b, st->old, sizeof(st->old));
    rs_buf_cstr(b, "\",\"new\":\"");
    rs_identity_put(b, st->key, sizeof(st->key));
    rs_buf_cstr(b, "\",\"created_at\":");
    rs_buf_u64(b, (uint64_t) st->created_at);
    rs_buf_cstr(b, ",\"signature\":\"");
    rs_identity_put(b, st->signature, sizeof(st->signature));
    rs_buf_cstr(b, "\"}");
}


static rs_err_e
rs_identity_check_signature(rs_str_t text)
{
    size_t   len;
    uint8_t  raw[RS_ED25519_SIGNATURE_LEN];

    return (rs_base64url_decode(raw, sizeof(raw), text, &len)
            && len == sizeof(raw)) ? RS_OK : RS_E_INVALID_VALUE;
}


/* text was checked by the table */

static void
rs_identity_signature(rs_str_t text,
    uint8_t signature[RS_ED25519_SIGNATURE_LEN])
{
    size_t  len;

    (void) rs_base64url_decode(signature, RS_ED25519_SIGNATURE_LEN, text,
                               &len);
}


static rs_err_e
rs_identity_statement_read(const json_t *obj, const char *base,
    rs_identity_statement_t *st, rs_json_error_t *err)
{
    rs_err_e              rc;
    rs_identity_fields_t  f;

    rc = rs_json_read(obj, rs_identity_statement_fields,
                      RS_IDENTITY_N(rs_identity_statement_fields), &f, base,
                      NULL, NULL, err);

    return (rc == RS_OK) ? rs_identity_take(&f, st, err) : rc;
}


/* checked once by the table: what fails now is memory */

static rs_err_e
rs_identity_take(const rs_identity_fields_t *f, rs_identity_statement_t *st,
    rs_json_error_t *err)
{
    if (rs_devkey_parse(f->old, st->old) != RS_OK
        || rs_devkey_parse(f->key, st->key) != RS_OK)
    {
        return rs_json_fail(err, RS_E_INTERNAL, NULL, "there is no memory");
    }

    st->created_at = f->created_at;
    rs_identity_signature(f->signature, st->signature);

    return RS_OK;
}


/* of what a gateway says, fields that are not known here are left aside */

static rs_err_e
rs_identity_known(const json_t *obj, const rs_json_field_t *fields, size_t n,
    rs_identity_fields_t *f, const char *base, rs_json_error_t *err)
{
    size_t     i;
    json_t    *known, *value;
    rs_err_e   rc;

    if (!json_is_object(obj)) {
        return rs_json_fail(err, RS_E_INVALID_VALUE, base,
                            "identity and its statements must be objects");
    }

    known = json_object();

    for (i = 0; i < n; i++) {
        value = json_object_get(obj, fields[i].name);

        if (value != NULL && json_object_set(known, fields[i].name, value)) {
            json_decref(known);
            return rs_json_fail(err, RS_E_INTERNAL, base,
                                "there is no memory");
        }
    }

    /* what is read from known is kept by obj */

    rc = rs_json_read(known, fields, n, f, base, NULL, NULL, err);

    json_decref(known);

    return rc;
}


rs_err_e
rs_identity_statements(rs_str_t text, rs_identity_statement_t *list,
    size_t *n, rs_json_error_t *err)
{
    size_t           line;
    json_t          *obj;
    rs_err_e         rc;
    rs_str_t         head;
    rs_json_error_t  e;

    *n = 0;

    if (text.len > RS_IDENTITY_FILE_MAX) {
        return rs_json_fail(err, RS_E_INVALID_VALUE, NULL,
                            "larger than %d bytes", RS_IDENTITY_FILE_MAX);
    }

    for (line = 1; text.len; line++) {
        (void) rs_str_split(text, '\n', &head, &text);

        if (head.len && head.data[head.len - 1] == '\r') {
            head.len--;
        }

        if (head.len == 0) {
            continue;
        }

        if (*n == RS_IDENTITY_STATEMENTS_MAX) {
            return rs_json_fail(err, RS_E_INVALID_VALUE, NULL,
                                "line %zu: more than %d statements: remove "
                                "the oldest ones", line,
                                RS_IDENTITY_STATEMENTS_MAX);
        }

        rc = rs_json_load(head.data, head.len, RS_IDENTITY_FILE_MAX, &obj, &e);

        if (rc == RS_OK) {
            rc = rs_identity_statement_read(obj, "", &list[*n], &e);
            json_decref(obj);
        }

        if (rc != RS_OK) {
            return rs_json_fail(err, rc, NULL, "line %zu: %s", line, e.text);
        }

        (*n)++;
    }

    return RS_OK;
}


rs_err_e
rs_identity_chain(const rs_identity_statement_t *list, size_t n,
    const uint8_t key[RS_ED25519_KEY_LEN], rs_json_error_t *err)
{
    size_t    i;
    rs_err_e  rc;

    for (i = 0; i < n; i++) {

        if (i && memcmp(list[i].old, list[i - 1].key, RS_ED25519_KEY_LEN)
                 != 0)
        {
            return rs_json_fail(err, RS_E_INVALID_VALUE, NULL,
                                "statement %zu does not continue the one "
                                "before: its \"old\" is another key than "
                                "that one's \"new\"", i + 1);
        }

        rc = rs_identity_statement_verify(&list[i]);

        if (rc != RS_OK) {
            return rs_json_fail(err, rc, NULL,
                                "statement %zu is not signed by the key its "
                                "\"old\" names", i + 1);
        }
    }

    if (n && memcmp(list[n - 1].key, key, RS_ED25519_KEY_LEN) != 0) {
        return rs_json_fail(err, RS_E_INVALID_VALUE, NULL,
                            "the last statement leads to another key than "
                            "the identity");
    }

    return RS_OK;
}


static const rs_identity_statement_t *
rs_identity_step(const uint8_t *from, const rs_identity_statement_t *list,
    size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (memcmp(list[i].old, from, RS_ED25519_KEY_LEN) == 0
            && rs_identity_statement_verify(&list[i]) == RS_OK)
        {
            return &list[i];
        }
    }

    return NULL;
}


/* no more steps than statements: a circle ends nowhere */

rs_err_e
rs_identity_follow(const uint8_t pinned[RS_ED25519_KEY_LEN],
    const uint8_t key[RS_ED25519_KEY_LEN],
    const rs_identity_statement_t *list, size_t n)
{
    size_t                          i;
    const uint8_t                  *at;
    const rs_identity_statement_t  *st;

    at = pinned;

    for (i = 0; memcmp(at, key, RS_ED25519_KEY_LEN) != 0; i++) {

        st = (i < n) ? rs_identity_step(at, list, n) : NULL;

        if (st == NULL) {
            return RS_E_UNAUTHENTICATED;
        }

        at = st->key;
    }

    return RS_OK;
}


rs_err_e
rs_identity_offer_read(const json_t *obj, rs_identity_offer_t *offer,
    rs_json_error_t *err)
{
    size_t                 i, n;
    rs_err_e               rc;
    rs_identity_fields_t   f, st;

    memset(&f, 0, sizeof(rs_identity_fields_t));

    rc = rs_identity_known(obj, rs_identity_offer_fields,
                           RS_IDENTITY_N(rs_identity_offer_fields), &f, "",
                           err);
    if (rc != RS_OK) {
        return rc;
    }

    if (rs_devkey_parse(f.key, offer->key) != RS_OK) {
        return rs_json_fail(err, RS_E_INTERNAL, NULL, "there is no memory");
    }

    rs_identity_signature(f.signature, offer->signature);

    offer->n = 0;
    n = json_array_size(f.statements);

    for (i = 0; i < n; i++) {
        rc = rs_identity_known(json_array_get(f.statements, i),
                               rs_identity_statement_fields,
                               RS_IDENTITY_N(rs_identity_statement_fields),
                               &st, "/statements", err);

        if (rc == RS_OK) {
            rc = rs_identity_take(&st, &offer->statements[i], err);
        }

        if (rc != RS_OK) {
            return rc;
        }

        offer->n++;
    }

    return RS_OK;
}


void
rs_identity_offer_write(rs_buf_t *b, const rs_identity_offer_t *offer)
{
    size_t  i;

    rs_buf_cstr(b, "{\"key\":\"");
    rs_identity_put(b, offer->key, sizeof(offer->key));
    rs_buf_cstr(b, "\",\"signature\":\"");
    rs_identity_put(b, offer->signature, sizeof(offer->signature));
    rs_buf_char(b, '"');

    for (i = 0; i < offer->n; i++) {
        rs_buf_cstr(b, i ? "," : ",\"statements\":[");
        rs_identity_statement_write(b, &offer->statements[i]);
    }

    rs_buf_cstr(b, offer->n ? "]}" : "}");
}
