
/*
 * Copyright (C) rs-gateway contributors
 *
 * One client connection: see rl_conn.h.  The only file that reads from and
 * writes to sockets.
 */


#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rl_conn.h"


#define RL_CONN_READ           65536
#define RL_CONN_READS          8      /* of one event, then others' turn */


static int rl_conn_start(rl_conn_t *c, rl_net_t *net);
static int rl_conn_bind(int fd, rl_net_t *net);
static int rl_conn_tls(rl_conn_t *c, rl_net_t *net);
static void rl_conn_timeout(void *data);
static void rl_conn_event(void *data, uint32_t events);
static void rl_conn_handshake(rl_conn_t *c);
static void rl_conn_ready(rl_conn_t *c);
static void rl_conn_read(rl_conn_t *c);
static ssize_t rl_conn_recv(rl_conn_t *c, uint8_t *buf, size_t size);
static int rl_conn_flush(rl_conn_t *c);
static void rl_conn_want(rl_conn_t *c, uint32_t events);
static void rl_conn_fail(rl_conn_t *c, const char *why);
static const char *rl_conn_tls_error(rl_conn_t *c);


static rl_conn_t  *rl_conn_dirty;


void
rl_conn_open(rl_conn_t *c, rl_net_t *net, uint64_t timeout)
{
    c->net = net;
    c->target = &net->targets[net->next_target++ % net->n];
    c->broken = 0;
    c->out_pos = 0;
    c->out_len = 0;
    c->opened++;

    c->deadline.handler = rl_conn_timeout;
    c->deadline.data = c;

    if (rl_conn_start(c, net) != 0) {

        /* told by the timer: never inside this call */

        c->broken = 1;
        timeout = 0;
    }

    rl_timer_set(&c->deadline, timeout);
}


static int
rl_conn_start(rl_conn_t *c, rl_net_t *net)
{
    int  fd, on;

    fd = socket(c->target->addr.ss_family,
                SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (fd == -1) {
        return -1;
    }

    on = 1;
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    c->watch.fd = fd;
    c->watch.handler = rl_conn_event;
    c->watch.data = c;
    c->events = EPOLLOUT;

    if ((net->nsources && rl_conn_bind(fd, net) != 0)
        || (connect(fd, (const struct sockaddr *) &c->target->addr,
                    c->target->len) != 0 && errno != EINPROGRESS)
        || (c->target->tls && rl_conn_tls(c, net) != 0)
        || rl_watch(&c->watch, c->events) != 0)
    {
        SSL_free(c->ssl);
        c->ssl = NULL;
        (void) close(fd);
        return -1;
    }

    c->state = RL_CONN_CONNECTING;

    return 0;
}


static int
rl_conn_bind(int fd, rl_net_t *net)
{
    int                 on;
    struct sockaddr_in  sin;

    on = 1;
    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr = net->sources[net->next_source++ % net->nsources];

    /* the port is chosen at connect: each source has all of them */

    (void) setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
                      sizeof(on));

    return bind(fd, (struct sockaddr *) &sin, sizeof(sin));
}


static int
rl_conn_tls(rl_conn_t *c, rl_net_t *net)
{
    struct in6_addr     addr;
    const rl_target_t  *t;

    t = c->target;
    c->ssl = SSL_new(net->ssl);

    if (c->ssl == NULL || SSL_set_fd(c->ssl, c->watch.fd) != 1) {
        return -1;
    }

    SSL_set_connect_state(c->ssl);

    if (inet_pton(AF_INET, t->host, &addr) == 1
        || inet_pton(AF_INET6, t->host, &addr) == 1)
    {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c->ssl), t->host)
               == 1 ? 0 : -1;
    }

    return SSL_set_tlsext_host_name(c->ssl, t->host) == 1
           && SSL_set1_host(c->ssl, t->host) == 1 ? 0 : -1;
}


static void
rl_conn_timeout(void *data)
{
    rl_conn_t  *c;

    c = data;

    rl_conn_fail(c, c->broken ? "could not be opened" : "connect timed out");
}


