
/*
 * Copyright (C) rs-gateway contributors
 *
 * Bytes of a pipe.
 *
 *     client  --recv-->  [ buf of host   ]  --send-->  host
 *     client  <--send--  [ buf of client ]  <--recv--  host
 *
 * One buffer of "rs_pipe_buffer" a direction, there only while something is
 * in it.  It holds whole frames; a leg is read only into what is free of the
 * other one's buffer, and written only when its socket takes something.  So
 * who does not read stops who writes, by TCP, and nobody else.  A buffer is
 * filled up to its end and emptied to its end: what was offered to TLS once
 * has to be offered again from the same place.
 *
 * What comes from a client's socket is read at the rate of its tenant, if there
 * is one (ngx_http_rs_pace.c); a link was read so at its other end.
 *
 * The end.  A leg that closed or died is "done": nothing more of it goes on.
 * The other one is "ending": it is sent what there is for it, then its close
 * frame, and what it says is dropped.  After anything but a proper close that
 * may take 2 s; afterwards it goes without close frame, which a peer takes
 * for a broken stream just as well.
 *
 * Nothing of the upper layer is called from within: the posted event "after"
 * tells it, so whoever calls may use its pointers until it returns.
 */


#include "ngx_http_rs.h"


#define NGX_HTTP_RS_RELAY_ROUND    131072  /* bytes, then the others */
#define NGX_HTTP_RS_RELAY_ROOM     512     /* bytes, less is not read into */
#define NGX_HTTP_RS_RELAY_FREE     32      /* buffers kept by a worker */
#define NGX_HTTP_RS_RELAY_END      2000    /* ms, for what is to be sent */


struct ngx_http_rs_relays_s {
    ngx_http_rs_main_conf_t    *rmcf;
    ngx_log_t                  *log;
    u_char                     *free;      /* each begins with the next */
    ngx_uint_t                  nfree;
};


static void ngx_http_rs_relays_cleanup(void *data);
static ngx_int_t ngx_http_rs_relay_buffer(ngx_http_rs_leg_t *leg);
static void ngx_http_rs_relay_empty(ngx_http_rs_leg_t *leg);

static void ngx_http_rs_relay_pump(ngx_http_rs_leg_t *from);
static size_t ngx_http_rs_relay_room(ngx_http_rs_leg_t *to);
static void ngx_http_rs_relay_frames(ngx_http_rs_leg_t *from,
    ngx_http_rs_leg_t *to, size_t n);
static ngx_int_t ngx_http_rs_relay_flush(ngx_http_rs_leg_t *to);
static void ngx_http_rs_relay_paced_handler(ngx_event_t *ev);
static void ngx_http_rs_relay_ignore(ngx_http_rs_leg_t *leg);

static rs_err_e ngx_http_rs_relay_why(ngx_http_rs_leg_t *leg,
    rs_ws_event_t *ev);
static void ngx_http_rs_relay_over(ngx_http_rs_relay_t *relay,
    rs_err_e code);
static void ngx_http_rs_relay_end(ngx_http_rs_leg_t *leg, rs_err_e code);
static void ngx_http_rs_relay_timer_handler(ngx_event_t *ev);
static void ngx_http_rs_relay_after_handler(ngx_event_t *ev);

static void ngx_http_rs_relay_readable(ngx_http_rs_conn_t *rc);
static void ngx_http_rs_relay_writable(ngx_http_rs_conn_t *rc);
static void ngx_http_rs_relay_away(ngx_http_rs_conn_t *rc, rs_err_e code);
static void ngx_http_rs_relay_closed(ngx_http_rs_conn_t *rc, rs_err_e code);


static const ngx_http_rs_conn_leg_t  ngx_http_rs_relay_leg_handlers = {
    ngx_http_rs_relay_readable,
    ngx_http_rs_relay_writable,
    ngx_http_rs_relay_away
};


const ngx_http_rs_conn_handlers_t  ngx_http_rs_relay_leg = {
    NULL,
    ngx_http_rs_relay_closed,
    &ngx_http_rs_relay_leg_handlers
};


