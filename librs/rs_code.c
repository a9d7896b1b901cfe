
/*
 * Copyright (C) rs-gateway contributors
 *
 * Adoption codes: as they are written, and what the store has of them.
 */


#include "rs_code.h"

#include <openssl/evp.h>
#include <string.h>


/* what is hashed has its purpose in front, a zero behind each part */

#define RS_CODE_ID_LABEL    "rs-code-id"
#define RS_CODE_HASH_LABEL  "rs-code"


static int rs_code_letter(uint8_t c);
static rs_err_e rs_code_digest(const char *label, rs_str_t tenant,
    const char *chars, size_t n, uint8_t digest[32]);


void
rs_code_format(char *dst, const uint8_t random[RS_CODE_RANDOM_LEN])
{
    char    text[RS_CODE_RANDOM_LEN * 8 / 5 + 2];
    size_t  i;

    (void) rs_base32_encode(text, random, RS_CODE_RANDOM_LEN);

    for (i = 0; i < RS_CODE_CHARS; i++) {
        *dst++ = (char) ((text[i] >= 'a') ? text[i] - 'a' + 'A' : text[i]);

        if (i == RS_CODE_CHARS / 2 - 1) {
            *dst++ = '-';
        }
    }
}


/* of base32; 0: to be left out, -1: no letter of a code */

static int
rs_code_letter(uint8_t c)
{
    if (c >= 'a' && c <= 'z') {
        return c;
    }

    if (c >= 'A' && c <= 'Z') {
        return c - 'A' + 'a';
    }

    if (c >= '2' && c <= '7') {
        return c;
    }

    switch (c) {

    case '0':
        return 'o';

    case '1':
        return 'i';

    case '8':
        return 'b';

    case '-':
    case ' ':
        return 0;

    default:
        return -1;
    }
}


rs_err_e
rs_code_parse(rs_str_t s, rs_str_t tenant, rs_code_t *c)
{
    int       letter;
    char      chars[RS_CODE_CHARS];
    size_t    i, n;
    uint8_t   digest[32];
    rs_err_e  rc;
    rs_str_t  named, rest;

    memset(c, 0, sizeof(*c));

    if (s.len > RS_CODE_MAX) {
        return RS_E_UNAUTHENTICATED;
    }

    c->tenant = tenant.len ? tenant : RS_STR("default");

    if (rs_str_split(s, '/', &named, &rest)) {

        if (rs_tenant_check(named) != RS_OK
            || (tenant.len && !rs_str_eq(tenant, named)))
        {
            return RS_E_UNAUTHENTICATED;
        }

        c->tenant = named;
        s = rest;
    }

    for (i = 0, n = 0; i < s.len; i++) {
        letter = rs_code_letter(s.data[i]);

        if (letter == 0) {
            continue;
        }

        if (letter < 0 || n == RS_CODE_CHARS) {
            return RS_E_UNAUTHENTICATED;
        }

        chars[n++] = (char) letter;
    }

    if (n != RS_CODE_CHARS) {
        return RS_E_UNAUTHENTICATED;
    }

    rc = rs_code_digest(RS_CODE_ID_LABEL, c->tenant, chars,
                        RS_CODE_CHARS / 2, digest);

    if (rc == RS_OK) {
        rs_id_format(c->id, RS_ID_ENROLLMENT, digest);
        rc = rs_code_digest(RS_CODE_HASH_LABEL, c->tenant, chars,
                            RS_CODE_CHARS, digest);
    }

    if (rc == RS_OK) {
        (void) rs_hex_encode(c->hash, digest, sizeof(digest));
    }

    return rc;
}


static rs_err_e
rs_code_digest(const char *label, rs_str_t tenant, const char *chars,
    size_t n, uint8_t digest[32])
{
    uint8_t   text[sizeof(RS_CODE_ID_LABEL) + RS_TENANT_MAX + 1
                   + RS_CODE_CHARS];
    rs_buf_t  b;
    unsigned  len;

    rs_buf_init(&b, text, sizeof(text));
    rs_buf_cstr(&b, label);
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, tenant);
    rs_buf_char(&b, '\0');
    rs_buf_str(&b, (rs_str_t) { (uint8_t *) chars, n });

    if (b.overflow
        || EVP_Digest(b.data, b.len, digest, &len, EVP_sha256(), NULL) != 1)
    {
        return RS_E_INTERNAL;
    }

    return RS_OK;
}
