
/*
 * Copyright (C) rs-gateway contributors
 *
 * Strict JSON.  Depth is counted over the bytes before jansson sees them, for
 * its own bound is a recursion of 2048.  Its error texts quote the input, so
 * they are replaced by sentences of ours.
 */


#include "rs_json.h"
#include "rs_utf8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define RS_JSON_NAME_MAX  64      /* bytes of an unknown name that are quoted */


static size_t rs_json_too_deep(const uint8_t *data, size_t len);
static const char *rs_json_reason(const json_error_t *e);
static int rs_json_no_memory(const json_error_t *e);
static void rs_json_clean(char *text);
static void rs_json_pointer(char *dst, const char *base, const char *name);
static rs_err_e rs_json_bad(rs_json_error_t *err, const char *base,
    const rs_json_field_t *f);
static rs_err_e rs_json_unknown(rs_json_error_t *err, const char *base,
    const char *name);
static int rs_json_value(const json_t *value, const rs_json_field_t *f,
    void *target);
static int rs_json_string(const json_t *value, const rs_json_field_t *f,
    rs_str_t *s);
static int rs_json_text_valid(rs_str_t s, unsigned lines);
static int rs_json_enum(const json_t *value, const rs_json_field_t *f,
    unsigned *index);
static int rs_json_array(const json_t *value, const rs_json_field_t *f);
static void rs_json_describe(rs_buf_t *b, const rs_json_field_t *f);
static void rs_json_range(rs_buf_t *b, const rs_json_field_t *f,
    const char *unit);


rs_err_e
rs_json_fail(rs_json_error_t *err, rs_err_e rc, const char *pointer,
    const char *fmt, ...)
{
    va_list  args;

    (void) snprintf(err->pointer, sizeof(err->pointer), "%s",
                    pointer ? pointer : "");
    rs_json_clean(err->pointer);

    va_start(args, fmt);
    (void) vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);

    rs_json_clean(err->text);

    return rc;
}


/* bytes of what is not seen to "?", a character cut in two at the end away */

static void
rs_json_clean(char *text)
{
    size_t    n;
    uint8_t  *p;
    uint32_t  c;
    rs_str_t  s;

    p = (uint8_t *) text;

    for (s = rs_str(text); s.len; s.data += n, s.len -= n, p += n) {
        n = rs_utf8_next(s, &c);

        if (n == 0) {
            break;
        }

        if (rs_utf8_hidden(c)) {
            memset(p, '?', n);
        }
    }

    *p = '\0';
}


/* offset + 1 of the bracket that is one too many, or 0 */

static size_t
rs_json_too_deep(const uint8_t *data, size_t len)
{
    size_t    i;
    unsigned  depth, quoted;

    depth = 0;
    quoted = 0;

    for (i = 0; i < len; i++) {

        if (quoted) {

            if (data[i] == '\\') {
                i++;

            } else if (data[i] == '"') {
                quoted = 0;
            }

            continue;
        }

        switch (data[i]) {

        case '"':
            quoted = 1;
            break;

        case '{':
        case '[':

            if (depth++ == RS_JSON_DEPTH) {
                return i + 1;
            }

            break;

        case '}':
        case ']':

            if (depth) {
                depth--;
            }

            break;

        default:
            break;
        }
    }

    return 0;
}


static const char *
rs_json_reason(const json_error_t *e)
{
    switch (json_error_code(e)) {

    case json_error_premature_end_of_input:
        return "it ends too early";

    case json_error_end_of_input_expected:
        return "something follows its end";

    case json_error_invalid_utf8:
        return "it is not UTF-8";

    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "it has a zero character";

    case json_error_duplicate_key:
        return "a name comes twice in one object";

    case json_error_numeric_overflow:
        return "a number is too large";

    default:
        return "it does not follow the grammar";
    }
}


/* jansson says of most failed allocations nothing at all */

static int
rs_json_no_memory(const json_error_t *e)
{
    return e->text[0] == '\0'
           || json_error_code(e) == json_error_out_of_memory;
}