ngx_http_rs_relays_t *
ngx_http_rs_relays_create(ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log)
{
    ngx_pool_cleanup_t    *cln;
    ngx_http_rs_relays_t  *relays;

    cln = ngx_pool_cleanup_add(ngx_cycle->pool, sizeof(ngx_http_rs_relays_t));
    if (cln == NULL) {
        return NULL;
    }

    relays = cln->data;
    relays->rmcf = rmcf;
    relays->log = log;
    relays->free = NULL;
    relays->nfree = 0;

    cln->handler = ngx_http_rs_relays_cleanup;

    return relays;
}


static void
ngx_http_rs_relays_cleanup(void *data)
{
    ngx_http_rs_relays_t *relays = data;

    u_char  *next;

    while (relays->free) {
        next = *(u_char **) relays->free;
        ngx_free(relays->free);
        relays->free = next;
    }

    relays->nfree = NGX_HTTP_RS_RELAY_FREE;
}


static ngx_int_t
ngx_http_rs_relay_buffer(ngx_http_rs_leg_t *leg)
{
    ngx_http_rs_relays_t     *relays;
    ngx_http_rs_main_conf_t  *rmcf;

    if (leg->buf) {
        return NGX_OK;
    }

    rmcf = leg->relay->rmcf;
    relays = rmcf->relays;

    if (relays->free) {
        leg->buf = relays->free;
        relays->free = *(u_char **) leg->buf;
        relays->nfree--;

    } else {
        leg->buf = ngx_alloc(rmcf->pipe_buffer, relays->log);

        if (leg->buf == NULL) {
            return NGX_ERROR;
        }
    }

    leg->pos = leg->buf;
    leg->last = leg->buf;

    ngx_http_rs_gauge(rmcf, NGX_HTTP_RS_GAUGE_PIPE_BUFFERS, 1);

    return NGX_OK;
}


static void
ngx_http_rs_relay_empty(ngx_http_rs_leg_t *leg)
{
    ngx_http_rs_relays_t  *relays;

    if (leg->buf == NULL) {
        return;
    }

    relays = leg->relay->rmcf->relays;

    if (relays->nfree < NGX_HTTP_RS_RELAY_FREE) {
        *(u_char **) leg->buf = relays->free;
        relays->free = leg->buf;
        relays->nfree++;

    } else {
        ngx_free(leg->buf);
    }

    leg->buf = NULL;
    leg->pos = NULL;
    leg->last = NULL;

    ngx_http_rs_gauge(relays->rmcf, NGX_HTTP_RS_GAUGE_PIPE_BUFFERS, -1);
}


void
ngx_http_rs_relay_init(ngx_http_rs_relay_t *relay,
    ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log,
    const ngx_http_rs_relay_handlers_t *handlers, void *data)
{
    ngx_uint_t  i;

    ngx_memzero(relay, sizeof(ngx_http_rs_relay_t));

    relay->rmcf = rmcf;
    relay->log = log;
    relay->handlers = handlers;
    relay->data = data;

    relay->timer.handler = ngx_http_rs_relay_timer_handler;
    relay->after.handler = ngx_http_rs_relay_after_handler;

    relay->timer.data = relay->after.data = relay;
    relay->timer.log = relay->after.log = log;

    /* what keeps an exiting worker alive is its drain */
    relay->timer.cancelable = 1;

    for (i = 0; i < NGX_HTTP_RS_LEGS; i++) {
        ngx_http_rs_pace_init(&relay->legs[i].pace,
                              ngx_http_rs_relay_paced_handler,
                              &relay->legs[i], log);
    }
}


static ngx_http_rs_leg_t *
ngx_http_rs_relay_side(ngx_http_rs_relay_t *relay, rs_ws_side_e side)
{
    return &relay->legs[side == RS_WS_SIDE_HOST];
}


static ngx_http_rs_leg_t *
ngx_http_rs_relay_other(ngx_http_rs_leg_t *leg)
{
    return &leg->relay->legs[leg == &leg->relay->legs[0]];
}


ngx_http_rs_leg_t *
ngx_http_rs_relay_place(ngx_http_rs_relay_t *relay, rs_ws_side_e side)
{
    ngx_http_rs_leg_t  *leg;

    leg = ngx_http_rs_relay_side(relay, side);
    leg->relay = relay;

    return leg;
}


