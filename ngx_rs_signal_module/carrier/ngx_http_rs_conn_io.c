
/*
 * Copyright (C) rs-gateway contributors
 *
 * The bytes of one WebSocket: with ngx_http_rs_conn_leg.c the only files that
 * call recv and send on a client.
 *
 * In:   recv() until EAGAIN into a chunk that exists only while there is
 *       something in it; rs_ws_frame cuts it into frames.  After a number of
 *       frames or bytes the rest waits for the next round of the event loop.
 * Out:  producers copy into chunks and post the flush event; the write
 *       handler alone writes, once for all that a round queued.  Chunks come
 *       from a free list of the worker.  The queue is bounded by
 *       rs_send_queue; a slow peer is closed, it never grows the heap.
 */


#include "ngx_http_rs_conn_io.h"


#define NGX_HTTP_RS_ROUND_BYTES    65536
#define NGX_HTTP_RS_ROUND_FRAMES   64


static ngx_buf_t *ngx_http_rs_conn_input(ngx_http_rs_ws_t *ws,
    size_t *bytes);
static void ngx_http_rs_conn_slim(ngx_http_rs_ws_t *ws);
static ngx_int_t ngx_http_rs_conn_write_out(ngx_http_rs_ws_t *ws);


void
ngx_http_rs_conn_read(ngx_http_rs_ws_t *ws)
{
    size_t          bytes;
    rs_err_e        code;
    ngx_buf_t      *b;
    ngx_uint_t      frames;
    ngx_event_t    *rev;
    rs_ws_event_t   ev;

    rev = ws->head.connection->read;

    bytes = 0;
    frames = 0;

    while (!ws->finished && (!ws->paused || ws->head.closing)) {

        if (bytes >= NGX_HTTP_RS_ROUND_BYTES
            || frames >= NGX_HTTP_RS_ROUND_FRAMES)
        {
            /* the others first */
            ngx_post_event(rev, &ngx_posted_next_events);
            return;
        }

        b = ngx_http_rs_conn_input(ws, &bytes);
        if (b == NULL) {
            break;
        }

        if (ws->broken) {
            b->pos = b->last;
            continue;
        }

        code = rs_ws_read(&ws->reader, &b->pos, b->last, &ev);

        if (code == RS_AGAIN) {
            continue;
        }

        frames++;

        if (code == RS_OK) {
            ngx_http_rs_conn_frame(ws, &ev);
            continue;
        }

        ngx_log_error(NGX_LOG_INFO, ws->head.log, 0,
                      "rs conn cannot read a frame: %s", rs_err_code(code));

        ws->broken = 1;
        ngx_http_rs_conn_close(&ws->head, code, NULL);
    }

    if (ws->finished) {
        return;
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_http_rs_conn_finish(ws, RS_E_INTERNAL);
    }
}


/* bytes that wait: of the upgrade, of an earlier round, of the socket */

static ngx_buf_t *
ngx_http_rs_conn_input(ngx_http_rs_ws_t *ws, size_t *bytes)
{
    ssize_t            n;
    ngx_buf_t         *b;
    ngx_connection_t  *c;

    c = ws->head.connection;

    if (ws->head.request) {
        b = ws->head.request->header_in;

        if (b->pos < b->last) {
            return b;
        }
    }

    if (ws->in && ws->in->buf.pos < ws->in->buf.last) {
        return &ws->in->buf;
    }

    rs_ws_reader_release(&ws->reader);

    if (ws->in == NULL) {
        ws->in = ngx_http_rs_chunk_get(&ws->conns->chunks);

        if (ws->in == NULL) {
            ngx_http_rs_conn_finish(ws, RS_E_INTERNAL);
            return NULL;
        }
    }

    b = &ws->in->buf;

    n = c->recv(c, b->start, b->end - b->start);

    if (n > 0) {
        ws->heard = ngx_current_msec;
        *bytes += n;
        ws->head.bytes_in += n;
        ngx_http_rs_add(ws->head.rmcf, NGX_HTTP_RS_STAT_BYTES_IN, n);

        b->pos = b->start;
        b->last = b->start + n;

        return b;
    }

    ngx_http_rs_chunk_put(&ws->conns->chunks, ws->in);
    ws->in = NULL;

    if (n == NGX_AGAIN) {
        return NULL;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0, "rs conn recv %z", n);

    if (ws->out.first) {
        /* a peer that ended its side only can still hear why */
        ngx_http_rs_conn_write(ws);
    }

    ngx_http_rs_conn_finish(ws, ws->head.closing ? ws->code
                                                 : RS_E_PEER_TIMEOUT);
    return NULL;
}


void
ngx_http_rs_conn_frame(ngx_http_rs_ws_t *ws, rs_ws_event_t *ev)
{
    size_t    len;
    u_char    payload[RS_WS_CONTROL_MAX];
    rs_str_t  none;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ws->head.log, 0,
                   "rs conn frame op:%ui len:%uz",
                   (ngx_uint_t) ev->opcode, ev->len);

    switch (ev->opcode) {

    case RS_WS_TEXT:

        if (!ws->head.closing) {
            ws->head.messages_in++;
            ws->head.handlers->message(&ws->head, ev->data, ev->len);
        }

        break;

    case RS_WS_PING:

        /* RFC 6455, 5.5.3: only the latest one needs its pong */

        if (ws->pong == NULL) {
            ws->pong = ngx_palloc(ws->head.connection->pool,
                                  RS_WS_CONTROL_MAX);
            if (ws->pong == NULL) {
                ngx_http_rs_conn_finish(ws, RS_E_INTERNAL);
                break;
            }
        }

        ngx_memcpy(ws->pong, ev->data, ev->len);
        ws->pong_len = ev->len;
        ws->pong_due = 1;

        ngx_post_event(&ws->flush, &ngx_posted_events);
        break;

    case RS_WS_CLOSE:

        ws->close_seen = 1;

        if (ws->head.closing) {
            ngx_post_event(&ws->flush, &ngx_posted_events);
            break;
        }

        none = rs_str(NULL);
        len = rs_ws_close_payload(payload, ev->close_code, none);

        if (ngx_http_rs_conn_queue(ws, RS_WS_CLOSE, payload, len) == NGX_OK) {
            ngx_http_rs_conn_closing(ws, RS_OK);
        }

        break;

    default: /* a pong: it was heard, that is all */
        break;
    }
}


