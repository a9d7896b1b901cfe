
/*
 * Copyright (C) rs-gateway contributors
 *
 * Where the server of some links is: a path, an address, what a name server
 * says at each connect, or the primary that Sentinel names.  All links that
 * wait get one answer.
 *
 * Nothing here blocks and nothing is kept longer than the question: who
 * connects anew asks anew, and resolv.conf is read anew.  The time for it is
 * the link's connect_timeout.
 */


#include "turn_upstream_link.h"
#include "turn_log.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>


#define TURN_PLACE_ADDRS  8


/* a question to the name servers; it may outlive its place */

typedef struct turn_lookup_s {
    turn_place_t   *place;            /* NULL: nobody asks any more */
    char            host[TURN_LINK_HOST_MAX + 1];
} turn_lookup_t;


static socklen_t turn_place_literal(const char *host, unsigned port,
    struct sockaddr_storage *ss);
static void turn_place_resolve(turn_place_t *place);
static int turn_place_dns(turn_place_t *place);
static void turn_place_dns_log(int warning, const char *text);
static void turn_place_resolved(int error, struct evutil_addrinfo *list,
    void *data);
static void turn_place_addresses(turn_place_t *place,
    struct evutil_addrinfo *list);
static turn_link_t *turn_place_next(turn_place_t *place);
static void turn_place_not_found(turn_place_t *place);


void
turn_place_init(turn_place_t *place, struct event_base *base,
    const rs_redis_url_t *url, size_t server, const char *resolver,
    uint64_t timeout)
{
    memset(place, 0, sizeof(turn_place_t));

    TAILQ_INIT(&place->links);

    place->base = base;
    place->resolver = resolver;
    place->timeout = timeout;
    place->is_unix = url->local;
    place->server = url->servers[server];
}


void
turn_place_done(turn_place_t *place)
{
    if (place->lookup) {
        place->lookup->place = NULL;
        place->lookup = NULL;
    }

    if (place->dns) {
        evdns_base_free(place->dns, 1);
        place->dns = NULL;
    }

    if (place->sentinel) {
        turn_sentinel_destroy(place->sentinel);
        place->sentinel = NULL;
    }
}


void
turn_place_ask(turn_place_t *place, turn_link_t *link)
{
    socklen_t                len;
    struct sockaddr_un       local;
    struct sockaddr_storage  ss;

    place->trouble[0] = '\0';

    if (place->sentinel) {
        turn_sentinel_ask(place->sentinel);
        return;
    }

    (void) snprintf(place->host, sizeof(place->host), "%.*s",
                    (int) place->server.host.len,
                    (const char *) place->server.host.data);
    place->port = place->server.port;

    if (place->is_unix) {
        memset(&local, 0, sizeof(local));
        local.sun_family = AF_UNIX;
        memcpy(local.sun_path, place->server.host.data,
               place->server.host.len);       /* RS_REDIS_UNIX_MAX */
        turn_link_found(link, (struct sockaddr *) &local, sizeof(local),
                        place->host);
        return;
    }

    len = turn_place_literal(place->host, place->port, &ss);

    if (len) {
        turn_link_found(link, (struct sockaddr *) &ss, len, place->host);
        return;
    }

    turn_place_resolve(place);
}


void
turn_place_set_trouble(turn_place_t *place, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(place->trouble, sizeof(place->trouble), fmt, args);
    va_end(args);
}


const char *
turn_place_trouble(turn_place_t *place)
{
    if (place->trouble[0]) {
        return place->trouble;
    }

    if (place->sentinel && place->lookup == NULL) {
        return "no Sentinel said where the primary is";
    }

    return "the name server did not answer";
}


int
turn_place_waiting(turn_place_t *place)
{
    turn_link_t  *link;

    TAILQ_FOREACH(link, &place->links, next) {
        if (link->waiting) {
            return 1;
        }
    }

    return 0;
}


void
turn_place_set(turn_place_t *place, const char *host, unsigned port,
    int moved)
{
    char                     where[TURN_LINK_HOST_MAX + 16];
    socklen_t                len;
    turn_link_t             *link;
    struct sockaddr_storage  ss;

    (void) snprintf(place->host, sizeof(place->host), "%s", host);
    place->port = port;

    if (moved) {
        place->generation++;

        (void) snprintf(where, sizeof(where), "%s:%u", place->host, port);

        TAILQ_FOREACH(link, &place->links, next) {
            if (link->state >= TURN_LINK_CONNECTING
                && link->generation != place->generation)
            {
                turn_link_moved(link, where);
            }
        }
    }

    if (!turn_place_waiting(place)) {
        return;
    }

    len = turn_place_literal(place->host, place->port, &ss);

    if (len == 0) {
        turn_place_resolve(place);
        return;
    }

    while ((link = turn_place_next(place)) != NULL) {
        turn_link_found(link, (struct sockaddr *) &ss, len, place->host);
    }
}


/* 0: a name */

static socklen_t
turn_place_literal(const char *host, unsigned port,
    struct sockaddr_storage *ss)
{
    struct sockaddr_in   *sin;
    struct sockaddr_in6  *sin6;

    memset(ss, 0, sizeof(*ss));

    sin = (struct sockaddr_in *) ss;

    if (inet_pton(AF_INET, host, &sin->sin_addr) == 1) {
        sin->sin_family = AF_INET;
        sin->sin_port = htons((uint16_t) port);
        return sizeof(*sin);
    }

    sin6 = (struct sockaddr_in6 *) ss;

    if (inet_pton(AF_INET6, host, &sin6->sin6_addr) == 1) {
        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons((uint16_t) port);
        return sizeof(*sin6);
    }

