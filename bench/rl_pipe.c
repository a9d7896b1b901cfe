
/*
 * Copyright (C) rs-gateway contributors
 *
 * The bytes of bench/pipe: see rl_pipe.h.
 */


#include <string.h>

#include "rl_pipe.h"


#define RL_PIPE_FIN            0x80
#define RL_PIPE_MASKED         0x80
#define RL_PIPE_CONTROL        0x08
#define RL_PIPE_PING           0x09


static const uint8_t *rl_pipe_pattern(void);
static size_t rl_pipe_head(uint8_t *out, size_t len, const uint8_t *mask);
static size_t rl_pipe_need(const rl_pipe_t *p);
static rl_pipe_e rl_pipe_begin(rl_pipe_t *p);


static const uint8_t *
rl_pipe_pattern(void)
{
    size_t          i;
    static uint8_t  pattern[RL_PIPE_BLOCK];

    /* the second byte is 0 until it is filled */

    if (pattern[1] == 0) {
        for (i = 0; i < RL_PIPE_BLOCK; i++) {
            pattern[i] = (uint8_t) (i * 31 + (i >> 8) * 7);
        }
    }

    return pattern;
}


static size_t
rl_pipe_head(uint8_t *out, size_t len, const uint8_t *mask)
{
    size_t  i, n;

    out[0] = RL_PIPE_FIN | 2;
    n = 2;

    if (len < 126) {
        out[1] = (uint8_t) (RL_PIPE_MASKED | len);

    } else if (len < 65536) {
        out[1] = RL_PIPE_MASKED | 126;
        out[n++] = (uint8_t) (len >> 8);
        out[n++] = (uint8_t) len;

    } else {
        out[1] = RL_PIPE_MASKED | 127;

        for (i = 0; i < 8; i++) {
            out[n++] = (uint8_t) ((uint64_t) len >> (56 - 8 * i));
        }
    }

    memcpy(out + n, mask, 4);

    return n + 4;
}


size_t
rl_pipe_block(uint8_t *out, size_t frame)
{
    size_t                i, done, n;
    const uint8_t        *pattern;
    static const uint8_t  mask[4] = { 0x9d, 0x31, 0xe7, 0x5a };

    pattern = rl_pipe_pattern();

    if (frame == 0) {
        memcpy(out, pattern, RL_PIPE_BLOCK);
        return RL_PIPE_BLOCK;
    }

    n = 0;

    for (done = 0; done < RL_PIPE_BLOCK; done += frame) {
        n += rl_pipe_head(out + n, frame, mask);

        for (i = 0; i < frame; i++) {
            out[n++] = (uint8_t) (pattern[done + i] ^ mask[i % 4]);
        }
    }

    return n;
}


rl_pipe_e
rl_pipe_bytes(rl_pipe_t *p, const uint8_t *in, size_t len)
{
    size_t          at, n;
    const uint8_t  *pattern;

    pattern = rl_pipe_pattern();

    while (len) {
        at = (size_t) (p->bytes % RL_PIPE_BLOCK);
        n = RL_PIPE_BLOCK - at < len ? RL_PIPE_BLOCK - at : len;

        if (memcmp(pattern + at, in, n) != 0) {
            return RL_PIPE_WRONG;
        }

        p->bytes += n;
        in += n;
        len -= n;
    }

    return RL_PIPE_MORE;
}


/* how long the header is, by what there is of it */

static size_t
rl_pipe_need(const rl_pipe_t *p)
{
    if (p->have < 2 || p->head[1] < 126) {
        return 2;
    }

    return p->head[1] == 126 ? 4 : 10;
}


/* the header is whole */

static rl_pipe_e
rl_pipe_begin(rl_pipe_t *p)
{
    size_t    i;
    unsigned  opcode;

    opcode = p->head[0] & 0x0f;
    p->left = p->have == 2 ? p->head[1] : 0;

    for (i = 2; i < p->have; i++) {
        p->left = p->left << 8 | p->head[i];
    }

    p->have = 0;
    p->in_frame = 1;

    if (opcode & RL_PIPE_CONTROL) {
        return opcode == RL_PIPE_PING ? RL_PIPE_MORE : RL_PIPE_WRONG;
    }

    if ((p->head[0] & 0x7f) != opcode || p->head[1] & RL_PIPE_MASKED
        || (opcode != 2 && opcode != 0))
    {
        return RL_PIPE_WRONG;
    }

    p->frames++;
    p->message = (opcode == 2 ? 0 : p->message) + p->left;

    if (p->head[0] & RL_PIPE_FIN && p->message == 0) {
        return RL_PIPE_END;
    }

    return RL_PIPE_MORE;
}


rl_pipe_e
rl_pipe_take(rl_pipe_t *p, const uint8_t *in, size_t len)
{
    size_t     n;
    rl_pipe_e  rc;

    for ( ;; ) {
        if (p->in_frame) {
            n = p->left < len ? (size_t) p->left : len;

            if (!(p->head[0] & RL_PIPE_CONTROL)) {
                rc = rl_pipe_bytes(p, in, n);

                if (rc != RL_PIPE_MORE) {
                    return rc;
                }
            }

            p->left -= n;
            p->in_frame = p->left != 0;
            in += n;
            len -= n;
        }

        if (len == 0) {
            return RL_PIPE_MORE;
        }

        p->head[p->have++] = *in++;
        len--;

        if (p->have == rl_pipe_need(p)) {
            rc = rl_pipe_begin(p);

            if (rc != RL_PIPE_MORE) {
                return rc;
            }
        }
    }
}
