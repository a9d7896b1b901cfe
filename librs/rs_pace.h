
/*
 * Copyright (C) rs-gateway contributors
 *
 * Bytes a second for many at once, whose whole state is one number: the
 * moment when all tokens are back, so that processes share it by
 * compare-and-swap (as rs_rate, which counts one by one and refuses).  Who
 * wants to go on takes a place in the queue, a moment from which on so many
 * bytes are his; nobody overtakes him, and he need not ask again.  The clock
 * is an argument: microseconds that never go back, of whatever origin.
 */


#ifndef _RS_PACE_H_INCLUDED_
#define _RS_PACE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


/* so that nothing here overflows, and no byte is free of charge */

#define RS_PACE_RATE_MIN       16384
#define RS_PACE_RATE_MAX       ((uint64_t) 4 << 30)
#define RS_PACE_BURST_MAX      ((uint64_t) 64 << 30)

#define RS_PACE_QUANTUM_MIN    1024
#define RS_PACE_QUANTUM_MAX    65536

/* the longest queue in microseconds: who would wait longer comes again */
#define RS_PACE_AHEAD          ((uint64_t) 60 * 1000000)


typedef struct {
    uint64_t        rate;         /* bytes per second; 0: no limit */
    uint64_t        burst;        /* bytes above it, after a pause */
} rs_pace_t;


/* bytes that are taken at once: 1/64 s of them, 1 to 64 KiB */
size_t rs_pace_quantum(const rs_pace_t *pace);

/*
 * 1: n bytes, 1 to RS_PACE_QUANTUM_MAX, are the caller's in *wait_us from now
 * on; 0: the queue is too long, he may come again then.  state: 0 at first;
 * *next what it is now.
 */
int rs_pace(const rs_pace_t *pace, uint64_t state, uint64_t now_us, size_t n,
    uint64_t *next, uint64_t *wait_us);


#endif /* _RS_PACE_H_INCLUDED_ */
