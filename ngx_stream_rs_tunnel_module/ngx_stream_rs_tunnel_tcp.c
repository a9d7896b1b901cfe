
/*
 * Copyright (C) rs-gateway contributors
 *
 * A connection and the pipe.
 *
 *     client  --recv-->  [ up:   a frame ]  --send-->  leg
 *     client  <--send--  [ down: frames  ]  <--recv--  leg
 *
 * One buffer a direction, filled only when it is empty: who does not read
 * stops who writes, through the leg as through TCP.
 *
 * The end.  FIN of the client is an empty message to the leg, an empty message
 * is a FIN to the client.  When both have gone the pipe is closed with 1000,
 * and its answer is waited for: what is in it may wait for a slow device, and
 * a leg that broke meanwhile would break the device's stream.  Everything else
 * is a reset, at either side: SO_LINGER is 0 from the beginning, so also the
 * end of this process is one.
 */


#include "ngx_stream_rs_tunnel.h"


static ngx_int_t ngx_stream_rs_tunnel_up(ngx_stream_rs_tunnel_ctx_t *ctx);
static ngx_int_t ngx_stream_rs_tunnel_take(ngx_stream_rs_tunnel_ctx_t *ctx);
static ngx_int_t ngx_stream_rs_tunnel_down(ngx_stream_rs_tunnel_ctx_t *ctx);
static ngx_int_t ngx_stream_rs_tunnel_give(ngx_stream_rs_tunnel_ctx_t *ctx);
static ngx_int_t ngx_stream_rs_tunnel_piece(ngx_stream_rs_tunnel_ctx_t *ctx,
    rs_ws_piece_t *piece);
static ngx_int_t ngx_stream_rs_tunnel_close(ngx_stream_rs_tunnel_ctx_t *ctx);


void
ngx_stream_rs_tunnel_tcp(ngx_stream_rs_tunnel_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_stream_rs_tunnel_up(ctx);

    if (rc == NGX_OK) {
        rc = ngx_stream_rs_tunnel_down(ctx);
    }

    if (rc == NGX_OK) {
        rc = ngx_stream_rs_tunnel_close(ctx);
    }

    if (rc == NGX_OK) {
        return;
    }

    if (rc == NGX_DONE && ctx->code == NGX_STREAM_RS_TUNNEL_DONE
        && ctx->up_ended && ctx->up == NULL && ctx->down_ended)
    {
        ngx_stream_rs_tunnel_end(ctx, NGX_STREAM_OK, 1);
        return;
    }

    ngx_stream_rs_tunnel_end(ctx, NGX_STREAM_BAD_GATEWAY, 0);
}


ngx_uint_t
ngx_stream_rs_tunnel_reset(ngx_stream_rs_tunnel_ctx_t *ctx)
{
    int                err;
    socklen_t          len;
    ngx_connection_t  *c;

    c = ctx->session->connection;

    if (!c->read->pending_eof && !c->read->error) {
        return 0;
    }

    err = 0;
    len = sizeof(int);

    return getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1
           || err != 0;
}


/* NGX_OK: as far as it goes now; else it is over: NGX_ERROR, NGX_DONE */

static ngx_int_t
ngx_stream_rs_tunnel_up(ngx_stream_rs_tunnel_ctx_t *ctx)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    for (i = 0; i < NGX_STREAM_RS_TUNNEL_ROUNDS; i++) {

        rc = ngx_stream_rs_tunnel_flush(ctx);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_AGAIN || ctx->up_ended) {
            return ngx_stream_rs_tunnel_reset(ctx) ? NGX_ERROR : NGX_OK;
        }

        rc = ngx_stream_rs_tunnel_take(ctx);

        if (rc != NGX_OK) {
            return (rc == NGX_AGAIN) ? NGX_OK : rc;
        }
    }

    ngx_post_event(ctx->session->connection->read, &ngx_posted_next_events);

    return NGX_OK;
}


/* what the client has sent becomes a message: NGX_OK, NGX_AGAIN, NGX_ERROR */

