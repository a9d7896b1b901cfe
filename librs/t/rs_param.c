
/*
 * Copyright (C) rs-gateway contributors
 *
 * Types of parameters, and what is a value of one.
 */


#include "tap.h"
#include "rs_param.h"


static void
type(const char *text, rs_err_e want)
{
    rs_param_t  p;

    is_rc(rs_param_parse(rs_str(text), &p), want, text);
}


static void
value(const char *text, const char *v, rs_err_e want)
{
    rs_param_t  p;

    if (rs_param_parse(rs_str(text), &p) != RS_OK) {
        printf("not ok - type \"%s\"\n", text);
        exit(1);
    }

    ok(rs_param_check(&p, rs_str(v)) == want, "%s: \"%s\" is %s", text, v,
       want == RS_OK ? "one" : "none");
}


static void
test_types(void)
{
    type("int:0-9", RS_OK);
    type("int:1-18446744073709551615", RS_OK);
    type("word", RS_OK);
    type("text:4096", RS_OK);
    type("one:a", RS_OK);
    type("one:start|stop|re-start", RS_OK);

    type("", RS_E_INVALID_VALUE);
    type("int", RS_E_INVALID_VALUE);
    type("int:", RS_E_INVALID_VALUE);
    type("int:9", RS_E_INVALID_VALUE);
    type("int:9-1", RS_E_INVALID_VALUE);
    type("int:-1-1", RS_E_INVALID_VALUE);
    type("int:0-18446744073709551616", RS_E_INVALID_VALUE);
    type("word:5", RS_E_INVALID_VALUE);
    type("text", RS_E_INVALID_VALUE);
    type("text:0", RS_E_INVALID_VALUE);
    type("text:4097", RS_E_INVALID_VALUE);
    type("one", RS_E_INVALID_VALUE);
    type("one:", RS_E_INVALID_VALUE);
    type("one:a||b", RS_E_INVALID_VALUE);
    type("one:a|-b", RS_E_INVALID_VALUE);
    type("one:a b", RS_E_INVALID_VALUE);
    type("file", RS_E_INVALID_VALUE);
}


static void
test_values(void)
{
    value("int:5-10", "5", RS_OK);
    value("int:5-10", "10", RS_OK);
    value("int:5-10", "4", RS_E_INVALID_VALUE);
    value("int:5-10", "11", RS_E_INVALID_VALUE);
    value("int:5-10", "07", RS_E_INVALID_VALUE);
    value("int:5-10", "-5", RS_E_INVALID_VALUE);
    value("int:5-10", "7x", RS_E_INVALID_VALUE);
    value("int:5-10", "", RS_E_INVALID_VALUE);

    value("word", "a-b_c.9", RS_OK);
    value("word", "-rf", RS_E_INVALID_VALUE);
    value("word", "a b", RS_E_INVALID_VALUE);
    value("word", "a/b", RS_E_INVALID_VALUE);
    value("word", "a;b", RS_E_INVALID_VALUE);
    value("word", "", RS_E_INVALID_VALUE);
    value("word", "a123456789b123456789c123456789d123456789e123456789"
          "f123456789abcd", RS_OK);
    value("word", "a123456789b123456789c123456789d123456789e123456789"
          "f123456789abcde", RS_E_INVALID_VALUE);

    value("text:8", "a; rm -r", RS_OK);
    value("text:8", "\xc3\xa4", RS_OK);
    value("text:8", "123456789", RS_E_INVALID_VALUE);
    value("text:8", "-x", RS_E_INVALID_VALUE);
    value("text:8", "a\nb", RS_E_INVALID_VALUE);
    value("text:8", "a\xff", RS_E_INVALID_VALUE);
    value("text:8", "", RS_E_INVALID_VALUE);

    value("one:start|stop", "stop", RS_OK);
    value("one:start|stop", "sto", RS_E_INVALID_VALUE);
    value("one:start|stop", "start|stop", RS_E_INVALID_VALUE);
    value("one:start|stop", "", RS_E_INVALID_VALUE);
}


int
main(void)
{
    test_types();
    test_values();

    return tap_done();
}
