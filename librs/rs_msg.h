
/*
 * Copyright (C) rs-gateway contributors
 *
 * WebSocket messages: what clients say, as typed structs, and what the
 * gateway says, but for the larger ones (welcome, invite, ice, joined).
 * docs/protocol/README.md, "WebSocket".
 */


#ifndef _RS_MSG_H_INCLUDED_
#define _RS_MSG_H_INCLUDED_


#include "rs_id.h"
#include "rs_json.h"
#include "rs_endpoint.h"


#define RS_MSG_SIZE_MAX        (1024 * 1024)   /* bytes of a message */
#define RS_MSG_INFO_MAX        4096            /* agent and displays, JSON */
#define RS_MSG_INPUT_MAX       16384           /* data of `input`, JSON */
#define RS_MSG_REASON_MAX      512             /* characters */
#define RS_MSG_SIGNATURE_LEN   64
#define RS_MSG_ID_MAX          ((int64_t) 1 << 53)
#define RS_MSG_PLACES_MAX      1000            /* of a service */


typedef enum {
    RS_CHANNEL_SIGNAL = 1,
    RS_CHANNEL_AGENT = 2
} rs_channel_e;


typedef enum {
    RS_MSG_NONE = 0,
    RS_MSG_SIGNAL,                    /* signal: to, id, data */
    RS_MSG_INPUT,                     /* signal: to, data */
    RS_MSG_STATE,                     /* signal: path */
    RS_MSG_ICE,                       /* signal */
    RS_MSG_CONTROL,                   /* signal: control, to */
    RS_MSG_PIPE,                      /* signal: id, to, pipe_id */
    RS_MSG_HELLO,                     /* agent: tenant, device_id, signature,
                                         agent, displays */
    RS_MSG_ACCEPT,                    /* agent: session_id */
    RS_MSG_REJECT,                    /* agent: session_id, reject, reason,
                                         comment */
    RS_MSG_ROTATE,                    /* agent: public_key, signature, proof */
    RS_MSG_CONSENT,                   /* agent: session_id, participant_id,
                                         consent, reason */
    RS_MSG_TUNNEL,                    /* agent: tunnel_id, pipe_id, refuse,
                                         reason, comment */
    RS_MSG_LOAD,                      /* agent: load */
    RS_MSG_QUEUED,                    /* agent: session_id, place */
    RS_MSG_RECORDING,                 /* agent: recording, reason, comment */
    RS_MSG_BYE,                       /* both: reason */
    RS_MSG_PING,                      /* both */
    RS_MSG_PONG                       /* both */
} rs_msg_type_e;


typedef enum {
    RS_REJECT_CONSENT_DENIED = 0,
    RS_REJECT_CONSENT_TIMEOUT,
    RS_REJECT_POLICY,
    RS_REJECT_BUSY,
    RS_REJECT_NO_DISPLAY,
    RS_REJECT_FAILED                  /* services only */
} rs_reject_e;


/* what the person at a device says of a participant */

typedef enum {
    RS_CONSENT_WAITING = 0,           /* nothing yet, but was asked */
    RS_CONSENT_GIVEN,
    RS_CONSENT_DENIED,
    RS_CONSENT_TIMEOUT
} rs_consent_e;


/* why a device opens no pipe */

typedef enum {
    RS_REFUSE_TARGET_REFUSED = 0,
    RS_REFUSE_TARGET_UNREACHABLE,
    RS_REFUSE_POLICY,
    RS_REFUSE_BUSY
} rs_refuse_e;


/* how busy a service is: sessions it can serve, serves, has in its queue,
   and has room for there; each at most RS_MSG_PLACES_MAX */

typedef struct {
    unsigned         capacity;
    unsigned         used;
    unsigned         queued;
    unsigned         queue;
} rs_msg_load_t;


/* what a recorder says of a recording, and why */

typedef enum {
    RS_RECORDING_BEGIN = 0,           /* session_id, id */
    RS_RECORDING_FAILED,              /* session_id, reason */
    RS_RECORDING_END,                 /* session_id, id, reason and numbers */
    RS_RECORDING_GONE                 /* id */
} rs_recording_e;

typedef enum {
    RS_RECORDED_ENDED = 0,            /* end: as the session did */
    RS_RECORDED_LOST,                 /* end: the way to it was */
    RS_RECORDED_DISK_FULL,            /* both */
    RS_RECORDED_ERROR,                /* both */
    RS_RECORDED_RECOVERED,            /* end: found after a crash */
    RS_RECORDED_HOST_REFUSED,         /* failed */
    RS_RECORDED_NO_MEDIA              /* failed */
} rs_recorded_e;

typedef struct {
    rs_recording_e   op;
    rs_recorded_e    reason;
    rs_str_t         id;
    uint64_t         duration_ms;
    uint64_t         bytes;
    rs_str_t         sha256;          /* 64 hex */
    uint64_t         gaps;
    uint64_t         expires_at;      /* s; 0: none */
} rs_msg_recording_t;


/* what is wanted of the control token */

typedef enum {
    RS_CONTROL_REQUEST = 0,
    RS_CONTROL_RELEASE,
    RS_CONTROL_GRANT,                 /* to whom */
    RS_CONTROL_TAKE,
    RS_CONTROL_LOCK,
    RS_CONTROL_UNLOCK
} rs_control_e;


/* slices live until rs_msg_free(); what a type does not have is empty */

