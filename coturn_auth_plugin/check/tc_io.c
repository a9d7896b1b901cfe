
/*
 * Copyright (C) rs-gateway contributors
 *
 * Connections to TURN servers.  UDP has a connected socket of its own for
 * each client, so that what is refused is told at once (ICMP); TCP and TLS
 * are libevent's bufferevents.
 *
 * A callback may close its connection: `busy` counts the callers, and the
 * last of them frees.
 */


#include "tc_io.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>


#define TC_IO_OUTPUT_MAX    (256 * 1024)   /* of a stream, that waits */
#define TC_IO_DATAGRAM_MAX  65536
#define TC_IO_READS         64             /* datagrams a wake-up */
#define TC_IO_SOCKBUF       (1024 * 1024)


struct tc_io_s {
    tc_env_t            *env;
    const tc_server_t   *server;
    const tc_io_ops_t   *ops;
    void                *ctx;

    evutil_socket_t      fd;          /* UDP; -1: none */
    struct event        *read;
    struct event        *timer;       /* UDP: now; streams: connect */
    struct bufferevent  *bev;

    tc_cert_t            cert;
    unsigned             busy;
    unsigned             tls:1;       /* the handshake has begun */
    unsigned             ready:1;
    unsigned             closed:1;    /* by its owner, or failed */
    unsigned             gone:1;      /* by its owner */
};


static int tc_io_open_udp(tc_io_t *io, tc_error_t *e);
static int tc_io_open_stream(tc_io_t *io, tc_error_t *e);
static int tc_io_start_tls(tc_io_t *io);
static SSL *tc_io_ssl(tc_io_t *io);
static void tc_io_on_timer(evutil_socket_t fd, short what, void *data);
static void tc_io_on_datagram(evutil_socket_t fd, short what, void *data);
static void tc_io_on_stream(struct bufferevent *bev, void *data);
static void tc_io_on_event(struct bufferevent *bev, short what, void *data);
static void tc_io_stream_error(tc_io_t *io, short what, tc_error_t *e);
static void tc_io_fail(tc_io_t *io, const tc_error_t *e);
static void tc_io_leave(tc_io_t *io);
static int tc_io_on_verify(int good, X509_STORE_CTX *store);


SSL_CTX *
tc_io_tls(const char *ca, tc_error_t *e)
{
    int       rc;
    SSL_CTX  *tls;

    tls = SSL_CTX_new(TLS_client_method());

    if (tls == NULL) {
        tc_error_text(e, "TLS", "OpenSSL failed");
        return NULL;
    }

    (void) SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, tc_io_on_verify);

    rc = ca ? SSL_CTX_load_verify_locations(tls, ca, NULL)
            : SSL_CTX_set_default_verify_paths(tls);

    if (rc != 1) {
        tc_error_text(e, "TLS", "no certificates could be read from \"%s\"",
                      ca ? ca : "the system's folder");
        SSL_CTX_free(tls);
        return NULL;
    }

    return tls;
}


tc_io_t *
tc_io_open(tc_env_t *env, const tc_server_t *server, const tc_io_ops_t *ops,
    void *ctx, tc_error_t *e)
{
    int       rc;
    tc_io_t  *io;

    io = calloc(1, sizeof(tc_io_t));

    if (io == NULL) {
        tc_error_text(e, "connect", "no memory");
        return NULL;
    }

    io->env = env;
    io->server = server;
    io->ops = ops;
    io->ctx = ctx;
    io->fd = -1;

    io->timer = evtimer_new(env->base, tc_io_on_timer, io);

    if (io->timer == NULL) {
        tc_error_text(e, "connect", "no memory");
        tc_io_close(io);
        return NULL;
    }

    rc = server->transport == TC_UDP ? tc_io_open_udp(io, e)
                                     : tc_io_open_stream(io, e);
    if (!rc) {
        tc_io_close(io);
        return NULL;
    }

    return io;
}


