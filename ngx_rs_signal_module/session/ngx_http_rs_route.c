
/*
 * Copyright (C) rs-gateway contributors
 *
 * Ways from one participant's worker to another's.
 *
 * A receiver on this worker is found in its room and called.  For any other
 * one the room keeps a route: the members' addresses as the store told them
 * when the first message needed one.  An address leads to the worker's socket
 * when it is of this node, else to its channel; the carrier stays with the
 * address, so messages do not overtake each other.
 *
 * A route is as good as the moment it was looked up, and is looked up again
 *
 *   - when the log says that somebody joined or left,
 *   - when a worker answers that it has no such socket ("gon"), when its
 *     process is not there any more, or when it has no lease,
 *   - over a channel, after a second: nobody answers for a dead worker there,
 *     and who resumes elsewhere is not in the log,
 *
 * but for one session five times a second at most.  While the answer is
 * awaited, the newest few messages wait with it.  Everything else that finds
 * no way is dropped: whoever sends input sends more of it.
 */


#include "ngx_http_rs_session_log.h"
#include "rs_msg.h"


#define NGX_HTTP_RS_ROUTE_PAUSE    200     /* ms between two look-ups */
#define NGX_HTTP_RS_ROUTE_REFRESH  1000    /* ms an address may be believed */
#define NGX_HTTP_RS_ROUTE_WAITING  8       /* messages of one session */

#define NGX_HTTP_RS_ROUTE_SIZE     (RS_ENV_HEADER_MAX + RS_MSG_INPUT_MAX)


/* one member on another worker */

typedef struct {
    rs_addr_t                   addr;
    unsigned                    ipc:1;         /* else its Redis channel */
    u_char                      participant[RS_ID_LEN];
} ngx_http_rs_hop_t;


/* a message that waits for the look-up */

typedef struct {
    ngx_queue_t                 queue;
    u_char                      from[RS_ID_LEN];
    u_char                      to[RS_ID_LEN];
    rs_str_t                    address;       /* of the sender's socket */
    rs_str_t                    data;
} ngx_http_rs_waiting_t;


struct ngx_http_rs_route_s {
    ngx_queue_t                 queue;         /* in sessions->routes */
    ngx_http_rs_sessions_t     *sessions;
    ngx_http_rs_room_t         *room;          /* NULL: it ended */

    ngx_http_rs_hop_t          *hops;
    ngx_uint_t                  nhops;

    ngx_queue_t                 waiting;       /* oldest first */
    ngx_uint_t                  nwaiting;

    ngx_msec_t                  asked;         /* the last look-up */
    unsigned                    known:1;       /* the hops are an answer */
    unsigned                    asking:1;
    unsigned                    pause:1;       /* not before asked + PAUSE */
    unsigned                    stale:1;       /* changed while asking */
};


static ngx_http_rs_part_t *ngx_http_rs_route_local(ngx_http_rs_room_t *room,
    rs_str_t participant);
static ngx_http_rs_route_t *ngx_http_rs_route_get(ngx_http_rs_part_t *p);
static ngx_http_rs_hop_t *ngx_http_rs_route_find(ngx_http_rs_route_t *route,
    rs_str_t participant);
static void ngx_http_rs_route_drop(ngx_http_rs_route_t *route,
    ngx_http_rs_hop_t *hop);
