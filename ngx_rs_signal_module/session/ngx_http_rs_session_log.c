
/*
 * Copyright (C) rs-gateway contributors
 *
 * A session's log as one socket sees it.
 *
 * Redis gives each entry its position and publishes it to every worker that
 * has a member.  Each socket has a cursor, the last position it was led over.
 * The entry that follows it is delivered, an older one was delivered already,
 * and a later one proves that something is missing: it is dropped and the
 * log is read from the cursor, as often as it takes, one read at a time.  So
 * order and "exactly once" come from the cursor alone; an envelope is only a
 * hint that is usually good enough.
 *
 * While a socket is joining or its log is being read, envelopes only move
 * "seen".  When that is above the cursor afterwards, the log is read again.
 * What is read fills half of the socket's queue at most: the cursor stays
 * there, and the rest is read when that has been written.
 *
 * A new epoch (the store failed over) may lack what the old one had: the
 * first entry of a new epoch is always taken from the log, and `resync` asks
 * the client to send again what it sent last.  So it does when the store
 * could not take a message and is back.  Whoever sends nothing must be asked
 * as well: when a link was down, the log is read by rs_sync, which begins the
 * epoch of a new server, makes this socket a member again if its worker was
 * called dead meanwhile, and brings what rs_range would.
 */


#include "ngx_http_rs_session_log.h"
#include "rs_msg.h"


#define NGX_HTTP_RS_ROOM_KEY     (RS_TENANT_MAX + 1 + RS_ID_LEN)

#define NGX_HTTP_RS_RANGE        100
#define NGX_HTTP_RS_RANGE_RETRY  500   /* ms, and as much again at random */
#define NGX_HTTP_RS_CATCH_UP     100   /* logs read at once */
#define NGX_HTTP_RS_DRAIN        50    /* ms, for the socket to have room */