typedef struct {
    rs_msg_type_e    type;

    rs_str_t         to;              /* empty: all others */
    uint64_t         id;              /* >= 1 */
    rs_str_t         data;            /* compact JSON */

    rs_str_t         path;            /* compact JSON object */

    rs_str_t         tenant;
    rs_str_t         device_id;
    uint8_t          signature[RS_MSG_SIGNATURE_LEN];
    uint8_t          proof[RS_MSG_SIGNATURE_LEN];
    rs_str_t         public_key;      /* rs_devkey_check() has seen it */
    rs_str_t         agent;           /* compact JSON object or empty */
    rs_str_t         displays;        /* compact JSON array or empty */

    rs_str_t         session_id;
    rs_str_t         participant_id;
    rs_str_t         tunnel_id;
    rs_str_t         pipe_id;
    rs_reject_e      reject;
    rs_refuse_e      refuse;
    rs_consent_e     consent;
    rs_control_e     control;
    rs_msg_load_t    load;
    unsigned         place;           /* in the queue, the first is 1 */
    rs_msg_recording_t  recording;
    rs_str_t         reason;          /* bye; of reject, consent, control,
                                         refuse and recording: the same as a
                                         word */
    rs_str_t         comment;         /* reject, tunnel, recording: `detail` */

    /* of an error; error.text is a sentence for the client */
    rs_json_error_t  error;

    /* private */
    json_t          *json;
    char            *dump[2];
    char             name[RS_ID_LEN];
} rs_msg_t;


/* what a device is asked to open */

typedef struct {
    rs_str_t         tunnel_id;
    rs_str_t         pipe_id;
    rs_str_t         ticket;
    rs_endpoint_t    target;
    rs_str_t         command;         /* compact JSON, in place of target;
                                         empty: none */
    rs_str_t         protocol;        /* tcp, udp */
    rs_str_t         kind;            /* of who asks: key, user */
    rs_str_t         id;
    rs_str_t         name;            /* may be empty */
    rs_str_t         label;           /* the same */
    uint64_t         expires_at;      /* of the ticket, s */
} rs_msg_open_t;


/*
 * RS_OK: the caller calls rs_msg_free().  Else nothing is to be freed and
 * msg->error says what is wrong:
 * RS_E_INVALID_JSON: not one acceptable JSON object; RS_E_UNKNOWN_TYPE;
 * RS_E_UNKNOWN_FIELD; RS_E_INVALID_VALUE; RS_E_WS_TOO_BIG: longer than
 * RS_MSG_SIZE_MAX, or `data` is longer as compact JSON than the message was
 * and 4 KiB (numbers can grow); RS_E_INTERNAL: no memory.  `data` of an
 * `input` above RS_MSG_INPUT_MAX is RS_E_INVALID_VALUE.
 * msg->id is set also when a `signal` is refused, if it has a valid one, for
 * the `error` that answers it; else 0.
 */
rs_err_e rs_msg_parse(rs_msg_t *msg, rs_channel_e channel, const void *data,
    size_t len);
void rs_msg_free(rs_msg_t *msg);

const char *rs_reject_name(rs_reject_e reject);
/* "begin"; constants, "end" and "error" out of range */
const char *rs_recording_name(rs_recording_e op);
const char *rs_recorded_name(rs_recorded_e reason);
/* what the client of the pipe is told */
rs_err_e rs_refuse_err(rs_refuse_e refuse);

/*
 * Builders append one whole JSON object; check b->overflow.  Slices must be
 * well formed already (ids, positions, codes) or valid UTF-8 (text), which is
 * escaped.
 */

void rs_msg_write_ping(rs_buf_t *b);
void rs_msg_write_pong(rs_buf_t *b);
void rs_msg_write_ack(rs_buf_t *b, uint64_t id);
/* text empty: the title of rc; id 0: none */
void rs_msg_write_error(rs_buf_t *b, rs_err_e rc, rs_str_t text, uint64_t id);
void rs_msg_write_goaway(rs_buf_t *b, uint64_t after_ms, uint64_t jitter_ms);
void rs_msg_write_resync(rs_buf_t *b, const rs_pos_t *position);
void rs_msg_write_ended(rs_buf_t *b, rs_str_t reason,
    const rs_pos_t *position);
/* identity: JSON, put in as it is; empty: none */
void rs_msg_write_challenge(rs_buf_t *b, unsigned api_version,
    const uint8_t nonce[32], rs_str_t host, rs_str_t identity);
void rs_msg_write_rotated(rs_buf_t *b, rs_str_t public_key);
void rs_msg_write_revoke(rs_buf_t *b, rs_str_t session_id, rs_str_t reason);
/* op: "ok", "delete"; of a recording, or (id empty) of a session */
void rs_msg_write_recording(rs_buf_t *b, const char *op, rs_str_t session_id,
    rs_str_t recording_id, const char *to);
void rs_msg_write_open(rs_buf_t *b, const rs_msg_open_t *open);
/* one pipe is no longer wanted */
void rs_msg_write_cut(rs_buf_t *b, rs_str_t pipe_id, rs_str_t reason);
/* side: client, host */
void rs_msg_write_pipe(rs_buf_t *b, uint64_t id, rs_str_t pipe_id,
    rs_str_t side, rs_str_t ticket);

/* id: decimal text; data: JSON, put in as it is */
void rs_msg_write_signal(rs_buf_t *b, rs_str_t from, rs_str_t id,
    const rs_pos_t *position, rs_str_t data);
void rs_msg_write_input(rs_buf_t *b, rs_str_t from, rs_str_t data);

/*
 * body: a JSON object of the store without `position`, which is put in before
 * its final brace.  RS_OK or RS_E_INVALID_VALUE: no object.
 */
rs_err_e rs_msg_write_event(rs_buf_t *b, rs_str_t body,
    const rs_pos_t *position);

/* room enough for what any of the above adds to its slices */
#define RS_MSG_WRITE_MAX       256


#endif /* _RS_MSG_H_INCLUDED_ */
