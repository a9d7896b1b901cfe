
/*
 * Copyright (C) rs-gateway contributors
 *
 * Token bucket; time is the caller's.
 */


#ifndef _RS_BUCKET_H_INCLUDED_
#define _RS_BUCKET_H_INCLUDED_


#include <stdint.h>


typedef struct {
    uint64_t  rate;            /* tokens per second */
    uint64_t  burst;           /* tokens it holds */
    uint64_t  level;           /* thousandths of a token */
    uint64_t  last_ms;
} rs_bucket_t;


/* starts full */
void rs_bucket_init(rs_bucket_t *b, uint64_t rate, uint64_t burst,
    uint64_t now_ms);
/* 1 and n tokens are gone, or 0 and none is; a clock set back adds none */
int rs_bucket_take(rs_bucket_t *b, uint64_t n, uint64_t now_ms);


#endif /* _RS_BUCKET_H_INCLUDED_ */
