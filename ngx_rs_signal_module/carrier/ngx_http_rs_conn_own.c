
/*
 * Copyright (C) rs-gateway contributors
 *
 * Sockets without a request.
 *
 * One that stays for days, a device's, gives its request back with
 * conn_detach(): logged with its 101, freed from the socket's own read event,
 * where nobody else is using it.  What remains, ws and the connection, is in
 * the connection's pool.  One between two workers never had any.
 */


#include "ngx_http_rs_conn_io.h"


static void ngx_http_rs_conn_own_read_handler(ngx_event_t *rev);
static void ngx_http_rs_conn_own_write_handler(ngx_event_t *wev);
static void ngx_http_rs_conn_free_buffers(ngx_http_connection_t *hc,
    ngx_connection_t *c);


ngx_http_rs_conn_t *
ngx_http_rs_conn_adopt(ngx_http_rs_main_conf_t *rmcf,
    ngx_http_rs_loc_conf_t *rlcf, ngx_connection_t *c,
    const ngx_http_rs_conn_handlers_t *handlers, void *data)
{
    ngx_http_rs_ws_t  *ws;

    ws = ngx_http_rs_conn_alloc(rmcf, rlcf, c, handlers, data);
    if (ws == NULL) {
        return NULL;
    }

    c->data = ws;
    ngx_http_rs_conn_handle(c, ngx_http_rs_conn_own_read_handler,
                            ngx_http_rs_conn_own_write_handler);

    ngx_http_rs_conn_enter(ws);

    return &ws->head;
}


static void
ngx_http_rs_conn_own_read_handler(ngx_event_t *rev)
{
    ngx_connection_t  *c;

    c = rev->data;

    ngx_http_rs_conn_readable(c->data);
}


static void
ngx_http_rs_conn_own_write_handler(ngx_event_t *wev)
{
    ngx_connection_t  *c;

    c = wev->data;

    ngx_http_rs_conn_write(c->data);
}


void
ngx_http_rs_conn_detach(ngx_http_rs_conn_t *rc)
{
    ngx_http_rs_ws_t *ws = (ngx_http_rs_ws_t *) rc;

    ws->detach = 1;

    ngx_post_event(rc->connection->read, &ngx_posted_events);
}


/* while the 101 waits, who writes it asks again */

void
ngx_http_rs_conn_free_request(ngx_http_rs_ws_t *ws)
{
    ngx_connection_t       *c;
    ngx_http_log_ctx_t     *ctx;
    ngx_http_cleanup_t     *cln;
    ngx_http_request_t     *r;
    ngx_http_connection_t  *hc;

    r = ws->head.request;

    if (ws->head.closing || r->buffered
        || r->header_in->pos < r->header_in->last)
    {
        return;
    }

    c = ws->head.connection;
    hc = r->http_connection;

    cln = r->cleanup;

    while (cln->handler != ngx_http_rs_conn_cleanup) {
        cln = cln->next;
    }

    cln->handler = NULL;

    ws->detach = 0;
    ws->head.request = NULL;

    ngx_http_free_request(r, 0);

    /* it was not the connection that ended */

    c->destroyed = 0;
    c->data = ws;
    ngx_http_rs_conn_handle(c, ngx_http_rs_conn_own_read_handler,
                            ngx_http_rs_conn_own_write_handler);

    ctx = c->log->data;
    ctx->current_request = NULL;
    c->log->action = "serving websocket";

    ngx_http_rs_conn_free_buffers(hc, c);
}


/* as ngx_http_set_keepalive() does: the header of the request was in them */

static void
ngx_http_rs_conn_free_buffers(ngx_http_connection_t *hc, ngx_connection_t *c)
{
    ngx_chain_t  *cl, *ln;

    if (ngx_pfree(c->pool, c->buffer->start) == NGX_OK) {
        ngx_memzero(c->buffer, sizeof(ngx_buf_t));
    }

    for (cl = hc->free; cl; /* void */) {
        ln = cl;
        cl = cl->next;
        ngx_pfree(c->pool, ln->buf->start);
        ngx_free_chain(c->pool, ln);
    }

    for (cl = hc->busy; cl; /* void */) {
        ln = cl;
        cl = cl->next;
        ngx_pfree(c->pool, ln->buf->start);
        ngx_free_chain(c->pool, ln);
    }

    hc->free = NULL;
    hc->busy = NULL;
    hc->nbusy = 0;
}
