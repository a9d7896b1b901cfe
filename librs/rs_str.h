
/*
 * Copyright (C) rs-gateway contributors
 *
 * Slices, a bounded writer, and the small encodings everyone needs.  Nothing
 * here allocates, and nothing assumes a terminating NUL.
 */


#ifndef _RS_STR_H_INCLUDED_
#define _RS_STR_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "rs_err.h"


/* bytes somebody else owns */

typedef struct {
    const uint8_t  *data;
    size_t          len;
} rs_str_t;


#define RS_STR(s)       ((rs_str_t) { (const uint8_t *) (s), sizeof(s) - 1 })
#define RS_STR_NULL     ((rs_str_t) { NULL, 0 })


/*
 * A writer into the caller's memory.  A write that does not fit sets
 * overflow and writes nothing; all later writes do nothing.
 */

typedef struct {
    uint8_t        *data;
    size_t          len;       /* bytes written */
    size_t          size;      /* bytes there are */
    int             overflow;
} rs_buf_t;


rs_str_t rs_str_c(const char *s);
int rs_str_eq(rs_str_t a, rs_str_t b);
/* ASCII letters compare without case */
int rs_str_ieq(rs_str_t a, rs_str_t b);
int rs_str_starts(rs_str_t s, rs_str_t prefix);
/* time depends on the lengths only */
int rs_str_eq_secret(rs_str_t a, rs_str_t b);

void rs_buf_init(rs_buf_t *b, void *data, size_t size);
void rs_buf_put(rs_buf_t *b, const void *data, size_t len);
void rs_buf_str(rs_buf_t *b, rs_str_t s);
void rs_buf_c(rs_buf_t *b, const char *s);
void rs_buf_char(rs_buf_t *b, uint8_t c);
void rs_buf_u64(rs_buf_t *b, uint64_t n);
/* s (UTF-8) as a JSON string (RFC 8259, 7) with its quotes */
void rs_buf_json(rs_buf_t *b, rs_str_t s);
rs_str_t rs_buf_slice(const rs_buf_t *b);

/* decimal without sign or leading zeros; RS_E_INVALID_VALUE otherwise */
rs_err_e rs_str_u64(rs_str_t s, uint64_t max, uint64_t *n);

/*
 * RFC 4648.  Encoders write exactly *_LEN(n) bytes, no NUL.  Decoders are
 * strict (alphabet, padding, unused bits zero), write at most size bytes and
 * set *n; RS_E_INVALID_VALUE otherwise.  base64url and base32 are unpadded,
 * base32 is lower case, hex is lower case when written, either when read.
 */

#define RS_BASE64_LEN(n)     (((n) + 2) / 3 * 4)
#define RS_BASE64URL_LEN(n)  (((n) * 8 + 5) / 6)
#define RS_BASE32_LEN(n)     (((n) * 8 + 4) / 5)
#define RS_HEX_LEN(n)        ((n) * 2)

void rs_base64_encode(char *out, const uint8_t *in, size_t len);
void rs_base64url_encode(char *out, const uint8_t *in, size_t len);
void rs_base32_encode(char *out, const uint8_t *in, size_t len);
void rs_hex_encode(char *out, const uint8_t *in, size_t len);

rs_err_e rs_base64_decode(rs_str_t in, uint8_t *out, size_t size, size_t *n);
rs_err_e rs_base64url_decode(rs_str_t in, uint8_t *out, size_t size,
    size_t *n);
rs_err_e rs_base32_decode(rs_str_t in, uint8_t *out, size_t size, size_t *n);
rs_err_e rs_hex_decode(rs_str_t in, uint8_t *out, size_t size, size_t *n);


#endif /* _RS_STR_H_INCLUDED_ */