ngx_http_rs_conn_t *
ngx_http_rs_relay_socket(ngx_http_rs_relay_t *relay, rs_ws_side_e side)
{
    return ngx_http_rs_relay_side(relay, side)->rc;
}


void
ngx_http_rs_relay_join(ngx_http_rs_relay_t *relay, rs_ws_side_e side,
    ngx_http_rs_conn_t *rc, ngx_uint_t link)
{
    ngx_http_rs_leg_t  *leg;

    leg = ngx_http_rs_relay_side(relay, side);

    ngx_memzero(&leg->pipe, sizeof(rs_ws_pipe_t));
    rs_ws_pipe_init(&leg->pipe, link ? 1 : 0);

    leg->relay = relay;
    leg->rc = rc;
    leg->side = side;
    leg->link = link ? 1 : 0;
    leg->live = leg->ending = leg->ended = leg->done = 0;

    /* the other one's, too, for what waits for it */
    ngx_http_rs_relay_other(leg)->relay = relay;

    rc->data = leg;

    ngx_http_rs_gauge(relay->rmcf, link ? NGX_HTTP_RS_GAUGE_LINKS
                                        : NGX_HTTP_RS_GAUGE_LEGS, 1);
}


void
ngx_http_rs_relay_start(ngx_http_rs_relay_t *relay, rs_ws_side_e side)
{
    ngx_http_rs_leg_t  *leg;

    leg = ngx_http_rs_relay_side(relay, side);
    leg->live = 1;

    ngx_post_event(leg->rc->connection->read, &ngx_posted_events);
}


void
ngx_http_rs_relay_move(ngx_http_rs_relay_t *relay, rs_ws_side_e side,
    ngx_http_rs_relay_t *to)
{
    ngx_http_rs_leg_t  *leg;

    leg = ngx_http_rs_relay_side(relay, side);

    ngx_http_rs_relay_join(to, side, leg->rc, 0);

    leg->rc = NULL;
    relay->told = 1;

    ngx_http_rs_gauge(relay->rmcf, NGX_HTTP_RS_GAUGE_LEGS, -1);

    ngx_post_event(&relay->after, &ngx_posted_events);
}


void
ngx_http_rs_relay_open(ngx_http_rs_relay_t *relay, ngx_msec_t idle)
{
    ngx_uint_t          i;
    ngx_http_rs_leg_t  *leg;

    if (relay->open || relay->gone
        || (relay->ending && relay->code != RS_OK))
    {
        return;
    }

    relay->open = 1;
    relay->idle = idle;
    relay->moved = ngx_current_msec;

    ngx_http_rs_count(relay->rmcf, NGX_HTTP_RS_STAT_PIPE);

    ngx_add_timer(&relay->timer, idle);

    for (i = 0; i < NGX_HTTP_RS_LEGS; i++) {
        leg = &relay->legs[i];

        if (leg->rc) {
            ngx_post_event(leg->rc->connection->read, &ngx_posted_events);

            if (leg->ending && leg->buf) {
                (void) ngx_http_rs_relay_flush(leg);
            }
        }
    }
}


uint64_t
ngx_http_rs_relay_bytes(ngx_http_rs_relay_t *relay, rs_ws_side_e side)
{
    return ngx_http_rs_relay_side(relay, side)->pipe.bytes;
}


static void
ngx_http_rs_relay_readable(ngx_http_rs_conn_t *rc)
{
    ngx_event_t        *rev;
    ngx_http_rs_leg_t  *leg;

    leg = rc->data;

    if (leg->done || rc->closing) {
        ngx_http_rs_relay_ignore(leg);
        return;
    }

    if (leg->live) {
        ngx_http_rs_relay_pump(leg);
        return;
    }

    /*
     * Not read yet: who has gone is seen all the same, and a level that stays
     * up is not told again and again.
     */

    rev = rc->connection->read;

    if (rev->pending_eof || rev->error
        || ngx_handle_read_event(rev, 0) != NGX_OK)
    {
        ngx_http_rs_conn_drop(rc);
    }
}


