
/*
 * Copyright (C) rs-gateway contributors
 *
 * One WebSocket: receives, decodes frames, queues and sends, pings, closes.
 * The only file that calls recv and send on a client.  Knows bytes and text
 * messages, nothing of what they say (but the JSON it sends by itself: ping,
 * error and goaway).
 */


#ifndef _NGX_HTTP_RS_CONN_H_INCLUDED_
#define _NGX_HTTP_RS_CONN_H_INCLUDED_


#include <jansson.h>

#include "rs_ws_frame.h"


typedef struct ngx_http_rs_conns_s  ngx_http_rs_conns_t;


/*
 * A leg of a pipe: a socket whose upper layer reads and writes by itself,
 * with the functions at the end of this file.
 */

typedef struct {
    /* bytes or the end may have come; also while it closes */
    void                      (*readable)(ngx_http_rs_conn_t *rc);
    /* there may be room; also while it closes, for what was begun */
    void                      (*writable)(ngx_http_rs_conn_t *rc);
    /* instead of conn_close(), whoever calls it: conn_end() it, soon */
    void                      (*away)(ngx_http_rs_conn_t *rc, rs_err_e code);
} ngx_http_rs_conn_leg_t;


typedef struct {
    /*
     * One complete text message, valid UTF-8.  The bytes are the
     * connection's and may be changed until the handler returns.
     */
    void                      (*message)(ngx_http_rs_conn_t *rc,
                                    u_char *data, size_t len);

    /*
     * The socket is gone or about to be: exactly once, the last call; rc is
     * invalid afterwards.  code: why; RS_OK after a close frame of the peer
     * or ngx_http_rs_conn_close(RS_OK), RS_E_PEER_TIMEOUT when it vanished.
     */
    void                      (*close)(ngx_http_rs_conn_t *rc, rs_err_e code);

    const ngx_http_rs_conn_leg_t  *leg;        /* NULL: text messages */
} ngx_http_rs_conn_handlers_t;


/* the public head of a connection; the rest is in ngx_http_rs_conn.c */

struct ngx_http_rs_conn_s {
    ngx_http_request_t                 *request;   /* NULL: given back */
    ngx_connection_t                   *connection;
    ngx_http_rs_main_conf_t            *rmcf;
    ngx_http_rs_loc_conf_t             *rlcf;
    const ngx_http_rs_conn_handlers_t  *handlers;
    void                               *data;      /* the upper layer's */
    ngx_log_t                          *log;

    uint64_t                            id;        /* conn of its address */
    ngx_str_t                           address;   /* node.worker.inc.conn */
    unsigned                            closing:1; /* no more sends */
    unsigned                            pings:8;   /* not answered yet */
    unsigned                            silent:1;  /* it ended for that */

    /* for the access log; of messages, and of all bytes but those of TLS */

    uint64_t                            messages_in;
    uint64_t                            messages_out;
    uint64_t                            bytes_in;
    uint64_t                            bytes_out;
    ngx_str_t                           tenant;    /* of the request's pool */
    ngx_str_t                           device_id; /* the same */
};


/* NULL: no memory */
ngx_http_rs_conns_t *ngx_http_rs_conns_create(ngx_http_rs_main_conf_t *rmcf,
    ngx_log_t *log);

/*
 * Takes over the connection of r, whose 101 was given to
 * ngx_http_send_header() and is flushed here.  Bytes that came with the
 * upgrade are decoded first, but never before the caller returns.  Adds its
 * cleanup to r and counts r up: the caller returns NGX_DONE.  NULL: no memory
 * or the socket failed, the caller returns NGX_ERROR.
 */
ngx_http_rs_conn_t *ngx_http_rs_conn_create(ngx_http_request_t *r,
    const ngx_http_rs_conn_handlers_t *handlers, void *data);

/*
 * The same of a connection of ours that never was a client's: a leg of a pipe
 * from or to another worker.  c->pool is its own, and c->data becomes ours.
 */
ngx_http_rs_conn_t *ngx_http_rs_conn_adopt(ngx_http_rs_main_conf_t *rmcf,
    ngx_http_rs_loc_conf_t *rlcf, ngx_connection_t *c,
    const ngx_http_rs_conn_handlers_t *handlers, void *data);

/* by conn number; NULL when it is gone */
ngx_http_rs_conn_t *ngx_http_rs_conn_find(ngx_http_rs_main_conf_t *rmcf,
    uint64_t id);

/*
 * Queues one text message, copied; written by the write handler, one write
 * for all of an event round.  NGX_BUSY: above rs_send_queue, the connection
 * is being closed with 1013.  NGX_DECLINED: closing.
 */
ngx_int_t ngx_http_rs_conn_send(ngx_http_rs_conn_t *rc, u_char *data,
    size_t len);

