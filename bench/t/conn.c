
/*
 * Copyright (C) rs-gateway contributors
 *
 * Connects that come to nothing are told and counted: refused, or lost before
 * TLS stands; one that opened and was closed later is neither.
 */


#include <arpa/inet.h>
#include <unistd.h>

#include "tap.h"

#include "rl_conn.h"


static int          closed;
static int          opened;


static void
on_open(void *data)
{
    (void) data;

    opened++;
}


static void
on_data(void *data, uint8_t *p, size_t len)
{
    (void) data;
    (void) p;
    (void) len;
}


static void
on_close(void *data, const char *why)
{
    (void) data;
    (void) why;

    closed++;
    rl_loop_stop();
}


/* a socket that listens on a port of its own, and the port */

static int
listener(uint16_t *port)
{
    int                 fd;
    socklen_t           len;
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    len = sizeof(sin);
    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1 || bind(fd, (struct sockaddr *) &sin, len) != 0
        || listen(fd, 8) != 0
        || getsockname(fd, (struct sockaddr *) &sin, &len) != 0)
    {
        printf("not ok - no listening socket\n");
        exit(1);
    }

    *port = ntohs(sin.sin_port);

    return fd;
}


/* takes the connection and ends it at once, without a word */

static void
hang_up(void *data, uint32_t events)
{
    int          fd;
    rl_watch_t  *w;

    (void) events;

    w = data;
    fd = accept(w->fd, NULL, NULL);

    if (fd != -1) {
        (void) close(fd);
    }
}


static void
try(rl_net_t *net, const char *scheme, uint16_t port)
{
    char       err[256], url[64];
    rl_conn_t  c;

    memset(net, 0, sizeof(rl_net_t));
    memset(&c, 0, sizeof(rl_conn_t));
    (void) snprintf(url, sizeof(url), "%s://127.0.0.1:%u", scheme, port);

    if (rl_net_tls(net, NULL, err, sizeof(err)) != 0
        || rl_net_add(net, url, 0, err, sizeof(err)) != 0)
    {
        printf("not ok - %s\n", err);
        exit(1);
    }

    opened = closed = 0;
    c.on_open = on_open;
    c.on_data = on_data;
    c.on_close = on_close;
    rl_conn_open(&c, net, 5 * RL_SEC);
    rl_loop_run();
    rl_conn_destroy(&c);
    rl_net_done(net);
}


int
main(void)
{
    int         fd;
    uint16_t    port;
    rl_net_t    net;
    rl_watch_t  w;

    if (rl_loop_init() != 0) {
        printf("not ok - no epoll\n");
        return 1;
    }

    fd = listener(&port);
    memset(&w, 0, sizeof(w));
    w.fd = fd;
    w.handler = hang_up;
    w.data = &w;
    (void) rl_watch(&w, EPOLLIN);

    try(&net, "http", port);
    ok(opened == 1 && closed == 1, "opened, then closed");
    ok(net.refused == 0 && net.failed == 0, "neither refused nor failed");

    try(&net, "https", port);
    ok(opened == 0 && closed == 1, "closed before TLS stands");
    ok(net.refused == 0 && net.failed == 1, "counted as failed");

    rl_unwatch(&w);
    (void) close(fd);

    try(&net, "https", port);
    ok(opened == 0 && closed == 1, "nobody listens");
    ok(net.refused == 1 && net.failed == 0, "counted as refused");

    rl_loop_done();

    return tap_done();
}
