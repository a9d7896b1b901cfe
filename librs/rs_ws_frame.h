
/*
 * Copyright (C) rs-gateway contributors
 *
 * RFC 6455, 5: frames.  The reader takes bytes as they come, in pieces of any
 * size, and gives whole text messages and control frames.
 *
 * Memory: a text message that came in one frame and stands whole in the
 * caller's buffer is unmasked there and given as a slice of it.  Any other is
 * put together in memory of the reader, which grows (doubling) with what was
 * received, never with what a header claims, and never past max_message; it
 * is freed by rs_ws_reader_release() or with the next message.  A reader in
 * between two messages holds no memory after rs_ws_reader_release().
 */


#ifndef _RS_WS_FRAME_H_INCLUDED_
#define _RS_WS_FRAME_H_INCLUDED_


#include "rs_err.h"
#include "rs_utf8.h"


/* opcodes, 5.2 */
#define RS_WS_CONT             0x0
#define RS_WS_TEXT             0x1
#define RS_WS_BINARY           0x2
#define RS_WS_CLOSE            0x8
#define RS_WS_PING             0x9
#define RS_WS_PONG             0xa

#define RS_WS_CONTROL_MAX      125     /* payload of a control frame, 5.5 */
#define RS_WS_HEADER_MAX       14      /* with mask */
#define RS_WS_REASON_MAX       (RS_WS_CONTROL_MAX - 2)

#define RS_WS_NO_STATUS        1005    /* a close frame without code, 7.1.5 */


/*
 * realloc(): p NULL allocates, size 0 frees and returns NULL.  NULL for
 * another size: no memory, p stays.
 */
typedef void *(*rs_ws_resize_pt)(void *data, void *p, size_t size);


typedef struct {
    unsigned        opcode;           /* TEXT, CLOSE, PING or PONG */

    /*
     * The payload (of a close frame its reason), unmasked.  Valid until the
     * next call of the reader or until the caller's buffer moves.  Writable.
     */
    uint8_t        *data;
    size_t          len;

    uint16_t        close_code;       /* CLOSE: the peer's, or 1005 */
} rs_ws_event_t;


/* private but for resize and resize_data, which may be set after init */

typedef struct {
    size_t          max_message;
    unsigned        max_frames;
    unsigned        client;           /* we are the client: frames come bare */

    rs_ws_resize_pt  resize;
    void           *resize_data;

    uint8_t         header[RS_WS_HEADER_MAX];
    uint8_t         have;             /* of the header */
    uint8_t         need;

    unsigned        in_payload:1;
    unsigned        in_message:1;     /* between first and last fragment */
    unsigned        delivered:1;      /* buf was given to the caller */
    unsigned        closed:1;
    rs_err_e        failed;

    unsigned        opcode;
    unsigned        fin;
    uint8_t         mask[4];
    uint64_t        payload;          /* of this frame */
    uint64_t        got;              /* of it, so far */

    unsigned        frames;           /* of this message */
    rs_utf8_t       utf8;
    uint8_t        *buf;
    size_t          len;
    size_t          size;

    uint8_t         control[RS_WS_CONTROL_MAX];
} rs_ws_reader_t;


/*
 * For a server: frames must be masked.  max_message in bytes, max_frames of
 * one message, continuation frames included; both >= 1.
 */
void rs_ws_reader_init(rs_ws_reader_t *r, size_t max_message,
    unsigned max_frames);
/* for a client: frames must not be masked */
void rs_ws_reader_init_client(rs_ws_reader_t *r, size_t max_message,
    unsigned max_frames);
/* frees a message that was given out, if there is one; call it when idle */
void rs_ws_reader_release(rs_ws_reader_t *r);
/* frees everything; the reader may be thrown away */
void rs_ws_reader_destroy(rs_ws_reader_t *r);

/*
 * Reads from [*pos, last), which it may change, until something is whole.
 * RS_OK: *ev is a text message or a control frame, *pos is behind it; call
 * again.  RS_AGAIN: all was taken (*pos == last), more bytes are needed.
 * RS_E_WS_PROTOCOL, _UNSUPPORTED (binary), _UTF8, _TOO_BIG, _FRAGMENTS: close
 * with rs_err_ws_close(); RS_E_INTERNAL: no memory.  After an error each call
 * gives the same one; after a close frame all bytes are taken and ignored.
 */
rs_err_e rs_ws_read(rs_ws_reader_t *r, uint8_t **pos, uint8_t *last,
    rs_ws_event_t *ev);


/*
 * Header of an unfragmented frame; dst: RS_WS_HEADER_MAX.  The length is
 * returned.
 */
size_t rs_ws_header(uint8_t *dst, unsigned opcode, uint64_t len);
/* the same of a client; the payload must then go through rs_ws_mask() */
size_t rs_ws_header_masked(uint8_t *dst, unsigned opcode, uint64_t len,
    const uint8_t mask[4]);

/* 5.3, both ways; offset: of data[0] in the payload */
void rs_ws_mask(uint8_t *data, size_t len, const uint8_t mask[4],
    uint64_t offset);

/* 7.4: may be sent in a close frame */
int rs_ws_close_code_valid(unsigned code);

/*
 * Payload of a close frame, dst: RS_WS_CONTROL_MAX; reason is cut to 123
 * bytes between characters.  The length; code 0 or RS_WS_NO_STATUS gives 0.
 */
size_t rs_ws_close_payload(uint8_t *dst, unsigned code, rs_str_t reason);


#endif /* _RS_WS_FRAME_H_INCLUDED_ */
