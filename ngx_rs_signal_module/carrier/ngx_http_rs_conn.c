
/*
 * Copyright (C) rs-gateway contributors
 *
 * Life of one WebSocket.  The request stays alive below it: its handlers are
 * replaced, and it is finalized when the socket is done, so nginx logs and
 * frees it as any other.  The bytes are ngx_http_rs_conn_io.c.
 *
 * Sockets without a request are ngx_http_rs_conn_own.c.
 *
 * End: conn_close() and conn_end() queue the close frame and set "closing";
 * from then on what comes in is read only to find the peer's close frame or
 * its end, for at most 2 s.  conn_finish() posts the event whose handler then
 * tells the upper layer and finalizes the request.  Nobody else frees
 * anything, so every caller of a conn_* function may use its pointers until
 * it returns to the event loop.
 */


#include "ngx_http_rs_conn_io.h"
#include "rs_msg.h"


#define NGX_HTTP_RS_CLOSE_NORMAL   1000  /* RFC 6455, 7.4.1 */

/* of a detail, escaped */
#define NGX_HTTP_RS_ERROR_MAX      (RS_MSG_WRITE_MAX + 6 * RS_JSON_TEXT_MAX)


static void ngx_http_rs_conn_read_handler(ngx_event_t *rev);
static void ngx_http_rs_conn_write_handler(ngx_event_t *wev);
static void ngx_http_rs_conn_posted_handler(ngx_event_t *ev);
static void ngx_http_rs_conn_ping_handler(ngx_event_t *ev);
static void ngx_http_rs_conn_deadline_handler(ngx_event_t *ev);
static void ngx_http_rs_conn_done(ngx_http_rs_ws_t *ws);

static void ngx_http_rs_conn_arm_ping(ngx_http_rs_ws_t *ws);
static ngx_msec_t ngx_http_rs_conn_limit(ngx_http_rs_ws_t *ws);
static void ngx_http_rs_conn_write_error(rs_buf_t *b, u_char *buf,
    rs_err_e code, const char *detail, uint64_t id);
static void ngx_http_rs_conn_release(ngx_http_rs_ws_t *ws);
static void ngx_http_rs_conns_cleanup(void *data);


ngx_http_rs_conns_t *
ngx_http_rs_conns_create(ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log)
{
    ngx_pool_cleanup_t   *cln;
    ngx_http_rs_conns_t  *conns;

    cln = ngx_pool_cleanup_add(ngx_cycle->pool, sizeof(ngx_http_rs_conns_t));
    if (cln == NULL) {
        return NULL;
    }

    conns = cln->data;
    ngx_memzero(conns, sizeof(ngx_http_rs_conns_t));

    cln->handler = ngx_http_rs_conns_cleanup;

    conns->chunks.log = log;
    ngx_http_rs_drain_init(conns, log);

    ngx_rbtree_init(&conns->tree, &conns->sentinel, ngx_rbtree_insert_value);
    ngx_queue_init(&conns->pending);

    return conns;
}


static void
ngx_http_rs_conns_cleanup(void *data)
{
    ngx_http_rs_conns_t *conns = data;

    ngx_http_rs_drain_stop(conns);
    ngx_http_rs_chunks_destroy(&conns->chunks);
}


/* what does not depend on where the connection comes from */

