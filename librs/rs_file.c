
/*
 * Copyright (C) rs-gateway contributors
 */


#include "rs_file.h"
#include "rs_utf8.h"

#include <string.h>


typedef struct {
    rs_str_t               type;
    const rs_json_field_t *fields;
    size_t                 n;
} rs_file_form_t;


typedef struct {
    rs_file_msg_t          msg;
    rs_str_t               type;
    rs_str_t               sha256;
} rs_file_fields_t;


static rs_err_e rs_file_check_after(rs_str_t s);
static rs_err_e rs_file_check_key(rs_str_t s);
static rs_err_e rs_file_check_digest(rs_str_t s);
static int rs_file_hex_value(uint8_t c);
static const rs_file_form_t *rs_file_form(const json_t *obj,
    rs_json_error_t *err, rs_err_e *rc);


#define RS_FILE_TYPE                                                         \
    { "type", RS_JSON_STRING, RS_JSON_REQUIRED, 1, 16,                       \
      offsetof(rs_file_fields_t, type), NULL, NULL, NULL }

#define RS_FILE_ID                                                           \
    { "id", RS_JSON_INT, RS_JSON_REQUIRED, 1, RS_FILE_ID_MAX,                \
      offsetof(rs_file_fields_t, msg.id), NULL, NULL, NULL }

#define RS_FILE_NAME                                                         \
    { "name", RS_JSON_STRING, RS_JSON_REQUIRED, 1, RS_FILE_NAME_MAX,         \
      offsetof(rs_file_fields_t, msg.name), NULL, rs_file_check_name,        \
      "a file's name without a path" }

#define RS_FILE_OFFSET(flags)                                                \
    { "offset", RS_JSON_INT, flags, 0, RS_FILE_SIZE_MAX,                     \
      offsetof(rs_file_fields_t, msg.offset), NULL, NULL, NULL }

#define RS_FILE_SHA256(flags)                                                \
    { "sha256", RS_JSON_STRING, flags, 2 * RS_FILE_DIGEST_LEN,               \
      2 * RS_FILE_DIGEST_LEN, offsetof(rs_file_fields_t, sha256), NULL,      \
      rs_file_check_digest, "64 hexadecimal digits in lower case" }


static const rs_json_field_t  rs_file_list[] = {
    RS_FILE_TYPE,
    RS_FILE_ID,
    { "after", RS_JSON_STRING, 0, 0, RS_FILE_NAME_MAX,
      offsetof(rs_file_fields_t, msg.name), NULL, rs_file_check_after,
      "a file's name without a path" }
};


static const rs_json_field_t  rs_file_put[] = {
    RS_FILE_TYPE,
    RS_FILE_ID,
    RS_FILE_NAME,
    { "key", RS_JSON_STRING, RS_JSON_REQUIRED, RS_FILE_KEY_LEN,
      RS_FILE_KEY_LEN, offsetof(rs_file_fields_t, msg.key), NULL,
      rs_file_check_key, "32 hexadecimal digits in lower case" },
    { "size", RS_JSON_INT, RS_JSON_REQUIRED, 0, RS_FILE_SIZE_MAX,
      offsetof(rs_file_fields_t, msg.size), NULL, NULL, NULL },
    { "mtime", RS_JSON_INT, 0, 0, RS_FILE_SIZE_MAX,
      offsetof(rs_file_fields_t, msg.mtime), NULL, NULL, NULL },
    { "anew", RS_JSON_BOOL, 0, 0, 0,
      offsetof(rs_file_fields_t, msg.anew), NULL, NULL, NULL }
};


static const rs_json_field_t  rs_file_get[] = {
    RS_FILE_TYPE,
    RS_FILE_ID,
    RS_FILE_NAME,
    RS_FILE_OFFSET(0),
    RS_FILE_SHA256(0)
};


static const rs_json_field_t  rs_file_end[] = {
    RS_FILE_TYPE,
    RS_FILE_ID,
    RS_FILE_SHA256(RS_JSON_REQUIRED)
};


