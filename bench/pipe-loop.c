
/*
 * Copyright (C) rs-gateway contributors
 *
 * The client of bench/pipe: one process that sends, one that receives and
 * checks each byte, through nginx' stream proxy or through a pipe.
 *
 *     pipe-loop SECONDS FRAME PORT [CA] < tickets
 *     pipe-loop SECONDS 0 PORT:LISTEN [CA CERT KEY]
 *
 * FRAME bytes are in a WebSocket frame; the tickets of the client's and the
 * host's side are two lines.  With 0 there are no frames, and the receiver is
 * a server at LISTEN.  CA: by TLS, all the way.  Prints one JSON object.
 */


#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rl_pipe.h"


#define IN             (256 * 1024)
#define TICKET         256
#define HEAD           4096
#define PATIENCE       30                /* seconds without any byte */

/* the empty message, and a close frame with 1000; their masks are zeros */

#define END            "\x82\x80\0\0\0\0"
#define CLOSE          "\x88\x82\0\0\0\0\x03\xe8"


typedef struct {
    int       fd;
    SSL      *ssl;
} wire_t;


typedef struct {
    double       seconds;
    size_t       frame;
    unsigned     port;
    unsigned     listen;
    const char  *ca;
    const char  *cert;
    const char  *key;
    char         ticket[2][TICKET];      /* client's, host's */
} conf_t;


static void
fail(const char *what)
{
    fprintf(stderr, "pipe-loop: %s: %s\n", what,
            errno ? strerror(errno) : "refused, or no such answer");
    exit(1);
}


static double
now(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);

    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}


static size_t
get(wire_t *w, void *p, size_t len)
{
    ssize_t  n;

    n = w->ssl ? SSL_read(w->ssl, p, (int) len) : read(w->fd, p, len);

    if (n < 0 || (w->ssl && n == 0
                  && SSL_get_error(w->ssl, 0) != SSL_ERROR_ZERO_RETURN))
    {
        fail("read");
    }

    return (size_t) n;
}


static void
put(wire_t *w, const void *p, size_t len)
{
    ssize_t         n;
    const uint8_t  *in;

    for (in = p; len; in += n, len -= (size_t) n) {
        n = w->ssl ? SSL_write(w->ssl, in, (int) len) : write(w->fd, in, len);

        if (n <= 0) {
            fail("write");
        }
    }
}


static void
ready(int fd)
{
    int             one;
    struct timeval  tv;

    one = 1;
    tv = (struct timeval) { PATIENCE, 0 };

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0
        || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) != 0
        || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) != 0)
    {
        fail("setsockopt");
    }
}


static int
loopback(unsigned port, int (*act)(int, const struct sockaddr *, socklen_t))
{
    int                 fd, one;
    struct sockaddr_in  sin;

    fd = socket(AF_INET, SOCK_STREAM, 0);
    one = 1;

    if (fd == -1
        || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0)
    {
        fail("socket");
    }

    sin = (struct sockaddr_in) { .sin_family = AF_INET,
                                 .sin_port = htons((uint16_t) port) };
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    if (act(fd, (struct sockaddr *) &sin, sizeof(sin)) != 0) {
        fail("127.0.0.1");
    }

    return fd;
}


static wire_t
called(const conf_t *c)
{
    wire_t    w;
    SSL_CTX  *ctx;

    w.fd = loopback(c->port, connect);
    w.ssl = NULL;
    ready(w.fd);

    if (c->ca == NULL) {
        return w;
    }

    ctx = SSL_CTX_new(TLS_client_method());

    if (ctx == NULL || SSL_CTX_load_verify_locations(ctx, c->ca, NULL) != 1) {
        fail(c->ca);
    }

    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    w.ssl = SSL_new(ctx);

    if (w.ssl == NULL || SSL_set1_host(w.ssl, "127.0.0.1") != 1
        || SSL_set_fd(w.ssl, w.fd) != 1 || SSL_connect(w.ssl) != 1)
    {
        fail("TLS");
    }

    return w;
}


static wire_t
answered(const conf_t *c, int fd)
{
    wire_t    w;
    SSL_CTX  *ctx;

    w.fd = accept(fd, NULL, NULL);
    w.ssl = NULL;

    if (w.fd == -1) {
        fail("accept");
    }

    ready(w.fd);

    if (c->ca == NULL) {
        return w;
    }

    ctx = SSL_CTX_new(TLS_server_method());

    if (ctx == NULL || SSL_CTX_use_certificate_chain_file(ctx, c->cert) != 1
        || SSL_CTX_use_PrivateKey_file(ctx, c->key, SSL_FILETYPE_PEM) != 1)
    {
        fail(c->cert);
    }

    w.ssl = SSL_new(ctx);

    if (w.ssl == NULL || SSL_set_fd(w.ssl, w.fd) != 1
        || SSL_accept(w.ssl) != 1)
    {
        fail("TLS");
    }

    return w;
}


/* the upgrade, with key and answer of RFC 6455, 1.3; reads no byte beyond it */

