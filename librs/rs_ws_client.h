
/*
 * Copyright (C) rs-gateway contributors
 *
 * RFC 6455, the client's side of a byte pipe: what asks for the upgrade, what
 * the answer has to be, and a reader that gives binary messages in pieces, as
 * they come.  Nothing here allocates or keeps a payload, so a message may be
 * longer than any buffer; what it may be at most, the caller says.
 */


#ifndef _RS_WS_CLIENT_H_INCLUDED_
#define _RS_WS_CLIENT_H_INCLUDED_


#include "rs_ws_frame.h"
#include "rs_ws_handshake.h"


#define RS_WS_RESPONSE_MAX     8192    /* bytes of an answer's header */
#define RS_WS_RETRY_MAX        300     /* s, of Retry-After */


typedef struct {
    rs_str_t         path;            /* from "/" on */
    rs_str_t         host;            /* host[:port] */
    rs_str_t         agent;           /* User-Agent */
    rs_str_t         key;             /* base64 of 16 random bytes */
    const rs_str_t  *protocols;       /* tokens; the first one is to be
                                         echoed */
    size_t           n;
} rs_ws_request_t;


/*
 * 4.1.  RS_OK; RS_E_INVALID_VALUE: something in there would break out of its
 * line, or does not fit.
 */
rs_err_e rs_ws_request(rs_buf_t *b, const rs_ws_request_t *request);


typedef struct {
    unsigned         status;          /* of HTTP; 0: none was read */
    unsigned         retry_after;     /* s, at most RS_WS_RETRY_MAX */
    size_t           size;            /* of the header: frames follow */
} rs_ws_response_t;


/*
 * 4.1, what a client has to check.  bytes: all that came so far.
 * RS_OK: it is ours.  RS_AGAIN: more bytes are needed.  RS_E_UNAVAILABLE: the
 * server answered something else than 101.  RS_E_BAD_HANDSHAKE: not HTTP/1.1,
 * longer than RS_WS_RESPONSE_MAX, or not an answer to this key and protocol.
 */
rs_err_e rs_ws_response(rs_str_t bytes, rs_str_t key, rs_str_t protocol,
    rs_ws_response_t *response);


typedef struct {
    unsigned         opcode;          /* BINARY, CLOSE, PING or PONG */
    const uint8_t   *data;            /* of CLOSE: its reason */
    size_t           len;
    unsigned         last:1;          /* BINARY: the message ends with it */
    uint16_t         close_code;      /* CLOSE: the peer's, or 1005 */
} rs_ws_piece_t;


/* private */

typedef struct {
    uint64_t         max_message;
    uint8_t          header[RS_WS_HEADER_MAX];
    uint8_t          have;            /* of the header */
    uint8_t          need;

    unsigned         in_payload:1;
    unsigned         in_message:1;    /* between first and last fragment */
    unsigned         fin:1;
    unsigned         closed:1;
    unsigned         opcode;
    uint64_t         left;            /* of this frame's payload */
    uint64_t         len;             /* of this message, with this frame */
    rs_err_e         failed;

    uint8_t          control[RS_WS_CONTROL_MAX];
    uint8_t          got;             /* of control */
} rs_ws_pieces_t;


/* max_message in bytes, over all its fragments */
void rs_ws_pieces_init(rs_ws_pieces_t *r, uint64_t max_message);

/*
 * Reads from [*pos, last) until there is something to say.
 * RS_OK: *piece is part of a binary message, or a control frame; *pos is
 * behind it.  A piece without bytes is the end of a message, so one that is
 * nothing else is an empty message.  data points into the caller's bytes (of
 * a control frame into the reader).  RS_AGAIN: all was taken, more bytes are
 * needed.  RS_E_WS_PROTOCOL, _UNSUPPORTED (text), _UTF8 (of a close frame),
 * _TOO_BIG: close with rs_err_ws_close(), each further call says the same.
 * After a close frame all bytes are taken and ignored.
 */
rs_err_e rs_ws_pieces_read(rs_ws_pieces_t *r, const uint8_t **pos,
    const uint8_t *last, rs_ws_piece_t *piece);


#endif /* _RS_WS_CLIENT_H_INCLUDED_ */