static int
tc_io_open_udp(tc_io_t *io, tc_error_t *e)
{
    int              size;
    struct timeval   now;

    io->fd = socket(io->server->addr.ss_family,
                    SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (io->fd == -1
        || connect(io->fd, (const struct sockaddr *) &io->server->addr,
                   io->server->addrlen) == -1)
    {
        tc_error_text(e, "connect", "%s", strerror(errno));
        return 0;
    }

    size = TC_IO_SOCKBUF;
    (void) setsockopt(io->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));

    io->read = event_new(io->env->base, io->fd, EV_READ|EV_PERSIST,
                         tc_io_on_datagram, io);
    now = tc_timeval(0);

    if (io->read == NULL
        || event_add(io->read, NULL) != 0
        || event_add(io->timer, &now) != 0)
    {
        tc_error_text(e, "connect", "no memory");
        return 0;
    }

    return 1;
}


static int
tc_io_open_stream(tc_io_t *io, tc_error_t *e)
{
    struct timeval  tv;

    io->bev = bufferevent_socket_new(io->env->base, -1,
                                     BEV_OPT_CLOSE_ON_FREE);
    tv = tc_timeval((uint64_t) io->env->timeout_ms * 1000);

    if (io->bev == NULL || event_add(io->timer, &tv) != 0) {
        tc_error_text(e, "connect", "no memory");
        return 0;
    }

    bufferevent_setcb(io->bev, tc_io_on_stream, NULL, tc_io_on_event, io);

    if (bufferevent_socket_connect(io->bev,
                              (const struct sockaddr *) &io->server->addr,
                              (int) io->server->addrlen) != 0)
    {
        tc_error_text(e, "connect", "%s", strerror(errno));
        return 0;
    }

    return 1;
}


/*
 * TLS over the socket that is connected: libevent's own way loses why a
 * connect failed.  1 or 0.
 */

static int
tc_io_start_tls(tc_io_t *io)
{
    SSL              *ssl;
    evutil_socket_t   fd;

    ssl = tc_io_ssl(io);

    if (ssl == NULL) {
        return 0;
    }

    fd = bufferevent_getfd(io->bev);
    (void) bufferevent_setfd(io->bev, -1);
    bufferevent_free(io->bev);

    io->tls = 1;
    io->bev = bufferevent_openssl_socket_new(io->env->base, fd, ssl,
                                             BUFFEREVENT_SSL_CONNECTING,
                                             BEV_OPT_CLOSE_ON_FREE);
    if (io->bev == NULL) {
        SSL_free(ssl);
        (void) close(fd);
        return 0;
    }

    bufferevent_openssl_set_allow_dirty_shutdown(io->bev, 1);
    bufferevent_setcb(io->bev, tc_io_on_stream, NULL, tc_io_on_event, io);

    return bufferevent_enable(io->bev, EV_READ|EV_WRITE) == 0;
}


static SSL *
tc_io_ssl(tc_io_t *io)
{
    int          rc;
    SSL         *ssl;
    const char  *name;

    ssl = SSL_new(io->env->tls);

    if (ssl == NULL) {
        return NULL;
    }

    name = io->env->tls_name ? io->env->tls_name : io->server->host;
    rc = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);

    if (rc != 1) {
        rc = SSL_set1_host(ssl, name) == 1
             && SSL_set_tlsext_host_name(ssl, name) == 1;
    }

    if (rc != 1 || SSL_set_app_data(ssl, io) != 1) {
        SSL_free(ssl);
        return NULL;
    }

    return ssl;
}


/* called for each certificate of the chain, and for each problem */

