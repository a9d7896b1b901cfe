
/*
 * Copyright (C) rs-gateway contributors
 *
 * Strict JSON and tables of fields, as REST bodies use them.
 */


#include "fuzz.h"
#include "rs_json.h"
#include "rs_id.h"
#include "rs_utf8.h"


typedef struct {
    rs_str_t    name;
    rs_str_t    text;
    int64_t     ttl_s;
    int         relay;
    unsigned    role;
    json_t     *meta;
    json_t     *tags;
    json_t     *any;
    rs_str_t    id;
} target_t;


static const char *const  roles[] = { "controller", "viewer", NULL };

static const rs_json_field_t  fields[] = {
    { .name = "name", .type = RS_JSON_STRING, .flags = RS_JSON_REQUIRED,
      .min = 1, .max = 128, .offset = offsetof(target_t, name) },
    { .name = "text", .type = RS_JSON_TEXT, .max = 512,
      .offset = offsetof(target_t, text) },
    { .name = "ttl_s", .type = RS_JSON_INT, .min = 1, .max = 86400,
      .offset = offsetof(target_t, ttl_s) },
    { .name = "relay", .type = RS_JSON_BOOL,
      .offset = offsetof(target_t, relay) },
    { .name = "role", .type = RS_JSON_ENUM, .names = roles,
      .offset = offsetof(target_t, role) },
    { .name = "meta", .type = RS_JSON_OBJECT, .max = 64,
      .offset = offsetof(target_t, meta) },
    { .name = "tags", .type = RS_JSON_ARRAY, .flags = RS_JSON_NULL,
      .max = 16, .offset = offsetof(target_t, tags) },
    { .name = "any", .type = RS_JSON_ANY,
      .offset = offsetof(target_t, any) },
    { .name = "id", .type = RS_JSON_STRING, .max = 100,
      .offset = offsetof(target_t, id), .check = rs_id_check_session,
      .what = "a session's id" }
};


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char             *text;
    size_t            len;
    json_t           *obj;
    rs_err_e          rc;
    target_t          t;
    uint32_t          present, nulls;
    rs_json_error_t   e;

    json_object_seed(1);
    memset(&t, 0, sizeof(t));

    rc = rs_json_load(data, size, 4096, &obj, &e);

    if (rc != RS_OK) {
        CHECK(rc == (size > 4096 ? RS_E_BODY_TOO_LARGE : RS_E_INVALID_JSON));
        CHECK(e.pointer[0] == '\0' && rs_utf8_printable(rs_str(e.text)));
        return 0;
    }

    rc = rs_json_read(obj, fields, sizeof(fields) / sizeof(fields[0]), &t,
                      "/p", &present, &nulls, &e);

    if (rc == RS_OK) {
        CHECK((present & nulls) == 0 && (present & 1));
        CHECK(rs_utf8_printable(t.name) && rs_utf8_count(t.name) <= 128);
        CHECK(!(present & 4) || (t.ttl_s >= 1 && t.ttl_s <= 86400));
        CHECK(t.role < 2 && (t.relay == 0 || t.relay == 1));
        CHECK(!(nulls & (1u << 6)) || t.tags == NULL);
        CHECK(t.id.len == 0 || rs_id_check_session(t.id) == RS_OK);

    } else {
        CHECK(rc == RS_E_UNKNOWN_FIELD || rc == RS_E_INVALID_VALUE);
        CHECK(strncmp(e.pointer, "/p/", 3) == 0);
        CHECK(rs_utf8_printable(rs_str(e.pointer)));
        CHECK(rs_utf8_printable(rs_str(e.text)));
    }

    text = rs_json_dump(obj, 65536, &len);
    CHECK(text == NULL || strlen(text) == len);
    free(text);
    json_decref(obj);

    return 0;
}
