
/*
 * Copyright (C) rs-gateway contributors
 *
 * The bytes of a leg of a pipe.  Its upper layer has the buffers; what is of
 * the connection's own, 101 and control frames, goes between its frames, never
 * into one: while it is "busy" with bytes that were not all taken, they wait.
 */


#include "ngx_http_rs_conn_io.h"


ngx_int_t
ngx_http_rs_conn_busy(ngx_http_rs_ws_t *ws)
{
    ws->head.handlers->leg->writable(&ws->head);

    return (ws->busy || ws->finished) ? NGX_AGAIN : NGX_OK;
}


ssize_t
ngx_http_rs_conn_recv(ngx_http_rs_conn_t *rc, u_char *buf, size_t size)
{
    ngx_http_rs_ws_t *ws = (ngx_http_rs_ws_t *) rc;

    ssize_t            n;
    ngx_buf_t         *b;
    ngx_event_t       *rev;
    ngx_connection_t  *c;

    if (ws->finished) {
        return NGX_ERROR;
    }

    if (rc->request) {
        b = rc->request->header_in;

        if (b->pos < b->last) {
            size = ngx_min(size, (size_t) (b->last - b->pos));
            ngx_memcpy(buf, b->pos, size);
            b->pos += size;
            return size;
        }
    }

    c = rc->connection;
    rev = c->read;

    n = rev->ready ? c->recv(c, buf, size) : NGX_AGAIN;

    if (n > 0) {
        ws->heard = ngx_current_msec;
        rc->bytes_in += n;
        ngx_http_rs_add(rc->rmcf, NGX_HTTP_RS_STAT_BYTES_IN, n);
        return n;
    }

    if (n == NGX_AGAIN) {

        if (ngx_handle_read_event(rev, 0) != NGX_OK) {
            ngx_http_rs_conn_finish(ws, RS_E_INTERNAL);
            return NGX_ERROR;
        }

        return NGX_AGAIN;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0, "rs conn recv %z", n);

    ngx_http_rs_conn_finish(ws, rc->closing ? ws->code : RS_E_PEER_TIMEOUT);

    return NGX_ERROR;
}


ssize_t
ngx_http_rs_conn_put(ngx_http_rs_conn_t *rc, u_char *buf, size_t size)
{
    ngx_http_rs_ws_t *ws = (ngx_http_rs_ws_t *) rc;

    ssize_t            n;
    ngx_connection_t  *c;

    c = rc->connection;

    if (ws->finished) {
        return NGX_ERROR;
    }

    if (!ws->busy && (ws->out.first || ws->pong_due || c->buffered
                      || (rc->request && rc->request->buffered)))
    {
        /* the event of what waits calls again */
        return NGX_AGAIN;
    }

    n = c->write->ready ? c->send(c, buf, size) : NGX_AGAIN;

    if (n == NGX_ERROR) {
        ngx_http_rs_conn_finish(ws, rc->closing ? ws->code
                                                : RS_E_PEER_TIMEOUT);
        return NGX_ERROR;
    }

    ws->busy = 1;

    if (n == NGX_AGAIN || (size_t) n < size) {

        if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
            ngx_http_rs_conn_finish(ws, RS_E_INTERNAL);
            return NGX_ERROR;
        }

    } else {
        ws->busy = 0;

        if (ws->out.first || ws->pong_due || rc->closing) {
            ngx_post_event(&ws->flush, &ngx_posted_events);
        }
    }

    if (n > 0) {
        rc->bytes_out += n;
        ngx_http_rs_add(rc->rmcf, NGX_HTTP_RS_STAT_BYTES_OUT, n);
    }

    return n;
}


void
ngx_http_rs_conn_control(ngx_http_rs_conn_t *rc, rs_ws_event_t *ev)
{
    ngx_http_rs_conn_frame((ngx_http_rs_ws_t *) rc, ev);
}


void
ngx_http_rs_conn_hold(ngx_http_rs_conn_t *rc, ngx_uint_t on)
{
    ngx_http_rs_ws_t *ws = (ngx_http_rs_ws_t *) rc;

    ws->paused = on ? 1 : 0;
}


void
ngx_http_rs_conn_look(ngx_http_rs_conn_t *rc)
{
    int                err;
    socklen_t          len;
    ngx_connection_t  *c;

    c = rc->connection;

    if (!c->read->pending_eof && !c->read->error) {
        return;
    }

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1
        || err != 0)
    {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                       "rs conn was reset err:%d", err);
        ngx_http_rs_conn_drop(rc);
    }
}


void
ngx_http_rs_conn_broken(ngx_http_rs_conn_t *rc, rs_err_e code)
{
    ngx_http_rs_ws_t *ws = (ngx_http_rs_ws_t *) rc;

    ws->broken = 1;
    ngx_http_rs_conn_end(rc, code);
}


void
ngx_http_rs_conn_drop(ngx_http_rs_conn_t *rc)
{
    ngx_http_rs_ws_t *ws = (ngx_http_rs_ws_t *) rc;

    ngx_http_rs_conn_finish(ws, rc->closing ? ws->code : RS_E_OVERLOADED);
}