/* the same for a JSON value, which is released; NULL: closes, no memory */
ngx_int_t ngx_http_rs_conn_send_json(ngx_http_rs_conn_t *rc, json_t *json);

/* bytes that wait to be written */
size_t ngx_http_rs_conn_queued(ngx_http_rs_conn_t *rc);

/*
 * Queues `error` and leaves the socket open; detail: NULL or "" takes the
 * title of code; id: of the message it answers, 0 none.
 */
void ngx_http_rs_conn_error(ngx_http_rs_conn_t *rc, rs_err_e code,
    const char *detail, uint64_t id);

/*
 * Starts the end: queues `error` (for RS_OK none) and the close frame with
 * the close code of rs_err; RS_OK closes with 1000.
 * Bounded: the socket goes when the peer answered or after 2 s.  Never frees
 * below the caller; the close handler runs posted.  Idempotent.
 */
void ngx_http_rs_conn_close(ngx_http_rs_conn_t *rc, rs_err_e code,
    const char *detail);

/*
 * The same without the `error` message (the last word was said already); of a
 * leg the close frame's reason is the code.
 */
void ngx_http_rs_conn_end(ngx_http_rs_conn_t *rc, rs_err_e code);

/*
 * The request and all in its pool are not needed any more: it is written to
 * the access log with its 101 and freed, soon but not before the caller
 * returns.  The connection stays as it is.  Once, and not while closing.
 */
void ngx_http_rs_conn_detach(ngx_http_rs_conn_t *rc);

/*
 * Room for one more, made by closing the one that waits longest to be let in.
 * NGX_BUSY: there are rs_max_connections, and all of them were let in.
 */
ngx_int_t ngx_http_rs_conn_room(ngx_http_rs_main_conf_t *rmcf);
/* who it is is known now: it is not closed to make room for others */
void ngx_http_rs_conn_admit(ngx_http_rs_conn_t *rc);

/* 1: it has ended, *code says why as the close handler was told */
ngx_uint_t ngx_http_rs_conn_ended(ngx_http_rs_conn_t *rc, rs_err_e *code);

/* back-pressure: 1 takes no further message until 0 */
void ngx_http_rs_conn_pause(ngx_http_rs_conn_t *rc, ngx_uint_t on);

/*
 * Sends `ping` now.  Answers come in order, so when the upper layer, which
 * counts rc->pings down, finds none left, the peer has read all before it.
 */
ngx_int_t ngx_http_rs_conn_ping(ngx_http_rs_conn_t *rc);

/* rs_ping_interval as clients are told it, in seconds */
int ngx_http_rs_conn_ping_s(ngx_http_rs_conn_t *rc);

/*
 * A peer that speaks more often than others: when nothing came for so long it
 * is gone at once, without a close frame, with RS_E_PEER_TIMEOUT.
 */
void ngx_http_rs_conn_silence(ngx_http_rs_conn_t *rc, ngx_msec_t ms);

/* arms or (0) removes the "first message" deadline */
void ngx_http_rs_conn_deadline(ngx_http_rs_conn_t *rc, ngx_msec_t ms);


/* of legs */

/*
 * What has come, at most size bytes: > 0; NGX_AGAIN: nothing now, the handler
 * is called; NGX_ERROR: it has ended, the close handler is.
 */
ssize_t ngx_http_rs_conn_recv(ngx_http_rs_conn_t *rc, u_char *buf,
    size_t size);
/*
 * How much of these bytes was taken, of which those not taken must come again
 * and stay where they are; the handler is called when there is room.  Whole
 * frames only, but for that.  NGX_AGAIN: none; NGX_ERROR as above.
 */
ssize_t ngx_http_rs_conn_put(ngx_http_rs_conn_t *rc, u_char *buf,
    size_t size);
/* a control frame: pings are answered, a close is, and "closing" set */
void ngx_http_rs_conn_control(ngx_http_rs_conn_t *rc, rs_ws_event_t *ev);
/* nothing of it is read for now, so it is not taken for dead */
void ngx_http_rs_conn_hold(ngx_http_rs_conn_t *rc, ngx_uint_t on);
/*
 * One that is held and was reset has ended, for what had come is lost; one
 * that was closed has something to be read still.
 */
void ngx_http_rs_conn_look(ngx_http_rs_conn_t *rc);
/* no frames can be found any more: closed with code, what comes is dropped */
void ngx_http_rs_conn_broken(ngx_http_rs_conn_t *rc, rs_err_e code);
/* what waits is never taken any more: without a close frame */
void ngx_http_rs_conn_drop(ngx_http_rs_conn_t *rc);


#endif /* _NGX_HTTP_RS_CONN_H_INCLUDED_ */