static int
tc_io_on_verify(int good, X509_STORE_CTX *store)
{
    SSL        *ssl;
    X509       *cert;
    time_t      end;
    tc_io_t    *io;
    struct tm   tm;

    ssl = X509_STORE_CTX_get_ex_data(store,
                                     SSL_get_ex_data_X509_STORE_CTX_idx());
    io = SSL_get_app_data(ssl);

    cert = X509_STORE_CTX_get0_cert(store);

    if (cert != NULL && io->cert.subject[0] == '\0') {
        (void) X509_NAME_oneline(X509_get_subject_name(cert),
                                 io->cert.subject,
                                 (int) sizeof(io->cert.subject));
    }

    if (!good && io->cert.problem[0] == '\0') {
        (void) snprintf(io->cert.problem, sizeof(io->cert.problem), "%s",
                        X509_verify_cert_error_string(
                                        X509_STORE_CTX_get_error(store)));
    }

    cert = X509_STORE_CTX_get_current_cert(store);

    if (cert != NULL
        && ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1)
    {
        end = timegm(&tm);

        if (!io->cert.known || end < io->cert.not_after) {
            io->cert.known = 1;
            io->cert.not_after = end;
        }
    }

    return good || io->env->insecure;
}


static void
tc_io_on_timer(evutil_socket_t fd, short what, void *data)
{
    tc_io_t     *io;
    tc_error_t   e;

    (void) fd;
    (void) what;
    io = data;

    if (io->server->transport == TC_UDP) {
        io->ready = 1;
        io->busy++;
        io->ops->ready(io->ctx);
        tc_io_leave(io);

        return;
    }

    memset(&e, 0, sizeof(tc_error_t));
    tc_error_text(&e, "connect", "not connected within %u ms",
                  io->env->timeout_ms);

    io->busy++;
    tc_io_fail(io, &e);
    tc_io_leave(io);
}


static void
tc_io_on_datagram(evutil_socket_t fd, short what, void *data)
{
    ssize_t          n;
    tc_io_t         *io;
    unsigned         i;
    tc_error_t       e;
    rs_stun_frame_t  f;

    static uint8_t   buf[TC_IO_DATAGRAM_MAX];

    (void) what;
    io = data;
    io->busy++;

    for (i = 0; i < TC_IO_READS && !io->closed; i++) {
        n = recv(fd, buf, sizeof(buf), 0);

        if (n == -1) {
            if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
                break;
            }

            memset(&e, 0, sizeof(tc_error_t));
            tc_error_text(&e, "connect", "%s", strerror(errno));
            tc_io_fail(io, &e);
            break;
        }

        /* what is no frame is nobody's */

        if (rs_stun_frame((rs_str_t) { buf, (size_t) n }, 0, &f) == RS_OK) {
            io->ops->frame(io->ctx, &f);
        }
    }

    tc_io_leave(io);
}


static void
tc_io_on_stream(struct bufferevent *bev, void *data)
{
    size_t            len;
    tc_io_t          *io;
    rs_err_e          rc;
    tc_error_t        e;
    struct evbuffer  *in;
    rs_stun_frame_t   f;

    io = data;
    io->busy++;
    in = bufferevent_get_input(bev);

    while (!io->closed && (len = evbuffer_get_length(in)) != 0) {
        if (len > RS_STUN_FRAME_MAX) {
            len = RS_STUN_FRAME_MAX;
        }

        rc = rs_stun_frame((rs_str_t) { evbuffer_pullup(in, (ssize_t) len),
                                        len }, 1, &f);
        if (rc == RS_AGAIN) {
            break;
        }

        if (rc != RS_OK) {
            memset(&e, 0, sizeof(tc_error_t));
            tc_error_text(&e, "connect",
                          "what comes is not STUN: is this port a TURN "
                          "server's?");
            tc_io_fail(io, &e);
            break;
        }

        io->ops->frame(io->ctx, &f);

        if (!io->closed) {
            (void) evbuffer_drain(in, f.size);
        }
    }

    tc_io_leave(io);
}


