
/*
 * Copyright (C) rs-gateway contributors
 *
 * The wire of a Redis link on nginx's event loop.
 *
 * A callback may close the wire, so after each one the event handler checks
 * that the connection is still the one it was called for, and touches
 * nothing else if not.  The struct itself stays until handlers->leave().
 *
 * Commands are encoded straight into the output buffer, and the write event
 * is posted: all commands of an event round leave in one send().
 */


#include "ngx_rs_redis_adapter.h"


#define NGX_RS_REDIS_READ_SIZE   16384
#define NGX_RS_REDIS_READ_ROUND  32       /* reads before others get a turn */
#define NGX_RS_REDIS_OUT_FIRST   4096
#define NGX_RS_REDIS_TLS_REASON  256
#define NGX_RS_REDIS_OUT_KEEP    65536    /* a larger buffer is given back */


static ngx_int_t ngx_rs_redis_wire_connect(ngx_rs_redis_wire_t *wire,
    ngx_addr_t *addr, const char **reason, ngx_err_t *err);
static ngx_int_t ngx_rs_redis_wire_add_events(ngx_connection_t *c);
static void ngx_rs_redis_wire_read_handler(ngx_event_t *rev);
static void ngx_rs_redis_wire_write_handler(ngx_event_t *wev);
static ngx_int_t ngx_rs_redis_wire_parse(ngx_rs_redis_wire_t *wire,
    u_char *data, size_t len);
static ngx_int_t ngx_rs_redis_wire_connected(ngx_rs_redis_wire_t *wire);
static ngx_int_t ngx_rs_redis_wire_secure(ngx_rs_redis_wire_t *wire);
static void ngx_rs_redis_wire_secure_handler(ngx_connection_t *c);
static ngx_int_t ngx_rs_redis_wire_ready(ngx_rs_redis_wire_t *wire);
static ngx_int_t ngx_rs_redis_wire_send(ngx_rs_redis_wire_t *wire);
static ngx_int_t ngx_rs_redis_wire_reserve(ngx_rs_redis_wire_t *wire,
    size_t size);
static void ngx_rs_redis_wire_lost(ngx_rs_redis_wire_t *wire,
    const char *reason, ngx_err_t err);
static void ngx_rs_redis_wire_broken(ngx_rs_redis_wire_t *wire,
    const char *reason, ngx_err_t err);
static void *ngx_rs_redis_wire_array(const redisReadTask *task,
    ngx_rs_redis_elements_t elements);
static redisReader *ngx_rs_redis_wire_reader(ngx_rs_redis_wire_t *wire);


