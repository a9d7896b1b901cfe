
/*
 * Copyright (C) rs-gateway contributors
 *
 * One WebSocket.  The request stays alive below it: its handlers are
 * replaced, and it is finalized when the socket is done, so nginx logs and
 * frees it as any other.
 *
 * In:   recv() until EAGAIN into a chunk that exists only while there is
 *       something in it; rs_ws_frame cuts it into frames.  After a number of
 *       frames or bytes the rest waits for the next round of the event loop.
 * Out:  producers copy into chunks and post the flush event; the write
 *       handler alone writes, once for all that a round queued.  Chunks come
 *       from a free list of the worker.  The queue is bounded by
 *       rs_send_queue; a slow peer is closed, it never grows the heap.
 * End:  conn_close() and conn_end() queue the close frame and set "closing";
 *       from then on what comes in is read only to find the peer's close
 *       frame or its end, for at most 2 s.  conn_finish() posts the done
 *       event; its handler tells the upper layer and finalizes the request.
 *       Nobody else frees anything, so every caller of a conn_* function may
 *       use its pointers until it returns to the event loop.
 */


#include "ngx_http_rs.h"
#include "ngx_http_rs_chunk.h"
#include "rs_msg.h"
#include "rs_ws_frame.h"


#define NGX_HTTP_RS_ROUND_BYTES    65536
#define NGX_HTTP_RS_ROUND_FRAMES   64

#define NGX_HTTP_RS_CLOSE_TIMEOUT  2000  /* ms, for the closing handshake */
#define NGX_HTTP_RS_GOAWAY_JITTER  3000  /* ms, told to the client */

#define NGX_HTTP_RS_CLOSE_NORMAL   1000  /* RFC 6455, 7.4.1 */

/* of a detail, escaped */
#define NGX_HTTP_RS_ERROR_MAX      (RS_MSG_WRITE_MAX + 6 * RS_JSON_TEXT_MAX)


struct ngx_http_rs_conns_s {
    ngx_rbtree_t              tree;       /* by id */
    ngx_rbtree_node_t         sentinel;
    uint64_t                  last_id;

    ngx_http_rs_chunks_t      chunks;
};


typedef struct {
    ngx_http_rs_conn_t        head;       /* first: the public part */

    ngx_http_rs_conns_t      *conns;
    ngx_rbtree_node_t         node;

    ngx_event_handler_pt      request_handler;

    ngx_event_t               ping;       /* sends ping, finds a dead peer */
    ngx_event_t               deadline;   /* first message, then the close */
    ngx_event_t               flush;      /* posted: write what is queued */
    ngx_event_t               done;       /* posted: tell and finalize */

    ngx_msec_t                heard;      /* when anything came last */
    ngx_msec_t                next_ping;

    ngx_http_rs_chunk_t      *in;         /* NULL: nothing waits */
    rs_ws_reader_t            reader;

    ngx_http_rs_queue_t       out;

    u_char                    pong[RS_WS_CONTROL_MAX];
    size_t                    pong_len;

    rs_err_e                  code;       /* for the close handler */

    unsigned                  pong_due:1;
    unsigned                  paused:1;
    unsigned                  broken:1;   /* cannot find frames any more */
    unsigned                  close_seen:1;
    unsigned                  shut:1;
    unsigned                  finished:1; /* done is posted or has run */
} ngx_http_rs_ws_t;


static void ngx_http_rs_conn_read_handler(ngx_event_t *rev);
static void ngx_http_rs_conn_write_handler(ngx_event_t *wev);
static void ngx_http_rs_conn_flush_handler(ngx_event_t *ev);
static void ngx_http_rs_conn_ping_handler(ngx_event_t *ev);
static void ngx_http_rs_conn_deadline_handler(ngx_event_t *ev);
static void ngx_http_rs_conn_done_handler(ngx_event_t *ev);
static void ngx_http_rs_conn_cleanup(void *data);

static void ngx_http_rs_conn_goaway(ngx_http_rs_ws_t *ws);
static void ngx_http_rs_conn_read(ngx_http_rs_ws_t *ws);
static ngx_buf_t *ngx_http_rs_conn_input(ngx_http_rs_ws_t *ws,
    size_t *bytes);
static void ngx_http_rs_conn_frame(ngx_http_rs_ws_t *ws, rs_ws_event_t *ev);
static void ngx_http_rs_conn_arm_ping(ngx_http_rs_ws_t *ws);
static void ngx_http_rs_conn_closing(ngx_http_rs_ws_t *ws, rs_err_e code);
static void ngx_http_rs_conn_finish(ngx_http_rs_ws_t *ws, rs_err_e code);
static void ngx_http_rs_conn_release(ngx_http_rs_ws_t *ws);

