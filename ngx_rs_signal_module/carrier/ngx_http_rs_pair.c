
/*
 * Copyright (C) rs-gateway contributors
 */


#include "ngx_http_rs.h"


#define NGX_HTTP_RS_PAIR_POOL      512


static ngx_connection_t *ngx_http_rs_pair_connection(ngx_socket_t s,
    ngx_log_t *log);
static ngx_int_t ngx_http_rs_pair_log(ngx_connection_t *c, ngx_log_t *log);


ngx_connection_t *
ngx_http_rs_pair(ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log,
    ngx_socket_t *other)
{
    int                i, size, s[2];
    ngx_connection_t  *c;

    if (socketpair(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0, s)
        == -1)
    {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_socket_errno,
                      "rs pair: socketpair() failed");
        return NULL;
    }

    size = (int) rmcf->pipe_buffer;

    for (i = 0; i < 2; i++) {
        if (setsockopt(s[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(int))
            == -1)
        {
            ngx_log_error(NGX_LOG_ALERT, log, ngx_socket_errno,
                          "rs pair: setsockopt(SO_SNDBUF) failed");
            goto failed;
        }
    }

    c = ngx_http_rs_pair_connection(s[0], log);

    if (c == NULL) {
        goto failed;
    }

    *other = s[1];

    return c;

failed:

    (void) ngx_close_socket(s[0]);
    (void) ngx_close_socket(s[1]);

    return NULL;
}


/* NULL: s is the caller's still */

static ngx_connection_t *
ngx_http_rs_pair_connection(ngx_socket_t s, ngx_log_t *log)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    c = ngx_get_connection(s, log);
    if (c == NULL) {
        return NULL;
    }

    c->type = SOCK_STREAM;
    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_send_chain;
    c->write->ready = 1;

    /* not a client's: a worker that exits does not call it a leaked socket */
    c->read->channel = 1;
    c->write->channel = 1;

    c->pool = ngx_create_pool(NGX_HTTP_RS_PAIR_POOL, log);

    if (c->pool == NULL || ngx_http_rs_pair_log(c, log) != NGX_OK
        || ngx_add_conn == NULL || ngx_add_conn(c) != NGX_OK)
    {
        pool = c->pool;
        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;

        if (pool) {
            ngx_destroy_pool(pool);
        }

        return NULL;
    }

    /* as a client's, since it is closed as one */
#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, 1);
#endif

    return c;
}


/* one of its own: what it is doing is not what the worker is */

static ngx_int_t
ngx_http_rs_pair_log(ngx_connection_t *c, ngx_log_t *log)
{
    ngx_log_t  *own;

    own = ngx_palloc(c->pool, sizeof(ngx_log_t));
    if (own == NULL) {
        return NGX_ERROR;
    }

    *own = *log;
    own->handler = NULL;
    own->action = "serving a port";

    c->log = c->read->log = c->write->log = c->pool->log = own;
    c->log_error = NGX_ERROR_INFO;

    return NGX_OK;
}
