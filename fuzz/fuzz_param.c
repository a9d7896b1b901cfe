
/*
 * Copyright (C) rs-gateway contributors
 *
 * A type and a value, a line each: what is a value of a type never begins
 * with "-", has no control character, and is within the type's bounds.
 */


#include "fuzz.h"
#include "rs_param.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t      i;
    rs_str_t    type, value;
    rs_param_t  p;

    (void) rs_str_split((rs_str_t) { data, size }, '\n', &type, &value);

    if (rs_param_parse(type, &p) != RS_OK
        || rs_param_check(&p, value) != RS_OK)
    {
        return 0;
    }

    CHECK(value.len != 0 && value.data[0] != '-');

    for (i = 0; i < value.len; i++) {
        CHECK(value.data[i] >= ' ' && value.data[i] != 0x7f);
    }

    CHECK(p.type != RS_PARAM_WORD || value.len <= RS_PARAM_WORD_MAX);
    CHECK(p.type != RS_PARAM_TEXT || value.len <= p.max);
    CHECK(p.type != RS_PARAM_ONE || value.len <= p.choices.len);

    return 0;
}
