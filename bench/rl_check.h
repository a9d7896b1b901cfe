
/*
 * Copyright (C) rs-gateway contributors
 *
 * The history checker.  A stream is one sender's messages to one receiver,
 * numbered from 1.  What is sent, acknowledged and received is told as it
 * happens; the promise that is checked: each acknowledged message is received
 * exactly once, in order, by the receiver of its stream and by nobody else.
 *
 * A position carries the epoch of the log.  When it rises (a failover), the
 * sender sends again what may have been lost; a message that was received in
 * an older epoch and comes once more in a newer one is a resync, not a
 * duplicate.
 */


#ifndef _RL_CHECK_H_INCLUDED_
#define _RL_CHECK_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define RL_CHECK_IDS_MAX       ((uint64_t) 1 << 24)   /* of one stream */


typedef enum {
    RL_CHECK_FIRST = 0,           /* received, as it should be */
    RL_CHECK_RESYNC,              /* again, in a newer epoch */
    RL_CHECK_DUPLICATE,
    RL_CHECK_REORDERED,           /* the first time, but after a later one */
    RL_CHECK_FOREIGN              /* of another stream, or never sent */
} rl_check_e;


typedef struct {
    uint64_t        sent;
    uint64_t        acked;
    uint64_t        received;     /* distinct messages */
    uint64_t        duplicates;
    uint64_t        reordered;
    uint64_t        foreign;
    uint64_t        resync;

    /* of rl_check_end() */
    uint64_t        lost;         /* acknowledged, never received */
    uint64_t        unknown;      /* neither acknowledged nor received */
} rl_check_count_t;


typedef struct {
    uint8_t        *flags;        /* of message id at [id - 1] */
    uint8_t        *seen;         /* generation it was last received in */
    uint64_t        size;
    uint64_t        sent;         /* the greatest id */
    uint64_t        top;          /* the greatest received in gen */
    uint64_t        epoch;
    uint8_t         gen;          /* 1 up; one more with each epoch */
} rl_stream_t;


typedef struct {
    rl_stream_t    *streams;
    size_t          n;
    rl_check_count_t  count;
} rl_check_t;


/* tells of one lost message */
typedef void (*rl_check_lost_pt)(void *data, size_t stream, uint64_t id);


/* 0, or -1: no memory */
int rl_check_init(rl_check_t *c, size_t streams);
void rl_check_free(rl_check_t *c);

/* id must be the next of its stream.  0, or -1: no memory or too many */
int rl_check_sent(rl_check_t *c, size_t stream, uint64_t id);

/*
 * 1: for the first time; 0: it was acknowledged before; -1: no such message
 * was sent.
 */
int rl_check_acked(rl_check_t *c, size_t stream, uint64_t id);

/* stream: what the receiver listens to; of: what the message says it is of */
rl_check_e rl_check_received(rl_check_t *c, size_t stream, uint64_t of,
    uint64_t id, uint64_t epoch);

/* 1: acknowledged and received */
int rl_check_whole(const rl_check_t *c, size_t stream, uint64_t id);

/* counts what is missing now; may be called again */
void rl_check_end(rl_check_t *c, rl_check_lost_pt lost, void *data);

/* 1: nothing was lost, came twice, out of order or to another */
int rl_check_good(const rl_check_t *c);


#endif /* _RL_CHECK_H_INCLUDED_ */
