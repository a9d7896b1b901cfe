
/*
 * Copyright (C) rs-gateway contributors
 *
 * The gateway's port of a tunnel: who comes there without a credential is let
 * into a pipe as whoever has said that the address is his.
 *
 * The sockets are those of ngx_stream_rs_tunnel_module, another shared object
 * in the same process.  This header is all that it knows of this module, and
 * ngx_http_rs_port_api the only symbol it takes from it.
 */


#ifndef _NGX_HTTP_RS_PORT_H_INCLUDED_
#define _NGX_HTTP_RS_PORT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "rs_err.h"
#include "rs_ws_client.h"


/* changes with anything below: both are built from one tree, or refuse */
#define NGX_HTTP_RS_PORT_VERSION   1


typedef struct ngx_http_rs_port_s  ngx_http_rs_port_t;


/* who comes; valid during the call */

typedef struct {
    in_port_t                   port;      /* to which one */
    ngx_str_t                   addr;      /* his address, as text */
    struct sockaddr            *sockaddr;  /* the same */
    unsigned                    udp:1;
} ngx_http_rs_port_who_t;


/* what became of it; valid during the call */

typedef struct {
    rs_err_e                    code;      /* RS_OK: he is let in */
    ngx_str_t                   tunnel;    /* its id, if there is one */
    ngx_str_t                   pipe;      /* RS_OK: its id */
    ngx_socket_t                socket;    /* RS_OK: the pipe, not blocking,
                                              the caller's from here on */
} ngx_http_rs_port_end_t;


typedef void (*ngx_http_rs_port_pt)(void *data, ngx_http_rs_port_end_t *end);


typedef struct {
    ngx_uint_t                  version;

    /* of a configuration: NULL, or what it lacks */
    const char                *(*check)(ngx_cycle_t *cycle);
    /* of this worker: bytes that may wait in a direction */
    size_t                     (*buffer)(void);

    /*
     * May he come in?  The handler runs once, never before this returns, and
     * not any more after leave().  NULL: no memory.
     *
     * At the socket frames of RFC 6455 go both ways, those to it masked (with
     * zeroes: nobody is in between) and those from it not; what they say is
     * docs/protocol/pipe.md.  It has them from the beginning, also while the
     * device is not there yet.
     */
    ngx_http_rs_port_t        *(*enter)(ngx_http_rs_port_who_t *who,
                                    ngx_http_rs_port_pt handler, void *data);
    /* who came has gone before he was answered */
    void                       (*leave)(ngx_http_rs_port_t *port);

    /* librs, which is linked into one of the two only */

    const char                *(*code)(rs_err_e rc);
    void                       (*pieces_init)(rs_ws_pieces_t *r,
                                    uint64_t max_message);
    rs_err_e                   (*pieces_read)(rs_ws_pieces_t *r,
                                    const uint8_t **pos, const uint8_t *last,
                                    rs_ws_piece_t *piece);
    size_t                     (*header)(uint8_t *dst, unsigned opcode,
                                    uint64_t len, const uint8_t mask[4]);
    size_t                     (*close)(uint8_t *dst, unsigned code,
                                    rs_str_t reason);
} ngx_http_rs_port_api_t;


extern const ngx_http_rs_port_api_t  ngx_http_rs_port_api
    __attribute__((weak));


#endif /* _NGX_HTTP_RS_PORT_H_INCLUDED_ */