ngx_http_rs_ws_t *
ngx_http_rs_conn_alloc(ngx_http_rs_main_conf_t *rmcf,
    ngx_http_rs_loc_conf_t *rlcf, ngx_connection_t *c,
    const ngx_http_rs_conn_handlers_t *handlers, void *data)
{
    char               text[RS_ADDR_MAX];
    size_t             len;
    rs_addr_t          addr;
    ngx_http_rs_ws_t  *ws;

    addr = rmcf->self;
    addr.conn = rmcf->conns->last_id + 1;

    len = rs_addr_format(&addr, text, sizeof(text));

    ws = ngx_pcalloc(c->pool, sizeof(ngx_http_rs_ws_t) + len);
    if (ws == NULL) {
        return NULL;
    }

    ws->conns = rmcf->conns;
    ngx_http_rs_queue_init(&ws->out);

    ws->head.connection = c;
    ws->head.rmcf = rmcf;
    ws->head.rlcf = rlcf;
    ws->head.handlers = handlers;
    ws->head.data = data;
    ws->head.log = c->log;
    ws->head.id = ++ws->conns->last_id;

    ws->head.address.data = (u_char *) &ws[1];
    ws->head.address.len = len;
    ngx_memcpy(&ws[1], text, len);

    rs_ws_reader_init(&ws->reader, rlcf->message_size,
                      (unsigned) rlcf->message_fragments);

    ws->ping.handler = ngx_http_rs_conn_ping_handler;
    ws->deadline.handler = ngx_http_rs_conn_deadline_handler;
    ws->flush.handler = ngx_http_rs_conn_posted_handler;

    ws->ping.data = ws->deadline.data = ws->flush.data = ws;

    /* what keeps an exiting worker alive is its drain */
    ws->ping.cancelable = 1;

    ws->ping.log = ws->deadline.log = ws->flush.log = c->log;

    return ws;
}


/* from here on it is found, pinged and sent away as all others */

void
ngx_http_rs_conn_enter(ngx_http_rs_ws_t *ws)
{
    ngx_connection_t  *c;

    c = ws->head.connection;

    ws->node.key = (ngx_rbtree_key_t) ws->head.id;
    ngx_rbtree_insert(&ws->conns->tree, &ws->node);
    ws->conns->count++;

    c->log->action = "serving websocket";

    /* a graceful shutdown calls the read handler with c->close */
    c->idle = 1;

    ws->since = ngx_time();
    ws->heard = ngx_current_msec;
    ngx_http_rs_conn_arm_ping(ws);

    ngx_post_event(c->read, &ngx_posted_events);
    ngx_post_event(&ws->flush, &ngx_posted_events);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "rs conn open id:%uL", ws->head.id);

    if (ngx_exiting) {
        /* the upgrade was under way when the worker was told to end */
        ngx_http_rs_conn_goaway(ws, 0);
    }
}


ngx_http_rs_conn_t *
ngx_http_rs_conn_create(ngx_http_request_t *r,
    const ngx_http_rs_conn_handlers_t *handlers, void *data)
{
    ngx_connection_t          *c;
    ngx_http_rs_ws_t          *ws;
    ngx_http_cleanup_t        *cln;
    ngx_http_rs_loc_conf_t    *rlcf;
    ngx_http_rs_main_conf_t   *rmcf;
    ngx_http_core_loc_conf_t  *clcf;

    c = r->connection;
    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rs_signal_module);
    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rs_signal_module);
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ws = ngx_http_rs_conn_alloc(rmcf, rlcf, c, handlers, data);
    if (ws == NULL) {
        return NULL;
    }

    ws->head.request = r;

    if (clcf->tcp_nodelay && ngx_tcp_nodelay(c) != NGX_OK) {
        return NULL;
    }

    if (ngx_http_send_special(r, NGX_HTTP_FLUSH) == NGX_ERROR) {
        return NULL;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_rs_conn_cleanup;
    cln->data = ws;

    ws->pending = 1;
    ngx_queue_insert_tail(&ws->conns->pending, &ws->queue);
    ngx_http_rs_gauge(rmcf, NGX_HTTP_RS_GAUGE_PENDING, 1);

    ws->request_handler = c->read->handler;
    ngx_http_rs_conn_handle(c, ngx_http_rs_conn_read_handler,
                            ngx_http_rs_conn_write_handler);

    r->main->count++;
    r->keepalive = 0;
    r->write_event_handler = ngx_http_request_empty_handler;

    ngx_http_rs_conn_enter(ws);

    return &ws->head;
}


