
/*
 * Copyright (C) rs-gateway contributors
 *
 * The envelope: what travels between Redis and workers, one line of fields
 * and a body (docs/design/redis.md).
 */


#ifndef _RS_ENV_H_INCLUDED_
#define _RS_ENV_H_INCLUDED_


#include "rs_str.h"
#include "rs_id.h"


typedef enum {
    RS_ENV_NONE = 0,
    RS_ENV_SIG,
    RS_ENV_EVT,
    RS_ENV_END,
    RS_ENV_INV,
    RS_ENV_RVK,
    RS_ENV_FEN,
    RS_ENV_BCN
} rs_env_kind_e;


/* slices into the decoded bytes; "-" decodes to an empty slice */

typedef struct {
    rs_env_kind_e  kind;
    rs_str_t       tenant;
    rs_str_t       session;
    rs_pos_t       position;
    unsigned       has_position;
    rs_str_t       from;
    rs_str_t       to;
    uint64_t       id;         /* 0: none */
    rs_str_t       body;
} rs_env_t;


rs_env_kind_e rs_env_kind(rs_str_t name);     /* RS_ENV_NONE: not one */
const char *rs_env_kind_name(rs_env_kind_e kind);

/* RS_OK or RS_E_INVALID_VALUE; checks every field's letters and length */
rs_err_e rs_env_decode(rs_str_t s, rs_env_t *env);
/* the same bytes; overflow as rs_buf_t says */
void rs_env_encode(rs_buf_t *b, const rs_env_t *env);


#endif /* _RS_ENV_H_INCLUDED_ */
