
/*
 * Copyright (C) rs-gateway contributors
 *
 * Credentials, positions and encodings: what is parsed is put together to the
 * same text, what is encoded decodes.
 */


#include "fuzz.h"
#include "rs_code.h"
#include "rs_devkey.h"
#include "rs_id.h"


static void
credentials(rs_str_t s)
{
    char       text[RS_ID_RESUME_MAX + 1 + RS_POS_MAX];
    size_t     n;
    rs_cred_t  c;

    if (rs_api_key_parse(s, &c) == RS_OK) {
        n = rs_api_key_format(text, c.tenant, c.secret);
        CHECK(rs_str_eq((rs_str_t) { (uint8_t *) text, n }, s));
    }

    if (rs_enroll_parse(s, &c) == RS_OK) {
        n = rs_enroll_format(text, c.tenant, c.enrollment_id, c.secret);
        CHECK(rs_str_eq((rs_str_t) { (uint8_t *) text, n }, s));
    }

    if (rs_ticket_parse(s, &c) == RS_OK) {
        n = rs_ticket_format(text, c.tenant, c.session_id, c.secret);
        CHECK(rs_str_eq((rs_str_t) { (uint8_t *) text, n }, s));
    }

    if (rs_pipe_ticket_parse(s, &c) == RS_OK) {
        n = rs_pipe_ticket_format(text, c.tenant, c.pipe_id, c.secret);
        CHECK(rs_str_eq((rs_str_t) { (uint8_t *) text, n }, s));
    }

    if (rs_guest_parse(s, &c) == RS_OK) {
        n = rs_guest_format(text, c.tenant, c.session_id, c.link_id, c.secret);
        CHECK(rs_str_eq((rs_str_t) { (uint8_t *) text, n }, s));
    }

    if (rs_resume_parse(s, &c) == RS_OK) {
        n = rs_resume_format(text, c.tenant, c.session_id, c.participant_id,
                             c.secret);
        text[n++] = '.';
        n += rs_pos_format(&c.position, text + n, sizeof(text) - n);
        CHECK(rs_str_eq((rs_str_t) { (uint8_t *) text, n }, s));
    }
}


/* a code, written as it is read, is the same one */

static void
codes(rs_str_t s)
{
    uint8_t    text[RS_CODE_MAX];
    size_t     i;
    rs_code_t  c, d;

    if (rs_code_parse(s, RS_STR(""), &c) != RS_OK) {
        return;
    }

    CHECK(rs_tenant_check(c.tenant) == RS_OK);

    /* the tenant's name is what it is, the rest may be in small letters */

    for (i = 0; i < s.len; i++) {
        text[i] = (s.data[i] >= 'A' && s.data[i] <= 'Z')
                  ? (uint8_t) (s.data[i] + ('a' - 'A')) : s.data[i];
    }

    CHECK(rs_code_parse((rs_str_t) { text, s.len }, RS_STR(""), &d) == RS_OK
          && memcmp(c.id, d.id, RS_ID_LEN) == 0
          && memcmp(c.hash, d.hash, RS_ID_HASH_LEN) == 0);
}


static void
encodings(rs_str_t s)
{
    char     *text;
    size_t    n, len;
    uint8_t  *raw;

    text = malloc(RS_HEX_LEN(s.len) + 4);
    raw = malloc(s.len + 1);

    n = rs_base64_encode(text, s.data, s.len);
    CHECK(rs_base64_decode(raw, s.len, (rs_str_t) { (uint8_t *) text, n },
                           &len) && len == s.len);
    n = rs_base64url_encode(text, s.data, s.len);
    CHECK(rs_base64url_decode(raw, s.len, (rs_str_t) { (uint8_t *) text, n },
                              &len) && len == s.len);
    n = rs_base32_encode(text, s.data, s.len);
    CHECK(rs_base32_decode(raw, s.len, (rs_str_t) { (uint8_t *) text, n },
                           &len) && len == s.len);
    n = rs_hex_encode(text, s.data, s.len);
    CHECK(rs_hex_decode(raw, s.len, (rs_str_t) { (uint8_t *) text, n },
                        &len) && len == s.len);
    CHECK(s.len == 0 || memcmp(raw, s.data, s.len) == 0);

    if (rs_base64_decode(raw, s.len, s, &len)) {
        CHECK(rs_base64_encode(text, raw, len) == s.len
              && (s.len == 0 || memcmp(text, s.data, s.len) == 0));
    }

    if (rs_base64url_decode(raw, s.len, s, &len)) {
        CHECK(rs_base64url_encode(text, raw, len) == s.len
              && (s.len == 0 || memcmp(text, s.data, s.len) == 0));
    }

    if (rs_base32_decode(raw, s.len, s, &len)) {
        CHECK(rs_base32_encode(text, raw, len) == s.len
              && (s.len == 0 || memcmp(text, s.data, s.len) == 0));
    }

    if (rs_hex_decode(raw, s.len, s, &len)) {
        CHECK(rs_hex_encode(text, raw, len) == s.len
              && (s.len == 0 || memcmp(text, s.data, s.len) == 0));
    }

    free(text);
    free(raw);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char      text[RS_POS_MAX], bound[RS_ID_HASH_LEN];
    size_t    n;
    uint64_t  v;
    rs_pos_t  p;
    rs_str_t  s;
    rs_buf_t  b;
    rs_cred_t c;

    s = (rs_str_t) { data, size };

    credentials(s);
    codes(s);
    encodings(s);

    if (rs_pos_parse(s, &p) == RS_OK) {
        n = rs_pos_format(&p, text, sizeof(text));
        CHECK(rs_str_eq((rs_str_t) { (uint8_t *) text, n }, s));
    }

    if (rs_u64_parse(s, UINT64_MAX, &v)) {
        rs_buf_init(&b, text, sizeof(text));
        rs_buf_u64(&b, v);
        CHECK(rs_str_eq(rs_buf_get(&b), s));
    }

    (void) rs_devkey_check(s);
    (void) rs_ticket_bind(s, s, bound);
    (void) rs_pin_check(s);
    (void) rs_bootstrap_parse(s, &c);
    (void) rs_login_parse(s, &c);

    return 0;
}