/*
 * No closing handshake, which would keep it for another 2 s: it said nothing,
 * so what is written arrives.  It goes before the next round of events.
 */

ngx_int_t
ngx_http_rs_conn_room(ngx_http_rs_main_conf_t *rmcf)
{
    ngx_http_rs_ws_t     *ws;
    ngx_http_rs_conns_t  *conns;

    conns = rmcf->conns;

    if (conns->count < rmcf->max_connections) {
        return NGX_OK;
    }

    if (ngx_queue_empty(&conns->pending)) {
        return NGX_BUSY;
    }

    ws = ngx_queue_data(ngx_queue_head(&conns->pending), ngx_http_rs_ws_t,
                        queue);

    ngx_log_error(NGX_LOG_INFO, ws->head.log, 0,
                  "rs conn makes room, there are %ui", conns->count);

    ngx_http_rs_count(rmcf, NGX_HTTP_RS_STAT_SHED);

    ngx_http_rs_conn_admit(&ws->head);
    ngx_http_rs_conn_close(&ws->head, RS_E_OVERLOADED,
                           "there is no room for those not let in yet");
    ngx_http_rs_conn_write(ws);
    ngx_http_rs_conn_finish(ws, ws->code);

    return NGX_OK;
}


void
ngx_http_rs_conn_admit(ngx_http_rs_conn_t *rc)
{
    ngx_http_rs_ws_t *ws = (ngx_http_rs_ws_t *) rc;

    if (ws->pending) {
        ws->pending = 0;
        ngx_queue_remove(&ws->queue);
        ngx_http_rs_gauge(rc->rmcf, NGX_HTTP_RS_GAUGE_PENDING, -1);
    }
}


ngx_http_rs_conn_t *
ngx_http_rs_conn_find(ngx_http_rs_main_conf_t *rmcf, uint64_t id)
{
    ngx_http_rs_ws_t  *ws;

    ws = ngx_http_rs_conn_lookup(rmcf->conns, id);

    return ws ? &ws->head : NULL;
}


ngx_http_rs_ws_t *
ngx_http_rs_conn_lookup(ngx_http_rs_conns_t *conns, uint64_t id)
{
    ngx_rbtree_key_t    key;
    ngx_http_rs_ws_t   *ws;
    ngx_rbtree_node_t  *node, *sentinel;

    key = (ngx_rbtree_key_t) id;
    node = conns->tree.root;
    sentinel = conns->tree.sentinel;

    while (node != sentinel && node->key != key) {
        node = (key < node->key) ? node->left : node->right;
    }

    if (node == sentinel) {
        return NULL;
    }

    ws = ngx_rbtree_data(node, ngx_http_rs_ws_t, node);

    return ws->head.id == id ? ws : NULL;
}


/*
 * While TLS has to write before it can read, or the other way round, nginx'
 * own handlers are there, and those they came in place of are kept aside.
 */

void
ngx_http_rs_conn_handle(ngx_connection_t *c, ngx_event_handler_pt read,
    ngx_event_handler_pt write)
{
    ngx_event_handler_pt  *rh, *wh;

    rh = &c->read->handler;
    wh = &c->write->handler;

#if (NGX_HTTP_SSL)

    if (c->ssl && c->ssl->saved_read_handler) {
        rh = &c->ssl->saved_read_handler;
    }

    if (c->ssl && c->ssl->saved_write_handler) {
        wh = &c->ssl->saved_write_handler;
    }

#endif

    *rh = read;
    *wh = write;
}


/* the request's own context belongs to the layer above */

static ngx_http_rs_ws_t *
ngx_http_rs_conn_event(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;
    ngx_http_cleanup_t  *cln;

    c = ev->data;
    r = c->data;

    cln = r->cleanup;

    while (cln->handler != ngx_http_rs_conn_cleanup) {
        cln = cln->next;
    }

    return cln->data;
}