static void ngx_http_rs_conn_write(ngx_http_rs_ws_t *ws);
static ngx_int_t ngx_http_rs_conn_write_out(ngx_http_rs_ws_t *ws);
static ngx_int_t ngx_http_rs_conn_queue(ngx_http_rs_ws_t *ws,
    ngx_uint_t opcode, u_char *data, size_t len);
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

    ngx_rbtree_init(&conns->tree, &conns->sentinel, ngx_rbtree_insert_value);

    return conns;
}


static void
ngx_http_rs_conns_cleanup(void *data)
{
    ngx_http_rs_conns_t *conns = data;

    ngx_http_rs_chunks_destroy(&conns->chunks);
}


ngx_http_rs_conn_t *
ngx_http_rs_conn_create(ngx_http_request_t *r,
    const ngx_http_rs_conn_handlers_t *handlers, void *data)
{
    rs_addr_t                  addr;
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

    ws = ngx_pcalloc(r->pool, sizeof(ngx_http_rs_ws_t) + RS_ADDR_MAX);
    if (ws == NULL) {
        return NULL;
    }

    ws->conns = rmcf->conns;
    ngx_http_rs_queue_init(&ws->out);

    ws->head.request = r;
    ws->head.connection = c;
    ws->head.rmcf = rmcf;
    ws->head.rlcf = rlcf;
    ws->head.handlers = handlers;
    ws->head.data = data;
    ws->head.log = c->log;
    ws->head.id = ++ws->conns->last_id;

    addr = rmcf->self;
    addr.conn = ws->head.id;

    ws->head.address.data = (u_char *) &ws[1];
    ws->head.address.len = rs_addr_format(&addr, (char *) &ws[1],
                                          RS_ADDR_MAX);

    rs_ws_reader_init(&ws->reader, rlcf->message_size,
                      (unsigned) rlcf->message_fragments);

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

    ws->node.key = (ngx_rbtree_key_t) ws->head.id;
    ngx_rbtree_insert(&ws->conns->tree, &ws->node);

    ws->ping.handler = ngx_http_rs_conn_ping_handler;
    ws->deadline.handler = ngx_http_rs_conn_deadline_handler;
    ws->flush.handler = ngx_http_rs_conn_flush_handler;
    ws->done.handler = ngx_http_rs_conn_done_handler;

    ws->ping.data = ws->deadline.data = c;
    ws->flush.data = ws->done.data = c;

    ws->ping.log = ws->deadline.log = c->log;
    ws->flush.log = ws->done.log = c->log;

    ws->request_handler = c->read->handler;
    c->read->handler = ngx_http_rs_conn_read_handler;
    c->write->handler = ngx_http_rs_conn_write_handler;

    r->main->count++;
    r->keepalive = 0;
    r->write_event_handler = ngx_http_request_empty_handler;

    c->log->action = "serving websocket";

    /* a graceful shutdown calls the read handler with c->close */
    c->idle = 1;

    ws->heard = ngx_current_msec;
    ngx_http_rs_conn_arm_ping(ws);

    ngx_post_event(c->read, &ngx_posted_events);
    ngx_post_event(&ws->flush, &ngx_posted_events);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "rs conn open id:%uL", ws->head.id);

    return &ws->head;
}


ngx_http_rs_conn_t *
ngx_http_rs_conn_find(ngx_http_rs_main_conf_t *rmcf, uint64_t id)
{
    ngx_rbtree_key_t    key;
    ngx_http_rs_ws_t   *ws;
    ngx_rbtree_node_t  *node, *sentinel;

    key = (ngx_rbtree_key_t) id;
    node = rmcf->conns->tree.root;
    sentinel = rmcf->conns->tree.sentinel;

    while (node != sentinel && node->key != key) {
        node = (key < node->key) ? node->left : node->right;
    }

    if (node == sentinel) {
        return NULL;
    }

    ws = ngx_rbtree_data(node, ngx_http_rs_ws_t, node);

    return ws->head.id == id ? &ws->head : NULL;
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

    ngx_http_set_log_request(c->log, r);

    cln = r->cleanup;

    while (cln->handler != ngx_http_rs_conn_cleanup) {
        cln = cln->next;
    }

    return cln->data;
}


