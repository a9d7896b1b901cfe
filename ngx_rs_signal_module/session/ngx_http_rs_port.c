
/*
 * Copyright (C) rs-gateway contributors
 *
 * Who comes to a port, step by step, each an answer of the store:
 *
 *     port -> tenant, tunnel, device
 *     tunnel, address -> whose admission it is
 *     a pipe, opened as him: what he may is asked now, and by the guard later
 *     a pair of sockets: one end is the client's leg, the other one who came
 *
 * He may leave at any of them: what was not begun is left, and a pipe that was
 * opened meanwhile is ended as one whose client has gone.  A pool of its own,
 * which goes with the last step.
 */


#include "session/ngx_http_rs_pipe_internal.h"
#include "session/ngx_http_rs_session_log.h"
#include "session/ngx_http_rs_port.h"
#include "rs_ip.h"

#include <openssl/rand.h>


#define NGX_HTTP_RS_PORT_POOL      1024
/* that are being asked about at once, of a worker */
#define NGX_HTTP_RS_PORT_COMING    512
#define NGX_HTTP_RS_PORT_RID       16      /* bytes drawn */


struct ngx_http_rs_port_s {
    ngx_queue_t                 queue;     /* in pipes->coming */
    ngx_pool_t                 *pool;
    ngx_http_rs_main_conf_t    *rmcf;

    ngx_http_rs_port_pt         handler;   /* NULL: he has left */
    void                       *data;
    ngx_event_t                 posted;    /* refused before it was asked */
    rs_err_e                    code;

    ngx_uint_t                  number;
    ngx_str_t                   addr;
    ngx_str_t                   rid;

    ngx_http_rs_store_watcher_t who;       /* whose admission it is */
    ngx_http_rs_store_pipe_t    pipe;

    u_char                      id[RS_ID_LEN];
    char                        hash[RS_ID_HASH_LEN];
    u_char                      rid_text[2 * NGX_HTTP_RS_PORT_RID];
    char                        peer[RS_IP_KEY_MAX];

    unsigned                    udp:1;
};


static const char *ngx_http_rs_port_check(ngx_cycle_t *cycle);
static size_t ngx_http_rs_port_buffer(void);
static ngx_http_rs_port_t *ngx_http_rs_port_enter(
    ngx_http_rs_port_who_t *who, ngx_http_rs_port_pt handler, void *data);
static void ngx_http_rs_port_leave(ngx_http_rs_port_t *port);

static ngx_http_rs_port_t *ngx_http_rs_port_create(
    ngx_http_rs_main_conf_t *rmcf, ngx_http_rs_port_who_t *who);
static rs_err_e ngx_http_rs_port_may(ngx_http_rs_main_conf_t *rmcf,
    ngx_http_rs_port_who_t *who);
static void ngx_http_rs_port_posted_handler(ngx_event_t *ev);