static const rs_json_field_t  rs_file_ack[] = {
    RS_FILE_TYPE,
    RS_FILE_ID,
    RS_FILE_OFFSET(RS_JSON_REQUIRED)
};


static const rs_json_field_t  rs_file_cancel[] = {
    RS_FILE_TYPE,
    RS_FILE_ID,
    { "keep", RS_JSON_BOOL, 0, 0, 0,
      offsetof(rs_file_fields_t, msg.keep), NULL, NULL, NULL }
};


#define RS_FILE_FORM(name, table)                                            \
    { { (uint8_t *) name, sizeof(name) - 1 }, table,                         \
      sizeof(table) / sizeof(table[0]) }


/* in the order of rs_file_type_e */

static const rs_file_form_t  rs_file_forms[] = {
    RS_FILE_FORM("list", rs_file_list),
    RS_FILE_FORM("put", rs_file_put),
    RS_FILE_FORM("get", rs_file_get),
    RS_FILE_FORM("end", rs_file_end),
    RS_FILE_FORM("ack", rs_file_ack),
    RS_FILE_FORM("cancel", rs_file_cancel)
};


static const char  rs_file_digits[] = "0123456789abcdef";


rs_err_e
rs_file_parse(const void *data, size_t len, json_t **obj, rs_file_msg_t *msg,
    rs_json_error_t *err)
{
    size_t                 i;
    rs_err_e               rc;
    const rs_file_form_t  *form;
    rs_file_fields_t       f;

    rc = rs_json_load(data, len, RS_FILE_MESSAGE_MAX, obj, err);

    if (rc != RS_OK) {
        return rc;
    }

    form = rs_file_form(*obj, err, &rc);

    if (form != NULL) {
        memset(&f, 0, sizeof(f));
        f.msg.name = RS_STR("");

        rc = rs_json_read(*obj, form->fields, form->n, &f, "", NULL, NULL,
                          err);
    }

    if (rc == RS_OK && f.msg.offset > 0 && f.sha256.len == 0
        && form == &rs_file_forms[RS_FILE_GET])
    {
        rc = rs_json_fail(err, RS_E_INVALID_VALUE, "/sha256", "an \"offset\" "
                          "above 0 needs the \"sha256\" of what is before it");
    }

    if (rc != RS_OK) {
        json_decref(*obj);
        *obj = NULL;
        return rc;
    }

    *msg = f.msg;
    msg->type = (rs_file_type_e) (form - rs_file_forms);
    msg->digest = (f.sha256.len != 0);

    for (i = 0; i < f.sha256.len / 2; i++) {
        msg->sha256[i] = (uint8_t)
                         (rs_file_hex_value(f.sha256.data[2 * i]) << 4
                          | rs_file_hex_value(f.sha256.data[2 * i + 1]));
    }

    return RS_OK;
}


static const rs_file_form_t *
rs_file_form(const json_t *obj, rs_json_error_t *err, rs_err_e *rc)
{
    size_t         i;
    rs_str_t       type;
    const json_t  *value;

    value = json_object_get(obj, "type");

    if (!json_is_string(value)) {
        *rc = rs_json_fail(err, RS_E_INVALID_VALUE, "/type",
                           "\"type\" is missing or no string");
        return NULL;
    }

    type.data = (uint8_t *) json_string_value(value);
    type.len = json_string_length(value);

    for (i = 0; i < sizeof(rs_file_forms) / sizeof(rs_file_forms[0]); i++) {

        if (rs_str_eq(type, rs_file_forms[i].type)) {
            *rc = RS_OK;
            return &rs_file_forms[i];
        }
    }

    *rc = rs_json_fail(err, RS_E_UNKNOWN_TYPE, "/type",
                       "\"type\" is none that is known here");
    return NULL;
}