static void
ngx_http_rs_conn_read_handler(ngx_event_t *rev)
{
    ngx_connection_t  *c;
    ngx_http_rs_ws_t  *ws;

    ws = ngx_http_rs_conn_event(rev);
    c = rev->data;

    if (c->close || ngx_exiting) {

        if (c->error) {
            /* worker_shutdown_timeout */
            ngx_http_rs_conn_finish(ws, RS_E_GOING_AWAY);
            return;
        }

        ngx_http_rs_conn_goaway(ws);

        /* nginx calls from outside its loop: what is posted would wait */
        ngx_http_rs_conn_write(ws);
    }

    ngx_http_rs_conn_read(ws);
}


static void
ngx_http_rs_conn_goaway(ngx_http_rs_ws_t *ws)
{
    rs_buf_t  b;
    u_char    buf[RS_MSG_WRITE_MAX];

    if (ws->head.closing) {
        return;
    }

    rs_buf_init(&b, buf, sizeof(buf));
    rs_msg_write_goaway(&b, 0, NGX_HTTP_RS_GOAWAY_JITTER);

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
ngx_http_rs_conn_flush_handler(ngx_event_t *ev)
{
    ngx_http_rs_conn_write(ngx_http_rs_conn_event(ev));
}


static void
ngx_http_rs_conn_ping_handler(ngx_event_t *ev)
{
    rs_buf_t           b;
    u_char             buf[RS_MSG_WRITE_MAX];
    ngx_http_rs_ws_t  *ws;

    ws = ngx_http_rs_conn_event(ev);

    if (ngx_current_msec - ws->heard >= ws->head.rlcf->peer_timeout) {
        ngx_log_error(NGX_LOG_INFO, ws->head.log, 0,
                      "rs conn heard nothing for %Mms",
                      ngx_current_msec - ws->heard);

        ngx_http_rs_conn_close(&ws->head, RS_E_PEER_TIMEOUT, NULL);
        return;
    }

    if ((ngx_msec_int_t) (ws->next_ping - ngx_current_msec) <= 0) {
        ws->next_ping = 0;

        rs_buf_init(&b, buf, sizeof(buf));
        rs_msg_write_ping(&b);

        if (ngx_http_rs_conn_send(&ws->head, b.data, b.len) != NGX_OK) {
            return;
        }
    }

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
    silent = ws->heard + rlcf->peer_timeout - ngx_current_msec;

    ngx_add_timer(&ws->ping, ngx_min(ping, silent));
}


static void
ngx_http_rs_conn_deadline_handler(ngx_event_t *ev)
{
    ngx_http_rs_ws_t  *ws;

    ws = ngx_http_rs_conn_event(ev);

    if (ws->head.closing) {
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, ws->head.log, 0,
                       "rs conn close handshake timed out");

        ngx_http_rs_conn_finish(ws, ws->code);
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


int
ngx_http_rs_conn_ping_s(ngx_http_rs_conn_t *rc)
{
    return (int) ((rc->rlcf->ping_interval + 999) / 1000);
}


static void
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

    b = ws->head.request->header_in;

    if (b->pos < b->last) {
        return b;
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


static void
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
            ws->head.handlers->message(&ws->head, ev->data, ev->len);
        }

        break;

    case RS_WS_PING:

        /* RFC 6455, 5.5.3: only the latest one needs its pong */

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


ngx_int_t
ngx_http_rs_conn_send(ngx_http_rs_conn_t *rc, u_char *data, size_t len)
{
    ngx_http_rs_ws_t *ws = (ngx_http_rs_ws_t *) rc;

    if (rc->closing) {
        return NGX_DECLINED;
    }

    if (ws->out.size + len > rc->rlcf->send_queue) {
        ngx_log_error(NGX_LOG_INFO, rc->log, 0,
                      "rs conn peer is too slow, %uz bytes wait",
                      ws->out.size);

        ngx_http_rs_conn_close(rc, RS_E_OVERLOADED, NULL);
        return NGX_BUSY;
    }

    return ngx_http_rs_conn_queue(ws, RS_WS_TEXT, data, len) == NGX_OK
           ? NGX_OK : NGX_BUSY;
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

    if (rc->closing) {
        return;
    }

    rs_buf_init(&b, buf, sizeof(buf));
    rs_msg_write_error(&b, code, rs_str(detail), id);

    if (b.overflow) {
        rs_buf_init(&b, buf, sizeof(buf));
        rs_msg_write_error(&b, code, rs_str(NULL), id);
    }

    /* never refused: at most one for each message, and the last word */

    (void) ngx_http_rs_conn_queue((ngx_http_rs_ws_t *) rc, RS_WS_TEXT,
                                  b.data, b.len);
}


void
ngx_http_rs_conn_close(ngx_http_rs_conn_t *rc, rs_err_e code,
    const char *detail)
{
    if (rc->closing) {
        return;
    }

    if (code != RS_OK) {
        ngx_http_rs_conn_error(rc, code, detail, 0);
    }

    ngx_http_rs_conn_end(rc, code);
}


void
ngx_http_rs_conn_end(ngx_http_rs_conn_t *rc, rs_err_e code)
{
    ngx_http_rs_ws_t *ws = (ngx_http_rs_ws_t *) rc;

    size_t    len;
    u_char    payload[RS_WS_CONTROL_MAX];
    rs_str_t  none;
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

    none = rs_str(NULL);
    len = rs_ws_close_payload(payload, status, none);

    if (ngx_http_rs_conn_queue(ws, RS_WS_CLOSE, payload, len) == NGX_OK) {
        ngx_http_rs_conn_closing(ws, code);
    }
}


/* the close frame is queued: a bounded wait for the peer's begins */

static void
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


static void
ngx_http_rs_conn_write(ngx_http_rs_ws_t *ws)
{
    ngx_int_t          rv;
    ngx_connection_t  *c;

    if (ws->finished) {
        return;
    }

    c = ws->head.connection;

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

    if (!ws->head.closing) {
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


/* NGX_OK: all is written; NGX_AGAIN: the socket is full; NGX_ERROR: broken */

static ngx_int_t
ngx_http_rs_conn_write_out(ngx_http_rs_ws_t *ws)
{
    ngx_chain_t         *cl;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ws->head.request;
    c = ws->head.connection;

    if (r->buffered) {
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

    ngx_http_rs_queue_sent(&ws->out, &ws->conns->chunks, cl);

    return (ws->out.first || c->buffered) ? NGX_AGAIN : NGX_OK;
}


/* header and payload are copied behind what waits already */

static ngx_int_t
ngx_http_rs_conn_queue(ngx_http_rs_ws_t *ws, ngx_uint_t opcode, u_char *data,
    size_t len)
{
    size_t                 n;
    u_char                 header[RS_WS_HEADER_MAX];
    ngx_http_rs_chunks_t  *chunks;

    n = rs_ws_header(header, opcode, len);

    chunks = &ws->conns->chunks;

    if (ngx_http_rs_queue_append(&ws->out, chunks, header, n) != NGX_OK
        || ngx_http_rs_queue_append(&ws->out, chunks, data, len) != NGX_OK)
    {
        ngx_http_rs_conn_finish(ws, RS_E_INTERNAL);
        return NGX_ERROR;
    }

    ngx_post_event(&ws->flush, &ngx_posted_events);

    return NGX_OK;
}


/* nothing more is read or written; the rest is done by the event loop */

static void
ngx_http_rs_conn_finish(ngx_http_rs_ws_t *ws, rs_err_e code)
{
    if (ws->finished) {
        return;
    }

    ws->finished = 1;
    ws->head.closing = 1;
    ws->code = code;

    ngx_post_event(&ws->done, &ngx_posted_events);
}


static void
ngx_http_rs_conn_done_handler(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_rs_ws_t    *ws;
    ngx_http_request_t  *r;

    ws = ngx_http_rs_conn_event(ev);

    c = ws->head.connection;
    r = ws->head.request;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "rs conn done id:%uL code:%d", ws->head.id, ws->code);

    ngx_http_rs_conn_release(ws);

    /* the status of the 101 stays; the request is logged and freed */

    ngx_http_finalize_request(r, NGX_ERROR);
    ngx_http_run_posted_requests(c);
}


/* nginx ended the request by itself */

static void
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

    if (ws->ping.timer_set) {
        ngx_del_timer(&ws->ping);
    }

    if (ws->deadline.timer_set) {
        ngx_del_timer(&ws->deadline);
    }

    if (ws->flush.posted) {
        ngx_delete_posted_event(&ws->flush);
    }

    if (ws->done.posted) {
        ngx_delete_posted_event(&ws->done);
    }

    ngx_http_rs_queue_sent(&ws->out, &ws->conns->chunks, NULL);

    if (ws->in) {
        ngx_http_rs_chunk_put(&ws->conns->chunks, ws->in);
        ws->in = NULL;
    }

    rs_ws_reader_destroy(&ws->reader);

    c = ws->head.connection;

    c->idle = 0;
    c->read->handler = ws->request_handler;
    c->write->handler = ws->request_handler;

    ws->head.connection = NULL;
}