static rs_err_e ngx_http_rs_port_ask(ngx_http_rs_port_t *port);
static void ngx_http_rs_port_got(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static rs_err_e ngx_http_rs_port_whose(ngx_http_rs_port_t *port,
    ngx_rs_reply_t *reply);
static void ngx_http_rs_port_entered(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static rs_err_e ngx_http_rs_port_open(ngx_http_rs_port_t *port,
    ngx_rs_reply_t *reply);
static ngx_int_t ngx_http_rs_port_draw(ngx_http_rs_port_t *port);
static void ngx_http_rs_port_opened(void *data, rs_err_e code,
    ngx_rs_reply_t *reply);
static rs_err_e ngx_http_rs_port_attach(ngx_http_rs_port_t *port,
    ngx_socket_t *s);
static void ngx_http_rs_port_end(ngx_http_rs_port_t *port, rs_err_e code,
    ngx_socket_t s);
static void ngx_http_rs_port_count(ngx_http_rs_port_t *port, rs_err_e code);


const ngx_http_rs_port_api_t  ngx_http_rs_port_api = {
    NGX_HTTP_RS_PORT_VERSION,
    ngx_http_rs_port_check,
    ngx_http_rs_port_buffer,
    ngx_http_rs_port_enter,
    ngx_http_rs_port_leave,
    rs_err_code,
    rs_ws_pieces_init,
    rs_ws_pieces_read,
    rs_ws_header_masked,
    rs_ws_close_payload
};


static ngx_http_rs_main_conf_t *
ngx_http_rs_port_conf(volatile ngx_cycle_t *cycle)
{
    return ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_rs_signal_module);
}


static const char *
ngx_http_rs_port_check(ngx_cycle_t *cycle)
{
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = ngx_http_rs_port_conf(cycle);

    if (rmcf == NULL || !rmcf->enabled) {
        return "a location with \"rs_gateway\" in the http block";
    }

    if (rmcf->tunnel_port == 0) {
        return "\"rs_tunnel_ports\" in the http block";
    }

    return NULL;
}


static size_t
ngx_http_rs_port_buffer(void)
{
    return ngx_http_rs_port_conf(ngx_cycle)->pipe_buffer;
}


static ngx_http_rs_port_t *
ngx_http_rs_port_enter(ngx_http_rs_port_who_t *who,
    ngx_http_rs_port_pt handler, void *data)
{
    ngx_http_rs_port_t       *port;
    ngx_http_rs_main_conf_t  *rmcf;

    rmcf = ngx_http_rs_port_conf(ngx_cycle);

    if (rmcf->pipes == NULL) {
        return NULL;
    }

    port = ngx_http_rs_port_create(rmcf, who);
    if (port == NULL) {
        return NULL;
    }

    port->handler = handler;
    port->data = data;

    ngx_queue_insert_tail(&rmcf->pipes->coming, &port->queue);
    rmcf->pipes->ncoming++;

    port->code = ngx_http_rs_port_may(rmcf, who);

    if (port->code == RS_OK) {
        port->code = ngx_http_rs_port_ask(port);
    }

    if (port->code != RS_OK) {
        ngx_post_event(&port->posted, &ngx_posted_events);
    }

    return port;
}


static void
ngx_http_rs_port_leave(ngx_http_rs_port_t *port)
{
    port->handler = NULL;
    port->data = NULL;
}


static ngx_http_rs_port_t *
ngx_http_rs_port_create(ngx_http_rs_main_conf_t *rmcf,
    ngx_http_rs_port_who_t *who)
{
    u_char               random[NGX_HTTP_RS_PORT_RID];
    rs_ip_t              ip;
    ngx_pool_t          *pool;
    ngx_http_rs_port_t  *port;

    pool = ngx_create_pool(NGX_HTTP_RS_PORT_POOL, rmcf->pipes->log);
    if (pool == NULL) {
        return NULL;
    }

    port = ngx_pcalloc(pool, sizeof(ngx_http_rs_port_t));

    if (port == NULL || RAND_bytes(random, sizeof(random)) != 1
        || ngx_http_rs_session_copy(pool, &port->addr,
                                    ngx_http_rs_slice(&who->addr))
           != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    port->pool = pool;
    port->rmcf = rmcf;
    port->number = who->port;
    port->udp = who->udp;

    port->posted.handler = ngx_http_rs_port_posted_handler;
    port->posted.data = port;
    port->posted.log = rmcf->pipes->log;

    ngx_hex_dump(port->rid_text, random, sizeof(random));
    port->rid.data = port->rid_text;
    port->rid.len = sizeof(port->rid_text);

    if (rs_ip_parse(ngx_http_rs_slice(&port->addr), &ip) == RS_OK) {
        port->pipe.peer.data = (u_char *) port->peer;
        port->pipe.peer.len = rs_ip_key(&ip, port->peer);
    }

    return port;
}


/* what is known without asking, as for an upgrade */

static rs_err_e
ngx_http_rs_port_may(ngx_http_rs_main_conf_t *rmcf,
    ngx_http_rs_port_who_t *who)
{
    time_t                 wait;
    ngx_http_rs_ban_who_t  banned;

    ngx_memzero(&banned, sizeof(ngx_http_rs_ban_who_t));
    banned.sockaddr = who->sockaddr;

    if (ngx_http_rs_banned(rmcf, &banned, &wait)
        || ngx_http_rs_limit_address(rmcf, who->sockaddr, RS_RATE_TAKE, NULL)
           != NGX_OK)
    {
        return RS_E_RATE_LIMITED;
    }

    if (ngx_http_rs_draining(rmcf)) {
        return RS_E_DRAINING;
    }

    if (!ngx_http_rs_store_admits(rmcf->store)
        || !ngx_http_rs_presence_ready(rmcf->presence)
        || !ngx_http_rs_bus_ready(rmcf->bus))
    {
        return RS_E_UNAVAILABLE;
    }

    if (rmcf->pipes->ncoming > NGX_HTTP_RS_PORT_COMING
        || ngx_http_rs_conn_room(rmcf) != NGX_OK)
    {
        return RS_E_OVERLOADED;
    }

    return RS_OK;
}


static void
ngx_http_rs_port_posted_handler(ngx_event_t *ev)
{
    ngx_http_rs_port_t *port = ev->data;

    ngx_http_rs_port_end(port, port->code, (ngx_socket_t) -1);
}


static rs_err_e
ngx_http_rs_port_ask(ngx_http_rs_port_t *port)
{
    ngx_http_rs_store_op_t  *op;

    op = ngx_http_rs_store_op(port->rmcf->store, ngx_http_rs_port_got, port);

    if (op == NULL
        || ngx_http_rs_store_port_get(op, port->number) != NGX_OK)
    {
        return RS_E_UNAVAILABLE;
    }

    return RS_OK;
}


/* of which tunnel the port is */

static void
ngx_http_rs_port_got(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_port_t *port = data;

    if (code == RS_OK && port->handler) {
        code = ngx_http_rs_port_whose(port, reply);

        if (code == RS_OK) {
            return;
        }
    }

    ngx_http_rs_port_end(port, code, (ngx_socket_t) -1);
}


static rs_err_e
ngx_http_rs_port_whose(ngx_http_rs_port_t *port, ngx_rs_reply_t *reply)
{
    ngx_str_t                s, *to[3];
    ngx_uint_t               i;
    ngx_http_rs_store_op_t  *op;

    to[0] = &port->who.tenant;
    to[1] = &port->pipe.object;
    to[2] = &port->pipe.device_id;

    for (i = 0; i < 3; i++) {
        s = ngx_rs_reply_str(reply, i + 1);

        if (ngx_http_rs_session_copy(port->pool, to[i],
                                     ngx_http_rs_slice(&s))
            != NGX_OK)
        {
            return RS_E_INTERNAL;
        }
    }

    s = ngx_rs_reply_str(reply, 5);

    if (rs_str_eq(ngx_http_rs_slice(&s), RS_STR("udp")) != port->udp) {
        /* its number, of the other protocol */
        return RS_E_NOT_FOUND;
    }

    if (ngx_http_rs_pipe_full(port->rmcf, &port->who.tenant)) {
        return RS_E_OVERLOADED;
    }

    op = ngx_http_rs_store_op(port->rmcf->store, ngx_http_rs_port_entered,
                              port);

    if (op == NULL
        || ngx_http_rs_store_port_enter(op, &port->who.tenant,
                                        &port->pipe.object, &port->pipe.peer)
           != NGX_OK)
    {
        return RS_E_UNAVAILABLE;
    }

    return RS_OK;
}


/* whose address it is */

static void
ngx_http_rs_port_entered(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_port_t *port = data;

    if (code == RS_OK && port->handler) {
        code = ngx_http_rs_port_open(port, reply);

        if (code == RS_OK) {
            return;
        }
    }

    ngx_http_rs_port_end(port, code, (ngx_socket_t) -1);
}


static rs_err_e
ngx_http_rs_port_open(ngx_http_rs_port_t *port, ngx_rs_reply_t *reply)
{
    uint64_t                 ends;
    ngx_str_t                s, *to[3];
    ngx_uint_t               i;
    ngx_http_rs_store_op_t  *op;

    to[0] = &port->who.kind;
    to[1] = &port->who.id;
    to[2] = &port->who.caller;

    for (i = 0; i < 3; i++) {
        s = ngx_rs_reply_str(reply, i + 1);

        if (ngx_http_rs_session_copy(port->pool, to[i],
                                     ngx_http_rs_slice(&s))
            != NGX_OK)
        {
            return RS_E_INTERNAL;
        }
    }

    s = ngx_rs_reply_str(reply, 4);

    if (!rs_u64_parse(ngx_http_rs_slice(&s), NGX_MAX_INT_T_VALUE, &ends)
        || ngx_http_rs_port_draw(port) != NGX_OK)
    {
        return RS_E_INTERNAL;
    }

    port->pipe.ends_at = (int64_t) ends;
    port->pipe.ticket_ttl = port->rmcf->gateway->ticket_ttl;
    port->pipe.max = port->rmcf->gateway->tunnel_pipes;

    op = ngx_http_rs_store_op(port->rmcf->store, ngx_http_rs_port_opened,
                              port);

    if (op == NULL
        || ngx_http_rs_store_pipe_open_as(op, &port->who, &port->pipe)
           != NGX_OK)
    {
        return RS_E_UNAVAILABLE;
    }

    return RS_OK;
}


/* the pipe's id, and a ticket that nobody is told: its hash is enough */

static ngx_int_t
ngx_http_rs_port_draw(ngx_http_rs_port_t *port)
{
    char      secret[RS_ID_SECRET_LEN];
    uint8_t   random[RS_ID_SECRET_RANDOM_LEN];
    rs_err_e  rc;
    rs_str_t  s;

    if (RAND_bytes(random, RS_ID_RANDOM_LEN) != 1) {
        return NGX_ERROR;
    }

    rs_id_format((char *) port->id, RS_ID_PIPE, random);

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return NGX_ERROR;
    }

    rs_secret_format(secret, random);
    ngx_explicit_memzero(random, sizeof(random));

    s.data = (u_char *) secret;
    s.len = RS_ID_SECRET_LEN;

    rc = rs_hash_hex(s, port->hash);
    ngx_explicit_memzero(secret, sizeof(secret));

    port->pipe.id.data = port->id;
    port->pipe.id.len = RS_ID_LEN;
    port->pipe.ticket_hash.data = (u_char *) port->hash;
    port->pipe.ticket_hash.len = RS_ID_HASH_LEN;

    return (rc == RS_OK) ? NGX_OK : NGX_ERROR;
}


/*
 * From here on the store knows the pipe and the device is asked: also for one
 * who has left there is a leg, which ends at once.
 */

static void
ngx_http_rs_port_opened(void *data, rs_err_e code, ngx_rs_reply_t *reply)
{
    ngx_http_rs_port_t *port = data;

    ngx_socket_t  s;

    s = (ngx_socket_t) -1;

    if (code == RS_OK) {
        code = ngx_http_rs_port_attach(port, &s);
    }

    ngx_http_rs_port_end(port, code, s);
}


static rs_err_e
ngx_http_rs_port_attach(ngx_http_rs_port_t *port, ngx_socket_t *s)
{
    rs_cred_t                 cred;
    ngx_socket_t              other;
    ngx_connection_t         *c;
    ngx_http_rs_pipe_from_t   from;

    c = ngx_http_rs_pair(port->rmcf, port->rmcf->pipes->log, &other);
    if (c == NULL) {
        return RS_E_OVERLOADED;
    }

    ngx_memzero(&cred, sizeof(rs_cred_t));

    cred.tenant = ngx_http_rs_slice(&port->who.tenant);
    cred.pipe_id = ngx_http_rs_slice(&port->pipe.id);
    ngx_memcpy(cred.hash, port->hash, RS_ID_HASH_LEN);
    ngx_memcpy(cred.bound, port->hash, RS_ID_HASH_LEN);

    from.addr = port->addr;
    from.rid = port->rid;
    from.cred = &cred;

    if (ngx_http_rs_pipe_adopt(port->rmcf, port->rmcf->gateway, c, &from)
        != NGX_OK)
    {
        ngx_http_rs_link_close(c);
        (void) ngx_close_socket(other);
        return RS_E_INTERNAL;
    }

    *s = other;

    return RS_OK;
}


static void
ngx_http_rs_port_end(ngx_http_rs_port_t *port, rs_err_e code, ngx_socket_t s)
{
    ngx_http_rs_port_end_t  end;

    ngx_queue_remove(&port->queue);
    port->rmcf->pipes->ncoming--;

    ngx_memzero(&end, sizeof(ngx_http_rs_port_end_t));

    end.code = code;
    end.socket = s;
    end.tunnel = port->pipe.object;

    if (code == RS_OK) {
        end.pipe = port->pipe.id;
    }

    if (port->handler) {
        ngx_http_rs_port_count(port, code);
        port->handler(port->data, &end);

    } else if (s != (ngx_socket_t) -1) {
        (void) ngx_close_socket(s);
    }

    ngx_destroy_pool(port->pool);
}


void
ngx_http_rs_ports_cleanup(ngx_http_rs_pipes_t *pipes)
{
    ngx_queue_t         *q;
    ngx_http_rs_port_t  *port;

    while (!ngx_queue_empty(&pipes->coming)) {
        q = ngx_queue_head(&pipes->coming);
        port = ngx_queue_data(q, ngx_http_rs_port_t, queue);

        ngx_queue_remove(q);
        ngx_destroy_pool(port->pool);
    }
}


static void
ngx_http_rs_port_count(ngx_http_rs_port_t *port, rs_err_e code)
{
    ngx_uint_t  stat;

    switch (code) {

    case RS_OK:
        stat = NGX_HTTP_RS_STAT_PORT;
        break;

    case RS_E_RATE_LIMITED:
    case RS_E_OVERLOADED:
        stat = NGX_HTTP_RS_STAT_PORT_LIMITED;
        break;

    case RS_E_UNAVAILABLE:
    case RS_E_UNCERTAIN:
    case RS_E_DRAINING:
    case RS_E_INTERNAL:
        stat = NGX_HTTP_RS_STAT_PORT_UNAVAILABLE;
        break;

    default:
        stat = NGX_HTTP_RS_STAT_PORT_REFUSED;
        break;
    }

    ngx_http_rs_count(port->rmcf, stat);
}
