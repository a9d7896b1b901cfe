
/*
 * Copyright (C) rs-gateway contributors
 *
 * RFC 6455, 5: from a leg of a byte pipe to the other one.  Frames as they
 * come in become frames as they go out, in the same memory: unmasked and moved
 * together in one pass, a header in front of what there is.  A frame of which
 * a part has come goes on as a fragment, so nothing waits for the rest and no
 * message needs a buffer.  Borders of messages stay, those of fragments do
 * not.  Control frames are taken out and told.
 *
 *     memory   |....sent....|....|  received now      |      |
 *                                ^                    ^
 *                                out   >= GAP   *pos  last
 *
 * Never allocates.
 */


#ifndef _RS_WS_PIPE_H_INCLUDED_
#define _RS_WS_PIPE_H_INCLUDED_


#include "rs_ws_frame.h"


/* the longest header without mask: of a frame that goes on */
#define RS_WS_PIPE_GAP         10

/* of one message, all its fragments; docs/protocol/pipe.md */
#define RS_WS_PIPE_MESSAGE     (1024 * 1024)


/* private, but for bytes */

typedef struct {
    uint64_t        bytes;            /* of messages, that went out */

    unsigned        bare;             /* frames come without mask */

    uint8_t         header[RS_WS_HEADER_MAX];
    uint8_t         have;             /* of the header */
    uint8_t         need;

    unsigned        in_payload:1;
    unsigned        in_message:1;     /* between first and last frame */
    unsigned        told:1;           /* a part of the message went out */
    unsigned        closed:1;
    unsigned        fin;
    unsigned        opcode;
    rs_err_e        failed;

    uint8_t         mask[4];
    uint64_t        payload;          /* of this frame */
    uint64_t        got;              /* of it, so far */
    uint64_t        message;          /* bytes of it, so far */

    uint8_t         control[RS_WS_CONTROL_MAX];
} rs_ws_pipe_t;


/* bare: frames must come without mask (a link), else with one (a client) */
void rs_ws_pipe_init(rs_ws_pipe_t *p, unsigned bare);

/*
 * Takes [*pos, last) and writes whole frames, not masked, from *out on, which
 * is moved behind them.  *pos - *out >= RS_WS_PIPE_GAP when bytes that were
 * received are given for the first time.
 * RS_OK: *ev is a control frame (its data is p's), *pos behind it: call again.
 * RS_AGAIN: all was taken.  RS_E_WS_PROTOCOL, _UNSUPPORTED (text), _UTF8 (of
 * a close frame), _TOO_BIG: close with rs_err_ws_close(); what was written
 * before is good.  After an error each call gives the same one; after a close
 * frame all bytes are taken and ignored.
 */
rs_err_e rs_ws_pipe_read(rs_ws_pipe_t *p, uint8_t **out, uint8_t **pos,
    uint8_t *last, rs_ws_event_t *ev);

/* 1: it ended within a message, so what went out is not whole */
int rs_ws_pipe_within(const rs_ws_pipe_t *p);


#endif /* _RS_WS_PIPE_H_INCLUDED_ */