static void
ngx_http_rs_conn_read_handler(ngx_event_t *rev)
{
    ngx_http_rs_conn_readable(ngx_http_rs_conn_event(rev));
}


void
ngx_http_rs_conn_readable(ngx_http_rs_ws_t *ws)
{
    ngx_connection_t  *c;

    c = ws->head.connection;

    if (c->close) {
        c->close = 0;

        if (c->error) {
            /* worker_shutdown_timeout */
            ngx_http_rs_conn_finish(ws, RS_E_GOING_AWAY);

        } else {
            ngx_http_rs_drain_exit(ws->head.rmcf);
        }

        return;
    }

    if (ws->head.handlers->leg && !ws->broken) {

        if (!ws->finished) {
            ws->head.handlers->leg->readable(&ws->head);
        }

    } else {
        ngx_http_rs_conn_read(ws);
    }

    if (ws->detach) {
        ngx_http_rs_conn_free_request(ws);
    }
}


void
ngx_http_rs_conn_goaway(ngx_http_rs_ws_t *ws, ngx_uint_t jitter)
{
    rs_buf_t  b;
    u_char    buf[RS_MSG_WRITE_MAX];

    if (ws->head.closing) {
        return;
    }

    if (ws->head.handlers->leg) {
        ws->head.handlers->leg->away(&ws->head, RS_E_GOING_AWAY);
        return;
    }

    rs_buf_init(&b, buf, sizeof(buf));
    rs_msg_write_goaway(&b, 0, jitter);

    if (ngx_http_rs_conn_queue(ws, RS_WS_TEXT, b.data, b.len) == NGX_OK) {
        ngx_http_rs_conn_end(&ws->head, RS_E_GOING_AWAY);
    }
}


static void
ngx_http_rs_conn_write_handler(ngx_event_t *wev)
{
    ngx_http_rs_conn_write(ngx_http_rs_conn_event(wev));
}


static void
ngx_http_rs_conn_posted_handler(ngx_event_t *ev)
{
    ngx_http_rs_ws_t *ws = ev->data;

    if (ws->finished) {
        ngx_http_rs_conn_done(ws);

    } else {
        ngx_http_rs_conn_write(ws);
    }
}


static void
ngx_http_rs_conn_ping_handler(ngx_event_t *ev)
{
    ngx_http_rs_ws_t *ws = ev->data;

    if ((ws->paused || ws->busy) && ws->head.handlers->leg) {
        /* it is not read, or pings wait behind what it does not read */
        ws->heard = ngx_current_msec;
    }

    if (ngx_current_msec - ws->heard >= ngx_http_rs_conn_limit(ws)) {
        ngx_log_error(NGX_LOG_INFO, ws->head.log, 0,
                      "rs conn heard nothing for %Mms",
                      ngx_current_msec - ws->heard);

        if (ws->silence) {
            ws->head.silent = 1;
            ngx_http_rs_conn_finish(ws, RS_E_PEER_TIMEOUT);
            return;
        }

        ngx_http_rs_conn_close(&ws->head, RS_E_PEER_TIMEOUT, NULL);
        return;
    }

    if ((ngx_msec_int_t) (ws->next_ping - ngx_current_msec) <= 0) {
        ws->next_ping = 0;

        if (ngx_http_rs_conn_ping(&ws->head) != NGX_OK) {
            return;
        }
    }

    ngx_http_rs_conn_arm_ping(ws);
}


static ngx_msec_t
ngx_http_rs_conn_limit(ngx_http_rs_ws_t *ws)
{
    return ws->silence ? ws->silence : ws->head.rlcf->peer_timeout;
}


void
ngx_http_rs_conn_silence(ngx_http_rs_conn_t *rc, ngx_msec_t ms)
{
    ngx_http_rs_ws_t *ws = (ngx_http_rs_ws_t *) rc;

    if (rc->closing || ws->finished) {
        return;
    }

    ws->silence = ms;
    ngx_http_rs_conn_arm_ping(ws);
}


