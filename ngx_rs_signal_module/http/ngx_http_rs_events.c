
/*
 * Copyright (C) rs-gateway contributors
 *
 * GET /events.
 *
 * A reader has a position, and reads on from it when a line of its tenant
 * came (those of 20 ms are one read), and with each heartbeat.  What it may
 * see is the store's to say, at each read anew, so nothing about rights is
 * kept here: a key that is revoked ends its streams at the next event, or
 * heartbeat.
 *
 *     line, beat -> due -> read -> reply -> text -> sent -> due? read
 *
 * Invariants
 *   * One read or one text is under way, never both: a client that does not
 *     read costs one text (rs_send_queue, or one event if that is more), and
 *     after send_timeout its connection.
 *   * A position is the reader's when the text with it is made; what was not
 *     sent is read again by Last-Event-ID.
 *   * Replies of the store come in its link's event: what they decide is done
 *     in the connection's own, posted, write event.
 *   * Worker or node go: streams end, and clients come back elsewhere, spread
 *     by "retry".
 */


#include "ngx_http_rs_api_internal.h"
#include "http/ngx_http_rs_events.h"
#include "rs_watch.h"


#define NGX_HTTP_RS_EVENTS_PAGE    100     /* events of one read */
#define NGX_HTTP_RS_EVENTS_SOON    20      /* ms */
#define NGX_HTTP_RS_EVENTS_LOOK    500     /* ms */
#define NGX_HTTP_RS_EVENTS_CALLER  16      /* streams of one caller */
#define NGX_HTTP_RS_EVENTS_RETRY   2000    /* ms, and so much more at random
                                              when all leave */
#define NGX_HTTP_RS_EVENTS_FRAME   64      /* of an event besides its parts */
#define NGX_HTTP_RS_EVENTS_HEAD    256     /* of a text besides its events */

#define NGX_HTTP_RS_EVENTS_TYPE    "text/event-stream"


struct ngx_http_rs_events_s {
    ngx_http_rs_main_conf_t    *rmcf;
    ngx_log_t                  *log;
    ngx_queue_t                 all;       /* of ngx_http_rs_reader_t */
    ngx_uint_t                  n;
    ngx_event_t                 look;      /* must they leave? */
};


typedef struct {
    ngx_queue_t                 queue;
    ngx_http_rs_events_t       *events;
    ngx_http_rs_api_t          *api;
    ngx_http_rs_store_op_t     *op;        /* a read under way; or NULL */

    ngx_event_t                 soon;
    ngx_event_t                 beat;

    ngx_str_t                   pos;       /* room for RS_POS_MAX */
    ngx_str_t                   who;       /* the caller's id */

    u_char                     *text;      /* to be sent; or NULL */
    ngx_buf_t                   buf;       /* of it */

    unsigned                    due:1;     /* read again */
    unsigned                    beats:1;   /* say at least that we live */
    unsigned                    begun:1;   /* text is with nginx' filters */
    unsigned                    last:1;    /* nothing comes after it */
} ngx_http_rs_reader_t;


