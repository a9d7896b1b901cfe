
/*
 * Copyright (C) rs-gateway contributors
 *
 * The messages that travel inside of a sealed pipe between a viewer and its
 * host: data channels, frames of the picture, and what came of them.
 * docs/protocol/peer.md, "Over a pipe".
 */


#ifndef _RS_CARRY_H_INCLUDED_
#define _RS_CARRY_H_INCLUDED_


#include "rs_err.h"


#define RS_CARRY_LABEL_MAX   32              /* of a channel, bytes */
#define RS_CARRY_CHANNELS    16              /* numbers from 0 */
#define RS_CARRY_TEXT_MAX    65536           /* of a channel's message */
#define RS_CARRY_CLIENT_MAX  (RS_CARRY_TEXT_MAX + 2)
#define RS_CARRY_VIDEO_LEN   15              /* in front of a frame */
#define RS_CARRY_HEAD_MAX    22


typedef enum {
    RS_CARRY_OPEN = 1,                       /* viewer -> host */
    RS_CARRY_TEXT,                           /* both */
    RS_CARRY_BINARY,                         /* both */
    RS_CARRY_CLOSE,                          /* both */
    RS_CARRY_SEEN,                           /* viewer -> host */
    RS_CARRY_VIDEO,                          /* host -> viewer */
    RS_CARRY_START                           /* viewer -> host */
} rs_carry_type_e;


typedef struct {
    rs_carry_type_e  type;
    unsigned         channel;                /* but of SEEN, VIDEO, START */
    rs_str_t         data;                   /* label, message, frame */

    int              key;                    /* VIDEO: it is one; SEEN: one is
                                                wanted */
    uint32_t         number;                 /* of a frame, from 0 */
    uint64_t         first_us;               /* VIDEO: its time; SEEN: when
                                                its beginning came */
    uint64_t         last_us;                /* SEEN: when its end came */
} rs_carry_t;


/*
 * Reads what a viewer may say; data points into it.  RS_E_INVALID_VALUE: it
 * is none of those, or a length or number is out of range.  A text is UTF-8
 * without a NUL.
 */
rs_err_e rs_carry_read(rs_str_t message, rs_carry_t *carry);

/*
 * What stands in front of data, which is not looked at.  dst:
 * RS_CARRY_HEAD_MAX.  The length.
 */
size_t rs_carry_head(const rs_carry_t *carry, uint8_t *dst);


#endif /* _RS_CARRY_H_INCLUDED_ */
