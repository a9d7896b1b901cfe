
/*
 * Copyright (C) rs-gateway contributors
 *
 * Messages of docs/protocol/: what clients say, taken apart strictly; what
 * the server says, where it needs no tree, written into a caller's buffer.
 * jansson does not show through: `data` of a signal leaves as compact bytes
 * and is opaque from then on.
 */


#ifndef _RS_MSG_H_INCLUDED_
#define _RS_MSG_H_INCLUDED_


#include "rs_str.h"
#include "rs_id.h"
#include "rs_json.h"


typedef enum {
    RS_MSG_CH_SIGNAL = 0,
    RS_MSG_CH_AGENT
} rs_msg_channel_e;


typedef enum {
    RS_MSG_NONE = 0,
    RS_MSG_SIGNAL,
    RS_MSG_STATE,
    RS_MSG_ICE,
    RS_MSG_BYE,
    RS_MSG_PING,
    RS_MSG_PONG,
    RS_MSG_HELLO,
    RS_MSG_ACCEPT,
    RS_MSG_REJECT
} rs_msg_type_e;


/* slices and body live until rs_msg_clear() */

typedef struct {
    rs_msg_type_e  type;

    uint64_t       id;             /* signal; also told with an error */
    rs_str_t       to;             /* signal: participant or empty */
    rs_str_t       body;           /* signal: data; state: path; compact */

    rs_str_t       session_id;     /* accept, reject */
    rs_str_t       reason;         /* reject, bye */
    rs_str_t       detail;         /* reject */

    rs_str_t       tenant;         /* hello */
    rs_str_t       device_id;
    uint8_t        signature[64];
    rs_str_t       agent;          /* {"agent":…,"displays":…}, compact */

    rs_json_err_t  err;            /* when rs_msg_parse failed */

    json_t        *root;           /* the parser's own */
    char          *dump;
} rs_msg_t;


/*
 * RS_OK or RS_E_INVALID_JSON, RS_E_UNKNOWN_TYPE, RS_E_UNKNOWN_FIELD,
 * RS_E_INVALID_VALUE with m->err told (and m->id, if one could be read).
 * Call rs_msg_clear() in either case.
 */
rs_err_e rs_msg_parse(rs_msg_t *m, rs_msg_channel_e channel, rs_str_t text);
void rs_msg_clear(rs_msg_t *m);


/* builders; a message that does not fit sets b->overflow */

void rs_msg_write_ack(rs_buf_t *b, uint64_t id);
void rs_msg_write_error(rs_buf_t *b, rs_err_e rc, rs_str_t detail,
    uint64_t id);                                     /* id 0: none */
void rs_msg_write_simple(rs_buf_t *b, const char *type);   /* ping, pong */
void rs_msg_write_goaway(rs_buf_t *b, uint64_t after_ms, uint64_t jitter_ms);
void rs_msg_write_resync(rs_buf_t *b, const rs_pos_t *pos);
void rs_msg_write_challenge(rs_buf_t *b, const uint8_t nonce[32],
    rs_str_t host);
void rs_msg_write_revoke(rs_buf_t *b, rs_str_t session_id, rs_str_t reason);
void rs_msg_write_signal(rs_buf_t *b, rs_str_t from, uint64_t id,
    const rs_pos_t *pos, rs_str_t data);
/* event: a JSON object; `position` is spliced in before its last brace */
void rs_msg_write_event(rs_buf_t *b, rs_str_t event, const rs_pos_t *pos);
/* ice: what rs_ice_json wrote */
void rs_msg_write_ice(rs_buf_t *b, rs_str_t ice);


#endif /* _RS_MSG_H_INCLUDED_ */
