
/*
 * Copyright (C) rs-gateway contributors
 *
 * Slices, a bounded writer, and the text encodings everything else is made
 * of.  Nothing here allocates, and nothing assumes NUL termination.
 */


#ifndef _RS_STR_H_INCLUDED_
#define _RS_STR_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


typedef struct {
    const uint8_t  *data;
    size_t          len;
} rs_str_t;


/* of a literal, as initializer or as expression */
#define RS_STR(s)       ((rs_str_t) { (const uint8_t *) "" s, sizeof(s) - 1 })

/* of a NUL terminated string; NULL gives the empty slice */
rs_str_t rs_str(const char *s);

/* 1: equal.  Not for secrets: see rs_str_eq_secret() */
int rs_str_eq(rs_str_t a, rs_str_t b);
int rs_str_eq_ci(rs_str_t a, rs_str_t b);           /* ASCII letters only */
int rs_str_starts(rs_str_t s, rs_str_t prefix);

/* 1: equal; the time taken depends on the lengths only */
int rs_str_eq_secret(rs_str_t a, rs_str_t b);

/*
 * Splits at the first sep: *head is what stands before it (the whole of s if
 * there is none), the result what follows.  Returns 1 if sep was found; then
 * *tail is set, else *tail is empty.
 */
int rs_str_split(rs_str_t s, uint8_t sep, rs_str_t *head, rs_str_t *tail);


/*
 * Bounded writer into the caller's memory.  What does not fit sets overflow
 * and is not written at all; from then on nothing is.  Check overflow once,
 * at the end.  No NUL is added.
 */

typedef struct {
    uint8_t        *data;
    size_t          len;          /* written */
    size_t          size;
    int             overflow;     /* sticky */
} rs_buf_t;


void rs_buf_init(rs_buf_t *b, void *data, size_t size);
void rs_buf_put(rs_buf_t *b, const void *data, size_t len);
void rs_buf_str(rs_buf_t *b, rs_str_t s);
void rs_buf_cstr(rs_buf_t *b, const char *s);
void rs_buf_char(rs_buf_t *b, char c);
void rs_buf_u64(rs_buf_t *b, uint64_t v);           /* decimal */
/* "..." with quotes and JSON escapes; s must be UTF-8 */
void rs_buf_json(rs_buf_t *b, rs_str_t s);
/* what was written */
rs_str_t rs_buf_get(const rs_buf_t *b);


/*
 * Decimal without sign, blanks or leading zeros, at most max: 1 and *v,
 * else 0.  Never wraps.
 */
int rs_u64_parse(rs_str_t s, uint64_t max, uint64_t *v);


/*
 * RFC 4648.  Encoders: dst has the size the macro says, no NUL is added, the
 * length is returned.  Decoders are strict: no white space, exactly the right
 * padding (base64: required; base64url and base32: forbidden), unused bits
 * zero.  They write at most size bytes and return 1 and *len, else 0; dst may
 * be written to when they fail.
 */

#define RS_BASE64_LEN(n)       (((n) + 2) / 3 * 4)
#define RS_BASE64URL_LEN(n)    (((n) * 4 + 2) / 3)
#define RS_BASE32_LEN(n)       (((n) * 8 + 4) / 5)
#define RS_HEX_LEN(n)          ((n) * 2)

size_t rs_base64_encode(char *dst, const uint8_t *src, size_t n);
int rs_base64_decode(uint8_t *dst, size_t size, rs_str_t s, size_t *len);

size_t rs_base64url_encode(char *dst, const uint8_t *src, size_t n);
int rs_base64url_decode(uint8_t *dst, size_t size, rs_str_t s, size_t *len);

/* lower case, unpadded */
size_t rs_base32_encode(char *dst, const uint8_t *src, size_t n);
int rs_base32_decode(uint8_t *dst, size_t size, rs_str_t s, size_t *len);

/* lower case out; in: lower case only */
size_t rs_hex_encode(char *dst, const uint8_t *src, size_t n);
int rs_hex_decode(uint8_t *dst, size_t size, rs_str_t s, size_t *len);


#endif /* _RS_STR_H_INCLUDED_ */
