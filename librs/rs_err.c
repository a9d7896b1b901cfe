
/*
 * Copyright (C) rs-gateway contributors
 *
 * The table of errors; nobody else names a status or a close code.
 */


#include "rs_err.h"


typedef struct {
    const char  *code;
    uint16_t     http;
    uint16_t     ws_close;        /* 0: the socket stays open */
    uint16_t     retry_after;
    const char  *title;
} rs_err_entry_t;


static const rs_err_entry_t  rs_err_table[RS_E_MAX] = {
    [RS_E_BAD_REQUEST] = {
        "bad_request", 400, 0, 0,
        "The request is malformed"
    },
    [RS_E_INVALID_JSON] = {
        "invalid_json", 400, 1007, 0,
        "The body is not acceptable JSON"
    },
    [RS_E_INVALID_VALUE] = {
        "invalid_value", 422, 0, 0,
        "A value is missing, of the wrong type or out of range"
    },
    [RS_E_UNKNOWN_FIELD] = {
        "unknown_field", 422, 0, 0,
        "A field is not known"
    },
    [RS_E_UNSUPPORTED_MEDIA_TYPE] = {
        "unsupported_media_type", 415, 0, 0,
        "Content-Type must be application/json"
    },
    [RS_E_BODY_TOO_LARGE] = {
        "body_too_large", 413, 0, 0,
        "The body is larger than this gateway takes"
    },
    [RS_E_UNAUTHENTICATED] = {
        "unauthenticated", 401, 4401, 0,
        "The credential is missing, unknown or used up"
    },
    [RS_E_FORBIDDEN] = {
        "forbidden", 403, 4403, 0,
        "The credential does not allow this"
    },
    [RS_E_ORIGIN_FORBIDDEN] = {
        "origin_forbidden", 403, 4403, 0,
        "The Origin of the page is not on the list"
    },
    [RS_E_ENROLLMENT_INVALID] = {
        "enrollment_invalid", 403, 0, 0,
        "The enrolment token is unknown, expired, revoked or used up"
    },
    [RS_E_LINK_INVALID] = {
        "link_invalid", 403, 0, 0,
        "The link is unknown, expired, used up or locked, or the PIN is wrong"
    },
    [RS_E_PIN_REQUIRED] = {
        "pin_required", 403, 0, 0,
        "The link asks for a PIN"
    },
    [RS_E_NOT_FOUND] = {
        "not_found", 404, 4404, 0,
        "There is no such object"
    },
    [RS_E_METHOD_NOT_ALLOWED] = {
        "method_not_allowed", 405, 0, 0,
        "The method is not allowed here"
    },
    [RS_E_DEVICE_OFFLINE] = {
        "device_offline", 409, 0, 0,
        "The device has no control channel open"
    },
    [RS_E_RECORDER_OFFLINE] = {
        "recorder_offline", 409, 0, 0,
        "There is no recorder, and the session has to be recorded"
    },
    [RS_E_NOT_RECORDED] = {
        "not_recorded", 409, 0, 0,
        "The session has to be recorded, and is not yet"
    },
    [RS_E_CONFLICT] = {
        "conflict", 409, 0, 0,
        "The object is not in a state that allows this"
    },
    [RS_E_PARTICIPANTS_FULL] = {
        "participants_full", 409, 0, 0,
        "The session has as many participants as it may"
    },
    [RS_E_CONTROL_LOCKED] = {
        "control_locked", 409, 0, 0,
        "Control of the session is locked"
    },
    [RS_E_SESSION_ENDED] = {
        "session_ended", 410, 4410, 0,
        "The session has ended"
    },
    [RS_E_PRECONDITION_FAILED] = {
        "precondition_failed", 412, 0, 0,
        "If-Match does not match the current version"
    },
    [RS_E_PRECONDITION_REQUIRED] = {
        "precondition_required", 428, 0, 0,
        "If-Match is required"
    },
    [RS_E_IDEMPOTENCY_MISMATCH] = {
        "idempotency_mismatch", 422, 0, 0,
        "This Idempotency-Key was used with another body"
    },
    [RS_E_RATE_LIMITED] = {
        "rate_limited", 429, 1008, 1,
        "Too many requests or messages"
    },
    [RS_E_LIMIT_REACHED] = {
        "limit_reached", 429, 0, 1,
        "A quota is used up"
    },
    [RS_E_BAD_HANDSHAKE] = {
        "bad_handshake", 400, 0, 0,
        "This is not a valid WebSocket handshake"
    },
    [RS_E_UPGRADE_REQUIRED] = {
        "upgrade_required", 426, 0, 0,
        "This path speaks WebSocket version 13"
    },
    [RS_E_UNAVAILABLE] = {
        "unavailable", 503, 1013, 1,
        "The store cannot be reached"
    },
    [RS_E_UNCERTAIN] = {
        "uncertain", 503, 1013, 1,
        "Done, but not yet confirmed by a replica of the store"
    },
    [RS_E_INTERNAL] = {
        "internal", 500, 1011, 0,
        "The gateway failed"
    },
    [RS_E_WS_PROTOCOL] = {
        "ws_protocol", 400, 1002, 0,
        "A frame breaks RFC 6455"
    },
    [RS_E_WS_UNSUPPORTED] = {
        "ws_unsupported", 400, 1003, 0,
        "Frames of this kind are not taken here"
    },
    [RS_E_WS_UTF8] = {
        "ws_utf8", 400, 1007, 0,
        "A text message is not UTF-8"
    },
    [RS_E_WS_TOO_BIG] = {
        "ws_too_big", 413, 1009, 0,
        "A message is larger than the limit"
    },
    [RS_E_WS_FRAGMENTS] = {
        "ws_fragments", 413, 1009, 0,
        "A message has more fragments than the limit"
    },
    [RS_E_BEFORE_WELCOME] = {
        "before_welcome", 400, 1002, 0,
        "A message came before it was its turn"
    },
    [RS_E_UNKNOWN_TYPE] = {
        "unknown_type", 400, 0, 0,
        "The message type is not known on this channel"
    },
    [RS_E_UNKNOWN_PEER] = {
        "unknown_peer", 404, 0, 0,
        "The addressed participant is not in this session"
    },
    [RS_E_HELLO_TIMEOUT] = {
        "hello_timeout", 408, 4408, 0,
        "The first message took too long"
    },
    [RS_E_PEER_TIMEOUT] = {
        "peer_timeout", 408, 4408, 0,
        "Nothing was heard for too long"
    },
    [RS_E_REPLACED] = {
        "replaced", 409, 4409, 0,
        "A newer connection took this place"
    },
    [RS_E_DEVICE_REMOVED] = {
        "device_removed", 410, 4403, 0,
        "The device was removed"
    },
    [RS_E_DEVICE_QUARANTINED] = {
        "device_quarantined", 403, 4403, 0,
        "The device's key is in use on two machines"
    },
    [RS_E_RESUME_TOO_OLD] = {
        "resume_too_old", 410, 4404, 0,
        "The position is no longer in the log; join anew"
    },
    [RS_E_OVERLOADED] = {
        "overloaded", 503, 1013, 1,
        "The receiver is too slow or the gateway too busy"
    },
    [RS_E_GOING_AWAY] = {
        "going_away", 503, 1012, 1,
        "This worker is leaving; come back"
    },
    [RS_E_DRAINING] = {
        "draining", 503, 0, 1,
        "This node is being drained; another one serves"
    },
    [RS_E_WRONG_NODE] = {
        "wrong_node", 421, 0, 0,
        "Another node answers than the one that is named"
    },
    [RS_E_PIPE_BROKEN] = {
        "pipe_broken", 502, 4502, 0,
        "The other end of the pipe is gone"
    },
    [RS_E_PIPE_TIMEOUT] = {
        "pipe_timeout", 504, 4504, 0,
        "The other end of the pipe did not come"
    },
    [RS_E_PIPE_IDLE] = {
        "pipe_idle", 408, 4408, 0,
        "Nothing went through the pipe for too long"
    },
    [RS_E_PIPE_UNREACHABLE] = {
        "pipe_unreachable", 503, 1013, 1,
        "The worker with the other end of the pipe cannot be reached"
    },
    [RS_E_TARGET_REFUSED] = {
        "target_refused", 502, 4521, 0,
        "The target of the tunnel refused the connection"
    },
    [RS_E_TARGET_UNREACHABLE] = {
        "target_unreachable", 504, 4522, 0,
        "The target of the tunnel cannot be reached"
    },
    [RS_E_TUNNEL_ENDED] = {
        "tunnel_ended", 410, 4410, 0,
        "The tunnel has ended"
    },
    [RS_E_RENDERERS_FULL] = {
        "renderers_full", 503, 0, 1,
        "All renderers are busy, and so are their queues"
    }
};


static const rs_err_entry_t *
rs_err_entry(rs_err_e rc)
{
    if ((unsigned) rc < RS_E_MAX && rs_err_table[rc].code != NULL) {
        return &rs_err_table[rc];
    }

    return &rs_err_table[RS_E_INTERNAL];
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


unsigned
rs_err_http(rs_err_e rc)
{
    return rs_err_entry(rc)->http;
}


unsigned
rs_err_ws_close(rs_err_e rc)
{
    return rs_err_entry(rc)->ws_close;
}


unsigned
rs_err_retry_after(rs_err_e rc)
{
    return rs_err_entry(rc)->retry_after;
}


rs_err_e
rs_err_by_code(rs_str_t code)
{
    unsigned  i;

    if (rs_str_eq(code, RS_STR("ok"))) {
        return RS_OK;
    }

    for (i = 0; i < RS_E_MAX; i++) {
        if (rs_err_table[i].code != NULL
            && rs_str_eq(code, rs_str(rs_err_table[i].code)))
        {
            return (rs_err_e) i;
        }
    }

    return RS_E_INTERNAL;
}
