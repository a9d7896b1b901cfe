
/*
 * Copyright (C) rs-gateway contributors
 *
 * What bench/pipe sends and how it is checked: a stream of bytes that repeats
 * each 64 KiB, as it is or in WebSocket frames.  Needs no socket.
 */


#ifndef _RL_PIPE_H_INCLUDED_
#define _RL_PIPE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define RL_PIPE_BLOCK          65536
#define RL_PIPE_FRAME_MIN      64
#define RL_PIPE_HEAD           14     /* of a client's frame, at most */

/* a block in frames of the least size */
#define RL_PIPE_ROOM           (RL_PIPE_BLOCK                                 \
                                + RL_PIPE_BLOCK / RL_PIPE_FRAME_MIN           \
                                  * RL_PIPE_HEAD)


typedef struct {
    uint64_t        bytes;            /* of the stream, so far */
    uint8_t         head[10];         /* of a server's frame */
    size_t          have;
    uint64_t        left;             /* of its payload */
    uint64_t        message;          /* bytes of the message, so far */
    uint64_t        frames;
    unsigned        in_frame:1;
} rl_pipe_t;


typedef enum {
    RL_PIPE_MORE = 0,
    RL_PIPE_END,                      /* the empty message */
    RL_PIPE_WRONG                     /* other bytes, or no binary frame */
} rl_pipe_e;


/*
 * One block of the stream: in masked frames of so many bytes, which must be
 * a power of two, or as it is if frame is 0.  Returns how long it is.
 */
size_t rl_pipe_block(uint8_t *out, size_t frame);

/* bytes of the stream as they are */
rl_pipe_e rl_pipe_bytes(rl_pipe_t *p, const uint8_t *in, size_t len);

/* frames of a server, in any pieces; pings are passed over */
rl_pipe_e rl_pipe_take(rl_pipe_t *p, const uint8_t *in, size_t len);


#endif /* _RL_PIPE_H_INCLUDED_ */
