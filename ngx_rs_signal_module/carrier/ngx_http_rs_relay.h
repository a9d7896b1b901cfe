
/*
 * Copyright (C) rs-gateway contributors
 *
 * Two legs of a pipe and the bytes between them.  Knows frames and nothing of
 * what is in them, nor who may send them.  A leg is a client's socket or a
 * link to another worker.
 */


#ifndef _NGX_HTTP_RS_RELAY_H_INCLUDED_
#define _NGX_HTTP_RS_RELAY_H_INCLUDED_


#include "rs_ws_handshake.h"
#include "rs_ws_pipe.h"


#define NGX_HTTP_RS_LEGS           2


typedef struct ngx_http_rs_relay_s   ngx_http_rs_relay_t;
typedef struct ngx_http_rs_relays_s  ngx_http_rs_relays_t;


/* one side; the handlers of its socket find it as rc->data */

typedef struct {
    ngx_http_rs_relay_t        *relay;
    ngx_http_rs_conn_t         *rc;        /* NULL: not there (any more) */
    rs_ws_side_e                side;

    rs_ws_pipe_t                pipe;      /* what comes from it */
    ngx_http_rs_pace_t          pace;      /* how much of it is read */

    u_char                     *buf;       /* what goes to it; NULL: nothing */
    u_char                     *pos;
    u_char                     *last;

    rs_err_e                    code;      /* to close it with */

    unsigned                    live:1;    /* it is read */
    unsigned                    link:1;    /* another worker's */
    unsigned                    ending:1;  /* closed, when buf is empty */
    unsigned                    ended:1;   /* it is being closed */
    unsigned                    done:1;    /* nothing of it goes on any more */
} ngx_http_rs_leg_t;


typedef struct {
    /*
     * The end has begun, relay->code says why (RS_OK: one was closed with
     * 1000), both legs are told.  Once; neither this one nor the next is
     * called within another function of the relay.
     */
    void                      (*ended)(ngx_http_rs_relay_t *relay);
    /* no leg is there any more: the last call, and relay may be freed */
    void                      (*gone)(ngx_http_rs_relay_t *relay);
} ngx_http_rs_relay_handlers_t;


struct ngx_http_rs_relay_s {
    ngx_http_rs_main_conf_t    *rmcf;
    ngx_log_t                  *log;
    const ngx_http_rs_relay_handlers_t  *handlers;
    void                       *data;          /* the upper layer's */
    ngx_str_t                   tenant;        /* the same */

    ngx_http_rs_leg_t           legs[NGX_HTTP_RS_LEGS];

    ngx_msec_t                  idle;
    ngx_msec_t                  moved;         /* when anything did */

    rs_err_e                    code;          /* why it ended */

    ngx_event_t                 timer;         /* idle, then the end */
    ngx_event_t                 after;         /* posted: tells who is above */

    unsigned                    open:1;        /* bytes may go on */
    unsigned                    ending:1;
    unsigned                    told:1;        /* ended() was called */
    unsigned                    gone:1;        /* gone() was called */
};


/* the buffers of a worker; NULL: no memory */
ngx_http_rs_relays_t *ngx_http_rs_relays_create(
    ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log);

/* relay: memory of the caller, which stays until gone() was called */
void ngx_http_rs_relay_init(ngx_http_rs_relay_t *relay,
    ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log,
    const ngx_http_rs_relay_handlers_t *handlers, void *data);

/* what a socket of this side is made with, and joined with at once */
ngx_http_rs_leg_t *ngx_http_rs_relay_place(ngx_http_rs_relay_t *relay,
    rs_ws_side_e side);
/* NULL: it is not there */
ngx_http_rs_conn_t *ngx_http_rs_relay_socket(ngx_http_rs_relay_t *relay,
    rs_ws_side_e side);

/*
 * A leg comes: its socket's data is the leg from here on, its handlers the
 * ones below.  Nothing of it is read yet.
 */
void ngx_http_rs_relay_join(ngx_http_rs_relay_t *relay, rs_ws_side_e side,
    ngx_http_rs_conn_t *rc, ngx_uint_t link);
/* it is read, into one buffer while the other one is not there */
void ngx_http_rs_relay_start(ngx_http_rs_relay_t *relay, rs_ws_side_e side);
/*
 * The socket of a leg that was not started joins another relay, on the same
 * side; of its own one, without any leg now, gone() is called.
 */
void ngx_http_rs_relay_move(ngx_http_rs_relay_t *relay, rs_ws_side_e side,
    ngx_http_rs_relay_t *to);

/*
 * Both may come when gone() was called already, by who has waited for an
 * answer and keeps the memory: nothing happens then.
 */

/* what has come goes on, and what comes from now on; idle in ms */
void ngx_http_rs_relay_open(ngx_http_rs_relay_t *relay, ngx_msec_t idle);

/* both legs are closed with code, behind what there is for them; idempotent */
void ngx_http_rs_relay_cut(ngx_http_rs_relay_t *relay, rs_err_e code);

/* bytes of messages from this side, that were taken */
uint64_t ngx_http_rs_relay_bytes(ngx_http_rs_relay_t *relay,
    rs_ws_side_e side);

/* handlers of a socket that joins */
extern const ngx_http_rs_conn_handlers_t  ngx_http_rs_relay_leg;


#endif /* _NGX_HTTP_RS_RELAY_H_INCLUDED_ */