static void
ngx_http_rs_relay_writable(ngx_http_rs_conn_t *rc)
{
    ngx_http_rs_leg_t  *from, *to;

    to = rc->data;

    if (to->buf == NULL || !to->relay->open
        || ngx_http_rs_relay_flush(to) != NGX_OK)
    {
        return;
    }

    from = ngx_http_rs_relay_other(to);

    if (from->rc && from->live && !from->done) {
        ngx_http_rs_relay_pump(from);
    }
}


/* reads from one leg and writes to the other, as long as both can */

static void
ngx_http_rs_relay_pump(ngx_http_rs_leg_t *from)
{
    size_t                room, done;
    ssize_t               n;
    ngx_http_rs_leg_t    *to;
    ngx_http_rs_relay_t  *relay;

    relay = from->relay;
    to = ngx_http_rs_relay_other(from);
    done = 0;

    for ( ;; ) {

        if (to->buf && relay->open && to->rc
            && ngx_http_rs_relay_flush(to) == NGX_ERROR)
        {
            /* its close handler comes */
            return;
        }

        if (from->done) {
            return;
        }

        room = ngx_http_rs_relay_room(to);

        if (room && !from->link) {
            room = ngx_http_rs_pace(relay->rmcf, &from->pace, &relay->tenant,
                                    room);
        }

        if (room == 0) {
            ngx_http_rs_conn_hold(from->rc, 1);
            ngx_http_rs_conn_look(from->rc);
            return;
        }

        ngx_http_rs_conn_hold(from->rc, 0);

        if (done >= NGX_HTTP_RS_RELAY_ROUND) {
            /* the others first */
            ngx_post_event(from->rc->connection->read,
                           &ngx_posted_next_events);
            return;
        }

        if (ngx_http_rs_relay_buffer(to) != NGX_OK) {
            ngx_http_rs_relay_cut(relay, RS_E_INTERNAL);
            return;
        }

        n = ngx_http_rs_conn_recv(from->rc, to->last + RS_WS_PIPE_GAP, room);

        if (n < 0) {

            if (to->pos == to->last) {
                ngx_http_rs_relay_empty(to);
            }

            return;
        }

        done += n;
        ngx_http_rs_pace_spend(&from->pace, n);
        ngx_http_rs_relay_frames(from, to, n);
    }
}


/* 0: not now */

static size_t
ngx_http_rs_relay_room(ngx_http_rs_leg_t *to)
{
    size_t  room;

    room = to->relay->rmcf->pipe_buffer - RS_WS_PIPE_GAP;

    if (to->buf) {
        room -= to->last - to->buf;
    }

    /* without sign: what is left may be less than the gap */

    return (room > to->relay->rmcf->pipe_buffer
            || room < NGX_HTTP_RS_RELAY_ROOM) ? 0 : room;
}


/* n bytes were received behind the gap behind what waits for to */

static void
ngx_http_rs_relay_frames(ngx_http_rs_leg_t *from, ngx_http_rs_leg_t *to,
    size_t n)
{
    u_char               *pos, *last;
    uint64_t              was;
    rs_err_e              rc;
    rs_ws_event_t         ev;
    ngx_http_rs_relay_t  *relay;

    relay = from->relay;
    was = from->pipe.bytes;

    pos = to->last + RS_WS_PIPE_GAP;
    last = pos + n;

    do {
        rc = rs_ws_pipe_read(&from->pipe, &to->last, &pos, last, &ev);

        if (rc == RS_OK) {
            ngx_http_rs_conn_control(from->rc, &ev);

            if (ev.opcode == RS_WS_CLOSE) {
                /* from here on there may be no buffer */
                from->ended = 1;
                ngx_http_rs_relay_over(relay,
                                       ngx_http_rs_relay_why(from, &ev));
                rc = RS_AGAIN;
            }
        }

    } while (rc == RS_OK);

    was = from->pipe.bytes - was;

    ngx_http_rs_add(relay->rmcf, from->side == RS_WS_SIDE_CLIENT
                                 ? NGX_HTTP_RS_STAT_PIPE_UP
                                 : NGX_HTTP_RS_STAT_PIPE_DOWN, was);

    if (rc != RS_AGAIN) {
        ngx_log_error(NGX_LOG_INFO, from->rc->log, 0,
                      "rs relay cannot read a frame: %s", rs_err_code(rc));

        from->ended = 1;
        ngx_http_rs_conn_broken(from->rc, rc);
        ngx_http_rs_relay_over(relay, RS_E_PIPE_BROKEN);
    }
}