static ngx_int_t
ngx_stream_rs_tunnel_take(ngx_stream_rs_tunnel_ctx_t *ctx)
{
    ssize_t            n;
    ngx_buf_t         *b;
    ngx_connection_t  *c;

    c = ctx->session->connection;
    b = c->buffer;

    if ((b == NULL || b->pos == b->last) && !c->read->ready) {
        return ngx_handle_read_event(c->read, 0) == NGX_OK ? NGX_AGAIN
                                                           : NGX_ERROR;
    }

    if (ngx_stream_rs_tunnel_room(ctx, ctx->size) != NGX_OK) {
        return NGX_ERROR;
    }

    if (b && b->pos < b->last) {

        /* a phase before this one has read ahead */

        n = ngx_min((size_t) (b->last - b->pos), ctx->size);
        ngx_memcpy(ngx_stream_rs_tunnel_payload(ctx), b->pos, n);
        b->pos += n;

    } else {
        n = c->recv(c, ngx_stream_rs_tunnel_payload(ctx), ctx->size);

        if (n > 0) {
            ctx->session->received += n;
        }
    }

    if (n < 0) {
        ngx_free(ctx->up);
        ctx->up = ctx->up_pos = ctx->up_last = NULL;

        return (n == NGX_AGAIN
                && ngx_handle_read_event(c->read, 0) == NGX_OK) ? NGX_AGAIN
                                                                : NGX_ERROR;
    }

    if (n == 0) {
        ctx->up_ended = 1;
    }

    ngx_stream_rs_tunnel_frame(ctx, RS_WS_BINARY, n);

    return NGX_OK;
}


/* as above */

static ngx_int_t
ngx_stream_rs_tunnel_down(ngx_stream_rs_tunnel_ctx_t *ctx)
{
    ngx_int_t      rc;
    ngx_uint_t     i;
    rs_ws_piece_t  piece;

    for (i = 0; i < NGX_STREAM_RS_TUNNEL_ROUNDS; i++) {

        rc = ngx_stream_rs_tunnel_give(ctx);

        if (rc == NGX_OK) {
            rc = ngx_stream_rs_tunnel_next(ctx, &piece);
        }

        if (rc == NGX_OK) {
            rc = ngx_stream_rs_tunnel_piece(ctx, &piece);
        }

        if (rc != NGX_OK) {
            return (rc == NGX_AGAIN) ? NGX_OK : rc;
        }
    }

    ngx_post_event(ctx->leg->read, &ngx_posted_next_events);

    return NGX_OK;
}


static ngx_int_t
ngx_stream_rs_tunnel_give(ngx_stream_rs_tunnel_ctx_t *ctx)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = ctx->session->connection;

    while (ctx->left) {
        n = c->write->ready ? c->send(c, (u_char *) ctx->piece, ctx->left)
                            : NGX_AGAIN;

        if (n == NGX_AGAIN) {
            return ngx_handle_write_event(c->write, 0) == NGX_OK ? NGX_AGAIN
                                                                 : NGX_ERROR;
        }

        if (n < 0) {
            return NGX_ERROR;
        }

        ctx->piece += n;
        ctx->left -= n;
    }

    return NGX_OK;
}


/* a message that is nothing is the end of this direction */

static ngx_int_t
ngx_stream_rs_tunnel_piece(ngx_stream_rs_tunnel_ctx_t *ctx,
    rs_ws_piece_t *piece)
{
    ngx_uint_t         empty;
    ngx_connection_t  *c;

    c = ctx->session->connection;
    empty = piece->len == 0 && !ctx->within;

    if (ctx->down_ended) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "rs tunnel: the device goes on after its end");
        return NGX_ERROR;
    }

    ctx->piece = piece->data;
    ctx->left = piece->len;
    ctx->within = !piece->last;

    if (!empty) {
        return NGX_OK;
    }

    ctx->down_ended = 1;

    if (ngx_shutdown_socket(c->fd, NGX_WRITE_SHUTDOWN) == -1) {
        /* he has reset it */
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* both have ended */

static ngx_int_t
ngx_stream_rs_tunnel_close(ngx_stream_rs_tunnel_ctx_t *ctx)
{
    size_t    n;
    rs_str_t  none;

    if (!ctx->up_ended || !ctx->down_ended || ctx->up || ctx->closing) {
        return NGX_OK;
    }

    if (ngx_stream_rs_tunnel_room(ctx, RS_WS_CONTROL_MAX) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->closing = 1;

    none.data = NULL;
    none.len = 0;

    n = ctx->api->close(ngx_stream_rs_tunnel_payload(ctx),
                        NGX_STREAM_RS_TUNNEL_DONE, none);
    ngx_stream_rs_tunnel_frame(ctx, RS_WS_CLOSE, n);

    return ngx_stream_rs_tunnel_flush(ctx) == NGX_ERROR ? NGX_ERROR : NGX_OK;
}
