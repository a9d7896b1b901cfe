
/*
 * Copyright (C) rs-gateway contributors
 *
 * Strict JSON over jansson, for WebSocket messages and REST bodies alike: one
 * object, no duplicate keys, bounded size and depth, unknown fields refused,
 * and an error that names the place and the cure.
 */


#ifndef _RS_JSON_H_INCLUDED_
#define _RS_JSON_H_INCLUDED_


#include <jansson.h>

#include "rs_err.h"


#define RS_JSON_DEPTH          16      /* nested {} and [], the outer one too */
#define RS_JSON_POINTER_MAX    160     /* with NUL */
#define RS_JSON_TEXT_MAX       320     /* with NUL */


/* both NUL terminated and printable (rs_utf8.h) */

typedef struct {
    char            pointer[RS_JSON_POINTER_MAX];  /* RFC 6901; "" = whole */
    char            text[RS_JSON_TEXT_MAX];        /* a sentence */
} rs_json_error_t;


/* sets both; pointer may be NULL (""); returns rc.  Format as printf() */
rs_err_e rs_json_fail(rs_json_error_t *err, rs_err_e rc, const char *pointer,
    const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));


/*
 * RS_OK: *obj is an object, the caller's to json_decref().
 * RS_E_BODY_TOO_LARGE: longer than max.  RS_E_INTERNAL: no memory.
 * RS_E_INVALID_JSON: anything else; the text says what and at which byte, the
 * pointer is "".
 */
rs_err_e rs_json_load(const void *data, size_t len, size_t max, json_t **obj,
    rs_json_error_t *err);


/*
 * Compact text of any value, from malloc(), NUL terminated, the caller's to
 * free().  NULL: longer than max, *len says how long; or no memory, *len is 0.
 */
char *rs_json_dump(const json_t *value, size_t max, size_t *len);


/*
 * 1: every string in value, names included, is printable (rs_utf8.h).  As
 * deep as value is, which rs_json_load() bounds.
 */
int rs_json_plain(const json_t *value);


/*
 * A table of fields.  What is read goes to (char *) target + offset:
 *
 *   RS_JSON_STRING  rs_str_t, borrowed from obj; printable (rs_utf8.h); min
 *                   and max count characters; check, if set, must give RS_OK
 *   RS_JSON_TEXT    the same, but newline and tab are allowed
 *   RS_JSON_INT     int64_t, min and max are values; no reals, no strings
 *   RS_JSON_BOOL    int, 0 or 1
 *   RS_JSON_ENUM    unsigned, index into names (NULL terminated)
 *   RS_JSON_OBJECT  json_t *, borrowed; max: bytes as compact JSON (0: any)
 *   RS_JSON_ARRAY   json_t *, borrowed; min and max count elements
 *   RS_JSON_ANY     json_t *, borrowed
 *
 * Of a field that is absent (or null where that is allowed) the target is
 * left alone, so set defaults before.
 */

typedef enum {
    RS_JSON_STRING = 0,
    RS_JSON_TEXT,
    RS_JSON_INT,
    RS_JSON_BOOL,
    RS_JSON_ENUM,
    RS_JSON_OBJECT,
    RS_JSON_ARRAY,
    RS_JSON_ANY
} rs_json_type_e;


#define RS_JSON_REQUIRED       1
#define RS_JSON_NULL           2       /* null is allowed */
#define RS_JSON_PLAIN          4       /* OBJECT, ARRAY: rs_json_plain() */


typedef struct {
    const char          *name;
    rs_json_type_e       type;
    unsigned             flags;
    int64_t              min;
    int64_t              max;
    size_t               offset;
    const char *const   *names;                    /* ENUM */
    rs_err_e           (*check)(rs_str_t s);       /* STRING, TEXT */
    const char          *what;                     /* "an id \"ses_...\"", for
                                                      check's sentence */
} rs_json_field_t;


/*
 * Reads obj by a table of n <= 32 fields.  base: JSON pointer of obj itself,
 * "" at the top, "/participants/0" below.  present (may be NULL): bit i is
 * set when field i is there and not null; null_ (may be NULL): when it is
 * null.
 *
 * RS_OK; RS_E_UNKNOWN_FIELD; RS_E_INVALID_VALUE: missing, of another type or
 * out of range.  err tells of the first one, in the order of the table (an
 * unknown field comes first); unknown fields are told by the object's order.
 */
rs_err_e rs_json_read(const json_t *obj, const rs_json_field_t *fields,
    size_t n, void *target, const char *base, uint32_t *present,
    uint32_t *null_, rs_json_error_t *err);


#endif /* _RS_JSON_H_INCLUDED_ */
