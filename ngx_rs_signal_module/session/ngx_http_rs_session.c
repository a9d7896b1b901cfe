
/*
 * Copyright (C) rs-gateway contributors
 *
 * Participants with a socket on this worker: join and resume, and what they
 * say.  How they leave is ngx_http_rs_session_leave.c, what the session's log
 * tells them ngx_http_rs_session_log.c, what they are told first
 * ngx_http_rs_session_welcome.c.
 *
 * Life of a part:
 *
 *   start   in its room already, for envelopes may overtake the store's reply
 *   joined  the store knows its address: from now on it has to leave again
 *   live    `welcome` was sent
 *   gone    the socket is closed; "away" is told to the store, and when the
 *           grace is over "lost", under the address it had: whoever resumed
 *           meanwhile has another one and the store says "stale"
 *
 * A part that the store knows and the client does not (it went before its
 * first `welcome`, or no replica confirmed its join) cannot resume: its join
 * is "undone" at once.
 *
 * Nothing here waits: each operation of the store holds a reference, finds
 * the socket gone when it is answered, and goes on from there.
 */


#include "ngx_http_rs_session_log.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>


#define NGX_HTTP_RS_PART_POOL        1280

#define NGX_HTTP_RS_APPENDS_MAX      64
#define NGX_HTTP_RS_APPENDS_LOW      32

#define NGX_HTTP_RS_NO_PEER                                                  \
    "participant %*s is not in this session"


/* a `signal` on its way to the log; kept by its part and used again */

struct ngx_http_rs_append_s {
    ngx_http_rs_append_t  *next;
    ngx_http_rs_part_t    *p;
    uint64_t               id;
    size_t                 to_len;
    u_char                 to[RS_ID_LEN];
};


static void ngx_http_rs_sessions_cleanup(void *data);
static ngx_http_rs_part_t *ngx_http_rs_session_create(ngx_http_request_t *r,
    ngx_str_t *rid);
static ngx_int_t ngx_http_rs_session_name(ngx_http_rs_part_t *p,
    rs_cred_t *cred);
