
/*
 * Copyright (C) rs-gateway contributors
 *
 * The workers of this node that this one sends to: connected when there is
 * something for them, left when they are idle.  What waits for one is in one
 * bounded piece of memory and goes out as whole datagrams.
 */


#include "ngx_http_rs_ipc_peer.h"
#include "rs_pack.h"


#define NGX_HTTP_RS_IPC_OUT_FIRST   8192
#define NGX_HTTP_RS_IPC_OUT_MAX     262144
#define NGX_HTTP_RS_IPC_OUT_KEEP    65536     /* a larger one is given back */
#define NGX_HTTP_RS_IPC_IDLE        60000     /* ms, then a peer is left */


/* a worker we send to */

struct ngx_http_rs_ipc_peer_s {
    ngx_queue_t                 queue;
    ngx_http_rs_ipc_t          *ipc;
    ngx_connection_t           *connection;
    uint64_t                    incarnation;
    ngx_msec_t                  used;

    u_char                     *data;          /* packed envelopes */
    size_t                      size;
    size_t                      head;          /* sent */
    size_t                      len;           /* behind it, to be sent */
};


static ngx_http_rs_ipc_peer_t *ngx_http_rs_ipc_find(ngx_http_rs_ipc_t *ipc,
    uint64_t incarnation);
static ngx_int_t ngx_http_rs_ipc_reserve(ngx_http_rs_ipc_peer_t *peer,
    size_t size);
static void ngx_http_rs_ipc_write_handler(ngx_event_t *wev);
static void ngx_http_rs_ipc_eof_handler(ngx_event_t *rev);
static void ngx_http_rs_ipc_idle_handler(ngx_event_t *ev);


void
ngx_http_rs_ipc_peers_init(ngx_http_rs_ipc_t *ipc)
{
    ngx_queue_init(&ipc->peers);

    ipc->idle.handler = ngx_http_rs_ipc_idle_handler;
    ipc->idle.data = ipc;
    ipc->idle.log = ipc->log;
    ipc->idle.cancelable = 1;
}


void
ngx_http_rs_ipc_peers_close(ngx_http_rs_ipc_t *ipc)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&ipc->peers)) {
        q = ngx_queue_head(&ipc->peers);
        ngx_http_rs_ipc_peer_close(ngx_queue_data(q, ngx_http_rs_ipc_peer_t,
                                                  queue));
    }
}


ngx_int_t
ngx_http_rs_ipc_send(ngx_http_rs_ipc_t *ipc, rs_addr_t *worker,
    ngx_str_t *envelope)
{
    rs_buf_t                 b;
    ngx_int_t                rv;
    ngx_http_rs_ipc_peer_t  *peer;

    peer = ngx_http_rs_ipc_find(ipc, worker->incarnation);

    if (peer == NULL) {
        rv = ngx_http_rs_ipc_connect(ipc, worker->incarnation, &peer);

        if (rv != NGX_OK) {
            return rv;
        }
    }

    peer->used = ngx_current_msec;

    if (RS_PACK_HEAD + envelope->len > NGX_HTTP_RS_IPC_DATAGRAM
        || ngx_http_rs_ipc_reserve(peer, RS_PACK_HEAD + envelope->len)
           != NGX_OK)
    {
        ngx_http_rs_count(ipc->rmcf, NGX_HTTP_RS_STAT_ENV_DROPPED);
        return NGX_BUSY;
    }

    rs_buf_init(&b, peer->data + peer->head + peer->len,
                peer->size - peer->head - peer->len);

    if (rs_pack_put(&b, ngx_http_rs_slice(envelope)) != RS_OK) {
        return NGX_BUSY;
    }

    peer->len += b.len;

    ngx_http_rs_count(ipc->rmcf, NGX_HTTP_RS_STAT_IPC_OUT);

    ngx_post_event(peer->connection->write, &ngx_posted_events);

    return NGX_OK;
}


/* the one used last is looked at first */

