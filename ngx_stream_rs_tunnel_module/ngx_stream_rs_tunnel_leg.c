
/*
 * Copyright (C) rs-gateway contributors
 *
 * Our end of the client's leg: frames to it and pieces of messages from it.
 * Buffers are there only while something is in them.
 */


#include "ngx_stream_rs_tunnel.h"


static ngx_int_t ngx_stream_rs_tunnel_read(ngx_stream_rs_tunnel_ctx_t *ctx);
static ngx_int_t ngx_stream_rs_tunnel_said(ngx_stream_rs_tunnel_ctx_t *ctx,
    rs_ws_piece_t *piece);


static const uint8_t  ngx_stream_rs_tunnel_mask[4];


ngx_int_t
ngx_stream_rs_tunnel_room(ngx_stream_rs_tunnel_ctx_t *ctx, size_t size)
{
    ctx->up = ngx_alloc(RS_WS_HEADER_MAX + size,
                        ctx->session->connection->log);

    ctx->up_pos = ctx->up;
    ctx->up_last = ctx->up;

    return ctx->up ? NGX_OK : NGX_ERROR;
}


void
ngx_stream_rs_tunnel_frame(ngx_stream_rs_tunnel_ctx_t *ctx,
    ngx_uint_t opcode, size_t len)
{
    size_t  n;
    u_char  header[RS_WS_HEADER_MAX];

    n = ctx->api->header(header, (unsigned) opcode, len,
                         ngx_stream_rs_tunnel_mask);

    ctx->up_pos = ngx_stream_rs_tunnel_payload(ctx) - n;
    ctx->up_last = ngx_stream_rs_tunnel_payload(ctx) + len;

    ngx_memcpy(ctx->up_pos, header, n);
}


ngx_int_t
ngx_stream_rs_tunnel_flush(ngx_stream_rs_tunnel_ctx_t *ctx)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = ctx->leg;

    for ( ;; ) {

        while (ctx->up_pos < ctx->up_last) {
            n = c->write->ready ? c->send(c, ctx->up_pos,
                                          ctx->up_last - ctx->up_pos)
                                : NGX_AGAIN;

            if (n == NGX_AGAIN) {
                return ngx_handle_write_event(c->write, 0) == NGX_OK
                       ? NGX_AGAIN : NGX_ERROR;
            }

            if (n < 0) {
                return NGX_ERROR;
            }

            ctx->up_pos += n;
        }

        if (ctx->up) {
            ngx_free(ctx->up);
            ctx->up = ctx->up_pos = ctx->up_last = NULL;
        }

        if (!ctx->pong_due || ctx->closing) {
            return NGX_OK;
        }

        if (ngx_stream_rs_tunnel_room(ctx, RS_WS_CONTROL_MAX) != NGX_OK) {
            return NGX_ERROR;
        }

        ctx->pong_due = 0;
        ngx_memcpy(ngx_stream_rs_tunnel_payload(ctx), ctx->pong,
                   ctx->pong_len);
        ngx_stream_rs_tunnel_frame(ctx, RS_WS_PONG, ctx->pong_len);
    }
}


ngx_int_t
ngx_stream_rs_tunnel_next(ngx_stream_rs_tunnel_ctx_t *ctx,
    rs_ws_piece_t *piece)
{
    rs_err_e   code;
    ngx_int_t  rc;

    for ( ;; ) {

        if (ctx->down == NULL) {
            rc = ngx_stream_rs_tunnel_read(ctx);

            if (rc != NGX_OK) {
                return rc;
            }
        }

        code = ctx->api->pieces_read(&ctx->reader, &ctx->down_pos,
                                     ctx->down_last, piece);

        if (code == RS_AGAIN) {
            ngx_free(ctx->down);
            ctx->down = NULL;
            continue;
        }

        if (code != RS_OK) {
            ngx_log_error(NGX_LOG_ERR, ctx->session->connection->log, 0,
                          "rs tunnel cannot read a frame of the pipe: %s",
                          ctx->api->code(code));
            return NGX_DONE;
        }

        if (piece->opcode == RS_WS_BINARY) {
            return NGX_OK;
        }

        if (ngx_stream_rs_tunnel_said(ctx, piece) != NGX_OK) {
            return NGX_DONE;
        }
    }
}


static ngx_int_t
ngx_stream_rs_tunnel_read(ngx_stream_rs_tunnel_ctx_t *ctx)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = ctx->leg;

    if (!c->read->ready) {
        return NGX_AGAIN;
    }

    ctx->down = ngx_alloc(ctx->size, ctx->session->connection->log);

    if (ctx->down == NULL) {
        return NGX_DONE;
    }

    n = c->recv(c, ctx->down, ctx->size);

    if (n > 0) {
        ctx->down_pos = ctx->down;
        ctx->down_last = ctx->down + n;
        return NGX_OK;
    }

    ngx_free(ctx->down);
    ctx->down = NULL;

    if (n == NGX_AGAIN && ngx_handle_read_event(c->read, 0) == NGX_OK) {
        return NGX_AGAIN;
    }

    return NGX_DONE;
}


/* pings are answered between frames, the latest only (RFC 6455, 5.5.3) */

static ngx_int_t
ngx_stream_rs_tunnel_said(ngx_stream_rs_tunnel_ctx_t *ctx,
    rs_ws_piece_t *piece)
{
    switch (piece->opcode) {

    case RS_WS_PING:
        ngx_memcpy(ctx->pong, piece->data, piece->len);
        ctx->pong_len = piece->len;
        ctx->pong_due = 1;
        ngx_post_event(ctx->leg->write, &ngx_posted_events);
        return NGX_OK;

    case RS_WS_CLOSE:
        ctx->code = piece->close_code;

        if (ctx->code != NGX_STREAM_RS_TUNNEL_DONE) {
            ngx_log_error(NGX_LOG_INFO, ctx->session->connection->log, 0,
                          "rs tunnel: the pipe is closed with %ud %*s",
                          ctx->code, piece->len, piece->data);
        }

        return NGX_DONE;

    default: /* a pong: nobody asked */
        return NGX_OK;
    }
}
