
/*
 * Copyright (C) rs-gateway contributors
 *
 * Typed parameters of a command that a device's owner has allowed: the type
 * as it stands in agent.conf, and whether a value is one.
 *
 *     int:MIN-MAX     a decimal number, without a sign or leading zeros
 *     word            1 to 64 letters, digits, "_", "." and "-"
 *     text:MAX        1 to MAX bytes of printable UTF-8
 *     one:A|B|C       just these
 *
 * No value begins with "-": it would be an option of the program.
 */


#ifndef _RS_PARAM_H_INCLUDED_
#define _RS_PARAM_H_INCLUDED_


#include "rs_err.h"


#define RS_PARAM_WORD_MAX      64
#define RS_PARAM_TEXT_MAX      4096


typedef enum {
    RS_PARAM_INT = 0,
    RS_PARAM_WORD,
    RS_PARAM_TEXT,
    RS_PARAM_ONE
} rs_param_e;


typedef struct {
    rs_param_e       type;
    uint64_t         min;             /* INT */
    uint64_t         max;             /* INT, TEXT */
    rs_str_t         choices;         /* ONE: points into the type's text */
} rs_param_t;


/* RS_OK or RS_E_INVALID_VALUE */
rs_err_e rs_param_parse(rs_str_t s, rs_param_t *param);
rs_err_e rs_param_check(const rs_param_t *param, rs_str_t value);


#endif /* _RS_PARAM_H_INCLUDED_ */
