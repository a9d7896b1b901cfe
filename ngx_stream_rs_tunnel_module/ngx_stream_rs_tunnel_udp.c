
/*
 * Copyright (C) rs-gateway contributors
 *
 * Datagrams of one address and the pipe: one is a message.  What cannot be
 * taken at once, the pipe or the client being busy, is dropped as a network
 * would; while the pipe is being asked for a few wait.
 */


#include "ngx_stream_rs_tunnel.h"


#define NGX_STREAM_RS_TUNNEL_EARLY        16
#define NGX_STREAM_RS_TUNNEL_EARLY_BYTES  131072


static ssize_t ngx_stream_rs_tunnel_udp_recv(ngx_stream_rs_tunnel_ctx_t *ctx,
    u_char *data);
static void ngx_stream_rs_tunnel_udp_wait(ngx_stream_rs_tunnel_ctx_t *ctx,
    u_char *data, size_t len);
static ngx_int_t ngx_stream_rs_tunnel_udp_early(
    ngx_stream_rs_tunnel_ctx_t *ctx);
static ngx_int_t ngx_stream_rs_tunnel_udp_piece(
    ngx_stream_rs_tunnel_ctx_t *ctx, rs_ws_piece_t *piece);
static void ngx_stream_rs_tunnel_udp_send(ngx_connection_t *c, u_char *data,
    size_t len);


void
ngx_stream_rs_tunnel_udp_client(ngx_stream_rs_tunnel_ctx_t *ctx)
{
    ssize_t            n;
    u_char            *data;
    ngx_connection_t  *c;

    c = ctx->session->connection;

    data = ngx_alloc(RS_WS_HEADER_MAX + NGX_STREAM_RS_TUNNEL_DATAGRAM,
                     c->log);
    if (data == NULL) {
        return;
    }

    n = ngx_stream_rs_tunnel_udp_recv(ctx, data + RS_WS_HEADER_MAX);

    if (n <= 0 || ctx->up || ctx->early || ctx->leg == NULL) {

        if (n > 0 && ctx->leg == NULL) {
            ngx_stream_rs_tunnel_udp_wait(ctx, data + RS_WS_HEADER_MAX, n);
        }

        ngx_free(data);
        return;
    }

    ctx->up = data;
    ngx_stream_rs_tunnel_frame(ctx, RS_WS_BINARY, n);

    if (ngx_stream_rs_tunnel_flush(ctx) == NGX_ERROR) {
        ngx_stream_rs_tunnel_end(ctx, NGX_STREAM_BAD_GATEWAY, 0);
    }
}


/* the first one is where nginx has put it, and was counted */

static ssize_t
ngx_stream_rs_tunnel_udp_recv(ngx_stream_rs_tunnel_ctx_t *ctx, u_char *data)
{
    ssize_t            n;
    ngx_buf_t         *b;
    ngx_connection_t  *c;

    c = ctx->session->connection;
    b = c->buffer;

    if (b && b->pos < b->last) {
        n = ngx_min(b->last - b->pos, NGX_STREAM_RS_TUNNEL_DATAGRAM);
        ngx_memcpy(data, b->pos, n);
        b->pos = b->last;
        return n;
    }

    n = c->recv(c, data, NGX_STREAM_RS_TUNNEL_DATAGRAM);

    if (n > 0) {
        ctx->session->received += n;
    }

    return n;
}


static void
ngx_stream_rs_tunnel_udp_wait(ngx_stream_rs_tunnel_ctx_t *ctx, u_char *data,
    size_t len)
{
    ngx_stream_rs_tunnel_early_t  *e;

    if (ctx->nearly >= NGX_STREAM_RS_TUNNEL_EARLY
        || ctx->early_size + len > NGX_STREAM_RS_TUNNEL_EARLY_BYTES)
    {
        return;
    }

    e = ngx_alloc(sizeof(ngx_stream_rs_tunnel_early_t) + len,
                  ctx->session->connection->log);
    if (e == NULL) {
        return;
    }

    e->next = NULL;
    e->len = len;
    ngx_memcpy(&e[1], data, len);

    *ctx->early_last = e;
    ctx->early_last = &e->next;
    ctx->nearly++;
    ctx->early_size += len;
}


