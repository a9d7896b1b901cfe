
/*
 * Copyright (C) rs-gateway contributors
 *
 * Where the server of some links is: a fixed address, what nginx's resolver
 * says at each connect, or the primary that Sentinel names.  All links that
 * wait get one answer.
 *
 * Nothing here blocks and nothing is kept longer than the question: who
 * connects anew asks anew.  The time for it is the link's, its
 * rs_redis_connect_timeout.
 */


#include "ngx_rs_redis_link.h"


static ngx_rs_redis_place_t *ngx_rs_redis_place_create(
    ngx_rs_redis_conf_t *conf, ngx_log_t *log);
static void ngx_rs_redis_place_name(ngx_rs_redis_place_t *place,
    ngx_str_t *host, in_port_t port);
static socklen_t ngx_rs_redis_place_literal(ngx_rs_redis_place_t *place,
    ngx_sockaddr_t *sockaddr);
static void ngx_rs_redis_place_resolve(ngx_rs_redis_place_t *place);
static void ngx_rs_redis_place_resolved(ngx_resolver_ctx_t *ctx);
static void ngx_rs_redis_place_found(ngx_rs_redis_place_t *place,
    struct sockaddr *sockaddr, socklen_t socklen);
static void ngx_rs_redis_place_not_found(ngx_rs_redis_place_t *place);
static ngx_rs_redis_t *ngx_rs_redis_place_next(ngx_rs_redis_place_t *place);
static void ngx_rs_redis_place_move(ngx_rs_redis_place_t *place);


ngx_int_t
ngx_rs_redis_place_ref(ngx_rs_redis_conf_t *conf, ngx_log_t *log)
{
    if (conf->place == NULL) {
        conf->place = ngx_rs_redis_place_create(conf, log);

        if (conf->place == NULL) {
            return NGX_ERROR;
        }
    }

    conf->place->refs++;

    return NGX_OK;
}


static ngx_rs_redis_place_t *
ngx_rs_redis_place_create(ngx_rs_redis_conf_t *conf, ngx_log_t *log)
{
    ngx_rs_redis_place_t  *place;

    place = ngx_calloc(sizeof(ngx_rs_redis_place_t), log);
    if (place == NULL) {
        return NULL;
    }

    place->conf = conf;
    place->log = log;

    ngx_queue_init(&place->waiting);
    ngx_queue_init(&place->links);

    if (conf->master.len) {
        place->sentinel = ngx_rs_redis_sentinel_create(place);

        if (place->sentinel == NULL) {
            ngx_free(place);
            return NULL;
        }
    }

    return place;
}


void
ngx_rs_redis_place_unref(ngx_rs_redis_place_t *place)
{
    if (--place->refs) {
        return;
    }

    place->conf->place = NULL;

    if (place->resolving) {
        ngx_resolve_name_done(place->resolving);
    }

    if (place->sentinel) {
        ngx_rs_redis_sentinel_destroy(place->sentinel);
    }

    ngx_free(place);
}


void
ngx_rs_redis_place_ask(ngx_rs_redis_t *rd)
{
    ngx_addr_t             *addr;
    ngx_rs_redis_place_t   *place;
    ngx_rs_redis_server_t  *server;

    place = rd->conf->place;

    ngx_queue_insert_tail(&place->waiting, &rd->waiting);

    place->trouble[0] = '\0';

    if (place->sentinel) {
        ngx_rs_redis_sentinel_ask(place->sentinel);
        return;
    }

    server = rd->conf->servers.elts;

    ngx_rs_redis_place_name(place, &server->host, server->port);

    if (server->addrs == NULL) {
        ngx_rs_redis_place_resolve(place);
        return;
    }

    /* another one at each try: "localhost" may mean ::1 and 127.0.0.1 */

    addr = &server->addrs[rd->attempts % server->naddrs];

    ngx_rs_redis_place_forget(rd);
    ngx_rs_redis_found(rd, addr->sockaddr, addr->socklen);
}