static ngx_int_t ngx_http_rs_route_ask(ngx_http_rs_route_t *route);
static void ngx_http_rs_route_answer(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_route_learn(ngx_http_rs_route_t *route,
    ngx_rs_reply_t *list);
static void ngx_http_rs_route_wait(ngx_http_rs_route_t *route,
    ngx_http_rs_part_t *p, rs_str_t to, rs_str_t data);
static void ngx_http_rs_route_go_on(ngx_http_rs_route_t *route);
static void ngx_http_rs_route_unwait(ngx_http_rs_route_t *route);
static ngx_int_t ngx_http_rs_route_hop(ngx_http_rs_route_t *route,
    ngx_http_rs_hop_t *hop, rs_str_t from, rs_str_t address, rs_str_t data);
static ngx_int_t ngx_http_rs_route_carry(ngx_http_rs_main_conf_t *rmcf,
    rs_addr_t *addr, ngx_uint_t *ipc, ngx_str_t *envelope);
static void ngx_http_rs_route_destroy(ngx_http_rs_route_t *route);


void
ngx_http_rs_routes_init(ngx_http_rs_sessions_t *sessions)
{
    ngx_queue_init(&sessions->routes);
}


/* the store is gone already: what was asked is not answered any more */

void
ngx_http_rs_routes_cleanup(ngx_http_rs_sessions_t *sessions)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&sessions->routes)) {
        q = ngx_queue_head(&sessions->routes);
        ngx_http_rs_route_destroy(ngx_queue_data(q, ngx_http_rs_route_t,
                                                 queue));
    }
}


void
ngx_http_rs_route_send(ngx_http_rs_part_t *p, rs_str_t to, rs_str_t data)
{
    ngx_http_rs_hop_t    *hop;
    ngx_http_rs_part_t   *receiver;
    ngx_http_rs_route_t  *route;

    receiver = ngx_http_rs_route_local(p->room, to);

    if (receiver) {
        ngx_http_rs_count(p->sessions->rmcf, NGX_HTTP_RS_STAT_DIRECT);
        ngx_http_rs_input_deliver(receiver,
                                  ngx_http_rs_slice(&p->m.participant_id),
                                  data);
        return;
    }

    route = ngx_http_rs_route_get(p);

    if (route == NULL) {
        return;
    }

    hop = route->known ? ngx_http_rs_route_find(route, to) : NULL;

    if (hop) {

        if (!hop->ipc
            && ngx_current_msec - route->asked >= NGX_HTTP_RS_ROUTE_REFRESH)
        {
            (void) ngx_http_rs_route_ask(route);
        }

        if (ngx_http_rs_route_hop(route, hop,
                                  ngx_http_rs_slice(&p->m.participant_id),
                                  ngx_http_rs_slice(&p->m.address), data)
            != NGX_DECLINED)
        {
            return;
        }
    }

    if (ngx_http_rs_route_ask(route) == NGX_OK) {
        ngx_http_rs_route_wait(route, p, to, data);
        return;
    }

    ngx_http_rs_count(p->sessions->rmcf, NGX_HTTP_RS_STAT_ENV_DROPPED);
}


/* a socket that still opens or already closes is none */

static ngx_http_rs_part_t *
ngx_http_rs_route_local(ngx_http_rs_room_t *room, rs_str_t participant)
{
    ngx_queue_t         *q;
    ngx_http_rs_part_t  *p;

    for (q = ngx_queue_head(&room->parts);
         q != ngx_queue_sentinel(&room->parts);
         q = ngx_queue_next(q))
    {
        p = ngx_queue_data(q, ngx_http_rs_part_t, queue);

        if (p->live && !p->bye && !p->rc->closing
            && rs_str_eq(ngx_http_rs_slice(&p->m.participant_id),
                         participant))
        {
            return p;
        }
    }

    return NULL;
}


static ngx_http_rs_route_t *
ngx_http_rs_route_get(ngx_http_rs_part_t *p)
{
    ngx_http_rs_route_t  *route;

    if (p->room->route) {
        return p->room->route;
    }

    route = ngx_calloc(sizeof(ngx_http_rs_route_t), p->log);
    if (route == NULL) {
        return NULL;
    }

    route->sessions = p->sessions;
    route->room = p->room;

    ngx_queue_init(&route->waiting);
    ngx_queue_insert_tail(&p->sessions->routes, &route->queue);

    p->room->route = route;

    return route;
}


static ngx_http_rs_hop_t *
ngx_http_rs_route_find(ngx_http_rs_route_t *route, rs_str_t participant)
{
    ngx_uint_t  i;
    rs_str_t    name;

    name.len = RS_ID_LEN;

    for (i = 0; i < route->nhops; i++) {
        name.data = route->hops[i].participant;

        if (rs_str_eq(name, participant)) {
            return &route->hops[i];
        }
    }

    return NULL;
}