rs_err_e
rs_json_load(const void *data, size_t len, size_t max, json_t **obj,
    rs_json_error_t *err)
{
    size_t        at;
    json_t       *json;
    json_error_t  e;

    if (len > max) {
        return rs_json_fail(err, RS_E_BODY_TOO_LARGE, NULL,
                            "the JSON is of %zu bytes, at most %zu are taken",
                            len, max);
    }

    at = rs_json_too_deep(data, len);

    if (at) {
        return rs_json_fail(err, RS_E_INVALID_JSON, NULL,
                            "the JSON cannot be read at byte %zu: it is "
                            "nested deeper than %d levels", at,
                            RS_JSON_DEPTH);
    }

    json = json_loadb(len ? data : "", len, JSON_REJECT_DUPLICATES, &e);

    if (json == NULL && rs_json_no_memory(&e)) {
        return rs_json_fail(err, RS_E_INTERNAL, NULL,
                            "there is no memory for the JSON");
    }

    if (json == NULL) {
        return rs_json_fail(err, RS_E_INVALID_JSON, NULL,
                            "the JSON cannot be read at byte %d: %s",
                            e.position, rs_json_reason(&e));
    }

    if (!json_is_object(json)) {
        json_decref(json);
        return rs_json_fail(err, RS_E_INVALID_JSON, NULL,
                            "the JSON must be an object, {...}");
    }

    *obj = json;

    return RS_OK;
}


char *
rs_json_dump(const json_t *value, size_t max, size_t *len)
{
    char    *text;
    size_t   n;

    n = json_dumpb(value, NULL, 0, JSON_COMPACT|JSON_ENCODE_ANY);
    *len = n;

    if (n == 0 || n > max) {
        return NULL;
    }

    text = malloc(n + 1);
    *len = 0;

    if (text == NULL) {
        return NULL;
    }

    if (json_dumpb(value, text, n, JSON_COMPACT|JSON_ENCODE_ANY) != n) {
        free(text);
        return NULL;
    }

    text[n] = '\0';
    *len = n;

    return text;
}


rs_err_e
rs_json_read(const json_t *obj, const rs_json_field_t *fields, size_t n,
    void *target, const char *base, uint32_t *present, uint32_t *null_,
    rs_json_error_t *err)
{
    void                   *iter;
    size_t                  i;
    json_t                 *value, *object;
    uint32_t                have, nulls;
    const char             *name;
    const rs_json_field_t  *f;

    have = 0;
    nulls = 0;

    /* jansson iterates over what it may change */
    object = (json_t *) obj;

    for (iter = json_object_iter(object);
         iter != NULL;
         iter = json_object_iter_next(object, iter))
    {
        name = json_object_iter_key(iter);

        for (i = 0; i < n && strcmp(name, fields[i].name) != 0; i++) {
            /* void */
        }

        if (i == n) {
            return rs_json_unknown(err, base, name);
        }
    }

    for (i = 0; i < n; i++) {
        f = &fields[i];
        value = json_object_get(obj, f->name);

        if (json_is_null(value) && (f->flags & RS_JSON_NULL)) {
            nulls |= (uint32_t) 1 << i;
            continue;
        }

        if (value == NULL && !(f->flags & RS_JSON_REQUIRED)) {
            continue;
        }

        if (value == NULL
            || !rs_json_value(value, f, (char *) target + f->offset))
        {
            return rs_json_bad(err, base, f);
        }

        have |= (uint32_t) 1 << i;
    }

    if (present != NULL) {
        *present = have;
    }

    if (null_ != NULL) {
        *null_ = nulls;
    }

    return RS_OK;
}


static rs_err_e
rs_json_unknown(rs_json_error_t *err, const char *base, const char *name)
{
    char      pointer[RS_JSON_POINTER_MAX];
    rs_str_t  s;

    s = rs_utf8_cut(rs_str(name), RS_JSON_NAME_MAX);
    rs_json_pointer(pointer, base, name);

    return rs_json_fail(err, RS_E_UNKNOWN_FIELD, pointer,
                        "the field \"%.*s\" is not known here: remove it",
                        (int) s.len, (const char *) s.data);
}