void
rl_conn_close(rl_conn_t *c)
{
    rl_timer_del(&c->deadline);

    if (c->state == RL_CONN_CLOSED) {
        return;
    }

    rl_unwatch(&c->watch);
    SSL_free(c->ssl);
    c->ssl = NULL;
    (void) close(c->watch.fd);
    c->state = RL_CONN_CLOSED;

    free(c->out);
    c->out = NULL;
    c->out_size = 0;
    c->out_pos = 0;
    c->out_len = 0;
}


void
rl_conn_destroy(rl_conn_t *c)
{
    rl_conn_t  **p;

    rl_conn_close(c);

    for (p = &rl_conn_dirty; *p && c->dirty; p = &(*p)->next_dirty) {
        if (*p == c) {
            *p = c->next_dirty;
            c->dirty = 0;
            break;
        }
    }
}


static void
rl_conn_fail(rl_conn_t *c, const char *why)
{
    if (c->state != RL_CONN_OPEN && c->net != NULL) {
        c->net->failed++;
    }

    rl_conn_close(c);
    ERR_clear_error();
    c->on_close(c->data, why);
}


static void
rl_conn_event(void *data, uint32_t events)
{
    int         err;
    socklen_t   len;
    rl_conn_t  *c;

    c = data;

    if (c->state == RL_CONN_CONNECTING) {
        err = 0;
        len = sizeof(err);
        (void) getsockopt(c->watch.fd, SOL_SOCKET, SO_ERROR, &err, &len);

        if (err == ECONNREFUSED) {
            c->net->refused++;
            c->net->failed--;
        }

        if (err != 0) {
            rl_conn_fail(c, strerror(err));
            return;
        }

        if (c->ssl == NULL) {
            rl_conn_ready(c);
            return;
        }

        c->state = RL_CONN_TLS;
    }

    if (c->state == RL_CONN_TLS) {
        rl_conn_handshake(c);
        return;
    }

    if (events & EPOLLOUT) {
        if (rl_conn_flush(c) != 0) {
            rl_conn_fail(c, "write failed");
            return;
        }
    }

    if (events & (EPOLLIN|EPOLLHUP|EPOLLERR|EPOLLRDHUP)) {
        rl_conn_read(c);
    }
}


static void
rl_conn_handshake(rl_conn_t *c)
{
    int  rc;

    ERR_clear_error();
    rc = SSL_do_handshake(c->ssl);

    if (rc == 1) {
        rl_conn_ready(c);
        return;
    }

    switch (SSL_get_error(c->ssl, rc)) {

    case SSL_ERROR_WANT_READ:
        rl_conn_want(c, EPOLLIN);
        return;

    case SSL_ERROR_WANT_WRITE:
        rl_conn_want(c, EPOLLOUT);
        return;

    default:
        rl_conn_fail(c, rl_conn_tls_error(c));
    }
}


static const char *
rl_conn_tls_error(rl_conn_t *c)
{
    long         rc;
    const char  *text;
    static char  why[160];

    rc = SSL_get_verify_result(c->ssl);

    if (rc != X509_V_OK) {
        (void) snprintf(why, sizeof(why), "certificate: %s",
                        X509_verify_cert_error_string(rc));
        return why;
    }

    text = ERR_reason_error_string(ERR_peek_error());
    (void) snprintf(why, sizeof(why), "TLS: %s", text ? text : "closed");

    return why;
}


static void
rl_conn_ready(rl_conn_t *c)
{
    rl_timer_del(&c->deadline);
    c->state = RL_CONN_OPEN;
    rl_conn_want(c, EPOLLIN);
    c->on_open(c->data);
}


static void
rl_conn_want(rl_conn_t *c, uint32_t events)
{
    if (c->events != events) {
        c->events = events;
        (void) rl_watch_change(&c->watch, events);
    }
}


/* bytes, 0: nothing now, -1: closed */