static void
ngx_http_rs_route_drop(ngx_http_rs_route_t *route, ngx_http_rs_hop_t *hop)
{
    *hop = route->hops[--route->nhops];
}


/* NGX_OK: an answer is on its way */

static ngx_int_t
ngx_http_rs_route_ask(ngx_http_rs_route_t *route)
{
    rs_str_t                 tenant, session_id;
    ngx_str_t                t, s;
    ngx_http_rs_store_op_t  *op;

    if (route->asking) {
        return NGX_OK;
    }

    if (route->pause
        && ngx_current_msec - route->asked < NGX_HTTP_RS_ROUTE_PAUSE)
    {
        return NGX_BUSY;
    }

    op = ngx_http_rs_store_op(route->sessions->rmcf->store,
                              ngx_http_rs_route_answer, route);
    if (op == NULL) {
        return NGX_BUSY;
    }

    (void) rs_str_split(ngx_http_rs_slice(&route->room->sn.str), '.',
                        &tenant, &session_id);

    t = ngx_http_rs_str(tenant);
    s = ngx_http_rs_str(session_id);

    route->asked = ngx_current_msec;
    route->pause = 1;

    if (ngx_http_rs_store_route(op, &t, &s) != NGX_OK) {
        return NGX_BUSY;
    }

    route->asking = 1;
    route->stale = 0;

    return NGX_OK;
}


static void
ngx_http_rs_route_answer(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_route_t *route = data;

    route->asking = 0;

    if (route->room == NULL) {
        ngx_http_rs_route_destroy(route);
        return;
    }

    if (route->stale) {
        route->pause = 0;

        if (ngx_http_rs_route_ask(route) == NGX_OK) {
            return;
        }
    }

    if (code == RS_OK) {
        ngx_http_rs_route_learn(route, ngx_rs_reply_at(reply, 2));
        ngx_http_rs_route_go_on(route);
    }

    ngx_http_rs_route_unwait(route);
}


static void
ngx_http_rs_route_learn(ngx_http_rs_route_t *route, ngx_rs_reply_t *list)
{
    ngx_str_t                 name, address;
    ngx_uint_t                i, n, k;
    ngx_http_rs_hop_t        *hops, *hop;
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = route->sessions->rmcf;
    n = ngx_rs_reply_count(list) / 2;

    hops = ngx_alloc((n + 1) * sizeof(ngx_http_rs_hop_t),
                     route->sessions->log);
    if (hops == NULL) {
        return;
    }

    hop = hops;

    for (i = 0; i < n; i++) {
        name = ngx_rs_reply_str(list, 2 * i);
        address = ngx_rs_reply_str(list, 2 * i + 1);

        if (name.len != RS_ID_LEN
            || rs_addr_parse(ngx_http_rs_slice(&address), &hop->addr)
               != RS_OK
            || hop->addr.conn == 0
            || rs_addr_same_worker(&hop->addr, &rmcf->self))
        {
            continue;
        }

        ngx_memcpy(hop->participant, name.data, RS_ID_LEN);

        hop->ipc = (rmcf->ipc && hop->addr.node_len == rmcf->self.node_len
                    && ngx_memcmp(hop->addr.node, rmcf->self.node,
                                  hop->addr.node_len) == 0);

        /* what is under way there must not be overtaken */

        for (k = 0; k < route->nhops; k++) {

            if (rs_addr_eq(&route->hops[k].addr, &hop->addr)) {
                hop->ipc = route->hops[k].ipc;
            }
        }

        hop++;
    }

    if (route->hops) {
        ngx_free(route->hops);
    }

    route->hops = hops;
    route->nhops = hop - hops;
    route->known = 1;
}


