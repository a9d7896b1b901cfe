
/*
 * Copyright (C) rs-gateway contributors
 *
 * Where connections go to and come from: URLs, the check that they stay on
 * this machine, source addresses, TLS settings.
 */


#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rs_host.h"
#include "rl_conn.h"


static int rl_net_parse(rl_target_t *t, const char *url, char *port,
    size_t size);
static int rl_net_own(const struct sockaddr *sa);
static int rl_net_same(const struct sockaddr *a, const struct sockaddr *b);


/* 0, or -1: not such a URL */

static int
rl_net_parse(rl_target_t *t, const char *url, char *port, size_t size)
{
    size_t       len;
    rs_host_t    h;
    const char  *p, *slash;

    if (strncmp(url, "https://", 8) == 0) {
        t->tls = 1;
        p = url + 8;

    } else if (strncmp(url, "http://", 7) == 0) {
        t->tls = 0;
        p = url + 7;

    } else {
        return -1;
    }

    slash = strchr(p, '/');
    len = slash ? (size_t) (slash - p) : strlen(p);

    if (len >= sizeof(t->authority)
        || rs_host_parse((rs_str_t) { (const uint8_t *) p, len }, &h)
           != RS_OK
        || h.host.len >= sizeof(t->host))
    {
        return -1;
    }

    (void) snprintf(t->text, sizeof(t->text), "%s", url);
    memcpy(t->authority, p, len);
    t->authority[len] = '\0';

    if (h.host.data[0] == '[') {
        h.host.data++;
        h.host.len -= 2;
    }

    memcpy(t->host, h.host.data, h.host.len);
    t->host[h.host.len] = '\0';

    (void) snprintf(port, size, "%u",
                    h.port ? h.port : (t->tls ? 443u : 80u));

    if (slash == NULL) {
        t->base[0] = '\0';
        return 0;
    }

    len = strlen(slash);

    if (len >= sizeof(t->base) || strcspn(slash, "?# \r\n") != len) {
        return -1;
    }

    memcpy(t->base, slash, len + 1);

    if (t->base[len - 1] == '/') {
        t->base[len - 1] = '\0';
    }

    return 0;
}


static int
rl_net_same(const struct sockaddr *a, const struct sockaddr *b)
{
    const struct sockaddr_in   *a4, *b4;
    const struct sockaddr_in6  *a6, *b6;

    if (a->sa_family != b->sa_family) {
        return 0;
    }

    if (a->sa_family == AF_INET) {
        a4 = (const struct sockaddr_in *) (const void *) a;
        b4 = (const struct sockaddr_in *) (const void *) b;

        return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    }

    a6 = (const struct sockaddr_in6 *) (const void *) a;
    b6 = (const struct sockaddr_in6 *) (const void *) b;

    return memcmp(&a6->sin6_addr, &b6->sin6_addr, 16) == 0;
}


/* 1: of the loopback, or of an interface of this network namespace */

static int
rl_net_own(const struct sockaddr *sa)
{
    int              found;
    struct ifaddrs  *list, *i;

    if (sa->sa_family == AF_INET
        && (ntohl(((const struct sockaddr_in *) (const void *) sa)
                  ->sin_addr.s_addr) >> 24) == 127)
    {
        return 1;
    }

    if (getifaddrs(&list) != 0) {
        return 0;
    }

    found = 0;

    for (i = list; i && !found; i = i->ifa_next) {
        if (i->ifa_addr != NULL
            && (i->ifa_addr->sa_family == AF_INET
                || i->ifa_addr->sa_family == AF_INET6))
        {
            found = rl_net_same(i->ifa_addr, sa);
        }
    }

    freeifaddrs(list);

    return found;
}


