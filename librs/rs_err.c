
/*
 * Copyright (C) rs-gateway contributors
 *
 * The error table; nobody else writes a status or a close code.
 */


#include <string.h>

#include "rs_err.h"


typedef struct {
    const char  *code;
    const char  *title;
    int          http;
    int          ws_close;
    int          retry_after;
} rs_err_entry_t;


static const rs_err_entry_t  rs_err_table[RS_E_MAX] = {
    [RS_OK] = { "ok", "Done", 200, 1000, 0 },
    [RS_AGAIN] = { "again", "More bytes are needed", 500, 0, 0 },
    [RS_E_BAD_REQUEST] = {
        "bad_request", "The request is malformed",
        400, 0, 0 },
    [RS_E_INVALID_JSON] = {
        "invalid_json", "The body is not acceptable JSON",
        400, 1007, 0 },
    [RS_E_INVALID_VALUE] = {
        "invalid_value", "A value is missing, of the wrong type or out of range",
        422, 0, 0 },
    [RS_E_UNKNOWN_FIELD] = {
        "unknown_field", "A field is not known",
        422, 0, 0 },
    [RS_E_UNSUPPORTED_MEDIA_TYPE] = {
        "unsupported_media_type", "Content-Type must be application/json",
        415, 0, 0 },
    [RS_E_BODY_TOO_LARGE] = {
        "body_too_large", "The body is larger than this gateway takes",
        413, 0, 0 },
    [RS_E_UNAUTHENTICATED] = {
        "unauthenticated", "The credential is missing, unknown or used up",
        401, 4401, 0 },
    [RS_E_FORBIDDEN] = {
        "forbidden", "The credential does not allow this",
        403, 4403, 0 },
    [RS_E_ORIGIN_FORBIDDEN] = {
        "origin_forbidden", "The Origin of the page is not on the list",
        403, 4403, 0 },
    [RS_E_ENROLLMENT_INVALID] = {
        "enrollment_invalid", "The enrolment token is unknown, expired, revoked or used up",
        403, 0, 0 },
    [RS_E_NOT_FOUND] = {
        "not_found", "There is no such object",
        404, 4404, 0 },
    [RS_E_METHOD_NOT_ALLOWED] = {
        "method_not_allowed", "The method is not allowed here",
        405, 0, 0 },
    [RS_E_DEVICE_OFFLINE] = {
        "device_offline", "The device has no control channel open",
        409, 0, 0 },
    [RS_E_CONFLICT] = {
        "conflict", "The object is not in a state that allows this",
        409, 0, 0 },
    [RS_E_PARTICIPANTS_FULL] = {
        "participants_full", "The session has as many participants as it may",
        409, 0, 0 },
    [RS_E_SESSION_ENDED] = {
        "session_ended", "The session has ended",
        410, 4410, 0 },
    [RS_E_PRECONDITION_FAILED] = {
        "precondition_failed", "If-Match does not match the current version",
        412, 0, 0 },
    [RS_E_PRECONDITION_REQUIRED] = {
        "precondition_required", "If-Match is required",
        428, 0, 0 },
    [RS_E_IDEMPOTENCY_MISMATCH] = {
        "idempotency_mismatch", "This Idempotency-Key was used with another body",
        422, 0, 0 },
    [RS_E_RATE_LIMITED] = {
        "rate_limited", "Too many requests or messages",
        429, 1008, 1 },
    [RS_E_LIMIT_REACHED] = {
        "limit_reached", "A quota is used up",
        429, 0, 1 },
    [RS_E_BAD_HANDSHAKE] = {
        "bad_handshake", "This is not a valid WebSocket handshake",
        400, 0, 0 },
    [RS_E_UPGRADE_REQUIRED] = {
        "upgrade_required", "This path speaks WebSocket version 13",
        426, 0, 0 },
    [RS_E_UNAVAILABLE] = {
        "unavailable", "The store cannot be reached",
        503, 1013, 1 },
    [RS_E_INTERNAL] = {
        "internal", "The gateway failed",
        500, 1011, 0 },
    [RS_E_WS_PROTOCOL] = {
        "ws_protocol", "A frame breaks RFC 6455",
        400, 1002, 0 },
    [RS_E_WS_UNSUPPORTED] = {
        "ws_unsupported", "Only text frames are taken here",
        400, 1003, 0 },
    [RS_E_WS_UTF8] = {
        "ws_utf8", "A text message is not UTF-8",
        400, 1007, 0 },
    [RS_E_WS_TOO_BIG] = {
        "ws_too_big", "A message is larger than the limit",
        413, 1009, 0 },
    [RS_E_WS_FRAGMENTS] = {
        "ws_fragments", "A message has more fragments than the limit",
        413, 1009, 0 },
    [RS_E_BEFORE_WELCOME] = {
        "before_welcome", "A message came before it was its turn",
        400, 1002, 0 },
    [RS_E_UNKNOWN_TYPE] = {
        "unknown_type", "The message type is not known on this channel",
        400, 0, 0 },
    [RS_E_UNKNOWN_PEER] = {
        "unknown_peer", "The addressed participant is not in this session",
        404, 0, 0 },
    [RS_E_HELLO_TIMEOUT] = {
        "hello_timeout", "The first message took too long",
        408, 4408, 0 },
    [RS_E_PEER_TIMEOUT] = {
        "peer_timeout", "Nothing was heard for too long",
        408, 4408, 0 },
    [RS_E_REPLACED] = {
        "replaced", "A newer connection took this place",
        409, 4409, 0 },
    [RS_E_DEVICE_REMOVED] = {
        "device_removed", "The device was removed",
        410, 4403, 0 },
    [RS_E_RESUME_TOO_OLD] = {
        "resume_too_old", "The position is no longer in the log; join anew",
        410, 4404, 0 },
    [RS_E_OVERLOADED] = {
        "overloaded", "The receiver is too slow or the gateway too busy",
        503, 1013, 1 },
    [RS_E_GOING_AWAY] = {
        "going_away", "This worker is leaving; come back",
        503, 1012, 1 },
};


static const rs_err_entry_t *
rs_err_entry(rs_err_e rc)
{
    if ((unsigned) rc >= RS_E_MAX) {
        rc = RS_E_INTERNAL;
    }

    return &rs_err_table[rc];
}


const char *
rs_err_code(rs_err_e rc)
{
    return rs_err_entry(rc)->code;
}


const char *
rs_err_title(rs_err_e rc)
{
    return rs_err_entry(rc)->title;
}


int
rs_err_http(rs_err_e rc)
{
    return rs_err_entry(rc)->http;
}


int
rs_err_ws_close(rs_err_e rc)
{
    return rs_err_entry(rc)->ws_close;
}


int
rs_err_retry_after(rs_err_e rc)
{
    return rs_err_entry(rc)->retry_after;
}


rs_err_e
rs_err_by_code(const void *code, size_t len)
{
    int  i;

    for (i = 0; i < RS_E_MAX; i++) {
        if (i != RS_AGAIN
            && strlen(rs_err_table[i].code) == len
            && memcmp(rs_err_table[i].code, code, len) == 0)
        {
            return (rs_err_e) i;
        }
    }

    return RS_E_INTERNAL;
}