static ngx_http_rs_ipc_peer_t *
ngx_http_rs_ipc_find(ngx_http_rs_ipc_t *ipc, uint64_t incarnation)
{
    ngx_queue_t             *q;
    ngx_http_rs_ipc_peer_t  *peer;

    for (q = ngx_queue_head(&ipc->peers);
         q != ngx_queue_sentinel(&ipc->peers);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_http_rs_ipc_peer_t, queue);

        if (peer->incarnation == incarnation) {

            if (q != ngx_queue_head(&ipc->peers)) {
                ngx_queue_remove(q);
                ngx_queue_insert_head(&ipc->peers, q);
            }

            return peer;
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_rs_ipc_connect(ngx_http_rs_ipc_t *ipc, uint64_t incarnation,
    ngx_http_rs_ipc_peer_t **peer)
{
    ngx_err_t                err;
    ngx_socket_t             s;
    ngx_connection_t        *c;
    struct sockaddr_un       addr;
    ngx_http_rs_ipc_peer_t  *p;

    if (ipc->npeers == NGX_HTTP_RS_IPC_PEERS) {
        return NGX_DECLINED;
    }

    s = ngx_socket(AF_UNIX, SOCK_SEQPACKET|SOCK_NONBLOCK, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_INFO, ipc->log, ngx_socket_errno,
                      "rs ipc: " ngx_socket_n " failed");
        return NGX_DECLINED;
    }

    ngx_http_rs_ipc_name(ipc, &addr, incarnation);

    if (connect(s, (struct sockaddr *) &addr, sizeof(struct sockaddr_un))
        == -1)
    {
        err = ngx_socket_errno;

        ngx_log_error(NGX_LOG_INFO, ipc->log, err,
                      "rs ipc: connect(\"%s\") failed", addr.sun_path);

        ngx_http_rs_ipc_close_socket(ipc, s);

        if (err == NGX_ECONNREFUSED) {
            /* another worker may have been faster */
            (void) ngx_delete_file(addr.sun_path);
            ngx_http_rs_ipc_link_name(ipc, &addr, incarnation);
            (void) ngx_delete_file(addr.sun_path);
            return NGX_ABORT;
        }

        return NGX_DECLINED;
    }

    if (ngx_http_rs_ipc_same_user(ipc, s) != NGX_OK) {
        ngx_http_rs_ipc_close_socket(ipc, s);
        return NGX_DECLINED;
    }

    c = ngx_http_rs_ipc_connection(ipc, s, ngx_http_rs_ipc_eof_handler,
                                   ngx_http_rs_ipc_write_handler);
    if (c == NULL) {
        return NGX_DECLINED;
    }

    p = ngx_calloc(sizeof(ngx_http_rs_ipc_peer_t), ipc->log);

    if (p == NULL) {
        ngx_close_connection(c);
        return NGX_DECLINED;
    }

    p->ipc = ipc;
    p->connection = c;
    p->incarnation = incarnation;
    p->used = ngx_current_msec;

    c->data = p;
    c->write->ready = 1;

    ngx_queue_insert_head(&ipc->peers, &p->queue);
    ipc->npeers++;

    if (!ipc->idle.timer_set) {
        ngx_add_timer(&ipc->idle, NGX_HTTP_RS_IPC_IDLE);
    }

    *peer = p;

    return NGX_OK;
}


/* room behind what waits; NGX_BUSY: that is enough already */

static ngx_int_t
ngx_http_rs_ipc_reserve(ngx_http_rs_ipc_peer_t *peer, size_t size)
{
    size_t   wanted;
    u_char  *data;

    if (peer->size - peer->head - peer->len >= size) {
        return NGX_OK;
    }

    if (peer->size - peer->len >= size) {
        ngx_memmove(peer->data, peer->data + peer->head, peer->len);
        peer->head = 0;
        return NGX_OK;
    }

    wanted = ngx_max(2 * peer->size, NGX_HTTP_RS_IPC_OUT_FIRST);

    while (wanted - peer->len < size) {
        wanted *= 2;
    }

    if (wanted > NGX_HTTP_RS_IPC_OUT_MAX) {
        return NGX_BUSY;
    }

    data = ngx_alloc(wanted, peer->ipc->log);
    if (data == NULL) {
        return NGX_BUSY;
    }

    if (peer->data) {
        ngx_memcpy(data, peer->data + peer->head, peer->len);
        ngx_free(peer->data);
    }

    peer->data = data;
    peer->size = wanted;
    peer->head = 0;

    return NGX_OK;
}


static void
ngx_http_rs_ipc_write_handler(ngx_event_t *wev)
{
    size_t                   size;
    ssize_t                  n;
    rs_str_t                 out;
    ngx_err_t                err;
    ngx_connection_t        *c;
    ngx_http_rs_ipc_peer_t  *peer;

    c = wev->data;
    peer = c->data;

    while (peer->len) {
        out.data = peer->data + peer->head;
        out.len = peer->len;

        size = rs_pack_fit(out, NGX_HTTP_RS_IPC_DATAGRAM);

        n = send(c->fd, out.data, size, MSG_NOSIGNAL);

        if (n == -1) {
            err = ngx_socket_errno;

            if (err == NGX_EINTR) {
                continue;
            }

            if (err == NGX_EAGAIN) {
                wev->ready = 0;

                if (ngx_handle_write_event(wev, 0) == NGX_OK) {
                    return;
                }
            }

            /* what waits is volatile and goes with it */

            ngx_log_error(NGX_LOG_INFO, c->log, err,
                          "rs ipc: send() to %016xL failed",
                          peer->incarnation);
            ngx_http_rs_ipc_peer_close(peer);
            return;
        }

        peer->head += size;
        peer->len -= size;
    }

    peer->head = 0;

    if (peer->size > NGX_HTTP_RS_IPC_OUT_KEEP) {
        ngx_free(peer->data);
        peer->data = NULL;
        peer->size = 0;
    }

    /* a method that tells of every chance to write is told to stop */

    if (!(ngx_event_flags & NGX_USE_CLEAR_EVENT) && wev->active
        && ngx_del_event(wev, NGX_WRITE_EVENT, 0) != NGX_OK)
    {
        ngx_http_rs_ipc_peer_close(peer);
    }
}


/* nothing is ever said on this side: it is its end */

static void
ngx_http_rs_ipc_eof_handler(ngx_event_t *rev)
{
    u_char             byte;
    ssize_t            n;
    ngx_connection_t  *c;

    c = rev->data;

    n = recv(c->fd, &byte, 1, 0);

    if (n == -1 && ngx_socket_errno == NGX_EAGAIN) {
        rev->ready = 0;
        return;
    }

    ngx_http_rs_ipc_peer_close(c->data);
}


static void
ngx_http_rs_ipc_idle_handler(ngx_event_t *ev)
{
    ngx_http_rs_ipc_t *ipc = ev->data;

    ngx_queue_t             *q;
    ngx_http_rs_ipc_peer_t  *peer;

    while (!ngx_queue_empty(&ipc->peers)) {
        q = ngx_queue_last(&ipc->peers);
        peer = ngx_queue_data(q, ngx_http_rs_ipc_peer_t, queue);

        if (ngx_current_msec - peer->used < NGX_HTTP_RS_IPC_IDLE) {
            ngx_add_timer(&ipc->idle, NGX_HTTP_RS_IPC_IDLE
                                      - (ngx_current_msec - peer->used));
            return;
        }

        ngx_http_rs_ipc_peer_close(peer);
    }
}


void
ngx_http_rs_ipc_peer_close(ngx_http_rs_ipc_peer_t *peer)
{
    ngx_http_rs_ipc_t  *ipc;

    ipc = peer->ipc;

    ngx_close_connection(peer->connection);

    if (peer->data) {
        ngx_free(peer->data);
    }

    ngx_queue_remove(&peer->queue);
    ipc->npeers--;

    if (ipc->npeers == 0 && ipc->idle.timer_set) {
        ngx_del_timer(&ipc->idle);
    }

    ngx_free(peer);
}