void
ngx_rs_redis_place_forget(ngx_rs_redis_t *rd)
{
    if (rd->waiting.next) {
        ngx_queue_remove(&rd->waiting);
        ngx_memzero(&rd->waiting, sizeof(ngx_queue_t));
    }
}


void
ngx_rs_redis_place_set_trouble(ngx_rs_redis_place_t *place, const char *fmt,
    ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(place->trouble,
                      place->trouble + NGX_RS_REDIS_REASON - 1, fmt, args);
    va_end(args);

    *p = '\0';
}


const char *
ngx_rs_redis_place_trouble(ngx_rs_redis_place_t *place)
{
    if (place->trouble[0] == '\0') {
        return place->sentinel ? "no Sentinel said where the primary is"
                               : "the resolver did not answer";
    }

    return (char *) place->trouble;
}


static void
ngx_rs_redis_place_name(ngx_rs_redis_place_t *place, ngx_str_t *host,
    in_port_t port)
{
    place->host.len = ngx_min(host->len, NGX_RS_REDIS_HOST_MAX);
    place->host.data = place->host_text;
    place->port = port;

    ngx_memcpy(place->host_text, host->data, place->host.len);
    place->host_text[place->host.len] = '\0';
}


void
ngx_rs_redis_place_set(ngx_rs_redis_place_t *place, ngx_str_t *host,
    in_port_t port, ngx_uint_t moved)
{
    socklen_t       socklen;
    ngx_sockaddr_t  sockaddr;

    ngx_rs_redis_place_name(place, host, port);

    /* those dropped below may be the last to hold the place */

    place->refs++;

    if (moved) {
        place->generation++;
        ngx_rs_redis_place_move(place);
    }

    if (ngx_queue_empty(&place->waiting)) {
        goto done;
    }

    socklen = ngx_rs_redis_place_literal(place, &sockaddr);

    if (socklen) {
        ngx_rs_redis_place_found(place, &sockaddr.sockaddr, socklen);

    } else if (place->conf->resolver) {
        ngx_rs_redis_place_resolve(place);

    } else {
        ngx_rs_redis_place_set_trouble(place, "Sentinel names the primary by "
                                       "\"%V\": configure a \"resolver\", or "
                                       "Sentinel to announce addresses",
                                       &place->host);
        ngx_rs_redis_place_not_found(place);
    }

done:

    ngx_rs_redis_place_unref(place);
}


/* 0: a name */

static socklen_t
ngx_rs_redis_place_literal(ngx_rs_redis_place_t *place,
    ngx_sockaddr_t *sockaddr)
{
    in_addr_t  addr;

    ngx_memzero(sockaddr, sizeof(ngx_sockaddr_t));

    addr = ngx_inet_addr(place->host.data, place->host.len);

    if (addr != INADDR_NONE) {
        sockaddr->sockaddr_in.sin_family = AF_INET;
        sockaddr->sockaddr_in.sin_addr.s_addr = addr;
        sockaddr->sockaddr_in.sin_port = htons(place->port);

        return sizeof(struct sockaddr_in);
    }

#if (NGX_HAVE_INET6)

    if (ngx_inet6_addr(place->host.data, place->host.len,
                       sockaddr->sockaddr_in6.sin6_addr.s6_addr)
        == NGX_OK)
    {
        sockaddr->sockaddr_in6.sin6_family = AF_INET6;
        sockaddr->sockaddr_in6.sin6_port = htons(place->port);

        return sizeof(struct sockaddr_in6);
    }

#endif

    return 0;
}


