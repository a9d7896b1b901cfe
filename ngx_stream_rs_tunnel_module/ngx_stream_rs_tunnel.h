
/*
 * Copyright (C) rs-gateway contributors
 *
 * One who came to a port: his connection, or the datagrams of his address, at
 * one side, the pipe at the other.
 */


#ifndef _NGX_STREAM_RS_TUNNEL_H_INCLUDED_
#define _NGX_STREAM_RS_TUNNEL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>

#include "session/ngx_http_rs_port.h"


/* bytes of a stream in one message, docs/protocol/pipe.md */
#define NGX_STREAM_RS_TUNNEL_PIECE     65536
/* of a datagram */
#define NGX_STREAM_RS_TUNNEL_DATAGRAM  65507
/* a turn, then the others */
#define NGX_STREAM_RS_TUNNEL_ROUNDS    16

#define NGX_STREAM_RS_TUNNEL_DONE      1000  /* RFC 6455, 7.4.1 */


/* a datagram that waits for the pipe */

typedef struct ngx_stream_rs_tunnel_early_s  ngx_stream_rs_tunnel_early_t;

struct ngx_stream_rs_tunnel_early_s {
    ngx_stream_rs_tunnel_early_t  *next;
    size_t                         len;
};


typedef struct {
    ngx_stream_session_t       *session;
    const ngx_http_rs_port_api_t  *api;
    ngx_http_rs_port_t         *port;      /* being asked about; or NULL */
    ngx_connection_t           *leg;       /* our end of it; NULL: not yet */
    rs_ws_pieces_t              reader;
    size_t                      size;      /* of what is read at once */
    unsigned                    code;      /* of its close frame; 0: none */

    u_char                     *up;        /* frames to the leg; NULL: none */
    u_char                     *up_pos;
    u_char                     *up_last;

    u_char                     *down;      /* from it; NULL: none */
    const uint8_t              *down_pos;
    u_char                     *down_last;

    const uint8_t              *piece;     /* of down: goes on to the client */
    size_t                      left;      /* of it */

    u_char                      pong[RS_WS_CONTROL_MAX];
    size_t                      pong_len;

    /* of datagrams */

    ngx_stream_rs_tunnel_early_t   *early;
    ngx_stream_rs_tunnel_early_t  **early_last;
    ngx_uint_t                  nearly;
    size_t                      early_size;

    u_char                     *datagram;  /* that came in part; or NULL */
    size_t                      datagram_len;

    unsigned                    udp:1;
    unsigned                    pong_due:1;
    unsigned                    within:1;  /* a message has begun */
    unsigned                    up_ended:1;    /* the client's end was read,
                                                  and the leg is told */
    unsigned                    down_ended:1;  /* the device's, and he is */
    unsigned                    closing:1; /* our close frame is written */
} ngx_stream_rs_tunnel_ctx_t;


/* ngx_stream_rs_tunnel_module.c */

/*
 * The end, with a status for the log: the session and all of it are gone when
 * this returns.  clean: nothing is wanting, else the client gets a reset.
 */
void ngx_stream_rs_tunnel_end(ngx_stream_rs_tunnel_ctx_t *ctx,
    ngx_uint_t status, ngx_uint_t clean);


/* ngx_stream_rs_tunnel_leg.c */

/* room for a frame: NGX_OK or NGX_ERROR; ctx->up is empty before */
ngx_int_t ngx_stream_rs_tunnel_room(ngx_stream_rs_tunnel_ctx_t *ctx,
    size_t size);
/* len bytes behind the room's head become a frame */
void ngx_stream_rs_tunnel_frame(ngx_stream_rs_tunnel_ctx_t *ctx,
    ngx_uint_t opcode, size_t len);
#define ngx_stream_rs_tunnel_payload(ctx)  ((ctx)->up + RS_WS_HEADER_MAX)

/*
 * NGX_OK: all is written, with what the gateway is to be answered; NGX_AGAIN:
 * the leg's event comes; NGX_ERROR: the leg is gone, or no memory
 */
ngx_int_t ngx_stream_rs_tunnel_flush(ngx_stream_rs_tunnel_ctx_t *ctx);
/*
 * The next piece of a message: NGX_OK; NGX_AGAIN: its event comes; NGX_DONE:
 * the leg has ended, with ctx->code (0: without a word), or no memory
 */
ngx_int_t ngx_stream_rs_tunnel_next(ngx_stream_rs_tunnel_ctx_t *ctx,
    rs_ws_piece_t *piece);


/* ngx_stream_rs_tunnel_tcp.c */

/* the client's connection or the leg is ready for something */
void ngx_stream_rs_tunnel_tcp(ngx_stream_rs_tunnel_ctx_t *ctx);
/* 1: the client has reset it, which is seen though nothing of it is read */
ngx_uint_t ngx_stream_rs_tunnel_reset(ngx_stream_rs_tunnel_ctx_t *ctx);


/* ngx_stream_rs_tunnel_udp.c */

/* a datagram of the client's */
void ngx_stream_rs_tunnel_udp_client(ngx_stream_rs_tunnel_ctx_t *ctx);
/* the leg has come, or is ready for something */
void ngx_stream_rs_tunnel_udp_leg(ngx_stream_rs_tunnel_ctx_t *ctx);
/* what is of the heap */
void ngx_stream_rs_tunnel_udp_free(ngx_stream_rs_tunnel_ctx_t *ctx);


#endif /* _NGX_STREAM_RS_TUNNEL_H_INCLUDED_ */
