
/*
 * Copyright (C) rs-gateway contributors
 *
 * The gateway's port of a tunnel: a stream server whose connections, and UDP
 * flows, each are the client of a pipe.
 *
 *     handler -> asked about (ngx_http_rs_port_api) -> leg -> end
 *
 * Who may is the other module's to say; here are the sockets.  All of a client
 * is in the pool of his connection, whose cleanup leaves what was asked for
 * and closes the leg: whoever ends the session, nothing stays.
 *
 * A second module of the same file, of the core, looks at the end of the
 * configuration whether there is what "rs_tunnel" needs: the http block may
 * come after the stream block.
 */


#include "ngx_stream_rs_tunnel.h"


typedef struct {
    ngx_flag_t                  used;      /* some rs_tunnel exists */
} ngx_stream_rs_tunnel_check_conf_t;


static char *ngx_stream_rs_tunnel(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_stream_rs_tunnel_create_srv_conf(ngx_conf_t *cf);
static void *ngx_stream_rs_tunnel_check_create(ngx_cycle_t *cycle);
static char *ngx_stream_rs_tunnel_check_init(ngx_cycle_t *cycle, void *conf);

static void ngx_stream_rs_tunnel_handler(ngx_stream_session_t *s);
static ngx_stream_rs_tunnel_ctx_t *ngx_stream_rs_tunnel_create(
    ngx_stream_session_t *s);
static ngx_int_t ngx_stream_rs_tunnel_ask(ngx_stream_rs_tunnel_ctx_t *ctx);
static void ngx_stream_rs_tunnel_asked(void *data,
    ngx_http_rs_port_end_t *end);
static void ngx_stream_rs_tunnel_refused(ngx_stream_rs_tunnel_ctx_t *ctx,
    ngx_http_rs_port_end_t *end);
static ngx_int_t ngx_stream_rs_tunnel_join(ngx_stream_rs_tunnel_ctx_t *ctx,
    ngx_socket_t s);
static void ngx_stream_rs_tunnel_client_handler(ngx_event_t *ev);
static void ngx_stream_rs_tunnel_leg_handler(ngx_event_t *ev);
static void ngx_stream_rs_tunnel_cleanup(void *data);


static ngx_command_t  ngx_stream_rs_tunnel_commands[] = {

    { ngx_string("rs_tunnel"),
      NGX_STREAM_SRV_CONF|NGX_CONF_NOARGS,
      ngx_stream_rs_tunnel,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_stream_module_t  ngx_stream_rs_tunnel_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_stream_rs_tunnel_create_srv_conf,  /* create server configuration */
    NULL                                   /* merge server configuration */
};


ngx_module_t  ngx_stream_rs_tunnel_module = {
    NGX_MODULE_V1,
    &ngx_stream_rs_tunnel_module_ctx,      /* module context */
    ngx_stream_rs_tunnel_commands,         /* module directives */
    NGX_STREAM_MODULE,                     /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_core_module_t  ngx_stream_rs_tunnel_check_module_ctx = {
    ngx_string("rs_tunnel_check"),
    ngx_stream_rs_tunnel_check_create,
    ngx_stream_rs_tunnel_check_init
};


ngx_module_t  ngx_stream_rs_tunnel_check_module = {
    NGX_MODULE_V1,
    &ngx_stream_rs_tunnel_check_module_ctx,    /* module context */
    NULL,                                  /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static const struct linger  ngx_stream_rs_tunnel_reset_now = { 1, 0 };
static const struct linger  ngx_stream_rs_tunnel_deliver = { 0, 0 };


static void
ngx_stream_rs_tunnel_handler(ngx_stream_session_t *s)
{
    ngx_connection_t            *c;
    ngx_stream_rs_tunnel_ctx_t  *ctx;

    c = s->connection;
    c->log->action = "asking about a port of a tunnel";

    if (c->type == SOCK_STREAM
        && setsockopt(c->fd, SOL_SOCKET, SO_LINGER,
                      &ngx_stream_rs_tunnel_reset_now, sizeof(struct linger))
           == -1)
    {
        ngx_connection_error(c, ngx_socket_errno,
                             "setsockopt(SO_LINGER) failed");
        ngx_stream_finalize_session(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    ctx = ngx_stream_rs_tunnel_create(s);

    if (ctx == NULL) {
        ngx_stream_finalize_session(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

#if (NGX_SSL || NGX_COMPAT)
    if (c->ssl) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "rs tunnel: a port of a tunnel has no TLS of its own, "
                      "\"listen\" must not say \"ssl\"");
        ngx_stream_rs_tunnel_end(ctx, NGX_STREAM_INTERNAL_SERVER_ERROR, 0);
        return;
    }
#endif

    if (ngx_stream_rs_tunnel_ask(ctx) != NGX_OK) {
        ngx_stream_rs_tunnel_end(ctx, NGX_STREAM_INTERNAL_SERVER_ERROR, 0);
        return;
    }

    c->read->handler = ngx_stream_rs_tunnel_client_handler;
    c->write->handler = ngx_stream_rs_tunnel_client_handler;

    /* what has come with the connection */

    ngx_stream_rs_tunnel_client_handler(c->read);
}


static ngx_stream_rs_tunnel_ctx_t *
ngx_stream_rs_tunnel_create(ngx_stream_session_t *s)
{
    ngx_connection_t            *c;
    ngx_pool_cleanup_t          *cln;
    ngx_stream_rs_tunnel_ctx_t  *ctx;

    c = s->connection;

    ctx = ngx_pcalloc(c->pool, sizeof(ngx_stream_rs_tunnel_ctx_t));
    cln = ngx_pool_cleanup_add(c->pool, 0);

    if (ctx == NULL || cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_stream_rs_tunnel_cleanup;
    cln->data = ctx;

    ctx->session = s;
    ctx->api = &ngx_http_rs_port_api;
    ctx->udp = c->type == SOCK_DGRAM;
    ctx->early_last = &ctx->early;
    ctx->size = ctx->udp ? NGX_STREAM_RS_TUNNEL_PIECE
                         : ngx_min(ctx->api->buffer(),
                                   NGX_STREAM_RS_TUNNEL_PIECE);

    ctx->api->pieces_init(&ctx->reader, ctx->udp
                                        ? NGX_STREAM_RS_TUNNEL_DATAGRAM
                                        : (uint64_t) NGX_MAX_INT_T_VALUE);

    ngx_stream_set_ctx(s, ctx, ngx_stream_rs_tunnel_module);

    return ctx;
}


static ngx_int_t
ngx_stream_rs_tunnel_ask(ngx_stream_rs_tunnel_ctx_t *ctx)
{
    ngx_connection_t        *c;
    ngx_http_rs_port_who_t   who;

    c = ctx->session->connection;

    if (ngx_connection_local_sockaddr(c, NULL, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(&who, sizeof(ngx_http_rs_port_who_t));

    who.port = ngx_inet_get_port(c->local_sockaddr);
    who.addr = c->addr_text;
    who.sockaddr = c->sockaddr;
    who.udp = ctx->udp;

    ctx->port = ctx->api->enter(&who, ngx_stream_rs_tunnel_asked, ctx);

    return ctx->port ? NGX_OK : NGX_ERROR;
}


static void
ngx_stream_rs_tunnel_asked(void *data, ngx_http_rs_port_end_t *end)
{
    ngx_stream_rs_tunnel_ctx_t *ctx = data;

    ngx_connection_t            *c;
    ngx_stream_core_srv_conf_t  *cscf;

    ctx->port = NULL;
    c = ctx->session->connection;

    if (end->code != RS_OK) {
        ngx_stream_rs_tunnel_refused(ctx, end);
        return;
    }

    c->log->action = "serving a port of a tunnel";

    ngx_log_error(NGX_LOG_INFO, c->log, 0,
                  "rs tunnel port %ui of %V: %V",
                  (ngx_uint_t) ngx_inet_get_port(c->local_sockaddr),
                  &end->tunnel, &end->pipe);

    if (ngx_stream_rs_tunnel_join(ctx, end->socket) != NGX_OK) {
        (void) ngx_close_socket(end->socket);
        ngx_stream_rs_tunnel_end(ctx, NGX_STREAM_INTERNAL_SERVER_ERROR, 0);
        return;
    }

    if (ctx->udp) {
        ngx_stream_rs_tunnel_udp_leg(ctx);
        return;
    }

    cscf = ngx_stream_get_module_srv_conf(ctx->session,
                                          ngx_stream_core_module);

    if (cscf->tcp_nodelay && ngx_tcp_nodelay(c) != NGX_OK) {
        ngx_stream_rs_tunnel_end(ctx, NGX_STREAM_INTERNAL_SERVER_ERROR, 0);
        return;
    }

    ngx_stream_rs_tunnel_tcp(ctx);
}


static void
ngx_stream_rs_tunnel_refused(ngx_stream_rs_tunnel_ctx_t *ctx,
    ngx_http_rs_port_end_t *end)
{
    ngx_uint_t         status;
    ngx_connection_t  *c;

    c = ctx->session->connection;

    ngx_log_error(NGX_LOG_INFO, c->log, 0,
                  "rs tunnel port %ui is refused: %s%s%V",
                  (ngx_uint_t) ngx_inet_get_port(c->local_sockaddr),
                  ctx->api->code(end->code), end->tunnel.len ? ", " : "",
                  &end->tunnel);

    switch (end->code) {

    case RS_E_INTERNAL:
        status = NGX_STREAM_INTERNAL_SERVER_ERROR;
        break;

    case RS_E_UNAVAILABLE:
    case RS_E_UNCERTAIN:
    case RS_E_DRAINING:
    case RS_E_OVERLOADED:
    case RS_E_DEVICE_OFFLINE:
        status = NGX_STREAM_SERVICE_UNAVAILABLE;
        break;

    default:
        status = NGX_STREAM_FORBIDDEN;
        break;
    }

    ngx_stream_rs_tunnel_end(ctx, status, 0);
}


/* NGX_ERROR: s is the caller's still */

static ngx_int_t
ngx_stream_rs_tunnel_join(ngx_stream_rs_tunnel_ctx_t *ctx, ngx_socket_t s)
{
    ngx_connection_t  *c;

    c = ngx_get_connection(s, ctx->session->connection->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->type = SOCK_STREAM;
    c->recv = ngx_recv;
    c->send = ngx_send;
    c->log = ctx->session->connection->log;
    c->read->log = c->write->log = c->log;
    c->data = ctx;
    c->read->handler = ngx_stream_rs_tunnel_leg_handler;
    c->write->handler = ngx_stream_rs_tunnel_leg_handler;
    c->write->ready = 1;

    /* not a client's: a worker that exits does not call it a leaked socket */
    c->read->channel = 1;
    c->write->channel = 1;

    if (ngx_add_conn == NULL || ngx_add_conn(c) != NGX_OK) {
        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;
        return NGX_ERROR;
    }

    ctx->leg = c;

    return NGX_OK;
}


static void
ngx_stream_rs_tunnel_client_handler(ngx_event_t *ev)
{
    ngx_connection_t            *c;
    ngx_stream_session_t        *s;
    ngx_stream_rs_tunnel_ctx_t  *ctx;

    c = ev->data;
    s = c->data;
    ctx = ngx_stream_get_module_ctx(s, ngx_stream_rs_tunnel_module);

    if (c->close) {
        /* worker_shutdown_timeout */
        ngx_stream_rs_tunnel_end(ctx, NGX_STREAM_OK, 0);
        return;
    }

    if (ctx->udp) {

        if (!ev->write) {
            ngx_stream_rs_tunnel_udp_client(ctx);
        }

        return;
    }

    if (ctx->leg) {
        ngx_stream_rs_tunnel_tcp(ctx);
        return;
    }

    /* nothing of it is read yet: who has gone is seen all the same */

    if (ngx_stream_rs_tunnel_reset(ctx)
        || ngx_handle_read_event(c->read, 0) != NGX_OK)
    {
        ngx_stream_rs_tunnel_end(ctx, NGX_STREAM_OK, 0);
    }
}


static void
ngx_stream_rs_tunnel_leg_handler(ngx_event_t *ev)
{
    ngx_connection_t            *c;
    ngx_stream_rs_tunnel_ctx_t  *ctx;

    c = ev->data;
    ctx = c->data;

    if (ctx->udp) {
        ngx_stream_rs_tunnel_udp_leg(ctx);

    } else {
        ngx_stream_rs_tunnel_tcp(ctx);
    }
}


void
ngx_stream_rs_tunnel_end(ngx_stream_rs_tunnel_ctx_t *ctx, ngx_uint_t status,
    ngx_uint_t clean)
{
    ngx_connection_t  *c;

    c = ctx->session->connection;

    if (clean) {
        (void) setsockopt(c->fd, SOL_SOCKET, SO_LINGER,
                          &ngx_stream_rs_tunnel_deliver,
                          sizeof(struct linger));
    }

    ngx_stream_finalize_session(ctx->session, status);
}


static void
ngx_stream_rs_tunnel_cleanup(void *data)
{
    ngx_stream_rs_tunnel_ctx_t *ctx = data;

    if (ctx->port) {
        ctx->api->leave(ctx->port);
        ctx->port = NULL;
    }

    if (ctx->leg) {
        ngx_close_connection(ctx->leg);
        ctx->leg = NULL;
    }

    if (ctx->up) {
        ngx_free(ctx->up);
        ctx->up = NULL;
    }

    if (ctx->down) {
        ngx_free(ctx->down);
        ctx->down = NULL;
    }

    ngx_stream_rs_tunnel_udp_free(ctx);
}


static void *
ngx_stream_rs_tunnel_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_flag_t));
}


static char *
ngx_stream_rs_tunnel(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_flag_t *on = conf;

    ngx_stream_core_srv_conf_t         *cscf;
    ngx_stream_rs_tunnel_check_conf_t  *cmcf;

    if (*on) {
        return "is duplicate";
    }

    if (&ngx_http_rs_port_api == NULL) {
        return "needs ngx_http_rs_signal_module, loaded before "
               "ngx_stream_rs_tunnel_module";
    }

    if (ngx_http_rs_port_api.version != NGX_HTTP_RS_PORT_VERSION) {
        return "needs ngx_http_rs_signal_module of the same version";
    }

    *on = 1;

    cmcf = (ngx_stream_rs_tunnel_check_conf_t *)
               ngx_get_conf(cf->cycle->conf_ctx,
                            ngx_stream_rs_tunnel_check_module);
    cmcf->used = 1;

    cscf = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_core_module);
    cscf->handler = ngx_stream_rs_tunnel_handler;

    return NGX_CONF_OK;
}


static void *
ngx_stream_rs_tunnel_check_create(ngx_cycle_t *cycle)
{
    return ngx_pcalloc(cycle->pool,
                       sizeof(ngx_stream_rs_tunnel_check_conf_t));
}


static char *
ngx_stream_rs_tunnel_check_init(ngx_cycle_t *cycle, void *conf)
{
    ngx_stream_rs_tunnel_check_conf_t *cmcf = conf;

    const char  *what;

    if (!cmcf->used) {
        return NGX_CONF_OK;
    }

    what = ngx_http_rs_port_api.check(cycle);

    if (what) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "\"rs_tunnel\" needs %s", what);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