static void
tc_io_on_event(struct bufferevent *bev, short what, void *data)
{
    int          one;
    tc_io_t     *io;
    tc_error_t   e;

    io = data;
    io->busy++;

    if ((what & BEV_EVENT_CONNECTED) && io->server->transport == TC_TLS
        && !io->tls)
    {
        if (!tc_io_start_tls(io)) {
            memset(&e, 0, sizeof(tc_error_t));
            tc_error_text(&e, "TLS", "cannot be begun with this name");
            tc_io_fail(io, &e);
        }

    } else if (what & BEV_EVENT_CONNECTED) {
        one = 1;
        (void) setsockopt(bufferevent_getfd(bev), IPPROTO_TCP, TCP_NODELAY,
                          &one, sizeof(one));
        (void) bufferevent_enable(bev, EV_READ|EV_WRITE);
        (void) event_del(io->timer);
        io->ready = 1;
        io->ops->ready(io->ctx);

    } else if (what & (BEV_EVENT_ERROR|BEV_EVENT_EOF)) {
        memset(&e, 0, sizeof(tc_error_t));
        tc_io_stream_error(io, what, &e);
        tc_io_fail(io, &e);
    }

    tc_io_leave(io);
}


static void
tc_io_stream_error(tc_io_t *io, short what, tc_error_t *e)
{
    int            err;
    char           text[TC_TEXT_MAX];
    unsigned long  ssl;

    err = EVUTIL_SOCKET_ERROR();
    ssl = 0;

    if (io->tls) {
        ssl = bufferevent_get_openssl_error(io->bev);
    }

    /* else it is that of a system call */

    if (ERR_GET_LIB(ssl) == 0) {
        ssl = 0;
    }

    if (!io->ready && io->cert.problem[0] != '\0' && !io->env->insecure) {
        tc_error_text(e, "TLS", "certificate: %s", io->cert.problem);

    } else if (ssl) {
        ERR_error_string_n(ssl, text, sizeof(text));
        tc_error_text(e, "TLS", "%s", text);

    } else if ((what & BEV_EVENT_ERROR) && err) {
        tc_error_text(e, "connect", "%s",
                      evutil_socket_error_to_string(err));

    } else {
        tc_error_text(e, "connect", "the server closed the connection%s",
                      io->ready ? "" : " before it stood");
    }
}


/* once, and never after the owner has closed it */

static void
tc_io_fail(tc_io_t *io, const tc_error_t *e)
{
    if (io->closed) {
        return;
    }

    io->closed = 1;
    io->ops->failed(io->ctx, e);
}


int
tc_io_send(tc_io_t *io, rs_str_t head, rs_str_t body)
{
    struct iovec      iov[2];
    struct msghdr     msg;
    struct evbuffer  *out;

    if (io->closed || !io->ready) {
        return 0;
    }

    if (io->bev != NULL) {
        out = bufferevent_get_output(io->bev);

        if (evbuffer_get_length(out) + head.len + body.len
            > TC_IO_OUTPUT_MAX)
        {
            return 0;
        }

        return evbuffer_expand(out, head.len + body.len) == 0
               && evbuffer_add(out, head.data, head.len) == 0
               && evbuffer_add(out, body.data, body.len) == 0;
    }

    iov[0].iov_base = (void *) (uintptr_t) head.data;
    iov[0].iov_len = head.len;
    iov[1].iov_base = (void *) (uintptr_t) body.data;
    iov[1].iov_len = body.len;

    memset(&msg, 0, sizeof(struct msghdr));
    msg.msg_iov = iov;
    msg.msg_iovlen = body.len ? 2 : 1;

    /* an earlier datagram's error is told first: that of this one is next */

    return sendmsg(io->fd, &msg, MSG_NOSIGNAL) != -1
           || (errno == ECONNREFUSED
               && sendmsg(io->fd, &msg, MSG_NOSIGNAL) != -1);
}


const tc_cert_t *
tc_io_cert(const tc_io_t *io)
{
    return &io->cert;
}


void
tc_io_close(tc_io_t *io)
{
    io->closed = 1;
    io->gone = 1;
    io->busy++;
    tc_io_leave(io);
}


static void
tc_io_leave(tc_io_t *io)
{
    if (--io->busy || !io->gone) {
        return;
    }

    if (io->read != NULL) {
        event_free(io->read);
    }

    if (io->timer != NULL) {
        event_free(io->timer);
    }

    if (io->bev != NULL) {
        bufferevent_free(io->bev);
    }

    if (io->fd != -1) {
        (void) close(io->fd);
    }

    free(io);
}