static void ngx_http_rs_session_admitted(void *data, rs_err_e code);
static ngx_int_t ngx_http_rs_session_ask(ngx_http_rs_part_t *p);
static void ngx_http_rs_session_joined(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_session_refused(ngx_http_rs_part_t *p,
    rs_err_e code);
static ngx_int_t ngx_http_rs_session_take(ngx_http_rs_part_t *p,
    ngx_rs_reply_t *reply);

static void ngx_http_rs_session_recorder(ngx_http_rs_part_t *p,
    ngx_rs_reply_t *session);

static void ngx_http_rs_session_message(ngx_http_rs_conn_t *rc, u_char *data,
    size_t len);
static void ngx_http_rs_session_act(ngx_http_rs_part_t *p, rs_msg_t *msg);
static void ngx_http_rs_session_append(ngx_http_rs_part_t *p, rs_msg_t *msg);
static void ngx_http_rs_session_appended(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_session_unsent(ngx_http_rs_part_t *p, uint64_t id);
static void ngx_http_rs_session_state(ngx_http_rs_part_t *p, rs_msg_t *msg);
static void ngx_http_rs_session_stated(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);


static const ngx_http_rs_conn_handlers_t  ngx_http_rs_session_handlers = {
    ngx_http_rs_session_message,
    ngx_http_rs_session_closed,
    NULL
};


ngx_http_rs_sessions_t *
ngx_http_rs_sessions_create(ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log)
{
    ngx_pool_cleanup_t      *cln;
    ngx_http_rs_sessions_t  *sessions;

    cln = ngx_pool_cleanup_add(ngx_cycle->pool,
                               sizeof(ngx_http_rs_sessions_t));
    if (cln == NULL) {
        return NULL;
    }

    sessions = cln->data;
    ngx_memzero(sessions, sizeof(ngx_http_rs_sessions_t));

    cln->handler = ngx_http_rs_sessions_cleanup;

    sessions->rmcf = rmcf;
    sessions->log = log;

    ngx_rbtree_init(&sessions->tree, &sessions->sentinel,
                    ngx_str_rbtree_insert_value);

    ngx_queue_init(&sessions->all);
    ngx_http_rs_routes_init(sessions);

    return sessions;
}


/* the process ends: sockets may be open still, nothing runs any more */

static void
ngx_http_rs_sessions_cleanup(void *data)
{
    ngx_http_rs_sessions_t *sessions = data;

    ngx_queue_t         *q;
    ngx_http_rs_part_t  *p;

    while (!ngx_queue_empty(&sessions->all)) {
        q = ngx_queue_head(&sessions->all);
        p = ngx_queue_data(q, ngx_http_rs_part_t, all);

        ngx_queue_remove(q);
        ngx_http_rs_session_exit(p);
        ngx_destroy_pool(p->pool);
    }

    ngx_http_rs_routes_cleanup(sessions);

    if (sessions->scratch) {
        ngx_free(sessions->scratch);
    }
}


ngx_int_t
ngx_http_rs_session_start(ngx_http_request_t *r, ngx_uint_t resume,
    rs_cred_t *cred, ngx_str_t *rid, ngx_http_rs_conn_t **rcp)
{
    ngx_http_rs_conn_t  *rc;
    ngx_http_rs_part_t  *p;

    p = ngx_http_rs_session_create(r, rid);
    if (p == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_rs_conn_create(r, &ngx_http_rs_session_handlers, p);
    if (rc == NULL) {
        ngx_destroy_pool(p->pool);
        return NGX_ERROR;
    }

    /* from here on the close handler ends p */

    *rcp = rc;

    p->rc = rc;
    p->refs = 1;
    p->resume = resume ? 1 : 0;

    ngx_queue_insert_tail(&p->sessions->all, &p->all);

    ngx_http_rs_count(rc->rmcf, NGX_HTTP_RS_STAT_CONN_PARTICIPANT);
    ngx_http_rs_gauge(rc->rmcf, NGX_HTTP_RS_GAUGE_PARTICIPANTS, 1);

    if (rc->closing) {
        /* the worker ends: the credential is good for another one */
        return NGX_DONE;
    }

    ngx_http_rs_conn_deadline(rc, rc->rlcf->hello_timeout);

    if (cred == NULL) {
        ngx_log_error(NGX_LOG_INFO, rc->log, 0,
                      "rs session credential is missing or malformed");
        ngx_http_rs_session_refused(p, RS_E_UNAUTHENTICATED);
        ngx_http_rs_conn_close(rc, RS_E_UNAUTHENTICATED, NULL);
        return NGX_DONE;
    }

    if (ngx_http_rs_session_name(p, cred) != NGX_OK
        || ngx_http_rs_session_enter(p) != NGX_OK)
    {
        ngx_http_rs_conn_close(rc, RS_E_INTERNAL, NULL);
        return NGX_DONE;
    }

    switch (ngx_http_rs_reap_admit(p->sessions->rmcf->reap, &p->m.tenant,
                                   &p->m.session_id,
                                   ngx_http_rs_session_admitted, p))
    {
    case NGX_OK:
        if (ngx_http_rs_session_ask(p) != NGX_OK) {
            ngx_http_rs_conn_close(rc, RS_E_UNAVAILABLE, NULL);
        }

        break;

    case NGX_AGAIN:
        p->refs++;
        break;

    default:
        ngx_http_rs_conn_close(rc, RS_E_UNAVAILABLE, NULL);
        break;
    }

    return NGX_DONE;
}


static ngx_http_rs_part_t *
ngx_http_rs_session_create(ngx_http_request_t *r, ngx_str_t *rid)
{
    ngx_pool_t               *pool;
    ngx_http_rs_part_t       *p;
    ngx_http_rs_loc_conf_t   *rlcf;
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rs_signal_module);
    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rs_signal_module);

    pool = ngx_create_pool(NGX_HTTP_RS_PART_POOL, rmcf->sessions->log);
    if (pool == NULL) {
        return NULL;
    }

    p = ngx_pcalloc(pool, sizeof(ngx_http_rs_part_t));
    if (p == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    /* the region is used while there is a socket only, so it is r's */

    p->ice.rlcf = rlcf;

    if (ngx_http_rs_ice_region(r, &p->ice.region) != NGX_OK) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    if (ngx_http_rs_session_copy(pool, &p->m.rid, ngx_http_rs_slice(rid))
        != NGX_OK
        || ngx_http_rs_session_copy(pool, &p->m.addr,
                                ngx_http_rs_slice(&r->connection->addr_text))
           != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    p->pool = pool;
    p->log = rmcf->sessions->log;
    p->sessions = rmcf->sessions;
    p->m.grace = rlcf->resume_grace;
    p->m.recorder_grace = rlcf->recorder_grace;
    p->m.recorder_wait = rlcf->recorder_wait;
    p->m.log_size = rlcf->log_size;

    rs_bucket_init(&p->messages, rlcf->message_rate, rlcf->message_burst,
                   ngx_current_msec);
    rs_bucket_init(&p->bytes, rlcf->log_rate, 2 * (uint64_t) rlcf->log_rate,
                   ngx_current_msec);
    ngx_http_rs_input_init(p, rlcf);

    p->expire.handler = ngx_http_rs_session_expired;
    p->timer.handler = ngx_http_rs_session_timer;

    p->expire.data = p;
    p->timer.data = p;

    p->expire.log = p->log;
    p->timer.log = p->log;

    return p;
}


static ngx_int_t
ngx_http_rs_session_name(ngx_http_rs_part_t *p, rs_cred_t *cred)
{
    ngx_pool_t            *pool;
    ngx_http_rs_member_t  *m;

    pool = p->pool;
    m = &p->m;

    p->cursor = cred->position;
    p->epoch = cred->position.epoch;

    ngx_memcpy(p->hash, cred->hash, sizeof(p->hash));
    ngx_memcpy(p->bound, cred->bound, sizeof(p->bound));

    if (ngx_http_rs_session_copy(pool, &m->tenant, cred->tenant) != NGX_OK
        || ngx_http_rs_session_copy(pool, &m->session_id, cred->session_id)
           != NGX_OK
        || ngx_http_rs_session_copy(pool, &m->participant_id,
                                    cred->participant_id)
           != NGX_OK
        || ngx_http_rs_session_copy(pool, &m->address,
                                    ngx_http_rs_slice(&p->rc->address))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_rs_session_admitted(void *data, rs_err_e code)
{
    ngx_http_rs_part_t *p = data;

    if (p->rc && !p->rc->closing) {

        if (code == RS_OK && ngx_http_rs_session_ask(p) != NGX_OK) {
            code = RS_E_UNAVAILABLE;
        }

        if (code != RS_OK) {
            ngx_http_rs_session_refused(p, code);
            ngx_http_rs_conn_close(p->rc, code, NULL);
        }
    }

    ngx_http_rs_session_unref(p);
}


static ngx_int_t
ngx_http_rs_session_ask(ngx_http_rs_part_t *p)
{
    char                     text[RS_POS_MAX], fresh[RS_ID_HASH_LEN];
    ngx_int_t                rv;
    ngx_str_t                hash, bound, resume, position;
    ngx_http_rs_store_op_t  *op;

    if (ngx_http_rs_session_secret(p->secret, fresh, p->log) != NGX_OK) {
        return NGX_ERROR;
    }

    resume.data = (u_char *) fresh;
    resume.len = sizeof(fresh);

    hash.data = (u_char *) p->hash;
    hash.len = sizeof(p->hash);

    op = ngx_http_rs_store_op(p->sessions->rmcf->store,
                              ngx_http_rs_session_joined, p);
    if (op == NULL) {
        return NGX_ERROR;
    }

    if (p->resume) {
        position.data = (u_char *) text;
        position.len = rs_pos_format(&p->cursor, text, sizeof(text));

        rv = ngx_http_rs_store_resume(op, &p->m, &hash, &resume, &position);

    } else {
        bound.data = (u_char *) p->bound;
        bound.len = sizeof(p->bound);

        rv = ngx_http_rs_store_join(op, &hash, &bound, &p->m, &resume);
    }

    if (rv == NGX_OK) {
        p->refs++;
    }

    return rv;
}


static void
ngx_http_rs_session_joined(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_part_t *p = data;

    if ((code == RS_OK || (code == RS_E_UNCERTAIN && reply))
        && ngx_http_rs_session_take(p, reply) != NGX_OK)
    {
        code = RS_E_INTERNAL;

    } else if (code == RS_E_UNAVAILABLE
               || (code == RS_E_UNCERTAIN && reply == NULL))
    {
        /* it may have happened: then the store has this address */
        p->joined = 1;
        p->expires = ngx_time() + p->ice.rlcf->session_ttl;
    }

    if (p->rc == NULL) {
        /* the client went meanwhile */

        if (p->joined) {
            ngx_http_rs_session_leave(p);
        }

        goto done;
    }

    if (code != RS_OK) {
        ngx_log_error(NGX_LOG_INFO, p->rc->log, 0,
                      "rs session %V of %V is not joined: %s",
                      &p->m.session_id, &p->m.tenant, rs_err_code(code));

        ngx_http_rs_session_refused(p, code);
        ngx_http_rs_conn_close(p->rc, code, NULL);
        goto done;
    }

    if (p->rc->closing || ngx_http_rs_session_welcome(p, reply) != NGX_OK) {
        goto done;
    }

    p->live = 1;

    ngx_http_rs_session_recorder(p, ngx_rs_reply_at(reply, 4));
    ngx_http_rs_conn_admit(p->rc);
    ngx_http_rs_count(p->rc->rmcf, p->resume ? NGX_HTTP_RS_STAT_RESUMED
                                             : NGX_HTTP_RS_STAT_JOINED);

    ngx_http_rs_conn_deadline(p->rc, 0);

    if (p->recorder) {
        ngx_http_rs_conn_silence(p->rc, p->ice.rlcf->recorder_timeout);
    }

    ngx_add_timer(&p->expire, ngx_max(p->expires - ngx_time(), 0) * 1000
                              + ngx_random() % 1000);

    ngx_log_error(NGX_LOG_INFO, p->rc->log, 0,
                  "rs session %V of %V: %V has %s", &p->m.session_id,
                  &p->m.tenant, &p->m.participant_id,
                  p->resume ? "resumed" : "joined");

    if (p->resume) {
        ngx_http_rs_session_replay(p, ngx_rs_reply_at(reply, 6));
        ngx_http_rs_session_epoch(p, ngx_rs_reply_int(reply, 7));
    }

    if (!p->rc->closing
        && (p->behind || p->resync || rs_pos_cmp(&p->seen, &p->cursor) > 0))
    {
        ngx_http_rs_session_fill(p);
    }

done:

    OPENSSL_cleanse(p->secret, sizeof(p->secret));

    ngx_http_rs_session_unref(p);
}


static void
ngx_http_rs_session_refused(ngx_http_rs_part_t *p, rs_err_e code)
{
    ngx_http_rs_ban_who_t  who;

    if (code == RS_E_RESUME_TOO_OLD) {
        ngx_http_rs_count(p->rc->rmcf, NGX_HTTP_RS_STAT_RESUME_TOO_OLD);

    } else if (code != RS_E_UNAVAILABLE) {
        ngx_http_rs_count(p->rc->rmcf, p->resume
                                       ? NGX_HTTP_RS_STAT_RESUME_REFUSED
                                       : NGX_HTTP_RS_STAT_JOIN_REFUSED);
    }

    if (code == RS_E_UNAUTHENTICATED) {
        (void) ngx_http_rs_limit_address(p->rc->rmcf,
                                         p->rc->connection->sockaddr,
                                         RS_RATE_CHARGE, NULL);

        ngx_memzero(&who, sizeof(ngx_http_rs_ban_who_t));
        who.sockaddr = p->rc->connection->sockaddr;

        ngx_http_rs_ban_failed(p->rc->rmcf, &who, p->log);
        ngx_http_rs_store_denied(p->rc->rmcf->store,
                                 p->resume ? "resume token" : "ticket", code,
                                 &p->m.addr, &p->m.rid, &p->m.session_id);
    }
}


/*
 * What the store knows of p now, whether or not its client is still there.
 * A resumed part's cursor stays where its client was: what follows is in the
 * reply and will be sent.
 */

static ngx_int_t
ngx_http_rs_session_take(ngx_http_rs_part_t *p, ngx_rs_reply_t *reply)
{
    time_t           now, expires;
    json_t          *policy;
    ngx_str_t        s;
    ngx_rs_reply_t  *session;

    if (!p->resume) {
        s = ngx_rs_reply_str(reply, 2);

        if (ngx_http_rs_session_copy(p->pool, &p->m.participant_id,
                                     ngx_http_rs_slice(&s))
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        p->joined = 1;

        s = ngx_rs_reply_str(reply, 3);

        if (rs_pos_parse(ngx_http_rs_slice(&s), &p->cursor) != RS_OK) {
            ngx_log_error(NGX_LOG_ERR, p->log, 0,
                          "rs session was given position \"%V\"", &s);
            return NGX_ERROR;
        }

        p->epoch = p->cursor.epoch;
    }

    p->joined = 1;

    session = ngx_rs_reply_at(reply, 4);

    now = (time_t) ngx_rs_reply_int(reply, 1);

    s = ngx_rs_reply_field(session, "expires_at");
    expires = ngx_atotm(s.data, s.len);

    if (expires == (time_t) NGX_ERROR || expires < now) {
        expires = now;
    }

    /* by this host's clock, which need not be the store's */

    p->expires = ngx_time() + (expires - now);
    p->ice.ahead = now - ngx_time();
    p->ice.until = expires;

    s = ngx_rs_reply_field(session, "state");
    p->input.unrecorded = rs_str_eq(ngx_http_rs_slice(&s),
                                    RS_STR("waiting_recorder"));

    s = ngx_rs_reply_field(session, "policy");
    policy = json_loadb((char *) s.data, s.len, 0, NULL);

    p->ice.relay_only = json_is_true(json_object_get(policy, "relay_only"));
    p->input.view_only = json_is_true(json_object_get(policy, "view_only"));
    p->ice.tenant = p->m.tenant;
    p->ice.session_id = p->m.session_id;
    p->ice.participant_id = p->m.participant_id;

    json_decref(policy);

    return NGX_OK;
}


/*
 * A recorder is lost sooner than others.  A host that came before it waits, and
 * not for ever: this worker has that to see to.
 */

static void
ngx_http_rs_session_recorder(ngx_http_rs_part_t *p, ngx_rs_reply_t *session)
{
    ngx_str_t  id, host, state;

    id = ngx_rs_reply_field(session, "rec_par");
    host = ngx_rs_reply_field(session, "host_par");
    state = ngx_rs_reply_field(session, "state");

    if (rs_str_eq(ngx_http_rs_slice(&id),
                  ngx_http_rs_slice(&p->m.participant_id)))
    {
        p->recorder = 1;
        p->m.grace = p->m.recorder_grace;
    }

    if (rs_str_eq(ngx_http_rs_slice(&state), RS_STR("waiting_recorder"))
        && rs_str_eq(ngx_http_rs_slice(&host),
                     ngx_http_rs_slice(&p->m.participant_id)))
    {
        ngx_http_rs_reap_due(p->sessions->rmcf->reap, &p->m.tenant,
                             p->m.recorder_wait + 1);
    }
}


static void
ngx_http_rs_session_message(ngx_http_rs_conn_t *rc, u_char *data, size_t len)
{
    ngx_http_rs_part_t *p = rc->data;

    rs_err_e  code;
    rs_msg_t  msg;

    if (!p->live) {
        ngx_http_rs_conn_close(rc, RS_E_BEFORE_WELCOME, NULL);
        return;
    }

    if (p->bye) {
        return;
    }

    code = rs_msg_parse(&msg, RS_CHANNEL_SIGNAL, data, len);

    ngx_http_rs_count(rc->rmcf, code == RS_OK
                                ? NGX_HTTP_RS_STAT_MESSAGE + msg.type
                                : NGX_HTTP_RS_STAT_MESSAGE_BAD);

    if (code == RS_OK && msg.type == RS_MSG_INPUT) {
        /* it has a rate of its own */
        ngx_http_rs_input_message(p, &msg);
        rs_msg_free(&msg);
        return;
    }

    if (!rs_bucket_take(&p->messages, 1, ngx_current_msec)) {
        ngx_log_error(NGX_LOG_INFO, rc->log, 0,
                      "rs session participant %V sends too many messages",
                      &p->m.participant_id);
        ngx_http_rs_conn_close(rc, RS_E_RATE_LIMITED, NULL);

        if (code == RS_OK) {
            rs_msg_free(&msg);
        }

        return;
    }

    if (ngx_http_rs_limit_tenant(rc->rmcf, &p->m.tenant, RS_RATE_TAKE, NULL)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_INFO, rc->log, 0,
                      "rs session tenant %V sends too many messages",
                      &p->m.tenant);
        ngx_http_rs_conn_close(rc, RS_E_RATE_LIMITED,
                               "all of this tenant together send too much");

        if (code == RS_OK) {
            rs_msg_free(&msg);
        }

        return;
    }

    if (code == RS_OK) {
        ngx_http_rs_session_act(p, &msg);
        rs_msg_free(&msg);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, rc->log, 0,
                  "rs session message of %V is refused: %s, %s",
                  &p->m.participant_id, rs_err_code(code), msg.error.text);

    if (rs_err_ws_close(code)) {
        ngx_http_rs_conn_close(rc, code, msg.error.text);

    } else {
        ngx_http_rs_conn_error(rc, code, msg.error.text, msg.id);
    }
}


static void
ngx_http_rs_session_act(ngx_http_rs_part_t *p, rs_msg_t *msg)
{
    rs_buf_t  b;
    u_char    buf[RS_MSG_WRITE_MAX];

    switch (msg->type) {

    case RS_MSG_SIGNAL:
        ngx_http_rs_session_append(p, msg);
        break;

    case RS_MSG_STATE:
        ngx_http_rs_session_state(p, msg);
        break;

    case RS_MSG_ICE:
        (void) ngx_http_rs_conn_send_json(p->rc,
                   json_pack("{ssso}", "type", "ice",
                             "ice", ngx_http_rs_session_ice(p)));
        break;

    case RS_MSG_CONTROL:
        ngx_http_rs_control_message(p, msg);
        break;

    case RS_MSG_PIPE:
        ngx_http_rs_session_pipe(p, msg);
        break;

    case RS_MSG_PING:
        rs_buf_init(&b, buf, sizeof(buf));
        rs_msg_write_pong(&b);
        (void) ngx_http_rs_conn_send(p->rc, b.data, b.len);
        break;

    case RS_MSG_BYE:

        p->bye = 1;

        if (p->timer.timer_set) {
            ngx_del_timer(&p->timer);
        }

        ngx_http_rs_session_leave(p);
        break;

    default: /* pong */

        if (p->rc->pings && --p->rc->pings == 0 && !p->resync) {
            p->renewed = 0;
        }

        break;
    }
}


ngx_int_t
ngx_http_rs_session_logged(ngx_http_rs_part_t *p, size_t len)
{
    if (rs_bucket_take(&p->bytes, len, ngx_current_msec)) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, p->rc->log, 0,
                  "rs session participant %V sends too many bytes",
                  &p->m.participant_id);

    ngx_http_rs_conn_close(p->rc, RS_E_RATE_LIMITED, NULL);

    return NGX_BUSY;
}


/*
 * The store drops an id that is not above the last one it took, so after one
 * that it could not take the later ones have to wait for it: else the first
 * one, sent again, would be acked as a repetition and be lost.  When the
 * store is back, `resync` asks for all of them.
 *
 * A new epoch may have lost what was acked, so there a message that was not
 * sent before has to wait too, until the client begins to repeat, or until
 * its pong shows that it has nothing to.
 */

static void
ngx_http_rs_session_append(ngx_http_rs_part_t *p, rs_msg_t *msg)
{
    ngx_str_t                to, body;
    ngx_http_rs_append_t    *a;
    ngx_http_rs_store_op_t  *op;

    if (ngx_http_rs_session_logged(p, msg->data.len) != NGX_OK) {
        return;
    }

    if (p->failed && msg->id > p->failed) {
        ngx_http_rs_session_unsent(p, msg->id);
        return;
    }

    if (p->renewed) {
        p->renewed = 0;

        if (msg->id > p->top) {
            ngx_http_rs_session_unsent(p, msg->id);
            return;
        }
    }

    p->top = ngx_max(p->top, msg->id);

    a = p->free;

    if (a) {
        p->free = a->next;

    } else {
        a = ngx_palloc(p->pool, sizeof(ngx_http_rs_append_t));
        if (a == NULL) {
            ngx_http_rs_conn_close(p->rc, RS_E_INTERNAL, NULL);
            return;
        }
    }

    a->p = p;
    a->id = msg->id;
    a->to_len = ngx_min(msg->to.len, sizeof(a->to));
    ngx_memcpy(a->to, msg->to.data, a->to_len);

    to = ngx_http_rs_str(msg->to);
    body = ngx_http_rs_str(msg->data);

    op = ngx_http_rs_store_op(p->sessions->rmcf->store,
                              ngx_http_rs_session_appended, a);

    if (op == NULL
        || ngx_http_rs_store_append(op, &p->m, msg->id, p->epoch, &to, &body)
           != NGX_OK)
    {
        a->next = p->free;
        p->free = a;
        ngx_http_rs_session_unsent(p, msg->id);
        return;
    }

    if (msg->id == p->failed) {
        p->failed = 0;
    }

    p->refs++;

    if (++p->appends == NGX_HTTP_RS_APPENDS_MAX) {
        ngx_http_rs_conn_pause(p->rc, 1);
    }
}


static void
ngx_http_rs_session_appended(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_append_t *a = data;

    u_char               text[RS_ID_LEN + sizeof(NGX_HTTP_RS_NO_PEER)];
    u_char               buf[RS_MSG_WRITE_MAX];
    rs_buf_t             b;
    ngx_str_t            answer;
    ngx_http_rs_part_t  *p;

    p = a->p;

    if (p->appends-- == NGX_HTTP_RS_APPENDS_LOW && p->rc) {
        ngx_http_rs_conn_pause(p->rc, 0);
    }

    if (p->rc == NULL || p->rc->closing) {
        goto done;
    }

    switch (code) {

    case RS_OK:
        answer = ngx_rs_reply_str(reply, 1);

        if (rs_str_eq(ngx_http_rs_slice(&answer), RS_STR("new"))) {
            ngx_http_rs_session_epoch(p, ngx_rs_reply_int(reply, 2));
            ngx_http_rs_session_unsent(p, a->id);
            ngx_http_rs_session_fill(p);
            break;
        }

        ngx_http_rs_count(p->rc->rmcf, NGX_HTTP_RS_STAT_ACK);

        if (rs_str_eq(ngx_http_rs_slice(&answer), RS_STR("dup"))) {
            ngx_http_rs_count(p->rc->rmcf, NGX_HTTP_RS_STAT_DUPLICATE);
        }

        rs_buf_init(&b, buf, sizeof(buf));
        rs_msg_write_ack(&b, a->id);
        (void) ngx_http_rs_conn_send(p->rc, b.data, b.len);
        break;

    case RS_E_UNAVAILABLE:
        /* this worker may have been called dead */
        p->sync = 1;
        ngx_http_rs_session_unsent(p, a->id);
        break;

    case RS_E_NOT_RECORDED:
        ngx_http_rs_conn_error(p->rc, code,
                               "nobody speaks with the host before the "
                               "session is recorded; send this again when "
                               "it is", a->id);
        break;

    case RS_E_UNKNOWN_PEER:
        ngx_sprintf(text, NGX_HTTP_RS_NO_PEER "%Z", a->to_len, a->to);
        ngx_http_rs_conn_error(p->rc, code, (char *) text, a->id);
        break;

    default:
        ngx_http_rs_session_failed(p, code);
        break;
    }

done:

    a->next = p->free;
    p->free = a;

    ngx_http_rs_session_unref(p);
}


/* the store cannot take it now; the socket stays */

static void
ngx_http_rs_session_unsent(ngx_http_rs_part_t *p, uint64_t id)
{
    ngx_http_rs_count(p->rc->rmcf, NGX_HTTP_RS_STAT_UNSENT);

    if (p->failed && id > p->failed) {
        ngx_http_rs_conn_error(p->rc, RS_E_UNAVAILABLE,
                               "an earlier message was not taken; send that "
                               "one again before this", id);
        return;
    }

    p->failed = id;
    p->resync = 1;

    ngx_http_rs_conn_error(p->rc, RS_E_UNAVAILABLE,
                           "the store cannot be reached; send this message "
                           "again, with the same id", id);

    ngx_http_rs_session_fill_later(p);
}


static void
ngx_http_rs_session_state(ngx_http_rs_part_t *p, rs_msg_t *msg)
{
    ngx_str_t                path;
    ngx_http_rs_store_op_t  *op;

    if (ngx_http_rs_session_logged(p, msg->path.len) != NGX_OK) {
        return;
    }

    path = ngx_http_rs_str(msg->path);

    op = ngx_http_rs_store_op(p->sessions->rmcf->store,
                              ngx_http_rs_session_stated, p);

    if (op == NULL || ngx_http_rs_store_state(op, &p->m, &path) != NGX_OK) {
        ngx_http_rs_conn_error(p->rc, RS_E_UNAVAILABLE, NULL, 0);
        return;
    }

    p->refs++;
}


static void
ngx_http_rs_session_stated(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_part_t *p = data;

    if (p->rc && !p->rc->closing) {

        if (code == RS_E_UNAVAILABLE) {
            p->sync = 1;
            ngx_http_rs_conn_error(p->rc, code, NULL, 0);

        } else if (code != RS_OK) {
            ngx_http_rs_session_failed(p, code);
        }
    }

    ngx_http_rs_session_unref(p);
}


void
ngx_http_rs_session_failed(ngx_http_rs_part_t *p, rs_err_e code)
{
    if (code == RS_E_SESSION_ENDED) {
        /* the log says why, if it ended otherwise than by its time */
        p->ending = 1;
        ngx_http_rs_session_fill(p);
        return;
    }

    ngx_http_rs_conn_close(p->rc, code, NULL);
}
