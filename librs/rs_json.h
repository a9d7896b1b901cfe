
/*
 * Copyright (C) rs-gateway contributors
 *
 * Strict JSON (RFC 8259) over jansson: no duplicate keys, bounded depth and
 * size, and a table-driven reader that takes an object apart field by field
 * and says which one is wrong.
 */


#ifndef _RS_JSON_H_INCLUDED_
#define _RS_JSON_H_INCLUDED_


#include <jansson.h>

#include "rs_str.h"


#define RS_JSON_DEPTH     16
#define RS_JSON_DETAIL    160
#define RS_JSON_POINTER   96


/* what was wrong: a sentence, and where (RFC 6901) */

typedef struct {
    char  detail[RS_JSON_DETAIL];
    char  pointer[RS_JSON_POINTER];
} rs_json_err_t;


typedef enum {
    RS_JSON_STRING = 0,        /* -> rs_str_t; min, max in characters */
    RS_JSON_TEXT,              /* the same, line breaks and tabs allowed */
    RS_JSON_INT,               /* -> int64_t; min, max inclusive */
    RS_JSON_BOOL,              /* -> int */
    RS_JSON_OBJECT,            /* -> json_t * (borrowed); max: compact bytes */
    RS_JSON_ARRAY,             /* -> json_t * (borrowed); min, max elements */
    RS_JSON_ANY                /* -> json_t * (borrowed) */
} rs_json_type_e;


typedef struct {
    const char      *name;
    rs_json_type_e   type;
    unsigned         required:1;
    unsigned         nullable:1;   /* null: present, the target untouched */
    int64_t          min;
    int64_t          max;
    size_t           offset;       /* of the target in the caller's struct */
} rs_json_field_t;


/*
 * One JSON value, any type, nothing behind it.  NULL: RS_E_INVALID_JSON with
 * *err told.  The caller owns the reference.
 */
json_t *rs_json_load(rs_str_t text, rs_json_err_t *err);

/*
 * Reads obj by the n fields into target (zeroed by the caller).  A field that
 * is not in the table is RS_E_UNKNOWN_FIELD, one that is missing, of another
 * type or out of range RS_E_INVALID_VALUE.  base: pointer of obj ("" = root).
 * Strings are slices of obj: valid while the caller holds it.  *seen (may be
 * NULL) gets bit i for each field i that is present.
 */
rs_err_e rs_json_read(json_t *obj, const rs_json_field_t *fields, size_t n,
    void *target, const char *base, uint32_t *seen, rs_json_err_t *err);

/* no C0, DEL or C1 control character; text: tab and line feed pass */
int rs_json_printable(rs_str_t s, int text);

/* number of characters (code points) of valid UTF-8 */
size_t rs_json_chars(rs_str_t s);


#endif /* _RS_JSON_H_INCLUDED_ */