/* what a leg's close frame means for the other one; a link says why */

static rs_err_e
ngx_http_rs_relay_why(ngx_http_rs_leg_t *leg, rs_ws_event_t *ev)
{
    if (ev->close_code == 1000) {
        return RS_OK;
    }

    if (leg->link && ev->len) {
        return rs_err_by_code((rs_str_t) { ev->data, ev->len });
    }

    return RS_E_PIPE_BROKEN;
}


/*
 * NGX_OK: all is written; NGX_AGAIN: its event comes; NGX_ERROR: its close
 * handler does
 */

static ngx_int_t
ngx_http_rs_relay_flush(ngx_http_rs_leg_t *to)
{
    ssize_t  n;

    while (to->pos < to->last) {
        n = ngx_http_rs_conn_put(to->rc, to->pos, to->last - to->pos);

        if (n < 0) {
            return n;
        }

        to->pos += n;
        to->relay->moved = ngx_current_msec;
    }

    ngx_http_rs_relay_empty(to);

    if (to->ending && !to->ended) {
        to->ended = 1;
        ngx_http_rs_conn_end(to->rc, to->code);
    }

    return NGX_OK;
}


/* its turn has come */

static void
ngx_http_rs_relay_paced_handler(ngx_event_t *ev)
{
    ngx_http_rs_leg_t *from = ev->data;

    ngx_http_rs_pace_wake(from->relay->rmcf, &from->pace);
    ngx_http_rs_relay_pump(from);
}


/* of a leg that is done only its close frame and its end matter */

static void
ngx_http_rs_relay_ignore(ngx_http_rs_leg_t *leg)
{
    size_t                done, size;
    u_char               *buf, *out, *pos;
    ssize_t               n;
    rs_err_e              rc;
    rs_ws_event_t         ev;
    ngx_http_rs_leg_t     scratch;

    ngx_memzero(&scratch, sizeof(ngx_http_rs_leg_t));
    scratch.relay = leg->relay;

    if (ngx_http_rs_relay_buffer(&scratch) != NGX_OK) {
        ngx_http_rs_conn_drop(leg->rc);
        return;
    }

    buf = scratch.buf;
    size = leg->relay->rmcf->pipe_buffer - RS_WS_PIPE_GAP;

    for (done = 0; done < NGX_HTTP_RS_RELAY_ROUND; done += n) {

        n = ngx_http_rs_conn_recv(leg->rc, buf + RS_WS_PIPE_GAP, size);

        if (n < 0) {
            break;
        }

        out = buf;
        pos = buf + RS_WS_PIPE_GAP;

        while ((rc = rs_ws_pipe_read(&leg->pipe, &out, &pos,
                                     buf + RS_WS_PIPE_GAP + n, &ev))
               == RS_OK)
        {
            ngx_http_rs_conn_control(leg->rc, &ev);

            if (ev.opcode == RS_WS_CLOSE) {
                leg->ended = 1;
            }
        }

        if (rc != RS_AGAIN) {
            leg->ended = 1;
            ngx_http_rs_conn_broken(leg->rc, rc);
            break;
        }
    }

    ngx_http_rs_relay_empty(&scratch);

    if (done >= NGX_HTTP_RS_RELAY_ROUND) {
        ngx_post_event(leg->rc->connection->read, &ngx_posted_next_events);
    }
}


/* one leg has come to its end: the other one follows with code */

static void
ngx_http_rs_relay_over(ngx_http_rs_relay_t *relay, rs_err_e code)
{
    ngx_uint_t  i;

    if (!relay->ending) {
        relay->ending = 1;
        relay->code = code;
    }

    for (i = 0; i < NGX_HTTP_RS_LEGS; i++) {
        ngx_http_rs_relay_end(&relay->legs[i], code);
    }

    if (code != RS_OK || !relay->timer.timer_set) {
        ngx_add_timer(&relay->timer, NGX_HTTP_RS_RELAY_END);
    }

    ngx_post_event(&relay->after, &ngx_posted_events);
}