/* the earlier one of the next ping and the moment the peer would be dead */

static void
ngx_http_rs_conn_arm_ping(ngx_http_rs_ws_t *ws)
{
    ngx_msec_t               interval, spread, silent, ping;
    ngx_http_rs_loc_conf_t  *rlcf;

    rlcf = ws->head.rlcf;

    if (ws->next_ping == 0) {
        interval = rlcf->ping_interval;
        spread = interval * 2 / 5;
        ws->next_ping = ngx_current_msec + interval - spread / 2
                        + (ngx_msec_t) ngx_random() % (spread + 1);

        if (ws->next_ping == 0) {
            ws->next_ping = 1;
        }
    }

    ping = ws->next_ping - ngx_current_msec;
    silent = ws->heard + ngx_http_rs_conn_limit(ws) - ngx_current_msec;

    ngx_add_timer(&ws->ping, ngx_min(ping, silent));
}


static void
ngx_http_rs_conn_deadline_handler(ngx_event_t *ev)
{
    ngx_http_rs_ws_t *ws = ev->data;

    if (ws->head.closing) {
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, ws->head.log, 0,
                       "rs conn close handshake timed out");

        /* who does not answer "come back" is not about to */

        ngx_http_rs_conn_finish(ws, ws->code == RS_E_GOING_AWAY
                                    ? RS_E_PEER_TIMEOUT : ws->code);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, ws->head.log, 0,
                  "rs conn said nothing useful in time");

    ngx_http_rs_conn_close(&ws->head, RS_E_HELLO_TIMEOUT, NULL);
}


void
ngx_http_rs_conn_deadline(ngx_http_rs_conn_t *rc, ngx_msec_t ms)
{
    ngx_http_rs_ws_t *ws = (ngx_http_rs_ws_t *) rc;

    if (rc->closing) {
        return;
    }

    if (ms) {
        ngx_add_timer(&ws->deadline, ms);

    } else if (ws->deadline.timer_set) {
        ngx_del_timer(&ws->deadline);
    }
}


void
ngx_http_rs_conn_pause(ngx_http_rs_conn_t *rc, ngx_uint_t on)
{
    ngx_http_rs_ws_t *ws = (ngx_http_rs_ws_t *) rc;

    ws->paused = on ? 1 : 0;

    if (!on) {
        ngx_post_event(rc->connection->read, &ngx_posted_events);
    }
}


ngx_int_t
ngx_http_rs_conn_ping(ngx_http_rs_conn_t *rc)
{
    rs_buf_t  b;
    u_char    buf[RS_MSG_WRITE_MAX];

    if (rc->handlers->leg) {
        return ngx_http_rs_conn_queue((ngx_http_rs_ws_t *) rc, RS_WS_PING,
                                      buf, 0);
    }

    if (rc->pings < 255) {
        rc->pings++;
    }

    rs_buf_init(&b, buf, sizeof(buf));
    rs_msg_write_ping(&b);

    return ngx_http_rs_conn_send(rc, b.data, b.len);
}


int
ngx_http_rs_conn_ping_s(ngx_http_rs_conn_t *rc)
{
    return (int) ((rc->rlcf->ping_interval + 999) / 1000);
}


ngx_int_t
ngx_http_rs_conn_send(ngx_http_rs_conn_t *rc, u_char *data, size_t len)
{
    ngx_http_rs_ws_t *ws = (ngx_http_rs_ws_t *) rc;

    if (rc->closing) {
        return NGX_DECLINED;
    }

    /* one message always has room, it may be longer than when it came in */

    if (ws->out.size && ws->out.size + len > rc->rlcf->send_queue) {
        ngx_log_error(NGX_LOG_INFO, rc->log, 0,
                      "rs conn peer is too slow, %uz bytes wait",
                      ws->out.size);

        ngx_http_rs_conn_close(rc, RS_E_OVERLOADED, NULL);
        return NGX_BUSY;
    }

    rc->messages_out++;

    return ngx_http_rs_conn_queue(ws, RS_WS_TEXT, data, len) == NGX_OK
           ? NGX_OK : NGX_BUSY;
}


