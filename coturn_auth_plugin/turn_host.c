
/*
 * Copyright (C) rs-gateway contributors
 *
 * What the host lacks.
 */


#include "turn_host.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rs_ip.h"
#include "turn_log.h"


#define TURN_HOST_RELAYS  16
#define TURN_HOST_TRIES   64
#define TURN_HOST_TOKEN   16


typedef struct {
    struct event       *event;
    int                 fd;
    unsigned char       token[TURN_HOST_TOKEN];
    char                relay[RS_IP_TEXT_MAX + 1];
} turn_host_probe_t;


struct turn_host_s {
    unsigned            n;
    turn_host_probe_t   probe[TURN_HOST_RELAYS];
};


static int turn_host_listens(const turn_conf_t *conf, const rs_ip_t *ip);
static void turn_host_probe(struct event_base *base, const turn_conf_t *conf,
    turn_host_probe_t *probe, const rs_ip_t *ip);
static socklen_t turn_host_addr(struct sockaddr_storage *addr,
    const rs_ip_t *ip, unsigned port);
static int turn_host_bind(const turn_conf_t *conf, const rs_ip_t *ip,
    struct sockaddr_storage *addr);
static int turn_host_send(turn_host_probe_t *probe, const rs_ip_t *ip,
    const struct sockaddr_storage *to);
static void turn_host_read(evutil_socket_t fd, short what, void *data);
static void turn_host_end(turn_host_probe_t *probe);


turn_host_t *
turn_host_check(struct event_base *base, const turn_conf_t *conf)
{
    size_t        i;
    rs_ip_t       ip;
    const char   *relay;
    turn_host_t  *host;

    host = calloc(1, sizeof(turn_host_t));

    if (host == NULL) {
        return NULL;
    }

    for (i = 0; i < conf->relay_ip.n; i++) {
        relay = conf->relay_ip.item[i];

        if (rs_ip_parse(rs_str(relay), &ip) != RS_OK) {
            continue;
        }

        if (turn_host_listens(conf, &ip)) {
            turn_log(TURN_LOG_WARN, "relay_ip and listening_ip are both %s: "
                     "whoever has a relay reaches coturn, and every UDP "
                     "service of this host, from within: give the relay an "
                     "address of its own", relay);

        } else if (host->n < TURN_HOST_RELAYS) {
            (void) strcpy(host->probe[host->n].relay, relay);
            turn_host_probe(base, conf, &host->probe[host->n++], &ip);
        }
    }

    if (host->n == 0) {
        free(host);
        return NULL;
    }

    return host;
}


void
turn_host_free(turn_host_t *host)
{
    unsigned  i;

    if (host == NULL) {
        return;
    }

    for (i = 0; i < host->n; i++) {
        turn_host_end(&host->probe[i]);
    }

    free(host);
}


static int
turn_host_listens(const turn_conf_t *conf, const rs_ip_t *ip)
{
    size_t   i;
    rs_ip_t  other;

    for (i = 0; i < conf->listening_ip.n; i++) {
        if (rs_ip_parse(rs_str(conf->listening_ip.item[i]), &other) == RS_OK
            && rs_ip_cmp(&other, ip) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static void
turn_host_probe(struct event_base *base, const turn_conf_t *conf,
    turn_host_probe_t *probe, const rs_ip_t *ip)
{
    struct timeval           timeout;
    struct sockaddr_storage  addr;

    timeout.tv_sec = 0;
    timeout.tv_usec = TURN_HOST_TIMEOUT * 1000;

    probe->fd = turn_host_bind(conf, ip, &addr);

    if (probe->fd == -1) {
        turn_log(TURN_LOG_WARN, "relay_ip %s cannot be used: %s: is it an "
                 "address of this host?", probe->relay, strerror(errno));
        return;
    }

    probe->event = event_new(base, probe->fd, EV_READ|EV_PERSIST,
                             turn_host_read, probe);

    if (probe->event == NULL || event_add(probe->event, &timeout) != 0
        || RAND_bytes(probe->token, TURN_HOST_TOKEN) != 1
        || !turn_host_send(probe, ip, &addr))
    {
        turn_log(TURN_LOG_WARN, "cannot try whether a kernel rule closes "
                 "relay_ip %s: %s: \"nft list table inet rs_turn\" tells "
                 "root", probe->relay, strerror(errno));
        turn_host_end(probe);
    }
}


static socklen_t
turn_host_addr(struct sockaddr_storage *addr, const rs_ip_t *ip,
    unsigned port)
{
    struct sockaddr_in   *v4 = (struct sockaddr_in *) addr;
    struct sockaddr_in6  *v6 = (struct sockaddr_in6 *) addr;

    memset(addr, 0, sizeof(struct sockaddr_storage));

    if (ip->len == RS_IP_V4) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t) port);
        memcpy(&v4->sin_addr, ip->b, RS_IP_V4);

        return sizeof(struct sockaddr_in);
    }

    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t) port);
    memcpy(&v6->sin6_addr, ip->b, RS_IP_V6);

    return sizeof(struct sockaddr_in6);
}