static void
ngx_http_rs_route_wait(ngx_http_rs_route_t *route, ngx_http_rs_part_t *p,
    rs_str_t to, rs_str_t data)
{
    u_char                 *last;
    rs_str_t                address;
    ngx_queue_t            *q;
    ngx_http_rs_waiting_t  *w;

    address = ngx_http_rs_slice(&p->m.address);

    if (to.len != RS_ID_LEN || p->m.participant_id.len != RS_ID_LEN) {
        return;
    }

    if (route->nwaiting == NGX_HTTP_RS_ROUTE_WAITING) {
        q = ngx_queue_head(&route->waiting);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_http_rs_waiting_t, queue));
        route->nwaiting--;

        ngx_http_rs_count(p->sessions->rmcf, NGX_HTTP_RS_STAT_ENV_DROPPED);
    }

    w = ngx_alloc(sizeof(ngx_http_rs_waiting_t) + address.len + data.len,
                  route->sessions->log);
    if (w == NULL) {
        return;
    }

    ngx_memcpy(w->from, p->m.participant_id.data, RS_ID_LEN);
    ngx_memcpy(w->to, to.data, RS_ID_LEN);

    last = (u_char *) &w[1];

    w->address.data = last;
    w->address.len = address.len;
    last = ngx_cpymem(last, address.data, address.len);

    w->data.data = last;
    w->data.len = data.len;
    ngx_memcpy(last, data.data, data.len);

    ngx_queue_insert_tail(&route->waiting, &w->queue);
    route->nwaiting++;
}


/* the receiver may have come to this worker meanwhile */

static void
ngx_http_rs_route_go_on(ngx_http_rs_route_t *route)
{
    rs_str_t                from, to;
    ngx_queue_t            *q;
    ngx_http_rs_hop_t      *hop;
    ngx_http_rs_part_t     *receiver;
    ngx_http_rs_waiting_t  *w;

    from.len = RS_ID_LEN;
    to.len = RS_ID_LEN;

    for (q = ngx_queue_head(&route->waiting);
         q != ngx_queue_sentinel(&route->waiting);
         q = ngx_queue_next(q))
    {
        w = ngx_queue_data(q, ngx_http_rs_waiting_t, queue);

        from.data = w->from;
        to.data = w->to;

        receiver = ngx_http_rs_route_local(route->room, to);

        if (receiver) {
            ngx_http_rs_input_deliver(receiver, from, w->data);
            continue;
        }

        hop = ngx_http_rs_route_find(route, to);

        if (hop == NULL
            || ngx_http_rs_route_hop(route, hop, from, w->address, w->data)
               == NGX_DECLINED)
        {
            ngx_http_rs_count(route->sessions->rmcf,
                              NGX_HTTP_RS_STAT_ENV_DROPPED);
        }
    }
}


static void
ngx_http_rs_route_unwait(ngx_http_rs_route_t *route)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&route->waiting)) {
        q = ngx_queue_head(&route->waiting);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_http_rs_waiting_t, queue));
    }

    route->nwaiting = 0;
}


/* NGX_DECLINED: nobody is there, the hop is no more */

static ngx_int_t
ngx_http_rs_route_hop(ngx_http_rs_route_t *route, ngx_http_rs_hop_t *hop,
    rs_str_t from, rs_str_t address, rs_str_t data)
{
    char        to[RS_ADDR_MAX];
    u_char      buf[NGX_HTTP_RS_ROUTE_SIZE];
    rs_buf_t    b;
    rs_env_t    env;
    ngx_int_t   rv;
    ngx_str_t   envelope;
    ngx_uint_t  ipc;

    ngx_memzero(&env, sizeof(rs_env_t));

    (void) rs_str_split(ngx_http_rs_slice(&route->room->sn.str), '.',
                        &env.tenant, &env.session);

    env.kind = RS_ENV_VOL;
    env.from = from;
    env.to.data = (uint8_t *) to;
    env.to.len = rs_addr_format(&hop->addr, to, sizeof(to));
    env.id = address;
    env.body = data;

    rs_buf_init(&b, buf, sizeof(buf));

    if (rs_env_encode(&b, &env) != RS_OK) {
        return NGX_OK;
    }

    envelope.data = b.data;
    envelope.len = b.len;

    ipc = hop->ipc;
    rv = ngx_http_rs_route_carry(route->sessions->rmcf, &hop->addr, &ipc,
                                 &envelope);
    hop->ipc = ipc ? 1 : 0;

    if (rv == NGX_DECLINED) {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, route->sessions->log, 0,
                       "rs route: nobody is at %*s", env.to.len, to);
        ngx_http_rs_route_drop(route, hop);
    }

    return rv;
}