static void
ngx_http_rs_relay_end(ngx_http_rs_leg_t *leg, rs_err_e code)
{
    leg->done = 1;
    ngx_http_rs_pace_stop(leg->relay->rmcf, &leg->pace);

    if (leg->rc == NULL) {
        if (leg->buf) {
            ngx_http_rs_relay_empty(leg);
        }

        return;
    }

    if (!leg->ending) {
        leg->ending = 1;
        leg->code = code;
    }

    if (leg->buf && !leg->relay->open) {

        if (code == RS_OK && !leg->ended) {
            /* whether it may be sent is being asked */
            return;
        }

        ngx_http_rs_relay_empty(leg);
    }

    if (leg->ended) {
        return;
    }

    if (leg->buf) {
        (void) ngx_http_rs_relay_flush(leg);

    } else {
        leg->ended = 1;
        ngx_http_rs_conn_end(leg->rc, leg->code);
    }

    /* it is read again, if it was held */

    if (leg->rc) {
        ngx_http_rs_conn_hold(leg->rc, 0);
        ngx_post_event(leg->rc->connection->read, &ngx_posted_events);
    }
}


void
ngx_http_rs_relay_cut(ngx_http_rs_relay_t *relay, rs_err_e code)
{
    if (relay->gone
        || (relay->ending && (relay->code != RS_OK || code == RS_OK)))
    {
        return;
    }

    relay->code = code;
    ngx_http_rs_relay_over(relay, code);
}


static void
ngx_http_rs_relay_timer_handler(ngx_event_t *ev)
{
    ngx_uint_t            i;
    ngx_msec_t            passed;
    ngx_http_rs_leg_t    *leg;
    ngx_http_rs_relay_t  *relay;

    relay = ev->data;

    for (i = 0; i < NGX_HTTP_RS_LEGS; i++) {
        if (relay->legs[i].pace.timer.timer_set) {
            /* who waits for his turn is not idle */
            relay->moved = ngx_current_msec;
        }
    }

    if (!relay->ending || relay->code == RS_OK) {
        passed = ngx_current_msec - relay->moved;

        if (passed < relay->idle) {
            ngx_add_timer(ev, relay->idle - passed);
            return;
        }
    }

    if (!relay->ending) {
        ngx_http_rs_relay_over(relay, RS_E_PIPE_IDLE);
        return;
    }

    for (i = 0; i < NGX_HTTP_RS_LEGS; i++) {
        leg = &relay->legs[i];

        if (leg->rc && !leg->ended) {
            ngx_log_error(NGX_LOG_INFO, leg->rc->log, 0,
                          "rs relay: %uz bytes are not read, it goes without "
                          "a close frame", leg->last - leg->pos);
            ngx_http_rs_conn_drop(leg->rc);
        }
    }
}


static void
ngx_http_rs_relay_away(ngx_http_rs_conn_t *rc, rs_err_e code)
{
    ngx_http_rs_leg_t  *leg;

    leg = rc->data;

    ngx_http_rs_relay_cut(leg->relay, code);
}


static void
ngx_http_rs_relay_closed(ngx_http_rs_conn_t *rc, rs_err_e code)
{
    ngx_http_rs_leg_t    *leg;
    ngx_http_rs_relay_t  *relay;

    leg = rc->data;
    relay = leg->relay;

    ngx_http_rs_count_closed(rc->rmcf, code);
    ngx_http_rs_gauge(rc->rmcf, leg->link ? NGX_HTTP_RS_GAUGE_LINKS
                                          : NGX_HTTP_RS_GAUGE_LEGS, -1);

    leg->rc = NULL;
    leg->ended = 1;

    ngx_http_rs_relay_over(relay, relay->ending ? relay->code
                                                : RS_E_PIPE_BROKEN);
}


static void
ngx_http_rs_relay_after_handler(ngx_event_t *ev)
{
    ngx_http_rs_relay_t *relay = ev->data;

    if (!relay->told) {
        relay->told = 1;
        relay->handlers->ended(relay);
    }

    if (relay->legs[0].rc || relay->legs[1].rc) {
        return;
    }

    if (relay->timer.timer_set) {
        ngx_del_timer(&relay->timer);
    }

    relay->gone = 1;
    relay->handlers->gone(relay);
}
