
/*
 * Copyright (C) rs-gateway contributors
 *
 * RFC 6455, 5: frames.  The reader works on the caller's receive buffer,
 * unmasks in place, checks everything as early as it can be seen, and joins
 * fragments into a buffer which the caller lends when it is needed.
 *
 *     recv ->  [ ....pos=======last....... ]   rs_ws_read(&r, &pos, last, &ev)
 *
 * A message in one frame, wholly in the buffer, is given without a copy.
 */


#ifndef _RS_WS_FRAME_H_INCLUDED_
#define _RS_WS_FRAME_H_INCLUDED_


#include "rs_str.h"
#include "rs_utf8.h"


#define RS_WS_HEADER_MAX    14
#define RS_WS_CONTROL_MAX   125

typedef enum {
    RS_WS_CONT = 0x0,
    RS_WS_TEXT = 0x1,
    RS_WS_BINARY = 0x2,
    RS_WS_CLOSE = 0x8,
    RS_WS_PING = 0x9,
    RS_WS_PONG = 0xa
} rs_ws_opcode_e;


/*
 * Memory for a message that cannot be given from the receive buffer: size
 * bytes, keeping the first used ones of data (NULL at first).  Never asked
 * for more than max_message.  NULL: RS_E_OVERLOADED.  The caller frees it by
 * rs_ws_reader_t's msg after the message was handled, or at the end.
 */
typedef uint8_t *(*rs_ws_grow_pt)(void *ctx, uint8_t *data, size_t used,
    size_t size);


typedef struct {
    /* set by rs_ws_reader_init */
    size_t           max_message;
    unsigned         max_fragments;
    unsigned         client;         /* 1: we are the client (no masks) */
    unsigned         binary;         /* 1: binary messages are taken */
    rs_ws_grow_pt    grow;
    void            *ctx;

    /* the message being joined; msg belongs to the caller, via grow */
    uint8_t         *msg;
    size_t           msg_len;
    size_t           msg_size;

    /* the rest is the reader's own */
    uint8_t          head[RS_WS_HEADER_MAX];
    uint8_t          head_len;
    uint8_t          opcode;         /* of this frame */
    uint8_t          message;        /* opcode of the message under way */
    uint8_t          fin;
    uint8_t          in_payload;
    uint8_t          mask[4];
    uint64_t         left;           /* payload bytes of this frame to come */
    uint64_t         done;           /* payload bytes of this frame read */
    unsigned         fragments;
    rs_utf8_t        utf8;
    uint8_t          control[RS_WS_CONTROL_MAX];
    uint8_t          control_len;
} rs_ws_reader_t;


typedef struct {
    rs_ws_opcode_e   type;     /* TEXT, BINARY, CLOSE, PING, PONG */
    uint8_t         *data;     /* until the buffer moves or the next read */
    size_t           len;
    unsigned         code;     /* CLOSE: the peer's code, 1005 if none */
} rs_ws_event_t;


void rs_ws_reader_init(rs_ws_reader_t *r, size_t max_message,
    unsigned max_fragments, rs_ws_grow_pt grow, void *ctx);

/*
 * Reads from *pos up to last.  RS_OK: *ev is one message or control frame,
 * *pos is behind it, call again.  RS_AGAIN: all bytes were taken.  Else the
 * error to close with; do not call again.
 * A message in msg is valid until the next call; then set msg_len = 0 (the
 * reader does so itself at the next message) and keep or free msg (then set
 * msg = NULL, msg_size = 0).
 */
rs_err_e rs_ws_read(rs_ws_reader_t *r, uint8_t **pos, uint8_t *last,
    rs_ws_event_t *ev);

/* unmasked header with FIN; at most RS_WS_HEADER_MAX bytes, the length */
size_t rs_ws_head(uint8_t *out, rs_ws_opcode_e opcode, size_t len);
/* the same for a client; the payload is to be masked by rs_ws_mask */
size_t rs_ws_head_masked(uint8_t *out, rs_ws_opcode_e opcode, size_t len,
    const uint8_t mask[4]);
void rs_ws_mask(uint8_t *data, size_t len, const uint8_t mask[4]);
/* an unmasked close frame, reason cut to fit; at most 127 bytes */
size_t rs_ws_close_frame(uint8_t *out, unsigned code, rs_str_t reason);
/* 7.4: a code a peer may send */
int rs_ws_close_code_valid(unsigned code);


#endif /* _RS_WS_FRAME_H_INCLUDED_ */
