
/*
 * Copyright (C) rs-gateway contributors
 *
 * A WebSocket client (RFC 6455) on one connection; text messages both ways,
 * pings of the protocol answered.
 */


#ifndef _RL_WS_H_INCLUDED_
#define _RL_WS_H_INCLUDED_


#include "rs_ws_frame.h"
#include "rs_ws_handshake.h"
#include "rl_conn.h"


#define RL_WS_MESSAGE_MAX      (2 * 1024 * 1024)
#define RL_WS_FRAMES_MAX       64
#define RL_WS_HEAD_MAX         8192
#define RL_WS_TIMEOUT          (10 * RL_SEC)


/* how it ended; what is not known is 0 */

typedef struct {
    unsigned            status;       /* HTTP, of a refused upgrade */
    uint64_t            retry_after_s;
    unsigned            code;         /* of the peer's close frame */
    const char         *why;
} rl_ws_end_t;


typedef struct {
    rl_conn_t           conn;
    rs_ws_reader_t      reader;
    char                accept[RS_WS_ACCEPT_LEN];
    char               *request;      /* until it is sent */
    char               *head;         /* until it is whole */
    size_t              head_len;
    unsigned            open:1;
    unsigned            closing:1;
    uint64_t            heard;        /* when something came last */

    rl_timer_t          deadline;     /* of the upgrade, and of a close */

    void               *data;
    void              (*on_open)(void *data);
    /* the text may be written to; the socket may be closed in here */
    void              (*on_text)(void *data, uint8_t *text, size_t len);
    /* closed already, may be opened anew; not called for rl_ws_drop() */
    void              (*on_close)(void *data, const rl_ws_end_t *end);
} rl_ws_t;


/* path: below the target's base; protocols: NULL or more than "rs.v1" */
void rl_ws_open(rl_ws_t *ws, rl_net_t *net, const char *path,
    const char *protocols);

/* 0, or -1: not open, or too much is waiting */
int rl_ws_send(rl_ws_t *ws, const void *text, size_t len);

/* says close and waits for the peer to */
void rl_ws_close(rl_ws_t *ws, unsigned code);
/* at once */
void rl_ws_drop(rl_ws_t *ws);
void rl_ws_destroy(rl_ws_t *ws);


#endif /* _RL_WS_H_INCLUDED_ */
