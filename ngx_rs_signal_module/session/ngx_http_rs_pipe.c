
/*
 * Copyright (C) rs-gateway contributors
 *
 * Legs of pipes.
 *
 * A leg has a pipe of its own until the store says whether it is the first
 * one.  The first keeps it and waits; the second moves into the first one's,
 * if that is of this worker, and else gets a link to the worker that has it,
 * which is the other leg of its own pipe then, as it is of the first one's
 * there.
 *
 * Nothing is read of a leg before its ticket was taken, and nothing goes on
 * before both are there and, where the client's is, the guard has said yes.
 */


#include "session/ngx_http_rs_pipe_internal.h"
#include "session/ngx_http_rs_session_log.h"
#include "rs_ip.h"

#include <openssl/rand.h>


#define NGX_HTTP_RS_PIPE_POOL      1024


static void ngx_http_rs_pipes_cleanup(void *data);

static ngx_http_rs_pipe_t *ngx_http_rs_pipe_create(
    ngx_http_rs_main_conf_t *rmcf, rs_ws_side_e side,
    ngx_http_rs_pipe_from_t *from);
static ngx_int_t ngx_http_rs_pipe_client(ngx_http_rs_pipe_t *p,
    ngx_http_rs_pipe_seat_t *seat, ngx_http_rs_pipe_from_t *from);
static void ngx_http_rs_pipe_begin(ngx_http_rs_pipe_t *p,
    ngx_http_rs_conn_t *rc);