static void ngx_http_rs_events_look(ngx_event_t *ev);
static ngx_int_t ngx_http_rs_events_first(ngx_http_rs_api_t *api, void *data,
    rs_err_e code, ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_events_list(ngx_http_rs_reader_t *rd,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_events_arm(ngx_http_rs_reader_t *rd);
static void ngx_http_rs_events_cleanup(void *data);
static void ngx_http_rs_events_start(ngx_http_rs_api_t *api);
static ngx_int_t ngx_http_rs_events_header(ngx_http_request_t *r);
static void ngx_http_rs_events_due(ngx_http_rs_reader_t *rd);
static void ngx_http_rs_events_soon(ngx_event_t *ev);
static void ngx_http_rs_events_beat(ngx_event_t *ev);
static void ngx_http_rs_events_read(ngx_http_rs_reader_t *rd);
static void ngx_http_rs_events_reply(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_events_take(ngx_http_rs_reader_t *rd,
    ngx_rs_reply_t *reply, ngx_uint_t first);
static void ngx_http_rs_events_format(ngx_http_rs_reader_t *rd, rs_buf_t *b,
    ngx_rs_reply_t *list, size_t max);
static void ngx_http_rs_events_place(ngx_http_rs_reader_t *rd,
    ngx_str_t *pos);
static void ngx_http_rs_events_end(ngx_http_rs_reader_t *rd, rs_err_e code,
    ngx_uint_t retry);
static ngx_int_t ngx_http_rs_events_text(ngx_http_rs_reader_t *rd,
    size_t size, rs_buf_t *b);
static void ngx_http_rs_events_ready(ngx_http_rs_reader_t *rd, rs_buf_t *b);
static void ngx_http_rs_events_write_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_rs_events_sent(ngx_http_rs_reader_t *rd);


ngx_http_rs_events_t *
ngx_http_rs_events_create(ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log)
{
    ngx_http_rs_events_t  *events;

    events = ngx_pcalloc(ngx_cycle->pool, sizeof(ngx_http_rs_events_t));
    if (events == NULL) {
        return NULL;
    }

    events->rmcf = rmcf;
    events->log = log;
    events->look.handler = ngx_http_rs_events_look;
    events->look.data = events;
    events->look.log = log;

    ngx_queue_init(&events->all);

    return events;
}


/*
 * Not cancelable: a worker that ends waits for it, and so for the last words
 * to its readers.  It runs only while there are any.
 */

static void
ngx_http_rs_events_look(ngx_event_t *ev)
{
    ngx_queue_t           *q;
    ngx_http_rs_events_t  *events;
    ngx_http_rs_reader_t  *rd;

    events = ev->data;

    if (events->n == 0) {
        return;
    }

    if (ngx_exiting || ngx_http_rs_draining(events->rmcf)) {

        for (q = ngx_queue_head(&events->all);
             q != ngx_queue_sentinel(&events->all);
             q = ngx_queue_next(q))
        {
            rd = ngx_queue_data(q, ngx_http_rs_reader_t, queue);

            ngx_http_rs_events_end(rd, RS_E_GOING_AWAY,
                                   NGX_HTTP_RS_EVENTS_RETRY);
        }
    }

    ngx_add_timer(ev, NGX_HTTP_RS_EVENTS_LOOK);
}


/* GET /events */

ngx_int_t
ngx_http_rs_api_events(ngx_http_rs_api_t *api)
{
    rs_pos_t                at;
    ngx_int_t               rc;
    ngx_str_t              *from, *header;
    ngx_http_rs_api_op_t   *aop;
    ngx_http_rs_api_arg_t   arg;
    ngx_http_rs_reader_t   *rd;
    ngx_http_rs_events_t   *events;

    events = api->rmcf->events;

    ngx_str_set(&arg.name, "after");
    ngx_str_null(&arg.value);

    rc = ngx_http_rs_api_read_args(api, &arg, 1);
    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    header = ngx_http_rs_header_in(api->request, "last-event-id",
                                   sizeof("last-event-id") - 1);
    from = (header && header->len) ? header : &arg.value;

    if (from->len && rs_pos_parse(ngx_http_rs_slice(from), &at) != RS_OK) {
        return ngx_http_rs_api_fail(api, RS_E_INVALID_VALUE,
                                    "Last-Event-ID, or \"after\", must be the "
                                    "id of an event, or 0-0 for all there are",
                                    NULL);
    }

    if (ngx_exiting || ngx_http_rs_draining(api->rmcf)) {
        return ngx_http_rs_api_fail(api, RS_E_DRAINING, NULL, NULL);
    }

    if (events->n >= api->rmcf->events_readers) {
        return ngx_http_rs_api_fail(api, RS_E_OVERLOADED,
                                    "as many read events here as may", NULL);
    }

    rd = ngx_pcalloc(api->request->pool,
                     sizeof(ngx_http_rs_reader_t) + RS_POS_MAX + RS_ID_LEN);
    if (rd == NULL) {
        return NGX_ERROR;
    }

    rd->events = events;
    rd->api = api;
    rd->pos.data = (u_char *) rd + sizeof(ngx_http_rs_reader_t);
    rd->who.data = rd->pos.data + RS_POS_MAX;
    ngx_http_rs_events_place(rd, from);
    api->data = rd;

    aop = ngx_http_rs_api_op(api, ngx_http_rs_events_first, rd);
    if (aop == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_rs_api_wait(aop,
                                ngx_http_rs_store_event_list(aop->op,
                                                 &api->caller, &rd->pos,
                                                 NGX_HTTP_RS_EVENTS_PAGE));
}


/* he may, and what he missed; from now on it is no call any more */

static ngx_int_t
ngx_http_rs_events_first(ngx_http_rs_api_t *api, void *data, rs_err_e code,
    ngx_rs_reply_t *reply)
{
    ngx_http_rs_reader_t *rd = data;

    ngx_int_t  rc;

    if (code != RS_OK) {
        return ngx_http_rs_api_fail(api, code, NULL, NULL);
    }

    rc = ngx_http_rs_events_list(rd, reply);

    if (rc == NGX_BUSY) {
        return ngx_http_rs_api_fail(api, RS_E_LIMIT_REACHED,
                                    "this caller reads events as often as one "
                                    "may: end some", NULL);
    }

    if (rc != NGX_OK || ngx_http_rs_events_take(rd, reply, 1) != NGX_OK) {
        rd->last = 1;
        return NGX_ERROR;
    }

    api->status = NGX_HTTP_OK;
    api->stream = ngx_http_rs_events_start;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rs_events_list(ngx_http_rs_reader_t *rd, ngx_rs_reply_t *reply)
{
    ngx_str_t              who;
    ngx_uint_t             n;
    ngx_queue_t           *q;
    ngx_pool_cleanup_t    *cln;
    ngx_http_rs_events_t  *events;
    ngx_http_rs_reader_t  *other;

    n = 0;
    events = rd->events;
    who = ngx_rs_reply_str(reply, 5);

    rd->who.len = ngx_min(who.len, RS_ID_LEN);
    ngx_memcpy(rd->who.data, who.data, rd->who.len);

    for (q = ngx_queue_head(&events->all);
         q != ngx_queue_sentinel(&events->all);
         q = ngx_queue_next(q))
    {
        other = ngx_queue_data(q, ngx_http_rs_reader_t, queue);

        if (rs_str_eq(ngx_http_rs_slice(&other->who),
                      ngx_http_rs_slice(&rd->who)))
        {
            n++;
        }
    }

    if (n >= NGX_HTTP_RS_EVENTS_CALLER) {
        return NGX_BUSY;
    }

    cln = ngx_pool_cleanup_add(rd->api->request->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_rs_events_cleanup;
    cln->data = rd;

    ngx_queue_insert_tail(&events->all, &rd->queue);
    events->n++;

    ngx_http_rs_gauge(events->rmcf, NGX_HTTP_RS_GAUGE_READERS, 1);
    ngx_http_rs_events_arm(rd);

    return NGX_OK;
}


static void
ngx_http_rs_events_arm(ngx_http_rs_reader_t *rd)
{
    ngx_http_rs_events_t  *events;

    events = rd->events;

    rd->soon.handler = ngx_http_rs_events_soon;
    rd->soon.data = rd;
    rd->soon.log = events->log;
    rd->soon.cancelable = 1;

    rd->beat.handler = ngx_http_rs_events_beat;
    rd->beat.data = rd;
    rd->beat.log = events->log;
    rd->beat.cancelable = 1;

    if (!events->look.timer_set) {
        ngx_add_timer(&events->look, NGX_HTTP_RS_EVENTS_LOOK);
    }
}


static void
ngx_http_rs_events_cleanup(void *data)
{
    ngx_http_rs_reader_t *rd = data;

    ngx_queue_remove(&rd->queue);
    rd->events->n--;

    ngx_http_rs_gauge(rd->events->rmcf, NGX_HTTP_RS_GAUGE_READERS, -1);

    if (rd->op) {
        ngx_http_rs_store_detach(rd->op);
    }

    if (rd->soon.timer_set) {
        ngx_del_timer(&rd->soon);
    }

    if (rd->beat.timer_set) {
        ngx_del_timer(&rd->beat);
    }

    if (rd->text) {
        ngx_free(rd->text);
    }
}


/* in the connection's own event; the first text is there */

static void
ngx_http_rs_events_start(ngx_http_rs_api_t *api)
{
    ngx_int_t              rc;
    ngx_http_request_t    *r;
    ngx_http_rs_reader_t  *rd;

    r = api->request;
    rd = api->data;

    rc = ngx_http_rs_events_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    r->connection->log->action = "sending events";
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_rs_events_write_handler;

    ngx_add_timer(&rd->beat, api->rlcf->events_heartbeat);

    ngx_http_rs_events_write_handler(r);
}


static ngx_int_t
ngx_http_rs_events_header(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    if (ngx_http_rs_api_headers(r) != NGX_OK
        || ngx_http_rs_api_header(r, "X-Accel-Buffering", "no", 2) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->request_body == NULL) {

        rc = ngx_http_discard_request_body(r);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->disable_not_modified = 1;

    ngx_str_set(&r->headers_out.content_type, NGX_HTTP_RS_EVENTS_TYPE);
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    ngx_http_clear_content_length(r);

    return ngx_http_send_header(r);
}


/* there is, or may be, something to read */

static void
ngx_http_rs_events_due(ngx_http_rs_reader_t *rd)
{
    rd->due = 1;

    if (!rd->soon.timer_set && !rd->op && !rd->text && !rd->last) {
        ngx_add_timer(&rd->soon, NGX_HTTP_RS_EVENTS_SOON);
    }
}


static void
ngx_http_rs_events_soon(ngx_event_t *ev)
{
    ngx_http_rs_events_read(ev->data);
}


static void
ngx_http_rs_events_beat(ngx_event_t *ev)
{
    ngx_http_rs_reader_t *rd = ev->data;

    ngx_http_rs_api_t  *api;

    api = rd->api;

    ngx_add_timer(ev, api->rlcf->events_heartbeat);

    if (api->bearer && (time_t) api->bearer->exp <= ngx_time()) {
        ngx_http_rs_events_end(rd, RS_E_UNAUTHENTICATED, 0);
        return;
    }

    rd->beats = 1;
    ngx_http_rs_events_read(rd);
}


static void
ngx_http_rs_events_read(ngx_http_rs_reader_t *rd)
{
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = rd->events->rmcf;

    if (rd->op || rd->text || rd->last) {
        rd->due = 1;
        return;
    }

    if (rd->soon.timer_set) {
        ngx_del_timer(&rd->soon);
    }

    rd->due = 0;

    rd->op = ngx_http_rs_store_op(rmcf->store, ngx_http_rs_events_reply, rd);

    if (rd->op) {
        ngx_http_rs_store_rest(rd->op);

        if (ngx_http_rs_store_event_list(rd->op, &rd->api->caller, &rd->pos,
                                         NGX_HTTP_RS_EVENTS_PAGE)
            == NGX_OK)
        {
            return;
        }

        /* the store has freed it */

        rd->op = NULL;
    }

    ngx_http_rs_events_reply(rd, RS_E_UNAVAILABLE, NULL);
}


static void
ngx_http_rs_events_reply(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_reader_t *rd = data;

    rs_buf_t  b;

    rd->op = NULL;

    if (rd->last) {
        return;
    }

    if (code == RS_OK) {

        if (ngx_http_rs_events_take(rd, reply, 0) != NGX_OK) {
            ngx_http_rs_events_end(rd, RS_E_INTERNAL, 0);
        }

        return;
    }

    if (code == RS_E_UNAUTHENTICATED || code == RS_E_FORBIDDEN
        || code == RS_E_NOT_FOUND)
    {
        ngx_http_rs_events_end(rd, code, 0);
        return;
    }

    /* the store comes back, or does not: the next beat tries again */

    if (rd->beats && ngx_http_rs_events_text(rd, 0, &b) == NGX_OK) {
        rd->beats = 0;
        rs_buf_cstr(&b, ":\n\n");
        ngx_http_rs_events_ready(rd, &b);
    }
}


/* makes a text of a read, if there is something to say */

static ngx_int_t
ngx_http_rs_events_take(ngx_http_rs_reader_t *rd, ngx_rs_reply_t *reply,
    ngx_uint_t first)
{
    size_t           size;
    rs_buf_t         b;
    ngx_str_t        pos;
    ngx_uint_t       i, moved, lost;
    ngx_rs_reply_t  *list, *e;

    pos = ngx_rs_reply_str(reply, 1);
    lost = ngx_rs_reply_int(reply, 2) == 1;
    list = ngx_rs_reply_at(reply, 4);

    rd->due |= ngx_rs_reply_int(reply, 3) == 1;

    moved = !rs_str_eq(ngx_http_rs_slice(&pos), ngx_http_rs_slice(&rd->pos));
    size = 0;

    for (i = 0; i < ngx_rs_reply_count(list); i++) {
        e = ngx_rs_reply_at(list, i);
        size += 2 * ngx_rs_reply_str(e, 0).len + ngx_rs_reply_str(e, 1).len
                + ngx_rs_reply_str(e, 2).len + NGX_HTTP_RS_EVENTS_FRAME;
    }

    if (!first && !lost && size == 0 && !rd->beats) {

        ngx_http_rs_events_place(rd, &pos);

        if (rd->due) {
            ngx_http_rs_events_due(rd);
        }

        return NGX_OK;
    }

    if (ngx_http_rs_events_text(rd, size, &b) != NGX_OK) {
        return NGX_ERROR;
    }

    rd->beats = 0;

    if (first) {
        rs_buf_cstr(&b, "retry: ");
        rs_buf_u64(&b, NGX_HTTP_RS_EVENTS_RETRY);
        rs_buf_cstr(&b, "\n\n");
    }

    if (lost) {
        rs_buf_cstr(&b, "event: lost\ndata: {\"type\":\"lost\",\"at\":");
        rs_buf_u64(&b, (uint64_t) ngx_time());
        rs_buf_cstr(&b, "}\n\n");
    }

    if (size) {
        ngx_http_rs_events_place(rd, &pos);
        ngx_http_rs_events_format(rd, &b, list, rd->api->rlcf->send_queue);

    } else {
        ngx_http_rs_events_place(rd, &pos);

        /* without data it is no event, but its id counts */

        rs_buf_cstr(&b, ":\n");

        if (moved || first) {
            rs_buf_cstr(&b, "id: ");
            rs_buf_str(&b, ngx_http_rs_slice(&rd->pos));
            rs_buf_char(&b, '\n');
        }

        rs_buf_char(&b, '\n');
    }

    ngx_http_rs_events_ready(rd, &b);

    return NGX_OK;
}


/* the rest of a page that is longer than max is read again */

static void
ngx_http_rs_events_format(ngx_http_rs_reader_t *rd, rs_buf_t *b,
    ngx_rs_reply_t *list, size_t max)
{
    ngx_str_t        id, type, json;
    ngx_uint_t       i;
    ngx_rs_reply_t  *e;

    for (i = 0; i < ngx_rs_reply_count(list); i++) {
        e = ngx_rs_reply_at(list, i);
        id = ngx_rs_reply_str(e, 0);
        type = ngx_rs_reply_str(e, 1);
        json = ngx_rs_reply_str(e, 2);

        if (i && b->len + json.len > max) {
            e = ngx_rs_reply_at(list, i - 1);
            id = ngx_rs_reply_str(e, 0);
            ngx_http_rs_events_place(rd, &id);
            rd->due = 1;
            break;
        }

        rs_buf_cstr(b, "id: ");
        rs_buf_str(b, ngx_http_rs_slice(&id));
        rs_buf_cstr(b, "\nevent: ");
        rs_buf_str(b, ngx_http_rs_slice(&type));
        rs_buf_cstr(b, "\ndata: {\"id\":\"");
        rs_buf_str(b, ngx_http_rs_slice(&id));
        rs_buf_cstr(b, "\",");
        rs_buf_str(b, ngx_http_rs_slice(&json));
        rs_buf_cstr(b, "\n\n");

        ngx_http_rs_count(rd->events->rmcf, NGX_HTTP_RS_STAT_EVENT_SENT);
    }
}


static void
ngx_http_rs_events_place(ngx_http_rs_reader_t *rd, ngx_str_t *pos)
{
    rd->pos.len = ngx_min(pos->len, RS_POS_MAX);
    ngx_memcpy(rd->pos.data, pos->data, rd->pos.len);
}


/* retry: ms, and so much more at random; 0: as it was */

static void
ngx_http_rs_events_end(ngx_http_rs_reader_t *rd, rs_err_e code,
    ngx_uint_t retry)
{
    rs_buf_t  b;

    if (rd->last) {
        return;
    }

    rd->last = 1;

    ngx_log_error(NGX_LOG_INFO, rd->api->request->connection->log, 0,
                  "rs events end: %s", rs_err_code(code));

    if (rd->text == NULL && ngx_http_rs_events_text(rd, 0, &b) == NGX_OK) {

        if (retry) {
            rs_buf_cstr(&b, "retry: ");
            rs_buf_u64(&b, retry + (ngx_uint_t) ngx_random() % retry);
            rs_buf_cstr(&b, "\n");
        }

        rs_buf_cstr(&b, "event: end\ndata: {\"type\":\"end\",\"code\":\"");
        rs_buf_cstr(&b, rs_err_code(code));
        rs_buf_cstr(&b, "\"}\n\n");

        ngx_http_rs_events_ready(rd, &b);

    } else {
        ngx_post_event(rd->api->request->connection->write,
                       &ngx_posted_events);
    }
}


static ngx_int_t
ngx_http_rs_events_text(ngx_http_rs_reader_t *rd, size_t size, rs_buf_t *b)
{
    size += NGX_HTTP_RS_EVENTS_HEAD;

    rd->text = ngx_alloc(size, rd->events->log);
    if (rd->text == NULL) {
        return NGX_ERROR;
    }

    rs_buf_init(b, rd->text, size);

    return NGX_OK;
}


static void
ngx_http_rs_events_ready(ngx_http_rs_reader_t *rd, rs_buf_t *b)
{
    ngx_memzero(&rd->buf, sizeof(ngx_buf_t));

    rd->buf.start = rd->text;
    rd->buf.pos = rd->text;
    rd->buf.last = rd->text + b->len;
    rd->buf.end = rd->buf.last;
    rd->buf.memory = 1;
    rd->buf.flush = 1;
    rd->begun = 0;

    ngx_post_event(rd->api->request->connection->write, &ngx_posted_events);
}


static void
ngx_http_rs_events_write_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_chain_t                out;
    ngx_event_t               *wev;
    ngx_http_rs_ctx_t         *ctx;
    ngx_http_rs_api_t         *api;
    ngx_http_rs_reader_t      *rd;
    ngx_http_core_loc_conf_t  *clcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_rs_signal_module);
    api = ctx->api;
    rd = api->data;
    wev = r->connection->write;

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, NGX_ETIMEDOUT,
                      "rs events: the client does not read");
        ngx_http_rs_count(rd->events->rmcf, NGX_HTTP_RS_STAT_EVENT_SLOW);
        r->connection->timedout = 1;
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    out.buf = &rd->buf;
    out.next = NULL;

    if (rd->text && !rd->begun) {
        rd->begun = 1;
        rc = ngx_http_output_filter(r, &out);

    } else {
        rc = ngx_http_output_filter(r, NULL);
    }

    if (rc == NGX_ERROR) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    if (r->buffered || r->connection->buffered) {

        clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

        if (!wev->delayed && !wev->timer_set) {
            ngx_add_timer(wev, clcf->send_timeout);
        }

        if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_ERROR);
        }

        return;
    }

    if (wev->timer_set && !wev->delayed) {
        ngx_del_timer(wev);
    }

    if (ngx_http_rs_events_sent(rd) == NGX_DONE) {
        ngx_http_finalize_request(r, ngx_http_send_special(r, NGX_HTTP_LAST));
    }
}


/* NGX_DONE: nothing comes any more */

static ngx_int_t
ngx_http_rs_events_sent(ngx_http_rs_reader_t *rd)
{
    if (rd->text) {
        ngx_free(rd->text);
        rd->text = NULL;
    }

    if (rd->last) {
        return NGX_DONE;
    }

    if (rd->due || rd->beats) {
        ngx_http_rs_events_due(rd);
    }

    return NGX_OK;
}


void
ngx_http_rs_events_told(ngx_http_rs_main_conf_t *rmcf, ngx_str_t *line)
{
    rs_watch_t             told;
    ngx_queue_t           *q;
    ngx_http_rs_events_t  *events;
    ngx_http_rs_reader_t  *rd;

    events = rmcf->events;

    if (events->n == 0 || !rs_watch_parse(ngx_http_rs_slice(line), &told)) {
        return;
    }

    for (q = ngx_queue_head(&events->all);
         q != ngx_queue_sentinel(&events->all);
         q = ngx_queue_next(q))
    {
        rd = ngx_queue_data(q, ngx_http_rs_reader_t, queue);

        if (rs_str_eq(ngx_http_rs_slice(&rd->api->caller.tenant),
                      told.tenant))
        {
            ngx_http_rs_events_due(rd);
        }
    }
}


void
ngx_http_rs_events_catch_up(ngx_http_rs_main_conf_t *rmcf)
{
    ngx_queue_t           *q;
    ngx_http_rs_events_t  *events;

    events = rmcf->events;

    for (q = ngx_queue_head(&events->all);
         q != ngx_queue_sentinel(&events->all);
         q = ngx_queue_next(q))
    {
        ngx_http_rs_events_due(ngx_queue_data(q, ngx_http_rs_reader_t, queue));
    }
}