ngx_uint_t
ngx_http_rs_conn_ended(ngx_http_rs_conn_t *rc, rs_err_e *code)
{
    ngx_http_rs_ws_t *ws = (ngx_http_rs_ws_t *) rc;

    *code = ws->code;

    return ws->finished;
}


size_t
ngx_http_rs_conn_queued(ngx_http_rs_conn_t *rc)
{
    ngx_http_rs_ws_t *ws = (ngx_http_rs_ws_t *) rc;

    return ws->out.size;
}


ngx_int_t
ngx_http_rs_conn_send_json(ngx_http_rs_conn_t *rc, json_t *json)
{
    char       *text;
    ngx_int_t   rv;

    text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);

    if (text == NULL) {
        ngx_log_error(NGX_LOG_ERR, rc->log, 0,
                      "rs conn cannot build a message");
        ngx_http_rs_conn_close(rc, RS_E_INTERNAL, NULL);
        return NGX_ERROR;
    }

    rv = ngx_http_rs_conn_send(rc, (u_char *) text, ngx_strlen(text));

    free(text);

    return rv;
}


void
ngx_http_rs_conn_error(ngx_http_rs_conn_t *rc, rs_err_e code,
    const char *detail, uint64_t id)
{
    rs_buf_t  b;
    u_char    buf[NGX_HTTP_RS_ERROR_MAX];

    ngx_http_rs_conn_write_error(&b, buf, code, detail, id);

    (void) ngx_http_rs_conn_send(rc, b.data, b.len);
}


static void
ngx_http_rs_conn_write_error(rs_buf_t *b, u_char *buf, rs_err_e code,
    const char *detail, uint64_t id)
{
    rs_buf_init(b, buf, NGX_HTTP_RS_ERROR_MAX);
    rs_msg_write_error(b, code, rs_str(detail), id);

    if (b->overflow) {
        rs_buf_init(b, buf, NGX_HTTP_RS_ERROR_MAX);
        rs_msg_write_error(b, code, rs_str(NULL), id);
    }
}


void
ngx_http_rs_conn_close(ngx_http_rs_conn_t *rc, rs_err_e code,
    const char *detail)
{
    rs_buf_t  b;
    u_char    buf[NGX_HTTP_RS_ERROR_MAX];

    if (rc->closing) {
        return;
    }

    if (rc->handlers->leg) {
        rc->handlers->leg->away(rc, code);
        return;
    }

    if (code != RS_OK) {
        /* the last word is not bounded by rs_send_queue */

        ngx_http_rs_conn_write_error(&b, buf, code, detail, 0);

        if (ngx_http_rs_conn_queue((ngx_http_rs_ws_t *) rc, RS_WS_TEXT,
                                   b.data, b.len)
            != NGX_OK)
        {
            return;
        }
    }

    ngx_http_rs_conn_end(rc, code);
}


void
ngx_http_rs_conn_end(ngx_http_rs_conn_t *rc, rs_err_e code)
{
    ngx_http_rs_ws_t *ws = (ngx_http_rs_ws_t *) rc;

    size_t    len;
    u_char    payload[RS_WS_CONTROL_MAX];
    rs_str_t  reason;
    unsigned  status;

    if (rc->closing) {
        return;
    }

    if (code == RS_OK) {
        status = NGX_HTTP_RS_CLOSE_NORMAL;

    } else {
        status = rs_err_ws_close(code);

        if (status == 0) {
            status = rs_err_ws_close(RS_E_INTERNAL);
        }
    }

    ngx_log_error(NGX_LOG_INFO, rc->log, 0,
                  "rs conn closes with %ud: %s", status,
                  code == RS_OK ? "done" : rs_err_code(code));

    reason = rs_str(rc->handlers->leg && code != RS_OK ? rs_err_code(code)
                                                       : NULL);
    len = rs_ws_close_payload(payload, status, reason);

    if (ngx_http_rs_conn_queue(ws, RS_WS_CLOSE, payload, len) == NGX_OK) {
        ngx_http_rs_conn_closing(ws, code);
    }
}


