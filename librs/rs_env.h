
/*
 * Copyright (C) rs-gateway contributors
 *
 * The envelope: what travels on a worker's channel.  docs/design/redis.md,
 * "Envelope":
 *
 *     rs1 <kind> <tenant> <session> <position> <from> <to> <id> LF <body>
 */


#ifndef _RS_ENV_H_INCLUDED_
#define _RS_ENV_H_INCLUDED_


#include "rs_id.h"


typedef enum {
    RS_ENV_NONE = 0,              /* not a kind */
    RS_ENV_SIG,
    RS_ENV_EVT,
    RS_ENV_END,
    RS_ENV_INV,
    RS_ENV_RVK,
    RS_ENV_FEN,
    RS_ENV_BCN,
    RS_ENV_VOL,
    RS_ENV_GON,
    RS_ENV_PIP,
    RS_ENV_REC
} rs_env_kind_e;


/* longest header with its LF */
#define RS_ENV_HEADER_MAX      512


/* slices are empty for "-" */

typedef struct {
    rs_env_kind_e   kind;
    rs_str_t        tenant;
    rs_str_t        session;      /* id with prefix; pip: the pipe's,
                                     rec: the recording's */
    rs_pos_t        position;     /* 0-0: none */
    rs_str_t        from;         /* participant id */
    rs_str_t        to;           /* participant id or address */
    rs_str_t        id;           /* decimal; vol: the sender's address,
                                     gon: the one nobody has */
    rs_str_t        body;
} rs_env_t;


/* "sig" -> RS_ENV_SIG; also of a log entry's `k`.  Unknown: RS_ENV_NONE */
rs_env_kind_e rs_env_kind(rs_str_t name);
const char *rs_env_kind_name(rs_env_kind_e kind);     /* NULL: no kind */

/*
 * Slices of env point into s.  RS_OK or RS_E_INVALID_VALUE: not version 1, a
 * field its kind needs is missing, one it does not have is there, or one is
 * not well formed.  Nothing is copied.
 */
rs_err_e rs_env_decode(rs_str_t s, rs_env_t *env);

/*
 * Appends header and body.  RS_OK; RS_E_INVALID_VALUE: env would not decode;
 * RS_E_WS_TOO_BIG: b is too small.
 */
rs_err_e rs_env_encode(rs_buf_t *b, const rs_env_t *env);


#endif /* _RS_ENV_H_INCLUDED_ */