static ngx_int_t ngx_http_rs_pipe_attach(ngx_http_rs_pipe_t *p);
static void ngx_http_rs_pipe_attached(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_pipe_refused(ngx_http_rs_conn_t *rc);
static ngx_int_t ngx_http_rs_pipe_take(ngx_http_rs_pipe_t *p,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_pipe_first(ngx_http_rs_pipe_t *p);
static void ngx_http_rs_pipe_second(ngx_http_rs_pipe_t *p,
    ngx_rs_reply_t *reply);
static ngx_http_rs_pipe_t *ngx_http_rs_pipe_of(ngx_http_rs_main_conf_t *rmcf,
    uint64_t conn, rs_str_t tenant, rs_str_t id, rs_ws_side_e side);
static void ngx_http_rs_pipe_merge(ngx_http_rs_pipe_t *p,
    ngx_http_rs_pipe_t *to);
static void ngx_http_rs_pipe_reach(ngx_http_rs_pipe_t *p, rs_addr_t *addr,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_pipe_reached(void *data, ngx_connection_t *c);
static ngx_int_t ngx_http_rs_pipe_linked(ngx_http_rs_pipe_t *p,
    ngx_connection_t *c);

static void ngx_http_rs_pipe_wait_handler(ngx_event_t *ev);
static void ngx_http_rs_pipe_ended(ngx_http_rs_relay_t *relay);
static void ngx_http_rs_pipe_gone(ngx_http_rs_relay_t *relay);
static void ngx_http_rs_pipe_report(ngx_http_rs_pipe_t *p);
static void ngx_http_rs_pipe_reported(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);


static const ngx_http_rs_relay_handlers_t  ngx_http_rs_pipe_handlers = {
    ngx_http_rs_pipe_ended,
    ngx_http_rs_pipe_gone
};


ngx_http_rs_pipes_t *
ngx_http_rs_pipes_create(ngx_http_rs_main_conf_t *rmcf, ngx_log_t *log)
{
    ngx_pool_cleanup_t   *cln;
    ngx_http_rs_pipes_t  *pipes;

    cln = ngx_pool_cleanup_add(ngx_cycle->pool, sizeof(ngx_http_rs_pipes_t));
    if (cln == NULL) {
        return NULL;
    }

    pipes = cln->data;
    pipes->rmcf = rmcf;
    pipes->log = log;
    ngx_queue_init(&pipes->all);
    ngx_queue_init(&pipes->coming);
    pipes->ncoming = 0;

    cln->handler = ngx_http_rs_pipes_cleanup;

    return pipes;
}


/* the process ends: sockets may be open still, nothing runs any more */

static void
ngx_http_rs_pipes_cleanup(void *data)
{
    ngx_http_rs_pipes_t *pipes = data;

    ngx_uint_t           i;
    ngx_queue_t         *q;
    ngx_http_rs_pipe_t  *p;

    while (!ngx_queue_empty(&pipes->all)) {
        q = ngx_queue_head(&pipes->all);
        p = ngx_queue_data(q, ngx_http_rs_pipe_t, queue);

        ngx_queue_remove(q);

        for (i = 0; i < NGX_HTTP_RS_LEGS; i++) {
            if (p->relay.legs[i].buf) {
                ngx_free(p->relay.legs[i].buf);
            }
        }

        ngx_destroy_pool(p->pool);
    }

    ngx_http_rs_ports_cleanup(pipes);
}


ngx_int_t
ngx_http_rs_pipe_start(ngx_http_request_t *r, rs_cred_t *cred,
    rs_ws_side_e side, ngx_str_t *rid, ngx_http_rs_conn_t **rcp)
{
    ngx_http_rs_conn_t       *rc;
    ngx_http_rs_pipe_t       *p;
    ngx_http_rs_main_conf_t  *rmcf;
    ngx_http_rs_pipe_from_t   from;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rs_signal_module);

    from.addr = r->connection->addr_text;
    from.rid = *rid;
    from.cred = cred;

    p = ngx_http_rs_pipe_create(rmcf, side, &from);
    if (p == NULL) {
        return NGX_ERROR;
    }

    /* a worker that ends closes it at once: it has to be a leg by then */

    rc = ngx_http_rs_conn_create(r, &ngx_http_rs_relay_leg,
                                 ngx_http_rs_relay_place(&p->relay, side));
    if (rc == NULL) {
        ngx_destroy_pool(p->pool);
        return NGX_ERROR;
    }

    *rcp = rc;
    p->stranger = 1;

    ngx_http_rs_pipe_begin(p, rc);

    if (p->relay.ending) {
        /* the worker ends: the ticket is good for another one */
        ngx_http_rs_conn_end(rc, RS_E_GOING_AWAY);
        return NGX_DONE;
    }

    if (cred == NULL) {
        ngx_log_error(NGX_LOG_INFO, rc->log, 0,
                      "rs pipe: ticket or side is missing or malformed");
        ngx_http_rs_pipe_refused(rc);
        ngx_http_rs_relay_cut(&p->relay, RS_E_UNAUTHENTICATED);
        return NGX_DONE;
    }

    if (ngx_http_rs_pipe_attach(p) != NGX_OK) {
        ngx_http_rs_relay_cut(&p->relay, RS_E_UNAVAILABLE);
    }

    return NGX_DONE;
}


ngx_int_t
ngx_http_rs_pipe_adopt(ngx_http_rs_main_conf_t *rmcf,
    ngx_http_rs_loc_conf_t *rlcf, ngx_connection_t *c,
    ngx_http_rs_pipe_from_t *from)
{
    ngx_http_rs_conn_t  *rc;
    ngx_http_rs_pipe_t  *p;

    p = ngx_http_rs_pipe_create(rmcf, RS_WS_SIDE_CLIENT, from);
    if (p == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_rs_conn_adopt(rmcf, rlcf, c, &ngx_http_rs_relay_leg,
                                ngx_http_rs_relay_place(&p->relay,
                                                        RS_WS_SIDE_CLIENT));
    if (rc == NULL) {
        ngx_destroy_pool(p->pool);
        return NGX_ERROR;
    }

    ngx_http_rs_pipe_begin(p, rc);

    if (p->relay.ending) {
        ngx_http_rs_conn_end(rc, RS_E_GOING_AWAY);

    } else if (ngx_http_rs_pipe_attach(p) != NGX_OK) {
        ngx_http_rs_relay_cut(&p->relay, RS_E_UNAVAILABLE);
    }

    return NGX_OK;
}


static void
ngx_http_rs_pipe_begin(ngx_http_rs_pipe_t *p, ngx_http_rs_conn_t *rc)
{
    p->refs = 1;
    ngx_queue_insert_tail(&p->pipes->all, &p->queue);
    ngx_http_rs_relay_join(&p->relay, p->side, rc, 0);

    ngx_http_rs_count(rc->rmcf, NGX_HTTP_RS_STAT_CONN_PIPE);
}


static ngx_http_rs_pipe_t *
ngx_http_rs_pipe_create(ngx_http_rs_main_conf_t *rmcf, rs_ws_side_e side,
    ngx_http_rs_pipe_from_t *from)
{
    uint8_t              random[RS_ID_SECRET_RANDOM_LEN];
    rs_cred_t           *cred;
    ngx_pool_t          *pool;
    ngx_http_rs_pipe_t  *p;

    pool = ngx_create_pool(NGX_HTTP_RS_PIPE_POOL, rmcf->pipes->log);
    if (pool == NULL) {
        return NULL;
    }

    p = ngx_pcalloc(pool, sizeof(ngx_http_rs_pipe_t));

    if (p == NULL || RAND_bytes(random, sizeof(random)) != 1) {
        goto failed;
    }

    p->pool = pool;
    p->pipes = rmcf->pipes;
    p->side = side;

    rs_secret_format(p->nonce, random);

    p->wait.handler = ngx_http_rs_pipe_wait_handler;
    p->wait.data = p;
    p->wait.log = p->pipes->log;
    p->wait.cancelable = 1;

    ngx_http_rs_relay_init(&p->relay, rmcf, p->pipes->log,
                           &ngx_http_rs_pipe_handlers, p);
    ngx_http_rs_pipe_guard_init(p);

    if (ngx_http_rs_pipe_client(p, ngx_http_rs_pipe_seat(p, side), from)
        != NGX_OK)
    {
        goto failed;
    }

    cred = from->cred;

    if (cred == NULL) {
        return p;
    }

    if (ngx_http_rs_session_copy(pool, &p->tenant, cred->tenant) != NGX_OK
        || ngx_http_rs_session_copy(pool, &p->id, cred->pipe_id) != NGX_OK)
    {
        goto failed;
    }

    p->relay.tenant = p->tenant;

    ngx_memcpy(p->hash, cred->hash, sizeof(p->hash));
    ngx_memcpy(p->bound, cred->bound, sizeof(p->bound));

    return p;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


/* where he is, for the list of the tunnel and for the audit */

static ngx_int_t
ngx_http_rs_pipe_client(ngx_http_rs_pipe_t *p, ngx_http_rs_pipe_seat_t *seat,
    ngx_http_rs_pipe_from_t *from)
{
    rs_ip_t   ip;
    ngx_str_t key;
    char      text[RS_IP_KEY_MAX];

    key.len = 0;
    key.data = (u_char *) text;

    if (rs_ip_parse(ngx_http_rs_slice(&from->addr), &ip) == RS_OK) {
        key.len = rs_ip_key(&ip, text);
    }

    if (ngx_http_rs_session_copy(p->pool, &seat->peer,
                                 ngx_http_rs_slice(&key))
        != NGX_OK
        || ngx_http_rs_session_copy(p->pool, &seat->addr,
                                    ngx_http_rs_slice(&from->addr))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_rs_session_copy(p->pool, &seat->rid,
                                    ngx_http_rs_slice(&from->rid));
}


static ngx_int_t
ngx_http_rs_pipe_attach(ngx_http_rs_pipe_t *p)
{
    ngx_str_t                 address;
    ngx_http_rs_store_op_t   *op;
    ngx_http_rs_store_leg_t   leg;
    ngx_http_rs_pipe_seat_t  *seat;

    seat = ngx_http_rs_pipe_seat(p, p->side);
    address = ngx_http_rs_relay_socket(&p->relay, p->side)->address;

    if (ngx_http_rs_session_copy(p->pool, &seat->address,
                                 ngx_http_rs_slice(&address))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    leg.pipe_id = p->id;
    leg.ticket_hash.data = (u_char *) p->hash;
    leg.ticket_hash.len = sizeof(p->hash);
    leg.bound_hash.data = (u_char *) p->bound;
    leg.bound_hash.len = sizeof(p->bound);
    leg.address = seat->address;
    leg.nonce.data = (u_char *) p->nonce;
    leg.nonce.len = sizeof(p->nonce);
    leg.host = (p->side == RS_WS_SIDE_HOST);
    leg.link = *ngx_http_rs_link_announced(p->pipes->rmcf->links);

    op = ngx_http_rs_store_op(p->pipes->rmcf->store,
                              ngx_http_rs_pipe_attached, p);

    if (op == NULL
        || ngx_http_rs_store_pipe_attach(op, &p->tenant, &leg) != NGX_OK)
    {
        return NGX_ERROR;
    }

    p->refs++;

    return NGX_OK;
}


static void
ngx_http_rs_pipe_attached(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_pipe_t *p = data;

    ngx_str_t            order;
    ngx_http_rs_conn_t  *rc;

    rc = ngx_http_rs_relay_socket(&p->relay, p->side);

    if (code == RS_OK) {
        /* from here on the store knows this leg */
        p->attached = 1;

        if (ngx_http_rs_pipe_take(p, reply) != NGX_OK) {
            code = RS_E_INTERNAL;
        }
    }

    if (code != RS_OK && rc && !p->relay.ending) {
        ngx_log_error(NGX_LOG_INFO, rc->log, 0, "rs pipe %V is refused: %s",
                      &p->id, rs_err_code(code));

        if (code == RS_E_UNAUTHENTICATED && p->stranger) {
            ngx_http_rs_pipe_refused(rc);
        }
    }

    if (code != RS_OK) {
        ngx_http_rs_relay_cut(&p->relay, code);
        goto done;
    }

    if (rc == NULL || p->relay.ending) {

        if (rc == NULL) {
            /* nobody else reports it any more */
            ngx_http_rs_pipe_report(p);
        }

        goto done;
    }

    ngx_http_rs_conn_admit(rc);

    order = ngx_rs_reply_str(reply, 1);

    if (rs_str_eq(ngx_http_rs_slice(&order), RS_STR("first"))) {
        ngx_http_rs_pipe_first(p);

    } else {
        ngx_http_rs_pipe_second(p, reply);
    }

done:

    ngx_http_rs_pipe_unref(p);
}


/* a ticket that is none counts as any wrong credential of its address */

static void
ngx_http_rs_pipe_refused(ngx_http_rs_conn_t *rc)
{
    ngx_http_rs_ban_who_t  who;

    (void) ngx_http_rs_limit_address(rc->rmcf, rc->connection->sockaddr,
                                     RS_RATE_CHARGE, NULL);

    ngx_memzero(&who, sizeof(ngx_http_rs_ban_who_t));
    who.sockaddr = rc->connection->sockaddr;

    ngx_http_rs_ban_failed(rc->rmcf, &who, rc->log);
}


static ngx_int_t
ngx_http_rs_pipe_take(ngx_http_rs_pipe_t *p, ngx_rs_reply_t *reply)
{
    uint64_t    n;
    ngx_str_t   s, *to[5];
    ngx_uint_t  i;

    static const ngx_uint_t  from[] = { 3, 4, 11, 12, 13 };

    s = ngx_rs_reply_str(reply, 2);
    p->session = rs_str_eq(ngx_http_rs_slice(&s), RS_STR("session"));

    to[0] = &p->object;
    to[1] = &p->device_id;
    to[2] = &p->who.kind;
    to[3] = &p->who.id;
    to[4] = &p->who.caller;

    for (i = 0; i < 5; i++) {
        s = ngx_rs_reply_str(reply, from[i]);

        if (ngx_http_rs_session_copy(p->pool, to[i], ngx_http_rs_slice(&s))
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    p->who.tenant = p->tenant;

    s = ngx_rs_reply_str(reply, 9);

    if (rs_u64_parse(ngx_http_rs_slice(&s), 86400 * 30, &n)) {
        p->idle = (time_t) n;
    }

    s = ngx_rs_reply_str(reply, 10);

    if (rs_u64_parse(ngx_http_rs_slice(&s), NGX_MAX_INT_T_VALUE, &n)) {
        p->ends_at = (time_t) n;
    }

    return NGX_OK;
}


static void
ngx_http_rs_pipe_first(ngx_http_rs_pipe_t *p)
{
    if (ngx_http_rs_pipe_enter(p) != NGX_OK) {
        return;
    }

    ngx_http_rs_relay_start(&p->relay, p->side);

    if (!p->joined) {
        ngx_add_timer(&p->wait, p->pipes->rmcf->pipe_wait);
    }

    if (p->side == RS_WS_SIDE_CLIENT) {
        ngx_http_rs_pipe_guard(p);
    }

    ngx_http_rs_pipe_open(p);
}


static void
ngx_http_rs_pipe_second(ngx_http_rs_pipe_t *p, ngx_rs_reply_t *reply)
{
    rs_addr_t                 addr;
    ngx_str_t                 address;
    ngx_http_rs_pipe_t       *first;
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = p->pipes->rmcf;
    address = ngx_rs_reply_str(reply, 5);

    if (rs_addr_parse(ngx_http_rs_slice(&address), &addr) != RS_OK) {
        ngx_http_rs_relay_cut(&p->relay, RS_E_INTERNAL);
        return;
    }

    if (!rs_addr_same_worker(&addr, &rmcf->self)) {
        ngx_http_rs_pipe_reach(p, &addr, reply);
        return;
    }

    first = ngx_http_rs_pipe_of(rmcf, addr.conn, ngx_http_rs_slice(&p->tenant),
                                ngx_http_rs_slice(&p->id), p->side);

    if (first == NULL) {
        ngx_http_rs_relay_cut(&p->relay, RS_E_PIPE_BROKEN);
        return;
    }

    ngx_http_rs_pipe_merge(p, first);
}


/* the pipe whose first leg is this socket, and which this side is wanting */

static ngx_http_rs_pipe_t *
ngx_http_rs_pipe_of(ngx_http_rs_main_conf_t *rmcf, uint64_t conn,
    rs_str_t tenant, rs_str_t id, rs_ws_side_e side)
{
    ngx_http_rs_leg_t   *leg;
    ngx_http_rs_conn_t  *rc;
    ngx_http_rs_pipe_t  *p;

    rc = ngx_http_rs_conn_find(rmcf, conn);

    if (rc == NULL || rc->handlers != &ngx_http_rs_relay_leg) {
        return NULL;
    }

    leg = rc->data;
    p = leg->relay->data;

    if (p->relay.ending || p->joined || p->side == side
        || !rs_str_eq(ngx_http_rs_slice(&p->tenant), tenant)
        || !rs_str_eq(ngx_http_rs_slice(&p->id), id))
    {
        return NULL;
    }

    return p;
}


static void
ngx_http_rs_pipe_merge(ngx_http_rs_pipe_t *p, ngx_http_rs_pipe_t *to)
{
    ngx_http_rs_pipe_seat_t  *seat, *free;

    seat = ngx_http_rs_pipe_seat(p, p->side);
    free = ngx_http_rs_pipe_seat(to, p->side);

    if (ngx_http_rs_session_copy(to->pool, &free->address,
                                 ngx_http_rs_slice(&seat->address))
        != NGX_OK
        || ngx_http_rs_session_copy(to->pool, &free->addr,
                                    ngx_http_rs_slice(&seat->addr))
           != NGX_OK
        || ngx_http_rs_session_copy(to->pool, &free->peer,
                                    ngx_http_rs_slice(&seat->peer))
           != NGX_OK
        || ngx_http_rs_session_copy(to->pool, &free->rid,
                                    ngx_http_rs_slice(&seat->rid))
           != NGX_OK)
    {
        ngx_http_rs_relay_cut(&p->relay, RS_E_INTERNAL);
        return;
    }

    p->moved = 1;
    ngx_http_rs_relay_move(&p->relay, p->side, &to->relay);

    to->joined = 1;

    if (to->wait.timer_set) {
        ngx_del_timer(&to->wait);
    }

    ngx_http_rs_relay_start(&to->relay, p->side);

    /* what the store said of the client is the same in both answers */

    if (p->side == RS_WS_SIDE_CLIENT) {
        ngx_http_rs_pipe_guard(to);
    }

    ngx_http_rs_pipe_open(to);
}


/* the first leg is of another worker */

static void
ngx_http_rs_pipe_reach(ngx_http_rs_pipe_t *p, rs_addr_t *addr,
    ngx_rs_reply_t *reply)
{
    rs_link_t                 hello;
    ngx_str_t                 announced, nonce;
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = p->pipes->rmcf;

    if (!rs_addr_same_node(addr, &rmcf->self)
        && ngx_http_rs_pipe_enter(p) != NGX_OK)
    {
        return;
    }

    announced = ngx_rs_reply_str(reply, 6);
    nonce = ngx_rs_reply_str(reply, 7);

    hello.tenant = ngx_http_rs_slice(&p->tenant);
    hello.pipe_id = ngx_http_rs_slice(&p->id);
    hello.side = p->side;
    hello.conn = addr->conn;
    hello.nonce = ngx_http_rs_slice(&nonce);

    if (ngx_http_rs_link_connect(rmcf->links, addr, &announced, &hello,
                                 ngx_http_rs_pipe_reached, p)
        == NGX_OK)
    {
        p->refs++;
        return;
    }

    ngx_log_error(NGX_LOG_WARN, p->pipes->log, 0,
                  "rs pipe %V: the other leg is at %*s, announced as \"%V\": "
                  "there is no way to it, by \"rs_ipc\" or "
                  "\"rs_node_listen\"", &p->id, (size_t) addr->node_len,
                  addr->node, &announced);

    ngx_http_rs_relay_cut(&p->relay, RS_E_PIPE_UNREACHABLE);
}


static void
ngx_http_rs_pipe_reached(void *data, ngx_connection_t *c)
{
    ngx_http_rs_pipe_t *p = data;

    if (c == NULL || ngx_http_rs_pipe_linked(p, c) != NGX_OK) {

        if (c) {
            ngx_http_rs_link_close(c);
        }

        ngx_http_rs_relay_cut(&p->relay, RS_E_PIPE_UNREACHABLE);
        goto done;
    }

    ngx_http_rs_relay_start(&p->relay, p->side);

    if (p->side == RS_WS_SIDE_CLIENT) {
        ngx_http_rs_pipe_guard(p);
    }

    ngx_http_rs_pipe_open(p);

done:

    ngx_http_rs_pipe_unref(p);
}


ngx_int_t
ngx_http_rs_pipe_link(ngx_http_rs_main_conf_t *rmcf, rs_link_t *hello,
    ngx_connection_t *c)
{
    ngx_http_rs_pipe_t  *p;

    p = ngx_http_rs_pipe_of(rmcf, hello->conn, hello->tenant, hello->pipe_id,
                            hello->side);

    if (p == NULL
        || !rs_str_eq_secret((rs_str_t) { (uint8_t *) p->nonce,
                                          sizeof(p->nonce) }, hello->nonce)
        || ngx_http_rs_pipe_linked(p, c) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (p->wait.timer_set) {
        ngx_del_timer(&p->wait);
    }

    ngx_http_rs_pipe_open(p);

    return NGX_OK;
}


/* c becomes the other leg of p; NGX_DECLINED: it is too late, or no memory */

static ngx_int_t
ngx_http_rs_pipe_linked(ngx_http_rs_pipe_t *p, ngx_connection_t *c)
{
    rs_ws_side_e         other;
    ngx_http_rs_conn_t  *rc, *first;

    first = ngx_http_rs_relay_socket(&p->relay, p->side);

    if (first == NULL || p->relay.ending || p->joined) {
        return NGX_DECLINED;
    }

    other = (p->side == RS_WS_SIDE_HOST) ? RS_WS_SIDE_CLIENT
                                         : RS_WS_SIDE_HOST;

    rc = ngx_http_rs_conn_adopt(p->pipes->rmcf, first->rlcf, c,
                                &ngx_http_rs_relay_leg,
                                ngx_http_rs_relay_place(&p->relay, other));
    if (rc == NULL) {
        return NGX_DECLINED;
    }

    p->joined = 1;

    ngx_http_rs_count(p->pipes->rmcf, NGX_HTTP_RS_STAT_CONN_LINK);
    ngx_http_rs_relay_join(&p->relay, other, rc, 1);

    if (p->relay.ending) {
        /* the worker ends */
        ngx_http_rs_conn_end(rc, RS_E_GOING_AWAY);

    } else {
        ngx_http_rs_relay_start(&p->relay, other);
    }

    return NGX_OK;
}


void
ngx_http_rs_pipe_open(ngx_http_rs_pipe_t *p)
{
    ngx_msec_t  idle;

    if (!p->attached || !p->joined || (p->guarded && !p->allowed)) {
        return;
    }

    idle = p->idle ? (ngx_msec_t) p->idle * 1000 : p->pipes->rmcf->pipe_idle;

    ngx_http_rs_relay_open(&p->relay, idle);
}


static void
ngx_http_rs_pipe_wait_handler(ngx_event_t *ev)
{
    ngx_http_rs_pipe_t *p = ev->data;

    ngx_http_rs_relay_cut(&p->relay, RS_E_PIPE_TIMEOUT);
}


void
ngx_http_rs_pipe_env(ngx_http_rs_main_conf_t *rmcf, rs_env_t *env)
{
    rs_addr_t            addr;
    ngx_str_t            id;
    ngx_http_rs_leg_t   *leg;
    ngx_http_rs_conn_t  *rc;
    ngx_http_rs_pipe_t  *p;

    rs_str_t  word, code;

    if (!rs_str_split(env->body, ' ', &word, &code)
        || !rs_str_eq(word, RS_STR("cut"))
        || rs_addr_parse(env->to, &addr) != RS_OK
        || !rs_addr_same_worker(&addr, &rmcf->self))
    {
        return;
    }

    rc = ngx_http_rs_conn_find(rmcf, addr.conn);

    if (rc == NULL || rc->handlers != &ngx_http_rs_relay_leg) {
        return;
    }

    leg = rc->data;
    p = leg->relay->data;
    id = ngx_http_rs_str(env->session);

    if (!rs_str_eq(ngx_http_rs_slice(&p->tenant), env->tenant)
        || !rs_str_eq(ngx_http_rs_slice(&p->id), ngx_http_rs_slice(&id)))
    {
        return;
    }

    ngx_http_rs_relay_cut(&p->relay, rs_err_by_code(code));
}


static void
ngx_http_rs_pipe_ended(ngx_http_rs_relay_t *relay)
{
    ngx_http_rs_pipe_t  *p;

    p = relay->data;

    if (p->wait.timer_set) {
        ngx_del_timer(&p->wait);
    }

    if (relay->code != RS_OK || relay->open) {
        ngx_http_rs_pipe_guard_stop(p);
    }
}


static void
ngx_http_rs_pipe_gone(ngx_http_rs_relay_t *relay)
{
    ngx_http_rs_pipe_t  *p;

    p = relay->data;

    ngx_http_rs_pipe_leave(p);

    if (p->attached && !p->moved) {
        ngx_http_rs_pipe_report(p);
    }

    ngx_http_rs_pipe_unref(p);
}


/* by a leg that is, or was, here; who reports first counts */

static void
ngx_http_rs_pipe_report(ngx_http_rs_pipe_t *p)
{
    ngx_http_rs_store_op_t    *op;
    ngx_http_rs_store_pipe_t   pipe;
    ngx_http_rs_store_gone_t   gone;
    ngx_http_rs_pipe_seat_t   *seat;

    seat = ngx_http_rs_pipe_seat(p, p->side);

    ngx_memzero(&pipe, sizeof(ngx_http_rs_store_pipe_t));
    pipe.id = p->id;
    pipe.object = p->object;
    pipe.device_id = p->device_id;
    pipe.session = p->session;

    gone.address = seat->address;
    gone.up = ngx_http_rs_relay_bytes(&p->relay, RS_WS_SIDE_CLIENT);
    gone.down = ngx_http_rs_relay_bytes(&p->relay, RS_WS_SIDE_HOST);
    gone.code = p->relay.code;
    gone.addr = ngx_http_rs_pipe_seat(p, RS_WS_SIDE_CLIENT)->addr;
    gone.rid = ngx_http_rs_pipe_seat(p, RS_WS_SIDE_CLIENT)->rid;
    gone.host = (p->side == RS_WS_SIDE_HOST);

    op = ngx_http_rs_store_op(p->pipes->rmcf->store,
                              ngx_http_rs_pipe_reported, p);

    p->refs++;

    if (op == NULL
        || ngx_http_rs_store_pipe_gone(op, &p->tenant, &pipe, &gone)
           != NGX_OK)
    {
        ngx_http_rs_pipe_reported(p, RS_E_UNAVAILABLE, NULL);
    }
}


static void
ngx_http_rs_pipe_reported(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_pipe_t *p = data;

    if (code != RS_OK) {
        ngx_log_error(NGX_LOG_WARN, p->pipes->log, 0,
                      "rs pipe: the end of %V, %uL bytes up, %uL down, is not "
                      "in the audit: %s", &p->id,
                      ngx_http_rs_relay_bytes(&p->relay, RS_WS_SIDE_CLIENT),
                      ngx_http_rs_relay_bytes(&p->relay, RS_WS_SIDE_HOST),
                      rs_err_code(code));
    }

    ngx_http_rs_pipe_unref(p);
}


void
ngx_http_rs_pipe_unref(ngx_http_rs_pipe_t *p)
{
    if (--p->refs) {
        return;
    }

    ngx_http_rs_pipe_guard_stop(p);

    if (p->wait.timer_set) {
        ngx_del_timer(&p->wait);
    }

    ngx_queue_remove(&p->queue);
    ngx_destroy_pool(p->pool);
}
