
/*
 * Copyright (C) rs-gateway contributors
 *
 * Every error of the gateway, once: docs/protocol/errors.json in C.
 */


#ifndef _RS_ERR_H_INCLUDED_
#define _RS_ERR_H_INCLUDED_


#include <stddef.h>


typedef enum {
    RS_OK = 0,
    RS_AGAIN,                  /* more bytes are needed; not an error */
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
    RS_E_NOT_FOUND,
    RS_E_METHOD_NOT_ALLOWED,
    RS_E_DEVICE_OFFLINE,
    RS_E_CONFLICT,
    RS_E_PARTICIPANTS_FULL,
    RS_E_SESSION_ENDED,
    RS_E_PRECONDITION_FAILED,
    RS_E_PRECONDITION_REQUIRED,
    RS_E_IDEMPOTENCY_MISMATCH,
    RS_E_RATE_LIMITED,
    RS_E_LIMIT_REACHED,
    RS_E_BAD_HANDSHAKE,
    RS_E_UPGRADE_REQUIRED,
    RS_E_UNAVAILABLE,
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
    RS_E_RESUME_TOO_OLD,
    RS_E_OVERLOADED,
    RS_E_GOING_AWAY,
    RS_E_MAX
} rs_err_e;


/* the code as clients see it, "ok" for RS_OK; never NULL */
const char *rs_err_code(rs_err_e rc);
/* one sentence for people */
const char *rs_err_title(rs_err_e rc);
/* HTTP status */
int rs_err_http(rs_err_e rc);
/* WebSocket close code (RFC 6455, 7.4), 0: the socket stays open */
int rs_err_ws_close(rs_err_e rc);
/* 1: the answer carries Retry-After */
int rs_err_retry_after(rs_err_e rc);
/* the error of a code, RS_OK for "ok", RS_E_INTERNAL for what is unknown */
rs_err_e rs_err_by_code(const void *code, size_t len);


#endif /* _RS_ERR_H_INCLUDED_ */