/* RFC 6901, 3; a name that is too long is cut between characters */

static void
rs_json_pointer(char *dst, const char *base, const char *name)
{
    size_t    i;
    rs_buf_t  b;
    rs_str_t  s;

    rs_buf_init(&b, dst, RS_JSON_POINTER_MAX - 1);
    rs_buf_cstr(&b, base);
    rs_buf_char(&b, '/');

    s = rs_utf8_cut(rs_str(name), RS_JSON_NAME_MAX);

    for (i = 0; i < s.len; i++) {

        switch (s.data[i]) {

        case '~':
            rs_buf_cstr(&b, "~0");
            break;

        case '/':
            rs_buf_cstr(&b, "~1");
            break;

        default:
            rs_buf_put(&b, s.data + i, 1);
        }
    }

    dst[b.len] = '\0';
}


static rs_err_e
rs_json_bad(rs_json_error_t *err, const char *base, const rs_json_field_t *f)
{
    char      text[RS_JSON_TEXT_MAX], pointer[RS_JSON_POINTER_MAX];
    rs_buf_t  b;

    rs_buf_init(&b, text, sizeof(text) - 1);
    rs_json_describe(&b, f);
    text[b.len] = '\0';

    rs_json_pointer(pointer, base, f->name);

    return rs_json_fail(err, RS_E_INVALID_VALUE, pointer, "%s %s %s%s",
                        f->name,
                        (f->flags & RS_JSON_REQUIRED) ? "is required and must "
                                                        "be" : "must be",
                        text, (f->flags & RS_JSON_NULL) ? " or null" : "");
}


static void
rs_json_range(rs_buf_t *b, const rs_json_field_t *f, const char *unit)
{
    char  text[96];

    (void) snprintf(text, sizeof(text), "%" PRId64 " to %" PRId64 "%s",
                    f->min, f->max, unit);
    rs_buf_cstr(b, text);
}


static void
rs_json_describe(rs_buf_t *b, const rs_json_field_t *f)
{
    const char *const  *name;

    switch (f->type) {

    case RS_JSON_STRING:
    case RS_JSON_TEXT:

        if (f->what != NULL) {
            rs_buf_cstr(b, f->what);
            return;
        }

        rs_buf_cstr(b, "a string of ");
        rs_json_range(b, f, " characters without control or invisible ones");
        return;

    case RS_JSON_INT:
        rs_buf_cstr(b, "a whole number from ");
        rs_json_range(b, f, "");
        return;

    case RS_JSON_BOOL:
        rs_buf_cstr(b, "true or false");
        return;

    case RS_JSON_ENUM:
        rs_buf_cstr(b, "one of");

        for (name = f->names; *name != NULL; name++) {
            rs_buf_cstr(b, (name == f->names) ? " \"" : ", \"");
            rs_buf_cstr(b, *name);
            rs_buf_char(b, '"');
        }

        return;

    case RS_JSON_OBJECT:
        rs_buf_cstr(b, "an object");

        if (f->max) {
            rs_buf_cstr(b, " of at most ");
            rs_buf_u64(b, (uint64_t) f->max);
            rs_buf_cstr(b, " bytes");
        }

        break;

    case RS_JSON_ARRAY:
        rs_buf_cstr(b, "an array of ");
        rs_json_range(b, f, " elements");
        break;

    case RS_JSON_ANY:
        rs_buf_cstr(b, "there");
        break;
    }

    if (f->flags & RS_JSON_PLAIN) {
        rs_buf_cstr(b, " without control or invisible characters");
    }
}


/* 1: value is as f wants it and *target is set */