static ssize_t
rl_conn_recv(rl_conn_t *c, uint8_t *buf, size_t size)
{
    int      rc;
    ssize_t  n;

    if (c->ssl == NULL) {
        n = recv(c->watch.fd, buf, size, 0);

        if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
            return 0;
        }

        return n > 0 ? n : -1;
    }

    ERR_clear_error();
    rc = SSL_read(c->ssl, buf, (int) size);

    if (rc > 0) {
        return rc;
    }

    rc = SSL_get_error(c->ssl, rc);

    return rc == SSL_ERROR_WANT_READ || rc == SSL_ERROR_WANT_WRITE ? 0 : -1;
}


static void
rl_conn_read(rl_conn_t *c)
{
    ssize_t         n;
    unsigned        i;
    uint64_t        opened;
    static uint8_t  buf[RL_CONN_READ];

    opened = c->opened;

    /* a record is never larger than buf: nothing stays in the SSL object */

    for (i = 0; i < RL_CONN_READS; i++) {
        n = rl_conn_recv(c, buf, sizeof(buf));

        if (n == 0) {
            return;
        }

        if (n < 0) {
            rl_conn_fail(c, "closed");
            return;
        }

        c->on_data(c->data, buf, (size_t) n);

        if (c->state != RL_CONN_OPEN || c->opened != opened) {
            return;
        }

        if (c->ssl == NULL && (size_t) n < sizeof(buf)) {
            return;
        }
    }
}


uint8_t *
rl_conn_put(rl_conn_t *c, size_t len)
{
    size_t    size;
    uint8_t  *p;

    if (c->state != RL_CONN_OPEN || c->broken) {
        return NULL;
    }

    if (c->out_pos && c->out_pos == c->out_len) {
        c->out_pos = 0;
        c->out_len = 0;
    }

    if (c->out_len + len > c->out_size) {
        if (c->out_len + len > RL_CONN_OUT_MAX) {
            return NULL;
        }

        size = c->out_size ? c->out_size : 512;

        while (size < c->out_len + len) {
            size *= 2;
        }

        p = realloc(c->out, size);

        if (p == NULL) {
            return NULL;
        }

        c->out = p;
        c->out_size = size;
    }

    if (!c->dirty) {
        c->dirty = 1;
        c->next_dirty = rl_conn_dirty;
        rl_conn_dirty = c;
    }

    p = c->out + c->out_len;
    c->out_len += len;

    return p;
}


/* 0, or -1: the connection is broken */

static int
rl_conn_flush(rl_conn_t *c)
{
    int      rc;
    ssize_t  n;

    while (c->out_pos < c->out_len) {
        if (c->ssl == NULL) {
            n = send(c->watch.fd, c->out + c->out_pos,
                     c->out_len - c->out_pos, MSG_NOSIGNAL);

            if (n == -1 && errno != EAGAIN && errno != EINTR) {
                return -1;
            }

        } else {
            ERR_clear_error();
            n = SSL_write(c->ssl, c->out + c->out_pos,
                          (int) (c->out_len - c->out_pos));

            if (n <= 0) {
                rc = SSL_get_error(c->ssl, (int) n);

                if (rc != SSL_ERROR_WANT_WRITE && rc != SSL_ERROR_WANT_READ) {
                    return -1;
                }
            }
        }

        if (n <= 0) {
            rl_conn_want(c, EPOLLIN|EPOLLOUT);
            return 0;
        }

        c->out_pos += (size_t) n;
    }

    /* an idle connection holds no buffer */

    if (c->out_size > 512) {
        free(c->out);
        c->out = NULL;
        c->out_size = 0;
    }

    c->out_pos = 0;
    c->out_len = 0;
    rl_conn_want(c, EPOLLIN);

    return 0;
}


void
rl_conn_flush_all(void *data)
{
    rl_conn_t  *c;

    (void) data;

    while (rl_conn_dirty != NULL) {
        c = rl_conn_dirty;
        rl_conn_dirty = c->next_dirty;
        c->dirty = 0;

        if (c->state == RL_CONN_OPEN && rl_conn_flush(c) != 0) {

            /* what the peer said last can still be read */

            c->broken = 1;
            rl_conn_want(c, EPOLLIN);
        }
    }
}
