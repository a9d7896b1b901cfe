
/*
 * Copyright (C) rs-gateway contributors
 *
 * The one vocabulary of errors: return code of every librs function, JSON
 * `code`, HTTP status, WebSocket close code, text.  rs_err.c is
 * docs/protocol/errors.json in C; librs/t/rs_err.c compares the two.
 */


#ifndef _RS_ERR_H_INCLUDED_
#define _RS_ERR_H_INCLUDED_


#include "rs_str.h"


typedef enum {
    RS_OK = 0,
    RS_AGAIN,                     /* more bytes are needed; not an error */

    RS_E_BAD_REQUEST,
    RS_E_INVALID_JSON,
    RS_E_INVALID_VALUE,
    RS_E_UNKNOWN_FIELD,
    RS_E_UNSUPPORTED_MEDIA_TYPE,
    RS_E_BODY_TOO_LARGE,
    RS_E_UNAUTHENTICATED,
    RS_E_FORBIDDEN,
    RS_E_ORIGIN_FORBIDDEN,
    RS_E_ENROLLMENT_INVALID,
    RS_E_LINK_INVALID,
    RS_E_PIN_REQUIRED,
    RS_E_NOT_FOUND,
    RS_E_METHOD_NOT_ALLOWED,
    RS_E_DEVICE_OFFLINE,
    RS_E_RECORDER_OFFLINE,
    RS_E_NOT_RECORDED,
    RS_E_CONFLICT,
    RS_E_PARTICIPANTS_FULL,
    RS_E_CONTROL_LOCKED,
    RS_E_SESSION_ENDED,
    RS_E_PRECONDITION_FAILED,
    RS_E_PRECONDITION_REQUIRED,
    RS_E_IDEMPOTENCY_MISMATCH,
    RS_E_RATE_LIMITED,
    RS_E_LIMIT_REACHED,
    RS_E_BAD_HANDSHAKE,
    RS_E_UPGRADE_REQUIRED,
    RS_E_UNAVAILABLE,
    RS_E_UNCERTAIN,
    RS_E_INTERNAL,
    RS_E_WS_PROTOCOL,
    RS_E_WS_UNSUPPORTED,
    RS_E_WS_UTF8,
    RS_E_WS_TOO_BIG,
    RS_E_WS_FRAGMENTS,
    RS_E_BEFORE_WELCOME,
    RS_E_UNKNOWN_TYPE,
    RS_E_UNKNOWN_PEER,
    RS_E_HELLO_TIMEOUT,
    RS_E_PEER_TIMEOUT,
    RS_E_REPLACED,
    RS_E_DEVICE_REMOVED,
    RS_E_DEVICE_QUARANTINED,
    RS_E_RESUME_TOO_OLD,
    RS_E_OVERLOADED,
    RS_E_GOING_AWAY,
    RS_E_DRAINING,
    RS_E_WRONG_NODE,
    RS_E_PIPE_BROKEN,
    RS_E_PIPE_TIMEOUT,
    RS_E_PIPE_IDLE,
    RS_E_PIPE_UNREACHABLE,
    RS_E_TARGET_REFUSED,
    RS_E_TARGET_UNREACHABLE,
    RS_E_TUNNEL_ENDED,
    RS_E_RENDERERS_FULL,

    RS_E_MAX                      /* one past the last */
} rs_err_e;


/*
 * What is known of a code.  For RS_OK, RS_AGAIN and anything out of range the
 * answer is that of RS_E_INTERNAL: an error path never ends in "no error".
 * Never NULL; the strings are constants.
 */

const char *rs_err_code(rs_err_e rc);       /* "bad_request" */
const char *rs_err_title(rs_err_e rc);      /* a sentence without full stop */
unsigned    rs_err_http(rs_err_e rc);       /* 400 */
unsigned    rs_err_retry_after(rs_err_e rc);  /* 1: send Retry-After */

/* close code to send after the `error` message; 0: the socket stays open */
unsigned    rs_err_ws_close(rs_err_e rc);

/* "ok" -> RS_OK, a code of the table -> its enum, else RS_E_INTERNAL */
rs_err_e    rs_err_by_code(rs_str_t code);


#endif /* _RS_ERR_H_INCLUDED_ */