int
rl_net_add(rl_net_t *net, const char *url, int any, char *err, size_t size)
{
    int               rc;
    char              port[16];
    rl_target_t      *t;
    struct addrinfo   hints, *res;

    if (net->n == RL_CONN_TARGETS) {
        (void) snprintf(err, size, "more than %d times --url",
                        RL_CONN_TARGETS);
        return -1;
    }

    t = &net->targets[net->n];

    if (strlen(url) >= sizeof(t->text)
        || rl_net_parse(t, url, port, sizeof(port)) != 0)
    {
        (void) snprintf(err, size, "\"%s\" is not of the form "
                        "http[s]://host[:port]/base", url);
        return -1;
    }

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_family = net->nsources ? AF_INET : AF_UNSPEC;

    rc = getaddrinfo(t->host, port, &hints, &res);

    if (rc == 0 && res->ai_family == AF_INET6
        && strcmp(t->host, "localhost") == 0)
    {
        /* rs-stack listens on 127.0.0.1 */

        freeaddrinfo(res);
        hints.ai_family = AF_INET;
        rc = getaddrinfo(t->host, port, &hints, &res);
    }

    if (rc != 0) {
        (void) snprintf(err, size, "\"%s\": %s", t->host, gai_strerror(rc));
        return -1;
    }

    memcpy(&t->addr, res->ai_addr, res->ai_addrlen);
    t->len = res->ai_addrlen;
    freeaddrinfo(res);

    if (!any && !rl_net_own((struct sockaddr *) &t->addr)) {
        (void) snprintf(err, size, "\"%s\" is not an address of this "
                        "machine; --any-address allows a load on others, "
                        "who should know of it", t->host);
        return -1;
    }

    net->n++;

    return 0;
}


int
rl_net_sources(rl_net_t *net, const char *text, char *err, size_t size)
{
    char      *p, *end, *save;
    char       copy[RL_CONN_SOURCES * INET_ADDRSTRLEN];
    long       i, n;

    n = strtol(text, &end, 10);

    if (*end == '\0') {
        if (n < 1 || n > RL_CONN_SOURCES) {
            (void) snprintf(err, size, "--sources %s: 1 to %d", text,
                            RL_CONN_SOURCES);
            return -1;
        }

        for (i = 0; i < n; i++) {
            net->sources[i].s_addr = htonl(0x7f000002u + (uint32_t) i);
        }

        net->nsources = (size_t) n;

        return 0;
    }

    if (strlen(text) >= sizeof(copy)) {
        (void) snprintf(err, size, "--sources: more than %d addresses",
                        RL_CONN_SOURCES);
        return -1;
    }

    memcpy(copy, text, strlen(text) + 1);

    for (p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
        if (net->nsources == RL_CONN_SOURCES
            || inet_pton(AF_INET, p, &net->sources[net->nsources]) != 1)
        {
            (void) snprintf(err, size, "--sources: \"%s\" is not an IPv4 "
                            "address, or one of more than %d", p,
                            RL_CONN_SOURCES);
            return -1;
        }

        net->nsources++;
    }

    return 0;
}


int
rl_net_tls(rl_net_t *net, const char *ca, char *err, size_t size)
{
    int  rc;

    net->ssl = SSL_CTX_new(TLS_client_method());

    if (net->ssl == NULL) {
        (void) snprintf(err, size, "OpenSSL has no memory");
        return -1;
    }

    SSL_CTX_set_mode(net->ssl, SSL_MODE_RELEASE_BUFFERS
                               |SSL_MODE_ENABLE_PARTIAL_WRITE
                               |SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(net->ssl, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_options(net->ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);

    rc = ca ? SSL_CTX_load_verify_locations(net->ssl, ca, NULL)
            : SSL_CTX_set_default_verify_paths(net->ssl);

    if (rc != 1) {
        (void) snprintf(err, size, "--ca-file %s: no certificates in PEM "
                        "could be read", ca ? ca : "(the system's)");
        return -1;
    }

    return 0;
}


void
rl_net_done(rl_net_t *net)
{
    SSL_CTX_free(net->ssl);
    net->ssl = NULL;
}