    return 0;
}


static void
turn_place_resolve(turn_place_t *place)
{
    turn_lookup_t           *lookup;
    struct evutil_addrinfo   hints;

    if (place->lookup) {
        return;                      /* its answer is on the way */
    }

    lookup = calloc(1, sizeof(turn_lookup_t));

    if (lookup == NULL || turn_place_dns(place) < 0) {
        free(lookup);
        turn_place_set_trouble(place, "\"%s\" cannot be resolved: no memory, "
                               "or no name server", place->host);
        turn_place_not_found(place);
        return;
    }

    memcpy(lookup->host, place->host, sizeof(lookup->host));
    lookup->place = place;
    place->lookup = lookup;

    memset(&hints, 0, sizeof(hints));
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_protocol = IPPROTO_TCP;

    (void) evdns_getaddrinfo(place->dns, lookup->host, NULL, &hints,
                             turn_place_resolved, lookup);
}


/* nothing is asked of the old one any more, and it may know old servers */

static int
turn_place_dns(turn_place_t *place)
{
    char  text[32];

    if (place->dns) {
        evdns_base_free(place->dns, 0);
    }

    evdns_set_log_fn(turn_place_dns_log);

    place->dns = evdns_base_new(place->base,
                                EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (place->dns == NULL) {
        return -1;
    }

    /* without the file, and with no server in it, 127.0.0.1 is asked */

    if (place->resolver && *place->resolver) {
        (void) evdns_base_resolv_conf_parse(place->dns, DNS_OPTION_HOSTSFILE,
                                            "/etc/resolv.conf");

        if (evdns_base_nameserver_ip_add(place->dns, place->resolver) != 0) {
            return -1;
        }

    } else {
        (void) evdns_base_resolv_conf_parse(place->dns, DNS_OPTIONS_ALL,
                                            "/etc/resolv.conf");
    }

    (void) snprintf(text, sizeof(text), "%llu.%03llu",
                    (unsigned long long) (place->timeout / 1000),
                    (unsigned long long) (place->timeout % 1000));

    (void) evdns_base_set_option(place->dns, "timeout:", text);
    (void) evdns_base_set_option(place->dns, "attempts:", "2");
    (void) evdns_base_set_option(place->dns, "getaddrinfo-allow-skew:", "1");

    return 0;
}


/* what matters of it is said of the link */

static void
turn_place_dns_log(int warning, const char *text)
{
    (void) warning;

    turn_log(TURN_LOG_DEBUG, "redis: resolver: %s", text);
}


static void
turn_place_resolved(int error, struct evutil_addrinfo *list, void *data)
{
    turn_lookup_t *lookup = data;

    int            same;
    turn_place_t  *place;

    place = lookup->place;
    same = place && strcmp(lookup->host, place->host) == 0;

    if (place == NULL) {
        free(lookup);
        if (list) {
            evutil_freeaddrinfo(list);
        }

        return;
    }

    place->lookup = NULL;
    free(lookup);

    /* the place has moved on while this name was looked up */

    if (!same) {
        if (list) {
            evutil_freeaddrinfo(list);
        }

        if (turn_place_waiting(place)) {
            turn_place_set_trouble(place, "the primary moved while its name "
                                   "was looked up");
            turn_place_not_found(place);
        }

        return;
    }

    if (error || list == NULL) {
        turn_place_set_trouble(place, "\"%s\" cannot be resolved: %s",
                               place->host,
                               error ? evutil_gai_strerror(error)
                                     : "it has no address");
        turn_place_not_found(place);
        return;
    }

    turn_place_addresses(place, list);
    evutil_freeaddrinfo(list);
}


/* another one at each try: a name may have an address that is not served */

static void
turn_place_addresses(turn_place_t *place, struct evutil_addrinfo *list)
{
    size_t                   n, i;
    socklen_t                len;
    turn_link_t             *link;
    struct evutil_addrinfo  *addr, *addrs[TURN_PLACE_ADDRS];
    struct sockaddr_storage  ss;

    n = 0;

    for (addr = list; addr && n < TURN_PLACE_ADDRS; addr = addr->ai_next) {
        if ((addr->ai_family == AF_INET || addr->ai_family == AF_INET6)
            && addr->ai_addrlen <= sizeof(ss))
        {
            addrs[n++] = addr;
        }
    }

    if (n == 0) {
        turn_place_set_trouble(place, "\"%s\" cannot be resolved: it has no "
                               "address", place->host);
        turn_place_not_found(place);
        return;
    }

    while ((link = turn_place_next(place)) != NULL) {
        i = link->attempts % n;
        len = (socklen_t) addrs[i]->ai_addrlen;
        memcpy(&ss, addrs[i]->ai_addr, len);

        if (ss.ss_family == AF_INET) {
            ((struct sockaddr_in *) &ss)->sin_port =
                htons((uint16_t) place->port);

        } else {
            ((struct sockaddr_in6 *) &ss)->sin6_port =
                htons((uint16_t) place->port);
        }

        turn_link_found(link, (struct sockaddr *) &ss, len, place->host);
    }
}


static turn_link_t *
turn_place_next(turn_place_t *place)
{
    turn_link_t  *link;

    TAILQ_FOREACH(link, &place->links, next) {
        if (link->waiting) {
            return link;
        }
    }

    return NULL;
}


static void
turn_place_not_found(turn_place_t *place)
{
    turn_link_t  *link;

    while ((link = turn_place_next(place)) != NULL) {
        turn_link_not_found(link);
    }
}