static void
ngx_rs_redis_place_resolve(ngx_rs_redis_place_t *place)
{
    ngx_resolver_ctx_t  *ctx;

    if (place->resolving) {
        return;
    }

    ctx = ngx_resolve_start(place->conf->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        ngx_rs_redis_place_set_trouble(place, "\"%V\" cannot be resolved: no "
                                       "memory or no \"resolver\"",
                                       &place->host);
        ngx_rs_redis_place_not_found(place);
        return;
    }

    /* the resolver looks at the name while place->host may change */

    place->asked.len = place->host.len;
    place->asked.data = place->asked_text;
    ngx_memcpy(place->asked_text, place->host_text, place->host.len);

    ctx->name = place->asked;
    ctx->handler = ngx_rs_redis_place_resolved;
    ctx->data = place;
    ctx->timeout = place->conf->connect_timeout;
    ctx->cancelable = 1;

    place->resolving = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        place->resolving = NULL;

        ngx_rs_redis_place_set_trouble(place, "\"%V\" cannot be resolved: "
                                       "not a host name", &place->host);
        ngx_rs_redis_place_not_found(place);
    }
}


static void
ngx_rs_redis_place_resolved(ngx_resolver_ctx_t *ctx)
{
    socklen_t              socklen;
    ngx_sockaddr_t         sockaddr;
    ngx_rs_redis_place_t  *place;

    place = ctx->data;
    place->resolving = NULL;

    if (ctx->state || ctx->naddrs == 0) {
        ngx_rs_redis_place_set_trouble(place, "\"%V\" cannot be resolved: "
                                       "%i: %s", &ctx->name, ctx->state,
                                       ngx_resolver_strerror(ctx->state));
        ngx_resolve_name_done(ctx);

        ngx_rs_redis_place_not_found(place);
        return;
    }

    socklen = ctx->addrs[0].socklen;
    ngx_memcpy(&sockaddr, ctx->addrs[0].sockaddr, socklen);

    ngx_resolve_name_done(ctx);

    /* the place has moved on while this name was looked up */

    if (place->asked.len != place->host.len
        || ngx_memcmp(place->asked_text, place->host_text, place->host.len)
           != 0)
    {
        ngx_rs_redis_place_resolve(place);
        return;
    }

    ngx_inet_set_port(&sockaddr.sockaddr, place->port);
    ngx_rs_redis_place_found(place, &sockaddr.sockaddr, socklen);
}


static void
ngx_rs_redis_place_found(ngx_rs_redis_place_t *place,
    struct sockaddr *sockaddr, socklen_t socklen)
{
    ngx_rs_redis_t  *rd;

    while ((rd = ngx_rs_redis_place_next(place)) != NULL) {
        ngx_rs_redis_found(rd, sockaddr, socklen);
    }
}


static void
ngx_rs_redis_place_not_found(ngx_rs_redis_place_t *place)
{
    ngx_rs_redis_t  *rd;

    while ((rd = ngx_rs_redis_place_next(place)) != NULL) {
        ngx_rs_redis_reason(rd, "%s", place->trouble);
        ngx_rs_redis_not_found(rd);
    }
}


static ngx_rs_redis_t *
ngx_rs_redis_place_next(ngx_rs_redis_place_t *place)
{
    ngx_rs_redis_t  *rd;

    if (ngx_queue_empty(&place->waiting)) {
        return NULL;
    }

    rd = ngx_queue_data(ngx_queue_head(&place->waiting), ngx_rs_redis_t,
                        waiting);
    ngx_rs_redis_place_forget(rd);

    return rd;
}


/* each link dropped may change the list: it is begun anew after each */

static void
ngx_rs_redis_place_move(ngx_rs_redis_place_t *place)
{
    ngx_queue_t     *q;
    ngx_rs_redis_t  *rd;
    u_char           reason[NGX_RS_REDIS_REASON], *p;

    p = ngx_snprintf(reason, sizeof(reason) - 1,
                     "Sentinel names another primary, %V:%d", &place->host,
                     place->port);
    *p = '\0';

again:

    for (q = ngx_queue_head(&place->links);
         q != ngx_queue_sentinel(&place->links);
         q = ngx_queue_next(q))
    {
        rd = ngx_queue_data(q, ngx_rs_redis_t, queue);

        if (rd->state >= NGX_RS_REDIS_CONNECTING
            && rd->generation != place->generation)
        {
            ngx_rs_redis_moved(rd, (char *) reason);
            goto again;
        }
    }
}