/* a port of the address that no relay has: the rule lets those through */

static int
turn_host_bind(const turn_conf_t *conf, const rs_ip_t *ip,
    struct sockaddr_storage *addr)
{
    int        fd, error;
    uint16_t   port;
    unsigned   i;
    socklen_t  len;

    fd = socket(ip->len == RS_IP_V4 ? AF_INET : AF_INET6,
                SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (fd == -1) {
        return -1;
    }

    error = EADDRINUSE;

    for (i = 0; i < TURN_HOST_TRIES && error == EADDRINUSE; i++) {
        if (RAND_bytes((unsigned char *) &port, sizeof(port)) != 1
            || port < 1024
            || (port >= conf->min_port && port <= conf->max_port))
        {
            continue;
        }

        len = turn_host_addr(addr, ip, port);

        if (bind(fd, (struct sockaddr *) addr, len) == 0) {
            return fd;
        }

        error = errno;
    }

    (void) close(fd);
    errno = error;

    return -1;
}


static int
turn_host_send(turn_host_probe_t *probe, const rs_ip_t *ip,
    const struct sockaddr_storage *to)
{
    int                      fd, rc;
    socklen_t                len;
    struct sockaddr_storage  from;

    fd = socket(to->ss_family, SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (fd == -1) {
        return 0;
    }

    len = turn_host_addr(&from, ip, 0);
    rc = bind(fd, (struct sockaddr *) &from, len) == 0
         && sendto(fd, probe->token, TURN_HOST_TOKEN, 0,
                   (const struct sockaddr *) to, len) == TURN_HOST_TOKEN;

    (void) close(fd);

    return rc;
}


static void
turn_host_read(evutil_socket_t fd, short what, void *data)
{
    ssize_t             n;
    unsigned char       buf[TURN_HOST_TOKEN + 1];
    turn_host_probe_t  *probe = data;

    if (what & EV_TIMEOUT) {
        turn_log(TURN_LOG_INFO, "relay_ip %s is closed by a kernel rule",
                 probe->relay);
        turn_host_end(probe);
        return;
    }

    n = recv(fd, buf, sizeof(buf), 0);

    if (n != TURN_HOST_TOKEN || memcmp(buf, probe->token, sizeof(probe->token)))
    {
        /* a stranger's */
        return;
    }

    turn_log(TURN_LOG_WARN, "no kernel rule closes relay_ip %s: whoever has "
             "a relay reaches the UDP services of this host that are bound "
             "to 0.0.0.0 or to it: load what --print-nft prints",
             probe->relay);
    turn_host_end(probe);
}


static void
turn_host_end(turn_host_probe_t *probe)
{
    if (probe->event != NULL) {
        event_free(probe->event);
        probe->event = NULL;
    }

    if (probe->fd != -1) {
        (void) close(probe->fd);
        probe->fd = -1;
    }
}
