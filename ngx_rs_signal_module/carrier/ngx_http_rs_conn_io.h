
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the files of a connection share: ngx_http_rs_conn.c (its life),
 * ngx_http_rs_conn_io.c (its bytes), ngx_http_rs_conn_leg.c (those of a leg),
 * ngx_http_rs_conn_own.c (without a request) and ngx_http_rs_drain.c (how all
 * of a worker are sent away).  Nobody else includes this.
 */


#ifndef _NGX_HTTP_RS_CONN_IO_H_INCLUDED_
#define _NGX_HTTP_RS_CONN_IO_H_INCLUDED_


#include "ngx_http_rs.h"
#include "ngx_http_rs_chunk.h"
#include "rs_ws_frame.h"


#define NGX_HTTP_RS_CLOSE_TIMEOUT  2000  /* ms, for the closing handshake */


typedef struct {
    ngx_event_t               watch;      /* is the node being drained? */
    ngx_event_t               tick;
    ngx_msec_t                started;
    ngx_msec_t                window;     /* over which all are told */

    uint64_t                 *ids;        /* shuffled; NULL: no list */
    ngx_uint_t                n;
    ngx_uint_t                next;       /* those before it were told */

    unsigned                  on:1;
    unsigned                  exiting:1;  /* cannot be called off */
} ngx_http_rs_drain_t;


struct ngx_http_rs_conns_s {
    ngx_rbtree_t              tree;       /* by id */
    ngx_rbtree_node_t         sentinel;
    ngx_uint_t                count;
    ngx_queue_t               pending;    /* not let in yet, oldest first */
    uint64_t                  last_id;

    ngx_http_rs_drain_t       drain;

    ngx_http_rs_chunks_t      chunks;
};


typedef struct {
    ngx_http_rs_conn_t        head;       /* first: the public part */

    ngx_http_rs_conns_t      *conns;
    ngx_rbtree_node_t         node;
    ngx_queue_t               queue;      /* in conns->pending */

    ngx_event_handler_pt      request_handler;

    ngx_event_t               ping;       /* sends ping, finds a dead peer */
    ngx_event_t               deadline;   /* first message, then the close */
    ngx_event_t               flush;      /* posted: write, or the end */

    time_t                    since;
    ngx_msec_t                heard;      /* when anything came last */
    ngx_msec_t                next_ping;
    ngx_msec_t                silence;    /* instead of rs_peer_timeout, or 0 */

    ngx_http_rs_chunk_t      *in;         /* NULL: nothing waits */
    rs_ws_reader_t            reader;

    ngx_http_rs_queue_t       out;

    u_char                   *pong;       /* NULL: never was pinged */
    size_t                    pong_len;

    rs_err_e                  code;       /* for the close handler */

    unsigned                  detach:1;   /* the request is to be freed */
    unsigned                  slim:1;     /* has no buffers for TLS */
    unsigned                  pending:1;
    unsigned                  pong_due:1;
    unsigned                  paused:1;
    unsigned                  broken:1;   /* cannot find frames any more */
    unsigned                  close_seen:1;
    unsigned                  shut:1;
    unsigned                  busy:1;     /* a leg's bytes come first */
    unsigned                  finished:1; /* the end is posted or has come */
} ngx_http_rs_ws_t;


/* ngx_http_rs_conn.c */

/* what does not depend on where the connection comes from */
ngx_http_rs_ws_t *ngx_http_rs_conn_alloc(ngx_http_rs_main_conf_t *rmcf,
    ngx_http_rs_loc_conf_t *rlcf, ngx_connection_t *c,
    const ngx_http_rs_conn_handlers_t *handlers, void *data);
/* from here on it is found, pinged and sent away as all others */
void ngx_http_rs_conn_enter(ngx_http_rs_ws_t *ws);
/* handlers of c, or those that nginx' TLS keeps aside */
void ngx_http_rs_conn_handle(ngx_connection_t *c, ngx_event_handler_pt read,
    ngx_event_handler_pt write);
void ngx_http_rs_conn_readable(ngx_http_rs_ws_t *ws);
/* of the request, by which its socket is found */
void ngx_http_rs_conn_cleanup(void *data);

/* by conn number; NULL when it is gone */
ngx_http_rs_ws_t *ngx_http_rs_conn_lookup(ngx_http_rs_conns_t *conns,
    uint64_t id);
/* come back, to a random moment within jitter (ms); closes with 1012 */
void ngx_http_rs_conn_goaway(ngx_http_rs_ws_t *ws, ngx_uint_t jitter);
/* the close frame is queued: a bounded wait for the peer's begins */
void ngx_http_rs_conn_closing(ngx_http_rs_ws_t *ws, rs_err_e code);
/* nothing more is read or written; the rest is done by the event loop */
void ngx_http_rs_conn_finish(ngx_http_rs_ws_t *ws, rs_err_e code);


/* ngx_http_rs_drain.c */

void ngx_http_rs_drain_init(ngx_http_rs_conns_t *conns, ngx_log_t *log);
/* the timer goes and the list is freed; what was told stays told */
void ngx_http_rs_drain_stop(ngx_http_rs_conns_t *conns);


/* ngx_http_rs_conn_own.c: it was asked for, and may be done by now */

void ngx_http_rs_conn_free_request(ngx_http_rs_ws_t *ws);


/* ngx_http_rs_conn_leg.c */

/* NGX_OK: what a leg had begun is written; NGX_AGAIN: not yet */
ngx_int_t ngx_http_rs_conn_busy(ngx_http_rs_ws_t *ws);


/* ngx_http_rs_conn_io.c */

void ngx_http_rs_conn_frame(ngx_http_rs_ws_t *ws, rs_ws_event_t *ev);
void ngx_http_rs_conn_read(ngx_http_rs_ws_t *ws);
void ngx_http_rs_conn_write(ngx_http_rs_ws_t *ws);
/* one frame, copied; NGX_ERROR: no memory, ws is finished */
ngx_int_t ngx_http_rs_conn_queue(ngx_http_rs_ws_t *ws, ngx_uint_t opcode,
    u_char *data, size_t len);


#endif /* _NGX_HTTP_RS_CONN_IO_H_INCLUDED_ */