ngx_int_t
ngx_rs_redis_wire_open(ngx_rs_redis_wire_t *wire, ngx_addr_t *addr,
    const char **reason, ngx_err_t *err)
{
    ngx_socket_t       s;
    ngx_connection_t  *c;

    *err = 0;

    wire->reader = ngx_rs_redis_wire_reader(wire);
    if (wire->reader == NULL) {
        *reason = "no memory";
        return NGX_ERROR;
    }

    s = ngx_socket(addr->sockaddr->sa_family, SOCK_STREAM, 0);

    if (s == (ngx_socket_t) -1) {
        *err = ngx_socket_errno;
        *reason = ngx_socket_n " failed";
        ngx_rs_redis_wire_close(wire);
        return NGX_ERROR;
    }

    c = ngx_get_connection(s, wire->log);

    if (c == NULL) {
        *reason = "no free connection: raise worker_connections";

        if (ngx_close_socket(s) == -1) {
            ngx_log_error(NGX_LOG_ALERT, wire->log, ngx_socket_errno,
                          ngx_close_socket_n " failed");
        }

        ngx_rs_redis_wire_close(wire);
        return NGX_ERROR;
    }

    wire->connection = c;
    wire->connected = 0;
    wire->heard = 0;
    wire->received = 0;

    if (ngx_nonblocking(s) == -1) {
        *err = ngx_socket_errno;
        *reason = ngx_nonblocking_n " failed";
        ngx_rs_redis_wire_close(wire);
        return NGX_ERROR;
    }

    if (ngx_rs_redis_wire_connect(wire, addr, reason, err) != NGX_OK) {
        ngx_rs_redis_wire_close(wire);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rs_redis_wire_connect(ngx_rs_redis_wire_t *wire, ngx_addr_t *addr,
    const char **reason, ngx_err_t *err)
{
    int                rc;
    ngx_connection_t  *c;

    c = wire->connection;

    c->type = SOCK_STREAM;
    c->recv = ngx_recv;
    c->send = ngx_send;
    c->data = wire;
    c->log = wire->log;
    c->log_error = NGX_ERROR_INFO;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);

    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_rs_redis_wire_read_handler;
    c->write->handler = ngx_rs_redis_wire_write_handler;

    /* not a client's: a worker that exits does not call it a leaked socket */
    c->read->channel = 1;
    c->write->channel = 1;

    if (addr->sockaddr->sa_family != AF_UNIX
        && ngx_tcp_nodelay(c) != NGX_OK)
    {
        *err = ngx_socket_errno;
        *reason = "setsockopt(TCP_NODELAY) failed";
        return NGX_ERROR;
    }

    if (ngx_add_conn && ngx_add_conn(c) == NGX_ERROR) {
        *reason = "the event method refused the socket";
        return NGX_ERROR;
    }

    rc = connect(c->fd, addr->sockaddr, addr->socklen);

    if (rc == -1) {
        *err = ngx_socket_errno;

        if (*err != NGX_EINPROGRESS) {
            *reason = "connect() failed";
            return NGX_ERROR;
        }

        *err = 0;
    }

    if (ngx_add_conn == NULL && ngx_rs_redis_wire_add_events(c) != NGX_OK) {
        *reason = "the event method refused the socket";
        return NGX_ERROR;
    }

    if (rc == 0) {
        c->write->ready = 1;
        ngx_post_event(c->write, &ngx_posted_events);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rs_redis_wire_add_events(ngx_connection_t *c)
{
    ngx_int_t  flags;

    flags = (ngx_event_flags & NGX_USE_CLEAR_EVENT) ? NGX_CLEAR_EVENT
                                                    : NGX_LEVEL_EVENT;

    if (ngx_add_event(c->read, NGX_READ_EVENT, flags) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_add_event(c->write, NGX_WRITE_EVENT, flags);
}


void
ngx_rs_redis_wire_close(ngx_rs_redis_wire_t *wire)
{
    ngx_pool_t  *pool;

    if (wire->connection) {
        ngx_rs_redis_tls_close(wire->connection);

        pool = wire->connection->pool;

        ngx_close_connection(wire->connection);
        wire->connection = NULL;

        if (pool) {
            ngx_destroy_pool(pool);
        }
    }

    if (wire->reader) {
        redisReaderFree(wire->reader);
        wire->reader = NULL;
    }

    if (wire->start) {
        ngx_free(wire->start);
    }

    wire->start = NULL;
    wire->pos = NULL;
    wire->last = NULL;
    wire->end = NULL;
}


static void
ngx_rs_redis_wire_lost(ngx_rs_redis_wire_t *wire, const char *reason,
    ngx_err_t err)
{
    ngx_rs_redis_wire_close(wire);

    wire->handlers->lost(wire->data, reason, err);
}


/* with TLS 1.3 a server looks at our certificate when we are done with its */

static void
ngx_rs_redis_wire_broken(ngx_rs_redis_wire_t *wire, const char *reason,
    ngx_err_t err)
{
    if (wire->tls && !wire->heard) {
        reason = "TLS ended before the first reply: does it want another "
                 "\"certificate=\"?";
        err = 0;
    }

    ngx_rs_redis_wire_lost(wire, reason, err);
}


static void
ngx_rs_redis_wire_read_handler(ngx_event_t *rev)
{
    u_char                buf[NGX_RS_REDIS_READ_SIZE];
    ssize_t               n;
    ngx_uint_t            i;
    ngx_connection_t     *c;
    ngx_rs_redis_wire_t  *wire;

    c = rev->data;
    wire = c->data;

    wire->busy++;

    /* an error of connect() may be told by either event */

    if (!wire->connected && ngx_rs_redis_wire_connected(wire) != NGX_OK) {
        goto done;
    }

    for (i = 0; i < NGX_RS_REDIS_READ_ROUND; i++) {

        n = rev->ready ? c->recv(c, buf, sizeof(buf)) : NGX_AGAIN;

        if (n == NGX_AGAIN) {
            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                ngx_rs_redis_wire_lost(wire, "the event method failed", 0);
            }

            goto done;
        }

        if (n == 0) {
            ngx_rs_redis_wire_lost(wire, "Redis closed the connection", 0);
            goto done;
        }

        if (n == NGX_ERROR) {
            ngx_rs_redis_wire_broken(wire, "recv() failed", ngx_socket_errno);
            goto done;
        }

        if (ngx_rs_redis_wire_parse(wire, buf, n) != NGX_OK) {
            goto done;
        }
    }

    ngx_post_event(rev, &ngx_posted_next_events);

done:

    wire->busy--;
    wire->handlers->leave(wire->data);
}


ngx_uint_t
ngx_rs_redis_wire_poll(ngx_rs_redis_wire_t *wire)
{
    ngx_connection_t  *c;

    c = wire->connection;

    /* as the event method does */

    c->read->ready = 1;
    c->read->available = -1;

    ngx_rs_redis_wire_read_handler(c->read);

    return wire->connection == c && c->read->ready;
}


/* NGX_DONE: the wire was closed, by us or by a callback */

static ngx_int_t
ngx_rs_redis_wire_parse(ngx_rs_redis_wire_t *wire, u_char *data, size_t len)
{
    void              *reply;
    size_t             rest;
    ngx_connection_t  *c;

    c = wire->connection;

    if (redisReaderFeed(wire->reader, (char *) data, len) != REDIS_OK) {
        ngx_rs_redis_wire_lost(wire, "no memory for a reply", 0);
        return NGX_DONE;
    }

    wire->received += len;

    for ( ;; ) {

        if (redisReaderGetReply(wire->reader, &reply) != REDIS_OK) {
            ngx_rs_redis_wire_lost(wire, "a reply breaks the protocol "
                                   "or our limits", 0);
            return NGX_DONE;
        }

        rest = wire->reader->len - wire->reader->pos;

        if (reply == NULL) {
            break;
        }

        wire->received = rest;
        wire->heard = 1;

        wire->handlers->reply(wire->data, reply);

        freeReplyObject(reply);

        if (wire->connection != c) {
            return NGX_DONE;
        }
    }

    /* a string is kept whole until its end comes */

    if (rest > NGX_RS_REDIS_BULK_MAX + NGX_RS_REDIS_READ_SIZE
        || wire->received > NGX_RS_REDIS_REPLY_MAX)
    {
        ngx_rs_redis_wire_lost(wire, "a reply is too large", 0);
        return NGX_DONE;
    }

    return NGX_OK;
}


static void
ngx_rs_redis_wire_write_handler(ngx_event_t *wev)
{
    ngx_connection_t     *c;
    ngx_rs_redis_wire_t  *wire;

    c = wev->data;
    wire = c->data;

    wire->busy++;

    if (!wire->connected && ngx_rs_redis_wire_connected(wire) != NGX_OK) {
        goto done;
    }

    if (ngx_rs_redis_wire_send(wire) != NGX_OK) {
        ngx_rs_redis_wire_broken(wire, "send() failed", ngx_socket_errno);
        goto done;
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        ngx_rs_redis_wire_lost(wire, "the event method failed", 0);
    }

done:

    wire->busy--;
    wire->handlers->leave(wire->data);
}


/* the first event of a connection; NGX_DONE: the wire was closed */

static ngx_int_t
ngx_rs_redis_wire_connected(ngx_rs_redis_wire_t *wire)
{
    int                err;
    socklen_t          len;
    ngx_connection_t  *c;

    c = wire->connection;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        ngx_rs_redis_wire_lost(wire, "connect() failed", err);
        return NGX_DONE;
    }

    wire->connected = 1;

    return wire->tls ? ngx_rs_redis_wire_secure(wire)
                     : ngx_rs_redis_wire_ready(wire);
}


/* until its end the connection's events are those of the handshake */

static ngx_int_t
ngx_rs_redis_wire_secure(ngx_rs_redis_wire_t *wire)
{
    ngx_int_t  rc;
    u_char     reason[NGX_RS_REDIS_TLS_REASON];

    rc = ngx_rs_redis_tls_start(wire, ngx_rs_redis_wire_secure_handler);

    if (rc == NGX_AGAIN) {
        return NGX_DONE;
    }

    if (rc != NGX_OK) {
        ngx_rs_redis_wire_lost(wire, "TLS cannot be started", 0);
        return NGX_DONE;
    }

    if (ngx_rs_redis_tls_verify(wire, reason, sizeof(reason)) != NGX_OK) {
        ngx_rs_redis_wire_lost(wire, (char *) reason, 0);
        return NGX_DONE;
    }

    return ngx_rs_redis_wire_ready(wire);
}


static void
ngx_rs_redis_wire_secure_handler(ngx_connection_t *c)
{
    u_char                reason[NGX_RS_REDIS_TLS_REASON];
    ngx_rs_redis_wire_t  *wire;

    wire = c->data;

    wire->busy++;

    c->read->handler = ngx_rs_redis_wire_read_handler;
    c->write->handler = ngx_rs_redis_wire_write_handler;

    if (ngx_rs_redis_tls_verify(wire, reason, sizeof(reason)) != NGX_OK) {
        ngx_rs_redis_wire_lost(wire, (char *) reason, 0);

    } else if (ngx_rs_redis_wire_ready(wire) == NGX_OK) {

        /* session tickets came with it, maybe */

        ngx_post_event(c->read, &ngx_posted_events);
    }

    wire->busy--;
    wire->handlers->leave(wire->data);
}


/* NGX_DONE: the wire was closed by the callback */

static ngx_int_t
ngx_rs_redis_wire_ready(ngx_rs_redis_wire_t *wire)
{
    ngx_connection_t  *c;

    c = wire->connection;

    wire->handlers->connected(wire->data);

    return wire->connection == c ? NGX_OK : NGX_DONE;
}


static ngx_int_t
ngx_rs_redis_wire_send(ngx_rs_redis_wire_t *wire)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = wire->connection;

    while (wire->pos < wire->last && c->write->ready) {

        n = c->send(c, wire->pos, wire->last - wire->pos);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (n == NGX_AGAIN) {
            break;
        }

        wire->pos += n;
    }

    if (wire->pos == wire->last) {
        wire->handlers->sent(wire->data);

        wire->pos = wire->start;
        wire->last = wire->start;

        if (wire->end - wire->start > NGX_RS_REDIS_OUT_KEEP) {
            ngx_free(wire->start);

            wire->start = NULL;
            wire->pos = NULL;
            wire->last = NULL;
            wire->end = NULL;
        }
    }

    return NGX_OK;
}


void
ngx_rs_redis_wire_flush(ngx_rs_redis_wire_t *wire)
{
    if (wire->connection && wire->connected) {
        (void) ngx_rs_redis_wire_send(wire);
    }
}


ngx_int_t
ngx_rs_redis_wire_push(ngx_rs_redis_wire_t *wire, ngx_uint_t argc,
    ngx_str_t *argv)
{
    size_t      size;
    u_char     *p;
    ngx_uint_t  i;

    /* "*" and "$", a number, CRLF for each; and CRLF after each string */

    size = 1 + NGX_INT_T_LEN + 2;

    for (i = 0; i < argc; i++) {
        if (argv[i].len > NGX_RS_REDIS_OUT_MAX) {
            return NGX_BUSY;
        }

        size += 1 + NGX_SIZE_T_LEN + 2 + argv[i].len + 2;
    }

    if (ngx_rs_redis_wire_reserve(wire, size) != NGX_OK) {
        return NGX_BUSY;
    }

    p = ngx_sprintf(wire->last, "*%ui" CRLF, argc);

    for (i = 0; i < argc; i++) {
        p = ngx_sprintf(p, "$%uz" CRLF, argv[i].len);

        if (argv[i].len) {
            p = ngx_cpymem(p, argv[i].data, argv[i].len);
        }

        *p++ = CR;
        *p++ = LF;
    }

    wire->last = p;

    if (wire->connection->write->ready) {
        ngx_post_event(wire->connection->write, &ngx_posted_events);
    }

    return NGX_OK;
}


/* room for size bytes after wire->last */

static ngx_int_t
ngx_rs_redis_wire_reserve(ngx_rs_redis_wire_t *wire, size_t size)
{
    size_t   used, room;
    u_char  *p;

    if (size <= (size_t) (wire->end - wire->last)) {
        return NGX_OK;
    }

    used = wire->last - wire->pos;
    room = wire->end - wire->start;

    if (used + size > NGX_RS_REDIS_OUT_MAX) {
        return NGX_BUSY;
    }

    if (used + size <= room && used <= room / 2) {
        ngx_memmove(wire->start, wire->pos, used);

    } else {
        room = ngx_max(room, NGX_RS_REDIS_OUT_FIRST);

        while (room < used + size) {
            room *= 2;
        }

        p = ngx_alloc(room, wire->log);
        if (p == NULL) {
            return NGX_BUSY;
        }

        if (used) {
            ngx_memcpy(p, wire->pos, used);
        }

        if (wire->start) {
            ngx_free(wire->start);
        }

        wire->start = p;
        wire->end = p + room;
    }

    wire->pos = wire->start;
    wire->last = wire->start + used;

    return NGX_OK;
}


/*
 * hiredis' own functions with bounds on the elements of an array, for which
 * memory is taken before the first one came, and on arrays in arrays, which
 * are freed by recursion and have no bound of its own since 1.0.
 */

static void *
ngx_rs_redis_wire_array(const redisReadTask *task,
    ngx_rs_redis_elements_t elements)
{
    ngx_uint_t            depth;
    ngx_rs_redis_wire_t  *wire;
    const redisReadTask  *outer;

    if (elements > NGX_RS_REDIS_ELEMENTS_MAX) {
        return NULL;
    }

    depth = 0;

    for (outer = task; outer; outer = outer->parent) {
        if (++depth > NGX_RS_REDIS_DEPTH_MAX) {
            return NULL;
        }
    }

    wire = task->privdata;

    return wire->array(task, elements);
}


static redisReader *
ngx_rs_redis_wire_reader(ngx_rs_redis_wire_t *wire)
{
    redisReader  *reader;

    reader = redisReaderCreate();
    if (reader == NULL) {
        return NULL;
    }

    wire->functions = *reader->fn;
    wire->array = wire->functions.createArray;
    wire->functions.createArray = ngx_rs_redis_wire_array;

    reader->fn = &wire->functions;
    reader->privdata = wire;

    return reader;
}