void
ngx_http_rs_conn_write(ngx_http_rs_ws_t *ws)
{
    ngx_int_t          rv;
    ngx_connection_t  *c;

    if (ws->finished) {
        return;
    }

    c = ws->head.connection;

    if (ws->busy && ngx_http_rs_conn_busy(ws) != NGX_OK) {
        return;
    }

    rv = ngx_http_rs_conn_write_out(ws);

    if (rv == NGX_OK && ws->pong_due && !ws->head.closing) {
        ws->pong_due = 0;

        if (ngx_http_rs_conn_queue(ws, RS_WS_PONG, ws->pong, ws->pong_len)
            == NGX_OK)
        {
            rv = ngx_http_rs_conn_write_out(ws);
        }
    }

    if (rv == NGX_ERROR) {
        ngx_http_rs_conn_finish(ws, ws->head.closing ? ws->code
                                                     : RS_E_PEER_TIMEOUT);
        return;
    }

    if (rv == NGX_AGAIN) {

        if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
            ngx_http_rs_conn_finish(ws, RS_E_INTERNAL);
        }

        return;
    }

    if (!ws->slim) {
        ngx_http_rs_conn_slim(ws);
    }

    if (!ws->head.closing) {

        if (ws->head.handlers->leg) {
            ws->head.handlers->leg->writable(&ws->head);
        }

        return;
    }

    if (ws->close_seen) {
        ngx_http_rs_conn_finish(ws, ws->code);
        return;
    }

    if (ws->broken && !ws->shut) {

        /*
         * The peer's close frame cannot be found any more.  The end of our
         * side makes it end the connection; what it still has under way is
         * dropped by the read handler.
         */

        ws->shut = 1;

#if (NGX_HTTP_SSL)
        if (c->ssl) {
            return;
        }
#endif

        if (ngx_shutdown_socket(c->fd, NGX_WRITE_SHUTDOWN) == -1) {
            ngx_http_rs_conn_finish(ws, ws->code);
        }
    }
}


/*
 * What waits is in chunks already: TLS needs no buffer of its own (16 KB), it
 * makes a record of each chunk.  The first one is freed when the 101 is out.
 */

static void
ngx_http_rs_conn_slim(ngx_http_rs_ws_t *ws)
{
    ngx_connection_t  *c;

    c = ws->head.connection;

    ws->slim = 1;

#if (NGX_HTTP_SSL)
    if (c->ssl) {
        c->ssl->buffer = 0;
        ngx_ssl_free_buffer(c);
    }
#endif

    if (ws->detach) {
        ngx_post_event(c->read, &ngx_posted_events);
    }
}


/* NGX_OK: all is written; NGX_AGAIN: the socket is full; NGX_ERROR: broken */

static ngx_int_t
ngx_http_rs_conn_write_out(ngx_http_rs_ws_t *ws)
{
    size_t               size;
    ngx_chain_t         *cl;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ws->head.request;
    c = ws->head.connection;

    if (r && r->buffered) {
        /* the 101 itself did not fit */

        if (ngx_http_output_filter(r, NULL) == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (r->buffered) {
            return NGX_AGAIN;
        }
    }

    if (ws->out.first == NULL && !c->buffered) {
        return NGX_OK;
    }

    cl = c->send_chain(c, ws->out.first, 0);

    if (cl == NGX_CHAIN_ERROR) {
        return NGX_ERROR;
    }

    size = ws->out.size;

    ngx_http_rs_queue_sent(&ws->out, &ws->conns->chunks, cl);

    size -= ws->out.size;

    ws->head.bytes_out += size;
    ngx_http_rs_add(ws->head.rmcf, NGX_HTTP_RS_STAT_BYTES_OUT, size);
    ngx_http_rs_gauge(ws->head.rmcf, NGX_HTTP_RS_GAUGE_QUEUED, -size);

    return (ws->out.first || c->buffered) ? NGX_AGAIN : NGX_OK;
}


/* header and payload are copied behind what waits already */

ngx_int_t
ngx_http_rs_conn_queue(ngx_http_rs_ws_t *ws, ngx_uint_t opcode, u_char *data,
    size_t len)
{
    size_t                 n, size;
    u_char                 header[RS_WS_HEADER_MAX];
    ngx_http_rs_chunks_t  *chunks;

    n = rs_ws_header(header, opcode, len);

    chunks = &ws->conns->chunks;
    size = ws->out.size;

    if (ngx_http_rs_queue_append(&ws->out, chunks, header, n) != NGX_OK
        || ngx_http_rs_queue_append(&ws->out, chunks, data, len) != NGX_OK)
    {
        ngx_http_rs_conn_finish(ws, RS_E_INTERNAL);
        return NGX_ERROR;
    }

    ngx_http_rs_gauge(ws->head.rmcf, NGX_HTTP_RS_GAUGE_QUEUED,
                      ws->out.size - size);

    ngx_post_event(&ws->flush, &ngx_posted_events);

    return NGX_OK;
}