void
ngx_stream_rs_tunnel_udp_leg(ngx_stream_rs_tunnel_ctx_t *ctx)
{
    ngx_int_t      rc;
    ngx_uint_t     i;
    rs_ws_piece_t  piece;

    rc = ngx_stream_rs_tunnel_udp_early(ctx);

    if (rc == NGX_ERROR) {
        ngx_stream_rs_tunnel_end(ctx, NGX_STREAM_BAD_GATEWAY, 0);
        return;
    }

    for (i = 0; i < NGX_STREAM_RS_TUNNEL_ROUNDS; i++) {
        rc = ngx_stream_rs_tunnel_next(ctx, &piece);

        if (rc == NGX_OK) {
            rc = ngx_stream_rs_tunnel_udp_piece(ctx, &piece);
        }

        if (rc == NGX_AGAIN) {
            return;
        }

        if (rc != NGX_OK) {
            ngx_stream_rs_tunnel_end(ctx,
                                     ctx->code == NGX_STREAM_RS_TUNNEL_DONE
                                     ? NGX_STREAM_OK : NGX_STREAM_BAD_GATEWAY,
                                     0);
            return;
        }
    }

    ngx_post_event(ctx->leg->read, &ngx_posted_next_events);
}


/* in the order they came, then all that waits to be written */

static ngx_int_t
ngx_stream_rs_tunnel_udp_early(ngx_stream_rs_tunnel_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_stream_rs_tunnel_early_t  *e;

    for ( ;; ) {
        rc = ngx_stream_rs_tunnel_flush(ctx);
        e = ctx->early;

        if (rc != NGX_OK || e == NULL) {
            return rc;
        }

        if (ngx_stream_rs_tunnel_room(ctx, e->len) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_memcpy(ngx_stream_rs_tunnel_payload(ctx), &e[1], e->len);
        ngx_stream_rs_tunnel_frame(ctx, RS_WS_BINARY, e->len);

        ctx->early = e->next;
        ngx_free(e);
    }
}


/* most come whole and go as they are; the others are put together */

static ngx_int_t
ngx_stream_rs_tunnel_udp_piece(ngx_stream_rs_tunnel_ctx_t *ctx,
    rs_ws_piece_t *piece)
{
    ngx_connection_t  *c;

    c = ctx->session->connection;

    if (ngx_exiting) {

        /*
         * The socket is the server's and was closed, its number may be
         * another one's by now; the client's datagrams go to other workers.
         */

        return NGX_DONE;
    }

    if (ctx->datagram == NULL && piece->last) {
        ngx_stream_rs_tunnel_udp_send(c, (u_char *) piece->data, piece->len);
        return NGX_OK;
    }

    if (ctx->datagram == NULL) {
        ctx->datagram = ngx_alloc(NGX_STREAM_RS_TUNNEL_DATAGRAM, c->log);
        ctx->datagram_len = 0;

        if (ctx->datagram == NULL) {
            return NGX_ERROR;
        }
    }

    /* the reader lets no message be longer */

    ngx_memcpy(ctx->datagram + ctx->datagram_len, piece->data, piece->len);
    ctx->datagram_len += piece->len;

    if (piece->last) {
        ngx_stream_rs_tunnel_udp_send(c, ctx->datagram, ctx->datagram_len);
        ngx_free(ctx->datagram);
        ctx->datagram = NULL;
    }

    return NGX_OK;
}


/*
 * By a chain, which goes out from the address that the client has sent to.
 * An error is his, told by ICMP: the next one may do better.
 */

static void
ngx_stream_rs_tunnel_udp_send(ngx_connection_t *c, u_char *data, size_t len)
{
    ngx_buf_t    b;
    ngx_chain_t  cl;

    if (len == 0) {
        return;
    }

    ngx_memzero(&b, sizeof(ngx_buf_t));

    b.start = b.pos = data;
    b.end = b.last = data + len;
    b.memory = 1;
    b.last_buf = 1;

    cl.buf = &b;
    cl.next = NULL;

    c->write->ready = 1;
    (void) c->send_chain(c, &cl, 0);
    c->write->error = 0;
}


void
ngx_stream_rs_tunnel_udp_free(ngx_stream_rs_tunnel_ctx_t *ctx)
{
    ngx_stream_rs_tunnel_early_t  *e;

    while (ctx->early) {
        e = ctx->early;
        ctx->early = e->next;
        ngx_free(e);
    }

    if (ctx->datagram) {
        ngx_free(ctx->datagram);
        ctx->datagram = NULL;
    }
}
