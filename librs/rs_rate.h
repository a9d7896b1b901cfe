
/*
 * Copyright (C) rs-gateway contributors
 *
 * A rate whose whole state is one number, so that processes can share it by
 * compare-and-swap: the generic cell rate algorithm.  The state is the moment
 * when all tokens are back.  The clock is an argument: microseconds that
 * never go back, of whatever origin.
 */


#ifndef _RS_RATE_H_INCLUDED_
#define _RS_RATE_H_INCLUDED_


#include <stdint.h>


/* both 1 to RS_RATE_MAX, so that nothing here overflows */

typedef struct {
    uint64_t        interval_us;  /* for one token */
    uint64_t        burst;        /* tokens */
} rs_rate_t;


#define RS_RATE_MAX          ((uint64_t) 1 << 31)


typedef enum {
    RS_RATE_LOOK = 0,             /* is one token there? takes none */
    RS_RATE_TAKE,                 /* one, if it is there */
    RS_RATE_CHARGE                /* one, or what is left of one */
} rs_rate_e;


/*
 * 1: a token is or was there; 0: none, *wait_us is the time until there is
 * one.  state: 0 at first; *next what it is now.  A state further ahead than
 * the burst allows, as another rate leaves it, is cut.
 */
int rs_rate(const rs_rate_t *rate, rs_rate_e what, uint64_t state,
    uint64_t now_us, uint64_t *next, uint64_t *wait_us);


#endif /* _RS_RATE_H_INCLUDED_ */