/*
 * NGX_OK: it was sent or, volatile as it is, dropped.  A worker of this node
 * that has no socket may be one without "rs_ipc": its channel serves.
 */

static ngx_int_t
ngx_http_rs_route_carry(ngx_http_rs_main_conf_t *rmcf, rs_addr_t *addr,
    ngx_uint_t *ipc, ngx_str_t *envelope)
{
    char       text[RS_ADDR_MAX];
    ngx_str_t  address;

    if (*ipc) {

        switch (ngx_http_rs_ipc_send(rmcf->ipc, addr, envelope)) {

        case NGX_OK:
        case NGX_BUSY:
            return NGX_OK;

        case NGX_ABORT:
            return NGX_DECLINED;

        default: /* NGX_DECLINED */
            *ipc = 0;
            break;
        }
    }

    address.data = (u_char *) text;
    address.len = rs_addr_format(addr, text, sizeof(text));

    if (!ngx_http_rs_presence_live(rmcf->presence, &address)) {
        return NGX_DECLINED;
    }

    (void) ngx_http_rs_bus_send(rmcf->bus, addr, envelope);

    return NGX_OK;
}


void
ngx_http_rs_route_envelope(ngx_http_rs_main_conf_t *rmcf, rs_env_t *env)
{
    u_char      buf[RS_ENV_HEADER_MAX];
    rs_buf_t    b;
    rs_addr_t   addr;
    ngx_str_t   envelope;
    ngx_uint_t  ipc;

    rs_buf_init(&b, buf, sizeof(buf));

    if (rs_env_encode(&b, env) != RS_OK
        || rs_addr_parse(env->to, &addr) != RS_OK)
    {
        return;
    }

    ipc = (rmcf->ipc && addr.node_len == rmcf->self.node_len
           && ngx_memcmp(addr.node, rmcf->self.node, addr.node_len) == 0);

    envelope.data = b.data;
    envelope.len = b.len;

    (void) ngx_http_rs_route_carry(rmcf, &addr, &ipc, &envelope);
}


void
ngx_http_rs_route_forget(ngx_http_rs_room_t *room)
{
    ngx_http_rs_route_t  *route;

    route = room->route;

    if (route) {
        route->known = 0;
        route->pause = 0;
        route->stale = 1;
    }
}


void
ngx_http_rs_route_gone(ngx_http_rs_room_t *room, rs_str_t address)
{
    rs_addr_t             addr;
    ngx_uint_t            i;
    ngx_http_rs_route_t  *route;

    route = room->route;

    if (route == NULL || rs_addr_parse(address, &addr) != RS_OK) {
        return;
    }

    for (i = 0; i < route->nhops; i++) {

        if (rs_addr_eq(&route->hops[i].addr, &addr)) {
            ngx_http_rs_route_drop(route, &route->hops[i]);
            return;
        }
    }
}


void
ngx_http_rs_route_free(ngx_http_rs_room_t *room)
{
    ngx_http_rs_route_t  *route;

    route = room->route;

    if (route == NULL) {
        return;
    }

    room->route = NULL;
    route->room = NULL;

    ngx_http_rs_route_unwait(route);

    if (!route->asking) {
        ngx_http_rs_route_destroy(route);
    }
}


static void
ngx_http_rs_route_destroy(ngx_http_rs_route_t *route)
{
    ngx_http_rs_route_unwait(route);

    if (route->hops) {
        ngx_free(route->hops);
    }

    ngx_queue_remove(&route->queue);
    ngx_free(route);
}
