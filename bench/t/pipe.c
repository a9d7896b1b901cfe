
/*
 * Copyright (C) rs-gateway contributors
 *
 * The bytes of bench/pipe: what librs makes of the frames that are sent comes
 * back whole, and anything else is found.
 */


#include "tap.h"

#include <string.h>

#include "rs_ws_pipe.h"
#include "rl_pipe.h"


static uint8_t  block[RL_PIPE_ROOM];
static uint8_t  memory[RS_WS_PIPE_GAP + RL_PIPE_ROOM];


/* a block, as a gateway passes it on; its length */

static size_t
relayed(size_t frame)
{
    size_t         len;
    uint8_t       *out, *pos;
    rs_ws_pipe_t   w;
    rs_ws_event_t  ev;

    len = rl_pipe_block(block, frame);
    rs_ws_pipe_init(&w, 0);

    out = memory;
    pos = memory + RS_WS_PIPE_GAP;
    memcpy(pos, block, len);

    ok(rs_ws_pipe_read(&w, &out, &pos, pos + len, &ev) == RS_AGAIN,
       "%zu: good frames of a client", frame);

    return (size_t) (out - memory);
}


static void
test_whole(size_t frame, size_t piece)
{
    size_t     i, n, len;
    rl_pipe_t  p;
    rl_pipe_e  rc;

    memset(&p, 0, sizeof(p));
    len = relayed(frame);
    rc = RL_PIPE_MORE;

    for (i = 0; i < len && rc == RL_PIPE_MORE; i += n) {
        n = len - i < piece ? len - i : piece;
        rc = rl_pipe_take(&p, memory + i, n);
    }

    ok(rc == RL_PIPE_MORE, "%zu by %zu: right bytes", frame, piece);
    ok(p.bytes == RL_PIPE_BLOCK, "%zu by %zu: all of them", frame, piece);
    ok(p.frames == RL_PIPE_BLOCK / frame, "%zu by %zu: frames", frame, piece);
    ok(rl_pipe_take(&p, (const uint8_t *) "\x89\x02hi\x82\x00", 6)
       == RL_PIPE_END, "%zu by %zu: a ping, and the end", frame, piece);
}


static void
test_wrong(void)
{
    size_t     len;
    rl_pipe_t  p;

    len = relayed(1024);

    memset(&p, 0, sizeof(p));
    memory[5000] ^= 1;
    is_int(rl_pipe_take(&p, memory, len), RL_PIPE_WRONG, "another byte");

    memset(&p, 0, sizeof(p));
    is_int(rl_pipe_take(&p, (const uint8_t *) "\x88\x02\x03\xe8", 4),
           RL_PIPE_WRONG, "a close frame");

    memset(&p, 0, sizeof(p));
    is_int(rl_pipe_take(&p, (const uint8_t *) "\x81\x00", 2), RL_PIPE_WRONG,
           "a text frame");

    memset(&p, 0, sizeof(p));
    is_int(rl_pipe_take(&p, (const uint8_t *) "\x02\x00", 2), RL_PIPE_MORE,
           "an empty fragment is no end");
    is_int(rl_pipe_take(&p, (const uint8_t *) "\x80\x00", 2), RL_PIPE_END,
           "an empty message of fragments is one");

    memset(&p, 0, sizeof(p));
    len = rl_pipe_block(block, 0);
    is_int(rl_pipe_bytes(&p, block, len), RL_PIPE_MORE, "a stream");
    is_int(rl_pipe_bytes(&p, block, len), RL_PIPE_MORE, "goes on");
    is_int(rl_pipe_bytes(&p, block + 1, 1), RL_PIPE_WRONG,
           "and misses a byte");
}


int
main(void)
{
    test_whole(65536, 65536);
    test_whole(65536, 1);
    test_whole(1024, 4096);
    test_whole(1024, 7);
    test_whole(64, 1000);
    test_wrong();

    return tap_done();
}
