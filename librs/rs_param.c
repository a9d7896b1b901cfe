
/*
 * Copyright (C) rs-gateway contributors
 *
 * Types of parameters, and their values.
 */


#include "rs_param.h"
#include "rs_utf8.h"

#include <string.h>


static int rs_param_word(rs_str_t s);
static int rs_param_choices(rs_str_t s);
static int rs_param_one(rs_str_t choices, rs_str_t value);


static int
rs_param_word(rs_str_t s)
{
    size_t   i;
    uint8_t  c;

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if ((c < '0' || c > '9') && ((c | 0x20) < 'a' || (c | 0x20) > 'z')
            && c != '_' && c != '.' && c != '-')
        {
            return 0;
        }
    }

    return s.len != 0 && s.len <= RS_PARAM_WORD_MAX && s.data[0] != '-';
}


/* each is a word, so none is empty */

static int
rs_param_choices(rs_str_t s)
{
    int       more;
    rs_str_t  one;

    do {
        more = rs_str_split(s, '|', &one, &s);

        if (!rs_param_word(one)) {
            return 0;
        }

    } while (more);

    return 1;
}


static int
rs_param_one(rs_str_t choices, rs_str_t value)
{
    int       more;
    rs_str_t  one;

    do {
        more = rs_str_split(choices, '|', &one, &choices);

        if (rs_str_eq(one, value)) {
            return 1;
        }

    } while (more);

    return 0;
}


rs_err_e
rs_param_parse(rs_str_t s, rs_param_t *param)
{
    int       more, good;
    rs_str_t  name, rest, min, max;

    memset(param, 0, sizeof(*param));
    more = rs_str_split(s, ':', &name, &rest);

    if (rs_str_eq(name, RS_STR("word"))) {
        param->type = RS_PARAM_WORD;
        good = !more;

    } else if (rs_str_eq(name, RS_STR("int"))) {
        param->type = RS_PARAM_INT;
        good = rs_str_split(rest, '-', &min, &max)
               && rs_u64_parse(min, UINT64_MAX, &param->min)
               && rs_u64_parse(max, UINT64_MAX, &param->max)
               && param->min <= param->max;

    } else if (rs_str_eq(name, RS_STR("text"))) {
        param->type = RS_PARAM_TEXT;
        good = rs_u64_parse(rest, RS_PARAM_TEXT_MAX, &param->max)
               && param->max > 0;

    } else if (rs_str_eq(name, RS_STR("one"))) {
        param->type = RS_PARAM_ONE;
        param->choices = rest;
        good = more && rs_param_choices(rest);

    } else {
        good = 0;
    }

    return good ? RS_OK : RS_E_INVALID_VALUE;
}


rs_err_e
rs_param_check(const rs_param_t *param, rs_str_t value)
{
    int       good;
    uint64_t  v;

    switch (param->type) {

    case RS_PARAM_INT:
        good = rs_u64_parse(value, param->max, &v) && v >= param->min;
        break;

    case RS_PARAM_WORD:
        good = rs_param_word(value);
        break;

    case RS_PARAM_TEXT:
        good = value.len != 0 && value.len <= param->max
               && value.data[0] != '-' && rs_utf8_printable(value);
        break;

    case RS_PARAM_ONE:
        good = rs_param_one(param->choices, value);
        break;

    default:
        good = 0;
    }

    return good ? RS_OK : RS_E_INVALID_VALUE;
}