static void ngx_http_rs_session_arrive(ngx_http_rs_part_t *p, rs_env_t *e);
static void ngx_http_rs_session_deliver(ngx_http_rs_part_t *p, rs_env_t *e);
static void ngx_http_rs_session_filled(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static rs_err_e ngx_http_rs_session_send(ngx_http_rs_part_t *p, rs_env_t *e);
static void ngx_http_rs_session_resync(ngx_http_rs_part_t *p);
static void ngx_http_rs_session_drain(ngx_http_rs_part_t *p);
static ngx_int_t ngx_http_rs_session_scratch(ngx_http_rs_part_t *p,
    size_t size);


ngx_http_rs_room_t *
ngx_http_rs_session_room(ngx_http_rs_sessions_t *sessions, rs_str_t tenant,
    rs_str_t session_id)
{
    u_char    *last, buf[NGX_HTTP_RS_ROOM_KEY];
    ngx_str_t  key;

    if (tenant.len + 1 + session_id.len > sizeof(buf)) {
        return NULL;
    }

    last = ngx_cpymem(buf, tenant.data, tenant.len);
    *last++ = '.';
    last = ngx_cpymem(last, session_id.data, session_id.len);

    key.data = buf;
    key.len = last - buf;

    return (ngx_http_rs_room_t *)
               ngx_str_rbtree_lookup(&sessions->tree, &key,
                                     ngx_crc32_short(key.data, key.len));
}


ngx_int_t
ngx_http_rs_session_enter(ngx_http_rs_part_t *p)
{
    rs_str_t             tenant, session_id;
    ngx_str_t           *key;
    ngx_http_rs_room_t  *room;

    tenant = ngx_http_rs_slice(&p->m.tenant);
    session_id = ngx_http_rs_slice(&p->m.session_id);

    room = ngx_http_rs_session_room(p->sessions, tenant, session_id);

    if (room == NULL) {

        room = ngx_alloc(sizeof(ngx_http_rs_room_t) + tenant.len + 1
                         + session_id.len, p->log);
        if (room == NULL) {
            return NGX_ERROR;
        }

        key = &room->sn.str;

        key->data = (u_char *) &room[1];
        key->len = ngx_sprintf(key->data, "%V.%V", &p->m.tenant,
                               &p->m.session_id)
                   - key->data;

        room->sn.node.key = ngx_crc32_short(key->data, key->len);

        room->route = NULL;

        ngx_queue_init(&room->parts);
        ngx_rbtree_insert(&p->sessions->tree, &room->sn.node);
    }

    p->room = room;
    ngx_queue_insert_tail(&room->parts, &p->queue);

    return NGX_OK;
}


void
ngx_http_rs_session_exit(ngx_http_rs_part_t *p)
{
    ngx_http_rs_room_t  *room;

    room = p->room;

    if (room == NULL) {
        return;
    }

    p->room = NULL;
    ngx_queue_remove(&p->queue);

    if (ngx_queue_empty(&room->parts)) {
        ngx_http_rs_route_free(room);
        ngx_rbtree_delete(&p->sessions->tree, &room->sn.node);
        ngx_free(room);
    }
}


void
ngx_http_rs_session_env(ngx_http_rs_main_conf_t *rmcf, rs_env_t *env)
{
    ngx_queue_t         *q;
    ngx_http_rs_room_t  *room;

    room = ngx_http_rs_session_room(rmcf->sessions, env->tenant,
                                    env->session);
    if (room == NULL) {
        return;
    }

    if (env->kind != RS_ENV_SIG) {
        ngx_http_rs_route_forget(room);
    }

    /* nothing is freed below: sockets are closed by posted events only */

    for (q = ngx_queue_head(&room->parts);
         q != ngx_queue_sentinel(&room->parts);
         q = ngx_queue_next(q))
    {
        ngx_http_rs_session_arrive(ngx_queue_data(q, ngx_http_rs_part_t,
                                                  queue),
                                   env);
    }
}


static void
ngx_http_rs_session_arrive(ngx_http_rs_part_t *p, rs_env_t *e)
{
    if (p->rc->closing || p->bye) {
        return;
    }

    if (rs_pos_cmp(&e->position, &p->seen) > 0) {
        p->seen = e->position;
    }

    if (!p->live || p->filling
        || rs_pos_cmp(&e->position, &p->cursor) <= 0)
    {
        return;
    }

    if (rs_pos_is_next(&p->cursor, &e->position)) {
        ngx_http_rs_session_deliver(p, e);
        return;
    }

    ngx_http_rs_count(p->rc->rmcf, NGX_HTTP_RS_STAT_GAP);

    ngx_http_rs_session_fill(p);
}


void
ngx_http_rs_session_catch_up(ngx_http_rs_main_conf_t *rmcf)
{
    ngx_uint_t           n;
    ngx_queue_t         *q;
    ngx_rbtree_t        *tree;
    ngx_rbtree_node_t   *node;
    ngx_http_rs_room_t  *room;
    ngx_http_rs_part_t  *p;

    tree = &rmcf->sessions->tree;

    if (tree->root == tree->sentinel) {
        return;
    }

    n = 0;

    for (node = ngx_rbtree_min(tree->root, tree->sentinel);
         node;
         node = ngx_rbtree_next(tree, node))
    {
        room = (ngx_http_rs_room_t *) node;

        for (q = ngx_queue_head(&room->parts);
             q != ngx_queue_sentinel(&room->parts);
             q = ngx_queue_next(q))
        {
            p = ngx_queue_data(q, ngx_http_rs_part_t, queue);

            /* what is under way may have been asked before the gap */
            p->behind = 1;
            p->sync = 1;

            if (!p->live || p->filling || p->rc->closing) {
                continue;
            }

            if (n++ < NGX_HTTP_RS_CATCH_UP) {
                ngx_http_rs_session_fill(p);

            } else {
                ngx_http_rs_session_fill_later(p);
            }
        }
    }

    if (n) {
        ngx_log_error(NGX_LOG_NOTICE, rmcf->sessions->log, 0,
                      "rs session reads the logs of %ui sockets", n);
    }
}


void
ngx_http_rs_session_back(ngx_http_rs_conn_t *rc)
{
    ngx_http_rs_part_t *p = rc->data;

    p->behind = 1;
    p->sync = 1;

    if (p->live && !p->filling && !rc->closing) {
        ngx_http_rs_session_fill(p);
    }
}


void
ngx_http_rs_session_fill(ngx_http_rs_part_t *p)
{
    u_char                   text[RS_POS_MAX];
    ngx_int_t                rv;
    ngx_str_t                position;
    ngx_http_rs_store_op_t  *op;

    if (p->filling) {
        return;
    }

    if (p->full) {

        if (ngx_http_rs_conn_queued(p->rc) > p->rc->rlcf->send_queue / 4) {
            ngx_http_rs_session_drain(p);
            return;
        }

        p->full = 0;
    }

    if (p->timer.timer_set) {
        ngx_del_timer(&p->timer);
    }

    position.data = text;
    position.len = rs_pos_format(&p->cursor, (char *) text, sizeof(text));

    op = ngx_http_rs_store_op(p->sessions->rmcf->store,
                              ngx_http_rs_session_filled, p);

    if (op == NULL) {
        rv = NGX_BUSY;

    } else if (p->sync) {
        rv = ngx_http_rs_store_sync(op, &p->m, &position, NGX_HTTP_RS_RANGE,
                                    p->epoch);

    } else {
        rv = ngx_http_rs_store_range(op, &p->m, &position, NGX_HTTP_RS_RANGE);
    }

    if (rv != NGX_OK) {
        ngx_http_rs_session_fill_later(p);
        return;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, p->rc->log, 0,
                   "rs session %V reads its log from %V",
                   &p->m.participant_id, &position);

    p->filling = 1;
    p->syncing = p->sync;
    p->sync = 0;
    p->behind = 0;
    p->refs++;
}


void
ngx_http_rs_session_fill_later(ngx_http_rs_part_t *p)
{
    if (!p->timer.timer_set) {
        ngx_add_timer(&p->timer, NGX_HTTP_RS_RANGE_RETRY
                                 + ngx_random() % NGX_HTTP_RS_RANGE_RETRY);
    }
}


static void
ngx_http_rs_session_filled(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_part_t *p = data;

    ngx_uint_t       n, syncing;
    ngx_rs_reply_t  *entries;

    p->filling = 0;

    syncing = p->syncing;
    p->syncing = 0;

    if (p->rc == NULL || p->rc->closing || p->bye) {
        goto done;
    }

    switch (code) {

    case RS_OK:
        break;

    case RS_E_RESUME_TOO_OLD:
    case RS_E_SESSION_ENDED:
    case RS_E_UNAUTHENTICATED:
    case RS_E_REPLACED:
        ngx_http_rs_conn_close(p->rc, code, NULL);
        goto done;

    default:
        p->sync |= syncing;
        ngx_http_rs_session_fill_later(p);
        goto done;
    }

    if (syncing) {
        ngx_http_rs_session_epoch(p, ngx_rs_reply_int(reply, 1));
    }

    entries = ngx_rs_reply_at(reply, syncing ? 2 : 1);
    n = ngx_rs_reply_count(entries);

    ngx_http_rs_add(p->rc->rmcf, NGX_HTTP_RS_STAT_GAP_FILLED, n);

    ngx_http_rs_session_replay(p, entries);

    if (p->rc->closing || p->full) {
        goto done;
    }

    if (n >= NGX_HTTP_RS_RANGE || p->behind
        || (n && rs_pos_cmp(&p->seen, &p->cursor) > 0))
    {
        ngx_http_rs_session_fill(p);
        goto done;
    }

    /* more was published than is in the log: by a server that is lost */

    p->seen = p->cursor;

    if (p->ending) {
        ngx_http_rs_session_ended(p, "expired");

    } else if (p->resync) {
        /* the store answers again: what it did not take is wanted now */
        p->resync = 0;
        ngx_http_rs_session_resync(p);
    }

done:

    ngx_http_rs_session_unref(p);
}


void
ngx_http_rs_session_replay(ngx_http_rs_part_t *p, ngx_rs_reply_t *entries)
{
    rs_env_t         e;
    ngx_str_t        s;
    ngx_uint_t       i, n;
    ngx_rs_reply_t  *entry;

    ngx_memzero(&e, sizeof(rs_env_t));

    n = ngx_rs_reply_count(entries);

    for (i = 0; i < n && !p->rc->closing; i++) {

        entry = ngx_rs_reply_at(entries, i);

        s = ngx_rs_reply_str(entry, 0);

        if (rs_pos_parse(ngx_http_rs_slice(&s), &e.position) != RS_OK) {
            ngx_log_error(NGX_LOG_ERR, p->rc->log, 0,
                          "rs session log has position \"%V\"", &s);
            continue;
        }

        if (rs_pos_cmp(&e.position, &p->cursor) <= 0) {
            continue;
        }

        s = ngx_rs_reply_str(entry, 1);
        e.kind = rs_env_kind(ngx_http_rs_slice(&s));

        s = ngx_rs_reply_str(entry, 2);
        e.from = ngx_http_rs_slice(&s);

        s = ngx_rs_reply_str(entry, 3);
        e.to = ngx_http_rs_slice(&s);

        s = ngx_rs_reply_str(entry, 4);
        e.id = ngx_http_rs_slice(&s);

        s = ngx_rs_reply_str(entry, 5);
        e.body = ngx_http_rs_slice(&s);

        if (ngx_http_rs_session_full(p, e.body.len)) {
            /* the rest is read again when this has been written */
            p->full = 1;
            ngx_http_rs_session_drain(p);
            return;
        }

        ngx_http_rs_session_deliver(p, &e);
    }
}


/* half of the queue is left to what cannot be read from the log later */

ngx_uint_t
ngx_http_rs_session_full(ngx_http_rs_part_t *p, size_t len)
{
    size_t  queued;

    queued = ngx_http_rs_conn_queued(p->rc);

    return queued && queued + len > p->rc->rlcf->send_queue / 2;
}


static void
ngx_http_rs_session_drain(ngx_http_rs_part_t *p)
{
    if (!p->timer.timer_set) {
        ngx_add_timer(&p->timer, NGX_HTTP_RS_DRAIN);
    }
}


/* the entry that is next for p: the cursor moves, p is sent what it may see */

static void
ngx_http_rs_session_deliver(ngx_http_rs_part_t *p, rs_env_t *e)
{
    rs_str_t    self;
    ngx_uint_t  epoch, shown;

    epoch = (e->position.epoch > p->epoch);

    p->cursor = e->position;

    if (rs_pos_cmp(&p->cursor, &p->seen) > 0) {
        p->seen = p->cursor;
    }

    self = ngx_http_rs_slice(&p->m.participant_id);
    shown = !rs_str_eq(e->from, self);

    if (e->kind == RS_ENV_SIG && e->to.len && !rs_str_eq(e->to, self)) {
        shown = 0;
    }

    if (shown && ngx_http_rs_session_send(p, e) != RS_OK) {
        ngx_log_error(NGX_LOG_ERR, p->rc->log, 0,
                      "rs session %V of %V has an unusable entry",
                      &p->m.session_id, &p->m.tenant);
    }

    if (e->kind == RS_ENV_END) {
        p->ended = 1;
        ngx_http_rs_conn_end(p->rc, RS_E_SESSION_ENDED);

    } else if (epoch) {
        p->epoch = e->position.epoch;
        p->renewed = 1;
        ngx_http_rs_session_resync(p);
    }
}


/* `resync` is sent when the log was read to its end */

void
ngx_http_rs_session_epoch(ngx_http_rs_part_t *p, int64_t epoch)
{
    if (epoch > 0 && (uint64_t) epoch > p->epoch) {
        p->epoch = epoch;
        p->renewed = 1;
        p->resync = 1;
    }
}


void
ngx_http_rs_session_ended(ngx_http_rs_part_t *p, const char *reason)
{
    rs_buf_t  b;
    u_char    buf[RS_MSG_WRITE_MAX];

    if (p->rc == NULL || p->rc->closing) {
        return;
    }

    rs_buf_init(&b, buf, sizeof(buf));
    rs_msg_write_ended(&b, rs_str(reason), &p->cursor);

    (void) ngx_http_rs_conn_send(p->rc, b.data, b.len);

    p->ended = 1;
    ngx_http_rs_conn_end(p->rc, RS_E_SESSION_ENDED);
}


static rs_err_e
ngx_http_rs_session_send(ngx_http_rs_part_t *p, rs_env_t *e)
{
    rs_buf_t  b;
    rs_err_e  code;

    if (ngx_http_rs_session_scratch(p, e->from.len + e->id.len + e->body.len
                                       + RS_MSG_WRITE_MAX)
        != NGX_OK)
    {
        ngx_http_rs_conn_close(p->rc, RS_E_INTERNAL, NULL);
        return RS_OK;
    }

    rs_buf_init(&b, p->sessions->scratch, p->sessions->size);

    switch (e->kind) {

    case RS_ENV_SIG:
        rs_msg_write_signal(&b, e->from, e->id, &e->position, e->body);
        code = RS_OK;
        break;

    case RS_ENV_EVT:
        ngx_http_rs_input_event(p, e->body);

        /* fall through */

    case RS_ENV_END:
        code = rs_msg_write_event(&b, e->body, &e->position);
        break;

    default:
        code = RS_E_INVALID_VALUE;
        break;
    }

    if (code != RS_OK || b.overflow) {
        return RS_E_INVALID_VALUE;
    }

    ngx_http_rs_count(p->rc->rmcf, NGX_HTTP_RS_STAT_DELIVERED);

    (void) ngx_http_rs_conn_send(p->rc, b.data, b.len);

    return RS_OK;
}


static void
ngx_http_rs_session_resync(ngx_http_rs_part_t *p)
{
    rs_buf_t  b;
    u_char    buf[RS_MSG_WRITE_MAX];

    ngx_log_error(NGX_LOG_INFO, p->rc->log, 0,
                  "rs session %V of %V: %V is to send again, epoch %uL",
                  &p->m.session_id, &p->m.tenant, &p->m.participant_id,
                  p->epoch);

    ngx_http_rs_count(p->rc->rmcf, NGX_HTTP_RS_STAT_RESYNC);

    rs_buf_init(&b, buf, sizeof(buf));
    rs_msg_write_resync(&b, &p->cursor);

    if (ngx_http_rs_conn_send(p->rc, b.data, b.len) == NGX_OK && p->renewed) {
        (void) ngx_http_rs_conn_ping(p->rc);
    }
}


/*
 * One buffer for all, for conn_send() copies.  Bounded by what the store
 * gives: a body is never larger than rs_message_size of its sender.
 */

static ngx_int_t
ngx_http_rs_session_scratch(ngx_http_rs_part_t *p, size_t size)
{
    u_char                  *data;
    ngx_http_rs_sessions_t  *sessions;

    sessions = p->sessions;

    if (size <= sessions->size) {
        return NGX_OK;
    }

    data = ngx_alloc(size, sessions->log);
    if (data == NULL) {
        return NGX_ERROR;
    }

    if (sessions->scratch) {
        ngx_free(sessions->scratch);
    }

    sessions->scratch = data;
    sessions->size = size;

    return NGX_OK;
}