static void
upgrade(wire_t *w, const char *ticket, const char *side)
{
    int     n;
    char    head[HEAD];
    size_t  len;

    n = snprintf(head, sizeof(head),
                 "GET /rs/v1/pipe HTTP/1.1\r\nHost: localhost\r\n"
                 "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                 "Sec-WebSocket-Protocol: rs.v1, rs.ticket.%s, rs.side.%s"
                 "\r\n\r\n", ticket, side);
    put(w, head, (size_t) n);

    errno = 0;

    for (len = 0; len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0;
         len++)
    {
        if (len == HEAD - 1 || get(w, head + len, 1) == 0) {
            fail("upgrade");
        }
    }

    head[len] = '\0';

    if (strstr(head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == NULL) {
        fail("upgrade");
    }
}


/* the sender's life: its bytes are told by a pipe when it ends */

static void
sender(const conf_t *c, int tell)
{
    wire_t          w;
    size_t          n, len;
    double          until;
    uint64_t        sent;
    rl_pipe_t       back;
    static uint8_t  block[RL_PIPE_ROOM];

    memset(&back, 0, sizeof(back));
    len = rl_pipe_block(block, c->frame);
    w = called(c);

    if (c->frame) {
        upgrade(&w, c->ticket[0], "client");
    }

    until = now() + c->seconds;

    for (sent = 0; now() < until; sent += RL_PIPE_BLOCK) {
        put(&w, block, len);
    }

    if (write(tell, &sent, sizeof(sent)) != sizeof(sent)) {
        fail("pipe");
    }

    if (c->frame) {
        put(&w, END, sizeof(END) - 1);

        /* until the other end is done, too */

        do {
            n = get(&w, block, sizeof(block));
        } while (n && rl_pipe_take(&back, block, n) == RL_PIPE_MORE);

        put(&w, CLOSE, sizeof(CLOSE) - 1);

    } else if (w.ssl) {
        (void) SSL_shutdown(w.ssl);

    } else {
        (void) shutdown(w.fd, SHUT_WR);
    }

    while (read(w.fd, block, sizeof(block)) > 0) { /* void */ }
}


/* all there is; the seconds from the first byte to the last */

static double
receiver(const conf_t *c, wire_t *w, rl_pipe_t *p)
{
    size_t          n;
    double          first, last;
    rl_pipe_e       rc;
    static uint8_t  in[IN];

    first = last = 0;

    for ( ;; ) {
        n = get(w, in, sizeof(in));
        last = now();

        if (first == 0) {
            first = last;
        }

        rc = c->frame ? rl_pipe_take(p, in, n) : rl_pipe_bytes(p, in, n);

        if (rc == RL_PIPE_WRONG || (n == 0 && c->frame)) {
            errno = 0;
            fail("the stream");
        }

        if (rc == RL_PIPE_END || n == 0) {
            break;
        }
    }

    if (c->frame) {
        put(w, END CLOSE, sizeof(END CLOSE) - 1);
    }

    return last - first;
}


static int
run(const conf_t *c)
{
    int        fd, status, tell[2];
    pid_t      pid;
    wire_t     w;
    double     s;
    uint64_t   sent;
    rl_pipe_t  p;

    fd = -1;

    if (c->frame == 0) {
        fd = loopback(c->listen, bind);

        if (listen(fd, 1) != 0) {
            fail("listen");
        }
    }

    if (pipe(tell) != 0 || (pid = fork()) == -1) {
        fail("fork");
    }

    if (pid == 0) {
        sender(c, tell[1]);
        _exit(0);
    }

    (void) close(tell[1]);

    if (c->frame) {
        w = called(c);
        upgrade(&w, c->ticket[1], "host");

    } else {
        w = answered(c, fd);
    }

    memset(&p, 0, sizeof(p));
    s = receiver(c, &w, &p);
    (void) close(w.fd);

    if (read(tell[0], &sent, sizeof(sent)) != sizeof(sent)
        || waitpid(pid, &status, 0) != pid || status != 0
        || sent != p.bytes)
    {
        errno = 0;
        fail("not all that was sent has come");
    }

    printf("{\"bytes\":%llu,\"seconds\":%.6f,\"frames\":%llu}\n",
           (unsigned long long) p.bytes, s, (unsigned long long) p.frames);

    return 0;
}


int
main(int argc, char **argv)
{
    int     i;
    char   *colon;
    conf_t  c;

    memset(&c, 0, sizeof(c));

    if (argc < 4 || argc > 7) {
        fprintf(stderr, "usage: pipe-loop SECONDS FRAME PORT[:LISTEN] "
                "[CA [CERT KEY]]\n");
        return 2;
    }

    c.seconds = atof(argv[1]);
    c.frame = (size_t) strtoul(argv[2], NULL, 10);
    c.port = (unsigned) strtoul(argv[3], &colon, 10);
    c.listen = *colon ? (unsigned) strtoul(colon + 1, NULL, 10) : 0;
    c.ca = argc > 4 ? argv[4] : NULL;
    c.cert = argc > 6 ? argv[5] : NULL;
    c.key = argc > 6 ? argv[6] : NULL;

    if (c.seconds <= 0 || c.seconds > 60
        || (c.frame ? c.frame < RL_PIPE_FRAME_MIN || c.frame > RL_PIPE_BLOCK
                      || RL_PIPE_BLOCK % c.frame
                    : c.listen == 0 || (c.ca && c.key == NULL)))
    {
        fprintf(stderr, "pipe-loop: up to 60 seconds, frames of %d to %d "
                "bytes by powers of two, or 0 and a port to listen at\n",
                RL_PIPE_FRAME_MIN, RL_PIPE_BLOCK);
        return 2;
    }

    for (i = 0; i < 2 && c.frame; i++) {
        if (fgets(c.ticket[i], TICKET, stdin) == NULL) {
            errno = 0;
            fail("two tickets on standard input");
        }

        c.ticket[i][strcspn(c.ticket[i], "\r\n")] = '\0';
    }

    (void) signal(SIGPIPE, SIG_IGN);

    return run(&c);
}