/* the close frame is queued: a bounded wait for the peer's begins */

void
ngx_http_rs_conn_closing(ngx_http_rs_ws_t *ws, rs_err_e code)
{
    ws->head.closing = 1;
    ws->code = code;

    if (ws->ping.timer_set) {
        ngx_del_timer(&ws->ping);
    }

    ngx_add_timer(&ws->deadline, NGX_HTTP_RS_CLOSE_TIMEOUT);

    /* paused or not, the peer's answer has to be read */
    ngx_post_event(ws->head.connection->read, &ngx_posted_events);
}


/* nothing more is read or written; the rest is done by the event loop */

void
ngx_http_rs_conn_finish(ngx_http_rs_ws_t *ws, rs_err_e code)
{
    if (ws->finished) {
        return;
    }

    ws->finished = 1;
    ws->head.closing = 1;
    ws->code = code;

    ngx_post_event(&ws->flush, &ngx_posted_events);
}


static void
ngx_http_rs_conn_done(ngx_http_rs_ws_t *ws)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = ws->head.connection;
    r = ws->head.request;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "rs conn done id:%uL code:%d", ws->head.id, ws->code);

    ngx_http_rs_conn_release(ws);

    if (r == NULL) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "rs conn %V ends after %T s, %O bytes sent",
                      &ws->head.address, ngx_time() - ws->since, c->sent);

        ngx_http_close_connection(c);
        return;
    }

    /* the status of the 101 stays; the request is logged and freed */

    ngx_http_finalize_request(r, NGX_ERROR);
    ngx_http_run_posted_requests(c);
}


/* nginx ended the request by itself */

void
ngx_http_rs_conn_cleanup(void *data)
{
    ngx_http_rs_ws_t *ws = data;

    if (ws->head.connection) {
        ngx_http_rs_conn_release(ws);
    }
}


/* takes ws out of everything that knows it */

static void
ngx_http_rs_conn_release(ngx_http_rs_ws_t *ws)
{
    ngx_connection_t  *c;

    ws->finished = 1;
    ws->head.closing = 1;

    ws->head.handlers->close(&ws->head, ws->code);

    ngx_rbtree_delete(&ws->conns->tree, &ws->node);

    ngx_http_rs_conn_admit(&ws->head);

    if (--ws->conns->count == 0) {
        ngx_http_rs_drain_stop(ws->conns);
    }

    if (ws->ping.timer_set) {
        ngx_del_timer(&ws->ping);
    }

    if (ws->deadline.timer_set) {
        ngx_del_timer(&ws->deadline);
    }

    if (ws->flush.posted) {
        ngx_delete_posted_event(&ws->flush);
    }

    ngx_http_rs_gauge(ws->head.rmcf, NGX_HTTP_RS_GAUGE_QUEUED,
                      -(ngx_int_t) ws->out.size);
    ngx_http_rs_queue_sent(&ws->out, &ws->conns->chunks, NULL);

    if (ws->in) {
        ngx_http_rs_chunk_put(&ws->conns->chunks, ws->in);
        ws->in = NULL;
    }

    rs_ws_reader_destroy(&ws->reader);

    c = ws->head.connection;

    c->idle = 0;

    if (ws->head.request) {
        ngx_http_rs_conn_handle(c, ws->request_handler, ws->request_handler);
    }

    ws->head.connection = NULL;
}