rs_err_e
rs_file_piece(const void *data, size_t len, rs_file_piece_t *piece)
{
    size_t          i;
    uint64_t        id, offset;
    const uint8_t  *p;

    if (len <= RS_FILE_HEAD_LEN
        || len > RS_FILE_HEAD_LEN + RS_FILE_PIECE_MAX)
    {
        return RS_E_INVALID_VALUE;
    }

    p = data;
    id = 0;
    offset = 0;

    for (i = 0; i < 4; i++) {
        id = id << 8 | p[i];
    }

    for (i = 4; i < RS_FILE_HEAD_LEN; i++) {
        offset = offset << 8 | p[i];
    }

    len -= RS_FILE_HEAD_LEN;

    if (id == 0 || id > RS_FILE_ID_MAX || offset > RS_FILE_SIZE_MAX - len) {
        return RS_E_INVALID_VALUE;
    }

    piece->id = (uint32_t) id;
    piece->offset = offset;
    piece->data = p + RS_FILE_HEAD_LEN;
    piece->len = len;

    return RS_OK;
}


void
rs_file_head(uint8_t dst[RS_FILE_HEAD_LEN], uint32_t id, uint64_t offset)
{
    int  i;

    for (i = 0; i < 4; i++) {
        dst[i] = (uint8_t) (id >> (24 - 8 * i));
    }

    for (i = 0; i < 8; i++) {
        dst[4 + i] = (uint8_t) (offset >> (56 - 8 * i));
    }
}


rs_err_e
rs_file_check_name(rs_str_t s)
{
    size_t  i;

    if (s.len == 0 || s.len > RS_FILE_NAME_MAX || s.data[0] == '.'
        || s.data[0] == ' ' || s.data[s.len - 1] == ' '
        || !rs_utf8_printable(s))
    {
        return RS_E_INVALID_VALUE;
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '/' || s.data[i] == '\\') {
            return RS_E_INVALID_VALUE;
        }
    }

    return RS_OK;
}


static rs_err_e
rs_file_check_after(rs_str_t s)
{
    return (s.len == 0) ? RS_OK : rs_file_check_name(s);
}


static int
rs_file_hex_value(uint8_t c)
{
    const char  *p;

    p = (c == '\0') ? NULL : strchr(rs_file_digits, c);

    return (p == NULL) ? -1 : (int) (p - rs_file_digits);
}


static rs_err_e
rs_file_check_key(rs_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (rs_file_hex_value(s.data[i]) < 0) {
            return RS_E_INVALID_VALUE;
        }
    }

    return (s.len == RS_FILE_KEY_LEN) ? RS_OK : RS_E_INVALID_VALUE;
}


static rs_err_e
rs_file_check_digest(rs_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (rs_file_hex_value(s.data[i]) < 0) {
            return RS_E_INVALID_VALUE;
        }
    }

    return (s.len == 2 * RS_FILE_DIGEST_LEN) ? RS_OK : RS_E_INVALID_VALUE;
}


/* the ending is from the first dot on that has at most 12 bytes behind it */

size_t
rs_file_numbered(uint8_t *dst, rs_str_t name, unsigned n)
{
    size_t  stem, i, len;

    stem = name.len;

    for (i = 1; i < name.len; i++) {
        if (name.data[i] == '.' && name.len - i <= 12) {
            stem = i;
            break;
        }
    }

    memcpy(dst, name.data, stem);
    len = stem;

    dst[len++] = ' ';
    dst[len++] = '(';

    if (n >= 10) {
        dst[len++] = (uint8_t) ('0' + n / 10 % 10);
    }

    dst[len++] = (uint8_t) ('0' + n % 10);
    dst[len++] = ')';

    memcpy(dst + len, name.data + stem, name.len - stem);

    return len + name.len - stem;
}


void
rs_file_hex(char dst[2 * RS_FILE_DIGEST_LEN],
    const uint8_t sha256[RS_FILE_DIGEST_LEN])
{
    size_t  i;

    for (i = 0; i < RS_FILE_DIGEST_LEN; i++) {
        dst[2 * i] = rs_file_digits[sha256[i] >> 4];
        dst[2 * i + 1] = rs_file_digits[sha256[i] & 15];
    }
}
