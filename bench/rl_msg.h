
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the gateway says, as a struct.  `ack` and the `signal` of another
 * rs-load peer are read without a JSON parser when they look as the gateway
 * writes them, so that the load's own cost stays small; everything else, and
 * those two in any other shape, goes through librs.
 */


#ifndef _RL_MSG_H_INCLUDED_
#define _RL_MSG_H_INCLUDED_


#include "rs_id.h"
#include "rs_json.h"


typedef enum {
    RL_MSG_OTHER = 0,
    RL_MSG_WELCOME,
    RL_MSG_SIGNAL,
    RL_MSG_ACK,
    RL_MSG_LEFT,
    RL_MSG_ENDED,
    RL_MSG_RESYNC,
    RL_MSG_PING,
    RL_MSG_ERROR,
    RL_MSG_GOAWAY,
    RL_MSG_CHALLENGE,
    RL_MSG_INVITE
} rl_msg_e;


typedef struct {
    rl_msg_e        type;
    uint64_t        id;
    rs_str_t        position;         /* empty: none */
    rs_str_t        word;             /* code or reason */
    uint64_t        after_ms;         /* goaway */
    uint64_t        jitter_ms;

    /* data of a signal, if it is of an rs-load */
    rs_str_t        run;
    uint64_t        stream;
    uint64_t        n;
    uint64_t        at;

    json_t         *json;             /* NULL: read without */
} rl_msg_t;


/* RS_OK or what rs_json_load() says; slices live until rl_msg_free() */
rs_err_e rl_msg_parse(rl_msg_t *m, rs_str_t text);
void rl_msg_free(rl_msg_t *m);

/* a `signal`; data is filled up to size bytes; check b->overflow */
void rl_msg_signal(rs_buf_t *b, uint64_t id, const char *run,
    uint64_t stream, uint64_t at, size_t size);

/* a member of an object as a slice; empty: none, or no string */
rs_str_t rl_json_str(const json_t *obj, const char *name);


#endif /* _RL_MSG_H_INCLUDED_ */