static int
rs_json_value(const json_t *value, const rs_json_field_t *f, void *target)
{
    int64_t  number;

    switch (f->type) {

    case RS_JSON_STRING:
    case RS_JSON_TEXT:
        return rs_json_string(value, f, target);

    case RS_JSON_INT:

        if (!json_is_integer(value)) {
            return 0;
        }

        number = json_integer_value(value);

        if (number < f->min || number > f->max) {
            return 0;
        }

        *(int64_t *) target = number;
        return 1;

    case RS_JSON_BOOL:

        if (!json_is_boolean(value)) {
            return 0;
        }

        *(int *) target = json_is_true(value) ? 1 : 0;
        return 1;

    case RS_JSON_ENUM:
        return rs_json_enum(value, f, target);

    case RS_JSON_OBJECT:

        if (!json_is_object(value)
            || (f->max && json_dumpb(value, NULL, 0, JSON_COMPACT)
                          > (uint64_t) f->max)
            || ((f->flags & RS_JSON_PLAIN) && !rs_json_plain(value)))
        {
            return 0;
        }

        break;

    case RS_JSON_ARRAY:

        if (!rs_json_array(value, f)
            || ((f->flags & RS_JSON_PLAIN) && !rs_json_plain(value)))
        {
            return 0;
        }

        break;

    case RS_JSON_ANY:
        break;
    }

    *(const json_t **) target = value;

    return 1;
}


static int
rs_json_array(const json_t *value, const rs_json_field_t *f)
{
    int64_t  n;

    n = json_is_array(value) ? (int64_t) json_array_size(value) : -1;

    return n >= 0 && n >= f->min && n <= f->max;
}


int
rs_json_plain(const json_t *value)
{
    void    *iter;
    size_t   i;
    json_t  *v;

    if (json_is_string(value)) {
        return rs_utf8_printable((rs_str_t) {
            (const uint8_t *) json_string_value(value),
            json_string_length(value)
        });
    }

    for (i = 0; i < json_array_size(value); i++) {
        if (!rs_json_plain(json_array_get(value, i))) {
            return 0;
        }
    }

    /* jansson iterates over what it may change */
    v = (json_t *) value;

    for (iter = json_object_iter(v);
         iter != NULL;
         iter = json_object_iter_next(v, iter))
    {
        if (!rs_utf8_printable(rs_str(json_object_iter_key(iter)))
            || !rs_json_plain(json_object_iter_value(iter)))
        {
            return 0;
        }
    }

    return 1;
}


static int
rs_json_enum(const json_t *value, const rs_json_field_t *f, unsigned *index)
{
    unsigned  i;
    rs_str_t  s;

    if (!json_is_string(value)) {
        return 0;
    }

    s = rs_str(json_string_value(value));

    for (i = 0; f->names[i] != NULL; i++) {
        if (rs_str_eq(s, rs_str(f->names[i]))) {
            *index = i;
            return 1;
        }
    }

    return 0;
}


static int
rs_json_string(const json_t *value, const rs_json_field_t *f, rs_str_t *s)
{
    int64_t   n;
    rs_str_t  text;

    if (!json_is_string(value)) {
        return 0;
    }

    text.data = (const uint8_t *) json_string_value(value);
    text.len = json_string_length(value);

    n = (int64_t) rs_utf8_count(text);

    if (n < f->min || n > f->max
        || !rs_json_text_valid(text, f->type == RS_JSON_TEXT)
        || (f->check != NULL && f->check(text) != RS_OK))
    {
        return 0;
    }

    *s = text;

    return 1;
}


static int
rs_json_text_valid(rs_str_t s, unsigned lines)
{
    int       more;
    size_t    i;
    rs_str_t  piece;

    if (!lines) {
        return rs_utf8_printable(s);
    }

    /* what stands between newlines, tabs and returns must be printable */

    do {
        for (i = 0; i < s.len; i++) {
            if (s.data[i] == '\n' || s.data[i] == '\r' || s.data[i] == '\t') {
                break;
            }
        }

        more = i < s.len;
        piece.data = s.data;
        piece.len = i;

        if (!rs_utf8_printable(piece)) {
            return 0;
        }

        s.data += i + (size_t) more;
        s.len -= i + (size_t) more;

    } while (more);

    return 1;
}
