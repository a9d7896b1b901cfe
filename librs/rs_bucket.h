
/*
 * Copyright (C) rs-gateway contributors
 *
 * Token bucket.  The clock is an argument: milliseconds that never go back,
 * of whatever origin; one that does go back gives no tokens.
 */


#ifndef _RS_BUCKET_H_INCLUDED_
#define _RS_BUCKET_H_INCLUDED_


#include <stdint.h>


typedef struct {
    uint64_t        rate;         /* tokens per second = 1/1000 per ms */
    uint64_t        size;         /* 1/1000 tokens */
    uint64_t        level;        /* 1/1000 tokens, <= size */
    uint64_t        at_ms;
} rs_bucket_t;


#define RS_BUCKET_MAX          ((uint64_t) 1 << 40)   /* rate and burst */


/* full at the start; rate and burst are cut to RS_BUCKET_MAX */
void rs_bucket_init(rs_bucket_t *b, uint64_t rate, uint64_t burst,
    uint64_t now_ms);
/* 1: n tokens were there and are taken; 0: nothing was taken */
int rs_bucket_take(rs_bucket_t *b, uint64_t n, uint64_t now_ms);
/* ms until n tokens are there: 0 now, UINT64_MAX never */
uint64_t rs_bucket_wait(rs_bucket_t *b, uint64_t n, uint64_t now_ms);


#endif /* _RS_BUCKET_H_INCLUDED_ */
