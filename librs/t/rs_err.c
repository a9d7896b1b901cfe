
/*
 * Copyright (C) rs-gateway contributors
 *
 * The table of errors against docs/protocol/errors.json, both ways.
 */


#include "tap.h"

#include <jansson.h>


static void test_file(json_t *errors);
static void test_table(json_t *errors);
static void test_rest(void);


static void
test_file(json_t *errors)
{
    size_t       i;
    json_t      *e;
    rs_err_e     rc;
    const char  *code;

    json_array_foreach(errors, i, e) {
        code = json_string_value(json_object_get(e, "code"));
        rc = rs_err_by_code(rs_str(code));

        ok(strcmp(rs_err_code(rc), code) == 0, "%s: is in the table", code);
        ok(rs_err_http(rc)
           == json_integer_value(json_object_get(e, "http")),
           "%s: status", code);
        ok(rs_err_ws_close(rc)
           == json_integer_value(json_object_get(e, "ws_close")),
           "%s: close code", code);
        ok((int) rs_err_retry_after(rc)
           == json_is_true(json_object_get(e, "retry_after")),
           "%s: Retry-After", code);
        ok(strcmp(rs_err_title(rc),
                  json_string_value(json_object_get(e, "title"))) == 0,
           "%s: title", code);
    }
}


static void
test_table(json_t *errors)
{
    int          n;
    size_t       i;
    json_t      *e;
    unsigned     rc;
    const char  *code;

    ok(json_array_size(errors) == RS_E_MAX - RS_AGAIN - 1,
       "as many entries in the table as in the file");

    for (rc = RS_AGAIN + 1; rc < RS_E_MAX; rc++) {
        code = rs_err_code((rs_err_e) rc);
        n = 0;

        json_array_foreach(errors, i, e) {
            n += strcmp(json_string_value(json_object_get(e, "code")), code)
                 == 0;
        }

        ok(n == 1, "%s: is in the file once", code);
    }
}


static void
test_rest(void)
{
    is_rc(rs_err_by_code(RS_STR("ok")), RS_OK, "\"ok\" is no error");
    is_rc(rs_err_by_code(RS_STR("OK")), RS_E_INTERNAL,
          "an unknown code is internal");
    is_rc(rs_err_by_code(RS_STR("")), RS_E_INTERNAL, "so is none");
    is_rc(rs_err_by_code(RS_STR("bad_request2")), RS_E_INTERNAL,
          "no prefixes");

    is_int(rs_err_http(RS_OK), 500, "RS_OK as an error is internal");
    is_int(rs_err_http(RS_AGAIN), 500, "so is RS_AGAIN");
    is_int(rs_err_http(RS_E_MAX), 500, "and what is above the table");
    is_int(rs_err_ws_close((rs_err_e) -1), 1011, "and below it");
}


int
main(void)
{
    json_t        *file, *errors;
    json_error_t   e;

    file = json_load_file(tap_path("docs/protocol/errors.json"), 0, &e);
    errors = json_object_get(file, "errors");

    if (!ok(json_array_size(errors) > 0, "errors.json is read")) {
        return tap_done();
    }

    test_file(errors);
    test_table(errors);
    test_rest();

    json_decref(file);

    return tap_done();
}
